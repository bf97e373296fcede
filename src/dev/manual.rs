//! The pages of the manual, so that `cargo test --doc` compiles and runs their Rust blocks. One line a page, in English: the Chinese
//! pages have the same blocks, and two pages lift theirs out of tests (`tests/suite/docs/manual.rs` holds all of it together).

#[doc = include_str!("../../docs/manual/getting-started.md")]
struct GettingStarted;

#[doc = include_str!("../../docs/manual/errors.md")]
struct Errors;

#[doc = include_str!("../../docs/manual/notifications.md")]
struct Notifications;

#[doc = include_str!("../../docs/manual/files.md")]
struct Files;

#[doc = include_str!("../../docs/manual/apiv2.md")]
struct Apiv2;

#[doc = include_str!("../../docs/manual/command-line.md")]
struct CommandLine;

#[doc = include_str!("../../docs/manual/recipes.md")]
struct Recipes;
