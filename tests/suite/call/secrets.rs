//! Keys and signatures do not appear in any `Debug` or `Display` output.

use std::fmt::{Debug, Display};

use serde_json::json;
use wechatpay_chain::notify::{Handled, Outcome, Reply};
use wechatpay_chain::sandbox::{self, Fault};
use wechatpay_chain::{Client, Media, Options, PrivateKey, Secret, Signature, chain};

use crate::support::{CARDS, options, sandbox};

/// All output so far.
#[derive(Default)]
struct Output(String);

impl Output {
    fn debug(&mut self, value: &dyn Debug) {
        self.0 += &format!("{value:?}\n{value:#?}\n");
    }

    fn display(&mut self, value: &dyn Display) {
        self.0 += &format!("{value}\n");
    }
}

#[test]
fn no_output_of_a_public_type_contains_a_secret() {
    let sandbox = sandbox();
    let settings = sandbox.settings();
    let pem = settings["privateKey"].as_str().expect("pem");
    let mut shown = Output::default();

    let builder = sandbox.client_builder().proxy("http://user:pr0xy-pa55word@127.0.0.1:1");
    shown.debug(&builder);
    let error = Client::builder().private_key(pem.replace("MII", "AII")).build().expect_err("damaged");
    shown.debug(&error);
    shown.display(&error);
    let userinfo = sandbox.client_builder().base_uri("https://user:pr0xy-pa55word@h/");
    shown.debug(&userinfo);
    let error = userinfo.build().expect_err("userinfo");
    shown.debug(&error);
    shown.display(&error);
    let error = sandbox.client_builder().proxy("gopher://user:pr0xy-pa55word@h").build().expect_err("proxy");
    shown.debug(&error);
    shown.display(&error);

    let client = sandbox.client().expect("client");
    shown.debug(&client);
    let promise = chain!(client->v3->certificates).get_async(());
    shown.debug(&promise);
    shown.debug(&client.chain(CARDS));
    shown.debug(&client["v3/certificates"]);
    let key: PrivateKey = pem.try_into().expect("key");
    shown.debug(&key);
    shown.debug(&key.public_key());
    shown.debug(&Secret::from("s3cret"));
    shown.display(&Secret::from("s3cret".to_owned()));
    shown.debug(&Signature::new("SERIAL", b"s3cret".to_vec()));
    let with_secrets = Options::from(
        serde_json::json!({ "headers": { "X-Key": "s3cret" }, "json": { "k": "s3cret" }, "id": "s3cret" }),
    );
    shown.debug(&with_secrets);

    let response = client.chain(CARDS).post(options()).expect("response");
    shown.debug(&response);
    let signature = response.headers()["wechatpay-signature"].to_str().expect("text").to_owned();
    for fault in [Fault::UnknownSerial, Fault::CutBody(3), Fault::Clock(900)] {
        shown.debug(&fault);
        sandbox.inject(fault);
        let error = client.chain(CARDS).post(options()).expect_err("fault");
        shown.debug(&error);
        shown.display(&error);
        shown.debug(&error.kind());
        shown.display(&error.kind());
    }
    let wrong_key = Client::builder()
        .mchid(sandbox::MCHID)
        .serial(sandbox::SERIAL)
        .private_key(other_key())
        .platform_key(sandbox::PUBLIC_KEY_ID, sandbox.platform_key())
        .base_uri(sandbox.base_uri())
        .no_proxy()
        .build()
        .expect("client");
    let refused = wrong_key.chain(CARDS).post(options()).expect_err("SIGN_ERROR");
    assert_eq!(refused.code(), Some("SIGN_ERROR"));
    shown.debug(&refused);
    shown.display(&refused);
    shown.debug(&sandbox);
    for request in sandbox.requests() {
        shown.debug(&request);
        let header = request.headers["authorization"].to_str().expect("text");
        let ours = header.split("signature=\"").nth(1).expect("signature").trim_end_matches('"');
        assert!(!shown.0.contains(ours), "the signature of a request");
    }

    // Personal values, which are not keys or signatures: names, openids and numbers.
    show_personal_values(&mut shown, &sandbox, &client);

    assert!(shown.0.len() > 2000, "something was formatted");
    assert!(!shown.0.contains(&signature), "the signature of a response");
    for line in pem.lines().filter(|line| !line.starts_with("-----")) {
        assert!(!shown.0.contains(line) && !shown.0.contains(&line[..20]), "part of a key");
    }
    for word in ["s3cret", "pr0xy-pa55word", "WECHATPAY2-SHA256-RSA2048 mchid", "personal"] {
        assert!(!shown.0.contains(word), "{word} in {}", shown.0);
    }
}

/// Formats each public type that can contain a personal value.
fn show_personal_values(shown: &mut Output, sandbox: &sandbox::Sandbox, client: &Client) {
    #[derive(Debug, serde::Deserialize)]
    struct Wrong {
        #[allow(dead_code, reason = "only deserialized")]
        payer: u8,
    }
    let payment = json!({ "payer": { "openid": "personal" }, "out_trade_no": "personal" });
    sandbox.stub("GET", "v3/payments/{id}", 200, payment.clone());
    let options = Options::new().var("id", "personal").query(&json!({ "name": "personal" }));
    let response = client.chain("v3/payments/{id}").get(options.clone()).expect("a response");
    for error in [
        response.json::<Wrong>().expect_err("another type"),
        response.field::<u8>("payer").expect_err("another type"),
        response.pointer::<u8>("/payer/openid").expect_err("another type"),
        response.pointer::<u8>("/payer/none").expect_err("missing"),
        response.xml().expect_err("JSON"),
        client.download(&response).expect_err("no file"),
    ] {
        shown.debug(&error.clone());
        shown.display(&error);
        shown.debug(&error.into_response());
    }
    shown.debug(&client.chain("v3/payments/{id}").pages(json!({ "id": "personal" })));
    shown.debug(&client.chain("v3/payments/{id}").get(Options::new().var("id", "personal").retry(11)).expect_err("11"));
    shown.debug(&client.chain("v3/pay/transactions/id/{id}").get(options.clone()).expect_err("404"));
    shown.debug(&options.sink(std::io::sink()).sink_file("/personal/file").clone());

    let verifier = sandbox.client_builder().apiv3_key(sandbox.apiv3_key()).build().expect("client");
    let verifier = verifier.notifications().expect("key");
    let request = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &payment).expect("notification");
    let notification = verifier.verify(request.headers(), request.body()).expect("authentic");
    shown.debug(&verifier);
    shown.debug(&notification);
    let error = notification.json::<Wrong>().expect_err("another type");
    shown.debug(&error);
    shown.display(&error);
    let refused = verifier.verify(request.headers(), request.body()).expect_err("a replay");
    shown.debug(&Handled::<Reply>::from(Outcome::Rejected(refused)));
    let body = sandbox.notification_v2(&json!({ "openid": "personal", "out_trade_no": "personal" })).expect("body");
    let v2 = client.notifications_v2().expect("key");
    shown.debug(&v2);
    shown.debug(&v2.verify(&body).expect("authentic"));
    shown.debug(&v2.verify(&[b"<xml><openid>personal".as_slice(), &body].concat()).expect_err("damaged"));

    let event =
        json!({ "notify_url": "http://127.0.0.1:9/", "event_type": "X", "original_type": "x", "resource": payment });
    sandbox.control("notify", &event).expect("sent");
    shown.debug(&sandbox.notifications());
    let error = sandbox.notifications()[0].json::<Wrong>().expect_err("another type");
    shown.debug(&error);
    shown.display(&error);
}

/// A generated key that is not the merchant's.
fn other_key() -> PrivateKey {
    let key = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("key");
    let der = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&key).expect("der");
    let text = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, der.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    PrivateKey::from_pem(&pem).expect("key")
}

#[test]
fn a_key_given_as_another_setting_is_not_printed() {
    let sandbox = sandbox();
    let settings = sandbox.settings();
    let pem = settings["privateKey"].as_str().expect("pem");
    let line = pem.lines().nth(1).expect("line");
    let mut shown = String::new();
    for (key, value) in [
        ("privateKey", format!("file://{pem}")),
        ("privateKey", format!("file://{}", pem.lines().filter(|line| !line.starts_with('-')).collect::<String>())),
        ("privateKey", format!("file://private.pkcs8://{line}")),
        ("serial", pem.to_owned()),
        ("mchid", pem.to_owned()),
        ("base_uri", pem.to_owned()),
        ("proxy", pem.to_owned()),
        ("apiv3_key", pem.to_owned()),
    ] {
        let mut settings = settings.clone();
        settings[key] = json!(value);
        shown += &format!("{:?}\n", Client::factory(settings).expect_err(key));
    }
    shown += &format!("{:?}", sandbox.client_builder().serial(pem));
    shown += &format!("{:?}", sandbox.client_builder().root_certificate(format!("file://{pem}")));
    assert!(!shown.contains(line), "{shown}");
    // The token in a download URL grants access to the file.
    sandbox.stub("GET", "v3/bill/tradebill", 200, json!({
        "download_url": format!("{}v3/none?token=T0KEN", sandbox.base_uri()), "hash_type": "SHA1", "hash_value": "00",
    }));
    let client = sandbox.client().expect("client");
    let response = client.chain("v3/bill/tradebill").get(()).expect("response");
    let download = client.download(&response).expect("announced");
    let mut shown = format!("{download:?}");
    shown += &download.save(std::env::temp_dir().join("wechatpay-chain-token")).expect_err("404").to_string();
    shown +=
        &client.request("GET", &format!("{}v3/none?token=T0KEN", sandbox.base_uri()), ()).expect_err("404").to_string();
    shown += &format!("{:?}", Media::from_bytes("a.png", b"T0KEN".as_slice()));
    shown += &format!("{:?}", client.chain("v3/none?token=T0KEN"));
    for uri in ["https://user:T0KEN@api.mch.weixin.qq.com/v3/x", "//T0KEN@h/v3/x?a=b", "http://a:T0KEN@evil.example"] {
        let error = client.request("GET", uri, ()).expect_err("another host");
        shown += &format!("{error} {error:?}");
    }
    assert!(!shown.contains("T0KEN"), "{shown}");
}
