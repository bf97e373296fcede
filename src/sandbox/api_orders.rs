//! Orders of a merchant, and of a partner's sub-merchant.

use serde_json::{Value, json};

use super::ledger_records::{Order, OrderApi, OrderTerms, TradeType, record_key};
use super::merchant::MCHID;
use super::refusal::Refusal;
use super::resources;
use super::response::RouteResponse;
use super::route_request::{RouteRequest, check_merchant, text};
use super::schema::{Field, Kind, MAX_FEN, optional, required};
use super::state::State;

/// The fields of every order.
const ORDER: &[Field] = &[
    required("/description", Kind::Text(127)),
    required("/out_trade_no", Kind::OrderNumber),
    optional("/time_expire", Kind::Expiry),
    optional("/attach", Kind::Text(128)),
    optional("/goods_tag", Kind::Text(32)),
    optional("/support_fapiao", Kind::Boolean),
    required("/amount", Kind::Object),
    required("/amount/total", Kind::Integer(1, MAX_FEN)),
    optional("/amount/currency", Kind::OneOf(&["CNY"])),
    optional("/limit_pay", Kind::List(1, 10)),
    optional("/detail", Kind::Object),
    optional("/detail/goods_detail", Kind::List(1, 6000)),
    optional("/payer", Kind::Object),
    optional("/payer/openid", Kind::Openid),
    optional("/payer/sp_openid", Kind::Openid),
    optional("/payer/sub_openid", Kind::Openid),
    optional("/settle_info", Kind::Object),
    optional("/settle_info/profit_sharing", Kind::Boolean),
];
const NOTIFIED: &[Field] = &[required("/notify_url", Kind::Url)];
const PERHAPS_NOTIFIED: &[Field] = &[optional("/notify_url", Kind::Url)];
const JSAPI: &[Field] = &[required("/payer", Kind::Object)];
const H5: &[Field] = &[
    required("/scene_info", Kind::Object),
    required("/scene_info/payer_client_ip", Kind::Text(45)),
    required("/scene_info/h5_info", Kind::Object),
    required("/scene_info/h5_info/type", Kind::Text(32)),
];

/// What differs between the orders of a merchant and those of a partner.
struct Variant {
    api: OrderApi,
    /// The fields that name the merchants.
    merchant_fields: &'static [Field],
    /// The fields that only orders with a `notify_url` require.
    app_fields: &'static [Field],
    /// The fields that name the merchants when an order is closed.
    close_fields: &'static [Field],
    /// The field of the merchant that signs.
    signer: &'static str,
    /// The field of the merchant that receives the payment.
    owner: &'static str,
    /// The fields that can name the buyer.
    openids: &'static [&'static str],
}

const DIRECT: Variant = Variant {
    api: OrderApi::Direct,
    merchant_fields: &[required("/appid", Kind::Appid), required("/mchid", Kind::Number)],
    app_fields: &[],
    close_fields: &[required("/mchid", Kind::Number)],
    signer: "mchid",
    owner: "mchid",
    openids: &["/payer/openid"],
};
const PARTNER: Variant = Variant {
    api: OrderApi::Partner,
    merchant_fields: &[
        optional("/sp_appid", Kind::Appid),
        required("/sp_mchid", Kind::Number),
        optional("/sub_appid", Kind::Appid),
        required("/sub_mchid", Kind::Number),
    ],
    app_fields: &[required("/sp_appid", Kind::Appid)],
    close_fields: &[required("/sp_mchid", Kind::Number)],
    signer: "sp_mchid",
    owner: "sub_mchid",
    openids: &["/payer/sp_openid", "/payer/sub_openid"],
};

fn variant(request: &RouteRequest<'_>) -> &'static Variant {
    if request.inbound.path().contains("/partner/") { &PARTNER } else { &DIRECT }
}

pub(super) fn place_native(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    prepare(state, request, TradeType::Native, &[])
}

pub(super) fn place_app(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    prepare(state, request, TradeType::App, &[])
}

pub(super) fn place_h5(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    prepare(state, request, TradeType::H5, &[H5])
}

pub(super) fn place_jsapi(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    prepare(state, request, TradeType::Jsapi, &[JSAPI])
}

/// Places an order that is paid in a mini program, or that begins with the scan of a code in a
/// shop. The `notify_url` is optional.
pub(super) fn place_in_shop(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let order = place(state, request, TradeType::Jsapi, &[PERHAPS_NOTIFIED, JSAPI])?;
    Ok(RouteResponse::json(&prepay(TradeType::Jsapi, &order.prepay_id)))
}

/// Places an order with a `notify_url`. The response contains the ID or the URL that starts the
/// payment.
fn prepare(
    state: &mut State,
    request: &RouteRequest<'_>,
    trade_type: TradeType,
    fields: &[&[Field]],
) -> Result<RouteResponse, Refusal> {
    let app = variant(request).app_fields;
    let order = place(state, request, trade_type, &[&[NOTIFIED, app], fields].concat())?;
    Ok(RouteResponse::json(&prepay(trade_type, &order.prepay_id)))
}

/// Places an order. `fields` are the fields in addition to those of every order.
pub(super) fn place<'a>(
    state: &'a mut State,
    request: &RouteRequest<'_>,
    trade_type: TradeType,
    fields: &[&[Field]],
) -> Result<&'a Order, Refusal> {
    let variant = variant(request);
    let body = request.json(&[&[variant.merchant_fields, ORDER], fields].concat())?;
    check_merchant(&body, &format!("/{}", variant.signer))?;
    let names_buyer =
        |pointer: &&str| body.pointer(pointer).and_then(Value::as_str).is_some_and(|openid| !openid.is_empty());
    if trade_type == TradeType::Jsapi && !variant.openids.iter().any(names_buyer) {
        return Err(Refusal::missing("body", "/payer/openid"));
    }
    if names_buyer(&"/payer/sub_openid") && text(&body, "sub_appid").is_empty() {
        return Err(Refusal::missing("body", "/sub_appid"));
    }
    let terms = OrderTerms {
        api: variant.api,
        owner: text(&body, variant.owner).to_owned(),
        out_trade_no: text(&body, "out_trade_no").to_owned(),
        trade_type,
        total: body["amount"]["total"].as_u64().unwrap_or_default(),
        notify_url: text(&body, "notify_url").to_owned(),
        profit_sharing: body.pointer("/settle_info/profit_sharing") == Some(&Value::Bool(true)),
        combine_out_trade_no: None,
        request: body,
    };
    Ok(state.ledger.place(terms, request.now)?)
}

/// What the client opens the payment with.
pub(super) fn prepay(trade_type: TradeType, prepay_id: &str) -> Value {
    match trade_type {
        TradeType::Native => json!({ "code_url": code_url(prepay_id) }),
        TradeType::H5 => json!({ "h5_url": format!("{}&package=1", h5_url(prepay_id)) }),
        _ => json!({ "prepay_id": prepay_id }),
    }
}

/// The text of the QR code of a native order.
pub(super) fn code_url(prepay_id: &str) -> String {
    format!("weixin://wxpay/bizpayurl?pr={prepay_id}")
}

/// The page that opens the payment of an H5 order.
pub(super) fn h5_url(prepay_id: &str) -> String {
    format!("https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id={prepay_id}")
}

pub(super) fn by_transaction_id(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    query(state, request, "", request.variable("transaction_id"))
}

pub(super) fn by_out_trade_no(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    query(state, request, request.variable("out_trade_no"), "")
}

fn query(
    state: &State,
    request: &RouteRequest<'_>,
    out_trade_no: &str,
    transaction_id: &str,
) -> Result<RouteResponse, Refusal> {
    let variant = variant(request);
    let signer = request.required_query(variant.signer)?;
    let owner = request.required_query(variant.owner)?;
    if signer != MCHID {
        return Err(Refusal::other_merchant("query", variant.signer));
    }
    let order = state.ledger.order(&owner, out_trade_no, transaction_id)?;
    Ok(RouteResponse::json(&resources::transaction(order)))
}

/// Reverses an order that is paid with a code.
pub(super) fn reverse(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let variant = variant(request);
    let mut body = request.json(&[variant.close_fields])?;
    check_merchant(&body, &format!("/{}", variant.signer))?;
    let out_trade_no = request.variable("out_trade_no");
    state.ledger.reverse(&record_key(text(&body, variant.owner), out_trade_no), request.now)?;
    let mut response = json!({ "out_trade_no": out_trade_no });
    for name in ["appid", "mchid", "sp_appid", "sp_mchid", "sub_appid", "sub_mchid"] {
        if !body[name].is_null() {
            response[name] = body[name].take();
        }
    }
    Ok(RouteResponse::json(&response))
}

pub(super) fn close(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let variant = variant(request);
    let body = request.json(&[variant.close_fields])?;
    check_merchant(&body, &format!("/{}", variant.signer))?;
    let owner = text(&body, variant.owner);
    state.ledger.close(&record_key(owner, request.variable("out_trade_no")))?;
    Ok(RouteResponse::no_content())
}
