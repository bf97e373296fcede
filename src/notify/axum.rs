//! Extractors for axum (feature `axum`).

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use axum_core::body::Body;
use axum_core::extract::{FromRef, FromRequest, Request};
use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::oneshot;

use super::v2;
use super::{Handled, MAX_BYTES, Notification, NotificationVerifier, Outcome, Reply};
use crate::error::{Error, ErrorKind};
use crate::transport::runtime;

/// The time limit for receiving the body of a notification. WeChat Pay delivers a notification
/// again if it does not receive a response within five seconds.
const MAX_WAIT: Duration = Duration::from_secs(15);

/// Extracts an authentic notification in a handler whose state contains a [`NotificationVerifier`].
/// If the request is rejected, the response is [`Reply::to`], and the handler is not called. A
/// handler that takes a `Result<Notification, Handled>` is called in this case, too.
/// [`Handled::outcome`] returns the reason, which the response omits.
impl<S> FromRequest<S> for Notification
where
    NotificationVerifier: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Handled;

    async fn from_request(request: Request, state: &S) -> Result<Self, Handled> {
        let verifier = NotificationVerifier::from_ref(state);
        let (parts, body) = request.into_parts();
        let body = read_body(body, MAX_WAIT).await.map_err(Outcome::Rejected)?;
        let verified = verifier.verify_async(&parts.headers, &body).await;
        Ok(verified.map_err(Outcome::Rejected)?)
    }
}

/// The same for APIv2 notifications. The state must contain a [`v2::NotificationVerifier`].
impl<S> FromRequest<S> for v2::Notification
where
    v2::NotificationVerifier: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Handled<v2::Reply>;

    async fn from_request(request: Request, state: &S) -> Result<Self, Handled<v2::Reply>> {
        let verifier = v2::NotificationVerifier::from_ref(state);
        let body = read_body(request.into_body(), MAX_WAIT).await;
        Ok(body.and_then(|body| verifier.verify(&body)).map_err(Outcome::Rejected)?)
    }
}

/// Reads at most [`MAX_BYTES`], for at most `max_wait`.
async fn read_body(body: Body, max_wait: Duration) -> Result<Bytes, Error> {
    let mut collecting = pin!(Limited::new(body, MAX_BYTES).collect());
    let mut expired: Option<oneshot::Receiver<()>> = None;
    let collected = poll_fn(|context| {
        if let Poll::Ready(collected) = collecting.as_mut().poll(context) {
            return Poll::Ready(Ok(collected));
        }
        // Most bodies have arrived with the head. Only for others, the timer is started. It runs on
        // the background runtime, because the server's may have no timer.
        let expired = match &mut expired {
            Some(expired) => expired,
            None => expired.insert(start_timer(max_wait)?),
        };
        Pin::new(expired).poll(context).map(|_| {
            let message = format!("the body of the notification did not arrive within {max_wait:?}");
            Err(Error::new(ErrorKind::Timeout, message))
        })
    });
    let collected = collected.await?.map_err(|source| {
        let kind = if source.is::<LengthLimitError>() { ErrorKind::TooLarge } else { ErrorKind::Transport };
        Error::new(kind, "the body of the notification could not be read")
    })?;
    Ok(collected.to_bytes())
}

/// Returns a receiver that is ready after this time. Dropping it ends the timer.
fn start_timer(time: Duration) -> Result<oneshot::Receiver<()>, Error> {
    let (mut sender, receiver) = oneshot::channel();
    runtime::spawn_on_background(async move {
        let _ = tokio::time::timeout(time, sender.closed()).await;
    })?;
    Ok(receiver)
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

impl<R: IntoResponse> IntoResponse for Handled<R> {
    fn into_response(self) -> Response {
        self.into_reply().into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Context;

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

    /// A body that begins and never ends.
    struct Silent;

    impl HttpBody for Silent {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }

    /// Without a tokio runtime, and on one without a timer.
    #[test]
    fn a_body_that_does_not_end_is_a_timeout() {
        let read = || read_body(Body::new(Silent), Duration::from_millis(20));
        let without_timer = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        for error in [runtime::park_on(read()), without_timer.block_on(read())] {
            assert_eq!(error.expect_err("silent").kind(), ErrorKind::Timeout);
        }
    }

    #[test]
    fn a_body_is_read_up_to_the_limit() {
        let read = Arc::new(AtomicUsize::new(0));
        let body = Body::new(Endless(Arc::clone(&read)));
        let error = runtime::park_on(read_body(body, MAX_WAIT)).expect_err("endless");
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        let read = read.load(Ordering::Relaxed);
        assert!((MAX_BYTES..MAX_BYTES + 4096).contains(&read), "{read} bytes were read");
    }
}
