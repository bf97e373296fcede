//! The control calls that change something.

use serde_json::{Map, Value, json};

use super::admin_call::{Done, owner, refusal, required};
use super::delivery::{Message, Notification};
use super::events::{self, CardEvent};
use super::fault::Fault;
use super::ledger::LedgerError;
use super::ledger_refunds::NewRefund;
use super::route_request::text;
use super::state::State;
use super::{admin_states, api_refunds, stub, trigger};
use crate::crypto::random;
use crate::error::Error;

/// The largest `days_ago` of a payment. The service keeps bills for three months.
const MAX_DAYS_AGO: i64 = 90;
const SECONDS_PER_DAY: i64 = 86_400;

/// The list of the control calls, for an unknown one.
pub(super) fn calls() -> String {
    let actions: Vec<&str> = ACTIONS.iter().map(|(name, _)| *name).collect();
    format!(
        "GET / state list/{{table}} show/{{table}} body/{{number}} qr/{{out_trade_no}}, POST {}, all under /sandbox/",
        actions.join(" ")
    )
}

type Action = fn(&mut State, &Value, i64) -> Result<Done, Error>;

const ACTIONS: &[(&str, Action)] = &[
    ("pay", pay),
    ("refund", refund),
    ("confirm", confirm),
    ("replay", replay),
    ("probe", probe),
    ("notify", notify),
    ("trigger", trigger_event),
    ("card", card),
    ("expire", admin_states::expire),
    ("fail-payment", admin_states::fail_payment),
    ("fail-transfer", admin_states::fail_transfer),
    ("hold", admin_states::hold),
    ("end-refund", admin_states::end_refund),
    ("end-profit-sharing", admin_states::end_profit_sharing),
    ("limit", admin_states::limit),
    ("fault", fault),
    ("clear-faults", clear_faults),
    ("stub", add_stubs),
    ("remove-stub", remove_stub),
    ("bills", bills),
];

/// Makes a control call and returns the body of its response; `None` if there is no such call.
pub(super) fn run(state: &mut State, call: &str, fields: &Value, now: i64) -> Option<Result<Value, Error>> {
    let (_, action) = ACTIONS.iter().find(|(name, _)| *name == call)?;
    Some(action(state, fields, now).map(|Done { mut body, notifications }| {
        let count = notifications.len();
        state.enqueue(notifications);
        if count > 0 {
            let deliveries = state.outbox.deliveries();
            let new = &deliveries[deliveries.len().saturating_sub(count)..];
            body["notifications"] = new
                .iter()
                .map(|delivery| json!({ "id": delivery.id, "notify_url": delivery.url, "outcome": delivery.outcome }))
                .collect();
        }
        body
    }))
}

/// The time of a payment, for the bill of an earlier day.
fn paid_at(fields: &Value, now: i64) -> Result<i64, Error> {
    let days = match fields.get("days_ago") {
        None | Some(Value::Null) => Some(0),
        Some(days) => days.as_i64().filter(|days| (0..=MAX_DAYS_AGO).contains(days)),
    };
    let days =
        days.ok_or_else(|| Error::options(format!("\"days_ago\" must be an integer from 0 to {MAX_DAYS_AGO}")))?;
    Ok(now - days * SECONDS_PER_DAY)
}

/// The buyer pays an order, or all orders of a combined order.
fn pay(state: &mut State, fields: &Value, now: i64) -> Result<Done, Error> {
    let number = required(fields, "out_trade_no")?;
    let paid_at = paid_at(fields, now)?;
    let refusal = |error| refusal("order", number, error);
    let keys = state.ledger.find_payable_keys(number, owner(fields));
    // All of them are paid, or none.
    for key in &keys {
        state.ledger.check_pay(key, now).map_err(refusal)?;
    }
    let mut transaction_id = Err(LedgerError::NotFound);
    for key in &keys {
        transaction_id = state.ledger.pay(key, paid_at);
    }
    let transaction_id = transaction_id.map_err(refusal)?;
    // The orders of a combined order are reported together, so one of them is enough.
    let order = keys.last().and_then(|key| state.ledger.orders.get(key));
    let notification = order.and_then(|order| events::payment(&state.ledger, order));
    Ok(Done::new(json!({ "transaction_id": transaction_id })).notify(notification))
}

/// The merchant refunds an order, in part or what is left of it.
fn refund(state: &mut State, fields: &Value, now: i64) -> Result<Done, Error> {
    let number = required(fields, "out_trade_no")?;
    let amount = match fields.get("amount") {
        None | Some(Value::Null) => None,
        Some(amount) => Some(
            amount
                .as_u64()
                .filter(|amount| *amount > 0)
                .ok_or_else(|| Error::options("\"amount\" must be a positive integer, in fen"))?,
        ),
    };
    let refusal = |error| refusal("order", number, error);
    let key = state.ledger.find_order_key(number, owner(fields)).ok_or_else(|| refusal(LedgerError::NotFound))?;
    let order = state.ledger.orders.get(&key).ok_or_else(|| refusal(LedgerError::NotFound))?;
    let out_refund_no = format!("page{}", random_text(20)?);
    let new = NewRefund {
        out_refund_no: &out_refund_no,
        amount: amount.unwrap_or(order.remaining()),
        total: order.terms.total,
        notify_url: None,
        reason: None,
    };
    let refunded = state.ledger.refund(&key, &new, now).map_err(refusal)?;
    let notification = api_refunds::complete(state, &refunded, now).map_err(refusal)?;
    let refund = refunded.refund();
    let body = json!({
        "out_refund_no": refund.out_refund_no, "refund_id": refund.refund_id, "amount": refund.amount,
    });
    Ok(Done::new(body).notify(notification))
}

/// The user confirms a transfer.
fn confirm(state: &mut State, fields: &Value, now: i64) -> Result<Done, Error> {
    let number = required(fields, "out_bill_no")?;
    let transfer = state.ledger.confirm_transfer(number, now).map_err(|error| refusal("transfer", number, error))?;
    Ok(Done::ok().notify(events::transfer(transfer)))
}

fn replay(state: &mut State, fields: &Value, _: i64) -> Result<Done, Error> {
    state.outbox.replay(required(fields, "id")?).map_err(Error::options)?;
    Ok(Done::ok())
}

fn probe(_: &mut State, fields: &Value, _: i64) -> Result<Done, Error> {
    Ok(Done::ok().notify([Notification::new(required(fields, "notify_url")?, Message::probe())]))
}

fn notify(_: &mut State, fields: &Value, _: i64) -> Result<Done, Error> {
    let url = required(fields, "notify_url")?;
    let (event_type, original_type) = (required(fields, "event_type")?, required(fields, "original_type")?);
    let message = Message::v3(event_type, original_type, fields["resource"].clone());
    Ok(Done::ok().notify([Notification::new(url, message)]))
}

/// A documented notification, without a cause. It is sent to a URL, or else to the last one.
fn trigger_event(state: &mut State, fields: &Value, now: i64) -> Result<Done, Error> {
    let set = match fields.get("set") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(set)) => set.clone(),
        Some(_) => return Err(Error::options("\"set\" must be an object of paths and values")),
    };
    let message = trigger::message(state.catalog, required(fields, "event")?, &set, now)?;
    let url = match text(fields, "notify_url") {
        "" => last_url(state)
            .ok_or_else(|| Error::options("no notify_url has reached the sandbox yet (option --to URL)"))?,
        url => url.to_owned(),
    };
    Ok(Done::ok().notify([Notification::new(&url, message)]))
}

/// The URL of the newest notification, or else of the newest order.
fn last_url(state: &State) -> Option<String> {
    let newest = state.outbox.deliveries().last().map(|delivery| delivery.url.clone());
    newest.or_else(|| {
        let orders = state.ledger.orders.values().filter(|order| !order.terms.notify_url.is_empty());
        let order = orders.max_by_key(|order| (order.created_at, &order.prepay_id));
        order.map(|order| order.terms.notify_url.clone())
    })
}

/// A user does something with a member card.
fn card(state: &mut State, fields: &Value, now: i64) -> Result<Done, Error> {
    let (card_id, event) = (required(fields, "card_id")?, required(fields, "event")?);
    let events = [CardEvent::Accept, CardEvent::Activate, CardEvent::Manage];
    let event = events.into_iter().find(|known| known.as_str() == event).ok_or_else(|| {
        Error::options("the event of a member card must be ACCEPT_CARD, ACTIVATE_CARD or USERCARD_MANAGE")
    })?;
    let url = state.member_cards.notify_url.as_ref().ok_or_else(|| {
        Error::options(
            "no callback is set for member cards: PATCH v3/marketing/membercard-open/callback {\"notify_url\": \"...\"}",
        )
    })?;
    let permission = state.member_cards.permissions.get(card_id);
    let message = events::member_card(event, card_id, &random_text(12)?, permission, now);
    Ok(Done::ok().notify([Notification::new(url, message)]))
}

/// Injects a fault into the next responses or notifications.
fn fault(state: &mut State, fields: &Value, _: i64) -> Result<Done, Error> {
    let name = required(fields, "fault")?;
    let times = fields.get("times").map_or(Some(1), Value::as_u64).filter(|times| (1..=10_000).contains(times));
    let times = times.ok_or_else(|| Error::options("\"times\" must be an integer from 1 to 10000"))?;
    let queue = match fields.get("on").and_then(Value::as_str).unwrap_or("answer") {
        "answer" => &mut state.response_faults,
        "notification" => &mut state.notification_faults,
        _ => return Err(Error::options("\"on\" must be \"answer\" or \"notification\"")),
    };
    for _ in 0..times {
        queue.push_back(Fault::from_name(name)?);
    }
    Ok(Done::ok())
}

/// Removes the pending faults.
fn clear_faults(state: &mut State, _: &Value, _: i64) -> Result<Done, Error> {
    state.response_faults.clear();
    state.notification_faults.clear();
    Ok(Done::ok())
}

/// The night passes for bills: that of today exists from now on.
fn bills(state: &mut State, _: &Value, _: i64) -> Result<Done, Error> {
    state.early_bills = true;
    Ok(Done::ok())
}

fn add_stubs(state: &mut State, fields: &Value, _: i64) -> Result<Done, Error> {
    state.stubs.extend(stub::parse_file(&fields.to_string()).map_err(Error::options)?);
    Ok(Done::ok())
}

/// Removes the stubs with this method and this path template.
fn remove_stub(state: &mut State, fields: &Value, _: i64) -> Result<Done, Error> {
    let (method, template) = (required(fields, "method")?, required(fields, "template")?);
    let count = state.stubs.len();
    state.stubs.retain(|stub| !stub.is_of(method, template));
    if state.stubs.len() == count {
        return Err(Error::options(format!("no stub exists for {method} {template}")));
    }
    Ok(Done::ok())
}

/// A random number as the service or the page makes one.
fn random_text(length: usize) -> Result<String, Error> {
    Ok(random::nonce()?.chars().take(length).collect())
}
