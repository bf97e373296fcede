//! Which notifications were seen.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::BoxFuture;
use crate::error::BoxError;
use crate::proto::verify;

/// NotificationVerifier that the store in memory remembers. Only genuine ones get there, each for as long as its timestamp is accepted.
const MAX_SEEN: usize = 100_000;

/// Remembers which notifications were seen. The default is a store in this process; several instances behind one `notify_url` share one:
///
/// ```
/// use wechatpay_chain::notify::ReplayStore;
/// use wechatpay_chain::{BoxError, BoxFuture};
/// # struct Redis(std::sync::Mutex<std::collections::HashSet<String>>);
/// # impl Redis {
/// #     async fn set_nx_exat(&self, key: &str, _until: i64) -> Result<bool, BoxError> {
/// #         Ok(self.0.lock().map_err(|_| "the lock")?.insert(key.to_owned()))
/// #     }
/// # }
///
/// struct Shared(Redis);
///
/// impl ReplayStore for Shared {
///     fn insert<'a>(&'a self, seen: &'a str, until: i64) -> BoxFuture<'a, Result<bool, BoxError>> {
///         // SET wechatpay:{seen} 1 NX EXAT {until}, and whether it answered OK.
///         Box::pin(async move { self.0.set_nx_exat(&format!("wechatpay:{seen}"), until).await })
///     }
/// }
/// # let store = Shared(Redis(Default::default()));
/// # assert!(futures_executor::block_on(store.insert("1 a", 0))?);
/// # assert!(!futures_executor::block_on(store.insert("1 a", 0))?);
/// # Ok::<(), BoxError>(())
/// ```
pub trait ReplayStore: Send + Sync + 'static {
    /// Remembers `seen`, timestamp and nonce of a notification, until the time `until`, in seconds since 1970; `false` if it was there
    /// already. Must be atomic: of two that ask at the same time one is told `true`.
    ///
    /// An error refuses the notification with [`ErrorKind::Replay`](crate::ErrorKind::Replay) and this error as its source, and
    /// [`Reply::to`](super::Reply::to) answers 500, so that it comes again.
    fn insert<'a>(&'a self, seen: &'a str, until: i64) -> BoxFuture<'a, Result<bool, BoxError>>;
}

/// The store of one process, bounded.
#[derive(Default)]
pub(super) struct Memory(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    set: HashSet<String>,
    order: VecDeque<(i64, String)>,
}

impl ReplayStore for Memory {
    fn insert<'a>(&'a self, seen: &'a str, until: i64) -> BoxFuture<'a, Result<bool, BoxError>> {
        let mut store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = until.saturating_sub(2 * verify::MAX_CLOCK_OFFSET);
        while store.order.front().is_some_and(|(until, _)| *until < now) || store.order.len() >= MAX_SEEN {
            let Some((_, oldest)) = store.order.pop_front() else { break };
            store.set.remove(&oldest);
        }
        let new = store.set.insert(seen.to_owned());
        if new {
            store.order.push_back((until, seen.to_owned()));
        }
        Box::pin(std::future::ready(Ok(new)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_in_memory_is_bounded_and_forgets_what_is_over() {
        let store = Memory(Mutex::default());
        let insert = |seen: &str, until| crate::transport::runtime::parked(store.insert(seen, until)).expect("memory");
        for number in 0..MAX_SEEN + 10_000 {
            assert!(insert(&number.to_string(), 1000));
        }
        let held = |store: &Memory| store.0.lock().map(|seen| (seen.set.len(), seen.order.len())).expect("lock");
        assert_eq!(held(&store), (MAX_SEEN, MAX_SEEN));
        assert!(!insert(&(MAX_SEEN + 9_999).to_string(), 1000), "the newest is remembered");
        // Long after, all of these are over.
        assert!(insert("new", 1000 + 2 * verify::MAX_CLOCK_OFFSET + 1));
        assert_eq!(held(&store), (1, 1));
    }
}
