//! Every form of a call sends the same bytes.

use proptest::prelude::ProptestConfig;
use serde_json::{Value, json};
use wechatpay_chain::sandbox::Received;
use wechatpay_chain::{ErrorKind, Options, Response, chain};

use crate::support::{CARDS, options, run, sandbox};

/// The parts of a request that do not depend on the form: all but nonce, timestamp and signature.
fn comparable(request: &Received) -> (String, String, Vec<(String, String)>, Vec<u8>) {
    let mut headers: Vec<_> = request
        .headers
        .iter()
        .map(|(name, value)| {
            let value = value.to_str().expect("text");
            let cut = if name == "authorization" { value.find("timestamp=").expect("timestamp") } else { value.len() };
            (name.to_string(), value[..cut].to_owned())
        })
        .collect();
    headers.sort();
    (request.method.to_string(), request.target.clone(), headers, request.body.to_vec())
}

fn assert_verified(form: &str, response: &Response) {
    assert_eq!(response.status(), 200, "{form}");
    assert!(response.is_verified(), "{form}");
    assert!(response.request_id().is_some(), "{form}");
    let token = response.json::<Value>().expect("json")["permission_token"].as_str().map(str::len);
    assert_eq!(token, Some(32), "{form}");
}

#[test]
fn six_forms_and_the_macro_send_the_same_request() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let by_seg = || {
        client.seg("v3").seg("marketing").seg("membercardOpen").seg("cards").seg("_card_id_").seg("permissionTokens")
    };
    assert_verified("seg", &by_seg().post(options()).expect("seg"));
    assert_verified("chain", &client.chain(CARDS).post(options()).expect("chain"));
    assert_verified(
        "index",
        &client["v3/marketing/membercard-open/cards/{card_id}/permission-tokens"].post(options()).expect("index"),
    );
    run(async {
        assert_verified("seg async", &by_seg().post_async(options()).await.expect("seg"));
        assert_verified("chain async", &client.chain(CARDS).post_async(options()).await.expect("chain"));
        let path = &client["v3/marketing/membercard-open/cards/{card_id}/permission-tokens"];
        assert_verified("index async", &path.post_async(options()).await.expect("index"));
    });
    chain!(client->v3->marketing->membercardOpen->cards->_card_id_->permissionTokens)
        .post_async(options())
        .then(|response| assert_verified("chain!", &response))
        .otherwise(|error| panic!("{error}"))
        .wait()
        .expect("handled");
    // Nested chains, angle brackets, camelCase in a path, any method, and options from the builder.
    assert_verified(
        "nested",
        &client["v3"]["marketing"].chain("membercard-open/cards/<card_id>")["permissionTokens"]
            .post(options())
            .expect("nested"),
    );
    assert_verified("request", &client.request("POST", CARDS, options()).expect("request"));
    let built = Options::new().with("card_id", options()["card_id"].clone()).json(&options()["json"]);
    assert_verified("builder", &client.chain(CARDS).post(built).expect("builder"));

    let requests = sandbox.requests();
    assert_eq!(requests.len(), 10);
    let first = comparable(&requests[0]);
    assert_eq!(first.0, "POST");
    assert_eq!(first.1, "/v3/marketing/membercard-open/cards/pbLatjvWOibDc5-TBnbUk1pD12o0/permission-tokens");
    assert_eq!(first.3, serde_json::to_vec(&options()["json"]).expect("json"));
    for request in &requests[1..] {
        assert_eq!(comparable(request), first);
    }
    // Each request has its own nonce and signature.
    let mut headers: Vec<_> = requests.iter().map(|request| request.headers["authorization"].clone()).collect();
    headers.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    headers.dedup();
    assert_eq!(headers.len(), 10);
}

#[test]
fn every_verb_is_synchronous_and_asynchronous() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    for method in ["GET", "PUT", "POST", "PATCH", "DELETE"] {
        sandbox.stub(method, "v3/things/{id}", 200, json!({ "method": method }));
    }
    let thing = client.chain("v3/things/{id}");
    let options = || json!({ "id": "1", "query": { "a": [1, true], "b": "x y" } });
    let sync = [
        thing.get(options()),
        thing.put(options()),
        thing.post(options()),
        thing.patch(options()),
        thing.delete(options()),
    ];
    let r#async = run(async {
        [
            thing.get_async(options()).await,
            thing.put_async(options()).await,
            thing.post_async(options()).await,
            thing.patch_async(options()).await,
            thing.delete_async(options()).await,
        ]
    });
    for (outcome, method) in sync.into_iter().chain(r#async).zip(["GET", "PUT", "POST", "PATCH", "DELETE"].repeat(2)) {
        assert_eq!(outcome.expect(method).json::<Value>().expect("json")["method"], method);
    }
    for request in sandbox.requests() {
        assert_eq!(request.target, "/v3/things/1?a%5B0%5D=1&a%5B1%5D=1&b=x%20y");
    }
    // A response without a body is signed, too.
    sandbox.stub("DELETE", "v3/things/{id}", 204, json!(null));
    let response = thing.delete(options()).expect("204");
    assert!(response.is_verified() && response.body().is_empty());
}

#[test]
fn a_prefix_is_reusable_and_an_index_returns_the_same_chain() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let orders = client.chain("v3/pay/transactions");
    assert_eq!(orders.seg("id").seg("_id_").template().expect("template"), "v3/pay/transactions/id/{id}");
    assert_eq!(orders.seg("native").template().expect("template"), "v3/pay/transactions/native");
    assert!(std::ptr::eq(&client["v3/certificates"], &client["v3/certificates"]));
    assert!(std::ptr::eq(&client.clone()["v3/certificates"], &client["v3/certificates"]));
    // A clone of an indexed chain outlives the client.
    let chain = client["v3/certificates"].clone();
    drop(client);
    sandbox.stub("GET", "v3/certificates", 200, json!({}));
    assert!(chain.get(()).is_ok());
}

/// The macro accepts PHP's forms of a path.
#[test]
fn the_macro_accepts_the_forms_of_php() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let template = |chain: wechatpay_chain::Chain| chain.template().expect("path").to_owned();
    let (name, path) = ("permission-tokens", String::from("membercard-open/cards/{card_id}"));
    let prefix = client.chain("v3/marketing/");
    for chain in [
        chain!(client->v3->marketing->membercardOpen->cards->_card_id_->permissionTokens),
        chain!(client->"v3"->{"marketing"}->"membercardOpen"->cards->{"{card_id}"}->{"permission-tokens"}),
        chain!(client->chain("v3/marketing/membercardOpen")->cards["{card_id}/permission-tokens"]),
        chain!(client["v3/marketing/"]->"/membercardOpen/cards/{card_id}"->permissionTokens),
        chain!(client->v3->marketing->chain(&path)->{name}),
        chain!(prefix->membercardOpen->cards->_card_id_->permissionTokens),
        chain!((client.seg("v3"))->marketing->{path.as_str()}->permissionTokens),
    ] {
        assert_eq!(template(chain), CARDS);
    }
    // Keywords of Rust, and capitals where a path may contain them.
    assert_eq!(template(chain!(client->v3->type->in->r#loop->"{Id}"->"a%2Fb")), "v3/type/in/loop/{Id}/a%2Fb");
    let status = chain!(client->v3->marketing->membercardOpen->cards->_card_id_->permissionTokens->postAsync(options())->then(|response| response.status().as_u16())->wait());
    assert_eq!(status.expect("response"), 200);
    for method in ["GET", "PUT", "POST", "PATCH", "DELETE"] {
        sandbox.stub(method, "v3/verb", 200, json!({}));
    }
    let verbs = [
        chain!(client->v3->verb->getAsync(())),
        chain!(client->v3->verb->putAsync(json!({ "json": {} }))),
        chain!(client->v3->verb->postAsync(json!({ "json": {} }))),
        chain!(client->v3->verb->patchAsync(json!({ "json": {} }))),
        chain!(client->v3->verb->deleteAsync(())),
    ];
    for verb in verbs {
        verb.wait().expect("response");
    }
    let methods: Vec<_> = sandbox.requests().iter().map(|request| request.method.to_string()).collect();
    assert_eq!(methods.get(1..), Some(["GET", "PUT", "POST", "PATCH", "DELETE"].map(String::from).as_slice()));
    assert_eq!(
        chain!(client["v3/marketing/membercard-open/cards/{card_id}/permission-tokens"]->post(options()))
            .expect("response")
            .status(),
        200
    );
}

/// The path that the macro builds at compile time, or its refusal, equals that of `seg`.
#[test]
fn the_macro_builds_the_same_path_as_seg() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let segment = r"/{0,2}[aBz_{}?]{0,3}(\{[/?&+]?aB\})?(/{1,2}[aBz1_:]{0,3}(\{[/?;]aB\})?){0,2}/{0,2}";
    proptest::proptest!(config, |(names in proptest::collection::vec(segment, 1..4))| {
        let names: Vec<&'static str> = names.into_iter().map(|name| &*name.leak()).collect();
        let written = std::panic::catch_unwind(|| {
            let (text, length) = wechatpay_chain::__private::join_names::<256>(&names);
            String::from_utf8(text[..length].to_vec()).expect("text")
        });
        let (first, others) = names.split_first().expect("a name");
        let chain = others.iter().fold(client.seg(*first), |chain, name| chain.seg(*name));
        proptest::prop_assert_eq!(written.ok(), chain.template().ok().map(str::to_owned), "{:?}", names);
    });
    let chain = chain!(client->v3["pay/"]["/"]->"//transactions");
    assert_eq!(chain.template().expect("path"), "v3/pay/transactions");
    let chain = chain!(client->v3["payScore/cards{/cardId}"]->"pendingBills{?limit}");
    assert_eq!(chain.template().expect("path"), "v3/pay-score/cards{/cardId}/pending-bills{?limit}");
    sandbox.stub("GET", "v3/pay-score/cards/{id}/pending-bills", 200, json!({}));
    chain.get(json!({ "cardId": "aB/c", "limit": 1 })).expect("response");
    let requests = sandbox.requests();
    assert_eq!(requests.last().expect("a request").target, "/v3/pay-score/cards/aB%2Fc/pending-bills?limit=1");
}

#[test]
fn text_of_the_run_time_is_not_changed() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    // A value that looks like a name.
    let id = String::from("testOrder");
    let orders = "v3/pay/transactions/out-trade-no";
    for chain in [
        client.chain(&format!("{orders}/{id}")),
        client.chain(orders).chain(&id),
        client.seg("v3").chain(&id),
        chain!(client->v3->pay->{&id}),
        chain!(client->v3->chain(&id)),
    ] {
        let error = chain.get(json!({})).expect_err("a value in the path");
        assert_eq!(error.kind(), ErrorKind::Path, "{error}");
        assert!(error.message().contains("\"testOrder\" has capitals"), "{error}");
        assert!(error.message().contains("write \"test-order\" if"), "{error}");
    }
    // A value that ends the path. The option would replace its end.
    let id = "x?y=1";
    let query = || json!({ "query": { "mchid": "1900000109" } });
    for (path, options) in [
        (format!("{orders}/{id}"), query()),
        (format!("{orders}/1{{?y}}"), json!({ "y": 1, "query": {} })),
        (format!("{orders}/1?x=1{{&y}}"), json!({ "y": 1, "query": "a=b" })),
    ] {
        let error = client.chain(&path).get(options.clone()).expect_err("two queries");
        assert_eq!(error.kind(), ErrorKind::Options, "{error}");
        assert!(error.message().contains("which the option \"query\" would replace"), "{error}");
        let error = client.chain(&path).chain("z").get(options).expect_err("two queries");
        assert_eq!(error.kind(), ErrorKind::Options, "{error}");
    }
    assert_eq!(sandbox.requests().len(), 0, "nothing was sent");
    // Alone, either of them is sent.
    let _ = client.chain(&format!("{orders}/{id}")).get(());
    let _ = client.chain(orders).get(query());
    // Text of the program keeps PHP's rule.
    let _ = client["v3/payScore/x?y=1"].get(query());
    let _ = chain!(client->v3->payScore["x?y=1"]).get(query());
    let targets: Vec<String> = sandbox.requests().iter().map(|request| request.target.clone()).collect();
    assert_eq!(
        targets,
        [
            "/v3/pay/transactions/out-trade-no/x?y=1",
            "/v3/pay/transactions/out-trade-no?mchid=1900000109",
            "/v3/pay-score/x?mchid=1900000109",
            "/v3/pay-score/x?mchid=1900000109",
        ]
    );
}

/// The decisions where PHP joins, drops or keeps text: see "Differences from PHP" in the manual.
#[test]
fn paths_at_joints_and_optional_segments() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    for (path, options, target) in [
        (client.seg("v3").seg("a/").seg("/b"), json!({}), "/v3/a/b"),
        (client.chain("v3/a//b/"), json!({}), "/v3/a//b/"),
        (client.chain("/v3/a"), json!({}), "/v3/a"),
        (client.chain("v3/a{/b}/c"), json!({}), "/v3/a/c"),
        (client.chain("v3/a{/b}/c"), json!({ "b": null }), "/v3/a/c"),
        (client.chain("v3/a{/b*}/c"), json!({ "b": [] }), "/v3/a/c"),
        (client.chain("v3/a{/b*}/c"), json!({ "b": ["x", "y/z"] }), "/v3/a/x/y%2Fz/c"),
        (client.chain("v3/a{?b}"), json!({ "b": "" }), "/v3/a?b="),
        (client.seg("v3/payScore{?b}"), json!({ "b": 1 }), "/v3/pay-score?b=1"),
    ] {
        let _ = path.get(options);
        assert_eq!(sandbox.requests().last().expect("a request").target, target);
    }
    for name in ["", "v3/:id", ":id{?b}", "_a/b_"] {
        assert_eq!(client.chain(name).template().expect_err(name).kind(), ErrorKind::Path);
    }
}
