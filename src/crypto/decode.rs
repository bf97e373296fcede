//! From the text of a setting to the DER of a key: files, PEM with or without its line breaks, the
//! PHP SDK's schemes, bare base64.

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

/// The padding is optional, because it is sometimes lost when a key is copied.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The DER of a key or a certificate.
pub(crate) enum Der {
    Pkcs8(Zeroizing<Vec<u8>>),
    #[cfg_attr(not(feature = "passphrase"), allow(dead_code, reason = "recognised, but not decrypted"))]
    EncryptedPkcs8(Vec<u8>),
    Pkcs1(Zeroizing<Vec<u8>>),
    Spki(Vec<u8>),
    Pkcs1Public(Vec<u8>),
    Certificate(Vec<u8>),
}

impl Der {
    /// A name for error messages, as in "it is {} where a certificate is needed".
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Der::Pkcs8(_) | Der::Pkcs1(_) | Der::EncryptedPkcs8(_) => "a private key",
            Der::Spki(_) | Der::Pkcs1Public(_) => "a public key",
            Der::Certificate(_) => "a certificate",
        }
    }
}

/// Reads a setting. Errors never contain a part of the setting, except the path of a file.
///
/// ```text
/// file:///path/to/the.pem       a file of PEM, base64 or DER
/// -----BEGIN ... KEY-----       PEM, with or without line breaks, with a BOM, with text around it
/// private.pkcs8://MIIE...       base64 of what the scheme names, as in the PHP SDK:
///                               private.pkcs1, private.pkcs8, public.pkcs1, public.spki
/// MIIE...                       base64 of any of these
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

/// A PKCS#12 file is a SEQUENCE whose first element is the version, 3.
fn is_pkcs12(bytes: &[u8]) -> bool {
    matches!(bytes, [0x30, 0x82, _, _, 0x02, 0x01, 0x03, ..])
}

fn file(path: &Path) -> Result<Der, Error> {
    let text = path.to_string_lossy();
    if text.contains("-----BEGIN") || text.contains('\n') {
        // It may be a key, so the message does not contain it.
        return Err(Error::config("the text after file:// is not a path: give PEM text without file://"));
    }
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|source| {
        if text.len() > 255 || text.contains("://") {
            // It is as long as a key, so the message does not contain it.
            return Error::config("the text after file:// is not a readable path: give PEM text without file://");
        }
        Error::config(format!("the file {shown} cannot be read ({source}): give an existing file as file:///path"))
            .with_source(source)
    })?;
    let bytes = Zeroizing::new(bytes);
    if is_pkcs12(&bytes) {
        return Err(Error::config(format!(
            "the file {shown} is PKCS#12: extract the key with openssl pkcs12 -in apiclient_cert.p12 -nodes -nocerts -out apiclient_key.pem"
        )));
    }
    // DER begins with the tag of a SEQUENCE, 0x30, which is the character '0' in text.
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
            "it is not a key: give PEM, which begins with a line such as -----BEGIN PRIVATE KEY-----, its base64 alone, or \
             file:///path/to/the.pem",
        )
    };
    let text = std::str::from_utf8(bytes).map_err(|_| nothing())?;
    if text.contains("-----BEGIN ") {
        return pem(text);
    }
    let text = text.trim_start_matches('\u{feff}').trim();
    for (scheme, constructor) in SCHEMES {
        if let Some(rest) = text.strip_prefix(scheme) {
            let bytes = decode(rest).ok_or_else(|| Error::config(format!("the text after {scheme} is not base64")))?;
            return Ok(constructor(bytes));
        }
    }
    sniff(&decode(text).ok_or_else(nothing)?).ok_or_else(nothing)
}

/// Wraps decoded bytes in a variant of [`Der`].
type DerConstructor = fn(Zeroizing<Vec<u8>>) -> Der;

/// The schemes of the PHP SDK.
const SCHEMES: [(&str, DerConstructor); 4] = [
    ("private.pkcs1://", Der::Pkcs1),
    ("private.pkcs8://", Der::Pkcs8),
    ("public.pkcs1://", |bytes| Der::Pkcs1Public(bytes.to_vec())),
    ("public.spki://", |bytes| Der::Spki(bytes.to_vec())),
];

/// The first section that is a key or a certificate. PEM libraries are not used here because they
/// require line breaks, which web forms and environment variables often remove.
fn pem(text: &str) -> Result<Der, Error> {
    let mut sections = text.split("-----BEGIN ").skip(1);
    sections.find_map(section).unwrap_or_else(|| Err(Error::config("it is PEM, but neither a key nor a certificate")))
}

/// Reads what follows a `-----BEGIN `; `None` if the label is neither a key nor a certificate.
fn section(section: &str) -> Option<Result<Der, Error>> {
    let (label, rest) = section.split_once("-----")?;
    let constructor: DerConstructor = match label {
        "PRIVATE KEY" => Der::Pkcs8,
        "RSA PRIVATE KEY" => Der::Pkcs1,
        "ENCRYPTED PRIVATE KEY" => |bytes| Der::EncryptedPkcs8(bytes.to_vec()),
        "PUBLIC KEY" => |bytes| Der::Spki(bytes.to_vec()),
        "RSA PUBLIC KEY" => |bytes| Der::Pkcs1Public(bytes.to_vec()),
        "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => |bytes| Der::Certificate(bytes.to_vec()),
        "EC PRIVATE KEY" => {
            return Some(Err(Error::config("it is an elliptic-curve key: WeChat Pay uses RSA keys of 2048 bits")));
        }
        _ => return None,
    };
    if rest.contains("Proc-Type:") {
        return Some(Err(Error::config(
            "the key is encrypted in OpenSSL's old format: convert it to PKCS#8 with openssl pkcs8 -topk8 -in old.pem -out new.pem",
        )));
    }
    let Some((body, _)) = rest.split_once("-----END ") else {
        return Some(Err(Error::config(format!("the PEM is truncated: the line -----END {label}----- is missing"))));
    };
    // In environment variables a line feed is sometimes written as a backslash and an n.
    let body = Zeroizing::new(body.replace("\\n", "").replace("\\r", ""));
    let bytes =
        decode(&body).ok_or_else(|| Error::config(format!("the text between BEGIN and END {label} is not base64")));
    Some(bytes.map(constructor))
}

fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let compact: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !c.is_whitespace()).collect());
    let bytes = BASE64.decode(compact.as_bytes()).ok()?;
    (!bytes.is_empty()).then(|| Zeroizing::new(bytes))
}

/// Recognises a DER structure by its first elements.
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

/// All certificates of a PEM text, or of the file that a `file://` URL names. The error is a
/// clause: the caller names the setting before it.
pub(crate) fn certificates(setting: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read;
    let pem = match setting.trim().strip_prefix("file://") {
        // It may be a key, so the message does not contain it.
        Some(path) if path.contains('\n') || path.len() > 255 => {
            return Err("the text after file:// is not a readable path".to_owned());
        }
        Some(path) => {
            read = std::fs::read(path).map_err(|error| format!("the file {path:?} cannot be read ({error})"))?;
            &read[..]
        }
        None => setting.as_bytes(),
    };
    if is_pkcs12(pem) {
        return Err(
            "it is PKCS#12: give it to ClientBuilder::merchant_pkcs12 (the setting pkcs12), or extract the certificate with openssl \
             pkcs12 -in apiclient_cert.p12 -nodes -nokeys -out apiclient_cert.pem"
                .to_owned(),
        );
    }
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ if pem.windows(12).any(|window| window == b"PRIVATE KEY-") => {
            Err("it is a private key, not a certificate in PEM".to_owned())
        }
        _ if setting.len() < 1024 && Path::new(setting.trim()).is_file() => {
            Err(format!("it is the path of a file, not a certificate in PEM: write file://{}", setting.trim()))
        }
        _ => Err("it is not a certificate in PEM: one has the line -----BEGIN CERTIFICATE-----".to_owned()),
    }
}

/// DER as PEM, in lines of 64 characters.
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

/// The length in bytes of the modulus of
/// `RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }`.
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
