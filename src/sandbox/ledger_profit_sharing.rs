//! Profit sharing in the ledger: a part of a paid order goes to receivers, who can return it.

use serde_json::Value;

use super::ledger::{Ledger, LedgerError};
use super::ledger_records::{EntryKind, ProfitSharing, ProfitSharingReturn, Receiver, record_key};
use super::rows::Table;

/// What happens to the frozen rest of an order after a sharing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// It stays frozen for further sharings.
    StaysFrozen,
    /// It becomes available, and the profit sharing of the order ends.
    Unfreezes,
}

/// The highest part of an order that can be shared, unless the service agrees to more.
const MAX_PERCENT: u64 = 30;

/// The key of a receiver of `owner`.
pub(super) fn receiver_key(owner: &str, kind: &str, account: &str) -> String {
    record_key(owner, &format!("{kind}/{account}"))
}

impl Ledger {
    /// Adds a receiver. Added again, it is replaced.
    pub(super) fn add_receiver(&mut self, key: &str, receiver: Receiver) {
        self.changes.write(Table::Receivers, key, &receiver);
        self.receivers.insert(key.to_owned(), receiver);
    }

    /// Removes a receiver, if it exists.
    pub(super) fn remove_receiver(&mut self, key: &str) {
        if self.receivers.remove(key).is_some() {
            self.changes.delete(Table::Receivers, key);
        }
    }

    /// Gives `amount` of a paid order to receivers. Repeated with the same request, it is the same
    /// sharing.
    pub(super) fn share_profit(
        &mut self,
        order_key: &str,
        out_order_no: &str,
        amount: u64,
        rest: Rest,
        request: &Value,
        now: i64,
    ) -> Result<&ProfitSharing, LedgerError> {
        let order = self.orders.get(order_key).ok_or(LedgerError::NotFound)?;
        let key = record_key(&order.terms.owner, out_order_no);
        if let Some(known) = self.sharings.get(&key) {
            if known.request != *request {
                return Err(LedgerError::NumberUsed);
            }
            return self.sharings.get(&key).ok_or(LedgerError::NotFound);
        }
        let transaction_id = order.payment.as_ref().ok_or(LedgerError::NotPaid)?.transaction_id.clone();
        if !order.terms.profit_sharing || order.sharing_finished {
            return Err(LedgerError::NotForSharing);
        }
        if amount > order.frozen {
            return Err(LedgerError::ExceedsRemaining);
        }
        if (order.shared + amount) * 100 > order.terms.total * MAX_PERCENT {
            return Err(LedgerError::AboveRatio);
        }
        let left = order.frozen - amount;
        let sharing = ProfitSharing {
            out_order_no: out_order_no.to_owned(),
            order_id: self.next_number("3008", now),
            order: order_key.to_owned(),
            transaction_id,
            amount,
            created_at: now,
            request: request.clone(),
        };
        self.account.frozen -= amount;
        if rest == Rest::Unfreezes {
            self.account.frozen -= left;
            self.account.available += left;
        }
        if let Some(order) = self.orders.get_mut(order_key) {
            order.shared += amount;
            (order.frozen, order.sharing_finished) = match rest {
                Rest::StaysFrozen => (left, false),
                Rest::Unfreezes => (0, true),
            };
        }
        if amount > 0 {
            self.record_entry(EntryKind::ProfitSharing, &sharing.order_id, out_order_no, amount, now);
        }
        self.persist_order(order_key);
        self.changes.write(Table::ProfitSharings, &key, &sharing);
        Ok(self.sharings.entry(key).or_insert(sharing))
    }

    /// A receiver returns a part of a sharing. Repeated with the same request, it is the same
    /// return.
    pub(super) fn return_profit(
        &mut self,
        sharing_key: &str,
        out_return_no: &str,
        amount: u64,
        request: &Value,
        now: i64,
    ) -> Result<&ProfitSharingReturn, LedgerError> {
        let sharing = self.sharings.get(sharing_key).ok_or(LedgerError::NotFound)?;
        let order = self.orders.get(&sharing.order).ok_or(LedgerError::NotFound)?;
        let key = record_key(&order.terms.owner, out_return_no);
        if let Some(known) = self.sharing_returns.get(&key) {
            if known.request != *request {
                return Err(LedgerError::NumberUsed);
            }
            return self.sharing_returns.get(&key).ok_or(LedgerError::NotFound);
        }
        let earlier = self.sharing_returns.values().filter(|known| known.sharing == sharing_key);
        let returned: u64 = earlier.map(|known| known.amount).sum();
        if amount == 0 || amount > sharing.amount - returned {
            return Err(LedgerError::ExceedsRemaining);
        }
        let order_key = sharing.order.clone();
        let record = ProfitSharingReturn {
            out_return_no: out_return_no.to_owned(),
            return_id: self.next_number("3009", now),
            sharing: sharing_key.to_owned(),
            amount,
            created_at: now,
            request: request.clone(),
        };
        self.account.available += amount;
        if let Some(order) = self.orders.get_mut(&order_key) {
            order.shared -= amount;
        }
        self.record_entry(EntryKind::ProfitSharingReturn, &record.return_id, out_return_no, amount, now);
        self.persist_order(&order_key);
        self.changes.write(Table::ProfitSharingReturns, &key, &record);
        Ok(self.sharing_returns.entry(key).or_insert(record))
    }
}
