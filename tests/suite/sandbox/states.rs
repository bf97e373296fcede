//! The states that records reach by control calls: refunds that are abnormal or closed, transfers
//! that fail, payments that fail or expire, profit sharings in progress, and the rate limit.

use serde_json::{Value, json};
use wechatpay_chain::Client;
use wechatpay_chain::sandbox::{Fault, MCHID, Sandbox};

use super::{control, native, next_delivery, notify_server, verify_delivery, with_field};
use crate::support::start;
use crate::v2::calls as v2;

/// The balance of a new sandbox, in fen.
const OPENING_BALANCE: u64 = 100_000_000;
const OPENID: &str = "o-MYE42l80oelYMDE34nYD456Xoy";

/// Asserts the available amount in addition to the opening balance, and the frozen amount.
fn assert_account(sandbox: &Sandbox, available: u64, frozen: u64) {
    sandbox.audit().expect("balanced");
    let expected = json!({ "available": OPENING_BALANCE + available, "frozen": frozen });
    assert_eq!(sandbox.overview()["account"], expected);
}

fn get(client: &Client, path: &str, query: Value) -> Value {
    client.chain(path).get(json!({ "query": query })).expect(path).json::<Value>().expect("json")
}

/// Places an order and pays it. Returns the transaction ID.
fn paid_order(sandbox: &Sandbox, client: &Client, options: Value) -> String {
    let number = options["json"]["out_trade_no"].as_str().expect("number").to_owned();
    client.chain("v3/pay/transactions/native").post(options).expect("placed");
    sandbox.pay(&number).expect("paid")
}

fn refund(order: &str, number: &str, amount: u64, url: &str) -> Value {
    json!({ "json": {
        "out_trade_no": order, "out_refund_no": number, "notify_url": url,
        "amount": { "refund": amount, "total": 100, "currency": "CNY" },
    }})
}

#[test]
fn a_held_refund_ends_as_the_test_says() {
    let (sandbox, client) = start();
    let (url, receive) = notify_server(vec![]);
    paid_order(&sandbox, &client, native("order-1", 100, "https://example.com/n"));
    let held = control(&sandbox, "hold", &json!({ "refunds": true })).expect("held");
    assert_eq!(held, json!({ "payments": false, "refunds": true, "profit_sharings": false }));
    let refunds = client.chain("v3/refund/domestic/refunds");
    let status = |number: &str| get(&client, &format!("v3/refund/domestic/refunds/{number}"), json!({}));
    for (number, amount) in [("r1", 10), ("r2", 20), ("r3", 30)] {
        let accepted =
            refunds.post(refund("order-1", number, amount, &url)).expect("accepted").json::<Value>().expect("json");
        assert_eq!(accepted["status"], "PROCESSING");
        assert!(status(number)["status"] == "PROCESSING" && status(number)["success_time"].is_null());
    }
    assert_account(&sandbox, 40, 60);
    for (number, end, available, frozen) in
        [("r1", "SUCCESS", 40, 50), ("r2", "CLOSED", 60, 30), ("r3", "ABNORMAL", 60, 30)]
    {
        control(&sandbox, "end-refund", &json!({ "out_refund_no": number, "status": end })).expect("ended");
        let notification = verify_delivery(&sandbox, &next_delivery(&receive)).expect("valid");
        assert_eq!(notification.event_type(), format!("REFUND.{end}"));
        let resource = notification.resource();
        assert_eq!((&resource["out_refund_no"], &resource["refund_status"]), (&json!(number), &json!(end)));
        assert_eq!(resource.get("success_time").is_some(), end == "SUCCESS", "{resource}");
        assert_eq!(status(number)["status"], end);
        assert_eq!(status(number)["success_time"].is_string(), end == "SUCCESS");
        assert_account(&sandbox, available, frozen);
        let again =
            refunds.post(refund("order-1", number, status(number)["amount"]["refund"].as_u64().expect("fen"), &url));
        assert_eq!(again.expect("the same refund").json::<Value>().expect("json")["status"], end);
    }
    // A second control call changes nothing.
    for (number, end) in [("r1", "SUCCESS"), ("r1", "CLOSED"), ("r2", "SUCCESS"), ("r3", "ABNORMAL"), ("r3", "CLOSED")]
    {
        let error = sandbox.control("end-refund", &json!({ "out_refund_no": number, "status": end })).expect_err(end);
        assert!(error.message().contains("has already ended"), "{error}");
    }
    let error = sandbox.control("end-refund", &json!({ "out_refund_no": "r1", "status": "FAIL" })).expect_err("none");
    assert!(error.message().contains("SUCCESS, ABNORMAL or CLOSED"), "{error}");
    let error = sandbox.control("end-refund", &json!({ "out_refund_no": "x", "status": "CLOSED" })).expect_err("none");
    assert!(error.message().contains("is not known"), "{error}");
    // The amount of the closed refund can be refunded again with another number.
    assert!(refunds.post(refund("order-1", "r4", 61, &url)).is_err());
    control(&sandbox, "hold", &json!({ "refunds": false })).expect("off");
    refunds.post(refund("order-1", "r4", 60, &url)).expect("refunded");
    assert_eq!(status("r4")["status"], "SUCCESS");
    assert_account(&sandbox, 0, 30);
}

#[test]
fn an_abnormal_refund_is_paid_to_another_account() {
    let (sandbox, client) = start();
    let (url, receive) = notify_server(vec![]);
    paid_order(&sandbox, &client, native("order-1", 100, "https://example.com/n"));
    control(&sandbox, "hold", &json!({ "refunds": true })).expect("held");
    let refunds = client.chain("v3/refund/domestic/refunds");
    let mut ids = Vec::new();
    for number in ["r1", "r2"] {
        let accepted =
            refunds.post(refund("order-1", number, 50, &url)).expect("accepted").json::<Value>().expect("json");
        ids.push(accepted["refund_id"].as_str().expect("refund_id").to_owned());
    }
    let apply = client.chain("v3/refund/domestic/refunds/{refund_id}/apply-abnormal-refund");
    let to_card = |id: &str, number: &str| {
        json!({ "refund_id": id, "encrypt": true, "json": {
            "out_refund_no": number, "type": "USER_BANK_CARD", "bank_type": "ICBC_DEBIT",
            "bank_account": "6212260000000000403", "real_name": "张三",
        }})
    };
    let error = apply.post(to_card(&ids[0], "r1")).expect_err("not abnormal");
    assert_eq!(error.code(), Some("INVALID_REQUEST"));
    for number in ["r1", "r2"] {
        control(&sandbox, "end-refund", &json!({ "out_refund_no": number, "status": "ABNORMAL" })).expect("abnormal");
        next_delivery(&receive);
    }
    let error = apply.post(to_card(&ids[1], "r1")).expect_err("two refunds");
    assert_eq!(error.code(), Some("PARAM_ERROR"));
    let applied = apply.post(to_card(&ids[0], "r1")).expect("applied").json::<Value>().expect("json");
    assert_eq!((&applied["status"], &applied["channel"]), (&json!("PROCESSING"), &json!("OTHER_BANKCARD")));
    assert_eq!(applied["user_received_account"], "工商银行借记卡0403");
    assert_account(&sandbox, 0, 100);
    control(&sandbox, "end-refund", &json!({ "out_refund_no": "r1", "status": "SUCCESS" })).expect("ended");
    let notification = verify_delivery(&sandbox, &next_delivery(&receive)).expect("valid");
    assert_eq!(notification.event_type(), "REFUND.SUCCESS");
    assert_eq!(notification.resource()["user_received_account"], "工商银行借记卡0403");
    assert_account(&sandbox, 0, 50);
    // If refunds are not held, the refund ends at once. The type `MERCHANT_BANK_CARD` does not
    // require a card number.
    control(&sandbox, "hold", &json!({ "refunds": false })).expect("off");
    let to_merchant = json!({ "refund_id": ids[1], "json": { "out_refund_no": "r2", "type": "MERCHANT_BANK_CARD" },
        "headers": { "Wechatpay-Serial": wechatpay_chain::sandbox::PUBLIC_KEY_ID } });
    assert_eq!(apply.post(&to_merchant).expect("applied").json::<Value>().expect("json")["status"], "PROCESSING");
    let notification = verify_delivery(&sandbox, &next_delivery(&receive)).expect("valid");
    assert_eq!(notification.resource()["refund_status"], "SUCCESS");
    assert!(apply.post(&to_merchant).is_err(), "it has ended");
    assert_account(&sandbox, 0, 0);
    // The state on disk and on the page does not contain the card number.
    assert!(!sandbox.overview()["refunds"].to_string().contains("621226"));
}

fn transfer(number: &str, url: &str) -> Value {
    json!({ "json": {
        "appid": "wxf636efh567hg4356", "out_bill_no": number, "transfer_scene_id": "1000", "openid": OPENID,
        "transfer_amount": 400, "transfer_remark": "2020年4月报销", "notify_url": url,
        "transfer_scene_report_infos": [{ "info_type": "活动名称", "info_content": "注册会员有礼" }],
    }})
}

#[test]
fn a_failed_transfer_returns_its_money() {
    let (sandbox, client) = start();
    let (url, receive) = notify_server(vec![]);
    let bills = client.chain("v3/fund-app/mch-transfer/transfer-bills");
    let state = |number: &str| {
        get(&client, &format!("v3/fund-app/mch-transfer/transfer-bills/out-bill-no/{number}"), json!({}))
    };
    for (number, fields, reason) in [
        ("t1", json!({ "out_bill_no": "t1" }), "PAYEE_ACCOUNT_ABNORMAL"),
        ("t2", json!({ "out_bill_no": "t2", "fail_reason": "OVERDUE_CLOSE" }), "OVERDUE_CLOSE"),
    ] {
        bills.post(transfer(number, &url)).expect("created");
        assert!(state(number).get("fail_reason").is_none());
        control(&sandbox, "fail-transfer", &fields).expect("failed");
        let notification = verify_delivery(&sandbox, &next_delivery(&receive)).expect("valid");
        assert_eq!(notification.event_type(), "MCHTRANSFER.BILL.FINISHED");
        for body in [state(number), notification.resource().clone()] {
            assert_eq!((&body["state"], &body["fail_reason"]), (&json!("FAIL"), &json!(reason)), "{body}");
        }
        assert_account(&sandbox, 0, 0);
        assert!(sandbox.confirm_transfer(number).is_err());
        let again = bills.post(transfer(number, &url)).expect("the same transfer").json::<Value>().expect("json");
        assert_eq!(again["state"], "FAIL");
        assert!(sandbox.control("fail-transfer", &fields).expect_err("twice").message().contains("has already ended"));
    }
    bills.post(transfer("t3", &url)).expect("created");
    let error = sandbox.control("fail-transfer", &json!({ "out_bill_no": "t3", "fail_reason": "OVERDUE" }));
    assert!(error.expect_err("unknown").message().contains("did you mean \"OVERDUE_CLOSE\""));
    // The sandbox also sends a notification of a cancelled transfer, once.
    let cancel = client.chain("v3/fund-app/mch-transfer/transfer-bills/out-bill-no/t3/cancel");
    cancel.post(()).expect("cancelled");
    cancel.post(()).expect("again");
    let notification = verify_delivery(&sandbox, &next_delivery(&receive)).expect("valid");
    assert_eq!(notification.resource()["state"], "CANCELLED");
    assert_eq!(sandbox.overview()["notifications"].as_array().map(Vec::len), Some(3));
    assert!(sandbox.control("fail-transfer", &json!({ "out_bill_no": "t3" })).is_err());
    assert_account(&sandbox, 0, 0);
}

#[test]
fn an_unpaid_order_expires_or_fails() {
    let (sandbox, client) = start();
    let orders = client.chain("v3/pay/transactions/native");
    let state =
        |number: &str| get(&client, &format!("v3/pay/transactions/out-trade-no/{number}"), json!({ "mchid": MCHID }));
    let order = native("order-1", 100, "https://example.com/n");
    orders.post(&order).expect("placed");
    let error = sandbox.control("fail-payment", &json!({ "out_trade_no": "order-1" })).expect_err("not documented");
    assert!(error.message().contains("PAYERROR"), "{error}");
    assert_eq!(state("order-1")["trade_state"], "NOTPAY");
    control(&sandbox, "expire", &json!({ "out_trade_no": "order-1" })).expect("expired");
    assert_eq!(state("order-1")["trade_state"], "CLOSED");
    assert!(sandbox.pay("order-1").expect_err("closed").message().contains("is closed"));
    assert_eq!(orders.post(&order).expect_err("closed").code(), Some("ORDER_CLOSED"));
    for (call, number, message) in [
        ("expire", "order-1", "is closed"),
        ("expire", "none", "is not known"),
        ("fail-payment", "none", "is not known"),
    ] {
        let error = sandbox.control(call, &json!({ "out_trade_no": number })).expect_err(message);
        assert!(error.message().contains(message), "{error}");
    }
    // All orders of a combined order expire together.
    let sub = |number: &str| json!({ "mchid": MCHID, "out_trade_no": number, "description": "d", "attach": "a", "amount": { "total_amount": 5, "currency": "CNY" } });
    let combined = json!({ "json": {
        "combine_appid": "wxd678efh567hg6787", "combine_mchid": MCHID, "combine_out_trade_no": "order-all",
        "notify_url": "https://example.com/n", "sub_orders": [sub("order-2"), sub("order-3")],
    }});
    client.chain("v3/combine-transactions/native").post(combined).expect("placed");
    control(&sandbox, "expire", &json!({ "out_trade_no": "order-3" })).expect("expired");
    let combined = get(&client, "v3/combine-transactions/out-trade-no/order-all", json!({}));
    assert!((0..2).all(|index| combined["sub_orders"][index]["trade_state"] == "CLOSED"), "{combined}");

    // In APIv2, a payment can fail.
    let mut order = v2::order("order-4");
    client.chain("v2/pay/unifiedorder").post(&order).expect("placed");
    control(&sandbox, "fail-payment", &json!({ "out_trade_no": "order-4" })).expect("failed");
    let query = json!({ "xml": { "appid": "wx8888888888888888", "mch_id": MCHID, "out_trade_no": "order-4" } });
    let queried = client.chain("v2/pay/orderquery").post(query).expect("queried").xml().expect("xml");
    assert_eq!((&queried["trade_state"], queried.get("transaction_id")), (&json!("PAYERROR"), None));
    assert!(sandbox.pay("order-4").expect_err("failed").message().contains("its payment failed"));
    assert_eq!(client.chain("v2/pay/unifiedorder").post(&order).expect_err("failed").code(), Some("TRADE_ERROR"));
    order["xml"]["out_trade_no"] = "order-5".into();
    client.chain("v2/pay/unifiedorder").post(&order).expect("another number");
    sandbox.pay("order-5").expect("paid");
    for call in ["expire", "fail-payment"] {
        let error = sandbox.control(call, &json!({ "out_trade_no": "order-5" })).expect_err("paid");
        assert!(error.message().contains("is paid already"), "{error}");
    }
    assert_account(&sandbox, 888, 0);
}

#[test]
fn receivers_of_a_held_profit_sharing_get_their_results() {
    let (sandbox, client) = start();
    let (url, receive) = notify_server(vec![]);
    let options = native("order-p1", 1000, "https://example.com/n");
    let transaction_id =
        paid_order(&sandbox, &client, with_field(options, "/json/settle_info", json!({ "profit_sharing": true })));
    for account in ["86693852", "86693853", "86693854"] {
        let receiver = json!({ "json": {
            "appid": "wx8888888888888888", "type": "MERCHANT_ID", "account": account, "relation_type": "STORE",
        }, "headers": { "Wechatpay-Serial": wechatpay_chain::sandbox::PUBLIC_KEY_ID } });
        client.chain("v3/profitsharing/receivers/add").post(receiver).expect("added");
    }
    control(&sandbox, "hold", &json!({ "profit_sharings": true })).expect("held");
    let receiver = |account: &str, amount: u64| json!({ "type": "MERCHANT_ID", "account": account, "amount": amount, "description": "分给商户" });
    let share = json!({ "encrypt": true, "json": {
        "appid": "wx8888888888888888", "transaction_id": transaction_id, "out_order_no": "s1", "unfreeze_unsplit": true,
        "receivers": [receiver("86693852", 100), receiver("86693853", 70), receiver("86693854", 30)],
    }});
    let orders = client.chain("v3/profitsharing/orders");
    let begun = orders.post(&share).expect("begun").json::<Value>().expect("json");
    assert_eq!((&begun["state"], &begun["receivers"][0]["result"]), (&json!("PROCESSING"), &json!("PENDING")));
    assert_account(&sandbox, 0, 1000);
    let query = || get(&client, "v3/profitsharing/orders/s1", json!({ "transaction_id": transaction_id }));
    let results = || -> Vec<String> {
        let body = query();
        let receivers = body["receivers"].as_array().expect("receivers").iter();
        receivers.map(|receiver| receiver["result"].as_str().expect("result").to_owned()).collect()
    };
    assert_eq!(results(), ["PENDING", "PENDING", "PENDING", "PENDING"], "the last one is the merchant");
    let left = get(&client, &format!("v3/profitsharing/transactions/{transaction_id}/amounts"), json!({}));
    assert_eq!(left["unsplit_amount"], 0);

    let end = |fields: Value| {
        let fields = with_field(json!({ "f": fields }), "/f/out_order_no", "s1".into());
        sandbox.control("end-profit-sharing", &fields["f"])
    };
    end(json!({ "result": "SUCCESS", "account": "86693852", "notify_url": url })).expect("ended");
    let notification = verify_delivery(&sandbox, &next_delivery(&receive)).expect("valid");
    assert_eq!(notification.event_type(), "PROFITSHARING.SUCCESS");
    assert_eq!(notification.resource()["receiver"], receiver("86693852", 100));
    assert_eq!(notification.resource()["mchid"], MCHID);
    assert_eq!(query()["state"], "PROCESSING");
    assert_account(&sandbox, 0, 900);
    end(json!({ "result": "CLOSED", "account": "86693853", "fail_reason": "NO_RELATION", "notify_url": url }))
        .expect("ended");
    assert_account(&sandbox, 70, 830);
    for (fields, message) in [
        (json!({ "result": "CLOSED", "account": "86693853" }), "has already ended"),
        (json!({ "result": "SUCCESS", "account": "x" }), "is not known"),
        (json!({ "result": "PENDING" }), "SUCCESS or CLOSED"),
        (json!({ "result": "CLOSED", "fail_reason": "NO_RELATIONS" }), "did you mean \"NO_RELATION\""),
        (json!({ "result": "SUCCESS", "fail_reason": "NO_RELATION" }), "belongs to the result CLOSED"),
    ] {
        let error = end(fields).expect_err(message);
        assert!(error.message().contains(message), "{error}");
    }
    end(json!({ "result": "SUCCESS" })).expect("ended");
    assert_eq!(results(), ["SUCCESS", "CLOSED", "SUCCESS", "SUCCESS"]);
    let body = query();
    assert_eq!((&body["state"], &body["receivers"][1]["fail_reason"]), (&json!("FINISHED"), &json!("NO_RELATION")));
    assert_eq!(body["receivers"][3]["amount"], 800);
    assert_account(&sandbox, 870, 0);
    assert_eq!(orders.post(&share).expect("the same").json::<Value>().expect("json"), body);
    assert_eq!(sandbox.overview()["notifications"].as_array().map(Vec::len), Some(2), "with that of the payment");
    assert!(end(json!({ "result": "SUCCESS" })).is_err());
}

#[test]
fn a_limited_call_is_not_executed() {
    let (sandbox, client) = start();
    let orders = client.chain("v3/pay/transactions/native");
    let url = "https://example.com/n";
    let placed = || sandbox.overview()["orders"].as_array().map_or(0, Vec::len);
    sandbox.inject(Fault::FrequencyLimited);
    let error = orders.post(native("order-1", 1, url)).expect_err("limited");
    assert_eq!((error.code(), placed()), (Some("FREQUENCY_LIMITED"), 0));
    sandbox.inject(Fault::FrequencyLimited);
    let error = client.chain("v2/pay/unifiedorder").post(v2::order("order-1")).expect_err("limited");
    assert_eq!((error.status().map(|s| s.as_u16()), error.code()), (Some(200), Some("FREQUENCY_LIMITED")));
    assert_eq!(placed(), 0);
    assert_eq!(sandbox.requests()[0].status, 429);

    let limit = control(&sandbox, "limit", &json!({ "calls": 2, "seconds": 3600 })).expect("limit");
    assert_eq!((&limit["limit"]["calls"], &limit["limit"]["seconds"]), (&json!(2), &json!(3600)));
    orders.post(native("order-1", 1, url)).expect("the first");
    client.chain("v2/pay/unifiedorder").post(v2::order("order-2")).expect("the second");
    let error = orders.post(native("order-3", 1, url)).expect_err("the third");
    let response = error.response().expect("response");
    assert!(response.is_verified() && response.status() == 429);
    let wait: u64 = response.headers()["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=3600).contains(&wait));
    let error = client.chain("v2/pay/unifiedorder").post(v2::order("order-4")).expect_err("the fourth");
    assert_eq!((error.code(), placed()), (Some("FREQUENCY_LIMITED"), 2));
    // Control calls are not limited.
    sandbox.pay("order-1").expect("paid");
    control(&sandbox, "limit", &json!({})).expect("no limit");
    orders.post(native("order-3", 1, url)).expect("placed");
    for (fields, message) in [
        (json!({ "calls": -1 }), "from 0 to 1000000"),
        (json!({ "calls": 1, "seconds": 0 }), "from 1 to 86400"),
        (json!({ "calls": "1" }), "from 0 to 1000000"),
    ] {
        let error = sandbox.control("limit", &fields).expect_err(message);
        assert!(error.message().contains(message), "{error}");
    }
    let error = sandbox.control("hold", &json!({ "refunds": "yes" })).expect_err("a text");
    assert!(error.message().contains("must be true or false"), "{error}");
}

#[test]
fn refunds_of_apiv2_have_its_names_of_the_states() {
    let (sandbox, client) = start();
    let client_tls = v2::over_tls(&sandbox);
    let (url, receive) = notify_server(vec![]);
    client.chain("v2/pay/unifiedorder").post(v2::order("order-1")).expect("placed");
    sandbox.pay("order-1").expect("paid");
    sandbox.control("hold", &json!({ "refunds": true })).expect("held");
    let verifier = wechatpay_chain::notify::v2::NotificationVerifier::new(MCHID, sandbox.secret()).expect("verifier");
    for (number, status, name, available) in
        [("r1", "CLOSED", "REFUNDCLOSE", 888), ("r2", "ABNORMAL", "CHANGE", 800), ("r3", "SUCCESS", "SUCCESS", 712)]
    {
        let mut options = v2::refund("order-1");
        options["xml"]["out_refund_no"] = number.into();
        options["xml"]["notify_url"] = url.as_str().into();
        client_tls.chain("v2/secapi/pay/refund").post(options).expect("accepted");
        let state = || {
            let query = json!({ "xml": { "appid": "wx8888888888888888", "mch_id": MCHID, "out_refund_no": number } });
            let queried = client.chain("v2/pay/refundquery").post(query).expect("queried").xml().expect("xml");
            (queried["refund_status_0"].clone(), queried.get("refund_success_time_0").is_some())
        };
        assert_eq!(state(), (json!("PROCESSING"), false));
        sandbox.control("end-refund", &json!({ "out_refund_no": number, "status": status })).expect("ended");
        assert_eq!(state(), (json!(name), status == "SUCCESS"));
        let notification = verifier.verify(&next_delivery(&receive).1).expect("valid");
        assert_eq!(notification.resource()["refund_status"], name);
        assert_account(&sandbox, available, if number == "r1" { 0 } else { 88 });
    }
}

#[test]
fn each_state_survives_a_restart() {
    let folder = tempfile::tempdir().expect("folder");
    let start = || Sandbox::builder().dir(folder.path()).start().expect("sandbox");
    let sandbox = start();
    let client = sandbox.client().expect("client");
    paid_order(&sandbox, &client, native("order-1", 100, "https://example.com/n"));
    let options = native("order-2", 100, "https://example.com/n");
    let transaction_id =
        paid_order(&sandbox, &client, with_field(options, "/json/settle_info", json!({ "profit_sharing": true })));
    sandbox.control("hold", &json!({ "refunds": true, "profit_sharings": true })).expect("held");
    for (number, end) in [("r1", ""), ("r2", "ABNORMAL"), ("r3", "CLOSED"), ("r4", "SUCCESS")] {
        let refunds = client.chain("v3/refund/domestic/refunds");
        refunds.post(refund("order-1", number, 10, "https://example.com/n")).expect("accepted");
        if !end.is_empty() {
            sandbox.control("end-refund", &json!({ "out_refund_no": number, "status": end })).expect("ended");
        }
    }
    let unfreeze = json!({ "json": { "transaction_id": transaction_id, "out_order_no": "u1", "description": "解冻" } });
    client.chain("v3/profitsharing/orders/unfreeze").post(unfreeze).expect("begun");
    client
        .chain("v3/fund-app/mch-transfer/transfer-bills")
        .post(transfer("t1", "https://example.com/n"))
        .expect("created");
    sandbox.control("fail-transfer", &json!({ "out_bill_no": "t1" })).expect("failed");
    client.chain("v2/pay/unifiedorder").post(v2::order("order-3")).expect("placed");
    sandbox.control("fail-payment", &json!({ "out_trade_no": "order-3" })).expect("failed");
    assert_account(&sandbox, 70, 120);
    let before = sandbox.overview();
    drop(sandbox);

    let sandbox = start();
    assert_account(&sandbox, 70, 120);
    let after = sandbox.overview();
    for table in ["orders", "refunds", "transfers", "profit_sharings"] {
        assert_eq!(after[table], before[table], "{table}");
    }
    // Records that were in progress can be ended.
    sandbox.control("end-refund", &json!({ "out_refund_no": "r1", "status": "CLOSED" })).expect("ended");
    sandbox.control("end-refund", &json!({ "out_refund_no": "r2", "status": "SUCCESS" })).expect("ended");
    sandbox.control("end-profit-sharing", &json!({ "out_order_no": "u1", "result": "SUCCESS" })).expect("ended");
    assert_account(&sandbox, 180, 0);
}

#[cfg(feature = "cli")]
#[test]
fn each_state_is_reached_by_a_command() {
    let folder = tempfile::tempdir().expect("folder");
    let sandbox = Sandbox::builder().dir(folder.path()).start().expect("sandbox");
    let client = sandbox.client().expect("client");
    let wxpay = |arguments: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_wxpay"));
        command.args(["sandbox", "--dir"]).arg(folder.path()).args(arguments.split(' '));
        let output = command.output().expect("wxpay");
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let transaction_id = paid_order(
        &sandbox,
        &client,
        with_field(
            native("order-1", 100, "https://example.com/n"),
            "/json/settle_info",
            json!({ "profit_sharing": true }),
        ),
    );
    client.chain("v3/pay/transactions/native").post(native("order-2", 1, "https://example.com/n")).expect("placed");
    client.chain("v2/pay/unifiedorder").post(v2::order("order-3")).expect("placed");
    client
        .chain("v3/fund-app/mch-transfer/transfer-bills")
        .post(transfer("t1", "https://example.com/n"))
        .expect("created");
    assert!(wxpay("hold").0);
    assert_eq!(sandbox.overview()["hold"], json!({ "payments": true, "refunds": true, "profit_sharings": true }));
    client
        .chain("v3/refund/domestic/refunds")
        .post(refund("order-1", "r1", 10, "https://example.com/n"))
        .expect("accepted");
    let unfreeze = json!({ "json": { "transaction_id": transaction_id, "out_order_no": "u1", "description": "解冻" } });
    client.chain("v3/profitsharing/orders/unfreeze").post(unfreeze).expect("begun");
    for (arguments, path, expected) in [
        ("expire order-2", "/orders/1/state", json!("CLOSED")),
        ("fail-payment order-3", "/orders/0/state", json!("PAYERROR")),
        ("fail-transfer t1 OVERDUE_CLOSE", "/transfers/0/fail_reason", json!("OVERDUE_CLOSE")),
        ("end-refund r1 ABNORMAL", "/refunds/0/status", json!("ABNORMAL")),
        ("end-profit-sharing u1 SUCCESS", "/profit_sharings/0/state", json!("FINISHED")),
        ("hold --refunds --off", "/hold/refunds", json!(false)),
        ("limit 5 --seconds 60", "/limit/calls", json!(5)),
        ("limit", "/limit", Value::Null),
    ] {
        let (succeeded, output) = wxpay(arguments);
        assert!(succeeded, "{arguments}: {output}");
        assert_eq!(sandbox.overview().pointer(path), Some(&expected), "{arguments}");
    }
    assert_eq!(sandbox.overview()["hold"], json!({ "payments": true, "refunds": false, "profit_sharings": true }));
    let (succeeded, output) = wxpay("expire order-2");
    assert!(!succeeded && output.contains("is closed"), "{output}");
    sandbox.audit().expect("balanced");
}
