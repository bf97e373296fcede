//! `tracing`: one span for each call, with OpenTelemetry's attributes of HTTP clients, and events
//! that an operator should know about. They do not contain bodies, headers or values of variables.
//! The path is the template, also in `url.full`, because values in a path can be personal. A path
//! that was built at run time may contain values: its documented template is used, or `/v3/{...}`.
//!
//! ```text
//! span  wechatpay.call
//!       otel.name="POST /v3/refund/domestic/refunds" otel.kind="client"
//!       http.request.method="POST" url.template="/v3/refund/domestic/refunds"
//!       url.full="https://api.mch.weixin.qq.com/v3/refund/domestic/refunds"
//!       server.address="api.mch.weixin.qq.com" server.port=443 network.protocol.version="1.1"
//!       http.response.status_code=200 wechatpay.request_id="08..." wechatpay.verified=true
//!       wechatpay.signing_us=300 wechatpay.waiting_us=52000 wechatpay.verifying_us=40
//! retry http.request.resend_count=1
//! error error.type="404" otel.status_code="ERROR" wechatpay.code="ORDER_NOT_EXIST"
//!
//! warn  a response failed verification; a notification was refused; the platform certificates
//!       cannot be downloaded
//! info  another host is tried; a call is retried; a platform certificate was downloaded
//! ```
//!
//! With the feature `metrics`, `metrics.rs` records the same calls.
//!
//! Numbers are `i64`, the integer type of OpenTelemetry: `tracing-opentelemetry` exports other
//! integer types as text.
//!
//! Source: OpenTelemetry, "Semantic conventions for HTTP spans", with one span for the whole call.

use std::cell::LazyCell;
use std::time::{Duration, Instant};

use http::{Method, Uri};
use tracing::{Span, debug, field::Empty, info, info_span, warn};

use crate::crypto::Certificate;
use crate::error::{Error, ErrorKind};
use crate::pipeline::attributes::{OTHER_METHOD, Target, error_type, known_method};
use crate::pipeline::response::Response;
use crate::proto::url;

/// The target of all spans and events.
const TARGET: &str = "wechatpay_chain";

/// The parts of a call whose duration is recorded, in microseconds.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Signing,
    Waiting,
    Verifying,
}

/// The span of a call.
pub(crate) fn span<'a>(method: &Method, label: impl Fn() -> &'a str, uri: &Uri) -> Span {
    let template = LazyCell::new(label);
    info_span!(
        target: TARGET,
        "wechatpay.call",
        otel.name = %format_args!("{} {}", known_method(method).unwrap_or("HTTP"), Target(&template)),
        otel.kind = "client",
        http.request.method = known_method(method).unwrap_or(OTHER_METHOD),
        http.request.method_original = known_method(method).is_none().then_some(method.as_str()),
        url.template = %Target(&template),
        url.full = %format_args!(
            "{}://{}{}",
            uri.scheme_str().unwrap_or_default(),
            uri.authority().map_or("", http::uri::Authority::as_str),
            Target(&template)
        ),
        server.address = url::server_address(uri),
        server.port = i64::from(url::server_port(uri)),
        network.protocol.version = "1.1",
        http.response.status_code = Empty,
        http.request.resend_count = Empty,
        error.r#type = Empty,
        otel.status_code = Empty,
        wechatpay.code = Empty,
        wechatpay.request_id = Empty,
        wechatpay.verified = Empty,
        wechatpay.signing_us = Empty,
        wechatpay.waiting_us = Empty,
        wechatpay.verifying_us = Empty,
    )
}

/// Records the result of a call on its span, and reports a failed verification.
pub(crate) fn result(span: &Span, result: &Result<Response, Error>) {
    if let Err(error) = result {
        if error.kind() == ErrorKind::Verification {
            span.in_scope(|| warn!(target: TARGET, reason = error.message(), "a response failed verification"));
        }
    }
    if span.is_disabled() {
        return;
    }
    if let Some(error_type) = error_type(result) {
        span.record("error.type", &*error_type);
        span.record("otel.status_code", "ERROR");
    }
    let response = match result {
        Ok(response) => Some(response),
        Err(error) => {
            span.record("wechatpay.code", error.code());
            error.response()
        }
    };
    let Some(response) = response else { return };
    span.record("http.response.status_code", i64::from(response.status().as_u16()));
    if response.attempts() > 1 {
        span.record("http.request.resend_count", i64::from(response.attempts() - 1));
    }
    span.record("wechatpay.verified", response.is_verified());
    span.record("wechatpay.request_id", response.request_id());
}

/// Records that a host cannot be reached, and that the next attempt goes to the other one.
pub(crate) fn tries_other_host(attempt: u32, next_host: Option<&str>) {
    info!(target: TARGET, attempt, next.host = next_host, "the host cannot be reached, another host is tried");
}

/// Records that another attempt follows.
pub(crate) fn retries(attempt: u32, reason: &str, pause: Duration) {
    let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
    info!(target: TARGET, attempt, reason, pause_ms, "the call is retried");
}

/// Records a download of the platform certificates.
pub(crate) fn certificates(fetched: Result<&[Certificate], &Error>, is_known: impl Fn(&str) -> bool) {
    match fetched {
        Ok(certificates) => {
            for new in certificates.iter().map(Certificate::serial).filter(|serial| !is_known(serial)) {
                info!(target: TARGET, serial = new, "a platform certificate was downloaded");
            }
        }
        Err(reason) => warn!(target: TARGET, %reason, "the platform certificates cannot be downloaded"),
    }
}

/// Records that a notification was refused. A probe is meant to be refused.
pub(crate) fn refused_notification(error: &Error) {
    let (kind, reason) = (error.kind().as_str(), error.message());
    match error.kind() {
        ErrorKind::Probe => debug!(target: TARGET, kind, reason, "a notification was refused"),
        _ => warn!(target: TARGET, kind, reason, "a notification was refused"),
    }
}

/// Logs a problem in the settings that is not an error.
#[cfg(feature = "settings")]
pub(crate) fn setting(warning: &str) {
    warn!(target: TARGET, "{warning}");
}

/// Measures a part of a call until it is dropped, and records the duration on the current span.
pub(crate) struct Measure(Part, Instant);

pub(crate) fn measure(part: Part) -> Measure {
    Measure(part, Instant::now())
}

impl Measure {
    /// Ends the measurement; `drop` records it.
    pub(crate) fn end(self) {}
}

impl Drop for Measure {
    fn drop(&mut self) {
        #[cfg(feature = "metrics")]
        if matches!(self.0, Part::Signing) {
            super::metrics::signed(self.1.elapsed());
        }
        let name = match self.0 {
            Part::Signing => "wechatpay.signing_us",
            Part::Waiting => "wechatpay.waiting_us",
            Part::Verifying => "wechatpay.verifying_us",
        };
        Span::current().record(name, i64::try_from(self.1.elapsed().as_micros()).unwrap_or(i64::MAX));
    }
}
