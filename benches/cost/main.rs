//! What a call costs beside a floor: a call written by hand with hyper and the same signature library, and nothing else; on the same server, in the
//! same run.
//!
//! ```sh
//! cargo bench --bench cost                        # all of it
//! cargo bench --bench cost -- cpu latency         # or some of parts, counts, cpu, latency, process
//! cargo bench --bench cost -- counts --update     # writes benches/counts.txt
//! ```
//!
//! Floor and client take turns, since a machine has moods, and the middle of the ratios is reported. The server is another process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may end by a panic")]

mod counts;
mod cpu;
mod floor;
mod latency;
mod parts;
mod process;
mod server;

use std::collections::VecDeque;
use std::process::ExitCode;

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use wechatpay_chain::sandbox::SERIAL;
use wechatpay_chain::{BoxError, BoxFuture, Client, Signature, Signer, Verifier};

use floor::{Floor, Key};
use server::{SERVE, Server};

pub(crate) const TEMPLATE: &str = "v3/marketing/membercard-open/cards/{card_id}/permission-tokens";
pub(crate) const AT_ONCE: usize = 64;

pub(crate) fn options() -> Value {
    json!({ "card_id": "pbLatjvWOibDc5-TBnbUk1pD12o0", "json": { "activate_type": "AUTO_ACTIVATE", "outer_str": "szwxtd" } })
}

pub(crate) async fn call(client: &Client) {
    let chain = client["v3/marketing/membercard-open/cards/{card_id}/permission-tokens"].post_async(options());
    assert!(chain.await.expect("response").is_verified());
}

/// A signer of the caller's, for the libraries that the client would not choose by itself.
struct By(Key);

impl Signer for By {
    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
        Box::pin(async move { Ok(Signature::new(SERIAL, self.0.sign(message))) })
    }
}

/// Believes everything.
struct Nothing;

impl Verifier for Nothing {
    fn verify<'a>(&'a self, _: &'a str, _: &'a [u8], _: &'a [u8]) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async { Ok(()) })
    }
}

/// The client with a key of its own kind.
pub(crate) fn client_by(settings: &Value, key: Key) -> Client {
    let none = matches!(key, Key::None);
    let id = wechatpay_chain::sandbox::PUBLIC_KEY_ID;
    let builder = Client::builder().mchid(wechatpay_chain::sandbox::MCHID).base_uri(server::text(settings, "base_uri"));
    let builder = builder.signer(By(key));
    let builder = if none {
        builder.verifier(Nothing)
    } else {
        builder.platform_key(id, settings["certs"][id].as_str().expect("PEM"))
    };
    builder.build().expect("client")
}

/// The client as anyone would build it, its signature library warm.
pub(crate) fn client(settings: &Value) -> Client {
    let client = Client::factory(settings.clone()).expect("client");
    for _ in 0..20 {
        client[TEMPLATE].post(options()).expect("response");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    client
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime")
}

pub(crate) fn runtimes() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("runtime")
}

/// Runs `count` calls, [`AT_ONCE`] of them under way at any time.
pub(crate) fn at_once(runtime: &Runtime, count: usize, spawn: &dyn Fn() -> JoinHandle<()>) {
    runtime.block_on(async {
        let mut running = VecDeque::new();
        for _ in 0..count {
            if running.len() == AT_ONCE {
                let first: JoinHandle<()> = running.pop_front().expect("one");
                first.await.expect("task");
            }
            running.push_back(spawn());
        }
        for task in running {
            task.await.expect("task");
        }
    });
}

pub(crate) fn spawn_floor(floor: &Floor) -> JoinHandle<()> {
    let floor = floor.clone();
    tokio::spawn(async move { floor.call().await })
}

pub(crate) fn spawn_client(client: &Client) -> JoinHandle<()> {
    let client = client.clone();
    tokio::spawn(async move { call(&client).await })
}

pub(crate) fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == SERVE) {
        server::serve();
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
    let wanted = |name: &str| {
        let mut names = arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
        names.peek().is_none() || names.any(|argument| argument == name)
    };
    if wanted("parts") {
        parts::run();
    }
    let server = Server::start();
    let mut good = true;
    if wanted("counts") {
        good = counts::run(&server.settings, arguments.iter().any(|argument| argument == "--update"));
    }
    if wanted("cpu") {
        cpu::run(&server.settings);
    }
    if wanted("latency") {
        latency::run(&server.settings);
    }
    if wanted("process") {
        process::run(&server.settings);
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
