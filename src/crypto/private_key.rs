//! The merchant's RSA private key: it signs requests and decrypts sensitive fields.
//!
//! Two libraries sign. aws-lc-rs is nearly twice as fast as ring on processors with AVX-512 IFMA,
//! but its first operation with a private key collects entropy for about 24 ms. A process that
//! makes a single call should not have to wait for that, and a busy process should still have the
//! faster library. Therefore, ring makes the first signatures of a process, while a thread warms up
//! aws-lc-rs, which makes the later ones. PKCS#1 v1.5 is deterministic, so both libraries produce
//! the same bytes.

use std::fmt;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine};
use ring::rand::SystemRandom;
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
#[cfg(feature = "aws-lc-rs")]
use {
    super::sensitive,
    aws_lc_rs::encoding::{AsDer, Pkcs8V1Der},
    aws_lc_rs::rand::SystemRandom as AwsLcRandom,
    aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, PrivateDecryptingKey},
    aws_lc_rs::signature::{RSA_PKCS1_SHA256 as AWS_LC_PKCS1_SHA256, RsaKeyPair as AwsLcKeyPair},
    std::sync::OnceLock,
    std::sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use super::decode;
use super::der::{self, Der, DerKind};
use super::public_key::PublicKey;
#[cfg(feature = "passphrase")]
use super::secret::Secret;
use crate::error::{Error, ErrorKind};

/// The merchant's private key (`apiclient_key.pem`). It is parsed once, and clones share it.
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
    pair: Arc<KeyPair>,
    public: PublicKey,
}

impl PrivateKey {
    /// Parses a PKCS#8 or PKCS#1 key. `setting` is PEM text (even without line breaks), `file://`
    /// followed by a path, bare base64, or one of the PHP SDK's forms `private.pkcs8://` and
    /// `private.pkcs1://`. If it contains several sections, the first private key is used.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`] if the file cannot be read, or if the key is not an RSA
    /// private key, is shorter than 2048 bits, or is protected by a passphrase.
    pub fn from_pem(setting: &str) -> Result<Self, Error> {
        PrivateKey::from_decoded(decode::text(setting, DerKind::PrivateKey)?)
    }

    /// Parses a PKCS#8 or PKCS#1 key in DER.
    ///
    /// # Errors
    /// The same as for [`from_pem`](Self::from_pem).
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        PrivateKey::from_decoded(der::parse(der)?)
    }

    /// Parses a key that is protected by a passphrase: `BEGIN ENCRYPTED PRIVATE KEY`, PKCS#8 with
    /// PBES2. Requires the feature `passphrase`.
    ///
    /// # Errors
    /// The same as for [`from_pem`](Self::from_pem). Also fails with [`ErrorKind::Config`] if the
    /// passphrase is wrong.
    #[cfg(feature = "passphrase")]
    pub fn from_encrypted_pem(setting: &str, passphrase: &Secret) -> Result<Self, Error> {
        use pkcs8::EncryptedPrivateKeyInfoRef;
        let Der::EncryptedPkcs8(der) = decode::text(setting, DerKind::PrivateKey)? else {
            // The PHP SDK ignores a passphrase for a key that is not encrypted.
            return PrivateKey::from_pem(setting);
        };
        let damaged = |_| Error::config("the encrypted private key is damaged: it is not PKCS#8");
        let encrypted = EncryptedPrivateKeyInfoRef::try_from(der.as_slice()).map_err(damaged)?;
        if !is_affordable(&encrypted.encryption_algorithm) {
            return Err(Error::config(
                "deriving the key from the passphrase takes too long, because of its iteration count: convert it with \
                 openssl pkcs8 -topk8 -v2 aes256 -in old.pem -out new.pem",
            ));
        }
        let plain = encrypted.decrypt(passphrase.expose()).map_err(|_| {
            Error::config(
                "the passphrase of the private key is wrong, or the key is encrypted in an unsupported way: convert it \
                 to PBES2 with AES, openssl pkcs8 -topk8 -v2 aes256 -in old.pem -out new.pem",
            )
        })?;
        PrivateKey::from_decoded(der::parse(plain.as_bytes())?)
    }

    fn from_decoded(der: Der) -> Result<Self, Error> {
        let ring = match &der {
            Der::Pkcs8(bytes) => RsaKeyPair::from_pkcs8(bytes),
            Der::Pkcs1(bytes) => RsaKeyPair::from_der(bytes),
            Der::EncryptedPkcs8(_) => {
                return Err(Error::config(
                    "the private key is protected by a passphrase: use PrivateKey::from_encrypted_pem, or remove the \
                     passphrase with openssl pkcs8 -in key.pem -out plain.pem",
                ));
            }
            other => {
                return Err(Error::config(format!(
                    "it is {} where the merchant's private key is needed: give apiclient_key.pem",
                    other.name()
                )));
            }
        };
        let ring = ring.map_err(|rejected| {
            Error::config(format!(
                "it is not an RSA private key of 2048 to 4096 bits, or it is damaged ({rejected}): give apiclient_key.pem as \
                 WeChat Pay's certificate tool created it"
            ))
        })?;
        let public = PublicKey::from_pkcs1(ring.public_key().as_ref())?;
        let pair = KeyPair {
            ring,
            #[cfg(feature = "aws-lc-rs")]
            der,
            #[cfg(feature = "aws-lc-rs")]
            aws_lc: OnceLock::new(),
        };
        Ok(PrivateKey { pair: Arc::new(pair), public })
    }

    /// Signs with RSA PKCS#1 v1.5 and SHA-256, the signature algorithm of APIv3. WeChat Pay expects
    /// the result in base64. Use [`formatter`](crate::php::formatter) to build the message.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Sign`] if the RSA library fails, which is not expected for a key
    /// that it has parsed.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.pair.sign(message).ok_or_else(|| Error::new(ErrorKind::Sign, "the RSA library failed to sign"))
    }

    /// The same as [`sign`](Self::sign), but returns base64.
    ///
    /// # Errors
    /// The same as for [`sign`](Self::sign).
    pub fn sign_base64(&self, message: &[u8]) -> Result<String, Error> {
        self.sign(message).map(|signature| BASE64_STANDARD.encode(signature))
    }

    /// Decrypts a sensitive field that WeChat Pay encrypted for this merchant. `ciphertext` is
    /// base64; the algorithm is RSA-OAEP with SHA-1 and MGF1.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Decode`] if `ciphertext` is not base64, or was encrypted for another
    /// key.
    #[cfg(feature = "aws-lc-rs")]
    pub fn decrypt(&self, ciphertext: &str) -> Result<Vec<u8>, Error> {
        let wrong = || {
            Error::new(
                ErrorKind::Decode,
                "the field cannot be decrypted: it was encrypted for another merchant's key, or it is not a ciphertext",
            )
        };
        let ciphertext = BASE64_STANDARD.decode(ciphertext.trim()).map_err(|_| wrong())?;
        let pair = self.pair.aws_lc().ok_or_else(wrong)?;
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map_err(|_| wrong())?;
        let key = PrivateDecryptingKey::from_pkcs8(der.as_ref()).map_err(|_| wrong())?;
        let key = OaepPrivateDecryptingKey::new(key).map_err(|_| wrong())?;
        let mut plaintext = vec![0; key.min_output_size()];
        let length = key.decrypt(&OAEP_SHA1_MGF1SHA1, &ciphertext, &mut plaintext, None).map_err(|_| wrong())?.len();
        plaintext.truncate(length);
        Ok(plaintext)
    }

    /// Decrypts the fields at `paths` in place with [`decrypt`](Self::decrypt). A path through an
    /// array selects the field in each element. If one field fails, none is changed.
    ///
    /// ```
    /// # use serde_json::json;
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
    /// # let key = sandbox.merchant_key();
    /// # let cipher = key.public_key().encrypt("张三".as_bytes())?;
    /// let mut order = json!({ "payer": { "name": cipher } });
    /// key.decrypt_fields(&mut order, ["payer.name"])?;
    /// assert_eq!(order, json!({ "payer": { "name": "张三" } }));
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Options`] if a path does not lead to a field, or if a field cannot
    /// be decrypted.
    #[cfg(feature = "aws-lc-rs")]
    pub fn decrypt_fields<'a>(
        &self,
        json: &mut serde_json::Value,
        paths: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Error> {
        sensitive::replace_all(json, paths, |text| {
            String::from_utf8(self.decrypt(text)?).map_err(|_| Error::options("the decrypted value is not UTF-8 text"))
        })
    }

    /// Returns the public key of the pair.
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

impl TryFrom<&String> for PrivateKey {
    type Error = Error;
    fn try_from(setting: &String) -> Result<Self, Error> {
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

/// Whether decrypting takes a few seconds at most. PBKDF2: the iterations that RFC 8018, section
/// 4.2, gives for especially critical keys. scrypt: 128 bytes of memory times `N` times `r`, 1 GiB.
#[cfg(feature = "passphrase")]
fn is_affordable(scheme: &pkcs8::pkcs5::EncryptionScheme) -> bool {
    use pkcs8::pkcs5::{EncryptionScheme, pbes2::Kdf};
    const MAX_PBKDF2_ITERATIONS: u32 = 10_000_000;
    const MAX_SCRYPT_COST: u64 = 1 << 23;
    let EncryptionScheme::Pbes2(parameters) = scheme else { return true };
    match &parameters.kdf {
        Kdf::Pbkdf2(pbkdf2) => pbkdf2.iteration_count <= MAX_PBKDF2_ITERATIONS,
        Kdf::Scrypt(scrypt) => {
            let factors = [scrypt.block_size, scrypt.parallelization].map(u64::from);
            let cost = factors.iter().try_fold(scrypt.cost_parameter, |cost, factor| cost.checked_mul(*factor));
            scrypt.cost_parameter.is_power_of_two() && cost.is_some_and(|cost| (1..=MAX_SCRYPT_COST).contains(&cost))
        }
        _ => true,
    }
}

/// The number of signatures that a process makes before it warms up aws-lc-rs.
#[cfg(feature = "aws-lc-rs")]
const SIGNATURES_BEFORE_WARM_UP: usize = 4;
/// The signatures of this process so far.
#[cfg(feature = "aws-lc-rs")]
static SIGNATURES: AtomicUsize = AtomicUsize::new(0);
/// Whether aws-lc-rs has collected its entropy.
#[cfg(feature = "aws-lc-rs")]
static AWS_LC_IS_WARM: AtomicBool = AtomicBool::new(false);

/// A key pair for both libraries.
struct KeyPair {
    ring: RsaKeyPair,
    /// The key from which `aws_lc` is parsed.
    #[cfg(feature = "aws-lc-rs")]
    der: Der,
    /// Parsed at the first use. Contains `None` if aws-lc-rs rejects a key that ring accepts.
    #[cfg(feature = "aws-lc-rs")]
    aws_lc: OnceLock<Option<AwsLcKeyPair>>,
}

impl KeyPair {
    /// Signs with PKCS#1 v1.5 and SHA-256. The signature is as long as the modulus.
    #[cfg(feature = "aws-lc-rs")]
    fn sign(self: &Arc<Self>, message: &[u8]) -> Option<Vec<u8>> {
        if AWS_LC_IS_WARM.load(Ordering::Acquire) {
            if let Some(pair) = self.aws_lc() {
                return sign_with_aws_lc(pair, message);
            }
        } else if SIGNATURES.fetch_add(1, Ordering::Relaxed) == SIGNATURES_BEFORE_WARM_UP {
            let pair = Arc::clone(self);
            // If the thread cannot be started, ring makes all signatures.
            let _ = std::thread::Builder::new().name("wechatpay-warm-up".to_owned()).spawn(move || {
                if pair.aws_lc().and_then(|pair| sign_with_aws_lc(pair, b"")).is_some() {
                    AWS_LC_IS_WARM.store(true, Ordering::Release);
                }
            });
        }
        self.sign_with_ring(message)
    }

    #[cfg(not(feature = "aws-lc-rs"))]
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.sign_with_ring(message)
    }

    fn sign_with_ring(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.ring.public().modulus_len()];
        self.ring.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
        Some(signature)
    }

    #[cfg(feature = "aws-lc-rs")]
    fn aws_lc(&self) -> Option<&AwsLcKeyPair> {
        let parse = || match &self.der {
            Der::Pkcs8(bytes) => AwsLcKeyPair::from_pkcs8(bytes).ok(),
            Der::Pkcs1(bytes) => AwsLcKeyPair::from_der(bytes).ok(),
            _ => None,
        };
        self.aws_lc.get_or_init(parse).as_ref()
    }
}

#[cfg(feature = "aws-lc-rs")]
fn sign_with_aws_lc(pair: &AwsLcKeyPair, message: &[u8]) -> Option<Vec<u8>> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&AWS_LC_PKCS1_SHA256, &AwsLcRandom::new(), message, &mut signature).ok()?;
    Some(signature)
}

#[cfg(all(test, feature = "sandbox"))]
mod tests {
    use super::*;

    #[test]
    fn both_libraries_make_the_same_signature_and_aws_lc_takes_over() {
        let key = crate::sandbox::keys::issue(std::time::UNIX_EPOCH + std::time::Duration::from_secs(4_000_000_000))
            .expect("issued")
            .key();
        let pair = &key.pair;
        let first = pair.sign_with_ring(b"message").expect("signed");
        assert_eq!(sign_with_aws_lc(pair.aws_lc().expect("parsed"), b"message"), Some(first.clone()));
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !AWS_LC_IS_WARM.load(Ordering::Acquire) {
            assert_eq!(pair.sign(b"message"), Some(first.clone()));
            assert!(std::time::Instant::now() < deadline, "aws-lc-rs was never warm");
        }
        assert_eq!(pair.sign(b"message"), Some(first));
    }
}
