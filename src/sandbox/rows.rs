//! Rows to persist: the tables of the store, and a log of the rows that changed since the last
//! write.

use serde::Serialize;

/// A table of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Meta,
    Orders,
    Refunds,
    Transfers,
    ProfitSharings,
    ProfitSharingReturns,
    Receivers,
    Entries,
    Deliveries,
    Objects,
}

impl Table {
    pub(super) const ALL: [Table; 10] = [
        Table::Meta,
        Table::Orders,
        Table::Refunds,
        Table::Transfers,
        Table::ProfitSharings,
        Table::ProfitSharingReturns,
        Table::Receivers,
        Table::Entries,
        Table::Deliveries,
        Table::Objects,
    ];

    /// The name of the table in the store.
    pub(super) fn name(self) -> &'static str {
        match self {
            Table::Meta => "meta",
            Table::Orders => "orders",
            Table::Refunds => "refunds",
            Table::Transfers => "transfers",
            Table::ProfitSharings => "profit_sharings",
            Table::ProfitSharingReturns => "profit_sharing_returns",
            Table::Receivers => "receivers",
            Table::Entries => "entries",
            Table::Deliveries => "deliveries",
            Table::Objects => "objects",
        }
    }
}

/// What happens to a row.
#[derive(Debug)]
pub(super) enum RowChange {
    /// The row is this JSON from now on.
    Write(Vec<u8>),
    Delete,
}

/// A changed row.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) table: Table,
    pub(super) key: String,
    pub(super) row: RowChange,
}

/// The rows that changed since the last [`take`](Self::take), each once, in its last state.
#[derive(Default)]
pub(super) struct ChangeLog(Vec<Change>);

impl ChangeLog {
    pub(super) fn write(&mut self, table: Table, key: &str, record: &impl Serialize) {
        // The records have string keys and no custom serializers, so this does not fail.
        if let Ok(json) = serde_json::to_vec(record) {
            self.push(table, key, RowChange::Write(json));
        }
    }

    pub(super) fn delete(&mut self, table: Table, key: &str) {
        self.push(table, key, RowChange::Delete);
    }

    fn push(&mut self, table: Table, key: &str, row: RowChange) {
        self.0.retain(|change| change.table != table || change.key != key);
        self.0.push(Change { table, key: key.to_owned(), row });
    }

    pub(super) fn take(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.0)
    }
}
