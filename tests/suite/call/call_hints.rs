//! The hints in errors of paths and options: each for its condition, not for neighbouring ones.

use serde_json::{Value, json};
use wechatpay_chain::sandbox::Sandbox;
use wechatpay_chain::{Client, Error, Media, Response};

use crate::support::{CARDS, by_certificate, each_hint_names_its_condition, start};

fn message(outcome: Result<Response, Error>) -> String {
    outcome.map_or_else(|error| error.to_string(), |_| "sent".to_owned())
}

fn get(client: &Client, path: &str) -> String {
    message(client.chain(path).get(()))
}

#[test]
fn paths() {
    let (_sandbox, client) = start();
    let get = |path: &str| get(&client, path);
    let download_url = "https://api.mch.weixin.qq.com/v3/billdownload/file?token=6XIv5TUPto7pByrTQK";
    let file = "https://api.mch.weixin.qq.com/v3/elecvoucher/aBcDeFgH12";
    let as_it_is = "the path is a URL with capitals, which are not preserved";
    for url in [download_url, file] {
        assert!(!get(url).contains("6XIv") && !get(url).contains("aBcD"), "{}", get(url));
    }
    each_hint_names_its_condition(&[
        (as_it_is, get(download_url)),
        (as_it_is, get(file)),
        ("remove the host from the path, or set base_uri", get("https://other.example/v3/x")),
        ("give it as an option, {\"query\"", get("v3/x?token=aBc")),
        ("if it is a name of the API, write it as the API does", get("v3/cards/pbLatjvWOibDc5")),
        ("is not a variable: write {id}", get("v3/pay/:id")),
        ("inside a path write {id}", get("v3/pay/_id_")),
        ("like a variable, and is not one: write {x}", get("_a/b_")),
        ("paths of APIv2 are written without the first slash", get("/v2/pay/orderquery")),
        ("remove it, or pass the text as a variable", get("v3/x#y")),
        ("which would lead to another endpoint: remove it", get("v3/../x")),
        ("begin it with the version", get("v3:x/y")),
        ("give it another name", get("v3/{timeout}")),
        ("add it to the options", get("v3/x/{id}")),
        ("RESOURCE_NOT_EXISTS", get("v3/none")),
    ]);
}

#[test]
fn names_and_values_of_options() {
    let (_sandbox, client) = start();
    let with = |key: &str, value: Value| message(client.chain("v3/security/echo").post(json!({ key: value })));
    let card = |key: &str, value: Value| message(client.chain(CARDS).post(json!({ key: value })));
    let retry = "where a number from 0 to 10 is needed";
    each_hint_names_its_condition(&[
        ("did you mean \"retry\"?", with("retries", json!(2))),
        ("did you mean \"json\"?", with("jsn", json!({}))),
        ("did you mean \"card_id\"?", card("cardId", json!("x"))),
        // The path has no such variable.
        ("a field of the body belongs in \"json\"", with("cardId", json!("x"))),
        ("TLS is always verified", with("verify", json!(false))),
        ("a string where a number from 0 to 10 is needed", with("retry", json!("2"))),
        ("11 where a number from 0 to 10 is needed", with("retry", json!(11))),
        ("the keys are \"times\" and \"pause\"", with("retry", json!({ "count": 2 }))),
        ("such as 2.5, or 0 for no limit", with("timeout", json!("2"))),
        ("give the object itself, or the string as \"body\"", with("json", json!("{}"))),
        ("give it as a string", with("json", json!({ "n": 1e300 }))),
        ("write true to omit nonce_str, or omit the option", with("nonceless", json!(false))),
        ("leave it out, or correct the path", with("nonceless", json!(true))),
        ("leave it out, or correct the path", with("xml", json!({}))),
        ("leave it out, or correct the path", with("security", json!(true))),
        ("the client signs each request", with("headers", json!({ "Authorization": "x" }))),
        ("which could inject a second header", with("headers", json!({ "X": "a\nb" }))),
        ("PARAM_ERROR", with("json", json!({}))),
    ]);
    assert!(with("retry", json!(true)).contains(retry));
}

#[test]
fn apiv2() {
    let sandbox = Sandbox::start().expect("sandbox");
    let client = sandbox.client_builder().secret(sandbox.secret()).build().expect("client");
    let without_key = by_certificate(&sandbox).build().expect("client");
    let post = |options: Value| message(client.chain("v2/pay/orderquery").post(options));
    let fields = |fields: Value| post(json!({ "xml": fields }));
    let other = json!({ "xml": { "mch_id": "1900000108" } });
    let not_apiv2 = |option: &str, place: &str| {
        format!(
            "the option {option:?} does not apply to APIv2 (\"v2/...\"), which has no JSON and no forms: give the fields as {place:?}"
        )
    };
    each_hint_names_its_condition(&[
        (&not_apiv2("json", "xml"), post(json!({ "json": {} }))),
        (&not_apiv2("body", "xml"), post(json!({ "body": "<xml/>" }))),
        (&not_apiv2("form_params", "xml"), post(json!({ "form_params": {} }))),
        (&not_apiv2("json", "query"), message(client.chain("v2/pay/x").get(json!({ "json": {} })))),
        ("has no body: give its fields as", message(client.chain("v2/pay/x").get(Media::from_bytes("a.png", "x")))),
        ("the option \"xml\" is missing", post(json!({}))),
        ("a field of the body belongs in \"xml\"", post(json!({ "out_trade_no": "1" }))),
        ("add \"mch_id\": \"1900000109\" to the fields", fields(json!({ "out_trade_no": "1" }))),
        ("use a client with the settings of the other merchant", post(other)),
        ("a number where the string \"1900000109\" is needed", fields(json!({ "mch_id": 1 }))),
        ("set base_uri to https", post(json!({ "xml": { "mch_id": "1900000109" }, "security": true }))),
        ("a redirect could lead anywhere", post(json!({ "xml": {}, "allow_redirects": true }))),
        ("APIv2 encrypts in another way", post(json!({ "json": { "a": "b" }, "encrypt": "a" }))),
        ("the setting secret is missing", {
            message(without_key.chain("v2/pay/orderquery").post(json!({ "xml": { "mch_id": "1900000109" } })))
        }),
        ("FAIL", fields(json!({ "mch_id": "1900000109", "sign_type": "MD5" }))),
    ]);
}

#[test]
fn sinks() {
    let (sandbox, client) = start();
    sandbox.file("v3/billdownload/file", 10);
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("file"), "x").expect("written");
    let to = |name: &str| {
        let path = folder.path().join(name);
        message(client.chain("v3/billdownload/file").get(json!({ "sink": path.to_str().expect("UTF-8") })))
    };
    each_hint_names_its_condition(&[
        ("none does not exist: create it first", to("none/bill.csv")),
        ("cannot be written: it is a folder", to("")),
        ("file/bill.csv cannot be written: Not a directory", to("file/bill.csv")),
        ("sent", to("bill.csv")),
    ]);
    assert!(!to("none/bill.csv").contains(".wechatpay-"), "{}", to("none/bill.csv"));
}

/// The sandbox names the methods of an endpoint, and explains stubs for a path that it does not
/// have.
#[test]
fn endpoints_of_the_sandbox() {
    let (_sandbox, client) = start();
    let stub = "define its response in a stub file";
    each_hint_names_its_condition(&[
        ("v3/pay/transactions/native takes POST, not GET", get(&client, "v3/pay/transactions/native")),
        ("callback takes PATCH or GET, not POST", {
            message(client.chain("v3/marketing/membercard-open/callback").post(json!({ "json": {} })))
        }),
        (stub, get(&client, "v3/none")),
        ("the path has no segment \"v3\"", get(&client, "pay/transactions/native")),
    ]);
}
