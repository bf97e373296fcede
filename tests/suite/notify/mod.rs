//! Notifications of APIv2 and APIv3.

mod v2;
mod v3;
