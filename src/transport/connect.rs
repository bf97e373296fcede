//! The connector: opens connections, directly or through a proxy, with TLS to the target.
//!
//! tokio registers a socket with the I/O driver of one runtime. A call may run on any runtime, so a
//! [`Socket`] registers itself again when another runtime polls it. An idle connection therefore
//! belongs to no runtime: it survives the end of the runtime that opened it, and calls on all
//! runtimes share it.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::header::HeaderValue;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::runtime::{Handle, Id};
use tower::{Service, ServiceExt};

use crate::clock::Moment;
use crate::crypto::identity::Identity;
use crate::error::{BoxError, Error};
use crate::transport::proxy::{Proxied, Proxy};
use crate::transport::tls::client_config;
use crate::transport::{BoxFuture, runtime};

/// Opens connections for the pool. A clone shares all settings.
#[derive(Clone)]
pub(crate) struct Connector(Arc<ConnectorInner>);

#[derive(Clone)]
struct ConnectorInner {
    proxies: Option<Arc<Matcher>>,
    tcp: SocketConnector,
    /// TLS to a proxy.
    tls: Arc<ClientConfig>,
    /// TLS to the service, with a client certificate if this connector presents one.
    tls_to_target: Arc<ClientConfig>,
    proxy: Proxy,
    timeout: Duration,
    /// The caller's root certificates.
    roots: Vec<CertificateDer<'static>>,
}

impl Connector {
    pub(crate) fn new(proxy: &Proxy, roots: &[CertificateDer<'static>], timeout: Duration) -> Result<Self, Error> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        let tls = Arc::new(client_config(roots)?.with_no_client_auth());
        let tls_to_target = Arc::clone(&tls);
        let tcp = SocketConnector(tcp);
        Ok(Connector(Arc::new(ConnectorInner {
            proxies: proxy.matcher()?,
            tcp,
            tls,
            tls_to_target,
            timeout,
            proxy: proxy.clone(),
            roots: roots.to_vec(),
        })))
    }

    /// A connector that presents a client certificate to the service. A proxy does not get it.
    pub(crate) fn with_client_certificate(&self, identity: Identity) -> Result<Self, Error> {
        let tls =
            client_config(&self.0.roots)?.with_client_auth_cert(identity.chain, identity.key).map_err(|source| {
                Error::config(format!("the certificate and the key do not match, or are damaged: {source}"))
                    .with_source(source)
            })?;
        Ok(Connector(Arc::new(ConnectorInner { tls_to_target: Arc::new(tls), ..ConnectorInner::clone(&self.0) })))
    }

    pub(crate) fn proxy(&self) -> &Proxy {
        &self.0.proxy
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// The caller's root certificates.
    pub(crate) fn roots(&self) -> &[CertificateDer<'static>] {
        &self.0.roots
    }

    /// A connector with the same settings and another proxy.
    pub(crate) fn with_proxy(&self, proxy: &Proxy) -> Result<Self, Error> {
        Ok(Connector(Arc::new(ConnectorInner {
            proxies: proxy.matcher()?,
            proxy: proxy.clone(),
            ..ConnectorInner::clone(&self.0)
        })))
    }

    /// Opens a connection. The timeout covers DNS, TCP, the response of a proxy and the TLS
    /// handshake; the client's timeout is the default, and zero is no limit.
    pub(super) async fn connect(&self, target: Uri, timeout: Option<Duration>) -> Result<BoxStream, BoxError> {
        let timeout = timeout.unwrap_or(self.0.timeout);
        let connecting = std::pin::pin!(self.0.connect(target));
        if timeout.is_zero() {
            return connecting.await;
        }
        runtime::timeout(timeout, connecting).await.unwrap_or_else(|| Err(Box::new(ConnectTimeout(timeout))))
    }

    /// Whether any request goes through a proxy.
    pub(crate) fn uses_proxies(&self) -> bool {
        self.0.proxies.is_some()
    }

    /// The proxy for an address, without its user and password, for messages.
    pub(crate) fn proxy_for(&self, target: &Uri) -> Option<String> {
        let proxy = self.0.proxies.as_ref()?.intercept(target)?;
        Some(proxy.uri().to_string().trim_end_matches('/').to_owned())
    }

    /// The `Proxy-Authorization` of a plain HTTP request. It passes a proxy without a tunnel.
    pub(crate) fn proxy_authorization(&self, target: &Uri) -> Option<HeaderValue> {
        if target.scheme_str() != Some("http") {
            return None;
        }
        let mut value = self.0.proxies.as_ref()?.intercept(target)?.basic_auth()?.clone();
        value.set_sensitive(true);
        Some(value)
    }
}

impl ConnectorInner {
    async fn connect(&self, target: Uri) -> Result<BoxStream, BoxError> {
        match self.proxies.as_ref().and_then(|proxies| proxies.intercept(&target)) {
            None => self.connect_over(self.tcp.clone(), target).await,
            Some(proxy) => self.connect_via(proxy, target).await,
        }
    }

    async fn connect_via(&self, proxy: Intercept, target: Uri) -> Result<BoxStream, BoxError> {
        let to_proxy = HttpsConnector::from((self.tcp.clone(), Arc::clone(&self.tls)));
        match proxy.uri().scheme_str() {
            Some("socks5" | "socks5h") => {
                let mut socks = SocksV5::new(proxy.uri().clone(), self.tcp.clone())
                    .local_dns(proxy.uri().scheme_str() == Some("socks5"));
                if let Some((user, password)) = proxy.raw_auth() {
                    socks = socks.with_auth(user.to_owned(), password.to_owned());
                }
                self.connect_over(socks, target).await
            }
            Some("http" | "https") if target.scheme_str() == Some("https") => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), to_proxy);
                if let Some(authorization) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(authorization.clone());
                }
                self.connect_over(tunnel, target).await
            }
            Some("http" | "https") => {
                let stream = to_proxy.oneshot(proxy.uri().clone()).await?;
                Ok(Box::new(Proxied(stream)))
            }
            other => {
                Err(format!("a proxy of the scheme {other:?} is not supported: use http, https, socks5 or socks5h")
                    .into())
            }
        }
    }

    /// Connects to the target over the connector `lower`, with TLS if the scheme of the target is
    /// https.
    async fn connect_over<C>(&self, lower: C, target: Uri) -> Result<BoxStream, BoxError>
    where
        C: Service<Uri> + Send,
        C::Response: Connection + Read + Write + Send + Unpin + 'static,
        C::Future: Send + 'static,
        C::Error: Into<BoxError>,
    {
        let stream = HttpsConnector::from((lower, Arc::clone(&self.tls_to_target))).oneshot(target).await?;
        Ok(Box::new(stream))
    }
}

/// The connect timeout elapsed.
#[derive(Debug)]
pub(crate) struct ConnectTimeout(Duration);

impl std::fmt::Display for ConnectTimeout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no connection after {:?}", self.0)
    }
}

impl std::error::Error for ConnectTimeout {}

/// An open connection. Its type depends on proxy and TLS.
pub(crate) trait Io: Read + Write + Connection + Send + Unpin {}
impl<T: Read + Write + Connection + Send + Unpin> Io for T {}

pub(crate) type BoxStream = Box<dyn Io>;

impl Connection for BoxStream {
    fn connected(&self) -> Connected {
        (**self).connected()
    }
}

/// Opens [`Socket`]s. The [`Connected`] of a connection on top has a [`SocketHandle`].
#[derive(Clone)]
pub(super) struct SocketConnector(pub(super) HttpConnector);

impl Service<Uri> for SocketConnector {
    type Response = Socket;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Socket, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let tcp = self.0.clone();
        Box::pin(async move {
            let connected = runtime::on_each_runtime(|| tcp.clone().call(target.clone())).await?;
            Ok(Socket::new(connected)?)
        })
    }
}

/// The precision of the time at which a response has arrived. Asking the system costs a call.
const PRECISION: Duration = Duration::from_millis(10);

/// What a socket has to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pending {
    Nothing,
    Data,
    /// The server has closed the connection, or it is broken.
    End,
}

/// Observes a socket that hyper and rustls own.
#[derive(Clone)]
pub(super) struct SocketHandle(Arc<Mutex<SocketState>>);

struct SocketState {
    /// Absent after a registration has failed.
    stream: Option<TokioIo<TcpStream>>,
    /// The runtime with which the socket is registered.
    runtime: Id,
    /// The process that opened the socket.
    process: u32,
    /// The number of bytes written.
    written: u64,
    /// Whether the system did not accept the data written last.
    is_write_blocked: bool,
    /// When the socket was last polled and had nothing to read.
    was_empty: Moment,
    /// The data read last arrived after this moment.
    arrived_after: Moment,
}

impl Drop for SocketState {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // Forgotten in a forked child: a dropped socket is removed from the epoll descriptor,
            // which is shared with the parent, and the parent would wait for it in vain.
            std::mem::forget(self.stream.take());
        }
    }
}

impl SocketHandle {
    fn lock(&self) -> MutexGuard<'_, SocketState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of bytes that the system has accepted, TLS included.
    pub(super) fn written(&self) -> u64 {
        self.lock().written
    }

    /// Whether data is waiting to be written.
    pub(super) fn is_write_blocked(&self) -> bool {
        self.lock().is_write_blocked
    }

    /// The data read last arrived after this moment. The server may have been idle since then, even
    /// if the data was read much later.
    pub(super) fn arrived_after(&self) -> Moment {
        self.lock().arrived_after
    }

    /// The runtime with which the socket is registered.
    pub(super) fn runtime(&self) -> Id {
        self.lock().runtime
    }

    /// Asks the system for data that has arrived, without reading it. The result does not depend on
    /// a runtime that has polled its sockets.
    pub(super) fn pending(&self) -> Pending {
        self.lock().pending()
    }

    /// Records the time if there is nothing to read, for [`arrived_after`](Self::arrived_after). It
    /// asks the system: until the runtime is driven, tokio does not report new data.
    pub(super) fn note_if_empty(&self) {
        let mut state = self.lock();
        if state.was_empty.elapsed() > PRECISION {
            state.pending();
        }
    }
}

impl SocketState {
    fn pending(&mut self) -> Pending {
        let Some(stream) = &self.stream else { return Pending::End };
        match SockRef::from(stream.inner()).peek(&mut [MaybeUninit::uninit()]) {
            Ok(0) => Pending::End,
            Ok(_) => Pending::Data,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.was_empty = Moment::now();
                Pending::Nothing
            }
            Err(_) => Pending::End,
        }
    }

    /// Polls the socket, registered with the current runtime.
    fn poll<T>(
        &mut self,
        poll: impl FnOnce(Pin<&mut TokioIo<TcpStream>>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match self.registered() {
            Ok(stream) => poll(Pin::new(stream)),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn registered(&mut self) -> io::Result<&mut TokioIo<TcpStream>> {
        let runtime = Handle::try_current().map_err(io::Error::other)?.id();
        if runtime != self.runtime {
            if let Some(stream) = self.stream.take() {
                let stream = stream.into_inner().into_std()?;
                self.stream = Some(TokioIo::new(TcpStream::from_std(stream)?));
            }
            self.runtime = runtime;
        }
        self.stream.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

/// A TCP connection. Its runtime is the one that polls it.
pub(super) struct Socket(SocketHandle);

impl Socket {
    fn new(stream: TokioIo<TcpStream>) -> io::Result<Self> {
        let runtime = Handle::try_current().map_err(io::Error::other)?.id();
        let now = Moment::now();
        let (stream, process) = (Some(stream), std::process::id());
        let state = SocketState {
            stream,
            runtime,
            process,
            written: 0,
            is_write_blocked: false,
            was_empty: now,
            arrived_after: now,
        };
        Ok(Socket(SocketHandle(Arc::new(Mutex::new(state)))))
    }

    fn write(
        &self,
        write: impl FnOnce(Pin<&mut TokioIo<TcpStream>>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock();
        let written = state.poll(write);
        state.is_write_blocked = written.is_pending();
        if let Poll::Ready(Ok(bytes)) = written {
            state.written += bytes as u64;
        }
        written
    }
}

impl Connection for Socket {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.0.clone())
    }
}

impl Read for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        let read = state.poll(|stream| stream.poll_read(context, into));
        if read.is_ready() {
            state.arrived_after = state.was_empty;
        }
        read
    }
}

impl Write for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(|stream| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(|stream| stream.poll_write_vectored(context, buffers))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().poll(|stream| stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().poll(|stream| stream.poll_shutdown(context))
    }
}

#[cfg(test)]
#[path = "connect_tests.rs"]
mod tests;
