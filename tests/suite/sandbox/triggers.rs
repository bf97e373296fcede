//! Every documented notification, triggered, delivered, verified and opened.

use serde_json::{Value, json};
use wechatpay_chain::catalog::{Catalog, Encoding, Notification};
use wechatpay_chain::sandbox::Sandbox;

use super::documented_calls::differences;
use super::{next_delivery, notify_server, verify_delivery};
use crate::support::sandbox;

/// The name by which a notification is triggered: that of APIv2 differs from the event type.
fn event(notification: &Notification) -> &str {
    match notification.event_types().first() {
        Some(event_type) if notification.name().starts_with("v3/") => event_type,
        _ => notification.name(),
    }
}

fn trigger(sandbox: &Sandbox, event: &str, url: &str, set: Value) -> Result<Value, wechatpay_chain::Error> {
    sandbox.control("trigger", &json!({ "event": event, "notify_url": url, "set": set }))
}

#[test]
fn every_documented_notification_is_triggered_verified_and_opened() {
    let sandbox = sandbox();
    let client = sandbox.client_builder().apiv3_key(sandbox.apiv3_key()).build().expect("client");
    let verifier_v2 = client.notifications_v2().expect("verifier").apiv3_key(sandbox.apiv3_key());
    let (url, receive) = notify_server(Vec::new());
    let (mut v3, mut v2, mut wrong) = (0, 0, Vec::new());
    for notification in Catalog::builtin().notifications() {
        let event = event(notification);
        trigger(&sandbox, event, &url, json!({})).expect(event);
        let delivery = next_delivery(&receive);
        let found = if notification.name().starts_with("v3/") {
            v3 += 1;
            let opened = verify_delivery(&sandbox, &delivery).expect(event);
            assert_eq!(opened.event_type(), event);
            match IN_LEDGER.contains(&event) {
                // Their tables mix the fields of direct merchants, partners and combined orders.
                true => Vec::new(),
                false => differences(notification.resource(), opened.resource(), "", false),
            }
        } else {
            v2 += 1;
            let opened = verifier_v2.verify(&delivery.1).expect(event);
            // Handlers refuse other codes without reading the other fields.
            for code in ["return_code", "result_code"] {
                let code = opened.fields().get(code);
                assert!(code.is_none_or(|code| code == "SUCCESS"), "{event}: {code:?}");
            }
            let sealed = |encoding| matches!(encoding, Encoding::AesGcm | Encoding::AesEcb);
            // The fields of an encrypted part are those of the resource.
            let has_sealed = notification.body().iter().any(|field| sealed(field.encoding));
            let (fields, part) = match has_sealed {
                true => (notification.resource(), opened.resource()),
                false => (notification.body(), opened.fields()),
            };
            let found = differences(fields, part, "", true);
            found.into_iter().filter(|line| !line.starts_with(".sign") && !line.starts_with(".nonce_str")).collect()
        };
        if !found.is_empty() {
            wrong.push(format!("{}: {found:?}", notification.name()));
        }
    }
    println!("{v3} of APIv3, {v2} of APIv2");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((v3, v2), (102, 10));
}

/// The events whose notifications have the form of those of the ledger.
const IN_LEDGER: [&str; 4] = ["TRANSACTION.SUCCESS", "REFUND.SUCCESS", "REFUND.CLOSED", "REFUND.ABNORMAL"];

#[test]
fn payments_and_refunds_have_the_form_of_the_ledger() {
    let sandbox = sandbox();
    let (url, receive) = notify_server(Vec::new());
    let resource = |event: &str, set: Value| {
        trigger(&sandbox, event, &url, set).expect(event);
        verify_delivery(&sandbox, &next_delivery(&receive)).expect(event).resource().clone()
    };
    let paid = resource("TRANSACTION.SUCCESS", json!({}));
    assert_eq!((&paid["mchid"], &paid["trade_state"]), (&json!("1900000109"), &json!("SUCCESS")), "{paid}");
    assert!(paid["payer"]["openid"].is_string() && paid["out_trade_no"].is_string(), "{paid}");
    assert_eq!((&paid["amount"]["total"], &paid["amount"]["payer_total"]), (&json!(100), &json!(100)));
    assert_eq!(paid["transaction_id"].as_str().map(str::len), Some(28), "{paid}");
    for event in IN_LEDGER {
        let resource = resource(event, json!({}));
        let names: Vec<&String> = resource.as_object().expect("an object").keys().collect();
        let is_other = |name: &&&String| ["sp_", "sub_", "combine_"].iter().any(|other| name.starts_with(other));
        assert!(resource["mchid"] == "1900000109" && !names.iter().any(|name| is_other(&name)), "{event}: {resource}");
    }
    let refund = resource("REFUND.CLOSED", json!({}));
    assert_eq!((&refund["refund_status"], &refund["amount"]["refund"]), (&json!("CLOSED"), &json!(100)), "{refund}");
    let set =
        resource("TRANSACTION.SUCCESS", json!({ "amount.total": "30", "out_trade_no": "77", "payer.openid": "o" }));
    assert_eq!(
        (&set["amount"]["total"], &set["out_trade_no"], &set["payer"]["openid"]),
        (&json!(30), &json!("77"), &json!("o")),
        "{set}"
    );
    let partner = resource("TRANSACTION.SUCCESS", json!({ "sub_mchid": "1900000111" }));
    assert_eq!((&partner["sp_mchid"], &partner["sub_mchid"]), (&json!("1900000109"), &json!("1900000111")));
    assert!(partner.get("mchid").is_none() && partner["payer"]["sp_openid"].is_string(), "{partner}");
    let all = resource("v3/TRANSACTION.SUCCESS", json!({}));
    assert!(all.get("parking_info").is_some() || all.get("sp_mchid").is_some(), "{all}");
}

#[test]
fn values_are_set_by_their_paths() {
    let sandbox = sandbox();
    let (url, receive) = notify_server(Vec::new());
    let set = json!({ "out_refund_no": "12345", "amount.refund": "30", "refund_status": "ABNORMAL" });
    trigger(&sandbox, "REFUND.ABNORMAL", &url, set).expect("triggered");
    let resource = verify_delivery(&sandbox, &next_delivery(&receive)).expect("valid").resource().clone();
    // A text that is a number stays one where the documentation has a text.
    assert_eq!(
        (&resource["out_refund_no"], &resource["amount"]["refund"]),
        (&json!("12345"), &json!(30)),
        "{resource}"
    );
    // Without a URL, it is sent where the last one was.
    sandbox.control("trigger", &json!({ "event": "REFUND.CLOSED" })).expect("triggered");
    let closed = verify_delivery(&sandbox, &next_delivery(&receive)).expect("valid");
    assert_eq!((closed.event_type(), &closed.resource()["refund_status"]), ("REFUND.CLOSED", &json!("CLOSED")));

    let error = trigger(&sandbox, "REFUND.SUCESS", &url, json!({})).expect_err("unknown");
    assert!(error.message().contains("did you mean \"REFUND.SUCCESS\"?"), "{error}");
    let error = trigger(&sandbox, "REFUND.SUCCESS", &url, json!({ "amount.refnd": "1" })).expect_err("unknown");
    assert!(error.message().contains("has no field \"amount.refnd\""), "{error}");
    let fresh = Sandbox::start().expect("sandbox");
    let error = fresh.control("trigger", &json!({ "event": "REFUND.SUCCESS" })).expect_err("no URL");
    assert!(error.message().contains("--to URL"), "{error}");
}
