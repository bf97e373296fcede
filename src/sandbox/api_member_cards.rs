//! Member cards: permission tokens, and where the events of cards are sent.

use serde_json::json;

use super::merchant::MCHID;
use super::refusal::Refusal;
use super::response::RouteResponse;
use super::route_request::{RouteRequest, text};
use super::schema::{Field, Kind, optional, required};
use super::state::State;
use crate::crypto::random;

const PERMISSION: &[Field] = &[
    required("/activate_type", Kind::Text(64)),
    optional("/navigate_back_previous_page", Kind::Boolean),
    optional("/activate_url", Kind::Text(512)),
    optional("/activate_appid", Kind::Text(64)),
    optional("/activate_path", Kind::Text(512)),
    optional("/outer_str", Kind::Text(128)),
];
const CALLBACK: &[Field] = &[required("/notify_url", Kind::Url)];

pub(super) fn permission_token(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let card_id = request.variable("card_id");
    if card_id.is_empty() || !card_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        return Err(Refusal::param("path", "card_id", "参数 card_id 不合法"));
    }
    let body = request.json(&[PERMISSION])?;
    let token = random::nonce().map_err(|error| Refusal::system_error(&error))?;
    state.member_cards.permissions.insert(card_id.to_owned(), body);
    Ok(RouteResponse::json(&json!({ "permission_token": token })))
}

pub(super) fn set_callback(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let body = request.json(&[CALLBACK])?;
    let url = text(&body, "notify_url");
    state.member_cards.notify_url = Some(url.to_owned());
    Ok(RouteResponse::json(&json!({ "mchid": MCHID, "notify_url": url })))
}

pub(super) fn callback(state: &mut State, _: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    match &state.member_cards.notify_url {
        Some(url) => Ok(RouteResponse::json(&json!({ "mchid": MCHID, "notify_url": url }))),
        None => Err(Refusal::not_found("未设置会员卡回调地址")),
    }
}
