//! Responses that cannot be trusted, and error responses.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response as HttpResponse, StatusCode};
use serde_json::{Value, json};
use wechatpay_chain::sandbox::{Fault, Sandbox};
use wechatpay_chain::{Error, ErrorKind};

use crate::support::{CARDS, each_hint_names_its_condition, options, run, sandbox};

fn tamper(change: impl Fn(&mut HttpResponse<Bytes>) + Send + Sync + 'static) -> Fault {
    Fault::Tamper(Box::new(change))
}

fn set(name: &'static str, value: &'static str) -> Fault {
    tamper(move |response| {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    })
}

/// Changes one character of a header to another valid one.
fn flip_header(name: &'static str) -> Fault {
    tamper(move |response| {
        let mut text = response.headers()[name].as_bytes().to_vec();
        let at = text.len() / 2;
        text[at] = match text[at] {
            b'1' => b'2',
            byte if byte.is_ascii_digit() => b'1',
            b'A' => b'B',
            _ => b'A',
        };
        response.headers_mut().insert(name, HeaderValue::from_bytes(&text).expect("text"));
    })
}

fn call(sandbox: &Sandbox, fault: Fault) -> Result<Value, Error> {
    sandbox.inject(fault);
    sandbox.client()?.chain(CARDS).post(options())?.json::<Value>()
}

#[test]
fn each_invalid_signature_is_a_verification_error() {
    let sandbox = sandbox();
    let mut cases: Vec<(Fault, &str)> = vec![
        (set("wechatpay-signature", "%%%"), "base64"),
        (set("wechatpay-signature", "c2hvcnQ="), "does not match the platform key"),
        (set("wechatpay-signature", "WECHATPAY/SIGNTEST/abc"), "deliberately wrong; repeat the call"),
        (set("wechatpay-timestamp", "soon"), "not a number"),
        (set("wechatpay-nonce", ""), "is empty"),
        (Fault::Clock(-301), "behind"),
        (Fault::Clock(302), "ahead"),
        (Fault::UnknownSerial, "the known keys are PUB_KEY_ID_"),
        (flip_header("wechatpay-nonce"), "does not match the platform key"),
        (flip_header("wechatpay-signature"), "does not match the platform key"),
        (
            tamper(|response| {
                let mut body = response.body().to_vec();
                body[10] ^= 1;
                *response.body_mut() = body.into();
            }),
            "does not match the platform key",
        ),
        (
            tamper(|response| {
                let shorter = response.body().slice(..response.body().len() - 1);
                *response.body_mut() = shorter;
            }),
            "does not match the platform key",
        ),
        (
            // One second later: within the tolerance, but the signature does not cover it.
            tamper(|response| {
                let time: i64 =
                    response.headers()["wechatpay-timestamp"].to_str().expect("text").parse().expect("number");
                response.headers_mut().insert("wechatpay-timestamp", HeaderValue::from(time + 1));
            }),
            "does not match the platform key",
        ),
    ];
    for name in ["wechatpay-serial", "wechatpay-signature", "wechatpay-timestamp", "wechatpay-nonce"] {
        cases.push((tamper(move |response| drop(response.headers_mut().remove(name))), "is missing"));
        cases.push((
            tamper(move |response| {
                let twice = response.headers()[name].clone();
                response.headers_mut().append(name, twice);
            }),
            "appears twice",
        ));
    }
    let (count, mut rows) = (cases.len(), Vec::new());
    for (fault, expected) in cases {
        let shown = format!("{fault:?}");
        let error = call(&sandbox, fault).expect_err(expected);
        assert_eq!(error.kind(), ErrorKind::Verification, "{shown}: {error}");
        rows.push((expected, error.to_string()));
        // The error holds the response, which is not verified.
        assert!(error.response().is_some_and(|response| !response.is_verified()), "{shown}");
    }
    each_hint_names_its_condition(&rows);
    assert_eq!(sandbox.requests().len(), count, "one request for each");
    // `http_errors: false` skips no check.
    sandbox.inject(Fault::UnknownSerial);
    let mut options = options();
    options["http_errors"] = json!(false);
    let error = sandbox.client().expect("client").chain(CARDS).post(options).expect_err("unknown serial");
    assert_eq!(error.kind(), ErrorKind::Verification);
}

#[test]
fn clocks_may_differ_by_five_minutes() {
    let sandbox = sandbox();
    // One second less than the tolerance, since the call takes time.
    for offset in [-299, 0, 299] {
        assert!(call(&sandbox, Fault::Clock(offset)).is_ok(), "{offset}");
    }
}

#[test]
fn broken_connections_are_transport_errors_and_not_retried() {
    let sandbox = sandbox();
    for fault in [Fault::CutBody(5), Fault::CutBody(0), Fault::Hangup] {
        let shown = format!("{fault:?}");
        let error = call(&sandbox, fault).expect_err("broken");
        assert_eq!(error.kind(), ErrorKind::Transport, "{shown}: {error}");
        assert!(!error.is_before_send() && error.response().is_none());
    }
    assert_eq!(sandbox.requests().len(), 3, "no retries");
}

#[test]
fn a_late_response_is_a_timeout() {
    let sandbox = sandbox();
    sandbox.inject(Fault::Delay(Duration::from_secs(5)));
    sandbox.inject(Fault::Delay(Duration::from_secs(5)));
    let client = sandbox.client().expect("client");
    let mut options = options();
    options["timeout"] = json!(0.2);
    let sync = client.chain(CARDS).post(options.clone()).expect_err("too slow");
    let r#async = run(async { client.chain(CARDS).post_async(options).await }).expect_err("too slow");
    for error in [sync, r#async] {
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.is_timeout() && error.to_string().contains("200ms"), "{error}");
    }
}

#[test]
fn error_responses_carry_code_message_and_request_id() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let mut wrong = options();
    wrong["json"] = json!({ "activate_type": 7 });
    let error = client.chain(CARDS).post(wrong.clone()).expect_err("PARAM_ERROR");
    assert_eq!(error.kind(), ErrorKind::ClientError);
    assert_eq!((error.status(), error.code()), (Some(StatusCode::BAD_REQUEST), Some("PARAM_ERROR")));
    assert!(error.message().contains("activate_type"), "{error}");
    let response = error.response().expect("response");
    assert!(response.is_verified(), "refusals are signed");
    assert_eq!(error.request_id(), response.headers()["request-id"].to_str().ok());
    assert_eq!(response.json::<Value>().expect("json")["detail"]["field"], "/activate_type");
    assert!(error.to_string().contains(error.request_id().expect("id")), "{error}");

    wrong["http_errors"] = json!(false);
    let response = client.chain(CARDS).post(wrong).expect("http_errors is off");
    assert_eq!(response.status(), 400);
    assert!(response.is_verified());

    let error = client.chain("v3/no/such/thing").get(()).expect_err("404");
    assert_eq!(error.code(), Some("RESOURCE_NOT_EXISTS"));
    sandbox.stub("GET", "v3/moved", 302, json!({}));
    assert_eq!(client.chain("v3/moved").get(()).expect_err("302").kind(), ErrorKind::Redirect);
}

#[test]
fn a_response_that_is_not_json_is_kept_unchanged() {
    let sandbox = sandbox();
    let html = "<html>\r\n<head><title>502 Bad Gateway</title></head></html>";
    let gateway = HttpResponse::builder().status(502).header("content-type", "text/html").header("request-id", "08F");
    let error = call(&sandbox, Fault::Gateway(gateway.body(Bytes::from(html)).expect("response"))).expect_err("502");
    assert_eq!(error.kind(), ErrorKind::ServerError);
    assert_eq!((error.status(), error.code(), error.request_id()), (Some(StatusCode::BAD_GATEWAY), None, Some("08F")));
    let response = error.response().expect("response");
    assert_eq!(response.text(), html);
    assert_eq!(response.headers()["content-type"], "text/html");
    assert!(!response.is_verified());
    assert!(error.to_string().contains("502 Bad Gateway"), "{error}");
    assert!(response.json::<Value>().is_err_and(|error| error.kind() == ErrorKind::Decode));
    // A 200 of a gateway is not a response of the service.
    let gateway = HttpResponse::builder().status(200).body(Bytes::from("{}")).expect("response");
    assert_eq!(call(&sandbox, Fault::Gateway(gateway)).expect_err("unsigned").kind(), ErrorKind::Verification);
}

#[test]
fn responses_of_unsigned_paths_need_no_signature() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let file = || HttpResponse::builder().status(200).body(Bytes::from_static(b"\x1f\x8bfile")).expect("response");
    sandbox.stub("GET", "v3/billdownload/file", 200, json!({}));
    sandbox.inject(Fault::Gateway(file()));
    let response =
        client.chain("v3/billdownload/file").get(json!({ "query": { "token": "x" } })).expect("no signature needed");
    assert!(!response.is_verified());
    assert_eq!(&response.body()[..], b"\x1f\x8bfile");
    // If it is signed, it is verified.
    assert!(client.chain("v3/billdownload/file").get(()).expect("signed").is_verified());
}

#[test]
fn a_response_over_the_limit_is_an_error() {
    let sandbox = sandbox();
    let huge = HttpResponse::builder().status(200).body(Bytes::from(vec![b' '; 17 * 1024 * 1024])).expect("response");
    assert_eq!(call(&sandbox, Fault::Gateway(huge)).expect_err("huge").kind(), ErrorKind::TooLarge);
}
