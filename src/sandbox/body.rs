//! Bodies of responses: bytes, or a generated file. Both can be cut short.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use ring::digest::{Context as Hasher, SHA1_FOR_LEGACY_USE_ONLY};
use tokio::time::Sleep;

use crate::crypto::hex;
use crate::error::BoxError;

/// The line of a bill that generated files repeat.
const LINE: &[u8] =
    b"`2026-11-01 00:00:00,`wx0000000000000000,`1900000109,`1217752501201407033233368018,`0.01,`SUCCESS\n";
/// How many lines a frame has.
const LINES_PER_FRAME: usize = 512;
/// The pause before the connection is closed, so that the bytes before arrive.
const PAUSE_BEFORE_CUT: Duration = Duration::from_millis(20);

/// The body of a response. It may end before its announced length.
pub(super) struct ResponseBody {
    /// The whole content, or what a generated file repeats.
    content: Bytes,
    /// How many of the announced bytes have not been sent.
    announced: u64,
    /// How many bytes are still to be sent; less than `announced` if the body is cut.
    remaining: u64,
    cut_pause: Option<Pin<Box<Sleep>>>,
}

impl ResponseBody {
    pub(super) fn bytes(content: Bytes) -> Self {
        let length = content.len() as u64;
        ResponseBody { content, announced: length, remaining: length, cut_pause: None }
    }

    /// A generated file. Its bytes are produced as they are sent.
    pub(super) fn generated_file(length: u64) -> Self {
        let content = LINE.repeat(LINES_PER_FRAME).into();
        ResponseBody { content, announced: length, remaining: length, cut_pause: None }
    }

    /// Fails after this many bytes, if the body is longer.
    pub(super) fn cut(self, after: usize) -> Self {
        ResponseBody { remaining: self.remaining.min(after as u64), ..self }
    }

    fn next_frame(&mut self) -> Bytes {
        let length = usize::try_from(self.remaining).map_or(self.content.len(), |left| left.min(self.content.len()));
        self.remaining -= length as u64;
        self.announced -= length as u64;
        self.content.slice(..length)
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.remaining > 0 {
            Poll::Ready(Some(Ok(Frame::data(self.next_frame()))))
        } else if self.announced > 0 {
            let pause = self.cut_pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(PAUSE_BEFORE_CUT)));
            ready!(pause.as_mut().poll(context));
            Poll::Ready(Some(Err("the body is cut by an injected fault".into())))
        } else {
            Poll::Ready(None)
        }
    }

    fn is_end_stream(&self) -> bool {
        self.announced == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}

/// The SHA-1 of a generated file of this length, in hexadecimal.
pub(super) fn generated_file_sha1(length: u64) -> String {
    let mut hasher = Hasher::new(&SHA1_FOR_LEGACY_USE_ONLY);
    let mut file = ResponseBody::generated_file(length);
    while file.remaining > 0 {
        hasher.update(&file.next_frame());
    }
    hex::encode(hasher.finish().as_ref())
}
