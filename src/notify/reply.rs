//! What a notification is answered with.

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use crate::error::{Error, ErrorKind};

/// The answer to a notification. Anything but success makes WeChat Pay deliver it again, fifteen times within a day.
///
/// It turns into a `http::Response<Bytes>`, and with the feature `axum` it is a response of axum's.
///
/// ```
/// use wechatpay_chain::notify::Reply;
/// assert_eq!(Reply::success().status(), 204);
/// assert_eq!(Reply::fail("try again later").body(), r#"{"code":"FAIL","message":"try again later"}"#);
/// let response = http::Response::<bytes::Bytes>::from(Reply::fail("try again later"));
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
    /// It was taken: 204 without a body.
    #[must_use]
    pub fn success() -> Self {
        Reply { status: StatusCode::NO_CONTENT, body: String::new() }
    }

    /// It could not be taken now, and is to be delivered again: 500, with a message for the service's records.
    #[must_use]
    pub fn fail(message: &str) -> Self {
        Reply::refuse(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// The answer to a notification that was not accepted: 401 for a signature that does not hold, a probe among them, 413 for a
    /// body that is too long, 400 for what cannot be read, 409 for what was seen before, 500 for anything else.
    #[must_use]
    pub fn to(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Verification | ErrorKind::Probe => {
                Reply::refuse(StatusCode::UNAUTHORIZED, "the signature does not hold")
            }
            ErrorKind::TooLarge => Reply::refuse(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long"),
            ErrorKind::Decode => Reply::refuse(StatusCode::BAD_REQUEST, "the notification cannot be read"),
            // Not success: if the first one was not handled to the end, the service must deliver it again, which it signs anew.
            ErrorKind::Replay if std::error::Error::source(error).is_none() => {
                Reply::refuse(StatusCode::CONFLICT, "this delivery was seen before")
            }
            _ => Reply::fail("try again later"),
        }
    }

    fn refuse(status: StatusCode, message: &str) -> Self {
        Reply { status, body: json!({ "code": "FAIL", "message": message }).to_string() }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The body: empty, or the service's JSON, `{"code": "FAIL", "message": "..."}`.
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
