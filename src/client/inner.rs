//! One call: how it is prepared, sent and answered; and the one function through which every request passes.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
#[cfg(feature = "aws-lc-rs")]
use http::HeaderValue;
use http::Method;
use tokio::sync::{Semaphore, SemaphorePermit};
use tower::ServiceExt;

use crate::client::promise::Promise;
use crate::crypto::PrivateKey;
use crate::error::excerpt;
use crate::error::{Error, ErrorKind};
use crate::notify::NotificationVerifier;
#[cfg(feature = "aws-lc-rs")]
use crate::options::Body;
use crate::options::{Options, Redirects};
use crate::pipeline::call_config::{CallConfig, Delivery, Slot};
use crate::pipeline::platform_keys::PlatformKeys;
use crate::pipeline::response::Response;
use crate::pipeline::sign::Credential;
use crate::pipeline::stack::BoxService;
use crate::pipeline::trace;
use crate::pipeline::verify::{Verified, Verifier};
use crate::proto::base_uri::BaseUri;
use crate::proto::case;
use crate::proto::redirect;
use crate::proto::request;
use crate::proto::template::Template;
use crate::proto::verify::SERIAL;
use crate::proto::{v2, v2::Unsigned, xml};
use crate::transport::body::Deadlines;
use crate::transport::runtime;
use crate::transport::sink::{OpenSink, Unfinished, Writing};

/// What all chains of a client share.
pub(crate) struct ClientInner {
    pub(crate) credential: Arc<Credential>,
    pub(crate) v2: Arc<crate::pipeline::v2::Settings>,
    pub(crate) stack: BoxService,
    pub(crate) base: BaseUri,
    /// The whole call's time where the call does not say; zero is no limit.
    pub(crate) timeout: Duration,
    /// How many calls may be under way at once; the others wait for their turn before they are signed.
    pub(crate) turns: Semaphore,
    pub(crate) platform: Arc<PlatformKeys>,
    pub(crate) verifier: Arc<dyn Verifier>,
    /// Made once, so that what was seen is remembered for all who ask.
    pub(crate) notifications: OnceLock<NotificationVerifier>,
    /// Whether no code of the caller's takes part in a call: no layer, signer or verifier.
    pub(crate) contained: bool,
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
    stream: bool,
    v2: bool,
    http_errors: bool,
}

impl ClientInner {
    /// Prepares a call at once and returns the future that sends it; a mistake is the future's error.
    pub(crate) fn call(
        self: &Arc<Self>,
        method: Method,
        shown: &str,
        template: Result<&Template, Error>,
        options: Options,
    ) -> Promise<Response> {
        // A query may hold a token, and messages are not the place for it.
        let shown = case::before_query(shown);
        let contained = self.contained && options.sink.is_none() && options.stream != Some(true);
        if options.encrypt.is_empty() {
            let call = template.and_then(|template| self.prepare(&method, shown, template, options));
            let call = call.map_err(|error| error.with_call(&method, shown));
            let core = Arc::clone(self);
            return Promise::new(async move { core.send(call?).await }).contained(contained);
        }
        if shown.get(..3).is_some_and(|head| head.eq_ignore_ascii_case("v2/")) {
            let error = Error::options(
                "the option \"encrypt\" encrypts fields of APIv3: APIv2 has its own ways, see the endpoint",
            );
            let error = error.with_call(&method, shown);
            return Promise::new(async move { Err(error) });
        }
        // The key to encrypt with may have to be fetched first.
        let (core, shown) = (Arc::clone(self), shown.to_owned());
        let template = template.cloned();
        Promise::new(async move {
            let named = |error: Error| error.with_call(&method, &shown);
            let template = template.map_err(named)?;
            let timeout = options.timeout.unwrap_or(core.timeout);
            let began = Instant::now();
            let encrypting = core.encrypted(options);
            let options = if timeout.is_zero() {
                encrypting.await
            } else {
                // The certificates may have to be fetched first, within the call's time.
                tokio::time::timeout(timeout, encrypting).await.unwrap_or_else(|_| {
                    Err(Error::new(
                        ErrorKind::Timeout,
                        format!("no key to encrypt with after {timeout:?}; the call was not sent"),
                    ))
                })
            };
            let options = options.map_err(|error| named(error.before_sending()))?;
            let mut call = core.prepare(&method, &shown, &template, options).map_err(named)?;
            if !call.timeout.is_zero() {
                // What the fetch took is gone; nothing left is a moment, as zero is no limit.
                call.timeout = call.timeout.saturating_sub(began.elapsed()).max(Duration::from_millis(1));
            }
            core.send(call).await
        })
        .contained(contained)
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

    fn prepare(&self, method: &Method, shown: &str, template: &Template, options: Options) -> Result<Box<Call>, Error> {
        let mut options = options.checked()?;
        let base = options.base_uri.as_ref().unwrap_or(&self.base);
        let mut request = request::build(method.clone(), template, &options, base)?;

        let v2 = request.extensions().get::<Unsigned>().is_some();
        if v2 && options.redirects.is_some_and(|redirects| redirects.left > 0) {
            return Err(Error::options(
                "the option \"allow_redirects\" is for APIv3: what APIv2 signs does not bind the address, so that a redirect would send it anywhere",
            ));
        }
        if options.security == Some(true) && request.uri().scheme_str() != Some("https") {
            return Err(Error::options(
                "the option \"security\" presents the certificate over TLS, and the call goes over plain http: set base_uri to https; the \
                 sandbox's is Sandbox::tls_base_uri",
            ));
        }
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
        request.extensions_mut().insert(CallConfig {
            destination: Some(base.clone()),
            connect_timeout: options.connect_timeout,
            patience: Deadlines { silence, until: None },
            proxy: options.proxy.take(),
            debug: options.debug.unwrap_or(false),
            v2,
            security: options.security.unwrap_or(false),
            delivery,
            retry: options.retry,
        });
        // On the heap, since each step on the way would have its own copy of it otherwise.
        Ok(Box::new(Call {
            method: method.clone(),
            template: shown.to_owned(),
            request,
            timeout,
            redirects: options.redirects.unwrap_or_default(),
            sink,
            stream,
            v2,
            http_errors: options.http_errors.unwrap_or(true),
        }))
    }

    /// Sends a request through the stack and makes a [`Response`] or an [`Error`] of what comes back.
    ///
    /// Every request of every verb, synchronous or not, passes here, and nothing else calls the stack.
    async fn send(&self, call: Box<Call>) -> Result<Response, Error> {
        if call.stream {
            // Whoever reads the stream may block the runtime of this call; the connection must not wait for it.
            return Box::pin(runtime::in_background(self.timed(call))).await;
        }
        self.timed(call).await
    }

    async fn timed(&self, mut call: Box<Call>) -> Result<Response, Error> {
        let (method, template) = (call.method.clone(), std::mem::take(&mut call.template));
        let uri = call.request.uri().clone();
        let answered = trace::call(&method, &template, &uri, self.within_time(call)).await;
        answered.map_err(|error| error.with_call(&method, &template))
    }

    async fn within_time(&self, mut call: Box<Call>) -> Result<Response, Error> {
        let timeout = call.timeout;
        if timeout.is_zero() {
            let _turn = self.turn().await;
            return self.exchange(call).await;
        }
        let until = tokio::time::Instant::now().checked_add(timeout);
        let mut began = false;
        let exchange = async {
            let _turn = self.turn().await;
            began = true;
            if let Some(exchange) = call.request.extensions_mut().get_mut::<CallConfig>() {
                // A body that is streamed outlives this function.
                exchange.patience.until = until;
            }
            self.exchange(call).await
        };
        tokio::time::timeout(timeout, exchange).await.unwrap_or_else(|_| {
            let timed_out = |said| Error::new(ErrorKind::Timeout, said);
            Err(if began {
                timed_out(format!("no answer after {timeout:?}; the request may have arrived, so query before repeating it"))
            } else {
                timed_out(format!(
                    "no turn after {timeout:?}, and nothing was sent: as many calls of this client as it makes at once are under way; \
                     ClientBuilder::concurrency allows more"
                ))
                .before_sending()
            })
        })
    }

    /// Waits until the call may begin. Nobody closes the semaphore, so that there is always a turn.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }

    async fn exchange(&self, call: Box<Call>) -> Result<Response, Error> {
        let (v2, is_file) = (call.v2, v2::is_file(call.request.uri().path()));
        let Call { mut request, mut redirects, sink, stream, http_errors, .. } = *call;
        let mut followed = false;
        let answer = loop {
            let again = (redirects.left > 0).then(|| request.clone());
            let answer = self.stack.clone().oneshot(request).await.map_err(|error| {
                // A redirect was followed, so the request did leave.
                if followed { error.after_sending() } else { error }
            })?;
            match again {
                Some(again) if answer.status().is_redirection() => {
                    redirects.left -= 1;
                    followed = true;
                    request = redirect::next(&again, &answer, redirects.strict).map_err(|said| {
                        let said = format!("the service redirects, which is not followed: {said}");
                        Error::new(ErrorKind::Redirect, said).with_response(Response::new(answer, false))
                    })?;
                }
                _ => break answer,
            }
        };
        let verified = is_verified(&answer);
        let mut response = Response::new(answer, verified);
        if v2 && response.status().is_success() && !response.is_delivered() {
            // What is no XML says nothing of a failure: a bill, or a page.
            if let Some(failure) = v2::failure_in(response.body()) {
                return if http_errors {
                    Err(Error::fail(Some(failure.code), failure.message, response))
                } else {
                    Ok(response)
                };
            }
            let markup = (stream || sink.is_some()) && response.text().trim_start().starts_with('<');
            if markup && (is_file || xml::read(response.body()).is_err()) {
                let said = format!(
                    "a file was expected, and the answer is a page, or broken XML: {}",
                    excerpt(&response.text())
                );
                return Err(Error::new(ErrorKind::Decode, said).with_response(response));
            }
        }
        // What APIv2 answers in XML is collected, whatever was asked for.
        let stream = stream && !v2;
        if stream && response.status().is_success() && !verified && !response.is_delivered() {
            return Err(Error::layer(
                "a layer made the answer anew without its extensions, and the stream in them is lost",
            ));
        }
        if response.status().is_success() {
            if let Some((slot, unfinished)) = sink {
                let open = slot.take().ok_or_else(|| Error::layer("a layer used up the sink of the call"))?;
                response = Box::pin(deliver(response, open)).await?;
                unfinished.keep()?;
            }
        } else if http_errors {
            if v2 && response.body().starts_with(b"<xml>") {
                // Its fields have a sign, which no message shows.
                return Err(match v2::failure_in(response.body()) {
                    Some(failure) => Error::fail(Some(failure.code), failure.message, response),
                    None => Error::fail(None, "the body is XML without a failure".to_owned(), response),
                });
            }
            return Err(Error::from_response(response));
        }
        Ok(response)
    }
}

fn is_verified(answer: &http::Response<Bytes>) -> bool {
    answer.extensions().get::<Verified>().is_some()
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
