//! The checks of an APIv3 response that need no key, and the table of responses whose signature
//! does not cover the body.
//!
//! Sources: WeChat Pay, "签名验证", and the PHP SDK for the table.

use base64::prelude::{BASE64_STANDARD, Engine};
use http::{HeaderMap, Method};

use super::signing_string;

/// The maximal difference between the timestamp of a response and the local clock, in seconds.
pub(crate) const MAX_CLOCK_OFFSET: i64 = 300;

/// The prefix of the deliberately wrong signatures with which WeChat Pay tests whether they are
/// rejected.
const PROBE: &str = "WECHATPAY/SIGNTEST/";

pub(crate) const SERIAL: &str = "wechatpay-serial";
pub(crate) const SIGNATURE: &str = "wechatpay-signature";
pub(crate) const TIMESTAMP: &str = "wechatpay-timestamp";
pub(crate) const NONCE: &str = "wechatpay-nonce";

/// A signature that passed the checks without a key. The platform key `serial` has to verify
/// `signature` over `message`.
pub(crate) struct Signed<'a> {
    pub(crate) serial: &'a str,
    pub(crate) signature: Vec<u8>,
    pub(crate) message: Vec<u8>,
}

/// Whether one of the four signature headers is present. Responses of gateways in front of the
/// service have none.
pub(crate) fn is_signed(headers: &HeaderMap) -> bool {
    [SERIAL, SIGNATURE, TIMESTAMP, NONCE].iter().any(|name| headers.contains_key(*name))
}

/// Whether the signature is one of WeChat Pay's deliberately wrong ones.
pub(crate) fn is_probe(headers: &HeaderMap) -> bool {
    headers.get(SIGNATURE).is_some_and(|value| value.as_bytes().starts_with(PROBE.as_bytes()))
}

/// Checks the four signature headers of a response that was received at `now` (seconds since 1970):
/// each is present once, and the timestamp differs from `now` by at most five minutes. Returns the
/// message that the signature covers. The error is a clause.
pub(crate) fn check_headers<'a>(headers: &'a HeaderMap, body: &[u8], now: i64) -> Result<Signed<'a>, String> {
    let serial = only(headers, SERIAL)?;
    let signature = only(headers, SIGNATURE)?;
    let timestamp = only(headers, TIMESTAMP)?;
    let nonce = only(headers, NONCE)?;
    if signature.starts_with(PROBE) {
        return Err("its signature is a probe of WeChat Pay, deliberately wrong; repeat the call".to_owned());
    }
    let signature =
        BASE64_STANDARD.decode(signature).map_err(|_| "the header Wechatpay-Signature is not base64".to_owned())?;
    if timestamp.is_empty() || !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("the header Wechatpay-Timestamp is not a number of seconds".to_owned());
    }
    let signed_at: i64 = timestamp.parse().map_err(|_| "the header Wechatpay-Timestamp is out of range".to_owned())?;
    let offset = i128::from(signed_at) - i128::from(now);
    if offset.abs() > i128::from(MAX_CLOCK_OFFSET) {
        let side = if offset < 0 { "behind" } else { "ahead of" };
        return Err(format!(
            "it was signed {} s {side} this machine's clock, which is more than {MAX_CLOCK_OFFSET} s: it is an old message, \
             or the clock is wrong (compare it with the Date header of a response)",
            offset.abs()
        ));
    }
    Ok(Signed { serial, signature, message: signing_string::response(timestamp, nonce, body) })
}

/// The name of a header as in the documentation, such as `Wechatpay-Serial`.
pub(crate) fn shown_name(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        first.to_ascii_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-")
}

/// The value of a header that must be present exactly once.
pub(crate) fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, String> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or_else(|| format!("the header {} is missing", shown_name(name)))?;
    if values.next().is_some() {
        return Err(format!("the header {} appears twice", shown_name(name)));
    }
    match value.to_str() {
        Ok("") => Err(format!("the header {} is empty", shown_name(name))),
        Ok(value) => Ok(value),
        Err(_) => Err(format!("the header {} is not plain text", shown_name(name))),
    }
}

/// The content that the signature of a 2xx response covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Covers {
    /// The body.
    Body,
    /// Nothing: the response has no signature.
    Nothing,
    /// `{"sha1":"..."}` with the value of the header [`STATEMENT_SHA1`], the SHA-1 of the file in
    /// the body.
    StatementSha1,
}

/// The header with the SHA-1 of an overseas statement, in hexadecimal.
pub(crate) const STATEMENT_SHA1: &str = "wechatpay-statement-sha1";

/// How a path of the table is compared with the path of a request.
enum Rule {
    Exact(&'static str),
    /// Any single segment below.
    Child(&'static str),
}

/// The responses to GET whose signature does not cover the body, with the reason. The first
/// matching rule decides. The signature of every other response covers its body.
const TABLE: &[(Rule, Covers, &str)] = &[
    (
        Rule::Exact("/v3/billdownload/file"),
        Covers::Nothing,
        "a file; its digest was in the signed response with the download_url",
    ),
    (
        Rule::Exact("/v3/transferdownload/elecvoucherfile"),
        Covers::Nothing,
        "a file; its digest was in the signed response with the download_url",
    ),
    (
        Rule::Exact("/v3/transferdownload/signfile"),
        Covers::Nothing,
        "a file; its digest was in the signed response with the download_url",
    ),
    (Rule::Child("/v3/merchant-service/images/"), Covers::Nothing, "an image of a complaint"),
    (
        Rule::Exact("/hk/v3/statements"),
        Covers::StatementSha1,
        "a large file, signed by its digest; without the header, as on an error, the body is covered",
    ),
    (Rule::Exact("/v3/global/statements"), Covers::StatementSha1, "the same at its newer address"),
];

/// The content that the signature of a 2xx response to a request covers. Uploads have the same
/// paths but are not GET requests.
pub(crate) fn covers(method: &Method, path: &str, headers: &HeaderMap) -> Covers {
    match least_covered(method, path) {
        Covers::StatementSha1 if !headers.contains_key(STATEMENT_SHA1) => Covers::Body,
        covers => covers,
    }
}

/// The least that the signature of a response to a request covers, whatever headers the response
/// has.
pub(crate) fn least_covered(method: &Method, path: &str) -> Covers {
    if *method != Method::GET {
        return Covers::Body;
    }
    let row = TABLE.iter().find(|(rule, _, _)| match rule {
        Rule::Exact(exact) => path == *exact,
        Rule::Child(folder) => path.strip_prefix(folder).is_some_and(|name| !name.is_empty() && !name.contains('/')),
    });
    row.map_or(Covers::Body, |(_, covers, _)| *covers)
}

/// The value of [`STATEMENT_SHA1`], and the text that the signature covers instead of the body.
pub(crate) fn statement(headers: &HeaderMap) -> Result<(&str, String), String> {
    let sha1 = only(headers, STATEMENT_SHA1)?;
    Ok((sha1, format!("{{\"sha1\":\"{sha1}\"}}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers() -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [(SERIAL, "S"), (SIGNATURE, "c2ln"), (TIMESTAMP, "1000"), (NONCE, "N")] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn read_returns_the_signed_message() {
        let headers = headers();
        let signed = check_headers(&headers, b"{}", 1000).expect("good headers");
        assert_eq!((signed.serial, &signed.signature[..]), ("S", &b"sig"[..]));
        assert_eq!(signed.message, b"1000\nN\n{}\n");
    }

    #[test]
    fn errors_of_the_headers() {
        for (name, value, expected) in [
            (SERIAL, None, "Wechatpay-Serial is missing"),
            (SIGNATURE, None, "Wechatpay-Signature is missing"),
            (TIMESTAMP, None, "Wechatpay-Timestamp is missing"),
            (NONCE, None, "Wechatpay-Nonce is missing"),
            (SERIAL, Some(""), "Wechatpay-Serial is empty"),
            (SIGNATURE, Some("c2l"), "not base64"),
            (SIGNATURE, Some("WECHATPAY/SIGNTEST/x"), "probe"),
            (TIMESTAMP, Some("+1000"), "not a number"),
            (TIMESTAMP, Some("99999999999999999999"), "out of range"),
            (NONCE, Some("\u{e4}"), "not plain text"),
        ] {
            let mut headers = headers();
            headers.remove(name);
            if let Some(value) = value {
                headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).expect("value"));
            }
            let message = check_headers(&headers, b"", 1000).err().unwrap_or_default();
            assert!(message.contains(expected), "{expected:?} not in {message:?}");
        }
        for name in [SERIAL, SIGNATURE, TIMESTAMP, NONCE] {
            let mut headers = headers();
            headers.append(name, headers[name].clone());
            assert!(check_headers(&headers, b"", 1000).err().unwrap_or_default().contains("twice"));
        }
    }

    #[test]
    fn timestamps_within_five_minutes_are_accepted() {
        let headers = headers();
        for (now, accepted) in
            [(700, true), (699, false), (1300, true), (1301, false), (i64::MIN, false), (i64::MAX, false)]
        {
            assert_eq!(check_headers(&headers, b"", now).is_ok(), accepted, "{now}");
        }
    }

    #[test]
    fn covered_parts_by_path() {
        let mut headers = HeaderMap::new();
        headers.insert(STATEMENT_SHA1, HeaderValue::from_static("a9993e36"));
        for (path, expected) in [
            ("/v3/billdownload/file", Covers::Nothing),
            ("/v3/billdownload/file/x", Covers::Body),
            ("/v3/transferdownload/signfile", Covers::Nothing),
            ("/v3/transferdownload/elecvoucherfile", Covers::Nothing),
            ("/v3/merchant-service/images/abc", Covers::Nothing),
            ("/v3/merchant-service/images/", Covers::Body),
            ("/v3/merchant-service/images/a/b", Covers::Body),
            ("/v3/merchant-service/images//a", Covers::Body),
            ("/v3/merchant-service/images", Covers::Body),
            ("/v3/global/merchant-service/images/abc", Covers::Body),
            ("/hk/v3/billdownload/file", Covers::Body),
            ("/v3/pay/transactions/native", Covers::Body),
            ("/hk/v3/statements", Covers::StatementSha1),
            ("/v3/global/statements", Covers::StatementSha1),
            ("/v3/statements", Covers::Body),
        ] {
            assert_eq!(covers(&Method::GET, path, &headers), expected, "{path}");
            assert_eq!(covers(&Method::POST, path, &headers), Covers::Body, "{path}");
        }
        assert_eq!(covers(&Method::GET, "/hk/v3/statements", &HeaderMap::new()), Covers::Body);
        assert_eq!(statement(&headers).expect("one"), ("a9993e36", "{\"sha1\":\"a9993e36\"}".to_owned()));
        assert!(TABLE.iter().all(|(_, _, reason)| !reason.is_empty()));
    }

    #[test]
    fn any_signature_header_counts_as_a_signature() {
        assert!(!is_signed(&HeaderMap::new()));
        for name in [SERIAL, SIGNATURE, TIMESTAMP, NONCE] {
            let mut one = HeaderMap::new();
            one.insert(name, HeaderValue::from_static(""));
            assert!(is_signed(&one), "{name}");
        }
        let mut other = HeaderMap::new();
        other.insert("wechatpay-signature-type", HeaderValue::from_static("x"));
        assert!(!is_signed(&other));
    }
}
