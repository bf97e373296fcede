//! The HTTP client: sends a request on an idle connection of the pool, or on a new one.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderValue, PROXY_AUTHORIZATION};
use http::{Method, Uri};
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::crypto::identity::Identity;
use crate::error::{Error, ErrorKind};
use crate::proto::content_coding::Decoder;
use crate::transport::connect::Connector;
use crate::transport::connection::SendCount;
use crate::transport::pool::{Pool, PoolConfig, PooledConnection};
use crate::transport::proxy::Proxy;
use crate::transport::send_error::{broken, closed, connect_error, root_cause, route};
use crate::transport::{BoxFuture, runtime, verbose};

/// Pools kept for proxies that calls have named.
const MAX_PROXY_POOLS: usize = 16;

/// How a call is sent, where it differs from the client's settings.
#[derive(Clone, Default)]
pub(crate) struct HttpConfig {
    pub(crate) proxy: Option<Box<Proxy>>,
    pub(crate) connect_timeout: Option<Duration>,
    /// Whether the merchant's client certificate is presented.
    pub(crate) client_certificate: bool,
    /// Whether the heads of request and response are printed to standard error, and the path that
    /// is shown instead of the one with the values of the variables.
    pub(crate) debug: Option<Arc<str>>,
    /// The requests of the call that may have arrived.
    pub(crate) sends: Option<SendCount>,
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
    pool: Arc<Pool>,
    uses_proxies: bool,
    /// For proxies that calls have named; the proxy used last is at the end.
    by_proxy: Mutex<Vec<(Proxy, Arc<Pools>)>>,
}

impl HttpClient {
    pub(crate) fn new(connector: Connector, config: PoolConfig) -> Self {
        HttpClient { plain: Pools::new(Pool::new(connector, config)), with_certificate: None }
    }

    /// Adds connections that present a client certificate. Other clones do not use them.
    pub(crate) fn with_certificate(mut self, identity: Identity) -> Result<Self, Error> {
        let connector = self.plain.pool.connector.with_client_certificate(identity)?;
        self.with_certificate = Some(Pools::new(self.plain.pool.with_connector(connector)));
        Ok(self)
    }

    /// The settings of the connections.
    pub(crate) fn settings(&self) -> (&Connector, PoolConfig) {
        (&self.plain.pool.connector, self.plain.pool.config)
    }

    /// Opens a connection for the next call, unless one is idle.
    pub(crate) async fn warm_up(&self, target: &Uri) -> Result<(), Error> {
        let pool = &self.plain.pool;
        pool.warm_up(target).await.map_err(|source| connect_error(target, &pool.connector, source))
    }

    /// Sends a request and returns the head of its response, with the body still to be received.
    pub(crate) async fn send(
        &self,
        mut request: http::Request<Bytes>,
        target: &Uri,
        config: &HttpConfig,
        read_timeout: Duration,
    ) -> Result<http::Response<ResponseBody>, Error> {
        if let Err(source) = Handle::try_current() {
            let message = "a layer moved the call to a thread without a tokio runtime";
            return Err(Error::new(ErrorKind::Connect, message).with_source(source));
        }
        let pools = self.pools(config)?;
        if pools.uses_proxies {
            if let Some(authorization) = pools.pool.connector.proxy_authorization(target) {
                request.headers_mut().insert(PROXY_AUTHORIZATION, authorization);
            }
        }
        if request.body().is_empty() && matches!(*request.method(), Method::POST | Method::PUT) {
            // PHP sends this header too. Some gateways refuse a POST without a length.
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let began = config.debug.as_ref().map(|template| {
            verbose::print(&verbose::request(&request, template));
            Instant::now()
        });
        let sending = std::pin::pin!(send_on(&pools.pool, target, request.map(Full::new), config));
        let response = if read_timeout.is_zero() {
            sending.await?
        } else {
            runtime::timeout(read_timeout, sending).await.ok_or_else(|| {
                if config.sends.as_ref().is_some_and(SendCount::is_zero) {
                    let route = route(target, &pools.pool.connector);
                    let message = format!("no connection to {route} within {read_timeout:?}, nothing was sent");
                    return Error::new(ErrorKind::Timeout, message).before_sending();
                }
                let message = format!(
                    "no response within {read_timeout:?}; the request may have arrived, so query before repeating it"
                );
                Error::new(ErrorKind::Timeout, message)
            })??
        };
        if let Some(began) = began {
            verbose::print(&verbose::response(&response, began.elapsed()));
        }
        Ok(response)
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
    fn new(pool: Arc<Pool>) -> Arc<Self> {
        let uses_proxies = pool.connector.uses_proxies();
        Arc::new(Pools { pool, uses_proxies, by_proxy: Mutex::default() })
    }

    /// The pools for a proxy that a call has named.
    fn for_proxy(&self, proxy: &Proxy) -> Result<Arc<Pools>, Error> {
        let mut by_proxy = self.by_proxy.lock().unwrap_or_else(PoisonError::into_inner);
        let (proxy, pools) = match by_proxy.iter().position(|(known, _)| known == proxy) {
            Some(at) => by_proxy.remove(at),
            None => {
                let connector = self.pool.connector.with_proxy(proxy)?;
                (proxy.clone(), Pools::new(self.pool.with_connector(connector)))
            }
        };
        if by_proxy.len() >= MAX_PROXY_POOLS {
            by_proxy.remove(0);
        }
        by_proxy.push((proxy, Arc::clone(&pools)));
        Ok(pools)
    }
}

/// Sends a request on an idle connection, or on a new one. If an idle connection breaks before one
/// byte was written, the request is sent on another.
async fn send_on(
    pool: &Arc<Pool>,
    target: &Uri,
    request: http::Request<Full<Bytes>>,
    config: &HttpConfig,
) -> Result<http::Response<ResponseBody>, Error> {
    loop {
        let (mut pooled, is_new) = match pool.checkout(target).await {
            Some(idle) => (idle, false),
            None => {
                // Boxed, because most calls do not need this large future.
                let opened = Box::pin(pool.open(target, config.connect_timeout)).await;
                (opened.map_err(|source| connect_error(target, &pool.connector, source))?, true)
            }
        };
        if !config.sends.as_ref().is_none_or(SendCount::begin) {
            let message = "the call has ended before this request of it was sent, nothing was sent";
            return Err(Error::new(ErrorKind::Timeout, message).before_sending());
        }
        let error = match pooled.connection.send(target, request.clone()).await {
            Ok(response) => return Ok(response.map(|incoming| ResponseBody::new(incoming, pooled, pool, target))),
            Err(error) if error.may_have_arrived => return Err(broken(target, &pool.connector, error.source)),
            Err(error) => error.source,
        };
        if let Some(sends) = &config.sends {
            sends.undo();
        }
        if is_new {
            return Err(closed(target, &pool.connector, error));
        }
    }
}

/// The UTF-8 byte order mark, which bills begin with.
const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];
/// How many bytes of white space [`ResponseBody::begins_with_markup`] skips.
const MAX_BLANKS: usize = 64;

/// A response body that is still to be received. Its beginning can be inspected.
pub(crate) struct ResponseBody {
    incoming: Incoming,
    /// Whether the end of the body was read.
    at_end: bool,
    /// The connection that the body is read from, until it has ended or is idle again.
    pooled: Option<PooledConnection>,
    pool: Arc<Pool>,
    target: Uri,
    /// Decodes the body as it is received.
    decoder: Option<Box<Decoder>>,
    /// Bytes that were inspected and not read yet.
    inspected: Bytes,
    /// The timer of the next read.
    timer: Option<BoxFuture<'static, ()>>,
}

impl ResponseBody {
    fn new(incoming: Incoming, pooled: PooledConnection, pool: &Arc<Pool>, target: &Uri) -> Self {
        let (pool, target) = (Arc::clone(pool), target.clone());
        ResponseBody {
            incoming,
            at_end: false,
            pooled: Some(pooled),
            pool,
            target,
            decoder: None,
            inspected: Bytes::new(),
            timer: None,
        }
    }

    /// Decodes the body from now on.
    pub(crate) fn decode(&mut self, decoder: Box<Decoder>) {
        self.decoder = Some(decoder);
    }

    /// The next piece of data within the deadlines, or `None` at the end of the body.
    pub(crate) async fn next(&mut self, deadlines: Deadlines) -> Result<Option<Bytes>, Error> {
        self.begin_read();
        std::future::poll_fn(|context| self.poll_next(deadlines, context)).await
    }

    /// Lets a new read begin when it is polled: its time limit begins then.
    pub(crate) fn begin_read(&mut self) {
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
            if let Some(piece) = self.decoder.as_mut().and_then(|decoder| decoder.next().transpose()) {
                return Poll::Ready(piece.map(Some));
            }
            let frame = match self.poll_frame(context) {
                Poll::Ready(frame) => frame,
                Poll::Pending => return self.poll_timer(deadlines, context),
            };
            self.timer = None;
            match frame {
                None => {
                    self.at_end = true;
                    self.release();
                    return Poll::Ready(self.decoder.take().map_or(Ok(None), |decoder| decoder.finish()));
                }
                Some(Err(source)) => {
                    let message = format!(
                        "the response broke off; the request has arrived, so query before repeating it: {}",
                        root_cause(&source)
                    );
                    return Poll::Ready(Err(Error::new(ErrorKind::Transport, message).with_source(source)));
                }
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    match &mut self.decoder {
                        Some(decoder) => decoder.push(data),
                        None => return Poll::Ready(Ok(Some(data))),
                    }
                }
            }
        }
    }

    /// Polls the body, and the connection if there is no data yet.
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let ResponseBody { incoming, pooled, .. } = self;
        let mut poll = |context: &mut Context<'_>| Pin::new(&mut *incoming).poll_frame(context);
        let Some(open) = pooled else { return poll(context) };
        let frame = open.connection.poll_with(context, poll);
        if open.connection.has_ended() {
            *pooled = None;
        }
        frame
    }

    /// Returns the connection to the pool after the end of the body. Before the end, the connection
    /// is closed, because the next response would begin within this body.
    fn release(&mut self) {
        let Some(mut pooled) = self.pooled.take() else { return };
        if (self.at_end || self.incoming.is_end_stream()) && pooled.connection.is_idle() {
            self.pool.check_in(&self.target, pooled);
        }
    }

    fn poll_timer(&mut self, deadlines: Deadlines, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        if self.timer.is_none() {
            let Some(deadline) = deadlines.next() else { return Poll::Pending };
            self.timer = Some(Box::pin(runtime::sleep_until(deadline)));
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
        if self.decoder.is_some() {
            return None;
        }
        Some(self.incoming.size_hint().exact()? + self.inspected.len() as u64)
    }

    /// Whether the rest is empty.
    pub(crate) fn is_end(&self) -> bool {
        self.inspected.is_empty() && self.decoder.is_none() && self.incoming.is_end_stream()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.release();
    }
}
