//! Bytes on the wire: connections and their pool, TLS, proxies, bodies, sinks, and the runtimes of synchronous calls.

pub(crate) mod body;
pub(crate) mod connect;
pub(crate) mod http_client;
pub(crate) mod runtime;
pub(crate) mod runtime_pool;
pub(crate) mod sink;
pub(crate) mod verbose;
pub(crate) mod work_limiter;
