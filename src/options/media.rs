//! Uploads: a file and its `meta`.

use std::fmt;
use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::crypto::{hash, random};
use crate::error::Error;
use crate::proto::json_depth;
use crate::proto::media::MediaFile;

/// A file to upload, and its `meta`. The signature covers only the `meta`.
///
/// The default `meta` is `{"filename": "...", "sha256": "..."}`, with the digest as lower-case
/// hexadecimal digits. If an endpoint requires a different `meta`, set it with
/// [`meta`](Self::meta).
///
/// On an APIv2 path (`v2/secapi/mch/uploadmedia`), the file is the part `media`, and each member of
/// `meta` is a separate part. By default these are `media_hash` (MD5) and `sign_type`. The client
/// adds `mch_id` and `sign`.
///
/// ```
/// # use wechatpay_chain::sandbox::Sandbox;
/// use serde_json::json;
/// use wechatpay_chain::{Media, Options};
///
/// # let sandbox = Sandbox::start()?;
/// # let client = sandbox.client()?;
/// // Upload with the default meta.
/// let media = Media::from_bytes("licence.png", b"\x89PNG...".as_slice());
/// let response = client.chain("v3/merchant/media/upload").post(media)?;
/// println!("{}", response.field::<String>("media_id")?);
///
/// // Upload with a different meta and another option.
/// let media = Media::from_bytes("licence.png", b"\x89PNG...".as_slice());
/// let meta = json!({ "file_name": "licence.png", "file_digest": media.sha256(), "item_id": 56 });
/// let options = Options::new().with("sub_mchid", "1900000109").media(media.meta(meta));
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[derive(Clone)]
pub struct Media {
    pub(crate) file: MediaFile,
    /// The first error in the `meta`. The verb reports it before anything is sent.
    pub(super) error: Option<String>,
}

impl Media {
    /// Reads a file. The upload has the same file name.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Options`](crate::ErrorKind::Options) if the file cannot be read, or
    /// if its name is not UTF-8.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
            Error::options(format!(
                "the upload {} has no file name in UTF-8: read it and name it with Media::from_bytes",
                path.display()
            ))
        })?;
        let contents = std::fs::read(path).map_err(|source| unreadable(&path.display().to_string(), source))?;
        Ok(Media::from_bytes(name, contents))
    }

    /// Creates an upload from bytes. The extension of `filename` determines the media type.
    pub fn from_bytes(filename: impl Into<String>, contents: impl Into<Bytes>) -> Self {
        let contents = contents.into();
        let sha256 = hash::sha256(&contents);
        Media { file: MediaFile { filename: filename.into(), sha256, contents, meta: None }, error: None }
    }

    /// Creates an upload from a reader. All bytes are read into memory, because the digest is sent
    /// before the file.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Options`](crate::ErrorKind::Options) if reading fails.
    pub fn from_reader(filename: impl Into<String>, mut reader: impl Read) -> Result<Self, Error> {
        let (filename, mut contents) = (filename.into(), Vec::new());
        reader.read_to_end(&mut contents).map_err(|source| unreadable(&filename, source))?;
        Ok(Media::from_bytes(filename, contents))
    }

    /// Replaces the whole `meta`.
    #[must_use]
    pub fn meta(mut self, meta: Value) -> Self {
        self.file.meta = self.bounded(meta);
        self
    }

    /// Sets one field of the `meta`.
    #[must_use]
    pub fn with(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        let mut meta = self.file.meta.take().unwrap_or_else(|| self.file.default_meta());
        if !meta.is_object() {
            meta = Value::Object(Map::new());
        }
        meta[field.into()] = self.bounded(value.into()).unwrap_or_default();
        self.file.meta = Some(meta);
        self
    }

    /// Returns the value, unless it is nested too deeply.
    fn bounded(&mut self, value: Value) -> Option<Value> {
        json_depth::bounded(value).map_err(|reason| self.error.get_or_insert(reason).clone()).ok()
    }

    /// Returns the SHA-256 digest of the file as lower-case hexadecimal digits.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.file.sha256
    }
}

/// A random boundary, long enough that it does not occur in a file by chance.
pub(crate) fn boundary() -> Result<String, Error> {
    random::nonce()
}

fn unreadable(name: &str, source: std::io::Error) -> Error {
    Error::options(format!("the upload {name:?} cannot be read: {source}")).with_source(source)
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media")
            .field("filename", &self.file.filename)
            .field("contents", &format_args!("{} bytes", self.file.contents.len()))
            .finish_non_exhaustive()
    }
}
