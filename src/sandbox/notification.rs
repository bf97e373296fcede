//! Notifications as the service sends them.

use std::time::SystemTime;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, Response, Uri};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::routes::china_time;
use super::{answer, v2};
use crate::clock::now;
use crate::connect::{Connector, Proxy};
use crate::crypto::{Apiv3Key, PrivateKey, hash, random};
use crate::error::Error;
use crate::exchange::Exchange;
use crate::proto::v2::Credential;
use crate::proto::xml;
use crate::runtime;
use crate::transport::Transport;

/// The body of a notification of APIv2.
pub(super) fn make_v2(credential: &Credential, fields: &Value) -> Result<Bytes, Error> {
    let mut fields = fields
        .as_object()
        .cloned()
        .ok_or_else(|| Error::options("a notification of APIv2 is an object of its fields"))?;
    fields.entry("mch_id").or_insert_with(|| credential.mchid.as_str().into());
    fields.entry("nonce_str").or_insert(random::nonce()?.into());
    v2::sign(&mut fields, hash::HMAC_SHA256, credential)?;
    Ok(xml::write(&fields).into())
}

/// Makes a notification of `resource`, signed with a key of the id `serial`.
pub(super) fn make(
    apiv3_key: &Apiv3Key,
    key: &PrivateKey,
    serial: &str,
    event_type: &str,
    original_type: &str,
    resource: &Value,
) -> Result<Request<Bytes>, Error> {
    let sealing: String = random::nonce()?.chars().take(12).collect();
    let body = json!({
        "id": random::nonce()?,
        "create_time": china_time(SystemTime::now()),
        "resource_type": "encrypt-resource",
        "event_type": event_type,
        "summary": event_type,
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
    answer::sign(headers, &body, key, now(), serial)?;
    Ok(request)
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
    notification.extensions_mut().insert(Exchange::default());
    let connector = Connector::new(&Proxy::Off, &[], std::time::Duration::from_secs(5))?;
    runtime::block_on(Transport::new(connector).oneshot(notification))
}
