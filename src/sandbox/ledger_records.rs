//! The records of the ledger: orders, refunds, transfers, profit sharing and account entries.
//! Amounts are in fen, times in seconds since 1970.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::china_time;
use super::merchant::MCHID;
use super::string_enum::string_enum;

string_enum! {
    /// The state of an order. It is `Refund` once a part of the payment was refunded.
    TradeState {
        NotPay = "NOTPAY",
        /// The buyer still has to confirm a payment with a code.
        UserPaying = "USERPAYING",
        /// The deduction is accepted, but not executed yet.
        Accept = "ACCEPT",
        Success = "SUCCESS",
        Refund = "REFUND",
        Closed = "CLOSED",
        /// The payment failed. The order can no longer be paid.
        PayError = "PAYERROR",
        /// The merchant reversed the order. If it was paid, the amount was returned to the buyer.
        Revoked = "REVOKED",
    }
}

impl TradeState {
    /// The description of the state in a response.
    pub(super) fn description(self) -> &'static str {
        match self {
            TradeState::NotPay => "订单未支付",
            TradeState::Success => "支付成功",
            TradeState::Refund => "转入退款",
            TradeState::Closed => "订单已关闭",
            TradeState::PayError => "支付失败",
            TradeState::UserPaying => "用户支付中",
            TradeState::Accept => "已接收，等待扣款",
            TradeState::Revoked => "已撤销",
        }
    }
}

string_enum! {
    /// How the buyer pays.
    TradeType {
        /// With a code that the merchant scans.
        Micropay = "MICROPAY",
        Face = "FACEPAY",
        /// By a deduction that the buyer agreed to in a contract.
        Deduction = "PAP",
        Native = "NATIVE",
        Jsapi = "JSAPI",
        App = "APP",
        H5 = "MWEB",
    }
}

impl TradeType {
    /// Whether the order is paid with a code or the face of the buyer. The merchant can reverse
    /// such an order.
    pub(super) fn has_code(self) -> bool {
        matches!(self, TradeType::Micropay | TradeType::Face)
    }

    /// The state of a new order.
    pub(super) fn first_state(self) -> TradeState {
        match self {
            TradeType::Micropay | TradeType::Face => TradeState::UserPaying,
            TradeType::Deduction => TradeState::Accept,
            TradeType::Native | TradeType::Jsapi | TradeType::App | TradeType::H5 => TradeState::NotPay,
        }
    }
}

/// The API that an order came through. It decides the form of responses and notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum OrderApi {
    V2,
    Direct,
    Partner,
    /// One of the orders of a combined order.
    Combined,
}

string_enum! {
    /// The state of a refund. A new refund is `Processing`.
    RefundStatus {
        Processing = "PROCESSING",
        Success = "SUCCESS",
        /// The amount was returned to the merchant.
        Closed = "CLOSED",
        /// The buyer's bank did not accept the amount, and the merchant has to name another
        /// account.
        Abnormal = "ABNORMAL",
    }
}

impl RefundStatus {
    /// The value in APIv2.
    pub(super) fn as_v2_str(self) -> &'static str {
        match self {
            RefundStatus::Processing | RefundStatus::Success => self.as_str(),
            RefundStatus::Closed => "REFUNDCLOSE",
            RefundStatus::Abnormal => "CHANGE",
        }
    }

    /// The state of refunds in databases of earlier versions, which do not contain it.
    fn success() -> Self {
        RefundStatus::Success
    }
}

string_enum! {
    /// The state of a transfer. The user confirms it, unless it fails or the merchant cancels it
    /// before.
    TransferState {
        WaitUserConfirm = "WAIT_USER_CONFIRM",
        Success = "SUCCESS",
        Fail = "FAIL",
        Cancelled = "CANCELLED",
    }
}

string_enum! {
    /// The result of profit sharing for a receiver.
    ReceiverResult {
        Pending = "PENDING",
        Success = "SUCCESS",
        /// The receiver received nothing. The amount was returned to the merchant.
        Closed = "CLOSED",
    }
}

/// The key of a record. The merchant's numbers are unique per merchant only.
pub(super) fn record_key(mchid: &str, number: &str) -> String {
    format!("{mchid}/{number}")
}

/// The key of the record with this number that belongs to `owner`. Without `owner`, it is the
/// merchant's own record, or else a record of a sub-merchant.
pub(super) fn find_key<T>(records: &BTreeMap<String, T>, number: &str, owner: Option<&str>) -> Option<String> {
    let key = record_key(owner.unwrap_or(MCHID), number);
    if records.contains_key(&key) {
        return Some(key);
    }
    let has_number = |key: &&String| key.split_once('/').is_some_and(|(_, known)| known == number);
    records.keys().find(has_number).filter(|_| owner.is_none()).cloned()
}

/// What an order was placed with. A repeated request must have the same terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OrderTerms {
    pub(super) api: OrderApi,
    /// The merchant that receives the payment: the merchant itself, or the partner's sub-merchant.
    pub(super) owner: String,
    pub(super) out_trade_no: String,
    pub(super) trade_type: TradeType,
    pub(super) total: u64,
    pub(super) notify_url: String,
    pub(super) profit_sharing: bool,
    /// The number of the combined order that this order is part of.
    pub(super) combine_out_trade_no: Option<String>,
    /// The whole request.
    pub(super) request: Value,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) terms: OrderTerms,
    pub(super) prepay_id: String,
    pub(super) state: TradeState,
    #[serde(flatten)]
    pub(super) payment: Option<Payment>,
    pub(super) created_at: i64,
    pub(super) refunded: u64,
    /// The amount for the receivers of profit sharing, without the amounts that they did not
    /// receive or that they returned.
    pub(super) shared: u64,
    /// The amount that is still frozen for profit sharing.
    pub(super) frozen: u64,
    /// The amount that is frozen for profit sharings in progress.
    #[serde(default)]
    pub(super) in_sharing: u64,
    /// Whether profit sharing has ended for this order.
    pub(super) sharing_finished: bool,
    /// The time at which a payment was reversed.
    #[serde(default)]
    pub(super) revoked_at: Option<i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Payment {
    pub(super) transaction_id: String,
    pub(super) paid_at: i64,
}

impl Order {
    pub(super) fn key(&self) -> String {
        record_key(&self.terms.owner, &self.terms.out_trade_no)
    }

    /// A string of the original request by its JSON pointer, empty when it is missing.
    pub(super) fn requested(&self, pointer: &str) -> &str {
        self.terms.request.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Until when the order can be paid, in seconds since 1970.
    pub(super) fn expires_at(&self) -> Option<i64> {
        match (self.requested("/time_expire"), self.terms.api) {
            ("", _) => None,
            (digits, OrderApi::V2) => china_time::parse_digits(digits),
            (time, _) => china_time::parse_rfc3339(time),
        }
    }

    /// The part of the payment that was neither refunded nor shared.
    pub(super) fn remaining(&self) -> u64 {
        self.terms.total - self.refunded - self.shared
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Refund {
    /// The key of the refunded order.
    pub(super) order: String,
    pub(super) out_trade_no: String,
    pub(super) transaction_id: String,
    pub(super) out_refund_no: String,
    pub(super) refund_id: String,
    pub(super) amount: u64,
    /// The total of the order.
    pub(super) total: u64,
    pub(super) created_at: i64,
    pub(super) notify_url: Option<String>,
    #[serde(default)]
    pub(super) reason: Option<String>,
    #[serde(default = "RefundStatus::success")]
    pub(super) status: RefundStatus,
    /// The time at which the amount reached the buyer.
    #[serde(default)]
    pub(super) succeeded_at: Option<i64>,
    /// The part of the amount that was frozen for profit sharing.
    #[serde(default)]
    pub(super) from_frozen: u64,
    /// The account that the merchant named for an abnormal refund.
    #[serde(default)]
    pub(super) other_account: Option<String>,
}

impl Refund {
    /// Whether the refund is in progress: its amount is frozen.
    pub(super) fn is_under_way(&self) -> bool {
        matches!(self.status, RefundStatus::Processing | RefundStatus::Abnormal)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Transfer {
    pub(super) out_bill_no: String,
    pub(super) transfer_bill_no: String,
    pub(super) amount: u64,
    pub(super) state: TransferState,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
    #[serde(default)]
    pub(super) fail_reason: Option<String>,
    pub(super) notify_url: Option<String>,
    /// The whole request; a repeated one must be the same.
    pub(super) request: Value,
}

/// One request to share the profit of an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ProfitSharing {
    pub(super) out_order_no: String,
    pub(super) order_id: String,
    /// The key of the shared order.
    pub(super) order: String,
    pub(super) transaction_id: String,
    #[serde(default)]
    pub(super) receivers: Vec<SharingReceiver>,
    pub(super) created_at: i64,
    /// The whole request; a repeated one must be the same.
    pub(super) request: Value,
}

impl ProfitSharing {
    /// Whether each receiver has its result.
    pub(super) fn is_finished(&self) -> bool {
        !self.receivers.iter().any(SharingReceiver::is_pending)
    }

    /// The amount that the receivers received, without the merchant itself.
    pub(super) fn received(&self) -> u64 {
        self.receivers.iter().filter(|receiver| receiver.has_received()).map(|receiver| receiver.amount).sum()
    }
}

/// A receiver in a request to share the profit of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SharingReceiver {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) account: String,
    pub(super) amount: u64,
    pub(super) description: String,
    /// Whether it is the merchant itself, which receives the remaining amount of the order.
    #[serde(default)]
    pub(super) is_merchant: bool,
    pub(super) result: ReceiverResult,
    #[serde(default)]
    pub(super) fail_reason: Option<String>,
    #[serde(default)]
    pub(super) ended_at: Option<i64>,
}

/// A receiver of profit sharing, by the merchant's number, its type and its account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Receiver {
    pub(super) relation_type: String,
}

/// A shared amount that a receiver returned.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ProfitSharingReturn {
    pub(super) out_return_no: String,
    pub(super) return_id: String,
    /// The key of the profit sharing.
    pub(super) sharing: String,
    pub(super) amount: u64,
    pub(super) created_at: i64,
    /// The whole request; a repeated one must be the same.
    pub(super) request: Value,
}

/// The merchant's money.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) available: u64,
    /// The amounts for profit sharing that has not ended, and for refunds in progress.
    pub(super) frozen: u64,
}

/// One movement of money.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) at: i64,
    pub(super) kind: EntryKind,
    /// The service's number of the order, refund, transfer or profit sharing.
    pub(super) number: String,
    /// The merchant's number of it.
    pub(super) out_number: String,
    pub(super) amount: u64,
    /// The balance after this entry, frozen money included.
    pub(super) balance: u64,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(super) enum EntryKind {
    Payment,
    Refund,
    Transfer,
    TransferReturn,
    ProfitSharing,
    ProfitSharingReturn,
}

impl EntryKind {
    pub(super) fn is_income(self) -> bool {
        matches!(self, EntryKind::Payment | EntryKind::TransferReturn | EntryKind::ProfitSharingReturn)
    }

    /// The name of the movement in a fund-flow bill.
    pub(super) fn description(self) -> &'static str {
        match self {
            EntryKind::Payment => "交易",
            EntryKind::Refund => "退款",
            EntryKind::Transfer => "商家转账",
            EntryKind::TransferReturn => "商家转账退回",
            EntryKind::ProfitSharing => "分账",
            EntryKind::ProfitSharingReturn => "分账回退",
        }
    }
}
