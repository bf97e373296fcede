//! The options of a call: reserved keys named after Guzzle's request options, and path variables.
//!
//! To add an option: a field of `CallConfig` or `RequestSpec`, one line in `keys.rs` that reads
//! it from JSON, its row in the table of both READMEs, and its section in `docs/manual/options.md`.

pub(crate) mod keys;
pub(crate) mod media;
mod read;

use std::fmt;
use std::io::Write;
use std::path::PathBuf;

use bytes::Bytes;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::crypto::file_digest::FileDigest;
use crate::error::Error;
use crate::proto::json_type::kind;
use crate::proto::request::{RequestBody, exact};
use crate::transport::sink::Sink;
pub(crate) use keys::{OptionFields, is_reserved, replacement};
use media::Media;
pub(crate) use read::{proxy, retry, seconds, text};

/// The options of a call: values of path variables, body, query, headers, and how the request is
/// sent.
///
/// Options are made from a JSON object (`json!({...})`), from `()` for no options, or from a
/// [`Media`] for an upload without other options. Each key is either a reserved option (see the
/// [table](crate#options)) or a variable of the path. Unknown keys are an error before anything is
/// sent.
///
/// The methods set what JSON cannot hold: bytes, types that serialise, files, writers and
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
#[derive(Default)]
pub struct Options {
    pub(crate) fields: OptionFields,
    /// The first error in the options. The verb reports it before anything is sent.
    error: Option<Error>,
}

impl Options {
    /// No options.
    #[must_use]
    pub fn new() -> Self {
        Options::default()
    }

    /// Adds one option by its key, as in the JSON object: a reserved key, or a variable of the
    /// path. The verb reports a wrong value, as [`ErrorKind::Options`](crate::ErrorKind::Options),
    /// before anything is sent.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.set(key.into(), value.into());
        self
    }

    /// The JSON body, from any type that serialises.
    #[must_use]
    pub fn json(mut self, body: &impl Serialize) -> Self {
        match serde_json::to_value(body) {
            Ok(body) => self.set_or_fail("json", |fields| fields.set_body(RequestBody::Json(body))),
            Err(source) => {
                let error = Error::options(format!("the body cannot be serialised to JSON: {source}"));
                self.fail(error.with_source(source));
            }
        }
        self
    }

    /// The raw body. Set its type in the header `Content-Type`:
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
        let body = RequestBody::Raw(body.into());
        self.set_or_fail("body", |fields| fields.set_body(body));
        self
    }

    /// Uploads a file.
    #[must_use]
    pub fn media(mut self, media: Media) -> Self {
        match media::boundary() {
            Ok(boundary) => {
                self.set_or_fail("multipart", |fields| fields.set_body(RequestBody::Media(media.file, boundary)))
            }
            Err(error) => self.fail(error),
        }
        self
    }

    /// Writes the body of a 2xx response to `writer` while it is received. The
    /// [`Response`](crate::Response) then has no body. If the response breaks off, `writer` has
    /// received a part of it. To write a file completely or not at all, give its path as the option
    /// `"sink"`.
    #[must_use]
    pub fn sink(mut self, writer: impl Write + Send + 'static) -> Self {
        let sink = Sink::Writer(Box::new(writer));
        self.set_or_fail("sink", |fields| fields.put_sink(sink));
        self
    }

    /// Calls `progress` while a response is written to a sink, with the number of bytes received
    /// and the length of the whole body, if the response states it.
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
        self.fields.progress = Some(Box::new(progress));
        self
    }

    fn set(&mut self, key: String, value: Value) {
        if let Some(reserved) = keys::KEYS.iter().find(|reserved| reserved.name == key) {
            self.set_or_fail(reserved.name, |fields| (reserved.set)(fields, value));
        } else if let Some(instead) = replacement(&key) {
            self.fail(Error::options(format!("the option {key:?} is not supported: {instead}")));
        } else {
            self.set_or_fail(&key, |_| exact(&value));
            self.fields.spec.variables.insert(key, value);
        }
    }

    pub(crate) fn refuse(mut self, message: String) -> Self {
        self.fail(Error::options(message));
        self
    }

    pub(crate) fn set_path(&mut self, path: PathBuf) {
        self.fields.sink = Some(Sink::Path(path));
    }

    pub(crate) fn check_digest(&mut self, digest: FileDigest) {
        self.fields.digest = Some(digest);
    }

    /// Notes what went wrong with a key.
    fn set_or_fail(&mut self, key: &str, set: impl FnOnce(&mut OptionFields) -> Result<(), String>) {
        if let Err(reason) = set(&mut self.fields) {
            self.fail(Error::options(format!("the option {key:?}: {reason}")));
        }
    }

    fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }

    /// The options, or the first error in them.
    pub(crate) fn checked(mut self) -> Result<OptionFields, Error> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if self.fields.sink.is_some() && self.fields.config.stream {
            return Err(Error::options("the options hold both \"sink\" and \"stream\": give only one"));
        }
        if !self.fields.encrypt.is_empty() && !matches!(self.fields.spec.body, Some(RequestBody::Json(_))) {
            return Err(Error::options(
                "the option \"encrypt\" names fields of the JSON body, and the option \"json\" is missing",
            ));
        }
        if let Some(RequestBody::Json(Value::String(text))) = &self.fields.spec.body {
            if text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(text).is_ok() {
                return Err(Error::options(
                    "the option \"json\" is a string that contains JSON and would be encoded twice: give the object itself, or the string as \"body\"",
                ));
            }
        }
        if self.fields.sink.is_none() && self.fields.progress.is_some() {
            return Err(Error::options("the options hold a progress function, and the option \"sink\" is missing"));
        }
        Ok(self.fields)
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
                "the options are {} and must be an object, such as {{\"json\": {{...}}}}; give () for no options",
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

/// Shows names only, because values may be personal.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("variables", &self.fields.spec.variables.keys().collect::<Vec<_>>())
            .field("body", &self.fields.spec.body.is_some())
            .field("query", &self.fields.spec.query.is_some())
            .field("headers", &self.fields.spec.headers.keys().collect::<Vec<_>>())
            .field("base_uri", &self.fields.config.base_uri)
            .field("timeout", &self.fields.config.timeout)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod options_tests;
#[cfg(test)]
mod request_tests;
