//! The HTTP server of the sandbox: one thread with two listeners, one of them with TLS.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::body::ResponseBody;
use super::dispatch::{Dispatched, dispatch};
use super::fault_injection::Transmission;
use super::inner::SandboxInner;
use super::request::InboundRequest;
use super::{admin, outbox_worker};
use crate::clock::now;
use crate::error::{BoxError, Error};

/// The longest request body, in bytes.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// Listens on `port`, and on another port with TLS, and serves both on a new thread until `stopped`
/// resolves. Returns both addresses.
pub(super) fn start(
    port: u16,
    inner: Arc<SandboxInner>,
    stopped: oneshot::Receiver<()>,
) -> Result<([SocketAddr; 2], JoinHandle<()>), Error> {
    let failed = |source: std::io::Error| {
        Error::config(format!("the sandbox cannot listen on port {port} ({source}): port 0 selects a free one"))
            .with_source(source)
    };
    let (listener, address) = listen(port).map_err(failed)?;
    // The next port if it is free, because that is easy to remember.
    let next = port.checked_add(1).filter(|_| port != 0).unwrap_or(0);
    let (tls_listener, tls_address) = listen(next).or_else(|_| listen(0)).map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let thread = thread::Builder::new().name("wechatpay-sandbox".to_owned()).spawn(move || {
        runtime.block_on(async move {
            let tls = TlsAcceptor::from(Arc::clone(&inner.keys.tls.server));
            tokio::spawn(outbox_worker::run(Arc::clone(&inner)));
            tokio::spawn(accept(listener, format!("http://{address}/").into(), None, Arc::clone(&inner)));
            tokio::spawn(accept(tls_listener, format!("https://{tls_address}/").into(), Some(tls), inner));
            // When this ends, the runtime is dropped and closes all connections.
            let _ = stopped.await;
        });
    });
    Ok(([address, tls_address], thread.map_err(failed)?))
}

fn listen(port: u16) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// What is known of the client of a connection.
#[derive(Clone)]
struct Connection {
    /// The URI under which the client reaches the sandbox.
    base_uri: Arc<str>,
    has_client_certificate: bool,
}

async fn accept(listener: TcpListener, base_uri: Arc<str>, tls: Option<TlsAcceptor>, inner: Arc<SandboxInner>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        inner.panicked.store(true, Ordering::SeqCst);
        return;
    };
    loop {
        // An error concerns a connection that the client gave up.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let (inner, tls, base_uri) = (Arc::clone(&inner), tls.clone(), Arc::clone(&base_uri));
        tokio::spawn(async move {
            let _guard = PanicGuard(Arc::clone(&inner));
            match tls {
                None => serve(stream, Connection { base_uri, has_client_certificate: false }, inner).await,
                Some(tls) => {
                    // A failed handshake is up to the client.
                    if let Ok(stream) = tls.accept(stream).await {
                        let has_client_certificate = stream.get_ref().1.peer_certificates().is_some();
                        serve(stream, Connection { base_uri, has_client_certificate }, inner).await;
                    }
                }
            }
        });
    }
}

/// Reports a panic of the task that owns it.
struct PanicGuard(Arc<SandboxInner>);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.panicked.store(true, Ordering::SeqCst);
        }
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, connection: Connection, inner: Arc<SandboxInner>) {
    let service = service_fn(move |request| handle(Arc::clone(&inner), connection.clone(), request));
    // Injected faults break connections on purpose, so errors are expected.
    let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
}

/// Handles a request: reads it, dispatches it under the lock, waits until its changes are on disk,
/// and sends the response.
///
/// # Errors
/// The connection is closed without a response.
async fn handle(
    inner: Arc<SandboxInner>,
    connection: Connection,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, BoxError> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY_BYTES).collect().await?.to_bytes();
    let request = Request::from_parts(parts, body);
    if admin::is_admin_path(request.uri().path()) {
        let (response, pending) = inner.transact(|state| admin::respond(state, &request, now()));
        return match pending.written().await {
            true => Ok(response.map(ResponseBody::bytes)),
            false => Err(STORE_FAILED.into()),
        };
    }

    let inbound = InboundRequest::new(request, connection.base_uri, connection.has_client_certificate).await;
    let (dispatched, pending) = inner.transact(|state| dispatch(state, inbound, now()));
    // A response must not report what would be lost by a crash.
    if !pending.written().await {
        return Err(STORE_FAILED.into());
    }
    let Dispatched { response, transmission, refused } = dispatched?;
    if let (Some(log), Some(refused)) = (&inner.refusal_log, &refused) {
        log.write(refused);
    }
    let body = response.generated_file.map(ResponseBody::generated_file);
    let response = response.http.map(|bytes| body.unwrap_or_else(|| ResponseBody::bytes(bytes)));
    match transmission {
        Transmission::Normal => Ok(response),
        Transmission::Delayed(time) => {
            tokio::time::sleep(time).await;
            Ok(response)
        }
        Transmission::CutAfter(bytes) => Ok(response.map(|body| body.cut(bytes))),
        Transmission::Dropped => Err("the connection is closed by an injected fault".into()),
    }
}

const STORE_FAILED: &str = "the database cannot be written";
