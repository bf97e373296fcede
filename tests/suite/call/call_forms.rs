//! The same call in every form puts the same bytes on the wire.

use proptest::prelude::ProptestConfig;
use serde_json::json;
use wechatpay_chain::sandbox::Received;
use wechatpay_chain::{Options, Response, chain};

use crate::support::{CARDS, options, run, sandbox};

/// The parts of a request that must not depend on the form: all but nonce, timestamp and signature.
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

fn assert_answered(form: &str, response: &Response) {
    assert_eq!(response.status(), 200, "{form}");
    assert!(response.is_verified(), "{form}");
    assert!(response.request_id().is_some(), "{form}");
    let token = response.json().expect("json")["permission_token"].as_str().map(str::len);
    assert_eq!(token, Some(32), "{form}");
}

#[test]
fn six_forms_and_the_macro_send_the_same() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let by_seg = || {
        client.seg("v3").seg("marketing").seg("membercardOpen").seg("cards").seg("_card_id_").seg("permissionTokens")
    };
    assert_answered("seg", &by_seg().post(options()).expect("seg"));
    assert_answered("chain", &client.chain(CARDS).post(options()).expect("chain"));
    assert_answered(
        "index",
        &client["v3/marketing/membercard-open/cards/{card_id}/permission-tokens"].post(options()).expect("index"),
    );
    run(async {
        assert_answered("seg async", &by_seg().post_async(options()).await.expect("seg"));
        assert_answered("chain async", &client.chain(CARDS).post_async(options()).await.expect("chain"));
        let path = &client["v3/marketing/membercard-open/cards/{card_id}/permission-tokens"];
        assert_answered("index async", &path.post_async(options()).await.expect("index"));
    });
    chain!(client->v3->marketing->membercardOpen->cards->_card_id_->permissionTokens)
        .post_async(options())
        .then(|response| assert_answered("chain!", &response))
        .otherwise(|error| panic!("{error}"))
        .wait()
        .expect("handled");
    // Nested, angle brackets, camelCase in a path, the generic verb, and options by the builder.
    assert_answered(
        "nested",
        &client["v3"]["marketing"].chain("membercardOpen/cards/<card_id>")["permissionTokens"]
            .post(options())
            .expect("nested"),
    );
    assert_answered("request", &client.request("POST", CARDS, options()).expect("request"));
    let built = Options::new().with("card_id", options()["card_id"].clone()).json(&options()["json"]);
    assert_answered("builder", &client.chain(CARDS).post(built).expect("builder"));

    let requests = sandbox.requests();
    assert_eq!(requests.len(), 10);
    let first = comparable(&requests[0]);
    assert_eq!(first.0, "POST");
    assert_eq!(first.1, "/v3/marketing/membercard-open/cards/pbLatjvWOibDc5-TBnbUk1pD12o0/permission-tokens");
    assert_eq!(first.3, serde_json::to_vec(&options()["json"]).expect("json"));
    for request in &requests[1..] {
        assert_eq!(comparable(request), first);
    }
    // Nothing repeats but what must: each has its own nonce and signature.
    let mut headers: Vec<_> = requests.iter().map(|request| request.headers["authorization"].clone()).collect();
    headers.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    headers.dedup();
    assert_eq!(headers.len(), 10);
}

#[test]
fn every_verb_in_both_forms() {
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
        assert_eq!(outcome.expect(method).json().expect("json")["method"], method);
    }
    for request in sandbox.requests() {
        assert_eq!(request.target, "/v3/things/1?a%5B0%5D=1&a%5B1%5D=1&b=x%20y");
    }
    // An answer without a body is signed, too.
    sandbox.stub("DELETE", "v3/things/{id}", 204, json!(null));
    let response = thing.delete(options()).expect("204");
    assert!(response.is_verified() && response.body().is_empty());
}

#[test]
fn a_prefix_serves_many_calls_and_an_index_returns_the_same_chain() {
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

/// All that PHP's chain takes, and one path for each place of the program.
#[test]
fn the_macro_takes_what_php_takes() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let template = |chain: wechatpay_chain::Chain| chain.template().expect("path").to_owned();
    let (name, path) = ("permissionTokens", String::from("membercard-open/cards/{card_id}"));
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
    // Words of Rust, and capitals where a path may have them.
    assert_eq!(template(chain!(client->v3->type->in->r#loop->"{Id}"->"a%2Fb")), "v3/type/in/loop/{Id}/a%2Fb");
    let told = chain!(client->v3->marketing->membercardOpen->cards->_card_id_->permissionTokens->postAsync(options())->then(|answer| answer.status().as_u16())->wait());
    assert_eq!(told.expect("answer"), 200);
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
        verb.wait().expect("answer");
    }
    let methods: Vec<_> = sandbox.requests().iter().map(|request| request.method.to_string()).collect();
    assert_eq!(methods.get(1..), Some(["GET", "PUT", "POST", "PATCH", "DELETE"].map(String::from).as_slice()));
    assert_eq!(
        chain!(client["v3/marketing/membercard-open/cards/{card_id}/permission-tokens"]->post(options()))
            .expect("answer")
            .status(),
        200
    );
}

/// What the compiler writes is what `seg` writes, and what it refuses `seg` refuses.
#[test]
fn the_macro_writes_what_seg_writes() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let segment = "/{0,2}[aBz_{}?]{0,3}(/{1,2}[aBz1_]{0,3}){0,2}/{0,2}";
    proptest::proptest!(config, |(names in proptest::collection::vec(segment, 1..4))| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let written = std::panic::catch_unwind(|| {
            let (text, length) = wechatpay_chain::__private::text::<256>(&names);
            String::from_utf8(text[..length].to_vec()).expect("text")
        });
        let (first, others) = names.split_first().expect("a name");
        let chain = others.iter().fold(client.seg(first), |chain, name| chain.seg(name));
        proptest::prop_assert_eq!(written.ok(), chain.template().ok().map(str::to_owned), "{:?}", names);
    });
    let chain = chain!(client->v3["pay/"]["/"]->"//transactions");
    assert_eq!(chain.template().expect("path"), "v3/pay/transactions");
}
