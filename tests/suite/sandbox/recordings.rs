//! Recordings of a client's calls, and their replay at another sandbox.

use std::path::PathBuf;

use bytes::Bytes;
use serde_json::{Value, json};
use tempfile::TempDir;
use wechatpay_chain::sandbox::{Fault, MCHID, PUBLIC_KEY_ID, Recording, Sandbox};
use wechatpay_chain::{BoxService, Client, ErrorKind, Media, Options};

use super::native;
use crate::support::{by_certificate, sandbox, start};

const NATIVE: &str = "v3/pay/transactions/native";
const QUERY: &str = "v3/pay/transactions/out-trade-no/{out_trade_no}";
const TRANSFERS: &str = "v3/fund-app/mch-transfer/transfer-bills";
const NAME: &str = "张三";
const OPENID: &str = "o-MYE42l80oelYMDE34nYD456Xoy";

fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("shop.json");
    (folder, file)
}

/// A sandbox, a recording client, and its recording.
fn recorded() -> (Sandbox, Client, Recording) {
    let (sandbox, recording) = (sandbox(), Recording::new());
    let client = sandbox.client_builder().apiv3_key(sandbox.apiv3_key()).layer(recording.clone()).build();
    (sandbox, client.expect("client"), recording)
}

fn query(number: &str) -> Options {
    Options::new().var("out_trade_no", number).query(&json!({ "mchid": MCHID }))
}

/// Makes the calls of a shop. Returns the status and the body of each response.
fn shop(client: &Client, pay: impl FnOnce()) -> Vec<(u16, Value)> {
    let mut pay = Some(pay);
    let transfer = json!({
        "json": {
            "appid": "wxf636efh567hg4356", "out_bill_no": "transfer1", "transfer_scene_id": "1000", "openid": OPENID,
            "user_name": NAME, "transfer_amount": 2000, "transfer_remark": "a prize",
            "transfer_scene_report_infos": [
                { "info_type": "活动名称", "info_content": "新会员有礼" }, { "info_type": "奖励说明", "info_content": "一等奖" },
            ],
        },
        "encrypt": "user_name",
    });
    let close = json!({ "out_trade_no": "order-2", "json": { "mchid": MCHID } });
    let wrong = json!({ "json": { "mchid": MCHID, "payer": { "openid": OPENID } } });
    let calls: [(bool, &str, Options); 9] = [
        (true, NATIVE, native("order-1", 100, "https://example.com/").into()),
        (true, NATIVE, native("order-2", 200, "https://example.com/").into()),
        (false, QUERY, query("order-1")),
        (false, QUERY, query("order-1")),
        (false, QUERY, query("order-3")),
        (true, "v3/pay/transactions/out-trade-no/{out_trade_no}/close", close.into()),
        (true, TRANSFERS, transfer.into()),
        (true, "v3/pay/transactions/jsapi", wrong.into()),
        (false, "v3/certificates", Options::new()),
    ];
    let mut results = Vec::new();
    for (index, (is_post, path, options)) in calls.into_iter().enumerate() {
        // The order is paid between its two queries.
        if let Some(pay) = pay.take_if(|_| index == 3) {
            pay();
        }
        let chain = client.chain(path);
        let response = if is_post { chain.post(options) } else { chain.get(options) };
        let response = response.unwrap_or_else(|error| error.response().expect("a response").clone());
        assert!(response.is_verified(), "{path}");
        let body = if response.body().is_empty() { Value::Null } else { response.json().expect("JSON") };
        results.push((response.status().as_u16(), body));
    }
    results
}

/// Saves a recording of the shop's calls. Returns the responses.
fn save(path: &PathBuf) -> Vec<(u16, Value)> {
    let (sandbox, client, recording) = recorded();
    let results = shop(&client, || drop(sandbox.pay("order-1").expect("paid")));
    recording.save(path).expect("saved");
    results
}

#[test]
fn a_recording_is_replayed_at_another_sandbox() {
    let (_folder, path) = file();
    let mut expected = save(&path);
    let (sandbox, client) = start();
    sandbox.replay(&path).expect("a recording");
    let replayed = shop(&client, || {});
    // The payer's openid is replaced. The sandbox itself responds to the request for its
    // certificates, and does not have any.
    assert!(expected[3].1["payer"]["openid"].is_string());
    for (index, pointer) in [(3, "/payer/openid"), (7, "/detail/value")] {
        let Some(value) = expected[index].1.pointer_mut(pointer).filter(|value| value.is_string()) else { continue };
        let mask = replayed[index].1.pointer(pointer).expect("a mask").clone();
        assert!(mask.as_str().is_some_and(|mask| mask.starts_with("***") && mask.len() > 3), "{mask}");
        *value = mask;
    }
    assert_eq!(replayed[..8], expected[..8]);
    let statuses: Vec<u16> = replayed.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 404, 204, 200, 400, 404]);
    assert_eq!((&replayed[2].1["trade_state"], &replayed[3].1["trade_state"]), (&json!("NOTPAY"), &json!("SUCCESS")));
    assert!(sandbox.orders().is_empty());
    // Each recorded response is returned once.
    let error = client.chain(QUERY).get(query("order-1")).expect_err("no third query");
    assert_eq!((error.code(), error.status().map(|status| status.as_u16())), (Some("NOT_RECORDED"), Some(400)));
    let message = error.to_string();
    assert!(message.contains("order-1?mchid=1900000109 is recorded 2 times, and each was answered"), "{message}");
}

#[test]
fn no_secret_and_no_personal_value_is_in_a_recording() {
    let (_folder, path) = file();
    let (sandbox, client, recording) = recorded();
    shop(&client, || drop(sandbox.pay("order-1").expect("paid")));
    recording.save(&path).expect("saved");
    let text = std::fs::read_to_string(&path).expect("a file");
    let settings = sandbox.settings();
    let mut secrets = vec![NAME.to_owned(), OPENID.to_owned()];
    secrets.extend(["apiv3_key", "secret"].map(|name| settings[name].as_str().expect("text").to_owned()));
    for key in [&settings["privateKey"], &settings["merchant"]["key"], &settings["merchant"]["cert"]] {
        secrets.extend(key.as_str().expect("PEM").lines().map(str::to_owned));
    }
    let order: Value =
        sandbox.client().expect("client").chain(QUERY).get(query("order-1")).expect("an order").json().expect("JSON");
    secrets.push(order["payer"]["openid"].as_str().expect("an openid").to_owned());
    for request in sandbox.requests() {
        let authorization = request.headers["authorization"].to_str().expect("text");
        secrets.extend(authorization.split('"').filter(|part| part.len() > 30).map(str::to_owned));
        if let Ok(body) = request.json::<Value>() {
            secrets.extend(body["user_name"].as_str().map(str::to_owned));
        }
    }
    secrets
        .extend(["Authorization", "Wechatpay-", PUBLIC_KEY_ID, "127.0.0.1", "encrypt_certificate"].map(str::to_owned));
    assert!(secrets.len() > 60, "{}", secrets.len());
    let lower = text.to_lowercase();
    for secret in secrets {
        assert!(!lower.contains(&secret.to_lowercase()), "{secret}");
    }
    // Other values are recorded as they were sent.
    let calls: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(calls.as_array().expect("an array").len(), 8);
    assert_eq!(calls[0]["path"], "/v3/pay/transactions/native");
    assert_eq!((&calls[0]["request"]["amount"]["total"], &calls[0]["status"]), (&json!(100), &json!(200)));
    let transfer = &calls[6]["request"];
    assert!(transfer["openid"].as_str().is_some_and(|mask| mask.starts_with("***") && mask.len() > 3), "{transfer}");
    assert_eq!(transfer["user_name"], json!("***"), "a ciphertext differs each time");
}

#[test]
fn a_request_that_differs_or_is_not_recorded_is_refused() {
    let (_folder, path) = file();
    save(&path);
    let (sandbox, client) = start();
    sandbox.replay(&path).expect("a recording");
    let other_query = Options::new().var("out_trade_no", "order-1").query(&json!({ "mchid": "1" }));
    let extra = super::with_field(native("order-1", 100, "https://example.com/"), "/json/attach", json!("x"));
    for (error, expected) in [
        (
            client.chain(NATIVE).post(native("order-1", 101, "https://example.com/")),
            "POST /v3/pay/transactions/native differs from call 1: ",
        ),
        (
            client.chain(NATIVE).post(native("order-1", 101, "https://example.com/")),
            "body.amount.total is 101, and 100 is recorded",
        ),
        (client.chain(NATIVE).post(extra), "body.attach is not recorded"),
        (client.chain(QUERY).get(other_query), "query.mchid is \"1\", and \"1900000109\" is recorded"),
        (client.chain(QUERY).get(query("order-9")), "order-9?mchid=1900000109 is not recorded"),
        (client.chain("v3/security/echo").post(json!({ "json": {} })), "POST /v3/security/echo is not recorded"),
        (client.chain("v3/merchant/media/upload").post(Media::from_bytes("a.png", "x")), "is not JSON"),
    ] {
        let error = error.expect_err(expected);
        let message = error.to_string();
        assert!(message.contains(expected) && message.contains(path.to_str().expect("a path")), "{message}");
        assert!(error.code() == Some("NOT_RECORDED") && error.is_verified(), "{message}");
    }
    let v2 = json!({ "xml": { "mch_id": MCHID, "appid": "wx8888888888888888", "out_trade_no": "order-1" } });
    let error = client.chain("v2/pay/orderquery").post(v2).expect_err("APIv2").to_string();
    assert!(error.contains("calls of APIv2 are not recorded"), "{error}");
    // A refused request does not use up a recorded call. A stub takes precedence.
    client.chain(NATIVE).post(native("order-1", 100, "https://example.com/")).expect("recorded");
    sandbox.stub("POST", NATIVE, 200, json!({ "code_url": "stub" }));
    let stub = client.chain(NATIVE).post(native("order-7", 100, "https://example.com/")).expect("a stub");
    assert_eq!(stub.field::<String>("code_url").expect("a field"), "stub");
}

#[test]
fn an_edited_file_can_accept_any_value() {
    let (_folder, path) = file();
    let call = json!([{ "method": "GET", "path": "/v3/shops/***?a=***", "status": 200, "response": { "id": 1 } }]);
    std::fs::write(&path, call.to_string()).expect("a file");
    let (sandbox, client) = start();
    sandbox.replay(&path).expect("a recording");
    let shop = client.chain("v3/shops/{id}").get(json!({ "id": 7, "query": { "a": 2 } })).expect("recorded");
    assert_eq!(shop.field::<u64>("id").expect("a field"), 1);
}

/// The calls of two users have the same path, and each user receives the own response.
#[test]
fn calls_of_two_users_are_replayed_for_each_of_them() {
    const COUPONS: &str = "v3/marketing/favor/users/{openid}/coupons";
    let (_folder, path) = file();
    let (sandbox, client, recording) = recorded();
    for user in ["user-a", "user-bob"] {
        sandbox.stub("GET", &format!("v3/marketing/favor/users/{user}/coupons"), 200, json!({ "of": user.len() }));
    }
    let coupons = |client: &Client, user: &str| {
        let response = client.chain(COUPONS).get(json!({ "openid": user, "query": { "appid": "wx8888888888888888" } }));
        response.map(|response| response.field::<u64>("of").expect("a field")).map_err(|error| error.to_string())
    };
    for user in ["user-a", "user-bob", "user-a"] {
        coupons(&client, user).expect("a stub");
    }
    recording.save(&path).expect("saved");
    let text = std::fs::read_to_string(&path).expect("a file");
    assert!(!text.contains("user-a") && text.matches("users/***1/").count() == 2, "{text}");
    let (sandbox, client) = start();
    sandbox.replay(&path).expect("a recording");
    // The recorded order is a, bob, a.
    let lengths: Vec<u64> = ["oC", "oC", "oD"].iter().map(|user| coupons(&client, user).expect("recorded")).collect();
    assert_eq!(lengths, [6, 6, 8]);
    let message = coupons(&client, "oSecond").expect_err("each was answered");
    assert!(message.contains("is recorded 3 times") && !message.contains("oSecond"), "{message}");
    // A file that was edited may name a real user.
    std::fs::write(&path, text.replace("***1", "user-a")).expect("edited");
    sandbox.replay(&path).expect("a recording");
    assert_eq!(coupons(&client, "user-a").expect("recorded"), 6);
}

#[test]
fn a_damaged_file_is_an_error_that_names_the_line() {
    let (_folder, path) = file();
    save(&path);
    let text = std::fs::read_to_string(&path).expect("a file");
    let (sandbox, client) = start();
    for (damaged, expected) in [
        (text.replacen("\"status\": 200", "\"status\": 99", 1), "99 is not the status of a response at line "),
        (text.replacen("\"status\": 200", "\"state\": 200", 1), "unknown field `state`"),
        (text.replacen("\"status\": 200", "\"status\": 200,\n\"status\": 200", 1), "status"),
        (text.replacen("\"method\": \"POST\",", "", 1), "missing field `method` at line "),
        (text[..text.len() / 2].to_owned(), " at line "),
        ("{}".to_owned(), "line 1"),
    ] {
        std::fs::write(&path, damaged).expect("written");
        let error = sandbox.replay(&path).expect_err(expected);
        let message = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(message.contains(expected) && message.contains(" at line "), "{message}");
        assert!(message.contains(path.to_str().expect("a path")), "{message}");
    }
    std::fs::remove_file(&path).expect("removed");
    let message = sandbox.replay(&path).expect_err("no file").to_string();
    assert!(message.contains("shop.json cannot be read"), "{message}");
    // No recording is replayed.
    client.chain("v3/security/echo").post(json!({ "json": { "echo_message": "hi" } })).expect("the sandbox's response");
}

#[test]
fn a_call_that_cannot_be_recorded_is_refused_before_it_is_sent() {
    let (sandbox, client, recording) = recorded();
    let (_folder, path) = file();
    let v2 = json!({ "xml": { "mch_id": MCHID, "appid": "wx8888888888888888", "out_trade_no": "order-1" } });
    let results = [
        client.chain("v2/pay/orderquery").post(v2),
        client.chain("v3/merchant/media/upload").post(Media::from_bytes("a.png", "x")),
        client.chain("v3/x").post(json!({ "form_params": { "a": 1 } })),
        client.chain("v3/x").get(json!({ "stream": true })),
        client.chain("v3/x").get(json!({ "sink": path.to_str() })),
    ];
    for result in results {
        let error = result.expect_err("not recorded");
        assert!(error.is_before_send() && error.to_string().contains("a Recording cannot record this call"), "{error}");
    }
    assert!(sandbox.requests().is_empty() && !path.exists());
    recording.save(&path).expect("an empty recording");
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), "[]\n");
}

#[test]
fn a_recording_with_a_call_that_has_no_verified_response_is_not_saved() {
    let (_folder, path) = file();
    let echo = json!({ "json": { "echo_message": "hi" } });
    let gateway = || Fault::Gateway(http::Response::builder().status(400).body(Bytes::new()).expect("a response"));
    for (fault, expected) in [
        (Fault::WrongSignature, "POST /v3/security/echo: no response was accepted"),
        (Fault::Hangup, "POST /v3/security/echo: no response was accepted"),
        (gateway(), "POST /v3/security/echo: the response with status 400 Bad Request is not verified"),
    ] {
        let (sandbox, client, recording) = recorded();
        sandbox.inject(fault);
        client.chain("v3/security/echo").post(&echo).expect_err("a fault");
        client.chain("v3/security/echo").post(&echo).expect("a response");
        let error = recording.save(&path).expect_err(expected);
        assert!(error.to_string().contains(expected) && error.kind() == ErrorKind::Config, "{error}");
        assert!(!path.exists());
    }
}

#[test]
fn a_recording_with_a_cancelled_call_is_not_saved() {
    let (_folder, path) = file();
    let (sandbox, recording) = (sandbox(), Recording::new());
    let silent = tower::layer::layer_fn(|_: BoxService| {
        tower::service_fn(|_: http::Request<Bytes>| {
            std::future::pending::<Result<http::Response<Bytes>, wechatpay_chain::Error>>()
        })
    });
    let client = sandbox.client_builder().layer(recording.clone()).layer(silent).build().expect("client");
    let error = client.chain("v3/things").get(json!({ "timeout": 0.01 })).expect_err("a timeout");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let message = recording.save(&path).expect_err("cancelled").to_string();
    assert!(message.contains("GET /v3/things is under way, or was cancelled") && !path.exists(), "{message}");
}

#[test]
fn a_client_that_downloads_certificates_records_and_replays() {
    let (_folder, path) = file();
    let (first, second, recording) = (sandbox(), sandbox(), Recording::new());
    first.rotate_certificate().expect("a certificate");
    second.rotate_certificate().expect("a certificate");
    let echo = json!({ "json": { "echo_message": "hi" } });
    let client = by_certificate(&first).layer(recording.clone()).build().expect("client");
    client.chain("v3/security/echo").post(&echo).expect("a response");
    client.chain("v3/certificates").get(()).expect("certificates");
    recording.save(&path).expect("saved");
    let text = std::fs::read_to_string(&path).expect("a file");
    assert!(text.contains("echo_message") && !text.contains("certificate"), "{text}");
    second.replay(&path).expect("a recording");
    let client = by_certificate(&second).build().expect("client");
    assert!(client.chain("v3/security/echo").post(&echo).expect("recorded").is_verified());
}

#[test]
fn concurrent_calls_are_replayed_in_any_order() {
    let (_folder, path) = file();
    let (_sandbox, client, recording) = recorded();
    let things = |client: &Client, numbers: &mut dyn Iterator<Item = u32>| {
        std::thread::scope(|scope| {
            for number in numbers {
                let chain = client.chain("v3/refund/domestic/refunds/{out_refund_no}");
                scope.spawn(move || {
                    let error = chain.get(json!({ "out_refund_no": number })).expect_err("no such refund");
                    assert_eq!(error.code(), Some("RESOURCE_NOT_EXISTS"), "{error}");
                });
            }
        });
    };
    things(&client, &mut (0..8));
    recording.save(&path).expect("saved");
    let (sandbox, client) = start();
    sandbox.replay(&path).expect("a recording");
    things(&client, &mut (0..8).rev());
}
