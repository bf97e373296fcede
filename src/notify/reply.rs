//! The response to a notification.

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use crate::error::{Error, ErrorKind};

/// The response to a notification. After any response except success, WeChat Pay delivers the
/// notification again, up to fifteen times within a day.
///
/// It converts into `http::Response<Bytes>`. With the feature `axum` it implements `IntoResponse`.
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
    /// The notification was accepted: 204 without a body.
    #[must_use]
    pub fn success() -> Self {
        Reply { status: StatusCode::NO_CONTENT, body: String::new() }
    }

    /// The notification cannot be processed now and should be delivered again: 500 with a message.
    #[must_use]
    pub fn fail(message: &str) -> Self {
        Reply::with_failure(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// The response to a rejected notification. The body does not reveal the reason.
    ///
    /// | status | error |
    /// | --- | --- |
    /// | 401 | [`ErrorKind::Verification`], [`ErrorKind::Probe`] |
    /// | 413 | [`ErrorKind::TooLarge`] |
    /// | 400 | [`ErrorKind::Decode`] |
    /// | 409 | [`ErrorKind::Replay`], received before |
    /// | 500 | [`ErrorKind::Replay`] if the [`ReplayStore`](super::ReplayStore) failed, others |
    #[must_use]
    pub fn to(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Verification | ErrorKind::Probe => {
                Reply::with_failure(StatusCode::UNAUTHORIZED, "the signature does not hold")
            }
            ErrorKind::TooLarge => Reply::with_failure(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long"),
            ErrorKind::Decode => Reply::with_failure(StatusCode::BAD_REQUEST, "the notification cannot be read"),
            // Not a success: if the first delivery was not processed completely, WeChat Pay has to
            // deliver it again. A redelivery has a new signature and is not a replay.
            ErrorKind::Replay if std::error::Error::source(error).is_none() => {
                Reply::with_failure(StatusCode::CONFLICT, "this delivery was seen before")
            }
            _ => Reply::fail("try again later"),
        }
    }

    fn with_failure(status: StatusCode, message: &str) -> Self {
        Reply { status, body: json!({ "code": "FAIL", "message": message }).to_string() }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The body: empty, or `{"code": "FAIL", "message": "..."}`.
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
