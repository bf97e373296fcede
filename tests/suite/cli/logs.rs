//! `wxpay sandbox logs`: the calls and the notifications of a running sandbox.

use std::io::{BufRead, BufReader};

use serde_json::{Value, json};
use wechatpay_chain::sandbox::Sandbox;

use super::wxpay;
use crate::sandbox::native;

/// The lines that a command prints.
fn logs(dir: &str, options: &[&str]) -> Vec<String> {
    let output = wxpay(&[&["sandbox", "--dir", dir, "logs", "--no-follow"], options].concat()).output().expect("wxpay");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

#[test]
fn calls_and_notifications_are_printed_and_filtered() {
    let folder = tempfile::tempdir().expect("folder");
    let dir = folder.path().to_str().expect("path");
    let sandbox = Sandbox::builder().dir(dir).start().expect("sandbox");
    let client = sandbox.client().expect("client");
    let orders = client.chain("v3/pay/transactions/native");
    orders.post(native("order-1", 1, "http://127.0.0.1:9/notify")).expect("placed");
    orders.post(native("short", 1, "http://127.0.0.1:9/notify")).expect_err("a number of five characters");
    let mut unknown = native("order-2", 1, "http://127.0.0.1:9/notify");
    unknown["json"]["zzzzzz"] = 1.into();
    orders.post(unknown).expect("placed with a warning");
    sandbox.pay("order-1").expect("paid");
    // The port is closed, so the first attempt fails at once.
    while sandbox.overview()["notifications"][0]["attempts"][0].is_null() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }

    let all = logs(dir, &[]);
    assert_eq!(all.len(), 5, "{all:#?}");
    assert!(all[0].contains("200  POST /v3/pay/transactions/native") && all[1].contains("400  POST"), "{all:#?}");
    assert!(all[3].contains("json.zzzzzz: the field is not documented"), "{all:#?}");
    assert!(all[4].contains("-  TRANSACTION.SUCCESS -> http://127.0.0.1:9/notify (waiting)"), "{all:#?}");
    assert_eq!(logs(dir, &["--calls"]), all[..4]);
    assert_eq!(logs(dir, &["--notifications"]), all[4..]);
    assert_eq!(logs(dir, &["--failed"]), all[1..]);
    assert_eq!(logs(dir, &["TRANSACTION"]), all[4..]);
    let entries: Vec<Value> =
        logs(dir, &["--json"]).iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let kinds: Vec<&Value> = entries.iter().map(|entry| &entry["kind"]).collect();
    assert_eq!(json!(kinds), json!(["call", "call", "call", "notification"]));
    assert_eq!([&entries[1]["status"], &entries[1]["number"]], [&json!(400), &json!(2)]);

    // It follows the sandbox until that stops.
    let mut following = wxpay(&["sandbox", "--dir", dir, "logs", "--calls"]).spawn().expect("wxpay");
    let mut lines = BufReader::new(following.stdout.take().expect("stdout")).lines().map(|line| line.expect("line"));
    assert_eq!(lines.by_ref().take(4).collect::<Vec<_>>(), all[..4]);
    client.chain("v3/certificates").get(()).expect("certificates");
    assert!(lines.next().expect("a line").contains("GET /v3/certificates"));
    drop(sandbox);
    assert_eq!(lines.next(), None);
    assert!(following.wait().expect("ended").success());
    let output = wxpay(&["sandbox", "--dir", dir, "logs"]).output().expect("wxpay");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no sandbox is running"));
}

/// More calls than one response of the sandbox contains, and more than its overview has.
#[test]
fn a_burst_of_calls_is_printed_completely() {
    const CALLS: u64 = 2300;
    let folder = tempfile::tempdir().expect("folder");
    let dir = folder.path().to_str().expect("path");
    let sandbox = Sandbox::builder().dir(dir).start().expect("sandbox");
    let client = sandbox.client().expect("client");
    client.chain("v3/certificates").get(()).expect("certificates");
    let mut following = wxpay(&["sandbox", "--dir", dir, "logs", "--json"]).spawn().expect("wxpay");
    let lines = BufReader::new(following.stdout.take().expect("stdout")).lines();
    let mut numbers = lines.map(|line| {
        let entry: Value = serde_json::from_str(&line.expect("line")).expect("JSON");
        entry["number"].as_u64().expect("a number")
    });
    assert_eq!(numbers.next(), Some(1));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..CALLS / 4 {
                    client.chain("v3/certificates").get(()).expect("certificates");
                }
            });
        }
    });
    for number in 2..=CALLS + 1 {
        assert_eq!(numbers.next(), Some(number));
    }
    drop(sandbox);
    assert!(following.wait().expect("ended").success());
}
