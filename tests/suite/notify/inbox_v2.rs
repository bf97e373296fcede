//! The inbox with notifications of APIv2.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Request;
use serde_json::json;
use wechatpay_chain::notify::{Outcome, v2};
use wechatpay_chain::sandbox::{MCHID, Sandbox};

use crate::support::{run, sandbox};

/// The key of an APIv2 notification with these fields and a new nonce.
fn key_of(sandbox: &Sandbox, fields: &serde_json::Value) -> String {
    let verifier = v2::NotificationVerifier::new(MCHID, sandbox.secret()).expect("key").apiv3_key(sandbox.apiv3_key());
    let mut fields = fields.clone();
    fields["nonce_str"] = wechatpay_chain::formatter::nonce().expect("nonce").into();
    verifier.verify(&sandbox.notification_v2(&fields).expect("body")).expect("valid").inbox_key()
}

#[test]
fn apiv2_notifications_have_the_key_of_what_they_report() {
    let sandbox = sandbox();
    let merchant = |mut fields: serde_json::Value| {
        fields["mch_id"] = MCHID.into();
        key_of(&sandbox, &fields)
    };
    let expected = [
        (json!({ "transaction_id": "4200", "result_code": "SUCCESS" }), "payment:4200:SUCCESS"),
        (json!({ "transaction_id": "4200", "result_code": "FAIL", "contract_id": "C" }), "payment:4200:FAIL"),
        (
            json!({ "contract_id": "C", "change_type": "ADD", "operate_time": "2026-11-29 22:00:00" }),
            "contract:C:ADD:2026-11-29 22:00:00",
        ),
        (
            json!({ "req_info": { "refund_id": "50", "refund_status": "SUCCESS", "transaction_id": "4200" } }),
            "refund:50:SUCCESS",
        ),
        (json!({ "event_id": "e", "event_type": "CHECK.SUCCESS" }), "event:e"),
    ];
    for (fields, key) in expected {
        assert_eq!(merchant(fields), format!("v2:{MCHID}:{key}"));
    }
    let parking = json!({ "plate_number": "粤B888888", "vehicle_event_type": "NORMAL", "vehicle_event_createtime": "20261129220000" });
    let (first, second) = (merchant(parking.clone()), merchant(parking.clone()));
    assert_eq!(first, second, "another nonce and sign");
    assert!(first.starts_with(&format!("v2:{MCHID}:digest:")), "{first}");
    let mut later = parking;
    later["vehicle_event_createtime"] = "20261129220001".into();
    assert_ne!(merchant(later), first);
}

#[test]
fn apiv2_notifications_are_handled_once() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let body =
        sandbox.notification_v2(&json!({ "return_code": "SUCCESS", "result_code": "SUCCESS", "transaction_id": "1" }));
    let request = Request::new(body.expect("body"));
    let calls = Arc::new(AtomicUsize::new(0));
    run(async {
        let handle = || {
            let calls = Arc::clone(&calls);
            // A new verifier for each request shares the inbox of the client.
            let notifications = client.notifications_v2().expect("keys");
            let request = request.clone();
            async move {
                let handler = move |notification: v2::Notification| async move {
                    assert_eq!(notification.fields()["transaction_id"], "1");
                    if calls.fetch_add(1, Ordering::SeqCst) == 0 { Err("fails once".into()) } else { Ok(()) }
                };
                notifications.handle(&request, handler).await.into_reply().body().contains("SUCCESS")
            }
        };
        assert!(!handle().await);
        assert!(handle().await);
        assert!(handle().await);
        assert_eq!(calls.load(Ordering::SeqCst), 2);
        let forged = Request::new(Bytes::from_static(b"<xml><sign>1</sign></xml>"));
        let handled = client.notifications_v2().expect("keys").handle(&forged, |_| async { Ok(()) }).await;
        assert!(matches!(handled.outcome(), Outcome::Rejected(_)) && handled.reply().body().contains("FAIL"));
    });
}
