//! Sends signed bytes as they are and collects the answer: hyper's pooled client, one pool for each tokio runtime.

use std::error::Error as StdError;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::PROXY_AUTHORIZATION;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::{Client as Pool, Error as PoolError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::runtime::{Handle, Id};
use tokio::sync::oneshot;
use tower::Service;

use crate::connect::{ConnectTimeout, Connector};
use crate::error::{Error, ErrorKind};
use crate::layer::Answer;

/// Idle connections are closed after this, before middle boxes forget them.
const IDLE: Duration = Duration::from_secs(60);
/// Idle connections kept for each host.
const MOST_IDLE: usize = 64;
/// The longest answer that is collected, in bytes.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// The innermost service of the stack. A clone shares the pools.
#[derive(Clone)]
pub(crate) struct Transport(Arc<Shared>);

struct Shared {
    connector: Connector,
    pools: RwLock<Vec<RuntimePool>>,
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
        Transport(Arc::new(Shared { connector, pools: RwLock::new(Vec::new()) }))
    }
}

impl Shared {
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
            .pool_idle_timeout(IDLE)
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

    async fn send(self: Arc<Self>, mut request: http::Request<Bytes>) -> Result<http::Response<Bytes>, Error> {
        if let Some(authorization) = self.connector.proxy_authorization(request.uri()) {
            request.headers_mut().insert(PROXY_AUTHORIZATION, authorization);
        }
        let host = request.uri().host().unwrap_or_default().to_owned();
        let answer = self.pool()?.request(request.map(Full::new)).await;
        let (parts, body) = answer.map_err(|source| not_sent(&host, source))?.into_parts();
        let body = Limited::new(body, MOST_BYTES).collect().await.map_err(|source| {
            let (kind, said) = if source.is::<LengthLimitError>() {
                (ErrorKind::TooLarge, format!("the answer is longer than {MOST_BYTES} bytes"))
            } else {
                (ErrorKind::Transport, format!("the answer broke off: {}", root(&*source)))
            };
            Error::new(kind, said).with_source(source)
        })?;
        Ok(http::Response::from_parts(parts, body.to_bytes()))
    }
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

fn not_sent(host: &str, source: PoolError) -> Error {
    let root = root(&source);
    let (kind, said) = if source.is_connect() {
        let hint = match root.to_string() {
            said if said.contains("UnknownIssuer") => {
                ": its certificate is of no known authority; a private gateway's is added with ClientBuilder::root_certificate"
            }
            _ => "",
        };
        (ErrorKind::Connect, format!("no connection to {host}, nothing was sent: {root}{hint}"))
    } else {
        (
            ErrorKind::Transport,
            format!(
                "the connection to {host} broke before the answer came, which may have been after the request arrived: {root}"
            ),
        )
    };
    let timed_out = root.is::<ConnectTimeout>() || root.downcast_ref::<std::io::Error>().is_some_and(is_timeout);
    let error = Error::new(kind, said).with_source(source);
    if timed_out { error.timed_out() } else { error }
}

fn is_timeout(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::TimedOut
}

/// The innermost error: the others only say that something below failed.
fn root<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root
}

impl Service<http::Request<Bytes>> for Transport {
    type Response = http::Response<Bytes>;
    type Error = Error;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Bytes>) -> Answer {
        Box::pin(Arc::clone(&self.0).send(request))
    }
}
