//! Hostile servers, broken networks and mistakes of the caller.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, Response as HttpResponse};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::util::{MapRequestLayer, MapResponseLayer};
use wechatpay_chain::sandbox::Fault;
use wechatpay_chain::{BoxError, BoxFuture, Client, ErrorKind, Options, Signature, Signer};

use crate::support::{CARDS, client_at, options, raw_server, run, sandbox, server, silent_server};

const FILE: &str = "v3/billdownload/file";

/// An unsigned response in place of the sandbox's.
fn gateway(status: u16, headers: &[(&str, &str)], body: &'static [u8]) -> Fault {
    let response = headers
        .iter()
        .fold(HttpResponse::builder().status(status), |response, (name, value)| response.header(*name, *value));
    Fault::Gateway(response.body(Bytes::from_static(body)).expect("response"))
}

#[test]
fn a_2xx_response_without_a_signature_is_an_error() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    for status in [200, 201, 202, 203, 204, 205, 206, 226, 299] {
        for http_errors in [true, false] {
            sandbox.inject(gateway(status, &[], b""));
            let mut options = options();
            options["http_errors"] = json!(http_errors);
            let error = client.chain(CARDS).post(options).expect_err("unsigned");
            assert_eq!(error.kind(), ErrorKind::Verification, "{status}");
        }
    }
    // An error response without a signature is still that error, and is not verified.
    sandbox.inject(gateway(404, &[], b""));
    let error = client.chain("v3/none").get(()).expect_err("404");
    assert!(error.kind() == ErrorKind::ClientError && !error.is_verified());
}

#[test]
fn a_redirect_to_an_unsigned_path_is_refused() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    for location in [
        "/v3/billdownload/file",
        "/v3/merchant-service/images/x",
        "/v3/transferdownload/signfile",
        // Only the SHA-1 of its body is signed, in a header of the response.
        "/v3/global/statements",
    ] {
        sandbox.inject(gateway(302, &[("location", location)], b""));
        sandbox.inject(gateway(200, &[], b"{\"trade_state\":\"FORGED\"}"));
        let paid = client.chain("v3/pay/transactions/id/{id}").get(json!({ "id": "1", "allow_redirects": true }));
        assert_eq!(paid.expect_err("forged").kind(), ErrorKind::Redirect, "{location}");
        // The forged response was not requested, so the next call gets it.
        assert_eq!(client.chain("v3/x").get(()).expect_err("unsigned").kind(), ErrorKind::Verification);
    }
    // A 303 turns an upload, whose response is signed, into a GET of a picture.
    sandbox.inject(gateway(303, &[("location", "/v3/merchant-service/images/x")], b""));
    let upload = client.chain("v3/merchant-service/images/upload").post(json!({ "allow_redirects": true }));
    assert_eq!(upload.expect_err("forged").kind(), ErrorKind::Redirect);
    // Uploads have paths beside those of images, and their responses are signed.
    for path in ["v3/merchant-service/images/upload", "v3/merchant-service/images/x"] {
        sandbox.inject(gateway(200, &[], b"{}"));
        assert_eq!(client.chain(path).post(()).expect_err("unsigned").kind(), ErrorKind::Verification, "{path}");
    }
}

#[test]
fn statuses_that_are_not_redirects_are_named() {
    let sandbox = sandbox();
    for status in [101, 304, 600, 999] {
        let head = format!("HTTP/1.1 {status} x\r\nlocation: /v3/y\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let client = client_at(&sandbox, raw_server(head));
        for options in [json!({}), json!({ "allow_redirects": true })] {
            let error = client.chain("v3/x").post(options).expect_err("not a success");
            let message = error.to_string();
            assert_eq!(error.kind(), ErrorKind::ServerError, "{message}");
            assert!(message.contains(&format!("the status {status} is neither")), "{message}");
            assert!(!error.is_before_send() && !message.contains("redirect,"), "{message}");
        }
    }
}

#[test]
fn a_failure_after_a_redirect_is_not_before_send() {
    let sandbox = sandbox();
    let seen = Arc::new(Mutex::new(false));
    // The first request is redirected. The second connection is closed at once.
    let address = server(move |mut stream| {
        let seen = Arc::clone(&seen);
        async move {
            if std::mem::replace(&mut *seen.lock().expect("flag"), true) {
                return Err(std::io::Error::other("gone"));
            }
            let mut request = [0; 65536];
            let _ = stream.read(&mut request).await?;
            stream
                .write_all(b"HTTP/1.1 307 x\r\nlocation: /v3/y\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .await
        }
    });
    let error = client_at(&sandbox, address).chain("v3/x").post(json!({ "allow_redirects": true })).expect_err("gone");
    assert!(!error.is_before_send(), "{error:?}");
}

#[test]
fn timeouts_cover_signing_and_waiting_for_the_response() {
    struct SlowSigner;
    impl Signer for SlowSigner {
        fn sign<'a>(&'a self, _: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
            Box::pin(async {
                tokio::time::sleep(Duration::from_secs(60)).await;
                Err("the sleep ended".into())
            })
        }
    }
    let sandbox = sandbox();
    let began = Instant::now();
    let limited = sandbox
        .client_builder()
        .base_uri(format!("http://{}/", silent_server()))
        .timeout(Duration::from_millis(300))
        .build()
        .expect("client");
    for extra in [
        json!({ "stream": true }),
        json!({ "sink": std::env::temp_dir().join("wechatpay-chain-no-response").to_str() }),
        json!({}),
    ] {
        let error = limited.chain(FILE).get(extra.clone()).expect_err("no response");
        assert!(error.is_timeout(), "{extra}: {error}");
    }
    let unresponsive = client_at(&sandbox, silent_server());
    let error = unresponsive.chain("v3/x").get(json!({ "timeout": 0, "read_timeout": 0.3 })).expect_err("no response");
    assert!(error.is_timeout(), "{error}");
    let slow_signer =
        Client::builder().mchid("1900000109").signer(SlowSigner).platform_key("PUB_KEY_ID_1", sandbox.platform_key());
    let slow_signer = slow_signer
        .base_uri(sandbox.base_uri())
        .no_proxy()
        .timeout(Duration::from_millis(300))
        .build()
        .expect("client");
    for extra in [json!({ "stream": true }), json!({})] {
        assert!(slow_signer.chain(FILE).get(extra).expect_err("slow signer").is_timeout());
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(sandbox.requests().is_empty());
}

#[test]
fn huge_timeouts_do_not_overflow() {
    let sandbox = sandbox();
    sandbox.stub("GET", "v3/x", 200, json!({}));
    let client =
        sandbox.client_builder().timeout(Duration::MAX).connect_timeout(Duration::MAX).build().expect("client");
    client.chain("v3/x").get(json!({ "read_timeout": 1e19, "connect_timeout": 1e19 })).expect("response");
    client.chain("v3/x").get(json!({ "timeout": 1e19 })).expect("response");
    sandbox.file(FILE, 10);
    client.chain(FILE).get(json!({ "timeout": 1e19, "stream": true })).expect("response");
}

/// Zero means no limit, so a limit below a nanosecond must not be rounded to zero.
#[test]
fn tiny_timeouts_are_limits() {
    let client = client_at(&sandbox(), silent_server());
    for (option, value) in [("timeout", 4e-10), ("timeout", 5e-324), ("read_timeout", 4e-10)] {
        let began = Instant::now();
        let error = client.chain("v3/x").get(json!({ option: value })).expect_err("a limit");
        assert!(error.is_timeout() && began.elapsed().as_secs() < 5, "{option} {value}: {error}");
    }
}

#[test]
fn truncated_responses_are_errors() {
    let sandbox = sandbox();
    let path = std::env::temp_dir().join(format!("wechatpay-chain-truncated-{}", std::process::id()));
    let without_length = client_at(&sandbox, raw_server(b"HTTP/1.1 200 OK\r\n\r\npart of a fi"));
    for extra in [json!({ "sink": path.to_str() }), json!({ "stream": true }), json!({})] {
        let error = without_length.chain(FILE).get(extra).expect_err("no length");
        assert!(
            error.kind() == ErrorKind::Transport && error.to_string().contains("neither a length nor chunked framing"),
            "{error}"
        );
    }
    // Only `chunked` as the last coding shows the end of a body, in any case.
    for codings in ["notchunked", "x-chunked", "chunked, identity", "chunked\r\ntransfer-encoding: identity", "gzip"] {
        let head = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: {codings}\r\n\r\n");
        let response = client_at(&sandbox, raw_server(head + "5\r\npart \r\n")).chain(FILE).get(());
        assert_eq!(response.err().map(|error| error.kind()), Some(ErrorKind::Transport), "{codings}");
    }
    for codings in ["chunked", "Chunked", "CHUNKED", "identity, chunked", "identity\r\ntransfer-encoding: Chunked"] {
        let head = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: {codings}\r\n\r\n");
        let client = client_at(&sandbox, raw_server(head + "5\r\nwhole\r\n0\r\n\r\n"));
        assert_eq!(&client.chain(FILE).get(()).expect(codings).body()[..], b"whole");
    }
    let broken = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwhole\r\n";
    assert!(client_at(&sandbox, raw_server(broken)).chain(FILE).get(json!({ "sink": path.to_str() })).is_err());
    assert!(!path.exists());
}

#[test]
fn an_error_response_keeps_its_status_when_its_body_is_cut() {
    let sandbox = sandbox();
    let cut = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 100\r\nrequest-id: 08F\r\n\r\n{\"code\":";
    let error = client_at(&sandbox, raw_server(cut)).chain("v3/x").get(()).expect_err("403");
    assert_eq!((error.status().map(|status| status.as_u16()), error.request_id()), (Some(403), Some("08F")));
    let announced = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n{}";
    assert_eq!(
        client_at(&sandbox, raw_server(announced)).chain("v3/x").get(()).expect_err("1 TB").kind(),
        ErrorKind::TooLarge
    );
}

#[test]
fn control_characters_in_a_response_are_not_printed() {
    let sandbox = sandbox();
    sandbox.inject(gateway(400, &[], b"{\"code\":\"A\\nB\",\"message\":\"x\\n2026 INFO payment settled\\u001b[2J\"}"));
    let message = sandbox.client().expect("client").chain("v3/x").get(()).expect_err("400").to_string();
    assert!(!message.contains(char::is_control), "{message:?}");
    sandbox.inject(Fault::Gateway(
        HttpResponse::builder()
            .status(500)
            .body(json!({ "message": "x".repeat(1 << 20) }).to_string().into())
            .expect("response"),
    ));
    assert!(sandbox.client().expect("client").chain("v3/x").get(()).expect_err("500").to_string().len() < 10_000);
}

#[test]
fn layers_that_drop_the_extensions_are_reported() {
    let sandbox = sandbox();
    sandbox.file(FILE, 1000);
    let dropping = sandbox.client_builder().layer(MapRequestLayer::new(|request: Request<Bytes>| {
        let (mut parts, body) = request.into_parts();
        parts.extensions = http::Extensions::new();
        Request::from_parts(parts, body)
    }));
    let error = dropping.build().expect("client").chain(FILE).get(()).expect_err("lost");
    assert!(error.kind() == ErrorKind::Layer && error.to_string().contains("extensions"), "{error}");
    let dropping = sandbox.client_builder().layer(MapResponseLayer::new(|response: HttpResponse<Bytes>| {
        let (mut parts, body) = response.into_parts();
        parts.extensions = http::Extensions::new();
        HttpResponse::from_parts(parts, body)
    }));
    let error = dropping.build().expect("client").chain(FILE).get(json!({ "stream": true })).expect_err("lost");
    assert!(error.kind() == ErrorKind::Layer && error.to_string().contains("extensions"), "{error}");
}

#[test]
fn a_layers_own_authorization_is_replaced() {
    let sandbox = sandbox();
    let own = MapRequestLayer::new(|mut request: Request<Bytes>| {
        request.headers_mut().append("authorization", HeaderValue::from_static("Basic eA=="));
        request
    });
    sandbox
        .client_builder()
        .layer(own)
        .build()
        .expect("client")
        .chain(CARDS)
        .post(options())
        .expect("one Authorization");
    let request = &sandbox.requests()[0];
    assert_eq!(request.headers.get_all("authorization").iter().count(), 1);
}

#[test]
fn a_download_needs_a_verified_response() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    sandbox.inject(gateway(400, &[], b"{\"download_url\":\"x\",\"hash_type\":\"SHA1\",\"hash_value\":\"00\"}"));
    let response = client.chain("v3/bill/tradebill").get(json!({ "http_errors": false })).expect("400");
    assert!(client.download(&response).expect_err("unsigned").to_string().contains("not verified"));
}

#[test]
fn sinks_are_regular_files() {
    let sandbox = sandbox();
    sandbox.file(FILE, 100);
    let client = sandbox.client().expect("client");
    let folder = std::env::temp_dir().join(format!("wechatpay-chain-sinks-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("folder");
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        // In a temporary folder: without the check, the file at the path is replaced, and root
        // could replace a device.
        let (fifo, socket, link) = (folder.join("fifo"), folder.join("socket"), folder.join("link-to-fifo"));
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo");
        assert!(made.success());
        let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("socket");
        std::os::unix::fs::symlink(&fifo, &link).expect("link");
        // Someone else may have planted the link in a shared folder.
        std::fs::write(folder.join("target"), b"old").expect("written");
        std::os::unix::fs::symlink(folder.join("target"), folder.join("link")).expect("link");
        std::os::unix::fs::symlink(folder.join("none"), folder.join("dangling")).expect("link");
        for (special, expected) in [
            (&fifo, "not a regular file"),
            (&socket, "not a regular file"),
            (&link, "a symbolic link"),
            (&folder.join("link"), "a symbolic link"),
            (&folder.join("dangling"), "a symbolic link"),
        ] {
            let error = client.chain(FILE).get(json!({ "sink": special.to_str() })).expect_err("a special file");
            assert!(error.to_string().contains(expected), "{error}");
        }
        assert_eq!(std::fs::read(folder.join("target")).expect("target"), b"old");
        assert!(!folder.join("none").exists());
        assert!(std::fs::symlink_metadata(&fifo).expect("fifo").file_type().is_fifo());
        assert!(std::fs::symlink_metadata(&socket).expect("socket").file_type().is_socket());
        assert!(sandbox.requests().is_empty(), "nothing was sent");
        // The permissions of an existing file are kept.
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder.join("target"), std::fs::Permissions::from_mode(0o600)).expect("mode");
        client.chain(FILE).get(json!({ "sink": folder.join("target").to_str() })).expect("response");
        assert_eq!(std::fs::metadata(folder.join("target")).expect("target").permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(folder.join("target")).expect("target").len(), 100);
    }
    let long = folder.join("x".repeat(250));
    client.chain(FILE).get(json!({ "sink": long.to_str() })).expect("a long name");
    assert!(
        client.chain(FILE).get(Options::from(json!({ "sink": long.to_str() })).sink(Vec::new())).is_err(),
        "one sink"
    );
    assert!(client.chain(FILE).get(Options::new().progress(|_, _| {})).is_err(), "progress without a sink");
    std::fs::remove_dir_all(&folder).expect("removed");
}

/// A writer that records whether it was flushed.
struct Flushed(Arc<Mutex<bool>>);

impl Write for Flushed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        *self.0.lock().expect("flag") = true;
        Ok(())
    }
}

#[test]
fn downloads_flush_their_sink_and_have_no_total_timeout() {
    let sandbox = sandbox();
    sandbox.file(FILE, 1_000_000);
    let flushed = Arc::new(Mutex::new(false));
    // A relay that takes longer than the timeout in total, without a pause as long as it.
    let target = sandbox.address();
    let slow = server(move |mut stream| async move {
        let mut to = tokio::net::TcpStream::connect(target).await?;
        let mut bytes = vec![0; 65536];
        let size = stream.read(&mut bytes).await?;
        to.write_all(&bytes[..size]).await?;
        loop {
            let size = to.read(&mut bytes).await?;
            stream.write_all(&bytes[..size]).await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let client = sandbox
        .client_builder()
        .base_uri(format!("http://{slow}/"))
        .timeout(Duration::from_millis(150))
        .build()
        .expect("client");
    let began = Instant::now();
    client.chain(FILE).get(Options::new().sink(Flushed(Arc::clone(&flushed)))).expect("no total timeout");
    assert!(began.elapsed() > Duration::from_millis(150), "{:?}", began.elapsed());
    assert!(*flushed.lock().expect("flag"));
}

#[test]
fn a_slow_flush_does_not_block_the_runtime() {
    struct SlowFlush;
    impl Write for SlowFlush {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            std::thread::sleep(Duration::from_secs(2));
            Ok(())
        }
    }
    let sandbox = sandbox();
    sandbox.file(FILE, 10);
    let client = sandbox.client().expect("client");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let download = client.chain(FILE).get_async(Options::from(json!({ "timeout": 0.3 })).sink(SlowFlush));
        let began = Instant::now();
        assert!(download.await.expect_err("too slow").is_timeout());
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    });
}

#[test]
fn empty_post_and_put_bodies_have_content_length_zero() {
    let sandbox = sandbox();
    for (method, length) in [("POST", Some("0")), ("PUT", Some("0")), ("PATCH", None), ("GET", None)] {
        sandbox.stub(method, "v3/x", 200, json!({}));
        sandbox.client().expect("client").request(method.to_lowercase().as_str(), "v3/x", ()).expect("response");
        let request = sandbox.requests().pop().expect("received");
        assert_eq!(request.method, method);
        assert_eq!(
            request.headers.get("content-length").map(|value| value.to_str().expect("text")),
            length,
            "{method}"
        );
    }
}

#[test]
fn a_call_in_a_thread_local_destructor_does_not_panic() {
    struct Last(Client, std::sync::mpsc::Sender<Option<ErrorKind>>);
    impl Drop for Last {
        fn drop(&mut self) {
            let outcome = self.0.chain(CARDS).post(options());
            let _ = self.1.send(outcome.err().map(|error| error.kind()));
        }
    }
    thread_local! {
        static LAST: std::cell::RefCell<Option<Last>> = const { std::cell::RefCell::new(None) };
    }
    let sandbox = sandbox();
    let (client, (send, receive)) = (sandbox.client().expect("client"), std::sync::mpsc::channel());
    std::thread::spawn(move || {
        LAST.with(|last| *last.borrow_mut() = Some(Last(client.clone(), send)));
        // Gives the thread a tokio context. Its destructor may run before or after LAST's.
        run(async { client.chain(CARDS).post_async(options()).await }).expect("response");
    })
    .join()
    .expect("the thread ends without a panic");
    let kind = receive.recv().expect("kind");
    assert!(kind.is_none() || kind == Some(ErrorKind::Connect), "{kind:?}");
}
