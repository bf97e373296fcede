//! The caller's code within calls: it blocks, spawns tasks, is cancelled, makes calls of its own,
//! and moves calls to other threads.

use std::future::Future;
use std::io::Read;
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::util::{MapFutureLayer, MapRequestLayer};
use wechatpay_chain::sandbox::{Fault, MCHID, PUBLIC_KEY_ID, SERIAL};
use wechatpay_chain::{
    BoxError, BoxFuture, Client, Error, ErrorKind, Media, Options, PrivateKey, PublicKey, Signature, Signer, Verifier,
};

use crate::support::{CARDS, SharedBuffer, client_at, options, run, sandbox, server, start};

const FILE: &str = "v3/billdownload/file";

/// A layer that does nothing.
fn plain_layer() -> MapRequestLayer<fn(Request<Bytes>) -> Request<Bytes>> {
    MapRequestLayer::new(|request| request)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime")
}

#[test]
fn the_stream_of_a_client_with_a_layer_is_read_without_delay() {
    let sandbox = sandbox();
    sandbox.file(FILE, 8_000_000);
    let client = sandbox.client_builder().layer(plain_layer()).build().expect("client");
    let response = client.chain(FILE).get(json!({ "stream": true })).expect("response");
    let began = Instant::now();
    let mut body = Vec::new();
    response.into_stream().read_to_end(&mut body).expect("the body");
    assert_eq!(body.len(), 8_000_000);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

/// Code that blocks on a tokio runtime of its own, as the client of a signing service may.
fn block_on_runtime() {
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

fn sandbox_client(
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
struct SpawnAtDrop(mpsc::Sender<()>);

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

struct SpawningWriter(#[expect(dead_code, reason = "its drop matters")] SpawnAtDrop);

impl std::io::Write for SpawningWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        block_on_runtime();
        Ok(())
    }
}

#[test]
fn a_task_spawned_when_a_sink_is_dropped_ends() {
    let (sandbox, client) = start();
    sandbox.file(FILE, 100_000);
    let (done, end) = mpsc::channel();
    client.chain(FILE).get(Options::new().sink(SpawningWriter(SpawnAtDrop(done)))).expect("response");
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
fn a_303_after_an_upload_is_signed_without_the_meta() {
    let sandbox = sandbox();
    let (seen, requests) = mpsc::channel();
    let address = server(move |mut stream| {
        let seen = seen.clone();
        async move {
            loop {
                let mut request = vec![0; 65536];
                let size = stream.read(&mut request).await?;
                if size == 0 {
                    return Ok(());
                }
                let _ = seen.send(String::from_utf8_lossy(&request[..size]).into_owned());
                let see_other = b"HTTP/1.1 303 See Other\r\nlocation: /v3/b?x=1\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(see_other).await?;
            }
        }
    });
    let media = Options::from(Media::from_bytes("a.png", b"abc".as_slice()))
        .with("allow_redirects", json!({ "max": 1 }))
        .with("http_errors", false);
    let response = client_at(&sandbox, address).chain("v3/merchant/media/upload").post(media).expect("the second 303");
    assert_eq!(response.status(), 303);
    let first = requests.recv().expect("first");
    assert!(first.starts_with("POST /v3/merchant/media/upload "), "{first}");
    let second = requests.recv().expect("second");
    assert!(second.starts_with("GET /v3/b?x=1 ") && !second.contains("multipart"), "{second}");
    let field = |name: &str| {
        let (_, rest) = second.split_once(&format!("{name}=\"")).expect("field");
        rest.split('"').next().expect("value").to_owned()
    };
    let message = format!("GET\n/v3/b?x=1\n{}\n{}\n\n", field("timestamp"), field("nonce_str"));
    let signature = base64_decode(&field("signature"));
    assert!(sandbox.merchant_key().public_key().verify(message.as_bytes(), &signature));
}

fn base64_decode(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut out, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        let value = alphabet.iter().position(|letter| *letter == byte).expect("base64");
        bits = bits << 6 | u32::try_from(value).expect("small");
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xff) as u8);
        }
    }
    out
}

#[test]
fn an_error_response_with_http_errors_false_leaves_the_sink_unused() {
    let (sandbox, client) = start();
    sandbox.stub("GET", "v3/x", 503, json!({ "code": "SYSTEM_ERROR", "message": "m" }));
    let (done, end) = mpsc::channel();
    let request = Options::new()
        .sink(SpawningWriter(SpawnAtDrop(done)))
        .with("http_errors", false)
        .with("retry", json!({ "times": 2, "pause": 0.001 }));
    let response = client.chain("v3/x").get(request).expect("response");
    assert_eq!((response.status().as_u16(), response.attempts()), (503, 3));
    assert_eq!(response.json().expect("json")["code"], "SYSTEM_ERROR");
    end.recv_timeout(Duration::from_millis(800)).expect("the sink was dropped");
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
fn a_stream_outlives_the_runtime_of_its_call() {
    let (sandbox, client) = sandbox_client(|builder| builder.layer(plain_layer()));
    sandbox.file(FILE, 3_000_000);
    let start = || {
        let first = runtime();
        let response = first.block_on(async { client.chain(FILE).get_async(json!({ "stream": true })).await });
        drop(first);
        response.expect("response").into_stream()
    };
    let began = Instant::now();
    let mut body = Vec::new();
    start().read_to_end(&mut body).expect("read");
    assert_eq!(body.len(), 3_000_000);
    let mut stream = start();
    let size = runtime().block_on(async {
        let mut size = 0;
        while let Some(piece) = stream.next().await {
            size += piece.expect("piece").len();
        }
        size
    });
    assert_eq!(size, 3_000_000);
    let mut stream = start();
    let size = futures_executor::block_on(async {
        let mut size = 0;
        while let Some(piece) = stream.next().await {
            size += piece.expect("piece").len();
        }
        size
    });
    assert_eq!(size, 3_000_000);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
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

#[test]
fn a_repeated_call_fills_its_sink_once() {
    let (sandbox, client) = start();
    sandbox.file(FILE, 50_000);
    let retry = json!({ "times": 3, "pause": 0.001 });
    let written = SharedBuffer::default();
    for _ in 0..2 {
        sandbox.inject(Fault::from_name("bad-gateway").expect("fault"));
    }
    let sink = Options::new().sink(written.clone()).with("retry", retry.clone());
    assert_eq!(client.chain(FILE).get(sink).expect("response").attempts(), 3);
    assert_eq!(written.bytes().len(), 50_000);
    sandbox.inject(Fault::from_name("bad-gateway").expect("fault"));
    let response = client.chain(FILE).get(json!({ "stream": true, "retry": retry })).expect("response");
    assert_eq!(response.attempts(), 2);
    let mut body = Vec::new();
    response.into_stream().read_to_end(&mut body).expect("read");
    assert_eq!(body.len(), 50_000);
}

#[test]
fn a_v2_failure_with_http_errors_false_leaves_the_sink_unused() {
    let sandbox = sandbox();
    let client = sandbox.client_builder().secret("0123456789abcdef0123456789abcdef").layer(plain_layer());
    let body = "<xml><return_code>FAIL</return_code><return_msg>no bill</return_msg></xml>";
    let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let address = crate::support::raw_server(response);
    let client = client.base_uri(format!("http://{address}/")).build().expect("client");
    for path in ["v2/pay/downloadbill", "v2/pay/unifiedorder"] {
        let written = SharedBuffer::default();
        let request = || Options::from(json!({ "xml": { "mch_id": MCHID, "appid": "wx" }, "http_errors": false }));
        let response = client.chain(path).post(request().sink(written.clone())).expect("response");
        assert_eq!(response.xml().expect("xml")["return_msg"], "no bill");
        assert!(written.bytes().is_empty() && !response.is_verified());
        let response = client.chain(path).post(request().with("stream", true)).expect("response");
        let mut streamed = String::new();
        response.into_stream().read_to_string(&mut streamed).expect("read");
        assert_eq!(streamed, body);
        let error = client.chain(path).post(request().with("http_errors", true).sink(written.clone()));
        let error = error.expect_err("failure");
        assert!(error.message().contains("no bill"), "{error}");
        assert!(written.bytes().is_empty());
    }
}

#[test]
fn the_end_of_a_runtime_removes_the_unfinished_file() {
    let folder = tempfile::tempdir().expect("folder");
    let sandbox = sandbox();
    let address = server(|mut stream| async move {
        let mut request = [0; 65536];
        let _ = stream.read(&mut request).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhello").await?;
        std::future::pending().await
    });
    let client = client_at(&sandbox, address);
    let runtime = runtime();
    let path = folder.path().join("bill");
    let call = client.chain(FILE).get_async(json!({ "sink": path.to_str() }));
    runtime.spawn(call);
    runtime.block_on(async { tokio::time::sleep(Duration::from_millis(200)).await });
    assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 1);
    drop(runtime);
    assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 0);
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

/// Blocks on the current runtime, and waits for a task of it.
struct BlockingWriter(mpsc::Sender<()>);

impl std::io::Write for BlockingWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let sleep = tokio::time::sleep(Duration::from_millis(60));
        tokio::runtime::Handle::current().block_on(tokio::spawn(sleep)).expect("done");
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for BlockingWriter {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[test]
fn a_sink_that_blocks_on_the_current_runtime_ends_after_its_call() {
    let (sandbox, client) = start();
    sandbox.file(FILE, 100_000);
    let (send, end) = mpsc::channel();
    client.chain(FILE).get(Options::new().sink(BlockingWriter(send.clone()))).expect("response");
    end.recv_timeout(Duration::from_secs(5)).expect("ended");
    let options = Options::from(json!({ "timeout": 0.05 })).sink(BlockingWriter(send));
    client.chain(FILE).get(options).expect_err("a timeout, or a sink that is not finished");
    end.recv_timeout(Duration::from_secs(5)).expect("the writer ended");
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
