//! A recorded call: its format, and the comparison with a request. `mask.rs` replaces the personal
//! values, and `difference.rs` compares values.

use http::{Method, StatusCode, Uri};
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::difference::{Difference, Pair, difference};
use super::mask::{Bindings, Masks, decoded, is_mask};
use super::query_fields::query_fields;
use crate::catalog::{Call, Catalog, Place};
use crate::proto::json_decode;

/// The paths of the lists of platform certificates, which clients download by themselves. They are
/// not recorded, because they contain the keys of one platform, encrypted with the APIv3 key.
const CERTIFICATES: [&str; 2] = ["/v3/certificates", "/v3/global/certificates"];

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
        let request = read_json(body).map_err(|reason| format!("the body of the request is not JSON: {reason}"))?;
        let path = uri.query().map_or_else(|| uri.path().to_owned(), |query| format!("{}?{query}", uri.path()));
        Ok(RecordedRequest { method: method.to_string(), path, request })
    }

    /// This request with masks in place of personal values.
    pub(super) fn masked(&self, masks: &mut Masks) -> Self {
        let (path, query) = self.split();
        let call = find(&self.method, path);
        let mut request = self.request.clone();
        masks.json(&mut request, call.map_or(&[], |call| call.fields(Place::Json)));
        let mut masked = masks.path(call, path);
        if self.path.contains('?') {
            let query = masks.query(call.map_or(&[], |call| call.fields(Place::Query)), query);
            masked = format!("{masked}?{query}");
        }
        RecordedRequest { method: self.method.clone(), path: masked, request }
    }

    /// The method, the path and the query, with masks, of a request with any body.
    pub(super) fn masked_line(method: &Method, uri: &Uri) -> String {
        let path = uri.path_and_query().map_or("", |path| path.as_str()).to_owned();
        let request = RecordedRequest { method: method.to_string(), path, request: Value::Null };
        request.masked(&mut Masks::default()).line()
    }

    /// The method, the path and the query.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The path, and the query without `?`.
    fn split(&self) -> (&str, &str) {
        self.path.split_once('?').unwrap_or((&self.path, ""))
    }

    /// Whether another request has this method and path. The query and the values of masks may
    /// differ.
    pub(super) fn has_path_of(&self, other: &RecordedRequest) -> bool {
        let (recorded, sent) = (self.split().0.split('/'), other.split().0.split('/'));
        self.method == other.method
            && recorded.clone().count() == sent.clone().count()
            && recorded.zip(sent).all(|(recorded, sent)| is_mask(recorded) || recorded == sent)
    }

    /// Compares a request that has this path with the recorded one, and adds the values of numbered
    /// masks to `bindings`.
    ///
    /// # Errors
    /// The first difference. Its message contains no personal value.
    pub(super) fn compare(&self, sent: &RecordedRequest, bindings: &mut Bindings) -> Result<(), Difference> {
        for (recorded, sent) in self.split().0.split('/').zip(sent.split().0.split('/')) {
            if is_mask(recorded) && !bindings.accept(recorded, &decoded(sent)) {
                return Err(Difference::Mask(format!(
                    "the path has another value than the one that {recorded} replaces"
                )));
            }
        }
        let shown = [self, sent].map(|request| request.masked(&mut Masks::default()));
        let queries = [self, sent, &shown[0], &shown[1]].map(|request| Value::Object(query_fields(request.split().1)));
        let pair = |value, shown| Pair { value, shown };
        let query = difference(pair(&queries[0], &queries[2]), pair(&queries[1], &queries[3]), bindings, "query");
        let body = |bindings: &mut Bindings| {
            let (recorded, sent) = (&self.request, &sent.request);
            difference(pair(recorded, &shown[0].request), pair(sent, &shown[1].request), bindings, "body")
        };
        query.or_else(|| body(bindings)).map_or(Ok(()), Err)
    }

    /// Adds the response.
    ///
    /// # Errors
    /// The body is not JSON.
    pub(super) fn with_response(
        self,
        status: StatusCode,
        body: &[u8],
        masks: &mut Masks,
    ) -> Result<RecordedCall, String> {
        let mut response = read_json(body).map_err(|_| "the body of the response is not JSON".to_owned())?;
        let call = find(&self.method, self.split().0);
        masks.json(&mut response, call.filter(|_| status.is_success()).map_or(&[], Call::response));
        // The error for an invalid field repeats the value of the field, also in its texts.
        if !status.is_success() {
            if let Some(value) = response.pointer_mut("/detail/value") {
                masks.all(value);
            }
            let members = response.as_object_mut().into_iter().flatten();
            members.filter(|(name, _)| *name != "code").for_each(|(_, member)| masks.repeated(member));
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(method: &str, uri: &str, body: &Value) -> RecordedRequest {
        raw(method, uri, body).masked(&mut Masks::default())
    }

    fn raw(method: &str, uri: &str, body: &Value) -> RecordedRequest {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        RecordedRequest::new(&method.parse().expect("method"), &uri.parse().expect("URI"), body.as_bytes())
            .expect("JSON")
    }

    #[test]
    fn personal_values_are_replaced_in_path_query_and_body() {
        let ciphertext = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, [7; 256]);
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
            Masks::default().json(&mut body, call.fields(Place::Json));
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
            .with_response(
                StatusCode::BAD_REQUEST,
                br#"{"code":"PARAM_ERROR","detail":{"field":"/a","value":"o1"}}"#,
                &mut Masks::default(),
            )
            .expect("JSON");
        assert_eq!(refused.response, json!({ "code": "PARAM_ERROR", "detail": { "field": "/a", "value": "***" } }));
    }

    #[test]
    fn the_texts_of_a_refusal_do_not_repeat_a_replaced_value() {
        let mut masks = Masks::numbered();
        let body = json!({ "payer": { "openid": "oPersonal" }, "user_name": "张三", "phone": "3" });
        let request = raw("POST", "https://x/v3/x", &body).masked(&mut masks);
        let refused = br#"{"code":"PARAM_oPersonal","message":"oPersonal of \u5f20\u4e09 is not valid: 3",
            "detail":{"issue":"'oPersonal'"}}"#;
        let refused = request.with_response(StatusCode::BAD_REQUEST, refused, &mut masks).expect("JSON");
        let number = |pointer: &str| refused.request.request.pointer(pointer).expect("a mask").as_str().expect("text");
        let (user, name) = (number("/payer/openid"), number("/user_name"));
        assert_eq!(refused.response["message"], format!("{user} of {name} is not valid: 3"));
        assert_eq!(refused.response["detail"]["issue"], format!("'{user}'"));
        // Programs decide by the code, which is one of a documented list.
        assert_eq!(refused.response["code"], "PARAM_oPersonal");
    }

    #[test]
    fn the_line_of_a_request_contains_masks() {
        let uri = "https://x/v3/marketing/favor/users/oPersonal/coupons?openid=oPersonal".parse().expect("URI");
        let line = RecordedRequest::masked_line(&Method::GET, &uri);
        assert_eq!(line, "GET /v3/marketing/favor/users/***/coupons?openid=***");
    }

    #[test]
    fn a_replaced_segment_equals_any() {
        let recorded = raw("GET", "https://x/v3/shops/***/items?a=1&b=%31", &Value::Null);
        let sent = raw("GET", "https://x/v3/shops/7/items?b=1&a=1", &Value::Null);
        assert!(recorded.has_path_of(&sent) && !sent.has_path_of(&recorded));
        assert_eq!(recorded.compare(&sent, &mut Bindings::default()), Ok(()));
        assert!(!recorded.has_path_of(&raw("GET", "https://x/v3/shops/7", &Value::Null)));
        // Brackets in a query are fields at any depth.
        let recorded = raw("GET", "https://x/v3/x?a[b][c]=1&a[b][d]=2", &Value::Null);
        let sent = raw("GET", "https://x/v3/x?a[b][c]=1&a[b][d]=3", &Value::Null);
        let difference = recorded.compare(&sent, &mut Bindings::default());
        assert_eq!(difference, Err(Difference::Value("query.a.b.d is \"3\", and \"2\" is recorded".to_owned())));
    }

    #[test]
    fn equal_values_have_equal_masks_and_others_differ() {
        let mut masks = Masks::numbered();
        let users = "https://x/v3/marketing/favor/users";
        let [a, b] = ["oA", "oB"].map(|user| {
            let body = json!({ "payer": { "openid": user }, "phone": 138, "mobile": "138", "text": format!("{{\"openid\":\"{user}\"}}") });
            raw("POST", &format!("{users}/{user}/coupons?openid={user}"), &body).masked(&mut masks)
        });
        let number = |request: &RecordedRequest, pointer: &str| {
            request.request.pointer(pointer).expect(pointer).as_str().expect("a mask").to_owned()
        };
        assert_ne!(number(&a, "/payer/openid"), number(&b, "/payer/openid"));
        assert_eq!(number(&a, "/phone"), number(&b, "/mobile"), "a number is equal to its digits");
        assert!(number(&a, "/text").contains(&number(&a, "/payer/openid")));
        assert!(a.path.contains(&number(&a, "/payer/openid")) && b.path.contains(&number(&b, "/payer/openid")));
        // The same value is one mask in all calls, and another value is not.
        let sent = |user: &str| {
            raw(
                "POST",
                &format!("{users}/{user}/coupons?openid={user}"),
                &json!({
                    "payer": { "openid": user }, "phone": 139, "mobile": "139", "text": format!("{{ \"openid\": \"{user}\" }}"),
                }),
            )
        };
        let mut bindings = Bindings::default();
        assert_eq!(a.compare(&sent("oC"), &mut bindings), Ok(()));
        assert!(matches!(a.compare(&sent("oD"), &mut bindings.clone()), Err(Difference::Mask(_))));
        assert!(matches!(b.compare(&sent("oC"), &mut bindings.clone()), Err(Difference::Mask(_))));
        assert_eq!(b.compare(&sent("oD"), &mut bindings), Ok(()));
    }

    #[test]
    fn a_difference_of_personal_values_shows_none_of_them() {
        for (recorded, sent) in [
            (json!({ "openid": "oPersonal" }), json!({ "openid": "oOther" })),
            (json!({ "openid": { "a": "oPersonal" } }), json!({ "openid": "oOther" })),
            (json!({ "t": "{\"openid\":\"oPersonal\"}" }), json!({ "t": "{\"openid\":\"oOther\"}" })),
            (json!({ "a": { "openid": "oPersonal" } }), json!({ "a": ["oPersonal", { "openid": "oOther" }] })),
        ] {
            let (recorded, sent) = (raw("POST", "https://x/v3/x", &recorded), raw("POST", "https://x/v3/x", &sent));
            let Err(Difference::Value(reason)) = recorded.compare(&sent, &mut Bindings::default()) else {
                panic!("{:?}", sent.request);
            };
            assert!(!reason.contains("oOther") && !reason.contains("\"openid\":\"oPersonal"), "{reason}");
            assert_eq!(
                recorded.compare(&raw("POST", "https://x/v3/x", &recorded.request), &mut Bindings::default()),
                Ok(())
            );
        }
    }
}
