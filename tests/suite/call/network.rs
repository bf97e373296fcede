//! TLS, proxies, and connections that cannot be made.

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tower::ServiceExt;
use wechatpay_chain::sandbox::Sandbox;
use wechatpay_chain::{BoxService, Error, ErrorKind};

use crate::support::{CARDS, options, relay, run, sandbox, server, silent_server, unused_address};

/// Starts a TLS server that forwards to the sandbox. Returns its address, and the PEM of the
/// private authority that signed its certificate.
fn tls_server(sandbox: &Sandbox) -> (SocketAddr, String) {
    let ca_key = KeyPair::generate().expect("key");
    let mut ca = CertificateParams::new(Vec::new()).expect("params");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = ca.self_signed(&ca_key).expect("authority").pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().expect("key");
    let leaf = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("params");
    let leaf = leaf.signed_by(&key, &issuer).expect("certificate");
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .expect("config");
    let (acceptor, target) = (TlsAcceptor::from(Arc::new(config)), sandbox.address());
    let address = server(move |stream| {
        let acceptor = acceptor.clone();
        async move { relay(acceptor.accept(stream).await?, target).await }
    });
    (address, authority)
}

#[test]
fn a_private_authority_is_refused_by_default_and_accepted_as_a_root() {
    let sandbox = sandbox();
    let (address, authority) = tls_server(&sandbox);
    for host in ["localhost", "127.0.0.1"] {
        let builder = || sandbox.client_builder().base_uri(format!("https://{host}:{}/", address.port()));
        let error = builder().build().expect("client").chain(CARDS).post(options()).expect_err("not trusted");
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
        assert!(error.is_before_send() && error.to_string().contains("root_certificate"), "{error}");
        let client = builder().root_certificate(&authority).build().expect("client");
        assert!(client.chain(CARDS).post(options()).expect("trusted").is_verified());
    }
    assert_eq!(sandbox.requests().len(), 2);
}

#[test]
fn the_name_in_a_certificate_is_checked() {
    let sandbox = sandbox();
    let (address, authority) = tls_server(&sandbox);
    let wrong_name = sandbox.client_builder().base_uri(format!("https://0.0.0.0:{}/", address.port()));
    let error = wrong_name.root_certificate(&authority).build().expect("client").chain(CARDS).post(options());
    let error = error.expect_err("the certificate is for another address");
    assert!(error.kind() == ErrorKind::Connect && error.message().contains("not valid for name"), "{error}");
}

#[test]
fn plain_http_is_used_only_if_base_uri_has_it() {
    let sandbox = sandbox();
    let client = sandbox.client_builder().base_uri("https://api.mch.weixin.qq.com/").build().expect("client");
    let error = client.chain("http://api.mch.weixin.qq.com/v3/certificates").get(()).expect_err("plain HTTP");
    assert_eq!(error.kind(), ErrorKind::Path, "{error}");
    // TLS to a port for plain HTTP fails before a request is sent.
    let https =
        sandbox.client_builder().base_uri(sandbox.base_uri().replace("http:", "https:")).build().expect("client");
    assert_eq!(https.chain(CARDS).post(options()).expect_err("no TLS").kind(), ErrorKind::Connect);
    assert!(sandbox.requests().is_empty());
}

/// Starts an HTTP proxy that records the head of each request and forwards to `target`.
fn proxy(target: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let recorded = Arc::clone(&heads);
    let address = server(move |mut stream: TcpStream| {
        let recorded = Arc::clone(&recorded);
        async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await?);
            }
            let text = String::from_utf8_lossy(&head).into_owned();
            recorded.lock().expect("heads").push(text.clone());
            if text.starts_with("CONNECT ") {
                stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
                return relay(stream, target).await;
            }
            let mut to = TcpStream::connect(target).await?;
            // A proxy sends the path of the absolute URL.
            let path = text.replacen(&format!("http://{target}"), "", 1);
            to.write_all(path.as_bytes()).await?;
            tokio::io::copy_bidirectional(&mut stream, &mut to).await.map(|_| ())
        }
    });
    (address, heads)
}

#[test]
fn a_proxy_gets_connect_for_tls_and_absolute_urls_for_plain_http() {
    let sandbox = sandbox();
    let (tls, authority) = tls_server(&sandbox);
    let (proxy_at, heads) = proxy(tls);
    let client = sandbox
        .client_builder()
        .base_uri(format!("https://localhost:{}/", tls.port()))
        .root_certificate(&authority)
        .proxy(format!("http://user:pa55@{proxy_at}"))
        .build()
        .expect("client");
    assert!(client.chain(CARDS).post(options()).expect("tunnelled").is_verified());
    let head = heads.lock().expect("heads").join("");
    assert!(head.starts_with(&format!("CONNECT localhost:{} HTTP/1.1\r\n", tls.port())), "{head}");
    assert!(head.contains("Proxy-Authorization: Basic dXNlcjpwYTU1"), "{head}");
    assert!(!head.contains("WECHATPAY2"), "the proxy sees no signature");

    let (proxy_at, heads) = proxy(sandbox.address());
    let client = sandbox.client_builder().proxy(format!("http://user:pa55@{proxy_at}")).build().expect("client");
    assert!(client.chain(CARDS).post(options()).expect("proxied").is_verified());
    let head = heads.lock().expect("heads").join("");
    assert!(head.starts_with(&format!("POST http://{}/v3/marketing/", sandbox.address())), "{head}");
    assert!(head.contains("proxy-authorization: Basic dXNlcjpwYTU1"), "{head}");
    // The signature covers the path, although the proxy got the absolute URL.
    assert!(sandbox.requests()[1].target.starts_with("/v3/marketing/"));
}

#[test]
fn proxies_and_their_exceptions_are_set_in_the_map() {
    let sandbox = sandbox();
    let (proxy_at, heads) = proxy(sandbox.address());
    let mut settings = sandbox.settings();
    settings["proxy"] = serde_json::json!({ "http": format!("http://{proxy_at}"), "no": ["127.0.0.1"] });
    let client = wechatpay_chain::Client::factory(settings.clone()).expect("client");
    client.chain(CARDS).post(options()).expect("directly");
    assert!(heads.lock().expect("heads").is_empty());
    settings["proxy"]["no"] = serde_json::json!("other.example");
    wechatpay_chain::Client::factory(settings).expect("client").chain(CARDS).post(options()).expect("proxied");
    assert_eq!(heads.lock().expect("heads").len(), 1);
}

#[test]
fn failures_to_connect_are_connect_errors() {
    let sandbox = sandbox();
    let free = unused_address();
    for (base_uri, expected) in
        [(format!("http://{free}/"), "refused"), ("http://no-such-host.invalid/".to_owned(), "no-such-host.invalid")]
    {
        let client = sandbox.client_builder().base_uri(base_uri).build().expect("client");
        let error = client.chain(CARDS).post(options()).expect_err(expected);
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
        assert!(error.is_connect() && error.to_string().contains(expected), "{error}");
    }
    // A server that accepts connections and does not respond to the TLS handshake.
    let client = sandbox.client_builder().base_uri(format!("https://{}/", silent_server()));
    let client = client.connect_timeout(Duration::from_millis(200)).build().expect("client");
    let error = client.chain(CARDS).post(options()).expect_err("silent");
    assert!(error.is_connect() && error.is_timeout(), "{error:?}");
}

#[test]
fn socks_proxies_get_the_name_or_the_address() {
    let sandbox = sandbox();
    let (target, requested) = (sandbox.address(), Arc::new(Mutex::new(Vec::new())));
    let recorded = Arc::clone(&requested);
    let socks = server(move |mut stream| {
        let recorded = Arc::clone(&recorded);
        async move {
            let methods = (stream.read_u8().await?, stream.read_u8().await?);
            assert_eq!(methods.0, 5);
            let mut offered = vec![0; methods.1.into()];
            stream.read_exact(&mut offered).await?;
            assert!(offered.contains(&2), "user and password are offered");
            stream.write_all(&[5, 2]).await?;
            let mut text = Vec::new();
            stream.read_u8().await?;
            for _ in 0..2 {
                let mut part = vec![0; stream.read_u8().await?.into()];
                stream.read_exact(&mut part).await?;
                text.push(String::from_utf8(part).expect("text"));
            }
            stream.write_all(&[1, 0]).await?;
            let mut head = [0; 4];
            stream.read_exact(&mut head).await?;
            let address = match head[3] {
                3 => {
                    let mut name = vec![0; stream.read_u8().await?.into()];
                    stream.read_exact(&mut name).await?;
                    String::from_utf8(name).expect("text")
                }
                1 => {
                    let mut ip = [0; 4];
                    stream.read_exact(&mut ip).await?;
                    std::net::Ipv4Addr::from(ip).to_string()
                }
                _ => {
                    let mut ip = [0; 16];
                    stream.read_exact(&mut ip).await?;
                    std::net::Ipv6Addr::from(ip).to_string()
                }
            };
            stream.read_u16().await?;
            recorded.lock().expect("requested").push(format!("{} {} {address}", text[0], text[1]));
            stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
            relay(stream, target).await
        }
    });
    for scheme in ["socks5h", "socks5"] {
        let proxied = sandbox.client_builder().proxy(format!("{scheme}://user:pa55@{socks}"));
        let client = proxied.base_uri(format!("http://localhost:{}/", target.port())).build().expect("client");
        client.chain(CARDS).post(options()).expect("through the proxy");
    }
    let requested = requested.lock().expect("requested").clone();
    assert_eq!(requested[0], "user pa55 localhost", "with socks5h the proxy resolves the name");
    assert!(
        requested[1] == "user pa55 127.0.0.1" || requested[1] == "user pa55 ::1",
        "with socks5 the client resolves it: {}",
        requested[1]
    );
}

#[test]
fn plain_http_to_a_tls_port_is_explained() {
    let sandbox = sandbox();
    let base = sandbox.tls_base_uri().replace("https://", "http://");
    let client = sandbox.client_builder().base_uri(base).build().expect("client");
    let error = client.chain(CARDS).post(options()).expect_err("no HTTP");
    assert!(error.message().contains("may have to begin with https"), "{error}");
}

/// A time limit that ends while the call connects: nothing was sent. A server that reads the
/// request and is silent may have executed it.
#[test]
fn a_timeout_says_whether_the_request_may_have_arrived() {
    let sandbox = sandbox();
    let total = serde_json::json!({ "timeout": 0.3 });
    let read = serde_json::json!({ "timeout": 0, "read_timeout": 0.3 });
    // Neither completes a TLS handshake. The bytes of the handshake are not those of the request.
    for (scheme, not_sent) in [("https", true), ("http", false)] {
        let client = sandbox.client_builder().base_uri(format!("{scheme}://{}/", silent_server()));
        let client = client.build().expect("client");
        for limit in [&total, &read] {
            let synchronous = client.chain("v3/x").post(limit).expect_err("silent");
            let asynchronous = run(client.chain("v3/x").post_async(limit)).expect_err("silent");
            for error in [synchronous, asynchronous] {
                assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
                assert_eq!(error.is_before_send(), not_sent, "{scheme}, {limit}: {error}");
                let message = if not_sent { "nothing was sent" } else { "may have arrived" };
                assert!(error.to_string().contains(message), "{scheme}, {limit}: {error}");
            }
        }
    }
}

/// The idle connection that the server has closed is not written to, so the time limit of the
/// call ends while it connects again.
#[test]
fn a_timeout_while_connecting_again_is_not_an_unknown_outcome() {
    let sandbox = sandbox();
    let (tls, authority) = tls_server(&sandbox);
    let (is_first, close) = (AtomicBool::new(true), Arc::new(Notify::new()));
    let (closed, was_closed) = std::sync::mpsc::channel();
    let closing = Arc::clone(&close);
    let address = server(move |mut stream| {
        let (is_first, close, closed) = (is_first.swap(false, SeqCst), Arc::clone(&closing), closed.clone());
        async move {
            if !is_first {
                return std::future::pending().await;
            }
            let mut to = TcpStream::connect(tls).await?;
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut stream, &mut to) => {}
                () = close.notified() => {}
            }
            drop(stream);
            closed.send(()).map_err(std::io::Error::other)
        }
    });
    let client = sandbox.client_builder().base_uri(format!("https://localhost:{}/", address.port()));
    let client = client.root_certificate(&authority).keep_warm(Duration::ZERO).build().expect("client");
    client.chain(CARDS).post(options()).expect("the first connection");
    close.notify_one();
    was_closed.recv().expect("closed");
    let mut options = options();
    options["timeout"] = serde_json::json!(0.3);
    let error = client.chain(CARDS).post(options).expect_err("silent");
    assert!(error.is_timeout() && error.is_before_send(), "{error}");
    assert_eq!(sandbox.requests().len(), 1);
}

/// A layer may move the call to a task that goes on after the time limit. That task sends nothing
/// any more, because the error says so.
#[test]
fn a_call_that_timed_out_before_sending_is_not_sent_later() {
    let sandbox = sandbox();
    let go_on = Arc::new(Notify::new());
    let (ended, result) = std::sync::mpsc::channel();
    let waits = Arc::clone(&go_on);
    let layer = tower::layer::layer_fn(move |inner: BoxService| {
        let (go_on, ended) = (Arc::clone(&waits), ended.clone());
        tower::service_fn(move |request: http::Request<Bytes>| {
            let (inner, go_on, ended) = (inner.clone(), Arc::clone(&go_on), ended.clone());
            tokio::spawn(async move {
                go_on.notified().await;
                ended.send(inner.oneshot(request).await).expect("the test waits");
            });
            std::future::pending::<Result<http::Response<Bytes>, Error>>()
        })
    });
    let client = sandbox.client_builder().layer(layer).build().expect("client");
    let mut options = options();
    options["timeout"] = serde_json::json!(0.2);
    run(async {
        let error = client.chain(CARDS).post_async(options).await.expect_err("the layer waits");
        assert!(error.is_timeout() && error.is_before_send(), "{error}");
        go_on.notify_one();
        let error = tokio::task::spawn_blocking(move || result.recv()).await.expect("task").expect("ended");
        assert!(error.expect_err("not sent").to_string().contains("the call has ended before"));
    });
    assert_eq!(sandbox.requests().len(), 0);
}
