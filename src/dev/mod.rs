//! Code that is not part of the library: entry points for benchmarks and fuzz targets, the manual's
//! doctests, and tests against the shared corpus.

pub mod bench;
#[cfg(test)]
mod corpus_tests;
#[cfg(fuzzing)]
#[allow(
    missing_docs,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "only fuzz targets call this module, and they report a failure by a panic"
)]
pub mod fuzzing;
#[cfg(doctest)]
mod manual;
