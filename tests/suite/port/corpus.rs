//! Every documented call is written as PHP in all forms, ported to Rust, compiled, and compared
//! without a network.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use bytes::Bytes;
use http::Request;
use serde_json::Value;

use crate::call::corpus::{self, text};
use crate::port::php_writer::{FORMS, Script, script};
use crate::port::rustc::{Compiler, folder, ported};

/// The rows of APIv3 and APIv2.
fn rows() -> Option<Vec<Value>> {
    let mut rows = corpus::rows("v3")?;
    rows.extend(corpus::rows("v2")?);
    assert_eq!(rows.len(), 784);
    Some(rows)
}

/// Runs PHP in a folder. `None`, with a message, if it is not installed.
pub(crate) fn php(folder: &Path, arguments: &[&str]) -> Option<std::process::Output> {
    let output = Command::new("php").args(arguments).current_dir(folder).stdin(Stdio::null()).output();
    if output.is_err() {
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "SKIPPED: no php (apt-get install php-cli)");
    }
    output.ok()
}

/// Runs the generated PHP with a stand-in for the SDK that prints the calls.
#[test]
fn the_generated_php_makes_the_calls_of_the_corpus() {
    let Some(rows) = rows() else { return };
    let folder = folder("corpus-php");
    let Script { php: source, functions } = script(&rows, &folder);
    std::fs::write(folder.join("corpus.php"), &source).expect("written");
    std::fs::create_dir_all(folder.join("vendor")).expect("folder");
    std::fs::write(folder.join("vendor/autoload.php"), include_str!("../../port/sdk.php")).expect("written");
    let Some(output) = php(&folder, &["-d", "display_errors=stdout", "-d", "error_reporting=-1", "corpus.php"]) else {
        return;
    };
    let (printed, calls) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(
        output.status.success() && !printed.contains("Warning") && !printed.contains("Deprecated"),
        "{printed}{calls}"
    );
    let mut calls = calls.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{line}")));
    let mut same = 0;
    for function in &functions {
        for &form in &function.forms {
            let (row, call) = (&rows[function.row], calls.next().expect("a call"));
            let id = format!("{} {}", text(row, "/id"), FORMS[form]);
            assert_eq!(call["function"], function.name.as_str(), "{id}");
            assert_eq!((&call["method"], &call["path"]), (&row["method"], &row["template"]), "{id}");
            assert_eq!(call["async"], form >= 3, "{id}");
            let mut expected = row.get("options").cloned().unwrap_or(Value::Null);
            if let Some(parts) = row.pointer("/expect/multipart") {
                assert_eq!(call["options"]["body"]["filename"], parts["filename"], "{id}");
                assert_eq!(call["options"]["body"]["contents"], parts["file_content"], "{id}");
                let meta = call["options"]["body"]["meta"].as_str();
                assert!(meta.is_none() || meta == parts["meta"].as_str(), "{id}");
                expected["body"] = call["options"]["body"].clone();
                expected["headers"] = call["options"]["headers"].clone();
            }
            // No options and an empty array are equal.
            if expected.is_null() && call["options"].as_array().is_some_and(Vec::is_empty) {
                expected = call["options"].clone();
            }
            assert_eq!(call["options"], expected, "{id}");
            if expected.get("body").is_none() {
                assert_eq!(call["options"].to_string(), expected.to_string(), "{id}: the order");
            }
            same += 1;
        }
    }
    assert_eq!((calls.next(), same), (None, 784 * 6));
}

#[test]
fn every_call_in_every_form_is_ported_and_sent_as_by_php() {
    let Some(rows) = rows() else { return };
    let folder = folder("corpus");
    let Script { php, functions } = script(&rows, &folder);
    std::fs::write(folder.join("corpus.php"), &php).expect("written");

    let start = Instant::now();
    let mut rust = ported(&php);
    let porting_time = start.elapsed();
    // For dry.rs, which calls the functions one by one.
    rust.push_str("\npub(crate) type Outcome = Result<(), wechatpay_chain::BoxError>;\n");
    rust.push_str("pub(crate) const FUNCTIONS: &[(&str, fn(&wechatpay_chain::Client) -> Outcome)] = &[\n");
    for function in &functions {
        let _ = writeln!(rust, "    ({0:?}, |client| Ok({0}(client)?)),", function.name);
    }
    rust.push_str("];\n");
    std::fs::write(folder.join("ported.rs"), rust).expect("written");
    std::fs::write(folder.join("dry.rs"), include_str!("../../port/dry.rs")).expect("written");
    let start = Instant::now();
    let crates = ["wechatpay_chain", "serde_json", "bytes", "http", "tower"];
    let program = Compiler::get().compile(&folder.join("dry.rs"), &crates);
    let compilation_time = start.elapsed();
    let start = Instant::now();
    let output = Command::new(program).arg("calls.jsonl").current_dir(&*folder).output().expect("ran");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let run_time = start.elapsed();

    let calls = std::fs::read_to_string(folder.join("calls.jsonl")).expect("calls");
    let mut outcomes: HashMap<String, Value> = calls
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("an outcome"))
        .map(|outcome| (text(&outcome, "/function").to_owned(), outcome))
        .collect();
    let (mut same, mut refused) = (0, 0);
    for function in &functions {
        let row = &rows[function.row];
        let outcome = outcomes.remove(&function.name).expect("an outcome");
        let (error, requests) = (&outcome["error"], outcome["requests"].as_array().expect("requests"));
        let id = text(row, "/id");
        if let Some(slip) = row.get("slip") {
            // A mistake of the documentation. The error names the undefined variable.
            let undefined = slip["undefined"].as_array().expect("names").iter().filter_map(Value::as_str);
            let message = error.as_str().unwrap_or_else(|| panic!("{id} was not refused"));
            assert!(undefined.clone().any(|name| message.contains(name)), "{id}: {message}");
            assert!(message.starts_with("Options ") && requests.is_empty(), "{id}: {message}");
            refused += 1;
            continue;
        }
        assert_eq!(error, &Value::Null, "{id}");
        assert_eq!(requests.len(), 6, "{id}");
        for (&form, request) in function.forms.iter().zip(requests) {
            let (id, request) = (format!("{id} {}", FORMS[form]), recorded_request(row, request));
            match text(row, "/api") {
                "v2" => corpus::assert_v2_request(&id, row, &request),
                _ => corpus::assert_v3_request(&id, row, &request),
            }
            same += 1;
        }
    }
    assert_eq!((same, refused, outcomes.len()), ((784 - 4) * 6, 4 * 6, 0));
    eprintln!(
        "{} rows, {same} calls as PHP sends them and {refused} refused; ported in {porting_time:.1?}, compiled in {compilation_time:.1?}, run in {run_time:.1?}",
        rows.len()
    );
}

/// The request that dry.rs recorded, with the boundary of the row instead of the generated one.
fn recorded_request(row: &Value, recorded: &Value) -> Request<Bytes> {
    let mut body = text(recorded, "/body").to_owned();
    let mut request = Request::builder().method(text(recorded, "/method")).uri(text(recorded, "/uri"));
    for header in recorded["headers"].as_array().expect("headers") {
        let (name, mut value) = (text(header, "/0"), text(header, "/1").to_owned());
        if let (Some(parts), Some((_, boundary))) = (row.pointer("/expect/multipart"), value.split_once("boundary=")) {
            let (boundary, given) = (boundary.trim_matches('"').to_owned(), text(parts, "/boundary"));
            body = body.replace(&boundary, given);
            value = value.replace(&boundary, given);
        }
        request = request.header(name, value);
    }
    request.body(Bytes::from(body)).expect("request")
}
