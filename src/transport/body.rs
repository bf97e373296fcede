//! The body of an answer that is read as it comes.

use std::error::Error as StdError;
use std::fmt;
use std::io::{self, Read};
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::{Buf, Bytes};
use hyper::body::{Body, Incoming};
use tokio::time::Instant;

use crate::crypto::file_digest::FileDigest;
use crate::error::{Error, ErrorKind};
use crate::transport::runtime;

/// How long an answer may take.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deadlines {
    /// The longest silence between two pieces; zero is no limit.
    pub(crate) silence: Duration,
    /// When the whole call must be done.
    pub(crate) until: Option<Instant>,
}

/// The body of an answer, piece by piece; from [`Response::into_stream`](crate::Response::into_stream).
///
/// In async code await [`next`](Self::next); elsewhere read it as any [`Read`]. Where the answer has a digest that the service
/// signed, it is checked at the end: the last piece may be an error.
///
/// ```
/// # use serde_json::json;
/// # use wechatpay_chain::sandbox::Sandbox;
/// # let sandbox = Sandbox::start()?;
/// # sandbox.file("v3/billdownload/file", 100_000);
/// # let client = sandbox.client()?;
/// let bill = client.chain("v3/billdownload/file").get(json!({ "query": { "token": "..." }, "stream": true }))?;
/// let mut lines = std::io::BufReader::new(bill.into_stream());
/// let copied = std::io::copy(&mut lines, &mut std::io::sink())?;
/// # assert_eq!(copied, 100_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct BodyStream {
    source: Source,
    patience: Deadlines,
    digest: Option<FileDigest>,
    /// What [`Read`] has not handed out yet.
    rest: Bytes,
}

enum Source {
    Incoming(Answering),
    Whole(Bytes),
    Done,
}

impl BodyStream {
    pub(crate) fn new(incoming: Answering, patience: Deadlines, digest: Option<FileDigest>) -> Self {
        BodyStream { source: Source::Incoming(incoming), patience, digest, rest: Bytes::new() }
    }

    pub(crate) fn whole(body: Bytes) -> Self {
        BodyStream { source: Source::Whole(body), patience: Deadlines::default(), digest: None, rest: Bytes::new() }
    }

    /// The next piece, or `None` at the end. After an error there is nothing more.
    ///
    /// # Errors
    /// [`ErrorKind::Transport`] when the connection breaks, [`ErrorKind::Timeout`] when nothing comes in time,
    /// [`ErrorKind::Verification`] when the file's digest is not the one the service signed.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        let next = {
            let mut piece = pin!(self.next_piece());
            std::future::poll_fn(|context| runtime::poll(piece.as_mut(), context)).await
        };
        if !matches!(next, Ok(Some(_))) {
            self.source = Source::Done;
        }
        next.transpose()
    }

    /// The length of what is still to come, where it is known.
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        match &self.source {
            Source::Incoming(answering) => answering.remaining(),
            Source::Whole(body) => Some(body.len() as u64),
            Source::Done => Some(0),
        }
    }

    pub(crate) async fn next_piece(&mut self) -> Result<Option<Bytes>, Error> {
        let piece = match &mut self.source {
            Source::Incoming(answering) => answering.next(self.patience).await?,
            Source::Whole(body) => Some(std::mem::take(body)).filter(|body| !body.is_empty()),
            Source::Done => return Ok(None),
        };
        match (&piece, &mut self.digest) {
            (Some(piece), Some(digest)) => digest.update(piece),
            (None, digest) => {
                if let Some(digest) = digest.take() {
                    digest.finish().map_err(|said| {
                        let said = format!("the file is not the one the service signed: {said}");
                        Error::new(ErrorKind::Verification, said)
                    })?;
                }
            }
            (Some(_), None) => {}
        }
        Ok(piece)
    }
}

/// A body on its way, whose beginning may be looked at.
pub(crate) struct Answering {
    incoming: Incoming,
    /// What was looked at and not taken.
    seen: Bytes,
}

impl Answering {
    pub(crate) fn new(incoming: Incoming) -> Self {
        Answering { incoming, seen: Bytes::new() }
    }

    /// The next piece of data within the patience.
    pub(crate) async fn next(&mut self, patience: Deadlines) -> Result<Option<Bytes>, Error> {
        if !self.seen.is_empty() {
            return Ok(Some(std::mem::take(&mut self.seen)));
        }
        next_data(&mut self.incoming, patience).await
    }

    /// Whether the body begins like XML or a page, as no file of the service does.
    pub(crate) async fn begins_with_markup(&mut self, patience: Deadlines) -> Result<bool, Error> {
        let text = |seen: &Bytes| seen.iter().copied().find(|byte| !byte.is_ascii_whitespace() && !BOM.contains(byte));
        while text(&self.seen).is_none() && self.seen.len() < MOST_SEEN {
            match next_data(&mut self.incoming, patience).await? {
                Some(piece) if self.seen.is_empty() => self.seen = piece,
                Some(piece) => self.seen = [&self.seen[..], &piece].concat().into(),
                None => break,
            }
        }
        Ok(text(&self.seen) == Some(b'<'))
    }

    /// The length of what is still to come, where it is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        Some(self.incoming.size_hint().exact()? + self.seen.len() as u64)
    }

    /// Whether nothing comes after what was taken.
    pub(crate) fn is_end(&self) -> bool {
        self.seen.is_empty() && self.incoming.is_end_stream()
    }
}

/// The mark of UTF-8 that bills begin with.
const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];
/// Blanks that are passed over in search of the first letter, in bytes.
const MOST_SEEN: usize = 64;

/// The next piece of data, skipping trailers, within the patience.
async fn next_data(incoming: &mut Incoming, patience: Deadlines) -> Result<Option<Bytes>, Error> {
    loop {
        let frame = std::future::poll_fn(|context| Pin::new(&mut *incoming).poll_frame(context));
        let frame = match patience.deadline() {
            None => frame.await,
            Some(deadline) => tokio::time::timeout_at(deadline, frame).await.map_err(|_| {
                Error::new(ErrorKind::Timeout, "the answer began to come and then nothing more came in time")
            })?,
        };
        match frame {
            None => return Ok(None),
            Some(Err(source)) => {
                let said = format!("the answer broke off: {}", root(&source));
                return Err(Error::new(ErrorKind::Transport, said).with_source(source));
            }
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

impl Deadlines {
    fn deadline(self) -> Option<Instant> {
        let silent = Instant::now().checked_add(self.silence).filter(|_| !self.silence.is_zero());
        match (silent, self.until) {
            (Some(silent), Some(until)) => Some(silent.min(until)),
            (one, other) => one.or(other),
        }
    }
}

/// The innermost error: the others only say that something below failed.
pub(crate) fn root<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root
}

impl Read for BodyStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            let next = runtime::block_on(self.next_piece());
            if !matches!(next, Ok(Some(_))) {
                self.source = Source::Done;
            }
            match next.map_err(io::Error::other)? {
                Some(piece) => self.rest = piece,
                None => return Ok(0),
            }
        }
        let count = into.len().min(self.rest.len());
        self.rest.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}

impl fmt::Debug for BodyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyStream").field("remaining", &self.remaining()).finish_non_exhaustive()
    }
}
