//! Checks the settings, with a separate error message for each, and builds the client.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use http::header::HeaderValue;

use crate::client::Client;
use crate::client::builder::ClientBuilder;
use crate::client::inner::ClientInner;
use crate::crypto::certificate::is_decimal_serial;
use crate::crypto::{Certificate, PrivateKey, PublicKey};
use crate::error::Error;
use crate::pipeline::certificate_fetch::CertificateSource;
use crate::pipeline::http_service::HttpService;
use crate::pipeline::platform_key_id::{self, names_merchant, names_public_key};
use crate::pipeline::platform_keys::{PlatformKeyVerifier, PlatformKeys, public_key_id};
use crate::pipeline::retry::RetryLayer;
use crate::pipeline::send::Pipeline;
use crate::pipeline::shared_download::SharedDownload;
use crate::pipeline::sign::{Credential, LocalSigner, SignLayer, Signer, is_merchant_id};
use crate::pipeline::stack;
use crate::pipeline::verify::VerifyLayer;
use crate::proto::base_uri::BaseUri;
use crate::proto::v2;
use crate::transport::connect::Connector;
use crate::transport::http_client::HttpClient;

fn empty(setting: &str) -> Error {
    Error::config(format!("the setting {setting} is empty: is the environment variable set?"))
}

impl ClientBuilder {
    /// Builds the client. This does not require a runtime and does not send anything.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config) if a setting is missing or
    /// invalid. The message names the first such setting.
    pub fn build(mut self) -> Result<Client, Error> {
        #[cfg(feature = "metrics")]
        crate::pipeline::metrics::describe();
        let base_uri = self.checked_base_uri()?;
        let (merchant_key, merchant_serial) = (self.private_key.clone(), self.serial.clone());
        let credential = Arc::new(self.credential(&base_uri)?);
        let sign = SignLayer(Arc::clone(&credential));
        let retry = RetryLayer::new(base_uri.clone(), self.checked_backup_uri(&base_uri)?, self.retry);
        let http_client = self.http_client(&credential.mchid)?;
        let http = HttpService::new(http_client.clone());
        let source = self.apiv3_key.take().map(|key| CertificateSource {
            service: stack::stack_without_verification(retry.clone(), sign.clone(), http.clone()),
            base_uri: base_uri.clone(),
            key,
            refresh_interval: self.refresh,
            shared: self.certificate_store.take().map(|store| {
                let key = format!("certificates:{}:{}", credential.mchid, self.base_uri.as_deref().unwrap_or_default());
                SharedDownload { store, key }
            }),
        });
        let keys = self.checked_platform_keys(&credential, source.is_some(), merchant_key.as_ref())?;
        let platform_keys = PlatformKeys::new(keys, source, merchant_serial);
        let verifier = match self.verifier.take() {
            Some(verifier) => verifier,
            None => Arc::new(PlatformKeyVerifier(Arc::clone(&platform_keys))),
        };
        let verify = VerifyLayer { verifier: Arc::clone(&verifier), credential: Arc::clone(&credential) };
        let stack = stack::stack(&self.layers, retry, verify, sign, http);
        Ok(Client::from_inner(ClientInner {
            pipeline: Pipeline::new(stack, self.concurrency),
            credential,
            base_uri,
            timeout: self.timeout,
            platform_keys,
            verifier,
            http: http_client,
            notifications: OnceLock::new(),
            notifications_v2: OnceLock::new(),
            merchant_key,
            #[cfg(feature = "catalog")]
            checks: self.catalog,
        }))
    }

    fn http_client(&mut self, mchid: &str) -> Result<HttpClient, Error> {
        let client = match self.shared_connections()? {
            Some(shared) => shared,
            None => HttpClient::new(Connector::new(&self.proxy, &self.roots, self.connect_timeout)?, self.pool),
        };
        let Some(identity) = self.identity.take() else { return Ok(client) };
        let certificate = identity.chain.first().and_then(|certificate| Certificate::from_der(certificate).ok());
        let name = certificate.as_ref().and_then(Certificate::common_name).unwrap_or_default();
        // The certificate of a private gateway may have any name.
        if names_merchant(name) && name != mchid {
            return Err(Error::config(format!(
                "the setting merchant: the certificate belongs to the merchant {name:?}, and the client to {mchid:?}"
            )));
        }
        client
            .with_certificate(identity)
            .map_err(|error| Error::config(format!("the setting merchant: {}", error.message())))
    }

    /// Whether all settings of APIv3 are absent, so that the client can only call APIv2.
    fn is_without_v3(&self) -> bool {
        self.private_key.is_none() && self.serial.is_none() && self.signer.is_none() && self.platform_keys.is_empty()
    }

    /// The backup host.
    fn checked_backup_uri(&self, base: &BaseUri) -> Result<Option<BaseUri>, Error> {
        let given = match &self.backup_uri {
            None if *base == BaseUri::official() => BaseUri::BACKUP,
            None | Some(None) => return Ok(None),
            Some(Some(given)) => given,
        };
        let backup =
            BaseUri::parse(given).map_err(|reason| Error::config(format!("the setting backup_uri: {reason}")))?;
        if let Some(reason) = backup.backup_problem(base) {
            return Err(Error::config(format!("the setting backup_uri {reason}")));
        }
        Ok(Some(backup))
    }

    /// The `base_uri`, or WeChat Pay's base URI by default.
    pub(crate) fn checked_base_uri(&mut self) -> Result<BaseUri, Error> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        match &self.base_uri {
            Some(uri) => BaseUri::parse(uri).map_err(|reason| Error::config(format!("the setting base_uri: {reason}"))),
            None => Ok(BaseUri::official()),
        }
    }

    /// The ID of the platform's public key, in public-key mode.
    pub(crate) fn platform_key_id(&self) -> Option<HeaderValue> {
        match (&self.verifier, public_key_id(&self.platform_keys)) {
            (None, Some(id)) => HeaderValue::from_str(id).ok(),
            _ => None,
        }
    }

    /// The credentials that sign requests. They do not depend on platform keys.
    pub(crate) fn credential(&mut self, base_uri: &BaseUri) -> Result<Credential, Error> {
        let platform_key_id = self.platform_key_id();
        let mchid = self.checked_mchid()?;
        let apiv2 = self.secret.take().map(|secret| v2::Apiv2Credential::new(mchid.as_str(), secret)).transpose();
        let apiv2 = apiv2.map_err(|reason| Error::config(format!("the setting secret {reason}")))?;
        let is_own_signer = self.signer.is_some();
        let signer = if apiv2.is_some() && self.is_without_v3() { None } else { Some(self.checked_signer()?) };
        Ok(Credential { mchid, signer, is_own_signer, apiv2, base_uri: base_uri.clone(), platform_key_id })
    }

    fn checked_mchid(&mut self) -> Result<String, Error> {
        let mchid = self
            .mchid
            .take()
            .ok_or_else(|| Error::config("the setting mchid is missing: the merchant ID, such as \"1900000109\""))?;
        if mchid.is_empty() {
            return Err(empty("mchid"));
        }
        if !is_merchant_id(&mchid) {
            return Err(Error::config(
                "the setting mchid contains characters other than letters and digits: give only the merchant ID",
            ));
        }
        Ok(mchid)
    }

    fn checked_signer(&mut self) -> Result<Arc<dyn Signer>, Error> {
        let missing = |setting: &str| {
            Error::config(format!("the setting {setting}, or a signer in its place; for APIv2 alone give the secret"))
        };
        match (self.signer.take(), self.private_key.take(), self.serial.take()) {
            (Some(signer), None, None) => Ok(signer),
            (Some(_), ..) => {
                Err(Error::config("the setting signer replaces private_key and serial: give one or the other"))
            }
            (None, None, _) => Err(missing("private_key (privateKey) is missing: the merchant's apiclient_key.pem")),
            (None, _, None) => {
                Err(missing("serial is missing: the serial number of the merchant certificate apiclient_cert.pem"))
            }
            (None, Some(_), Some(serial)) if serial.is_empty() => Err(empty("serial")),
            (None, Some(key), Some(serial)) => {
                if names_public_key(&serial) {
                    return Err(Error::config(
                        "the setting serial is the ID of WeChat Pay's public key, which belongs in platform_key (certs): give the serial \
                         number of the merchant certificate, from openssl x509 -in apiclient_cert.pem -noout -serial",
                    ));
                }
                if is_decimal_serial(&serial) {
                    return Err(Error::config(format!(
                        "the setting serial is a decimal number ({} digits): give the serial number in hexadecimal, from \
                         openssl x509 -in apiclient_cert.pem -noout -serial",
                        serial.len()
                    )));
                }
                if serial.len() > 64 || !serial.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(Error::config(format!(
                        "the setting serial is not a hexadecimal number ({} characters): take it from \
                         openssl x509 -in apiclient_cert.pem -noout -serial, without \"serial=\" and colons",
                        serial.chars().count()
                    )));
                }
                let same_id = self.platform_keys.iter().find(|(id, _)| id.eq_ignore_ascii_case(&serial));
                if let Some((_, platform_key)) = same_id {
                    let is_merchants = key.public_key() == *platform_key;
                    return Err(Error::config(match platform_key.common_name() {
                        Some(name) if !is_merchants && !names_merchant(name) => {
                            "the setting serial is the serial number of the platform certificate: give that of apiclient_cert.pem"
                        }
                        _ => {
                            "the setting platform_key (certs) has the merchant's own serial number: give the platform's certificate or \
                             public key there, not apiclient_cert.pem"
                        }
                    }));
                }
                Ok(Arc::new(LocalSigner { serial: serial.to_ascii_uppercase().into(), key }))
            }
        }
    }

    fn checked_platform_keys(
        &mut self,
        credential: &Credential,
        has_source: bool,
        merchant_key: Option<&PrivateKey>,
    ) -> Result<BTreeMap<String, PublicKey>, Error> {
        let keys = std::mem::take(&mut self.platform_keys);
        if self.verifier.is_some() && !keys.is_empty() {
            return Err(Error::config("the setting verifier replaces platform_key (certs): give one or the other"));
        }
        if self.verifier.is_none() && keys.is_empty() && !has_source && credential.signer.is_some() {
            return Err(Error::config(
                "the setting platform_key (certs) is missing: without WeChat Pay's public key or platform certificate no \
                 response can be verified; give its ID (PUB_KEY_ID_... or serial number) and pub_key.pem or the certificate, or the \
                 apiv3_key, with which certificates are fetched",
            ));
        }
        for (id, key) in &keys {
            let is_merchants = merchant_key.is_some_and(|merchant| merchant.public_key() == *key);
            if is_merchants || key.common_name() == Some(credential.mchid.as_str()) {
                return Err(Error::config(format!(
                    "the setting platform_key (certs) {id:?} is the merchant's own key or certificate: give the platform's there"
                )));
            }
            platform_key_id::validate_id(id, key)
                .map_err(|reason| Error::config(format!("the setting platform_key (certs) {id:?}: {reason}")))?;
        }
        Ok(keys)
    }
}
