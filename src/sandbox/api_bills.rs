//! Trade bills and fund-flow bills. A bill is generated when its download URL is requested.

use std::fmt::Write as _;
use std::io::Write as _;

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use super::china_time;
use super::ledger::Ledger;
use super::refusal::Refusal;
use super::resources::buyer;
use super::response::RouteResponse;
use super::route_request::RouteRequest;
use super::schema::has_form;
use super::state::State;
use crate::crypto::{hash, random};

pub(super) fn trade_bill(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    offer(state, request, trade_text)
}

pub(super) fn fund_flow_bill(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    offer(state, request, fund_flow_text)
}

/// Generates a bill and keeps it for download. `text` returns `None` if there is nothing on that
/// date.
fn offer(
    state: &mut State,
    request: &RouteRequest<'_>,
    text: fn(&Ledger, &str) -> Option<String>,
) -> Result<RouteResponse, Refusal> {
    let date = request.query("bill_date").unwrap_or_default();
    if !has_form(&date, "0000-00-00") {
        return Err(Refusal::param("query", "bill_date", "参数 bill_date 应为2019-06-11格式的日期"));
    }
    let compress: fn(&str) -> Bytes = match request.query("tar_type").as_deref() {
        None => |text| Bytes::copy_from_slice(text.as_bytes()),
        Some("GZIP") => gzip,
        Some(_) => return Err(Refusal::param("query", "tar_type", "参数 tar_type 应为GZIP")),
    };
    let Some(text) = text(&state.ledger, &date) else {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "NO_STATEMENT_EXIST", "请求的账单文件不存在"));
    };
    let token = random::nonce().map_err(|error| Refusal::system_error(&error))?;
    state.bills.insert(token.clone(), compress(&text));
    Ok(RouteResponse::json(&json!({
        // The digest is that of the uncompressed file.
        "hash_type": "SHA1", "hash_value": hash::sha1(&text),
        "download_url": format!("{}v3/billdownload/file?token={token}", request.inbound.base_uri),
    })))
}

/// Downloads a bill.
pub(super) fn download(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let bill = state.bills.get(&request.query("token").unwrap_or_default());
    bill.map(RouteResponse::file).ok_or_else(Refusal::no_resource)
}

/// The payments and refunds of a date, with the most important columns of the service's bill, in
/// its order.
fn trade_text(ledger: &Ledger, date: &str) -> Option<String> {
    let mut out = String::from(
        "\u{feff}交易时间,公众账号ID,商户号,微信订单号,商户订单号,用户标识,交易类型,交易状态,订单金额,退款单号,商户退款单号,退款金额\n",
    );
    let (mut count, mut total, mut refunded) = (0, 0, 0);
    for (order, payment) in ledger.orders.values().filter_map(|order| Some((order, order.payment.as_ref()?))) {
        if china_time::date_of_seconds(payment.paid_at) != date {
            continue;
        }
        let _ = writeln!(
            out,
            "`{},`{},`{},`{},`{},`{},`{},`SUCCESS,`{},`0,`0,`0.00",
            china_time::format_seconds(payment.paid_at),
            order.requested("/appid"),
            order.terms.owner,
            payment.transaction_id,
            order.terms.out_trade_no,
            buyer(order),
            order.terms.trade_type.as_str(),
            yuan(order.terms.total)
        );
        (count, total) = (count + 1, total + order.terms.total);
    }
    for refund in ledger.refunds.values().filter(|refund| china_time::date_of_seconds(refund.created_at) == date) {
        let _ = writeln!(
            out,
            "`{},`,`{},`{},`{},`,`,`REFUND,`0.00,`{},`{},`{}",
            china_time::format_seconds(refund.created_at),
            ledger.orders.get(&refund.order).map_or("", |order| order.terms.owner.as_str()),
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

/// The account entries of a date.
fn fund_flow_text(ledger: &Ledger, date: &str) -> Option<String> {
    let mut out =
        String::from("\u{feff}记账时间,微信支付业务单号,商户单号,业务名称,收支类型,收支金额（元）,账户结余（元）\n");
    let (mut count, mut income, mut spent) = (0, 0, 0);
    for entry in ledger.entries.iter().filter(|entry| china_time::date_of_seconds(entry.at) == date) {
        let (direction, sum) = if entry.kind.is_income() { ("收入", &mut income) } else { ("支出", &mut spent) };
        *sum += entry.amount;
        count += 1;
        let _ = writeln!(
            out,
            "`{},`{},`{},`{},`{direction},`{},`{}",
            china_time::format_seconds(entry.at),
            entry.number,
            entry.out_number,
            entry.kind.description(),
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

fn gzip(text: &str) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing to a vector does not fail.
    let _ = encoder.write_all(text.as_bytes());
    encoder.finish().unwrap_or_default().into()
}
