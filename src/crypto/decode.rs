//! From the text of a setting to the bytes of a key: files, PEM however it was pasted, PHP's schemes, bare base64, DER.

use std::path::Path;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_cert::der::asn1::{AnyRef, UintRef};
use x509_cert::der::{Decode, Header, Reader, SliceReader, Tag, Tagged};
use zeroize::Zeroizing;

use crate::error::Error;

/// Pasted keys lose their padding now and then.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes of a key or certificate, named by what they are.
#[derive(Debug)]
pub(crate) enum Der {
    Pkcs8(Zeroizing<Vec<u8>>),
    #[cfg_attr(not(feature = "passphrase"), allow(dead_code, reason = "recognised, but not opened"))]
    EncryptedPkcs8(Vec<u8>),
    Pkcs1(Zeroizing<Vec<u8>>),
    Spki(Vec<u8>),
    Pkcs1Public(Vec<u8>),
    Certificate(Vec<u8>),
}

impl Der {
    /// What it is, for the message that says it is the wrong thing.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Der::Pkcs8(_) | Der::Pkcs1(_) | Der::EncryptedPkcs8(_) => "a private key",
            Der::Spki(_) | Der::Pkcs1Public(_) => "a public key",
            Der::Certificate(_) => "a certificate",
        }
    }
}

/// Reads a setting. No error shows any of the text but a path.
///
/// ```text
/// file:///path/to/the.pem                a file of PEM, base64 or DER
/// -----BEGIN ... KEY-----                PEM, with line feeds or without, CRLF, a BOM, text around it
/// private.pkcs8://MIIE...                base64 of what the scheme names, as in PHP: private.pkcs1, private.pkcs8,
///                                        public.pkcs1, public.spki
/// MIIE...                                base64 of anything
/// ```
pub(crate) fn text(setting: &str) -> Result<Der, Error> {
    if let Some(path) = setting.trim().strip_prefix("file://") {
        return file(Path::new(path));
    }
    parse(setting.as_bytes())
}

/// Reads DER.
pub(crate) fn der(bytes: &[u8]) -> Result<Der, Error> {
    sniff(bytes).ok_or_else(|| Error::config("the DER is neither an RSA key nor a certificate, or it is damaged"))
}

/// PKCS#12 is a SEQUENCE that begins with the version, 3.
fn is_pkcs12(bytes: &[u8]) -> bool {
    matches!(bytes, [0x30, 0x82, _, _, 0x02, 0x01, 0x03, ..])
}

fn file(path: &Path) -> Result<Der, Error> {
    let text = path.to_string_lossy();
    if text.contains("-----BEGIN") || text.contains('\n') {
        // Whatever it is, it is no path, and a key must not be shown.
        return Err(Error::config("what follows file:// is no path: give PEM text without file://"));
    }
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|source| {
        if text.len() > 255 || text.contains("://") {
            // Longer than most paths, and as long as keys are.
            return Error::config("what follows file:// is no path that can be read: give PEM text without file://");
        }
        Error::config(format!("the file {shown} cannot be read ({source}): give an existing file as file:///path"))
            .with_source(source)
    })?;
    let bytes = Zeroizing::new(bytes);
    if is_pkcs12(&bytes) {
        return Err(Error::config(format!(
            "the file {shown} is PKCS#12: take the key out of it, openssl pkcs12 -in apiclient_cert.p12 -nodes -nocerts -out apiclient_key.pem"
        )));
    }
    // Text and DER are told apart by the first byte: a DER structure is a SEQUENCE.
    let read =
        if bytes.first() == Some(&0x30) && std::str::from_utf8(&bytes).is_err() { der(&bytes) } else { parse(&bytes) };
    read.map_err(|error| Error::config(format!("the file {shown}: {}", error.message())))
}

fn parse(bytes: &[u8]) -> Result<Der, Error> {
    let trimmed = std::str::from_utf8(bytes).unwrap_or_default().trim();
    if trimmed.len() < 1024 && Path::new(trimmed).is_file() {
        return Err(Error::config(format!("it is the path of a file: write file://{trimmed}")));
    }
    let nothing = || {
        Error::config(
            "it is no key: give PEM, which begins with a line such as -----BEGIN PRIVATE KEY-----, its base64 alone, or \
             file:///path/to/the.pem",
        )
    };
    let text = std::str::from_utf8(bytes).map_err(|_| nothing())?;
    if text.contains("-----BEGIN ") {
        return pem(text);
    }
    let text = text.trim_start_matches('\u{feff}').trim();
    for (scheme, make) in SCHEMES {
        if let Some(rest) = text.strip_prefix(scheme) {
            let bytes = decode(rest).ok_or_else(|| Error::config(format!("what follows {scheme} is no base64")))?;
            return Ok(make(bytes));
        }
    }
    sniff(&decode(text).ok_or_else(nothing)?).ok_or_else(nothing)
}

type Make = fn(Zeroizing<Vec<u8>>) -> Der;

/// PHP's schemes.
const SCHEMES: [(&str, Make); 4] = [
    ("private.pkcs1://", Der::Pkcs1),
    ("private.pkcs8://", Der::Pkcs8),
    ("public.pkcs1://", |bytes| Der::Pkcs1Public(bytes.to_vec())),
    ("public.spki://", |bytes| Der::Spki(bytes.to_vec())),
];

/// The first section that is a key or a certificate. Written here because keys reach settings through forms and variables that
/// take the line feeds out, which PEM libraries do not read.
fn pem(text: &str) -> Result<Der, Error> {
    let mut sections = text.split("-----BEGIN ").skip(1);
    sections.find_map(section).unwrap_or_else(|| Err(Error::config("it is PEM, but neither a key nor a certificate")))
}

fn section(section: &str) -> Option<Result<Der, Error>> {
    let (label, rest) = section.split_once("-----")?;
    let make: Make = match label {
        "PRIVATE KEY" => Der::Pkcs8,
        "RSA PRIVATE KEY" => Der::Pkcs1,
        "ENCRYPTED PRIVATE KEY" => |bytes| Der::EncryptedPkcs8(bytes.to_vec()),
        "PUBLIC KEY" => |bytes| Der::Spki(bytes.to_vec()),
        "RSA PUBLIC KEY" => |bytes| Der::Pkcs1Public(bytes.to_vec()),
        "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => |bytes| Der::Certificate(bytes.to_vec()),
        "EC PRIVATE KEY" => {
            return Some(Err(Error::config("it is a key for elliptic curves: WeChat Pay uses RSA of 2048 bits")));
        }
        _ => return None,
    };
    if rest.contains("Proc-Type:") {
        return Some(Err(Error::config(
            "the key is encrypted in OpenSSL's old format: turn it into PKCS#8, openssl pkcs8 -topk8 -in old.pem -out new.pem",
        )));
    }
    let Some((body, _)) = rest.split_once("-----END ") else {
        return Some(Err(Error::config(format!("the PEM breaks off: the line -----END {label}----- is missing"))));
    };
    // Variables of the environment have the line feeds as backslash and n now and then.
    let body = Zeroizing::new(body.replace("\\n", "").replace("\\r", ""));
    let bytes =
        decode(&body).ok_or_else(|| Error::config(format!("the text between BEGIN and END {label} is no base64")));
    Some(bytes.map(make))
}

fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let compact: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !c.is_whitespace()).collect());
    let bytes = BASE64.decode(compact.as_bytes()).ok()?;
    (!bytes.is_empty()).then(|| Zeroizing::new(bytes))
}

/// What a DER structure is, by its first elements.
///
/// ```text
/// SEQUENCE { SEQUENCE { OID ... }, BIT STRING }             SPKI
/// SEQUENCE { SEQUENCE { OID ... }, OCTET STRING }           PKCS#8, encrypted
/// SEQUENCE { SEQUENCE { ... }, SEQUENCE, BIT STRING }       X.509
/// SEQUENCE { INTEGER, SEQUENCE, OCTET STRING }              PKCS#8
/// SEQUENCE { INTEGER, INTEGER }                             PKCS#1, public
/// SEQUENCE { INTEGER, INTEGER, INTEGER, ... }               PKCS#1, private
/// ```
fn sniff(bytes: &[u8]) -> Option<Der> {
    let mut outer = SliceReader::new(bytes).ok()?;
    let header = Header::decode(&mut outer).ok()?;
    if header.tag() != Tag::Sequence {
        return None;
    }
    let mut tags = Vec::with_capacity(3);
    while tags.len() < 3 && !outer.is_finished() {
        tags.push(AnyRef::decode(&mut outer).ok()?.tag());
    }
    Some(match tags[..] {
        [Tag::Sequence, Tag::BitString] => Der::Spki(bytes.to_vec()),
        [Tag::Sequence, Tag::OctetString] => Der::EncryptedPkcs8(bytes.to_vec()),
        [Tag::Sequence, Tag::Sequence, Tag::BitString] => Der::Certificate(bytes.to_vec()),
        [Tag::Integer, Tag::Sequence, Tag::OctetString] => Der::Pkcs8(bytes.to_vec().into()),
        [Tag::Integer, Tag::Integer] => Der::Pkcs1Public(bytes.to_vec()),
        [Tag::Integer, Tag::Integer, Tag::Integer] => Der::Pkcs1(bytes.to_vec().into()),
        _ => return None,
    })
}

/// All certificates of a PEM text, or of the file that `file://` and a path name. The error completes a sentence.
pub(crate) fn certificates(setting: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read;
    let pem = match setting.trim().strip_prefix("file://") {
        // Whatever it is, it is no path, and a key must not be shown.
        Some(path) if path.contains('\n') || path.len() > 255 => {
            return Err("what follows file:// is no path that can be read".to_owned());
        }
        Some(path) => {
            read = std::fs::read(path).map_err(|error| format!("the file {path:?} cannot be read ({error})"))?;
            &read[..]
        }
        None => setting.as_bytes(),
    };
    if is_pkcs12(pem) {
        return Err(
            "it is PKCS#12: give it to ClientBuilder::merchant_pkcs12 (the setting pkcs12), or take the certificate out of it, openssl \
             pkcs12 -in apiclient_cert.p12 -nodes -nokeys -out apiclient_cert.pem"
                .to_owned(),
        );
    }
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ if pem.windows(12).any(|window| window == b"PRIVATE KEY-") => {
            Err("it is a private key, and no certificate in PEM".to_owned())
        }
        _ if setting.len() < 1024 && Path::new(setting.trim()).is_file() => {
            Err(format!("no certificate in PEM, but the path of a file: write file://{}", setting.trim()))
        }
        _ => Err("no certificate in PEM: one has the line -----BEGIN CERTIFICATE-----".to_owned()),
    }
}

/// DER in a PEM envelope, lines of 64 characters.
pub(crate) fn to_pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.extend([line, "\n"]);
        rest = after;
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}

/// The length in bytes of the modulus of `RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }`.
pub(crate) fn modulus_len(pkcs1: &[u8]) -> Result<usize, x509_cert::der::Error> {
    let mut reader = SliceReader::new(pkcs1)?;
    let length = reader.sequence(|key| {
        let modulus = UintRef::decode(key)?;
        UintRef::decode(key)?;
        Ok::<_, x509_cert::der::Error>(modulus.as_bytes().len())
    })?;
    reader.finish()?;
    Ok(length)
}
