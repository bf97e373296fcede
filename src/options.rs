//! The options of a call: reserved keys after Guzzle's request options, everything else a variable of the path.
//!
//! To add an option: a field of [`Options`], one line in [`KEYS`] that reads it from JSON, and its row in the table of the
//! README. Where the field acts is its own matter; most act in `proto/request.rs` or `client.rs`.

use std::fmt;
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::proto::target::Base;

/// What a call carries: the values of the path's variables, the body, the query, headers and how to send it.
///
/// Made from a JSON object, `json!({...})`; from `()` where a call needs none. A key is either one of the reserved ones
/// (`json`, `query`, `headers`, `timeout`, `base_uri`, `http_errors`) or a variable of the path; any other is an error before
/// anything is sent.
///
/// ```
/// use serde_json::json;
/// use wechatpay_chain::Options;
///
/// let options = Options::from(json!({
///     "card_id": "pbLatjvWOibDc5-TBnbUk1pD12o0",
///     "json": { "activate_type": "AUTO_ACTIVATE" },
/// }));
///
/// #[derive(serde::Serialize)]
/// struct Body { activate_type: &'static str }
/// let same = Options::new()
///     .with("card_id", "pbLatjvWOibDc5-TBnbUk1pD12o0")
///     .json(&Body { activate_type: "AUTO_ACTIVATE" });
/// ```
#[derive(Default)]
pub struct Options {
    /// Values of the path's variables, by name.
    pub(crate) variables: Map<String, Value>,
    pub(crate) json: Option<Value>,
    pub(crate) query: Option<Query>,
    /// The caller's headers, which win over the client's own.
    pub(crate) headers: HeaderMap,
    /// The whole call's time; zero is no limit.
    pub(crate) timeout: Option<Duration>,
    pub(crate) base_uri: Option<Base>,
    pub(crate) http_errors: Option<bool>,
    /// The first thing that was wrong; reported by the verb, before anything is sent.
    error: Option<Error>,
}

/// The `query` option: replaces any query of the path.
pub(crate) enum Query {
    Map(Map<String, Value>),
    Text(String),
}

/// One reserved key and how its JSON is read. The error says what was expected instead.
struct Key {
    name: &'static str,
    set: fn(&mut Options, Value) -> Result<(), String>,
}

const KEYS: &[Key] = &[
    Key { name: "json", set: |o, v| put(&mut o.json, Ok((!v.is_null()).then_some(v))) },
    Key { name: "query", set: |o, v| put(&mut o.query, query(v)) },
    Key { name: "headers", set: |o, v| headers(v, &mut o.headers) },
    Key { name: "timeout", set: |o, v| put(&mut o.timeout, seconds(&v)) },
    Key { name: "base_uri", set: |o, v| put(&mut o.base_uri, base_uri(&v)) },
    Key { name: "http_errors", set: |o, v| put(&mut o.http_errors, boolean(&v)) },
];

/// Guzzle's options that mean nothing here, and what to use instead. They are no variables either, so that a PHP options
/// array carried over never loses one without a word.
const ELSEWHERE: &[(&str, &str)] = &[
    ("auth", "every request is signed; a proxy's user and password belong to the proxy setting of the client"),
    ("cert", "the client certificate of APIv2 belongs to the settings of the client"),
    ("cookies", "the service sets no cookies; a Cookie header can be given in \"headers\""),
    ("crypto_method", "TLS 1.2 and 1.3 are always on"),
    ("curl", "there is no curl below; see the settings of the client"),
    ("decode_content", "bodies are handed out as they came, since the signature covers them so"),
    ("delay", "wait before the call, with your runtime's timer"),
    ("expect", "bodies are sent at once"),
    ("force_ip_resolve", "IPv4 and IPv6 are tried side by side"),
    ("handler", "replace parts of the client with ClientBuilder::signer, ::verifier or ::layer"),
    ("idn_conversion", "write the host of base_uri in ASCII"),
    ("on_headers", "the answer's headers are at Response::headers"),
    ("on_stats", "add a layer that measures with ClientBuilder::layer"),
    ("progress", "it is a function, which JSON cannot hold"),
    ("ssl_key", "the client certificate of APIv2 belongs to the settings of the client"),
    ("stream_context", "there are no PHP streams below; see the settings of the client"),
    ("synchronous", "call post for a synchronous call, post_async for an asynchronous one"),
    ("verify", "TLS is always verified; add a private authority with ClientBuilder::root_certificate"),
    ("version", "calls go over HTTP/1.1"),
    ("allow_redirects", NOT_YET),
    ("body", NOT_YET),
    ("connect_timeout", "for now it is a setting of the client: ClientBuilder::connect_timeout"),
    ("debug", NOT_YET),
    ("form_params", NOT_YET),
    ("multipart", NOT_YET),
    ("nonceless", NOT_YET),
    ("proxy", "for now it is a setting of the client: ClientBuilder::proxy"),
    ("read_timeout", NOT_YET),
    ("security", NOT_YET),
    ("sink", NOT_YET),
    ("stream", NOT_YET),
    ("xml", NOT_YET),
];

const NOT_YET: &str = "this version does not have it yet";

/// The names of the reserved keys, for suggestions.
pub(crate) fn reserved<'a>() -> impl Iterator<Item = &'a str> {
    KEYS.iter().map(|key| key.name)
}

/// Whether a variable of a path may not have this name, because the options array gives it another meaning.
pub(crate) fn is_reserved(name: &str) -> bool {
    reserved().any(|key| key == name) || ELSEWHERE.iter().any(|(key, _)| *key == name)
}

impl Options {
    /// No options.
    #[must_use]
    pub fn new() -> Self {
        Options::default()
    }

    /// Adds one option by its key, as in the JSON object.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.set(key.into(), value.into());
        self
    }

    /// The JSON body, from any type that serialises.
    #[must_use]
    pub fn json(mut self, body: &impl Serialize) -> Self {
        match serde_json::to_value(body) {
            Ok(body) => self.json = Some(body),
            Err(source) => {
                let error = Error::options(format!("the body does not serialise to JSON: {source}"));
                self.fail(error.with_source(source));
            }
        }
        self
    }

    fn set(&mut self, key: String, value: Value) {
        if let Some(reserved) = KEYS.iter().find(|reserved| reserved.name == key) {
            if let Err(said) = (reserved.set)(self, value) {
                self.fail(Error::options(format!("the option {key:?}: {said}")));
            }
        } else if let Some((_, instead)) = ELSEWHERE.iter().find(|(name, _)| *name == key) {
            self.fail(Error::options(format!("the option {key:?} has no meaning here: {instead}")));
        } else {
            self.variables.insert(key, value);
        }
    }

    fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }

    /// The options, or the first thing that was wrong with them.
    pub(crate) fn checked(mut self) -> Result<Self, Error> {
        match self.error.take() {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }
}

impl From<Value> for Options {
    fn from(value: Value) -> Self {
        let mut options = Options::new();
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    options.set(key, value);
                }
            }
            other => options.fail(Error::options(format!(
                "the options are {} where an object is needed, such as json!({{\"json\": {{...}}}}); give () where there are none",
                kind(&other)
            ))),
        }
        options
    }
}

impl From<()> for Options {
    fn from((): ()) -> Self {
        Options::new()
    }
}

impl From<&Value> for Options {
    fn from(value: &Value) -> Self {
        Options::from(value.clone())
    }
}

/// Keys only: values may be personal.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("variables", &self.variables.keys().collect::<Vec<_>>())
            .field("json", &self.json.is_some())
            .field("query", &self.query.is_some())
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("timeout", &self.timeout)
            .field("base_uri", &self.base_uri)
            .field("http_errors", &self.http_errors)
            .field("error", &self.error)
            .finish()
    }
}

fn put<T, V: Into<Option<T>>>(slot: &mut Option<T>, value: Result<V, String>) -> Result<(), String> {
    *slot = value?.into();
    Ok(())
}

/// The type of a JSON value in a sentence.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn query(value: Value) -> Result<Option<Query>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Object(members) => Ok(Some(Query::Map(members))),
        // PHP's empty array.
        Value::Array(items) if items.is_empty() => Ok(Some(Query::Text(String::new()))),
        Value::String(text) => Ok(Some(Query::Text(text))),
        other => Err(format!("{} where an object or a string is needed", kind(&other))),
    }
}

pub(crate) fn base_uri(value: &Value) -> Result<Base, String> {
    Base::parse(value.as_str().ok_or_else(|| format!("{} where a string is needed", kind(value)))?)
}

fn boolean(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("{} where true or false is needed", kind(value)))
}

pub(crate) fn seconds(value: &Value) -> Result<Duration, String> {
    let needed = "a number of seconds is needed, such as 2.5, or 0 for no limit";
    let number = value.as_f64().ok_or_else(|| format!("{}, where {needed}", kind(value)))?;
    Duration::try_from_secs_f64(number).map_err(|_| format!("{number}, where {needed}"))
}

fn headers(value: Value, into: &mut HeaderMap) -> Result<(), String> {
    let Value::Object(members) = value else {
        return Err(format!("{} where an object of names and values is needed", kind(&value)));
    };
    for (name, values) in members {
        let values = match values {
            Value::Array(values) => values,
            one => vec![one],
        };
        let shown = crate::error::excerpt(&name).into_owned();
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{shown:?} is no name of a header"))?;
        if let Some((_, why)) = OWN_HEADERS.iter().find(|(own, _)| name == *own) {
            return Err(format!("the header {shown:?} cannot be given: {why}"));
        }
        into.remove(&name);
        for value in values {
            into.append(&name, header_value(&shown, &value)?);
        }
    }
    Ok(())
}

/// Headers that would break signature or framing if a caller set them.
const OWN_HEADERS: &[(&str, &str)] = &[
    ("authorization", "the signer makes it; replace the signer with ClientBuilder::signer"),
    ("host", "it follows from base_uri"),
    ("content-length", "it follows from the body"),
    ("transfer-encoding", "bodies are sent with a known length"),
    ("connection", "the connection pool keeps connections"),
    ("upgrade", "calls go over HTTP/1.1"),
];

fn header_value(name: &str, value: &Value) -> Result<HeaderValue, String> {
    let text = match value {
        Value::String(text) => text.trim_matches([' ', '\t']).to_owned(),
        Value::Number(number) => number.to_string(),
        other => return Err(format!("the header {name:?} is {} where a string is needed", kind(other))),
    };
    // The text may be a secret of the caller's, so the message does not show it.
    HeaderValue::from_maybe_shared(text.into_bytes()).map_err(|_| {
        format!("the header {name:?} has a line break or another control character, which would smuggle in a second header: take it out")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(options: Value) -> String {
        Options::from(options).checked().err().map(|e| e.to_string()).unwrap_or_default()
    }

    #[test]
    fn reserved_keys_and_variables() {
        let options = Options::from(json!({
            "card_id": "x", "json": {"b": 1, "a": 2}, "query": {"q": 1}, "headers": {"X-A": ["1", 2]},
            "timeout": 0.4, "base_uri": "https://host/hk/", "http_errors": false,
        }))
        .checked()
        .expect("good options");
        assert_eq!(options.variables.keys().collect::<Vec<_>>(), ["card_id"]);
        assert_eq!(options.json.map(|json| json.to_string()).as_deref(), Some(r#"{"b":1,"a":2}"#));
        assert_eq!(options.headers.get_all("x-a").iter().count(), 2);
        assert_eq!(options.timeout, Some(Duration::from_millis(400)));
        assert_eq!(options.http_errors, Some(false));
        assert!(Options::from(json!({"json": null, "query": null})).json.is_none());
    }

    #[test]
    fn each_wrong_option_has_its_words() {
        for (options, words) in [
            (json!(["a"]), "an array where an object"),
            (json!("a"), "a string where an object"),
            (json!(null), "null where an object"),
            (json!({"query": 7}), "\"query\": a number"),
            (json!({"timeout": -1}), "\"timeout\": -1, where"),
            (json!({"timeout": "1"}), "\"timeout\": a string"),
            (json!({"timeout": 1e300}), "where a number of seconds"),
            (json!({"base_uri": "https://h/hk"}), "must end with"),
            (json!({"base_uri": 1}), "a number where a string"),
            (json!({"http_errors": 0}), "a number where true or false"),
            (json!({"headers": []}), "an array where an object"),
            (json!({"headers": {"a b": "x"}}), "no name of a header"),
            (json!({"headers": {"X": null}}), "\"X\" is null"),
            (json!({"headers": {"X": "a\r\nAuthorization: b"}}), "line break"),
            (json!({"headers": {"Authorization": "b"}}), "the signer makes it"),
            (json!({"headers": {"content-length": "3"}}), "follows from the body"),
            (json!({"verify": false}), "TLS is always verified"),
            (json!({"handler": 1}), "ClientBuilder::signer"),
        ] {
            let said = said(options.clone());
            assert!(said.contains(words), "{options}: {words:?} not in {said:?}");
        }
        assert!(!said(json!({"headers": {"X": "s3cret\n"}})).contains("s3cret"));
    }

    #[test]
    fn no_key_stands_twice() {
        let mut names: Vec<_> = reserved().chain(ELSEWHERE.iter().map(|(name, _)| *name)).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(is_reserved("json") && is_reserved("verify") && !is_reserved("card_id"));
    }
}
