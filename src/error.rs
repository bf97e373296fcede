//! The error type of the crate.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use http::StatusCode;

use crate::pipeline::response::Response;
pub use crate::proto::error_kind::ErrorKind;
use crate::proto::excerpt::{content_description, one_line};

/// A boxed error from a library or from the caller's own code.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// The codes after which the call may have been executed, or still may be. Source: the error codes
/// of WeChat Pay's payment, refund and transfer endpoints.
const OUTCOME_UNKNOWN: [&str; 5] = ["SYSTEM_ERROR", "SYSTEMERROR", "BANK_ERROR", "BANKERROR", "USERPAYING"];

/// The error type of this crate. It has the size of one pointer. Clones share the source and the
/// body of the response.
///
/// The `Display` output is a single line with the call, the cause and the fix. The call is shown
/// without the values of its variables. An error never contains a key, a signature or a value of
/// the body, except the code and the message of WeChat Pay. A rejection without a valid signature
/// is marked as unverified.
///
/// A response other than 2xx becomes an error that contains the whole [`Response`]:
///
/// ```
/// # use serde_json::json;
/// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
/// # let client = sandbox.client()?;
/// use wechatpay_chain::ErrorKind;
/// let options = json!({ "id": "none", "query": { "mchid": "1900000109" } });
/// let error = client.chain("v3/pay/transactions/id/{id}").get(options).unwrap_err();
/// match (error.kind(), error.code()) {
///     (_, Some("ORDER_NOT_EXIST")) if error.is_refusal() => println!("no such order"),
///     (ErrorKind::Timeout | ErrorKind::Transport, _) => println!("unknown outcome: {error}"),
///     _ => println!("{error}"),
/// }
/// assert_eq!(error.response().map(|response| response.status().as_u16()), Some(404));
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[derive(Clone)]
pub struct Error(Box<ErrorInner>);

#[derive(Clone)]
struct ErrorInner {
    kind: ErrorKind,
    call: Option<String>,
    message: String,
    code: Option<String>,
    hint: Option<String>,
    timed_out: bool,
    /// An earlier request of the same call was sent. The kind describes only the last one.
    earlier_sent: bool,
    /// Nothing was sent, although the kind does not imply it.
    not_sent: bool,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    response: Option<Response>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(ErrorInner {
            kind,
            call: None,
            message: message.into(),
            code: None,
            hint: None,
            timed_out: kind == ErrorKind::Timeout,
            earlier_sent: false,
            not_sent: false,
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

    /// Creates a `Layer` error from the error of a custom [layer](crate::ClientBuilder::layer):
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

    /// The error for a response other than 2xx. `code` and `message` come from the body if it is
    /// JSON in WeChat Pay's format.
    pub(crate) fn from_response(response: Response) -> Self {
        let kind = ErrorKind::of_status(response.status()).unwrap_or(ErrorKind::Redirect);
        let json: Option<serde_json::Value> = response.json().ok();
        let field = |name: &str| json.as_ref()?.get(name)?.as_str().map(str::to_owned);
        let (code, message) = (field("code"), field("message"));
        let message = message.unwrap_or_else(|| match response.status().as_u16() {
            _ if kind == ErrorKind::Redirect => "the service responded with a redirect, which is not followed".into(),
            400..600 => format!(
                "the body contains no error message of WeChat Pay: {}",
                content_description(response.headers(), response.body().len())
            ),
            status => format!(
                "the status {status} is neither a success nor a redirect nor an error, so the outcome is unknown: query \
                 before repeating the call"
            ),
        });
        let mut error = Error::new(kind, message);
        error.0.code = code;
        error.with_response(response)
    }

    /// The error for a response of APIv2 that reports a failure, with any status.
    pub(crate) fn fail(code: Option<String>, message: String, response: Response) -> Self {
        let kind = ErrorKind::of_status(response.status()).unwrap_or(ErrorKind::Fail);
        let mut error = Error::new(kind, message);
        error.0.code = code;
        error.with_response(response)
    }

    pub(crate) fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into().into());
        self
    }

    pub(crate) fn with_response(mut self, response: Response) -> Self {
        self.0.hint = response.hint().map(str::to_owned);
        self.0.earlier_sent |= response.is_after_another();
        self.0.response = Some(response);
        self
    }

    /// Marks an error that occurred before the request was sent.
    pub(crate) fn before_sending(mut self) -> Self {
        self.0.not_sent = true;
        self
    }

    /// Marks an error of any kind as a timeout.
    pub(crate) fn timed_out(mut self) -> Self {
        self.0.timed_out = true;
        self
    }

    /// Marks an error of a call that has sent another request before, by a retry or a redirect. A
    /// kind that means "not sent" applies to the last request only, so it becomes `Transport`.
    pub(crate) fn after_sending(mut self) -> Self {
        if self.is_before_send() {
            self.0.kind = ErrorKind::Transport;
            self.0.message = format!(
                "an earlier request of this call was sent and may have arrived, so query before repeating it; the last one failed: {}",
                self.0.message
            );
        }
        self.0.earlier_sent = true;
        self
    }

    /// Adds the call to the error, unless it has one.
    pub(crate) fn with_call(mut self, method: &http::Method, template: &str) -> Self {
        if self.0.call.is_none() {
            self.0.call = Some(format!("{method} {template}"));
        }
        self
    }

    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the method and the path template of the call, such as `POST
    /// v3/pay/transactions/native`.
    #[must_use]
    pub fn call(&self) -> Option<&str> {
        self.0.call.as_deref()
    }

    /// Returns WeChat Pay's error code, such as `SIGN_ERROR`. For APIv2, it is the `err_code` or
    /// `error_code`, or `FAIL` if the response has neither.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// Returns WeChat Pay's message, or this crate's message if the response has none.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether the service rejected the request as invalid.
    #[cfg(feature = "catalog")]
    pub(crate) fn is_bad_request(&self) -> bool {
        self.status() == Some(StatusCode::BAD_REQUEST)
    }

    /// Adds what differs from the documentation.
    #[cfg(feature = "catalog")]
    pub(crate) fn with_findings(mut self, findings: String) -> Self {
        self.0.hint = Some(match self.0.hint.take() {
            Some(hint) => format!("{hint}; {findings}"),
            None => findings,
        });
        self
    }

    /// Returns the likely cause of a rejected signature, such as a wrong key or a wrong clock. With
    /// the feature `catalog`, the hint after a status 400 lists where the request differs from the
    /// documentation of the call.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Returns the response with its status, headers and raw body; `None` if no response arrived.
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        self.0.response.as_ref()
    }

    /// Converts the error into the response; `None` if no response arrived.
    #[must_use]
    pub fn into_response(self) -> Option<Response> {
        self.0.response
    }

    /// Returns the status of the response; `None` if no response arrived.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.response().map(Response::status)
    }

    /// Returns the `Request-ID` of the response, which WeChat Pay's support needs to find the call.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.response().and_then(Response::request_id)
    }

    /// Returns whether the error contains a response with a valid signature of WeChat Pay. The
    /// error of an unverified response may come from a gateway or a forger.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.response().is_some_and(Response::is_verified)
    }

    /// Returns whether WeChat Pay refused the call, so that it was not executed. This requires a
    /// verified response with a 4xx status or, for APIv2, with a failure in its fields.
    ///
    /// It returns `false` if the outcome is unknown: if the response is unverified, is a redirect
    /// or a 5xx, or has the code `SYSTEM_ERROR`, `BANK_ERROR` or `USERPAYING`, and if an earlier
    /// request of the call may have arrived, because of a [retry](crate::ClientBuilder::retry) or a
    /// redirect.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let is_outcome_unknown = self.code().is_some_and(|code| OUTCOME_UNKNOWN.contains(&code));
        matches!(self.kind(), ErrorKind::ClientError | ErrorKind::Fail)
            && self.is_verified()
            && !is_outcome_unknown
            && !self.0.earlier_sent
    }

    /// Returns what is known of the outcome of a call that changes something, such as a payment or
    /// a refund.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        if self.is_before_send() {
            Outcome::NotSent
        } else if self.is_refusal() {
            Outcome::Refused
        } else {
            Outcome::Unknown
        }
    }

    /// Returns whether a time limit was reached, while connecting or later.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.0.timed_out
    }

    /// Returns whether the kind is `Connect`: no connection could be made.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        self.kind() == ErrorKind::Connect
    }

    /// Returns whether no request of this call was sent: because of an error in its settings, path,
    /// options, signer or connection, or because it timed out while it was connecting, or waiting
    /// for a permit, a signer or a platform key.
    #[must_use]
    pub fn is_before_send(&self) -> bool {
        let by_kind = matches!(
            self.kind(),
            ErrorKind::Config | ErrorKind::Path | ErrorKind::Options | ErrorKind::Sign | ErrorKind::Connect
        );
        !self.0.earlier_sent && (by_kind || self.0.not_sent)
    }
}

/// What is known of the outcome of a call that failed. It is that of the call that returned the
/// error: the error of a query says nothing about the payment or refund that it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was sent ([`Error::is_before_send`]): the call may be repeated with the same number.
    NotSent,
    /// WeChat Pay refused the call in a verified response, and did not execute it
    /// ([`Error::is_refusal`]). After a code such as `FREQUENCY_LIMITED`, repeat it later with the
    /// same number.
    Refused,
    /// The call may have been executed. Query it before it is repeated, with the same number.
    Unknown,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(call) = self.call() {
            write!(f, "{}: ", one_line(call, 300))?;
        }
        if let Some(status) = self.status() {
            write!(f, "{} ", status.as_u16())?;
            let code = self.code().or(status.canonical_reason()).map_or("response".into(), |code| one_line(code, 64));
            let is_rejection = matches!(
                self.kind(),
                ErrorKind::ClientError | ErrorKind::ServerError | ErrorKind::Redirect | ErrorKind::Fail
            );
            match is_rejection && !self.is_verified() {
                true => write!(f, "{code} (unverified): ")?,
                false => write!(f, "{code}: ")?,
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
    fn only_a_verified_refusal_and_an_unsent_call_have_a_known_outcome() {
        assert_eq!(Error::config("a setting").outcome(), Outcome::NotSent);
        assert_eq!(Error::new(ErrorKind::Transport, "broke").outcome(), Outcome::Unknown);
        assert_eq!(Error::new(ErrorKind::Timeout, "late").before_sending().outcome(), Outcome::NotSent);
        // Without a verified response.
        assert_eq!(Error::new(ErrorKind::ClientError, "refused").outcome(), Outcome::Unknown);
    }

    #[test]
    fn one_pointer_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn layer_error_has_its_source() {
        let error = Error::layer(std::io::Error::other("disk"));
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("disk"));
        assert_eq!(error.kind(), ErrorKind::Layer);
    }
}
