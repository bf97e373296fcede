//! Sinks, streams and uploads whose call is repeated or cancelled, or whose runtime ends.

use std::io::Read;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wechatpay_chain::sandbox::{Fault, MCHID};
use wechatpay_chain::{Media, Options};

use super::callers_code::{FILE, SpawnAtDrop, block_on_runtime, plain_layer, runtime, sandbox_client};
use crate::support::{SharedBuffer, client_at, sandbox, server, start};

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
    assert_eq!(response.json::<Value>().expect("json")["code"], "SYSTEM_ERROR");
    end.recv_timeout(Duration::from_millis(800)).expect("the sink was dropped");
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
    // The server closes the connection, so the client must not use it again.
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}", body.len());
    let address = crate::support::raw_server(format!("{head}\r\n\r\n{body}"));
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
