//! Orders, of a merchant and of a partner's merchant, alone and combined.

use http::StatusCode;
use serde_json::{Value, json};

use super::answer::Refusal;
use super::books::Refused;
use super::fields::{Field, Kind, MOST_FEN, check, check_at};
use super::orders::{self, Api, Order, Terms, TradeState};
use super::routes::{Answered, Asked, body, china_time_of};
use super::{Book, MCHID};
use crate::clock::now;

/// Why a change was refused, in the service's codes.
pub(super) fn refused(refused: Refused) -> Refusal {
    let (status, code, message) = match refused {
        Refused::Unknown => (404, "ORDER_NOT_EXIST", "订单不存在"),
        Refused::NumberUsed => (403, "OUT_TRADE_NO_USED", "商户订单号重复"),
        Refused::Paid => (400, "ORDERPAID", "该订单已支付"),
        Refused::Closed => (400, "ORDER_CLOSED", "该订单已关闭"),
        Refused::NotPaid => (400, "INVALID_REQUEST", "订单未支付"),
        Refused::TooMuch => (400, "INVALID_REQUEST", "金额超过可操作的剩余金额"),
        Refused::WrongTotal => (400, "PARAM_ERROR", "订单总金额与原订单不一致"),
        Refused::NotEnough => (403, "NOT_ENOUGH", "基本账户余额不足，请充值后重试"),
        Refused::NotShared => (400, "INVALID_REQUEST", "订单不是分账订单，或分账已完结"),
        Refused::WrongState => (400, "INVALID_REQUEST", "当前状态不允许此操作"),
    };
    Refusal {
        status: StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
        code,
        message: message.to_owned(),
        detail: Value::Null,
    }
}

/// The merchant of a request must be the one that signed it.
pub(super) fn own(value: &Value, pointer: &str) -> Result<(), Refusal> {
    match value.pointer(pointer) {
        Some(mchid) if mchid == MCHID => Ok(()),
        _ => Err(foreign(pointer)),
    }
}

pub(super) fn foreign(pointer: &str) -> Refusal {
    Refusal {
        status: StatusCode::FORBIDDEN,
        code: "NO_AUTH",
        message: "商户号与签名的商户号不一致，无权限".to_owned(),
        detail: json!({ "field": pointer, "issue": format!("the sandbox knows the merchant {MCHID}"), "location": "body" }),
    }
}

/// The fields that every order has.
const COMMON: &[Field] = &[
    ("/description", Kind::Text(127), true),
    ("/out_trade_no", Kind::Number, true),
    ("/notify_url", Kind::Url, true),
    ("/time_expire", Kind::Time, false),
    ("/attach", Kind::Text(128), false),
    ("/goods_tag", Kind::Text(32), false),
    ("/support_fapiao", Kind::Boolean, false),
    ("/amount", Kind::Object, true),
    ("/amount/total", Kind::Integer(1, MOST_FEN), true),
    ("/amount/currency", Kind::OneOf(&["CNY"]), false),
    ("/settle_info", Kind::Object, false),
    ("/settle_info/profit_sharing", Kind::Boolean, false),
];
const DIRECT: &[Field] = &[("/appid", Kind::Text(32), true), ("/mchid", Kind::Number, true)];
const PARTNER: &[Field] = &[
    ("/sp_appid", Kind::Text(32), true),
    ("/sp_mchid", Kind::Number, true),
    ("/sub_appid", Kind::Text(32), false),
    ("/sub_mchid", Kind::Number, true),
];
/// What a payment in the browser needs besides.
const H5: &[Field] = &[
    ("/scene_info", Kind::Object, true),
    ("/scene_info/payer_client_ip", Kind::Text(45), true),
    ("/scene_info/h5_info", Kind::Object, true),
    ("/scene_info/h5_info/type", Kind::Text(32), true),
];

pub(super) fn place_native(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    place(asked, "NATIVE", &[])
}

pub(super) fn place_app(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    place(asked, "APP", &[])
}

pub(super) fn place_h5(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    place(asked, "MWEB", H5)
}

pub(super) fn place_jsapi(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    place(asked, "JSAPI", &[("/payer", Kind::Object, true)])
}

fn is_partner(asked: &Asked<'_>) -> bool {
    asked.request.uri().path().contains("/partner/")
}

fn place(asked: &Asked<'_>, trade_type: &str, special: &[Field]) -> Result<Answered, Refusal> {
    let request = body(asked.request)?;
    let partner = is_partner(asked);
    check(&request, if partner { PARTNER } else { DIRECT })?;
    check(&request, COMMON)?;
    check(&request, special)?;
    own(&request, if partner { "/sp_mchid" } else { "/mchid" })?;
    if trade_type == "JSAPI" {
        let openid = |name: &str| {
            request.pointer(name).is_some_and(|openid| openid.as_str().is_some_and(|text| !text.is_empty()))
        };
        let has =
            if partner { openid("/payer/sp_openid") || openid("/payer/sub_openid") } else { openid("/payer/openid") };
        if !has {
            return Err(Refusal::param("body", "/payer/openid", "缺少必填参数 /payer/openid"));
        }
    }
    let text = |pointer: &str| request.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let terms = Terms {
        api: if partner { Api::Partner } else { Api::Direct },
        owner: text(if partner { "/sub_mchid" } else { "/mchid" }),
        out_trade_no: text("/out_trade_no"),
        trade_type: trade_type.to_owned(),
        total: request["amount"]["total"].as_u64().unwrap_or_default(),
        notify_url: text("/notify_url"),
        profit_sharing: request.pointer("/settle_info/profit_sharing") == Some(&Value::Bool(true)),
        combine_out_trade_no: String::new(),
        request,
    };
    let mut book = asked.state.book();
    let order = book.books.place(terms, now()).map_err(refused)?;
    Ok(Answered::Json(StatusCode::OK, prepaid(trade_type, &order.prepay_id)))
}

/// What opens the payment.
fn prepaid(trade_type: &str, prepay_id: &str) -> Value {
    match trade_type {
        "NATIVE" => json!({ "code_url": code_url(prepay_id) }),
        "MWEB" => json!({
            "h5_url": format!("https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id={prepay_id}&package=1"),
        }),
        _ => json!({ "prepay_id": prepay_id }),
    }
}

/// The text of a native order's QR code.
pub(super) fn code_url(prepay_id: &str) -> String {
    format!("weixin://wxpay/bizpayurl?pr={prepay_id}")
}

pub(super) fn by_transaction_id(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    query(asked, "", asked.variable(0))
}

pub(super) fn by_out_trade_no(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    query(asked, asked.variable(0), "")
}

fn query(asked: &Asked<'_>, out_trade_no: &str, transaction_id: &str) -> Result<Answered, Refusal> {
    let partner = is_partner(asked);
    let needed = if partner { ["sp_mchid", "sub_mchid"] } else { ["mchid", "mchid"] };
    for name in needed {
        if asked.query(name).is_none() {
            return Err(Refusal::param("query", name, format!("缺少必填参数 {name}")));
        }
    }
    if asked.query(needed[0]).as_deref() != Some(MCHID) {
        return Err(foreign(needed[0]));
    }
    let owner = asked.query(needed[1]).unwrap_or_default();
    let book = asked.state.book();
    let order = book.books.order(&owner, out_trade_no, transaction_id).map_err(refused)?;
    Ok(Answered::Json(StatusCode::OK, transaction(order)))
}

pub(super) fn close(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let request = body(asked.request)?;
    let partner = is_partner(asked);
    check(&request, if partner { &PARTNER[1..2] } else { &DIRECT[1..] })?;
    own(&request, if partner { "/sp_mchid" } else { "/mchid" })?;
    let owner = request[if partner { "sub_mchid" } else { "mchid" }].as_str().unwrap_or_default();
    asked.state.book().books.close(&orders::key(owner, asked.variable(0))).map_err(refused)?;
    Ok(Answered::Json(StatusCode::NO_CONTENT, Value::Null))
}

/// Who pays: whom the order names, or a buyer of the sandbox's own.
pub(super) fn buyer(order: &Order) -> &str {
    let named = ["/payer/openid", "/payer/sp_openid", "/combine_payer_info/openid", "/openid"];
    named
        .into_iter()
        .map(|pointer| order.asked(pointer))
        .find(|openid| !openid.is_empty())
        .unwrap_or("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")
}

/// An order as a query answers it, and as a notification tells of it.
pub(super) fn transaction(order: &Order) -> Value {
    let mut answer = json!({
        "out_trade_no": order.out_trade_no, "trade_state": order.state.as_str(), "trade_state_desc": order.state.in_words(),
        "attach": order.asked("/attach"), "amount": { "total": order.total, "currency": "CNY" },
    });
    let names: &[&str] = match order.terms.api {
        Api::Partner => &["sp_appid", "sp_mchid", "sub_appid", "sub_mchid"],
        _ => &["appid", "mchid"],
    };
    for name in names {
        let value = order.asked(&format!("/{name}"));
        if !value.is_empty() {
            answer[*name] = value.into();
        }
    }
    let mut payer = json!({});
    let openid = if order.terms.api == Api::Partner { "sp_openid" } else { "openid" };
    if order.transaction_id.is_empty() {
        if !order.asked(&format!("/payer/{openid}")).is_empty() {
            payer[openid] = buyer(order).into();
        }
    } else {
        answer["transaction_id"] = order.transaction_id.as_str().into();
        answer["trade_type"] = order.terms.trade_type.as_str().into();
        answer["bank_type"] = "OTHERS".into();
        answer["success_time"] = china_time_of(order.paid_at).into();
        answer["amount"]["payer_total"] = order.total.into();
        answer["amount"]["payer_currency"] = "CNY".into();
        payer[openid] = buyer(order).into();
    }
    answer["payer"] = payer;
    answer
}

/// The fields of a combined order, and of each order in it.
const COMBINED: &[Field] = &[
    ("/combine_appid", Kind::Text(32), true),
    ("/combine_mchid", Kind::Number, true),
    ("/combine_out_trade_no", Kind::Number, true),
    ("/notify_url", Kind::Url, true),
    ("/sub_orders", Kind::List(50), true),
];
const SUB_ORDER: &[Field] = &[
    ("/mchid", Kind::Number, true),
    ("/out_trade_no", Kind::Number, true),
    ("/description", Kind::Text(127), true),
    ("/attach", Kind::Text(128), true),
    ("/amount", Kind::Object, true),
    ("/amount/total_amount", Kind::Integer(1, MOST_FEN), true),
    ("/amount/currency", Kind::OneOf(&["CNY"]), true),
    ("/settle_info/profit_sharing", Kind::Boolean, false),
];

pub(super) fn combine_native(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    combine(asked, "NATIVE")
}

pub(super) fn combine_app(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    combine(asked, "APP")
}

pub(super) fn combine_h5(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    combine(asked, "MWEB")
}

pub(super) fn combine_jsapi(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    combine(asked, "JSAPI")
}

fn combine(asked: &Asked<'_>, trade_type: &str) -> Result<Answered, Refusal> {
    let request = body(asked.request)?;
    check(&request, COMBINED)?;
    own(&request, "/combine_mchid")?;
    if trade_type == "JSAPI" {
        check(&request, &[("/combine_payer_info/openid", Kind::Text(128), true)])?;
    }
    let mut all = Vec::new();
    for (at, sub) in request["sub_orders"].as_array().into_iter().flatten().enumerate() {
        check_at(sub, &format!("/sub_orders/{at}"), SUB_ORDER)?;
        let text = |name: &str| sub[name].as_str().unwrap_or_default().to_owned();
        let mut own = sub.clone();
        for name in ["combine_appid", "combine_mchid", "combine_payer_info"] {
            own[name] = request[name].clone();
        }
        all.push(Terms {
            api: Api::Combined,
            owner: text("mchid"),
            out_trade_no: text("out_trade_no"),
            trade_type: trade_type.to_owned(),
            total: sub["amount"]["total_amount"].as_u64().unwrap_or_default(),
            notify_url: request["notify_url"].as_str().unwrap_or_default().to_owned(),
            profit_sharing: sub.pointer("/settle_info/profit_sharing") == Some(&Value::Bool(true)),
            combine_out_trade_no: request["combine_out_trade_no"].as_str().unwrap_or_default().to_owned(),
            request: own,
        });
    }
    let mut book = asked.state.book();
    // All of them, or none; and what is paid or closed takes no more.
    for (at, terms) in all.iter().enumerate() {
        if all[..at].iter().any(|other| (&other.owner, &other.out_trade_no) == (&terms.owner, &terms.out_trade_no)) {
            let field = format!("/sub_orders/{at}/out_trade_no");
            return Err(Refusal::param("body", &field, format!("参数 {field} 重复")));
        }
        book.books.may_place(terms).map_err(refused)?;
    }
    if let Some(first) = all.first() {
        for key in book.books.combined(&first.combine_out_trade_no) {
            book.books.may_pay(&key).map_err(refused)?;
        }
    }
    let mut prepay_id = String::new();
    for terms in all {
        prepay_id = book.books.place(terms, now()).map_err(refused)?.prepay_id.clone();
    }
    Ok(Answered::Json(StatusCode::OK, prepaid(trade_type, &prepay_id)))
}

pub(super) fn query_combined(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let book = asked.state.book();
    let answer = combined(&book, asked.variable(0)).ok_or_else(|| refused(Refused::Unknown))?;
    Ok(Answered::Json(StatusCode::OK, answer))
}

/// A combined order as a query answers it, and as a notification tells of it.
pub(super) fn combined(book: &Book, combine_out_trade_no: &str) -> Option<Value> {
    let orders: Vec<&Order> =
        book.books.orders.values().filter(|order| order.terms.combine_out_trade_no == combine_out_trade_no).collect();
    let first = orders.first()?;
    let sub_orders: Vec<Value> = orders
        .iter()
        .map(|order| {
            let mut sub = json!({
                "mchid": order.terms.owner, "out_trade_no": order.out_trade_no, "trade_state": order.state.as_str(),
                "trade_type": order.terms.trade_type, "attach": order.asked("/attach"),
                "amount": { "total_amount": order.total, "currency": "CNY" },
            });
            if !order.transaction_id.is_empty() {
                sub["transaction_id"] = order.transaction_id.as_str().into();
                sub["bank_type"] = "OTHERS".into();
                sub["success_time"] = china_time_of(order.paid_at).into();
                sub["amount"]["payer_amount"] = order.total.into();
                sub["amount"]["payer_currency"] = "CNY".into();
            }
            sub
        })
        .collect();
    Some(json!({
        "combine_appid": first.asked("/combine_appid"), "combine_mchid": first.asked("/combine_mchid"),
        "combine_out_trade_no": combine_out_trade_no, "sub_orders": sub_orders, "combine_payer_info": { "openid": buyer(first) },
    }))
}

pub(super) fn close_combined(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let request = body(asked.request)?;
    check(&request, &[COMBINED[0], COMBINED[4]])?;
    let mut keys = Vec::new();
    for (at, sub) in request["sub_orders"].as_array().into_iter().flatten().enumerate() {
        check_at(sub, &format!("/sub_orders/{at}"), &SUB_ORDER[..2])?;
        keys.push(orders::key(
            sub["mchid"].as_str().unwrap_or_default(),
            sub["out_trade_no"].as_str().unwrap_or_default(),
        ));
    }
    let mut book = asked.state.book();
    // All of them, or none.
    for key in &keys {
        match book.books.orders.get(key) {
            Some(order) if order.terms.combine_out_trade_no != asked.variable(0) => {
                return Err(refused(Refused::Unknown));
            }
            None => return Err(refused(Refused::Unknown)),
            Some(order) if !matches!(order.state, TradeState::NotPay | TradeState::Closed) => {
                return Err(refused(Refused::Paid));
            }
            Some(_) => {}
        }
    }
    for key in &keys {
        book.books.close(key).map_err(refused)?;
    }
    Ok(Answered::Json(StatusCode::NO_CONTENT, Value::Null))
}
