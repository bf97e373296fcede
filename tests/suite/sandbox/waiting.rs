//! Notifications in a test whose server runs on the thread of the test.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::post;
use http::StatusCode;
use serde_json::json;
use wechatpay_chain::sandbox::{Sandbox, SentNotification};
use wechatpay_chain::{Error, ErrorKind};

use crate::support::each_hint_names_its_condition;

/// Starts a `notify_url` on this thread that responds with these statuses, and then with 204.
async fn shop(statuses: &'static [u16]) -> String {
    let served = Arc::new(AtomicUsize::new(0));
    let respond = move || {
        let status = statuses.get(served.fetch_add(1, Ordering::SeqCst)).copied().unwrap_or(204);
        async move { StatusCode::from_u16(status).expect("status") }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/notify", listener.local_addr().expect("address"));
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/notify", post(respond))).await });
    url
}

async fn paid_order(sandbox: &Sandbox, notify_url: &str) {
    let order = super::native("order-1", 100, notify_url);
    let client = sandbox.client().expect("client");
    client.chain("v3/pay/transactions/native").post_async(order).await.expect("placed");
    sandbox.pay_async("order-1").await.expect("paid");
}

#[tokio::test]
async fn a_test_waits_until_a_notification_was_delivered() {
    let sandbox = Sandbox::builder().notification_speed(1000.0).start().expect("sandbox");
    paid_order(&sandbox, &shop(&[500]).await).await;
    let delivered = sandbox.wait_for_notification_async("TRANSACTION.SUCCESS", "order-1").await.expect("delivered");
    assert_eq!(delivered.resource["out_trade_no"], "order-1");
    let statuses: Vec<_> = delivered.attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [Some(500), Some(204)]);
    assert!(delivered.is_delivered && sandbox.notifications()[0].id == delivered.id);
}

#[tokio::test]
async fn a_notification_that_is_not_delivered_is_an_error_with_its_state() {
    let sandbox = Sandbox::start().expect("sandbox");
    paid_order(&sandbox, &shop(&[500]).await).await;
    let (other_number, other_event, refused) = tokio::join!(
        sandbox.wait_for_notification_async("TRANSACTION.SUCCESS", "order-2"),
        sandbox.wait_for_notification_async("REFUND.SUCCESS", "order-1"),
        sandbox.wait_for_notification_async("TRANSACTION.SUCCESS", "order-1"),
    );
    let notification = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &json!({})).expect("notification");
    let same_thread = sandbox.notify(&shop(&[]).await, notification).expect_err("not delivered").to_string();
    let message = |result: Result<SentNotification, Error>| {
        let error = result.expect_err("not delivered");
        assert_eq!(error.kind(), ErrorKind::Timeout);
        error.to_string()
    };
    let no_such = "the sandbox has no such notification: pay the order, or check the event type and the number";
    each_hint_names_its_condition(&[
        (no_such, message(other_number)),
        (no_such, message(other_event)),
        ("the last response of the notify_url was 500", message(refused)),
        ("await the asynchronous form of this method instead", same_thread),
    ]);
}

#[tokio::test]
async fn a_notification_can_be_sent_to_a_server_on_the_same_thread() {
    let sandbox = Sandbox::start().expect("sandbox");
    let url = shop(&[]).await;
    let notification = || sandbox.notification("TRANSACTION.SUCCESS", "transaction", &json!({})).expect("notification");
    assert_eq!(sandbox.notify_async(&url, notification()).await.expect("response").status(), 204);
}
