//! What is printed for people.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

use super::{Failure, numbers, translate};

/// The width of a paragraph where the terminal does not say, in columns.
const WIDTH: usize = 100;

/// Prints an error as one paragraph on standard error, in lines for a terminal and as one line for a log. Text from outside
/// cannot move the cursor.
pub(super) fn paragraph(said: &str) {
    let said = translate::message(said);
    let mut out = String::from("wxpay:");
    let mut column = out.len();
    // Chinese has no blanks to break lines at; the terminal breaks them.
    let most = if io::stderr().is_terminal() && !translate::is_chinese() { WIDTH } else { usize::MAX };
    for word in said.split_whitespace() {
        let word: String = word.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        let width = word.chars().count();
        if column.saturating_add(1 + width) > most {
            out.push_str("\n  ");
            column = 2;
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(&word);
        column += width;
    }
    // Nothing can be told when standard error is gone.
    let _ = writeln!(io::stderr(), "{out}");
}

/// Prints a line besides the answer, on standard error.
pub(super) fn note(said: &str) {
    let _ = writeln!(io::stderr(), "wxpay: {}", translate::message(said));
}

/// Prints lines that are laid out already, on standard error.
pub(super) fn lines(said: &str) {
    let _ = io::stderr().write_all(said.as_bytes());
}

/// A text with blanks up to a column; letters of East Asia take two.
pub(super) fn column(text: &str, width: usize) -> String {
    let taken: usize = text.chars().map(|c| if c >= '\u{1100}' { 2 } else { 1 }).sum();
    format!("{text}{}", " ".repeat(width.saturating_sub(taken)))
}

/// Prints one line of a list on standard error. Text from outside cannot move the cursor.
pub(super) fn line(said: &str) {
    let _ = writeln!(io::stderr(), "{}", harmless(said));
}

/// Prints a line on standard output in the same way.
pub(super) fn listed(said: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{}", harmless(said))
}

fn harmless(said: &str) -> String {
    said.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Prints the body of an answer: JSON in a readable layout, anything else as it is, and so JSON with numbers that the layout would
/// change; on a terminal the prompt gets a line of its own.
pub(super) fn body(body: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let text = std::str::from_utf8(body).ok().filter(|text| numbers::lost(text).is_none());
    match text.and_then(|text| serde_json::from_str::<Value>(text).ok()) {
        Some(json) => writeln!(out, "{json:#}")?,
        None => {
            out.write_all(body)?;
            if out.is_terminal() && !body.is_empty() && !body.ends_with(b"\n") {
                out.write_all(b"\n")?;
            }
        }
    }
    out.flush()
}

/// Prints what is made for a program.
pub(super) fn script(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Result<(), Failure> {
    let mut text = Vec::new();
    printed(write(&mut text).and_then(|()| io::stdout().lock().write_all(&text)))
}

/// What became of writing to standard output. Who closes the pipe before its end, as `head` does, has had enough.
pub(super) fn printed(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::local(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}
