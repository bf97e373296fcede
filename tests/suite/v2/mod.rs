//! Calls of APIv2.

pub(crate) mod calls;
mod edge_cases;
