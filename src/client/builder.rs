//! The settings of a client: the builder.
//!
//! To add a setting: a field of [`ClientBuilder`], its method, its use in `build.rs`, and, where
//! PHP's map has it, one line in `php.rs`.

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
use crate::pipeline::platform_keys;
use crate::pipeline::sign::{CallersSigner, Signer};
use crate::pipeline::stack::{self, BoxLayer, BoxService};
use crate::pipeline::verify::{CallersVerifier, Verifier};
use crate::transport::proxy::Proxy;

/// The whole call's time, where neither builder nor call says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The time to get a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Calls at once. WeChat Pay answers in some 50 to 200 ms, so that these are more than a core can
/// sign, and they leave half of the 1,024 file descriptors that a process usually has.
const CONCURRENCY: usize = 512;

/// The settings of a [`Client`](crate::Client). A wrong or missing one is reported by
/// [`build`](Self::build), each with its own message.
///
/// Required are [`mchid`](Self::mchid), [`serial`](Self::serial) with
/// [`private_key`](Self::private_key) (or a [`signer`](Self::signer)), and what verifies answers: a
/// [`platform_key`](Self::platform_key), the [`apiv3_key`](Self::apiv3_key), with which
/// certificates are fetched, or a [`verifier`](Self::verifier). A client for APIv2 alone takes
/// `mchid` and the `secret`.
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
#[must_use = "settings do nothing until build() makes a client of them"]
pub struct ClientBuilder {
    pub(super) mchid: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) private_key: Option<PrivateKey>,
    pub(super) platform_keys: BTreeMap<String, PublicKey>,
    pub(super) apiv3_key: Option<Apiv3Key>,
    pub(super) secret: Option<Secret>,
    pub(super) identity: Option<Identity>,
    pub(super) refresh: Duration,
    pub(super) signer: Option<Arc<dyn Signer>>,
    pub(super) verifier: Option<Arc<dyn Verifier>>,
    pub(super) layers: Vec<BoxLayer>,
    pub(super) base_uri: Option<String>,
    /// None is the default: the service's own where base_uri is the service's own.
    pub(super) backup_uri: Option<Option<String>>,
    pub(crate) retry: Retry,
    pub(super) timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) concurrency: usize,
    pub(crate) proxy: Proxy,
    pub(super) roots: Vec<CertificateDer<'static>>,
    /// The first thing that was wrong.
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
            refresh: platform_keys::REFRESH,
            signer: None,
            verifier: None,
            layers: Vec::new(),
            base_uri: None,
            backup_uri: None,
            retry: Retry::default(),
            timeout: TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            concurrency: CONCURRENCY,
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

    /// The serial number of the merchant certificate, in hexadecimal:
    /// `openssl x509 -in apiclient_cert.pem -noout -serial`.
    pub fn serial(mut self, serial: impl Into<String>) -> Self {
        self.serial = Some(serial.into());
        self
    }

    /// The merchant's private key (`apiclient_key.pem`): a [`PrivateKey`], PEM text, or `file://`
    /// and a path.
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

    /// A key of the platform, by which answers are verified: `PUB_KEY_ID_...` and `pub_key.pem`, or
    /// the serial number of a platform certificate and that certificate. Call it once for each key;
    /// while a merchant switches from certificates to the public key, both are needed.
    ///
    /// With one public key and nothing else, requests carry its id as `Wechatpay-Serial`.
    pub fn platform_key<K>(mut self, id: impl Into<String>, key: K) -> Self
    where
        K: TryInto<PublicKey>,
        Error: From<K::Error>,
    {
        let id = platform_keys::normal_id(id.into());
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
    /// With it the platform's certificates are fetched by themselves: when an answer names a serial
    /// number that is not known (one fetch for all calls that wait, and no more than one a minute),
    /// and twice a day in the background. Then no [`platform_key`](Self::platform_key) is needed;
    /// those that are given are used besides.
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

    /// The APIv2 key, as set on the merchant platform: signs and verifies calls whose path begins
    /// with `v2/`.
    ///
    /// A merchant who makes no other calls needs neither [`private_key`](Self::private_key) nor
    /// [`platform_key`](Self::platform_key).
    pub fn secret(mut self, apiv2_key: impl Into<Secret>) -> Self {
        self.secret = Some(apiv2_key.into());
        self
    }

    /// The merchant's certificate (`apiclient_cert.pem`) and its key (`apiclient_key.pem`), each
    /// PEM text or `file://` and a path: calls of APIv2 with the option `security` present it over
    /// TLS. Out of `apiclient_cert.p12` it is taken by `merchant_pkcs12`, with the feature
    /// `pkcs12`.
    pub fn merchant_certificate(mut self, cert: impl AsRef<str>, key: impl AsRef<str>) -> Self {
        self.identify(Identity::from_pem(cert.as_ref(), key.as_ref()));
        self
    }

    /// The same out of one file, `apiclient_cert.p12`: its bytes, and its passphrase, which is the
    /// merchant id unless it was changed. Feature `pkcs12`.
    #[cfg(feature = "pkcs12")]
    pub fn merchant_pkcs12(mut self, pkcs12: &[u8], passphrase: impl Into<Secret>) -> Self {
        self.identify(Identity::from_pkcs12(pkcs12, &passphrase.into()));
        self
    }

    fn identify(&mut self, identity: Result<Identity, Error>) {
        match identity {
            Ok(identity) => self.identity = Some(identity),
            Err(error) => self.fail("merchant", &error),
        }
    }

    /// How often the platform's certificates are fetched anew in the background; default 12 hours.
    pub fn refresh_certificates_every(mut self, time: Duration) -> Self {
        self.refresh = time;
        self
    }

    /// Where calls go; default `https://api.mch.weixin.qq.com/`. It must end with `/`. Plain `http`
    /// is for the local sandbox.
    pub fn base_uri(mut self, uri: impl Into<String>) -> Self {
        self.base_uri = Some(uri.into());
        self
    }

    /// Where a call goes when no connection to `base_uri` can be made, so that nothing was sent;
    /// the call is signed anew for it. Default `https://api2.wechatpay.cn/`, and only where
    /// `base_uri` is the default. Which of them answered is told by
    /// [`Response::is_from_backup`](crate::Response::is_from_backup).
    pub fn backup_uri(mut self, uri: impl Into<String>) -> Self {
        self.backup_uri = Some(Some(uri.into()));
        self
    }

    /// No backup host, whatever `base_uri` is.
    pub fn no_backup(mut self) -> Self {
        self.backup_uri = Some(None);
        self
    }

    /// Repeats each call at most so many times (10 at most; default 0, none) after a connection
    /// error, 429 or 5xx, after a pause of half a second that doubles, or what `Retry-After` asks
    /// for. Each attempt is signed anew and carries the same body. **A call that changes something
    /// is repeated as well**: consent only where each has its own business number, as out_trade_no
    /// or out_refund_no, by which the service knows it again. The option `retry` says so for one
    /// call:
    ///
    /// ```
    /// # use serde_json::json;
    /// # use wechatpay_chain::sandbox::{Fault, Sandbox};
    /// # let sandbox = Sandbox::start()?;
    /// # let client = sandbox.client()?;
    /// # sandbox.inject(Fault::from_name("bad-gateway")?);
    /// let order = client.chain("v3/pay/transactions/native").post(json!({ "retry": { "times": 2, "pause": 0.1 }, "json": {
    ///     "appid": "wxd678efh567hg6787", "mchid": "1900000109", "description": "a book", "out_trade_no": "order-1",
    ///     "notify_url": "https://example.com/notify", "amount": { "total": 100 },
    /// }}))?;
    /// assert_eq!(order.attempts(), 2); // the first was answered with 502
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    pub fn retry(mut self, times: u32) -> Self {
        self.retry = Retry::times(times);
        self
    }

    /// The time of a whole call, from the verb to the last byte of the answer; default 30 s, zero
    /// for no limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The time to get a connection, TLS included; default 10 s, zero for no limit but that of the
    /// call.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How many calls this client and its clones make at once; default 512, zero for no limit. The
    /// others wait for their turn, within their `timeout`, and are signed when it comes. Each call
    /// at once takes a connection, which is a file descriptor and some 30 KiB.
    ///
    /// A call keeps its turn while it is repeated or written into a `sink`; a `stream` gives it
    /// back with the head of the answer. So whoever keeps the others from ending while it waits for
    /// a turn waits in vain: a synchronous call on the thread that drives them, a
    /// [`layer`](Self::layer) that calls the same client (give it one of its own), a future that
    /// was begun and is no longer polled.
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = calls;
        self
    }

    /// The proxy for everything, such as `http://user:password@proxy.example:3128`; also `https`,
    /// `socks5` and `socks5h`.
    ///
    /// Without this setting `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` of the
    /// environment are used.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Proxy::All(url.into());
        self
    }

    /// No proxy, whatever the environment says.
    pub fn no_proxy(mut self) -> Self {
        self.proxy = Proxy::Off;
        self
    }

    /// Trusts a private authority besides the usual roots of the web: PEM text with one certificate
    /// or more, or `file://`.
    pub fn root_certificate(mut self, pem: impl AsRef<str>) -> Self {
        match decode::certificates(pem.as_ref()) {
            Ok(roots) => self.roots.extend(roots),
            Err(said) => self.fail("root_certificate", &Error::config(said)),
        }
        self
    }

    /// Replaces the merchant's key by a signer of the caller's, such as a central signing service;
    /// [`Signer`] has an example.
    pub fn signer(mut self, signer: impl Signer) -> Self {
        self.signer = Some(Arc::new(CallersSigner(signer)));
        self
    }

    /// Replaces the map of platform keys by a verifier of the caller's; [`Verifier`] has an
    /// example.
    pub fn verifier(mut self, verifier: impl Verifier) -> Self {
        self.verifier = Some(Arc::new(CallersVerifier(verifier)));
        self
    }

    /// Adds a tower layer around signing and verification: it sees each request before it is
    /// signed, and each answer after it was verified. The layer added first is the outermost.
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
        self.layers.push(stack::boxed_layer(layer));
        self
    }

    fn fail(&mut self, setting: &str, error: &Error) {
        let error = Error::config(format!("the setting {setting}: {}", error.message()));
        self.error.get_or_insert(error);
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
            .field("base_uri", &self.base_uri.as_deref().map(crate::proto::base_uri::without_userinfo))
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}
