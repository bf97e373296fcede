//! The options of a call, and the table of their keys: the reserved keys, and the Guzzle options
//! that this crate rejects.
//!
//! This is the only place in the code that lists the names. The page "Options" of the manual has
//! the same table for users, and a test compares them.

use serde::de::IgnoredAny;
use serde_json::Value;

#[cfg(doc)]
use super::media::Media;
use super::read;
#[cfg(feature = "catalog")]
use crate::catalog::Check;
use crate::error::Error;
use crate::pipeline::call_config::CallConfig;
use crate::proto::excerpt::excerpt;
use crate::proto::json_depth;
use crate::proto::json_type::kind;
use crate::proto::request::{RequestBody, RequestSpec, ReservedNames, exact};
use crate::transport::sink::{FileCheck, Progress, Sink};
use crate::transport::slot::Slot;

/// The options of a call: the values of path variables, the body, the query, the headers, and
/// settings such as time limits.
///
/// Options are usually converted from a JSON object (`json!({...})`). `()` converts to no options,
/// and a [`Media`] to an upload without other options. Each key is either a reserved option or
/// a path variable. Unknown keys are rejected before anything is sent. The reserved options are
/// listed in [the manual][options].
///
/// [options]: https://github.com/wechatpay-chain/wechatpay-chain/blob/main/docs/manual/options.md
///
/// The methods set values that JSON cannot represent: bytes, serializable types, files, writers and
/// functions.
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
///
/// Clones share the writer of [`sink`](Options::sink), which only one call can use.
#[derive(Clone)]
pub struct Options {
    pub(crate) spec: RequestSpec,
    pub(crate) config: CallConfig,
    /// The paths of the fields in the JSON body to encrypt before the request is sent.
    pub(crate) encrypt: Vec<String>,
    #[cfg(feature = "catalog")]
    pub(crate) catalog: CatalogOptions,
    pub(crate) sink: Option<Sink>,
    pub(crate) progress: Option<Progress>,
    /// The check of the file in the sink.
    pub(crate) file_check: Option<Slot<FileCheck>>,
    /// The first error in the options. The verb reports it before anything is sent.
    pub(super) error: Option<Error>,
}

/// The options that need the catalogue.
#[cfg(feature = "catalog")]
#[derive(Clone, Default)]
pub(crate) struct CatalogOptions {
    /// In place of the client's setting.
    pub(crate) check: Option<Check>,
    /// `"encrypt": true`. The call replaces it with the paths of the fields.
    pub(crate) encrypt_documented: bool,
    /// The parameters of the query to encrypt.
    pub(crate) encrypt_query: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            spec: RequestSpec::default(),
            config: CallConfig::DEFAULT,
            encrypt: Vec::new(),
            #[cfg(feature = "catalog")]
            catalog: CatalogOptions::default(),
            sink: None,
            progress: None,
            file_check: None,
            error: None,
        }
    }
}

/// The types that a verb accepts as the options of a call: a JSON object, `()` for no options,
/// [`Options`], or a [`Media`]. `&Value` and `&Options` are cloned, for calls that are repeated.
///
/// ```
/// # use wechatpay_chain::{Chain, Error, IntoOptions, Response};
/// /// Any verb, with a log.
/// fn post(chain: &Chain, options: impl IntoOptions) -> Result<Response, Error> {
///     println!("POST {}", chain.template()?);
///     chain.post(options)
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the options of a call",
    label = "not options",
    note = "the fields of the body belong in `json!({{ \"json\": ... }})`; a value that implements `Serialize` in `Options::new().json(&value)`",
    note = "for a call without options, write `()`"
)]
pub trait IntoOptions {
    /// Converts to options. A mistake in them is the error of the call.
    fn into_options(self) -> Options;
}

impl IntoOptions for Options {
    fn into_options(self) -> Options {
        self
    }
}

impl IntoOptions for Value {
    fn into_options(self) -> Options {
        self.into()
    }
}

impl From<Value> for Options {
    fn from(value: Value) -> Self {
        let mut options = Options::default();
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    options.set(key, value);
                }
            }
            other => {
                options.fail(Error::options(format!(
                    "the options are {} and must be an object, such as {{\"json\": {{...}}}}; give () for no options",
                    kind(&other)
                )));
                json_depth::drop_deep(other);
            }
        }
        options
    }
}

impl Options {
    pub(super) fn set(&mut self, key: String, value: Value) {
        if let Err(reason) = json_depth::check(&value) {
            json_depth::drop_deep(value);
            return self.set_or_keep_error(&key, |_| Err(reason));
        }
        if let Some(reserved) = KEYS.iter().find(|reserved| reserved.name == key) {
            self.set_or_keep_error(reserved.name, |options| (reserved.set)(options, value));
        } else if let Some(instead) = replacement(&key) {
            self.fail(Error::options(format!("the option {key:?} is not supported: {instead}")));
        } else {
            self.set_or_keep_error(&key, |_| exact(&value));
            self.spec.variables.insert(key, value);
        }
    }

    /// Runs the setter of a key, and stores its error, which the verb returns.
    pub(super) fn set_or_keep_error(&mut self, key: &str, set: impl FnOnce(&mut Self) -> Result<(), String>) {
        if let Err(reason) = set(self) {
            self.fail(Error::options(format!("the option {:?}: {reason}", excerpt(key))));
        }
    }

    pub(super) fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }

    /// The options, or the first error in them.
    pub(crate) fn checked(mut self) -> Result<Self, Error> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if self.sink.is_some() && self.config.stream {
            return Err(Error::options("the options hold both \"sink\" and \"stream\": give only one"));
        }
        if !self.encrypt.is_empty() && !matches!(self.spec.body, Some(RequestBody::Json(_))) {
            return Err(Error::options(
                "the option \"encrypt\" names fields of the JSON body, and the option \"json\" is missing: encrypt a value elsewhere, such \
                 as in the query, with Client::encrypt",
            ));
        }
        if let Some(RequestBody::Json(Value::String(text))) = &self.spec.body {
            if text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(text).is_ok() {
                return Err(Error::options(
                    "the option \"json\" is a string that contains JSON and would be encoded twice: give the object itself, or the string as \"body\"",
                ));
            }
        }
        if self.sink.is_none() && self.progress.is_some() {
            return Err(Error::options("the options hold a progress function, and the option \"sink\" is missing"));
        }
        Ok(self)
    }

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

    fn set_encrypt(&mut self, value: Value) -> Result<(), String> {
        #[cfg(feature = "catalog")]
        if value == Value::Bool(true) {
            self.catalog.encrypt_documented = true;
            return Ok(());
        }
        // A second list adds to the first: a field that was named stays encrypted.
        self.encrypt.extend(read::texts(value)?);
        Ok(())
    }

    /// Whether fields are encrypted before the request is sent.
    pub(crate) fn encrypts(&self) -> bool {
        #[cfg(feature = "catalog")]
        if !self.catalog.encrypt_query.is_empty() {
            return true;
        }
        !self.encrypt.is_empty()
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

/// A reserved key and its reader. The reader returns the reason why a value is invalid.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) set: fn(&mut Options, Value) -> Result<(), String>,
}

pub(super) const KEYS: &[Key] = &[
    // The body: at most one of these.
    Key { name: "json", set: |o, v| if v.is_null() { Ok(()) } else { o.set_body(RequestBody::Json(v)) } },
    Key { name: "xml", set: |o, v| if v.is_null() { Ok(()) } else { o.set_body(RequestBody::Xml(read::fields(v)?)) } },
    Key { name: "body", set: |o, v| o.set_body(RequestBody::Raw(read::text(v)?.into())) },
    Key { name: "form_params", set: |o, v| o.set_body(RequestBody::Form(read::object(v)?)) },
    Key { name: "multipart", set: |o, v| o.set_body(RequestBody::Multipart(read::multipart(v)?)) },
    Key { name: "encrypt", set: Options::set_encrypt },
    #[cfg(feature = "catalog")]
    Key { name: "check", set: |o, v| put(&mut o.catalog.check, read::check(&v)) },
    // The request.
    Key { name: "query", set: |o, v| put(&mut o.spec.query, read::query(v)) },
    Key { name: "headers", set: |o, v| read::headers(v, &mut o.spec.headers) },
    Key { name: "base_uri", set: |o, v| put(&mut o.config.base_uri, read::base_uri(&v)) },
    Key { name: "nonceless", set: |o, v| put(&mut o.spec.nonceless, read::nonceless(&v)) },
    // The connection and its limits.
    Key { name: "security", set: |o, v| read::boolean(&v).map(|on| o.config.http.client_certificate = on) },
    Key { name: "timeout", set: |o, v| put(&mut o.config.timeout, read::seconds(&v)) },
    Key { name: "connect_timeout", set: |o, v| put(&mut o.config.http.connect_timeout, read::seconds(&v)) },
    Key { name: "read_timeout", set: |o, v| put(&mut o.config.read_timeout, read::seconds(&v)) },
    Key { name: "proxy", set: |o, v| put(&mut o.config.http.proxy, read::proxy(v).map(Box::new)) },
    Key { name: "retry", set: |o, v| put(&mut o.config.retry, read::retry(&v)) },
    Key { name: "allow_redirects", set: |o, v| read::redirects(&v).map(|redirects| o.config.redirects = redirects) },
    // The response.
    Key { name: "sink", set: |o, v| o.set_sink(read::text(v)?) },
    Key { name: "stream", set: |o, v| read::boolean(&v).map(|on| o.config.stream = on) },
    Key { name: "http_errors", set: |o, v| read::boolean(&v).map(|on| o.config.http_errors = on) },
    Key { name: "debug", set: |o, v| read::boolean(&v).map(|on| o.config.http.debug = on.then(|| "".into())) },
];

/// The Guzzle options that this crate rejects, and their replacements. Path variables cannot have
/// these names either, so that an option in ported PHP code is never silently used as a variable.
pub(super) const REJECTED: &[(&str, &str)] = &[
    ("auth", "every request is signed; the user and password of a proxy are part of the URL of \"proxy\""),
    ("cert", "the client certificate belongs to the settings of the client (merchant), and \"security\" presents it"),
    ("cookies", "the service sets no cookies; a Cookie header can be given in \"headers\""),
    ("crypto_method", "TLS 1.2 and 1.3 are always on"),
    ("curl", "requests are not sent with curl: use \"timeout\", \"connect_timeout\" and \"proxy\""),
    ("decode_content", "responses with Content-Encoding: gzip are always decoded, and verified in both forms"),
    ("delay", "wait before the call, with your runtime's timer"),
    ("expect", "bodies are sent at once"),
    ("force_ip_resolve", "IPv4 and IPv6 are tried in parallel"),
    ("handler", "replace parts of the client with ClientBuilder::signer, ::verifier or ::layer"),
    ("idn_conversion", "write the host of base_uri in ASCII"),
    ("on_headers", "the response headers are in Response::headers"),
    ("on_stats", "add a layer that measures with ClientBuilder::layer"),
    ("progress", "JSON cannot represent a function: give it with Options::progress"),
    (
        "ssl_key",
        "the client certificate belongs to the settings of the client (merchant), and \"security\" presents it",
    ),
    ("stream_context", "PHP streams are not used: use \"timeout\" and \"proxy\""),
    ("synchronous", "call post for a synchronous call, post_async for an asynchronous one"),
    ("verify", "TLS is always verified; add a private authority with ClientBuilder::root_certificate"),
    ("version", "requests are sent over HTTP/1.1"),
];

/// The names in both tables. A path variable cannot have any of them.
pub(crate) const RESERVED: ReservedNames = ReservedNames { options: &OPTION_NAMES, contains: is_reserved };

const OPTION_NAMES: [&str; KEYS.len()] = {
    let (mut names, mut i) = ([""; KEYS.len()], 0);
    while i < names.len() {
        names[i] = KEYS[i].name;
        i += 1;
    }
    names
};

/// Whether this name is reserved, so that a path variable cannot have it.
pub(crate) fn is_reserved(name: &str) -> bool {
    KEYS.iter().any(|key| key.name == name) || REJECTED.iter().any(|(key, _)| *key == name)
}

/// The replacement for a Guzzle option that this crate rejects; `None` for any other name.
pub(crate) fn replacement(name: &str) -> Option<&'static str> {
    REJECTED.iter().find(|(key, _)| *key == name).map(|(_, instead)| *instead)
}

/// Stores the value that a reader returned.
fn put<T, V: Into<Option<T>>>(slot: &mut Option<T>, value: Result<V, String>) -> Result<(), String> {
    *slot = value?.into();
    Ok(())
}
