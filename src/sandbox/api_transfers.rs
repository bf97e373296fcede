//! Transfers to a user.

use http::StatusCode;
use serde_json::json;

use super::china_time;
use super::ledger::LedgerError;
use super::ledger_records::Transfer;
use super::refusal::Refusal;
use super::resources;
use super::response::RouteResponse;
use super::route_request::{RouteRequest, text};
use super::schema::{Field, Kind, optional, required};
use super::state::State;

const TRANSFER: &[Field] = &[
    required("/appid", Kind::Text(32)),
    required("/out_bill_no", Kind::Number),
    required("/transfer_scene_id", Kind::Text(36)),
    required("/openid", Kind::Text(64)),
    required("/transfer_amount", Kind::Integer(10, 20_000_000)),
    required("/transfer_remark", Kind::Text(32)),
    optional("/notify_url", Kind::Url),
    required("/transfer_scene_report_infos", Kind::List(10)),
];

pub(super) fn transfer(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let body = request.json(&[TRANSFER])?;
    let amount = body["transfer_amount"].as_u64().unwrap_or_default();
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
    found(state.ledger.transfers.get(request.variable("out_bill_no")))
}

pub(super) fn by_transfer_bill_no(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let number = request.variable("transfer_bill_no");
    found(state.ledger.transfers.values().find(|transfer| transfer.transfer_bill_no == number))
}

fn found(transfer: Option<&Transfer>) -> Result<RouteResponse, Refusal> {
    Ok(RouteResponse::json(&resources::transfer(transfer.ok_or_else(Refusal::no_resource)?)))
}

pub(super) fn cancel(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let transfer =
        state.ledger.cancel_transfer(request.variable("out_bill_no"), request.now).map_err(Refusal::of_resource)?;
    Ok(RouteResponse::json(&json!({
        "out_bill_no": transfer.out_bill_no, "transfer_bill_no": transfer.transfer_bill_no,
        "state": transfer.state.as_str(), "update_time": china_time::format_seconds(transfer.updated_at),
    })))
}
