//! RSA keys: the merchant's, which signs requests and decrypts, and the platform's, which verifies answers and encrypts.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

#[cfg(feature = "aws-lc-rs")]
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey,
};
use base64::prelude::{BASE64_STANDARD, Engine};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use x509_cert::spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};

use super::certificate::Certificate;
use super::decode::{self, Der};
use super::key_pair::Pair;
#[cfg(feature = "passphrase")]
use crate::crypto::secret::Secret;
#[cfg(feature = "aws-lc-rs")]
use crate::crypto::sensitive;
use crate::error::{Error, ErrorKind};

#[cfg(feature = "aws-lc-rs")]
use aws_lc_rs::encoding::AsDer;

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const MIN_BITS: usize = 2048;

/// A merchant's private key (`apiclient_key.pem`), parsed once. Clones share it.
///
/// ```
/// use wechatpay_chain::PrivateKey;
/// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
/// # let settings = sandbox.settings();
/// # let setting = settings["privateKey"].as_str().unwrap_or_default();
/// let key = PrivateKey::from_pem(setting)?; // or "file:///etc/wechatpay/apiclient_key.pem"
/// assert!(key.public_key().verify(b"message", &key.sign(b"message")?));
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[derive(Clone)]
pub struct PrivateKey {
    pair: Arc<Pair>,
    public: PublicKey,
}

impl PrivateKey {
    /// Reads a key in PKCS#8 or PKCS#1, given as PEM text however it was pasted, as `file://` and a path, as bare base64, or in
    /// PHP's forms `private.pkcs8://` and `private.pkcs1://`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: the file cannot be read, it is no RSA private key, it is shorter than 2048 bits, or protected by a
    /// passphrase.
    pub fn from_pem(setting: &str) -> Result<Self, Error> {
        PrivateKey::of(decode::text(setting)?)
    }

    /// Reads a key in DER, PKCS#8 or PKCS#1.
    ///
    /// # Errors
    /// Those of [`from_pem`](Self::from_pem).
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        PrivateKey::of(decode::der(der)?)
    }

    /// Reads a key that a passphrase protects (`BEGIN ENCRYPTED PRIVATE KEY`, PKCS#8 with PBES2). Feature `passphrase`.
    ///
    /// # Errors
    /// Those of [`from_pem`](Self::from_pem); [`ErrorKind::Config`] when the passphrase does not open it.
    #[cfg(feature = "passphrase")]
    pub fn from_encrypted_pem(setting: &str, passphrase: &Secret) -> Result<Self, Error> {
        use pkcs8::EncryptedPrivateKeyInfoRef;
        let Der::EncryptedPkcs8(der) = decode::text(setting)? else {
            // PHP takes a passphrase that is not needed, too.
            return PrivateKey::from_pem(setting);
        };
        let damaged = |_| Error::config("the encrypted private key is damaged: it is no PKCS#8");
        let closed = EncryptedPrivateKeyInfoRef::try_from(der.as_slice()).map_err(damaged)?;
        let open = closed.decrypt(passphrase.expose()).map_err(|_| {
            Error::config(
                "the passphrase does not open the private key, or it is encrypted in a way that is not supported (PBES2 with \
                 AES is): openssl pkcs8 -topk8 -v2 aes256 -in old.pem -out new.pem",
            )
        })?;
        PrivateKey::of(decode::der(open.as_bytes())?)
    }

    fn of(der: Der) -> Result<Self, Error> {
        let Some(pair) = Pair::new(&der) else {
            return Err(Error::config(match der {
                Der::EncryptedPkcs8(_) => {
                    "the private key is protected by a passphrase: open it with PrivateKey::from_encrypted_pem, or take the \
                     passphrase off, openssl pkcs8 -in key.pem -out plain.pem"
                        .to_owned()
                }
                other => format!("it is {} where the merchant's private key belongs: give apiclient_key.pem", other.name()),
            }));
        };
        let pair = pair.map_err(|rejected| {
            Error::config(format!(
                "it is no RSA private key of 2048 to 4096 bits, or it is damaged ({rejected}): give apiclient_key.pem as WeChat Pay's tool made it"
            ))
        })?;
        let public = PublicKey::from_pkcs1(pair.public())?;
        Ok(PrivateKey { pair: Arc::new(pair), public })
    }

    #[cfg(all(test, feature = "sandbox"))]
    pub(super) fn pair(&self) -> &Arc<Pair> {
        &self.pair
    }

    /// Signs with RSA PKCS#1 v1.5 and SHA-256, the one signature of APIv3. The service takes it in base64; [`formatter`](crate::php::formatter)
    /// makes the message.
    ///
    /// # Errors
    /// [`ErrorKind::Sign`] when the library refuses, which it does for no key that it has parsed.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.pair.sign(message).ok_or_else(|| Error::new(ErrorKind::Sign, "the RSA library refused to sign"))
    }

    /// [`sign`](Self::sign), in base64.
    ///
    /// # Errors
    /// Those of [`sign`](Self::sign).
    pub fn sign_base64(&self, message: &[u8]) -> Result<String, Error> {
        self.sign(message).map(|signature| BASE64_STANDARD.encode(signature))
    }

    /// Decrypts a sensitive field that the service encrypted for this merchant: base64 of RSA-OAEP with SHA-1 and MGF1.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`]: it is no base64, or was encrypted for another key.
    #[cfg(feature = "aws-lc-rs")]
    pub fn decrypt(&self, ciphertext: &str) -> Result<Vec<u8>, Error> {
        let wrong = || {
            Error::new(
                ErrorKind::Decode,
                "the field does not decrypt: it was encrypted for another key than this merchant's, or it is no ciphertext",
            )
        };
        let ciphertext = BASE64_STANDARD.decode(ciphertext.trim()).map_err(|_| wrong())?;
        let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(self.pair.fast().ok_or_else(wrong)?)
            .map_err(|_| wrong())?;
        let key = PrivateDecryptingKey::from_pkcs8(der.as_ref()).map_err(|_| wrong())?;
        let key = OaepPrivateDecryptingKey::new(key).map_err(|_| wrong())?;
        let mut plaintext = vec![0; key.min_output_size()];
        let length = key.decrypt(&OAEP_SHA1_MGF1SHA1, &ciphertext, &mut plaintext, None).map_err(|_| wrong())?.len();
        plaintext.truncate(length);
        Ok(plaintext)
    }

    /// Decrypts the fields that are named by their paths, `payer.name`, in place, all or none; see [`decrypt`](Self::decrypt). Where a path
    /// meets a list, it means the field in each of its elements.
    ///
    /// ```
    /// # use serde_json::json;
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
    /// # let key = sandbox.merchant_key();
    /// # let cipher = key.public_key().encrypt("张三".as_bytes())?;
    /// let mut answer = json!({ "payer": { "name": cipher } });
    /// key.decrypt_fields(&mut answer, ["payer.name"])?;
    /// assert_eq!(answer, json!({ "payer": { "name": "张三" } }));
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Options`]: a path names no field, or a field does not decrypt.
    #[cfg(feature = "aws-lc-rs")]
    pub fn decrypt_fields<'a>(
        &self,
        json: &mut serde_json::Value,
        paths: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Error> {
        let mut open = |text: &str| {
            String::from_utf8(self.decrypt(text)?).map_err(|_| Error::options("what it holds is no text in UTF-8"))
        };
        let mut changed = json.clone();
        paths.into_iter().try_for_each(|path| sensitive::replace(&mut changed, path, &mut open))?;
        *json = changed;
        Ok(())
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.public.clone()
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

/// A platform's public key: what verifies answers and encrypts sensitive fields. Clones share it.
///
/// WeChat Pay gives it as `pub_key.pem` with an id (`PUB_KEY_ID_...`), or inside a platform certificate with a serial number.
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
    // The form that ring takes: PKCS#1, neither SPKI nor X.509.
    pkcs1: Arc<[u8]>,
    modulus_len: usize,
    certificate: Option<Arc<Origin>>,
}

/// The certificate that a key came in.
pub(super) struct Origin {
    pub(super) serial: String,
    pub(super) common_name: Option<String>,
    pub(super) not_after: SystemTime,
}

/// Two are equal when the keys are, wherever they came from.
impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.pkcs1 == other.pkcs1
    }
}

impl Eq for PublicKey {}

impl PublicKey {
    /// Reads a public key (SPKI or PKCS#1), or the one in a certificate, given as PEM text however it was pasted, as `file://`
    /// and a path, as bare base64, or in PHP's forms `public.spki://` and `public.pkcs1://`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: the file cannot be read, it is no public key, a private key, no RSA key, or shorter than 2048
    /// bits.
    pub fn from_pem(setting: &str) -> Result<Self, Error> {
        PublicKey::of(decode::text(setting)?)
    }

    /// Reads a public key or a certificate in DER.
    ///
    /// # Errors
    /// Those of [`from_pem`](Self::from_pem).
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        PublicKey::of(decode::der(der)?)
    }

    fn of(der: Der) -> Result<Self, Error> {
        match der {
            Der::Spki(der) => PublicKey::from_spki(&der),
            Der::Pkcs1Public(der) => PublicKey::from_pkcs1(&der),
            Der::Certificate(der) => Certificate::parse(der).map(|certificate| certificate.public_key().clone()),
            other => Err(Error::config(format!(
                "it is {} where WeChat Pay's public key belongs: give pub_key.pem, or the platform certificate, and keep \
                 private keys out of here",
                other.name()
            ))),
        }
    }

    pub(super) fn from_spki(der: &[u8]) -> Result<Self, Error> {
        let damaged = || Error::config("the public key is damaged: it is no SPKI");
        let spki = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| damaged())?;
        if spki.algorithm.oid != RSA_ENCRYPTION {
            return Err(Error::config("it is no RSA public key: WeChat Pay uses RSA of 2048 bits"));
        }
        PublicKey::from_pkcs1(spki.subject_public_key.as_bytes().ok_or_else(damaged)?)
    }

    pub(crate) fn from_pkcs1(der: &[u8]) -> Result<Self, Error> {
        let modulus_len = decode::modulus_len(der)
            .map_err(|_| Error::config("the public key is damaged: it is no RSA public key"))?;
        let bits = modulus_len * 8;
        if bits < MIN_BITS {
            return Err(Error::config(format!("the public key has {bits} bits: WeChat Pay's have {MIN_BITS}")));
        }
        Ok(PublicKey { pkcs1: der.into(), modulus_len, certificate: None })
    }

    /// The serial number of the certificate this key came in, upper-case hexadecimal; `None` for a bare key.
    #[must_use]
    pub fn certificate_serial(&self) -> Option<&str> {
        self.certificate.as_ref().map(|origin| origin.serial.as_str())
    }

    /// The end of the validity of that certificate.
    #[cfg_attr(not(feature = "aws-lc-rs"), allow(dead_code, reason = "decides which key encrypts"))]
    pub(crate) fn not_after(&self) -> Option<SystemTime> {
        self.certificate.as_ref().map(|origin| origin.not_after)
    }

    /// The common name of that certificate: of a merchant's it is the merchant id.
    pub(crate) fn common_name(&self) -> Option<&str> {
        self.certificate.as_ref().and_then(|origin| origin.common_name.as_deref())
    }

    pub(super) fn of_certificate(self, origin: Origin) -> Self {
        PublicKey { certificate: Some(Arc::new(origin)), ..self }
    }

    /// Whether `signature` (RSA PKCS#1 v1.5 with SHA-256, not base64) covers `message`, as [`formatter::response`](crate::php::formatter::response)
    /// makes it of an answer or a notification.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.pkcs1).verify(message, signature).is_ok()
    }

    /// [`verify`](Self::verify) of a signature in base64; what is no base64 is no signature.
    #[must_use]
    pub fn verify_base64(&self, message: &[u8], signature: &str) -> bool {
        BASE64_STANDARD.decode(signature).is_ok_and(|signature| self.verify(message, &signature))
    }

    /// Encrypts a sensitive field for the platform: base64 of RSA-OAEP with SHA-1 and MGF1. At most 214 bytes with a key of
    /// 2048 bits. Source: WeChat Pay, "敏感信息加解密".
    ///
    /// # Errors
    /// [`ErrorKind::Options`]: the text is too long.
    #[cfg(feature = "aws-lc-rs")]
    pub fn encrypt(&self, plaintext: &[u8]) -> Result<String, Error> {
        let refused = |_| Error::options("the RSA library refused to encrypt");
        let key = PublicEncryptingKey::from_der(&self.spki()).map_err(|_| refused(()))?;
        let key = OaepPublicEncryptingKey::new(key).map_err(|_| refused(()))?;
        let most = key.max_plaintext_size(&OAEP_SHA1_MGF1SHA1);
        if plaintext.len() > most {
            return Err(Error::options(format!(
                "the field to encrypt has {} bytes, and RSA takes {most} at most",
                plaintext.len()
            )));
        }
        let mut ciphertext = vec![0; key.ciphertext_size()];
        let length = key.encrypt(&OAEP_SHA1_MGF1SHA1, plaintext, &mut ciphertext, None).map_err(|_| refused(()))?.len();
        ciphertext.truncate(length);
        Ok(BASE64_STANDARD.encode(ciphertext))
    }

    /// Encrypts the fields that are named by their paths in place, all or none; see [`encrypt`](Self::encrypt). The option `encrypt` of a call
    /// does this with the right key.
    ///
    /// # Errors
    /// [`ErrorKind::Options`]: a path names no field, or a field is too long or no text.
    #[cfg(feature = "aws-lc-rs")]
    pub fn encrypt_fields<'a>(
        &self,
        json: &mut serde_json::Value,
        paths: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Error> {
        let mut close = |text: &str| self.encrypt(text.as_bytes());
        let mut changed = json.clone();
        paths.into_iter().try_for_each(|path| sensitive::replace(&mut changed, path, &mut close))?;
        *json = changed;
        Ok(())
    }

    /// The key as SPKI, in DER: PHP's `pkcs1ToSpki`.
    #[must_use]
    pub fn spki(&self) -> Vec<u8> {
        use x509_cert::der::asn1::BitStringRef;
        use x509_cert::der::{AnyRef, Encode};
        let algorithm = x509_cert::spki::AlgorithmIdentifierRef { oid: RSA_ENCRYPTION, parameters: Some(AnyRef::NULL) };
        let spki = BitStringRef::from_bytes(&self.pkcs1)
            .and_then(|key| SubjectPublicKeyInfoRef { algorithm, subject_public_key: key }.to_der());
        // Only a key of gigabytes could fail here, and this one was read from less.
        spki.unwrap_or_default()
    }
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

impl From<&Certificate> for PublicKey {
    fn from(certificate: &Certificate) -> Self {
        certificate.public_key().clone()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} bits)", self.modulus_len * 8)
    }
}
