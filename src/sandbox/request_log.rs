//! The log of received requests, and of what the check of their signatures found.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

/// How many requests are kept.
const MAX_REQUESTS: usize = 20_000;
/// How many bytes of request bodies are kept.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;
/// How many signature checks are kept, for the page.
const MAX_CHECKS: usize = 200;
/// How much of a signed message is kept, in characters.
const MAX_MESSAGE_CHARS: usize = 4000;

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

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("method", &self.method)
            .field("target", &self.target)
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

/// The newest requests. They are numbered from 1.
#[derive(Default)]
pub(super) struct RequestLog {
    received: VecDeque<Received>,
    body_bytes: usize,
    /// The newest checks, with the numbers of their requests.
    checks: VecDeque<(u64, SignatureCheck)>,
    count: u64,
}

impl RequestLog {
    pub(super) fn push(&mut self, received: Received, mut check: SignatureCheck) {
        self.count += 1;
        self.body_bytes += received.body.len();
        self.received.push_back(received);
        while self.received.len() > MAX_REQUESTS || (self.body_bytes > MAX_BODY_BYTES && self.received.len() > 1) {
            if let Some(oldest) = self.received.pop_front() {
                self.body_bytes -= oldest.body.len();
            }
        }
        for text in [&mut check.expected, &mut check.signed, &mut check.reason] {
            if let Some((at, _)) = text.char_indices().nth(MAX_MESSAGE_CHARS) {
                text.truncate(at);
                text.push('…');
            }
        }
        self.checks.push_back((self.count, check));
        if self.checks.len() > MAX_CHECKS {
            self.checks.pop_front();
        }
    }

    /// How many requests were received.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The requests that are kept, oldest first.
    pub(super) fn received(&self) -> impl Iterator<Item = &Received> {
        self.received.iter()
    }

    /// The requests whose checks are kept, newest first, with their numbers.
    pub(super) fn checked(&self) -> impl Iterator<Item = (u64, &Received, &SignatureCheck)> {
        // `received` ends with request number `count`.
        let before_first = self.count - self.received.len() as u64;
        self.checks.iter().rev().filter_map(move |(number, check)| {
            let index = usize::try_from(number.checked_sub(before_first + 1)?).ok()?;
            Some((*number, self.received.get(index)?, check))
        })
    }
}
