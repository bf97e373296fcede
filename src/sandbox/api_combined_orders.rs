//! Combined orders: several orders that are paid together.

use serde_json::Value;

use super::api_orders::prepay;
use super::ledger::LedgerError;
use super::ledger_records::{OrderApi, OrderTerms, TradeType, record_key};
use super::refusal::Refusal;
use super::resources;
use super::response::RouteResponse;
use super::route_request::{RouteRequest, check_merchant, text};
use super::schema::{Field, Kind, MAX_FEN, check_at, optional, required};
use super::state::State;

const APPID: Field = required("/combine_appid", Kind::Appid);
const SUB_ORDERS: Field = required("/sub_orders", Kind::List(2, 50));
const COMBINED: &[Field] = &[
    APPID,
    required("/combine_mchid", Kind::Number),
    required("/combine_out_trade_no", Kind::OrderNumber),
    required("/notify_url", Kind::Url),
    optional("/time_expire", Kind::Expiry),
    optional("/limit_pay", Kind::List(1, 10)),
    optional("/combine_payer_info/openid", Kind::Openid),
    SUB_ORDERS,
];
const JSAPI: &[Field] = &[required("/combine_payer_info/openid", Kind::Text(128))];
const H5: &[Field] = &[
    required("/scene_info", Kind::Object),
    required("/scene_info/payer_client_ip", Kind::Text(45)),
    required("/scene_info/h5_info/type", Kind::Text(32)),
];
const SUB_ORDER_KEY: &[Field] = &[required("/mchid", Kind::Number), required("/out_trade_no", Kind::Number)];
const SUB_ORDER: &[Field] = &[
    required("/description", Kind::Text(127)),
    required("/attach", Kind::Text(128)),
    required("/amount", Kind::Object),
    required("/amount/total_amount", Kind::Integer(1, MAX_FEN)),
    required("/amount/currency", Kind::OneOf(&["CNY"])),
    optional("/settle_info/profit_sharing", Kind::Boolean),
];

pub(super) fn place_native(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    place(state, request, TradeType::Native, &[])
}

pub(super) fn place_app(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    place(state, request, TradeType::App, &[])
}

pub(super) fn place_h5(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    place(state, request, TradeType::H5, H5)
}

pub(super) fn place_jsapi(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    place(state, request, TradeType::Jsapi, JSAPI)
}

fn place(
    state: &mut State,
    request: &RouteRequest<'_>,
    trade_type: TradeType,
    fields: &[Field],
) -> Result<RouteResponse, Refusal> {
    let body = request.json(&[COMBINED])?;
    check_merchant(&body, "/combine_mchid")?;
    super::schema::check(&body, fields)?;
    let mut orders: Vec<OrderTerms> = Vec::new();
    for (index, sub_order) in sub_orders(&body) {
        let at = format!("/sub_orders/{index}");
        check_at(sub_order, &at, SUB_ORDER_KEY)?;
        check_at(sub_order, &at, &[required("/out_trade_no", Kind::OrderNumber)])?;
        check_at(sub_order, &at, SUB_ORDER)?;
        orders.push(sub_order_terms(&body, sub_order, trade_type));
    }
    // All of them are placed, or none, so everything is checked before the first one.
    for (index, terms) in orders.iter().enumerate() {
        let same = |other: &OrderTerms| (&other.owner, &other.out_trade_no) == (&terms.owner, &terms.out_trade_no);
        if orders[..index].iter().any(same) {
            let field = format!("/sub_orders/{index}/out_trade_no");
            return Err(Refusal::param("body", &field, format!("参数 {field} 重复")));
        }
        state.ledger.check_place(terms)?;
    }
    // A combined order that is paid or closed takes no further orders.
    for key in state.ledger.combined_order_keys(text(&body, "combine_out_trade_no")) {
        state.ledger.check_pay(&key, request.now)?;
    }
    let mut prepay_id = String::new();
    for terms in orders {
        prepay_id.clone_from(&state.ledger.place(terms, request.now)?.prepay_id);
    }
    Ok(RouteResponse::json(&prepay(trade_type, &prepay_id)))
}

fn sub_orders(body: &Value) -> impl Iterator<Item = (usize, &Value)> {
    body["sub_orders"].as_array().into_iter().flatten().enumerate()
}

fn sub_order_terms(body: &Value, sub_order: &Value, trade_type: TradeType) -> OrderTerms {
    let mut request = sub_order.clone();
    for name in ["combine_appid", "combine_mchid", "combine_payer_info", "time_expire"] {
        request[name] = body[name].clone();
    }
    OrderTerms {
        api: OrderApi::Combined,
        owner: text(sub_order, "mchid").to_owned(),
        out_trade_no: text(sub_order, "out_trade_no").to_owned(),
        trade_type,
        total: sub_order["amount"]["total_amount"].as_u64().unwrap_or_default(),
        notify_url: text(body, "notify_url").to_owned(),
        profit_sharing: sub_order.pointer("/settle_info/profit_sharing") == Some(&Value::Bool(true)),
        combine_out_trade_no: Some(text(body, "combine_out_trade_no").to_owned()),
        request,
    }
}

pub(super) fn query(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let body = resources::combined_order(&state.ledger, request.variable("combine_out_trade_no"));
    Ok(RouteResponse::json(&body.ok_or(LedgerError::NotFound)?))
}

pub(super) fn close(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let body = request.json(&[&[APPID, SUB_ORDERS]])?;
    let mut keys = Vec::new();
    for (index, sub_order) in sub_orders(&body) {
        check_at(sub_order, &format!("/sub_orders/{index}"), SUB_ORDER_KEY)?;
        keys.push(record_key(text(sub_order, "mchid"), text(sub_order, "out_trade_no")));
    }
    let combined = state.ledger.combined_order_keys(request.variable("combine_out_trade_no"));
    // All of them are closed, or none.
    for key in &keys {
        if !combined.contains(key) {
            return Err(LedgerError::NotFound.into());
        }
        state.ledger.check_close(key)?;
    }
    for key in &keys {
        state.ledger.close(key)?;
    }
    Ok(RouteResponse::no_content())
}
