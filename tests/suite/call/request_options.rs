//! Options of a call: bodies, redirects, proxy and connect timeout.

use bytes::Bytes;
use http::Response as HttpResponse;
use serde_json::{Value, json};
use wechatpay_chain::sandbox::Fault;
use wechatpay_chain::{ErrorKind, Options};

use crate::support::{CARDS, options, silent_server, start, unused_address};

#[test]
fn each_kind_of_body_has_its_content_type() {
    let (sandbox, client) = start();
    sandbox.stub("POST", "v3/x", 200, json!({}));
    let post = |options: Options| {
        client.chain("v3/x").post(options).expect("response");
        let request = sandbox.requests().pop().expect("received");
        let content_type = request.headers["content-type"].to_str().expect("text").to_owned();
        (content_type, request.body)
    };
    let expected = |content_type: &str, body: &'static [u8]| (content_type.to_owned(), Bytes::from_static(body));
    assert_eq!(post(json!({ "body": "<raw>" }).into()), expected("application/json; charset=utf-8", b"<raw>"));
    assert_eq!(post(Options::new().body(&b"\x00\xff"[..])), expected("application/json; charset=utf-8", b"\x00\xff"));
    assert_eq!(
        post(json!({ "form_params": { "a b": "c~d", "e": [1, 2] } }).into()),
        expected("application/x-www-form-urlencoded", b"a+b=c%7Ed&e%5B0%5D=1&e%5B1%5D=2")
    );
    assert_eq!(
        post(json!({ "body": "a", "headers": { "content-type": "text/plain" } }).into()),
        expected("text/plain", b"a")
    );
    assert_eq!(post(json!({ "json": [] }).into()), expected("application/json", b"[]"));
    assert_eq!(post(().into()), expected("application/json; charset=utf-8", b""));
}

#[test]
fn redirects_are_followed_only_if_allowed_and_signed_again() {
    let (sandbox, client) = start();
    let moved = |status: u16, location: &str| {
        let response = HttpResponse::builder().status(status).header("location", location);
        Fault::Gateway(response.body(Bytes::new()).expect("response"))
    };
    sandbox.stub("GET", "v3/new", 200, json!({ "at": "new" }));
    sandbox.stub("POST", "v3/new", 200, json!({ "at": "new" }));
    sandbox.inject(moved(302, "/v3/new"));
    assert_eq!(client.chain("v3/old").get(()).expect_err("redirects are off").kind(), ErrorKind::Redirect);
    for (status, verb, extra) in
        [(302, "GET", json!(true)), (307, "POST", json!({ "max": 1 })), (301, "POST", json!({ "strict": true }))]
    {
        sandbox.inject(moved(status, "/v3/new"));
        let options = json!({ "allow_redirects": extra, "json": { "a": 1 } });
        let response = client.request(verb, "v3/old", options).expect("followed");
        assert_eq!(response.json::<Value>().expect("json")["at"], "new");
        let requests = sandbox.requests();
        let [.., first, second] = &requests[..] else { panic!("two") };
        assert_eq!((&first.method, &first.body), (&second.method, &second.body));
        assert_ne!(first.headers["authorization"], second.headers["authorization"]);
    }
    let before = sandbox.requests().len();
    for (status, location, expected) in
        [(302, "https://evil.example/v3/new", "another host"), (302, "/v3/new", "would become a GET")]
    {
        sandbox.inject(moved(status, location));
        let error = client.chain("v3/old").post(json!({ "allow_redirects": true })).expect_err(expected);
        assert!(error.kind() == ErrorKind::Redirect && error.to_string().contains(expected), "{error}");
    }
    for _ in 0..3 {
        sandbox.inject(moved(307, "/v3/old"));
    }
    let error = client.chain("v3/old").get(json!({ "allow_redirects": { "max": 2 } })).expect_err("too many redirects");
    assert_eq!(error.kind(), ErrorKind::Redirect);
    assert_eq!(sandbox.requests().len(), before + 2 + 3);
}

#[test]
fn proxy_and_connect_timeout_apply_to_one_call() {
    let (sandbox, client) = start();
    let mut proxied = options();
    proxied["proxy"] = format!("http://{}", unused_address()).into();
    let error = client.chain(CARDS).post(proxied).expect_err("no proxy");
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    client.chain(CARDS).post(options()).expect("other calls have no proxy");
    let mut slow = options();
    slow["base_uri"] = format!("https://{}/", silent_server()).into();
    slow["connect_timeout"] = json!(0.2);
    let error = client.chain(CARDS).post(slow).expect_err("silent");
    assert!(error.is_connect() && error.is_timeout() && error.to_string().contains("200ms"), "{error}");
    assert_eq!(sandbox.requests().len(), 1);
}
