//! The builder that collects the settings of a client. `build.rs` checks them and builds the
//! client.
//!
//! A new setting needs a field of [`ClientBuilder`], its method, its use in `build.rs`, and a line
//! in `factory.rs` if [`Client::factory`](crate::Client::factory) supports it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls_pki_types::CertificateDer;
use tower::{Layer, Service};

use crate::crypto::identity::Identity;
use crate::crypto::secret::Secret;
use crate::crypto::{Apiv3Key, PrivateKey, PublicKey, decode};
use crate::error::{BoxError, Error};
use crate::pipeline::call_config::Retry;
use crate::pipeline::sign::Signer;
use crate::pipeline::stack::{self, BoxLayer, BoxService};
use crate::pipeline::verify::Verifier;
use crate::pipeline::{platform_key_id, platform_keys};
use crate::proto::excerpt;
use crate::store::Store;
use crate::transport::http_client::HttpClient;
use crate::transport::pool::PoolConfig;
use crate::transport::proxy::Proxy;

/// The default time limit of a call.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The default time limit for a connection.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The default number of concurrent calls. WeChat Pay responds within about 50 to 200 ms, so 512
/// concurrent calls are more than one core can sign. They use half of the 1,024 file descriptors
/// that a process usually has.
const CONCURRENCY: usize = 512;

/// A builder for a [`Client`](crate::Client). Its methods do not fail. Instead,
/// [`build`](Self::build) returns an error if a setting is missing or invalid.
///
/// The required settings are:
///
/// - [`mchid`](Self::mchid)
/// - to sign requests: [`serial`](Self::serial) and [`private_key`](Self::private_key), or a
///   [`signer`](Self::signer)
/// - to verify responses: a [`platform_key`](Self::platform_key), the
///   [`apiv3_key`](Self::apiv3_key) for downloading the certificates, or a
///   [`verifier`](Self::verifier)
///
/// A client that only calls APIv2 needs only `mchid` and [`secret`](Self::secret).
///
/// ```
/// use std::time::Duration;
/// use wechatpay_chain::Client;
/// # use wechatpay_chain::sandbox::{PUBLIC_KEY_ID, SERIAL, Sandbox};
/// # let sandbox = Sandbox::start()?;
/// # let (private_key, pub_key) = (sandbox.merchant_key(), sandbox.platform_key());
///
/// let client = Client::builder()
///     .mchid("1900000109")
///     .serial(SERIAL) // of apiclient_cert.pem
///     .private_key(private_key) // or "file:///etc/wechatpay/apiclient_key.pem"
///     .platform_key(PUBLIC_KEY_ID, pub_key) // or "file:///etc/wechatpay/pub_key.pem"
///     .timeout(Duration::from_secs(10))
///     .build()?;
///
/// let error = Client::builder().mchid("1900000109").build().unwrap_err();
/// assert_eq!(error.kind(), wechatpay_chain::ErrorKind::Config);
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[must_use = "settings have no effect until build() is called"]
pub struct ClientBuilder {
    pub(super) mchid: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) private_key: Option<PrivateKey>,
    pub(super) platform_keys: BTreeMap<String, PublicKey>,
    pub(super) apiv3_key: Option<Apiv3Key>,
    pub(super) secret: Option<Secret>,
    pub(super) identity: Option<Identity>,
    pub(super) refresh: Duration,
    pub(super) certificate_store: Option<Arc<dyn Store>>,
    pub(super) signer: Option<Arc<dyn Signer>>,
    pub(super) verifier: Option<Arc<dyn Verifier>>,
    pub(super) layers: Vec<BoxLayer>,
    pub(super) base_uri: Option<String>,
    /// `None`: the default backup host, if `base_uri` is the default. `Some(None)`: no backup host.
    pub(super) backup_uri: Option<Option<String>>,
    pub(crate) retry: Retry,
    pub(super) timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) concurrency: usize,
    pub(super) pool: PoolConfig,
    /// The connections of another client, which this one shares.
    pub(super) shared: Option<HttpClient>,
    pub(crate) proxy: Proxy,
    pub(super) roots: Vec<CertificateDer<'static>>,
    #[cfg(feature = "catalog")]
    pub(super) catalog: crate::client::checks::Checks,
    /// The first error in the settings, which `build` returns.
    pub(super) error: Option<Error>,
}

impl ClientBuilder {
    pub(crate) fn new() -> Self {
        ClientBuilder {
            mchid: None,
            serial: None,
            private_key: None,
            platform_keys: BTreeMap::new(),
            apiv3_key: None,
            secret: None,
            identity: None,
            refresh: platform_keys::REFRESH_INTERVAL,
            certificate_store: None,
            signer: None,
            verifier: None,
            layers: Vec::new(),
            base_uri: None,
            backup_uri: None,
            retry: Retry::default(),
            timeout: TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            concurrency: CONCURRENCY,
            pool: PoolConfig::default(),
            shared: None,
            proxy: Proxy::default(),
            roots: Vec::new(),
            #[cfg(feature = "catalog")]
            catalog: Default::default(),
            error: None,
        }
    }

    /// Sets the merchant ID, such as `1900000109`.
    pub fn mchid(mut self, mchid: impl Into<String>) -> Self {
        self.mchid = Some(mchid.into());
        self
    }

    /// Sets the serial number of the merchant certificate, as hexadecimal digits. `openssl x509 -in
    /// apiclient_cert.pem -noout -serial` prints it.
    pub fn serial(mut self, serial: impl Into<String>) -> Self {
        self.serial = Some(serial.into());
        self
    }

    /// Sets the merchant's private key (`apiclient_key.pem`): a [`PrivateKey`], PEM text, or
    /// `file://` followed by a path.
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

    /// Adds a platform key, which verifies responses. `id` is `PUB_KEY_ID_...` for the public key
    /// in `pub_key.pem`, or the serial number for a platform certificate. `key` is a [`PublicKey`],
    /// PEM text, or `file://` followed by a path. Call this method once for each key. During the
    /// switch from certificates to the public key, both are needed.
    ///
    /// If the only platform key is a public key, requests carry its ID in the header
    /// `Wechatpay-Serial`.
    pub fn platform_key<K>(mut self, id: impl Into<String>, key: K) -> Self
    where
        K: TryInto<PublicKey>,
        Error: From<K::Error>,
    {
        let id = platform_key_id::normalize_id(id.into());
        if !platform_key_id::is_id(&id) {
            // The ID and the key may be exchanged, so neither is kept.
            let reason = if id.is_empty() { platform_key_id::EMPTY_ID } else { platform_key_id::NOT_AN_ID };
            self.fail("platform_key (certs)", &Error::config(reason));
            return self;
        }
        match key.try_into() {
            Ok(key) => {
                self.platform_keys.insert(id, key);
            }
            Err(error) => self.fail(&format!("platform_key (certs) {id:?}"), &Error::from(error)),
        }
        self
    }

    /// Sets the APIv3 key: an [`Apiv3Key`] or its text. You choose this key of 32 bytes on the
    /// merchant platform.
    ///
    /// With this key, the client downloads the platform certificates automatically, and
    /// [`platform_key`](Self::platform_key) is not required. The client downloads them when a
    /// response names an unknown serial number, and every 12 hours in the background. Concurrent
    /// calls share one download, and unknown serial numbers cause at most one download a minute.
    /// Keys added with `platform_key` are used in addition.
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

    /// Sets the APIv2 key, which you choose on the merchant platform. It signs the requests and
    /// verifies the responses of calls whose path begins with `v2/`.
    ///
    /// If the client makes no other calls, neither [`private_key`](Self::private_key) nor
    /// [`platform_key`](Self::platform_key) is required.
    pub fn secret(mut self, apiv2_key: impl Into<Secret>) -> Self {
        self.secret = Some(apiv2_key.into());
        self
    }

    /// Sets the merchant certificate (`apiclient_cert.pem`) and its key (`apiclient_key.pem`), each
    /// as PEM text or `file://` followed by a path. APIv2 calls with the option `security` present
    /// this certificate in the TLS handshake. With the feature `pkcs12`, `merchant_pkcs12` accepts
    /// `apiclient_cert.p12` instead.
    pub fn merchant_certificate(mut self, cert: impl AsRef<str>, key: impl AsRef<str>) -> Self {
        self.set_identity(Identity::from_pem(cert.as_ref(), key.as_ref()));
        self
    }

    /// Sets the merchant certificate and its key from `apiclient_cert.p12`, which contains both.
    /// `pkcs12` is the contents of the file. Its default passphrase is the merchant ID. Requires
    /// the feature `pkcs12`.
    #[cfg(feature = "pkcs12")]
    pub fn merchant_pkcs12(mut self, pkcs12: &[u8], passphrase: impl Into<Secret>) -> Self {
        self.set_identity(Identity::from_pkcs12(pkcs12, &passphrase.into()));
        self
    }

    fn set_identity(&mut self, identity: Result<Identity, Error>) {
        match identity {
            Ok(identity) => self.identity = Some(identity),
            Err(error) => self.fail("merchant", &error),
        }
    }

    /// Shares downloads of the platform certificates with other processes of the merchant: if
    /// several need the same certificates at once, one of them downloads them. The store keeps the
    /// encrypted response for a minute, and each process verifies it.
    pub fn certificate_store(mut self, store: impl Store) -> Self {
        self.certificate_store = Some(Arc::new(store));
        self
    }

    /// Sets the interval between background downloads of the platform certificates. The default is
    /// 12 hours. It only has an effect with an [`apiv3_key`](Self::apiv3_key).
    pub fn refresh_certificates_every(mut self, time: Duration) -> Self {
        self.refresh = time;
        self
    }

    /// Sets the URL to which the paths of calls are appended. It must end with `/`. The default is
    /// `https://api.mch.weixin.qq.com/`. WeChat Pay's own hosts require `https`.
    pub fn base_uri(mut self, uri: impl Into<String>) -> Self {
        self.base_uri = Some(uri.into());
        self
    }

    /// Sets the backup host. If no connection to `base_uri` can be made, nothing has been sent, so
    /// the call is signed anew and sent to this host. If `base_uri` is the default, the default
    /// backup host is `https://api2.wechatpay.cn/`; otherwise there is none.
    /// [`Response::is_from_backup`](crate::Response::is_from_backup) returns whether the backup
    /// host responded.
    pub fn backup_uri(mut self, uri: impl Into<String>) -> Self {
        self.backup_uri = Some(Some(uri.into()));
        self
    }

    /// Disables the backup host.
    pub fn no_backup(mut self) -> Self {
        self.backup_uri = Some(None);
        self
    }

    /// Sets the maximum number of retries of each call after a connection error, 429 or 5xx, from 0
    /// to 10. The default is 0. Each attempt is signed anew and carries the same body. The pause
    /// before the first retry is half a second and doubles for each further retry, unless the
    /// response has a `Retry-After` header.
    ///
    /// **This also retries calls that change something.** Enable retries only if each such call
    /// carries your own order or refund number, such as `out_trade_no` or `out_refund_no`, because
    /// WeChat Pay processes each number only once. The option `retry` enables retries for a single
    /// call:
    ///
    /// ```
    /// # use serde_json::json;
    /// # use wechatpay_chain::sandbox::{Fault, Sandbox};
    /// # let sandbox = Sandbox::start()?;
    /// # let client = sandbox.client()?;
    /// # sandbox.inject(Fault::from_name("bad-gateway")?);
    /// let order = client.chain("v3/pay/transactions/native").post(json!({
    ///     "retry": { "times": 2, "pause": 0.1 },
    ///     "json": {
    ///         "appid": "wxd678efh567hg6787",
    ///         "mchid": "1900000109",
    ///         "description": "a book",
    ///         "out_trade_no": "order-1",
    ///         "notify_url": "https://example.com/notify",
    ///         "amount": { "total": 100 },
    ///     },
    /// }))?;
    /// assert_eq!(order.attempts(), 2); // the first response was a 502
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    pub fn retry(mut self, times: u32) -> Self {
        self.retry = Retry::times(times);
        self
    }

    /// Sets the time limit for a whole call, from the start of the call to the last byte of the
    /// response. The default is 30 s; zero means no limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the time limit for connecting, including the TLS handshake. The default is 10 s; with
    /// zero, only the time limit of the call applies.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the maximum number of concurrent calls of this client and its clones. The default is
    /// 512; zero means no limit. Each concurrent call uses one connection, which takes one file
    /// descriptor and about 30 KiB.
    ///
    /// Further calls wait for a permit. The wait counts toward their `timeout`; they are signed
    /// after it. A call keeps its permit until it ends, including its retries and writing to a
    /// `sink`. A call with `stream` releases its permit when it has received the head of the
    /// response.
    ///
    /// A waiting call times out if the calls that hold the permits cannot finish while it waits.
    /// This happens if:
    ///
    /// - the waiting call is synchronous and blocks the thread that drives those calls;
    /// - a [`layer`](Self::layer) makes the waiting call with the same client, instead of a second
    ///   client;
    /// - the futures of those calls have been polled but are not polled any more.
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = calls;
        self
    }

    /// Sets the proxy for all calls, such as `http://user:password@proxy.example:3128`. The
    /// supported schemes are `http`, `https`, `socks5` and `socks5h`.
    ///
    /// By default, the proxy is read from the environment variables `HTTPS_PROXY`, `HTTP_PROXY`,
    /// `ALL_PROXY` and `NO_PROXY`.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Proxy::All(url.into());
        self
    }

    /// Disables proxies, including those in the environment.
    pub fn no_proxy(mut self) -> Self {
        self.proxy = Proxy::Off;
        self
    }

    /// Trusts a private certificate authority in addition to the public ones, and to those in the
    /// file that the environment variable `SSL_CERT_FILE` names. `pem` is PEM text with one or more
    /// certificates, or `file://` followed by a path.
    pub fn root_certificate(mut self, pem: impl AsRef<str>) -> Self {
        match decode::certificates(pem.as_ref()) {
            Ok(roots) => self.roots.extend(roots),
            Err(reason) => self.fail("root_certificate", &Error::config(reason)),
        }
        self
    }

    /// Replaces [`private_key`](Self::private_key) and [`serial`](Self::serial) with a custom
    /// signer, such as a client of a central signing service. [`Signer`] has an example.
    pub fn signer(mut self, signer: impl Signer) -> Self {
        self.signer = Some(Arc::new(signer));
        self
    }

    /// Replaces the platform keys with a custom verifier. [`Verifier`] has an example.
    pub fn verifier(mut self, verifier: impl Verifier) -> Self {
        self.verifier = Some(Arc::new(verifier));
        self
    }

    /// Adds a tower layer around signing and verification. The layer sees each request before it is
    /// signed, and each response after it is verified. The layer added first is the outermost.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use tower::util::MapRequestLayer;
    /// use wechatpay_chain::Client;
    ///
    /// let log = MapRequestLayer::new(|request: http::Request<Bytes>| {
    ///     println!("{} {}", request.method(), request.uri().path());
    ///     request
    /// });
    /// let client = Client::builder().layer(log);
    /// ```
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<BoxService> + Send + Sync + 'static,
        L::Service: Service<http::Request<Bytes>, Response = http::Response<Bytes>> + Clone + Send + Sync + 'static,
        <L::Service as Service<http::Request<Bytes>>>::Error: Into<BoxError>,
        <L::Service as Service<http::Request<Bytes>>>::Future: Send + 'static,
    {
        self.layers.push(stack::boxed_layer(layer));
        self
    }

    /// Stores the first error.
    fn fail(&mut self, setting: &str, error: &Error) {
        let error = Error::config(format!("the setting {setting}: {}", error.message()));
        self.error.get_or_insert(error);
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("mchid", &self.mchid.as_deref().filter(|mchid| excerpt::is_name(mchid)))
            .field("serial", &self.serial.as_deref().filter(|serial| platform_key_id::is_id(serial)))
            .field("private_key", &self.private_key)
            .field("platform_keys", &self.platform_keys.keys().collect::<Vec<_>>())
            .field("base_uri", &self.base_uri.as_deref().map(crate::proto::url::without_userinfo))
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}
