//! One client works on every thread and in every runtime.

use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::util::MapFutureLayer;
use wechatpay_chain::sandbox::{Fault, MCHID, PUBLIC_KEY_ID, SERIAL, Sandbox};
use wechatpay_chain::{
    BoxError, BoxFuture, Chain, Client, Error, Options, PrivateKey, Promise, Response, Signature, Signer, Verifier,
};

use crate::support::{CARDS, client_at, options, relay, run, run_in_new_process, sandbox, server};

fn call(client: &Client) {
    let response = client.chain(CARDS).post(options()).expect("response");
    assert!(response.is_verified());
}

async fn call_async(client: &Client) {
    let response = client.chain(CARDS).post_async(options()).await.expect("response");
    assert!(response.is_verified());
}

#[test]
fn a_client_built_without_a_runtime_works_in_fifty_of_them() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    for round in 0..50 {
        let runtime = if round % 2 == 0 {
            tokio::runtime::Builder::new_current_thread().enable_all().build()
        } else {
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
        };
        runtime.expect("runtime").block_on(async {
            call_async(&client).await;
            call_async(&client).await;
        });
    }
    call(&client);
    assert_eq!(sandbox.requests().len(), 101);
}

#[test]
fn runtimes_on_several_threads_share_a_client() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                run(async {
                    for _ in 0..10 {
                        call_async(&client).await;
                    }
                });
            });
        }
    });
    assert_eq!(sandbox.requests().len(), 40);
}

#[test]
fn threads_without_a_runtime_share_a_client() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..10).for_each(|_| call(&client)));
        }
    });
    assert_eq!(sandbox.requests().len(), 80);
}

#[tokio::test(flavor = "current_thread")]
async fn synchronous_calls_work_in_a_current_thread_runtime() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    call(&client);
    call_async(&client).await;
    call(&client);
    tokio::task::spawn_blocking(move || call(&client)).await.expect("joined");
    assert_eq!(sandbox.requests().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn synchronous_calls_work_in_a_multi_thread_runtime() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    call(&client);
    // More blocked tasks than the runtime has workers.
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { call(&client) })
        })
        .collect();
    for task in tasks {
        task.await.expect("joined");
    }
    call_async(&client).await;
    assert_eq!(sandbox.requests().len(), 8);
}

/// Runs a future on a tokio runtime of each kind, and fails if it does not end.
fn assert_ends_in_runtimes<F: Future<Output = ()>>(make: impl Fn() -> F + Clone + Send + 'static) {
    for threads in [0, 2] {
        let (send, end) = mpsc::channel();
        let make = make.clone();
        std::thread::spawn(move || {
            let runtime = match threads {
                0 => tokio::runtime::Builder::new_current_thread().enable_all().build(),
                _ => tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
            };
            runtime.expect("runtime").block_on(make());
            send.send(()).expect("the test waits");
        });
        end.recv_timeout(Duration::from_secs(60)).expect("the calls end");
    }
}

/// All polls of synchronous calls in async code are part of one poll of the task, and tokio limits
/// how often the resources of a task are polled until it yields.
#[test]
fn a_task_may_make_many_synchronous_calls() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let calls = move || {
        let client = client.clone();
        async move { (0..300).for_each(|_| call(&client)) }
    };
    assert_ends_in_runtimes(calls);
    assert_eq!(sandbox.requests().len(), 600);
}

#[test]
fn a_synchronous_wait_in_async_code_has_a_time_limit() {
    assert_ends_in_runtimes(|| async {
        let sandbox = sandbox();
        let error = sandbox.wait_for_notification("TRANSACTION.SUCCESS", "order-1").expect_err("no notification");
        assert!(error.is_timeout(), "{error}");
    });
}

/// A task that yields is woken by its worker, which a synchronous call blocks.
#[test]
fn code_of_a_synchronous_call_may_yield() {
    let layer = MapFutureLayer::new(|calling: BoxFuture<'static, Result<http::Response<Bytes>, Error>>| async {
        tokio::task::yield_now().await;
        calling.await
    });
    let sandbox = sandbox();
    let client = sandbox.client_builder().layer(layer).build().expect("client");
    assert_ends_in_runtimes(move || {
        let client = client.clone();
        async move { call(&client) }
    });
    assert_eq!(sandbox.requests().len(), 2);
}

#[test]
fn calls_work_in_another_executor() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    futures_executor::block_on(call_async(&client));
    futures_executor::block_on(async { call(&client) });
    assert_eq!(sandbox.requests().len(), 2);
}

#[test]
fn a_client_can_be_dropped_in_async_code() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    call(&client);
    run(async move {
        call_async(&client).await;
        drop(client);
    });
    // A promise that is not awaited sends nothing.
    drop(sandbox.client().expect("client").chain(CARDS).post_async(options()));
    assert_eq!(sandbox.requests().len(), 2);
}

#[test]
fn a_cancelled_call_does_not_affect_others() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    run(async {
        for _ in 0..20 {
            let slow = client.chain(CARDS).post_async(options());
            let _ = tokio::time::timeout(Duration::from_micros(300), slow).await;
        }
        call_async(&client).await;
    });
}

#[test]
fn connections_are_reused() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let sandbox = sandbox();
    let (count, target) = (Arc::new(AtomicUsize::new(0)), sandbox.address());
    let counted = Arc::clone(&count);
    let address = server(move |stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        relay(stream, target)
    });
    let client = client_at(&sandbox, address);
    (0..40).for_each(|_| call(&client));
    let synchronous = count.load(Ordering::SeqCst);
    assert!(synchronous <= 2, "{synchronous} connections for 40 synchronous calls");
    run(async {
        for _ in 0..40 {
            call_async(&client).await;
        }
    });
    let all = count.load(Ordering::SeqCst);
    assert!(all <= 2, "{all} connections for 40 more calls on another runtime");
}

/// Connections of synchronous calls are not polled between calls. The next call notices that one
/// was closed.
#[test]
fn a_connection_closed_between_synchronous_calls_is_not_reused() {
    let sandbox = sandbox();
    let target = sandbox.address();
    let (closed, closed_events) = mpsc::channel();
    let address = server(move |mut from| {
        let closed = closed.clone();
        async move {
            let mut to = TcpStream::connect(target).await?;
            let mut copied = [0; 16 * 1024];
            // One request and its response, which does not announce that the connection is closed.
            let count = from.read(&mut copied).await?;
            to.write_all(&copied[..count]).await?;
            let count = to.read(&mut copied).await?;
            from.write_all(&copied[..count]).await?;
            // Later than the response, or the call would notice it.
            tokio::time::sleep(Duration::from_millis(5)).await;
            drop(from);
            let _ = closed.send(());
            Ok(())
        }
    });
    let client = client_at(&sandbox, address);
    for round in 0..20 {
        call(&client);
        closed_events.recv_timeout(Duration::from_secs(10)).expect("the connection is closed");
        // After the longer pause the background thread has noticed it first.
        std::thread::sleep(Duration::from_millis(if round % 10 == 0 { 1200 } else { 5 }));
    }
    assert_eq!(sandbox.requests().len(), 20);
}

/// A client whose connections send a message when they are closed.
fn client_with_closed_events() -> (Sandbox, Client, mpsc::Receiver<()>) {
    let sandbox = sandbox();
    let target = sandbox.address();
    let (closed, closed_events) = mpsc::channel();
    let address = server(move |stream| {
        let closed = closed.clone();
        async move {
            let outcome = relay(stream, target).await;
            let _ = closed.send(());
            outcome
        }
    });
    let client = client_at(&sandbox, address);
    (sandbox, client, closed_events)
}

/// In a new process, since other tests use the same runtimes.
#[test]
fn connections_of_synchronous_calls_are_closed() {
    run_in_new_process("call::runtimes::connections_are_closed_in_this_process");
}

#[test]
#[ignore = "the test above runs it in a new process"]
fn connections_are_closed_in_this_process() {
    let (sandbox, client, closed_events) = client_with_closed_events();
    call(&client);
    assert!(closed_events.try_recv().is_err(), "the connection is kept");
    sandbox.inject(Fault::Delay(Duration::from_secs(30)));
    let mut timed = options();
    timed["timeout"] = 0.2.into();
    client.chain(CARDS).post(timed).expect_err("slow");
    closed_events.recv_timeout(Duration::from_secs(10)).expect("the connection of the call that timed out is closed");
    call(&client);
    drop(client);
    closed_events
        .recv_timeout(Duration::from_secs(10))
        .expect("the connection of the client that was dropped is closed");
}

/// Waits for a task of the current runtime, as the caller's code within a call may.
fn wait_for_spawned_task() {
    if tokio::runtime::Handle::try_current().is_ok() {
        futures_executor::block_on(tokio::spawn(tokio::time::sleep(Duration::from_millis(5)))).expect("done");
    }
}

/// Runs a function on a new thread and fails if it takes ten seconds.
fn assert_ends(run: impl FnOnce() + Send + 'static) {
    let (done, end) = mpsc::channel();
    std::thread::spawn(move || {
        run();
        done.send(()).expect("the test waits");
    });
    end.recv_timeout(Duration::from_secs(10)).expect("the function returned");
}

struct SpawningSigner(PrivateKey);

impl Signer for SpawningSigner {
    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
        wait_for_spawned_task();
        Box::pin(async { Ok(Signature::new(SERIAL, self.0.sign(message)?)) })
    }
}

impl Verifier for SpawningSigner {
    fn verify<'a>(&'a self, _: &'a str, _: &'a [u8], _: &'a [u8]) -> BoxFuture<'a, Result<(), BoxError>> {
        wait_for_spawned_task();
        Box::pin(async { Ok(()) })
    }
}

#[test]
fn tasks_spawned_by_the_callers_code_make_progress() {
    let sandbox = sandbox();
    let layer = tower::util::MapRequestLayer::new(|request: http::Request<bytes::Bytes>| {
        wait_for_spawned_task();
        request
    });
    let builder = || Client::builder().mchid(MCHID).base_uri(sandbox.base_uri()).no_proxy();
    let spawning = || SpawningSigner(sandbox.merchant_key());
    let clients = [
        sandbox.client_builder().layer(layer),
        builder().signer(spawning()).platform_key(PUBLIC_KEY_ID, sandbox.platform_key()),
        builder().serial(SERIAL).private_key(sandbox.merchant_key()).verifier(spawning()),
    ];
    for client in clients.map(|builder| builder.build().expect("client")) {
        assert_ends(move || call(&client));
    }
    let promise = sandbox.client().expect("client").chain(CARDS).post_async(options());
    assert_ends(move || promise.then(|_| wait_for_spawned_task()).wait().expect("response"));
}

/// In a new process, since a subscriber changes how all calls of the process are made.
#[test]
fn tasks_spawned_by_a_subscriber_make_progress() {
    run_in_new_process("call::runtimes::tasks_of_a_subscriber_in_this_process");
}

#[test]
#[ignore = "the test above runs it in a new process"]
fn tasks_of_a_subscriber_in_this_process() {
    let writer = || {
        wait_for_spawned_task();
        std::io::sink()
    };
    let spans = tracing_subscriber::fmt::format::FmtSpan::FULL;
    let subscriber = tracing_subscriber::fmt().with_span_events(spans).with_writer(writer).finish();
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    assert_ends(move || tracing::subscriber::with_default(subscriber, || call(&client)));
}

/// The thread's destructors may run after tokio's own.
#[test]
fn a_call_at_the_end_of_its_thread_does_not_panic() {
    struct AtEnd(Client, mpsc::Sender<Result<Response, Error>>);
    impl Drop for AtEnd {
        fn drop(&mut self) {
            let _ = self.1.send(self.0.chain(CARDS).post(options()));
        }
    }
    thread_local! {
        static AT_END: std::cell::RefCell<Option<AtEnd>> = const { std::cell::RefCell::new(None) };
    }
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let (sender, outcome) = mpsc::channel();
    std::thread::spawn(move || {
        AT_END.set(Some(AtEnd(client.clone(), sender)));
        call(&client);
    });
    // The order of destructors depends on the platform.
    if let Err(error) = outcome.recv_timeout(Duration::from_secs(10)).expect("no panic") {
        assert!(error.is_before_send(), "{error}");
    }
}

/// A layer, and the function given to `then`, may make calls.
#[test]
fn a_synchronous_call_can_be_made_within_another() {
    let sandbox = sandbox();
    let inner = sandbox.client().expect("client");
    let nested = inner.clone();
    let layer = tower::util::MapRequestLayer::new(move |request: http::Request<bytes::Bytes>| {
        call(&nested);
        request
    });
    let outer = sandbox.client_builder().layer(layer).build().expect("client");
    call(&outer);
    inner.chain(CARDS).post_async(options()).then(move |_| call(&outer)).wait().expect("response");
    assert_eq!(sandbox.requests().len(), 5);
}

/// More threads than the pool has runtimes.
#[test]
fn a_hundred_threads_call_at_once() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let barrier = Barrier::new(100);
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                barrier.wait();
                call(&client);
                // The second calls begin after all first calls have ended.
                barrier.wait();
                call(&client);
            });
        }
    });
    assert_eq!(sandbox.requests().len(), 200);
}

#[test]
fn public_types_are_send_and_sync() {
    fn is_send_sync<T: Send + Sync + 'static>() {}
    fn is_clone_send_sync<T: Clone + Send + Sync + 'static>() {}
    fn is_send<T: Send + 'static>() {}
    is_clone_send_sync::<Client>();
    is_clone_send_sync::<Chain>();
    is_clone_send_sync::<Response>();
    is_send_sync::<Error>();
    is_send::<Options>();
    is_send::<Promise<Response>>();
    is_send_sync::<Box<dyn Signer>>();
    is_send_sync::<Box<dyn Verifier>>();
    is_send_sync::<wechatpay_chain::ClientBuilder>();
    is_send_sync::<wechatpay_chain::sandbox::Sandbox>();
}
