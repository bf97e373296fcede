//! Standard output and standard error.
//!
//! Messages may contain text from outside, such as a response of the service, so their control
//! characters are replaced: they could move the cursor of a terminal.

use std::io::{self, IsTerminal, Write};

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::failure::Failure;
use super::{json_precision, translate};

/// The width at which error messages are wrapped for a terminal, in columns.
const WRAP_WIDTH: usize = 100;

/// Prints an error on standard error, in lines for a terminal and as one line for a log.
pub(super) fn error(message: &str) {
    let message = translate::message(message);
    let mut out = styled("wxpay:", ERROR, &io::stderr());
    let mut column = "wxpay:".len();
    // Chinese has no spaces to wrap at, so the terminal wraps it.
    let max_column = if io::stderr().is_terminal() && !translate::is_chinese() { WRAP_WIDTH } else { usize::MAX };
    for word in message.split_whitespace() {
        let word = without_control_characters(word);
        let width = word.chars().count();
        if column.saturating_add(1 + width) > max_column {
            out.push_str("\n  ");
            column = 2;
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(&word);
        column += width;
    }
    // An error of standard error itself cannot be reported anywhere.
    let _ = writeln!(io::stderr(), "{out}");
}

/// The styles of text, as the parameters of ANSI's SGR sequence.
pub(super) const ERROR: &str = "1;31";
pub(super) const WARNING: &str = "33";
pub(super) const SUCCESS: &str = "32";
pub(super) const DIM: &str = "2";

/// Applies a style to a text if the stream is a terminal with colours. `--color` overrides this.
pub(super) fn styled(text: &str, style: &str, stream: &impl RawStream) -> String {
    match AutoStream::choice(stream) {
        ColorChoice::Never => text.to_owned(),
        _ => format!("\x1b[{style}m{text}\x1b[0m"),
    }
}

/// Prints text with ANSI sequences. They are removed if the stream has no colours.
pub(super) fn styled_text(text: &str, is_output: bool) {
    let _ = match is_output {
        true => AutoStream::auto(io::stdout()).write_all(text.as_bytes()),
        false => AutoStream::auto(io::stderr()).write_all(text.as_bytes()),
    };
}

/// Prints a remark or a warning on standard error.
pub(super) fn note(message: &str) {
    let _ = writeln!(io::stderr(), "wxpay: {}", translate::message(message));
}

/// Prints formatted text on standard error.
pub(super) fn stderr_text(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Prints one line on standard error.
pub(super) fn stderr_line(line: &str) {
    let _ = writeln!(io::stderr(), "{}", without_control_characters(line));
}

/// Prints the message that a signature covers on standard error, with `\n` for each line feed.
pub(super) fn signed_message(message: &[u8]) {
    note("the message to sign, with \\n for each line feed:");
    for line in String::from_utf8_lossy(message).split_inclusive('\n') {
        let visible = line.strip_suffix('\n').map_or_else(|| line.to_owned(), |line| format!("{line}\\n"));
        stderr_line(&format!("  {visible}"));
    }
}

/// Prints one line on standard output.
pub(super) fn stdout_line(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{}", without_control_characters(line))
}

/// Prints one line on standard output, with its first word in a style.
pub(super) fn outcome_line(word: &str, style: &str, rest: &str) -> io::Result<()> {
    let word = styled(word, style, &io::stdout());
    writeln!(io::stdout(), "{} {}", word, without_control_characters(rest))
}

/// Pads a text with spaces to a width in columns. East Asian characters take two columns.
pub(super) fn padded(text: &str, width: usize) -> String {
    let columns: usize = text.chars().map(|c| if c >= '\u{1100}' { 2 } else { 1 }).sum();
    format!("{text}{}", " ".repeat(width.saturating_sub(columns)))
}

fn without_control_characters(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A text for a terminal: control characters other than line feeds and tabs are escaped.
fn escaped(body: &[u8]) -> String {
    let mut text = String::with_capacity(body.len());
    for c in String::from_utf8_lossy(body).chars() {
        match c {
            '\n' | '\t' => text.push(c),
            c if c.is_control() => text.extend(c.escape_default()),
            c => text.push(c),
        }
    }
    text
}

/// Prints the body of a response on standard output: JSON with indentation, anything else
/// unchanged, except that control characters are escaped on a terminal. JSON with numbers that
/// parsing would round is printed unchanged, too.
pub(super) fn body(body: &[u8]) -> io::Result<()> {
    let text = std::str::from_utf8(body).ok().filter(|text| json_precision::first_inexact_number(text).is_none());
    let formatted = text.and_then(|text| serde_json::from_str::<Value>(text).ok()).map(|json| format!("{json:#}\n"));
    bytes(formatted.as_ref().map_or(body, |json| json.as_bytes()))
}

/// Prints a response on standard output: its status line, its headers, an empty line, and its body
/// as it was received.
pub(super) fn message(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> io::Result<()> {
    let mut out = format!("HTTP/1.1 {status}\n").into_bytes();
    for (name, value) in headers {
        out.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\n"].concat());
    }
    out.push(b'\n');
    out.extend_from_slice(body);
    bytes(&out)
}

/// Prints bytes on standard output unchanged, except that control characters are escaped on a
/// terminal.
pub(super) fn bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        // A page may contain escape sequences that move the cursor or change the title.
        out.write_all(escaped(bytes).as_bytes())?;
        // The prompt of the shell begins on a new line.
        if !bytes.is_empty() && !bytes.ends_with(b"\n") {
            out.write_all(b"\n")?;
        }
    } else {
        out.write_all(bytes)?;
    }
    out.flush()
}

/// Prints generated text, such as a completion script, on standard output.
pub(super) fn generated(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Result<(), Failure> {
    let mut text = Vec::new();
    check(write(&mut text).and_then(|()| io::stdout().lock().write_all(&text)))
}

/// Turns an error of writing to standard output into a failure. A closed pipe is not a failure: a
/// reader such as `head` closes it when it has read enough.
pub(super) fn check(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::local_io(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_for_a_terminal() {
        let page = "<html>\x1b[2J\x1b]0;title\x07\r\n\t商户\u{9b}31m\u{7f}\n".as_bytes();
        assert_eq!(escaped(page), "<html>\\u{1b}[2J\\u{1b}]0;title\\u{7}\\r\n\t商户\\u{9b}31m\\u{7f}\n");
        assert!(escaped(b"\xff").chars().all(|c| c == '\u{fffd}'));
    }
}
