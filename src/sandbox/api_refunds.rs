//! Refunds.

use super::delivery::Notification;
use super::events;
use super::ledger::LedgerError;
use super::ledger_records::{RefundStatus, record_key};
use super::ledger_refunds::{NewRefund, Refunded};
use super::refusal::Refusal;
use super::resources;
use super::response::RouteResponse;
use super::route_request::{RouteRequest, owner, text};
use super::schema::{Field, Kind, MAX_FEN, optional, required};
use super::sensitive_fields;
use super::state::State;

const REFUND: &[Field] = &[
    optional("/transaction_id", Kind::Text(32)),
    optional("/out_trade_no", Kind::Number),
    required("/out_refund_no", Kind::Text(64)),
    optional("/reason", Kind::Text(80)),
    optional("/notify_url", Kind::Url),
    required("/amount", Kind::Object),
    required("/amount/refund", Kind::Integer(1, MAX_FEN)),
    required("/amount/total", Kind::Integer(1, MAX_FEN)),
    required("/amount/currency", Kind::OneOf(&["CNY"])),
];

const ABNORMAL: &[Field] = &[
    required("/out_refund_no", Kind::Text(64)),
    required("/type", Kind::OneOf(&["USER_BANK_CARD", "MERCHANT_BANK_CARD"])),
];
/// The fields for a user's bank card.
const USER_CARD: &[Field] = &[
    required("/bank_type", Kind::Text(16)),
    required("/bank_account", Kind::Text(1024)),
    required("/real_name", Kind::Text(1024)),
];
/// The documented values of `bank_type`, with the names of the banks.
const BANKS: &[(&str, &str)] = &[
    ("ICBC_DEBIT", "工商银行"),
    ("ABC_DEBIT", "农业银行"),
    ("BOC_DEBIT", "中国银行"),
    ("CCB_DEBIT", "建设银行"),
    ("COMM_DEBIT", "交通银行"),
    ("PSBC_DEBIT", "邮储银行"),
    ("CMB_DEBIT", "招商银行"),
    ("PAB_DEBIT", "平安银行"),
    ("SPDB_DEBIT", "浦发银行"),
    ("CITIC_DEBIT", "中信银行"),
    ("CEB_DEBIT", "光大银行"),
    ("CMBC_DEBIT", "民生银行"),
    ("CIB_DEBIT", "兴业银行"),
    ("GDB_DEBIT", "广发银行"),
    ("NBCB_DEBIT", "宁波银行"),
];

pub(super) fn refund(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let body = request.json(&[REFUND])?;
    let (out_trade_no, transaction_id) = (text(&body, "out_trade_no"), text(&body, "transaction_id"));
    if out_trade_no.is_empty() && transaction_id.is_empty() {
        return Err(Refusal::param("body", "/out_trade_no", "transaction_id和out_trade_no须二选一"));
    }
    let fen = |name: &str| body["amount"][name].as_u64().unwrap_or_default();
    let new = NewRefund {
        out_refund_no: text(&body, "out_refund_no"),
        amount: fen("refund"),
        total: fen("total"),
        notify_url: body["notify_url"].as_str(),
        reason: body["reason"].as_str(),
    };
    let order = state.ledger.order(owner(&body), out_trade_no, transaction_id).map_err(Refusal::of_resource)?;
    let key = order.key();
    let refunded = state.ledger.refund(&key, &new, request.now)?;
    let response = RouteResponse::json(&resources::refund(refunded.refund()));
    Ok(response.notify(complete(state, &refunded, request.now)?))
}

/// Completes a new refund, unless refunds are held. Returns the notification.
pub(super) fn complete(state: &mut State, refunded: &Refunded, now: i64) -> Result<Option<Notification>, LedgerError> {
    match refunded {
        Refunded::New(refund) if !state.hold.refunds => {
            let order = state.ledger.orders.get(&refund.order).ok_or(LedgerError::NotFound)?;
            let key = record_key(&order.terms.owner, &refund.out_refund_no);
            state.ledger.end_refund(&key, RefundStatus::Success, now)?;
            Ok(events::refund(&state.ledger, &key))
        }
        Refunded::New(_) | Refunded::Known(_) => Ok(None),
    }
}

/// Sends an abnormal refund to another account, which the merchant names.
pub(super) fn apply_abnormal(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let mut body = request.json(&[ABNORMAL])?;
    let is_card = body["type"] == "USER_BANK_CARD";
    if is_card {
        super::schema::check(&body, USER_CARD)?;
    }
    for name in ["bank_account", "real_name"] {
        sensitive_fields::decrypt(&state.platform, request.inbound, &mut body, "", name)?;
    }
    let key = record_key(owner(&body), text(&body, "out_refund_no"));
    let refund = state.ledger.refunds.get(&key).ok_or_else(Refusal::no_resource)?;
    if refund.refund_id != request.variable("refund_id") {
        return Err(Refusal::param("body", "/out_refund_no", "refund_id与out_refund_no不是同一笔退款"));
    }
    let account = match is_card {
        true => bank_card(text(&body, "bank_type"), text(&body, "bank_account")),
        false => "商户结算银行账户".to_owned(),
    };
    let refund = state.ledger.redirect_refund(&key, account)?.clone();
    let response = RouteResponse::json(&resources::refund(&refund));
    Ok(response.notify(complete(state, &Refunded::New(refund), request.now)?))
}

/// The text for a bank card: the name of the bank and the last four digits.
fn bank_card(bank_type: &str, number: &str) -> String {
    let digits: Vec<char> = number.chars().collect();
    let last: String = digits[digits.len().saturating_sub(4)..].iter().collect();
    let bank = BANKS.iter().find(|(name, _)| *name == bank_type).map_or("", |(_, bank)| bank);
    format!("{bank}借记卡{last}")
}

pub(super) fn query(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let key = record_key(&request.query_owner(), request.variable("out_refund_no"));
    let refund = state.ledger.refunds.get(&key).ok_or_else(Refusal::no_resource)?;
    Ok(RouteResponse::json(&resources::refund(refund)))
}
