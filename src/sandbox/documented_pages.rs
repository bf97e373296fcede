//! Pagination: the part of a list that a query selects.

use serde_json::{Map, Value};

/// A page of a list.
#[derive(Debug, PartialEq)]
pub(super) struct Page {
    pub(super) items: Vec<Value>,
    /// The number of items on all pages.
    pub(super) total: usize,
    /// The `next_page_token`; empty on the last page.
    pub(super) next: String,
}

/// The page that a query selects by `offset` and `limit` or `count`, by `page_index` (from 1) and
/// `page_size`, or by `page_token`, which is an offset. Without these parameters, it is the whole
/// list. If `counts_pages` is set, `offset` is the number of a page, from 0.
pub(super) fn page(items: Vec<Value>, query: &Map<String, Value>, counts_pages: bool) -> Page {
    let number = |name: &str| query.get(name)?.as_str()?.parse::<usize>().ok();
    let total = items.len();
    let size = ["limit", "page_size", "count"].into_iter().find_map(number).unwrap_or(total);
    let offset = number("offset").map(|offset| if counts_pages { offset.saturating_mul(size) } else { offset });
    let offset = match (number("page_token").or(offset), number("page_index")) {
        (Some(offset), _) => offset,
        (None, Some(index)) => index.saturating_sub(1).saturating_mul(size),
        (None, None) => 0,
    };
    let end = offset.saturating_add(size);
    let next = if end < total && size > 0 { end.to_string() } else { String::new() };
    Page { items: items.into_iter().skip(offset).take(size).collect(), total, next }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_offset_counts_rows_or_pages() {
        let items = || (0..5).map(Value::from).collect();
        let query = json!({ "offset": "1", "limit": "2" });
        let of = |counts_pages| page(items(), query.as_object().expect("an object"), counts_pages).items;
        assert_eq!((of(false), of(true)), (vec![json!(1), json!(2)], vec![json!(2), json!(3)]));
    }

    #[test]
    fn each_form_names_its_page() {
        let page_of = |query: Value| {
            let items = (0..5).map(Value::from).collect();
            let page = page(items, query.as_object().expect("an object"), false);
            assert_eq!(page.total, 5);
            (Value::from(page.items), page.next)
        };
        for (query, items, next) in [
            (json!({}), json!([0, 1, 2, 3, 4]), ""),
            (json!({ "offset": "1", "limit": "2" }), json!([1, 2]), "3"),
            (json!({ "offset": "4", "limit": "2" }), json!([4]), ""),
            (json!({ "offset": "9", "limit": "2" }), json!([]), ""),
            (json!({ "offset": "1" }), json!([1, 2, 3, 4]), ""),
            (json!({ "limit": "0" }), json!([]), ""),
            (json!({ "page_size": "2" }), json!([0, 1]), "2"),
            (json!({ "page_token": "2", "page_size": "2" }), json!([2, 3]), "4"),
            (json!({ "page_token": "4", "page_size": "2" }), json!([4]), ""),
            (json!({ "page_index": "2", "page_size": "2" }), json!([2, 3]), "4"),
            (json!({ "offset": u64::MAX.to_string(), "limit": u64::MAX.to_string() }), json!([]), ""),
        ] {
            assert_eq!(page_of(query.clone()), (items, next.to_owned()), "{query}");
        }
    }
}
