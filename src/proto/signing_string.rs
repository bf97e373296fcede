//! The two messages that are signed, byte for byte.
//!
//! Source: WeChat Pay, "构造签名串" (requests) and "构造验签名串" (answers and notifications).

use std::io::Write;

/// The message that a request's signature covers: five lines, each with its line feed, the last one too.
///
/// ```text
/// POST\n
/// /v3/marketing/membercard-open/cards/pbLatjvWOibDc5-TBnbUk1pD12o0/permission-tokens\n
/// 1700000000\n
/// 0123456789ABCDEFGHIJKLMNOPQRSTUV\n
/// {"activate_type":"AUTO_ACTIVATE"}\n
/// ```
///
/// `target` is path and query exactly as sent; `timestamp` is in seconds since 1970; `body` is empty where there is none.
pub(crate) fn request(method: &str, target: &str, timestamp: i64, nonce: &str, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(method.len() + target.len() + nonce.len() + body.len() + 24);
    // Writing into a Vec does not fail.
    let _ = write!(message, "{method}\n{target}\n{timestamp}");
    finish(message, nonce, body)
}

/// The message that an answer's or a notification's signature covers: three lines, each with its line feed.
///
/// ```text
/// 1700000000\n
/// 0123456789ABCDEFGHIJKLMNOPQRSTUV\n
/// {"permission_token":"..."}\n
/// ```
///
/// `timestamp` and `nonce` are the header values as they came; `body` is the raw body.
pub(crate) fn response(timestamp: &str, nonce: &str, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(timestamp.len() + nonce.len() + body.len() + 3);
    message.extend_from_slice(timestamp.as_bytes());
    finish(message, nonce, body)
}

fn finish(mut message: Vec<u8>, nonce: &str, body: &[u8]) -> Vec<u8> {
    for line in [b"\n", nonce.as_bytes(), b"\n", body, b"\n"] {
        message.extend_from_slice(line);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_request() {
        let message = request("POST", "/v3/a?b=c", 1_700_000_000, "NONCE", br#"{"d":"e"}"#);
        assert_eq!(message, b"POST\n/v3/a?b=c\n1700000000\nNONCE\n{\"d\":\"e\"}\n");
        let message = request("GET", "/v3/a", 1, "N", b"");
        assert_eq!(message, b"GET\n/v3/a\n1\nN\n\n");
    }

    #[test]
    fn the_bytes_of_an_answer() {
        assert_eq!(response("1700000000", "NONCE", b"{}"), b"1700000000\nNONCE\n{}\n");
        assert_eq!(response("1", "N", b""), b"1\nN\n\n");
    }
}
