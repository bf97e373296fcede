//! NotificationVerifier as the service sends them.

use std::time::SystemTime;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, Response, Uri};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::routes::china_time;
use super::{answer, v2};
use crate::crypto::secret::Secret;
use crate::crypto::{Apiv3Key, PrivateKey, aes_ecb, hash, random};
use crate::error::Error;
use crate::pipeline::call_config::CallConfig;
use crate::proto::v2::Credential;
use crate::proto::xml;
use crate::transport::connect::{Connector, Proxy};
use crate::transport::http_client::Transport;
use crate::transport::runtime;

/// The body of a notification of APIv2.
pub(super) fn make_v2(credential: &Credential, fields: &Value) -> Result<Bytes, Error> {
    let mut fields = fields
        .as_object()
        .cloned()
        .ok_or_else(|| Error::options("a notification of APIv2 is an object of its fields"))?;
    fields.entry("mch_id").or_insert_with(|| credential.mchid.as_str().into());
    fields.entry("nonce_str").or_insert(random::nonce()?.into());
    // The one about refunds is sealed instead of signed.
    if let Some(info) = fields.get("req_info").and_then(Value::as_object) {
        let key = Secret::from(hash::md5(credential.secret.expose()));
        let sealed = aes_ecb::encrypt(xml::write(info).as_bytes(), &key)?;
        fields.insert("req_info".to_owned(), sealed.into());
        return Ok(xml::write(&fields).into());
    }
    v2::sign(&mut fields, hash::HMAC_SHA256, credential)?;
    Ok(xml::write(&fields).into())
}

/// In words, as the service says it.
fn summary(event_type: &str) -> &str {
    match event_type {
        "TRANSACTION.SUCCESS" => "支付成功",
        "REFUND.SUCCESS" => "退款成功",
        "MCHTRANSFER.BILL.FINISHED" => "商家转账单据终态通知",
        other => other,
    }
}

/// What a notification is made of.
pub(super) struct Made<'a> {
    pub(super) id: &'a str,
    pub(super) event_type: &'a str,
    pub(super) original_type: &'a str,
    pub(super) resource: &'a Value,
}

/// Makes a notification, signed at a time with a key of the id `serial`.
pub(super) fn make(
    apiv3_key: &Apiv3Key,
    key: &PrivateKey,
    serial: &str,
    at: i64,
    made: &Made<'_>,
) -> Result<Request<Bytes>, Error> {
    let Made { id, event_type, original_type, resource } = made;
    let sealing: String = random::nonce()?.chars().take(12).collect();
    let body = json!({
        "id": id,
        "create_time": china_time(SystemTime::now()),
        "resource_type": "encrypt-resource",
        "event_type": event_type,
        "summary": summary(event_type),
        "resource": {
            "original_type": original_type,
            "algorithm": "AEAD_AES_256_GCM",
            "ciphertext": apiv3_key.encrypt(resource.to_string().as_bytes(), &sealing, original_type)?,
            "associated_data": original_type,
            "nonce": sealing,
        },
    });
    let body = Bytes::from(body.to_string());
    let mut request = Request::new(body.clone());
    *request.method_mut() = Method::POST;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(USER_AGENT, HeaderValue::from_static("Mozilla/4.0"));
    headers.insert(
        "request-id",
        HeaderValue::try_from(random::nonce()?)
            .map_err(|source| Error::config("no header value").with_source(source))?,
    );
    answer::sign(headers, &body, key, at, serial)?;
    Ok(request)
}

/// Makes a control call to a running sandbox; null asks, anything else changes.
#[cfg(feature = "cli")]
pub(crate) fn call(url: &str, body: &Value) -> Result<(http::StatusCode, Bytes), Error> {
    let mut request = Request::new(Bytes::new());
    if !body.is_null() {
        *request.method_mut() = Method::POST;
        *request.body_mut() = body.to_string().into();
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let answer = send(url, request)?;
    Ok((answer.status(), answer.into_body()))
}

/// Sends it, to this machine only.
pub(super) fn send(url: &str, mut notification: Request<Bytes>) -> Result<Response<Bytes>, Error> {
    let uri: Uri = url.parse().map_err(|source: http::uri::InvalidUri| {
        Error::options(format!("the notify_url {url:?} is no URL")).with_source(source)
    })?;
    if !matches!(uri.host(), Some("127.0.0.1" | "localhost" | "[::1]")) {
        return Err(Error::options(format!(
            "the notify_url {url:?} is not on this machine, and the sandbox sends to no other"
        )));
    }
    *notification.uri_mut() = uri;
    notification.extensions_mut().insert(CallConfig::default());
    let connector = Connector::new(&Proxy::Off, &[], std::time::Duration::from_secs(5))?;
    runtime::block_on(Transport::new(connector).oneshot(notification))
}
