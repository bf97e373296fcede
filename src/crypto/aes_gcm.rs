//! AES-256-GCM with the APIv3 key. WeChat Pay encrypts notifications and platform certificates with
//! it.
//!
//! Source: WeChat Pay, "证书和回调报文解密".

use base64::prelude::{BASE64_STANDARD, Engine};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::secret::Secret;
use crate::error::{Error, ErrorKind};

/// The APIv3 key: 32 bytes, which the merchant sets on the merchant platform.
///
/// ```
/// use wechatpay_chain::Apiv3Key;
/// let key = Apiv3Key::new("0123456789abcdef0123456789abcdef")?;
/// let ciphertext = key.encrypt(b"plain", "0123456789ab", "transaction")?;
/// assert_eq!(key.decrypt(&ciphertext, "0123456789ab", "transaction")?, b"plain");
/// assert!(key.decrypt(&ciphertext, "0123456789ab", "refund").is_err());
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Apiv3Key(Secret);

impl Apiv3Key {
    /// Creates a key from its 32 bytes.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`] if the key does not have 32 bytes.
    pub fn new(key: impl Into<Secret>) -> Result<Self, Error> {
        let key = key.into();
        match key.expose().len() {
            32 => Ok(Apiv3Key(key)),
            0 => Err(Error::config("the APIv3 key is empty: is the environment variable set?")),
            length => Err(Error::config(format!(
                "the APIv3 key has {length} bytes and needs 32: it is the one set on the merchant platform under API security, \
                 not the APIv2 key and not a certificate"
            ))),
        }
    }

    /// Decrypts `ciphertext`, which is base64 and ends with the authentication tag. `nonce` (12
    /// bytes) and `associated_data` are the fields of the same names in the JSON.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Decode`] if `ciphertext` is not base64, if the nonce does not have
    /// 12 bytes, or if `ciphertext` was encrypted with another key, nonce or associated data, or
    /// was changed afterwards.
    pub fn decrypt(&self, ciphertext: &str, nonce: &str, associated_data: &str) -> Result<Vec<u8>, Error> {
        let wrong = |message: String| Error::new(ErrorKind::Decode, message);
        let mut bytes = BASE64_STANDARD.decode(ciphertext).map_err(|_| {
            wrong("the ciphertext of the resource is not base64: give it as it was received".to_owned())
        })?;
        let length = nonce.len();
        let nonce = Nonce::try_assume_unique_for_key(nonce.as_bytes()).map_err(|_| {
            wrong(format!("the nonce of the resource has {length} bytes and needs 12: give it as it was received"))
        })?;
        let aad = Aad::from(associated_data.as_bytes());
        let opened = self.key()?.open_in_place(nonce, aad, &mut bytes).map(|plain| plain.len());
        let length = opened.map_err(|_| {
            wrong(
                "the resource cannot be decrypted with this APIv3 key, nonce and associated data: compare the key with the one on \
                 the merchant platform"
                    .to_owned(),
            )
        })?;
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Encrypts in the format of WeChat Pay. The nonce must have 12 bytes. Never use the same nonce
    /// twice with the same key.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Options`] if the nonce does not have 12 bytes.
    pub fn encrypt(&self, plaintext: &[u8], nonce: &str, associated_data: &str) -> Result<String, Error> {
        let wrong = |_| Error::options("a nonce of AES-256-GCM has 12 bytes");
        let nonce = Nonce::try_assume_unique_for_key(nonce.as_bytes()).map_err(wrong)?;
        let mut bytes = plaintext.to_vec();
        self.key()?
            .seal_in_place_append_tag(nonce, Aad::from(associated_data.as_bytes()), &mut bytes)
            .map_err(|_| Error::options("the text is too long for AES-256-GCM"))?;
        Ok(BASE64_STANDARD.encode(bytes))
    }

    fn key(&self) -> Result<LessSafeKey, Error> {
        let key = UnboundKey::new(&AES_256_GCM, self.0.expose());
        key.map(LessSafeKey::new).map_err(|_| Error::config("the APIv3 key does not have 32 bytes"))
    }
}

impl TryFrom<&str> for Apiv3Key {
    type Error = Error;
    fn try_from(key: &str) -> Result<Self, Error> {
        Apiv3Key::new(key)
    }
}

impl TryFrom<String> for Apiv3Key {
    type Error = Error;
    fn try_from(key: String) -> Result<Self, Error> {
        Apiv3Key::new(key)
    }
}
