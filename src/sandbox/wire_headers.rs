//! The headers of every response, as the service sends them: their names, order of letters and
//! values.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_LANGUAGE, HeaderValue, SERVER, X_CONTENT_TYPE_OPTIONS};
use http::{Extensions, HeaderMap, Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;

use super::signature::header_value;
use crate::crypto::{hex, random};
use crate::error::Error;

/// How long an idle connection is kept open, as `Keep-Alive` announces.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(8);

/// The spelling of the header names that are not in title case, in the form in which hyper writes
/// them: insert a clone into the extensions of a response.
///
/// The type of this extension is private to hyper. A connection with `preserve_header_case` stores
/// it in a received request, so one request over a connection in memory produces it.
pub(super) async fn header_names() -> Extensions {
    let (mut client, server) = tokio::io::duplex(1024);
    let received = Arc::new(Mutex::new(Extensions::new()));
    let store = Arc::clone(&received);
    let service = service_fn(move |mut request: Request<Incoming>| {
        *store.lock().unwrap_or_else(PoisonError::into_inner) = std::mem::take(request.extensions_mut());
        async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) }
    });
    // Without the names, headers are sent in title case, which differs in one letter.
    if client.write_all(b"GET / HTTP/1.0\r\nRequest-ID: 0\r\n\r\n").await.is_ok() {
        let _ = http1::Builder::new().preserve_header_case(true).serve_connection(TokioIo::new(server), service).await;
    }
    let mut received = received.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut *received)
}

/// Adds the headers of every response: `Request-ID`, and those of the service's gateway.
pub(super) fn add(headers: &mut HeaderMap, now: i64) -> Result<(), Error> {
    headers.insert("request-id", header_value(&request_id(now)?)?);
    for (name, value) in [
        (SERVER, "nginx"),
        (CACHE_CONTROL, "no-cache, must-revalidate"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_LANGUAGE, "zh-CN"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(())
}

/// Announces how long the connection is kept open, unless it is closed after this response.
pub(super) fn announce_keep_alive(headers: &mut HeaderMap, closes: bool) {
    if !closes && !headers.contains_key(CONNECTION) {
        headers.insert(CONNECTION, HeaderValue::from_static("keep-alive"));
        if let Ok(value) = HeaderValue::from_str(&format!("timeout={}", KEEP_ALIVE.as_secs())) {
            headers.insert("keep-alive", value);
        }
    }
}

/// A `Request-ID` in the service's form, `08F78BB5AF0610D302189F9CE43D20C3AF8C5428E7AB02-0`: a
/// protocol buffer in hexadecimal whose first field is the time, and a suffix.
fn request_id(now: i64) -> Result<String, Error> {
    let random: Vec<u64> = random::nonce()?.bytes().map(u64::from).collect();
    let number = |digits: &[u64]| digits.iter().fold(0, |number, digit| number << 7 | (digit & 0x7f));
    let mut message = Vec::new();
    let (head, rest) = random.split_at(2);
    let fields = rest.chunks(4).take(3).map(number);
    let all = [u64::try_from(now).unwrap_or_default(), number(head)].into_iter().chain(fields);
    for (tag, value) in (1..).map(|field: u8| field << 3).zip(all) {
        message.push(tag);
        push_varint(&mut message, value);
    }
    Ok(format!("{}-0", hex::encode(&message).to_ascii_uppercase()))
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or_default();
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_begins_with_its_time() {
        // The time of the example above.
        let id = request_id(1_710_048_759).expect("random bytes");
        assert!(id.starts_with("08F78BB5AF0610") && id.ends_with("-0"), "{id}");
        assert_ne!(id, request_id(1_710_048_759).expect("random bytes"));
    }
}
