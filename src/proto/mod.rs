//! The rules of the protocol as pure functions: values and bytes in, values and bytes out.
//!
//! Nothing here does I/O, reads a clock or needs randomness or async. Time and nonce are arguments,
//! so that tests can compare with fixed vectors.

pub(crate) mod base_uri;
pub(crate) mod bill;
pub(crate) mod case;
pub(crate) mod content_coding;
pub(crate) mod diagnose;
pub(crate) mod error_kind;
pub(crate) mod excerpt;
pub(crate) mod json_decode;
pub(crate) mod json_depth;
pub(crate) mod json_type;
pub(crate) mod media;
pub(crate) mod multipart;
pub(crate) mod php_scalar;
pub(crate) mod query;
pub(crate) mod redirect;
pub(crate) mod request;
#[cfg(any(feature = "cli", feature = "sandbox"))]
pub(crate) mod signature_origin;
#[cfg(any(feature = "cli", feature = "sandbox"))]
pub(crate) mod signing_mistakes;
pub(crate) mod signing_string;
pub(crate) mod similar;
#[cfg(any(feature = "cli", feature = "sandbox"))]
pub(crate) mod strict_json;
pub(crate) mod template;
#[cfg(any(feature = "cli", feature = "sandbox"))]
pub(crate) mod translate;
pub(crate) mod url;
pub(crate) mod v2;
pub(crate) mod verify;
pub(crate) mod xml;

#[cfg(test)]
mod base_uri_tests;
#[cfg(test)]
mod case_tests;
#[cfg(test)]
mod template_tests;
#[cfg(test)]
mod url_tests;
#[cfg(test)]
mod v2_tests;
