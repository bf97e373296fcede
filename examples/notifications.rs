//! A `notify_url` with axum, called by the sandbox:
//! `cargo run --features axum,sandbox --example notifications`.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde_json::json;
use wechatpay_chain::BoxError;
use wechatpay_chain::notify::{Handled, Notification, NotificationVerifier};
use wechatpay_chain::sandbox::Sandbox;

/// Gets only valid notifications. The extractor responds to all others. The shop is called once for
/// each notification, however often it is delivered.
async fn notified(State(notifications): State<NotificationVerifier>, notification: Notification) -> Handled {
    notifications.handle_verified(notification, paid).await
}

/// The shop. After an error, the notification is delivered again.
async fn paid(notification: Notification) -> Result<(), BoxError> {
    println!(
        "  the shop: {} {} of order {}",
        notification.id(),
        notification.event_type(),
        notification.resource()["out_trade_no"]
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sandbox = Sandbox::start()?;
    let client = sandbox.client_builder().apiv3_key(sandbox.apiv3_key()).build()?;
    let shop = Router::new().route("/notify", post(notified)).with_state(client.notifications()?);

    let runtime = tokio::runtime::Runtime::new()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))))?;
    let notify_url = format!("http://{}/notify", listener.local_addr()?);
    runtime.spawn(async move { axum::serve(listener, shop).await });

    let paid = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &json!({ "out_trade_no": "20261123001" }))?;
    println!("a valid notification:");
    println!("  {}", sandbox.notify(&notify_url, paid.clone())?.status());

    println!("another delivery of it, signed anew: confirmed, and not handled again");
    println!("  {}", sandbox.notify(&notify_url, sandbox.redelivery(&paid)?)?.status());

    println!("the same request again, as in a replay attack: refused");
    println!("  {}", sandbox.notify(&notify_url, paid)?.status());

    println!("a notification whose body was changed:");
    let mut forged = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &json!({ "out_trade_no": "2" }))?;
    *forged.body_mut() = String::from_utf8_lossy(forged.body()).replace("SUCCESS", "CLOSED").into();
    println!("  {}", sandbox.notify(&notify_url, forged)?.status());

    println!("a probe of the service, which must be refused:");
    let mut probe = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &json!({}))?;
    probe.headers_mut().insert("wechatpay-signature", http::HeaderValue::from_static("WECHATPAY/SIGNTEST/x"));
    println!("  {}", sandbox.notify(&notify_url, probe)?.status());
    Ok(())
}
