//! Whole processes: the run time with one call, and the peak memory with many.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use wechatpay_chain::Client;

use crate::baseline::{Baseline, Key};
use crate::{TEMPLATE, call, current_thread_runtime, median, options, server};

/// The argument with which this program is one of the processes.
pub(crate) const CHILD: &str = "--child=";
const PROCESSES: usize = 41;
const CALLS: usize = 10_000;

/// Runs a process. Returns its output and its run time in milliseconds.
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
    let time = began.elapsed().as_secs_f64() * 1000.0;
    assert!(output.status.success(), "{kind} failed");
    (String::from_utf8(output.stdout).expect("text"), time)
}

/// The peak memory of this process, with its program and libraries.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM").trim().to_owned()
}

pub(crate) fn child(kind: &str) {
    let settings: Value = serde_json::from_reader(std::io::stdin().lock()).expect("settings");
    let baseline = |key: fn(&[u8]) -> Key| Baseline::new(&settings, key(&server::keys(&settings).0));
    match kind {
        "nothing" => {}
        "one" => {
            let client = Client::factory(settings).expect("client");
            assert!(client[TEMPLATE].post(options()).expect("response").is_verified());
        }
        "one-ring" => {
            let baseline = baseline(Key::ring);
            current_thread_runtime().block_on(async { baseline.call().await });
        }
        "one-aws-lc-rs" => {
            let baseline = baseline(Key::aws_lc);
            current_thread_runtime().block_on(async { baseline.call().await });
        }
        "sequence" => {
            let client = Client::factory(settings).expect("client");
            current_thread_runtime().block_on(async {
                for _ in 0..CALLS {
                    call(&client).await;
                }
            });
        }
        "sequence-baseline" => {
            let baseline = baseline(Key::aws_lc);
            current_thread_runtime().block_on(async {
                for _ in 0..CALLS {
                    baseline.call().await;
                }
            });
        }
        "concurrent" => {
            let client = Client::factory(settings).expect("client");
            current_thread_runtime().block_on(async {
                let mut options = options();
                options["query"] = serde_json::json!({ "concurrent": CALLS });
                let tasks: Vec<_> = (0..CALLS).map(|_| tokio::spawn(client[TEMPLATE].post_async(&options))).collect();
                for task in tasks {
                    task.await.expect("task").expect("response");
                }
            });
        }
        "concurrent-baseline" => {
            let baseline = baseline(Key::aws_lc).with_query(&format!("concurrent={CALLS}"));
            current_thread_runtime().block_on(async {
                let tasks: Vec<_> = (0..CALLS).map(|_| crate::spawn_baseline(&baseline)).collect();
                for task in tasks {
                    task.await.expect("task");
                }
            });
        }
        other => panic!("unknown kind of process: {other}"),
    }
    println!("{}", peak());
}

pub(crate) fn run(settings: &Value) {
    println!("Run time of a process that makes one call");
    let kinds = ["nothing", "one-ring", "one-aws-lc-rs", "one"];
    let mut times = kinds.map(|_| Vec::new());
    for _ in 0..PROCESSES {
        for (kind, times) in kinds.iter().zip(&mut times) {
            times.push(spawn(settings, kind).1);
        }
    }
    for (kind, times) in kinds.iter().zip(times) {
        println!("{kind:<20} {:.1} ms", median(times));
    }
    println!("Peak memory of a process that makes {CALLS} calls");
    for kind in ["nothing", "sequence-baseline", "sequence", "concurrent-baseline", "concurrent"] {
        println!("{kind:<20} {}", spawn(settings, kind).0.trim());
    }
}
