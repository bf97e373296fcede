//! The flows of the sandbox, as a merchant's program meets them: orders, refunds, notifications.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use wechatpay_chain::notify::{Notification, NotificationVerifier};
use wechatpay_chain::sandbox::{MCHID, PUBLIC_KEY_ID, Sandbox};
use wechatpay_chain::{Client, Error};

use crate::support::{server, start};

pub(crate) fn native(out_trade_no: &str, total: u64, notify_url: &str) -> Value {
    json!({ "json": {
        "appid": "wxd678efh567hg6787", "mchid": MCHID, "description": "Image形象店-深圳腾大-QQ公仔", "out_trade_no": out_trade_no,
        "notify_url": notify_url, "amount": { "total": total, "currency": "CNY" },
    }})
}

/// What a notify_url received: headers and body.
pub(crate) type Arrived = (http::HeaderMap, Vec<u8>);

/// A merchant's notify_url; answers with these statuses in turn, then with 204.
pub(crate) fn notify_url(statuses: Vec<u16>) -> (String, Receiver<Arrived>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (send, receive) = channel();
    let statuses = std::sync::Arc::new(std::sync::Mutex::new(statuses.into_iter()));
    let address = server(move |mut stream| {
        let (send, statuses) = (send.clone(), std::sync::Arc::clone(&statuses));
        async move {
            loop {
                let mut read = Vec::new();
                let (head, length) = loop {
                    let mut piece = [0; 4096];
                    let count = stream.read(&mut piece).await?;
                    if count == 0 {
                        return Ok(());
                    }
                    read.extend_from_slice(&piece[..count]);
                    let text = String::from_utf8_lossy(&read).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length: usize = head
                        .lines()
                        .find_map(|line| {
                            line.to_lowercase().strip_prefix("content-length: ").map(|n| n.parse().expect("length"))
                        })
                        .unwrap_or(0);
                    if body.len() >= length {
                        break (head.to_owned(), length);
                    }
                };
                let body = read[read.len() - length..].to_vec();
                let mut headers = http::HeaderMap::new();
                for line in head.lines().skip(1) {
                    let (name, value) = line.split_once(": ").expect("header");
                    let name: http::HeaderName = name.parse().expect("name");
                    headers.append(name, value.parse().expect("value"));
                }
                let status = statuses.lock().expect("statuses").next().unwrap_or(204);
                // The test may have ended.
                let _ = send.send((headers, body));
                let response = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(response.as_bytes()).await?;
            }
        }
    });
    (format!("http://{address}/notify"), receive)
}

pub(crate) fn arrived(receive: &Receiver<Arrived>) -> Arrived {
    receive.recv_timeout(Duration::from_secs(20)).expect("a notification")
}

pub(crate) fn verified(sandbox: &Sandbox, arrived: &Arrived) -> Result<Notification, Error> {
    let notifications =
        NotificationVerifier::new([(PUBLIC_KEY_ID, sandbox.platform_key())], sandbox.apiv3_key()).expect("key");
    notifications.verify(&arrived.0, &arrived.1)
}

pub(crate) fn refused(client: &Client, path: &str, options: Value, status: u16, code: &str) {
    let error = client.chain(path).post(options.clone()).expect_err(code);
    assert_eq!(
        (error.status().map(|s| s.as_u16()), error.code()),
        (Some(status), Some(code)),
        "{path} {options}: {error}"
    );
    assert!(error.response().expect("response").is_verified() && error.request_id().is_some());
}

pub(crate) fn with(mut options: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').expect("pointer");
    options.pointer_mut(parent).expect("parent")[name] = value;
    options
}

#[test]
fn a_native_order_from_beginning_to_end() {
    let (sandbox, client) = start();
    let (url, receive) = notify_url(vec![]);
    let placed = client.chain("v3/pay/transactions/native").post(native("order-1", 100, &url)).expect("placed");
    assert!(placed.json().expect("json")["code_url"].as_str().expect("url").starts_with("weixin://"));
    let again = client.chain("v3/pay/transactions/native").post(native("order-1", 100, &url)).expect("the same");
    assert_eq!(again.body(), placed.body());
    refused(&client, "v3/pay/transactions/native", native("order-1", 101, &url), 403, "OUT_TRADE_NO_USED");

    let by_number = client.chain("v3/pay/transactions/out-trade-no/{out_trade_no}");
    let query = |number: &str| by_number.get(json!({ "out_trade_no": number, "query": { "mchid": MCHID } }));
    assert_eq!(query("order-1").expect("order").json().expect("json")["trade_state"], "NOTPAY");
    assert_eq!(query("none").expect_err("none").code(), Some("ORDER_NOT_EXIST"));
    let error = by_number.get(json!({ "out_trade_no": "order-1" })).expect_err("no mchid");
    assert_eq!(error.code(), Some("PARAM_ERROR"));
    let error = by_number.get(json!({ "out_trade_no": "order-1", "query": { "mchid": "1" } })).expect_err("another's");
    assert_eq!(error.code(), Some("NO_AUTH"));

    let transaction_id = sandbox.pay("order-1").expect("paid");
    let told = verified(&sandbox, &arrived(&receive)).expect("genuine");
    assert_eq!((told.event_type(), &told.resource()["out_trade_no"]), ("TRANSACTION.SUCCESS", &json!("order-1")));
    assert_eq!(told.resource()["transaction_id"], json!(transaction_id));
    let order = client
        .chain("v3/pay/transactions/id/{id}")
        .get(json!({ "id": transaction_id, "query": { "mchid": MCHID } }))
        .expect("order");
    assert_eq!(order.json().expect("json")["trade_state"], "SUCCESS");
    assert_eq!(order.json().expect("json")["amount"]["payer_total"], 100);
    refused(&client, "v3/pay/transactions/native", native("order-1", 100, &url), 400, "ORDERPAID");
    let error = sandbox.pay("order-1").expect_err("twice");
    assert!(error.message().contains("is paid already"), "{error}");
    assert!(sandbox.pay("none").expect_err("none").message().contains("is not known"));

    let refund = |number: &str, amount: u64| {
        json!({ "json": {
            "out_trade_no": "order-1", "out_refund_no": number, "notify_url": url, "amount": { "refund": amount, "total": 100, "currency": "CNY" },
        }})
    };
    let first =
        client.chain("v3/refund/domestic/refunds").post(refund("r1", 60)).expect("refunded").json().expect("json");
    assert_eq!((&first["status"], &first["amount"]["refund"]), (&json!("PROCESSING"), &json!(60)));
    let told = verified(&sandbox, &arrived(&receive)).expect("genuine");
    assert_eq!((told.event_type(), &told.resource()["out_refund_no"]), ("REFUND.SUCCESS", &json!("r1")));
    let same =
        client.chain("v3/refund/domestic/refunds").post(refund("r1", 60)).expect("the same").json().expect("json");
    assert_eq!(same["refund_id"], first["refund_id"]);
    refused(&client, "v3/refund/domestic/refunds", refund("r1", 10), 403, "OUT_TRADE_NO_USED");
    refused(&client, "v3/refund/domestic/refunds", refund("r2", 41), 400, "INVALID_REQUEST");
    refused(
        &client,
        "v3/refund/domestic/refunds",
        with(refund("r2", 1), "/json/amount/total", 99.into()),
        400,
        "PARAM_ERROR",
    );
    refused(
        &client,
        "v3/refund/domestic/refunds",
        with(refund("r2", 1), "/json/out_trade_no", "none".into()),
        404,
        "RESOURCE_NOT_EXISTS",
    );
    client.chain("v3/refund/domestic/refunds").post(refund("r2", 40)).expect("the rest");
    let found = client.chain("v3/refund/domestic/refunds/{no}").get(json!({ "no": "r2" })).expect("refund");
    assert_eq!(found.json().expect("json")["status"], "SUCCESS");
    assert_eq!(query("order-1").expect("order").json().expect("json")["trade_state"], "REFUND");
    sandbox.audit().expect("balanced");
}

#[test]
fn each_wrong_order_has_its_field() {
    let (_sandbox, client) = start();
    let url = "https://example.com/notify";
    for (pointer, value, field) in [
        ("/json/description", Value::Null, "/description"),
        ("/json/description", "x".repeat(128).into(), "/description"),
        ("/json/out_trade_no", "with blank".into(), "/out_trade_no"),
        ("/json/out_trade_no", "x".repeat(33).into(), "/out_trade_no"),
        ("/json/notify_url", "example.com".into(), "/notify_url"),
        ("/json/amount", "1".into(), "/amount"),
        ("/json/amount/total", "1".into(), "/amount/total"),
        ("/json/amount/total", 0.into(), "/amount/total"),
        ("/json/amount/total", 1.5.into(), "/amount/total"),
        ("/json/amount/currency", "USD".into(), "/amount/currency"),
        ("/json/time_expire", "tomorrow".into(), "/time_expire"),
        ("/json/appid", "".into(), "/appid"),
    ] {
        let options = with(native("1", 1, url), pointer, value.clone());
        let error = client.chain("v3/pay/transactions/native").post(options).expect_err(pointer);
        assert_eq!(error.code(), Some("PARAM_ERROR"), "{pointer} {value}: {error}");
        let message = error.response().expect("response").json().expect("json");
        assert_eq!(message["detail"]["field"], field, "{message}");
    }
    refused(
        &client,
        "v3/pay/transactions/native",
        with(native("1", 1, url), "/json/mchid", "1".into()),
        403,
        "NO_AUTH",
    );
    refused(&client, "v3/pay/transactions/jsapi", native("1", 1, url), 400, "PARAM_ERROR");
    refused(&client, "v3/pay/transactions/h5", native("1", 1, url), 400, "PARAM_ERROR");
    let error = client
        .chain("v3/pay/transactions/native")
        .post(json!({ "body": "{", "headers": { "Content-Type": "application/json" } }));
    assert_eq!(error.expect_err("no JSON").code(), Some("PARAM_ERROR"));
    let error = client
        .chain("v3/pay/transactions/native")
        .post(json!({ "body": "{}", "headers": { "Content-Type": "text/plain" } }));
    assert!(error.expect_err("no JSON").message().contains("Content-Type"));
    let error = client.chain("v3/nothing/of/this").get(()).expect_err("unknown");
    assert!(error.message().contains("--stubs FILE") && error.message().contains("v3/nothing/of/this"), "{error}");
}

#[test]
fn every_kind_of_order_direct_and_partner() {
    let (sandbox, client) = start();
    let url = "https://example.com/notify";
    let partner = |number: &str| {
        json!({ "json": {
            "sp_appid": "wx8888888888888888", "sp_mchid": MCHID, "sub_mchid": "1900000209", "description": "d", "out_trade_no": number,
            "notify_url": url, "amount": { "total": 7 },
        }})
    };
    let h5 = json!({ "payer_client_ip": "14.23.150.211", "h5_info": { "type": "Wap" } });
    for (kind, field, pointer, extra) in [
        ("native", "code_url", "/json/attach", json!("a")),
        ("jsapi", "prepay_id", "/json/payer", json!({ "openid": "o1", "sp_openid": "o1" })),
        ("app", "prepay_id", "/json/attach", json!("a")),
        ("h5", "h5_url", "/json/scene_info", h5),
    ] {
        let direct = with(native(&format!("d-{kind}"), 5, url), pointer, extra.clone());
        let placed = client.chain(&format!("v3/pay/transactions/{kind}")).post(direct).expect("placed");
        assert!(placed.json().expect("json")[field].is_string(), "{kind}");
        let placed = client.chain(&format!("v3/pay/partner/transactions/{kind}")).post(with(
            partner(&format!("p-{kind}")),
            pointer,
            extra,
        ));
        assert!(placed.expect("placed").json().expect("json")[field].is_string(), "{kind}");
        sandbox.pay(&format!("d-{kind}")).expect("paid");
        sandbox.pay(&format!("p-{kind}")).expect("paid");
        let asked = client
            .chain("v3/pay/partner/transactions/out-trade-no/{no}")
            .get(json!({ "no": format!("p-{kind}"), "query": { "sp_mchid": MCHID, "sub_mchid": "1900000209" } }));
        let asked = asked.expect("order").json().expect("json");
        assert_eq!((&asked["sub_mchid"], &asked["trade_state"]), (&json!("1900000209"), &json!("SUCCESS")));
    }
    // Numbers are each merchant's own.
    client.chain("v3/pay/partner/transactions/native").post(partner("d-native")).expect("another merchant's");
    let close = client.chain("v3/pay/transactions/out-trade-no/{no}/close");
    client.chain("v3/pay/transactions/native").post(native("c", 1, url)).expect("placed");
    let closed = close.post(json!({ "no": "c", "json": { "mchid": MCHID } })).expect("closed");
    assert_eq!(closed.status(), 204);
    assert_eq!(
        close.post(json!({ "no": "d-native", "json": { "mchid": MCHID } })).expect_err("paid").code(),
        Some("ORDERPAID")
    );
    assert_eq!(
        close.post(json!({ "no": "x", "json": { "mchid": MCHID } })).expect_err("none").code(),
        Some("ORDER_NOT_EXIST")
    );
    refused(&client, "v3/pay/transactions/native", native("c", 1, url), 400, "ORDER_CLOSED");
    assert!(sandbox.pay("c").expect_err("closed").message().contains("is closed"));
    sandbox.audit().expect("balanced");
}

#[test]
fn a_combined_order() {
    let (sandbox, client) = start();
    let (url, receive) = notify_url(vec![]);
    let sub = |number: &str, amount: u64| json!({ "mchid": MCHID, "out_trade_no": number, "description": "d", "attach": "a", "amount": { "total_amount": amount, "currency": "CNY" } });
    let combined = |number: &str, subs: Value| {
        json!({ "json": {
            "combine_appid": "wxd678efh567hg6787", "combine_mchid": MCHID, "combine_out_trade_no": number, "notify_url": url, "sub_orders": subs,
        }})
    };
    client
        .chain("v3/combine-transactions/native")
        .post(combined("all", json!([sub("s1", 10), sub("s2", 20)])))
        .expect("placed");
    // All of them, or none.
    let error =
        client.chain("v3/combine-transactions/native").post(combined("other", json!([sub("s3", 10), sub("s1", 10)])));
    assert_eq!(error.expect_err("taken").code(), Some("OUT_TRADE_NO_USED"));
    assert!(sandbox.pay("s3").is_err(), "nothing of it was placed");
    sandbox.pay("all").expect("paid");
    let told = verified(&sandbox, &arrived(&receive)).expect("genuine");
    assert_eq!(told.resource()["sub_orders"].as_array().map(Vec::len), Some(2));
    let asked = client.chain("v3/combine-transactions/out-trade-no/{no}").get(json!({ "no": "all" })).expect("order");
    assert_eq!(asked.json().expect("json")["sub_orders"][1]["amount"]["payer_amount"], 20);
    client.chain("v3/combine-transactions/jsapi").post(combined("j", json!([sub("s4", 1)]))).expect_err("no payer");
    client
        .chain("v3/combine-transactions/app")
        .post(combined("c", json!([sub("s5", 1), sub("s6", 1)])))
        .expect("placed");
    let close = client.chain("v3/combine-transactions/out-trade-no/{no}/close");
    let closing = |no: &str, subs: Value| json!({ "no": no, "json": { "combine_appid": "wxd678efh567hg6787", "sub_orders": subs } });
    let number = |no: &str| json!({ "mchid": MCHID, "out_trade_no": no });
    close.post(closing("c", json!([number("s5"), number("s1")]))).expect_err("s1 is of another");
    assert_eq!(close.post(closing("c", json!([number("s5"), number("s6")]))).expect("closed").status(), 204);
    assert!(sandbox.pay("c").is_err());
    sandbox.audit().expect("balanced");
}

/// A control call from the outside, as the page makes it.
pub(crate) fn control(sandbox: &Sandbox, path: &str, body: &Value) -> Result<Value, String> {
    let request = format!(
        "POST /sandbox/{path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        sandbox.address(),
        body.to_string().len()
    );
    let response = raw(sandbox, &request);
    let (head, body) = response.split_once("\r\n\r\n").expect("head");
    let body: Value = serde_json::from_str(body).expect("json");
    if head.starts_with("HTTP/1.1 200") { Ok(body) } else { Err(body["error"].as_str().expect("said").to_owned()) }
}

pub(crate) fn raw(sandbox: &Sandbox, request: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(sandbox.address()).expect("connected");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("response");
    response
}
