//! A recorded call: its format, the replacement of personal values, and the comparison with a
//! request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode, Uri};
use percent_encoding::percent_decode_str;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::documented_check::query_fields;
use crate::catalog::{Call, Catalog, Encoding, Field, Place};
use crate::proto::json_decode;

/// The text that replaces a value. In the request of a recorded call, it matches any value.
const MASK: &str = "***";

/// The paths of the lists of platform certificates, which clients download by themselves. They are
/// not recorded, because they contain the keys of one platform, encrypted with the APIv3 key.
const CERTIFICATES: [&str; 2] = ["/v3/certificates", "/v3/global/certificates"];

/// The maximum length of a value in a difference, in characters.
const MAX_SHOWN_CHARS: usize = 200;

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

/// A request without its headers, after the replacements.
#[derive(Serialize)]
pub(super) struct RecordedRequest {
    method: String,
    /// Path and query.
    path: String,
    /// JSON; `null` without a body.
    request: Value,
}

/// A call of a recording.
#[derive(Serialize)]
pub(super) struct RecordedCall {
    #[serde(flatten)]
    pub(super) request: RecordedRequest,
    status: u16,
    response: Value,
}

/// A call in the file. `RecordedCall` is not used for reading, because with `flatten` the errors
/// would not name the line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileCall {
    method: String,
    path: String,
    #[serde(default)]
    request: Value,
    #[serde(deserialize_with = "read_status")]
    status: u16,
    #[serde(default)]
    response: Value,
}

fn read_status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let status = u16::deserialize(deserializer)?;
    if (200..600).contains(&status) {
        Ok(status)
    } else {
        Err(D::Error::custom(format!("{status} is not the status of a response")))
    }
}

/// Reads the calls of a file.
///
/// # Errors
/// The text is not JSON in this format. The message names the line.
pub(super) fn read_calls(text: &str) -> Result<Vec<RecordedCall>, String> {
    let calls: Vec<FileCall> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let calls = calls.into_iter().map(|FileCall { method, path, request, status, response }| RecordedCall {
        request: RecordedRequest { method, path, request },
        status,
        response,
    });
    Ok(calls.collect())
}

impl RecordedRequest {
    /// Takes the parts of a request that are recorded.
    ///
    /// # Errors
    /// The body is not JSON.
    pub(super) fn new(method: &Method, uri: &Uri, body: &[u8]) -> Result<Self, String> {
        let call = find(method.as_str(), uri.path());
        let mut request = read_json(body).map_err(|reason| format!("the body of the request is not JSON: {reason}"))?;
        mask(&mut request, call.map_or(&[], |call| call.fields(Place::Json)));
        let mut path = masked_path(call, uri.path());
        if let Some(query) = uri.query() {
            path = format!("{path}?{}", masked_query(call, query));
        }
        Ok(RecordedRequest { method: method.to_string(), path, request })
    }

    /// The method, the path and the query.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The path, and the query without `?`.
    fn split(&self) -> (&str, &str) {
        self.path.split_once('?').unwrap_or((&self.path, ""))
    }

    /// Whether another request has this method and path. The query may differ.
    pub(super) fn has_path_of(&self, other: &RecordedRequest) -> bool {
        let (recorded, sent) = (self.split().0.split('/'), other.split().0.split('/'));
        self.method == other.method
            && recorded.clone().count() == sent.clone().count()
            && recorded.zip(sent).all(|(recorded, sent)| recorded == MASK || recorded == sent)
    }

    /// The difference between the query or the body of a request and the recorded one.
    pub(super) fn difference(&self, sent: &RecordedRequest) -> Option<String> {
        let query = |request: &RecordedRequest| Value::Object(query_fields(request.split().1));
        difference(&query(self), &query(sent), "query").or_else(|| difference(&self.request, &sent.request, "body"))
    }

    /// Adds the response.
    ///
    /// # Errors
    /// The body is not JSON.
    pub(super) fn with_response(self, status: StatusCode, body: &[u8]) -> Result<RecordedCall, String> {
        let mut response = read_json(body).map_err(|_| "the body of the response is not JSON".to_owned())?;
        let call = find(&self.method, self.split().0);
        mask(&mut response, call.filter(|_| status.is_success()).map_or(&[], Call::response));
        // The error for an invalid field repeats the value of the field.
        if let Some(value) = response.pointer_mut("/detail/value").filter(|_| !status.is_success()) {
            mask_all(value);
        }
        Ok(RecordedCall { request: self, status: status.as_u16(), response })
    }
}

impl RecordedCall {
    pub(super) fn response(&self) -> (StatusCode, &Value) {
        (StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK), &self.response)
    }
}

/// Whether this is the path of a list of platform certificates.
pub(super) fn is_certificate_list(path: &str) -> bool {
    CERTIFICATES.contains(&path)
}

/// The documentation of a call. The catalogue removes the path prefix of a region, such as `/hk/`,
/// only from a URL with a host, so the path gets a host.
fn find(method: &str, path: &str) -> Option<&'static Call> {
    Catalog::builtin().find(method, &format!("https://127.0.0.1{path}"))
}

/// The JSON in a body; `null` for an empty body.
fn read_json(body: &[u8]) -> Result<Value, String> {
    if body.is_empty() { Ok(Value::Null) } else { json_decode::from_slice(body) }
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

/// Replaces values at any depth. `fields` is the documentation of this value.
fn mask(value: &mut Value, fields: &[Field]) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, fields)),
        Value::Object(members) => mask_members(members, fields),
        Value::String(text) if is_ciphertext_or_signature(text) => MASK.clone_into(text),
        Value::String(text) if text.trim_start().starts_with(['{', '[']) => mask_json_text(text, fields),
        _ => {}
    }
}

fn mask_members(members: &mut Map<String, Value>, fields: &[Field]) {
    let is_form_field = members.get("name").and_then(Value::as_str).is_some_and(|name| name.starts_with(FORM_FIELD));
    for (name, member) in members {
        if is_masked(name, fields) || is_form_field && name == "value" {
            mask_all(member);
            continue;
        }
        mask(member, &[]);
        // The documentation can contain a field several times, in different forms.
        fields.iter().filter(|field| field.name == *name).for_each(|field| mask(member, &field.fields));
    }
}

/// Replaces values in a text that is JSON. A text without such values is not changed.
fn mask_json_text(text: &mut String, fields: &[Field]) {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return };
    let mut masked = value.clone();
    mask(&mut masked, fields);
    if masked != value {
        *text = masked.to_string();
    }
}

/// Replaces all texts, numbers and booleans.
fn mask_all(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(mask_all),
        Value::Object(members) => members.values_mut().for_each(mask_all),
        Value::Null => {}
        _ => *value = MASK.into(),
    }
}

/// Whether a text is base64 with the length of an RSA ciphertext or signature (2048, 3072 or 4096
/// bits). It is a signature, or a field that the caller encrypted, also in calls that are not
/// documented.
fn is_ciphertext_or_signature(text: &str) -> bool {
    matches!(text.len(), 344 | 512 | 684)
        && STANDARD.decode(text).is_ok_and(|bytes| matches!(bytes.len(), 256 | 384 | 512))
}

/// A path in which personal variables are replaced. The documentation has the names of the
/// variables.
fn masked_path(call: Option<&Call>, path: &str) -> String {
    let template = call.and_then(Call::template).unwrap_or_default();
    let variables = template.rsplit('/').map(Some).chain(std::iter::repeat(None));
    let is_masked = |variable: Option<&str>| {
        let name = variable.and_then(|variable| variable.strip_prefix('{')?.strip_suffix('}'));
        name.is_some_and(is_personal)
    };
    let segments = path.rsplit('/').zip(variables);
    let mut segments: Vec<&str> =
        segments.map(|(segment, variable)| if is_masked(variable) { MASK } else { segment }).collect();
    segments.reverse();
    segments.join("/")
}

fn masked_query(call: Option<&Call>, query: &str) -> String {
    let fields = call.map_or(&[][..], |call| call.fields(Place::Query));
    let pairs = query.split('&').map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) =
            (percent_decode_str(key).decode_utf8_lossy(), percent_decode_str(value).decode_utf8_lossy());
        if is_masked(&name, fields) || is_ciphertext_or_signature(&value) {
            format!("{key}={MASK}")
        } else {
            pair.to_owned()
        }
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// The first difference between a recorded value and the one that was sent.
fn difference(recorded: &Value, sent: &Value, at: &str) -> Option<String> {
    match (recorded, sent) {
        (Value::String(text), _) if text == MASK => None,
        (Value::Object(recorded), Value::Object(sent)) => {
            let missing_or_other = recorded.iter().find_map(|(name, value)| match sent.get(name) {
                Some(sent) => difference(value, sent, &format!("{at}.{name}")),
                None => Some(format!("{at}.{name} is missing")),
            });
            let added = || sent.keys().find(|name| !recorded.contains_key(*name));
            missing_or_other.or_else(|| added().map(|name| format!("{at}.{name} is not recorded")))
        }
        (Value::Array(recorded), Value::Array(sent)) if recorded.len() == sent.len() => recorded
            .iter()
            .zip(sent)
            .enumerate()
            .find_map(|(index, (recorded, sent))| difference(recorded, sent, &format!("{at}[{index}]"))),
        _ if recorded == sent => None,
        _ => Some(format!("{at} is {}, and {} is recorded", shown(sent), shown(recorded))),
    }
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

    fn request(method: &str, uri: &str, body: &Value) -> RecordedRequest {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        RecordedRequest::new(&method.parse().expect("method"), &uri.parse().expect("URI"), body.as_bytes())
            .expect("JSON")
    }

    #[test]
    fn personal_values_are_replaced_in_path_query_and_body() {
        let ciphertext = STANDARD.encode([7; 256]);
        let sent = request(
            "POST",
            "https://api.mch.weixin.qq.com/v3/marketing/favor/users/oUpF8uMuAJO_M2pxb1Q9zNjWeS6o/coupons?OpenId=o1&limit=2&a[openid]=o3",
            &json!({
                "undocumented": ciphertext, "list": [{ "payer": { "sub_openid": "o2", "n": 1 } }],
                "phone": { "number": 138, "area": null }, "text": "{\"openid\": \"o3\"}", "kept": "{ \"a\": 1 }",
            }),
        );
        let list =
            request("GET", "https://x/v3/x?openid[0]=o1&f[openid][0]=o2", &json!({ "attach": " {\"openid\":\"o3\"}" }));
        assert_eq!(list.path, "/v3/x?openid[0]=***&f[openid][0]=***");
        assert_eq!(list.request, json!({ "attach": "{\"openid\":\"***\"}" }));
        let form = json!({ "common_field_list": [{ "name": "USER_FORM_FLAG_MOBILE", "value": "138" }, { "name": "x", "value": "y" }] });
        let form = request("POST", "https://x/v3/x", &form);
        assert_eq!(form.request["common_field_list"][0]["value"], "***");
        assert_eq!(form.request["common_field_list"][1]["value"], "y");
        assert_eq!(sent.path, "/v3/marketing/favor/users/***/coupons?OpenId=***&limit=2&a[openid]=***");
        let masked = json!({
            "undocumented": "***", "list": [{ "payer": { "sub_openid": "***", "n": 1 } }],
            "phone": { "number": "***", "area": null }, "text": "{\"openid\":\"***\"}", "kept": "{ \"a\": 1 }",
        });
        assert_eq!(sent.request, masked);
    }

    /// The values at a path, in all elements of lists.
    fn values_at<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
        match value {
            Value::Array(items) => items.iter().flat_map(|item| values_at(item, path)).collect(),
            value if path.is_empty() => vec![value],
            value => {
                let (name, rest) = path.split_once('.').unwrap_or((path, ""));
                value.get(name).map_or_else(Vec::new, |member| values_at(member, rest))
            }
        }
    }

    #[test]
    fn documented_encrypted_fields_are_replaced() {
        let documented: Vec<&Call> = Catalog::builtin()
            .calls()
            .filter(|call| {
                !call.encrypted_request_fields(Place::Json).is_empty() && !call.fields(Place::Json).is_empty()
            })
            .collect();
        assert!(documented.len() > 20, "{}", documented.len());
        for call in documented {
            let mut body = call.example(true)["json"].clone();
            let before = call.encrypted_in_request(Place::Json, &body).expect("fields");
            assert!(!before.is_empty(), "{}", call.title());
            mask(&mut body, call.fields(Place::Json));
            for pointer in call.encrypted_in_request(Place::Json, &body).expect("fields") {
                let values = values_at(&body, &pointer);
                assert!(!values.is_empty(), "{} {pointer}", call.title());
                assert!(values.iter().all(|value| **value == "***"), "{} {pointer} {values:?}", call.title());
            }
        }
    }

    #[test]
    fn a_refusal_does_not_repeat_the_value() {
        let refused = request("GET", "https://x/v3/things", &Value::Null)
            .with_response(StatusCode::BAD_REQUEST, br#"{"code":"PARAM_ERROR","detail":{"field":"/a","value":"o1"}}"#)
            .expect("JSON");
        assert_eq!(refused.response, json!({ "code": "PARAM_ERROR", "detail": { "field": "/a", "value": "***" } }));
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
            assert_eq!(difference(&recorded, &sent, "body").as_deref(), expected);
        }
    }

    #[test]
    fn a_replaced_segment_equals_any() {
        let recorded = request("GET", "https://x/v3/shops/***/items?a=1&b=%31", &Value::Null);
        let sent = request("GET", "https://x/v3/shops/7/items?b=1&a=1", &Value::Null);
        assert!(recorded.has_path_of(&sent) && !sent.has_path_of(&recorded));
        assert_eq!(recorded.difference(&sent), None);
        assert!(!recorded.has_path_of(&request("GET", "https://x/v3/shops/7", &Value::Null)));
    }
}
