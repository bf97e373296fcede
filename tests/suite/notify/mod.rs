//! Notifications of APIv2 and APIv3.

mod hints;
mod inbox;
mod inbox_v2;
mod processes;
pub(crate) mod servers;
mod stores;
mod v2;
mod v3;
