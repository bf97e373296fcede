//! The one error type: what happened, to which call, and what to do about it.

use std::error::Error as StdError;
use std::fmt;

use http::StatusCode;

use crate::pipeline::response::Response;
pub(crate) use crate::proto::excerpt::excerpt;
use crate::proto::excerpt::one_line;

/// A boxed error of any library or of the caller's own code.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// What went wrong, as far as a program needs to tell it apart.
///
/// The kinds up to [`Sign`](ErrorKind::Sign), and [`Connect`](ErrorKind::Connect), happen before anything is sent. After
/// [`Timeout`](ErrorKind::Timeout), [`Transport`](ErrorKind::Transport) and [`ServerError`](ErrorKind::ServerError) the outcome of a call that
/// changes something is unknown: query it, then repeat with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting of the client is missing or wrong. Correct the builder or the `factory` map.
    Config,
    /// The path of the chain is no path: a value pasted into it, a broken template, another host.
    Path,
    /// The options of the call are wrong: a variable is missing, a key is unknown, a value is of the wrong type.
    Options,
    /// The request could not be signed: the signer refused.
    Sign,
    /// No connection could be made: DNS, refused, proxy, TLS. Nothing was sent.
    Connect,
    /// The time given to the call ran out. A request that changes something may have arrived: query before repeating.
    Timeout,
    /// The connection broke after it was made. A request that changes something may have arrived: query before repeating.
    Transport,
    /// The answer was longer than the client accepts.
    TooLarge,
    /// The answer could not be written to where it should go. The call itself was answered.
    Sink,
    /// The answer's signature, or a file's digest, does not hold. The answer is not to be trusted; it is still at [`Error::response`].
    Verification,
    /// A notification of the service's with a wrong signature on purpose, to see whether it is refused.
    Probe,
    /// A notification that was seen before.
    Replay,
    /// The service answered with a redirect, which is not followed.
    Redirect,
    /// The service answered 4xx: the request is wrong, or not allowed. [`Error::code`] says why.
    ClientError,
    /// The service answered 5xx: it failed. Query the state, then repeat with the same business number.
    ServerError,
    /// The service answered 200 and says in the fields of APIv2 that the call failed: `return_code` or `result_code` is not `SUCCESS`.
    /// [`Error::code`] is the `err_code`; `SYSTEMERROR`, `BANKERROR` and `USERPAYING` leave the outcome open, so query it.
    Fail,
    /// The answer is not what it was asked to be read as, such as JSON.
    Decode,
    /// An error of a layer that the caller added.
    Layer,
}

impl ErrorKind {
    /// The name of the kind: `"options"`, `"client error"`, ...
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::Config => "config",
            ErrorKind::Path => "path",
            ErrorKind::Options => "options",
            ErrorKind::Sign => "sign",
            ErrorKind::Connect => "connect",
            ErrorKind::Timeout => "timeout",
            ErrorKind::Transport => "transport",
            ErrorKind::TooLarge => "too large",
            ErrorKind::Sink => "sink",
            ErrorKind::Verification => "verification",
            ErrorKind::Probe => "probe",
            ErrorKind::Replay => "replay",
            ErrorKind::Redirect => "redirect",
            ErrorKind::ClientError => "client error",
            ErrorKind::ServerError => "server error",
            ErrorKind::Fail => "fail",
            ErrorKind::Decode => "decode",
            ErrorKind::Layer => "layer",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error of this crate: one pointer wide.
///
/// `Display` is one sentence that names the call, what happened and the way out. The call is shown as its template, never
/// with the values filled in, and no error holds a key or a signature.
///
/// An answer other than 2xx is an error that keeps the whole [`Response`], whether its body is JSON or not:
///
/// ```
/// # use serde_json::json;
/// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
/// # let client = sandbox.client()?;
/// use wechatpay_chain::ErrorKind;
/// let order = client.chain("v3/pay/transactions/id/{id}").get(json!({ "id": "none", "query": { "mchid": "1900000109" } }));
/// let error = order.unwrap_err();
/// match error.kind() {
///     ErrorKind::ClientError if error.code() == Some("ORDER_NOT_EXIST") => println!("no such order"),
///     ErrorKind::Timeout | ErrorKind::Transport => println!("unknown outcome, query it: {error}"),
///     _ => println!("{error} (Request-ID {:?})", error.request_id()),
/// }
/// assert_eq!(error.response().map(|answer| answer.status().as_u16()), Some(404));
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    call: Option<String>,
    message: String,
    code: Option<String>,
    hint: Option<String>,
    timed_out: bool,
    /// Whether an earlier attempt of the same call was sent.
    sent: bool,
    /// Whether it is known that nothing was sent, where the kind does not say so.
    unsent: bool,
    source: Option<BoxError>,
    response: Option<Response>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            call: None,
            message: message.into(),
            code: None,
            hint: None,
            timed_out: kind == ErrorKind::Timeout,
            sent: false,
            unsent: false,
            source: None,
            response: None,
        }))
    }

    pub(crate) fn config(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Config, message)
    }

    pub(crate) fn path(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Path, message)
    }

    pub(crate) fn options(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Options, message)
    }

    /// An error of a [layer](crate::ClientBuilder::layer) of the caller's, kept as its source:
    ///
    /// ```
    /// use wechatpay_chain::{Error, ErrorKind};
    /// let error = Error::layer(std::io::Error::other("the rate limit of this shop"));
    /// assert_eq!(error.kind(), ErrorKind::Layer);
    /// ```
    pub fn layer(source: impl Into<BoxError>) -> Self {
        let source = source.into();
        Error::new(ErrorKind::Layer, source.to_string()).with_source(source)
    }

    /// The kind of an answer other than 2xx.
    fn kind_of(status: StatusCode) -> Option<ErrorKind> {
        match status {
            status if status.is_success() => None,
            status if status.is_client_error() => Some(ErrorKind::ClientError),
            status if status.is_server_error() => Some(ErrorKind::ServerError),
            _ => Some(ErrorKind::Redirect),
        }
    }

    /// An answer other than 2xx as an error; `code` and `message` are the service's where the body is its JSON shape.
    pub(crate) fn from_response(response: Response) -> Self {
        let kind = Error::kind_of(response.status()).unwrap_or(ErrorKind::Redirect);
        let json = response.json().ok();
        let field = |name: &str| json.as_ref()?.get(name)?.as_str().map(str::to_owned);
        let (code, message) = (field("code"), field("message"));
        let mut error = match message {
            Some(message) => Error::new(kind, message),
            None if kind == ErrorKind::Redirect => Error::new(kind, "the service redirects, which is not followed"),
            None => {
                Error::new(kind, format!("the body has no error message of the service: {}", excerpt(&response.text())))
            }
        };
        error.0.code = code;
        error.0.hint = response.hint().map(str::to_owned);
        error.with_response(response)
    }

    /// An answer of APIv2 that says that the call failed, whatever its status.
    pub(crate) fn fail(code: Option<String>, message: String, response: Response) -> Self {
        let kind = Error::kind_of(response.status()).unwrap_or(ErrorKind::Fail);
        let mut error = Error::new(kind, message);
        error.0.code = code;
        error.with_response(response)
    }

    pub(crate) fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn with_response(mut self, response: Response) -> Self {
        self.0.response = Some(response);
        self
    }

    /// An error that came before the request was sent.
    pub(crate) fn before_sending(mut self) -> Self {
        self.0.unsent = true;
        self
    }

    pub(crate) fn timed_out(mut self) -> Self {
        self.0.timed_out = true;
        self
    }

    /// An error that came after another request of the same call had left: what it says of itself is true of the last request alone.
    pub(crate) fn after_sending(mut self) -> Self {
        if self.is_before_send() {
            self.0.kind = ErrorKind::Transport;
            self.0.message = format!(
                "an earlier request of this call was sent and may have arrived, so query before repeating it; the last one failed: {}",
                self.0.message
            );
        }
        self.0.sent = true;
        self
    }

    /// Names the call the error happened to, unless it is named already.
    pub(crate) fn with_call(mut self, method: &http::Method, template: &str) -> Self {
        if self.0.call.is_none() {
            self.0.call = Some(format!("{method} {template}"));
        }
        self
    }

    /// What went wrong, as far as a program needs to tell it apart.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The call, as method and template: `POST v3/pay/transactions/native`. Errors of the settings have none.
    #[must_use]
    pub fn call(&self) -> Option<&str> {
        self.0.call.as_deref()
    }

    /// The service's error code, such as `SIGN_ERROR`; of APIv2 the `err_code` or `error_code`, or `FAIL` where the answer has none.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The service's message, or this crate's own where the service did not answer with one.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What this crate found out about a refused signature: which part of what was signed the service received differently, whose key it
    /// may be, or how far the clock is off.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The answer with status, headers and raw body, where there was one.
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        self.0.response.as_ref()
    }

    /// The answer, taken out of the error.
    #[must_use]
    pub fn into_response(self) -> Option<Response> {
        self.0.response
    }

    /// The status of the answer, where there was one.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.response().map(Response::status)
    }

    /// The `Request-ID` of the answer, which WeChat Pay's support asks for.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.response().and_then(Response::request_id)
    }

    /// The service answered that it did not do it: with another status than 2xx, or a failure in the fields of APIv2. Of a call that was
    /// [repeated](crate::ClientBuilder::retry) that is the last attempt; an earlier one may have been done.
    #[must_use]
    pub fn is_response(&self) -> bool {
        matches!(self.kind(), ErrorKind::ClientError | ErrorKind::ServerError | ErrorKind::Redirect | ErrorKind::Fail)
    }

    /// The call ran out of time: while connecting ([`is_connect`](Self::is_connect) too, nothing was sent) or later.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.0.timed_out
    }

    /// No connection could be made, so nothing was sent.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        self.kind() == ErrorKind::Connect
    }

    /// The request never left: settings, path, options, signer, connection, or a turn or a key that did not come in time.
    #[must_use]
    pub fn is_before_send(&self) -> bool {
        let by_kind = matches!(
            self.kind(),
            ErrorKind::Config | ErrorKind::Path | ErrorKind::Options | ErrorKind::Sign | ErrorKind::Connect
        );
        !self.0.sent && (by_kind || self.0.unsent)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(call) = self.call() {
            write!(f, "{}: ", one_line(call, 300))?;
        }
        if let Some(status) = self.status() {
            write!(f, "{} ", status.as_u16())?;
            match self.code() {
                Some(code) => write!(f, "{}: ", one_line(code, 64))?,
                None => write!(f, "{}: ", status.canonical_reason().unwrap_or("answer"))?,
            }
        }
        f.write_str(&one_line(self.message(), 2000))?;
        if let Some(hint) = self.hint() {
            write!(f, "; {}", one_line(hint, 500))?;
        }
        if let Some(id) = self.request_id() {
            write!(f, " (Request-ID {})", one_line(id, 64))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Error");
        shown.field("kind", &self.0.kind);
        if let Some(call) = &self.0.call {
            shown.field("call", call);
        }
        if let Some(code) = &self.0.code {
            shown.field("code", code);
        }
        shown.field("message", &self.0.message);
        if let Some(hint) = &self.0.hint {
            shown.field("hint", hint);
        }
        if let Some(source) = &self.0.source {
            shown.field("source", source);
        }
        if let Some(response) = &self.0.response {
            shown.field("response", response);
        }
        shown.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pointer_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn the_source_is_kept() {
        let error = Error::layer(std::io::Error::other("disk"));
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("disk"));
        assert_eq!(error.kind(), ErrorKind::Layer);
    }
}
