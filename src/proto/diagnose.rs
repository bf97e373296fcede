//! Why the service rejected the signature of a request: compares what it received with what was
//! signed.
//!
//! Source: WeChat Pay, "常见问题: 签名错误". The error response contains `detail.sign_information`
//! with `method`, `url`, `truncated_sign_message` and `sign_message_length`.

use serde_json::Value;

/// A clock that is off by more than this is reported, in seconds.
const MAX_UNREPORTED_OFFSET: u64 = 60;

/// The likely cause as a message; `None` if the details do not explain it. `signed` is the signing
/// string of the request, `offset` the service's time minus the local time in seconds. The message
/// never contains the body.
///
/// ```text
/// signed                               the service's sign_information
/// GET\n/v3/certificates?a=b\n17...     {"method": "GET", "url": "/v3/certificates", ...}
/// -> the service received a different query than was signed ...
/// ```
pub(crate) fn refusal(signed: &[u8], detail: &Value, offset: Option<i64>) -> Option<String> {
    if let Some(reason) = offset.filter(|offset| offset.unsigned_abs() > 300).and_then(clock) {
        return Some(reason);
    }
    if detail["field"] == "serial_no" || detail["field"] == "mchid" {
        return Some(format!(
            "the setting {} is unknown to WeChat Pay: compare it with the merchant platform, and with \
             openssl x509 -in apiclient_cert.pem -noout -serial -subject",
            if detail["field"] == "mchid" { "mchid" } else { "serial" }
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
    if text("url").is_some() || !expected.is_empty() {
        return Some(
            "the service expected exactly the message that was signed, so the key is wrong: private_key does not belong to the \
             certificate with the configured serial, or the certificate was replaced on the merchant platform"
                .to_owned(),
        );
    }
    None
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

    #[test]
    fn messages_of_each_difference() {
        let signed = "POST\n/v3/x?token=secret\n1700000000\nN\n{\"name\":\"personal\"}\n";
        let information = |method: &str, url: &str, message: &str, length: usize| json!({ "sign_information": { "method": method, "url": url, "truncated_sign_message": message, "sign_message_length": length } });
        let target = "/v3/x?token=secret";
        for (detail, offset, expected) in [
            (information("GET", target, signed, signed.len()), None, "the method GET"),
            (information("POST", "/v3/y", signed, signed.len()), None, "a different path than was signed"),
            (
                information("POST", "/v3/x?token=other-secret", signed, signed.len()),
                None,
                "a different query than was signed",
            ),
            (information("\u{1b}[31m\npersonal", target, signed, signed.len()), None, "(invalid)"),
            (information("POST", target, signed, signed.len()), None, "the key is wrong"),
            (information("POST", target, &signed[..30], signed.len() + 2), None, "body was changed after signing"),
            (
                information("POST", target, &signed.replace("personal", "other"), signed.len() - 3),
                None,
                "a different body than was signed",
            ),
            (information("POST", target, &signed.replace("1700", "1800"), signed.len()), None, "a different timestamp"),
            (information("POST", target, &signed.replace("\nN\n", "\nM\n"), signed.len()), None, "a different nonce"),
            (information("POST", target, signed, signed.len()), Some(-400), "400 s ahead of"),
            (json!({ "field": "serial_no" }), None, "the setting serial"),
            (json!({ "field": "mchid" }), Some(10), "the setting mchid"),
        ] {
            let message = refusal(signed.as_bytes(), &detail, offset).expect(expected);
            assert!(message.contains(expected), "{expected:?} not in {message:?}");
            assert!(!message.contains("secret") && !message.contains("personal"), "{message}");
        }
        assert_eq!(refusal(signed.as_bytes(), &Value::Null, None), None);
        assert_eq!(refusal(b"", &json!({ "sign_information": {} }), None), None);
        assert_eq!((clock(60), clock(-60)), (None, None));
        assert!(clock(61).expect("off").contains("61 s behind"));
    }
}
