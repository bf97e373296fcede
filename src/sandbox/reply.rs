//! The bodies of answers: whole, made as they are sent, or cut short.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use ring::digest::{Context as Hasher, SHA1_FOR_LEGACY_USE_ONLY};
use tokio::time::Sleep;

use crate::error::BoxError;

/// A line of a bill, repeated to the length that is asked for.
const LINE: &[u8] =
    b"`2026-11-01 00:00:00,`wx0000000000000000,`1900000109,`1217752501201407033233368018,`0.01,`SUCCESS\n";
/// Lines are sent so many at a time.
const LINES: usize = 512;

/// A body that may end before its announced length.
pub(super) struct Reply {
    source: Source,
    /// What is announced.
    length: u64,
    /// What is sent; less than announced where the answer is cut.
    left: u64,
    /// Gives what was sent time to reach the other side before the connection ends.
    cutting: Option<Pin<Box<Sleep>>>,
}

enum Source {
    Bytes(Bytes),
    Lines(Bytes),
}

impl Reply {
    pub(super) fn bytes(body: Bytes) -> Self {
        let length = body.len() as u64;
        Reply { source: Source::Bytes(body), length, left: length, cutting: None }
    }

    pub(super) fn file(length: u64) -> Self {
        Reply { source: Source::Lines(LINE.repeat(LINES).into()), length, left: length, cutting: None }
    }

    /// Ends the connection after so many bytes, if more were announced.
    pub(super) fn cut(self, after: usize) -> Self {
        Reply { left: self.left.min(after as u64), ..self }
    }

    fn next(&mut self) -> Bytes {
        let piece = match &self.source {
            Source::Bytes(body) => body,
            Source::Lines(lines) => lines,
        };
        let size = usize::try_from(self.left).map_or(piece.len(), |left| left.min(piece.len()));
        self.left -= size as u64;
        piece.slice(..size)
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.left > 0 {
            let piece = self.next();
            self.length -= piece.len() as u64;
            Poll::Ready(Some(Ok(Frame::data(piece))))
        } else if self.length > 0 {
            let pause = self.cutting.get_or_insert_with(|| Box::pin(tokio::time::sleep(Duration::from_millis(20))));
            ready!(pause.as_mut().poll(context));
            Poll::Ready(Some(Err("cut as told".into())))
        } else {
            Poll::Ready(None)
        }
    }

    fn is_end_stream(&self) -> bool {
        self.length == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

/// The SHA-1 of a file of that length, in hexadecimal.
pub(super) fn file_sha1(length: u64) -> String {
    let mut hasher = Hasher::new(&SHA1_FOR_LEGACY_USE_ONLY);
    let mut file = Reply::file(length);
    while file.left > 0 {
        hasher.update(&file.next());
    }
    crate::crypto::hex::encode(hasher.finish().as_ref())
}

/// A file packed by gzip.
pub(super) fn gzip(bytes: &[u8]) -> Bytes {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Memory takes all that is written.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default().into()
}
