//! When a connection is used again: never after the server may have closed it, and never for a
//! response that was not asked for.

use std::io::Read;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wechatpay_chain::__private::with_second;
use wechatpay_chain::{Client, Error, ErrorKind, Promise, Response};

use crate::support::{client_at, read_request, run, sandbox, server};

const FILE: &str = "v3/billdownload/file";
const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

fn post(client: &Client) -> Promise<Response> {
    client.chain("v3/pay/transactions/native").post_async(json!({ "json": { "a": 1 }, "timeout": 5 }))
}

fn kind(result: Result<Response, Error>) -> ErrorKind {
    result.expect_err("no sandbox").kind()
}

#[test]
fn warming_up_does_not_make_a_connection_younger() {
    let sandbox = sandbox();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let address = server(move |mut stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            while read_request(&mut stream).await?.is_some() {
                stream.write_all(NOT_FOUND).await?;
            }
            Ok(())
        }
    });
    let builder = sandbox.client_builder().base_uri(format!("http://{address}/")).keep_warm(Duration::ZERO);
    let client = with_second(builder, Duration::from_millis(50)).build().expect("client");
    assert_eq!(kind(post(&client).wait()), ErrorKind::ClientError);
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(150));
        client.warm_up().expect("warm");
    }
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

/// The server has sent the end of the body long before it is read, and counts its idle time from
/// there.
#[test]
fn a_stream_that_was_read_late_leaves_an_old_connection() {
    let sandbox = sandbox();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let (sent, all_sent) = mpsc::channel();
    let address = server(move |mut stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        let sent = sent.clone();
        async move {
            while let Some(request) = read_request(&mut stream).await? {
                if request.contains("billdownload") {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345").await?;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    stream.write_all(b"67890").await?;
                    let _ = sent.send(());
                } else {
                    stream.write_all(NOT_FOUND).await?;
                }
            }
            Ok(())
        }
    });
    let builder = sandbox.client_builder().base_uri(format!("http://{address}/")).keep_warm(Duration::ZERO);
    let client = with_second(builder, Duration::from_millis(50)).build().expect("client");
    // The response is received before its end is sent.
    let mut stream = client.chain(FILE).get(json!({ "stream": true })).expect("stream").into_stream();
    all_sent.recv_timeout(Duration::from_secs(10)).expect("sent");
    std::thread::sleep(Duration::from_millis(500));
    let mut body = String::new();
    stream.read_to_string(&mut body).expect("body");
    assert_eq!(body, "1234567890");
    assert_eq!(kind(post(&client).wait()), ErrorKind::ClientError);
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

/// Sends these responses, in parts, with a pause before each empty part. Counts the requests.
fn respond_server(responses: Vec<Vec<Vec<u8>>>) -> (SocketAddr, Arc<AtomicUsize>) {
    let (count, responses) = (Arc::new(AtomicUsize::new(0)), Arc::new(responses));
    let counted = Arc::clone(&count);
    let address = server(move |mut stream| {
        let (counted, responses) = (Arc::clone(&counted), Arc::clone(&responses));
        async move {
            stream.set_nodelay(true)?;
            while read_request(&mut stream).await?.is_some() {
                let Some(parts) = responses.get(counted.fetch_add(1, Ordering::SeqCst)) else { return Ok(()) };
                for part in parts {
                    if part.is_empty() {
                        tokio::time::sleep(Duration::from_millis(30)).await;
                    }
                    stream.write_all(part).await?;
                }
            }
            Ok(())
        }
    });
    (address, count)
}

#[test]
fn data_that_was_not_asked_for_is_not_the_next_response() {
    let sandbox = sandbox();
    let forged: &[u8] = b"HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n";
    let v = |parts: &[&[u8]]| -> Vec<Vec<u8>> { parts.iter().map(|part| part.to_vec()).collect() };
    let cases: Vec<(&str, Vec<Vec<u8>>)> = vec![
        ("same segment", v(&[&[NOT_FOUND, forged].concat()])),
        ("later", v(&[NOT_FOUND, b"", forged])),
        ("204 with a body", v(&[b"HTTP/1.1 204 No Content\r\nContent-Length: 40\r\n\r\nHTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n"])),
        ("304 with a body", v(&[b"HTTP/1.1 304 Not\r\nContent-Length: 40\r\n\r\nHTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n"])),
        ("too long a body", v(&[b"HTTP/1.1 404 Not\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n"])),
        ("chunked and more", v(&[b"HTTP/1.1 404 Not\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\nHTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n"])),
        ("chunked, its end later", v(&[b"HTTP/1.1 404 Not\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"", b"0\r\n\r\n"])),
        ("HTTP/1.0", v(&[b"HTTP/1.0 404 Not\r\nContent-Length: 0\r\n\r\n", b"", forged])),
        ("close", v(&[b"HTTP/1.1 404 Not\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", b"", forged])),
        ("100 before", v(&[b"HTTP/1.1 100 Continue\r\n\r\n", b"", NOT_FOUND])),
        ("103 before", v(&[b"HTTP/1.1 103 Early\r\nLink: a\r\n\r\n", NOT_FOUND])),
        ("100 after", v(&[NOT_FOUND, b"HTTP/1.1 100 Continue\r\n\r\n"])),
        ("crlf after", v(&[NOT_FOUND, b"\r\n"])),
        ("101", v(&[b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", forged])),
    ];
    for (name, parts) in cases {
        for asynchronous in [false, true] {
            for pause in [0, 60] {
                // After the next request, it cannot be told from the response.
                if pause == 0 && name == "later" {
                    continue;
                }
                let (address, requests) = respond_server(vec![parts.clone(), v(&[NOT_FOUND]), v(&[NOT_FOUND])]);
                let client = client_at(&sandbox, address);
                let call = || -> u16 {
                    let outcome = if asynchronous { run(post(&client)) } else { post(&client).wait() };
                    outcome.map_or_else(
                        |error| error.response().map_or(0, |response| response.status().as_u16()),
                        |response| response.status().as_u16(),
                    )
                };
                let first = call();
                std::thread::sleep(Duration::from_millis(pause));
                let second = call();
                assert_eq!(second, 404, "{name} {asynchronous} {pause}, after {first}");
                assert_eq!(requests.load(Ordering::SeqCst), 2, "{name} {asynchronous} {pause}");
            }
        }
    }
}

/// The server responds before it has read the body. hyper keeps the rest of the body in a buffer if
/// the request goes to a proxy without a tunnel.
#[test]
fn a_connection_with_an_unfinished_request_is_not_used_again() {
    let sandbox = sandbox();
    let (connections, posts) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, counted_posts) = (Arc::clone(&connections), Arc::clone(&posts));
    let address = server(move |mut stream| {
        let (connection, posts) = (counted.fetch_add(1, Ordering::SeqCst), Arc::clone(&counted_posts));
        async move {
            if connection == 0 {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await?;
                stream.write_all(NOT_FOUND).await?;
                tokio::time::sleep(Duration::from_millis(500)).await;
                return Ok(());
            }
            while read_request(&mut stream).await?.is_some() {
                posts.fetch_add(1, Ordering::SeqCst);
                stream.write_all(NOT_FOUND).await?;
            }
            Ok(())
        }
    });
    let builder = sandbox.client_builder().base_uri("http://example.com/").proxy(format!("http://{address}"));
    let client = builder.build().expect("client");
    let large = client.chain("v3/x").post(json!({ "json": { "a": "x".repeat(8_000_000) } }));
    assert_eq!(kind(large), ErrorKind::ClientError);
    assert_eq!(kind(post(&client).wait()), ErrorKind::ClientError);
    assert_eq!((connections.load(Ordering::SeqCst), posts.load(Ordering::SeqCst)), (2, 1));
}

/// Notes whether a task is woken while it is polled, and passes the wake-up on.
struct Watched {
    task: Waker,
    is_polling: AtomicBool,
    woken_while_polled: AtomicBool,
}

impl Wake for Watched {
    fn wake(self: Arc<Self>) {
        self.woken_while_polled.fetch_or(self.is_polling.load(Ordering::SeqCst), Ordering::SeqCst);
        self.task.wake_by_ref();
    }
}

/// hyper's connection and its response wake each other. Such a wake-up would cost one more poll of
/// the whole call, and of the runtime's I/O. On a `current_thread` runtime, every wake-up by the
/// I/O driver comes between two polls.
#[tokio::test]
async fn a_poll_of_a_call_does_not_wake_the_call() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let call = || client.chain("v3/security/echo").post_async(json!({ "json": { "echo_message": "hello" } }));
    call().await.expect("the first call opens the connection");
    for _ in 0..10 {
        let mut call = call();
        let (mut polls, mut woken) = (0, 0);
        let response = std::future::poll_fn(|context| {
            let task = context.waker().clone();
            let watched =
                Arc::new(Watched { task, is_polling: true.into(), woken_while_polled: AtomicBool::new(false) });
            let polled = Pin::new(&mut call).poll(&mut Context::from_waker(&Waker::from(Arc::clone(&watched))));
            watched.is_polling.store(false, Ordering::SeqCst);
            polls += 1;
            woken += usize::from(watched.woken_while_polled.load(Ordering::SeqCst));
            polled
        });
        response.await.expect("response");
        assert!(polls >= 2, "the response cannot be ready at the first poll");
        assert_eq!(woken, 0, "of {polls} polls");
    }
}
