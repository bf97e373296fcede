//! The sandbox's HTTP server: a thread, a socket, and the way of a request through it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::oneshot;

use super::answer::{self, Refusal};
use super::fault::Fault;
use super::{Received, State, check, routes};
use crate::crypto::random;
use crate::error::{BoxError, Error};
use crate::layer::sign::now;
use crate::sandbox::PUBLIC_KEY_ID;

/// The longest request body, in bytes.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// Listens, and serves on a thread of its own until `stopped` resolves.
pub(super) fn start(state: Arc<State>, stopped: oneshot::Receiver<()>) -> Result<(SocketAddr, JoinHandle<()>), Error> {
    let failed =
        |source: std::io::Error| Error::config(format!("the sandbox cannot start: {source}")).with_source(source);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let thread = thread::Builder::new().name("wechatpay-sandbox".to_owned()).spawn(move || {
        runtime.block_on(async move {
            tokio::spawn(accept(listener, state));
            // The runtime ends with this thread, and takes every connection with it.
            let _ = stopped.await;
        });
    });
    Ok((address, thread.map_err(failed)?))
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        state.panicked.store(true, Ordering::SeqCst);
        return;
    };
    loop {
        // A connection that failed before it was accepted is the peer's affair.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let watch = Watch(Arc::clone(&state));
            let service = service_fn(move |request| serve(Arc::clone(&state), request));
            let served = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
            // Broken connections are part of the tests.
            let _ = served.await;
            drop(watch);
        });
    }
}

/// Notes a panic of the task it lives in.
struct Watch(Arc<State>);

impl Drop for Watch {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.panicked.store(true, Ordering::SeqCst);
        }
    }
}

async fn serve(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Reply>, BoxError> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, MOST_BYTES).collect().await?.to_bytes();
    let request = Request::from_parts(parts, body);

    let outcome = check::authorization(&request, &state.keys.merchant.public_key(), now())
        .and_then(|()| routes::answer(&request, &state.book().stubs));
    let mut answer = match &outcome {
        Ok((status, body)) => answer::json_answer(*status, body),
        Err(refusal) => answer::json_answer(refusal.status, &Refusal::json(refusal)),
    };
    answer.headers_mut().insert("request-id", HeaderValue::try_from(random::nonce()?)?);

    let fault = {
        let mut book = state.book();
        let (parts, body) = request.into_parts();
        book.received.push(Received {
            target: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            method: parts.method,
            headers: parts.headers,
            body,
            status: answer.status(),
        });
        book.faults.pop_front()
    };
    let (timestamp, serial) = match &fault {
        Some(Fault::Clock(seconds)) => (now().saturating_add(*seconds), PUBLIC_KEY_ID),
        Some(Fault::UnknownSerial) => (now(), "PUB_KEY_ID_0000000000000000000000000000000000"),
        _ => (now(), PUBLIC_KEY_ID),
    };
    answer::sign(&mut answer, state.keys, timestamp, serial)?;
    match fault {
        Some(Fault::Tamper(tamper)) => tamper(&mut answer),
        Some(Fault::Gateway(instead)) => answer = instead,
        Some(Fault::Hangup) => return Err("hung up as told".into()),
        Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
        Some(Fault::CutBody(after)) => {
            let length = answer.body().len();
            answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
            return Ok(answer.map(|body| Reply {
                rest: Some(body.slice(..after.min(length))),
                length,
                cut: after < length,
            }));
        }
        Some(Fault::Clock(_) | Fault::UnknownSerial) | None => {}
    }
    if answer.status() == StatusCode::NO_CONTENT {
        *answer.body_mut() = Bytes::new();
    }
    Ok(answer.map(|body| Reply { length: body.len(), rest: Some(body), cut: false }))
}

/// A body that may end before its announced length.
struct Reply {
    rest: Option<Bytes>,
    length: usize,
    cut: bool,
}

impl Body for Reply {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.rest.take() {
            Some(rest) if !rest.is_empty() => Poll::Ready(Some(Ok(Frame::data(rest)))),
            _ if self.cut => Poll::Ready(Some(Err("cut as told".into()))),
            _ => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.as_ref().is_none_or(Bytes::is_empty) && !self.cut
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length as u64)
    }
}
