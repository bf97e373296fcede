//! Responds to the documented calls of APIv2 that have no handler of their own.

use http::header::{HeaderValue, LOCATION};
use http::{Response, StatusCode};
use serde_json::{Map, Value};

use super::documented::{self, Known};
use super::documented_check;
use super::numbers;
use super::plausible::UNPAID;
use super::request::InboundRequest;
use super::state::State;
use super::v2_fields::{V2Refusal, V2Response};
use crate::catalog::{Call, ResponseKind};
use crate::crypto::hash;
use crate::proto::v2::Fields;

/// Fields that every response has.
const COMMON: [&str; 8] =
    ["return_code", "return_msg", "result_code", "err_code", "err_code_des", "nonce_str", "sign", "sign_type"];

/// Compares a request with its documentation. Returns the findings of a lenient sandbox.
pub(super) fn check(
    state: &State,
    call: &Call,
    inbound: &InboundRequest,
    fields: &Fields,
) -> Result<Vec<String>, V2Refusal> {
    let findings = documented_check::findings_v2(call, inbound, fields);
    match documented_check::refusal_v2(&findings) {
        Some(refusal) if !state.lenient => Err(refusal),
        _ => Ok(findings.warnings().collect()),
    }
}

/// Responds to a query that the ledger does not answer, if another call placed its order.
pub(super) fn respond_if_created(
    state: &mut State,
    call: &Call,
    inbound: &InboundRequest,
    request: &Fields,
    now: i64,
) -> Option<Result<V2Response, V2Refusal>> {
    let mut known = Known::of_v2(call, inbound.path(), request);
    documented::find(state, &mut known, &names(request)).ok()?;
    known.is_placed(state).then(|| respond(state, call, inbound, request, now).map(without_payment))
}

/// The response for an order, without the fields of a payment if it is not paid.
fn without_payment(mut response: V2Response) -> V2Response {
    if let Some(fields) =
        response.fields.as_object_mut().filter(|fields| fields.get("trade_state").is_some_and(|state| state == UNPAID))
    {
        for name in ["bank_type", "cash_fee", "is_subscribe", "openid", "time_end", "transaction_id"] {
            fields.remove(name);
        }
        fields.insert("trade_state_desc".to_owned(), "订单未支付".into());
    }
    response
}

fn names(request: &Fields) -> Vec<(String, String)> {
    request.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// Responds to an authenticated request.
pub(super) fn respond(
    state: &mut State,
    call: &Call,
    inbound: &InboundRequest,
    request: &Fields,
    now: i64,
) -> Result<V2Response, V2Refusal> {
    match call.response_kind() {
        ResponseKind::Text | ResponseKind::File => {
            let file = format!("{} {}\n", call.title(), call.template().unwrap_or_default());
            return Ok(V2Response::other(Response::new(file.into())));
        }
        ResponseKind::Redirect => {
            let mut response = Response::new(Default::default());
            *response.status_mut() = StatusCode::FOUND;
            response.headers_mut().insert(LOCATION, HeaderValue::from_static("https://payapp.weixin.qq.com/"));
            return Ok(V2Response::other(response));
        }
        _ => {}
    }
    let mut known = Known::of_v2(call, inbound.path(), request);
    if names_object(call) {
        documented::find(state, &mut known, &names(request)).map_err(|(name, _)| unknown(call, &name))?;
    }
    let failed = |_| V2Refusal::Result("SYSTEMERROR", "系统错误");
    let response = documented::response(state, call, &known, now, &|text| Ok(text.into())).map_err(failed)?;
    let mut fields: Map<String, Value> = response.into_iter().map(|(name, value)| (name, as_text(value))).collect();
    for name in COMMON {
        fields.remove(name);
    }
    documented::remember(state, call, &known, fields.clone(), now);
    if call.response().iter().any(|field| field.name == "sign_type" && field.required) {
        let sign_type = request.get("sign_type").cloned().unwrap_or_else(|| hash::MD5.into());
        fields.insert("sign_type".to_owned(), sign_type);
    }
    Ok(V2Response::new(fields.into()))
}

/// Whether a call is about an object that exists, by the verb in its path.
fn names_object(call: &Call) -> bool {
    const VERBS: [&str; 10] =
        ["query", "get", "close", "reverse", "cancel", "finish", "consume", "change", "delete", "redeclare"];
    let last = call.template().and_then(|template| template.rsplit('/').next()).unwrap_or_default();
    VERBS.iter().any(|verb| last.contains(verb))
}

/// The refusal of an unknown number.
fn unknown(call: &Call, name: &str) -> V2Refusal {
    let template = call.template().unwrap_or_default();
    match name {
        _ if template.contains("refund") => V2Refusal::Result("REFUNDNOTEXIST", "退款订单查询失败"),
        "out_trade_no" | "transaction_id" => V2Refusal::Result("ORDERNOTEXIST", "订单不存在"),
        _ => V2Refusal::Result("NOT_FOUND", "指定单号数据不存在"),
    }
}

/// A value in XML.
pub(super) fn as_text(value: Value) -> Value {
    match value {
        Value::Number(number) => number.to_string().into(),
        Value::Bool(value) => value.to_string().into(),
        Value::Array(items) => items.into_iter().map(as_text).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, as_text(value))).collect(),
        other => other,
    }
}

impl Known {
    fn of_v2(call: &Call, path: &str, request: &Fields) -> Known {
        Known::new(numbers::product(call.template().unwrap_or_default()), path, request.clone(), Map::new())
    }
}
