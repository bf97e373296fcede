//! Which notification a change causes.

use serde_json::{Value, json};

use super::china_time;
use super::delivery::{Message, Notification};
use super::ledger::Ledger;
use super::ledger_records::{
    Order, OrderApi, OrderTerms, Payment, ProfitSharing, Refund, RefundStatus, SharingReceiver, TradeState, TradeType,
    Transfer,
};
use super::merchant::{BUYER_OPENID, MCHID};
use super::resources::{self, BUYER_BALANCE, buyer};
use super::route_request::text;
use super::string_enum::string_enum;
use crate::clock::china_digits;
use crate::crypto::hash;

/// The app and the sub-merchant of a payment that is not in the ledger.
const EXAMPLE_APPID: &str = "wx8888888888888888";
const EXAMPLE_SUB_MCHID: &str = "1900000110";

/// The notification of a payment. The orders of a combined order are paid together and have one
/// notification. A payment with a code does not have one.
pub(super) fn payment(ledger: &Ledger, order: &Order) -> Option<Notification> {
    if order.terms.notify_url.is_empty() {
        return None;
    }
    let v3 = |resource| Message::v3("TRANSACTION.SUCCESS", "transaction", resource);
    let message = match order.terms.api {
        OrderApi::V2 => payment_v2(order),
        OrderApi::Direct | OrderApi::Partner => v3(resources::transaction(order)),
        OrderApi::Combined => {
            v3(resources::combined_order(ledger, order.terms.combine_out_trade_no.as_deref().unwrap_or_default())?)
        }
    };
    Some(Notification::new(&order.terms.notify_url, message))
}

/// The notification of a failed deduction in APIv3. Other failed payments do not have one.
pub(super) fn failed_payment(order: &Order) -> Option<Notification> {
    let is_reported = order.terms.trade_type == TradeType::Deduction && order.terms.api != OrderApi::V2;
    let message = || Message::v3("TRANSACTION.FAIL", "transaction", resources::transaction(order));
    is_reported.then(|| Notification::new(&order.terms.notify_url, message()))
}

/// The notification of a successful, closed or abnormal refund. It is sent to the URL of the
/// refund. If the refund does not have one, it is sent to the URL of the order, but not in APIv2.
pub(super) fn refund(ledger: &Ledger, key: &str) -> Option<Notification> {
    let refund = ledger.refunds.get(key)?;
    let order = ledger.orders.get(&refund.order)?;
    match (&refund.notify_url, order.terms.api) {
        (None, OrderApi::V2) => None,
        (Some(url), OrderApi::V2) => Some(Notification::new(url, refund_v2(order, refund))),
        (url, _) => {
            let url = url.as_ref().unwrap_or(&order.terms.notify_url);
            (!url.is_empty()).then(|| Notification::new(url, refund_v3(order, refund)))
        }
    }
}

fn refund_v3(order: &Order, refund: &Refund) -> Message {
    let whole = resources::refund(refund);
    let mut resource = json!({ "refund_status": whole["status"] });
    for name in
        ["out_trade_no", "transaction_id", "out_refund_no", "refund_id", "success_time", "user_received_account"]
    {
        if let Some(value) = whole.get(name) {
            resource[name] = value.clone();
        }
    }
    for name in ["mchid", "sp_mchid", "sub_mchid"] {
        let value = order.requested(&format!("/{name}"));
        if !value.is_empty() {
            resource[name] = value.into();
        }
    }
    for name in ["total", "refund", "payer_total", "payer_refund"] {
        resource["amount"][name] = whole["amount"][name].clone();
    }
    Message::v3(&format!("REFUND.{}", refund.status.as_str()), "refund", resource)
}

/// A payment of a JSAPI order, or a refund of it, that is not in the ledger. It has the form of
/// those in the ledger: of a direct merchant, or of a partner. `number` makes its numbers unique.
/// `None` if the event is neither.
pub(super) fn without_cause(event_type: &str, is_partner: bool, number: u32, now: i64) -> Option<Message> {
    let refund_status = match event_type {
        "TRANSACTION.SUCCESS" => None,
        "REFUND.SUCCESS" => Some(RefundStatus::Success),
        "REFUND.CLOSED" => Some(RefundStatus::Closed),
        "REFUND.ABNORMAL" => Some(RefundStatus::Abnormal),
        _ => return None,
    };
    let (api, request) = match is_partner {
        true => {
            (OrderApi::Partner, json!({ "sp_appid": EXAMPLE_APPID, "sp_mchid": MCHID, "sub_mchid": EXAMPLE_SUB_MCHID }))
        }
        false => (OrderApi::Direct, json!({ "appid": EXAMPLE_APPID, "mchid": MCHID })),
    };
    let total = 100;
    let out_trade_no = format!("order-{number:010}");
    let transaction_id = format!("42000011{}{number:010}", china_digits(now).get(..10).unwrap_or_default());
    let terms = OrderTerms {
        api,
        owner: if is_partner { EXAMPLE_SUB_MCHID } else { MCHID }.to_owned(),
        out_trade_no: out_trade_no.clone(),
        trade_type: TradeType::Jsapi,
        total,
        notify_url: String::new(),
        profit_sharing: false,
        combine_out_trade_no: None,
        request,
    };
    let order = Order {
        terms,
        prepay_id: String::new(),
        state: TradeState::Success,
        payment: Some(Payment { transaction_id: transaction_id.clone(), paid_at: now }),
        created_at: now,
        refunded: 0,
        shared: 0,
        frozen: 0,
        in_sharing: 0,
        sharing_finished: false,
        revoked_at: None,
    };
    let Some(status) = refund_status else {
        return Some(Message::v3(event_type, "transaction", resources::transaction(&order)));
    };
    let refund = Refund {
        order: order.key(),
        out_trade_no,
        transaction_id,
        out_refund_no: format!("refund-{number:010}"),
        refund_id: format!("50000011{}{number:010}", china_digits(now).get(..10).unwrap_or_default()),
        amount: total,
        total,
        created_at: now,
        notify_url: None,
        reason: None,
        status,
        succeeded_at: (status == RefundStatus::Success).then_some(now),
        from_frozen: 0,
        other_account: None,
    };
    Some(refund_v3(&order, &refund))
}

/// The end of a transfer.
pub(super) fn transfer(transfer: &Transfer) -> Option<Notification> {
    let message = Message::v3("MCHTRANSFER.BILL.FINISHED", "mch_payment", resources::transfer(transfer));
    transfer.notify_url.as_ref().map(|url| Notification::new(url, message))
}

/// The notification of the amount that a receiver of profit sharing received.
pub(super) fn profit_sharing(
    notify_url: &str,
    sharing: &ProfitSharing,
    receiver: &SharingReceiver,
    now: i64,
) -> Notification {
    let mut resource = json!({
        "transaction_id": sharing.transaction_id, "order_id": sharing.order_id,
        "out_order_no": sharing.out_order_no,
        "receiver": {
            "type": receiver.kind, "account": receiver.account, "amount": receiver.amount,
            "description": receiver.description,
        },
        "success_time": china_time::format_seconds(receiver.ended_at.unwrap_or(now)),
    });
    match text(&sharing.request, "sub_mchid") {
        "" => resource["mchid"] = MCHID.into(),
        sub_mchid => {
            resource["sp_mchid"] = MCHID.into();
            resource["sub_mchid"] = sub_mchid.into();
        }
    }
    Notification::new(notify_url, Message::v3("PROFITSHARING.SUCCESS", "profitsharing", resource))
}

string_enum! {
    /// What a user does with a member card.
    CardEvent {
        Accept = "ACCEPT_CARD",
        Activate = "ACTIVATE_CARD",
        Manage = "USERCARD_MANAGE",
    }
}

/// An event of a member card. `permission` is the request for its permission token.
pub(super) fn member_card(
    event: CardEvent,
    card_id: &str,
    code: &str,
    permission: Option<&Value>,
    now: i64,
) -> Message {
    let mut resource = json!({
        "event_type": event.as_str(), "card_id": card_id, "code": code,
        "event_time": china_time::format_seconds(now), "openid": BUYER_OPENID,
    });
    let outer_str = permission.and_then(|request| request.get("outer_str"));
    if let Some(outer_str) = outer_str.filter(|_| event != CardEvent::Manage) {
        resource["outer_str"] = outer_str.clone();
    }
    Message::v3(&format!("MEMBERCARD.{}", event.as_str()), "membercard", resource)
}

fn payment_v2(order: &Order) -> Message {
    let total = order.terms.total.to_string();
    let (transaction_id, paid_at) =
        order.payment.as_ref().map_or(("", 0), |payment| (payment.transaction_id.as_str(), payment.paid_at));
    let mut fields = json!({
        "return_code": "SUCCESS", "result_code": "SUCCESS", "appid": order.requested("/appid"), "mch_id": MCHID,
        "openid": buyer(order), "is_subscribe": "N", "trade_type": order.terms.trade_type.as_str(),
        "bank_type": "OTHERS", "total_fee": total, "cash_fee": total, "fee_type": "CNY",
        "transaction_id": transaction_id, "out_trade_no": order.terms.out_trade_no,
        "attach": order.requested("/attach"), "time_end": china_digits(paid_at),
    });
    let contract_id = order.requested("/contract_id");
    if !contract_id.is_empty() {
        fields["contract_id"] = contract_id.into();
    }
    // It is signed as the order was.
    if order.requested("/sign_type") == hash::HMAC_SHA256 {
        fields["sign_type"] = hash::HMAC_SHA256.into();
    }
    Message::v2("transaction-success", fields)
}

/// `req_info` is encrypted when the notification is sent.
fn refund_v2(order: &Order, refund: &Refund) -> Message {
    let (amount, total) = (refund.amount.to_string(), order.terms.total.to_string());
    let mut info = json!({
        "out_refund_no": refund.out_refund_no, "out_trade_no": refund.out_trade_no,
        "refund_account": "REFUND_SOURCE_RECHARGE_FUNDS", "refund_fee": amount, "refund_id": refund.refund_id,
        "refund_recv_accout": BUYER_BALANCE, "refund_request_source": "API",
        "refund_status": refund.status.as_v2_str(),
        "cash_refund_fee": amount, "settlement_refund_fee": amount, "settlement_total_fee": total,
        "total_fee": total, "transaction_id": refund.transaction_id,
    });
    if let Some(succeeded_at) = refund.succeeded_at {
        info["success_time"] = china_time::format_plain(succeeded_at).into();
    }
    let fields =
        json!({ "return_code": "SUCCESS", "appid": order.requested("/appid"), "mch_id": MCHID, "req_info": info });
    Message::v2("refund-processed", fields)
}
