//! The parameters of a query, as values in the form that PHP and `wxpay` write.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

/// The depth of a name such as `a[b][c]` up to which its parts are separate names.
const MAX_DEPTH: usize = 16;

/// A name or a value of a query, decoded.
pub(super) fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// The decoded parameters, in their order.
pub(super) fn parameters(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

/// The fields of a query. A repeated name is a list, `a[b]` is a field of an object, and `a[0]` or
/// `a[]` an item of a list, at any depth.
pub(super) fn query_fields(query: &str) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, value) in parameters(query) {
        let (first, rest) = name.split_once('[').unwrap_or((&name, ""));
        let inner: Vec<&str> = match rest.strip_suffix(']') {
            Some(rest) if !first.is_empty() => rest.splitn(MAX_DEPTH, "][").collect(),
            _ => Vec::new(),
        };
        let outer = if inner.is_empty() { name.as_str() } else { first };
        insert(fields.entry(outer).or_insert(Value::Null), &inner, value.into());
    }
    fields
}

/// Puts a value into a field. The names of the value within the field are `inner`. A name that is
/// used as a value and as an object or a list becomes a list of both, so that nothing is lost.
fn insert(field: &mut Value, inner: &[&str], value: Value) {
    let Some((name, rest)) = inner.split_first() else {
        match field {
            Value::Null => *field = value,
            Value::Array(values) => values.push(value),
            first => *first = json!([first.take(), value]),
        }
        return;
    };
    let index = if name.is_empty() { Some(usize::MAX) } else { name.parse::<u16>().ok().map(usize::from) };
    if field.is_null() {
        *field = if index.is_some() { json!([]) } else { json!({}) };
    }
    match (index, &mut *field) {
        (Some(index), Value::Array(items)) => {
            if index >= items.len() {
                items.push(Value::Null);
            }
            let index = index.min(items.len() - 1);
            if let Some(item) = items.get_mut(index) {
                insert(item, rest, value);
            }
        }
        (None, Value::Object(members)) => insert(members.entry(*name).or_insert(Value::Null), rest, value),
        (_, other) => {
            let mut separate = Value::Null;
            insert(&mut separate, inner, value);
            *other = json!([other.take(), separate]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_brackets_are_fields_and_items_at_any_depth() {
        for (query, expected) in [
            (
                "a=1&b=x%20y&a=2&c&a=3&d%5Be%5D=4&f[0]=5&f[1]=6&g=h+i",
                json!({
                    "a": ["1", "2", "3"], "b": "x y", "c": "", "d": { "e": "4" }, "f": ["5", "6"], "g": "h i",
                }),
            ),
            ("a[b][c]=1&a[b][d]=2", json!({ "a": { "b": { "c": "1", "d": "2" } } })),
            ("a[0][b]=1&a[0][c]=2&a[1][b]=3", json!({ "a": [{ "b": "1", "c": "2" }, { "b": "3" }] })),
            ("a[]=1&a[]=2", json!({ "a": ["1", "2"] })),
            ("a=1&a[b]=2", json!({ "a": ["1", { "b": "2" }] })),
            ("a[b]=1&a[0]=2", json!({ "a": [{ "b": "1" }, ["2"]] })),
            ("[a]=1&b[c=2&]=3", json!({ "[a]": "1", "b[c": "2", "]": "3" })),
        ] {
            assert_eq!(Value::from(query_fields(query)), expected, "{query}");
        }
        let deep = format!("a{}=1", "[b]".repeat(10_000));
        assert_eq!(query_fields(&deep).len(), 1);
    }
}
