//! The methods that handle a notification once, and their result.

use std::future::Future;

use bytes::Bytes;
use http::Request;

use super::outcome::Outcome;
use super::{Notification, NotificationVerifier, Reply, decode_error, v2};
use crate::error::BoxError;

/// The body of the reply that requests another delivery.
const TRY_AGAIN: &str = "try again later";

/// The outcome of handling a notification, and the response to WeChat Pay: a [`Reply`] or a
/// [`v2::Reply`].
///
/// It converts into the reply and into an `http::Response<Bytes>`. With the feature `axum`, a
/// handler can return it.
#[derive(Debug)]
pub struct Handled<R = Reply> {
    reply: R,
    outcome: Outcome,
}

impl<R> Handled<R> {
    /// Returns the response to WeChat Pay.
    #[must_use]
    pub fn reply(&self) -> &R {
        &self.reply
    }

    /// Returns the response to WeChat Pay by value.
    #[must_use]
    pub fn into_reply(self) -> R {
        self.reply
    }

    /// Returns what became of the notification, for logs.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }
}

impl From<Outcome> for Handled {
    fn from(outcome: Outcome) -> Self {
        let reply = match &outcome {
            Outcome::Success | Outcome::Repeated => Reply::success(),
            Outcome::Rejected(error) => Reply::to(error),
            _ => Reply::fail(TRY_AGAIN),
        };
        Handled { reply, outcome }
    }
}

impl From<Outcome> for Handled<v2::Reply> {
    fn from(outcome: Outcome) -> Self {
        let reply = match &outcome {
            Outcome::Success | Outcome::Repeated => v2::Reply::success(),
            Outcome::Rejected(error) => v2::Reply::to(error),
            _ => v2::Reply::fail(TRY_AGAIN),
        };
        Handled { reply, outcome }
    }
}

impl<R: Into<http::Response<Bytes>>> From<Handled<R>> for http::Response<Bytes> {
    fn from(handled: Handled<R>) -> Self {
        handled.reply.into()
    }
}

impl NotificationVerifier {
    /// Verifies a request, and calls `handler` once for each notification, in however many
    /// processes. See [`Inbox`](super::Inbox) for where that is remembered.
    ///
    /// The response is a success if the handler succeeds, or succeeded before. If it fails, or is
    /// running for another delivery, or if the store is unavailable, WeChat Pay delivers the
    /// notification again.
    ///
    /// The handler runs as a task of its own: on the current tokio runtime, or on a thread if there
    /// is none. It continues if the connection is closed and this future is dropped. A handler that
    /// fails should have changed nothing, because it is called again.
    ///
    /// ```
    /// # use serde_json::json;
    /// # use wechatpay_chain::BoxError;
    /// # async fn record_payment(_order: &str) -> Result<(), BoxError> { Ok(()) }
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client_builder().apiv3_key(sandbox.apiv3_key()).build()?;
    /// # let order = json!({ "out_trade_no": "1" });
    /// # let request = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &order)?;
    /// let notifications = client.notifications()?; // create it once; clones share everything
    /// # futures_executor::block_on(async {
    /// let handled = notifications
    ///     .handle(&request, |notification| async move {
    ///         let order = notification.resource()["out_trade_no"].as_str().unwrap_or_default();
    ///         record_payment(order).await?;
    ///         Ok(())
    ///     })
    ///     .await;
    /// assert_eq!(handled.reply().status(), 204);
    /// # });
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    pub async fn handle<B, H, F>(&self, request: &Request<B>, handler: H) -> Handled
    where
        B: AsRef<[u8]>,
        H: FnOnce(Notification) -> F + Send + 'static,
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        let verified = self.verify_async(request.headers(), request.body().as_ref());
        match verified.await {
            Ok(notification) => self.handle_verified(notification, handler).await,
            Err(error) => Outcome::Rejected(error).into(),
        }
    }

    /// [`handle`](Self::handle) for a notification that was verified before, such as by axum's
    /// extractor.
    pub async fn handle_verified<H, F>(&self, notification: Notification, handler: H) -> Handled
    where
        H: FnOnce(Notification) -> F + Send + 'static,
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        if notification.id().is_empty() {
            return Outcome::Rejected(decode_error("the notification has no id")).into();
        }
        let key = notification.inbox_key();
        self.0.inbox.handle(key, move || handler(notification)).await.into()
    }
}

impl v2::NotificationVerifier {
    /// Verifies a request, and calls `handler` once for each notification, in however many
    /// processes. [`super::NotificationVerifier::handle`] describes the details.
    ///
    /// APIv2 has no ID of a notification. It is identified by
    /// [`v2::Notification::inbox_key`].
    pub async fn handle<B, H, F>(&self, request: &Request<B>, handler: H) -> Handled<v2::Reply>
    where
        B: AsRef<[u8]>,
        H: FnOnce(v2::Notification) -> F + Send + 'static,
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        match self.verify(request.body().as_ref()) {
            Ok(notification) => self.handle_verified(notification, handler).await,
            Err(error) => Outcome::Rejected(error).into(),
        }
    }

    /// [`handle`](Self::handle) for a notification that was verified before, such as by axum's
    /// extractor.
    pub async fn handle_verified<H, F>(&self, notification: v2::Notification, handler: H) -> Handled<v2::Reply>
    where
        H: FnOnce(v2::Notification) -> F + Send + 'static,
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        let key = notification.inbox_key();
        self.0.inbox.handle(key, move || handler(notification)).await.into()
    }
}
