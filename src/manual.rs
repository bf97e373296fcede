//! The pages of the manual, so that `cargo test --doc` compiles and runs their Rust blocks. One line a page, in English: the Chinese
//! pages have the same blocks, and two pages lift theirs out of tests (`tests/suite/manual.rs` holds all of it together).
#[doc = include_str!("../docs/manual/getting-started.md")]
mod getting_started {}

#[doc = include_str!("../docs/manual/errors.md")]
mod errors {}
