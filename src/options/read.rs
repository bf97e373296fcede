//! Functions that read option values from JSON. Their error is the part of a message that states
//! what was given and what is needed, such as "a number where a string is needed".

use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::media;
#[cfg(feature = "catalog")]
use crate::catalog::Check;
use crate::pipeline::call_config::{Redirects, Retry};
use crate::proto::base_uri::BaseUri;
use crate::proto::excerpt::{excerpt, name};
use crate::proto::json_type::kind;
use crate::proto::multipart::{Multipart, Part};
use crate::proto::request::{Query, exact};
use crate::transport::proxy::Proxy;

/// A string.
pub(crate) fn text(value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(format!("{} where a string is needed", kind(&other))),
    }
}

/// A string, or a list of strings.
pub(super) fn texts(value: Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(items) => items.into_iter().map(text).collect(),
        one => text(one).map(|one| vec![one]).map_err(|reason| format!("{reason}, or a list of strings")),
    }
}

/// An object.
pub(super) fn object(value: Value) -> Result<Map<String, Value>, String> {
    match value {
        Value::Object(members) => Ok(members),
        other => Err(format!("{} where an object is needed", kind(&other))),
    }
}

/// The `xml` option: an object, or a list whose members become the elements `item`, as in PHP.
pub(super) fn fields(value: Value) -> Result<Map<String, Value>, String> {
    match value {
        Value::Array(items) => Ok(items.into_iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect()),
        other => object(other),
    }
}

/// The `nonceless` option. As in PHP, any value except null omits the nonce, even `false`.
pub(super) fn nonceless(value: &Value) -> Result<Option<bool>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(true) => Ok(Some(true)),
        Value::Bool(false) => {
            Err("false, which PHP treats as true: write true to omit nonce_str, or omit the option".to_owned())
        }
        other => Err(format!("{} where true is needed", kind(other))),
    }
}

/// `true` or `false`.
pub(super) fn boolean(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("{} where true or false is needed", kind(value)))
}

/// The `check` option: `"off"`, `"warn"` or `"deny"`.
#[cfg(feature = "catalog")]
pub(super) fn check(value: &Value) -> Result<Check, String> {
    match value.as_str() {
        Some("off") => Ok(Check::Off),
        Some("warn") => Ok(Check::Warn),
        Some("deny") => Ok(Check::Deny),
        _ => Err("\"off\", \"warn\" or \"deny\" is needed".to_owned()),
    }
}

/// A duration: a number of seconds, at least 0. A positive number below one nanosecond is rounded
/// up to one nanosecond, because zero would mean no limit.
pub(crate) fn seconds(value: &Value) -> Result<Duration, String> {
    let needed = "a number of seconds is needed, such as 2.5, or 0 for no limit";
    let number = value.as_f64().ok_or_else(|| format!("{}, where {needed}", kind(value)))?;
    let duration = Duration::try_from_secs_f64(number).map_err(|_| format!("{number}, where {needed}"))?;
    Ok(if number > 0.0 { duration.max(Duration::from_nanos(1)) } else { duration })
}

/// The `base_uri` option: a URL.
pub(super) fn base_uri(value: &Value) -> Result<BaseUri, String> {
    BaseUri::parse(value.as_str().ok_or_else(|| format!("{} where a string is needed", kind(value)))?)
}

/// The `query` option: an object, or the encoded query as a string. `None` for null.
pub(super) fn query(value: Value) -> Result<Option<Query>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Object(members) => {
            members.values().try_for_each(exact)?;
            Ok(Some(Query::Map(members)))
        }
        // In PHP, an empty array can be an empty object.
        Value::Array(items) if items.is_empty() => Ok(Some(Query::Text(String::new()))),
        Value::String(text) => Ok(Some(Query::Text(text))),
        other => Err(format!("{} where an object or a string is needed", kind(&other))),
    }
}

/// The `retry` option: the number of retries, or an object with `times` and `pause` in seconds.
pub(crate) fn retry(value: &Value) -> Result<Retry, String> {
    let times = |value: &Value| {
        let times =
            value.as_u64().and_then(|times| u32::try_from(times).ok()).filter(|times| *times <= Retry::MAX_TIMES);
        times.ok_or_else(|| {
            let given = if value.is_number() { value.to_string() } else { kind(value).to_owned() };
            format!(
                "{given} where a number from 0 to {} is needed, or {{\"times\": 2, \"pause\": 0.5}}",
                Retry::MAX_TIMES
            )
        })
    };
    let Value::Object(members) = value else { return Ok(Retry::times(times(value)?)) };
    let mut retry = Retry::times(1);
    for (key, value) in members {
        match key.as_str() {
            "times" => retry.times = times(value)?,
            "pause" => retry.pause = seconds(value)?,
            other => return Err(format!("the key {} is unknown: the keys are \"times\" and \"pause\"", name(other))),
        }
    }
    Ok(retry)
}

/// Guzzle's `allow_redirects`: a boolean, or an object with `max`, 0 to 20, and `strict`. `true`
/// follows up to 5 redirects.
pub(super) fn redirects(value: &Value) -> Result<Redirects, String> {
    const MAX: u8 = 5;
    let members = match value {
        Value::Bool(follow) => return Ok(Redirects { left: if *follow { MAX } else { 0 }, strict: false }),
        Value::Object(members) => members,
        other => return Err(format!("{} where true, false or an object is needed", kind(other))),
    };
    let mut redirects = Redirects { left: MAX, strict: false };
    for (key, value) in members {
        match key.as_str() {
            "max" => {
                let max = value.as_u64().and_then(|max| u8::try_from(max).ok());
                redirects.left = max.filter(|max| *max <= 20).ok_or("\"max\" is not a number from 0 to 20")?;
            }
            "strict" => redirects.strict = boolean(value)?,
            other => return Err(format!("the key {} is unknown: the keys are \"max\" and \"strict\"", name(other))),
        }
    }
    Ok(redirects)
}

/// Guzzle's `proxy`: a URL, an empty string for no proxy, or an object with `http`, `https` and
/// `no` (a list, or a string with commas).
pub(crate) fn proxy(value: Value) -> Result<Proxy, String> {
    let members = match value {
        Value::String(url) if url.is_empty() => return Ok(Proxy::Off),
        Value::String(url) => return Ok(Proxy::All(url)),
        Value::Object(members) => members,
        other => return Err(format!("{} where a URL or an object is needed", kind(&other))),
    };
    let (mut http, mut https, mut no) = (String::new(), String::new(), String::new());
    for (key, value) in members {
        match key.as_str() {
            "http" => http = text(value)?,
            "https" => https = text(value)?,
            "no" => {
                no = match value {
                    Value::Array(hosts) => hosts.into_iter().map(text).collect::<Result<Vec<_>, _>>()?.join(","),
                    other => text(other)?,
                }
            }
            other => return Err(format!("the key {} is unknown: the keys are http, https and no", name(other))),
        }
    }
    Ok(Proxy::Split { http, https, no })
}

/// Headers that a caller cannot set, because they would break the signature or the message framing.
const OWN_HEADERS: &[(&str, &str)] = &[
    ("authorization", "the client signs each request; replace the signer with ClientBuilder::signer"),
    ("host", "it follows from base_uri"),
    ("content-length", "it follows from the body"),
    ("transfer-encoding", "bodies are sent with a known length"),
    ("connection", "the connection pool manages connections"),
    ("upgrade", "requests are sent over HTTP/1.1"),
    ("expect", "bodies are sent at once"),
    ("keep-alive", "the connection pool manages connections"),
    ("proxy-authorization", "the user and password of a proxy are part of the URL of \"proxy\""),
    ("te", "trailers are not used"),
    ("trailer", "bodies are sent with a known length"),
];

/// The `headers` option: an object whose values are a string, a number, or a list of them. Adds the
/// headers to `into`. A header that appears twice or that this client sets itself is an error.
pub(super) fn headers(value: Value, into: &mut HeaderMap) -> Result<(), String> {
    for (name, values) in object(value)? {
        let values = match values {
            Value::Array(values) => values,
            one => vec![one],
        };
        let shown = excerpt(&name).into_owned();
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{shown:?} is not a valid header name"))?;
        if let Some((_, reason)) = OWN_HEADERS.iter().find(|(own, _)| name == *own) {
            return Err(format!("the header {shown:?} cannot be set: {reason}"));
        }
        if into.contains_key(&name) {
            return Err(format!("the header {shown:?} appears twice, in different capitalisation"));
        }
        if values.is_empty() {
            return Err(format!("the header {shown:?} has no value: omit it"));
        }
        for value in values {
            into.append(&name, header_value(&shown, &value)?);
        }
    }
    Ok(())
}

fn header_value(name: &str, value: &Value) -> Result<HeaderValue, String> {
    exact(value).map_err(|reason| format!("the header {name:?}: {reason}"))?;
    let text = match value {
        Value::String(text) => text.trim_matches([' ', '\t']).to_owned(),
        Value::Number(number) => number.to_string(),
        other => return Err(format!("the header {name:?} is {} where a string is needed", kind(other))),
    };
    // The value may be a secret, so the message does not show it.
    HeaderValue::from_maybe_shared(text.into_bytes()).map_err(|_| {
        format!("the header {name:?} contains a line break or another control character, which could inject a second header: remove it")
    })
}

/// Guzzle's `multipart`: a list of `{"name", "contents", "filename"?, "headers"?}`.
pub(super) fn multipart(value: Value) -> Result<Multipart, String> {
    let Value::Array(items) = value else {
        return Err(format!("{} where a list of parts is needed", kind(&value)));
    };
    if items.is_empty() {
        return Err("the list of parts is empty".to_owned());
    }
    let parts = items.into_iter().map(part).collect::<Result<_, _>>()?;
    Ok(Multipart { boundary: media::boundary().map_err(|error| error.to_string())?, parts })
}

/// One part of `multipart`.
fn part(value: Value) -> Result<Part, String> {
    let (mut name, mut contents, mut part_headers, mut filename) = (None, None, Vec::new(), None);
    for (key, value) in object(value)? {
        match key.as_str() {
            "name" => name = Some(text(value)?),
            "contents" => {
                exact(&value)?;
                contents = Some(match value {
                    Value::String(text) => Bytes::from(text),
                    Value::Number(number) => Bytes::from(number.to_string()),
                    other => return Err(format!("\"contents\" is {} where a string is needed", kind(&other))),
                });
            }
            "filename" => filename = Some(text(value)?),
            "headers" => {
                let mut checked = HeaderMap::new();
                headers(value.clone(), &mut checked)?;
                if checked.contains_key("content-disposition") {
                    return Err("the Content-Disposition of a part follows from \"name\" and \"filename\"".to_owned());
                }
                for (name, value) in object(value)? {
                    part_headers.push((name, text(value)?));
                }
            }
            other => {
                return Err(format!(
                    "the key {other:?} of a part is unknown: the keys are \"name\", \"contents\", \"filename\" and \"headers\""
                ));
            }
        }
    }
    Ok(Part {
        name: name.ok_or("a part has no \"name\"")?,
        contents: contents.ok_or("a part has no \"contents\"")?,
        filename,
        headers: part_headers,
    })
}
