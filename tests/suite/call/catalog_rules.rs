//! Each rule of the check, on a catalogue of a few calls.

use serde_json::{Value, json};
use wechatpay_chain::catalog::{Catalog, Check};
use wechatpay_chain::sandbox::{PUBLIC_KEY_ID, Sandbox};
use wechatpay_chain::{Client, Media};

use crate::support::{by_certificate, sandbox};

const CATALOG: &str = "\
# wechatpay-chain catalogue, format 1

POST v2/things/{id} 一
 path!
  id integer!
 xml!
  sign string!
  nonce_str string!
  card string encrypted
 response xml

GET v3/a/{x}/c 二
 path!
  x string!
 response json

GET v3/a/{x}/{y} 三
 path!
  x string!
  y string!
 response json

POST v3/encrypted 四
 query
  page integer
  card string encrypted
 json!
  name string encrypted
  list object[]
   card string encrypted
 response json

POST v3/form 五
 headers
  Idempotency-Key string!
  Idempotency-Keys string
 query
  mchid integer
  ids string[]
 json!
  amount object!
   total integer!
  free object
  note string
   a string!
  variant object
   x string!
  variant object!
   y string!
 response json

POST v3/meta 六
 json!
  meta string json
   phone string encrypted
 response json

POST v3/optional 七
 json
  name string!
 response json

POST v3/paged 七
 query
  page integer
 json!
  name string encrypted
 response json

GET v3/things/{id} 八
 path!
  id integer!
 query
  limit integer
 response json

POST v3/required 九
 query!
  mchid string!
 json!
  note string!
 response json

POST v3/upload 十
 body!
  file object!
  card string encrypted
 response json
";

fn catalog() -> Catalog {
    Catalog::from_text(CATALOG).expect("a catalogue")
}

#[test]
fn each_rule_finds_what_it_is_for_and_nothing_else() {
    let catalog = catalog();
    let cipher = "A".repeat(344);
    // A form without findings, and the same with other members.
    let form = |members: Value| {
        let mut options = json!({ "headers": { "idempotency-key": "k" }, "json": { "amount": { "total": 1 } } });
        for (place, members) in members.as_object().expect("members") {
            match (options[place].as_object_mut(), members) {
                (Some(given), Value::Object(members)) => given.extend(members.clone()),
                _ => options[place] = members.clone(),
            }
        }
        options
    };
    let missing = "the field is required and missing";
    let plain = "the field is sent encrypted, and this is not a ciphertext: the option \"encrypt\" encrypts it";
    let no_header = "headers.Wechatpay-Serial: the header names the key of the encrypted fields, and is missing";
    for (call, options, expected) in [
        // A path without its version ends where the documented one ends.
        ("POST https://api.mch.weixin.qq.com/things/7", json!({ "xml": {} }), vec![]),
        (
            "POST https://api.mch.weixin.qq.com/things/x",
            json!({ "xml": {} }),
            vec!["id: a string where an integer is needed".to_owned()],
        ),
        // Values of variables, in every expression.
        ("GET v3/things/%37", json!({}), vec![]),
        ("GET v3/things/{id:3}", json!({ "id": 7 }), vec![]),
        ("GET v3/things/{id*}", json!({ "id": 7 }), vec![]),
        ("GET v3/things/{+id}", json!({ "id": 7 }), vec![]),
        ("GET v3/things/{.id}", json!({ "id": 7 }), vec![]),
        ("GET v3/things/{id}{?limit}", json!({ "id": 7, "limit": null }), vec![]),
        (
            "GET v3/things/{id}{?limit}",
            json!({ "id": 7, "limit": "x" }),
            vec!["query.limit: a string where an integer is needed".to_owned()],
        ),
        (
            "GET v3/things/{id}",
            json!({ "id": 7, "limit": 1 }),
            vec!["limit: the field belongs in query.limit".to_owned()],
        ),
        ("GET v3/things/7?limit=1#x", json!({}), vec![]),
        ("GET v3/things/7?unknown=1", json!({ "query": { "limit": 1 } }), vec![]),
        ("GET v3/things/7", json!({ "query": "?limit=1" }), vec![]),
        // Headers.
        ("POST v3/form", form(json!({ "headers": { "IDEMPOTENCY-KEYS": "k" } })), vec![]),
        ("POST v3/form", form(json!({})), vec![]),
        (
            "POST v3/form",
            json!({ "json": { "amount": { "total": 1 } } }),
            vec![format!("headers.Idempotency-Key: {missing}")],
        ),
        (
            "POST v3/form",
            form(json!({ "headers": { "Idempotency-Keyz": "k" } })),
            vec![
                "headers.Idempotency-Keyz: the field is not documented: did you mean \"Idempotency-Keys\"?".to_owned(),
            ],
        ),
        // Objects, lists and text.
        ("POST v3/form", form(json!({ "json": [] })), vec![format!("json.amount: {missing}")]),
        ("POST v3/form", form(json!({ "json": { "amount": [] } })), vec![]),
        ("POST v3/form", form(json!({ "json": { "free": { "anything": [1] } } })), vec![]),
        ("POST v3/form", form(json!({ "json": { "note": "no JSON" } })), vec![]),
        ("POST v3/form", form(json!({ "json": { "note": "{}" } })), vec![format!("json.note.a: {missing}")]),
        ("POST v3/form", form(json!({ "json": { "variant": { "y": "1" } } })), vec![]),
        ("POST v3/form", form(json!({ "query": { "ids": "a" } })), vec![]),
        ("POST v3/form", form(json!({ "query": { "ids": ["a", "b"] } })), vec![]),
        ("POST v3/optional", json!({}), vec![]),
        ("POST v3/optional", json!({ "json": {} }), vec![format!("json.name: {missing}")]),
        // Fields in another place.
        (
            "POST v3/form",
            form(json!({ "json": { "mchid": 1 } })),
            vec!["json.mchid: the field belongs in query.mchid".to_owned()],
        ),
        (
            "POST v3/form",
            form(json!({ "json": { "mchid": 1 }, "query": { "mchid": 1 } })),
            vec!["json.mchid: the field is not documented".to_owned()],
        ),
        (
            "POST v3/form",
            form(json!({ "json": { "amount": { "total": 1, "mchid": 1 } } })),
            vec!["json.amount.mchid: the field is not documented".to_owned()],
        ),
        ("GET v3/a/1/2", json!({ "query": { "x": 1 } }), vec!["query.x: the field is not documented".to_owned()]),
        (
            "POST v3/form",
            form(json!({ "json": { "amount": null, "total": 1 } })),
            vec![
                "json.amount: null where an object is needed".to_owned(),
                "json.total: the field belongs in json.amount.total".to_owned(),
            ],
        ),
        (
            "POST v3/required",
            json!({ "json": { "mchid": "1", "note": "x" } }),
            vec!["json.mchid: the field belongs in query.mchid".to_owned()],
        ),
        ("POST v3/required", json!({ "json": { "note": "x" } }), vec![format!("query.mchid: {missing}")]),
        // A body whose fields are not known.
        ("POST v3/required", json!({ "query": { "mchid": "1" }, "body": "{}" }), vec![]),
        ("POST v3/optional", json!({ "body": "{}" }), vec![]),
        ("POST v3/encrypted", json!({ "body": "{}" }), vec![]),
        ("POST v3/form", json!({ "headers": { "Idempotency-Key": "k" }, "form_params": {} }), vec![]),
        // Encryption: only where the client encrypts, and with any spelling of a path.
        (
            "POST v3/encrypted",
            json!({ "json": { "name": "张三" } }),
            vec![format!("json.name: {plain}"), no_header.to_owned()],
        ),
        ("POST v3/encrypted", json!({ "json": { "name": "" } }), vec![]),
        ("POST v3/encrypted", json!({ "json": { "name": cipher } }), vec![no_header.to_owned()]),
        ("POST v3/encrypted", json!({ "json": { "name": cipher }, "headers": { "wechatpay-serial": "x" } }), vec![]),
        ("POST v3/encrypted", json!({ "json": { "name": "张三" }, "encrypt": ["name"] }), vec![]),
        ("POST v3/encrypted", json!({ "json": { "name": "张三" }, "encrypt": true }), vec![]),
        ("POST v3/encrypted", json!({ "json": { "list": [{ "card": "1" }] }, "encrypt": ["list.card"] }), vec![]),
        ("POST v3/encrypted", json!({ "json": { "list": [{ "card": "1" }] }, "encrypt": ["list[].card"] }), vec![]),
        (
            "POST v3/encrypted",
            json!({ "json": { "list": [{ "card": "1" }] }, "encrypt": ["name"] }),
            vec![format!("json.list[0].card: {plain}")],
        ),
        ("POST v3/encrypted", json!({ "json": {}, "query": { "card": "1" }, "encrypt": true }), vec![]),
        (
            "POST v3/encrypted",
            json!({ "json": {}, "query": { "card": "1" }, "encrypt": ["query.card", "card"] }),
            vec![format!("query.card: {plain}")],
        ),
        (
            "POST v3/upload",
            json!({
                "multipart": [{ "name": "file", "filename": "a", "contents": "x" }, { "name": "card", "contents": "1" }],
                "encrypt": true,
            }),
            vec![format!("body.card: {plain}")],
        ),
        // APIv2: the client adds two fields, and the key has no header.
        ("POST v2/things/7", json!({ "xml": { "sign_type": "HMAC-SHA256", "sign": "x" } }), vec![]),
        ("POST v2/things/7", json!({ "xml": { "card": cipher } }), vec![]),
        ("POST v2/things/7", json!({ "xml": { "card": "1" }, "encrypt": true }), vec![format!("xml.card: {plain}")]),
    ] {
        let (method, path) = call.split_once(' ').expect("a method");
        let found: Vec<String> = catalog.check(method, path, &options).iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{call} {options}");
    }
    // The template with the fewest variables fits best.
    let found = |path: &str| catalog.find("GET", path).map(|call| call.title().to_owned());
    assert_eq!((found("v3/a/1/c").as_deref(), found("v3/a/1/2").as_deref()), (Some("二"), Some("三")));
}

fn client(sandbox: &Sandbox, check: Check) -> Client {
    for path in ["v3/encrypted", "v3/meta", "v3/optional", "v3/paged", "v3/required", "v3/upload", "v3/form"] {
        sandbox.stub("POST", path, 200, json!({}));
    }
    sandbox.client_builder().check(check).catalog(catalog()).build().expect("a client")
}

#[test]
fn a_client_checks_the_options_as_it_sends_them() {
    let sandbox = sandbox();
    let client = client(&sandbox, Check::Deny);
    // The sandbox rejects uploads with other parts.
    let post = |path: &str, options: Value| match client.chain(path).post(options) {
        Err(error) if error.is_before_send() => Some(error.to_string()),
        _ => None,
    };
    for (path, options) in [
        ("v3/required", json!({ "query": { "mchid": "1" }, "body": "{}" })),
        ("v3/required", json!({ "query": { "mchid": "1" }, "form_params": {} })),
        ("v3/encrypted", json!({ "body": "{}" })),
        ("v3/encrypted", json!({ "json": { "name": "张三" }, "encrypt": "name" })),
        ("v3/encrypted", json!({ "json": { "name": "张三" }, "encrypt": true })),
        ("v3/paged?page=1", json!({ "json": { "name": "张三" }, "encrypt": true })),
        ("v3/encrypted", json!({ "json": {}, "query": { "page": null, "card": [] } })),
        (
            "v3/upload",
            json!({ "multipart": [
                { "name": "file", "filename": "a", "contents": "x" },
                { "name": "card", "contents": "A".repeat(344) },
            ] }),
        ),
    ] {
        assert_eq!(post(path, options.clone()), None, "{path} {options}");
    }
    // The default `meta` of an upload replaces documented fields.
    client.chain("v3/upload").post(Media::from_bytes("a.png", "x")).expect("not checked");
    // A text that contains encrypted fields cannot be encrypted.
    let reason = post("v3/meta", json!({ "json": { "meta": "{\"phone\":\"1\"}" }, "encrypt": true })).expect("refused");
    assert!(reason.contains("meta is not an object: fields in it would be sent as plain text"), "{reason}");
}

#[test]
fn the_header_for_the_key_is_missing_only_if_the_client_does_not_add_it() {
    let sandbox = sandbox();
    let rejection = json!({ "code": "PARAM_ERROR", "message": "x" });
    let cipher = "A".repeat(344);
    let call = |client: &Client| client.chain("v3/encrypted").post(json!({ "json": { "name": cipher } }));
    let missing = "headers.Wechatpay-Serial: the header names the key of the encrypted fields, and is missing";
    // With the public key, the client adds the header.
    let adding = client(&sandbox, Check::Deny);
    call(&adding).expect("no findings");
    assert_eq!(sandbox.requests().pop().expect("a request").headers["wechatpay-serial"], PUBLIC_KEY_ID);
    let bare = by_certificate(&sandbox).check(Check::Deny).catalog(catalog()).build().expect("a client");
    assert!(call(&bare).expect_err("denied").message().ends_with(missing));
    // The hint after a rejection is the same.
    sandbox.stub("POST", "v3/encrypted", 400, rejection.clone());
    assert_eq!(call(&adding).expect_err("rejected").hint(), None);
    let bare = by_certificate(&sandbox).catalog(catalog()).build().expect("a client");
    assert!(call(&bare).expect_err("rejected").hint().expect("a hint").ends_with(missing));
    // Only a 400 means that the request is wrong.
    sandbox.stub("POST", "v3/encrypted", 403, rejection);
    assert_eq!(call(&bare).expect_err("rejected").hint(), None);
}
