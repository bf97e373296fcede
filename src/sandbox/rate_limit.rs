//! A rate limit for calls, with fixed windows of whole seconds.

use serde::Serialize;

/// The maximum number of calls in each window. The first call after the end of a window begins the
/// next window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct RateLimit {
    pub(super) calls: u64,
    pub(super) seconds: u32,
    /// The start of the window, in seconds since 1970.
    began_at: i64,
    /// The number of calls in the window so far.
    used: u64,
}

impl RateLimit {
    pub(super) fn new(calls: u64, seconds: u32) -> Self {
        RateLimit { calls, seconds, began_at: 0, used: 0 }
    }

    /// Counts a call.
    ///
    /// # Errors
    /// The call exceeds the limit. The value is the time until the next window, in seconds.
    pub(super) fn admit(&mut self, now: i64) -> Result<(), i64> {
        let seconds = i64::from(self.seconds);
        // The clock may have been set back.
        if now >= self.began_at + seconds || now < self.began_at {
            (self.began_at, self.used) = (now, 0);
        }
        if self.used >= self.calls {
            return Err(self.began_at + seconds - now);
        }
        self.used += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_admits_its_calls() {
        let mut limit = RateLimit::new(2, 10);
        let admitted: Vec<_> = [100, 105, 106, 109, 110, 110, 119, 90].map(|now| limit.admit(now)).into();
        assert_eq!(admitted, [Ok(()), Ok(()), Err(4), Err(1), Ok(()), Ok(()), Err(1), Ok(())]);
        assert_eq!(RateLimit::new(0, 10).admit(100), Err(10));
    }
}
