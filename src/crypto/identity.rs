//! The client certificate with its private key. APIv2 requires it in the TLS handshake of refunds,
//! red packets and similar calls.

use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer};

use super::decode;
use super::der::{Der, DerKind};
#[cfg(feature = "pkcs12")]
use super::secret::Secret;
use crate::error::Error;

/// The client certificate, its chain and its private key.
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Parses `apiclient_cert.pem` and `apiclient_key.pem`, each as PEM text, base64 or a `file://`
    /// URL.
    pub(crate) fn from_pem(cert: &str, key: &str) -> Result<Self, Error> {
        let chain = decode::certificates(cert).map_err(|reason| Error::config(format!("the certificate: {reason}")))?;
        let key = match decode::text(key, DerKind::PrivateKey)
            .map_err(|error| Error::config(format!("the key: {}", error.message())))?
        {
            Der::Pkcs8(der) => PrivatePkcs8KeyDer::from(der.to_vec()).into(),
            Der::Pkcs1(der) => PrivatePkcs1KeyDer::from(der.to_vec()).into(),
            Der::EncryptedPkcs8(_) => {
                return Err(Error::config(
                    "the key is protected by a passphrase: remove it with openssl pkcs8 -in key.pem -out plain.pem, or give \
                     the PKCS#12 file instead",
                ));
            }
            other => {
                return Err(Error::config(format!(
                    "the key: it is {} where apiclient_key.pem is needed",
                    other.name()
                )));
            }
        };
        Ok(Identity { chain, key })
    }

    /// Parses the contents of `apiclient_cert.p12`. Its passphrase is the merchant ID by default.
    #[cfg(feature = "pkcs12")]
    pub(crate) fn from_pkcs12(bytes: &[u8], passphrase: &Secret) -> Result<Self, Error> {
        use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
        let passphrase =
            std::str::from_utf8(passphrase.expose()).map_err(|_| Error::config("the passphrase is not UTF-8 text"))?;
        let store = KeyStore::from_pkcs12(bytes, passphrase, Pkcs12ImportPolicy::Relaxed).map_err(|source| {
            Error::config(
                "it is not a PKCS#12 file, or the passphrase is wrong: unless it was changed, it is the merchant ID",
            )
            .with_source(source)
        })?;
        let (_, chain) =
            store.private_key_chain().ok_or_else(|| Error::config("the PKCS#12 file contains no private key"))?;
        let certs: Vec<_> = chain.certs().iter().map(|cert| CertificateDer::from(cert.as_der().to_vec())).collect();
        if certs.is_empty() {
            return Err(Error::config("the PKCS#12 file contains no certificate for its key"));
        }
        Ok(Identity { chain: certs, key: PrivatePkcs8KeyDer::from(chain.key().as_der().to_vec()).into() })
    }
}
