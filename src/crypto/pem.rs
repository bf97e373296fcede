//! From the text of a setting to the bytes of a key: `file://`, PEM, and what kind of key it holds.

use rustls_pki_types::pem::{PemObject, SectionKind};
use zeroize::Zeroizing;

use crate::error::Error;

/// The DER bytes of one PEM section, named by its envelope.
pub(crate) enum Der {
    /// `BEGIN PRIVATE KEY`: PKCS#8.
    Pkcs8(Zeroizing<Vec<u8>>),
    /// `BEGIN RSA PRIVATE KEY`: PKCS#1.
    Pkcs1(Zeroizing<Vec<u8>>),
    /// `BEGIN PUBLIC KEY`: SPKI.
    Spki(Vec<u8>),
    /// `BEGIN RSA PUBLIC KEY`: PKCS#1.
    Pkcs1Public(Vec<u8>),
    /// `BEGIN CERTIFICATE`: X.509.
    Certificate(Vec<u8>),
}

impl Der {
    /// What it is, for the message that says it is the wrong thing.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Der::Pkcs8(_) | Der::Pkcs1(_) => "a private key",
            Der::Spki(_) | Der::Pkcs1Public(_) => "a public key",
            Der::Certificate(_) => "a certificate",
        }
    }
}

/// Reads a setting: PEM text, or `file://` and the path of a PEM file. No error shows any of the text.
pub(crate) fn read(setting: &str) -> Result<Der, Error> {
    let Some(path) = setting.trim().strip_prefix("file://") else {
        return parse(setting.as_bytes());
    };
    let bytes = std::fs::read(path).map_err(|source| {
        Error::config(format!("the file {path:?} cannot be read ({source}): give an existing PEM file as file:///path"))
            .with_source(source)
    })?;
    parse(&Zeroizing::new(bytes)).map_err(|error| Error::config(format!("the file {path:?}: {}", error.message())))
}

fn parse(bytes: &[u8]) -> Result<Der, Error> {
    let has = |label: &str| bytes.windows(label.len()).any(|window| window == label.as_bytes());
    // Two envelopes that the PEM library does not name.
    if has("-----BEGIN ENCRYPTED PRIVATE KEY-----") || has("Proc-Type: 4,ENCRYPTED") {
        return Err(Error::config(
            "the private key is protected by a passphrase: decrypt it first, openssl pkcs8 -in key.pem -out plain.pem",
        ));
    }
    if let Some(der) = pkcs1_public(bytes) {
        return Ok(der);
    }
    let (kind, der) = <(SectionKind, Vec<u8>)>::from_pem_slice(bytes).map_err(|_| {
        Error::config(
            "no PEM: a key begins with a line such as -----BEGIN PRIVATE KEY----- and ends with its END line; \
             give the text with its line feeds, or file:///path/to/the.pem",
        )
    })?;
    match kind {
        SectionKind::PrivateKey => Ok(Der::Pkcs8(der.into())),
        SectionKind::RsaPrivateKey => Ok(Der::Pkcs1(der.into())),
        SectionKind::PublicKey => Ok(Der::Spki(der)),
        SectionKind::Certificate => Ok(Der::Certificate(der)),
        SectionKind::EcPrivateKey => {
            Err(Error::config("it is a key for elliptic curves: WeChat Pay uses RSA of 2048 bits"))
        }
        _ => Err(Error::config("it is PEM, but neither a key nor a certificate")),
    }
}

/// `BEGIN RSA PUBLIC KEY`, which the PEM library passes over, read under a name that it knows.
fn pkcs1_public(bytes: &[u8]) -> Option<Der> {
    let text = std::str::from_utf8(bytes).ok()?;
    if !text.contains("-----BEGIN RSA PUBLIC KEY-----") {
        return None;
    }
    let renamed = text.replace("RSA PUBLIC KEY-----", "PUBLIC KEY-----");
    let (_, der) = <(SectionKind, Vec<u8>)>::from_pem_slice(renamed.as_bytes()).ok()?;
    Some(Der::Pkcs1Public(der))
}
