//! `wxpay port`: PHP carried over into Rust.

pub(crate) mod corpus;
mod examples;
mod php_output;
pub(crate) mod php_writer;
pub(crate) mod rustc;
mod unsupported;
