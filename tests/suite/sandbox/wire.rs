//! What the sandbox writes to a socket: header names, connections, and responses to requests that
//! are not calls.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use wechatpay_chain::Media;
use wechatpay_chain::sandbox::{MCHID, Sandbox};

use super::send_raw;
use crate::support::sandbox;

/// The head of a signed request whose body is JSON.
fn head(sandbox: &Sandbox, method: &str, target: &str, body: &str, extra: &str) -> String {
    use wechatpay_chain::formatter;
    let (timestamp, nonce) = (formatter::timestamp(), formatter::nonce().expect("nonce"));
    let message = formatter::request(method, target, timestamp, &nonce, body.as_bytes());
    let signature = sandbox.merchant_key().sign(&message).expect("signature");
    let signature = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, signature);
    let serial = wechatpay_chain::sandbox::SERIAL;
    let authorization = formatter::authorization(MCHID, &nonce, &signature, timestamp, serial);
    format!(
        "{method} {target} HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nUser-Agent: b\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nAuthorization: {authorization}\r\n{extra}\r\n",
        body.len()
    )
}

#[test]
fn headers_are_spelt_as_the_service_spells_them() {
    let sandbox = sandbox();
    let body = r#"{"echo_message":"a"}"#;
    let request = head(&sandbox, "POST", "/v3/security/echo", body, "") + body;
    let mut stream = TcpStream::connect(sandbox.address()).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("timeout");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut response = String::new();
    // Ends when the sandbox closes the idle connection, as `Keep-Alive` announces.
    stream.read_to_string(&mut response).expect("closed by the sandbox");
    let head = response.split_once("\r\n\r\n").expect("head").0;
    let mut names: Vec<&str> = head.lines().skip(1).filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "Cache-Control",
            "Connection",
            "Content-Language",
            "Content-Length",
            "Content-Type",
            "Date",
            "Keep-Alive",
            "Request-ID",
            "Server",
            "Wechatpay-Nonce",
            "Wechatpay-Serial",
            "Wechatpay-Signature",
            "Wechatpay-Signature-Type",
            "Wechatpay-Timestamp",
            "X-Content-Type-Options",
        ]
    );
    for line in [
        "Keep-Alive: timeout=8",
        "Connection: keep-alive",
        "Cache-Control: no-cache, must-revalidate",
        "X-Content-Type-Options: nosniff",
        "Content-Language: zh-CN",
        "Content-Type: application/json; charset=utf-8",
    ] {
        assert!(head.contains(line), "{line}: {head}");
    }
    let id = head.lines().find_map(|line| line.strip_prefix("Request-ID: ")).expect("id");
    let digits = id.strip_suffix("-0").expect("suffix");
    assert!(id.starts_with("08") && digits.bytes().all(|byte| b"0123456789ABCDEF".contains(&byte)), "{id}");

    // A connection that is closed after the response announces nothing.
    let closing = head_of(&sandbox, "GET", "/v3/certificates");
    assert!(closing.contains("Connection: close") && !closing.contains("Keep-Alive"), "{closing}");
}

/// The head of the response to a signed request without a body.
fn head_of(sandbox: &Sandbox, method: &str, target: &str) -> String {
    let response = send_raw(sandbox, &head(sandbox, method, target, "", "Connection: close\r\n"));
    response.split_once("\r\n\r\n").map_or(response.clone(), |(head, _)| head.to_owned())
}

#[test]
fn requests_that_are_not_calls_are_refused_in_the_form_of_the_service() {
    let sandbox = sandbox();
    // The path without `v3/` is one of APIv3, not of APIv2.
    let body = r#"{"description":"d"}"#;
    for (target, extra) in [("/pay/transactions/native", ""), ("/certificates", "")] {
        let request = head(&sandbox, "POST", target, body, &format!("Connection: close\r\n{extra}")) + body;
        let response = send_raw(&sandbox, &request);
        assert!(response.starts_with("HTTP/1.1 404") && response.contains("application/json"), "{response}");
        assert!(response.contains("begin with v3/") && !response.contains("stub"), "{response}");
    }
    for line in ["OPTIONS *", "TRACE /v3/certificates"] {
        let request = format!("{line} HTTP/1.1\r\nHost: example.com:443\r\nConnection: close\r\n\r\n");
        let response = send_raw(&sandbox, &request);
        assert!(response.starts_with("HTTP/1.1 405") && !response.contains("<xml>"), "{line}: {response}");
    }
    for (method, target, expected) in [
        ("DELETE", "/v3/pay/transactions/native", "takes POST, not DELETE"),
        ("PUT", "/v3/security/echo", "takes POST, not PUT"),
    ] {
        let response = send_raw(&sandbox, &head(&sandbox, method, target, "", "Connection: close\r\n"));
        assert!(response.starts_with("HTTP/1.1 405") && response.contains(expected), "{response}");
        assert!(!response.contains("stub"), "{response}");
    }
    let response = send_raw(&sandbox, "GET /pay/unifiedorder?a=b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(response.contains("请使用post方法") && !response.contains("stub"), "{response}");
    assert_eq!(sandbox.requests().len(), 5);
}

#[test]
fn a_body_that_is_too_long_or_never_arrives_gets_a_response() {
    let sandbox = sandbox();
    let send = |headers: &str, body: &[u8]| {
        let mut stream = TcpStream::connect(sandbox.address()).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("timeout");
        write!(stream, "POST /v3/merchant/media/upload HTTP/1.1\r\nHost: x\r\n{headers}\r\n").expect("sent");
        stream.write_all(body).expect("sent");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("response");
        response
    };
    let long = vec![b'x'; 17 * 1024 * 1024];
    let response = send(&format!("Content-Length: {}\r\n", long.len()), &long);
    assert!(response.starts_with("HTTP/1.1 413") && response.contains("Connection: close"), "{response}");
    // The client waits for a permission to send.
    let response = send("Content-Length: 99999999999\r\nExpect: 100-continue\r\n", b"");
    assert!(response.starts_with("HTTP/1.1 413"), "{response}");
    let response = send("Content-Length: 10\r\n", b"only a");
    assert!(response.starts_with("HTTP/1.1 408"), "{response}");
    assert!(sandbox.requests().is_empty(), "none of them is a call");
}

#[test]
fn a_file_has_a_content_type() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("client");
    let statement = client
        .chain("v3/global/statements")
        .get(json!({ "query": { "mchid": MCHID, "date": "20261129" } }))
        .expect("statement");
    assert_eq!(statement.headers()["content-type"], "text/plain; charset=utf-8");
    let upload = client.chain("v3/merchant-service/images/upload");
    for (name, start, expected) in [
        ("a.png", &b"\x89PNG\r\n\x1a\n"[..], "image/png"),
        ("a.jpg", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("a.bmp", b"BM", "image/bmp"),
    ] {
        let id = upload.post(Media::from_bytes(name, start.to_vec())).expect("uploaded").json::<Value>().expect("json");
        let image = client.chain("v3/merchant-service/images/{id}").get(json!({ "id": id["media_id"] }));
        assert_eq!(image.expect("image").headers()["content-type"], expected);
    }
}
