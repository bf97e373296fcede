//! Files to upload: the `meta` that is signed and the file that is not.

use std::fmt;
use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::crypto::{hash, random};
use crate::error::Error;
use crate::proto::json_type::kind;
use crate::proto::multipart::{Multipart, Part};
use crate::proto::php_scalar::scalar_text;

/// A file to upload, with its `meta`. Only the `meta` is signed; the file is sent with a known length.
///
/// The default `meta` is `{"filename": "...", "sha256": "..."}`, the digest in lower-case hexadecimal. Endpoints that want
/// another give it with [`meta`](Self::meta).
///
/// On a path of APIv2 (`v2/secapi/mch/uploadmedia`) the file is the part `media`, and the `meta` are the fields beside it, by default
/// `media_hash` (MD5) and `sign_type`; `mch_id` and `sign` are added.
///
/// ```
/// # use wechatpay_chain::sandbox::Sandbox;
/// use serde_json::json;
/// use wechatpay_chain::{Media, Options};
///
/// # let sandbox = Sandbox::start()?;
/// # let client = sandbox.client()?;
/// // An upload is one call.
/// let response = client.chain("v3/merchant/media/upload").post(Media::from_bytes("licence.png", b"...".as_slice()))?;
/// println!("{}", response.json()?["media_id"]);
///
/// // Another meta, and other options besides.
/// let media = Media::from_bytes("licence.png", b"...".as_slice());
/// let meta = json!({ "file_name": "licence.png", "file_digest": media.sha256(), "item_id": 56 });
/// let options = Options::new().with("sub_mchid", "1900000109").media(media.meta(meta));
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[derive(Clone)]
pub struct Media {
    filename: String,
    sha256: String,
    contents: Bytes,
    meta: Option<Value>,
}

impl Media {
    /// A file of the file system, under its own name.
    ///
    /// # Errors
    /// [`ErrorKind::Options`](crate::ErrorKind::Options): the file cannot be read, or has no name.
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

    /// Bytes, under a file name whose extension tells their type.
    pub fn from_bytes(filename: impl Into<String>, contents: impl Into<Bytes>) -> Self {
        let contents = contents.into();
        Media { filename: filename.into(), sha256: hash::sha256(&contents), contents, meta: None }
    }

    /// All that a reader gives, held in memory, since the digest comes before the file.
    ///
    /// # Errors
    /// [`ErrorKind::Options`](crate::ErrorKind::Options) when reading fails.
    pub fn from_reader(filename: impl Into<String>, mut reader: impl Read) -> Result<Self, Error> {
        let (filename, mut contents) = (filename.into(), Vec::new());
        reader.read_to_end(&mut contents).map_err(|source| unreadable(&filename, source))?;
        Ok(Media::from_bytes(filename, contents))
    }

    /// Replaces the whole `meta`.
    #[must_use]
    pub fn meta(mut self, meta: Value) -> Self {
        self.meta = Some(meta);
        self
    }

    /// Adds one field to the `meta`, or replaces it.
    #[must_use]
    pub fn with(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        let mut meta = self.meta.take().unwrap_or_else(|| self.default_meta());
        if !meta.is_object() {
            meta = Value::Object(Map::new());
        }
        meta[field.into()] = value.into();
        self.meta = Some(meta);
        self
    }

    /// The file's SHA-256 in lower-case hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The `meta` that was given.
    pub(crate) fn given_meta(&self) -> Option<&Value> {
        self.meta.as_ref()
    }

    fn default_meta(&self) -> Value {
        json!({ "filename": self.filename, "sha256": self.sha256 })
    }

    /// The parts of APIv3: `meta`, which is signed, and `file`.
    pub(crate) fn multipart(&self, boundary: &str) -> Multipart {
        let meta = self.meta.clone().unwrap_or_else(|| self.default_meta());
        let meta = Part {
            name: "meta".to_owned(),
            filename: None,
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            contents: meta.to_string().into(),
        };
        let file = Part {
            name: "file".to_owned(),
            filename: Some(self.filename.clone()),
            headers: Vec::new(),
            contents: self.contents.clone(),
        };
        Multipart { boundary: boundary.to_owned(), parts: vec![meta, file] }
    }

    /// The parts of APIv2: fields, which are signed, and `media`. Without a `meta` the fields are the digest and the sign type.
    pub(crate) fn multipart_v2(&self, boundary: &str) -> Result<Multipart, Error> {
        let default = json!({ "media_hash": hash::md5(&self.contents), "sign_type": hash::HMAC_SHA256 });
        let meta = self.meta.as_ref().unwrap_or(&default);
        let fields = meta
            .as_object()
            .ok_or_else(|| Error::options("the meta of an upload to APIv2 is an object of its fields"))?;
        let mut parts = Vec::with_capacity(fields.len() + 3);
        for (name, value) in fields {
            let value = scalar_text(value).ok_or_else(|| {
                Error::options(format!("the field {name:?} of the upload is {} where a string is needed", kind(value)))
            })?;
            parts.push(Part::field(name, &value));
        }
        parts.push(Part {
            name: "media".to_owned(),
            filename: Some(self.filename.clone()),
            headers: Vec::new(),
            contents: self.contents.clone(),
        });
        Ok(Multipart { boundary: boundary.to_owned(), parts })
    }
}

/// A boundary that no file holds by chance.
pub(crate) fn boundary() -> Result<String, Error> {
    random::nonce()
}

fn unreadable(name: &str, source: std::io::Error) -> Error {
    Error::options(format!("the upload {name:?} cannot be read: {source}")).with_source(source)
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media")
            .field("filename", &self.filename)
            .field("contents", &format_args!("{} bytes", self.contents.len()))
            .finish_non_exhaustive()
    }
}
