//! Builds one `http::Request<Bytes>` from a path template and a [`RequestSpec`]. The bytes built
//! here are the bytes that are signed and sent.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, Request};
use serde_json::{Map, Value};

use super::base_uri::BaseUri;
use super::excerpt::excerpt;
use super::media::MediaFile;
use super::multipart::{Multipart, Part};
use super::similar::similar;
use super::template::{Modifier, Operator, TRAILING_SLASH, Template, Variable, may_contain_userinfo};
use super::v2::{FieldLocation, UnsignedFields};
use super::{query, xml};
use crate::error::Error;

/// What a request is made of. How it is sent (timeouts, proxies, sinks) is not part of it.
#[derive(Clone, Default)]
pub(crate) struct RequestSpec {
    /// Values of the path's variables, by name.
    pub(crate) variables: Map<String, Value>,
    pub(crate) body: Option<RequestBody>,
    pub(crate) query: Option<Query>,
    /// The caller's headers. They replace the client's own.
    pub(crate) headers: HeaderMap,
    /// APIv2: whether `nonce_str` is left out.
    pub(crate) nonceless: Option<bool>,
}

/// A request body that is not serialised yet.
#[derive(Clone)]
pub(crate) enum RequestBody {
    Json(Value),
    Raw(Bytes),
    Form(Map<String, Value>),
    Multipart(Multipart),
    /// A file and the boundary of its parts. APIv2 and APIv3 lay the parts out differently.
    Media(MediaFile, String),
    /// The fields of an APIv2 call.
    Xml(Map<String, Value>),
}

/// A query that replaces the query of the path.
#[derive(Clone)]
pub(crate) enum Query {
    Map(Map<String, Value>),
    Text(String),
}

/// A request without its signature, and what its signature covers.
pub(crate) struct UnsignedRequest {
    pub(crate) request: Request<Bytes>,
    pub(crate) signing: SigningInput,
}

/// What the signature of a request covers.
#[derive(Clone)]
pub(crate) enum SigningInput {
    /// APIv3: the body.
    Body,
    /// APIv3: the `meta` part of an upload, in place of the body.
    Meta(Bytes),
    /// APIv2: fields in the body or in the query, to which the signature is added.
    Fields(Box<UnsignedFields>),
}

impl SigningInput {
    /// Whether the request is one of APIv2.
    pub(crate) fn is_v2(&self) -> bool {
        matches!(self, SigningInput::Fields(_))
    }
}

/// The names of the options, which a path variable cannot have.
pub(crate) struct ReservedNames {
    /// The names of request options, for suggestions.
    pub(crate) options: &'static [&'static str],
    /// Whether a name is one of them, or a Guzzle option that this crate rejects.
    pub(crate) contains: fn(&str) -> bool,
}

/// What the PHP SDK's v3 client accepts.
const V3_ACCEPT: HeaderValue = HeaderValue::from_static(
    "application/json, text/plain, application/x-gzip, application/pdf, image/png, image/*;q=0.5",
);
/// With a `json` option.
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Without a body, and for a raw body.
const JSON_UTF8: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// With `form_params`.
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// The `Accept` header of the PHP SDK's v2 client.
const V2_ACCEPT: HeaderValue = HeaderValue::from_static("text/xml, text/plain, application/x-gzip");
/// The `Content-Type` of an APIv2 request without an upload, GET included.
const XML: HeaderValue = HeaderValue::from_static("text/xml; charset=utf-8");

const AGENT: HeaderValue = HeaderValue::from_static(concat!("wechatpay-chain/", env!("CARGO_PKG_VERSION")));

/// Parses the text of a chain. A variable with the name of a request option is an error, because
/// the options object cannot hold both.
pub(crate) fn parse_template(text: &str, reserved: &ReservedNames) -> Result<Template, Error> {
    let template = Template::parse(text).map_err(|source| source.to_string());
    let has_variables = template.as_ref().is_ok_and(|template| template.expressions().next().is_some());
    // The name of a variable may be a part of a password.
    if may_contain_userinfo(text) && (template.is_err() || has_variables) {
        return Err(Error::path("the path is not a URI template"));
    }
    let template = template.map_err(Error::path)?;
    for (_, variables) in template.expressions() {
        let is_reserved = |variable: &&Variable| (reserved.contains)(&variable.name);
        if let Some(variable) = variables.iter().find(is_reserved) {
            return Err(Error::path(format!(
                "the variable {:?} has the name of a request option, and the options object cannot hold both: give it another name",
                variable.name
            )));
        }
    }
    Ok(template)
}

/// Builds the request of one call, without its signature.
///
/// ```text
/// template  v3/pay/transactions/id/{id}
/// spec      variables {"id": "12177525012"}, query {"mchid": "1900000109"}
/// request   GET https://api.mch.weixin.qq.com/v3/pay/transactions/id/12177525012?mchid=1900000109
/// ```
pub(crate) fn build(
    method: Method,
    template: &Template,
    spec: &RequestSpec,
    base: &BaseUri,
    reserved: &ReservedNames,
) -> Result<UnsignedRequest, Error> {
    if method == Method::CONNECT {
        return Err(Error::options("the method CONNECT asks a proxy for a tunnel, and is not a request to a service"));
    }
    check_variables(template, spec, reserved)?;
    let reference =
        template.expand(|name| spec.variables.get(name)).map_err(|source| Error::options(source.to_string()))?;
    if let Some((_, path)) = reference.split_at_checked(3).filter(|(version, _)| version.eq_ignore_ascii_case("v2/")) {
        return build_v2(method, path, spec, base);
    }
    if reference.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("/v2/")) {
        return Err(Error::path(
            "the path begins with \"/v2/\": paths of APIv2 are written without the first slash, \"v2/...\"",
        ));
    }
    if spec.nonceless.is_some() {
        return Err(belongs_to_v2("nonceless"));
    }
    let query = spec.query.as_ref().map(written_query);
    let uri = base.join(&reference, query.as_deref())?;
    let EncodedBody { bytes, content_type, signing } = encode(spec)?;
    let mut request = Request::new(bytes);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers(V3_ACCEPT, content_type, &spec.headers);
    Ok(UnsignedRequest { request, signing })
}

/// The error for an option that only APIv2 has. The PHP SDK ignores such an option.
pub(crate) fn belongs_to_v2(option: &str) -> Error {
    Error::options(format!(
        "the option {option:?} belongs to APIv2, whose paths begin with \"v2/\": leave it out, or correct the path"
    ))
}

fn written_query(query: &Query) -> String {
    match query {
        Query::Map(members) => query::from_map(members),
        Query::Text(text) => super::base_uri::encode_query(text),
    }
}

/// The client's own headers, replaced by the caller's where both have a field.
fn headers(accept: HeaderValue, content_type: HeaderValue, callers: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(ACCEPT, accept);
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(USER_AGENT, AGENT);
    for name in callers.keys() {
        headers.remove(name);
        for value in callers.get_all(name) {
            headers.append(name, value.clone());
        }
    }
    headers
}

struct EncodedBody {
    bytes: Bytes,
    content_type: HeaderValue,
    signing: SigningInput,
}

/// Serialises the body, once.
fn encode(spec: &RequestSpec) -> Result<EncodedBody, Error> {
    let signed = |bytes, content_type| EncodedBody { bytes, content_type, signing: SigningInput::Body };
    Ok(match &spec.body {
        None => signed(Bytes::new(), JSON_UTF8),
        Some(RequestBody::Raw(bytes)) => signed(bytes.clone(), JSON_UTF8),
        Some(RequestBody::Form(members)) => signed(query::form(members).into(), FORM),
        Some(RequestBody::Json(json)) => {
            let body = serde_json::to_vec(json)
                .map_err(|source| Error::options("the option \"json\" cannot be serialised").with_source(source))?;
            signed(body.into(), JSON)
        }
        Some(RequestBody::Multipart(multipart)) => upload(spec, multipart.clone())?,
        Some(RequestBody::Media(media, boundary)) => upload(spec, media.multipart(boundary))?,
        Some(RequestBody::Xml(_)) => return Err(belongs_to_v2("xml")),
    })
}

fn upload(spec: &RequestSpec, multipart: Multipart) -> Result<EncodedBody, Error> {
    let (multipart, content_type) = with_boundary(spec, multipart)?;
    let signing = multipart.signed().map_or(SigningInput::Body, SigningInput::Meta);
    Ok(EncodedBody { bytes: multipart.encode(), content_type, signing })
}

/// The upload and its `Content-Type`. A boundary in the caller's own `Content-Type` is used.
fn with_boundary(spec: &RequestSpec, mut multipart: Multipart) -> Result<(Multipart, HeaderValue), Error> {
    if let Some(boundary) = callers_boundary(&spec.headers, &multipart.parts)? {
        multipart.boundary = boundary;
    }
    let content_type = HeaderValue::try_from(multipart.content_type())
        .map_err(|source| Error::options("the boundary is not valid in a header").with_source(source))?;
    Ok((multipart, content_type))
}

/// The boundary in the caller's own `Content-Type`. Code ported from PHP sets one.
fn callers_boundary(headers: &HeaderMap, parts: &[Part]) -> Result<Option<String>, Error> {
    let Some(given) = headers.get(CONTENT_TYPE) else { return Ok(None) };
    let boundary = given.to_str().ok().and_then(|text| {
        let parameters = text.strip_prefix("multipart/form-data")?;
        let boundary = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("boundary="))?;
        Some(boundary.trim_matches('"'))
    });
    let fits = |text: &&str| {
        let inside = |contents: &[u8]| {
            contents.windows(text.len() + 2).any(|window| window == [b"--", text.as_bytes()].concat())
        };
        !parts.iter().any(|part| inside(&part.contents))
            && matches!(text.len(), 1..=70)
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&b))
    };
    match boundary.filter(fits) {
        Some(boundary) => Ok(Some(boundary.to_owned())),
        None => Err(Error::options(
            "the header Content-Type of an upload is not \"multipart/form-data; boundary=...\", or its boundary occurs in the contents: \
             leave the header out, the client sets it",
        )),
    }
}

/// Checks that each variable of the path has a value. Without a value the PHP SDK sends `//`, or
/// the path of another endpoint.
fn check_variables(template: &Template, spec: &RequestSpec, reserved: &ReservedNames) -> Result<(), Error> {
    for key in spec.variables.keys() {
        if !template.uses(key) {
            return Err(unknown_option(key, template, spec, reserved));
        }
    }
    for (operator, variables) in template.expressions() {
        for variable in variables {
            match operator {
                Operator::Simple | Operator::Reserved => check_variable(variable, template, spec)?,
                // Without a value the slash is left out too. An empty text would leave a slash.
                Operator::Path if spec.variables.get(&variable.name).is_some_and(is_defined) => {
                    check_variable(variable, template, spec)?;
                }
                // The other operators write their own separator, and nothing without a value.
                _ => {}
            }
        }
    }
    Ok(())
}

fn check_variable(variable: &Variable, template: &Template, spec: &RequestSpec) -> Result<(), Error> {
    let name = &*variable.name;
    let value = spec.variables.get(name);
    let empty = match value {
        None if is_trailing_slash(name, template) => return Ok(()),
        None => {
            return Err(Error::options(format!(
                "the variable {name:?} of the path is missing: add it to the options, {{{name:?}: \"...\"}}"
            )));
        }
        Some(Value::Null) => Some("null"),
        Some(Value::Bool(false)) => Some("false, which is written as nothing"),
        Some(Value::String(text)) if text.is_empty() => Some("an empty string"),
        Some(Value::Array(items)) if items.is_empty() => Some("an empty array"),
        Some(Value::Object(members)) if members.is_empty() => Some("an empty object"),
        Some(Value::Array(items)) if items.iter().any(expands_to_nothing) => Some("a list with an empty member"),
        Some(Value::Object(members)) if members.values().any(expands_to_nothing) => {
            Some("an object with an empty member")
        }
        Some(Value::String(text)) if matches!(variable.modifier, Modifier::None) && (text == "." || text == "..") => {
            return Err(Error::options(format!(
                "the variable {name:?} of the path is {text:?}, which would lead to another endpoint: give the real value"
            )));
        }
        Some(_) => None,
    };
    match empty {
        Some(what) => Err(Error::options(format!(
            "the variable {name:?} of the path is {what}, which would lead to another endpoint: give the real value"
        ))),
        None => Ok(()),
    }
}

/// Whether a value is defined by RFC 6570, 2.3.
fn is_defined(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    }
}

/// Whether a member of a list expands to an empty text.
fn expands_to_nothing(member: &Value) -> bool {
    match member {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

fn is_trailing_slash(name: &str, template: &Template) -> bool {
    let uses =
        template.expressions().flat_map(|(_, variables)| variables).filter(|variable| variable.name == name).count();
    TRAILING_SLASH.contains(&name)
        && uses == 1
        && [("{", "}"), ("<", ">")]
            .iter()
            .any(|(open, close)| template.source().ends_with(&format!("/{open}{name}{close}")))
}

fn unknown_option(key: &str, template: &Template, spec: &RequestSpec, reserved: &ReservedNames) -> Error {
    let variables: Vec<&str> =
        template.expressions().flat_map(|(_, variables)| variables.iter().map(|variable| &*variable.name)).collect();
    let shown = excerpt(key);
    let without_value = variables.iter().copied().filter(|name| spec.variables.get(*name).is_none_or(Value::is_null));
    let remedy = if let Some(name) = similar(key, without_value.chain(reserved.options.iter().copied())) {
        format!("did you mean {name:?}?")
    } else {
        let body = if template.source().starts_with("v2/") { "xml" } else { "json" };
        format!(
            "it is neither a variable of the path ({}) nor a request option ({}); a field of the body belongs in {body:?}",
            if variables.is_empty() { "which has none".to_owned() } else { variables.join(", ") },
            reserved.options.join(", ")
        )
    };
    Error::options(format!("the option {shown:?} is unknown: {remedy}"))
}

/// Builds the request of one call; `path` is what follows `v2/`.
fn build_v2(method: Method, path: &str, spec: &RequestSpec, base: &BaseUri) -> Result<UnsignedRequest, Error> {
    let mut query = spec.query.as_ref().map(written_query);
    let mut content_type = XML;
    let (body, location) = match &spec.body {
        None if method == Method::GET => (Bytes::new(), FieldLocation::Query),
        None => {
            return Err(Error::options(
                "the option \"xml\" is missing: APIv2 takes its fields from it, {\"xml\": {\"mch_id\": \"...\"}}",
            ));
        }
        Some(RequestBody::Xml(fields)) if method == Method::GET => {
            if query.replace(query::from_map(fields)).is_some() {
                return Err(Error::options(
                    "the options hold both \"xml\" and \"query\", and a GET has one place for fields: give them as \"query\"",
                ));
            }
            (Bytes::new(), FieldLocation::Query)
        }
        Some(RequestBody::Xml(fields)) => {
            let unsigned = fields.iter().filter(|(name, _)| !matches!(name.as_str(), "sign" | "nonce_str"));
            let written =
                Bytes::from(xml::write(&unsigned.map(|(name, value)| (name.clone(), value.clone())).collect()));
            (written.clone(), FieldLocation::Xml(fields.clone(), written))
        }
        Some(RequestBody::Media(media, boundary)) if method != Method::GET => {
            upload_v2(spec, media.multipart_v2(boundary)?, &mut content_type)?
        }
        Some(RequestBody::Multipart(multipart)) if method != Method::GET => {
            upload_v2(spec, multipart.clone(), &mut content_type)?
        }
        Some(RequestBody::Media(..) | RequestBody::Multipart(_)) => {
            return Err(Error::options("a GET of APIv2 has no body: give its fields as \"query\""));
        }
        Some(other) => {
            let (option, place) = (option_of(other), if method == Method::GET { "query" } else { "xml" });
            return Err(Error::options(format!(
                "the option {option:?} does not apply to APIv2 (\"v2/...\"), which has no JSON and no forms: give the fields as \
                 {place:?}, {{{place:?}: {{\"mch_id\": \"...\"}}}}"
            )));
        }
    };
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = base.join(path, query.as_deref())?;
    *request.headers_mut() = headers(V2_ACCEPT, content_type, &spec.headers);
    let unsigned = UnsignedFields { location, nonceless: spec.nonceless.unwrap_or(false) };
    Ok(UnsignedRequest { request, signing: SigningInput::Fields(Box::new(unsigned)) })
}

/// The option that gives a body.
fn option_of(body: &RequestBody) -> &'static str {
    match body {
        RequestBody::Json(_) => "json",
        RequestBody::Raw(_) => "body",
        RequestBody::Form(_) => "form_params",
        RequestBody::Multipart(_) | RequestBody::Media(..) => "multipart",
        RequestBody::Xml(_) => "xml",
    }
}

fn upload_v2(
    spec: &RequestSpec,
    upload: Multipart,
    content_type: &mut HeaderValue,
) -> Result<(Bytes, FieldLocation), Error> {
    let (upload, own) = with_boundary(spec, upload)?;
    *content_type = own;
    Ok((upload.encode(), FieldLocation::Upload(upload)))
}

/// Fails for a number that may have lost digits while it was parsed: a float beyond 2^53, where
/// integers have gaps. `serde_json` reads an integer of more than 64 bits as such a float.
pub(crate) fn exact(value: &Value) -> Result<(), String> {
    const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) if number.is_f64() && number.as_f64().is_some_and(|float| float.abs() >= MAX_EXACT) => {
            Err(format!(
                "the number {number} is too large to be exact, and digits of it may be lost: give it as a string"
            ))
        }
        Value::Array(items) => items.iter().try_for_each(exact),
        Value::Object(members) => members.values().try_for_each(exact),
        _ => Ok(()),
    }
}
