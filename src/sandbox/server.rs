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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::check::Verdict;
use super::fault::{Fault, spoil};
use super::reply::Reply;
use super::routes::Answered;
use super::{Received, State, answer, book, check, control, outbox, routes, upload, v2};
use crate::clock::now;
use crate::crypto::{PrivateKey, random};
use crate::error::{BoxError, Error};
use crate::proto::verify::{self, STATEMENT_SHA1};

/// The longest request body, in bytes.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// Whether the client showed a certificate of the merchant's.
#[derive(Clone, Copy)]
pub(super) struct Presented(pub(super) bool);

/// Where the caller of a request reaches the sandbox.
#[derive(Clone)]
pub(super) struct BaseUri(pub(super) Arc<str>);

/// Listens on the port, and on a free one for TLS, and serves both on a thread of its own until `stopped` resolves.
pub(super) fn start(
    port: u16,
    state: Arc<State>,
    stopped: oneshot::Receiver<()>,
) -> Result<([SocketAddr; 2], JoinHandle<()>), Error> {
    let failed = |source: std::io::Error| {
        Error::config(format!("the sandbox cannot listen on port {port} ({source}): port 0 picks a free one"))
            .with_source(source)
    };
    let listen = |port| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok::<_, std::io::Error>((listener, address))
    };
    let (listener, address) = listen(port).map_err(failed)?;
    // The port beside it, where that is free: easier to remember.
    let beside = port.checked_add(1).filter(|_| port != 0);
    let (tls_listener, tls_address) =
        beside.map_or_else(|| listen(0), |port| listen(port).or_else(|_| listen(0))).map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let thread = thread::Builder::new().name("wechatpay-sandbox".to_owned()).spawn(move || {
        runtime.block_on(async move {
            let tls = TlsAcceptor::from(Arc::clone(&state.keys.tls.server));
            tokio::spawn(outbox::run(Arc::clone(&state)));
            tokio::spawn(accept(listener, format!("http://{address}/").into(), None, Arc::clone(&state)));
            tokio::spawn(accept(tls_listener, format!("https://{tls_address}/").into(), Some(tls), state));
            // The runtime ends with this thread, and takes every connection with it.
            let _ = stopped.await;
        });
    });
    Ok(([address, tls_address], thread.map_err(failed)?))
}

async fn accept(listener: TcpListener, base_uri: Arc<str>, tls: Option<TlsAcceptor>, state: Arc<State>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        state.panicked.store(true, Ordering::SeqCst);
        return;
    };
    loop {
        // A connection that failed before it was accepted is the peer's affair.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let (state, tls, base) = (Arc::clone(&state), tls.clone(), BaseUri(Arc::clone(&base_uri)));
        tokio::spawn(async move {
            let watch = Watch(Arc::clone(&state));
            match tls {
                None => converse(stream, base, false, state).await,
                Some(tls) => {
                    // A handshake that fails is the peer's affair, too.
                    if let Ok(stream) = tls.accept(stream).await {
                        let presented = stream.get_ref().1.peer_certificates().is_some();
                        converse(stream, base, presented, state).await;
                    }
                }
            }
            drop(watch);
        });
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, base: BaseUri, presented: bool, state: Arc<State>) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Presented(presented));
        request.extensions_mut().insert(base.clone());
        serve(Arc::clone(&state), request)
    });
    // Broken connections are part of the tests.
    let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
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
    if control::is_own(request.uri().path()) {
        let answer = control::answer(&request, &state);
        return if state.kept().await { Ok(answer.map(Reply::bytes)) } else { Err("the store does not write".into()) };
    }

    let mut verdict = Verdict::default();
    let mut outcome = judge(&state, &request, &mut verdict).await;
    // Nothing is answered that would not be there after a crash.
    if !state.kept().await {
        return Err("the store does not write".into());
    }
    if let (Some(log), false, false) = (&state.log, verdict.held, verdict.expected.is_empty()) {
        // Where nobody reads, nothing waits.
        let _ = log.texts.try_send(explained(&request, &verdict, log.words));
    }
    let asked = request.headers().get(verify::SERIAL).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let fault = {
        let mut book = state.book();
        let (parts, body) = request.into_parts();
        let received = Received {
            target: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            method: parts.method,
            headers: parts.headers,
            body,
            status: outcome.status(),
        };
        book.receive(received, verdict);
        book.faults.pop_front()
    };
    let mut timestamp = now();
    match &fault {
        Some(Fault::Clock(seconds)) => timestamp = timestamp.saturating_add(*seconds),
        Some(Fault::RotateKey) => drop(book::rotate(&state)?),
        Some(Fault::FrequencyLimited) => outcome = Outcome::json(StatusCode::TOO_MANY_REQUESTS, &frequency_limited()),
        _ => {}
    }
    let (key, mut serial) = state.book().signing_key(&state.keys, asked.as_deref());
    if let Some(Fault::UnknownSerial) = fault {
        super::UNKNOWN_SERIAL.clone_into(&mut serial);
    }
    outcome.sign(&key, timestamp, &serial)?;
    let bare = outcome.bare;
    let (mut answer, mut file) = (outcome.answer, outcome.file);
    answer.headers_mut().insert("request-id", HeaderValue::try_from(random::nonce()?)?);
    let mut cut = None;
    match fault {
        Some(Fault::Tamper(tamper)) => tamper(&mut answer),
        // APIv2 has its signature in the body.
        Some(Fault::WrongSignature) if bare => v2::spoil(&mut answer),
        Some(Fault::WrongSignature) => spoil(answer.headers_mut()),
        Some(Fault::MissingHeader(name)) => drop(answer.headers_mut().remove(name.as_str())),
        Some(Fault::FrequencyLimited) => {
            answer.headers_mut().insert(http::header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        Some(Fault::Gateway(instead)) => (answer, file) = (instead, None),
        Some(Fault::Hangup) => return Err("hung up as told".into()),
        Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
        Some(Fault::CutBody(after)) => cut = Some(after),
        Some(Fault::Clock(_) | Fault::UnknownSerial | Fault::RotateKey) | None => {}
    }
    Ok(answer.map(|body| {
        let reply = file.map_or_else(|| Reply::bytes(body), Reply::file);
        match cut {
            Some(after) => reply.cut(after),
            None => reply,
        }
    }))
}

fn frequency_limited() -> serde_json::Value {
    serde_json::json!({ "code": "FREQUENCY_LIMITED", "message": "频率超限，请降低请求频率后重试" })
}

/// Where refused signatures are explained.
pub(super) struct Log {
    texts: std::sync::mpsc::SyncSender<String>,
    words: fn(&str) -> String,
}

impl Log {
    /// Writes texts to standard error on a thread of its own: whoever reads it may be slow, or nobody.
    pub(super) fn start(words: fn(&str) -> String) -> Self {
        let (texts, receive) = std::sync::mpsc::sync_channel::<String>(64);
        // Where no thread is to be had, nothing is explained.
        let _ = thread::Builder::new().name("wechatpay-sandbox-log".to_owned()).spawn(move || {
            for text in receive {
                let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
            }
        });
        Log { texts, words }
    }
}

/// Lines of a message that are shown.
const MOST_LINES: usize = 40;

/// What was expected and what was signed, side by side.
fn explained(request: &Request<Bytes>, verdict: &Verdict, words: fn(&str) -> String) -> String {
    // Text from outside must not move the cursor of a terminal.
    let plain = |text: &str, most: usize| -> String {
        text.chars().take(most).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
    };
    let uri = plain(&request.uri().to_string(), 200);
    let refused = format!("refused: {} {uri}", request.method());
    let mut text = format!("{}\n  {}\n", words(&refused), words(&plain(&verdict.said, 500)));
    let signed = if verdict.signed.is_empty() { "?" } else { verdict.signed.as_str() };
    let (mut expected, mut signed) = (verdict.expected.lines(), signed.lines());
    text.push_str(&words("  expected                                           | signed"));
    text.push('\n');
    for _ in 0..MOST_LINES {
        let (left, right) = (expected.next(), signed.next());
        if left.is_none() && right.is_none() {
            break;
        }
        let short = |line: Option<&str>| plain(line.unwrap_or_default(), 50);
        let mark = if left == right || verdict.signed.is_empty() { ' ' } else { '>' };
        text.push_str(&format!("{mark} {:<50} | {}\n", short(left), short(right)));
    }
    text
}

/// What is answered, before it is signed.
struct Outcome {
    answer: Response<Bytes>,
    /// What the signature covers where it is not the body.
    covered: Option<Bytes>,
    /// The length of the file that is sent instead of the body, unsigned.
    file: Option<u64>,
    /// Whether no header carries a signature: a file, or APIv2, which signs in the body.
    bare: bool,
}

impl Outcome {
    fn json(status: StatusCode, body: &serde_json::Value) -> Self {
        Outcome { answer: answer::json_answer(status, body), covered: None, file: None, bare: false }
    }

    /// A file, which carries no signature.
    fn unsigned(self) -> Self {
        Outcome { bare: true, ..self }
    }

    fn status(&self) -> StatusCode {
        self.answer.status()
    }

    fn sign(&mut self, key: &PrivateKey, timestamp: i64, serial: &str) -> Result<(), Error> {
        if self.file.is_some() || self.bare {
            return Ok(());
        }
        let covered = self.covered.clone().unwrap_or_else(|| self.answer.body().clone());
        answer::sign(self.answer.headers_mut(), &covered, key, timestamp, serial)
    }
}

/// Checks a request and finds its answer.
async fn judge(state: &State, request: &Request<Bytes>, verdict: &mut Verdict) -> Outcome {
    if v2::is_v2(request.uri().path()) {
        return match v2::answer(request, state, verdict).await {
            Ok((answer, file)) => Outcome { answer, covered: None, file, bare: true },
            Err(error) => {
                Outcome::json(StatusCode::INTERNAL_SERVER_ERROR, &serde_json::json!({ "message": error.message() }))
            }
        };
    }
    let upload = upload::read(request).await;
    let answered = upload.and_then(|upload| {
        let signed = upload.as_ref().map_or(request.body(), |upload| &upload.meta);
        check::authorization(request, signed, state, now(), verdict)?;
        routes::answer(request, upload.as_ref(), state)
    });
    match answered {
        Ok(Answered::Json(status, body)) => Outcome::json(status, &body),
        Ok(Answered::Bytes(bytes)) => {
            Outcome { answer: Response::new(bytes), covered: None, file: None, bare: false }.unsigned()
        }
        Ok(Answered::File(length)) => {
            Outcome { file: Some(length), answer: Response::default(), covered: None, bare: false }
        }
        Ok(Answered::Statement(file, sha1)) => {
            let mut answer = Response::new(file);
            let covered = Some(format!("{{\"sha1\":\"{sha1}\"}}").into());
            if let Ok(value) = HeaderValue::try_from(sha1) {
                answer.headers_mut().insert(STATEMENT_SHA1, value);
            }
            Outcome { answer, covered, file: None, bare: false }
        }
        Err(refusal) => Outcome::json(refusal.status, &refusal.json()),
    }
}
