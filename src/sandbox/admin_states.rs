//! The control calls for states that records do not reach by themselves, and for the rate limit.

use serde_json::{Value, json};

use super::admin_call::{Done, owner, refusal, required};
use super::events;
use super::ledger::LedgerError;
use super::ledger_records::{ReceiverResult, RefundStatus};
use super::rate_limit::RateLimit;
use super::route_request::text;
use super::state::State;
use crate::catalog::{Catalog, Field};
use crate::error::Error;
use crate::proto::similar::similar;

/// The maximum window of a rate limit, in seconds: one day.
const MAX_WINDOW: u64 = 86_400;

/// Closes an order that was not paid in time, or all orders of a combined order, as the service
/// does.
pub(super) fn expire(state: &mut State, fields: &Value, now: i64) -> Result<Done, Error> {
    let number = required(fields, "out_trade_no")?;
    let refusal = |error| refusal("order", number, error);
    let keys = state.ledger.find_payable_keys(number, owner(fields));
    keys.iter().try_for_each(|key| state.ledger.check_expire(key, now)).map_err(refusal)?;
    if keys.is_empty() {
        return Err(refusal(LedgerError::NotFound));
    }
    keys.iter().try_for_each(|key| state.ledger.expire(key, now)).map_err(refusal)?;
    Ok(Done::ok())
}

/// Makes the payment of an order fail. A notification is sent only for a deduction of APIv3.
pub(super) fn fail_payment(state: &mut State, fields: &Value, _: i64) -> Result<Done, Error> {
    let number = required(fields, "out_trade_no")?;
    let refusal = |error| refusal("order", number, error);
    let key = state.ledger.find_order_key(number, owner(fields)).ok_or_else(|| refusal(LedgerError::NotFound))?;
    state.ledger.fail_payment(&key).map_err(refusal)?;
    Ok(Done::ok().notify(state.ledger.orders.get(&key).and_then(events::failed_payment)))
}

/// Makes a transfer fail.
pub(super) fn fail_transfer(state: &mut State, fields: &Value, now: i64) -> Result<Done, Error> {
    let number = required(fields, "out_bill_no")?;
    let reason = fail_reason(fields, "PAYEE_ACCOUNT_ABNORMAL", &transfer_reasons(state.catalog))?;
    let transfer = state.ledger.fail_transfer(number, &reason, now);
    let transfer = transfer.map_err(|error| refusal("transfer", number, error))?;
    Ok(Done::new(json!({ "fail_reason": reason })).notify(events::transfer(transfer)))
}

/// Sets the kinds of new records that stay in progress. A kind that the fields omit is not changed.
pub(super) fn hold(state: &mut State, fields: &Value, _: i64) -> Result<Done, Error> {
    let flag = |name: &str, before: bool| match fields.get(name) {
        None | Some(Value::Null) => Ok(before),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(Error::options(format!("{name:?} must be true or false"))),
    };
    let mut hold = state.hold;
    hold.payments = flag("payments", hold.payments)?;
    hold.refunds = flag("refunds", hold.refunds)?;
    hold.profit_sharings = flag("profit_sharings", hold.profit_sharings)?;
    state.hold = hold;
    Ok(Done::new(json!(hold)))
}

/// Sets the next status of a refund: `SUCCESS`, `ABNORMAL` or `CLOSED`. An abnormal refund can only
/// become `SUCCESS`.
pub(super) fn end_refund(state: &mut State, fields: &Value, now: i64) -> Result<Done, Error> {
    const STATUSES: [RefundStatus; 3] = [RefundStatus::Success, RefundStatus::Abnormal, RefundStatus::Closed];
    let (number, status) = (required(fields, "out_refund_no")?, required(fields, "status")?);
    let status = STATUSES.into_iter().find(|known| known.as_str() == status);
    let status = status.ok_or_else(|| Error::options("\"status\" must be SUCCESS, ABNORMAL or CLOSED"))?;
    let refusal = |error| refusal("refund", number, error);
    let key = state.ledger.find_refund_key(number, owner(fields)).ok_or_else(|| refusal(LedgerError::NotFound))?;
    let refund = state.ledger.end_refund(&key, status, now).map_err(refusal)?;
    let body = json!({ "refund_id": refund.refund_id, "status": status.as_str() });
    Ok(Done::new(body).notify(events::refund(&state.ledger, &key)))
}

/// Sets the result of one receiver of a profit sharing, or of all pending receivers.
pub(super) fn end_profit_sharing(state: &mut State, fields: &Value, now: i64) -> Result<Done, Error> {
    const RESULTS: [ReceiverResult; 2] = [ReceiverResult::Success, ReceiverResult::Closed];
    let (number, result) = (required(fields, "out_order_no")?, required(fields, "result")?);
    let result = RESULTS.into_iter().find(|known| known.as_str() == result);
    let result = result.ok_or_else(|| Error::options("\"result\" must be SUCCESS or CLOSED"))?;
    let reason = match result {
        ReceiverResult::Closed => Some(fail_reason(fields, "ACCOUNT_ABNORMAL", &sharing_reasons(state.catalog))?),
        _ if !text(fields, "fail_reason").is_empty() => {
            return Err(Error::options("\"fail_reason\" belongs to the result CLOSED"));
        }
        _ => None,
    };
    let account = Some(text(fields, "account")).filter(|account| !account.is_empty());
    let refusal = |error| refusal("profit sharing", number, error);
    let key = state.ledger.find_sharing_key(number, owner(fields)).ok_or_else(|| refusal(LedgerError::NotFound))?;
    let ended = state.ledger.end_sharing(&key, account, (result, reason.as_deref()), now).map_err(refusal)?;
    let sharing = state.ledger.sharings.get(&key).ok_or_else(|| refusal(LedgerError::NotFound))?;
    let done = Done::new(json!({ "order_id": sharing.order_id, "receivers": sharing.receivers }));
    // The service sends these notifications to a URL that is set on the merchant platform.
    Ok(match text(fields, "notify_url") {
        "" => done,
        url => done.notify(ended.iter().map(|receiver| events::profit_sharing(url, sharing, receiver, now))),
    })
}

/// Sets or removes the rate limit.
pub(super) fn limit(state: &mut State, fields: &Value, _: i64) -> Result<Done, Error> {
    let number = |name: &str, range: std::ops::RangeInclusive<u64>| match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let number = value.as_u64().filter(|number| range.contains(number));
            let message = || format!("{name:?} must be an integer from {} to {}", range.start(), range.end());
            number.map(Some).ok_or_else(|| Error::options(message()))
        }
    };
    let seconds = number("seconds", 1..=MAX_WINDOW)?.unwrap_or(1);
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
    state.rate_limit = number("calls", 0..=1_000_000)?.map(|calls| RateLimit::new(calls, seconds));
    Ok(Done::new(json!({ "limit": state.rate_limit })))
}

/// The field `fail_reason`, or `usual` if it is missing. It must be a documented value.
fn fail_reason(fields: &Value, usual: &str, documented: &[String]) -> Result<String, Error> {
    let reason = match text(fields, "fail_reason") {
        "" => usual,
        reason => reason,
    };
    if documented.iter().any(|known| known == reason) {
        return Ok(reason.to_owned());
    }
    let known = documented.iter().map(String::as_str);
    Err(Error::options(match similar(&reason.to_ascii_uppercase(), known) {
        Some(meant) => format!("the fail_reason {reason:?} is not documented: did you mean {meant:?}?"),
        None => format!("the fail_reason {reason:?} is not documented: available are {}", documented.join(", ")),
    }))
}

/// The documented values of `fail_reason` for a transfer.
pub(super) fn transfer_reasons(catalog: &Catalog) -> Vec<String> {
    let notification = catalog.notification("MCHTRANSFER.BILL.FINISHED");
    values(notification.map_or(&[][..], |notification| notification.resource()), &["fail_reason"])
}

/// The documented values of `fail_reason` for a receiver of profit sharing.
pub(super) fn sharing_reasons(catalog: &Catalog) -> Vec<String> {
    let call = catalog.find("POST", "v3/profitsharing/orders");
    values(call.map_or(&[][..], |call| call.response()), &["receivers", "fail_reason"])
}

/// The documented values of the field at this path.
fn values(fields: &[Field], path: &[&str]) -> Vec<String> {
    let [name, rest @ ..] = path else { return Vec::new() };
    let Some(field) = fields.iter().find(|field| field.name == *name) else { return Vec::new() };
    if rest.is_empty() { field.values.clone() } else { values(&field.fields, rest) }
}
