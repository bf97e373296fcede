//! What a call costs beside a hand-written floor: hyper and the same signature library, nothing else; on the same server, in the same run.
//!
//! `cargo bench --features sandbox --bench call`. The server is a process of its own and answers with what it signed once, so that the CPU time of
//! this process is the client's. Floor and client take turns, since a machine has moods; the middle of the ratios is reported.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may end by a panic")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::json;
use wechatpay_chain::sandbox::{MCHID, PUBLIC_KEY_ID, SERIAL, Sandbox};
use wechatpay_chain::{Client, formatter};

const CALLS: usize = 600;
const ROUNDS: usize = 7;
const AT_ONCE: usize = 64;

/// CPU time of all threads of this process, in microseconds.
fn cpu() -> f64 {
    let mut total = 0.0;
    for task in std::fs::read_dir("/proc/self/task").expect("tasks").flatten() {
        if let Ok(text) = std::fs::read_to_string(task.path().join("schedstat")) {
            total += text.split(' ').next().and_then(|first| first.parse::<f64>().ok()).unwrap_or(0.0);
        }
    }
    total / 1000.0
}

/// The server: reads requests and answers each with the same signed bytes.
fn serve() {
    let sandbox = Sandbox::start().expect("keys");
    let once = sandbox.client().expect("client");
    let once =
        once.chain("v3/marketing/membercard-open/cards/{card_id}/permission-tokens").post(options()).expect("answer");
    let mut answer = String::from("HTTP/1.1 200 OK\r\n");
    for (name, value) in once.headers() {
        answer += &format!("{name}: {}\r\n", value.to_str().expect("text"));
    }
    let answer: Arc<[u8]> = format!("{answer}\r\n{}", once.text()).into_bytes().into();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
        let mut settings = sandbox.settings();
        settings["base_uri"] = format!("http://{}/", listener.local_addr().expect("address")).into();
        println!("{settings}");
        std::io::stdout().flush().expect("flushed");
        loop {
            let (mut stream, _) = listener.accept().await.expect("accept");
            stream.set_nodelay(true).expect("option");
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                use tokio::io::{AsyncReadExt, AsyncWriteExt};
                let mut buffer = vec![0; 16 * 1024];
                let mut filled = 0;
                while let Ok(count) = stream.read(&mut buffer[filled..]).await {
                    if count == 0 {
                        return;
                    }
                    filled += count;
                    let text = String::from_utf8_lossy(&buffer[..filled]).into_owned();
                    let Some((head, rest)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head
                        .lines()
                        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
                    if rest.len() >= length.and_then(|length| length.parse().ok()).unwrap_or(0) {
                        filled = 0;
                        if stream.write_all(&answer).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
}

/// Hand-written: exactly what must be done.
#[derive(Clone)]
struct Floor {
    pool: Pool<HttpConnector, Full<Bytes>>,
    key: Arc<RsaKeyPair>,
    platform: Arc<Vec<u8>>,
    base: Arc<str>,
}

const TARGET: &str = "/v3/marketing/membercard-open/cards/pbLatjvWOibDc5-TBnbUk1pD12o0/permission-tokens";
const BODY: &str = r#"{"activate_type":"AUTO_ACTIVATE","outer_str":"szwxtd"}"#;

impl Floor {
    async fn call(&self) {
        let nonce = formatter::nonce().expect("nonce");
        let timestamp = formatter::timestamp();
        let message = format!("POST\n{TARGET}\n{timestamp}\n{nonce}\n{BODY}\n");
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &aws_lc_rs::rand::SystemRandom::new(), message.as_bytes(), &mut signature)
            .expect("signed");
        let authorization = format!(
            "WECHATPAY2-SHA256-RSA2048 mchid=\"{MCHID}\",serial_no=\"{SERIAL}\",timestamp=\"{timestamp}\",nonce_str=\"{nonce}\",signature=\"{}\"",
            BASE64_STANDARD.encode(&signature)
        );
        let request = http::Request::post(format!("{}{}", self.base, &TARGET[1..]))
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .header("user-agent", "floor")
            .header("authorization", authorization)
            .body(Full::new(Bytes::from_static(BODY.as_bytes())))
            .expect("request");
        let (parts, body) = self.pool.request(request).await.expect("answer").into_parts();
        let body = body.collect().await.expect("body").to_bytes();
        let header = |name: &str| parts.headers[name].to_str().expect("text");
        let message = format!(
            "{}\n{}\n{}\n",
            header("wechatpay-timestamp"),
            header("wechatpay-nonce"),
            std::str::from_utf8(&body).expect("text")
        );
        let signature = BASE64_STANDARD.decode(header("wechatpay-signature")).expect("base64");
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &**self.platform)
            .verify(message.as_bytes(), &signature)
            .expect("verified");
    }
}

fn options() -> serde_json::Value {
    json!({ "card_id": "pbLatjvWOibDc5-TBnbUk1pD12o0", "json": { "activate_type": "AUTO_ACTIVATE", "outer_str": "szwxtd" } })
}

async fn call(client: &Client) {
    let chain = client["v3/marketing/membercard-open/cards/{card_id}/permission-tokens"].post_async(options());
    assert!(chain.await.expect("answer").is_verified());
}

/// CPU microseconds per call.
fn measure(run: impl FnOnce(usize)) -> f64 {
    let before = cpu();
    run(CALLS);
    (cpu() - before) / CALLS as f64
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn compare(name: &str, mut floor: impl FnMut(usize), mut ours: impl FnMut(usize)) {
    let (mut floors, mut all, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    floor(50);
    ours(50);
    for _ in 0..ROUNDS {
        let (base, own) = (measure(&mut floor), measure(&mut ours));
        floors.push(base);
        all.push(own);
        ratios.push(own / base);
    }
    println!(
        "{name:<28} floor {:>6.0} us  this crate {:>6.0} us  ratio {:.3}",
        middle(floors),
        middle(all),
        middle(ratios)
    );
}

fn main() {
    if std::env::args().any(|argument| argument == "--serve") {
        return serve();
    }
    let mut server = Command::new(std::env::current_exe().expect("this binary"))
        .arg("--serve")
        .stdout(Stdio::piped())
        .spawn()
        .expect("server");
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("stdout")).read_line(&mut line).expect("settings");
    let settings: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    let pem = text(&settings["privateKey"]);
    let der = |pem: &str| {
        BASE64_STANDARD.decode(pem.lines().filter(|line| !line.starts_with("--")).collect::<String>()).expect("DER")
    };
    let spki = der(&text(&settings["certs"][PUBLIC_KEY_ID]));
    let floor = Floor {
        pool: Pool::builder(TokioExecutor::new()).build_http(),
        key: Arc::new(RsaKeyPair::from_pkcs8(&der(&pem)).expect("key")),
        // PKCS#1 is what follows the 24 bytes of the algorithm.
        platform: Arc::new(spki[24..].to_vec()),
        base: text(&settings["base_uri"]).into(),
    };
    let client = Client::factory(settings).expect("client");
    // Both libraries warm.
    for _ in 0..20 {
        client["v3/marketing/membercard-open/cards/{card_id}/permission-tokens"].post(options()).expect("answer");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let one = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    compare(
        "1 at a time, asynchronous",
        |count| {
            one.block_on(async {
                for _ in 0..count {
                    floor.call().await
                }
            })
        },
        |count| {
            one.block_on(async {
                for _ in 0..count {
                    call(&client).await
                }
            })
        },
    );
    let two = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let at_once = |count: usize, make: &dyn Fn() -> tokio::task::JoinHandle<()>| {
        two.block_on(async {
            let mut running = std::collections::VecDeque::new();
            for _ in 0..count {
                if running.len() == AT_ONCE {
                    let first: tokio::task::JoinHandle<()> = running.pop_front().expect("one");
                    first.await.expect("task");
                }
                running.push_back(make());
            }
            for task in running {
                task.await.expect("task");
            }
        });
    };
    let (floor64, client64) = (floor.clone(), client.clone());
    let fresh = Floor { pool: Pool::builder(TokioExecutor::new()).build_http(), ..floor64 };
    compare(
        "64 at once, asynchronous",
        |count| {
            at_once(count, &|| {
                let floor = fresh.clone();
                tokio::spawn(async move { floor.call().await })
            })
        },
        |count| {
            at_once(count, &|| {
                let client = client64.clone();
                tokio::spawn(async move { call(&client).await })
            })
        },
    );
    compare(
        "1 at a time, synchronous",
        |count| {
            one.block_on(async {
                for _ in 0..count {
                    floor.call().await
                }
            })
        },
        |count| {
            for _ in 0..count {
                let answer = client["v3/marketing/membercard-open/cards/{card_id}/permission-tokens"].post(options());
                assert!(answer.expect("answer").is_verified());
            }
        },
    );
    drop(client);
    let _ = (server.kill(), server.wait());
}
