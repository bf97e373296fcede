//! How a connection is made: directly or through a proxy, TLS to the target over either.

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

use crate::BoxFuture;
use crate::crypto::identity::Identity;
use crate::error::{BoxError, Error};

/// Which proxy leads to which address.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, as curl reads them.
    #[default]
    Environment,
    /// None, whatever the environment says.
    Off,
    /// This one for everything.
    All(String),
    /// As Guzzle's `proxy` map has it.
    Split { http: String, https: String, no: String },
}

impl Proxy {
    fn matcher(&self) -> Result<Arc<Matcher>, Error> {
        let (matcher, urls) = match self {
            Proxy::Environment => {
                for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
                    let value = std::env::var(name).unwrap_or_default();
                    if !value.is_empty() && !Proxy::is_readable(&value) {
                        return Err(Error::config(format!(
                            "the variable {name} of the environment is no URL of a proxy, and calls would go out without one: correct \
                             it, or set proxy (\"\" for none)"
                        )));
                    }
                }
                return Ok(Arc::new(Matcher::from_env()));
            }
            Proxy::Off => return Ok(Arc::new(Matcher::builder().build())),
            Proxy::All(url) => (Matcher::builder().all(url.clone()), [url, url]),
            Proxy::Split { http, https, no } => {
                (Matcher::builder().http(http.clone()).https(https.clone()).no(no.clone()), [http, https])
            }
        };
        // The matcher passes over what it cannot read, and calls would go out directly.
        let readable = Proxy::is_readable;
        if urls.into_iter().any(|url| !url.is_empty() && !readable(url)) {
            return Err(Error::config(
                "the proxy is no URL of a proxy: write it like \"http://proxy.example:3128\", with http, https, socks5 or socks5h",
            ));
        }
        Ok(Arc::new(matcher.build()))
    }

    fn is_readable(url: &str) -> bool {
        if !url.contains("://") && !url.contains(':') {
            return false;
        }
        let probe = Matcher::builder().all(url.to_owned()).build();
        let intercept = probe.intercept(&Uri::from_static("https://api.mch.weixin.qq.com"));
        intercept.is_some_and(|intercept| {
            matches!(intercept.uri().scheme_str(), Some("http" | "https" | "socks5" | "socks5h"))
        })
    }
}

tokio::task_local! {
    /// The connect timeout of the call for which a connection is being made, where the call has its own. The pool calls the
    /// connector with nothing but an address.
    pub(crate) static CONNECT_TIMEOUT: Duration;
}

/// Makes connections for the pool. A clone shares everything.
#[derive(Clone)]
pub(crate) struct Connector(Arc<Shared>);

#[derive(Clone)]
struct Shared {
    proxies: Arc<Matcher>,
    tcp: HttpConnector,
    /// To a proxy.
    tls: Arc<ClientConfig>,
    /// To the service; with a client certificate where the settings have one and the call asks for it.
    tls_to_target: Arc<ClientConfig>,
    timeout: Duration,
}

impl Connector {
    pub(crate) fn new(proxy: &Proxy, roots: &[CertificateDer<'static>], timeout: Duration) -> Result<Self, Error> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        let tls = Arc::new(trusting(roots)?.with_no_client_auth());
        let tls_to_target = Arc::clone(&tls);
        Ok(Connector(Arc::new(Shared { proxies: proxy.matcher()?, tcp, tls, tls_to_target, timeout })))
    }

    /// The same, presenting a client certificate to the service, and never to a proxy.
    pub(crate) fn presenting(&self, roots: &[CertificateDer<'static>], identity: Identity) -> Result<Self, Error> {
        let tls = trusting(roots)?.with_client_auth_cert(identity.chain, identity.key).map_err(|source| {
            Error::config(format!("the certificate and the key do not belong together, or are damaged: {source}"))
                .with_source(source)
        })?;
        Ok(Connector(Arc::new(Shared { tls_to_target: Arc::new(tls), ..Shared::clone(&self.0) })))
    }

    /// The same, through another proxy.
    pub(crate) fn through(&self, proxy: &Proxy) -> Result<Self, Error> {
        Ok(Connector(Arc::new(Shared { proxies: proxy.matcher()?, ..Shared::clone(&self.0) })))
    }

    /// The proxy on the way to an address, without its password, for messages.
    pub(crate) fn proxy_for(&self, target: &Uri) -> Option<String> {
        let proxy = self.0.proxies.intercept(target)?;
        Some(proxy.uri().to_string().trim_end_matches('/').to_owned())
    }

    /// The `Proxy-Authorization` of a request that goes through a proxy without a tunnel, as plain HTTP does.
    pub(crate) fn proxy_authorization(&self, target: &Uri) -> Option<HeaderValue> {
        if target.scheme_str() != Some("http") {
            return None;
        }
        let mut value = self.0.proxies.intercept(target)?.basic_auth()?.clone();
        value.set_sensitive(true);
        Some(value)
    }
}

/// The usual roots of the web, and those of the caller's.
fn trusting(roots: &[CertificateDer<'static>]) -> Result<rustls::ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for root in roots {
        store.add(root.clone()).map_err(|source| {
            Error::config(format!("a root certificate is not usable: {source}")).with_source(source)
        })?;
    }
    // Named, not the process's default: another library may have set that, or two may have made it ambiguous.
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|source| Error::config(format!("TLS cannot be set up: {source}")).with_source(source))?;
    Ok(config.with_root_certificates(store))
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Stream, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let shared = Arc::clone(&self.0);
        let timeout = CONNECT_TIMEOUT.try_with(|timeout| *timeout).unwrap_or(shared.timeout);
        Box::pin(async move {
            // Covers DNS, TCP, the proxy's answer and the TLS handshake.
            let connecting = shared.connect(target);
            if timeout.is_zero() {
                return connecting.await;
            }
            tokio::time::timeout(timeout, connecting).await.unwrap_or_else(|_| Err(Box::new(ConnectTimeout(timeout))))
        })
    }
}

impl Shared {
    async fn connect(&self, target: Uri) -> Result<Stream, BoxError> {
        match self.proxies.intercept(&target) {
            None => self.over(self.tcp.clone(), target).await,
            Some(proxy) => self.connect_via(proxy, target).await,
        }
    }

    async fn connect_via(&self, proxy: Intercept, target: Uri) -> Result<Stream, BoxError> {
        let to_proxy = HttpsConnector::from((self.tcp.clone(), Arc::clone(&self.tls)));
        match proxy.uri().scheme_str() {
            Some("socks5" | "socks5h") => {
                let mut socks = SocksV5::new(proxy.uri().clone(), self.tcp.clone())
                    .local_dns(proxy.uri().scheme_str() == Some("socks5"));
                if let Some((user, password)) = proxy.raw_auth() {
                    socks = socks.with_auth(user.to_owned(), password.to_owned());
                }
                self.over(socks, target).await
            }
            Some("http" | "https") if target.scheme_str() == Some("https") => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), to_proxy);
                if let Some(authorization) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(authorization.clone());
                }
                self.over(tunnel, target).await
            }
            Some("http" | "https") => {
                let stream = to_proxy.oneshot(proxy.uri().clone()).await?;
                Ok(Stream { io: Box::new(stream), proxied: true })
            }
            other => {
                Err(format!("a proxy of the scheme {other:?} is not supported: use http, https, socks5 or socks5h")
                    .into())
            }
        }
    }

    /// Connects to the target over `below`, with TLS where the target's scheme asks for it.
    async fn over<C>(&self, below: C, target: Uri) -> Result<Stream, BoxError>
    where
        C: Service<Uri> + Send,
        C::Response: Connection + Read + Write + Send + Unpin + 'static,
        C::Future: Send + 'static,
        C::Error: Into<BoxError>,
    {
        let stream = HttpsConnector::from((below, Arc::clone(&self.tls_to_target))).oneshot(target).await?;
        Ok(Stream { io: Box::new(stream), proxied: false })
    }
}

/// No connection within the connect timeout.
#[derive(Debug)]
pub(crate) struct ConnectTimeout(Duration);

impl std::fmt::Display for ConnectTimeout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not connected after {:?}", self.0)
    }
}

impl std::error::Error for ConnectTimeout {}

trait Io: Read + Write + Send + Unpin {}
impl<T: Read + Write + Send + Unpin> Io for T {}

/// A connection, over whatever it goes.
pub(crate) struct Stream {
    io: Box<dyn Io>,
    proxied: bool,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        // A proxied connection is sent the whole URI in the request line.
        Connected::new().proxy(self.proxied)
    }
}

impl Read for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_read(context, into)
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.io).poll_write_vectored(context, bytes)
    }
}
