//! The Rust examples of the manual's page on porting, in the order of the page. The page copies
//! them line by line, which `manual.rs` asserts, so they are not formatted by rustfmt.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use base64::prelude::{BASE64_STANDARD, Engine}; // base64 signatures
use serde_json::{Value, json};
use wechatpay_chain::crypto::{aes_ecb, hash};
use wechatpay_chain::notify::Reply;
use wechatpay_chain::{Apiv3Key, Certificate, Client, ErrorKind, Media, Options, PrivateKey, PublicKey, Secret};
use wechatpay_chain::{BoxError, BoxFuture, Signature, Signer, Verifier}; // for your own signer or verifier
use wechatpay_chain::{chain, formatter, transformer};

use wechatpay_chain::sandbox::{self, Fault, PUBLIC_KEY_ID, Sandbox};

use crate::support::{run, start};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn native(out_trade_no: &str) -> Value {
    json!({
        "json": {
            "appid": "wxd678efh567hg6787",
            "mchid": "1900000109",
            "description": "a book",
            "out_trade_no": format!("order-{out_trade_no}"),
            "notify_url": "https://example.com/notify",
            "amount": { "total": 100 },
        },
    })
}

fn file(folder: &tempfile::TempDir, name: &str, text: &Value) -> std::io::Result<String> {
    let path = folder.path().join(name);
    std::fs::write(&path, text.as_str().expect("PEM"))?;
    Ok(format!("file://{}", path.display()))
}

#[test]
fn factory() -> Outcome {
    let sandbox = Sandbox::start()?;
    let (settings, folder) = (sandbox.settings(), tempfile::tempdir()?);
    let merchant_id = sandbox::MCHID;
    let merchant_certificate_serial = sandbox::SERIAL;
    let merchant_private_key_file = &*file(&folder, "apiclient_key.pem", &settings["privateKey"])?;
    let merchant_certificate_file = &*file(&folder, "apiclient_cert.pem", &settings["merchant"]["cert"])?;
    let platform_public_key_id = PUBLIC_KEY_ID;
    let platform_public_key_file = &*file(&folder, "pub_key.pem", &settings["certs"][PUBLIC_KEY_ID])?;
    let (base_uri, apiv2_key) = (sandbox.base_uri(), settings["secret"].as_str().expect("a key"));
    let instance = Client::factory(json!({
        "mchid": merchant_id,
        "serial": merchant_certificate_serial,
        "privateKey": merchant_private_key_file,
        "certs": {
            platform_public_key_id: platform_public_key_file,
        },
        "secret": apiv2_key,
        "merchant": {
            "cert": merchant_certificate_file,
            "key": merchant_private_key_file,
        },
        "base_uri": base_uri,
        "timeout": 10,
    }))?;
    instance.chain("v3/pay/transactions/native").post(native("1"))?;
    let instance = Client::builder()
        .mchid(merchant_id)
        .serial(merchant_certificate_serial)
        .private_key(merchant_private_key_file)
        .platform_key(platform_public_key_id, platform_public_key_file)
        .secret(apiv2_key)
        .merchant_certificate(
            merchant_certificate_file,
            merchant_private_key_file,
        )
        .base_uri(base_uri)
        .timeout(std::time::Duration::from_secs(10))
        .build()?;
    instance.chain("v3/pay/transactions/native").post(native("2"))?;
    Ok(())
}

#[test]
fn chains() -> Outcome {
    let (_sandbox, instance) = start();
    let options = native("1");
    chain!(instance->v3->pay->transactions->native)
        .post(&options)?;
    instance.seg("v3").seg("pay").seg("transactions").seg("native")
        .post(&options)?;
    let card = json!({ "card_id": "pbLatjvWOibDc5", "json": { "activate_type": "AUTO_ACTIVATE" } });
    let cards = chain!(instance->v3->marketing->membercardOpen->cards);
    chain!(cards->_card_id_->permissionTokens).post(&card)?;
    chain!(cards->{"{card_id}"}->"permission-tokens").post(&card)?;
    instance.chain("v3/pay/transactions/native").post(&options)?;
    let transactions = instance.chain("v3/pay").chain("transactions");
    transactions.chain("native").post(&options)?;
    instance["v3/pay/transactions/native"].post(&options)?;
    instance["v3/pay"]["transactions"]["native"].post(&options)?;
    Ok(())
}

#[test]
fn verbs() -> Outcome {
    let (sandbox, instance) = start();
    for method in ["GET", "PUT", "POST", "PATCH", "DELETE"] {
        sandbox.stub(method, "v3/things/{id}", 200, json!({}));
    }
    let thing = instance.chain("v3/things/{id}");
    thing.get(json!({ "id": "1" }))?;
    thing.put(json!({ "id": "1", "json": { "name": "a" } }))?;
    thing.post(json!({ "id": "1", "json": { "name": "a" } }))?;
    thing.patch(json!({ "id": "1", "json": { "name": "b" } }))?;
    thing.delete(json!({ "id": "1" }))?;
    assert_eq!(sandbox.requests().len(), 5);
    sandbox.stub("GET", "v3/certificates", 200, json!({ "data": [] }));
    instance.chain("v3/certificates").get(())?;
    Ok(())
}

#[test]
fn promises() -> Outcome {
    let (sandbox, instance) = start();
    let options = native("1");
    let body = instance
        .chain("v3/pay/transactions/native")
        .post_async(&options)
        .then(|response| response.text().into_owned())
        .otherwise(|error| error.to_string())
        .wait()?;
    assert!(body.contains("code_url"));
    sandbox.stub("GET", "v3/things/{id}", 200, json!({}));
    run(async {
        let thing = instance.chain("v3/things/{id}");
        let (one, two) = tokio::join!(
            thing.get_async(json!({ "id": "1" })),
            thing.get_async(json!({ "id": "2" })),
        );
        println!("{} {}", one?.status(), two?.status());
        Ok::<(), wechatpay_chain::Error>(())
    })?;
    Ok(())
}

#[test]
fn driver() -> Outcome {
    let (sandbox, instance) = start();
    sandbox.stub("GET", "v3/certificates", 200, json!({ "data": [] }));
    instance.request("GET", "v3/certificates", ())?;
    instance.request_async("GET", "v3/certificates", ()).wait()?;
    let order = json!({ "xml": {
        "mch_id": "1900000109", "appid": "wx8888888888888888",
        "out_trade_no": "1217752501201407033233368018",
    }});
    // The prefix v2/ selects APIv2.
    let found = instance.request("POST", "v2/pay/orderquery", order);
    assert_eq!(found.expect_err("no such order").code(), Some("ORDERNOTEXIST"));
    Ok(())
}

#[test]
fn responses() -> Outcome {
    let (_sandbox, instance) = start();
    let options = native("1");
    let response = instance.chain("v3/pay/transactions/native")
        .post(&options)?;
    println!("{}", response.status().as_u16());
    println!("{}", response.text());
    println!("{}", response.request_id().unwrap_or_default());
    let json = response.json::<Value>()?;
    println!("{}", json["code_url"].as_str().unwrap_or_default());
    assert!(json["code_url"].is_string());
    Ok(())
}

#[test]
fn options() -> Outcome {
    let (sandbox, instance) = start();
    let secured = sandbox.client_builder().base_uri(sandbox.tls_base_uri()).build()?;
    for (method, path) in [("GET", "v3/things"), ("POST", "v3/things"), ("GET", "hk/v3/things")] {
        sandbox.stub(method, path, 200, json!({ "state": "DONE" }));
    }
    sandbox.file("v3/billdownload/file", 100);
    let things = instance.chain("v3/things");
    let (hk, folder) = (format!("{}hk/", sandbox.base_uri()), tempfile::tempdir()?);
    let file = folder.path().join("bill.csv").display().to_string();
    things.post(json!({ "json": { "name": "中文" } }))?;
    things.post(json!({ "body": r#"{"name":"a"}"# }))?;
    things.post(json!({ "form_params": { "name": "a b" } }))?;
    things.post(json!({ "multipart": [
        { "name": "meta", "contents": "{}" },
        { "name": "file", "contents": "...", "filename": "a.csv" },
    ]}))?;
    things.get(json!({ "query": { "limit": 10, "all": true } }))?;
    things.get(json!({ "headers": { "Accept-Language": "en" } }))?;
    things.get(json!({ "base_uri": hk }))?;
    things.get(json!({ "timeout": 3, "connect_timeout": 1.5 }))?;
    things.get(json!({ "proxy": "" }))?;
    things.get(json!({ "allow_redirects": { "max": 2, "strict": true } }))?;
    things.get(json!({ "debug": true }))?;
    let bill = json!({ "query": { "token": "x" }, "sink": file });
    instance.chain("v3/billdownload/file").get(bill)?;
    let response = instance.chain("v3/pay/transactions/id/{id}")
        .get(json!({ "id": "1", "http_errors": false }))?;
    println!("{}", response.status());
    assert_eq!((std::fs::metadata(&file)?.len(), response.status().as_u16()), (100, 400));
    sandbox.stub("POST", "v2/secapi/mch/submchmanage", 200, json!({ "return_code": "SUCCESS" }));
    sandbox.stub("POST", "v2/papay/querycontract", 200, json!({ "return_code": "SUCCESS" }));
    let instance = secured;
    instance.chain("v2/secapi/mch/submchmanage").post(json!({
        "xml": { "mch_id": "1900000109", "appid": "wx8888888888888888" },
        "query": { "action": "query" },
        "security": true, // present the merchant certificate
    }))?;
    instance.chain("v2/papay/querycontract").post(json!({
        "xml": { "mch_id": "1900000109", "contract_id": "1" },
        "nonceless": true, // omit nonce_str
    }))?;
    Ok(())
}

#[test]
fn middleware() -> Outcome {
    let sandbox = Sandbox::start()?;
    let builder = || sandbox.client_builder();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    use tower::util::{MapRequestLayer, MapResponseLayer};

    let instance = builder()
        .layer(MapRequestLayer::new(
            |request: http::Request<bytes::Bytes>| {
                println!("{} {}", request.method(), request.uri().path());
                request // not signed yet
            },
        ))
        .layer(MapResponseLayer::new(
            move |response: http::Response<bytes::Bytes>| {
                log.lock().unwrap().push(response.status());
                response // already verified
            },
        ))
        .build()?;
    instance.chain("v3/pay/transactions/native").post(native("1"))?;
    assert_eq!(seen.lock().unwrap().len(), 1);

    let keys = SigningService { key: sandbox.merchant_key() };
    let platform = KeyService { key: sandbox.platform_key() };
    let base_uri = sandbox.base_uri();
    let instance = Client::builder()
        .mchid("1900000109")
        .signer(keys)      // replaces 'signer'
        .verifier(platform) // replaces 'verifier'
        .base_uri(base_uri)
        .build()?;
    instance.chain("v3/pay/transactions/native").post(native("2"))?;
    Ok(())
}

struct SigningService { key: PrivateKey } // or your own client

impl Signer for SigningService {
    fn sign<'a>(&'a self, message: &'a [u8])
        -> BoxFuture<'a, Result<Signature, BoxError>>
    {
        Box::pin(async move {
            let serial = "3775B6A45ACD588826D15E583A95F5DDC0FFEE00";
            Ok(Signature::new(serial, self.key.sign(message)?))
        })
    }
}

struct KeyService { key: PublicKey }

impl Verifier for KeyService {
    fn verify<'a>(
        &'a self, serial: &'a str, message: &'a [u8], signature: &'a [u8],
    ) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async move {
            if self.key.verify(message, signature) {
                return Ok(());
            }
            Err(format!("the signature by {serial} is invalid").into())
        })
    }
}

#[test]
fn exempt_paths() -> Outcome {
    let (sandbox, instance) = start();
    sandbox.file("v3/billdownload/file", 100);
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let file = instance.chain("v3/billdownload/file").get(json!({
        "query": { "token": "x" },
        "sink": folder.join("bill.csv"),
    }))?;
    assert!(!file.is_verified()); // no verifier to remove
    let statement = instance.chain("v3/global/statements").get(json!({
        "query": { "mchid": "1900000109", "date": "20260101" },
        "sink": folder.join("statement.csv"),
    }))?;
    assert!(statement.is_verified()); // through its SHA-1
    Ok(())
}

#[test]
fn apiv2() -> Outcome {
    let sandbox = Sandbox::start()?;
    let instance = sandbox.client_builder().base_uri(sandbox.tls_base_uri()).build()?;
    let order = instance.chain("v2/pay/unifiedorder").post(json!({
        "xml": {
            "appid": "wx8888888888888888",
            "mch_id": "1900000109",
            "body": "a book",
            "out_trade_no": "1217752501201407033233368018",
            "total_fee": 888,
            "spbill_create_ip": "123.12.12.123",
            "notify_url": "https://example.com/notify",
            "trade_type": "NATIVE", "product_id": "1",
            "sign_type": "HMAC-SHA256",
        },
    }))?;
    println!("{}", order.xml()?["code_url"]);
    sandbox.pay("1217752501201407033233368018")?;
    instance.chain("v2/secapi/pay/refund").post(json!({
        "security": true,
        "xml": {
            "appid": "wx8888888888888888",
            "mch_id": "1900000109",
            "out_trade_no": "1217752501201407033233368018",
            "out_refund_no": "1",
            "total_fee": 888,
            "refund_fee": 888,
        },
    }))?;
    let other = instance.chain("v2/pay/orderquery").post(json!({
        "xml": { "mch_id": "1230000109", "out_trade_no": "1" },
    }));
    assert_eq!(other.unwrap_err().kind(), ErrorKind::Options);
    Ok(())
}

#[test]
fn keys() -> Outcome {
    let sandbox = Sandbox::start()?;
    let (settings, folder) = (sandbox.settings(), tempfile::tempdir()?);
    let private_key_file = &*file(&folder, "apiclient_key.pem", &settings["privateKey"])?;
    let public_key_file = &*file(&folder, "pub_key.pem", &settings["certs"][PUBLIC_KEY_ID])?;
    let certificate_file = &*file(&folder, "wechatpay_cert.pem", &settings["merchant"]["cert"])?;
    let pem = settings["privateKey"].as_str().expect("PEM");
    let private_key = PrivateKey::from_pem(private_key_file)?; // file://...
    let private_key_too = PrivateKey::from_pem(pem)?; // -----BEGIN PRIVATE KEY-----
    let public_key = PublicKey::from_pem(public_key_file)?;
    let of_certificate = PublicKey::from_pem(certificate_file)?;
    assert!(private_key.public_key() == private_key_too.public_key() && of_certificate != public_key);

    let pkcs8 = pem.lines().filter(|line| !line.starts_with("-----")).collect::<String>();
    let key = PrivateKey::from_pem(&format!("private.pkcs8://{pkcs8}"))?;
    let same = PrivateKey::from_pem(&pkcs8)?; // the scheme is optional
    assert_eq!(key.public_key(), same.public_key());
    let der = BASE64_STANDARD.decode(&pkcs8)?;
    let pkcs1 = BASE64_STANDARD.encode(&der[26..]); // the key inside PKCS#8
    let key = PrivateKey::from_pem(&format!("private.pkcs1://{pkcs1}"))?;
    assert_eq!(key.public_key().spki().len(), 294);
    let spki = BASE64_STANDARD.encode(public_key.spki());
    let key = PublicKey::from_pem(&format!("public.spki://{spki}"))?;
    assert_eq!(key, public_key);
    let public_pkcs1 = BASE64_STANDARD.encode(&public_key.spki()[24..]);
    let key = PublicKey::from_pem(&format!("public.pkcs1://{public_pkcs1}"))?;
    let spki: Vec<u8> = key.spki(); // DER
    assert_eq!((&key, spki), (&public_key, public_key.spki()));
    let (message, text) = ("GET\n/v3/certificates\n1700000000\nnonce\n\n", "张三");
    let public_key = private_key.public_key();
    let signature = private_key.sign(message.as_bytes())?; // bytes
    let signature_base64 = BASE64_STANDARD.encode(&signature);
    assert!(public_key.verify(message.as_bytes(), &signature));
    assert_eq!(signature_base64.len(), 344);
    let ciphertext = public_key.encrypt(text.as_bytes())?; // base64
    let plaintext = private_key.decrypt(&ciphertext)?; // bytes
    assert_eq!(plaintext, "张三".as_bytes());
    Ok(())
}

#[test]
fn keys_with_a_passphrase() -> Outcome {
    let (sandbox, folder) = (Sandbox::start()?, tempfile::tempdir()?);
    file(&folder, "apiclient_key.pem", &sandbox.settings()["privateKey"])?;
    let plain = folder.path().join("apiclient_key.pem");
    let protected = folder.path().join("protected.pem");
    let closed = Command::new("openssl")
        .args(["pkcs8", "-topk8", "-v2", "aes256", "-passout", "pass:a passphrase", "-in"])
        .args([plain.as_path(), Path::new("-out"), &protected])
        .status();
    let Ok(closed) = closed else {
        let _ = writeln!(std::io::stderr(), "SKIPPED: no openssl on this machine");
        return Ok(());
    };
    assert!(closed.success());
    let (encrypted_file, passphrase) = (&*format!("file://{}", protected.display()), "a passphrase");
    let key = PrivateKey::from_encrypted_pem(
        encrypted_file, // file://..., BEGIN ENCRYPTED PRIVATE KEY
        &Secret::from(passphrase),
    )?;
    assert_eq!(key.public_key(), sandbox.merchant_key().public_key());
    Ok(())
}

#[test]
fn sensitive_fields() -> Outcome {
    let (sandbox, instance) = start();
    sandbox.stub("POST", "v3/applyment4sub/applyment/", 200, json!({}));
    instance.chain("v3/applyment4sub/applyment/").post(json!({
        "json": {
            "business_code": "1",
            "contact_info": { "contact_name": "张三" },
        },
        "encrypt": ["contact_info.contact_name"],
    }))?;
    assert!(!String::from_utf8_lossy(&sandbox.requests()[0].body).contains("张三"));
    Ok(())
}

#[test]
fn ciphers() -> Outcome {
    let apiv3_key = "0123456789abcdef0123456789abcdef";
    let (nonce, associated_data) = ("0123456789ab", "transaction");
    let key = Apiv3Key::new(apiv3_key)?;
    let ciphertext = key.encrypt(b"plain", nonce, associated_data)?;
    let plaintext = key.decrypt(&ciphertext, nonce, associated_data)?;
    assert_eq!(plaintext, b"plain");
    let apiv2_key = "corpusApiv2Key0123456789abcdefgh";
    let key = Secret::from(hash::md5(apiv2_key));
    let ciphertext = aes_ecb::encrypt(b"<root/>", &key)?;
    assert_eq!(aes_ecb::decrypt(&ciphertext, &key)?, b"<root/>");
    Ok(())
}

#[test]
fn hashes() -> Outcome {
    let thing = "appid=wxd930ea5d5a258f4f&body=test";
    let (key, secret) = (&Secret::from("192006250b4c09247ec02edce69f6a2d"), &Secret::from("of the agent"));
    let digest = hash::md5(thing);
    let keyed = hash::sign(hash::MD5, thing, key)?.to_ascii_lowercase();
    let agency = hash::md5_agency(thing, secret); // for WeChat Work
    assert!(digest != keyed && keyed != agency);
    let digest = hash::hmac(thing, key);
    let md5 = hash::sign("MD5", thing, key)?;
    let sha256 = hash::sign("HMAC-SHA256", thing, key)?;
    assert!(hash::equals(&sha256, &digest.to_ascii_uppercase()));
    assert_eq!(md5.len(), 32);
    Ok(())
}

#[test]
fn formats() -> Outcome {
    let (mchid, serial) = ("1900000109", "3775B6A45ACD588826D15E583A95F5DDC0FFEE00");
    let (body, signature) = ("{}", "c2lnbmF0dXJl");
    let nonce = formatter::nonce()?; // 32 letters and digits
    let timestamp = formatter::timestamp();
    let header = formatter::authorization(
        mchid, &nonce, signature, timestamp, serial,
    );
    assert!(header.starts_with("WECHATPAY2-SHA256-RSA2048 mchid=\"1900000109\","));
    let signed: Vec<u8> = formatter::request(
        "POST", "/v3/pay/transactions/native", timestamp, &nonce,
        body.as_bytes(),
    );
    let covered: Vec<u8> = formatter::response(
        &timestamp.to_string(), &nonce, body.as_bytes(),
    );
    assert!(signed.starts_with(b"POST\n/v3") && covered.ends_with(b"\n{}\n"));
    let lines = formatter::joined_by_line_feed(["a", "b"]);
    assert_eq!(lines, "a\nb\n");
    let sorted = formatter::ksort([("b", "2"), ("a", "1"), ("sign", "")]);
    let pairs = formatter::query_string_like(sorted);
    assert_eq!(pairs, "a=1&b=2");
    Ok(())
}

#[test]
fn transformers() -> Outcome {
    let fields = transformer::to_array("<xml><a><![CDATA[1]]></a></xml>")?;
    assert_eq!(fields["a"], "1");
    let xml = transformer::to_xml(&json!({ "a": "1", "b": "x < y" }))?;
    assert_eq!(xml, "<xml><a>1</a><b><![CDATA[x < y]]></b></xml>");
    let clean = transformer::sanitize("a\u{8}b");
    assert_eq!(clean, "ab");
    Ok(())
}

#[test]
fn uploads() -> Outcome {
    let (sandbox, instance) = start();
    sandbox.stub("POST", "v3/things/upload", 200, json!({}));
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("licence.png");
    std::fs::write(&file, b"\x89PNG...")?;
    let media = Media::from_path(file)?; // or from_bytes, from_reader
    let response = instance.chain("v3/merchant/media/upload").post(media)?;
    println!("{}", response.field::<String>("media_id")?);
    let media = Media::from_bytes("licence.png", b"\x89PNG...".as_slice());
    let meta = json!({
        "file_name": "licence.png",
        "file_digest": media.sha256(),
    });
    let options = Options::new().media(media.meta(meta));
    instance.chain("v3/things/upload").post(options)?;
    Ok(())
}

#[test]
fn certificates() -> Outcome {
    let sandbox = Sandbox::start()?;
    let (settings, folder) = (sandbox.settings(), tempfile::tempdir()?);
    let certificate_file = &*file(&folder, "apiclient_cert.pem", &settings["merchant"]["cert"])?;
    let private_key_file = &*file(&folder, "apiclient_key.pem", &settings["privateKey"])?;
    let certificate = Certificate::from_pem(certificate_file)?;
    let serial = certificate.serial();
    let private_key = PrivateKey::from_pem(private_key_file)?;
    assert_eq!(serial.len(), 40);
    assert_eq!(private_key.public_key(), *certificate.public_key());

    sandbox.rotate_certificate()?;
    let instance = crate::support::by_certificate(&sandbox).build()?;
    // `wxpay certs` saves them; a client with apiv3_key downloads them itself.
    for certificate in instance.certificates()? {
        println!("{}\n{}", certificate.serial(), certificate.pem());
    }
    Ok(())
}

#[test]
fn errors() -> Outcome {
    let (sandbox, instance) = start();
    sandbox.stub("GET", "v3/moved", 302, json!({}));
    let order = instance.chain("v3/pay/transactions/id/{id}")
        .get(json!({ "id": "1", "query": { "mchid": "1900000109" } }));
    match order {
        Ok(response) => println!("{}", response.text()),
        Err(error) => match error.kind() {
            // InvalidArgumentException: nothing was sent.
            ErrorKind::Config | ErrorKind::Path | ErrorKind::Options => {
                eprintln!("{error}")
            }
            // ConnectException: nothing was sent.
            ErrorKind::Connect => eprintln!("{error}"),
            // ConnectException or RequestException: it may have been sent.
            ErrorKind::Timeout | ErrorKind::Transport => {
                eprintln!("query before retrying: {error}")
            }
            // ClientException, ServerException
            ErrorKind::ClientError | ErrorKind::ServerError => {
                let status = error.status().map(|status| status.as_u16());
                eprintln!("{status:?} {:?} {}", error.code(), error.message());
                if let Some(response) = error.response() {
                    eprintln!("{}", response.text());
                }
            }
            // RequestException with 'Verify the response's data with...'
            ErrorKind::Verification => eprintln!("{error}"),
            // TooManyRedirectsException and others
            _ => eprintln!("{error}"),
        },
    }
    sandbox.inject(Fault::from_name("bad-gateway")?);
    let outcome = instance.chain("v3/pay/transactions/id/{id}")
        .get(json!({ "id": "1" }))
        .map(|response| response.text().into_owned());
    if let Err(error) = &outcome {
        eprintln!("{error} {:?}", error.request_id());
    }
    assert_eq!(outcome.expect_err("502").kind(), ErrorKind::ServerError);
    Ok(())
}

#[test]
fn notifications() -> Outcome {
    let sandbox = Sandbox::start()?;
    let instance = sandbox.client_builder().apiv3_key(sandbox.apiv3_key()).build()?;
    let request = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &json!({ "out_trade_no": "1" }))?;
    let (headers, body) = (request.headers(), request.body());
    let reply = match instance.notifications()?.verify(headers, body) {
        Ok(notification) => {
            println!("{}", notification.resource()["out_trade_no"]);
            Reply::success()
        }
        Err(error) => Reply::to(&error),
    };
    assert_eq!(reply.status(), 204);
    Ok(())
}
