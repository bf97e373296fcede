//! The client, and the one function through which every request passes.

use std::fmt;
use std::ops;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::Value;
use tower::ServiceExt;

use crate::chain::Chain;
use crate::config::ClientBuilder;
use crate::error::{BoxError, Error, ErrorKind};
use crate::index::Index;
use crate::layer::BoxService;
use crate::layer::sign::Destination;
use crate::layer::verify::Verified;
use crate::options::Options;
use crate::promise::Promise;
use crate::proto::request;
use crate::proto::target::Base;
use crate::proto::template::Template;
use crate::response::Response;

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
///     .serial("3775B6A45ACD588826D15E583A95F5DD********")
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
    pub(crate) mchid: String,
    pub(crate) stack: BoxService,
    pub(crate) base: Base,
    /// The whole call's time where the call does not say; zero is no limit.
    pub(crate) timeout: Duration,
}

/// One call on its way: the request, and what is done around it.
struct Call {
    method: Method,
    /// For messages: never with the values filled in.
    template: String,
    request: http::Request<Bytes>,
    timeout: Duration,
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
        let call = template
            .and_then(|template| self.prepare(&method, template, options))
            .map_err(|error| error.with_call(&method, shown));
        let core = Arc::clone(self);
        Promise::new(async move { core.send(call?).await })
    }

    fn prepare(&self, method: &Method, template: &Template, options: Options) -> Result<Call, Error> {
        let options = options.checked()?;
        let base = options.base_uri.as_ref().unwrap_or(&self.base);
        let mut request = request::build(method.clone(), template, &options, base)?;
        request.extensions_mut().insert(Destination(base.clone()));
        Ok(Call {
            method: method.clone(),
            template: template.source().to_owned(),
            request,
            timeout: options.timeout.unwrap_or(self.timeout),
            http_errors: options.http_errors.unwrap_or(true),
        })
    }

    /// Sends a request through the stack and makes a [`Response`] or an [`Error`] of what comes back.
    ///
    /// Every request of every verb, synchronous or not, passes here, and nothing else calls the stack.
    async fn send(&self, call: Call) -> Result<Response, Error> {
        let Call { method, template, request, timeout, http_errors } = call;
        let sending = self.stack.clone().oneshot(request);
        let answer = if timeout.is_zero() {
            sending.await
        } else {
            tokio::time::timeout(timeout, sending).await.unwrap_or_else(|_| {
                Err(Error::new(
                    ErrorKind::Timeout,
                    format!("no answer after {timeout:?}; the request may have arrived, so query before repeating it"),
                ))
            })
        };
        let answer = answer.map_err(|error| error.with_call(&method, &template))?;
        let verified = answer.extensions().get::<Verified>().is_some();
        let response = Response::new(answer, verified);
        if http_errors && !response.status().is_success() {
            return Err(Error::answer(response).with_call(&method, &template));
        }
        Ok(response)
    }
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
    ///     "serial": "3775B6A45ACD588826D15E583A95F5DD********",
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
        let template = request::template(uri);
        self.core.call(method, uri, template.as_ref().map_err(|error| Error::path(error.message())), options.into())
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
            .field("mchid", &self.core.mchid)
            .field("base_uri", &self.core.base)
            .field("timeout", &self.core.timeout)
            .finish_non_exhaustive()
    }
}
