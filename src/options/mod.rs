//! The options of a call: reserved keys after Guzzle's request options, everything else a variable of the path.
//!
//! To add an option: a field of [`Options`], one line in `keys.rs` that reads it from JSON, and its row in the table of the
//! README. Where the field acts is its own matter; most act in `proto/request.rs`, `client.rs` or `transport.rs`.

mod keys;
mod read;

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderMap;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::connect::Proxy;
use crate::crypto::digest::FileDigest;
use crate::error::Error;
use crate::exchange::Retry;
use crate::media::{self, Media};
use crate::proto::multipart::Multipart;
use crate::proto::target::Base;
use crate::sink::{Progress, Sink};
pub(crate) use keys::{elsewhere, is_reserved, reserved};
pub(crate) use read::{kind, proxy, retry, seconds, text};

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
    pub(crate) base_uri: Option<Base>,
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
    #[cfg(feature = "v2")]
    pub(crate) security: Option<bool>,
    /// APIv2: whether `nonce_str` is left out.
    #[cfg(feature = "v2")]
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
    #[cfg(feature = "v2")]
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
            #[cfg(feature = "v2")]
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
        let Some(Body::Json(json)) = &options.body else { panic!("no JSON") };
        assert_eq!(json.to_string(), r#"{"b":1,"a":2}"#);
        assert_eq!(options.headers.get_all("x-a").iter().count(), 2);
        assert_eq!(options.timeout, Some(Duration::from_millis(400)));
        assert_eq!(options.http_errors, Some(false));
        assert!(Options::from(json!({"json": null, "query": null})).body.is_none());
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
            (json!({"json": {}, "body": "x"}), "two bodies"),
            (json!({"form_params": "a=b"}), "a string where an object"),
            (json!({"body": ["x"]}), "an array where a string"),
            (json!({"multipart": {}}), "a list of parts"),
            (json!({"multipart": []}), "is empty"),
            (json!({"multipart": [{"name": "a"}]}), "no \"contents\""),
            (json!({"multipart": [{"contents": "a"}]}), "no \"name\""),
            (json!({"multipart": [{"name": "a", "contents": []}]}), "\"contents\" is an array"),
            (json!({"multipart": [{"name": "a", "contents": "", "x": 1}]}), "the key \"x\" of a part"),
            (json!({"multipart": [{"name": "a", "contents": "", "headers": {"X": "a\r\nb"}}]}), "line break"),
            (json!({"headers": {"X-A": "1", "x-a": "2"}}), "stands twice"),
            (json!({"headers": {"X-A": []}}), "has no value"),
            (json!({"headers": {"TE": "trailers"}}), "cannot be given"),
            (
                json!({"multipart": [{"name": "a", "contents": "", "headers": {"Content-Disposition": "x"}}]}),
                "follows from",
            ),
            (json!({"sink": 1}), "a number where a string"),
            (json!({"sink": ""}), "is empty"),
            (json!({"sink": "x", "stream": true}), "both \"sink\" and \"stream\""),
            (json!({"stream": 1}), "a number where true or false"),
            (json!({"allow_redirects": 3}), "a number where true, false"),
            (json!({"allow_redirects": {"max": 99}}), "0 to 20"),
            (json!({"allow_redirects": {"referer": true}}), "none of \"max\""),
            (json!({"proxy": 1}), "a number where a URL"),
            (json!({"id": 1e20}), "\"id\": the number 1e+20 is beyond"),
            (json!({"id": [1, -9007199254740992.0]}), "\"id\": the number -9007199254740992.0 is beyond"),
            (json!({"json": {"a": [{"b": 18446744073709551616.0}]}}), "\"json\": the number"),
            (json!({"xml": {"a": 1e17}}), "\"xml\": the number"),
            (json!({"form_params": {"a": 1e17}}), "\"form_params\": the number"),
            (json!({"query": {"a": 1e17}}), "\"query\": the number"),
            (json!({"headers": {"X": 1e17}}), "the header \"X\": the number"),
            (json!({"multipart": [{"name": "a", "contents": 1e17}]}), "\"multipart\": the number"),
            (json!({"connect_timeout": "x"}), "\"connect_timeout\": a string"),
            (json!({"verify": false}), "TLS is always verified"),
            (json!({"handler": 1}), "ClientBuilder::signer"),
        ] {
            let said = said(options.clone());
            assert!(said.contains(words), "{options}: {words:?} not in {said:?}");
        }
        assert!(!said(json!({"headers": {"X": "s3cret\n"}})).contains("s3cret"));
    }

    #[test]
    fn a_number_that_was_rounded_is_refused_and_no_other() {
        let read: Value = serde_json::from_str(r#"{"id": 12345678901234567890123}"#).expect("JSON");
        let error = said(read);
        assert!(
            error.contains("the number 1.2345678901234568e+22 is beyond") && error.ends_with("give it as a string"),
            "{error}"
        );
        let whole = json!({"id": u64::MAX, "json": {"a": i64::MIN, "b": 9007199254740993_u64, "c": 0.1, "d": -9007199254740991.0}});
        let options = Options::from(whole).checked().expect("exact");
        let Some(Body::Json(json)) = &options.body else { panic!("no JSON") };
        assert_eq!(
            json.to_string(),
            r#"{"a":-9223372036854775808,"b":9007199254740993,"c":0.1,"d":-9007199254740991.0}"#
        );
        assert!(Options::new().json(&vec![1e300]).checked().is_err());
        assert!(Options::new().json(&u128::MAX).checked().is_err());
        let media = Media::from_bytes("a", b"".as_slice());
        assert!(Options::new().media(media.clone().with("size", 1e17)).checked().is_err());
        assert!(Options::new().media(media.with("size", 1)).checked().is_ok());
    }

    #[test]
    fn what_means_nothing_here_says_what_to_use_instead() {
        for (key, instead) in keys::ELSEWHERE {
            let mut options = Map::new();
            options.insert((*key).to_owned(), json!(true));
            assert!(said(Value::Object(options)).ends_with(&format!("has no meaning here: {instead}")), "{key}");
        }
    }

    #[test]
    fn the_readmes_have_the_table_of_keys() {
        for readme in [include_str!("../../README.md"), include_str!("../../docs/README.zh-CN.md")] {
            for key in reserved() {
                assert!(readme.contains(&format!("| `{key}` |")), "{key} is not in a table of {}", &readme[..20]);
            }
        }
    }

    #[test]
    fn no_key_stands_twice() {
        let mut names: Vec<_> = reserved().chain(keys::ELSEWHERE.iter().map(|(name, _)| *name)).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(is_reserved("json") && is_reserved("verify") && !is_reserved("card_id"));
    }
}
