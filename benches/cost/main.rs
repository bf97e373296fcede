//! The cost of a call, compared with a baseline: a call written by hand with hyper and the same
//! signature library.
//!
//! ```sh
//! cargo bench --bench cost                        # all benchmarks
//! cargo bench --bench cost -- cpu latency         # some of micro, counts, cpu, latency, process
//! cargo bench --bench cost -- counts --update     # writes benches/counts.txt
//! ```
//!
//! Baseline and client alternate, since timings vary between runs, and the median of the ratios is
//! reported. The server is another process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may end by a panic")]

mod baseline;
mod counts;
mod cpu;
mod latency;
mod micro;
mod process;
mod server;

use std::collections::VecDeque;
use std::process::ExitCode;

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use wechatpay_chain::sandbox::SERIAL;
use wechatpay_chain::{BoxError, BoxFuture, Client, Signature, Signer, Verifier};

use baseline::{Baseline, Key};
use server::{AWAKE, SERVE, Server};

pub(crate) const TEMPLATE: &str = "v3/marketing/membercard-open/cards/{card_id}/permission-tokens";
pub(crate) const CONCURRENCY: usize = 64;

pub(crate) fn options() -> Value {
    json!({ "card_id": "pbLatjvWOibDc5-TBnbUk1pD12o0", "json": { "activate_type": "AUTO_ACTIVATE", "outer_str": "szwxtd" } })
}

pub(crate) async fn call(client: &Client) {
    let chain = client["v3/marketing/membercard-open/cards/{card_id}/permission-tokens"].post_async(options());
    assert!(chain.await.expect("response").is_verified());
}

/// Signs with a library that the client itself does not use.
struct KeySigner(Key);

impl Signer for KeySigner {
    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
        Box::pin(async move { Ok(Signature::new(SERIAL, self.0.sign(message))) })
    }
}

/// Accepts every signature.
struct NoVerifier;

impl Verifier for NoVerifier {
    fn verify<'a>(&'a self, _: &'a str, _: &'a [u8], _: &'a [u8]) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async { Ok(()) })
    }
}

/// A client that signs with a library of choice.
pub(crate) fn client_with_key(settings: &Value, key: Key) -> Client {
    let none = matches!(key, Key::None);
    let id = wechatpay_chain::sandbox::PUBLIC_KEY_ID;
    let builder = Client::builder().mchid(wechatpay_chain::sandbox::MCHID).base_uri(server::text(settings, "base_uri"));
    let builder = builder.signer(KeySigner(key));
    let builder = if none {
        builder.verifier(NoVerifier)
    } else {
        builder.platform_key(id, settings["certs"][id].as_str().expect("PEM"))
    };
    builder.build().expect("client")
}

/// A client with the default signature library, after some calls.
pub(crate) fn client(settings: &Value) -> Client {
    let client = Client::factory(settings.clone()).expect("client");
    for _ in 0..20 {
        client[TEMPLATE].post(options()).expect("response");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    client
}

pub(crate) fn current_thread_runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime")
}

pub(crate) fn multi_thread_runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("runtime")
}

/// Runs `count` calls, [`CONCURRENCY`] at a time.
pub(crate) fn run_concurrently(runtime: &Runtime, count: usize, spawn: &dyn Fn() -> JoinHandle<()>) {
    runtime.block_on(async {
        let mut running = VecDeque::new();
        for _ in 0..count {
            if running.len() == CONCURRENCY {
                let first: JoinHandle<()> = running.pop_front().expect("a task");
                first.await.expect("task");
            }
            running.push_back(spawn());
        }
        for task in running {
            task.await.expect("task");
        }
    });
}

pub(crate) fn spawn_baseline(baseline: &Baseline) -> JoinHandle<()> {
    let baseline = baseline.clone();
    tokio::spawn(async move { baseline.call().await })
}

pub(crate) fn spawn_client(client: &Client) -> JoinHandle<()> {
    let client = client.clone();
    tokio::spawn(async move { call(&client).await })
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == SERVE) {
        server::serve(arguments.iter().any(|argument| argument == AWAKE));
        return ExitCode::SUCCESS;
    }
    let child = |prefix| arguments.iter().find_map(|argument| argument.strip_prefix(prefix));
    if let Some(kind) = child(process::CHILD) {
        process::child(kind);
        return ExitCode::SUCCESS;
    }
    if let Some(name) = child(counts::CHILD) {
        counts::child(name);
        return ExitCode::SUCCESS;
    }
    let is_selected = |name: &str| {
        let mut names = arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
        names.peek().is_none() || names.any(|argument| argument == name)
    };
    if is_selected("micro") {
        micro::run();
    }
    let server = Server::start();
    let mut is_good = true;
    if is_selected("counts") {
        is_good = counts::run(&server.settings, arguments.iter().any(|argument| argument == "--update"));
    }
    if is_selected("cpu") {
        cpu::run(&server.settings);
    }
    if is_selected("latency") {
        latency::run(&server.settings);
    }
    if is_selected("process") {
        process::run(&server.settings);
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
