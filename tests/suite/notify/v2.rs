//! Notifications of APIv2: signed, encrypted and forged ones, and every documented event.

use bytes::Bytes;
use serde_json::{Value, json};
use wechatpay_chain::crypto::{aes_ecb, hash};
use wechatpay_chain::notify::v2::{NotificationVerifier, Reply};
use wechatpay_chain::sandbox::{MCHID, Sandbox};
use wechatpay_chain::{Error, ErrorKind, Secret};

use crate::call::corpus;
use crate::support::{run, sandbox};

fn verifier_of(sandbox: &Sandbox) -> NotificationVerifier {
    NotificationVerifier::new(MCHID, sandbox.secret()).expect("key").apiv3_key(sandbox.apiv3_key())
}

/// The `req_info` of a refund.
fn encrypted(secret: &Secret, plain: &str) -> String {
    aes_ecb::encrypt(plain.as_bytes(), &Secret::from(hash::md5(secret.expose()))).expect("key")
}

/// The XML of these fields, without a sign.
fn unsigned(fields: &Value) -> Bytes {
    let fields = fields.as_object().expect("object").iter();
    let inside: String =
        fields.map(|(name, value)| format!("<{name}>{}</{name}>", value.as_str().expect("text"))).collect();
    format!("<xml>{inside}</xml>").into()
}

fn assert_refused(outcome: Result<wechatpay_chain::notify::v2::Notification, Error>, kind: ErrorKind, expected: &str) {
    let error = outcome.expect_err(expected);
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.message().contains(expected), "{expected}: {error}");
    assert!(Reply::to(&error).body().contains("<return_code>FAIL</return_code>"));
}

#[test]
fn any_changed_field_of_a_payment_is_detected() {
    let sandbox = sandbox();
    let body = sandbox.notification_v2(&json!({
        "return_code": "SUCCESS", "result_code": "SUCCESS", "out_trade_no": "1", "attach": "<a & b>", "coupon_id_0": "10000",
    }));
    let body = body.expect("body");
    let notification = verifier_of(&sandbox).verify(&body).expect("valid");
    assert_eq!(notification.fields()["attach"], "<a & b>");
    assert_eq!(notification.resource(), notification.fields());
    assert_eq!(notification.body(), &body);
    assert_eq!(
        sandbox.client().expect("client").notifications_v2().expect("key").verify(&body).expect("valid").event_type(),
        ""
    );
    // A changed byte is detected, unless it is in markup and the fields stay the same.
    let text = String::from_utf8(body.to_vec()).expect("text");
    for at in 0..text.len() {
        if let (Some(byte), true) = (text.as_bytes().get(at), text.is_char_boundary(at)) {
            let other = if *byte == b'x' { "y" } else { "x" };
            let changed = format!("{}{other}{}", &text[..at], text.get(at + 1..).unwrap_or_default());
            let accepted = verifier_of(&sandbox).verify(changed.as_bytes());
            let is_equal = accepted.as_ref().is_ok_and(|accepted| accepted.fields() == notification.fields());
            assert!(accepted.is_err() || is_equal, "{changed}");
        }
    }
}

#[test]
fn forged_notifications_are_refused() {
    let sandbox = sandbox();
    let verifier = verifier_of(&sandbox);
    let fields = json!({ "return_code": "SUCCESS", "out_trade_no": "1" });
    let body = sandbox.notification_v2(&fields).expect("body");
    let other = NotificationVerifier::new(MCHID, "0123456789abcdef0123456789abcdef").expect("key");
    assert_refused(other.verify(&body), ErrorKind::Verification, "does not match");
    assert_refused(verifier.verify(&unsigned(&fields)), ErrorKind::Verification, "no sign");
    assert_refused(verifier.verify(&unsigned(&json!({ "sign": "", "a": "b" }))), ErrorKind::Verification, "no sign");
    // A notification for another merchant, signed with the right key.
    let foreign = sandbox.notification_v2(&json!({ "mch_id": "1900000108" })).expect("body");
    assert_refused(verifier.verify(&foreign), ErrorKind::Verification, "another merchant");
    for (body, kind, expected) in [
        (&b""[..], ErrorKind::Decode, "empty"),
        (b"{}", ErrorKind::Decode, "not begin with"),
        (
            b"<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><xml><a>&e;</a></xml>",
            ErrorKind::Decode,
            "document type",
        ),
        (b"<xml><a>\xff</a></xml>", ErrorKind::Decode, "not UTF-8"),
        (&vec![b' '; 1024 * 1024 + 1], ErrorKind::TooLarge, "longer than"),
        ("<a>".repeat(100_000).as_bytes(), ErrorKind::Decode, "deeper"),
    ] {
        assert_refused(verifier.verify(body), kind, expected);
    }
    assert_eq!(Reply::success().body(), "<xml><return_code>SUCCESS</return_code><return_msg>OK</return_msg></xml>");
    assert!(Reply::fail("a < b").body().contains("<![CDATA[a < b]]>"));
    assert_eq!(NotificationVerifier::new(MCHID, "").expect_err("empty").kind(), ErrorKind::Config);
}

#[test]
fn the_req_info_of_a_refund_is_decrypted() {
    let sandbox = sandbox();
    let info = "<root><out_refund_no><![CDATA[r1]]></out_refund_no><refund_status>SUCCESS</refund_status></root>";
    let fields =
        |req_info: String| json!({ "return_code": "SUCCESS", "mch_id": MCHID, "nonce_str": "n", "req_info": req_info });
    let body = unsigned(&fields(encrypted(&sandbox.secret(), info)));
    let notification = verifier_of(&sandbox).verify(&body).expect("valid");
    assert_eq!(notification.resource(), &json!({ "out_refund_no": "r1", "refund_status": "SUCCESS" }));
    // Encrypted with another key, truncated, without XML inside, and with an invalid sign beside
    // it.
    let foreign = unsigned(&fields(encrypted(&"another".into(), info)));
    assert_refused(verifier_of(&sandbox).verify(&foreign), ErrorKind::Decode, "cannot be decrypted");
    assert_refused(
        verifier_of(&sandbox).verify(&unsigned(&fields("QUJD".to_owned()))),
        ErrorKind::Decode,
        "so it is damaged",
    );
    let plain = unsigned(&fields(encrypted(&sandbox.secret(), "no xml")));
    assert_refused(verifier_of(&sandbox).verify(&plain), ErrorKind::Decode, "req_info is not the expected XML");
    let mut signed = fields(encrypted(&sandbox.secret(), info));
    signed["sign"] = "0".repeat(64).into();
    assert_refused(verifier_of(&sandbox).verify(&unsigned(&signed)), ErrorKind::Verification, "does not match");
    // Without exactly one req_info that decrypts, a sign is required. Fields beside it are not
    // trusted.
    for forged in [
        "<req_info><a>1</a></req_info>".to_owned(),
        "<req_info/>".to_owned(),
        "<req_info/><req_info/>".to_owned(),
        format!("<req_info>{0}</req_info><req_info>{0}</req_info>", encrypted(&sandbox.secret(), info)),
    ] {
        let body = format!(
            "<xml><return_code>SUCCESS</return_code><mch_id>{MCHID}</mch_id><out_trade_no>forged</out_trade_no>{forged}</xml>"
        );
        assert_refused(verifier_of(&sandbox).verify(body.as_bytes()), ErrorKind::Verification, "no sign");
    }
    let mut beside = fields(encrypted(&sandbox.secret(), info));
    beside["out_trade_no"] = "forged".into();
    let accepted = verifier_of(&sandbox).verify(&unsigned(&beside)).expect("valid");
    assert!(accepted.fields().get("out_trade_no").is_none(), "{accepted:?}");
    beside.as_object_mut().expect("object").remove("mch_id");
    assert_refused(verifier_of(&sandbox).verify(&unsigned(&beside)), ErrorKind::Verification, "no mch_id");
    let mut foreign = fields(encrypted(&sandbox.secret(), info));
    foreign["mch_id"] = "1".into();
    assert_refused(verifier_of(&sandbox).verify(&unsigned(&foreign)), ErrorKind::Verification, "another merchant");
}

#[test]
fn an_event_encrypted_with_the_apiv3_key_is_decrypted() {
    let sandbox = sandbox();
    let sealed = |key: &str, algorithm: &str, plain: &[u8]| {
        let ciphertext = wechatpay_chain::Apiv3Key::new(key).expect("key").encrypt(plain, "0123456789ab", "event");
        sandbox
            .notification_v2(&json!({
                "event_type": "CHECK.SUCCESS", "event_algorithm": algorithm, "event_nonce": "0123456789ab",
                "event_associated_data": "event", "event_ciphertext": ciphertext.expect("encrypted"),
            }))
            .expect("body")
    };
    let event = |key: &str, algorithm: &str| {
        sealed(key, algorithm, b"<xml><state><![CDATA[DOING]]></state><total_amount>100</total_amount></xml>")
    };
    let own = sandbox.settings()["apiv3_key"].as_str().expect("key").to_owned();
    let body = event(&own, "AEAD_AES_256_GCM");
    let notification = verifier_of(&sandbox).verify(&body).expect("valid");
    assert_eq!(notification.event_type(), "CHECK.SUCCESS");
    assert_eq!(notification.resource(), &json!({ "state": "DOING", "total_amount": "100" }));
    for plain in [&b"{\"state\":\"DOING\"}"[..], b"", b"text", b"<xml><state>DOING</xml>"] {
        let body = sealed(&own, "AEAD_AES_256_GCM", plain);
        assert_refused(
            verifier_of(&sandbox).verify(&body),
            ErrorKind::Decode,
            "event_ciphertext is not the expected XML",
        );
    }
    let without = NotificationVerifier::new(MCHID, sandbox.secret()).expect("key");
    assert_refused(without.verify(&body), ErrorKind::Decode, "NotificationVerifier::apiv3_key");
    assert_refused(
        verifier_of(&sandbox).verify(&event(&own, "AES-256-ECB")),
        ErrorKind::Decode,
        "WeChat Pay uses AEAD_AES_256_GCM",
    );
    assert_refused(
        verifier_of(&sandbox).verify(&event("0123456789abcdef0123456789abcdef", "AEAD_AES_256_GCM")),
        ErrorKind::Decode,
        "cannot be decrypted",
    );
}

#[test]
fn every_documented_event_is_verified() {
    let Some(folder) = corpus::folder() else { return };
    let sandbox = sandbox();
    let own = sandbox.settings()["apiv3_key"].as_str().expect("key").to_owned();
    let rows = std::fs::read_to_string(folder.join("corpus/webhooks.jsonl")).expect("webhooks.jsonl");
    let mut count = 0;
    for row in
        rows.lines().map(|line| serde_json::from_str::<Value>(line).expect("a row")).filter(|row| row["api"] == "v2")
    {
        let id = row["id"].as_str().expect("id");
        let names: Vec<&str> = row["fields"]
            .as_array()
            .expect("fields")
            .iter()
            // A name such as coupon_id_$n stands for coupon_id_0 and on.
            .filter_map(|field| field["path"].as_str()?.strip_prefix("body.")?.split('$').next())
            .collect();
        let inside = |outer: &str| {
            let inner = names.iter().filter_map(|name| name.strip_prefix(outer)?.strip_prefix('.'));
            inner.map(|name| (name.to_owned(), Value::String(format!("{name}-1")))).collect::<serde_json::Map<_, _>>()
        };
        let mut fields = json!({});
        for name in names.iter().filter(|name| !name.contains('.') && !matches!(**name, "sign" | "mch_id")) {
            fields[*name] = format!("{name}-1").into();
        }
        let decrypted = match row["encrypted"][0]["path"].as_str() {
            Some("body.req_info") => {
                let inner = Value::Object(inside("req_info"));
                let xml = String::from_utf8(unsigned(&inner).to_vec()).expect("text");
                fields["req_info"] = encrypted(&sandbox.secret(), &xml).into();
                fields["mch_id"] = MCHID.into();
                inner
            }
            Some("body.event_ciphertext") => {
                let inner = Value::Object(inside("event_ciphertext"));
                let key = wechatpay_chain::Apiv3Key::new(own.as_str()).expect("key");
                let ciphertext = key.encrypt(&unsigned(&inner), "0123456789ab", "event_associated_data-1");
                fields["event_ciphertext"] = ciphertext.expect("encrypted").into();
                fields["event_nonce"] = "0123456789ab".into();
                fields["event_algorithm"] = "AEAD_AES_256_GCM".into();
                inner
            }
            _ => Value::Null,
        };
        let body = if fields.get("req_info").is_some() {
            unsigned(&fields)
        } else {
            sandbox.notification_v2(&fields).expect("body")
        };
        let notification = verifier_of(&sandbox).verify(&body).unwrap_or_else(|error| panic!("{id}: {error}"));
        if decrypted.is_null() {
            assert_eq!(notification.resource(), notification.fields(), "{id}");
        } else {
            assert_eq!(notification.resource(), &decrypted, "{id}");
        }
        count += 1;
    }
    assert_eq!(count, 8);
}

#[cfg(feature = "axum")]
#[test]
fn axum_handlers_get_only_valid_notifications() {
    use axum::routing::post;
    use wechatpay_chain::notify::v2::Notification;
    use wechatpay_chain::notify::{Handled, Outcome};

    let sandbox = sandbox();
    let valid = sandbox.notification_v2(&json!({ "out_trade_no": "1" })).expect("body");
    let app = axum::Router::new()
        .route(
            "/notify",
            post(async |received: Result<Notification, Handled<Reply>>| match received {
                Ok(notification) => {
                    assert_eq!(notification.fields()["out_trade_no"], "1");
                    Handled::from(Outcome::Success)
                }
                Err(rejected) => {
                    // The handler receives the reason, and the response omits it.
                    let Outcome::Rejected(error) = rejected.outcome() else { panic!("{rejected:?}") };
                    assert_eq!(error.kind(), ErrorKind::Verification);
                    rejected
                }
            }),
        )
        .with_state(verifier_of(&sandbox));
    let served = std::thread::spawn(move || {
        run(async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
            let address = listener.local_addr().expect("address");
            tokio::spawn(async move { axum::serve(listener, app).await });
            let mut responses = Vec::new();
            for body in [valid.to_vec(), b"<xml><sign>x</sign></xml>".to_vec()] {
                let mut stream = tokio::net::TcpStream::connect(address).await.expect("connected");
                let head = format!(
                    "POST /notify HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all(&[head.as_bytes(), &body].concat()).await.expect("sent");
                let mut response = String::new();
                stream.read_to_string(&mut response).await.expect("response");
                responses.push(response);
            }
            responses
        })
    });
    let responses = served.join().expect("served");
    assert!(
        responses[0].starts_with("HTTP/1.1 200") && responses[0].contains("<return_code>SUCCESS"),
        "{}",
        responses[0]
    );
    assert!(responses[1].starts_with("HTTP/1.1 200") && responses[1].contains("<return_code>FAIL"), "{}", responses[1]);
}
