//! CPU time of this process for each call, user and system, of all its threads.

use std::sync::mpsc;

use serde_json::Value;
use wechatpay_chain::Client;

use crate::floor::{Floor, Key};
use crate::{at_once, call, client, client_by, middle, options, runtime, runtimes, server, spawn_client, spawn_floor};

const CALLS: usize = 256;
const ROUNDS: usize = 21;

/// CPU time of all threads of this process, in microseconds.
fn cpu() -> f64 {
    // What the running thread used is only written down when it is changed for another, or at the next tick, 4 ms later.
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

fn compare(name: &str, mut floor: impl FnMut(usize), mut ours: impl FnMut(usize)) {
    let (mut floors, mut all, mut ratios, mut more) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    floor(200);
    ours(200);
    for _ in 0..ROUNDS {
        let (base, own) = (measure(&mut floor), measure(&mut ours));
        floors.push(base);
        all.push(own);
        ratios.push(own / base);
        more.push(own - base);
    }
    println!(
        "{name:<40} floor {:>6.1} us  this crate {:>6.1} us  ratio {:.3}  {:>+6.1} us",
        middle(floors),
        middle(all),
        middle(ratios),
        middle(more)
    );
}

fn pair(name: &str, floor: &Floor, client: &Client) {
    let one = runtime();
    compare(
        &format!("{name}, 1 at a time"),
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
                    call(client).await
                }
            })
        },
    );
    let (many, floor) = (runtime(), floor.anew());
    compare(
        &format!("{name}, 64 at once"),
        |count| at_once(&many, count, &|| spawn_floor(&floor)),
        |count| at_once(&many, count, &|| spawn_client(client)),
    );
    // Two threads of one core share what it has, so that all that is done at once takes more of its time.
    let (many, floor) = (runtimes(), floor.anew());
    compare(
        &format!("{name}, 64 at once, all cores"),
        |count| at_once(&many, count, &|| spawn_floor(&floor)),
        |count| at_once(&many, count, &|| spawn_client(client)),
    );
}

/// As many threads as calls at once, each beside a task of the floor's.
fn synchronous(floor: &Floor, client: &Client) {
    let post = |count| {
        for _ in 0..count {
            assert!(client[crate::TEMPLATE].post(options()).expect("response").is_verified());
        }
    };
    let one = runtime();
    compare(
        "aws-lc-rs, 1 at a time, synchronous",
        |count| {
            one.block_on(async {
                for _ in 0..count {
                    floor.call().await
                }
            })
        },
        post,
    );
    let (many, floor) = (runtimes(), floor.anew());
    std::thread::scope(|scope| {
        // They live on, since the time of a thread that has ended is not to be seen.
        let (done, ended) = mpsc::channel();
        let threads: Vec<_> = (0..64)
            .map(|_| {
                let (begin, begun) = mpsc::channel();
                let done = done.clone();
                scope.spawn(move || {
                    for count in begun {
                        post(count);
                        done.send(()).expect("measured");
                    }
                });
                begin
            })
            .collect();
        compare(
            "aws-lc-rs, 64 threads, synchronous",
            |count| at_once(&many, count, &|| spawn_floor(&floor)),
            |count| {
                for (number, begin) in threads.iter().enumerate() {
                    begin.send(count / 64 + usize::from(number < count % 64)).expect("thread");
                }
                threads.iter().for_each(|_| ended.recv().expect("thread"));
            },
        );
        drop(threads);
    });
}

pub(crate) fn run(settings: &Value) {
    println!("CPU time of a call");
    let (der, _) = server::keys(settings);
    let ours = client(settings);
    let floor = |key| Floor::new(settings, key);
    pair("aws-lc-rs", &floor(Key::aws_lc(&der)), &ours);
    synchronous(&floor(Key::aws_lc(&der)), &ours);
    pair("ring", &floor(Key::ring(&der)), &client_by(settings, Key::ring(&der)));
    pair("no crypto", &floor(Key::None), &client_by(settings, Key::None));
}
