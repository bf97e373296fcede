//! A call in flight: [`send`] and the stack of tower layers that every request passes.

pub(crate) mod attributes;
pub(crate) mod call_config;
pub(crate) mod certificate_fetch;
mod decode;
pub(crate) mod http_service;
#[cfg(feature = "metrics")]
pub(crate) mod metrics;
pub(crate) mod platform_key_id;
pub(crate) mod platform_keys;
pub(crate) mod rate_limit;
pub(crate) mod response;
pub(crate) mod retry;
pub(crate) mod send;
pub(crate) mod shared_download;
pub(crate) mod sign;
pub(crate) mod stack;
pub(crate) mod trace;
pub(crate) mod verify;

#[cfg(test)]
#[cfg(feature = "sandbox")]
mod platform_keys_tests;
#[cfg(test)]
mod retry_tests;
