//! The outcome of handling a notification.

use std::fmt;

use crate::error::{BoxError, Error};

/// The outcome of handling a notification. The response is a success only for
/// [`Success`](Self::Success) and [`Repeated`](Self::Repeated); otherwise WeChat Pay delivers the
/// notification again.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The handler succeeded.
    Success,
    /// The handler succeeded before, here or in another process. It was not called again.
    Repeated,
    /// The handler runs at the moment, here or in another process. It was not called again.
    InProgress,
    /// The request is not an authentic notification. The handler was not called.
    Rejected(Error),
    /// The handler returned this error. The next delivery calls it again.
    Failed(BoxError),
    /// The handler panicked. The next delivery calls it again.
    Panicked,
    /// The handler was dropped with its runtime before it returned. It can be called again when the
    /// lease has ended.
    Dropped,
    /// The lease could not be renewed while the handler ran, so the handler was dropped where it
    /// waited. If it returns a success nevertheless, the store still records that.
    LeaseLost,
    /// The store failed or did not respond in time. The handler was not called.
    StoreUnavailable(BoxError),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Success => f.write_str("handled"),
            Outcome::Repeated => f.write_str("handled before"),
            Outcome::InProgress => f.write_str("being handled"),
            Outcome::Rejected(error) => write!(f, "rejected: {error}"),
            Outcome::Failed(error) => write!(f, "the handler failed: {error}"),
            Outcome::Panicked => f.write_str("the handler panicked"),
            Outcome::Dropped => f.write_str("the handler was dropped"),
            Outcome::LeaseLost => f.write_str("the lease was lost while the handler ran"),
            Outcome::StoreUnavailable(error) => write!(f, "the store is unavailable: {error}"),
        }
    }
}
