//! The checks of the catalogue, on the documented calls and on calls with mistakes.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use wechatpay_chain::catalog::{Call, Catalog, Encoding, Field, FieldType, Finding, FindingKind, Place};

use super::corpus::{rows, text};
use crate::support::each_hint_names_its_condition;

/// The options of a row of the corpus. An upload has its parts.
fn options(row: &Value) -> Value {
    let mut options = row.get("options").cloned().unwrap_or_else(|| json!({}));
    if let Some(parts) = row.pointer("/expect/multipart") {
        let members = options.as_object_mut().expect("members");
        members.remove("body");
        members.insert(
            "multipart".to_owned(),
            json!([
                { "name": "meta", "contents": parts["meta"] },
                { "name": "file", "contents": "", "filename": parts["filename"] },
            ]),
        );
    }
    options
}

fn all_rows() -> Option<Vec<Value>> {
    Some([rows("v2")?, rows("v3")?].concat())
}

/// Where the documented samples differ from the tables. A line has the call, the field, the kind of
/// the finding, and the reason.
const SLIPS: &str = include_str!("catalog_slips.txt");

#[test]
fn the_documented_calls_have_no_findings_except_slips() {
    let Some(rows) = all_rows() else { return };
    let (mut found, mut calls) = (BTreeSet::new(), BTreeSet::new());
    for row in &rows {
        let id = text(row, "/id").trim_start_matches("openapi/");
        let findings = Catalog::builtin().check(text(row, "/method"), text(row, "/template"), &options(row));
        for finding in findings {
            calls.insert(id);
            found.insert(format!("{id} {} {}", finding.path(), finding.kind().as_str()));
        }
    }
    let lines = SLIPS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let slips: BTreeSet<String> = lines.map(|line| line.split_once(": ").expect("a reason").0.to_owned()).collect();
    println!("{} calls, {} with {} findings", rows.len(), calls.len(), found.len());
    let new: Vec<_> = found.difference(&slips).collect();
    let gone: Vec<_> = slips.difference(&found).collect();
    assert!(new.is_empty() && gone.is_empty(), "new: {new:#?}\ngone: {gone:#?}");
}

/// Counts the mistakes that were made, and which of them were found.
#[derive(Default)]
struct Spoiled {
    made: [usize; 4],
    missed: Vec<String>,
}

/// Checks the options of a call with one mistake. `rebuild` makes the options from the changed
/// members.
struct Spoiler<'a> {
    call: &'a Call,
    rebuild: &'a dyn Fn(Map<String, Value>) -> Value,
    /// The path of the members, with its place.
    path: &'a str,
    is_text: bool,
}

impl Spoiler<'_> {
    fn expect(
        &self,
        spoiled: &mut Spoiled,
        number: usize,
        members: Map<String, Value>,
        kind: FindingKind,
        name: &str,
        meant: Option<&str>,
    ) {
        spoiled.made[number] += 1;
        let options = (self.rebuild)(members);
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        let fits = |finding: &Finding| {
            finding.kind() == kind
                && (finding.path() == path || finding.path() == format!("{path}[0]"))
                && (meant.is_none() || finding.suggestion() == meant)
        };
        let findings = self.call.check(&options);
        if !findings.iter().any(fits) {
            let template = self.call.template().unwrap_or_default();
            spoiled.missed.push(format!("{template} {path} {kind:?} {meant:?}: {findings:?}"));
        }
    }

    fn spoil(&self, fields: &[Field], members: &Map<String, Value>, spoiled: &mut Spoiled) {
        for field in fields {
            let Some(value) = members.get(&field.name) else { continue };
            let is_added = ["sign", "nonce_str"].contains(&field.name.as_str()) && self.is_text;
            let is_common = is_added || field.name == "sign_type" && self.is_text;
            let same = fields.iter().filter(|other| other.name == field.name).count();
            let changed = |value: Value| {
                let mut members = members.clone();
                members[&field.name] = value;
                members
            };
            // One of several numbers of an order is enough.
            let numbers = ["transaction_id", "out_trade_no", "out_refund_no", "refund_id"];
            let group = if members.contains_key("refund_id") { &numbers[..] } else { &numbers[..2] };
            let is_alternative = group.contains(&field.name.as_str())
                && group.iter().any(|other| *other != field.name && members.contains_key(*other));
            if field.required && !is_added && same == 1 && !is_alternative {
                let mut members = members.clone();
                members.remove(&field.name);
                self.expect(spoiled, 0, members, FindingKind::MissingField, &field.name, None);
            }
            // Where everything is text, only a structure has another type than a text.
            let other = match field.field_type {
                FieldType::String if self.is_text => json!({ "x": 1 }),
                FieldType::String => json!(1),
                _ => json!("text"),
            };
            let other = if field.list && !self.is_text { json!([other]) } else { other };
            if same == 1 {
                self.expect(spoiled, 1, changed(other), FindingKind::WrongType, &field.name, None);
            }
            if !is_common && same == 1 {
                let misspelled = misspelled(&field.name, fields);
                let renamed = members.iter().map(|(name, value)| {
                    (if *name == field.name { misspelled.clone() } else { name.clone() }, value.clone())
                });
                self.expect(spoiled, 2, renamed.collect(), FindingKind::UnknownField, &misspelled, Some(&field.name));
            }
            if !field.values.is_empty() && field.encoding != Encoding::Encrypted && same == 1 {
                let other = if field.field_type == FieldType::String { json!("NOT_LISTED") } else { json!(987_654) };
                let boolean = field.field_type == FieldType::Boolean;
                let other = if boolean { json!(field.values[0] != "true") } else { other };
                let other = if field.list { json!([other]) } else { other };
                self.expect(spoiled, 3, changed(other), FindingKind::ValueNotAllowed, &field.name, None);
            }
            // In alternatives of the same name, a mistake in one may fit another.
            if same == 1 {
                self.spoil_below(field, value, &changed, spoiled);
            }
        }
    }

    /// Spoils the fields of an object, of the first object in a list, or of the JSON in a text.
    fn spoil_below(
        &self,
        field: &Field,
        value: &Value,
        changed: &dyn Fn(Value) -> Map<String, Value>,
        spoiled: &mut Spoiled,
    ) {
        let wrap = |below: Value| if field.list { json!([below]) } else { below };
        let (below, index) = match value {
            Value::Array(items) => (&items[0], "[0]"),
            value => (value, ""),
        };
        let path = format!("{}.{}{index}", self.path, field.name);
        match below {
            Value::Object(inner) => {
                let rebuild = |inner: Map<String, Value>| (self.rebuild)(changed(wrap(inner.into())));
                let spoiler = Spoiler { call: self.call, rebuild: &rebuild, path: &path, is_text: self.is_text };
                spoiler.spoil(&field.fields, inner, spoiled);
            }
            Value::String(text) if !field.fields.is_empty() && field.encoding != Encoding::UrlEncoded => {
                let inner: Map<String, Value> = serde_json::from_str(text).expect("JSON");
                let rebuild =
                    |inner: Map<String, Value>| (self.rebuild)(changed(wrap(json!(inner).to_string().into())));
                let spoiler = Spoiler { call: self.call, rebuild: &rebuild, path: &path, is_text: false };
                spoiler.spoil(&field.fields, &inner, spoiled);
            }
            _ => {}
        }
    }
}

/// The name with one letter replaced, in its middle, so that it is not another documented name.
fn misspelled(name: &str, fields: &[Field]) -> String {
    let middle = name.len() / 2;
    let with = |letter: &str| format!("{}{letter}{}", &name[..middle], &name[middle + 1..]);
    let other = ["q", "x", "z"].map(with).into_iter();
    other.into_iter().find(|other| fields.iter().all(|field| field.name != *other)).expect("another name")
}

#[test]
fn every_mistake_in_every_call_is_found() {
    let mut spoiled = Spoiled::default();
    let mut calls = 0;
    for call in Catalog::builtin().calls().filter(|call| call.template().is_some()) {
        let options = call.example(true);
        assert_eq!(call.check(&options), [], "{call:?}");
        assert_eq!(call.check(&call.example(false)), [], "{call:?}");
        calls += 1;
        for place in [Place::Path, Place::Query, Place::Json, Place::Xml] {
            let fields = call.fields(place);
            let (path, is_text) = (place.as_str(), place != Place::Json);
            if place == Place::Path {
                let members = options.as_object().expect("members");
                let rebuild = |members: Map<String, Value>| Value::from(members);
                Spoiler { call, rebuild: &rebuild, path: "", is_text }.spoil(fields, members, &mut spoiled);
            } else if let Some(Value::Object(members)) = options.get(path) {
                let rebuild = |members: Map<String, Value>| {
                    let mut options = options.clone();
                    options[path] = members.into();
                    options
                };
                Spoiler { call, rebuild: &rebuild, path, is_text }.spoil(fields, members, &mut spoiled);
            }
        }
    }
    let [removed, changed, misspelled, replaced] = spoiled.made;
    println!(
        "{calls} calls: {removed} removed, {changed} with another type, {misspelled} misspelled, {replaced} other values"
    );
    println!("{} missed", spoiled.missed.len());
    assert!(spoiled.missed.is_empty(), "{:#?}", &spoiled.missed[..spoiled.missed.len().min(40)]);
}

#[test]
fn each_kind_of_finding_names_the_fix() {
    let first = |path: &str, options: Value| {
        let finding = Catalog::builtin().check("POST", path, &options).into_iter().next();
        finding.map_or_else(String::new, |finding| finding.to_string())
    };
    let refund = |change: Value| {
        let mut json = json!({
            "out_trade_no": "1", "out_refund_no": "1", "amount": { "refund": 1, "total": 1, "currency": "CNY" }
        });
        json.as_object_mut().expect("members").extend(change.as_object().expect("members").clone());
        first("v3/refund/domestic/refunds", json!({ "json": json }))
    };
    let close = |options: Value| first("v3/pay/transactions/out-trade-no/{out_trade_no}/close", options);
    let receiver = |name: &str, headers: Value| {
        let json =
            json!({ "appid": "a", "type": "PERSONAL_OPENID", "account": "a", "relation_type": "USER", "name": name });
        first("v3/profitsharing/receivers/add", json!({ "json": json, "headers": headers }))
    };
    let ciphertext = "A".repeat(342) + "==";
    each_hint_names_its_condition(&[
        ("", refund(json!({}))),
        (
            "the call is not documented: did you mean \"POST v3/refund/domestic/refunds\"?",
            first("v3/refund/domestic/refnds", json!({})),
        ),
        ("the field is not documented: did you mean \"reason\"?", refund(json!({ "reson": "a" }))),
        ("json.zzzzzz: the field is not documented", refund(json!({ "zzzzzz": "a" }))),
        ("a number where a string is needed", refund(json!({ "out_trade_no": 1 }))),
        ("the field belongs in json.amount.refund", refund(json!({ "refund": 1 }))),
        ("the variable of the path is missing", close(json!({ "json": { "mchid": "1900000109" } }))),
        ("json.mchid: the field is required and missing", close(json!({ "out_trade_no": "1" }))),
        (
            "json.type: the value is not one of those",
            first("v3/profitsharing/receivers/add", json!({ "json": { "type": "X" } })),
        ),
        (
            "this is not a ciphertext: the option \"encrypt\" encrypts it",
            receiver("张三", json!({ "Wechatpay-Serial": "A" })),
        ),
        ("the header names the key of the encrypted fields, and is missing", receiver(&ciphertext, json!({}))),
    ]);
    let nothing_near = Catalog::builtin().check("POST", "v3/nothing/of/this/name", &json!({}));
    assert_eq!(nothing_near.iter().map(Finding::to_string).collect::<Vec<_>>(), ["the call is not documented"]);
}
