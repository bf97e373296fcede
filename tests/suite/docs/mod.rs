//! The documentation and the layout of the sources.

mod manual;
#[rustfmt::skip] // Laid out for the columns of the page that it is lifted into.
mod manual_options;
#[rustfmt::skip]
mod manual_porting;
pub(crate) mod structure;
