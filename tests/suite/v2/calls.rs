//! Calls of APIv2: XML with a sign, and the client certificate where an endpoint requires it.

use bytes::Bytes;
use serde_json::{Value, json};
use wechatpay_chain::crypto::hash;
use wechatpay_chain::sandbox::{Fault, MCHID, Sandbox};
use wechatpay_chain::{Client, ErrorKind, Secret};

use crate::support::{run, sandbox, start};

pub(crate) fn order(out_trade_no: &str) -> Value {
    json!({ "xml": {
        "appid": "wx8888888888888888", "mch_id": MCHID, "sign_type": "HMAC-SHA256", "body": "image形象店 <QQ公仔> ]]> & \"co\"",
        "out_trade_no": out_trade_no, "total_fee": 888, "spbill_create_ip": "123.12.12.123",
        "notify_url": "https://example.com/notify", "trade_type": "NATIVE", "product_id": "<a & b>",
    }})
}

pub(crate) fn refund(out_trade_no: &str) -> Value {
    json!({ "security": true, "xml": {
        "appid": "wx8888888888888888", "mch_id": MCHID, "out_trade_no": out_trade_no, "out_refund_no": "r1",
        "total_fee": "888", "refund_fee": "88",
    }})
}

pub(crate) fn over_tls(sandbox: &Sandbox) -> Client {
    sandbox.client_builder().base_uri(sandbox.tls_base_uri()).build().expect("client")
}

#[test]
fn an_order_is_placed_queried_paid_and_refunded() {
    let sandbox = sandbox();
    let client = over_tls(&sandbox);
    let placed = client.chain("v2/pay/unifiedorder").post(order("1")).expect("placed");
    assert!(placed.is_verified());
    let placed = placed.xml().expect("xml");
    assert_eq!(placed["return_code"], "SUCCESS");
    assert!(placed["code_url"].as_str().expect("code_url").starts_with("weixin://"));
    assert_eq!(placed["sign"].as_str().map(str::len), Some(64), "HMAC-SHA256, as in the request");

    let query = json!({ "xml": { "appid": "wx8888888888888888", "mch_id": MCHID, "out_trade_no": "1" } });
    let queried = client["v2/pay/orderquery"].post(&query).expect("queried").xml().expect("xml");
    assert_eq!((&queried["trade_state"], &queried["total_fee"]), (&json!("NOTPAY"), &json!("888")));
    assert_eq!(queried["sign"].as_str().map(str::len), Some(32), "MD5, as in the request");

    let error = client.chain("v2/secapi/pay/refund").post(refund("1")).expect_err("not paid");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Fail, Some("TRADE_STATE_ERROR")));
    assert!(error.to_string().starts_with("POST v2/secapi/pay/refund: 200 TRADE_STATE_ERROR: 订单状态错误"), "{error}");
    assert!(error.response().expect("response").is_verified(), "failures are signed, too");

    sandbox.pay("1").expect("paid");
    let queried = client.seg("v2").seg("pay").seg("orderquery").post(&query).expect("queried").xml().expect("xml");
    assert_eq!(queried["trade_state"], "SUCCESS");
    let refunded = run(async { client.chain("v2/secapi/pay/refund").post_async(refund("1")).await });
    assert_eq!(refunded.expect("refunded").xml().expect("xml")["refund_fee"], "88");
    assert_eq!(sandbox.requests().len(), 5);
    assert!(sandbox.requests().iter().all(|request| !request.headers.contains_key("authorization")));
}

#[test]
fn without_http_errors_a_failure_is_a_response() {
    let (_sandbox, client) = start();
    let options = json!({ "http_errors": false, "xml": { "appid": "wx", "mch_id": MCHID, "out_trade_no": "none" } });
    let response = client.chain("v2/pay/orderquery").post(options).expect("response");
    assert_eq!(response.xml().expect("xml")["err_code"], "ORDERNOTEXIST");
    assert!(response.is_verified());
    let error = client.chain("v2/pay/nonsense").post(json!({ "xml": { "mch_id": MCHID } })).expect_err("unknown");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Fail, Some("FAIL")));
    assert!(error.message().contains("sandbox.stub"), "{error}");
}

#[test]
fn the_certificate_is_presented_only_with_the_security_option() {
    let sandbox = sandbox();
    let place_and_pay = |number: &str, client: &Client| {
        client.chain("v2/pay/unifiedorder").post(order(number)).expect("placed");
        sandbox.pay(number).expect("paid");
    };
    let client = over_tls(&sandbox);
    place_and_pay("1", &client);
    // Without the option, no connection that presents the certificate is used.
    client.chain("v2/secapi/pay/refund").post(refund("1")).expect("with the certificate");
    let mut without = refund("1");
    without["security"] = false.into();
    let error = client.chain("v2/secapi/pay/refund").post(&without).expect_err("without the certificate");
    assert_eq!(error.kind(), ErrorKind::ClientError);
    assert!(error.message().contains("No required SSL certificate"), "{error}");
    client.chain("v2/secapi/pay/refund").post(refund("1")).expect("with the certificate again");

    // A client without a certificate fails before anything is sent.
    let without_certificate = Client::builder()
        .mchid(MCHID)
        .secret(sandbox.secret())
        .root_certificate(sandbox.root_certificate())
        .base_uri(sandbox.tls_base_uri())
        .no_proxy()
        .build()
        .expect("client");
    let before = sandbox.requests().len();
    let error = without_certificate.chain("v2/secapi/pay/refund").post(refund("1")).expect_err("no certificate");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("merchant_certificate"), "{error}");
    assert_eq!(sandbox.requests().len(), before);
    // It can make calls of APIv2, but none of APIv3.
    without_certificate
        .chain("v2/pay/orderquery")
        .post(json!({ "xml": { "appid": "wx8888888888888888", "mch_id": MCHID, "out_trade_no": "1" } }))
        .expect("queried");
    let error = without_certificate.chain("v3/certificates").get(()).expect_err("no key");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("private_key and serial are missing"), "{error}");
}

/// The settings of the sandbox with another `merchant`.
fn with_merchant(sandbox: &Sandbox, merchant: Value) -> Value {
    let mut settings = sandbox.settings();
    settings["merchant"] = merchant;
    settings
}

fn tls_settings(sandbox: &Sandbox, merchant: Value) -> Value {
    let mut settings = with_merchant(sandbox, merchant);
    settings["base_uri"] = sandbox.tls_base_uri().into();
    settings["root_certificate"] = sandbox.root_certificate().into();
    settings
}

/// Places and pays an order, and refunds it, which requires the certificate.
fn assert_refunds(sandbox: &Sandbox, client: &Client, number: &str) {
    client.chain("v2/pay/unifiedorder").post(order(number)).expect("placed");
    sandbox.pay(number).expect("paid");
    let mut refund = refund(number);
    refund["xml"]["out_refund_no"] = format!("r-{number}").into();
    client.chain("v2/secapi/pay/refund").post(refund).unwrap_or_else(|error| panic!("{number}: {error}"));
}

/// A folder with the merchant's `cert.pem` and `key.pem`.
fn merchant_files(sandbox: &Sandbox) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("folder");
    for name in ["cert", "key"] {
        let pem = sandbox.settings()["merchant"][name].as_str().expect("pem").to_owned();
        std::fs::write(folder.path().join(name).with_extension("pem"), pem).expect("written");
    }
    folder
}

#[test]
fn the_certificate_is_read_from_files() {
    let sandbox = sandbox();
    let folder = merchant_files(&sandbox);
    let path = |name: &str| folder.path().join(name).to_str().expect("path").to_owned();
    // The beginning of a PKCS#12 file.
    std::fs::write(path("cert.p12"), [0x30, 0x82, 0x0a, 0x30, 0x02, 0x01, 0x03, 0x30]).expect("written");
    for (number, merchant) in [
        json!({ "cert": path("cert.pem"), "key": path("key.pem") }),
        json!({ "cert": format!("file://{}", path("cert.pem")), "key": format!("file://{}", path("key.pem")) }),
    ]
    .into_iter()
    .enumerate()
    {
        let client =
            Client::factory(tls_settings(&sandbox, merchant.clone())).unwrap_or_else(|e| panic!("{merchant}: {e}"));
        assert_refunds(&sandbox, &client, &number.to_string());
    }

    let mut other = sandbox.settings();
    other["mchid"] = "1900000108".into();
    let error = Client::factory(other).expect_err("certificate of another merchant");
    assert!(error.message().contains("belongs to the merchant \"1900000109\""), "{error}");
    for (merchant, expected) in [
        (json!("x"), "an object with cert and key"),
        (json!({ "cert": path("cert.pem") }), "cert and key together"),
        (json!({ "cert": path("none.pem"), "key": path("key.pem") }), "cannot be read"),
        (json!({ "cert": path("key.pem"), "key": path("key.pem") }), "it is a private key"),
        (json!({ "cert": path("cert.pem"), "key": path("cert.pem") }), "where apiclient_key.pem is needed"),
        (json!({ "cert": sandbox.settings()["merchant"]["cert"], "key": other_key() }), "do not match"),
        (json!({ "crt": "x" }), "the keys are cert and key, or pkcs12"),
        (json!({ "pkcs12": path("cert.pem") }), "pkcs12 and passphrase together"),
        (json!({ "cert": path("cert.p12"), "key": path("key.pem") }), "it is PKCS#12"),
        #[cfg(not(feature = "pkcs12"))]
        (json!({ "pkcs12": path("cert.pem"), "passphrase": MCHID }), "the feature pkcs12"),
        (json!({ "cert": [1], "key": "x" }), "an array where a string is needed"),
    ] {
        assert_refused(&sandbox, merchant, expected);
    }
}

fn assert_refused(sandbox: &Sandbox, merchant: Value, expected: &str) {
    let error = Client::factory(with_merchant(sandbox, merchant.clone())).expect_err(expected);
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("merchant") && error.message().contains(expected), "{merchant}: {error}");
    assert!(!format!("{error} {error:?}").contains("PRIVATE"), "{error}");
}

#[cfg(feature = "pkcs12")]
#[test]
fn the_certificate_is_read_from_pkcs12() {
    let sandbox = sandbox();
    let folder = merchant_files(&sandbox);
    let path = |name: &str| folder.path().join(name).to_str().expect("path").to_owned();
    let p12 = |name: &str, passphrase: &str| json!({ "pkcs12": path(name), "passphrase": passphrase });
    // With the algorithms of the merchant platform, and with those of newer tools.
    for (name, flags) in [
        ("legacy.p12", &["-legacy", "-certpbe", "PBE-SHA1-RC2-40", "-keypbe", "PBE-SHA1-3DES"][..]),
        ("modern.p12", &[][..]),
    ] {
        let output = std::process::Command::new("openssl")
            .args(["pkcs12", "-export", "-in", &path("cert.pem"), "-inkey", &path("key.pem"), "-out", &path(name)])
            .args(["-passout", "pass:1900000109"])
            .args(flags)
            .output()
            .expect("openssl");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let client = Client::factory(tls_settings(&sandbox, p12(name, MCHID))).expect(name);
        assert_refunds(&sandbox, &client, name.trim_end_matches(".p12"));
    }
    let bytes = std::fs::read(path("legacy.p12")).expect("p12");
    let builder = sandbox.client_builder().merchant_pkcs12(&bytes, MCHID);
    assert_refunds(&sandbox, &builder.base_uri(sandbox.tls_base_uri()).build().expect("client"), "p12");
    assert_refused(&sandbox, p12("legacy.p12", "wrong"), "it is the merchant ID");
    assert_refused(&sandbox, p12("cert.pem", MCHID), "not a PKCS#12 file");
}

/// A key that does not belong to the certificate.
fn other_key() -> String {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use base64::Engine;
    let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("key");
    let der: Pkcs8V1Der<'_> = pair.as_der().expect("der");
    format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        base64::prelude::BASE64_STANDARD.encode(der.as_ref())
    )
}

#[test]
fn each_invalid_call_is_an_error_and_sends_nothing() {
    let (sandbox, client) = start();
    for (path, options, kind, expected) in [
        ("v2/pay/unifiedorder", json!({}), ErrorKind::Options, "\"xml\" is missing"),
        ("v2/pay/unifiedorder", json!({ "json": {} }), ErrorKind::Options, "\"xml\""),
        ("v2/pay/unifiedorder", json!({ "xml": {} }), ErrorKind::Options, "merchant ID is missing"),
        (
            "v2/pay/unifiedorder",
            json!({ "xml": { "mch_id": "1" } }),
            ErrorKind::Options,
            "this client belongs to the merchant \"1900000109\"",
        ),
        (
            "v2/pay/unifiedorder",
            json!({ "xml": { "mch_id": 1_900_000_109 } }),
            ErrorKind::Options,
            "a number where the string \"1900000109\" is needed",
        ),
        (
            "v2/pay/unifiedorder",
            json!({ "xml": { "mch_id": MCHID, "sign_type": "SHA1" } }),
            ErrorKind::Options,
            "\"SHA1\"",
        ),
        (
            "v2/pay/unifiedorder",
            json!({ "xml": { "mch_id": MCHID, "sign_type": "" } }),
            ErrorKind::Options,
            "sign_type",
        ),
        ("v2/pay/unifiedorder", json!({ "xml": {}, "nonceless": false }), ErrorKind::Options, "PHP treats as true"),
        ("v2/secapi/pay/refund", json!({ "xml": {}, "security": true }), ErrorKind::Options, "uses plain http"),
        ("v3/pay/transactions/native", json!({ "xml": {} }), ErrorKind::Options, "begin with \"v2/\""),
        (
            "v3/pay/transactions/native",
            json!({ "json": {}, "security": true }),
            ErrorKind::Options,
            "begin with \"v2/\"",
        ),
        ("v2/pay/unifiedorder", json!({ "xmll": {} }), ErrorKind::Options, "did you mean \"xml\"?"),
    ] {
        let error = client.chain(path).post(options.clone()).expect_err(expected);
        assert_eq!(error.kind(), kind, "{options}: {error}");
        assert!(error.message().contains(expected), "{options}: {error}");
    }
    let error =
        client.chain("v2/appauth/x").get(json!({ "query": { "mch_id": MCHID, "a": [1, 2] } })).expect_err("a list");
    assert!(error.message().contains("a list"), "{error}");
    assert!(sandbox.requests().is_empty());

    let no_secret = Client::builder()
        .mchid(MCHID)
        .serial("AB")
        .private_key(sandbox.merchant_key())
        .apiv3_key(sandbox.apiv3_key())
        .base_uri(sandbox.base_uri())
        .build()
        .expect("client");
    let error = no_secret.chain("v2/pay/unifiedorder").post(order("1")).expect_err("no secret");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("the setting secret is missing"), "{error}");
    let error = sandbox.client_builder().secret("with blank").build().expect_err("blank");
    assert!(error.message().contains("setting secret"), "{error}");
}

#[test]
fn untrusted_responses_are_verification_errors() {
    let (sandbox, client) = start();
    let body = |text: &str| {
        let text = text.to_owned();
        Fault::Tamper(Box::new(move |response| *response.body_mut() = text.clone().into()))
    };
    let signed = |fields: &Value| {
        let mut names: Vec<_> = fields.as_object().expect("object").iter().collect();
        names.sort_by_key(|(name, _)| name.as_str());
        let text: Vec<_> =
            names.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect();
        let sign = hash::sign(hash::MD5, &text.join("&"), &sandbox.secret()).expect("sign");
        let fields: String = names
            .iter()
            .map(|(name, value)| format!("<{name}>{}</{name}>", value.as_str().unwrap_or_default()))
            .collect();
        format!("<xml>{fields}<sign>{sign}</sign></xml>")
    };
    let good = signed(&json!({ "return_code": "SUCCESS", "result_code": "SUCCESS", "nickname": "a\u{8}b" }));
    let nested = "<a>".repeat(3_400_000);
    for (fault, expected) in [
        (body(&good.replace("a\u{8}b", "other")), "does not match"),
        (body(&good.replace("<sign>", "<sing>").replace("</sign>", "</sing>")), "no sign"),
        (body("<xml><result_code>SUCCESS</result_code></xml>"), "no return_code"),
        (body("<!DOCTYPE html><html><body>gateway</body></html>"), "HTML page"),
        (body("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><xml><a>&e;</a></xml>"), "document type"),
        (body("<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]><xml><a>&b;</a></xml>"), "document type"),
        (body(&nested), "deeper than 32"),
        (body("{\"return_code\": \"SUCCESS\"}"), "not begin with"),
        (body(""), "empty"),
        (
            Fault::Tamper(Box::new(|response| *response.body_mut() = Bytes::from_static(b"<xml><a>\xff</a></xml>"))),
            "not UTF-8",
        ),
    ] {
        sandbox.inject(fault);
        let error = client.chain("v2/pay/unifiedorder").post(order("1")).expect_err(expected);
        assert_eq!(error.kind(), ErrorKind::Verification, "{error}");
        assert!(error.message().contains(expected), "{expected}: {error}");
        assert!(!error.response().expect("response").is_verified());
    }
    // Changes of an error response are detected, too.
    let failed = signed(&json!({ "return_code": "SUCCESS", "result_code": "FAIL", "err_code": "ORDERNOTEXIST" }));
    sandbox.inject(body(&failed));
    assert_eq!(client.chain("v2/pay/unifiedorder").post(order("1")).expect_err("failed").code(), Some("ORDERNOTEXIST"));
    sandbox.inject(body(&failed.replace("ORDERNOTEXIST", "SYSTEMERROR")));
    let error = client.chain("v2/pay/unifiedorder").post(order("1")).expect_err("forged");
    assert_eq!(error.kind(), ErrorKind::Verification, "{error}");
    // The sign in a body is not printed.
    let (refusal, sign) = ("<xml><a>1</a><sign>0123456789ABCDEF</sign></xml>", "0123456789ABCDEF");
    let refusal = http::Response::builder().status(403).body(Bytes::from_static(refusal.as_bytes())).expect("response");
    sandbox.inject(Fault::Gateway(refusal));
    let error = client.chain("v2/pay/unifiedorder").post(order("1")).expect_err("refused");
    assert!(!format!("{error} {error:?}").contains(sign), "{error}");
    // Control characters are removed from the fields, as in PHP.
    sandbox.inject(body(&good));
    let response = client.chain("v2/pay/unifiedorder").post(order("1")).expect("good");
    assert!(response.is_verified());
    assert_eq!(response.xml().expect("xml")["nickname"], "ab");
    // A response other than 2xx is an error by its status.
    let page = http::Response::builder().status(502).body(Bytes::from_static(b"<html>502</html>")).expect("page");
    sandbox.inject(Fault::Gateway(page));
    let error = client.chain("v2/pay/unifiedorder").post(order("1")).expect_err("gateway");
    assert_eq!((error.kind(), error.status().map(|s| s.as_u16())), (ErrorKind::ServerError, Some(502)));
}

#[test]
fn responses_of_unsigned_paths_need_no_sign() {
    let sandbox = sandbox();
    let client = over_tls(&sandbox);
    let options = |amount: &str| {
        json!({ "security": true, "xml": {
            "mch_id": MCHID, "mch_billno": "1", "wxappid": "wx8888888888888888", "send_name": "天虹百货", "re_openid": "oxTWIu",
            "total_amount": amount, "total_num": "1", "wishing": "感谢您", "client_ip": "192.168.0.1", "act_name": "猜灯谜", "remark": "快",
        }})
    };
    let sent = client.chain("v2/mmpaymkttransfers/sendredpack").post(options("1000")).expect("sent");
    assert!(!sent.is_verified());
    assert_eq!(sent.xml().expect("xml")["total_amount"], "1000");
    let again = client.chain("v2/mmpaymkttransfers/sendredpack").post(options("1000")).expect("the same");
    assert_eq!(again.xml().expect("xml")["send_listid"], sent.xml().expect("xml")["send_listid"], "paid once");
    sandbox.audit().expect("balanced");
    let error = client.chain("v2/mmpaymkttransfers/sendredpack").post(options("99")).expect_err("too little");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Fail, Some("MONEY_LIMIT")));
    // A request that is refused moves no money.
    let account = sandbox.overview()["account"].clone();
    let mut incomplete = options("1000");
    incomplete["xml"]["mch_billno"] = "2".into();
    incomplete["xml"].as_object_mut().expect("fields").remove("re_openid");
    client.chain("v2/mmpaymkttransfers/sendredpack").post(incomplete).expect_err("no recipient");
    assert_eq!(sandbox.overview()["account"], account);
}

#[test]
fn no_secret_is_printed() {
    let sandbox = sandbox();
    let secret = String::from_utf8(sandbox.secret().expose().to_vec()).expect("text");
    let client = sandbox.client().expect("client");
    let notifications = client.notifications_v2().expect("notifications");
    let body = sandbox.notification_v2(&json!({ "openid": "o-personal" })).expect("body");
    let notification = notifications.verify(&body).expect("verified");
    let error = client.chain("v2/pay/orderquery").post(json!({ "xml": { "mch_id": "1" } })).expect_err("guard");
    let refused = client.chain("v2/pay/orderquery").post(json!({ "xml": { "mch_id": MCHID, "out_trade_no": "1" } }));
    let shown = format!(
        "{client:?} {notifications:?} {notification:?} {:?} {error:?} {refused:?} {:?}",
        sandbox.client_builder(),
        Secret::from(secret.as_str())
    );
    assert!(!shown.contains(&secret) && !shown.contains("o-personal") && !shown.contains("BEGIN"), "{shown}");
}
