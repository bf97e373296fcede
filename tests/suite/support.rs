//! What the tests share.

use std::future::Future;
use std::io;

use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use wechatpay_chain::sandbox::{self, Sandbox};
use wechatpay_chain::{Client, ClientBuilder};

/// The reference call's path.
pub(crate) const CARDS: &str = "v3/marketing/membercard-open/cards/{card_id}/permission-tokens";

/// The reference call's options.
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

/// A merchant in platform-certificate mode, who has nothing but the APIv3 key.
pub(crate) fn by_certificate(sandbox: &Sandbox) -> ClientBuilder {
    Client::builder()
        .mchid(sandbox::MCHID)
        .serial(sandbox::SERIAL)
        .private_key(sandbox.merchant_key())
        .apiv3_key(sandbox.apiv3_key())
        .base_uri(sandbox.base_uri())
        .no_proxy()
}

/// A sandbox and a client of its merchant.
pub(crate) fn start() -> (Sandbox, Client) {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    (sandbox, client)
}

/// Runs a future on a runtime of its own.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("runtime")
        .block_on(future)
}

/// A TCP server on a thread of its own, ended with the process; `serve` runs for each connection.
pub(crate) fn server<F>(serve: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> std::net::SocketAddr
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
                // What a broken connection means, the client must say.
                tokio::spawn(serve(stream));
            }
        });
    });
    receive.recv().expect("the server started")
}

/// Passes bytes between a connection and an address until both ends are done.
pub(crate) async fn relay(
    mut from: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    to: std::net::SocketAddr,
) -> io::Result<()> {
    let mut to = TcpStream::connect(to).await?;
    copy_bidirectional(&mut from, &mut to).await.map(|_| ())
}

/// Runs an ignored test of this binary in a process of its own, and returns what it printed.
pub(crate) fn alone(test: &str) -> String {
    let exe = std::env::current_exe().expect("this binary");
    let output =
        std::process::Command::new(exe).args([test, "--exact", "--ignored", "--nocapture"]).output().expect("run");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    said
}
