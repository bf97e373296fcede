//! The settings of a client: the builder.
//!
//! To add a setting: a field of [`ClientBuilder`], its method, its use in `build`, and, where PHP's map has it, one line in
//! `settings.rs`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderValue;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tower::{Layer, Service};

use crate::call::Core;
use crate::certificates::Source;
use crate::client::Client;
use crate::connect::{Connector, Proxy};
use crate::crypto::{Apiv3Key, PrivateKey, PublicKey};
use crate::error::{BoxError, Error};
use crate::layer::sign::{Credential, LocalKey, Sign, Signer};
use crate::layer::verify::{Verifier, Verify};
use crate::layer::{self, BoxService, Wrap};
use crate::platform::{self, Platform, PlatformVerifier, public_key_id};
use crate::proto::target::Base;
use crate::transport::Transport;

/// The whole call's time, where neither builder nor call says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The time to get a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The settings of a [`Client`]. A wrong or missing one is reported by [`build`](Self::build), each with its own message.
///
/// Required are [`mchid`](Self::mchid), [`serial`](Self::serial) with [`private_key`](Self::private_key) (or a
/// [`signer`](Self::signer)), and at least one [`platform_key`](Self::platform_key) (or a [`verifier`](Self::verifier)).
#[must_use = "settings do nothing until build() makes a client of them"]
pub struct ClientBuilder {
    mchid: Option<String>,
    serial: Option<String>,
    private_key: Option<PrivateKey>,
    platform_keys: BTreeMap<String, PublicKey>,
    apiv3_key: Option<Apiv3Key>,
    refresh: Duration,
    signer: Option<Arc<dyn Signer>>,
    verifier: Option<Arc<dyn Verifier>>,
    layers: Vec<Wrap>,
    base_uri: Option<String>,
    timeout: Duration,
    connect_timeout: Duration,
    pub(crate) proxy: Proxy,
    roots: Vec<CertificateDer<'static>>,
    /// The first thing that was wrong.
    error: Option<Error>,
}

impl ClientBuilder {
    pub(crate) fn new() -> Self {
        ClientBuilder {
            mchid: None,
            serial: None,
            private_key: None,
            platform_keys: BTreeMap::new(),
            apiv3_key: None,
            refresh: platform::REFRESH,
            signer: None,
            verifier: None,
            layers: Vec::new(),
            base_uri: None,
            timeout: TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            proxy: Proxy::default(),
            roots: Vec::new(),
            error: None,
        }
    }

    /// The merchant id, such as `1900000109`.
    pub fn mchid(mut self, mchid: impl Into<String>) -> Self {
        self.mchid = Some(mchid.into());
        self
    }

    /// The serial number of the merchant certificate, in hexadecimal: `openssl x509 -in apiclient_cert.pem -noout -serial`.
    pub fn serial(mut self, serial: impl Into<String>) -> Self {
        self.serial = Some(serial.into());
        self
    }

    /// The merchant's private key (`apiclient_key.pem`): a [`PrivateKey`], PEM text, or `file://` and a path.
    pub fn private_key<K>(mut self, key: K) -> Self
    where
        K: TryInto<PrivateKey>,
        Error: From<K::Error>,
    {
        match key.try_into() {
            Ok(key) => self.private_key = Some(key),
            Err(error) => self.fail("private_key (privateKey)", &Error::from(error)),
        }
        self
    }

    /// A key of the platform, by which answers are verified: `PUB_KEY_ID_...` and `pub_key.pem`, or the serial number of a
    /// platform certificate and that certificate. Call it once for each key; while a merchant switches from certificates to
    /// the public key, both are needed.
    ///
    /// With one public key and nothing else, requests carry its id as `Wechatpay-Serial`.
    pub fn platform_key<K>(mut self, id: impl Into<String>, key: K) -> Self
    where
        K: TryInto<PublicKey>,
        Error: From<K::Error>,
    {
        let id = platform::normal_id(id.into());
        match key.try_into() {
            Ok(key) => {
                self.platform_keys.insert(id, key);
            }
            Err(error) => self.fail(&format!("platform_key (certs) {id:?}"), &Error::from(error)),
        }
        self
    }

    /// The APIv3 key, 32 bytes, as set on the merchant platform: an [`Apiv3Key`] or its text.
    ///
    /// With it the platform's certificates are fetched by themselves: when an answer names a serial number that is not known (one
    /// fetch for all calls that wait, and no more than one a minute), and twice a day in the background. Then no
    /// [`platform_key`](Self::platform_key) is needed; those that are given are used besides.
    pub fn apiv3_key<K>(mut self, key: K) -> Self
    where
        K: TryInto<Apiv3Key>,
        Error: From<K::Error>,
    {
        match key.try_into() {
            Ok(key) => self.apiv3_key = Some(key),
            Err(error) => self.fail("apiv3_key", &Error::from(error)),
        }
        self
    }

    /// How often the platform's certificates are fetched anew in the background; default 12 hours.
    pub fn refresh_certificates_every(mut self, time: Duration) -> Self {
        self.refresh = time;
        self
    }

    /// Where calls go; default `https://api.mch.weixin.qq.com/`. It must end with `/`. Plain `http` is for the local sandbox.
    pub fn base_uri(mut self, uri: impl Into<String>) -> Self {
        self.base_uri = Some(uri.into());
        self
    }

    /// The time of a whole call, from the verb to the last byte of the answer; default 30 s, zero for no limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The time to get a connection, TLS included; default 10 s, zero for no limit but that of the call.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The proxy for everything, such as `http://user:password@proxy.example:3128`; also `https`, `socks5` and `socks5h`.
    ///
    /// Without this setting `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` of the environment are used.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Proxy::All(url.into());
        self
    }

    /// No proxy, whatever the environment says.
    pub fn no_proxy(mut self) -> Self {
        self.proxy = Proxy::Off;
        self
    }

    /// Trusts a private authority besides the usual roots of the web: PEM text with one certificate or more, or `file://`.
    pub fn root_certificate(mut self, pem: &str) -> Self {
        match roots(pem) {
            Ok(roots) => self.roots.extend(roots),
            Err(said) => self.fail("root_certificate", &Error::config(said)),
        }
        self
    }

    /// Replaces the merchant's key by a signer of the caller's, such as a central signing service.
    pub fn signer(mut self, signer: impl Signer) -> Self {
        self.signer = Some(Arc::new(signer));
        self
    }

    /// Replaces the map of platform keys by a verifier of the caller's.
    pub fn verifier(mut self, verifier: impl Verifier) -> Self {
        self.verifier = Some(Arc::new(verifier));
        self
    }

    /// Adds a tower layer around signing and verification: it sees each request before it is signed, and each answer after it
    /// was verified. The layer added first is the outermost.
    ///
    /// ```
    /// use tower::util::MapRequestLayer;
    /// use wechatpay_chain::Client;
    ///
    /// let client = Client::builder().layer(MapRequestLayer::new(|request: http::Request<bytes::Bytes>| {
    ///     println!("{} {}", request.method(), request.uri().path());
    ///     request
    /// }));
    /// ```
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<BoxService> + Send + Sync + 'static,
        L::Service: Service<http::Request<Bytes>, Response = http::Response<Bytes>> + Clone + Send + Sync + 'static,
        <L::Service as Service<http::Request<Bytes>>>::Error: Into<BoxError>,
        <L::Service as Service<http::Request<Bytes>>>::Future: Send + 'static,
    {
        self.layers.push(layer::wrap(layer));
        self
    }

    fn fail(&mut self, setting: &str, error: &Error) {
        let error = Error::config(format!("the setting {setting}: {}", error.message()));
        self.error.get_or_insert(error);
    }

    /// Builds the client. No runtime is needed, and nothing is sent.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config): the first setting that is missing or wrong.
    pub fn build(mut self) -> Result<Client, Error> {
        let base = self.base()?;
        let merchant_key = self.private_key.clone();
        let sign = Sign(Arc::new(self.credential(&base)?));
        let connector = Connector::new(&self.proxy, &self.roots, self.connect_timeout)?;
        let transport = Transport::new(connector);
        let platform = self.checked_platform(&base, &sign, &transport, merchant_key.as_ref())?;
        let verifier = match (self.verifier.take(), &platform) {
            (Some(verifier), _) => verifier,
            (None, platform) => Arc::new(PlatformVerifier(Arc::clone(platform))),
        };
        let credential = Arc::clone(&sign.0);
        let stack = layer::stack(&self.layers, Verify(Arc::clone(&verifier)), sign, transport);
        Ok(Client::new(Core {
            credential,
            stack,
            base,
            timeout: self.timeout,
            platform,
            verifier,
            notifications: OnceLock::new(),
            merchant_key,
        }))
    }

    /// The checked `base_uri`, or the service's own.
    pub(crate) fn base(&mut self) -> Result<Base, Error> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        match &self.base_uri {
            Some(uri) => Base::parse(uri).map_err(|said| Error::config(format!("the setting base_uri: {said}"))),
            None => Ok(Base::official()),
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
    pub(crate) fn credential(&mut self, base: &Base) -> Result<Credential, Error> {
        let platform_key_id = self.platform_key_id();
        Ok(Credential {
            mchid: self.checked_mchid()?,
            signer: self.checked_signer()?,
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
        let missing = |setting: &str| Error::config(format!("the setting {setting}, or a signer instead"));
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
        base: &Base,
        sign: &Sign,
        transport: &Transport,
        merchant_key: Option<&PrivateKey>,
    ) -> Result<Arc<Platform>, Error> {
        let keys = std::mem::take(&mut self.platform_keys);
        let key = self.apiv3_key.take();
        if self.verifier.is_some() && !keys.is_empty() {
            return Err(Error::config(
                "the setting verifier replaces platform_key (certs): give either the one or the other",
            ));
        }
        if self.verifier.is_none() && keys.is_empty() && key.is_none() {
            return Err(Error::config(
                "the setting platform_key (certs) is missing: without WeChat Pay's public key or platform certificate no \
                 answer can be verified; give its id (PUB_KEY_ID_... or serial) and pub_key.pem or the certificate, or the \
                 apiv3_key, with which certificates are fetched",
            ));
        }
        for (id, key) in &keys {
            platform::check_id(id, key)
                .map_err(|said| Error::config(format!("the setting platform_key (certs) {id:?}: {said}")))?;
            let is_merchants = merchant_key.is_some_and(|merchant| merchant.public_key() == *key);
            if is_merchants || key.common_name() == Some(sign.0.mchid.as_str()) {
                return Err(Error::config(format!(
                    "the setting platform_key (certs) {id:?} is the merchant's own key or certificate: the platform's belongs there"
                )));
            }
        }
        let source = key.map(|key| Source {
            unverified: layer::unverified(sign.clone(), transport.clone()),
            base: base.clone(),
            key,
            every: self.refresh,
        });
        Ok(Platform::new(keys, source))
    }
}

fn roots(setting: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read;
    let pem = match setting.trim().strip_prefix("file://") {
        Some(path) if path.contains('\n') => return Err("what follows file:// is no path".to_owned()),
        Some(path) => {
            read = std::fs::read(path).map_err(|error| format!("the file {path:?} cannot be read ({error})"))?;
            &read[..]
        }
        None => setting.as_bytes(),
    };
    let roots: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match roots {
        Ok(roots) if !roots.is_empty() => Ok(roots),
        _ => Err("no certificate in PEM: it begins with the line -----BEGIN CERTIFICATE-----".to_owned()),
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("mchid", &self.mchid)
            .field(
                "serial",
                &self.serial.as_deref().filter(|serial| serial.bytes().all(|byte| byte.is_ascii_hexdigit())),
            )
            .field("private_key", &self.private_key)
            .field("platform_keys", &self.platform_keys.keys().collect::<Vec<_>>())
            .field("base_uri", &self.base_uri.as_deref().map(crate::proto::target::without_userinfo))
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}
