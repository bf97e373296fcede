//! `wxpay port`: PHP carried over into Rust.

mod bc;
mod calls;
pub(crate) mod corpus;
mod crates;
mod examples;
mod handlers;
mod merchants;
mod nulls;
mod offsets;
mod order;
mod php_classes;
mod php_expressions;
mod php_output;
mod php_programs;
mod php_statements;
pub(crate) mod php_writer;
mod public_code;
mod report;
pub(crate) mod rustc;
pub(crate) mod same_output;
mod unsupported;
