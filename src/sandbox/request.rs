//! A received request, before routing.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;

/// A received request, with what is known of its connection.
pub(super) struct InboundRequest {
    pub(super) http: Request<Bytes>,
    /// The URI under which the client reaches the sandbox.
    pub(super) base_uri: Arc<str>,
    /// Whether the client presented the merchant's certificate.
    pub(super) has_client_certificate: bool,
    /// The parts of a multipart body; `None` for any other body.
    pub(super) parts: Option<Result<Vec<Part>, String>>,
}

/// A part of a multipart body.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) is_file: bool,
    pub(super) contents: Bytes,
}

impl InboundRequest {
    pub(super) async fn new(http: Request<Bytes>, base_uri: Arc<str>, has_client_certificate: bool) -> Self {
        let parts = match boundary(&http) {
            Some(boundary) => Some(read_parts(http.body(), boundary).await.map_err(|error| error.to_string())),
            None => None,
        };
        InboundRequest { http, base_uri, has_client_certificate, parts }
    }

    pub(super) fn path(&self) -> &str {
        self.http.uri().path()
    }

    /// A header as text.
    pub(super) fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.http.headers().get(name)?.to_str().ok()
    }
}

/// The boundary of a multipart body; `None` for any other body.
fn boundary(request: &Request<Bytes>) -> Option<multer::Result<String>> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.starts_with("multipart/").then(|| {
        multer::parse_boundary(content_type).or_else(|error| {
            // Some SDKs omit the boundary in the header. It is also the first line of the body.
            let first = request.body().strip_prefix(b"--").and_then(|rest| rest.split(|byte| *byte == b'\r').next());
            let boundary =
                first.and_then(|first| std::str::from_utf8(first).ok()).filter(|first| matches!(first.len(), 1..=70));
            boundary.map(str::to_owned).ok_or(error)
        })
    })
}

async fn read_parts(body: &[u8], boundary: multer::Result<String>) -> multer::Result<Vec<Part>> {
    let mut multipart = multer::Multipart::with_reader(body, boundary?);
    let mut parts = Vec::new();
    while let Some(field) = multipart.next_field().await? {
        parts.push(Part {
            name: field.name().unwrap_or_default().to_owned(),
            is_file: field.file_name().is_some(),
            contents: field.bytes().await?,
        });
    }
    Ok(parts)
}
