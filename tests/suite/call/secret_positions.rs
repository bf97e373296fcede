//! A private key in the place of any name or value of the settings is not printed.

use proptest::prelude::{Just, any, prop};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};
use wechatpay_chain::notify::NotificationVerifier;
use wechatpay_chain::sandbox::Sandbox;
use wechatpay_chain::{Apiv3Key, Client, ClientBuilder, Error, PublicKey};

use crate::support::sandbox;

/// Ways to write the key, which all are secret.
fn spellings(pem: &str) -> Vec<String> {
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    vec![
        pem.to_owned(),
        pem.replace('\n', ""),
        pem.replace('\n', "\\n"),
        pem.replace('\n', "\r\n"),
        base64.clone(),
        format!("private.pkcs8://{base64}"),
        format!("file://{pem}"),
        format!("file://{base64}"),
        pem.replace(' ', "%20").replace('\n', "%0A"),
        pem.replace("-----", ""),
    ]
}

/// Panics if `shown` contains a part of the key, with or without line breaks and their escapes.
fn assert_hidden(pem: &str, shown: &str, position: &str) {
    let compact = |text: &str| text.replace("\\n", "").replace("\\r", "").split_whitespace().collect::<String>();
    let key: String = compact(&pem.lines().filter(|line| !line.starts_with('-')).collect::<String>());
    let text = compact(shown);
    let parts = key.as_bytes().windows(12).step_by(4).map(|part| std::str::from_utf8(part).expect("ASCII"));
    for part in parts {
        assert!(!text.contains(part), "{position} shows a part of the key: {shown}");
    }
}

/// What a builder and the result of its `build` show.
fn shown(builder: ClientBuilder) -> String {
    let debug = format!("{builder:?} {builder:#?}");
    debug + &outcome(builder.build())
}

fn outcome(result: Result<Client, Error>) -> String {
    match result {
        Ok(client) => format!("{client:?} {client:#?}"),
        Err(error) => format!("{error} {error:?} {error:#?} {}", error.message()),
    }
}

#[test]
fn a_private_key_at_any_position_of_the_builder_is_not_printed() {
    let sandbox = sandbox();
    let settings = sandbox.settings();
    let pem = settings["privateKey"].as_str().expect("pem").to_owned();
    let public = settings["certs"].as_object().expect("certs").values().next().expect("one").as_str().expect("pem");
    let certificate = settings["merchant"]["cert"].as_str().expect("pem");
    type Set<'a> = (&'a str, Box<dyn Fn(ClientBuilder, &str) -> ClientBuilder + 'a>);
    let positions: Vec<Set<'_>> = vec![
        ("mchid", Box::new(|builder, key| builder.mchid(key))),
        ("serial", Box::new(|builder, key| builder.serial(key))),
        ("private_key", Box::new(|builder, key| builder.private_key(key))),
        ("the ID of a public key", Box::new(|builder, key| builder.platform_key(key, public))),
        ("the ID of a certificate", Box::new(|builder, key| builder.platform_key(key, certificate))),
        ("ID and key, exchanged", Box::new(|builder, key| builder.platform_key(key, "PUB_KEY_ID_1"))),
        ("the ID of an invalid key", Box::new(|builder, key| builder.platform_key(key, "x"))),
        ("ID and key", Box::new(|builder, key| builder.platform_key(key, key))),
        ("platform_key", Box::new(|builder, key| builder.platform_key("PUB_KEY_ID_1", key))),
        ("apiv3_key", Box::new(|builder, key| builder.apiv3_key(key))),
        ("secret", Box::new(|builder, key| builder.secret(key))),
        ("certificate", Box::new(|builder, key| builder.merchant_certificate(key, &pem))),
        ("certificate and key, exchanged", Box::new(|builder, key| builder.merchant_certificate(key, certificate))),
        ("key", Box::new(|builder, key| builder.merchant_certificate(certificate, key))),
        ("base_uri", Box::new(|builder, key| builder.base_uri(key))),
        ("backup_uri", Box::new(|builder, key| builder.backup_uri(key))),
        ("proxy", Box::new(|builder, key| builder.proxy(key))),
        ("root_certificate", Box::new(|builder, key| builder.root_certificate(key))),
    ];
    for key in spellings(&pem) {
        for (position, set) in &positions {
            assert_hidden(&pem, &shown(set(sandbox.client_builder(), &key)), position);
            assert_hidden(&pem, &shown(set(Client::builder(), &key)), position);
        }
        let apiv3_key = Apiv3Key::try_from("0123456789abcdef0123456789abcdef").expect("key");
        let public = PublicKey::from_pem(public).expect("key");
        let error = NotificationVerifier::new([(key, public)], apiv3_key).expect_err("not an ID");
        assert_hidden(&pem, &format!("{error} {error:?}"), "the ID of a notification verifier");
    }
}

/// Replaces the name or the value at `position`, counted over all names and values of `value`.
fn replace(value: &mut Value, position: &mut usize, key: &str, of_name: bool) -> bool {
    match value {
        Value::Object(members) => {
            let mut replaced = Map::new();
            let mut is_replaced = false;
            for (name, mut value) in std::mem::take(members) {
                if *position == 0 && !is_replaced {
                    is_replaced = true;
                    let (name, value) = if of_name { (key.to_owned(), value) } else { (name, json!(key)) };
                    replaced.insert(name, value);
                    continue;
                }
                if !is_replaced {
                    *position -= 1;
                    is_replaced = replace(&mut value, position, key, of_name);
                }
                replaced.insert(name, value);
            }
            *members = replaced;
            is_replaced
        }
        _ => false,
    }
}

/// Settings with a value of each kind.
fn complete(sandbox: &Sandbox) -> Value {
    let mut settings = sandbox.settings();
    settings["secret"] = json!("apiv2-key");
    settings["backup_uri"] = json!("https://backup.example/");
    settings["proxy"] = json!({ "http": "http://127.0.0.1:1", "https": "http://127.0.0.1:1", "no": ["localhost"] });
    settings["retry"] = json!({ "times": 1, "pause": 0.1 });
    settings["timeout"] = json!(5);
    settings["connect_timeout"] = json!(5);
    settings["certs"]["any"] = json!(null);
    settings["root_certificate"] = settings["merchant"]["cert"].clone();
    settings["merchant"]["passphrase"] = json!(null);
    settings["headers"] = json!({ "Accept": "x" });
    settings["verify"] = json!(false);
    settings["mchId"] = json!("1900000109");
    settings
}

#[test]
fn a_private_key_at_any_position_of_the_settings_map_is_not_printed() {
    let sandbox = sandbox();
    let pem = sandbox.settings()["privateKey"].as_str().expect("pem").to_owned();
    let complete = complete(&sandbox);
    let mut replacements = 0;
    for key in spellings(&pem) {
        for of_name in [true, false] {
            for position in 0.. {
                let mut settings = complete.clone();
                if !replace(&mut settings, &mut position.clone(), &key, of_name) {
                    break;
                }
                replacements += 1;
                assert_hidden(&pem, &outcome(Client::factory(settings)), &format!("position {position}"));
            }
            for (name, value) in complete.as_object().expect("settings") {
                // The setting alone, and among those of the sandbox.
                for mut settings in [json!({}), sandbox.settings()] {
                    let members = settings.as_object_mut().expect("settings");
                    if of_name {
                        members.remove(name);
                        members.insert(key.clone(), value.clone());
                        members.insert(key.clone() + "x", json!(name));
                    } else {
                        members.insert(name.clone(), json!({ key.clone(): name }));
                    }
                    assert_hidden(&pem, &outcome(Client::factory(settings)), name);
                }
            }
        }
    }
    assert!(replacements > 400, "{replacements}");
}

#[test]
fn settings_with_names_and_values_exchanged_at_random_print_no_key() {
    let sandbox = sandbox();
    let pem = sandbox.settings()["privateKey"].as_str().expect("pem").to_owned();
    let complete = complete(&sandbox);
    let keys = prop::sample::select(spellings(&pem));
    let exchanges = prop::collection::vec((0_usize..40, any::<bool>(), keys), 1..4);
    let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(Just(complete), exchanges), |(mut settings, exchanges)| {
        for (mut position, of_name, key) in exchanges {
            replace(&mut settings, &mut position, &key, of_name);
        }
        assert_hidden(&pem, &outcome(Client::factory(settings)), "exchanged");
        Ok(())
    });
    outcome.expect("nothing of the key is printed");
}
