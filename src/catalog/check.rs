//! Compares the options of a call with its documentation.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::{Map, Value};

use super::call::Call;
use super::field::{Encoding, Field, FieldType, Place};
use super::finding::{Finding, FindingKind};
use super::given::{Body, Encrypt, Given};
use super::path::{self, Segment};
use super::values::{Form, closest, has_type, is_ciphertext, is_json_text, is_named, nested, plain, shown};
use crate::proto::json_type::kind;
use crate::proto::similar::similar;

/// The header that names the key of the encrypted fields.
const SERIAL: &str = "Wechatpay-Serial";
/// Fields of APIv2 that each call may have; the client adds the first two.
const COMMON_V2: [&str; 3] = ["sign", "nonce_str", "sign_type"];
const ADDED_V2: [&str; 2] = ["sign", "nonce_str"];
/// Headers that the client sets.
const ADDED_HEADERS: [&str; 3] = ["content-type", "accept", "user-agent"];
/// The most unknown fields for which a similar name is searched.
const MAX_SUGGESTIONS: usize = 100;
/// The most values that a message lists.
const MAX_VALUES: usize = 20;

/// The findings for a call. `path` is the path as given, if it is not the documented template.
pub(super) fn check(call: &Call, path: Option<&str>, given: &Given<'_>) -> Vec<Finding> {
    let mut check =
        Check { call, given, findings: Vec::new(), is_v2: is_v2(call), has_encrypted: false, unknown_fields: 0 };
    check.path(path);
    check.query();
    check.headers();
    check.body();
    check.serial();
    // A field in another place is not missing.
    let misplaced = check.findings.iter().filter(|finding| finding.kind() == FindingKind::WrongPlace);
    let misplaced: HashSet<String> = misplaced.filter_map(Finding::suggestion).map(str::to_owned).collect();
    check.findings.retain(|finding| finding.kind() != FindingKind::MissingField || !misplaced.contains(finding.path()));
    check.findings
}

fn is_v2(call: &Call) -> bool {
    call.template().is_some_and(|template| template.starts_with("v2/"))
}

struct Check<'a> {
    call: &'a Call,
    given: &'a Given<'a>,
    findings: Vec<Finding>,
    is_v2: bool,
    /// Whether a field is given that is documented as encrypted.
    has_encrypted: bool,
    unknown_fields: usize,
}

/// The fields at one level, and where they are.
#[derive(Clone, Copy)]
struct Level<'a> {
    fields: &'a [Field],
    place: Place,
    path: &'a str,
    form: Form,
}

/// The other numbers that name the same order or refund. The pages of APIv2 mark each of them as
/// required, and state in their text that one is enough.
fn alternatives<'a>(name: &'a str, fields: &'a [Field]) -> impl Iterator<Item = &'static str> + 'a {
    const ORDER: &[&str] = &["transaction_id", "out_trade_no"];
    const REFUND: &[&str] = &["refund_id", "out_refund_no", "transaction_id", "out_trade_no"];
    // Only queries of refunds take the number of a refund that exists.
    let is_refund_query = fields.iter().any(|field| field.name == "refund_id");
    let group = if is_refund_query { REFUND } else { ORDER };
    let group = if group.contains(&name) { group } else { &[] };
    group.iter().copied().filter(move |other| *other != name)
}

impl<'a> Check<'a> {
    fn find(&mut self, kind: FindingKind, path: impl Into<String>, message: impl Into<String>) {
        self.findings.push(Finding::new(kind, path, message));
    }

    /// The variables of the path.
    fn path(&mut self, path: Option<&str>) {
        let fields = self.call.fields(Place::Path);
        let (documented, given) = (self.call.template().unwrap_or_default(), path.unwrap_or_default());
        let mut bound = Vec::new();
        let (documented, given_segments) = (path::segments(documented), path::segments(given));
        // A path without the version, as on the wire, is aligned at its end.
        let skipped = documented.len().saturating_sub(given_segments.len());
        for (index, segment) in documented.iter().enumerate() {
            let Segment::Variable(name) = segment else { continue };
            let Some(field) = fields.iter().find(|field| field.name == *name) else { continue };
            let given_segment = index.checked_sub(skipped).and_then(|index| given_segments.get(index));
            let (given_name, value) = match given_segment.filter(|_| path.is_some()) {
                Some(Segment::Text(text, _)) => (*name, Some(Cow::Owned(path::decoded(text).into()))),
                Some(Segment::Mixed) => continue,
                Some(Segment::Variable(given)) => (*given, self.variable(given).map(Cow::Borrowed)),
                None => (*name, self.variable(name).map(Cow::Borrowed)),
            };
            bound.push(given_name.to_owned());
            let level = Level { fields, place: Place::Path, path: "", form: Form::Text };
            match value {
                Some(value) => self.value(field, &value, given_name, level),
                None => self.find(FindingKind::MissingField, given_name, "the variable of the path is missing"),
            }
        }
        if self.given.has_only_variables {
            return;
        }
        let names: Vec<&str> = bound.iter().map(String::as_str).filter(|name| self.variable(name).is_none()).collect();
        let given = self.given;
        for (key, _) in &given.variables {
            if bound.iter().any(|name| name == key) {
                continue;
            }
            if let Some(place) = self.other_place(key, None) {
                self.wrong_place(shown(key).to_owned(), format!("{}.{key}", place.as_str()));
            } else if let Some(name) = closest(key, names.iter().copied()) {
                self.unknown(shown(key).to_owned(), Some(name));
            }
        }
    }

    fn variable(&self, name: &str) -> Option<&'a Value> {
        self.given.variables.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    fn query(&mut self) {
        let given = self.given;
        self.section(Place::Query, (!given.query.is_empty()).then_some(&given.query), Form::Text);
    }

    fn headers(&mut self) {
        for field in self.call.fields(Place::Headers) {
            let name = field.name.as_str();
            let path = format!("headers.{name}");
            let given = self.given.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
            let is_added = ADDED_HEADERS.contains(&name.to_ascii_lowercase().as_str()) || name == SERIAL;
            match given {
                Some((_, value)) => {
                    let level = Level { fields: &[], place: Place::Headers, path: "", form: Form::Text };
                    self.value(field, &Value::from(value.as_str()), &path, level);
                }
                None if field.required && !is_added => self.missing(path),
                None => {}
            }
        }
        let documented = self.call.fields(Place::Headers);
        let absent: Vec<&str> =
            documented.iter().map(|field| field.name.as_str()).filter(|name| !self.given.has_header(name)).collect();
        for (name, _) in &self.given.headers {
            let is_documented = documented.iter().any(|field| field.name.eq_ignore_ascii_case(name));
            // Other headers are not fields of the call.
            if let Some(meant) = closest(name, absent.iter().copied()).filter(|_| !is_documented) {
                self.findings.push(unknown(format!("headers.{}", shown(name)), Some(meant)));
            }
        }
    }

    fn body(&mut self) {
        let given = self.given;
        match &given.body {
            Body::Opaque => {}
            Body::None => {
                for place in [Place::Json, Place::Xml, Place::Body] {
                    self.section(place, None, Form::Json);
                }
            }
            Body::Json(Value::Object(members)) => self.section(Place::Json, Some(members), Form::Json),
            Body::Json(Value::Array(items)) if items.is_empty() => {
                self.section(Place::Json, Some(&Map::new()), Form::Json)
            }
            Body::Json(other) => {
                if let Some(section) = self.call.section(Place::Json) {
                    self.find(FindingKind::WrongType, "json", format!("{} where an object is needed", kind(other)));
                    for (index, item) in other.as_array().into_iter().flatten().enumerate() {
                        if let Value::Object(members) = item {
                            let level = Level {
                                fields: &section.fields,
                                place: Place::Json,
                                path: &format!("json[{index}]"),
                                form: Form::Json,
                            };
                            self.fields(members, level);
                        }
                    }
                }
            }
            Body::Xml(members) => self.section(Place::Xml, Some(members), Form::Text),
            Body::Parts(parts) => {
                let text = |value: &Option<Value>| value.clone().unwrap_or_else(|| Value::Object(Map::new()));
                let members = parts.iter().map(|(name, value)| (name.clone(), text(value))).collect();
                self.section(Place::Body, Some(&members), Form::Text);
            }
        }
    }

    /// The fields in one place. A place that is not required may be missing as a whole.
    fn section(&mut self, place: Place, given: Option<&Map<String, Value>>, form: Form) {
        let section = self.call.section(place);
        let empty = Map::new();
        let members = match (given, section) {
            (Some(members), _) => members,
            (None, Some(section)) if section.required => &empty,
            (None, _) => return,
        };
        let fields = section.map_or(&[][..], |section| &section.fields);
        self.fields(members, Level { fields, place, path: place.as_str(), form });
    }

    /// The fields of an object.
    fn fields(&mut self, members: &Map<String, Value>, level: Level<'_>) {
        for (name, value) in members {
            let path = format!("{}.{}", level.path, shown(name));
            let variants: Vec<&Field> = level.fields.iter().filter(|field| is_named(&field.name, name)).collect();
            match &variants[..] {
                [] => self.unknown_field(name, path, members, level),
                [field] => self.value(field, value, &path, level),
                // Alternatives with the same name: the one that fits best counts.
                several => {
                    let before = std::mem::take(&mut self.findings);
                    let each = several.iter().map(|field| {
                        self.value(field, value, &path, level);
                        std::mem::take(&mut self.findings)
                    });
                    let best = each.collect::<Vec<_>>().into_iter().min_by_key(Vec::len);
                    self.findings = before;
                    self.findings.extend(best.into_iter().flatten());
                }
            }
        }
        let mut seen = HashSet::new();
        for field in level.fields.iter().filter(|field| !field.name.contains('$')) {
            let name = field.name.as_str();
            let is_required = || level.fields.iter().filter(|other| other.name == name).all(|other| other.required);
            let is_added = self.is_v2 && ADDED_V2.contains(&name);
            let has_alternative = || alternatives(name, level.fields).any(|other| members.contains_key(other));
            if !members.contains_key(name) && !is_added && seen.insert(name) && is_required() && !has_alternative() {
                self.missing(format!("{}.{name}", level.path));
            }
        }
    }

    fn missing(&mut self, path: String) {
        self.find(FindingKind::MissingField, path, "the field is required and missing");
    }

    fn unknown_field(&mut self, name: &str, path: String, members: &Map<String, Value>, level: Level<'_>) {
        let is_top = level.path == level.place.as_str();
        if self.is_v2 && is_top && COMMON_V2.contains(&name) {
            return;
        }
        if let Some(place) = self.other_place(name, Some(level.place)).filter(|_| is_top) {
            return self.wrong_place(path, format!("{}.{name}", place.as_str()));
        }
        self.unknown_fields += 1;
        if self.unknown_fields > MAX_SUGGESTIONS {
            return self.unknown(path, None);
        }
        let absent = level.fields.iter().map(|field| field.name.as_str()).filter(|name| !members.contains_key(*name));
        if let Some(meant) = closest(name, absent) {
            return self.unknown(path, Some(meant));
        }
        match nested(self.call.fields(level.place), name, level.place.as_str()) {
            Some(documented) => self.wrong_place(path, documented),
            None => self.unknown(path, None),
        }
    }

    fn unknown(&mut self, path: String, meant: Option<&str>) {
        self.findings.push(unknown(path, meant));
    }

    fn wrong_place(&mut self, path: String, documented: String) {
        let message = format!("the field belongs in {documented}");
        self.findings.push(Finding::new(FindingKind::WrongPlace, path, message).suggesting(documented));
    }

    /// The place, other than the given one, that documents a field of this name and has not got it.
    fn other_place(&self, name: &str, except: Option<Place>) -> Option<Place> {
        // Not the path: the name of a variable is the caller's choice.
        let places = [Place::Query, Place::Json, Place::Xml];
        places.into_iter().filter(|place| Some(*place) != except).find(|place| {
            let is_given = match (place, &self.given.body) {
                (Place::Query, _) => self.given.query.contains_key(name),
                (Place::Json, Body::Json(json)) => json.get(name).is_some(),
                (Place::Xml, Body::Xml(members)) => members.contains_key(name),
                _ => false,
            };
            !is_given && self.call.fields(*place).iter().any(|field| field.name == name)
        })
    }

    /// The value of a documented field.
    fn value(&mut self, field: &Field, value: &Value, path: &str, level: Level<'_>) {
        match value {
            Value::Array(items) if field.list => {
                for (index, item) in items.iter().enumerate() {
                    self.item(field, item, &format!("{path}[{index}]"), level);
                }
            }
            // As text, a list with one element and the element are the same.
            value if !field.list || level.form == Form::Text => self.item(field, value, path, level),
            other => {
                self.wrong_type(path, other, "an array");
                if other.is_object() {
                    self.item(field, other, path, level);
                }
            }
        }
    }

    fn wrong_type(&mut self, path: &str, value: &Value, needed: &str) {
        self.find(FindingKind::WrongType, path, format!("{} where {needed} is needed", kind(value)));
    }

    /// The value of a field, or an element of a list.
    fn item(&mut self, field: &Field, value: &Value, path: &str, level: Level<'_>) {
        if field.field_type == FieldType::Object {
            return match value {
                Value::Object(_) if field.fields.is_empty() => {}
                Value::Object(members) => self.fields(members, Level { fields: &field.fields, path, ..level }),
                // In PHP, an empty array can be an empty object.
                Value::Array(items) if items.is_empty() => {}
                Value::Array(items) => {
                    self.wrong_type(path, value, "an object");
                    let containers = items.iter().enumerate().filter(|(_, item)| item.is_object() || item.is_array());
                    containers.for_each(|(index, item)| self.item(field, item, &format!("{path}[{index}]"), level));
                }
                other => self.wrong_type(path, other, "an object"),
            };
        }
        if !has_type(field.field_type, value, level.form) {
            let needed = match field.field_type {
                FieldType::Integer => "an integer",
                FieldType::Number => "a number",
                FieldType::Boolean => "a boolean",
                _ if is_json_text(field) => "JSON text",
                _ => "a string",
            };
            return self.wrong_type(path, value, needed);
        }
        match (field.encoding, value) {
            (Encoding::Encrypted, Value::String(text)) => self.encrypted(text, path, level.place),
            (Encoding::Plain | Encoding::Json, Value::String(text)) if is_json_text(field) => {
                self.json_text(field, text, path, level);
            }
            _ => self.listed(field, value, path),
        }
    }

    fn encrypted(&mut self, text: &str, path: &str, place: Place) {
        // An empty optional field stays empty.
        if text.is_empty() {
            return;
        }
        self.has_encrypted = true;
        let is_encrypted_later = match self.given.encrypt {
            Encrypt::Nothing => false,
            Encrypt::Documented => matches!(place, Place::Json | Place::Query),
            Encrypt::Paths(paths) => place == Place::Json && paths.iter().any(|named| plain(named) == plain(path)),
        };
        if !is_encrypted_later && !is_ciphertext(text) {
            let message =
                "the field is sent encrypted, and this is not a ciphertext: the option \"encrypt\" encrypts it";
            self.find(FindingKind::NotEncrypted, path, message);
        }
    }

    /// A text that contains JSON.
    fn json_text(&mut self, field: &Field, text: &str, path: &str, level: Level<'_>) {
        let level = Level { fields: &field.fields, path, form: Form::Json, ..level };
        match serde_json::from_str::<Value>(text) {
            Ok(_) if field.fields.is_empty() => {}
            Ok(Value::Object(members)) => self.fields(&members, level),
            Ok(Value::Array(items)) => {
                // The tables give a list in a text as one field that is a list of objects.
                let level = match &field.fields[..] {
                    [only] if only.list && only.field_type == FieldType::Object => {
                        Level { fields: &only.fields, ..level }
                    }
                    _ => level,
                };
                for (index, item) in items.iter().enumerate() {
                    if let Value::Object(members) = item {
                        self.fields(members, Level { path: &format!("{path}[{index}]"), ..level });
                    }
                }
            }
            // A text that only looks like one in the table.
            Ok(_) | Err(_) if field.encoding == Encoding::Plain => {}
            Ok(other) => self.wrong_type(path, &other, "an object"),
            Err(_) => self.find(FindingKind::WrongType, path, "the text is not JSON"),
        }
    }

    fn listed(&mut self, field: &Field, value: &Value, path: &str) {
        let text = match value {
            Value::String(text) => Cow::Borrowed(text.as_str()),
            other => Cow::Owned(other.to_string()),
        };
        if field.values.is_empty() || field.values.iter().any(|listed| *listed == text) {
            return;
        }
        let mut listed = field.values.iter().take(MAX_VALUES).map(String::as_str).collect::<Vec<_>>().join(", ");
        if field.values.len() > MAX_VALUES {
            listed.push_str(", ...");
        }
        let message = format!("the value is not one of those that the documentation lists: {listed}");
        let meant = similar(&text, field.values.iter().map(String::as_str)).map(str::to_owned);
        let finding = Finding::new(FindingKind::ValueNotAllowed, path, message);
        self.findings.push(match meant {
            Some(meant) => finding.suggesting(meant),
            None => finding,
        });
    }

    /// The header that names the key of the encrypted fields. The tables mark it as required also
    /// where no field of the request is encrypted.
    fn serial(&mut self) {
        let is_given = self.given.adds_serial || self.given.has_header(SERIAL);
        let encrypts = !matches!(self.given.encrypt, Encrypt::Nothing);
        if self.has_encrypted && !self.is_v2 && !encrypts && !is_given {
            let message = "the header names the key of the encrypted fields, and is missing";
            self.find(FindingKind::MissingSerial, format!("headers.{SERIAL}"), message);
        }
    }
}

fn unknown(path: String, meant: Option<&str>) -> Finding {
    match meant {
        Some(name) => {
            let message = format!("the field is not documented: did you mean {name:?}?");
            Finding::new(FindingKind::UnknownField, path, message).suggesting(name)
        }
        None => Finding::new(FindingKind::UnknownField, path, "the field is not documented"),
    }
}
