//! Requests of documented calls, compared with those of the PHP SDK. Without the shared corpus
//! these tests are skipped, with a message.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use http::Method;
use serde_json::Value;

use crate::crypto::PrivateKey;
use crate::options::Options;
use crate::options::keys::RESERVED;
use crate::pipeline::sign::{Credential, LocalSigner};
use crate::proto::base_uri::BaseUri;
use crate::proto::request;

/// The folder of the shared data; `None` if it is not present.
fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("WECHATPAY_CORPUS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let present = folder.join("corpus/endpoints.jsonl").exists();
    if !present {
        // Written directly to stderr, because the test runner captures the print macros.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: no corpus at {} (name its folder in WECHATPAY_CORPUS)",
            folder.display()
        );
    }
    present.then_some(folder)
}

/// The complete header, for the key, nonce and timestamp of the corpus.
#[test]
fn authorization_of_every_get_row() {
    let Some(folder) = shared() else { return };
    let rows = std::fs::read_to_string(folder.join("corpus/endpoints.jsonl")).expect("endpoints.jsonl");
    let key = format!("file://{}", folder.join("corpus/keys/apiclient_key.pem").display());
    let credential = Credential {
        mchid: "1900000109".to_owned(),
        signer: Some(Arc::new(LocalSigner {
            serial: "3775B6A45ACD588826D15E583A95F5DD00000001".into(),
            key: PrivateKey::from_pem(&key).expect("key"),
        })),
        is_own_signer: false,
        apiv2: None,
        base_uri: BaseUri::official(),
        platform_key_id: None,
    };
    let mut compared = 0;
    for row in rows.lines().map(|line| serde_json::from_str::<Value>(line).expect("a row of JSON")) {
        if row["api"] != "v3" || row["method"] != "GET" || row.get("slip").is_some() {
            continue;
        }
        let id = &row["id"];
        let options = row.get("options").cloned().unwrap_or_else(|| serde_json::json!({}));
        let options = Options::from(options).checked().unwrap_or_else(|error| panic!("{id}: {error}"));
        let base = options.config.base_uri.clone().unwrap_or_else(BaseUri::official);
        let template =
            request::parse_template(row["template"].as_str().expect("template"), &RESERVED).expect("template");
        let built = request::build(Method::GET, &template, &options.spec, &base, &RESERVED);
        let mut request = built.unwrap_or_else(|error| panic!("{id}: {error}")).request;
        assert_eq!(request.uri().path_and_query().map(|p| p.as_str()), row["expect"]["target"].as_str(), "{id}");
        // Rows without an example in the documentation were completed later and have no header.
        let Some(expected) = row["expect"]["authorization"].as_str() else { continue };
        let nonce = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
        let authorizing = credential.authorize(&mut request, None, &base, 1_700_000_000, nonce);
        crate::transport::runtime::park_on(authorizing).expect("signed");
        assert_eq!(request.headers()["authorization"].to_str().ok(), Some(expected), "{id}");
        compared += 1;
    }
    assert!(compared > 200, "only {compared} GET rows");
    println!("{compared} Authorization headers equal");
}

/// Intentional differences between the APIv2 bodies of PHP and of this crate; `docs/DECISIONS.md`
/// contains the reasons.
mod differences {
    use serde_json::{Map, Value};

    /// PHP writes `]]>` into a CDATA section, which ends the section. Here it is split.
    pub(super) fn splits_cdata(body: &str, fields: &Map<String, Value>) -> bool {
        fields.values().any(|value| value.to_string().contains("]]>")) && body.contains("]]]]><![CDATA[>")
    }

    /// PHP makes an empty signature for an unknown `sign_type`. Here it is an error.
    pub(super) fn rejects_sign_type(fields: &Map<String, Value>) -> bool {
        let given = fields.get("sign_type").filter(|given| !given.is_null());
        given.is_some_and(|given| !matches!(given.as_str(), Some("MD5" | "HMAC-SHA256")))
    }
}

/// 1,400 random signed bodies of APIv2 are equal to those of PHP, except for [`differences`].
#[test]
fn bodies_of_apiv2() {
    use crate::proto::v2::Apiv2Credential;
    use crate::proto::xml;

    let Some(folder) = shared() else { return };
    let rows = std::fs::read_to_string(folder.join("corpus/bodies.jsonl")).expect("bodies.jsonl");
    let (mut equal, mut split, mut rejected) = (0, 0, 0);
    for row in rows.lines().map(|line| serde_json::from_str::<Value>(line).expect("a row of JSON")) {
        if row["api"] != "v2" {
            continue;
        }
        let fields = match &row["options"]["xml"] {
            Value::Object(members) => members.clone(),
            Value::Array(items) => items.iter().enumerate().map(|(at, item)| (at.to_string(), item.clone())).collect(),
            other => panic!("{other}"),
        };
        // The rows were recorded without the check of the merchant ID.
        let credential = Apiv2Credential::new("", "corpusApiv2Key0123456789abcdefgh".into()).expect("key");
        let nonceless = row["options"]["nonceless"] == true;
        let mut signed = fields.clone();
        let nonce = (!nonceless).then_some("0123456789ABCDEFGHIJKLMNOPQRSTUV");
        let signing = credential.add_sign(&mut signed, nonce);
        let body = match signing {
            Ok(()) => xml::write(&signed),
            Err(error) => {
                assert!(differences::rejects_sign_type(&fields), "{}: {error}", row["n"]);
                rejected += 1;
                continue;
            }
        };
        assert!(!differences::rejects_sign_type(&fields), "{}", row["n"]);
        let expected = row["body"].as_str().expect("body");
        if body == expected {
            equal += 1;
        } else {
            assert!(differences::splits_cdata(&body, &fields), "{}:\n{body}\n{expected}", row["n"]);
            assert_eq!(body.replace("]]]]><![CDATA[>", "]]>"), expected, "{}", row["n"]);
            split += 1;
        }
        let read = xml::read(body.as_bytes());
        assert!(read.is_ok() || body.contains(char::is_control), "{}: {read:?} {body}", row["n"]);
    }
    println!("{equal} bodies equal, {split} with ]]> split, {rejected} with an unknown sign_type rejected");
    assert_eq!(equal + split + rejected, 1400);
    assert!(equal > 1100);
}

/// The table of unsigned responses is that of PHP.
#[test]
fn unsigned_responses_of_apiv2() {
    let Some(folder) = shared() else { return };
    let rows = std::fs::read_to_string(folder.join("corpus/endpoints.jsonl")).expect("endpoints.jsonl");
    let mut unsigned = 0;
    for row in rows.lines().map(|line| serde_json::from_str::<Value>(line).expect("a row of JSON")) {
        if row["api"] != "v2" {
            continue;
        }
        let target = row["expect"]["target"].as_str().expect("target");
        let none = row["response_signature"] == "none";
        assert_eq!(crate::proto::v2::is_unsigned(target.split('?').next().expect("path")), none, "{target}");
        unsigned += usize::from(none);
    }
    assert!(unsigned >= 10, "{unsigned}");
}
