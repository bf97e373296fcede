//! Diagnosis of invalid signatures. A signature does not reveal what was signed, but the usual
//! mistakes can be tried, one or two at a time, until one of them makes the signature valid.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::crypto::PublicKey;

/// Why a signature is not valid.
pub(super) struct Diagnosis {
    /// The message that was signed, if a guess was right.
    pub(super) signed: Option<String>,
    /// The mistake and the first difference, or what else to check.
    pub(super) reason: String,
}

/// A mistake, and the part of the message that it produces. The description of the correct part is
/// empty.
type Variant = (&'static str, String);

/// The parts of a request that are signed, as they were received.
pub(super) struct SignedParts<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) timestamp: i64,
    pub(super) nonce: &'a str,
    pub(super) body: &'a [u8],
    /// The URI under which the client reaches the sandbox.
    pub(super) base_uri: &'a str,
}

/// How many mistakes are combined.
const MAX_MISTAKES: usize = 2;
/// The longest body for which mistakes are tried, in bytes. Each guess hashes the body.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Finds out what was signed instead of `expected`.
pub(super) fn diagnose(parts: &SignedParts<'_>, expected: &[u8], signature: &[u8], key: &PublicKey) -> Diagnosis {
    let body = String::from_utf8_lossy(parts.body).into_owned();
    let bodies = if parts.body.len() <= MAX_BODY_BYTES { bodies(&body) } else { Vec::new() };
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
                        if mistakes.is_empty() || mistakes.len() > MAX_MISTAKES {
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
    Diagnosis {
        signed: None,
        reason: "no usual mistake explains the signature: check that it was made with this merchant's apiclient_key.pem, with \
                 SHA256withRSA, over exactly the bytes of the body that were sent"
            .to_owned(),
    }
}

fn methods(method: &str) -> Vec<Variant> {
    let other = if method == "GET" { "POST" } else { "GET" };
    vec![
        ("", method.to_owned()),
        ("the method was signed in lower case", method.to_ascii_lowercase()),
        ("another method was signed", other.to_owned()),
    ]
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
    vec![
        ("the body was serialized again after signing, with indentation", pretty),
        ("the body was serialized again after signing, with escaped slashes", compact.replace('/', "\\/")),
        (
            "the body was serialized again after signing, with escaped slashes and non-ASCII characters",
            ascii.replace('/', "\\/"),
        ),
        ("the body was serialized again after signing, with escaped non-ASCII characters", ascii),
        ("the body was serialized again after signing, with a space after commas and colons", spaced(value)),
        ("the body was serialized again after signing", compact),
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
