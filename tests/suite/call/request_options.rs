//! The options that decide how a call is sent: bodies, redirects, proxies.

use bytes::Bytes;
use http::Response as Answer;
use serde_json::json;
use wechatpay_chain::sandbox::Fault;
use wechatpay_chain::{ErrorKind, Options};

use crate::support::{CARDS, options, start};

#[test]
fn bodies_of_every_kind() {
    let (sandbox, client) = start();
    sandbox.stub("POST", "v3/x", 200, json!({}));
    let post = |options: Options| {
        client.chain("v3/x").post(options).expect("answer");
        let request = sandbox.requests().pop().expect("received");
        let content_type = request.headers["content-type"].to_str().expect("text").to_owned();
        (content_type, request.body)
    };
    let is = |content_type: &str, body: &'static [u8]| (content_type.to_owned(), Bytes::from_static(body));
    assert_eq!(post(json!({ "body": "<raw>" }).into()), is("application/json; charset=utf-8", b"<raw>"));
    assert_eq!(post(Options::new().body(&b"\x00\xff"[..])), is("application/json; charset=utf-8", b"\x00\xff"));
    assert_eq!(
        post(json!({ "form_params": { "a b": "c~d", "e": [1, 2] } }).into()),
        is("application/x-www-form-urlencoded", b"a+b=c%7Ed&e%5B0%5D=1&e%5B1%5D=2")
    );
    assert_eq!(
        post(json!({ "body": "a", "headers": { "content-type": "text/plain" } }).into()),
        is("text/plain", b"a")
    );
    assert_eq!(post(json!({ "json": [] }).into()), is("application/json", b"[]"));
    assert_eq!(post(().into()), is("application/json; charset=utf-8", b""));
}

#[test]
fn redirects_only_when_asked_for_and_signed_anew() {
    let (sandbox, client) = start();
    let moved = |status: u16, location: &str| {
        let answer = Answer::builder().status(status).header("location", location);
        Fault::Gateway(answer.body(Bytes::new()).expect("answer"))
    };
    sandbox.stub("GET", "v3/new", 200, json!({ "at": "new" }));
    sandbox.stub("POST", "v3/new", 200, json!({ "at": "new" }));
    sandbox.inject(moved(302, "/v3/new"));
    assert_eq!(client.chain("v3/old").get(()).expect_err("not asked for").kind(), ErrorKind::Redirect);
    for (status, verb, extra) in
        [(302, "GET", json!(true)), (307, "POST", json!({ "max": 1 })), (301, "POST", json!({ "strict": true }))]
    {
        sandbox.inject(moved(status, "/v3/new"));
        let options = json!({ "allow_redirects": extra, "json": { "a": 1 } });
        let response = client.request(verb, "v3/old", options).expect("followed");
        assert_eq!(response.json().expect("json")["at"], "new");
        let requests = sandbox.requests();
        let [.., first, second] = &requests[..] else { panic!("two") };
        assert_eq!((&first.method, &first.body), (&second.method, &second.body));
        assert_ne!(first.headers["authorization"], second.headers["authorization"]);
    }
    let before = sandbox.requests().len();
    for (status, location, words) in
        [(302, "https://evil.example/v3/new", "another host"), (302, "/v3/new", "would become a GET")]
    {
        sandbox.inject(moved(status, location));
        let error = client.chain("v3/old").post(json!({ "allow_redirects": true })).expect_err(words);
        assert!(error.kind() == ErrorKind::Redirect && error.to_string().contains(words), "{error}");
    }
    for _ in 0..3 {
        sandbox.inject(moved(307, "/v3/old"));
    }
    let error = client.chain("v3/old").get(json!({ "allow_redirects": { "max": 2 } })).expect_err("round in circles");
    assert_eq!(error.kind(), ErrorKind::Redirect);
    assert_eq!(sandbox.requests().len(), before + 2 + 3);
}

#[test]
fn a_proxy_and_a_connect_timeout_for_one_call() {
    let (sandbox, client) = start();
    let unreachable = std::net::TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address");
    let mut through = options();
    through["proxy"] = format!("http://{unreachable}").into();
    let error = client.chain(CARDS).post(through).expect_err("no proxy there");
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    client.chain(CARDS).post(options()).expect("other calls go directly");
    let silent = crate::support::server(|stream| async move {
        let _kept = stream;
        std::future::pending().await
    });
    let mut slow = options();
    slow["base_uri"] = format!("https://{silent}/").into();
    slow["connect_timeout"] = json!(0.2);
    let error = client.chain(CARDS).post(slow).expect_err("silent");
    assert!(error.is_connect() && error.is_timeout() && error.to_string().contains("200ms"), "{error}");
    assert_eq!(sandbox.requests().len(), 1);
}
