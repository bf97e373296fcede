//! The command `wxpay`.

mod completions;
mod doctor;
mod files;
pub(crate) mod req;
mod translations;
mod wire;
