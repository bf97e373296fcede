//! How many signatures a thread makes in a row before it looks after its connections.
//!
//! A signature takes the processor for a third of a millisecond. Many calls that begin at the same moment on a thread that also drives the
//! connections would keep every answer waiting that has come meanwhile: 64 of them for 20 ms. So after a few signatures the others stand back
//! until the runtime has looked at its sockets. One alone is never held up.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// In a row, where few are wanted.
const IN_A_ROW: usize = 2;
/// One more in a row for so many that are wanted: each round asks all of them.
const MORE: usize = 32;

/// Numbers the calls that want to sign, in their order.
static NEXT: AtomicU64 = AtomicU64::new(0);
/// Those that stand back.
static WAITING: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());

thread_local! {
    /// Whether this thread is blocked by a synchronous call, so that nothing else waits for it.
    static BLOCKED: Cell<bool> = const { Cell::new(false) };
    static ROUND: Cell<Round> = const { Cell::new(Round { number: 0, left: IN_A_ROW, of: IN_A_ROW, before: u64::MAX }) };
}

/// What a thread does between two looks of its runtime at the sockets.
#[derive(Clone, Copy)]
struct Round {
    number: u64,
    /// How many signatures may still be made in it, and how many at its beginning.
    left: usize,
    of: usize,
    /// Whoever has a lower number may make one: those who have waited longest, or newcomers would always be first.
    before: u64,
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

/// Waits until this thread may sign. Nobody holds anything meanwhile, so that a call that is forgotten holds up nobody.
pub(crate) async fn turn() {
    if BLOCKED.try_with(Cell::get).unwrap_or(true) {
        return;
    }
    if waiting().is_empty() && held_up(0).is_none() {
        return;
    }
    let place = Place(NEXT.fetch_add(1, Ordering::Relaxed));
    waiting().insert(place.0);
    while let Some(round) = held_up(place.0) {
        // Comes back after the runtime has looked at its sockets.
        tokio::task::yield_now().await;
        next_round(round);
    }
}

/// Among those that stand back, until it is dropped.
struct Place(u64);

impl Drop for Place {
    fn drop(&mut self) {
        waiting().remove(&self.0);
    }
}

fn waiting() -> MutexGuard<'static, BTreeSet<u64>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes one of the signatures of this round, or tells which round it is in which there is none.
fn held_up(number: u64) -> Option<u64> {
    ROUND.with(|cell| {
        let round = cell.get();
        if round.left == 0 || number >= round.before {
            return Some(round.number);
        }
        cell.set(Round { left: round.left - 1, ..round });
        None
    })
}

/// Whoever comes back first from a round begins the next.
fn next_round(seen: u64) {
    ROUND.with(|cell| {
        let last = cell.get();
        if last.number == seen {
            let waiting = waiting();
            let of = IN_A_ROW + waiting.len() / MORE;
            // Those who have waited longest may be on other threads, or forgotten: where none of them came, whoever comes may.
            let before = if last.left == last.of { None } else { waiting.iter().nth(of).copied() };
            cell.set(Round { number: seen.wrapping_add(1), left: of, of, before: before.unwrap_or(u64::MAX) });
        }
    });
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    /// What is ready to run is run between a few signatures and the next few, also where all of them are of one task.
    #[test]
    fn others_come_in_between() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        let signed = Rc::new(Cell::new(0));
        let order = Rc::new(std::cell::RefCell::new(Vec::new()));
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let all: Vec<_> = (0..64)
                .map(|number| {
                    let (signed, order) = (Rc::clone(&signed), Rc::clone(&order));
                    tokio::task::spawn_local(async move {
                        turn().await;
                        signed.set(signed.get() + 1);
                        order.borrow_mut().push(number);
                    })
                })
                .collect();
            let mut before = 0;
            while before < 64 {
                tokio::task::yield_now().await;
                let in_a_row = signed.get() - before;
                // Other tests sign, too.
                assert!(in_a_row < 16, "{in_a_row} in a row after {before}");
                before = signed.get();
            }
            for one in all {
                one.await.expect("task");
            }
        });
        // First come, first served, but for a few that are served at once.
        for (place, number) in order.borrow().iter().enumerate() {
            assert!(place.abs_diff(*number) < 16, "{number} in place {place}: {order:?}");
        }
    }

    #[test]
    fn who_blocks_its_thread_waits_for_nothing() {
        for _ in 0..100 {
            blocking(|| crate::transport::runtime::parked(turn()));
        }
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let mut ready = 0;
        for _ in 0..100 {
            let turn = std::pin::pin!(turn());
            ready += usize::from(turn.poll(&mut context).is_ready());
        }
        assert_eq!(ready, IN_A_ROW, "the round goes on until the runtime has had its turn");
    }
}
