//! Member cards, media, certificates, the echo that tests a merchant's keys, overseas statements.

use bytes::Bytes;
use http::StatusCode;
use ring::digest::SHA1_FOR_LEGACY_USE_ONLY;
use serde_json::{Value, json};

use super::answer::Refusal;
use super::fields::{Field, Kind, check};
use super::outbox::{self, Message};
use super::routes::{Answered, Asked, body, china_time, china_time_of};
use super::upload::Upload;
use super::{MCHID, PUBLIC_KEY_ID};
use crate::clock::now;
use crate::crypto::{Certificate, hash, hex, random};
use crate::error::Error;
use crate::proto::verify::SERIAL;

/// Member-card pre-authorisation.
pub(super) fn permission_token(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let card_id = asked.variable(0);
    if card_id.is_empty() || !card_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        return Err(Refusal::param("path", "card_id", "参数 card_id 不合法"));
    }
    const FIELDS: &[Field] = &[
        ("/activate_type", Kind::Text(64), true),
        ("/navigate_back_previous_page", Kind::Boolean, false),
        ("/activate_url", Kind::Text(512), false),
        ("/activate_appid", Kind::Text(64), false),
        ("/activate_path", Kind::Text(512), false),
        ("/outer_str", Kind::Text(128), false),
    ];
    let request = body(asked.request)?;
    check(&request, FIELDS)?;
    let token = id()?;
    let mut book = asked.state.book();
    book.cards.insert(card_id.to_owned(), request);
    Ok(Answered::Json(StatusCode::OK, json!({ "permission_token": token })))
}

/// Where the events of member cards go.
pub(super) fn set_card_callback(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let request = body(asked.request)?;
    check(&request, &[("/notify_url", Kind::Url, true)])?;
    let url = request["notify_url"].as_str().unwrap_or_default();
    asked.state.book().card_callback = Some(url.to_owned());
    Ok(Answered::Json(StatusCode::OK, json!({ "mchid": MCHID, "notify_url": url })))
}

pub(super) fn card_callback(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    match &asked.state.book().card_callback {
        Some(url) => Ok(Answered::Json(StatusCode::OK, json!({ "mchid": MCHID, "notify_url": url }))),
        None => Err(not_found("未设置会员卡回调地址")),
    }
}

fn not_found(message: &str) -> Refusal {
    Refusal {
        status: StatusCode::NOT_FOUND,
        code: "RESOURCE_NOT_EXISTS",
        message: message.to_owned(),
        detail: Value::Null,
    }
}

/// Pictures and videos: the digest in the `meta` must be the file's.
pub(super) fn media_id(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    uploaded(asked)?;
    Ok(Answered::Json(StatusCode::OK, json!({ "media_id": id()? })))
}

/// A picture of a complaint, which can be fetched again.
pub(super) fn image(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let (file, id) = (uploaded(asked)?.file.clone(), id()?);
    asked.state.book().keep_image(id.clone(), file);
    Ok(Answered::Json(StatusCode::OK, json!({ "media_id": id })))
}

pub(super) fn image_file(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let book = asked.state.book();
    let image = book.images.iter().find(|(id, _)| id == asked.variable(0)).map(|(_, file)| file.clone());
    image.map(Answered::Bytes).ok_or_else(|| not_found("图片不存在"))
}

fn uploaded<'a>(asked: &'a Asked<'_>) -> Result<&'a Upload, Refusal> {
    let upload = asked
        .upload
        .ok_or_else(|| Refusal::param("header", "Content-Type", "Http头Content-Type应为multipart/form-data"))?;
    let meta: Value = serde_json::from_slice(&upload.meta)
        .map_err(|error| Refusal::param("body", "/meta", format!("meta不是合法的JSON: {error}")))?;
    check(&meta, &[("/filename", Kind::Text(256), true), ("/sha256", Kind::Text(64), true)])?;
    if meta["sha256"] != hash::sha256(&upload.file) {
        return Err(Refusal::param("body", "/meta/sha256", "图片文件的sha256与meta中的sha256不一致"));
    }
    Ok(upload)
}

/// The platform's certificates, sealed with the APIv3 key.
pub(super) fn certificates(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let issued = asked.state.book().certificates.clone();
    if issued.is_empty() {
        return Err(not_found("无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥"));
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

/// Tests a merchant's keys in one call: what was encrypted for the platform is opened, and comes back by notification.
pub(super) fn echo(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let request = body(asked.request)?;
    check(
        &request,
        &[
            ("/notify_url", Kind::Url, false),
            ("/echo_message", Kind::Text(128), true),
            ("/encrypted_echo_message", Kind::Text(1024), false),
        ],
    )?;
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    let mut answer = json!({ "echo_message": text("echo_message") });
    if let Some(sealed) = text("encrypted_echo_message") {
        let serial = asked.request.headers().get(SERIAL).and_then(|value| value.to_str().ok()).unwrap_or(PUBLIC_KEY_ID);
        let opened = asked.state.decrypt(serial, sealed).map_err(|error| {
            Refusal::param(
                "body",
                "/encrypted_echo_message",
                format!("解密失败: {} (Wechatpay-Serial {serial})", error.message()),
            )
        })?;
        if Some(opened.as_str()) != text("echo_message") {
            return Err(Refusal::param("body", "/encrypted_echo_message", "解密后的内容与echo_message不一致"));
        }
        answer["encrypted_echo_message"] = sealed.into();
    }
    if let Some(url) = text("notify_url") {
        let resource = json!({ "echo_message": text("echo_message"), "event_time": china_time_of(now()) });
        let message = Message::v3("SECURITY_ECHO.SUCCESS", "security-echo", resource);
        outbox::push(&mut asked.state.book(), url, message);
    }
    Ok(Answered::Json(StatusCode::OK, answer))
}

/// An overseas statement, which is signed by its SHA-1.
pub(super) fn statement(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let file = format!("Transaction time,Amount\n`{},`0.01\n", asked.request.uri().query().unwrap_or_default());
    let sha1 = hex::encode(ring::digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, file.as_bytes()).as_ref());
    Ok(Answered::Statement(Bytes::from(file), sha1))
}

pub(super) fn system_error(error: &Error) -> Refusal {
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
