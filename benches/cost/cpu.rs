//! The CPU time of a call: user and system time of all threads of this process.

use std::sync::mpsc;

use serde_json::Value;
use wechatpay_chain::Client;

use crate::baseline::{Baseline, Key};
use crate::server::Server;
use crate::{
    call, client, client_with_key, current_thread_runtime, median, multi_thread_runtime, options, run_concurrently,
    server, spawn_baseline, spawn_client,
};

const CALLS: usize = 256;
const ROUNDS: usize = 21;

/// CPU time of all threads of this process, in microseconds.
fn cpu() -> f64 {
    // The time of the running thread is updated when it is descheduled, or by a tick every 4 ms.
    std::thread::yield_now();
    let mut total = 0.0;
    for task in std::fs::read_dir("/proc/self/task").expect("tasks").flatten() {
        if let Ok(text) = std::fs::read_to_string(task.path().join("schedstat")) {
            total += text.split(' ').next().and_then(|first| first.parse::<f64>().ok()).unwrap_or(0.0);
        }
    }
    total / 1000.0
}

/// CPU microseconds per call.
fn measure(run: impl FnOnce(usize)) -> f64 {
    let before = cpu();
    run(CALLS);
    (cpu() - before) / CALLS as f64
}

/// Alternates baseline and client, and prints the medians.
fn compare(name: &str, mut baseline: impl FnMut(usize), mut ours: impl FnMut(usize)) {
    let (mut baselines, mut totals, mut ratios, mut differences) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    baseline(200);
    ours(200);
    for _ in 0..ROUNDS {
        let (base, own) = (measure(&mut baseline), measure(&mut ours));
        baselines.push(base);
        totals.push(own);
        ratios.push(own / base);
        differences.push(own - base);
    }
    println!(
        "{name:<40} baseline {:>6.1} us  this crate {:>6.1} us  ratio {:.3}  {:>+6.1} us",
        median(baselines),
        median(totals),
        median(ratios),
        median(differences)
    );
}

/// Compares concurrent calls on one thread.
///
/// The baseline writes the requests after all calls are signed, because each of its connections is
/// a separate task. This crate writes each request as soon as it is signed. If the server sleeps,
/// the time of this crate includes one wake-up of the server per call, and the time of the baseline
/// includes one for all calls.
fn compare_concurrent(name: &str, baseline: &Baseline, client: &Client) {
    let runtime = current_thread_runtime();
    compare(
        name,
        |count| run_concurrently(&runtime, count, &|| spawn_baseline(baseline)),
        |count| run_concurrently(&runtime, count, &|| spawn_client(client)),
    );
}

/// Compares one call at a time, concurrent calls on one thread, and concurrent calls on all cores.
/// `connect` creates the baseline and the client from the settings of a server.
fn compare_all(name: &str, settings: &Value, connect: impl Fn(&Value) -> (Baseline, Client)) {
    let (baseline, client) = &connect(settings);
    let one = current_thread_runtime();
    compare(
        &format!("{name}, 1 at a time"),
        |count| {
            one.block_on(async {
                for _ in 0..count {
                    baseline.call().await
                }
            })
        },
        |count| {
            one.block_on(async {
                for _ in 0..count {
                    call(client).await
                }
            })
        },
    );
    compare_concurrent(&format!("{name}, 64 at once, server sleeps"), &baseline.with_new_connections(), client);
    // This server keeps one core busy, so it runs only for this comparison.
    let awake = Server::start_awake();
    let (awake_baseline, awake_client) = connect(&awake.settings);
    compare_concurrent(&format!("{name}, 64 at once"), &awake_baseline, &awake_client);
    drop(awake);
    // Two hardware threads of a core share it, so concurrent work takes more CPU time.
    let (many, baseline) = (multi_thread_runtime(), baseline.with_new_connections());
    compare(
        &format!("{name}, 64 at once, all cores"),
        |count| run_concurrently(&many, count, &|| spawn_baseline(&baseline)),
        |count| run_concurrently(&many, count, &|| spawn_client(client)),
    );
}

/// Synchronous calls on one thread, and on as many threads as the baseline has tasks.
fn synchronous(baseline: &Baseline, client: &Client) {
    let post = |count| {
        for _ in 0..count {
            assert!(client[crate::TEMPLATE].post(options()).expect("response").is_verified());
        }
    };
    let one = current_thread_runtime();
    compare(
        "aws-lc-rs, 1 at a time, synchronous",
        |count| {
            one.block_on(async {
                for _ in 0..count {
                    baseline.call().await
                }
            })
        },
        post,
    );
    let (many, baseline) = (multi_thread_runtime(), baseline.with_new_connections());
    std::thread::scope(|scope| {
        // The threads are kept, since the CPU time of an ended thread cannot be read.
        let (done, all_done) = mpsc::channel();
        let threads: Vec<_> = (0..64)
            .map(|_| {
                let (begin, counts) = mpsc::channel();
                let done = done.clone();
                scope.spawn(move || {
                    for count in counts {
                        post(count);
                        done.send(()).expect("measured");
                    }
                });
                begin
            })
            .collect();
        compare(
            "aws-lc-rs, 64 threads, synchronous",
            |count| run_concurrently(&many, count, &|| spawn_baseline(&baseline)),
            |count| {
                for (number, begin) in threads.iter().enumerate() {
                    begin.send(count / 64 + usize::from(number < count % 64)).expect("thread");
                }
                threads.iter().for_each(|_| all_done.recv().expect("thread"));
            },
        );
        drop(threads);
    });
}

pub(crate) fn run(settings: &Value) {
    println!("CPU time of a call");
    let der = |settings: &Value| server::keys(settings).0;
    let aws_lc = |settings: &Value| (Baseline::new(settings, Key::aws_lc(&der(settings))), client(settings));
    compare_all("aws-lc-rs", settings, aws_lc);
    let (baseline, ours) = aws_lc(settings);
    synchronous(&baseline, &ours);
    compare_all("ring", settings, |settings| {
        let key = || Key::ring(&der(settings));
        (Baseline::new(settings, key()), client_with_key(settings, key()))
    });
    compare_all("no crypto", settings, |settings| {
        (Baseline::new(settings, Key::None), client_with_key(settings, Key::None))
    });
}
