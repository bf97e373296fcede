//! The pure half: bytes and values in, bytes and values out. No socket, clock, randomness or async in here; time and nonce
//! are arguments, so everything can be tested against fixed vectors.

pub(crate) mod authorization;
pub(crate) mod explain;
pub(crate) mod message;
pub(crate) mod multipart;
pub(crate) mod path;
pub(crate) mod query;
pub(crate) mod redirect;
pub(crate) mod request;
#[cfg(feature = "v2")]
mod request_v2;
pub(crate) mod scalar;
pub(crate) mod target;
pub(crate) mod template;
#[cfg(feature = "v2")]
pub(crate) mod v2;
pub(crate) mod verify;
#[cfg(feature = "v2")]
pub(crate) mod xml;

#[cfg(test)]
mod template_tests;
#[cfg(all(test, feature = "v2"))]
mod v2_tests;
