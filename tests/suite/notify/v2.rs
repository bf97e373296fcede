//! NotificationVerifier of APIv2: signed, sealed, forged.

use bytes::Bytes;
use serde_json::{Value, json};
use wechatpay_chain::crypto::{aes_ecb, hash};
use wechatpay_chain::notify::v2::{NotificationVerifier, Reply};
use wechatpay_chain::sandbox::{MCHID, Sandbox};
use wechatpay_chain::{Error, ErrorKind, Secret};

use crate::call::corpus;
use crate::support::{run, sandbox};

fn notifications(sandbox: &Sandbox) -> NotificationVerifier {
    NotificationVerifier::new(MCHID, sandbox.secret()).expect("key").apiv3_key(sandbox.apiv3_key())
}

fn sealed(secret: &Secret, plain: &str) -> String {
    aes_ecb::encrypt(plain.as_bytes(), &Secret::from(hash::md5(secret.expose()))).expect("key")
}

/// The XML of fields that are not signed.
fn unsigned(fields: &Value) -> Bytes {
    let fields = fields.as_object().expect("object").iter();
    let inside: String =
        fields.map(|(name, value)| format!("<{name}>{}</{name}>", value.as_str().expect("text"))).collect();
    format!("<xml>{inside}</xml>").into()
}

fn refused(outcome: Result<wechatpay_chain::notify::v2::Notification, Error>, kind: ErrorKind, words: &str) {
    let error = outcome.expect_err(words);
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.message().contains(words), "{words}: {error}");
    assert!(Reply::to(&error).body().contains("<return_code>FAIL</return_code>"));
}

#[test]
fn a_payment() {
    let sandbox = sandbox();
    let body = sandbox.notification_v2(&json!({
        "return_code": "SUCCESS", "result_code": "SUCCESS", "out_trade_no": "1", "attach": "<a & b>", "coupon_id_0": "10000",
    }));
    let body = body.expect("body");
    let notification = notifications(&sandbox).verify(&body).expect("genuine");
    assert_eq!(notification.fields()["attach"], "<a & b>");
    assert_eq!(notification.resource(), notification.fields());
    assert_eq!(notification.body(), &body);
    assert_eq!(
        sandbox.client().expect("client").notifications_v2().expect("key").verify(&body).expect("genuine").event_type(),
        ""
    );
    // Any byte of the fields that is changed is seen. Markup that changes nothing is nothing.
    let text = String::from_utf8(body.to_vec()).expect("text");
    for at in 0..text.len() {
        if let (Some(byte), true) = (text.as_bytes().get(at), text.is_char_boundary(at)) {
            let other = if *byte == b'x' { "y" } else { "x" };
            let changed = format!("{}{other}{}", &text[..at], text.get(at + 1..).unwrap_or_default());
            let accepted = notifications(&sandbox).verify(changed.as_bytes());
            let harmless = accepted.as_ref().is_ok_and(|accepted| accepted.fields() == notification.fields());
            assert!(accepted.is_err() || harmless, "{changed}");
        }
    }
}

#[test]
fn forgeries() {
    let sandbox = sandbox();
    let notifications = notifications(&sandbox);
    let genuine = json!({ "return_code": "SUCCESS", "out_trade_no": "1" });
    let body = sandbox.notification_v2(&genuine).expect("body");
    let other = NotificationVerifier::new(MCHID, "0123456789abcdef0123456789abcdef").expect("key");
    refused(other.verify(&body), ErrorKind::Verification, "does not fit");
    refused(notifications.verify(&unsigned(&genuine)), ErrorKind::Verification, "no sign");
    refused(notifications.verify(&unsigned(&json!({ "sign": "", "a": "b" }))), ErrorKind::Verification, "no sign");
    // Another merchant's, though signed with our key.
    let foreign = sandbox.notification_v2(&json!({ "mch_id": "1900000108" })).expect("body");
    refused(notifications.verify(&foreign), ErrorKind::Verification, "another merchant");
    for (body, kind, words) in [
        (&b""[..], ErrorKind::Decode, "empty"),
        (b"{}", ErrorKind::Decode, "begins with"),
        (
            b"<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><xml><a>&e;</a></xml>",
            ErrorKind::Decode,
            "document type",
        ),
        (b"<xml><a>\xff</a></xml>", ErrorKind::Decode, "no UTF-8"),
        (&vec![b' '; 1024 * 1024 + 1], ErrorKind::TooLarge, "longer than"),
        ("<a>".repeat(100_000).as_bytes(), ErrorKind::Decode, "deeper"),
    ] {
        refused(notifications.verify(body), kind, words);
    }
    assert_eq!(Reply::success().body(), "<xml><return_code>SUCCESS</return_code><return_msg>OK</return_msg></xml>");
    assert!(Reply::fail("a < b").body().contains("<![CDATA[a < b]]>"));
    assert_eq!(NotificationVerifier::new(MCHID, "").expect_err("empty").kind(), ErrorKind::Config);
}

#[test]
fn a_refund() {
    let sandbox = sandbox();
    let info = "<root><out_refund_no><![CDATA[r1]]></out_refund_no><refund_status>SUCCESS</refund_status></root>";
    let fields =
        |sealed: String| json!({ "return_code": "SUCCESS", "mch_id": MCHID, "nonce_str": "n", "req_info": sealed });
    let body = unsigned(&fields(sealed(&sandbox.secret(), info)));
    let notification = notifications(&sandbox).verify(&body).expect("genuine");
    assert_eq!(notification.resource(), &json!({ "out_refund_no": "r1", "refund_status": "SUCCESS" }));
    // Sealed with another key, cut, no XML inside, no sealing at all, a wrong signature beside it, another merchant.
    let foreign = unsigned(&fields(sealed(&"another".into(), info)));
    refused(notifications(&sandbox).verify(&foreign), ErrorKind::Decode, "cannot be decrypted");
    refused(
        notifications(&sandbox).verify(&unsigned(&fields("QUJD".to_owned()))),
        ErrorKind::Decode,
        "cannot be decrypted",
    );
    let plain = unsigned(&fields(sealed(&sandbox.secret(), "no xml")));
    refused(notifications(&sandbox).verify(&plain), ErrorKind::Decode, "req_info is not the expected XML");
    let mut signed = fields(sealed(&sandbox.secret(), info));
    signed["sign"] = "0".repeat(64).into();
    refused(notifications(&sandbox).verify(&unsigned(&signed)), ErrorKind::Verification, "does not fit");
    // Nothing that the key does not open goes without a sign, whatever its form; and nothing beside it is believed.
    for forged in [
        "<req_info><a>1</a></req_info>".to_owned(),
        "<req_info/>".to_owned(),
        "<req_info/><req_info/>".to_owned(),
        format!("<req_info>{0}</req_info><req_info>{0}</req_info>", sealed(&sandbox.secret(), info)),
    ] {
        let body = format!(
            "<xml><return_code>SUCCESS</return_code><mch_id>{MCHID}</mch_id><out_trade_no>forged</out_trade_no>{forged}</xml>"
        );
        refused(notifications(&sandbox).verify(body.as_bytes()), ErrorKind::Verification, "no sign");
    }
    let mut beside = fields(sealed(&sandbox.secret(), info));
    beside["out_trade_no"] = "forged".into();
    let taken = notifications(&sandbox).verify(&unsigned(&beside)).expect("genuine");
    assert!(taken.fields().get("out_trade_no").is_none(), "{taken:?}");
    beside.as_object_mut().expect("object").remove("mch_id");
    refused(notifications(&sandbox).verify(&unsigned(&beside)), ErrorKind::Verification, "no mch_id");
    let mut foreign = fields(sealed(&sandbox.secret(), info));
    foreign["mch_id"] = "1".into();
    refused(notifications(&sandbox).verify(&unsigned(&foreign)), ErrorKind::Verification, "another merchant");
}

#[test]
fn an_event_sealed_with_the_apiv3_key() {
    let sandbox = sandbox();
    let event = |key: &str, algorithm: &str| {
        let sealed = wechatpay_chain::Apiv3Key::new(key).expect("key").encrypt(
            b"{\"state\":\"DOING\"}",
            "0123456789ab",
            "event",
        );
        sandbox
            .notification_v2(&json!({
                "event_type": "CHECK.SUCCESS", "event_algorithm": algorithm, "event_nonce": "0123456789ab",
                "event_associated_data": "event", "event_ciphertext": sealed.expect("sealed"),
            }))
            .expect("body")
    };
    let own = sandbox.settings()["apiv3_key"].as_str().expect("key").to_owned();
    let body = event(&own, "AEAD_AES_256_GCM");
    let notification = notifications(&sandbox).verify(&body).expect("genuine");
    assert_eq!((notification.event_type(), notification.resource()), ("CHECK.SUCCESS", &json!({ "state": "DOING" })));
    let without = NotificationVerifier::new(MCHID, sandbox.secret()).expect("key");
    refused(without.verify(&body), ErrorKind::Decode, "NotificationVerifier::apiv3_key");
    refused(
        notifications(&sandbox).verify(&event(&own, "AES-256-ECB")),
        ErrorKind::Decode,
        "WeChat Pay uses AEAD_AES_256_GCM",
    );
    refused(
        notifications(&sandbox).verify(&event("0123456789abcdef0123456789abcdef", "AEAD_AES_256_GCM")),
        ErrorKind::Decode,
        "cannot be decrypted",
    );
}

/// Every documented shape: signed or sealed as documented, verified, and opened.
#[test]
fn every_documented_shape() {
    let Some(folder) = corpus::folder() else { return };
    let sandbox = sandbox();
    let own = sandbox.settings()["apiv3_key"].as_str().expect("key").to_owned();
    let rows = std::fs::read_to_string(folder.join("corpus/webhooks.jsonl")).expect("webhooks.jsonl");
    let mut shapes = 0;
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
        let opened = match row["encrypted"][0]["path"].as_str() {
            Some("body.req_info") => {
                let inner = Value::Object(inside("req_info"));
                let xml = String::from_utf8(unsigned(&inner).to_vec()).expect("text");
                fields["req_info"] = sealed(&sandbox.secret(), &xml).into();
                fields["mch_id"] = MCHID.into();
                inner
            }
            Some("body.event_ciphertext") => {
                let inner = Value::Object(inside("event_ciphertext"));
                let key = wechatpay_chain::Apiv3Key::new(own.as_str()).expect("key");
                let sealed = key.encrypt(inner.to_string().as_bytes(), "0123456789ab", "event_associated_data-1");
                fields["event_ciphertext"] = sealed.expect("sealed").into();
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
        let notification = notifications(&sandbox).verify(&body).unwrap_or_else(|error| panic!("{id}: {error}"));
        if opened.is_null() {
            assert_eq!(notification.resource(), notification.fields(), "{id}");
        } else {
            assert_eq!(notification.resource(), &opened, "{id}");
        }
        shapes += 1;
    }
    assert_eq!(shapes, 8);
}

#[cfg(feature = "axum")]
#[test]
fn behind_axum() {
    use axum::routing::post;
    use wechatpay_chain::notify::v2::Notification;

    let sandbox = sandbox();
    let good = sandbox.notification_v2(&json!({ "out_trade_no": "1" })).expect("body");
    let app = axum::Router::new()
        .route(
            "/notify",
            post(async |notification: Notification| {
                assert_eq!(notification.fields()["out_trade_no"], "1");
                Reply::success()
            }),
        )
        .with_state(notifications(&sandbox));
    let served = std::thread::spawn(move || {
        run(async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
            let address = listener.local_addr().expect("address");
            tokio::spawn(async move { axum::serve(listener, app).await });
            let mut responses = Vec::new();
            for body in [good.to_vec(), b"<xml><sign>x</sign></xml>".to_vec()] {
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
