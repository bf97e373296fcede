//! Which errors prove that the service refused a call, and what errors show of a body.

use std::error::Error as _;

use bytes::Bytes;
use http::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use wechatpay_chain::sandbox::Fault;
use wechatpay_chain::{Error, ErrorKind, Options, sandbox};

use crate::support::{CARDS, client_at, options, raw_server, start};

const FORGED: &str = r#"{"code":"ORDER_NOT_EXIST","message":"no such order"}"#;

fn raw(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nlocation: /v3/y\r\n\r\n{body}", body.len()).into_bytes()
}

#[test]
fn an_unsigned_response_is_not_a_refusal() {
    let (sandbox, _) = start();
    for (status, body, kind) in [
        ("502 Bad Gateway", "<html></html>", ErrorKind::ServerError),
        ("302 Found", "", ErrorKind::Redirect),
        ("404 Not Found", FORGED, ErrorKind::ClientError),
        ("400 Bad Request", FORGED, ErrorKind::ClientError),
        ("429 Too Many Requests", "", ErrorKind::ClientError),
        ("999 Odd", FORGED, ErrorKind::ServerError),
        ("101 Switching Protocols", "", ErrorKind::ServerError),
    ] {
        let client = client_at(&sandbox, raw_server(raw(status, body)));
        let error = client.chain(CARDS).post(options()).expect_err(status);
        assert_eq!(error.kind(), kind, "{status}: {error}");
        assert!(!error.is_refusal() && !error.is_verified() && !error.is_before_send(), "{status}: {error}");
        assert!(error.to_string().contains(" (unverified): "), "{status}: {error}");
    }
}

#[test]
fn a_verified_4xx_is_a_refusal() {
    let (sandbox, client) = start();
    let query = json!({ "no": "none", "query": { "mchid": sandbox::MCHID } });
    let error = client.chain("v3/pay/transactions/out-trade-no/{no}").get(query).expect_err("404");
    assert!(error.is_refusal() && error.is_verified() && !error.to_string().contains("unverified"), "{error}");
    // A verified 5xx leaves the outcome unknown, and so does a code of the bank.
    for (status, code) in [(500, "SYSTEM_ERROR"), (403, "BANK_ERROR"), (400, "USERPAYING")] {
        sandbox.stub("POST", "v3/x", status, json!({ "code": code, "message": "try again" }));
        let error = client.chain("v3/x").post(()).expect_err(code);
        assert!(error.is_verified() && !error.is_refusal(), "{error}");
    }
    // A verified redirect was not followed; what happened is not known.
    sandbox.stub("POST", "v3/x", 302, json!({}));
    assert!(!client.chain("v3/x").post(()).expect_err("302").is_refusal());
}

#[test]
fn a_refusal_of_a_later_attempt_says_nothing_about_the_first() {
    let (sandbox, client) = start();
    let mut wrong = options();
    wrong["json"] = json!({ "activate_type": 7 });
    wrong["retry"] = json!({ "times": 1, "pause": 0.001 });
    let error = client.chain(CARDS).post(wrong.clone()).expect_err("400");
    assert!(error.is_refusal(), "one attempt: {error}");
    sandbox.inject(Fault::Hangup);
    let error = client.chain(CARDS).post(wrong).expect_err("400");
    assert_eq!(
        (error.kind(), error.response().map(wechatpay_chain::Response::attempts)),
        (ErrorKind::ClientError, Some(2))
    );
    assert!(error.is_verified() && !error.is_refusal(), "the first attempt may have been executed: {error}");
    // A followed redirect is an earlier request, too.
    sandbox.stub("GET", "v3/moved", 307, json!({}));
    sandbox.inject(Fault::Tamper(Box::new(|response| {
        response.headers_mut().insert("location", "/v3/none".parse().expect("path"));
    })));
    let followed = client.chain("v3/moved").get(json!({ "allow_redirects": true }));
    if let Err(error) = followed {
        assert!(!error.is_refusal(), "{error}");
    }
}

#[test]
fn a_refusal_with_a_wrong_signature_is_a_verification_error() {
    let (sandbox, client) = start();
    let mut wrong = options();
    wrong["json"] = json!({ "activate_type": 7 });
    for fault in [
        Fault::WrongSignature,
        Fault::Clock(-400),
        Fault::UnknownSerial,
        Fault::MissingHeader("wechatpay-nonce".to_owned()),
        Fault::Tamper(Box::new(|response| *response.body_mut() = Bytes::from_static(FORGED.as_bytes()))),
    ] {
        let name = format!("{fault:?}");
        sandbox.inject(fault);
        let error = client.chain(CARDS).post(wrong.clone()).expect_err(&name);
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, None), "{name}: {error}");
        assert!(!error.is_refusal() && error.status().is_some_and(|status| status == 400), "{name}: {error}");
        assert!(error.message().contains("the untrusted response reports "), "{name}: {error}");
    }
    sandbox.stub("POST", "v3/x", 500, json!({ "code": "SYSTEM_ERROR", "message": "m" }));
    sandbox.inject(Fault::WrongSignature);
    assert_eq!(client.chain("v3/x").post(()).expect_err("500").kind(), ErrorKind::Verification);
}

/// Everything that a program may log of an error, with its sources.
fn shown(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(next) = source {
        text.push_str(&format!(" {next} {next:?}"));
        source = next.source();
    }
    text
}

#[test]
fn errors_show_no_value_of_a_body() {
    const OPENID: &str = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o";
    #[derive(Debug, Deserialize)]
    struct Order {
        #[allow(dead_code, reason = "only deserialized")]
        payer: Payer,
    }
    #[derive(Debug, Deserialize)]
    struct Payer {
        #[allow(dead_code, reason = "only deserialized")]
        openid: u64,
    }
    let (sandbox, client) = start();
    sandbox.stub("GET", "v3/x", 200, json!({ "payer": { "openid": OPENID } }));
    let response = client.chain("v3/x").get(()).expect("200");
    let error = response.json::<Order>().expect_err("not a number");
    assert!(!shown(&error).contains(OPENID), "{}", shown(&error));
    for expected in ["payer.openid", "at line 1, column", "bytes of application/json"] {
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
    // A body that is not JSON, and error responses without a message.
    for (status, content_type, body) in [
        (200, "text/plain", format!("{OPENID} 13800138000")),
        (400, "application/json", json!({ "openid": OPENID }).to_string()),
        (502, "text/html", format!("<html>{OPENID}</html>")),
        (404, "text/plain", OPENID.to_owned()),
    ] {
        let gateway = Response::builder().status(status).header("content-type", content_type).body(Bytes::from(body));
        sandbox.inject(Fault::Gateway(gateway.expect("response")));
        let error = match client.chain("v3/billdownload/file").get(()) {
            Ok(response) => {
                assert!(!shown(&response.xml().expect_err("not XML")).contains(OPENID));
                response.json::<Value>().expect_err("not JSON")
            }
            Err(error) => error,
        };
        assert!(!shown(&error).contains(OPENID), "{}", shown(&error));
        assert!(error.to_string().contains(" bytes"), "{error}");
    }
}

#[test]
fn the_error_of_a_notification_shows_no_value_of_its_resource() {
    let sandbox = crate::support::sandbox();
    let client = sandbox.client_builder().apiv3_key(sandbox.apiv3_key()).build().expect("client");
    let paid = json!({ "payer": { "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" } });
    let request = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &paid).expect("notification");
    let notification = client.notifications().expect("key").verify(request.headers(), request.body()).expect("valid");
    #[derive(Debug, Deserialize)]
    struct Paid {
        #[allow(dead_code, reason = "only deserialized")]
        payer: String,
    }
    let error = notification.json::<Paid>().expect_err("not a string");
    assert!(error.message().contains("the type of payer does not match"), "{error}");
    assert!(!shown(&error).contains("oUpF8uMuAJO"), "{}", shown(&error));
}

/// All texts of an error and of its sources.
fn chain_of(error: &Error) -> String {
    let mut source = std::error::Error::source(error);
    let mut text = error.to_string();
    while let Some(error) = source {
        text.push_str(&format!("\n{error}"));
        source = error.source();
    }
    text
}

#[test]
fn an_error_of_decoding_keeps_the_call_and_the_response() {
    let (sandbox, client) = start();
    sandbox.stub("GET", "v3/x/{id}", 200, json!({ "amount": "13800138000" }));
    let response = client.chain("v3/x/{id}").get(json!({ "id": "secret" })).expect("200");
    #[derive(Debug, Deserialize)]
    struct Order {
        #[allow(dead_code, reason = "only deserialized")]
        amount: u64,
    }
    for (error, reason) in [
        (response.json::<Order>().expect_err("not a number"), "the type of amount does not match"),
        (response.xml().expect_err("not XML"), "it does not begin with an element"),
    ] {
        assert_eq!((error.kind(), error.call()), (ErrorKind::Decode, Some("GET v3/x/{id}")), "{error}");
        assert_eq!(error.status().map(|status| status.as_u16()), Some(200));
        assert_eq!(error.request_id(), response.request_id());
        assert!(error.request_id().is_some() && error.is_verified() && !error.is_refusal());
        assert_eq!(error.response().expect("the response").body(), response.body());
        let text = chain_of(&error);
        assert!(text.starts_with("GET v3/x/{id}: 200 OK: the body is not the expected "), "{text}");
        assert_eq!(text.matches(reason).count(), 1, "{text}");
        assert!(text.contains(&format!("{} bytes of application/json", response.body().len())), "{text}");
        assert!(!text.contains("138001") && !text.contains("secret"), "{text}");
    }
    // A body that is empty, or not in memory.
    sandbox.inject(Fault::Gateway(Response::builder().status(200).body(Bytes::new()).expect("response")));
    let empty = client.chain("v3/billdownload/file").get(()).expect("unsigned");
    for (error, expected) in [(empty.json::<Value>().err(), "JSON"), (empty.xml().err(), "XML")] {
        let text = error.expect("empty").to_string();
        assert!(text.contains(&format!(": 200 OK: the body is empty, and {expected} was expected")), "{text}");
    }
    let options = Options::new().var("id", "1").sink(std::io::sink());
    let text = client.chain("v3/x/{id}").get(options).expect("200").field::<u64>("amount").expect_err("in the sink");
    assert!(text.to_string().contains("the body went to a sink or a stream"), "{text}");
    // The names in broken XML may be values.
    for body in ["<xml><a>5 <13800138000</a></xml>", "<xml>&#x13800138000;</xml>", "<xml>&oUpF8uMuAJO_M2pxb1Q9;</xml>"]
    {
        let gateway = Response::builder().status(200).header("content-type", "text/xml");
        sandbox.inject(Fault::Gateway(gateway.body(Bytes::from(body)).expect("response")));
        let error = client.chain("v3/billdownload/file").get(()).expect("unsigned").xml().expect_err("broken");
        let text = shown(&error);
        assert!(!text.contains("138001") && !text.contains("oUpF8"), "{text}");
    }
    // A damaged body names its cause once.
    let gateway = Response::builder().status(200).header("content-encoding", "gzip");
    sandbox.inject(Fault::Gateway(gateway.body(Bytes::from("not gzip")).expect("response")));
    let text = chain_of(&client.chain("v3/billdownload/file").get(()).expect_err("damaged"));
    let cause = text.rsplit(": ").next().expect("a cause");
    assert_eq!(text.matches(cause).count(), 1, "{text}");
}
