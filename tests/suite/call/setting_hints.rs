//! The hints in errors of settings: each for its condition, not for neighbouring ones.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use wechatpay_chain::sandbox::{MCHID, PUBLIC_KEY_ID, SERIAL, Sandbox};
use wechatpay_chain::{Client, ClientBuilder, Error, PublicKey};

use crate::support::{each_hint_names_its_condition, sandbox};

/// The message of the error with which building fails; `"built"` if it succeeds.
fn outcome(client: Result<Client, Error>) -> String {
    client.map_or_else(|error| error.to_string(), |_| "built".to_owned())
}

fn built(builder: ClientBuilder) -> String {
    outcome(builder.build())
}

/// A builder with the merchant's settings and without a platform key.
fn merchant(sandbox: &Sandbox) -> ClientBuilder {
    Client::builder().mchid(MCHID).serial(SERIAL).private_key(sandbox.merchant_key()).base_uri(sandbox.base_uri())
}

#[test]
fn serial_numbers_and_ids() {
    const DIGITS: &str = "0119000001092024111100326200001234";
    let sandbox = sandbox();
    let certificate = sandbox.rotate_certificate().expect("certificate");
    let platform = PublicKey::from_pem(&certificate.pem()).expect("key");
    let own = sandbox.settings()["merchant"]["cert"].as_str().expect("pem").to_owned();
    let other = {
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("params");
        params.distinguished_name.push(rcgen::DnType::CommonName, "1900000108");
        let key = sandbox.settings()["privateKey"].as_str().expect("pem").to_owned();
        let key = rcgen::KeyPair::from_pem_and_sign_algo(&key, &rcgen::PKCS_RSA_SHA256).expect("key");
        PublicKey::from_pem(&params.self_signed(&key).expect("certificate").pem()).expect("key")
    };
    let other_merchant = |id: &str| {
        // The certificate has this merchant's key, so the client must have another one.
        let verifier = wechatpay_chain::notify::NotificationVerifier::new([(id, other.clone())], sandbox.apiv3_key());
        verifier.map_or_else(|error| error.to_string(), |_| "built".to_owned())
    };
    let with_serial = |serial: &str| built(sandbox.client_builder().serial(serial));
    let with_key = |id: &str, key: &PublicKey| built(merchant(&sandbox).platform_key(id, key.clone()));
    let own_certificate = |id: &str| built(merchant(&sandbox).platform_key(id, own.as_str()));
    let pub_key = sandbox.platform_key();
    let without_serial = Client::builder().mchid(MCHID).private_key(sandbox.merchant_key());
    each_hint_names_its_condition(&[
        ("the ID of WeChat Pay's public key, which belongs in platform_key", with_serial(PUBLIC_KEY_ID)),
        ("the setting serial is empty: is the environment variable set?", with_serial("")),
        ("the setting serial is a decimal number", with_serial(&"1".repeat(48))),
        ("the setting serial is not a hexadecimal number", with_serial("37:75")),
        ("or a signer in its place; for APIv2 alone give the secret", built(without_serial)),
        ("is the serial number of the platform certificate: give that of apiclient_cert.pem", {
            built(merchant(&sandbox).serial(certificate.serial()).platform_key(certificate.serial(), platform.clone()))
        }),
        ("has the merchant's own serial number", own_certificate(SERIAL)),
        ("is the merchant's own key or certificate", own_certificate(PUBLIC_KEY_ID)),
        ("is the merchant's own key or certificate", own_certificate(certificate.serial())),
        ("is the merchant's own key or certificate", with_key(PUBLIC_KEY_ID, &sandbox.merchant_key().public_key())),
        ("it is a merchant's certificate (apiclient_cert.pem)", other_merchant(PUBLIC_KEY_ID)),
        ("it is a merchant's certificate (apiclient_cert.pem)", other_merchant("00AB")),
        ("a certificate is configured with the ID of a public key", with_key(PUBLIC_KEY_ID, &platform)),
        ("the certificate has the serial number", with_key("00AB", &platform)),
        ("write it before them", with_key(DIGITS, &pub_key)),
        ("the ID is a decimal number", with_key(&"1".repeat(48), &pub_key)),
        ("its ID is neither PUB_KEY_ID_", with_key("pub_key.pem", &pub_key)),
        ("its ID is empty: is the environment variable set?", with_key("", &pub_key)),
        ("(certs) is missing: without WeChat Pay's public key", built(merchant(&sandbox))),
        ("built", with_key(PUBLIC_KEY_ID, &pub_key)),
        ("built", with_key(certificate.serial(), &platform)),
        // A public key that was extracted from a certificate.
        ("built", with_key(&"12".repeat(20), &pub_key)),
    ]);
}

#[test]
fn keys_and_certificates() {
    let sandbox = sandbox();
    let folder = tempfile::tempdir().expect("folder");
    let empty_file = folder.path().join("empty.pem");
    std::fs::write(&empty_file, " \n").expect("written");
    let empty_file = format!("file://{}", empty_file.display());
    let private = sandbox.settings()["privateKey"].as_str().expect("pem").to_owned();
    let public = sandbox.settings()["certs"][PUBLIC_KEY_ID].as_str().expect("pem").to_owned();
    let private_key = |key: &str| built(sandbox.client_builder().private_key(key));
    let platform_key = |key: &str| built(merchant(&sandbox).platform_key(PUBLIC_KEY_ID, key));
    let root = |pem: &str| built(sandbox.client_builder().root_certificate(pem));
    let empty = "it is empty: is the environment variable set?";
    each_hint_names_its_condition(&[
        (empty, private_key("")),
        (empty, platform_key(" \n")),
        (empty, root("\u{feff}")),
        ("empty.pem: it is empty", private_key(&empty_file)),
        ("file:// has no path after it: is the environment variable set?", private_key("file://")),
        ("-----BEGIN PRIVATE KEY-----", private_key("hello")),
        ("-----BEGIN PUBLIC KEY----- or -----BEGIN CERTIFICATE-----", platform_key("hello")),
        ("begins with the line -----BEGIN CERTIFICATE-----, its", root("hello")),
        ("it is the path of a file: write file:///", private_key(&empty_file["file://".len()..])),
        ("give an existing file as file:///path", private_key("file:///no/such.pem")),
        ("where the merchant's private key is needed: give apiclient_key.pem", private_key(&public)),
        ("where WeChat Pay's public key is needed: give pub_key.pem", platform_key(&private)),
        ("it is a public key where a certificate is needed", root(&public)),
        ("the text after file:// is not a path: give PEM", private_key(&format!("file://{private}"))),
        ("built", private_key(&private)),
        ("built", platform_key(&public)),
    ]);
    let (apiv3, v2) = (
        |key: &str| built(sandbox.client_builder().apiv3_key(key)),
        |key: &str| built(sandbox.client_builder().secret(key)),
    );
    let bytes = "0123456789abcdef0123456789abcdef";
    each_hint_names_its_condition(&[
        ("the APIv3 key is empty: is the environment variable set?", apiv3("")),
        ("and needs 32: it is the one set on the merchant platform", apiv3(&bytes[1..])),
        ("built", apiv3(bytes)),
        ("secret is empty: is the environment variable set?", v2("")),
        ("contains blanks or non-ASCII characters", v2(" ")),
        ("built", v2("x")),
    ]);
}

#[test]
fn the_merchant_id_and_urls() {
    let sandbox = sandbox();
    let mchid = |mchid: &str| built(sandbox.client_builder().mchid(mchid));
    let base_uri = |uri: &str| built(sandbox.client_builder().base_uri(uri));
    let backup_uri = |uri: &str| built(Client::builder().base_uri("https://h/a/").backup_uri(uri));
    each_hint_names_its_condition(&[
        ("the setting mchid is missing", built(Client::builder())),
        ("the setting mchid is empty: is the environment variable set?", mchid("")),
        ("give only the merchant ID", mchid("1900000109 ")),
        ("base_uri: it is empty: is the environment variable set?", base_uri("")),
        ("write it like \"https://api.mch.weixin.qq.com/\"", base_uri("api.mch.weixin.qq.com")),
        ("otherwise its last segment is dropped", base_uri("https://api.mch.weixin.qq.com/hk")),
        ("WeChat Pay's hosts require https", base_uri("http://api.mch.weixin.qq.com/")),
        ("is not supported: use https", base_uri("ftp://api.mch.weixin.qq.com/")),
        ("give the query with each call", base_uri("https://api.mch.weixin.qq.com/?x")),
        ("a user name or password, which WeChat Pay does not use", base_uri("https://u@api.mch.weixin.qq.com/")),
        ("built", base_uri("http://127.0.0.1:1/")),
    ]);
    let with_backup = |uri: &str| {
        let message = backup_uri(uri);
        // The rest of the settings is missing.
        if message.contains("backup_uri") { message } else { "accepted".to_owned() }
    };
    let plain = built(sandbox.client_builder().base_uri("https://h/").backup_uri("http://b/"));
    each_hint_names_its_condition(&[
        (
            "calls use the same path on both",
            built(sandbox.client_builder().base_uri("https://h/a/").backup_uri("https://b/")),
        ),
        ("could read the calls to the backup", plain),
        ("accepted", with_backup("https://b/a/")),
    ]);
}

#[test]
fn names_of_settings() {
    let with = |key: &str| outcome(Client::factory(json!({ key: "x" })));
    let certs = |certs: Value| outcome(Client::factory(json!({ "certs": certs })));
    each_hint_names_its_condition(&[
        ("did you mean \"retry\"?", with("retries")),
        ("did you mean \"privateKey\"?", with("private_key")),
        ("did you mean \"certs\"?", with("certificates")),
        ("the settings are mchid, ", with("colour")),
        ("is an option of a call: give it with each call", with("headers")),
        ("is not in the map: use ClientBuilder::check", with("check")),
        ("is not supported: TLS is always verified", with("verify")),
        ("the APIv2 key is \"secret\", as in PHP", with("v2_key")),
        ("instead of PHP's 'any' => null, give the setting apiv3_key", certs(json!({ "any": null }))),
        ("a string where an object of IDs and keys is needed", certs(json!("x"))),
    ]);
}

#[test]
fn the_certificate_for_tls() {
    let sandbox = sandbox();
    let merchant = |merchant: Value| {
        let mut settings = sandbox.settings();
        settings["merchant"] = merchant;
        outcome(Client::factory(settings))
    };
    let (cert, key) = (&sandbox.settings()["merchant"]["cert"], &sandbox.settings()["privateKey"]);
    let public = &sandbox.settings()["certs"][PUBLIC_KEY_ID];
    let no_pkcs12 = tempfile::NamedTempFile::new().expect("file");
    let other_key = rcgen::KeyPair::generate().expect("key").serialize_pem();
    let other_id = "1900000108";
    let mut other_merchant = sandbox.settings();
    other_merchant["mchid"] = other_id.into();
    other_merchant["merchant"] = json!({ "cert": cert, "key": key });
    each_hint_names_its_condition(&[
        ("give cert and key together, or pkcs12 and passphrase together", merchant(json!({ "cert": cert }))),
        ("give cert and key together, or pkcs12 and passphrase together", merchant(json!({ "pkcs12": "a.p12" }))),
        ("the keys are cert and key, or pkcs12 and passphrase", merchant(json!({ "crt": cert }))),
        (
            "the key: it is a public key where apiclient_key.pem is needed",
            merchant(json!({ "cert": cert, "key": public })),
        ),
        ("the certificate and the key do not match", merchant(json!({ "cert": cert, "key": other_key }))),
        ("give the path of apiclient_cert.p12", merchant(json!({ "pkcs12": "/no/a.p12", "passphrase": "x" }))),
        ("or the passphrase is wrong: unless it was changed, it is the merchant ID", {
            merchant(json!({ "pkcs12": no_pkcs12.path(), "passphrase": "x" }))
        }),
        ("the certificate belongs to the merchant \"1900000109\"", outcome(Client::factory(other_merchant))),
        ("built", merchant(json!({ "cert": cert, "key": key }))),
    ]);
}

#[test]
fn texts_that_are_nearly_pem() {
    let sandbox = sandbox();
    let folder = tempfile::tempdir().expect("folder");
    let pem = sandbox.settings()["privateKey"].as_str().expect("pem").to_owned();
    let key = |key: &str| built(sandbox.client_builder().private_key(key));
    let root = |pem: &str| built(sandbox.client_builder().root_certificate(pem));
    let file = |name: &str, contents: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, contents).expect("written");
        format!("file://{}", path.display())
    };
    let base64 = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    let utf16: Vec<u8> = "\u{feff}".encode_utf16().chain(pem.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let pkcs12 = [&[0x30, 0x82, 0x0a, 0x0a, 0x02, 0x01, 0x03][..], &[0x80; 64]].concat();
    each_hint_names_its_condition(&[
        ("its line breaks are escaped twice", key(&pem.replace('\n', "\\\\n"))),
        ("built", key(&pem.replace('\n', "\\n"))),
        ("its characters are escaped as in JSON", key(&pem.replace('/', "\\/"))),
        ("it is percent-encoded, as in a URL", key(&pem.replace('+', "%2B"))),
        ("its line breaks are HTML", key(&pem.replace('\n', "<br>"))),
        ("it contains quotation marks: remove them", key(&pem.replace('\n', "\"\n"))),
        ("replaced by dashes: write -----BEGIN", key(&pem.replace("-----BEGIN", "\u{2014}BEGIN"))),
        ("its line -----BEGIN ...----- is missing", key(pem.split_once('\n').expect("lines").1)),
        ("its line -----END ...----- is missing", key(&pem.replace("-----END", ""))),
        ("between the lines BEGIN and END is not base64", key(&pem.replacen('M', "*", 1))),
        ("it is PEM that was encoded in base64: decode it once", key(&base64(pem.as_bytes()))),
        ("it is UTF-16 text: save it as UTF-8", key(&file("utf16.pem", &utf16))),
        ("it is PKCS#12: extract the key with", key(&file("key.p12", &pkcs12))),
        ("it is PKCS#12: give it to ClientBuilder::merchant_pkcs12", root(&file("cert.p12", &pkcs12))),
        ("it is PKCS#12 in base64: give PEM", key(&base64(&pkcs12))),
        ("is not a readable path: give PEM text without", key(&format!("file://{}", "MII/".repeat(100)))),
        ("built", key(&file("key.pem", pem.as_bytes()))),
    ]);
}

#[test]
fn urls_of_proxies() {
    let sandbox = sandbox();
    let proxy = |url: &str| built(sandbox.client_builder().proxy(url));
    each_hint_names_its_condition(&[
        ("write it like \"http://proxy.example:3128\"", proxy("socks4://h:1")),
        ("a fragment: in a user name or password, write %23", proxy("http://u:p#p@h:1")),
        ("write \"@\" as %40, \"/\" as %2F and \"?\" as %3F", proxy("http://u:p/p@h:1")),
        ("it contains \"@\" without a user name: remove it", proxy("http://@h:1")),
        ("write CORP\\user as CORP%5Cuser", proxy("http://CORP\\u:p@h:1")),
        ("write such a host in Punycode", proxy("http://ä.example:1")),
        ("it contains a space or a control character", proxy("http://u:p p@h:1")),
        ("it contains several \"@\"", proxy("http://u:p@p@h:1")),
        ("it is longer than 2048 bytes", proxy(&format!("http://h:1/{}", "a".repeat(2048)))),
        ("write four decimal numbers without leading zeros", proxy("http://127.1:1")),
        ("its host has an empty label: remove a \".\"", proxy("http://a..b:1")),
        ("its user name or password contains \"%\": write %25", proxy("http://u:5%@h:1")),
        ("contains a reserved character: percent-encode it", proxy("http://u:p[@h:1")),
        ("built", proxy("http://u:p%40p@h:1")),
    ]);
}

#[test]
fn payment_parameters_have_the_form_of_their_names() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let prepay_id = "wx201410272009395522657a690389285100";
    let text = |result: Result<Value, Error>| result.map_or_else(|error| error.to_string(), |_| String::new());
    each_hint_names_its_condition(&[
        ("", text(client.jsapi_payment("wx8888888888888888", prepay_id))),
        ("the appid is not an appid such as", text(client.jsapi_payment("", prepay_id))),
        ("the appid is not an appid such as", text(client.app_payment(prepay_id, "wx8888888888888888"))),
        (
            "give it without \"prepay_id=\"",
            text(client.jsapi_payment("wx8888888888888888", &format!("prepay_id={prepay_id}"))),
        ),
        ("give it without \"prepay_id=\"", text(client.app_payment("wx8888888888888888", ""))),
        ("give it without \"prepay_id=\"", text(client.partner_app_payment("wx8888888888888888", "1900000109", "a b"))),
    ]);
}
