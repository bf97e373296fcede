//! Untrusted text in messages: shortened, and on one line.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// The first 120 characters of a trimmed text on one line; `(empty)` for a blank one.
pub(crate) fn excerpt(text: &str) -> Cow<'_, str> {
    match text.trim() {
        "" => Cow::Borrowed("(empty)"),
        text => one_line(text, 120),
    }
}

/// Describes a body without its text, which may contain personal values: its length and content
/// type.
pub(crate) fn content_description(headers: &HeaderMap, length: usize) -> String {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|value| value.split(';').next()).map(str::trim).unwrap_or_default();
    let is_media_type = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "/+.-".contains(c);
    if media_type.is_empty() || media_type.len() > 64 || !media_type.chars().all(is_media_type) {
        return format!("{length} bytes");
    }
    format!("{length} bytes of {media_type}")
}

/// A name in quotation marks. A text that is not a name is shown as `***`: it may be a key or a
/// password whose place was exchanged with that of a name. Keys have at least 32 characters.
pub(crate) fn name(text: &str) -> String {
    if is_name(text) { format!("{text:?}") } else { "***".to_owned() }
}

/// Whether a text is short and consists of letters, digits, `_`, `-` and `.`.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() < 32 && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
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
    fn what_is_not_a_name_is_not_shown() {
        for shown in ["mchId", "", "ssl_key", "allow-redirects", "商户号"] {
            assert_eq!(name(shown), format!("{shown:?}"));
        }
        for key in ["-----BEGIN X-----", "a b", "a\nb", "0123456789abcdef0123456789abcdef", "p@ss:word"] {
            assert_eq!(name(key), "***");
        }
    }

    #[test]
    fn a_body_is_described_without_its_text() {
        for (content_type, expected) in [
            ("application/json; charset=utf-8", "7 bytes of application/json"),
            ("image/svg+xml", "7 bytes of image/svg+xml"),
            ("oUpF8uMuAJO", "7 bytes"),
            ("", "7 bytes"),
            ("text/html\t", "7 bytes of text/html"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
            assert_eq!(content_description(&headers, 7), expected, "{content_type:?}");
        }
        assert_eq!(content_description(&HeaderMap::new(), 0), "0 bytes");
    }

    #[test]
    fn an_excerpt_cuts_between_characters() {
        assert_eq!(excerpt("  "), "(empty)");
        assert_eq!(excerpt("a\nb"), "a b");
        assert_eq!(excerpt(&"微".repeat(500)).chars().count(), 121);
    }
}
