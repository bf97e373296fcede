//! Checks of calls with the catalogue, and the fields that `"encrypt": true` stands for.

use std::sync::Arc;

use http::Method;
use serde_json::Value;
use tracing::warn;

use crate::catalog::finding::Finding;
use crate::catalog::given::{Encrypt, Given};
use crate::catalog::{Call, Catalog, Check, FindingKind, Place};
use crate::error::Error;
use crate::options::Options;
use crate::pipeline::attributes::{CallPath, Target};
use crate::proto::request::{Query, RequestBody, RequestSpec};
use crate::proto::template::{Template, has_query};
use crate::proto::v2;

/// The settings of the checks.
#[derive(Default)]
pub(crate) struct Checks {
    pub(super) check: Check,
    /// `None` for the built-in one.
    pub(super) catalog: Option<Arc<Catalog>>,
}

/// Calls whose fields are encrypted with another padding than that of the option `encrypt`. Source:
/// WeChat Pay, "身份信息校验" of the customs declaration.
const OTHER_PADDING: [&str; 2] = ["v3/customs/verify-certificate", "v3/global/customs/verify-certificate"];

impl Checks {
    pub(super) fn catalog(&self) -> &Catalog {
        self.catalog.as_deref().unwrap_or_else(|| Catalog::builtin())
    }

    /// Checks a call, and replaces `"encrypt": true` with the paths of the fields. `adds_serial`:
    /// the client sends the header `Wechatpay-Serial`.
    pub(super) fn apply(
        &self,
        adds_serial: bool,
        method: &Method,
        path: CallPath<'_>,
        template: &Template,
        options: Options,
    ) -> Result<Options, Error> {
        let mut options = options.checked()?;
        let encrypt = match options.catalog.encrypt_documented {
            true => Encrypt::Documented,
            false if options.encrypt.is_empty() => Encrypt::Nothing,
            false => Encrypt::Paths(&options.encrypt),
        };
        let mut given = Given::from_spec(&options.spec, encrypt);
        given.adds_serial = adds_serial;
        let (call, findings) = self.catalog().check_given(method.as_str(), template.source(), given);
        match options.catalog.check.unwrap_or(self.check) {
            Check::Deny if !findings.is_empty() => {
                return Err(Error::options(format!("the call differs from its documentation: {}", list(&findings))));
            }
            Check::Deny | Check::Off => {}
            Check::Warn => {
                let label = path.label(|| self.documented(method, path.text));
                for finding in &findings {
                    warn!(
                        http.request.method = %method,
                        url.template = %Target(label),
                        finding.kind = finding.kind().as_str(),
                        "{finding}"
                    );
                }
            }
        }
        if options.catalog.encrypt_documented {
            encrypt_documented(call, has_query(template.source()), &mut options)?;
            refuse_unknown_fields(findings)?;
        }
        Ok(options)
    }

    /// The documented template of a path that was built at run time. The method of the call may be
    /// another one than the documented one.
    pub(super) fn documented(&self, method: &Method, path: &str) -> Option<&str> {
        let others = ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter();
        std::iter::once(method.as_str()).chain(others).find_map(|method| self.catalog().find(method, path)?.template())
    }

    /// Adds the findings for a call that the service rejected.
    /// `query`: that of the request, if it was part of the path.
    pub(super) fn explain(&self, adds_serial: bool, error: Error, spec: &RequestSpec, query: Option<&str>) -> Error {
        let Some((method, path)) = error.call().and_then(|call| call.split_once(' ')) else { return error };
        let mut given = Given::from_spec(spec, Encrypt::Nothing);
        given.adds_serial = adds_serial;
        if let Some(query) = query {
            given.set_query(query);
        }
        let (_, mut findings) = self.catalog().check_given(method, path, given);
        findings.retain(|finding| finding.kind() != FindingKind::UndocumentedCall);
        if findings.is_empty() {
            return error;
        }
        error.with_findings(format!("the call differs from its documentation: {}", list(&findings)))
    }
}

/// The most findings that a message lists.
const MAX_LISTED: usize = 50;

/// The findings in one line.
fn list(findings: &[Finding]) -> String {
    let mut texts: Vec<String> = findings.iter().take(MAX_LISTED).map(Finding::to_string).collect();
    if findings.len() > MAX_LISTED {
        texts.push(format!("{} more findings", findings.len() - MAX_LISTED));
    }
    texts.join("; ")
}

/// Fails for fields that the catalogue does not have where they are. Such a field may be a
/// sensitive one with a misspelled name, or at another level, and would be sent as plain text.
fn refuse_unknown_fields(mut findings: Vec<Finding>) -> Result<(), Error> {
    findings.retain(|finding| matches!(finding.kind(), FindingKind::UnknownField | FindingKind::WrongPlace));
    if findings.is_empty() {
        return Ok(());
    }
    Err(Error::options(format!(
        "the option \"encrypt\" is true, and fields that are not documented would be sent as plain text: name the fields to \
         encrypt, {{\"encrypt\": [\"...\"]}}, or correct these: {}",
        list(&findings)
    )))
}

/// Adds the paths of the documented fields that are present. Fails where one of them could remain
/// plain text, because it is somewhere else than in the JSON body or in the option `query`.
fn encrypt_documented(call: Option<&Call>, path_has_query: bool, options: &mut Options) -> Result<(), Error> {
    let fields = "name the fields, {\"encrypt\": [\"...\"]}";
    let Some(call) = call else {
        return Err(Error::options(format!(
            "the option \"encrypt\" is true, and the catalogue does not have the call: {fields}"
        )));
    };
    let template = call.template().unwrap_or_default();
    if template.starts_with("v2/") {
        return Err(v2::encrypt_belongs_to_v3());
    }
    if OTHER_PADDING.contains(&template) {
        return Err(Error::options(
            "the option \"encrypt\" is true, and this call needs another padding: encrypt its fields with PublicKey::encrypt_pkcs1v15",
        ));
    }
    let in_query = !call.encrypted_request_fields(Place::Query).is_empty();
    if !in_query && call.encrypted_request_fields(Place::Json).is_empty() {
        return Err(Error::options(format!(
            "the option \"encrypt\" is true, and the documentation of the call has no encrypted fields: {fields}, or omit the option"
        )));
    }
    let not_an_object = |path: String| {
        Error::options(format!(
            "the option \"encrypt\" is true, and {path} is not an object: fields in it would be sent as plain text"
        ))
    };
    match &options.spec.body {
        None => {}
        Some(RequestBody::Json(json)) => {
            options.encrypt.extend(call.encrypted_in_request(Place::Json, json).map_err(not_an_object)?);
        }
        Some(_) => {
            return Err(Error::options(
                "the option \"encrypt\" is true, and the body is not \"json\": fields in it would be sent as plain text",
            ));
        }
    }
    match &options.spec.query {
        Some(Query::Map(members)) => {
            let query = Value::Object(members.clone());
            options.catalog.encrypt_query = call.encrypted_in_request(Place::Query, &query).map_err(not_an_object)?;
        }
        Some(Query::Text(_)) if in_query => {
            return Err(Error::options(
                "the option \"encrypt\" is true, and \"query\" is a string: give it as an object",
            ));
        }
        None if in_query && path_has_query => {
            return Err(Error::options(
                "the option \"encrypt\" is true, and the query is part of the path: give it as the option \"query\"",
            ));
        }
        _ => {}
    }
    Ok(())
}
