//! The keys that the sandbox signs with as the platform: the public key's, and those of its
//! certificates.

use std::sync::Arc;

use super::keys::{self, Issued, Keys};
use super::merchant::PUBLIC_KEY_ID;
use super::signature::Signer;
use crate::crypto::PrivateKey;
use crate::error::{Error, ErrorKind};

/// The key that signs when a request does not name one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum DefaultKey {
    PublicKey,
    NewestCertificate,
}

pub(super) struct Platform {
    pub(super) keys: Arc<Keys>,
    /// The certificates in force, oldest first.
    pub(super) certificates: Vec<Arc<Issued>>,
    default_key: DefaultKey,
}

impl Platform {
    pub(super) fn new(keys: Arc<Keys>) -> Self {
        let certificates = keys.certificate.iter().map(Arc::clone).collect();
        Platform { keys, certificates, default_key: DefaultKey::PublicKey }
    }

    fn certificate(&self, serial: &str) -> Option<&Issued> {
        self.certificates.iter().find(|issued| issued.serial == serial).map(AsRef::as_ref)
    }

    /// Whether the platform has a key with this ID or serial number.
    pub(super) fn has_key(&self, id: &str) -> bool {
        id == PUBLIC_KEY_ID || self.certificate(id).is_some()
    }

    /// The signer of a response to a request whose `Wechatpay-Serial` is `requested`.
    pub(super) fn signer(&self, requested: Option<&str>, now: i64) -> Signer {
        let by_public_key = requested == Some(PUBLIC_KEY_ID) || self.default_key == DefaultKey::PublicKey;
        let default = self.certificates.last().filter(|_| !by_public_key).map(AsRef::as_ref);
        let (key, key_id) = match requested.and_then(|serial| self.certificate(serial)).or(default) {
            Some(issued) => (&issued.key, issued.serial.as_str()),
            None => (&self.keys.platform, PUBLIC_KEY_ID),
        };
        Signer { key: key.clone(), key_id: key_id.to_owned(), timestamp: now }
    }

    /// Signs with certificates from now on: with the one that exists, or else with a new one.
    pub(super) fn use_certificates(&mut self) -> Result<(), Error> {
        if self.certificates.is_empty() {
            self.rotate()?;
        }
        self.default_key = DefaultKey::NewestCertificate;
        Ok(())
    }

    /// Issues a certificate, which signs from now on. The older ones stay in force.
    pub(super) fn rotate(&mut self) -> Result<Arc<Issued>, Error> {
        // A certificate of the data folder is not among those that the process issued.
        let from_folder = usize::from(self.keys.certificate.is_some());
        let issued = keys::certificate(self.certificates.len() - from_folder)?;
        self.certificates.push(Arc::clone(&issued));
        self.default_key = DefaultKey::NewestCertificate;
        Ok(issued)
    }

    /// Decrypts a sensitive field that was encrypted for the platform key `id`.
    pub(super) fn decrypt(&self, id: &str, ciphertext: &str) -> Result<String, Error> {
        let key: &PrivateKey = match self.certificate(id) {
            Some(issued) => &issued.key,
            None if id == PUBLIC_KEY_ID => &self.keys.platform,
            None => return Err(Error::options(format!("the sandbox has no platform key {id:?}"))),
        };
        let text = key.decrypt(ciphertext)?;
        String::from_utf8(text).map_err(|_| Error::new(ErrorKind::Decode, "the decrypted field is not valid UTF-8"))
    }
}
