//! The pages of a list.

use serde_json::{Value, json};
use wechatpay_chain::{ErrorKind, Response};

use crate::support::{each_hint_names_its_condition, run, sandbox};

const LIST: &str = "v3/merchant-service/complaints-v2";

fn ids(page: &Response) -> Value {
    page.json::<Value>().expect("JSON")["data"].clone()
}

#[test]
fn each_page_is_one_call_until_the_last_one() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let page = |data: Value| sandbox.stub("GET", LIST, 200, json!({ "data": data, "limit": 2, "total_count": 3 }));
    let mut pages = client.chain(LIST).pages(json!({ "query": { "limit": 2, "status": "running" } }));
    page(json!(["a", "b"]));
    assert_eq!(ids(&pages.next().expect("a page").expect("response")), json!(["a", "b"]));
    page(json!(["c"]));
    let second = run(pages.next_async()).expect("response").expect("a page");
    assert_eq!(ids(&second), json!(["c"]));
    assert!(pages.next().is_none() && pages.next().is_none());
    let targets: Vec<_> = sandbox.requests().iter().map(|request| request.target.clone()).collect();
    let query = |rest: &str| format!("/{LIST}?limit=2&status=running{rest}");
    assert_eq!(targets, [query(""), query("&offset=2")]);
}

#[test]
fn an_unknown_end_is_an_error_after_the_page() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let error = |query: Value, body: Value| {
        sandbox.stub("GET", LIST, 200, body);
        let mut pages = client.chain(LIST).pages(json!({ "query": query }));
        pages.next().expect("a page").expect("response");
        let error = pages.find_map(Result::err).expect("an error");
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(pages.next().is_none());
        error.to_string()
    };
    let two = || json!({ "data": ["a", "b"] });
    each_hint_names_its_condition(&[
        ("it is the same as the page before", error(json!({ "limit": 2 }), two())),
        ("neither the call has a limit, nor the response a total_count", error(json!({}), two())),
        ("it ends at row 2 of 3, and has fewer rows than its limit", {
            error(json!({ "limit": 3 }), json!({ "data": ["a", "b"], "total_count": 3 }))
        }),
    ]);
    let mut pages = client.chain("v3/unknown").pages(json!({}));
    assert!(pages.next().expect("a result").is_err(), "the sandbox refuses the call");
    assert!(pages.next().is_none());
}

#[test]
fn options_that_cannot_be_paged_are_refused_before_the_first_call() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let error_of = |path: &str, options: Value| {
        let error = client.chain(path).pages(options).next().expect("a result").expect_err("nothing to send");
        assert_eq!(error.kind(), ErrorKind::Options);
        error.to_string()
    };
    let error = |options: Value| error_of(LIST, options);
    each_hint_names_its_condition(&[
        (
            "the offset of this list is a page number, from 0",
            error_of("v3/marketing/paygiftactivity/activities", json!({ "query": { "limit": 2 } })),
        ),
        ("the options are an array and must be an object", error(json!([]))),
        ("the option \"query\" is a string and must be an object for pages", error(json!({ "query": "limit=2" }))),
        (
            "a list with page numbers is not read by pages: call each page",
            error(json!({ "query": { "page_index": 1 } })),
        ),
    ]);
    assert!(sandbox.requests().is_empty());
}
