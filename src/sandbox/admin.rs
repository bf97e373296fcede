//! The control calls under `/sandbox/` and the page: what a buyer, a user and a tester do.
//!
//! They are not signed, so requests of other web pages must be refused: the `Host` must be this
//! machine (against DNS rebinding), the `Origin` must be the sandbox itself, and a change must be
//! JSON, which other pages cannot send without a preflight request.

use std::collections::HashMap;

use bytes::Bytes;
use http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use qrcode::render::svg;
use serde_json::{Value, json};

use super::admin_actions;
use super::admin_call::owner;
use super::api_orders::code_url;
use super::command_text::body_file;
use super::delivery::is_loopback;
use super::keys::Keys;
use super::ledger::Ledger;
use super::overview::{self, Follow};
use super::query_fields::query_fields;
use super::state::State;
use super::{admin_detail, admin_list};
use crate::proto::translate;

/// The header in which a browser states whether a request comes from the same site.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The files of the page: path, media type and text.
const FILES: [(&str, &str, &str); 5] = [
    ("/", "text/html; charset=utf-8", include_str!("page.html")),
    ("/sandbox/page.css", "text/css; charset=utf-8", include_str!("page.css")),
    ("/sandbox/page_texts.js", "text/javascript; charset=utf-8", include_str!("page_texts.js")),
    ("/sandbox/page_records.js", "text/javascript; charset=utf-8", include_str!("page_records.js")),
    ("/sandbox/page.js", "text/javascript; charset=utf-8", include_str!("page.js")),
];

/// The response fields that contain the sandbox's own texts. These fields are translated; texts
/// from the merchant are in other fields.
const TEXTS: [&str; 4] = ["error", "explanation", "findings", "outcome"];

/// Whether a path is one of the sandbox's own and not of the service.
pub(super) fn is_admin_path(path: &str) -> bool {
    path == "/" || path.starts_with("/sandbox/") || path == "/favicon.ico"
}

/// The response to a control call. The lock of the state is released before the HTTP response is
/// built.
pub(super) enum AdminResponse {
    Json(StatusCode, Value),
    Other(Response<Bytes>),
}

impl AdminResponse {
    fn json(body: Value) -> Self {
        AdminResponse::Json(StatusCode::OK, body)
    }

    fn error(status: StatusCode, message: &str) -> Self {
        AdminResponse::Json(status, json!({ "error": message }))
    }

    /// Translates the texts if the request accepts Chinese, and replaces the merchant's keys, which
    /// a call can contain by mistake.
    pub(super) fn into_http(self, request: &Request<Bytes>, keys: &Keys) -> Response<Bytes> {
        let (status, mut body) = match self {
            AdminResponse::Other(response) => return response,
            AdminResponse::Json(status, body) => (status, body),
        };
        let language = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        if language.is_some_and(|language| language.starts_with("zh")) {
            translate_texts(&mut body, &mut HashMap::new());
        }
        let text = without_keys(body.to_string().into(), keys);
        let mut response = content("application/json; charset=utf-8", text);
        *response.status_mut() = status;
        response
    }
}

/// Replaces the merchant's keys in a body with `***`.
fn without_keys(body: Bytes, keys: &Keys) -> Bytes {
    let secret = String::from_utf8_lossy(keys.apiv2.secret.expose());
    let text = String::from_utf8_lossy(&body);
    let mut found = [keys.apiv3_text.as_str(), &secret].into_iter().filter(|key| text.contains(key)).peekable();
    if found.peek().is_none() {
        drop(found);
        return body;
    }
    found.fold(text.to_string(), |text, key| text.replace(key, "***")).into()
}

/// Translates the fields that contain the sandbox's own texts. `known` caches the translations,
/// because the rows of a table repeat the same texts.
fn translate_texts(value: &mut Value, known: &mut HashMap<String, String>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| translate_texts(item, known)),
        Value::Object(members) => {
            for (name, member) in members {
                match (TEXTS.contains(&name.as_str()), member) {
                    (true, Value::Array(texts)) => texts.iter_mut().for_each(|text| translate_text(text, known)),
                    (true, text @ Value::String(_)) => translate_text(text, known),
                    (_, member) => translate_texts(member, known),
                }
            }
        }
        _ => {}
    }
}

fn translate_text(value: &mut Value, known: &mut HashMap<String, String>) {
    if let Value::String(text) = value {
        let translated = known.entry(std::mem::take(text)).or_insert_with_key(|text| translate::chinese(text));
        text.clone_from(translated);
    }
}

/// Responds to a request for one of the sandbox's own paths. `base_uri` is the address at which the
/// request was received.
pub(super) fn respond(state: &mut State, request: &Request<Bytes>, base_uri: &str, now: i64) -> AdminResponse {
    if let Err(reason) = check_origin(request) {
        return AdminResponse::error(StatusCode::FORBIDDEN, reason);
    }
    match *request.method() {
        Method::GET => get(state, request.uri().path(), request.uri().query().unwrap_or_default(), base_uri),
        Method::POST => post(state, request, now),
        _ => AdminResponse::error(StatusCode::NOT_FOUND, &admin_actions::calls()),
    }
}

/// Responds to a GET request, which does not change the state.
fn get(state: &State, path: &str, query: &str, base_uri: &str) -> AdminResponse {
    if let Some((_, media_type, text)) = FILES.iter().find(|(file, ..)| *file == path) {
        return AdminResponse::Other(content(media_type, Bytes::from_static(text.as_bytes())));
    }
    if path == "/favicon.ico" {
        return AdminResponse::Other(content("image/x-icon", Bytes::new()));
    }
    let call = path.strip_prefix("/sandbox/").unwrap_or_default();
    let found = match call.split_once('/') {
        None if call == "state" => Some(AdminResponse::json(overview::build(state, Follow::new(query)))),
        Some(("list", table)) => admin_list::list(state, table, query).map(AdminResponse::json),
        Some(("show", table)) => admin_detail::show(state, table, query, base_uri).map(AdminResponse::json),
        Some(("body", number)) => request_body(state, number).map(AdminResponse::Other),
        Some(("qr", name)) => qr_code(&state.ledger, name.trim_end_matches(".svg"), query).map(AdminResponse::Other),
        _ => return AdminResponse::error(StatusCode::NOT_FOUND, &admin_actions::calls()),
    };
    found.unwrap_or_else(|| AdminResponse::error(StatusCode::NOT_FOUND, "the record does not exist"))
}

/// Responds to a POST request, which is a control call.
fn post(state: &mut State, request: &Request<Bytes>, now: i64) -> AdminResponse {
    let call = request.uri().path().strip_prefix("/sandbox/").unwrap_or_default();
    let fields = match serde_json::from_slice::<Value>(request.body()) {
        Ok(fields) if fields.is_object() => fields,
        _ => return AdminResponse::error(StatusCode::BAD_REQUEST, "the body is not a JSON object"),
    };
    match admin_actions::run(state, call, &fields, now) {
        Some(Ok(body)) => AdminResponse::json(body),
        Some(Err(failure)) => AdminResponse::error(StatusCode::BAD_REQUEST, failure.message()),
        None => AdminResponse::error(StatusCode::NOT_FOUND, &admin_actions::calls()),
    }
}

/// Refuses requests of web pages from other origins.
fn check_origin(request: &Request<Bytes>) -> Result<(), &'static str> {
    let header = |name: HeaderName| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
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
    // A browser sends some requests of other sites without `Origin`, such as those for images.
    let is_foreign = header(SEC_FETCH_SITE).is_some_and(|site| !matches!(site, "same-origin" | "none"));
    if is_foreign && request.uri().path() != "/" {
        return Err("control calls are not accepted from web pages of other origins");
    }
    if request.method() == Method::POST && !content_type.starts_with("application/json") {
        return Err("control calls must be JSON: send Content-Type: application/json");
    }
    Ok(())
}

fn content(media_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The body of a logged request as a download, which a browser saves and does not display.
fn request_body(state: &State, number: &str) -> Option<Response<Bytes>> {
    let call = state.requests.get(number.parse().ok()?)?;
    let mut response =
        content("application/octet-stream", without_keys(call.received.body.clone(), &state.platform.keys));
    let disposition = format!("attachment; filename=\"{}\"", body_file(call.number));
    response.headers_mut().insert(CONTENT_DISPOSITION, HeaderValue::try_from(disposition).ok()?);
    Some(response)
}

/// The QR code of a native order. `number` is percent-encoded; the query can name a sub-merchant.
fn qr_code(ledger: &Ledger, number: &str, query: &str) -> Option<Response<Bytes>> {
    let (number, fields) = (percent_decode_str(number).decode_utf8_lossy(), Value::from(query_fields(query)));
    let key = ledger
        .find_order_key(&number, owner(&fields))
        .or_else(|| ledger.combined_order_keys(&number).into_iter().next());
    let order = ledger.orders.get(&key?)?;
    let code = qrcode::QrCode::new(code_url(&order.prepay_id)).ok()?;
    let image = code.render::<svg::Color<'_>>().min_dimensions(180, 180).build();
    Some(content("image/svg+xml", image.into()))
}
