//! Calls that begin on one runtime and end on another, which may be the only one that is driven.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};
use wechatpay_chain::{Error, ErrorKind, Promise, Response};

use crate::support::{client_at, sandbox, server, unused_address};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("runtime")
}

/// Polls a call on a runtime for a while. Zero is once.
fn begin(runtime: &Runtime, promise: &mut Promise<Response>, time: Duration) {
    let polling = std::future::poll_fn(|context| {
        assert!(Pin::new(&mut *promise).poll(context).is_pending());
        if time.is_zero() { Poll::Ready(()) } else { Poll::Pending }
    });
    let _ = runtime.block_on(async { tokio::time::timeout(time, polling).await });
}

/// A listener whose connections are not established.
fn full_listener() -> (socket2::Socket, Vec<socket2::Socket>) {
    let new = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("socket");
    let listener = new();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("bind");
    listener.listen(0).expect("listen");
    let address = listener.local_addr().expect("address");
    let filling = (0..3)
        .map(|_| {
            let socket = new();
            socket.set_nonblocking(true).expect("mode");
            let _ = socket.connect(&address);
            socket
        })
        .collect();
    std::thread::sleep(Duration::from_millis(20));
    (listener, filling)
}

type End = fn(Promise<Response>) -> Result<Response, Error>;

/// The ways to end a call.
const WAYS: [End; 3] =
    [Promise::wait, |promise| runtime().block_on(promise), |promise| futures_executor::block_on(promise)];

/// Begins calls on a runtime that then ends, or that nobody drives any more, and ends them
/// elsewhere.
fn move_calls(stage: &str, begin_for: u64, call: impl Fn() -> Promise<Response> + Sync, expected: ErrorKind) {
    std::thread::scope(|scope| {
        for has_ended in [true, false] {
            for (way, end) in WAYS.into_iter().enumerate() {
                let call = &call;
                scope.spawn(move || {
                    let (first, mut promise) = (runtime(), call());
                    begin(&first, &mut promise, Duration::from_millis(begin_for));
                    let _kept = if has_ended { None } else { Some(first) };
                    let error = end(promise).expect_err("an error");
                    assert_eq!(error.kind(), expected, "{stage}, {has_ended}, {way}: {error}");
                });
            }
        }
    });
}

fn slow_server() -> SocketAddr {
    server(|mut stream| async move {
        let mut request = [0; 8 * 1024];
        while stream.read(&mut request).await? > 0 {
            tokio::time::sleep(Duration::from_millis(300)).await;
            stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await?;
        }
        Ok(())
    })
}

#[test]
fn a_call_ends_on_another_runtime() {
    let sandbox = sandbox();
    let client = client_at(&sandbox, slow_server());
    let call = || client.chain("v3/x").post_async(json!({ "json": { "a": 1 }, "timeout": 20 }));
    move_calls("polled once", 0, call, ErrorKind::ClientError);
    move_calls("waiting for the response", 100, call, ErrorKind::ClientError);
}

#[test]
fn a_call_without_a_permit_ends_on_another_runtime() {
    let sandbox = sandbox();
    let builder = sandbox.client_builder().base_uri(format!("http://{}/", slow_server()));
    let client = builder.concurrency(1).build().expect("client");
    let call = || client.chain("v3/x").post_async(json!({ "json": { "a": 1 }, "timeout": 20 }));
    std::thread::scope(|scope| {
        scope.spawn(|| call().wait().expect_err("404"));
        std::thread::sleep(Duration::from_millis(100));
        move_calls("waiting for a permit", 50, call, ErrorKind::ClientError);
    });
}

#[test]
fn a_call_that_connects_ends_on_another_runtime() {
    let (sandbox, (listener, _filling)) = (sandbox(), full_listener());
    let address = listener.local_addr().expect("address").as_socket().expect("IP");
    let client = client_at(&sandbox, address);
    let limited = || client.chain("v3/x").post_async(json!({ "json": { "a": 1 }, "connect_timeout": 0.5 }));
    move_calls("connecting", 100, limited, ErrorKind::Connect);
    let timed = || client.chain("v3/x").post_async(json!({ "json": { "a": 1 }, "timeout": 0.5 }));
    move_calls("connecting", 100, timed, ErrorKind::Timeout);
}

#[test]
fn a_call_that_is_repeated_ends_on_another_runtime() {
    let sandbox = sandbox();
    let client = client_at(&sandbox, unused_address());
    let retry = json!({ "json": { "a": 1 }, "timeout": 20, "retry": { "times": 1, "pause": 0.4 } });
    move_calls("pausing", 100, || client.chain("v3/x").post_async(retry.clone()), ErrorKind::Connect);
}

/// The time limit of a read moves too.
#[test]
fn a_read_of_a_stream_ends_on_another_runtime() {
    let sandbox = sandbox();
    let address = server(|mut stream| async move {
        let mut request = [0; 8 * 1024];
        let _ = stream.read(&mut request).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n").await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        stream.write_all(b"1234567890").await
    });
    let client = client_at(&sandbox, address);
    for has_ended in [true, false] {
        let response = client.chain("v3/billdownload/file").get(json!({ "stream": true, "read_timeout": 20 }));
        let mut stream = response.expect("response").into_stream();
        let mut read = Box::pin(stream.next());
        let first = runtime();
        first.block_on(async { assert!(tokio::time::timeout(Duration::from_millis(50), &mut read).await.is_err()) });
        let _kept = if has_ended { None } else { Some(first) };
        assert_eq!(runtime().block_on(read).expect("a piece").expect("no error"), "1234567890");
    }
}
