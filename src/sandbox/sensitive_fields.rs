//! Encrypted fields: those of requests are encrypted for the platform, those of responses for the
//! merchant.

use serde_json::Value;

use super::platform::Platform;
use super::refusal::Refusal;
use super::request::InboundRequest;
use crate::catalog::{Encoding, Field};
use crate::proto::verify::SERIAL;

/// Checks that `Wechatpay-Serial`, if it is given, names a key of the platform.
pub(super) fn check_serial(platform: &Platform, inbound: &InboundRequest) -> Result<(), Refusal> {
    match inbound.header(SERIAL) {
        Some(serial) if !platform.has_key(serial) => {
            Err(Refusal::param("header", "Wechatpay-Serial", "平台证书序列号Wechatpay-Serial错误"))
        }
        _ => Ok(()),
    }
}

/// Replaces an encrypted field of a part of a request by its text, if it is given. `at` is the JSON
/// pointer of that part.
///
/// The ciphertext of each attempt differs, so only the text shows whether a request is repeated.
pub(super) fn decrypt(
    platform: &Platform,
    inbound: &InboundRequest,
    part: &mut Value,
    at: &str,
    name: &str,
) -> Result<(), Refusal> {
    match part.get_mut(name).filter(|value| !value.is_null()) {
        Some(field) => decrypt_value(platform, inbound, field, "body", &format!("{at}/{name}")),
        None => Ok(()),
    }
}

/// Replaces the encrypted fields of a part of a request by their texts. An empty text stays empty.
pub(super) fn decrypt_documented(
    platform: &Platform,
    inbound: &InboundRequest,
    fields: &[Field],
    part: &mut Value,
    (location, at): (&str, &str),
) -> Result<(), Refusal> {
    if let Value::Array(items) = part {
        return items.iter_mut().enumerate().try_for_each(|(index, item)| {
            decrypt_documented(platform, inbound, fields, item, (location, &format!("{at}/{index}")))
        });
    }
    for field in fields {
        let Some(value) = part.get_mut(&field.name) else { continue };
        let at = if location == "body" { format!("{at}/{}", field.name) } else { field.name.clone() };
        if field.encoding != Encoding::Encrypted {
            decrypt_documented(platform, inbound, &field.fields, value, (location, &at))?;
        } else if value.as_str().is_some_and(|text| !text.is_empty()) {
            decrypt_value(platform, inbound, value, location, &at)?;
        }
    }
    Ok(())
}

fn decrypt_value(
    platform: &Platform,
    inbound: &InboundRequest,
    field: &mut Value,
    location: &str,
    pointer: &str,
) -> Result<(), Refusal> {
    let Some(ciphertext) = field.as_str() else {
        return Err(Refusal::param(location, pointer, format!("参数 {pointer} 应为字符串")));
    };
    let serial = inbound
        .header(SERIAL)
        .ok_or_else(|| Refusal::param("header", "Wechatpay-Serial", "请求包含敏感信息，Http头缺少Wechatpay-Serial"))?;
    let decrypted = platform.decrypt(serial, ciphertext).map_err(|error| {
        let mut refusal = Refusal::param(location, pointer, format!("参数 {pointer} 解密失败，请检查敏感信息加密"));
        refusal.detail["issue"] = error.message().into();
        refusal
    })?;
    *field = decrypted.into();
    Ok(())
}

/// Encrypts a text for the merchant.
pub(super) fn for_merchant(platform: &Platform, text: &str) -> Result<Value, Refusal> {
    let key = platform.keys.merchant.public_key();
    key.encrypt(text.as_bytes()).map(Value::from).map_err(|error| Refusal::system_error(&error))
}
