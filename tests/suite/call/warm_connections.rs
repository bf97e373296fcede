//! Connections that are opened ahead of a call, or shared by the clients of several merchants.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use wechatpay_chain::__private::with_second;
use wechatpay_chain::{ClientBuilder, ErrorKind};

use super::connections::{idle_server, synchronous};
use crate::support::{
    CARDS, client_at, each_hint_names_its_condition, options, relay, run, run_in_new_process, sandbox, server, start,
};

/// Waits until a count is reached.
fn wait_for(count: &AtomicUsize, expected: usize) {
    let end = Instant::now() + Duration::from_secs(10);
    while count.load(Ordering::SeqCst) < expected {
        assert!(Instant::now() < end, "{} instead of {expected}", count.load(Ordering::SeqCst));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_connection_is_kept_warm_for_a_while_after_a_call() {
    let sandbox = sandbox();
    let (address, connections) = idle_server(&sandbox, Duration::from_millis(400), "");
    let builder = || sandbox.client_builder().base_uri(format!("http://{address}/"));
    let second = Duration::from_millis(50);
    // Off: the connection is closed and no other is opened.
    let client = with_second(builder().keep_warm(Duration::ZERO), second).build().expect("client");
    synchronous(&client).expect("response");
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    // On a current-thread runtime, it is off by default.
    let client = with_second(builder(), second).build().expect("client");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        client.chain(CARDS).post_async(options()).await.expect("response");
        tokio::time::sleep(Duration::from_millis(600)).await;
    });
    assert_eq!(connections.load(Ordering::SeqCst), 2);
    // After a synchronous call and on a multi-threaded runtime, it is on.
    synchronous(&client).expect("response");
    assert_eq!(connections.load(Ordering::SeqCst), 3);
    wait_for(&connections, 5);
    drop(client);
    let before = connections.load(Ordering::SeqCst);
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(connections.load(Ordering::SeqCst), before, "a dropped client opens no connection");
    let client = with_second(builder().keep_warm(Duration::from_millis(800)), second).build().expect("client");
    run(async {
        client.chain(CARDS).post_async(options()).await.expect("response");
        let connections = Arc::clone(&connections);
        tokio::task::spawn_blocking(move || wait_for(&connections, before + 3)).await.expect("kept warm");
        tokio::time::sleep(Duration::from_millis(1000)).await;
    });
    let after = connections.load(Ordering::SeqCst);
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(connections.load(Ordering::SeqCst), after, "it ends after the time");
}

/// An hour without the server, in seconds of 10 ms, with a call in each minute.
#[test]
fn an_hour_without_the_server_causes_few_attempts() {
    let sandbox = sandbox();
    let (attempts, target) = (Arc::new(AtomicUsize::new(0)), sandbox.address());
    let counted = Arc::clone(&attempts);
    let address = server(move |mut from| {
        let attempt = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            if attempt > 0 {
                // The system refuses the client: the connection is reset.
                return socket2::SockRef::from(&from).set_linger(Some(Duration::ZERO));
            }
            relay(&mut from, target).await
        }
    });
    let builder = sandbox.client_builder().base_uri(format!("http://{address}/"));
    let client = with_second(builder, Duration::from_millis(10)).build().expect("client");
    synchronous(&client).expect("response");
    // The connection of the first call is too old.
    std::thread::sleep(Duration::from_millis(100));
    for _ in 0..60 {
        std::thread::sleep(Duration::from_millis(50));
        synchronous(&client).expect_err("no server");
    }
    let attempts = attempts.load(Ordering::SeqCst);
    assert!((60..120).contains(&attempts), "{attempts} connections");
}

#[test]
fn an_unreachable_host_is_not_tried_again_without_a_call() {
    let sandbox = sandbox();
    let attempts = Arc::new(AtomicUsize::new(0));
    let (counted, target) = (Arc::clone(&attempts), sandbox.address());
    // Only the first connection works.
    let address = server(move |mut from| {
        let attempt = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            if attempt > 0 {
                return Ok(());
            }
            relay(&mut from, target).await
        }
    });
    let builder = sandbox.client_builder().base_uri(format!("http://{address}/"));
    let client = with_second(builder, Duration::from_millis(10)).build().expect("client");
    synchronous(&client).expect("response");
    std::thread::sleep(Duration::from_millis(1500));
    let attempts = attempts.load(Ordering::SeqCst);
    // 60 seconds of 10 ms are over: at most one connection in each of them.
    assert!((2..=61).contains(&attempts), "{attempts} connections");
}

#[test]
fn warm_up_opens_the_connection_of_the_first_call() {
    let sandbox = sandbox();
    let (address, connections) = idle_server(&sandbox, Duration::from_secs(60), "");
    let client = client_at(&sandbox, address);
    client.warm_up().expect("connected");
    client.warm_up().expect("connected");
    wait_for(&connections, 1);
    synchronous(&client).expect("response");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    assert_eq!(sandbox.requests().len(), 1);
    run(async { client.warm_up_async().await }).expect("connected");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    let nobody = client_at(&sandbox, crate::support::unused_address());
    let error = nobody.warm_up().expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
}

#[test]
fn clients_of_several_merchants_share_connections() {
    let sandbox = sandbox();
    let (address, connections) = idle_server(&sandbox, Duration::from_secs(60), "");
    let builder = || sandbox.client_builder().base_uri(format!("http://{address}/"));
    let first = builder().build().expect("client");
    synchronous(&first).expect("response");
    for _ in 0..20 {
        synchronous(&builder().share_connections(&first).build().expect("client")).expect("response");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    assert_eq!(sandbox.requests().len(), 21);
    // The settings of connections are those of the first client.
    const REMEDY: &str = "differs from that of the client whose connections are shared: set it only there";
    let error = |builder: ClientBuilder| builder.share_connections(&first).build().map_err(|error| error.to_string());
    let second = Duration::from_secs(1);
    each_hint_names_its_condition(&[
        (&format!("the setting proxy {REMEDY}"), error(builder().proxy("http://127.0.0.1:1")).expect_err("proxy")),
        (
            &format!("the setting connect_timeout {REMEDY}"),
            error(builder().connect_timeout(second)).expect_err("timeout"),
        ),
        (&format!("the setting keep_warm {REMEDY}"), error(builder().keep_warm(second)).expect_err("keep_warm")),
        ("", error(builder().no_proxy().timeout(second)).map(|_| String::new()).expect("equal or of the call")),
    ]);
}

/// In a new process, because the limit of descriptors is that of the process.
#[test]
fn fifteen_hundred_merchants_need_few_descriptors() {
    run_in_new_process("call::warm_connections::fifteen_hundred_merchants_in_this_process");
}

#[test]
#[ignore = "the test above runs it in a new process"]
fn fifteen_hundred_merchants_in_this_process() {
    let (sandbox, first) = start();
    for _ in 0..1500 {
        let merchant = sandbox.client_builder().share_connections(&first).build().expect("client");
        synchronous(&merchant).expect("response");
    }
    let open = std::fs::read_dir("/proc/self/fd").expect("descriptors").count();
    assert!(open < 200, "{open} descriptors");
}
