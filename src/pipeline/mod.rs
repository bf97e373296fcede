//! A call under way: the stack of tower layers that every request passes, and what the layers share.

pub(crate) mod call_config;
pub(crate) mod certificate_fetch;
pub(crate) mod platform_keys;
pub(crate) mod response;
pub(crate) mod retry;
pub(crate) mod sign;
pub(crate) mod stack;
pub(crate) mod trace;
pub(crate) mod v2;
pub(crate) mod verify;
