//! Payments with a code of the buyer, which the merchant scans: in APIv3 and APIv2, and with the
//! buyer's face in APIv2. They are paid at once, unless payments are held.

use serde_json::json;

use super::api_orders;
use super::api_v2_orders::{self, add_payment, find_order};
use super::ledger_records::{OrderApi, TradeType};
use super::refusal::Refusal;
use super::resources;
use super::response::RouteResponse;
use super::route_request::RouteRequest;
use super::schema::{Field, Kind, required};
use super::state::State;
use super::v2_fields::{V2Refusal, V2Response, text};
use crate::proto::v2::Fields;

const CODE: &[Field] = &[
    required("/payer", Kind::Object),
    required("/payer/auth_code", Kind::Text(32)),
    required("/scene_info", Kind::Object),
];

/// Whether a text is a payment code: 18 digits that begin with 10 to 15.
fn is_code(text: &str) -> bool {
    let is_first = |prefix: &str| ["10", "11", "12", "13", "14", "15"].contains(&prefix);
    text.len() == 18 && text.bytes().all(|byte| byte.is_ascii_digit()) && text.get(..2).is_some_and(is_first)
}

const WRONG_CODE: &str = "请扫描微信支付授权码(以10/11/12/13/14/15为前缀的18位数字)";

pub(super) fn pay(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let body = request.json(&[CODE])?;
    if !body["payer"]["auth_code"].as_str().is_some_and(is_code) {
        return Err(Refusal::param("body", "/payer/auth_code", WRONG_CODE));
    }
    let order = api_orders::place(state, request, TradeType::Micropay, &[CODE])?;
    let key = order.key();
    if state.hold.payments {
        let order = state.ledger.orders.get(&key).ok_or_else(Refusal::no_resource)?;
        let mut response = json!({ "out_trade_no": order.terms.out_trade_no, "trade_state": order.state.as_str() });
        let merchants: &[&str] = match order.terms.api {
            OrderApi::Partner => &["sp_appid", "sp_mchid", "sub_appid", "sub_mchid"],
            _ => &["appid", "mchid"],
        };
        for name in merchants.iter().filter(|name| !body[**name].is_null()) {
            response[*name] = body[*name].clone();
        }
        return Ok(RouteResponse::json(&response));
    }
    state.ledger.pay(&key, request.now)?;
    let order = state.ledger.orders.get(&key).ok_or_else(Refusal::no_resource)?;
    Ok(RouteResponse::json(&resources::transaction(order)))
}

pub(super) fn micropay(state: &mut State, request: &Fields, now: i64) -> Result<V2Response, V2Refusal> {
    if !is_code(text(request, "auth_code")?) {
        return Err(V2Refusal::Result("AUTH_CODE_INVALID", WRONG_CODE));
    }
    pay_v2(state, request, TradeType::Micropay, now)
}

pub(super) fn facepay(state: &mut State, request: &Fields, now: i64) -> Result<V2Response, V2Refusal> {
    text(request, "face_code")?;
    pay_v2(state, request, TradeType::Face, now)
}

fn pay_v2(state: &mut State, request: &Fields, trade_type: TradeType, now: i64) -> Result<V2Response, V2Refusal> {
    let key = api_v2_orders::place(state, request, trade_type, now)?.key();
    if state.hold.payments {
        // The order exists, although the response is a refusal.
        return Err(V2Refusal::Result("USERPAYING", "需要用户输入支付密码"));
    }
    state.ledger.pay(&key, now)?;
    let mut response = json!({ "trade_type": trade_type.as_str(), "fee_type": "CNY" });
    if let Some(order) = state.ledger.orders.get(&key) {
        response["out_trade_no"] = order.terms.out_trade_no.as_str().into();
        response["total_fee"] = order.terms.total.to_string().into();
        response["attach"] = order.requested("/attach").into();
        add_payment(order, &mut response);
    }
    Ok(V2Response::new(response))
}

/// The merchant takes back a payment.
pub(super) fn reverse_v2(state: &mut State, request: &Fields, now: i64) -> Result<V2Response, V2Refusal> {
    let key = find_order(state, request)?.key();
    state.ledger.reverse(&key, now)?;
    Ok(V2Response::new(json!({ "recall": "N" })))
}
