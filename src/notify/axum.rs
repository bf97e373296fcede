//! The axum extractors.

use axum_core::body::Body;
use axum_core::extract::{FromRef, FromRequest, Request};
use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::v2;
use super::{MAX_BYTES, Notification, NotificationVerifier, Reply};
use crate::error::{Error, ErrorKind};

/// Takes a genuine notification out of an axum request whose state has [`NotificationVerifier`]; the others it answers by itself.
impl<S> FromRequest<S> for Notification
where
    NotificationVerifier: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Reply;

    async fn from_request(request: Request, state: &S) -> Result<Self, Reply> {
        let notifications = NotificationVerifier::from_ref(state);
        let (parts, body) = request.into_parts();
        let body = whole(body).await.map_err(|error| Reply::to(&error))?;
        let verified = notifications.verify_async(&parts.headers, &body).await;
        verified.map_err(|error| Reply::to(&error))
    }
}

/// Takes a genuine notification of APIv2 out of an axum request whose state has [`v2::NotificationVerifier`].
impl<S> FromRequest<S> for v2::Notification
where
    v2::NotificationVerifier: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = v2::Reply;

    async fn from_request(request: Request, state: &S) -> Result<Self, v2::Reply> {
        let notifications = v2::NotificationVerifier::from_ref(state);
        let body = whole(request.into_body()).await;
        body.and_then(|body| notifications.verify(&body)).map_err(|error| v2::Reply::to(&error))
    }
}

async fn whole(body: Body) -> Result<Bytes, Error> {
    let collected = Limited::new(body, MAX_BYTES).collect().await.map_err(|source| {
        let kind = if source.is::<LengthLimitError>() { ErrorKind::TooLarge } else { ErrorKind::Transport };
        Error::new(kind, "the body did not come whole")
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
