//! The rows of the page's tables. The sandbox's own texts, which are translated, are in the fields
//! that `admin::TEXTS` lists; texts from the merchant are in other fields.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::admin_list::{Listed, any_contains};
use super::delivery::Delivery;
use super::ledger_records::{Order, OrderApi, ProfitSharing, Refund, TradeState, TradeType, Transfer, record_key};
use super::mentioned::Mentioned;
use super::merchant::MCHID;
use super::numbers;
use super::request_log::LoggedCall;
use super::route_request::text;

/// Converts seconds since 1970 to milliseconds.
pub(super) fn milliseconds(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or_default().saturating_mul(1000)
}

/// The merchant at the beginning of a record's key.
fn owner(key: &str) -> &str {
    key.split_once('/').map_or(MCHID, |(owner, _)| owner)
}

/// The sub-merchant that owns a record; `None` if the merchant itself owns it.
fn sub_mchid(owner: &str) -> Option<&str> {
    (owner != MCHID).then_some(owner)
}

/// The key of a refund.
pub(super) fn refund_key(refund: &Refund) -> String {
    record_key(owner(&refund.order), &refund.out_refund_no)
}

/// The key of a profit sharing.
pub(super) fn sharing_key(sharing: &ProfitSharing) -> String {
    record_key(owner(&sharing.order), &sharing.out_order_no)
}

impl Order {
    fn description(&self) -> &str {
        match self.requested("/description") {
            "" => self.requested("/body"),
            description => description,
        }
    }
}

impl Listed for Order {
    fn created_at(&self) -> u64 {
        milliseconds(self.created_at)
    }

    fn number(&self) -> Cow<'_, str> {
        // The `prepay_id` contains the time and a counter.
        self.prepay_id.as_str().into()
    }

    fn state(&self) -> &str {
        self.state.as_str()
    }

    fn kind(&self) -> &str {
        self.terms.trade_type.as_str()
    }

    fn contains(&self, text: &str) -> bool {
        let combined = self.terms.combine_out_trade_no.as_deref().unwrap_or_default();
        let transaction_id = self.payment.as_ref().map_or("", |payment| &payment.transaction_id);
        let texts = [&self.terms.out_trade_no, transaction_id, combined, &self.terms.owner, self.description()];
        any_contains(texts, text)
    }

    fn row(&self) -> Value {
        let terms = &self.terms;
        let api = match terms.api {
            OrderApi::V2 => "APIv2",
            OrderApi::Direct => "APIv3",
            OrderApi::Partner => "partner",
            OrderApi::Combined => "combined",
        };
        json!({
            "key": Order::key(self), "out_trade_no": terms.out_trade_no, "sub_mchid": sub_mchid(&terms.owner),
            "combine_out_trade_no": terms.combine_out_trade_no, "api": api, "trade_type": terms.trade_type,
            "transaction_id": self.payment.as_ref().map(|payment| &payment.transaction_id),
            "description": self.description(), "attach": self.requested("/attach"), "total": terms.total,
            "refunded": self.refunded, "shared": self.shared, "frozen": self.frozen, "remaining": self.remaining(),
            "profit_sharing": terms.profit_sharing, "state": self.state, "created_at": milliseconds(self.created_at),
            "paid_at": self.payment.as_ref().map(|payment| milliseconds(payment.paid_at)),
            "time_expire": self.expires_at().map(milliseconds), "notify_url": terms.notify_url,
            "has_qr_code": terms.trade_type == TradeType::Native && self.state == TradeState::NotPay,
        })
    }
}

impl Listed for Refund {
    fn created_at(&self) -> u64 {
        milliseconds(self.created_at)
    }

    fn number(&self) -> Cow<'_, str> {
        self.refund_id.as_str().into()
    }

    fn state(&self) -> &str {
        self.status.as_str()
    }

    fn kind(&self) -> &str {
        ""
    }

    fn contains(&self, text: &str) -> bool {
        let reason = self.reason.as_deref().unwrap_or_default();
        any_contains([&self.out_refund_no, &self.refund_id, &self.out_trade_no, &self.transaction_id, reason], text)
    }

    fn row(&self) -> Value {
        json!({
            "key": refund_key(self), "order": self.order, "out_refund_no": self.out_refund_no, "refund_id": self.refund_id,
            "out_trade_no": self.out_trade_no, "transaction_id": self.transaction_id,
            "sub_mchid": sub_mchid(owner(&self.order)), "amount": self.amount, "total": self.total,
            "reason": self.reason, "state": self.status, "created_at": milliseconds(self.created_at),
            "success_time": self.succeeded_at.map(milliseconds), "notify_url": self.notify_url,
        })
    }
}

impl Listed for Transfer {
    fn created_at(&self) -> u64 {
        milliseconds(self.created_at)
    }

    fn number(&self) -> Cow<'_, str> {
        self.transfer_bill_no.as_str().into()
    }

    fn state(&self) -> &str {
        self.state.as_str()
    }

    fn kind(&self) -> &str {
        text(&self.request, "transfer_scene_id")
    }

    fn contains(&self, searched: &str) -> bool {
        let remark = text(&self.request, "transfer_remark");
        any_contains([&self.out_bill_no, &self.transfer_bill_no, remark, text(&self.request, "openid")], searched)
    }

    /// The row omits the user's name, which is encrypted in the request.
    fn row(&self) -> Value {
        json!({
            "key": self.out_bill_no, "out_bill_no": self.out_bill_no, "transfer_bill_no": self.transfer_bill_no,
            "transfer_scene_id": text(&self.request, "transfer_scene_id"), "openid": text(&self.request, "openid"),
            "transfer_remark": text(&self.request, "transfer_remark"), "amount": self.amount, "state": self.state,
            "fail_reason": self.fail_reason, "created_at": milliseconds(self.created_at), "updated_at": milliseconds(self.updated_at),
            "notify_url": self.notify_url,
        })
    }
}

impl Listed for ProfitSharing {
    fn created_at(&self) -> u64 {
        milliseconds(self.created_at)
    }

    fn number(&self) -> Cow<'_, str> {
        self.order_id.as_str().into()
    }

    fn state(&self) -> &str {
        if self.is_finished() { "FINISHED" } else { "PROCESSING" }
    }

    fn kind(&self) -> &str {
        ""
    }

    fn contains(&self, text: &str) -> bool {
        any_contains([self.out_order_no.as_str(), &self.order_id, &self.transaction_id, &self.order], text)
    }

    fn row(&self) -> Value {
        json!({
            "key": sharing_key(self), "order": self.order, "out_order_no": self.out_order_no, "order_id": self.order_id,
            "transaction_id": self.transaction_id, "sub_mchid": sub_mchid(owner(&self.order)), "amount": self.receivers.iter().map(|receiver| receiver.amount).sum::<u64>(),
            "receivers": self.receivers, "state": self.state(), "created_at": milliseconds(self.created_at),
        })
    }
}

impl Listed for Delivery {
    fn created_at(&self) -> u64 {
        match self.created_at {
            // Databases of earlier versions do not contain the time.
            0 => self.attempts.first().map_or(0, |attempt| attempt.at),
            created_at => created_at,
        }
    }

    fn number(&self) -> Cow<'_, str> {
        self.id.as_str().into()
    }

    fn state(&self) -> &str {
        // The reason after the colon is omitted.
        self.outcome.as_str().split(':').next().unwrap_or_default()
    }

    fn kind(&self) -> &str {
        &self.message.event_type
    }

    fn contains(&self, text: &str) -> bool {
        any_contains([self.id.as_str(), &self.url, &self.message.event_type], text)
            || any_contains(Mentioned::in_json(&self.message.resource).iter().map(|(_, number)| number), text)
    }

    fn row(&self) -> Value {
        let mentioned = Mentioned::in_json(&self.message.resource);
        let about: Vec<_> = mentioned.iter().filter(|(name, _)| numbers::is_merchants(name)).collect();
        let last = self.attempts.last();
        json!({
            "key": self.id, "id": self.id, "event_type": self.message.event_type, "notify_url": self.url,
            "about": about, "state": Listed::state(self), "outcome": self.outcome, "next_at": self.next_at,
            "created_at": Listed::created_at(self), "attempts": self.attempts.len(),
            "last_status": last.and_then(|last| last.status),
        })
    }
}

impl Listed for LoggedCall {
    fn created_at(&self) -> u64 {
        self.at
    }

    fn number(&self) -> Cow<'_, str> {
        format!("{:020}", self.number).into()
    }

    fn state(&self) -> &str {
        self.response.status.as_str()
    }

    fn kind(&self) -> &str {
        self.check.as_str()
    }

    fn contains(&self, text: &str) -> bool {
        let line = format!("{} {}", self.received.method, self.received.target);
        any_contains([line.as_str(), self.response.request_id()], text)
            || any_contains(self.mentioned.iter().map(|(_, number)| number), text)
    }

    fn row(&self) -> Value {
        json!({
            "key": self.number, "number": self.number, "created_at": self.at,
            "elapsed": self.elapsed.map(|elapsed| elapsed.as_secs_f64() * 1000.0),
            "method": self.received.method.as_str(), "target": self.received.target,
            "title": self.call.map(crate::catalog::Call::title), "status": self.response.status.as_u16(),
            "signature": self.check.as_str(), "explanation": self.check.reason, "findings": self.received.findings,
            "request_id": self.response.request_id(), "fault": self.response.fault,
        })
    }
}
