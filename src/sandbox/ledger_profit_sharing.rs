//! Profit sharing in the ledger: a part of a paid order goes to receivers, who can return it.

use serde_json::Value;

use super::ledger::{Ledger, LedgerError};
use super::ledger_records::{
    EntryKind, ProfitSharing, ProfitSharingReturn, Receiver, ReceiverResult, SharingReceiver, TradeState, find_key,
    record_key,
};
use super::rows::Table;

/// What happens to the frozen rest of an order after a sharing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// It stays frozen for further sharings.
    StaysFrozen,
    /// It becomes available, and the profit sharing of the order ends.
    Unfreezes,
}

/// The parameters of a sharing.
pub(super) struct NewSharing<'a> {
    pub(super) out_order_no: &'a str,
    pub(super) receivers: Vec<SharingReceiver>,
    pub(super) rest: Rest,
    pub(super) request: &'a Value,
}

impl SharingReceiver {
    /// A pending receiver.
    pub(super) fn new(kind: &str, account: &str, amount: u64, description: &str) -> Self {
        SharingReceiver {
            kind: kind.to_owned(),
            account: account.to_owned(),
            amount,
            description: description.to_owned(),
            is_merchant: false,
            result: ReceiverResult::Pending,
            fail_reason: None,
            ended_at: None,
        }
    }

    pub(super) fn is_pending(&self) -> bool {
        self.result == ReceiverResult::Pending
    }

    /// Whether the receiver received its amount and is not the merchant itself.
    pub(super) fn has_received(&self) -> bool {
        self.result == ReceiverResult::Success && !self.is_merchant
    }

    /// The merchant itself, which receives the remaining amount of an order.
    fn merchant(owner: &str, amount: u64) -> Self {
        SharingReceiver {
            is_merchant: true, ..SharingReceiver::new("MERCHANT_ID", owner, amount, "解冻给分账方")
        }
    }
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

    /// Starts a profit sharing of a paid order. The amounts stay frozen until
    /// [`end_sharing`](Self::end_sharing). A repeated call with the same request returns the same
    /// sharing.
    pub(super) fn share_profit(
        &mut self,
        order_key: &str,
        new: NewSharing<'_>,
        now: i64,
    ) -> Result<&ProfitSharing, LedgerError> {
        let order = self.orders.get(order_key).ok_or(LedgerError::NotFound)?;
        let key = record_key(&order.terms.owner, new.out_order_no);
        if let Some(known) = self.sharings.get(&key) {
            if known.request != *new.request {
                return Err(LedgerError::NumberUsed);
            }
            return self.sharings.get(&key).ok_or(LedgerError::NotFound);
        }
        let transaction_id = order.payment.as_ref().ok_or(LedgerError::NotPaid)?.transaction_id.clone();
        if order.state == TradeState::Revoked {
            return Err(LedgerError::Revoked);
        }
        if !order.terms.profit_sharing || order.sharing_finished {
            return Err(LedgerError::NotForSharing);
        }
        let mut receivers = new.receivers;
        let amount: u64 = receivers.iter().map(|receiver| receiver.amount).sum();
        if amount > order.frozen {
            return Err(LedgerError::ExceedsRemaining);
        }
        if (order.shared + amount) * 100 > order.terms.total * MAX_PERCENT {
            return Err(LedgerError::AboveRatio);
        }
        let left = order.frozen - amount;
        let mut frozen = left;
        if new.rest == Rest::Unfreezes {
            frozen = 0;
            receivers.extend((left > 0).then(|| SharingReceiver::merchant(&order.terms.owner, left)));
        }
        let sharing = ProfitSharing {
            out_order_no: new.out_order_no.to_owned(),
            order_id: self.next_number("3008", now),
            order: order_key.to_owned(),
            transaction_id,
            receivers,
            created_at: now,
            request: new.request.clone(),
        };
        if let Some(order) = self.orders.get_mut(order_key) {
            order.shared += amount;
            order.in_sharing += order.frozen - frozen;
            order.frozen = frozen;
            order.sharing_finished = new.rest == Rest::Unfreezes;
        }
        self.persist_order(order_key);
        self.changes.write(Table::ProfitSharings, &key, &sharing);
        Ok(self.sharings.entry(key).or_insert(sharing))
    }

    /// Sets the result of the receiver with this account, or of all pending receivers.
    /// `fail_reason` is the reason for the result `CLOSED`. Returns the receivers that received
    /// their amounts, without the merchant itself.
    pub(super) fn end_sharing(
        &mut self,
        key: &str,
        account: Option<&str>,
        (result, fail_reason): (ReceiverResult, Option<&str>),
        now: i64,
    ) -> Result<Vec<SharingReceiver>, LedgerError> {
        let sharing = self.sharings.get_mut(key).ok_or(LedgerError::NotFound)?;
        let is_named = |receiver: &SharingReceiver| account.is_none_or(|account| receiver.account == account);
        if !sharing.receivers.iter().any(is_named) {
            return Err(LedgerError::NotFound);
        }
        let mut ended = Vec::new();
        for receiver in sharing.receivers.iter_mut().filter(|receiver| receiver.is_pending() && is_named(receiver)) {
            if !receiver.is_merchant {
                (receiver.result, receiver.ended_at) = (result, Some(now));
                receiver.fail_reason = fail_reason.map(str::to_owned);
                ended.push(receiver.clone());
            }
        }
        // The merchant receives the remaining amount after the other receivers have their results.
        if !sharing.receivers.iter().any(|receiver| receiver.is_pending() && !receiver.is_merchant) {
            for receiver in sharing.receivers.iter_mut().filter(|receiver| receiver.is_pending()) {
                (receiver.result, receiver.ended_at) = (ReceiverResult::Success, Some(now));
                ended.push(receiver.clone());
            }
        }
        if ended.is_empty() {
            return Err(LedgerError::WrongState);
        }
        let (order_id, order) = (sharing.order_id.clone(), sharing.order.clone());
        self.changes.write(Table::ProfitSharings, key, sharing);
        self.move_shares(&order, &ended);
        ended.retain(SharingReceiver::has_received);
        let given: u64 = ended.iter().map(|receiver| receiver.amount).sum();
        if given > 0 {
            let number = key.split_once('/').map_or(key, |(_, number)| number);
            self.record_entry(EntryKind::ProfitSharing, &order_id, number, given, now);
        }
        Ok(ended)
    }

    /// Moves the amounts of receivers with a result out of the frozen part of the account.
    fn move_shares(&mut self, order_key: &str, ended: &[SharingReceiver]) {
        let Some(order) = self.orders.get_mut(order_key) else { return };
        for receiver in ended {
            order.in_sharing -= receiver.amount;
            self.account.frozen -= receiver.amount;
            if !receiver.has_received() {
                self.account.available += receiver.amount;
            }
            if receiver.result == ReceiverResult::Closed {
                order.shared -= receiver.amount;
            }
        }
        self.persist_order(order_key);
    }

    /// The key of the sharing with this number; see [`find_key`].
    pub(super) fn find_sharing_key(&self, out_order_no: &str, owner: Option<&str>) -> Option<String> {
        find_key(&self.sharings, out_order_no, owner)
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
        if amount == 0 || amount > sharing.received() - returned {
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
