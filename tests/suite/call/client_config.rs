//! The settings of a client. Each missing or wrong one has its own message.

use serde_json::{Value, json};
use wechatpay_chain::sandbox::Sandbox;
use wechatpay_chain::{Client, ErrorKind, PrivateKey, PublicKey};

use crate::support::{CARDS, each_hint_names_its_condition, options, sandbox, silent_server};

/// The sandbox's settings without the APIv3 key, with which platform keys could be fetched.
fn settings_of(sandbox: &Sandbox) -> Value {
    let mut settings = sandbox.settings();
    settings.as_object_mut().expect("object").remove("apiv3_key");
    settings
}

/// The message of the error that these settings cause.
fn message_of(settings: Value) -> String {
    let error = Client::factory(settings).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    error.to_string()
}

fn with(sandbox: &Sandbox, key: &str, value: Value) -> Value {
    let mut settings = settings_of(sandbox);
    settings[key] = value;
    settings
}

#[test]
fn the_map_of_the_php_sdk_builds_a_client() {
    let sandbox = sandbox();
    let mut settings = sandbox.settings();
    // Other entries of PHP's map.
    settings["secret"] = json!("apiv2-key");
    settings["merchant"] = json!({ "cert": null, "key": null });
    settings["timeout"] = json!(12.5);
    settings["connect_timeout"] = json!(3);
    settings["serial"] = json!(sandbox.settings()["serial"].as_str().expect("serial").to_lowercase());
    let client = Client::factory(settings).expect("client");
    assert!(client.chain(CARDS).post(options()).expect("response").is_verified());
    assert!(format!("{client:?}").contains("12.5s"), "{client:?}");
}

#[test]
fn timeouts_have_defaults_and_can_be_set_in_the_map() {
    let sandbox = sandbox();
    assert!(format!("{:?}", sandbox.client_builder()).contains("timeout: 30s, connect_timeout: 10s"));
    assert!(format!("{:?}", sandbox.client().expect("client")).contains("timeout: 30s"));
    let silent = silent_server();
    let mut settings = sandbox.settings();
    settings["base_uri"] = json!(format!("https://{silent}/"));
    settings["connect_timeout"] = json!(0.2);
    let error = Client::factory(settings).expect("client").chain(CARDS).post(options()).expect_err("silent");
    assert!(error.is_connect() && error.is_timeout() && error.to_string().contains("200ms"), "{error}");
}

/// Shared connections have the setting of the client whose connections they are.
#[test]
fn keep_warm_can_be_set_in_the_map() {
    let sandbox = sandbox();
    let mut settings = sandbox.settings();
    settings["keep_warm"] = json!(7);
    let first = Client::factory(settings).expect("client");
    let second = |seconds| {
        let builder = Client::builder().mchid(wechatpay_chain::sandbox::MCHID).secret(sandbox.secret());
        let builder = builder.keep_warm(std::time::Duration::from_secs(seconds));
        builder.share_connections(&first).build().map_err(|error| error.to_string())
    };
    assert!(second(7).is_ok(), "the same setting");
    assert!(second(8).expect_err("another one").contains("the setting keep_warm differs"));
    let error = Client::factory(with(&sandbox, "keep_warm", json!("x"))).expect_err("a string").to_string();
    assert!(error.contains("the setting keep_warm: a string"), "{error}");
}

#[test]
fn keys_are_read_from_files() {
    let sandbox = sandbox();
    let folder = tempfile::tempdir().expect("folder");
    let mut settings = sandbox.settings();
    let file = |name: &str, text: &Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, text.as_str().expect("pem")).expect("written");
        json!(format!("file://{}", path.display()))
    };
    settings["privateKey"] = file("key.pem", &settings["privateKey"]);
    let certs = settings["certs"].as_object().expect("certs").clone();
    for (id, pem) in certs {
        settings["certs"][&id] = file("pub.pem", &pem);
    }
    let outcome = Client::factory(settings).expect("client").chain(CARDS).post(options());
    assert!(outcome.expect("response").is_verified());
}

#[test]
fn each_missing_or_wrong_setting_is_reported() {
    let sandbox = sandbox();
    let private = sandbox.settings()["privateKey"].clone();
    let public = sandbox.settings()["certs"].as_object().expect("certs").values().next().expect("one").clone();
    let certificate = pem("CERTIFICATE", sandbox.rotate_certificate().expect("certificate").der());
    let own = pem("PUBLIC KEY", &sandbox.merchant_key().public_key().spki());
    let mut messages = Vec::new();
    for (key, expected) in [
        ("mchid", "the setting mchid is missing"),
        ("serial", "the setting serial is missing"),
        ("privateKey", "the setting private_key (privateKey) is missing"),
        ("certs", "platform_key (certs) is missing"),
    ] {
        let mut settings = settings_of(&sandbox);
        settings.as_object_mut().expect("object").remove(key);
        messages.push((expected, message_of(settings)));
    }
    for (key, value, expected) in [
        ("mchid", json!(""), "mchid is empty"),
        ("mchid", json!("19 00"), "characters other than letters and digits"),
        ("mchid", json!(["x"]), "mchid: an array"),
        ("serial", json!("3F:A0"), "not a hexadecimal number"),
        ("serial", json!("646212345678901234567890123456789012345678901234"), "the setting serial is a decimal number"),
        ("serial", json!("64621234567890123456789012345678901234567"), "the setting serial is a decimal number"),
        (
            "certs",
            json!({ "646212345678901234567890123456789012345678901234": public }),
            "the ID is a decimal number: give the serial number in hexadecimal",
        ),
        ("serial", json!(7), "serial: a number"),
        ("privateKey", json!("not a key"), "it is not a private key"),
        ("privateKey", json!("file:///no/such/file.pem"), "cannot be read"),
        ("privateKey", public.clone(), "a public key where the merchant's private key is needed"),
        ("privateKey", json!(null), "privateKey: null"),
        (
            "privateKey",
            json!("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"),
            "passphrase",
        ),
        ("privateKey", json!("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"), "elliptic"),
        (
            "privateKey",
            json!("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            "not an RSA private key",
        ),
        ("certs", json!({}), "platform_key (certs) is missing"),
        ("certs", json!("x"), "certs: a string"),
        ("certs", json!({ "PUB_KEY_ID_1": private }), "a private key where WeChat Pay's public key is needed"),
        ("certs", json!({ "PUB KEY": public }), "neither PUB_KEY_ID_... nor the serial number"),
        ("certs", json!({ "PUB_KEY_ID_": public }), "neither PUB_KEY_ID_... nor the serial number"),
        ("certs", json!({ "any": null }), "give the setting apiv3_key"),
        ("certs", json!({ "DEADBEEF": certificate }), "has the serial number 7132D72A"),
        ("certs", json!({ "PUB_KEY_ID_1": certificate }), "a certificate is configured with the ID of a public key"),
        ("certs", json!({ "PUB_KEY_ID_1": own }), "the merchant's own key or certificate"),
        ("verify", json!(false), "TLS is always verified"),
        ("headers", json!({}), "is an option of a call: give it with each call"),
        ("proxy", json!("nope"), "is not the URL of a proxy"),
        ("certs", json!({ wechatpay_chain::sandbox::SERIAL: public }), "the merchant's own serial"),
        ("certs", json!({ "1": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" }), "not X.509"),
        ("certs", json!({ "1": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n" }), "not an SPKI"),
        ("base_uri", json!("api.mch.weixin.qq.com"), "has no scheme or host"),
        ("base_uri", json!("https://api.mch.weixin.qq.com/hk"), "must end with"),
        ("timeout", json!("5"), "timeout: a string"),
        ("timeout", json!(-1), "timeout: -1"),
        ("proxy", json!("gopher://x"), "is not the URL of a proxy"),
        ("proxy", json!({ "ftp": "x" }), "the keys are http, https and no"),
        ("mchId", json!("1"), "did you mean \"mchid\"?"),
        ("private_key", json!("1"), "did you mean \"privateKey\"?"),
        ("colour", json!("1"), "the settings are mchid"),
    ] {
        messages.push((expected, message_of(with(&sandbox, key, value))));
    }
    messages.push(("an array where an object", message_of(json!([]))));
    each_hint_names_its_condition(&messages);
    for (_, message) in &messages {
        assert!(!message.contains("MII"), "key material in {message:?}");
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

#[test]
fn contradictory_settings_are_reported() {
    use wechatpay_chain::{BoxError, BoxFuture, Signature, Signer, Verifier};
    struct Unused;
    impl Signer for Unused {
        fn sign<'a>(&'a self, _: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
            unreachable!("nothing is sent")
        }
    }
    impl Verifier for Unused {
        fn verify<'a>(&'a self, _: &'a str, _: &'a [u8], _: &'a [u8]) -> BoxFuture<'a, Result<(), BoxError>> {
            unreachable!("nothing is sent")
        }
    }
    let sandbox = sandbox();
    for (builder, expected) in [
        (sandbox.client_builder().signer(Unused), "signer replaces private_key"),
        (sandbox.client_builder().verifier(Unused), "verifier replaces platform_key"),
        (sandbox.client_builder().root_certificate("x"), "it is not a certificate: give PEM"),
        (sandbox.client_builder().proxy("socks4://h:1"), "is not the URL of a proxy"),
    ] {
        let error = builder.build().expect_err(expected);
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn keys_sign_and_verify() {
    let sandbox = sandbox();
    let settings = sandbox.settings();
    let key = PrivateKey::from_pem(settings["privateKey"].as_str().expect("pem")).expect("key");
    let signature = key.sign(b"message").expect("signature");
    let public: PublicKey = key.public_key();
    assert!(public.verify(b"message", &signature));
    assert!(!public.verify(b"Message", &signature));
    assert!(!sandbox.platform_key().verify(b"message", &signature));
    assert!(!public.verify(b"message", b""));
    // A file from another system: CRLF, and text before the PEM block.
    let crlf = format!("Bag Attributes\r\n{}", settings["privateKey"].as_str().expect("pem").replace('\n', "\r\n"));
    assert!(PrivateKey::from_pem(&crlf).is_ok());
}
