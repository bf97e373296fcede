//! Sends signed bytes as they are and takes the answer in: hyper's pooled client, one pool for each tokio runtime.

use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::Method;
use http::header::{CONTENT_LENGTH, HeaderValue, PROXY_AUTHORIZATION, TRANSFER_ENCODING};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client as Pool, Error as PoolError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::runtime::{Handle, Id};
use tokio::sync::oneshot;
use tower::Service;

use crate::BoxFuture;
use crate::crypto::file_digest::{Algorithm, FileDigest};
use crate::error::{Error, ErrorKind};
use crate::pipeline::call_config::{CallConfig, Delivered, Delivery, Slot};
use crate::pipeline::response::Response;
use crate::pipeline::trace::{self, Part};
use crate::proto::verify::{self, Covers};
use crate::transport::body::{Answering, BodyStream, Deadlines, root};
use crate::transport::connect::{CONNECT_TIMEOUT, ConnectTimeout, Connector, Proxy};
use crate::transport::runtime;
use crate::transport::sink::{OpenSink, Writing};
use crate::transport::verbose;

/// Idle connections kept for each host.
const MOST_IDLE: usize = 64;
/// The longest answer that is collected, in bytes.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Proxies that calls named themselves and whose connections are kept.
const MOST_PROXIES: usize = 16;

/// What a layer's service returns.
pub(crate) type Answer = BoxFuture<'static, Result<http::Response<Bytes>, Error>>;

/// The innermost service of the stack. A clone shares the pools.
#[derive(Clone)]
pub(crate) struct Transport {
    plain: Arc<Shared>,
    /// Connections that present the client certificate are never shared with calls that do not.
    secured: Option<Arc<Shared>>,
}

struct Shared {
    connector: Connector,
    pools: RwLock<Vec<RuntimePool>>,
    /// For calls that name a proxy of their own; the one used last is at the end.
    proxied: Mutex<Vec<(Proxy, Arc<Shared>)>>,
}

/// The connections that one runtime drives. They die with it, so they must not be handed to a call on another.
struct RuntimePool {
    runtime: Id,
    pool: Pool<Connector, Full<Bytes>>,
    /// Ends the task that watches for the end of the runtime, when the transport goes first.
    _watched: oneshot::Sender<()>,
}

impl Transport {
    pub(crate) fn new(connector: Connector) -> Self {
        Transport { plain: Shared::new(connector), secured: None }
    }

    /// Adds the connections for the calls that present the client certificate.
    pub(crate) fn secured(mut self, connector: Connector) -> Self {
        self.secured = Some(Shared::new(connector));
        self
    }

    fn of(&self, exchange: &CallConfig) -> Result<&Arc<Shared>, Error> {
        if !exchange.security {
            return Ok(&self.plain);
        }
        self.secured.as_ref().ok_or_else(|| {
            Error::config(
                "the option \"security\" presents the merchant's certificate, and the settings have none: add merchant (cert and key), or \
                 ClientBuilder::merchant_certificate",
            )
        })
    }

    async fn send(self, mut request: http::Request<Bytes>) -> Result<http::Response<Bytes>, Error> {
        let exchange = request.extensions_mut().remove::<CallConfig>().ok_or_else(|| {
            Error::layer(
                "a layer made the request anew without its extensions, and how it is to be sent is lost: keep them",
            )
        })?;
        let _waiting = trace::measure(Part::Waiting);
        Arc::clone(self.of(&exchange)?).send(request, exchange).await
    }
}

impl Shared {
    fn new(connector: Connector) -> Arc<Self> {
        Arc::new(Shared { connector, pools: RwLock::default(), proxied: Mutex::default() })
    }

    /// The transport through a proxy that a call named.
    fn through(&self, proxy: &Proxy) -> Result<Arc<Shared>, Error> {
        let mut proxied = self.proxied.lock().unwrap_or_else(PoisonError::into_inner);
        let (proxy, shared) = match proxied.iter().position(|(known, _)| known == proxy) {
            Some(at) => proxied.remove(at),
            None => (proxy.clone(), Shared::new(self.connector.through(proxy)?)),
        };
        if proxied.len() >= MOST_PROXIES {
            proxied.remove(0);
        }
        proxied.push((proxy, Arc::clone(&shared)));
        Ok(shared)
    }

    /// The pool of the runtime this is polled on.
    fn pool(self: &Arc<Self>) -> Result<Pool<Connector, Full<Bytes>>, Error> {
        let handle = Handle::try_current().map_err(|source| {
            Error::new(ErrorKind::Connect, "a layer moved the call away from every tokio runtime").with_source(source)
        })?;
        let runtime = handle.id();
        let found = |pools: &[RuntimePool]| {
            let pool = pools.iter().find(|pool| pool.runtime == runtime);
            pool.map(|pool| pool.pool.clone())
        };
        if let Some(pool) = found(&self.pools.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(pool);
        }
        let mut pools = self.pools.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = found(&pools) {
            return Ok(pool);
        }
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(runtime::KEPT)
            .pool_max_idle_per_host(MOST_IDLE)
            .build(self.connector.clone());
        let (watched, unwatched) = oneshot::channel();
        pools.push(RuntimePool { runtime, pool: pool.clone(), _watched: watched });
        drop(pools);
        // A runtime that ends drops its tasks, and this one takes the pool with it.
        let end = RuntimeEnd { shared: Arc::downgrade(self), runtime };
        handle.spawn(async move {
            let _end = end;
            let _ = unwatched.await;
        });
        Ok(pool)
    }

    async fn send(
        self: Arc<Self>,
        mut request: http::Request<Bytes>,
        exchange: CallConfig,
    ) -> Result<http::Response<Bytes>, Error> {
        let shared = match &exchange.proxy {
            Some(proxy) => self.through(proxy)?,
            None => self,
        };
        if let Some(authorization) = shared.connector.proxy_authorization(request.uri()) {
            request.headers_mut().insert(PROXY_AUTHORIZATION, authorization);
        }
        let target = request.uri().clone();
        if request.body().is_empty() && matches!(*request.method(), Method::POST | Method::PUT) {
            // As PHP sends it; some gateways refuse a POST that does not say its length.
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let method = request.method().clone();
        let began = Instant::now();
        if exchange.debug {
            verbose::print(&verbose::request(&request));
        }
        let pool = shared.pool()?;
        let sending = async {
            runtime::look_around().await;
            let sending = pool.request(request.map(Full::new));
            match exchange.connect_timeout {
                Some(timeout) => CONNECT_TIMEOUT.scope(timeout, sending).await,
                None => sending.await,
            }
        };
        let silence = exchange.patience.silence;
        let answer = if silence.is_zero() {
            sending.await
        } else {
            tokio::time::timeout(silence, sending).await.map_err(|_| {
                let said = format!(
                    "no answer began within {silence:?}; the request may have arrived, so query before repeating it"
                );
                Error::new(ErrorKind::Timeout, said)
            })?
        };
        let (parts, body) = answer.map_err(|source| not_sent(&target, &shared.connector, source))?.into_parts();
        if exchange.debug {
            verbose::print(&verbose::answer(&parts, began.elapsed()));
        }
        receive(parts, body, &method, target.path(), exchange).await
    }
}

/// Takes the answer in, to where it is to go.
async fn receive(
    mut parts: http::response::Parts,
    body: Incoming,
    method: &Method,
    path: &str,
    exchange: CallConfig,
) -> Result<http::Response<Bytes>, Error> {
    let patience = exchange.patience;
    let mut body = Answering::new(body);
    let covers = covers(method, path, &parts, &exchange);
    let delivery = match exchange.delivery {
        // Where APIv2 answers with a file, it says in XML that there is none.
        _ if exchange.v2
            && covers == Covers::Nothing
            && parts.status.is_success()
            && body.begins_with_markup(patience).await? =>
        {
            Delivery::Collect
        }
        delivery if parts.status.is_success() && covers != Covers::Body => delivery,
        _ => Delivery::Collect,
    };
    if covers == Covers::Nothing && parts.status.is_success() && !has_end(&parts, &body) {
        // Nothing would tell half of this file from the whole.
        let said = "the answer does not say where it ends, and is not signed either, so that a part of it could pass for the whole";
        return Err(Error::new(ErrorKind::Transport, said));
    }
    let digest = match covers {
        // A header that stands twice or is no text is the verifying layer's to refuse.
        Covers::StatementSha1 => {
            verify::statement(&parts.headers).ok().map(|(sha1, _)| FileDigest::new(Algorithm::Sha1, sha1))
        }
        _ => None,
    };
    let collected = match delivery {
        Delivery::Collect => match collect(&mut body, patience).await {
            Ok(collected) => collected,
            // The status is an answer, even where the rest of it is lost.
            Err(error) if !parts.status.is_success() => {
                let head = http::Response::from_parts(parts, Bytes::new());
                return Err(error.with_response(Response::new(head, false)));
            }
            Err(error) => return Err(error),
        },
        Delivery::Stream => {
            let stream = BodyStream::new(body, patience, digest);
            parts.extensions.insert(Delivered::Stream(Slot::new(stream)));
            Bytes::new()
        }
        Delivery::Sink(slot) => {
            let mut sink = slot
                .take()
                .ok_or_else(|| Error::new(ErrorKind::Sink, "a layer repeated a call whose sink is used up"))?;
            if let Some(digest) = digest {
                sink.check(digest);
            }
            slot.put(write(sink, &mut body, patience).await?);
            parts.extensions.insert(Delivered::Sink);
            Bytes::new()
        }
    };
    Ok(http::Response::from_parts(parts, collected))
}

/// What the answer's signature covers, and so what may be handed on as it comes.
fn covers(method: &Method, path: &str, parts: &http::response::Parts, exchange: &CallConfig) -> Covers {
    if exchange.v2 {
        return if crate::proto::v2::is_unsigned(path) { Covers::Nothing } else { Covers::Body };
    }
    verify::covers(method, path, &parts.headers)
}

/// Whether a body that breaks off can be told from one that ends.
fn has_end(parts: &http::response::Parts, body: &Answering) -> bool {
    let chunked = parts.headers.get(TRANSFER_ENCODING).is_some_and(|value| value.as_bytes().ends_with(b"chunked"));
    chunked || body.remaining().is_some() || body.is_end()
}

async fn collect(body: &mut Answering, patience: Deadlines) -> Result<Bytes, Error> {
    let Some(first) = body.next(patience).await? else { return Ok(Bytes::new()) };
    if body.is_end() {
        // Most answers come in one piece, which needs no copy.
        return within(first.len()).map(|()| first);
    }
    let announced = body.remaining().and_then(|rest| usize::try_from(rest).ok()).unwrap_or(0);
    within(announced)?;
    let mut whole = BytesMut::with_capacity(first.len() + announced);
    whole.extend_from_slice(&first);
    while let Some(piece) = body.next(patience).await? {
        within(whole.len() + piece.len())?;
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

fn within(length: usize) -> Result<(), Error> {
    if length <= MOST_BYTES {
        return Ok(());
    }
    let said = format!("the answer is longer than {MOST_BYTES} bytes, the most that is held in memory");
    Err(Error::new(ErrorKind::TooLarge, said))
}

async fn write(sink: OpenSink, body: &mut Answering, patience: Deadlines) -> Result<OpenSink, Error> {
    let mut writing = Writing::start(sink);
    let mut received = 0;
    while let Some(piece) = body.next(patience).await? {
        received += piece.len() as u64;
        let total = body.remaining().map(|rest| received + rest);
        if !writing.write(piece, total).await {
            break;
        }
    }
    writing.finish().await
}

struct RuntimeEnd {
    shared: Weak<Shared>,
    runtime: Id,
}

impl Drop for RuntimeEnd {
    fn drop(&mut self) {
        let Some(shared) = self.shared.upgrade() else { return };
        let mut pools = shared.pools.write().unwrap_or_else(PoisonError::into_inner);
        let ended = pools.iter().position(|pool| pool.runtime == self.runtime);
        let ended = ended.map(|at| pools.swap_remove(at));
        drop(pools);
        drop(ended);
    }
}

fn not_sent(target: &http::Uri, connector: &Connector, source: PoolError) -> Error {
    let root = root(&source);
    let host = match connector.proxy_for(target) {
        Some(proxy) => format!("{} through the proxy {proxy}", target.host().unwrap_or_default()),
        None => target.host().unwrap_or_default().to_owned(),
    };
    let (kind, said) = if source.is_connect() {
        let hint = match root.to_string() {
            said if said.contains("UnknownIssuer") => {
                ": its certificate is of no known authority; a private gateway's is added with ClientBuilder::root_certificate"
            }
            _ => "",
        };
        (ErrorKind::Connect, format!("no connection to {host}, nothing was sent: {root}{hint}"))
    } else {
        // A server that speaks TLS answers plain HTTP with an alert.
        let hint = if target.scheme_str() == Some("http")
            && root.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse)
        {
            ": no HTTP comes back, so base_uri may have to begin with https"
        } else {
            ""
        };
        (
            ErrorKind::Transport,
            format!(
                "the connection to {host} broke before the answer came, which may have been after the request arrived: {root}{hint}"
            ),
        )
    };
    let timed_out = root.is::<ConnectTimeout>()
        || root.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut);
    let error = Error::new(kind, said).with_source(source);
    if timed_out { error.timed_out() } else { error }
}

impl Service<http::Request<Bytes>> for Transport {
    type Response = http::Response<Bytes>;
    type Error = Error;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Bytes>) -> Answer {
        Box::pin(self.clone().send(request))
    }
}
