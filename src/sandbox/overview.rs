//! The state as JSON, for `GET /sandbox/state`.

use std::cmp::Reverse;

use serde::Serialize;
use serde_json::{Value, json};

use super::ledger_records::{Order, ProfitSharing, Transfer};
use super::request_log::LoggedCall;
use super::state::State;

/// How many rows each table has.
const MAX_ROWS: usize = 100;

/// The account, and the newest orders, refunds, transfers, calls and notifications, newest first.
pub(super) fn build(state: &State) -> Value {
    let ledger = &state.ledger;
    let orders = newest(ledger.orders.values(), |order| (order.created_at, &order.prepay_id));
    let refunds = newest(ledger.refunds.values(), |refund| (refund.created_at, &refund.refund_id));
    let sharings = newest(ledger.sharings.values(), |sharing| (sharing.created_at, &sharing.order_id));
    let transfers = newest(ledger.transfers.values(), |transfer| (transfer.created_at, &transfer.transfer_bill_no));
    let calls = state.requests.calls().rev().take(MAX_ROWS).map(|LoggedCall { number, received, check, .. }| {
        json!({
            "number": number, "method": received.method.as_str(), "target": received.target,
            "status": received.status.as_u16(), "valid": check.valid, "expected": check.expected,
            "signed": check.signed, "reason": check.reason, "findings": received.findings,
        })
    });
    json!({
        "totals": {
            "orders": ledger.orders.len(), "refunds": ledger.refunds.len(),
            "order_amount": ledger.orders.values().map(|order| order.terms.total).sum::<u64>(),
        },
        "account": ledger.account,
        "orders": orders.into_iter().map(order_row).collect::<Value>(),
        "refunds": refunds.into_iter().map(row).collect::<Value>(),
        "profit_sharings": sharings.into_iter().map(sharing_row).collect::<Value>(),
        "hold": state.hold, "limit": state.rate_limit,
        "transfers": transfers.into_iter().map(transfer_row).collect::<Value>(),
        "calls": calls.collect::<Value>(),
        "notifications": state.outbox.deliveries().iter().rev().take(MAX_ROWS).map(row).collect::<Value>(),
        "count": state.requests.count(),
    })
}

/// The newest records, by their time and the number that the service gave them.
fn newest<'a, T>(records: impl Iterator<Item = &'a T>, age: impl Fn(&'a T) -> (i64, &'a String)) -> Vec<&'a T> {
    let mut records: Vec<&T> = records.collect();
    records.sort_by_key(|record| Reverse(age(record)));
    records.truncate(MAX_ROWS);
    records
}

fn row(record: impl Serialize) -> Value {
    serde_json::to_value(record).unwrap_or_default()
}

/// A profit sharing without its request, which contains the names of its receivers.
fn sharing_row(sharing: &ProfitSharing) -> Value {
    let mut row = row(sharing);
    row["state"] = if sharing.is_finished() { "FINISHED" } else { "PROCESSING" }.into();
    if let Some(members) = row.as_object_mut() {
        members.remove("request");
    }
    row
}

/// A transfer without the name of its user, which the request encrypts.
fn transfer_row(transfer: &Transfer) -> Value {
    let mut row = row(transfer);
    if let Some(request) = row["request"].as_object_mut() {
        request.remove("user_name");
    }
    row
}

fn order_row(order: &Order) -> Value {
    let mut row = row(order);
    row["out_trade_no"] = order.terms.out_trade_no.as_str().into();
    row["total"] = order.terms.total.into();
    row
}
