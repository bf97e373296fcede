//! Downloads of bills and other files whose URL and digest are given in a response.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use flate2::read::MultiGzDecoder;
use http::Method;
use serde_json::Value;

use crate::client::inner::ClientInner;
use crate::crypto::file_digest::{Algorithm, FileDigest};
use crate::crypto::gcm_decryptor::GcmDecryptor;
use crate::error::{Error, ErrorKind};
use crate::options::Options;
use crate::pipeline::http_service::MAX_BODY;
use crate::pipeline::response::Response;
use crate::pipeline::send::Promise;
use crate::proto::excerpt;
use crate::proto::json_depth;
use crate::proto::template::path_for_messages;
use crate::transport::sink::FileCheck;

/// The download of a file. [`Client::download`](crate::Client::download) creates it from the
/// response that describes the file.
///
/// The file is written as received, so it is compressed if the bill was requested with the
/// `tar_type` `GZIP`. The digest of the decompressed file is computed and compared with the
/// response's `hash_value`, because WeChat Pay computes it before compression. [`save`](Self::save)
/// writes to a temporary file, and renames it only if the digest matches. Source: WeChat Pay,
/// "申请交易账单" and "下载账单".
///
/// The bills of sub-merchants are encrypted. The merchant's private key decrypts their
/// `encrypt_key`, and the file is decrypted with AEAD_AES_256_GCM as it is received. It is saved
/// only if its authentication tag is valid, and if the digest of the decrypted and decompressed
/// file is the `hash_value`. Source: WeChat Pay, "下载单个子商户/二级商户资金账单",
/// and the comment on `hash_value` in the Java SDK.
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
/// # let name = format!("wechatpay-chain-bill-{}.csv", std::process::id());
/// # let path = std::env::temp_dir().join(name);
/// let query = json!({ "bill_date": "2026-11-01" });
/// let bill = client.chain("v3/bill/tradebill").get(json!({ "query": query }))?;
/// client.download(&bill)?
///     .progress(|received, total| println!("{received} of {total:?} bytes"))
///     .save(&path)?;
/// # assert_eq!(std::fs::metadata(&path)?.len(), 1000);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a download does nothing until save, write or text is called"]
pub struct Download {
    inner: Arc<ClientInner>,
    url: String,
    check: FileCheck,
    options: Options,
}

/// The first bytes of a gzip file.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// The fields of a response that offers encrypted files.
const COUNT: &str = "download_bill_count";
const LIST: &str = "download_bill_list";

fn decryptor(key: &[u8], nonce: &str) -> Result<GcmDecryptor, Error> {
    let decryptor = <&[u8; 32]>::try_from(key).ok().and_then(|key| GcmDecryptor::new(key, nonce.as_bytes()));
    decryptor.ok_or_else(|| {
        Error::options(format!(
            "the encrypt_key of the response has {} bytes, and AEAD_AES_256_GCM needs 32: give this algorithm in the query; \
             SM4_GCM is not supported",
            key.len()
        ))
    })
}

impl Download {
    /// The download of the only file that a response offers.
    pub(crate) fn new(inner: &Arc<ClientInner>, response: &Response) -> Result<Self, Error> {
        let mut all = Download::all(inner, response)?;
        let count = all.len();
        all.pop().filter(|_| count == 1).ok_or_else(|| {
            Error::options(format!(
                "the response offers {count} files: use Client::downloads, and join the files in its order"
            ))
        })
    }

    /// The downloads of the files that a response offers, in their order.
    pub(crate) fn all(inner: &Arc<ClientInner>, response: &Response) -> Result<Vec<Self>, Error> {
        if !response.is_verified() {
            return Err(Error::options(
                "the response is not verified, so the digest in it cannot be trusted: use the response of a successful call",
            ));
        }
        let json: Value = response.json()?;
        if json.get(COUNT).is_none() && json.get(LIST).is_none() {
            return Ok(vec![Download::file(inner, &json)?]);
        }
        let mut files: Vec<&Value> = json.get(LIST).and_then(Value::as_array).into_iter().flatten().collect();
        let sequence = |file: &Value| file.get("bill_sequence").and_then(Value::as_u64);
        files.sort_by_key(|file| sequence(file));
        let is_complete = files.iter().zip(1..).all(|(file, number)| sequence(file) == Some(number));
        if !is_complete || json.get(COUNT).and_then(Value::as_u64) != Some(files.len() as u64) {
            return Err(Error::options(
                "the download_bill_list of the response is incomplete: its length is not the download_bill_count, or a \
                 bill_sequence is missing",
            ));
        }
        files.into_iter().map(|file| Download::file(inner, file)).collect()
    }

    fn file(inner: &Arc<ClientInner>, json: &Value) -> Result<Self, Error> {
        let optional = |name: &str| json.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let field = |name: &str| {
            optional(name).ok_or_else(|| {
                Error::options(format!(
                    "the response has no {name}: a download needs a response such as that of v3/bill/tradebill, with download_url, \
                     hash_type and hash_value"
                ))
            })
        };
        let (url, kind, expected) = (field("download_url")?, field("hash_type")?, field("hash_value")?);
        let algorithm = Algorithm::from_name(kind).ok_or_else(|| {
            Error::options(format!(
                "the hash_type of the response is {}, and only SHA1 and SHA256 can be checked: call the URL with the \
                 option \"sink\" instead",
                excerpt::name(kind)
            ))
        })?;
        let digest = FileDigest::new(algorithm, expected);
        let decryptor = match optional("encrypt_key") {
            Some(encrypted) => Some(decryptor(&inner.decrypt(encrypted)?, field("nonce")?)?),
            None => None,
        };
        let check = FileCheck { digest, decryptor };
        Ok(Download { inner: Arc::clone(inner), url: url.to_owned(), check, options: Options::new() })
    }

    /// Sets a function that is called while the file is received. Its arguments are the number of
    /// bytes received and, if the response states it, the length of the whole file.
    pub fn progress(mut self, progress: impl FnMut(u64, Option<u64>) + Send + 'static) -> Self {
        self.options = self.options.progress(progress);
        self
    }

    /// Adds an option of the call: `timeout`, `connect_timeout`, `read_timeout`, `proxy`, `headers`
    /// or `debug`. For any other option or an invalid value, [`save`](Self::save) and
    /// [`write`](Self::write) fail with [`ErrorKind::Options`].
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        let key = key.into();
        self.options = match key.as_str() {
            "timeout" | "connect_timeout" | "read_timeout" | "proxy" | "headers" | "debug" => {
                self.options.with(key, value)
            }
            _ => {
                json_depth::drop_deep(value.into());
                self.options.refuse(format!("the option {key:?} does not apply to a download"))
            }
        };
        self
    }

    /// Saves the file at `path`, and blocks this thread until it is complete. If the download
    /// fails, `path` is left unchanged.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Verification`] if the digest does not match; with
    /// [`ErrorKind::Sink`] if the file cannot be written; and with the errors of
    /// [`Chain::get`](crate::Chain::get).
    pub fn save(self, path: impl Into<PathBuf>) -> Result<Response, Error> {
        self.save_async(path).wait()
    }

    /// The asynchronous form of [`save`](Self::save).
    pub fn save_async(mut self, path: impl Into<PathBuf>) -> Promise<Response> {
        self.options.set_path(path.into());
        self.send()
    }

    /// Writes the file to `writer` as it is received, and blocks this thread until it is complete.
    /// The digest is checked at the end. If this method fails, do not use the data that `writer`
    /// has received. For a file in memory, use [`text`](Self::text).
    ///
    /// `writer` is `Send + 'static`, because a thread of its own writes to it: a writer that may
    /// block does not delay the connection. A `&mut Vec<u8>` is therefore not accepted.
    ///
    /// # Errors
    /// The same as for [`save`](Self::save).
    pub fn write(self, writer: impl Write + Send + 'static) -> Result<Response, Error> {
        self.write_async(writer).wait()
    }

    /// The asynchronous form of [`write`](Self::write).
    pub fn write_async(mut self, writer: impl Write + Send + 'static) -> Promise<Response> {
        self.options = self.options.sink(writer);
        self.send()
    }

    /// Returns the file as text, and blocks this thread until it is complete. The text is returned
    /// only after the digest has been checked. A file that was requested as gzip is decompressed.
    /// [`Bill::parse`](crate::Bill::parse) reads the text of a bill.
    ///
    /// ```
    /// # use serde_json::json;
    /// # use wechatpay_chain::{Client, sandbox::Sandbox};
    /// # fn main() -> Result<(), wechatpay_chain::Error> {
    /// # let sandbox = Sandbox::start()?;
    /// # let client = sandbox.client()?;
    /// # let sha1 = sandbox.file("v3/billdownload/file", 1000);
    /// # sandbox.stub("GET", "v3/bill/tradebill", 200, json!({
    /// #     "download_url": format!("{}v3/billdownload/file?token=x", sandbox.base_uri()),
    /// #     "hash_type": "SHA1", "hash_value": sha1,
    /// # }));
    /// let query = json!({ "bill_date": "2026-11-01" });
    /// let bill = client.chain("v3/bill/tradebill").get(json!({ "query": query }))?;
    /// let text = client.download(&bill)?.text()?;
    /// # assert_eq!(text.len(), 1000);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Verification`] if the digest does not match; with
    /// [`ErrorKind::TooLarge`] if the file, as received or decompressed, is longer than 16 MiB, the
    /// limit for a body in memory; with [`ErrorKind::Decode`] if it is not UTF-8; and with the
    /// errors of [`Chain::get`](crate::Chain::get).
    pub fn text(self) -> Result<String, Error> {
        self.text_async().wait()
    }

    /// The asynchronous form of [`text`](Self::text).
    pub fn text_async(self) -> Promise<String> {
        let buffer = Buffer::default();
        let path = path_for_messages(&self.url).to_string();
        let written = self.write_async(buffer.clone());
        Promise::new(async move {
            let failed = |error: Error| error.with_call(&Method::GET, &path);
            match written.await {
                Ok(_) => text_of(buffer.take().bytes).map_err(failed),
                Err(_) if buffer.take().is_full => Err(failed(too_long())),
                Err(error) => Err(error),
            }
        })
    }

    fn send(self) -> Promise<Response> {
        let Download { inner, url, check, mut options } = self;
        options.check_file(check);
        inner.call_uri(Method::GET, &url, options)
    }
}

/// The bytes of a file in memory, at most [`MAX_BODY`]. Clones share them.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Contents>>);

#[derive(Default)]
struct Contents {
    bytes: Vec<u8>,
    /// The file is longer than the limit.
    is_full: bool,
}

impl Buffer {
    fn take(&self) -> Contents {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut contents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        contents.is_full = bytes.len() > MAX_BODY.saturating_sub(contents.bytes.len());
        if contents.is_full {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        contents.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The text of a file whose digest was checked. A gzip file is decompressed, up to the limit.
fn text_of(bytes: Vec<u8>) -> Result<String, Error> {
    let bytes = if bytes.starts_with(GZIP) {
        let mut text = Vec::new();
        let limit = MAX_BODY as u64 + 1;
        MultiGzDecoder::new(&bytes[..]).take(limit).read_to_end(&mut text).map_err(|source| {
            Error::new(ErrorKind::Decode, "the file begins as gzip and cannot be decompressed").with_source(source)
        })?;
        text
    } else {
        bytes
    };
    if bytes.len() > MAX_BODY {
        return Err(too_long());
    }
    String::from_utf8(bytes)
        .map_err(|_| Error::new(ErrorKind::Decode, "the file is not UTF-8 text: save it with Download::save"))
}

fn too_long() -> Error {
    let message = format!(
        "the file is longer than {MAX_BODY} bytes, the limit for a file in memory: save it with Download::save"
    );
    Error::new(ErrorKind::TooLarge, message)
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The query contains a token that grants access to the file.
        f.debug_struct("Download").field("url", &path_for_messages(&self.url)).finish_non_exhaustive()
    }
}
