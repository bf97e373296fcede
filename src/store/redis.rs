//! A store in Redis or Valkey (feature `redis`).

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, FromRedisValue, IntoConnectionInfo,
    RedisError, RedisResult, TlsCertificates,
};
use tokio::sync::{Mutex, oneshot};

use super::redis_scripts::{CLAIM, PAUSE, RELEASE, RESERVE};
use super::{Claim, ReplayStore, Store};
use crate::error::{BoxError, Error};
use crate::transport::BoxFuture;
use crate::transport::runtime;

/// The time limit for opening a connection, and for one response.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A store in Redis or Valkey, from version 2.6.12. Clones are cheap and share one connection.
///
/// Each operation is one round trip on one multiplexed connection, which is opened when it is first
/// needed, and again after a failure. Times are measured by the server. The keys begin with
/// `wechatpay:`; see [`prefix`](Self::prefix).
///
/// A notification is handled once as long as Redis keeps its data. Redis loses claims if it is
/// restarted without persistence (`appendonly yes`), if it evicts keys (`maxmemory-policy` other
/// than `noeviction`), and if it fails over to a replica that lags. A loss can let a notification
/// be handled again, and never loses one.
///
/// ```no_run
/// use wechatpay_chain::notify::Inbox;
/// use wechatpay_chain::store::RedisStore;
///
/// let store = RedisStore::new("rediss://:password@redis.example.com:6379/0")?;
/// let inbox = Inbox::new(store);
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[derive(Clone)]
pub struct RedisStore {
    prefix: Arc<str>,
    server: Arc<Server>,
}

struct Server {
    address: Address,
    /// The connection, and its number.
    connection: Mutex<(u64, Option<Connection>)>,
}

#[derive(Clone)]
struct Address {
    nodes: Vec<ConnectionInfo>,
    is_cluster: bool,
    /// The root certificate for TLS, as PEM.
    root: Option<Vec<u8>>,
}

#[derive(Clone)]
enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl RedisStore {
    /// Creates a store from a URL: `redis://`, `rediss://` (TLS), `valkey://`, `valkeys://` or
    /// `unix://`. It does not connect yet.
    ///
    /// TLS uses the process's default provider of rustls, which is set to ring if there is none.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config) if the URL is invalid.
    pub fn new(url: &str) -> Result<Self, Error> {
        RedisStore::with([url], false)
    }

    /// Creates a store in a Redis cluster from the URLs of some of its nodes. It does not connect
    /// yet.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config) if there is no URL or one is
    /// invalid.
    pub fn cluster<'a>(urls: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        RedisStore::with(urls, true)
    }

    fn with<'a>(urls: impl IntoIterator<Item = &'a str>, is_cluster: bool) -> Result<Self, Error> {
        let nodes: RedisResult<Vec<_>> = urls.into_iter().map(IntoConnectionInfo::into_connection_info).collect();
        // The message must not contain the URL, which may contain a password.
        let nodes =
            nodes.map_err(|_| Error::config("the URL of Redis is invalid: use redis://user:password@host:6379/0"))?;
        if nodes.is_empty() {
            return Err(Error::config("a Redis cluster needs the URL of at least one node"));
        }
        Ok(RedisStore::at(Address { nodes, is_cluster, root: None }, Arc::from("wechatpay:")))
    }

    fn at(address: Address, prefix: Arc<str>) -> Self {
        RedisStore { prefix, server: Arc::new(Server { address, connection: Mutex::default() }) }
    }

    /// Sets the prefix of all keys, instead of `wechatpay:`.
    #[must_use]
    pub fn prefix(self, prefix: &str) -> Self {
        RedisStore { prefix: Arc::from(prefix), ..self }
    }

    /// Trusts this root certificate for TLS, as PEM, instead of the public authorities.
    #[must_use]
    pub fn root_certificate(self, pem: impl Into<Vec<u8>>) -> Self {
        RedisStore::at(Address { root: Some(pem.into()), ..self.server.address.clone() }, self.prefix)
    }

    fn key(&self, kind: &str, key: &str) -> String {
        format!("{}{kind}:{key}", self.prefix)
    }

    /// Reserves a permit of the rate limit with this name. Returns how long to wait for it, or as
    /// an error how long it would be if that is more than `max_wait`. All times are in
    /// microseconds.
    pub(crate) async fn reserve_permit(
        &self,
        name: &str,
        interval: Duration,
        tolerance: Duration,
        max_wait: Duration,
    ) -> Result<Result<Duration, Duration>, BoxError> {
        let mut command = redis::cmd("EVAL");
        command.arg(RESERVE).arg(1).arg(self.key("rate", name));
        command.arg(microseconds(interval)).arg(microseconds(tolerance)).arg(microseconds(max_wait));
        let wait = self.send::<i64>(command).await?;
        let time = Duration::from_micros(wait.unsigned_abs());
        Ok(if wait < 0 { Err(time) } else { Ok(time) })
    }

    /// Lets no permit of the rate limit with this name be used before `pause` is over.
    pub(crate) async fn pause_permits(&self, name: &str, pause: Duration) -> Result<(), BoxError> {
        let mut command = redis::cmd("EVAL");
        command.arg(PAUSE).arg(1).arg(self.key("rate", name)).arg(microseconds(pause));
        self.send::<i64>(command).await.map(drop)
    }

    /// Sends a command on the background runtime, which the connection belongs to. If this future
    /// is dropped, the command is withdrawn unless it was sent: it could claim a key without a
    /// worker. A connection that is being opened is kept, and one that does not respond in time
    /// is replaced, whether or not a caller still waits.
    pub(super) fn send<T>(&self, command: Cmd) -> impl Future<Output = Result<T, BoxError>> + Send + 'static
    where
        T: FromRedisValue + Send + 'static,
    {
        let server = Arc::clone(&self.server);
        async move {
            let (sender, receiver) = oneshot::channel();
            runtime::spawn_on_background(async move {
                if let Some(result) = server.send(&command, || sender.is_closed()).await {
                    let _ = sender.send(result);
                }
            })?;
            receiver.await?.map_err(|error| description(&error).into())
        }
    }
}

impl Server {
    /// Sends a command, or returns `None` if it is withdrawn before that.
    async fn send<T: FromRedisValue>(&self, command: &Cmd, is_withdrawn: impl Fn() -> bool) -> Option<RedisResult<T>> {
        let (number, connection) = match self.connection(&is_withdrawn).await? {
            Ok(connection) => connection,
            Err(error) => return Some(Err(error)),
        };
        if is_withdrawn() {
            return None;
        }
        let result = match connection {
            Connection::Single(mut single) => command.query_async(&mut single).await,
            Connection::Cluster(mut cluster) => command.query_async(&mut cluster).await,
        };
        if result.as_ref().is_err_and(is_of_connection) {
            let mut current = self.connection.lock().await;
            if current.0 == number {
                current.1 = None;
            }
        }
        Some(result)
    }

    /// The connection and its number. One caller opens it, and the others wait for it.
    async fn connection(&self, is_withdrawn: impl Fn() -> bool) -> Option<RedisResult<(u64, Connection)>> {
        let mut current = self.connection.lock().await;
        if let Some(connection) = &current.1 {
            return Some(Ok((current.0, connection.clone())));
        }
        if is_withdrawn() {
            return None;
        }
        match self.address.connect().await {
            Ok(connection) => {
                *current = (current.0.wrapping_add(1), Some(connection.clone()));
                Some(Ok((current.0, connection)))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

/// Whether a new connection may succeed: this one is broken or does not respond (a server that is
/// slow looks the same as one that has vanished), or the server has become a replica in a failover.
fn is_of_connection(error: &RedisError) -> bool {
    let is_replica = error.code().is_some_and(|code| matches!(code, "READONLY" | "MASTERDOWN"));
    error.is_io_error() || error.is_unrecoverable_error() || is_replica
}

impl Address {
    async fn connect(&self) -> RedisResult<Connection> {
        let is_tls = |node: &ConnectionInfo| matches!(node.addr(), ConnectionAddr::TcpTls { .. });
        if self.nodes.iter().any(is_tls) {
            install_tls_provider();
        }
        let certificates = |root: &Vec<u8>| TlsCertificates { client_tls: None, root_cert: Some(root.clone()) };
        let root = self.root.as_ref().map(certificates);
        if self.is_cluster {
            let builder = ClusterClient::builder(self.nodes.clone());
            let builder = builder.connection_timeout(TIMEOUT).response_timeout(TIMEOUT).retries(3);
            let client = match root {
                Some(root) => builder.certs(root).build()?,
                None => builder.build()?,
            };
            return client.get_async_connection().await.map(Connection::Cluster);
        }
        let node = self.nodes.first().cloned().ok_or((ErrorKind::InvalidClientConfig, "no node"))?;
        let client = match root {
            Some(root) => Client::build_with_tls(node, root)?,
            None => Client::open(node)?,
        };
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(TIMEOUT)).set_response_timeout(Some(TIMEOUT));
        client.get_multiplexed_async_connection_with_config(&config).await.map(Connection::Single)
    }
}

/// rustls has no provider by itself if several are compiled in.
fn install_tls_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have installed one meanwhile.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// The error without the command, whose arguments can be in the messages of the server.
fn description(error: &RedisError) -> String {
    match error.code() {
        Some(code) => format!("Redis responded with {code}"),
        None if error.is_timeout() => format!("Redis did not respond within {TIMEOUT:?}"),
        None => format!("Redis: {}", error.category()),
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).clamp(1, i64::MAX as u64 / 2)
}

fn microseconds(time: Duration) -> u64 {
    // A year, so that the script can add it to the time without a loss of precision.
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).min(365 * 24 * 60 * 60 * 1_000_000)
}

impl Store for RedisStore {
    fn claim<'a>(&'a self, key: &'a str, token: &'a str, lease: Duration) -> BoxFuture<'a, Result<Claim, BoxError>> {
        let own = format!("c{token}");
        let mut command = redis::cmd("EVAL");
        command.arg(CLAIM).arg(1).arg(self.key("inbox", key)).arg(&own).arg(milliseconds(lease));
        let sending = self.send::<Option<String>>(command);
        Box::pin(async move {
            match sending.await? {
                Some(held) if held == own => Ok(Claim::Held),
                Some(held) => match held.split_at_checked(1) {
                    Some(("c", _)) => Ok(Claim::Taken),
                    Some(("d", value)) => Ok(Claim::Done(value.to_owned())),
                    _ => Err("Redis: the key has another value than a claim".into()),
                },
                // The key expired within the script, which old servers allow.
                None => Ok(Claim::Taken),
            }
        })
    }

    fn complete<'a>(
        &'a self,
        key: &'a str,
        value: &'a str,
        retention: Duration,
    ) -> BoxFuture<'a, Result<(), BoxError>> {
        let mut command = redis::cmd("SET");
        command.arg(self.key("inbox", key)).arg(format!("d{value}")).arg("PX").arg(milliseconds(retention));
        Box::pin(self.send(command))
    }

    fn release<'a>(&'a self, key: &'a str, token: &'a str) -> BoxFuture<'a, Result<(), BoxError>> {
        let mut command = redis::cmd("EVAL");
        command.arg(RELEASE).arg(1).arg(self.key("inbox", key)).arg(format!("c{token}"));
        Box::pin(self.send(command))
    }
}

impl ReplayStore for RedisStore {
    fn insert<'a>(&'a self, seen: &'a str, until: i64) -> BoxFuture<'a, Result<bool, BoxError>> {
        // The retention is relative, because the server's clock measures it. Ten minutes cover a
        // timestamp of five minutes in the future.
        let retention = 2 * crate::proto::verify::MAX_CLOCK_OFFSET;
        let mut command = redis::cmd("SET");
        command.arg(self.key("replay", seen)).arg(until).arg("NX").arg("EX").arg(retention);
        let sending = self.send::<Option<String>>(command);
        Box::pin(async move { Ok(sending.await?.is_some()) })
    }
}

/// Omits the URL, which may contain a password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
