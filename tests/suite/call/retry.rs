//! The backup host, and retries where the caller allows them. The sandboxes count the requests.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wechatpay_chain::sandbox::{Fault, Sandbox};
use wechatpay_chain::{Client, Error, ErrorKind, Response};

use crate::support::{CARDS, client_at, options, run, sandbox, unused_address};

fn with_backup(primary: &str, backup: &Sandbox) -> Client {
    backup.client_builder().base_uri(primary).backup_uri(backup.base_uri()).build().expect("client")
}

fn with_retry(retry: Value) -> Value {
    let mut options = options();
    options["retry"] = retry;
    options
}

fn gateway(status: u16) -> Fault {
    let mut response = http::Response::new(bytes::Bytes::from_static(b"<html>gateway</html>"));
    *response.status_mut() = http::StatusCode::from_u16(status).expect("status");
    Fault::Gateway(response)
}

#[test]
fn a_host_that_cannot_be_reached_is_replaced_by_the_backup_host() {
    let backup = sandbox();
    for primary in [format!("http://{}/", unused_address()), "http://no-such-host.invalid/".to_owned()] {
        let client = with_backup(&primary, &backup);
        let response = client.chain(CARDS).post(options()).expect("response of the backup host");
        assert!(response.is_verified() && response.is_from_backup());
        assert_eq!(response.attempts(), 2);
        // The primary host is not tried again for a while.
        let response = client.chain(CARDS).post(options()).expect("response of the backup host");
        assert_eq!((response.attempts(), response.is_from_backup()), (1, true));
        let response =
            run(async { client.chain(CARDS).post_async(options()).await }).expect("response of the backup host");
        assert!(response.is_from_backup());
        let mut v2 =
            json!({ "http_errors": false, "xml": { "mch_id": wechatpay_chain::sandbox::MCHID, "out_trade_no": "1" } });
        assert!(client.chain("v2/pay/orderquery").post(&v2).expect("APIv2, too").is_from_backup());
        v2["base_uri"] = format!("http://{}/", unused_address()).into();
        let error = client.chain("v2/pay/orderquery").post(v2).expect_err("no backup for another host");
        assert_eq!(error.kind(), ErrorKind::Connect);
    }
    assert_eq!(backup.requests().len(), 8);
    // The same by the map of settings.
    let mut settings = backup.settings();
    settings["base_uri"] = format!("http://{}/", unused_address()).into();
    settings["backup_uri"] = backup.base_uri().into();
    let client = Client::factory(settings.clone()).expect("client");
    assert!(client.chain(CARDS).post(options()).expect("response of the backup host").is_from_backup());
    settings["backup_uri"] = "".into();
    let error = Client::factory(settings.clone()).expect("client").chain(CARDS).post(options()).expect_err("no backup");
    assert!(error.is_connect(), "{error}");
    settings["backup_uri"] = json!(false);
    let error = Client::factory(settings).expect_err("not a string");
    assert_eq!(error.to_string(), "the setting backup_uri: a boolean where a string is needed");
    // A failed TLS handshake counts as a failure to connect.
    let primary = sandbox();
    let tls =
        backup.client_builder().base_uri(primary.base_uri().replace("http", "https")).backup_uri(backup.tls_base_uri());
    let client = tls.build().expect("client");
    assert!(client.chain(CARDS).post(options()).expect("response of the backup host").is_from_backup());
    assert!(primary.requests().is_empty());
    // Both hosts are down.
    let both = backup
        .client_builder()
        .base_uri(format!("http://{}/", unused_address()))
        .backup_uri(format!("http://{}/", unused_address()));
    let error = both.build().expect("client").chain(CARDS).post(options()).expect_err("both");
    assert!(error.is_connect() && error.is_before_send(), "{error}");
    // There is no default backup host for another base_uri.
    let none = backup.client_builder().base_uri(format!("http://{}/", unused_address()));
    assert_eq!(
        none.build().expect("client").chain(CARDS).post(options()).expect_err("none").kind(),
        ErrorKind::Connect
    );
    for (base, other, expected) in [
        ("https://a.example/", "api2.wechatpay.cn", "backup_uri"),
        ("https://a.example/", "http://b.example/", "is plain http"),
        ("https://a.example/hk/", "https://b.example/", "a different path"),
    ] {
        let wrong = backup.client_builder().base_uri(base).backup_uri(other).build().expect_err(expected);
        assert!(wrong.message().contains(expected), "{wrong}");
    }
    // A failure with a per-call proxy does not mean that the primary host is down.
    let good = sandbox();
    let client = with_backup(&good.base_uri(), &backup);
    let mut proxied = options();
    proxied["proxy"] = format!("http://{}", unused_address()).into();
    let _ = client.chain(CARDS).post(proxied);
    assert!(!client.chain(CARDS).post(options()).expect("response of the primary host").is_from_backup());
    // A call that no attempt could send is before send.
    let error = failed_retries(
        &backup
            .client_builder()
            .retry(2)
            .no_backup()
            .base_uri(format!("http://{}/", unused_address()))
            .build()
            .expect("client"),
    );
    assert!(error.is_connect() && error.is_before_send(), "{error}");
}

#[test]
fn the_primary_host_is_used_while_it_can_be_reached() {
    let (primary, backup) = (sandbox(), sandbox());
    // Both sandboxes have the keys of this process, as two hosts of the service have the same.
    let client = with_backup(&primary.base_uri(), &backup);
    for _ in 0..3 {
        let response = client.chain(CARDS).post(options()).expect("response");
        assert_eq!((response.attempts(), response.is_from_backup()), (1, false));
    }
    assert_eq!((primary.requests().len(), backup.requests().len()), (3, 0));
    // Once bytes were sent, the backup host is not tried.
    for fault in [Fault::Hangup, gateway(502), Fault::CutBody(3), Fault::WrongSignature, Fault::FrequencyLimited] {
        primary.inject(fault);
        client.chain(CARDS).post(options()).expect_err("a fault");
    }
    assert_eq!((primary.requests().len(), backup.requests().len()), (8, 0));
}

fn failed_retries(client: &Client) -> Error {
    let mut quick = options();
    quick["retry"] = json!({ "times": 2, "pause": 0 });
    client.chain(CARDS).post(quick).expect_err("every attempt fails")
}

/// A signer that works once.
struct SignsOnce(std::sync::Mutex<Option<wechatpay_chain::PrivateKey>>);

impl wechatpay_chain::Signer for SignsOnce {
    fn sign<'a>(
        &'a self,
        message: &'a [u8],
    ) -> wechatpay_chain::BoxFuture<'a, Result<wechatpay_chain::Signature, wechatpay_chain::BoxError>> {
        let key = self.0.lock().expect("key").take();
        Box::pin(async move {
            let signature = key.ok_or("the signing service is gone")?.sign(message)?;
            Ok(wechatpay_chain::Signature::new(wechatpay_chain::sandbox::SERIAL, signature))
        })
    }
}

#[test]
fn a_call_with_an_attempt_that_was_sent_is_not_before_send() {
    let sandbox = sandbox();
    let client = || {
        Client::builder()
            .mchid(wechatpay_chain::sandbox::MCHID)
            .signer(SignsOnce(std::sync::Mutex::new(Some(sandbox.merchant_key()))))
            .platform_key(wechatpay_chain::sandbox::PUBLIC_KEY_ID, sandbox.platform_key())
            .base_uri(sandbox.base_uri())
            .no_proxy()
            .build()
            .expect("client")
    };
    sandbox.inject(Fault::CutBody(3));
    let error = failed_retries(&client());
    assert_eq!((error.kind(), sandbox.requests().len()), (ErrorKind::Transport, 1));
    assert!(!error.is_before_send(), "the first attempt arrived: {error}");
    let message = error.to_string();
    assert!(
        message.contains("may have arrived, so query before repeating it; the last one failed: the signer failed: "),
        "{message}"
    );
    assert!(
        std::error::Error::source(&error).is_some_and(|source| source.to_string() == "the signing service is gone")
    );
    // The same if the earlier request was redirected.
    sandbox.inject(Fault::Tamper(Box::new(|response| {
        *response.status_mut() = http::StatusCode::TEMPORARY_REDIRECT;
        response.headers_mut().insert("location", "/v3/elsewhere".parse().expect("location"));
    })));
    let mut redirected = options();
    redirected["allow_redirects"] = true.into();
    let error = client().chain(CARDS).post(redirected).expect_err("no signature");
    assert_eq!((error.kind(), error.is_before_send()), (ErrorKind::Transport, false), "{error}");
}

/// The server reads one request and stops.
#[test]
fn a_refused_connection_after_a_request_was_sent_is_an_unknown_outcome() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let client = client_at(&sandbox(), listener.local_addr().expect("address"));
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("connection");
        assert!(std::io::Read::read(&mut stream, &mut [0; 4096]).expect("request") > 0);
        drop(listener);
    });
    let error = failed_retries(&client);
    server.join().expect("server");
    assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
    assert!(!error.is_connect() && !error.is_before_send());
    assert!(
        error
            .to_string()
            .contains("may have arrived, so query before repeating it; the last one failed: no connection to "),
        "{error}"
    );
}

/// The number of requests that arrived, and the number of attempts or the kind of the error.
fn counted(sandbox: &Sandbox, outcome: Result<Response, Error>) -> (usize, Result<u32, ErrorKind>) {
    (sandbox.requests().len(), outcome.map(|response| response.attempts()).map_err(|error| error.kind()))
}

#[test]
fn calls_are_retried_only_if_allowed_and_within_the_limit() {
    let quick = || json!({ "times": 3, "pause": 0.001 });
    for (fault, kind, repeated) in [
        ((|| gateway(502)) as fn() -> Fault, ErrorKind::ServerError, true),
        (|| gateway(500), ErrorKind::ServerError, true),
        (|| Fault::FrequencyLimited, ErrorKind::ClientError, true),
        (|| Fault::Hangup, ErrorKind::Transport, true),
        (|| Fault::CutBody(3), ErrorKind::Transport, true),
        (|| Fault::WrongSignature, ErrorKind::Verification, false),
        (|| Fault::UnknownSerial, ErrorKind::Verification, false),
        (|| gateway(404), ErrorKind::ClientError, false),
        (|| gateway(302), ErrorKind::Redirect, false),
    ] {
        let sandbox = sandbox();
        let client = sandbox.client().expect("client");
        sandbox.inject(fault());
        assert_eq!(
            counted(&sandbox, client.chain(CARDS).post(options())),
            (1, Err(kind)),
            "{:?}: one request",
            fault()
        );
        sandbox.inject(fault());
        let outcome = counted(&sandbox, client.chain(CARDS).post(with_retry(quick())));
        let expected = if repeated { (3, Ok(2)) } else { (2, Err(kind)) };
        assert_eq!(outcome, expected, "{:?}", fault());
    }
    // Each attempt has its own nonce, which the sandbox checks, and the same body.
    let sandbox = sandbox();
    let client = sandbox.client_builder().retry(10).build().expect("client");
    for _ in 0..2 {
        sandbox.inject(gateway(503));
    }
    assert_eq!(
        client
            .chain(CARDS)
            .post(with_retry(json!({ "times": 2, "pause": 0 })))
            .expect("response to the third attempt")
            .attempts(),
        3
    );
    let sent = sandbox.requests();
    assert!(sent.windows(2).all(|two| two[0].body == two[1].body && two[0].headers != two[1].headers));
    // The last failure is the error. A call can turn the builder's retries off.
    for _ in 0..5 {
        sandbox.inject(gateway(503));
    }
    let error = client.chain(CARDS).post(with_retry(json!({ "times": 2, "pause": 0 }))).expect_err("three failures");
    assert_eq!((error.kind(), sandbox.requests().len()), (ErrorKind::ServerError, 6));
    client.chain(CARDS).post(with_retry(json!(0))).expect_err("one failure");
    assert_eq!(sandbox.requests().len(), 7);
}

#[test]
fn retry_after_is_honoured_within_the_timeout_of_the_call() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    sandbox.inject(Fault::FrequencyLimited);
    let began = Instant::now();
    client.chain(CARDS).post(with_retry(json!({ "times": 1, "pause": 0 }))).expect("response after a second");
    assert!(began.elapsed() >= Duration::from_secs(1), "the response had Retry-After: 1");
    // A date in Retry-After is compared with the Date of the response, not with the local clock.
    sandbox.inject(Fault::Tamper(Box::new(|response| {
        *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
        response.headers_mut().insert("date", "Mon, 23 Nov 2020 12:00:00 GMT".parse().expect("date"));
        response.headers_mut().insert("retry-after", "Mon, 23 Nov 2020 12:00:01 GMT".parse().expect("date"));
    })));
    let began = Instant::now();
    client.chain(CARDS).post(with_retry(json!({ "times": 1, "pause": 0 }))).expect("response after a second");
    assert!((1..5).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    for _ in 0..3 {
        sandbox.inject(Fault::FrequencyLimited);
    }
    let mut short = with_retry(json!(3));
    short["timeout"] = 0.2.into();
    let error = client.chain(CARDS).post(short).expect_err("the timeout is shorter than the pause");
    assert_eq!(error.code(), Some("FREQUENCY_LIMITED"), "the last response is the error: {error}");
    // As a setting of the client.
    let by_setting = |retry: Value| {
        let sandbox = crate::support::sandbox();
        let mut settings = sandbox.settings();
        settings["retry"] = retry;
        sandbox.inject(gateway(502));
        sandbox.inject(gateway(503));
        let outcome = Client::factory(settings).expect("client").chain(CARDS).post(options());
        (sandbox.requests().len(), outcome.is_ok())
    };
    assert_eq!(by_setting(json!(0)), (1, false));
    assert_eq!(by_setting(json!(2)), (3, true));
    assert_eq!(by_setting(json!({ "times": 2, "pause": 0.01 })), (3, true));
    for (wrong, expected) in [
        (json!(11), "from 0 to 10"),
        (json!("x"), "from 0 to 10"),
        (json!({ "count": 1 }), "is unknown"),
        (json!({ "times": 1, "pause": -1 }), "seconds"),
    ] {
        let error = client.chain(CARDS).post(with_retry(wrong.clone())).expect_err(expected);
        assert!(error.message().contains(expected), "{wrong}: {error}");
    }
}

/// A sink or stream may have received a part of the file, so the call is not repeated.
#[test]
fn downloads_to_sinks_and_streams_are_not_repeated() {
    const FILE: &str = "v3/billdownload/file";
    let path = std::env::temp_dir().join(format!("wechatpay-chain-retry-{}", std::process::id()));
    let given = |extra: Value| {
        let mut options = json!({ "retry": { "times": 3, "pause": 0 } });
        options.as_object_mut().expect("object").extend(extra.as_object().expect("object").clone());
        options
    };
    for (extra, requests) in [(json!({ "sink": path.to_str() }), 1), (json!({ "stream": true }), 1), (json!({}), 2)] {
        for fault in [Fault::Hangup, Fault::CutBody(3)] {
            let sandbox = sandbox();
            sandbox.file(FILE, 10_000);
            // The body of a stream is cut after the call.
            if matches!(fault, Fault::CutBody(_)) && extra["stream"] == true {
                continue;
            }
            sandbox.inject(fault);
            let outcome = sandbox.client().expect("client").chain(FILE).get(given(extra.clone()));
            assert_eq!((sandbox.requests().len(), outcome.is_ok()), (requests, requests == 2), "{extra}");
            assert!(!path.exists());
        }
    }
}

/// A timeout is not a failure to connect: the request may have arrived.
#[test]
fn a_read_timeout_is_not_repeated() {
    let (primary, backup) = (sandbox(), sandbox());
    primary.inject(Fault::Delay(Duration::from_secs(5)));
    let client = with_backup(&primary.base_uri(), &backup);
    let mut slow = with_retry(json!({ "times": 3, "pause": 0 }));
    slow["read_timeout"] = 0.3.into();
    let error = client.chain(CARDS).post(slow).expect_err("slow");
    assert_eq!((error.kind(), error.is_before_send()), (ErrorKind::Timeout, false), "{error}");
    assert!(backup.requests().is_empty());
    std::thread::sleep(Duration::from_millis(300));
    assert!(primary.requests().len() <= 1, "{}", primary.requests().len());
}
