//! `json_encode` and `json_decode`.

use std::fmt::Write as _;

use serde_json::Value;

use super::convert::{exact_text, integer};

/// The flags of [`json_encode`].
pub const JSON_UNESCAPED_SLASHES: i64 = 64;
/// Likewise.
pub const JSON_PRETTY_PRINT: i64 = 128;
/// Likewise.
pub const JSON_UNESCAPED_UNICODE: i64 = 256;
/// Likewise.
pub const JSON_PRESERVE_ZERO_FRACTION: i64 = 1024;

/// `json_decode($text, true)`: null if the text is not JSON.
#[must_use]
pub fn json_decode(text: &str) -> Value {
    serde_json::from_str(text).map(super::array::array).unwrap_or_default()
}

/// `json_decode($text)`, with objects in place of arrays with keys.
#[must_use]
pub fn json_decode_object(text: &str) -> Value {
    serde_json::from_str(text).map(super::array::number).unwrap_or_default()
}

/// `json_encode($value, $flags)`.
#[must_use]
pub fn json_encode(value: &Value, flags: i64) -> String {
    let mut out = String::new();
    encode(value, flags, 0, &mut out);
    out
}

fn encode(value: &Value, flags: i64, depth: usize, out: &mut String) {
    match value {
        Value::Number(number) => match integer(number) {
            Some(number) => out.push_str(&number.to_string()),
            None => out.push_str(&float(number.as_f64().unwrap_or_default(), flags)),
        },
        Value::String(text) => quote(text, flags, out),
        Value::Array(items) => {
            out.push('[');
            for (number, item) in items.iter().enumerate() {
                separate(number, flags, depth, out);
                encode(item, flags, depth + 1, out);
            }
            close(items.is_empty(), flags, depth, out);
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (number, (key, item)) in members.iter().enumerate() {
                separate(number, flags, depth, out);
                quote(key, flags, out);
                out.push_str(if flags & JSON_PRETTY_PRINT == 0 { ":" } else { ": " });
                encode(item, flags, depth + 1, out);
            }
            close(members.is_empty(), flags, depth, out);
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn separate(number: usize, flags: i64, depth: usize, out: &mut String) {
    if number > 0 {
        out.push(',');
    }
    if flags & JSON_PRETTY_PRINT != 0 {
        out.push('\n');
        out.push_str(&"    ".repeat(depth + 1));
    }
}

fn close(empty: bool, flags: i64, depth: usize, out: &mut String) {
    if flags & JSON_PRETTY_PRINT != 0 && !empty {
        out.push('\n');
        out.push_str(&"    ".repeat(depth));
    }
}

fn float(number: f64, flags: i64) -> String {
    let text = exact_text(number, "e");
    let whole = !text.contains(['.', 'e']);
    if whole && flags & JSON_PRESERVE_ZERO_FRACTION != 0 { text + ".0" } else { text }
}

fn quote(text: &str, flags: i64, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '/' if flags & JSON_UNESCAPED_SLASHES == 0 => out.push_str("\\/"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 => escape(c, out),
            // These are line ends in JavaScript.
            '\u{2028}' | '\u{2029}' => escape(c, out),
            c if !c.is_ascii() && flags & JSON_UNESCAPED_UNICODE == 0 => escape(c, out),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn escape(c: char, out: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        let _ = write!(out, "\\u{unit:04x}");
    }
}

/// The options of a call as PHP writes them into JSON: a `float` without a fraction as a whole
/// number, `10` in place of `10.0`.
#[must_use]
pub fn options(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(key, value)| (key, options(value))).collect())
        }
        Value::Array(items) => items.into_iter().map(options).collect(),
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or_default();
            let whole = float.fract() == 0.0 && float.abs() < 9e15;
            if whole { Value::from(float as i64) } else { Value::Number(number) }
        }
        other => other,
    }
}
