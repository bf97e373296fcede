//! The text of bills: comma-separated values behind a backquote, with CRLF, in the columns of the
//! service.

use super::china_time;
use super::ledger::Ledger;
use super::ledger_records::{Order, OrderApi, Refund, RefundStatus};
use super::merchant::MCHID;
use super::resources::buyer;
use crate::clock::china_date;

/// What a trade bill contains.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TradeBill {
    /// Payments and refunds.
    All,
    Payments,
    Refunds,
}

const PAYMENT_COLUMNS: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额";
const REFUND_TIMES: &str = "退款申请时间,退款成功时间";
const REFUND_COLUMNS: &str = "微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态";
const LAST_COLUMNS: &str = "商品名称,商户数据包,手续费,费率,订单金额";
const TRADE_SUMMARY: &str =
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额";

const FUND_FLOW_COLUMNS: &str = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号";
const FUND_FLOW_SUMMARY: &str = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额";

/// The payments and refunds of a date, of one sub-merchant or of all. `None` if there are none.
pub(super) fn trade(ledger: &Ledger, date: &str, kind: TradeBill, sub_mchid: Option<&str>) -> Option<String> {
    let is_included = |order: &&Order| sub_mchid.is_none_or(|sub_mchid| order.terms.owner == sub_mchid);
    let mut out = match kind {
        TradeBill::All => {
            format!("\u{feff}{PAYMENT_COLUMNS},{REFUND_COLUMNS},{LAST_COLUMNS},申请退款金额,费率备注\r\n")
        }
        TradeBill::Payments => format!("\u{feff}{PAYMENT_COLUMNS},{LAST_COLUMNS},费率备注\r\n"),
        TradeBill::Refunds => {
            format!(
                "\u{feff}{PAYMENT_COLUMNS},{REFUND_TIMES},{REFUND_COLUMNS},{LAST_COLUMNS},申请退款金额,费率备注\r\n"
            )
        }
    };
    let (mut count, mut total, mut refunded) = (0_u64, 0, 0);
    if kind != TradeBill::Refunds {
        for order in ledger.orders.values().filter(is_included) {
            let Some(payment) = order.payment.as_ref() else { continue };
            if china_date(payment.paid_at) != date {
                continue;
            }
            let mut fields = payment_fields(order, payment.paid_at, "SUCCESS");
            if kind == TradeBill::All {
                fields.extend(["0", "0", "0.00", "0.00", "", ""].map(str::to_owned));
            }
            fields.extend(last_fields(order, order.terms.total));
            if kind == TradeBill::All {
                fields.push("0.00".to_owned());
            }
            fields.push(String::new());
            push_row(&mut out, &fields);
            (count, total) = (count + 1, total + order.terms.total);
        }
    }
    if kind == TradeBill::All {
        for order in ledger.orders.values().filter(is_included) {
            let Some(fields) = revoked_fields(order, date) else { continue };
            push_row(&mut out, &fields);
            (count, refunded) = (count + 1, refunded + order.terms.total);
        }
    }
    if kind != TradeBill::Payments {
        for (refund, succeeded_at) in successful_refunds(ledger) {
            if china_date(succeeded_at) != date {
                continue;
            }
            let Some(order) = ledger.orders.get(&refund.order).filter(is_included) else { continue };
            let mut fields = payment_fields(order, succeeded_at, "REFUND");
            if kind == TradeBill::Refunds {
                fields.extend([refund.created_at, succeeded_at].map(china_time::format_plain));
            }
            fields.extend(refund_fields(refund));
            fields.extend(last_fields(order, 0));
            fields.extend([yuan(refund.amount), String::new()]);
            push_row(&mut out, &fields);
            (count, refunded) = (count + 1, refunded + refund.amount);
        }
    }
    out.push_str(TRADE_SUMMARY);
    out.push_str("\r\n");
    push_row(
        &mut out,
        &[
            count.to_string(),
            yuan(total),
            yuan(refunded),
            "0.00".to_owned(),
            "0.00000".to_owned(),
            yuan(total),
            yuan(refunded),
        ],
    );
    (count > 0).then_some(out)
}

/// The row of a payment that was reversed on this date.
fn revoked_fields(order: &Order, date: &str) -> Option<Vec<String>> {
    let revoked_at = order.revoked_at.filter(|revoked_at| china_date(*revoked_at) == date)?;
    let total = yuan(order.terms.total);
    let mut fields = payment_fields(order, revoked_at, "REVOKED");
    fields.extend(["0", "0", &total, "0.00", "", ""].map(str::to_owned));
    fields.extend(last_fields(order, 0));
    fields.extend([total, String::new()]);
    Some(fields)
}

/// The successful refunds, with the time of success.
fn successful_refunds(ledger: &Ledger) -> impl Iterator<Item = (&Refund, i64)> {
    let successful = ledger.refunds.values().filter(|refund| refund.status == RefundStatus::Success);
    successful.map(|refund| (refund, refund.succeeded_at.unwrap_or(refund.created_at)))
}

/// The first 14 columns.
fn payment_fields(order: &Order, at: i64, state: &str) -> Vec<String> {
    let is_payment = state == "SUCCESS";
    let (appid, mchid, sub_mchid) = match order.terms.api {
        OrderApi::Partner => (order.requested("/sp_appid"), MCHID, order.terms.owner.as_str()),
        OrderApi::Combined => (order.requested("/combine_appid"), order.terms.owner.as_str(), "0"),
        OrderApi::Direct | OrderApi::V2 => (order.requested("/appid"), order.terms.owner.as_str(), "0"),
    };
    let payer = match order.requested("/payer/sub_openid") {
        "" => buyer(order),
        sub_openid => sub_openid,
    };
    let transaction_id = order.payment.as_ref().map_or("", |payment| payment.transaction_id.as_str());
    [
        &china_time::format_plain(at),
        appid,
        mchid,
        sub_mchid,
        order.requested("/device_info"),
        transaction_id,
        &order.terms.out_trade_no,
        payer,
        order.terms.trade_type.as_str(),
        state,
        "OTHERS",
        "CNY",
        &yuan(if is_payment { order.terms.total } else { 0 }),
        "0.00",
    ]
    .map(str::to_owned)
    .into()
}

fn refund_fields(refund: &Refund) -> [String; 6] {
    let amount = yuan(refund.amount);
    [&refund.refund_id, &refund.out_refund_no, &amount, "0.00", "ORIGINAL", "SUCCESS"].map(str::to_owned)
}

/// Description, attached data, fee, rate and amount of the order. The sandbox charges no fees.
fn last_fields(order: &Order, total: u64) -> [String; 5] {
    let description = match order.requested("/description") {
        "" => order.requested("/body"),
        description => description,
    };
    [description, order.requested("/attach"), "0.00000", "0.00%", &yuan(total)].map(str::to_owned)
}

/// The account entries of a date. `None` if there are none.
pub(super) fn fund_flow(ledger: &Ledger, date: &str) -> Option<String> {
    let mut out = format!("\u{feff}{FUND_FLOW_COLUMNS}\r\n");
    // Count and sum of the income, and of the expenses.
    let (mut income, mut spent) = ((0_u64, 0), (0_u64, 0));
    for entry in ledger.entries.iter().filter(|entry| china_date(entry.at) == date) {
        let (direction, sum) = if entry.kind.is_income() { ("收入", &mut income) } else { ("支出", &mut spent) };
        *sum = (sum.0 + 1, sum.1 + entry.amount);
        push_row(
            &mut out,
            &[
                china_time::format_plain(entry.at),
                entry.number.clone(),
                entry.number.clone(),
                entry.kind.description().to_owned(),
                entry.kind.description().to_owned(),
                direction.to_owned(),
                yuan(entry.amount),
                yuan(entry.balance),
                "system".to_owned(),
                String::new(),
                entry.out_number.clone(),
            ],
        );
    }
    out.push_str(FUND_FLOW_SUMMARY);
    out.push_str("\r\n");
    let count = income.0 + spent.0;
    push_row(&mut out, &[count.to_string(), income.0.to_string(), yuan(income.1), spent.0.to_string(), yuan(spent.1)]);
    (count > 0).then_some(out)
}

/// Appends a row. Each value has a backquote in front, so that spreadsheets show it as text.
fn push_row(out: &mut String, fields: &[String]) {
    for (index, field) in fields.iter().enumerate() {
        out.push_str(if index == 0 { "`" } else { ",`" });
        out.push_str(&field.replace(['\r', '\n'], " "));
    }
    out.push_str("\r\n");
}

fn yuan(fen: u64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}
