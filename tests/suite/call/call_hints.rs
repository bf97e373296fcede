//! The hints in errors of paths and options: each for its condition, not for neighbouring ones.

use serde_json::{Value, json};
use wechatpay_chain::sandbox::Sandbox;
use wechatpay_chain::{Client, Error, Media, Options, Response};

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
        ("which is a variable only as a complete name", get("v3/pay/_id_")),
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
    let tls = sandbox.client_builder().secret(sandbox.secret()).base_uri(sandbox.tls_base_uri()).build();
    let refunds = tls.expect("client").chain("v2/secapi/pay/refund");
    let refund =
        |security: bool| message(refunds.post(json!({ "xml": { "mch_id": "1900000109" }, "security": security })));
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
        ("this call needs the merchant certificate, add the option \"security\"", refund(false)),
        ("缺少参数appid", refund(true)),
        ("a redirect could lead anywhere", post(json!({ "xml": {}, "allow_redirects": true }))),
        ("APIv2 encrypts in another way", post(json!({ "json": { "a": "b" }, "encrypt": "a" }))),
        ("the setting secret is missing", {
            message(without_key.chain("v2/pay/orderquery").post(json!({ "xml": { "mch_id": "1900000109" } })))
        }),
        ("缺少参数transaction_id", fields(json!({ "appid": "wx8888888888888888", "mch_id": "1900000109" }))),
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
        #[cfg(unix)]
        ("it is a symbolic link: give the path of its target", {
            std::os::unix::fs::symlink(folder.path().join("file"), folder.path().join("link")).expect("link");
            to("link")
        }),
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

#[test]
fn templates() {
    let (_sandbox, client) = start();
    let with = |path: &str, options: Value| message(client.chain(path).get(options));
    let get = |path: &str| with(path, json!({ "x": "a", "y": "b" }));
    each_hint_names_its_condition(&[
        ("the expression is empty; write a variable name in it", get("v3/{}")),
        ("is nested; use scalars in it", with("v3/{x}", json!({ "x": [[1]] }))),
        ("has a prefix; use a scalar", with("v3/{x:3}", json!({ "x": ["a"] }))),
        ("has both modifiers; use ':' or '*'", get("v3/{x:3*}")),
        ("'}' has no '{' before it", get("v3/x}")),
        ("'>' has no '<' before it", get("v3/x>")),
        ("only one variable name may be between them", get("v3/<x y>")),
        ("in a literal; write its %XX form", get("v3/\u{1}")),
        ("is a reserved operator; use + # . / ; ? &", get("v3/{=x}")),
        ("':' without a prefix length; use 1 to 9999", get("v3/{x:}")),
        ("is not a number; use 1 to 9999", get("v3/{x:a}")),
        ("is out of range; use 1 to 9999", get("v3/{x:10000}")),
        ("a variable name is empty; use one comma between two names", get("v3/{x,,y}")),
        ("in a name; use letters, digits, _ - . %XX", get("v3/{x!y}")),
        ("'%' in a name; use %XX with two hexadecimal digits", get("v3/{x%zz}")),
        ("'.' in a name; use one between two other characters", get("v3/{x..y}")),
        ("is never closed", get("v3/{x")),
    ]);
}

/// Guzzle's options that this crate does not have.
#[test]
fn replacements_of_guzzles_options() {
    let (_sandbox, client) = start();
    let rows: Vec<_> = [
        ("auth", "the user and password of a proxy are part of the URL"),
        ("cert", "the client certificate belongs to the settings of the client"),
        ("cookies", "a Cookie header can be given in \"headers\""),
        ("crypto_method", "TLS 1.2 and 1.3 are always on"),
        ("curl", "use \"timeout\", \"connect_timeout\" and \"proxy\""),
        ("decode_content", "are always decoded, and verified in both forms"),
        ("delay", "wait before the call, with your runtime's timer"),
        ("expect", "bodies are sent at once"),
        ("force_ip_resolve", "IPv4 and IPv6 are tried in parallel"),
        ("handler", "replace parts of the client with ClientBuilder::signer"),
        ("idn_conversion", "write the host of base_uri in ASCII"),
        ("on_headers", "the response headers are in Response::headers"),
        ("on_stats", "add a layer that measures with ClientBuilder::layer"),
        ("progress", "JSON cannot represent a function: give it with Options::progress"),
        ("ssl_key", "the client certificate belongs to the settings of the client"),
        ("stream_context", "PHP streams are not used: use \"timeout\" and \"proxy\""),
        ("synchronous", "call post for a synchronous call, post_async for an asynchronous one"),
        ("verify", "TLS is always verified; add a private authority"),
        ("version", "requests are sent over HTTP/1.1"),
        ("colour", "it is neither a variable of the path"),
    ]
    .map(|(key, hint)| (hint, message(client.chain("v3/x").get(json!({ key: true })))))
    .into();
    each_hint_names_its_condition(&rows);
}

#[test]
fn options_that_exclude_each_other() {
    let (sandbox, client) = start();
    let post = |options: Options| message(client.chain("v3/security/echo").post(options));
    let with = |options: Value| post(options.into());
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("x");
    let path = path.to_str().expect("UTF-8");
    let v2 = sandbox.client_builder().secret(sandbox.secret()).build().expect("client");
    let other_key = json!({ "Wechatpay-Serial": "00AB" });
    let name = json!({ "name": "x" });
    each_hint_names_its_condition(&[
        ("a request has one body: give only one of", with(json!({ "json": {}, "body": "x" }))),
        ("the options hold both \"sink\" and \"stream\"", with(json!({ "sink": path, "stream": true }))),
        ("a response is written to one sink", post(Options::new().with("sink", path).sink(std::io::sink()))),
        ("and the option \"sink\" is missing", post(Options::new().progress(|_, _| ()))),
        ("the option \"encrypt\" names fields of the JSON body", with(json!({ "encrypt": "name" }))),
        ("is not in the JSON: correct its path, or remove it", with(json!({ "json": {}, "encrypt": "name" }))),
        ("names another key than the one that \"encrypt\" uses", {
            with(json!({ "json": name, "encrypt": "name", "headers": other_key }))
        }),
        ("has no value: omit it", with(json!({ "headers": { "X": [] } }))),
        ("cannot be set: the client signs", with(json!({ "headers": { "Authorization": "x" } }))),
        ("leave the header out, the client sets it", {
            let upload = Media::from_bytes("a.png", "x");
            post(Options::new().media(upload).with("headers", json!({ "Content-Type": "image/png" })))
        }),
        ("and a GET has one place for fields", {
            let both = json!({ "xml": { "mch_id": "1900000109" }, "query": { "a": "b" } });
            message(v2.chain("v2/pay/x").get(both))
        }),
        #[cfg(unix)]
        ("it is not a regular file: write to it with Options::sink", with(json!({ "sink": "/dev/null" }))),
        ("which the option \"query\" would replace", message(client.chain("v3/x?a=b").get(json!({ "query": "c=d" })))),
        ("PARAM_ERROR", with(json!({ "json": {} }))),
    ]);
}

#[test]
fn downloads() {
    let (sandbox, client) = start();
    let described = |hash_type: &str| {
        let url = format!("{}v3/billdownload/file?token=x", sandbox.base_uri());
        let body = json!({ "download_url": url, "hash_type": hash_type, "hash_value": "x" });
        sandbox.stub("GET", "v3/bill/tradebill", 200, body);
        client.chain("v3/bill/tradebill").get(()).expect("response")
    };
    let error = |response: &Response| client.download(response).expect_err("refused").to_string();
    sandbox.file("v3/billdownload/file", 10);
    let unsigned = {
        let response = http::Response::builder().status(200).body(bytes::Bytes::from("{}")).expect("response");
        sandbox.inject(wechatpay_chain::sandbox::Fault::Gateway(response));
        client.chain("v3/billdownload/file").get(()).expect("a file needs no signature")
    };
    sandbox.stub("GET", "v3/other", 200, json!({}));
    let other = client.chain("v3/other").get(()).expect("response");
    sandbox.stub("GET", "v3/none", 200, json!({ "download_bill_count": 0 }));
    let none = client.chain("v3/none").get(()).expect("response");
    each_hint_names_its_condition(&[
        ("call the URL with the option \"sink\" instead", error(&described("MD5"))),
        ("files: use Client::downloads", error(&none)),
        ("and AEAD_AES_256_GCM needs 32: give this algorithm in the query", {
            let key = sandbox.merchant_key().public_key().encrypt(&[7; 16]).expect("encrypted");
            let bill = json!({
                "bill_sequence": 1, "download_url": "x", "hash_type": "SHA1", "hash_value": "x", "nonce": "x", "encrypt_key": key,
            });
            sandbox.stub("GET", "v3/sm4", 200, json!({ "download_bill_count": 1, "download_bill_list": [bill] }));
            error(&client.chain("v3/sm4").get(()).expect("response"))
        }),
        ("use the response of a successful call", error(&unsigned)),
        ("the response has no download_url: a download needs", error(&other)),
        ("the file is not the one that the service announced", {
            let download = client.download(&described("SHA1")).expect("a download");
            message(download.write(std::io::sink()))
        }),
    ]);
}
