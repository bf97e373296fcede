//! The objects that documented calls created, apart from those of the ledger. An object is found by
//! each of its numbers.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::rows::{Change, ChangeLog, Table};

/// How many objects are kept.
const MAX_OBJECTS: usize = 20_000;

/// A number within a product: the product, the name of the field, and its value.
type Number = (String, String, String);

/// An object that a call created.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Object {
    /// The paths that numbers are unique in, such as `v3/marketing/favor`.
    pub(super) product: String,
    /// The path of the call that created it.
    pub(super) path: String,
    /// The fields that name it, with their values.
    pub(super) numbers: BTreeMap<String, String>,
    /// The fields of the requests and responses so far. Encrypted ones are in plain text.
    pub(super) fields: Map<String, Value>,
    /// Seconds since 1970.
    pub(super) created_at: i64,
    /// The last segment of the path of the last change, such as `cancel`.
    pub(super) change: String,
}

#[derive(Default)]
pub(super) struct Objects {
    rows: BTreeMap<u64, Object>,
    by_number: HashMap<Number, u64>,
    by_path: HashMap<String, Vec<u64>>,
    changes: ChangeLog,
}

impl Objects {
    pub(super) fn restore(&mut self, key: &str, row: &[u8]) -> Result<(), String> {
        let id = key.parse().map_err(|_| "the key is not a number".to_owned())?;
        self.index(id, serde_json::from_slice(row).map_err(|error| error.to_string())?);
        Ok(())
    }

    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        self.changes.take()
    }

    pub(super) fn get(&self, id: u64) -> Option<&Object> {
        self.rows.get(&id)
    }

    pub(super) fn find(&self, product: &str, name: &str, value: &str) -> Option<u64> {
        self.by_number.get(&(product.to_owned(), name.to_owned(), value.to_owned())).copied()
    }

    /// The objects that calls of this path created, oldest first.
    pub(super) fn created_by(&self, path: &str) -> impl DoubleEndedIterator<Item = (u64, &Object)> {
        let ids = self.by_path.get(path).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| Some((*id, self.rows.get(id)?)))
    }

    /// Adds an object. Numbers that another object has are references to that one.
    pub(super) fn add(&mut self, object: Object) {
        let id = self.rows.last_key_value().map_or(0, |(id, _)| id + 1);
        self.changes.write(Table::Objects, &key(id), &object);
        self.index(id, object);
        if self.rows.len() > MAX_OBJECTS {
            if let Some(oldest) = self.rows.first_key_value().map(|(id, _)| *id) {
                self.remove(oldest);
            }
        }
    }

    /// Replaces an object by its next state.
    pub(super) fn update(&mut self, id: u64, object: Object) {
        self.changes.write(Table::Objects, &key(id), &object);
        self.index(id, object);
    }

    pub(super) fn remove(&mut self, id: u64) {
        if let Some(object) = self.rows.remove(&id) {
            for (name, value) in object.numbers {
                let number = (object.product.clone(), name, value);
                if self.by_number.get(&number) == Some(&id) {
                    self.by_number.remove(&number);
                }
            }
            if let Some(ids) = self.by_path.get_mut(&object.path) {
                ids.retain(|other| *other != id);
            }
            self.changes.delete(Table::Objects, &key(id));
        }
    }

    fn index(&mut self, id: u64, object: Object) {
        for (name, value) in &object.numbers {
            self.by_number.entry((object.product.clone(), name.clone(), value.clone())).or_insert(id);
        }
        let ids = self.by_path.entry(object.path.clone()).or_default();
        if !ids.contains(&id) {
            ids.push(id);
        }
        self.rows.insert(id, object);
    }
}

/// The key of a row. Its digits are sorted like the number.
fn key(id: u64) -> String {
    format!("{id:020}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(path: &str, numbers: &[(&str, &str)]) -> Object {
        let numbers = numbers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Object { product: "v3/x".to_owned(), path: path.to_owned(), numbers, ..Object::default() }
    }

    #[test]
    fn a_number_names_the_object_that_had_it_first() {
        let mut objects = Objects::default();
        objects.add(object("/v3/x/stocks", &[("stock_id", "1")]));
        objects.add(object("/v3/x/coupons", &[("stock_id", "1"), ("coupon_id", "2")]));
        let path = |objects: &Objects, name, value| {
            objects.find("v3/x", name, value).and_then(|id| objects.get(id)).map(|object| object.path.clone())
        };
        assert_eq!(path(&objects, "stock_id", "1").as_deref(), Some("/v3/x/stocks"));
        assert_eq!(path(&objects, "coupon_id", "2").as_deref(), Some("/v3/x/coupons"));
        assert_eq!(path(&objects, "coupon_id", "1"), None);

        // The rows restore the same objects.
        let mut restored = Objects::default();
        for change in objects.take_changes() {
            let super::super::rows::RowChange::Write(row) = change.row else { panic!("a deleted row") };
            restored.restore(&change.key, &row).expect("a row");
        }
        assert_eq!(path(&restored, "stock_id", "1").as_deref(), Some("/v3/x/stocks"));
        restored.remove(restored.find("v3/x", "stock_id", "1").expect("the stock"));
        assert_eq!(path(&restored, "stock_id", "1"), None);
        assert_eq!(restored.created_by("/v3/x/stocks").count(), 0);
    }
}
