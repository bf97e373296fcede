//! The stores that several processes share, with real servers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use wechatpay_chain::ErrorKind;
use wechatpay_chain::notify::{Inbox, NotificationVerifier, ReplayStore};
use wechatpay_chain::sandbox::PUBLIC_KEY_ID;
use wechatpay_chain::store::{Claim, MemoryStore, PostgresStore, RedisStore, Store};

use super::servers::{Postgres, Redis};
use crate::support::{relay, run, sandbox, server};

const MINUTE: Duration = Duration::from_secs(60);

/// What each store must do.
async fn check_store(store: &impl Store) {
    let claim = |key, token| store.claim(key, token, MINUTE);
    let done = |value: &str| Claim::Done(value.to_owned());
    assert_eq!(claim("a", "1").await.expect("claim"), Claim::Held);
    assert_eq!(claim("a", "1").await.expect("claim"), Claim::Held, "renewed");
    assert_eq!(claim("a", "2").await.expect("claim"), Claim::Taken);
    store.release("a", "2").await.expect("release");
    assert_eq!(claim("a", "2").await.expect("claim"), Claim::Taken, "another token releases nothing");
    store.release("a", "1").await.expect("release");
    store.release("a", "1").await.expect("twice");
    assert_eq!(claim("a", "2").await.expect("claim"), Claim::Held);
    store.complete("a", "value", MINUTE).await.expect("complete");
    store.release("a", "2").await.expect("release");
    assert_eq!(claim("a", "2").await.expect("claim"), done("value"), "completed keys are not released");
    assert_eq!(claim("a", "3").await.expect("claim"), done("value"));
    store.complete("a", "支付", MINUTE).await.expect("complete");
    assert_eq!(claim("a", "3").await.expect("claim"), done("支付"));
    // The holder of another claim learns that the work is done.
    assert_eq!(claim("b", "1").await.expect("claim"), Claim::Held);
    store.complete("b", "", MINUTE).await.expect("complete");
    assert_eq!(claim("b", "1").await.expect("claim"), done(""));
    // Times end.
    let short = Duration::from_millis(30);
    assert_eq!(store.claim("c", "1", short).await.expect("claim"), Claim::Held);
    store.complete("d", "", short).await.expect("complete");
    for key in ["c", "d"] {
        while claim(key, "2").await.expect("claim") != Claim::Held {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(claim(key, "1").await.expect("claim"), Claim::Taken);
    }
    // Of concurrent claims, one wins.
    let claims = tokio::join!(claim("e", "1"), claim("e", "2"), claim("e", "3"), claim("e", "4"));
    let claims = [claims.0, claims.1, claims.2, claims.3].map(|claim| claim.expect("claim"));
    let held = claims.iter().filter(|claim| **claim == Claim::Held).count();
    assert_eq!(held, 1);
}

/// What each shared replay store must do.
async fn check_replay_store(store: &impl ReplayStore) {
    let insert = |seen| store.insert(seen, 1_700_000_600);
    assert!(insert("1700000000 nonce").await.expect("insert"));
    assert!(!insert("1700000000 nonce").await.expect("insert"));
    assert!(insert("1700000000 other").await.expect("insert"));
}

#[test]
fn memory() {
    run(check_store(&MemoryStore::default()));
}

#[test]
fn redis() {
    let Some(mut server) = Redis::start() else { return };
    let store = RedisStore::new(&server.url()).expect("url");
    run(async {
        check_store(&store).await;
        check_store(&store.clone().prefix("another:")).await;
        check_replay_store(&store).await;
    });
    // Not tied to a runtime: this one has neither I/O nor timers, and the first one has ended.
    let bare = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    let key = store.clone().prefix("third:");
    assert_eq!(bare.block_on(key.claim("k", "1", MINUTE)).expect("claim"), Claim::Held);
    assert_eq!(futures_executor::block_on(key.claim("k", "2", MINUTE)).expect("claim"), Claim::Taken);
    // A restart keeps the claims, and the connection is made anew.
    server.stop();
    let error = futures_executor::block_on(key.claim("k", "2", MINUTE)).expect_err("stopped");
    assert!(error.to_string().starts_with("Redis"), "{error}");
    server.start_again();
    let claim = |token| futures_executor::block_on(key.claim("k", token, MINUTE));
    let mut first = claim("2").or_else(|_| claim("2"));
    // On a busy machine, the server still loads its data.
    let until = Instant::now() + MINUTE;
    while Instant::now() < until && first.as_ref().is_err_and(|error| error.to_string().contains("LOADING")) {
        std::thread::sleep(Duration::from_millis(10));
        first = claim("2");
    }
    assert_eq!(first.expect("connected again"), Claim::Taken);
    assert_eq!(claim("1").expect("claim"), Claim::Held);
    // A paused server is a failure, and recovers.
    server.pause();
    let error = claim("1").expect_err("paused");
    assert!(error.to_string().contains("did not respond"), "{error}");
    server.resume();
    assert_eq!(claim("1").expect("resumed"), Claim::Held);
}

#[test]
fn redis_with_a_password_tls_or_a_cluster() {
    let Some(server) = Redis::with(&["--requirepass", "p4ssw0rd"]) else { return };
    let url = server.url().replace("127.0.0.1", ":p4ssw0rd@127.0.0.1");
    run(check_store(&RedisStore::new(&url).expect("url")));
    for wrong in [server.url(), server.url().replace("127.0.0.1", ":wr0ng@127.0.0.1")] {
        let store = RedisStore::new(&wrong).expect("url");
        let error = futures_executor::block_on(store.claim("k", "1", MINUTE)).expect_err("no password").to_string();
        assert!(error.starts_with("Redis") && !error.contains("wr0ng"), "{error}");
        assert!(!format!("{store:?}").contains("wr0ng"));
    }
    for wrong in ["http://127.0.0.1", "redis://user:s3cret@[::1", ""] {
        let error = RedisStore::new(wrong).expect_err(wrong);
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    assert!(RedisStore::cluster([]).is_err());
    drop(server);

    let folder = tempfile::TempDir::new().expect("folder");
    let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("certificate");
    let files = [("cert.pem", certificate.cert.pem()), ("key.pem", certificate.signing_key.serialize_pem())];
    let [cert, key] = files.map(|(name, text)| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    });
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address").port();
    let tls =
        ["--tls-port", &port.to_string(), "--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-auth-clients", "no"];
    let _server = Redis::with(&tls).expect("installed");
    let untrusted = RedisStore::new(&format!("rediss://localhost:{port}")).expect("url");
    assert!(futures_executor::block_on(untrusted.claim("k", "1", MINUTE)).is_err(), "the certificate is not trusted");
    run(check_store(&untrusted.root_certificate(certificate.cert.pem())));

    let cluster = Redis::with(&["--cluster-enabled", "yes"]).expect("installed");
    let mut connection = cluster.connection();
    redis::cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(0).arg(16383).exec(&mut connection).expect("slots");
    let is_ready = |connection: &mut redis::Connection| {
        let info: String = redis::cmd("CLUSTER").arg("INFO").query(connection).expect("info");
        info.contains("cluster_state:ok")
    };
    while !is_ready(&mut connection) {
        std::thread::sleep(Duration::from_millis(20));
    }
    run(check_store(&RedisStore::cluster([cluster.url().trim_end_matches("/0")]).expect("url")));
}

/// A relay to a server that counts the requests: each time the client sends after the server did.
fn counting_relay(port: u16) -> (u16, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    let address = server(move |mut client| {
        let count = Arc::clone(&count);
        async move {
            let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
            let (mut from_client, mut from_server) = ([0; 65536], [0; 65536]);
            let mut was_response = true;
            loop {
                tokio::select! {
                    read = client.read(&mut from_client) => {
                        let length = read?;
                        if length == 0 { return Ok(()); }
                        if was_response { count.fetch_add(1, Ordering::SeqCst); }
                        was_response = false;
                        server.write_all(&from_client[..length]).await?;
                    }
                    read = server.read(&mut from_server) => {
                        let length = read?;
                        if length == 0 { return Ok(()); }
                        was_response = true;
                        client.write_all(&from_server[..length]).await?;
                    }
                }
            }
        }
    });
    (address.port(), requests)
}

/// A relay whose connections carry nothing any more after a signal, and stay open. Later
/// connections are not affected.
fn silent_relay(port: u16) -> (u16, watch::Sender<()>) {
    let (silence, silenced) = watch::channel(());
    let address = server(move |client| {
        let mut silenced = silenced.clone();
        silenced.mark_unchanged();
        async move {
            let mut relaying = std::pin::pin!(relay(client, SocketAddr::from(([127, 0, 0, 1], port))));
            tokio::select! {
                result = relaying.as_mut() => result,
                _ = silenced.changed() => std::future::pending().await,
            }
        }
    });
    (address.port(), silence)
}

/// The callers of a store wait less long than the store itself. A connection to a server that has
/// vanished must be replaced nevertheless.
#[test]
fn a_connection_that_has_become_silent_is_replaced() {
    let (Some(redis), Some(postgres)) = (Redis::start(), Postgres::start()) else { return };
    let (redis_port, redis_silence) = silent_relay(redis.port());
    let (postgres_port, postgres_silence) = silent_relay(postgres.port());
    let to_relay = |url: String, from: u16, to: u16| url.replace(&from.to_string(), &to.to_string());
    let redis = RedisStore::new(&to_relay(redis.url(), redis.port(), redis_port)).expect("url");
    let postgres = PostgresStore::new(&to_relay(postgres.url(), postgres.port(), postgres_port)).expect("url");
    run(async {
        postgres.create_table().await.expect("table");
        let stores: [(&dyn Store, _); 2] = [(&redis, redis_silence), (&postgres, postgres_silence)];
        for (store, silence) in stores {
            assert_eq!(store.claim("a", "1", MINUTE).await.expect("claim"), Claim::Held);
            silence.send(()).expect("the relay");
            let mut attempts = 0;
            loop {
                let claim = store.claim("b", "1", MINUTE);
                match tokio::time::timeout(Duration::from_millis(900), claim).await {
                    Ok(claim) => break assert_eq!(claim.expect("a new connection"), Claim::Held),
                    Err(_) => attempts += 1,
                }
                assert!(attempts < 20, "the silent connection is still used");
            }
            assert!(attempts > 0, "the connection was silent");
        }
    });
}

#[test]
fn a_claim_is_one_round_trip_to_redis() {
    let Some(server) = Redis::start() else { return };
    let (port, requests) = counting_relay(server.port());
    let store = RedisStore::new(&format!("redis://127.0.0.1:{port}")).expect("url");
    run(async {
        store.release("connects", "1").await.expect("connected");
        let mut before = requests.load(Ordering::SeqCst);
        let mut round_trips = || {
            let now = requests.load(Ordering::SeqCst);
            let trips = now - before;
            before = now;
            trips
        };
        assert_eq!(store.claim("key", "1", MINUTE).await.expect("claim"), Claim::Held);
        assert_eq!(round_trips(), 1, "a new notification");
        assert_eq!(store.claim("key", "2", MINUTE).await.expect("claim"), Claim::Taken);
        assert_eq!(round_trips(), 1, "one that is being handled");
        store.complete("key", "", MINUTE).await.expect("complete");
        assert_eq!(round_trips(), 1, "the result");
        assert_eq!(store.claim("key", "2", MINUTE).await.expect("claim"), Claim::Done(String::new()));
        assert_eq!(round_trips(), 1, "a repeated one");
    });
    // The same through the inbox: the result is recorded by a second one.
    let sandbox = sandbox();
    let verifier = NotificationVerifier::new([(PUBLIC_KEY_ID, sandbox.platform_key())], sandbox.apiv3_key());
    let notifications = verifier.expect("keys").inbox(Inbox::new(store));
    let request = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &json!({})).expect("notification");
    let before = requests.load(Ordering::SeqCst);
    run(async {
        assert_eq!(notifications.handle(&request, |_| async { Ok(()) }).await.reply().status(), 204);
        assert_eq!(requests.load(Ordering::SeqCst) - before, 2);
        let again = sandbox.redelivery(&request).expect("signed");
        assert_eq!(notifications.handle(&again, |_| async { panic!("handled") }).await.reply().status(), 204);
        assert_eq!(requests.load(Ordering::SeqCst) - before, 3);
    });
}

#[test]
fn postgres() {
    let Some(mut server) = Postgres::start() else { return };
    let store = PostgresStore::new(&server.url()).expect("url");
    run(async {
        let error = store.claim("a", "1", MINUTE).await.expect_err("no table").to_string();
        assert_eq!(error, "PostgreSQL responded with SQLSTATE 42P01");
        store.create_table().await.expect("table");
        store.create_table().await.expect("twice");
        check_store(&store).await;
        check_replay_store(&store).await;
        let other = store.clone().table("public.other_1").expect("name");
        other.create_table().await.expect("table");
        check_store(&other).await;
    });
    for wrong in ["", "a b", "a;b", "a.b.c", "A", "1a", "a\"b"] {
        assert_eq!(store.clone().table(wrong).expect_err(wrong).kind(), ErrorKind::Config);
    }
    let error = PostgresStore::new("postgres://shop:s3cret@host:port/x").expect_err("port").to_string();
    assert!(error.contains("URL of PostgreSQL") && !error.contains("s3cret"), "{error}");
    let claim = |token| futures_executor::block_on(store.claim("k", token, MINUTE));
    assert_eq!(claim("1").expect("claim"), Claim::Held);
    server.restart();
    let first = claim("2").or_else(|_| claim("2"));
    assert_eq!(first.expect("connected again"), Claim::Taken);
}

/// "Paid" and "seen" commit together.
#[test]
fn a_transaction_records_a_notification_once() {
    let Some(server) = Postgres::start() else { return };
    let store = PostgresStore::new(&server.url()).expect("url");
    run(async {
        store.create_table().await.expect("table");
        let (mut one, mut other) = (server.connect().await, server.connect().await);
        one.batch_execute("CREATE TABLE paid (number text)").await.expect("table");
        let lease = Duration::from_millis(200);
        assert_eq!(store.claim("v3:1", "token", lease).await.expect("claim"), Claim::Held);

        // A transaction that is rolled back has no effect.
        let transaction = one.transaction().await.expect("begin");
        assert!(store.record(&transaction, "v3:1").await.expect("record"));
        transaction.rollback().await.expect("rollback");

        let transaction = one.transaction().await.expect("begin");
        assert!(store.record(&transaction, "v3:1").await.expect("record"));
        transaction.execute("INSERT INTO paid VALUES ('1')", &[]).await.expect("insert");
        // The transaction does not block the renewal of its own claim.
        assert_eq!(store.claim("v3:1", "token", lease).await.expect("renewed"), Claim::Held);
        // Another process whose claim began after this one was lost waits, and has no effect.
        while store.claim("v3:1", "another", lease).await.expect("claim") != Claim::Held {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let second = other.transaction().await.expect("begin");
        let (committed, recorded) = tokio::join!(
            async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                transaction.commit().await
            },
            store.record(&second, "v3:1"),
        );
        committed.expect("commit");
        assert!(!recorded.expect("record"));
        second.commit().await.expect("commit");
        assert_eq!(store.claim("v3:1", "third", lease).await.expect("claim"), Claim::Done(String::new()));
        store.complete("v3:1", "", MINUTE).await.expect("complete");
        assert_eq!(store.claim("v3:1", "third", lease).await.expect("claim"), Claim::Done(String::new()));
        // The same with the statement alone.
        let statement = store.record_statement();
        let retention = 60_000_i64;
        assert_eq!(one.execute(&statement, &[&"inbox:v3:2", &retention]).await.expect("record"), 1);
        assert_eq!(one.execute(&statement, &[&"inbox:v3:2", &retention]).await.expect("record"), 0);
    });
}

/// `CREATE TABLE IF NOT EXISTS` fails if another session creates the table at the same moment.
#[test]
fn processes_that_start_together_create_the_table() {
    let Some(server) = Postgres::start() else { return };
    run(async {
        let stores: Vec<_> = (0..8).map(|_| PostgresStore::new(&server.url()).expect("url")).collect();
        for round in 0..5 {
            let named = stores.iter().map(|store| store.clone().table(&format!("store_{round}")).expect("name"));
            let creating: Vec<_> = named.map(|store| tokio::spawn(async move { store.create_table().await })).collect();
            for created in creating {
                created.await.expect("task").expect("the table");
            }
        }
    });
}

#[test]
fn rows_of_postgres_are_deleted_when_their_time_is_over() {
    let Some(server) = Postgres::start() else { return };
    let store = PostgresStore::new(&server.url()).expect("url");
    run(async {
        store.create_table().await.expect("table");
        let client = server.connect().await;
        let old = "INSERT INTO wechatpay_store SELECT 'old' || n, true, '', now() - interval '1 hour' FROM generate_series(1, 500) n";
        let left = async || {
            let row = client.query_one("SELECT count(*) FROM wechatpay_store WHERE key LIKE 'old%'", &[]).await;
            row.expect("count").get::<_, i64>(0)
        };
        let mut own = server.connect().await;
        // One change in 256 deletes, at random.
        'changes: for change in ["complete", "insert", "record"] {
            client.batch_execute(old).await.expect("rows");
            for number in 0..20_000 {
                let key = number.to_string();
                match change {
                    "complete" => store.complete("key", &key, MINUTE).await.expect("complete"),
                    "insert" => assert!(store.insert(&key, 0).await.expect("insert")),
                    _ => {
                        let transaction = own.transaction().await.expect("transaction");
                        assert!(store.record(&transaction, &key).await.expect("record"));
                        transaction.rollback().await.expect("rollback");
                    }
                }
                if number % 64 == 0 && left().await == 0 {
                    continue 'changes;
                }
            }
            panic!("{} rows are left after {change}", left().await);
        }
    });
}
