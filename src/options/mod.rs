//! The options of a call: reserved keys named after Guzzle's request options, and path variables.
//!
//! A new option needs a field of `CallConfig` or `RequestSpec`, one line in `keys.rs` that reads it
//! from JSON, a row in the table, and a section, of both `docs/manual/options` pages.

pub(crate) mod keys;
pub(crate) mod media;
mod read;
mod setters;

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::proto::json_depth;
use crate::proto::request::RequestBody;
use crate::transport::sink::{FileCheck, Sink};
use crate::transport::slot::Slot;
pub use keys::{IntoOptions, Options};
pub(crate) use keys::{is_reserved, replacement};
use media::Media;
pub(crate) use read::{proxy, retry, seconds, text};

impl Options {
    /// Creates empty options.
    #[must_use]
    pub fn new() -> Self {
        Options::default()
    }

    /// Adds one option by its key, as in the JSON object. The key is a reserved option or a path
    /// variable. If the value is invalid, the verb fails with
    /// [`ErrorKind::Options`](crate::ErrorKind::Options) before anything is sent.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.set(key.into(), value.into());
        self
    }

    /// Sets the JSON body, from any serializable type.
    #[must_use]
    pub fn json(mut self, body: &impl Serialize) -> Self {
        if let Err(reason) = json_depth::check_serialize(body) {
            self.set_or_keep_error("json", |_| Err(reason));
            return self;
        }
        match serde_json::to_value(body) {
            Ok(body) => self.set_or_keep_error("json", |options| options.set_body(RequestBody::Json(body))),
            Err(source) => {
                let error = Error::options(format!("the body cannot be serialised to JSON: {source}"));
                self.fail(error.with_source(source));
            }
        }
        self
    }

    /// Sets the raw body. Set its type with the header `Content-Type`:
    ///
    /// ```
    /// # use serde_json::json;
    /// # use wechatpay_chain::{Options, sandbox::Sandbox};
    /// # let sandbox = Sandbox::start()?;
    /// # let client = sandbox.client()?;
    /// let body = br#"{"echo_message":"hello"}"#.as_slice();
    /// let headers = json!({ "Content-Type": "application/json" });
    /// let options = Options::new().body(body).with("headers", headers);
    /// client.chain("v3/security/echo").post(options)?;
    /// assert_eq!(sandbox.requests()[0].body, body);
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        let body = RequestBody::Raw(body.into());
        self.set_or_keep_error("body", |options| options.set_body(body));
        self
    }

    /// Sets a file to upload.
    #[must_use]
    pub fn media(mut self, media: Media) -> Self {
        if let Some(reason) = media.error {
            self.set_or_keep_error("multipart", |_| Err(reason));
            return self;
        }
        match media::boundary() {
            Ok(boundary) => self
                .set_or_keep_error("multipart", |options| options.set_body(RequestBody::Media(media.file, boundary))),
            Err(error) => self.fail(error),
        }
        self
    }

    /// Writes the body of a 2xx response to `writer` as it is received. The
    /// [`Response`](crate::Response) then has no body. If the connection breaks, `writer` has
    /// received only a part of the body. To write a file completely or not at all, pass its path as
    /// the option `"sink"`.
    #[must_use]
    pub fn sink(mut self, writer: impl Write + Send + 'static) -> Self {
        let sink = Sink::Writer(Slot::new(Box::new(writer)));
        self.set_or_keep_error("sink", |options| options.put_sink(sink));
        self
    }

    /// Sets a function that is called while a response is written to a sink. Its arguments are the
    /// number of bytes received and, if the response states it, the length of the whole body.
    ///
    /// ```
    /// # use wechatpay_chain::{Options, sandbox::Sandbox};
    /// # let sandbox = Sandbox::start()?;
    /// # let client = sandbox.client()?;
    /// # sandbox.file("v3/billdownload/file", 100_000);
    /// let options = Options::new()
    ///     .sink(std::io::sink())
    ///     .progress(|received, total| println!("{received} of {total:?}"));
    /// client.chain("v3/billdownload/file").get(options)?;
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    #[must_use]
    pub fn progress(mut self, progress: impl FnMut(u64, Option<u64>) + Send + 'static) -> Self {
        self.progress = Some(Arc::new(Mutex::new(progress)));
        self
    }

    pub(crate) fn refuse(mut self, message: String) -> Self {
        self.fail(Error::options(message));
        self
    }

    /// Fails with the option `query`, for a path that has a query.
    pub(crate) fn refuse_query(self) -> Self {
        match self.spec.query {
            None => self,
            Some(_) => self.refuse(
                "the path has a query, which the option \"query\" would replace: give all parameters in \"query\""
                    .to_owned(),
            ),
        }
    }

    pub(crate) fn set_path(&mut self, path: PathBuf) {
        self.sink = Some(Sink::Path(path));
    }

    /// Checks the file in the sink against a digest from a verified response, after decryption.
    pub(crate) fn check_file(&mut self, check: FileCheck) {
        self.file_check = Some(Slot::new(check));
        self.config.digest_is_known = true;
    }
}

/// Implements [`IntoOptions`] with [`From`].
macro_rules! into_options {
    ($($from:ty)+) => {
        $(impl IntoOptions for $from {
            fn into_options(self) -> Options {
                self.into()
            }
        })+
    };
}

into_options! { () &Value &Options Map<String, Value> Media }

impl From<&Options> for Options {
    fn from(options: &Options) -> Self {
        options.clone()
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
        match value {
            Value::Object(members) => members.iter().fold(Options::new(), |mut options, (key, value)| {
                match json_depth::check(value) {
                    Ok(()) => options.set(key.clone(), value.clone()),
                    Err(reason) => options.set_or_keep_error(key, |_| Err(reason)),
                }
                options
            }),
            // Any other type is an error, which names only the type.
            Value::Array(_) => Options::from(Value::Array(Vec::new())),
            scalar => Options::from(scalar.clone()),
        }
    }
}

impl From<Media> for Options {
    fn from(media: Media) -> Self {
        Options::new().media(media)
    }
}

/// Shows only names, because values may be personal data.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("variables", &self.spec.variables.keys().collect::<Vec<_>>())
            .field("body", &self.spec.body.is_some())
            .field("query", &self.spec.query.is_some())
            .field("headers", &self.spec.headers.keys().collect::<Vec<_>>())
            .field("base_uri", &self.config.base_uri)
            .field("timeout", &self.config.timeout)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod options_tests;
#[cfg(test)]
mod request_tests;
