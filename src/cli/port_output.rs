//! The output of `wxpay port`: formatted Rust, and the list of the pieces that were not converted.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::port::Left;

/// The maximum length of the PHP of a piece in the list, in characters.
const MAX_SHOWN: usize = 100;

/// The time limit of rustfmt, which takes very long for deeply nested code.
const RUSTFMT_TIMEOUT: Duration = Duration::from_secs(10);

/// The interval between the checks whether rustfmt has finished.
const RUSTFMT_POLL_INTERVAL: Duration = Duration::from_millis(2);

/// A piece that was not converted, as a line of the list.
pub(super) fn listed(name: &str, piece: &Left) -> String {
    format!("{name}:{}: {}: {}", piece.line, shortened(&piece.php), piece.why)
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
pub(super) fn formatted(rust: String) -> String {
    let child = Command::new("rustfmt")
        .args(["--edition", "2024"])
        // The rustfmt settings of a project in the current folder must not apply.
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return rust };
    let (Some(mut input), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else { return rust };
    let text = rust.clone();
    // Separate threads write and read: rustfmt may write before it has read everything, and either
    // pipe may fill up.
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
