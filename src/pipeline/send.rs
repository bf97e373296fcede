//! Sends one call. Every request of every verb, synchronous or asynchronous, passes
//! [`Pipeline::send`]. Only the download of the platform certificates has a stack of its own.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tower::ServiceExt;
use tracing::Instrument;

use crate::error::{Error, ErrorKind};
use crate::pipeline::attributes::CallPath;
use crate::pipeline::call_config::CallConfig;
#[cfg(feature = "metrics")]
use crate::pipeline::metrics;
use crate::pipeline::response::Response;
use crate::pipeline::stack::BoxService;
use crate::pipeline::trace;
use crate::proto::excerpt::content_description;
#[cfg(feature = "catalog")]
use crate::proto::request::RequestSpec;
use crate::proto::request::SigningInput;
use crate::proto::{redirect, v2, xml};
use crate::transport::connection::SendCount;
use crate::transport::sink::{OpenSink, SinkWriter, UnfinishedFile};
use crate::transport::{BoxFuture, runtime};

/// A future of a [`Response`] or another result, with methods named after those of
/// PHP promises.
///
/// Like every Rust future, it does nothing until you `.await` it or call [`wait`](Promise::wait).
/// It runs on the tokio runtime that polls it; the runtime's timer and I/O must be enabled
/// (`enable_all`, as with `#[tokio::main]`). Under another executor, its network I/O runs on a
/// background thread. Dropping the promise cancels the call.
///
/// ```no_run
/// # async fn run(client: wechatpay_chain::Client) -> Result<(), wechatpay_chain::Error> {
/// let response = client.chain("v3/certificates").get_async(()).await?;
///
/// // As in PHP:
/// client.chain("v3/certificates").get_async(())
///     .then(|response| println!("{}", response.text()))
///     .otherwise(|error| eprintln!("{error}"))
///     .wait()?;
/// # Ok(()) }
/// ```
#[must_use = "a call does nothing until it is awaited or waited for"]
pub struct Promise<T> {
    future: BoxFuture<'static, Result<T, Error>>,
}

impl<T: Send + 'static> Promise<T> {
    pub(crate) fn new(future: impl Future<Output = Result<T, Error>> + Send + 'static) -> Self {
        Promise { future: Box::pin(future) }
    }

    /// Maps the result of a successful call. Errors are passed on unchanged.
    pub fn then<U: Send + 'static>(self, fulfilled: impl FnOnce(T) -> U + Send + 'static) -> Promise<U> {
        Promise::new(async move { self.future.await.map(fulfilled) })
    }

    /// Maps the error of a failed call to a result. The result of a successful call is passed on
    /// unchanged.
    pub fn otherwise(self, rejected: impl FnOnce(Error) -> T + Send + 'static) -> Promise<T> {
        Promise::new(async move { Ok(self.future.await.unwrap_or_else(rejected)) })
    }

    /// Blocks this thread until the call has finished. This works on any thread. In async code, use
    /// `.await` instead, because `wait` blocks the runtime's thread.
    ///
    /// # Errors
    /// Fails with the error of the call, unless [`otherwise`](Self::otherwise) has mapped it to a
    /// result.
    pub fn wait(self) -> Result<T, Error> {
        runtime::block_on(self.future)
    }
}

impl<T> Future for Promise<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        runtime::poll(self.future.as_mut(), context)
    }
}

impl<T> fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Promise")
    }
}

/// Sends the calls of a client.
pub(crate) struct Pipeline {
    stack: BoxService,
    /// One permit for each call that may be in flight.
    permits: Semaphore,
}

/// A call that is ready to be sent.
pub(crate) struct PreparedCall {
    pub(crate) method: Method,
    /// The path without the values of its variables, for messages.
    pub(crate) template: String,
    /// The template may contain values that the program formatted into it.
    pub(crate) is_run_time_text: bool,
    /// The request, with its [`CallConfig`] in the extensions.
    pub(crate) request: http::Request<Bytes>,
    /// What the request was built from. It explains a rejection of the call.
    #[cfg(feature = "catalog")]
    pub(crate) spec: RequestSpec,
    /// The file of the option `sink`.
    pub(crate) file: Option<UnfinishedFile>,
}

impl PreparedCall {
    fn config(&self) -> Option<&CallConfig> {
        self.request.extensions().get()
    }
}

impl Pipeline {
    /// `concurrency` is the maximum number of calls in flight; zero is no limit.
    pub(crate) fn new(stack: BoxService, concurrency: usize) -> Self {
        let permits = if concurrency == 0 { Semaphore::MAX_PERMITS } else { concurrency.min(Semaphore::MAX_PERMITS) };
        Pipeline { stack, permits: Semaphore::new(permits) }
    }

    /// Sends a call. Its steps follow below, in this order. This one records the call in its span,
    /// and names it in its error. `documented` returns the documented template of a path.
    pub(crate) async fn send<'d>(
        &self,
        mut call: Box<PreparedCall>,
        documented: impl Fn(&Method, &str) -> Option<&'d str>,
    ) -> Result<Response, Error> {
        let (method, template) = (call.method.clone(), std::mem::take(&mut call.template));
        let path = CallPath { text: &template, is_run_time_text: call.is_run_time_text };
        // Without a subscriber, the template is not looked up.
        let label = || path.label(|| documented(&method, &template));
        let span = trace::span(&method, label, call.request.uri());
        #[cfg(feature = "metrics")]
        let active = metrics::ActiveCall::start(&method, label(), call.request.uri());
        let result = self.send_within_timeout(call).instrument(span.clone()).await;
        trace::result(&span, &result);
        #[cfg(feature = "metrics")]
        active.end(&result);
        match result {
            Ok(mut response) => {
                response.set_call(method, template);
                Ok(response)
            }
            Err(error) => Err(error.with_call(&method, &template)),
        }
    }

    /// Waits for a permit and sends the call, within the timeout of the call.
    async fn send_within_timeout(&self, mut call: Box<PreparedCall>) -> Result<Response, Error> {
        let timeout = call.config().and_then(|config| config.timeout).unwrap_or_default();
        let sends = SendCount::default();
        if let Some(config) = call.request.extensions_mut().get_mut::<CallConfig>() {
            config.http.sends = Some(sends.clone());
            // The body of a stream is received after this function has returned, so it needs the
            // deadline.
            config.deadline = if timeout.is_zero() { None } else { Instant::now().checked_add(timeout) };
        }
        let mut started = false;
        let result = {
            let sending = std::pin::pin!(async {
                // The semaphore is never closed, so `acquire` cannot fail.
                let _permit = self.permits.acquire().await;
                started = true;
                self.send_and_check(call).await
            });
            if timeout.is_zero() { Some(sending.await) } else { runtime::timeout(timeout, sending).await }
        };
        result.unwrap_or_else(|| Err(timeout_error(timeout, started, &sends)))
    }

    /// Sends the call, checks the response, and writes it to the sink of the call.
    async fn send_and_check(&self, mut call: Box<PreparedCall>) -> Result<Response, Error> {
        let (is_v2, stream, http_errors, sink) = match call.config() {
            Some(config) => (config.signing.is_v2(), config.stream, config.http_errors, config.sink.clone()),
            None => (false, false, true, None),
        };
        let file = call.file.take();
        let v2_path = is_v2.then(|| call.request.uri().path().to_owned());
        let response = self.send_following_redirects(call.request).await?;
        let success = response.status().is_success();

        let failure = if is_v2 && !response.is_delivered() { v2::failure_in(response.body()) } else { None };
        if !success || failure.is_some() {
            return if http_errors { Err(failed(response, is_v2, failure)) } else { Ok(response) };
        }
        if let Some(path) = v2_path.filter(|_| (stream || sink.is_some()) && !response.is_delivered()) {
            check_file_v2(&response, &path)?;
        }
        // An APIv3 response is in the stream, or it was collected and verified. If it is neither, a
        // layer lost its `ResponseInfo`.
        if stream && !is_v2 && !response.is_verified() && !response.is_delivered() {
            return Err(Error::layer(
                "a layer replaced the response and lost its extensions, which hold the stream of the body",
            ));
        }
        match sink {
            Some(slot) => {
                let sink = slot.take().ok_or_else(|| Error::layer("a layer used the sink of the call"))?;
                Box::pin(write_to_sink(response, sink, file)).await
            }
            None => Ok(response),
        }
    }

    /// Sends the request, and follows redirects if the call allows them.
    async fn send_following_redirects(&self, mut request: http::Request<Bytes>) -> Result<Response, Error> {
        let mut followed = false;
        loop {
            let redirects = request.extensions().get::<CallConfig>().map(|config| config.redirects).unwrap_or_default();
            let repeatable = (redirects.left > 0).then(|| request.clone());
            let response = self.stack.clone().oneshot(request).await.map_err(|error| {
                // The request that was redirected did arrive.
                if followed { error.after_sending() } else { error }
            })?;
            let is_redirect = || ErrorKind::of_status(response.status()) == Some(ErrorKind::Redirect);
            let Some(sent) = repeatable.filter(|_| is_redirect()) else {
                let mut response = Response::new(response);
                if followed {
                    response.mark_after_another();
                }
                return Ok(response);
            };
            request = match redirect::next(&sent, &response, redirects.strict) {
                Ok(next) => next,
                Err(reason) => {
                    let message = format!("the service responded with a redirect, which was not followed: {reason}");
                    return Err(Error::new(ErrorKind::Redirect, message).with_response(Response::new(response)));
                }
            };
            if let Some(config) = request.extensions_mut().get_mut::<CallConfig>() {
                config.redirects.left -= 1;
                if let Some(template) = &mut config.http.debug {
                    *template = "***".into();
                }
                if response.status() == StatusCode::SEE_OTHER {
                    // The next request is a GET without a body.
                    config.signing = SigningInput::Body;
                }
            }
            followed = true;
        }
    }
}

fn timeout_error(timeout: Duration, started: bool, sends: &SendCount) -> Error {
    if !sends.end_if_zero() {
        let message =
            format!("no response after {timeout:?}; the request may have arrived, so query before repeating it");
        return Error::new(ErrorKind::Timeout, message);
    }
    let message = if started {
        format!(
            "nothing was sent within {timeout:?}: the call was still connecting, or waiting for a signer or a layer"
        )
    } else {
        format!(
            "the call did not start within {timeout:?}, and nothing was sent: as many calls as the client allows are in flight; \
             ClientBuilder::concurrency allows more"
        )
    };
    Error::new(ErrorKind::Timeout, message).before_sending()
}

/// The text of the gateway's page for a call that needs the merchant certificate.
const CERTIFICATE_PAGE: &str = "No required SSL certificate was sent";

/// The error for a response that reports a failure: a status other than 2xx, or a failure in the
/// fields of APIv2.
fn failed(response: Response, is_v2: bool, failure: Option<v2::Failure>) -> Error {
    let is_xml = is_v2 && response.body().starts_with(b"<xml>");
    match failure {
        Some(failure) if is_xml || response.status().is_success() => {
            Error::fail(Some(failure.code), failure.message, response)
        }
        // The fields contain a signature, so the message does not show them.
        _ if is_xml => Error::fail(None, "the body is XML and does not report a failure".to_owned(), response),
        _ if is_v2 && response.text().contains(CERTIFICATE_PAGE) => {
            let message =
                format!("{CERTIFICATE_PAGE}: this call needs the merchant certificate, add the option \"security\"");
            Error::fail(None, message, response)
        }
        _ => Error::from_response(response),
    }
}

/// Checks that a response of APIv2 whose body goes to a sink or stream is a file, and not a page or
/// damaged XML.
fn check_file_v2(response: &Response, path: &str) -> Result<(), Error> {
    let is_markup = response.text().trim_start().starts_with('<');
    if is_markup && (v2::is_file(path) || xml::read(response.body()).is_err()) {
        let content = content_description(response.headers(), response.body().len());
        let message = format!("a file was expected, and the response is a page or damaged XML: {content}");
        return Err(Error::new(ErrorKind::Decode, message).with_response(response.clone()));
    }
    Ok(())
}

/// Writes a response in memory to its sink, checks the digests, and gives the file its name.
async fn write_to_sink(
    response: Response,
    mut sink: OpenSink,
    file: Option<UnfinishedFile>,
) -> Result<Response, Error> {
    if !response.is_delivered() {
        let body = response.body().clone();
        let length = body.len() as u64;
        let mut writer = SinkWriter::start(sink);
        writer.write(body, Some(length)).await;
        sink = writer.finish().await?;
    }
    sink.finish()?;
    if let Some(file) = file {
        file.keep()?;
    }
    Ok(response.without_body())
}
