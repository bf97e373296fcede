//! The JSON of orders, refunds and transfers in APIv3, as responses and notifications contain it.

use serde_json::{Value, json};

use super::china_time;
use super::ledger::Ledger;
use super::ledger_records::{Order, OrderApi, Refund, RefundStatus, Transfer};
use super::merchant::{BUYER_OPENID, MCHID};
use super::route_request::text;

/// The account that receives a refund.
pub(super) const BUYER_BALANCE: &str = "支付用户零钱";

/// The openid of the buyer: the one that the order names, or that of the sandbox's buyer.
pub(super) fn buyer(order: &Order) -> &str {
    let named = ["/payer/openid", "/payer/sp_openid", "/combine_payer_info/openid", "/openid", "/sub_openid"];
    named.into_iter().map(|pointer| order.requested(pointer)).find(|openid| !openid.is_empty()).unwrap_or(BUYER_OPENID)
}

/// An order.
pub(super) fn transaction(order: &Order) -> Value {
    let total = order.terms.total;
    let mut body = json!({
        "out_trade_no": order.terms.out_trade_no, "trade_state": order.state.as_str(),
        "trade_state_desc": order.state.description(), "attach": order.requested("/attach"),
        "amount": { "total": total, "currency": "CNY" },
    });
    let (merchant_fields, openid): (&[&str], _) = match order.terms.api {
        OrderApi::Partner => (&["sp_appid", "sp_mchid", "sub_appid", "sub_mchid"], "sp_openid"),
        OrderApi::V2 | OrderApi::Direct | OrderApi::Combined => (&["appid", "mchid"], "openid"),
    };
    for name in merchant_fields {
        let value = order.requested(&format!("/{name}"));
        if !value.is_empty() {
            body[*name] = value.into();
        }
    }
    let mut payer = json!({});
    match &order.payment {
        None => {
            if !order.requested(&format!("/payer/{openid}")).is_empty() {
                payer[openid] = buyer(order).into();
            }
        }
        Some(payment) => {
            body["transaction_id"] = payment.transaction_id.as_str().into();
            body["trade_type"] = order.terms.trade_type.as_str().into();
            body["bank_type"] = "OTHERS".into();
            body["success_time"] = china_time::format_seconds(payment.paid_at).into();
            body["amount"]["payer_total"] = total.into();
            body["amount"]["payer_currency"] = "CNY".into();
            payer[openid] = buyer(order).into();
        }
    }
    let sub_openid = order.requested("/payer/sub_openid");
    if !sub_openid.is_empty() {
        payer["sub_openid"] = sub_openid.into();
    }
    body["payer"] = payer;
    body
}

/// A combined order; `None` if it does not exist.
pub(super) fn combined_order(ledger: &Ledger, combine_out_trade_no: &str) -> Option<Value> {
    let first = ledger.combined_orders(combine_out_trade_no).next()?;
    let sub_orders: Vec<Value> = ledger.combined_orders(combine_out_trade_no).map(sub_order).collect();
    Some(json!({
        "combine_appid": first.requested("/combine_appid"), "combine_mchid": first.requested("/combine_mchid"),
        "combine_out_trade_no": combine_out_trade_no, "sub_orders": sub_orders,
        "combine_payer_info": { "openid": buyer(first) },
    }))
}

fn sub_order(order: &Order) -> Value {
    let total = order.terms.total;
    let mut body = json!({
        "mchid": order.terms.owner, "out_trade_no": order.terms.out_trade_no, "trade_state": order.state.as_str(),
        "trade_type": order.terms.trade_type.as_str(), "attach": order.requested("/attach"),
        "amount": { "total_amount": total, "currency": "CNY" },
    });
    if let Some(payment) = &order.payment {
        body["transaction_id"] = payment.transaction_id.as_str().into();
        body["bank_type"] = "OTHERS".into();
        body["success_time"] = china_time::format_seconds(payment.paid_at).into();
        body["amount"]["payer_amount"] = total.into();
        body["amount"]["payer_currency"] = "CNY".into();
    }
    body
}

pub(super) fn refund(refund: &Refund) -> Value {
    let (channel, account) = match &refund.other_account {
        None => ("ORIGINAL", BUYER_BALANCE),
        Some(account) => ("OTHER_BANKCARD", account.as_str()),
    };
    let mut body = json!({
        "refund_id": refund.refund_id, "out_refund_no": refund.out_refund_no,
        "transaction_id": refund.transaction_id, "out_trade_no": refund.out_trade_no, "channel": channel,
        "user_received_account": account, "create_time": china_time::format_seconds(refund.created_at),
        "status": refund.status.as_str(),
        "funds_account": "AVAILABLE",
        "amount": {
            "total": refund.total, "refund": refund.amount, "payer_total": refund.total,
            "payer_refund": refund.amount, "settlement_refund": refund.amount, "settlement_total": refund.total,
            "discount_refund": 0, "currency": "CNY",
        },
    });
    if refund.status == RefundStatus::Success {
        let succeeded_at = refund.succeeded_at.unwrap_or(refund.created_at);
        body["success_time"] = china_time::format_seconds(succeeded_at).into();
    }
    body
}

pub(super) fn transfer(transfer: &Transfer) -> Value {
    let mut body = json!({
        "mch_id": MCHID, "out_bill_no": transfer.out_bill_no, "transfer_bill_no": transfer.transfer_bill_no,
        "appid": text(&transfer.request, "appid"), "state": transfer.state.as_str(),
        "transfer_amount": transfer.amount, "transfer_remark": text(&transfer.request, "transfer_remark"),
        "openid": text(&transfer.request, "openid"), "create_time": china_time::format_seconds(transfer.created_at),
        "update_time": china_time::format_seconds(transfer.updated_at),
    });
    if let Some(reason) = &transfer.fail_reason {
        body["fail_reason"] = reason.as_str().into();
    }
    body
}
