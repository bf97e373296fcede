//! Doctests of the manual: `cargo test --doc` compiles and runs the Rust blocks of these pages.
//!
//! The Chinese pages contain the same blocks, and two pages take theirs from tests. Both are
//! checked by `tests/suite/docs/manual.rs`.

#[doc = include_str!("../../docs/manual/getting-started.md")]
struct GettingStarted;

#[doc = include_str!("../../docs/manual/calls.md")]
struct Calls;

#[doc = include_str!("../../docs/manual/without-types.md")]
struct WithoutTypes;

#[doc = include_str!("../../docs/manual/errors.md")]
struct Errors;

#[doc = include_str!("../../docs/manual/notifications.md")]
struct Notifications;

#[doc = include_str!("../../docs/manual/more-machines.md")]
struct MoreMachines;

#[doc = include_str!("../../docs/manual/files.md")]
struct Files;

#[doc = include_str!("../../docs/manual/apiv2.md")]
struct Apiv2;

#[doc = include_str!("../../docs/manual/command-line.md")]
struct CommandLine;

#[doc = include_str!("../../docs/manual/recipes.md")]
struct Recipes;

#[doc = include_str!("../../docs/SANDBOX.md")]
struct Sandbox;
