//! Every setting that is a key or a certificate, in every spelling.
//!
//! One table: a spelling, and whether all settings read it or refuse it with a message.

use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::json;
use wechatpay_chain::sandbox::Sandbox;
use wechatpay_chain::{Certificate, Client, Error, PrivateKey, PublicKey, Secret};

use crate::support::sandbox;

/// A key or a certificate, and another section that may be in the same text.
struct Material {
    label: &'static str,
    der: Vec<u8>,
    /// The same key in the other format, with that format's label.
    alternative: (&'static str, Vec<u8>),
    /// The scheme of the PHP SDK. There is none for certificates.
    scheme: &'static str,
    other: String,
}

impl Material {
    fn pem(&self) -> String {
        pem(self.label, &self.der)
    }

    fn base64(&self) -> String {
        BASE64_STANDARD.encode(&self.der)
    }

    /// The PEM with other line breaks.
    fn with_breaks(&self, line_break: &str) -> String {
        self.pem().replace('\n', line_break)
    }

    /// The PEM with `inserted` near the beginning of its base64.
    fn with(&self, inserted: &str) -> String {
        self.pem().replacen("MII", &format!("MII{inserted}"), 1)
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn der(pem: &str) -> Vec<u8> {
    let lines: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    BASE64_STANDARD.decode(lines).expect("base64")
}

/// The value of a setting whose file is in `folder`.
type Spell = fn(&Material, &Path) -> String;

enum Expected {
    Read,
    /// The error contains this text.
    Refused(&'static str),
    /// Refused, except by the settings that take plain paths: Guzzle's `cert` and `ssl_key`.
    RefusedExceptByPath(&'static str),
}
use Expected::{Read, Refused, RefusedExceptByPath};

fn file(folder: &Path, name: &str, contents: impl AsRef<[u8]>) -> String {
    std::fs::write(folder.join(name), contents).expect("written");
    format!("file://{}", folder.join(name).display())
}

const SPELLINGS: &[(&str, Expected, Spell)] = &[
    ("PEM", Read, |m, _| m.pem()),
    ("CRLF", Read, |m, _| m.with_breaks("\r\n")),
    ("CR", Read, |m, _| m.with_breaks("\r")),
    ("one line", Read, |m, _| m.with_breaks("")),
    ("spaces for line breaks", Read, |m, _| m.with_breaks(" ")),
    ("literal \\n", Read, |m, _| m.with_breaks("\\n")),
    ("literal \\r\\n", Read, |m, _| m.with_breaks("\\r\\n")),
    ("byte order mark", Read, |m, _| format!("\u{feff}{}", m.pem())),
    ("indented with spaces", Read, |m, _| m.with_breaks("\n    ")),
    ("indented with tabs", Read, |m, _| format!("\t{}", m.with_breaks("\n\t"))),
    ("blank lines around it", Read, |m, _| format!("\n\n{}\n\n", m.pem())),
    ("blank lines in it", Read, |m, _| m.with_breaks("\n\n")),
    ("no line break at the end", Read, |m, _| m.pem().trim_end().to_owned()),
    ("invisible characters", Read, |m, _| m.with("\u{200b}\u{a0}\u{feff}")),
    ("bag attributes", Read, |m, _| {
        format!("Bag Attributes\n    localKeyID: 01\nKey Attributes: <No Attributes>\n{}", m.pem())
    }),
    ("text after it", Read, |m, _| format!("{}end of file", m.pem())),
    ("quotation marks around PEM", Read, |m, _| format!("\"{}\"", m.pem())),
    ("other section before it", Read, |m, _| format!("{}{}", m.other, m.pem())),
    ("other section after it", Read, |m, _| format!("{}{}", m.pem(), m.other)),
    ("other section before it, one line", Read, |m, _| format!("{}{}", m.other, m.pem()).replace('\n', "")),
    ("damaged section of another kind before it", Read, |m, _| {
        format!("{}{}", m.other.replacen("MII", "*", 1), m.pem())
    }),
    ("EC PARAMETERS before it", Read, |m, _| format!("{}{}", pem("EC PARAMETERS", &[6, 1, 42]), m.pem())),
    ("two of its kind", Read, |m, _| format!("{0}{0}", m.pem())),
    ("other format", Read, |m, _| pem(m.alternative.0, &m.alternative.1)),
    ("label of the other format", Read, |m, _| pem(m.alternative.0, &m.der)),
    ("label without spaces", Read, |m, _| m.pem().replace(' ', "")),
    ("bare base64", Read, |m, _| m.base64()),
    ("bare base64 in lines", Read, |m, _| {
        m.pem().lines().filter(|line| !line.starts_with('-')).collect::<Vec<_>>().join("\n")
    }),
    ("bare base64, literal \\n", Read, |m, _| m.base64().replacen("MII", "MII\\n", 1)),
    ("bare base64, CRLF", Read, |m, _| m.base64().replacen("MII", "MII\r\n", 1)),
    ("bare base64, byte order mark", Read, |m, _| format!("\u{feff}{}", m.base64())),
    ("bare base64 without padding", Read, |m, _| m.base64().trim_end_matches('=').to_owned()),
    ("scheme", Read, |m, _| format!("{}{}", m.scheme, m.base64())),
    ("file of PEM", Read, |m, f| file(f, "a.pem", m.pem())),
    ("file of PEM, URL in capitals, with spaces", Read, |m, f| {
        file(f, "b.pem", m.pem()).replace("file", " FILE") + "\n"
    }),
    ("file of PEM, byte order mark, CRLF", Read, |m, f| file(f, "c.pem", format!("\u{feff}{}", m.with_breaks("\r\n")))),
    ("file of one line", Read, |m, f| file(f, "d.pem", m.with_breaks(""))),
    ("file with another section before it", Read, |m, f| file(f, "e.pem", format!("{}{}", m.other, m.pem()))),
    ("file of DER", Read, |m, f| file(f, "a.der", &m.der)),
    ("file of base64", Read, |m, f| file(f, "a.txt", m.base64())),
    ("file with GBK text around it", Read, |m, f| {
        file(f, "f.pem", [b"\xd6\xa7\xb8\xb6\n", m.pem().as_bytes()].concat())
    }),
    ("plain path", RefusedExceptByPath("it is the path of a file: write file:///"), |m, f| {
        file(f, "g.pem", m.pem()).replace("file://", "")
    }),
    ("line breaks escaped twice", Refused("escaped twice"), |m, _| m.with_breaks("\\\\n")),
    ("slashes escaped as in JSON", Refused("escaped as in JSON"), |m, _| m.with("\\/")),
    ("plus signs escaped as in JSON", Refused("escaped as in JSON"), |m, _| m.with("\\u002B")),
    ("percent-encoded", Refused("percent-encoded"), |m, _| m.with("%2B")),
    ("percent-encoded, also its label", Refused("percent-encoded"), |m, _| {
        m.pem().replace(' ', "%20").replace('\n', "%0A")
    }),
    ("percent-encoded as in a form", Refused("percent-encoded"), |m, _| m.pem().replace(' ', "+")),
    ("bare base64, percent-encoded", Refused("percent-encoded"), |m, _| m.base64().replacen("MII", "MII%2b", 1)),
    ("HTML line breaks", Refused("line breaks are HTML"), |m, _| m.with_breaks("<br>")),
    ("HTML line breaks, closed", Refused("line breaks are HTML"), |m, _| m.with_breaks("<BR/>\n")),
    ("HTML entities", Refused("line breaks are HTML"), |m, _| m.with_breaks("&#10;")),
    ("quotation marks around base64", Refused("quotation marks"), |m, _| format!("\"{}\"", m.base64())),
    ("quotation marks around lines", Refused("quotation marks"), |m, _| m.with_breaks("\" +\n\"")),
    ("dashes for hyphens", Refused("replaced by dashes"), |m, _| m.pem().replace("-----", "\u{2014}\u{2014}-")),
    ("PEM in base64", Refused("PEM that was encoded in base64"), |m, _| BASE64_STANDARD.encode(m.pem())),
    ("no line END", Refused("is truncated: its line -----END"), |m, _| m.pem().replace("-----END", "")),
    ("no line BEGIN", Refused("is truncated: its line -----BEGIN"), |m, _| m.pem().replace("-----BEGIN", "")),
    ("a character that is not base64", Refused("is not base64"), |m, _| m.with("*")),
    ("file with line breaks escaped twice", Refused("escaped twice"), |m, f| file(f, "h.pem", m.with_breaks("\\\\n"))),
    ("file in UTF-16", Refused("it is UTF-16 text"), |m, f| {
        file(f, "i.pem", format!("\u{feff}{}", m.pem()).encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>())
    }),
    ("file in PKCS#12", Refused("it is PKCS#12"), |_, f| file(f, "a.p12", [0x30, 0x82, 0x0a, 0x30, 2, 1, 3, 0x30])),
    ("missing file", Refused("/missing.pem cannot be read"), |_, f| format!("file://{}/missing.pem", f.display())),
    ("missing file, plain path", Refused("/missing.pem cannot be read"), |_, f| format!("{}/missing.pem", f.display())),
    ("missing file, plain path without extension", Refused("/missing_file cannot be read"), |_, f| {
        format!("{}/missing_file", f.display())
    }),
    ("missing file, relative path", Refused("the file ./no/such/key cannot be read"), |_, _| {
        "./no/such/key".to_owned()
    }),
    ("missing file, name", Refused("the file no-such-file.pem cannot be read"), |_, _| "no-such-file.pem".to_owned()),
    ("missing file, path of Windows", Refused("the file Z:\\no\\such.key cannot be read"), |_, _| {
        "Z:\\no\\such.key".to_owned()
    }),
    ("folder", Refused("cannot be read"), |_, f| format!("file://{}", f.display())),
    ("PEM after file://", Refused("give PEM text without file://"), |m, _| format!("file://{}", m.pem())),
    ("base64 after file://", Refused("give PEM text without file://"), |m, _| format!("file://{}", m.base64())),
    ("a line of base64 after file://", Refused("the file *** cannot be read"), |m, _| {
        format!("file://{}", &m.base64()[..64])
    }),
    ("section of another kind", Refused(" where "), |m, _| m.other.clone()),
    ("certificate request", Refused("neither a key nor a certificate"), |_, _| pem("CERTIFICATE REQUEST", &[0x30, 0])),
    ("elliptic-curve key", Refused(" key"), |_, _| pem("EC PRIVATE KEY", &[0x30, 0])),
    ("empty text", Refused("it is empty: is the environment variable set?"), |_, _| String::new()),
    ("noise", Refused("-----BEGIN"), |_, _| "hunter2".to_owned()),
];

type Set<'a> = Box<dyn Fn(&str) -> Result<(), Error> + 'a>;

/// A setting: its name, its material, whether it takes a plain path, and how it is made.
struct Setting<'a> {
    name: &'static str,
    material: &'a Material,
    takes_paths: bool,
    set: Set<'a>,
}

fn settings<'a>(
    sandbox: &'a Sandbox,
    [private, public, platform, merchant]: [&'a Material; 4],
    serial: &'a str,
) -> Vec<Setting<'a>> {
    fn done<T>(outcome: Result<T, Error>) -> Result<(), Error> {
        outcome.map(|_| ())
    }
    let factory = move |pointer: &'static str, id: &str, value: &str| {
        let mut settings = sandbox.settings();
        match pointer {
            "certs" => settings["certs"] = json!({ id: value }),
            "cert" | "key" => settings["merchant"][pointer] = json!(value),
            _ => settings[pointer] = json!(value),
        }
        done(Client::factory(settings))
    };
    let (cert_pem, key_pem) = (merchant.pem(), private.pem());
    let setting = |name, material, set: Set<'a>| Setting { name, material, takes_paths: false, set };
    let path_setting = |name, material, set: Set<'a>| Setting { name, material, takes_paths: true, set };
    vec![
        setting("private_key", private, Box::new(|text| done(sandbox.client_builder().private_key(text).build()))),
        setting("privateKey", private, Box::new(move |text| factory("privateKey", "", text))),
        setting("PrivateKey::from_pem", private, Box::new(|text| done(PrivateKey::from_pem(text)))),
        setting(
            "PrivateKey::from_encrypted_pem",
            private,
            Box::new(|text| done(PrivateKey::from_encrypted_pem(text, &Secret::from("x")))),
        ),
        setting(
            "platform_key, public key",
            public,
            Box::new(|text| done(sandbox.client_builder().platform_key("PUB_KEY_ID_1", text).build())),
        ),
        setting("certs, public key", public, Box::new(move |text| factory("certs", "PUB_KEY_ID_1", text))),
        setting("PublicKey::from_pem", public, Box::new(|text| done(PublicKey::from_pem(text)))),
        setting(
            "platform_key, certificate",
            platform,
            Box::new(move |text| done(sandbox.client_builder().platform_key(serial, text).build())),
        ),
        setting("certs, certificate", platform, Box::new(move |text| factory("certs", serial, text))),
        setting("Certificate::from_pem", platform, Box::new(|text| done(Certificate::from_pem(text)))),
        setting(
            "merchant_certificate, certificate",
            merchant,
            Box::new(move |text| done(sandbox.client_builder().merchant_certificate(text, &key_pem).build())),
        ),
        setting(
            "merchant_certificate, key",
            private,
            Box::new(move |text| done(sandbox.client_builder().merchant_certificate(&cert_pem, text).build())),
        ),
        path_setting("merchant.cert", merchant, Box::new(move |text| factory("cert", "", text))),
        path_setting("merchant.key", private, Box::new(move |text| factory("key", "", text))),
        setting(
            "root_certificate, builder",
            platform,
            Box::new(|text| done(sandbox.client_builder().root_certificate(text).build())),
        ),
        setting("root_certificate, factory", platform, Box::new(move |text| factory("root_certificate", "", text))),
    ]
}

#[test]
fn every_setting_reads_or_refuses_every_spelling_alike() {
    let sandbox = sandbox();
    let map = sandbox.settings();
    let text = |pointer: &str| map.pointer(pointer).and_then(|pem| pem.as_str()).expect("PEM").to_owned();
    let pkcs8 = der(&text("/merchant/key"));
    let spki = sandbox.platform_key().spki();
    let issued = sandbox.rotate_certificate().expect("certificate");
    let merchant = der(&text("/merchant/cert"));
    // The headers of PKCS#8 and SPKI of RSA keys of 2048 bits are 26 and 24 bytes long.
    let (pkcs1, public_pkcs1) = (pkcs8[26..].to_vec(), spki[24..].to_vec());
    let (key, cert) = (pem("PRIVATE KEY", &pkcs8), pem("CERTIFICATE", &merchant));
    let material = |label, der: &[u8], alternative: (&'static str, &[u8]), scheme, other: &str| Material {
        label,
        der: der.to_vec(),
        alternative: (alternative.0, alternative.1.to_vec()),
        scheme,
        other: other.to_owned(),
    };
    let private = material("PRIVATE KEY", &pkcs8, ("RSA PRIVATE KEY", &pkcs1), "private.pkcs8://", &cert);
    let public = material("PUBLIC KEY", &spki, ("RSA PUBLIC KEY", &public_pkcs1), "public.spki://", &key);
    let platform = material("CERTIFICATE", issued.der(), ("X509 CERTIFICATE", issued.der()), "", &key);
    let merchant = material("CERTIFICATE", &merchant, ("TRUSTED CERTIFICATE", &merchant), "", &key);
    let folder = tempfile::tempdir().expect("folder");

    let (mut cells, mut wrong) = (0, Vec::new());
    for setting in settings(&sandbox, [&private, &public, &platform, &merchant], issued.serial()) {
        for (spelling, expected, spell) in SPELLINGS {
            cells += 1;
            let value = spell(setting.material, folder.path());
            let outcome = (setting.set)(&value);
            let is_expected = match (expected, &outcome) {
                (Read, Ok(())) => true,
                (RefusedExceptByPath(_), Ok(())) => setting.takes_paths,
                (Refused(message) | RefusedExceptByPath(message), Err(error)) => error.to_string().contains(message),
                _ => false,
            };
            let shown = outcome.as_ref().err().map(|error| format!("{error} {error:?}")).unwrap_or_default();
            if !is_expected || shown.contains("MII") {
                wrong.push(format!("{}, {spelling}: {outcome:?}", setting.name));
            }
        }
    }
    assert!(cells > 1000, "{cells}");
    assert!(wrong.is_empty(), "{} of {cells} are not as expected:\n{}", wrong.len(), wrong.join("\n"));
}
