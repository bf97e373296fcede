//! The echo, which tests all keys of a merchant in one call: it decrypts a sensitive field and
//! sends a notification.

use serde_json::{Value, json};

use super::china_time;
use super::delivery::{Message, Notification};
use super::merchant::PUBLIC_KEY_ID;
use super::refusal::Refusal;
use super::response::RouteResponse;
use super::route_request::RouteRequest;
use super::schema::{Field, Kind, optional, required};
use super::sensitive_fields;
use super::state::State;
use crate::proto::verify::SERIAL;

const ECHO: &[Field] = &[
    optional("/notify_url", Kind::Url),
    required("/echo_message", Kind::Text(128)),
    optional("/encrypted_echo_message", Kind::Text(1024)),
];

pub(super) fn echo(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let body = request.json(&[ECHO])?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let echo_message = text("echo_message");
    let mut response = json!({ "echo_message": echo_message });
    if let Some(ciphertext) = text("encrypted_echo_message") {
        let refusal = |message: String| Refusal::param("body", "/encrypted_echo_message", message);
        let key_id = request.inbound.header(SERIAL).unwrap_or(PUBLIC_KEY_ID);
        let decrypted = state
            .platform
            .decrypt(key_id, ciphertext)
            .map_err(|error| refusal(format!("解密失败: {} (Wechatpay-Serial {key_id})", error.message())))?;
        if Some(decrypted.as_str()) != echo_message {
            return Err(refusal("解密后的内容与echo_message不一致".to_owned()));
        }
        response["encrypted_echo_message"] = sensitive_fields::for_merchant(&state.platform, &decrypted)?;
    }
    let notification = text("notify_url").map(|url| {
        let event_time = china_time::format_seconds(request.now);
        let resource = json!({ "echo_message": echo_message, "event_time": event_time });
        Notification::new(url, Message::v3("SECURITY_ECHO.SUCCESS", "security-echo", resource))
    });
    Ok(RouteResponse::json(&response).notify(notification))
}
