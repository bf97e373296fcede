//! Dispatches a request: authenticates and routes it, enqueues its notifications, logs it, and
//! signs the response. All of this happens under one lock, so that a request is atomic.

use std::sync::Arc;

use http::header::RETRY_AFTER;

use super::api_version::ApiVersion;
use super::authenticate::authenticate;
use super::delivery::milliseconds;
use super::fault::Fault;
use super::fault_injection::{self, Transmission};
use super::mentioned::Mentioned;
use super::refusal::Refusal;
use super::request::InboundRequest;
use super::request_log::{LoggedCall, Received, SentResponse, SignatureCheck};
use super::response::RouteResponse;
use super::state::State;
use super::{routes, sensitive_fields, upload, v2, wire_headers};
use crate::error::Error;
use crate::proto::verify;

/// A signed response, and how it is sent.
pub(super) struct Dispatched {
    /// The number of the request in the log.
    pub(super) number: u64,
    pub(super) response: RouteResponse,
    pub(super) transmission: Transmission,
    /// The explanation for the log of refused signatures.
    pub(super) refused: Option<RefusedSignature>,
    /// How the request differs from the documentation, in a lenient sandbox.
    pub(super) warning: Option<Warning>,
}

/// A request whose signature was refused.
pub(super) struct RefusedSignature {
    /// `GET /v3/...`
    pub(super) request_line: String,
    pub(super) check: SignatureCheck,
}

/// A request that differs from the documentation.
pub(super) struct Warning {
    /// `GET /v3/...`
    pub(super) request_line: String,
    pub(super) findings: Vec<String>,
}

/// Responds to a request.
///
/// # Errors
/// The response cannot be signed; the connection is closed without one.
pub(super) fn dispatch(state: &mut State, inbound: InboundRequest, now: i64) -> Result<Dispatched, Error> {
    let retry_after = retry_after(state, now);
    let (check, mut response) = match ApiVersion::of_request(&inbound) {
        ApiVersion::V2 => v2::respond(state, &inbound, retry_after.is_some(), now),
        ApiVersion::V3 => respond_v3(state, &inbound, retry_after, now),
    };
    state.enqueue(std::mem::take(&mut response.notifications));
    let request_line = || format!("{} {}", inbound.http.method(), inbound.http.uri());
    let refused = (!check.valid && !check.expected.is_empty())
        .then(|| RefusedSignature { request_line: request_line(), check: check.clone() });
    let findings = std::mem::take(&mut response.findings);
    let warning = (!findings.is_empty()).then(|| Warning { request_line: request_line(), findings: findings.clone() });
    let number = state.requests.next_number();
    let status = response.http.status();
    let fault = state.response_faults.pop_front();
    let fault_name = fault.as_ref().map(|fault| format!("{fault:?}"));
    let transmission = complete(state, &inbound, &mut response, fault, now);
    let call = state.catalog.find(inbound.http.method(), &documented_url(&inbound));
    let length = response.generated_file.unwrap_or(response.http.body().len() as u64);
    state.requests.push(LoggedCall {
        number,
        at: milliseconds(),
        elapsed: None,
        base_uri: inbound.base_uri.clone(),
        has_client_certificate: inbound.has_client_certificate,
        check,
        response: SentResponse::new(&response.http, length, fault_name),
        call,
        mentioned: Mentioned::in_call(call, &inbound, response.http.body()),
        received: Received::new(inbound.http, status, findings),
    });
    Ok(Dispatched { number, response, transmission: transmission?, refused, warning })
}

/// Signs a response, adds the common headers, and applies the injected fault.
fn complete(
    state: &mut State,
    inbound: &InboundRequest,
    response: &mut RouteResponse,
    fault: Option<Fault>,
    now: i64,
) -> Result<Transmission, Error> {
    let requested_key = inbound.header(verify::SERIAL);
    let signer = fault_injection::apply_before_signing(fault.as_ref(), &mut state.platform, requested_key, now)?;
    response.sign(&signer)?;
    wire_headers::add(response.http.headers_mut(), now)?;
    Ok(fault_injection::apply_after_signing(fault, response))
}

/// The URL or path with which the catalogue is searched. The catalogue removes the path prefix of a
/// region, such as `/hk/`, only from a URL with a host, so an APIv3 path gets a host. APIv2 does
/// not have such prefixes.
fn documented_url(inbound: &InboundRequest) -> String {
    match ApiVersion::of_request(inbound) {
        ApiVersion::V2 => inbound.path().to_owned(),
        ApiVersion::V3 => format!("https://127.0.0.1{}", inbound.path()),
    }
}

/// Returns the `Retry-After` in seconds if the rate limit or an injected fault refuses the request,
/// and `None` if the request is executed.
fn retry_after(state: &mut State, now: i64) -> Option<i64> {
    if matches!(state.response_faults.front(), Some(Fault::FrequencyLimited)) {
        return Some(1);
    }
    state.rate_limit.as_mut()?.admit(now).err()
}

fn respond_v3(
    state: &mut State,
    inbound: &InboundRequest,
    retry_after: Option<i64>,
    now: i64,
) -> (SignatureCheck, RouteResponse) {
    let upload = match upload::read(inbound) {
        Ok(upload) => upload,
        Err(refusal) => return (SignatureCheck::default(), refusal.into()),
    };
    let signed = upload.as_ref().map_or(inbound.http.body(), |upload| &upload.meta);
    let keys = Arc::clone(&state.platform.keys);
    let (check, outcome) = authenticate(inbound, signed, &keys, &mut state.nonces, now);
    if let Some(seconds) = retry_after {
        let mut response = RouteResponse::from(Refusal::frequency_limited());
        response.http.headers_mut().insert(RETRY_AFTER, seconds.into());
        return (check, response);
    }
    let outcome = outcome
        .and_then(|()| sensitive_fields::check_serial(&state.platform, inbound))
        .and_then(|()| routes::route(state, inbound, upload.as_ref(), now));
    (check, outcome.unwrap_or_else(|refusal: Refusal| refusal.into()))
}
