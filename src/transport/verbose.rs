//! The `debug` option: the heads of request and response on standard error, without secrets.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
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

/// The request as it is sent, with its template in place of the path. The values of path and query
/// may be names, numbers of identity cards and tokens, so only their names are shown.
pub(crate) fn request(request: &http::Request<Bytes>, template: &str) -> String {
    let (method, uri, version) = (request.method(), request.uri(), request.version());
    let mut out = format!("> {method} {}/{}{} {version:?}\n", origin(uri), path(template), query(uri));
    headers(&mut out, '>', request.headers());
    let _ = writeln!(out, "> ({} bytes)", request.body().len());
    out
}

fn origin(uri: &Uri) -> String {
    match (uri.scheme_str(), uri.host()) {
        (Some(scheme), Some(host)) => {
            let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{scheme}://{host}{port}")
        }
        _ => String::new(),
    }
}

/// The path of a template, which may be a URL.
fn path(template: &str) -> &str {
    let path = template.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or(template, |(_, path)| path);
    path.trim_start_matches('/')
}

/// The names in a query.
fn query(uri: &Uri) -> String {
    let Some(query) = uri.query() else { return String::new() };
    let names = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) => format!("{name}=***"),
        None => "***".to_owned(),
    });
    format!("?{}", names.collect::<Vec<_>>().join("&"))
}

/// The head of the response as it was received.
pub(crate) fn response<B>(response: &http::Response<B>, after: Duration) -> String {
    let mut out = format!("< {:?} {} (after {after:.1?})\n", response.version(), response.status());
    headers(&mut out, '<', response.headers());
    out
}

fn headers(out: &mut String, side: char, headers: &HeaderMap) {
    for (name, value) in headers {
        let shown = match value.to_str() {
            Ok(text) if name == AUTHORIZATION => authorization(text),
            Ok(text) if name == LOCATION && !may_contain_userinfo(text) => location(text),
            Ok(text) if SHOWN.contains(&name.as_str()) => text.to_owned(),
            _ => "***".to_owned(),
        };
        let _ = writeln!(out, "{side} {name}: {shown}");
    }
}

/// The host of a redirect, without the values in its path and query.
fn location(text: &str) -> String {
    match text.parse::<Uri>() {
        Ok(uri) => format!("{}/***", origin(&uri)),
        Err(_) => "***".to_owned(),
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
        let sent = http::Request::post("https://h:8/v3/x/s3cret?a=s3cret&token=s3cret&s3cret")
            .header("authorization", "WECHATPAY2-SHA256-RSA2048 mchid=\"1\",nonce_str=\"N\",signature=\"s3cret\"")
            .header("content-type", "application/json")
            .header("x-own", "s3cret")
            .body(Bytes::from_static(b"s3cret"))
            .expect("request");
        assert_eq!(
            request(&sent, "v3/x/{name}"),
            "> POST https://h:8/v3/x/{name}?a=***&token=***&*** HTTP/1.1\n\
             > authorization: WECHATPAY2-SHA256-RSA2048 mchid=\"1\",nonce_str=\"N\",signature=\"***\"\n\
             > content-type: application/json\n> x-own: ***\n> (6 bytes)\n"
        );
        let mut odd = HeaderMap::new();
        odd.insert(AUTHORIZATION, HeaderValue::from_static("Basic signature=\"s3cret\""));
        let mut out = String::new();
        headers(&mut out, '>', &odd);
        assert_eq!(out, "> authorization: ***\n");
        for template in ["https://h:8/v3/{name}", "//v3/{name}", "v3/{name}"] {
            assert!(request(&sent, template).starts_with("> POST https://h:8/v3/{name}?"), "{template}");
        }
        for (location, shown) in [
            ("/v3/s3cret?token=s3cret", "/***"),
            ("https://other.example:1/s3cret", "https://other.example:1/***"),
            ("https://u:s3cret@h/", "***"),
            ("s3cret s3cret", "***"),
        ] {
            let response = http::Response::builder().header("location", location).body(()).expect("response");
            let shown = format!("< location: {shown}\n");
            assert!(super::response(&response, Duration::ZERO).ends_with(&shown), "{location}");
        }
    }
}
