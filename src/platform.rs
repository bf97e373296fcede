//! The platform's keys: which one verifies an answer.

use std::collections::BTreeMap;

use crate::BoxFuture;
use crate::crypto::PublicKey;
use crate::error::BoxError;
use crate::layer::verify::Verifier;

/// The platform's public keys by serial number (`PUB_KEY_ID_...` or a certificate's): the default verifier.
pub(crate) struct PlatformKeys(pub(crate) BTreeMap<String, PublicKey>);

/// Ids of public keys begin so; the other serials are those of platform certificates.
const PUBLIC_KEY_ID: &str = "PUB_KEY_ID_";

/// The id to send as `Wechatpay-Serial`, in public-key mode: the one public key where there is no other key.
pub(crate) fn public_key_id(keys: &BTreeMap<String, PublicKey>) -> Option<&str> {
    let mut ids = keys.keys();
    match (ids.next(), ids.next()) {
        (Some(id), None) if id.starts_with(PUBLIC_KEY_ID) => Some(id),
        _ => None,
    }
}

impl PlatformKeys {
    fn check(&self, serial: &str, message: &[u8], signature: &[u8]) -> Result<(), BoxError> {
        let Some(key) = self.0.get(serial) else {
            let known: Vec<_> = self.0.keys().map(String::as_str).collect();
            return Err(format!(
                "it was made with the platform key {:?}, and the settings know {}: add that key, from the merchant platform, \
                 under API security",
                crate::error::excerpt(serial),
                known.join(", ")
            )
            .into());
        };
        if key.verify(message, signature) {
            return Ok(());
        }
        Err(format!(
            "the key {serial:?} did not make it: the answer was changed on its way, or the key in the settings is not the one of that id"
        )
        .into())
    }
}

impl Verifier for PlatformKeys {
    fn verify<'a>(
        &'a self,
        serial: &'a str,
        message: &'a [u8],
        signature: &'a [u8],
    ) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async move { self.check(serial, message, signature) })
    }
}
