//! A template and its options become one `http::Request<Bytes>`: what is built here is what is signed and sent.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, Request};
use serde_json::Value;

use super::base_uri::BaseUri;
use super::multipart::{Multipart, Part};
use super::query;
use super::template::{Modifier, Operator, Template, Variable};
use crate::error::Error;
use crate::options::{self, Body, Options, Query};

/// What the PHP SDK's v3 client accepts.
const V3_ACCEPT: HeaderValue = HeaderValue::from_static(
    "application/json, text/plain, application/x-gzip, application/pdf, image/png, image/*;q=0.5",
);
/// With a `json` option.
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Without a body.
const JSON_UTF8: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// With `form_params`.
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

const AGENT: HeaderValue = HeaderValue::from_static(concat!("wechatpay-chain/", env!("CARGO_PKG_VERSION")));

/// Placeholders that stand for nothing, so that a chain can end with a slash: `v3/ecommerce/applyments/{empty}`.
const TRAILING_SLASH: [&str; 2] = ["empty", "stub"];

/// Parses the text of a chain, and refuses variables that the options could never fill.
pub(crate) fn template(text: &str) -> Result<Template, Error> {
    let template = Template::parse(text).map_err(|source| Error::path(source.to_string()))?;
    for (_, variables) in template.expressions() {
        if let Some(variable) = variables.iter().find(|variable| options::is_reserved(&variable.name)) {
            return Err(Error::path(format!(
                "the variable {:?} has the name of a request option, and the options hold both: give it another name",
                variable.name
            )));
        }
    }
    Ok(template)
}

/// Builds the request of one call: everything but the signature.
pub(crate) fn build(
    method: Method,
    template: &Template,
    options: &Options,
    base: &BaseUri,
) -> Result<Request<Bytes>, Error> {
    check_variables(template, options)?;
    let reference =
        template.expand(|name| options.variables.get(name)).map_err(|source| Error::options(source.to_string()))?;
    if let Some((_, path)) = reference.split_at_checked(3).filter(|(version, _)| version.eq_ignore_ascii_case("v2/")) {
        return super::request_v2::build(method, path, options, base);
    }
    if reference.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("/v2/")) {
        return Err(Error::path(
            "the path begins with \"/v2/\": paths of APIv2 are written without the first slash, \"v2/...\"",
        ));
    }
    super::request_v2::refuse_options(options)?;
    let query = options.query.as_ref().map(written_query);
    let uri = base.join(&reference, query.as_deref())?;
    let Encoded { bytes, content_type, signed } = encode(options)?;
    let mut request = Request::new(bytes);
    if let Some(signed) = signed {
        request.extensions_mut().insert(SignedBody(signed));
    }
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers(V3_ACCEPT, content_type, options);
    Ok(request)
}

pub(super) fn written_query(query: &Query) -> String {
    match query {
        Query::Map(members) => query::from_map(members),
        Query::Text(text) => query::from_text(text),
    }
}

/// The client's own headers, and over them the caller's.
pub(super) fn headers(accept: HeaderValue, content_type: HeaderValue, options: &Options) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(ACCEPT, accept);
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(USER_AGENT, AGENT);
    for name in options.headers.keys() {
        headers.remove(name);
        for value in options.headers.get_all(name) {
            headers.append(name, value.clone());
        }
    }
    headers
}

/// What the signature covers where it is not the body: the `meta` of an upload. Travels with the request to the signer.
#[derive(Clone)]
pub(crate) struct SignedBody(pub(crate) Bytes);

struct Encoded {
    bytes: Bytes,
    content_type: HeaderValue,
    signed: Option<Bytes>,
}

/// The body in bytes, once: these are signed, and these are sent.
fn encode(options: &Options) -> Result<Encoded, Error> {
    let plain = |bytes, content_type| Encoded { bytes, content_type, signed: None };
    Ok(match &options.body {
        None => plain(Bytes::new(), JSON_UTF8),
        Some(Body::Raw(bytes)) => plain(bytes.clone(), JSON_UTF8),
        Some(Body::Form(members)) => plain(query::form(members).into(), FORM),
        Some(Body::Json(json)) => {
            let body = serde_json::to_vec(json)
                .map_err(|source| Error::options("the option \"json\" does not serialise").with_source(source))?;
            plain(body.into(), JSON)
        }
        Some(Body::Multipart(multipart)) => upload(options, multipart.clone())?,
        Some(Body::Media(media, boundary)) => upload(options, media.multipart(boundary))?,
        // Refused before, with the way out.
        Some(Body::Xml(_)) => plain(Bytes::new(), JSON_UTF8),
    })
}

fn upload(options: &Options, multipart: Multipart) -> Result<Encoded, Error> {
    let (multipart, content_type) = bounded(options, multipart)?;
    Ok(Encoded { bytes: multipart.encode(), content_type, signed: multipart.signed() })
}

/// An upload with the boundary that the caller's own `Content-Type` names, where there is one, and its `Content-Type`.
pub(super) fn bounded(options: &Options, mut multipart: Multipart) -> Result<(Multipart, HeaderValue), Error> {
    if let Some(boundary) = callers_boundary(options, &multipart.parts)? {
        multipart.boundary = boundary;
    }
    let content_type = HeaderValue::try_from(multipart.content_type())
        .map_err(|source| Error::options("the boundary fits into no header").with_source(source))?;
    Ok((multipart, content_type))
}

/// The boundary that the caller's own `Content-Type` names, as code carried over from PHP has it.
fn callers_boundary(options: &Options, parts: &[Part]) -> Result<Option<String>, Error> {
    let Some(given) = options.headers.get(CONTENT_TYPE) else { return Ok(None) };
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
            "the header Content-Type of an upload is no \"multipart/form-data; boundary=...\", or its boundary stands in the contents: \
             leave it out, it follows from the parts",
        )),
    }
}

/// A variable of its own in the path must have a value: without one PHP sends `//`, or another endpoint's path.
fn check_variables(template: &Template, options: &Options) -> Result<(), Error> {
    for key in options.variables.keys() {
        if !template.uses(key) {
            return Err(unknown(key, template, options));
        }
    }
    for (operator, variables) in template.expressions() {
        // The other operators bring their own separator, and nothing where the value is missing; that is what they are for.
        if !matches!(operator, Operator::Simple | Operator::Reserved) {
            continue;
        }
        for variable in variables {
            check_variable(variable, template, options)?;
        }
    }
    Ok(())
}

fn check_variable(variable: &Variable, template: &Template, options: &Options) -> Result<(), Error> {
    let name = &*variable.name;
    let value = options.variables.get(name);
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
        Some(Value::Array(items)) if items.iter().any(is_nothing) => Some("a list with an empty member"),
        Some(Value::Object(members)) if members.values().any(is_nothing) => Some("an object with an empty member"),
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

/// Whether a member of a list would be written as nothing.
fn is_nothing(member: &Value) -> bool {
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

fn unknown(key: &str, template: &Template, options: &Options) -> Error {
    let variables: Vec<&str> =
        template.expressions().flat_map(|(_, variables)| variables.iter().map(|variable| &*variable.name)).collect();
    let shown = crate::error::excerpt(key);
    let close = variables
        .iter()
        .copied()
        .filter(|name| options.variables.get(*name).is_none_or(Value::is_null))
        .chain(options::reserved())
        .map(|name| (strsim::normalized_damerau_levenshtein(&key.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let way_out = if let Some((_, name)) = close {
        format!("did you mean {name:?}?")
    } else {
        let reserved: Vec<_> = options::reserved().collect();
        let body = if template.source().starts_with("v2/") { "xml" } else { "json" };
        format!(
            "it is neither a variable of the path ({}) nor a request option ({}); a field of the body belongs into {body:?}",
            if variables.is_empty() { "which has none".to_owned() } else { variables.join(", ") },
            reserved.join(", ")
        )
    };
    Error::options(format!("the option {shown:?} is not known: {way_out}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const CARDS: &str = "v3/marketing/membercard-open/cards/{card_id}/permission-tokens";

    fn built(text: &str, options: Value) -> Result<Request<Bytes>, String> {
        let base = BaseUri::parse(BaseUri::DEFAULT)?;
        let options = Options::from(options).checked().map_err(|e| e.to_string())?;
        template(text).and_then(|template| build(Method::POST, &template, &options, &base)).map_err(|e| e.to_string())
    }

    #[test]
    fn the_reference_call() {
        let request = built(
            CARDS,
            json!({"card_id": "pbLatjvWOibDc5-TBnbUk1pD12o0", "json": {"b": "中/", "a": 1}, "headers": {"Accept": "x/y"}}),
        )
        .expect("request");
        assert_eq!(
            request.uri(),
            "https://api.mch.weixin.qq.com/v3/marketing/membercard-open/cards/pbLatjvWOibDc5-TBnbUk1pD12o0/permission-tokens"
        );
        assert_eq!(&request.body()[..], r#"{"b":"中/","a":1}"#.as_bytes());
        assert_eq!(request.headers()["content-type"], "application/json");
        assert_eq!(request.headers().get_all("accept").iter().collect::<Vec<_>>(), ["x/y"]);
    }

    #[test]
    fn without_a_body() {
        let request = built("v3/certificates", json!({"query": {"a": true}})).expect("request");
        assert_eq!(request.uri().path_and_query().map(|p| p.as_str()), Some("/v3/certificates?a=1"));
        assert_eq!(request.headers()["content-type"], "application/json; charset=utf-8");
        assert!(request.body().is_empty());
        let request = built("v3/x{?a,b}", json!({"a": 1})).expect("request");
        assert_eq!(request.uri().path_and_query().map(|p| p.as_str()), Some("/v3/x?a=1"));
    }

    #[test]
    fn a_trailing_slash() {
        for (text, target) in [
            ("v3/ecommerce/applyments/{empty}", "/v3/ecommerce/applyments/"),
            ("v3/ecommerce/applyments/<stub>", "/v3/ecommerce/applyments/"),
        ] {
            assert_eq!(built(text, json!({})).expect(text).uri().path(), target);
        }
        assert_eq!(built("v3/a/{empty}", json!({"empty": "x"})).expect("request").uri().path(), "/v3/a/x");
        assert!(built("v3/{empty}/a", json!({})).expect_err("middle").contains("\"empty\" of the path is missing"));
        assert!(built("v3/a{empty}", json!({})).is_err());
    }

    #[test]
    fn each_wrong_call_has_its_words() {
        for (text, options, words) in [
            (CARDS, json!({}), "\"card_id\" of the path is missing"),
            (CARDS, json!({"card_id": null}), "is null"),
            (CARDS, json!({"card_id": ""}), "is an empty string"),
            (CARDS, json!({"card_id": false}), "is false"),
            (CARDS, json!({"card_id": []}), "is an empty array"),
            (CARDS, json!({"card_id": {}}), "is an empty object"),
            (CARDS, json!({"card_id": [null]}), "a list with an empty member"),
            (CARDS, json!({"card_id": ["a", ""]}), "a list with an empty member"),
            (CARDS, json!({"card_id": {"a": false}}), "an object with an empty member"),
            ("v3/{empty}/x/{empty}", json!({}), "\"empty\" of the path is missing"),
            (CARDS, json!({"CARD_ID": "x"}), "did you mean \"card_id\"?"),
            (CARDS, json!({"card_id": "."}), "is \".\""),
            (CARDS, json!({"card_id": ".."}), "is \"..\""),
            (CARDS, json!({"card_id": [["x"]]}), "card_id"),
            ("v3/{a}{b}", json!({"a": ".", "b": "."}), "is \".\""),
            ("v3/{a:1}{b:1}", json!({"a": ".x", "b": ".y"}), "segment"),
            ("v3/{+a}", json!({"a": "x/../y"}), "segment"),
            ("v3/{+a}", json!({"a": ""}), "is an empty string"),
            ("v3{/a*}", json!({"a": ["x", ".."]}), "segment"),
            ("{+a}", json!({"a": "https://evil.example/v3"}), "must not receive"),
            ("{+a}", json!({"a": "//evil.example/v3"}), "must not receive"),
            ("v3/{#a}", json!({"a": "x"}), "fragment"),
            (CARDS, json!({"card_id": "x", "jsom": {}}), "did you mean \"json\"?"),
            (CARDS, json!({"cardid": "x"}), "did you mean \"card_id\"?"),
            (CARDS, json!({"card_id": "x", "activate_type": "A"}), "belongs into \"json\""),
            ("v3/{query}", json!({}), "name of a request option"),
            ("v3/{verify}", json!({}), "name of a request option"),
            ("v2/pay/unifiedorder", json!({}), "\"xml\" is missing"),
            ("V2/pay", json!({}), "v2"),
            ("/v2/pay/unifiedorder", json!({}), "without the first slash"),
            ("v2/pay/unifiedorder", json!({"activate_type": "A"}), "belongs into \"xml\""),
        ] {
            let said = built(text, options.clone()).expect_err(text);
            assert!(said.contains(words), "{text} {options}: {words:?} not in {said:?}");
        }
    }
}
