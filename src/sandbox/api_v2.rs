//! The endpoints of APIv2: orders, refunds and red packets.

use serde_json::json;

use super::api_refunds;
use super::api_v2_orders::{close_order, find_order, place_order, place_with_contract, query_order, repeatable};
use super::china_time;
use super::ledger_records::{Refund, RefundStatus};
use super::ledger_refunds::NewRefund;
use super::merchant::MCHID;
use super::resources::BUYER_BALANCE;
use super::schema::is_notify_url;
use super::state::State;
use super::v2_fields::{V2Refusal, V2Response, fen, optional, text};
use super::{api_code_payments, api_deductions};
use crate::proto::v2::Fields;

type Handler = fn(&mut State, &Fields, i64) -> Result<V2Response, V2Refusal>;

pub(super) struct Route {
    path: &'static str,
    pub(super) needs_client_certificate: bool,
    pub(super) handler: Handler,
}

const fn route_to(path: &'static str, handler: Handler) -> Route {
    Route { path, needs_client_certificate: false, handler }
}

const fn certified(path: &'static str, handler: Handler) -> Route {
    Route { path, needs_client_certificate: true, handler }
}

const ROUTES: &[Route] = &[
    route_to("/pay/unifiedorder", place_order),
    route_to("/pay/contractorder", place_with_contract),
    route_to("/pay/micropay", api_code_payments::micropay),
    route_to("/pay/facepay", api_code_payments::facepay),
    route_to("/pay/pappayapply", api_deductions::apply_v2),
    route_to("/pay/partner/pappayapply", api_deductions::apply_v2),
    route_to("/pay/orderquery", query_order),
    route_to("/pay/facepayquery", query_order),
    route_to("/pay/paporderquery", query_order),
    route_to("/pay/partner/paporderquery", query_order),
    route_to("/pay/closeorder", close_order),
    certified("/secapi/pay/reverse", api_code_payments::reverse_v2),
    certified("/secapi/pay/facepayreverse", api_code_payments::reverse_v2),
    certified("/secapi/pay/refund", refund),
    certified("/secapi/pay/refundv2", refund),
    route_to("/pay/refundquery", query_refund),
    route_to("/pay/refundqueryv2", query_refund),
    certified("/mmpaymkttransfers/sendredpack", send_red_pack),
];

/// The route of a path.
pub(super) fn route(path: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.path == path)
}

fn refund(state: &mut State, request: &Fields, now: i64) -> Result<V2Response, V2Refusal> {
    let new = NewRefund {
        out_refund_no: text(request, "out_refund_no")?,
        amount: fen(request, "refund_fee")?,
        total: fen(request, "total_fee")?,
        notify_url: optional(request, "notify_url"),
        reason: optional(request, "refund_desc"),
    };
    if new.notify_url.is_some_and(|url| !is_notify_url(url)) {
        return Err(V2Refusal::malformed("notify_url"));
    }
    let key = find_order(state, request)?.key();
    let refunded = state.ledger.refund(&key, &new, now)?;
    let notification = api_refunds::complete(state, &refunded, now)?;
    let refund = refunded.refund();
    let total = refund.total.to_string();
    let fields = json!({
        "transaction_id": refund.transaction_id, "out_trade_no": refund.out_trade_no,
        "out_refund_no": refund.out_refund_no, "refund_id": refund.refund_id,
        "refund_fee": refund.amount.to_string(), "total_fee": total, "cash_fee": total,
    });
    Ok(V2Response { notifications: notification.into_iter().collect(), ..V2Response::new(fields) })
}

/// The refunds that a number names: one refund, or all of an order.
fn query_refund(state: &mut State, request: &Fields, _: i64) -> Result<V2Response, V2Refusal> {
    let number = |name: &str| optional(request, name).unwrap_or_default();
    let (out_refund_no, refund_id) = (number("out_refund_no"), number("refund_id"));
    let (transaction_id, out_trade_no) = (number("transaction_id"), number("out_trade_no"));
    let given = |number: &str, wanted: &str| !wanted.is_empty() && number == wanted;
    let refunds: Vec<&Refund> = state
        .ledger
        .refunds
        .values()
        .filter(|refund| {
            // Numbers are unique only per merchant. The key of an order begins with the merchant.
            if refund.order.split('/').next() != Some(MCHID) {
                return false;
            }
            if !out_refund_no.is_empty() || !refund_id.is_empty() {
                return given(&refund.out_refund_no, out_refund_no) || given(&refund.refund_id, refund_id);
            }
            given(&refund.transaction_id, transaction_id) || given(&refund.out_trade_no, out_trade_no)
        })
        .collect();
    let first = refunds.first().ok_or(V2Refusal::Result("REFUNDNOTEXIST", "退款订单查询失败"))?;
    let total = first.total.to_string();
    let mut response = json!({
        "transaction_id": first.transaction_id, "out_trade_no": first.out_trade_no, "total_fee": total,
        "cash_fee": total, "refund_count": refunds.len().to_string(),
    });
    for (index, refund) in refunds.iter().enumerate() {
        for (name, value) in [
            ("out_refund_no", refund.out_refund_no.clone()),
            ("refund_id", refund.refund_id.clone()),
            ("refund_fee", refund.amount.to_string()),
            ("refund_status", refund.status.as_v2_str().to_owned()),
            ("refund_recv_accout", BUYER_BALANCE.to_owned()),
        ] {
            response[format!("{name}_{index}")] = value.into();
        }
        if refund.status == RefundStatus::Success {
            let succeeded_at = refund.succeeded_at.unwrap_or(refund.created_at);
            response[format!("refund_success_time_{index}")] = china_time::format_plain(succeeded_at).into();
        }
    }
    Ok(V2Response::new(response))
}

fn send_red_pack(state: &mut State, request: &Fields, now: i64) -> Result<V2Response, V2Refusal> {
    for name in ["wxappid", "send_name", "total_num", "wishing", "client_ip", "act_name", "remark"] {
        text(request, name)?;
    }
    let total = fen(request, "total_amount")?;
    if !(100..=20_000).contains(&total) {
        return Err(V2Refusal::Result("MONEY_LIMIT", "每个红包金额必须在1元至200元之间"));
    }
    let (bill, openid) = (text(request, "mch_billno")?, text(request, "re_openid")?);
    let key = format!("redpack-{bill}");
    let transfer = state.ledger.transfer(&key, total, &repeatable(request), now)?;
    let number = transfer.transfer_bill_no.clone();
    // A red packet needs no confirmation. A repeated request finds it confirmed, which is not an
    // error here.
    let _ = state.ledger.confirm_transfer(&key, now);
    Ok(V2Response::new(json!({
        "mch_billno": bill, "wxappid": text(request, "wxappid")?, "re_openid": openid,
        "total_amount": total.to_string(), "send_listid": number,
    })))
}
