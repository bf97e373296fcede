//! The routes of APIv3: which handler responds to which method and path.
//!
//! To add an endpoint, add a line to [`ROUTES`] and its handler to an `api_*.rs`. A handler changes
//! the state and returns the response with the notifications to send, or a [`Refusal`] before it
//! has changed anything.

use std::cell::RefCell;

use http::{Method, StatusCode};

use super::api_version::ApiVersion;
use super::path_template;
use super::recorded_call::is_certificate_list;
use super::refusal::Refusal;
use super::request::InboundRequest;
use super::response::RouteResponse;
use super::route_request::{Documentation, RouteRequest};
use super::state::State;
use super::stub::{self, StubResponse};
use super::upload::Upload;
use super::{
    api_bills, api_certificates, api_code_payments, api_combined_orders, api_deductions, api_echo, api_media,
    api_member_cards, api_orders, api_profit_sharing, api_refunds, api_statements, api_transfers, documented,
};

type Handler = fn(&mut State, &RouteRequest<'_>) -> Result<RouteResponse, Refusal>;

const ROUTES: &[(&str, &str, Handler)] = &[
    ("POST", "v3/pay/transactions/native", api_orders::place_native),
    ("POST", "v3/pay/transactions/jsapi", api_orders::place_jsapi),
    ("POST", "v3/pay/transactions/app", api_orders::place_app),
    ("POST", "v3/pay/transactions/h5", api_orders::place_h5),
    ("POST", "v3/pay/transactions/jsapi-with-contract", api_orders::place_jsapi),
    ("POST", "v3/pay/transactions/app-with-contract", api_orders::place_app),
    ("POST", "v3/pay/transactions/codepay", api_code_payments::pay),
    ("POST", "v3/pay/transactions/out-trade-no/{out_trade_no}/reverse", api_orders::reverse),
    ("GET", "v3/pay/transactions/id/{transaction_id}", api_orders::by_transaction_id),
    ("GET", "v3/pay/transactions/out-trade-no/{out_trade_no}", api_orders::by_out_trade_no),
    ("POST", "v3/pay/transactions/out-trade-no/{out_trade_no}/close", api_orders::close),
    ("POST", "v3/pay/partner/transactions/native", api_orders::place_native),
    ("POST", "v3/pay/partner/transactions/jsapi", api_orders::place_jsapi),
    ("POST", "v3/pay/partner/transactions/app", api_orders::place_app),
    ("POST", "v3/pay/partner/transactions/h5", api_orders::place_h5),
    ("POST", "v3/pay/partner/transactions/jsapi-with-contract", api_orders::place_jsapi),
    ("POST", "v3/pay/partner/transactions/app-with-contract", api_orders::place_app),
    ("POST", "v3/pay/partner/transactions/miniprogram", api_orders::place_in_shop),
    ("POST", "v3/pay/partner/transactions/scannedpos", api_orders::place_in_shop),
    ("POST", "v3/pay/partner/transactions/codepay", api_code_payments::pay),
    ("POST", "v3/pay/partner/transactions/out-trade-no/{out_trade_no}/reverse", api_orders::reverse),
    ("GET", "v3/pay/partner/transactions/id/{transaction_id}", api_orders::by_transaction_id),
    ("GET", "v3/pay/partner/transactions/out-trade-no/{out_trade_no}", api_orders::by_out_trade_no),
    ("POST", "v3/pay/partner/transactions/out-trade-no/{out_trade_no}/close", api_orders::close),
    ("POST", "v3/combine-transactions/native", api_combined_orders::place_native),
    ("POST", "v3/combine-transactions/jsapi", api_combined_orders::place_jsapi),
    ("POST", "v3/combine-transactions/app", api_combined_orders::place_app),
    ("POST", "v3/combine-transactions/h5", api_combined_orders::place_h5),
    ("GET", "v3/combine-transactions/out-trade-no/{combine_out_trade_no}", api_combined_orders::query),
    ("POST", "v3/combine-transactions/out-trade-no/{combine_out_trade_no}/close", api_combined_orders::close),
    ("POST", "v3/papay/pay/transactions/apply", api_deductions::apply),
    ("POST", "v3/papay/pay/harmony/transactions/apply", api_deductions::apply),
    ("POST", "v3/papay/insurance-pay/transactions/apply", api_deductions::apply),
    ("POST", "v3/papay/pay/partner/transactions/apply", api_deductions::apply_by_partner),
    ("POST", "v3/refund/domestic/refunds", api_refunds::refund),
    ("GET", "v3/refund/domestic/refunds/{out_refund_no}", api_refunds::query),
    ("POST", "v3/refund/domestic/refunds/{refund_id}/apply-abnormal-refund", api_refunds::apply_abnormal),
    ("POST", "v3/fund-app/mch-transfer/transfer-bills", api_transfers::transfer),
    ("GET", "v3/fund-app/mch-transfer/transfer-bills/out-bill-no/{out_bill_no}", api_transfers::by_out_bill_no),
    (
        "GET",
        "v3/fund-app/mch-transfer/transfer-bills/transfer-bill-no/{transfer_bill_no}",
        api_transfers::by_transfer_bill_no,
    ),
    ("POST", "v3/fund-app/mch-transfer/transfer-bills/out-bill-no/{out_bill_no}/cancel", api_transfers::cancel),
    ("POST", "v3/profitsharing/orders", api_profit_sharing::share),
    ("POST", "v3/profitsharing/orders/unfreeze", api_profit_sharing::unfreeze),
    ("GET", "v3/profitsharing/orders/{out_order_no}", api_profit_sharing::query),
    ("GET", "v3/profitsharing/transactions/{transaction_id}/amounts", api_profit_sharing::unsplit_amount),
    ("POST", "v3/profitsharing/receivers/add", api_profit_sharing::add_receiver),
    ("POST", "v3/profitsharing/receivers/delete", api_profit_sharing::delete_receiver),
    ("POST", "v3/profitsharing/return-orders", api_profit_sharing::return_profit),
    ("GET", "v3/profitsharing/return-orders/{out_return_no}", api_profit_sharing::query_return),
    ("GET", "v3/bill/tradebill", api_bills::trade_bill),
    ("GET", "v3/bill/fundflowbill", api_bills::fund_flow_bill),
    ("GET", "v3/billdownload/file", api_bills::download),
    ("POST", "v3/marketing/membercard-open/cards/{card_id}/permission-tokens", api_member_cards::permission_token),
    ("PATCH", "v3/marketing/membercard-open/callback", api_member_cards::set_callback),
    ("GET", "v3/marketing/membercard-open/callback", api_member_cards::callback),
    ("POST", "v3/merchant/media/upload", api_media::upload),
    ("POST", "v3/merchant/media/video_upload", api_media::upload_video),
    ("POST", "v3/merchant-service/images/upload", api_media::upload_image),
    ("GET", "v3/merchant-service/images/{media_id}", api_media::download_image),
    ("GET", "v3/certificates", api_certificates::list),
    ("POST", "v3/security/echo", api_echo::echo),
    ("GET", "v3/global/statements", api_statements::download),
    ("GET", "hk/v3/statements", api_statements::download),
];

/// Responds to an authenticated request: by a stub, or else by the handler of its route.
pub(super) fn route(
    state: &mut State,
    inbound: &InboundRequest,
    upload: Option<&Upload>,
    now: i64,
) -> Result<RouteResponse, Refusal> {
    let (method, path) = (inbound.http.method(), inbound.path());
    match stub::find(&state.stubs, ApiVersion::V3, method, path) {
        Some(StubResponse::File(length)) => return Ok(RouteResponse::generated_file(length)),
        Some(StubResponse::Json(status, body)) => return Ok(RouteResponse::json_with_status(status, &body)),
        Some(StubResponse::Function(respond)) => {
            let (status, body) = stub::call(&respond, &inbound.http);
            return Ok(RouteResponse::json_with_status(status, &body));
        }
        None => {}
    }
    if let Some(replay) = state.replay.as_mut().filter(|_| !is_certificate_list(path)) {
        return replay.respond(&inbound.http);
    }
    // The catalogue removes the path prefix of a region, such as `/hk/`, only from a URL with a
    // host.
    let url = format!("https://127.0.0.1{path}");
    let call = state.catalog.find(method, &url);
    let documentation = call.map(|call| Documentation { call, lenient: state.lenient, findings: RefCell::default() });
    let mut allowed = Vec::new();
    for (route_method, template, handler) in ROUTES {
        let Some(variables) = path_template::matches(template, path) else { continue };
        if method == *route_method {
            let request = RouteRequest { inbound, upload, variables, documentation: documentation.as_ref(), now };
            // A handler reads and checks the JSON of its request.
            if method == Method::GET || upload.is_some() {
                request.check(None)?;
            }
            let mut response = handler(state, &request);
            let is_unknown = response.as_ref().is_err_and(|refusal| refusal.status == StatusCode::NOT_FOUND);
            if let (true, &Method::GET, Some(documentation)) = (is_unknown, method, &documentation) {
                if let Some(other) = documented::respond_if_created(state, documentation.call, &request) {
                    response = other;
                }
            }
            return response.map(|response| with_findings(response, documentation.as_ref()));
        }
        allowed.push(*route_method);
    }
    if let Some(documentation) = &documentation {
        let request = RouteRequest { inbound, upload, variables: Vec::new(), documentation: Some(documentation), now };
        let response = documented::respond(state, documentation.call, &request)?;
        return Ok(with_findings(response, Some(documentation)));
    }
    let others = ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter();
    for other in others.filter(|other| state.catalog.find(other, &url).is_some()) {
        if !allowed.contains(&other) {
            allowed.push(other);
        }
    }
    Err(if allowed.is_empty() { no_endpoint(method, path) } else { wrong_method(method, path, &allowed) })
}

/// Adds what the comparison with the documentation found.
fn with_findings(mut response: RouteResponse, documentation: Option<&Documentation<'_>>) -> RouteResponse {
    response.findings.extend(documentation.into_iter().flat_map(|documentation| documentation.findings.take()));
    response
}

fn wrong_method(method: &Method, path: &str, allowed: &[&str]) -> Refusal {
    let message = format!("the sandbox's endpoint {path} takes {}, not {method}", allowed.join(" or "));
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message)
}

fn no_endpoint(method: &Method, path: &str) -> Refusal {
    let complete = format!("/v3{path}");
    if ROUTES.iter().any(|(_, template, _)| path_template::matches(template, &complete).is_some()) {
        let message =
            format!("the sandbox has no endpoint {method} {path}: paths of APIv3 begin with v3/, as in {complete}");
        return Refusal::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS", message);
    }
    let template = path.trim_start_matches('/');
    let message = format!(
        "the sandbox has no endpoint {method} {path}: define its response in a stub file (wxpay sandbox --stubs FILE) with the line \
         {{\"method\": \"{method}\", \"template\": {template:?}, \"status\": 200, \"response\": {{...}}}}, variables written as {{x}}; \
         in Rust with sandbox.stub(\"{method}\", {template:?}, 200, json!({{...}}))"
    );
    Refusal::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS", message)
}
