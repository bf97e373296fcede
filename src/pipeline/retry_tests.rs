//! Tests of [`retry`](super::retry) above a service that fails with given kinds of errors.

#![allow(clippy::expect_used, reason = "tests fail by a panic")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tower::{Layer, Service};

use super::call_config::{CallConfig, Retry};
use super::http_service::ResponseFuture;
use super::retry::RetryLayer;
use crate::error::{Error, ErrorKind};
use crate::proto::base_uri::BaseUri;

const PRIMARY: &str = "primary.example";
const BACKUP: &str = "backup.example";

/// The failures of the hosts; `None` is a response.
#[derive(Default)]
struct Network {
    primary: Option<ErrorKind>,
    backup: Option<ErrorKind>,
    /// The hosts of the requests, in order.
    hosts: Vec<String>,
}

/// The client's retry layer, and the network below it.
struct Stack {
    layer: RetryLayer,
    network: Arc<Mutex<Network>>,
}

impl Stack {
    fn new(times: u32, with_backup: bool) -> Self {
        let base = |host: &str| BaseUri::parse(&format!("https://{host}/")).expect("base_uri");
        let backup = with_backup.then(|| base(BACKUP));
        let layer = RetryLayer::new(base(PRIMARY), backup, Retry { times, pause: Duration::ZERO });
        Stack { layer, network: Arc::default() }
    }

    fn fail(&self, primary: Option<ErrorKind>, backup: Option<ErrorKind>) {
        let mut network = self.network.lock().expect("network");
        (network.primary, network.backup) = (primary, backup);
    }

    /// The hosts that one call reaches, and the kind of its error.
    fn call(&self, config: CallConfig) -> (Vec<String>, Option<ErrorKind>) {
        let network = Arc::clone(&self.network);
        let inner = tower::service_fn(move |request: http::Request<Bytes>| -> ResponseFuture {
            let mut network = network.lock().expect("network");
            let host = request.uri().host().expect("host").to_owned();
            let failure = if host == BACKUP { network.backup } else { network.primary };
            network.hosts.push(host);
            let result = match failure {
                Some(kind) => Err(Error::new(kind, "a failure")),
                None => Ok(http::Response::new(Bytes::new())),
            };
            Box::pin(std::future::ready(result))
        });
        let mut request = http::Request::new(Bytes::new());
        *request.uri_mut() = format!("https://{PRIMARY}/v3/x").parse().expect("URI");
        request.extensions_mut().insert(config);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        let result = runtime.block_on(async { self.layer.layer(inner).call(request).await });
        let hosts = std::mem::take(&mut self.network.lock().expect("network").hosts);
        (hosts, result.err().map(|error| error.kind()))
    }
}

/// Only a failure to connect goes to the backup host, and only some kinds are repeated.
#[test]
fn each_kind_of_failure_is_repeated_or_not() {
    for (kind, repeated) in [
        (ErrorKind::Connect, true),
        (ErrorKind::ServerError, true),
        (ErrorKind::Transport, true),
        (ErrorKind::Timeout, false),
        (ErrorKind::ClientError, false),
        (ErrorKind::Verification, false),
        (ErrorKind::Sign, false),
        (ErrorKind::Path, false),
        (ErrorKind::Sink, false),
        (ErrorKind::TooLarge, false),
        (ErrorKind::Redirect, false),
    ] {
        let stack = Stack::new(2, false);
        stack.fail(Some(kind), None);
        let (hosts, failed) = stack.call(CallConfig::DEFAULT);
        assert_eq!((hosts.len(), failed.is_some()), (if repeated { 3 } else { 1 }, true), "{kind:?}");
        let stack = Stack::new(0, true);
        stack.fail(Some(kind), None);
        let (hosts, _) = stack.call(CallConfig::DEFAULT);
        let expected = if kind == ErrorKind::Connect { &[PRIMARY, BACKUP][..] } else { &[PRIMARY] };
        assert_eq!(hosts, expected, "{kind:?}");
    }
}

/// A stream or a sink may have received a part of the response.
#[test]
fn a_transport_error_is_not_repeated_for_a_stream() {
    for (stream, attempts) in [(false, 3), (true, 1)] {
        let stack = Stack::new(2, false);
        stack.fail(Some(ErrorKind::Transport), None);
        let (hosts, failed) = stack.call(CallConfig { stream, ..CallConfig::DEFAULT });
        assert_eq!((hosts.len(), failed), (attempts, Some(ErrorKind::Transport)), "{stream}");
    }
    // Nothing was received when no connection was made.
    let stack = Stack::new(2, false);
    stack.fail(Some(ErrorKind::Connect), None);
    assert_eq!(stack.call(CallConfig { stream: true, ..CallConfig::DEFAULT }).0.len(), 3);
}

#[test]
fn a_success_at_the_primary_host_ends_its_absence() {
    let stack = Stack::new(0, true);
    let call = || stack.call(CallConfig::DEFAULT);
    stack.fail(Some(ErrorKind::Connect), None);
    assert_eq!(call(), (vec![PRIMARY.to_owned(), BACKUP.to_owned()], None));
    assert_eq!(call(), (vec![BACKUP.to_owned()], None), "the primary host counts as unreachable");
    // Now it is the backup host that cannot be reached.
    stack.fail(None, Some(ErrorKind::Connect));
    assert_eq!(call(), (vec![BACKUP.to_owned(), PRIMARY.to_owned()], None));
    assert_eq!(call(), (vec![PRIMARY.to_owned()], None), "the primary host counts as reachable");
    stack.fail(None, None);
    assert_eq!(call(), (vec![PRIMARY.to_owned()], None));
}
