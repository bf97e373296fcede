//! The books: everything the sandbox knows about money, and the rules by which it moves. Amounts are in fen.
//!
//! The rules themselves are in `orders.rs`, `transfers.rs` and `sharings.rs`; what they have in common is here. They are pure: the time
//! is an argument, and what they changed is handed to the store by whoever called them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::orders::{Order, Refund};
use super::sharings::{Return, Sharing};
use super::transfers::Transfer;

/// What the merchant has when the sandbox is new.
pub(super) const OPENING: u64 = 100_000_000;

/// Why a change is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Unknown,
    /// The number is taken, and what was asked for under it is something else.
    NumberUsed,
    Paid,
    Closed,
    NotPaid,
    /// More than is left of the order.
    TooMuch,
    /// The total that was named is not the order's.
    WrongTotal,
    /// The merchant has not so much.
    NotEnough,
    /// The order was not placed for profit sharing, or is finished.
    NotShared,
    /// Too late, or not that far.
    WrongState,
}

/// The merchant's money.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) available: u64,
    /// Of orders whose profit is still to be shared.
    pub(super) frozen: u64,
}

/// One movement of money.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Seconds since 1970.
    pub(super) at: i64,
    pub(super) kind: Kind,
    /// The service's number of what moved it.
    pub(super) number: String,
    /// The merchant's number.
    pub(super) out_number: String,
    pub(super) amount: u64,
    /// What the merchant has afterwards.
    pub(super) balance: u64,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(super) enum Kind {
    Payment,
    Refund,
    Transfer,
    TransferBack,
    Share,
    ShareBack,
}

impl Kind {
    pub(super) fn is_income(self) -> bool {
        matches!(self, Kind::Payment | Kind::TransferBack | Kind::ShareBack)
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kind::Payment => "交易",
            Kind::Refund => "退款",
            Kind::Transfer => "商家转账",
            Kind::TransferBack => "商家转账退回",
            Kind::Share => "分账",
            Kind::ShareBack => "分账回退",
        }
    }
}

/// A table of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    Meta,
    Orders,
    Refunds,
    Transfers,
    Sharings,
    Returns,
    Entries,
    Deliveries,
}

/// All tables, with the names they are kept under.
pub(super) const TABLES: [(Table, &str); 8] = [
    (Table::Meta, "meta"),
    (Table::Orders, "orders"),
    (Table::Refunds, "refunds"),
    (Table::Transfers, "transfers"),
    (Table::Sharings, "sharings"),
    (Table::Returns, "returns"),
    (Table::Entries, "entries"),
    (Table::Deliveries, "deliveries"),
];

/// A row that changed: where it is, and what it is now; empty where it is gone.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) table: Table,
    pub(super) key: String,
    pub(super) row: Vec<u8>,
}

/// What is kept in the one row of the table `Meta`.
#[derive(Serialize, Deserialize)]
struct Meta {
    account: Account,
    counter: u64,
}

pub(super) struct Books {
    pub(super) orders: BTreeMap<String, Order>,
    pub(super) refunds: BTreeMap<String, Refund>,
    pub(super) transfers: BTreeMap<String, Transfer>,
    pub(super) sharings: BTreeMap<String, Sharing>,
    pub(super) returns: BTreeMap<String, Return>,
    pub(super) entries: Vec<Entry>,
    pub(super) account: Account,
    /// The orders' keys by the service's number.
    pub(super) by_transaction: BTreeMap<String, String>,
    /// Numbers that the service gave out.
    counter: u64,
    /// What of both is kept already.
    kept: Option<(Account, u64)>,
    changes: Vec<Change>,
}

impl Default for Books {
    fn default() -> Self {
        Books {
            orders: BTreeMap::new(),
            refunds: BTreeMap::new(),
            transfers: BTreeMap::new(),
            sharings: BTreeMap::new(),
            returns: BTreeMap::new(),
            entries: Vec::new(),
            account: Account { available: OPENING, frozen: 0 },
            by_transaction: BTreeMap::new(),
            counter: 0,
            kept: None,
            changes: Vec::new(),
        }
    }
}

impl Books {
    /// A number of the service's, unlike any other.
    pub(super) fn number(&mut self, prefix: &str, now: i64) -> String {
        self.counter += 1;
        format!("{prefix}{now:010}{:010}", self.counter)
    }

    /// Notes a row to be kept.
    pub(super) fn touch(&mut self, table: Table, key: impl Into<String>, row: &impl Serialize) {
        let Ok(row) = serde_json::to_vec(row) else { return };
        let key = key.into();
        // Only the last state of a row counts.
        self.changes.retain(|change| change.table != table || change.key != key);
        self.changes.push(Change { table, key, row });
    }

    pub(super) fn touch_order(&mut self, key: &str) {
        if let Some(order) = self.orders.get(key).cloned() {
            self.touch(Table::Orders, key, &order);
        }
    }

    /// Notes a movement of money that has been made.
    pub(super) fn enter(&mut self, kind: Kind, number: &str, out_number: &str, amount: u64, now: i64) {
        let balance = self.account.available + self.account.frozen;
        let entry =
            Entry { at: now, kind, number: number.to_owned(), out_number: out_number.to_owned(), amount, balance };
        self.touch(Table::Entries, format!("{:012}", self.entries.len()), &entry);
        self.entries.push(entry);
    }

    /// What changed since this was asked the last time.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        let now = (self.account, self.counter);
        if self.kept.is_some_and(|kept| kept != now) || (self.kept.is_none() && now != (Books::default().account, 0)) {
            self.touch(Table::Meta, "meta", &Meta { account: self.account, counter: self.counter });
        }
        self.kept = Some(now);
        std::mem::take(&mut self.changes)
    }

    /// Notes that a row is gone.
    pub(super) fn forget(&mut self, table: Table, key: &str) {
        self.changes.retain(|change| change.table != table || change.key != key);
        self.changes.push(Change { table, key: key.to_owned(), row: Vec::new() });
    }

    /// Puts a kept row back. The error says what is wrong with it.
    pub(super) fn restore(&mut self, table: Table, key: &str, row: &[u8]) -> Result<(), String> {
        fn read<T: serde::de::DeserializeOwned>(row: &[u8]) -> Result<T, String> {
            serde_json::from_slice(row).map_err(|error| error.to_string())
        }
        match table {
            Table::Meta => {
                let meta: Meta = read(row)?;
                (self.account, self.counter) = (meta.account, meta.counter);
                self.kept = Some((self.account, self.counter));
            }
            Table::Orders => {
                let order: Order = read(row)?;
                if !order.transaction_id.is_empty() {
                    self.by_transaction.insert(order.transaction_id.clone(), key.to_owned());
                }
                self.orders.insert(key.to_owned(), order);
            }
            Table::Refunds => drop(self.refunds.insert(key.to_owned(), read(row)?)),
            Table::Transfers => drop(self.transfers.insert(key.to_owned(), read(row)?)),
            Table::Sharings => drop(self.sharings.insert(key.to_owned(), read(row)?)),
            Table::Returns => drop(self.returns.insert(key.to_owned(), read(row)?)),
            Table::Entries => self.entries.push(read(row)?),
            // Those are the outbox's.
            Table::Deliveries => {}
        }
        Ok(())
    }

    /// Whether the books balance. The error says where they do not.
    pub(super) fn audit(&self) -> Result<(), String> {
        let mut balance = OPENING;
        for entry in &self.entries {
            balance = match entry.kind.is_income() {
                true => balance + entry.amount,
                false => balance.checked_sub(entry.amount).ok_or_else(|| format!("{} overdraws", entry.number))?,
            };
            if balance != entry.balance {
                return Err(format!("after {} there is {balance}, and the entry says {}", entry.number, entry.balance));
            }
        }
        let Account { available, frozen } = self.account;
        if available + frozen != balance {
            return Err(format!("{available} available and {frozen} frozen are not {balance}"));
        }
        let held: u64 = self.orders.values().map(|order| order.frozen).sum();
        if held != frozen {
            return Err(format!("orders hold {held} frozen, the account {frozen}"));
        }
        for (key, order) in &self.orders {
            let refunds = self.refunds.values().filter(|refund| refund.order == *key);
            let refunded: u64 = refunds.map(|refund| refund.amount).sum();
            if refunded != order.refunded || order.refunded + order.shared > order.total {
                return Err(format!(
                    "{key}: {refunded} refunded, {} noted, {} shared of {}",
                    order.refunded, order.shared, order.total
                ));
            }
        }
        Ok(())
    }

    /// Everything, for the page.
    pub(super) fn overview(&self, most: usize) -> Value {
        let newest = |values: Vec<Value>| Value::Array(values);
        let mut orders: Vec<&Order> = self.orders.values().collect();
        orders.sort_by_key(|order| std::cmp::Reverse((order.created_at, order.prepay_id.clone())));
        let mut refunds: Vec<&Refund> = self.refunds.values().collect();
        refunds.sort_by_key(|refund| std::cmp::Reverse((refund.at, refund.refund_id.clone())));
        let mut transfers: Vec<&Transfer> = self.transfers.values().collect();
        transfers.sort_by_key(|transfer| std::cmp::Reverse((transfer.at, transfer.transfer_bill_no.clone())));
        serde_json::json!({
            "totals": {
                "orders": self.orders.len(), "asked": self.orders.values().map(|order| order.total).sum::<u64>(),
                "refunds": self.refunds.len(),
            },
            "account": self.account,
            "orders": newest(orders.into_iter().take(most).filter_map(|row| serde_json::to_value(row).ok()).collect()),
            "refunds": newest(refunds.into_iter().take(most).filter_map(|row| serde_json::to_value(row).ok()).collect()),
            "transfers": newest(transfers.into_iter().take(most).filter_map(|row| serde_json::to_value(row).ok()).collect()),
        })
    }
}
