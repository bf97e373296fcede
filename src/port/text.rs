//! The spelling of literals, names and comments in PHP and in Rust.

/// A Rust string literal. A text of several lines is written on several lines.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let lines = text.matches('\n').count();
    let broken = lines > 1 || (lines == 1 && !text.ends_with('\n') && text.len() > 60);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        escaped(c, &mut out);
        if c == '\n' && broken {
            match chars.peek() {
                // After a backslash at the end of a line, Rust skips the whitespace at the start of
                // the next.
                Some(' ') => {
                    chars.next();
                    out.push_str("\\\n    \\x20");
                }
                Some(_) => out.push_str("\\\n    "),
                None => {}
            }
        }
    }
    out.push('"');
    out
}

/// Likewise on one line, for a text inside `format!`.
pub(super) fn braced(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '{' => out.push_str("{{"),
            '}' => out.push_str("}}"),
            c => escaped(c, &mut out),
        }
    }
    out
}

fn escaped(c: char, out: &mut String) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\0' => out.push_str("\\0"),
        // Rust rejects characters that change the direction of text.
        c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
            out.extend(c.escape_unicode());
        }
        c => out.push(c),
    }
}

/// The text of a single-quoted PHP literal, given the source between its quotes.
pub(super) fn single(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some('\\' | '\'')) => out.extend(chars.next()),
            _ => out.push(c),
        }
    }
    out
}

/// The text of a part of a double-quoted literal or a heredoc; `None` if it is not valid UTF-8. A
/// quote is escaped only in a double-quoted literal.
pub(super) fn double(raw: &str, quotes: bool) -> Option<String> {
    let mut out: Vec<u8> = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        let (before, after) = rest.split_at_checked(at)?;
        out.extend_from_slice(before.as_bytes());
        let after = after.get(1..)?;
        let mut chars = after.chars();
        let next = chars.next();
        rest = chars.as_str();
        match next {
            Some('n') => out.push(b'\n'),
            Some('t') => out.push(b'\t'),
            Some('r') => out.push(b'\r'),
            Some('v') => out.push(0x0b),
            Some('e') => out.push(0x1b),
            Some('f') => out.push(0x0c),
            Some('\\') => out.push(b'\\'),
            Some('$') => out.push(b'$'),
            Some('"') if quotes => out.push(b'"'),
            Some('0'..='7') => {
                let digits: String = after.chars().take(3).take_while(|c| ('0'..='7').contains(c)).collect();
                out.push((u32::from_str_radix(&digits, 8).unwrap_or_default() & 0xff) as u8);
                rest = after.get(digits.len()..)?;
            }
            Some('x') if rest.starts_with(|c: char| c.is_ascii_hexdigit()) => {
                let digits: String = rest.chars().take(2).take_while(char::is_ascii_hexdigit).collect();
                out.push(u8::from_str_radix(&digits, 16).unwrap_or_default());
                rest = rest.get(digits.len()..)?;
            }
            Some('u') if rest.starts_with('{') => {
                let (digits, after) = rest.get(1..)?.split_once('}')?;
                let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after;
            }
            Some(c) => {
                out.push(b'\\');
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            None => out.push(b'\\'),
        }
    }
    out.extend_from_slice(rest.as_bytes());
    String::from_utf8(out).ok()
}

/// A PHP name in Rust's spelling: `$outTradeNo` is `out_trade_no`.
pub(super) fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut before = '_';
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        let starts = before.is_lowercase() || before.is_ascii_digit();
        let acronym_ends = before.is_uppercase() && chars.peek().is_some_and(|next| next.is_lowercase());
        if c.is_uppercase() && (starts || acronym_ends) {
            out.push('_');
        }
        out.extend(c.to_lowercase());
        before = c;
    }
    if out.is_empty() || out.chars().all(|c| c == '_') {
        out.push_str("unnamed");
    }
    if !out.starts_with(|c: char| c == '_' || c.is_alphabetic())
        || !out.chars().all(|c| c == '_' || c.is_alphanumeric())
    {
        out = out.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        out.insert_str(0, "v_");
    }
    if KEYWORDS.contains(&out.as_str()) {
        out.push('_');
    }
    out
}

/// A PHP name in the spelling of a Rust type.
pub(super) fn pascal(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for part in name.split(|c: char| !c.is_alphanumeric()) {
        let mut chars = part.chars();
        out.extend(chars.next().into_iter().flat_map(char::to_uppercase));
        out.push_str(chars.as_str());
    }
    if !out.starts_with(char::is_alphabetic) {
        out.insert(0, 'T');
    }
    if out == "Self" { "Self_".to_owned() } else { out }
}

/// A text in which a format string has no placeholders.
pub(super) fn braced_text(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
    "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// The code, indented by one level.
pub(super) fn indent(code: &str) -> String {
    let mut out = String::with_capacity(code.len() + 16);
    for line in code.split_inclusive('\n') {
        if !line.trim().is_empty() {
            out.push_str("    ");
        }
        out.push_str(line);
    }
    out
}

/// Whether a text contains a word, and not only as a part of a longer one.
pub(super) fn contains_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|after| after.chars().next());
        let part = |c: Option<char>| c.is_some_and(|c| c == '_' || c.is_alphanumeric());
        !part(before) && !part(after)
    })
}

/// The first characters of a text, on one line.
pub(super) fn short(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

/// A comment at the beginning of a generated program, for the merchant who completes it. The
/// `todo!()` is in that program, not in this crate.
pub(super) fn completion_comment() -> String {
    comment("//", "PHP that was not converted is in comments, above a todo!() in its place.")
}

/// A text as lines of a Rust comment.
pub(super) fn comment(mark: &str, text: &str) -> String {
    let lines: Vec<String> =
        text.lines().map(|line| format!("{mark} {}", line.trim_end()).trim_end().to_owned()).collect();
    // A lone carriage return is an error in a comment.
    lines.join("\n").replace('\r', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_of_php() {
        assert_eq!(single(r"it\'s a \\ \n"), r"it's a \ \n");
        assert_eq!(double(r#"a\n\t\"\$x\\\q\101\x41\u{5fae}"#, true).as_deref(), Some("a\n\t\"$x\\\\qAA微"));
        assert_eq!(double(r#"\""#, false).as_deref(), Some(r#"\""#));
        assert_eq!(double(r"\xff", true), None);
        assert_eq!(double("\\", true).as_deref(), Some("\\"));
    }

    #[test]
    fn literals_of_rust() {
        assert_eq!(quoted("a\"b\\\n"), r#""a\"b\\\n""#);
        assert_eq!(quoted("a\n b\n\nc\n"), "\"a\\n\\\n    \\x20b\\n\\\n    \\n\\\n    c\\n\"");
        assert_eq!(braced("{a}\n"), "{{a}}\\n");
    }

    #[test]
    fn names() {
        for (php, rust) in [
            ("outTradeNo", "out_trade_no"),
            ("merchantPrivateKeyInstance", "merchant_private_key_instance"),
            ("type", "type_"),
            ("URL", "url"),
            ("apiV3Key", "api_v3_key"),
            ("XMLBody", "xml_body"),
            ("a1B", "a1_b"),
            ("_", "_unnamed"),
        ] {
            assert_eq!(snake(php), rust, "{php}");
        }
    }
}
