//! Documented notifications with plausible values, sent without a cause in the sandbox.

use serde_json::{Map, Value};

use super::delivery::Message;
use super::documented_response::Sources;
use super::events;
use super::plausible::Seed;
use crate::catalog::{Catalog, Encoding, Field, FieldType, Notification};
use crate::crypto::random;
use crate::error::Error;
use crate::proto::similar::similar;

/// Fields that each notification of APIv2 gets when it is sent.
const ADDED_V2: [&str; 4] = ["sign", "nonce_str", "event_nonce", "event_algorithm"];

/// How the fields begin that only the payments and refunds of partners have.
const PARTNER: [&str; 4] = ["sp_", "sub_", "payer.sp_", "payer.sub_"];

/// The notification of an event. `event` is an event type or the name of its page. `set` are values
/// by the paths of their fields, such as `amount.total`: in the resource, or in APIv2 in the
/// fields.
pub(super) fn message(catalog: &Catalog, event: &str, set: &Map<String, Value>, now: i64) -> Result<Message, Error> {
    let notification = catalog.notification(event).ok_or_else(|| unknown(catalog, event))?;
    let event_type = notification.event_types().iter().find(|known| *known == event);
    let event_type = event_type.or(notification.event_types().first()).map_or(event, String::as_str);
    let is_v2 = notification.name().starts_with("v2/");
    let text = random::nonce()?;
    // `REFUND.ABNORMAL` leads to the status `ABNORMAL`.
    let change = event_type.rsplit(['.', '-']).next().unwrap_or_default();
    let seed = Seed { text: &text, created_at: now, change, is_v2, path: "", is_paid: true };
    let named = named(set);
    let sources = Sources { named: &named, seed, creates: true, total: None, encrypt: &|text| Ok(text.into()) };
    // The documentation has one table for the payments and refunds of direct merchants, partners
    // and combined orders. The name of the page prints all of its fields.
    let is_partner = set.keys().any(|path| PARTNER.iter().any(|beginning| path.starts_with(beginning)));
    let ledger_form = (event == event_type && !is_v2)
        .then(|| events::without_cause(event_type, is_partner, number(&text), now))
        .flatten();
    if let Some(mut message) = ledger_form {
        for (path, value) in set {
            insert(&mut message.resource, notification.resource(), path, value)?;
        }
        return Ok(message);
    }
    let fields = if is_v2 { notification.body() } else { notification.resource() };
    let mut members = Map::new();
    for field in fields.iter().filter(|field| !is_v2 || !ADDED_V2.contains(&field.name.as_str())) {
        if matches!(field.encoding, Encoding::AesGcm | Encoding::AesEcb) {
            // It is encrypted when it is sent.
            members.insert(field.name.clone(), sources.object(&field.fields, &[], "")?.into());
        } else {
            members.extend(sources.object(std::slice::from_ref(field), &[], "")?);
        }
    }
    let mut resource = Value::from(members);
    for (path, value) in set {
        insert(&mut resource, fields, path, value)?;
    }
    if is_v2 {
        return Ok(Message::v2(event_type, super::documented_v2::as_text(resource)));
    }
    let original_type = notification.original_types().first().map_or("resource", String::as_str);
    Ok(Message::v3(event_type, original_type, resource))
}

/// A number from a random text.
fn number(text: &str) -> u32 {
    text.bytes().fold(0, |number: u32, byte| number.wrapping_mul(31).wrapping_add(byte.into()))
}

/// The names of a notification: its event types, or its name in the catalogue.
pub(crate) fn names(notification: &Notification) -> Vec<&str> {
    let types = notification.event_types();
    if notification.name().starts_with("v2/") || types.is_empty() {
        return vec![notification.name()];
    }
    types.iter().map(String::as_str).collect()
}

fn unknown(catalog: &Catalog, event: &str) -> Error {
    let known = || catalog.notifications().flat_map(names);
    match similar(&event.to_ascii_uppercase(), known()).or_else(|| similar(event, known())) {
        Some(meant) => Error::options(format!("the notification {event:?} is not documented: did you mean {meant:?}?")),
        None => Error::options(format!(
            "the notification {event:?} is not documented: wxpay sandbox trigger --list prints those that are"
        )),
    }
}

/// The values that are set at the first level, which other fields of the same name have, too.
fn named(set: &Map<String, Value>) -> Map<String, Value> {
    set.iter().filter(|(path, _)| !path.contains('.')).map(|(path, value)| (path.clone(), value.clone())).collect()
}

/// Sets a value at a path. A text is converted to the type of the field.
fn insert(resource: &mut Value, fields: &[Field], path: &str, value: &Value) -> Result<(), Error> {
    let undocumented = || Error::options(format!("the notification has no field {path:?} in its documentation"));
    let (mut part, mut fields, mut found) = (resource, fields, None);
    for name in path.split('.') {
        if let (Ok(index), Value::Array(_)) = (name.parse::<usize>(), &*part) {
            let Value::Array(items) = part else { return Err(undocumented()) };
            if index == items.len() {
                items.push(Value::Object(Map::new()));
            }
            part = items.get_mut(index).ok_or_else(undocumented)?;
            continue;
        }
        let field = fields.iter().find(|field| field.name.replace("$n", "0").replace("$m", "0") == name);
        let members = part.as_object_mut().ok_or_else(undocumented)?;
        // The tables lack fields that the ledger's payments have, such as `amount.total`.
        if field.is_none() && !members.contains_key(name) {
            return Err(undocumented());
        }
        part = members.entry(name).or_insert_with(|| match field {
            Some(field) if field.list => Value::Array(Vec::new()),
            field => field.map_or(Value::Null, empty),
        });
        fields = field.map_or(&[], |field| &field.fields);
        found = field;
    }
    let is_text = found.map_or(part.is_string(), |field| field.field_type == FieldType::String && !field.list);
    *part = match value {
        Value::String(text) if !is_text => serde_json::from_str(text).unwrap_or_else(|_| value.clone()),
        _ => value.clone(),
    };
    Ok(())
}

fn empty(field: &Field) -> Value {
    if field.field_type == FieldType::Object || !field.fields.is_empty() { Map::new().into() } else { Value::Null }
}
