//! The client and everything a program holds: builder, chains, promises, downloads.

pub(crate) mod build;
pub(crate) mod builder;
pub(crate) mod chain;
pub(crate) mod chain_cache;
pub(crate) mod chain_macro;
pub(crate) mod download;
pub(crate) mod factory;
pub(crate) mod inner;
pub(crate) mod payment;

use std::fmt;
use std::ops;
use std::sync::Arc;

use http::Method;
use serde_json::Value;

use crate::client::builder::ClientBuilder;
use crate::client::chain::Chain;
use crate::client::chain_cache::ChainCache;
use crate::client::download::Download;
use crate::client::inner::ClientInner;
use crate::clock;
use crate::crypto::{Certificate, random};
#[cfg(feature = "aws-lc-rs")]
use crate::error::ErrorKind;
use crate::error::{BoxError, Error};
use crate::notify::NotificationVerifier;
use crate::options::Options;
use crate::pipeline::promise::Promise;
use crate::pipeline::response::Response;

/// A merchant's client of the WeChat Pay OpenAPI.
///
/// A clone is cheap and shares everything: keys, connections, settings. A client can be built with
/// no runtime running, used from any number of threads and tokio runtimes at once, and dropped
/// anywhere.
///
/// ```no_run
/// use serde_json::json;
/// use wechatpay_chain::Client;
///
/// let client = Client::builder()
///     .mchid("1900000109")
///     .serial("3775B6A45ACD588826D15E583A95F5DD40E3FF01")
///     .private_key("file:///etc/wechatpay/apiclient_key.pem")
///     .platform_key("PUB_KEY_ID_0119000001092024111100326200001234", "file:///etc/wechatpay/pub_key.pem")
///     .build()?;
///
/// let order = client.chain("v3/pay/transactions/id/{transaction_id}").get(json!({
///     "transaction_id": "1217752501201407033233368018",
///     "query": { "mchid": "1900000109" },
/// }))?;
/// println!("{}", order.json()?["trade_state"]);
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[derive(Clone)]
pub struct Client {
    inner: Arc<ClientInner>,
    cache: Arc<ChainCache<Chain>>,
}

impl Client {
    pub(crate) fn new(inner: ClientInner) -> Self {
        Client { inner: Arc::new(inner), cache: Arc::new(ChainCache::new()) }
    }

    /// Begins a client; see [`ClientBuilder`] for the settings.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// Builds a client from the map that PHP's `Builder::factory` takes.
    ///
    /// | key | |
    /// | --- | --- |
    /// | `mchid` | merchant id, a string |
    /// | `serial` | serial number of the merchant certificate, hexadecimal |
    /// | `privateKey` | the merchant's private key: PEM text or `file://` |
    /// | `certs` | platform keys: an object of `PUB_KEY_ID_...` or serial number to PEM text or `file://` |
    /// | `apiv3_key` | the APIv3 key, which PHP's map does not have: fetches the platform's certificates |
    /// | `base_uri` | default `https://api.mch.weixin.qq.com/` |
    /// | `root_certificate` | a private authority besides the usual roots: PEM text or `file://` |
    /// | `backup_uri` | where calls go when no connection can be made, see [`backup_uri`](crate::ClientBuilder::backup_uri); `""` for nowhere |
    /// | `retry` | a number, or an object with `times` and `pause`, see [`retry`](crate::ClientBuilder::retry) |
    /// | `timeout`, `connect_timeout` | seconds, `0` for no limit |
    /// | `proxy` | a URL, or an object with `http`, `https` and `no` |
    /// | `secret` | the APIv2 key, for calls of APIv2 |
    /// | `merchant` | the certificate that APIv2 demands with `security`: an object of `cert` and `key` (paths or PEM text), or of `pkcs12` (a path) and `passphrase` (feature `pkcs12`) |
    ///
    /// ```no_run
    /// use serde_json::json;
    /// use wechatpay_chain::Client;
    ///
    /// let client = Client::factory(json!({
    ///     "mchid": "1900000109",
    ///     "serial": "3775B6A45ACD588826D15E583A95F5DD40E3FF01",
    ///     "privateKey": "file:///etc/wechatpay/apiclient_key.pem",
    ///     "certs": {
    ///         "PUB_KEY_ID_0119000001092024111100326200001234": "file:///etc/wechatpay/pub_key.pem",
    ///     },
    /// }))?;
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: a key is missing, unknown or wrong; the message names it.
    pub fn factory(settings: Value) -> Result<Client, Error> {
        ClientBuilder::from_settings(settings)?.build()
    }

    /// Begins a chain with one segment; see [`Chain::seg`].
    #[must_use]
    pub fn seg(&self, name: &str) -> Chain {
        Chain::root(&self.inner).seg(name)
    }

    /// Begins a chain with a path; see [`Chain::chain`].
    #[must_use]
    pub fn chain(&self, path: &str) -> Chain {
        Chain::root(&self.inner).chain(path)
    }

    /// What `chain!` begins with.
    #[doc(hidden)]
    #[must_use]
    pub fn __literal(&self, path: &'static crate::client::chain::Path) -> Chain {
        Chain::literal(&self.inner, path)
    }

    /// What verifies and opens notifications, with this client's platform keys, fetched
    /// certificates among them, and its APIv3 key. All that this client and its clones return share
    /// what they have seen. See [`notify`](crate::notify).
    ///
    /// ```
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client_builder().apiv3_key(sandbox.apiv3_key()).build()?;
    /// # let request = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &serde_json::json!({ "out_trade_no": "1" }))?;
    /// let notification = client.notifications()?.verify(request.headers(), request.body())?;
    /// println!("{} {}", notification.event_type(), notification.resource()["out_trade_no"]);
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`] without the setting `apiv3_key`.
    pub fn notifications(&self) -> Result<NotificationVerifier, Error> {
        let key = self.inner.platform_keys.apiv3_key()?;
        let make = || NotificationVerifier::with(Arc::clone(&self.inner.verifier), key);
        Ok(self.inner.notifications.get_or_init(make).clone())
    }

    /// What verifies and opens notifications of APIv2, with this client's APIv2 key, and its APIv3
    /// key where it has one. See [`notify::v2`](crate::notify::v2).
    ///
    /// # Errors
    /// [`ErrorKind::Config`] without the setting `secret`.
    pub fn notifications_v2(&self) -> Result<crate::notify::v2::NotificationVerifier, Error> {
        let credential = self.inner.credential.apiv2()?.clone();
        Ok(crate::notify::v2::NotificationVerifier::with(credential, self.inner.platform_keys.apiv3_key().ok()))
    }

    /// Encrypts one text for the platform, and names the key: what goes into a sensitive field and
    /// into `Wechatpay-Serial`.
    ///
    /// The option `encrypt` does this for the fields of a body; this is for what goes elsewhere,
    /// such as into a query. RSA takes 214 bytes with the platform's keys of 2048 bits.
    ///
    /// ```
    /// # use serde_json::json;
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client()?;
    /// let (sealed, key_id) = client.encrypt("hello")?;
    /// client.chain("v3/security/echo").post(json!({
    ///     "json": { "echo_message": "hello", "encrypted_echo_message": sealed },
    ///     "headers": { "Wechatpay-Serial": key_id },
    /// }))?;
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Options`]: the text is longer than RSA takes; those of fetching the
    /// certificates, where that is needed.
    #[cfg(feature = "aws-lc-rs")]
    pub fn encrypt(&self, text: &str) -> Result<(String, String), Error> {
        self.encrypt_async(text).wait()
    }

    /// [`encrypt`](Self::encrypt), asynchronously.
    #[cfg(feature = "aws-lc-rs")]
    pub fn encrypt_async(&self, text: &str) -> Promise<(String, String)> {
        let (platform, text) = (Arc::clone(&self.inner.platform_keys), text.to_owned());
        Promise::new(async move {
            let (id, key) = platform.encryption_key().await?;
            Ok((key.encrypt(text.as_bytes())?, id))
        })
    }

    /// Decrypts one text that the service encrypted for this merchant, such as the name in an
    /// answer. [`PrivateKey::decrypt_fields`](crate::PrivateKey::decrypt_fields) does many at once.
    ///
    /// ```
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client()?;
    /// # let name = sandbox.merchant_key().public_key().encrypt("张三".as_bytes())?;
    /// assert_eq!(client.decrypt(&name)?, "张三");
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`] without a private key in this process; [`ErrorKind::Decode`] when it
    /// does not decrypt.
    #[cfg(feature = "aws-lc-rs")]
    pub fn decrypt(&self, ciphertext: &str) -> Result<String, Error> {
        let key = self.inner.merchant_key.as_ref().ok_or_else(|| {
            Error::config("the setting private_key is missing: with a signer of your own, decrypt where the key is")
        })?;
        String::from_utf8(key.decrypt(ciphertext)?)
            .map_err(|_| Error::new(ErrorKind::Decode, "the field decrypts to bytes that are no text in UTF-8"))
    }

    /// The parameters that open the payment in a page (JSAPI) or a mini program: `appId`,
    /// `timeStamp`, `nonceStr`, `package`, `signType` and `paySign`, signed with the merchant's
    /// key. Source: WeChat Pay, "JSAPI调起支付", "小程序调起支付".
    ///
    /// ```
    /// # let client = wechatpay_chain::sandbox::Sandbox::start()?.client()?;
    /// let parameters = client.jsapi_payment("wx8888888888888888", "wx201410272009395522657a690389285100")?;
    /// assert_eq!(parameters["package"], "prepay_id=wx201410272009395522657a690389285100");
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Sign`]: the signer refused.
    pub fn jsapi_payment(&self, appid: &str, prepay_id: &str) -> Result<Value, Error> {
        self.jsapi_payment_async(appid, prepay_id).wait()
    }

    /// [`jsapi_payment`](Self::jsapi_payment), asynchronously.
    pub fn jsapi_payment_async(&self, appid: &str, prepay_id: &str) -> Promise<Value> {
        let (inner, appid, package) = (Arc::clone(&self.inner), appid.to_owned(), format!("prepay_id={prepay_id}"));
        Promise::new(async move {
            let (timestamp, nonce) = (clock::now().to_string(), random::nonce()?);
            let message = payment::jsapi_message(&appid, &timestamp, &nonce, &package);
            let sign = inner.credential.sign(message.as_bytes()).await?.1;
            Ok(payment::jsapi(&appid, &timestamp, &nonce, &package, &sign))
        })
    }

    /// The parameters that open the payment in an app: `appid`, `partnerid`, `prepayid`, `package`,
    /// `noncestr`, `timestamp` and `sign`. `partnerid` is this client's merchant id; a partner puts
    /// the sub-merchant's id in its place. Source: WeChat Pay, "APP调起支付".
    ///
    /// ```
    /// # let client = wechatpay_chain::sandbox::Sandbox::start()?.client()?;
    /// let parameters = client.app_payment("wx8888888888888888", "wx201410272009395522657a690389285100")?;
    /// assert_eq!((&parameters["partnerid"], &parameters["package"]), (&"1900000109".into(), &"Sign=WXPay".into()));
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Sign`]: the signer refused.
    pub fn app_payment(&self, appid: &str, prepay_id: &str) -> Result<Value, Error> {
        self.app_payment_async(appid, prepay_id).wait()
    }

    /// [`app_payment`](Self::app_payment), asynchronously.
    pub fn app_payment_async(&self, appid: &str, prepay_id: &str) -> Promise<Value> {
        let (inner, appid, prepay_id) = (Arc::clone(&self.inner), appid.to_owned(), prepay_id.to_owned());
        Promise::new(async move {
            let (timestamp, nonce) = (clock::now().to_string(), random::nonce()?);
            let message = payment::app_message(&appid, &timestamp, &nonce, &prepay_id);
            let sign = inner.credential.sign(message.as_bytes()).await?.1;
            Ok(payment::app(&appid, &inner.credential.mchid, &prepay_id, &timestamp, &nonce, &sign))
        })
    }

    /// Fetches the platform's certificates now, verified by the answer's signature and the seal of
    /// the APIv3 key.
    ///
    /// Calls do this by themselves when they meet a new serial number; this is for looking at them,
    /// or for warming up.
    ///
    /// ```
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::builder().certificates().start()?;
    /// # let client = sandbox.client_builder().apiv3_key(sandbox.apiv3_key()).build()?;
    /// for certificate in client.certificates()? {
    ///     println!("{} until {:?}", certificate.serial(), certificate.not_after());
    /// }
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`] without the setting `apiv3_key`; those of a call;
    /// [`ErrorKind::Decode`] when the APIv3 key is not the merchant's.
    pub fn certificates(&self) -> Result<Vec<Certificate>, Error> {
        self.certificates_async().wait()
    }

    /// [`certificates`](Self::certificates), asynchronously.
    pub fn certificates_async(&self) -> Promise<Vec<Certificate>> {
        let platform = Arc::clone(&self.inner.platform_keys);
        Promise::new(async move { platform.fetch_now().await })
    }

    /// The file that an answer announces by `download_url`, `hash_type` and `hash_value`, as
    /// `v3/bill/tradebill` and `v3/bill/fundflowbill` do. [`Download`] has an example.
    ///
    /// # Errors
    /// [`ErrorKind::Options`]: the answer announces no file, or a digest that cannot be checked.
    pub fn download(&self, answer: &Response) -> Result<Download, Error> {
        Download::new(&self.inner, answer)
    }

    /// Sends a request to a path given as it is: a template whose names are not turned into
    /// kebab-case. The method is a text or a [`http::Method`]; PHP's `request(verb, uri, options)`.
    ///
    /// ```
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::builder().certificates().start()?;
    /// # let client = sandbox.client_builder().apiv3_key(sandbox.apiv3_key()).build()?;
    /// let answer = client.request("GET", "v3/certificates", ())?;
    /// assert_eq!(answer.status(), 200);
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Chain::get`].
    pub fn request<M>(&self, method: M, uri: &str, options: impl Into<Options>) -> Result<Response, Error>
    where
        M: TryInto<Method, Error: Into<BoxError>>,
    {
        self.request_async(method, uri, options).wait()
    }

    /// [`request`](Self::request), asynchronously.
    pub fn request_async<M>(&self, method: M, uri: &str, options: impl Into<Options>) -> Promise<Response>
    where
        M: TryInto<Method, Error: Into<BoxError>>,
    {
        let method: Method = match method.try_into() {
            // As PHP does; the names of methods are case-sensitive on the wire.
            Ok(method) => Method::from_bytes(method.as_str().to_ascii_uppercase().as_bytes()).unwrap_or(method),
            Err(source) => {
                let error = Error::options("the method is no name of an HTTP method").with_source(source);
                return Promise::new(async move { Err(error) });
            }
        };
        self.inner.call_uri(method, uri, options.into())
    }
}

impl ops::Index<&'static str> for Client {
    type Output = Chain;

    /// [`chain`](Client::chain) with a string literal. The chain is kept as long as the client, so
    /// the same literal is parsed once; a path made at run time goes to `chain`.
    fn index(&self, path: &'static str) -> &Chain {
        self.cache.get_or_insert(path, || self.chain(path))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("mchid", &self.inner.credential.mchid)
            .field("base_uri", &self.inner.base_uri)
            .field("timeout", &self.inner.timeout)
            .finish_non_exhaustive()
    }
}
