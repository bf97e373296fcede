//! Access to the page and its data: keys, and the web pages of other sites.

use serde_json::json;
use wechatpay_chain::sandbox::MCHID;

use super::page_data::{get, get_text};
use super::{native, send_raw};
use crate::support::{sandbox, start};

#[test]
fn no_key_reaches_the_page() {
    let (sandbox, client) = start();
    let settings = sandbox.settings();
    let secrets = ["apiv3_key", "secret"].map(|name| settings[name].as_str().expect("text").to_owned());
    // A merchant sends its keys by mistake.
    let mut order = native("order-1", 1, "http://127.0.0.1:9/n");
    order["json"]["attach"] = secrets[0].clone().into();
    order["json"]["description"] = secrets[1].clone().into();
    client.chain("v3/pay/transactions/native").post(order).expect("placed");
    let query = json!({ "xml": { "appid": "wxd678efh567hg6787", "mch_id": MCHID, "out_trade_no": "order-1", "key": secrets[1] } });
    // Whether the unknown field is refused does not matter here.
    let _ = client.chain("v2/pay/orderquery").post(query);
    sandbox.pay("order-1").expect("paid");
    let notification = get(&sandbox, "list/notifications")["rows"][0]["key"].as_str().expect("ID").to_owned();
    let mut all = String::new();
    for path in [
        "state",
        "list/orders",
        "list/notifications",
        "list/calls",
        "list/controls",
        &format!("show/orders?key={MCHID}%2Forder-1"),
        &format!("show/notifications?key={notification}"),
        "show/calls?key=1",
        "show/calls?key=2",
        "body/1",
    ] {
        all += &get_text(&sandbox, path, "");
    }
    assert!(all.contains("***") && !all.contains("PRIVATE KEY"));
    assert!(secrets.iter().all(|secret| !all.contains(secret.as_str())));
}

#[test]
fn other_web_pages_can_neither_read_nor_change() {
    let sandbox = sandbox();
    let host = sandbox.address().to_string();
    let reads = [
        "",
        "sandbox/page.js",
        "sandbox/state",
        "sandbox/list/calls",
        "sandbox/list/controls",
        "sandbox/show/calls?key=1",
        "sandbox/body/1",
        "sandbox/qr/1.svg",
    ];
    let changes = "pay refund confirm expire fail-payment fail-transfer hold end-refund end-profit-sharing limit replay probe \
                   notify trigger card fault clear-faults stub remove-stub bills";
    let send = |method: &str, path: &str, headers: String| {
        let body = if method == "POST" { "{}" } else { "" };
        let response = send_raw(
            &sandbox,
            &format!(
                "{method} /{path} HTTP/1.1\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ),
        );
        response.split(' ').nth(1).expect("status").to_owned()
    };
    let all = reads
        .iter()
        .map(|path| ("GET", (*path).to_owned()))
        .chain(changes.split(' ').map(|call| ("POST", format!("sandbox/{call}"))));
    for (method, path) in all {
        let json = "content-type: application/json\r\n";
        for headers in [
            // DNS rebinding.
            format!("host: evil.example\r\n{json}"),
            format!("host: 127.0.0.1.evil.example:{}\r\n{json}", sandbox.address().port()),
            format!("host: {host}\r\norigin: https://evil.example\r\n{json}"),
            format!("host: {host}\r\norigin: null\r\n{json}"),
            // Another port of this machine is another origin.
            format!("host: {host}\r\norigin: http://127.0.0.1:1\r\n{json}"),
        ] {
            assert_eq!(send(method, &path, headers.clone()), "403", "{method} {path} {headers}");
        }
        for site in ["cross-site", "same-site"] {
            let expected = if path.is_empty() { "200" } else { "403" };
            assert_eq!(
                send(method, &path, format!("host: {host}\r\nsec-fetch-site: {site}\r\n{json}")),
                expected,
                "{path}"
            );
        }
        if method == "POST" {
            // Requests that a form of another page can send.
            for media_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
                assert_eq!(
                    send(method, &path, format!("host: {host}\r\ncontent-type: {media_type}\r\n")),
                    "403",
                    "{path}"
                );
            }
        }
        assert_ne!(
            send(
                method,
                &path,
                format!("host: {host}\r\norigin: http://{host}\r\nsec-fetch-site: same-origin\r\n{json}")
            ),
            "403",
            "{path}"
        );
    }
}
