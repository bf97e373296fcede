//! Delivery of notifications by the sandbox, faults by name, and control calls.

use std::time::Duration;

use serde_json::{Value, json};
use wechatpay_chain::sandbox::{Fault, MCHID, Sandbox};
use wechatpay_chain::{Error, ErrorKind};

use super::{control, native, next_delivery, notify_server, send_raw, verify_delivery, with_field};
use crate::support::{by_certificate, sandbox, start, unused_address};

#[test]
fn control_calls_are_accepted_only_from_this_machine() {
    let sandbox = sandbox();
    let address = sandbox.address();
    for (head, expected) in [
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
        let response = send_raw(&sandbox, &format!("{head}\r\nconnection: close\r\n\r\n{body}"));
        assert!(response.contains(expected), "{head}: {response}");
    }
    assert!(control(&sandbox, "fault", &json!({ "fault": "none" })).expect_err("none").contains("wrong-signature"));
    control(&sandbox, "stub", &json!({ "method": "GET", "template": "v3/x/{y}", "response": { "a": 1 } }))
        .expect("stub");
    let client = sandbox.client().expect("client");
    assert_eq!(
        client.chain("v3/x/{y}").get(json!({ "y": 1 })).expect("stub").json::<Value>().expect("json"),
        json!({ "a": 1 })
    );
}

#[test]
fn notifications_are_redelivered_until_they_succeed() {
    let sandbox = Sandbox::builder().notification_speed(1000.0).start().expect("sandbox");
    let client = sandbox.client().expect("client");
    let (url, receive) = notify_server(vec![500, 401, 200]);
    client.chain("v3/pay/transactions/native").post(native("order-n1", 1, &url)).expect("placed");
    // The first has an invalid signature. The second is valid, but gets an error.
    sandbox.inject_notification(Fault::WrongSignature);
    sandbox.pay("order-n1").expect("paid");
    let first = next_delivery(&receive);
    assert_eq!(verify_delivery(&sandbox, &first).expect_err("wrong signature").kind(), ErrorKind::Verification);
    let (second, third) = (next_delivery(&receive), next_delivery(&receive));
    let (second, third) =
        (verify_delivery(&sandbox, &second).expect("valid"), verify_delivery(&sandbox, &third).expect("valid"));
    assert_eq!(second.id(), third.id(), "the same notification, signed again");
    let state = || sandbox.overview()["notifications"][0].clone();
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while state()["outcome"] != "delivered" {
        assert!(std::time::Instant::now() < deadline, "{}", state());
        std::thread::sleep(Duration::from_millis(10));
    }
    let statuses: Vec<_> =
        state()["attempts"].as_array().expect("attempts").iter().map(|one| one["status"].clone()).collect();
    assert_eq!(statuses, [500, 401, 200]);

    // A replay, a probe, and a notify_url on another machine.
    control(&sandbox, "replay", &json!({ "id": state()["id"] })).expect("replayed");
    assert_eq!(verify_delivery(&sandbox, &next_delivery(&receive)).expect("valid").id(), third.id());
    assert!(control(&sandbox, "replay", &json!({ "id": "none" })).is_err());
    control(&sandbox, "probe", &json!({ "notify_url": url })).expect("probe");
    assert_eq!(verify_delivery(&sandbox, &next_delivery(&receive)).expect_err("probe").kind(), ErrorKind::Probe);
    let response = control(&sandbox, "probe", &json!({ "notify_url": "https://example.com/x" })).expect("response");
    assert!(
        response["notifications"][0]["outcome"].as_str().is_some_and(|message| message.contains("not sent")),
        "{response}"
    );
    assert!(state()["outcome"].as_str().expect("text").contains("not on this machine"), "{}", state());
    let error = control(&sandbox, "replay", &json!({ "id": state()["id"] })).expect_err("another machine");
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
        assert_eq!(verify_delivery(&sandbox, &next_delivery(&receive)).expect_err("faulty").kind(), kind);
    }
}

#[test]
fn a_notification_is_given_up_after_sixteen_attempts() {
    let sandbox = Sandbox::builder().notification_speed(1e6).start().expect("sandbox");
    let client = sandbox.client().expect("client");
    let url = format!("http://{}/", unused_address());
    client.chain("v3/pay/transactions/native").post(native("order-n1", 1, &url)).expect("placed");
    sandbox.pay("order-n1").expect("paid");
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        let sent = sandbox.overview()["notifications"][0].clone();
        if sent["outcome"] == "given up" {
            assert_eq!(sent["attempts"].as_array().map(Vec::len), Some(16), "the first attempt and fifteen retries");
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{sent}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_notify_url_with_user_info_is_refused_and_not_shown() {
    let (sandbox, client) = crate::support::start();
    let mut shown = String::new();
    for url in [
        "http://user:QZXJ@127.0.0.1:1/",
        "http://user:QZ#QZXJ@127.0.0.1:1/",
        "http://127.0.0.1:1\\QZXJ@example.com/",
        "http://127.0.0.1:1@QZXJ@example.com/",
        "http://127.0.0.1:99999/QZXJ@",
    ] {
        let order = client.chain("v3/pay/transactions/native").post(super::native("order-1", 1, url)).expect_err(url);
        assert_eq!(order.code(), Some("PARAM_ERROR"), "{order}");
        shown += &format!("{order} {}", order.response().expect("response").text());
        let order = client.chain("v2/pay/unifiedorder").post(json!({ "xml": {
            "appid": "wx", "mch_id": MCHID, "body": "b", "out_trade_no": "o", "total_fee": 1, "spbill_create_ip": "1.2.3.4",
            "notify_url": url, "trade_type": "NATIVE",
        }}));
        shown += &order.expect_err(url).to_string();
        let probe = control(&sandbox, "probe", &json!({ "notify_url": url })).expect("response");
        assert_eq!(probe["notifications"][0]["outcome"], "not sent: the notify_url is not a URL");
        shown += &probe.to_string();
        let sent = sandbox.notify(url, http::Request::new(bytes::Bytes::new())).expect_err(url);
        assert_eq!(sent.kind(), ErrorKind::Options);
        shown += &format!("{sent:?}");
    }
    shown += &sandbox.overview()["notifications"].to_string();
    assert!(!shown.contains("QZXJ"), "{shown}");
}

#[test]
fn payments_and_refunds_of_apiv2_are_notified() {
    let sandbox = Sandbox::builder().notification_speed(1000.0).start().expect("sandbox");
    let client = sandbox.client_builder().base_uri(sandbox.tls_base_uri()).build().expect("client");
    let (url, receive) = notify_server(vec![]);
    let verifier = client.notifications_v2().expect("key");
    client
        .chain("v2/pay/unifiedorder")
        .post(json!({ "xml": {
            "appid": "wx8888888888888888", "mch_id": MCHID, "body": "b", "out_trade_no": "o1", "total_fee": 100,
            "spbill_create_ip": "1.2.3.4", "notify_url": url, "trade_type": "NATIVE", "product_id": "1",
        }}))
        .expect("placed");
    sandbox.pay("o1").expect("paid");
    assert_eq!(verifier.verify(&next_delivery(&receive).1).expect("valid").fields()["out_trade_no"], "o1");
    client.chain("v2/secapi/pay/refund").post(json!({ "security": true, "xml": {
        "appid": "wx8888888888888888", "mch_id": MCHID, "out_trade_no": "o1", "out_refund_no": "r1", "total_fee": 100, "refund_fee": 30,
        "notify_url": url,
    }})).expect("refunded");
    // The payment is notified again, since 204 without XML is not a response of APIv2.
    let notification = std::iter::repeat_with(|| verifier.verify(&next_delivery(&receive).1).expect("valid"));
    let refund = notification
        .take(20)
        .find(|notification| notification.fields().get("req_info").is_some())
        .expect("notification of the refund");
    assert_eq!((&refund.resource()["out_refund_no"], &refund.resource()["refund_fee"]), (&json!("r1"), &json!("30")));
}

#[test]
fn each_named_fault_causes_its_error() {
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
        let options = with_field(native(&format!("order-f{}", fault.len()), 1, url), "/timeout", 0.2.into());
        let error = client.chain("v3/pay/transactions/native").post(options).expect_err(fault);
        assert_eq!(error.kind(), kind, "{fault}: {error}");
    }
    let retry_after = |error: Error| error.response().expect("response").headers().get("retry-after").cloned();
    control(&sandbox, "fault", &json!({ "fault": "frequency-limited", "times": 2 })).expect("fault");
    for _ in 0..2 {
        let error = client.chain("v3/pay/transactions/native").post(native("order-rl", 1, url)).expect_err("limited");
        assert_eq!(error.code(), Some("FREQUENCY_LIMITED"));
        assert_eq!(retry_after(error).expect("header"), "1");
    }
    client.chain("v3/pay/transactions/native").post(native("order-rl", 1, url)).expect("no more faults");
    // After a rotation, responses are signed with a new certificate, which the client downloads.
    control(&sandbox, "fault", &json!({ "fault": "rotate-key" })).expect("fault");
    let by_certificate = by_certificate(&sandbox).build().expect("client");
    by_certificate
        .chain("v3/pay/transactions/native")
        .post(native("order-rk", 1, url))
        .expect("downloaded and verified");
}

#[test]
fn invalid_amounts_and_parts_of_orders_are_refused() {
    let (sandbox, client) = start();
    let sub = |number: &str| json!({ "mchid": MCHID, "out_trade_no": number, "description": "d", "attach": "a", "amount": { "total_amount": 100, "currency": "CNY" } });
    let combined = |number: &str, subs: serde_json::Value| {
        json!({ "json": {
            "combine_appid": "wx8888888888888888", "combine_mchid": MCHID, "combine_out_trade_no": number, "notify_url": "https://example.com/n", "sub_orders": subs,
        }})
    };
    let place = client.chain("v3/combine-transactions/native");
    assert_eq!(
        place.post(combined("order-c", json!([sub("order-s1"), sub("order-s1")]))).expect_err("twice").code(),
        Some("PARAM_ERROR")
    );
    assert!(sandbox.pay("order-s1").is_err(), "no part is placed");
    place.post(combined("order-c", json!([sub("order-s1"), sub("order-s2")]))).expect("placed");
    sandbox.pay("order-s2").expect("all parts are paid");
    assert_eq!(
        place.post(combined("order-c", json!([sub("order-s3"), sub("order-s4")]))).expect_err("paid").code(),
        Some("ORDERPAID")
    );
    for wrong in [json!(-5), json!("3"), json!(3.5), json!({}), json!(0)] {
        let message = control(&sandbox, "refund", &json!({ "out_trade_no": "order-s2", "amount": wrong }))
            .expect_err("invalid amount");
        assert!(message.contains("positive integer"), "{message}");
    }
    control(&sandbox, "refund", &json!({ "out_trade_no": "order-s2", "amount": 30 })).expect("refunded");
    let refunds = sandbox.overview()["refunds"].clone();
    assert_eq!((&refunds[0]["out_trade_no"], &refunds[0]["amount"]), (&json!("order-s2"), &json!(30)));
    for fee in ["18446744073709551615", "+100", "00100", "1e3", "-1", "10000000001"] {
        let error = client.chain("v2/pay/unifiedorder").post(json!({ "xml": {
            "appid": "wx", "mch_id": MCHID, "body": "b", "out_trade_no": "big", "total_fee": fee, "spbill_create_ip": "1.2.3.4",
            "notify_url": "https://example.com/n", "trade_type": "NATIVE", "product_id": "1",
        }}));
        assert!(error.expect_err(fee).message().contains("total_fee"), "{fee}");
    }
    sandbox.audit().expect("balanced");
}

/// A handler that knows neither the sandbox nor the crate computes the sign of the notification.
#[test]
fn a_notification_of_apiv2_is_signed_as_its_order_was() {
    use wechatpay_chain::crypto::{aes_ecb, hash};
    let sandbox = crate::support::sandbox();
    let client = sandbox.client_builder().base_uri(sandbox.tls_base_uri()).build().expect("client");
    let (url, receive) = notify_server(vec![]);
    let verifier = client.notifications_v2().expect("key");
    let secret = String::from_utf8(sandbox.secret().expose().to_vec()).expect("text");
    for (number, sign_type, length) in
        [("md5-01", None, 32), ("md5-02", Some("MD5"), 32), ("hmac-1", Some("HMAC-SHA256"), 64)]
    {
        let mut order = json!({ "xml": {
            "appid": "wx8888888888888888", "mch_id": MCHID, "body": "b", "out_trade_no": number, "total_fee": 100,
            "spbill_create_ip": "1.1.1.1", "notify_url": url, "trade_type": "NATIVE", "product_id": "1",
        }});
        if let Some(sign_type) = sign_type {
            order["xml"]["sign_type"] = sign_type.into();
        }
        client.chain("v2/pay/unifiedorder").post(order).expect("placed");
        sandbox.pay(number).expect("paid");
        // Earlier notifications are repeated, because 204 is not a response of APIv2.
        let body = std::iter::repeat_with(|| String::from_utf8(next_delivery(&receive).1).expect("text"))
            .take(20)
            .find(|body| body.contains(number))
            .expect("notification");
        let verified = verifier.verify(body.as_bytes()).expect("valid");
        let mut fields = verified.fields().as_object().expect("fields").clone();
        let sign = fields.remove("sign").expect("sign");
        // Sorted by name, without empty values.
        let fields: std::collections::BTreeMap<&String, &str> = fields
            .iter()
            .map(|(name, value)| (name, value.as_str().expect("text")))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let signed: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let expected_type = sign_type.unwrap_or("MD5");
        let expected = hash::sign(expected_type, &signed.join("&"), &secret.as_str().into()).expect("sign");
        assert_eq!(sign, expected, "{number}: {body}");
        assert_eq!(expected.len(), length);
        let named = fields.get(&"sign_type".to_owned()).copied();
        assert_eq!(named, sign_type.filter(|name| *name != "MD5"), "{body}");
        client
            .chain("v2/secapi/pay/refund")
            .post(json!({ "security": true, "xml": {
                "appid": "wx8888888888888888", "mch_id": MCHID, "out_trade_no": number, "out_refund_no": format!("r-{number}"),
                "total_fee": "100", "refund_fee": "40", "notify_url": url,
            }}))
            .expect("refunded");
        let info = std::iter::repeat_with(|| String::from_utf8(next_delivery(&receive).1).expect("text"))
            .take(20)
            .find_map(|body| Some(body.split_once("<req_info>")?.1.split_once("</req_info>")?.0.to_owned()))
            .expect("refund");
        let key = wechatpay_chain::Secret::from(hash::md5(secret.as_bytes()));
        let info = String::from_utf8(aes_ecb::decrypt(&info, &key).expect("decrypted")).expect("text");
        assert!(info.starts_with("<root>") && info.ends_with("</root>"), "{info}");
        let time = info.split_once("<success_time>").expect("time").1.split_once('<').expect("end").0;
        let form: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(form, "0000-00-00 00:00:00", "{info}");
    }
}

#[test]
fn a_sealed_event_of_apiv2_contains_xml() {
    let sandbox = crate::support::sandbox();
    let body = sandbox
        .notification_v2(
            &json!({ "event_type": "CHECK.SUCCESS", "event_ciphertext": { "state": "DOING", "room": "<1>" } }),
        )
        .expect("body");
    let verifier = wechatpay_chain::notify::v2::NotificationVerifier::new(MCHID, sandbox.secret()).expect("key");
    let event = verifier.apiv3_key(sandbox.apiv3_key()).verify(&body).expect("valid");
    assert_eq!(event.resource(), &json!({ "state": "DOING", "room": "<1>" }));
    assert_eq!(event.fields()["algorithm"], "HMAC-SHA256");
    assert_eq!(event.fields()["sign"].as_str().map(str::len), Some(64));
}
