//! The sandbox as a proxy for the hosts of the service.

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use wechatpay_chain::Client;
use wechatpay_chain::sandbox::{MCHID, PUBLIC_KEY_ID, Sandbox};

use super::{native, send_raw};
use crate::support::sandbox;

/// A client with the addresses of the service, which knows the sandbox only as its proxy.
fn client(sandbox: &Sandbox) -> Client {
    let settings = sandbox.settings();
    let text = |name: &str| settings[name].as_str().expect("text").to_owned();
    Client::builder()
        .mchid(MCHID)
        .serial(text("serial"))
        .private_key(sandbox.merchant_key())
        .platform_key(PUBLIC_KEY_ID, sandbox.platform_key())
        .secret(sandbox.secret())
        .merchant_certificate(settings["merchant"]["cert"].as_str().expect("text"), text("privateKey"))
        .root_certificate(sandbox.root_certificate())
        .proxy(sandbox.base_uri())
        .build()
        .expect("client")
}

#[test]
fn the_service_is_answered_under_its_own_addresses() {
    let sandbox = sandbox();
    let client = client(&sandbox);
    let order = native("order-1", 100, "https://example.com/notify");
    let placed = client.chain("v3/pay/transactions/native").post(order).expect("placed");
    assert!(placed.is_verified());
    sandbox.pay("order-1").expect("paid");
    sandbox.control("bills", &json!({})).expect("bills");
    // URLs in responses have the host that was called, and the client certificate arrives.
    let paid = client.chain("v3/pay/transactions/out-trade-no/order-1").get(json!({ "query": { "mchid": MCHID } }));
    let paid = paid.expect("found").json::<Value>().expect("json");
    let date = &paid["success_time"].as_str().expect("time")[..10];
    let bill = client.chain("v3/bill/tradebill").get(json!({ "query": { "bill_date": date } })).expect("bill");
    let url = bill.json::<Value>().expect("json")["download_url"].as_str().expect("url").to_owned();
    assert!(url.starts_with("https://api.mch.weixin.qq.com/v3/billdownload/file?token="), "{url}");
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("bill.csv");
    client.download(&bill).expect("a URL").save(&file).expect("saved");
    assert!(std::fs::read_to_string(file).expect("bill").contains("order-1"));
    let refund = json!({ "security": true, "xml": {
        "appid": "wxd678efh567hg6787", "mch_id": MCHID, "out_trade_no": "order-1", "out_refund_no": "refund-1",
        "total_fee": "100", "refund_fee": "30",
    }});
    client.chain("v2/secapi/pay/refund").post(refund).expect("refunded");
    // Other hosts of the service, with and without a prefix of their region.
    for base_uri in ["https://api2.wechatpay.cn/", "https://apihk.mch.weixin.qq.com/"] {
        let options = json!({ "base_uri": base_uri, "query": { "mchid": MCHID } });
        client.chain("v3/pay/transactions/out-trade-no/order-1").get(options).expect("found");
    }
    assert_eq!(sandbox.requests().len(), 7);
    sandbox.audit().expect("balanced");
}

#[test]
fn other_hosts_are_refused_unless_they_are_allowed() {
    let strict = sandbox();
    let connect = |sandbox: &Sandbox, authority: &str| {
        send_raw(sandbox, &format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n\r\n"))
    };
    for authority in ["localhost.example:443", "example.com:443", "api.mch.weixin.qq.com:80"] {
        let response = connect(&strict, authority);
        let host = authority.split(':').next().expect("host");
        assert!(response.starts_with("HTTP/1.1 403 "), "{response}");
        assert!(response.contains(&format!("the sandbox does not connect to {host}: ")), "{response}");
    }
    let absolute = send_raw(&strict, "GET http://example.com/ HTTP/1.1\r\nhost: example.com\r\n\r\n");
    assert!(absolute.starts_with("HTTP/1.1 403 "), "{absolute}");
    assert!(strict.requests().is_empty());
    // An allowed host that does not exist is connected to in vain.
    let open = Sandbox::builder().allow_host("Nothing.invalid").start().expect("sandbox");
    let response = connect(&open, "nothing.invalid:443");
    assert!(response.starts_with("HTTP/1.1 502 "), "{response}");
}

#[test]
fn curl_reaches_the_service_through_the_proxy() {
    let sandbox = sandbox();
    let folder = tempfile::tempdir().expect("folder");
    let root = folder.path().join("root.pem");
    std::fs::write(&root, sandbox.root_certificate()).expect("root");
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--include", "https://api.mch.weixin.qq.com/v3/certificates"])
        .env("HTTPS_PROXY", sandbox.base_uri())
        .env("CURL_CA_BUNDLE", &root)
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .env_remove("https_proxy")
        .stdin(Stdio::null())
        .output();
    let Ok(output) = output else {
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "SKIPPED: curl is not installed");
        return;
    };
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("401 Unauthorized") && printed.contains("SIGN_ERROR"), "{printed} {output:?}");
    assert_eq!(sandbox.requests().len(), 1);
}
