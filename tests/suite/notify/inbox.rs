//! The inbox: each notification is handled once, whatever happens to the handler and the store.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::json;
use tokio::sync::Notify;
use wechatpay_chain::notify::{Handled, Inbox, NotificationVerifier, Outcome};
use wechatpay_chain::sandbox::{PUBLIC_KEY_ID, Sandbox};
use wechatpay_chain::store::{Claim, MemoryStore, Store};
use wechatpay_chain::{BoxError, BoxFuture, ErrorKind};

use crate::support::{run, sandbox};

/// A notification and its redeliveries, and how often they were handled.
struct Shop {
    sandbox: Sandbox,
    notifications: NotificationVerifier,
    request: Request<Bytes>,
    calls: Arc<AtomicUsize>,
}

impl Shop {
    fn new(inbox: Inbox) -> Self {
        let sandbox = sandbox();
        let verifier = NotificationVerifier::new([(PUBLIC_KEY_ID, sandbox.platform_key())], sandbox.apiv3_key());
        let request = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &json!({ "out_trade_no": "1" }));
        Shop {
            notifications: verifier.expect("keys").inbox(inbox),
            request: request.expect("notification"),
            calls: Arc::default(),
            sandbox,
        }
    }

    fn redelivery(&self) -> Request<Bytes> {
        self.sandbox.redelivery(&self.request).expect("signed")
    }

    /// Delivers the notification. The handler counts its calls.
    async fn deliver<F>(&self, work: impl FnOnce(usize) -> F + Send + 'static) -> Handled
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        let (request, calls) = (self.redelivery(), Arc::clone(&self.calls));
        self.notifications.handle(&request, move |_| work(calls.fetch_add(1, Ordering::SeqCst))).await
    }

    /// Delivers the notification to a handler that succeeds.
    async fn succeed(&self) -> Handled {
        self.deliver(|_| async { Ok(()) }).await
    }

    /// Delivers the notification until it is no longer in progress. The next delivery must be
    /// confirmed without a call of the handler.
    async fn assert_confirmed(&self) {
        while shown(&self.succeed().await).0 == "InProgress" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_outcome(&self.succeed().await, "Repeated", 204);
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

/// The outcome by its name, and the status of the response.
fn shown(handled: &Handled) -> (String, u16) {
    let debug = format!("{:?}", handled.outcome());
    (debug.split('(').next().unwrap_or_default().to_owned(), handled.reply().status().as_u16())
}

fn assert_outcome(handled: &Handled, outcome: &str, status: u16) {
    assert_eq!(shown(handled), (outcome.to_owned(), status), "{:?}", handled.outcome());
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// The store fails.
    Fails,
    /// The store does not respond.
    Hangs,
    /// The store executes the operation, and its response is lost.
    ResponseIsLost,
}

/// A store whose operations can fail.
#[derive(Clone)]
struct FaultyStore {
    store: Arc<MemoryStore>,
    fault: Arc<Mutex<Fault>>,
}

impl FaultyStore {
    fn new() -> Self {
        FaultyStore { store: Arc::default(), fault: Arc::new(Mutex::new(Fault::None)) }
    }

    fn set(&self, fault: Fault) {
        *self.fault.lock().expect("lock") = fault;
    }

    async fn with_fault<T>(&self, operation: impl Future<Output = Result<T, BoxError>>) -> Result<T, BoxError> {
        let fault = *self.fault.lock().expect("lock");
        match fault {
            Fault::None => operation.await,
            Fault::Fails => Err("connection refused".into()),
            Fault::Hangs => std::future::pending().await,
            Fault::ResponseIsLost => {
                operation.await?;
                Err("connection reset".into())
            }
        }
    }
}

impl Store for FaultyStore {
    fn claim<'a>(&'a self, key: &'a str, token: &'a str, lease: Duration) -> BoxFuture<'a, Result<Claim, BoxError>> {
        Box::pin(self.with_fault(self.store.claim(key, token, lease)))
    }
    fn complete<'a>(
        &'a self,
        key: &'a str,
        value: &'a str,
        retention: Duration,
    ) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(self.with_fault(self.store.complete(key, value, retention)))
    }
    fn release<'a>(&'a self, key: &'a str, token: &'a str) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(self.with_fault(self.store.release(key, token)))
    }
}

/// A handler that waits, and how it ended.
#[derive(Clone, Default)]
struct Waiting {
    started: Arc<Notify>,
    proceed: Arc<Notify>,
    dropped: Arc<Notify>,
}

struct OnDrop(Arc<Notify>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Waiting {
    async fn handle(self) -> Result<(), BoxError> {
        let _dropped = OnDrop(self.dropped);
        self.started.notify_one();
        self.proceed.notified().await;
        Ok(())
    }
}

#[test]
fn redeliveries_are_confirmed_and_not_handled_again() {
    let shop = Shop::new(Inbox::default());
    run(async {
        assert_outcome(&shop.succeed().await, "Success", 204);
        for _ in 0..4 {
            assert_outcome(&shop.succeed().await, "Repeated", 204);
        }
        assert_eq!(shop.calls(), 1);
        // The replay check stays below the inbox.
        let request = shop.redelivery();
        let handle = || shop.notifications.handle(&request, |_| async { panic!("handled") });
        assert_outcome(&handle().await, "Repeated", 204);
        let replayed = handle().await;
        assert_outcome(&replayed, "Rejected", 409);
        assert!(matches!(replayed.outcome(), Outcome::Rejected(error) if error.kind() == ErrorKind::Replay));
        // Another notification is another key.
        let other = shop.sandbox.notification("TRANSACTION.SUCCESS", "transaction", &json!({ "out_trade_no": "1" }));
        let other = shop.notifications.handle(&other.expect("notification"), |_| async { Ok(()) }).await;
        assert_outcome(&other, "Success", 204);
    });
}

#[test]
fn a_handler_without_a_tokio_runtime_runs_on_a_thread() {
    let shop = Shop::new(Inbox::default());
    futures_executor::block_on(async {
        // It may block its thread.
        let handled = shop.deliver(|_| async { futures_executor::block_on(async { Ok(()) }) }).await;
        assert_outcome(&handled, "Success", 204);
        assert_outcome(&shop.succeed().await, "Repeated", 204);
    });
}

#[test]
fn a_delivery_during_the_handler_is_refused() {
    let shop = Arc::new(Shop::new(Inbox::default()));
    let waiting = Waiting::default();
    run(async {
        let first = tokio::spawn({
            let (shop, waiting) = (Arc::clone(&shop), waiting.clone());
            async move { shop.deliver(|_| waiting.handle()).await }
        });
        waiting.started.notified().await;
        assert_outcome(&shop.succeed().await, "InProgress", 500);
        waiting.proceed.notify_one();
        assert_outcome(&first.await.expect("first"), "Success", 204);
        assert_outcome(&shop.succeed().await, "Repeated", 204);
    });
    assert_eq!(shop.calls(), 1);
}

/// Servers drop the future of a request when the service closes the connection, after five seconds.
#[test]
fn a_handler_continues_after_its_request_was_dropped() {
    let shop = Shop::new(Inbox::default());
    let waiting = Waiting::default();
    run(async {
        {
            let handler = waiting.clone();
            let mut request = std::pin::pin!(shop.deliver(|_| handler.handle()));
            tokio::select! {
                _ = waiting.started.notified() => {}
                _ = request.as_mut() => panic!("the handler waits"),
            }
        }
        assert_outcome(&shop.succeed().await, "InProgress", 500);
        waiting.proceed.notify_one();
        waiting.dropped.notified().await;
        loop {
            let (outcome, _) = shown(&shop.succeed().await);
            if outcome != "InProgress" {
                assert_eq!(outcome, "Repeated");
                break;
            }
        }
        assert_eq!(shop.calls(), 1);
    });
}

#[test]
fn a_handler_that_fails_or_panics_is_called_again() {
    let shop = Shop::new(Inbox::default());
    run(async {
        let failed = shop.deliver(|_| async { Err("no stock".into()) }).await;
        assert_outcome(&failed, "Failed", 500);
        assert!(!failed.reply().body().contains("stock"), "{}", failed.reply().body());
        assert_outcome(&shop.deliver(|_| async { panic!("in the future") }).await, "Panicked", 500);
        let in_closure = shop.deliver(|call| {
            assert!(call > 2, "in the closure");
            std::future::ready(Ok(()))
        });
        assert_outcome(&in_closure.await, "Panicked", 500);
        assert_outcome(&shop.succeed().await, "Success", 204);
        assert_eq!(shop.calls(), 4);
    });
    // The same on threads of their own.
    let shop = Shop::new(Inbox::default());
    futures_executor::block_on(async {
        assert_outcome(&shop.deliver(|_| async { panic!("on a thread") }).await, "Panicked", 500);
        assert_outcome(&shop.deliver(|_| async { Err("no stock".into()) }).await, "Failed", 500);
        assert_outcome(&shop.succeed().await, "Success", 204);
    });
}

/// What a dropped handler waited for may still happen, so its claim is not released.
#[test]
fn a_handler_dropped_with_its_runtime_is_called_again_after_the_lease() {
    let shop = Arc::new(Shop::new(Inbox::default().lease(Duration::from_millis(400))));
    let waiting = Waiting::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
    let first = runtime.spawn({
        let (shop, waiting) = (Arc::clone(&shop), waiting.clone());
        async move { shop.deliver(|_| waiting.handle()).await }
    });
    run(waiting.started.notified());
    runtime.shutdown_background();
    run(async {
        waiting.dropped.notified().await;
        assert!(first.await.is_err(), "dropped with the runtime");
        assert_outcome(&shop.succeed().await, "InProgress", 500);
        loop {
            let (outcome, _) = shown(&shop.succeed().await);
            if outcome != "InProgress" {
                assert_eq!(outcome, "Success");
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(shop.calls(), 2);
    });
}

#[test]
fn a_notification_is_not_handled_while_the_store_is_unavailable() {
    for fault in [Fault::Fails, Fault::Hangs, Fault::ResponseIsLost] {
        let store = FaultyStore::new();
        let shop = Shop::new(Inbox::new(store.clone()).lease(Duration::from_millis(300)));
        run(async {
            store.set(fault);
            assert_outcome(&shop.succeed().await, "StoreUnavailable", 500);
            assert_eq!(shop.calls(), 0);
            store.set(Fault::None);
            // If only the response was lost, the notification may be claimed until the lease ends.
            shop.assert_confirmed().await;
            assert_eq!(shop.calls(), 1);
        });
    }
}

/// The handler has succeeded, so the service must not deliver again.
#[test]
fn a_success_is_recorded_once_the_store_is_back() {
    for fault in [Fault::Fails, Fault::Hangs, Fault::ResponseIsLost] {
        let store = FaultyStore::new();
        let shop = Shop::new(Inbox::new(store.clone()));
        let faulty = store.clone();
        run(async {
            let handled = shop.deliver(move |_| {
                faulty.set(fault);
                std::future::ready(Ok(()))
            });
            assert_outcome(&handled.await, "Success", 204);
            store.set(Fault::None);
            shop.assert_confirmed().await;
            assert_eq!(shop.calls(), 1);
        });
    }
}

/// The lease can end before the store is back, so the store alone would let the handler run again.
#[test]
fn a_success_that_is_not_recorded_yet_is_known_to_its_process() {
    let store = FaultyStore::new();
    let shop = Shop::new(Inbox::new(store.clone()).lease(Duration::from_millis(100)));
    run(async {
        let during = store.clone();
        let handled = shop.deliver(move |_| async move {
            during.set(Fault::Fails);
            Ok(())
        });
        assert_outcome(&handled.await, "Success", 204);
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert_outcome(&shop.succeed().await, "Repeated", 204);
        store.set(Fault::None);
        assert_outcome(&shop.succeed().await, "Repeated", 204);
        assert_eq!(shop.calls(), 1);
    });
}

#[test]
fn a_lease_is_renewed_while_the_handler_runs() {
    let store = FaultyStore::new();
    let lease = Duration::from_millis(300);
    let shop = Arc::new(Shop::new(Inbox::new(store.clone()).lease(lease)));
    let waiting = Waiting::default();
    run(async {
        let first = tokio::spawn({
            let (shop, waiting) = (Arc::clone(&shop), waiting.clone());
            async move { shop.deliver(|_| waiting.handle()).await }
        });
        waiting.started.notified().await;
        // A failure shorter than the lease has no effect.
        store.set(Fault::Fails);
        tokio::time::sleep(lease / 3).await;
        store.set(Fault::None);
        for _ in 0..4 {
            tokio::time::sleep(lease / 2).await;
            assert_outcome(&shop.succeed().await, "InProgress", 500);
        }
        waiting.proceed.notify_one();
        assert_outcome(&first.await.expect("first"), "Success", 204);
    });
    assert_eq!(shop.calls(), 1);
}

/// Another process may begin when the lease ends, so the handler must have ended before.
#[test]
fn a_handler_is_dropped_before_its_lease_ends_in_the_store() {
    for fault in [Fault::Fails, Fault::Hangs] {
        let store = FaultyStore::new();
        let lease = Duration::from_millis(600);
        let shop = Arc::new(Shop::new(Inbox::new(store.clone()).lease(lease)));
        let waiting = Waiting::default();
        run(async {
            let first = tokio::spawn({
                let (shop, waiting) = (Arc::clone(&shop), waiting.clone());
                async move { shop.deliver(|_| waiting.handle()).await }
            });
            waiting.started.notified().await;
            store.set(fault);
            assert_outcome(&first.await.expect("first"), "LeaseLost", 500);
            waiting.dropped.notified().await;
            // Its claim is still in the store.
            let key = format!(
                "v3:{}",
                shop.notifications.verify(shop.redelivery().headers(), shop.request.body()).expect("valid").id()
            );
            assert_eq!(store.store.claim(&key, "another", lease).await.expect("memory"), Claim::Taken);
        });
        assert_eq!(shop.calls(), 1);
    }
}

/// Another process holds the claim, or has handled the notification, after this one was suspended.
#[test]
fn a_handler_whose_claim_was_taken_is_dropped() {
    for (is_done, outcome, status) in [(false, "LeaseLost", 500), (true, "Repeated", 204)] {
        let store = FaultyStore::new();
        let shop = Arc::new(Shop::new(Inbox::new(store.clone()).lease(Duration::from_millis(300))));
        let waiting = Waiting::default();
        run(async {
            let first = tokio::spawn({
                let (shop, waiting) = (Arc::clone(&shop), waiting.clone());
                async move { shop.deliver(|_| waiting.handle()).await }
            });
            waiting.started.notified().await;
            let redelivery = shop.redelivery();
            let notification = shop.notifications.verify(redelivery.headers(), redelivery.body()).expect("valid");
            let (key, minute) = (notification.inbox_key(), Duration::from_secs(60));
            // The state that the store has after the lease ended and another process claimed.
            store.store.complete(&key, "", if is_done { minute } else { Duration::ZERO }).await.expect("memory");
            if !is_done {
                store.store.claim("another key", "", minute).await.expect("memory"); // Forgets the key.
                assert_eq!(store.store.claim(&key, "another", minute).await.expect("memory"), Claim::Held);
            }
            assert_outcome(&first.await.expect("first"), outcome, status);
            waiting.dropped.notified().await;
        });
        assert_eq!(shop.calls(), 1);
    }
}
