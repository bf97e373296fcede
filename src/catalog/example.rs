//! Example options for a call, made from its fields.

use serde_json::{Map, Value, json};

use super::call::Call;
use super::field::{Encoding, Field, FieldType, Place};

/// The places where the option `encrypt` encrypts fields.
const ENCRYPTED: [Place; 2] = [Place::Json, Place::Query];

/// Options that a verb takes, with placeholders for the values. The body of an upload is a
/// `multipart`.
pub(super) fn options(call: &Call, all: bool) -> Value {
    let is_v2 = call.template().is_some_and(|template| template.starts_with("v2/"));
    let mut options = Map::new();
    if let Some(base_uri) = call.base_uri() {
        options.insert("base_uri".to_owned(), base_uri.into());
    }
    for option in call.options().iter().filter(|option| ["security", "nonceless"].contains(&option.as_str())) {
        options.insert(option.clone(), true.into());
    }
    for section in call.request() {
        let encrypts = !is_v2 && ENCRYPTED.contains(&section.place);
        let mut members = object(&section.fields, all, encrypts);
        match section.place {
            Place::Path => options.extend(members),
            Place::Body => {
                let parts = members.into_iter().map(|(name, value)| part(&name, value));
                options.insert("multipart".to_owned(), parts.collect());
            }
            Place::Headers => {
                // The client sets these.
                members.retain(|name, _| name != "Content-Type" && name != "Wechatpay-Serial");
                if !members.is_empty() {
                    options.insert("headers".to_owned(), members.into());
                }
            }
            place if !members.is_empty() || section.required => {
                options.insert(place.as_str().to_owned(), members.into());
            }
            _ => {}
        }
    }
    if !is_v2 && has_encrypted(call, &options) {
        options.insert("encrypt".to_owned(), true.into());
    }
    options.into()
}

/// Whether the options have a field that the option `encrypt` encrypts.
fn has_encrypted(call: &Call, options: &Map<String, Value>) -> bool {
    fn any(fields: &[Field], value: &Value) -> bool {
        fields.iter().any(|field| match (value, value.get(&field.name)) {
            (Value::Array(items), _) => items.iter().any(|item| any(fields, item)),
            (_, Some(_)) if field.encoding == Encoding::Encrypted => true,
            (_, Some(below)) => any(&field.fields, below),
            (_, None) => false,
        })
    }
    let is_v2 = call.template().is_some_and(|template| template.starts_with("v2/"));
    let places = [Place::Json, Place::Query];
    !is_v2
        && places.iter().any(|place| options.get(place.as_str()).is_some_and(|value| any(call.fields(*place), value)))
}

fn object(fields: &[Field], all: bool, encrypts: bool) -> Map<String, Value> {
    let mut members = Map::new();
    for field in fields.iter().filter(|field| all || field.required) {
        let name = field.name.replace("$n", "0").replace("$m", "0");
        members.entry(name).or_insert_with(|| value(field, all, encrypts));
    }
    members
}

fn value(field: &Field, all: bool, encrypts: bool) -> Value {
    let below = || Value::from(object(&field.fields, all, encrypts));
    let value = match field.values.first() {
        Some(listed) => match field.field_type {
            FieldType::String => listed.as_str().into(),
            _ => serde_json::from_str(listed).unwrap_or_else(|_| listed.as_str().into()),
        },
        None => match field.field_type {
            FieldType::Object => below(),
            FieldType::Integer | FieldType::Number => 1.into(),
            FieldType::Boolean => true.into(),
            FieldType::String if !field.fields.is_empty() => below().to_string().into(),
            FieldType::String if field.encoding == Encoding::Json => "{}".into(),
            // The client does not encrypt everywhere, and an empty text needs no encryption.
            FieldType::String if field.encoding == Encoding::Encrypted && !encrypts => "".into(),
            FieldType::String if field.name.ends_with("url") => "https://www.example.com/".into(),
            FieldType::String => field.name.as_str().into(),
        },
    };
    if field.list { json!([value]) } else { value }
}

fn part(name: &str, value: Value) -> Value {
    match value {
        Value::String(contents) => json!({ "name": name, "contents": contents }),
        _ => json!({ "name": name, "filename": "image.jpg", "contents": "..." }),
    }
}
