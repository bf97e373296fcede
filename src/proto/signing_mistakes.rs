//! Diagnosis of invalid signatures, for the sandbox and `wxpay verify`. A signature does not reveal
//! what was signed, but the usual mistakes can be tried, one or two at a time, until one of them
//! makes the signature valid.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::signature_origin::{SignatureOrigin, signature_origin};
#[cfg(feature = "cli")]
use super::verify::MAX_CLOCK_OFFSET;
use crate::crypto::PublicKey;

/// Why a signature is not valid.
pub(crate) struct Diagnosis {
    /// The message that was signed, if a guess was right.
    pub(crate) signed: Option<String>,
    /// The mistake and the first difference, or what else to check.
    pub(crate) reason: String,
}

/// A mistake, and the part of the message that it produces. The description is empty for the
/// correct part.
type Variant = (&'static str, String);

/// The parts of a request that are signed, as they were received.
pub(crate) struct SignedParts<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) timestamp: i64,
    pub(crate) nonce: &'a str,
    pub(crate) body: &'a [u8],
    /// The base URI that the client used.
    pub(crate) base_uri: &'a str,
}

/// The maximum number of mistakes that are combined.
const MAX_MISTAKES: usize = 2;
/// The longest body for which all mistakes are tried, in bytes. Each guess hashes the body.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Finds out what was signed instead of `expected`.
pub(crate) fn diagnose(parts: &SignedParts<'_>, expected: &[u8], signature: &[u8], key: &PublicKey) -> Diagnosis {
    let body = String::from_utf8_lossy(parts.body).into_owned();
    let is_long = parts.body.len() > MAX_BODY_BYTES;
    let max_mistakes = if is_long { 1 } else { MAX_MISTAKES };
    let bodies =
        if is_long { vec![("", body.clone()), ("the body was left out", String::new())] } else { bodies(&body) };
    let (targets, methods, times) = (targets(parts), methods(parts.method), times(parts.timestamp));
    let endings = [("", "\n".to_owned()), ("the line feed at the end is missing", String::new())];
    for body in &bodies {
        for target in &targets {
            for method in &methods {
                for time in &times {
                    for ending in &endings {
                        let mistakes: Vec<&str> = [method.0, target.0, time.0, body.0, ending.0]
                            .into_iter()
                            .filter(|mistake| !mistake.is_empty())
                            .collect();
                        if mistakes.is_empty() || mistakes.len() > max_mistakes {
                            continue;
                        }
                        let guess =
                            format!("{}\n{}\n{}\n{}\n{}{}", method.1, target.1, time.1, parts.nonce, body.1, ending.1);
                        if key.verify(guess.as_bytes(), signature) {
                            let difference = first_difference(&String::from_utf8_lossy(expected), &guess);
                            let reason = format!("{}; {difference}", mistakes.join(", and "));
                            return Diagnosis { signed: Some(guess), reason };
                        }
                    }
                }
            }
        }
    }
    let origin = signature_origin(key, signature);
    let explanation = match origin {
        SignatureOrigin::SameKey if parts.body.is_empty() => {
            "the key is right, but other bytes were signed: compare the method, the path with its query, the time and the \
             nonce with those that were sent"
        }
        SignatureOrigin::SameKey => {
            "the key is right, but other bytes were signed: compare the method, the path with its query, the time, the \
             nonce and each byte of the body with those that were sent"
        }
        SignatureOrigin::WrongDigest => "the key is right, but the digest is not SHA-256: sign with SHA256withRSA",
        SignatureOrigin::AnotherKey => {
            "another key made it, or its characters were changed, or its padding is not PKCS#1 v1.5: sign with this \
             merchant's apiclient_key.pem and SHA256withRSA"
        }
    };
    // With another key, a mistake in the message cannot be found, however long the body is.
    let reason = match is_long && origin != SignatureOrigin::AnotherKey {
        true => format!(
            "no usual mistake outside of the body explains the signature, and the body is too long to try others: {explanation}"
        ),
        false => format!("no usual mistake explains the signature: {explanation}"),
    };
    Diagnosis { signed: None, reason }
}

/// Finds the change to a message that makes a signature valid: to the ends of its lines, or to the
/// whitespace around it. The result is a clause.
#[cfg(feature = "cli")]
pub(crate) fn changed_message(message: &[u8], is_valid: impl Fn(&[u8]) -> bool) -> Option<String> {
    let text = std::str::from_utf8(message).ok()?;
    let lines = [
        ("", text.to_owned()),
        ("with LF in place of CRLF at the end of its lines", text.replace("\r\n", "\n")),
        ("with CRLF in place of LF at the end of its lines", text.replace("\r\n", "\n").replace('\n', "\r\n")),
        ("with a line feed in place of each \\n", text.replace("\\n", "\n")),
        ("without the byte order mark", text.trim_start_matches('\u{feff}').to_owned()),
    ];
    for (change, text) in &lines {
        let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let endings = [
            ("", text.clone()),
            ("with a line feed added at the end", format!("{text}{end}")),
            ("without the line feed at the end", text.strip_suffix(end).unwrap_or(text).to_owned()),
            ("without the whitespace around it", text.trim().to_owned()),
            ("with one line feed at the end", format!("{}{end}", text.trim_end())),
        ];
        for (ending, guess) in endings {
            if guess.as_bytes() != message && is_valid(guess.as_bytes()) {
                let changes: Vec<&str> = [*change, ending].into_iter().filter(|change| !change.is_empty()).collect();
                return Some(changes.join(", and "));
            }
        }
    }
    None
}

/// The mistakes in the form of an APIv3 message and in its time, independent of its signature.
/// `now` is in seconds since 1970. Each entry is a clause.
#[cfg(feature = "cli")]
pub(crate) fn message_problems(message: &[u8], now: i64) -> Vec<String> {
    let text = String::from_utf8_lossy(message);
    let lines: Vec<&str> = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let line = |number: usize| lines.get(number).copied().unwrap_or_default();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut problems = Vec::new();
    if text.contains("\r\n") {
        problems.push("its lines end with CRLF, and must end with a line feed alone".to_owned());
    }
    if text.contains("\\n") && lines.len() < 4 {
        problems.push("it contains the two characters \\n where a line feed belongs".to_owned());
    }
    if !text.ends_with('\n') {
        problems.push("it does not end with a line feed, as the messages of APIv3 do".to_owned());
    }
    let time = if is_number(line(0)) && lines.len() >= 3 {
        line(0)
    } else if is_number(line(2)) {
        let method = line(0);
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            problems.push("its first line is not a method in capitals, such as POST".to_owned());
        }
        if !line(1).starts_with('/') {
            problems.push("its second line is not the path of the request with the query, without the host".to_owned());
        }
        if lines.len() < 6 {
            problems.push(
                "it has fewer than five lines, the last one for the body: without a body, that line is empty"
                    .to_owned(),
            );
        }
        line(2)
    } else if is_number(line(1)) && line(3).contains('=') {
        line(1)
    } else {
        problems.push(
            "it does not have the lines of a request (method, path, time, nonce, body), of a response (time, nonce, body) \
             or of payment parameters (appid, time, nonce, prepay_id=...)"
                .to_owned(),
        );
        return problems;
    };
    match time.parse::<i64>() {
        Ok(_) if time.len() == 13 => problems.push("its time is in milliseconds, and must be in seconds".to_owned()),
        Ok(seconds) if seconds.abs_diff(now) > MAX_CLOCK_OFFSET.unsigned_abs() => {
            problems.push(format!("its time is more than {MAX_CLOCK_OFFSET} s from now, which is {now}"));
        }
        Ok(_) => {}
        Err(_) => problems.push("its time is not a number of seconds".to_owned()),
    }
    problems
}

/// Finds the change to the body of a response that makes its signature valid. The result is a
/// clause.
#[cfg(feature = "cli")]
pub(crate) fn changed_body(body: &[u8], is_valid: impl Fn(&[u8]) -> bool) -> Option<&'static str> {
    let text = std::str::from_utf8(body).ok()?;
    let mut changes = vec![
        ("without the line break at the end of the file", without_line_break(text).to_owned()),
        ("without the whitespace around it", text.trim().to_owned()),
        ("with a line feed at its end", format!("{text}\n")),
        ("with LF in place of CRLF at the end of its lines", text.replace("\r\n", "\n")),
        ("if it is empty", String::new()),
    ];
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        changes.push(("without its indentation", value.to_string()));
        let others = serializations(&value).into_iter().map(|(_, text)| text);
        changes.extend(others.map(|text| ("as another program serializes the same JSON", text)));
    }
    changes.into_iter().find(|(_, text)| text.as_bytes() != body && is_valid(text.as_bytes())).map(|(change, _)| change)
}

/// A text without the line break at its end.
pub(crate) fn without_line_break(text: &str) -> &str {
    text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(text)
}

fn methods(method: &str) -> Vec<Variant> {
    let mut all = vec![("", method.to_owned()), ("the method was signed in lower case", method.to_ascii_lowercase())];
    let others = ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().filter(|other| *other != method);
    all.extend(others.map(|other| ("another method was signed", other.to_owned())));
    all
}

fn targets(parts: &SignedParts<'_>) -> Vec<Variant> {
    let target = parts.target;
    let mut all = vec![("", target.to_owned())];
    if let Some((path, query)) = target.split_once('?') {
        all.push(("the query was left out", path.to_owned()));
        all.push(("the query was signed without its question mark", format!("{path}{query}")));
    } else {
        all.push(("a question mark was added to the path", format!("{target}?")));
    }
    let decoded = percent_decode_str(target).decode_utf8_lossy().into_owned();
    if decoded != target {
        all.push(("the path or query was signed before it was percent-encoded", decoded));
    }
    all.push((
        "the whole URL was signed instead of path and query",
        format!("{}{}", parts.base_uri.trim_end_matches('/'), target),
    ));
    all.push(("the URL of the real service was signed", format!("https://api.mch.weixin.qq.com{target}")));
    all.push(("the leading slash of the path is missing", target.trim_start_matches('/').to_owned()));
    all.push(("a slash was added before the path", format!("/{target}")));
    all
}

fn bodies(body: &str) -> Vec<Variant> {
    let mut all = vec![("", body.to_owned())];
    if body.ends_with('\n') {
        // A body without its last line break, and a message without its last line feed, give the
        // same message. This entry describes both, so it is tried first.
        let mistake = "the line break at the end of the body, or the line feed after the body, was not signed";
        all.insert(0, (mistake, without_line_break(body).to_owned()));
    }
    if body.is_empty() {
        all.push(("an empty object was signed as the body", "{}".to_owned()));
        all.push(("null was signed as the body", "null".to_owned()));
        return all;
    }
    all.push(("the body was left out", String::new()));
    if let Ok(value) = serde_json::from_str::<Value>(body) {
        all.extend(serializations(&value).into_iter().filter(|(_, text)| text != body));
    }
    all.push(("a line feed was added to the body", format!("{body}\n")));
    all.push(("the whitespace around the body was removed", body.trim().to_owned()));
    all
}

/// The body as other serializers write it.
fn serializations(value: &Value) -> Vec<Variant> {
    let compact = value.to_string();
    let ascii: String = compact.chars().map(|c| if c.is_ascii() { c.to_string() } else { escaped(c) }).collect();
    let pretty = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut sorted = value.clone();
    sorted.sort_all_objects();
    // If texts are equal, the first description is used.
    vec![
        ("the body was serialized again after signing", compact.clone()),
        ("the body was serialized again after signing, with indentation", pretty),
        ("the body was serialized again after signing, with escaped slashes", compact.replace('/', "\\/")),
        ("the body was serialized again after signing, with escaped non-ASCII characters", ascii.clone()),
        (
            "the body was serialized again after signing, with escaped slashes and non-ASCII characters",
            ascii.replace('/', "\\/"),
        ),
        ("the body was serialized again after signing, with a space after commas and colons", spaced(value)),
        ("the keys of the body were sorted before or after signing", sorted.to_string()),
    ]
}

fn escaped(c: char) -> String {
    let mut units = [0; 2];
    c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// JSON with a space after commas and colons, as Python's `json.dumps` writes it.
fn spaced(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(spaced).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members =
                members.iter().map(|(key, value)| format!("{}: {}", Value::String(key.clone()), spaced(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        scalar => scalar.to_string(),
    }
}

fn times(timestamp: i64) -> [(&'static str, String); 2] {
    [("", timestamp.to_string()), ("the timestamp was signed in milliseconds", format!("{timestamp}000"))]
}

/// Describes where two messages first differ.
fn first_difference(expected: &str, signed: &str) -> String {
    let at = expected.chars().zip(signed.chars()).take_while(|(a, b)| a == b).count();
    let before: String = expected.chars().take(at).collect();
    let (line, column) =
        (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1);
    let rest = |text: &str| text.chars().skip(at).take(24).collect::<String>();
    format!(
        "first difference in line {line}, column {column}: expected {:?}, but {:?} was signed",
        rest(expected),
        rest(signed)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_difference_names_line_and_column() {
        let difference = first_difference("GET\n/a\n", "GET\n/b\n");
        assert!(difference.contains("line 2, column 2: expected \"a\\n\", but \"b\\n\""), "{difference}");
        assert!(first_difference("a\n", "a").contains("line 1, column 2"));
        assert!(first_difference("中a", "中b").contains("column 2"));
    }

    #[test]
    fn bodies_of_other_serializers_are_tried() {
        let body = r#"{"b":"中/","a":[1,2]}"#;
        let tried: Vec<String> = bodies(body).into_iter().map(|(_, text)| text).collect();
        for other in [r#"{"b":"\u4e2d\/","a":[1,2]}"#, r#"{"b": "中/", "a": [1, 2]}"#, r#"{"a":[1,2],"b":"中/"}"#, ""]
        {
            assert!(tried.iter().any(|text| text == other), "{other}");
        }
    }
}
