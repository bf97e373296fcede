//! What a handler returns: a response that is not signed yet, and the notifications that the
//! request causes.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde_json::Value;

use super::delivery::Notification;
use super::refusal::Refusal;
use super::signature::Signer;
use crate::error::Error;
use crate::proto::verify::STATEMENT_SHA1;

pub(super) struct RouteResponse {
    pub(super) http: Response<Bytes>,
    /// The length of a generated file that is sent instead of the body.
    pub(super) generated_file: Option<u64>,
    pub(super) signature: Signature,
    /// Enqueued in the same transaction.
    pub(super) notifications: Vec<Notification>,
    /// How the request differs from the documentation, if that did not refuse it.
    pub(super) findings: Vec<String>,
}

/// How a response is signed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Signature {
    /// By headers that cover the body.
    OverBody,
    /// By headers that cover these bytes instead of the body.
    Over(Bytes),
    /// Within the XML of the body, if at all.
    InBody,
    Unsigned,
}

impl RouteResponse {
    pub(super) fn new(http: Response<Bytes>, signature: Signature) -> Self {
        RouteResponse { http, generated_file: None, signature, notifications: Vec::new(), findings: Vec::new() }
    }

    /// 200 with this JSON.
    pub(super) fn json(body: &Value) -> Self {
        RouteResponse::json_with_status(StatusCode::OK, body)
    }

    /// A JSON response; without a body if it is `null`.
    pub(super) fn json_with_status(status: StatusCode, body: &Value) -> Self {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let mut http = Response::new(body);
        *http.status_mut() = status;
        http.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        RouteResponse::new(http, Signature::OverBody)
    }

    /// 204.
    pub(super) fn no_content() -> Self {
        RouteResponse::json_with_status(StatusCode::NO_CONTENT, &Value::Null)
    }

    /// A file, which is not signed.
    pub(super) fn file(file: Bytes) -> Self {
        let mut http = Response::new(file);
        let content_type = media_type(http.body());
        http.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        RouteResponse::new(http, Signature::Unsigned)
    }

    /// A generated file of this length, which is not signed.
    pub(super) fn generated_file(length: u64) -> Self {
        RouteResponse { generated_file: Some(length), ..RouteResponse::file(Bytes::new()) }
    }

    /// An overseas statement: a file whose SHA-1 is signed.
    pub(super) fn statement(file: Bytes, sha1: &str) -> Self {
        let covered = format!("{{\"sha1\":\"{sha1}\"}}");
        let mut http = RouteResponse::file(file).http;
        if let Ok(value) = HeaderValue::from_str(sha1) {
            http.headers_mut().insert(HeaderName::from_static(STATEMENT_SHA1), value);
        }
        RouteResponse::new(http, Signature::Over(covered.into()))
    }

    /// Adds a notification.
    pub(super) fn notify(mut self, notification: Option<Notification>) -> Self {
        self.notifications.extend(notification);
        self
    }

    /// Signs the response, where its headers carry the signature.
    pub(super) fn sign(&mut self, signer: &Signer) -> Result<(), Error> {
        let covered = match &self.signature {
            Signature::OverBody => self.http.body().clone(),
            Signature::Over(covered) => covered.clone(),
            Signature::InBody | Signature::Unsigned => return Ok(()),
        };
        signer.sign(self.http.headers_mut(), &covered)
    }
}

/// The media type of a file, by its first bytes.
pub(super) fn media_type(file: &[u8]) -> &'static str {
    match file {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'B', b'M', ..] => "image/bmp",
        [0x1f, 0x8b, ..] => "application/x-gzip",
        _ => "text/plain; charset=utf-8",
    }
}

impl From<Refusal> for RouteResponse {
    fn from(refusal: Refusal) -> Self {
        RouteResponse::json_with_status(refusal.status, &refusal.json())
    }
}
