//! The hints in errors of notifications: each for its condition, not for neighbouring ones.

use bytes::Bytes;
use http::Request;
use serde_json::json;
use wechatpay_chain::notify::{NotificationVerifier, v2};
use wechatpay_chain::sandbox::{MCHID, PUBLIC_KEY_ID};
use wechatpay_chain::store::{PostgresStore, RedisStore};

use crate::support::{by_certificate, each_hint_names_its_condition, sandbox};

#[test]
fn apiv3() {
    let sandbox = sandbox();
    let own_keys = NotificationVerifier::new([(PUBLIC_KEY_ID, sandbox.platform_key())], sandbox.apiv3_key());
    let own_keys = own_keys.expect("keys");
    let clients = by_certificate(&sandbox).build().expect("client").notifications().expect("keys");
    let valid = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &json!({})).expect("notification");
    let message = |verifier: &NotificationVerifier, change: &dyn Fn(&mut Request<Bytes>)| {
        let mut request = valid.clone();
        change(&mut request);
        let outcome = verifier.verify(request.headers(), request.body());
        outcome.map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
    };
    let serial = |serial: &'static str| {
        move |request: &mut Request<Bytes>| {
            request.headers_mut().insert("wechatpay-serial", serial.parse().expect("serial"));
        }
    };
    let add_public_key = "or give it to NotificationVerifier::new; the merchant platform shows its ID";
    let unknown = "PUB_KEY_ID_0119000001092024111100326200001234";
    let mut rows = vec![
        (add_public_key, message(&own_keys, &serial(unknown))),
        (add_public_key, message(&clients, &serial(unknown))),
        (add_public_key, message(&clients, &|_| ())),
    ];
    // The list of certificates never contains a public key, so it is not downloaded.
    assert!(sandbox.requests().is_empty());
    let late = own_keys.clone().clock(|| 1_700_000_000);
    let wrong_key = NotificationVerifier::new(
        [(PUBLIC_KEY_ID, sandbox.platform_key())],
        wechatpay_chain::Apiv3Key::new("0123456789abcdef0123456789abcdef").expect("key"),
    );
    rows.extend([
        ("set the apiv3_key, with which certificates are downloaded", message(&own_keys, &serial("00AB"))),
        ("downloading the platform certificates failed", message(&clients, &serial("00AB"))),
        ("the message was changed after it was signed", {
            message(&own_keys, &|request| *request.body_mut() = Bytes::from_static(b"{}"))
        }),
        ("or the clock is wrong (compare it with the Date header", message(&late, &|_| ())),
        ("reject it, nothing is wrong", {
            message(&own_keys, &|request| {
                let probe = "WECHATPAY/SIGNTEST/abc".parse().expect("signature");
                request.headers_mut().insert("wechatpay-signature", probe);
            })
        }),
        ("compare the key with the one on the merchant platform", message(&wrong_key.expect("keys"), &|_| ())),
        ("accepted", message(&own_keys, &|_| ())),
        ("was received before", message(&own_keys, &|_| ())),
    ]);
    each_hint_names_its_condition(&rows);
}

#[test]
fn apiv2() {
    let sandbox = sandbox();
    let verifier = v2::NotificationVerifier::new(MCHID, sandbox.secret()).expect("keys");
    let message = |body: &[u8]| verifier.verify(body).map_or_else(|error| error.to_string(), |_| "accepted".to_owned());
    let signed = sandbox.notification_v2(&json!({ "return_code": "SUCCESS", "out_trade_no": "1" })).expect("body");
    let changed = String::from_utf8_lossy(&signed).replace("SUCCESS", "FAILURE");
    let refund = |info: &str| format!("<xml><mch_id>{MCHID}</mch_id><req_info>{info}</req_info></xml>");
    let (damaged, other_key) = (refund("AAAA"), refund("AAAAAAAAAAAAAAAAAAAAAA=="));
    let other = "<xml><mch_id>1900000108</mch_id><req_info>AAAA</req_info></xml>";
    let event = sandbox.notification_v2(&json!({ "event_ciphertext": "AAAA", "event_algorithm": "AEAD_AES_256_GCM" }));
    each_hint_names_its_condition(&[
        ("does not match its fields and the APIv2 key (the setting secret)", message(changed.as_bytes())),
        ("it has no sign", message(b"<xml><return_code>SUCCESS</return_code></xml>")),
        ("cannot be decrypted with this APIv2 key: compare the key", message(other_key.as_bytes())),
        ("so it is damaged", message(damaged.as_bytes())),
        ("it is for another merchant", message(other.as_bytes())),
        ("which is missing: give it with NotificationVerifier::apiv3_key", message(&event.expect("body"))),
        ("is not the expected XML", message(b"{}")),
        ("accepted", message(&signed)),
    ]);
    let new =
        |secret: &str| v2::NotificationVerifier::new(MCHID, secret).err().map_or("ok".to_owned(), |e| e.to_string());
    each_hint_names_its_condition(&[
        ("the APIv2 key is empty: is the environment variable set?", new("")),
        ("contains blanks or non-ASCII characters", new("a b")),
        ("ok", new("ab")),
    ]);
}

#[test]
fn stores() {
    let redis = |url: &str| RedisStore::new(url).map_or_else(|error| error.to_string(), |_| "accepted".to_owned());
    let postgres =
        |url: &str| PostgresStore::new(url).map_or_else(|error| error.to_string(), |_| "accepted".to_owned());
    each_hint_names_its_condition(&[
        ("use redis://user:password@host:6379/0", redis("127.0.0.1:6379")),
        ("use postgres://user:password@host:5432/database", postgres("redis://127.0.0.1:6379/0")),
        ("", redis("redis://127.0.0.1:6379/0")),
        ("", postgres("postgres://127.0.0.1:5432/shop")),
    ]);
}
