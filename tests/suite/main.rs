//! Integration tests: real sockets, and at the other end the sandbox, which verifies.
//!
//! One binary, since linking many takes longer than running them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may end by a panic")]

mod attacks;
mod bounds;
#[cfg(feature = "cli")]
mod cli;
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
mod matrix;
mod network;
mod notify;
mod notify_v2;
mod outbox;
mod page;
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
mod soak;
mod strictness;
mod structure;
mod support;
mod tracing_spans;
mod transfers;
mod v2;
mod v2_edges;
