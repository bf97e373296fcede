//! The request and the response of a web server, for handlers ported from PHP.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value};

use super::Fatal;

/// A request: `$_SERVER['HTTP_...']`, `getallheaders()` and `php://input`.
///
/// ```
/// use wechatpay_chain::{http, php};
///
/// let mut headers = http::HeaderMap::new();
/// headers.insert("wechatpay-nonce", http::HeaderValue::from_static("n"));
/// let request = php::Request::new(&headers, b"{}");
/// assert_eq!(request.header("Wechatpay-Nonce"), "n");
/// assert_eq!(request.all_headers()["Wechatpay-Nonce"], "n");
/// assert_eq!(request.text()?, "{}");
/// # Ok::<(), php::Fatal>(())
/// ```
#[derive(Clone)]
pub struct Request {
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    /// Creates a request from the headers and the unchanged body that the web server received.
    #[must_use]
    pub fn new(headers: &HeaderMap, body: &[u8]) -> Self {
        Request { headers: headers.clone(), body: Bytes::copy_from_slice(body) }
    }

    /// Returns the headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns the body as text.
    ///
    /// # Errors
    /// Fails if the body is not UTF-8.
    pub fn text(&self) -> Result<String, Fatal> {
        std::str::from_utf8(&self.body)
            .map(str::to_owned)
            .map_err(|_| Fatal("the body of the request is not UTF-8".into()))
    }

    /// Returns the value of a header as a string, or null if it is missing. The case of the name
    /// does not matter. Several headers with this name are joined by `", "`, as in PHP.
    #[must_use]
    pub fn header(&self, name: &str) -> Value {
        let values: Vec<_> =
            self.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        if values.is_empty() { Value::Null } else { values.join(", ").into() }
    }

    /// Returns all headers as an array: `getallheaders()`. Names are written like
    /// `Wechatpay-Nonce`.
    #[must_use]
    pub fn all_headers(&self) -> Value {
        let mut array = Map::new();
        for name in self.headers.keys() {
            let words = name.as_str().split('-').map(super::ucfirst).collect::<Vec<_>>();
            array.insert(words.join("-"), self.header(name.as_str()));
        }
        array.into()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("headers", &self.headers.len()).field("body", &self.body.len()).finish()
    }
}

/// The response that `echo`, `header()` and `http_response_code()` write. Clones share the
/// response. It converts into `http::Response<Bytes>`.
///
/// ```
/// use wechatpay_chain::{http, php};
///
/// let output = php::Output::new();
/// output.status(500);
/// output.header("Content-Type: application/json");
/// output.echo("{}");
/// let response = http::Response::<bytes::Bytes>::from(output);
/// assert_eq!(response.status(), 500);
/// assert_eq!(response.headers()["content-type"], "application/json");
/// assert_eq!(response.body(), "{}");
/// ```
#[derive(Clone, Default)]
pub struct Output(Arc<Mutex<Sent>>);

struct Sent {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Default for Sent {
    fn default() -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=UTF-8"));
        Sent { status: StatusCode::OK, headers, body: String::new() }
    }
}

/// Omits the headers and the body.
impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent = self.sent();
        f.debug_struct("Output").field("status", &sent.status).field("body", &sent.body.len()).finish_non_exhaustive()
    }
}

impl Output {
    /// Creates a response with the status 200 and PHP's content type, `text/html; charset=UTF-8`.
    #[must_use]
    pub fn new() -> Self {
        Output::default()
    }

    fn sent(&self) -> MutexGuard<'_, Sent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends text to the body: `echo`.
    pub fn echo(&self, text: &str) {
        self.sent().body.push_str(text);
    }

    /// Sets the status: `http_response_code()`. A number that is not a status is ignored.
    pub fn status(&self, status: i64) {
        if let Some(status) = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok()) {
            self.sent().status = status;
        }
    }

    /// Sets a header, or the status: `header('Name: value')`, `header('HTTP/1.1 404 Not Found')`.
    /// As in PHP, `Location` sets the status 302 unless it is 201 or 3xx, `WWW-Authenticate` sets
    /// 401, and a content type of `text/` without a charset gets `;charset=UTF-8`. A line of
    /// another form is ignored.
    pub fn header(&self, line: &str) {
        if line.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("HTTP/")) {
            return self.status(status_of(line));
        }
        let Some((name, value)) = line.split_once(':') else { return };
        let Ok(name) = HeaderName::from_bytes(name.trim().as_bytes()) else { return };
        let mut value = value.trim().to_owned();
        if name == CONTENT_TYPE && value.starts_with("text/") && !value.contains("charset=") {
            value.push_str(";charset=UTF-8");
        }
        let Ok(value) = HeaderValue::from_str(&value) else { return };
        let mut sent = self.sent();
        if name == LOCATION && !sent.status.is_redirection() && sent.status != StatusCode::CREATED {
            sent.status = StatusCode::FOUND;
        } else if name == WWW_AUTHENTICATE {
            sent.status = StatusCode::UNAUTHORIZED;
        }
        sent.headers.insert(name, value);
    }
}

/// The status of a line such as `HTTP/1.1 404 Not Found`, as PHP reads it: the digits after the
/// first spaces. The result is 200 without a space, and 0 without digits.
fn status_of(line: &str) -> i64 {
    let Some((_, rest)) = line.split_once(' ') else { return 200 };
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end).and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

impl From<Output> for http::Response<Bytes> {
    fn from(output: Output) -> Self {
        let sent = output.sent();
        let mut response = http::Response::new(Bytes::from(sent.body.clone()));
        *response.status_mut() = sent.status;
        response.headers_mut().clone_from(&sent.headers);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values are those of `php -S` of PHP 8.2.
    #[test]
    fn header_sets_what_php_sets() {
        let html = "text/html; charset=UTF-8";
        for (lines, status, content_type) in [
            (&["Location: /x"][..], 302, html),
            (&["HTTP/1.1 201 Created", "Location: /x"], 201, html),
            (&["HTTP/1.1 303 See Other", "location: /x"], 303, html),
            (&["HTTP/1.1 404 Not Found", "Location: /x"], 302, html),
            (&["WWW-Authenticate: Basic"], 401, html),
            (&["http/1.1 404 Not Found"], 404, html),
            (&["HTTP/1.1  404 x"], 404, html),
            (&["Content-Type: text/plain"], 200, "text/plain;charset=UTF-8"),
            (&["Content-Type: text/plain; charset=GBK"], 200, "text/plain; charset=GBK"),
            (&["Content-Type: application/json"], 200, "application/json"),
        ] {
            let output = Output::new();
            for line in lines {
                output.header(line);
            }
            let response = http::Response::<Bytes>::from(output);
            assert_eq!(response.status(), status, "{lines:?}");
            assert_eq!(response.headers()[CONTENT_TYPE], content_type, "{lines:?}");
        }
    }
}
