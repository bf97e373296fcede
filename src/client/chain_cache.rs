//! The chains behind `client["..."]`: indexing must return a reference, so somebody must own what it refers to.

use std::fmt;

use elsa::sync::FrozenMap;

use crate::client::chain::Chain;

/// Chains by the literal they were indexed with, added once and kept as long as their owner.
///
/// The keys are string literals, so their number is bounded by the program's text. No cycle keeps a client alive: a chain
/// holds the client's core, and the core holds no chains.
pub(crate) struct Index(FrozenMap<&'static str, Box<Chain>>);

impl Index {
    pub(crate) fn new() -> Self {
        Index(FrozenMap::new())
    }

    pub(crate) fn get_or_insert(&self, path: &'static str, make: impl FnOnce() -> Chain) -> &Chain {
        match self.0.get(path) {
            Some(chain) => chain,
            None => self.0.insert(path, Box::new(make())),
        }
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Index")
    }
}
