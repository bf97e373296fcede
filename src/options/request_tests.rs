//! From options in JSON to the request, without its signature.

use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Value, json};

use super::Options;
use super::keys::RESERVED;
use super::media::Media;
use crate::proto::base_uri::BaseUri;
use crate::proto::request;

const CARDS: &str = "v3/marketing/membercard-open/cards/{card_id}/permission-tokens";

fn built(text: &str, options: Value) -> Result<Request<Bytes>, String> {
    let base = BaseUri::parse(BaseUri::DEFAULT)?;
    let options = Options::from(options).checked().map_err(|error| error.to_string())?;
    let template = request::parse_template(text, &RESERVED).map_err(|error| error.to_string())?;
    let built = request::build(Method::POST, &template, &options.spec, &base, &RESERVED);
    built.map(|built| built.request).map_err(|error| error.to_string())
}

#[test]
fn a_call_with_variable_body_and_header() {
    let request = built(
        CARDS,
        json!({"card_id": "pbLatjvWOibDc5-TBnbUk1pD12o0", "json": {"b": "中/", "a": 1}, "headers": {"Accept": "x/y"}}),
    )
    .expect("request");
    assert_eq!(
        request.uri(),
        "https://api.mch.weixin.qq.com/v3/marketing/membercard-open/cards/pbLatjvWOibDc5-TBnbUk1pD12o0/permission-tokens"
    );
    assert_eq!(&request.body()[..], r#"{"b":"中/","a":1}"#.as_bytes());
    assert_eq!(request.headers()["content-type"], "application/json");
    assert_eq!(request.headers().get_all("accept").iter().collect::<Vec<_>>(), ["x/y"]);
}

#[test]
fn without_a_body() {
    let request = built("v3/certificates", json!({"query": {"a": true}})).expect("request");
    assert_eq!(request.uri().path_and_query().map(|p| p.as_str()), Some("/v3/certificates?a=1"));
    assert_eq!(request.headers()["content-type"], "application/json; charset=utf-8");
    assert!(request.body().is_empty());
    let request = built("v3/x{?a,b}", json!({"a": 1})).expect("request");
    assert_eq!(request.uri().path_and_query().map(|p| p.as_str()), Some("/v3/x?a=1"));
}

#[test]
fn a_placeholder_for_a_trailing_slash() {
    for (text, target) in [
        ("v3/ecommerce/applyments/{empty}", "/v3/ecommerce/applyments/"),
        ("v3/ecommerce/applyments/<stub>", "/v3/ecommerce/applyments/"),
    ] {
        assert_eq!(built(text, json!({})).expect(text).uri().path(), target);
    }
    assert_eq!(built("v3/a/{empty}", json!({"empty": "x"})).expect("request").uri().path(), "/v3/a/x");
    assert!(built("v3/{empty}/a", json!({})).expect_err("middle").contains("\"empty\" of the path is missing"));
    assert!(built("v3/a{empty}", json!({})).is_err());
}

#[test]
fn each_invalid_call_has_its_message() {
    for (text, options, expected) in [
        (CARDS, json!({}), "\"card_id\" of the path is missing"),
        (CARDS, json!({"card_id": null}), "is null"),
        (CARDS, json!({"card_id": ""}), "is an empty string"),
        (CARDS, json!({"card_id": false}), "is false"),
        (CARDS, json!({"card_id": []}), "is an empty array"),
        (CARDS, json!({"card_id": {}}), "is an empty object"),
        (CARDS, json!({"card_id": [null]}), "a list with an empty member"),
        (CARDS, json!({"card_id": ["a", ""]}), "a list with an empty member"),
        (CARDS, json!({"card_id": {"a": false}}), "an object with an empty member"),
        ("v3/{empty}/x/{empty}", json!({}), "\"empty\" of the path is missing"),
        (CARDS, json!({"CARD_ID": "x"}), "did you mean \"card_id\"?"),
        (CARDS, json!({"card_id": "."}), "is \".\""),
        (CARDS, json!({"card_id": ".."}), "is \"..\""),
        (CARDS, json!({"card_id": [["x"]]}), "card_id"),
        ("v3/{a}{b}", json!({"a": ".", "b": "."}), "is \".\""),
        ("v3/{a:1}{b:1}", json!({"a": ".x", "b": ".y"}), "segment"),
        ("v3/{+a}", json!({"a": "x/../y"}), "segment"),
        ("v3/{+a}", json!({"a": ""}), "is an empty string"),
        ("v3{/a*}", json!({"a": ["x", ".."]}), "segment"),
        ("{+a}", json!({"a": "https://evil.example/v3"}), "must not receive"),
        ("{+a}", json!({"a": "//evil.example/v3"}), "must not receive"),
        ("v3/{#a}", json!({"a": "x"}), "fragment"),
        (CARDS, json!({"card_id": "x", "jsom": {}}), "did you mean \"json\"?"),
        (CARDS, json!({"cardid": "x"}), "did you mean \"card_id\"?"),
        (CARDS, json!({"card_id": "x", "activate_type": "A"}), "belongs in \"json\""),
        ("v3/{query}", json!({}), "name of a request option"),
        ("v3/{verify}", json!({}), "name of a request option"),
        ("v2/pay/unifiedorder", json!({}), "\"xml\" is missing"),
        ("V2/pay", json!({}), "v2"),
        ("/v2/pay/unifiedorder", json!({}), "without the first slash"),
        ("v2/pay/unifiedorder", json!({"activate_type": "A"}), "belongs in \"xml\""),
    ] {
        let message = built(text, options.clone()).expect_err(text);
        assert!(message.contains(expected), "{text} {options}: {expected:?} not in {message:?}");
    }
}

fn built_v2(method: Method, options: Options) -> Result<Request<Bytes>, String> {
    let options = options.checked().map_err(|error| error.to_string())?;
    let template = request::parse_template("v2/pay/x?a=b", &RESERVED).expect("template");
    let built = request::build(method, &template, &options.spec, &BaseUri::official(), &RESERVED);
    built.map(|built| built.request).map_err(|error| error.to_string())
}

#[test]
fn unsigned_v2_requests() {
    let request =
        built_v2(Method::POST, json!({"xml": {"b": "<", "nonce_str": "n", "sign": "s", "a": 1}}).into()).expect("post");
    assert_eq!(request.uri(), "https://api.mch.weixin.qq.com/pay/x?a=b");
    assert_eq!(&request.body()[..], b"<xml><b><![CDATA[<]]></b><a>1</a></xml>");
    assert_eq!(request.headers()["content-type"], "text/xml; charset=utf-8");
    assert_eq!(request.headers()["accept"], "text/xml, text/plain, application/x-gzip");
    let request = built_v2(Method::GET, json!({"query": {"b": "x y"}}).into()).expect("get");
    assert_eq!(request.uri().query(), Some("b=x%20y"));
    let request = built_v2(Method::GET, json!({"xml": {"b": "x"}}).into()).expect("get");
    assert_eq!(request.uri().query(), Some("b=x"));
    let request = built_v2(Method::POST, Media::from_bytes("a.png", "abc").into()).expect("upload");
    let body = String::from_utf8_lossy(request.body()).into_owned();
    assert!(body.contains("name=\"media_hash\"\r\n\r\n900150983cd24fb0d6963f7d28e17f72\r\n"), "{body}");
    assert!(body.contains("name=\"media\"; filename=\"a.png\""), "{body}");
}

#[test]
fn each_invalid_v2_call_has_its_message() {
    for (method, options, expected) in [
        (Method::POST, json!({}), "\"xml\" is missing"),
        (Method::POST, json!({"json": {}}), "give the fields as \"xml\""),
        (Method::POST, json!({"body": "<xml/>"}), "give the fields as \"xml\""),
        (Method::GET, json!({"xml": {}, "query": {}}), "both \"xml\" and \"query\""),
        (Method::POST, json!({"xml": "<xml/>"}), "an object is needed"),
        (Method::POST, json!({"xml": {}, "json": {}}), "one body"),
        (Method::POST, json!({"xml": {}, "nonceless": false}), "which PHP treats as true"),
        (Method::POST, json!({"xml": {}, "security": 1}), "true or false is needed"),
    ] {
        let message = built_v2(method, options.clone().into()).expect_err(expected);
        assert!(message.contains(expected), "{options}: {message}");
    }
}

#[test]
fn a_boundary_of_the_caller_must_not_occur_in_the_contents() {
    let upload = |contents: &str| {
        built(
            "v3/x",
            json!({
                "headers": { "Content-Type": "multipart/form-data; boundary=bound" },
                "multipart": [
                    { "name": "meta", "contents": "{}" },
                    { "name": "file", "contents": contents, "filename": "a" },
                ],
            }),
        )
    };
    for contents in ["--bound", "x--boundx", "\r\n--bound--\r\n", "--", "--boun--bound"] {
        let request = upload(contents);
        if contents == "--" {
            assert_eq!(request.expect("fits").headers()["content-type"], "multipart/form-data; boundary=bound");
        } else {
            let message = request.expect_err(contents);
            assert!(message.contains("its boundary occurs in the contents"), "{message}");
        }
    }
    for contents in ["bound", "-bound", "--boun", "--Bound"] {
        assert!(upload(contents).is_ok(), "{contents}");
    }
}
