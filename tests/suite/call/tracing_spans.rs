//! The spans and events of `tracing`: what they contain, and what they must not.

use serde_json::json;
use tracing_subscriber::fmt::format::FmtSpan;
use wechatpay_chain::sandbox::{Fault, MCHID, Sandbox};

use crate::support::{CARDS, SharedBuffer, options, run, run_in_new_process, sandbox, unused_address};

/// The output of a subscriber at all levels while a function runs on this thread.
fn traced(during: impl FnOnce()) -> String {
    let log = SharedBuffer::default();
    tracing::subscriber::with_default(subscriber(&log), during);
    String::from_utf8(log.bytes()).expect("text")
}

/// A subscriber that writes everything to a buffer.
fn subscriber(log: &SharedBuffer) -> impl tracing::Subscriber + Send + Sync + use<> {
    let log = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(move || log.clone())
        .finish()
}

fn secrets(sandbox: &Sandbox) -> Vec<String> {
    let settings = sandbox.settings();
    let text = |name: &str| settings[name].as_str().expect(name).to_owned();
    let key = text("privateKey").lines().nth(1).expect("a line of the key").to_owned();
    vec![key, text("secret"), text("apiv3_key"), "signature=\"".to_owned(), "BEGIN".to_owned()]
}

/// In a new process, since `tracing` decides for the whole process whether a call site is enabled.
#[test]
fn a_call_is_one_span_without_secrets() {
    run_in_new_process("call::tracing_spans::one_span_in_this_process");
}

#[test]
#[ignore = "the test above runs it in a new process"]
fn one_span_in_this_process() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let log = traced(|| {
        client.chain(CARDS).post(options()).expect("response");
        run(async { client.chain(CARDS).post_async(options()).await }).expect("response");
        let mut retried = options();
        retried["retry"] = json!({ "times": 1, "pause": 0 });
        sandbox.inject(Fault::from_name("bad-gateway").expect("fault"));
        client.chain(CARDS).post(retried).expect("response to the second attempt");
        sandbox.inject(Fault::UnknownSerial);
        client.chain(CARDS).post(options()).expect_err("fault");
        client
            .chain("v2/pay/orderquery")
            .post(json!({ "xml": { "mch_id": MCHID, "out_trade_no": "personal-1" } }))
            .expect_err("none");
        client.chain("v3/x?token=personal-2").get(()).expect_err("unknown");
        client.chain(CARDS).post(json!({ "card_id": "personal-3" })).expect_err("no body");
    });
    for expected in [
        &format!("otel.name=POST /{CARDS}"),
        "otel.kind=\"client\"",
        "http.request.method=\"POST\"",
        &format!("url.template=/{CARDS}"),
        &format!("url.full={}{CARDS}", sandbox.base_uri()),
        "server.address=\"127.0.0.1\"",
        "http.response.status_code=200",
        "http.response.status_code=400",
        "http.request.resend_count=1",
        "error.type=\"verification\"",
        "error.type=\"fail\"",
        "wechatpay.request_id=",
        "wechatpay.verified=true",
        "wechatpay.signing_us=",
        "wechatpay.waiting_us=",
        "wechatpay.verifying_us=",
        "otel.status_code=\"ERROR\"",
        "wechatpay.code=\"PARAM_ERROR\"",
        "INFO wechatpay.call{",
        "wechatpay_chain: the call is retried attempt=1",
        "wechatpay_chain: a response failed verification reason=",
    ] {
        assert!(log.contains(expected), "{expected:?} not in\n{log}");
    }
    for secret in
        secrets(&sandbox).into_iter().chain(["personal".to_owned(), "pbLatjvWOibDc5".to_owned(), "szwxtd".to_owned()])
    {
        assert!(!log.contains(&secret), "{secret:?} in\n{log}");
    }
}

/// A verification or a signature that does not wait does not cause the warning.
#[test]
fn a_synchronous_call_on_a_thread_of_a_runtime_is_reported_once() {
    run_in_new_process("call::tracing_spans::blocked_worker_in_this_process");
}

#[test]
#[ignore = "the test above runs it in a new process"]
fn blocked_worker_in_this_process() {
    const WARNING: &str = "a synchronous call blocks a thread of a tokio runtime";
    let sandbox = sandbox();
    let client = sandbox.client_builder().apiv3_key(sandbox.apiv3_key()).build().expect("client");
    let log = SharedBuffer::default();
    tracing::subscriber::set_global_default(subscriber(&log)).expect("the first one");
    let warnings = || String::from_utf8(log.bytes()).expect("text").matches(WARNING).count();
    let call = |client: &wechatpay_chain::Client| drop(client.chain(CARDS).post(options()).expect("response"));
    // A plain thread, asynchronous code, and a thread on which tokio allows blocking.
    call(&client);
    let clone = client.clone();
    run(async move {
        clone.chain(CARDS).post_async(options()).await.expect("response");
        tokio::task::spawn_blocking(move || call(&clone)).await.expect("response");
    });
    let notifications = client.notifications().expect("key");
    let request = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &json!({})).expect("a notification");
    let clone = client.clone();
    let on_worker = async move {
        notifications.verify(request.headers(), request.body()).expect("authentic");
        clone.jsapi_payment("wx8888888888888888", "wx201410272009395522657a690389285100").expect("signed");
    };
    run(async { tokio::spawn(on_worker).await }).expect("no panic");
    assert_eq!(warnings(), 0, "{}", String::from_utf8_lossy(&log.bytes()));
    for _ in 0..2 {
        let clone = client.clone();
        run(async move { tokio::spawn(async move { call(&clone) }).await }).expect("no panic");
        assert_eq!(warnings(), 1);
    }
}

#[test]
fn an_operator_learns_what_does_not_fail_a_call() {
    run_in_new_process("call::tracing_spans::events_in_this_process");
}

#[test]
#[ignore = "the test above runs it in a new process"]
fn events_in_this_process() {
    let sandbox = sandbox();
    let certificate = sandbox.rotate_certificate().expect("certificate");
    // Certificates are downloaded on another thread.
    let log = SharedBuffer::default();
    tracing::subscriber::set_global_default(subscriber(&log)).expect("the first one");
    let events = |during: &dyn Fn()| {
        let before = log.bytes().len();
        during();
        let text = String::from_utf8(log.bytes()[before..].to_vec()).expect("text");
        assert!(!text.contains("personal"), "{text}");
        let lines = text.lines().filter(|line| line.contains(" INFO ") || line.contains(" WARN "));
        let messages = lines.filter_map(|line| line.split("wechatpay_chain: ").nth(1));
        // The beginning and end of spans.
        let events = messages.filter(|message| {
            !["new", "enter", "exit", "close"].contains(&message.split(' ').next().unwrap_or_default())
        });
        events.map(str::to_owned).collect::<Vec<_>>()
    };
    let settings = || sandbox.client_builder().apiv3_key(sandbox.apiv3_key());
    let echo = || json!({ "json": { "echo_message": "personal" } });

    let seen = events(&|| {
        let client = settings().build().expect("client");
        client.certificates().expect("certificates");
        client.certificates().expect("the same certificates");
    });
    let new = format!("a platform certificate was downloaded serial=\"{}\"", certificate.serial());
    assert_eq!(seen.iter().filter(|event| **event == new).count(), 1, "{seen:?}");

    let seen = events(&|| {
        sandbox.inject(Fault::from_name("bad-gateway").expect("fault"));
        settings().build().expect("client").certificates().expect_err("fault");
    });
    assert!(seen[0].starts_with("the platform certificates cannot be downloaded reason="), "{seen:?}");

    let seen = events(&|| {
        let client = settings().base_uri(format!("http://{}/", unused_address())).backup_uri(sandbox.base_uri());
        client.build().expect("client").chain("v3/security/echo").post(echo()).expect("the backup host");
    });
    assert_eq!(seen, ["the host cannot be reached, another host is tried attempt=1 next.host=\"127.0.0.1\""]);

    let notifications = settings().build().expect("client").notifications().expect("key");
    let v2 = sandbox.client().expect("client").notifications_v2().expect("key");
    let seen = events(&|| {
        let request = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &json!({ "x": "personal" }));
        let request = request.expect("a notification");
        notifications.verify(request.headers(), b"{}").expect_err("another body");
        notifications.verify(request.headers(), request.body()).expect("authentic");
        notifications.verify(request.headers(), request.body()).expect_err("a replay");
        v2.verify(b"<xml><a>personal</a></xml>").expect_err("no sign");
    });
    let refused: Vec<_> =
        seen.iter().filter_map(|event| event.strip_prefix("a notification was refused kind=")).collect();
    assert_eq!(refused.len(), 3, "{seen:?}");
    assert!(refused[1].starts_with("\"replay\" reason=") && refused[2].starts_with("\"verification\""), "{seen:?}");
}
