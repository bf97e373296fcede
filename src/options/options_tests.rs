//! Reading options, and the message for each invalid option.

use super::*;
use serde_json::json;

use crate::proto::base_uri::BaseUri;
use crate::proto::request;
use crate::proto::template::Template;

fn message(options: Value) -> String {
    Options::from(options).checked().err().map(|e| e.to_string()).unwrap_or_default()
}

#[test]
fn reserved_keys_and_variables() {
    let options = Options::from(json!({
        "card_id": "x", "json": {"b": 1, "a": 2}, "query": {"q": 1}, "headers": {"X-A": ["1", 2]},
        "timeout": 0.4, "base_uri": "https://host/hk/", "http_errors": false,
    }))
    .checked()
    .expect("good options");
    assert_eq!(options.spec.variables.keys().collect::<Vec<_>>(), ["card_id"]);
    let Some(RequestBody::Json(json)) = &options.spec.body else { panic!("no JSON") };
    assert_eq!(json.to_string(), r#"{"b":1,"a":2}"#);
    assert_eq!(options.spec.headers.get_all("x-a").iter().count(), 2);
    assert_eq!(options.config.timeout, Some(std::time::Duration::from_millis(400)));
    assert!(!options.config.http_errors && Options::new().config.http_errors);
    assert!(Options::from(json!({"json": null, "query": null})).spec.body.is_none());
}

#[test]
fn each_invalid_option_has_its_message() {
    for (options, words) in [
        (json!(["a"]), "an array and must be an object"),
        (json!("a"), "a string and must be an object"),
        (json!(null), "null and must be an object"),
        (json!({"query": 7}), "\"query\": a number"),
        (json!({"timeout": -1}), "\"timeout\": -1, where"),
        (json!({"timeout": "1"}), "\"timeout\": a string"),
        (json!({"timeout": 1e300}), "where a number of seconds"),
        (json!({"base_uri": "https://h/hk"}), "must end with"),
        (json!({"base_uri": 1}), "a number where a string"),
        (json!({"http_errors": 0}), "a number where true or false"),
        (json!({"headers": []}), "an array where an object"),
        (json!({"headers": {"a b": "x"}}), "not a valid header name"),
        (json!({"headers": {"X": null}}), "\"X\" is null"),
        (json!({"headers": {"X": "a\r\nAuthorization: b"}}), "line break"),
        (json!({"headers": {"Authorization": "b"}}), "the client signs each request"),
        (json!({"headers": {"content-length": "3"}}), "follows from the body"),
        (json!({"json": {}, "body": "x"}), "one body"),
        (json!({"form_params": "a=b"}), "a string where an object"),
        (json!({"body": ["x"]}), "an array where a string"),
        (json!({"multipart": {}}), "a list of parts"),
        (json!({"multipart": []}), "is empty"),
        (json!({"multipart": [{"name": "a"}]}), "no \"contents\""),
        (json!({"multipart": [{"contents": "a"}]}), "no \"name\""),
        (json!({"multipart": [{"name": "a", "contents": []}]}), "\"contents\" is an array"),
        (json!({"multipart": [{"name": "a", "contents": "", "x": 1}]}), "the key \"x\" of a part"),
        (json!({"multipart": [{"name": "a", "contents": "", "headers": {"X": "a\r\nb"}}]}), "line break"),
        (json!({"headers": {"X-A": "1", "x-a": "2"}}), "appears twice"),
        (json!({"headers": {"X-A": []}}), "has no value"),
        (json!({"headers": {"TE": "trailers"}}), "cannot be set"),
        (
            json!({"multipart": [{"name": "a", "contents": "", "headers": {"Content-Disposition": "x"}}]}),
            "follows from",
        ),
        (json!({"sink": 1}), "a number where a string"),
        (json!({"sink": ""}), "is empty"),
        (json!({"sink": "x", "stream": true}), "both \"sink\" and \"stream\""),
        (json!({"stream": 1}), "a number where true or false"),
        (json!({"allow_redirects": 3}), "a number where true, false"),
        (json!({"allow_redirects": {"max": 99}}), "0 to 20"),
        (json!({"allow_redirects": {"referer": true}}), "the keys are \"max\""),
        (json!({"proxy": 1}), "a number where a URL"),
        (json!({"id": 1e20}), "\"id\": the number 1e+20 is too large"),
        (json!({"id": [1, -9007199254740992.0]}), "\"id\": the number -9007199254740992.0 is too large"),
        (json!({"json": {"a": [{"b": 18446744073709551616.0}]}}), "\"json\": the number"),
        (json!({"xml": {"a": 1e17}}), "\"xml\": the number"),
        (json!({"form_params": {"a": 1e17}}), "\"form_params\": the number"),
        (json!({"query": {"a": 1e17}}), "\"query\": the number"),
        (json!({"headers": {"X": 1e17}}), "the header \"X\": the number"),
        (json!({"multipart": [{"name": "a", "contents": 1e17}]}), "\"multipart\": the number"),
        (json!({"connect_timeout": "x"}), "\"connect_timeout\": a string"),
        (json!({"verify": false}), "TLS is always verified"),
        (json!({"handler": 1}), "ClientBuilder::signer"),
    ] {
        let message = message(options.clone());
        assert!(message.contains(words), "{options}: {words:?} not in {message:?}");
    }
    assert!(!message(json!({"headers": {"X": "s3cret\n"}})).contains("s3cret"));
}

#[test]
fn a_rounded_number_is_rejected() {
    let read: Value = serde_json::from_str(r#"{"id": 12345678901234567890123}"#).expect("JSON");
    let error = message(read);
    assert!(
        error.contains("the number 1.2345678901234568e+22 is too large to be exact")
            && error.ends_with("give it as a string"),
        "{error}"
    );
    let whole =
        json!({"id": u64::MAX, "json": {"a": i64::MIN, "b": 9007199254740993_u64, "c": 0.1, "d": -9007199254740991.0}});
    let options = Options::from(whole).checked().expect("exact");
    let Some(RequestBody::Json(json)) = &options.spec.body else { panic!("no JSON") };
    assert_eq!(json.to_string(), r#"{"a":-9223372036854775808,"b":9007199254740993,"c":0.1,"d":-9007199254740991.0}"#);
    assert!(Options::new().json(&vec![1e300]).checked().is_err());
    assert!(Options::new().json(&u128::MAX).checked().is_err());
    let media = Media::from_bytes("a", b"".as_slice());
    assert!(Options::new().media(media.clone().with("size", 1e17)).checked().is_err());
    assert!(Options::new().media(media.with("size", 1)).checked().is_ok());
}

/// A similar name is searched in quadratic time, so only for keys of a usual length.
#[test]
fn a_long_key_gets_no_suggestion() {
    let began = std::time::Instant::now();
    for key in ["jsonn".to_owned(), "jsonn".repeat(4_000_000)] {
        let options = Options::new().with(key.clone(), 1).checked().expect("a variable");
        let template = Template::parse("v3/x").expect("template");
        let base = BaseUri::official();
        let built = request::build(http::Method::GET, &template, &options.spec, &base, &keys::RESERVED);
        let message = built.err().expect("unknown").to_string();
        assert_eq!(message.contains("did you mean \"json\"?"), key.len() == 5, "{message}");
        assert!(message.len() < 2000);
    }
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
}

#[test]
fn a_rejected_guzzle_option_names_its_replacement() {
    for (key, instead) in keys::REJECTED {
        let mut options = Map::new();
        options.insert((*key).to_owned(), json!(true));
        assert!(message(Value::Object(options)).ends_with(&format!("is not supported: {instead}")), "{key}");
    }
}

#[test]
fn the_manual_lists_all_options() {
    for page in [include_str!("../../docs/manual/options.md"), include_str!("../../docs/manual/options.zh-CN.md")] {
        for key in keys::RESERVED.options {
            assert!(page.contains(&format!("| `{key}` |")), "{key} is not in the table of {:?}", page.lines().next());
        }
    }
}

#[test]
fn option_names_are_unique() {
    let mut names: Vec<_> =
        keys::RESERVED.options.iter().copied().chain(keys::REJECTED.iter().map(|(name, _)| *name)).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
    assert!(is_reserved("json") && is_reserved("verify") && !is_reserved("card_id"));
}

#[test]
fn only_zero_seconds_mean_no_limit() {
    use std::time::Duration;
    for (given, expected) in [
        (json!(0), Duration::ZERO),
        (json!(-0.0), Duration::ZERO),
        (json!(4e-10), Duration::from_nanos(1)),
        (json!(5e-324), Duration::from_nanos(1)),
        (json!(2.5), Duration::from_millis(2500)),
    ] {
        assert_eq!(seconds(&given), Ok(expected), "{given}");
    }
}
