//! The HTTP client: hyper's connection pool, one for each tokio runtime.
//!
//! A connection is driven by the runtime that opened it and ends with that runtime, so a call must
//! not use a connection of another runtime.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_LENGTH, HeaderValue, PROXY_AUTHORIZATION};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper_util::client::legacy::{Client, Error as LegacyError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::runtime::{Handle, Id};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::error::{Error, ErrorKind};
use crate::transport::connect::{CONNECT_TIMEOUT, ConnectTimeout, Connector};
use crate::transport::proxy::Proxy;
use crate::transport::{runtime, verbose};

/// Idle connections kept for each host.
const MAX_IDLE_PER_HOST: usize = 64;
/// Pools kept for proxies that calls have named.
const MAX_PROXY_POOLS: usize = 16;

type Pool = Client<Connector, Full<Bytes>>;

/// How a call is sent, where it differs from the client's settings.
#[derive(Clone, Default)]
pub(crate) struct HttpConfig {
    pub(crate) proxy: Option<Box<Proxy>>,
    pub(crate) connect_timeout: Option<Duration>,
    /// Whether the merchant's client certificate is presented.
    pub(crate) client_certificate: bool,
    /// Whether the heads of request and response are printed to standard error.
    pub(crate) debug: bool,
}

/// The time limits for receiving a response.
#[derive(Clone, Copy, Default)]
pub(crate) struct Deadlines {
    /// The longest interval between two pieces of data; zero is no limit.
    pub(crate) read_timeout: Duration,
    /// The end of the call's time.
    pub(crate) call: Option<Instant>,
}

impl Deadlines {
    /// When the next piece of data must be here.
    fn next(self) -> Option<Instant> {
        let read = Instant::now().checked_add(self.read_timeout).filter(|_| !self.read_timeout.is_zero());
        match (read, self.call) {
            (Some(read), Some(call)) => Some(read.min(call)),
            (one, other) => one.or(other),
        }
    }
}

/// Sends requests. A clone shares the connections.
#[derive(Clone)]
pub(crate) struct HttpClient {
    plain: Arc<Pools>,
    /// Connections that present the client certificate. Calls without the certificate do not use
    /// them.
    with_certificate: Option<Arc<Pools>>,
}

/// The connection pools of one connector.
struct Pools {
    connector: Connector,
    uses_proxies: bool,
    by_runtime: RwLock<Vec<PoolOfRuntime>>,
    /// For proxies that calls have named; the proxy used last is at the end.
    by_proxy: Mutex<Vec<(Proxy, Arc<Pools>)>>,
}

/// The connections of one runtime.
struct PoolOfRuntime {
    runtime: Id,
    pool: Pool,
    /// Dropped with this pool, which ends the task that waits for the end of the runtime.
    _dropped: oneshot::Sender<()>,
}

impl HttpClient {
    pub(crate) fn new(connector: Connector) -> Self {
        HttpClient { plain: Pools::new(connector), with_certificate: None }
    }

    /// Adds a connector that presents the client certificate.
    pub(crate) fn with_certificate(mut self, connector: Connector) -> Self {
        self.with_certificate = Some(Pools::new(connector));
        self
    }

    /// Sends a request and returns the head of its response, with the body still to be received.
    /// `target` is a copy of its URI for messages, because the request is moved into hyper.
    pub(crate) async fn send(
        &self,
        mut request: http::Request<Bytes>,
        target: &http::Uri,
        config: &HttpConfig,
        read_timeout: Duration,
    ) -> Result<http::Response<ResponseBody>, Error> {
        let pools = self.pools(config)?;
        if pools.uses_proxies {
            if let Some(authorization) = pools.connector.proxy_authorization(request.uri()) {
                request.headers_mut().insert(PROXY_AUTHORIZATION, authorization);
            }
        }
        if request.body().is_empty() && matches!(*request.method(), Method::POST | Method::PUT) {
            // PHP sends this header too. Some gateways refuse a POST without a length.
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let began = Instant::now();
        if config.debug {
            verbose::print(&verbose::request(&request));
        }
        let pool = pools.of_this_runtime()?;
        let sending = async {
            runtime::poll_io().await;
            // hyper takes an idle connection, or calls `Connector::call`. If a reused connection
            // turns out to be closed before a byte of the request was written, hyper opens another
            // one.
            let sending = pool.request(request.map(Full::new));
            match config.connect_timeout {
                Some(timeout) => CONNECT_TIMEOUT.scope(timeout, sending).await,
                None => sending.await,
            }
        };
        let response = if read_timeout.is_zero() {
            sending.await
        } else {
            tokio::time::timeout(read_timeout, sending).await.map_err(|_| {
                let message = format!(
                    "no response within {read_timeout:?}; the request may have arrived, so query before repeating it"
                );
                Error::new(ErrorKind::Timeout, message)
            })?
        };
        let response = response.map_err(|source| send_error(target, &pools.connector, source))?;
        if config.debug {
            verbose::print(&verbose::response(&response, began.elapsed()));
        }
        Ok(response.map(ResponseBody::new))
    }

    fn pools(&self, config: &HttpConfig) -> Result<Arc<Pools>, Error> {
        let pools = if config.client_certificate {
            self.with_certificate.as_ref().ok_or_else(|| {
                Error::config(
                    "the option \"security\" presents the merchant's certificate, and the settings have none: add merchant (cert and key), or \
                     ClientBuilder::merchant_certificate",
                )
            })?
        } else {
            &self.plain
        };
        match &config.proxy {
            Some(proxy) => pools.for_proxy(proxy),
            None => Ok(Arc::clone(pools)),
        }
    }
}

impl Pools {
    fn new(connector: Connector) -> Arc<Self> {
        let uses_proxies = connector.uses_proxies();
        Arc::new(Pools { connector, uses_proxies, by_runtime: RwLock::default(), by_proxy: Mutex::default() })
    }

    /// The pools for a proxy that a call has named.
    fn for_proxy(&self, proxy: &Proxy) -> Result<Arc<Pools>, Error> {
        let mut by_proxy = self.by_proxy.lock().unwrap_or_else(PoisonError::into_inner);
        let (proxy, pools) = match by_proxy.iter().position(|(known, _)| known == proxy) {
            Some(at) => by_proxy.remove(at),
            None => (proxy.clone(), Pools::new(self.connector.with_proxy(proxy)?)),
        };
        if by_proxy.len() >= MAX_PROXY_POOLS {
            by_proxy.remove(0);
        }
        by_proxy.push((proxy, Arc::clone(&pools)));
        Ok(pools)
    }

    /// The pool of the runtime that polls this call.
    fn of_this_runtime(self: &Arc<Self>) -> Result<Pool, Error> {
        let handle = Handle::try_current().map_err(|source| {
            Error::new(ErrorKind::Connect, "a layer moved the call to a thread without a tokio runtime")
                .with_source(source)
        })?;
        let runtime = handle.id();
        let find = |pools: &[PoolOfRuntime]| {
            let pool = pools.iter().find(|pool| pool.runtime == runtime);
            pool.map(|pool| pool.pool.clone())
        };
        if let Some(pool) = find(&self.by_runtime.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(pool);
        }
        let mut pools = self.by_runtime.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = find(&pools) {
            return Ok(pool);
        }
        let pool = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(runtime::IDLE_TIMEOUT)
            .pool_max_idle_per_host(MAX_IDLE_PER_HOST)
            .build(self.connector.clone());
        let (dropped, pool_dropped) = oneshot::channel();
        pools.push(PoolOfRuntime { runtime, pool: pool.clone(), _dropped: dropped });
        drop(pools);
        // A runtime drops its tasks when it ends. This task then removes the pool of the runtime.
        let end = RuntimeEnd { pools: Arc::downgrade(self), runtime };
        handle.spawn(async move {
            let _end = end;
            let _ = pool_dropped.await;
        });
        Ok(pool)
    }
}

/// Removes the pool of a runtime that ends.
struct RuntimeEnd {
    pools: Weak<Pools>,
    runtime: Id,
}

impl Drop for RuntimeEnd {
    fn drop(&mut self) {
        let Some(pools) = self.pools.upgrade() else { return };
        let mut by_runtime = pools.by_runtime.write().unwrap_or_else(PoisonError::into_inner);
        let ended = by_runtime.iter().position(|pool| pool.runtime == self.runtime);
        let ended = ended.map(|at| by_runtime.swap_remove(at));
        // The pool is dropped without the lock, because its connections may run code of their own.
        drop(by_runtime);
        drop(ended);
    }
}

fn send_error(target: &http::Uri, connector: &Connector, source: LegacyError) -> Error {
    let root = root_cause(&source);
    let host = match connector.proxy_for(target) {
        Some(proxy) => format!("{} through the proxy {proxy}", target.host().unwrap_or_default()),
        None => target.host().unwrap_or_default().to_owned(),
    };
    let (kind, message) = if source.is_connect() {
        // rustls wraps some of these errors as foreign ones, so their names are compared. With the
        // name of a trusted authority and another key, the error is `BadSignature`.
        let hint = match root.to_string() {
            reason if reason.contains("UnknownIssuer") || reason.contains("BadSignature") => {
                ": the certificate was issued neither by a public authority nor by one of ClientBuilder::root_certificate \
                 (root_certificate); add the private authority that issued it, if there is one"
            }
            reason if reason.contains("CaUsedAsEndEntity") => {
                ": the server presents the certificate of an authority (CA:TRUE) as its own; issue a certificate for the server \
                 with that authority, and give the authority's as root_certificate"
            }
            _ => "",
        };
        (ErrorKind::Connect, format!("no connection to {host}, nothing was sent: {root}{hint}"))
    } else {
        // A server that expects TLS responds to plain HTTP with a TLS alert, which is not valid
        // HTTP.
        let is_parse = root.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse);
        let hint = if target.scheme_str() == Some("http") && is_parse {
            ": the response is not HTTP; base_uri may have to begin with https"
        } else {
            ""
        };
        let message = format!(
            "the connection to {host} broke before the response, so the request may have arrived: {root}{hint}"
        );
        (ErrorKind::Transport, message)
    };
    let timed_out = root.is::<ConnectTimeout>()
        || root.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut);
    let error = Error::new(kind, message).with_source(source);
    if timed_out { error.timed_out() } else { error }
}

/// The innermost source of an error. The outer errors only say that something below them failed.
fn root_cause<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root
}

/// The UTF-8 byte order mark, which bills begin with.
const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];
/// How many bytes of white space [`ResponseBody::begins_with_markup`] skips.
const MAX_BLANKS: usize = 64;

/// A response body that is still to be received. Its beginning can be inspected.
pub(crate) struct ResponseBody {
    incoming: Incoming,
    /// Bytes that were inspected and not read yet.
    inspected: Bytes,
    /// The timer of the next read.
    timer: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl ResponseBody {
    fn new(incoming: Incoming) -> Self {
        ResponseBody { incoming, inspected: Bytes::new(), timer: None }
    }

    /// The next piece of data within the deadlines, or `None` at the end of the body.
    pub(crate) async fn next(&mut self, deadlines: Deadlines) -> Result<Option<Bytes>, Error> {
        self.restart_timer();
        std::future::poll_fn(|context| self.poll_next(deadlines, context)).await
    }

    /// Lets the time limit of the next read begin when it is polled.
    pub(crate) fn restart_timer(&mut self) {
        self.timer = None;
    }

    /// [`next`](Self::next), polled.
    pub(crate) fn poll_next(
        &mut self,
        deadlines: Deadlines,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Error>> {
        if !self.inspected.is_empty() {
            return Poll::Ready(Ok(Some(std::mem::take(&mut self.inspected))));
        }
        self.poll_data(deadlines, context)
    }

    /// Polls the connection, and skips trailers.
    fn poll_data(&mut self, deadlines: Deadlines, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        loop {
            let frame = match Pin::new(&mut self.incoming).poll_frame(context) {
                Poll::Ready(frame) => frame,
                Poll::Pending => return self.poll_timer(deadlines, context),
            };
            self.timer = None;
            match frame {
                None => return Poll::Ready(Ok(None)),
                Some(Err(source)) => {
                    let message = format!("the response broke off: {}", root_cause(&source));
                    return Poll::Ready(Err(Error::new(ErrorKind::Transport, message).with_source(source)));
                }
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Ok(Some(data)));
                    }
                }
            }
        }
    }

    fn poll_timer(&mut self, deadlines: Deadlines, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        if self.timer.is_none() {
            let Some(deadline) = deadlines.next() else { return Poll::Pending };
            self.timer = Some(Box::pin(tokio::time::sleep_until(deadline)));
        }
        if let Some(timer) = &mut self.timer {
            ready!(timer.as_mut().poll(context));
        }
        self.timer = None;
        Poll::Ready(Err(Error::new(ErrorKind::Timeout, "the response began, and no more data arrived in time")))
    }

    /// Whether the body begins like XML or HTML. No file of the service does.
    pub(crate) async fn begins_with_markup(&mut self, deadlines: Deadlines) -> Result<bool, Error> {
        let first = |bytes: &Bytes| bytes.iter().copied().find(|b| !b.is_ascii_whitespace() && !BOM.contains(b));
        while first(&self.inspected).is_none() && self.inspected.len() < MAX_BLANKS {
            match std::future::poll_fn(|context| self.poll_data(deadlines, context)).await? {
                Some(piece) if self.inspected.is_empty() => self.inspected = piece,
                Some(piece) => self.inspected = [&self.inspected[..], &piece].concat().into(),
                None => break,
            }
        }
        Ok(first(&self.inspected) == Some(b'<'))
    }

    /// The length of the rest, if it is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        Some(self.incoming.size_hint().exact()? + self.inspected.len() as u64)
    }

    /// Whether the rest is empty.
    pub(crate) fn is_end(&self) -> bool {
        self.inspected.is_empty() && self.incoming.is_end_stream()
    }
}
