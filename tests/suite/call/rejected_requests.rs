//! Mistakes that are reported before anything is sent, each with its own message.

use serde_json::{Value, json};
use wechatpay_chain::{Error, ErrorKind, Options};

use crate::support::{CARDS, each_hint_names_its_condition, options, sandbox};

fn with_option(key: &str, value: Value) -> Value {
    let mut options = options();
    options[key] = value;
    options
}

#[test]
fn each_invalid_call_is_an_error_and_sends_nothing() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let mut missing = options();
    missing.as_object_mut().expect("object").remove("card_id");
    let mut typo = options();
    typo["jsn"] = typo["json"].clone();
    let cases: Vec<(&str, Value, ErrorKind, &str)> = vec![
        (CARDS, missing, ErrorKind::Options, "the variable \"card_id\" of the path is missing"),
        (CARDS, with_option("card_id", json!(null)), ErrorKind::Options, "\"card_id\" of the path is null"),
        (CARDS, with_option("card_id", json!("")), ErrorKind::Options, "\"card_id\" of the path is an empty string"),
        (CARDS, with_option("card_id", json!(".")), ErrorKind::Options, "\"card_id\" of the path is \".\""),
        (CARDS, with_option("card_id", json!("..")), ErrorKind::Options, "\"card_id\" of the path is \"..\""),
        (CARDS, typo, ErrorKind::Options, "the option \"jsn\" is unknown: did you mean \"json\"?"),
        (CARDS, with_option("cardId", json!("x")), ErrorKind::Options, "the option \"cardId\" is unknown"),
        (CARDS, json!([1]), ErrorKind::Options, "the options are an array and must be an object"),
        (CARDS, json!("x"), ErrorKind::Options, "the options are a string and must be an object"),
        (
            "v3/marketing/membercard-open/cards/pbLatjvWOibDc5-TBnbUk1pD12o0/permission-tokens",
            json!({}),
            ErrorKind::Path,
            "the path segment \"pbLatjvWOibDc5-TBnbUk1pD12o0\" looks like a value",
        ),
        (
            CARDS,
            with_option("headers", json!({"X-Note": "a\r\nAuthorization: x"})),
            ErrorKind::Options,
            "\"X-Note\" contains a line break",
        ),
        (
            CARDS,
            with_option("headers", json!({"Authorization": "x"})),
            ErrorKind::Options,
            "the client signs each request",
        ),
        ("https://evil.example/v3/x", json!({}), ErrorKind::Path, "the path leads to"),
        ("//evil.example/v3/x", json!({}), ErrorKind::Path, "the path leads to"),
        ("{+url}", json!({"url": "https://evil.example/"}), ErrorKind::Path, "the path leads to"),
        ("v3/a/../b", json!({}), ErrorKind::Path, "\"..\" segment"),
        ("v3/{a", json!({}), ErrorKind::Path, "never closed"),
        ("v3/{}", json!({}), ErrorKind::Path, "the expression is empty; write"),
        ("", json!({}), ErrorKind::Path, "a path segment is empty"),
        (
            "v3/pay/:id/close",
            json!({"id": 1}),
            ErrorKind::Path,
            "the path has the segment \":id\", which is not a variable: write {id}",
        ),
        ("_a/b_", json!({"a": 1}), ErrorKind::Path, "\"_a/b_\" begins and ends with \"_\""),
        ("v3/x#y", json!({}), ErrorKind::Path, "the path has a fragment"),
        ("v3/x{#y}", json!({"y": "z"}), ErrorKind::Path, "the path has a fragment"),
        ("/v2/pay/orderquery", json!({}), ErrorKind::Path, "without the first slash"),
        ("v3/x{/y}/z", json!({"y": ""}), ErrorKind::Options, "\"y\" of the path is an empty string"),
        ("v3/x{/y}/z", json!({"y": false}), ErrorKind::Options, "\"y\" of the path is false"),
        ("v3/x{/y*}/z", json!({"y": ["a", ""]}), ErrorKind::Options, "\"y\" of the path is a list with an empty"),
        ("v3/x{/y,w}/z", json!({"y": "a", "w": ""}), ErrorKind::Options, "\"w\" of the path is an empty string"),
        ("v3/x{/y}/z", json!({"y": ".."}), ErrorKind::Options, "\"y\" of the path is \"..\""),
        ("v3/x", json!({"json": "{\"a\": 1}"}), ErrorKind::Options, "a string that contains JSON"),
        ("v3/{timeout}", json!({"timeout": 1}), ErrorKind::Path, "has the name of a request option"),
        ("v2/pay/unifiedorder", json!({}), ErrorKind::Options, "APIv2 takes its fields from it"),
        ("v2/pay/x", json!({"json": {"a": "b"}, "encrypt": "a"}), ErrorKind::Options, "\"encrypt\" is for APIv3"),
        ("v3/x", json!({"verify": false}), ErrorKind::Options, "TLS is always verified"),
        ("v3/x", json!({"base_uri": "https://h/hk"}), ErrorKind::Options, "must end with"),
    ];
    let mut messages = Vec::new();
    for (path, options, kind, expected) in cases {
        let error = client.chain(path).post(options.clone()).expect_err(expected);
        let message = error.to_string();
        assert_eq!(error.kind(), kind, "{path} {options}: {message}");
        assert!(message.contains(expected), "{path} {options}: {expected:?} not in {message:?}");
        assert!(error.is_before_send() && error.response().is_none(), "{message}");
        messages.push((expected, error.message().to_owned()));
    }
    each_hint_names_its_condition(&messages);
    for method in ["CONNECT", "connect"] {
        for path in ["v3/x", "v2/x"] {
            let error = client.request(method, path, json!({ "nonceless": true })).expect_err("a tunnel");
            assert!(error.kind() == ErrorKind::Options && error.message().contains("CONNECT"), "{error}");
        }
    }
    assert!(client.request("NOT A METHOD", "v3/x", ()).is_err_and(|error| error.kind() == ErrorKind::Options));
    assert_eq!(sandbox.requests().len(), 0, "nothing was sent");
}

#[test]
fn an_error_names_its_call_by_the_template() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let error = client.chain(CARDS).post(with_option("card_id", json!(null))).expect_err("null");
    assert!(error.to_string().starts_with(&format!("POST {CARDS}: ")), "{error}");
    assert_eq!(error.call(), Some(&*format!("POST {CARDS}")));
    // Every call of an invalid chain fails with the same message.
    let chain = client.seg("v3").seg("ABC").seg("x");
    for _ in 0..2 {
        assert!(chain.get(()).is_err_and(|error| error.message().contains("\"ABC\" looks like a value")));
    }
    assert!(chain.template().is_err());
}

#[test]
fn a_body_that_cannot_be_serialised_is_an_error() {
    let sandbox = sandbox();
    let odd = std::collections::HashMap::from([((1, 2), 3)]);
    let options = Options::new().with("card_id", "x").json(&odd);
    let error = sandbox.client().expect("client").chain(CARDS).post(options).expect_err("keys must be strings");
    assert_eq!(error.kind(), ErrorKind::Options);
}

#[test]
fn errors_skip_then_and_reach_otherwise() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let outcome: Result<&str, Error> = client
        .chain("v3/ABC")
        .get_async(())
        .then(|_| panic!("no response"))
        .otherwise(|error| if error.kind() == ErrorKind::Path { "refused" } else { "other" })
        .wait();
    assert_eq!(outcome.expect("handled"), "refused");
}
