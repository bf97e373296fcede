//! Requests that the service refuses by its documentation, one row each, and the accepted request
//! that differs in that point only.

use serde_json::{Value, json};
use wechatpay_chain::sandbox::{MCHID, Sandbox};
use wechatpay_chain::{Client, Error, Media};

use super::{native, with_field};
use crate::support::start;

const OPENID: &str = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o";
const NOTIFY: &str = "https://example.com/notify";
const NATIVE: &str = "v3/pay/transactions/native";
const TRANSFERS: &str = "v3/fund-app/mch-transfer/transfer-bills";

/// Sends a request; `options` with `xml` is one of APIv2, and `get` selects the method.
fn send(client: &Client, path: &str, mut options: Value) -> Result<(), Error> {
    match options.as_object_mut().and_then(|options| options.remove("get")) {
        Some(_) => client.chain(path).get(options).map(drop),
        None => client.chain(path).post(options).map(drop),
    }
}

/// What is wrong with a request: where a value is set or removed.
type Change = (&'static str, Value);

/// A row: the name of the rule, the path, the accepted request, the changes that make the service
/// refuse it, and the expected code.
type Row = (&'static str, &'static str, Value, Vec<Change>, &'static str);

/// Applies changes. `null` removes a field.
fn changed(options: &Value, changes: &[Change]) -> Value {
    let mut changed = options.clone();
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').expect("pointer");
        let parent = changed.pointer_mut(parent).and_then(Value::as_object_mut).expect("parent");
        match value {
            Value::Null => drop(parent.remove(name)),
            value => drop(parent.insert(name.to_owned(), value.clone())),
        }
    }
    changed
}

fn transfer(client: &Client, number: &str, amount: u64, named: bool) -> Value {
    let mut options = json!({ "json": {
        "appid": "wxf636efh567hg4356", "out_bill_no": number, "transfer_scene_id": "1000", "openid": OPENID,
        "transfer_amount": amount, "transfer_remark": "r",
        "transfer_scene_report_infos": [{ "info_type": "a", "info_content": "b" }],
    }});
    if named {
        let name = client.encrypt("张三").expect("encrypted");
        options["json"]["user_name"] = name.ciphertext.into();
        options["headers"] = json!({ "Wechatpay-Serial": name.serial });
    }
    options
}

fn combined(number: &str) -> Value {
    let sub = |number: String| json!({ "mchid": MCHID, "out_trade_no": number, "description": "d", "attach": "a", "amount": { "total_amount": 1, "currency": "CNY" } });
    json!({ "json": {
        "combine_appid": "wxd678efh567hg6787", "combine_mchid": MCHID, "combine_out_trade_no": number, "notify_url": NOTIFY,
        "scene_info": { "payer_client_ip": "14.23.150.211", "h5_info": { "type": "Wap" } },
        "sub_orders": [sub(format!("{number}-1")), sub(format!("{number}-2"))],
    }})
}

fn v2_order(number: &str, kind: &str) -> Value {
    json!({ "xml": {
        "appid": "wx8888888888888888", "mch_id": MCHID, "body": "b", "out_trade_no": number, "total_fee": 1,
        "spbill_create_ip": "1.2.3.4", "notify_url": NOTIFY, "trade_type": kind, "product_id": "1",
        "scene_info": r#"{"h5_info":{"type":"Wap","wap_url":"https://example.com","wap_name":"n"}}"#,
    }})
}

/// The rows, whose numbers are those of the list in the issue.
fn rows(sandbox: &Sandbox, client: &Client) -> Vec<Row> {
    let transaction_ids: Vec<String> = ["order-p1", "order-p2"]
        .map(|number| {
            let order =
                with_field(native(number, 1000, NOTIFY), "/json/settle_info", json!({ "profit_sharing": true }));
            client.chain(NATIVE).post(order).expect("placed");
            sandbox.pay(number).expect("paid")
        })
        .into();
    client.chain("v2/pay/unifiedorder").post(v2_order("v2-query", "NATIVE")).expect("placed");
    let refund = |number: &str| {
        json!({ "json": {
            "out_trade_no": "order-p2", "transaction_id": transaction_ids[1], "out_refund_no": number, "reason": "r",
            "amount": { "refund": 1, "total": 1000, "currency": "CNY" },
        }})
    };
    let receiver = json!({ "json": {
        "appid": "wx8888888888888888", "type": "MERCHANT_ID", "account": "86693852", "relation_type": "STORE",
    }});
    client.chain("v3/profitsharing/receivers/add").post(&receiver).expect("added");
    client.chain("v3/refund/domestic/refunds").post(refund("again")).expect("refunded");
    let share = json!({ "json": {
        "appid": "wx8888888888888888", "transaction_id": transaction_ids[0], "out_order_no": "s1", "unfreeze_unsplit": false,
        "receivers": [{ "type": "MERCHANT_ID", "account": "86693852", "amount": 1, "description": "d" }],
    }});
    let jsapi = with_field(native("order-js", 1, NOTIFY), "/json/payer", json!({ "openid": OPENID }));
    let partner = json!({ "json": {
        "sp_appid": "wx8888888888888888", "sp_mchid": MCHID, "sub_appid": "wx8888888888888889", "sub_mchid": "1900000209",
        "description": "d", "out_trade_no": "order-pa", "notify_url": NOTIFY, "amount": { "total": 7 },
        "payer": { "sub_openid": OPENID },
    }});
    let echo = json!({ "json": { "echo_message": "a" } });
    let named = |number| transfer(client, number, 400, true);
    let order = |number| native(number, 1, NOTIFY);
    let param = "PARAM_ERROR";
    vec![
        ("1", NATIVE, order("order-01"), vec![("/json/notify_url", json!("https://example.com/notify?a=b"))], param),
        ("2", NATIVE, order("order-02"), vec![("/json/notify_url", json!("http://example.com/notify"))], param),
        ("3", TRANSFERS, named("t3"), vec![("/headers/Wechatpay-Serial", json!("ABC"))], param),
        (
            "3 without a field",
            "v3/security/echo",
            json!({ "headers": {}, "json": { "echo_message": "a" } }),
            vec![("/headers/Wechatpay-Serial", json!("ABC"))],
            param,
        ),
        ("4", TRANSFERS, named("t4"), vec![("/json/user_name", json!("张三"))], param),
        ("4 receiver", "v3/profitsharing/receivers/add", receiver.clone(), vec![("/json/name", json!("张三"))], param),
        ("6", TRANSFERS, transfer(client, "t6", 200_000, true), vec![("/json/user_name", Value::Null)], param),
        (
            "7",
            TRANSFERS,
            transfer(client, "t7", 29, false),
            vec![("/json/user_name", named("x")["json"]["user_name"].clone())],
            param,
        ),
        ("8", TRANSFERS, transfer(client, "t8", 40, false), vec![("/json/out_bill_no", json!("t_8"))], param),
        ("9", TRANSFERS, transfer(client, "t9", 40, false), vec![("/json/transfer_scene_id", json!("9999"))], param),
        ("10", NATIVE, order("order-10"), vec![("/json/time_expire", json!("2018-06-08T10:34:56+08:00"))], param),
        ("11", NATIVE, order("order-11"), vec![("/json/time_expire", json!("2038-13-45T99:99:99+08:00"))], param),
        ("12", NATIVE, order("order-12"), vec![("/json/out_trade_no", json!("order"))], param),
        ("13", NATIVE, order("order-13"), vec![("/json/appid", json!("wx1"))], "APPID_MCHID_NOT_MATCH"),
        ("14", "v3/pay/transactions/jsapi", jsapi, vec![("/json/payer/openid", json!("x"))], param),
        (
            "15",
            "v3/profitsharing/orders",
            share.clone(),
            vec![("/json/out_order_no", json!("s15")), ("/json/receivers/0/account", json!("1"))],
            "NO_RELATION",
        ),
        (
            "16",
            "v3/profitsharing/orders",
            share,
            vec![("/json/out_order_no", json!("s16")), ("/json/receivers/0/amount", json!(900))],
            "RULE_LIMIT",
        ),
        (
            "20",
            "v3/refund/domestic/refunds",
            refund("r20"),
            vec![("/json/transaction_id", json!(transaction_ids[0])), ("/json/out_refund_no", json!("r20b"))],
            param,
        ),
        (
            "21",
            "v3/refund/domestic/refunds",
            refund("again"),
            vec![("/json/reason", json!("another"))],
            "OUT_TRADE_NO_USED",
        ),
        (
            "23",
            "v3/security/echo",
            json!({ "headers": {}, "json": echo["json"] }),
            vec![("/headers/Accept", json!("text/html"))],
            param,
        ),
        (
            "24",
            "v3/combine-transactions/native",
            combined("combined-24"),
            vec![("/json/sub_orders", json!([combined("combined-24b")["json"]["sub_orders"][0]]))],
            param,
        ),
        ("25", "v3/combine-transactions/h5", combined("combined-25"), vec![("/json/scene_info", Value::Null)], param),
        ("26 appid", "v3/profitsharing/receivers/add", receiver.clone(), vec![("/json/appid", Value::Null)], param),
        ("26 relation", "v3/profitsharing/receivers/add", receiver, vec![("/json/relation_type", Value::Null)], param),
        ("27", "v3/pay/partner/transactions/jsapi", partner, vec![("/json/sub_appid", Value::Null)], param),
        ("28", "v2/pay/unifiedorder", v2_order("v2-28", "NATIVE"), vec![("/xml/product_id", Value::Null)], "FAIL"),
        ("29", "v2/pay/unifiedorder", v2_order("v2-29", "MWEB"), vec![("/xml/scene_info", Value::Null)], "FAIL"),
        (
            "30",
            "v2/pay/unifiedorder",
            v2_order("v2-30", "NATIVE"),
            vec![("/xml/time_expire", json!("20091227091010"))],
            "FAIL",
        ),
        (
            "31",
            "v2/pay/orderquery",
            json!({ "xml": { "appid": "wx8888888888888888", "mch_id": MCHID, "out_trade_no": "v2-query" } }),
            vec![("/xml/appid", json!("wx8888888888888887"))],
            "APPID_MCHID_NOT_MATCH",
        ),
        (
            "32",
            NATIVE,
            with_field(order("order-32"), "/json/limit_pay", json!(["no_balance"])),
            vec![("/json/limit_pay", json!("no_balance"))],
            param,
        ),
        (
            "33",
            NATIVE,
            with_field(
                order("order-33"),
                "/json/detail",
                json!({ "goods_detail": [{ "merchant_goods_id": "1", "quantity": 1, "unit_price": 1 }] }),
            ),
            vec![("/json/detail/goods_detail", json!({ "merchant_goods_id": "1" }))],
            param,
        ),
    ]
}

#[test]
fn each_request_that_the_service_refuses_is_refused() {
    let (sandbox, client) = start();
    let mut wrong = String::new();
    for (rule, path, accepted, changes, code) in rows(&sandbox, &client) {
        let refused = changed(&accepted, &changes);
        match send(&client, path, refused) {
            Err(error) if error.code() == Some(code) => {}
            Err(error) => wrong += &format!("{rule}: {error} instead of {code}\n"),
            Ok(()) => wrong += &format!("{rule} is accepted\n"),
        }
        if let Err(error) = send(&client, path, accepted) {
            wrong += &format!("{rule}: the correct request is refused: {error}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    sandbox.audit().expect("balanced");
}

/// The rows that no client option expresses: 5, 17, 18, 19, 22 and 34.
#[test]
fn headers_bills_pictures_and_repeated_keys_are_checked() {
    let (sandbox, client) = start();
    let refused = |outcome: Result<wechatpay_chain::Response, Error>, field: &str| {
        let error = outcome.expect_err(field);
        let body = error.response().expect("response").json::<Value>().expect("json");
        assert_eq!((error.code(), &body["detail"]["field"]), (Some("PARAM_ERROR"), &json!(field)), "{body}");
    };
    // 5: a client in platform-certificate mode sends no Wechatpay-Serial of its own accord.
    let certificate = sandbox.rotate_certificate().expect("certificate");
    let client_by_certificate = crate::support::by_certificate(&sandbox).build().expect("client");
    let mut named = transfer(&client, "t5", 400, true);
    named["headers"] = json!({});
    refused(client_by_certificate.chain(TRANSFERS).post(named), "Wechatpay-Serial");
    assert!(!certificate.serial().is_empty());

    let bill = |query: Value| client.chain("v3/bill/tradebill").get(json!({ "query": query }));
    refused(bill(json!({ "bill_date": "2019-06-11", "bill_type": "XYZ" })), "bill_type");
    refused(bill(json!({ "bill_date": "2019-02-30" })), "bill_date");
    let flow = json!({ "bill_date": "2019-06-11", "account_type": "NONSENSE" });
    refused(client.chain("v3/bill/fundflowbill").get(json!({ "query": flow })), "account_type");
    client.chain(NATIVE).post(native("order-today", 1, NOTIFY)).expect("placed");
    sandbox.pay("order-today").expect("paid");
    let order =
        client.chain("v3/pay/transactions/out-trade-no/order-today").get(json!({ "query": { "mchid": MCHID } }));
    let time = order.expect("order").json::<Value>().expect("json")["success_time"].as_str().expect("time").to_owned();
    let error = bill(json!({ "bill_date": time[..10] })).expect_err("not before tomorrow morning");
    assert_eq!(error.code(), Some("NO_STATEMENT_EXIST"));

    for path in ["v3/merchant/media/upload", "v3/merchant-service/images/upload"] {
        refused(client.chain(path).post(Media::from_bytes("a.png", "a text")), "/file");
    }

    let body = native("order-34", 1, NOTIFY)["json"].to_string();
    let twice = format!("{},\"out_trade_no\":\"order-35\"}}", body.trim_end_matches('}').to_owned() + "}");
    let options = json!({ "body": twice, "headers": { "Content-Type": "application/json" } });
    let error = client.chain(NATIVE).post(options).expect_err("a key twice");
    assert!(error.message().contains("appears twice"), "{error}");
}
