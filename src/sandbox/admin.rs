//! The control calls under `/sandbox/` and the page: what a buyer, a user and a tester do.
//!
//! They are not signed, so requests of other web pages must be refused: the `Host` must be this
//! machine (against DNS rebinding), the `Origin` must be the sandbox itself, and a change must be
//! JSON, which other pages cannot send without a preflight request.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use http::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use qrcode::render::svg;
use serde_json::{Value, json};

use super::admin_actions::{self, CALLS};
use super::api_orders::code_url;
use super::delivery::is_loopback;
use super::ledger::Ledger;
use super::overview;
use super::state::State;

const PAGE: &str = include_str!("page.html");

/// Whether a path is one of the sandbox's own and not of the service.
pub(super) fn is_admin_path(path: &str) -> bool {
    path == "/" || path.starts_with("/sandbox/") || path == "/favicon.ico"
}

/// Responds to a request for such a path.
pub(super) fn respond(state: &mut State, request: &Request<Bytes>, now: i64) -> Response<Bytes> {
    if let Err(reason) = check_origin(request) {
        return error(StatusCode::FORBIDDEN, reason);
    }
    let path = request.uri().path();
    let call = path.strip_prefix("/sandbox/").unwrap_or_default();
    match (request.method(), path) {
        (&Method::GET, "/") => content("text/html; charset=utf-8", PAGE.into()),
        (&Method::GET, "/favicon.ico") => content("image/x-icon", Bytes::new()),
        (&Method::GET, "/sandbox/state") => json_body(&overview::build(state)),
        (&Method::GET, _) => match call.strip_prefix("qr/") {
            Some(name) => qr_code(&state.ledger, name.trim_end_matches(".svg")),
            None => error(StatusCode::NOT_FOUND, CALLS),
        },
        (&Method::POST, _) => {
            let fields = match serde_json::from_slice::<Value>(request.body()) {
                Ok(fields) if fields.is_object() => fields,
                _ => return error(StatusCode::BAD_REQUEST, "the body is not a JSON object"),
            };
            match admin_actions::run(state, call, &fields, now) {
                Some(Ok(body)) => json_body(&body),
                Some(Err(failure)) => error(StatusCode::BAD_REQUEST, failure.message()),
                None => error(StatusCode::NOT_FOUND, CALLS),
            }
        }
        _ => error(StatusCode::NOT_FOUND, CALLS),
    }
}

/// Refuses requests of web pages from other origins.
fn check_origin(request: &Request<Bytes>) -> Result<(), &'static str> {
    let header = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let host = header(HOST).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if !is_loopback(name) {
        return Err("control calls are only accepted for 127.0.0.1 or localhost");
    }
    let is_own =
        |origin: &str| origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")) == Some(host);
    if header(ORIGIN).is_some_and(|origin| !is_own(origin)) {
        return Err("control calls are not accepted from web pages of other origins");
    }
    let content_type = header(CONTENT_TYPE).unwrap_or_default();
    if request.method() == Method::POST && !content_type.starts_with("application/json") {
        return Err("control calls must be JSON: send Content-Type: application/json");
    }
    Ok(())
}

fn content(content_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert("x-frame-options", HeaderValue::from_static("DENY"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

fn json_body(body: &Value) -> Response<Bytes> {
    content("application/json; charset=utf-8", body.to_string().into())
}

fn error(status: StatusCode, message: &str) -> Response<Bytes> {
    let mut response = json_body(&json!({ "error": message }));
    *response.status_mut() = status;
    response
}

/// The QR code of a native order. `number` is percent-encoded.
fn qr_code(ledger: &Ledger, number: &str) -> Response<Bytes> {
    let number = percent_decode_str(number).decode_utf8_lossy();
    let key = ledger.find_order_key(&number).or_else(|| ledger.combined_order_keys(&number).into_iter().next());
    let order = key.and_then(|key| ledger.orders.get(&key));
    match order.and_then(|order| qrcode::QrCode::new(code_url(&order.prepay_id)).ok()) {
        Some(code) => {
            let image = code.render::<svg::Color<'_>>().min_dimensions(180, 180).build();
            content("image/svg+xml", image.into())
        }
        None => error(StatusCode::NOT_FOUND, "the order does not exist"),
    }
}
