//! HTTP/1.1 connections, driven by the call that uses them.
//!
//! hyper's connection is a future that reads and writes while it is polled. Here the call polls it,
//! together with its response, so that no task is spawned: the end of a connection always wakes
//! the call that waits for it, and an idle connection needs no runtime.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::client::legacy::connect::Connection as _;

use crate::clock::Moment;
use crate::error::BoxError;
use crate::transport::connect::{BoxStream, Pending, SocketHandle};
use crate::transport::runtime;

/// How long a new connection is given to receive what TLS sends after the handshake.
const HANDSHAKE_REST: Duration = Duration::from_millis(100);

const NO_SOCKET: &str = "the connector lost the socket of a connection";

/// An open connection.
pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    /// Reads and writes while it is polled. Dropped when the connection has ended, which completes
    /// the response with an error.
    driver: Option<http1::Connection<BoxStream, Full<Bytes>>>,
    socket: SocketHandle,
    wake_ups: Arc<WakeUps>,
    /// Whether requests are written with an absolute URI, for a proxy without a tunnel.
    is_proxied: bool,
    /// Whether no response was received yet.
    is_new: bool,
    /// The `timeout` of the last `Keep-Alive` header.
    pub(super) keep_alive: Option<u32>,
}

/// A request that got no response.
pub(super) struct SendError {
    pub(super) source: hyper::Error,
    /// Whether any byte of the request was handed to the system.
    pub(super) may_have_arrived: bool,
}

/// Counts the requests of a call that may have arrived. The clones in its attempts share the count.
#[derive(Clone, Default)]
pub(crate) struct SendCount(Arc<AtomicU32>);

impl SendCount {
    /// Instead of a count: the call has ended, and none of its requests is sent any more.
    const ENDED: u32 = u32::MAX;

    /// Counts a request that is about to be written. Returns `false` if it must not be sent.
    pub(super) fn begin(&self) -> bool {
        let next = |count| if count == Self::ENDED { None } else { Some(count + 1) };
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next).is_ok()
    }

    /// Takes back a request of which no byte was written.
    pub(super) fn undo(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }

    pub(super) fn is_zero(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }

    /// Ends the call if none of its requests may have arrived. A task of the caller's that goes on
    /// with the call does not send it later. Returns whether the call was ended.
    pub(crate) fn end_if_zero(&self) -> bool {
        self.0.compare_exchange(0, Self::ENDED, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

/// Passes the wake-ups of a connection on to the task of its call, except those of a poll that the
/// poll itself has served. In hyper, the connection and the response wake each other. The call
/// polls both, so that each response would cost one more poll of the whole call.
#[derive(Default)]
struct WakeUps {
    task: Mutex<Option<Waker>>,
    is_polling: AtomicBool,
    woken: AtomicBool,
}

impl WakeUps {
    /// Begins a poll of a task. Returns the waker for hyper.
    fn begin_poll(self: &Arc<Self>, task: &Waker) -> Waker {
        let mut stored = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if !stored.as_ref().is_some_and(|stored| stored.will_wake(task)) {
            *stored = Some(task.clone());
        }
        self.is_polling.store(true, Ordering::SeqCst);
        Waker::from(Arc::clone(self))
    }

    /// Forgets the wake-ups so far, before the connection is polled.
    fn forget(&self) {
        self.woken.store(false, Ordering::SeqCst);
    }

    /// Drops the waker of a task whose call has ended.
    fn end_call(&self) {
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Ends a poll. Returns whether there was a wake-up since [`forget`](Self::forget): by the I/O
    /// driver on another thread, or by tokio because the task has used up its budget.
    fn end_poll(&self) -> bool {
        self.is_polling.store(false, Ordering::SeqCst);
        self.woken.load(Ordering::SeqCst)
    }
}

impl Wake for WakeUps {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        if !self.is_polling.load(Ordering::SeqCst) {
            let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(task) = task {
                task.wake();
            }
        }
    }
}

impl Connection {
    /// Begins HTTP on an open stream. Nothing is sent.
    pub(super) async fn new(stream: BoxStream) -> Result<Box<Self>, BoxError> {
        let connected = stream.connected();
        let mut extras = http::Extensions::new();
        connected.get_extras(&mut extras);
        let socket = extras.remove::<SocketHandle>().ok_or(NO_SOCKET)?;
        let (sender, driver) = http1::handshake(stream).await?;
        let is_proxied = connected.is_proxied();
        Ok(Box::new(Connection {
            sender,
            driver: Some(driver),
            socket,
            wake_ups: Arc::default(),
            is_proxied,
            is_new: true,
            keep_alive: None,
        }))
    }

    /// A moment since which the server may have been idle.
    pub(super) fn idle_since(&self) -> Moment {
        self.socket.arrived_after()
    }

    /// The runtime with which the socket is registered.
    pub(super) fn runtime(&self) -> tokio::runtime::Id {
        self.socket.runtime()
    }

    /// Whether a request can be sent: the server has not closed the connection, and has sent
    /// nothing that was not asked for.
    pub(super) async fn is_usable(&mut self) -> bool {
        match self.socket.pending() {
            Pending::Nothing => !self.sender.is_closed(),
            Pending::End => false,
            // TLS 1.3 sends session tickets after the handshake.
            Pending::Data if self.is_new => {
                let rest = std::future::poll_fn(|context| {
                    if self.poll(context).is_ready() {
                        return Poll::Ready(false);
                    }
                    match self.socket.pending() {
                        Pending::Nothing => Poll::Ready(true),
                        Pending::Data => Poll::Pending,
                        Pending::End => Poll::Ready(false),
                    }
                });
                runtime::timeout(HANDSHAKE_REST, std::pin::pin!(rest)).await.unwrap_or(false)
            }
            Pending::Data => false,
        }
    }

    /// Reads and writes. Ready when the connection has ended.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // Without a shutdown, nothing is written to a connection that the server has closed, so
        // that `written` counts only requests.
        let ended = self.driver.as_mut().is_none_or(|driver| driver.poll_without_shutdown(context).is_ready());
        if ended {
            self.driver = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Polls a response or a body of this connection, and the connection itself if it is pending.
    pub(super) fn poll_with<T>(
        &mut self,
        context: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let waker = self.wake_ups.begin_poll(context.waker());
        let mut hypers = Context::from_waker(&waker);
        let mut output = poll(&mut hypers);
        if output.is_pending() {
            self.wake_ups.forget();
            let _ = self.poll(&mut hypers);
            output = poll(&mut hypers);
        }
        if output.is_pending() {
            self.socket.note_if_empty();
        }
        if self.wake_ups.end_poll() && output.is_pending() {
            context.waker().wake_by_ref();
        }
        output
    }

    /// Whether the connection has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.driver.is_none()
    }

    /// Whether the server has closed the connection. Unread data of a new connection may be
    /// session tickets.
    pub(super) fn is_closed(&self) -> bool {
        match self.socket.pending() {
            Pending::Nothing => false,
            Pending::Data => !self.is_new,
            Pending::End => true,
        }
    }

    /// Sends a request and receives the head of its response. A connection that fails is not usable
    /// again.
    pub(super) async fn send(
        &mut self,
        target: &Uri,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, SendError> {
        request.headers_mut().entry(HOST).or_insert_with(|| host(target));
        if !self.is_proxied {
            *request.uri_mut() = origin_form(target);
        }
        let written = self.socket.written();
        let mut response = std::pin::pin!(self.sender.try_send_request(request));
        let response =
            std::future::poll_fn(|context| self.poll_with(context, |context| response.as_mut().poll(context)));
        match response.await {
            Ok(response) => {
                self.is_new = false;
                self.keep_alive = keep_alive(response.headers());
                Ok(response)
            }
            Err(error) => {
                let may_have_arrived = self.socket.written() > written;
                Err(SendError { source: error.into_error(), may_have_arrived })
            }
        }
    }

    /// Whether the connection waits for the next request. hyper has to be polled after the end of a
    /// body. After an early response, the rest of the request may be in a buffer of hyper or
    /// rustls, and the next request would wait behind it.
    pub(super) fn is_idle(&mut self) -> bool {
        self.wake_ups.end_call();
        self.poll(&mut Context::from_waker(Waker::noop())).is_pending()
            && self.sender.is_ready()
            && !self.socket.is_write_blocked()
    }
}

/// The `Host` header: the port is written unless it is the default of the scheme.
fn host(target: &Uri) -> HeaderValue {
    let host = target.host().unwrap_or_default();
    let default = if target.scheme_str() == Some("https") { 443 } else { 80 };
    let value = match target.port_u16().filter(|port| *port != default) {
        Some(port) => HeaderValue::try_from(format!("{host}:{port}")),
        None => HeaderValue::from_str(host),
    };
    // The host of a URI has only characters that a header can have.
    value.unwrap_or(HeaderValue::from_static(""))
}

fn origin_form(target: &Uri) -> Uri {
    let path = target.path_and_query().cloned();
    Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")))
}

/// The `timeout` of the header `Keep-Alive`, in seconds.
fn keep_alive(headers: &HeaderMap) -> Option<u32> {
    let value = headers.get(HeaderName::from_static("keep-alive"))?.to_str().ok()?;
    value.split(',').find_map(|parameter| {
        let (name, seconds) = parameter.split_once('=')?;
        let is_timeout = name.trim().eq_ignore_ascii_case("timeout");
        if is_timeout { seconds.trim().trim_matches('"').parse().ok() } else { None }
    })
}
