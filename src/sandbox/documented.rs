//! Responds to the documented calls that have no handler of their own, with what the catalogue
//! records of them.
//!
//! A call that creates something is remembered by its numbers. A query of an unknown number is
//! refused, if a documented call of the same product creates such numbers.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::documented_check::{query_fields, variables};
use super::documented_response::Sources;
use super::objects::Object;
use super::plausible::Seed;
use super::refusal::Refusal;
use super::response::{RouteResponse, Signature};
use super::route_request::RouteRequest;
use super::state::State;
use super::{numbers, sensitive_fields};
use crate::catalog::{Call, Encoding, FieldType, Place, ResponseKind};
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
    /// The fields of the body, in plain text.
    body: Map<String, Value>,
    /// The variables of the path and the fields of the query.
    others: Map<String, Value>,
    /// The object that the request names.
    object: Option<u64>,
    /// The fields of that object.
    fields: Map<String, Value>,
}

impl Known {
    pub(super) fn new(product: String, path: &str, body: Map<String, Value>, others: Map<String, Value>) -> Self {
        Known { product, path: path.to_owned(), body, others, object: None, fields: Map::new() }
    }

    /// Whether a call created the object that the request names.
    pub(super) fn is_created(&self) -> bool {
        self.object.is_some()
    }
}

/// Responds to a query that the ledger does not answer, if another call created its object.
pub(super) fn respond_if_created(
    state: &mut State,
    call: &Call,
    request: &RouteRequest<'_>,
) -> Option<Result<RouteResponse, Refusal>> {
    let known = known(state, call, request).ok()?;
    known.object?;
    Some(respond(state, call, request))
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
    let mut names: Vec<(String, String)> = variables;
    if inbound.http.method() == http::Method::GET && list_field(call).is_none() {
        names.extend(query.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))));
    }
    others.extend(query);
    let body = body.as_object().cloned().unwrap_or_default();
    let mut known = Known::new(numbers::product(call.template().unwrap_or_default()), inbound.path(), body, others);
    find(state, &mut known, &names).map_err(|(name, _)| {
        let mut refusal = Refusal::no_resource();
        let source =
            format!("the sandbox does not know this {name}, and the code of the service depends on the product");
        refusal.detail = json!({ "sandbox": source });
        refusal
    })?;
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
            known.fields.insert(list.to_owned(), created.into());
        }
    }
    Ok(known)
}

/// The list of objects in a response that is a list.
fn list_field(call: &Call) -> Option<&str> {
    let lists = call.response().iter().find(|field| field.list && field.field_type == FieldType::Object);
    // A response that has a number of its own is an object with a list in it.
    let is_object = call.response().iter().any(|field| numbers::is_number(&field.name) && field.required);
    lists.filter(|_| !is_object).map(|field| field.name.as_str())
}

/// Finds the object that is named by one of these fields. The last one is the most specific.
///
/// # Errors
/// A number that was not created. It is the name and the value.
pub(super) fn find(state: &State, known: &mut Known, names: &[(String, String)]) -> Result<(), (String, String)> {
    for (name, value) in names.iter().filter(|(name, _)| numbers::is_number(name)) {
        let id = state.objects.find(&known.product, name, value);
        // Two templates of the same shape differ in the name only.
        let id = id.or_else(|| state.objects.find(&known.product, numbers::other_name(&known.product, name)?, value));
        if let Some(id) = id {
            known.object = Some(id);
            known.fields = state.objects.get(id).map(|object| object.fields.clone()).unwrap_or_default();
        } else if let Some(fields) = numbers::in_ledger(&state.ledger, name, value) {
            known.fields = fields;
        } else if state.creatable().contains(&known.product, name) {
            return Err((name.clone(), value.clone()));
        }
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
    let object = known.object.and_then(|id| state.objects.get(id)).or_else(|| repeated(state, known));
    let mut named = known.others.clone();
    for fields in [Some(&known.body), Some(&known.fields), object.map(|object| &object.fields)].into_iter().flatten() {
        named.extend(fields.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    let template = call.template().unwrap_or_default();
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
    let seed = Seed { text: &text, created_at: object.map_or(now, |object| object.created_at), change, is_v2 };
    let creates = numbers::creates(call.method().as_str(), template);
    let sources = Sources { named: &named, seed, creates, encrypt };
    let stored = object.map(|object| &object.fields);
    let given: Vec<&Map<String, Value>> =
        [Some(&known.fields), stored, Some(&known.body), Some(&known.others)].into_iter().flatten().collect();
    sources.object(call.response(), &given, "")
}

/// The object that an earlier request with the same number created.
fn repeated<'a>(state: &'a State, known: &Known) -> Option<&'a Object> {
    repeated_id(state, known).and_then(|id| state.objects.get(id))
}

fn repeated_id(state: &State, known: &Known) -> Option<u64> {
    known.body.iter().filter(|(name, _)| numbers::is_merchants(name)).find_map(|(name, value)| {
        let id = state.objects.find(&known.product, name, &numbers::text(value)?)?;
        state.objects.get(id).filter(|object| object.path == known.path).map(|_| id)
    })
}

/// Remembers what a call created or changed. `response` is in plain text.
pub(super) fn remember(state: &mut State, call: &Call, known: &Known, response: Map<String, Value>, now: i64) {
    let (method, template) = (call.method(), call.template().unwrap_or_default());
    if !numbers::changes(method.as_str(), template) {
        return;
    }
    if method == http::Method::DELETE {
        if let Some(id) = known.object {
            state.objects.remove(id);
        }
        return;
    }
    let is_new = |name: &String| numbers::is_merchants(name) && !known.fields.contains_key(name);
    let adds = numbers::is_collection(template) || known.body.keys().any(is_new);
    let id = known.object.filter(|_| !adds).or_else(|| repeated_id(state, known));
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
        object.fields.extend(fields.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    let numbered = [&known.body, &response].into_iter().flatten().filter(|(name, _)| numbers::is_number(name));
    let new: BTreeMap<String, String> =
        numbered.filter_map(|(name, value)| Some((name.clone(), numbers::text(value)?))).collect();
    object.numbers.extend(new);
    match id {
        Some(id) => state.objects.update(id, object),
        None => state.objects.add(object),
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
