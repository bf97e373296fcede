//! The ledger: the merchant's account and everything that moves its money. It is pure: the time is
//! an argument, and changed rows are collected for the store.
//!
//! The rules are in `ledger_orders.rs`, `ledger_refunds.rs`, `ledger_transfers.rs` and
//! `ledger_profit_sharing.rs`. Each change is either made as a whole or refused with a
//! [`LedgerError`] that leaves the ledger as it was.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ledger_records::{
    Account, Entry, EntryKind, Order, ProfitSharing, ProfitSharingReturn, Receiver, Refund, RefundStatus, Transfer,
};
use super::rows::{Change, ChangeLog, Table};

/// The merchant's balance in a new sandbox, in fen.
pub(super) const OPENING_BALANCE: u64 = 100_000_000;

/// Why a change is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LedgerError {
    NotFound,
    /// The number is in use with other parameters.
    NumberUsed,
    /// The merchant's number and the transaction ID name two orders.
    NumbersDiffer,
    AlreadyPaid,
    Closed,
    /// The time until which the order can be paid is over.
    Expired,
    NotPaid,
    /// The amount is more than what is left of the order.
    ExceedsRemaining,
    /// The total in the request is not the total of the order.
    TotalMismatch,
    InsufficientFunds,
    /// The payment of the order failed.
    PaymentFailed,
    /// The buyer is still paying the order.
    Paying,
    /// The order was reversed.
    Revoked,
    /// The service does not document this state for orders of this kind.
    NotDocumented,
    /// The order was not placed for profit sharing, or its profit sharing has ended.
    NotForSharing,
    /// A receiver of profit sharing was not added.
    NoRelation,
    /// The shared part of an order would exceed the highest ratio.
    AboveRatio,
    WrongState,
}

/// The row of the table `Meta`.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Meta {
    account: Account,
    counter: u64,
}

const META_KEY: &str = "meta";
const NEW: Meta = Meta { account: Account { available: OPENING_BALANCE, frozen: 0 }, counter: 0 };

pub(super) struct Ledger {
    pub(super) orders: BTreeMap<String, Order>,
    pub(super) refunds: BTreeMap<String, Refund>,
    pub(super) transfers: BTreeMap<String, Transfer>,
    pub(super) sharings: BTreeMap<String, ProfitSharing>,
    pub(super) sharing_returns: BTreeMap<String, ProfitSharingReturn>,
    /// The receivers of profit sharing that were added.
    pub(super) receivers: BTreeMap<String, Receiver>,
    pub(super) entries: Vec<Entry>,
    pub(super) account: Account,
    /// The keys of paid orders by transaction ID.
    pub(super) by_transaction: BTreeMap<String, String>,
    /// How many numbers the service has issued.
    counter: u64,
    /// The persisted account and counter.
    persisted: Meta,
    pub(super) changes: ChangeLog,
}

impl Default for Ledger {
    fn default() -> Self {
        Ledger {
            orders: BTreeMap::new(),
            refunds: BTreeMap::new(),
            transfers: BTreeMap::new(),
            sharings: BTreeMap::new(),
            sharing_returns: BTreeMap::new(),
            receivers: BTreeMap::new(),
            entries: Vec::new(),
            account: NEW.account,
            by_transaction: BTreeMap::new(),
            counter: NEW.counter,
            persisted: NEW,
            changes: ChangeLog::default(),
        }
    }
}

impl Ledger {
    /// Issues a new number of the service.
    pub(super) fn next_number(&mut self, prefix: &str, now: i64) -> String {
        self.counter += 1;
        format!("{prefix}{now:010}{:010}", self.counter)
    }

    pub(super) fn persist_order(&mut self, key: &str) {
        if let Some(order) = self.orders.get(key) {
            self.changes.write(Table::Orders, key, order);
        }
    }

    /// Records a movement of money that the account already reflects.
    pub(super) fn record_entry(&mut self, kind: EntryKind, number: &str, out_number: &str, amount: u64, now: i64) {
        let balance = self.account.available + self.account.frozen;
        let entry =
            Entry { at: now, kind, number: number.to_owned(), out_number: out_number.to_owned(), amount, balance };
        // Zero-padded, so that the store returns the entries in their order.
        self.changes.write(Table::Entries, &format!("{:012}", self.entries.len()), &entry);
        self.entries.push(entry);
    }

    /// Takes the rows that changed since the last call.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        let meta = Meta { account: self.account, counter: self.counter };
        if meta != self.persisted {
            self.changes.write(Table::Meta, META_KEY, &meta);
            self.persisted = meta;
        }
        self.changes.take()
    }

    /// Restores a persisted row.
    ///
    /// # Errors
    /// The reason why the row cannot be read.
    pub(super) fn restore(&mut self, table: Table, key: &str, row: &[u8]) -> Result<(), String> {
        fn read<T: serde::de::DeserializeOwned>(row: &[u8]) -> Result<T, String> {
            serde_json::from_slice(row).map_err(|error| error.to_string())
        }
        let key = key.to_owned();
        match table {
            Table::Meta => {
                self.persisted = read(row)?;
                (self.account, self.counter) = (self.persisted.account, self.persisted.counter);
            }
            Table::Orders => {
                let order: Order = read(row)?;
                if let Some(payment) = &order.payment {
                    self.by_transaction.insert(payment.transaction_id.clone(), key.clone());
                }
                self.orders.insert(key, order);
            }
            Table::Refunds => drop(self.refunds.insert(key, read(row)?)),
            Table::Transfers => drop(self.transfers.insert(key, read(row)?)),
            Table::ProfitSharings => drop(self.sharings.insert(key, read(row)?)),
            Table::ProfitSharingReturns => drop(self.sharing_returns.insert(key, read(row)?)),
            Table::Receivers => drop(self.receivers.insert(key, read(row)?)),
            Table::Entries => self.entries.push(read(row)?),
            // They are restored elsewhere.
            Table::Deliveries | Table::Objects => {}
        }
        Ok(())
    }

    /// Checks that entries, account, orders and refunds add up.
    ///
    /// # Errors
    /// The first contradiction that was found.
    pub(super) fn audit(&self) -> Result<(), String> {
        let mut balance = OPENING_BALANCE;
        for entry in &self.entries {
            balance = match entry.kind.is_income() {
                true => balance + entry.amount,
                false => balance
                    .checked_sub(entry.amount)
                    .ok_or_else(|| format!("{} overdraws the account", entry.number))?,
            };
            if balance != entry.balance {
                return Err(format!(
                    "the balance after {} is {balance}, but its entry records {}",
                    entry.number, entry.balance
                ));
            }
        }
        let Account { available, frozen } = self.account;
        if available + frozen != balance {
            return Err(format!("{available} available and {frozen} frozen do not add up to {balance}"));
        }
        let in_orders: u64 = self.orders.values().map(|order| order.frozen + order.in_sharing).sum();
        let in_refunds: u64 =
            self.refunds.values().filter(|refund| refund.is_under_way()).map(|refund| refund.amount).sum();
        if in_orders + in_refunds != frozen {
            return Err(format!(
                "the orders have {in_orders} frozen and the refunds {in_refunds}, but the account {frozen}"
            ));
        }
        for (key, order) in &self.orders {
            let refunds = self.refunds.values();
            let refunds = refunds.filter(|refund| refund.order == *key && refund.status != RefundStatus::Closed);
            let refunded: u64 = refunds.map(|refund| refund.amount).sum();
            if refunded != order.refunded || order.refunded + order.shared > order.terms.total {
                return Err(format!(
                    "the refunds of {key} amount to {refunded}, but the order records {} refunded and {} shared of {}",
                    order.refunded, order.shared, order.terms.total
                ));
            }
        }
        Ok(())
    }
}
