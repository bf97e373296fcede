//! Notifications in tests: sending one to a `notify_url`, and waiting until one was delivered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};

use super::delivery::{Delivery, DeliveryOutcome};
use super::inner::MAX_WAIT;
use super::views::{self, SentNotification};
use super::{Sandbox, loopback};
use crate::error::{Error, ErrorKind};
use crate::pipeline::send::Promise;
use crate::transport::runtime;

const POLL_INTERVAL: Duration = Duration::from_millis(10);

const SAME_THREAD: &str = "if the server of the notify_url runs on the thread that waits, as in #[tokio::test], await the \
    asynchronous form of this method instead";

impl Sandbox {
    /// Sends a notification to a `notify_url` and returns the response. The host of the URL must be
    /// 127.0.0.1, `[::1]` or `localhost`. The time limit is 10 s. In async code, use
    /// [`notify_async`](Self::notify_async).
    ///
    /// # Errors
    /// - [`ErrorKind::Options`]: the URL is malformed or has another host.
    /// - [`ErrorKind::Timeout`]: there was no response in time.
    /// - Those of a connection that fails.
    pub fn notify(&self, url: &str, notification: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        self.notify_async(url, notification).wait()
    }

    /// The asynchronous form of [`notify`](Self::notify).
    pub fn notify_async(&self, url: &str, notification: Request<Bytes>) -> Promise<Response<Bytes>> {
        let sending = loopback::send(url, notification);
        Promise::new(async move {
            let mut sending = std::pin::pin!(sending?);
            runtime::timeout(MAX_WAIT, sending.as_mut()).await.unwrap_or_else(|| {
                let message = format!("the notify_url did not respond within {MAX_WAIT:?}: {SAME_THREAD}");
                Err(Error::new(ErrorKind::Timeout, message))
            })
        })
    }

    /// Waits until a notification was delivered, which means that the `notify_url` responded with a
    /// success. `event_type` is that of the notification, such as `TRANSACTION.SUCCESS`. `number`
    /// is the merchant's number in it, such as an `out_trade_no`. The time limit is 10 s. In async
    /// code, use [`wait_for_notification_async`](Self::wait_for_notification_async).
    ///
    /// Returns the notification, with its resource in plain text.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`]: the notification was not delivered in time. The message has the last
    /// response of the `notify_url`.
    pub fn wait_for_notification(&self, event_type: &str, number: &str) -> Result<SentNotification, Error> {
        self.wait_for_notification_async(event_type, number).wait()
    }

    /// The asynchronous form of [`wait_for_notification`](Self::wait_for_notification).
    pub fn wait_for_notification_async(&self, event_type: &str, number: &str) -> Promise<SentNotification> {
        let (inner, event_type, number) = (Arc::clone(&self.inner), event_type.to_owned(), number.to_owned());
        Promise::new(async move {
            let until = Instant::now() + MAX_WAIT;
            loop {
                let found = inner.read(|state| {
                    let mut newest_first = state.outbox.deliveries().iter().rev();
                    newest_first.find(|delivery| is_about(delivery, &event_type, &number)).cloned()
                });
                if let Some(delivery) = found.as_ref().filter(|found| found.outcome == DeliveryOutcome::Delivered) {
                    return Ok(views::notification(delivery));
                }
                if Instant::now() >= until {
                    return Err(not_delivered(&event_type, &number, found.as_ref()));
                }
                runtime::sleep_until((Instant::now() + POLL_INTERVAL).into()).await;
            }
        })
    }
}

/// Whether a delivery has this event type, and this number in a field that is named like a number
/// of the merchant: `out_trade_no`, `combine_out_trade_no`, `out_bill_no`.
fn is_about(delivery: &Delivery, event_type: &str, number: &str) -> bool {
    let fields = delivery.message.resource.as_object();
    let mut numbers = fields.into_iter().flatten().filter(|(name, _)| name.contains("out_") && name.ends_with("_no"));
    delivery.message.event_type == event_type && numbers.any(|(_, value)| value == number)
}

fn not_delivered(event_type: &str, number: &str, found: Option<&Delivery>) -> Error {
    let state = match found.map(|delivery| (delivery.outcome, delivery.attempts.last())) {
        None => {
            "the sandbox has no such notification: pay the order, or check the event type and the number".to_owned()
        }
        Some((_, Some(attempt))) => match attempt.status {
            Some(status) => format!("the last response of the notify_url was {status}"),
            None => format!("the last attempt got no response: {}; {SAME_THREAD}", attempt.response),
        },
        Some((DeliveryOutcome::Waiting, None)) => format!("the first attempt got no response yet: {SAME_THREAD}"),
        Some((outcome, None)) => outcome.as_str().to_owned(),
    };
    let message = format!("the notification {event_type} of {number:?} was not delivered within {MAX_WAIT:?}: {state}");
    Error::new(ErrorKind::Timeout, message)
}
