//! The kinds of errors.

use std::fmt;

use http::StatusCode;

/// The kind of an error. Match on it to decide what to do.
///
/// The most important question after an error is whether the request was sent:
///
/// - Not sent: `Config`, `Path`, `Options`, `Sign`, `Connect`. Fix the cause and retry the call.
/// - Unknown outcome: `Timeout`, `Transport`, `ServerError`, `Redirect`, `Verification`. Query the
///   order, then retry the call with the same merchant order number.
/// - Sent and rejected, if [`Error::is_refusal`](crate::Error::is_refusal) returns `true`:
///   `ClientError`, `Fail`. [`Error::code`](crate::Error::code) names the reason. Otherwise, the
///   outcome is unknown, because the response may not come from WeChat Pay.
/// - Sent, but the response could not be used: `TooLarge`, `Sink`, `Decode`.
///
/// [`Error::is_before_send`](crate::Error::is_before_send) is exact: it also covers, for example, a
/// call that timed out before it was sent. Kinds may be added, so a `match` needs a `_` arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting of the client is missing or invalid. Nothing was sent. Correct the setting, which
    /// the message names.
    Config,
    /// The path is invalid: it contains a value instead of a variable, is not a valid URI template,
    /// or leads to another host. Nothing was sent. Correct the path.
    Path,
    /// The options of the call are invalid: a path variable is missing, a key is unknown, a value
    /// has the wrong type, or a file cannot be read. Nothing was sent. Correct the options.
    Options,
    /// The request could not be signed: the [`Signer`](crate::Signer) failed or took too long, or
    /// the operating system provided no random bytes. Nothing was sent.
    Sign,
    /// No connection could be made, neither to the primary host nor to the backup host (DNS,
    /// refused connection, proxy, TLS). Nothing was sent, so the call is safe to retry.
    Connect,
    /// The call reached its time limit. The request may have arrived, unless
    /// [`Error::is_before_send`](crate::Error::is_before_send) returns `true`. If the call changes
    /// something, query its outcome before you retry it.
    Timeout,
    /// The connection broke after it was established. The request may have arrived. If the call
    /// changes something, query its outcome before you retry it.
    Transport,
    /// The response is longer than 16 MiB, or a notification is longer than 1 MiB. The call may
    /// have succeeded, so query its outcome. Download large files with the option `sink` or
    /// `stream`.
    TooLarge,
    /// The response arrived but could not be written to its `sink`. Check the disk or the writer,
    /// then download again.
    Sink,
    /// The signature of a response or a notification is missing or invalid, or the digest of a file
    /// is wrong. Do not trust the content, which [`Error::response`](crate::Error::response) still
    /// returns. Check the platform keys and the clock. The outcome of the call is unknown, so query
    /// it. A response other than 2xx may be unsigned, but an invalid signature is this error for
    /// any status.
    Verification,
    /// A notification with a deliberately wrong signature, with which WeChat Pay tests whether it
    /// is rejected. Respond with [`Reply::to`](crate::notify::Reply::to).
    Probe,
    /// A notification that was received before, or the [`ReplayStore`](crate::notify::ReplayStore)
    /// failed. Respond with [`Reply::to`](crate::notify::Reply::to).
    Replay,
    /// The response is a redirect, which was not followed. Redirects are not signed, so the outcome
    /// is unknown: query it. To follow redirects, enable the option `allow_redirects`.
    Redirect,
    /// The response has a 4xx status: the request is invalid or not permitted.
    /// [`Error::code`](crate::Error::code) returns the reason. If the response is
    /// [unverified](crate::Error::is_verified), the outcome is unknown, so query it.
    ClientError,
    /// The service responded with 5xx, or with a status that means neither success nor failure:
    /// 1xx, 304, 600 and above. The call may have been executed. Query the order, then retry the
    /// call with the same merchant order number.
    ServerError,
    /// An APIv2 response with status 200 reports a failure in its fields: `return_code` or
    /// `result_code` is not `SUCCESS`. [`Error::code`](crate::Error::code) returns the `err_code`.
    /// After `SYSTEMERROR`, `BANKERROR` and `USERPAYING`, and if the response is
    /// [unverified](crate::Error::is_verified), the outcome is unknown, so query it.
    Fail,
    /// A response or a notification is not the expected JSON or XML, or it cannot be decrypted. In
    /// the case of a response, the call was executed.
    Decode,
    /// A custom [layer](crate::ClientBuilder::layer) returned an error, which is the source.
    /// Whether a request was sent depends on the layer.
    Layer,
}

impl ErrorKind {
    /// The kind for a response other than 2xx.
    pub(crate) fn of_status(status: StatusCode) -> Option<Self> {
        match status {
            status if status.is_success() => None,
            status if status.is_client_error() => Some(ErrorKind::ClientError),
            status if status.is_redirection() && status != StatusCode::NOT_MODIFIED => Some(ErrorKind::Redirect),
            // 1xx, 304 and undefined statuses leave the outcome unknown, as a 5xx does.
            _ => Some(ErrorKind::ServerError),
        }
    }

    /// Returns the name of the kind, such as `"options"` or `"client error"`.
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
