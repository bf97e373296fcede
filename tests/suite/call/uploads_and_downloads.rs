//! Uploads, downloads, and the options that decide how a call is sent.

use std::io::{Cursor, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Response as Answer;
use serde_json::json;
use wechatpay_chain::sandbox::{Fault, Sandbox};
use wechatpay_chain::{Client, Error, ErrorKind, Media, Options};

use crate::support::{CARDS, options, run, start};

const UPLOAD: &str = "v3/merchant/media/upload";
const FILE: &str = "v3/billdownload/file";

/// A folder of its own for each test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("wechatpay-chain-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("folder");
        Folder(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("path").to_owned()
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("folder");
        entries.map(|entry| entry.expect("entry").file_name().into_string().expect("name")).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn uploads_of_any_size_and_name() {
    let (sandbox, client) = start();
    // The sandbox checks the signature over the meta, and the digest in it against the file.
    let names =
        ["a.png", "商户 执照.jpg", "a\"; name=\"b.bmp", "line\r\nbreak: x.mp4", "no-extension", "--0f0f--\r\n.png"];
    for (number, name) in names.into_iter().enumerate() {
        let size = [0, 1, 5 * 1024 * 1024, 3, 100, 70_000][number];
        let file: Vec<u8> = (0..size).map(|at| (at * 7 % 251) as u8).collect();
        let response = client.chain(UPLOAD).post(Media::from_bytes(name, file.clone())).expect(name);
        assert!(response.is_verified() && response.json().expect("json")["media_id"].is_string(), "{name}");
        let request = sandbox.requests().pop().expect("received");
        assert_eq!(request.headers["content-length"].to_str().ok(), Some(&*request.body.len().to_string()));
        let body = String::from_utf8_lossy(&request.body);
        assert!(body.contains(&format!("\"filename\":{}", json!(name))), "the meta has the true name: {name}");
        assert_eq!(
            body.matches("\r\nContent-Disposition: form-data; name=\"").count(),
            2,
            "{name} stays inside its quotes"
        );
    }
    let by_reader = Media::from_reader("b.png", Cursor::new(vec![7; 100_000])).expect("reader");
    assert!(run(client.chain(UPLOAD).post_async(by_reader)).is_ok());
}

#[test]
fn an_upload_from_a_file_and_with_a_meta_of_its_own() {
    let (sandbox, client) = start();
    let folder = Folder::new("upload");
    std::fs::write(folder.path("a.png"), b"picture").expect("written");
    let media = || Media::from_path(folder.path("a.png")).expect("file");
    client.chain(UPLOAD).post(media()).expect("answer");
    client.chain(UPLOAD).post(Options::from(media().with("bank_type", "CMB")).with("timeout", 5)).expect("answer");
    let wrong = media().meta(json!({ "filename": "a.png", "sha256": "00" }));
    let error = client.chain(UPLOAD).post(wrong).expect_err("wrong digest");
    assert_eq!(error.code(), Some("PARAM_ERROR"));
    let bodies: Vec<_> = sandbox.requests().iter().map(|r| String::from_utf8_lossy(&r.body).into_owned()).collect();
    assert!(bodies[1].contains("\"bank_type\":\"CMB\"") && bodies[1].contains("\"sha256\":"), "{}", bodies[1]);
    let error = Media::from_path(folder.path("missing.png")).expect_err("missing");
    assert!(error.kind() == ErrorKind::Options && error.to_string().contains("missing.png"), "{error}");
    // The signature covers the meta alone: a changed file is found by its digest, a changed meta by the signature.
    assert!(bodies[0].contains("picture"));
}

#[test]
fn multipart_from_json() {
    let (_sandbox, client) = start();
    let meta =
        json!({ "filename": "a.txt", "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" });
    let parts = json!({ "multipart": [
        { "name": "meta", "contents": meta.to_string(), "headers": { "Content-Type": "application/json" } },
        { "name": "file", "filename": "a.txt", "contents": "abc" },
    ] });
    assert!(client.chain(UPLOAD).post(parts).is_ok());
}

#[test]
fn a_download_appears_whole_or_not_at_all() {
    let (sandbox, client) = start();
    let folder = Folder::new("download");
    let path = folder.path("bill.csv");
    sandbox.file(FILE, 3_000_000);
    let response = client.chain(FILE).get(json!({ "sink": path })).expect("answer");
    assert!(response.body().is_empty() && !response.is_verified());
    assert_eq!(std::fs::metadata(&path).expect("file").len(), 3_000_000);
    assert_eq!(folder.names(), ["bill.csv"]);

    // Broken in the middle: the old file stays, nothing else remains.
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

    // An error of the service goes into the error, not into the file.
    let error = client.chain("v3/no/such/file").get(json!({ "sink": path })).expect_err("404");
    assert_eq!(error.code(), Some("RESOURCE_NOT_EXISTS"));
    assert!(folder.names().is_empty());
    let response = client.chain("v3/no/such/file").get(json!({ "sink": path, "http_errors": false })).expect("404");
    assert!(response.status() == 404 && !response.body().is_empty() && folder.names().is_empty());

    // Cancelled half-way.
    sandbox.inject(Fault::Delay(Duration::from_secs(5)));
    let slow = client.chain(FILE).get(json!({ "sink": path, "timeout": 0.1 }));
    assert!(slow.expect_err("slow").is_timeout());
    assert!(folder.names().is_empty());

    // A place that cannot be written to is found before anything is sent.
    let before = sandbox.requests().len();
    for place in [folder.path("no/such/folder/x"), folder.0.to_str().expect("path").to_owned()] {
        let error = client.chain(FILE).get(json!({ "sink": place })).expect_err("no place");
        assert_eq!(error.kind(), ErrorKind::Options, "{error}");
    }
    assert_eq!(sandbox.requests().len(), before);
}

#[test]
fn a_signed_answer_goes_to_its_sink_only_after_it_was_verified() {
    let (sandbox, client) = start();
    let folder = Folder::new("signed");
    let mut options = options();
    options["sink"] = folder.path("token.json").into();
    sandbox.inject(Fault::UnknownSerial);
    assert_eq!(client.chain(CARDS).post(options.clone()).expect_err("forged").kind(), ErrorKind::Verification);
    assert!(folder.names().is_empty());
    let response = client.chain(CARDS).post(options).expect("answer");
    assert!(response.is_verified() && response.body().is_empty());
    let written = std::fs::read_to_string(folder.path("token.json")).expect("file");
    assert!(written.contains("permission_token"));
}

/// A writer that tells what it got.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("writer").write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn writers_progress_and_streams() {
    let (sandbox, client) = start();
    sandbox.file(FILE, 200_000);
    let (writer, told) = (Shared::default(), Arc::new(Mutex::new(Vec::new())));
    let noted = Arc::clone(&told);
    let options = Options::new().sink(writer.clone()).progress(move |received, total| {
        noted.lock().expect("told").push((received, total));
    });
    client.chain(FILE).get(options).expect("answer");
    assert_eq!(writer.0.lock().expect("writer").len(), 200_000);
    let told = told.lock().expect("told").clone();
    assert!(told.len() > 1 && told.is_sorted() && told.iter().all(|(_, total)| *total == Some(200_000)), "{told:?}");
    assert_eq!(told.last(), Some(&(200_000, Some(200_000))));

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

    // As a reader, in plain code.
    let mut text = Vec::new();
    let mut stream = client.chain(FILE).get(json!({ "stream": true })).expect("answer").into_stream();
    assert_eq!(stream.remaining(), Some(200_000));
    stream.read_to_end(&mut text).expect("read");
    assert_eq!(text.len(), 200_000);
    // Piece by piece, in async code and under another executor.
    let count = async |client: &Client| {
        let mut stream = client.chain(FILE).get_async(json!({ "stream": true })).await.expect("answer").into_stream();
        let mut count = 0;
        while let Some(piece) = stream.next().await {
            count += piece.expect("piece").len();
        }
        count
    };
    assert_eq!(run(count(&client)), 200_000);
    assert_eq!(futures_executor::block_on(count(&client)), 200_000);
    // A cut is an error in the middle, and the end after it.
    sandbox.inject(Fault::CutBody(100_000));
    let mut stream = client.chain(FILE).get(json!({ "stream": true })).expect("head").into_stream();
    assert!(stream.read_to_end(&mut Vec::new()).is_err());
    // Read as it comes even where that blocks every thread of the runtime that made the call.
    for mut builder in [tokio::runtime::Builder::new_current_thread(), tokio::runtime::Builder::new_multi_thread()] {
        let client = client.clone();
        let reading = async move {
            let response = client.chain(FILE).get_async(json!({ "stream": true })).await.expect("head");
            response.into_stream().read_to_end(&mut Vec::new()).expect("read")
        };
        let runtime = builder.enable_all().build().expect("runtime");
        assert_eq!(runtime.block_on(async { tokio::spawn(reading).await }).expect("joined"), 200_000);
    }
    // A signed answer is verified first, and then one piece.
    let mut body = String::new();
    let mut options = crate::support::options();
    options["stream"] = json!(true);
    let response = client.chain(CARDS).post(options).expect("answer");
    assert!(response.is_verified());
    response.into_stream().read_to_string(&mut body).expect("read");
    assert!(body.contains("permission_token"));
}

#[test]
fn silence_ends_a_download_and_length_does_not() {
    let (sandbox, _) = start();
    sandbox.file(FILE, 100);
    // A relay that hands on the head of the answer and then nothing.
    let target = sandbox.address();
    let silent = crate::support::server(move |mut stream| async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut to = tokio::net::TcpStream::connect(target).await?;
        let mut request = [0; 4096];
        let size = stream.read(&mut request).await?;
        to.write_all(&request[..size]).await?;
        let mut answer = vec![0; 300];
        let size = to.read(&mut answer).await?;
        let head = answer[..size].windows(4).position(|w| w == b"\r\n\r\n").expect("head") + 4;
        stream.write_all(&answer[..head + 10]).await?;
        std::future::pending().await
    });
    let client = sandbox.client_builder().base_uri(format!("http://{silent}/")).build().expect("client");
    for extra in [json!({ "read_timeout": 0.2 }), json!({ "timeout": 0.2 })] {
        let folder = Folder::new("silence");
        let mut options = extra.clone();
        options["sink"] = folder.path("x").into();
        let error = client.chain(FILE).get(options).expect_err("silence");
        assert!(error.is_timeout(), "{extra}: {error}");
        assert!(folder.names().is_empty());
        let mut options = extra;
        options["stream"] = json!(true);
        let mut stream = client.chain(FILE).get(options).expect("head").into_stream();
        let began = std::time::Instant::now();
        let said = stream.read_to_end(&mut Vec::new()).expect_err("silence").to_string();
        assert!(said.contains("nothing more came in time") && began.elapsed() < Duration::from_secs(5), "{said}");
        let mut rest = [0];
        assert_eq!(stream.read(&mut rest).expect("after an error there is the end"), 0);
    }
}

/// A bill's announcement by the sandbox.
fn announce(sandbox: &Sandbox, hash: &str) {
    let url = format!("{}{FILE}?token=6XqHr0O6", sandbox.base_uri());
    sandbox.stub(
        "GET",
        "v3/bill/tradebill",
        200,
        json!({ "hash_type": "SHA1", "hash_value": hash, "download_url": url }),
    );
}

fn bill(client: &Client, path: &str) -> Result<(), Error> {
    let answer =
        client.chain("v3/bill/tradebill").get(json!({ "query": { "bill_date": "2026-11-01", "tar_type": "GZIP" } }))?;
    client.download(&answer)?.save(path).map(|_| ())
}

#[test]
fn bills_are_checked_by_the_digest_of_the_plain_file() {
    let (sandbox, client) = start();
    let folder = Folder::new("bill");
    let path = folder.path("bill");
    let sha1 = sandbox.file(FILE, 1_000_000);
    announce(&sandbox, &sha1.to_uppercase());
    bill(&client, &path).expect("plain");
    assert_eq!(std::fs::metadata(&path).expect("file").len(), 1_000_000);
    assert!(sandbox.requests()[1].target.ends_with("?token=6XqHr0O6"));

    // gzip: the digest is that of the file inside, the file is saved as it came.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"abc").expect("memory");
    let gzip = gzip.finish().expect("memory");
    announce(&sandbox, "a9993e364706816aba3e25717850c26c9cd0d89d");
    let gateway = |body: Vec<u8>| Fault::Gateway(Answer::builder().status(200).body(body.into()).expect("answer"));
    sandbox.inject(Fault::Delay(Duration::ZERO)); // the announcement's
    sandbox.inject(gateway(gzip.clone()));
    bill(&client, &path).expect("gzip");
    assert_eq!(std::fs::read(&path).expect("file"), gzip);

    // Another file than was announced.
    std::fs::remove_file(&path).expect("removed");
    let error = bill(&client, &path).expect_err("wrong digest");
    assert_eq!(error.kind(), ErrorKind::Verification);
    assert!(error.to_string().contains("a9993e364706816aba3e25717850c26c9cd0d89d"), "{error}");
    assert!(folder.names().is_empty());

    // Announcements that announce nothing.
    for (answer, words) in [
        (json!({}), "no download_url"),
        (json!({ "download_url": "x", "hash_value": "x" }), "no hash_type"),
        (json!({ "download_url": "x", "hash_value": "x", "hash_type": "SM3" }), "\"SM3\""),
    ] {
        sandbox.stub("GET", "v3/bill/tradebill", 200, answer);
        let error = bill(&client, &path).expect_err(words);
        assert!(error.to_string().contains(words), "{error}");
    }
    // An address of somebody else's gets no credential.
    sandbox.stub(
        "GET",
        "v3/bill/tradebill",
        200,
        json!({
            "hash_type": "SHA1", "hash_value": sha1, "download_url": "https://evil.example/v3/billdownload/file",
        }),
    );
    assert_eq!(bill(&client, &path).expect_err("elsewhere").kind(), ErrorKind::Path);
}

#[test]
fn overseas_statements_are_signed_by_their_sha1() {
    let (sandbox, client) = start();
    let folder = Folder::new("statement");
    let path = folder.path("statement.csv");
    for chain in ["v3/global/statements", "hk/v3/statements"] {
        let get = |extra: serde_json::Value| {
            let mut options = json!({ "query": { "date": "20180130" } });
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
        // Another file, or none, under the good signature of the digest.
        for changed in [&b"Transaction time,Amount\n`1,000000.00\n"[..], b""] {
            let swap = || Fault::Tamper(Box::new(move |answer| *answer.body_mut() = Bytes::from_static(changed)));
            sandbox.inject(swap());
            assert_eq!(get(json!({})).expect_err("changed").kind(), ErrorKind::Verification);
            sandbox.inject(swap());
            assert_eq!(get(json!({ "sink": path })).expect_err("changed").kind(), ErrorKind::Verification);
            assert!(folder.names().is_empty());
            sandbox.inject(swap());
            let read = get(json!({ "stream": true })).expect("head").into_stream().read_to_end(&mut Vec::new());
            assert!(read.expect_err("changed").to_string().contains("not the one the service signed"));
        }
        // Another digest than the signed one.
        sandbox.inject(Fault::Tamper(Box::new(|answer| {
            let other = http::HeaderValue::from_static("a9993e364706816aba3e25717850c26c9cd0d89d");
            answer.headers_mut().insert("wechatpay-statement-sha1", other);
            *answer.body_mut() = Bytes::from_static(b"abc");
        })));
        assert_eq!(get(json!({ "sink": path })).expect_err("changed").kind(), ErrorKind::Verification);
        assert!(folder.names().is_empty());
    }
}
