//! The flows of the sandbox, as a merchant's program meets them: orders, refunds, transfers, sharing, bills, notifications.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use wechatpay_chain::notify::{Notification, Notifications};
use wechatpay_chain::sandbox::{Fault, MCHID, PUBLIC_KEY_ID, Sandbox};
use wechatpay_chain::{Client, Error, ErrorKind, Media};

use crate::support::{sandbox, server, start};

pub(crate) fn native(out_trade_no: &str, total: u64, notify_url: &str) -> Value {
    json!({ "json": {
        "appid": "wxd678efh567hg6787", "mchid": MCHID, "description": "Image形象店-深圳腾大-QQ公仔", "out_trade_no": out_trade_no,
        "notify_url": notify_url, "amount": { "total": total, "currency": "CNY" },
    }})
}

/// What a notify_url received: headers and body.
type Arrived = (http::HeaderMap, Vec<u8>);

/// A merchant's notify_url; answers with these statuses in turn, then with 204.
fn notify_url(statuses: Vec<u16>) -> (String, Receiver<Arrived>) {
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
                let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await?;
            }
        }
    });
    (format!("http://{address}/notify"), receive)
}

fn arrived(receive: &Receiver<Arrived>) -> Arrived {
    receive.recv_timeout(Duration::from_secs(20)).expect("a notification")
}

fn verified(sandbox: &Sandbox, arrived: &Arrived) -> Result<Notification, Error> {
    let notifications =
        Notifications::new([(PUBLIC_KEY_ID, sandbox.platform_key())], sandbox.apiv3_key()).expect("key");
    notifications.verify(&arrived.0, &arrived.1)
}

fn refused(client: &Client, path: &str, options: Value, status: u16, code: &str) {
    let error = client.chain(path).post(options.clone()).expect_err(code);
    assert_eq!(
        (error.status().map(|s| s.as_u16()), error.code()),
        (Some(status), Some(code)),
        "{path} {options}: {error}"
    );
    assert!(error.response().expect("answer").is_verified() && error.request_id().is_some());
}

fn with(mut options: Value, pointer: &str, value: Value) -> Value {
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
        let said = error.response().expect("answer").json().expect("json");
        assert_eq!(said["detail"]["field"], field, "{said}");
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

#[test]
fn a_merchant_transfer() {
    let (sandbox, client) = start();
    let (url, receive) = notify_url(vec![]);
    let transfer = |number: &str, amount: u64| {
        json!({ "json": {
            "appid": "wxf636efh567hg4356", "out_bill_no": number, "transfer_scene_id": "1000", "openid": "o-MYE42l80oelYMDE34nYD456Xoy",
            "transfer_amount": amount, "transfer_remark": "2020年4月报销", "notify_url": url,
            "transfer_scene_report_infos": [{ "info_type": "活动名称", "info_content": "注册会员有礼" }],
        }})
    };
    let bills = client.chain("v3/fund-app/mch-transfer/transfer-bills");
    let made = bills.post(transfer("t1", 400)).expect("made").json().expect("json");
    assert_eq!(made["state"], "WAIT_USER_CONFIRM");
    assert_eq!(bills.post(transfer("t1", 401)).expect_err("other").code(), Some("ALREADY_EXISTS"));
    assert_eq!(bills.post(transfer("t0", 9)).expect_err("little").code(), Some("PARAM_ERROR"));
    sandbox.confirm_transfer("t1").expect("confirmed");
    let told = verified(&sandbox, &arrived(&receive)).expect("genuine");
    assert_eq!((told.event_type(), &told.resource()["state"]), ("MCHTRANSFER.BILL.FINISHED", &json!("SUCCESS")));
    let cancel = client.chain("v3/fund-app/mch-transfer/transfer-bills/out-bill-no/{no}/cancel");
    assert_eq!(cancel.post(json!({ "no": "t1" })).expect_err("too late").code(), Some("INVALID_REQUEST"));
    bills.post(transfer("t2", 500)).expect("made");
    assert_eq!(cancel.post(json!({ "no": "t2" })).expect("cancelled").json().expect("json")["state"], "CANCELLED");
    assert!(sandbox.confirm_transfer("t2").is_err());
    let by_bill = client.chain("v3/fund-app/mch-transfer/transfer-bills/transfer-bill-no/{no}");
    let found = by_bill.get(json!({ "no": made["transfer_bill_no"] })).expect("found").json().expect("json");
    assert_eq!((&found["out_bill_no"], &found["state"]), (&json!("t1"), &json!("SUCCESS")));
    for number in 0..6 {
        let outcome = bills.post(transfer(&format!("big{number}"), 20_000_000));
        if number == 5 {
            assert_eq!(outcome.expect_err("the account is empty").code(), Some("NOT_ENOUGH"));
        } else if number < 4 {
            outcome.expect("made");
        }
    }
    sandbox.audit().expect("balanced");
}

#[test]
fn profit_sharing() {
    let (sandbox, client) = start();
    let options =
        with(native("p1", 1000, "https://example.com/notify"), "/json/settle_info", json!({ "profit_sharing": true }));
    client.chain("v3/pay/transactions/native").post(options).expect("placed");
    let transaction_id = sandbox.pay("p1").expect("paid");
    let receiver = json!({ "type": "MERCHANT_ID", "account": "86693852", "relation_type": "SERVICE_PROVIDER" });
    client.chain("v3/profitsharing/receivers/add").post(json!({ "json": receiver })).expect("added");
    let share = |number: &str, amount: u64| {
        json!({ "json": {
            "appid": "wx8888888888888888", "transaction_id": transaction_id, "out_order_no": number, "unfreeze_unsplit": false,
            "receivers": [{ "type": "MERCHANT_ID", "account": "86693852", "amount": amount, "description": "分给商户A" }],
        }})
    };
    let orders = client.chain("v3/profitsharing/orders");
    assert_eq!(orders.post(share("s1", 1001)).expect_err("more").code(), Some("INVALID_REQUEST"));
    let shared = orders.post(share("s1", 300)).expect("shared").json().expect("json");
    assert_eq!((&shared["state"], &shared["receivers"][0]["result"]), (&json!("FINISHED"), &json!("SUCCESS")));
    let left =
        client.chain("v3/profitsharing/transactions/{id}/amounts").get(json!({ "id": transaction_id })).expect("left");
    assert_eq!(left.json().expect("json")["unsplit_amount"], 700);
    let given = client.chain("v3/profitsharing/return-orders").post(json!({ "json": {
        "out_order_no": "s1", "out_return_no": "b1", "return_mchid": "86693852", "amount": 100, "description": "用户退款",
    }}));
    assert_eq!(given.expect("given back").json().expect("json")["result"], "SUCCESS");
    let found = client
        .chain("v3/profitsharing/return-orders/{no}")
        .get(json!({ "no": "b1", "query": { "out_order_no": "s1" } }));
    assert_eq!(found.expect("found").json().expect("json")["amount"], 100);
    let unfreeze = json!({ "json": { "transaction_id": transaction_id, "out_order_no": "u1", "description": "解冻" } });
    client.chain("v3/profitsharing/orders/unfreeze").post(unfreeze).expect("finished");
    assert_eq!(orders.post(share("s2", 1)).expect_err("over").code(), Some("INVALID_REQUEST"));
    let found = client
        .chain("v3/profitsharing/orders/{no}")
        .get(json!({ "no": "s1", "query": { "transaction_id": transaction_id } }));
    assert_eq!(found.expect("found").json().expect("json")["receivers"][0]["amount"], 300);
    sandbox.audit().expect("balanced");
}

#[test]
fn bills_with_their_digest() {
    let (sandbox, client) = start();
    let today = sandbox.notification("X", "y", &json!({})).expect("a date");
    let today: Value = serde_json::from_slice(today.body()).expect("json");
    let today = today["create_time"].as_str().expect("time").split('T').next().expect("date").to_owned();
    let query = |kind: &str, extra: Value| {
        let mut query = json!({ "bill_date": today });
        query.as_object_mut().expect("map").extend(extra.as_object().expect("map").clone());
        client.chain(&format!("v3/bill/{kind}")).get(json!({ "query": query }))
    };
    assert_eq!(query("tradebill", json!({})).expect_err("nothing yet").code(), Some("NO_STATEMENT_EXIST"));
    client.chain("v3/pay/transactions/native").post(native("b1", 1234, "https://example.com/n")).expect("placed");
    sandbox.pay("b1").expect("paid");
    let folder = tempfile::tempdir().expect("folder");
    for (kind, extra, words) in [
        ("tradebill", json!({}), "`12.34"),
        ("tradebill", json!({ "tar_type": "GZIP" }), ""),
        ("fundflowbill", json!({}), "`收入,`12.34,`1000012.34"),
    ] {
        let announced = query(kind, extra).expect("announced");
        let path = folder.path().join("bill");
        client.download(&announced).expect("announced").save(&path).expect("whole, and the digest holds");
        let bytes = std::fs::read(&path).expect("file");
        assert!(String::from_utf8_lossy(&bytes).contains(words), "{kind}: {}", String::from_utf8_lossy(&bytes));
    }
    assert_eq!(query("tradebill", json!({ "tar_type": "ZIP" })).expect_err("type").code(), Some("PARAM_ERROR"));
    let error =
        client.chain("v3/bill/tradebill").get(json!({ "query": { "bill_date": "20190611" } })).expect_err("date");
    assert_eq!(error.code(), Some("PARAM_ERROR"));
}

#[test]
fn cards_media_and_echo() {
    let (sandbox, client) = start();
    let (url, receive) = notify_url(vec![]);
    client.chain("v3/marketing/membercard-open/callback").get(()).expect_err("not set");
    client.chain("v3/marketing/membercard-open/callback").patch(json!({ "json": { "notify_url": url } })).expect("set");
    client
        .chain("v3/marketing/membercard-open/cards/{card_id}/permission-tokens")
        .post(json!({ "card_id": "pbLatj", "json": { "activate_type": "AUTO_ACTIVATE", "outer_str": "out" } }))
        .expect("token");
    control(&sandbox, "card", &json!({ "card_id": "pbLatj", "event": "ACCEPT_CARD" })).expect("event");
    let told = verified(&sandbox, &arrived(&receive)).expect("genuine");
    assert_eq!((told.event_type(), &told.resource()["outer_str"]), ("MEMBERCARD.ACCEPT_CARD", &json!("out")));
    assert!(control(&sandbox, "card", &json!({ "card_id": "x", "event": "NONE" })).is_err());

    let media = Media::from_bytes("a.jpg", "a picture");
    let id = client.chain("v3/merchant-service/images/upload").post(media).expect("uploaded").json().expect("json");
    let image = client.chain("v3/merchant-service/images/{id}").get(json!({ "id": id["media_id"] })).expect("image");
    assert_eq!(image.text(), "a picture");
    client.chain("v3/merchant-service/images/{id}").get(json!({ "id": "none" })).expect_err("none");

    let (sealed, key_id) = client.encrypt("hello").expect("sealed");
    let echo = json!({
        "json": { "notify_url": url, "echo_message": "hello", "encrypted_echo_message": sealed }, "headers": { "Wechatpay-Serial": key_id },
    });
    assert_eq!(
        client.chain("v3/security/echo").post(&echo).expect("echo").json().expect("json")["echo_message"],
        "hello"
    );
    assert_eq!(verified(&sandbox, &arrived(&receive)).expect("genuine").event_type(), "SECURITY_ECHO.SUCCESS");
    let error =
        client.chain("v3/security/echo").post(with(echo, "/json/echo_message", "other".into())).expect_err("other");
    assert!(error.message().contains("不一致"), "{error}");
}

/// A control call from the outside, as the page makes it.
pub(crate) fn control(sandbox: &Sandbox, path: &str, body: &Value) -> Result<Value, String> {
    let request = format!(
        "POST /sandbox/{path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        sandbox.address(),
        body.to_string().len()
    );
    let answer = raw(sandbox, &request);
    let (head, body) = answer.split_once("\r\n\r\n").expect("head");
    let body: Value = serde_json::from_str(body).expect("json");
    if head.starts_with("HTTP/1.1 200") { Ok(body) } else { Err(body["error"].as_str().expect("said").to_owned()) }
}

fn raw(sandbox: &Sandbox, request: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(sandbox.address()).expect("connected");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answer");
    answer
}

#[test]
fn control_calls_are_for_this_machine_alone() {
    let sandbox = sandbox();
    let address = sandbox.address();
    for (head, words) in [
        (format!("GET /sandbox/state HTTP/1.1\r\nhost: {address}"), "200"),
        (format!("GET / HTTP/1.1\r\nhost: localhost:{}", address.port()), "WeChat Pay sandbox"),
        ("GET /sandbox/state HTTP/1.1\r\nhost: rebound.example".to_owned(), "403"),
        (format!("GET /sandbox/state HTTP/1.1\r\nhost: {address}\r\norigin: http://evil.example"), "403"),
        (format!("POST /sandbox/pay HTTP/1.1\r\nhost: {address}\r\ncontent-length: 2"), "send Content-Type"),
        (
            format!(
                "POST /sandbox/pay HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: 2"
            ),
            "is missing",
        ),
        (
            format!(
                "POST /sandbox/x HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: 2"
            ),
            "404",
        ),
        (format!("GET /sandbox/qr/none.svg HTTP/1.1\r\nhost: {address}"), "404"),
    ] {
        let body = if head.starts_with("POST") { "{}" } else { "" };
        let answer = raw(&sandbox, &format!("{head}\r\nconnection: close\r\n\r\n{body}"));
        assert!(answer.contains(words), "{head}: {answer}");
    }
    assert!(control(&sandbox, "fault", &json!({ "fault": "none" })).expect_err("none").contains("wrong-signature"));
    control(&sandbox, "stub", &json!({ "method": "GET", "template": "v3/x/{y}", "response": { "a": 1 } }))
        .expect("stub");
    let client = sandbox.client().expect("client");
    assert_eq!(client.chain("v3/x/{y}").get(json!({ "y": 1 })).expect("stub").json().expect("json"), json!({ "a": 1 }));
}

#[test]
fn notifications_are_repeated_until_they_are_taken() {
    let sandbox = Sandbox::configure().notification_speed(1000.0).start().expect("sandbox");
    let client = sandbox.client().expect("client");
    let (url, receive) = notify_url(vec![500, 401, 200]);
    client.chain("v3/pay/transactions/native").post(native("n1", 1, &url)).expect("placed");
    // The first has a wrong signature, the second is unanswered in the sandbox's eyes, the third is good.
    sandbox.inject_notification(Fault::WrongSignature);
    sandbox.pay("n1").expect("paid");
    let first = arrived(&receive);
    assert_eq!(verified(&sandbox, &first).expect_err("wrong signature").kind(), ErrorKind::Verification);
    let (second, third) = (arrived(&receive), arrived(&receive));
    let (second, third) = (verified(&sandbox, &second).expect("genuine"), verified(&sandbox, &third).expect("genuine"));
    assert_eq!(second.id(), third.id(), "the same notification, signed anew");
    let state = || sandbox.overview()["notifications"][0].clone();
    let until = std::time::Instant::now() + Duration::from_secs(10);
    while state()["outcome"] != "delivered" {
        assert!(std::time::Instant::now() < until, "{}", state());
        std::thread::sleep(Duration::from_millis(10));
    }
    let statuses: Vec<_> =
        state()["attempts"].as_array().expect("attempts").iter().map(|one| one["status"].clone()).collect();
    assert_eq!(statuses, [500, 401, 200]);

    // Again, by hand; a probe; one that nobody takes; one that leads elsewhere.
    control(&sandbox, "replay", &json!({ "id": state()["id"] })).expect("replayed");
    assert_eq!(verified(&sandbox, &arrived(&receive)).expect("genuine").id(), third.id());
    assert!(control(&sandbox, "replay", &json!({ "id": "none" })).is_err());
    control(&sandbox, "probe", &json!({ "notify_url": url })).expect("probe");
    assert_eq!(verified(&sandbox, &arrived(&receive)).expect_err("probe").kind(), ErrorKind::Probe);
    control(&sandbox, "probe", &json!({ "notify_url": "https://example.com/x" })).expect("noted");
    assert!(state()["outcome"].as_str().expect("text").contains("not on this machine"), "{}", state());
    let error = control(&sandbox, "replay", &json!({ "id": state()["id"] })).expect_err("not from here, either");
    assert!(error.contains("not on this machine"), "{error}");
    for (fault, kind) in [
        (Fault::Clock(-3600), ErrorKind::Verification),
        (Fault::UnknownSerial, ErrorKind::Verification),
        (Fault::MissingHeader("wechatpay-nonce".to_owned()), ErrorKind::Verification),
    ] {
        let number = format!("{fault:?}").chars().filter(char::is_ascii_alphanumeric).take(10).collect::<String>();
        sandbox.inject_notification(fault);
        client.chain("v3/pay/transactions/native").post(native(&number, 1, &url)).expect("placed");
        sandbox.pay(&number).expect("paid");
        assert_eq!(verified(&sandbox, &arrived(&receive)).expect_err("faulty").kind(), kind);
    }
}

#[test]
fn a_notification_that_nobody_takes_is_given_up() {
    let sandbox = Sandbox::configure().notification_speed(1e6).start().expect("sandbox");
    let client = sandbox.client().expect("client");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address");
    client.chain("v3/pay/transactions/native").post(native("n1", 1, &format!("http://{closed}/"))).expect("placed");
    sandbox.pay("n1").expect("paid");
    let until = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        let sent = sandbox.overview()["notifications"][0].clone();
        if sent["outcome"] == "given up" {
            assert_eq!(sent["attempts"].as_array().map(Vec::len), Some(16), "one, and fifteen more");
            break;
        }
        assert!(std::time::Instant::now() < until, "{sent}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn notifications_of_apiv2() {
    let sandbox = Sandbox::configure().notification_speed(1000.0).start().expect("sandbox");
    let client = sandbox.builder().base_uri(sandbox.tls_base_uri()).build().expect("client");
    let (url, receive) = notify_url(vec![]);
    let notifications = client.notifications_v2().expect("key");
    client
        .chain("v2/pay/unifiedorder")
        .post(json!({ "xml": {
            "appid": "wx8888888888888888", "mch_id": MCHID, "body": "b", "out_trade_no": "o1", "total_fee": 100,
            "spbill_create_ip": "1.2.3.4", "notify_url": url, "trade_type": "NATIVE",
        }}))
        .expect("placed");
    sandbox.pay("o1").expect("paid");
    assert_eq!(notifications.verify(&arrived(&receive).1).expect("genuine").fields()["out_trade_no"], "o1");
    client.chain("v2/secapi/pay/refund").post(json!({ "security": true, "xml": {
        "appid": "wx8888888888888888", "mch_id": MCHID, "out_trade_no": "o1", "out_refund_no": "r1", "total_fee": 100, "refund_fee": 30,
        "notify_url": url,
    }})).expect("refunded");
    // The payment's comes again meanwhile, since 204 without XML is no answer of APIv2's.
    let told = std::iter::repeat_with(|| notifications.verify(&arrived(&receive).1).expect("genuine"));
    let refund = told.take(20).find(|told| told.fields().get("req_info").is_some()).expect("the refund's");
    assert_eq!((&refund.resource()["out_refund_no"], &refund.resource()["refund_fee"]), (&json!("r1"), &json!("30")));
}

#[test]
fn faults_by_name() {
    let (sandbox, client) = start();
    let url = "https://example.com/notify";
    for (fault, kind) in [
        ("wrong-signature", ErrorKind::Verification),
        ("stale-clock", ErrorKind::Verification),
        ("unknown-serial", ErrorKind::Verification),
        ("missing-header", ErrorKind::Verification),
        ("missing-header:Wechatpay-Nonce", ErrorKind::Verification),
        ("bad-gateway", ErrorKind::ServerError),
        ("frequency-limited", ErrorKind::ClientError),
        ("system-error", ErrorKind::ServerError),
        ("cut-body:5", ErrorKind::Transport),
        ("reset", ErrorKind::Transport),
        ("delay:400", ErrorKind::Timeout),
    ] {
        control(&sandbox, "fault", &json!({ "fault": fault })).expect("fault");
        let options = with(native(&format!("f{}", fault.len()), 1, url), "/timeout", 0.2.into());
        let error = client.chain("v3/pay/transactions/native").post(options).expect_err(fault);
        assert_eq!(error.kind(), kind, "{fault}: {error}");
    }
    let limited = |error: Error| error.response().expect("answer").headers().get("retry-after").cloned();
    control(&sandbox, "fault", &json!({ "fault": "frequency-limited", "times": 2 })).expect("fault");
    for _ in 0..2 {
        let error = client.chain("v3/pay/transactions/native").post(native("rl", 1, url)).expect_err("limited");
        assert_eq!(error.code(), Some("FREQUENCY_LIMITED"));
        assert_eq!(limited(error).expect("header"), "1");
    }
    client.chain("v3/pay/transactions/native").post(native("rl", 1, url)).expect("over");
    // A rotation: the next answer is signed by a certificate that a client without the APIv3 key does not know.
    control(&sandbox, "fault", &json!({ "fault": "rotate-key" })).expect("fault");
    let by_certificate = crate::support::by_certificate(&sandbox).build().expect("client");
    by_certificate.chain("v3/pay/transactions/native").post(native("rk", 1, url)).expect("fetched and verified");
}
