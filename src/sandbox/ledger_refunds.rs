//! Refunds in the ledger.

use super::ledger::{Ledger, LedgerError};
use super::ledger_records::{EntryKind, Refund, RefundStatus, TradeState, find_key, record_key};
use super::rows::Table;

/// The parameters of a refund.
pub(super) struct NewRefund<'a> {
    pub(super) out_refund_no: &'a str,
    pub(super) amount: u64,
    /// The total of the order, for comparison.
    pub(super) total: u64,
    pub(super) notify_url: Option<&'a str>,
    pub(super) reason: Option<&'a str>,
}

/// A refund, and whether this request made it.
pub(super) enum Refunded {
    New(Refund),
    /// The request repeats an earlier one.
    Known(Refund),
}

impl Refunded {
    pub(super) fn refund(&self) -> &Refund {
        match self {
            Refunded::New(refund) | Refunded::Known(refund) => refund,
        }
    }
}

impl Ledger {
    /// Refunds a part of an order, or all of it. A repeated call with the same number, amount and
    /// reason returns the same refund. The amount is frozen until [`end_refund`](Self::end_refund).
    pub(super) fn refund(&mut self, order_key: &str, new: &NewRefund<'_>, now: i64) -> Result<Refunded, LedgerError> {
        let order = self.orders.get(order_key).ok_or(LedgerError::NotFound)?;
        let payment = match &order.payment {
            Some(payment) if matches!(order.state, TradeState::Success | TradeState::Refund) => payment,
            _ => return Err(LedgerError::NotPaid),
        };
        if order.terms.total != new.total {
            return Err(LedgerError::TotalMismatch);
        }
        let key = record_key(&order.terms.owner, new.out_refund_no);
        if let Some(known) = self.refunds.get(&key) {
            if known.order != order_key || known.amount != new.amount || known.reason.as_deref() != new.reason {
                return Err(LedgerError::NumberUsed);
            }
            return Ok(Refunded::Known(known.clone()));
        }
        if new.amount == 0 || new.amount > order.remaining() {
            return Err(LedgerError::ExceedsRemaining);
        }
        // The order's frozen money is used first.
        let from_frozen = new.amount.min(order.frozen);
        let from_available = new.amount - from_frozen;
        if from_available > self.account.available {
            return Err(LedgerError::InsufficientFunds);
        }
        let (out_trade_no, transaction_id) = (order.terms.out_trade_no.clone(), payment.transaction_id.clone());
        let refund = Refund {
            order: order_key.to_owned(),
            out_trade_no,
            transaction_id,
            out_refund_no: new.out_refund_no.to_owned(),
            refund_id: self.next_number("5030", now),
            amount: new.amount,
            total: new.total,
            created_at: now,
            notify_url: new.notify_url.map(str::to_owned),
            reason: new.reason.map(str::to_owned),
            status: RefundStatus::Processing,
            succeeded_at: None,
            from_frozen,
            other_account: None,
        };
        self.account.frozen += from_available;
        self.account.available -= from_available;
        if let Some(order) = self.orders.get_mut(order_key) {
            order.frozen -= from_frozen;
            order.refunded += new.amount;
            order.state = TradeState::Refund;
        }
        self.persist_order(order_key);
        self.changes.write(Table::Refunds, &key, &refund);
        self.refunds.insert(key, refund.clone());
        Ok(Refunded::New(refund))
    }

    /// Sets the next state of a refund in progress. A successful or closed refund has ended.
    pub(super) fn end_refund(&mut self, key: &str, status: RefundStatus, now: i64) -> Result<&Refund, LedgerError> {
        let refund = self.refunds.get_mut(key).ok_or(LedgerError::NotFound)?;
        match (refund.status, status) {
            (RefundStatus::Processing, RefundStatus::Success | RefundStatus::Closed | RefundStatus::Abnormal)
            | (RefundStatus::Abnormal, RefundStatus::Success) => {}
            _ => return Err(LedgerError::WrongState),
        }
        refund.status = status;
        let refund = refund.clone();
        match status {
            RefundStatus::Success => self.complete_refund(key, &refund, now),
            RefundStatus::Closed => self.close_refund(&refund),
            RefundStatus::Processing | RefundStatus::Abnormal => {}
        }
        let refund = self.refunds.get(key).ok_or(LedgerError::NotFound)?;
        self.changes.write(Table::Refunds, key, refund);
        Ok(refund)
    }

    /// Moves the amount to the buyer.
    fn complete_refund(&mut self, key: &str, refund: &Refund, now: i64) {
        self.account.frozen -= refund.amount;
        self.record_entry(EntryKind::Refund, &refund.refund_id, &refund.out_refund_no, refund.amount, now);
        if let Some(refund) = self.refunds.get_mut(key) {
            refund.succeeded_at = Some(now);
        }
    }

    /// Returns the amount to the merchant. The part that was frozen for profit sharing is frozen
    /// again, unless the profit sharing of the order has ended.
    fn close_refund(&mut self, refund: &Refund) {
        let Some(order) = self.orders.get_mut(&refund.order) else { return };
        order.refunded -= refund.amount;
        let stays_frozen = if order.sharing_finished { 0 } else { refund.from_frozen };
        order.frozen += stays_frozen;
        self.account.frozen -= refund.amount - stays_frozen;
        self.account.available += refund.amount - stays_frozen;
        self.persist_order(&refund.order);
    }

    /// Sets another account, which the merchant names, for an abnormal refund. The refund is then
    /// processed again.
    pub(super) fn redirect_refund(&mut self, key: &str, account: String) -> Result<&Refund, LedgerError> {
        let refund = self.refunds.get_mut(key).ok_or(LedgerError::NotFound)?;
        if refund.status != RefundStatus::Abnormal {
            return Err(LedgerError::WrongState);
        }
        (refund.status, refund.other_account) = (RefundStatus::Processing, Some(account));
        self.changes.write(Table::Refunds, key, refund);
        Ok(refund)
    }

    /// The key of the refund with this number. The number is the merchant's, see [`find_key`], or
    /// the service's.
    pub(super) fn find_refund_key(&self, number: &str, owner: Option<&str>) -> Option<String> {
        find_key(&self.refunds, number, owner).or_else(|| {
            let mut refunds = self.refunds.iter();
            refunds.find(|(_, refund)| refund.refund_id == number).map(|(key, _)| key.clone())
        })
    }
}
