//! Stores that several processes share.
//!
//! A [`Store`] hands out claims: leases on a key, of which one process at a time holds one. The
//! [inbox](crate::notify::Inbox) claims each notification before it is handled. Downloads of the
//! platform certificates are claimed in the same way.
//!
//! [`MemoryStore`] is for one process. `RedisStore` (feature `redis`) and `PostgresStore` (feature
//! `postgres`) are for several. All of them measure leases with the clock of the store, so the
//! clocks of the processes may differ.

mod memory;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod postgres_statements;
#[cfg(feature = "postgres")]
mod postgres_tls;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "redis")]
mod redis_scripts;
mod replay;

use std::time::Duration;

use crate::error::BoxError;
use crate::transport::BoxFuture;
pub use memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
#[cfg(feature = "redis")]
pub use redis::RedisStore;
pub(crate) use replay::ReplayMemory;
pub use replay::ReplayStore;
/// The crate of the transactions that [`PostgresStore::record`] takes.
#[cfg(feature = "postgres")]
#[doc(no_inline)]
pub use tokio_postgres;

/// The result of [`Store::claim`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// The caller holds the key until its lease ends.
    Held,
    /// Another token holds the key.
    Taken,
    /// The key was completed with this value.
    Done(String),
}

/// A store of claims. Each method must be atomic.
///
/// A key is in one of three states:
///
/// | state | `claim` | `complete` | `release` |
/// | --- | --- | --- | --- |
/// | absent | held by the token, `Held` | done | no change |
/// | held by the same token | the lease starts again, `Held` | done | absent |
/// | held by another token | no change, `Taken` | done | no change |
/// | done | no change, `Done` | done | no change |
///
/// A held key becomes absent when its lease ends, and a key that is done when its retention ends.
/// Both times are measured by the store's clock. `claim` with the same token renews a lease, also
/// after it has ended, unless another token holds the key. `complete` does not depend on the
/// token, because the work has been done even if another token holds the key now.
pub trait Store: Send + Sync + 'static {
    /// Claims a key, or renews the claim of the same token, for the time `lease` from now on.
    ///
    /// # Errors
    /// Fails if the store is unavailable. The key may then have been claimed.
    fn claim<'a>(&'a self, key: &'a str, token: &'a str, lease: Duration) -> BoxFuture<'a, Result<Claim, BoxError>>;

    /// Records that the work was done. The store keeps `value` for the time `retention`, and
    /// returns it in [`Claim::Done`].
    ///
    /// # Errors
    /// Fails if the store is unavailable. The key may then have been completed.
    fn complete<'a>(&'a self, key: &'a str, value: &'a str, retention: Duration)
    -> BoxFuture<'a, Result<(), BoxError>>;

    /// Gives up a claim, so that the key can be claimed at once. Has no effect unless this token
    /// holds the key.
    ///
    /// # Errors
    /// Fails if the store is unavailable. The lease then ends by itself.
    fn release<'a>(&'a self, key: &'a str, token: &'a str) -> BoxFuture<'a, Result<(), BoxError>>;
}
