//! Where I/O runs when the caller has no runtime to run it on.
//!
//! A connection lives and dies with the tokio runtime that opened it. An asynchronous call uses the runtime it is polled on.
//! A synchronous call blocks its thread, perhaps the only thread of the caller's runtime. Outside of async code that thread
//! drives a runtime of this crate's for as long (`lent.rs`); elsewhere, and where the caller's own code takes part, the I/O
//! runs on one background thread of the process. Either way the calling thread does everything else, so many threads sign on
//! many cores.

use crate::transport::runtime_pool as lent;
pub(crate) use crate::transport::runtime_pool::{KEPT, look_around};

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};

use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;

use crate::error::{Error, ErrorKind};
use crate::transport::work_limiter;

#[derive(Clone)]
struct Background {
    handle: Handle,
    thread: ThreadId,
    /// Told when there are idle runtimes to look after.
    tend: Arc<Notify>,
    /// A process that was forked off has no threads but the one that forked, so it needs its own.
    process: u32,
}

/// Started once and kept: a runtime must not be dropped inside async code, and nobody can tell who is last to need it.
static BACKGROUND: Mutex<Option<Background>> = Mutex::new(None);

/// The background runtime, for a call that will block the calling thread.
pub(crate) fn background() -> Result<Handle, Error> {
    let Background { handle, thread, .. } = start()?;
    if thread == thread::current().id() {
        return Err(Error::new(
            ErrorKind::Connect,
            "a synchronous call on the client's own network thread would wait for itself: use the _async twin there",
        ));
    }
    Ok(handle)
}

/// Runs a task on the background runtime: it goes on whatever becomes of the call that began it.
pub(crate) fn spawn<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> Result<tokio::task::JoinHandle<T>, Error> {
    Ok(start()?.handle.spawn(task))
}

/// Has the background thread look after the idle runtimes.
pub(crate) fn tend() {
    // Where no thread can be started, the next call tries again.
    if let Ok(background) = start() {
        background.tend.notify_one();
    }
}

/// The background runtime, started now if it is not running.
fn start() -> Result<Background, Error> {
    let failed = |source: std::io::Error| {
        Error::new(ErrorKind::Connect, format!("the thread for network traffic cannot be started: {source}"))
            .with_source(source)
    };
    if Handle::try_current().is_err_and(|error| error.is_thread_local_destroyed()) {
        return Err(Error::new(
            ErrorKind::Connect,
            "this thread is ending, and no call can be made from its destructors",
        ));
    }
    let process = std::process::id();
    let mut slot = BACKGROUND.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(background) = slot.as_ref().filter(|background| background.process == process) {
        return Ok(background.clone());
    }
    let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let handle = runtime.handle().clone();
    let tend = Arc::new(Notify::new());
    let told = Arc::clone(&tend);
    let drive = move || loop {
        if lent::tend() {
            runtime.block_on(async { tokio::time::sleep(lent::EVERY).await });
        } else {
            runtime.block_on(told.notified());
        }
    };
    let thread = thread::Builder::new().name("wechatpay-io".to_owned()).spawn(drive).map_err(failed)?;
    let background = Background { handle, thread: thread.thread().id(), tend, process };
    *slot = Some(background.clone());
    Ok(background)
}

/// Polls a future on the tokio runtime of this thread, or, under another executor, with the background runtime for its I/O.
pub(crate) fn poll<T>(
    future: Pin<&mut (impl Future<Output = Result<T, Error>> + ?Sized)>,
    context: &mut Context<'_>,
) -> Poll<Result<T, Error>> {
    if Handle::try_current().is_ok() {
        return future.poll(context);
    }
    match background() {
        Ok(handle) => {
            let _context = handle.enter();
            future.poll(context)
        }
        Err(error) => Poll::Ready(Err(error)),
    }
}

/// A future whose I/O runs on the background runtime, whatever it is polled on.
pub(crate) async fn in_background<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let handle = background()?;
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        let _context = handle.enter();
        future.as_mut().poll(context)
    })
    .await
}

/// Runs a future to its end on this thread. Nothing in it may be the caller's code, which could leave something running that
/// nobody drives afterwards. Works on any thread, also inside async code.
pub(crate) fn block_on_contained<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    if Handle::try_current().is_err_and(|error| error.is_missing_context()) {
        if let Some(lent) = lent::borrow() {
            return work_limiter::blocking(|| lent.block_on(future));
        }
    }
    block_on(future)
}

/// Runs a future to its end on this thread, its I/O on the background thread. Works on any thread, also inside async code.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let handle = background()?;
    // Whatever the future asks of tokio (sockets, timers, tasks) now belongs to the background runtime, even on a thread that
    // has a runtime of its own, which cannot move while this thread is blocked.
    let _context = handle.enter();
    work_limiter::blocking(|| parked(future))
}

/// Polls a future to its end, and parks this thread meanwhile; nothing drives I/O for it. The token it parks by is its own: that of
/// `std::thread::park` may be taken by what is called within the future, such as a channel, and the future would not be polled again.
pub(crate) fn parked<T>(future: impl Future<Output = T>) -> T {
    let (parker, unparker) = parking::pair();
    let waker = Waker::from(unparker);
    let mut context = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut context) {
            return outcome;
        }
        parker.park();
    }
}
