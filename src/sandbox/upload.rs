//! Uploads as the sandbox reads them: the `meta`, which is what is signed, and the file.

use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;

use super::answer::Refusal;
use crate::proto::v2::Fields;

/// The two parts of an upload.
pub(super) struct Upload {
    pub(super) meta: Bytes,
    pub(super) file: Bytes,
}

/// The parts of an upload of APIv2 that are no files; `None` where the request is none.
pub(super) async fn fields(request: &Request<Bytes>) -> Option<Result<Fields, String>> {
    let boundary = boundary(request)?;
    let read = async {
        let mut parts =
            multer::Multipart::with_reader(&request.body()[..], boundary.map_err(|error| error.to_string())?);
        let mut fields = Fields::new();
        while let Some(part) = parts.next_field().await.map_err(|error| error.to_string())? {
            let (name, is_file) = (part.name().unwrap_or_default().to_owned(), part.file_name().is_some());
            if is_file {
                continue;
            }
            let text = part.text().await.map_err(|error| error.to_string())?;
            if fields.insert(name.clone(), text.into()).is_some() {
                return Err(format!("part {name:?} twice"));
            }
        }
        Ok(fields)
    };
    Some(read.await)
}

fn boundary(request: &Request<Bytes>) -> Option<multer::Result<String>> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.starts_with("multipart/").then(|| {
        multer::parse_boundary(content_type).or_else(|error| {
            // Some SDKs leave the boundary out of the header; it is the first line of the body.
            let first = request.body().strip_prefix(b"--").and_then(|rest| rest.split(|byte| *byte == b'\r').next());
            let boundary =
                first.and_then(|first| std::str::from_utf8(first).ok()).filter(|first| matches!(first.len(), 1..=70));
            boundary.map(str::to_owned).ok_or(error)
        })
    })
}

/// Reads an upload; `None` where the request is none.
pub(super) async fn read(request: &Request<Bytes>) -> Result<Option<Upload>, Refusal> {
    let Some(boundary) = boundary(request) else { return Ok(None) };
    let wrong = |said: String| Refusal::param("body", "", format!("请求body不是合法的multipart/form-data: {said}"));
    let boundary = boundary.map_err(|error| wrong(error.to_string()))?;
    let mut parts = multer::Multipart::with_reader(&request.body()[..], boundary);
    let (mut meta, mut file) = (None, None);
    while let Some(part) = parts.next_field().await.map_err(|error| wrong(error.to_string()))? {
        let name = part.name().unwrap_or_default().to_owned();
        let named = part.file_name().is_some();
        let contents = part.bytes().await.map_err(|error| wrong(error.to_string()))?;
        let slot = match name.as_str() {
            "meta" => &mut meta,
            "file" if named => &mut file,
            _ => return Err(wrong(format!("part {name:?}"))),
        };
        if slot.replace(contents).is_some() {
            return Err(wrong(format!("part {name:?} twice")));
        }
    }
    match (meta, file) {
        (Some(meta), Some(file)) => Ok(Some(Upload { meta, file })),
        (None, _) => Err(wrong("meta".to_owned())),
        (_, None) => Err(wrong("file".to_owned())),
    }
}
