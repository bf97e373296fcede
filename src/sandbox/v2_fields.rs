//! What the handlers of APIv2 return, and how they read their fields.

use bytes::Bytes;
use http::Response;
use serde_json::Value;

use super::delivery::Notification;
use super::ledger::LedgerError;
use super::schema::MAX_FEN;
use crate::proto::v2::Fields;

/// The response of a handler, without the fields that every response has.
pub(super) struct V2Response {
    /// An object.
    pub(super) fields: Value,
    pub(super) notifications: Vec<Notification>,
    /// How the request differs from the documentation, if that did not refuse it.
    pub(super) findings: Vec<String>,
    /// A response that is not XML, instead of the fields.
    pub(super) other: Option<Response<Bytes>>,
}

impl V2Response {
    pub(super) fn new(fields: Value) -> Self {
        V2Response { fields, notifications: Vec::new(), findings: Vec::new(), other: None }
    }

    /// A response that is not XML.
    pub(super) fn other(response: Response<Bytes>) -> Self {
        V2Response { other: Some(response), ..V2Response::new(Value::Null) }
    }
}

/// A refusal, in the service's wording.
pub(super) enum V2Refusal {
    /// The request is malformed: `return_code` is `FAIL`.
    Return(String),
    /// The request was refused: `result_code` is `FAIL`, with this code and message.
    Result(&'static str, &'static str),
}

impl V2Refusal {
    pub(super) fn missing(name: &str) -> Self {
        V2Refusal::Return(format!("缺少参数{name}"))
    }

    pub(super) fn malformed(name: &str) -> Self {
        V2Refusal::Return(format!("{name}参数格式有误"))
    }
}

impl From<LedgerError> for V2Refusal {
    fn from(error: LedgerError) -> Self {
        let (code, message) = match error {
            LedgerError::NotFound => ("ORDERNOTEXIST", "订单不存在"),
            LedgerError::NumberUsed => ("OUT_TRADE_NO_USED", "商户订单号重复"),
            LedgerError::AlreadyPaid => ("ORDERPAID", "该订单已支付"),
            LedgerError::Closed => ("ORDERCLOSED", "订单已关闭"),
            LedgerError::Expired => ("ORDERCLOSED", "订单已过期"),
            LedgerError::NumbersDiffer => ("INVALID_TRANSACTIONID", "无效transaction_id: 与out_trade_no不是同一笔订单"),
            LedgerError::NotPaid => ("TRADE_STATE_ERROR", "订单状态错误"),
            LedgerError::ExceedsRemaining => {
                ("REFUND_FEE_MISMATCH", "订单金额或退款金额与之前请求不一致，或超过可退金额")
            }
            LedgerError::TotalMismatch => ("INVALID_REQUEST", "订单总金额与退款请求中的总金额不一致"),
            LedgerError::InsufficientFunds => ("NOTENOUGH", "余额不足"),
            LedgerError::PaymentFailed => ("TRADE_ERROR", "订单支付失败"),
            LedgerError::Paying => ("USERPAYING", "正在支付中，不能执行此操作"),
            LedgerError::Revoked => ("ORDERREVERSED", "订单已撤销"),
            LedgerError::NotDocumented => ("NOT_ALLOW", "订单的支付场景不支持该请求"),
            LedgerError::NotForSharing
            | LedgerError::NoRelation
            | LedgerError::AboveRatio
            | LedgerError::WrongState => ("INVALID_REQUEST", "当前状态不允许此操作"),
        };
        V2Refusal::Result(code, message)
    }
}

/// A required field.
pub(super) fn text<'a>(fields: &'a Fields, name: &str) -> Result<&'a str, V2Refusal> {
    optional(fields, name).ok_or_else(|| V2Refusal::missing(name))
}

/// A field; `None` if it is missing or empty.
pub(super) fn optional<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A required amount in fen: a positive integer in decimal digits, without leading zeros.
pub(super) fn fen(fields: &Fields, name: &str) -> Result<u64, V2Refusal> {
    let digits = text(fields, name)?;
    let is_plain = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    let fen = digits.parse::<i64>().ok().filter(|fen| is_plain && (1..=MAX_FEN).contains(fen));
    fen.and_then(|fen| u64::try_from(fen).ok()).ok_or_else(|| V2Refusal::malformed(name))
}
