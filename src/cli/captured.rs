//! Captured messages: files that contain a request or a response as it was received or sent.

use std::io::{self, Read as _};
use std::path::Path;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::failure::Failure;
use super::output;
use crate::clock;
use crate::proto::verify::{MAX_CLOCK_OFFSET, TIMESTAMP};

/// A captured request or response.
pub(super) struct Captured {
    /// The first line, such as `POST /notify HTTP/1.1` or `HTTP/1.1 200 OK`. Empty if the file
    /// begins with the headers.
    pub(super) first_line: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Reads a file, or standard input for `-`.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        let read = io::stdin().lock().read_to_end(&mut bytes);
        read.map_err(|error| Failure::local_io(format!("standard input: {error}")))?;
        return Ok(bytes);
    }
    std::fs::read(file).map_err(|error| Failure::usage(format!("{} cannot be read: {error}", file.display())))
}

/// The note for a signature that covers the body without the line break that an editor adds.
pub(super) const WITHOUT_LINE_BREAK: &str =
    "the signature is valid for the body without the line break at the end of the file";

/// The time at which a message was signed, in seconds since 1970.
pub(super) fn signed_at(headers: &HeaderMap) -> Option<i64> {
    headers.get(TIMESTAMP)?.to_str().ok()?.parse().ok()
}

/// Whether a time is in milliseconds since 1970, and must be in seconds.
pub(super) fn is_in_milliseconds(time: i64) -> bool {
    // Seconds reach 13 digits in the year 33658.
    time >= 1_000_000_000_000
}

/// Prints a note if a message with this time is too old, or too far ahead, to be accepted.
pub(super) fn note_age(signed_at: i64) {
    let age = clock::now().saturating_sub(signed_at);
    if age < -MAX_CLOCK_OFFSET {
        output::note(&format!(
            "the message was signed {} s ahead of this machine's clock: the receiver refuses it more than \
             {MAX_CLOCK_OFFSET} s before its time",
            age.saturating_neg()
        ));
    } else if age > MAX_CLOCK_OFFSET {
        output::note(&format!(
            "the message is {age} s old: a receiver refuses it more than {MAX_CLOCK_OFFSET} s after that time"
        ));
    }
}

impl Captured {
    /// Reads an optional first line, the headers, an empty line, and the body.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        let (mut first_line, mut headers, mut rest) = (String::new(), HeaderMap::new(), bytes);
        let mut is_start = true;
        for number in 1.. {
            let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(|| {
                Failure::usage(
                    "the file has no empty line between the headers and the body: save the request as it was received",
                )
            })?;
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                // Skips the response of a proxy to CONNECT, or an interim response such as 100
                // Continue.
                if !(first_line.starts_with("HTTP/") && rest.starts_with(b"HTTP/")) {
                    break;
                }
                headers.clear();
                is_start = true;
                continue;
            }
            let is_first_line =
                is_start && (line.starts_with(b"HTTP/") || line.windows(6).any(|part| part == b" HTTP/"));
            is_start = false;
            match header(line) {
                _ if is_first_line => first_line = String::from_utf8_lossy(line).into_owned(),
                Some((name, value)) => drop(headers.append(name, value)),
                None => {
                    return Err(Failure::usage(format!(
                        "line {number} of the file is not a header, such as Wechatpay-Serial: PUB_KEY_ID_...: the file begins \
                         with the headers of the request"
                    )));
                }
            }
        }
        Ok(Captured { first_line, headers, body: rest.to_vec() })
    }

    /// The body without the line break that an editor, or `echo`, adds at the end of a file. `None`
    /// if the body does not end with a line break, or if `Content-Length` differs from the length
    /// without it.
    pub(super) fn body_without_line_break(&self) -> Option<&[u8]> {
        let shorter = self.body.strip_suffix(b"\n")?;
        let shorter = shorter.strip_suffix(b"\r").unwrap_or(shorter);
        let has_length = self.headers.contains_key(CONTENT_LENGTH) && !self.headers.contains_key(CONTENT_ENCODING);
        (!has_length || self.content_length() == Some(shorter.len())).then_some(shorter)
    }

    /// The length of the body that the headers state. `None` for an encoded body, because the file
    /// contains the decoded body.
    pub(super) fn content_length(&self) -> Option<usize> {
        let length = self.headers.get(CONTENT_LENGTH).filter(|_| !self.headers.contains_key(CONTENT_ENCODING));
        length?.to_str().ok()?.parse().ok()
    }
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at(colon);
    let value = value.get(1..)?.trim_ascii();
    Some((HeaderName::from_bytes(name.trim_ascii()).ok()?, HeaderValue::from_bytes(value).ok()?))
}
