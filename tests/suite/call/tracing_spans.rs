//! The spans and events of `tracing`: what they contain, and what they must not.

use serde_json::json;
use tracing_subscriber::fmt::format::FmtSpan;
use wechatpay_chain::sandbox::{Fault, MCHID, Sandbox};

use crate::support::{CARDS, SharedBuffer, options, run, run_in_new_process, sandbox};

/// The output of a subscriber at all levels while a function runs on this thread.
fn traced(during: impl FnOnce()) -> String {
    let log = SharedBuffer::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, during);
    String::from_utf8(log.bytes()).expect("text")
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
        &format!("otel.name=POST {CARDS}"),
        "otel.kind=\"client\"",
        "http.request.method=POST",
        &format!("url.template=\"{CARDS}\""),
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
        "repeated attempt=1",
    ] {
        assert!(log.contains(expected), "{expected:?} not in\n{log}");
    }
    for secret in
        secrets(&sandbox).into_iter().chain(["personal".to_owned(), "pbLatjvWOibDc5".to_owned(), "szwxtd".to_owned()])
    {
        assert!(!log.contains(&secret), "{secret:?} in\n{log}");
    }
}
