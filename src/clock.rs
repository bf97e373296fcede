//! This machine's clock, for signing and verifying.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970; a clock before that counts as 0, and the service will say that it is wrong.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
