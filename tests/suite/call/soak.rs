//! Long runs: orders under faults, leaks after many calls, and many threads at once.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use wechatpay_chain::sandbox::{Fault, MCHID};
use wechatpay_chain::{BoxError, BoxFuture, Client, ErrorKind, Signature, Signer, Verifier};

use crate::sandbox::native;
use crate::support::{run_in_new_process, sandbox, server};

const CALLS: usize = 20_000;
const THREADS: usize = 8;

#[test]
fn orders_are_consistent_after_many_faults() {
    let sandbox = sandbox();
    let client = sandbox.client_builder().timeout(std::time::Duration::from_secs(20)).build().expect("client");
    let names = [
        "wrong-signature",
        "stale-clock",
        "unknown-serial",
        "missing-header",
        "bad-gateway",
        "system-error",
        "frequency-limited",
        "cut-body:3",
        "reset",
        "delay:1",
    ];
    let (next, faults) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // For each order whether its call succeeded.
    let ledger = Mutex::new(BTreeMap::<String, bool>::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= CALLS {
                        return;
                    }
                    if number % 5 == 0 {
                        faults.fetch_add(1, Ordering::SeqCst);
                        sandbox.inject(Fault::from_name(names[number / 5 % names.len()]).expect("fault"));
                    }
                    let number = format!("soak-{number}");
                    let placed = match client.chain("v3/pay/transactions/native").post(native(
                        &number,
                        3,
                        "https://example.com/n",
                    )) {
                        Ok(response) => {
                            assert!(response.is_verified());
                            true
                        }
                        Err(error) => {
                            assert!(!error.is_before_send(), "{error}");
                            assert!(
                                !matches!(error.kind(), ErrorKind::Decode | ErrorKind::Layer | ErrorKind::Sign),
                                "{error}"
                            );
                            false
                        }
                    };
                    ledger.lock().expect("ledger").insert(number, placed);
                }
            });
        }
    });
    let ledger = ledger.into_inner().expect("ledger");
    assert_eq!((ledger.len(), faults.load(Ordering::SeqCst)), (CALLS, CALLS / 5));
    let unknown = ledger.values().filter(|placed| !**placed).count();
    assert!((CALLS / 10..=CALLS / 5).contains(&unknown), "{unknown}");
    // No retries: one request for each call.
    assert_eq!(sandbox.overview()["count"], CALLS);
    // Queries the orders whose calls failed. The first queries use up the remaining faults.
    let query = |number: &str| {
        for _ in 0..20 {
            let outcome = client
                .chain("v3/pay/transactions/out-trade-no/{no}")
                .get(json!({ "no": number, "query": { "mchid": MCHID } }));
            match outcome {
                Ok(response) => return response.json::<Value>().expect("json")["amount"]["total"] == 3,
                Err(error) if error.code() == Some("ORDER_NOT_EXIST") => return false,
                Err(_) => {}
            }
        }
        panic!("{number} cannot be queried")
    };
    let placed = ledger.iter().filter(|(number, placed)| **placed || query(number)).count();
    let totals = sandbox.overview()["totals"].clone();
    assert_eq!(
        (&totals["orders"], &totals["order_amount"]),
        (&json!(placed), &json!(placed * 3)),
        "the client's orders are the sandbox's"
    );
    sandbox.audit().expect("balanced");
}

/// Signs and verifies without cryptography, so that a hundred thousand calls take seconds.
struct NoCrypto;

impl Signer for NoCrypto {
    fn sign<'a>(&'a self, _: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
        Box::pin(async { Ok(Signature::new("00", vec![0; 256])) })
    }
}

impl Verifier for NoCrypto {
    fn verify<'a>(&'a self, _: &'a str, _: &'a [u8], _: &'a [u8]) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async { Ok(()) })
    }
}

/// A server with the same response to every request.
fn responding_server() -> std::net::SocketAddr {
    server(|mut stream| async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut buffer = [0; 8192];
        let mut filled = 0;
        loop {
            let count = stream.read(&mut buffer[filled..]).await?;
            if count == 0 {
                return Ok(());
            }
            filled += count;
            // Bodies are empty; each request ends with an empty line.
            if buffer[..filled].ends_with(b"\r\n\r\n") {
                filled = 0;
                let now = wechatpay_chain::formatter::timestamp();
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nwechatpay-serial: S\r\nwechatpay-signature: AAAA\r\nwechatpay-nonce: N\r\n\
                     wechatpay-timestamp: {now}\r\n\r\n{{}}"
                );
                stream.write_all(head.as_bytes()).await?;
            }
        }
    })
}

/// A number in /proc/self/status.
fn process_status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find(|line| line.starts_with(name)).expect(name);
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("number")
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("fd").count()
}

#[test]
#[ignore = "the test below runs it in a new process, where no other test opens sockets"]
fn leaks_in_this_process() {
    let address = responding_server();
    let client = Client::builder()
        .mchid("1900000109")
        .signer(NoCrypto)
        .verifier(NoCrypto)
        .base_uri(format!("http://{address}/"))
        .no_proxy()
        .build()
        .expect("client");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    let calls = |count: usize| {
        // Half of the calls are synchronous, half are on the caller's runtime. Some are dropped.
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..count / 4 {
                        client.chain("v3/x").get(()).expect("response");
                    }
                });
            }
            runtime.block_on(async {
                let tasks: Vec<_> = (0..2)
                    .map(|_| {
                        let client = client.clone();
                        tokio::spawn(async move {
                            for number in 0..count / 4 {
                                let call = client.chain("v3/x").get_async(());
                                if number % 100 == 99 {
                                    // Dropped before it ends.
                                    let _ = tokio::time::timeout(std::time::Duration::from_micros(50), call).await;
                                } else {
                                    call.await.expect("response");
                                }
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.expect("task");
                }
            });
        });
    };
    calls(10_000);
    let (memory, files, tasks) = (process_status("VmRSS"), open_files(), runtime.metrics().num_alive_tasks());
    calls(100_000);
    let (memory_after, files_after, tasks_after) =
        (process_status("VmRSS"), open_files(), runtime.metrics().num_alive_tasks());
    println!("memory {memory} -> {memory_after} KiB, files {files} -> {files_after}, tasks {tasks} -> {tasks_after}");
    assert!(memory_after < memory + 8 * 1024, "memory grew from {memory} to {memory_after} KiB");
    assert!(files_after <= files + 8, "open files grew from {files} to {files_after}");
    assert!(tasks_after <= tasks + 8, "tasks grew from {tasks} to {tasks_after}");
    // No file stays open without the client.
    drop(client);
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    std::thread::sleep(std::time::Duration::from_millis(300));
    let left = open_files();
    assert!(left < files, "{left} of {files} files are open without a client");
}

#[cfg(target_os = "linux")]
#[test]
fn a_hundred_thousand_calls_leak_nothing() {
    let message = run_in_new_process("call::soak::leaks_in_this_process");
    println!("{}", message.lines().find(|line| line.starts_with("memory")).unwrap_or_default());
}

/// Clones of one client on many threads and runtimes.
#[test]
fn clones_work_on_many_threads_and_runtimes() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let responses = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..12 {
            let (client, responses) = (client.clone(), &responses);
            scope.spawn(move || {
                for number in 0..40 {
                    let options: Value = native(&format!("order-{thread}-{number}"), 1, "https://example.com/n");
                    let outcome = match (thread % 3, number % 2) {
                        (0, _) => client.chain("v3/pay/transactions/native").post(options),
                        (1, _) => {
                            let runtime =
                                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
                            runtime.block_on(client.chain("v3/pay/transactions/native").post_async(options))
                        }
                        (_, 0) => {
                            futures_executor::block_on(client.chain("v3/pay/transactions/native").post_async(options))
                        }
                        _ => client.chain("v3/pay/transactions/native").post_async(options).wait(),
                    };
                    assert!(outcome.expect("response").is_verified());
                    responses.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!((responses.into_inner(), sandbox.overview()["totals"]["orders"].as_u64()), (480, Some(480)));
}
