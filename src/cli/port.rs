//! `wxpay port`: PHP into Rust.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Failure;
use super::args::Port;
use super::output;
use crate::port::{self, Ported};

/// How much of a piece's PHP the list shows, in characters.
const SHOWN: usize = 100;

/// How long rustfmt may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn run(args: &Port) -> Result<(), Failure> {
    let (name, php) = read(&args.file)?;
    let Ported { rust, left } = port::port(&php).map_err(|said| {
        Failure::usage(said.lines().map(|line| format!("{name}: {line}")).collect::<Vec<_>>().join("\n"))
    })?;
    if !args.check {
        let written = io::stdout().lock().write_all(formatted(rust).as_bytes());
        output::printed(written)?;
    }
    if left.is_empty() {
        return Ok(());
    }
    for one in &left {
        let said = format!("{name}:{}: {}: {}", one.line, shortened(&one.php), one.why);
        if args.check {
            // The list is what was asked for.
            output::printed(output::listed(&said))?;
        } else {
            output::line(&said);
        }
    }
    let pieces = if left.len() == 1 { "1 piece".to_owned() } else { format!("{} pieces", left.len()) };
    Err(Failure { code: 1, said: format!("{pieces} of {name} could not be carried over, see above") })
}

/// A piece of PHP in one line.
fn shortened(php: &str) -> String {
    let line = php.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}...", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

fn read(file: &Path) -> Result<(String, String), Failure> {
    let mut bytes = Vec::new();
    let (name, outcome) = if file == Path::new("-") {
        ("standard input".to_owned(), io::stdin().lock().read_to_end(&mut bytes).map(drop))
    } else {
        (file.display().to_string(), std::fs::read(file).map(|read| bytes = read))
    };
    outcome.map_err(|error| Failure::usage(format!("{name} cannot be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{name} is no text in UTF-8")))?;
    Ok((name, text))
}

/// The program as rustfmt writes it; as it is where there is none.
fn formatted(rust: String) -> String {
    let child = Command::new("rustfmt")
        .args(["--edition", "2024"])
        // Not where a project has settings of its own.
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return rust };
    let (Some(mut input), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else { return rust };
    let text = rust.clone();
    // On threads of their own, since rustfmt may write before it has read all.
    std::thread::spawn(move || input.write_all(text.as_bytes()));
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).map(|_| text)
    });
    // Deep nesting takes it for ever.
    let end = Instant::now() + PATIENCE;
    let done = loop {
        match child.try_wait() {
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(2)),
            Ok(Some(status)) => break status.success(),
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                break false;
            }
        }
    };
    match reader.join() {
        Ok(Ok(text)) if done && !text.is_empty() => text,
        _ => rust,
    }
}
