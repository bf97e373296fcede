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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll};

    use hyper::body::{Body as HttpBody, Frame};

    use super::*;

    /// A body without an end, which counts the bytes that were read.
    struct Endless(Arc<AtomicUsize>);

    impl HttpBody for Endless {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0.fetch_add(1024, Ordering::Relaxed);
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b' '; 1024])))))
        }
    }

    #[test]
    fn a_body_is_read_up_to_the_limit() {
        let read = Arc::new(AtomicUsize::new(0));
        let body = Body::new(Endless(Arc::clone(&read)));
        let error = crate::transport::runtime::park_on(read_body(body)).expect_err("endless");
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        let read = read.load(Ordering::Relaxed);
        assert!((MAX_BYTES..MAX_BYTES + 4096).contains(&read), "{read} bytes were read");
    }
}
