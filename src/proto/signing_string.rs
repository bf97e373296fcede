//! Signing strings of APIv3, byte for byte, and the `Authorization` header that carries a request's
//! signature. The string of APIv2 is in [`v2`](super::v2).
//!
//! Sources: WeChat Pay, "构造签名串" and "设置 HTTP 头" (requests), "构造验签名串" (responses and
//! notifications). The order of the header's fields is that of the PHP SDK.

use std::fmt::Write as _;
use std::io::Write as _;

/// The authentication scheme of APIv3: RSA with keys of 2048 bits and SHA-256.
pub(crate) const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";

/// The signing string of a request: five lines, each of which ends with a line feed.
///
/// ```text
/// POST\n
/// /v3/marketing/membercard-open/cards/pbLatjvWOibDc5-TBnbUk1pD12o0/permission-tokens\n
/// 1700000000\n
/// 0123456789ABCDEFGHIJKLMNOPQRSTUV\n
/// {"activate_type":"AUTO_ACTIVATE"}\n
/// ```
///
/// `target` is the path and the query exactly as sent. `timestamp` is in seconds since 1970. The
/// last line is empty for a request without a body.
pub(crate) fn request(method: &str, target: &str, timestamp: i64, nonce: &str, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(method.len() + target.len() + nonce.len() + body.len() + 24);
    // Writing to a Vec cannot fail.
    let _ = write!(message, "{method}\n{target}\n{timestamp}");
    append_nonce_and_body(message, nonce, body)
}

/// The signing string of a response or a notification: three lines, each of which ends with a line
/// feed.
///
/// ```text
/// 1700000000\n
/// 0123456789ABCDEFGHIJKLMNOPQRSTUV\n
/// {"permission_token":"..."}\n
/// ```
///
/// `timestamp` and `nonce` are the values of the headers as received, `body` is the raw body.
pub(crate) fn response(timestamp: &str, nonce: &str, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(timestamp.len() + nonce.len() + body.len() + 3);
    message.extend_from_slice(timestamp.as_bytes());
    append_nonce_and_body(message, nonce, body)
}

fn append_nonce_and_body(mut message: Vec<u8>, nonce: &str, body: &[u8]) -> Vec<u8> {
    for line in [b"\n", nonce.as_bytes(), b"\n", body, b"\n"] {
        message.extend_from_slice(line);
    }
    message
}

/// The five fields of the `Authorization` header, on one line and without blanks after the commas:
///
/// ```text
/// WECHATPAY2-SHA256-RSA2048 mchid="..",serial_no="..",timestamp="..",nonce_str="..",signature=".."
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Authorization<'a> {
    pub(crate) mchid: &'a str,
    /// The serial number of the merchant's certificate.
    pub(crate) serial: &'a str,
    pub(crate) timestamp: i64,
    pub(crate) nonce: &'a str,
    /// Base64.
    pub(crate) signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// The value of the header.
    pub(crate) fn header_value(&self) -> String {
        let Authorization { mchid, serial, timestamp, nonce, signature } = self;
        // One allocation: the names and quotes have 56 bytes, a timestamp has ten digits.
        let capacity = SCHEME.len() + mchid.len() + serial.len() + nonce.len() + signature.len() + 80;
        let mut header = String::with_capacity(capacity);
        // Writing to a String cannot fail.
        let _ = write!(
            header,
            r#"{SCHEME} mchid="{mchid}",serial_no="{serial}",timestamp="{timestamp}",nonce_str="{nonce}",signature="{signature}""#
        );
        header
    }

    /// Reads a header as the service does: the fields in any order, each of them once, with or
    /// without blanks after the commas. The error is a message to the sender.
    #[cfg(any(feature = "cli", feature = "sandbox", fuzzing, test))]
    pub(crate) fn parse(header: &'a str) -> Result<Self, String> {
        let fields = header
            .strip_prefix(SCHEME)
            .and_then(|rest| rest.strip_prefix(' '))
            .ok_or_else(|| format!("the scheme of Authorization must be {SCHEME}"))?;
        let mut found: [(&str, Option<&'a str>); 5] =
            [("mchid", None), ("serial_no", None), ("timestamp", None), ("nonce_str", None), ("signature", None)];
        for field in fields.split(',') {
            let (name, value) = field
                .trim()
                .split_once('=')
                .ok_or_else(|| "a field of Authorization is not name=\"value\"".to_owned())?;
            let value = value
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'))
                .ok_or_else(|| format!("{name} of Authorization is not in quotes"))?;
            let slot = found
                .iter_mut()
                .find(|(known, _)| *known == name)
                .ok_or_else(|| "Authorization has an unknown field".to_owned())?;
            if slot.1.replace(value).is_some() {
                return Err(format!("{name} appears twice in Authorization"));
            }
        }
        let missing = |name: &str| format!("{name} is missing in Authorization");
        let [mchid, serial, timestamp, nonce, signature] =
            found.map(|(name, value)| value.filter(|value| !value.is_empty()).ok_or_else(|| missing(name)));
        Ok(Authorization {
            mchid: mchid?,
            serial: serial?,
            timestamp: timestamp?
                .parse()
                .map_err(|_| "timestamp of Authorization is not a number of seconds".to_owned())?,
            nonce: nonce?,
            signature: signature?,
        })
    }
}

/// Each piece followed by a line feed: what the payment parameters of APIv3 sign.
pub(crate) fn joined_by_line_feed<'a>(pieces: impl IntoIterator<Item = &'a str>) -> String {
    pieces.into_iter().flat_map(|piece| [piece, "\n"]).collect()
}

/// Pairs sorted by the bytes of their keys, so that capitals come first.
pub(crate) fn ksort<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<(&'a str, &'a str)> {
    let mut pairs: Vec<_> = pairs.into_iter().collect();
    pairs.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    pairs
}

/// `key=value` pairs joined by `&`, not encoded, without `sign` and without empty values: what
/// vouchers and APIv2 sign.
pub(crate) fn query_string_like<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::new();
    for (key, value) in pairs.into_iter().filter(|(key, value)| *key != "sign" && !value.is_empty()) {
        let separator = if out.is_empty() { "" } else { "&" };
        out.extend([separator, key, "=", value]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_string_of_a_request() {
        let message = request("POST", "/v3/a?b=c", 1_700_000_000, "NONCE", br#"{"d":"e"}"#);
        assert_eq!(message, b"POST\n/v3/a?b=c\n1700000000\nNONCE\n{\"d\":\"e\"}\n");
        let message = request("GET", "/v3/a", 1, "N", b"");
        assert_eq!(message, b"GET\n/v3/a\n1\nN\n\n");
    }

    #[test]
    fn signing_string_of_a_response() {
        assert_eq!(response("1700000000", "NONCE", b"{}"), b"1700000000\nNONCE\n{}\n");
        assert_eq!(response("1", "N", b""), b"1\nN\n\n");
    }

    const FIELDS: Authorization<'_> = Authorization {
        mchid: "1900000109",
        serial: "3775",
        timestamp: 1_700_000_000,
        nonce: "N",
        signature: "c2ln/+==",
    };

    #[test]
    fn authorization_is_that_of_php_and_is_read_back() {
        let header = FIELDS.header_value();
        assert_eq!(
            header,
            r#"WECHATPAY2-SHA256-RSA2048 mchid="1900000109",serial_no="3775",timestamp="1700000000",nonce_str="N",signature="c2ln/+==""#
        );
        assert!(Authorization::parse(&header) == Ok(FIELDS));
        let spaced = header.replace("\",", "\", ");
        assert!(Authorization::parse(&spaced) == Ok(FIELDS));
    }

    #[test]
    fn errors_of_authorization() {
        let header = FIELDS.header_value();
        for (broken, expected) in [
            (header.replace("SHA256", "SM3"), "scheme"),
            (header.replace("mchid=\"1900000109\",", ""), "mchid is missing"),
            (header.replace("\"N\"", "\"\""), "nonce_str is missing"),
            (header.replace("\"1700000000\"", "\"now\""), "timestamp of"),
            (header.replace("\"1700000000\"", "1700000000"), "not in quotes"),
            (format!("{header},mchid=\"2\""), "mchid appears twice"),
            (format!("{header},x=\"2\""), "unknown field"),
            (format!("{header},"), "not name="),
            (SCHEME.to_owned(), "scheme"),
        ] {
            let error = Authorization::parse(&broken).err().unwrap_or_default();
            assert!(error.contains(expected), "{expected:?} not in {error:?}");
        }
    }
}
