//! The round trips of a call over TLS, and connections that break after the request was received.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{HandshakeKind, ServerConfig};
use wechatpay_chain::__private::with_second;
use wechatpay_chain::sandbox::Sandbox;
use wechatpay_chain::{Client, Error, ErrorKind, Promise, Response};

use crate::support::{CARDS, client_at, options, read_request, relay, run, sandbox, server};

/// What a flight server knows of one connection.
#[derive(Default)]
struct Flights {
    /// The number of times that the client waited for the server, without the TCP handshake.
    rounds: AtomicUsize,
    handshake: Mutex<Option<HandshakeKind>>,
}

type Connections = Arc<Mutex<Vec<Arc<Flights>>>>;

/// Everything that arrives until nothing arrives for a while.
async fn flight(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut received = vec![0; 64 * 1024];
    let mut length = stream.read(&mut received).await.unwrap_or(0);
    while length > 0 {
        let more = tokio::time::timeout(Duration::from_millis(80), stream.read(&mut received[length..])).await;
        match more {
            Ok(Ok(more)) if more > 0 => length += more,
            _ => break,
        }
    }
    received.truncate(length);
    received
}

/// A TLS server before a sandbox that counts flights: it answers when the client has sent all that
/// it can send without an answer.
fn flight_server(sandbox: &Sandbox) -> (SocketAddr, String, Connections) {
    let key = KeyPair::generate().expect("key");
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).expect("params").self_signed(&key);
    let certificate = certificate.expect("certificate");
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .expect("config");
    let (acceptor, target) = (TlsAcceptor::from(Arc::new(config)), sandbox.address());
    let connections = Connections::default();
    let all = Arc::clone(&connections);
    let address = server(move |mut client| {
        let acceptor = acceptor.clone();
        let flights = Arc::new(Flights::default());
        all.lock().expect("connections").push(Arc::clone(&flights));
        async move {
            let (mut near, far) = tokio::io::duplex(64 * 1024);
            let seen = Arc::clone(&flights);
            tokio::spawn(async move {
                let tls = acceptor.accept(far).await?;
                *seen.handshake.lock().expect("handshake") = tls.get_ref().1.handshake_kind();
                relay(tls, target).await
            });
            loop {
                let sent = flight(&mut client).await;
                if sent.is_empty() {
                    return Ok(());
                }
                near.write_all(&sent).await?;
                let answer = flight(&mut near).await;
                flights.rounds.fetch_add(1, Ordering::SeqCst);
                client.write_all(&answer).await?;
            }
        }
    });
    (address, certificate.pem(), connections)
}

#[test]
fn a_call_on_a_warm_connection_is_one_round_trip() {
    let sandbox = sandbox();
    let (address, root, connections) = flight_server(&sandbox);
    let builder = sandbox.client_builder().base_uri(format!("https://localhost:{}/", address.port()));
    let second = Duration::from_millis(300);
    let client = with_second(builder.root_certificate(root), second).build().expect("client");
    let call = || assert!(client.chain(CARDS).post(options()).expect("response").is_verified());
    let rounds = |connection: usize| {
        let connections = connections.lock().expect("connections");
        connections.get(connection).map_or(0, |flights| flights.rounds.load(Ordering::SeqCst))
    };
    let handshake = |connection: usize| {
        let connections = connections.lock().expect("connections");
        *connections[connection].handshake.lock().expect("handshake")
    };
    // With the TCP handshake, the first call takes three round trips: the TLS handshake is one, and
    // the request is sent with its last message.
    call();
    assert_eq!((rounds(0), handshake(0)), (2, Some(HandshakeKind::Full)));
    call();
    assert_eq!(rounds(0), 3);
    // A new connection is opened before the first one is too old: one round trip for TLS, and its
    // last message is sent in advance too.
    let opened = || connections.lock().expect("connections").len() > 1 && rounds(1) >= 2;
    for _ in 0..500 {
        if opened() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(opened(), "{} rounds", rounds(1));
    // The first connection is too old now.
    std::thread::sleep(second * 2);
    let before = (rounds(0), rounds(1), connections.lock().expect("connections").len());
    call();
    let after = (rounds(0), rounds(1), connections.lock().expect("connections").len());
    assert_eq!(after, (before.0, before.1 + 1, before.2));
    assert_eq!(handshake(1), Some(HandshakeKind::Resumed));
}

/// Where a server breaks a connection after it has received a whole request.
const STAGES: [&[u8]; 4] = [
    b"",
    b"HTTP/1.1 200 O",
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
];

fn send(client: &Client, verb: &str) -> Promise<Response> {
    let chain = client.chain("v3/pay/transactions/native");
    let body = json!({ "json": { "out_trade_no": "1" } });
    match verb {
        "GET" => chain.get_async(()),
        "POST" => chain.post_async(body),
        "PUT" => chain.put_async(body),
        "PATCH" => chain.patch_async(body),
        _ => chain.delete_async(()),
    }
}

#[test]
fn a_connection_that_breaks_after_the_request_is_an_unknown_outcome() {
    let sandbox = sandbox();
    for (stage, part) in STAGES.into_iter().enumerate() {
        for reset in [false, true] {
            for reused in [false, true] {
                let requests = Arc::new(AtomicUsize::new(0));
                let counted = Arc::clone(&requests);
                let address = server(move |mut stream| {
                    let counted = Arc::clone(&counted);
                    async move {
                        if reused && read_request(&mut stream).await?.is_some() {
                            counted.fetch_add(1, Ordering::SeqCst);
                            stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await?;
                        }
                        if read_request(&mut stream).await?.is_some() {
                            counted.fetch_add(1, Ordering::SeqCst);
                            stream.write_all(part).await?;
                            if reset {
                                SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
                            }
                        }
                        Ok(())
                    }
                });
                for verb in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                    for asynchronous in [false, true] {
                        let cell = format!("{verb}, stage {stage}, reset {reset}, reused {reused}, {asynchronous}");
                        let client = client_at(&sandbox, address);
                        let call = |client: &Client| -> Result<Response, Error> {
                            if asynchronous { run(send(client, verb)) } else { send(client, verb).wait() }
                        };
                        requests.store(0, Ordering::SeqCst);
                        if reused {
                            assert_eq!(call(&client).expect_err(&cell).kind(), ErrorKind::ClientError, "{cell}");
                        }
                        let error = call(&client).expect_err(&cell);
                        assert_eq!(requests.load(Ordering::SeqCst), 1 + usize::from(reused), "{cell}: {error}");
                        assert_eq!(error.kind(), ErrorKind::Transport, "{cell}: {error}");
                        assert!(!error.is_before_send() && !error.to_string().contains("nothing was sent"), "{error}");
                    }
                }
            }
        }
    }
}

/// The server closes a connection without reading anything, as a host does that refuses the client.
#[test]
fn a_request_is_sent_again_only_if_nothing_was_written() {
    let sandbox = sandbox();
    let target = sandbox.address();
    let accepted = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&accepted);
    // The first connection is closed after its response, the second one works.
    let address = server(move |mut from| {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            let mut to = TcpStream::connect(target).await?;
            let mut buffer = vec![0; 64 * 1024];
            while let length @ 1.. = from.read(&mut buffer).await? {
                to.write_all(&buffer[..length]).await?;
                let length = to.read(&mut buffer).await?;
                from.write_all(&buffer[..length]).await?;
                if first {
                    return Ok(());
                }
            }
            Ok(())
        }
    });
    let client = client_at(&sandbox, address);
    for _ in 0..3 {
        client.chain(CARDS).post(options()).expect("response");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!((sandbox.requests().len(), accepted.load(Ordering::SeqCst)), (3, 2));
}
