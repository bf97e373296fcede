//! The store of a single process: a bounded map.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Claim, Store};
use crate::error::BoxError;
use crate::transport::BoxFuture;

/// The default maximum number of keys that are done.
const MAX_DONE: usize = 100_000;
/// The maximum number of keys that are held. Beyond it, the store reports that it is unavailable.
const MAX_HELD: usize = 100_000;

/// A store in the memory of this process. It is bounded: beyond 100,000 keys that are done, the
/// oldest is forgotten. It does not outlive the process.
///
/// ```
/// use std::time::Duration;
/// use wechatpay_chain::store::{Claim, MemoryStore, Store};
///
/// let (store, minute) = (MemoryStore::default(), Duration::from_secs(60));
/// # futures_executor::block_on(async {
/// assert_eq!(store.claim("key", "a", minute).await?, Claim::Held);
/// assert_eq!(store.claim("key", "b", minute).await?, Claim::Taken);
/// store.complete("key", "", minute).await?;
/// assert_eq!(store.claim("key", "b", minute).await?, Claim::Done(String::new()));
/// # Ok::<(), wechatpay_chain::BoxError>(())
/// # })?;
/// # Ok::<(), wechatpay_chain::BoxError>(())
/// ```
#[derive(Default)]
pub struct MemoryStore(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    by_key: HashMap<String, Entry>,
    /// The keys that are done, and when they were completed, oldest first. A key that was completed
    /// again is listed twice.
    completed: VecDeque<(Instant, String)>,
}

struct Entry {
    state: State,
    since: Instant,
    /// How long the state lasts.
    lasts: Duration,
}

enum State {
    Held(String),
    Done(String),
}

impl Entry {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= self.lasts
    }
}

impl MemoryStore {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claim_now(&self, key: &str, token: &str, lease: Duration, now: Instant) -> Result<Claim, BoxError> {
        let mut entries = self.entries();
        entries.forget(now);
        let current = entries.by_key.get(key);
        match current.filter(|entry| !entry.is_over(now)).map(|entry| &entry.state) {
            Some(State::Done(value)) => return Ok(Claim::Done(value.clone())),
            Some(State::Held(holder)) if holder != token => return Ok(Claim::Taken),
            Some(State::Held(_)) => {}
            None if current.is_some() => {}
            None => entries.check_space(now)?,
        }
        let entry = Entry { state: State::Held(token.to_owned()), since: now, lasts: lease };
        entries.by_key.insert(key.to_owned(), entry);
        Ok(Claim::Held)
    }

    fn complete_now(&self, key: &str, value: &str, retention: Duration, now: Instant) {
        let mut entries = self.entries();
        let entry = Entry { state: State::Done(value.to_owned()), since: now, lasts: retention };
        entries.by_key.insert(key.to_owned(), entry);
        entries.completed.push_back((now, key.to_owned()));
        entries.forget(now);
    }

    fn release_now(&self, key: &str, token: &str) {
        let mut entries = self.entries();
        let is_held = |entry: &Entry| matches!(&entry.state, State::Held(holder) if holder == token);
        if entries.by_key.get(key).is_some_and(is_held) {
            entries.by_key.remove(key);
        }
    }
}

impl Entries {
    /// Fails if too many keys are held. Leases whose handlers were dropped are removed first.
    fn check_space(&mut self, now: Instant) -> Result<(), BoxError> {
        let held = |entries: &Self| entries.by_key.len().saturating_sub(entries.completed.len());
        if held(self) >= MAX_HELD {
            self.by_key.retain(|_, entry| matches!(entry.state, State::Done(_)) || !entry.is_over(now));
        }
        if held(self) >= MAX_HELD {
            return Err(format!("more than {MAX_HELD} keys are held").into());
        }
        Ok(())
    }

    /// Removes the oldest keys that are done, if their retention is over or there are too many.
    fn forget(&mut self, now: Instant) {
        while let Some((since, key)) = self.completed.front() {
            let entry = self.by_key.get(key).filter(|entry| entry.since == *since);
            let is_current = entry.is_some_and(|entry| !entry.is_over(now));
            if is_current && self.completed.len() <= MAX_DONE {
                return;
            }
            // A key that was completed again stays until its last completion is over.
            if entry.is_some() {
                self.by_key.remove(key);
            }
            self.completed.pop_front();
        }
    }
}

impl Store for MemoryStore {
    fn claim<'a>(&'a self, key: &'a str, token: &'a str, lease: Duration) -> BoxFuture<'a, Result<Claim, BoxError>> {
        Box::pin(async move { self.claim_now(key, token, lease, Instant::now()) })
    }

    fn complete<'a>(
        &'a self,
        key: &'a str,
        value: &'a str,
        retention: Duration,
    ) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async move {
            self.complete_now(key, value, retention, Instant::now());
            Ok(())
        })
    }

    fn release<'a>(&'a self, key: &'a str, token: &'a str) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async move {
            self.release_now(key, token);
            Ok(())
        })
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("keys", &self.entries().by_key.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_held_key_is_claimed_by_another_token_only_after_its_lease() {
        let (store, start) = (MemoryStore::default(), Instant::now());
        let claim = |token, after| store.claim_now("key", token, MINUTE, start + after).expect("memory");
        assert_eq!(claim("a", Duration::ZERO), Claim::Held);
        assert_eq!(claim("b", MINUTE - Duration::from_millis(1)), Claim::Taken);
        assert_eq!(claim("a", MINUTE / 2), Claim::Held, "renewed");
        assert_eq!(claim("b", MINUTE), Claim::Taken);
        assert_eq!(claim("b", MINUTE * 3 / 2), Claim::Held, "the lease is over");
        assert_eq!(claim("a", MINUTE * 3 / 2), Claim::Taken);
        store.release_now("key", "a");
        assert_eq!(claim("c", MINUTE * 2), Claim::Taken, "only the holder can release");
        store.release_now("key", "b");
        assert_eq!(claim("c", MINUTE * 2), Claim::Held);
        store.complete_now("key", "value", MINUTE, start + MINUTE * 2);
        store.release_now("key", "c");
        assert_eq!(claim("c", MINUTE * 2), Claim::Done("value".to_owned()));
        assert_eq!(claim("c", MINUTE * 3), Claim::Held, "the retention is over");
    }

    #[test]
    fn keys_that_are_done_are_bounded() {
        let (store, now) = (MemoryStore::default(), Instant::now());
        let claim = |key: &str, now| store.claim_now(key, "a", MINUTE, now).expect("memory");
        assert_eq!(claim("held", now), Claim::Held);
        for number in 0..MAX_DONE + 10 {
            store.complete_now(&number.to_string(), "", MINUTE, now);
        }
        let sizes = || {
            let entries = store.entries();
            (entries.by_key.len(), entries.completed.len())
        };
        assert_eq!(sizes(), (MAX_DONE + 1, MAX_DONE));
        assert_eq!(claim("9", now), Claim::Held, "the oldest is forgotten");
        assert_eq!(claim("10", now), Claim::Done(String::new()));
        // Completed again, the key is kept until its last retention is over.
        // A retention that ends before that of an older key is over nevertheless.
        store.complete_now("12", "", MINUTE / 4, now);
        assert_eq!(claim("12", now + MINUTE / 4), Claim::Held);
        store.complete_now("11", "", MINUTE, now + MINUTE / 2);
        assert_eq!(claim("11", now + MINUTE), Claim::Done(String::new()));
        assert_eq!(sizes(), (4, 1), "held, 9, 11 and 12");
    }
}
