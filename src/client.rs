//! The client, and the one function through which every request passes.

use std::fmt;
use std::ops;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
#[cfg(feature = "aws-lc-rs")]
use http::HeaderValue;
use http::Method;
use serde_json::Value;
use tower::ServiceExt;

use crate::body::Patience;
use crate::chain::Chain;
use crate::clock;
use crate::config::ClientBuilder;
use crate::crypto::{Certificate, PrivateKey, random};
use crate::download::Download;
use crate::error::{BoxError, Error, ErrorKind};
use crate::index::Index;
use crate::invoke;
use crate::layer::BoxService;
use crate::layer::sign::{Credential, Destination};
use crate::layer::verify::Verified;
use crate::options::{Options, Redirects};
use crate::platform::Platform;
use crate::promise::Promise;
use crate::proto::redirect;
use crate::proto::request;
use crate::proto::target::Base;
use crate::proto::template::Template;
use crate::response::Response;
use crate::sink::{OpenSink, Unfinished, Writing};
use crate::transport::{Delivery, Exchange, Slot};
#[cfg(feature = "aws-lc-rs")]
use crate::{options::Body, proto::verify::SERIAL};

/// A merchant's client of the WeChat Pay OpenAPI.
///
/// A clone is cheap and shares everything: keys, connections, settings. A client can be built with no runtime running, used
/// from any number of threads and tokio runtimes at once, and dropped anywhere.
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
    core: Arc<Core>,
    index: Arc<Index>,
}

/// What all chains of a client share.
pub(crate) struct Core {
    pub(crate) credential: Arc<Credential>,
    pub(crate) stack: BoxService,
    pub(crate) base: Base,
    /// The whole call's time where the call does not say; zero is no limit.
    pub(crate) timeout: Duration,
    pub(crate) platform: Arc<Platform>,
    /// What decrypts; a merchant whose keys are elsewhere has none here.
    #[cfg_attr(not(feature = "aws-lc-rs"), allow(dead_code, reason = "ring does not decrypt"))]
    pub(crate) merchant_key: Option<PrivateKey>,
}

/// One call on its way: the request, and what is done around it.
struct Call {
    method: Method,
    /// For messages: never with the values filled in.
    template: String,
    request: http::Request<Bytes>,
    timeout: Duration,
    redirects: Redirects,
    sink: Option<(Slot<OpenSink>, Unfinished)>,
    http_errors: bool,
}

impl Core {
    /// Prepares a call at once and returns the future that sends it; a mistake is the future's error.
    pub(crate) fn call(
        self: &Arc<Self>,
        method: Method,
        shown: &str,
        template: Result<&Template, Error>,
        options: Options,
    ) -> Promise<Response> {
        if options.encrypt.is_empty() {
            let call = template.and_then(|template| self.prepare(&method, shown, template, options));
            let call = call.map_err(|error| error.with_call(&method, shown));
            let core = Arc::clone(self);
            return Promise::new(async move { core.send(call?).await });
        }
        // The key to encrypt with may have to be fetched first.
        let (core, shown) = (Arc::clone(self), shown.to_owned());
        let template = template.cloned();
        Promise::new(async move {
            let named = |error: Error| error.with_call(&method, &shown);
            let template = template.map_err(named)?;
            let options = core.encrypted(options).await.map_err(named)?;
            let call = core.prepare(&method, &shown, &template, options).map_err(named)?;
            core.send(call).await
        })
    }

    /// The options with the fields that `encrypt` names encrypted, and the key's id in `Wechatpay-Serial`.
    #[cfg(feature = "aws-lc-rs")]
    async fn encrypted(&self, options: Options) -> Result<Options, Error> {
        let mut options = options.checked()?;
        let (id, key) = self.platform.encryption_key().await?;
        if let Some(Body::Json(json)) = &mut options.body {
            key.encrypt_fields(json, options.encrypt.iter().map(String::as_str))?;
        }
        let id = HeaderValue::try_from(id).map_err(|_| Error::config("the platform key's id fits into no header"))?;
        if options.headers.get(SERIAL).is_some_and(|given| *given != id) {
            return Err(Error::options(
                "the header Wechatpay-Serial names another key than the one that \"encrypt\" uses: leave it out",
            ));
        }
        options.headers.insert(SERIAL, id);
        Ok(options)
    }

    #[cfg(not(feature = "aws-lc-rs"))]
    async fn encrypted(&self, _: Options) -> Result<Options, Error> {
        Err(Error::config("the option \"encrypt\" needs the feature aws-lc-rs of this crate: ring has no RSA-OAEP"))
    }

    fn prepare(&self, method: &Method, shown: &str, template: &Template, options: Options) -> Result<Call, Error> {
        let mut options = options.checked()?;
        let base = options.base_uri.as_ref().unwrap_or(&self.base);
        let mut request = request::build(method.clone(), template, &options, base)?;
        request.extensions_mut().insert(Destination(base.clone()));

        let stream = options.stream == Some(true);
        let sink = match options.sink.take() {
            Some(sink) => {
                let (open, unfinished) = sink.open(options.progress.take(), options.digest.take())?;
                Some((Slot::new(open), unfinished))
            }
            None => None,
        };
        // A download takes as long as it takes, as long as it goes on.
        let long = stream || sink.is_some();
        let timeout = options.timeout.unwrap_or(if long { Duration::ZERO } else { self.timeout });
        let silence = options.read_timeout.unwrap_or(if long { self.timeout } else { Duration::ZERO });
        let delivery = match &sink {
            Some((sink, _)) => Delivery::Sink(sink.clone()),
            None if stream => Delivery::Stream,
            None => Delivery::Collect,
        };
        request.extensions_mut().insert(Exchange {
            connect_timeout: options.connect_timeout,
            patience: Patience { silence, until: None },
            proxy: options.proxy.take(),
            debug: options.debug.unwrap_or(false),
            delivery,
        });
        Ok(Call {
            method: method.clone(),
            template: shown.to_owned(),
            request,
            timeout,
            redirects: options.redirects.unwrap_or_default(),
            sink,
            http_errors: options.http_errors.unwrap_or(true),
        })
    }

    /// Sends a request through the stack and makes a [`Response`] or an [`Error`] of what comes back.
    ///
    /// Every request of every verb, synchronous or not, passes here, and nothing else calls the stack.
    async fn send(&self, mut call: Call) -> Result<Response, Error> {
        let (method, template) = (call.method.clone(), std::mem::take(&mut call.template));
        let answered = if call.timeout.is_zero() {
            self.exchange(call).await
        } else {
            let timeout = call.timeout;
            if let Some(exchange) = call.request.extensions_mut().get_mut::<Exchange>() {
                // A body that is streamed outlives this function.
                exchange.patience.until = Some(tokio::time::Instant::now() + timeout);
            }
            tokio::time::timeout(timeout, self.exchange(call)).await.unwrap_or_else(|_| {
                Err(Error::new(
                    ErrorKind::Timeout,
                    format!("no answer after {timeout:?}; the request may have arrived, so query before repeating it"),
                ))
            })
        };
        answered.map_err(|error| error.with_call(&method, &template))
    }

    async fn exchange(&self, call: Call) -> Result<Response, Error> {
        let Call { mut request, mut redirects, sink, http_errors, .. } = call;
        let answer = loop {
            let again = (redirects.left > 0).then(|| request.clone());
            let answer = self.stack.clone().oneshot(request).await?;
            match again {
                Some(again) if answer.status().is_redirection() => {
                    redirects.left -= 1;
                    request = redirect::next(&again, &answer, redirects.strict).map_err(|said| {
                        let said = format!("the service redirects, which is not followed: {said}");
                        Error::new(ErrorKind::Redirect, said).with_response(Response::new(answer, false))
                    })?;
                }
                _ => break answer,
            }
        };
        let verified = answer.extensions().get::<Verified>().is_some();
        let mut response = Response::new(answer, verified);
        if response.status().is_success() {
            if let Some((slot, unfinished)) = sink {
                if let Some(open) = slot.take() {
                    response = deliver(response, open).await?;
                    unfinished.keep()?;
                }
            }
        } else if http_errors {
            return Err(Error::answer(response));
        }
        Ok(response)
    }
}

/// Gives the verified answer of a call with a sink to that sink, unless it went there as it came.
async fn deliver(response: Response, mut sink: OpenSink) -> Result<Response, Error> {
    if !response.is_delivered() {
        let mut writing = Writing::start(sink);
        let body = response.body().clone();
        let length = body.len() as u64;
        writing.write(body, Some(length)).await;
        sink = writing.finish().await?;
    }
    sink.finish()?;
    Ok(response.without_body())
}

impl Client {
    pub(crate) fn new(core: Core) -> Self {
        Client { core: Arc::new(core), index: Arc::new(Index::new()) }
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
    /// | `timeout`, `connect_timeout` | seconds, `0` for no limit |
    /// | `proxy` | a URL, or an object with `http`, `https` and `no` |
    /// | `secret`, `merchant` | APIv2's; accepted and not used by this version, which speaks APIv3 |
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
        Chain::root(&self.core).seg(name)
    }

    /// Begins a chain with a path; see [`Chain::chain`].
    #[must_use]
    pub fn chain(&self, path: &str) -> Chain {
        Chain::root(&self.core).chain(path)
    }

    /// Encrypts one text for the platform, and names the key: what goes into a sensitive field and into `Wechatpay-Serial`.
    ///
    /// The option `encrypt` does this for the fields of a body.
    ///
    /// # Errors
    /// [`ErrorKind::Options`]: the text is longer than RSA takes; those of fetching the certificates, where that is needed.
    #[cfg(feature = "aws-lc-rs")]
    pub fn encrypt(&self, text: &str) -> Result<(String, String), Error> {
        self.encrypt_async(text).wait()
    }

    /// [`encrypt`](Self::encrypt), asynchronously.
    #[cfg(feature = "aws-lc-rs")]
    pub fn encrypt_async(&self, text: &str) -> Promise<(String, String)> {
        let (platform, text) = (Arc::clone(&self.core.platform), text.to_owned());
        Promise::new(async move {
            let (id, key) = platform.encryption_key().await?;
            Ok((key.encrypt(text.as_bytes())?, id))
        })
    }

    /// Decrypts one text that the service encrypted for this merchant.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] without a private key in this process; [`ErrorKind::Decode`] when it does not decrypt.
    #[cfg(feature = "aws-lc-rs")]
    pub fn decrypt(&self, ciphertext: &str) -> Result<String, Error> {
        let key = self.core.merchant_key.as_ref().ok_or_else(|| {
            Error::config("the setting private_key is missing: with a signer of your own, decrypt where the key is")
        })?;
        String::from_utf8(key.decrypt(ciphertext)?)
            .map_err(|_| Error::new(ErrorKind::Decode, "the field decrypts to bytes that are no text in UTF-8"))
    }

    /// The parameters that open the payment in a page (JSAPI) or a mini program: `appId`, `timeStamp`, `nonceStr`, `package`,
    /// `signType` and `paySign`, signed with the merchant's key.
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
        let (core, appid, package) = (Arc::clone(&self.core), appid.to_owned(), format!("prepay_id={prepay_id}"));
        Promise::new(async move {
            let (timestamp, nonce) = (clock::now().to_string(), random::nonce()?);
            let message = invoke::jsapi_message(&appid, &timestamp, &nonce, &package);
            let sign = core.credential.sign(message.as_bytes()).await?.1;
            Ok(invoke::jsapi(&appid, &timestamp, &nonce, &package, &sign))
        })
    }

    /// The parameters that open the payment in an app: `appid`, `partnerid`, `prepayid`, `package`, `noncestr`, `timestamp` and
    /// `sign`. `partnerid` is this client's merchant id; a partner puts the sub-merchant's id in its place.
    ///
    /// # Errors
    /// [`ErrorKind::Sign`]: the signer refused.
    pub fn app_payment(&self, appid: &str, prepay_id: &str) -> Result<Value, Error> {
        self.app_payment_async(appid, prepay_id).wait()
    }

    /// [`app_payment`](Self::app_payment), asynchronously.
    pub fn app_payment_async(&self, appid: &str, prepay_id: &str) -> Promise<Value> {
        let (core, appid, prepay_id) = (Arc::clone(&self.core), appid.to_owned(), prepay_id.to_owned());
        Promise::new(async move {
            let (timestamp, nonce) = (clock::now().to_string(), random::nonce()?);
            let message = invoke::app_message(&appid, &timestamp, &nonce, &prepay_id);
            let sign = core.credential.sign(message.as_bytes()).await?.1;
            Ok(invoke::app(&appid, &core.credential.mchid, &prepay_id, &timestamp, &nonce, &sign))
        })
    }

    /// Fetches the platform's certificates now, verified by the answer's signature and the seal of the APIv3 key.
    ///
    /// Calls do this by themselves when they meet a new serial number; this is for looking at them, or for warming up.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] without the setting `apiv3_key`; those of a call; [`ErrorKind::Decode`] when the APIv3 key is not
    /// the merchant's.
    pub fn certificates(&self) -> Result<Vec<Certificate>, Error> {
        self.certificates_async().wait()
    }

    /// [`certificates`](Self::certificates), asynchronously.
    pub fn certificates_async(&self) -> Promise<Vec<Certificate>> {
        let platform = Arc::clone(&self.core.platform);
        Promise::new(async move { platform.fetch_now().await })
    }

    /// The file that an answer announces by `download_url`, `hash_type` and `hash_value`, as `v3/bill/tradebill` and
    /// `v3/bill/fundflowbill` do.
    ///
    /// # Errors
    /// [`ErrorKind::Options`]: the answer announces no file, or a digest that cannot be checked.
    pub fn download(&self, answer: &Response) -> Result<Download, Error> {
        Download::new(self, answer)
    }

    /// Sends a request to a path given as it is: a template whose names are not turned into kebab-case.
    ///
    /// ```no_run
    /// # fn run(client: wechatpay_chain::Client) -> Result<(), wechatpay_chain::Error> {
    /// client.request("GET", "v3/certificates", ())?;
    /// # Ok(()) }
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
        let method = match method.try_into() {
            Ok(method) => method,
            Err(source) => {
                let error = Error::options("the method is no name of an HTTP method").with_source(source);
                return Promise::new(async move { Err(error) });
            }
        };
        self.call_uri(method, uri, uri, options.into())
    }

    /// Calls a template that is taken as it is, and shown as `shown` in messages.
    pub(crate) fn call_uri(&self, method: Method, uri: &str, shown: &str, options: Options) -> Promise<Response> {
        let template = request::template(uri);
        self.core.call(method, shown, template.as_ref().map_err(|error| Error::path(error.message())), options)
    }
}

impl ops::Index<&'static str> for Client {
    type Output = Chain;

    /// [`chain`](Client::chain) with a string literal. The chain is kept as long as the client, so the same literal is parsed
    /// once; a path made at run time goes to `chain`.
    fn index(&self, path: &'static str) -> &Chain {
        self.index.get_or_insert(path, || self.chain(path))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("mchid", &self.core.credential.mchid)
            .field("base_uri", &self.core.base)
            .field("timeout", &self.core.timeout)
            .finish_non_exhaustive()
    }
}
