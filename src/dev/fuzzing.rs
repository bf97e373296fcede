//! Entry points of the fuzz targets in `tests/fuzz`. Each accepts any bytes, must neither panic nor
//! take long, and asserts that written data is read back unchanged.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;

use crate::crypto::{Apiv3Key, Certificate, PrivateKey, PublicKey};
use crate::notify::{self, NotificationVerifier};
use crate::options::Options;
use crate::options::keys::RESERVED;
use crate::options::media::Media;
use crate::pipeline::response::Response;
use crate::proto::base_uri::BaseUri;
use crate::proto::signing_string::Authorization;
use crate::proto::{case, request, v2, verify, xml};

/// Splits the data at the first zero byte.
fn split_texts(data: &[u8]) -> Option<(&str, &str)> {
    let at = data.iter().position(|byte| *byte == 0)?;
    Some((std::str::from_utf8(&data[..at]).ok()?, std::str::from_utf8(&data[at + 1..]).ok()?))
}

/// Builds a request of a path and options.
pub fn template(data: &[u8]) {
    let Some((text, options)) = split_texts(data) else { return };
    let options = serde_json::from_str(options).unwrap_or(Value::Null);
    let Ok(normal) = case::normalize(text) else { return };
    let Ok(template) = request::parse_template(&normal, &RESERVED) else { return };
    let Ok(options) = Options::from(options).checked() else { return };
    let base = BaseUri::official();
    if let Ok(built) = request::build(Method::POST, &template, &options.spec, &base, &RESERVED) {
        let request = built.request;
        // The request never leaves the allowed hosts.
        assert!(base.check(request.uri()).is_ok(), "{}", request.uri());
        assert!(!request.uri().path().split('/').any(|segment| segment == ".." || segment == "."), "{}", request.uri());
    }
}

/// Reads options from JSON.
pub fn options(data: &[u8]) {
    let Ok(options) = serde_json::from_slice::<Value>(data) else { return };
    // A sink would create files.
    if options.get("sink").is_some() {
        return;
    }
    let _ = Options::from(options).checked();
}

/// Reads the `Authorization` header.
pub fn authorization(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(read) = Authorization::parse(text) {
        let written = read.header_value();
        let again = Authorization::parse(&written).unwrap_or_else(|reason| panic!("{reason}: {written}"));
        assert_eq!(again.header_value(), written);
    }
}

/// Checks the headers of a response (one on each line) and its body.
pub fn verify(data: &[u8]) {
    let Some((lines, body)) = split_texts(data) else { return };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.lines().filter_map(|line| line.split_once(':')) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value.as_bytes())) {
            headers.append(name, value);
        }
    }
    let _ = (verify::is_probe(&headers), verify::is_signed(&headers), verify::statement(&headers).is_ok());
    if let Ok(signed) = verify::check_headers(&headers, body.as_bytes(), 1_700_000_000) {
        assert!(signed.message.ends_with(format!("{body}\n").as_bytes()));
    }
    let mut response = http::Response::new(bytes::Bytes::copy_from_slice(body.as_bytes()));
    *response.headers_mut() = headers;
    let error = crate::error::Error::from_response(Response::new(response));
    let _ = (error.to_string(), format!("{error:?}"));
}

/// Verifies an unsigned notification, which must be rejected.
pub fn notification(data: &[u8]) {
    let Some((lines, body)) = split_texts(data) else { return };
    let key = "0123456789abcdef0123456789abcdef";
    let v2 = notify::v2::NotificationVerifier::new("1900000109", key).unwrap_or_else(|error| panic!("{error}"));
    let opened = v2.verify(body.as_bytes());
    assert!(opened.is_err(), "{opened:?}");
    let mut headers = HeaderMap::new();
    for (name, value) in lines.lines().filter_map(|line| line.split_once(':')) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value.as_bytes())) {
            headers.append(name, value);
        }
    }
    let keys = std::iter::empty::<(String, PublicKey)>();
    let none = Apiv3Key::new(key).and_then(|key| NotificationVerifier::new(keys, key));
    assert!(none.is_err());
    let reply = notify::v2::Reply::fail(body);
    assert!(
        xml::read(reply.body().as_bytes()).is_ok() || body.contains(char::is_control) || body.contains('\u{feff}'),
        "{}",
        reply.body()
    );
}

/// Reads XML. Fields that are written are read back unchanged.
pub fn xml(data: &[u8]) {
    let Ok(fields) = xml::read(data) else { return };
    let _ = (v2::failure(&fields).is_some(), v2::signing_string(&fields));
    let flat = fields.values().all(Value::is_string);
    let text = fields.values().filter_map(Value::as_str).all(|text| !text.contains(['\r', '\u{85}', '\u{2028}']));
    let written = xml::write(&fields);
    let again = xml::read(written.as_bytes()).unwrap_or_else(|reason| panic!("{reason}: {written}"));
    if flat && text {
        assert_eq!(again, fields, "{written}");
    }
}

/// Reads keys and certificates in PEM and DER.
pub fn keys(data: &[u8]) {
    let _ =
        (PrivateKey::from_der(data).is_ok(), PublicKey::from_der(data).is_ok(), Certificate::from_der(data).is_ok());
    let Ok(text) = std::str::from_utf8(data) else { return };
    // File URLs would read files.
    if text.contains("://") || text.len() < 64 {
        return;
    }
    for error in [PrivateKey::from_pem(text).err(), PublicKey::from_pem(text).err(), Certificate::from_pem(text).err()]
    {
        if let Some(error) = error {
            assert!(error.to_string().len() < 2000);
        }
    }
}

/// Encodes an upload. No name may leave its part.
pub fn multipart(data: &[u8]) {
    let Some((name, contents)) = split_texts(data) else { return };
    let boundary = "qwertyuiopasdfghjklzxcvbnm_+-XYZ";
    if name.contains(boundary) || contents.contains(boundary) {
        return;
    }
    let upload = Media::from_bytes(name.to_owned(), contents.to_owned()).file.multipart(boundary);
    let body = upload.encode();
    let text = String::from_utf8_lossy(&body);
    assert_eq!(text.matches(boundary).count(), 3, "{text}");
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    assert_eq!(head.lines().count(), 3, "{text}");
    assert_eq!(
        v2::Apiv2Credential::new("1", name.into()).is_ok(),
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())
    );
}

/// Converts any text with `wxpay port`. The result is a program with `fn main()`, or error
/// messages.
#[cfg(feature = "cli")]
pub fn port(data: &[u8]) {
    let php = String::from_utf8_lossy(data);
    if let Ok(ported) = crate::port::port(&php) {
        assert!(ported.rust.contains("fn main()"));
    }
}
