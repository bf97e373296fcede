//! Whole processes: the time of one that makes one call, and the most memory of one that makes many.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use wechatpay_chain::Client;

use crate::floor::{Floor, Key};
use crate::{TEMPLATE, call, middle, options, runtime, server};

/// The argument that makes this program one of the processes.
pub(crate) const CHILD: &str = "--child=";
const PROCESSES: usize = 41;
const CALLS: usize = 10_000;

/// Starts a process and gives what it prints, and its time in milliseconds.
fn spawn(settings: &Value, kind: &str) -> (String, f64) {
    let began = Instant::now();
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .arg(format!("{CHILD}{kind}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("process");
    child.stdin.take().expect("stdin").write_all(settings.to_string().as_bytes()).expect("settings");
    let output = child.wait_with_output().expect("output");
    let took = began.elapsed().as_secs_f64() * 1000.0;
    assert!(output.status.success(), "{kind} failed");
    (String::from_utf8(output.stdout).expect("text"), took)
}

/// The most memory of this process so far, in KiB, of which the program itself and its libraries are a part.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM").trim().to_owned()
}

pub(crate) fn child(kind: &str) {
    let settings: Value = serde_json::from_reader(std::io::stdin().lock()).expect("settings");
    let floor = |key: fn(&[u8]) -> Key| Floor::new(&settings, key(&server::keys(&settings).0));
    match kind {
        "nothing" => {}
        "one" => {
            let client = Client::factory(settings).expect("client");
            assert!(client[TEMPLATE].post(options()).expect("response").is_verified());
        }
        "one-ring" => {
            let floor = floor(Key::ring);
            runtime().block_on(async { floor.call().await });
        }
        "one-aws-lc-rs" => {
            let floor = floor(Key::aws_lc);
            runtime().block_on(async { floor.call().await });
        }
        "sequence" => {
            let client = Client::factory(settings).expect("client");
            runtime().block_on(async {
                for _ in 0..CALLS {
                    call(&client).await;
                }
            });
        }
        "sequence-floor" => {
            let floor = floor(Key::aws_lc);
            runtime().block_on(async {
                for _ in 0..CALLS {
                    floor.call().await;
                }
            });
        }
        "together" => {
            let client = Client::factory(settings).expect("client");
            runtime().block_on(async {
                let mut options = options();
                options["query"] = serde_json::json!({ "together": CALLS });
                let all: Vec<_> = (0..CALLS).map(|_| tokio::spawn(client[TEMPLATE].post_async(&options))).collect();
                for one in all {
                    one.await.expect("task").expect("response");
                }
            });
        }
        "together-floor" => {
            let floor = floor(Key::aws_lc).asking(&format!("together={CALLS}"));
            runtime().block_on(async {
                let all: Vec<_> = (0..CALLS).map(|_| crate::spawn_floor(&floor)).collect();
                for one in all {
                    one.await.expect("task");
                }
            });
        }
        other => panic!("{other} is no kind of process"),
    }
    println!("{}", peak());
}

pub(crate) fn run(settings: &Value) {
    println!("A process that makes one call, from its start to its end");
    let kinds = ["nothing", "one-ring", "one-aws-lc-rs", "one"];
    let mut times = kinds.map(|_| Vec::new());
    for _ in 0..PROCESSES {
        for (kind, times) in kinds.iter().zip(&mut times) {
            times.push(spawn(settings, kind).1);
        }
    }
    for (kind, times) in kinds.iter().zip(times) {
        println!("{kind:<20} {:.1} ms", middle(times));
    }
    println!("The most memory of a process that makes {CALLS} calls");
    for kind in ["nothing", "sequence-floor", "sequence", "together-floor", "together"] {
        println!("{kind:<20} {}", spawn(settings, kind).0.trim());
    }
}
