//! Untrusted text in messages: shortened, and on one line.

use std::borrow::Cow;

/// The first 120 characters of a trimmed text on one line; `(empty)` for a blank one.
pub(crate) fn excerpt(text: &str) -> Cow<'_, str> {
    match text.trim() {
        "" => Cow::Borrowed("(empty)"),
        text => one_line(text, 120),
    }
}

/// The first `max` characters of a text, with `…` where more follow. Control characters become
/// blanks, so that no text can break a line of a log or move the cursor of a terminal.
pub(crate) fn one_line(text: &str, max: usize) -> Cow<'_, str> {
    let longer = text.chars().nth(max).is_some();
    if !longer && !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut line: String = text.chars().take(max).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if longer {
        line.push('…');
    }
    Cow::Owned(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_cuts_between_characters() {
        assert_eq!(excerpt("  "), "(empty)");
        assert_eq!(excerpt("a\nb"), "a b");
        assert_eq!(excerpt(&"微".repeat(500)).chars().count(), 121);
    }
}
