//! The sandbox's HTTP server: a thread, a socket, and the way of a request through it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use http::header::HeaderValue;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::oneshot;

use super::fault::Fault;
use super::reply::Reply;
use super::routes::Answered;
use super::{Received, State, answer, check, routes, upload};
use crate::clock::now;
use crate::crypto::{PrivateKey, random};
use crate::error::{BoxError, Error};
use crate::proto::verify::{self, STATEMENT_SHA1};

/// The longest request body, in bytes.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// Listens, and serves on a thread of its own until `stopped` resolves.
pub(super) fn start(
    port: u16,
    state: Arc<State>,
    stopped: oneshot::Receiver<()>,
) -> Result<(SocketAddr, JoinHandle<()>), Error> {
    let failed = |source: std::io::Error| {
        Error::config(format!("the sandbox cannot listen on port {port} ({source}): port 0 picks a free one"))
            .with_source(source)
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
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

    let mut outcome = judge(&state, &request).await;
    let asked = request.headers().get(verify::SERIAL).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (fault, (key, mut serial)) = {
        let mut book = state.book();
        let (parts, body) = request.into_parts();
        book.received.push(Received {
            target: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            method: parts.method,
            headers: parts.headers,
            body,
            status: outcome.status(),
        });
        (book.faults.pop_front(), book.signing_key(state.keys, asked.as_deref()))
    };
    let mut timestamp = now();
    match &fault {
        Some(Fault::Clock(seconds)) => timestamp = timestamp.saturating_add(*seconds),
        Some(Fault::UnknownSerial) => serial = "PUB_KEY_ID_0000000000000000000000000000000000".to_owned(),
        _ => {}
    }
    outcome.sign(&key, timestamp, &serial)?;
    let (mut answer, mut file) = (outcome.answer, outcome.file);
    answer.headers_mut().insert("request-id", HeaderValue::try_from(random::nonce()?)?);
    let mut cut = None;
    match fault {
        Some(Fault::Tamper(tamper)) => tamper(&mut answer),
        Some(Fault::Gateway(instead)) => (answer, file) = (instead, None),
        Some(Fault::Hangup) => return Err("hung up as told".into()),
        Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
        Some(Fault::CutBody(after)) => cut = Some(after),
        Some(Fault::Clock(_) | Fault::UnknownSerial) | None => {}
    }
    Ok(answer.map(|body| {
        let reply = file.map_or_else(|| Reply::bytes(body), Reply::file);
        match cut {
            Some(after) => reply.cut(after),
            None => reply,
        }
    }))
}

/// What is answered, before it is signed.
struct Outcome {
    answer: Response<Bytes>,
    /// What the signature covers where it is not the body.
    covered: Option<Bytes>,
    /// The length of the file that is sent instead of the body, unsigned.
    file: Option<u64>,
}

impl Outcome {
    fn json(status: StatusCode, body: &serde_json::Value) -> Self {
        Outcome { answer: answer::json_answer(status, body), covered: None, file: None }
    }

    fn status(&self) -> StatusCode {
        self.answer.status()
    }

    fn sign(&mut self, key: &PrivateKey, timestamp: i64, serial: &str) -> Result<(), Error> {
        if self.file.is_some() {
            return Ok(());
        }
        let covered = self.covered.clone().unwrap_or_else(|| self.answer.body().clone());
        answer::sign(self.answer.headers_mut(), &covered, key, timestamp, serial)
    }
}

/// Checks a request and finds its answer.
async fn judge(state: &State, request: &Request<Bytes>) -> Outcome {
    let upload = upload::read(request).await;
    let answered = upload.and_then(|upload| {
        let signed = upload.as_ref().map_or(request.body(), |upload| &upload.meta);
        check::authorization(request, signed, &state.keys.merchant.public_key(), now())?;
        routes::answer(request, upload.as_ref(), state)
    });
    match answered {
        Ok(Answered::Json(status, body)) => Outcome::json(status, &body),
        Ok(Answered::File(length)) => Outcome { file: Some(length), answer: Response::default(), covered: None },
        Ok(Answered::Statement(file, sha1)) => {
            let mut answer = Response::new(file);
            let covered = Some(format!("{{\"sha1\":\"{sha1}\"}}").into());
            if let Ok(value) = HeaderValue::try_from(sha1) {
                answer.headers_mut().insert(STATEMENT_SHA1, value);
            }
            Outcome { answer, covered, file: None }
        }
        Err(refusal) => Outcome::json(refusal.status, &refusal.json()),
    }
}
