//! Overseas statements, which are signed by the SHA-1 of the file.

use bytes::Bytes;

use super::refusal::Refusal;
use super::response::RouteResponse;
use super::route_request::RouteRequest;
use super::state::State;
use crate::crypto::hash;

pub(super) fn download(_: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let query = request.inbound.http.uri().query().unwrap_or_default();
    let file = format!("Transaction time,Amount\n`{query},`0.01\n");
    let sha1 = hash::sha1(&file);
    Ok(RouteResponse::statement(Bytes::from(file), &sha1))
}
