//! The endpoints of APIv2: orders, refunds and red packets.

use serde_json::{Value, json};

use super::api_orders::{code_url, h5_url};
use super::api_refunds;
use super::china_time;
use super::ledger_records::{Order, OrderApi, OrderTerms, Refund, RefundStatus, TradeType, record_key};
use super::ledger_refunds::NewRefund;
use super::merchant::MCHID;
use super::resources::{BUYER_BALANCE, buyer};
use super::schema::{is_appid, is_notify_url, is_number, is_openid};
use super::state::State;
use super::v2_fields::{V2Refusal, V2Response, fen, optional, text};
use crate::clock::china_digits;
use crate::proto::v2::Fields;

type Handler = fn(&mut State, &Fields, i64) -> Result<V2Response, V2Refusal>;

pub(super) struct Route {
    path: &'static str,
    pub(super) needs_client_certificate: bool,
    pub(super) handler: Handler,
}

const ROUTES: &[Route] = &[
    Route { path: "/pay/unifiedorder", needs_client_certificate: false, handler: place_order },
    Route { path: "/pay/orderquery", needs_client_certificate: false, handler: query_order },
    Route { path: "/pay/closeorder", needs_client_certificate: false, handler: close_order },
    Route { path: "/secapi/pay/refund", needs_client_certificate: true, handler: refund },
    Route { path: "/secapi/pay/refundv2", needs_client_certificate: true, handler: refund },
    Route { path: "/pay/refundquery", needs_client_certificate: false, handler: query_refund },
    Route { path: "/pay/refundqueryv2", needs_client_certificate: false, handler: query_refund },
    Route { path: "/mmpaymkttransfers/sendredpack", needs_client_certificate: true, handler: send_red_pack },
];

/// The route of a path.
pub(super) fn route(path: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.path == path)
}

/// The part of a request that is the same when it is repeated.
fn repeatable(request: &Fields) -> Value {
    let mut repeatable = Value::Object(request.clone());
    for name in ["sign", "nonce_str"] {
        repeatable[name] = Value::Null;
    }
    repeatable
}

fn place_order(state: &mut State, request: &Fields, now: i64) -> Result<V2Response, V2Refusal> {
    let trade_type = match text(request, "trade_type")? {
        "NATIVE" => {
            text(request, "product_id")?;
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
    for name in ["spbill_create_ip", "appid", "body"] {
        text(request, name)?;
    }
    let terms = OrderTerms {
        api: OrderApi::V2,
        owner: MCHID.to_owned(),
        out_trade_no: text(request, "out_trade_no")?.to_owned(),
        trade_type,
        total: fen(request, "total_fee")?,
        notify_url: text(request, "notify_url")?.to_owned(),
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
    if !is_notify_url(&terms.notify_url) {
        return Err(V2Refusal::malformed("notify_url"));
    }
    let prepay_id = &state.ledger.place(terms, now)?.prepay_id;
    let mut response = json!({ "trade_type": trade_type.as_str(), "prepay_id": prepay_id });
    match trade_type {
        TradeType::Native => response["code_url"] = code_url(prepay_id).into(),
        TradeType::H5 => response["mweb_url"] = h5_url(prepay_id).into(),
        TradeType::Jsapi | TradeType::App => {}
    }
    Ok(V2Response::new(response))
}

/// The order that a request names by one of its numbers.
fn find_order<'a>(state: &'a State, request: &Fields) -> Result<&'a Order, V2Refusal> {
    let (out_trade_no, transaction_id) = (optional(request, "out_trade_no"), optional(request, "transaction_id"));
    if out_trade_no.is_none() && transaction_id.is_none() {
        return Err(V2Refusal::missing("out_trade_no"));
    }
    let order = state.ledger.order(MCHID, out_trade_no.unwrap_or_default(), transaction_id.unwrap_or_default())?;
    // An order of APIv2 belongs to an appid. One that was placed by APIv3 has it in the same field.
    if optional(request, "appid").is_some_and(|appid| appid != order.requested("/appid")) {
        return Err(V2Refusal::Result("APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配，或订单不属于该appid"));
    }
    Ok(order)
}

fn query_order(state: &mut State, request: &Fields, _: i64) -> Result<V2Response, V2Refusal> {
    let order = find_order(state, request)?;
    let total = order.terms.total.to_string();
    let mut response = json!({
        "out_trade_no": order.terms.out_trade_no, "trade_state": order.state.as_str(), "total_fee": total,
        "attach": order.requested("/attach"), "trade_type": order.terms.trade_type.as_str(),
        "trade_state_desc": order.state.description(),
    });
    if let Some(payment) = &order.payment {
        response["transaction_id"] = payment.transaction_id.as_str().into();
        response["openid"] = buyer(order).into();
        response["is_subscribe"] = "N".into();
        response["bank_type"] = "OTHERS".into();
        response["cash_fee"] = total.into();
        response["time_end"] = china_digits(payment.paid_at).into();
    }
    Ok(V2Response::new(response))
}

fn close_order(state: &mut State, request: &Fields, _: i64) -> Result<V2Response, V2Refusal> {
    state.ledger.close(&record_key(MCHID, text(request, "out_trade_no")?))?;
    Ok(V2Response::new(json!({ "result_msg": "OK" })))
}

fn refund(state: &mut State, request: &Fields, now: i64) -> Result<V2Response, V2Refusal> {
    let new = NewRefund {
        out_refund_no: text(request, "out_refund_no")?,
        amount: fen(request, "refund_fee")?,
        total: fen(request, "total_fee")?,
        notify_url: optional(request, "notify_url"),
        reason: optional(request, "refund_desc"),
    };
    if new.notify_url.is_some_and(|url| !is_notify_url(url)) {
        return Err(V2Refusal::malformed("notify_url"));
    }
    let key = find_order(state, request)?.key();
    let refunded = state.ledger.refund(&key, &new, now)?;
    let notification = api_refunds::complete(state, &refunded, now)?;
    let refund = refunded.refund();
    let total = refund.total.to_string();
    let fields = json!({
        "transaction_id": refund.transaction_id, "out_trade_no": refund.out_trade_no,
        "out_refund_no": refund.out_refund_no, "refund_id": refund.refund_id,
        "refund_fee": refund.amount.to_string(), "total_fee": total, "cash_fee": total,
    });
    Ok(V2Response { notifications: notification.into_iter().collect(), ..V2Response::new(fields) })
}

/// The refunds that a number names: one refund, or all of an order.
fn query_refund(state: &mut State, request: &Fields, _: i64) -> Result<V2Response, V2Refusal> {
    let number = |name: &str| optional(request, name).unwrap_or_default();
    let (out_refund_no, refund_id) = (number("out_refund_no"), number("refund_id"));
    let (transaction_id, out_trade_no) = (number("transaction_id"), number("out_trade_no"));
    let given = |number: &str, wanted: &str| !wanted.is_empty() && number == wanted;
    let refunds: Vec<&Refund> = state
        .ledger
        .refunds
        .values()
        .filter(|refund| {
            if !out_refund_no.is_empty() || !refund_id.is_empty() {
                return given(&refund.out_refund_no, out_refund_no) || given(&refund.refund_id, refund_id);
            }
            given(&refund.transaction_id, transaction_id) || given(&refund.out_trade_no, out_trade_no)
        })
        .collect();
    let first = refunds.first().ok_or(V2Refusal::Result("REFUNDNOTEXIST", "退款订单查询失败"))?;
    let total = first.total.to_string();
    let mut response = json!({
        "transaction_id": first.transaction_id, "out_trade_no": first.out_trade_no, "total_fee": total,
        "cash_fee": total, "refund_count": refunds.len().to_string(),
    });
    for (index, refund) in refunds.iter().enumerate() {
        for (name, value) in [
            ("out_refund_no", refund.out_refund_no.clone()),
            ("refund_id", refund.refund_id.clone()),
            ("refund_fee", refund.amount.to_string()),
            ("refund_status", refund.status.as_v2_str().to_owned()),
            ("refund_recv_accout", BUYER_BALANCE.to_owned()),
        ] {
            response[format!("{name}_{index}")] = value.into();
        }
        if refund.status == RefundStatus::Success {
            let succeeded_at = refund.succeeded_at.unwrap_or(refund.created_at);
            response[format!("refund_success_time_{index}")] = china_time::format_plain(succeeded_at).into();
        }
    }
    Ok(V2Response::new(response))
}

fn send_red_pack(state: &mut State, request: &Fields, now: i64) -> Result<V2Response, V2Refusal> {
    for name in ["wxappid", "send_name", "total_num", "wishing", "client_ip", "act_name", "remark"] {
        text(request, name)?;
    }
    let total = fen(request, "total_amount")?;
    if !(100..=20_000).contains(&total) {
        return Err(V2Refusal::Result("MONEY_LIMIT", "每个红包金额必须在1元至200元之间"));
    }
    let (bill, openid) = (text(request, "mch_billno")?, text(request, "re_openid")?);
    let key = format!("redpack-{bill}");
    let transfer = state.ledger.transfer(&key, total, &repeatable(request), now)?;
    let number = transfer.transfer_bill_no.clone();
    // A red packet needs no confirmation. A repeated request finds it confirmed, which is not an
    // error here.
    let _ = state.ledger.confirm_transfer(&key, now);
    Ok(V2Response::new(json!({
        "mch_billno": bill, "wxappid": text(request, "wxappid")?, "re_openid": openid,
        "total_amount": total.to_string(), "send_listid": number,
    })))
}
