//! The two versions of the API, which differ in format and signature.

use http::header::{AUTHORIZATION, CONTENT_TYPE};

use super::request::InboundRequest;

/// A version of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ApiVersion {
    /// XML, signed within the body.
    V2,
    /// JSON, signed in the headers.
    V3,
}

impl ApiVersion {
    /// The version of a request. Paths of APIv3 name it in one of their first two segments. A
    /// request with an `Authorization` or with JSON is one of APIv3 whose path lacks it.
    pub(super) fn of_request(request: &InboundRequest) -> Self {
        let in_path = request.path().split('/').take(3).any(|segment| segment == "v3");
        let is_json = request.header(CONTENT_TYPE).is_some_and(|value| value.starts_with("application/json"));
        if in_path || is_json || request.http.headers().contains_key(AUTHORIZATION) {
            ApiVersion::V3
        } else {
            ApiVersion::V2
        }
    }
}
