//! Extractors for axum (feature `axum`).

use axum_core::body::Body;
use axum_core::extract::{FromRef, FromRequest, Request};
use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::v2;
use super::{MAX_BYTES, Notification, NotificationVerifier, Reply};
use crate::error::{Error, ErrorKind};

/// Extracts an authentic notification in a handler whose state contains a [`NotificationVerifier`].
/// If the request is rejected, the response is [`Reply::to`], and the handler is not called.
impl<S> FromRequest<S> for Notification
where
    NotificationVerifier: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Reply;

    async fn from_request(request: Request, state: &S) -> Result<Self, Reply> {
        let verifier = NotificationVerifier::from_ref(state);
        let (parts, body) = request.into_parts();
        let body = read_body(body).await.map_err(|error| Reply::to(&error))?;
        let verified = verifier.verify_async(&parts.headers, &body).await;
        verified.map_err(|error| Reply::to(&error))
    }
}

/// The same for APIv2 notifications. The state must contain a [`v2::NotificationVerifier`].
impl<S> FromRequest<S> for v2::Notification
where
    v2::NotificationVerifier: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = v2::Reply;

    async fn from_request(request: Request, state: &S) -> Result<Self, v2::Reply> {
        let verifier = v2::NotificationVerifier::from_ref(state);
        let body = read_body(request.into_body()).await;
        body.and_then(|body| verifier.verify(&body)).map_err(|error| v2::Reply::to(&error))
    }
}

/// Reads at most [`MAX_BYTES`].
async fn read_body(body: Body) -> Result<Bytes, Error> {
    let collected = Limited::new(body, MAX_BYTES).collect().await.map_err(|source| {
        let kind = if source.is::<LengthLimitError>() { ErrorKind::TooLarge } else { ErrorKind::Transport };
        Error::new(kind, "the body of the notification could not be read")
    })?;
    Ok(collected.to_bytes())
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        http::Response::<Bytes>::from(self).map(Body::from)
    }
}

impl IntoResponse for v2::Reply {
    fn into_response(self) -> Response {
        http::Response::<Bytes>::from(self).map(Body::from)
    }
}
