//! The innermost service of the stack: sends the signed request, and collects, streams or stores
//! the body of the response.

use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, TRANSFER_ENCODING};
use http::{HeaderMap, Method};
use tower::Service;

use crate::crypto::file_digest::{Algorithm, FileDigest};
use crate::error::{Error, ErrorKind};
use crate::pipeline::call_config::CallConfig;
use crate::pipeline::response::{BodyLocation, BodySource, BodyStream, Response, ResponseInfo};
use crate::pipeline::trace::{self, Part};
use crate::proto::content_coding::{self, Decoder};
use crate::proto::v2;
use crate::proto::verify::{self, Covers};
use crate::transport::BoxFuture;
use crate::transport::http_client::{Deadlines, HttpClient, ResponseBody};
use crate::transport::runtime;
use crate::transport::sink::{OpenSink, SinkWriter};
use crate::transport::slot::Slot;

/// The maximum length of a response body that is collected in memory, in bytes.
pub(crate) const MAX_BODY: usize = 16 * 1024 * 1024;

/// The maximum length of a file in a sink or stream, in bytes. WeChat Pay splits bills above about
/// 16 GB. Without a limit, a response that does not end would fill the disk.
const MAX_FILE: u64 = 32 * 1024 * 1024 * 1024;

/// The future of each service of the stack.
pub(crate) type ResponseFuture = BoxFuture<'static, Result<http::Response<Bytes>, Error>>;

/// Sends requests as they are. A clone shares the connections.
#[derive(Clone)]
pub(crate) struct HttpService(HttpClient);

impl HttpService {
    pub(crate) fn new(client: HttpClient) -> Self {
        HttpService(client)
    }

    async fn send(self, mut request: http::Request<Bytes>) -> Result<http::Response<Bytes>, Error> {
        let config = request.extensions_mut().remove::<CallConfig>().ok_or_else(|| {
            Error::layer(
                "a layer replaced the request and lost its extensions, which hold the settings of the call: keep them",
            )
        })?;
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let _waiting = trace::measure(Part::Waiting);
        let response = self.0.send(request, &uri, &config.http, config.read_timeout.unwrap_or_default()).await?;
        receive(response, &method, uri.path(), config).await
    }
}

impl Service<http::Request<Bytes>> for HttpService {
    type Response = http::Response<Bytes>;
    type Error = Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Bytes>) -> ResponseFuture {
        let service = self.clone();
        Box::pin(async move {
            let mut sending = std::pin::pin!(service.send(request));
            std::future::poll_fn(|context| runtime::on_io_runtime(|| sending.as_mut().poll(context))).await
        })
    }
}

/// Receives the body to where the call wants it.
async fn receive(
    response: http::Response<ResponseBody>,
    method: &Method,
    path: &str,
    config: CallConfig,
) -> Result<http::Response<Bytes>, Error> {
    let deadlines = Deadlines { read_timeout: config.read_timeout.unwrap_or_default(), call: config.deadline };
    let (mut parts, mut body) = response.into_parts();
    let success = parts.status.is_success();
    let covers = match config.signing.is_v2() {
        false if config.digest_is_known => Covers::Nothing,
        false => verify::covers(method, path, &parts.headers),
        true if v2::is_unsigned(path) => Covers::Nothing,
        true => Covers::Body,
    };
    if success && covers == Covers::Nothing && !has_end(&parts, &body) {
        return Err(Error::new(
            ErrorKind::Transport,
            "the response has neither a length nor chunked framing, nor a signature over its body, so a truncated body would not be noticed",
        ));
    }
    let mut decoder = None;
    if parts.headers.contains_key(CONTENT_ENCODING) && !body.is_end() {
        decoder = match Decoder::new(&parts.headers) {
            Ok(decoder) => decoder,
            Err(error) => return Err(error.with_response(Response::new(without_body(parts)))),
        };
        if decoder.is_some() {
            content_coding::remove_headers(&mut parts.headers);
        }
        // A body that the signature covers is kept in both forms.
        if success && covers != Covers::Body {
            if let Some(decoder) = decoder.take() {
                body.decode(decoder);
            }
        }
    }
    // A body that the signature covers is verified before anyone reads it. APIv2 reports in XML
    // that a file does not exist, and that report is read from memory too.
    let collected_first = !success
        || covers == Covers::Body
        || (config.signing.is_v2() && covers == Covers::Nothing && body.begins_with_markup(deadlines).await?);
    let signed_digest = || match covers {
        // A missing or repeated header is an error of the verifying layer.
        Covers::StatementSha1 => {
            verify::statement(&parts.headers).ok().map(|(sha1, _)| FileDigest::new(Algorithm::Sha1, sha1))
        }
        Covers::Body | Covers::Nothing => None,
    };
    let mut received = None;
    let (collected, location) = match config.sink {
        Some(slot) if !collected_first => {
            // Boxed, because most calls do not need this large future.
            Box::pin(write(slot, signed_digest(), &mut body, deadlines)).await?;
            (Bytes::new(), BodyLocation::Sink)
        }
        None if config.stream && !collected_first => {
            let digest = signed_digest();
            let stream = BodyStream::new(ConnectionSource { body, deadlines, digest, received: 0 });
            (Bytes::new(), BodyLocation::Stream(Slot::new(stream)))
        }
        _ => {
            let mut collected = collect(&mut body, deadlines).await;
            if let (Ok(encoded), Some(decoder)) = (&collected, decoder) {
                received = Some(encoded.clone());
                collected = decode(decoder, encoded.clone());
            }
            match collected {
                Ok(collected) => (collected, BodyLocation::Collected),
                // The status is known, even if the body is lost.
                Err(error) if !success => return Err(error.with_response(Response::new(without_body(parts)))),
                Err(error) => return Err(error),
            }
        }
    };
    parts.extensions.insert(ResponseInfo { received, ..ResponseInfo::new(location) });
    Ok(http::Response::from_parts(parts, collected))
}

fn without_body(parts: http::response::Parts) -> http::Response<Bytes> {
    http::Response::from_parts(parts, Bytes::new())
}

/// Whether the framing shows the end of the body, so that truncation can be detected.
fn has_end(parts: &http::response::Parts, body: &ResponseBody) -> bool {
    is_chunked(&parts.headers) || body.remaining().is_some() || body.is_end()
}

/// Whether the last transfer coding is `chunked`. Any other body ends when the connection is closed
/// (RFC 9112, 6.3).
fn is_chunked(headers: &HeaderMap) -> bool {
    let last = headers.get_all(TRANSFER_ENCODING).iter().next_back().and_then(|value| value.to_str().ok());
    let coding = last.and_then(|codings| codings.rsplit(',').next());
    coding.is_some_and(|coding| coding.trim().eq_ignore_ascii_case("chunked"))
}

async fn collect(body: &mut ResponseBody, deadlines: Deadlines) -> Result<Bytes, Error> {
    let Some(first) = body.next(deadlines).await? else { return Ok(Bytes::new()) };
    if body.is_end() {
        // Most bodies arrive in one piece, which is not copied.
        return check_length(first.len()).map(|()| first);
    }
    let announced = body.remaining().and_then(|rest| usize::try_from(rest).ok()).unwrap_or(0);
    check_length(announced)?;
    let mut collected = BytesMut::with_capacity(first.len() + announced);
    collected.extend_from_slice(&first);
    while let Some(piece) = body.next(deadlines).await? {
        check_length(collected.len() + piece.len())?;
        collected.extend_from_slice(&piece);
    }
    Ok(collected.freeze())
}

/// Decodes a body in memory.
fn decode(mut decoder: Box<Decoder>, received: Bytes) -> Result<Bytes, Error> {
    let mut decoded = BytesMut::new();
    decoder.push(received);
    while let Some(piece) = decoder.next()? {
        check_length(decoded.len() + piece.len())?;
        decoded.extend_from_slice(&piece);
    }
    let last = decoder.finish()?.unwrap_or_default();
    check_length(decoded.len() + last.len())?;
    decoded.extend_from_slice(&last);
    Ok(decoded.freeze())
}

fn check_length(length: usize) -> Result<(), Error> {
    if length <= MAX_BODY {
        return Ok(());
    }
    let message = format!("the response is longer than {MAX_BODY} bytes, the limit for a body in memory");
    Err(Error::new(ErrorKind::TooLarge, message))
}

fn check_file_length(length: u64) -> Result<(), Error> {
    if length <= MAX_FILE {
        return Ok(());
    }
    let message = format!("the file is longer than {MAX_FILE} bytes, the limit for a sink and a stream");
    Err(Error::new(ErrorKind::TooLarge, message))
}

/// Writes the body to the sink in a slot, and puts the sink back.
async fn write(
    slot: Slot<OpenSink>,
    digest: Option<FileDigest>,
    body: &mut ResponseBody,
    deadlines: Deadlines,
) -> Result<(), Error> {
    let mut sink = slot
        .take()
        .ok_or_else(|| Error::new(ErrorKind::Sink, "a layer repeated a call whose sink was used already"))?;
    if let Some(digest) = digest {
        sink.check(digest);
    }
    let mut writer = SinkWriter::start(sink);
    let mut received = 0;
    while let Some(piece) = body.next(deadlines).await? {
        received += piece.len() as u64;
        let total = body.remaining().map(|rest| received.saturating_add(rest));
        check_file_length(total.unwrap_or(received))?;
        if !writer.write(piece, total).await {
            break;
        }
    }
    slot.put(writer.finish().await?);
    Ok(())
}

/// The body of a connection, as the source of a [`BodyStream`].
struct ConnectionSource {
    body: ResponseBody,
    deadlines: Deadlines,
    /// The digest that the service signed.
    digest: Option<FileDigest>,
    /// The bytes received so far.
    received: u64,
}

impl ConnectionSource {
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        self.body.poll_next(self.deadlines, context).map(|piece| {
            let piece = piece?;
            self.received += piece.as_ref().map_or(0, |piece| piece.len() as u64);
            let total = self.body.remaining().map(|rest| self.received.saturating_add(rest));
            check_file_length(total.unwrap_or(self.received))?;
            match (&piece, &mut self.digest) {
                (Some(piece), Some(digest)) => digest.update(piece),
                (Some(_), None) => {}
                (None, digest) => {
                    if let Some(digest) = digest.take() {
                        digest.finish().map_err(|reason| {
                            let message = format!("the file is not the one that the service signed: {reason}");
                            Error::new(ErrorKind::Verification, message)
                        })?;
                    }
                }
            }
            Ok(piece)
        })
    }
}

impl BodySource for ConnectionSource {
    fn begin_read(&mut self) {
        self.body.begin_read();
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        let mut next = std::future::poll_fn(|context| self.poll_piece(context));
        runtime::poll(std::pin::Pin::new(&mut next), context)
    }

    fn next_blocking(&mut self) -> Result<Option<Bytes>, Error> {
        self.begin_read();
        runtime::block_on(std::future::poll_fn(|context| runtime::on_io_runtime(|| self.poll_piece(context))))
    }

    fn remaining(&self) -> Option<u64> {
        self.body.remaining()
    }
}
