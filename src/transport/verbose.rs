//! The `debug` option: the heads of request and response on standard error, without secrets.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, LOCATION};

use crate::proto::template::may_contain_userinfo;

/// Headers whose values are shown. The value of any other header may be a secret.
const SHOWN: [&str; 15] = [
    "accept",
    "accept-encoding",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "idempotency-key",
    "request-id",
    "retry-after",
    "server",
    "user-agent",
    "wechatpay-nonce",
    "wechatpay-serial",
    "wechatpay-signature-type",
    "wechatpay-timestamp",
];

/// The request as it is sent.
pub(crate) fn request(request: &http::Request<Bytes>) -> String {
    let mut out =
        format!("> {} {} {:?}\n", request.method(), without_token(&request.uri().to_string()), request.version());
    headers(&mut out, '>', request.headers());
    let _ = writeln!(out, "> ({} bytes)", request.body().len());
    out
}

/// The head of the response as it was received.
pub(crate) fn response<B>(response: &http::Response<B>, after: Duration) -> String {
    let mut out = format!("< {:?} {} (after {after:.1?})\n", response.version(), response.status());
    headers(&mut out, '<', response.headers());
    out
}

/// The address without the tokens in its query. A token gives access to a file.
fn without_token(text: &str) -> String {
    let Some((path, query)) = text.split_once('?') else { return text.to_owned() };
    let shown: Vec<_> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if is_secret(name) => format!("{name}=***"),
            _ => pair.to_owned(),
        })
        .collect();
    format!("{path}?{}", shown.join("&"))
}

/// A token gives access to a file, a code to an account, and APIv2 has its signature in the query.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("token") || matches!(name.as_str(), "sign" | "code")
}

fn headers(out: &mut String, side: char, headers: &HeaderMap) {
    for (name, value) in headers {
        let shown = match value.to_str() {
            Ok(text) if name == AUTHORIZATION => authorization(text),
            Ok(text) if name == LOCATION && !may_contain_userinfo(text) => without_token(text),
            Ok(text) if SHOWN.contains(&name.as_str()) => text.to_owned(),
            _ => "***".to_owned(),
        };
        let _ = writeln!(out, "{side} {name}: {shown}");
    }
}

/// The header without the signature: merchant ID, serial number, timestamp and nonce.
fn authorization(value: &str) -> String {
    match value.split_once("signature=\"") {
        Some((head, _)) if value.starts_with(crate::proto::signing_string::SCHEME) => {
            format!("{head}signature=\"***\"")
        }
        _ => "***".to_owned(),
    }
}

/// Prints the text of [`request()`] or [`response()`].
pub(crate) fn print(text: &str) {
    // A closed standard error must not fail the call.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn secrets_are_left_out() {
        let sent = http::Request::post("https://h/v3/x?a=b&token=s3cret")
            .header("authorization", "WECHATPAY2-SHA256-RSA2048 mchid=\"1\",nonce_str=\"N\",signature=\"s3cret\"")
            .header("content-type", "application/json")
            .header("x-own", "s3cret")
            .body(Bytes::from_static(b"s3cret"))
            .expect("request");
        assert_eq!(
            request(&sent),
            "> POST https://h/v3/x?a=b&token=*** HTTP/1.1\n\
             > authorization: WECHATPAY2-SHA256-RSA2048 mchid=\"1\",nonce_str=\"N\",signature=\"***\"\n\
             > content-type: application/json\n> x-own: ***\n> (6 bytes)\n"
        );
        let mut odd = HeaderMap::new();
        odd.insert(AUTHORIZATION, HeaderValue::from_static("Basic signature=\"s3cret\""));
        let mut out = String::new();
        headers(&mut out, '>', &odd);
        assert_eq!(out, "> authorization: ***\n");
        for (location, shown) in [("/v3/x?token=s3cret", "/v3/x?token=***"), ("https://u:s3cret@h/", "***")] {
            let response = http::Response::builder().header("location", location).body(()).expect("response");
            let shown = format!("< location: {shown}\n");
            assert!(super::response(&response, Duration::ZERO).ends_with(&shown), "{location}");
        }
    }
}
