//! Bytes on the wire: connections and their pools, TLS, proxies, response bodies, sinks, and the
//! runtimes of synchronous calls.

pub(crate) mod connect;
pub(crate) mod connection;
pub(crate) mod http_client;
#[cfg(feature = "metrics")]
pub(crate) mod open_connections;
pub(crate) mod pool;
pub(crate) mod proxy;
pub(crate) mod runtime;
mod send_error;
pub(crate) mod sink;
pub(crate) mod slot;
pub(crate) mod tls;
mod verbose;

/// A boxed future, returned by the methods of [`Signer`](crate::Signer),
/// [`Verifier`](crate::Verifier) and [`ReplayStore`](crate::notify::ReplayStore).
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
