//! Documented calls with one mistake each, which the sandbox must refuse.

use http::Method;
use serde_json::{Value, json};
use wechatpay_chain::catalog::{Catalog, Encoding, Field, FieldType, Place};
use wechatpay_chain::sandbox::Sandbox;
use wechatpay_chain::{Client, Error, Response};

use super::documented_calls::Sendable;

/// The results of the calls with one mistake each.
#[derive(Default)]
struct Spoiled {
    made: [usize; 3],
    accepted: Vec<String>,
    /// Only every `step`-th mistake is made.
    step: usize,
    count: usize,
}

impl Spoiled {
    /// Sends a call in which the value at a JSON pointer is replaced or removed.
    fn send(&mut self, client: &Client, sent: &Sendable<'_>, kind: usize, pointer: &str, value: Option<Value>) {
        self.count += 1;
        if self.count % self.step != 0 {
            return;
        }
        self.made[kind] += 1;
        let mut options = sent.options.clone();
        // The client must send this value unchanged.
        let (parent, name) = pointer.rsplit_once('/').expect("pointer");
        let parent = options.pointer_mut(parent).expect("parent");
        match value {
            Some(value) => parent[name] = value,
            None => drop(parent.as_object_mut().expect("members").remove(name)),
        }
        // A call that the client refuses does not count, because it is not sent.
        let name = ["removed", "another type", "another value"][kind];
        let before = client_errors(sent.send(client, &options));
        match before {
            Outcome::Accepted => {
                self.accepted.push(format!("{} {} {pointer} {name}", sent.call.method(), sent.template))
            }
            Outcome::Refused => {}
            Outcome::NotSent => self.made[kind] -= 1,
        }
    }

    fn fields(
        &mut self,
        client: &Client,
        sent: &Sendable<'_>,
        fields: &[Field],
        members: &Value,
        at: &str,
        is_text: bool,
    ) {
        for field in fields {
            let Some(value) = members.get(&field.name) else { continue };
            let same = fields.iter().filter(|other| other.name == field.name).count();
            let is_added = is_text && ["sign", "nonce_str", "sign_type"].contains(&field.name.as_str());
            if same > 1 || is_added {
                continue;
            }
            let pointer = format!("{at}/{}", field.name);
            if field.required {
                self.send(client, sent, 0, &pointer, None);
            }
            let wrap = |value: Value| if field.list { json!([value]) } else { value };
            // In XML and in a query, each value is a text.
            let other = match field.field_type {
                FieldType::String if is_text => None,
                FieldType::String => Some(json!(1)),
                FieldType::Object => Some(json!("text")),
                _ => Some(json!("text")),
            };
            let is_plain = field.encoding != Encoding::Encrypted;
            if let Some(other) = other.filter(|_| is_plain) {
                self.send(client, sent, 1, &pointer, Some(wrap(other)));
            }
            if !field.values.is_empty() && is_plain && field.field_type == FieldType::String {
                self.send(client, sent, 2, &pointer, Some(wrap(json!("NOT_LISTED"))));
            }
            let (below, index) = match value {
                Value::Array(items) => (items.first().unwrap_or(&Value::Null), "/0"),
                value => (value, ""),
            };
            if below.is_object() {
                self.fields(client, sent, &field.fields, below, &format!("{pointer}{index}"), is_text);
            }
        }
    }
}

enum Outcome {
    Accepted,
    Refused,
    /// The client refused the call.
    NotSent,
}

fn client_errors(outcome: Result<Response, Error>) -> Outcome {
    match outcome {
        Ok(_) => Outcome::Accepted,
        Err(error) if error.response().is_some() => Outcome::Refused,
        Err(_) => Outcome::NotSent,
    }
}

/// Sends each POST with one required field removed, one value of another type, or one value that is
/// not listed, and returns the calls that were accepted. Only every `step`-th mistake is made.
fn spoil(step: usize) -> Spoiled {
    let sandbox = Sandbox::builder().certificates().start().expect("sandbox");
    let client = sandbox.client().expect("client");
    let mut spoiled = Spoiled { step, ..Spoiled::default() };
    for call in Catalog::builtin().calls().filter(|call| call.method() == Method::POST) {
        let Some(sent) = Sendable::example(&sandbox, call, true) else { continue };
        for (place, is_text) in [(Place::Json, false), (Place::Query, true), (Place::Xml, true)] {
            if let Some(members) = sent.options.get(place.as_str()).cloned() {
                let at = format!("/{}", place.as_str());
                spoiled.fields(&client, &sent, call.fields(place), &members, &at, is_text);
            }
        }
    }
    let [removed, types, values] = spoiled.made;
    println!(
        "{removed} removed, {types} with another type, {values} with another value: {} accepted",
        spoiled.accepted.len()
    );
    println!("{}", spoiled.accepted.join("\n"));
    spoiled
}

#[test]
fn a_sample_of_spoilt_calls_is_refused() {
    let spoiled = spoil(40);
    let made: usize = spoiled.made.iter().sum();
    assert!(made > 200, "{made}");
    assert!(spoiled.accepted.len() * 50 <= made, "{:#?}", spoiled.accepted);
}

/// Makes all mistakes, which takes minutes.
#[test]
#[ignore = "takes minutes"]
fn spoilt_calls_are_refused() {
    let spoiled = spoil(1);
    let made: usize = spoiled.made.iter().sum();
    assert!(spoiled.accepted.len() * 50 <= made, "{} of {made}", spoiled.accepted.len());
}
