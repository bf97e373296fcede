//! The parts of an upload: the `meta`, which is signed, and the file.

use bytes::Bytes;

use super::refusal::Refusal;
use super::request::{InboundRequest, Part};

pub(super) struct Upload {
    pub(super) meta: Bytes,
    pub(super) file: Bytes,
}

/// Reads the upload of a request; `None` if its body is not multipart.
///
/// # Errors
/// The body is malformed, or does not consist of `meta` and `file`.
pub(super) fn read(request: &InboundRequest) -> Result<Option<Upload>, Refusal> {
    let malformed =
        |reason: String| Refusal::param("body", "", format!("请求body不是合法的multipart/form-data: {reason}"));
    match &request.parts {
        None => Ok(None),
        Some(Ok(parts)) => from_parts(parts).map(Some).map_err(malformed),
        Some(Err(reason)) => Err(malformed(reason.clone())),
    }
}

fn from_parts(parts: &[Part]) -> Result<Upload, String> {
    let (mut meta, mut file) = (None, None);
    for part in parts {
        let slot = match part.name.as_str() {
            "meta" => &mut meta,
            "file" if part.is_file => &mut file,
            name => return Err(format!("unexpected part {name:?}")),
        };
        if slot.replace(part.contents.clone()).is_some() {
            return Err(format!("part {:?} appears twice", part.name));
        }
    }
    Ok(Upload {
        meta: meta.ok_or_else(|| "part \"meta\" is missing".to_owned())?,
        file: file.ok_or_else(|| "part \"file\" is missing".to_owned())?,
    })
}
