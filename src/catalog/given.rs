//! The fields of a request to check, read from the options as JSON or from a [`RequestSpec`].

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::proto::request::{Query, RequestBody, RequestSpec};
use crate::proto::template::Template;

/// The parts of a request that are compared with the documentation.
#[derive(Default)]
pub(crate) struct Given<'a> {
    /// The members of the options that are not places for fields: path variables, and options.
    pub(super) variables: Vec<(&'a str, &'a Value)>,
    pub(super) query: Map<String, Value>,
    pub(super) headers: Vec<(Cow<'a, str>, String)>,
    pub(super) body: Body<'a>,
    pub(super) encrypt: Encrypt<'a>,
    /// The client adds the header `Wechatpay-Serial`.
    pub(crate) adds_serial: bool,
    /// Variables that the path does not have were rejected before.
    pub(super) has_only_variables: bool,
}

#[derive(Default)]
pub(super) enum Body<'a> {
    #[default]
    None,
    Json(&'a Value),
    Xml(&'a Map<String, Value>),
    /// The parts of an upload; `None` for the contents of a file.
    Parts(Vec<(String, Option<Value>)>),
    /// A body whose fields are not known.
    Opaque,
}

/// The fields that the client encrypts.
#[derive(Clone, Copy, Default)]
pub(crate) enum Encrypt<'a> {
    #[default]
    Nothing,
    /// The fields of the JSON body at these paths.
    Paths(&'a [String]),
    /// All documented ones.
    Documented,
}

impl<'a> Given<'a> {
    /// Reads options as a verb takes them. Members of a wrong type are left to the verb.
    pub(super) fn from_options(options: &'a Value, paths: &'a mut Vec<String>) -> Given<'a> {
        let mut given = Given::default();
        for (key, value) in options.as_object().into_iter().flatten() {
            match (key.as_str(), value) {
                (_, Value::Null) => {}
                ("json", value) => given.body = Body::Json(value),
                ("xml", Value::Object(members)) => given.body = Body::Xml(members),
                ("multipart", Value::Array(parts)) => {
                    let name = |part: &Value| part["name"].as_str().unwrap_or_default().to_owned();
                    let is_file = |part: &Value| part.get("filename").is_some();
                    let contents = |part: &Value| part.get("contents").filter(|_| !is_file(part)).cloned();
                    given.body = Body::Parts(parts.iter().map(|part| (name(part), contents(part))).collect());
                }
                ("body" | "form_params" | "xml" | "multipart", _) => given.body = Body::Opaque,
                ("query", Value::Object(members)) => given.query = members.clone(),
                ("query", Value::String(text)) => given.query = parse_query(text),
                ("headers", Value::Object(members)) => {
                    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    given.headers =
                        members.iter().map(|(name, value)| (Cow::Borrowed(name.as_str()), text(value))).collect();
                }
                ("encrypt", Value::Bool(true)) => given.encrypt = Encrypt::Documented,
                ("encrypt", Value::Array(names)) => {
                    paths.extend(names.iter().filter_map(Value::as_str).map(str::to_owned))
                }
                _ => given.variables.push((key, value)),
            }
        }
        if !paths.is_empty() {
            given.encrypt = Encrypt::Paths(paths);
        }
        given.query.retain(|_, value| !is_omitted(value));
        given
    }

    /// Reads a request that is prepared by a client.
    pub(crate) fn from_spec(spec: &'a RequestSpec, encrypt: Encrypt<'a>) -> Given<'a> {
        let variables = spec.variables.iter().map(|(name, value)| (name.as_str(), value)).collect();
        let query = match &spec.query {
            None => Map::new(),
            Some(Query::Map(members)) => members.clone(),
            Some(Query::Text(text)) => parse_query(text),
        };
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = spec.headers.iter().map(|(name, value)| (Cow::Borrowed(name.as_str()), text(value))).collect();
        let body = match &spec.body {
            None => Body::None,
            Some(RequestBody::Json(value)) => Body::Json(value),
            Some(RequestBody::Xml(members)) => Body::Xml(members),
            Some(RequestBody::Multipart(upload)) => {
                let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(Value::from);
                let part = |part: &crate::proto::multipart::Part| {
                    (part.name.clone(), text(&part.contents).filter(|_| part.filename.is_none()))
                };
                Body::Parts(upload.parts.iter().map(part).collect())
            }
            Some(RequestBody::Media(media, _)) => match &media.meta {
                Some(meta) => {
                    Body::Parts(vec![("file".to_owned(), None), ("meta".to_owned(), Some(meta.to_string().into()))])
                }
                // The default meta, which some calls replace.
                None => Body::Opaque,
            },
            Some(RequestBody::Raw(_) | RequestBody::Form(_)) => Body::Opaque,
        };
        let query = query.into_iter().filter(|(_, value)| !is_omitted(value)).collect();
        Given { variables, query, headers, body, encrypt, adds_serial: false, has_only_variables: true }
    }

    /// The path with the values of its variables. The query of the path is used if the options have
    /// none.
    pub(super) fn expand(&mut self, path: &str) -> Option<String> {
        let template = Template::parse(path).ok()?;
        let value = |name: &str| self.variables.iter().find(|(given, _)| *given == name).map(|(_, value)| *value);
        let expanded = template.expand(value).ok()?;
        if let (true, Some((_, query))) = (self.query.is_empty(), expanded.split_once('?')) {
            self.set_query(query);
        }
        Some(expanded)
    }

    /// Replaces the query with an encoded one.
    pub(crate) fn set_query(&mut self, query: &str) {
        self.query = parse_query(query.split('#').next().unwrap_or(query));
    }

    pub(super) fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name))
    }
}

/// Whether a value of a query is not written.
fn is_omitted(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().all(is_omitted),
        Value::Object(members) => members.values().all(is_omitted),
        _ => false,
    }
}

/// The fields of an encoded query.
fn parse_query(text: &str) -> Map<String, Value> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pairs = text.trim_start_matches('?').split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value).into()))
        .collect()
}
