//! Tests of the pool's policy. Its second is long, so that no time passes.

use std::net::{SocketAddr, TcpListener};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use socket2::SockRef;

use super::*;
use crate::transport::proxy::Proxy;

const SECOND: Duration = Duration::from_secs(1000);

/// A pool, a server that accepts connections for it, and the URI of the server.
fn pool() -> (Arc<Pool>, TcpListener, Uri) {
    let connector = Connector::new(&Proxy::Off, &[], Duration::from_secs(10)).expect("connector");
    let config = PoolConfig { keep_warm: Some(SECOND * 60), second: SECOND };
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    let uri = format!("http://{}/", listener.local_addr().expect("address")).parse().expect("URI");
    (Pool::new(connector, config), listener, uri)
}

/// Opens a connection and checks it in, as if its response had this `Keep-Alive` header.
async fn put(pool: &Arc<Pool>, uri: &Uri, keep_alive: Option<u32>) {
    let mut pooled = pool.open(uri, None).await.expect("open");
    pooled.connection.keep_alive = keep_alive;
    pool.check_in(uri, pooled);
}

fn limits(pool: &Pool) -> Vec<Duration> {
    pool.lock().idle.iter().map(|idle| idle.limit).collect()
}

#[tokio::test]
async fn a_connection_is_opened_two_seconds_ahead() {
    let (pool, _listener, uri) = pool();
    put(&pool, &uri, None).await;
    assert!(matches!(pool.maintain(), Step::Wait), "ready");
    // Less than two seconds remain.
    pool.lock().idle[0].limit = SECOND * 3 / 2;
    let in_use = pool.open(&uri, None).await.expect("open");
    assert!(matches!(pool.maintain(), Step::Wait), "a connection in use will be idle again");
    drop(in_use);
    assert!(matches!(pool.maintain(), Step::Open(_, None)));
    // It is opened for the same time as the last one.
    pool.open_ahead(Host::of(&uri).expect("host"), Some(5)).await;
    assert_eq!(limits(&pool), [SECOND * 3 / 2, SECOND * 4]);
    assert!(matches!(pool.maintain(), Step::Wait), "ready");
}

/// It would be opened again in each second.
#[tokio::test]
async fn no_connection_is_kept_ready_for_a_server_that_closes_at_once() {
    let (pool, _listener, uri) = pool();
    put(&pool, &uri, Some(3)).await;
    pool.lock().idle.clear();
    assert!(matches!(pool.maintain(), Step::Wait));
}

#[tokio::test]
async fn a_failed_attempt_ends_the_maintenance() {
    let (pool, listener, uri) = pool();
    put(&pool, &uri, None).await;
    pool.lock().idle.clear();
    drop(listener);
    assert!(matches!(pool.maintain(), Step::Open(..)));
    pool.open_ahead(Host::of(&uri).expect("host"), None).await;
    assert!(matches!(pool.maintain(), Step::End));
    assert!(!pool.lock().is_maintained);
}

/// A runtime drops its tasks when it ends. The next call starts the maintenance again.
#[tokio::test]
async fn the_end_of_a_runtime_ends_the_maintenance() {
    let (pool, _listener, _) = pool();
    pool.lock().is_maintained = true;
    drop(maintain(Maintenance { pool: Arc::downgrade(&pool), is_running: true }, SECOND));
    assert!(!pool.lock().is_maintained);
}

#[tokio::test]
async fn idle_connections_of_a_host_are_bounded() {
    let (pool, _listener, uri) = pool();
    for keep_alive in (2..).take(MAX_IDLE_PER_HOST + 2) {
        put(&pool, &uri, Some(keep_alive)).await;
    }
    let limits = limits(&pool);
    assert_eq!(limits.len(), MAX_IDLE_PER_HOST);
    assert_eq!(limits[0], SECOND * 3, "the oldest ones are closed");
}

/// Another process ID stands for the pool that a forked child has copied.
#[tokio::test]
async fn a_forked_child_leaves_the_connections_of_its_parent() {
    let (pool, listener, uri) = pool();
    put(&pool, &uri, None).await;
    let (mut peer, _) = listener.accept().expect("accepted");
    peer.set_nonblocking(true).expect("mode");
    pool.lock().process += 1;
    assert!(pool.checkout(&uri).await.is_none());
    assert!(std::io::Read::read(&mut peer, &mut [0]).is_err(), "it is not closed");
    assert_eq!(Arc::strong_count(&pool.lock().open), 1, "it is not in use");
}

/// The server may reset a connection between the check and the request.
#[tokio::test]
async fn a_request_on_a_connection_that_was_reset_did_not_arrive() {
    let (pool, listener, uri) = pool();
    for is_read in [false, true] {
        let mut pooled = pool.open(&uri, None).await.expect("open");
        let (mut peer, _) = listener.accept().expect("accepted");
        assert!(pooled.connection.is_usable().await);
        SockRef::from(&peer).set_linger(Some(Duration::ZERO)).expect("linger");
        let request = Request::post(&uri).body(Full::new(Bytes::from_static(b"{}"))).expect("request");
        let error = if is_read {
            let reading = std::thread::spawn(move || std::io::Read::read(&mut peer, &mut [0; 1000]).expect("read"));
            let error = pooled.connection.send(&uri, request).await.expect_err("reset");
            assert!(reading.join().expect("joined") > 0);
            error
        } else {
            drop(peer);
            pooled.connection.send(&uri, request).await.expect_err("reset")
        };
        assert_eq!(error.may_have_arrived, is_read, "{}", error.source);
    }
}
