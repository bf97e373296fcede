//! The axum extractor.

use axum_core::body::Body;
use axum_core::extract::{FromRef, FromRequest, Request};
use axum_core::response::{IntoResponse, Response};
use http_body_util::BodyExt;

use super::{MOST_BYTES, Notification, Notifications, Reply};
use crate::error::{Error, ErrorKind};

/// Takes a genuine notification out of an axum request whose state has [`Notifications`]; the others it answers by itself.
impl<S> FromRequest<S> for Notification
where
    Notifications: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Reply;

    async fn from_request(request: Request, state: &S) -> Result<Self, Reply> {
        let notifications = Notifications::from_ref(state);
        let (parts, body) = request.into_parts();
        let body = http_body_util::Limited::new(body, MOST_BYTES).collect().await.map_err(|source| {
            let kind = if source.is::<http_body_util::LengthLimitError>() {
                ErrorKind::TooLarge
            } else {
                ErrorKind::Transport
            };
            Reply::to(&Error::new(kind, "the body did not come whole"))
        })?;
        let verified = notifications.verify_async(&parts.headers, &body.to_bytes()).await;
        verified.map_err(|error| Reply::to(&error))
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        http::Response::<bytes::Bytes>::from(self).map(Body::from)
    }
}
