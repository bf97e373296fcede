//! The contents of a sandbox as typed values, for the assertions of a test.

use serde_json::Value;

use super::Sandbox;
use super::china_time;
use super::delivery::{Delivery, DeliveryOutcome};
use super::ledger_records::{Order as OrderRecord, Refund as RefundRecord};
use crate::error::{Error, ErrorKind};
use crate::proto::json_decode::{self, FromJson};

/// An order in a sandbox. `Debug` omits the request, which may contain personal values.
#[derive(Clone)]
#[non_exhaustive]
pub struct Order {
    /// The merchant's order number.
    pub out_trade_no: String,
    /// WeChat Pay's number for the payment; `None` if the order was never paid.
    pub transaction_id: Option<String>,
    /// The `trade_state`: `NOTPAY`, `USERPAYING`, `ACCEPT`, `SUCCESS`, `REFUND`, `CLOSED`,
    /// `PAYERROR` or `REVOKED`.
    pub state: &'static str,
    /// The time of the payment, such as `2026-11-29T10:00:00+08:00`; `None` if the order was never
    /// paid. Its first ten characters are the date of the bill.
    pub success_time: Option<String>,
    /// The amount in fen.
    pub total: u64,
    /// The refunded amount in fen.
    pub refunded: u64,
    /// The URL for notifications.
    pub notify_url: String,
    /// The body of the request that placed the order.
    pub request: Value,
}

/// A refund in a sandbox.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Refund {
    /// The merchant's refund number.
    pub out_refund_no: String,
    /// WeChat Pay's refund number.
    pub refund_id: String,
    /// The merchant's order number.
    pub out_trade_no: String,
    /// The amount in fen.
    pub amount: u64,
    /// The `status`: `PROCESSING`, `SUCCESS`, `CLOSED` or `ABNORMAL`.
    pub status: &'static str,
}

/// A notification of a sandbox, including those that were not sent.
#[derive(Clone)]
#[non_exhaustive]
pub struct SentNotification {
    /// The ID of the notification.
    pub id: String,
    /// The type of the event, such as `TRANSACTION.SUCCESS`.
    pub event_type: String,
    /// The URL to which the notification is sent.
    pub notify_url: String,
    /// The resource in plain text; in APIv2, the fields.
    pub resource: Value,
    /// Whether the `notify_url` responded with a success.
    pub is_delivered: bool,
    /// The attempts to deliver it.
    pub attempts: Vec<Attempt>,
}

/// An attempt to deliver a notification. `Debug` shows the length of the response.
#[derive(Clone)]
#[non_exhaustive]
pub struct Attempt {
    /// The status of the response; `None` if there was none.
    pub status: Option<u16>,
    /// The beginning of the response, or the reason why there was none.
    pub response: String,
}

impl SentNotification {
    /// Deserializes the resource into `T`.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Decode`] if the resource does not match `T`.
    pub fn json<T: FromJson>(&self) -> Result<T, Error> {
        json_decode::from_value(&self.resource).map_err(|reason| {
            Error::new(ErrorKind::Decode, format!("the resource does not match the expected type: {reason}"))
        })
    }
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Order")
            .field("out_trade_no", &self.out_trade_no)
            .field("transaction_id", &self.transaction_id)
            .field("state", &self.state)
            .field("success_time", &self.success_time)
            .field("total", &self.total)
            .field("refunded", &self.refunded)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempt")
            .field("status", &self.status)
            .field("response", &format_args!("{} bytes", self.response.len()))
            .finish()
    }
}

/// Omits the resource, as the `Debug` output of a received notification does.
impl std::fmt::Debug for SentNotification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SentNotification")
            .field("id", &self.id)
            .field("event_type", &self.event_type)
            .field("notify_url", &self.notify_url)
            .field("is_delivered", &self.is_delivered)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Returns the orders, oldest first.
    ///
    /// ```
    /// # use serde_json::json;
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
    /// # sandbox.client()?.chain("v3/pay/transactions/native").post(json!({ "json": {
    /// #     "appid": "wxd678efh567hg6787", "mchid": "1900000109", "description": "a book",
    /// #     "out_trade_no": "order-1", "notify_url": "https://example.com/notify",
    /// #     "amount": { "total": 100 },
    /// # }}))?;
    /// sandbox.pay("order-1")?;
    /// let orders = sandbox.orders();
    /// assert_eq!((orders[0].out_trade_no.as_str(), orders[0].state), ("order-1", "SUCCESS"));
    /// assert!(orders[0].success_time.as_ref().is_some_and(|time| time.ends_with("+08:00")));
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    #[must_use]
    pub fn orders(&self) -> Vec<Order> {
        self.inner.read(|state| {
            let mut records: Vec<&OrderRecord> = state.ledger.orders.values().collect();
            records.sort_by_key(|order| (order.created_at, &order.prepay_id));
            records.into_iter().map(order).collect()
        })
    }

    /// Returns the refunds, oldest first.
    #[must_use]
    pub fn refunds(&self) -> Vec<Refund> {
        self.inner.read(|state| {
            let mut records: Vec<&RefundRecord> = state.ledger.refunds.values().collect();
            records.sort_by_key(|refund| (refund.created_at, &refund.refund_id));
            records.into_iter().map(refund).collect()
        })
    }

    /// Returns the newest 2,000 notifications, oldest first.
    #[must_use]
    pub fn notifications(&self) -> Vec<SentNotification> {
        self.inner.read(|state| state.outbox.deliveries().iter().map(notification).collect())
    }
}

fn order(record: &OrderRecord) -> Order {
    Order {
        out_trade_no: record.terms.out_trade_no.clone(),
        transaction_id: record.payment.as_ref().map(|payment| payment.transaction_id.clone()),
        state: record.state.as_str(),
        success_time: record.payment.as_ref().map(|payment| china_time::format_seconds(payment.paid_at)),
        total: record.terms.total,
        refunded: record.refunded,
        notify_url: record.terms.notify_url.clone(),
        request: record.terms.request.clone(),
    }
}

fn refund(record: &RefundRecord) -> Refund {
    Refund {
        out_refund_no: record.out_refund_no.clone(),
        refund_id: record.refund_id.clone(),
        out_trade_no: record.out_trade_no.clone(),
        amount: record.amount,
        status: record.status.as_str(),
    }
}

pub(super) fn notification(delivery: &Delivery) -> SentNotification {
    let attempts = delivery.attempts.iter();
    SentNotification {
        id: delivery.id.clone(),
        event_type: delivery.message.event_type.clone(),
        notify_url: delivery.url.clone(),
        resource: delivery.message.resource.clone(),
        is_delivered: delivery.outcome == DeliveryOutcome::Delivered,
        attempts: attempts
            .map(|attempt| Attempt { status: attempt.status, response: attempt.response.clone() })
            .collect(),
    }
}
