//! The server. It is another process, so that only the client is measured, and repeats one signed
//! response.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use wechatpay_chain::sandbox::{PUBLIC_KEY_ID, Sandbox};

/// The argument with which this program is the server.
pub(crate) const SERVE: &str = "--serve";
/// The argument that prevents the server from sleeping.
pub(crate) const AWAKE: &str = "--awake";
/// A request whose target contains `concurrent=N` is answered after N requests have arrived.
const CONCURRENT: &str = "concurrent=";
/// A request with this text in its target is delayed by as many milliseconds.
const DELAY: &str = "delay=";

pub(crate) struct Server {
    child: Child,
    /// The settings of a client for this server.
    pub(crate) settings: Value,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&[SERVE])
    }

    /// Starts a server that does not sleep. To wake a sleeping server on the same machine costs the
    /// client CPU time, which a request over a network does not cost.
    pub(crate) fn start_awake() -> Self {
        Self::start_with(&[SERVE, AWAKE])
    }

    fn start_with(arguments: &[&str]) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("server");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut line).expect("settings");
        Server { child, settings: serde_json::from_str(&line).expect("JSON") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

/// A string in the settings.
pub(crate) fn text<'a>(settings: &'a Value, name: &str) -> &'a str {
    settings[name].as_str().expect("text")
}

/// The merchant's private key in PKCS#8, and the platform's public key in PKCS#1.
pub(crate) fn keys(settings: &Value) -> (Vec<u8>, Vec<u8>) {
    let der = |pem: &str| {
        let text: String = pem.lines().filter(|line| !line.starts_with("--")).collect();
        BASE64_STANDARD.decode(text).expect("DER")
    };
    let spki = der(settings["certs"][PUBLIC_KEY_ID].as_str().expect("PEM"));
    // PKCS#1 follows the 24 bytes of the algorithm.
    (der(text(settings, "privateKey")), spki[24..].to_vec())
}

pub(crate) fn serve(is_awake: bool) {
    let sandbox = Sandbox::start().expect("keys");
    let signed = sandbox.client().expect("client").chain(crate::TEMPLATE).post(crate::options()).expect("response");
    let mut response = String::from("HTTP/1.1 200 OK\r\n");
    for (name, value) in signed.headers() {
        response += &format!("{name}: {}\r\n", value.to_str().expect("text"));
    }
    let response: Arc<[u8]> = format!("{response}\r\n{}", signed.text()).into_bytes().into();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async move {
        let listener = tokio::net::TcpSocket::new_v4().expect("socket");
        listener.bind("127.0.0.1:0".parse().expect("address")).expect("port");
        let listener = listener.listen(16 * 1024).expect("port");
        let mut settings = sandbox.settings();
        settings["base_uri"] = format!("http://{}/", listener.local_addr().expect("address")).into();
        println!("{settings}");
        std::io::stdout().flush().expect("flushed");
        let arrived = Arc::new((AtomicUsize::new(0), watch::channel(0usize).0));
        if is_awake {
            tokio::spawn(async {
                loop {
                    tokio::task::yield_now().await;
                }
            });
        }
        loop {
            let (stream, _) = listener.accept().await.expect("accept");
            stream.set_nodelay(true).expect("option");
            tokio::spawn(serve_connection(stream, Arc::clone(&response), Arc::clone(&arrived)));
        }
    });
}

async fn serve_connection(
    mut stream: TcpStream,
    response: Arc<[u8]>,
    arrived: Arc<(AtomicUsize, watch::Sender<usize>)>,
) {
    let mut buffer = vec![0; 4096];
    let mut filled = 0;
    while let Ok(count) = stream.read(&mut buffer[filled..]).await {
        if count == 0 {
            return;
        }
        filled += count;
        let text = String::from_utf8_lossy(&buffer[..filled]).into_owned();
        let Some((head, rest)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        if rest.len() < length.and_then(|length| length.parse().ok()).unwrap_or(0) {
            continue;
        }
        filled = 0;
        let parameter = |name: &str| head.split_once(name)?.1.split(' ').next()?.parse::<usize>().ok();
        if let Some(delay) = parameter(DELAY) {
            tokio::time::sleep(std::time::Duration::from_millis(delay as u64)).await;
        }
        if let Some(all) = parameter(CONCURRENT) {
            let mut seen = arrived.1.subscribe();
            let number = arrived.0.fetch_add(1, Ordering::SeqCst) + 1;
            arrived.1.send_replace(number);
            let _ = seen.wait_for(|number| *number >= all).await;
        }
        if stream.write_all(&response).await.is_err() {
            return;
        }
    }
}
