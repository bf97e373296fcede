//! The options of a call: reserved keys after Guzzle's request options, everything else a variable of the path.
//!
//! To add an option: a field of [`Options`], one line in `keys.rs` that reads it from JSON, and its row in the table of the
//! README. Where the field acts is its own matter; most act in `proto/request.rs`, `client.rs` or `transport.rs`.

mod keys;
pub(crate) mod media;
mod read;

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderMap;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::crypto::file_digest::FileDigest;
use crate::error::Error;
use crate::pipeline::call_config::Retry;
use crate::proto::base_uri::BaseUri;
use crate::proto::json_type::kind;
use crate::proto::multipart::Multipart;
use crate::transport::connect::Proxy;
use crate::transport::sink::{Progress, Sink};
pub(crate) use keys::{elsewhere, is_reserved, reserved};
use media::Media;
pub(crate) use read::{proxy, retry, seconds, text};

/// What a call carries: the values of the path's variables, the body, the query, headers and how to send it.
///
/// Made from a JSON object, `json!({...})`; from `()` where a call needs none; from a [`Media`] where it is an upload and
/// nothing else. A key is either one of the reserved ones (the table is in the [crate's documentation](crate#options)) or a
/// variable of the path; any other is an error before anything is sent.
///
/// The methods are for what JSON cannot hold: bytes, types that serialise, files, writers and functions.
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
    pub(crate) body: Option<Body>,
    /// Paths of the fields in the JSON body that are encrypted before it is sent.
    pub(crate) encrypt: Vec<String>,
    pub(crate) query: Option<Query>,
    /// The caller's headers, which win over the client's own.
    pub(crate) headers: HeaderMap,
    pub(crate) base_uri: Option<BaseUri>,
    /// The whole call's time; zero is no limit.
    pub(crate) timeout: Option<Duration>,
    /// The time to get a connection; zero is no limit.
    pub(crate) connect_timeout: Option<Duration>,
    /// The longest silence while an answer comes; zero is no limit.
    pub(crate) read_timeout: Option<Duration>,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) redirects: Option<Redirects>,
    pub(crate) retry: Option<Retry>,
    pub(crate) sink: Option<Sink>,
    pub(crate) progress: Option<Progress>,
    /// What the file that goes into the sink must be.
    pub(crate) digest: Option<FileDigest>,
    pub(crate) stream: Option<bool>,
    /// APIv2: whether the client certificate is presented.
    pub(crate) security: Option<bool>,
    /// APIv2: whether `nonce_str` is left out.
    pub(crate) nonceless: Option<bool>,
    pub(crate) http_errors: Option<bool>,
    pub(crate) debug: Option<bool>,
    /// The first thing that was wrong; reported by the verb, before anything is sent.
    error: Option<Error>,
}

/// The body of a request, not yet in bytes.
pub(crate) enum Body {
    Json(Value),
    Raw(Bytes),
    Form(Map<String, Value>),
    Multipart(Multipart),
    /// A file to upload and the boundary of its parts, which APIv2 and APIv3 lay out each in their own way.
    Media(Media, String),
    Xml(Map<String, Value>),
}

/// The `query` option: replaces any query of the path.
pub(crate) enum Query {
    Map(Map<String, Value>),
    Text(String),
}

/// The `allow_redirects` option.
#[derive(Clone, Copy, Default)]
pub(crate) struct Redirects {
    /// How many may still be followed.
    pub(crate) left: u8,
    /// Whether a 301 or 302 keeps the method of a request other than GET and HEAD.
    pub(crate) strict: bool,
}

impl Options {
    /// No options.
    #[must_use]
    pub fn new() -> Self {
        Options::default()
    }

    /// Adds one option by its key, as in the JSON object: a reserved key, or a variable of the path. What is wrong with it is an error of the
    /// verb, [`ErrorKind::Options`](crate::ErrorKind::Options), before anything is sent.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.set(key.into(), value.into());
        self
    }

    /// The JSON body, from any type that serialises.
    #[must_use]
    pub fn json(mut self, body: &impl Serialize) -> Self {
        match serde_json::to_value(body) {
            Ok(body) => self.note("json", |options| options.set_body(Body::Json(body))),
            Err(source) => {
                let error = Error::options(format!("the body does not serialise to JSON: {source}"));
                self.fail(error.with_source(source));
            }
        }
        self
    }

    /// The body as it is, whatever it is; its type goes into the header `Content-Type`:
    ///
    /// ```
    /// # use serde_json::json;
    /// # use wechatpay_chain::{Options, sandbox::Sandbox};
    /// # let sandbox = Sandbox::start()?;
    /// # let client = sandbox.client()?;
    /// let body = br#"{"echo_message":"hello"}"#.as_slice();
    /// let options = Options::new().body(body).with("headers", json!({ "Content-Type": "application/json" }));
    /// client.chain("v3/security/echo").post(options)?;
    /// assert_eq!(sandbox.requests()[0].body, body);
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        let body = Body::Raw(body.into());
        self.note("body", |options| options.set_body(body));
        self
    }

    /// The body of an upload.
    #[must_use]
    pub fn media(mut self, media: Media) -> Self {
        match media::boundary() {
            Ok(boundary) => self.note("multipart", |options| options.set_body(Body::Media(media, boundary))),
            Err(error) => self.fail(error),
        }
        self
    }

    /// Where the body of a 2xx answer is written as it comes; the [`Response`](crate::Response) then has none. What was written
    /// of an answer that breaks off stays written: to a file, give its path as the option `"sink"` instead.
    #[must_use]
    pub fn sink(mut self, writer: impl Write + Send + 'static) -> Self {
        let sink = Sink::Writer(Box::new(writer));
        self.note("sink", |options| options.one_sink(sink));
        self
    }

    /// Called while an answer comes into a sink, with the bytes so far and the length of the whole, where the service told it.
    ///
    /// ```
    /// # use wechatpay_chain::{Options, sandbox::Sandbox};
    /// # let sandbox = Sandbox::start()?;
    /// # let client = sandbox.client()?;
    /// # sandbox.file("v3/billdownload/file", 100_000);
    /// let options = Options::new().sink(std::io::sink()).progress(|received, total| println!("{received} of {total:?}"));
    /// client.chain("v3/billdownload/file").get(options)?;
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    #[must_use]
    pub fn progress(mut self, progress: impl FnMut(u64, Option<u64>) + Send + 'static) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }

    fn set(&mut self, key: String, value: Value) {
        if let Some(reserved) = keys::KEYS.iter().find(|reserved| reserved.name == key) {
            self.note(reserved.name, |options| (reserved.set)(options, value));
        } else if let Some(instead) = elsewhere(&key) {
            self.fail(Error::options(format!("the option {key:?} has no meaning here: {instead}")));
        } else {
            self.note(&key, |_| read::exact(&value));
            self.variables.insert(key, value);
        }
    }

    fn set_body(&mut self, body: Body) -> Result<(), String> {
        match &body {
            Body::Json(value) => read::exact(value)?,
            Body::Form(members) => members.values().try_for_each(read::exact)?,
            Body::Xml(members) => members.values().try_for_each(read::exact)?,
            Body::Media(media, _) => media.given_meta().map_or(Ok(()), read::exact)?,
            Body::Raw(_) | Body::Multipart(_) => {}
        }
        match self.body.replace(body) {
            None => Ok(()),
            Some(_) => {
                Err("there are two bodies, and a request has one: give json, xml, body, form_params or multipart"
                    .to_owned())
            }
        }
    }

    fn set_sink(&mut self, path: String) -> Result<(), String> {
        if path.is_empty() {
            return Err("the path is empty".to_owned());
        }
        self.one_sink(Sink::Path(path.into()))
    }

    fn one_sink(&mut self, sink: Sink) -> Result<(), String> {
        match self.sink.replace(sink) {
            None => Ok(()),
            Some(_) => Err("there are two sinks, and an answer goes into one".to_owned()),
        }
    }

    pub(crate) fn refuse(mut self, said: String) -> Self {
        self.fail(Error::options(said));
        self
    }

    pub(crate) fn set_path(&mut self, path: PathBuf) {
        self.sink = Some(Sink::Path(path));
    }

    pub(crate) fn check_digest(&mut self, digest: FileDigest) {
        self.digest = Some(digest);
    }

    /// Notes what went wrong with a key.
    fn note(&mut self, key: &str, set: impl FnOnce(&mut Self) -> Result<(), String>) {
        if let Err(said) = set(self) {
            self.fail(Error::options(format!("the option {key:?}: {said}")));
        }
    }

    fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }

    /// The options, or the first thing that was wrong with them.
    pub(crate) fn checked(mut self) -> Result<Self, Error> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if self.sink.is_some() && self.stream == Some(true) {
            return Err(Error::options(
                "the options hold both \"sink\" and \"stream\", and an answer can go only one way",
            ));
        }
        if !self.encrypt.is_empty() && !matches!(self.body, Some(Body::Json(_))) {
            return Err(Error::options(
                "the option \"encrypt\" names fields of the JSON body, and there is no \"json\"",
            ));
        }
        if let Some(Body::Json(Value::String(text))) = &self.body {
            if text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(text).is_ok() {
                return Err(Error::options(
                    "the option \"json\" is a text that holds JSON, and would be encoded once more: give the object itself, or the text as \"body\"",
                ));
            }
        }
        if self.sink.is_none() && self.progress.is_some() {
            return Err(Error::options(
                "the options hold a progress function and no \"sink\" whose progress it could tell",
            ));
        }
        Ok(self)
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
                "the options are {} where an object is needed, such as {{\"json\": {{...}}}}; give () where there are none",
                kind(&other)
            ))),
        }
        options
    }
}

impl From<Map<String, Value>> for Options {
    fn from(members: Map<String, Value>) -> Self {
        Options::from(Value::Object(members))
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

impl From<Media> for Options {
    fn from(media: Media) -> Self {
        Options::new().media(media)
    }
}

/// Keys only: values may be personal.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("variables", &self.variables.keys().collect::<Vec<_>>())
            .field("body", &self.body.is_some())
            .field("query", &self.query.is_some())
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("base_uri", &self.base_uri)
            .field("timeout", &self.timeout)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod options_tests;
