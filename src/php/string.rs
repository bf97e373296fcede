//! PHP's functions for strings. Offsets and lengths are in bytes.

use std::borrow::Cow;

use serde_json::Value;

use super::Fatal;
use super::array::pairs;
use crate::error::Error;
use crate::proto::case;

/// The characters that `trim` removes without a list.
const BLANK: [char; 6] = [' ', '\t', '\n', '\r', '\0', '\x0b'];

/// The name of a segment that PHP takes from a variable, as in `->{$name}`: camelCase becomes
/// kebab-case, and `_x_` the variable `{x}`.
///
/// # Errors
/// Fails with [`ErrorKind::Path`](crate::ErrorKind::Path) if the text is not a name, but a value
/// that PHP would convert to lower case.
pub fn segment(name: &str) -> Result<String, Error> {
    case::normalize(name).map(Cow::into_owned)
}

/// `trim($text)`.
#[must_use]
pub fn trim(text: &str) -> &str {
    text.trim_matches(BLANK)
}

/// `ltrim($text)`.
#[must_use]
pub fn ltrim(text: &str) -> &str {
    text.trim_start_matches(BLANK)
}

/// `rtrim($text)`.
#[must_use]
pub fn rtrim(text: &str) -> &str {
    text.trim_end_matches(BLANK)
}

/// `substr($text, $from, $length)`.
///
/// # Errors
/// Fails if the cut is within a character.
pub fn substr(text: &str, from: i64, length: Option<i64>) -> Result<String, Fatal> {
    let (start, end) = range(text.len(), from, length);
    let part = text.get(start..end).map(str::to_owned);
    part.ok_or_else(|| Fatal::new("substr would cut through a character"))
}

/// `mb_substr($text, $from, $length)`.
#[must_use]
pub fn mb_substr(text: &str, from: i64, length: Option<i64>) -> String {
    let (start, end) = range(text.chars().count(), from, length);
    text.chars().skip(start).take(end - start).collect()
}

/// The part of a string, as a range within its length.
fn range(len: usize, from: i64, length: Option<i64>) -> (usize, usize) {
    let all = i64::try_from(len).unwrap_or(i64::MAX);
    let start = if from < 0 { all.saturating_add(from).max(0) } else { from.min(all) };
    let end = match length {
        None => all,
        Some(length) if length < 0 => all.saturating_add(length).max(start),
        Some(length) => start.saturating_add(length).min(all),
    };
    (usize::try_from(start).unwrap_or_default(), usize::try_from(end).unwrap_or_default())
}

/// `str_pad($text, $length, $with)`, on the left or the right.
///
/// # Errors
/// Fails if the padding is empty, or if its cut is within a character.
pub fn pad(text: &str, length: i64, with: &str, left: bool) -> Result<String, Fatal> {
    let missing = usize::try_from(length).unwrap_or_default().saturating_sub(text.len());
    if missing == 0 {
        return Ok(text.to_owned());
    }
    if !with.is_ascii() || with.is_empty() {
        return Err(Fatal::new("the padding of str_pad is empty or not ASCII"));
    }
    let padding: String = with.chars().cycle().take(missing).collect();
    Ok(if left { format!("{padding}{text}") } else { format!("{text}{padding}") })
}

/// `str_replace($from, $to, $text)`.
#[must_use]
pub fn replace(text: &str, from: &str, to: &str) -> String {
    // An empty string is found nowhere.
    if from.is_empty() { text.to_owned() } else { text.replace(from, to) }
}

/// `explode($separator, $text)`.
///
/// # Errors
/// Fails if the separator is empty.
pub fn explode(separator: &str, text: &str) -> Result<Value, Fatal> {
    if separator.is_empty() {
        return Err(Fatal::new("the separator of explode is empty"));
    }
    Ok(text.split(separator).map(Value::from).collect())
}

/// `strpos($text, $part)`: the offset, or false.
#[must_use]
pub fn position(text: &str, part: &str) -> Value {
    text.find(part).map_or(Value::Bool(false), Value::from)
}

/// `strcmp($left, $right)`.
#[must_use]
pub fn strcmp(left: &str, right: &str) -> i64 {
    left.cmp(right) as i64
}

/// `ucfirst($text)`.
#[must_use]
pub fn ucfirst(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

/// `rawurlencode($text)`.
#[must_use]
pub fn rawurlencode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// `urlencode($text)`.
#[must_use]
pub fn urlencode(text: &str) -> String {
    rawurlencode(text).replace("%20", "+").replace('~', "%7E")
}

/// `http_build_query($array)`.
#[must_use]
pub fn http_build_query(array: &Value) -> String {
    query(array, "")
}

/// The part of a query inside of the brackets of a name.
fn query(array: &Value, within: &str) -> String {
    let mut out = Vec::new();
    for (key, value) in pairs(array) {
        let key = urlencode(&super::text(&key));
        let name = if within.is_empty() { key } else { format!("{within}%5B{key}%5D") };
        match value {
            Value::Null => {}
            Value::Array(_) | Value::Object(_) => out.push(query(value, &name)),
            Value::Bool(value) => out.push(format!("{name}={}", u8::from(*value))),
            other => out.push(format!("{name}={}", urlencode(&super::text(other)))),
        }
    }
    out.retain(|one| !one.is_empty());
    out.join("&")
}

/// The text that the SDK's `Hash::md5` hashes: `{text}&{name}={key}`, or only the text if the key
/// is empty or `0`.
#[must_use]
pub fn with_key(text: &str, name: &str, key: &str) -> String {
    if matches!(key, "" | "0") { text.to_owned() } else { format!("{text}&{name}={key}") }
}
