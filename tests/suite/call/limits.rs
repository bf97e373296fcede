//! The bounds of docs/SECURITY.md, each met by an answer that goes beyond it.

use bytes::Bytes;
use wechatpay_chain::sandbox::Fault;
use wechatpay_chain::{Error, ErrorKind};

use crate::support::{CARDS, options, server, start};

/// What a client says of an answer that is sent as it is.
fn answered(answer: Vec<u8>) -> Error {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = server(move |mut stream| {
        let answer = answer.clone();
        async move {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await?;
            stream.write_all(&answer).await?;
            // Until the client has had enough.
            let _ = stream.read(&mut head).await?;
            Ok(())
        }
    });
    let (sandbox, _) = start();
    let client = sandbox.client_builder().base_uri(format!("http://{address}/")).build().expect("client");
    client.chain("v3/x").get(()).expect_err("beyond")
}

#[test]
fn headers() {
    let many: String = (0..200).map(|number| format!("x-{number}: y\r\n")).collect();
    let error = answered(format!("HTTP/1.1 200 OK\r\n{many}content-length: 0\r\n\r\n").into_bytes());
    assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
    let long = "y".repeat(1024 * 1024);
    let error = answered(format!("HTTP/1.1 200 OK\r\nx: {long}\r\ncontent-length: 0\r\n\r\n").into_bytes());
    assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
}

#[test]
fn bodies() {
    let announced = answered(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{}".to_vec());
    assert_eq!(announced.kind(), ErrorKind::TooLarge, "{announced}");
    // Announced by nobody, and without an end.
    let mut chunks = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let chunk = [b"100000\r\n".to_vec(), vec![b' '; 0x10_0000], b"\r\n".to_vec()].concat();
    for _ in 0..17 {
        chunks.extend_from_slice(&chunk);
    }
    let endless = answered(chunks);
    assert_eq!(endless.kind(), ErrorKind::TooLarge, "{endless}");
}

#[test]
fn json() {
    let (sandbox, client) = start();
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    sandbox.inject(Fault::Tamper(Box::new(move |answer| {
        *answer.status_mut() = http::StatusCode::BAD_REQUEST;
        *answer.body_mut() = Bytes::from(deep.clone());
    })));
    let error = client.chain(CARDS).post(options()).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::ClientError);
    assert!(error.to_string().len() < 1000, "{error}");
    let answer = error.into_response().expect("answer");
    assert_eq!(answer.json().expect_err("too deep").kind(), ErrorKind::Decode);
}

/// A body that comes drop by drop does not outlive the call's time, and giving up frees the connection.
#[test]
fn time() {
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
    let client = sandbox.client_builder().base_uri(format!("http://{address}/")).build().expect("client");
    let error = client.chain("v3/x").get(serde_json::json!({ "timeout": 0.3 })).expect_err("slow");
    assert!(error.is_timeout() && error.kind() == ErrorKind::Timeout, "{error}");
    let freed = end.recv_timeout(std::time::Duration::from_secs(10)).expect("the connection was closed");
    assert!(freed.as_secs() < 10, "{freed:?}");
    // Dropped in the middle.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let call = client.chain("v3/x").get_async(());
        assert!(tokio::time::timeout(std::time::Duration::from_millis(200), call).await.is_err());
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    });
    end.recv_timeout(std::time::Duration::from_secs(10)).expect("the connection was closed");
}
