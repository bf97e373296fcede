//! The lists of the page: one table of records with search, filters and paging.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fault;
use super::ledger::Ledger;
use super::query_fields::query_fields;
use super::state::State;
use super::trigger;
use crate::catalog::Notification;

/// The tables of the page.
pub(super) const TABLES: [&str; 6] = ["orders", "refunds", "transfers", "sharings", "notifications", "calls"];

/// The number of rows on a page, unless the query sets another number.
const PAGE_SIZE: usize = 50;
const MAX_PAGE_SIZE: usize = 200;

/// A record that a table shows.
pub(super) trait Listed {
    /// The time of creation, in milliseconds since 1970.
    fn created_at(&self) -> u64;
    /// Sorts records that were created at the same time.
    fn number(&self) -> Cow<'_, str>;
    fn state(&self) -> &str;
    /// The value that the second filter compares, such as the trade type of an order.
    fn kind(&self) -> &str;
    /// Whether the record contains a text, which is in lower case.
    fn contains(&self, text: &str) -> bool;
    fn row(&self) -> Value;
}

/// Whether one of these texts contains `text`, which is in lower case. Upper and lower case are not
/// distinguished.
pub(super) fn any_contains<'a>(texts: impl IntoIterator<Item = &'a str>, text: &str) -> bool {
    texts.into_iter().any(|candidate| candidate.to_lowercase().contains(text))
}

/// The search, the filters and the page that a query selects.
#[derive(Default)]
struct Selection {
    /// In lower case.
    search: String,
    state: String,
    kind: String,
    /// Milliseconds since 1970.
    from: u64,
    until: Option<u64>,
    /// The number of the page, from 1.
    page: usize,
    size: usize,
}

impl Selection {
    fn new(query: &str) -> Self {
        let fields = query_fields(query);
        let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = |name: &str| text(name).parse::<usize>().ok();
        Selection {
            search: text("search").trim().to_lowercase(),
            state: text("state").to_owned(),
            kind: text("kind").to_owned(),
            from: text("from").parse().unwrap_or_default(),
            until: text("until").parse().ok(),
            page: number("page").unwrap_or(1).max(1),
            size: number("size").unwrap_or(PAGE_SIZE).clamp(1, MAX_PAGE_SIZE),
        }
    }

    fn selects(&self, record: &impl Listed) -> bool {
        (self.state.is_empty() || record.state() == self.state)
            && (self.kind.is_empty() || record.kind() == self.kind)
            && record.created_at() >= self.from
            && self.until.is_none_or(|until| record.created_at() <= until)
            && (self.search.is_empty() || record.contains(&self.search))
    }

    /// The selected page of a table, newest first.
    fn page<'a, T: Listed + 'a>(&self, records: impl Iterator<Item = &'a T>) -> Value {
        let (mut states, mut kinds) = (BTreeMap::<&str, u64>::new(), BTreeMap::<&str, u64>::new());
        let mut selected = Vec::new();
        for record in records {
            *states.entry(record.state()).or_default() += 1;
            *kinds.entry(record.kind()).or_default() += 1;
            if self.selects(record) {
                selected.push(record);
            }
        }
        sort(&mut selected);
        let pages = selected.len().div_ceil(self.size).max(1);
        let page = self.page.min(pages);
        let rows = selected.iter().skip((page - 1) * self.size).take(self.size);
        states.remove("");
        kinds.remove("");
        json!({
            "rows": rows.map(|record| record.row()).collect::<Value>(),
            "selected": selected.len(), "page": page, "pages": pages,
            "states": Vec::from_iter(states), "kinds": Vec::from_iter(kinds),
        })
    }
}

/// Sorts records, newest first.
pub(super) fn sort<T: Listed>(records: &mut [&T]) {
    records.sort_by_cached_key(|record| Reverse((record.created_at(), record.number().into_owned())));
}

/// A page of a table, or the data of the view `controls`; `None` if the table does not exist.
pub(super) fn list(state: &State, table: &str, query: &str) -> Option<Value> {
    let selection = Selection::new(query);
    let Ledger { orders, refunds, transfers, sharings, .. } = &state.ledger;
    let mut list = match table {
        "orders" => selection.page(orders.values()),
        "refunds" => selection.page(refunds.values()),
        "transfers" => selection.page(transfers.values()),
        "sharings" => selection.page(sharings.values()),
        "notifications" => selection.page(state.outbox.deliveries().iter()),
        "calls" => selection.page(state.requests.calls()),
        "controls" => controls(state),
        _ => return None,
    };
    for (name, value) in summary(state) {
        list[name] = value;
    }
    Some(list)
}

/// The fields that every view shows: the account, and the number of records in each table.
pub(super) fn summary(state: &State) -> [(&'static str, Value); 2] {
    let ledger = &state.ledger;
    let counts = [
        ledger.orders.len(),
        ledger.refunds.len(),
        ledger.transfers.len(),
        ledger.sharings.len(),
        state.outbox.deliveries().len(),
        state.requests.calls().len(),
    ];
    let mut totals: BTreeMap<&str, usize> = TABLES.into_iter().zip(counts).collect();
    totals.insert("controls", state.response_faults.len() + state.notification_faults.len());
    [("account", json!(ledger.account)), ("totals", json!(totals))]
}

/// The data of the view `controls`: the pending faults, the stubs, the names of faults and events,
/// the holds, and the rate limit.
fn controls(state: &State) -> Value {
    let row = |name, notification: &Notification| json!({ "event": name, "title": notification.title() });
    let events =
        state.catalog.notifications().flat_map(|one| trigger::names(one).into_iter().map(move |name| row(name, one)));
    let events: Vec<Value> = events.collect();
    json!({
        "faults": {
            "answer": state.response_faults.iter().map(|fault| format!("{fault:?}")).collect::<Vec<_>>(),
            "notification": state.notification_faults.iter().map(|fault| format!("{fault:?}")).collect::<Vec<_>>(),
        },
        "fault_names": fault::NAMES.split(", ").collect::<Vec<_>>(),
        "stubs": state.stubs.iter().map(super::stub::Stub::row).collect::<Vec<_>>(),
        "events": events, "hold": state.hold, "limit": state.rate_limit,
    })
}
