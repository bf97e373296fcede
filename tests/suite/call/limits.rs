//! The limits in docs/SECURITY.md, each exceeded by a response.

use bytes::Bytes;
use wechatpay_chain::sandbox::Fault;
use wechatpay_chain::{Error, ErrorKind};

use crate::support::{CARDS, client_at, options, raw_server, server, start};

/// The error of a call whose response is these bytes.
fn error_of(response: Vec<u8>) -> Error {
    let (sandbox, _) = start();
    client_at(&sandbox, raw_server(response)).chain("v3/x").get(()).expect_err("over the limit")
}

#[test]
fn too_many_or_too_long_headers_are_errors() {
    let many: String = (0..200).map(|number| format!("x-{number}: y\r\n")).collect();
    let error = error_of(format!("HTTP/1.1 200 OK\r\n{many}content-length: 0\r\n\r\n").into_bytes());
    assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
    let long = "y".repeat(1024 * 1024);
    let error = error_of(format!("HTTP/1.1 200 OK\r\nx: {long}\r\ncontent-length: 0\r\n\r\n").into_bytes());
    assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
}

#[test]
fn bodies_over_the_limit_are_errors() {
    let announced = error_of(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{}".to_vec());
    assert_eq!(announced.kind(), ErrorKind::TooLarge, "{announced}");
    // Chunked, so that no length is announced.
    let mut chunks = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let chunk = [b"100000\r\n".to_vec(), vec![b' '; 0x10_0000], b"\r\n".to_vec()].concat();
    for _ in 0..17 {
        chunks.extend_from_slice(&chunk);
    }
    let endless = error_of(chunks);
    assert_eq!(endless.kind(), ErrorKind::TooLarge, "{endless}");
}

#[test]
fn deeply_nested_json_is_an_error() {
    let (sandbox, client) = start();
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    sandbox.inject(Fault::Tamper(Box::new(move |response| {
        *response.status_mut() = http::StatusCode::BAD_REQUEST;
        *response.body_mut() = Bytes::from(deep.clone());
    })));
    let error = client.chain(CARDS).post(options()).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::ClientError);
    assert!(error.to_string().len() < 1000, "{error}");
    let response = error.into_response().expect("response");
    assert_eq!(response.json().expect_err("too deep").kind(), ErrorKind::Decode);
}

/// A body that arrives byte by byte does not extend the timeout. The connection is closed when the
/// call ends.
#[test]
fn a_slow_body_is_ended_by_the_timeout() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (ended, end) = std::sync::mpsc::channel();
    let address = server(move |mut stream| {
        let ended = ended.clone();
        async move {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await?;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await?;
            let began = std::time::Instant::now();
            while stream.write_all(b" ").await.is_ok() && began.elapsed().as_secs() < 20 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            ended.send(began.elapsed()).expect("the test waits");
            Ok(())
        }
    });
    let (sandbox, _) = start();
    let client = client_at(&sandbox, address);
    let error = client.chain("v3/x").get(serde_json::json!({ "timeout": 0.3 })).expect_err("slow");
    assert!(error.is_timeout() && error.kind() == ErrorKind::Timeout, "{error}");
    let open_for = end.recv_timeout(std::time::Duration::from_secs(10)).expect("the connection was closed");
    assert!(open_for.as_secs() < 10, "{open_for:?}");
    // A call that is dropped closes its connection, too.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let call = client.chain("v3/x").get_async(());
        assert!(tokio::time::timeout(std::time::Duration::from_millis(200), call).await.is_err());
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    });
    end.recv_timeout(std::time::Duration::from_secs(10)).expect("the connection was closed");
}
