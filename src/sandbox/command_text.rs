//! Logged calls as shell commands. The commands do not contain keys: `curl` repeats the request
//! with its signature, and `wxpay req` signs it again with the key in its own settings.

use http::HeaderMap;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, TRANSFER_ENCODING, USER_AGENT,
};
use percent_encoding::percent_decode_str;

use super::body_text::{MAX_SHOWN_BYTES, is_binary};
use super::documented_check::variables;
use super::query_fields::query_fields;
use super::request_log::LoggedCall;
use crate::proto::verify::{SERIAL, shown_name};
use crate::proto::xml;

/// Headers that curl sends itself, or that only concern the connection.
const OMITTED: [http::HeaderName; 6] = [HOST, CONTENT_LENGTH, CONNECTION, ACCEPT_ENCODING, EXPECT, TRANSFER_ENCODING];

/// The name of the file in which the body of a request is downloaded.
pub(super) fn body_file(number: u64) -> String {
    format!("request-{number}.bin")
}

/// The request as a curl command, with its headers and its body byte for byte. `base_uri` is the
/// address of the sandbox.
pub(super) fn curl(call: &LoggedCall, base_uri: &str) -> String {
    let received = &call.received;
    // The sandbox's own address is used. A host of the service would be the real service, because
    // the command does not use the sandbox's proxy.
    let own_tls = call.has_client_certificate.then_some(&*call.base_uri).filter(|uri| uri.contains("://127.0.0.1:"));
    let base_uri = own_tls.unwrap_or(base_uri);
    let url = format!("{}{}", base_uri.trim_end_matches('/'), received.target);
    let mut parts = vec![format!("curl --globoff --path-as-is -X {} {}", method(&received.method), quoted(&url))];
    if base_uri.starts_with("https:") {
        parts.push("--cacert root_cert.pem".to_owned());
    }
    if own_tls.is_some() {
        parts.push("--cert apiclient_cert.pem --key apiclient_key.pem".to_owned());
    }
    // curl adds these headers to a request that does not have them.
    let added = [ACCEPT, USER_AGENT].into_iter().filter(|name| !received.headers.contains_key(name));
    parts.extend(added.map(|name| format!("-H '{}:'", shown_name(name.as_str()))));
    parts.extend(headers(&received.headers).map(|header| format!("-H {}", quoted(&header))));
    if !received.body.is_empty() {
        if !received.headers.contains_key(CONTENT_TYPE) {
            // This prevents curl from adding a `Content-Type`.
            parts.push("-H 'Content-Type:'".to_owned());
        }
        parts.push(match text(&received.body) {
            Some(body) => format!("--data-raw {}", quoted(body)),
            None => format!("--data-binary @{}", body_file(call.number)),
        });
    }
    parts.join(" \\\n  ")
}

fn headers(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let sent = headers.iter().filter(|(name, _)| !OMITTED.contains(name) && !name.as_str().starts_with("proxy-"));
    sent.filter_map(|(name, value)| Some(format!("{}: {}", title_case(name.as_str()), value.to_str().ok()?)))
}

/// A header name with the usual capitals.
pub(super) fn title_case(name: &str) -> String {
    if name == "request-id" {
        return "Request-ID".to_owned();
    }
    shown_name(name)
}

/// The request as a command of `wxpay`; `None` if it cannot be written as one, such as an upload.
pub(super) fn wxpay_req(call: &LoggedCall) -> Option<String> {
    let received = &call.received;
    let (path, query) = received.target.split_once('?').unwrap_or((&received.target, ""));
    let body = text(&received.body)?;
    let xml = if body.trim_start().starts_with('<') { Some(xml::read(body.as_bytes()).ok()?) } else { None };
    let is_v2 = xml.is_some() || !path.split('/').take(3).any(|segment| segment == "v3");
    let (template, variables) = template(call, path, is_v2);
    let mut parts = vec![format!("wxpay req -X {} {}", method(&received.method), quoted(&template))];
    parts.extend(variables.iter().map(|(name, value)| format!("--var {}", quoted(&format!("{name}={value}")))));
    for (name, value) in query_fields(query) {
        match value.as_str() {
            _ if is_v2 && is_signed_anew(&name) => {}
            Some(value) => parts.push(format!("--query {}", quoted(&format!("{name}={value}")))),
            // A list or an object cannot be written as a parameter of the command.
            None => return None,
        }
    }
    // The serial number of the key that encrypted the fields of the body.
    if let Some(serial) = received.headers.get(SERIAL).and_then(|value| value.to_str().ok()) {
        parts.push(format!("-H {}", quoted(&format!("Wechatpay-Serial: {serial}"))));
    }
    match xml {
        Some(mut fields) => {
            fields.retain(|name, _| !is_signed_anew(name));
            parts.push(format!("--xml {}", quoted(&serde_json::Value::from(fields).to_string())));
        }
        None if body.is_empty() => {}
        None => {
            serde_json::from_str::<serde::de::IgnoredAny>(body).ok()?;
            parts.push(format!("--json {}", quoted(body.trim())));
        }
    }
    if call.has_client_certificate {
        parts.push("--security".to_owned());
    }
    Some(parts.join(" \\\n  "))
}

/// Whether `wxpay req` adds this field of APIv2.
fn is_signed_anew(name: &str) -> bool {
    matches!(name, "sign" | "nonce_str")
}

/// The path template of a request, and its variables. In a path that is not documented, each
/// segment with characters other than lower-case letters, digits and hyphens becomes a variable, so
/// that it is sent unchanged.
fn template(call: &LoggedCall, path: &str, is_v2: bool) -> (String, Vec<(String, String)>) {
    if let Some((documented, template)) = call.call.and_then(|call| Some((call, call.template()?))) {
        return (template.to_owned(), variables(documented, path));
    }
    let mut variables = Vec::new();
    // A path with a leading hyphen would be read as an option of the command.
    let is_name = |segment: &str| {
        !segment.starts_with('-') && segment.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    let segments = path.trim_start_matches('/').split('/').map(|segment| {
        if is_name(segment) {
            return segment.to_owned();
        }
        let name = format!("part{}", variables.len() + 1);
        variables.push((name.clone(), percent_decode_str(segment).decode_utf8_lossy().into_owned()));
        format!("{{{name}}}")
    });
    let template = segments.collect::<Vec<_>>().join("/");
    (if is_v2 { format!("v2/{template}") } else { template }, variables)
}

/// A body that can be written on a command line: a text that is not too long and has no control
/// characters, which a terminal could execute.
fn text(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok().filter(|text| text.len() <= MAX_SHOWN_BYTES)?;
    (!text.contains(is_binary)).then_some(text)
}

/// The method, quoted for a POSIX shell if necessary. A method can contain characters such as `|`.
fn method(method: &http::Method) -> String {
    let method = method.as_str();
    if method.bytes().all(|byte| byte.is_ascii_alphanumeric()) { method.to_owned() } else { quoted(method) }
}

/// A text, quoted for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_words() {
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        let of = |text: &str| method(&text.parse().expect("a method"));
        assert_eq!((of("POST"), of("X|reboot|Y")), ("POST".to_owned(), "'X|reboot|Y'".to_owned()));
        assert_eq!(title_case("wechatpay-serial"), "Wechatpay-Serial");
        assert_eq!((text(b"a\x1b[2J"), text(b"\xff"), text(b"a\n")), (None, None, Some("a\n")));
    }
}
