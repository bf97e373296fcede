//! Keys and certificates in every supported form, compared with `openssl`.

use std::io::Write;
use std::process::Command;

use crate::support::each_hint_names_its_condition;
use base64::prelude::{BASE64_STANDARD, Engine};
use wechatpay_chain::{Apiv3Key, Certificate, Error, PrivateKey, PublicKey, Secret};

/// A temporary folder with a key that `openssl` generated.
struct Keys(tempfile::TempDir);

impl Keys {
    /// `None` if openssl is not installed.
    fn generate() -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            let _ = writeln!(std::io::stderr(), "SKIPPED: no openssl on this machine");
            return None;
        }
        let keys = Keys(tempfile::tempdir().expect("folder"));
        keys.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem");
        Some(keys)
    }

    /// Runs openssl in the folder, with arguments that contain no spaces.
    fn openssl(&self, arguments: &str) -> Vec<u8> {
        let output =
            Command::new("openssl").args(arguments.split(' ')).current_dir(self.0.path()).output().expect("openssl");
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.path().join(name)).expect(name)
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).expect("text")
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.0.path().join(name), bytes).expect("written");
    }

    fn url(&self, name: &str) -> String {
        format!("file://{}", self.0.path().join(name).display())
    }
}

fn base64_of(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with("-----")).collect()
}

#[test]
fn private_keys_are_loaded_from_every_form() {
    let Some(keys) = Keys::generate() else { return };
    keys.openssl("rsa -in key.pem -traditional -out pkcs1.pem");
    keys.openssl("pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out pkcs8.der");
    keys.openssl("rsa -in key.pem -traditional -outform DER -out pkcs1.der");
    keys.openssl("pkcs8 -topk8 -v2 aes256 -in key.pem -passout pass:open-sesame -out locked.pem");
    let (pkcs8, pkcs1) = (keys.text("key.pem"), keys.text("pkcs1.pem"));
    keys.write("bare.txt", base64_of(&pkcs8));
    keys.write("bom.pem", format!("\u{feff}{}", pkcs8.replace('\n', "\r\n")));
    let key = PrivateKey::from_pem(&pkcs8).expect("PKCS#8");
    let public = key.public_key();
    let forms: Vec<(&str, Result<PrivateKey, Error>)> = vec![
        ("PKCS#1", PrivateKey::from_pem(&pkcs1)),
        ("file", PrivateKey::from_pem(&keys.url("pkcs1.pem"))),
        ("file of DER", PrivateKey::from_pem(&keys.url("pkcs8.der"))),
        ("file of base64", PrivateKey::from_pem(&keys.url("bare.txt"))),
        ("BOM and CRLF", PrivateKey::from_pem(&keys.url("bom.pem"))),
        ("DER PKCS#8", PrivateKey::from_der(&keys.read("pkcs8.der"))),
        ("DER PKCS#1", PrivateKey::from_der(&keys.read("pkcs1.der"))),
        ("base64 PKCS#8", PrivateKey::from_pem(&base64_of(&pkcs8))),
        ("base64 PKCS#1", PrivateKey::from_pem(&base64_of(&pkcs1))),
        ("scheme PKCS#8", PrivateKey::from_pem(&format!("private.pkcs8://{}", base64_of(&pkcs8)))),
        ("scheme PKCS#1", PrivateKey::from_pem(&format!("private.pkcs1://{}", base64_of(&pkcs1)))),
        ("one line", PrivateKey::from_pem(&pkcs8.replace('\n', ""))),
        ("backslash n", PrivateKey::from_pem(&pkcs8.replace('\n', "\\n"))),
        ("no last line feed", PrivateKey::from_pem(pkcs8.trim_end())),
        ("text around it", PrivateKey::from_pem(&format!("Bag Attributes\n  a: b\n{pkcs8}after"))),
        ("indented", PrivateKey::from_pem(&pkcs8.replace('\n', "\n    "))),
        ("passphrase", PrivateKey::from_encrypted_pem(&keys.url("locked.pem"), &Secret::from("open-sesame"))),
        ("passphrase not needed", PrivateKey::from_encrypted_pem(&pkcs8, &Secret::from("x"))),
    ];
    for (form, loaded) in forms {
        let signature = loaded.unwrap_or_else(|error| panic!("{form}: {error}")).sign(b"message").expect("signature");
        assert!(public.verify(b"message", &signature), "{form}");
    }
    let wrong = PrivateKey::from_encrypted_pem(&keys.url("locked.pem"), &Secret::from("open barley"))
        .expect_err("wrong passphrase");
    assert!(
        wrong.to_string().contains("passphrase of the private key is wrong") && !wrong.to_string().contains("barley"),
        "{wrong}"
    );
}

#[test]
fn public_keys_are_loaded_from_every_form() {
    let Some(keys) = Keys::generate() else { return };
    keys.openssl("rsa -in key.pem -pubout -out spki.pem");
    keys.openssl("rsa -in key.pem -RSAPublicKey_out -out pkcs1.pem");
    keys.openssl("rsa -in key.pem -pubout -outform DER -out spki.der");
    keys.openssl("req -x509 -key key.pem -subj /O=Tenpay.com/CN=Tenpay.com -days 30 -out cert.pem -set_serial 0x7132D72A03E93CDD");
    keys.openssl("x509 -in cert.pem -outform DER -out cert.der");
    let key = PrivateKey::from_pem(&keys.text("key.pem")).expect("key").public_key();
    let (spki, pkcs1, cert) = (keys.text("spki.pem"), keys.text("pkcs1.pem"), keys.text("cert.pem"));
    for (form, loaded) in [
        ("SPKI", PublicKey::from_pem(&spki)),
        ("PKCS#1", PublicKey::from_pem(&pkcs1)),
        ("certificate", PublicKey::from_pem(&cert)),
        ("file of DER", PublicKey::from_pem(&keys.url("spki.der"))),
        ("DER SPKI", PublicKey::from_der(&keys.read("spki.der"))),
        ("DER certificate", PublicKey::from_der(&keys.read("cert.der"))),
        ("base64 SPKI", PublicKey::from_pem(&base64_of(&spki))),
        ("base64 PKCS#1", PublicKey::from_pem(&base64_of(&pkcs1))),
        ("base64 certificate", PublicKey::from_pem(&base64_of(&cert))),
        ("scheme SPKI", PublicKey::from_pem(&format!("public.spki://{}", base64_of(&spki)))),
        ("scheme PKCS#1", PublicKey::from_pem(&format!("public.pkcs1://{}", base64_of(&pkcs1)))),
    ] {
        assert_eq!(loaded.unwrap_or_else(|error| panic!("{form}: {error}")), key, "{form}");
    }
    assert_eq!(key.spki(), keys.read("spki.der"), "PHP's pkcs1ToSpki");
}

#[test]
fn each_wrong_key_has_its_own_message() {
    let Some(keys) = Keys::generate() else { return };
    keys.openssl("rsa -in key.pem -pubout -out spki.pem");
    keys.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out short.pem");
    keys.openssl("rsa -in short.pem -pubout -out short-pub.pem");
    keys.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.pem");
    keys.openssl("ec -in ec.pem -out sec1.pem");
    keys.openssl("ec -in ec.pem -pubout -out ec-pub.pem");
    keys.openssl("rsa -in key.pem -traditional -aes256 -passout pass:x -out old.pem");
    keys.openssl("pkcs8 -topk8 -v2 aes256 -in key.pem -passout pass:x -out locked.pem");
    keys.openssl("req -x509 -key ec.pem -subj /CN=x -days 30 -out ec-cert.pem");
    keys.openssl("req -new -key key.pem -subj /CN=x -out request.pem");
    let private = |setting: &str| PrivateKey::from_pem(setting).expect_err(setting).to_string();
    let public = |setting: &str| PublicKey::from_pem(setting).expect_err(setting).to_string();
    let pem = keys.text("key.pem");
    let messages = [
        (private(&keys.url("spki.pem")), "a public key where the merchant's private key"),
        (private(&keys.url("short.pem")), "not an RSA private key"),
        (private(&keys.url("ec.pem")), "not an RSA private key"),
        (private(&keys.url("sec1.pem")), "elliptic-curve key"),
        (private(&keys.url("old.pem")), "old format"),
        (private(&keys.url("locked.pem")), "protected by a passphrase"),
        (private(&keys.url("request.pem")), "neither a key nor a certificate"),
        (private(&keys.url("missing.pem")), "cannot be read"),
        (private("file://"), "has no path after it"),
        (private(""), "it is empty"),
        (private("hunter2"), "it is not a private key"),
        (private("private.pkcs8://%%%"), "not base64"),
        (private(&pem.replace("-----END", "END")), "is truncated"),
        (private(&pem.replacen('M', "*", 1)), "not base64"),
        (private(&pem.replace("MII", "MIJ")), "not an RSA private key"),
        (public(&keys.url("key.pem")), "a private key where WeChat Pay's public key"),
        (public(&keys.url("short-pub.pem")), "has 1024 bits"),
        (public(&keys.url("ec-pub.pem")), "not an RSA public key"),
        (public(&keys.url("ec-cert.pem")), "not an RSA public key"),
        (Certificate::from_pem(&pem).expect_err("key").to_string(), "a private key where a certificate"),
        (Certificate::from_der(b"0\x00").expect_err("empty").to_string(), "neither an RSA key nor a certificate"),
        (PublicKey::from_der(b"").expect_err("empty").to_string(), "neither an RSA key nor a certificate"),
    ];
    for (message, _) in &messages {
        assert!(!message.contains("MII") && !message.contains("hunter2"), "{message}");
    }
    each_hint_names_its_condition(&messages.map(|(message, expected)| (expected, message)));
}

#[test]
fn openssl_verifies_signatures_and_its_signatures_are_verified() {
    let Some(keys) = Keys::generate() else { return };
    keys.openssl("rsa -in key.pem -pubout -out spki.pem");
    let key = PrivateKey::from_pem(&keys.url("key.pem")).expect("key");
    keys.write("message", "GET\n/v3/certificates\n1\nN\n\n");
    keys.write("ours", key.sign(&keys.read("message")).expect("signature"));
    let verified = keys.openssl("dgst -sha256 -verify spki.pem -signature ours message");
    assert_eq!(verified, b"Verified OK\n");
    let theirs = keys.openssl("dgst -sha256 -sign key.pem message");
    let public = PublicKey::from_pem(&keys.url("spki.pem")).expect("key");
    assert!(public.verify(&keys.read("message"), &theirs));
    assert!(!public.verify(b"another", &theirs));
    // RSA PKCS#1 v1.5 signatures are deterministic.
    assert_eq!(theirs, key.sign(&keys.read("message")).expect("signature"));
}

#[test]
fn openssl_decrypts_and_its_ciphertexts_are_decrypted() {
    let Some(keys) = Keys::generate() else { return };
    keys.openssl("rsa -in key.pem -pubout -out spki.pem");
    let key = PrivateKey::from_pem(&keys.url("key.pem")).expect("key");
    let public = PublicKey::from_pem(&keys.url("spki.pem")).expect("key");
    let oaep = "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha1 -pkeyopt rsa_mgf1_md:sha1";
    for text in ["13000000000", "", "张三·李四", &"x".repeat(214)] {
        keys.write("plain", text);
        keys.write(
            "ours",
            BASE64_STANDARD.decode(public.encrypt(text.as_bytes()).expect("encrypted")).expect("base64"),
        );
        assert_eq!(keys.openssl(&format!("pkeyutl -decrypt -inkey key.pem -in ours {oaep}")), text.as_bytes());
        let theirs = keys.openssl(&format!("pkeyutl -encrypt -pubin -inkey spki.pem -in plain {oaep}"));
        assert_eq!(key.decrypt(&BASE64_STANDARD.encode(theirs)).expect("decrypted"), text.as_bytes());
    }
    assert!(
        public.encrypt(&[b'x'; 215]).expect_err("too long").to_string().contains("215 bytes: RSA encrypts up to 214")
    );
    for text in ["", "张三", &"x".repeat(245)] {
        let ours = public.encrypt_pkcs1v15(text.as_bytes()).expect("encrypted");
        keys.write("ours", BASE64_STANDARD.decode(&ours).expect("base64"));
        let pkcs1 = "pkeyutl -decrypt -inkey key.pem -in ours -pkeyopt rsa_padding_mode:pkcs1";
        assert_eq!(keys.openssl(pkcs1), text.as_bytes());
        assert!(key.decrypt(&ours).is_err(), "not OAEP");
    }
    let error = public.encrypt_pkcs1v15(&[b'x'; 246]).expect_err("too long");
    assert!(error.to_string().contains("246 bytes: RSA encrypts up to 245"), "{error}");
    let other = PrivateKey::from_pem(&keys.text("key.pem")).expect("key");
    assert_eq!(other.decrypt(&public.encrypt(b"x").expect("encrypted")).expect("same key"), b"x");
    for wrong in ["", "%%%", "QUJD", &BASE64_STANDARD.encode([7; 256])] {
        assert!(key.decrypt(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn certificates_are_read_as_openssl_reads_them() {
    let Some(keys) = Keys::generate() else { return };
    for (serial, shown) in [
        ("0x7132D72A03E93CDD", "7132D72A03E93CDD"),
        ("0xF132D72A03E93CDD", "F132D72A03E93CDD"),
        ("1", "01"),
        ("0x0A0B", "0A0B"),
    ] {
        keys.openssl(&format!("req -x509 -key key.pem -subj /O=微信商户系统/CN=1900000109 -utf8 -days 30 -out cert.pem -set_serial {serial}"));
        let openssl = String::from_utf8(keys.openssl("x509 -in cert.pem -noout -serial")).expect("text");
        let certificate = Certificate::from_pem(&keys.url("cert.pem")).expect("certificate");
        assert_eq!(certificate.serial(), shown);
        assert_eq!(format!("serial={}\n", certificate.serial()), openssl);
        assert_eq!(certificate.common_name(), Some("1900000109"));
        // The merchant's certificate is not accepted as a platform key.
        let builder = wechatpay_chain::Client::builder()
            .mchid("1900000109")
            .serial("1")
            .platform_key(certificate.serial(), &certificate);
        let other = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("key");
        let der = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&other).expect("der");
        let refused =
            builder.private_key(PrivateKey::from_der(der.as_ref()).expect("key")).build().expect_err("the merchant's");
        assert!(refused.to_string().contains("the merchant's own key or certificate"), "{refused}");
        assert!(certificate.subject().contains("1900000109"), "{}", certificate.subject());
        let now = std::time::SystemTime::now();
        assert!(certificate.is_valid_at(now));
        let month = std::time::Duration::from_secs(31 * 86_400);
        assert!(!certificate.is_valid_at(now + month) && !certificate.is_valid_at(now - month));
        assert_eq!(
            certificate.not_after().duration_since(certificate.not_before()).expect("order").as_secs(),
            30 * 86_400
        );
        assert_eq!(certificate.public_key(), &PrivateKey::from_pem(&keys.url("key.pem")).expect("key").public_key());
    }
}

#[test]
fn the_apiv3_key_decrypts_what_it_encrypted_and_nothing_else() {
    // Test case 14 of the GCM specification.
    let zeros = Apiv3Key::new(vec![0; 32]).expect("key");
    let ciphertext =
        BASE64_STANDARD.decode(zeros.encrypt(&[0; 16], &"\0".repeat(12), "").expect("encrypted")).expect("base64");
    let hex: String = ciphertext.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
    let key = Apiv3Key::new("0123456789abcdef0123456789abcdef").expect("key");
    let ciphertext = key.encrypt("中 text".as_bytes(), "0123456789ab", "certificate").expect("encrypted");
    assert_eq!(key.decrypt(&ciphertext, "0123456789ab", "certificate").expect("decrypted"), "中 text".as_bytes());
    let empty = key.encrypt(b"", "0123456789ab", "").expect("encrypted");
    assert_eq!(key.decrypt(&empty, "0123456789ab", "").expect("decrypted"), b"");
    let wrong_key = "compare the key with the one on the merchant platform";
    let rows = [
        (wrong_key, ciphertext.as_str(), "0123456789ab", "transaction"),
        (wrong_key, &ciphertext, "0123456789ac", "certificate"),
        ("has 5 bytes and needs 12: give it as it was received", &ciphertext, "short", "certificate"),
        (wrong_key, &ciphertext[4..], "0123456789ab", "certificate"),
        (wrong_key, "", "0123456789ab", "certificate"),
        ("is not base64: give it as it was received", "%%", "0123456789ab", "certificate"),
    ];
    let rows = rows
        .map(|(hint, ciphertext, nonce, aad)| (hint, key.decrypt(ciphertext, nonce, aad).expect_err(hint).to_string()));
    each_hint_names_its_condition(&rows);
    let other = Apiv3Key::new("another key of thirty-two bytes!").expect("key");
    assert!(other.decrypt(&ciphertext, "0123456789ab", "certificate").is_err());
    assert!(key.encrypt(b"", "short", "").is_err());
    let short = Apiv3Key::new("too short, s3cret").expect_err("short").to_string();
    assert!(short.contains("has 17 bytes and needs 32") && !short.contains("s3cret"), "{short}");
    assert!(!format!("{key:?}").contains("0123"));
}

/// An element of DER.
fn element(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let contents = contents.concat();
    let length = contents.len();
    let head = match length {
        0..=127 => vec![tag, length as u8],
        128..=255 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [head, contents].concat()
}

/// An INTEGER. A number whose first bit is set gets a zero byte.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let zero: &[u8] = if bytes[0] >= 0x80 { &[0] } else { &[] };
    element(2, &[zero, bytes])
}

/// A public key with a modulus of so many bits, in PKCS#1.
fn public_key(bits: usize, last: u8, exponent: &[u8]) -> Vec<u8> {
    let mut modulus = vec![0xA5; bits.div_ceil(8)];
    modulus[0] = 0xFF >> (modulus.len() * 8 - bits);
    *modulus.last_mut().expect("a byte") = last;
    element(0x30, &[&integer(&modulus), &integer(exponent)])
}

#[test]
fn public_keys_that_verify_nothing_or_anything_are_refused() {
    let huge = [0xFF; 256];
    let spki_of = |pkcs1: &[u8]| {
        let algorithm = element(0x30, &[b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"]);
        element(0x30, &[&algorithm, &element(3, &[&[0], pkcs1])])
    };
    let outcome = |der: &[u8], label: &str| {
        let pem = format!("-----BEGIN {label}-----{}-----END {label}-----", BASE64_STANDARD.encode(der));
        let from_der = PublicKey::from_der(der).map(|_| ()).map_err(|error| error.to_string());
        let built = wechatpay_chain::Client::builder()
            .mchid("1900000109")
            .secret("0123456789abcdef0123456789abcdef")
            .platform_key("PUB_KEY_ID_1", pem)
            .serial("A1")
            .private_key(aws_key())
            .build();
        assert_eq!(from_der.is_ok(), built.is_ok(), "{built:?}");
        built.map(|_| ()).map_err(|error| error.to_string())
    };
    for (bits, last, exponent, expected) in [
        (2048, 0xA5, &[3][..], None),
        (2048, 0xA5, &[1, 0, 1], None),
        (2048, 0xA5, &[1, 0xFF, 0xFF, 0xFF, 0xFF], None),
        (8192, 0xA5, &[1, 0, 1], None),
        (2048, 0xA5, &[0], Some("its exponent is not")),
        (2048, 0xA5, &[1], Some("its exponent is not")),
        (2048, 0xA5, &[2], Some("its exponent is not")),
        (2048, 0xA5, &[1, 0, 0], Some("its exponent is not")),
        (2048, 0xA5, &[2, 0, 0, 0, 1], Some("its exponent is not")),
        (2048, 0xA5, &huge, Some("its exponent is not")),
        (2048, 0xA4, &[1, 0, 1], Some("its modulus is even")),
        (1024, 0xA5, &[1, 0, 1], Some("has 1024 bits")),
        (2047, 0xA5, &[1, 0, 1], Some("has 2047 bits")),
        (8193, 0xA5, &[1, 0, 1], Some("has 8193 bits")),
        (16_384, 0xA5, &[1, 0, 1], Some("has 16384 bits")),
    ] {
        let pkcs1 = public_key(bits, last, exponent);
        for (der, label) in [(spki_of(&pkcs1), "PUBLIC KEY"), (pkcs1, "RSA PUBLIC KEY")] {
            let outcome = outcome(&der, label);
            let is_expected = match expected {
                None => outcome.is_ok(),
                Some(message) => outcome.as_ref().is_err_and(|error| error.contains(message)),
            };
            assert!(is_expected, "{bits} bits, {last:x}, {exponent:?}, {label}: {outcome:?}");
        }
    }
    let negative = element(0x30, &[&element(2, &[&[0xA5; 256]]), &integer(&[3])]);
    assert!(outcome(&negative, "RSA PUBLIC KEY").is_err_and(|error| error.contains("is damaged")));
}

/// A generated private key.
fn aws_key() -> PrivateKey {
    let key = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("key");
    let der = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&key).expect("der");
    PrivateKey::from_der(der.as_ref()).expect("key")
}

#[test]
fn an_encrypted_key_that_takes_too_long_to_decrypt_is_refused_at_once() {
    let pbkdf2 = |iterations: &[u8]| {
        let prf = element(0x30, &[b"\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x09\x05\x00"]);
        let parameters = element(0x30, &[&element(4, &[&[7; 8]]), &integer(iterations), &prf]);
        element(0x30, &[b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c", &parameters])
    };
    let scrypt = |n: &[u8], r: &[u8], p: &[u8]| {
        let parameters = element(0x30, &[&element(4, &[&[7; 8]]), &integer(n), &integer(r), &integer(p)]);
        element(0x30, &[b"\x06\x09\x2b\x06\x01\x04\x01\xda\x47\x04\x0b", &parameters])
    };
    let encrypted = |kdf: Vec<u8>| {
        let cipher = element(0x30, &[b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2a", &element(4, &[&[7; 16]])]);
        let scheme = element(0x30, &[&kdf, &cipher]);
        let algorithm = element(0x30, &[b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d", &scheme]);
        let der = element(0x30, &[&algorithm, &element(4, &[&[7; 1216]])]);
        format!(
            "-----BEGIN ENCRYPTED PRIVATE KEY-----{}-----END ENCRYPTED PRIVATE KEY-----",
            BASE64_STANDARD.encode(der)
        )
    };
    for (name, kdf, expected) in [
        ("2,048 iterations", pbkdf2(&[8, 0]), "the passphrase of the private key is wrong"),
        ("scrypt of openssl", scrypt(&[0x40, 0], &[8], &[1]), "the passphrase of the private key is wrong"),
        ("10,000,001 iterations", pbkdf2(&[0x98, 0x96, 0x81]), "iteration count"),
        ("100,000,000 iterations", pbkdf2(&[5, 0xF5, 0xE1, 0]), "iteration count"),
        ("2^32 - 1 iterations", pbkdf2(&[0xFF; 4]), "iteration count"),
        ("scrypt, N = 2^24", scrypt(&[1, 0, 0, 0], &[8], &[1]), "iteration count"),
        ("scrypt, N = 0", scrypt(&[0], &[8], &[1]), "iteration count"),
        ("scrypt, N = 1, r = p = 65,535", scrypt(&[1], &[0xFF, 0xFF], &[0xFF, 0xFF]), "iteration count"),
    ] {
        let started = std::time::Instant::now();
        let error = PrivateKey::from_encrypted_pem(&encrypted(kdf), &Secret::from("x")).expect_err(name);
        assert!(error.to_string().contains(expected), "{name}: {error}");
        assert!(started.elapsed() < std::time::Duration::from_secs(5), "{name}: {:?}", started.elapsed());
    }
}
