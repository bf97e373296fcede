//! The response to a call.

use std::borrow::Cow;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::{HeaderMap, Method, StatusCode};

use crate::error::Error;
use crate::transport::slot::Slot;

/// What the layers know about a response. It is in the response's extensions until the response
/// becomes a [`Response`].
#[derive(Clone)]
pub(crate) struct ResponseInfo {
    /// Whether the signature was present and valid.
    pub(crate) verified: bool,
    /// How many requests were sent.
    pub(crate) attempts: u32,
    /// Whether the response came from the backup host.
    pub(crate) from_backup: bool,
    /// Whether another request of the call was sent before this one and may have arrived.
    pub(crate) after_another: bool,
    /// Why the service rejected the signature of the request.
    pub(crate) hint: Option<Arc<str>>,
    /// Where the body is.
    pub(crate) body: BodyLocation,
    /// The body as received, if it was decoded. The signature may cover either form.
    pub(crate) received: Option<Bytes>,
}

/// Where the body of a response is.
#[derive(Clone)]
pub(crate) enum BodyLocation {
    /// In memory.
    Collected,
    /// Written to the sink of the call.
    Sink,
    /// In a stream that the caller reads.
    Stream(Slot<BodyStream>),
}

impl ResponseInfo {
    pub(crate) fn new(body: BodyLocation) -> Self {
        let (from_backup, after_another) = (false, false);
        ResponseInfo { verified: false, attempts: 1, from_backup, after_another, hint: None, body, received: None }
    }

    /// The body as received, if it was decoded.
    pub(crate) fn received(response: &http::Response<Bytes>) -> Option<&Bytes> {
        response.extensions().get::<ResponseInfo>()?.received.as_ref()
    }

    /// Whether the body is not in memory.
    pub(crate) fn is_delivered(response: &http::Response<Bytes>) -> bool {
        let info = response.extensions().get::<ResponseInfo>();
        info.is_some_and(|info| !matches!(info.body, BodyLocation::Collected))
    }
}

/// The response to a call: the status, the headers and the whole body as received.
///
/// The crate does not ask for compressed responses. If one has the header `Content-Encoding: gzip`,
/// because the caller has set `Accept-Encoding` or a gateway compresses unasked, its body is
/// decoded, and `Content-Encoding` and `Content-Length` are removed from the headers. The limit for
/// bodies in memory applies to the decoded body. Any other coding is an error.
///
/// ```
/// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
/// # let client = sandbox.client()?;
/// let message = serde_json::json!({ "json": { "echo_message": "hello" } });
/// let response = client.chain("v3/security/echo").post(message)?;
/// assert!(response.status().is_success() && response.is_verified());
/// assert_eq!(response.field::<String>("echo_message")?, "hello");
/// assert_eq!(response.headers()["content-type"], "application/json; charset=utf-8");
/// println!("{} bytes, Request-ID {:?}", response.body().len(), response.request_id());
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
///
/// Clones share the body.
///
/// In unit tests, an [`http::Response`] converts to an unverified response:
///
/// ```
/// use wechatpay_chain::{Response, http};
/// let response = Response::from(http::Response::new(r#"{ "code_url": "weixin://wxpay" }"#));
/// assert_eq!(response.field::<String>("code_url")?, "weixin://wxpay");
/// assert!(!response.is_verified());
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[derive(Clone)]
pub struct Response {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    info: ResponseInfo,
    /// The method and the path template of the call, for errors.
    pub(super) call: Option<(Method, String)>,
}

impl Response {
    /// Takes the response's `ResponseInfo` out of its extensions. A response that was created by a
    /// custom layer has none, and counts as unverified.
    pub(crate) fn new(response: http::Response<Bytes>) -> Self {
        let (mut parts, body) = response.into_parts();
        let info = parts.extensions.remove().unwrap_or_else(|| ResponseInfo::new(BodyLocation::Collected));
        let info = ResponseInfo { received: None, ..info };
        Response { status: parts.status, headers: parts.headers, body, info, call: None }
    }

    pub(crate) fn set_call(&mut self, method: Method, template: String) {
        self.call = Some((method, template));
    }

    /// Whether the body was written to a sink or is in a stream.
    pub(crate) fn is_delivered(&self) -> bool {
        !matches!(self.info.body, BodyLocation::Collected)
    }

    /// Why the service rejected the signature of the request.
    pub(crate) fn hint(&self) -> Option<&str> {
        self.info.hint.as_deref()
    }

    /// Whether another request of the call was sent before and may have arrived: by a retry or a
    /// redirect.
    pub(crate) fn is_after_another(&self) -> bool {
        self.info.after_another
    }

    pub(crate) fn mark_after_another(&mut self) {
        self.info.after_another = true;
    }

    /// Without the body, which was written to the sink of the call.
    pub(crate) fn without_body(mut self) -> Self {
        self.info.body = BodyLocation::Sink;
        Response { body: Bytes::new(), ..self }
    }

    /// Returns the HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the HTTP headers as received, except those that described a body before it was
    /// decoded.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the `Request-ID` header, which WeChat Pay's support needs to find a request.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.headers().get("request-id")?.to_str().ok()
    }

    /// Returns the raw body, decoded if it was compressed with `Content-Encoding`.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Returns the body as text. Bytes that are not valid UTF-8 are replaced with `U+FFFD`;
    /// [`body`](Self::body) returns them unchanged.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.body())
    }

    /// Converts the response into a stream of its body. With the option `stream`, the body is read
    /// from the connection as it is received; otherwise the stream yields the body in memory.
    ///
    /// Only responses whose signature does not cover the body are streamed: bills, vouchers,
    /// pictures and overseas statements. Any other response is received and verified first, and its
    /// stream yields a single piece. A streamed response and its clones share one stream: the first
    /// one taken yields the body, and any other is empty.
    #[must_use]
    pub fn into_stream(self) -> BodyStream {
        match self.info.body {
            BodyLocation::Stream(slot) => slot.take().unwrap_or_else(|| BodyStream::whole(Bytes::new())),
            BodyLocation::Sink | BodyLocation::Collected => BodyStream::whole(self.body),
        }
    }

    /// Returns the number of attempts. It is more than one if the call was
    /// [retried](crate::ClientBuilder::retry) or was sent to the [backup
    /// host](crate::ClientBuilder::backup_uri).
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.info.attempts
    }

    /// Returns whether the response came from the [backup host](crate::ClientBuilder::backup_uri).
    #[must_use]
    pub fn is_from_backup(&self) -> bool {
        self.info.from_backup
    }

    /// Returns whether this response has a valid signature from WeChat Pay.
    ///
    /// The 2xx responses that a call returns are verified, except for a few documented paths whose
    /// responses are not signed. Other responses may be unsigned and therefore unverified, because
    /// gateways in front of WeChat Pay do not sign. A response with an invalid signature is an
    /// error, whatever its status is.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.info.verified
    }
}

/// For unit tests of code that takes a response. It is not verified.
impl<B: Into<Bytes>> From<http::Response<B>> for Response {
    fn from(response: http::Response<B>) -> Self {
        let mut response = response.map(Into::into);
        // Only the client decides whether a response is verified.
        response.extensions_mut().clear();
        Response::new(response)
    }
}

/// The headers that `Debug` shows. It only counts the others, so that the signature is not shown.
const SHOWN: [&str; 6] =
    ["content-type", "content-length", "date", "request-id", "wechatpay-serial", "wechatpay-timestamp"];

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Headers<'a>(&'a HeaderMap);
        impl fmt::Debug for Headers<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut map = f.debug_map();
                let mut hidden = 0;
                for (name, value) in self.0 {
                    if SHOWN.contains(&name.as_str()) {
                        map.entry(&name.as_str(), value);
                    } else {
                        hidden += 1;
                    }
                }
                if hidden > 0 {
                    map.entry(&"...", &format_args!("{hidden} more"));
                }
                map.finish()
            }
        }
        f.debug_struct("Response")
            .field("status", &self.status())
            .field("headers", &Headers(self.headers()))
            .field("body", &format_args!("{} bytes", self.body().len()))
            .field("verified", &self.info.verified)
            .finish()
    }
}

/// The source of a [`BodyStream`]: a connection or bytes in memory.
pub(crate) trait BodySource: Send {
    /// Restarts the time limit, so that it begins when the next read is polled.
    fn begin_read(&mut self);

    /// Returns the next piece of the body, or `None` at its end.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>>;

    /// Returns the next piece, and blocks this thread until it is received.
    fn next_blocking(&mut self) -> Result<Option<Bytes>, Error>;

    /// The length of the rest, if it is known.
    fn remaining(&self) -> Option<u64>;
}

/// A stream of the pieces of a response body, returned by [`Response::into_stream`].
///
/// In async code, use [`next`](Self::next); in synchronous code, use [`Read`]. If WeChat Pay signed
/// a digest of the body, the digest is checked at the end, so the last item may be an error.
///
/// ```
/// # use serde_json::json;
/// # use wechatpay_chain::sandbox::Sandbox;
/// # let sandbox = Sandbox::start()?;
/// # sandbox.file("v3/billdownload/file", 100_000);
/// # let client = sandbox.client()?;
/// let options = json!({ "query": { "token": "..." }, "stream": true });
/// let bill = client.chain("v3/billdownload/file").get(options)?;
/// let mut lines = std::io::BufReader::new(bill.into_stream());
/// let copied = std::io::copy(&mut lines, &mut std::io::sink())?;
/// # assert_eq!(copied, 100_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct BodyStream {
    /// `None` after the end and after an error.
    source: Option<Box<dyn BodySource>>,
    /// Bytes that were received but not yet read.
    unread: Bytes,
}

impl BodyStream {
    pub(crate) fn new(source: impl BodySource + 'static) -> Self {
        BodyStream { source: Some(Box::new(source)), unread: Bytes::new() }
    }

    fn whole(body: Bytes) -> Self {
        BodyStream { source: None, unread: body }
    }

    /// Returns the next piece, or `None` at the end and after an error.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Transport`] if the connection breaks, with [`ErrorKind::Timeout`] if
    /// no data arrives in time, and with [`ErrorKind::Verification`] if the digest of the body
    /// differs from the signed digest.
    ///
    /// [`ErrorKind::Transport`]: crate::ErrorKind::Transport
    /// [`ErrorKind::Timeout`]: crate::ErrorKind::Timeout
    /// [`ErrorKind::Verification`]: crate::ErrorKind::Verification
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        if !self.unread.is_empty() {
            return Some(Ok(std::mem::take(&mut self.unread)));
        }
        let source = self.source.as_mut()?;
        source.begin_read();
        let piece = poll_fn(|context| source.poll_next(context)).await;
        self.received(piece).transpose()
    }

    /// The length of the rest, if it is known.
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        let source = self.source.as_ref().map_or(Some(0), |source| source.remaining())?;
        Some(source + self.unread.len() as u64)
    }

    fn received(&mut self, piece: Result<Option<Bytes>, Error>) -> Result<Option<Bytes>, Error> {
        if !matches!(piece, Ok(Some(_))) {
            self.source = None;
        }
        piece
    }
}

impl Read for BodyStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.unread.is_empty() {
            let Some(source) = &mut self.source else { return Ok(0) };
            let piece = source.next_blocking();
            if let Some(piece) = self.received(piece).map_err(io::Error::other)? {
                self.unread = piece;
            }
        }
        let count = into.len().min(self.unread.len());
        self.unread.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}

impl fmt::Debug for BodyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyStream").field("remaining", &self.remaining()).finish_non_exhaustive()
    }
}
