//! Why a signature does not hold. What a client signed cannot be read out of its signature, but it can be guessed: the usual mistakes are
//! tried, one or two at a time, until one of them makes the signature hold.

use crate::crypto::PublicKey;
use crate::proto::signing_string;

/// What was signed, as far as it can be told.
pub(super) struct Explanation {
    /// The message that the sandbox expected.
    pub(super) expected: String,
    /// The message that was signed instead, where a guess fits.
    pub(super) signed: Option<String>,
    /// The first difference in words, or what else to look for.
    pub(super) said: String,
}

/// One way in which clients get a part of the message wrong.
type Variant = (&'static str, String);

/// The parts of a request that are signed, as they came.
pub(super) struct Parts<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) timestamp: i64,
    pub(super) nonce: &'a str,
    pub(super) body: &'a [u8],
    /// Other addresses of the same request: with scheme and host.
    pub(super) base_uri: &'a str,
}

/// Compares; `signature` is raw. Without `guess` nothing is tried.
pub(super) fn explain(parts: &Parts<'_>, signature: &[u8], key: &PublicKey, guess: bool) -> Explanation {
    let Parts { method, target, timestamp, nonce, body, .. } = *parts;
    let expected = signing_string::request(method, target, timestamp, nonce, body);
    let body = String::from_utf8_lossy(body).into_owned();
    let targets = targets(parts);
    let bodies = if guess { bodies(&body) } else { Vec::new() };
    let methods = methods(method);
    for (body_said, body) in &bodies {
        for (target_said, target) in &targets {
            for (method_said, method) in &methods {
                for (ending_said, ending) in [("", "\n"), ("the line feed at the end is missing", "")] {
                    for (time_said, timestamp) in times(timestamp) {
                        let said: Vec<&str> = [*method_said, *target_said, time_said, *body_said, ending_said]
                            .into_iter()
                            .filter(|said| !said.is_empty())
                            .collect();
                        if said.is_empty() || said.len() > 2 {
                            continue;
                        }
                        let guess = format!("{method}\n{target}\n{timestamp}\n{nonce}\n{body}{ending}");
                        if key.verify(guess.as_bytes(), signature) {
                            let difference = first_difference(&String::from_utf8_lossy(&expected), &guess);
                            return Explanation {
                                expected: String::from_utf8_lossy(&expected).into_owned(),
                                signed: Some(guess),
                                said: format!("{}; {difference}", said.join(", and ")),
                            };
                        }
                    }
                }
            }
        }
    }
    Explanation {
        expected: String::from_utf8_lossy(&expected).into_owned(),
        signed: None,
        said: "no usual mistake explains the signature: was it made with this merchant's apiclient_key.pem, with SHA256withRSA, and over \
               the bytes of the body that were sent?"
            .to_owned(),
    }
}

fn methods(method: &str) -> Vec<Variant> {
    let other = if method == "GET" { "POST" } else { "GET" };
    vec![
        ("", method.to_owned()),
        ("the method is in lower case", method.to_ascii_lowercase()),
        ("another method was signed", other.to_owned()),
    ]
}

fn targets(parts: &Parts<'_>) -> Vec<Variant> {
    let target = parts.target;
    let mut all = vec![("", target.to_owned())];
    if let Some((path, query)) = target.split_once('?') {
        all.push(("the query was left out", path.to_owned()));
        all.push(("the query was signed without its question mark", format!("{path}{query}")));
    } else {
        all.push(("a question mark was added to the path", format!("{target}?")));
    }
    let decoded = percent_encoding::percent_decode_str(target).decode_utf8_lossy().into_owned();
    if decoded != target {
        all.push(("the path or query was signed before it was encoded", decoded));
    }
    all.push((
        "the whole address was signed instead of path and query",
        format!("{}{}", parts.base_uri.trim_end_matches('/'), target),
    ));
    all.push(("the address of the real service was signed", format!("https://api.mch.weixin.qq.com{target}")));
    all.push(("the first slash of the path is missing", target.trim_start_matches('/').to_owned()));
    all.push(("a slash was added to the path", format!("/{target}")));
    all
}

fn bodies(body: &str) -> Vec<Variant> {
    let mut all = vec![("", body.to_owned())];
    if body.is_empty() {
        for (said, text) in [("an empty object was signed as the body", "{}"), ("null was signed as the body", "null")]
        {
            all.push((said, text.to_owned()));
        }
        return all;
    }
    all.push(("the body was left out", String::new()));
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(body) {
        let compact = value.to_string();
        let ascii: String = compact.chars().map(|c| if c.is_ascii() { c.to_string() } else { escaped(c) }).collect();
        let spaced = serde_json::to_string_pretty(&value).unwrap_or_default();
        let python = in_python(&value);
        for (said, text) in [
            ("the body was serialised anew after signing, with blanks", spaced),
            ("the body was serialised anew after signing, slashes escaped", compact.replace('/', "\\/")),
            (
                "the body was serialised anew after signing, slashes and other letters escaped",
                ascii.replace('/', "\\/"),
            ),
            ("the body was serialised anew after signing, other letters escaped", ascii),
            ("the body was serialised anew after signing, with a blank after comma and colon", python),
            ("the body was serialised anew after signing", compact),
        ] {
            if text != body {
                all.push((said, text));
            }
        }
        let mut sorted = value.clone();
        sorted.sort_all_objects();
        let sorted = sorted.to_string();
        if sorted != body {
            all.push(("the keys of the body were sorted after signing, or before", sorted));
        }
    }
    all.push(("the body was signed with a line feed of its own", format!("{body}\n")));
    all.push(("the body was signed without the blanks around it", body.trim().to_owned()));
    all
}

fn escaped(c: char) -> String {
    let mut units = [0; 2];
    c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// As Python's `json.dumps` writes by default, but for the letters.
fn in_python(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(in_python).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members =
                members.iter().map(|(key, value)| format!("{}: {}", Value::String(key.clone()), in_python(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        scalar => scalar.to_string(),
    }
}

fn times(timestamp: i64) -> [(&'static str, String); 2] {
    [("", timestamp.to_string()), ("the time was signed in milliseconds", format!("{timestamp}000"))]
}

/// Where two messages differ first.
fn first_difference(expected: &str, signed: &str) -> String {
    let at = expected.chars().zip(signed.chars()).take_while(|(a, b)| a == b).count();
    let before: String = expected.chars().take(at).collect();
    let (line, column) =
        (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1);
    let rest = |text: &str| text.chars().skip(at).take(24).collect::<String>();
    format!(
        "first difference in line {line}, column {column}: {:?} was expected and {:?} was signed",
        rest(expected),
        rest(signed)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named() {
        assert!(
            first_difference("GET\n/a\n", "GET\n/b\n").contains("line 2, column 2: \"a\\n\" was expected and \"b\\n\"")
        );
        assert!(first_difference("a\n", "a").contains("line 1, column 2"));
        assert!(first_difference("中a", "中b").contains("column 2"));
    }

    #[test]
    fn bodies_as_others_write_them() {
        let body = r#"{"b":"中/","a":[1,2]}"#;
        let written: Vec<String> = bodies(body).into_iter().map(|(_, text)| text).collect();
        for other in [r#"{"b":"\u4e2d\/","a":[1,2]}"#, r#"{"b": "中/", "a": [1, 2]}"#, r#"{"a":[1,2],"b":"中/"}"#, ""]
        {
            assert!(written.iter().any(|text| text == other), "{other}");
        }
    }
}
