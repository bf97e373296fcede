//! Runtimes that synchronous calls drive themselves, so that no other thread has to be woken for their I/O.
//!
//! A call borrows one that is idle, with the connections on it, or a new one, and gives it back at its end: two calls at once
//! have two, and neither waits for the other. Between calls nobody drives them, so nothing may run there but what may stand
//! still: this crate's calls, hyper and TLS, and no code of the caller's, subscribers of tracing among it. Once a second the
//! background thread looks after those that are idle: it notices connections that the other side has closed, and drops what was
//! not used for a minute.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

/// How many there are at most: each has three descriptors, and a connection. Calls beyond use the background thread.
const MOST: usize = 64;
/// How long what nobody uses is kept: a runtime here, and a connection anywhere, before middle boxes forget it.
pub(crate) const KEPT: Duration = Duration::from_secs(60);
/// How often the background thread looks after them.
pub(crate) const EVERY: Duration = Duration::from_secs(1);

static RUNTIMES: Mutex<Runtimes> = Mutex::new(Runtimes { process: 0, idle: Vec::new(), lent: 0, tended: false });

tokio::task_local! {
    /// There where the thread of a call drives one of them.
    static DRIVES: ();
}

struct Runtimes {
    /// What a process that was forked off inherits is still its parent's.
    process: u32,
    /// The one used last is at the end, and used next: its connection is the one most likely to be open.
    idle: Vec<(Arc<Runtime>, Instant)>,
    lent: usize,
    /// Whether the background thread knows that there is something to look after.
    tended: bool,
}

/// A runtime for one call, given back when this is dropped.
pub(crate) struct Lent(Arc<Runtime>);

/// Borrows a runtime; `None` where there are enough of them, or the system has no more to give.
pub(crate) fn borrow() -> Option<Lent> {
    let mut runtimes = runtimes();
    let runtime = match runtimes.idle.pop() {
        Some((runtime, _)) => runtime,
        None if runtimes.lent >= MOST => return None,
        None => Arc::new(Builder::new_current_thread().enable_io().enable_time().build().ok()?),
    };
    runtimes.lent += 1;
    Some(Lent(runtime))
}

impl Lent {
    /// Runs a future to its end on this thread, which must be in no runtime.
    pub(crate) fn block_on<T, E>(&self, future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.0.block_on(async {
            let outcome = DRIVES.scope((), future).await;
            if outcome.is_err() {
                // The connection of a call that was given up is closed now, not when it is looked after.
                look().await;
            }
            outcome
        })
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut runtimes = runtimes();
        runtimes.lent = runtimes.lent.saturating_sub(1);
        runtimes.idle.push((Arc::clone(&self.0), Instant::now()));
        let tended = runtimes.tended;
        drop(runtimes);
        if !tended {
            crate::transport::runtime::tend();
        }
    }
}

/// Where this thread drives a runtime, it has not done so since the last call, nor while it signed: before a request goes out, a
/// connection that the other side has closed meanwhile is to be known.
pub(crate) async fn look_around() {
    if DRIVES.try_with(|()| ()).is_ok() {
        look().await;
    }
}

/// Lets the runtime look at its sockets, and then the connections at what it saw.
async fn look() {
    yield_now().await;
    yield_now().await;
}

/// Looks after those that are idle, on a thread that is in no runtime; whether there are any left.
pub(crate) fn tend() -> bool {
    let mut at = 0;
    loop {
        // The lock is held for a moment only: a process that is forked off meanwhile would wait for it for ever.
        let mut runtimes = runtimes();
        match runtimes.idle.get(at) {
            None => {
                runtimes.tended = at > 0;
                return at > 0;
            }
            Some((runtime, since)) if since.elapsed() < KEPT => {
                let runtime = Arc::clone(runtime);
                drop(runtimes);
                // Whoever borrows it now drives it as soon as this is done.
                runtime.block_on(look());
                at += 1;
            }
            Some(_) => {
                let (runtime, _) = runtimes.idle.remove(at);
                drop(runtimes);
                if let Some(runtime) = Arc::into_inner(runtime) {
                    // Not waiting for a name that is being looked up.
                    runtime.shutdown_background();
                }
            }
        }
    }
}

fn runtimes() -> MutexGuard<'static, Runtimes> {
    let mut runtimes = RUNTIMES.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if runtimes.process != process {
        // Not dropped: their sockets are watched by way of a descriptor that is shared with the parent.
        std::mem::forget(std::mem::take(&mut runtimes.idle));
        *runtimes = Runtimes { process, idle: Vec::new(), lent: 0, tended: false };
    }
    runtimes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Other tests may have some of them.
    #[test]
    fn there_are_enough_and_no_more() {
        for turn in 0..3 {
            let lent: Vec<Lent> = (0..2 * MOST).map_while(|_| borrow()).collect();
            assert!((MOST / 2..=MOST).contains(&lent.len()), "{} in turn {turn}", lent.len());
            drop(lent);
            runtimes().idle.clear();
        }
    }
}
