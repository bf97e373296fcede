//! Why the service rejected a request: compares what it received with what was signed, and looks
//! for the version in the path.
//!
//! Source: WeChat Pay, "常见问题: 签名错误". The error response contains `detail.sign_information`
//! with `method`, `url`, `truncated_sign_message` and `sign_message_length`.

use serde_json::Value;

/// A clock that is off by more than this is reported, in seconds.
const MAX_UNREPORTED_OFFSET: u64 = 60;

/// The hint for a response that cannot come from an endpoint of APIv3, if the path does not
/// [have a version](has_version).
pub(crate) const MISSING_VERSION: &str =
    "the path has no segment \"v3\": paths of APIv3 begin with \"v3/\", those of APIv2 with \"v2/\"";

/// Whether a path has the segment `v3`, as in `/v3/certificates` and `/hk/v3/statements`.
pub(crate) fn has_version(path: &str) -> bool {
    path.split('/').any(|segment| segment == "v3")
}

/// The likely cause as a message; `None` if the details do not explain it. `signed` is the signing
/// string of the request, `is_own_signer` whether the caller's own signer signed it, `offset` the
/// service's time minus the local time in seconds. The message never contains the body.
///
/// ```text
/// signed                               the service's sign_information
/// GET\n/v3/certificates?a=b\n17...     {"method": "GET", "url": "/v3/certificates", ...}
/// -> the service received a different query than was signed ...
/// ```
pub(crate) fn refusal(signed: &[u8], is_own_signer: bool, detail: &Value, offset: Option<i64>) -> Option<String> {
    if let Some(reason) = offset.filter(|offset| offset.unsigned_abs() > 300).and_then(clock) {
        return Some(reason);
    }
    let unknown = match detail["field"].as_str() {
        Some("mchid") => Some("the setting mchid is unknown to WeChat Pay"),
        Some("serial_no") if is_own_signer => {
            Some("the serial number that the signer returned is unknown to WeChat Pay")
        }
        Some("serial_no") => Some("the setting serial is unknown to WeChat Pay"),
        _ => None,
    };
    if let Some(unknown) = unknown {
        return Some(format!(
            "{unknown}: compare it with the merchant platform, and with \
             openssl x509 -in apiclient_cert.pem -noout -serial -subject"
        ));
    }
    let information = detail.get("sign_information")?;
    let signed = String::from_utf8_lossy(signed);
    let mut lines = signed.splitn(5, '\n');
    let (method, target) = (lines.next()?, lines.next()?);
    let text = |name: &str| information.get(name).and_then(Value::as_str);
    if let Some(received) = text("method").filter(|received| *received != method) {
        // Anything else is not a method, and may contain anything.
        let plain = received.len() <= 10 && received.bytes().all(|byte| byte.is_ascii_uppercase());
        let received = if plain { received } else { "(invalid)" };
        return Some(format!(
            "the service received the method {received}, but {method} was signed: something between client and service changed it"
        ));
    }
    if let Some(received) = text("url").filter(|received| *received != target) {
        // The message shows neither: a path contains the values of its variables, a query may
        // contain a token.
        let path = |target: &str| target.split('?').next().unwrap_or_default().to_owned();
        let part = if path(received) == path(target) { "query" } else { "path" };
        return Some(format!(
            "the service received a different {part} than was signed: a proxy or gateway rewrote it, or base_uri is incomplete"
        ));
    }
    // The documentation does not say whether the length is in characters or bytes.
    let length =
        information.get("sign_message_length").and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok());
    let same_length = length.is_none_or(|length| length == signed.len() || length == signed.chars().count());
    let expected = text("truncated_sign_message").unwrap_or_default();
    let same_beginning = signed.starts_with(expected.trim_end_matches("..."));
    if !same_length || !same_beginning {
        let difference = expected.chars().zip(signed.chars()).take_while(|(a, b)| a == b).count();
        let line = 1 + signed.chars().take(difference).filter(|c| *c == '\n').count();
        let lengths = match length {
            Some(length) if !same_length => {
                format!(" (its message has {length} characters, {} were signed)", signed.len())
            }
            _ => String::new(),
        };
        return Some(match line {
            _ if same_beginning => {
                format!(
                    "the body was changed after signing{lengths}: by a proxy, or by a layer below the signing layer"
                )
            }
            5.. => format!(
                "the service received a different body than was signed{lengths}: something between client and service changed it"
            ),
            3 => "the service received a different timestamp than was signed".to_owned(),
            4 => "the service received a different nonce than was signed".to_owned(),
            _ => format!("the service received a different line {line} of the signing string{lengths}"),
        });
    }
    if expected.is_empty() {
        return None;
    }
    let finding = if *expected == signed && is_own_signer {
        "the service expected exactly the message that the signer was given"
    } else if *expected == signed {
        "the service expected exactly the message that was signed, so the key is wrong"
    } else {
        // Without the length, nothing is known of what follows the beginning.
        length?;
        "the service expected a message of the same length and with the same beginning, so the key is probably wrong"
    };
    let cause = if is_own_signer {
        "the signer signs other bytes, or with another key than that of the certificate whose serial number it returns"
    } else {
        "private_key does not belong to the certificate with the configured serial"
    };
    Some(format!("{finding}: {cause}, or the certificate was replaced on the merchant platform"))
}

/// A message about a clock that is off by `offset`, the service's time minus the local time in
/// seconds; `None` if the offset is small.
pub(crate) fn clock(offset: i64) -> Option<String> {
    let by = offset.unsigned_abs();
    let direction = if offset > 0 { "behind" } else { "ahead of" };
    (by > MAX_UNREPORTED_OFFSET)
        .then(|| format!("this machine's clock is {by} s {direction} WeChat Pay's: synchronize it with NTP"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// `None` for a neighbouring condition that has no hint.
    #[test]
    fn messages_of_each_difference() {
        let signed = "POST\n/v3/x?token=secret\n1700000000\nN\n{\"name\":\"personal\"}\n";
        let information = |method: &str, url: &str, message: &str, length: usize| json!({ "sign_information": { "method": method, "url": url, "truncated_sign_message": message, "sign_message_length": length } });
        let (target, beginning) = ("/v3/x?token=secret", &signed[..30]);
        let rows: [(Value, Option<i64>, Option<&str>); 19] = [
            (information("GET", target, signed, signed.len()), None, Some("the method GET")),
            (information("POST", "/v3/y", signed, signed.len()), None, Some("a different path than was signed")),
            (
                information("POST", "/v3/x?token=other-secret", signed, signed.len()),
                None,
                Some("a different query than was signed"),
            ),
            (information("\u{1b}[31m\npersonal", target, signed, signed.len()), None, Some("(invalid)")),
            (information("POST", target, signed, signed.len()), None, Some("so the key is wrong")),
            (information("POST", target, beginning, signed.len()), None, Some("so the key is probably wrong")),
            (information("POST", target, beginning, signed.len() + 2), None, Some("body was changed after signing")),
            (
                information("POST", target, &signed.replace("personal", "other"), signed.len() - 3),
                None,
                Some("a different body than was signed"),
            ),
            (
                information("POST", target, &signed.replace("1700", "1800"), signed.len()),
                None,
                Some("a different timestamp"),
            ),
            (
                information("POST", target, &signed.replace("\nN\n", "\nM\n"), signed.len()),
                None,
                Some("a different nonce"),
            ),
            (information("POST", target, signed, signed.len()), Some(-400), Some("400 s ahead of")),
            (information("POST", target, signed, signed.len()), Some(-300), Some("so the key is wrong")),
            (json!({ "field": "serial_no" }), None, Some("the setting serial")),
            (json!({ "field": "mchid" }), Some(10), Some("the setting mchid")),
            (json!({ "field": "nonce_str" }), None, None),
            // The beginning is the same, and how the message ends is unknown.
            (json!({ "sign_information": { "method": "POST", "truncated_sign_message": beginning } }), None, None),
            (json!({ "sign_information": { "method": "POST", "url": target } }), None, None),
            (json!({ "sign_information": {} }), None, None),
            (Value::Null, None, None),
        ];
        for (detail, offset, expected) in &rows {
            let message = refusal(signed.as_bytes(), false, detail, *offset);
            let Some(expected) = expected else {
                assert_eq!(message, None, "{detail}");
                continue;
            };
            let message = message.expect(expected);
            assert!(message.contains(expected), "{expected:?} not in {message:?}");
            assert!(!message.contains("secret") && !message.contains("personal"), "{message}");
            // Each message is that of its own condition.
            let others = rows.iter().filter_map(|(.., other)| *other).filter(|other| other != expected);
            for other in others {
                assert!(!message.contains(other), "{other:?} in {message:?}");
            }
        }
        assert_eq!(refusal(b"", false, &json!({ "sign_information": {} }), None), None);
        assert_eq!((clock(60), clock(-60)), (None, None));
        assert!(clock(61).expect("off").contains("61 s behind"));
    }

    #[test]
    fn an_own_signer_is_named_instead_of_the_settings() {
        let information = json!({ "sign_information": { "truncated_sign_message": "GET\n/v3/x\n1\nN\n\n" } });
        let unknown = json!({ "field": "serial_no" });
        for (is_own_signer, named, other) in [(true, "signer", "private_key"), (false, "private_key", "signer")] {
            let message = refusal(b"GET\n/v3/x\n1\nN\n\n", is_own_signer, &information, None).expect("a wrong key");
            assert!(message.contains(named) && !message.contains(other), "{message}");
            let message = refusal(b"", is_own_signer, &unknown, None).expect("an unknown serial number");
            assert_eq!(message.contains("the signer returned"), is_own_signer, "{message}");
            assert_eq!(message.contains("the setting serial"), !is_own_signer, "{message}");
        }
    }

    #[test]
    fn the_version_is_a_segment_of_the_path() {
        for (path, has) in [
            ("/v3/certificates", true),
            ("/hk/v3/statements", true),
            ("/v3", true),
            ("/pay/transactions/native", false),
            ("/v33/x", false),
            ("/", false),
        ] {
            assert_eq!(has_version(path), has, "{path}");
        }
    }
}
