//! The table of option keys: the reserved ones, and those of Guzzle that mean nothing here.
//!
//! This is the one place that knows the names. The README shows the same table to users, and a test holds the two together.

use serde_json::Value;

use super::{Body, Options, read};

/// One reserved key and how its JSON is read. The error says what was expected instead.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) set: fn(&mut Options, Value) -> Result<(), String>,
}

pub(super) const KEYS: &[Key] = &[
    // The body: at most one of these.
    Key { name: "json", set: |o, v| if v.is_null() { Ok(()) } else { o.set_body(Body::Json(v)) } },
    Key { name: "xml", set: |o, v| if v.is_null() { Ok(()) } else { o.set_body(Body::Xml(read::fields(v)?)) } },
    Key { name: "body", set: |o, v| o.set_body(Body::Raw(read::text(v)?.into())) },
    Key { name: "form_params", set: |o, v| o.set_body(Body::Form(read::object(v)?)) },
    Key { name: "multipart", set: |o, v| o.set_body(Body::Multipart(read::multipart(v)?)) },
    Key { name: "encrypt", set: |o, v| read::texts(v).map(|paths| o.encrypt = paths) },
    // The request.
    Key { name: "query", set: |o, v| put(&mut o.query, read::query(v)) },
    Key { name: "headers", set: |o, v| read::headers(v, &mut o.headers) },
    Key { name: "base_uri", set: |o, v| put(&mut o.base_uri, read::base_uri(&v)) },
    Key { name: "nonceless", set: |o, v| put(&mut o.nonceless, read::nonceless(&v)) },
    // The way.
    Key { name: "security", set: |o, v| put(&mut o.security, read::boolean(&v)) },
    Key { name: "timeout", set: |o, v| put(&mut o.timeout, read::seconds(&v)) },
    Key { name: "connect_timeout", set: |o, v| put(&mut o.connect_timeout, read::seconds(&v)) },
    Key { name: "read_timeout", set: |o, v| put(&mut o.read_timeout, read::seconds(&v)) },
    Key { name: "proxy", set: |o, v| put(&mut o.proxy, read::proxy(v)) },
    Key { name: "retry", set: |o, v| put(&mut o.retry, read::retry(&v)) },
    Key { name: "allow_redirects", set: |o, v| put(&mut o.redirects, read::redirects(&v)) },
    // The answer.
    Key { name: "sink", set: |o, v| o.set_sink(read::text(v)?) },
    Key { name: "stream", set: |o, v| put(&mut o.stream, read::boolean(&v)) },
    Key { name: "http_errors", set: |o, v| put(&mut o.http_errors, read::boolean(&v)) },
    Key { name: "debug", set: |o, v| put(&mut o.debug, read::boolean(&v)) },
];

/// Guzzle's options that mean nothing here, and what to use instead. They are no variables either, so that a PHP options
/// array carried over never loses one without a word.
pub(super) const ELSEWHERE: &[(&str, &str)] = &[
    ("auth", "every request is signed; a proxy's user and password stand in the URL of \"proxy\""),
    ("cert", "the client certificate belongs to the settings of the client (merchant), and \"security\" presents it"),
    ("cookies", "the service sets no cookies; a Cookie header can be given in \"headers\""),
    ("crypto_method", "TLS 1.2 and 1.3 are always on"),
    ("curl", "there is no curl below: use \"timeout\", \"connect_timeout\" and \"proxy\""),
    ("decode_content", "bodies are handed out as they came, since digests and signatures cover them so"),
    ("delay", "wait before the call, with your runtime's timer"),
    ("expect", "bodies are sent at once"),
    ("force_ip_resolve", "IPv4 and IPv6 are tried side by side"),
    ("handler", "replace parts of the client with ClientBuilder::signer, ::verifier or ::layer"),
    ("idn_conversion", "write the host of base_uri in ASCII"),
    ("on_headers", "the answer's headers are at Response::headers"),
    ("on_stats", "add a layer that measures with ClientBuilder::layer"),
    ("progress", "a function does not fit into JSON: give it with Options::progress"),
    (
        "ssl_key",
        "the client certificate belongs to the settings of the client (merchant), and \"security\" presents it",
    ),
    ("stream_context", "there are no PHP streams below: use \"timeout\" and \"proxy\""),
    ("synchronous", "call post for a synchronous call, post_async for an asynchronous one"),
    ("verify", "TLS is always verified; add a private authority with ClientBuilder::root_certificate"),
    ("version", "calls go over HTTP/1.1"),
];

/// The names of the reserved keys, for suggestions.
pub(crate) fn reserved<'a>() -> impl Iterator<Item = &'a str> {
    KEYS.iter().map(|key| key.name)
}

/// Whether a variable of a path may not have this name, because the options give it another meaning.
pub(crate) fn is_reserved(name: &str) -> bool {
    reserved().any(|key| key == name) || ELSEWHERE.iter().any(|(key, _)| *key == name)
}

/// What to use instead of an option of Guzzle that means nothing here.
pub(crate) fn elsewhere(name: &str) -> Option<&'static str> {
    ELSEWHERE.iter().find(|(key, _)| *key == name).map(|(_, instead)| *instead)
}

fn put<T, V: Into<Option<T>>>(slot: &mut Option<T>, value: Result<V, String>) -> Result<(), String> {
    *slot = value?.into();
    Ok(())
}
