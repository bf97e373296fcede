//! The local WeChat Pay.

mod notifications;
pub(crate) mod orders;
mod page;
mod payouts;
mod persistence;
mod sdks;
mod validation;
pub(crate) mod webdriver;
