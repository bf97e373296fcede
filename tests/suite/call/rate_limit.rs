//! The limit on the rate of calls: in one process, and shared by four.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tower::{Layer, Service, ServiceExt};
use wechatpay_chain::sandbox::{Fault, Sandbox};
use wechatpay_chain::store::RedisStore;
use wechatpay_chain::{BoxError, Client, Error, ErrorKind, RateLimit};

use crate::notify::servers::{Redis, command, spawn};
use crate::support::{CARDS, options, run, sandbox};

fn client(sandbox: &Sandbox, limit: RateLimit) -> Client {
    sandbox.client_builder().layer(limit).build().expect("client")
}

fn call(client: &Client) -> Result<(), Error> {
    client.chain(CARDS).post(options()).map(drop)
}

fn assert_not_sent(result: Result<(), Error>) {
    let error = result.expect_err("no permit");
    assert!(error.kind() == ErrorKind::Timeout && error.is_before_send(), "{error}");
    assert!(error.message().contains("rate limit"), "{error}");
}

/// A limit that never waits, so that no test depends on time.
fn limit() -> RateLimit {
    RateLimit::new(1000, Duration::from_millis(1)).max_wait(Duration::ZERO)
}

#[test]
fn a_call_waits_for_its_permit() {
    let sandbox = sandbox();
    let hour = RateLimit::new(1, Duration::from_secs(3600)).burst(3).max_wait(Duration::from_secs(60));
    let (client, other) = (client(&sandbox, hour.clone()), client(&sandbox, hour));
    call(&client).expect("first");
    call(&other).expect("clones share the limit");
    call(&client).expect("third");
    assert_not_sent(call(&other));
    assert_eq!(sandbox.requests().len(), 3);
    // A wait longer than the timeout of the call ends with it.
    let minute = RateLimit::new(1, Duration::from_secs(60)).max_wait(Duration::from_secs(120));
    let client = self::client(&sandbox, minute);
    call(&client).expect("first");
    let mut short = options();
    short["timeout"] = 0.05.into();
    let error = client.chain(CARDS).post(short).expect_err("timeout");
    assert!(error.kind() == ErrorKind::Timeout && error.is_before_send(), "{error}");
    assert_eq!(sandbox.requests().len(), 4);
}

/// A refusal that demands a pause of a minute.
fn refusal() -> Fault {
    let response = http::Response::builder().status(429).header("retry-after", "60");
    Fault::Gateway(response.body(Bytes::from_static(b"{\"code\":\"FREQUENCY_LIMITED\"}")).expect("response"))
}

#[test]
fn a_refusal_pauses_the_calls_that_follow() {
    let sandbox = sandbox();
    let client = client(&sandbox, limit());
    call(&client).expect("permitted");
    sandbox.inject(Fault::FrequencyLimited); // Retry-After: 1
    assert_eq!(call(&client).expect_err("refused").code(), Some("FREQUENCY_LIMITED"));
    std::thread::sleep(Duration::from_millis(1100));
    call(&client).expect("the pause is over");
    sandbox.inject(refusal());
    assert_eq!(call(&client).expect_err("refused").code(), Some("FREQUENCY_LIMITED"));
    assert_not_sent(call(&client));
    assert_eq!(sandbox.requests().len(), 4);
}

/// Each limit has a connection of its own, as in another process.
#[test]
fn a_refusal_pauses_all_processes() {
    let Some(mut server) = Redis::start() else { return };
    let sandbox = sandbox();
    let shared = |name: &str| limit().shared(RedisStore::new(&server.url()).expect("url"), name, 4);
    let clients = [shared("1900000109"), shared("1900000109"), shared("1900000109"), shared("1900000109")];
    let clients = clients.map(|limit| client(&sandbox, limit));
    let another_merchant = client(&sandbox, shared("1900000110"));
    for client in &clients {
        call(client).expect("permitted");
    }
    sandbox.inject(refusal());
    assert!(call(&clients[0]).is_err());
    for client in &clients {
        assert_not_sent(call(client));
    }
    call(&another_merchant).expect("another limit");
    // Without Redis, each process has a bucket of its own.
    server.stop();
    call(&clients[1]).expect("local");
    sandbox.inject(refusal());
    assert!(call(&clients[1]).is_err());
    assert_not_sent(call(&clients[1]));
    call(&clients[2]).expect("the others do not know");
}

/// The rate is shared by the time in Redis: an empty bucket of one process is that of the other.
#[test]
fn processes_share_the_permits() {
    let Some(server) = Redis::start() else { return };
    let sandbox = sandbox();
    let store = || RedisStore::new(&server.url()).expect("url");
    let hour = || RateLimit::new(1, Duration::from_secs(3600)).burst(4).shared(store(), "m", 2);
    let clients = [client(&sandbox, hour()), client(&sandbox, hour())];
    for client in clients.iter().chain(&clients) {
        call(client).expect("permitted");
    }
    clients.iter().for_each(|client| assert_not_sent(call(client)));
    assert_eq!(sandbox.requests().len(), 4);
    // The key does not outlive the bucket by much.
    let lives: i64 = redis::cmd("PTTL").arg("wechatpay:rate:m").query(&mut server.connection()).expect("PTTL");
    assert!((1..=4 * 3_600_000 + 1000).contains(&lives), "{lives}");
}

const CALLS_PER_SECOND: u32 = 200;

fn seconds() -> u64 {
    std::env::var("RATE_SECONDS").map_or(3, |seconds| seconds.parse().expect("a number"))
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("since 1970").as_secs_f64()
}

/// One process. It makes calls as fast as the limit permits, and prints the time of each.
#[test]
#[ignore = "run by the other tests"]
fn worker() {
    let store = RedisStore::new(&std::env::var("RATE_REDIS").expect("RATE_REDIS")).expect("url");
    let limit = RateLimit::new(CALLS_PER_SECOND, Duration::from_secs(1)).shared(store, "m", 4);
    let times = Arc::new(Mutex::new(Vec::new()));
    let recorded = Arc::clone(&times);
    let service = limit.layer(tower::service_fn(move |_: http::Request<Bytes>| {
        recorded.lock().expect("lock").push(now());
        std::future::ready(Ok::<_, BoxError>(http::Response::new(Bytes::new())))
    }));
    let end = now() + seconds() as f64 + 1.0;
    run(async {
        let tasks = (0..4).map(|_| {
            let mut service = service.clone();
            tokio::spawn(async move {
                while now() < end {
                    service.ready().await.expect("ready").call(http::Request::default()).await.expect("permitted");
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("task");
        }
    });
    for time in times.lock().expect("lock").iter() {
        println!("\ntime {time}");
    }
}

/// For how long, and by how much the rate may be missed: `.ci/processes` measures a minute.
#[test]
fn four_processes_stay_within_the_rate() {
    let Some(server) = Redis::start() else { return };
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let mut command = command(&std::env::current_exe().expect("this binary"));
            command.args(["call::rate_limit::worker", "--exact", "--ignored", "--nocapture"]);
            command.env("RATE_REDIS", server.url()).stdout(Stdio::piped());
            spawn(command)
        })
        .collect();
    let mut starts = Vec::new();
    let mut all = Vec::new();
    for mut worker in workers {
        let mut text = String::new();
        BufReader::new(worker.stdout.take().expect("stdout")).read_to_string(&mut text).expect("text");
        assert!(worker.wait().expect("ended").success());
        let times: Vec<f64> =
            text.as_bytes().lines().filter_map(|line| line.ok()?.strip_prefix("time ")?.parse().ok()).collect();
        starts.push(times[0]);
        all.extend(times);
    }
    // While all of them run.
    let start = starts.iter().copied().fold(0.0, f64::max) + 0.2;
    let duration = seconds() as f64 - (start - starts.iter().copied().fold(f64::MAX, f64::min)).min(1.0);
    let count = all.iter().filter(|time| (start..start + duration).contains(*time)).count();
    let ratio = count as f64 / (duration * f64::from(CALLS_PER_SECOND));
    println!("{count} calls of four processes in {duration:.2} s: {ratio:.4} of the rate");
    // A permit may be used later than its time, so a window can have some that belong before it.
    let excess = count as f64 - duration * f64::from(CALLS_PER_SECOND);
    assert!(excess <= 0.02 * f64::from(CALLS_PER_SECOND) * duration.max(10.0), "{ratio}");
    if seconds() >= 60 {
        assert!((0.98..=1.02).contains(&ratio), "{ratio}");
    }
    assert!(count > 100, "the processes made calls");
}
