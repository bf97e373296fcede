//! The data folder of a sandbox: its lock, its keys, and files that are damaged or missing.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wechatpay_chain::Client;
use wechatpay_chain::sandbox::{MCHID, Sandbox};

use super::native;

/// Of three sandboxes that start at once with a new folder, one runs, and the folder has its keys.
#[test]
fn a_folder_is_used_by_one_sandbox() {
    let folder = tempfile::tempdir().expect("folder");
    let started: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..3).map(|_| scope.spawn(|| Sandbox::builder().dir(folder.path()).start())).collect();
        starts.into_iter().map(|start| start.join().expect("thread")).collect()
    });
    let running: Vec<_> = started.into_iter().filter_map(Result::ok).collect();
    assert_eq!(running.len(), 1);
    let key = std::fs::read_to_string(folder.path().join("apiclient_key.pem")).expect("key");
    assert_eq!(running[0].settings()["privateKey"], key);
}

/// A serial number identifies one key, and the files of the folder agree.
#[test]
fn each_folder_has_its_own_serial_numbers() {
    let mut seen = BTreeSet::new();
    for _ in 0..2 {
        let folder = tempfile::tempdir().expect("folder");
        let sandbox = Sandbox::builder().dir(folder.path()).start().expect("sandbox");
        let settings = sandbox.settings();
        let serial = settings["serial"].as_str().expect("serial").to_owned();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect(name);
        let certificate = |name: &str| wechatpay_chain::Certificate::from_pem(&read(name)).expect("certificate");
        assert_eq!(certificate("apiclient_cert.pem").serial(), serial);
        assert!(seen.insert(serial), "the merchant's");
        assert!(seen.insert(certificate("wechatpay_cert.pem").serial().to_owned()), "the platform's");
        sandbox.client().expect("client").chain("v3/certificates").get(()).expect("the serial number is accepted");
        // The certificate and the key in the PKCS#12 file are those of the merchant.
        let refunds = Client::factory(json!({
            "mchid": MCHID, "secret": settings["secret"], "base_uri": sandbox.tls_base_uri(), "proxy": "",
            "root_certificate": sandbox.root_certificate(),
            "merchant": { "pkcs12": folder.path().join("apiclient_cert.p12"), "passphrase": MCHID },
        }));
        let refund = json!({ "security": true, "xml": {
            "appid": "wx8888888888888888", "mch_id": MCHID, "out_trade_no": "none-such", "out_refund_no": "r", "total_fee": "1", "refund_fee": "1",
        }});
        let error = refunds.expect("client").chain("v2/secapi/pay/refund").post(refund).expect_err("no order");
        assert_eq!(error.code(), Some("ORDERNOTEXIST"), "{error}");
    }
}

/// A damaged file is reported in one sentence and not changed, and a file that is accepted has lost
/// nothing.
#[test]
fn a_damaged_database_or_a_missing_key_file_is_reported() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("sandbox.redb");
    let numbers: Vec<String> = (0..40).map(|number| format!("order-{number}")).collect();
    let before = {
        let sandbox = Sandbox::builder().dir(folder.path()).start().expect("sandbox");
        let client = sandbox.client().expect("client");
        for number in &numbers {
            client
                .chain("v3/pay/transactions/native")
                .post(native(number, 7, "https://example.com/n"))
                .expect("placed");
        }
        sandbox.pay(&numbers[0]).expect("paid");
        sandbox.overview()
    };
    let intact = std::fs::read(&path).expect("database");
    let mut refused = 0;
    let mut check = |what: String, bytes: &[u8], must_refuse: bool| {
        std::fs::write(&path, bytes).expect("written");
        match Sandbox::builder().dir(folder.path()).start() {
            Ok(sandbox) => {
                let after = sandbox.overview();
                assert!(!must_refuse, "{what} is accepted");
                for part in ["account", "totals", "orders"] {
                    assert_eq!(before[part], after[part], "{what}: {part} is lost");
                }
            }
            Err(error) => {
                refused += 1;
                let message = error.message().to_owned();
                assert!(message.contains("is damaged") || message.contains("is empty"), "{what}: {message}");
                assert!(!message.contains('\n') && std::fs::read(&path).expect("file") == bytes, "{what}: {message}");
            }
        }
    };
    for part in 0..20 {
        let length = intact.len() * part / 20;
        check(format!("the first {length} bytes"), &intact[..length], true);
    }
    for flip in 0..40 {
        let mut bytes = intact.clone();
        let at = if flip < 20 { flip * 17 % 320 } else { intact.len() * (flip - 20) / 20 + flip };
        bytes[at] ^= 1 << (flip % 8);
        check(format!("bit {} of byte {at} flipped", flip % 8), &bytes, false);
    }
    // The rows themselves: a digit of an amount.
    let at = intact.windows(9).position(|bytes| bytes == b"\"total\":7").expect("an order in the file");
    let mut bytes = intact.clone();
    bytes[at + 8] = b'9';
    check("another amount".to_owned(), &bytes, false);
    assert!(refused > 20, "some flips are detected: {refused}");

    std::fs::write(&path, &intact).expect("restored");
    let keys = folder.path().join("sandbox-keys.json");
    let saved = std::fs::read(&keys).expect("keys");
    std::fs::remove_file(&keys).expect("removed");
    let error = Sandbox::builder().dir(folder.path()).start().expect_err("no keys");
    assert!(error.message().contains("sandbox-keys.json is missing"), "{error}");
    assert!(!keys.exists() && std::fs::read(&path).expect("database") == intact);
    std::fs::write(&keys, saved).expect("restored");
    let sandbox = Sandbox::builder().dir(folder.path()).start().expect("complete again");
    assert_eq!(sandbox.overview()["orders"], before["orders"]);
}

/// The certificate of an older folder does not name the hosts of the service, and its authority can
/// issue no other.
#[test]
fn the_certificates_of_an_older_folder_are_issued_anew() {
    let folder = tempfile::tempdir().expect("folder");
    let start = || Sandbox::builder().dir(folder.path()).start().expect("sandbox");
    let file = folder.path().join("sandbox-keys.json");
    let (root, serial) = {
        let sandbox = start();
        (sandbox.root_certificate().to_owned(), sandbox.settings()["serial"].clone())
    };
    assert_eq!(start().root_certificate(), root);
    let mut keys: Value = serde_json::from_slice(&std::fs::read(&file).expect("keys")).expect("json");
    keys["tls"].as_object_mut().expect("members").remove("hosts");
    std::fs::write(&file, keys.to_string()).expect("written");
    let sandbox = start();
    assert_ne!(sandbox.root_certificate(), root);
    assert_eq!(sandbox.settings()["serial"], serial);
    let client = sandbox.client_builder().base_uri(sandbox.tls_base_uri()).build().expect("client");
    client.chain("v3/certificates").get(()).expect("a response over TLS");
    let root = sandbox.root_certificate().to_owned();
    drop(sandbox);
    assert_eq!(start().root_certificate(), root);
}
