//! The PHP SDK's helper classes, for code ported from PHP.

pub mod formatter;
pub mod transformer;
