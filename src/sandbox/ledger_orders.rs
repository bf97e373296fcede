//! Orders in the ledger: placing, finding, paying and closing.

use super::ledger::{Ledger, LedgerError};
use super::ledger_records::{EntryKind, Order, OrderApi, OrderTerms, Payment, TradeState, find_key, record_key};

impl Ledger {
    /// Places an order. Placed again on the same terms, it is the same order.
    pub(super) fn place(&mut self, terms: OrderTerms, now: i64) -> Result<&Order, LedgerError> {
        self.check_place(&terms)?;
        let key = record_key(&terms.owner, &terms.out_trade_no);
        if !self.orders.contains_key(&key) {
            let order = Order {
                prepay_id: self.next_number("wx", now),
                state: terms.trade_type.first_state(),
                terms,
                payment: None,
                created_at: now,
                refunded: 0,
                shared: 0,
                frozen: 0,
                in_sharing: 0,
                sharing_finished: false,
                revoked_at: None,
            };
            self.orders.insert(key.clone(), order);
            self.persist_order(&key);
        }
        self.orders.get(&key).ok_or(LedgerError::NotFound)
    }

    /// Whether [`place`](Self::place) would accept these terms.
    pub(super) fn check_place(&self, terms: &OrderTerms) -> Result<(), LedgerError> {
        match self.orders.get(&record_key(&terms.owner, &terms.out_trade_no)) {
            None => Ok(()),
            Some(known) => {
                known.check_unpaid()?;
                if known.terms == *terms { Ok(()) } else { Err(LedgerError::NumberUsed) }
            }
        }
    }

    /// An order of `owner` by the merchant's number, or by the transaction ID when that number is
    /// empty. If both are given, they must name the same order.
    pub(super) fn order(&self, owner: &str, out_trade_no: &str, transaction_id: &str) -> Result<&Order, LedgerError> {
        let order = if out_trade_no.is_empty() {
            self.order_by_transaction(transaction_id)
        } else {
            self.orders.get(&record_key(owner, out_trade_no))
        };
        let order = order.filter(|order| order.terms.owner == owner).ok_or(LedgerError::NotFound)?;
        let is_its_own = |payment: &Payment| payment.transaction_id == transaction_id;
        if !transaction_id.is_empty() && !order.payment.as_ref().is_some_and(is_its_own) {
            return Err(LedgerError::NumbersDiffer);
        }
        Ok(order)
    }

    pub(super) fn order_by_transaction(&self, transaction_id: &str) -> Option<&Order> {
        self.orders.get(self.by_transaction.get(transaction_id)?)
    }

    /// The key of the order with this number; see [`find_key`].
    pub(super) fn find_order_key(&self, out_trade_no: &str, owner: Option<&str>) -> Option<String> {
        find_key(&self.orders, out_trade_no, owner)
    }

    /// The keys of the orders that a buyer pays together: those of a combined order, or a single
    /// order. `number` is the number of the combined order, of one of its orders, or of a single
    /// order.
    pub(super) fn find_payable_keys(&self, number: &str, owner: Option<&str>) -> Vec<String> {
        let found = self.find_order_key(number, owner);
        let order = found.as_ref().and_then(|key| self.orders.get(key));
        match order {
            Some(Order { terms: OrderTerms { combine_out_trade_no: None, .. }, .. }) => found.into_iter().collect(),
            Some(Order { terms: OrderTerms { combine_out_trade_no: Some(combined), .. }, .. }) => {
                self.combined_order_keys(combined)
            }
            None => self.combined_order_keys(number),
        }
    }

    /// The keys of the orders of a combined order.
    pub(super) fn combined_order_keys(&self, combine_out_trade_no: &str) -> Vec<String> {
        self.combined_orders(combine_out_trade_no).map(Order::key).collect()
    }

    /// The orders of a combined order.
    pub(super) fn combined_orders<'a>(&'a self, combine_out_trade_no: &'a str) -> impl Iterator<Item = &'a Order> {
        self.orders
            .values()
            .filter(move |order| order.terms.combine_out_trade_no.as_deref() == Some(combine_out_trade_no))
    }

    /// Whether [`pay`](Self::pay) would accept the payment.
    pub(super) fn check_pay(&self, key: &str, now: i64) -> Result<(), LedgerError> {
        let order = self.orders.get(key).ok_or(LedgerError::NotFound)?;
        order.check_unpaid()?;
        if order.has_expired(now) { Err(LedgerError::Expired) } else { Ok(()) }
    }

    /// The buyer pays the order. Returns the transaction ID.
    pub(super) fn pay(&mut self, key: &str, now: i64) -> Result<String, LedgerError> {
        self.check_pay(key, now)?;
        let transaction_id = self.next_number("42000011", now);
        let order = self.orders.get_mut(key).ok_or(LedgerError::NotFound)?;
        order.state = TradeState::Success;
        order.payment = Some(Payment { transaction_id: transaction_id.clone(), paid_at: now });
        let (number, total) = (order.terms.out_trade_no.clone(), order.terms.total);
        if order.terms.profit_sharing {
            order.frozen = total;
            self.account.frozen += total;
        } else {
            self.account.available += total;
        }
        self.by_transaction.insert(transaction_id.clone(), key.to_owned());
        self.record_entry(EntryKind::Payment, &transaction_id, &number, total, now);
        self.persist_order(key);
        Ok(transaction_id)
    }

    /// Whether [`close`](Self::close) would accept the order.
    pub(super) fn check_close(&self, key: &str) -> Result<(), LedgerError> {
        match self.orders.get(key).ok_or(LedgerError::NotFound)?.state {
            TradeState::Success | TradeState::Refund => Err(LedgerError::AlreadyPaid),
            TradeState::Revoked => Err(LedgerError::Revoked),
            TradeState::UserPaying | TradeState::Accept => Err(LedgerError::Paying),
            TradeState::NotPay | TradeState::PayError | TradeState::Closed => Ok(()),
        }
    }

    /// Closes an order that is not paid, so that it cannot be paid any more. Closing it again
    /// changes nothing.
    pub(super) fn close(&mut self, key: &str) -> Result<(), LedgerError> {
        self.check_close(key)?;
        let order = self.orders.get_mut(key).ok_or(LedgerError::NotFound)?;
        order.state = TradeState::Closed;
        self.persist_order(key);
        Ok(())
    }

    /// Checks whether [`expire`](Self::expire) would accept the order.
    pub(super) fn check_expire(&self, key: &str, now: i64) -> Result<(), LedgerError> {
        let order = self.orders.get(key).ok_or(LedgerError::NotFound)?;
        order.check_unpaid()?;
        if order.has_expired(now) { Ok(()) } else { self.check_close(key) }
    }

    /// Closes an order that was not paid in time, as the service does.
    pub(super) fn expire(&mut self, key: &str, now: i64) -> Result<(), LedgerError> {
        self.check_expire(key, now)?;
        let order = self.orders.get_mut(key).ok_or(LedgerError::NotFound)?;
        order.state = TradeState::Closed;
        self.persist_order(key);
        Ok(())
    }

    /// Makes the payment of the order fail. The service documents this state for orders of APIv2,
    /// payments with a code, and deductions.
    pub(super) fn fail_payment(&mut self, key: &str) -> Result<(), LedgerError> {
        let order = self.orders.get_mut(key).ok_or(LedgerError::NotFound)?;
        order.check_unpaid()?;
        if order.terms.api != OrderApi::V2 && order.terms.trade_type.first_state() == TradeState::NotPay {
            return Err(LedgerError::NotDocumented);
        }
        order.state = TradeState::PayError;
        self.persist_order(key);
        Ok(())
    }

    /// Reverses an order that is paid with a code. If it was paid, the amount is returned to the
    /// buyer. The order can no longer be paid. Reversing it again changes nothing.
    pub(super) fn reverse(&mut self, key: &str, now: i64) -> Result<(), LedgerError> {
        let order = self.orders.get_mut(key).ok_or(LedgerError::NotFound)?;
        if !order.terms.trade_type.has_code() {
            return Err(LedgerError::NotDocumented);
        }
        match order.state {
            TradeState::Revoked => return Ok(()),
            TradeState::UserPaying => return Err(LedgerError::Paying),
            TradeState::Refund => return Err(LedgerError::WrongState),
            TradeState::Success if order.shared > 0 || order.in_sharing > 0 => return Err(LedgerError::WrongState),
            TradeState::Success => {}
            TradeState::NotPay | TradeState::Accept | TradeState::PayError | TradeState::Closed => {
                order.state = TradeState::Revoked;
                self.persist_order(key);
                return Ok(());
            }
        }
        let payment = order.payment.as_ref().ok_or(LedgerError::NotPaid)?;
        let from_available = order.terms.total - order.frozen;
        if from_available > self.account.available {
            return Err(LedgerError::InsufficientFunds);
        }
        let (id, number, total) = (payment.transaction_id.clone(), order.terms.out_trade_no.clone(), order.terms.total);
        self.account.frozen -= order.frozen;
        self.account.available -= from_available;
        (order.frozen, order.state, order.revoked_at) = (0, TradeState::Revoked, Some(now));
        self.record_entry(EntryKind::Refund, &id, &number, total, now);
        self.persist_order(key);
        Ok(())
    }
}

impl Order {
    fn has_expired(&self, now: i64) -> bool {
        self.expires_at().is_some_and(|time| time <= now)
    }

    /// Checks that the order is waiting for its payment.
    fn check_unpaid(&self) -> Result<(), LedgerError> {
        match self.state {
            TradeState::NotPay | TradeState::UserPaying | TradeState::Accept => Ok(()),
            TradeState::Success | TradeState::Refund => Err(LedgerError::AlreadyPaid),
            TradeState::PayError => Err(LedgerError::PaymentFailed),
            TradeState::Closed => Err(LedgerError::Closed),
            TradeState::Revoked => Err(LedgerError::Revoked),
        }
    }
}
