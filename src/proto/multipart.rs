//! Bodies of type `multipart/form-data` (RFC 7578), byte for byte in the layout of the PHP SDK.

use bytes::Bytes;

/// One part of a body.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) filename: Option<String>,
    /// The headers other than `Content-Disposition`, in order. Names and values must be valid: they
    /// are written as they are.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) contents: Bytes,
}

/// A body: its parts and the boundary between them.
#[derive(Clone)]
pub(crate) struct Multipart {
    pub(crate) boundary: String,
    pub(crate) parts: Vec<Part>,
}

/// The only part that the signature of an upload covers.
const SIGNED_PART: &str = "meta";

impl Multipart {
    /// The bytes of the body.
    ///
    /// ```text
    /// --0f0f\r\n
    /// Content-Type: application/json\r\n
    /// Content-Disposition: form-data; name="meta"\r\n
    /// \r\n
    /// {"filename":"image.jpg","sha256":"6e54.."}\r\n
    /// --0f0f\r\n
    /// Content-Disposition: form-data; name="file"; filename="image.jpg"\r\n
    /// Content-Length: 27\r\n
    /// Content-Type: image/jpeg\r\n
    /// \r\n
    /// ...\r\n
    /// --0f0f--\r\n
    /// ```
    pub(crate) fn encode(&self) -> Bytes {
        let size: usize = self.parts.iter().map(|part| part.contents.len() + 512).sum();
        let mut body = Vec::with_capacity(size + 64);
        for part in &self.parts {
            body.extend_from_slice(part.head(&self.boundary).as_bytes());
            body.extend_from_slice(&part.contents);
            body.extend_from_slice(b"\r\n");
        }
        for piece in ["--", &self.boundary, "--\r\n"] {
            body.extend_from_slice(piece.as_bytes());
        }
        body.into()
    }

    /// The value of the header `Content-Type`.
    pub(crate) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// The `meta` part, which is signed instead of the body; `None` if there is none.
    pub(crate) fn signed(&self) -> Option<Bytes> {
        self.parts.iter().find(|part| part.name == SIGNED_PART).map(|part| part.contents.clone())
    }
}

impl Part {
    /// A form field: a name and a value, without further headers.
    pub(crate) fn field(name: &str, value: &str) -> Self {
        Part {
            name: name.to_owned(),
            filename: None,
            headers: Vec::new(),
            contents: Bytes::copy_from_slice(value.as_bytes()),
        }
    }

    /// The boundary and the headers of the part, up to the empty line.
    fn head(&self, boundary: &str) -> String {
        let mut head = format!("--{boundary}\r\n");
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.extend(["Content-Disposition: form-data; name=\"", &quoted(&self.name), "\""]);
        if let Some(filename) = &self.filename {
            head.extend(["; filename=\"", &quoted(filename), "\""]);
        }
        head.push_str("\r\n");
        if let Some(filename) = &self.filename {
            head.push_str(&format!("Content-Length: {}\r\n", self.contents.len()));
            if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                head.extend(["Content-Type: ", content_type(filename), "\r\n"]);
            }
        }
        head.push_str("\r\n");
        head
    }
}

/// Escapes line breaks and quotes of a name as the HTML standard does, and nothing else.
fn quoted(name: &str) -> String {
    name.replace('\r', "%0D").replace('\n', "%0A").replace('"', "%22")
}

/// The media type for the extension of a name.
fn content_type(filename: &str) -> &'static str {
    mime_guess::from_path(filename).first_raw().unwrap_or("application/octet-stream")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, filename: Option<&str>, headers: &[(&str, &str)], contents: &'static [u8]) -> Part {
        Part {
            name: name.to_owned(),
            filename: filename.map(str::to_owned),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            contents: Bytes::from_static(contents),
        }
    }

    #[test]
    fn layout_is_that_of_php() {
        let parts = vec![
            part("meta", None, &[("Content-Type", "application/json")], b"{\"filename\":\"image.jpg\"}"),
            part("file", Some("image.jpg"), &[], b"\xff\xd8"),
        ];
        let multipart = Multipart { boundary: "0f0f".to_owned(), parts };
        assert_eq!(
            multipart.encode(),
            &b"--0f0f\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name=\"meta\"\r\n\r\n\
              {\"filename\":\"image.jpg\"}\r\n--0f0f\r\nContent-Disposition: form-data; name=\"file\"; filename=\"image.jpg\"\r\n\
              Content-Length: 2\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\r\n--0f0f--\r\n"[..]
        );
        assert_eq!(multipart.signed().as_deref(), Some(&b"{\"filename\":\"image.jpg\"}"[..]));
    }

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        let odd = part("file", Some("a\"; name=\"x\r\nX: 1\r\n\r\n中.PNG"), &[], b"");
        let head = odd.head("b");
        assert_eq!(
            head,
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a%22; name=%22x%0D%0AX: 1%0D%0A%0D%0A中.PNG\"\r\n\
             Content-Length: 0\r\nContent-Type: image/png\r\n\r\n"
        );
    }
}
