//! The latency of a call among concurrent ones.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::baseline::{Baseline, Key};
use crate::{CONCURRENCY, TEMPLATE, client, median, options, server};

/// The calls of each of the [`CONCURRENCY`] tasks.
const CALLS: usize = 40;
const ROUNDS: usize = 9;
/// The delay of the server before a delayed response.
const DELAY: Duration = Duration::from_millis(3);
const ONE_THREAD: &str = "one thread";

type Call = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Median and 99th percentile of a call, in milliseconds.
fn percentiles(runtime: &Runtime, call: &Call) -> (f64, f64) {
    let times = Arc::new(Mutex::new(Vec::new()));
    runtime.block_on(async {
        let tasks: Vec<_> = (0..CONCURRENCY)
            .map(|_| {
                let (times, call) = (Arc::clone(&times), Arc::clone(call));
                tokio::spawn(async move {
                    for _ in 0..CALLS {
                        let began = Instant::now();
                        call().await;
                        times.lock().expect("times").push(began.elapsed().as_secs_f64() * 1000.0);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("task");
        }
    });
    let mut times = std::mem::take(&mut *times.lock().expect("times"));
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

/// How long a response that has arrived waits for its task while 64 calls begin, in milliseconds.
fn waiting_time(runtime: &Runtime, call: &Call, delayed: &Call) -> f64 {
    runtime.block_on(async {
        let first = delayed();
        let first = tokio::spawn(async move {
            first.await;
            Instant::now()
        });
        // The request is sent. After the sleep, the response is in the socket.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        std::thread::sleep(DELAY * 3);
        let began = Instant::now();
        let others: Vec<_> = (0..CONCURRENCY).map(|_| tokio::spawn(call())).collect();
        let waited = first.await.expect("task").saturating_duration_since(began);
        for other in others {
            other.await.expect("task");
        }
        waited.as_secs_f64() * 1000.0
    })
}

fn compare(name: &str, runtime: &Runtime, baseline: &Call, ours: &Call) {
    let (mut baselines, mut totals, mut ratios) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()], Vec::new());
    for call in [baseline, ours] {
        percentiles(runtime, call);
    }
    for _ in 0..ROUNDS {
        let (base, own) = (percentiles(runtime, baseline), percentiles(runtime, ours));
        ratios.push(own.1 / base.1);
        for (rows, (p50, p99)) in [(&mut baselines, base), (&mut totals, own)] {
            rows[0].push(p50);
            rows[1].push(p99);
        }
    }
    let ([base50, base99], [own50, own99]) = (baselines.map(median), totals.map(median));
    println!(
        "{name:<24} baseline p50 {base50:.1} p99 {base99:.1} ms  this crate p50 {own50:.1} p99 {own99:.1} ms  ratio of p99 {:.3}",
        median(ratios)
    );
}

pub(crate) fn run(settings: &Value) {
    println!("Latency with {CONCURRENCY} concurrent calls");
    let (der, _) = server::keys(settings);
    let client = client(settings);
    for (name, mut builder) in
        [(ONE_THREAD, Builder::new_current_thread()), ("a thread for each core", Builder::new_multi_thread())]
    {
        let runtime = builder.enable_all().build().expect("runtime");
        let delay = format!("delay={}", DELAY.as_millis());
        let baseline = Baseline::new(settings, Key::aws_lc(&der));
        let baselines: [Call; 2] = [baseline.clone(), baseline.with_query(&delay)].map(|baseline| -> Call {
            Arc::new(move || {
                let baseline = baseline.clone();
                Box::pin(async move { baseline.call().await })
            })
        });
        let mut delayed = options();
        delayed["query"] = serde_json::json!({ "delay": DELAY.as_millis() as u64 });
        let ours: [Call; 2] = [options(), delayed].map(|options| -> Call {
            let client = client.clone();
            Arc::new(move || {
                let call = client[TEMPLATE].post_async(&options);
                Box::pin(async move { assert!(call.await.expect("response").is_verified()) })
            })
        });
        compare(name, &runtime, &baselines[0], &ours[0]);
        if name == ONE_THREAD {
            let times = [baselines, ours]
                .map(|[call, delayed]| median((0..ROUNDS).map(|_| waiting_time(&runtime, &call, &delayed)).collect()));
            println!(
                "{:<24} a response that has arrived waits: baseline {:.2} ms  this crate {:.2} ms",
                "", times[0], times[1]
            );
        }
    }
}
