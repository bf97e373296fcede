//! Replay protection: a store of received notifications.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::error::BoxError;
use crate::proto::verify;
use crate::transport::BoxFuture;

/// The maximum number of notifications in the memory store. Only authentic ones are stored.
const MAX_ENTRIES: usize = 100_000;

/// A store of received notifications, which detects replays. The default store is in the memory of
/// this process. `RedisStore` and `PostgresStore` are shared by several instances, and so is an
/// implementation of yours:
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
/// struct RedisStore(Redis);
///
/// impl ReplayStore for RedisStore {
///     fn insert<'a>(
///         &'a self,
///         seen: &'a str,
///         until: i64,
///     ) -> BoxFuture<'a, Result<bool, BoxError>> {
///         // SET wechatpay:{seen} 1 NX EXAT {until}; true if Redis responds with OK.
///         Box::pin(async move { self.0.set_nx_exat(&format!("wechatpay:{seen}"), until).await })
///     }
/// }
/// # let store = RedisStore(Redis(Default::default()));
/// # assert!(futures_executor::block_on(store.insert("1 a", 0))?);
/// # assert!(!futures_executor::block_on(store.insert("1 a", 0))?);
/// # Ok::<(), BoxError>(())
/// ```
pub trait ReplayStore: Send + Sync + 'static {
    /// Stores `seen`, which consists of the timestamp and the nonce of a notification, until the
    /// time `until` in seconds since 1970. Returns `true` if `seen` is new, and `false` if it is
    /// already stored. This must be atomic: if the same value is inserted twice concurrently, only
    /// one of the calls returns `true`.
    ///
    /// # Errors
    /// If this method fails, the notification is rejected with
    /// [`ErrorKind::Replay`](crate::ErrorKind::Replay), whose source is the error.
    /// [`Reply::to`](crate::notify::Reply::to) then responds with 500, so that WeChat Pay delivers
    /// the notification again.
    fn insert<'a>(&'a self, seen: &'a str, until: i64) -> BoxFuture<'a, Result<bool, BoxError>>;
}

/// The default store: a bounded set in the memory of this process.
#[derive(Default)]
pub(crate) struct ReplayMemory(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    set: HashSet<String>,
    /// The entries and their expiry times, oldest first.
    order: VecDeque<(i64, String)>,
}

impl ReplayStore for ReplayMemory {
    fn insert<'a>(&'a self, seen: &'a str, until: i64) -> BoxFuture<'a, Result<bool, BoxError>> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = until.saturating_sub(2 * verify::MAX_CLOCK_OFFSET);
        while entries.order.front().is_some_and(|(until, _)| *until < now) || entries.order.len() >= MAX_ENTRIES {
            let Some((_, oldest)) = entries.order.pop_front() else { break };
            entries.set.remove(&oldest);
        }
        let new = entries.set.insert(seen.to_owned());
        if new {
            entries.order.push_back((until, seen.to_owned()));
        }
        Box::pin(std::future::ready(Ok(new)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_store_is_bounded_and_drops_expired_entries() {
        let store = ReplayMemory(Mutex::default());
        let insert = |seen: &str, until| crate::transport::runtime::park_on(store.insert(seen, until)).expect("memory");
        for number in 0..MAX_ENTRIES + 10_000 {
            assert!(insert(&number.to_string(), 1000));
        }
        let sizes = |store: &ReplayMemory| store.0.lock().map(|seen| (seen.set.len(), seen.order.len())).expect("lock");
        assert_eq!(sizes(&store), (MAX_ENTRIES, MAX_ENTRIES));
        assert!(!insert(&(MAX_ENTRIES + 9_999).to_string(), 1000), "the newest is stored");
        // At this time, all entries above have expired.
        assert!(insert("new", 1000 + 2 * verify::MAX_CLOCK_OFFSET + 1));
        assert_eq!(sizes(&store), (1, 1));
    }
}
