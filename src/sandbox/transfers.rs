//! Transfers to a user's balance, which the user confirms.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::books::{Books, Kind, Refused, Table};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum TransferState {
    WaitUserConfirm,
    Success,
    Cancelled,
}

impl TransferState {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            TransferState::WaitUserConfirm => "WAIT_USER_CONFIRM",
            TransferState::Success => "SUCCESS",
            TransferState::Cancelled => "CANCELLED",
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Transfer {
    pub(super) out_bill_no: String,
    pub(super) transfer_bill_no: String,
    pub(super) amount: u64,
    pub(super) state: TransferState,
    pub(super) at: i64,
    pub(super) updated_at: i64,
    pub(super) notify_url: String,
    /// Everything that was asked for; asked for again it must be the same.
    pub(super) request: Value,
}

impl Books {
    /// Begins a transfer: its money is taken at once. Asked for again it is the same transfer.
    pub(super) fn transfer(
        &mut self,
        out_bill_no: &str,
        amount: u64,
        request: &Value,
        now: i64,
    ) -> Result<&Transfer, Refused> {
        if let Some(known) = self.transfers.get(out_bill_no) {
            if known.request != *request {
                return Err(Refused::NumberUsed);
            }
            return self.transfers.get(out_bill_no).ok_or(Refused::Unknown);
        }
        if amount > self.account.available {
            return Err(Refused::NotEnough);
        }
        let transfer = Transfer {
            out_bill_no: out_bill_no.to_owned(),
            transfer_bill_no: self.number("1330", now),
            amount,
            state: TransferState::WaitUserConfirm,
            at: now,
            updated_at: now,
            notify_url: request["notify_url"].as_str().unwrap_or_default().to_owned(),
            request: request.clone(),
        };
        self.account.available -= amount;
        self.enter(Kind::Transfer, &transfer.transfer_bill_no, out_bill_no, amount, now);
        self.touch(Table::Transfers, out_bill_no, &transfer);
        Ok(self.transfers.entry(out_bill_no.to_owned()).or_insert(transfer))
    }

    /// The user takes the money.
    pub(super) fn confirm(&mut self, out_bill_no: &str, now: i64) -> Result<&Transfer, Refused> {
        if self.transfers.get(out_bill_no).is_some_and(|transfer| transfer.state == TransferState::Success) {
            return Err(Refused::WrongState);
        }
        self.end_transfer(out_bill_no, TransferState::Success, now)
    }

    /// The merchant takes it back, before the user has it.
    pub(super) fn cancel(&mut self, out_bill_no: &str, now: i64) -> Result<&Transfer, Refused> {
        let known = self.transfers.get(out_bill_no).ok_or(Refused::Unknown)?;
        let (before, amount, number) = (known.state, known.amount, known.transfer_bill_no.clone());
        if before == TransferState::WaitUserConfirm {
            self.account.available += amount;
            self.enter(Kind::TransferBack, &number, out_bill_no, amount, now);
        }
        self.end_transfer(out_bill_no, TransferState::Cancelled, now)
    }

    fn end_transfer(&mut self, out_bill_no: &str, state: TransferState, now: i64) -> Result<&Transfer, Refused> {
        let transfer = self.transfers.get_mut(out_bill_no).ok_or(Refused::Unknown)?;
        if transfer.state != state {
            if transfer.state != TransferState::WaitUserConfirm {
                return Err(Refused::WrongState);
            }
            (transfer.state, transfer.updated_at) = (state, now);
        }
        let row = transfer.clone();
        self.touch(Table::Transfers, out_bill_no, &row);
        self.transfers.get(out_bill_no).ok_or(Refused::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::books::OPENING;
    use serde_json::json;

    #[test]
    fn the_way_of_a_transfer() {
        let mut books = Books::default();
        let request = json!({ "a": 1 });
        assert_eq!(books.transfer("1", OPENING + 1, &request, 1).expect_err("too much"), Refused::NotEnough);
        let number = books.transfer("1", 100, &request, 1).expect("transfer").transfer_bill_no.clone();
        assert_eq!(books.account.available, OPENING - 100);
        assert_eq!(books.transfer("1", 100, &request, 2).expect("the same").transfer_bill_no, number);
        assert_eq!(books.account.available, OPENING - 100);
        assert_eq!(books.transfer("1", 100, &json!({}), 2).expect_err("other"), Refused::NumberUsed);
        books.confirm("1", 3).expect("confirmed");
        assert_eq!(books.cancel("1", 4).expect_err("too late"), Refused::WrongState);
        assert_eq!(books.confirm("1", 4).expect_err("twice"), Refused::WrongState);
        books.transfer("2", 50, &request, 5).expect("transfer");
        books.cancel("2", 6).expect("cancelled");
        books.cancel("2", 7).expect("again");
        assert_eq!(books.confirm("2", 8).expect_err("too late"), Refused::WrongState);
        assert_eq!(books.account.available, OPENING - 100);
        assert_eq!(books.confirm("3", 8).expect_err("none"), Refused::Unknown);
        books.audit().expect("balanced");
    }
}
