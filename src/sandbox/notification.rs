//! The requests that deliver notifications: encrypted and signed, as the service sends them.

use std::time::SystemTime;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Method, Request};
use serde_json::{Map, Value, json};

use super::china_time;
use super::delivery::{Format, Message};
use super::keys::Keys;
use super::signature::{Signer, header_value};
use super::v2;
use crate::crypto::secret::Secret;
use crate::crypto::{aes_ecb, hash, random};
use crate::error::Error;
use crate::proto::{verify, xml};

/// The request that delivers a message, to be completed by its URL.
pub(super) fn request(id: &str, message: &Message, keys: &Keys, signer: &Signer) -> Result<Request<Bytes>, Error> {
    match &message.format {
        Format::V2 => {
            let mut request = post(body_v2(keys, &message.resource)?);
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
            Ok(request)
        }
        Format::V3 { original_type } => request_v3(id, message, original_type, keys, signer),
        Format::Probe { original_type } => {
            let mut request = request_v3(id, message, original_type, keys, signer)?;
            let signature = header_value(&format!("WECHATPAY/SIGNTEST/{}", random::nonce()?))?;
            request.headers_mut().insert(verify::SIGNATURE, signature);
            Ok(request)
        }
    }
}

fn post(body: Bytes) -> Request<Bytes> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    request
}

fn request_v3(
    id: &str,
    message: &Message,
    original_type: &str,
    keys: &Keys,
    signer: &Signer,
) -> Result<Request<Bytes>, Error> {
    let nonce: String = random::nonce()?.chars().take(12).collect();
    let ciphertext = keys.apiv3_key.encrypt(message.resource.to_string().as_bytes(), &nonce, original_type)?;
    let body = json!({
        "id": id,
        "create_time": china_time::format(SystemTime::now()),
        "resource_type": "encrypt-resource",
        "event_type": message.event_type,
        "summary": summary(&message.event_type),
        "resource": {
            "original_type": original_type,
            "algorithm": "AEAD_AES_256_GCM",
            "ciphertext": ciphertext,
            "associated_data": original_type,
            "nonce": nonce,
        },
    });
    let mut request = post(body.to_string().into());
    let body = request.body().clone();
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(USER_AGENT, HeaderValue::from_static("Mozilla/4.0"));
    headers.insert("request-id", header_value(&random::nonce()?)?);
    signer.sign(headers, &body)?;
    Ok(request)
}

/// The service's description of an event.
fn summary(event_type: &str) -> &str {
    match event_type {
        "TRANSACTION.SUCCESS" => "支付成功",
        "REFUND.SUCCESS" => "退款成功",
        "MCHTRANSFER.BILL.FINISHED" => "商家转账单据终态通知",
        other => other,
    }
}

/// The XML of a notification of APIv2 with these fields. It is signed with MD5, or with HMAC-SHA256
/// if `sign_type` or `algorithm` names it. An object in `req_info` or `event_ciphertext` is
/// encrypted.
pub(super) fn body_v2(keys: &Keys, fields: &Value) -> Result<Bytes, Error> {
    let (credential, apiv3_key) = (&keys.apiv2, &keys.apiv3_key);
    let mut fields = fields
        .as_object()
        .cloned()
        .ok_or_else(|| Error::options("the fields of an APIv2 notification must be a JSON object"))?;
    if !["mchid", "combine_mch_id"].iter().any(|name| fields.contains_key(*name)) {
        fields.entry("mch_id").or_insert_with(|| credential.mchid.as_str().into());
    }
    fields.entry("nonce_str").or_insert(random::nonce()?.into());
    // A notification of a refund is not signed. Its fields are encrypted instead.
    if let Some(info) = fields.get("req_info").and_then(Value::as_object) {
        let key = Secret::from(hash::md5(credential.secret.expose()));
        let ciphertext = aes_ecb::encrypt(with_root("root", info).as_bytes(), &key)?;
        fields.insert("req_info".to_owned(), ciphertext.into());
        return Ok(xml::write(&fields).into());
    }
    if let Some(event) = fields.get("event_ciphertext").and_then(Value::as_object) {
        let nonce: String = random::nonce()?.chars().take(12).collect();
        let associated_data = fields.get("event_associated_data").and_then(Value::as_str).unwrap_or_default();
        let ciphertext = apiv3_key.encrypt(xml::write(event).as_bytes(), &nonce, associated_data)?;
        for (name, value) in [
            ("event_ciphertext", ciphertext.as_str()),
            ("event_nonce", &nonce),
            ("event_algorithm", "AEAD_AES_256_GCM"),
            ("algorithm", hash::HMAC_SHA256),
        ] {
            fields.insert(name.to_owned(), value.into());
        }
    }
    let is_hmac = |name: &str| fields.get(name).is_some_and(|value| value == hash::HMAC_SHA256);
    let sign_type = if is_hmac("sign_type") || is_hmac("algorithm") { hash::HMAC_SHA256 } else { hash::MD5 };
    v2::sign(&mut fields, sign_type, credential)?;
    Ok(xml::write(&fields).into())
}

/// XML with another root element.
fn with_root(root: &str, fields: &Map<String, Value>) -> String {
    let text = xml::write(fields);
    let inside = text.strip_prefix("<xml>").and_then(|text| text.strip_suffix("</xml>")).unwrap_or_default();
    format!("<{root}>{inside}</{root}>")
}
