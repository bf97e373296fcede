//! The typed forms beside JSON: setters of options, fields of a response, and responses for unit
//! tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};
use wechatpay_chain::catalog::Check;
use wechatpay_chain::sandbox::{Fault, MCHID, PUBLIC_KEY_ID, Received};
use wechatpay_chain::{Error, ErrorKind, Media, Options, Response, http};

use crate::port::rustc::{Compiler, folder};
use crate::support::{each_hint_names_its_condition, start};

#[derive(Serialize)]
struct Query {
    mchid: &'static str,
    limit: Option<u32>,
}

/// What the setters can change of a request.
fn shown(request: &Received) -> (String, String, Vec<u8>) {
    let language = request.headers.get("accept-language").map(|value| value.to_str().expect("text").to_owned());
    (request.target.clone(), language.unwrap_or_default(), request.body.to_vec())
}

#[test]
fn setters_are_the_options_of_the_same_names() {
    let (sandbox, client) = start();
    sandbox.stub("POST", "v3/orders/{id}", 200, json!({}));
    let orders = client.chain("v3/orders/{id}");
    let typed = Options::new()
        .var("id", "a/b")
        .query(&Query { mchid: MCHID, limit: None })
        .json(&json!({ "name": "x" }))
        .header("Accept-Language", "zh-CN")
        .timeout(Duration::from_secs(5))
        .retry(1);
    let keys = json!({
        "id": "a/b", "query": { "mchid": MCHID, "limit": null }, "json": { "name": "x" },
        "headers": { "Accept-Language": "zh-CN" }, "timeout": 5, "retry": 1,
    });
    orders.post(typed).expect("a response");
    orders.post(keys).expect("a response");
    let requests = sandbox.requests();
    assert_eq!(shown(&requests[0]), shown(&requests[1]));
    assert_eq!(requests[0].target, format!("/v3/orders/a%2Fb?mchid={MCHID}"));
    // Encryption adds up.
    let options = || Options::new().var("id", 1).json(&json!({ "name": "x", "card": "y" }));
    orders.post(options().encrypt(["name"]).encrypt(vec!["card".to_owned()])).expect("a response");
    let body: Value = serde_json::from_slice(&sandbox.requests().pop().expect("a request").body).expect("JSON");
    for (name, plain) in [("name", "x"), ("card", "y")] {
        assert_eq!(sandbox.decrypt(PUBLIC_KEY_ID, body[name].as_str().expect("text")).expect("a ciphertext"), plain);
    }
    let error = orders.post(options().check(Check::Deny)).expect_err("undocumented");
    assert!(error.message().contains("the call is not documented"), "{error}");
    let error = orders.post(options().encrypt_documented()).expect_err("undocumented");
    assert!(error.message().contains("\"encrypt\" is true"), "{error}");
    let missing = client.chain("v3/pay/transactions/out-trade-no/{id}");
    let query = || Options::new().var("id", "x").query(&json!({ "mchid": MCHID }));
    assert_eq!(missing.get(query().http_errors(false)).expect("a response").status(), 404);
    assert_eq!(missing.get(query()).expect_err("no order").code(), Some("ORDER_NOT_EXIST"));
}

#[test]
fn clones_of_options_make_the_same_call() {
    let (sandbox, client) = start();
    sandbox.stub("POST", "v3/orders/{id}", 200, json!({}));
    sandbox.file("v3/billdownload/file", 1000);
    let orders = client.chain("v3/orders/{id}");
    let options =
        Options::new().var("id", "1").query(&json!({ "a": 1 })).json(&json!({ "b": 2 })).timeout(Duration::MAX);
    orders.post(options.clone()).expect("a response");
    orders.post(options).expect("a response");
    let requests = sandbox.requests();
    assert_eq!(shown(&requests[0]), shown(&requests[1]));
    // Each clone of invalid options fails.
    let wrong = Options::new().retry(11);
    for options in [wrong.clone(), wrong] {
        let error = orders.post(options.var("id", 1)).expect_err("too many");
        assert!(error.message().contains("11 where a number from 0 to 10 is needed"), "{error}");
    }
    // A writer can be used by one call only, a progress function by each call.
    let (bill, file) = (client.chain("v3/billdownload/file"), tempfile::tempdir().expect("folder"));
    let received = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&received);
    let progress = move |now, _| counted.store(now, Ordering::Relaxed);
    let options = Options::new().sink(std::io::sink()).progress(progress.clone());
    bill.get(options.clone()).expect("a file");
    let error = bill.get(options).expect_err("the writer is used");
    assert!(error.is_before_send() && error.message().contains("the writer was used by another call"), "{error}");
    let options = Options::new().sink_file(file.path().join("bill")).progress(progress);
    for options in [options.clone(), options] {
        received.store(0, Ordering::Relaxed);
        bill.get(options).expect("a file");
        assert_eq!(received.load(Ordering::Relaxed), 1000);
    }
    assert_eq!(std::fs::metadata(file.path().join("bill")).expect("saved").len(), 1000);
}

#[test]
fn form_redirects_and_proxy_have_setters() {
    let (sandbox, client) = start();
    sandbox.stub("POST", "v3/x", 307, json!({}));
    sandbox.stub("POST", "v3/y", 200, json!({}));
    let form = || Options::new().form_params(&json!({ "a": "b c" }));
    let located = || {
        sandbox.inject(Fault::Tamper(Box::new(|response| {
            response.headers_mut().insert("location", "/v3/y".parse().expect("path"));
        })));
    };
    located();
    assert_eq!(client.chain("v3/x").post(form()).expect_err("not followed").kind(), ErrorKind::Redirect);
    located();
    client.chain("v3/x").post(form().max_redirects(1)).expect("followed");
    client.chain("v3/y").post(form()).expect("a response");
    let last = sandbox.requests().pop().expect("a request");
    assert_eq!(last.body, "a=b+c");
    let error = client.chain("v3/y").post(form().proxy("gopher://h")).expect_err("no proxy");
    assert!(error.is_before_send() && error.message().contains("proxy"), "{error}");
    let error = client.chain("v3/y").post(form().max_redirects(21)).expect_err("too many");
    assert!(error.message().contains("\"max\" is not a number from 0 to 20"), "{error}");
}

#[test]
fn a_mistake_in_a_setter_is_the_error_of_the_call() {
    let (sandbox, client) = start();
    let reason = |options: Options| {
        let error = client.chain("v3/x/{id}").post(options).expect_err("a mistake");
        assert_eq!((error.kind(), error.is_before_send()), (ErrorKind::Options, true), "{error}");
        error.message().to_owned()
    };
    let broken = std::collections::BTreeMap::from([([1_u8, 2], "no name")]);
    for (options, expected) in [
        (Options::new().var("timeout", 1), "the variable \"timeout\" has the name of a request option"),
        (Options::new().var("other", 1), "the option \"other\" is unknown"),
        (Options::new().var("id", json!({})), "the variable \"id\" of the path is an empty object"),
        (Options::new().query(&1), "the option \"query\": a number where an object or a string is needed"),
        (Options::new().query(&broken), "the option \"query\" cannot be serialised: key must be a string"),
        (Options::new().xml(&json!({})), "the option \"xml\" belongs to APIv2"),
        (Options::new().header("a b", "x"), "is not a valid header name"),
        (Options::new().header("X", "1").header("x", "2"), "appears twice"),
        (Options::new().header("X", "1\n2"), "could inject a second header"),
        (Options::new().retry(11), "11 where a number from 0 to 10 is needed"),
        (Options::new().base_uri("ftp://host/"), "the option \"base_uri\""),
        (Options::new().security(true), "the option \"security\" belongs to APIv2"),
        (Options::new().encrypt(["name"]), "the option \"json\" is missing"),
        (Options::new().stream(true).sink(std::io::sink()), "both \"sink\" and \"stream\""),
    ] {
        let is_about_id = expected.contains("\"id\"") || expected.contains("\"other\"");
        let options = if is_about_id { options } else { options.var("id", 1) };
        let message = reason(options);
        assert!(message.contains(expected), "{expected}: {message}");
    }
    assert!(sandbox.requests().is_empty());
}

#[test]
fn every_form_of_options_is_accepted() {
    let (sandbox, client) = start();
    sandbox.stub("POST", "v3/x", 200, json!({}));
    let chain = client.chain("v3/x");
    let members = Map::from_iter([("json".to_owned(), json!({}))]);
    let value = json!({ "json": {} });
    for result in [
        chain.post(()),
        chain.post(value.clone()),
        chain.post(&value),
        chain.post(members),
        chain.post(Options::new().json(&[1])),
        client.request("POST", "v3/x", &value),
        chain.post_async(&value).wait(),
    ] {
        result.expect("a response");
    }
    let upload =
        client.chain("v3/merchant/media/upload").post(Media::from_bytes("a.png", b"\x89PNG\r\n\x1a\n".as_slice()));
    upload.expect("a response");
}

/// A type that is not options explains what to write.
#[test]
fn the_compiler_explains_what_options_are() {
    let folder = folder("not-options");
    let file = folder.join("main.rs");
    let program = "struct Order;\nfn main() {\n    let client: wechatpay_chain::Client = todo!();\n    \
                   client.chain(\"v3/x\").post(&Order).unwrap();\n}\n";
    std::fs::write(&file, program).expect("written");
    let (output, _) = Compiler::get().rustc(&file, &["wechatpay_chain"]);
    assert!(!output.status.success());
    let message = String::from_utf8(output.stderr).expect("UTF-8");
    for expected in [
        "`&Order` cannot be the options of a call",
        "in `Options::new().json(&value)`",
        "for a call without options, write `()`",
    ] {
        assert!(message.contains(expected), "{expected}: {message}");
    }
}

fn response(body: &str) -> Response {
    Response::from(
        http::Response::builder().header("content-type", "application/json").body(body.to_owned()).expect("a response"),
    )
}

#[test]
fn a_field_is_returned_or_named() {
    let order = response(
        r#"{"code_url": "weixin://wxpay", "amount": {"total": 888, "payer": null}, "data": [{"id": "1"}, {}], "a/b": {"~": 1}}"#,
    );
    assert_eq!(order.field::<String>("code_url").expect("a field"), "weixin://wxpay");
    assert_eq!(order.field::<Value>("amount").expect("a field")["total"], 888);
    assert_eq!(order.pointer::<u64>("/amount/total").expect("a field"), 888);
    assert_eq!(order.pointer::<String>("/data/0/id").expect("a field"), "1");
    assert_eq!(order.pointer::<u8>("/a~1b/~0").expect("a field"), 1);
    assert_eq!(order.pointer::<Map<String, Value>>("").expect("the whole").len(), 4);
    // An `Option` can be absent or null. Nothing else can.
    assert_eq!(order.field::<Option<String>>("prepay_id").expect("optional"), None);
    assert_eq!(order.pointer::<Option<u64>>("/amount/payer").expect("optional"), None);
    assert_eq!(order.pointer::<Option<u64>>("/amount/total").expect("optional"), Some(888));
    for (result, expected) in [
        (order.field::<String>("prepay_id").map(drop), "the field prepay_id is missing"),
        (order.field::<Value>("prepay_id").map(drop), "the field prepay_id is missing"),
        (order.field::<()>("prepay_id").map(drop), "the field prepay_id is missing"),
        (order.pointer::<Value>("/amount/payer_total").map(drop), "the field amount.payer_total is missing"),
        (order.pointer::<Value>("/amounts/total").map(drop), "the field amounts is missing"),
        (order.pointer::<Value>("/data/1/id").map(drop), "the field data.1.id is missing"),
        (order.pointer::<Value>("/data/2/id").map(drop), "the field data.2 is missing"),
        (order.pointer::<Value>("/data/x").map(drop), "the field data.x is missing"),
        (order.field::<u64>("code_url").map(drop), "the type of code_url does not match"),
        (order.pointer::<u64>("/amount/payer").map(drop), "the type of amount.payer does not match"),
        (order.pointer::<Vec<u64>>("/data").map(drop), "the type of data[0] does not match"),
        (
            order.field::<std::collections::BTreeMap<String, String>>("amount").map(drop),
            "the type of amount.total does not match",
        ),
        (response("[]").field::<Value>("x").map(drop), "the field x is missing"),
        (response("").field::<Value>("x").map(drop), "the body is empty"),
    ] {
        let error: Error = result.expect_err(expected);
        assert!(error.message().contains(expected), "{expected}: {error}");
        assert_eq!(error.kind(), ErrorKind::Decode);
        // A response arrived, so the call was sent.
        assert!(!error.is_before_send() && error.response().is_some());
        assert!(!error.to_string().contains("weixin") && !error.to_string().contains("888"), "{error}");
    }
}

#[test]
fn a_pointer_begins_with_a_slash() {
    let error = response("{}").pointer::<Value>("amount").expect_err("no pointer");
    each_hint_names_its_condition(&[(
        "the JSON Pointer \"amount\" does not begin with \"/\": write \"/amount/total\"",
        error.message().to_owned(),
    )]);
    assert!(!error.is_before_send(), "a response arrived");
}

#[test]
fn a_response_for_a_unit_test_is_not_verified() {
    let (_sandbox, client) = start();
    let message = json!({ "json": { "echo_message": "hello" } });
    let verified = client.chain("v3/security/echo").post(message).expect("a response");
    assert!(verified.is_verified());
    // Also if its extensions come from a verified one.
    let mut copy = http::Response::builder().status(201).header("request-id", "1").body("{}").expect("a response");
    copy.extensions_mut().insert(verified.clone());
    let copy = Response::from(copy);
    assert!(!copy.is_verified());
    assert_eq!((copy.status().as_u16(), copy.request_id(), copy.attempts()), (201, Some("1"), 1));
}
