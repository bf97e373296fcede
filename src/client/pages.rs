//! Pagination: one call for each page, until the last one.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::client::chain::Chain;
use crate::error::{Error, ErrorKind};
use crate::pipeline::response::Response;
use crate::proto::json_type::kind;

/// The pages of a list. [`Chain::pages`] creates it. Each page is one call by GET.
///
/// Two forms of pagination are known. Source: WeChat Pay, the documentation of the calls that have
/// these parameters.
///
/// - `offset` and `limit` (or `page_size`): the next page begins after the rows of this one. The
///   last page is known from `total_count` or `total_num`, or from a page with fewer rows than the
///   limit.
/// - `page_token`: the next page is named by `next_page_token`; the last page has none.
///
/// If a response does not show whether there is another page, the page is returned, and an error
/// follows it. A list that changes while it is read can have rows twice, or not at all, in the
/// first form. Lists with page numbers are refused: those with `page_index` or `page`, and those
/// below `v3/marketing`, where `offset` can count pages.
///
/// ```
/// # use serde_json::json;
/// # use wechatpay_chain::sandbox::Sandbox;
/// # let sandbox = Sandbox::start()?;
/// # let client = sandbox.client()?;
/// # sandbox.stub("GET", "v3/merchant-service/complaints-v2", 200, json!({
/// #     "data": [{ "complaint_id": "1" }], "limit": 10, "offset": 0, "total_count": 1,
/// # }));
/// #[derive(serde::Deserialize)]
/// struct Complaint { complaint_id: String }
///
/// let complaints = client.chain("v3/merchant-service/complaints-v2");
/// let query = json!({ "begin_date": "2026-11-01", "end_date": "2026-11-30", "limit": 10 });
/// for page in complaints.pages(json!({ "query": query })) {
///     for complaint in page?.field::<Vec<Complaint>>("data")? {
///         println!("{}", complaint.complaint_id);
///     }
/// }
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
///
/// In async code, `while let Some(page) = pages.next_async().await? { ... }`.
#[must_use = "no call is made until a page is read"]
pub struct Pages {
    chain: Chain,
    options: Value,
    next: Next,
    /// The body of the last page.
    last: Value,
}

/// The state after the pages that were read.
enum Next {
    First,
    /// A page, with this value of a parameter of the query.
    Page(&'static str, Value),
    Failed(Error),
    End,
}

impl Chain {
    /// Returns the pages of a list, which are called by GET. `options` are those of the first page:
    /// an object, whose `query` is an object, and may have the `limit` and the first `offset`.
    pub fn pages(&self, options: Value) -> Pages {
        let next = match check(self.template().unwrap_or_default(), &options) {
            Ok(()) => Next::First,
            Err(reason) => Next::Failed(Error::options(reason)),
        };
        Pages { chain: self.clone(), options, next, last: Value::Null }
    }
}

impl Pages {
    /// Returns the next page, or `None` after the last one. After an error, the next call returns
    /// `None`.
    ///
    /// # Errors
    /// - Those of a call.
    /// - [`ErrorKind::Options`]: the query is not an object, or has a page number.
    /// - [`ErrorKind::Decode`]: the page before does not show whether there is another page.
    pub async fn next_async(&mut self) -> Result<Option<Response>, Error> {
        let mut options = self.options.clone();
        match std::mem::replace(&mut self.next, Next::End) {
            Next::End => return Ok(None),
            Next::Failed(error) => return Err(error),
            Next::First => {}
            Next::Page(parameter, value) => options["query"][parameter] = value,
        }
        let query = options["query"].as_object().cloned().unwrap_or_default();
        let page = self.chain.get_async(options).await?;
        let body: Value = page.json()?;
        if body == self.last {
            // The service has ignored the parameter of the query, so the rows were returned before.
            return Err(self.unknown("it is the same as the page before"));
        }
        self.last = body;
        self.next = following(&query, &self.last).unwrap_or_else(|reason| Next::Failed(self.unknown(&reason)));
        Ok(Some(page))
    }

    fn unknown(&self, reason: &str) -> Error {
        let message = format!("it is not known whether there is another page after this one: {reason}");
        let error = Error::new(ErrorKind::Decode, message);
        error.with_call(&http::Method::GET, self.chain.template().unwrap_or_default())
    }
}

/// Blocks this thread for each page. In async code, use [`next_async`](Pages::next_async).
impl Iterator for Pages {
    type Item = Result<Response, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        crate::transport::runtime::block_on(self.next_async()).transpose()
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("chain", &self.chain).finish_non_exhaustive()
    }
}

/// Whether the `offset` of a list is, or may be, a page number, from 0, instead of a row number.
/// Source: WeChat Pay, the documentation of favor stocks, coupons of users, gift activities and
/// partnerships. The other lists of marketing are included, because they were not compared.
pub(crate) fn offset_is_page_number(template: &str) -> bool {
    let path = template.trim_start_matches('/');
    path.starts_with("v3/marketing/")
}

/// Fails if the list of this template and these options cannot be read by pages.
fn check(template: &str, options: &Value) -> Result<(), String> {
    if offset_is_page_number(template) {
        return Err("the offset of this list is a page number, from 0: call each page".to_owned());
    }
    let Value::Object(members) = options else {
        return Err(format!("the options are {} and must be an object", kind(options)));
    };
    match members.get("query") {
        None => Ok(()),
        Some(Value::Object(query)) if query.contains_key("page_index") || query.contains_key("page") => {
            Err("a list with page numbers is not read by pages: call each page".to_owned())
        }
        Some(Value::Object(_)) => Ok(()),
        Some(other) => Err(format!("the option \"query\" is {} and must be an object for pages", kind(other))),
    }
}

/// Decides from the query of a call and the body of its page which page follows.
fn following(query: &Map<String, Value>, body: &Value) -> Result<Next, String> {
    match body.get("next_page_token") {
        None | Some(Value::Null) if query.contains_key("page_token") => return Ok(Next::End),
        None | Some(Value::Null) => {}
        Some(Value::String(token)) if token.is_empty() => return Ok(Next::End),
        Some(token) if query.get("page_token") == Some(token) => {
            return Err("its next_page_token is the one of this page".to_owned());
        }
        Some(token) => return Ok(Next::Page("page_token", token.clone())),
    }
    let offset = number(query.get("offset")).unwrap_or(0);
    if let Some(other) = number(body.get("offset")).filter(|other| *other != offset) {
        return Err(format!("it has the offset {other}, and {offset} was asked for"));
    }
    let rows = rows(body)?;
    let limit = number(body.get("limit")).or_else(|| number(query.get("limit").or_else(|| query.get("page_size"))));
    let is_full = limit.map(|limit| rows >= limit);
    let next = offset.saturating_add(rows);
    let total = number(body.get("total_count").or_else(|| body.get("total_num")));
    match (total, is_full) {
        (Some(total), _) if next >= total => Ok(Next::End),
        (None, _) if rows == 0 => Ok(Next::End),
        (None, Some(false)) => Ok(Next::End),
        (None, None) => Err("neither the call has a limit, nor the response a total_count".to_owned()),
        (Some(total), _) if rows == 0 || is_full == Some(false) => {
            Err(format!("it ends at row {next} of {total}, and has fewer rows than its limit"))
        }
        _ => Ok(Next::Page("offset", json!(next))),
    }
}

/// The number of rows of a page: the length of `data`, or of the only list.
fn rows(body: &Value) -> Result<u64, String> {
    let members = body.as_object().ok_or("it is not an object")?;
    let length = |value: &Value| value.as_array().map(|list| list.len() as u64);
    if let Some(rows) = members.get("data").and_then(length) {
        return Ok(rows);
    }
    let mut lists = members.values().filter_map(length);
    match (lists.next(), lists.next()) {
        (Some(rows), None) => Ok(rows),
        // An empty list may be left out.
        (None, _) if number(members.get("total_count")) == Some(0) => Ok(0),
        (None, _) => Err("it has no list".to_owned()),
        (Some(_), Some(_)) => Err("it has several lists".to_owned()),
    }
}

/// A number, also one written as text.
fn number(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(query: Value, body: Value) -> String {
        match following(query.as_object().expect("an object"), &body) {
            Ok(Next::End) => "end".to_owned(),
            Ok(Next::Page(parameter, value)) => format!("{parameter}={value}"),
            Ok(Next::First | Next::Failed(_)) => unreachable!("not a result"),
            Err(reason) => reason,
        }
    }

    #[test]
    fn the_last_page_is_known_or_an_error_says_why_not() {
        let (one, two) = (json!([1]), json!([1, 2]));
        for (query, body, expected) in [
            (json!({ "limit": 2 }), json!({ "data": two, "total_count": 5 }), "offset=2"),
            (json!({ "limit": 2, "offset": 2 }), json!({ "data": two, "total_count": 5, "offset": 2 }), "offset=4"),
            (json!({ "limit": "2", "offset": "4" }), json!({ "data": one, "total_count": 5 }), "end"),
            (json!({ "limit": 2 }), json!({ "data": two, "total_count": 2 }), "end"),
            (json!({ "limit": 2 }), json!({ "total_count": 0 }), "end"),
            (json!({ "limit": 2 }), json!({ "refunds": two, "total_num": 3 }), "offset=2"),
            (json!({ "offset": 0, "page_size": 2 }), json!({ "plans": two, "total_count": 3 }), "offset=2"),
            // The service has a lower limit.
            (json!({ "limit": 100 }), json!({ "data": two, "limit": 2, "total_count": 5 }), "offset=2"),
            (
                json!({ "limit": 100 }),
                json!({ "data": two, "total_count": 5 }),
                "it ends at row 2 of 5, and has fewer rows than its limit",
            ),
            (
                json!({}),
                json!({ "data": [], "total_count": 5 }),
                "it ends at row 0 of 5, and has fewer rows than its limit",
            ),
            (json!({}), json!({ "data": two, "total_count": 5 }), "offset=2"),
            (json!({ "limit": 2 }), json!({ "data": two }), "offset=2"),
            (json!({ "limit": 2 }), json!({ "data": one }), "end"),
            (json!({}), json!({ "data": [] }), "end"),
            (json!({}), json!({ "data": two }), "neither the call has a limit, nor the response a total_count"),
            (json!({ "limit": 2 }), json!({ "a": two, "b": one }), "it has several lists"),
            (json!({ "limit": 2 }), json!({ "a": 1 }), "it has no list"),
            (json!({ "limit": 2 }), json!([1]), "it is not an object"),
            (
                json!({ "offset": 2 }),
                json!({ "data": two, "offset": 0, "total_count": 5 }),
                "it has the offset 0, and 2 was asked for",
            ),
            (json!({ "page_size": 2 }), json!({ "stocks": two, "next_page_token": "t1" }), "page_token=\"t1\""),
            (json!({ "page_token": "t1" }), json!({ "stocks": one }), "end"),
            (json!({ "page_token": "t1" }), json!({ "stocks": one, "next_page_token": "" }), "end"),
            (
                json!({ "page_token": "t1" }),
                json!({ "stocks": two, "next_page_token": "t1" }),
                "its next_page_token is the one of this page",
            ),
        ] {
            assert_eq!(after(query.clone(), body.clone()), expected, "{query} {body}");
        }
    }
}
