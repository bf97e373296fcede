//! From settings to a client: each one checked, each with its own message.

use std::sync::{Arc, OnceLock};

use http::header::HeaderValue;
use tokio::sync::Semaphore;

use super::builder::ClientBuilder;
use crate::client::Client;
use crate::client::inner::ClientInner;
use crate::crypto::Certificate;
use crate::crypto::PrivateKey;
use crate::error::Error;
use crate::pipeline::certificate_fetch::Source;
use crate::pipeline::platform_keys::{self, PlatformKeyVerifier, PlatformKeys, public_key_id};
use crate::pipeline::retry::RetryLayer;
use crate::pipeline::sign::{Credential, LocalKey, Sign, Signer};
use crate::pipeline::verify::Verify;
use crate::pipeline::{stack, v2 as v2_layer};
use crate::proto::base_uri::BaseUri;
use crate::proto::v2;
use crate::transport::connect::Connector;
use crate::transport::http_client::Transport;

impl ClientBuilder {
    /// Builds the client. No runtime is needed, and nothing is sent.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config): the first setting that is missing or wrong.
    pub fn build(mut self) -> Result<Client, Error> {
        let base = self.base()?;
        let merchant_key = self.private_key.clone();
        let contained = self.layers.is_empty() && self.signer.is_none() && self.verifier.is_none();
        let has_apiv2_key = self.secret.is_some();
        let sign = Sign(Arc::new(self.credential(&base, has_apiv2_key)?));
        let v2 = Arc::new(v2_layer::Settings { credential: self.apiv2(&sign.0.mchid)?, base: base.clone() });
        let transport = self.transport(&sign.0.mchid)?;
        let failover = RetryLayer::new(base.clone(), self.backup(&base)?, self.retry);
        let platform = self.checked_platform(&base, &failover, &sign, &transport, merchant_key.as_ref())?;
        let verifier = match (self.verifier.take(), &platform) {
            (Some(verifier), _) => verifier,
            (None, platform) => Arc::new(PlatformKeyVerifier(Arc::clone(platform))),
        };
        let credential = Arc::clone(&sign.0);
        let stack = stack::stack(
            &self.layers,
            failover,
            v2_layer::V2(Arc::clone(&v2)),
            Verify(Arc::clone(&verifier)),
            sign,
            transport,
        );
        Ok(Client::new(ClientInner {
            credential,
            v2,
            stack,
            base,
            timeout: self.timeout,
            turns: Semaphore::new(match self.concurrency {
                0 => Semaphore::MAX_PERMITS,
                some => some.min(Semaphore::MAX_PERMITS),
            }),
            platform,
            verifier,
            notifications: OnceLock::new(),
            contained,
            merchant_key,
        }))
    }

    fn transport(&mut self, mchid: &str) -> Result<Transport, Error> {
        let connector = Connector::new(&self.proxy, &self.roots, self.connect_timeout)?;
        if let Some(identity) = self.identity.take() {
            let name = identity.chain.first().and_then(|certificate| Certificate::from_der(certificate).ok());
            let name = name.as_ref().and_then(Certificate::common_name);
            // The merchant's certificate is named by its id; a private gateway may have names of its own.
            if name
                .is_some_and(|name| name != mchid && !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()))
            {
                return Err(Error::config(format!(
                    "the setting merchant: the certificate is of the merchant {:?}, and the client of {mchid:?}",
                    name.unwrap_or_default()
                )));
            }
            let presenting = connector
                .presenting(&self.roots, identity)
                .map_err(|error| Error::config(format!("the setting merchant: {}", error.message())))?;
            return Ok(Transport::new(connector).secured(presenting));
        }
        Ok(Transport::new(connector))
    }

    /// The merchant's id and APIv2 key, where there is one.
    pub(crate) fn apiv2(&mut self, mchid: &str) -> Result<Option<v2::Credential>, Error> {
        let credential = self.secret.take().map(|secret| v2::Credential::new(mchid, secret));
        credential.transpose().map_err(|said| Error::config(format!("the setting secret {said}")))
    }

    /// Whether a client with an APIv2 key is for APIv2 alone.
    fn has_nothing_of_v3(&self) -> bool {
        self.private_key.is_none() && self.serial.is_none() && self.signer.is_none() && self.platform_keys.is_empty()
    }

    /// The checked backup host.
    fn backup(&self, base: &BaseUri) -> Result<Option<BaseUri>, Error> {
        let given = match &self.backup_uri {
            None if *base == BaseUri::official() => BaseUri::BACKUP,
            None | Some(None) => return Ok(None),
            Some(Some(given)) => given,
        };
        let backup = BaseUri::parse(given).map_err(|said| Error::config(format!("the setting backup_uri: {said}")))?;
        if let Some(said) = backup.backup_problem(base) {
            return Err(Error::config(format!("the setting backup_uri {said}")));
        }
        Ok(Some(backup))
    }

    /// The checked `base_uri`, or the service's own.
    pub(crate) fn base(&mut self) -> Result<BaseUri, Error> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        match &self.base_uri {
            Some(uri) => BaseUri::parse(uri).map_err(|said| Error::config(format!("the setting base_uri: {said}"))),
            None => Ok(BaseUri::official()),
        }
    }

    /// The id of the platform's public key, in public-key mode.
    pub(crate) fn platform_key_id(&self) -> Option<HeaderValue> {
        match (&self.verifier, public_key_id(&self.platform_keys)) {
            (None, Some(id)) => HeaderValue::from_str(id).ok(),
            _ => None,
        }
    }

    /// What signs; the keys that verify are not needed for it.
    pub(crate) fn credential(&mut self, base: &BaseUri, has_apiv2_key: bool) -> Result<Credential, Error> {
        let platform_key_id = self.platform_key_id();
        Ok(Credential {
            mchid: self.checked_mchid()?,
            signer: if has_apiv2_key && self.has_nothing_of_v3() { None } else { Some(self.checked_signer()?) },
            base: base.clone(),
            platform_key_id,
        })
    }

    fn checked_mchid(&mut self) -> Result<String, Error> {
        let mchid =
            self.mchid.take().filter(|mchid| !mchid.is_empty()).ok_or_else(|| {
                Error::config("the setting mchid is missing: the merchant id, such as \"1900000109\"")
            })?;
        if !mchid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Error::config(
                "the setting mchid holds more than letters and digits: give the merchant id alone",
            ));
        }
        Ok(mchid)
    }

    fn checked_signer(&mut self) -> Result<Arc<dyn Signer>, Error> {
        let missing = |setting: &str| {
            Error::config(format!(
                "the setting {setting}, or a signer instead; a merchant with APIv2 alone gives the secret"
            ))
        };
        match (self.signer.take(), self.private_key.take(), self.serial.take()) {
            (Some(signer), None, None) => Ok(signer),
            (Some(_), ..) => Err(Error::config(
                "the setting signer replaces private_key and serial: give either the one or the others",
            )),
            (None, None, _) => Err(missing("private_key (privateKey) is missing: the merchant's apiclient_key.pem")),
            (None, _, None) => {
                Err(missing("serial is missing: the serial number of the merchant certificate apiclient_cert.pem"))
            }
            (None, Some(key), Some(serial)) => {
                if serial.is_empty() || serial.len() > 64 || !serial.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(Error::config(format!(
                        "the setting serial is no hexadecimal number ({} characters): take it from \
                         openssl x509 -in apiclient_cert.pem -noout -serial, without \"serial=\" and colons",
                        serial.chars().count()
                    )));
                }
                if self.platform_keys.keys().any(|id| id.eq_ignore_ascii_case(&serial)) {
                    return Err(Error::config(
                        "the setting platform_key (certs) holds the merchant's own serial: the platform's certificate or \
                         public key belongs there, not apiclient_cert.pem",
                    ));
                }
                Ok(Arc::new(LocalKey { serial: serial.to_ascii_uppercase().into(), key }))
            }
        }
    }

    fn checked_platform(
        &mut self,
        base: &BaseUri,
        failover: &RetryLayer,
        sign: &Sign,
        transport: &Transport,
        merchant_key: Option<&PrivateKey>,
    ) -> Result<Arc<PlatformKeys>, Error> {
        let keys = std::mem::take(&mut self.platform_keys);
        let key = self.apiv3_key.take();
        if self.verifier.is_some() && !keys.is_empty() {
            return Err(Error::config(
                "the setting verifier replaces platform_key (certs): give either the one or the other",
            ));
        }
        if self.verifier.is_none() && keys.is_empty() && key.is_none() && sign.0.signer.is_some() {
            return Err(Error::config(
                "the setting platform_key (certs) is missing: without WeChat Pay's public key or platform certificate no \
                 answer can be verified; give its id (PUB_KEY_ID_... or serial) and pub_key.pem or the certificate, or the \
                 apiv3_key, with which certificates are fetched",
            ));
        }
        for (id, key) in &keys {
            platform_keys::check_id(id, key)
                .map_err(|said| Error::config(format!("the setting platform_key (certs) {id:?}: {said}")))?;
            let is_merchants = merchant_key.is_some_and(|merchant| merchant.public_key() == *key);
            if is_merchants || key.common_name() == Some(sign.0.mchid.as_str()) {
                return Err(Error::config(format!(
                    "the setting platform_key (certs) {id:?} is the merchant's own key or certificate: the platform's belongs there"
                )));
            }
        }
        let source = key.map(|key| Source {
            unverified: stack::unverified(failover.clone(), sign.clone(), transport.clone()),
            base: base.clone(),
            key,
            every: self.refresh,
        });
        Ok(PlatformKeys::new(keys, source))
    }
}
