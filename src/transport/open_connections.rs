//! The metric of open connections (feature `metrics`): a gauge for each host and state.
//!
//! Source: OpenTelemetry, "Semantic conventions for HTTP metrics".

use http::Uri;
use metrics::{Gauge, gauge};

use crate::proto::url;

pub(crate) const OPEN_CONNECTIONS: &str = "http.client.open_connections";

/// Counts an open connection in the metric until it is dropped.
pub(crate) struct CountedConnection {
    active: Gauge,
    idle: Gauge,
    is_idle: bool,
}

impl CountedConnection {
    /// Counts a connection as active.
    pub(crate) fn new(target: &Uri) -> Self {
        let of_state = |state| {
            let (host, port) = (url::server_address(target).to_owned(), url::server_port(target).to_string());
            gauge!(OPEN_CONNECTIONS, "http.connection.state" => state, "server.address" => host, "server.port" => port)
        };
        let counted = CountedConnection { active: of_state("active"), idle: of_state("idle"), is_idle: false };
        counted.gauge().increment(1);
        counted
    }

    fn gauge(&self) -> &Gauge {
        if self.is_idle { &self.idle } else { &self.active }
    }

    pub(crate) fn set_idle(&mut self, is_idle: bool) {
        self.gauge().decrement(1);
        self.is_idle = is_idle;
        self.gauge().increment(1);
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.gauge().decrement(1);
    }
}
