//! RSA keys: the merchant's, which signs requests, and the platform's, which verifies answers.

use std::fmt;
use std::sync::Arc;

use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use x509_cert::Certificate;
use x509_cert::der::asn1::UintRef;
use x509_cert::der::{Decode, Encode, Reader, SliceReader};
use x509_cert::spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};

use super::pem::{self, Der};
use crate::error::{Error, ErrorKind};

#[cfg(feature = "aws-lc-rs")]
use aws_lc_rs::{rand::SystemRandom, signature as backend};
#[cfg(not(feature = "aws-lc-rs"))]
use ring::{rand::SystemRandom, signature as backend};

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const MIN_BITS: usize = 2048;

/// A merchant's private key (`apiclient_key.pem`), parsed once. Clones share it.
///
/// ```no_run
/// use wechatpay_chain::PrivateKey;
/// let key: PrivateKey = "file:///etc/wechatpay/apiclient_key.pem".try_into()?;
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[derive(Clone)]
pub struct PrivateKey(Arc<Pair>);

struct Pair {
    pair: backend::RsaKeyPair,
    public: PublicKey,
}

impl PrivateKey {
    /// Reads a key in PEM, PKCS#8 or PKCS#1, given as text or as `file://` and a path.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: the file cannot be read, it is no PEM, no RSA private key, or shorter than
    /// 2048 bits.
    pub fn from_pem(setting: &str) -> Result<Self, Error> {
        let pair = match pem::read(setting)? {
            Der::Pkcs8(der) => backend::RsaKeyPair::from_pkcs8(&der),
            Der::Pkcs1(der) => backend::RsaKeyPair::from_der(&der),
            other => {
                return Err(Error::config(format!(
                    "it is {} where the merchant's private key belongs: give apiclient_key.pem",
                    other.name()
                )));
            }
        };
        let pair = pair.map_err(|rejected| {
            Error::config(format!(
                "it is no RSA private key of 2048 to 4096 bits, or it is damaged ({rejected}): give apiclient_key.pem as WeChat Pay's tool made it"
            ))
        })?;
        PrivateKey::new(pair)
    }

    pub(crate) fn new(pair: backend::RsaKeyPair) -> Result<Self, Error> {
        use backend::KeyPair;
        let public = PublicKey::from_pkcs1(pair.public_key().as_ref())?;
        Ok(PrivateKey(Arc::new(Pair { pair, public })))
    }

    /// Signs with RSA PKCS#1 v1.5 and SHA-256, the one signature of APIv3.
    ///
    /// # Errors
    /// [`ErrorKind::Sign`] when the library refuses, which it does for no key that it has parsed.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let Pair { pair, public } = &*self.0;
        // A signature is as long as the modulus.
        let mut signature = vec![0; public.modulus_len];
        pair.sign(&backend::RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| Error::new(ErrorKind::Sign, "the RSA library refused to sign"))?;
        Ok(signature)
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.0.public.clone()
    }
}

impl TryFrom<&str> for PrivateKey {
    type Error = Error;
    fn try_from(setting: &str) -> Result<Self, Error> {
        PrivateKey::from_pem(setting)
    }
}

impl TryFrom<String> for PrivateKey {
    type Error = Error;
    fn try_from(setting: String) -> Result<Self, Error> {
        PrivateKey::from_pem(&zeroize::Zeroizing::new(setting))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(***)")
    }
}

/// A platform's public key: what verifies answers. Clones share it.
///
/// WeChat Pay gives it as `pub_key.pem` with an id (`PUB_KEY_ID_...`), or inside a platform certificate with a serial number.
///
/// ```no_run
/// use wechatpay_chain::PublicKey;
/// let key: PublicKey = "file:///etc/wechatpay/pub_key.pem".try_into()?;
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    // The form that ring takes: PKCS#1, neither SPKI nor X.509.
    pkcs1: Arc<[u8]>,
    modulus_len: usize,
}

impl PublicKey {
    /// Reads a public key (SPKI or PKCS#1) or a certificate in PEM, given as text or as `file://` and a path.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: the file cannot be read, it is no PEM, a private key, no RSA key, or shorter
    /// than 2048 bits.
    pub fn from_pem(setting: &str) -> Result<Self, Error> {
        match pem::read(setting)? {
            Der::Spki(der) => PublicKey::from_spki(&der),
            Der::Pkcs1Public(der) => PublicKey::from_pkcs1(&der),
            Der::Certificate(der) => {
                let damaged = |_| Error::config("the certificate is damaged: it is no X.509");
                let certificate = Certificate::from_der(&der).map_err(damaged)?;
                let key = certificate.tbs_certificate().subject_public_key_info().to_der();
                PublicKey::from_spki(&key.map_err(damaged)?)
            }
            other => Err(Error::config(format!(
                "it is {} where WeChat Pay's public key belongs: give pub_key.pem, or the platform certificate, and keep \
                 private keys out of here",
                other.name()
            ))),
        }
    }

    fn from_spki(der: &[u8]) -> Result<Self, Error> {
        let damaged = || Error::config("the public key is damaged: it is no SPKI");
        let spki = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| damaged())?;
        if spki.algorithm.oid != RSA_ENCRYPTION {
            return Err(Error::config("it is no RSA public key: WeChat Pay uses RSA of 2048 bits"));
        }
        PublicKey::from_pkcs1(spki.subject_public_key.as_bytes().ok_or_else(damaged)?)
    }

    pub(crate) fn from_pkcs1(der: &[u8]) -> Result<Self, Error> {
        let modulus_len =
            modulus(der).map_err(|_| Error::config("the public key is damaged: it is no RSA public key"))?;
        let bits = modulus_len * 8;
        if bits < MIN_BITS {
            return Err(Error::config(format!("the public key has {bits} bits: WeChat Pay's have {MIN_BITS}")));
        }
        Ok(PublicKey { pkcs1: der.into(), modulus_len })
    }

    /// Whether `signature` (RSA PKCS#1 v1.5 with SHA-256) covers `message`.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.pkcs1).verify(message, signature).is_ok()
    }
}

/// The length in bytes of the modulus of `RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }`.
fn modulus(der: &[u8]) -> Result<usize, x509_cert::der::Error> {
    let mut reader = SliceReader::new(der)?;
    let length = reader.sequence(|key| {
        let modulus = UintRef::decode(key)?;
        UintRef::decode(key)?;
        Ok::<_, x509_cert::der::Error>(modulus.as_bytes().len())
    })?;
    reader.finish()?;
    Ok(length)
}

impl TryFrom<&str> for PublicKey {
    type Error = Error;
    fn try_from(setting: &str) -> Result<Self, Error> {
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
