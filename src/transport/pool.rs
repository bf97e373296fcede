//! The connection pool: idle connections, which calls on all runtimes share.
//!
//! WeChat Pay closes a connection after it was idle for 8 seconds, and a request that is sent at
//! that moment may or may not have arrived. The pool avoids this in two ways. A connection is not
//! reused after the time limit, which is shorter than the server's, and the system is asked whether
//! the server has closed the connection before it is handed out.
//!
//! The maintenance task runs while there are idle connections, or while one is kept warm. It closes
//! connections after the time limit, and opens one ahead of the next call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use http::Uri;
use http::uri::{Authority, Scheme};
use tokio::runtime::{Handle, Id, RuntimeFlavor};

use crate::clock::Moment;
use crate::error::BoxError;
use crate::transport::connect::Connector;
use crate::transport::connection::Connection;
#[cfg(feature = "metrics")]
use crate::transport::open_connections::CountedConnection;
use crate::transport::runtime;

/// Idle connections kept for each host.
const MAX_IDLE_PER_HOST: usize = 64;
/// The time in seconds after which WeChat Pay closes an idle connection.
const DEFAULT_KEEP_ALIVE: u32 = 8;
/// The longest time in seconds that a server is believed to keep an idle connection. Routers on the
/// way forget idle connections too.
const MAX_KEEP_ALIVE: u32 = 61;
/// How long in seconds a connection is kept ready after a call, by default.
const DEFAULT_KEEP_WARM: u32 = 60;

/// The settings of a pool.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PoolConfig {
    /// How long a connection is kept ready after a call; zero is never. The default is
    /// [`DEFAULT_KEEP_WARM`] after synchronous calls and calls on a multi-threaded runtime, and
    /// zero after calls on other runtimes.
    pub(crate) keep_warm: Option<Duration>,
    /// The length of a second. Tests shorten it.
    pub(crate) second: Duration,
}

impl Default for PoolConfig {
    fn default() -> Self {
        PoolConfig { keep_warm: None, second: Duration::from_secs(1) }
    }
}

impl PoolConfig {
    /// No connection is kept ready.
    #[cfg(feature = "sandbox")]
    pub(crate) const OFF: PoolConfig = PoolConfig { keep_warm: Some(Duration::ZERO), second: Duration::from_secs(1) };

    /// How long a connection may be idle: a second less than the server keeps it, because a request
    /// needs time to arrive.
    fn idle_limit(self, keep_alive: Option<u32>) -> Duration {
        self.second * keep_alive.unwrap_or(DEFAULT_KEEP_ALIVE).min(MAX_KEEP_ALIVE).saturating_sub(1)
    }

    /// How long a connection is kept ready after a call on this runtime.
    fn keep_warm(self) -> Duration {
        self.keep_warm.unwrap_or_else(|| {
            let runs_on = runtime::is_blocked() || current_multi_thread().is_some();
            if runs_on { self.second * DEFAULT_KEEP_WARM } else { Duration::ZERO }
        })
    }
}

/// The current runtime, if it has threads of its own.
fn current_multi_thread() -> Option<Handle> {
    Handle::try_current().ok().filter(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread)
}

/// The idle connections of one connector.
pub(crate) struct Pool {
    pub(super) connector: Connector,
    pub(super) config: PoolConfig,
    state: Mutex<PoolState>,
}

#[derive(Default)]
struct PoolState {
    /// The process of the connections. A forked child must not use those of its parent.
    process: u32,
    /// The connection used last is at the end.
    idle: Vec<IdleConnection>,
    /// The host to which a connection is kept ready.
    warm: Option<WarmHost>,
    is_maintained: bool,
    /// A reference for each open connection of this process, idle or in use.
    open: Arc<()>,
}

/// A connection with its reference in [`PoolState::open`].
pub(super) struct PooledConnection {
    pub(super) connection: Box<Connection>,
    _open: Arc<()>,
    #[cfg(feature = "metrics")]
    counted: CountedConnection,
}

impl PooledConnection {
    /// Records in the metrics whether the connection is idle.
    fn set_idle(&mut self, is_idle: bool) {
        #[cfg(feature = "metrics")]
        self.counted.set_idle(is_idle);
        #[cfg(not(feature = "metrics"))]
        let _ = is_idle;
    }
}

struct IdleConnection {
    pooled: PooledConnection,
    host: Host,
    /// The runtime with which the socket is registered.
    runtime: Id,
    since: Moment,
    limit: Duration,
}

impl IdleConnection {
    /// The time until the connection is too old to be reused.
    fn remaining(&self) -> Duration {
        self.limit.saturating_sub(self.since.elapsed())
    }
}

/// The part of a URI that a connection is opened for.
#[derive(Clone, PartialEq, Eq)]
struct Host(Scheme, Authority);

impl Host {
    fn of(target: &Uri) -> Option<Self> {
        Some(Host(target.scheme()?.clone(), target.authority()?.clone()))
    }

    fn matches(&self, target: &Uri) -> bool {
        target.authority() == Some(&self.1) && target.scheme() == Some(&self.0)
    }

    fn uri(&self) -> Result<Uri, http::Error> {
        Uri::builder().scheme(self.0.clone()).authority(self.1.clone()).path_and_query("/").build()
    }
}

struct WarmHost {
    host: Host,
    last_call: Instant,
    keep_warm: Duration,
    /// The `timeout` of the last `Keep-Alive` header.
    keep_alive: Option<u32>,
}

/// What the maintenance task does next.
enum Step {
    Wait,
    Open(Host, Option<u32>),
    End,
}

impl Pool {
    pub(super) fn new(connector: Connector, config: PoolConfig) -> Arc<Self> {
        Arc::new(Pool { connector, config, state: Mutex::default() })
    }

    /// A pool with the same settings and another connector.
    pub(super) fn with_connector(&self, connector: Connector) -> Arc<Self> {
        Pool::new(connector, self.config)
    }

    fn lock(&self) -> MutexGuard<'_, PoolState> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        if state.process != process {
            // Forgotten, not dropped: a dropped socket is removed from the epoll descriptor, which
            // is shared with the parent.
            std::mem::forget(std::mem::take(&mut state.idle));
            *state = PoolState { process, ..PoolState::default() };
        }
        state
    }

    /// An idle connection that can be used.
    pub(super) async fn checkout(&self, target: &Uri) -> Option<PooledConnection> {
        loop {
            let mut idle = self.take_idle(target)?;
            if !idle.remaining().is_zero() && idle.pooled.connection.is_usable().await {
                idle.pooled.set_idle(false);
                return Some(idle.pooled);
            }
        }
    }

    fn take_idle(&self, target: &Uri) -> Option<IdleConnection> {
        let runtime = Handle::try_current().ok()?.id();
        let mut state = self.lock();
        // A connection that this runtime has used needs no new registration.
        let same_runtime = state.idle.iter().rposition(|idle| idle.runtime == runtime && idle.host.matches(target));
        let at = same_runtime.or_else(|| state.idle.iter().rposition(|idle| idle.host.matches(target)))?;
        Some(state.idle.remove(at))
    }

    /// Opens a connection.
    pub(super) async fn open(&self, target: &Uri, timeout: Option<Duration>) -> Result<PooledConnection, BoxError> {
        let stream = self.connector.connect(target.clone(), timeout).await?;
        Ok(PooledConnection {
            connection: Connection::new(stream).await?,
            _open: Arc::clone(&self.lock().open),
            #[cfg(feature = "metrics")]
            counted: CountedConnection::new(target),
        })
    }

    /// Opens a connection for the next call, unless one is idle.
    pub(super) async fn warm_up(self: &Arc<Self>, target: &Uri) -> Result<(), BoxError> {
        let pooled = match self.checkout(target).await {
            Some(pooled) => pooled,
            None => self.open(target, None).await?,
        };
        self.check_in(target, pooled);
        Ok(())
    }

    /// Makes the connection of a completed call available to the next one.
    pub(super) fn check_in(self: &Arc<Self>, target: &Uri, pooled: PooledConnection) {
        let Some(host) = Host::of(target) else { return };
        let keep_warm = self.config.keep_warm();
        let keep_alive = pooled.connection.keep_alive;
        let warm = WarmHost { host: host.clone(), last_call: Instant::now(), keep_warm, keep_alive };
        self.put(host, pooled, (!keep_warm.is_zero()).then_some(warm));
    }

    fn put(self: &Arc<Self>, host: Host, mut pooled: PooledConnection, warm: Option<WarmHost>) {
        pooled.set_idle(true);
        let limit = self.config.idle_limit(pooled.connection.keep_alive);
        let runtime = pooled.connection.runtime();
        let since = pooled.connection.idle_since();
        let mut state = self.lock();
        if warm.is_some() {
            state.warm = warm;
        }
        // Counted only if there can be too many.
        let may_be_full = state.idle.len() >= MAX_IDLE_PER_HOST;
        let is_full = may_be_full && state.idle.iter().filter(|idle| idle.host == host).count() >= MAX_IDLE_PER_HOST;
        let oldest = if is_full { state.idle.iter().position(|idle| idle.host == host) } else { None };
        let oldest = oldest.map(|at| state.idle.remove(at));
        state.idle.push(IdleConnection { pooled, host, runtime, since, limit });
        let is_maintained = std::mem::replace(&mut state.is_maintained, true);
        drop(state);
        drop(oldest);
        if !is_maintained {
            self.start_maintenance();
        }
    }

    /// Starts the maintenance task, on this runtime if it has threads of its own, and otherwise on
    /// the background runtime, because this one may not be driven between calls.
    fn start_maintenance(self: &Arc<Self>) {
        let task = maintain(Maintenance { pool: Arc::downgrade(self), is_running: true }, self.config.second);
        match current_multi_thread() {
            Some(handle) => drop(handle.spawn(task)),
            // If the background runtime cannot be started, the next call tries again.
            None => drop(runtime::spawn_on_background(task)),
        }
    }

    /// Closes connections that are too old or that the server has closed.
    fn maintain(&self) -> Step {
        let mut closed = Vec::new();
        let mut state = self.lock();
        let mut at = 0;
        while let Some(idle) = state.idle.get(at) {
            if idle.remaining().is_zero() || idle.pooled.connection.is_closed() {
                closed.push(state.idle.remove(at));
            } else {
                at += 1;
            }
        }
        // A connection in use will be idle again, so no other is opened.
        let in_use = Arc::strong_count(&state.open) - 1 > state.idle.len() + closed.len();
        let step = match &state.warm {
            Some(warm) if warm.last_call.elapsed() < warm.keep_warm => {
                // Opened two seconds ahead, so that the next call finds a connection at any time.
                let ahead = self.config.second * 2;
                let limit = self.config.idle_limit(warm.keep_alive);
                let is_ready = state.idle.iter().any(|idle| idle.host == warm.host && idle.remaining() > ahead);
                if is_ready || in_use || limit <= ahead {
                    Step::Wait
                } else {
                    Step::Open(warm.host.clone(), warm.keep_alive)
                }
            }
            _ if state.idle.is_empty() => Step::End,
            _ => Step::Wait,
        };
        state.is_maintained = !matches!(step, Step::End);
        drop(state);
        drop(closed);
        step
    }

    /// Opens a connection ahead of the next call. After a failure, none is opened until a call has
    /// succeeded.
    async fn open_ahead(self: &Arc<Self>, host: Host, keep_alive: Option<u32>) {
        let opened = match host.uri() {
            Ok(target) => self.open(&target, None).await,
            Err(error) => Err(error.into()),
        };
        match opened {
            Ok(mut pooled) => {
                pooled.connection.keep_alive = keep_alive;
                self.put(host, pooled, None);
            }
            Err(_) => self.lock().warm = None,
        }
    }
}

/// The maintenance task of a pool. It ends when there is nothing to maintain, or the pool is gone.
async fn maintain(mut task: Maintenance, second: Duration) {
    loop {
        tokio::time::sleep(second).await;
        let Some(pool) = task.pool.upgrade() else { return };
        match pool.maintain() {
            Step::Wait => {}
            Step::Open(host, keep_alive) => pool.open_ahead(host, keep_alive).await,
            Step::End => {
                task.is_running = false;
                return;
            }
        }
    }
}

/// Records that the maintenance task has ended, also if its runtime has dropped it.
struct Maintenance {
    pool: Weak<Pool>,
    is_running: bool,
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        if let (true, Some(pool)) = (self.is_running, self.pool.upgrade()) {
            pool.lock().is_maintained = false;
        }
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
