//! Orders of APIv2.

use serde_json::{Value, json};

use super::api_orders::{code_url, h5_url};
use super::china_time;
use super::ledger_records::{Order, OrderApi, OrderTerms, TradeType, record_key};
use super::merchant::MCHID;
use super::resources::buyer;
use super::schema::{is_appid, is_notify_url, is_number, is_openid};
use super::state::State;
use super::v2_fields::{V2Refusal, V2Response, fen, optional, text};
use crate::clock::china_digits;
use crate::proto::v2::Fields;

/// The fields of a request that do not change when it is repeated.
pub(super) fn repeatable(request: &Fields) -> Value {
    let mut repeatable = Value::Object(request.clone());
    for name in ["sign", "nonce_str"] {
        repeatable[name] = Value::Null;
    }
    repeatable
}

pub(super) fn place_order(state: &mut State, request: &Fields, now: i64) -> Result<V2Response, V2Refusal> {
    let trade_type = match text(request, "trade_type")? {
        "NATIVE" => {
            // An order with a contract does not require a `product_id`.
            if optional(request, "contract_code").is_none() {
                text(request, "product_id")?;
            }
            TradeType::Native
        }
        "APP" => TradeType::App,
        "MWEB" => {
            text(request, "scene_info")?;
            TradeType::H5
        }
        "JSAPI" => {
            if optional(request, "sub_openid").is_none() && !is_openid(text(request, "openid")?) {
                return Err(V2Refusal::malformed("openid"));
            }
            TradeType::Jsapi
        }
        _ => return Err(V2Refusal::malformed("trade_type")),
    };
    text(request, "notify_url")?;
    let prepay_id = &place(state, request, trade_type, now)?.prepay_id;
    let mut response = json!({ "trade_type": trade_type.as_str(), "prepay_id": prepay_id });
    match trade_type {
        TradeType::Native => response["code_url"] = code_url(prepay_id).into(),
        TradeType::H5 => response["mweb_url"] = h5_url(prepay_id).into(),
        _ => {}
    }
    Ok(V2Response::new(response))
}

/// Places an order. An order that is paid with a code does not have a `notify_url`.
pub(super) fn place<'a>(
    state: &'a mut State,
    request: &Fields,
    trade_type: TradeType,
    now: i64,
) -> Result<&'a Order, V2Refusal> {
    for name in ["spbill_create_ip", "appid", "body"] {
        text(request, name)?;
    }
    let terms = OrderTerms {
        api: OrderApi::V2,
        owner: MCHID.to_owned(),
        out_trade_no: text(request, "out_trade_no")?.to_owned(),
        trade_type,
        total: fen(request, "total_fee")?,
        notify_url: optional(request, "notify_url").unwrap_or_default().to_owned(),
        profit_sharing: optional(request, "profit_sharing") == Some("Y"),
        combine_out_trade_no: None,
        request: repeatable(request),
    };
    if !is_appid(text(request, "appid")?) {
        return Err(V2Refusal::Result("APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配"));
    }
    if let Some(expiry) = optional(request, "time_expire") {
        if china_time::parse_digits(expiry).is_none_or(|time| time <= now) {
            return Err(V2Refusal::Return("time_expire时间过期，或格式有误".to_owned()));
        }
    }
    if !is_number(&terms.out_trade_no) {
        return Err(V2Refusal::malformed("out_trade_no"));
    }
    if !terms.notify_url.is_empty() && !is_notify_url(&terms.notify_url) {
        return Err(V2Refusal::malformed("notify_url"));
    }
    Ok(state.ledger.place(terms, now)?)
}

/// Places an order with a contract, which the buyer also signs.
pub(super) fn place_with_contract(state: &mut State, request: &Fields, now: i64) -> Result<V2Response, V2Refusal> {
    let mut response = place_order(state, request, now)?;
    for name in ["plan_id", "request_serial", "contract_code", "contract_display_account", "out_trade_no"] {
        response.fields[name] = text(request, name)?.into();
    }
    response.fields["contract_result_code"] = "SUCCESS".into();
    Ok(response)
}

/// The order whose `out_trade_no` or `transaction_id` is in the request.
pub(super) fn find_order<'a>(state: &'a State, request: &Fields) -> Result<&'a Order, V2Refusal> {
    let (out_trade_no, transaction_id) = (optional(request, "out_trade_no"), optional(request, "transaction_id"));
    if out_trade_no.is_none() && transaction_id.is_none() {
        return Err(V2Refusal::missing("out_trade_no"));
    }
    let order = state.ledger.order(MCHID, out_trade_no.unwrap_or_default(), transaction_id.unwrap_or_default())?;
    // An order belongs to an appid. APIv2 and APIv3 use the same field for it.
    if optional(request, "appid").is_some_and(|appid| appid != order.requested("/appid")) {
        return Err(V2Refusal::Result("APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配，或订单不属于该appid"));
    }
    Ok(order)
}

pub(super) fn query_order(state: &mut State, request: &Fields, _: i64) -> Result<V2Response, V2Refusal> {
    let order = find_order(state, request)?;
    let total = order.terms.total.to_string();
    let mut response = json!({
        "out_trade_no": order.terms.out_trade_no, "trade_state": order.state.as_str(), "total_fee": total,
        "attach": order.requested("/attach"), "trade_type": order.terms.trade_type.as_str(),
        "trade_state_desc": order.state.description(),
    });
    add_payment(order, &mut response);
    Ok(V2Response::new(response))
}

/// Adds the fields of a paid order.
pub(super) fn add_payment(order: &Order, response: &mut Value) {
    if let Some(payment) = &order.payment {
        response["transaction_id"] = payment.transaction_id.as_str().into();
        response["openid"] = buyer(order).into();
        response["is_subscribe"] = "N".into();
        response["bank_type"] = "OTHERS".into();
        response["cash_fee"] = order.terms.total.to_string().into();
        response["time_end"] = china_digits(payment.paid_at).into();
    }
}

pub(super) fn close_order(state: &mut State, request: &Fields, _: i64) -> Result<V2Response, V2Refusal> {
    state.ledger.close(&record_key(MCHID, text(request, "out_trade_no")?))?;
    Ok(V2Response::new(json!({ "result_msg": "OK" })))
}
