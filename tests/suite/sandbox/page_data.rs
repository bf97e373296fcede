//! The data that the page requests: lists, details, bodies and commands. `page.rs` tests the page
//! itself.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};
use wechatpay_chain::sandbox::{Fault, MCHID, Sandbox};

use super::{control, native, next_delivery, notify_server, send_raw};
use crate::support::{sandbox, start};

/// The body of the response to a GET request. The status must be 200.
pub(super) fn get_text(sandbox: &Sandbox, path: &str, headers: &str) -> String {
    let host = sandbox.address();
    let response = send_raw(
        sandbox,
        &format!("GET /sandbox/{path} HTTP/1.1\r\nhost: {host}\r\n{headers}connection: close\r\n\r\n"),
    );
    let (head, body) = response.split_once("\r\n\r\n").expect("head");
    assert!(head.starts_with("HTTP/1.1 200"), "{path}: {response}");
    body.to_owned()
}

pub(super) fn get(sandbox: &Sandbox, path: &str) -> Value {
    serde_json::from_str(&get_text(sandbox, path, "")).expect("JSON")
}

/// The values of one field of the rows of a table.
fn column<'a>(list: &'a Value, name: &str) -> Vec<&'a str> {
    list.as_array().expect("rows").iter().map(|row| row[name].as_str().expect("text")).collect()
}

/// The newest call, with its details.
fn last_call(sandbox: &Sandbox) -> Value {
    let number = get(sandbox, "list/calls")["rows"][0]["key"].clone();
    get(sandbox, &format!("show/calls?key={number}"))
}

#[test]
fn all_orders_are_on_some_page() {
    let (sandbox, client) = start();
    let orders = client.chain("v3/pay/transactions/native");
    for number in 0..230 {
        orders.post(native(&format!("order-{number:04}"), 1, "http://127.0.0.1:9/n")).expect("placed");
    }
    let first = get(&sandbox, "list/orders");
    assert_eq!(
        (&first["selected"], &first["pages"], &first["totals"]["orders"]),
        (&json!(230), &json!(5), &json!(230))
    );
    assert_eq!(column(&first["rows"], "out_trade_no")[..2], ["order-0229", "order-0228"]);
    let mut all = BTreeSet::new();
    for page in 1..=5 {
        let list = get(&sandbox, &format!("list/orders?page={page}"));
        all.extend(column(&list["rows"], "out_trade_no").into_iter().map(str::to_owned));
    }
    assert_eq!(all.len(), 230);
    // If the page does not exist, the last page is returned.
    assert_eq!(get(&sandbox, "list/orders?page=99")["page"], 5);
    assert_eq!(get(&sandbox, "list/orders?size=200")["rows"].as_array().map(Vec::len), Some(200));
    for hostile in ["page=0&size=0", "page=-1&size=99999999999999999999", "page=18446744073709551615&from=x&until=-"] {
        assert!(get(&sandbox, &format!("list/orders?{hostile}"))["page"].as_u64() > Some(0), "{hostile}");
    }
}

#[test]
fn lists_are_searched_and_filtered() {
    let (sandbox, client) = start();
    let orders = client.chain("v3/pay/transactions/native");
    for (number, description) in [("order-a1", "咖啡 100%"), ("order-a2", "Tea & Milk"), ("order-b1", "x")] {
        let mut order = native(number, 1, "http://127.0.0.1:9/n");
        order["json"]["description"] = description.into();
        orders.post(order).expect("placed");
    }
    let mut jsapi = native("order-j1", 1, "http://127.0.0.1:9/n");
    jsapi["json"]["payer"] = json!({ "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" });
    client.chain("v3/pay/transactions/jsapi").post(jsapi).expect("placed");
    let transaction_id = sandbox.pay("order-a1").expect("paid");
    let time = get(&sandbox, "list/orders")["rows"][0]["created_at"].as_u64().expect("time");
    let day = 86_400_000;
    for (query, expected) in [
        (String::new(), &["order-j1", "order-b1", "order-a2", "order-a1"][..]),
        ("search=ORDER-A".to_owned(), &["order-a2", "order-a1"]),
        ("search=%20tea%20%26%20milk".to_owned(), &["order-a2"]),
        ("search=%E5%92%96%E5%95%A1%20100%25".to_owned(), &["order-a1"]),
        (format!("search={transaction_id}"), &["order-a1"]),
        ("state=SUCCESS".to_owned(), &["order-a1"]),
        ("kind=JSAPI".to_owned(), &["order-j1"]),
        ("kind=JSAPI&state=SUCCESS".to_owned(), &[]),
        (format!("from={}&until={}", time - day, time + day), &["order-j1", "order-b1", "order-a2", "order-a1"]),
        (format!("from={}", time + day), &[]),
        (format!("until={}", time - day), &[]),
        ("search=%00%ff%3Cimg".to_owned(), &[]),
    ] {
        let list = get(&sandbox, &format!("list/orders?{query}"));
        assert_eq!(column(&list["rows"], "out_trade_no"), expected, "{query}");
        // The counts of the filters are those of the whole table.
        assert_eq!(list["states"], json!([["NOTPAY", 3], ["SUCCESS", 1]]), "{query}");
        assert_eq!(list["kinds"], json!([["JSAPI", 1], ["NATIVE", 3]]), "{query}");
    }
    client
        .chain("v3/pay/transactions/id/{id}")
        .get(json!({ "id": "1", "query": { "mchid": MCHID } }))
        .expect_err("unknown");
    let request_id = get(&sandbox, "list/calls")["rows"][0]["request_id"].as_str().expect("ID").to_owned();
    for (query, count) in [
        ("state=404", 1),
        ("state=200", 4),
        ("kind=valid", 5),
        ("kind=invalid", 0),
        ("search=order-a1", 1),
        ("search=get%20/v3", 1),
        (&*format!("search={request_id}"), 1),
    ] {
        assert_eq!(get(&sandbox, &format!("list/calls?{query}"))["selected"], count, "{query}");
    }
    for (query, count) in
        [("state=waiting", 1), ("kind=TRANSACTION.SUCCESS", 1), ("search=order-a1", 1), ("search=order-a2", 0)]
    {
        assert_eq!(get(&sandbox, &format!("list/notifications?{query}"))["selected"], count, "{query}");
    }
}

#[test]
fn an_order_is_linked_to_what_belongs_to_it() {
    let (sandbox, client) = start();
    let (url, receive) = notify_server(vec![500]);
    // The merchant and a sub-merchant use the same number.
    let mut own = native("order-same", 100, &url);
    own["json"]["settle_info"] = json!({ "profit_sharing": true });
    client.chain("v3/pay/transactions/native").post(own).expect("placed");
    let partner = json!({ "json": {
        "sp_appid": "wx8888888888888888", "sp_mchid": MCHID, "sub_mchid": "1900000209", "description": "d", "out_trade_no": "order-same",
        "notify_url": url, "amount": { "total": 7 },
    }});
    client.chain("v3/pay/partner/transactions/native").post(partner).expect("placed");
    let transaction_id = sandbox.pay("order-same").expect("paid");
    next_delivery(&receive);
    let receiver = json!({ "json": { "appid": "wx8888888888888888", "type": "PERSONAL_OPENID", "account": "86693852", "relation_type": "STORE" } });
    client.chain("v3/profitsharing/receivers/add").post(receiver).expect("added");
    let sharing = json!({ "json": {
        "appid": "wx8888888888888888", "transaction_id": transaction_id, "out_order_no": "sharing-1", "unfreeze_unsplit": false,
        "receivers": [{ "type": "PERSONAL_OPENID", "account": "86693852", "amount": 8, "description": "a" }],
    }});
    client.chain("v3/profitsharing/orders").post(sharing).expect("shared");
    let refund = json!({ "json": { "transaction_id": transaction_id, "out_refund_no": "refund-1", "amount": { "refund": 30, "total": 100, "currency": "CNY" } } });
    client.chain("v3/refund/domestic/refunds").post(refund).expect("refunded");
    client.chain("v3/refund/domestic/refunds/{no}").get(json!({ "no": "refund-1" })).expect("found");
    client.chain("v3/profitsharing/transactions/{id}/amounts").get(json!({ "id": transaction_id })).expect("found");
    let query = json!({ "no": "order-same", "query": { "sp_mchid": MCHID, "sub_mchid": "1900000209" } });
    client.chain("v3/pay/partner/transactions/out-trade-no/{no}").get(query).expect("found");

    let order = get(&sandbox, &format!("show/orders?key={MCHID}%2Forder-same"));
    let related = |name: &str, field: &str| {
        column(&order["related"][name], field).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(related("refunds", "out_refund_no"), ["refund-1"]);
    assert_eq!(related("sharings", "out_order_no"), ["sharing-1"]);
    assert_eq!(related("orders", "out_trade_no"), [""; 0]);
    assert_eq!(related("notifications", "event_type"), ["REFUND.SUCCESS", "TRANSACTION.SUCCESS"]);
    assert_eq!(related("entries", "kind"), ["Refund", "ProfitSharing", "Payment"]);
    let transactions_path = format!("/v3/profitsharing/transactions/{transaction_id}/amounts");
    assert_eq!(
        related("calls", "target"),
        [
            &*transactions_path,
            "/v3/refund/domestic/refunds/refund-1",
            "/v3/refund/domestic/refunds",
            "/v3/profitsharing/orders",
            "/v3/pay/transactions/native"
        ],
    );
    let partner = get(&sandbox, "show/orders?key=1900000209%2Forder-same");
    let target = format!("/v3/pay/partner/transactions/out-trade-no/order-same?sp_mchid={MCHID}&sub_mchid=1900000209");
    assert_eq!(column(&partner["related"]["calls"], "target"), [&*target, "/v3/pay/partner/transactions/native"]);
    assert_eq!(partner["related"]["notifications"], json!([]));

    // If a number is not unique, the control call names the sub-merchant.
    let pay = json!({ "out_trade_no": "order-same", "sub_mchid": "1900000209" });
    control(&sandbox, "pay", &pay).expect("paid");
    let partner = get(&sandbox, "show/orders?key=1900000209%2Forder-same");
    assert_eq!(partner["row"]["state"], "SUCCESS");
    assert_eq!(column(&partner["related"]["notifications"], "event_type"), ["TRANSACTION.SUCCESS"]);
    let other = json!({ "out_trade_no": "order-same", "sub_mchid": "1900000210" });
    assert!(control(&sandbox, "refund", &other).expect_err("another sub-merchant").contains("is not known"));

    // The refund, the sharing, a call and a notification link back to the order.
    let notification = order["related"]["notifications"][1]["key"].as_str().expect("ID");
    let call = order["related"]["calls"][2]["key"].clone();
    for path in [
        format!("refunds?key={MCHID}%2Frefund-1"),
        format!("sharings?key={MCHID}%2Fsharing-1"),
        format!("calls?key={call}"),
        format!("notifications?key={notification}"),
    ] {
        let details = get(&sandbox, &format!("show/{path}"));
        assert_eq!(column(&details["related"]["orders"], "key"), [format!("{MCHID}/order-same")], "{path}");
    }

    // The notification in plain text, and each attempt as it was sent.
    control(&sandbox, "replay", &json!({ "id": notification })).expect("sent again");
    next_delivery(&receive);
    let is_done = || {
        get(&sandbox, &format!("show/notifications?key={notification}"))["attempts"].as_array().map(Vec::len) == Some(2)
    };
    assert!(super::webdriver::eventually(is_done));
    let details = get(&sandbox, &format!("show/notifications?key={notification}"));
    assert!(details["resource"].as_str().expect("text").contains("\"transaction_id\": "), "{details}");
    let [first, second] = [0, 1].map(|index| &details["attempts"][index]);
    assert_eq!((&first["status"], &second["status"]), (&json!(500), &json!(204)));
    assert!(first["elapsed"].is_u64() && second["at"].as_u64() >= first["at"].as_u64());
    assert_ne!(first["sealed"]["headers"], second["sealed"]["headers"], "signed anew");
    let sealed = second["sealed"]["body"]["text"].as_str().expect("text");
    assert!(sealed.contains("\"ciphertext\": ") && !sealed.contains(&transaction_id), "{sealed}");
}

#[test]
fn a_call_has_its_headers_bodies_and_times() {
    let (sandbox, client) = start();
    sandbox.inject(Fault::Delay(std::time::Duration::from_millis(20)));
    let response =
        client.chain("v3/pay/transactions/native").post(native("order-1", 1, "http://127.0.0.1:9/n")).expect("placed");
    let call = last_call(&sandbox);
    let row = &call["row"];
    assert_eq!(row["request_id"].as_str(), response.request_id());
    assert!(row["elapsed"].as_f64() >= Some(20.0) && row["created_at"].as_u64() > Some(0), "{row}");
    assert_eq!(
        (&row["fault"], &row["title"], &call["template"]),
        (&json!("Delay(20ms)"), &json!("Native下单"), &json!("v3/pay/transactions/native"))
    );
    let header = |of: &str, name: &str| {
        let headers = call[of]["headers"].as_array().expect("headers");
        headers.iter().find(|header| header[0] == name).unwrap_or_else(|| panic!("{name} in {headers:?}"))[1].clone()
    };
    assert_eq!(header("response", "Request-ID"), row["request_id"]);
    assert!(header("request", "Authorization").as_str().expect("text").starts_with("WECHATPAY2-"));
    let sent = response.body();
    assert_eq!(call["response"]["body"]["length"], sent.len());
    assert!(
        call["request"]["body"]["text"].as_str().expect("text").contains("\n  \"out_trade_no\": \"order-1\","),
        "{call}"
    );
    assert!(call["check"]["expected"].as_str().expect("text").starts_with("POST\n/v3/pay/transactions/native\n"));

    // A body of 1 MB is cut, and can be downloaded.
    let mut long = native("order-2", 1, "http://127.0.0.1:9/n");
    long["json"]["padding"] = "中".repeat(350_000).into();
    client.chain("v3/pay/transactions/native").post(long).expect("placed");
    let call = last_call(&sandbox);
    let body = &call["request"]["body"];
    let length = body["length"].as_u64().expect("length");
    assert!(length > 1_000_000 && body["text"].as_str().map(str::len) <= Some(65_536), "{length}");
    assert!(
        call["curl"].as_str().expect("text").ends_with(&format!("--data-binary @request-{}.bin", call["row"]["key"]))
    );
    assert_eq!(get_text(&sandbox, &format!("body/{}", call["row"]["key"]), "").len() as u64, length);
    assert!(get_text(&sandbox, &format!("show/calls?key={}", call["row"]["key"]), "").len() < 300_000);

    // A body that is not text, and one in XML.
    let post = |path: &str, body: &[u8]| {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(sandbox.address()).expect("connected");
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), body].concat()).expect("sent");
        stream.read_to_end(&mut Vec::new()).expect("response");
        last_call(&sandbox)
    };
    let call = post("/v3/x", b"a\n\x00\xff\x1b[2J");
    assert_eq!(call["request"]["body"]["text"], "a\n");
    assert_eq!(call["request"]["body"]["hex"].as_str().map(|hex| &hex[..17]), Some("00 ff 1b 5b 32 4a"));
    assert_eq!(call["wxpay"], Value::Null);
    let call =
        post("/pay/orderquery", b"<xml><out_trade_no><![CDATA[order-1]]></out_trade_no><mch_id>1</mch_id></xml>");
    assert_eq!(
        call["request"]["body"]["text"],
        "<xml>\n  <out_trade_no><![CDATA[order-1]]></out_trade_no>\n  <mch_id>1</mch_id>\n</xml>"
    );
    assert!(
        call["response"]["body"]["text"].as_str().expect("text").contains("\n  <return_code>FAIL</return_code>"),
        "{call}"
    );
    assert_eq!(column(&call["related"]["orders"], "out_trade_no"), ["order-1"]);
}

#[test]
fn a_call_can_be_repeated_in_a_shell() {
    let folder = tempfile::tempdir().expect("folder");
    let sandbox = Sandbox::builder().dir(folder.path()).start().expect("sandbox");
    let client = sandbox.client().expect("client");
    let run = |command: &str| {
        let path = std::path::Path::new(env!("CARGO_BIN_EXE_wxpay")).parent().expect("folder");
        let path = std::env::join_paths(
            [path.to_owned()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").expect("PATH"))),
        );
        let mut shell = Command::new("sh");
        shell
            .args(["-c", command])
            .current_dir(folder.path())
            .env("PATH", path.expect("paths"))
            .env("WXPAY_CONFIG", folder.path().join("wxpay.toml"));
        let output = shell.env_remove("HTTPS_PROXY").output().expect("sh");
        (String::from_utf8(output.stdout).expect("text"), String::from_utf8(output.stderr).expect("text"))
    };
    let mut order = native("A_-|*9", 1, "http://127.0.0.1:9/n");
    order["json"]["description"] = "it's $(touch hacked) `id` \"中\"".into();
    client.chain("v3/pay/transactions/native").post(order).expect("placed");
    client
        .chain("v3/pay/transactions/out-trade-no/{no}")
        .get(json!({ "no": "A_-|*9", "query": { "mchid": MCHID } }))
        .expect("found");
    let xml = json!({ "xml": { "appid": "wxd678efh567hg6787", "mch_id": MCHID, "out_trade_no": "A_-|*9" } });
    client.chain("v2/pay/orderquery").post(xml).expect("found");
    for number in 1..=3 {
        let original = get(&sandbox, &format!("show/calls?key={number}"));
        let (curl, wxpay) = (original["curl"].as_str().expect("curl"), original["wxpay"].as_str().expect("wxpay"));
        let secrets = [sandbox.settings()["apiv3_key"].clone(), sandbox.settings()["secret"].clone()];
        assert!(secrets.iter().all(|secret| !curl.contains(secret.as_str().expect("text"))), "{curl}");
        for command in [wxpay, curl] {
            if command == curl && Command::new("curl").arg("--version").output().is_err() {
                continue;
            }
            let (output, error) = run(command);
            let repeated = last_call(&sandbox);
            assert_ne!(repeated["row"]["key"], original["row"]["key"], "{command}: {output} {error}");
            assert_eq!(repeated["row"]["target"], original["row"]["target"], "{command}");
            if command == wxpay {
                assert_eq!(
                    (&repeated["row"]["signature"], &repeated["row"]["status"]),
                    (&json!("valid"), &json!(200)),
                    "{command}: {output} {error}"
                );
            } else {
                assert_eq!(repeated["request"]["body"], original["request"]["body"], "{command}");
            }
        }
    }
    assert!(!folder.path().join("hacked").exists());
}

#[test]
fn texts_of_the_sandbox_have_the_language_of_the_page() {
    let (sandbox, client) = start();
    // A text of the merchant is not translated, even if the sandbox has the same one.
    let mut order = native("order-1", 1, "https://example.com/n");
    order["json"]["description"] = "waiting".into();
    client.chain("v3/pay/transactions/native").post(order).expect("placed");
    sandbox.pay("order-1").expect("paid");
    let chinese = "accept-language: zh-CN\r\n";
    let list = |headers: &str| {
        serde_json::from_str::<Value>(&get_text(&sandbox, "list/notifications", headers)).expect("JSON")["rows"][0]
            .clone()
    };
    assert_eq!(
        list("")["outcome"],
        "not sent: the notify_url is not on this machine (--notify-anywhere allows others)"
    );
    assert_eq!(list(chinese)["outcome"], "未发送：notify_url 不在本机（--notify-anywhere 允许发往其他机器）");
    assert_eq!(list(chinese)["state"], "not sent");
    assert!(get_text(&sandbox, "list/orders", chinese).contains("\"description\":\"waiting\""));
    let host = sandbox.address();
    let body = r#"{"out_trade_no":"order-1"}"#;
    let response = send_raw(
        &sandbox,
        &format!(
            "POST /sandbox/pay HTTP/1.1\r\nhost: {host}\r\n{chinese}content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
    assert!(response.contains("已支付"), "{response}");
}

#[test]
fn faults_and_stubs_can_be_removed() {
    let sandbox = sandbox();
    control(&sandbox, "fault", &json!({ "fault": "reset", "times": 3 })).expect("fault");
    control(&sandbox, "fault", &json!({ "fault": "delay:9", "on": "notification" })).expect("fault");
    let faults = || get(&sandbox, "list/controls")["faults"].clone();
    assert_eq!(faults(), json!({ "answer": ["Hangup", "Hangup", "Hangup"], "notification": ["Delay(9ms)"] }));
    control(&sandbox, "clear-faults", &json!({})).expect("cleared");
    assert_eq!(faults(), json!({ "answer": [], "notification": [] }));

    for (method, template) in [("GET", "v3/x/{y}"), ("post", "v2/x/z"), ("POST", "v3/x/{y}")] {
        control(&sandbox, "stub", &json!({ "method": method, "template": template, "response": {} })).expect("stub");
    }
    let stubs = || {
        get(&sandbox, "list/controls")["stubs"]
            .as_array()
            .expect("stubs")
            .iter()
            .map(|stub| format!("{} {}", stub["method"], stub["template"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(stubs(), ["\"GET\" \"v3/x/{y}\"", "\"POST\" \"v2/x/z\"", "\"POST\" \"v3/x/{y}\""]);
    control(&sandbox, "remove-stub", &json!({ "method": "POST", "template": "v2/x/z" })).expect("removed");
    control(&sandbox, "remove-stub", &json!({ "method": "get", "template": "/v3/x/{y}" })).expect("removed");
    assert_eq!(stubs(), ["\"POST\" \"v3/x/{y}\""]);
    let error = control(&sandbox, "remove-stub", &json!({ "method": "GET", "template": "v3/x/{y}" }))
        .expect_err("removed already");
    assert_eq!(error, "no stub exists for GET v3/x/{y}");
}
