//! The checks on a v3 answer that need no key, and the table of answers that carry no signature.
//!
//! Source: WeChat Pay, "签名验证"; the table is the PHP SDK's.

use base64::prelude::{BASE64_STANDARD, Engine};
use http::{HeaderMap, Method};

use super::signing_string;

/// How far the answer's clock may be from ours, in seconds, either way.
pub(crate) const MAX_CLOCK_OFFSET: i64 = 300;

/// Wrong signatures that the service sends now and then, to see whether they are refused, begin so.
const PROBE: &str = "WECHATPAY/SIGNTEST/";

pub(crate) const SERIAL: &str = "wechatpay-serial";
pub(crate) const SIGNATURE: &str = "wechatpay-signature";
pub(crate) const TIMESTAMP: &str = "wechatpay-timestamp";
pub(crate) const NONCE: &str = "wechatpay-nonce";

/// What is left to do with a key: whether `signature` of the platform key `serial` covers `message`.
pub(crate) struct Signed<'a> {
    pub(crate) serial: &'a str,
    pub(crate) signature: Vec<u8>,
    pub(crate) message: Vec<u8>,
}

/// Whether any of the four signature headers is there: answers of gateways in front of the service have none.
pub(crate) fn is_signed(headers: &HeaderMap) -> bool {
    [SERIAL, SIGNATURE, TIMESTAMP, NONCE].iter().any(|name| headers.contains_key(*name))
}

/// Whether the signature is one of the service's deliberately wrong ones.
pub(crate) fn is_probe(headers: &HeaderMap) -> bool {
    headers.get(SIGNATURE).is_some_and(|value| value.as_bytes().starts_with(PROBE.as_bytes()))
}

/// Reads the four headers of an answer received at `now` (seconds since 1970). The error is a sentence.
pub(crate) fn read<'a>(headers: &'a HeaderMap, body: &[u8], now: i64) -> Result<Signed<'a>, String> {
    let serial = only(headers, SERIAL)?;
    let signature = only(headers, SIGNATURE)?;
    let timestamp = only(headers, TIMESTAMP)?;
    let nonce = only(headers, NONCE)?;
    if signature.starts_with(PROBE) {
        return Err("it carries a probe of the service's, a wrong signature on purpose; call again".to_owned());
    }
    let signature =
        BASE64_STANDARD.decode(signature).map_err(|_| "the header Wechatpay-Signature is no base64".to_owned())?;
    if timestamp.is_empty() || !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("the header Wechatpay-Timestamp is no number of seconds".to_owned());
    }
    let signed_at: i64 = timestamp.parse().map_err(|_| "the header Wechatpay-Timestamp is out of range".to_owned())?;
    let offset = i128::from(signed_at) - i128::from(now);
    if offset.abs() > i128::from(MAX_CLOCK_OFFSET) {
        let side = if offset < 0 { "behind" } else { "ahead of" };
        return Err(format!(
            "it was signed {} s {side} this machine's clock, and {MAX_CLOCK_OFFSET} s is the most: an old message repeated, \
             or this clock is wrong (compare it with the Date header of an answer)",
            offset.abs()
        ));
    }
    Ok(Signed { serial, signature, message: signing_string::response(timestamp, nonce, body) })
}

fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, String> {
    let shown = || {
        // As the service's documentation writes it.
        let words = name.split('-').map(|word| {
            let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
            first.to_ascii_uppercase() + rest
        });
        words.collect::<Vec<_>>().join("-")
    };
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or_else(|| format!("the header {} is missing", shown()))?;
    if values.next().is_some() {
        return Err(format!("the header {} stands twice", shown()));
    }
    match value.to_str() {
        Ok("") => Err(format!("the header {} is empty", shown())),
        Ok(value) => Ok(value),
        Err(_) => Err(format!("the header {} is no plain text", shown())),
    }
}

/// What the signature of a 2xx answer covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Covers {
    /// The body.
    Body,
    /// Nothing: there is no signature.
    Nothing,
    /// `{"sha1":"..."}` with the value of the header [`STATEMENT_SHA1`], which is the SHA-1 of the file in the body.
    StatementSha1,
}

/// The SHA-1 of an overseas statement, in hexadecimal.
pub(crate) const STATEMENT_SHA1: &str = "wechatpay-statement-sha1";

/// How a path of the table is compared with the path of the request.
enum Rule {
    Exact(&'static str),
    /// One segment below, whatever it is.
    Child(&'static str),
}

/// The answers to GET whose signature does not cover their body. The first rule that fits decides; every other answer is signed over
/// its body.
const TABLE: &[(Rule, Covers, &str)] = &[
    (
        Rule::Exact("/v3/billdownload/file"),
        Covers::Nothing,
        "a file; its digest came with the signed answer that held the download_url",
    ),
    (
        Rule::Exact("/v3/transferdownload/elecvoucherfile"),
        Covers::Nothing,
        "a file; its digest came with the signed answer that held the download_url",
    ),
    (
        Rule::Exact("/v3/transferdownload/signfile"),
        Covers::Nothing,
        "a file; its digest came with the signed answer that held the download_url",
    ),
    (Rule::Child("/v3/merchant-service/images/"), Covers::Nothing, "a picture out of a complaint"),
    (
        Rule::Exact("/hk/v3/statements"),
        Covers::StatementSha1,
        "a file too long to be signed whole; where the header is missing, as on an error, the body is covered",
    ),
    (Rule::Exact("/v3/global/statements"), Covers::StatementSha1, "the same at its newer address"),
];

/// What the signature of a 2xx answer to such a request covers. Uploads, which stand at the same paths, are no GET.
pub(crate) fn covers(method: &Method, path: &str, headers: &HeaderMap) -> Covers {
    if *method != Method::GET {
        return Covers::Body;
    }
    let row = TABLE.iter().find(|(rule, _, _)| match rule {
        Rule::Exact(exact) => path == *exact,
        Rule::Child(folder) => path.strip_prefix(folder).is_some_and(|name| !name.is_empty() && !name.contains('/')),
    });
    match row {
        Some((_, Covers::StatementSha1, _)) if !headers.contains_key(STATEMENT_SHA1) => Covers::Body,
        Some((_, covers, _)) => *covers,
        None => Covers::Body,
    }
}

/// The one value of the statement header, and the text that the signature covers instead of the body.
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
    fn what_is_left_for_the_key() {
        let headers = headers();
        let signed = read(&headers, b"{}", 1000).expect("good headers");
        assert_eq!((signed.serial, &signed.signature[..]), ("S", &b"sig"[..]));
        assert_eq!(signed.message, b"1000\nN\n{}\n");
    }

    #[test]
    fn each_wrong_header_has_its_words() {
        for (name, value, expected) in [
            (SERIAL, None, "Wechatpay-Serial is missing"),
            (SIGNATURE, None, "Wechatpay-Signature is missing"),
            (TIMESTAMP, None, "Wechatpay-Timestamp is missing"),
            (NONCE, None, "Wechatpay-Nonce is missing"),
            (SERIAL, Some(""), "Wechatpay-Serial is empty"),
            (SIGNATURE, Some("c2l"), "no base64"),
            (SIGNATURE, Some("WECHATPAY/SIGNTEST/x"), "probe"),
            (TIMESTAMP, Some("+1000"), "no number"),
            (TIMESTAMP, Some("99999999999999999999"), "out of range"),
            (NONCE, Some("\u{e4}"), "no plain text"),
        ] {
            let mut headers = headers();
            headers.remove(name);
            if let Some(value) = value {
                headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).expect("value"));
            }
            let message = read(&headers, b"", 1000).err().unwrap_or_default();
            assert!(message.contains(expected), "{expected:?} not in {message:?}");
        }
        for name in [SERIAL, SIGNATURE, TIMESTAMP, NONCE] {
            let mut headers = headers();
            headers.append(name, headers[name].clone());
            assert!(read(&headers, b"", 1000).err().unwrap_or_default().contains("twice"));
        }
    }

    #[test]
    fn five_minutes_either_way() {
        let headers = headers();
        for (now, holds) in
            [(700, true), (699, false), (1300, true), (1301, false), (i64::MIN, false), (i64::MAX, false)]
        {
            assert_eq!(read(&headers, b"", now).is_ok(), holds, "{now}");
        }
    }

    #[test]
    fn the_table_of_what_is_covered() {
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
}
