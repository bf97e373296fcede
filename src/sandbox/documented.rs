//! Responds to the documented calls that have no handler of their own, with what the catalogue
//! records of them.
//!
//! A call that creates something is remembered by its numbers. A query of an unknown number is
//! refused, if a documented call of the same product creates such numbers.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::documented_check::variables;
use super::documented_response::Sources;
use super::merchant::MCHID;
use super::objects::Object;
use super::plausible::Seed;
use super::query_fields::query_fields;
use super::refusal::Refusal;
use super::response::{RouteResponse, Signature};
use super::route_request::RouteRequest;
use super::state::State;
use super::{documented_pages, numbers, sensitive_fields};
use crate::catalog::{Call, Encoding, Field, FieldType, Place, ResponseKind};
use crate::client::pages::offset_is_page_number;
use crate::crypto::hash;
use crate::error::Error;
use crate::proto::verify::{self, Covers};

/// The calls whose fields are encrypted with the padding of PKCS #1 v1.5, which the sandbox does
/// not decrypt.
const OTHER_PADDING: &str = "customs/verify-certificate";

/// What a request contains and what is known of its object, whatever the version of the API.
pub(super) struct Known {
    /// The product of the call.
    product: String,
    /// The path of the request.
    path: String,
    /// The variables of the path that name an object, in the order of the path.
    variables: Vec<(String, String)>,
    /// The fields of the body, in plain text.
    body: Map<String, Value>,
    /// The variables of the path and the fields of the query.
    others: Map<String, Value>,
    /// The object that the request names.
    object: Option<u64>,
    /// The fields of that object, or of those that contain it.
    fields: Map<String, Value>,
    /// The number of objects on all pages of the list.
    total: Option<usize>,
}

impl Known {
    pub(super) fn new(product: String, path: &str, body: Map<String, Value>, others: Map<String, Value>) -> Self {
        let (variables, fields) = (Vec::new(), Map::new());
        Known { product, path: path.to_owned(), variables, body, others, object: None, fields, total: None }
    }

    /// Whether a call placed the order, the refund or the transfer that the request names. Other
    /// calls only mention its number, such as those that apply for a receipt.
    pub(super) fn is_placed(&self, state: &State) -> bool {
        const ASSIGNED: [&str; 6] =
            ["prepay_id", "transaction_id", "combine_transaction_id", "refund_id", "transfer_bill_no", "payment_no"];
        let Some(object) = self.object.and_then(|id| state.objects.get(id)) else { return false };
        // The catalogue removes the path prefix of a region, such as `/hk/`, only from a URL with a
        // host.
        let url = format!("https://127.0.0.1{}", object.path);
        let Some(call) = state.catalog.find("POST", &url) else { return false };
        let has = |fields: &[Field], name: &str| fields.iter().any(|field| field.name == name);
        let is_assigned = |name: &&str| {
            has(call.response(), name) && ![Place::Json, Place::Xml].iter().any(|place| has(call.fields(*place), name))
        };
        ASSIGNED.iter().any(is_assigned)
    }
}

/// Responds to a query that the ledger does not answer, if another call placed its order.
pub(super) fn respond_if_created(
    state: &mut State,
    call: &Call,
    request: &RouteRequest<'_>,
) -> Option<Result<RouteResponse, Refusal>> {
    let known = known(state, call, request).ok()?;
    known.is_placed(state).then(|| respond(state, call, request))
}

/// Responds to a request of APIv3.
pub(super) fn respond(state: &mut State, call: &Call, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let known = known(state, call, request)?;
    let failed = |error: Error| Refusal::system_error(&error);
    match call.response_kind() {
        ResponseKind::Empty => {
            remember(state, call, &known, Map::new(), request.now);
            Ok(RouteResponse::no_content())
        }
        ResponseKind::File | ResponseKind::Text => {
            let file = RouteResponse::file(format!("{} {}\n", call.title(), request.inbound.http.uri()).into());
            let is_signed = verify::least_covered(&call.method(), request.inbound.path()) == Covers::Body;
            let signature = if is_signed { Signature::OverBody } else { Signature::Unsigned };
            Ok(RouteResponse { signature, ..file })
        }
        _ => {
            let plain = response(state, call, &known, request.now, &|text| Ok(text.into())).map_err(failed)?;
            let key = state.platform.keys.merchant.public_key();
            let encrypt = |text: &str| key.encrypt(text.as_bytes()).map(Value::from);
            let mut sent = match call.encrypted_response_fields().is_empty() {
                true => plain.clone(),
                false => response(state, call, &known, request.now, &encrypt).map_err(failed)?,
            };
            remember(state, call, &known, plain, request.now);
            offer_downloads(state, call, &mut sent, &request.inbound.base_uri);
            Ok(RouteResponse::json(&sent.into()))
        }
    }
}

/// Reads a request of APIv3, and finds its object.
fn known(state: &mut State, call: &Call, request: &RouteRequest<'_>) -> Result<Known, Refusal> {
    let inbound = request.inbound;
    let has_json = call.fields(Place::Json).iter().any(|field| field.required) || !inbound.http.body().is_empty();
    let mut body = match request.upload {
        Some(upload) => {
            request.check(None)?;
            serde_json::from_slice(&upload.meta).unwrap_or_default()
        }
        None if has_json && inbound.http.method() != http::Method::GET => request.json(&[])?,
        None => {
            request.check(None)?;
            Value::Null
        }
    };
    let mut query = Value::from(query_fields(inbound.http.uri().query().unwrap_or_default()));
    let is_oaep = !call.template().is_some_and(|template| template.ends_with(OTHER_PADDING));
    let parts = [(Place::Json, &mut body, "body"), (Place::Query, &mut query, "query")];
    for (place, part, location) in parts.into_iter().filter(|_| is_oaep) {
        sensitive_fields::decrypt_documented(&state.platform, inbound, call.fields(place), part, (location, ""))?;
    }
    let mut others: Map<String, Value> = Map::new();
    let variables = variables(call, inbound.path());
    others.extend(variables.iter().map(|(name, value)| (name.clone(), value.as_str().into())));
    let query = query.as_object().cloned().unwrap_or_default();
    let mut names: Vec<(String, String)> = Vec::new();
    if inbound.http.method() == http::Method::GET && list_field(call).is_none() {
        names.extend(query.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))));
    }
    others.extend(query);
    let body = body.as_object().cloned().unwrap_or_default();
    let template = call.template().unwrap_or_default();
    let mut known = Known::new(numbers::product(template), inbound.path(), body, others);
    known.variables = variables.into_iter().filter(|(name, _)| !numbers::is_account(name)).collect();
    check_merchants(&known)?;
    find(state, &mut known, &names).map_err(|(name, _)| unknown(&name))?;
    check_numbers(state, &known)?;
    if inbound.http.method() == http::Method::DELETE && template.ends_with('}') {
        if let Some((name, _)) = known.variables.last().filter(|(_, value)| is_missing(state, &known, value)) {
            return Err(unknown(name));
        }
    }
    if known.object.is_none() && known.fields.is_empty() && list_field(call).is_none() {
        let newest = state.objects.created_by(&known.path).next_back();
        if let Some((id, object)) = newest.filter(|_| inbound.http.method() == http::Method::GET) {
            known.fields = object.fields.clone();
            known.object = Some(id);
        }
    }
    if let (Some(list), "GET") = (list_field(call), inbound.http.method().as_str()) {
        let created: Vec<Value> =
            state.objects.created_by(&known.path).map(|(_, object)| object.fields.clone().into()).collect();
        let template = call.template().unwrap_or_default();
        if !created.is_empty() || state.catalog.find("POST", template).is_some() {
            let page = documented_pages::page(created, &known.others, offset_is_page_number(template));
            known.total = Some(page.total);
            known.fields.insert(list.to_owned(), page.items.into());
            if !page.next.is_empty() {
                known.fields.insert("next_page_token".to_owned(), page.next.into());
            }
        }
    }
    Ok(known)
}

/// Checks that `sp_mchid`, and in these products `mchid`, is the sandbox's merchant. In other
/// products, `mchid` can be another merchant.
fn check_merchants(known: &Known) -> Result<(), Refusal> {
    const OWN: [&str; 6] = ["v3/pay", "v3/transactions", "v3/refunds", "v3/statements", "v3/customs", "v3/global"];
    for (location, fields) in [("body", &known.body), ("query", &known.others)] {
        for name in ["sp_mchid", "mchid"] {
            let is_own = name == "sp_mchid" || OWN.contains(&known.product.as_str());
            let is_other = fields.get(name).is_some_and(|value| value.as_str().is_some_and(|text| text != MCHID));
            if is_own && is_other {
                let field = if location == "body" { format!("/{name}") } else { name.to_owned() };
                return Err(Refusal::other_merchant(location, &field));
            }
        }
    }
    Ok(())
}

/// Checks that the payments and refunds in the body exist. Other numbers that the service assigns
/// are not checked, because they can come from its web pages.
fn check_numbers(state: &State, known: &Known) -> Result<(), Refusal> {
    for name in ["transaction_id", "refund_id"] {
        let Some(text) = known.body.get(name).and_then(numbers::text) else { continue };
        if !state.creatable().contains(&known.product, name) {
            continue;
        }
        let is_known = state.objects.find(&known.product, name, &text).is_some()
            || numbers::in_ledger(&state.ledger, name, &text).is_some();
        if !is_known {
            return Err(unknown(name));
        }
    }
    Ok(())
}

/// The refusal of an unknown number.
fn unknown(name: &str) -> Refusal {
    let mut refusal = Refusal::no_resource();
    let source = format!("the sandbox does not know this {name}, and the code of the service depends on the product");
    refusal.detail = json!({ "sandbox": source });
    refusal
}

/// Whether the object that contains another one is known, and the other one is not. A call can also
/// add several parts at once, in a list.
fn is_missing(state: &State, known: &Known, value: &str) -> bool {
    let collection = known.path.rsplit_once('/').map_or("", |(collection, _)| collection);
    let is_listed = |object: &Object| object.fields.values().any(|field| contains(field, value));
    let is_part = state.objects.created_by(collection).any(|(_, object)| is_listed(object));
    known.object.is_none() && !known.fields.is_empty() && !is_part
}

fn contains(field: &Value, text: &str) -> bool {
    match field {
        Value::Array(items) => items.iter().any(|item| contains(item, text)),
        Value::Object(members) => members.values().any(|member| contains(member, text)),
        field => field == text,
    }
}

/// The list of objects in a response that is a list.
fn list_field(call: &Call) -> Option<&str> {
    let lists = call.response().iter().find(|field| field.list && field.field_type == FieldType::Object);
    // A response that has a number of its own is an object with a list in it.
    let is_object = call.response().iter().any(|field| numbers::is_number(&field.name) && field.required);
    lists.filter(|_| !is_object).map(|field| field.name.as_str())
}

/// Finds the object that the last variable of the path names, or else one of these fields. The last
/// one is the most specific.
///
/// # Errors
/// A number that was not created. It is the name and the value.
pub(super) fn find(state: &State, known: &mut Known, names: &[(String, String)]) -> Result<(), (String, String)> {
    for (name, value) in known.variables.clone() {
        // What the variable before it names contains the object, and is another one.
        known.object = None;
        find_one(state, known, &name, &value)?;
    }
    let names = names.iter().filter(|(name, _)| numbers::is_number(name));
    names.into_iter().try_for_each(|(name, value)| find_one(state, known, name, value))
}

fn find_one(state: &State, known: &mut Known, name: &str, value: &str) -> Result<(), (String, String)> {
    let id = state.objects.find(&known.product, name, value);
    // Two templates of the same shape differ in the name only.
    let id = id.or_else(|| state.objects.find(&known.product, numbers::other_name(&known.product, name)?, value));
    if let Some(id) = id {
        known.object = Some(id);
        known.fields = state.objects.get(id).map(|object| object.fields.clone()).unwrap_or_default();
    } else if let Some(fields) = numbers::in_ledger(&state.ledger, name, value) {
        known.fields = fields;
    } else if state.creatable().contains(&known.product, name) {
        return Err((name.to_owned(), value.to_owned()));
    }
    Ok(())
}

/// The fields of the response of a call.
pub(super) fn response(
    state: &State,
    call: &Call,
    known: &Known,
    now: i64,
    encrypt: &dyn Fn(&str) -> Result<Value, Error>,
) -> Result<Map<String, Value>, Error> {
    let template = call.template().unwrap_or_default();
    let (id, is_repeated) = target(state, call, known);
    let object = id.and_then(|id| state.objects.get(id));
    let stored = object.map(|object| &object.fields);
    // A change has the values of its request. A repeated request, and a query, has the old ones.
    let is_change = numbers::changes(call.method().as_str(), template) && !is_repeated;
    let (first, last) = if is_change { (Some(&known.body), None) } else { (None, Some(&known.body)) };
    let given = [first, stored.filter(|_| is_repeated), Some(&known.fields), stored, last, Some(&known.others)];
    let given: Vec<&Map<String, Value>> = given.into_iter().flatten().collect();
    let mut named = Map::new();
    for fields in given.iter().rev() {
        named.extend(fields.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    let is_v2 = numbers::is_v2(template);
    let text = match object {
        Some(object) => format!("{} {:?}", object.path, object.numbers),
        None => {
            let is_numbered = known.body.keys().any(|name| numbers::is_merchants(name));
            let count = if is_numbered { 0 } else { state.objects.created_by(&known.path).count() };
            format!("{} {} {count}", known.path, Value::from(known.body.clone()))
        }
    };
    let change = numbers::verb(template).filter(|_| numbers::changes(call.method().as_str(), template));
    let change = change.or_else(|| object.map(|object| object.change.as_str())).unwrap_or_default();
    let creates = numbers::creates(call.method().as_str(), template);
    // A call that takes money responds with the number of the transaction.
    let takes_money = creates && call.response().iter().any(|field| field.name == "transaction_id");
    let is_paid = takes_money || named.contains_key("transaction_id");
    let created_at = object.map_or(now, |object| object.created_at);
    let seed = Seed { text: &text, path: &known.path, created_at, change, is_v2, is_paid };
    let sources = Sources { named: &named, seed, creates, total: known.total, encrypt };
    sources.object(call.response(), &given, "")
}

/// The object that a call is about, if it exists, and whether an earlier request with the same
/// numbers created it.
fn target(state: &State, call: &Call, known: &Known) -> (Option<u64>, bool) {
    let (method, template) = (call.method(), call.template().unwrap_or_default());
    let is_new = |name: &String| numbers::is_merchants(name) && !known.fields.contains_key(name);
    let adds = numbers::creates(method.as_str(), template)
        && (numbers::is_collection(template) || known.body.keys().any(is_new));
    match known.object.filter(|_| !adds) {
        Some(id) => (Some(id), false),
        None => {
            let id = repeated_id(state, known);
            (id, id.is_some())
        }
    }
}

/// The object that an earlier request with the same numbers created. Two refunds of one order have
/// one of their numbers in common.
fn repeated_id(state: &State, known: &Known) -> Option<u64> {
    let assigned = known.body.iter().filter(|(name, _)| numbers::is_merchants(name));
    let assigned: Vec<(&String, String)> =
        assigned.filter_map(|(name, value)| Some((name, numbers::text(value)?))).collect();
    assigned.iter().find_map(|(name, value)| {
        let id = state.objects.find(&known.product, name, value)?;
        let object = state.objects.get(id).filter(|object| object.path == known.path)?;
        assigned.iter().all(|(name, value)| object.numbers.get(*name) == Some(value)).then_some(id)
    })
}

/// Remembers what a call created or changed. `response` is in plain text.
pub(super) fn remember(state: &mut State, call: &Call, known: &Known, response: Map<String, Value>, now: i64) {
    let (method, template) = (call.method(), call.template().unwrap_or_default());
    if !numbers::changes(method.as_str(), template) {
        return;
    }
    if method == http::Method::DELETE {
        // A path that ends with a name removes a part of the object.
        if let Some(id) = known.object.filter(|_| template.ends_with('}') || numbers::is_v2(template)) {
            state.objects.remove(id);
        }
        return;
    }
    let (id, _) = target(state, call, known);
    let mut object = id.and_then(|id| state.objects.get(id)).cloned().unwrap_or_else(|| Object {
        product: known.product.clone(),
        path: known.path.clone(),
        created_at: now,
        ..Object::default()
    });
    if id.is_some() {
        object.change = numbers::verb(template).unwrap_or_default().to_owned();
    }
    for fields in [&known.others, &known.body, &response] {
        merge(&mut object.fields, fields);
    }
    let numbered = [&known.body, &response].into_iter().flatten().filter(|(name, _)| numbers::is_number(name));
    let mut new: BTreeMap<String, String> =
        numbered.filter_map(|(name, value)| Some((name.clone(), numbers::text(value)?))).collect();
    if id.is_none() && !numbers::is_collection(template) {
        // Nothing else names an object that was not created by a call.
        new.extend(known.variables.last().cloned());
    }
    object.numbers.extend(new);
    match id {
        Some(id) => state.objects.update(id, object),
        None => state.objects.add(object),
    }
}

/// Replaces the fields that are given, at each level.
fn merge(fields: &mut Map<String, Value>, new: &Map<String, Value>) {
    for (name, value) in new {
        match (fields.get_mut(name), value) {
            (Some(Value::Object(members)), Value::Object(new)) => merge(members, new),
            _ => drop(fields.insert(name.clone(), value.clone())),
        }
    }
}

/// Offers the files that a response has URLs of.
fn offer_downloads(state: &mut State, call: &Call, response: &mut Map<String, Value>, base_uri: &str) {
    if !call.response().iter().any(|field| field.name == "download_url" && field.encoding == Encoding::Plain) {
        return;
    }
    let file = format!("{} {}\n", call.title(), call.template().unwrap_or_default());
    let token = hash::sha256(format!("{file}{:?}", response.keys().collect::<Vec<_>>()));
    response.insert("download_url".to_owned(), format!("{base_uri}v3/billdownload/file?token={token}").into());
    if response.contains_key("hash_value") {
        response.insert("hash_value".to_owned(), hash::sha1(&file).into());
    }
    state.bills.insert(token, file.into());
}
