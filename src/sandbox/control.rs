//! The sandbox's own calls, under `/sandbox/`, and its page: what a buyer, a user and a tester do.
//!
//! They take no signature, so they take nothing from pages of other origins either: a request must name this machine as its host,
//! and a change must be JSON, which no other page can send unasked.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use http::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use qrcode::render::svg;
use serde_json::{Value, json};

use super::api_pay::code_url;
use super::book::Book;
use super::books::Refused;
use super::fault::Fault;
use super::orders::{self, Refunding};
use super::outbox::{self, Message};
use super::routes::{Stub, china_time_of};
use super::{MCHID, State};
use crate::clock::now;
use crate::crypto::random;
use crate::error::Error;

const PAGE: &str = include_str!("page.html");
/// Rows of each table on the page.
const MOST_ROWS: usize = 100;

/// Whether a path is one of the sandbox's own.
pub(super) fn is_own(path: &str) -> bool {
    path == "/" || path.starts_with("/sandbox/") || path == "/favicon.ico"
}

/// Answers one.
pub(super) fn answer(request: &Request<Bytes>, state: &State) -> Response<Bytes> {
    if let Err(said) = same_origin(request) {
        return failed(StatusCode::FORBIDDEN, said);
    }
    let path = request.uri().path();
    match (request.method(), path) {
        (&Method::GET, "/") => typed("text/html; charset=utf-8", PAGE.into()),
        (&Method::GET, "/favicon.ico") => typed("image/x-icon", Bytes::new()),
        (&Method::GET, "/sandbox/state") => json_answer(&overview(&state.book())),
        (&Method::GET, _) => match path.strip_prefix("/sandbox/qr/") {
            Some(number) => qr(&state.book(), number),
            None => unknown(),
        },
        (&Method::POST, _) => {
            let asked = match serde_json::from_slice::<Value>(request.body()) {
                Ok(asked) if asked.is_object() => asked,
                _ => return failed(StatusCode::BAD_REQUEST, "the body is no JSON object"),
            };
            match change(path, &asked, state) {
                Some(Ok(answer)) => json_answer(&answer),
                Some(Err(error)) => failed(StatusCode::BAD_REQUEST, error.message()),
                None => unknown(),
            }
        }
        _ => unknown(),
    }
}

/// A page of another origin, or one that has rebound its name to this machine, gets nothing.
fn same_origin(request: &Request<Bytes>) -> Result<(), &'static str> {
    let text = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let host = text(HOST).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if !matches!(name, "127.0.0.1" | "localhost" | "[::1]") {
        return Err("the control calls are for this machine: call them by 127.0.0.1 or localhost");
    }
    let own = |origin: &str| origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")) == Some(host);
    if text(ORIGIN).is_some_and(|origin| !own(origin)) {
        return Err("the control calls are not for pages of other origins");
    }
    let content_type = text(CONTENT_TYPE).unwrap_or_default();
    if request.method() == Method::POST && !content_type.starts_with("application/json") {
        return Err("a control call is JSON: send Content-Type: application/json");
    }
    Ok(())
}

fn typed(content_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut answer = Response::new(body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer.headers_mut().insert("x-frame-options", HeaderValue::from_static("DENY"));
    answer.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    answer
}

fn json_answer(body: &Value) -> Response<Bytes> {
    typed("application/json; charset=utf-8", body.to_string().into())
}

fn failed(status: StatusCode, said: &str) -> Response<Bytes> {
    let mut answer = json_answer(&json!({ "error": said }));
    *answer.status_mut() = status;
    answer
}

/// The control calls, for who asked for another.
const CALLS: &str =
    "GET / state qr/{out_trade_no}, POST pay refund confirm replay probe notify card fault stub, all under /sandbox/";

fn unknown() -> Response<Bytes> {
    failed(StatusCode::NOT_FOUND, CALLS)
}

/// Makes a change for a caller in this process.
pub(super) fn call(name: &str, asked: &Value, state: &State) -> Result<Value, Error> {
    change(&format!("/sandbox/{name}"), asked, state)
        .unwrap_or_else(|| Err(Error::options(format!("{name:?} is no control call of the sandbox: {CALLS}"))))
}

/// Makes a change; none where there is no such call.
fn change(path: &str, asked: &Value, state: &State) -> Option<Result<Value, Error>> {
    let text = |name: &str| asked.get(name).and_then(Value::as_str).unwrap_or_default();
    let needed = |name: &str| match text(name) {
        "" => Err(Error::options(format!("the field {name:?} is missing"))),
        text => Ok(text),
    };
    let done = || json!({ "ok": true });
    let mut book = state.book();
    let before = book.deliveries.len();
    let outcome = Some(match path.strip_prefix("/sandbox/")? {
        "pay" => {
            needed("out_trade_no").and_then(|number| pay(&mut book, number)).map(|id| json!({ "transaction_id": id }))
        }
        "refund" => needed("out_trade_no").and_then(|number| match asked.get("amount") {
            None | Some(Value::Null) => refund(&mut book, number, None),
            Some(amount) => match amount.as_u64().filter(|amount| *amount > 0) {
                Some(amount) => refund(&mut book, number, Some(amount)),
                None => Err(Error::options("\"amount\" is no number of fen, a whole one above 0")),
            },
        }),
        "confirm" => needed("out_bill_no").and_then(|number| confirm(&mut book, number)).map(|()| done()),
        "replay" => needed("id").and_then(|id| outbox::replay(&mut book, id).map_err(Error::options)).map(|()| done()),
        "probe" => needed("notify_url").map(|url| {
            let mut message = Message::v3("TRANSACTION.SUCCESS", "transaction", json!({}));
            message.probe = true;
            outbox::push(&mut book, url, message);
            done()
        }),
        "notify" => needed("notify_url").and_then(|url| {
            let message = Message::v3(needed("event_type")?, needed("original_type")?, asked["resource"].clone());
            outbox::push(&mut book, url, message);
            Ok(done())
        }),
        "card" => needed("card_id").and_then(|card| card_event(&mut book, card, needed("event")?)).map(|()| done()),
        "fault" => needed("fault").and_then(|name| fault(&mut book, name, asked)).map(|()| done()),
        "stub" => serde_json::from_value::<Value>(asked.clone())
            .map_err(|_| Error::options("no stub"))
            .and_then(|asked| super::home::stubs(&asked.to_string()).map_err(Error::options))
            .map(|stubs: Vec<Stub>| {
                book.stubs.extend(stubs);
                done()
            }),
        _ => return None,
    });
    // Whom it tells, or why it tells nobody.
    let told: Vec<Value> = book
        .deliveries
        .iter()
        .skip(before)
        .map(|delivery| json!({ "id": delivery.id, "notify_url": delivery.url, "outcome": delivery.outcome }))
        .collect();
    outcome.map(|outcome| {
        outcome.map(|mut answer| {
            if !told.is_empty() {
                answer["notifications"] = told.into();
            }
            answer
        })
    })
}

/// Puts a fault into the next answers or notifications.
fn fault(book: &mut Book, name: &str, asked: &Value) -> Result<(), Error> {
    let times = asked.get("times").map_or(Some(1), Value::as_u64).filter(|times| (1..=10_000).contains(times));
    let times = times.ok_or_else(|| Error::options("\"times\" is no number from 1 to 10000"))?;
    let on = asked.get("on").and_then(Value::as_str).unwrap_or("answer");
    for _ in 0..times {
        let fault = Fault::from_name(name)?;
        match on {
            "answer" => book.faults.push_back(fault),
            "notification" => book.notification_faults.push_back(fault),
            _ => return Err(Error::options("\"on\" is \"answer\" or \"notification\"")),
        }
    }
    Ok(())
}

/// Why the tester's wish is not granted, in words.
fn refused(what: &str, number: &str, refused: Refused) -> Error {
    Error::options(format!(
        "the {what} {number:?} {}",
        match refused {
            Refused::Unknown => "is not known to the sandbox",
            Refused::Paid => "is paid already",
            Refused::Closed => "is closed",
            Refused::NotPaid => "is not paid yet",
            Refused::TooMuch => "has not so much left to give back",
            Refused::NotEnough => "cannot be given back: the merchant has not enough",
            Refused::WrongState => "has ended already",
            Refused::NumberUsed | Refused::WrongTotal | Refused::NotShared => "cannot be changed so",
        }
    ))
}

/// The buyer pays an order, or all of a combined one.
pub(super) fn pay(book: &mut Book, out_trade_no: &str) -> Result<String, Error> {
    let said = |why| refused("order", out_trade_no, why);
    let keys = book.books.numbered(out_trade_no);
    // All of a combined order, or none.
    for key in &keys {
        book.books.may_pay(key).map_err(said)?;
    }
    let mut paid = Vec::new();
    for key in keys {
        paid.push(book.books.pay(&key, now()).map_err(said)?.clone());
    }
    for order in &paid {
        outbox::paid(book, order);
    }
    paid.pop().map(|order| order.transaction_id).ok_or_else(|| said(Refused::Unknown))
}

/// The merchant gives an order back from the page: all that is left of it, or some.
fn refund(book: &mut Book, out_trade_no: &str, amount: Option<u64>) -> Result<Value, Error> {
    let said = |why| refused("order", out_trade_no, why);
    let key = &book.books.one(out_trade_no).ok_or_else(|| said(Refused::Unknown))?;
    let order = book.books.orders.get(key).ok_or_else(|| said(Refused::Unknown))?;
    let number = format!("page{}", random::nonce()?.chars().take(20).collect::<String>());
    let refunding = Refunding {
        out_refund_no: &number,
        amount: amount.unwrap_or(order.total - order.refunded - order.shared),
        total: order.total,
        notify_url: "",
    };
    let refund = book.books.refund(key, &refunding, now()).map_err(said)?.clone();
    outbox::refunded(book, &refund);
    Ok(json!({ "refund_id": refund.refund_id, "amount": refund.amount }))
}

/// The user takes a transfer.
pub(super) fn confirm(book: &mut Book, out_bill_no: &str) -> Result<(), Error> {
    let transfer = book.books.confirm(out_bill_no, now()).map_err(|why| refused("transfer", out_bill_no, why))?.clone();
    outbox::transferred(book, &transfer);
    Ok(())
}

/// What a user does with a member card: `ACCEPT_CARD`, `ACTIVATE_CARD` or `USERCARD_MANAGE`.
fn card_event(book: &mut Book, card_id: &str, event: &str) -> Result<(), Error> {
    if !matches!(event, "ACCEPT_CARD" | "ACTIVATE_CARD" | "USERCARD_MANAGE") {
        return Err(Error::options("the event of a member card is ACCEPT_CARD, ACTIVATE_CARD or USERCARD_MANAGE"));
    }
    let url = book.card_callback.clone().ok_or_else(|| {
        Error::options("no callback is set for member cards: PATCH v3/marketing/membercard-open/callback {\"notify_url\": \"...\"}")
    })?;
    let asked = book.cards.get(card_id);
    let mut resource = json!({
        "event_type": event, "card_id": card_id, "code": random::nonce()?.chars().take(12).collect::<String>(),
        "event_time": china_time_of(now()), "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
    });
    if let Some(outer) = asked.and_then(|asked| asked.get("outer_str")).filter(|_| event != "USERCARD_MANAGE") {
        resource["outer_str"] = outer.clone();
    }
    outbox::push(book, &url, Message::v3(&format!("MEMBERCARD.{event}"), "membercard", resource));
    Ok(())
}

/// The QR code of a native order.
fn qr(book: &Book, number: &str) -> Response<Bytes> {
    let number = percent_decode_str(number.trim_end_matches(".svg")).decode_utf8_lossy().into_owned();
    let order = book.books.orders.get(&orders::key(MCHID, &number)).or_else(|| {
        let keys = book.books.numbered(&number);
        keys.first().and_then(|key| book.books.orders.get(key))
    });
    let code = order.and_then(|order| qrcode::QrCode::new(code_url(&order.prepay_id)).ok());
    match code {
        Some(code) => {
            let image = code.render::<svg::Color<'_>>().min_dimensions(180, 180).build();
            typed("image/svg+xml", image.into())
        }
        None => failed(StatusCode::NOT_FOUND, "there is no such order"),
    }
}

/// Everything that the page shows.
pub(super) fn overview(book: &Book) -> Value {
    let mut all = book.books.overview(MOST_ROWS);
    let first = book.count - u64::try_from(book.received.len()).unwrap_or_default();
    let calls = book.verdicts.iter().rev().take(MOST_ROWS).filter_map(|(number, verdict)| {
        let at = usize::try_from(number.checked_sub(first + 1)?).ok()?;
        let received = book.received.get(at)?;
        Some(json!({
            "number": number, "method": received.method.as_str(), "target": received.target, "status": received.status.as_u16(),
            "held": verdict.held, "expected": verdict.expected, "signed": verdict.signed, "said": verdict.said,
        }))
    });
    all["calls"] = calls.collect();
    let notifications =
        book.deliveries.iter().rev().take(MOST_ROWS).filter_map(|delivery| serde_json::to_value(delivery).ok());
    all["notifications"] = notifications.collect();
    all["count"] = book.count.into();
    all
}
