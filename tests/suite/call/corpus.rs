//! Every documented call is sent as the PHP SDK sends it. The tests are skipped, with a message, if
//! the corpus is missing.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;
use wechatpay_chain::{Chain, Client, Error, ErrorKind, Media, Options, Promise};

use crate::support::sandbox;

/// The folder of the corpus, if it is present.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("WECHATPAY_CORPUS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let present = folder.join("corpus/endpoints.jsonl").exists();
    if !present {
        // The test runner hides what print macros write, so this is written to stderr directly.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: no corpus at {} (name its folder in WECHATPAY_CORPUS)",
            folder.display()
        );
    }
    present.then_some(folder)
}

/// The rows of the corpus for an API, `v2` or `v3`.
pub(crate) fn rows(api: &str) -> Option<Vec<Value>> {
    let text = std::fs::read_to_string(folder()?.join("corpus/endpoints.jsonl")).expect("endpoints.jsonl");
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a row"));
    Some(rows.filter(|row| row["api"] == api).collect())
}

pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} in {}", value["id"]))
}

/// The options of a row. The body of an upload is rebuilt from its parts.
fn options(row: &Value) -> Options {
    let mut options = row.get("options").cloned().unwrap_or_else(|| serde_json::json!({}));
    if let Some(path) = options.get_mut("sink") {
        // The captured call has no response, so nothing is written, but the path must be writable.
        *path = std::env::temp_dir().join("wechatpay-chain-never-written").to_str().expect("path").into();
    }
    let options = Options::from(options);
    match row.pointer("/expect/multipart") {
        None => options,
        Some(parts) => {
            let media = Media::from_bytes(text(parts, "/filename"), text(parts, "/file_content").to_owned());
            let meta: Value = serde_json::from_str(text(parts, "/meta")).expect("meta");
            // The default meta, if the documentation has it, so that this is tested, too.
            let default = meta.get("filename").is_some()
                && meta["sha256"] == media.sha256()
                && meta.as_object().map(|m| m.len()) == Some(2);
            options.media(if default { media } else { media.meta(meta) })
        }
    }
}

type Captured = Arc<Mutex<Option<Request<Bytes>>>>;

/// A client whose outermost layer stores the request and fails the call.
fn capturing() -> (Client, Captured) {
    #[derive(Clone)]
    struct Capture(Captured);
    impl<S> tower::Layer<S> for Capture {
        type Service = tower::util::BoxCloneSyncService<Request<Bytes>, Response<Bytes>, Error>;
        fn layer(&self, _: S) -> Self::Service {
            let captured = Arc::clone(&self.0);
            tower::util::BoxCloneSyncService::new(tower::service_fn(move |request| {
                *captured.lock().expect("slot") = Some(request);
                std::future::ready(Err(Error::layer("captured")))
            }))
        }
    }
    let captured = Captured::default();
    let client =
        sandbox().client_builder().base_uri("https://api.mch.weixin.qq.com/").layer(Capture(Arc::clone(&captured)));
    (client.build().expect("client"), captured)
}

fn by_verb(chain: &Chain, method: &str, options: Options) -> Result<wechatpay_chain::Response, Error> {
    match method {
        "GET" => chain.get(options),
        "PUT" => chain.put(options),
        "POST" => chain.post(options),
        "PATCH" => chain.patch(options),
        "DELETE" => chain.delete(options),
        other => panic!("not a verb: {other}"),
    }
}

fn by_verb_async(chain: &Chain, method: &str, options: Options) -> Promise<wechatpay_chain::Response> {
    match method {
        "GET" => chain.get_async(options),
        "PUT" => chain.put_async(options),
        "POST" => chain.post_async(options),
        "PATCH" => chain.patch_async(options),
        "DELETE" => chain.delete_async(options),
        other => panic!("not a verb: {other}"),
    }
}

/// Makes a row's call in six forms: by segments, by path and by index, each synchronous and
/// asynchronous.
pub(crate) fn each_form(client: &Client, row: &Value, mut check: impl FnMut(&str, Error)) {
    let method = text(row, "/method");
    let template = text(row, "/template");
    let leaked = |text: &str| -> &'static str { text.to_owned().leak() };
    let names: Vec<&'static str> =
        row["pure_chain"].as_array().expect("chain").iter().map(|name| leaked(name.as_str().expect("name"))).collect();
    let pure = names[1..].iter().fold(client.seg(names[0]), |chain, name| chain.seg(*name));
    let path = client.chain(template);
    let index = &client[leaked(template)];
    for (form, form_async, chain) in
        [("pure", "pure async", &pure), ("path", "path async", &path), ("index", "index async", index)]
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        check(form, by_verb(chain, method, options(row)).expect_err("captured"));
        let promise = by_verb_async(chain, method, options(row));
        check(form_async, runtime.block_on(promise).expect_err("captured"));
    }
}

/// JSON in one format, with its members in their order.
fn canonical(json: &str) -> String {
    serde_json::from_str::<Value>(json).unwrap_or_else(|error| panic!("{error}: {json}")).to_string()
}

/// Asserts that an unsigned request of APIv3 is the one in the row.
pub(crate) fn assert_v3_request(id: &str, row: &Value, request: &Request<Bytes>) {
    let expect = &row["expect"];
    assert_eq!(request.method().as_str(), text(expect, "/method"), "{id}");
    let origin =
        format!("{}://{}", request.uri().scheme_str().expect("scheme"), request.uri().authority().expect("host"));
    assert_eq!(origin, text(expect, "/host"), "{id}");
    assert_eq!(request.uri().path_and_query().expect("target").as_str(), text(expect, "/target"), "{id}");
    let mut headers = request.headers().clone();
    let mut header = |name: &str| {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|v| String::from_utf8(v.as_bytes().to_vec()).expect("text")).collect();
        headers.remove(name);
        assert!(values.len() <= 1, "{id}: {name} appears {} times", values.len());
        values.into_iter().next()
    };
    assert_eq!(header("content-type").as_deref(), Some(text(expect, "/content_type")), "{id}");
    if let Some(given) = row.pointer("/options/headers").and_then(Value::as_object) {
        for (name, value) in given.iter().filter(|(name, _)| *name != "Content-Type") {
            assert_eq!(header(name).as_deref(), value.as_str(), "{id}");
        }
    }
    assert_eq!(
        header("accept").as_deref(),
        Some("application/json, text/plain, application/x-gzip, application/pdf, image/png, image/*;q=0.5"),
        "{id}"
    );
    assert!(header("user-agent").expect("agent").starts_with("wechatpay-chain/"), "{id}");
    assert!(headers.is_empty(), "{id}: PHP does not send {headers:?}");

    let body = std::str::from_utf8(request.body()).expect("text");
    let expected = text(expect, "/body");
    if let Some(parts) = expect.get("multipart") {
        let (ours, theirs) = (split(body, text(parts, "/boundary")), split(expected, text(parts, "/boundary")));
        assert_eq!(ours.len(), theirs.len(), "{id}");
        for (number, (our, their)) in ours.iter().zip(&theirs).enumerate() {
            assert_eq!(our.0, their.0, "{id}: head of part {number}");
            match number {
                0 => assert_eq!(canonical(our.1), canonical(their.1), "{id}: meta"),
                _ => assert_eq!(our.1, their.1, "{id}: file"),
            }
        }
    } else if expected.is_empty() {
        assert_eq!(body, "", "{id}");
    } else {
        assert_eq!(canonical(body), canonical(expected), "{id}");
    }
}

/// The head and the content of each part of a multipart body.
fn split<'a>(body: &'a str, boundary: &str) -> Vec<(&'a str, &'a str)> {
    let end = format!("\r\n--{boundary}--\r\n");
    let body =
        body.strip_prefix(&format!("--{boundary}\r\n")).and_then(|body| body.strip_suffix(&end)).expect("multipart");
    let separator = format!("\r\n--{boundary}\r\n");
    body.split(&separator).map(|part| part.split_once("\r\n\r\n").expect("head")).collect()
}

#[test]
fn every_v3_call_in_every_form_is_sent_as_by_php() {
    let Some(rows) = rows("v3") else { return };
    let (client, captured) = capturing();
    let (mut same, mut refused) = (0, 0);
    for row in &rows {
        let id = text(row, "/id");
        if let Some(slip) = row.get("slip") {
            // A mistake of the documentation. The error names the undefined variable.
            let undefined: Vec<_> =
                slip["undefined"].as_array().expect("names").iter().filter_map(Value::as_str).collect();
            each_form(&client, row, |form, error| {
                assert_eq!(error.kind(), ErrorKind::Options, "{id} {form}: {error}");
                assert!(undefined.iter().any(|name| error.message().contains(name)), "{id} {form}: {error}");
                assert!(captured.lock().expect("slot").is_none(), "{id} {form}: nothing is sent");
                refused += 1;
            });
            continue;
        }
        each_form(&client, row, |form, error| {
            assert_eq!(error.kind(), ErrorKind::Layer, "{id} {form}: {error}");
            let request = captured.lock().expect("slot").take();
            assert_v3_request(&format!("{id} {form}"), row, &request.unwrap_or_else(|| panic!("{id} {form}: {error}")));
            same += 1;
        });
    }
    assert_eq!((same, refused), ((698 - 4) * 6, 4 * 6));
}

/// Asserts that an unsigned request of APIv2 is the one in the row.
pub(crate) fn assert_v2_request(id: &str, row: &Value, request: &Request<Bytes>) {
    let uri = request.uri();
    assert_eq!(request.method().as_str(), text(row, "/expect/method"), "{id}");
    assert_eq!(
        format!("{}://{}", uri.scheme_str().expect("scheme"), uri.host().expect("host")),
        text(row, "/expect/host")
    );
    if request.method() == "GET" {
        // The samples of the documentation contain a sign and a nonce, which are generated here.
        let unsigned = |target: &str| {
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let fields =
                query.split('&').filter(|field| !field.starts_with("sign=") && !field.starts_with("nonce_str="));
            format!("{path}?{}", fields.collect::<Vec<_>>().join("&"))
        };
        let target = uri.path_and_query().map(|target| unsigned(target.as_str()));
        assert_eq!(target, Some(unsigned(text(row, "/expect/target_unsigned"))), "{id}");
    } else {
        assert_eq!(uri.path_and_query().map(|p| p.as_str()), Some(text(row, "/expect/target")), "{id}");
        assert_eq!(request.body(), text(row, "/expect/body_unsigned"), "{id}");
    }
    let mut headers = request.headers().clone();
    assert_eq!(headers.remove("content-type").expect("type"), text(row, "/expect/content_type"), "{id}");
    assert_eq!(headers.remove("accept").expect("accept"), "text/xml, text/plain, application/x-gzip");
    headers.remove("user-agent").expect("agent");
    assert_eq!(headers.len(), row.pointer("/options/headers").map_or(0, |own| own.as_object().expect("map").len()));
}

/// Compares unsigned requests. `corpus_tests` in the crate and `wxpay wire` compare signed ones.
#[test]
fn every_v2_call_in_every_form_is_sent_as_by_php() {
    let Some(rows) = rows("v2") else { return };
    let (client, captured) = capturing();
    let mut same = 0;
    for row in &rows {
        let id = text(row, "/id");
        each_form(&client, row, |form, error| {
            let request = captured.lock().expect("slot").take();
            let request = request.unwrap_or_else(|| panic!("{id} {form}: {error}"));
            assert_v2_request(&format!("{id} {form}"), row, &request);
            same += 1;
        });
    }
    assert_eq!(same, 86 * 6);
}
