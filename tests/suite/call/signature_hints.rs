//! The hint in an error whose signature the service refused.

use bytes::Bytes;
use serde_json::{Value, json};
use wechatpay_chain::sandbox::Fault;
use wechatpay_chain::{Client, ErrorKind};

use crate::support::{CARDS, options, start};

#[test]
fn a_refused_signature_is_explained_by_a_hint() {
    let (sandbox, client) = start();
    let other_key = {
        use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
        let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("key");
        let der: Pkcs8V1Der<'_> = pair.as_der().expect("der");
        wechatpay_chain::PrivateKey::from_der(der.as_ref()).expect("key")
    };
    let build = |builder: wechatpay_chain::ClientBuilder| builder.build().expect("client");
    let refused = |client: &Client| client.chain(CARDS).post(options()).expect_err("refused");
    let error = refused(&build(sandbox.client_builder().private_key(other_key)));
    assert_eq!((error.kind(), error.code()), (ErrorKind::ClientError, Some("SIGN_ERROR")));
    assert!(error.hint().is_some_and(|hint| hint.contains("the key is wrong")), "{error}");
    assert!(error.to_string().contains("the key is wrong"), "{error}");
    let error = refused(&build(sandbox.client_builder().serial("00AB")));
    assert!(error.hint().is_some_and(|hint| hint.contains("the setting serial")), "{error}");
    // A gateway that changes the path, the method or the body.
    for (change, expected) in [
        (
            (|information: &mut Value| information["url"] = "/gateway/v3/x".into()) as fn(&mut Value),
            "a different path than was signed",
        ),
        (|information| information["method"] = "PUT".into(), "the method PUT"),
        (|information| information["sign_message_length"] = 7.into(), "body was changed after signing"),
    ] {
        sandbox.inject(Fault::Tamper(Box::new(move |response| {
            let request = "POST\n/v3/marketing/membercard-open/cards/pbLatjvWOibDc5-TBnbUk1pD12o0/permission-tokens\n";
            let mut body = json!({ "code": "SIGN_ERROR", "message": "错误的签名", "detail": { "sign_information": {
                "method": "POST", "url": request.split('\n').nth(1), "truncated_sign_message": request,
            }}});
            change(&mut body["detail"]["sign_information"]);
            *response.status_mut() = http::StatusCode::UNAUTHORIZED;
            *response.body_mut() = Bytes::from(body.to_string());
        })));
        let error = refused(&client);
        assert!(error.hint().is_some_and(|hint| hint.contains(expected)), "{expected}: {error}");
    }
    // A wrong clock, which differs from the Date of the response.
    sandbox.inject(Fault::Clock(-4000));
    let error = refused(&client);
    assert_eq!(error.kind(), ErrorKind::Verification);
    sandbox.inject(Fault::Tamper(Box::new(|response| {
        response.headers_mut().insert("date", "Mon, 23 Nov 2020 12:00:00 GMT".parse().expect("date"));
        response.headers_mut().insert("wechatpay-timestamp", "1606132800".parse().expect("time"));
    })));
    let error = refused(&client);
    assert!(error.kind() == ErrorKind::Verification && error.message().contains("ahead of WeChat Pay's"), "{error}");
}
