//! The latency of calls that are 10 seconds apart, over TLS and a network with a round trip of
//! 30 ms: `cargo bench --features sandbox --bench connections`.
//!
//! A second is 100 ms here, and the server closes connections that were idle for eight of them.
//! The relay makes a new connection wait for one more round trip, in place of the TCP handshake.
//! hyper's legacy client is measured in the same way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may end by a panic")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as LegacyClient;
use hyper_util::rt::TokioExecutor;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use wechatpay_chain::__private::with_second;
use wechatpay_chain::sandbox::Sandbox;

const SECOND: Duration = Duration::from_millis(100);
const ONE_WAY: Duration = Duration::from_millis(15);
const CALLS: usize = 20;

/// Copies bytes, each after a delay. Ends if nothing arrives for a while.
fn copy(mut from: TcpStream, mut to: TcpStream, idle: Option<Duration>) {
    let (send, receive) = mpsc::channel::<(Instant, Vec<u8>)>();
    let writer = std::thread::spawn(move || {
        for (at, bytes) in receive {
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
    from.set_read_timeout(idle).expect("timeout");
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let _ = send.send((Instant::now() + ONE_WAY, buffer[..length].to_vec()));
    }
    let _ = from.shutdown(Shutdown::Both);
    drop(send);
    writer.join().expect("writer");
}

/// A network between client and server.
fn relay(target: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("address");
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.expect("accept");
            std::thread::spawn(move || {
                std::thread::sleep(ONE_WAY * 2);
                let server = TcpStream::connect(target).expect("server");
                let (client_2, server_2) = (client.try_clone().expect("clone"), server.try_clone().expect("clone"));
                for stream in [&client, &server] {
                    stream.set_nodelay(true).expect("nodelay");
                }
                let back = std::thread::spawn(move || copy(server_2, client_2, None));
                copy(client, server, Some(SECOND * 8));
                back.join().expect("back");
            });
        }
    });
    address
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

/// The first call, the median of calls in a row, and the median of calls that are 10 seconds apart.
fn measure(name: &str, mut call: impl FnMut()) -> [f64; 3] {
    let mut time = || {
        let began = Instant::now();
        call();
        began.elapsed()
    };
    let first = median(vec![time()]);
    let in_a_row = median((0..CALLS).map(|_| time()).collect());
    let apart = median(
        (0..CALLS)
            .map(|_| {
                std::thread::sleep(SECOND * 10);
                time()
            })
            .collect(),
    );
    println!("{name:<30} first call {first:>6.1} ms   in a row {in_a_row:>6.1} ms   10 s apart {apart:>6.1} ms");
    [first, in_a_row, apart]
}

fn main() {
    let sandbox = Sandbox::start().expect("sandbox");
    let target = sandbox.tls_base_uri().trim_start_matches("https://").trim_end_matches('/').to_owned();
    let address = relay(target.replace("localhost", "127.0.0.1").parse().expect("address"));
    let base = format!("https://localhost:{}/", address.port());
    println!("round trip: 30 ms; a second is {SECOND:?}");

    let root = CertificateDer::from_pem_slice(sandbox.root_certificate().as_bytes()).expect("certificate");
    let mut roots = RootCertStore::empty();
    roots.add(root).expect("root");
    let tls = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
    let connector = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1().build();
    let legacy: LegacyClient<_, Full<Bytes>> = LegacyClient::builder(TokioExecutor::new()).build(connector);
    let uri: http::Uri = format!("{base}v3/certificates").parse().expect("URI");
    let [_, in_a_row, _] = measure("hyper-util's legacy client", || {
        runtime.block_on(async {
            let response = legacy.get(uri.clone()).await.expect("response");
            response.into_body().collect().await.expect("body");
        });
    });

    let builder = || {
        let builder = sandbox.client_builder().base_uri(&base).root_certificate(sandbox.root_certificate());
        with_second(builder, SECOND).build().expect("client")
    };
    let options = || json!({ "query": { "mchid": wechatpay_chain::sandbox::MCHID }, "http_errors": false });
    let path = "v3/pay/transactions/out-trade-no/unknown";
    let client = builder();
    let synchronous = measure("this crate, synchronous", || {
        client.chain(path).get(options()).expect("response");
    });
    let client = builder();
    let asynchronous = measure("this crate, asynchronous", || {
        runtime.block_on(client.chain(path).get_async(options())).expect("response");
    });
    let client = builder();
    client.warm_up().expect("connected");
    let warmed = measure("this crate, after warm_up", || {
        client.chain(path).get(options()).expect("response");
    });
    for [first, _, apart] in [synchronous, asynchronous] {
        assert!(first <= in_a_row * 3.0 + 10.0, "the first call takes {first} ms");
        assert!(apart <= in_a_row + 2.0, "a call takes {apart} ms");
    }
    assert!(warmed[0] <= in_a_row + 10.0, "the first call takes {} ms after warm_up", warmed[0]);
}
