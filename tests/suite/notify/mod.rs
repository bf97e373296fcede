//! Notifications of APIv2 and APIv3.

mod hints;
mod inbox;
mod processes;
mod servers;
mod stores;
mod v2;
mod v3;
