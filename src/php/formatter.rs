//! The PHP SDK's `Formatter`, under its names in snake case: for code carried over that makes or checks signatures itself.
//!
//! ```
//! use wechatpay_chain::formatter;
//! assert_eq!(formatter::joined_by_line_feed(["a", "b"]), "a\nb\n");
//! assert_eq!(formatter::query_string_like([("b", "2"), ("sign", "x"), ("a", "")]), "b=2");
//! ```

use crate::clock;
use crate::crypto::random;
use crate::error::Error;
use crate::proto::signing_string::{self, Authorization};

/// 32 random letters and digits.
///
/// # Errors
/// [`ErrorKind::Sign`](crate::ErrorKind::Sign) when the operating system gives no random bytes.
pub fn nonce() -> Result<String, Error> {
    random::nonce()
}

/// Seconds since 1970.
#[must_use]
pub fn timestamp() -> i64 {
    clock::now()
}

/// The value of the `Authorization` header of a v3 request; `signature` is base64, `serial` the merchant certificate's serial number.
///
/// Source: WeChat Pay, "签名生成".
///
/// ```
/// use wechatpay_chain::formatter;
/// assert_eq!(
///     formatter::authorization("1900000109", "NONCE", "c2lnbg==", 1700000000, "3775B6A4"),
///     r#"WECHATPAY2-SHA256-RSA2048 mchid="1900000109",serial_no="3775B6A4",timestamp="1700000000",nonce_str="NONCE",signature="c2lnbg==""#,
/// );
/// ```
#[must_use]
pub fn authorization(mchid: &str, nonce: &str, signature: &str, timestamp: i64, serial: &str) -> String {
    Authorization { mchid, serial, timestamp, nonce, signature }.header_value()
}

/// The message that the signature of a v3 request covers: five lines, each with a line feed behind it. `target` is path and query as sent, `body`
/// the bytes as sent; none is an empty line.
///
/// Source: WeChat Pay, "签名生成".
///
/// ```
/// use wechatpay_chain::formatter;
/// let message = formatter::request("GET", "/v3/certificates?a=b", 1700000000, "NONCE", b"");
/// assert_eq!(message, b"GET\n/v3/certificates?a=b\n1700000000\nNONCE\n\n");
/// ```
#[must_use]
pub fn request(method: &str, target: &str, timestamp: i64, nonce: &str, body: &[u8]) -> Vec<u8> {
    signing_string::request(method, target, timestamp, nonce, body)
}

/// The message that the signature of a v3 answer or notification covers: three lines. `timestamp` and `nonce` are the texts of its headers
/// `Wechatpay-Timestamp` and `Wechatpay-Nonce`, `body` the bytes as they came.
///
/// Source: WeChat Pay, "签名验证".
///
/// ```
/// use wechatpay_chain::formatter;
/// assert_eq!(formatter::response("1700000000", "NONCE", b"{}"), b"1700000000\nNONCE\n{}\n");
/// ```
#[must_use]
pub fn response(timestamp: &str, nonce: &str, body: &[u8]) -> Vec<u8> {
    signing_string::response(timestamp, nonce, body)
}

/// Each piece with a line feed behind it, the last one too.
#[must_use]
pub fn joined_by_line_feed<'a>(pieces: impl IntoIterator<Item = &'a str>) -> String {
    signing_string::joined_by_line_feed(pieces)
}

/// Pairs in the order of the bytes of their keys, capitals first: what goes into [`query_string_like`].
///
/// ```
/// use wechatpay_chain::formatter::{ksort, query_string_like};
/// assert_eq!(query_string_like(ksort([("nonce_str", "N"), ("appid", "wx"), ("sign", ""), ("mch_id", "1")])), "appid=wx&mch_id=1&nonce_str=N");
/// ```
#[must_use]
pub fn ksort<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<(&'a str, &'a str)> {
    signing_string::ksort(pairs)
}

/// `key=value` joined by `&`, nothing encoded, without `sign` and empty values: what APIv2 and vouchers sign.
#[must_use]
pub fn query_string_like<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    signing_string::query_string_like(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_php_formats() {
        assert_eq!(nonce().expect("nonce").len(), 32);
        assert!(timestamp() > 1_700_000_000);
        assert_eq!(
            authorization("1", "N", "c2ln", 2, "S"),
            r#"WECHATPAY2-SHA256-RSA2048 mchid="1",serial_no="S",timestamp="2",nonce_str="N",signature="c2ln""#
        );
        assert_eq!(request("GET", "/v3/x", 1, "N", b""), b"GET\n/v3/x\n1\nN\n\n");
        assert_eq!(response("1", "N", b"{}"), b"1\nN\n{}\n");
        assert_eq!(joined_by_line_feed([]), "");
        assert_eq!(joined_by_line_feed(["", "b"]), "\nb\n");
        assert_eq!(ksort([("b", "1"), ("B", "2"), ("a", "3")]), [("B", "2"), ("a", "3"), ("b", "1")]);
        assert_eq!(query_string_like(ksort([("b", "2"), ("sign", "x"), ("a", "1&="), ("c", "")])), "a=1&=&b=2");
    }
}
