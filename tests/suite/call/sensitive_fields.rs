//! Sensitive fields, and the parameters that front ends pay with.

use std::process::Command;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use wechatpay_chain::sandbox::{self, Fault, Sandbox};
use wechatpay_chain::{Client, ErrorKind, Options, Secret, voucher_sign};

use crate::support::{by_certificate, run, sandbox};

const PATH: &str = "v3/merchants";

fn body() -> Value {
    json!({
        "name": "张三",
        "contact": { "mobile_phone": "13000000000", "email": "" },
        "members": [{ "name": "李四", "age": 3 }, { "name": "王五" }],
    })
}

const FIELDS: [&str; 4] = ["name", "contact.mobile_phone", "contact.email", "members.name"];

/// Sends the body. Returns the ID of the key that the request names, and the body as the platform
/// decrypts it.
fn decrypted(sandbox: &Sandbox, client: &Client) -> (String, Value) {
    sandbox.stub("POST", PATH, 200, json!({}));
    client.chain(PATH).post(json!({ "json": body(), "encrypt": FIELDS })).expect("response");
    let request = sandbox.requests().pop().expect("received");
    let id = request.headers["wechatpay-serial"].to_str().expect("text").to_owned();
    let mut json: Value = serde_json::from_slice(&request.body).expect("JSON");
    let decrypt = |field: &Value| json!(sandbox.decrypt(&id, field.as_str().expect("cipher")).expect("decrypted"));
    let decrypted = [
        decrypt(&json["name"]),
        decrypt(&json["contact"]["mobile_phone"]),
        decrypt(&json["members"][0]["name"]),
        decrypt(&json["members"][1]["name"]),
    ];
    let [name, phone, first, second] = decrypted;
    (json["name"], json["contact"]["mobile_phone"]) = (name, phone);
    (json["members"][0]["name"], json["members"][1]["name"]) = (first, second);
    (id, json)
}

#[test]
fn fields_are_encrypted_with_the_key_that_the_request_names() {
    let sandbox = sandbox();
    assert_eq!(decrypted(&sandbox, &sandbox.client().expect("client")), (sandbox::PUBLIC_KEY_ID.to_owned(), body()));
    // In certificate mode the certificate is fetched first.
    let certificate = sandbox.rotate_certificate().expect("certificate");
    let by_certificate = || by_certificate(&sandbox).build().expect("client");
    assert_eq!(decrypted(&sandbox, &by_certificate()), (certificate.serial().to_owned(), body()));
    let encrypted = run(by_certificate().encrypt_async("张三")).expect("encrypted");
    let (cipher, id) = (encrypted.ciphertext, encrypted.serial);
    assert_eq!(sandbox.decrypt(&id, &cipher).expect("decrypted"), "张三");
}

#[test]
fn a_timeout_while_fetching_the_key_is_reported_as_such() {
    let sandbox = sandbox();
    sandbox.rotate_certificate().expect("certificate");
    let call = by_certificate(&sandbox).build().expect("client").chain(PATH);
    sandbox.inject(Fault::Delay(Duration::from_millis(1500)));
    let began = Instant::now();
    let error = call.post(json!({ "json": body(), "encrypt": FIELDS, "timeout": 0.3 })).expect_err("no key");
    assert!(error.is_timeout() && error.to_string().contains("the call was not sent"), "{error}");
    assert!(began.elapsed() < Duration::from_millis(1000), "{:?}", began.elapsed());
    assert_eq!(sandbox.requests().len(), 1, "only the certificates were requested");
}

#[test]
fn the_timeout_of_a_call_includes_fetching_the_certificates() {
    let sandbox = sandbox();
    sandbox.rotate_certificate().expect("certificate");
    sandbox.stub("POST", PATH, 200, json!({}));
    let client = by_certificate(&sandbox).build().expect("client");
    // Each response arrives within the timeout, but not both together.
    sandbox.inject(Fault::Delay(Duration::from_millis(700)));
    sandbox.inject(Fault::Delay(Duration::from_millis(700)));
    let began = Instant::now();
    let outcome = client.chain(PATH).post(json!({ "json": body(), "encrypt": FIELDS, "timeout": 1 }));
    assert_eq!(outcome.expect_err("too late").kind(), ErrorKind::Timeout);
    assert!(began.elapsed() < Duration::from_millis(1350), "{:?}", began.elapsed());
    assert_eq!(sandbox.requests().len(), 2);
}

#[test]
fn fields_that_cannot_be_encrypted_are_errors() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    for (options, expected) in [
        (json!({ "json": body(), "encrypt": "nmae" }), "\"nmae\" is not in the JSON"),
        (json!({ "json": body(), "encrypt": ["members.age"] }), "is not text"),
        (json!({ "json": body(), "encrypt": 1 }), "a number where a string is needed, or a list"),
        (json!({ "json": { "name": "x".repeat(300) }, "encrypt": "name" }), "300 bytes"),
        (json!({ "encrypt": "name" }), "the option \"json\" is missing"),
        (json!({ "json": body(), "encrypt": "name", "headers": { "Wechatpay-Serial": "OTHER" } }), "names another key"),
    ] {
        let error = client.chain(PATH).post(options).expect_err(expected);
        assert!(
            error.kind() == ErrorKind::Options && error.to_string().contains(expected),
            "{expected:?} not in {error}"
        );
        assert!(error.to_string().starts_with("POST v3/merchants: "), "{error}");
    }
    assert!(sandbox.requests().is_empty());
}

#[test]
fn responses_are_decrypted_with_the_merchants_key() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let public = sandbox.merchant_key().public_key();
    let cipher = |text: &str| public.encrypt(text.as_bytes()).expect("encrypted");
    sandbox.stub("GET", PATH, 200, json!({ "list": [{ "name": cipher("张三") }, { "name": cipher("李四") }] }));
    let mut response = client.chain(PATH).get(()).expect("response").json::<Value>().expect("JSON");
    assert_eq!(client.decrypt(response["list"][0]["name"].as_str().expect("cipher")).expect("decrypted"), "张三");
    sandbox.merchant_key().decrypt_fields(&mut response, ["list.name"]).expect("decrypted");
    assert_eq!(response, json!({ "list": [{ "name": "张三" }, { "name": "李四" }] }));
    let notification = sandbox.notification("A", "b", &json!({ "user_name": cipher("张三") })).expect("created");
    let notifications =
        sandbox.client_builder().apiv3_key(sandbox.apiv3_key()).build().expect("client").notifications().expect("key");
    let mut resource =
        notifications.verify(notification.headers(), notification.body()).expect("valid").into_resource();
    sandbox.merchant_key().decrypt_fields(&mut resource, ["user_name"]).expect("decrypted");
    assert_eq!(resource, json!({ "user_name": "张三" }));
    assert_eq!(client.decrypt("QUJD").expect_err("not a ciphertext").kind(), ErrorKind::Decode);
    assert!(sandbox.merchant_key().decrypt_fields(&mut response, ["list.name"]).is_err(), "no longer encrypted");
}

#[test]
fn payment_parameters_are_signed_over_their_lines() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let public = sandbox.merchant_key().public_key();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let is_signed = |lines: [&str; 4], sign: &Value| {
        let message = lines.map(|line| format!("{line}\n")).concat();
        public.verify(message.as_bytes(), &BASE64_STANDARD.decode(text(sign)).expect("base64"))
    };
    for p in [
        client.jsapi_payment("wx8888888888888888", "wx2014").expect("parameters"),
        run(client.jsapi_payment_async("wx8888888888888888", "wx2014")).expect("parameters"),
    ] {
        assert_eq!(
            p.as_object().expect("object").keys().collect::<Vec<_>>(),
            ["appId", "timeStamp", "nonceStr", "package", "signType", "paySign"]
        );
        assert_eq!((text(&p["package"]), text(&p["signType"])), ("prepay_id=wx2014".to_owned(), "RSA".to_owned()));
        assert!(is_signed(
            [&text(&p["appId"]), &text(&p["timeStamp"]), &text(&p["nonceStr"]), "prepay_id=wx2014"],
            &p["paySign"]
        ));
    }
    let p = client.app_payment("wx8888888888888888", "wx2014").expect("parameters");
    assert_eq!((text(&p["partnerid"]), text(&p["package"])), (sandbox::MCHID.to_owned(), "Sign=WXPay".to_owned()));
    assert!(is_signed(["wx8888888888888888", &text(&p["timestamp"]), &text(&p["noncestr"]), "wx2014"], &p["sign"]));
    for p in [
        client.partner_app_payment("wx8888888888888888", "1230000109", "wx2014").expect("parameters"),
        run(client.partner_app_payment_async("wx8888888888888888", "1230000109", "wx2014")).expect("parameters"),
    ] {
        assert_eq!((text(&p["partnerid"]), text(&p["prepayid"])), ("1230000109".to_owned(), "wx2014".to_owned()));
        assert!(is_signed(["wx8888888888888888", &text(&p["timestamp"]), &text(&p["noncestr"]), "wx2014"], &p["sign"]));
    }
    // The last two arguments are exchanged.
    let swapped = client.partner_app_payment("wx8888888888888888", "wx2014", "1230000109").expect_err("swapped");
    assert!(swapped.is_before_send() && swapped.message().contains("sub_mchid"), "{swapped}");
}

#[test]
fn a_sensitive_field_outside_of_the_json_is_encrypted_with_the_client() {
    let (sandbox, client) = crate::support::start();
    for options in [
        json!({ "query": { "name": "张三" }, "encrypt": "name" }),
        json!({ "query": { "name": "张三" }, "json": { "x": 1 }, "encrypt": "name" }),
    ] {
        let error = client.chain("v3/x").post(options).expect_err("not in the JSON");
        assert!(error.message().contains("Client::encrypt"), "{error}");
    }
    let encrypted = client.encrypt("张三").expect("encrypted");
    assert_eq!(encrypted.serial, sandbox::PUBLIC_KEY_ID);
    assert_eq!(run(client.encrypt_async("张三")).expect("encrypted").serial, encrypted.serial);
    drop(sandbox);
}

#[test]
fn voucher_sign_is_the_hmac_of_openssl() {
    let parameters = [
        ("stock_id0", "1234567891"),
        ("send_coupon_merchant", "10016226"),
        ("out_request_no0", "abc123"),
        ("coupon_code0", ""),
        ("sign", "x"),
    ];
    let sign = voucher_sign(parameters, &Secret::from("corpusApiv2Key0123456789abcdefgh"));
    let message = "out_request_no0=abc123&send_coupon_merchant=10016226&stock_id0=1234567891&key=corpusApiv2Key0123456789abcdefgh";
    let file = std::env::temp_dir().join(format!("wechatpay-chain-voucher-{}", std::process::id()));
    std::fs::write(&file, message).expect("written");
    let output = Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", "corpusApiv2Key0123456789abcdefgh"])
        .arg(&file)
        .output();
    std::fs::remove_file(&file).expect("removed");
    let Ok(output) = output else { return };
    let printed = String::from_utf8(output.stdout).expect("text");
    assert_eq!(printed.trim().rsplit("= ").next().expect("hash").to_uppercase(), sign);
}

#[test]
fn options_from_the_builder_are_encrypted() {
    let sandbox = sandbox();
    sandbox.stub("POST", PATH, 200, json!({}));
    let options = Options::new().json(&body()).with("encrypt", json!(["name"]));
    sandbox.client().expect("client").chain(PATH).post(options).expect("response");
    assert!(!String::from_utf8_lossy(&sandbox.requests()[0].body).contains("张三"));
}
