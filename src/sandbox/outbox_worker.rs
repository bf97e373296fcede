//! The task that sends the notifications of the outbox when they are due.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, Uri};

use super::delivery::{Attempt, Delivery, Format, milliseconds};
use super::fault_injection::{self, Transmission};
use super::inner::SandboxInner;
use super::notification;
use super::state::State;
use crate::clock::now;
use crate::error::Error;
use crate::pipeline::call_config::CallConfig;
use crate::pipeline::http_service::HttpService;
use crate::proto::xml;
use tower::ServiceExt;

/// How long the merchant has to respond.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How much of a response is kept, in characters.
const MAX_RESPONSE_CHARS: usize = 500;

/// Sends notifications until the sandbox stops.
pub(super) async fn run(inner: Arc<SandboxInner>) {
    let wake = inner.read(|state| state.outbox.wake());
    loop {
        let (due, _) = inner.transact(|state| state.outbox.take_due());
        for id in due.ids {
            tokio::spawn(attempt(Arc::clone(&inner), id));
        }
        match due.next_at {
            Some(at) => {
                let pause = Duration::from_millis(at.saturating_sub(milliseconds()).max(1));
                let _ = tokio::time::timeout(pause, wake.notified()).await;
            }
            None => wake.notified().await,
        }
    }
}

/// An attempt that is ready to be sent.
struct Prepared {
    format: Format,
    request: Result<Request<Bytes>, Error>,
    /// The number of the sealed notification in the outbox.
    sealed: Option<u64>,
    transmission: Transmission,
    /// The injected fault, for the page.
    fault: Option<String>,
}

async fn attempt(inner: Arc<SandboxInner>, id: String) {
    let (prepared, pending) = inner.transact(|state| prepare(state, &id));
    // The change that the notification reports must be on disk before the merchant learns of it.
    if !pending.written().await {
        return;
    }
    let Some(Prepared { format, request, sealed, transmission, fault }) = prepared else { return };
    let (at, began) = (milliseconds(), Instant::now());
    let response = match request {
        Ok(request) => send(&inner.transport, request, transmission).await,
        Err(error) => Err(error),
    };
    let (status, response, accepted) = match response {
        Ok(response) => {
            let text = String::from_utf8_lossy(response.body()).chars().take(MAX_RESPONSE_CHARS).collect();
            (Some(response.status().as_u16()), text, is_accepted(&format, &response))
        }
        Err(error) => (None, error.message().to_owned(), false),
    };
    let elapsed = u64::try_from(began.elapsed().as_millis()).ok();
    let attempt = Attempt { at, elapsed, status, response, fault, sealed };
    // Nothing waits for this row. If it is lost, the notification is sent once more.
    let _ = inner.transact(|state| state.outbox.finish_attempt(&id, attempt, accepted));
}

/// Signs a notification with the next fault. `None` if it is not to be sent.
fn prepare(state: &mut State, id: &str) -> Option<Prepared> {
    let delivery = state.outbox.begin_attempt(id)?;
    let fault = state.notification_faults.pop_front();
    let fault_name = fault.as_ref().map(|fault| format!("{fault:?}"));
    let signer = fault_injection::apply_before_signing_notification(fault.as_ref(), &state.platform, now());
    let Delivery { message, url, .. } = delivery;
    let mut transmission = Transmission::Normal;
    let request = notification::request(id, &message, &state.platform.keys, &signer).and_then(|mut request| {
        transmission = fault_injection::apply_after_signing_notification(fault, &mut request, &message.format);
        *request.uri_mut() =
            url.parse::<Uri>().map_err(|source| Error::options("the notify_url is not a URL").with_source(source))?;
        request.extensions_mut().insert(CallConfig::DEFAULT);
        Ok(request)
    });
    let sealed = request.as_ref().ok().map(|request| state.outbox.keep_sealed(request));
    Some(Prepared { format: message.format, request, sealed, transmission, fault: fault_name })
}

async fn send(
    transport: &HttpService,
    request: Request<Bytes>,
    transmission: Transmission,
) -> Result<Response<Bytes>, Error> {
    match transmission {
        Transmission::Normal | Transmission::CutAfter(_) => {}
        Transmission::Delayed(time) => tokio::time::sleep(time).await,
        Transmission::Dropped => return Err(Error::options("not sent because of an injected fault")),
    }
    let began = Instant::now();
    let sent = tokio::time::timeout(RESPONSE_TIMEOUT, transport.clone().oneshot(request)).await;
    sent.unwrap_or_else(|_| Err(Error::options(format!("no response within {:?}", began.elapsed()))))
}

/// Whether a response is one of success: any 2xx status, and in APIv2 also a `return_code`.
fn is_accepted(format: &Format, response: &Response<Bytes>) -> bool {
    let is_success = response.status().is_success();
    match format {
        Format::V2 => {
            let fields = xml::read(response.body()).unwrap_or_default();
            is_success && fields.get("return_code").is_some_and(|code| code == "SUCCESS")
        }
        Format::V3 { .. } | Format::Probe { .. } => is_success,
    }
}
