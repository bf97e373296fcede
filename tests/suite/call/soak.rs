//! Long runs: faults in one call of five, and the ledgers equal at the end; a hundred thousand calls, and nothing left behind.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use wechatpay_chain::sandbox::{Fault, MCHID};
use wechatpay_chain::{BoxError, BoxFuture, Client, ErrorKind, Signature, Signer, Verifier};

use crate::sandbox::orders::native;
use crate::support::{alone, sandbox, server};

const CALLS: usize = 20_000;
const THREADS: usize = 8;

#[test]
fn ledgers_are_equal_after_a_storm_of_faults() {
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
    // What each call came to: known to be there, or not known.
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
                        Ok(answer) => {
                            assert!(answer.is_verified());
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
    // Nothing was repeated: so many requests as calls.
    assert_eq!(sandbox.overview()["count"], CALLS);
    // What is not known is asked for. Leftover faults first.
    let query = |number: &str| {
        for _ in 0..20 {
            let asked = client
                .chain("v3/pay/transactions/out-trade-no/{no}")
                .get(json!({ "no": number, "query": { "mchid": MCHID } }));
            match asked {
                Ok(answer) => return answer.json().expect("json")["amount"]["total"] == 3,
                Err(error) if error.code() == Some("ORDER_NOT_EXIST") => return false,
                Err(_) => {}
            }
        }
        panic!("{number} cannot be asked for")
    };
    let there = ledger.iter().filter(|(number, placed)| **placed || query(number)).count();
    let totals = sandbox.overview()["totals"].clone();
    assert_eq!(
        (&totals["orders"], &totals["asked"]),
        (&json!(there), &json!(there * 3)),
        "the client's ledger is the sandbox's"
    );
    sandbox.audit().expect("balanced");
}

/// Signs and verifies nothing, so that a hundred thousand calls take seconds.
struct Nothing;

impl Signer for Nothing {
    fn sign<'a>(&'a self, _: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
        Box::pin(async { Ok(Signature::new("00", vec![0; 256])) })
    }
}

impl Verifier for Nothing {
    fn verify<'a>(&'a self, _: &'a str, _: &'a [u8], _: &'a [u8]) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async { Ok(()) })
    }
}

/// A server that answers every request alike.
fn answering() -> std::net::SocketAddr {
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

fn of_proc(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find(|line| line.starts_with(name)).expect(name);
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("number")
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("fd").count()
}

/// Run by the test below, in a process of its own, where nothing else opens sockets.
#[test]
#[ignore = "the test below runs it in a process of its own"]
fn leaks_inside() {
    let address = answering();
    let client = Client::builder()
        .mchid("1900000109")
        .signer(Nothing)
        .verifier(Nothing)
        .base_uri(format!("http://{address}/"))
        .no_proxy()
        .build()
        .expect("client");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    let calls = |count: usize| {
        // Half of them synchronous, half on a runtime of the caller's; some are dropped before they end.
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..count / 4 {
                        client.chain("v3/x").get(()).expect("answer");
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
                                    // Given up in the middle.
                                    let _ = tokio::time::timeout(std::time::Duration::from_micros(50), call).await;
                                } else {
                                    call.await.expect("answer");
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
    let (memory, files, tasks) = (of_proc("VmRSS"), open_files(), runtime.metrics().num_alive_tasks());
    calls(100_000);
    let (memory_after, files_after, tasks_after) =
        (of_proc("VmRSS"), open_files(), runtime.metrics().num_alive_tasks());
    println!("memory {memory} -> {memory_after} KiB, files {files} -> {files_after}, tasks {tasks} -> {tasks_after}");
    assert!(memory_after < memory + 8 * 1024, "memory grew from {memory} to {memory_after} KiB");
    assert!(files_after <= files + 8, "open files grew from {files} to {files_after}");
    assert!(tasks_after <= tasks + 8, "tasks grew from {tasks} to {tasks_after}");
    // And nothing stays when the client goes.
    drop(client);
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    std::thread::sleep(std::time::Duration::from_millis(300));
    let left = open_files();
    assert!(left < files, "{left} of {files} files are open without a client");
}

#[cfg(target_os = "linux")]
#[test]
fn a_hundred_thousand_calls_leave_nothing_behind() {
    let said = alone("call::soak::leaks_inside");
    println!("{}", said.lines().find(|line| line.starts_with("memory")).unwrap_or_default());
}

/// Threads, runtimes and clients at once, all on one client's clones.
#[test]
fn threads_and_runtimes_at_once() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let answers = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..12 {
            let (client, answers) = (client.clone(), &answers);
            scope.spawn(move || {
                for number in 0..40 {
                    let options: Value = native(&format!("t{thread}-{number}"), 1, "https://example.com/n");
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
                    assert!(outcome.expect("answer").is_verified());
                    answers.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!((answers.into_inner(), sandbox.overview()["totals"]["orders"].as_u64()), (480, Some(480)));
}
