//! The caller's code within calls: it blocks, spawns tasks, is cancelled, makes calls of its own,
//! and moves calls to other threads.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::json;
use tower::util::{MapFutureLayer, MapRequestLayer};
use wechatpay_chain::sandbox::{Fault, MCHID, PUBLIC_KEY_ID, SERIAL};
use wechatpay_chain::{
    BoxError, BoxFuture, Client, Error, ErrorKind, Options, PrivateKey, PublicKey, Signature, Signer, Verifier,
};

use crate::support::{CARDS, SharedBuffer, options, run, sandbox, start};

pub(super) const FILE: &str = "v3/billdownload/file";

/// A layer that does nothing.
pub(super) fn plain_layer() -> MapRequestLayer<fn(Request<Bytes>) -> Request<Bytes>> {
    MapRequestLayer::new(|request| request)
}

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime")
}

/// Code that blocks on a tokio runtime of its own, as the client of a signing service may.
pub(super) fn block_on_runtime() {
    runtime().block_on(async { tokio::time::sleep(Duration::from_millis(5)).await });
}

struct BlockingSigner(PrivateKey);

impl Signer for BlockingSigner {
    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
        Box::pin(async {
            block_on_runtime();
            Ok(Signature::new(SERIAL, self.0.sign(message)?))
        })
    }
}

struct BlockingVerifier(PublicKey);

impl Verifier for BlockingVerifier {
    fn verify<'a>(&'a self, _: &'a str, message: &'a [u8], sign: &'a [u8]) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async {
            block_on_runtime();
            if self.0.verify(message, sign) { Ok(()) } else { Err("invalid".into()) }
        })
    }
}

#[test]
fn a_layer_may_block_on_a_runtime_in_a_synchronous_call() {
    let layer = MapRequestLayer::new(|request: Request<Bytes>| {
        block_on_runtime();
        request
    });
    let client = sandbox_client(|builder| builder.layer(layer));
    client.1.chain(CARDS).post(options()).expect("response");
}

pub(super) fn sandbox_client(
    set: impl FnOnce(wechatpay_chain::ClientBuilder) -> wechatpay_chain::ClientBuilder,
) -> (wechatpay_chain::sandbox::Sandbox, Client) {
    let sandbox = sandbox();
    let client = set(sandbox.client_builder()).build().expect("client");
    (sandbox, client)
}

#[test]
fn a_signer_may_block_on_a_runtime_in_a_synchronous_call() {
    let sandbox = sandbox();
    let client = Client::builder().mchid(MCHID).base_uri(sandbox.base_uri()).no_proxy();
    let client = client.signer(BlockingSigner(sandbox.merchant_key()));
    let client = client.platform_key(PUBLIC_KEY_ID, sandbox.platform_key()).build().expect("client");
    client.chain(CARDS).post(options()).expect("response");
}

#[test]
fn a_verifier_may_block_on_a_runtime_in_a_synchronous_call() {
    let sandbox = sandbox();
    let client = Client::builder().mchid(MCHID).base_uri(sandbox.base_uri()).no_proxy();
    let client = client.serial(SERIAL).private_key(sandbox.merchant_key());
    let client = client.verifier(BlockingVerifier(sandbox.platform_key())).build().expect("client");
    client.chain(CARDS).post(options()).expect("response");
}

#[test]
fn then_and_otherwise_may_block_on_a_runtime() {
    let (sandbox, client) = start();
    client.chain(CARDS).post_async(options()).then(|_| block_on_runtime()).wait().expect("response");
    sandbox.inject(Fault::UnknownSerial);
    let failing = client.chain(CARDS).post_async(options()).then(|_| ()).otherwise(|_| block_on_runtime());
    failing.wait().expect("mapped");
}

/// Spawns a task when it is dropped, as a guard that reports a cancelled operation does.
pub(super) struct SpawnAtDrop(pub(super) mpsc::Sender<()>);

impl Drop for SpawnAtDrop {
    fn drop(&mut self) {
        let done = self.0.clone();
        let sleep = async move {
            for _ in 0..4 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let _ = done.send(());
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(sleep);
        } else {
            let _ = self.0.send(());
        }
    }
}

#[test]
fn a_task_spawned_when_a_layer_is_cancelled_ends() {
    let (done, end) = mpsc::channel();
    let layer = tower::layer::layer_fn(move |inner: wechatpay_chain::BoxService| {
        let done = done.clone();
        tower::service_fn(move |request: Request<Bytes>| {
            let (mut inner, guard) = (inner.clone(), SpawnAtDrop(done.clone()));
            async move {
                let _guard = guard;
                tower::Service::call(&mut inner, request).await
            }
        })
    });
    let (sandbox, client) = sandbox_client(|builder| builder.layer(layer));
    sandbox.inject(Fault::Delay(Duration::from_secs(20)));
    let mut slow = options();
    slow["timeout"] = 0.2.into();
    assert!(client.chain(CARDS).post(slow).expect_err("slow").is_timeout());
    end.recv_timeout(Duration::from_millis(800)).expect("the task ended");
}

/// Polls a call once within a layer, and finishes it in a task that outlives the outer call.
#[test]
fn a_call_that_a_layer_began_ends_in_a_task() {
    let sandbox = sandbox();
    let (slow, nested) = sandbox_client(|builder| builder.layer(plain_layer()));
    slow.inject(Fault::Delay(Duration::from_millis(100)));
    let (done, end) = mpsc::channel();
    let layer = tower::layer::layer_fn(move |inner: wechatpay_chain::BoxService| {
        let (nested, done) = (nested.clone(), done.clone());
        tower::service_fn(move |request: Request<Bytes>| {
            let (mut inner, nested, done) = (inner.clone(), nested.clone(), done.clone());
            async move {
                let mut promise = Box::pin(nested.chain(CARDS).post_async(options()));
                let polled = std::future::poll_fn(|context| Poll::Ready(promise.as_mut().poll(context).is_pending()));
                assert!(polled.await, "pending");
                tokio::time::sleep(Duration::from_millis(1)).await;
                let response = tower::Service::call(&mut inner, request).await;
                tokio::spawn(async move {
                    let _ = done.send(promise.await.is_ok());
                });
                response
            }
        })
    });
    let outer = sandbox.client_builder().layer(layer).build().expect("client");
    outer.chain(CARDS).post(options()).expect("response");
    assert!(end.recv_timeout(Duration::from_millis(800)).expect("the nested call ended"));
}

/// Polls a call `polls` times and drops it.
struct Cancelled<F>(Pin<Box<F>>, u32);

impl<F: Future> Future for Cancelled<F> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        if self.1 == 0 {
            return Poll::Ready(false);
        }
        self.1 -= 1;
        match self.0.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[test]
fn a_call_can_be_cancelled_at_any_await() {
    let folder = tempfile::tempdir().expect("folder");
    let (sandbox, client) = sandbox_client(|builder| builder.concurrency(1).layer(plain_layer()));
    sandbox.file(FILE, 400_000);
    run(async {
        let mut completed = 0;
        for polls in 0..40 {
            let sink = folder.path().join(format!("{polls}"));
            for options in [json!({ "stream": true }), json!({ "sink": sink.to_str() }), json!({ "timeout": 5 })] {
                completed += u32::from(Cancelled(Box::pin(client.chain(FILE).get_async(options)), polls).await);
            }
            client.chain(CARDS).post_async(options()).await.expect("the permit is free");
        }
        assert!(completed > 5, "{completed}");
    });
    for entry in std::fs::read_dir(folder.path()).expect("folder") {
        let entry = entry.expect("entry");
        assert_eq!(entry.metadata().expect("metadata").len(), 400_000, "{:?}", entry.file_name());
    }
}

#[test]
fn many_calls_of_one_thread_all_end() {
    let (sandbox, client) = start();
    let calls = 150;
    let runtime = runtime();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let tasks: Vec<_> = (0..calls)
            .map(|_| {
                let client = client.clone();
                tokio::task::spawn_local(async move { client.chain(CARDS).post_async(options()).await.map(drop) })
            })
            .collect();
        // A synchronous call blocks the thread of the others.
        client.chain(CARDS).post(options()).expect("synchronous");
        for task in tasks {
            task.await.expect("task").expect("response");
        }
    });
    assert_eq!(sandbox.requests().len(), calls + 1);
}

#[test]
fn a_waited_promise_that_a_runtime_began_ends() {
    let (_sandbox, client) = sandbox_client(|builder| builder.layer(plain_layer()));
    let mut promise = client.chain(CARDS).post_async(options());
    let first = runtime();
    first.block_on(async {
        let polled = std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut promise).poll(context).is_pending()));
        assert!(polled.await);
    });
    let (send, end) = mpsc::channel();
    // The runtime is driven by another thread meanwhile, and its tasks end with it.
    let driving = std::thread::spawn(move || {
        first.block_on(async { tokio::time::sleep(Duration::from_millis(500)).await });
    });
    std::thread::spawn(move || {
        let _ = send.send(promise.wait().map(drop).map_err(|error| error.kind()));
    });
    let outcome = end.recv_timeout(Duration::from_secs(5)).expect("it ended");
    assert!(matches!(outcome, Ok(()) | Err(ErrorKind::Connect | ErrorKind::Transport)), "{outcome:?}");
    driving.join().expect("joined");
}

#[test]
fn calls_in_block_in_place_end() {
    let (sandbox, client) = start();
    run(async {
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move {
                    tokio::task::block_in_place(|| {
                        let asynchronous = client.chain(CARDS).post_async(options());
                        tokio::runtime::Handle::current().block_on(asynchronous).expect("asynchronous");
                        client.chain(CARDS).post(options()).expect("synchronous");
                    });
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("task");
        }
    });
    assert_eq!(sandbox.requests().len(), 32);
}

#[test]
fn a_hundred_threads_call_through_a_layer() {
    let (sandbox, client) = sandbox_client(|builder| builder.layer(plain_layer()));
    sandbox.file(FILE, 50_000);
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                client.chain(CARDS).post(options()).expect("response");
                let written = SharedBuffer::default();
                client.chain(FILE).get(Options::new().sink(written.clone())).expect("file");
                assert_eq!(written.bytes().len(), 50_000);
            });
        }
    });
}

/// A layer that moves the call to another thread, with and without a runtime.
#[test]
fn a_layer_may_move_the_call_to_another_thread() {
    for with_runtime in [true, false] {
        let layer = tower::layer::layer_fn(move |inner: wechatpay_chain::BoxService| {
            tower::service_fn(move |request: Request<Bytes>| {
                let mut inner = inner.clone();
                let (send, receive) = tokio::sync::oneshot::channel();
                std::thread::spawn(move || {
                    let call = tower::Service::call(&mut inner, request);
                    let outcome =
                        if with_runtime { runtime().block_on(call) } else { futures_executor::block_on(call) };
                    let _ = send.send(outcome);
                });
                async move { receive.await.expect("sent") }
            })
        });
        let (sandbox, client) = sandbox_client(|builder| builder.layer(layer).retry(1));
        sandbox.file(FILE, 1000);
        for run in [
            |client: &Client, options| client.chain(CARDS).post(options),
            |client: &Client, options| run(client.chain(CARDS).post_async(options)),
        ] {
            match run(&client, options()) {
                Ok(_) => assert!(with_runtime),
                Err(error) => {
                    assert!(!with_runtime && error.to_string().contains("without a tokio runtime"), "{error}")
                }
            }
        }
        let sink = client.chain(FILE).get(Options::new().sink(std::io::sink()));
        match sink {
            Ok(_) => assert!(with_runtime),
            Err(error) => assert!(!with_runtime && error.to_string().contains("without a tokio runtime"), "{error}"),
        }
    }
}

/// The certificates are downloaded in a task of its own, whose request is signed too.
#[test]
fn a_signer_may_block_while_certificates_are_downloaded() {
    struct CallingSigner(BlockingSigner, Client);
    impl Signer for CallingSigner {
        fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
            self.1.chain(CARDS).post(options()).expect("a synchronous call");
            self.0.sign(message)
        }
    }
    let (sandbox, service) = start();
    sandbox.rotate_certificate().expect("certificate");
    let signer = || CallingSigner(BlockingSigner(sandbox.merchant_key()), service.clone());
    let client = || {
        let client = Client::builder().mchid(MCHID).signer(signer()).apiv3_key(sandbox.apiv3_key());
        client.base_uri(sandbox.base_uri()).no_proxy().build().expect("client")
    };
    client().chain(CARDS).post(options()).expect("response");
    assert!(!client().certificates().expect("certificates").is_empty());
}

/// The runtime of the outer call is not driven while the inner one blocks its thread.
#[test]
fn a_layer_may_block_on_an_asynchronous_call() {
    let (sandbox, nested) = start();
    let layer = MapRequestLayer::new(move |request: Request<Bytes>| {
        futures_executor::block_on(nested.chain(CARDS).post_async(options())).expect("response");
        request
    });
    let client = sandbox.client_builder().layer(layer).build().expect("client");
    let (send, end) = mpsc::channel();
    std::thread::spawn(move || send.send(client.chain(CARDS).post(options()).is_ok()));
    assert!(end.recv_timeout(Duration::from_secs(10)).expect("the call ends"));
    assert_eq!(sandbox.requests().len(), 2);
}

type Calling = BoxFuture<'static, Result<http::Response<Bytes>, Error>>;

/// The sockets of a synchronous call are polled although its future is never at rest.
#[test]
fn a_layer_may_poll_a_call_all_the_time() {
    let layer = MapFutureLayer::new(|mut calling: Calling| {
        std::future::poll_fn(move |context| {
            context.waker().wake_by_ref();
            calling.as_mut().poll(context)
        })
    });
    let (_sandbox, client) = sandbox_client(|builder| builder.layer(layer));
    let (send, end) = mpsc::channel();
    std::thread::spawn(move || send.send(client.chain(CARDS).post(options()).is_ok()));
    assert!(end.recv_timeout(Duration::from_secs(10)).expect("the call ends"));
}

/// A future that uses up its budget leaves none for the timer.
#[test]
fn a_layer_that_uses_up_the_budget_is_timed_out() {
    let layer = MapFutureLayer::new(|calling: Calling| -> Calling {
        drop(calling);
        Box::pin(async {
            loop {
                tokio::task::consume_budget().await;
            }
        })
    });
    let (_sandbox, client) = sandbox_client(|builder| builder.layer(layer));
    let mut options = options();
    options["timeout"] = 0.2.into();
    let (send, end) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = send.send(runtime().block_on(client.chain(CARDS).post_async(options)).map_err(|error| error.kind()));
    });
    let outcome = end.recv_timeout(Duration::from_secs(10)).expect("the call ends");
    assert_eq!(outcome.expect_err("no response"), ErrorKind::Timeout);
}
