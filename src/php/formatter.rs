//! The functions of the PHP SDK's class `Formatter`, with names in snake case. They are for ported
//! code that creates or verifies signatures itself.
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

/// Returns a nonce of 32 random letters and digits.
///
/// # Errors
/// Fails with [`ErrorKind::Sign`](crate::ErrorKind::Sign) if the operating system provides no
/// random bytes.
pub fn nonce() -> Result<String, Error> {
    random::nonce()
}

/// Returns the current time in seconds since 1970.
#[must_use]
pub fn timestamp() -> i64 {
    clock::now()
}

/// Returns the value of the `Authorization` header of an APIv3 request. `signature` is base64, and
/// `serial` is the serial number of the merchant certificate.
///
/// Source: WeChat Pay, "签名生成".
///
/// ```
/// use wechatpay_chain::formatter;
/// let value = formatter::authorization("1900000109", "NONCE", "c2lnbg==", 1700000000, "3775B6A4");
/// let fields = [
///     r#"WECHATPAY2-SHA256-RSA2048 mchid="1900000109""#,
///     r#"serial_no="3775B6A4""#,
///     r#"timestamp="1700000000""#,
///     r#"nonce_str="NONCE""#,
///     r#"signature="c2lnbg==""#,
/// ];
/// assert_eq!(value, fields.join(","));
/// ```
#[must_use]
pub fn authorization(mchid: &str, nonce: &str, signature: &str, timestamp: i64, serial: &str) -> String {
    Authorization { mchid, serial, timestamp, nonce, signature }.header_value()
}

/// Returns the signing string of an APIv3 request: five lines, each of which ends with a line feed.
/// `target` is the path and the query as sent, and `body` is the body as sent. Without a body, the
/// last line is empty.
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

/// Returns the signing string of an APIv3 response or notification: three lines, each of which ends
/// with a line feed. `timestamp` and `nonce` are the values of the headers `Wechatpay-Timestamp`
/// and `Wechatpay-Nonce`, and `body` is the body as received.
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

/// Joins the pieces, each followed by a line feed.
#[must_use]
pub fn joined_by_line_feed<'a>(pieces: impl IntoIterator<Item = &'a str>) -> String {
    signing_string::joined_by_line_feed(pieces)
}

/// Sorts pairs by the bytes of their keys, so that capitals come first. Pass the result to
/// [`query_string_like`].
///
/// ```
/// use wechatpay_chain::formatter::{ksort, query_string_like};
/// let pairs = ksort([("nonce_str", "N"), ("appid", "wx"), ("sign", ""), ("mch_id", "1")]);
/// assert_eq!(query_string_like(pairs), "appid=wx&mch_id=1&nonce_str=N");
/// ```
#[must_use]
pub fn ksort<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<(&'a str, &'a str)> {
    signing_string::ksort(pairs)
}

/// Joins `key=value` pairs with `&`, without encoding them. Omits `sign` and empty values. The
/// result is used in the signing strings of APIv2 and of vouchers.
#[must_use]
pub fn query_string_like<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    signing_string::query_string_like(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_those_of_php() {
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
