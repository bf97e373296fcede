//! The connector: opens connections, directly or through a proxy, with TLS to the target.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::header::HeaderValue;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use rustls::client::WantsClientCert;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use tower::{Service, ServiceExt};

use crate::crypto::identity::Identity;
use crate::error::{BoxError, Error};
use crate::transport::BoxFuture;
use crate::transport::proxy::Proxy;

tokio::task_local! {
    /// The connect timeout of the current call, if the call has its own. hyper's pool passes only
    /// an address to the connector, so the timeout is passed beside it.
    pub(crate) static CONNECT_TIMEOUT: Duration;
}

/// Opens connections for the pool. A clone shares all settings.
#[derive(Clone)]
pub(crate) struct Connector(Arc<ConnectorInner>);

#[derive(Clone)]
struct ConnectorInner {
    proxies: Option<Arc<Matcher>>,
    tcp: HttpConnector,
    /// TLS to a proxy.
    tls: Arc<ClientConfig>,
    /// TLS to the service, with a client certificate if this connector presents one.
    tls_to_target: Arc<ClientConfig>,
    timeout: Duration,
}

impl Connector {
    pub(crate) fn new(proxy: &Proxy, roots: &[CertificateDer<'static>], timeout: Duration) -> Result<Self, Error> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        let tls = Arc::new(tls_config(roots)?.with_no_client_auth());
        let tls_to_target = Arc::clone(&tls);
        Ok(Connector(Arc::new(ConnectorInner { proxies: proxy.matcher()?, tcp, tls, tls_to_target, timeout })))
    }

    /// A connector that presents a client certificate to the service. A proxy does not get it.
    pub(crate) fn with_client_certificate(
        &self,
        roots: &[CertificateDer<'static>],
        identity: Identity,
    ) -> Result<Self, Error> {
        let tls = tls_config(roots)?.with_client_auth_cert(identity.chain, identity.key).map_err(|source| {
            Error::config(format!("the certificate and the key do not match, or are damaged: {source}"))
                .with_source(source)
        })?;
        Ok(Connector(Arc::new(ConnectorInner { tls_to_target: Arc::new(tls), ..ConnectorInner::clone(&self.0) })))
    }

    /// A connector with the same settings and another proxy.
    pub(crate) fn with_proxy(&self, proxy: &Proxy) -> Result<Self, Error> {
        Ok(Connector(Arc::new(ConnectorInner { proxies: proxy.matcher()?, ..ConnectorInner::clone(&self.0) })))
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

/// A TLS configuration that trusts Mozilla's root certificates and the caller's.
fn tls_config(
    roots: &[CertificateDer<'static>],
) -> Result<rustls::ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for root in roots {
        store.add(root.clone()).map_err(|source| {
            Error::config(format!("a root certificate is not usable: {source}")).with_source(source)
        })?;
    }
    // The provider is named, because the process's default may be set by another library, or be
    // ambiguous.
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|source| Error::config(format!("TLS cannot be set up: {source}")).with_source(source))?;
    Ok(config.with_root_certificates(store))
}

impl Service<Uri> for Connector {
    type Response = BoxStream;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<BoxStream, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let shared = Arc::clone(&self.0);
        let timeout = CONNECT_TIMEOUT.try_with(|timeout| *timeout).unwrap_or(shared.timeout);
        Box::pin(async move {
            // The timeout covers DNS, TCP, the response of a proxy and the TLS handshake.
            let connecting = shared.connect(target);
            if timeout.is_zero() {
                return connecting.await;
            }
            tokio::time::timeout(timeout, connecting).await.unwrap_or_else(|_| Err(Box::new(ConnectTimeout(timeout))))
        })
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

/// A connection to a proxy without a tunnel. hyper writes the whole URI into the request line.
struct Proxied<T>(T);

impl<T: Connection> Connection for Proxied<T> {
    fn connected(&self) -> Connected {
        self.0.connected().proxy(true)
    }
}

impl<T: Read + Unpin> Read for Proxied<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl<T: Write + Unpin> Write for Proxied<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
