//! The HTTP server of the sandbox: one thread with two listeners, one of them with TLS.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, EXPECT, HeaderValue};
use http::{Extensions, HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::body::ResponseBody;
use super::dispatch::{Dispatched, dispatch};
use super::fault_injection::Transmission;
use super::inner::SandboxInner;
use super::proxy::{self, Destination};
use super::request::InboundRequest;
use super::{admin, fault, outbox_worker, wire_headers};
use crate::clock::now;
use crate::error::{BoxError, Error};

/// The longest request body, in bytes.
const MAX_BODY_BYTES: u64 = 16 * 1024 * 1024;
/// How much of a longer body is read before the response.
const MAX_DISCARDED_BYTES: u64 = 256 * 1024 * 1024;

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
            let header_names = wire_headers::header_names().await;
            let connection = |base_uri: String| Connection {
                base_uri: base_uri.into(),
                has_client_certificate: false,
                is_proxied: false,
                header_names: header_names.clone(),
            };
            tokio::spawn(outbox_worker::run(Arc::clone(&inner)));
            tokio::spawn(accept(listener, connection(format!("http://{address}/")), None, Arc::clone(&inner)));
            tokio::spawn(accept(tls_listener, connection(format!("https://{tls_address}/")), Some(tls), inner));
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
    /// Whether the client connects to a host of the service, through the proxy.
    is_proxied: bool,
    /// The spelling of header names, for the extensions of responses.
    header_names: Extensions,
}

async fn accept(listener: TcpListener, connection: Connection, tls: Option<TlsAcceptor>, inner: Arc<SandboxInner>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        inner.panicked.store(true, Ordering::SeqCst);
        return;
    };
    loop {
        // An error concerns a connection that the client gave up.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let (inner, tls, connection) = (Arc::clone(&inner), tls.clone(), connection.clone());
        tokio::spawn(async move {
            let _guard = PanicGuard(Arc::clone(&inner));
            match tls {
                None => serve(stream, connection, inner).await,
                Some(tls) => {
                    // A failed handshake is up to the client.
                    if let Ok(stream) = tls.accept(stream).await {
                        let has_client_certificate = stream.get_ref().1.peer_certificates().is_some();
                        serve(stream, Connection { has_client_certificate, ..connection }, inner).await;
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

/// Serves a connection of a client to a host of the service, after its `CONNECT`. Not an async
/// function, since its future would contain itself.
fn spawn_proxied(request: Request<Incoming>, host: String, connection: Connection, inner: Arc<SandboxInner>) {
    tokio::spawn(async move {
        let _guard = PanicGuard(Arc::clone(&inner));
        let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
        let tls = TlsAcceptor::from(Arc::clone(&inner.keys.tls.server));
        let Ok(stream) = tls.accept(TokioIo::new(upgraded)).await else { return };
        let has_client_certificate = stream.get_ref().1.peer_certificates().is_some();
        let connection =
            Connection { base_uri: proxy::base_uri(&host), has_client_certificate, is_proxied: true, ..connection };
        serve(stream, connection, inner).await;
    });
}

/// Copies bytes between a client and another host, after its `CONNECT`.
async fn tunnel(request: Request<Incoming>, mut server: TcpStream) {
    if let Ok(upgraded) = hyper::upgrade::on(request).await {
        // The end of either side ends the tunnel.
        let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(upgraded), &mut server).await;
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    connection: Connection,
    inner: Arc<SandboxInner>,
) {
    let service = service_fn(move |request| respond(Arc::clone(&inner), connection.clone(), request));
    // Injected faults break connections on purpose, so errors are expected.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        // Also closes idle connections, since it runs from the end of the previous request.
        .header_read_timeout(wire_headers::KEEP_ALIVE)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}

/// Handles a request, and completes the headers of its response.
async fn respond(
    inner: Arc<SandboxInner>,
    connection: Connection,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, BoxError> {
    let closes = request.version() < Version::HTTP_11 || asks_to_close(request.headers());
    let header_names = connection.header_names.clone();
    // Within TLS, the sandbox is no proxy.
    let destination =
        if connection.is_proxied { Destination::Sandbox } else { proxy::destination(&request, &inner.proxied_hosts) };
    let mut response = match destination {
        Destination::Sandbox => handle(inner, connection, request).await?,
        Destination::ServiceInClear(host) => {
            let connection = Connection { base_uri: proxy::base_uri(&host), is_proxied: true, ..connection };
            handle(inner, connection, request).await?
        }
        Destination::Service(host) => {
            spawn_proxied(request, host, connection, inner);
            return Ok(Response::new(ResponseBody::bytes(Bytes::new())));
        }
        Destination::Tunnel(address) => match TcpStream::connect(&address).await {
            Ok(server) => {
                tokio::spawn(tunnel(request, server));
                return Ok(Response::new(ResponseBody::bytes(Bytes::new())));
            }
            Err(_) => gateway_error(StatusCode::BAD_GATEWAY),
        },
        Destination::Refused(host) => refused_host(&host),
    };
    wire_headers::announce_keep_alive(response.headers_mut(), closes);
    *response.extensions_mut() = header_names;
    Ok(response)
}

/// Whether a request asks the server to close the connection.
fn asks_to_close(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.split(',').any(|option| option.trim().eq_ignore_ascii_case("close")))
}

/// Reads a body completely. The inner `Err` is the status if it is too long or does not
/// arrive.
///
/// The rest of a body that is too long is read and discarded, up to a limit, because a client that
/// is still sending might not see a response on a connection that is being closed.
async fn read_body(expects_continue: bool, mut body: Incoming) -> hyper::Result<Result<Bytes, StatusCode>> {
    if body.size_hint().lower() > MAX_BODY_BYTES && expects_continue {
        return Ok(Err(StatusCode::PAYLOAD_TOO_LARGE));
    }
    let (mut bytes, mut length) = (BytesMut::new(), 0);
    while length <= MAX_DISCARDED_BYTES {
        let frame = match tokio::time::timeout(wire_headers::KEEP_ALIVE, body.frame()).await {
            Ok(frame) => frame,
            Err(_) => return Ok(Err(StatusCode::REQUEST_TIMEOUT)),
        };
        let Some(frame) = frame else { break };
        let Ok(data) = frame?.into_data() else { continue };
        length += data.len() as u64;
        if length <= MAX_BODY_BYTES {
            bytes.extend_from_slice(&data);
        } else {
            bytes.clear();
        }
    }
    Ok(if length > MAX_BODY_BYTES { Err(StatusCode::PAYLOAD_TOO_LARGE) } else { Ok(bytes.freeze()) })
}

/// The refusal to connect to a host.
fn refused_host(host: &str) -> Response<ResponseBody> {
    let text = format!(
        "the sandbox does not connect to {host}: it is a proxy for the hosts of the service only; allow another host with \
         wxpay sandbox exec --allow {host}, or with SandboxBuilder::allow_host\n"
    );
    let mut response = Response::new(ResponseBody::bytes(text.into()));
    *response.status_mut() = StatusCode::FORBIDDEN;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A response of the service's gateway. It is not signed, and the connection is closed after it.
fn gateway_error(status: StatusCode) -> Response<ResponseBody> {
    let mut response = fault::error_page(status).map(ResponseBody::bytes);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
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
    // Requests that are not for a resource of this server.
    if parts.method == Method::CONNECT || parts.uri.path() == "*" || parts.method == Method::TRACE {
        return Ok(gateway_error(StatusCode::METHOD_NOT_ALLOWED));
    }
    let body = match read_body(parts.headers.contains_key(EXPECT), body).await? {
        Ok(body) => body,
        Err(status) => return Ok(gateway_error(status)),
    };
    let began = Instant::now();
    let request = Request::from_parts(parts, body);
    if !connection.is_proxied && admin::is_admin_path(request.uri().path()) {
        let (response, pending) = inner.transact(|state| admin::respond(state, &request, &connection.base_uri, now()));
        return match pending.written().await {
            true => Ok(response.into_http(&request, &inner.keys).map(ResponseBody::bytes)),
            false => Err(STORE_FAILED.into()),
        };
    }

    let inbound = InboundRequest::new(request, connection.base_uri, connection.has_client_certificate).await;
    let (dispatched, pending) = inner.transact(|state| dispatch(state, inbound, now()));
    // A response must not report what would be lost by a crash.
    if !pending.written().await {
        return Err(STORE_FAILED.into());
    }
    let Dispatched { number, response, transmission, refused, warning } = dispatched?;
    if let (Some(log), Some(refused)) = (&inner.refusal_log, &refused) {
        log.write(refused);
    }
    if let (Some(log), Some(warning)) = (&inner.refusal_log, &warning) {
        log.warn(warning);
    }
    let body = response.generated_file.map(ResponseBody::generated_file);
    let response = response.http.map(|bytes| body.unwrap_or_else(|| ResponseBody::bytes(bytes)));
    if let Transmission::Delayed(time) = transmission {
        tokio::time::sleep(time).await;
    }
    inner.change_unpersisted(|state| state.requests.set_elapsed(number, began.elapsed()));
    match transmission {
        Transmission::Normal | Transmission::Delayed(_) => Ok(response),
        Transmission::CutAfter(bytes) => Ok(response.map(|body| body.cut(bytes))),
        Transmission::Dropped => Err("the connection is closed by an injected fault".into()),
    }
}

const STORE_FAILED: &str = "the database cannot be written";
