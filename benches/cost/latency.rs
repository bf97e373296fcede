//! How long a call takes among others.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::floor::{Floor, Key};
use crate::{AT_ONCE, TEMPLATE, client, middle, options, server};

/// Of each of the [`AT_ONCE`] that make one call after the other.
const CALLS: usize = 40;
const ROUNDS: usize = 9;
/// Of the server, before the response that is to be there.
const DELAY: Duration = Duration::from_millis(3);
const ONE: &str = "one thread";

type Call = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Median and 99th percentile of a call, in milliseconds.
fn percentiles(runtime: &Runtime, call: &Call) -> (f64, f64) {
    let times = Arc::new(Mutex::new(Vec::new()));
    runtime.block_on(async {
        let all: Vec<_> = (0..AT_ONCE)
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
        for one in all {
            one.await.expect("task");
        }
    });
    let mut times = std::mem::take(&mut *times.lock().expect("times"));
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

/// How long a response that is there waits for its caller, while 64 calls begin, in milliseconds.
fn ready(runtime: &Runtime, call: &Call, delayed: &Call) -> f64 {
    runtime.block_on(async {
        let first = delayed();
        let first = tokio::spawn(async move {
            first.await;
            Instant::now()
        });
        // Sent, and answered: the bytes are in the socket.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        std::thread::sleep(DELAY * 3);
        let began = Instant::now();
        let others: Vec<_> = (0..AT_ONCE).map(|_| tokio::spawn(call())).collect();
        let waited = first.await.expect("task").saturating_duration_since(began);
        for other in others {
            other.await.expect("task");
        }
        waited.as_secs_f64() * 1000.0
    })
}

fn compare(name: &str, runtime: &Runtime, floor: &Call, ours: &Call) {
    let (mut floors, mut all, mut ratios) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()], Vec::new());
    for call in [floor, ours] {
        percentiles(runtime, call);
    }
    for _ in 0..ROUNDS {
        let (base, own) = (percentiles(runtime, floor), percentiles(runtime, ours));
        ratios.push(own.1 / base.1);
        for (rows, (half, most)) in [(&mut floors, base), (&mut all, own)] {
            rows[0].push(half);
            rows[1].push(most);
        }
    }
    let ([base50, base99], [own50, own99]) = (floors.map(middle), all.map(middle));
    println!(
        "{name:<24} floor p50 {base50:.1} p99 {base99:.1} ms  this crate p50 {own50:.1} p99 {own99:.1} ms  ratio of p99 {:.3}",
        middle(ratios)
    );
}

pub(crate) fn run(settings: &Value) {
    println!("Latency with {AT_ONCE} at once");
    let (der, _) = server::keys(settings);
    let ours = client(settings);
    for (name, mut builder) in
        [(ONE, Builder::new_current_thread()), ("a thread for each core", Builder::new_multi_thread())]
    {
        let runtime = builder.enable_all().build().expect("runtime");
        let delay = format!("delay={}", DELAY.as_millis());
        let floor = Floor::new(settings, Key::aws_lc(&der));
        let floors: [Call; 2] = [floor.clone(), floor.asking(&delay)].map(|floor| -> Call {
            Arc::new(move || {
                let floor = floor.clone();
                Box::pin(async move { floor.call().await })
            })
        });
        let mut delayed = options();
        delayed["query"] = serde_json::json!({ "delay": DELAY.as_millis() as u64 });
        let all: [Call; 2] = [options(), delayed].map(|options| -> Call {
            let ours = ours.clone();
            Arc::new(move || {
                let call = ours[TEMPLATE].post_async(&options);
                Box::pin(async move { assert!(call.await.expect("response").is_verified()) })
            })
        });
        compare(name, &runtime, &floors[0], &all[0]);
        if name == ONE {
            let times = [floors, all]
                .map(|[call, delayed]| middle((0..ROUNDS).map(|_| ready(&runtime, &call, &delayed)).collect()));
            println!(
                "{:<24} an answer that is there waits: floor {:.2} ms  this crate {:.2} ms",
                "", times[0], times[1]
            );
        }
    }
}
