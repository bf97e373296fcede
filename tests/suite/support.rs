//! Helpers that several tests use.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use wechatpay_chain::sandbox::{self, Sandbox};
use wechatpay_chain::{Client, ClientBuilder};

/// The path of the call that most tests make.
pub(crate) const CARDS: &str = "v3/marketing/membercard-open/cards/{card_id}/permission-tokens";

/// The options of that call.
pub(crate) fn options() -> Value {
    json!({
        "card_id": "pbLatjvWOibDc5-TBnbUk1pD12o0",
        "json": {
            "activate_type": "AUTO_ACTIVATE",
            "navigate_back_previous_page": false,
            "activate_url": "https://w.url.cn/s/Ahz3p2C",
            "activate_appid": "wx0000000000000000",
            "activate_path": "pages/会员",
            "outer_str": "szwxtd",
        },
    })
}

pub(crate) fn sandbox() -> Sandbox {
    Sandbox::start().expect("a sandbox")
}

/// The builder of a client in platform-certificate mode: it has the APIv3 key and no platform key.
pub(crate) fn by_certificate(sandbox: &Sandbox) -> ClientBuilder {
    Client::builder()
        .mchid(sandbox::MCHID)
        .serial(sandbox::SERIAL)
        .private_key(sandbox.merchant_key())
        .apiv3_key(sandbox.apiv3_key())
        .base_uri(sandbox.base_uri())
        .no_proxy()
}

/// A sandbox and a client for it.
pub(crate) fn start() -> (Sandbox, Client) {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    (sandbox, client)
}

/// Runs a future on a new runtime with two worker threads.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("runtime")
        .block_on(future)
}

/// Starts a TCP server on a new thread, which runs until the process ends. `serve` handles each
/// connection.
pub(crate) fn server<F>(serve: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> SocketAddr
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async move {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
            send.send(listener.local_addr().expect("address")).expect("the test waits");
            loop {
                let (stream, _) = listener.accept().await.expect("accept");
                // The test asserts how the client reports a connection that failed.
                tokio::spawn(serve(stream));
            }
        });
    });
    receive.recv().expect("the server started")
}

/// A server that reads one request, writes these bytes and closes the connection.
pub(crate) fn raw_server(response: impl Into<Vec<u8>>) -> SocketAddr {
    let response = response.into();
    server(move |mut stream| {
        let response = response.clone();
        async move {
            let mut request = [0; 65536];
            let _ = stream.read(&mut request).await?;
            stream.write_all(&response).await?;
            stream.shutdown().await
        }
    })
}

/// The address of a TLS server with this certificate.
pub(crate) fn tls_server(certificate: CertificateDer<'static>, key: &rcgen::KeyPair) -> SocketAddr {
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .expect("config");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    server(move |stream| {
        let acceptor = acceptor.clone();
        async move { acceptor.accept(stream).await.map(drop) }
    })
}

/// A server that accepts connections and never writes to them.
pub(crate) fn silent_server() -> SocketAddr {
    server(|stream| async move {
        let _open = stream;
        std::future::pending().await
    })
}

/// An address at which no server listens.
pub(crate) fn unused_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("address")
}

/// A client with the keys of a sandbox that sends its requests to another address.
pub(crate) fn client_at(sandbox: &Sandbox, address: SocketAddr) -> Client {
    sandbox.client_builder().base_uri(format!("http://{address}/")).build().expect("client")
}

/// A writer whose bytes can be read through its clones.
#[derive(Clone, Default)]
pub(crate) struct SharedBuffer(Arc<Mutex<Vec<u8>>>);

impl SharedBuffer {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("buffer").clone()
    }
}

impl io::Write for SharedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("buffer").extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Checks the messages of neighbouring conditions: each message contains its hint, and the hint of
/// no other row. A row whose hint is empty is a condition without a hint.
pub(crate) fn each_hint_names_its_condition(rows: &[(&str, String)]) {
    let mut wrong = String::new();
    for (hint, message) in rows {
        if !message.contains(hint) {
            wrong += &format!("{hint:?} not in {message:?}\n");
        }
        for (other, _) in rows.iter().filter(|(other, _)| !other.is_empty() && other != hint) {
            if message.contains(other) {
                wrong += &format!("{other:?} in {message:?}, which is the message of {hint:?}\n");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Reads a request with its body; `None` if the client has closed the connection.
pub(crate) async fn read_request(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut request = Vec::new();
    loop {
        let mut more = [0; 4096];
        let length = stream.read(&mut more).await?;
        if length == 0 {
            return Ok(None);
        }
        request.extend_from_slice(&more[..length]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_lowercase();
        let announced = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
        if body.len() >= announced.unwrap_or(0) {
            return Ok(Some(text));
        }
    }
}

/// Copies bytes in both directions between a connection and an address, until both are closed.
pub(crate) async fn relay(
    mut from: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    to: SocketAddr,
) -> io::Result<()> {
    let mut to = TcpStream::connect(to).await?;
    copy_bidirectional(&mut from, &mut to).await.map(|_| ())
}

/// Runs an ignored test of this binary in a new process. Returns what the test printed.
pub(crate) fn run_in_new_process(test: &str) -> String {
    let exe = std::env::current_exe().expect("this binary");
    let output =
        std::process::Command::new(exe).args([test, "--exact", "--ignored", "--nocapture"]).output().expect("run");
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
    printed
}
