//! Refunds.

use super::events;
use super::ledger_records::{RefundStatus, record_key};
use super::ledger_refunds::NewRefund;
use super::refusal::Refusal;
use super::resources;
use super::response::RouteResponse;
use super::route_request::{RouteRequest, owner, text};
use super::schema::{Field, Kind, MAX_FEN, optional, required};
use super::state::State;

const REFUND: &[Field] = &[
    optional("/transaction_id", Kind::Text(32)),
    optional("/out_trade_no", Kind::Number),
    required("/out_refund_no", Kind::Text(64)),
    optional("/reason", Kind::Text(80)),
    optional("/notify_url", Kind::Url),
    required("/amount", Kind::Object),
    required("/amount/refund", Kind::Integer(1, MAX_FEN)),
    required("/amount/total", Kind::Integer(1, MAX_FEN)),
    required("/amount/currency", Kind::OneOf(&["CNY"])),
];

pub(super) fn refund(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let body = request.json(&[REFUND])?;
    let (out_trade_no, transaction_id) = (text(&body, "out_trade_no"), text(&body, "transaction_id"));
    if out_trade_no.is_empty() && transaction_id.is_empty() {
        return Err(Refusal::param("body", "/out_trade_no", "transaction_id和out_trade_no须二选一"));
    }
    let fen = |name: &str| body["amount"][name].as_u64().unwrap_or_default();
    let new = NewRefund {
        out_refund_no: text(&body, "out_refund_no"),
        amount: fen("refund"),
        total: fen("total"),
        notify_url: body["notify_url"].as_str(),
        reason: body["reason"].as_str(),
    };
    let order = state.ledger.order(owner(&body), out_trade_no, transaction_id).map_err(Refusal::of_resource)?;
    let key = order.key();
    let refunded = state.ledger.refund(&key, &new, request.now)?;
    let body = resources::refund(refunded.refund(), RefundStatus::Processing);
    Ok(RouteResponse::json(&body).notify(events::refund(&state.ledger, &refunded)))
}

pub(super) fn query(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let key = record_key(&request.query_owner(), request.variable("out_refund_no"));
    let refund = state.ledger.refunds.get(&key).ok_or_else(Refusal::no_resource)?;
    Ok(RouteResponse::json(&resources::refund(refund, RefundStatus::Success)))
}
