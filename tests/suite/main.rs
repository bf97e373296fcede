//! Integration tests: real sockets, and at the other end the sandbox, which verifies.
//!
//! One binary, since linking many takes longer than running them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may end by a panic")]

mod attacks;
mod bounds;
mod browser;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "cli")]
mod cli_files;
mod config;
mod corpus;
mod doctor;
mod failover;
mod fields;
mod flows;
mod forms;
mod keeping;
mod keys;
mod layers;
mod manual;
#[rustfmt::skip] // Laid out for the columns of the page that it is lifted into.
mod manual_options;
#[rustfmt::skip]
mod manual_porting;
mod matrix;
mod network;
mod notify;
mod notify_v2;
mod outbox;
mod page;
mod payouts;
mod platform;
#[cfg(feature = "cli")]
mod port_corpus;
#[cfg(feature = "cli")]
mod port_examples;
#[cfg(feature = "cli")]
mod port_php;
#[cfg(feature = "cli")]
mod port_refused;
#[cfg(feature = "cli")]
mod port_rustc;
#[cfg(feature = "cli")]
mod port_values;
mod refused_after;
mod refused_before;
mod runtimes;
mod sdks;
mod secrets;
mod sending;
#[cfg(feature = "cli")]
mod shell;
mod soak;
mod strictness;
mod structure;
mod support;
mod tracing_spans;
mod transfers;
mod turns;
mod v2;
mod v2_edges;
#[cfg(feature = "cli")]
mod wire;
#[cfg(feature = "cli")]
mod words;
