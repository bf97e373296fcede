//! Profit sharing and its returns.

use serde_json::{Value, json};

use super::china_time;
use super::ledger::{Ledger, LedgerError};
use super::ledger_profit_sharing::{NewSharing, Rest, receiver_key};
use super::ledger_records::{
    ProfitSharing, ProfitSharingReturn, Receiver, ReceiverResult, SharingReceiver, record_key,
};
use super::refusal::Refusal;
use super::response::RouteResponse;
use super::route_request::{RouteRequest, owner, text};
use super::schema::{Field, Kind, MAX_FEN, check_at, required};
use super::sensitive_fields;
use super::state::State;

const SHARING_KEY: &[Field] = &[required("/transaction_id", Kind::Text(32)), required("/out_order_no", Kind::Text(64))];
const SHARING: &[Field] = &[required("/receivers", Kind::List(1, 50)), required("/unfreeze_unsplit", Kind::Boolean)];
const DESCRIPTION: &[Field] = &[required("/description", Kind::Text(80))];
const RECEIVER: &[Field] = &[
    required("/type", Kind::OneOf(&["MERCHANT_ID", "PERSONAL_OPENID", "PERSONAL_SUB_OPENID"])),
    required("/account", Kind::Text(64)),
];
const ADDED_RECEIVER: &[Field] = &[
    required("/appid", Kind::Appid),
    required(
        "/relation_type",
        Kind::OneOf(&[
            "SERVICE_PROVIDER",
            "STORE",
            "STAFF",
            "STORE_OWNER",
            "PARTNER",
            "HEADQUARTER",
            "BRAND",
            "DISTRIBUTOR",
            "USER",
            "SUPPLIER",
            "CUSTOM",
        ]),
    ),
];
const RECEIVER_AMOUNT: &[Field] =
    &[required("/amount", Kind::Integer(1, MAX_FEN)), required("/description", Kind::Text(80))];
const RETURN: &[Field] = &[
    required("/out_return_no", Kind::Text(64)),
    required("/return_mchid", Kind::Number),
    required("/amount", Kind::Integer(1, MAX_FEN)),
    required("/description", Kind::Text(80)),
];

pub(super) fn share(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let mut body = request.json(&[SHARING_KEY, SHARING])?;
    let owner = owner(&body).to_owned();
    let mut receivers = Vec::new();
    for (index, receiver) in body["receivers"].as_array_mut().into_iter().flatten().enumerate() {
        let at = format!("/receivers/{index}");
        check_at(receiver, &at, RECEIVER)?;
        check_at(receiver, &at, RECEIVER_AMOUNT)?;
        sensitive_fields::decrypt(&state.platform, request.inbound, receiver, &at, "name")?;
        let key = receiver_key(&owner, text(receiver, "type"), text(receiver, "account"));
        if !state.ledger.receivers.contains_key(&key) {
            return Err(LedgerError::NoRelation.into());
        }
        let amount = receiver["amount"].as_u64().unwrap_or_default();
        let of = |name: &str| text(receiver, name);
        receivers.push(SharingReceiver::new(of("type"), of("account"), amount, of("description")));
    }
    let rest = if body["unfreeze_unsplit"] == true { Rest::Unfreezes } else { Rest::StaysFrozen };
    share_order(state, &body, receivers, rest, request.now)
}

pub(super) fn unfreeze(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let body = request.json(&[SHARING_KEY, DESCRIPTION])?;
    share_order(state, &body, Vec::new(), Rest::Unfreezes, request.now)
}

fn share_order(
    state: &mut State,
    body: &Value,
    receivers: Vec<SharingReceiver>,
    rest: Rest,
    now: i64,
) -> Result<RouteResponse, Refusal> {
    let order = state.ledger.order(owner(body), "", text(body, "transaction_id")).map_err(Refusal::of_resource)?;
    let (order_key, out_order_no) = (order.key(), text(body, "out_order_no"));
    let key = record_key(owner(body), out_order_no);
    let is_new = !state.ledger.sharings.contains_key(&key);
    let new = NewSharing { out_order_no, receivers, rest, request: body };
    let is_finished = state.ledger.share_profit(&order_key, new, now)?.is_finished();
    if is_new && !is_finished && !state.hold.profit_sharings {
        state.ledger.end_sharing(&key, None, (ReceiverResult::Success, None), now)?;
    }
    let sharing = state.ledger.sharings.get(&key).ok_or_else(Refusal::no_resource)?;
    Ok(RouteResponse::json(&sharing_json(sharing)))
}

fn sharing_json(sharing: &ProfitSharing) -> Value {
    let create_time = china_time::format_seconds(sharing.created_at);
    let receiver_json = |receiver: &SharingReceiver| {
        // The documentation requires `finish_time` in each state.
        let ended_at = receiver.ended_at.unwrap_or(sharing.created_at);
        let mut json = json!({
            "type": receiver.kind, "account": receiver.account, "amount": receiver.amount,
            "description": receiver.description, "result": receiver.result.as_str(),
            "create_time": create_time, "finish_time": china_time::format_seconds(ended_at),
        });
        if let Some(reason) = &receiver.fail_reason {
            json["fail_reason"] = reason.as_str().into();
        }
        json
    };
    let state = if sharing.is_finished() { "FINISHED" } else { "PROCESSING" };
    json!({
        "transaction_id": sharing.transaction_id, "out_order_no": sharing.out_order_no,
        "order_id": sharing.order_id, "state": state,
        "receivers": sharing.receivers.iter().map(receiver_json).collect::<Value>(),
    })
}

pub(super) fn query(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let transaction_id = request.required_query("transaction_id")?;
    let sharing = state.ledger.sharings.get(&record_key(&request.query_owner(), request.variable("out_order_no")));
    let sharing = sharing.filter(|sharing| sharing.transaction_id == transaction_id);
    Ok(RouteResponse::json(&sharing_json(sharing.ok_or_else(Refusal::no_resource)?)))
}

pub(super) fn unsplit_amount(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let transaction_id = request.variable("transaction_id");
    let order = state.ledger.order_by_transaction(transaction_id).ok_or_else(Refusal::no_resource)?;
    Ok(RouteResponse::json(&json!({ "transaction_id": transaction_id, "unsplit_amount": order.frozen })))
}

pub(super) fn add_receiver(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let mut body = request.json(&[RECEIVER, ADDED_RECEIVER])?;
    sensitive_fields::decrypt(&state.platform, request.inbound, &mut body, "", "name")?;
    let mut response = echo(&body, &["sub_mchid", "type", "account", "relation_type", "custom_relation"]);
    if let Some(name) = body["name"].as_str() {
        response["name"] = sensitive_fields::for_merchant(&state.platform, name)?;
    }
    let receiver = Receiver { relation_type: text(&body, "relation_type").to_owned() };
    state.ledger.add_receiver(&receiver_key(owner(&body), text(&body, "type"), text(&body, "account")), receiver);
    Ok(RouteResponse::json(&response))
}

pub(super) fn delete_receiver(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let body = request.json(&[RECEIVER])?;
    state.ledger.remove_receiver(&receiver_key(owner(&body), text(&body, "type"), text(&body, "account")));
    Ok(RouteResponse::json(&echo(&body, &["sub_mchid", "type", "account"])))
}

/// The fields of a request that its response repeats.
fn echo(body: &Value, names: &[&str]) -> Value {
    let fields = names.iter().filter_map(|name| Some(((*name).to_owned(), body.get(*name)?.clone())));
    Value::Object(fields.collect())
}

pub(super) fn return_profit(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let body = request.json(&[RETURN])?;
    let order_id = text(&body, "order_id");
    let by_id = state.ledger.sharings.iter().find(|(_, sharing)| !order_id.is_empty() && sharing.order_id == order_id);
    let key = by_id.map_or_else(|| record_key(owner(&body), text(&body, "out_order_no")), |(key, _)| key.clone());
    let amount = body["amount"].as_u64().unwrap_or_default();
    let returned = state
        .ledger
        .return_profit(&key, text(&body, "out_return_no"), amount, &body, request.now)
        .map_err(Refusal::of_resource)?
        .clone();
    Ok(RouteResponse::json(&return_json(&state.ledger, &returned)))
}

pub(super) fn query_return(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let key = record_key(&request.query_owner(), request.variable("out_return_no"));
    let returned = state.ledger.sharing_returns.get(&key).ok_or_else(Refusal::no_resource)?;
    Ok(RouteResponse::json(&return_json(&state.ledger, returned)))
}

fn return_json(ledger: &Ledger, returned: &ProfitSharingReturn) -> Value {
    let sharing = ledger.sharings.get(&returned.sharing);
    let time = china_time::format_seconds(returned.created_at);
    json!({
        "order_id": sharing.map(|sharing| sharing.order_id.as_str()),
        "out_order_no": sharing.map(|sharing| sharing.out_order_no.as_str()),
        "out_return_no": returned.out_return_no, "return_id": returned.return_id,
        "return_mchid": text(&returned.request, "return_mchid"), "amount": returned.amount,
        "description": text(&returned.request, "description"), "result": "SUCCESS",
        "create_time": time, "finish_time": time,
    })
}
