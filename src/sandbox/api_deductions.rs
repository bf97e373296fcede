//! Deductions in APIv3 and APIv2: payments that the buyer agreed to in a contract. They succeed at
//! once, unless payments are held.

use serde_json::json;

use super::api_v2_orders;
use super::delivery::Notification;
use super::events;
use super::ledger::LedgerError;
use super::ledger_records::{OrderApi, OrderTerms, TradeType};
use super::merchant::MCHID;
use super::refusal::Refusal;
use super::response::RouteResponse;
use super::route_request::{RouteRequest, text};
use super::schema::{Field, Kind, MAX_FEN, optional, required};
use super::state::State;
use super::v2_fields::{self, V2Refusal, V2Response};
use crate::proto::v2::Fields;

const DEDUCTION: &[Field] = &[
    required("/out_trade_no", Kind::OrderNumber),
    required("/description", Kind::Text(127)),
    required("/transaction_notify_url", Kind::Url),
    required("/contract_id", Kind::Text(64)),
    required("/amount", Kind::Object),
    required("/amount/total", Kind::Integer(1, MAX_FEN)),
    optional("/amount/currency", Kind::OneOf(&["CNY"])),
    optional("/attach", Kind::Text(128)),
];
const DIRECT: &[Field] = &[required("/appid", Kind::Appid)];
const PARTNER: &[Field] = &[required("/sp_appid", Kind::Appid), required("/sub_mchid", Kind::Number)];

pub(super) fn apply(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    place(state, request, OrderApi::Direct, DIRECT, "mchid")
}

pub(super) fn apply_by_partner(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    place(state, request, OrderApi::Partner, PARTNER, "sp_mchid")
}

/// Places the order of a deduction. `signer` is the field for the merchant that signs. The request
/// does not contain this field, so it is added.
fn place(
    state: &mut State,
    request: &RouteRequest<'_>,
    api: OrderApi,
    fields: &[Field],
    signer: &str,
) -> Result<RouteResponse, Refusal> {
    let mut body = request.json(&[fields, DEDUCTION])?;
    let amount = body["amount"].clone();
    body[signer] = MCHID.into();
    let terms = OrderTerms {
        api,
        owner: super::route_request::owner(&body).to_owned(),
        out_trade_no: text(&body, "out_trade_no").to_owned(),
        trade_type: TradeType::Deduction,
        total: amount["total"].as_u64().unwrap_or_default(),
        notify_url: text(&body, "transaction_notify_url").to_owned(),
        profit_sharing: false,
        combine_out_trade_no: None,
        request: body,
    };
    let out_trade_no = terms.out_trade_no.clone();
    let key = state.ledger.place(terms, request.now)?.key();
    let notification = deduct(state, &key, request.now)?;
    Ok(RouteResponse::json(&json!({ "out_trade_no": out_trade_no, "amount": amount })).notify(notification))
}

pub(super) fn apply_v2(state: &mut State, request: &Fields, now: i64) -> Result<V2Response, V2Refusal> {
    v2_fields::text(request, "notify_url")?;
    v2_fields::text(request, "contract_id")?;
    if v2_fields::text(request, "trade_type")? != TradeType::Deduction.as_str() {
        return Err(V2Refusal::malformed("trade_type"));
    }
    let key = api_v2_orders::place(state, request, TradeType::Deduction, now)?.key();
    let notification = deduct(state, &key, now)?;
    Ok(V2Response { notifications: notification.into_iter().collect(), ..V2Response::new(json!({})) })
}

/// Pays the order, unless payments are held. Returns the notification.
fn deduct(state: &mut State, key: &str, now: i64) -> Result<Option<Notification>, LedgerError> {
    if state.hold.payments {
        return Ok(None);
    }
    state.ledger.pay(key, now)?;
    let order = state.ledger.orders.get(key).ok_or(LedgerError::NotFound)?;
    Ok(events::payment(&state.ledger, order))
}
