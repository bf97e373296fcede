//! The shapes of the service's answers, and their signature.

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use crate::crypto::{PrivateKey, random};
use crate::error::Error;
use crate::proto::signing_string::{self, SCHEME};
use crate::proto::verify;

/// A refusal in the service's JSON: `{"code", "message", "detail"}`.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) detail: Value,
}

impl Refusal {
    /// 400 `PARAM_ERROR` on one field, named by its JSON pointer.
    pub(super) fn param(location: &str, field: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Refusal {
            status: StatusCode::BAD_REQUEST,
            code: "PARAM_ERROR",
            detail: json!({ "field": field, "issue": message, "location": location }),
            message,
        }
    }

    pub(super) fn json(&self) -> Value {
        let mut body = json!({ "code": self.code, "message": self.message });
        if !self.detail.is_null() {
            body["detail"] = self.detail.clone();
        }
        body
    }
}

pub(super) fn json_answer(status: StatusCode, body: &Value) -> Response<Bytes> {
    // 204 has no body.
    let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    answer
}

/// Adds the four headers of an answer or a notification: signed over `covered` at `timestamp`, with a key of the id `serial`.
pub(super) fn sign(
    headers: &mut HeaderMap,
    covered: &[u8],
    key: &PrivateKey,
    timestamp: i64,
    serial: &str,
) -> Result<(), Error> {
    let timestamp = timestamp.to_string();
    let nonce = random::nonce()?;
    let signature = BASE64_STANDARD.encode(key.sign(&signing_string::response(&timestamp, &nonce, covered))?);
    for (name, value) in [
        (verify::TIMESTAMP, timestamp.as_str()),
        (verify::NONCE, &nonce),
        (verify::SIGNATURE, &signature),
        (verify::SERIAL, serial),
        ("wechatpay-signature-type", SCHEME),
    ] {
        let value =
            HeaderValue::from_str(value).map_err(|source| Error::config("no header value").with_source(source))?;
        headers.insert(name, value);
    }
    Ok(())
}
