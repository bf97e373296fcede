//! The details of one record for the page, with the records that belong to it.

use std::collections::BTreeSet;

use http::HeaderMap;
use serde_json::{Value, json};

use super::admin_list::{self, Listed};
use super::admin_rows::{milliseconds, refund_key, sharing_key};
use super::command_text::{body_file, curl, title_case, wxpay_req};
use super::delivery::{Attempt, Delivery, Format};
use super::ledger_records::{Order, ProfitSharing, Refund, Transfer};
use super::mentioned::{Mentioned, SUB_MERCHANT};
use super::merchant::MCHID;
use super::query_fields::query_fields;
use super::request_log::LoggedCall;
use super::state::State;
use super::{admin_states, body_text};

/// The maximum number of related records that are shown per table.
const MAX_RELATED: usize = 100;
/// The numbers that are unique only per merchant: two merchants can use the same number.
const UNIQUE_FOR_MERCHANT: [&str; 4] = ["out_trade_no", "out_refund_no", "out_order_no", "out_return_no"];

/// The details of the record whose key is the query parameter `key`; `None` if it does not exist.
/// `origin` is the address of the sandbox.
pub(super) fn show(state: &State, table: &str, query: &str, origin: &str) -> Option<Value> {
    let fields = query_fields(query);
    let key = fields.get("key")?.as_str()?;
    let ledger = &state.ledger;
    let mut details = match table {
        "orders" => order(state, ledger.orders.get(key)?),
        "refunds" => refund(state, ledger.refunds.get(key)?),
        "transfers" => transfer(state, ledger.transfers.get(key)?),
        "sharings" => sharing(state, ledger.sharings.get(key)?),
        "notifications" => notification(state, state.outbox.deliveries().iter().find(|found| found.id == key)?),
        "calls" => call(state, state.requests.get(key.parse().ok()?)?, origin),
        _ => return None,
    };
    for (name, value) in admin_list::summary(state) {
        details[name] = value;
    }
    Some(details)
}

/// The numbers that relate records to each other, and the merchant that they belong to.
#[derive(Default)]
struct Subject<'a> {
    numbers: BTreeSet<(&'a str, &'a str)>,
    /// `None` for the numbers of all merchants.
    owner: Option<&'a str>,
}

impl<'a> Subject<'a> {
    fn add_order(&mut self, order: &'a Order) {
        self.numbers.insert(("out_trade_no", &order.terms.out_trade_no));
        self.numbers.insert(("prepay_id", &order.prepay_id));
        if let Some(combined) = &order.terms.combine_out_trade_no {
            self.numbers.insert(("combine_out_trade_no", combined));
        }
        if let Some(payment) = &order.payment {
            self.numbers.insert(("transaction_id", &payment.transaction_id));
        }
    }

    fn add_refund(&mut self, refund: &'a Refund) {
        self.numbers.insert(("out_refund_no", &refund.out_refund_no));
        self.numbers.insert(("refund_id", &refund.refund_id));
    }

    fn add_sharing(&mut self, state: &'a State, sharing: &'a ProfitSharing) {
        self.numbers.insert(("out_order_no", &sharing.out_order_no));
        self.numbers.insert(("order_id", &sharing.order_id));
        let key = sharing_key(sharing);
        for returned in state.ledger.sharing_returns.values().filter(|returned| returned.sharing == key) {
            self.numbers.insert(("out_return_no", &returned.out_return_no));
            self.numbers.insert(("return_id", &returned.return_id));
        }
    }

    fn has(&self, name: &str, value: &str) -> bool {
        self.numbers.contains(&(name, value))
    }

    /// Whether a message contains one of the numbers. Numbers that are unique only per merchant
    /// count only if the message belongs to the same merchant.
    fn is_in(&self, message: &Mentioned) -> bool {
        let mut subs = message.iter().filter(|(name, _)| SUB_MERCHANT.contains(name)).map(|(_, sub)| sub).peekable();
        let is_own = match self.owner {
            None => true,
            Some(MCHID) => subs.peek().is_none(),
            Some(owner) => subs.any(|sub| sub == owner),
        };
        if is_own {
            return message.has_any(&self.numbers);
        }
        message.iter().any(|(name, value)| self.has(name, value) && !UNIQUE_FOR_MERCHANT.contains(&name))
    }

    /// The records with one of these numbers, newest first.
    fn related(&self, state: &State) -> Value {
        let ledger = &state.ledger;
        let owns = |key: &str| self.owner.is_none_or(|owner| key.split_once('/').is_some_and(|(of, _)| of == owner));
        let orders = ledger.orders.values().filter(|order| {
            let (terms, payment) = (&order.terms, order.payment.as_ref());
            payment.is_some_and(|payment| self.has("transaction_id", &payment.transaction_id))
                || terms
                    .combine_out_trade_no
                    .as_ref()
                    .is_some_and(|combined| self.has("combine_out_trade_no", combined))
                || (self.has("out_trade_no", &terms.out_trade_no) && owns(&Order::key(order)))
        });
        let refunds = ledger.refunds.values().filter(|refund| {
            self.has("refund_id", &refund.refund_id)
                || (self.has("out_refund_no", &refund.out_refund_no) && owns(&refund_key(refund)))
        });
        let transfers = ledger.transfers.values().filter(|transfer| {
            self.has("out_bill_no", &transfer.out_bill_no) || self.has("transfer_bill_no", &transfer.transfer_bill_no)
        });
        let sharings = ledger.sharings.values().filter(|sharing| {
            self.has("order_id", &sharing.order_id)
                || (self.has("out_order_no", &sharing.out_order_no) && owns(&sharing_key(sharing)))
        });
        let notifications = state.outbox.deliveries().iter();
        let notifications = notifications.filter(|found| self.is_in(&Mentioned::in_json(&found.message.resource)));
        json!({
            "orders": rows(orders), "refunds": rows(refunds), "transfers": rows(transfers), "sharings": rows(sharings),
            "notifications": rows(notifications),
            "calls": rows(state.requests.calls().filter(|call| self.is_in(&call.mentioned))),
            "entries": self.entries(state),
        })
    }

    /// The account entries with one of these numbers, newest first. Only the service's numbers are
    /// compared, which are unique.
    fn entries(&self, state: &State) -> Value {
        let numbers: BTreeSet<&str> = self.numbers.iter().map(|(_, number)| *number).collect();
        let entries = state.ledger.entries.iter().rev().filter(|entry| numbers.contains(entry.number.as_str()));
        entries
            .take(MAX_RELATED)
            .map(|entry| {
                json!({
                    "kind": entry.kind, "is_income": entry.kind.is_income(), "number": entry.number,
                    "amount": entry.amount, "balance": entry.balance, "created_at": milliseconds(entry.at),
                })
            })
            .collect()
    }
}

fn rows<'a, T: Listed + 'a>(records: impl Iterator<Item = &'a T>) -> Value {
    let mut records: Vec<&T> = records.collect();
    admin_list::sort(&mut records);
    records.into_iter().take(MAX_RELATED).map(Listed::row).collect()
}

/// The details of a record. The record itself is removed from its related records.
fn details(table: &str, record: &impl Listed, mut related: Value) -> Value {
    let key = record.row()["key"].clone();
    if let Some(rows) = related[table].as_array_mut() {
        rows.retain(|row| row["key"] != key);
    }
    json!({ "row": record.row(), "related": related })
}

fn order(state: &State, order: &Order) -> Value {
    let key = Order::key(order);
    let mut subject = Subject { owner: Some(&order.terms.owner), ..Subject::default() };
    subject.add_order(order);
    state.ledger.refunds.values().filter(|refund| refund.order == key).for_each(|refund| subject.add_refund(refund));
    let sharings = state.ledger.sharings.values().filter(|sharing| sharing.order == key);
    sharings.for_each(|sharing| subject.add_sharing(state, sharing));
    let mut details = details("orders", order, subject.related(state));
    details["request"] = indented(&order.terms.request);
    details
}

/// JSON as indented text.
fn indented(value: &Value) -> Value {
    serde_json::to_string_pretty(value).unwrap_or_default().into()
}

fn refund(state: &State, refund: &Refund) -> Value {
    let mut subject = Subject::default();
    subject.add_refund(refund);
    subject.owner = refund.order.split_once('/').map(|(owner, _)| owner);
    let mut related = subject.related(state);
    related["orders"] = rows(state.ledger.orders.get(&refund.order).into_iter());
    details("refunds", refund, related)
}

fn transfer(state: &State, transfer: &Transfer) -> Value {
    let numbers = [("out_bill_no", &*transfer.out_bill_no), ("transfer_bill_no", &*transfer.transfer_bill_no)];
    let mut subject = Subject { numbers: numbers.into(), owner: None };
    // The `out_bill_no` of a red packet is its `mch_billno` with a prefix.
    if let Some(number) = transfer.out_bill_no.strip_prefix("redpack-") {
        subject.numbers.insert(("mch_billno", number));
    }
    let mut details = details("transfers", transfer, subject.related(state));
    details["fail_reasons"] = admin_states::transfer_reasons(state.catalog).into();
    details
}

fn sharing(state: &State, sharing: &ProfitSharing) -> Value {
    let mut subject = Subject::default();
    subject.add_sharing(state, sharing);
    subject.owner = sharing.order.split_once('/').map(|(owner, _)| owner);
    let mut related = subject.related(state);
    related["orders"] = rows(state.ledger.orders.get(&sharing.order).into_iter());
    let key = sharing_key(sharing);
    let returns = state.ledger.sharing_returns.values().filter(|returned| returned.sharing == key);
    let mut details = details("sharings", sharing, related);
    details["fail_reasons"] = admin_states::sharing_reasons(state.catalog).into();
    details["returns"] = returns
        .map(|returned| {
            json!({
                "out_return_no": returned.out_return_no, "return_id": returned.return_id, "amount": returned.amount,
                "created_at": milliseconds(returned.created_at),
            })
        })
        .collect();
    details
}

/// The numbers that a message contains, and the merchant that they belong to.
fn subject_of(mentioned: &Mentioned) -> Subject<'_> {
    let mut subs = mentioned.iter().filter(|(name, _)| SUB_MERCHANT.contains(name)).map(|(_, sub)| sub);
    // The orders of a combined order can have several owners.
    let owner = match (subs.next(), subs.next()) {
        (None, _) => Some(MCHID),
        (sub, None) => sub,
        (Some(_), Some(_)) => None,
    };
    Subject { numbers: mentioned.iter().filter(|(name, _)| !SUB_MERCHANT.contains(name)).collect(), owner }
}

fn notification(state: &State, delivery: &Delivery) -> Value {
    let mentioned = Mentioned::in_json(&delivery.message.resource);
    let mut details = details("notifications", delivery, subject_of(&mentioned).related(state));
    details["resource"] = indented(&delivery.message.resource);
    details["original_type"] = match &delivery.message.format {
        Format::V2 => Value::Null,
        Format::V3 { original_type } | Format::Probe { original_type } => original_type.as_str().into(),
    };
    details["attempts"] = delivery.attempts.iter().map(|attempt| attempt_view(state, attempt)).collect();
    details
}

fn attempt_view(state: &State, attempt: &Attempt) -> Value {
    let sealed = state.outbox.sealed(attempt).map(|sealed| {
        json!({ "headers": headers(&sealed.headers), "body": body_text::view(&sealed.body, sealed.body.len() as u64) })
    });
    // If an attempt has no status, `response` is an error message of the sandbox.
    let text = |is_error: bool| (attempt.status.is_none() == is_error).then_some(attempt.response.as_str());
    json!({
        "at": attempt.at, "elapsed": attempt.elapsed, "status": attempt.status, "response": text(false),
        "error": text(true), "fault": attempt.fault, "sealed": sealed,
    })
}

fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| (title_case(name.as_str()), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

fn call(state: &State, call: &LoggedCall, origin: &str) -> Value {
    let mut details = details("calls", call, subject_of(&call.mentioned).related(state));
    let (received, response) = (&call.received, &call.response);
    details["request"] = json!({
        "headers": headers(&received.headers), "body": body_text::view(&received.body, received.body.len() as u64),
    });
    details["response"] =
        json!({ "headers": headers(&response.headers), "body": body_text::view(&response.body, response.length) });
    details["check"] = json!({ "expected": call.check.expected, "signed": call.check.signed });
    details["template"] = call.call.and_then(|call| call.template()).into();
    details["base_uri"] = (&*call.base_uri).into();
    details["curl"] = curl(call, origin).into();
    details["wxpay"] = wxpay_req(call).into();
    details["body_file"] = body_file(call.number).into();
    details
}
