//! The runtimes of synchronous calls: a pool of tokio runtimes, and one background runtime.
//!
//! A connection is driven by the tokio runtime that opened it, and ends with that runtime. An
//! asynchronous call uses the runtime that polls it. A synchronous call has none:
//!
//! - On a thread outside of any runtime, it checks out a runtime from a pool, with the connections
//!   that earlier calls opened there, and drives it until the call is done. No other thread takes
//!   part.
//! - Inside async code, the I/O runs on the background runtime, which has a thread of its own, and
//!   this thread is parked. So it does if code of the caller's takes part in the call: a layer, a
//!   signer, a verifier, a sink, `then`, or a `tracing` subscriber. Such code may spawn tasks, and
//!   a pooled runtime is not driven between calls. It may also block on a runtime of its own, which
//!   tokio forbids on a thread that drives another.
//!
//! An asynchronous call under an executor other than tokio uses the background runtime too.
//!
//! The background thread also maintains the pool: it polls the idle runtimes once a second, so that
//! closed connections are noticed, and drops runtimes after [`IDLE_TIMEOUT`].

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Notify, oneshot};
use tokio::task::yield_now;
use tracing::level_filters::LevelFilter;

use crate::error::{Error, ErrorKind};

/// The maximum number of pooled runtimes. Each has three descriptors and its connections. Further
/// calls use the background runtime.
const MAX_RUNTIMES: usize = 64;
/// How long an idle runtime or connection is kept.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// How often idle runtimes are maintained.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(1);

/// Runs a future on this thread until it is done. Works on any thread, also inside async code,
/// where it blocks the thread.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let outside_of_runtimes = Handle::try_current().is_err_and(|error| error.is_missing_context());
    // A `tracing` subscriber may spawn tasks, and a pooled runtime is not driven between calls.
    if outside_of_runtimes && LevelFilter::current() == LevelFilter::OFF {
        if let Some(runtime) = PooledRuntime::checkout() {
            return runtime.block_on(future);
        }
    }
    block_on_background(future)
}

/// Runs a future on this thread until it is done, with its I/O on the background runtime.
pub(crate) fn block_on_background<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let Background { handle, thread, .. } = start_background()?;
    if thread == thread::current().id() {
        return Err(Error::new(
            ErrorKind::Connect,
            "a synchronous call on the client's own network thread would block itself: use the _async twin there",
        ));
    }
    // Sockets, timers and tasks that the future creates now belong to the background runtime, also
    // on a thread of another runtime, which makes no progress while the thread is blocked.
    let _context = handle.enter();
    park_on(future)
}

/// Polls a future to its end, and parks this thread between polls. Nothing drives I/O here.
///
/// The thread is parked by a token of its own. The token of `std::thread::park` may be consumed by
/// code inside the future, such as a channel, and the future would not be polled again.
pub(crate) fn park_on<T>(future: impl Future<Output = T>) -> T {
    let _blocked = Blocked::enter();
    let (parker, unparker) = parking::pair();
    let waker = Waker::from(unparker);
    let mut context = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        parker.park();
    }
}

/// Polls a future on the tokio runtime of this thread, or under another executor with the
/// background runtime as its context.
pub(crate) fn poll<T>(
    future: Pin<&mut (impl Future<Output = Result<T, Error>> + ?Sized)>,
    context: &mut Context<'_>,
) -> Poll<Result<T, Error>> {
    if Handle::try_current().is_ok() {
        return future.poll(context);
    }
    match start_background() {
        Ok(background) => {
            let _context = background.handle.enter();
            future.poll(context)
        }
        Err(error) => Poll::Ready(Err(error)),
    }
}

/// A future whose I/O runs on the background runtime, wherever it is polled.
pub(crate) async fn on_background<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let handle = start_background()?.handle;
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        let _context = handle.enter();
        future.as_mut().poll(context)
    })
    .await
}

/// Spawns a task on a thread of its own, with its I/O on the background runtime. The task does not
/// end with the call that spawned it. It may block the thread, as a signer of the caller's may.
pub(crate) fn spawn<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> Result<oneshot::Receiver<T>, Error> {
    let handle = start_background()?.handle;
    let (output, receiver) = oneshot::channel();
    let run = move || {
        let _context = handle.enter();
        // The receiver may be gone.
        let _ = output.send(park_on(task));
    };
    thread::Builder::new().name("wechatpay-task".to_owned()).spawn(run).map_err(thread_error)?;
    Ok(receiver)
}

tokio::task_local! {
    /// Set while a pooled runtime drives the call.
    static POOLED: ();
}

/// Lets a pooled runtime poll its sockets. It was not driven since the last call, nor while the
/// request was signed, and a connection that the server has closed meanwhile must be noticed before
/// it is used.
pub(crate) async fn poll_io() {
    if POOLED.try_with(|()| ()).is_ok() {
        yield_twice().await;
    }
}

/// The first yield lets the runtime poll its sockets, and the second lets the connection tasks see
/// the events.
async fn yield_twice() {
    yield_now().await;
    yield_now().await;
}

thread_local! {
    /// Whether a synchronous call blocks this thread.
    static BLOCKED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a synchronous call blocks this thread. Other tasks of this thread cannot run meanwhile.
pub(crate) fn is_blocked() -> bool {
    BLOCKED.get()
}

/// Marks this thread as blocked until it is dropped. The field is the value before.
struct Blocked(bool);

impl Blocked {
    fn enter() -> Self {
        Blocked(BLOCKED.replace(true))
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        BLOCKED.set(self.0);
    }
}

static POOL: Mutex<RuntimePool> =
    Mutex::new(RuntimePool { process: 0, idle: Vec::new(), checked_out: 0, is_maintained: false });

struct RuntimePool {
    /// The process that filled the pool. A forked child must not use the runtimes of its parent.
    process: u32,
    /// The runtime used last is at the end and is checked out next, because its connection is the
    /// most likely to be open.
    idle: Vec<(Arc<Runtime>, Instant)>,
    checked_out: usize,
    /// Whether the background thread maintains the pool.
    is_maintained: bool,
}

/// A runtime of the pool, checked in when it is dropped.
struct PooledRuntime(Arc<Runtime>);

impl PooledRuntime {
    /// `None` if the pool is exhausted, or the system cannot create another runtime.
    fn checkout() -> Option<Self> {
        let mut pool = RuntimePool::lock();
        let runtime = match pool.idle.pop() {
            Some((runtime, _)) => runtime,
            None if pool.checked_out >= MAX_RUNTIMES => return None,
            None => Arc::new(Builder::new_current_thread().enable_io().enable_time().build().ok()?),
        };
        pool.checked_out += 1;
        Some(PooledRuntime(runtime))
    }

    fn block_on<T, E>(&self, future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let _blocked = Blocked::enter();
        self.0.block_on(async {
            let result = POOLED.scope((), future).await;
            if result.is_err() {
                // A connection of a failed call is closed now, and not at the next maintenance.
                yield_twice().await;
            }
            result
        })
    }
}

impl Drop for PooledRuntime {
    fn drop(&mut self) {
        let mut pool = RuntimePool::lock();
        pool.checked_out = pool.checked_out.saturating_sub(1);
        pool.idle.push((Arc::clone(&self.0), Instant::now()));
        let is_maintained = pool.is_maintained;
        drop(pool);
        // If the background thread cannot be started, the next call tries again.
        if let (false, Ok(background)) = (is_maintained, start_background()) {
            background.maintain.notify_one();
        }
    }
}

impl RuntimePool {
    fn lock() -> MutexGuard<'static, RuntimePool> {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        if pool.process != process {
            // Forgotten, not dropped: the epoll descriptors of the runtimes are shared with the
            // parent.
            std::mem::forget(std::mem::take(&mut pool.idle));
            *pool = RuntimePool { process, idle: Vec::new(), checked_out: 0, is_maintained: false };
        }
        pool
    }

    /// Polls the idle runtimes and drops those that were idle for too long. Returns whether any are
    /// left.
    fn maintain() -> bool {
        let mut at = 0;
        loop {
            // The lock is held briefly, because a process that is forked meanwhile would inherit
            // it.
            let mut pool = RuntimePool::lock();
            match pool.idle.get(at) {
                None => {
                    pool.is_maintained = at > 0;
                    return at > 0;
                }
                Some((runtime, since)) if since.elapsed() < IDLE_TIMEOUT => {
                    let runtime = Arc::clone(runtime);
                    drop(pool);
                    // A call that checks this runtime out meanwhile drives it when this is done.
                    runtime.block_on(yield_twice());
                    at += 1;
                }
                Some(_) => {
                    let (runtime, _) = pool.idle.remove(at);
                    drop(pool);
                    if let Some(runtime) = Arc::into_inner(runtime) {
                        // Does not wait for DNS lookups in progress.
                        runtime.shutdown_background();
                    }
                }
            }
        }
    }
}

/// The background runtime.
#[derive(Clone)]
struct Background {
    handle: Handle,
    thread: ThreadId,
    /// Notified when the pool has idle runtimes.
    maintain: Arc<Notify>,
    /// The process of the thread. A forked child has only the thread that forked.
    process: u32,
}

/// Started once and kept, because a runtime must not be dropped inside async code.
static BACKGROUND: Mutex<Option<Background>> = Mutex::new(None);

fn thread_error(source: std::io::Error) -> Error {
    Error::new(ErrorKind::Connect, format!("the thread for network traffic cannot be started: {source}"))
        .with_source(source)
}

/// Returns the background runtime, and starts it if it is not running.
fn start_background() -> Result<Background, Error> {
    if Handle::try_current().is_err_and(|error| error.is_thread_local_destroyed()) {
        return Err(Error::new(ErrorKind::Connect, "this thread is ending, and its destructors cannot make calls"));
    }
    let process = std::process::id();
    let mut slot = BACKGROUND.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(background) = slot.as_ref().filter(|background| background.process == process) {
        return Ok(background.clone());
    }
    let runtime = Builder::new_current_thread().enable_all().build().map_err(thread_error)?;
    let handle = runtime.handle().clone();
    let maintain = Arc::new(Notify::new());
    let notified = Arc::clone(&maintain);
    let drive = move || loop {
        if RuntimePool::maintain() {
            runtime.block_on(async { tokio::time::sleep(MAINTENANCE_INTERVAL).await });
        } else {
            runtime.block_on(notified.notified());
        }
    };
    let thread = thread::Builder::new().name("wechatpay-io".to_owned()).spawn(drive).map_err(thread_error)?;
    let background = Background { handle, thread: thread.thread().id(), maintain, process };
    *slot = Some(background.clone());
    Ok(background)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Other tests of this process use the pool at the same time.
    #[test]
    fn the_pool_is_bounded() {
        for round in 0..3 {
            let runtimes: Vec<PooledRuntime> = (0..2 * MAX_RUNTIMES).map_while(|_| PooledRuntime::checkout()).collect();
            assert!((MAX_RUNTIMES / 2..=MAX_RUNTIMES).contains(&runtimes.len()), "{} in round {round}", runtimes.len());
            drop(runtimes);
            RuntimePool::lock().idle.clear();
        }
    }
}
