//! Payments with a code of the buyer, which the merchant scans (APIv3 and APIv2), and with the
//! buyer's face (APIv2). They succeed at once, unless payments are held.

use serde_json::json;

use super::api_orders;
use super::api_v2_orders::{self, add_payment, find_order};
use super::ledger_records::TradeType;
use super::refusal::Refusal;
use super::resources;
use super::response::RouteResponse;
use super::route_request::RouteRequest;
use super::schema::{Field, Kind, WRONG_PAYMENT_CODE, is_payment_code, required};
use super::state::State;
use super::v2_fields::{V2Refusal, V2Response, text};
use crate::proto::v2::Fields;

const CODE: &[Field] = &[
    required("/payer", Kind::Object),
    required("/payer/auth_code", Kind::PaymentCode),
    required("/scene_info", Kind::Object),
];

pub(super) fn pay(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let order = api_orders::place(state, request, TradeType::Micropay, &[CODE])?;
    let key = order.key();
    if !state.hold.payments {
        state.ledger.pay(&key, request.now)?;
    }
    let order = state.ledger.orders.get(&key).ok_or_else(Refusal::no_resource)?;
    let mut response = resources::transaction(order);
    if let (None, Some(fields)) = (&order.payment, response.as_object_mut()) {
        // Until the buyer has paid, the service returns the state without these fields.
        fields.retain(|name, _| !["trade_state_desc", "attach", "amount", "payer"].contains(&name.as_str()));
    }
    Ok(RouteResponse::json(&response))
}

pub(super) fn micropay(state: &mut State, request: &Fields, now: i64) -> Result<V2Response, V2Refusal> {
    if !is_payment_code(text(request, "auth_code")?) {
        return Err(V2Refusal::Result("AUTH_CODE_INVALID", WRONG_PAYMENT_CODE));
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
        // The order was placed, although the response is an error.
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

/// Reverses an order and its payment.
pub(super) fn reverse_v2(state: &mut State, request: &Fields, now: i64) -> Result<V2Response, V2Refusal> {
    let key = find_order(state, request)?.key();
    state.ledger.reverse(&key, now)?;
    Ok(V2Response::new(json!({ "recall": "N" })))
}
