//! What a handler of APIv3 receives: a request whose signature is valid and whose path matched.

use std::cell::RefCell;

use http::header::CONTENT_TYPE;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::documented_check;
use super::merchant::MCHID;
use super::path_template::Variables;
use super::refusal::Refusal;
use super::request::InboundRequest;
use super::schema::{self, Field};
use super::upload::Upload;
use crate::catalog::Call;
use crate::proto::strict_json;

/// The documentation of a call, and what to do with differences from it.
pub(super) struct Documentation<'a> {
    pub(super) call: &'a Call,
    /// Whether differences only cause a warning.
    pub(super) lenient: bool,
    pub(super) findings: RefCell<Vec<String>>,
}

pub(super) struct RouteRequest<'a> {
    pub(super) inbound: &'a InboundRequest,
    pub(super) upload: Option<&'a Upload>,
    pub(super) variables: Variables<'a>,
    /// `None` for a call that is not documented.
    pub(super) documentation: Option<&'a Documentation<'a>>,
    /// Seconds since 1970.
    pub(super) now: i64,
}

impl RouteRequest<'_> {
    /// A variable of the path.
    pub(super) fn variable(&self, name: &str) -> &str {
        self.variables.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// A parameter of the query, decoded; `None` if it is missing or empty.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let pairs = self.inbound.http.uri().query().unwrap_or_default().split('&');
        let value = pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?.1;
        let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
        (!value.is_empty()).then_some(value)
    }

    /// A required parameter of the query.
    pub(super) fn required_query(&self, name: &str) -> Result<String, Refusal> {
        self.query(name).ok_or_else(|| Refusal::missing("query", name))
    }

    /// The merchant that a query concerns: the sub-merchant if it names one, or else the merchant.
    pub(super) fn query_owner(&self) -> String {
        self.query("sub_mchid").unwrap_or_else(|| MCHID.to_owned())
    }

    /// The JSON object in the body, whose fields match the schemas.
    pub(super) fn json(&self, schemas: &[&[Field]]) -> Result<Value, Refusal> {
        let content_type = self.inbound.header(CONTENT_TYPE).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return Err(Refusal::param("header", "Content-Type", "Http头Content-Type应为application/json"));
        }
        let malformed = |reason: String| Refusal::param("body", "", format!("请求body不是合法的JSON: {reason}"));
        strict_json::check(self.inbound.http.body()).map_err(malformed)?;
        let body: Value =
            serde_json::from_slice(self.inbound.http.body()).map_err(|error| malformed(error.to_string()))?;
        if !body.is_object() {
            return Err(Refusal::param("body", "", "请求body应为JSON对象"));
        }
        schemas.iter().try_for_each(|fields| schema::check(&body, fields))?;
        self.check(Some(&body))?;
        Ok(body)
    }

    /// Compares the request with its documentation.
    pub(super) fn check(&self, body: Option<&Value>) -> Result<(), Refusal> {
        let Some(documentation) = self.documentation else { return Ok(()) };
        let findings = documented_check::findings(documentation.call, self.inbound, body);
        match documented_check::refusal(&findings) {
            Some(refusal) if !documentation.lenient => Err(refusal),
            _ => {
                documentation.findings.borrow_mut().extend(findings.warnings());
                Ok(())
            }
        }
    }
}

/// A string field, empty if it is missing.
pub(super) fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The merchant that a request concerns: the sub-merchant if it names one, or else the merchant.
pub(super) fn owner(body: &Value) -> &str {
    match text(body, "sub_mchid") {
        "" => MCHID,
        sub_mchid => sub_mchid,
    }
}

/// Checks that a field names the merchant that signed the request.
pub(super) fn check_merchant(body: &Value, pointer: &str) -> Result<(), Refusal> {
    match body.pointer(pointer) {
        Some(mchid) if mchid == MCHID => Ok(()),
        _ => Err(Refusal::other_merchant("body", pointer)),
    }
}
