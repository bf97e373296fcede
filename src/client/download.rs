//! Bills and other files whose address and digest come in an answer.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use http::Method;
use serde_json::Value;

use crate::client::inner::ClientInner;
use crate::crypto::file_digest::{Algorithm, FileDigest};
use crate::error::Error;
use crate::options::Options;
use crate::pipeline::promise::Promise;
use crate::pipeline::response::Response;

/// A file that the service offers for download: made by [`Client::download`] from the answer that
/// announces it.
///
/// The file is written as it comes, gzip if it was asked for as gzip. Its digest is compared with
/// the one in the answer, which the service made of the plain file; until it fits, no file stands
/// under the final name.
///
/// ```
/// # use serde_json::json;
/// # use wechatpay_chain::sandbox::Sandbox;
/// # let sandbox = Sandbox::start()?;
/// # let client = sandbox.client()?;
/// # let sha1 = sandbox.file("v3/billdownload/file", 1000);
/// # sandbox.stub("GET", "v3/bill/tradebill", 200, json!({
/// #     "download_url": format!("{}v3/billdownload/file?token=x", sandbox.base_uri()),
/// #     "hash_type": "SHA1", "hash_value": sha1,
/// # }));
/// # let path = std::env::temp_dir().join(format!("wechatpay-chain-bill-{}.csv", std::process::id()));
/// let answer = client.chain("v3/bill/tradebill").get(json!({ "query": { "bill_date": "2026-11-01" } }))?;
/// client.download(&answer)?
///     .progress(|received, total| println!("{received} of {total:?} bytes"))
///     .save(&path)?;
/// # assert_eq!(std::fs::metadata(&path)?.len(), 1000);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a download does nothing until it is saved or written"]
pub struct Download {
    inner: Arc<ClientInner>,
    url: String,
    digest: FileDigest,
    options: Options,
}

impl Download {
    pub(crate) fn new(inner: &Arc<ClientInner>, answer: &Response) -> Result<Self, Error> {
        if !answer.is_verified() {
            return Err(Error::options(
                "the answer is not verified, and the digest in it would prove nothing: take the answer of a call that succeeded",
            ));
        }
        let json = answer.json()?;
        let field = |name: &str| {
            let text = json.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
            text.ok_or_else(|| {
                Error::options(format!(
                    "the answer has no {name}: a download needs the answer of v3/bill/tradebill or the like, with download_url, \
                     hash_type and hash_value"
                ))
            })
        };
        let (url, kind, expected) = (field("download_url")?, field("hash_type")?, field("hash_value")?);
        let algorithm = Algorithm::from_name(kind).ok_or_else(|| {
            Error::options(format!(
                "the answer's hash_type is {kind:?}, and SHA1 and SHA256 can be checked: call the URL with a \"sink\""
            ))
        })?;
        let digest = FileDigest::new(algorithm, expected);
        Ok(Download { inner: Arc::clone(inner), url: url.to_owned(), digest, options: Options::new() })
    }

    /// Called as the file comes, with the bytes so far and the length of the whole, where the
    /// service told it.
    pub fn progress(mut self, progress: impl FnMut(u64, Option<u64>) + Send + 'static) -> Self {
        self.options = self.options.progress(progress);
        self
    }

    /// Another option of the call: `timeout`, `connect_timeout`, `read_timeout`, `proxy`, `headers`
    /// or `debug`.
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        let key = key.into();
        self.options = match key.as_str() {
            "timeout" | "connect_timeout" | "read_timeout" | "proxy" | "headers" | "debug" => {
                self.options.with(key, value)
            }
            _ => self.options.refuse(format!("the option {key:?} does not fit a download of a file that is announced")),
        };
        self
    }

    /// Saves the file at `path`, complete and checked, or not at all. Blocks this thread.
    ///
    /// # Errors
    /// Those of [`Chain::get`](crate::Chain::get);
    /// [`ErrorKind::Verification`](crate::ErrorKind::Verification) when the digest does not fit,
    /// [`ErrorKind::Sink`](crate::ErrorKind::Sink) when the file cannot be written.
    pub fn save(self, path: impl Into<PathBuf>) -> Result<Response, Error> {
        self.save_async(path).wait()
    }

    /// [`save`](Self::save), asynchronously.
    pub fn save_async(mut self, path: impl Into<PathBuf>) -> Promise<Response> {
        self.options.set_path(path.into());
        self.send()
    }

    /// Writes the file to `writer` as it comes. What it got before an error was found is not to be
    /// trusted. Blocks this thread.
    ///
    /// # Errors
    /// Those of [`save`](Self::save).
    pub fn write(self, writer: impl Write + Send + 'static) -> Result<Response, Error> {
        self.write_async(writer).wait()
    }

    /// [`write`](Self::write), asynchronously.
    pub fn write_async(mut self, writer: impl Write + Send + 'static) -> Promise<Response> {
        self.options = self.options.sink(writer);
        self.send()
    }

    fn send(self) -> Promise<Response> {
        let Download { inner, url, digest, mut options } = self;
        options.check_digest(digest);
        inner.call_uri(Method::GET, &url, options)
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL holds a token that is as good as the file.
        let path = self.url.split('?').next().unwrap_or_default();
        f.debug_struct("Download").field("url", &path).finish_non_exhaustive()
    }
}
