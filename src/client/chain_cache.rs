//! The cache behind `client["..."]`. Indexing returns a reference, so the cache owns the chains.

use std::fmt;

use elsa::sync::FrozenMap;

/// The chains, keyed by the string literal of the index. They live as long as the owner of the
/// cache.
///
/// The keys are string literals, so their number is bounded by the source code of the program. A
/// chain refers to the client's state, but that state does not refer to chains, so there is no
/// reference cycle.
pub(crate) struct ChainCache<Chain>(FrozenMap<&'static str, Box<Chain>>);

impl<Chain> ChainCache<Chain> {
    pub(crate) fn new() -> Self {
        ChainCache(FrozenMap::new())
    }

    pub(crate) fn get_or_insert(&self, path: &'static str, make: impl FnOnce() -> Chain) -> &Chain {
        match self.0.get(path) {
            Some(chain) => chain,
            None => self.0.insert(path, Box::new(make())),
        }
    }
}

impl<Chain> fmt::Debug for ChainCache<Chain> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChainCache")
    }
}
