//! Metrics of calls (feature `metrics`), for the recorder that the program installs with the crate
//! `metrics`. Names, units and labels are those of OpenTelemetry, as far as it defines them. The
//! labels contain neither values of variables nor values that the caller formats into the path.
//!
//! `transport/open_connections.rs` counts the connections.
//!
//! Source: OpenTelemetry, "Semantic conventions for HTTP metrics".

use std::time::{Duration, Instant};

use http::{Method, Uri};
use metrics::{Label, Unit, describe_gauge, describe_histogram, gauge, histogram};

use crate::error::Error;
use crate::pipeline::attributes::{OTHER_METHOD, Target, error_type, known_method};
use crate::pipeline::response::Response;
use crate::proto::url;
use crate::transport::open_connections::OPEN_CONNECTIONS;

const DURATION: &str = "http.client.request.duration";
const ACTIVE: &str = "http.client.active_requests";
const SIGNING: &str = "wechatpay.client.signing.duration";

/// Describes the metrics to the recorder.
pub(crate) fn describe() {
    describe_histogram!(DURATION, Unit::Seconds, "The duration of calls of WeChat Pay, with retries and waiting");
    describe_gauge!(ACTIVE, Unit::Count, "The calls of WeChat Pay that are waiting or in flight");
    describe_histogram!(SIGNING, Unit::Seconds, "The time to sign a request of WeChat Pay");
    describe_gauge!(OPEN_CONNECTIONS, Unit::Count, "The open connections to WeChat Pay");
}

/// Records the time to sign a request, including the time in the caller's signer.
pub(crate) fn signed(duration: Duration) {
    histogram!(SIGNING).record(duration);
}

/// A call in flight. It counts as active until it is dropped.
pub(crate) struct ActiveCall {
    started: Instant,
    labels: Vec<Label>,
}

impl ActiveCall {
    pub(crate) fn start(method: &Method, template: &str, uri: &Uri) -> Self {
        let labels = vec![
            Label::from_static_parts("http.request.method", known_method(method).unwrap_or(OTHER_METHOD)),
            Label::new("server.address", url::server_address(uri).to_owned()),
            Label::new("server.port", url::server_port(uri).to_string()),
            Label::new("url.template", Target(template).to_string()),
        ];
        gauge!(ACTIVE, labels.clone()).increment(1);
        ActiveCall { started: Instant::now(), labels }
    }

    /// Records the result. A call whose future is dropped has no result.
    pub(crate) fn end(self, result: &Result<Response, Error>) {
        let mut labels = self.labels.clone();
        if let Some(error_type) = error_type(result) {
            labels.push(Label::new("error.type", error_type));
        }
        let response = match result {
            Ok(response) => Some(response),
            Err(error) => {
                // An unverified code can be any text, so it does not become a label.
                let code = error.code().filter(|_| error.is_verified());
                labels.extend(code.map(|code| Label::new("wechatpay.code", code.to_owned())));
                error.response()
            }
        };
        let status = response.map(|response| response.status().as_str().to_owned());
        labels.extend(status.map(|status| Label::new("http.response.status_code", status)));
        histogram!(DURATION, labels).record(self.started.elapsed());
    }
}

impl Drop for ActiveCall {
    fn drop(&mut self) {
        gauge!(ACTIVE, std::mem::take(&mut self.labels)).decrement(1);
    }
}
