//! Responses with the header `Content-Encoding`, through a relay that compresses them.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use http::Response as HttpResponse;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wechatpay_chain::sandbox::{Fault, MCHID, SERIAL, Sandbox};
use wechatpay_chain::{Client, Error, ErrorKind, Response};

use crate::support::{
    CARDS, SharedBuffer, by_certificate, client_at, each_hint_names_its_condition, options, raw_server, run, sandbox,
    server,
};

const LIMIT: usize = 16 * 1024 * 1024;

/// Changes a body.
type Encode = fn(&[u8]) -> Vec<u8>;

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory")
}

/// Starts a relay before a sandbox. `encode` changes each body, and `headers` are added.
fn relay(
    sandbox: &Sandbox,
    headers: &'static str,
    encode: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static,
) -> SocketAddr {
    let (target, encode) = (sandbox.address(), Arc::new(encode));
    server(move |mut from| {
        let encode = Arc::clone(&encode);
        async move {
            while let Some(request) = read_request(&mut from, target).await? {
                let mut to = TcpStream::connect(target).await?;
                to.write_all(&request).await?;
                let mut response = Vec::new();
                to.read_to_end(&mut response).await?;
                let at = response.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
                let body = encode(&response[at..]);
                let head = String::from_utf8_lossy(&response[..at - 2]).into_owned();
                let kept = head.split_inclusive("\r\n").filter(|line| {
                    let line = line.to_lowercase();
                    !line.starts_with("content-length:") && !line.starts_with("connection:")
                });
                let head =
                    kept.chain([headers, &format!("content-length: {}\r\n\r\n", body.len())]).collect::<String>();
                // The client may have stopped reading.
                from.write_all(&[head.as_bytes(), &body].concat()).await?;
            }
            Ok(())
        }
    })
}

/// Reads a request, and asks the server to close the connection after its response. `None` if no
/// other request follows.
async fn read_request(from: &mut TcpStream, target: SocketAddr) -> std::io::Result<Option<Vec<u8>>> {
    let mut request = Vec::new();
    loop {
        let mut piece = [0; 16 * 1024];
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return Ok(None);
        }
        request.extend_from_slice(&piece[..length]);
        let Some(at) = request.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&request[..at + 2]).to_lowercase();
        let length = head.split("\r\ncontent-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        if request.len() == at + 4 + length.map_or(0, |length| length.parse().expect("a number")) {
            let (head, body) = request.split_at(at);
            // A proxy gets the whole URL.
            let head = String::from_utf8_lossy(head).replacen(&format!("http://{target}"), "", 1);
            return Ok(Some([head.as_bytes(), b"\r\nconnection: close", body].concat()));
        }
    }
}

fn call(client: &Client) -> Result<Response, Error> {
    client.chain(CARDS).post(options())
}

fn refused(sandbox: &Sandbox, headers: &'static str, encode: Encode) -> Error {
    call(&client_at(sandbox, relay(sandbox, headers, encode))).expect_err(headers)
}

#[test]
fn compressed_responses_are_verified_and_decoded() {
    let sandbox = sandbox();
    let plain = call(&sandbox.client().expect("client")).expect("plain");
    assert!(plain.headers().contains_key("content-length"));
    let members = |body: &[u8]| [gzip(&body[..5]), gzip(&body[5..])].concat();
    let rows: [(&str, Encode); 4] = [
        ("content-encoding: gzip\r\n", gzip),
        ("content-encoding: X-GZip\r\n", gzip),
        ("content-encoding: identity, gzip\r\n", gzip),
        ("content-encoding: gzip\r\n", members),
    ];
    for (headers, encode) in rows {
        let client = client_at(&sandbox, relay(&sandbox, headers, encode));
        for response in [call(&client), call(&client), run(client.chain(CARDS).post_async(options()))] {
            let response = response.expect(headers);
            assert!(response.is_verified());
            assert_eq!(response.body().len(), plain.body().len());
            assert!(response.json::<Value>().expect("json").is_object());
            for name in ["content-encoding", "content-length"] {
                assert!(!response.headers().contains_key(name), "{name}");
            }
        }
    }
    let client = client_at(&sandbox, relay(&sandbox, "content-encoding: identity\r\n", <[u8]>::to_vec));
    let response = call(&client).expect("identity");
    assert_eq!((response.headers()["content-encoding"].as_bytes(), response.is_verified()), (&b"identity"[..], true));
    assert_eq!(response.headers()["content-length"], response.body().len().to_string());
}

/// A response whose signature covers the compressed body, and one that is signed with nothing.
#[test]
fn the_signature_may_cover_the_compressed_body() {
    let sandbox = sandbox();
    let key = super::response_hints::other_key();
    let client_with = |response: Vec<u8>| {
        let builder = Client::builder().mchid(MCHID).serial(SERIAL).private_key(sandbox.merchant_key());
        let builder = builder.platform_key("PUB_KEY_ID_1", key.public_key()).no_proxy();
        builder.base_uri(format!("http://{}/", raw_server(response))).build().expect("client")
    };
    let body = gzip(b"{\"token\":\"x\"}");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    for (signed, is_valid) in [(&body[..], true), (b"{\"token\":\"x\"}", true), (b"{}", false)] {
        let message = [format!("{now}\nnonce\n").as_bytes(), signed, b"\n"].concat();
        let signature = BASE64_STANDARD.encode(key.sign(&message).expect("signed"));
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\nwechatpay-serial: PUB_KEY_ID_1\r\n\
             wechatpay-timestamp: {now}\r\nwechatpay-nonce: nonce\r\nwechatpay-signature: {signature}\r\n\r\n",
            body.len()
        );
        let result = call(&client_with([head.as_bytes(), &body].concat()));
        if is_valid {
            let response = result.expect("valid");
            assert!(response.is_verified() && response.json::<Value>().expect("json")["token"] == "x");
        } else {
            let error = result.expect_err("another body was signed");
            assert_eq!(error.kind(), ErrorKind::Verification);
            assert!(error.to_string().contains("Content-Encoding gzip"), "{error}");
        }
    }
}

#[test]
fn bodies_that_cannot_be_decoded_are_errors() {
    let sandbox = sandbox();
    let cut = |body: &[u8]| gzip(body)[..20].to_vec();
    let trailing = |body: &[u8]| [gzip(body), b"garbage".to_vec()].concat();
    let twice = |body: &[u8]| gzip(&gzip(body));
    let rows: [(&str, &str, Encode); 8] = [
        ("content-encoding: br\r\n", "Content-Encoding br, and only gzip", <[u8]>::to_vec),
        ("content-encoding: ZSTD\r\n", "Content-Encoding zstd, and only gzip", gzip),
        ("content-encoding: gzip, gzip\r\n", "Content-Encoding gzip, gzip, and only gzip", twice),
        ("content-encoding: gzip\r\ncontent-encoding: gzip\r\n", "gzip, gzip, and only gzip", twice),
        ("content-encoding: gzip\r\n", "Content-Encoding gzip, and is truncated or damaged", cut),
        ("content-encoding: gzip\r\n", "Content-Encoding gzip, and is truncated or damaged", trailing),
        ("content-encoding: gzip\r\n", "Content-Encoding gzip, and is truncated or damaged", <[u8]>::to_vec),
        ("content-encoding: gzip\r\n", "the limit for a body in memory", |_| gzip(&vec![b' '; LIMIT + 1])),
    ];
    for status in [200, 502] {
        for (headers, message, encode) in rows {
            if status != 200 {
                let page = HttpResponse::builder().status(status).body(Bytes::from("<html>Bad Gateway</html>"));
                sandbox.inject(Fault::Gateway(page.expect("response")));
            }
            let error = refused(&sandbox, headers, encode);
            let kind = if message.contains("limit") { ErrorKind::TooLarge } else { ErrorKind::Decode };
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(message), "{error}");
            assert!(!error.is_before_send() && !error.is_refusal(), "{error}");
            assert!(status == 200 || error.status().is_some_and(|found| found == status), "{error}");
        }
    }
    // As many bytes as the limit allows.
    let page = HttpResponse::builder().status(502).body(Bytes::from("x")).expect("response");
    sandbox.inject(Fault::Gateway(page));
    let error = refused(&sandbox, "content-encoding: gzip\r\n", |_| gzip(&vec![b' '; LIMIT]));
    assert_eq!(error.response().map(|response| response.body().len()), Some(LIMIT));
}

#[test]
fn error_responses_are_decoded() {
    let sandbox = sandbox();
    let client = client_at(&sandbox, relay(&sandbox, "content-encoding: gzip\r\n", gzip));
    let page = HttpResponse::builder().status(502).header("content-type", "text/html").body(Bytes::from("<html>"));
    sandbox.inject(Fault::Gateway(page.expect("response")));
    let error = call(&client).expect_err("502");
    assert_eq!((error.kind(), error.is_verified()), (ErrorKind::ServerError, false));
    assert!(error.to_string().contains("6 bytes of text/html"), "{error}");
    assert_eq!(error.response().map(|response| response.text().into_owned()).as_deref(), Some("<html>"));

    let order = client.chain("v3/pay/transactions/id/{id}");
    let error = order.get(json!({ "id": "none", "query": { "mchid": MCHID } })).expect_err("none");
    assert!(error.is_refusal() && error.code() == Some("ORDER_NOT_EXIST"), "{error}");

    // A rejected signature is explained.
    let other = sandbox.client_builder().serial("7132D72A03E93CDDF8C03BBD1F37EEDF12345678");
    let other = other.base_uri(format!("http://{}/", relay(&sandbox, "content-encoding: gzip\r\n", gzip)));
    let error = call(&other.build().expect("client")).expect_err("serial");
    assert!(error.hint().is_some() && error.status().is_some_and(|status| status == 401), "{error}");
}

#[test]
fn empty_bodies_are_not_decoded() {
    for framing in ["204 No Content\r\n", "404 Not Found\r\ncontent-length: 0\r\n", "404 X\r\nconnection: close\r\n"] {
        let sandbox = sandbox();
        let response = format!("HTTP/1.1 {framing}content-encoding: gzip\r\n\r\n");
        let error = call(&client_at(&sandbox, raw_server(response))).expect_err("unsigned");
        assert_ne!(error.kind(), ErrorKind::Decode, "{framing}: {error}");
    }
}

#[test]
fn platform_certificates_are_decoded() {
    let sandbox = sandbox();
    sandbox.rotate_certificate().expect("certificate");
    let address = relay(&sandbox, "content-encoding: gzip\r\n", gzip);
    let client = by_certificate(&sandbox).base_uri(format!("http://{address}/")).build().expect("client");
    assert!(call(&client).expect("response").is_verified());
    assert!(sandbox.requests().iter().any(|request| request.target == "/v3/certificates"));
    assert!(!client.certificates().expect("certificates").is_empty());
    // Certificates that someone else has changed.
    let changed = |body: &[u8]| gzip(&[body, b" "].concat());
    let address = relay(&sandbox, "content-encoding: gzip\r\n", changed);
    let client = by_certificate(&sandbox).base_uri(format!("http://{address}/")).build().expect("client");
    let error = client.certificates().expect_err("changed");
    assert_eq!(error.kind(), ErrorKind::Verification);
    assert!(error.to_string().contains("its signature is invalid; the body has the Content-Encoding gzip"), "{error}");
}

#[test]
fn apiv2_responses_are_decoded() {
    let sandbox = sandbox();
    let client = client_at(&sandbox, relay(&sandbox, "content-encoding: gzip\r\n", gzip));
    let order = json!({ "xml": {
        "appid": "wx8888888888888888", "mch_id": MCHID, "body": "a book", "out_trade_no": "1", "total_fee": 888,
        "spbill_create_ip": "123.12.12.123", "notify_url": "https://example.com/notify", "trade_type": "NATIVE", "product_id": "1",
    }});
    let response = client.chain("v2/pay/unifiedorder").post(&order).expect("placed");
    assert!(response.is_verified() && response.xml().expect("xml")["code_url"].is_string());
    let changed = |body: &[u8]| gzip(String::from_utf8_lossy(body).replace("NATIVE", "JSAPI").as_bytes());
    let client = client_at(&sandbox, relay(&sandbox, "content-encoding: gzip\r\n", changed));
    let error = client.chain("v2/pay/unifiedorder").post(&order).expect_err("changed");
    assert_eq!(error.kind(), ErrorKind::Verification);
    assert!(error.to_string().contains("Content-Encoding gzip"), "{error}");
}

/// Files of APIv2 and reports in XML that a file does not exist, with and without a sink.
#[test]
fn apiv2_files_are_decoded_before_they_are_told_from_reports() {
    let sandbox = sandbox();
    let client = client_at(&sandbox, relay(&sandbox, "content-encoding: gzip\r\n", gzip));
    let bill = |body: &'static str, sink: bool| {
        let written = SharedBuffer::default();
        let response = HttpResponse::builder().status(200).body(Bytes::from(body)).expect("response");
        sandbox.inject(Fault::Gateway(response));
        let mut options = wechatpay_chain::Options::from(json!({ "xml": {
            "appid": "wx8888888888888888", "mch_id": MCHID, "bill_date": "20260101", "bill_type": "ALL",
        }}));
        if sink {
            options = options.sink(written.clone());
        }
        let result = client.chain("v2/pay/downloadbill").post(options);
        (result, written.bytes())
    };
    let (response, written) = bill("\u{feff}a,b\n", true);
    assert_eq!((response.expect("file").body().len(), &written[..]), (0, "\u{feff}a,b\n".as_bytes()));
    assert_eq!(bill("a,b\n", false).0.expect("file").text(), "a,b\n");
    let report = "<xml><return_code>FAIL</return_code><return_msg>No Bill Exist</return_msg></xml>";
    for sink in [true, false] {
        let (result, written) = bill(report, sink);
        let error = result.expect_err("a report");
        assert!(error.to_string().contains("No Bill Exist") && written.is_empty(), "{error}");
    }
}

/// Bills that the relay compresses, and bills that are gzip files themselves.
#[test]
fn files_are_decoded_as_they_arrive() {
    let sandbox = sandbox();
    let plain = sandbox.client().expect("client");
    let order = json!({ "json": {
        "appid": "wxd678efh567hg6787", "mchid": MCHID, "description": "a book", "out_trade_no": "order-1",
        "notify_url": "https://example.com/notify", "amount": { "total": 100 },
    }});
    plain.chain("v3/pay/transactions/native").post(order).expect("placed");
    sandbox.control("bills", &json!({})).expect("available");
    sandbox.pay("order-1").expect("paid");
    let order = json!({ "query": { "mchid": MCHID }, "out_trade_no": "order-1" });
    let order = plain.chain("v3/pay/transactions/out-trade-no/{out_trade_no}").get(order).expect("order");
    let today = order.json::<Value>().expect("json")["success_time"].as_str().expect("paid")[..10].to_owned();

    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("bill");
    let save = |client: &Client, query: serde_json::Value| {
        let totals = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&totals);
        let response = client.chain("v3/bill/tradebill").get(json!({ "query": query })).expect("offered");
        let download = client.download(&response).expect("download");
        let saved = download.progress(move |_, total| seen.lock().expect("totals").push(total)).save(&path);
        let totals = totals.lock().expect("totals").clone();
        saved.map(|response| (response, std::fs::read(&path).expect("file"), totals))
    };
    // The host of the announced URL is the sandbox, so the relay is a proxy.
    let through = |address| {
        let builder = sandbox.client_builder().proxy(format!("http://{address}"));
        builder.build().expect("client")
    };
    let encoded = through(relay(&sandbox, "content-encoding: gzip\r\n", gzip));
    let bill = json!({ "bill_date": today });
    let (_, expected, totals) = save(&plain, bill.clone()).expect("plain");
    assert_eq!(totals, [Some(expected.len() as u64)]);
    let (response, found, totals) = save(&encoded, bill.clone()).expect("decoded");
    assert_eq!(found, expected);
    assert!(!response.headers().contains_key("content-encoding"));
    // The length is known at the end.
    assert!(totals.iter().flatten().all(|total| *total == expected.len() as u64), "{totals:?}");
    // The bill is a gzip file, and stays one.
    let zipped = json!({ "bill_date": today, "tar_type": "GZIP" });
    let (_, expected, _) = save(&plain, zipped.clone()).expect("plain");
    assert!(expected.starts_with(&[0x1f, 0x8b]));
    assert_eq!(save(&encoded, zipped).expect("decoded").1, expected);

    std::fs::remove_file(&path).expect("removed");
    let offers = |body: &[u8]| body.starts_with(b"{");
    let cut = move |body: &[u8]| if offers(body) { gzip(body) } else { gzip(body)[..40].to_vec() };
    let client = through(relay(&sandbox, "content-encoding: gzip\r\n", cut));
    let error = save(&client, bill.clone()).expect_err("truncated");
    assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
    let swap = move |body: &[u8]| gzip(if offers(body) { body } else { b"another file" });
    let client = through(relay(&sandbox, "content-encoding: gzip\r\n", swap));
    assert_eq!(save(&client, bill).expect_err("another file").kind(), ErrorKind::Verification);
    assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 0);
}

const FILE: &str = "v3/billdownload/file";

/// A file that is 1,000 times as long as its compressed form is received in constant memory.
#[test]
fn streams_are_decoded() {
    let sandbox = sandbox();
    sandbox.file(FILE, 10);
    let length = 3 * LIMIT;
    let client = client_at(&sandbox, relay(&sandbox, "content-encoding: gzip\r\n", move |_| gzip(&vec![b'x'; length])));
    let mut stream = client.chain(FILE).get(json!({ "stream": true })).expect("head").into_stream();
    assert_eq!(stream.remaining(), None);
    let (mut buffer, mut received) = (vec![0; 100_000], 0);
    loop {
        let read = stream.read(&mut buffer).expect("read");
        if read == 0 {
            break;
        }
        assert!(buffer[..read].iter().all(|byte| *byte == b'x'));
        received += read;
    }
    assert_eq!(received, length);
    run(async {
        let response = client.chain(FILE).get_async(json!({ "stream": true })).await.expect("head");
        let (mut stream, mut received) = (response.into_stream(), 0);
        while let Some(piece) = stream.next().await {
            let piece = piece.expect("piece").len();
            assert!(piece < 2 * 1024 * 1024, "{piece}");
            received += piece;
        }
        assert_eq!(received, length);
    });
    assert_eq!(client.chain(FILE).get(json!({})).expect_err("too long").kind(), ErrorKind::TooLarge);

    let client = client_at(&sandbox, relay(&sandbox, "content-encoding: gzip\r\n", |_| gzip(b"abcdef")[..20].to_vec()));
    let mut stream = client.chain(FILE).get(json!({ "stream": true })).expect("head").into_stream();
    let message = stream.read_to_end(&mut Vec::new()).expect_err("truncated").to_string();
    assert!(message.contains("Content-Encoding gzip"), "{message}");
    for (headers, options) in
        [("content-encoding: br\r\n", json!({ "stream": true })), ("content-encoding: deflate\r\n", json!({}))]
    {
        let client = client_at(&sandbox, relay(&sandbox, headers, <[u8]>::to_vec));
        let error = client.chain(FILE).get(options).expect_err("unknown coding");
        assert!(error.kind() == ErrorKind::Decode && error.to_string().contains("Content-Encoding "), "{error}");
    }
}

/// The signed digest of an overseas statement is that of the decoded file.
#[test]
fn statements_are_decoded() {
    let sandbox = sandbox();
    let query = json!({ "mchid": "1900000109", "date": "20180130" });
    let client = client_at(&sandbox, relay(&sandbox, "content-encoding: gzip\r\n", gzip));
    let statement = client.chain("v3/global/statements");
    let whole = statement.get(json!({ "query": query })).expect("collected");
    assert!(whole.is_verified() && whole.text().contains("date=20180130"), "{}", whole.text());
    let stream = statement.get(json!({ "query": query, "stream": true })).expect("head");
    let mut streamed = Vec::new();
    stream.into_stream().read_to_end(&mut streamed).expect("streamed");
    assert_eq!(streamed, &whole.body()[..]);
    let client = client_at(&sandbox, relay(&sandbox, "content-encoding: gzip\r\n", |_| gzip(b"another file")));
    let error = client.chain("v3/global/statements").get(json!({ "query": query })).expect_err("changed");
    assert_eq!(error.kind(), ErrorKind::Verification);
}

#[test]
fn the_coding_of_a_body_is_in_the_message() {
    let sandbox = sandbox();
    let message = |headers, encode| refused(&sandbox, headers, encode).to_string();
    each_hint_names_its_condition(&[
        ("so a gateway may have changed it", message("content-encoding: gzip\r\n", |_| gzip(b"{}"))),
        ("leave out the header Accept-Encoding of the call", message("content-encoding: br\r\n", gzip)),
        ("is truncated or damaged", message("content-encoding: gzip\r\n", <[u8]>::to_vec)),
        ("", message("", |_| b"{}".to_vec())),
    ]);
}
