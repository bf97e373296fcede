//! The client, and the one function through which every request passes.

use std::fmt;
use std::ops;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::Value;
use tower::ServiceExt;

use crate::body::Patience;
use crate::chain::Chain;
use crate::config::ClientBuilder;
use crate::crypto::{Certificate, PrivateKey};
use crate::download::Download;
use crate::error::{BoxError, Error, ErrorKind};
use crate::index::Index;
use crate::layer::BoxService;
use crate::layer::sign::Destination;
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
    pub(crate) mchid: String,
    pub(crate) stack: BoxService,
    pub(crate) base: Base,
    /// The whole call's time where the call does not say; zero is no limit.
    pub(crate) timeout: Duration,
    pub(crate) platform: Arc<Platform>,
    /// What decrypts; a merchant whose keys are elsewhere has none here.
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
        let call = template
            .and_then(|template| self.prepare(&method, shown, template, options))
            .map_err(|error| error.with_call(&method, shown));
        let core = Arc::clone(self);
        Promise::new(async move { core.send(call?).await })
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
            .field("mchid", &self.core.mchid)
            .field("base_uri", &self.core.base)
            .field("timeout", &self.core.timeout)
            .finish_non_exhaustive()
    }
}
