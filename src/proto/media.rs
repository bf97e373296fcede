//! The parts of an upload: a file and its `meta`, in the layouts of APIv3 and APIv2.

use bytes::Bytes;
use serde_json::{Value, json};

use super::json_type::kind;
use super::multipart::{Multipart, Part};
use super::php_scalar::scalar_text;
use crate::crypto::hash;
use crate::error::Error;

/// A file to upload.
#[derive(Clone)]
pub(crate) struct MediaFile {
    pub(crate) filename: String,
    /// SHA-256 of the contents, in lower-case hexadecimal.
    pub(crate) sha256: String,
    pub(crate) contents: Bytes,
    /// The caller's `meta`, if it is not the default.
    pub(crate) meta: Option<Value>,
}

impl MediaFile {
    /// The default `meta` of APIv3.
    pub(crate) fn default_meta(&self) -> Value {
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
        Multipart { boundary: boundary.to_owned(), parts: vec![meta, self.file_part("file")] }
    }

    /// The parts of APIv2: signed fields, and `media`. The default fields are the MD5 digest and
    /// the sign type.
    pub(crate) fn multipart_v2(&self, boundary: &str) -> Result<Multipart, Error> {
        let default = json!({ "media_hash": hash::md5(&self.contents), "sign_type": hash::HMAC_SHA256 });
        let meta = self.meta.as_ref().unwrap_or(&default);
        let fields = meta
            .as_object()
            .ok_or_else(|| Error::options("the meta of an upload to APIv2 must be an object of its fields"))?;
        let mut parts = Vec::with_capacity(fields.len() + 3);
        for (name, value) in fields {
            let value = scalar_text(value).ok_or_else(|| {
                Error::options(format!("the field {name:?} of the upload is {} where a string is needed", kind(value)))
            })?;
            parts.push(Part::field(name, &value));
        }
        parts.push(self.file_part("media"));
        Ok(Multipart { boundary: boundary.to_owned(), parts })
    }

    fn file_part(&self, name: &str) -> Part {
        Part {
            name: name.to_owned(),
            filename: Some(self.filename.clone()),
            headers: Vec::new(),
            contents: self.contents.clone(),
        }
    }
}
