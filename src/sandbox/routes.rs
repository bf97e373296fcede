//! What the sandbox answers to which path.
//!
//! To add an endpoint: one line in [`ROUTES`] and its function in one of the `api_*.rs`, which gets the path's variables and the
//! body and returns the answer or a [`Refusal`].

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use time::UtcOffset;

use super::answer::Refusal;
use super::server::BaseUri;
use super::upload::Upload;
use super::{State, api_misc as misc, api_money as money, api_pay as pay};
use crate::clock::rfc3339;

/// A request that has passed the signature check.
pub(super) struct Asked<'a> {
    pub(super) request: &'a Request<Bytes>,
    pub(super) upload: Option<&'a Upload>,
    pub(super) state: &'a State,
    /// The path's variables, in order.
    pub(super) variables: Vec<String>,
}

impl Asked<'_> {
    pub(super) fn variable(&self, at: usize) -> &str {
        self.variables.get(at).map_or("", String::as_str)
    }

    /// One value of the query, decoded; none where it is empty.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let pairs = self.request.uri().query().unwrap_or_default().split('&');
        let value = pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?.1;
        let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
        (!value.is_empty()).then_some(value)
    }

    /// Where the caller reaches the sandbox.
    pub(super) fn base_uri(&self) -> String {
        self.request.extensions().get::<BaseUri>().map_or_else(String::new, |BaseUri(base)| base.to_string())
    }
}

type Handler = fn(&Asked<'_>) -> Result<Answered, Refusal>;

const ROUTES: &[(&str, &str, Handler)] = &[
    ("POST", "v3/pay/transactions/native", pay::place_native),
    ("POST", "v3/pay/transactions/jsapi", pay::place_jsapi),
    ("POST", "v3/pay/transactions/app", pay::place_app),
    ("POST", "v3/pay/transactions/h5", pay::place_h5),
    ("GET", "v3/pay/transactions/id/{transaction_id}", pay::by_transaction_id),
    ("GET", "v3/pay/transactions/out-trade-no/{out_trade_no}", pay::by_out_trade_no),
    ("POST", "v3/pay/transactions/out-trade-no/{out_trade_no}/close", pay::close),
    ("POST", "v3/pay/partner/transactions/native", pay::place_native),
    ("POST", "v3/pay/partner/transactions/jsapi", pay::place_jsapi),
    ("POST", "v3/pay/partner/transactions/app", pay::place_app),
    ("POST", "v3/pay/partner/transactions/h5", pay::place_h5),
    ("GET", "v3/pay/partner/transactions/id/{transaction_id}", pay::by_transaction_id),
    ("GET", "v3/pay/partner/transactions/out-trade-no/{out_trade_no}", pay::by_out_trade_no),
    ("POST", "v3/pay/partner/transactions/out-trade-no/{out_trade_no}/close", pay::close),
    ("POST", "v3/combine-transactions/native", pay::combine_native),
    ("POST", "v3/combine-transactions/jsapi", pay::combine_jsapi),
    ("POST", "v3/combine-transactions/app", pay::combine_app),
    ("POST", "v3/combine-transactions/h5", pay::combine_h5),
    ("GET", "v3/combine-transactions/out-trade-no/{combine_out_trade_no}", pay::query_combined),
    ("POST", "v3/combine-transactions/out-trade-no/{combine_out_trade_no}/close", pay::close_combined),
    ("POST", "v3/refund/domestic/refunds", money::refund),
    ("GET", "v3/refund/domestic/refunds/{out_refund_no}", money::query_refund),
    ("POST", "v3/fund-app/mch-transfer/transfer-bills", money::transfer),
    ("GET", "v3/fund-app/mch-transfer/transfer-bills/out-bill-no/{out_bill_no}", money::transfer_by_out_bill_no),
    ("GET", "v3/fund-app/mch-transfer/transfer-bills/transfer-bill-no/{transfer_bill_no}", money::transfer_by_bill_no),
    ("POST", "v3/fund-app/mch-transfer/transfer-bills/out-bill-no/{out_bill_no}/cancel", money::cancel_transfer),
    ("POST", "v3/profitsharing/orders", money::share),
    ("POST", "v3/profitsharing/orders/unfreeze", money::unfreeze),
    ("GET", "v3/profitsharing/orders/{out_order_no}", money::query_sharing),
    ("GET", "v3/profitsharing/transactions/{transaction_id}/amounts", money::unsplit_amount),
    ("POST", "v3/profitsharing/receivers/add", money::receiver),
    ("POST", "v3/profitsharing/receivers/delete", money::receiver),
    ("POST", "v3/profitsharing/return-orders", money::give_back),
    ("GET", "v3/profitsharing/return-orders/{out_return_no}", money::query_return),
    ("GET", "v3/bill/tradebill", money::trade_bill),
    ("GET", "v3/bill/fundflowbill", money::fund_flow_bill),
    ("GET", "v3/billdownload/file", money::bill_file),
    ("POST", "v3/marketing/membercard-open/cards/{card_id}/permission-tokens", misc::permission_token),
    ("PATCH", "v3/marketing/membercard-open/callback", misc::set_card_callback),
    ("GET", "v3/marketing/membercard-open/callback", misc::card_callback),
    ("POST", "v3/merchant/media/upload", misc::media_id),
    ("POST", "v3/merchant/media/video_upload", misc::media_id),
    ("POST", "v3/merchant-service/images/upload", misc::image),
    ("GET", "v3/merchant-service/images/{media_id}", misc::image_file),
    ("GET", "v3/certificates", misc::certificates),
    ("POST", "v3/security/echo", misc::echo),
    ("GET", "v3/global/statements", misc::statement),
    ("GET", "hk/v3/statements", misc::statement),
];

/// An answer that a user of the sandbox gave for an endpoint.
pub(super) struct Stub {
    method: String,
    pub(super) template: String,
    v2: bool,
    pub(super) status: StatusCode,
    pub(super) response: Value,
    /// The length of the file that is the answer instead.
    pub(super) file: Option<u64>,
}

/// What is answered to a request.
pub(super) enum Answered {
    Json(StatusCode, Value),
    /// A file of that length, unsigned.
    File(u64),
    /// A file, unsigned.
    Bytes(Bytes),
    /// A file and its SHA-1, which is what is signed.
    Statement(Bytes, String),
}

impl Stub {
    pub(super) fn new(method: &str, template: &str, status: u16, response: Value) -> Self {
        let template = template.trim_start_matches('/');
        // The names of a stub are written as those of a chain.
        let template = crate::proto::case::normalize(template).map_or_else(|_| template.to_owned(), Cow::into_owned);
        let (v2, template) = match template.strip_prefix("v2/") {
            Some(path) => (true, path.to_owned()),
            None => (false, template),
        };
        Stub {
            method: method.to_ascii_uppercase(),
            template,
            v2,
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
            response,
            file: None,
        }
    }

    pub(super) fn file(template: &str, length: u64) -> Self {
        let stub = Stub::new("GET", template, 200, Value::Null);
        // APIv2 asks for its files by POST.
        let method = if stub.v2 { "POST".to_owned() } else { stub.method };
        Stub { file: Some(length), method, ..stub }
    }

    pub(super) fn fits(&self, v2: bool, method: &Method, path: &str) -> bool {
        self.v2 == v2 && method == self.method.as_str() && matched(&self.template, path).is_some()
    }
}

/// Answers a request whose signature held.
pub(super) fn answer(request: &Request<Bytes>, upload: Option<&Upload>, state: &State) -> Result<Answered, Refusal> {
    let (method, path) = (request.method(), request.uri().path());
    if let Some(stub) = state.book().stubs.iter().rev().find(|stub| stub.fits(false, method, path)) {
        return Ok(match stub.file {
            Some(length) => Answered::File(length),
            None => Answered::Json(stub.status, stub.response.clone()),
        });
    }
    let mut known = false;
    for (of, template, handler) in ROUTES {
        let Some(variables) = matched(template, path) else { continue };
        known = true;
        if method == *of {
            return handler(&Asked { request, upload, variables, state });
        }
    }
    Err(unknown(method, path, known))
}

fn unknown(method: &Method, path: &str, known: bool) -> Refusal {
    let (status, code) = if known {
        (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED")
    } else {
        (StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS")
    };
    let template = path.trim_start_matches('/');
    Refusal {
        status,
        code,
        message: format!(
            "the sandbox does not know {method} {path}: give its answer in a stub file, wxpay sandbox --stubs FILE, with a line \
             {{\"method\": {:?}, \"template\": {template:?}, \"status\": 200, \"response\": {{...}}}}, variables written as {{x}}; in Rust \
             sandbox.stub({:?}, {template:?}, 200, json!({{...}}))",
            method.as_str(),
            method.as_str(),
        ),
        detail: Value::Null,
    }
}

/// The variables of a path that fits the template, percent-decoded.
pub(super) fn matched(template: &str, path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix('/')?;
    let mut names = template.split('/');
    let mut variables = Vec::new();
    for segment in path.split('/') {
        let name = names.next()?;
        if name.starts_with('{') && name.ends_with('}') && !segment.is_empty() {
            variables.push(percent_decode_str(segment).decode_utf8().ok()?.into_owned());
        } else if name != segment {
            return None;
        }
    }
    names.next().is_none().then_some(variables)
}

/// The JSON object of a body.
pub(super) fn body(request: &Request<Bytes>) -> Result<Value, Refusal> {
    let content_type = request.headers().get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next()).map(str::trim);
    if !media_type.is_some_and(|media_type| media_type.eq_ignore_ascii_case("application/json")) {
        return Err(Refusal::param("header", "Content-Type", "Http头Content-Type应为application/json"));
    }
    let body: Value = serde_json::from_slice(request.body())
        .map_err(|error| Refusal::param("body", "", format!("请求body不是合法的JSON: {error}")))?;
    if !body.is_object() {
        return Err(Refusal::param("body", "", "请求body应为JSON对象"));
    }
    Ok(body)
}

/// A time as the service writes it, in China's time zone.
pub(super) fn china_time(time: SystemTime) -> String {
    rfc3339(time, UtcOffset::from_hms(8, 0, 0).unwrap_or(UtcOffset::UTC))
}

/// The same, of seconds since 1970.
pub(super) fn china_time_of(seconds: i64) -> String {
    china_time(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
}

/// The day of it: `2026-11-23`.
pub(super) fn china_date_of(seconds: i64) -> String {
    china_time_of(seconds).split('T').next().unwrap_or_default().to_owned()
}
