//! The encrypted bills of sub-merchants.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::prelude::{BASE64_STANDARD, Engine};
use http::Response;
use serde_json::{Value, json};
use wechatpay_chain::sandbox::{Fault, Sandbox};
use wechatpay_chain::{Apiv3Key, Client, Download, Error, ErrorKind};

use crate::support::{SharedBuffer, run, start};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const BILLS: &str = "v3/bill/sub-merchant-fundflowbill";
/// The path in the example of the documentation.
const FILE: &str = "v3/bill/downloadurl";
const TEXT: &str = "交易时间,公众账号ID\n`2026-11-01";
const SHA1: &str = "59d3b3bbdbd084941d52c168ce6cf0f5825a8166";

/// `openssl_encrypt` of [`TEXT`] in PHP with the nonce of the documentation, which has 16 bytes.
fn encrypted_by_php() -> Vec<u8> {
    let base64 = "6RKHMECqz6xXmz8EKDV0KfLf2ZXPG2AdfS23v3DESEAO+1D5E+zSp1+rlaoVI6nCNbSZOLwvNQ==";
    BASE64_STANDARD.decode(base64).expect("base64")
}

fn sha1(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn encrypt(text: &[u8]) -> Vec<u8> {
    let ciphertext = Apiv3Key::new(KEY).expect("key").encrypt(text, "0123456789ab", "").expect("encrypted");
    BASE64_STANDARD.decode(ciphertext).expect("base64")
}

/// An entry of `download_bill_list`.
fn entry(sandbox: &Sandbox, sequence: u64, nonce: &str, hash: &str) -> Value {
    let key = sandbox.merchant_key().public_key().encrypt(KEY.as_bytes()).expect("encrypted");
    json!({
        "bill_sequence": sequence, "download_url": format!("{}{FILE}?token=part-{sequence}", sandbox.base_uri()),
        "encrypt_key": key, "nonce": nonce, "hash_type": "SHA1", "hash_value": hash,
    })
}

fn announced(sandbox: &Sandbox, client: &Client, list: &[Value]) -> wechatpay_chain::Response {
    let body = json!({ "download_bill_count": list.len(), "download_bill_list": list });
    sandbox.stub("GET", BILLS, 200, body);
    client.chain(BILLS).get(json!({ "query": { "algorithm": "AEAD_AES_256_GCM" } })).expect("announced")
}

/// The file of the next download. It is unsigned, like the files of the service.
fn serve(sandbox: &Sandbox, file: &[u8]) {
    let response = Response::builder().status(200).body(file.to_vec().into()).expect("response");
    sandbox.inject(Fault::Gateway(response));
}

#[test]
fn a_bill_is_decrypted_and_verified() {
    let (sandbox, client) = start();
    assert_eq!(sha1(TEXT.as_bytes()), SHA1);
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("bill.csv");
    let response = announced(&sandbox, &client, &[entry(&sandbox, 1, "a8607ef79034c49c", SHA1)]);
    serve(&sandbox, &encrypted_by_php());
    client.download(&response).expect("offered").save(&path).expect("saved");
    assert_eq!(std::fs::read_to_string(&path).expect("file"), TEXT);
    assert!(sandbox.requests().last().is_some_and(|request| request.target.ends_with("?token=part-1")));

    // To a writer, with progress in bytes received.
    let (buffer, received) = (SharedBuffer::default(), Arc::new(AtomicU64::new(0)));
    let counter = Arc::clone(&received);
    serve(&sandbox, &encrypted_by_php());
    let download = client.download(&response).expect("offered");
    let download = download.progress(move |received, _| counter.store(received, Ordering::Relaxed));
    run(download.write_async(buffer.clone())).expect("written");
    assert_eq!((buffer.bytes(), received.load(Ordering::Relaxed)), (TEXT.as_bytes().to_vec(), TEXT.len() as u64 + 16));
}

#[test]
fn large_and_compressed_bills_are_decrypted_while_they_are_received() {
    let (sandbox, client) = start();
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("bill");
    let text: Vec<u8> = (0..20 * 1024 * 1024 + 5).map(|at| (at * 7 % 251) as u8).collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&text).expect("memory");
    // The digest is that of the decrypted and decompressed file.
    for saved in [text.clone(), gzip.finish().expect("memory")] {
        let response = announced(&sandbox, &client, &[entry(&sandbox, 1, "0123456789ab", &sha1(&text))]);
        serve(&sandbox, &encrypt(&saved));
        client.download(&response).expect("offered").save(&path).expect("saved");
        assert!(std::fs::read(&path).expect("file") == saved);
    }
}

#[test]
fn a_changed_bill_is_not_saved() {
    let (sandbox, client) = start();
    let folder = tempfile::tempdir().expect("folder");
    let save = |nonce: &str, hash: &str, file: &[u8]| -> Result<(), Error> {
        let response = announced(&sandbox, &client, &[entry(&sandbox, 1, nonce, hash)]);
        serve(&sandbox, file);
        client.download(&response).expect("offered").save(folder.path().join("bill")).map(drop)
    };
    let good = encrypted_by_php();
    let mut changed = good.clone();
    changed[3] ^= 1;
    for (name, nonce, hash, file) in [
        ("changed", "a8607ef79034c49c", SHA1, &changed[..]),
        ("cut off", "a8607ef79034c49c", SHA1, &good[..good.len() - 1]),
        ("a part of the tag", "a8607ef79034c49c", SHA1, &good[..7]),
        ("empty", "a8607ef79034c49c", SHA1, &[]),
        ("not encrypted", "a8607ef79034c49c", SHA1, TEXT.as_bytes()),
        ("another nonce", "a8607ef79034c49d", SHA1, &good[..]),
        // The tag is valid, and the digest in the signed response is another one.
        ("another digest", "a8607ef79034c49c", "da39a3ee5e6b4b0d3255bfef95601890afd80709", &good[..]),
    ] {
        let error = save(nonce, hash, file).expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Verification, "{name}: {error}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 0, "{name}");
    }
    save("a8607ef79034c49c", SHA1, &good).expect("the unchanged bill");
}

#[test]
fn several_files_are_downloaded_in_their_order() {
    let (sandbox, client) = start();
    let (first, second) = (encrypt(b"first "), encrypt(b"second"));
    let list =
        [entry(&sandbox, 2, "0123456789ab", &sha1(b"second")), entry(&sandbox, 1, "0123456789ab", &sha1(b"first "))];
    let response = announced(&sandbox, &client, &list);
    let error = client.download(&response).expect_err("two files");
    assert!(error.message().contains("offers 2 files: use Client::downloads"), "{error}");
    let buffer = SharedBuffer::default();
    for (download, file) in client.downloads(&response).expect("offered").into_iter().zip([first, second]) {
        serve(&sandbox, &file);
        download.write(buffer.clone()).expect("written");
    }
    assert_eq!(buffer.bytes(), b"first second");

    // No bill, and a response with a single file.
    let none = announced(&sandbox, &client, &[]);
    assert_eq!(client.downloads(&none).expect("none").len(), 0);
    assert!(client.download(&none).expect_err("none").message().contains("offers 0 files"));
    sandbox.stub("GET", BILLS, 200, json!({ "download_url": "x", "hash_type": "SHA1", "hash_value": SHA1 }));
    let single = client.chain(BILLS).get(()).expect("announced");
    assert_eq!(client.downloads(&single).expect("one").len(), 1);
}

#[test]
fn an_incomplete_list_and_an_unknown_key_are_errors() {
    let (sandbox, client) = start();
    let good = || entry(&sandbox, 1, "0123456789ab", SHA1);
    let with = |name: &str, value: Value| {
        let mut changed = good();
        changed[name] = value;
        changed
    };
    let key = |text: &[u8]| json!(sandbox.merchant_key().public_key().encrypt(text).expect("encrypted"));
    let other = json!(sandbox.platform_key().encrypt(KEY.as_bytes()).expect("encrypted"));
    for (count, list, kind, expected) in [
        (json!(2), json!([good()]), ErrorKind::Options, "download_bill_list of the response is incomplete"),
        (json!("1"), json!([good()]), ErrorKind::Options, "is incomplete"),
        (json!(1), json!([with("bill_sequence", json!(2))]), ErrorKind::Options, "is incomplete"),
        (json!(2), json!([good(), good()]), ErrorKind::Options, "is incomplete"),
        (json!(1), Value::Null, ErrorKind::Options, "is incomplete"),
        (json!(1), json!([with("nonce", json!(""))]), ErrorKind::Options, "no nonce"),
        (json!(1), json!([with("hash_value", Value::Null)]), ErrorKind::Options, "no hash_value"),
        (json!(1), json!([with("encrypt_key", key(&[7; 16]))]), ErrorKind::Options, "16 bytes, and AEAD_AES_256_GCM"),
        (json!(1), json!([with("encrypt_key", other)]), ErrorKind::Decode, "cannot be decrypted"),
    ] {
        sandbox.stub("GET", BILLS, 200, json!({ "download_bill_count": count, "download_bill_list": list }));
        let response = client.chain(BILLS).get(()).expect("announced");
        let downloads: Result<Vec<Download>, Error> = client.downloads(&response);
        let error = downloads.expect_err(expected);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(expected), "{expected}: {error}");
        assert!(!error.to_string().contains(KEY));
    }
    assert!(Path::new("bill").metadata().is_err(), "nothing was written");
}
