//! The nonces of recent requests, to refuse replays.

use std::collections::{HashSet, VecDeque};

/// How long a nonce is remembered, in seconds. A timestamp is accepted for five minutes on either
/// side of the clock.
const MAX_AGE: i64 = 600;

#[derive(Default)]
pub(super) struct Nonces {
    known: HashSet<String>,
    by_age: VecDeque<(i64, String)>,
}

impl Nonces {
    /// Remembers a nonce. Returns whether it is new.
    pub(super) fn insert(&mut self, nonce: &str, now: i64) -> bool {
        while self.by_age.front().is_some_and(|(at, _)| *at < now - MAX_AGE) {
            if let Some((_, oldest)) = self.by_age.pop_front() {
                self.known.remove(&oldest);
            }
        }
        let is_new = self.known.insert(nonce.to_owned());
        if is_new {
            self.by_age.push_back((now, nonce.to_owned()));
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_nonce_is_new_again() {
        let mut nonces = Nonces::default();
        assert!(nonces.insert("a", 0) && !nonces.insert("a", MAX_AGE) && nonces.insert("b", 0));
        assert!(nonces.insert("a", MAX_AGE + 1));
        assert_eq!(nonces.known.len(), 1);
    }
}
