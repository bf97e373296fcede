//! The backup host, and repetition where it was consented to: counted by the sandboxes at the other end.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wechatpay_chain::sandbox::{Fault, Sandbox};
use wechatpay_chain::{Client, Error, ErrorKind, Response};

use crate::support::{CARDS, options, run, sandbox};

/// An address where nobody listens.
fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address")
}

fn with_backup(primary: &str, backup: &Sandbox) -> Client {
    backup.client_builder().base_uri(primary).backup_uri(backup.base_uri()).build().expect("client")
}

fn with(retry: Value) -> Value {
    let mut options = options();
    options["retry"] = retry;
    options
}

fn gateway(status: u16) -> Fault {
    let mut answer = http::Response::new(bytes::Bytes::from_static(b"<html>gateway</html>"));
    *answer.status_mut() = http::StatusCode::from_u16(status).expect("status");
    Fault::Gateway(answer)
}

#[test]
fn what_cannot_be_reached_goes_to_the_backup_host() {
    let backup = sandbox();
    for primary in [format!("http://{}/", closed()), "http://no-such-host.invalid/".to_owned()] {
        let client = with_backup(&primary, &backup);
        let answer = client.chain(CARDS).post(options()).expect("the backup answers");
        assert!(answer.is_verified() && answer.is_from_backup());
        assert_eq!(answer.attempts(), 2);
        // The primary is left alone for a while.
        let answer = client.chain(CARDS).post(options()).expect("the backup answers");
        assert_eq!((answer.attempts(), answer.is_from_backup()), (1, true));
        let answer = run(async { client.chain(CARDS).post_async(options()).await }).expect("the backup answers");
        assert!(answer.is_from_backup());
        let mut v2 =
            json!({ "http_errors": false, "xml": { "mch_id": wechatpay_chain::sandbox::MCHID, "out_trade_no": "1" } });
        assert!(client.chain("v2/pay/orderquery").post(&v2).expect("APIv2, too").is_from_backup());
        v2["base_uri"] = format!("http://{}/", closed()).into();
        let error = client.chain("v2/pay/orderquery").post(v2).expect_err("another host has no backup");
        assert_eq!(error.kind(), ErrorKind::Connect);
    }
    assert_eq!(backup.requests().len(), 8);
    // The map of settings says the same.
    let mut settings = backup.settings();
    settings["base_uri"] = format!("http://{}/", closed()).into();
    settings["backup_uri"] = backup.base_uri().into();
    let client = Client::factory(settings.clone()).expect("client");
    assert!(client.chain(CARDS).post(options()).expect("the backup answers").is_from_backup());
    settings["backup_uri"] = "".into();
    let error = Client::factory(settings.clone()).expect("client").chain(CARDS).post(options()).expect_err("no backup");
    assert!(error.is_connect(), "{error}");
    settings["backup_uri"] = json!(false);
    let error = Client::factory(settings).expect_err("a text");
    assert_eq!(error.to_string(), "the setting backup_uri: a boolean where a string is needed");
    // TLS that fails: a server that answers no handshake.
    let primary = sandbox();
    let tls =
        backup.client_builder().base_uri(primary.base_uri().replace("http", "https")).backup_uri(backup.tls_base_uri());
    let client = tls.build().expect("client");
    assert!(client.chain(CARDS).post(options()).expect("the backup answers").is_from_backup());
    assert!(primary.requests().is_empty());
    // Both down.
    let both =
        backup.client_builder().base_uri(format!("http://{}/", closed())).backup_uri(format!("http://{}/", closed()));
    let error = both.build().expect("client").chain(CARDS).post(options()).expect_err("both");
    assert!(error.is_connect() && error.is_before_send(), "{error}");
    // Without a backup, and with none by default where base_uri is another's.
    let none = backup.client_builder().base_uri(format!("http://{}/", closed()));
    assert_eq!(
        none.build().expect("client").chain(CARDS).post(options()).expect_err("none").kind(),
        ErrorKind::Connect
    );
    for (base, other, words) in [
        ("https://a.example/", "api2.wechatpay.cn", "backup_uri"),
        ("https://a.example/", "http://b.example/", "is plain http"),
        ("https://a.example/hk/", "https://b.example/", "another path"),
    ] {
        let wrong = backup.client_builder().base_uri(base).backup_uri(other).build().expect_err(words);
        assert!(wrong.message().contains(words), "{wrong}");
    }
    // A proxy of the call's own that is not there says nothing of the primary host.
    let good = sandbox();
    let client = with_backup(&good.base_uri(), &backup);
    let mut proxied = options();
    proxied["proxy"] = format!("http://{}", closed()).into();
    let _ = client.chain(CARDS).post(proxied);
    assert!(!client.chain(CARDS).post(options()).expect("the primary answers").is_from_backup());
    // What was sent once is not unsent by what comes after it, and what never left stays so.
    let error = none_left(
        &backup
            .client_builder()
            .retry(2)
            .no_backup()
            .base_uri(format!("http://{}/", closed()))
            .build()
            .expect("client"),
    );
    assert!(error.is_connect() && error.is_before_send(), "{error}");
}

#[test]
fn the_primary_host_is_used_while_it_can_be() {
    let (primary, backup) = (sandbox(), sandbox());
    // One merchant, two hosts: their keys are this process's.
    let client = with_backup(&primary.base_uri(), &backup);
    for _ in 0..3 {
        let answer = client.chain(CARDS).post(options()).expect("answer");
        assert_eq!((answer.attempts(), answer.is_from_backup()), (1, false));
    }
    assert_eq!((primary.requests().len(), backup.requests().len()), (3, 0));
    // After bytes were sent the backup host gets nothing.
    for fault in [Fault::Hangup, gateway(502), Fault::CutBody(3), Fault::WrongSignature, Fault::FrequencyLimited] {
        primary.inject(fault);
        client.chain(CARDS).post(options()).expect_err("a fault");
    }
    assert_eq!((primary.requests().len(), backup.requests().len()), (8, 0));
}

fn none_left(client: &Client) -> Error {
    let mut quick = options();
    quick["retry"] = json!({ "times": 2, "pause": 0 });
    client.chain(CARDS).post(quick).expect_err("nobody listens")
}

/// Signs once, and never again.
struct Once(std::sync::Mutex<Option<wechatpay_chain::PrivateKey>>);

impl wechatpay_chain::Signer for Once {
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
fn what_was_sent_is_never_said_to_be_unsent() {
    let sandbox = sandbox();
    let client = || {
        Client::builder()
            .mchid(wechatpay_chain::sandbox::MCHID)
            .signer(Once(std::sync::Mutex::new(Some(sandbox.merchant_key()))))
            .platform_key(wechatpay_chain::sandbox::PUBLIC_KEY_ID, sandbox.platform_key())
            .base_uri(sandbox.base_uri())
            .no_proxy()
            .build()
            .expect("client")
    };
    sandbox.inject(Fault::CutBody(3));
    let error = none_left(&client());
    assert_eq!((error.kind(), sandbox.requests().len()), (ErrorKind::Transport, 1));
    assert!(!error.is_before_send(), "the first attempt arrived: {error}");
    let said = error.to_string();
    assert!(
        said.contains("may have arrived, so query before repeating it; the last one failed: the signer refused: "),
        "{said}"
    );
    assert!(
        std::error::Error::source(&error).is_some_and(|source| source.to_string() == "the signing service is gone")
    );
    // Nor where the earlier request was redirected.
    sandbox.inject(Fault::Tamper(Box::new(|answer| {
        *answer.status_mut() = http::StatusCode::TEMPORARY_REDIRECT;
        answer.headers_mut().insert("location", "/v3/elsewhere".parse().expect("location"));
    })));
    let mut redirected = options();
    redirected["allow_redirects"] = true.into();
    let error = client().chain(CARDS).post(redirected).expect_err("nobody signs");
    assert_eq!((error.kind(), error.is_before_send()), (ErrorKind::Transport, false), "{error}");
}

/// A server that takes one request, and is gone.
#[test]
fn no_connection_after_a_request_was_sent_is_an_unknown_outcome() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let client =
        sandbox().client_builder().base_uri(format!("http://{}/", listener.local_addr().expect("address"))).build();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("connection");
        assert!(std::io::Read::read(&mut stream, &mut [0; 4096]).expect("request") > 0);
        drop(listener);
    });
    let error = none_left(&client.expect("client"));
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

fn counted(sandbox: &Sandbox, outcome: Result<Response, Error>) -> (usize, Result<u32, ErrorKind>) {
    (sandbox.requests().len(), outcome.map(|answer| answer.attempts()).map_err(|error| error.kind()))
}

#[test]
fn nothing_is_repeated_without_consent_and_then_within_bounds() {
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
        let outcome = counted(&sandbox, client.chain(CARDS).post(with(quick())));
        let expected = if repeated { (3, Ok(2)) } else { (2, Err(kind)) };
        assert_eq!(outcome, expected, "{:?}", fault());
    }
    // Each attempt has its own nonce, or the sandbox would refuse it; the body is the same.
    let sandbox = sandbox();
    let client = sandbox.client_builder().retry(10).build().expect("client");
    for _ in 0..2 {
        sandbox.inject(gateway(503));
    }
    assert_eq!(client.chain(CARDS).post(with(json!({ "times": 2, "pause": 0 }))).expect("third time").attempts(), 3);
    let sent = sandbox.requests();
    assert!(sent.windows(2).all(|two| two[0].body == two[1].body && two[0].headers != two[1].headers));
    // The last failure is the error; a call can take back the builder's consent.
    for _ in 0..5 {
        sandbox.inject(gateway(503));
    }
    let error = client.chain(CARDS).post(with(json!({ "times": 2, "pause": 0 }))).expect_err("thrice");
    assert_eq!((error.kind(), sandbox.requests().len()), (ErrorKind::ServerError, 6));
    client.chain(CARDS).post(with(json!(0))).expect_err("once");
    assert_eq!(sandbox.requests().len(), 7);
}

#[test]
fn retry_after_is_honoured_and_the_timeout_is_the_whole() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    sandbox.inject(Fault::FrequencyLimited);
    let began = Instant::now();
    client.chain(CARDS).post(with(json!({ "times": 1, "pause": 0 }))).expect("after a second");
    assert!(began.elapsed() >= Duration::from_secs(1), "Retry-After: 1 was asked for");
    // By a date, which is compared with the answer's own and not with this machine's clock.
    sandbox.inject(Fault::Tamper(Box::new(|answer| {
        *answer.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
        answer.headers_mut().insert("date", "Mon, 23 Nov 2020 12:00:00 GMT".parse().expect("date"));
        answer.headers_mut().insert("retry-after", "Mon, 23 Nov 2020 12:00:01 GMT".parse().expect("date"));
    })));
    let began = Instant::now();
    client.chain(CARDS).post(with(json!({ "times": 1, "pause": 0 }))).expect("after a second");
    assert!((1..5).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    for _ in 0..3 {
        sandbox.inject(Fault::FrequencyLimited);
    }
    let mut short = with(json!(3));
    short["timeout"] = 0.2.into();
    let error = client.chain(CARDS).post(short).expect_err("no time for a pause");
    assert_eq!(error.code(), Some("FREQUENCY_LIMITED"), "the answer that is there is given: {error}");
    // As a setting of all calls.
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
    for (wrong, words) in [
        (json!(11), "from 0 to 10"),
        (json!("x"), "from 0 to 10"),
        (json!({ "count": 1 }), "none of"),
        (json!({ "times": 1, "pause": -1 }), "seconds"),
    ] {
        let error = client.chain(CARDS).post(with(wrong.clone())).expect_err(words);
        assert!(error.message().contains(words), "{wrong}: {error}");
    }
}
