//! The table of option keys: the reserved keys, and the Guzzle options that this crate rejects.
//!
//! This is the only place that lists the names. The READMEs show the same table to users, and a
//! test compares them.

use serde_json::Value;

use super::read;
use crate::crypto::file_digest::FileDigest;
use crate::pipeline::call_config::CallConfig;
use crate::proto::request::{RequestBody, RequestSpec, ReservedNames, exact};
use crate::transport::sink::{Progress, Sink};

/// The options of a call, by what they are for.
#[derive(Default)]
pub(crate) struct OptionFields {
    pub(crate) spec: RequestSpec,
    pub(crate) config: CallConfig,
    /// Paths of the fields in the JSON body that are encrypted before the request is sent.
    pub(crate) encrypt: Vec<String>,
    pub(crate) sink: Option<Sink>,
    pub(crate) progress: Option<Progress>,
    /// The digest that the file in the sink must have.
    pub(crate) digest: Option<FileDigest>,
}

impl OptionFields {
    pub(super) fn set_body(&mut self, body: RequestBody) -> Result<(), String> {
        match &body {
            RequestBody::Json(value) => exact(value)?,
            RequestBody::Form(members) => members.values().try_for_each(exact)?,
            RequestBody::Xml(members) => members.values().try_for_each(exact)?,
            RequestBody::Media(media, _) => media.meta.as_ref().map_or(Ok(()), exact)?,
            RequestBody::Raw(_) | RequestBody::Multipart(_) => {}
        }
        match self.spec.body.replace(body) {
            None => Ok(()),
            Some(_) => {
                Err("a request has one body: give only one of json, xml, body, form_params and multipart".to_owned())
            }
        }
    }

    pub(super) fn set_sink(&mut self, path: String) -> Result<(), String> {
        if path.is_empty() {
            return Err("the path is empty".to_owned());
        }
        self.put_sink(Sink::Path(path.into()))
    }

    pub(super) fn put_sink(&mut self, sink: Sink) -> Result<(), String> {
        match self.sink.replace(sink) {
            None => Ok(()),
            Some(_) => Err("a response is written to one sink: give only one".to_owned()),
        }
    }
}

/// A reserved key and its reader. The reader's error says what was expected.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) set: fn(&mut OptionFields, Value) -> Result<(), String>,
}

pub(super) const KEYS: &[Key] = &[
    // The body: at most one of these.
    Key { name: "json", set: |o, v| if v.is_null() { Ok(()) } else { o.set_body(RequestBody::Json(v)) } },
    Key { name: "xml", set: |o, v| if v.is_null() { Ok(()) } else { o.set_body(RequestBody::Xml(read::fields(v)?)) } },
    Key { name: "body", set: |o, v| o.set_body(RequestBody::Raw(read::text(v)?.into())) },
    Key { name: "form_params", set: |o, v| o.set_body(RequestBody::Form(read::object(v)?)) },
    Key { name: "multipart", set: |o, v| o.set_body(RequestBody::Multipart(read::multipart(v)?)) },
    Key { name: "encrypt", set: |o, v| read::texts(v).map(|paths| o.encrypt = paths) },
    // The request.
    Key { name: "query", set: |o, v| put(&mut o.spec.query, read::query(v)) },
    Key { name: "headers", set: |o, v| read::headers(v, &mut o.spec.headers) },
    Key { name: "base_uri", set: |o, v| put(&mut o.config.base_uri, read::base_uri(&v)) },
    Key { name: "nonceless", set: |o, v| put(&mut o.spec.nonceless, read::nonceless(&v)) },
    // How it is sent.
    Key { name: "security", set: |o, v| read::boolean(&v).map(|on| o.config.http.client_certificate = on) },
    Key { name: "timeout", set: |o, v| put(&mut o.config.timeout, read::seconds(&v)) },
    Key { name: "connect_timeout", set: |o, v| put(&mut o.config.http.connect_timeout, read::seconds(&v)) },
    Key { name: "read_timeout", set: |o, v| put(&mut o.config.read_timeout, read::seconds(&v)) },
    Key { name: "proxy", set: |o, v| put(&mut o.config.http.proxy, read::proxy(v)) },
    Key { name: "retry", set: |o, v| put(&mut o.config.retry, read::retry(&v)) },
    Key { name: "allow_redirects", set: |o, v| read::redirects(&v).map(|redirects| o.config.redirects = redirects) },
    // The response.
    Key { name: "sink", set: |o, v| o.set_sink(read::text(v)?) },
    Key { name: "stream", set: |o, v| read::boolean(&v).map(|on| o.config.stream = on) },
    Key { name: "http_errors", set: |o, v| read::boolean(&v).map(|on| o.config.http_errors = on) },
    Key { name: "debug", set: |o, v| read::boolean(&v).map(|on| o.config.http.debug = on) },
];

/// The Guzzle options that this crate rejects, and what replaces them. They are not variables
/// either: a PHP options array that is ported must not lose one silently.
pub(super) const REJECTED: &[(&str, &str)] = &[
    ("auth", "every request is signed; the user and password of a proxy are part of the URL of \"proxy\""),
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

/// The names that a path variable cannot have.
pub(crate) const RESERVED: ReservedNames = ReservedNames { options: &OPTION_NAMES, rejected: &REJECTED_NAMES };

const OPTION_NAMES: [&str; KEYS.len()] = {
    let (mut names, mut i) = ([""; KEYS.len()], 0);
    while i < names.len() {
        names[i] = KEYS[i].name;
        i += 1;
    }
    names
};

const REJECTED_NAMES: [&str; REJECTED.len()] = {
    let (mut names, mut i) = ([""; REJECTED.len()], 0);
    while i < names.len() {
        names[i] = REJECTED[i].0;
        i += 1;
    }
    names
};

/// Whether a path variable cannot have this name.
pub(crate) fn is_reserved(name: &str) -> bool {
    OPTION_NAMES.contains(&name) || REJECTED_NAMES.contains(&name)
}

/// What replaces a Guzzle option that this crate rejects.
pub(crate) fn replacement(name: &str) -> Option<&'static str> {
    REJECTED.iter().find(|(key, _)| *key == name).map(|(_, instead)| *instead)
}

fn put<T, V: Into<Option<T>>>(slot: &mut Option<T>, value: Result<V, String>) -> Result<(), String> {
    *slot = value?.into();
    Ok(())
}
