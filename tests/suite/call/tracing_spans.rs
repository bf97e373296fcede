//! What `tracing` is told, and what it is not.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing_subscriber::fmt::format::FmtSpan;
use wechatpay_chain::sandbox::{Fault, MCHID, Sandbox};

use crate::support::{CARDS, alone, options, run, sandbox};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All that is told at any level while something runs on this thread.
fn told(during: impl FnOnce()) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, during);
    let text = log.0.lock().expect("log").clone();
    String::from_utf8(text).expect("text")
}

fn secrets(sandbox: &Sandbox) -> Vec<String> {
    let settings = sandbox.settings();
    let text = |name: &str| settings[name].as_str().expect(name).to_owned();
    let key = text("privateKey").lines().nth(1).expect("a line of the key").to_owned();
    vec![key, text("secret"), text("apiv3_key"), "signature=\"".to_owned(), "BEGIN".to_owned()]
}

/// In a process of its own: whether a call site is heard is decided for the whole process, and other tests are not listening.
#[test]
fn a_call_is_one_span() {
    alone("call::tracing_spans::a_call_is_one_span_inside");
}

#[test]
#[ignore = "the test above runs it in a process of its own"]
fn a_call_is_one_span_inside() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let log = told(|| {
        client.chain(CARDS).post(options()).expect("answer");
        run(async { client.chain(CARDS).post_async(options()).await }).expect("answer");
        let mut retried = options();
        retried["retry"] = json!({ "times": 1, "pause": 0 });
        sandbox.inject(Fault::from_name("bad-gateway").expect("fault"));
        client.chain(CARDS).post(retried).expect("second time");
        sandbox.inject(Fault::UnknownSerial);
        client.chain(CARDS).post(options()).expect_err("fault");
        client
            .chain("v2/pay/orderquery")
            .post(json!({ "xml": { "mch_id": MCHID, "out_trade_no": "personal-1" } }))
            .expect_err("none");
        client.chain("v3/x?token=personal-2").get(()).expect_err("unknown");
        client.chain(CARDS).post(json!({ "card_id": "personal-3" })).expect_err("no body");
    });
    for told in [
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
        assert!(log.contains(told), "{told:?} not in\n{log}");
    }
    for secret in
        secrets(&sandbox).into_iter().chain(["personal".to_owned(), "pbLatjvWOibDc5".to_owned(), "szwxtd".to_owned()])
    {
        assert!(!log.contains(&secret), "{secret:?} in\n{log}");
    }
}
