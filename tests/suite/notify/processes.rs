//! Four processes behind one `notify_url`, which are killed while their stores are restarted,
//! paused and delayed. A process is this test binary with [`worker`].
//!
//! The gate delivers 120 notifications in each scenario. `.ci/processes` delivers 2,000.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use bytes::Bytes;
use http::Request;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wechatpay_chain::notify::{Handled, Inbox, Notification, NotificationVerifier};
use wechatpay_chain::sandbox::{PUBLIC_KEY_ID, Sandbox};
use wechatpay_chain::store::{Claim, PostgresStore, RedisStore, Store};
use wechatpay_chain::{Apiv3Key, BoxError, BoxFuture, PublicKey};

use super::servers::{Postgres, Redis, command, connect, spawn};
use crate::support::{run, sandbox, server};

const PROCESSES: usize = 4;
/// The threads that deliver.
const THREADS: u32 = 24;
/// Short, so that the notifications of killed processes are soon claimed again.
const LEASE: Duration = Duration::from_secs(3);

/// How a process claims notifications.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    /// Claims in Redis. The transaction of the handler records the notification.
    RedisAndTransaction,
    /// Claims in PostgreSQL. The transaction of the handler records the notification.
    Postgres,
    /// Claims in Redis only.
    Redis,
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

fn pseudo_random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

#[derive(Clone)]
struct Shop {
    notifications: NotificationVerifier,
    store: PostgresStore,
    /// `None` while the process does not record notifications.
    records: bool,
    database: String,
    calls: Arc<AtomicUsize>,
}

/// One process. It prints its port.
#[test]
#[ignore = "run by the other tests"]
fn worker() {
    let mode = variable("INBOX_MODE");
    let key = PublicKey::from_pem(&variable("INBOX_PLATFORM_KEY")).expect("key");
    let verifier =
        NotificationVerifier::new([(PUBLIC_KEY_ID, key)], Apiv3Key::new(variable("INBOX_KEY")).expect("key"));
    let store = PostgresStore::new(&variable("INBOX_POSTGRES")).expect("url");
    let inbox = match mode.as_str() {
        "Postgres" => Inbox::new(store.clone()),
        _ => {
            let redis = RedisStore::new(&variable("INBOX_REDIS")).expect("url");
            Inbox::new(ObservedStore { redis, database: variable("INBOX_POSTGRES") })
        }
    };
    let shop = Shop {
        notifications: verifier.expect("keys").inbox(inbox.lease(LEASE)),
        store,
        records: mode != "Redis",
        database: variable("INBOX_POSTGRES"),
        calls: Arc::default(),
    };
    run(async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
        println!("\nport {}", listener.local_addr().expect("address").port());
        let router = Router::new().route("/notify", post(notified)).with_state(shop);
        axum::serve(listener, router).await.expect("serve");
    });
}

/// The store in Redis. A row is inserted for each success that Redis has confirmed.
struct ObservedStore {
    redis: RedisStore,
    database: String,
}

impl Store for ObservedStore {
    fn claim<'a>(&'a self, key: &'a str, token: &'a str, lease: Duration) -> BoxFuture<'a, Result<Claim, BoxError>> {
        self.redis.claim(key, token, lease)
    }

    fn complete<'a>(
        &'a self,
        key: &'a str,
        value: &'a str,
        retention: Duration,
    ) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async move {
            self.redis.complete(key, value, retention).await?;
            let process = i64::from(std::process::id());
            let database = connect(&self.database).await?;
            database.execute("INSERT INTO recorded VALUES ($1, $2)", &[&key, &process]).await?;
            Ok(())
        })
    }

    fn release<'a>(&'a self, key: &'a str, token: &'a str) -> BoxFuture<'a, Result<(), BoxError>> {
        self.redis.release(key, token)
    }
}

async fn notified(State(shop): State<Shop>, notification: Notification) -> Handled {
    let notifications = shop.notifications.clone();
    notifications.handle_verified(notification, |notification| paid(shop, notification)).await
}

impl axum::extract::FromRef<Shop> for NotificationVerifier {
    fn from_ref(shop: &Shop) -> Self {
        shop.notifications.clone()
    }
}

/// The handler: a row for each time that it succeeds. It fails one time in ten.
async fn paid(shop: Shop, notification: Notification) -> Result<(), BoxError> {
    let call = shop.calls.fetch_add(1, Ordering::SeqCst);
    let mut random = u64::from(std::process::id()) << 20 | call as u64;
    pseudo_random(&mut random);
    let mut database = connect(&shop.database).await?;
    let transaction = database.transaction().await?;
    let is_new = !shop.records || shop.store.record(&transaction, &notification.inbox_key()).await?;
    tokio::time::sleep(Duration::from_millis(pseudo_random(&mut random) % 20)).await;
    if pseudo_random(&mut random) % 10 == 0 {
        return Err("no stock".into());
    }
    if is_new {
        let process = i64::from(std::process::id());
        transaction.execute("INSERT INTO paid VALUES ($1, $2)", &[&notification.id(), &process]).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// The processes, and the IDs of those that were killed.
struct Processes {
    environment: Vec<(&'static str, String)>,
    running: Mutex<Vec<Child>>,
    ports: Vec<AtomicU16>,
    killed: Mutex<Vec<u32>>,
}

impl Processes {
    fn start(environment: Vec<(&'static str, String)>) -> Self {
        let ports = (0..PROCESSES).map(|_| AtomicU16::new(0)).collect();
        let processes = Processes { environment, running: Mutex::default(), ports, killed: Mutex::default() };
        for index in 0..PROCESSES {
            let child = processes.spawn(index);
            processes.running.lock().expect("lock").push(child);
        }
        processes
    }

    fn spawn(&self, index: usize) -> Child {
        let mut command = command(&std::env::current_exe().expect("this binary"));
        command.args(["notify::processes::worker", "--exact", "--ignored", "--nocapture"]);
        command.envs(self.environment.iter().cloned()).stdout(Stdio::piped());
        let mut child = spawn(command);
        let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let port = lines.find_map(|line| line.ok()?.strip_prefix("port ")?.parse().ok()).expect("its port");
        self.ports[index].store(port, Ordering::SeqCst);
        child
    }

    fn kill_and_start(&self, index: usize) {
        {
            let mut running = self.running.lock().expect("lock");
            running[index].kill().expect("kill -9");
            running[index].wait().expect("ended");
            self.killed.lock().expect("lock").push(running[index].id());
        }
        let child = self.spawn(index);
        self.running.lock().expect("lock")[index] = child;
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for child in self.running.lock().expect("lock").iter_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A relay to Redis that delays what it carries, up to 40 ms in each direction.
fn delayed(port: u16) -> u16 {
    let connections = Arc::new(AtomicUsize::new(0));
    let address = server(move |mut client| {
        let mut random = connections.fetch_add(1, Ordering::SeqCst) as u64;
        async move {
            let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
            let (mut up, mut down) = ([0; 16384], [0; 16384]);
            loop {
                let delay = |random: &mut u64| tokio::time::sleep(Duration::from_millis(pseudo_random(random) % 40));
                tokio::select! {
                    read = client.read(&mut up) => {
                        let length = read?;
                        if length == 0 { return Ok(()); }
                        delay(&mut random).await;
                        server.write_all(&up[..length]).await?;
                    }
                    read = server.read(&mut down) => {
                        let length = read?;
                        if length == 0 { return Ok(()); }
                        delay(&mut random).await;
                        client.write_all(&down[..length]).await?;
                    }
                }
            }
        }
    });
    address.port()
}

/// What happens to Redis during a scenario.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    /// It is restarted twice.
    Restarts,
    /// Everything that it receives and sends is delayed.
    Delays,
    /// It is paused for this long, twice.
    Pauses(Duration),
}

struct Delivery<'a> {
    sandbox: &'a Sandbox,
    processes: &'a Processes,
    /// How often each response was received.
    statuses: Mutex<BTreeMap<String, usize>>,
}

impl Delivery<'_> {
    /// Delivers once, to one of the processes. Returns whether the response was a success.
    fn deliver(&self, request: &Request<Bytes>, process: usize) -> bool {
        let port = self.processes.ports[process % PROCESSES].load(Ordering::SeqCst);
        let request = self.sandbox.redelivery(request).expect("signed");
        let response = self.sandbox.notify(&format!("http://127.0.0.1:{port}/notify"), request);
        let status = response.map_or_else(|error| error.kind().to_string(), |response| response.status().to_string());
        let is_success = status.starts_with("204");
        *self.statuses.lock().expect("lock").entry(status).or_default() += 1;
        is_success
    }
}

/// Delivers each notification one to five times, concurrently, and again until it is confirmed, as
/// the service does. A process is killed each second.
fn scenario(mode: Mode, trouble: Trouble) {
    let count: usize = std::env::var("INBOX_NOTIFICATIONS").map_or(120, |count| count.parse().expect("a number"));
    let (Some(mut redis), Some(postgres)) = (Redis::start(), Postgres::start()) else { return };
    run(async {
        let store = PostgresStore::new(&postgres.url()).expect("url");
        store.create_table().await.expect("table");
        let client = postgres.connect().await;
        let tables = "CREATE TABLE paid (id text, process bigint); CREATE TABLE recorded (id text, process bigint)";
        client.batch_execute(tables).await.expect("tables");
    });
    let sandbox = sandbox();
    let settings = sandbox.settings();
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    let redis_port = if trouble == Trouble::Delays { delayed(redis.port()) } else { redis.port() };
    let processes = Processes::start(vec![
        ("INBOX_MODE", format!("{mode:?}")),
        ("INBOX_REDIS", format!("redis://127.0.0.1:{redis_port}")),
        ("INBOX_POSTGRES", postgres.url()),
        ("INBOX_PLATFORM_KEY", text(&settings["certs"][PUBLIC_KEY_ID])),
        ("INBOX_KEY", text(&settings["apiv3_key"])),
    ]);
    let requests: Vec<Request<Bytes>> = (0..count)
        .map(|number| {
            let order = json!({ "out_trade_no": format!("order-{number}") });
            sandbox.notification("TRANSACTION.SUCCESS", "transaction", &order).expect("notification")
        })
        .collect();
    // Each notification as often as it is delivered at first, all of them mixed.
    let mut random = 7;
    let mut first: Vec<usize> = (0..count).flat_map(|number| std::iter::repeat_n(number, 1 + number % 5)).collect();
    for index in (1..first.len()).rev() {
        first.swap(index, pseudo_random(&mut random) as usize % (index + 1));
    }
    let delivery = Delivery { sandbox: &sandbox, processes: &processes, statuses: Mutex::default() };
    let confirmed: Vec<AtomicBool> = (0..count).map(|_| AtomicBool::new(false)).collect();
    let is_over = AtomicBool::new(false);
    let started = Instant::now();
    let deliver_all = |numbers: &[usize], duration: Duration| {
        let next = AtomicUsize::new(0);
        let pause = duration * THREADS / u32::try_from(numbers.len()).expect("a number");
        std::thread::scope(|scope| {
            for thread in 0..THREADS as usize {
                let (next, delivery, requests, confirmed) = (&next, &delivery, &requests, &confirmed);
                scope.spawn(move || {
                    while let Some(number) = numbers.get(next.fetch_add(1, Ordering::SeqCst)) {
                        if delivery.deliver(&requests[*number], thread + number) {
                            confirmed[*number].store(true, Ordering::SeqCst);
                        }
                        std::thread::sleep(pause);
                    }
                });
            }
        });
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut index = 0;
            while !is_over.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_secs(1));
                processes.kill_and_start(index % PROCESSES);
                index += 1;
            }
        });
        let redis = &mut redis;
        scope.spawn(move || {
            for _ in 0..2 {
                std::thread::sleep(Duration::from_millis(1500));
                match trouble {
                    Trouble::Restarts => {
                        redis.stop();
                        std::thread::sleep(Duration::from_millis(300));
                        redis.start_again();
                    }
                    Trouble::Pauses(time) => {
                        redis.pause();
                        std::thread::sleep(time);
                        redis.resume();
                    }
                    Trouble::Delays => {}
                }
            }
        });
        // All troubles happen during the first deliveries.
        deliver_all(&first, Duration::from_secs(6));
        let mut rounds = 0;
        loop {
            let left: Vec<usize> = (0..count).filter(|number| !confirmed[*number].load(Ordering::SeqCst)).collect();
            if left.is_empty() {
                break;
            }
            rounds += 1;
            assert!(rounds < 600, "{} notifications are lost: {:?}", left.len(), delivery.statuses);
            std::thread::sleep(Duration::from_millis(200));
            deliver_all(&left, Duration::ZERO);
        }
        is_over.store(true, Ordering::SeqCst);
    });
    // Every notification once more, after all troubles: it was handled, so the handler is not
    // called.
    let rows = || {
        run(async {
            let client = postgres.connect().await;
            let rows = client.query("SELECT 'v3:' || id, process FROM paid", &[]).await.expect("rows");
            let mut by_id: HashMap<String, Vec<i64>> = HashMap::new();
            for row in rows {
                by_id.entry(row.get(0)).or_default().push(row.get(1));
            }
            by_id
        })
    };
    std::thread::sleep(LEASE + Duration::from_millis(500));
    let before = rows();
    let all: Vec<usize> = (0..count).collect();
    deliver_all(&all, Duration::ZERO);
    let after = rows();
    let killed = processes.killed.lock().expect("lock").clone();
    let repeated: Vec<_> = after.iter().filter(|(_, processes)| processes.len() > 1).collect();
    println!(
        "{mode:?}, {trouble:?}: {count} notifications in {:?}, {} processes killed, responses {:?}, {} handled, {} repeated",
        started.elapsed(),
        killed.len(),
        delivery.statuses.lock().expect("lock"),
        after.len(),
        repeated.len(),
    );
    assert_eq!(after.len(), count, "every notification was handled");
    assert_eq!(before, after, "a confirmed notification is not handled again");
    assert!(killed.len() >= 4, "{} processes were killed", killed.len());
    match mode {
        Mode::RedisAndTransaction | Mode::Postgres => assert!(repeated.is_empty(), "{repeated:?}"),
        // Without the transaction, the only cause is a process that was killed between its commit
        // and the record in Redis.
        Mode::Redis => {
            let recorded: HashSet<(String, i64)> = run(async {
                let client = postgres.connect().await;
                let rows = client.query("SELECT id, process FROM recorded", &[]).await.expect("rows");
                rows.iter().map(|row| (row.get(0), row.get(1))).collect()
            });
            assert!(recorded.len() * 10 > count * 9, "{} of {count} are recorded", recorded.len());
            let was_killed = |process: i64| killed.iter().any(|killed| i64::from(*killed) == process);
            let is_excused = |(id, processes): &(&String, &Vec<i64>)| {
                let is_cause = |process: &i64| was_killed(*process) && !recorded.contains(&((*id).clone(), *process));
                processes.iter().filter(|process| !is_cause(process)).count() <= 1
            };
            assert!(repeated.iter().all(is_excused), "{repeated:?}, killed {killed:?}");
        }
    }
}

#[test]
fn redis_is_restarted() {
    scenario(Mode::RedisAndTransaction, Trouble::Restarts);
}

#[test]
fn postgres_decides() {
    scenario(Mode::Postgres, Trouble::Restarts);
}

#[test]
fn redis_alone_is_paused_for_less_than_the_lease() {
    scenario(Mode::Redis, Trouble::Pauses(LEASE / 3));
}

#[test]
#[ignore = "a minute; .ci/processes runs it"]
fn redis_is_paused_for_longer_than_the_lease() {
    scenario(Mode::RedisAndTransaction, Trouble::Pauses(LEASE + Duration::from_secs(1)));
}

#[test]
#[ignore = "a minute; .ci/processes runs it"]
fn redis_is_delayed() {
    scenario(Mode::RedisAndTransaction, Trouble::Delays);
}

#[test]
#[ignore = "a minute; .ci/processes runs it"]
fn redis_alone_is_delayed() {
    scenario(Mode::Redis, Trouble::Delays);
}

#[test]
#[ignore = "a minute; .ci/processes runs it"]
fn redis_alone_is_restarted() {
    scenario(Mode::Redis, Trouble::Restarts);
}
