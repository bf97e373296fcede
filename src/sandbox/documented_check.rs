//! Compares requests with the catalogue of documented calls, and refuses those that differ.
//!
//! The tables of the documentation are no proof of what the service does. A refusal that rests on
//! them alone names its source, and a lenient sandbox only warns.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::query_fields::query_fields;
use super::refusal::Refusal;
use super::request::InboundRequest;
use super::v2_fields::V2Refusal;
use crate::catalog::{Call, FieldType, Finding, FindingKind, Place};
use crate::proto::v2::Fields;
use crate::proto::verify::SERIAL;

/// What a refusal that rests on the tables adds.
pub(super) const SOURCE: &str = "the request differs from the tables of the public documentation; a lenient sandbox (wxpay sandbox --lenient) \
     accepts it with a warning";

/// Fields that replace each other, where the tables mark each of them as required. They list the
/// fields of several kinds of merchants, or of payments, as one.
const ALTERNATIVES: [&[&str]; 3] =
    [&["openid", "sp_openid", "sub_openid"], &["store_info", "h5_info"], &["mchid", "sub_mchid"]];

/// Fields that the tables mark as required, and the official pages as optional.
const OPTIONAL: [(&str, &str); 1] = [("v3/combine-transactions/h5", "json.scene_info.device_id")];

/// What differs between a request and its documentation.
pub(super) struct Findings {
    /// These refuse the request, unless the sandbox is lenient.
    pub(super) refused: Vec<Finding>,
    /// Fields that the documentation does not have, and that resemble none of it. The service
    /// ignores unknown fields as far as is known.
    pub(super) ignored: Vec<Finding>,
}

impl Findings {
    fn new(call: &Call, options: Map<String, Value>) -> Self {
        let options = Value::from(options);
        let mut findings = call.check(&options);
        let template = call.template().unwrap_or_default();
        findings
            .retain(|finding| !has_alternative(finding, &options) && !OPTIONAL.contains(&(template, finding.path())));
        let is_ignored =
            |finding: &Finding| finding.kind() == FindingKind::UnknownField && finding.suggestion().is_none();
        let (ignored, refused) = findings.into_iter().partition(is_ignored);
        Findings { refused, ignored }
    }

    /// All of them in words.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> + '_ {
        self.refused.iter().chain(&self.ignored).map(ToString::to_string)
    }
}

/// Whether a missing field is replaced by another one in the same object.
fn has_alternative(finding: &Finding, options: &Value) -> bool {
    if finding.kind() != FindingKind::MissingField {
        return false;
    }
    let pointer = format!("/{}", finding.path().replace("].", "/").replace(['.', '['], "/"));
    let Some((parent, name)) = pointer.rsplit_once('/') else { return false };
    let is_part = parent.contains("/sub_orders/");
    let mut group = ALTERNATIVES.iter().filter(|group| group.contains(&name) && (group[0] != "mchid" || is_part));
    group.any(|group| {
        group.iter().any(|other| {
            // A part can be JSON in a text.
            let text = options.pointer(parent).and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok());
            let part: Option<&Value> = text.as_ref().or_else(|| options.pointer(parent));
            part.and_then(|part| part.get(*other)).is_some()
        })
    })
}

/// The findings for a request of APIv3. `body` is its JSON, if it has some.
pub(super) fn findings(call: &Call, inbound: &InboundRequest, body: Option<&Value>) -> Findings {
    let mut options = places(call, inbound);
    if let Some(body) = body {
        options.insert("json".to_owned(), body.clone());
    }
    insert_parts(call, &mut options, inbound);
    Findings::new(call, options)
}

/// The findings for a request of APIv2 with these fields.
pub(super) fn findings_v2(call: &Call, inbound: &InboundRequest, fields: &Fields) -> Findings {
    let mut options = places(call, inbound);
    if inbound.http.method() != http::Method::GET && inbound.parts.is_none() {
        options.insert("xml".to_owned(), fields.clone().into());
    }
    insert_parts(call, &mut options, inbound);
    Findings::new(call, options)
}

/// The variables, the query and the documented headers of a request, as options.
fn places(call: &Call, inbound: &InboundRequest) -> Map<String, Value> {
    let mut options = Map::new();
    for (name, value) in variables(call, inbound.path()) {
        options.insert(name, value.into());
    }
    if let Some(query) = inbound.http.uri().query() {
        options.insert("query".to_owned(), query_fields(query).into());
    }
    let documented = call.fields(Place::Headers).iter().map(|field| field.name.as_str());
    let headers = documented.chain([SERIAL]).filter_map(|name| Some((name.to_owned(), inbound.header(name)?.into())));
    options.insert("headers".to_owned(), Value::Object(headers.collect()));
    options
}

fn insert_parts(call: &Call, options: &mut Map<String, Value>, inbound: &InboundRequest) {
    let Some(Ok(parts)) = &inbound.parts else { return };
    // Some tables give the part of the file another name than their own samples do.
    let documented = call.fields(Place::Body).iter().find(|field| field.field_type == FieldType::Object);
    let file = documented.map_or("file", |field| field.name.as_str());
    let part = |part: &super::request::Part| match part.is_file {
        true => json!({ "name": if part.name == "file" { file } else { &part.name }, "filename": "" }),
        false => json!({ "name": part.name, "contents": String::from_utf8_lossy(&part.contents) }),
    };
    options.insert("multipart".to_owned(), parts.iter().map(part).collect());
}

/// The variables of a path, percent-decoded. Paths of some regions have a prefix, and those of
/// APIv2 lack their version, so both are aligned at their ends.
pub(super) fn variables(call: &Call, path: &str) -> Vec<(String, String)> {
    let template = call.template().unwrap_or_default();
    let mut variables: Vec<_> = template
        .rsplit('/')
        .zip(path.rsplit('/'))
        .filter_map(|(pattern, segment)| {
            let name = pattern.strip_prefix('{')?.strip_suffix('}')?;
            Some((name.to_owned(), percent_decode_str(segment).decode_utf8_lossy().into_owned()))
        })
        .collect();
    variables.reverse();
    variables
}

/// The refusal of a request of APIv3 with findings: of the first one, and with all in its detail.
pub(super) fn refusal(findings: &Findings) -> Option<Refusal> {
    let first = findings.refused.first()?;
    let (location, field) = location(first.path());
    let mut refusal = match first.kind() {
        FindingKind::MissingField => Refusal::missing(location, &field),
        FindingKind::MissingSerial => Refusal::param(location, &field, "请求包含敏感信息，Http头缺少Wechatpay-Serial"),
        kind => Refusal::param(location, &field, format!("参数 {field} {}", reason(kind))),
    };
    refusal.detail["issue"] = first.message().into();
    let all: Value = findings.warnings().collect();
    refusal.detail["sandbox"] = json!({ "source": SOURCE, "findings": all });
    Some(refusal)
}

/// The refusal of a request of APIv2 with findings.
pub(super) fn refusal_v2(findings: &Findings) -> Option<V2Refusal> {
    let first = findings.refused.first()?;
    let name = first.path().split_once('.').map_or(first.path(), |(_, name)| name);
    Some(match first.kind() {
        FindingKind::MissingField => V2Refusal::missing(name),
        _ => V2Refusal::Return(format!("{name}参数格式有误: {first}; {SOURCE}")),
    })
}

fn reason(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::WrongType => "类型错误",
        FindingKind::ValueNotAllowed => "取值不在文档列出的范围内",
        FindingKind::WrongPlace => "位置错误",
        FindingKind::NotEncrypted => "未加密，敏感信息字段应为密文",
        _ => "不是文档中的字段",
    }
}

/// Where a field is, in the words of the service: the location, and a pointer in the body or a
/// name.
fn location(path: &str) -> (&'static str, String) {
    let (place, rest) = path.split_once('.').unwrap_or((path, ""));
    let pointer = || format!("/{}", rest.replace("].", "/").replace(['.', '['], "/").replace(']', ""));
    match place {
        "json" | "body" => ("body", if rest.is_empty() { String::new() } else { pointer() }),
        "query" => ("query", rest.to_owned()),
        "headers" => ("header", rest.to_owned()),
        _ => ("path", path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_located_in_the_words_of_the_service() {
        for (path, expected) in [
            ("json.amount.total", ("body", "/amount/total")),
            ("json.goods[0].id", ("body", "/goods/0/id")),
            ("json.goods[12]", ("body", "/goods/12")),
            ("json", ("body", "")),
            ("query.mchid", ("query", "mchid")),
            ("headers.Wechatpay-Serial", ("header", "Wechatpay-Serial")),
            ("transaction_id", ("path", "transaction_id")),
        ] {
            assert_eq!(location(path), (expected.0, expected.1.to_owned()), "{path}");
        }
    }
}
