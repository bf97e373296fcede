//! Refunds, transfers, profit sharing and bills.

use std::fmt::Write as _;

use http::StatusCode;
use serde_json::{Value, json};

use super::answer::Refusal;
use super::api_pay::refused;
use super::books::Refused;
use super::fields::{Field, Kind, MOST_FEN, check, check_at};
use super::orders::{self, Refund, Refunding};
use super::routes::{Answered, Asked, body, china_date_of, china_time_of};
use super::sharings::{Return, Sharing};
use super::transfers::Transfer;
use super::{Book, MCHID, outbox};
use crate::clock::now;

const REFUND: &[Field] = &[
    ("/transaction_id", Kind::Text(32), false),
    ("/out_trade_no", Kind::Number, false),
    ("/out_refund_no", Kind::Text(64), true),
    ("/reason", Kind::Text(80), false),
    ("/notify_url", Kind::Url, false),
    ("/amount", Kind::Object, true),
    ("/amount/refund", Kind::Integer(1, MOST_FEN), true),
    ("/amount/total", Kind::Integer(1, MOST_FEN), true),
    ("/amount/currency", Kind::OneOf(&["CNY"]), true),
];

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Whose order a request is about: the partner's merchant, or the merchant.
fn owner(request: &Value) -> &str {
    request.get("sub_mchid").and_then(Value::as_str).filter(|mchid| !mchid.is_empty()).unwrap_or(MCHID)
}

/// A number that nothing is known of; other things than orders have another code.
fn not_found(why: Refused) -> Refusal {
    let mut refusal = refused(why);
    if why == Refused::Unknown {
        (refusal.code, refusal.message) = ("RESOURCE_NOT_EXISTS", "查询的资源不存在".to_owned());
    }
    refusal
}

pub(super) fn refund(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let request = body(asked.request)?;
    check(&request, REFUND)?;
    let (ours, theirs) = (text(&request, "out_trade_no"), text(&request, "transaction_id"));
    if ours.is_empty() && theirs.is_empty() {
        return Err(Refusal::param("body", "/out_trade_no", "transaction_id和out_trade_no须二选一"));
    }
    let fen = |name: &str| request["amount"][name].as_u64().unwrap_or_default();
    let refunding = Refunding {
        out_refund_no: text(&request, "out_refund_no"),
        amount: fen("refund"),
        total: fen("total"),
        notify_url: text(&request, "notify_url"),
    };
    let mut book = asked.state.book();
    let order = book.books.order(owner(&request), ours, theirs).map_err(not_found)?;
    let key = orders::key(&order.terms.owner, &order.out_trade_no);
    let new = !book.books.refunds.contains_key(&orders::key(owner(&request), refunding.out_refund_no));
    let refund = book.books.refund(&key, &refunding, now()).map_err(refused)?.clone();
    // It is answered as in progress; that it is done comes by notification, and by the next query.
    let answer = refund_answer(&refund, "PROCESSING");
    if new {
        outbox::refunded(&mut book, &refund);
    }
    Ok(Answered::Json(StatusCode::OK, answer))
}

pub(super) fn query_refund(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let of = asked.query("sub_mchid").unwrap_or_else(|| MCHID.to_owned());
    let book = asked.state.book();
    let refund = book.books.refunds.get(&orders::key(&of, asked.variable(0)));
    let refund = refund.ok_or_else(|| not_found(Refused::Unknown))?;
    Ok(Answered::Json(StatusCode::OK, refund_answer(refund, "SUCCESS")))
}

pub(super) fn refund_answer(refund: &Refund, status: &str) -> Value {
    let mut answer = json!({
        "refund_id": refund.refund_id, "out_refund_no": refund.out_refund_no, "transaction_id": refund.transaction_id,
        "out_trade_no": refund.out_trade_no, "channel": "ORIGINAL", "user_received_account": "支付用户零钱",
        "create_time": china_time_of(refund.at), "status": status, "funds_account": "AVAILABLE",
        "amount": {
            "total": refund.total, "refund": refund.amount, "payer_total": refund.total, "payer_refund": refund.amount,
            "settlement_refund": refund.amount, "settlement_total": refund.total, "discount_refund": 0, "currency": "CNY",
        },
    });
    if status == "SUCCESS" {
        answer["success_time"] = china_time_of(refund.at).into();
    }
    answer
}

const TRANSFER: &[Field] = &[
    ("/appid", Kind::Text(32), true),
    ("/out_bill_no", Kind::Number, true),
    ("/transfer_scene_id", Kind::Text(36), true),
    ("/openid", Kind::Text(64), true),
    ("/transfer_amount", Kind::Integer(10, 20_000_000), true),
    ("/transfer_remark", Kind::Text(32), true),
    ("/notify_url", Kind::Url, false),
    ("/transfer_scene_report_infos", Kind::List(10), true),
];

pub(super) fn transfer(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let request = body(asked.request)?;
    check(&request, TRANSFER)?;
    let amount = request["transfer_amount"].as_u64().unwrap_or_default();
    let mut book = asked.state.book();
    let transfer = book.books.transfer(text(&request, "out_bill_no"), amount, &request, now()).map_err(|why| {
        let mut refusal = not_found(why);
        if why == Refused::NumberUsed {
            (refusal.status, refusal.code) = (StatusCode::BAD_REQUEST, "ALREADY_EXISTS");
            refusal.message = "商户单号已存在，且参数不一致".to_owned();
        }
        refusal
    })?;
    let answer = json!({
        "out_bill_no": transfer.out_bill_no, "transfer_bill_no": transfer.transfer_bill_no, "create_time": china_time_of(transfer.at),
        "state": transfer.state.as_str(), "package_info": format!("affffddafdfafddffda=={}", transfer.transfer_bill_no),
    });
    Ok(Answered::Json(StatusCode::OK, answer))
}

pub(super) fn transfer_answer(transfer: &Transfer) -> Value {
    json!({
        "mch_id": MCHID, "out_bill_no": transfer.out_bill_no, "transfer_bill_no": transfer.transfer_bill_no,
        "appid": text(&transfer.request, "appid"), "state": transfer.state.as_str(), "transfer_amount": transfer.amount,
        "transfer_remark": text(&transfer.request, "transfer_remark"), "openid": text(&transfer.request, "openid"),
        "create_time": china_time_of(transfer.at), "update_time": china_time_of(transfer.updated_at),
    })
}

pub(super) fn transfer_by_out_bill_no(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    one_transfer(asked, |transfer, number| transfer.out_bill_no == number)
}

pub(super) fn transfer_by_bill_no(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    one_transfer(asked, |transfer, number| transfer.transfer_bill_no == number)
}

fn one_transfer(asked: &Asked<'_>, is: fn(&Transfer, &str) -> bool) -> Result<Answered, Refusal> {
    let book = asked.state.book();
    let transfer = book.books.transfers.values().find(|transfer| is(transfer, asked.variable(0)));
    Ok(Answered::Json(StatusCode::OK, transfer_answer(transfer.ok_or_else(|| not_found(Refused::Unknown))?)))
}

pub(super) fn cancel_transfer(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let mut book = asked.state.book();
    let transfer = book.books.cancel(asked.variable(0), now()).map_err(not_found)?;
    let answer = json!({
        "out_bill_no": transfer.out_bill_no, "transfer_bill_no": transfer.transfer_bill_no, "state": transfer.state.as_str(),
        "update_time": china_time_of(transfer.updated_at),
    });
    Ok(Answered::Json(StatusCode::OK, answer))
}

const SHARE: &[Field] = &[
    ("/transaction_id", Kind::Text(32), true),
    ("/out_order_no", Kind::Text(64), true),
    ("/receivers", Kind::List(50), true),
    ("/unfreeze_unsplit", Kind::Boolean, true),
];
const RECEIVER: &[Field] = &[
    ("/type", Kind::OneOf(&["MERCHANT_ID", "PERSONAL_OPENID", "PERSONAL_SUB_OPENID"]), true),
    ("/account", Kind::Text(64), true),
    ("/amount", Kind::Integer(1, MOST_FEN), true),
    ("/description", Kind::Text(80), true),
];

pub(super) fn share(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let request = body(asked.request)?;
    check(&request, SHARE)?;
    let mut amount = 0u64;
    for (at, receiver) in request["receivers"].as_array().into_iter().flatten().enumerate() {
        check_at(receiver, &format!("/receivers/{at}"), RECEIVER)?;
        amount += receiver["amount"].as_u64().unwrap_or_default();
    }
    shared(asked, &request, amount, request["unfreeze_unsplit"] == true)
}

pub(super) fn unfreeze(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let request = body(asked.request)?;
    check(&request, &[SHARE[0], SHARE[1], ("/description", Kind::Text(80), true)])?;
    let mut request = request;
    // It has none, whatever was sent.
    request["receivers"] = Value::Array(Vec::new());
    shared(asked, &request, 0, true)
}

fn shared(asked: &Asked<'_>, request: &Value, amount: u64, finish: bool) -> Result<Answered, Refusal> {
    let mut book = asked.state.book();
    let order = book.books.order(owner(request), "", text(request, "transaction_id")).map_err(not_found)?;
    let key = orders::key(&order.terms.owner, &order.out_trade_no);
    let sharing =
        book.books.share(&key, text(request, "out_order_no"), amount, finish, request, now()).map_err(refused)?;
    Ok(Answered::Json(StatusCode::OK, sharing_answer(sharing)))
}

fn sharing_answer(sharing: &Sharing) -> Value {
    let receivers: Vec<Value> = sharing.request["receivers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|receiver| receiver.is_object())
        .map(|receiver| {
            let mut receiver = receiver.clone();
            receiver["result"] = "SUCCESS".into();
            receiver["create_time"] = china_time_of(sharing.at).into();
            receiver["finish_time"] = china_time_of(sharing.at).into();
            receiver
        })
        .collect();
    json!({
        "transaction_id": sharing.transaction_id, "out_order_no": sharing.out_order_no, "order_id": sharing.order_id,
        "state": "FINISHED", "receivers": receivers,
    })
}

pub(super) fn query_sharing(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let of = asked.query("sub_mchid").unwrap_or_else(|| MCHID.to_owned());
    let Some(transaction_id) = asked.query("transaction_id") else {
        return Err(Refusal::param("query", "transaction_id", "缺少必填参数 transaction_id"));
    };
    let book = asked.state.book();
    let sharing = book.books.sharings.get(&orders::key(&of, asked.variable(0)));
    let sharing = sharing.filter(|sharing| sharing.transaction_id == transaction_id);
    Ok(Answered::Json(StatusCode::OK, sharing_answer(sharing.ok_or_else(|| not_found(Refused::Unknown))?)))
}

pub(super) fn unsplit_amount(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let book = asked.state.book();
    let order = book.books.by_transaction.get(asked.variable(0)).and_then(|key| book.books.orders.get(key));
    let order = order.ok_or_else(|| not_found(Refused::Unknown))?;
    Ok(Answered::Json(
        StatusCode::OK,
        json!({ "transaction_id": order.transaction_id, "unsplit_amount": order.frozen }),
    ))
}

pub(super) fn receiver(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let request = body(asked.request)?;
    check(&request, &RECEIVER[..2])?;
    let mut answer = json!({});
    for name in ["sub_mchid", "type", "account", "name", "relation_type", "custom_relation"] {
        if let Some(value) = request.get(name) {
            answer[name] = value.clone();
        }
    }
    Ok(Answered::Json(StatusCode::OK, answer))
}

pub(super) fn give_back(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let request = body(asked.request)?;
    check(
        &request,
        &[
            ("/out_return_no", Kind::Text(64), true),
            ("/return_mchid", Kind::Number, true),
            ("/amount", Kind::Integer(1, MOST_FEN), true),
            ("/description", Kind::Text(80), true),
        ],
    )?;
    let mut book = asked.state.book();
    let by_number = orders::key(owner(&request), text(&request, "out_order_no"));
    let key = match text(&request, "order_id") {
        "" => by_number,
        id => book
            .books
            .sharings
            .iter()
            .find(|(_, sharing)| sharing.order_id == id)
            .map_or(by_number, |(key, _)| key.clone()),
    };
    let amount = request["amount"].as_u64().unwrap_or_default();
    let given = book
        .books
        .give_back(&key, text(&request, "out_return_no"), amount, &request, now())
        .map_err(not_found)?
        .clone();
    Ok(Answered::Json(StatusCode::OK, return_answer(&book, &given)))
}

pub(super) fn query_return(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let of = asked.query("sub_mchid").unwrap_or_else(|| MCHID.to_owned());
    let book = asked.state.book();
    let given = book.books.returns.get(&orders::key(&of, asked.variable(0)));
    let given = given.ok_or_else(|| not_found(Refused::Unknown))?;
    Ok(Answered::Json(StatusCode::OK, return_answer(&book, given)))
}

fn return_answer(book: &Book, given: &Return) -> Value {
    let sharing = book.books.sharings.get(&given.sharing);
    json!({
        "order_id": sharing.map(|sharing| sharing.order_id.as_str()), "out_order_no": sharing.map(|sharing| sharing.out_order_no.as_str()),
        "out_return_no": given.out_return_no, "return_id": given.return_id, "return_mchid": text(&given.request, "return_mchid"),
        "amount": given.amount, "description": text(&given.request, "description"), "result": "SUCCESS",
        "create_time": china_time_of(given.at), "finish_time": china_time_of(given.at),
    })
}

pub(super) fn trade_bill(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    bill(asked, "tradebill")
}

pub(super) fn fund_flow_bill(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    bill(asked, "fundflowbill")
}

/// Announces a bill: where it is, and its digest. Its text is made when it is fetched, the same for the same token.
fn bill(asked: &Asked<'_>, kind: &str) -> Result<Answered, Refusal> {
    let date = asked.query("bill_date").unwrap_or_default();
    let dated = date.len() == 10
        && date
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    if !dated {
        return Err(Refusal::param("query", "bill_date", "参数 bill_date 应为2019-06-11格式的日期"));
    }
    let gzip = match asked.query("tar_type").as_deref() {
        None => false,
        Some("GZIP") => true,
        Some(_) => return Err(Refusal::param("query", "tar_type", "参数 tar_type 应为GZIP")),
    };
    let mut book = asked.state.book();
    let text = if kind == "tradebill" { trade_text(&book, &date) } else { fund_flow_text(&book, &date) };
    let Some(text) = text else {
        return Err(Refusal {
            status: StatusCode::BAD_REQUEST,
            code: "NO_STATEMENT_EXIST",
            message: "请求的账单文件不存在".to_owned(),
            detail: Value::Null,
        });
    };
    let sha1 = crate::crypto::hash::sha1(&text);
    let token = book.offer_bill(text, gzip);
    Ok(Answered::Json(
        StatusCode::OK,
        json!({
            "hash_type": "SHA1", "hash_value": sha1,
            "download_url": format!("{}v3/billdownload/file?token={token}", asked.base_uri()),
        }),
    ))
}

/// The columns that matter to a test, in the order of the service; amounts in yuan.
fn trade_text(book: &Book, date: &str) -> Option<String> {
    let mut out = String::from(
        "\u{feff}交易时间,公众账号ID,商户号,微信订单号,商户订单号,用户标识,交易类型,交易状态,订单金额,退款单号,商户退款单号,退款金额\n",
    );
    let (mut count, mut total, mut refunded) = (0, 0, 0);
    for order in book
        .books
        .orders
        .values()
        .filter(|order| !order.transaction_id.is_empty() && china_date_of(order.paid_at) == date)
    {
        let _ = writeln!(
            out,
            "`{},`{},`{},`{},`{},`{},`{},`SUCCESS,`{},`0,`0,`0.00",
            china_time_of(order.paid_at),
            order.asked("/appid"),
            order.terms.owner,
            order.transaction_id,
            order.out_trade_no,
            super::api_pay::buyer(order),
            order.terms.trade_type,
            yuan(order.total)
        );
        (count, total) = (count + 1, total + order.total);
    }
    for refund in book.books.refunds.values().filter(|refund| china_date_of(refund.at) == date) {
        let _ = writeln!(
            out,
            "`{},`,`{},`{},`{},`,`,`REFUND,`0.00,`{},`{},`{}",
            china_time_of(refund.at),
            refund.order.split('/').next().unwrap_or_default(),
            refund.transaction_id,
            refund.out_trade_no,
            refund.refund_id,
            refund.out_refund_no,
            yuan(refund.amount)
        );
        (count, refunded) = (count + 1, refunded + refund.amount);
    }
    let _ = writeln!(out, "总交易单数,订单总金额,退款总金额\n`{count},`{},`{}", yuan(total), yuan(refunded));
    (count > 0).then_some(out)
}

fn fund_flow_text(book: &Book, date: &str) -> Option<String> {
    let mut out =
        String::from("\u{feff}记账时间,微信支付业务单号,商户单号,业务名称,收支类型,收支金额（元）,账户结余（元）\n");
    let (mut count, mut income, mut spent) = (0, 0, 0);
    for entry in book.books.entries.iter().filter(|entry| china_date_of(entry.at) == date) {
        let (direction, sum) = if entry.kind.is_income() { ("收入", &mut income) } else { ("支出", &mut spent) };
        *sum += entry.amount;
        count += 1;
        let _ = writeln!(
            out,
            "`{},`{},`{},`{},`{direction},`{},`{}",
            china_time_of(entry.at),
            entry.number,
            entry.out_number,
            entry.kind.as_str(),
            yuan(entry.amount),
            yuan(entry.balance)
        );
    }
    let _ = writeln!(out, "资金流水总笔数,收入金额,支出金额\n`{count},`{},`{}", yuan(income), yuan(spent));
    (count > 0).then_some(out)
}

fn yuan(fen: u64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

/// A bill that was announced.
pub(super) fn bill_file(asked: &Asked<'_>) -> Result<Answered, Refusal> {
    let token = asked.query("token").unwrap_or_default();
    let book = asked.state.book();
    let bill = book.bills.iter().find(|(known, _)| *known == token).map(|(_, bill)| bill.clone());
    bill.map(Answered::Bytes).ok_or_else(|| not_found(Refused::Unknown))
}
