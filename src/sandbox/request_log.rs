//! The log of requests: each request, the result of its signature check, and its response.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::error::{Error, ErrorKind};
use crate::proto::json_decode::{self, FromJson};

use super::mentioned::Mentioned;
use super::query_fields::parameters;
use crate::catalog::{Call, Catalog};
use crate::pipeline::attributes::{CallPath, Target};

/// The maximum number of requests that are kept.
const MAX_REQUESTS: usize = 20_000;
/// The maximum memory of these requests, in bytes: bodies, headers and texts.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// The maximum length of the kept part of a signed message, in characters.
const MAX_MESSAGE_CHARS: usize = 4000;
/// The maximum length of the kept part of a response body, in bytes.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;
/// The memory of a header in addition to its text, in bytes.
const HEADER_BYTES: usize = 64;
/// The longest body that is copied out of a read buffer, in bytes. A longer one has its own memory.
const MAX_BUFFERED_BODY: usize = 16 * 1024;

/// A request as the sandbox received it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Received {
    /// The HTTP method.
    pub method: Method,
    /// Path and query, as in the request line.
    pub target: String,
    /// The headers, including `Authorization`.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The status of the response, before any injected fault.
    pub status: StatusCode,
    /// How the request differs from the tables of the public documentation, in a lenient sandbox.
    pub findings: Vec<String>,
}

impl Received {
    /// Copies the headers and a short body. In hyper, they are parts of the read buffer of their
    /// connection, of at least 8 KiB, which would be kept as long as the request.
    fn release_buffer(&mut self) {
        for value in self.headers.values_mut() {
            if let Ok(mut copy) = HeaderValue::from_bytes(value.as_bytes()) {
                copy.set_sensitive(value.is_sensitive());
                *value = copy;
            }
        }
        if self.body.len() <= MAX_BUFFERED_BODY {
            self.body = Bytes::copy_from_slice(&self.body);
        }
    }

    /// Returns the path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Returns a parameter of the query, decoded.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<String> {
        parameters(self.target.split_once('?')?.1).find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Deserializes the JSON body into `T`.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Decode`] if the body is not JSON or does not match `T`.
    pub fn json<T: FromJson>(&self) -> Result<T, Error> {
        json_decode::from_slice(&self.body)
            .map_err(|reason| Error::new(ErrorKind::Decode, format!("the body of the request: {reason}")))
    }

    pub(super) fn new(request: http::Request<Bytes>, status: StatusCode, findings: Vec<String>) -> Self {
        let (parts, body) = request.into_parts();
        Received {
            target: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            method: parts.method,
            headers: parts.headers,
            body,
            status,
            findings,
        }
    }
}

/// Omits the values of path, query and headers, and the body.
impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = CallPath { text: self.path(), is_run_time_text: true };
        let template = || Catalog::builtin().find(&self.method, self.path())?.template();
        f.debug_struct("Received")
            .field("method", &self.method)
            .field("path", &format_args!("{}", Target(path.label(template))))
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// The result of checking the signature of a request. The default is that of a request without a
/// readable signature.
#[derive(Clone, Default)]
pub(super) struct SignatureCheck {
    pub(super) valid: bool,
    /// The message that should have been signed; empty if it cannot be built.
    pub(super) expected: String,
    /// The message that was signed instead; empty if it is unknown.
    pub(super) signed: String,
    /// Why the signature is not valid.
    pub(super) reason: String,
}

impl SignatureCheck {
    /// The result in one word: `valid`, `invalid` or `unreadable`.
    pub(super) fn as_str(&self) -> &'static str {
        match (self.valid, self.expected.is_empty() && self.reason.is_empty()) {
            (true, _) => "valid",
            (false, false) => "invalid",
            (false, true) => "unreadable",
        }
    }

    fn shorten(&mut self) {
        for text in [&mut self.expected, &mut self.signed, &mut self.reason] {
            if let Some((at, _)) = text.char_indices().nth(MAX_MESSAGE_CHARS) {
                text.truncate(at);
                text.push('…');
            }
        }
    }
}

/// A response as it was sent, after any injected fault.
pub(super) struct SentResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The beginning of the body.
    pub(super) body: Bytes,
    /// The length of the whole body.
    pub(super) length: u64,
    /// The injected fault.
    pub(super) fault: Option<String>,
}

impl SentResponse {
    pub(super) fn new(response: &http::Response<Bytes>, length: u64, fault: Option<String>) -> Self {
        let body = response.body();
        let body = match body.get(..MAX_RESPONSE_BYTES) {
            // This is a copy, so that the memory of the rest of the body is freed.
            Some(beginning) => Bytes::copy_from_slice(beginning),
            None => body.clone(),
        };
        SentResponse { status: response.status(), headers: response.headers().clone(), body, length, fault }
    }

    pub(super) fn request_id(&self) -> &str {
        self.headers.get("request-id").and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A request with its response.
pub(super) struct LoggedCall {
    /// The number of the request, from 1.
    pub(super) number: u64,
    /// The time at which the request was received, in milliseconds since 1970.
    pub(super) at: u64,
    /// The time until the sandbox began to send the response.
    pub(super) elapsed: Option<Duration>,
    /// The URI under which the client reached the sandbox.
    pub(super) base_uri: Arc<str>,
    pub(super) has_client_certificate: bool,
    pub(super) received: Received,
    pub(super) check: SignatureCheck,
    pub(super) response: SentResponse,
    /// The documentation of the call.
    pub(super) call: Option<&'static Call>,
    pub(super) mentioned: Mentioned,
}

impl LoggedCall {
    /// The approximate memory of the entry, in bytes.
    fn bytes(&self) -> usize {
        let headers = |headers: &HeaderMap| {
            headers.iter().map(|(name, value)| HEADER_BYTES + name.as_str().len() + value.len()).sum::<usize>()
        };
        let SignatureCheck { expected, signed, reason, .. } = &self.check;
        let texts = [&self.received.target, expected, signed, reason].into_iter().chain(&self.received.findings);
        headers(&self.received.headers)
            + headers(&self.response.headers)
            + self.received.body.len()
            + self.response.body.len()
            + texts.map(String::len).sum::<usize>()
            + self.mentioned.bytes()
            + size_of::<LoggedCall>()
    }
}

/// The newest requests.
#[derive(Default)]
pub(super) struct RequestLog {
    calls: VecDeque<LoggedCall>,
    bytes: usize,
    count: u64,
}

impl RequestLog {
    /// The number of the next request.
    pub(super) fn next_number(&self) -> u64 {
        self.count + 1
    }

    pub(super) fn push(&mut self, mut call: LoggedCall) {
        self.count += 1;
        call.check.shorten();
        call.received.release_buffer();
        self.bytes += call.bytes();
        self.calls.push_back(call);
        while self.calls.len() > MAX_REQUESTS || (self.bytes > MAX_BYTES && self.calls.len() > 1) {
            if let Some(oldest) = self.calls.pop_front() {
                self.bytes -= oldest.bytes();
            }
        }
    }

    /// Records the duration of a call.
    pub(super) fn set_elapsed(&mut self, number: u64, elapsed: Duration) {
        if let Some(call) = self.index(number).and_then(|index| self.calls.get_mut(index)) {
            call.elapsed = Some(elapsed);
        }
    }

    /// The number of requests that were received.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The requests that are kept, oldest first.
    pub(super) fn calls(&self) -> impl DoubleEndedIterator<Item = &LoggedCall> + ExactSizeIterator {
        self.calls.iter()
    }

    /// The requests that are kept and have a higher number than `number`, oldest first.
    pub(super) fn calls_after(&self, number: u64) -> impl Iterator<Item = &LoggedCall> {
        self.calls.range(self.index(number.saturating_add(1)).unwrap_or_default().min(self.calls.len())..)
    }

    pub(super) fn get(&self, number: u64) -> Option<&LoggedCall> {
        self.calls.get(self.index(number)?)
    }

    fn index(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.calls.front()?.number)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(number: u64, target: &str, body: usize) -> LoggedCall {
        let request = http::Request::builder().uri(target).body(Bytes::from(vec![b'x'; body])).expect("request");
        let response = http::Response::new(Bytes::from(vec![b'y'; body]));
        LoggedCall {
            number,
            at: 0,
            elapsed: None,
            base_uri: "http://127.0.0.1/".into(),
            has_client_certificate: false,
            received: Received::new(request, StatusCode::OK, Vec::new()),
            check: SignatureCheck { expected: "中".repeat(body), ..SignatureCheck::default() },
            response: SentResponse::new(&response, body as u64, None),
            call: None,
            mentioned: Mentioned::default(),
        }
    }

    #[test]
    fn the_memory_of_the_log_is_bounded() {
        let mut log = RequestLog::default();
        // Each case exceeds one limit: by its bodies, its targets, or the number of requests.
        for (target, body, count) in
            [("/", 3_000_000, 60), (&*format!("/{}", "a".repeat(60_000)), 1, 1500), ("/", 1, 21_000)]
        {
            for _ in 0..count {
                log.push(call(log.next_number(), target, body));
                assert!(log.calls.len() == 1 || log.bytes <= MAX_BYTES);
            }
            assert_eq!(log.bytes, log.calls.iter().map(LoggedCall::bytes).sum::<usize>());
        }
        assert_eq!(log.calls.len(), MAX_REQUESTS);
        assert_eq!(log.count(), 60 + 1500 + 21_000);
        assert!(log.get(log.count()).is_some() && log.get(log.count() + 1).is_none() && log.get(1).is_none());
    }

    /// In hyper, each value of a header is a part of the read buffer.
    #[test]
    fn a_read_buffer_is_released() {
        let buffer = Bytes::from(vec![b'x'; 8192]);
        let mut kept = call(1, "/", 0);
        let value = HeaderValue::from_maybe_shared(buffer.slice(..10)).expect("a value");
        kept.received.headers.insert("a", value);
        kept.received.body = buffer.slice(10..20);
        let mut log = RequestLog::default();
        log.push(kept);
        assert!(buffer.is_unique(), "nothing keeps the buffer");
        assert_eq!(log.get(1).expect("the call").received.headers["a"], "xxxxxxxxxx");
    }

    #[test]
    fn texts_and_responses_are_cut() {
        let mut log = RequestLog::default();
        log.push(call(1, "/", 100_000));
        let call = log.get(1).expect("the call");
        assert_eq!(call.check.expected.chars().count(), MAX_MESSAGE_CHARS + 1);
        assert_eq!((call.response.body.len(), call.response.length), (MAX_RESPONSE_BYTES, 100_000));
        assert_eq!(call.received.body.len(), 100_000);
    }
}
