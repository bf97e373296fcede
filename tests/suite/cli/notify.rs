//! `wxpay notify`: captured notifications.

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use wechatpay_chain::sandbox::{Fault, Sandbox};

use super::{run_with_input, text, wxpay};
use crate::support::{each_hint_names_its_condition, read_request, run};

/// A request as a server could have logged it.
fn captured(request: &Request<Bytes>, line_break: &str) -> String {
    let mut shown = format!("POST /notify HTTP/1.1{line_break}");
    for (name, value) in request.headers() {
        shown += &format!("{name}: {}{line_break}", value.to_str().expect("text"));
    }
    shown + line_break + std::str::from_utf8(request.body()).expect("text")
}

struct Shop(tempfile::TempDir, Sandbox);

impl Shop {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let sandbox = Sandbox::builder().dir(folder.path()).start().expect("sandbox");
        Shop(folder, sandbox)
    }

    fn run(&self, command: &str, input: &str) -> (Option<i32>, String, String) {
        let mut command = wxpay(&["notify", command, "-"]);
        command.current_dir(self.0.path());
        let output = run_with_input(command, input);
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }
}

#[test]
fn a_captured_notification_is_verified_and_printed() {
    let shop = Shop::new();
    let resource = json!({ "out_trade_no": "order-1", "amount": { "total": 100 } });
    let request = shop.1.notification("TRANSACTION.SUCCESS", "transaction", &resource).expect("notification");
    for (line_break, end) in [("\r\n", ""), ("\n", ""), ("\n", "\n")] {
        let (code, printed, notes) = shop.run("verify", &(captured(&request, line_break) + end));
        assert_eq!(code, Some(0), "{notes}");
        let printed: Value = serde_json::from_str(&printed).expect("JSON");
        assert_eq!(printed["resource"], resource);
        assert_eq!(printed["event_type"], "TRANSACTION.SUCCESS");
        assert_eq!(notes.contains("without the line break at the end of the file"), !end.is_empty(), "{notes}");
        assert!(!notes.contains("must refuse it"), "{notes}");
    }

    let sent = captured(&request, "\n");
    let timestamp = request.headers()["wechatpay-timestamp"].to_str().expect("text");
    let compact = std::str::from_utf8(request.body()).expect("text");
    let indented = serde_json::to_string_pretty(&serde_json::from_str::<Value>(compact).expect("JSON")).expect("JSON");
    let length = compact.len();
    let with_length = sent.replacen('\n', &format!("\nContent-Length: {length}\n"), 1);
    for (wrong, expected) in [
        (sent.replace(compact, &indented), "it is valid for the body without its indentation".to_owned()),
        (
            with_length.trim_end_matches('}').to_owned(),
            format!(
                "has {} bytes, and Content-Length is {length}: the end is missing",
                compact.trim_end_matches('}').len()
            ),
        ),
        (
            sent.replace(&format!(": {timestamp}\n"), &format!(": {timestamp}000\n")),
            "Wechatpay-Timestamp is in milliseconds, and seconds were signed".to_owned(),
        ),
    ] {
        let (code, _, notes) = shop.run("verify", &wrong);
        assert!(code == Some(6) && notes.contains(&expected), "{code:?} {expected}: {notes}");
    }
    let changed = captured(&request, "\n").replace("transaction", "Transaction");
    let (code, printed, notes) = shop.run("verify", &changed);
    assert_eq!((code, printed.as_str()), (Some(6), ""), "{notes}");
    assert!(notes.contains(", but over other bytes: the time, the nonce or the body"), "{notes}");
    let signature = request.headers()["wechatpay-signature"].to_str().expect("text");
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let flipped = captured(&request, "\n").replace(signature, &format!("{other}{}", &signature[1..]));
    let (code, _, notes) = shop.run("verify", &flipped);
    assert!(code == Some(6) && notes.contains(": another key made it, or its characters"), "{notes}");
    let (code, printed, notes) = shop.run("verify", &captured(&request, "\n").replace("wechatpay-nonce", "x-nonce"));
    assert_eq!((code, printed.as_str()), (Some(6), ""), "{notes}");
    assert!(notes.contains("Wechatpay-Nonce"), "{notes}");
}

#[test]
fn an_old_notification_is_verified_as_of_its_time() {
    let shop = Shop::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/notify", listener.local_addr().expect("address"));
    shop.1.inject_notification(Fault::from_name("stale-clock").expect("fault"));
    let fields = json!({
        "notify_url": url, "event_type": "TRANSACTION.SUCCESS", "original_type": "transaction", "resource": { "a": 1 },
    });
    shop.1.control("notify", &fields).expect("sent");
    let (stream, _) = listener.accept().expect("the notification");
    stream.set_nonblocking(true).expect("mode");
    let received = run(async { read_request(&mut TcpStream::from_std(stream)?).await });
    let received = received.expect("a request").expect("not only an end");
    let (code, printed, notes) = shop.run("verify", &received);
    assert_eq!(code, Some(0), "{notes}");
    assert!(printed.contains("\"a\": 1"), "{printed}");
    assert!(notes.contains("s old: a receiver refuses it more than 300 s after that time"), "{notes}");
}

#[test]
fn a_notification_is_decrypted_without_its_headers() {
    let shop = Shop::new();
    let request = shop.1.notification("REFUND.SUCCESS", "refund", &json!({ "a": "b" })).expect("notification");
    let body = std::str::from_utf8(request.body()).expect("text");
    for input in [body.to_owned(), captured(&request, "\r\n")] {
        let (code, printed, notes) = shop.run("decrypt", &input);
        assert_eq!(code, Some(0), "{notes}");
        assert_eq!(serde_json::from_str::<Value>(&printed).expect("JSON")["resource"], json!({ "a": "b" }));
        assert!(notes.contains("the notification was not verified"), "{notes}");
    }
    let (code, _, notes) = shop.run("decrypt", "{}");
    assert!(code == Some(1) && notes.contains("has no algorithm"), "{code:?} {notes}");
    let refused = |input: &str| {
        let (code, _, notes) = shop.run("verify", input);
        assert_eq!(code, Some(2), "{notes}");
        notes
    };
    each_hint_names_its_condition(&[
        ("the file has no empty line between the headers and the body", refused(body)),
        ("line 2 of the file is not a header", refused("Wechatpay-Serial: 1\nnonsense\n\n{}")),
    ]);
}

#[test]
fn a_captured_notification_of_apiv2_is_verified() {
    let shop = Shop::new();
    let fields = json!({ "return_code": "SUCCESS", "mch_id": "1900000109", "out_trade_no": "order-1" });
    let body = shop.1.notification_v2(&fields).expect("notification");
    let body = std::str::from_utf8(&body).expect("text").to_owned();
    let (code, printed, notes) = shop.run("verify", &(body.clone() + "\n"));
    assert_eq!(code, Some(0), "{notes}");
    assert!(printed.contains("\"out_trade_no\": \"order-1\""), "{printed}");
    let (code, printed, _) = shop.run("verify", &body.replace("order-1", "order-2"));
    assert_eq!((code, printed.as_str()), (Some(6), ""));
}
