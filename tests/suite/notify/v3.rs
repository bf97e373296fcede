//! Notifications of APIv3: valid, forged and replayed ones, and every documented event.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderValue, Request};
use serde_json::{Map, Value, json};
use wechatpay_chain::notify::{Notification, NotificationVerifier, ReplayStore, Reply};
use wechatpay_chain::sandbox::{PUBLIC_KEY_ID, Sandbox};
use wechatpay_chain::{Apiv3Key, BoxError, BoxFuture, ErrorKind};

use crate::call::corpus;
use crate::support::{run, sandbox};

fn resource() -> Value {
    json!({ "out_trade_no": "1217752501201407033233368018", "trade_state": "SUCCESS", "amount": { "total": 100 }, "attach": "附加" })
}

fn verifier_of(sandbox: &Sandbox) -> NotificationVerifier {
    NotificationVerifier::new([(PUBLIC_KEY_ID, sandbox.platform_key())], sandbox.apiv3_key()).expect("keys")
}

/// A valid notification.
fn valid(sandbox: &Sandbox) -> Request<Bytes> {
    sandbox.notification("TRANSACTION.SUCCESS", "transaction", &resource()).expect("notification")
}

/// The kind of the error, if verification fails.
fn verify(verifier: &NotificationVerifier, request: &Request<Bytes>) -> Result<(), ErrorKind> {
    verifier.verify(request.headers(), request.body()).map(|_| ()).map_err(|error| error.kind())
}

#[test]
fn a_valid_notification_is_decrypted() {
    let sandbox = sandbox();
    let request = valid(&sandbox);
    let notification = verifier_of(&sandbox).verify(request.headers(), request.body()).expect("valid");
    assert_eq!(notification.event_type(), "TRANSACTION.SUCCESS");
    assert_eq!(notification.summary(), "支付成功");
    assert_eq!(notification.original_type(), "transaction");
    assert_eq!(notification.id().len(), 32);
    assert!(notification.create_time().ends_with("+08:00"), "{}", notification.create_time());
    assert_eq!(notification.resource(), &resource());
    assert_eq!(notification.body(), request.body());
    #[derive(serde::Deserialize)]
    struct Paid {
        out_trade_no: String,
    }
    assert_eq!(notification.json::<Paid>().expect("typed").out_trade_no, "1217752501201407033233368018");
    assert_eq!(notification.json::<Vec<u8>>().map_err(|error| error.kind()).err(), Some(ErrorKind::Decode));
    assert!(!format!("{notification:?}").contains("1217752501201407033233368018"));
    // With the keys of a client, among them downloaded certificates, and in async code.
    let certificate = sandbox.rotate_certificate().expect("certificate");
    let client = sandbox.client_builder().apiv3_key(sandbox.apiv3_key()).build().expect("client");
    let request = valid(&sandbox);
    assert_eq!(request.headers()["wechatpay-serial"], certificate.serial());
    let notification = run(client.notifications().expect("keys").verify_async(request.headers(), request.body()));
    assert_eq!(notification.expect("valid").resource(), &resource());
    assert_eq!(sandbox.client().expect("client").notifications().expect_err("no key").kind(), ErrorKind::Config);
}

#[test]
fn changing_any_byte_is_detected() {
    let sandbox = sandbox();
    let (verifier, request) = (verifier_of(&sandbox), valid(&sandbox));
    let body = request.body();
    for at in 0..body.len() {
        let mut changed = body.to_vec();
        changed[at] ^= 1;
        let error = verifier.verify(request.headers(), &changed).expect_err("changed");
        assert_eq!(error.kind(), ErrorKind::Verification, "byte {at} of the body");
    }
    for shorter in [&body[..body.len() - 1], &body[1..], b""] {
        assert_eq!(
            verifier.verify(request.headers(), shorter).map_err(|e| e.kind()).err(),
            Some(ErrorKind::Verification)
        );
    }
    let mut changes = 0;
    for name in ["wechatpay-timestamp", "wechatpay-nonce", "wechatpay-signature", "wechatpay-serial"] {
        let value = request.headers()[name].as_bytes().to_vec();
        for at in 0..value.len() {
            let mut value = value.clone();
            value[at] ^= 1;
            let Ok(value) = HeaderValue::from_bytes(&value) else { continue };
            let mut headers = request.headers().clone();
            headers.insert(name, value);
            let error = verifier.verify(&headers, body).expect_err("changed");
            assert_eq!(error.kind(), ErrorKind::Verification, "byte {at} of {name}");
            changes += 1;
        }
        for headers in [
            {
                let mut headers = request.headers().clone();
                headers.remove(name);
                headers
            },
            {
                let mut headers = request.headers().clone();
                headers.append(name, headers[name].clone());
                headers
            },
        ] {
            assert_eq!(
                verifier.verify(&headers, body).map_err(|e| e.kind()).err(),
                Some(ErrorKind::Verification),
                "{name}"
            );
        }
    }
    assert!(changes > 400, "{changes}");
    // None of these counts as a delivery of the valid one.
    assert_eq!(verify(&verifier, &request), Ok(()));
}

#[test]
fn the_tolerance_is_five_minutes_by_the_given_clock() {
    let sandbox = sandbox();
    let request = valid(&sandbox);
    let signed: i64 = request.headers()["wechatpay-timestamp"].to_str().expect("text").parse().expect("number");
    let now = Arc::new(AtomicI64::new(0));
    let clock = Arc::clone(&now);
    let verifier = verifier_of(&sandbox).clock(move || clock.load(Ordering::SeqCst));
    for (offset, accepted) in [(301, false), (-301, false), (300, true), (-300, false)] {
        now.store(signed + offset, Ordering::SeqCst);
        let expected = match (offset, accepted) {
            (_, true) => Ok(()),
            // Within the tolerance, and seen before.
            (-300, _) => Err(ErrorKind::Replay),
            _ => Err(ErrorKind::Verification),
        };
        assert_eq!(verify(&verifier, &request), expected, "{offset}");
    }
}

#[test]
fn replays_are_refused_and_redeliveries_are_not() {
    let sandbox = sandbox();
    let verifier = verifier_of(&sandbox);
    let request = valid(&sandbox);
    assert_eq!(verify(&verifier, &request), Ok(()));
    for _ in 0..10_000 {
        assert_eq!(verify(&verifier.clone(), &request), Err(ErrorKind::Replay));
    }
    assert_eq!(Reply::to(&verifier.verify(request.headers(), request.body()).expect_err("replay")).status(), 409);
    // A notification that cannot be decrypted is not recorded, so it may be delivered again.
    let other = NotificationVerifier::new(
        [(PUBLIC_KEY_ID, sandbox.platform_key())],
        Apiv3Key::new("x".repeat(32)).expect("key"),
    );
    let other = other.expect("keys");
    for _ in 0..2 {
        assert_eq!(verify(&other, &request), Err(ErrorKind::Decode));
    }
    // A notification from a clock that is ahead is recorded for as long as its timestamp is
    // accepted.
    let ahead = valid(&sandbox);
    let signed: i64 = ahead.headers()["wechatpay-timestamp"].to_str().expect("text").parse().expect("number");
    let now = Arc::new(AtomicI64::new(signed - 299));
    let clock = Arc::clone(&now);
    let verifier_ahead = verifier_of(&sandbox).clock(move || clock.load(Ordering::SeqCst));
    assert_eq!(verify(&verifier_ahead, &ahead), Ok(()));
    now.store(signed + 299, Ordering::SeqCst);
    let later = valid(&sandbox);
    assert_eq!(verify(&verifier_ahead, &later), Ok(()), "this removes what has expired from the store");
    assert_eq!(verify(&verifier_ahead, &ahead), Err(ErrorKind::Replay));
    // Invalid IDs of keys, and no keys.
    for id in ["garbage id", "", "PUB_KEY_ID_"] {
        assert!(NotificationVerifier::new([(id, sandbox.platform_key())], sandbox.apiv3_key()).is_err(), "{id}");
    }
    assert!(
        NotificationVerifier::new(Vec::<(String, wechatpay_chain::PublicKey)>::new(), sandbox.apiv3_key()).is_err()
    );
    // A redelivery has another nonce, so it is not a replay, although its ID is the same.
    let again = valid(&sandbox);
    assert_eq!(verify(&verifier, &again), Ok(()));
    // The caller's store, which fails at last.
    struct Counting(Arc<AtomicUsize>);
    impl ReplayStore for Counting {
        fn insert<'a>(&'a self, seen: &'a str, until: i64) -> BoxFuture<'a, Result<bool, BoxError>> {
            assert!(seen.contains(' ') && until > 0);
            let count = self.0.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move { if count < 2 { Ok(count == 0) } else { Err("no store".into()) } })
        }
    }
    let count = Arc::new(AtomicUsize::new(0));
    let verifier = verifier_of(&sandbox).replay_store(Counting(Arc::clone(&count)));
    assert_eq!(verify(&verifier, &request), Ok(()));
    assert_eq!(verify(&verifier, &request), Err(ErrorKind::Replay));
    let error = verifier.verify(request.headers(), request.body()).expect_err("no store");
    assert_eq!(Reply::to(&error).status(), 500, "causes a redelivery: {error}");
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

/// A timestamp is accepted for five minutes before and after it, so a notification that is received
/// at the earliest moment can be replayed for ten minutes.
#[test]
fn a_notification_is_remembered_for_ten_minutes() {
    struct Recording(Arc<AtomicI64>);
    impl ReplayStore for Recording {
        fn insert<'a>(&'a self, _: &'a str, until: i64) -> BoxFuture<'a, Result<bool, BoxError>> {
            self.0.store(until, Ordering::SeqCst);
            Box::pin(std::future::ready(Ok(true)))
        }
    }
    let sandbox = sandbox();
    let request = valid(&sandbox);
    let signed: i64 = request.headers()["wechatpay-timestamp"].to_str().expect("text").parse().expect("number");
    for offset in [-300, 0, 300] {
        let until = Arc::new(AtomicI64::new(0));
        let verifier = verifier_of(&sandbox).clock(move || signed + offset).replay_store(Recording(Arc::clone(&until)));
        assert_eq!(verify(&verifier, &request), Ok(()));
        assert_eq!(until.load(Ordering::SeqCst), signed + offset + 600);
    }
}

#[test]
fn each_error_has_its_reply() {
    let sandbox = sandbox();
    let verifier = verifier_of(&sandbox);
    let mut probe = valid(&sandbox);
    probe.headers_mut().insert("wechatpay-signature", HeaderValue::from_static("WECHATPAY/SIGNTEST/abc"));
    let error = verifier.verify(probe.headers(), probe.body()).expect_err("probe");
    assert_eq!((error.kind(), Reply::to(&error).status().as_u16()), (ErrorKind::Probe, 401));
    assert!(Reply::to(&error).body().contains("\"code\":\"FAIL\""));
    let error = verifier.verify(valid(&sandbox).headers(), &vec![b' '; 2 << 20]).expect_err("long");
    assert_eq!((error.kind(), Reply::to(&error).status().as_u16()), (ErrorKind::TooLarge, 413));
    let other = NotificationVerifier::new(
        [(PUBLIC_KEY_ID, sandbox.platform_key())],
        Apiv3Key::new("x".repeat(32)).expect("key"),
    )
    .expect("keys");
    let request = valid(&sandbox);
    let error = other.verify(request.headers(), request.body()).expect_err("another key");
    assert_eq!((error.kind(), Reply::to(&error).status().as_u16()), (ErrorKind::Decode, 400));
    assert!(error.to_string().contains("APIv3 key"), "{error}");
    assert_eq!((Reply::success().status().as_u16(), Reply::success().body()), (204, ""));
    assert_eq!(Reply::fail("库存不足").status(), 500);
    let response: http::Response<Bytes> = Reply::fail("库存不足").into();
    assert_eq!(&response.body()[..], "{\"code\":\"FAIL\",\"message\":\"库存不足\"}".as_bytes());
    assert_eq!(response.headers()["content-type"], "application/json");
}

#[test]
fn axum_handlers_get_only_valid_notifications() {
    use axum::Router;
    use axum::routing::post;
    let sandbox = sandbox();
    let handled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&handled);
    let paid = move |notification: Notification| async move {
        assert_eq!(notification.resource(), &resource());
        count.fetch_add(1, Ordering::SeqCst);
        Reply::success()
    };
    let shop = Router::new().route("/notify", post(paid)).with_state(verifier_of(&sandbox));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
    let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).expect("port");
    let url = format!("http://{}/notify", listener.local_addr().expect("address"));
    runtime.spawn(async move { axum::serve(listener, shop).await });
    let send = |request: Request<Bytes>| sandbox.notify(&url, request).expect("response").status().as_u16();
    let request = valid(&sandbox);
    assert_eq!(send(request.clone()), 204);
    assert_eq!(send(request.clone()), 409, "a replay is not handled");
    let mut changed = valid(&sandbox);
    *changed.body_mut() = Bytes::from_static(b"{}");
    assert_eq!(send(changed), 401);
    let mut probe = valid(&sandbox);
    probe.headers_mut().insert("wechatpay-signature", HeaderValue::from_static("WECHATPAY/SIGNTEST/abc"));
    assert_eq!(send(probe), 401);
    let mut long = valid(&sandbox);
    *long.body_mut() = vec![b' '; 2 << 20].into();
    // The body is refused before it is read, so that the sender may find the connection closed.
    match sandbox.notify(&url, long) {
        Ok(response) => assert_eq!(response.status(), 413),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Transport, "{error}"),
    }
    assert_eq!(handled.load(Ordering::SeqCst), 1);
    // The sandbox sends only to this machine.
    for url in ["http://10.0.0.1/x", "https://evil.example/x", "not a url"] {
        assert_eq!(sandbox.notify(url, request.clone()).expect_err(url).kind(), ErrorKind::Options);
    }
}

/// A resource with all documented fields below `root`.
fn resource_of(fields: &[Value], root: &str) -> Value {
    let mut resource = Value::Object(Map::new());
    for field in fields {
        let Some(path) = field["path"].as_str().and_then(|path| path.strip_prefix(root)?.strip_prefix('.')) else {
            continue;
        };
        let value = match field["type"].as_str().expect("type") {
            "string" => json!(format!("值-{path}")),
            "integer" | "number" => json!(7),
            "boolean" => json!(true),
            "object" => json!({}),
            "object[]" => json!([{}]),
            "string[]" => json!(["a", "b"]),
            other => panic!("unknown type of a field: {other}"),
        };
        let mut parent = &mut resource;
        let names: Vec<&str> = path.split('.').collect();
        for (number, name) in names.iter().enumerate() {
            let last = number + 1 == names.len();
            let (name, list) = name.strip_suffix("[]").map_or((*name, false), |name| (name, true));
            if last {
                parent[name] = value.clone();
                break;
            }
            let next = &mut parent[name];
            if !next.is_object() && !next.is_array() {
                *next = if list { json!([{}]) } else { json!({}) };
            }
            parent = if next.is_array() { &mut next[0] } else { next };
        }
    }
    resource
}

#[test]
fn every_documented_event_is_verified() {
    let Some(folder) = corpus::folder() else { return };
    let text = std::fs::read_to_string(folder.join("corpus/webhooks.jsonl")).expect("webhooks.jsonl");
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a row"));
    let sandbox = sandbox();
    let verifier = verifier_of(&sandbox);
    let mut count = 0;
    for row in rows.filter(|row| row["api"] == "v3") {
        let id = &row["id"];
        let fields = row["fields"].as_array().expect("fields");
        // Two pages document the decrypted resource under other names.
        let resource = ["body.resource.ciphertext", "body.resource.original_data", "body.resource.original_type"]
            .into_iter()
            .map(|root| resource_of(fields, root))
            .find(|resource| resource.as_object().is_some_and(|members| !members.is_empty()))
            .unwrap_or_else(|| panic!("{id} has no resource"));
        let original = row["original_type"]
            .as_array()
            .and_then(|types| types.first())
            .and_then(Value::as_str)
            .unwrap_or("resource");
        for event in row["event_types"].as_array().expect("event types").iter().filter_map(Value::as_str) {
            let request = sandbox.notification(event, original, &resource).expect("created");
            let notification =
                verifier.verify(request.headers(), request.body()).unwrap_or_else(|error| panic!("{id}: {error}"));
            assert_eq!((notification.event_type(), notification.original_type()), (event, original), "{id}");
            assert_eq!(notification.resource().to_string(), resource.to_string(), "{id}");
            // The required fields outside of the resource are present.
            let envelope: Value = serde_json::from_slice(notification.body()).expect("JSON");
            for field in fields.iter().filter(|field| field["required"] == true) {
                let path = field["path"].as_str().expect("path");
                if let Some(name) = path.strip_prefix("headers.") {
                    assert!(request.headers().contains_key(name), "{id}: {name}");
                } else if let Some(name) = path.strip_prefix("body.").filter(|name| name.matches('.').count() <= 1) {
                    let pointer = format!("/{}", name.replace('.', "/"));
                    assert!(
                        envelope.pointer(&pointer).is_some() || name.starts_with("resource.original_"),
                        "{id}: {name}"
                    );
                }
            }
        }
        count += 1;
    }
    assert_eq!(count, 61);
}

#[test]
fn a_notification_of_half_a_mebibyte_is_accepted() {
    let sandbox = sandbox();
    let resource = json!({ "attach": "x".repeat(400_000) });
    let request = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &resource).expect("notification");
    assert!(request.body().len() > 512 * 1024, "{}", request.body().len());
    let notification = verifier_of(&sandbox).verify(request.headers(), request.body()).expect("below the limit");
    assert_eq!(notification.resource(), &resource);
}
