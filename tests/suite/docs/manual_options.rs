//! The examples of the manual's page on options, in the order of the page. The page copies them
//! line by line, which `manual.rs` asserts, so they are not formatted by rustfmt.

use serde_json::{Value, json};
use wechatpay_chain::sandbox::{Fault, Sandbox};
use wechatpay_chain::{Client, ErrorKind, Media, Options};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A sandbox with an endpoint for several methods, and a client for it.
fn sandbox_and_client() -> (Sandbox, Client) {
    let sandbox = Sandbox::start().expect("a sandbox");
    for method in ["GET", "POST", "PATCH"] {
        sandbox.stub(method, "v3/things", 200, json!({ "state": "DONE" }));
    }
    let client = sandbox.client_builder().base_uri(sandbox.tls_base_uri()).build().expect("a client");
    (sandbox, client)
}

/// The body of the last request.
fn body(sandbox: &Sandbox) -> String {
    let requests = sandbox.requests();
    String::from_utf8_lossy(&requests.last().expect("a request").body).into_owned()
}

/// The target of the last request.
fn target(sandbox: &Sandbox) -> String {
    sandbox.requests().last().expect("a request").target.clone()
}

#[test]
fn forms() -> Outcome {
    let (_sandbox, client) = sandbox_and_client();
    let things = client.chain("v3/things");
    things.get(json!({ "query": { "limit": 10 } }))?; // an object
    things.get(())?;                                  // no options
    things.post(Options::new().with("timeout", 5).json(&[1, 2, 3]))?; // values that JSON cannot represent
    client.chain("v3/merchant/media/upload").post(Media::from_bytes("a.png", b"\x89PNG...".as_slice()))?; // only an upload
    let error = things.post(json!({ "jsn": { "name": "a" } })).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Options);
    assert!(error.message().ends_with("did you mean \"json\"?"));
    Ok(())
}

#[test]
fn variables() -> Outcome {
    let (sandbox, client) = sandbox_and_client();
    sandbox.stub("GET", "v3/cards/{id}", 200, json!({}));
    sandbox.stub("POST", "v3/applyment4sub/applyment/", 200, json!({}));
    client.chain("v3/cards/{card_id}").get(json!({ "card_id": "pbLatjvWOibDc5/中" }))?;
    assert_eq!(sandbox.requests()[0].target, "/v3/cards/pbLatjvWOibDc5%2F%E4%B8%AD");

    client.chain("v3/things{?limit,offset}").get(json!({ "limit": 10 }))?; // RFC 6570, all levels
    assert_eq!(sandbox.requests()[1].target, "/v3/things?limit=10");

    client.chain("v3/applyment4sub/applyment/{empty}").post(json!({ "json": {} }))?; // a trailing slash
    assert_eq!(sandbox.requests()[2].target, "/v3/applyment4sub/applyment/");
    Ok(())
}

#[test]
fn bodies() -> Outcome {
    let (sandbox, client) = sandbox_and_client();
    let things = client.chain("v3/things");
    things.post(json!({ "json": { "name": "张三", "list": [], "map": {} } }))?;
    assert_eq!(body(&sandbox), r#"{"name":"张三","list":[],"map":{}}"#);

    #[derive(serde::Serialize)]
    struct Thing { name: &'static str }
    things.post(Options::new().json(&Thing { name: "张三" }))?;
    things.post(json!({ "body": r#"{"name": "a"}"# }))?;
    things.post(Options::new()
        .body(b"\x89PNG...".as_slice())
        .with("headers", json!({ "Content-Type": "image/png" })))?;
    things.post(json!({ "form_params": { "name": "a b", "list": ["x", "y"] } }))?;
    assert_eq!(body(&sandbox), "name=a+b&list%5B0%5D=x&list%5B1%5D=y");
    things.post(json!({ "multipart": [
        { "name": "meta", "contents": r#"{"sha256":"..."}"#, "headers": { "Content-Type": "application/json" } },
        { "name": "file", "contents": "a,b\n1,2\n", "filename": "a.csv" },
    ]}))?;
    assert!(body(&sandbox).contains("filename=\"a.csv\""));
    things.post(json!({
        "json": { "contact": { "name": "张三" }, "users": [{ "phone": "13800000000" }, { "phone": "13900000000" }] },
        "encrypt": ["contact.name", "users.phone"],
    }))?;
    assert!(!body(&sandbox).contains("张三") && !body(&sandbox).contains("13900000000"));
    sandbox.stub("POST", "v3/profitsharing/receivers/add", 200, json!({}));
    client.chain("v3/profitsharing/receivers/add").post(json!({
        "json": {
            "appid": "wx8888888888888888", "type": "PERSONAL_OPENID", "account": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
            "name": "张三", "relation_type": "USER",
        },
        "encrypt": true,
    }))?;
    assert!(!body(&sandbox).contains("张三"));
    let error = client.chain("v3/pay/transactions/native").post(json!({
        "json": { "mchid": 1900000109 },
        "check": "deny",
    })).unwrap_err();
    assert!(error.message().contains("json.mchid: a number where a string is needed"));
    sandbox.stub("POST", "v2/papay/querycontract", 200, json!({ "return_code": "SUCCESS", "contract_id": "1" }));
    let found = client.chain("v2/pay/orderquery").post(json!({ "xml": {
        "appid": "wx8888888888888888", "mch_id": "1900000109", "out_trade_no": "none-such",
    }}));
    assert_eq!(found.unwrap_err().code(), Some("ORDERNOTEXIST"));
    client.chain("v2/papay/querycontract").post(json!({
        "xml": { "appid": "wx8888888888888888", "mch_id": "1900000109", "contract_id": "1" },
        "nonceless": true,
    }))?;
    assert!(!body(&sandbox).contains("nonce_str"));
    let refund = client.chain("v2/secapi/pay/refund").post(json!({
        "xml": {
            "appid": "wx8888888888888888", "mch_id": "1900000109", "out_trade_no": "none-such",
            "out_refund_no": "1", "total_fee": 1, "refund_fee": 1,
        },
        "security": true,
    }));
    assert_eq!(refund.unwrap_err().code(), Some("ORDERNOTEXIST"));
    Ok(())
}

#[test]
fn requests() -> Outcome {
    let (sandbox, client) = sandbox_and_client();
    sandbox.stub("GET", "hk/v3/things", 200, json!({}));
    let (things, hk) = (client.chain("v3/things"), format!("{}hk/", sandbox.tls_base_uri()));
    things.get(json!({ "query": {
        "date": "2026-11-01 10:00:00", "all": true, "none": null, "ids": ["a", "b"],
    }}))?;
    assert_eq!(target(&sandbox), "/v3/things?date=2026-11-01%2010%3A00%3A00&all=1&ids%5B0%5D=a&ids%5B1%5D=b");

    things.get(json!({ "query": "a=1&b=2" }))?; // sent as given
    things.get(json!({ "headers": { "Accept-Language": "zh-CN", "X-Trace": ["1", 2] } }))?;
    things.get(json!({ "base_uri": hk }))?; // such as "https://apihk.mch.weixin.qq.com/hk/"
    assert_eq!(target(&sandbox), "/hk/v3/things");
    Ok(())
}

#[test]
fn sending() -> Outcome {
    let (sandbox, client) = sandbox_and_client();
    sandbox.file("v3/billdownload/file", 10);
    let things = client.chain("v3/things");
    let refund = json!({ "out_refund_no": "1", "out_trade_no": "1" });
    things.get(json!({ "timeout": 2.5 }))?;

    sandbox.inject(Fault::Delay(std::time::Duration::from_secs(1)));
    let error = things.get(json!({ "timeout": 0.1 })).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    things.get(json!({ "connect_timeout": 3 }))?;
    client.chain("v3/billdownload/file").get(json!({ "query": { "token": "x" }, "stream": true, "read_timeout": 10 }))?;
    things.get(json!({ "proxy": "" }))?; // no proxy, regardless of client and environment
    let proxy = json!({ "https": "http://user:password@proxy.example:3128", "no": ["127.0.0.1", ".internal"] });
    things.get(json!({ "proxy": proxy }))?; // 127.0.0.1 is called directly
    sandbox.stub("POST", "v3/refund/domestic/refunds", 200, json!({ "status": "PROCESSING" }));
    sandbox.inject(Fault::from_name("bad-gateway")?);
    let response = client.chain("v3/refund/domestic/refunds").post(json!({ "json": refund, "retry": 2 }))?;
    assert_eq!(response.attempts(), 2);

    things.get(json!({ "retry": { "times": 3, "pause": 0.2 } }))?;
    things.get(json!({ "allow_redirects": true }))?;
    things.post(json!({ "json": {}, "allow_redirects": { "max": 2, "strict": true } }))?;
    things.get(json!({ "debug": true }))?;
    Ok(())
}

#[test]
fn responses() -> Outcome {
    let (sandbox, client) = sandbox_and_client();
    sandbox.file("v3/billdownload/file", 1_000);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("bill.csv");
    let bill = client.chain("v3/billdownload/file");
    let token = json!({ "token": "x" });
    bill.get(json!({ "query": token, "sink": path }))?;
    assert_eq!(std::fs::metadata(&path)?.len(), 1_000);

    let writer = std::io::sink(); // any std::io::Write
    bill.get(Options::new()
        .with("query", token.clone())
        .sink(writer)
        .progress(|received, total| println!("{received} of {total:?} bytes")))?;
    let response = bill.get(json!({ "query": token, "stream": true }))?;
    let copied = std::io::copy(&mut response.into_stream(), &mut std::io::sink())?;
    assert_eq!(copied, 1_000);
    let order = client.chain("v3/pay/transactions/out-trade-no/{no}");
    let response = order.get(json!({ "no": "none-such", "query": { "mchid": "1900000109" }, "http_errors": false }))?;
    assert_eq!((response.status().as_u16(), response.is_verified()), (404, true));
    Ok(())
}

#[test]
fn settings() -> Outcome {
    let sandbox = Sandbox::start()?;
    let settings: Value = sandbox.settings();
    let client = Client::factory(settings)?; // the settings map of the PHP SDK
    let same = client.clone(); // shares keys and connections
    same.chain("v3/security/echo").post(json!({ "json": { "echo_message": "hello" } }))?;
    Ok(())
}

#[test]
fn connections() -> Outcome {
    let sandbox = Sandbox::start()?;
    let client = sandbox.client()?;
    let other_merchant = sandbox.client_builder();
    client.warm_up()?; // or warm_up_async().await: the first call needs no handshake
    let second = other_merchant.share_connections(&client).build()?; // a ClientBuilder with other keys
    second.warm_up()?; // does nothing: the connection of the first client is idle
    Ok(())
}
