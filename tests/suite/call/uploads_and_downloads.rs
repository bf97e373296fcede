//! Uploads, downloads, sinks, streams and digests.

use std::io::{Cursor, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Response as HttpResponse;
use serde_json::{Value, json};
use wechatpay_chain::sandbox::{Fault, Sandbox};
use wechatpay_chain::{Client, Error, ErrorKind, Media, Options};

use crate::support::{CARDS, SharedBuffer, client_at, each_hint_names_its_condition, options, run, server, start};

const UPLOAD: &str = "v3/merchant/media/upload";
const FILE: &str = "v3/billdownload/file";

/// A temporary folder.
struct Folder(tempfile::TempDir);

/// The first bytes of a PNG.
const PICTURE: &[u8] = b"\x89PNG";

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().expect("folder"))
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("path").to_owned()
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).expect("folder");
        entries.map(|entry| entry.expect("entry").file_name().into_string().expect("name")).collect()
    }
}

#[test]
fn files_of_any_size_and_name_are_uploaded() {
    let (sandbox, client) = start();
    // The sandbox checks the signature over the meta, and the digest in it against the file.
    let names =
        ["a.png", "商户 执照.jpg", "a\"; name=\"b.bmp", "line\r\nbreak: x.mp4", "no-extension", "--0f0f--\r\n.png"];
    for (number, name) in names.into_iter().enumerate() {
        let size = [0, 1, 5 * 1024 * 1024, 3, 100, 70_000][number];
        let file: Vec<u8> = PICTURE.iter().copied().chain((0..size).map(|at| (at * 7 % 251) as u8)).collect();
        let response = client.chain(UPLOAD).post(Media::from_bytes(name, file.clone())).expect(name);
        assert!(response.is_verified() && response.json::<Value>().expect("json")["media_id"].is_string(), "{name}");
        let request = sandbox.requests().pop().expect("received");
        assert_eq!(request.headers["content-length"].to_str().ok(), Some(&*request.body.len().to_string()));
        let body = String::from_utf8_lossy(&request.body);
        assert!(body.contains(&format!("\"filename\":{}", json!(name))), "the meta has the unescaped name: {name}");
        assert_eq!(
            body.matches("\r\nContent-Disposition: form-data; name=\"").count(),
            2,
            "{name} is escaped in the header"
        );
    }
    let by_reader = Media::from_reader("b.png", Cursor::new([PICTURE, &[7; 100_000]].concat())).expect("reader");
    assert!(run(client.chain(UPLOAD).post_async(by_reader)).is_ok());
}

#[test]
fn a_file_is_uploaded_with_more_meta_fields_or_another_meta() {
    let (sandbox, client) = start();
    let folder = Folder::new();
    std::fs::write(folder.path("a.png"), [PICTURE, b"picture"].concat()).expect("written");
    let media = || Media::from_path(folder.path("a.png")).expect("file");
    client.chain(UPLOAD).post(media()).expect("response");
    client.chain(UPLOAD).post(Options::from(media().with("bank_type", "CMB")).with("timeout", 5)).expect("response");
    let wrong = media().meta(json!({ "filename": "a.png", "sha256": "00" }));
    let error = client.chain(UPLOAD).post(wrong).expect_err("wrong digest");
    assert_eq!(error.code(), Some("PARAM_ERROR"));
    let bodies: Vec<_> = sandbox.requests().iter().map(|r| String::from_utf8_lossy(&r.body).into_owned()).collect();
    assert!(bodies[1].contains("\"bank_type\":\"CMB\"") && bodies[1].contains("\"sha256\":"), "{}", bodies[1]);
    let error = Media::from_path(folder.path("missing.png")).expect_err("missing");
    assert!(error.kind() == ErrorKind::Options && error.to_string().contains("missing.png"), "{error}");
    // The signature covers only the meta, whose digest covers the file.
    assert!(bodies[0].contains("picture"));
}

#[test]
fn multipart_bodies_can_be_given_as_json() {
    let (_sandbox, client) = start();
    let meta =
        json!({ "filename": "a.txt", "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" });
    let parts = json!({ "multipart": [
        { "name": "meta", "contents": meta.to_string(), "headers": { "Content-Type": "application/json" } },
        { "name": "file", "filename": "a.txt", "contents": "abc" },
    ] });
    // A video, since the sandbox checks the first bytes of images.
    assert!(client.chain("v3/merchant/media/video_upload").post(parts).is_ok());
}

#[test]
fn a_failed_download_leaves_no_file() {
    let (sandbox, client) = start();
    let folder = Folder::new();
    let path = folder.path("bill.csv");
    sandbox.file(FILE, 3_000_000);
    let response = client.chain(FILE).get(json!({ "sink": path })).expect("response");
    assert!(response.body().is_empty() && !response.is_verified());
    assert_eq!(std::fs::metadata(&path).expect("file").len(), 3_000_000);
    assert_eq!(folder.names(), ["bill.csv"]);

    // A connection that breaks leaves the old file and nothing else.
    for fault in [Fault::CutBody(2_000_000), Fault::CutBody(0), Fault::Hangup] {
        sandbox.inject(fault);
        let error = client.chain(FILE).get(json!({ "sink": path })).expect_err("cut");
        assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
        assert_eq!(folder.names(), ["bill.csv"]);
        assert_eq!(std::fs::metadata(&path).expect("file").len(), 3_000_000);
    }
    std::fs::remove_file(&path).expect("removed");
    sandbox.inject(Fault::CutBody(2_000_000));
    run(client.chain(FILE).get_async(json!({ "sink": path }))).expect_err("cut");
    assert!(folder.names().is_empty());

    // An error response is in the error and not in the file.
    let error = client.chain("v3/no/such/file").get(json!({ "sink": path })).expect_err("404");
    assert_eq!(error.code(), Some("RESOURCE_NOT_EXISTS"));
    assert!(folder.names().is_empty());
    let response = client.chain("v3/no/such/file").get(json!({ "sink": path, "http_errors": false })).expect("404");
    assert!(response.status() == 404 && !response.body().is_empty() && folder.names().is_empty());

    // A timeout.
    sandbox.inject(Fault::Delay(Duration::from_secs(5)));
    let slow = client.chain(FILE).get(json!({ "sink": path, "timeout": 0.1 }));
    assert!(slow.expect_err("slow").is_timeout());
    assert!(folder.names().is_empty());

    // A path that cannot be written to is an error before anything is sent.
    let before = sandbox.requests().len();
    for path in [folder.path("no/such/folder/x"), folder.0.path().to_str().expect("path").to_owned()] {
        let error = client.chain(FILE).get(json!({ "sink": path })).expect_err("not writable");
        assert_eq!(error.kind(), ErrorKind::Options, "{error}");
    }
    assert_eq!(sandbox.requests().len(), before);
}

#[test]
fn a_signed_response_is_written_to_its_sink_after_verification() {
    let (sandbox, client) = start();
    let folder = Folder::new();
    let mut options = options();
    options["sink"] = folder.path("token.json").into();
    sandbox.inject(Fault::UnknownSerial);
    assert_eq!(client.chain(CARDS).post(options.clone()).expect_err("forged").kind(), ErrorKind::Verification);
    assert!(folder.names().is_empty());
    let response = client.chain(CARDS).post(options).expect("response");
    assert!(response.is_verified() && response.body().is_empty());
    let written = std::fs::read_to_string(folder.path("token.json")).expect("file");
    assert!(written.contains("permission_token"));
}

#[test]
fn downloads_go_to_writers_and_streams_with_progress() {
    let (sandbox, client) = start();
    sandbox.file(FILE, 200_000);
    let (writer, progress) = (SharedBuffer::default(), Arc::new(Mutex::new(Vec::new())));
    let recorded = Arc::clone(&progress);
    let options = Options::new().sink(writer.clone()).progress(move |received, total| {
        recorded.lock().expect("progress").push((received, total));
    });
    client.chain(FILE).get(options).expect("response");
    assert_eq!(writer.bytes().len(), 200_000);
    let progress = progress.lock().expect("progress").clone();
    assert!(progress.len() > 1 && progress.is_sorted(), "{progress:?}");
    assert!(progress.iter().all(|(_, total)| *total == Some(200_000)), "{progress:?}");
    assert_eq!(progress.last(), Some(&(200_000, Some(200_000))));

    // A writer that fails.
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("disk full"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let error = client.chain(FILE).get(Options::new().sink(Full)).expect_err("full");
    assert!(error.kind() == ErrorKind::Sink && error.to_string().contains("disk full"), "{error}");

    // As a reader, in synchronous code.
    let mut text = Vec::new();
    let mut stream = client.chain(FILE).get(json!({ "stream": true })).expect("response").into_stream();
    assert_eq!(stream.remaining(), Some(200_000));
    stream.read_to_end(&mut text).expect("read");
    assert_eq!(text.len(), 200_000);
    // Chunk by chunk, in async code and in another executor.
    let count = async |client: &Client| {
        let mut stream = client.chain(FILE).get_async(json!({ "stream": true })).await.expect("response").into_stream();
        let mut count = 0;
        while let Some(chunk) = stream.next().await {
            count += chunk.expect("chunk").len();
        }
        count
    };
    assert_eq!(run(count(&client)), 200_000);
    assert_eq!(futures_executor::block_on(count(&client)), 200_000);
    // A connection that breaks is an error of the stream.
    sandbox.inject(Fault::CutBody(100_000));
    let mut stream = client.chain(FILE).get(json!({ "stream": true })).expect("head").into_stream();
    assert!(stream.read_to_end(&mut Vec::new()).is_err());
    // Reading may block all threads of the runtime that made the call.
    for mut builder in [tokio::runtime::Builder::new_current_thread(), tokio::runtime::Builder::new_multi_thread()] {
        let client = client.clone();
        let reading = async move {
            let response = client.chain(FILE).get_async(json!({ "stream": true })).await.expect("head");
            response.into_stream().read_to_end(&mut Vec::new()).expect("read")
        };
        let runtime = builder.enable_all().build().expect("runtime");
        assert_eq!(runtime.block_on(async { tokio::spawn(reading).await }).expect("joined"), 200_000);
    }
    // A signed response is verified before it can be read.
    let mut body = String::new();
    let mut options = crate::support::options();
    options["stream"] = json!(true);
    let response = client.chain(CARDS).post(options).expect("response");
    assert!(response.is_verified());
    response.into_stream().read_to_string(&mut body).expect("read");
    assert!(body.contains("permission_token"));
}

#[test]
fn a_download_without_data_times_out() {
    let (sandbox, _) = start();
    sandbox.file(FILE, 100);
    // A relay that forwards the head of the response and ten bytes, and then nothing.
    let target = sandbox.address();
    let address = server(move |mut stream| async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut to = tokio::net::TcpStream::connect(target).await?;
        let mut request = [0; 4096];
        let size = stream.read(&mut request).await?;
        to.write_all(&request[..size]).await?;
        let mut response = vec![0; 4096];
        let size = to.read(&mut response).await?;
        let head = response[..size].windows(4).position(|w| w == b"\r\n\r\n").expect("head") + 4;
        stream.write_all(&response[..head + 10]).await?;
        std::future::pending().await
    });
    let client = client_at(&sandbox, address);
    for extra in [json!({ "read_timeout": 0.2 }), json!({ "timeout": 0.2 })] {
        let folder = Folder::new();
        let mut options = extra.clone();
        options["sink"] = folder.path("x").into();
        let error = client.chain(FILE).get(options).expect_err("no data");
        assert!(error.is_timeout(), "{extra}: {error}");
        assert!(folder.names().is_empty());
        let mut options = extra;
        options["stream"] = json!(true);
        let mut stream = client.chain(FILE).get(options).expect("head").into_stream();
        let began = std::time::Instant::now();
        let message = stream.read_to_end(&mut Vec::new()).expect_err("no data").to_string();
        assert!(
            message.contains("no more data arrived in time") && began.elapsed() < Duration::from_secs(5),
            "{message}"
        );
        let mut rest = [0];
        assert_eq!(stream.read(&mut rest).expect("the end follows the error"), 0);
    }
}

/// Makes the sandbox announce a bill with this digest.
fn announce(sandbox: &Sandbox, hash: &str) {
    let url = format!("{}{FILE}?token=6XqHr0O6", sandbox.base_uri());
    sandbox.stub(
        "GET",
        "v3/bill/tradebill",
        200,
        json!({ "hash_type": "SHA1", "hash_value": hash, "download_url": url }),
    );
}

/// Downloads the announced bill.
fn bill(client: &Client, path: &str) -> Result<(), Error> {
    let response =
        client.chain("v3/bill/tradebill").get(json!({ "query": { "bill_date": "2026-11-01", "tar_type": "GZIP" } }))?;
    client.download(&response)?.save(path).map(|_| ())
}

#[test]
fn bills_are_verified_by_the_digest_of_the_decompressed_file() {
    let (sandbox, client) = start();
    let folder = Folder::new();
    let path = folder.path("bill");
    let sha1 = sandbox.file(FILE, 1_000_000);
    announce(&sandbox, &sha1.to_uppercase());
    bill(&client, &path).expect("plain");
    assert_eq!(std::fs::metadata(&path).expect("file").len(), 1_000_000);
    assert!(sandbox.requests()[1].target.ends_with("?token=6XqHr0O6"));

    // For gzip the digest is that of the decompressed file. The compressed one is saved.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"abc").expect("memory");
    let gzip = gzip.finish().expect("memory");
    announce(&sandbox, "a9993e364706816aba3e25717850c26c9cd0d89d");
    let gateway =
        |body: Vec<u8>| Fault::Gateway(HttpResponse::builder().status(200).body(body.into()).expect("response"));
    sandbox.inject(Fault::Delay(Duration::ZERO)); // for the announcement
    sandbox.inject(gateway(gzip.clone()));
    bill(&client, &path).expect("gzip");
    assert_eq!(std::fs::read(&path).expect("file"), gzip);

    // A file with another digest.
    std::fs::remove_file(&path).expect("removed");
    let error = bill(&client, &path).expect_err("wrong digest");
    assert_eq!(error.kind(), ErrorKind::Verification);
    assert!(error.to_string().contains("a9993e364706816aba3e25717850c26c9cd0d89d"), "{error}");
    assert!(folder.names().is_empty());

    // Incomplete announcements.
    for (response, expected) in [
        (json!({}), "no download_url"),
        (json!({ "download_url": "x", "hash_value": "x" }), "no hash_type"),
        (json!({ "download_url": "x", "hash_value": "x", "hash_type": "SM3" }), "\"SM3\""),
    ] {
        sandbox.stub("GET", "v3/bill/tradebill", 200, response);
        let error = bill(&client, &path).expect_err(expected);
        assert!(error.to_string().contains(expected), "{error}");
    }
    // No signed request is sent to another host.
    sandbox.stub(
        "GET",
        "v3/bill/tradebill",
        200,
        json!({
            "hash_type": "SHA1", "hash_value": sha1, "download_url": "https://evil.example/v3/billdownload/file",
        }),
    );
    assert_eq!(bill(&client, &path).expect_err("another host").kind(), ErrorKind::Path);
}

/// The text of the announced bill, by both forms of the call.
fn bill_text(client: &Client) -> Result<String, Error> {
    let offer = || client.chain("v3/bill/tradebill").get(json!({ "query": { "bill_date": "2026-11-01" } }));
    let text = client.download(&offer()?)?.text()?;
    assert_eq!(run(client.download(&offer()?)?.text_async())?, text);
    Ok(text)
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn the_text_of_a_bill_is_returned_after_its_digest_was_checked() {
    let (sandbox, client) = start();
    let serve = |body: &[u8], announced: &[u8]| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, announced);
        announce(&sandbox, &digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        for _ in 0..2 {
            sandbox.inject(Fault::Delay(Duration::ZERO)); // for the announcement
            let response = HttpResponse::builder().status(200).body(body.to_vec().into());
            sandbox.inject(Fault::Gateway(response.expect("response")));
        }
        let text = bill_text(&client);
        sandbox.control("clear-faults", &json!({})).expect("cleared");
        text
    };
    let message = |body: &[u8], announced: &[u8], kind| {
        let error = serve(body, announced).expect_err("not a text");
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.call().is_some_and(|call| call.ends_with("/v3/billdownload/file")), "{error}");
        error.to_string()
    };
    let limit = 16 << 20;
    let text = "账单\n".as_bytes();
    assert_eq!(serve(text, text).expect("plain").as_bytes(), text);
    assert_eq!(serve(&gzip(text), text).expect("gzip").as_bytes(), text);
    assert_eq!(serve(b"", b"").expect("empty"), "");
    let longest = vec![b'a'; limit];
    assert_eq!(serve(&gzip(&longest), &longest).expect("the longest text").len(), limit);
    assert_eq!(serve(&longest, &longest).expect("the longest text").len(), limit);
    let longer = vec![b'a'; limit + 1];
    each_hint_names_its_condition(&[
        ("the limit for a file in memory: save it", message(&longer, &longer, ErrorKind::TooLarge)),
        ("the limit for a file in memory: save it", message(&gzip(&longer), &longer, ErrorKind::TooLarge)),
        ("is not UTF-8 text: save it", message(b"\xff", b"\xff", ErrorKind::Decode)),
        ("begins as gzip and cannot be decompressed", message(b"\x1f\x8b", b"\x1f\x8b", ErrorKind::Decode)),
        ("is not the one that the service announced", message(b"\xff", text, ErrorKind::Verification)),
        ("is not the one that the service announced", message(&gzip(b"x"), text, ErrorKind::Verification)),
    ]);
}

#[test]
fn overseas_statements_are_verified_by_their_signed_sha1() {
    let (sandbox, client) = start();
    let folder = Folder::new();
    let path = folder.path("statement.csv");
    for chain in ["v3/global/statements", "hk/v3/statements"] {
        let get = |extra: serde_json::Value| {
            let mut options = json!({ "query": { "mchid": "1900000109", "date": "20180130" } });
            options.as_object_mut().expect("object").extend(extra.as_object().expect("object").clone());
            client.chain(chain).get(options)
        };
        let whole = get(json!({})).expect("collected");
        assert!(whole.is_verified() && whole.text().contains("date=20180130"), "{}", whole.text());
        let saved = get(json!({ "sink": path })).expect("saved");
        assert!(saved.is_verified());
        assert_eq!(std::fs::read(&path).expect("file"), &whole.body()[..]);
        std::fs::remove_file(&path).expect("removed");
        let mut streamed = Vec::new();
        get(json!({ "stream": true })).expect("head").into_stream().read_to_end(&mut streamed).expect("streamed");
        assert_eq!(streamed, &whole.body()[..]);
        // Another file, or an empty one, with the signature of the original digest.
        for changed in [&b"Transaction time,Amount\n`1,000000.00\n"[..], b""] {
            let swap = || Fault::Tamper(Box::new(move |response| *response.body_mut() = Bytes::from_static(changed)));
            sandbox.inject(swap());
            assert_eq!(get(json!({})).expect_err("changed").kind(), ErrorKind::Verification);
            sandbox.inject(swap());
            assert_eq!(get(json!({ "sink": path })).expect_err("changed").kind(), ErrorKind::Verification);
            assert!(folder.names().is_empty());
            sandbox.inject(swap());
            let read = get(json!({ "stream": true })).expect("head").into_stream().read_to_end(&mut Vec::new());
            assert!(read.expect_err("changed").to_string().contains("not the one that the service signed"));
        }
        // A digest that was not signed.
        sandbox.inject(Fault::Tamper(Box::new(|response| {
            let other = http::HeaderValue::from_static("a9993e364706816aba3e25717850c26c9cd0d89d");
            response.headers_mut().insert("wechatpay-statement-sha1", other);
            *response.body_mut() = Bytes::from_static(b"abc");
        })));
        assert_eq!(get(json!({ "sink": path })).expect_err("changed").kind(), ErrorKind::Verification);
        assert!(folder.names().is_empty());
    }
}
