//! Transfers, profit sharing, bills, images and other endpoints of the sandbox.

use serde_json::{Value, json};
use wechatpay_chain::sandbox::MCHID;
use wechatpay_chain::{ErrorKind, Media};

use super::{control, native, next_delivery, notify_server, verify_delivery, with_field};
use crate::support::start;

#[test]
fn a_transfer_is_confirmed_or_cancelled() {
    let (sandbox, client) = start();
    let (url, receive) = notify_server(vec![]);
    let transfer = |number: &str, amount: u64| {
        json!({ "json": {
            "appid": "wxf636efh567hg4356", "out_bill_no": number, "transfer_scene_id": "1000", "openid": "o-MYE42l80oelYMDE34nYD456Xoy",
            "transfer_amount": amount, "transfer_remark": "2020年4月报销", "notify_url": url,
            "transfer_scene_report_infos": [{ "info_type": "活动名称", "info_content": "注册会员有礼" }],
        }})
    };
    let bills = client.chain("v3/fund-app/mch-transfer/transfer-bills");
    let created = bills.post(transfer("t1", 400)).expect("created").json::<Value>().expect("json");
    assert_eq!(created["state"], "WAIT_USER_CONFIRM");
    assert_eq!(bills.post(transfer("t1", 401)).expect_err("another amount").code(), Some("ALREADY_EXISTS"));
    assert_eq!(bills.post(transfer("t0", 9)).expect_err("too small").code(), Some("PARAM_ERROR"));
    sandbox.confirm_transfer("t1").expect("confirmed");
    let notification = verify_delivery(&sandbox, &next_delivery(&receive)).expect("valid");
    assert_eq!(
        (notification.event_type(), &notification.resource()["state"]),
        ("MCHTRANSFER.BILL.FINISHED", &json!("SUCCESS"))
    );
    let cancel = client.chain("v3/fund-app/mch-transfer/transfer-bills/out-bill-no/{no}/cancel");
    assert_eq!(cancel.post(json!({ "no": "t1" })).expect_err("too late").code(), Some("INVALID_REQUEST"));
    bills.post(transfer("t2", 500)).expect("created");
    assert_eq!(
        cancel.post(json!({ "no": "t2" })).expect("cancelled").json::<Value>().expect("json")["state"],
        "CANCELLED"
    );
    assert!(sandbox.confirm_transfer("t2").is_err());
    let by_bill = client.chain("v3/fund-app/mch-transfer/transfer-bills/transfer-bill-no/{no}");
    let found =
        by_bill.get(json!({ "no": created["transfer_bill_no"] })).expect("found").json::<Value>().expect("json");
    assert_eq!((&found["out_bill_no"], &found["state"]), (&json!("t1"), &json!("SUCCESS")));
    let name = client.encrypt("张三").expect("encrypted");
    for number in 0..6 {
        let mut big = transfer(&format!("big{number}"), 20_000_000);
        big["json"]["user_name"] = name.ciphertext.as_str().into();
        big["headers"] = json!({ "Wechatpay-Serial": name.serial });
        let outcome = bills.post(big);
        if number == 5 {
            assert_eq!(outcome.expect_err("the account is empty").code(), Some("NOT_ENOUGH"));
        } else if number < 4 {
            outcome.expect("created");
        }
    }
    sandbox.audit().expect("balanced");
}

#[test]
fn profit_is_shared_returned_and_unfrozen() {
    let (sandbox, client) = start();
    let options = with_field(
        native("order-p1", 1000, "https://example.com/notify"),
        "/json/settle_info",
        json!({ "profit_sharing": true }),
    );
    client.chain("v3/pay/transactions/native").post(options).expect("placed");
    let transaction_id = sandbox.pay("order-p1").expect("paid");
    let name = client.encrypt("商户甲").expect("encrypted");
    let receiver = json!({
        "appid": "wx8888888888888888", "type": "MERCHANT_ID", "account": "86693852", "name": name.ciphertext,
        "relation_type": "SERVICE_PROVIDER",
    });
    let add = client.chain("v3/profitsharing/receivers/add");
    let added = add.post(json!({ "json": receiver, "headers": { "Wechatpay-Serial": name.serial } })).expect("added");
    // The name is encrypted for the merchant.
    let name = added.json::<Value>().expect("json")["name"].as_str().expect("name").to_owned();
    assert_eq!(sandbox.merchant_key().decrypt(&name).expect("decrypted"), "商户甲".as_bytes());
    let share = |number: &str, amount: u64| {
        json!({ "json": {
            "appid": "wx8888888888888888", "transaction_id": transaction_id, "out_order_no": number, "unfreeze_unsplit": false,
            "receivers": [{ "type": "MERCHANT_ID", "account": "86693852", "amount": amount, "description": "分给商户A" }],
        }})
    };
    let orders = client.chain("v3/profitsharing/orders");
    assert_eq!(orders.post(share("s1", 1001)).expect_err("too much").code(), Some("INVALID_REQUEST"));
    let shared = orders.post(share("s1", 300)).expect("shared").json::<Value>().expect("json");
    assert_eq!((&shared["state"], &shared["receivers"][0]["result"]), (&json!("FINISHED"), &json!("SUCCESS")));
    let left =
        client.chain("v3/profitsharing/transactions/{id}/amounts").get(json!({ "id": transaction_id })).expect("left");
    assert_eq!(left.json::<Value>().expect("json")["unsplit_amount"], 700);
    let returned = client.chain("v3/profitsharing/return-orders").post(json!({ "json": {
        "out_order_no": "s1", "out_return_no": "b1", "return_mchid": "86693852", "amount": 100, "description": "用户退款",
    }}));
    assert_eq!(returned.expect("returned").json::<Value>().expect("json")["result"], "SUCCESS");
    let found = client
        .chain("v3/profitsharing/return-orders/{no}")
        .get(json!({ "no": "b1", "query": { "out_order_no": "s1" } }));
    assert_eq!(found.expect("found").json::<Value>().expect("json")["amount"], 100);
    let unfreeze = json!({ "json": { "transaction_id": transaction_id, "out_order_no": "u1", "description": "解冻" } });
    client.chain("v3/profitsharing/orders/unfreeze").post(unfreeze).expect("finished");
    assert_eq!(orders.post(share("s2", 1)).expect_err("finished").code(), Some("INVALID_REQUEST"));
    let found = client
        .chain("v3/profitsharing/orders/{no}")
        .get(json!({ "no": "s1", "query": { "transaction_id": transaction_id } }));
    assert_eq!(found.expect("found").json::<Value>().expect("json")["receivers"][0]["amount"], 300);
    sandbox.audit().expect("balanced");
}

#[test]
fn bills_are_downloaded_with_a_valid_digest() {
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
    // The bill of today, which exists from tomorrow morning on.
    sandbox.control("bills", &json!({})).expect("available");
    assert_eq!(query("tradebill", json!({})).expect_err("no payments").code(), Some("NO_STATEMENT_EXIST"));
    client.chain("v3/pay/transactions/native").post(native("order-b1", 1234, "https://example.com/n")).expect("placed");
    sandbox.pay("order-b1").expect("paid");
    let folder = tempfile::tempdir().expect("folder");
    for (kind, extra, expected) in [
        ("tradebill", json!({}), "`12.34"),
        ("tradebill", json!({ "tar_type": "GZIP" }), ""),
        ("fundflowbill", json!({}), "`收入,`12.34,`1000012.34"),
    ] {
        let announced = query(kind, extra).expect("response");
        let path = folder.path().join("bill");
        client.download(&announced).expect("response").save(&path).expect("valid digest");
        let bytes = std::fs::read(&path).expect("file");
        assert!(String::from_utf8_lossy(&bytes).contains(expected), "{kind}: {}", String::from_utf8_lossy(&bytes));
    }
    assert_eq!(query("tradebill", json!({ "tar_type": "ZIP" })).expect_err("type").code(), Some("PARAM_ERROR"));
    let error =
        client.chain("v3/bill/tradebill").get(json!({ "query": { "bill_date": "20190611" } })).expect_err("date");
    assert_eq!(error.code(), Some("PARAM_ERROR"));
}

#[test]
fn cards_images_and_echo_messages_work() {
    let (sandbox, client) = start();
    let (url, receive) = notify_server(vec![]);
    client.chain("v3/marketing/membercard-open/callback").get(()).expect_err("not set");
    client.chain("v3/marketing/membercard-open/callback").patch(json!({ "json": { "notify_url": url } })).expect("set");
    client
        .chain("v3/marketing/membercard-open/cards/{card_id}/permission-tokens")
        .post(json!({ "card_id": "pbLatj", "json": { "activate_type": "AUTO_ACTIVATE", "outer_str": "out" } }))
        .expect("token");
    control(&sandbox, "card", &json!({ "card_id": "pbLatj", "event": "ACCEPT_CARD" })).expect("event");
    let notification = verify_delivery(&sandbox, &next_delivery(&receive)).expect("valid");
    assert_eq!(
        (notification.event_type(), &notification.resource()["outer_str"]),
        ("MEMBERCARD.ACCEPT_CARD", &json!("out"))
    );
    assert!(control(&sandbox, "card", &json!({ "card_id": "x", "event": "NONE" })).is_err());
    // The same by a method of the sandbox.
    let response = sandbox.control("card", &json!({ "card_id": "pbLatj", "event": "ACTIVATE_CARD" })).expect("event");
    assert_eq!(response["notifications"][0]["notify_url"], url.as_str());
    let notification = std::iter::repeat_with(|| verify_delivery(&sandbox, &next_delivery(&receive)).expect("valid"));
    notification
        .take(20)
        .find(|notification| notification.event_type() == "MEMBERCARD.ACTIVATE_CARD")
        .expect("notification");
    for (call, message) in
        [("card", "\"card_id\" is missing"), ("cards", "not a control call"), ("../state", "not a control call")]
    {
        let error = sandbox.control(call, &json!({ "event": "ACCEPT_CARD" })).expect_err(message);
        assert!(error.kind() == ErrorKind::Options && error.message().contains(message), "{error}");
    }

    let media = Media::from_bytes("a.jpg", b"BM, a picture".as_slice());
    let id =
        client.chain("v3/merchant-service/images/upload").post(media).expect("uploaded").json::<Value>().expect("json");
    let image = client.chain("v3/merchant-service/images/{id}").get(json!({ "id": id["media_id"] })).expect("image");
    assert_eq!(image.text(), "BM, a picture");
    client.chain("v3/merchant-service/images/{id}").get(json!({ "id": "none" })).expect_err("none");

    let encrypted = client.encrypt("hello").expect("encrypted");
    let echo = json!({
        "json": { "notify_url": url, "echo_message": "hello", "encrypted_echo_message": encrypted.ciphertext },
        "headers": { "Wechatpay-Serial": encrypted.serial },
    });
    assert_eq!(
        client.chain("v3/security/echo").post(&echo).expect("echo").json::<Value>().expect("json")["echo_message"],
        "hello"
    );
    assert_eq!(
        verify_delivery(&sandbox, &next_delivery(&receive)).expect("valid").event_type(),
        "SECURITY_ECHO.SUCCESS"
    );
    let error = client
        .chain("v3/security/echo")
        .post(with_field(echo, "/json/echo_message", "other".into()))
        .expect_err("another amount");
    assert!(error.message().contains("不一致"), "{error}");
}

#[test]
fn a_trade_bill_has_the_columns_of_the_service() {
    let (sandbox, client) = start();
    sandbox.control("bills", &json!({})).expect("available");
    client.chain("v3/pay/transactions/native").post(native("order-b1", 1234, "https://example.com/n")).expect("placed");
    let partner = json!({ "json": {
        "sp_appid": "wx8888888888888888", "sp_mchid": MCHID, "sub_appid": "wx8888888888888889", "sub_mchid": "1900000209",
        "description": "a toy", "out_trade_no": "order-b2", "notify_url": "https://example.com/n", "attach": "a, b",
        "amount": { "total": 7 }, "payer": { "sub_openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6x" },
    }});
    client.chain("v3/pay/partner/transactions/jsapi").post(partner).expect("placed");
    sandbox.pay("order-b1").expect("paid");
    let transaction_id = sandbox.pay("order-b2").expect("paid");
    let order = client
        .chain("v3/pay/partner/transactions/out-trade-no/order-b2")
        .get(json!({ "query": { "sp_mchid": MCHID, "sub_mchid": "1900000209" } }))
        .expect("order");
    assert_eq!(order.json::<Value>().expect("json")["payer"]["sub_openid"], "oUpF8uMuAJO_M2pxb1Q9zNjWeS6x");
    sandbox.control("refund", &json!({ "out_trade_no": "order-b1", "amount": 34 })).expect("refunded");

    let date = client.chain("v3/pay/transactions/out-trade-no/order-b1").get(json!({ "query": { "mchid": MCHID } }));
    let time = date.expect("order").json::<Value>().expect("json")["success_time"].as_str().expect("time").to_owned();
    let date = &time[..10];
    let bill = |kind: &str, extra: Value| {
        let mut query = json!({ "bill_date": date });
        query.as_object_mut().expect("map").extend(extra.as_object().expect("map").clone());
        let announced = client.chain(&format!("v3/bill/{kind}")).get(json!({ "query": query }))?;
        let url = announced.json::<Value>().expect("json")["download_url"].as_str().expect("url").to_owned();
        let token = url.split_once("token=").expect("token").1.to_owned();
        let file = client.chain("v3/billdownload/file").get(json!({ "query": { "token": token } }))?;
        assert_eq!(file.headers()["content-type"], "text/plain; charset=utf-8");
        Ok::<String, wechatpay_chain::Error>(file.text().into_owned())
    };
    let all = bill("tradebill", json!({})).expect("bill");
    let lines: Vec<&str> = all.split("\r\n").collect();
    assert!(all.ends_with("\r\n") && !all.replace("\r\n", "").contains('\n'), "{all:?}");
    assert_eq!(lines.len(), 1 + 3 + 2 + 1, "head, three rows, and the summary: {all}");
    assert_eq!(lines[0].split(',').count(), 27, "{}", lines[0]);
    let row = lines.iter().find(|line| line.contains("`order-b1") && line.contains("`SUCCESS")).expect("row");
    let fields: Vec<&str> = row.split(",`").collect();
    assert_eq!(fields.len(), 27, "{row}");
    let form: String = fields[0].chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(form, "`0000-00-00 00:00:00");
    assert_eq!((fields[2], fields[3], fields[12], fields[24]), (MCHID, "0", "12.34", "12.34"));
    let partner = lines.iter().find(|line| line.contains("`order-b2")).expect("row");
    let fields: Vec<&str> = partner.split(",`").collect();
    assert_eq!((fields[2], fields[3], fields[5]), (MCHID, "1900000209", transaction_id.as_str()));
    assert_eq!((fields[7], fields[20], fields[21]), ("oUpF8uMuAJO_M2pxb1Q9zNjWeS6x", "a toy", "a, b"));
    assert_eq!(lines[5], "`3,`12.41,`0.34,`0.00,`0.00000,`12.41,`0.34");

    let success = bill("tradebill", json!({ "bill_type": "SUCCESS" })).expect("bill");
    assert!(success.lines().count() == 5 && !success.contains("`REFUND"), "{success}");
    assert_eq!(success.lines().next().expect("head").split(',').count(), 20);
    let refunds = bill("tradebill", json!({ "bill_type": "REFUND" })).expect("bill");
    assert!(
        refunds.lines().count() == 4 && refunds.contains("`REFUND") && refunds.contains("退款成功时间"),
        "{refunds}"
    );
    assert_eq!(refunds.lines().next().expect("head").split(',').count(), 29);
    let sub = bill("tradebill", json!({ "sub_mchid": "1900000209" })).expect("bill");
    assert!(sub.contains("order-b2") && !sub.contains("order-b1"), "{sub}");
    assert_eq!(bill("tradebill", json!({ "sub_mchid": "1" })).expect_err("none").code(), Some("NO_STATEMENT_EXIST"));

    let flow = bill("fundflowbill", json!({ "account_type": "BASIC" })).expect("bill");
    assert_eq!(flow.lines().next().expect("head").split(',').count(), 11);
    assert!(flow.contains("`3,`2,`12.41,`1,`0.34\r\n"), "{flow}");
    let fees = bill("fundflowbill", json!({ "account_type": "FEES" }));
    assert_eq!(fees.expect_err("no fees").code(), Some("NO_STATEMENT_EXIST"));
}
