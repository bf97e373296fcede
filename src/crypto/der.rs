//! Recognizes the structure of keys and certificates in DER.

use x509_cert::der::asn1::{AnyRef, UintRef};
use x509_cert::der::{Decode, Header, Reader, SliceReader, Tag, Tagged};
use zeroize::Zeroizing;

use crate::error::Error;

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
    pub(crate) fn kind(&self) -> DerKind {
        match self {
            Der::Pkcs8(_) | Der::Pkcs1(_) | Der::EncryptedPkcs8(_) => DerKind::PrivateKey,
            Der::Spki(_) | Der::Pkcs1Public(_) => DerKind::PublicKey,
            Der::Certificate(_) => DerKind::Certificate,
        }
    }

    /// A name for error messages, as in "it is {} where a certificate is needed".
    pub(crate) fn name(&self) -> &'static str {
        self.kind().name()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Der::Pkcs8(bytes) | Der::Pkcs1(bytes) => bytes,
            Der::EncryptedPkcs8(bytes) | Der::Spki(bytes) | Der::Pkcs1Public(bytes) | Der::Certificate(bytes) => bytes,
        }
    }
}

/// What a [`Der`] contains.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum DerKind {
    PrivateKey,
    PublicKey,
    Certificate,
}

impl DerKind {
    /// A name for error messages, as in "it is {} where a certificate is needed".
    pub(crate) fn name(self) -> &'static str {
        match self {
            DerKind::PrivateKey => "a private key",
            DerKind::PublicKey => "a public key",
            DerKind::Certificate => "a certificate",
        }
    }

    /// The error for a text that contains neither a key nor a certificate.
    pub(super) fn advice(self) -> &'static str {
        match self {
            DerKind::PrivateKey => {
                "it is not a private key: give PEM, which begins with a line such as -----BEGIN PRIVATE KEY-----, its base64 \
                 alone, or file:///path/to/the.pem"
            }
            DerKind::PublicKey => {
                "it is neither a public key nor a certificate: give PEM, which begins with the line -----BEGIN PUBLIC KEY----- or \
                 -----BEGIN CERTIFICATE-----, its base64 alone, or file:///path/to/the.pem"
            }
            DerKind::Certificate => {
                "it is not a certificate: give PEM, which begins with the line -----BEGIN CERTIFICATE-----, its base64 alone, \
                 or file:///path/to/the.pem"
            }
        }
    }

    /// Whether a section of this kind can be used where `wanted` is needed: a certificate contains
    /// a public key.
    pub(super) fn serves(self, wanted: DerKind) -> bool {
        self == wanted || (self == DerKind::Certificate && wanted == DerKind::PublicKey)
    }
}

/// Parses DER.
pub(crate) fn parse(bytes: &[u8]) -> Result<Der, Error> {
    sniff(bytes).ok_or_else(|| Error::config("the DER is neither an RSA key nor a certificate, or it is damaged"))
}

/// A PKCS#12 file is a SEQUENCE whose first element is the version, 3.
pub(super) fn is_pkcs12(bytes: &[u8]) -> bool {
    matches!(bytes, [0x30, 0x82, _, _, 0x02, 0x01, 0x03, ..])
}

/// Recognizes a DER structure by its first elements.
///
/// ```text
/// SEQUENCE { SEQUENCE { OID ... }, BIT STRING }             SPKI
/// SEQUENCE { SEQUENCE { OID ... }, OCTET STRING }           PKCS#8, encrypted
/// SEQUENCE { SEQUENCE { ... }, SEQUENCE, BIT STRING }       X.509
/// SEQUENCE { INTEGER, SEQUENCE, OCTET STRING }              PKCS#8
/// SEQUENCE { INTEGER, INTEGER }                             PKCS#1, public
/// SEQUENCE { INTEGER, INTEGER, INTEGER, ... }               PKCS#1, private
/// ```
pub(super) fn sniff(bytes: &[u8]) -> Option<Der> {
    let mut outer = SliceReader::new(bytes).ok()?;
    let header = Header::decode(&mut outer).ok()?;
    if header.tag() != Tag::Sequence {
        return None;
    }
    // Bytes after the structure are ignored, such as the trust settings in OpenSSL's TRUSTED
    // CERTIFICATE.
    let start = usize::try_from(outer.position()).ok()?;
    let end = start.checked_add(usize::try_from(header.length()).ok()?)?;
    let mut content = SliceReader::new(bytes.get(start..end)?).ok()?;
    let bytes = &bytes[..end];
    let mut tags = Vec::with_capacity(4);
    while tags.len() < 4 && !content.is_finished() {
        tags.push(AnyRef::decode(&mut content).ok()?.tag());
    }
    Some(match tags[..] {
        [Tag::Sequence, Tag::BitString] => Der::Spki(bytes.to_vec()),
        [Tag::Sequence, Tag::OctetString] => Der::EncryptedPkcs8(bytes.to_vec()),
        [Tag::Sequence, Tag::Sequence, Tag::BitString] => Der::Certificate(bytes.to_vec()),
        [Tag::Integer, Tag::Sequence, Tag::OctetString, ..] => Der::Pkcs8(bytes.to_vec().into()),
        [Tag::Integer, Tag::Integer] => Der::Pkcs1Public(bytes.to_vec()),
        [Tag::Integer, Tag::Integer, Tag::Integer, ..] => Der::Pkcs1(bytes.to_vec().into()),
        _ => return None,
    })
}

/// The modulus and the exponent of an RSA public key, without leading zeros.
pub(crate) struct RsaNumbers<'a> {
    pub(crate) modulus: &'a [u8],
    pub(crate) exponent: &'a [u8],
}

/// Reads `RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }`.
pub(crate) fn rsa_numbers(pkcs1: &[u8]) -> Result<RsaNumbers<'_>, x509_cert::der::Error> {
    let mut reader = SliceReader::new(pkcs1)?;
    let numbers = reader.sequence(|key| {
        let (modulus, exponent) = (UintRef::decode(key)?, UintRef::decode(key)?);
        Ok::<_, x509_cert::der::Error>(RsaNumbers { modulus: modulus.as_bytes(), exponent: exponent.as_bytes() })
    })?;
    reader.finish()?;
    Ok(numbers)
}
