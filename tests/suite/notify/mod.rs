//! Notifications of APIv2 and APIv3.

mod hints;
mod inbox;
mod v2;
mod v3;
