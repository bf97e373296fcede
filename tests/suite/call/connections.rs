//! Connections: the server closes idle ones, and each request arrives once.
//!
//! WeChat Pay closes a connection that was idle for 8 seconds. Here a second is shorter.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wechatpay_chain::__private::with_second;
use wechatpay_chain::sandbox::Sandbox;
use wechatpay_chain::{Client, Error, ErrorKind, Response};

use crate::support::{CARDS, client_at, options, run, sandbox, server};

/// Forwards requests to a sandbox, and closes each connection that was idle for this long after a
/// response. Counts the connections.
pub(super) fn idle_server(sandbox: &Sandbox, idle: Duration, header: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let (target, count) = (sandbox.address(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    let address = server(move |mut from| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            from.set_nodelay(true)?;
            let mut to = TcpStream::connect(target).await?;
            let mut buffer = vec![0; 64 * 1024];
            // A new connection is given more time for its first request.
            let mut limit = idle * 4;
            loop {
                let Ok(length) = tokio::time::timeout(limit, from.read(&mut buffer)).await else { return Ok(()) };
                let length = length?;
                if length == 0 {
                    return Ok(());
                }
                limit = idle;
                to.write_all(&buffer[..length]).await?;
                let length = to.read(&mut buffer).await?;
                let response = String::from_utf8_lossy(&buffer[..length]).replacen("\r\n", &format!("\r\n{header}"), 1);
                from.write_all(response.as_bytes()).await?;
            }
        }
    });
    (address, count)
}

/// Makes that many calls with gaps around an idle time.
type Way = fn(&Client, usize, Duration);
type Call = fn(&Client) -> Result<Response, Error>;

pub(super) fn synchronous(client: &Client) -> Result<Response, Error> {
    client.chain(CARDS).post(options())
}

fn waited(client: &Client) -> Result<Response, Error> {
    client.chain(CARDS).post_async(options()).then(|response| response).wait()
}

fn foreign_executor(client: &Client) -> Result<Response, Error> {
    futures_executor::block_on(client.chain(CARDS).post_async(options()))
}

/// The time between two calls: constant, or spread around the idle time.
fn gap(call: usize, idle: Duration) -> Duration {
    let tenths = if call % 2 == 0 { 9 + call % 5 } else { 10 };
    if call % 3 == 0 { Duration::ZERO } else { idle * u32::try_from(tenths).expect("small") / 11 }
}

/// Makes calls with gaps, in each of six ways at the same time. Each call arrives once.
fn calls_with_gaps(idle: Duration, calls: usize) {
    let second = idle / 8;
    let ways: [(&str, Way); 6] = [
        ("plain", |client, calls, idle| each(client, calls, idle, synchronous)),
        ("wait", |client, calls, idle| each(client, calls, idle, waited)),
        ("another executor", |client, calls, idle| each(client, calls, idle, foreign_executor)),
        ("current_thread, block_on for each call", |client, calls, idle| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
            for call in 0..calls {
                runtime.block_on(client.chain(CARDS).post_async(options())).expect("response");
                std::thread::sleep(gap(call, idle));
            }
        }),
        ("current_thread, blocking sleep", |client, calls, idle| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
            runtime.block_on(async {
                for call in 0..calls {
                    client.chain(CARDS).post_async(options()).await.expect("response");
                    std::thread::sleep(gap(call, idle));
                }
            });
        }),
        ("multi_thread", |client, calls, idle| {
            run(async {
                for call in 0..calls {
                    client.chain(CARDS).post_async(options()).await.expect("response");
                    tokio::time::sleep(gap(call, idle)).await;
                }
            });
        }),
    ];
    std::thread::scope(|scope| {
        for (name, way) in ways {
            scope.spawn(move || {
                let sandbox = sandbox();
                let (address, connections) = idle_server(&sandbox, idle, "");
                let builder = sandbox.client_builder().base_uri(format!("http://{address}/"));
                let client = with_second(builder, second).build().expect("client");
                way(&client, calls, idle);
                assert_eq!(sandbox.requests().len(), calls, "{name}");
                println!("{name}: {calls} calls on {} connections", connections.load(Ordering::SeqCst));
            });
        }
    });
}

fn each(client: &Client, calls: usize, idle: Duration, send: Call) {
    for call in 0..calls {
        assert!(send(client).expect("response").is_verified());
        std::thread::sleep(gap(call, idle));
    }
}

#[test]
fn calls_around_the_idle_time_arrive_once() {
    calls_with_gaps(Duration::from_millis(1600), 12);
}

#[test]
#[ignore = "takes minutes on an idle machine: .ci/connections"]
fn five_hundred_calls_around_an_idle_time_of_80_ms() {
    calls_with_gaps(Duration::from_millis(80), 500);
}

#[test]
#[ignore = "takes minutes on an idle machine: .ci/connections"]
fn five_hundred_calls_around_an_idle_time_of_800_ms() {
    calls_with_gaps(Duration::from_millis(800), 500);
}

/// Counts responses, calls that were not sent, and calls whose outcome is unknown.
fn count(outcomes: &[AtomicUsize; 3], result: Result<Response, Error>) {
    let error = result.expect_err("404");
    let outcome = match error.kind() {
        ErrorKind::ClientError => 0,
        ErrorKind::Connect => 1,
        ErrorKind::Transport => 2,
        kind => panic!("{kind:?}: {error}"),
    };
    outcomes[outcome].fetch_add(1, Ordering::SeqCst);
}

fn pause(call: usize) -> Duration {
    Duration::from_micros(19_600 + (call as u64 * 37) % 800)
}

/// Makes calls at the moment at which the server closes their connection. Each ends, and its error
/// is true.
fn calls_at_the_moment_of_closing(calls: usize) {
    const TASKS: usize = 25;
    let received = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&received);
    let address = server(move |mut stream| {
        let counted = Arc::clone(&counted);
        async move {
            let mut request = [0; 8 * 1024];
            let idle = Duration::from_millis(20);
            while let Ok(length) = tokio::time::timeout(idle, stream.read(&mut request)).await {
                if length? == 0 {
                    break;
                }
                counted.fetch_add(1, Ordering::SeqCst);
                stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await?;
            }
            Ok(())
        }
    });
    let sandbox = sandbox();
    let client = client_at(&sandbox, address);
    let outcomes: Arc<[AtomicUsize; 3]> = Arc::default();
    let call = |client: &Client| client.chain("v3/certificates").post_async(json!({ "timeout": 20 }));
    let on = |runtime: tokio::runtime::Runtime| {
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..TASKS {
            let (client, outcomes) = (client.clone(), Arc::clone(&outcomes));
            tasks.spawn_on(
                async move {
                    for n in 0..calls / 3 / TASKS {
                        count(&outcomes, call(&client).await);
                        tokio::time::sleep(pause(task + n)).await;
                    }
                },
                runtime.handle(),
            );
        }
        while let Some(ended) = runtime.block_on(tasks.join_next()) {
            ended.expect("the task ended");
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..TASKS {
            let (client, outcomes) = (&client, &outcomes);
            scope.spawn(move || {
                for n in 0..calls / 3 / TASKS {
                    count(outcomes, call(client).wait());
                    std::thread::sleep(pause(thread + n));
                }
            });
        }
        scope.spawn(|| on(tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime")));
        scope.spawn(|| on(tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("runtime")));
    });
    let [responses, not_sent, unknown] = [0, 1, 2].map(|outcome: usize| outcomes[outcome].load(Ordering::SeqCst));
    let received = received.load(Ordering::SeqCst);
    println!("{responses} responses, {not_sent} not sent, {unknown} unknown; {received} requests received");
    assert_eq!(responses + not_sent + unknown, calls / 3 / TASKS * TASKS * 3);
    // A request whose error says that it may have arrived arrived at most once, and no other did.
    assert!((responses..=responses + unknown).contains(&received));
}

#[test]
fn no_call_hangs_when_its_connection_is_closed() {
    calls_at_the_moment_of_closing(900);
}

#[test]
#[ignore = "takes a minute on an idle machine: .ci/connections"]
fn fifteen_thousand_calls_at_the_moment_of_closing() {
    calls_at_the_moment_of_closing(15_000);
}

#[test]
fn the_time_limit_of_the_server_is_honoured() {
    // The client's second is 100 ms, so its limits are 400 ms with the header, and 700 ms without.
    for (header, pause, expected) in [
        ("Keep-Alive: timeout=5\r\n", 200, 1),
        ("Keep-Alive: timeout=5, max=100\r\n", 550, 2),
        ("keep-alive: max=5,Timeout=\"5\"\r\n", 550, 2),
        ("Keep-Alive: timeout=1\r\n", 0, 2),
        ("Keep-Alive: timeout=0\r\n", 0, 2),
        ("Keep-Alive: timeout=-1\r\n", 550, 1),
        ("", 550, 1),
        ("", 850, 2),
        ("Keep-Alive: timeout=4000000000\r\n", 850, 1),
    ] {
        let sandbox = sandbox();
        let (address, connections) = idle_server(&sandbox, Duration::from_secs(60), header);
        let builder = sandbox.client_builder().base_uri(format!("http://{address}/")).keep_warm(Duration::ZERO);
        let client = with_second(builder, Duration::from_millis(100)).build().expect("client");
        synchronous(&client).expect("response");
        std::thread::sleep(Duration::from_millis(pause));
        synchronous(&client).expect("response");
        assert_eq!(connections.load(Ordering::SeqCst), expected, "{header:?} after {pause} ms");
    }
}

/// The count of tasks, descriptors and memory after a day of sparse traffic, in seconds of 1 ms.
#[test]
#[ignore = "takes three minutes: .ci/connections"]
fn a_day_of_sparse_traffic_leaves_nothing_behind() {
    const SECOND: Duration = Duration::from_millis(1);
    let sandbox = sandbox();
    let (address, connections) = idle_server(&sandbox, 8 * SECOND, "");
    let builder = sandbox.client_builder().base_uri(format!("http://{address}/"));
    let client = with_second(builder, SECOND).build().expect("client");
    let usage = || {
        let status = std::fs::read_to_string("/proc/self/status").expect("status");
        let field = |name: &str| -> usize {
            let line = status.lines().find(|line| line.starts_with(name)).expect("field");
            line.split_whitespace().nth(1).expect("value").parse().expect("number")
        };
        (std::fs::read_dir("/proc/self/fd").expect("descriptors").count(), field("Threads:"), field("VmRSS:"))
    };
    let (mut refused, mut before) = (0, None);
    for minute in 0..24 * 60_u64 {
        // Calls that meet a closing connection may fail: a second is shorter than a context switch.
        let call: Value = options();
        if client.chain(CARDS).post(call).is_err() {
            refused += 1;
        }
        std::thread::sleep(SECOND * u32::try_from(20 + minute * 7 % 80).expect("small"));
        if minute == 60 {
            before = Some(usage());
        }
    }
    let (before, after) = (before.expect("an hour"), usage());
    println!("(descriptors, threads, KiB) after an hour {before:?}, after a day {after:?}; {refused} failed calls");
    println!("{} connections", connections.load(Ordering::SeqCst));
    assert!(after.0 <= before.0 + 8 && after.1 <= before.1 + 2, "{before:?} {after:?}");
    assert!(after.2 <= before.2 + 20 * 1024, "{before:?} {after:?}");
}
