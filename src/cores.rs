//! Where signatures are made: on the thread of the call, or, where several calls want one at the same time, on a thread for each core.
//!
//! A signature takes the processor for a third of a millisecond. One alone is best made where it is asked for: handing it over costs more than it
//! gains. But many in a row on the thread that also drives the connections would keep every answer waiting that has come meanwhile, and one
//! thread would do what several cores could.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};

/// Signatures of this process that are wanted or under way in asynchronous calls.
static WANTED: AtomicUsize = AtomicUsize::new(0);

/// The threads, and the process they belong to: one that was forked off has none of them. Kept for good, as nobody can tell who is last to
/// need them.
static POOL: Mutex<Option<(u32, Runtime)>> = Mutex::new(None);

thread_local! {
    /// Whether this thread is blocked by a synchronous call, so that nothing else waits for it.
    static BLOCKED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a function that blocks this thread by a call.
pub(crate) fn blocking<T>(run: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            let _ = BLOCKED.try_with(|blocked| blocked.set(self.0));
        }
    }
    let _restore = Restore(BLOCKED.try_with(|blocked| blocked.replace(true)).unwrap_or(true));
    run()
}

/// A wish to sign, until it is dropped.
pub(crate) struct Turn {
    counted: bool,
    pool: Option<Handle>,
}

impl Turn {
    /// Waits until it is known whether others want to sign as well.
    pub(crate) async fn wanted() -> Self {
        if BLOCKED.try_with(Cell::get).unwrap_or(true) {
            return Turn { counted: false, pool: None };
        }
        WANTED.fetch_add(1, Ordering::Relaxed);
        let mut turn = Turn { counted: true, pool: None };
        // Those who are ready to run come to this point as well before this goes on.
        tokio::task::yield_now().await;
        if WANTED.load(Ordering::Relaxed) > 1 {
            turn.pool = pool();
        }
        turn
    }

    /// Where to sign instead of on this thread.
    pub(crate) fn pool(&self) -> Option<&Handle> {
        self.pool.as_ref()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.counted {
            WANTED.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// The threads, each started when it is first needed and ended when it has long had nothing to do; none where they cannot be had.
fn pool() -> Option<Handle> {
    let process = std::process::id();
    let mut slot = POOL.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some((_, runtime)) = slot.as_ref().filter(|(of, _)| *of == process) {
        return Some(runtime.handle().clone());
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let runtime =
        Builder::new_current_thread().max_blocking_threads(cores).thread_name("wechatpay-sign").build().ok()?;
    let handle = runtime.handle().clone();
    if let Some((_, others)) = slot.replace((process, runtime)) {
        // Its threads stayed behind in the process that forked, and cannot be waited for.
        std::mem::forget(others);
    }
    Some(handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alone_signs_where_it_is_and_two_on_the_cores() {
        let runtime = Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            let (one, other) = tokio::join!(Turn::wanted(), Turn::wanted());
            assert!(one.pool().is_some() && other.pool().is_some());
            assert_eq!(one.pool().expect("pool").spawn_blocking(|| 42).await.expect("thread"), 42);
            drop((one, other));
            // Other tests sign, too.
            let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
            while Turn::wanted().await.pool().is_some() {
                assert!(std::time::Instant::now() < until, "turns are never given back");
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
    }
}
