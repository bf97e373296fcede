//! The response to a notification.

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use crate::error::{Error, ErrorKind};

/// The response to a notification. Unless it is a success, WeChat Pay delivers the notification
/// again, up to fifteen times within a day.
///
/// It converts into `http::Response<Bytes>`. With the feature `axum`, it implements `IntoResponse`.
///
/// ```
/// use wechatpay_chain::notify::Reply;
/// assert_eq!(Reply::success().status(), 204);
/// let reply = Reply::fail("try again later");
/// assert_eq!(reply.body(), r#"{"code":"FAIL","message":"try again later"}"#);
/// let response = http::Response::<bytes::Bytes>::from(reply);
/// assert_eq!(response.headers()["content-type"], "application/json");
/// ```
///
/// Source: WeChat Pay, "通知规则".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    status: StatusCode,
    body: String,
}

impl Reply {
    /// Reports that the notification was accepted: 204 without a body.
    #[must_use]
    pub fn success() -> Self {
        Reply { status: StatusCode::NO_CONTENT, body: String::new() }
    }

    /// Requests another delivery, because the notification cannot be processed now: 500 with a
    /// message.
    #[must_use]
    pub fn fail(message: &str) -> Self {
        Reply::with_failure(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// Creates the response to a rejected notification. The body does not reveal details.
    ///
    /// | status | error |
    /// | --- | --- |
    /// | 401 | [`ErrorKind::Verification`], [`ErrorKind::Probe`] |
    /// | 413 | [`ErrorKind::TooLarge`] |
    /// | 400 | [`ErrorKind::Decode`] |
    /// | 409 | [`ErrorKind::Replay`], if the notification was received before |
    /// | 500 | [`ErrorKind::Replay`], if the [store](super::ReplayStore) failed; all other kinds |
    #[must_use]
    pub fn to(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Verification | ErrorKind::Probe => {
                Reply::with_failure(StatusCode::UNAUTHORIZED, "the signature does not hold")
            }
            ErrorKind::TooLarge => Reply::with_failure(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long"),
            ErrorKind::Decode => Reply::with_failure(StatusCode::BAD_REQUEST, "the notification cannot be read"),
            // This is not a success, because the first delivery may not have been processed
            // completely. WeChat Pay then delivers the notification again, with a new signature, so
            // the redelivery is not a replay.
            ErrorKind::Replay if std::error::Error::source(error).is_none() => {
                Reply::with_failure(StatusCode::CONFLICT, "this delivery was seen before")
            }
            _ => Reply::fail("try again later"),
        }
    }

    fn with_failure(status: StatusCode, message: &str) -> Self {
        Reply { status, body: json!({ "code": "FAIL", "message": message }).to_string() }
    }

    /// Returns the HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the body, which is empty or `{"code": "FAIL", "message": "..."}`.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }
}

impl From<Reply> for http::Response<Bytes> {
    fn from(reply: Reply) -> Self {
        let mut response = http::Response::new(Bytes::from(reply.body));
        *response.status_mut() = reply.status;
        if !response.body().is_empty() {
            let json = http::HeaderValue::from_static("application/json");
            response.headers_mut().insert(http::header::CONTENT_TYPE, json);
        }
        response
    }
}
