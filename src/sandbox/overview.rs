//! The state as JSON, for `GET /sandbox/state`.

use std::cmp::Reverse;

use serde::Serialize;
use serde_json::{Value, json};

use super::delivery::Delivery;
use super::ledger_records::{Order, ProfitSharing, Transfer};
use super::query_fields::query_fields;
use super::request_log::LoggedCall;
use super::state::State;

/// The maximum number of rows of a table.
const MAX_ROWS: usize = 100;
/// The maximum number of calls that a program which follows the log receives at once.
pub(crate) const MAX_FOLLOWED_CALLS: usize = 1000;

/// The calls and notifications that a program which follows the log has not seen yet.
#[derive(Clone, Copy)]
pub(super) struct Follow {
    /// The number of the last call that it has seen.
    after: u64,
    /// Selects the notifications with an attempt at or after this time, in milliseconds since 1970.
    attempted_since: u64,
}

impl Follow {
    /// Reads the query `after=NUMBER&attempted_since=MILLISECONDS`; `None` if it has no `after`.
    pub(super) fn new(query: &str) -> Option<Self> {
        let fields = query_fields(query);
        let number = |name: &str| fields.get(name)?.as_str()?.parse().ok();
        Some(Follow { after: number("after")?, attempted_since: number("attempted_since").unwrap_or_default() })
    }
}

/// The account, and the newest orders, refunds, transfers, calls and notifications, newest first.
/// With `follow`, calls and notifications are those that it selects; of more than
/// `MAX_FOLLOWED_CALLS` calls, the oldest ones.
pub(super) fn build(state: &State, follow: Option<Follow>) -> Value {
    let ledger = &state.ledger;
    let orders = newest(ledger.orders.values(), |order| (order.created_at, &order.prepay_id));
    let refunds = newest(ledger.refunds.values(), |refund| (refund.created_at, &refund.refund_id));
    let sharings = newest(ledger.sharings.values(), |sharing| (sharing.created_at, &sharing.order_id));
    let transfers = newest(ledger.transfers.values(), |transfer| (transfer.created_at, &transfer.transfer_bill_no));
    let mut calls: Vec<&LoggedCall> = match follow {
        None => state.requests.calls().rev().take(MAX_ROWS).collect(),
        Some(Follow { after, .. }) => state.requests.calls_after(after).take(MAX_FOLLOWED_CALLS).collect(),
    };
    calls.sort_by_key(|call| Reverse(call.number));
    let deliveries = state.outbox.deliveries().iter().rev();
    let deliveries: Vec<&Delivery> = match follow {
        None => deliveries.take(MAX_ROWS).collect(),
        Some(Follow { attempted_since, .. }) => {
            let is_new = |delivery: &&Delivery| delivery.attempts.iter().any(|attempt| attempt.at >= attempted_since);
            deliveries.filter(is_new).collect()
        }
    };
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
        "calls": calls.into_iter().map(call_row).collect::<Value>(),
        "notifications": deliveries.into_iter().map(row).collect::<Value>(),
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

fn call_row(LoggedCall { number, received, check, .. }: &LoggedCall) -> Value {
    json!({
        "number": number, "method": received.method.as_str(), "target": received.target,
        "status": received.status.as_u16(), "valid": check.valid, "expected": check.expected,
        "signed": check.signed, "reason": check.reason, "findings": received.findings,
    })
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
