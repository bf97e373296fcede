//! `wxpay port`: converts PHP to Rust.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::args::Port;
use super::failure::Failure;
use super::output;
use crate::port::{self, Ported};

/// How much of a piece's PHP the list shows, in characters.
const MAX_SHOWN: usize = 100;

/// The time limit of rustfmt, which takes very long for deeply nested code.
const RUSTFMT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often it is checked whether rustfmt has finished.
const RUSTFMT_POLL_INTERVAL: Duration = Duration::from_millis(2);

pub(super) fn run(args: &Port) -> Result<(), Failure> {
    let (name, php) = read(&args.file)?;
    let Ported { rust, left } = port::port(&php).map_err(|errors| {
        Failure::usage(errors.lines().map(|error| format!("{name}: {error}")).collect::<Vec<_>>().join("\n"))
    })?;
    if !args.check {
        let written = io::stdout().lock().write_all(formatted(rust).as_bytes());
        output::check(written)?;
    }
    if left.is_empty() {
        return Ok(());
    }
    for piece in &left {
        let line = format!("{name}:{}: {}: {}", piece.line, shortened(&piece.php), piece.why);
        // With --check, the list is the output of the command.
        if args.check {
            output::check(output::stdout_line(&line))?;
        } else {
            output::stderr_line(&line);
        }
    }
    let pieces = if left.len() == 1 { "1 piece".to_owned() } else { format!("{} pieces", left.len()) };
    Err(Failure { code: 1, message: format!("{pieces} of {name} could not be converted, see above") })
}

/// A piece of PHP on one line.
fn shortened(php: &str) -> String {
    let line = php.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_SHOWN) {
        Some((at, _)) => format!("{}...", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

/// The name of the input in messages, and its text.
fn read(file: &Path) -> Result<(String, String), Failure> {
    let mut bytes = Vec::new();
    let (name, outcome) = if file == Path::new("-") {
        ("standard input".to_owned(), io::stdin().lock().read_to_end(&mut bytes).map(drop))
    } else {
        (file.display().to_string(), std::fs::read(file).map(|read| bytes = read))
    };
    outcome.map_err(|error| Failure::usage(format!("{name} cannot be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{name} is not valid UTF-8")))?;
    Ok((name, text))
}

/// The program as rustfmt formats it, or unchanged if rustfmt is missing or fails.
fn formatted(rust: String) -> String {
    let child = Command::new("rustfmt")
        .args(["--edition", "2024"])
        // Away from the settings of a project in the current folder.
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return rust };
    let (Some(mut input), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else { return rust };
    let text = rust.clone();
    // On separate threads: rustfmt may write before it has read everything, and either pipe may
    // fill up.
    std::thread::spawn(move || input.write_all(text.as_bytes()));
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).map(|_| text)
    });
    let deadline = Instant::now() + RUSTFMT_TIMEOUT;
    let is_successful = loop {
        match child.try_wait() {
            Ok(None) if Instant::now() < deadline => std::thread::sleep(RUSTFMT_POLL_INTERVAL),
            Ok(Some(status)) => break status.success(),
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                break false;
            }
        }
    };
    match reader.join() {
        Ok(Ok(text)) if is_successful && !text.is_empty() => text,
        _ => rust,
    }
}
