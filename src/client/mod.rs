//! The client, its builder and settings, chains, downloads, and payment parameters.

pub(crate) mod build;
pub(crate) mod builder;
pub(crate) mod chain;
pub(crate) mod chain_cache;
pub(crate) mod chain_macro;
#[cfg(feature = "catalog")]
mod check;
#[cfg(feature = "catalog")]
pub(crate) mod checks;
pub(crate) mod connections;
pub(crate) mod download;
#[cfg(feature = "settings")]
pub(crate) mod environment;
pub(crate) mod factory;
pub(crate) mod inner;
#[cfg(feature = "settings")]
pub(crate) mod layers;
pub(crate) mod pages;
pub(crate) mod payment;
#[cfg(feature = "settings")]
pub(crate) mod settings;
#[cfg(feature = "settings")]
mod sources;
pub(crate) mod static_text;

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
use crate::client::static_text::StaticText;
use crate::crypto::Certificate;
#[cfg(feature = "aws-lc-rs")]
use crate::crypto::Encrypted;
#[cfg(feature = "aws-lc-rs")]
use crate::error::ErrorKind;
use crate::error::{BoxError, Error};
use crate::notify::NotificationVerifier;
use crate::options::IntoOptions;
use crate::pipeline::response::Response;
use crate::pipeline::send::Promise;

/// A client for the WeChat Pay OpenAPI, with the settings of one merchant.
///
/// Clones are cheap and share the keys, the connection pool and the settings. Building a client
/// does not require a runtime. A client can be used from any number of threads and tokio runtimes
/// at once, and can be dropped in any of them.
///
/// ```no_run
/// use serde_json::json;
/// use wechatpay_chain::Client;
///
/// let client = Client::builder()
///     .mchid("1900000109")
///     .serial("3775B6A45ACD588826D15E583A95F5DD40E3FF01")
///     .private_key("file:///etc/wechatpay/apiclient_key.pem")
///     .platform_key(
///         "PUB_KEY_ID_0119000001092024111100326200001234",
///         "file:///etc/wechatpay/pub_key.pem",
///     )
///     .build()?;
///
/// let order = client.chain("v3/pay/transactions/id/{transaction_id}").get(json!({
///     "transaction_id": "1217752501201407033233368018",
///     "query": { "mchid": "1900000109" },
/// }))?;
/// println!("{}", order.field::<String>("trade_state")?);
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<ClientInner>,
    cache: Arc<ChainCache<Chain>>,
}

impl Client {
    pub(crate) fn from_inner(inner: ClientInner) -> Self {
        Client { inner: Arc::new(inner), cache: Arc::new(ChainCache::new()) }
    }

    /// Returns a builder with the default settings. [`ClientBuilder`] describes the settings.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// Returns the merchant ID of the settings. Most requests contain it as `mchid`.
    ///
    /// ```
    /// # use serde_json::json;
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client()?;
    /// # let order = client.chain("v3/pay/transactions/out-trade-no/{no}");
    /// let query = json!({ "no": "order-1", "query": { "mchid": client.mchid() } });
    /// # assert_eq!(order.get(query).unwrap_err().code(), Some("ORDER_NOT_EXIST"));
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    #[must_use]
    pub fn mchid(&self) -> &str {
        &self.inner.credential.mchid
    }

    /// Starts a chain with one segment. See [`Chain::seg`].
    #[must_use]
    pub fn seg(&self, name: impl StaticText) -> Chain {
        Chain::root(&self.inner).seg(name)
    }

    /// Starts a chain with this path. See [`Chain::chain`].
    #[must_use]
    pub fn chain(&self, path: &str) -> Chain {
        Chain::root(&self.inner).chain(path)
    }

    /// A chain with the static path of a `chain!`.
    #[doc(hidden)]
    #[must_use]
    pub fn __literal(&self, path: &'static crate::client::chain::Path) -> Chain {
        Chain::literal(&self.inner, path)
    }

    /// Returns a verifier for notifications, which also decrypts them. It uses this client's
    /// platform keys, including downloaded certificates, and its APIv3 key. All verifiers from this
    /// client and its clones share one replay store and one inbox. See [`notify`](crate::notify).
    ///
    /// ```
    /// # use serde_json::json;
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client_builder().apiv3_key(sandbox.apiv3_key()).build()?;
    /// # let resource = json!({ "out_trade_no": "1" });
    /// # let request = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &resource)?;
    /// let notification = client.notifications()?.verify(request.headers(), request.body())?;
    /// println!("{} {}", notification.event_type(), notification.resource()["out_trade_no"]);
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`] if `apiv3_key` is not set.
    pub fn notifications(&self) -> Result<NotificationVerifier, Error> {
        let key = self.inner.platform_keys.apiv3_key()?;
        let make = || NotificationVerifier::with(Arc::clone(&self.inner.verifier), key);
        Ok(self.inner.notifications.get_or_init(make).clone())
    }

    /// Returns a verifier for APIv2 notifications, which also decrypts them. It uses this client's
    /// APIv2 key, and its APIv3 key if it has one. All verifiers from this client and its clones
    /// share one inbox. See [`notify::v2`](crate::notify::v2).
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`] if `secret` is not set.
    pub fn notifications_v2(&self) -> Result<crate::notify::v2::NotificationVerifier, Error> {
        let credential = self.inner.credential.apiv2()?.clone();
        let key = self.inner.platform_keys.apiv3_key().ok();
        let make = || crate::notify::v2::NotificationVerifier::with(credential, key);
        Ok(self.inner.notifications_v2.get_or_init(make).clone())
    }

    /// Encrypts a sensitive value for the platform with RSA-OAEP. Returns the ciphertext, and the
    /// ID of the key for the header `Wechatpay-Serial`.
    ///
    /// The option `encrypt` does this for the fields of a JSON body. Use this method for values
    /// elsewhere, such as in a query. The platform's 2048-bit keys limit the text to 214 bytes.
    /// Source: WeChat Pay, "敏感信息加解密".
    ///
    /// ```
    /// # use serde_json::json;
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client()?;
    /// let encrypted = client.encrypt("hello")?;
    /// client.chain("v3/security/echo").post(json!({
    ///     "json": { "echo_message": "hello", "encrypted_echo_message": encrypted.ciphertext },
    ///     "headers": { "Wechatpay-Serial": encrypted.serial },
    /// }))?;
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Options`] if the text is too long; with [`ErrorKind::Config`] if the
    /// client has neither a platform key nor an APIv3 key; with [`ErrorKind::Verification`] if the
    /// platform certificates are needed but cannot be downloaded.
    #[cfg(feature = "aws-lc-rs")]
    pub fn encrypt(&self, text: &str) -> Result<Encrypted, Error> {
        self.encrypt_async(text).wait()
    }

    /// The asynchronous form of [`encrypt`](Self::encrypt).
    #[cfg(feature = "aws-lc-rs")]
    pub fn encrypt_async(&self, text: &str) -> Promise<Encrypted> {
        let (platform_keys, text) = (Arc::clone(&self.inner.platform_keys), text.to_owned());
        Promise::new(async move {
            let (serial, key) = platform_keys.encryption_key().await?;
            Ok(Encrypted { ciphertext: key.encrypt(text.as_bytes())?, serial })
        })
    }

    /// Decrypts a sensitive value that WeChat Pay encrypted for this merchant, such as a name in a
    /// response. To decrypt several fields, use
    /// [`PrivateKey::decrypt_fields`](crate::PrivateKey::decrypt_fields). Source: WeChat Pay,
    /// "敏感信息加解密".
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
    /// Fails with [`ErrorKind::Config`] if the client has a [`signer`](ClientBuilder::signer)
    /// instead of a private key; with [`ErrorKind::Decode`] if the text cannot be decrypted.
    #[cfg(feature = "aws-lc-rs")]
    pub fn decrypt(&self, ciphertext: &str) -> Result<String, Error> {
        String::from_utf8(std::mem::take(&mut *self.inner.decrypt(ciphertext)?))
            .map_err(|_| Error::new(ErrorKind::Decode, "the decrypted field is not UTF-8 text"))
    }

    /// Returns the parameters that start a payment on a web page (JSAPI) or in a mini program,
    /// signed with the merchant's private key. They are an object with the strings `appId`,
    /// `timeStamp`, `nonceStr`, `package`, `signType` and `paySign`. `wx.chooseWXPay` of the JS-SDK
    /// takes the same values, but names the time `timestamp`. For the order of a partner, `appid`
    /// is the `sub_appid` if the order has one. Source: WeChat Pay, "JSAPI调起支付",
    /// "小程序调起支付".
    ///
    /// ```
    /// # let client = wechatpay_chain::sandbox::Sandbox::start()?.client()?;
    /// let (appid, prepay_id) = ("wx8888888888888888", "wx201410272009395522657a690389285100");
    /// let parameters = client.jsapi_payment(appid, prepay_id)?;
    /// assert_eq!(parameters["package"], "prepay_id=wx201410272009395522657a690389285100");
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Options`] if an argument does not have the form of an appid or a
    /// prepay ID, and with [`ErrorKind::Sign`] if the signer returns an error.
    pub fn jsapi_payment(&self, appid: &str, prepay_id: &str) -> Result<Value, Error> {
        self.jsapi_payment_async(appid, prepay_id).wait()
    }

    /// The asynchronous form of [`jsapi_payment`](Self::jsapi_payment).
    pub fn jsapi_payment_async(&self, appid: &str, prepay_id: &str) -> Promise<Value> {
        payment::sign_jsapi(Arc::clone(&self.inner.credential), appid, prepay_id)
    }

    /// Returns the parameters that start a payment in an app, signed with the merchant's private
    /// key. They are an object with the strings `appid`, `partnerid`, `prepayid`, `package`,
    /// `noncestr`, `timestamp` and `sign`. `partnerid` is this client's merchant ID: the `mchid` of
    /// an order, or the `combine_mchid` of a combined order. For the order of a partner, use
    /// [`partner_app_payment`](Self::partner_app_payment). Source: WeChat Pay, "APP调起支付".
    ///
    /// ```
    /// # let client = wechatpay_chain::sandbox::Sandbox::start()?.client()?;
    /// let (appid, prepay_id) = ("wx8888888888888888", "wx201410272009395522657a690389285100");
    /// let parameters = client.app_payment(appid, prepay_id)?;
    /// assert_eq!(parameters["partnerid"], "1900000109");
    /// assert_eq!(parameters["package"], "Sign=WXPay");
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`jsapi_payment`](Self::jsapi_payment).
    pub fn app_payment(&self, appid: &str, prepay_id: &str) -> Result<Value, Error> {
        self.app_payment_async(appid, prepay_id).wait()
    }

    /// The asynchronous form of [`app_payment`](Self::app_payment).
    pub fn app_payment_async(&self, appid: &str, prepay_id: &str) -> Promise<Value> {
        payment::sign_app(Arc::clone(&self.inner.credential), appid, &self.inner.credential.mchid, prepay_id)
    }

    /// The same as [`app_payment`](Self::app_payment), for an order that a partner placed for a
    /// sub-merchant: `partnerid` is the ID of the sub-merchant. `appid` is the `sub_appid` of the
    /// order if it has one, and the `sp_appid` otherwise. The partner's key signs. Source: WeChat
    /// Pay, "APP调起支付" for partners.
    ///
    /// ```
    /// # let client = wechatpay_chain::sandbox::Sandbox::start()?.client()?;
    /// let (sub_mchid, prepay_id) = ("1900000109", "wx201410272009395522657a690389285100");
    /// let parameters = client.partner_app_payment("wx8888888888888888", sub_mchid, prepay_id)?;
    /// assert_eq!(parameters["partnerid"], "1900000109");
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Options`] if `sub_mchid` does not consist of digits, and as
    /// [`jsapi_payment`](Self::jsapi_payment).
    pub fn partner_app_payment(&self, appid: &str, sub_mchid: &str, prepay_id: &str) -> Result<Value, Error> {
        self.partner_app_payment_async(appid, sub_mchid, prepay_id).wait()
    }

    /// The asynchronous form of [`partner_app_payment`](Self::partner_app_payment).
    pub fn partner_app_payment_async(&self, appid: &str, sub_mchid: &str, prepay_id: &str) -> Promise<Value> {
        // Two strings are easily swapped, and the signature does not cover the merchant ID.
        if sub_mchid.is_empty() || !sub_mchid.bytes().all(|byte| byte.is_ascii_digit()) {
            let error = Error::options("sub_mchid is not the ID of a sub-merchant: it consists of digits");
            return Promise::new(async move { Err(error) });
        }
        payment::sign_app(Arc::clone(&self.inner.credential), appid, sub_mchid, prepay_id)
    }

    /// Downloads the platform certificates, decrypts them with the APIv3 key, and verifies the
    /// signature of the response. Source: WeChat Pay, "获取平台证书列表".
    ///
    /// Usually you do not need this method, because a call downloads the certificates automatically
    /// if the response names an unknown serial number. Use it to inspect the certificates, or to
    /// download them before the first call.
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
    /// Fails with [`ErrorKind::Config`] if `apiv3_key` is not set; with [`ErrorKind::Decode`] if
    /// the APIv3 key is wrong; and with the errors of [`Chain::get`].
    pub fn certificates(&self) -> Result<Vec<Certificate>, Error> {
        self.certificates_async().wait()
    }

    /// The asynchronous form of [`certificates`](Self::certificates).
    pub fn certificates_async(&self) -> Promise<Vec<Certificate>> {
        let platform_keys = Arc::clone(&self.inner.platform_keys);
        Promise::new(async move { platform_keys.fetch_now().await })
    }

    /// Prepares the download of a file. `response` describes the file in its fields `download_url`,
    /// `hash_type` and `hash_value`, as in the responses of `v3/bill/tradebill` and
    /// `v3/bill/fundflowbill`, or in a `download_bill_list` with one file, as in the response of
    /// `v3/bill/sub-merchant-fundflowbill`. [`Download`] has an example.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Options`] if the response is not verified, lacks one of these
    /// fields, or offers several files; or if its `hash_type` is neither `SHA1` nor `SHA256`. Fails
    /// with [`ErrorKind::Decode`] if the response is not JSON, or if its `encrypt_key` was
    /// encrypted for another merchant.
    pub fn download(&self, response: &Response) -> Result<Download, Error> {
        Download::new(&self.inner, response)
    }

    /// The same as [`download`](Self::download), for any number of files, in the order of their
    /// `bill_sequence`. WeChat Pay splits the encrypted bills of sub-merchants into several files
    /// above about 16 GB. The bill is the decrypted files joined in this order. If there is no
    /// bill, the list is empty.
    ///
    /// # Errors
    /// The same as for [`download`](Self::download), except for several files. Also fails with
    /// [`ErrorKind::Options`] if the list of files is incomplete.
    pub fn downloads(&self, response: &Response) -> Result<Vec<Download>, Error> {
        Download::all(&self.inner, response)
    }

    /// Sends a request with any method to a path template. The names in the path are used as given
    /// and are not converted to kebab-case. `method` is a string or an [`http::Method`]. This
    /// corresponds to `request(verb, uri, options)` in PHP's client.
    ///
    /// ```
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::builder().certificates().start()?;
    /// # let client = sandbox.client_builder().apiv3_key(sandbox.apiv3_key()).build()?;
    /// let response = client.request("GET", "v3/certificates", ())?;
    /// assert_eq!(response.status(), 200);
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Options`] if the method is invalid, and with the errors of
    /// [`Chain::get`].
    pub fn request<M>(&self, method: M, uri: &str, options: impl IntoOptions) -> Result<Response, Error>
    where
        M: TryInto<Method, Error: Into<BoxError>>,
    {
        self.request_async(method, uri, options).wait()
    }

    /// The asynchronous form of [`request`](Self::request).
    pub fn request_async<M>(&self, method: M, uri: &str, options: impl IntoOptions) -> Promise<Response>
    where
        M: TryInto<Method, Error: Into<BoxError>>,
    {
        let method: Method = match method.try_into() {
            // As in PHP, the method is converted to upper case. In HTTP, methods are
            // case-sensitive.
            Ok(method) => Method::from_bytes(method.as_str().to_ascii_uppercase().as_bytes()).unwrap_or(method),
            Err(source) => {
                let error = Error::options("the method is not a valid HTTP method").with_source(source);
                return Promise::new(async move { Err(error) });
            }
        };
        self.inner.call_uri(method, uri, options.into_options())
    }
}

impl<T: StaticText> ops::Index<T> for Client {
    type Output = Chain;

    /// The same as [`chain`](Client::chain), for a string literal. The client caches the chain, so
    /// each literal is parsed only once. Use `chain` for a path built at run time.
    fn index(&self, path: T) -> &Chain {
        let path = path.text();
        self.cache.get_or_insert(path, || Chain::root(&self.inner).name(path))
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
