//! The answer to a call.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::error::{Error, ErrorKind, excerpt};
use crate::pipeline::call_config::{Attempts, Delivered, Hint};
use crate::proto::xml;
use crate::transport::body::BodyStream;

/// The answer to a call: status, headers and the whole body, as it came over the wire.
///
/// ```
/// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
/// # let client = sandbox.client()?;
/// let answer = client.chain("v3/security/echo").post(serde_json::json!({ "json": { "echo_message": "hello" } }))?;
/// assert!(answer.status().is_success() && answer.is_verified());
/// assert_eq!(answer.json()?["echo_message"], "hello");
/// assert_eq!(answer.headers()["content-type"], "application/json; charset=utf-8");
/// println!("{} bytes, Request-ID {:?}", answer.body().len(), answer.request_id());
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
///
/// A clone shares the body.
#[derive(Clone)]
pub struct Response {
    parts: http::Response<Bytes>,
    verified: bool,
}

impl Response {
    pub(crate) fn new(parts: http::Response<Bytes>, verified: bool) -> Self {
        Response { parts, verified }
    }

    /// Whether the body went into a sink or a stream as it came.
    pub(crate) fn is_delivered(&self) -> bool {
        self.parts.extensions().get::<Delivered>().is_some()
    }

    /// Why the signature of the request was refused.
    pub(crate) fn hint(&self) -> Option<&str> {
        self.parts.extensions().get::<Hint>().map(|Hint(said)| &**said)
    }

    pub(crate) fn without_body(self) -> Self {
        Response { parts: self.parts.map(|_| Bytes::new()), ..self }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.parts.status()
    }

    /// The HTTP headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.parts.headers()
    }

    /// The `Request-ID` header, which WeChat Pay's support asks for.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.headers().get("request-id")?.to_str().ok()
    }

    /// The raw body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        self.parts.body()
    }

    /// The body as text; bytes that are no UTF-8 become `U+FFFD`. [`body`](Self::body) has them as they are.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.body())
    }

    /// The body as JSON, keys in the service's order. Amounts of APIv3 are integers, in fen.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] when the body is no JSON; an empty body, as `204 No Content` has, is none.
    pub fn json(&self) -> Result<Value, Error> {
        self.json_as()
    }

    /// The body as JSON, in a type of the caller's.
    ///
    /// ```
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client()?;
    /// # let response = client.chain("v3/security/echo").post(serde_json::json!({ "json": { "echo_message": "hello" } }))?;
    /// #[derive(serde::Deserialize)]
    /// struct Echo { echo_message: String }
    /// let echo: Echo = response.json_as()?;
    /// assert_eq!(echo.echo_message, "hello");
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] when the body is no JSON, or not of that type.
    pub fn json_as<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(self.body()).map_err(|source| {
            Error::new(
                ErrorKind::Decode,
                format!("the body is not the JSON that was expected ({source}): {}", excerpt(&self.text())),
            )
            .with_source(source)
        })
    }

    /// The body of an APIv2 answer: the fields below its root, each a string, in the service's order. An element with elements is an
    /// object, a name that stands several times an array. Characters that XML forbids, as nicknames have them, are taken out.
    ///
    /// ```
    /// # use serde_json::json;
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client()?;
    /// let order = client.chain("v2/pay/unifiedorder").post(json!({ "xml": {
    ///     "appid": "wx8888888888888888", "mch_id": "1900000109", "body": "a book", "out_trade_no": "1217752501201407033233368018",
    ///     "total_fee": 888, "spbill_create_ip": "123.12.12.123", "notify_url": "https://example.com/notify", "trade_type": "NATIVE",
    /// }}))?;
    /// assert!(order.xml()?["code_url"].as_str().is_some_and(|url| url.starts_with("weixin://")));
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] when the body is no XML, has a document type, or is larger than any answer of the service.
    pub fn xml(&self) -> Result<Value, Error> {
        xml::fields(self.body())
            .map_err(|said| Error::new(ErrorKind::Decode, format!("the body is not the XML that was expected: {said}")))
    }

    /// The body as it comes, of a call with the option `stream`; of any other call the body that is already there.
    ///
    /// Only answers whose signature does not cover their body come piece by piece: bills, vouchers, pictures, overseas
    /// statements. All others are verified first, and are then one piece. A clone of a response that was taken here streams
    /// nothing.
    #[must_use]
    pub fn into_stream(self) -> BodyStream {
        match self.parts.extensions().get() {
            Some(Delivered::Stream(slot)) => slot.take().unwrap_or_else(|| BodyStream::whole(Bytes::new())),
            Some(Delivered::Sink) | None => BodyStream::whole(self.parts.into_body()),
        }
    }

    /// How many requests it took: more than one where the call was [repeated](crate::ClientBuilder::retry) or went to the
    /// [backup host](crate::ClientBuilder::backup_uri).
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.parts.extensions().get::<Attempts>().map_or(1, |attempts| attempts.count)
    }

    /// Whether the [backup host](crate::ClientBuilder::backup_uri) answered.
    #[must_use]
    pub fn is_from_backup(&self) -> bool {
        self.parts.extensions().get::<Attempts>().is_some_and(|attempts| attempts.by_backup)
    }

    /// Whether the service's signature on this answer was there and held.
    ///
    /// A 2xx answer that is handed out is always verified, but for the few documented paths that answer unsigned. An answer
    /// other than 2xx is handed out either way: gateways in front of the service do not sign.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.verified
    }
}

/// Headers that a log may show; the others are counted. The answer's signature is not among them.
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
            .field("verified", &self.verified)
            .finish()
    }
}
