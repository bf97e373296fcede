//! Compares values of a request with recorded ones, in which masks replace personal values.

use serde_json::Value;

use super::mask::{Bindings, MASK, is_mask, plain_text};

/// The maximum length of a value in a difference, in characters.
const MAX_SHOWN_CHARS: usize = 200;

/// A difference between a request and a recorded one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// Only the value of a numbered mask: the call is that of another user.
    Mask(String),
    Value(String),
}

/// A value, and the same with masks, for messages.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) value: &'a Value,
    pub(super) shown: &'a Value,
}

impl<'a> Pair<'a> {
    fn member(self, name: &str) -> Option<Pair<'a>> {
        Some(Pair { value: self.value.get(name)?, shown: self.shown.get(name).unwrap_or(&Value::Null) })
    }

    fn item(self, index: usize) -> Option<Pair<'a>> {
        Some(Pair { value: self.value.get(index)?, shown: self.shown.get(index).unwrap_or(&Value::Null) })
    }
}

/// The first difference between a recorded value and the one that was sent.
pub(super) fn difference(recorded: Pair<'_>, sent: Pair<'_>, bindings: &mut Bindings, at: &str) -> Option<Difference> {
    match (recorded.value, sent.value) {
        (Value::String(text), _) if text == MASK => None,
        // A numbered mask stands for one value. `null`, an object and an array are not replaced.
        (Value::String(text), value @ (Value::String(_) | Value::Number(_) | Value::Bool(_))) if is_mask(text) => {
            let accepted = bindings.accept(text, &plain_text(value));
            (!accepted).then(|| Difference::Mask(format!("{at} is not the value that {text} replaces")))
        }
        (Value::Object(members), Value::Object(sent_members)) => {
            let other = members.keys().find_map(|name| match (recorded.member(name), sent.member(name)) {
                (Some(recorded), Some(sent)) => difference(recorded, sent, bindings, &format!("{at}.{name}")),
                _ => Some(Difference::Value(format!("{at}.{name} is missing"))),
            });
            let added = || sent_members.keys().find(|name| !members.contains_key(*name));
            other.or_else(|| added().map(|name| Difference::Value(format!("{at}.{name} is not recorded"))))
        }
        (Value::Array(items), Value::Array(sent_items)) if items.len() == sent_items.len() => (0..items.len())
            .find_map(|index| {
                difference(recorded.item(index)?, sent.item(index)?, bindings, &format!("{at}[{index}]"))
            }),
        (recorded, sent) if recorded == sent => None,
        (Value::String(text), Value::String(sent_text)) => match (json_in(text), json_in(sent_text)) {
            // A text that is JSON: the recorded one was written anew when values in it were masked.
            (Some(recorded_json), Some(sent_json)) => {
                let shown =
                    [recorded.shown, sent.shown].map(|text| text.as_str().and_then(json_in).unwrap_or_default());
                let recorded = Pair { value: &recorded_json, shown: &shown[0] };
                difference(recorded, Pair { value: &sent_json, shown: &shown[1] }, bindings, at)
            }
            _ => Some(other_value(recorded.shown, sent.shown, at)),
        },
        _ => Some(other_value(recorded.shown, sent.shown, at)),
    }
}

/// The JSON object or array in a text.
fn json_in(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().filter(|value: &Value| value.is_object() || value.is_array())
}

fn other_value(recorded: &Value, sent: &Value, at: &str) -> Difference {
    Difference::Value(if recorded == sent {
        format!("{at} is another value than the recorded one")
    } else {
        format!("{at} is {}, and {} is recorded", shown(sent), shown(recorded))
    })
}

/// The beginning of a value.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_numbered_mask_is_one_text_number_or_boolean() {
        for (mask, sent, expected) in [
            ("***1", json!("a"), true),
            ("***1", json!(1), true),
            ("***1", json!(null), false),
            ("***1", json!({ "a": 1 }), false),
            ("***1", json!(["a"]), false),
            ("***", json!(null), true),
            ("***", json!(["a"]), true),
        ] {
            let [recorded, sent] = [json!({ "openid": mask }), json!({ "openid": sent })];
            let pair = |value| Pair { value, shown: value };
            let found = difference(pair(&recorded), pair(&sent), &mut Bindings::default(), "body");
            assert_eq!(found.is_none(), expected, "{recorded} {sent}");
        }
    }

    #[test]
    fn differences_name_the_field_and_both_values() {
        let recorded = json!({ "a": { "b": [1, "***"] }, "c": "x" });
        for (sent, expected) in [
            (json!({ "a": { "b": [1, 9] }, "c": "x" }), None),
            (json!({ "a": { "b": [2, 9] }, "c": "x" }), Some("body.a.b[0] is 2, and 1 is recorded")),
            (json!({ "a": { "b": [1] }, "c": "x" }), Some("body.a.b is [1], and [1,\"***\"] is recorded")),
            (json!({ "a": { "b": [1, 9] } }), Some("body.c is missing")),
            (json!({ "a": { "b": [1, 9] }, "c": "x", "d": 1 }), Some("body.d is not recorded")),
            (Value::Null, Some("body is null, and {\"a\":{\"b\":[1,\"***\"]},\"c\":\"x\"} is recorded")),
        ] {
            let found = difference(
                Pair { value: &recorded, shown: &recorded },
                Pair { value: &sent, shown: &sent },
                &mut Bindings::default(),
                "body",
            );
            assert_eq!(found, expected.map(|reason| Difference::Value(reason.to_owned())));
        }
    }
}
