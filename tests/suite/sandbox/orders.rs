//! Orders and refunds of APIv3 in the sandbox, with their notifications.

use serde_json::{Value, json};
use wechatpay_chain::sandbox::MCHID;

use super::{assert_refused, native, next_delivery, notify_server, verify_delivery, with_field};
use crate::support::start;

const OPENID: &str = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o";

#[test]
fn a_native_order_is_placed_paid_notified_and_refunded() {
    let (sandbox, client) = start();
    let (url, receive) = notify_server(vec![]);
    let placed = client.chain("v3/pay/transactions/native").post(native("order-1", 100, &url)).expect("placed");
    assert!(placed.json::<Value>().expect("json")["code_url"].as_str().expect("url").starts_with("weixin://"));
    let again = client.chain("v3/pay/transactions/native").post(native("order-1", 100, &url)).expect("the same");
    assert_eq!(again.body(), placed.body());
    assert_refused(&client, "v3/pay/transactions/native", native("order-1", 101, &url), 403, "OUT_TRADE_NO_USED");

    let by_number = client.chain("v3/pay/transactions/out-trade-no/{out_trade_no}");
    let query = |number: &str| by_number.get(json!({ "out_trade_no": number, "query": { "mchid": MCHID } }));
    assert_eq!(query("order-1").expect("order").json::<Value>().expect("json")["trade_state"], "NOTPAY");
    assert_eq!(query("none").expect_err("none").code(), Some("ORDER_NOT_EXIST"));
    let error = by_number.get(json!({ "out_trade_no": "order-1" })).expect_err("no mchid");
    assert_eq!(error.code(), Some("PARAM_ERROR"));
    let error =
        by_number.get(json!({ "out_trade_no": "order-1", "query": { "mchid": "1" } })).expect_err("another merchant");
    assert_eq!(error.code(), Some("NO_AUTH"));

    let transaction_id = sandbox.pay("order-1").expect("paid");
    let notification = verify_delivery(&sandbox, &next_delivery(&receive)).expect("valid");
    assert_eq!(
        (notification.event_type(), &notification.resource()["out_trade_no"]),
        ("TRANSACTION.SUCCESS", &json!("order-1"))
    );
    assert_eq!(notification.resource()["transaction_id"], json!(transaction_id));
    let order = client
        .chain("v3/pay/transactions/id/{id}")
        .get(json!({ "id": transaction_id, "query": { "mchid": MCHID } }))
        .expect("order");
    assert_eq!(order.json::<Value>().expect("json")["trade_state"], "SUCCESS");
    assert_eq!(order.json::<Value>().expect("json")["amount"]["payer_total"], 100);
    assert_refused(&client, "v3/pay/transactions/native", native("order-1", 100, &url), 400, "ORDERPAID");
    let error = sandbox.pay("order-1").expect_err("twice");
    assert!(error.message().contains("is paid already"), "{error}");
    assert!(sandbox.pay("none").expect_err("none").message().contains("is not known"));

    let refund = |number: &str, amount: u64| {
        json!({ "json": {
            "out_trade_no": "order-1", "out_refund_no": number, "notify_url": url, "amount": { "refund": amount, "total": 100, "currency": "CNY" },
        }})
    };
    let first = client
        .chain("v3/refund/domestic/refunds")
        .post(refund("r1", 60))
        .expect("refunded")
        .json::<Value>()
        .expect("json");
    assert_eq!((&first["status"], &first["amount"]["refund"]), (&json!("PROCESSING"), &json!(60)));
    let notification = verify_delivery(&sandbox, &next_delivery(&receive)).expect("valid");
    assert_eq!(
        (notification.event_type(), &notification.resource()["out_refund_no"]),
        ("REFUND.SUCCESS", &json!("r1"))
    );
    let same = client
        .chain("v3/refund/domestic/refunds")
        .post(refund("r1", 60))
        .expect("the same")
        .json::<Value>()
        .expect("json");
    assert_eq!(same["refund_id"], first["refund_id"]);
    assert_refused(&client, "v3/refund/domestic/refunds", refund("r1", 10), 403, "OUT_TRADE_NO_USED");
    assert_refused(&client, "v3/refund/domestic/refunds", refund("r2", 41), 400, "INVALID_REQUEST");
    assert_refused(
        &client,
        "v3/refund/domestic/refunds",
        with_field(refund("r2", 1), "/json/amount/total", 99.into()),
        400,
        "PARAM_ERROR",
    );
    assert_refused(
        &client,
        "v3/refund/domestic/refunds",
        with_field(refund("r2", 1), "/json/out_trade_no", "none".into()),
        404,
        "RESOURCE_NOT_EXISTS",
    );
    client.chain("v3/refund/domestic/refunds").post(refund("r2", 40)).expect("refund of the rest");
    let found = client.chain("v3/refund/domestic/refunds/{no}").get(json!({ "no": "r2" })).expect("refund");
    assert_eq!(found.json::<Value>().expect("json")["status"], "SUCCESS");
    assert_eq!(query("order-1").expect("order").json::<Value>().expect("json")["trade_state"], "REFUND");
    sandbox.audit().expect("balanced");
}

#[test]
fn each_invalid_order_is_refused_with_its_field() {
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
        let options = with_field(native("order-1", 1, url), pointer, value.clone());
        let error = client.chain("v3/pay/transactions/native").post(options).expect_err(pointer);
        assert_eq!(error.code(), Some("PARAM_ERROR"), "{pointer} {value}: {error}");
        let message = error.response().expect("response").json::<Value>().expect("json");
        assert_eq!(message["detail"]["field"], field, "{message}");
    }
    assert_refused(
        &client,
        "v3/pay/transactions/native",
        with_field(native("order-1", 1, url), "/json/mchid", "1".into()),
        403,
        "NO_AUTH",
    );
    assert_refused(&client, "v3/pay/transactions/jsapi", native("order-1", 1, url), 400, "PARAM_ERROR");
    assert_refused(&client, "v3/pay/transactions/h5", native("order-1", 1, url), 400, "PARAM_ERROR");
    let error = client
        .chain("v3/pay/transactions/native")
        .post(json!({ "body": "{", "headers": { "Content-Type": "application/json" } }));
    assert_eq!(error.expect_err("not JSON").code(), Some("PARAM_ERROR"));
    let error = client
        .chain("v3/pay/transactions/native")
        .post(json!({ "body": "{}", "headers": { "Content-Type": "text/plain" } }));
    assert!(error.expect_err("not JSON").message().contains("Content-Type"));
    let error = client.chain("v3/nothing/of/this").get(()).expect_err("unknown");
    assert!(error.message().contains("--stubs FILE") && error.message().contains("v3/nothing/of/this"), "{error}");
}

#[test]
fn orders_of_every_type_are_placed_directly_and_by_partners() {
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
        ("jsapi", "prepay_id", "/json/payer", json!({ "openid": OPENID })),
        ("app", "prepay_id", "/json/attach", json!("a")),
        ("h5", "h5_url", "/json/scene_info", h5),
    ] {
        let direct = with_field(native(&format!("direct-{kind}"), 5, url), pointer, extra.clone());
        let placed = client.chain(&format!("v3/pay/transactions/{kind}")).post(direct).expect("placed");
        assert!(placed.json::<Value>().expect("json")[field].is_string(), "{kind}");
        let placed = client.chain(&format!("v3/pay/partner/transactions/{kind}")).post(with_field(
            partner(&format!("partner-{kind}")),
            pointer,
            if kind == "jsapi" { json!({ "sp_openid": OPENID }) } else { extra },
        ));
        assert!(placed.expect("placed").json::<Value>().expect("json")[field].is_string(), "{kind}");
        sandbox.pay(&format!("direct-{kind}")).expect("paid");
        sandbox.pay(&format!("partner-{kind}")).expect("paid");
        let queried = client
            .chain("v3/pay/partner/transactions/out-trade-no/{no}")
            .get(json!({ "no": format!("partner-{kind}"), "query": { "sp_mchid": MCHID, "sub_mchid": "1900000209" } }));
        let queried = queried.expect("order").json::<Value>().expect("json");
        assert_eq!((&queried["sub_mchid"], &queried["trade_state"]), (&json!("1900000209"), &json!("SUCCESS")));
    }
    // Each merchant has its own order numbers.
    client.chain("v3/pay/partner/transactions/native").post(partner("direct-native")).expect("another merchant's");
    let close = client.chain("v3/pay/transactions/out-trade-no/{no}/close");
    client.chain("v3/pay/transactions/native").post(native("order-c", 1, url)).expect("placed");
    let closed = close.post(json!({ "no": "order-c", "json": { "mchid": MCHID } })).expect("closed");
    assert_eq!(closed.status(), 204);
    assert_eq!(
        close.post(json!({ "no": "direct-native", "json": { "mchid": MCHID } })).expect_err("paid").code(),
        Some("ORDERPAID")
    );
    assert_eq!(
        close.post(json!({ "no": "x", "json": { "mchid": MCHID } })).expect_err("none").code(),
        Some("ORDER_NOT_EXIST")
    );
    assert_refused(&client, "v3/pay/transactions/native", native("order-c", 1, url), 400, "ORDER_CLOSED");
    assert!(sandbox.pay("order-c").expect_err("closed").message().contains("is closed"));
    sandbox.audit().expect("balanced");
}

#[test]
fn a_combined_order_is_placed_paid_and_closed_as_one() {
    let (sandbox, client) = start();
    let (url, receive) = notify_server(vec![]);
    let sub = |number: &str, amount: u64| json!({ "mchid": MCHID, "out_trade_no": format!("order-{number}"), "description": "d", "attach": "a", "amount": { "total_amount": amount, "currency": "CNY" } });
    let combined = |number: &str, subs: Value| {
        json!({ "json": {
            "combine_appid": "wxd678efh567hg6787", "combine_mchid": MCHID, "combine_out_trade_no": format!("order-{number}"), "notify_url": url, "sub_orders": subs,
        }})
    };
    client
        .chain("v3/combine-transactions/native")
        .post(combined("all", json!([sub("s1", 10), sub("s2", 20)])))
        .expect("placed");
    // Either all orders are placed or none.
    let error =
        client.chain("v3/combine-transactions/native").post(combined("other", json!([sub("s3", 10), sub("s1", 10)])));
    assert_eq!(error.expect_err("taken").code(), Some("OUT_TRADE_NO_USED"));
    assert!(sandbox.pay("order-s3").is_err(), "no part is placed");
    sandbox.pay("order-all").expect("paid");
    let notification = verify_delivery(&sandbox, &next_delivery(&receive)).expect("valid");
    assert_eq!(notification.resource()["sub_orders"].as_array().map(Vec::len), Some(2));
    assert_eq!(sandbox.overview()["notifications"].as_array().map(Vec::len), Some(1), "reported once");
    let queried =
        client.chain("v3/combine-transactions/out-trade-no/{no}").get(json!({ "no": "order-all" })).expect("order");
    assert_eq!(queried.json::<Value>().expect("json")["sub_orders"][1]["amount"]["payer_amount"], 20);
    let jsapi = combined("j", json!([sub("s4", 1), sub("s7", 1)]));
    client.chain("v3/combine-transactions/jsapi").post(jsapi).expect_err("no payer");
    client
        .chain("v3/combine-transactions/app")
        .post(combined("c", json!([sub("s5", 1), sub("s6", 1)])))
        .expect("placed");
    let close = client.chain("v3/combine-transactions/out-trade-no/{no}/close");
    let closing = |no: &str, subs: Value| json!({ "no": format!("order-{no}"), "json": { "combine_appid": "wxd678efh567hg6787", "sub_orders": subs } });
    let number = |no: &str| json!({ "mchid": MCHID, "out_trade_no": format!("order-{no}") });
    close.post(closing("c", json!([number("s5"), number("s1")]))).expect_err("s1 belongs to another order");
    assert_eq!(close.post(closing("c", json!([number("s5"), number("s6")]))).expect("closed").status(), 204);
    assert!(sandbox.pay("order-c").is_err());
    sandbox.audit().expect("balanced");
}
