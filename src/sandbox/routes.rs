//! What the sandbox answers to which path.
//!
//! To add an endpoint: one line in [`ROUTES`] and its function, which gets the path's variables and the body and returns the
//! answer or a [`Refusal`].

use std::borrow::Cow;
use std::time::SystemTime;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use percent_encoding::percent_decode_str;
use ring::digest::SHA1_FOR_LEGACY_USE_ONLY;
use serde_json::{Value, json};
use time::UtcOffset;

use super::State;
use super::answer::Refusal;
use super::upload::Upload;
use crate::clock::rfc3339;
use crate::crypto::digest::{hex, sha256_hex};
use crate::crypto::{Certificate, random};
use crate::error::Error;

/// A request that has passed the signature check.
struct Asked<'a> {
    request: &'a Request<Bytes>,
    upload: Option<&'a Upload>,
    state: &'a State,
    /// The path's variables, in order.
    variables: Vec<String>,
}

type Handler = fn(&Asked<'_>) -> Result<Answered, Refusal>;

const ROUTES: &[(&str, &str, Handler)] = &[
    ("POST", "v3/marketing/membercard-open/cards/{card_id}/permission-tokens", permission_token),
    ("POST", "v3/merchant/media/upload", media_id),
    ("POST", "v3/merchant/media/video_upload", media_id),
    ("POST", "v3/merchant-service/images/upload", media_id),
    ("GET", "v3/certificates", certificates),
    ("GET", "v3/global/statements", statement),
    ("GET", "hk/v3/statements", statement),
];

/// An answer that a user of the sandbox gave for an endpoint.
pub(super) struct Stub {
    method: String,
    pub(super) template: String,
    v2: bool,
    pub(super) status: StatusCode,
    pub(super) response: Value,
    /// The length of the file that is the answer instead.
    pub(super) file: Option<u64>,
}

/// What is answered to a request.
pub(super) enum Answered {
    Json(StatusCode, Value),
    /// A file of that length, unsigned.
    File(u64),
    /// A file and its SHA-1, which is what is signed.
    Statement(Bytes, String),
}

impl Stub {
    pub(super) fn new(method: &str, template: &str, status: u16, response: Value) -> Self {
        let template = template.trim_start_matches('/');
        // The names of a stub are written as those of a chain.
        let template = crate::proto::path::normalize(template).map_or_else(|_| template.to_owned(), Cow::into_owned);
        let (v2, template) = match template.strip_prefix("v2/") {
            Some(path) => (true, path.to_owned()),
            None => (false, template),
        };
        Stub {
            method: method.to_ascii_uppercase(),
            template,
            v2,
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
            response,
            file: None,
        }
    }

    pub(super) fn fits_v2(&self, method: &Method) -> bool {
        self.v2 && method == self.method.as_str()
    }

    pub(super) fn file(template: &str, length: u64) -> Self {
        let stub = Stub::new("GET", template, 200, Value::Null);
        // APIv2 asks for its files by POST.
        let method = if stub.v2 { "POST".to_owned() } else { stub.method };
        Stub { file: Some(length), method, ..stub }
    }
}

/// Answers a request whose signature held.
pub(super) fn answer(request: &Request<Bytes>, upload: Option<&Upload>, state: &State) -> Result<Answered, Refusal> {
    let (method, path) = (request.method(), request.uri().path());
    if let Some(stub) = state
        .book()
        .stubs
        .iter()
        .rev()
        .find(|stub| !stub.v2 && method == stub.method.as_str() && matched(&stub.template, path).is_some())
    {
        return Ok(match stub.file {
            Some(length) => Answered::File(length),
            None => Answered::Json(stub.status, stub.response.clone()),
        });
    }
    let mut known = false;
    for (of, template, handler) in ROUTES {
        let Some(variables) = matched(template, path) else { continue };
        known = true;
        if method == *of {
            return handler(&Asked { request, upload, variables, state });
        }
    }
    Err(unknown(method, path, known))
}

fn unknown(method: &Method, path: &str, known: bool) -> Refusal {
    let (status, code) = if known {
        (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED")
    } else {
        (StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS")
    };
    Refusal {
        status,
        code,
        message: format!(
            "the sandbox does not know {method} {path}: give its answer with sandbox.stub({:?}, {:?}, 200, json!({{...}})), variables written as {{x}}",
            method.as_str(),
            path.trim_start_matches('/')
        ),
        detail: Value::Null,
    }
}

/// The variables of a path that fits the template, percent-decoded.
pub(super) fn matched(template: &str, path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix('/')?;
    let mut names = template.split('/');
    let mut variables = Vec::new();
    for segment in path.split('/') {
        let name = names.next()?;
        if name.starts_with('{') && name.ends_with('}') {
            variables.push(percent_decode_str(segment).decode_utf8().ok()?.into_owned());
        } else if name != segment {
            return None;
        }
    }
    names.next().is_none().then_some(variables)
}

fn body(request: &Request<Bytes>) -> Result<Value, Refusal> {
    let content_type = request.headers().get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next());
    if media_type != Some("application/json") {
        return Err(Refusal::param("header", "Content-Type", "Http头Content-Type应为application/json"));
    }
    let body: Value = serde_json::from_slice(request.body())
        .map_err(|error| Refusal::param("body", "", format!("请求body不是合法的JSON: {error}")))?;
    if !body.is_object() {
        return Err(Refusal::param("body", "", "请求body应为JSON对象"));
    }
    Ok(body)
}

/// What a field of a body must be.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Boolean,
}

fn check_fields(body: &Value, fields: &[(&str, Kind, bool)]) -> Result<(), Refusal> {
    for (name, kind, required) in fields {
        let pointer = format!("/{name}");
        let Some(value) = body.get(*name) else {
            if *required {
                return Err(Refusal::param("body", &pointer, format!("缺少必填参数 {name}")));
            }
            continue;
        };
        let (fits, wanted) = match kind {
            Kind::Text => (value.as_str().is_some_and(|text| !text.is_empty()), "非空字符串"),
            Kind::Boolean => (value.is_boolean(), "布尔值"),
        };
        if !fits {
            return Err(Refusal::param("body", &pointer, format!("参数 {name} 应为{wanted}")));
        }
    }
    Ok(())
}

/// Member-card pre-authorisation.
fn permission_token(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    use Kind::{Boolean, Text};
    let card_id = asked.variables.first().map_or("", String::as_str);
    if card_id.is_empty() || !card_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        return Err(Refusal::param("path", "card_id", "参数 card_id 不合法"));
    }
    check_fields(
        &body(asked.request)?,
        &[
            ("activate_type", Text, true),
            ("navigate_back_previous_page", Boolean, false),
            ("activate_url", Text, false),
            ("activate_appid", Text, false),
            ("activate_path", Text, false),
            ("outer_str", Text, false),
        ],
    )?;
    Ok(Answered::Json(StatusCode::OK, json!({ "permission_token": id()? })))
}

/// Pictures and videos: the digest in the `meta` must be the file's.
fn media_id(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let upload = asked
        .upload
        .ok_or_else(|| Refusal::param("header", "Content-Type", "Http头Content-Type应为multipart/form-data"))?;
    let meta: Value = serde_json::from_slice(&upload.meta)
        .map_err(|error| Refusal::param("body", "/meta", format!("meta不是合法的JSON: {error}")))?;
    check_fields(&meta, &[("filename", Kind::Text, true), ("sha256", Kind::Text, true)])?;
    if meta["sha256"] != sha256_hex(&upload.file) {
        return Err(Refusal::param("body", "/meta/sha256", "图片文件的sha256与meta中的sha256不一致"));
    }
    Ok(Answered::Json(StatusCode::OK, json!({ "media_id": id()? })))
}

/// The platform's certificates, sealed with the APIv3 key.
fn certificates(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let issued = asked.state.book().certificates.clone();
    if issued.is_empty() {
        return Err(Refusal {
            status: StatusCode::NOT_FOUND,
            code: "RESOURCE_NOT_EXISTS",
            message: "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥".to_owned(),
            detail: Value::Null,
        });
    }
    let rows = issued.iter().map(|issued| {
        let certificate = Certificate::from_pem(&issued.pem)?;
        let nonce: String = random::nonce()?.chars().take(12).collect();
        Ok(json!({
            "serial_no": issued.serial,
            "effective_time": china_time(certificate.not_before()),
            "expire_time": china_time(certificate.not_after()),
            "encrypt_certificate": {
                "algorithm": "AEAD_AES_256_GCM",
                "nonce": nonce,
                "associated_data": "certificate",
                "ciphertext": asked.state.keys.apiv3_key.encrypt(issued.pem.as_bytes(), &nonce, "certificate")?,
            },
        }))
    });
    let rows: Vec<Value> = rows.collect::<Result<_, Error>>().map_err(|error| system_error(&error))?;
    Ok(Answered::Json(StatusCode::OK, json!({ "data": rows })))
}

/// A time as the service writes it, in China's time zone.
pub(super) fn china_time(time: SystemTime) -> String {
    rfc3339(time, UtcOffset::from_hms(8, 0, 0).unwrap_or(UtcOffset::UTC))
}

/// An overseas statement, which is signed by its SHA-1.
fn statement(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let file = format!("Transaction time,Amount\n`{},`0.01\n", asked.request.uri().query().unwrap_or_default());
    let sha1 = hex(ring::digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, file.as_bytes()).as_ref());
    Ok(Answered::Statement(file.into(), sha1))
}

fn system_error(error: &Error) -> Refusal {
    Refusal {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        code: "SYSTEM_ERROR",
        message: error.to_string(),
        detail: Value::Null,
    }
}

/// A new opaque id.
fn id() -> Result<String, Refusal> {
    random::nonce().map_err(|error| system_error(&error))
}
