//! Masks of personal values and credentials in a recording.
//!
//! A value is replaced by `***` and a number: equal values of a recording have the same number, and
//! different values have different numbers, so that the calls of two users stay different. A
//! ciphertext or a signature is `***` alone, because it differs each time.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::query_fields;
use crate::catalog::{Call, Encoding, Field};

/// The mask without a number. In the request of a recorded call, it matches any value.
pub(super) const MASK: &str = "***";

/// Names of personal values and of credentials.
const PERSONAL_NAMES: [&str; 16] = [
    "account",
    "receiver_account",
    "recv_account",
    "user_received_account",
    "user_name",
    "real_name",
    "nickname",
    "head_image_url",
    "user_qq",
    "usr_addr",
    "shipping_addr",
    "driver_license",
    "plate_number",
    "activate_ticket",
    "value_list",
    "download_url",
];
/// Names of form fields of member cards. The value beside such a name is personal.
const FORM_FIELD: &str = "USER_FORM_FLAG_";
const PERSONAL_SUFFIXES: [&str; 5] = ["openid", "unionid", "token", "sign", "signature"];
const PERSONAL_PARTS: [&str; 12] = [
    "phone",
    "mobile",
    "email",
    "id_card",
    "identity",
    "bank_account",
    "card_number",
    "auth_code",
    "client_ip",
    "device_ip",
    "password",
    "secret",
];

/// The numbers of the masks of a recording, or none, for messages.
#[derive(Default)]
pub(super) struct Masks {
    numbers: Option<BTreeMap<String, usize>>,
}

/// The values that the numbered masks of a replayed recording stand for, as far as requests have
/// shown them.
#[derive(Clone, Default)]
pub(super) struct Bindings(BTreeMap<String, String>);

impl Bindings {
    /// Whether a value can be the one that a mask replaces. The first value of a numbered mask is
    /// kept: it matches no other mask, and the mask matches no other value.
    pub(super) fn accept(&mut self, mask: &str, value: &str) -> bool {
        // A response that was replayed contains masks, which a program sends again.
        if mask == MASK || mask == value {
            return true;
        }
        match self.0.get(mask) {
            Some(bound) => bound == value,
            None if self.0.values().any(|bound| bound == value) => false,
            None => {
                self.0.insert(mask.to_owned(), value.to_owned());
                true
            }
        }
    }
}

/// Whether a text is a mask, with or without a number.
pub(super) fn is_mask(text: &str) -> bool {
    text.strip_prefix(MASK).is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The text by which a value is numbered: 138 and `"138"` are equal.
pub(super) fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn is_personal(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // In a query, `a[b]` is a field of an object, and `a[0]` an item of a list.
    name.split(['[', ']']).any(|name| {
        PERSONAL_NAMES.contains(&name)
            || PERSONAL_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
            || PERSONAL_PARTS.iter().any(|part| name.contains(part))
    })
}

/// Whether the value of a field is replaced, because of its name, or because it is documented as
/// encrypted or signed.
fn is_masked(name: &str, fields: &[Field]) -> bool {
    let is_plain = |field: &Field| matches!(field.encoding, Encoding::Plain | Encoding::Json);
    is_personal(name) || fields.iter().any(|field| field.name == name && !is_plain(field))
}

impl Masks {
    /// Masks with numbers.
    pub(super) fn numbered() -> Self {
        Masks { numbers: Some(BTreeMap::new()) }
    }

    /// The mask of a value.
    fn text(&mut self, value: &str) -> String {
        let Some(numbers) = self.numbers.as_mut().filter(|_| !is_ciphertext_or_signature(value)) else {
            return MASK.to_owned();
        };
        let next = numbers.len() + 1;
        format!("{MASK}{}", numbers.entry(value.to_owned()).or_insert(next))
    }

    /// Replaces values at any depth. `fields` is the documentation of this value.
    pub(super) fn json(&mut self, value: &mut Value, fields: &[Field]) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.json(item, fields)),
            Value::Object(members) => self.members(members, fields),
            Value::String(text) if is_ciphertext_or_signature(text) => MASK.clone_into(text),
            Value::String(text) if text.trim_start().starts_with(['{', '[']) => self.json_text(text, fields),
            _ => {}
        }
    }

    fn members(&mut self, members: &mut Map<String, Value>, fields: &[Field]) {
        let is_form_field =
            members.get("name").and_then(Value::as_str).is_some_and(|name| name.starts_with(FORM_FIELD));
        for (name, member) in members {
            if is_masked(name, fields) || is_form_field && name == "value" {
                self.all(member);
                continue;
            }
            self.json(member, &[]);
            // The documentation can contain a field several times, in different forms.
            fields.iter().filter(|field| field.name == *name).for_each(|field| self.json(member, &field.fields));
        }
    }

    /// Replaces values in a text that is JSON. A text without such values is not changed.
    fn json_text(&mut self, text: &mut String, fields: &[Field]) {
        let Ok(value) = serde_json::from_str::<Value>(text) else { return };
        let mut masked = value.clone();
        self.json(&mut masked, fields);
        if masked != value {
            *text = masked.to_string();
        }
    }

    /// Replaces all texts, numbers and booleans.
    pub(super) fn all(&mut self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.all(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.all(member)),
            Value::Null => {}
            // A member can be masked twice, if its documentation contains several forms.
            Value::String(text) if is_mask(text) => {}
            _ => *value = self.text(&plain_text(value)).into(),
        }
    }

    /// Replaces values that were replaced before inside the texts of a refusal, whose message can
    /// repeat them. The values of one character stay, because they occur in most texts.
    pub(super) fn repeated(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.repeated(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.repeated(member)),
            Value::String(text) if !is_mask(text) => {
                let numbers = self.numbers.iter().flatten();
                let mut found: Vec<_> =
                    numbers.filter(|(value, _)| value.chars().nth(1).is_some() && text.contains(*value)).collect();
                // A value can be a part of another one.
                found.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
                for (value, number) in found {
                    *text = text.replace(value, &format!("{MASK}{number}"));
                }
            }
            _ => {}
        }
    }

    /// A path in which personal variables are replaced. The documentation has the names of the
    /// variables.
    pub(super) fn path(&mut self, call: Option<&Call>, path: &str) -> String {
        let template = call.and_then(Call::template).unwrap_or_default();
        let variables = template.rsplit('/').map(Some).chain(std::iter::repeat(None));
        let is_masked = |variable: Option<&str>| {
            let name = variable.and_then(|variable| variable.strip_prefix('{')?.strip_suffix('}'));
            name.is_some_and(is_personal)
        };
        let mut segments: Vec<String> = Vec::new();
        for (segment, variable) in path.rsplit('/').zip(variables) {
            segments.push(if is_masked(variable) { self.text(&decoded(segment)) } else { segment.to_owned() });
        }
        segments.reverse();
        segments.join("/")
    }

    pub(super) fn query(&mut self, fields: &[Field], query: &str) -> String {
        let mut pairs = Vec::new();
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            // A `+` in base64 that the sender did not encode is not a blank.
            let ciphertext = Some(decoded(value)).filter(|value| is_ciphertext_or_signature(value));
            let is_masked = ciphertext.is_some() || is_masked(&query_fields::decoded(key), fields);
            let value = ciphertext.unwrap_or_else(|| query_fields::decoded(value));
            pairs.push(if is_masked { format!("{key}={}", self.text(&value)) } else { pair.to_owned() });
        }
        pairs.join("&")
    }
}

/// A text without percent-encoding.
pub(super) fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Whether a text is base64 with the length of an RSA ciphertext or signature (2048, 3072 or 4096
/// bits). It is a signature, or a field that the caller encrypted, also in calls that are not
/// documented.
fn is_ciphertext_or_signature(text: &str) -> bool {
    matches!(text.len(), 344 | 512 | 684)
        && STANDARD.decode(text).is_ok_and(|bytes| matches!(bytes.len(), 256 | 384 | 512))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A value has one number, however a query encodes it.
    #[test]
    fn a_value_in_a_query_has_the_number_of_its_text() {
        let mut masks = Masks::numbered();
        let mut body = json!({ "user_name": "a b" });
        masks.json(&mut body, &[]);
        assert_eq!(body["user_name"], "***1");
        assert_eq!(masks.query(&[], "user_name=a+b&x=a+b"), "user_name=***1&x=a+b");
        assert_eq!(masks.query(&[], "user_name=a%20b"), "user_name=***1");
        assert_eq!(masks.query(&[], "user_name=a%2Bb"), "user_name=***2");
        let ciphertext = STANDARD.encode([0xfb; 256]);
        assert!(ciphertext.contains('+'), "{ciphertext}");
        assert_eq!(masks.query(&[], &format!("x={ciphertext}")), "x=***");
    }
}
