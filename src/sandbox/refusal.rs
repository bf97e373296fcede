//! Refusals of APIv3, in the service's status, code and wording.

use http::StatusCode;
use serde_json::{Value, json};

use super::ledger::LedgerError;
use super::merchant::MCHID;
use crate::error::Error;

/// The code of a call above the rate limit, in APIv3 and APIv2.
pub(super) const FREQUENCY_LIMITED: &str = "FREQUENCY_LIMITED";
pub(super) const TOO_FREQUENT: &str = "频率超限，请降低请求频率后重试";

/// A refusal. Its JSON is `{"code", "message", "detail"}`.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) detail: Value,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Refusal { status, code, message: message.into(), detail: Value::Null }
    }

    /// 400 `PARAM_ERROR` on one field. A field of the body is named by its JSON pointer.
    pub(super) fn param(location: &str, field: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let detail = json!({ "field": field, "issue": message, "location": location });
        Refusal { detail, ..Refusal::new(StatusCode::BAD_REQUEST, "PARAM_ERROR", message) }
    }

    /// A required parameter is missing.
    pub(super) fn missing(location: &str, field: &str) -> Self {
        Refusal::param(location, field, format!("缺少必填参数 {field}"))
    }

    /// 404 `RESOURCE_NOT_EXISTS`.
    pub(super) fn not_found(message: &str) -> Self {
        Refusal::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS", message)
    }

    /// 404 `RESOURCE_NOT_EXISTS`, in the general wording.
    pub(super) fn no_resource() -> Self {
        Refusal::not_found("查询的资源不存在")
    }

    /// 403 `NO_AUTH`: a field names another merchant than the one that signed.
    pub(super) fn other_merchant(location: &str, field: &str) -> Self {
        let issue = format!("the sandbox's merchant is {MCHID}");
        let detail = json!({ "field": field, "issue": issue, "location": location });
        Refusal {
            detail, ..Refusal::new(StatusCode::FORBIDDEN, "NO_AUTH", "商户号与签名的商户号不一致，无权限")
        }
    }

    /// 429 `FREQUENCY_LIMITED`.
    pub(super) fn frequency_limited() -> Self {
        Refusal::new(StatusCode::TOO_MANY_REQUESTS, FREQUENCY_LIMITED, TOO_FREQUENT)
    }

    /// 500 `SYSTEM_ERROR`.
    pub(super) fn system_error(error: &Error) -> Self {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "SYSTEM_ERROR", error.to_string())
    }

    /// The refusal of a change, where the record that is not found is something else than an order.
    pub(super) fn of_resource(error: LedgerError) -> Self {
        match error {
            LedgerError::NotFound => Refusal::no_resource(),
            other => other.into(),
        }
    }

    pub(super) fn json(&self) -> Value {
        let mut body = json!({ "code": self.code, "message": self.message });
        if !self.detail.is_null() {
            body["detail"] = self.detail.clone();
        }
        body
    }
}

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        let (status, code, message) = match error {
            LedgerError::NotFound => (StatusCode::NOT_FOUND, "ORDER_NOT_EXIST", "订单不存在"),
            LedgerError::NumberUsed => (StatusCode::FORBIDDEN, "OUT_TRADE_NO_USED", "商户订单号重复"),
            LedgerError::AlreadyPaid => (StatusCode::BAD_REQUEST, "ORDERPAID", "该订单已支付"),
            LedgerError::Closed => (StatusCode::BAD_REQUEST, "ORDER_CLOSED", "该订单已关闭"),
            LedgerError::Expired => (StatusCode::BAD_REQUEST, "ORDER_CLOSED", "该订单已过期"),
            LedgerError::NumbersDiffer => {
                (StatusCode::BAD_REQUEST, "PARAM_ERROR", "transaction_id与out_trade_no不是同一笔订单")
            }
            LedgerError::NoRelation => {
                (StatusCode::BAD_REQUEST, "NO_RELATION", "分账接收方与商户没有分账关系，请先添加分账接收方")
            }
            LedgerError::AboveRatio => (StatusCode::FORBIDDEN, "RULE_LIMIT", "分账金额超过最大分账比例30%"),
            LedgerError::NotPaid => (StatusCode::BAD_REQUEST, "INVALID_REQUEST", "订单未支付"),
            LedgerError::ExceedsRemaining => (StatusCode::BAD_REQUEST, "INVALID_REQUEST", "金额超过可操作的剩余金额"),
            LedgerError::TotalMismatch => (StatusCode::BAD_REQUEST, "PARAM_ERROR", "订单总金额与原订单不一致"),
            LedgerError::InsufficientFunds => (StatusCode::FORBIDDEN, "NOT_ENOUGH", "基本账户余额不足，请充值后重试"),
            LedgerError::NotForSharing => {
                (StatusCode::BAD_REQUEST, "INVALID_REQUEST", "订单不是分账订单，或分账已完结")
            }
            LedgerError::PaymentFailed => (StatusCode::FORBIDDEN, "TRADE_ERROR", "订单支付失败"),
            LedgerError::Paying => (StatusCode::BAD_REQUEST, "INVALID_REQUEST", "正在支付中，不能执行此操作"),
            LedgerError::Revoked => (StatusCode::BAD_REQUEST, "ORDER_CLOSED", "该订单已撤销"),
            LedgerError::NotDocumented => (StatusCode::BAD_REQUEST, "INVALID_REQUEST", "订单的支付场景不支持该请求"),
            LedgerError::WrongState => (StatusCode::BAD_REQUEST, "INVALID_REQUEST", "当前状态不允许此操作"),
        };
        Refusal::new(status, code, message)
    }
}
