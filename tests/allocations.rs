//! The number of allocations of a call, beyond those of hyper for the same request.
//!
//! A custom signer and verifier avoid the allocations of cryptography. The connection is polled by
//! the thread whose allocations are counted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::{Value, json};
use wechatpay_chain::{BoxError, BoxFuture, Client, Signature, Signer, Verifier, formatter};

/// The maximum number of allocations of a call, in addition to those of hyper. With metrics there
/// are more, because their labels are allocated.
const MAX_ALLOCATIONS: u64 = if cfg!(feature = "metrics") { 40 } else { 25 };
const CALLS: u64 = 100;

struct NoCrypto(Arc<str>);

impl Signer for NoCrypto {
    fn sign<'a>(&'a self, _: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
        Box::pin(async { Ok(Signature::new(Arc::clone(&self.0), vec![1; 256])) })
    }
}

impl Verifier for NoCrypto {
    fn verify<'a>(&'a self, _: &'a str, _: &'a [u8], _: &'a [u8]) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async { Ok(()) })
    }
}

/// A server with the same response to every request.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let address = listener.local_addr().expect("address");
    let body = r#"{"permission_token":"0123456789ABCDEFGHIJKLMNOPQRSTUV"}"#;
    let response = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: 08F78BB5AF0610E302189295B3CD0120\r\n\
         wechatpay-serial: 0\r\nwechatpay-nonce: n\r\nwechatpay-timestamp: {}\r\nwechatpay-signature: c2ln\r\ncontent-length: {}\r\n\r\n{body}",
        formatter::timestamp(),
        body.len()
    );
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("connection");
            let response = response.clone();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().expect("stream"));
                let (mut line, mut length) = (String::new(), 0);
                while reader.read_line(&mut line).is_ok_and(|count| count > 0) {
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().expect("length");
                    }
                    if line == "\r\n" {
                        reader.read_exact(&mut vec![0; length]).expect("body");
                        stream.write_all(response.as_bytes()).expect("written");
                    }
                    line.clear();
                }
            });
        }
    });
    format!("http://{address}/")
}

/// The allocations of one call on average.
fn per_call(mut calls: impl FnMut(u64)) -> u64 {
    // The first calls open the connection and fill caches.
    calls(10);
    allocation_counter::measure(|| calls(CALLS)).count_total / CALLS
}

#[test]
fn a_call_needs_few_allocations() {
    let base = server();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let pool: Pool<HttpConnector, Full<Bytes>> =
        Pool::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build_http();
    let authorization = format!(
        "WECHATPAY2-SHA256-RSA2048 mchid=\"1900000109\",serial_no=\"{}\",timestamp=\"1700000000\",nonce_str=\"{}\",signature=\"{}\"",
        "3775B6A45ACD588826D15E583A95F5DD40E3FF01",
        "0123456789ABCDEFGHIJKLMNOPQRSTUV",
        "A".repeat(344)
    );
    let body = Bytes::from_static(br#"{"activate_type":"AUTO_ACTIVATE","outer_str":"szwxtd"}"#);
    let uri: http::Uri =
        format!("{base}v3/marketing/membercard-open/cards/pbLatjvWOibDc5-TBnbUk1pD12o0/permission-tokens")
            .parse()
            .expect("uri");
    let hyper = per_call(|count| {
        runtime.block_on(async {
            for _ in 0..count {
                let request = http::Request::post(uri.clone())
                    .header("accept", "application/json")
                    .header("content-type", "application/json")
                    .header("user-agent", "x")
                    .header("authorization", &*authorization)
                    .body(Full::new(body.clone()))
                    .expect("request");
                let response = pool.request(request).await.expect("response");
                response.into_body().collect().await.expect("body");
            }
        });
    });

    let client = Client::builder()
        .mchid("1900000109")
        .signer(NoCrypto("3775B6A45ACD588826D15E583A95F5DD40E3FF01".into()))
        .verifier(NoCrypto("".into()))
        .base_uri(&base)
        .build()
        .expect("client");
    // Options are built before, since the call moves their values.
    let options: Vec<Value> = (0..CALLS + 10)
        .map(|_| {
            json!({
                "card_id": "pbLatjvWOibDc5-TBnbUk1pD12o0",
                "json": { "activate_type": "AUTO_ACTIVATE", "outer_str": "szwxtd" },
            })
        })
        .collect();
    let mut options = options.into_iter();
    let ours = per_call(|count| {
        runtime.block_on(async {
            for _ in 0..count {
                let chain = &client["v3/marketing/membercard-open/cards/{card_id}/permission-tokens"];
                let response = chain.post_async(options.next().expect("options")).await.expect("response");
                assert!(response.is_verified());
            }
        });
    });
    println!("hyper {hyper}, this crate {ours}: {} more", ours - hyper);
    assert!(
        ours - hyper <= MAX_ALLOCATIONS,
        "{ours} allocations a call, {hyper} of them hyper's: more than {MAX_ALLOCATIONS} beyond it"
    );
}
