//! The limits in docs/SECURITY.md, each exceeded by a response.

use bytes::Bytes;
use serde_json::{Value, json};
use wechatpay_chain::sandbox::Fault;
use wechatpay_chain::{Client, Error, ErrorKind, Media, Options};

use crate::support::{CARDS, client_at, options, raw_server, server, start};

/// The error of a call whose response is these bytes.
fn error_of(response: Vec<u8>) -> Error {
    let (sandbox, _) = start();
    client_at(&sandbox, raw_server(response)).chain("v3/x").get(()).expect_err("over the limit")
}

#[test]
fn too_many_or_too_long_headers_are_errors() {
    let many: String = (0..200).map(|number| format!("x-{number}: y\r\n")).collect();
    let error = error_of(format!("HTTP/1.1 200 OK\r\n{many}content-length: 0\r\n\r\n").into_bytes());
    assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
    let long = "y".repeat(1024 * 1024);
    let error = error_of(format!("HTTP/1.1 200 OK\r\nx: {long}\r\ncontent-length: 0\r\n\r\n").into_bytes());
    assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
}

/// The limit of a file is checked before anything is received, if its length is announced.
#[test]
fn a_file_over_the_limit_is_not_received() {
    let folder = tempfile::tempdir().expect("folder");
    let address = raw_server(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nabc".to_vec());
    let sandbox = crate::support::sandbox();
    let client = client_at(&sandbox, address);
    let file = client.chain("v3/billdownload/file");
    let path = folder.path().join("bill");
    let error = file.get(json!({ "sink": path.to_str() })).expect_err("too long");
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 0);
    let mut stream = file.get(json!({ "stream": true })).expect("a head").into_stream();
    let error = std::io::copy(&mut stream, &mut std::io::sink()).expect_err("too long");
    assert!(error.to_string().contains("the file is longer than"), "{error}");
}

#[test]
fn bodies_over_the_limit_are_errors() {
    let announced = error_of(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{}".to_vec());
    assert_eq!(announced.kind(), ErrorKind::TooLarge, "{announced}");
    // Chunked, so that no length is announced.
    let mut chunks = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let chunk = [b"100000\r\n".to_vec(), vec![b' '; 0x10_0000], b"\r\n".to_vec()].concat();
    for _ in 0..17 {
        chunks.extend_from_slice(&chunk);
    }
    let endless = error_of(chunks);
    assert_eq!(endless.kind(), ErrorKind::TooLarge, "{endless}");
}

#[test]
fn deeply_nested_json_is_an_error() {
    let (sandbox, client) = start();
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let deep = http::Response::builder().status(400).body(Bytes::from(deep)).expect("response");
    sandbox.inject(Fault::Gateway(deep));
    let error = client.chain(CARDS).post(options()).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::ClientError);
    assert!(error.to_string().len() < 1000, "{error}");
    let response = error.into_response().expect("response");
    assert_eq!(response.json::<Value>().expect_err("too deep").kind(), ErrorKind::Decode);
}

/// A body that arrives byte by byte does not extend the timeout. The connection is closed when the
/// call ends.
#[test]
fn a_slow_body_is_ended_by_the_timeout() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (ended, end) = std::sync::mpsc::channel();
    let address = server(move |mut stream| {
        let ended = ended.clone();
        async move {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await?;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await?;
            let began = std::time::Instant::now();
            while stream.write_all(b" ").await.is_ok() && began.elapsed().as_secs() < 20 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            ended.send(began.elapsed()).expect("the test waits");
            Ok(())
        }
    });
    let (sandbox, _) = start();
    let client = client_at(&sandbox, address);
    let error = client.chain("v3/x").get(serde_json::json!({ "timeout": 0.3 })).expect_err("slow");
    assert!(error.is_timeout() && error.kind() == ErrorKind::Timeout, "{error}");
    let open_for = end.recv_timeout(std::time::Duration::from_secs(10)).expect("the connection was closed");
    assert!(open_for.as_secs() < 10, "{open_for:?}");
    // A call that is dropped closes its connection, too.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let call = client.chain("v3/x").get_async(());
        assert!(tokio::time::timeout(std::time::Duration::from_millis(200), call).await.is_err());
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    });
    end.recv_timeout(std::time::Duration::from_secs(10)).expect("the connection was closed");
}

/// A value that is nested so deeply that cloning, writing or dropping it overflows the stack.
fn deep(as_list: bool) -> Value {
    (0..50_000).fold(Value::Null, |inner, _| match as_list {
        true => Value::Array(vec![inner]),
        false => Value::Object([("a".to_owned(), inner)].into_iter().collect()),
    })
}

fn one(key: &str, value: Value) -> Value {
    Value::Object([(key.to_owned(), value)].into_iter().collect())
}

#[test]
fn deeply_nested_options_are_errors() {
    const EXPECTED: &str = "the JSON is nested deeper than 128 arrays and objects";
    let (sandbox, client) = start();
    let keys = [
        "json",
        "xml",
        "body",
        "form_params",
        "multipart",
        "encrypt",
        "query",
        "headers",
        "base_uri",
        "timeout",
        "proxy",
        "retry",
        "allow_redirects",
        "sink",
        "card_id",
        "unknown",
    ];
    for as_list in [true, false] {
        for key in keys {
            let error = client.chain("v3/{card_id}").post(one(key, deep(as_list))).expect_err(key);
            assert_eq!(
                (error.kind(), error.message()),
                (ErrorKind::Options, &*format!("the option {key:?}: {EXPECTED}"))
            );
            assert!(client.chain("v3/{card_id}").post(Options::new().with(key, deep(as_list))).is_err());
            let borrowed = one(key, deep(as_list));
            assert!(client.chain("v3/{card_id}").post(&borrowed).is_err());
            std::mem::forget(borrowed);
        }
        let body = deep(as_list);
        let error = client.chain("v3/x").post(Options::new().json(&body)).expect_err("deep");
        assert_eq!(error.message(), format!("the option \"json\": {EXPECTED}"));
        let mut fields = one("name", body);
        let key = sandbox.platform_key();
        assert_eq!(key.encrypt_fields(&mut fields, ["name"]).expect_err("deep").message(), EXPECTED);
        assert_eq!(wechatpay_chain::transformer::to_xml(&fields).expect_err("deep").message(), EXPECTED);
        assert_eq!(sandbox.notification("A", "a", &fields).expect_err("deep").message(), EXPECTED);
        assert_eq!(sandbox.notification_v2(&fields).expect_err("deep").message(), EXPECTED);
        assert_eq!(sandbox.control("pay", &fields).expect_err("deep").message(), EXPECTED);
        std::mem::forget(fields);
        let media = || Media::from_bytes("a.png", b"".as_slice());
        for media in
            [media().meta(deep(as_list)), media().with("a", deep(as_list)), media().meta(deep(as_list)).with("a", 1)]
        {
            let error = client.chain("v3/x").post(media).expect_err("deep");
            assert_eq!(error.message(), format!("the option \"multipart\": {EXPECTED}"));
        }
        let error = Client::factory(one("mchid", deep(as_list))).expect_err("deep");
        assert_eq!(error.message(), format!("the settings: {EXPECTED}"));
    }
    assert!(client.chain("v3/x").post(deep(true)).expect_err("a list").message().contains("are an array"));
    assert!(sandbox.requests().is_empty());
    // A rejected Guzzle option is dropped too.
    assert!(client.chain("v3/x").post(one("verify", deep(true))).is_err());
}

/// The sandbox parses what anybody sends to it.
#[test]
fn the_sandbox_refuses_deeply_nested_bodies() {
    let (sandbox, client) = start();
    for body in [
        format!("{}{}", "[".repeat(200_000), "]".repeat(200_000)),
        format!("{}1{}", "{\"a\":".repeat(200_000), "}".repeat(200_000)),
    ] {
        let error =
            client.chain("v3/pay/transactions/native").post(Options::new().body(body.clone())).expect_err("deep");
        assert_eq!(error.kind(), ErrorKind::ClientError, "{error}");
        let control = sandbox.base_uri() + "sandbox/pay";
        let response = raw_post(&control, &body);
        assert!(response.starts_with("HTTP/1.1 4"), "{response}");
    }
    let xml = format!("{}{}", "<a>".repeat(200_000), "</a>".repeat(200_000));
    assert!(raw_post(&(sandbox.base_uri() + "pay/unifiedorder"), &xml).starts_with("HTTP/1.1 "));
    client.chain(CARDS).post(options()).expect("the sandbox runs");
}

/// The response to a POST without a signature.
fn raw_post(url: &str, body: &str) -> String {
    use std::io::{Read, Write};
    let (host, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("a URL");
    let mut stream = std::net::TcpStream::connect(host).expect("connected");
    let length = body.len();
    let head = format!(
        "POST /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("sent");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("response");
    response
}
