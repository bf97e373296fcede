//! Uploads as the sandbox reads them: the `meta`, which is what is signed, and the file.

use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;

use super::answer::Refusal;

/// The two parts of an upload.
pub(super) struct Upload {
    pub(super) meta: Bytes,
    pub(super) file: Bytes,
}

/// Reads an upload; `None` where the request is none.
pub(super) async fn read(request: &Request<Bytes>) -> Result<Option<Upload>, Refusal> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.starts_with("multipart/") {
        return Ok(None);
    }
    let wrong = |said: String| Refusal::param("body", "", format!("请求body不是合法的multipart/form-data: {said}"));
    let boundary = multer::parse_boundary(content_type).map_err(|error| wrong(error.to_string()))?;
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
