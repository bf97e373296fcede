//! The local WeChat Pay, and what its tests share.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use wechatpay_chain::notify::{Notification, NotificationVerifier};
use wechatpay_chain::sandbox::{MCHID, PUBLIC_KEY_ID, Sandbox};
use wechatpay_chain::{Client, Error};

use crate::support::server;

mod code_payments;
mod data_folder;
mod documented;
mod documented_calls;
mod documented_changes;
mod documented_spoilt;
mod expectations;
mod notifications;
mod orders;
mod page;
mod page_access;
mod page_data;
mod page_speed;
mod payouts;
mod persistence;
mod proxy;
mod random_states;
mod recordings;
mod sdks;
mod states;
mod strictness;
mod triggers;
mod validation;
mod waiting;
mod webdriver;
mod wire;

/// The options of a native order.
pub(crate) fn native(out_trade_no: &str, total: u64, notify_url: &str) -> Value {
    json!({ "json": {
        "appid": "wxd678efh567hg6787", "mchid": MCHID, "description": "Image形象店-深圳腾大-QQ公仔", "out_trade_no": out_trade_no,
        "notify_url": notify_url, "amount": { "total": total, "currency": "CNY" },
    }})
}

/// The headers and the body that a `notify_url` received.
type Delivery = (http::HeaderMap, Vec<u8>);

/// Starts a server for a `notify_url`. It responds with these statuses in turn, then with 204.
fn notify_server(statuses: Vec<u16>) -> (String, Receiver<Delivery>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (send, receive) = channel();
    let statuses = Arc::new(Mutex::new(statuses.into_iter()));
    let address = server(move |mut stream| {
        let (send, statuses) = (send.clone(), Arc::clone(&statuses));
        async move {
            loop {
                let mut read = Vec::new();
                let (head, length) = loop {
                    let mut chunk = [0; 4096];
                    let count = stream.read(&mut chunk).await?;
                    if count == 0 {
                        return Ok(());
                    }
                    read.extend_from_slice(&chunk[..count]);
                    let text = String::from_utf8_lossy(&read).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length: usize = head
                        .lines()
                        .find_map(|line| {
                            line.to_lowercase().strip_prefix("content-length: ").map(|n| n.parse().expect("length"))
                        })
                        .unwrap_or(0);
                    if body.len() >= length {
                        break (head.to_owned(), length);
                    }
                };
                let body = read[read.len() - length..].to_vec();
                let mut headers = http::HeaderMap::new();
                for line in head.lines().skip(1) {
                    let (name, value) = line.split_once(": ").expect("header");
                    let name: http::HeaderName = name.parse().expect("name");
                    headers.append(name, value.parse().expect("value"));
                }
                let status = statuses.lock().expect("statuses").next().unwrap_or(204);
                // The test may have ended.
                let _ = send.send((headers, body));
                let response = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(response.as_bytes()).await?;
            }
        }
    });
    (format!("http://{address}/notify"), receive)
}

fn next_delivery(receive: &Receiver<Delivery>) -> Delivery {
    receive.recv_timeout(Duration::from_secs(20)).expect("a notification")
}

/// Verifies a notification as its merchant does.
fn verify_delivery(sandbox: &Sandbox, delivery: &Delivery) -> Result<Notification, Error> {
    let verifier =
        NotificationVerifier::new([(PUBLIC_KEY_ID, sandbox.platform_key())], sandbox.apiv3_key()).expect("key");
    verifier.verify(&delivery.0, &delivery.1)
}

/// Asserts that the service refuses a call, with a verified response.
fn assert_refused(client: &Client, path: &str, options: Value, status: u16, code: &str) {
    let error = client.chain(path).post(options.clone()).expect_err(code);
    assert_eq!(
        (error.status().map(|s| s.as_u16()), error.code()),
        (Some(status), Some(code)),
        "{path} {options}: {error}"
    );
    assert!(error.response().expect("response").is_verified() && error.request_id().is_some());
}

/// The options with another value at a JSON pointer.
fn with_field(mut options: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').expect("pointer");
    options.pointer_mut(parent).expect("parent")[name] = value;
    options
}

/// Makes a control call over HTTP, as the page does. Returns the response, or the message of the
/// error.
pub(crate) fn control(sandbox: &Sandbox, path: &str, body: &Value) -> Result<Value, String> {
    let request = format!(
        "POST /sandbox/{path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        sandbox.address(),
        body.to_string().len()
    );
    let response = send_raw(sandbox, &request);
    let (head, body) = response.split_once("\r\n\r\n").expect("head");
    let body: Value = serde_json::from_str(body).expect("json");
    if head.starts_with("HTTP/1.1 200") { Ok(body) } else { Err(body["error"].as_str().expect("error").to_owned()) }
}

/// Sends these bytes, and returns all that the sandbox responds until it closes the connection.
fn send_raw(sandbox: &Sandbox, request: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(sandbox.address()).expect("connected");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("response");
    response
}
