//! The calls per second that the sandbox verifies and signs:
//! `cargo bench --features sandbox --bench sandbox`.
//!
//! The requests are signed in advance, so that only the sandbox is measured, which has one thread.
//! It must reach 1,500 calls per second, so that tests do not wait for it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may end by a panic")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use base64::Engine;
use wechatpay_chain::formatter;
use wechatpay_chain::sandbox::{MCHID, Sandbox};

const CALLS: usize = 6000;
const CONNECTIONS: usize = 32;
const MIN_RATE: f64 = 1500.0;

fn requests(sandbox: &Sandbox, run: &str) -> Vec<String> {
    let key = sandbox.merchant_key();
    let settings = sandbox.settings();
    let serial = settings["serial"].as_str().expect("serial");
    (0..CALLS)
        .map(|number| {
            let body = format!(
                r#"{{"appid":"wxd678efh567hg6787","mchid":"{MCHID}","description":"d","out_trade_no":"order-{run}-{number}","notify_url":"https://example.com/n","amount":{{"total":1}}}}"#
            );
            let target = "/v3/pay/transactions/native";
            let (timestamp, nonce) = (formatter::timestamp(), formatter::nonce().expect("nonce"));
            let message = formatter::request("POST", target, timestamp, &nonce, body.as_bytes());
            let signature = base64::prelude::BASE64_STANDARD.encode(key.sign(&message).expect("signature"));
            let authorization = formatter::authorization(MCHID, &nonce, &signature, timestamp, serial);
            format!(
                "POST {target} HTTP/1.1\r\nhost: x\r\naccept: application/json\r\nuser-agent: bench\r\ncontent-type: application/json\r\n\
                 authorization: {authorization}\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
        })
        .collect()
}

/// Sends one request and reads its response.
fn call(stream: &mut TcpStream, request: &str, buffer: &mut [u8]) {
    stream.write_all(request.as_bytes()).expect("sent");
    let mut read = 0;
    loop {
        read += stream.read(&mut buffer[read..]).expect("response");
        let text = std::str::from_utf8(&buffer[..read]).expect("text");
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length: usize = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())
                .expect("length");
            if body.len() >= length {
                assert!(head.starts_with("HTTP/1.1 200"), "{text}");
                return;
            }
        }
    }
}

fn measure(name: &str, sandbox: &Sandbox) {
    let requests = requests(sandbox, name);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for chunk in requests.chunks(CALLS.div_ceil(CONNECTIONS)) {
            scope.spawn(move || {
                let mut stream = TcpStream::connect(sandbox.address()).expect("connected");
                stream.set_nodelay(true).expect("option");
                let mut buffer = vec![0; 16 * 1024];
                for request in chunk {
                    call(&mut stream, request, &mut buffer);
                }
            });
        }
    });
    let rate = CALLS as f64 / began.elapsed().as_secs_f64();
    println!("{name:<10} {rate:>7.0} calls/s verified and signed ({CALLS} orders over {CONNECTIONS} connections)");
    assert!(rate >= MIN_RATE, "{name}: {rate:.0} calls/s, less than {MIN_RATE}");
}

fn main() {
    let sandbox = Sandbox::start().expect("sandbox");
    measure("memory", &sandbox);
    drop(sandbox);
    let folder = tempfile::tempdir().expect("folder");
    let sandbox = Sandbox::builder().dir(folder.path()).start().expect("sandbox");
    measure("persistent", &sandbox);
    drop(sandbox);
    let began = Instant::now();
    let sandbox = Sandbox::builder().dir(folder.path()).start().expect("sandbox");
    println!("start with {CALLS} stored orders: {:?}", began.elapsed());
    drop(sandbox);
}
