//! Transfers to a user in the ledger. The user confirms a transfer; until then it can fail, and the
//! merchant can cancel it.

use serde_json::Value;

use super::ledger::{Ledger, LedgerError};
use super::ledger_records::{EntryKind, Transfer, TransferState};
use super::rows::Table;

impl Ledger {
    /// Begins a transfer and takes its money from the account. Repeated with the same request, it
    /// is the same transfer.
    pub(super) fn transfer(
        &mut self,
        out_bill_no: &str,
        amount: u64,
        request: &Value,
        now: i64,
    ) -> Result<&Transfer, LedgerError> {
        if let Some(known) = self.transfers.get(out_bill_no) {
            if known.request != *request {
                return Err(LedgerError::NumberUsed);
            }
            return self.transfers.get(out_bill_no).ok_or(LedgerError::NotFound);
        }
        if amount > self.account.available {
            return Err(LedgerError::InsufficientFunds);
        }
        let transfer = Transfer {
            out_bill_no: out_bill_no.to_owned(),
            transfer_bill_no: self.next_number("1330", now),
            amount,
            state: TransferState::WaitUserConfirm,
            created_at: now,
            updated_at: now,
            fail_reason: None,
            notify_url: request["notify_url"].as_str().map(str::to_owned),
            request: request.clone(),
        };
        self.account.available -= amount;
        self.record_entry(EntryKind::Transfer, &transfer.transfer_bill_no, out_bill_no, amount, now);
        self.changes.write(Table::Transfers, out_bill_no, &transfer);
        Ok(self.transfers.entry(out_bill_no.to_owned()).or_insert(transfer))
    }

    /// The user confirms the transfer.
    pub(super) fn confirm_transfer(&mut self, out_bill_no: &str, now: i64) -> Result<&Transfer, LedgerError> {
        match self.transfers.get(out_bill_no).ok_or(LedgerError::NotFound)?.state {
            TransferState::WaitUserConfirm => self.end_transfer(out_bill_no, TransferState::Success, now),
            TransferState::Success | TransferState::Fail | TransferState::Cancelled => Err(LedgerError::WrongState),
        }
    }

    /// The merchant cancels the transfer before the user confirmed it. Cancelling it again changes
    /// nothing.
    pub(super) fn cancel_transfer(&mut self, out_bill_no: &str, now: i64) -> Result<&Transfer, LedgerError> {
        let transfer = self.transfers.get(out_bill_no).ok_or(LedgerError::NotFound)?;
        match transfer.state {
            TransferState::WaitUserConfirm => {
                self.return_transfer(out_bill_no, now);
                self.end_transfer(out_bill_no, TransferState::Cancelled, now)
            }
            TransferState::Cancelled => self.transfers.get(out_bill_no).ok_or(LedgerError::NotFound),
            TransferState::Success | TransferState::Fail => Err(LedgerError::WrongState),
        }
    }

    /// Makes the transfer fail before the user receives the amount.
    pub(super) fn fail_transfer(
        &mut self,
        out_bill_no: &str,
        reason: &str,
        now: i64,
    ) -> Result<&Transfer, LedgerError> {
        let transfer = self.transfers.get_mut(out_bill_no).ok_or(LedgerError::NotFound)?;
        if transfer.state != TransferState::WaitUserConfirm {
            return Err(LedgerError::WrongState);
        }
        transfer.fail_reason = Some(reason.to_owned());
        self.return_transfer(out_bill_no, now);
        self.end_transfer(out_bill_no, TransferState::Fail, now)
    }

    /// Returns the amount of a transfer to the merchant.
    fn return_transfer(&mut self, out_bill_no: &str, now: i64) {
        let Some(transfer) = self.transfers.get(out_bill_no) else { return };
        let (amount, number) = (transfer.amount, transfer.transfer_bill_no.clone());
        self.account.available += amount;
        self.record_entry(EntryKind::TransferReturn, &number, out_bill_no, amount, now);
    }

    fn end_transfer(&mut self, out_bill_no: &str, state: TransferState, now: i64) -> Result<&Transfer, LedgerError> {
        let transfer = self.transfers.get_mut(out_bill_no).ok_or(LedgerError::NotFound)?;
        (transfer.state, transfer.updated_at) = (state, now);
        self.changes.write(Table::Transfers, out_bill_no, transfer);
        Ok(transfer)
    }
}
