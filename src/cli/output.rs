//! What is printed for people.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

/// The width of a paragraph where the terminal does not say, in columns.
const WIDTH: usize = 100;

/// Prints an error as one paragraph on standard error, in lines for a terminal and as one line for a log. Text from outside
/// cannot move the cursor.
pub(super) fn paragraph(said: &str) {
    let mut out = String::from("wxpay:");
    let mut column = out.len();
    let most = if io::stderr().is_terminal() { WIDTH } else { usize::MAX };
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
    let _ = writeln!(io::stderr(), "wxpay: {said}");
}

/// Prints one line of a list on standard error. Text from outside cannot move the cursor.
pub(super) fn line(said: &str) {
    let said: String = said.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let _ = writeln!(io::stderr(), "{said}");
}

/// Prints the body of an answer: JSON in a readable layout, anything else as it is.
pub(super) fn body(body: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match serde_json::from_slice::<Value>(body) {
        Ok(json) => writeln!(out, "{json:#}")?,
        Err(_) => out.write_all(body)?,
    }
    out.flush()
}
