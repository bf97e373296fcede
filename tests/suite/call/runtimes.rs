//! One client on any thread and any runtime: no panic, no hang, no failed call.

use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wechatpay_chain::sandbox::{Fault, MCHID, PUBLIC_KEY_ID, SERIAL, Sandbox};
use wechatpay_chain::{
    BoxError, BoxFuture, Chain, Client, Error, Options, PrivateKey, Promise, Response, Signature, Signer, Verifier,
};

use crate::support::{CARDS, alone, options, run, sandbox};

fn call(client: &Client) {
    let response = client.chain(CARDS).post(options()).expect("answer");
    assert!(response.is_verified());
}

async fn call_async(client: &Client) {
    let response = client.chain(CARDS).post_async(options()).await.expect("answer");
    assert!(response.is_verified());
}

#[test]
fn built_without_a_runtime_and_used_on_fifty_in_turn() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    for turn in 0..50 {
        let runtime = if turn % 2 == 0 {
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
fn two_runtimes_at_once() {
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
fn eight_plain_threads_at_once() {
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
async fn synchronous_inside_of_a_single_threaded_runtime() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    call(&client);
    call_async(&client).await;
    call(&client);
    tokio::task::spawn_blocking(move || call(&client)).await.expect("joined");
    assert_eq!(sandbox.requests().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn synchronous_inside_of_a_multi_threaded_runtime() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    call(&client);
    // As many blocked tasks as there are workers, and more.
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

#[test]
fn under_another_executor() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    futures_executor::block_on(call_async(&client));
    futures_executor::block_on(async { call(&client) });
    assert_eq!(sandbox.requests().len(), 2);
}

#[test]
fn dropped_inside_of_async_code() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    call(&client);
    run(async move {
        call_async(&client).await;
        drop(client);
    });
    // A promise that nobody awaits sends nothing.
    drop(sandbox.client().expect("client").chain(CARDS).post_async(options()));
    assert_eq!(sandbox.requests().len(), 2);
}

#[test]
fn a_cancelled_call_harms_no_other() {
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
fn a_call_begun_on_one_runtime_ends_with_a_clear_error_when_that_runtime_ends() {
    let sandbox = sandbox();
    sandbox.inject(Fault::Delay(Duration::from_secs(30)));
    let client = sandbox.client().expect("client");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
    let mut begun = Box::pin(client.chain(CARDS).post_async(options()));
    runtime.block_on(async {
        assert!(tokio::time::timeout(Duration::from_millis(100), &mut begun).await.is_err());
    });
    drop(runtime);
    let error = run(begun).expect_err("its connection is gone");
    assert!(!error.is_before_send(), "{error}");
    call(&client);
}

#[test]
fn connections_are_kept() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let sandbox = sandbox();
    let (count, target) = (Arc::new(AtomicUsize::new(0)), sandbox.address());
    let counted = Arc::clone(&count);
    let relay = crate::support::server(move |stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        crate::support::relay(stream, target)
    });
    let client = sandbox.client_builder().base_uri(format!("http://{relay}/")).build().expect("client");
    // A connection that is on its way back to the pool when the next call begins costs a new one; never one for each call.
    (0..40).for_each(|_| call(&client));
    let synchronous = count.load(Ordering::SeqCst);
    assert!(synchronous <= 8, "{synchronous} connections for 40 synchronous calls");
    run(async {
        for _ in 0..40 {
            call_async(&client).await;
        }
    });
    let all = count.load(Ordering::SeqCst);
    assert!(
        (1..=8).contains(&(all - synchronous)),
        "{} connections for 40 calls of another runtime",
        all - synchronous
    );
}

/// Nobody drives the connections of synchronous calls all the time; what happens to them between two calls is noticed even so.
#[test]
fn a_connection_that_was_closed_between_synchronous_calls_takes_no_request() {
    let sandbox = sandbox();
    let target = sandbox.address();
    let relay = crate::support::server(move |mut from| async move {
        let mut to = TcpStream::connect(target).await?;
        let mut copied = [0; 16 * 1024];
        // One request and its answer, and then the end, which the answer does not tell.
        let count = from.read(&mut copied).await?;
        to.write_all(&copied[..count]).await?;
        let count = to.read(&mut copied).await?;
        from.write_all(&copied[..count]).await?;
        // Not together with the answer, which the call still sees.
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok(())
    });
    let client = sandbox.client_builder().base_uri(format!("http://{relay}/")).build().expect("client");
    for turn in 0..20 {
        call(&client);
        // Sometimes the background thread sees the end first.
        std::thread::sleep(Duration::from_millis(if turn % 10 == 0 { 1200 } else { 20 }));
    }
    assert_eq!(sandbox.requests().len(), 20);
}

/// The other end of each connection tells when it was closed.
fn telling_of_ends() -> (Sandbox, Client, mpsc::Receiver<()>) {
    let sandbox = sandbox();
    let target = sandbox.address();
    let (ended, end) = mpsc::channel();
    let relay = crate::support::server(move |stream| {
        let ended = ended.clone();
        async move {
            let outcome = crate::support::relay(stream, target).await;
            let _ = ended.send(());
            outcome
        }
    });
    let client = sandbox.client_builder().base_uri(format!("http://{relay}/")).build().expect("client");
    (sandbox, client, end)
}

/// In a process of its own: other tests drive the same runtimes.
#[test]
fn connections_of_synchronous_calls_end() {
    alone("call::runtimes::connections_of_synchronous_calls_end_inside");
}

#[test]
#[ignore = "the test above runs it in a process of its own"]
fn connections_of_synchronous_calls_end_inside() {
    let (sandbox, client, end) = telling_of_ends();
    call(&client);
    assert!(end.try_recv().is_err(), "kept");
    sandbox.inject(Fault::Delay(Duration::from_secs(30)));
    let mut given_up = options();
    given_up["timeout"] = 0.2.into();
    client.chain(CARDS).post(given_up).expect_err("slow");
    end.recv_timeout(Duration::from_secs(10)).expect("the connection of the call that was given up is closed");
    call(&client);
    drop(client);
    end.recv_timeout(Duration::from_secs(10)).expect("the connection of the client that was dropped is closed");
}

/// Waits for something that the runtime does, as code of the caller's may that is called within a call.
fn something_spawned() {
    if tokio::runtime::Handle::try_current().is_ok() {
        futures_executor::block_on(tokio::spawn(tokio::time::sleep(Duration::from_millis(5)))).expect("done");
    }
}

/// Runs it on a thread of its own and does not wait for ever.
fn ends(run: impl FnOnce() + Send + 'static) {
    let (done, end) = mpsc::channel();
    std::thread::spawn(move || {
        run();
        done.send(()).expect("the test waits");
    });
    end.recv_timeout(Duration::from_secs(10)).expect("it ended");
}

struct Spawning(PrivateKey);

impl Signer for Spawning {
    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
        something_spawned();
        Box::pin(async { Ok(Signature::new(SERIAL, self.0.sign(message)?)) })
    }
}

impl Verifier for Spawning {
    fn verify<'a>(&'a self, _: &'a str, _: &'a [u8], _: &'a [u8]) -> BoxFuture<'a, Result<(), BoxError>> {
        something_spawned();
        Box::pin(async { Ok(()) })
    }
}

#[test]
fn what_the_callers_code_spawns_goes_on() {
    let sandbox = sandbox();
    let layer = tower::util::MapRequestLayer::new(|request: http::Request<bytes::Bytes>| {
        something_spawned();
        request
    });
    let begun = || Client::builder().mchid(MCHID).base_uri(sandbox.base_uri()).no_proxy();
    let spawning = || Spawning(sandbox.merchant_key());
    let clients = [
        sandbox.client_builder().layer(layer),
        begun().signer(spawning()).platform_key(PUBLIC_KEY_ID, sandbox.platform_key()),
        begun().serial(SERIAL).private_key(sandbox.merchant_key()).verifier(spawning()),
    ];
    for client in clients.map(|builder| builder.build().expect("client")) {
        ends(move || call(&client));
    }
    let promise = sandbox.client().expect("client").chain(CARDS).post_async(options());
    ends(move || promise.then(|_| something_spawned()).wait().expect("answer"));
}

/// In a process of its own: where anybody listens, no call of the process is made by a runtime of its own.
#[test]
fn what_a_subscriber_of_tracing_spawns_goes_on() {
    alone("call::runtimes::what_a_subscriber_of_tracing_spawns_goes_on_inside");
}

#[test]
#[ignore = "the test above runs it in a process of its own"]
fn what_a_subscriber_of_tracing_spawns_goes_on_inside() {
    let writer = || {
        something_spawned();
        std::io::sink()
    };
    let spans = tracing_subscriber::fmt::format::FmtSpan::FULL;
    let subscriber = tracing_subscriber::fmt().with_span_events(spans).with_writer(writer).finish();
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    ends(move || tracing::subscriber::with_default(subscriber, || call(&client)));
}

/// The destructors of a thread run after those of tokio's own.
#[test]
fn a_call_at_the_end_of_its_thread_fails_and_does_not_panic() {
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
    let (told, outcome) = mpsc::channel();
    std::thread::spawn(move || {
        AT_END.set(Some(AtEnd(client.clone(), told)));
        call(&client);
    });
    // Which is first, is the platform's choice.
    if let Err(error) = outcome.recv_timeout(Duration::from_secs(10)).expect("no panic") {
        assert!(error.is_before_send(), "{error}");
    }
}

/// A caller's layer, and what is done with an answer, may make calls of their own.
#[test]
fn a_synchronous_call_within_another() {
    let sandbox = sandbox();
    let inner = sandbox.client().expect("client");
    let again = inner.clone();
    let layer = tower::util::MapRequestLayer::new(move |request: http::Request<bytes::Bytes>| {
        call(&again);
        request
    });
    let outer = sandbox.client_builder().layer(layer).build().expect("client");
    call(&outer);
    inner.chain(CARDS).post_async(options()).then(move |_| call(&outer)).wait().expect("answer");
    assert_eq!(sandbox.requests().len(), 5);
}

/// More than have a runtime to themselves.
#[test]
fn a_hundred_plain_threads_at_once_and_none_waits_for_another() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let all = Barrier::new(100);
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                all.wait();
                call(&client);
                // Everybody has made a call before anybody makes the next.
                all.wait();
                call(&client);
            });
        }
    });
    assert_eq!(sandbox.requests().len(), 200);
}

#[test]
fn what_may_cross_threads() {
    fn everywhere<T: Send + Sync + 'static>() {}
    fn cheap<T: Clone + Send + Sync + 'static>() {}
    fn sendable<T: Send + 'static>() {}
    cheap::<Client>();
    cheap::<Chain>();
    cheap::<Response>();
    everywhere::<Error>();
    sendable::<Options>();
    sendable::<Promise<Response>>();
    everywhere::<Box<dyn Signer>>();
    everywhere::<Box<dyn Verifier>>();
    everywhere::<wechatpay_chain::ClientBuilder>();
    everywhere::<wechatpay_chain::sandbox::Sandbox>();
}
