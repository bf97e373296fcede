//! Integration tests against the sandbox over sockets.
//!
//! All are in one binary, since linking several takes longer than running them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may end by a panic")]

mod call;
#[cfg(feature = "cli")]
mod cli;
mod docs;
mod notify;
#[cfg(feature = "cli")]
mod port;
mod sandbox;
mod support;
mod v2;
