//! The command `wxpay`.

#[cfg(feature = "cli")]
mod completions;
mod doctor;
#[cfg(feature = "cli")]
mod files;
#[cfg(feature = "cli")]
pub(crate) mod req;
#[cfg(feature = "cli")]
mod translations;
#[cfg(feature = "cli")]
mod wire;
