//! Trade bills and fund-flow bills. A bill is generated when its download URL is requested.

use std::io::Write as _;

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use super::bill_text::{self, TradeBill};
use super::china_time;
use super::ledger::Ledger;
use super::refusal::Refusal;
use super::response::RouteResponse;
use super::route_request::RouteRequest;
use super::state::State;
use crate::crypto::{hash, random};

/// A day, in seconds.
const DAY: i64 = 86_400;
/// When the bill of a day is available, in seconds after its end.
const AVAILABLE_AFTER: i64 = 10 * 3600;

pub(super) fn trade_bill(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let kind = match request.query("bill_type").as_deref() {
        None | Some("ALL") => TradeBill::All,
        Some("SUCCESS") => TradeBill::Payments,
        Some("REFUND") => TradeBill::Refunds,
        // These are documented, and need features that the sandbox does not have.
        Some("RECHARGE_REFUND" | "ALL_SPECIAL" | "SUC_SPECIAL" | "REF_SPECIAL") => return Err(no_statement()),
        Some(_) => return Err(Refusal::param("query", "bill_type", "参数 bill_type 应为ALL、SUCCESS或REFUND")),
    };
    let sub_mchid = request.query("sub_mchid");
    offer(state, request, |ledger, date| bill_text::trade(ledger, date, kind, sub_mchid.as_deref()))
}

pub(super) fn fund_flow_bill(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let has_entries = match request.query("account_type").as_deref() {
        None | Some("BASIC") => true,
        Some("OPERATION" | "FEES") => false,
        Some(_) => {
            return Err(Refusal::param("query", "account_type", "参数 account_type 应为BASIC、OPERATION或FEES"));
        }
    };
    offer(state, request, |ledger, date| bill_text::fund_flow(ledger, date).filter(|_| has_entries))
}

fn no_statement() -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "NO_STATEMENT_EXIST", "请求的账单文件不存在")
}

/// Generates a bill and keeps it for download. `text` returns `None` if there is nothing on that
/// date.
fn offer(
    state: &mut State,
    request: &RouteRequest<'_>,
    text: impl FnOnce(&Ledger, &str) -> Option<String>,
) -> Result<RouteResponse, Refusal> {
    let date = request.query("bill_date").unwrap_or_default();
    let begin = china_time::parse_date(&date)
        .ok_or_else(|| Refusal::param("query", "bill_date", "参数 bill_date 应为2019-06-11格式的日期"))?;
    let compress: fn(&str) -> Bytes = match request.query("tar_type").as_deref() {
        None => |text| Bytes::copy_from_slice(text.as_bytes()),
        Some("GZIP") => gzip,
        Some(_) => return Err(Refusal::param("query", "tar_type", "参数 tar_type 应为GZIP")),
    };
    if !state.early_bills && request.now < begin + DAY + AVAILABLE_AFTER {
        let mut refusal = no_statement();
        refusal.detail = json!({ "sandbox": EARLY });
        return Err(refusal);
    }
    let text = text(&state.ledger, &date).ok_or_else(no_statement)?;
    let token = random::nonce().map_err(|error| Refusal::system_error(&error))?;
    state.bills.insert(token.clone(), compress(&text));
    Ok(RouteResponse::json(&json!({
        // The digest is that of the uncompressed file.
        "hash_type": "SHA1", "hash_value": hash::sha1(&text),
        "download_url": format!("{}v3/billdownload/file?token={token}", request.inbound.base_uri),
    })))
}

const EARLY: &str =
    "the bill of a day exists from 10:00 of the next day on; the control call \"bills\" makes it available at once";

/// Downloads a bill.
pub(super) fn download(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let bill = state.bills.get(&request.query("token").unwrap_or_default());
    bill.map(RouteResponse::file).ok_or_else(Refusal::no_resource)
}

fn gzip(text: &str) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing to a vector does not fail.
    let _ = encoder.write_all(text.as_bytes());
    encoder.finish().unwrap_or_default().into()
}
