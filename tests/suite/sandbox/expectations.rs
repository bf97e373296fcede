//! Features for the tests of users: expectations, responses by functions, and typed contents.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use wechatpay_chain::Options;
use wechatpay_chain::sandbox::{Expectation, MCHID, Received, Sandbox};

use super::native;
use crate::support::{each_hint_names_its_condition, start};

const NATIVE: &str = "v3/pay/transactions/native";
const QUERY: &str = "v3/pay/transactions/out-trade-no/{out_trade_no}";

/// Drops an expectation, and returns the message of its panic.
fn dropped(expectation: Expectation) -> Result<(), String> {
    let panic = catch_unwind(AssertUnwindSafe(|| drop(expectation)));
    panic.map_err(|payload| payload.downcast_ref::<String>().expect("a message").clone())
}

fn query(number: &str) -> Options {
    Options::new().var("out_trade_no", number).query(&json!({ "mchid": MCHID }))
}

#[test]
fn an_expectation_counts_the_requests_that_match() {
    let (sandbox, client) = start();
    client.chain(NATIVE).post(native("order-0", 100, "https://example.com/")).expect("before");
    let all = sandbox.expect("post", NATIVE).times(2);
    let one = sandbox.expect("POST", NATIVE).json(json!({ "out_trade_no": "order-1", "amount": { "total": 100 } }));
    let large = sandbox
        .expect("POST", NATIVE)
        .matching(|request: &Received| request.json::<Value>().expect("JSON")["amount"]["total"].as_u64() > Some(150));
    let queried = sandbox.expect("GET", QUERY).var("out_trade_no", "order/1").query("mchid", MCHID).at_least(1);
    let refunded = sandbox.expect("POST", "v3/refund/domestic/refunds").times(0);
    let at_most = sandbox.expect("GET", QUERY).at_most(1);
    client.chain(NATIVE).post(native("order-1", 100, "https://example.com/")).expect("placed");
    client.chain(NATIVE).post(native("order-2", 200, "https://example.com/")).expect("placed");
    // A refused request counts too.
    client.chain(QUERY).get(query("order/1")).expect_err("no such order");
    assert_eq!((all.requests().len(), one.requests()[0].path()), (2, "/v3/pay/transactions/native"));
    for expectation in [all, one, large, queried, refunded, at_most] {
        assert_eq!(dropped(expectation), Ok(()));
    }
}

#[test]
fn an_expectation_that_is_not_met_fails_the_test_and_names_the_requests() {
    let (sandbox, client) = start();
    let body = sandbox.expect("POST", NATIVE).json(json!({ "amount": { "total": 200 } }));
    let missing = sandbox.expect("POST", NATIVE).json(json!({ "attach": "x" }));
    let variable = sandbox.expect("GET", QUERY).var("out_trade_no", "order-2");
    let parameter = sandbox.expect("GET", QUERY).query("mchid", "1");
    let function = sandbox.expect("GET", QUERY).matching(|_| false);
    let never = sandbox.expect("GET", QUERY).times(0);
    let at_least = sandbox.expect("GET", QUERY).at_least(3);
    let at_most = sandbox.expect("GET", QUERY).at_most(1);
    let v2 = sandbox.expect("POST", "v2/pay/orderquery");
    let unknown = sandbox.expect("GET", QUERY).var("out_trade_nr", "order-1").times(0);
    client.chain(NATIVE).post(native("order-1", 100, "https://example.com/")).expect("placed");
    client.chain(QUERY).get(query("order-1")).expect("an order");
    client.chain(QUERY).get(query("order-1")).expect("an order");
    let rows: Vec<(&str, String)> = [
        ("with the body {\"amount\":{\"total\":200}}: expected 1 requests, and 0 matched; 1 other requests to it did not: amount.total is 100", body),
        ("with the body {\"attach\":\"x\"}: expected 1 requests, and 0 matched; 1 other requests to it did not: attach is missing", missing),
        ("did not: {out_trade_no} is Some(\"order-1\")", variable),
        ("with mchid=1 in the query: expected 1 requests, and 0 matched; 2 other requests to it did not: mchid in the query is Some", parameter),
        ("did not: the function returns false", function),
        ("{out_trade_no}: expected 0 requests, and 2 matched", never),
        ("expected at least 3 requests, and 2 matched", at_least),
        ("expected at most 1 requests, and 2 matched", at_most),
        ("POST v2/pay/orderquery: expected 1 requests, and 0 matched", v2),
        ("the path has no variable {out_trade_nr}", unknown),
    ]
    .into_iter()
    .map(|(hint, expectation)| (hint, dropped(expectation).expect_err("not met")))
    .collect();
    each_hint_names_its_condition(&rows);
}

#[test]
fn an_expectation_does_not_panic_while_the_test_panics() {
    let (sandbox, _) = start();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let _never_met = sandbox.expect("POST", NATIVE);
        panic!("the failure of the test");
    }));
    assert_eq!(panic.expect_err("a panic").downcast_ref::<&str>(), Some(&"the failure of the test"));
}

#[test]
fn a_function_responds() {
    let (sandbox, client) = start();
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    sandbox.stub_with("POST", "v3/things/{id}", move |request| {
        let thing: Value = serde_json::from_slice(request.body()).expect("JSON");
        let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
        if number == 2 {
            return (404, json!({ "code": "NO_SUCH_THING", "message": "none" }));
        }
        (201, json!({ "name": thing["name"], "path": request.uri().path(), "number": number }))
    });
    let things = client.chain("v3/things/{id}");
    let post = || things.post(json!({ "id": 7, "json": { "name": "a" } }));
    let thing = post().expect("201");
    assert!(thing.is_verified() && thing.status() == 201);
    assert_eq!(thing.json::<Value>().expect("JSON"), json!({ "name": "a", "path": "/v3/things/7", "number": 1 }));
    assert_eq!(post().expect_err("404").code(), Some("NO_SUCH_THING"));
    sandbox.stub_with("POST", "v2/things", |request| {
        assert!(request.body().starts_with(b"<xml>"));
        (200, json!({ "name": "b" }))
    });
    let fields = json!({ "xml": { "mch_id": MCHID, "appid": "wx8888888888888888" } });
    assert_eq!(client.chain("v2/things").post(fields).expect("signed").xml().expect("XML")["name"], "b");
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

/// A deadlock would hang the test.
#[test]
fn a_function_that_calls_its_sandbox_fails_the_test() {
    let sandbox = Arc::new(Sandbox::start().expect("sandbox"));
    let client = sandbox.client().expect("client");
    let called = Arc::clone(&sandbox);
    sandbox.stub_with("GET", "v3/x", move |_| (200, json!(called.requests().len())));
    let error = client.chain("v3/x").get(()).expect_err("the connection is closed");
    assert_eq!(error.kind(), wechatpay_chain::ErrorKind::Transport);
    // The function of the stub also holds the sandbox, so the sandbox is never dropped.
    std::mem::forget(sandbox);
}

#[test]
fn the_contents_of_a_sandbox_are_typed() {
    let (sandbox, client) = start();
    client.chain(NATIVE).post(native("order-1", 100, "http://127.0.0.1:9/notify")).expect("placed");
    assert_eq!((sandbox.orders()[0].state, &sandbox.orders()[0].transaction_id), ("NOTPAY", &None));
    let transaction_id = sandbox.pay("order-1").expect("paid");
    let refund = json!({ "json": {
        "out_trade_no": "order-1", "out_refund_no": "refund-1", "amount": { "refund": 30, "total": 100, "currency": "CNY" },
    }});
    client.chain("v3/refund/domestic/refunds").post(refund).expect("refunded");
    let [order] = sandbox.orders().try_into().expect("one order");
    assert_eq!((order.out_trade_no.as_str(), order.state, order.total, order.refunded), ("order-1", "REFUND", 100, 30));
    assert_eq!((order.transaction_id, order.notify_url.as_str()), (Some(transaction_id), "http://127.0.0.1:9/notify"));
    assert_eq!(order.request["description"], native("order-1", 100, "x")["json"]["description"]);
    let [refund] = sandbox.refunds().try_into().expect("one refund");
    assert_eq!((refund.out_refund_no.as_str(), refund.amount, refund.status), ("refund-1", 30, "SUCCESS"));
    #[derive(serde::Deserialize)]
    struct Paid {
        out_trade_no: String,
    }
    let sent = sandbox.notifications();
    assert_eq!((sent[0].event_type.as_str(), sent[0].is_delivered), ("TRANSACTION.SUCCESS", false));
    assert_eq!(sent[0].json::<Paid>().expect("a payment").out_trade_no, "order-1");
    assert!(sent[0].json::<Vec<u8>>().is_err() && !format!("{:?}", sent[0]).contains("order-1"));
}

/// Each method that waits has an asynchronous form, with the same result.
#[tokio::test]
async fn control_calls_have_asynchronous_forms() {
    let folder = tempfile::tempdir().expect("folder");
    let sandbox = Sandbox::builder().dir(folder.path()).start().expect("sandbox");
    let client = sandbox.client().expect("client");
    client.chain(NATIVE).post_async(native("order-1", 100, "https://example.com/")).await.expect("placed");
    sandbox.pay_async("order-1").await.expect("paid");
    assert!(sandbox.pay_async("order-1").await.expect_err("twice").message().contains("is paid already"));
    assert_eq!(sandbox.orders()[0].state, "SUCCESS");
    let refund = sandbox.control_async("refund", &json!({ "out_trade_no": "order-1", "amount": 10 })).await;
    assert_eq!(refund.expect("refunded")["amount"], 10);
    sandbox.control_async("none", &json!({})).await.expect_err("no such call");
    sandbox.confirm_transfer_async("none").await.expect_err("no transfer");
    let certificate = sandbox.rotate_certificate_async().await.expect("a certificate");
    assert_eq!(certificate.serial().len(), 40);
    // A call has no effect until its future is awaited.
    drop(sandbox.pay_async("order-1"));
}
