//! RSA public keys. The platform's key verifies responses and encrypts sensitive fields.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use base64::prelude::{BASE64_STANDARD, Engine};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use x509_cert::der::asn1::BitStringRef;
use x509_cert::der::{AnyRef, Encode};
use x509_cert::spki::{AlgorithmIdentifierRef, ObjectIdentifier, SubjectPublicKeyInfoRef};
#[cfg(feature = "aws-lc-rs")]
use {
    super::sensitive,
    aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, Pkcs1PublicEncryptingKey, PublicEncryptingKey},
};

use super::decode;
use super::der::{self, Der, DerKind, RsaNumbers};
use super::x509::X509Fields;
use crate::error::Error;

/// The algorithm `rsaEncryption` of an SPKI (RFC 8017).
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const MIN_BITS: usize = 2048;
/// The limits of ring for keys that verify.
const MAX_BITS: usize = 8192;
const MAX_EXPONENT_BITS: usize = 33;

/// An RSA public key. The platform's key verifies responses and encrypts sensitive fields. Clones
/// are cheap and share the parsed key.
///
/// WeChat Pay provides its key as `pub_key.pem` with an ID (`PUB_KEY_ID_...`), or in a platform
/// certificate with a serial number.
///
/// ```
/// use wechatpay_chain::PublicKey;
/// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
/// # let certificate = sandbox.rotate_certificate()?;
/// # let setting = certificate.pem();
/// let key = PublicKey::from_pem(&setting)?; // or "file:///etc/wechatpay/pub_key.pem"
/// assert_eq!(key.certificate_serial(), Some(certificate.serial())); // None for a bare key
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[derive(Clone)]
pub struct PublicKey {
    /// PKCS#1, the form that ring takes.
    pkcs1: Arc<[u8]>,
    modulus_len: usize,
    /// The certificate that contained the key.
    certificate: Option<Arc<X509Fields>>,
}

/// Compares only the keys, not the certificates that contained them.
impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.pkcs1 == other.pkcs1
    }
}

impl Eq for PublicKey {}

impl PublicKey {
    /// Parses a public key (SPKI or PKCS#1), or takes the key of a certificate. `setting` is PEM
    /// text (even without line breaks), `file://` followed by a path, bare base64, or one of the
    /// PHP SDK's forms `public.spki://` and `public.pkcs1://`. If it contains several sections, the
    /// first public key or certificate is used.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config) if the file cannot be read, if
    /// the key is not an RSA public key of 2048 to 8192 bits, or if its exponent is even, 1, or
    /// longer than 33 bits.
    pub fn from_pem(setting: &str) -> Result<Self, Error> {
        PublicKey::from_decoded(decode::text(setting, DerKind::PublicKey)?)
    }

    /// Parses a public key or a certificate in DER.
    ///
    /// # Errors
    /// The same as for [`from_pem`](Self::from_pem).
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        PublicKey::from_decoded(der::parse(der)?)
    }

    fn from_decoded(der: Der) -> Result<Self, Error> {
        match der {
            Der::Spki(der) => PublicKey::from_spki(&der),
            Der::Pkcs1Public(der) => PublicKey::from_pkcs1(&der),
            Der::Certificate(der) => PublicKey::from_certificate(Arc::new(X509Fields::parse(&der)?)),
            other => Err(Error::config(format!(
                "it is {} where WeChat Pay's public key is needed: give pub_key.pem or the platform certificate, never a \
                 private key",
                other.name()
            ))),
        }
    }

    /// The key of a certificate, with the certificate's serial number and validity period.
    pub(super) fn from_certificate(certificate: Arc<X509Fields>) -> Result<Self, Error> {
        let key = PublicKey::from_spki(&certificate.spki)?;
        Ok(PublicKey { certificate: Some(certificate), ..key })
    }

    fn from_spki(der: &[u8]) -> Result<Self, Error> {
        let damaged = || Error::config("the public key is damaged: it is not an SPKI");
        let spki = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| damaged())?;
        if spki.algorithm.oid != RSA_ENCRYPTION {
            return Err(Error::config("it is not an RSA public key: WeChat Pay uses RSA keys of 2048 bits"));
        }
        PublicKey::from_pkcs1(spki.subject_public_key.as_bytes().ok_or_else(damaged)?)
    }

    pub(super) fn from_pkcs1(der: &[u8]) -> Result<Self, Error> {
        let RsaNumbers { modulus, exponent } = der::rsa_numbers(der)
            .map_err(|_| Error::config("the public key is damaged: it is not an RSA public key"))?;
        let bits = bit_length(modulus);
        if bits < MIN_BITS {
            return Err(Error::config(format!("the public key has {bits} bits: WeChat Pay's keys have {MIN_BITS}")));
        }
        if bits > MAX_BITS {
            return Err(Error::config(format!("the public key has {bits} bits: up to {MAX_BITS} are supported")));
        }
        let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
        // These keys verify nothing, or forged signatures: with the exponent 1, any message is its
        // own signature.
        if !is_odd(modulus) {
            return Err(Error::config("the public key is damaged: its modulus is even"));
        }
        if !is_odd(exponent) || !(2..=MAX_EXPONENT_BITS).contains(&bit_length(exponent)) {
            return Err(Error::config(format!(
                "the public key is damaged: its exponent is not an odd number above 1 with at most {MAX_EXPONENT_BITS} bits"
            )));
        }
        Ok(PublicKey { pkcs1: der.into(), modulus_len: modulus.len(), certificate: None })
    }

    /// The modulus and the exponent.
    #[cfg(any(feature = "cli", feature = "sandbox"))]
    pub(crate) fn numbers(&self) -> Result<RsaNumbers<'_>, x509_cert::der::Error> {
        der::rsa_numbers(&self.pkcs1)
    }

    /// Returns the serial number of the certificate that contained this key, as upper-case
    /// hexadecimal digits; `None` for a bare key.
    #[must_use]
    pub fn certificate_serial(&self) -> Option<&str> {
        self.certificate.as_ref().map(|certificate| certificate.serial.as_str())
    }

    /// The end of that certificate's validity period.
    #[cfg_attr(not(feature = "aws-lc-rs"), allow(dead_code, reason = "selects the key that encrypts"))]
    pub(crate) fn not_after(&self) -> Option<SystemTime> {
        self.certificate.as_ref().map(|certificate| certificate.not_after)
    }

    /// The common name of that certificate: in a merchant certificate, the merchant ID.
    pub(crate) fn common_name(&self) -> Option<&str> {
        self.certificate.as_ref().and_then(|certificate| certificate.common_name.as_deref())
    }

    /// Returns whether `signature` (RSA PKCS#1 v1.5 with SHA-256, raw bytes) is a valid signature
    /// of `message`. Use [`formatter::response`](crate::php::formatter::response) to build the
    /// message of a response or a notification.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.pkcs1).verify(message, signature).is_ok()
    }

    /// The same as [`verify`](Self::verify), for a signature in base64. Returns `false` if
    /// `signature` is not base64.
    #[must_use]
    pub fn verify_base64(&self, message: &[u8], signature: &str) -> bool {
        BASE64_STANDARD.decode(signature).is_ok_and(|signature| self.verify(message, &signature))
    }

    /// Encrypts a sensitive field for the platform with RSA-OAEP, SHA-1 and MGF1, and returns
    /// base64. A 2048-bit key can encrypt up to 214 bytes.
    /// Source: WeChat Pay, "敏感信息加解密".
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Options`](crate::ErrorKind::Options) if the text is too long.
    #[cfg(feature = "aws-lc-rs")]
    pub fn encrypt(&self, plaintext: &[u8]) -> Result<String, Error> {
        let key = OaepPublicEncryptingKey::new(self.encrypting_key()?).map_err(failed_to_encrypt)?;
        check_plaintext(plaintext, key.max_plaintext_size(&OAEP_SHA1_MGF1SHA1))?;
        let mut ciphertext = vec![0; key.ciphertext_size()];
        let encrypted = key.encrypt(&OAEP_SHA1_MGF1SHA1, plaintext, &mut ciphertext, None);
        encrypted.map(|ciphertext| BASE64_STANDARD.encode(ciphertext)).map_err(failed_to_encrypt)
    }

    /// Encrypts with RSA PKCS#1 v1.5, like PHP's `Rsa::encrypt` with `OPENSSL_PKCS1_PADDING`, and
    /// returns base64. A 2048-bit key can encrypt up to 245 bytes.
    ///
    /// Use it only where WeChat Pay requires this padding: the identity of the buyer in the customs
    /// declaration of overseas merchants (`v3/global/customs/verify-certificate` and its APIv2
    /// form), and the applications of micro-merchants in APIv2. Elsewhere, use
    /// [`encrypt`](Self::encrypt). This crate does not decrypt with this padding, because a program
    /// that shows whether decryption succeeds reveals the text. Source: the PHP and Go SDKs, which
    /// added the padding for overseas endpoints.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Options`](crate::ErrorKind::Options) if the text is too long.
    #[cfg(feature = "aws-lc-rs")]
    pub fn encrypt_pkcs1v15(&self, plaintext: &[u8]) -> Result<String, Error> {
        let key = Pkcs1PublicEncryptingKey::new(self.encrypting_key()?).map_err(failed_to_encrypt)?;
        check_plaintext(plaintext, key.max_plaintext_size())?;
        let mut ciphertext = vec![0; key.ciphertext_size()];
        let encrypted = key.encrypt(plaintext, &mut ciphertext);
        encrypted.map(|ciphertext| BASE64_STANDARD.encode(ciphertext)).map_err(failed_to_encrypt)
    }

    #[cfg(feature = "aws-lc-rs")]
    fn encrypting_key(&self) -> Result<PublicEncryptingKey, Error> {
        PublicEncryptingKey::from_der(&self.spki()).map_err(failed_to_encrypt)
    }

    /// Encrypts the fields at `paths` in place with [`encrypt`](Self::encrypt). If one field fails,
    /// none is changed. The option `encrypt` of a call does the same and also selects the right
    /// key.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Options`](crate::ErrorKind::Options) if a path does not lead to a
    /// field, or if a field is not text or is too long.
    #[cfg(feature = "aws-lc-rs")]
    pub fn encrypt_fields<'a>(
        &self,
        json: &mut serde_json::Value,
        paths: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Error> {
        sensitive::replace_all(json, paths, |text| self.encrypt(text.as_bytes()))
    }

    /// Returns the key as SPKI in DER, like PHP's `pkcs1ToSpki`.
    #[must_use]
    pub fn spki(&self) -> Vec<u8> {
        let algorithm = AlgorithmIdentifierRef { oid: RSA_ENCRYPTION, parameters: Some(AnyRef::NULL) };
        let spki = BitStringRef::from_bytes(&self.pkcs1)
            .and_then(|key| SubjectPublicKeyInfoRef { algorithm, subject_public_key: key }.to_der());
        // Encoding fails only beyond DER's length limit of 256 MiB, and the key was parsed from
        // less.
        spki.unwrap_or_default()
    }
}

#[cfg(feature = "aws-lc-rs")]
fn failed_to_encrypt<E>(_: E) -> Error {
    Error::options("the RSA library failed to encrypt")
}

#[cfg(feature = "aws-lc-rs")]
fn check_plaintext(plaintext: &[u8], max: usize) -> Result<(), Error> {
    if plaintext.len() <= max {
        return Ok(());
    }
    let length = plaintext.len();
    Err(Error::options(format!("the field to encrypt has {length} bytes: RSA encrypts up to {max}")))
}

/// The length in bits of a number without leading zero bytes.
fn bit_length(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

impl TryFrom<&str> for PublicKey {
    type Error = Error;
    fn try_from(setting: &str) -> Result<Self, Error> {
        PublicKey::from_pem(setting)
    }
}

impl TryFrom<&String> for PublicKey {
    type Error = Error;
    fn try_from(setting: &String) -> Result<Self, Error> {
        PublicKey::from_pem(setting)
    }
}

impl TryFrom<String> for PublicKey {
    type Error = Error;
    fn try_from(setting: String) -> Result<Self, Error> {
        PublicKey::from_pem(&setting)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} bits)", self.modulus_len * 8)
    }
}
