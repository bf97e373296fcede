//! Tests of [`v2`](super::v2).

#![allow(clippy::expect_used, clippy::panic, reason = "tests fail by a panic")]

use super::v2::*;
use super::xml;
use crate::crypto::hash;
use serde_json::{Value, json};

fn fields(value: Value) -> Fields {
    value.as_object().cloned().unwrap_or_default()
}

fn credential() -> Apiv2Credential {
    Apiv2Credential::new("1900000109", "corpusApiv2Key0123456789abcdefgh".into()).expect("key")
}

#[test]
fn signing_string_follows_php() {
    let text = signing_string(&fields(json!({
        "b": "2", "B": "1", "a": "", "c": null, "d": false, "e": 0, "f": "0", "g": [1], "h": true, "sign": "x", "i": 1.0,
    })));
    assert_eq!(text, "B=1&b=2&d=&e=0&f=0&g=Array&h=1&i=1");
}

#[test]
fn errors_of_the_merchant_id() {
    for (value, expected) in [
        (json!({}), "\"mch_id\": \"1900000109\""),
        (json!({"mch_id": null}), "is missing"),
        (json!({"mch_id": ""}), "is \"(empty)\""),
        (json!({"mch_id": "1900000108"}), "belongs to the merchant \"1900000109\""),
        (json!({"mch_id": 1900000109}), "a number where the string \"1900000109\" is needed"),
        (json!({"mch_id": "x", "mchid": "1900000109"}), "\"mch_id\" is \"x\""),
        (json!({"combine_mch_id": "x"}), "\"combine_mch_id\" is \"x\""),
    ] {
        let error =
            credential().check_merchant(&fields(value.clone()), "/pay/unifiedorder").expect_err("wrong merchant");
        assert!(error.message().contains(expected), "{value}: {error}");
    }
    for value in
        [json!({"mch_id": "1900000109"}), json!({"mch_id": null, "mchid": "1900000109", "combine_mch_id": "x"})]
    {
        assert!(credential().check_merchant(&fields(value), "/x").is_ok());
    }
    assert!(credential().check_merchant(&Fields::new(), "/applyment/micro/signcontract").is_ok());
}

#[test]
fn check_of_a_response() {
    let credential = credential();
    let signed = |value: Value, sign_type: &str| {
        let mut fields = fields(value);
        let sign = hash::sign(sign_type, &signing_string(&fields), &credential.secret).expect("sign");
        fields.insert(SIGN.to_owned(), sign.into());
        xml::write(&fields).into_bytes()
    };
    let check = |path: &str, body: &[u8]| credential.check(path, body);
    let success = json!({"return_code": "SUCCESS", "result_code": "SUCCESS", "nickname": "x\u{8}", "a": ""});
    for sign_type in [hash::MD5, hash::HMAC_SHA256] {
        let body = signed(success.clone(), sign_type);
        assert_eq!(check("/pay/unifiedorder", &body), Ok(true));
        let changed = String::from_utf8(body).expect("text").replace('x', "y");
        assert!(check("/pay/unifiedorder", changed.as_bytes()).expect_err("changed").contains("does not match"));
    }
    let unsigned = xml::write(&fields(success));
    assert!(check("/pay/unifiedorder", unsigned.as_bytes()).expect_err("unsigned").contains("no sign"));
    assert_eq!(check("/payitil/report", unsigned.as_bytes()), Ok(false));
    assert_eq!(check("/pay/downloadbill", "\u{feff}交易时间,".as_bytes()), Ok(false));
    assert!(check("/pay/unifiedorder", b"<html>").expect_err("page").contains("HTML page"));
    assert!(check("/pay/unifiedorder", b"<xml/>").expect_err("empty").contains("no return_code"));
    let failed = b"<xml><return_code>FAIL</return_code><return_msg>x</return_msg></xml>";
    assert_eq!(check("/pay/unifiedorder", failed), Ok(false));
    let forged = b"<xml><return_code>FAIL</return_code><sign>0123456789ABCDEF0123456789ABCDEF</sign></xml>";
    assert!(check("/pay/unifiedorder", forged).expect_err("forged").contains("does not match"));
    assert_eq!(
        check("/pay/unifiedorder", &signed(json!({"return_code": "SUCCESS", "result_code": "FAIL"}), hash::MD5)),
        Ok(true)
    );
}

#[test]
fn code_and_message_of_a_failure() {
    for (value, code, message) in [
        (json!({"return_code": "FAIL", "return_msg": "签名失败"}), "FAIL", "签名失败"),
        (
            json!({"return_code": "SUCCESS", "return_msg": "OK", "result_code": "FAIL", "err_code": "NOTENOUGH", "err_code_des": "余额不足"}),
            "NOTENOUGH",
            "余额不足",
        ),
        (json!({"return_code": ["x"]}), "FAIL", "no reason"),
    ] {
        let failure = failure(&fields(value)).expect("a failure");
        assert_eq!(failure.code, code);
        assert!(failure.message.contains(message));
    }
    assert!(failure(&fields(json!({"return_code": "SUCCESS"}))).is_none());
    assert!(failure(&Fields::new()).is_none());
    assert_eq!(
        failure(&fields(json!({"return_code": "FAIL", "error_code": "20002"}))).map(|f| f.code).as_deref(),
        Some("20002")
    );
    assert!(failure_in(b"<xml><return_code>SUCCESS\x08</return_code></xml>").is_none(), "as the caller reads it");
    assert!(failure_in(b"<xml><return_code>FAIL</return_code></xml>").is_some() && failure_in(b"`bill").is_none());
}

#[test]
fn parse_query_rejects_lists() {
    let parsed = parse_query("a=x+y&b=%E4%B8%AD&c=&d").expect("fields");
    assert_eq!(Value::Object(parsed), json!({"a": "x y", "b": "中", "c": "", "d": ""}));
    for twice in ["a=1&a=2", "a%5B0%5D=1", "a[]=1"] {
        assert!(parse_query(twice).expect_err(twice).message().contains("a list"));
    }
    assert!(parse_query("a=%FF").is_err());
}

#[test]
fn a_signature_of_another_length_is_invalid() {
    let credential = credential();
    for length in [1, 31, 33, 63, 65, 128] {
        let mut fields = fields(json!({"a": "b"}));
        for sign_type in [hash::MD5, hash::HMAC_SHA256] {
            let sign = hash::sign(sign_type, &signing_string(&fields), &credential.secret).expect("sign").repeat(4);
            fields.insert(SIGN.to_owned(), sign.get(..length).expect("long enough").into());
            assert!(credential.verify(&fields).is_err(), "{length}");
        }
    }
}

#[test]
fn errors_of_a_key() {
    for key in ["", "with blank", "中文"] {
        assert!(Apiv2Credential::new("1", key.into()).is_err());
    }
}

#[test]
fn unsigned_paths_are_compared_as_a_whole() {
    for path in ["/pay/downloadbill", "/papay/entrustweb", "/mmpaymkttransfers/pay_bank", "/risk/getpublickey"] {
        assert!(is_unsigned(path), "{path}");
        let below = format!("{path}/x");
        let longer = format!("{path}x");
        let above = format!("/x{path}");
        let slash = format!("{path}/");
        let upper = path.to_ascii_uppercase();
        for other in [&*below, &longer, &above, &slash, &upper, &path[..path.len() - 1], &path[1..], "/", ""] {
            assert!(!is_unsigned(other), "{other}");
        }
    }
}
