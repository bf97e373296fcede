//! The pure half: bytes and values in, bytes and values out. No socket, clock, randomness or async in here; time and nonce
//! are arguments, so everything can be tested against fixed vectors.

pub(crate) mod base_uri;
pub(crate) mod case;
pub(crate) mod diagnose;
pub(crate) mod excerpt;
pub(crate) mod json_type;
pub(crate) mod multipart;
pub(crate) mod php_scalar;
pub(crate) mod query;
pub(crate) mod redirect;
pub(crate) mod request;
mod request_v2;
pub(crate) mod signing_string;
pub(crate) mod template;
pub(crate) mod v2;
pub(crate) mod verify;
pub(crate) mod xml;

#[cfg(test)]
mod template_tests;
#[cfg(test)]
mod v2_tests;
