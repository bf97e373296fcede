//! What an adversary, a broken network or a careless caller would try. Servers here may lie as they like; the client must not believe
//! them.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, Response as Answer};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::util::{MapRequestLayer, MapResponseLayer};
use wechatpay_chain::sandbox::{Fault, Sandbox};
use wechatpay_chain::{BoxError, BoxFuture, Client, ErrorKind, Options, Signature, Signer};

use crate::support::{CARDS, options, run, sandbox, server};

const FILE: &str = "v3/billdownload/file";

/// A server that reads a request and answers with these bytes, whatever they are.
fn raw(answer: &'static [u8]) -> std::net::SocketAddr {
    server(move |mut stream| async move {
        let mut request = [0; 65536];
        let _ = stream.read(&mut request).await?;
        stream.write_all(answer).await?;
        stream.shutdown().await
    })
}

/// A server that reads and never answers.
fn mute() -> std::net::SocketAddr {
    server(|mut stream| async move {
        let mut request = [0; 65536];
        let _ = stream.read(&mut request).await?;
        std::future::pending().await
    })
}

fn client_of(sandbox: &Sandbox, address: std::net::SocketAddr) -> Client {
    sandbox.client_builder().base_uri(format!("http://{address}/")).build().expect("client")
}

fn gateway(status: u16, headers: &[(&str, &str)], body: &'static [u8]) -> Fault {
    let answer =
        headers.iter().fold(Answer::builder().status(status), |answer, (name, value)| answer.header(*name, *value));
    Fault::Gateway(answer.body(Bytes::from_static(body)).expect("answer"))
}

#[test]
fn no_success_is_believed_without_a_signature() {
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
    // A refusal with a bad signature is a refusal, and not verified.
    sandbox.inject(Fault::UnknownSerial);
    let error = client.chain("v3/none").get(()).expect_err("404");
    assert!(error.kind() == ErrorKind::ClientError && !error.response().expect("kept").is_verified());
}

#[test]
fn a_redirect_cannot_lead_to_where_answers_need_no_signature() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    for location in ["/v3/billdownload/file", "/v3/merchant-service/images/x", "/v3/transferdownload/signfile"] {
        sandbox.inject(gateway(302, &[("location", location)], b""));
        sandbox.inject(gateway(200, &[], b"{\"trade_state\":\"FORGED\"}"));
        let paid = client.chain("v3/pay/transactions/id/{id}").get(json!({ "id": "1", "allow_redirects": true }));
        assert_eq!(paid.expect_err("forged").kind(), ErrorKind::Redirect, "{location}");
        // The forged answer was not asked for; it goes to the next call.
        assert_eq!(client.chain("v3/x").get(()).expect_err("unsigned").kind(), ErrorKind::Verification);
    }
    // Uploads stand beside the pictures and are signed.
    for path in ["v3/merchant-service/images/upload", "v3/merchant-service/images/x"] {
        sandbox.inject(gateway(200, &[], b"{}"));
        assert_eq!(client.chain(path).post(()).expect_err("unsigned").kind(), ErrorKind::Verification, "{path}");
    }
}

#[test]
fn after_a_redirect_something_was_sent() {
    let sandbox = sandbox();
    let once = Arc::new(Mutex::new(false));
    let seen = Arc::clone(&once);
    // The first hop is answered; the second connection is closed at once.
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
    let error = client_of(&sandbox, address).chain("v3/x").post(json!({ "allow_redirects": true })).expect_err("gone");
    assert!(!error.is_before_send(), "{error:?}");
}

#[test]
fn time_limits_hold_before_the_answer_begins() {
    struct Sleepy;
    impl Signer for Sleepy {
        fn sign<'a>(&'a self, _: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
            Box::pin(async {
                tokio::time::sleep(Duration::from_secs(60)).await;
                Err("woke up".into())
            })
        }
    }
    let sandbox = sandbox();
    let began = Instant::now();
    let limited = sandbox
        .client_builder()
        .base_uri(format!("http://{}/", mute()))
        .timeout(Duration::from_millis(300))
        .build()
        .expect("client");
    for extra in [
        json!({ "stream": true }),
        json!({ "sink": std::env::temp_dir().join("wechatpay-chain-mute").to_str() }),
        json!({}),
    ] {
        let error = limited.chain(FILE).get(extra.clone()).expect_err("mute");
        assert!(error.is_timeout(), "{extra}: {error}");
    }
    let silent = client_of(&sandbox, mute());
    let error = silent.chain("v3/x").get(json!({ "timeout": 0, "read_timeout": 0.3 })).expect_err("mute");
    assert!(error.is_timeout(), "{error}");
    let sleepy =
        Client::builder().mchid("1900000109").signer(Sleepy).platform_key("PUB_KEY_ID_1", sandbox.platform_key());
    let sleepy =
        sleepy.base_uri(sandbox.base_uri()).no_proxy().timeout(Duration::from_millis(300)).build().expect("client");
    for extra in [json!({ "stream": true }), json!({})] {
        assert!(sleepy.chain(FILE).get(extra).expect_err("asleep").is_timeout());
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(sandbox.requests().is_empty());
}

#[test]
fn absurd_times_are_no_limits() {
    let sandbox = sandbox();
    sandbox.stub("GET", "v3/x", 200, json!({}));
    let client =
        sandbox.client_builder().timeout(Duration::MAX).connect_timeout(Duration::MAX).build().expect("client");
    client.chain("v3/x").get(json!({ "read_timeout": 1e19, "connect_timeout": 1e19 })).expect("answer");
    client.chain("v3/x").get(json!({ "timeout": 1e19 })).expect("answer");
    sandbox.file(FILE, 10);
    client.chain(FILE).get(json!({ "timeout": 1e19, "stream": true })).expect("answer");
}

#[test]
fn half_a_file_never_passes_for_the_whole() {
    let sandbox = sandbox();
    let path = std::env::temp_dir().join(format!("wechatpay-chain-half-{}", std::process::id()));
    let endless = client_of(&sandbox, raw(b"HTTP/1.1 200 OK\r\n\r\nhalf a fi"));
    for extra in [json!({ "sink": path.to_str() }), json!({ "stream": true }), json!({})] {
        let error = endless.chain(FILE).get(extra).expect_err("no end");
        assert!(error.kind() == ErrorKind::Transport && error.to_string().contains("where it ends"), "{error}");
    }
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n";
    assert_eq!(&client_of(&sandbox, raw(chunked)).chain(FILE).get(()).expect("whole").body()[..], b"whole");
    let broken = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwhole\r\n";
    assert!(client_of(&sandbox, raw(broken)).chain(FILE).get(json!({ "sink": path.to_str() })).is_err());
    assert!(!path.exists());
}

#[test]
fn a_refusal_keeps_its_status_whatever_happens_to_its_body() {
    let sandbox = sandbox();
    let cut = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 100\r\nrequest-id: 08F\r\n\r\n{\"code\":";
    let error = client_of(&sandbox, raw(cut)).chain("v3/x").get(()).expect_err("403");
    assert_eq!((error.status().map(|status| status.as_u16()), error.request_id()), (Some(403), Some("08F")));
    let announced = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n{}";
    assert_eq!(
        client_of(&sandbox, raw(announced)).chain("v3/x").get(()).expect_err("1 TB").kind(),
        ErrorKind::TooLarge
    );
}

#[test]
fn a_body_of_the_service_forges_no_log_line() {
    let sandbox = sandbox();
    sandbox.inject(gateway(400, &[], b"{\"code\":\"A\\nB\",\"message\":\"x\\n2026 INFO payment settled\\u001b[2J\"}"));
    let said = sandbox.client().expect("client").chain("v3/x").get(()).expect_err("400").to_string();
    assert!(!said.contains(char::is_control), "{said:?}");
    sandbox.inject(Fault::Gateway(
        Answer::builder()
            .status(500)
            .body(json!({ "message": "x".repeat(1 << 20) }).to_string().into())
            .expect("answer"),
    ));
    assert!(sandbox.client().expect("client").chain("v3/x").get(()).expect_err("500").to_string().len() < 10_000);
}

#[test]
fn layers_that_lose_what_travels_beside_a_message_are_told() {
    let sandbox = sandbox();
    sandbox.file(FILE, 1000);
    let forgetful = sandbox.client_builder().layer(MapRequestLayer::new(|request: Request<Bytes>| {
        let (mut parts, body) = request.into_parts();
        parts.extensions = http::Extensions::new();
        Request::from_parts(parts, body)
    }));
    let error = forgetful.build().expect("client").chain(FILE).get(()).expect_err("lost");
    assert!(error.kind() == ErrorKind::Layer && error.to_string().contains("extensions"), "{error}");
    let forgetful = sandbox.client_builder().layer(MapResponseLayer::new(|answer: Answer<Bytes>| {
        let (mut parts, body) = answer.into_parts();
        parts.extensions = http::Extensions::new();
        Answer::from_parts(parts, body)
    }));
    let error = forgetful.build().expect("client").chain(FILE).get(json!({ "stream": true })).expect_err("lost");
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
fn a_digest_that_nobody_signed_proves_nothing() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    sandbox.inject(gateway(400, &[], b"{\"download_url\":\"x\",\"hash_type\":\"SHA1\",\"hash_value\":\"00\"}"));
    let answer = client.chain("v3/bill/tradebill").get(json!({ "http_errors": false })).expect("400");
    assert!(client.download(&answer).expect_err("unsigned").to_string().contains("not verified"));
}

#[test]
fn sinks_are_regular_files() {
    let sandbox = sandbox();
    sandbox.file(FILE, 100);
    let client = sandbox.client().expect("client");
    let folder = std::env::temp_dir().join(format!("wechatpay-chain-sinks-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("folder");
    let error = client.chain(FILE).get(json!({ "sink": "/dev/null" })).expect_err("a device");
    assert!(error.to_string().contains("no regular file"), "{error}");
    #[cfg(unix)]
    {
        std::fs::write(folder.join("target"), b"old").expect("written");
        std::os::unix::fs::symlink(folder.join("target"), folder.join("link")).expect("link");
        client.chain(FILE).get(json!({ "sink": folder.join("link").to_str() })).expect("answer");
        assert!(folder.join("link").is_symlink());
        // A file that others could not read stays so.
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder.join("target"), std::fs::Permissions::from_mode(0o600)).expect("mode");
        client.chain(FILE).get(json!({ "sink": folder.join("target").to_str() })).expect("answer");
        assert_eq!(std::fs::metadata(folder.join("target")).expect("target").permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(folder.join("target")).expect("target").len(), 100);
    }
    let long = folder.join("x".repeat(250));
    client.chain(FILE).get(json!({ "sink": long.to_str() })).expect("a long name");
    assert!(
        client.chain(FILE).get(Options::from(json!({ "sink": long.to_str() })).sink(Vec::new())).is_err(),
        "two sinks"
    );
    assert!(client.chain(FILE).get(Options::new().progress(|_, _| {})).is_err(), "progress of nothing");
    std::fs::remove_dir_all(&folder).expect("removed");
}

/// A writer that notes when it is flushed.
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
fn a_sink_is_flushed_and_long_downloads_have_no_total() {
    let sandbox = sandbox();
    sandbox.file(FILE, 1_000_000);
    let flushed = Arc::new(Mutex::new(false));
    // A relay that takes longer than the client's timeout, never silent for so long.
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
    client.chain(FILE).get(Options::new().sink(Flushed(Arc::clone(&flushed)))).expect("it goes on, so it may");
    assert!(began.elapsed() > Duration::from_millis(150), "{:?}", began.elapsed());
    assert!(*flushed.lock().expect("flag"));
}

#[test]
fn a_slow_flush_holds_up_its_own_call_only() {
    struct Slow;
    impl Write for Slow {
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
        let download = client.chain(FILE).get_async(Options::from(json!({ "timeout": 0.3 })).sink(Slow));
        let began = Instant::now();
        assert!(download.await.expect_err("too slow").is_timeout());
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    });
}

#[test]
fn bodiless_posts_say_so() {
    let sandbox = sandbox();
    for (method, length) in [("POST", Some("0")), ("PUT", Some("0")), ("PATCH", None), ("GET", None)] {
        sandbox.stub(method, "v3/x", 200, json!({}));
        sandbox.client().expect("client").request(method.to_lowercase().as_str(), "v3/x", ()).expect("answer");
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
fn a_call_from_a_threads_destructor_is_an_error() {
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
        // Gives the thread a tokio context, which is destroyed after or before LAST.
        run(async { client.chain(CARDS).post_async(options()).await }).expect("answer");
    })
    .join()
    .expect("the thread ends without a panic");
    let kind = receive.recv().expect("told");
    assert!(kind.is_none() || kind == Some(ErrorKind::Connect), "{kind:?}");
}
