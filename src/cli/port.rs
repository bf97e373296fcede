//! `wxpay port`: converts PHP to Rust.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::args::Port;
use super::failure::Failure;
use super::port_input::{Input, files, read};
use super::{output, port_report};
use crate::port::{self, Ported};

/// How much of a piece's PHP the list shows, in characters.
const MAX_SHOWN: usize = 100;

/// The time limit of rustfmt, which takes very long for deeply nested code.
const RUSTFMT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often it is checked whether rustfmt has finished.
const RUSTFMT_POLL_INTERVAL: Duration = Duration::from_millis(2);

pub(super) fn run(args: &Port) -> Result<(), Failure> {
    if args.report {
        return port_report::run(&args.files, args.json);
    }
    let files = files(&args.files)?;
    if files.len() > 1 && !args.check {
        return Err(Failure::usage("several files are only for --check and --report".to_owned()));
    }
    let (mut pieces, mut names) = (0, Vec::new());
    for file in &files {
        let (name, left) = convert(file, args.check)?;
        if left > 0 {
            pieces += left;
            names.push(name);
        }
    }
    let name = match names.as_slice() {
        [] => return Ok(()),
        [name] => name.clone(),
        names => format!("{} files", names.len()),
    };
    let pieces = if pieces == 1 { "1 piece".to_owned() } else { format!("{pieces} pieces") };
    Err(Failure { code: 1, message: format!("{pieces} of {name} could not be converted, see above") })
}

/// Converts a file. Returns its name, and how many pieces were not converted.
fn convert(file: &Path, check: bool) -> Result<(String, usize), Failure> {
    let Input { name, text: php, is_gbk } = read(file)?;
    let Ported { rust, left, .. } = port::port(&php).map_err(|errors| {
        Failure::usage(errors.lines().map(|error| format!("{name}: {error}")).collect::<Vec<_>>().join("\n"))
    })?;
    if !check {
        let written = io::stdout().lock().write_all(formatted(rust).as_bytes());
        output::check(written)?;
    }
    let gbk = is_gbk.then(|| format!("{name}:1: the file is in GBK: the texts of the program are UTF-8, and longer"));
    let pieces = left.iter().map(|piece| format!("{name}:{}: {}: {}", piece.line, shortened(&piece.php), piece.why));
    let lines: Vec<String> = gbk.into_iter().chain(pieces).collect();
    for line in &lines {
        // With --check, the list is the output of the command.
        if check {
            output::check(output::stdout_line(line))?;
        } else {
            output::stderr_line(line);
        }
    }
    Ok((name, lines.len()))
}

/// A piece of PHP on one line.
fn shortened(php: &str) -> String {
    let line = php.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_SHOWN) {
        Some((at, _)) => format!("{}...", line.get(..at).unwrap_or_default()),
        None => line,
    }
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
