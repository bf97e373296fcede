//! Several processes that need the same platform certificates download them once.

use std::time::Duration;

use wechatpay_chain::Client;
use wechatpay_chain::sandbox::Sandbox;
use wechatpay_chain::store::{RedisStore, Store};

use crate::notify::servers::Redis;
use crate::support::{CARDS, by_certificate, options, sandbox};

/// How often the certificates were downloaded.
fn downloads(sandbox: &Sandbox) -> usize {
    sandbox.requests().iter().filter(|request| request.target == "/v3/certificates").count()
}

/// Clients with a connection of their own each, as in several processes.
fn clients(sandbox: &Sandbox, redis: &Redis) -> Vec<Client> {
    let store = || RedisStore::new(&redis.url()).expect("url");
    (0..4).map(|_| by_certificate(sandbox).certificate_store(store()).build().expect("client")).collect()
}

/// Makes a call with each client at once.
fn call_all(clients: &[Client]) {
    std::thread::scope(|scope| {
        for client in clients {
            scope.spawn(|| client.chain(CARDS).post(options()).expect("verified"));
        }
    });
}

#[test]
fn one_process_downloads_for_all() {
    let Some(mut redis) = Redis::start() else { return };
    let sandbox = sandbox();
    sandbox.rotate_certificate().expect("certificate");
    let clients = clients(&sandbox, &redis);
    call_all(&clients);
    assert_eq!(downloads(&sandbox), 1, "the first certificate");
    call_all(&clients);
    assert_eq!(downloads(&sandbox), 1);
    // The stored response does not contain the next certificate, so it is downloaded again, and
    // then shared again.
    sandbox.rotate_certificate().expect("certificate");
    clients[0].chain(CARDS).post(options()).expect("verified");
    assert_eq!(downloads(&sandbox), 2, "the second certificate");
    call_all(&clients);
    assert_eq!(downloads(&sandbox), 2);
    // Without Redis, each process downloads.
    redis.stop();
    sandbox.rotate_certificate().expect("certificate");
    call_all(&clients);
    assert_eq!(downloads(&sandbox), 6);
}

#[test]
fn the_store_is_not_trusted() {
    let Some(redis) = Redis::start() else { return };
    let sandbox = sandbox();
    sandbox.rotate_certificate().expect("certificate");
    call_all(&clients(&sandbox, &redis)[..1]);
    let mut connection = redis.connection();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*certificates*").query(&mut connection).expect("keys");
    assert_eq!(keys.len(), 1, "{keys:?}");
    let stored: String = redis::cmd("GET").arg(&keys[0]).query(&mut connection).expect("stored");
    assert!(!stored.contains("BEGIN CERTIFICATE"), "the certificates are encrypted");
    let other = crate::support::sandbox();
    other.rotate_certificate().expect("certificate");
    call_all(&clients(&other, &redis)[..1]);
    assert_eq!(downloads(&other), 1, "another service has another key");
    for damaged in
        ["d".to_owned(), "d{}".to_owned(), stored.replacen("ciphertext", "x", 1), stored.replace("encrypt", "x")]
    {
        let before = downloads(&sandbox);
        redis::cmd("SET").arg(&keys[0]).arg(&damaged).exec(&mut connection).expect("set");
        call_all(&clients(&sandbox, &redis)[..1]);
        assert_eq!(downloads(&sandbox), before + 1, "{damaged:.40}");
    }
    // A process that claims the download and dies delays the others, and no more.
    let key = keys[0].split_once("inbox:").expect("the prefix").1.to_owned();
    redis::cmd("DEL").arg(&keys[0]).exec(&mut connection).expect("deleted");
    let store = RedisStore::new(&redis.url()).expect("url");
    let lease = Duration::from_millis(500);
    futures_executor::block_on(store.claim(&key, "died", lease)).expect("claimed");
    let before = downloads(&sandbox);
    call_all(&clients(&sandbox, &redis));
    assert_eq!(downloads(&sandbox), before + 1);
}
