//! The runtimes of synchronous calls: a pool of tokio runtimes, and one background runtime.
//!
//! An asynchronous call uses the runtime that polls it. A synchronous call has none:
//!
//! - On a thread outside of any runtime, it checks out a runtime from a pool and drives it until
//!   the call is done. No other thread takes part.
//! - Inside async code, the I/O runs on the background runtime, which has a thread of its own, and
//!   this thread is parked.
//!
//! Code of the caller's, such as a layer, a signer or a `tracing` subscriber, may block on a
//! runtime of its own, or spawn tasks and wait for them. Therefore this thread polls the call
//! outside of `Runtime::block_on`, and the current runtime is the background runtime. Only the
//! sockets and timers of the call belong to the pooled runtime: see [`on_io_runtime`].
//!
//! An asynchronous call under an executor other than tokio uses the background runtime too. So does
//! the maintenance of the connection pools.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::warn;

use crate::error::{Error, ErrorKind};

/// The maximum number of pooled runtimes. Each has three descriptors. Further calls use the
/// background runtime.
const MAX_RUNTIMES: usize = 64;
/// The maximum time between two polls of a future that blocks its thread.
const MAX_PARK: Duration = Duration::from_millis(100);

/// Runs a future on this thread until it is done. Works on any thread, also inside async code,
/// where it blocks the thread.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let outside_of_runtimes = Handle::try_current().is_err_and(|error| error.is_missing_context());
    if outside_of_runtimes {
        if let Some(runtime) = PooledRuntime::checkout() {
            return runtime.block_on(future);
        }
    }
    block_on_background(future)
}

/// Runs a future on this thread until it is done, with its I/O on the background runtime.
fn block_on_background<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
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
    let _io = IoRuntime::set(None);
    park_on(future)
}

/// Polls a future to its end, and parks this thread between polls. Nothing drives I/O here.
///
/// The token is not that of `std::thread::park`, which code inside the future may consume. Inside
/// async code, all polls are part of one poll of the caller's task, so its budget does not apply.
/// The task's worker is blocked and cannot wake code that yields, so a wait ends at [`MAX_PARK`].
pub(crate) fn park_on<T>(future: impl Future<Output = T>) -> T {
    let _blocked = Blocked::enter();
    let (parker, unparker) = parking::pair();
    let waker = Waker::from(unparker);
    let mut context = Context::from_waker(&waker);
    let mut future = std::pin::pin!(tokio::task::unconstrained(future));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        warn_on_worker_thread();
        parker.park_timeout(MAX_PARK);
    }
}

/// Warns, once per process, if this thread is a tokio worker, whose other tasks now wait for a
/// call.
fn warn_on_worker_thread() {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if tokio::runtime::worker_index().is_some() && !WARNED.swap(true, Ordering::Relaxed) {
        warn!(
            target: "wechatpay_chain",
            "a synchronous call blocks a thread of a tokio runtime, and its other tasks wait: await the method that ends with \
             _async, or make the call in tokio::task::spawn_blocking"
        );
    }
}

/// Polls a future on the tokio runtime of this thread, or under another executor with the
/// background runtime as its context.
pub(crate) fn poll<T>(
    future: Pin<&mut (impl Future<Output = Result<T, Error>> + ?Sized)>,
    context: &mut Context<'_>,
) -> Poll<Result<T, Error>> {
    // A call within a synchronous call is polled by an executor that does not drive the runtime of
    // the outer call.
    let _io = IoRuntime::set(None);
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

/// Spawns a task on the background runtime. The task must not block.
pub(crate) fn spawn_on_background(task: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
    drop(start_background()?.handle.spawn(task));
    Ok(())
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

static POOL: Mutex<RuntimePool> = Mutex::new(RuntimePool { process: 0, idle: Vec::new(), checked_out: 0 });

struct RuntimePool {
    /// The process that filled the pool. A forked child must not use the runtimes of its parent.
    process: u32,
    idle: Vec<Arc<Runtime>>,
    checked_out: usize,
}

impl RuntimePool {
    fn lock() -> MutexGuard<'static, RuntimePool> {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        if pool.process != process {
            // Forgotten, not dropped: the epoll descriptors of the runtimes are shared with the
            // parent.
            std::mem::forget(std::mem::take(&mut pool.idle));
            *pool = RuntimePool { process, idle: Vec::new(), checked_out: 0 };
        }
        pool
    }
}

/// A runtime of the pool, checked in when it is dropped.
struct PooledRuntime(Arc<Runtime>);

impl PooledRuntime {
    /// `None` if the pool is exhausted, or the system cannot create another runtime.
    fn checkout() -> Option<Self> {
        let mut pool = RuntimePool::lock();
        let runtime = match pool.idle.pop() {
            Some(runtime) => runtime,
            None if pool.checked_out >= MAX_RUNTIMES => return None,
            None => Arc::new(Builder::new_current_thread().enable_all().build().ok()?),
        };
        pool.checked_out += 1;
        Some(PooledRuntime(runtime))
    }

    /// Polls a future to its end, and drives the runtime between polls.
    fn block_on<T>(&self, future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let background = start_background()?.handle;
        let _blocked = Blocked::enter();
        let _context = background.enter();
        let _io = IoRuntime::set(Some(self.0.handle().clone()));
        let woken = Arc::new(Woken(Notify::new()));
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let mut future = std::pin::pin!(future);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            self.0.block_on(async {
                let mut notified = std::pin::pin!(woken.0.notified());
                // A future that has woken itself may wait for a socket too. The yield lets the
                // runtime poll its sockets.
                if notified.as_mut().enable() {
                    tokio::task::yield_now().await;
                }
                notified.await;
            });
        }
    }
}

/// Ends the turn of the runtime in [`PooledRuntime::block_on`].
struct Woken(Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify_one();
    }
}

impl Drop for PooledRuntime {
    fn drop(&mut self) {
        let mut pool = RuntimePool::lock();
        pool.checked_out = pool.checked_out.saturating_sub(1);
        pool.idle.push(Arc::clone(&self.0));
    }
}

thread_local! {
    /// The pooled runtime that this thread drives, while it polls the call of that runtime.
    static IO_RUNTIME: RefCell<Option<Handle>> = const { RefCell::new(None) };
}

/// Runs a function that creates sockets and timers of a call. In a synchronous call that drives a
/// pooled runtime, they belong to that runtime, so that no other thread has to wake this one.
pub(crate) fn on_io_runtime<T>(run: impl FnOnce() -> T) -> T {
    match IO_RUNTIME.try_with(|runtime| runtime.borrow().clone()).ok().flatten() {
        Some(handle) => {
            let _context = handle.enter();
            run()
        }
        None => run(),
    }
}

/// Awaits a future of tokio's that belongs to a runtime, such as a timer. If it is polled on
/// another runtime, it is made again there, because the first runtime may have ended, or nobody may
/// drive it. A call can therefore be moved to another runtime or thread at any time.
pub(crate) async fn on_each_runtime<F: Future>(make: impl Fn() -> F) -> F::Output {
    let current = || {
        let io = IO_RUNTIME.try_with(|runtime| runtime.borrow().as_ref().map(Handle::id)).ok().flatten();
        io.or_else(|| Handle::try_current().ok().map(|handle| handle.id()))
    };
    loop {
        let runtime = current();
        let mut future = std::pin::pin!(on_io_runtime(&make));
        let output = std::future::poll_fn(|context| {
            if current().is_some_and(|current| Some(current) != runtime) {
                return Poll::Ready(None);
            }
            future.as_mut().poll(context).map(Some)
        });
        if let Some(output) = output.await {
            return output;
        }
    }
}

/// Waits until a time, on the runtime that polls it.
pub(crate) async fn sleep_until(deadline: Instant) {
    on_each_runtime(|| tokio::time::sleep_until(deadline)).await;
}

/// Awaits a future. Returns `None` if it is not done within the limit.
pub(crate) async fn timeout<F: Future>(limit: Duration, mut future: Pin<&mut F>) -> Option<F::Output> {
    let Some(deadline) = Instant::now().checked_add(limit) else { return Some(future.await) };
    // Unconstrained, so that the limit holds even if the future uses up tokio's budget.
    let mut elapsed = std::pin::pin!(tokio::task::unconstrained(sleep_until(deadline)));
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => elapsed.as_mut().poll(context).map(|()| None),
    })
    .await
}

/// The output of the future that was ready first.
pub(crate) enum Race<A, B> {
    First(A),
    Second(B),
}

/// Awaits the future that is ready first. The first one is polled first.
pub(crate) async fn race<A: Future, B: Future>(first: A, second: B) -> Race<A::Output, B::Output> {
    let (mut first, mut second) = (std::pin::pin!(first), std::pin::pin!(second));
    std::future::poll_fn(|context| match first.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Race::First(output)),
        Poll::Pending => second.as_mut().poll(context).map(Race::Second),
    })
    .await
}

/// Runs code of the caller's on a thread that may block. A pooled runtime is not driven after its
/// call, so the current runtime of the code is the background runtime instead.
pub(crate) fn spawn_blocking<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let is_pooled = IO_RUNTIME.try_with(|runtime| runtime.borrow().is_some()).unwrap_or(false);
    match start_background() {
        Ok(background) if is_pooled => background.handle.spawn_blocking(run),
        _ => tokio::task::spawn_blocking(run),
    }
}

/// Sets [`IO_RUNTIME`] until it is dropped. The field is the value before.
struct IoRuntime(Option<Handle>);

impl IoRuntime {
    fn set(handle: Option<Handle>) -> Self {
        // In the destructors of a thread, the variable may be gone.
        IoRuntime(IO_RUNTIME.try_with(|runtime| runtime.replace(handle)).ok().flatten())
    }
}

impl Drop for IoRuntime {
    fn drop(&mut self) {
        let _ = IO_RUNTIME.try_with(|runtime| runtime.replace(self.0.take()));
    }
}

/// The background runtime.
#[derive(Clone)]
struct Background {
    handle: Handle,
    thread: ThreadId,
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
    let drive = move || runtime.block_on(std::future::pending::<()>());
    let thread = thread::Builder::new().name("wechatpay-io".to_owned()).spawn(drive).map_err(thread_error)?;
    let background = Background { handle, thread: thread.thread().id(), process };
    *slot = Some(background.clone());
    Ok(background)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tests of the pool run one after the other.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    /// Another process ID stands for the state that a forked child has copied.
    #[test]
    fn a_forked_child_leaves_the_runtimes_of_its_parent() {
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let runtime = || Arc::new(Builder::new_current_thread().enable_all().build().expect("runtime"));
        let of_parent = runtime();
        {
            let mut pool = RuntimePool::lock();
            pool.idle = vec![Arc::clone(&of_parent)];
            pool.process = std::process::id() + 1;
        }
        let child = RuntimePool::lock();
        // Other tests may have filled the child's pool meanwhile.
        assert!(child.process == std::process::id() && !child.idle.iter().any(|idle| Arc::ptr_eq(idle, &of_parent)));
        drop(child);
        assert_eq!(Arc::strong_count(&of_parent), 2, "forgotten, not dropped");

        let before = start_background().expect("started");
        assert_eq!(start_background().expect("kept").thread, before.thread);
        if let Some(background) = BACKGROUND.lock().expect("lock").as_mut() {
            background.process += 1;
        }
        let after = start_background().expect("started");
        assert!(after.thread != before.thread && after.process == std::process::id());
    }

    /// The call would wait for its own thread.
    #[test]
    fn a_synchronous_call_on_the_background_thread_is_an_error() {
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let (sender, receiver) = std::sync::mpsc::channel();
        spawn_on_background(async move {
            let _ = sender.send(block_on(async { Ok(()) }));
        })
        .expect("spawned");
        let error = receiver.recv().expect("not blocked").expect_err("on the network thread");
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(error.message().contains("own network thread"), "{error}");
    }

    /// Other tests of this process use the pool at the same time.
    #[test]
    fn the_pool_is_bounded() {
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        for round in 0..3 {
            let runtimes: Vec<PooledRuntime> = (0..2 * MAX_RUNTIMES).map_while(|_| PooledRuntime::checkout()).collect();
            assert!((MAX_RUNTIMES / 2..=MAX_RUNTIMES).contains(&runtimes.len()), "{} in round {round}", runtimes.len());
            drop(runtimes);
            RuntimePool::lock().idle.clear();
        }
    }
}
