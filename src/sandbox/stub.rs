//! Stubs: responses that a user of the sandbox defines for endpoints.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api_version::ApiVersion;
use super::path_template;

/// A function of a test that returns the status and the body of a response.
pub(super) type Respond = Arc<dyn Fn(&Request<Bytes>) -> (u16, Value) + Send + Sync>;

/// The response of a stub.
#[derive(Clone)]
pub(super) enum StubResponse {
    /// In APIv2 an object of fields, or a string that is sent as it is.
    Json(StatusCode, Value),
    /// A generated file of this length.
    File(u64),
    /// A function that is called for each request and returns the same as `Json`.
    Function(Respond),
}

/// A response that a user of the sandbox defined for an endpoint.
pub(super) struct Stub {
    version: ApiVersion,
    method: String,
    template: String,
    pub(super) response: StubResponse,
}

impl Stub {
    pub(super) fn json(method: &str, template: &str, status: u16, response: Value) -> Self {
        let (version, template) = parse_template(template);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
        Stub { version, method: method.to_ascii_uppercase(), template, response: StubResponse::Json(status, response) }
    }

    pub(super) fn file(template: &str, length: u64) -> Self {
        let (version, template) = parse_template(template);
        // Files of APIv2 are requested by POST.
        let method = if version == ApiVersion::V2 { "POST" } else { "GET" };
        Stub { version, method: method.to_owned(), template, response: StubResponse::File(length) }
    }

    /// The stub for the page: its method, its template and its response.
    pub(super) fn row(&self) -> Value {
        let (status, response) = match &self.response {
            StubResponse::Json(status, response) => (status.as_u16(), response.to_string()),
            StubResponse::File(length) => (200, format!("{length} B")),
            StubResponse::Function(_) => (200, "fn".to_owned()),
        };
        json!({ "method": self.method, "template": self.full_template(), "status": status, "response": response })
    }

    /// The template with `v2/` in front if the stub is for APIv2.
    fn full_template(&self) -> String {
        match self.version {
            ApiVersion::V2 => format!("v2/{}", self.template),
            ApiVersion::V3 => self.template.clone(),
        }
    }

    /// Whether the stub was defined with this method and template.
    pub(super) fn is_of(&self, method: &str, template: &str) -> bool {
        let (version, template) = parse_template(template);
        self.version == version && self.template == template && self.method.eq_ignore_ascii_case(method)
    }

    pub(super) fn function(method: &str, template: &str, respond: Respond) -> Self {
        let (version, template) = parse_template(template);
        Stub { version, method: method.to_ascii_uppercase(), template, response: StubResponse::Function(respond) }
    }

    fn matches(&self, version: ApiVersion, method: &Method, path: &str) -> bool {
        self.version == version
            && method == self.method.as_str()
            && path_template::matches(&self.template, path).is_some()
    }
}

/// The API version and the normalized path of a template, which is written as in a chain.
pub(super) fn parse_template(template: &str) -> (ApiVersion, String) {
    let template = template.trim_start_matches('/');
    let template = crate::proto::case::normalize(template).map_or_else(|_| template.to_owned(), Cow::into_owned);
    match template.strip_prefix("v2/") {
        Some(path) => (ApiVersion::V2, path.to_owned()),
        None => (ApiVersion::V3, template),
    }
}

/// The response of the newest stub that matches a request. The function of a stub is not called
/// here.
pub(super) fn find(stubs: &[Stub], version: ApiVersion, method: &Method, path: &str) -> Option<StubResponse> {
    stubs.iter().rev().find(|stub| stub.matches(version, method, path)).map(|stub| stub.response.clone())
}

thread_local! {
    /// Whether this thread is calling the function of a stub, under the lock of the state.
    static IS_RESPONDING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is calling the function of a stub.
pub(super) fn is_responding() -> bool {
    IS_RESPONDING.get()
}

/// Calls the function of a stub. If it panics, the test fails when the sandbox is dropped.
pub(super) fn call(respond: &Respond, request: &Request<Bytes>) -> (StatusCode, Value) {
    struct Responding;
    impl Drop for Responding {
        fn drop(&mut self) {
            IS_RESPONDING.set(false);
        }
    }
    IS_RESPONDING.set(true);
    let _responding = Responding;
    let (status, body) = respond(request);
    (StatusCode::from_u16(status).unwrap_or(StatusCode::OK), body)
}

/// A line of a stub file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    method: String,
    template: String,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    response: Value,
}

fn ok() -> u16 {
    200
}

/// Reads a stub file: a JSON array, or one object per line.
///
/// # Errors
/// The JSON is malformed, or a status is not an HTTP status.
pub(super) fn parse_file(text: &str) -> Result<Vec<Stub>, String> {
    let lines: Vec<Line> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(|error| error.to_string())?
    } else {
        serde_json::Deserializer::from_str(text)
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?
    };
    lines
        .into_iter()
        .map(|line| {
            if !(100..600).contains(&line.status) {
                return Err(format!("{} is not an HTTP status, in the stub of {}", line.status, line.template));
            }
            Ok(Stub::json(&line.method, &line.template, line.status, line.response))
        })
        .collect()
}
