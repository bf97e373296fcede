//! Transfers to a user.

use http::StatusCode;
use serde_json::json;

use super::china_time;
use super::events;
use super::ledger::LedgerError;
use super::ledger_records::{Transfer, TransferState};
use super::refusal::Refusal;
use super::resources;
use super::response::RouteResponse;
use super::route_request::{RouteRequest, text};
use super::schema::{Field, Kind, optional, required};
use super::sensitive_fields;
use super::state::State;

/// The documented scenes of transfers.
const SCENES: &[&str] = &["1000", "1002", "1004", "1005", "1009", "1010", "1011", "1013"];
/// From this amount on, the name of the user is required, in fen.
const NAME_REQUIRED_FROM: u64 = 200_000;
/// Below this amount, the name of the user is not allowed, in fen.
const NAME_ALLOWED_FROM: u64 = 30;

const TRANSFER: &[Field] = &[
    required("/appid", Kind::Appid),
    required("/out_bill_no", Kind::BillNumber),
    required("/transfer_scene_id", Kind::OneOf(SCENES)),
    required("/openid", Kind::Openid),
    required("/transfer_amount", Kind::Integer(10, 20_000_000)),
    required("/transfer_remark", Kind::Text(32)),
    optional("/notify_url", Kind::Url),
    required("/transfer_scene_report_infos", Kind::List(1, 10)),
];

pub(super) fn transfer(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let mut body = request.json(&[TRANSFER])?;
    let amount = body["transfer_amount"].as_u64().unwrap_or_default();
    let has_name = !text(&body, "user_name").is_empty();
    if amount >= NAME_REQUIRED_FROM && !has_name {
        return Err(Refusal::param("body", "/user_name", "转账金额大于等于2000元时，收款用户姓名user_name必填"));
    }
    if amount < NAME_ALLOWED_FROM && has_name {
        return Err(Refusal::param("body", "/user_name", "转账金额小于0.3元时，不允许填写收款用户姓名user_name"));
    }
    sensitive_fields::decrypt(&state.platform, request.inbound, &mut body, "", "user_name")?;
    let transfer = state.ledger.transfer(text(&body, "out_bill_no"), amount, &body, request.now);
    let transfer = transfer.map_err(|error| match error {
        LedgerError::NumberUsed => {
            Refusal::new(StatusCode::BAD_REQUEST, "ALREADY_EXISTS", "商户单号已存在，且参数不一致")
        }
        other => Refusal::of_resource(other),
    })?;
    Ok(RouteResponse::json(&json!({
        "out_bill_no": transfer.out_bill_no, "transfer_bill_no": transfer.transfer_bill_no,
        "create_time": china_time::format_seconds(transfer.created_at), "state": transfer.state.as_str(),
        "package_info": format!("affffddafdfafddffda=={}", transfer.transfer_bill_no),
    })))
}

pub(super) fn by_out_bill_no(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    found(state, state.ledger.transfers.get(request.variable("out_bill_no")))
}

pub(super) fn by_transfer_bill_no(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let number = request.variable("transfer_bill_no");
    found(state, state.ledger.transfers.values().find(|transfer| transfer.transfer_bill_no == number))
}

fn found(state: &State, transfer: Option<&Transfer>) -> Result<RouteResponse, Refusal> {
    let transfer = transfer.ok_or_else(Refusal::no_resource)?;
    let mut body = resources::transfer(transfer);
    let name = text(&transfer.request, "user_name");
    if !name.is_empty() {
        body["user_name"] = sensitive_fields::for_merchant(&state.platform, name)?;
    }
    Ok(RouteResponse::json(&body))
}

pub(super) fn cancel(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let out_bill_no = request.variable("out_bill_no");
    let is_cancelled = |transfer: &Transfer| transfer.state == TransferState::Cancelled;
    let was_cancelled = state.ledger.transfers.get(out_bill_no).is_some_and(is_cancelled);
    let transfer = state.ledger.cancel_transfer(out_bill_no, request.now).map_err(Refusal::of_resource)?;
    let response = RouteResponse::json(&json!({
        "out_bill_no": transfer.out_bill_no, "transfer_bill_no": transfer.transfer_bill_no,
        "state": transfer.state.as_str(), "update_time": china_time::format_seconds(transfer.updated_at),
    }));
    Ok(response.notify(events::transfer(transfer).filter(|_| !was_cancelled)))
}
