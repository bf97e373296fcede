//! APIv3 signatures on responses and notifications.

use base64::prelude::{BASE64_STANDARD, Engine};
use http::{HeaderMap, HeaderValue};

use crate::crypto::{PrivateKey, random};
use crate::error::Error;
use crate::proto::signing_string::{self, SCHEME};
use crate::proto::verify;

/// What a message is signed with.
pub(super) struct Signer {
    pub(super) key: PrivateKey,
    /// The ID of the public key, or the serial number of the certificate.
    pub(super) key_id: String,
    /// Seconds since 1970.
    pub(super) timestamp: i64,
}

impl Signer {
    /// Adds the five `Wechatpay-*` headers with a signature over `covered`.
    pub(super) fn sign(&self, headers: &mut HeaderMap, covered: &[u8]) -> Result<(), Error> {
        let timestamp = self.timestamp.to_string();
        let nonce = random::nonce()?;
        let signature = BASE64_STANDARD.encode(self.key.sign(&signing_string::response(&timestamp, &nonce, covered))?);
        for (name, value) in [
            (verify::TIMESTAMP, timestamp.as_str()),
            (verify::NONCE, &nonce),
            (verify::SIGNATURE, &signature),
            (verify::SERIAL, &self.key_id),
            ("wechatpay-signature-type", SCHEME),
        ] {
            headers.insert(name, header_value(value)?);
        }
        Ok(())
    }
}

pub(super) fn header_value(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text).map_err(|source| Error::config("not a valid header value").with_source(source))
}
