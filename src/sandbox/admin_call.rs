//! The common parts of the control calls: their results, fields and refusals.

use serde_json::{Value, json};

use super::delivery::Notification;
use super::ledger::LedgerError;
use super::route_request::text;
use crate::error::Error;

/// The result of a call: the body of its response, and the notifications that it causes.
pub(super) struct Done {
    pub(super) body: Value,
    pub(super) notifications: Vec<Notification>,
}

impl Done {
    pub(super) fn new(body: Value) -> Self {
        Done { body, notifications: Vec::new() }
    }

    pub(super) fn ok() -> Self {
        Done::new(json!({ "ok": true }))
    }

    pub(super) fn notify(self, notification: impl IntoIterator<Item = Notification>) -> Self {
        Done { notifications: notification.into_iter().collect(), ..self }
    }
}

pub(super) fn required<'a>(fields: &'a Value, name: &str) -> Result<&'a str, Error> {
    match text(fields, name) {
        "" => Err(Error::options(format!("the field {name:?} is missing"))),
        text => Ok(text),
    }
}

/// The `sub_mchid` in the fields, which is the merchant of the number; `None` if it is missing.
pub(super) fn owner(fields: &Value) -> Option<&str> {
    Some(text(fields, "sub_mchid")).filter(|owner| !owner.is_empty())
}

/// The error for a change that the ledger refused.
pub(super) fn refusal(what: &str, number: &str, error: LedgerError) -> Error {
    Error::options(format!(
        "the {what} {number:?} {}",
        match error {
            LedgerError::NotFound => "is not known to the sandbox",
            LedgerError::AlreadyPaid => "is paid already",
            LedgerError::Closed => "is closed",
            LedgerError::Expired => "has expired",
            LedgerError::NotPaid => "is not paid yet",
            LedgerError::ExceedsRemaining => "has less left than this amount",
            LedgerError::InsufficientFunds => "cannot be refunded: the merchant's balance is too low",
            LedgerError::WrongState => "has already ended",
            LedgerError::PaymentFailed => "cannot be paid any more: its payment failed",
            LedgerError::Paying => "is still being paid",
            LedgerError::Revoked => "was taken back by the merchant",
            LedgerError::NotDocumented => {
                "cannot fail: the service documents PAYERROR only for orders of APIv2, payment codes and deductions"
            }
            LedgerError::NumberUsed
            | LedgerError::NumbersDiffer
            | LedgerError::TotalMismatch
            | LedgerError::NoRelation
            | LedgerError::AboveRatio
            | LedgerError::NotForSharing => {
                "cannot be changed like this"
            }
        }
    ))
}
