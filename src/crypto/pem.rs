//! Decodes text into the DER of keys and certificates. The text is PEM with or without line breaks,
//! one of the PHP SDK's schemes, or bare base64.
//!
//! PEM libraries are not used here because they require line breaks, which web forms and
//! environment variables often remove.

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use super::der::{Der, DerKind, is_pkcs12, sniff};
use crate::error::Error;

/// The padding is optional, because it is sometimes lost when a key is copied.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const BEGIN: &str = "-----BEGIN";
const END: &str = "-----END";

/// Wraps decoded bytes in a variant of [`Der`].
type DerConstructor = fn(Zeroizing<Vec<u8>>) -> Der;

/// The schemes of the PHP SDK.
const SCHEMES: [(&str, DerConstructor); 4] = [
    ("private.pkcs1://", Der::Pkcs1),
    ("private.pkcs8://", Der::Pkcs8),
    ("public.pkcs1://", |bytes| Der::Pkcs1Public(bytes.to_vec())),
    ("public.spki://", |bytes| Der::Spki(bytes.to_vec())),
];

/// A key or a certificate in a text, or the reason why it cannot be read.
pub(super) struct Section {
    pub(super) kind: DerKind,
    pub(super) der: Result<Der, Error>,
}

impl Section {
    pub(super) fn new(der: Der) -> Self {
        Section { kind: der.kind(), der: Ok(der) }
    }
}

/// Returns the keys and certificates in a text, at least one. `wanted` selects the advice in the
/// error.
pub(super) fn sections(text: &str, wanted: DerKind) -> Result<Vec<Section>, Error> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.contains(BEGIN) {
        let sections: Vec<_> = text.split(BEGIN).skip(1).filter_map(section).collect();
        if !sections.is_empty() {
            return Ok(sections);
        }
        return Err(Error::config(escaping(text).unwrap_or("it is PEM, but neither a key nor a certificate")));
    }
    for (scheme, constructor) in SCHEMES {
        if let Some(rest) = text.strip_prefix(scheme) {
            let not_base64 = || match escaping(rest) {
                Some(reason) => Error::config(reason),
                None => Error::config(format!("the text after {scheme} is not base64")),
            };
            let bytes = decode(rest).ok_or_else(not_base64)?;
            return Ok(vec![Section::new(sniff(&bytes).unwrap_or_else(|| constructor(bytes)))]);
        }
    }
    let bytes = decode(text);
    if let Some(der) = bytes.as_ref().and_then(|bytes| sniff(bytes)) {
        return Ok(vec![Section::new(der)]);
    }
    Err(Error::config(match bytes {
        Some(bytes) if bytes.starts_with(BEGIN.as_bytes()) => "it is PEM that was encoded in base64: decode it once",
        Some(bytes) if is_pkcs12(&bytes) => "it is PKCS#12 in base64: give PEM",
        _ => escaping(text).unwrap_or_else(|| wanted.advice()),
    }))
}

/// Reads the section after `-----BEGIN`. Returns `None` if the label is neither a key nor a
/// certificate.
fn section(section: &str) -> Option<Section> {
    let (label, rest) = section.split_once("-----")?;
    // Tools that remove spaces from a text also remove those in the label.
    let label: String = label.split_whitespace().collect();
    let (kind, constructor): (_, DerConstructor) = match label.as_str() {
        "PRIVATEKEY" => (DerKind::PrivateKey, Der::Pkcs8),
        "RSAPRIVATEKEY" => (DerKind::PrivateKey, Der::Pkcs1),
        "ENCRYPTEDPRIVATEKEY" => (DerKind::PrivateKey, |bytes| Der::EncryptedPkcs8(bytes.to_vec())),
        "PUBLICKEY" => (DerKind::PublicKey, |bytes| Der::Spki(bytes.to_vec())),
        "RSAPUBLICKEY" => (DerKind::PublicKey, |bytes| Der::Pkcs1Public(bytes.to_vec())),
        "CERTIFICATE" | "X509CERTIFICATE" | "TRUSTEDCERTIFICATE" => {
            (DerKind::Certificate, |bytes| Der::Certificate(bytes.to_vec()))
        }
        "ECPRIVATEKEY" => {
            let error = Error::config("it is an elliptic-curve key: WeChat Pay uses RSA keys of 2048 bits");
            return Some(Section { kind: DerKind::PrivateKey, der: Err(error) });
        }
        _ => return None,
    };
    match body(kind, rest) {
        // Some tools write the label of another format, so the contents determine the type.
        Ok(bytes) => Some(Section::new(sniff(&bytes).unwrap_or_else(|| constructor(bytes)))),
        Err(error) => Some(Section { kind, der: Err(error) }),
    }
}

/// The bytes of a section. `rest` begins after the line `-----BEGIN ...-----`.
fn body(kind: DerKind, rest: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    if rest.contains("Proc-Type:") {
        return Err(Error::config(
            "the key is encrypted in OpenSSL's old format: convert it to PKCS#8 with openssl pkcs8 -topk8 -in old.pem -out new.pem",
        ));
    }
    let name = kind.name();
    let Some((body, _)) = rest.split_once(END) else {
        return Err(Error::config(format!("the PEM of {name} is truncated: its line -----END ...----- is missing")));
    };
    decode(body).ok_or_else(|| match escaping(body) {
        Some(reason) => Error::config(reason),
        None => Error::config(format!("the text of {name} between the lines BEGIN and END is not base64")),
    })
}

/// Decodes base64 with line breaks, some of which may be written as `\n`, as in environment
/// variables.
fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let unescaped = Zeroizing::new(text.replace("\\r", "").replace("\\n", ""));
    let mut compact = Zeroizing::new(String::with_capacity(unescaped.len()));
    compact.extend(unescaped.chars().filter(|c| !c.is_whitespace() && !matches!(c, '\u{feff}' | '\u{200b}')));
    let bytes = BASE64.decode(compact.as_bytes()).ok()?;
    (!bytes.is_empty()).then(|| Zeroizing::new(bytes))
}

/// If an escaped text is not base64, returns the reason and the fix.
fn escaping(text: &str) -> Option<&'static str> {
    let is_percent_triplet =
        |triplet: &[u8]| triplet[0] == b'%' && triplet[1..].iter().all(|byte| byte.is_ascii_hexdigit());
    let lower = Zeroizing::new(text.to_ascii_lowercase());
    Some(match () {
        () if text.contains("\\\\n") || text.contains("\\\\r") => {
            "its line breaks are escaped twice, as \\\\n: give line breaks, or \\n"
        }
        () if text.contains("\\/") || lower.contains("\\u00") => {
            "its characters are escaped as in JSON, such as \\/: decode the JSON string"
        }
        () if text.as_bytes().windows(3).any(is_percent_triplet) || text.contains("-----BEGIN+") => {
            "it is percent-encoded, as in a URL, such as %2B for +: decode it"
        }
        () if lower.contains("<br") || lower.contains("&lt;br") || lower.contains("&#") => {
            "its line breaks are HTML, such as <br>: give line breaks"
        }
        () if text.contains(['"', '\'']) => "it contains quotation marks: remove them",
        () if lower.contains("begin") && text.contains(['\u{2013}', '\u{2014}']) => {
            "the hyphens of its line BEGIN were replaced by dashes: write -----BEGIN"
        }
        () if text.contains(END) && !text.contains(BEGIN) => {
            "the PEM is truncated: its line -----BEGIN ...----- is missing"
        }
        () => return None,
    })
}

/// Encodes DER as PEM, in lines of 64 characters.
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
