//! Payments with a code, deductions, and orders with a contract. The ledger contains them, so
//! queries, refunds, reversals and bills include them.

use serde_json::{Value, json};
use wechatpay_chain::sandbox::{MCHID, Sandbox};
use wechatpay_chain::{Client, Error};

use super::{native, next_delivery, notify_server, verify_delivery, with_field};
use crate::support::start;
use crate::v2::calls::over_tls;

const APPID: &str = "wxd678efh567hg6787";
const CODE: &str = "120061098828009406";
/// The balance of a new sandbox, in fen.
const OPENING_BALANCE: u64 = 100_000_000;

/// Asserts the available amount in addition to the opening balance.
fn assert_income(sandbox: &Sandbox, income: u64) {
    sandbox.audit().expect("balanced");
    assert_eq!(sandbox.overview()["account"], json!({ "available": OPENING_BALANCE + income, "frozen": 0 }));
}

fn code_payment(number: &str, amount: u64) -> Value {
    let mut order = with_field(native(number, amount, ""), "/json/payer", json!({ "auth_code": CODE }));
    order["json"].as_object_mut().expect("members").remove("notify_url");
    with_field(order, "/json/scene_info", json!({ "store_info": { "id": "0001" } }))
}

fn micropay(number: &str, amount: u64) -> Value {
    json!({ "xml": {
        "appid": APPID, "mch_id": MCHID, "body": "b", "out_trade_no": number, "total_fee": amount.to_string(),
        "spbill_create_ip": "127.0.0.1", "auth_code": CODE,
    }})
}

/// The response of a query of APIv3.
fn order(client: &Client, number: &str) -> Value {
    let order = client.chain("v3/pay/transactions/out-trade-no/{number}");
    order.get(json!({ "number": number, "query": { "mchid": MCHID } })).expect("order").json().expect("json")
}

/// The response of a query of APIv2.
fn order_v2(client: &Client, number: &str) -> Value {
    let query = json!({ "xml": { "appid": APPID, "mch_id": MCHID, "out_trade_no": number } });
    client.chain("v2/pay/orderquery").post(query).expect("order").xml().expect("xml")
}

fn reverse(client: &Client, number: &str) -> Result<Value, Error> {
    let options = json!({ "number": number, "json": { "appid": APPID, "mchid": MCHID } });
    client.chain("v3/pay/transactions/out-trade-no/{number}/reverse").post(options)?.json()
}

fn reverse_v2(client: &Client, number: &str) -> Result<Value, Error> {
    let options = json!({ "security": true, "xml": { "appid": APPID, "mch_id": MCHID, "out_trade_no": number } });
    client.chain("v2/secapi/pay/reverse").post(options)?.xml()
}

#[test]
fn a_payment_with_a_code_is_queried_refunded_and_taken_back() {
    let (sandbox, client) = start();
    let codepay = client.chain("v3/pay/transactions/codepay");
    let paid = codepay.post(code_payment("order-1", 100)).expect("paid").json::<Value>().expect("json");
    assert_eq!((&paid["trade_state"], &paid["trade_type"]), (&json!("SUCCESS"), &json!("MICROPAY")));
    assert_eq!(order(&client, "order-1"), paid);
    assert_income(&sandbox, 100);
    let error = codepay.post(code_payment("order-1", 100)).expect_err("paid");
    assert_eq!(error.code(), Some("ORDERPAID"));
    let error = codepay.post(with_field(code_payment("order-2", 1), "/json/payer/auth_code", "99".into()));
    assert_eq!(error.expect_err("no code").code(), Some("PARAM_ERROR"));

    let refund = json!({ "json": {
        "transaction_id": paid["transaction_id"], "out_refund_no": "r1",
        "amount": { "refund": 30, "total": 100, "currency": "CNY" },
    }});
    client.chain("v3/refund/domestic/refunds").post(refund).expect("refunded");
    assert_income(&sandbox, 70);
    assert_eq!(reverse(&client, "order-1").expect_err("refunded").code(), Some("INVALID_REQUEST"));

    codepay.post(code_payment("order-2", 50)).expect("paid");
    assert_income(&sandbox, 120);
    let reversed = reverse(&client, "order-2").expect("taken back");
    assert_eq!(reversed, json!({ "appid": APPID, "mchid": MCHID, "out_trade_no": "order-2" }));
    assert_eq!(order(&client, "order-2")["trade_state"], "REVOKED");
    assert_income(&sandbox, 70);
    reverse(&client, "order-2").expect("again");
    assert_income(&sandbox, 70);
    assert_eq!(codepay.post(code_payment("order-2", 50)).expect_err("revoked").code(), Some("ORDER_CLOSED"));
    assert_eq!(reverse(&client, "none").expect_err("none").code(), Some("ORDER_NOT_EXIST"));
    // Other orders cannot be reversed, and notifications are not sent for these payments.
    client.chain("v3/pay/transactions/native").post(native("order-3", 1, "https://example.com/n")).expect("placed");
    assert!(reverse(&client, "order-3").expect_err("not by code").message().contains("支付场景不支持"));
    assert_eq!(sandbox.overview()["notifications"].as_array().map(Vec::len), Some(0));

    // The bill of the day contains the payments, the refund and the reversed payment.
    sandbox.control("bills", &json!({})).expect("available");
    let time = paid["success_time"].as_str().expect("time");
    let bill = client.chain("v3/bill/tradebill").get(json!({ "query": { "bill_date": &time[..10] } })).expect("bill");
    let folder = tempfile::tempdir().expect("folder");
    client.download(&bill).expect("download").save(folder.path().join("bill")).expect("valid digest");
    let bill = std::fs::read_to_string(folder.path().join("bill")).expect("text");
    let rows = |state: &str| bill.lines().filter(|line| line.contains(&format!("`MICROPAY,`{state},"))).count();
    assert_eq!((rows("SUCCESS"), rows("REFUND"), rows("REVOKED")), (2, 1, 1), "{bill}");
}

#[test]
fn a_held_payment_with_a_code_waits_for_the_buyer() {
    let (sandbox, client) = start();
    sandbox.control("hold", &json!({ "payments": true })).expect("held");
    let codepay = client.chain("v3/pay/transactions/codepay");
    for number in ["order-1", "order-2"] {
        let paying = codepay.post(code_payment(number, 100)).expect("accepted").json::<Value>().expect("json");
        let expected = json!({ "appid": APPID, "mchid": MCHID, "out_trade_no": number, "trade_state": "USERPAYING" });
        assert_eq!(paying, expected);
        assert_eq!(order(&client, number)["trade_state"], "USERPAYING");
    }
    assert_income(&sandbox, 0);
    assert!(reverse(&client, "order-1").expect_err("paying").message().contains("正在支付中"));
    let close = client.chain("v3/pay/transactions/out-trade-no/order-1/close");
    assert_eq!(close.post(json!({ "json": { "mchid": MCHID } })).expect_err("paying").code(), Some("INVALID_REQUEST"));
    let error = sandbox.control("expire", &json!({ "out_trade_no": "order-1" })).expect_err("paying");
    assert!(error.message().contains("is still being paid"), "{error}");
    sandbox.pay("order-1").expect("paid");
    assert_eq!(order(&client, "order-1")["trade_state"], "SUCCESS");
    sandbox.control("fail-payment", &json!({ "out_trade_no": "order-2" })).expect("failed");
    assert_eq!(order(&client, "order-2")["trade_state"], "PAYERROR");
    reverse(&client, "order-2").expect("taken back");
    assert_eq!(order(&client, "order-2")["trade_state"], "REVOKED");
    assert_income(&sandbox, 100);

    let error = client.chain("v2/pay/micropay").post(micropay("order-3", 10)).expect_err("paying");
    assert_eq!(error.code(), Some("USERPAYING"));
    assert_eq!(order_v2(&client, "order-3")["trade_state"], "USERPAYING");
    let client_tls = over_tls(&sandbox);
    assert_eq!(reverse_v2(&client_tls, "order-3").expect_err("paying").code(), Some("USERPAYING"));
    sandbox.pay("order-3").expect("paid");
    assert_eq!(order_v2(&client, "order-3")["trade_state"], "SUCCESS");
    assert_income(&sandbox, 110);
}

#[test]
fn payments_of_apiv2_with_a_code_are_in_the_ledger() {
    let (sandbox, client) = start();
    let client_tls = over_tls(&sandbox);
    let paid = client.chain("v2/pay/micropay").post(micropay("order-1", 100)).expect("paid").xml().expect("xml");
    assert_eq!([&paid["trade_type"], &paid["total_fee"]], ["MICROPAY", "100"]);
    let found = order_v2(&client, "order-1");
    assert_eq!([&found["trade_state"], &found["transaction_id"]], [&json!("SUCCESS"), &paid["transaction_id"]]);
    assert_eq!(
        client.chain("v2/pay/micropay").post(micropay("order-1", 100)).expect_err("paid").code(),
        Some("ORDERPAID")
    );
    let code = with_field(micropay("order-2", 1), "/xml/auth_code", "990061098828009406".into());
    assert_eq!(client.chain("v2/pay/micropay").post(code).expect_err("code").code(), Some("AUTH_CODE_INVALID"));
    assert_income(&sandbox, 100);
    let refund = json!({ "security": true, "xml": {
        "appid": APPID, "mch_id": MCHID, "out_trade_no": "order-1", "out_refund_no": "r1", "total_fee": "100", "refund_fee": "40",
    }});
    client_tls.chain("v2/secapi/pay/refund").post(refund).expect("refunded");
    assert_income(&sandbox, 60);

    let mut face = micropay("order-2", 5);
    face["xml"]["face_code"] = "code".into();
    face["xml"]["fee_type"] = "CNY".into();
    face["xml"]["sign_type"] = "HMAC-SHA256".into();
    face["xml"].as_object_mut().expect("members").remove("auth_code");
    let paid = client.chain("v2/pay/facepay").post(face).expect("paid").xml().expect("xml");
    assert_eq!(paid["trade_type"], "FACEPAY");
    assert_income(&sandbox, 65);
    assert_eq!(reverse_v2(&client_tls, "order-2").expect("taken back")["recall"], "N");
    assert_eq!(reverse_v2(&client_tls, "order-2").expect("again")["recall"], "N");
    assert_income(&sandbox, 60);
    assert_eq!(order_v2(&client, "order-2")["trade_state"], "REVOKED");
    let reverse = json!({ "xml": { "appid": APPID, "mch_id": MCHID, "out_trade_no": "order-2" } });
    let error = client.chain("v2/secapi/pay/reverse").post(reverse).expect_err("no certificate");
    assert_eq!(error.status().map(|status| status.as_u16()), Some(400));
}

#[test]
fn deductions_are_paid_and_reported() {
    let (sandbox, client) = start();
    let (url, receive) = notify_server(vec![]);
    let deduction = |number: &str| {
        json!({ "json": {
            "appid": APPID, "out_trade_no": number, "description": "d", "transaction_notify_url": url,
            "contract_id": "Wx15463511252015071056489715", "amount": { "total": 100, "currency": "CNY" },
        }})
    };
    let apply = client.chain("v3/papay/pay/transactions/apply");
    let accepted = apply.post(deduction("order-1")).expect("accepted").json::<Value>().expect("json");
    assert_eq!(accepted, json!({ "out_trade_no": "order-1", "amount": { "total": 100, "currency": "CNY" } }));
    let notification = verify_delivery(&sandbox, &next_delivery(&receive)).expect("valid");
    assert_eq!(notification.event_type(), "TRANSACTION.SUCCESS");
    assert_eq!(notification.resource()["trade_type"], "PAP");
    assert_eq!(order(&client, "order-1")["trade_state"], "SUCCESS");
    assert_income(&sandbox, 100);

    sandbox.control("hold", &json!({ "payments": true })).expect("held");
    apply.post(deduction("order-2")).expect("accepted");
    assert_eq!(order(&client, "order-2")["trade_state"], "ACCEPT");
    sandbox.control("fail-payment", &json!({ "out_trade_no": "order-2" })).expect("failed");
    let notification = verify_delivery(&sandbox, &next_delivery(&receive)).expect("valid");
    assert_eq!(notification.event_type(), "TRANSACTION.FAIL");
    assert_eq!(notification.resource()["trade_state"], "PAYERROR");
    assert_income(&sandbox, 100);

    let mut apply = micropay("order-3", 7);
    for (name, value) in [("notify_url", url.as_str()), ("trade_type", "PAP"), ("contract_id", "c1")] {
        apply["xml"][name] = value.into();
    }
    apply["xml"].as_object_mut().expect("members").remove("auth_code");
    client.chain("v2/pay/pappayapply").post(&apply).expect("accepted");
    assert_eq!(order_v2(&client, "order-3")["trade_state"], "ACCEPT");
    sandbox.pay("order-3").expect("paid");
    let verifier = wechatpay_chain::notify::v2::NotificationVerifier::new(MCHID, sandbox.secret()).expect("verifier");
    let notification = verifier.verify(&next_delivery(&receive).1).expect("valid");
    let fields = notification.fields();
    assert_eq!([&fields["trade_type"], &fields["contract_id"]], ["PAP", "c1"]);
    let query = json!({ "xml": {
        "appid": APPID, "mch_id": MCHID, "out_trade_no": "order-3", "transaction_id": fields["transaction_id"],
    }});
    let found = client.chain("v2/pay/paporderquery").post(query).expect("found").xml().expect("xml");
    assert_eq!(found["trade_state"], "SUCCESS");
    assert_income(&sandbox, 107);
}

#[test]
fn an_order_with_a_contract_is_paid_and_its_contract_is_found() {
    let (sandbox, client) = start();
    let (url, receive) = notify_server(vec![]);
    let mut order = micropay("order-1", 7);
    order["xml"].as_object_mut().expect("members").remove("auth_code");
    for (name, value) in [
        ("notify_url", url.as_str()),
        ("trade_type", "NATIVE"),
        ("contract_mchid", MCHID),
        ("contract_appid", APPID),
        ("plan_id", "123"),
        ("contract_code", "contract-1"),
        ("request_serial", "1"),
        ("contract_display_account", "a"),
        ("contract_notify_url", url.as_str()),
    ] {
        order["xml"][name] = value.into();
    }
    let placed = client.chain("v2/pay/contractorder").post(order).expect("placed").xml().expect("xml");
    assert!(placed["code_url"].as_str().expect("code_url").starts_with("weixin://"), "{placed:?}");
    assert_eq!([&placed["contract_code"], &placed["contract_result_code"]], ["contract-1", "SUCCESS"]);
    sandbox.pay("order-1").expect("paid");
    next_delivery(&receive);
    assert_income(&sandbox, 7);
    // An order with a contract of APIv3.
    let mut order = native("order-2", 3, &url);
    order["json"]["contract_info"] = json!({
        "plan_id": "1", "contract_mchid": MCHID, "contract_appid": APPID, "contract_code": "c", "request_serial": "1",
        "contract_display_account": "a",
    });
    let placed = client.chain("v3/pay/transactions/app-with-contract").post(order).expect("placed");
    assert!(placed.json::<Value>().expect("json")["prepay_id"].is_string());
    sandbox.pay("order-2").expect("paid");
    assert_income(&sandbox, 10);
}
