//! NotificationVerifier on their way to the merchant's `notify_url`: signed anew for each attempt, repeated on WeChat Pay's schedule until they are
//! answered with success.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response, Uri};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::api_money::{refund_answer, transfer_answer};
use super::api_pay::{combined, transaction};
use super::books::Table;
use super::fault::Fault;
use super::orders::{Api, Order, Refund};
use super::transfers::Transfer;
use super::{Book, State, notification, v2};
use crate::crypto::random;
use crate::error::Error;
use crate::pipeline::call_config::CallConfig;

/// Seconds between the attempts, as the service documents them: a day in all.
const PAUSES: [u64; 15] = [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10_800, 10_800, 10_800, 21_600, 21_600];
/// How long a merchant has to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much of an answer is kept.
const SHOWN: usize = 500;
/// Deliveries that are remembered.
const MOST: usize = 2000;

/// What a notification tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) event_type: String,
    /// What the resource is; empty in APIv2.
    pub(super) original_type: String,
    /// In the clear: sealed, or signed as fields, when it is sent.
    pub(super) resource: Value,
    pub(super) v2: bool,
    /// Signed wrongly on purpose, to see whether the merchant refuses it.
    pub(super) probe: bool,
}

impl Message {
    pub(super) fn v3(event_type: &str, original_type: &str, resource: Value) -> Self {
        Message {
            event_type: event_type.to_owned(),
            original_type: original_type.to_owned(),
            resource,
            v2: false,
            probe: false,
        }
    }
}

/// A notification and what became of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Delivery {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) message: Message,
    pub(super) attempts: Vec<Attempt>,
    /// Milliseconds since 1970; none while it is under way, done or given up.
    pub(super) next_at: Option<u64>,
    /// `waiting`, `delivered`, `given up`, or why it is not sent at all.
    pub(super) outcome: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Attempt {
    /// Milliseconds since 1970.
    pub(super) at: u64,
    /// The status of the answer; none where there was none.
    pub(super) status: Option<u16>,
    /// The beginning of the answer, or what went wrong.
    pub(super) answer: String,
    pub(super) fault: Option<String>,
}

fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Puts a notification into the outbox. Without a URL there is nobody to tell.
pub(super) fn push(book: &mut Book, url: &str, message: Message) {
    if url.is_empty() {
        return;
    }
    let Ok(id) = random::nonce() else { return };
    let outcome = match local(url, book.allow_anywhere) {
        Ok(()) => "waiting".to_owned(),
        Err(said) => said,
    };
    let next_at = (outcome == "waiting").then(milliseconds);
    let delivery = Delivery { id, url: url.to_owned(), message, attempts: Vec::new(), next_at, outcome };
    book.books.touch(Table::Deliveries, delivery.id.as_str(), &delivery);
    book.deliveries.push(delivery);
    if book.deliveries.len() > MOST {
        // Those that still wait stay as long as they can.
        let over = book.deliveries.iter().position(|delivery| delivery.outcome != "waiting").unwrap_or(0);
        let over = book.deliveries.remove(over);
        book.books.forget(Table::Deliveries, &over.id);
    }
    book.wake.notify_one();
}

/// Whether a notification may go there: to this machine, unless others are allowed.
pub(super) fn local(url: &str, allow_anywhere: bool) -> Result<(), String> {
    let uri: Uri = url.parse().map_err(|_| "not sent: the notify_url is no URL".to_owned())?;
    match uri.host() {
        Some("127.0.0.1" | "localhost" | "[::1]") => Ok(()),
        Some(_) if allow_anywhere => Ok(()),
        _ => Err("not sent: the notify_url is not on this machine (--notify-anywhere allows others)".to_owned()),
    }
}

/// Tells of a payment.
pub(super) fn paid(book: &mut Book, order: &Order) {
    let url = order.terms.notify_url.clone();
    match order.terms.api {
        Api::V2 => push(book, &url, v2::paid(order)),
        Api::Direct | Api::Partner => {
            push(book, &url, Message::v3("TRANSACTION.SUCCESS", "transaction", transaction(order)))
        }
        Api::Combined => {
            // Once for all of it, when the last one is paid.
            let number = order.terms.combine_out_trade_no.clone();
            let all = book.books.orders.values().filter(|other| other.terms.combine_out_trade_no == number);
            if all.into_iter().all(|other| !other.transaction_id.is_empty()) {
                if let Some(resource) = combined(book, &number) {
                    push(book, &url, Message::v3("TRANSACTION.SUCCESS", "transaction", resource));
                }
            }
        }
    }
}

/// Tells of a refund: to its own address, or that of the order.
pub(super) fn refunded(book: &mut Book, refund: &Refund) {
    let Some(order) = book.books.orders.get(&refund.order).cloned() else { return };
    let url = if refund.notify_url.is_empty() { order.terms.notify_url.clone() } else { refund.notify_url.clone() };
    if order.terms.api == Api::V2 {
        // APIv2 tells of refunds only where it was asked to.
        if !refund.notify_url.is_empty() {
            push(book, &url, v2::refunded(&order, refund));
        }
        return;
    }
    let whole = refund_answer(refund, "SUCCESS");
    let mut resource = json!({ "refund_status": "SUCCESS" });
    for name in
        ["out_trade_no", "transaction_id", "out_refund_no", "refund_id", "success_time", "user_received_account"]
    {
        resource[name] = whole[name].clone();
    }
    for name in ["mchid", "sp_mchid", "sub_mchid"] {
        if !order.asked(&format!("/{name}")).is_empty() {
            resource[name] = order.asked(&format!("/{name}")).into();
        }
    }
    let amount = &whole["amount"];
    resource["amount"] = json!({
        "total": amount["total"], "refund": amount["refund"], "payer_total": amount["payer_total"], "payer_refund": amount["payer_refund"],
    });
    push(book, &url, Message::v3("REFUND.SUCCESS", "refund", resource));
}

/// Tells that a transfer has ended.
pub(super) fn transferred(book: &mut Book, transfer: &Transfer) {
    push(
        book,
        &transfer.notify_url.clone(),
        Message::v3("MCHTRANSFER.BILL.FINISHED", "mch_payment", transfer_answer(transfer)),
    );
}

/// Sends one again, whatever became of it.
pub(super) fn replay(book: &mut Book, id: &str) -> Result<(), String> {
    let allowed = book.allow_anywhere;
    let delivery = book.deliveries.iter_mut().find(|delivery| delivery.id == id);
    let delivery = delivery.ok_or_else(|| format!("there is no notification {id:?}"))?;
    local(&delivery.url, allowed)?;
    (delivery.next_at, delivery.outcome) = (Some(milliseconds()), "waiting".to_owned());
    book.wake.notify_one();
    Ok(())
}

/// Sends what is due, until the sandbox ends.
pub(super) async fn run(state: Arc<State>) {
    let wake = Arc::clone(&state.book().wake);
    loop {
        let now = milliseconds();
        let (due, next) = {
            let mut book = state.book();
            let mut due = Vec::new();
            let mut next = None;
            for delivery in &mut book.deliveries {
                match delivery.next_at {
                    Some(at) if at <= now => {
                        delivery.next_at = None;
                        due.push(delivery.clone());
                    }
                    Some(at) => next = Some(next.map_or(at, |next: u64| next.min(at))),
                    None => {}
                }
            }
            (due, next)
        };
        for delivery in due {
            tokio::spawn(attempt(Arc::clone(&state), delivery));
        }
        match next {
            Some(at) => {
                let pause = Duration::from_millis(at.saturating_sub(milliseconds()).max(1));
                let _ = tokio::time::timeout(pause, wake.notified()).await;
            }
            None => wake.notified().await,
        }
    }
}

async fn attempt(state: Arc<State>, delivery: Delivery) {
    // What it tells must not be lost after it was told.
    state.kept().await;
    let allowed = local(&delivery.url, state.book().allow_anywhere);
    if let Err(said) = allowed {
        let mut book = state.book();
        if let Some(delivery) = book.deliveries.iter_mut().find(|known| known.id == delivery.id) {
            delivery.outcome = said;
        }
        return;
    }
    let fault = state.book().notification_faults.pop_front();
    let began = milliseconds();
    let shown = fault.as_ref().map(|fault| format!("{fault:?}"));
    let outcome = send(&state, &delivery, fault).await;
    let (status, answer, success) = match outcome {
        Ok(answer) => {
            let text: String = String::from_utf8_lossy(answer.body()).chars().take(SHOWN).collect();
            (Some(answer.status().as_u16()), text, is_success(&delivery.message, &answer))
        }
        Err(error) => (None, error.message().to_owned(), false),
    };
    {
        let mut book = state.book();
        let factor = book.speed;
        let Some(delivery) = book.deliveries.iter_mut().find(|known| known.id == delivery.id) else { return };
        delivery.attempts.push(Attempt { at: began, status, answer, fault: shown });
        let pause = PAUSES.get(delivery.attempts.len() - 1).filter(|_| !delivery.message.probe);
        (delivery.next_at, delivery.outcome) = match pause {
            _ if success => (None, "delivered".to_owned()),
            // A probe is one attempt, and its refusal is the good answer.
            None if delivery.message.probe && status.is_none() => (None, "not answered".to_owned()),
            None if delivery.message.probe => (None, "refused, as it should be".to_owned()),
            None => (None, "given up".to_owned()),
            Some(pause) => {
                let pause = Duration::from_secs(*pause).div_f64(factor);
                (Some(milliseconds() + u64::try_from(pause.as_millis()).unwrap_or(u64::MAX / 2)), "waiting".to_owned())
            }
        };
        if delivery.message.probe && success {
            delivery.outcome = "accepted, and its signature was wrong: the merchant does not verify".to_owned();
        }
        let row = delivery.clone();
        book.books.touch(Table::Deliveries, row.id.as_str(), &row);
        let changes = book.books.take_changes();
        book.wake.notify_one();
        drop(book);
        state.store.keep(changes);
    }
}

async fn send(state: &State, delivery: &Delivery, fault: Option<Fault>) -> Result<Response<Bytes>, Error> {
    let mut request = sealed(state, delivery, fault.as_ref())?;
    *request.uri_mut() =
        delivery.url.parse().map_err(|source: http::uri::InvalidUri| Error::options("no URL").with_source(source))?;
    request.extensions_mut().insert(CallConfig::default());
    let began = Instant::now();
    match fault {
        Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
        Some(Fault::Hangup) => return Err(Error::options("not sent, as told")),
        _ => {}
    }
    let sent = tokio::time::timeout(PATIENCE, state.transport.clone().oneshot(request)).await;
    sent.unwrap_or_else(|_| Err(Error::options(format!("no answer within {:?}", began.elapsed()))))
}

/// The request of an attempt, with its fault.
fn sealed(state: &State, delivery: &Delivery, fault: Option<&Fault>) -> Result<Request<Bytes>, Error> {
    let Message { event_type, original_type, resource, v2, probe } = &delivery.message;
    if *v2 {
        let mut request = Request::new(notification::make_v2(state.apiv2(), resource)?);
        *request.method_mut() = http::Method::POST;
        request.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/xml"));
        if matches!(fault, Some(Fault::WrongSignature)) {
            // A field that was not there when it was signed.
            let signed = String::from_utf8_lossy(request.body()).replace("</xml>", "<tampered>1</tampered></xml>");
            *request.body_mut() = signed.into();
        }
        return Ok(request);
    }
    let (key, serial) = state.book().signing_key(&state.keys, None);
    let at = match fault {
        Some(Fault::Clock(seconds)) => crate::clock::now().saturating_add(*seconds),
        _ => crate::clock::now(),
    };
    let serial = match fault {
        Some(Fault::UnknownSerial) => super::UNKNOWN_SERIAL.to_owned(),
        _ => serial,
    };
    let made = notification::Made { id: &delivery.id, event_type, original_type, resource };
    let mut request = notification::make(&state.keys.apiv3_key, &key, &serial, at, &made)?;
    if *probe {
        let wrong = format!("WECHATPAY/SIGNTEST/{}", random::nonce()?);
        if let Ok(value) = http::HeaderValue::try_from(wrong) {
            request.headers_mut().insert("wechatpay-signature", value);
        }
    }
    match fault {
        Some(Fault::WrongSignature) => super::fault::spoil(request.headers_mut()),
        Some(Fault::MissingHeader(name)) => drop(request.headers_mut().remove(name.as_str())),
        _ => {}
    }
    Ok(request)
}

fn is_success(message: &Message, answer: &Response<Bytes>) -> bool {
    if message.v2 {
        let fields = crate::proto::xml::read(answer.body()).unwrap_or_default();
        return answer.status().is_success() && fields.get("return_code").is_some_and(|code| code == "SUCCESS");
    }
    answer.status().is_success()
}
