//! The flows of the property in `secret_flows`: settings, calls, responses and notifications that
//! contain its random values.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use wechatpay_chain::catalog::{Catalog, Check};
use wechatpay_chain::notify::{self, Handled, Inbox, NotificationVerifier, Outcome, Reply};
use wechatpay_chain::sandbox::{self, Fault, MCHID, PUBLIC_KEY_ID, Recording, Sandbox};
use wechatpay_chain::store::MemoryStore;
use wechatpay_chain::{
    Apiv3Key, Bill, BoxError, BoxFuture, Certificate, Client, ClientBuilder, Media, Options, PrivateKey, PublicKey,
    RateLimit, Secret, Signature, Signer, php,
};

use super::secret_flows::Values;
use super::secret_forms::Shown;
use crate::support::{run, unused_address};

/// Settings that are wrong, and settings in the place of another one.
pub(super) fn settings(shown: &mut Shown, sandbox: &Sandbox, values: &Values) {
    let Values { password, apiv3_key, apiv2_key, header, .. } = values;
    let proxy = format!("http://user:{password}@127.0.0.1:1");
    let with = |builder: ClientBuilder| builder.apiv3_key(apiv3_key.as_str()).secret(apiv2_key.as_str());
    let builders = [
        with(sandbox.client_builder()).proxy(proxy.as_str()),
        with(sandbox.client_builder()).base_uri(format!("https://user:{password}@h/")),
        with(sandbox.client_builder()).proxy(format!("gopher://user:{password}@h")),
        with(sandbox.client_builder()).backup_uri(format!("https://user:{password}@h/")),
        sandbox.client_builder().apiv3_key(header.as_str()),
        sandbox.client_builder().private_key(apiv2_key.as_str()),
        sandbox
            .client_builder()
            .private_key(format!("-----BEGIN PRIVATE KEY-----\n{apiv3_key}\n-----END PRIVATE KEY-----")),
        sandbox.client_builder().platform_key("PUB_KEY_ID_1", apiv2_key.as_str()),
        sandbox.client_builder().merchant_certificate(apiv2_key.as_str(), apiv2_key.as_str()),
        sandbox.client_builder().root_certificate(apiv2_key.as_str()),
    ];
    for builder in builders {
        shown.debug(&builder);
        shown.result(builder.build());
    }
    let mut map = sandbox.settings();
    map["secret"] = json!(apiv2_key);
    map["apiv3_key"] = json!(apiv3_key);
    shown.result(Client::factory(map.clone()));
    for name in ["timeout", "retry", "concurrency", "proxy", "merchant", "certs"] {
        let mut map = map.clone();
        map[name] = json!({ "passphrase": apiv2_key, "cert": apiv3_key });
        shown.result(Client::factory(map));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("wxpay.toml");
    for line in ["secret = \"", "apiv3_key = \"", "secret = ", "nonsense = \"", "timeout = \""] {
        std::fs::write(&file, format!("mchid = \"{MCHID}\"\n{line}{apiv2_key}\"\n")).expect("written");
        shown.result(Client::from_file(&file));
    }
    shown.debug(&Secret::from(apiv2_key.as_str()));
    shown.result(Apiv3Key::try_from(apiv3_key.as_str()));
    shown.result(Apiv3Key::try_from(header.as_str()));
    shown.result(PrivateKey::from_pem(header));
    shown.result(PublicKey::from_pem(header));
    shown.debug(&sandbox.merchant_key());
    shown.debug(&sandbox.platform_key());
}

/// Signs nothing.
struct NoSigner;

impl Signer for NoSigner {
    fn sign<'a>(&'a self, _: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
        Box::pin(async { Err("the key is not at hand".into()) })
    }
}

/// Calls that are refused before they are sent, and those that reach no server.
pub(super) fn calls(shown: &mut Shown, sandbox: &Sandbox, values: &Values) {
    let client = client(sandbox, values);
    shown.debug(&client);
    shown.debug(&values.options());
    let chain = client.chain("v3/things/{id}");
    shown.debug(&chain);
    shown.debug(&chain.pages(json!({ "id": values.variable, "query": { "q": values.query } })));
    shown.debug(&chain.get_async(values.options()));
    shown.debug(&Media::from_bytes("a.png", values.body.clone().into_bytes()));
    let stream = Options::new().var("id", values.variable.as_str());
    for method in ["GET", "POST"] {
        sandbox.stub(method, "v3/things/{id}", 200, values.body(&values.response));
    }
    let response = chain.get(stream.with("stream", true)).expect("a stream");
    shown.debug(&response);
    shown.debug(&response.into_stream());
    // A value in the place of each option.
    for key in [
        "json",
        "query",
        "headers",
        "body",
        "form_params",
        "multipart",
        "timeout",
        "connect_timeout",
        "read_timeout",
        "allow_redirects",
        "http_errors",
        "proxy",
        "security",
        "nonceless",
        "retry",
        "encrypt",
        "check",
        "unknown",
        "method",
        "auth",
        "id",
    ] {
        for value in [json!(values.body), json!([values.body]), json!({ "a": [{ "b": values.body }] })] {
            let options =
                json!({ "id": values.variable, "json": { "x": values.body }, "query": { "q": values.query } });
            let mut options = options.as_object().expect("an object").clone();
            options.insert(key.to_owned(), value);
            shown.result(chain.post(Value::from(options)));
        }
    }
    shown.result(client.chain("v3/things/{id").post(values.options()));
    shown.result(client.chain("v3/things/{other}").post(values.options()));
    shown.result(client.chain("v3/things?a={id}").get(values.options()));
    shown.result(client.chain("https://example.com/{id}").get(values.options()));
    shown.result(chain.post(values.options().with("headers", json!({ "X-Bad": format!("{}\n", values.header) }))));
    let closed = sandbox.client_builder().base_uri(format!("http://{}/", unused_address())).build().expect("a client");
    shown.result(closed.chain("v3/things/{id}").post(values.options()));
    let unsigned = Client::builder().mchid(MCHID).signer(NoSigner).base_uri(sandbox.base_uri());
    let unsigned = unsigned.platform_key(PUBLIC_KEY_ID, sandbox.platform_key()).no_proxy().build().expect("a client");
    shown.result(unsigned.chain("v3/things/{id}").post(values.options()));
    let layer = tower::layer::layer_fn(|_| {
        tower::service_fn(|_: http::Request<Bytes>| async {
            Err::<http::Response<Bytes>, BoxError>("the limit of this shop".into())
        })
    });
    let limited = sandbox.client_builder().layer(layer).build().expect("a client");
    shown.result(limited.chain("v3/things/{id}").post(values.options()));
}

fn client(sandbox: &Sandbox, values: &Values) -> Client {
    let builder = sandbox.client_builder().secret(values.apiv2_key.as_str()).apiv3_key(values.apiv3_key.as_str());
    builder.build().expect("a client")
}

/// The service's refusals, and damaged responses.
pub(super) fn faults(shown: &mut Shown, sandbox: &Sandbox, values: &Values) {
    let client = client(sandbox, values);
    let chain = client.chain("v3/things/{id}");
    let gateway = |status: u16, body: String| {
        let response = http::Response::builder().status(status).header("location", "https://example.com/x");
        Fault::Gateway(response.header("x-personal", &values.header).body(body.into()).expect("a response"))
    };
    let response = values.body(&values.response);
    sandbox.stub("POST", "v3/things/{id}", 200, response.clone());
    for fault in [
        Fault::WrongSignature,
        Fault::UnknownSerial,
        Fault::Clock(900),
        Fault::MissingHeader("wechatpay-nonce".to_owned()),
        Fault::CutBody(20),
        Fault::Hangup,
        Fault::FrequencyLimited,
        Fault::Delay(Duration::from_millis(600)),
        gateway(302, values.response.clone()),
        gateway(400, response.to_string()),
        gateway(400, values.response.clone()),
        gateway(502, format!("<html>{}</html>", values.response)),
        gateway(500, response.to_string()),
        gateway(200, response.to_string()),
        gateway(601, response.to_string()),
    ] {
        shown.debug(&fault);
        sandbox.inject(fault);
        shown.result(chain.post(values.options().timeout(Duration::from_millis(300))));
    }
    sandbox.inject(gateway(502, response.to_string()));
    shown.result(chain.post(values.options().retry(1)));
    let refusal = json!({ "code": "PARAM_ERROR", "message": "wrong", "detail": { "value": values.response } });
    sandbox.stub("PUT", "v3/things/{id}", 400, refusal);
    shown.result(chain.put(values.options()));
    shown.result(client.chain("v3/pay/transactions/jsapi").post(json!({ "json": values.body(&values.body) })));
    // For a path without a stub, the sandbox shows the path, so that a stub can be written.
    shown.result(client.chain("v3/undocumented").post(values.options()));
    // The documentation of a call is compared with its values.
    let transfer = client.chain("v3/fund-app/mch-transfer/transfer-bills");
    for check in [Check::Warn, Check::Deny] {
        let body = json!({ "user_name": values.sensitive, "openid": values.body, "transfer_amount": values.body });
        shown.result(transfer.post(Options::new().json(&body).check(check)));
    }
    let wrong = json!({ "json": { "user_name": values.sensitive, "trade_type": values.body }, "encrypt": ["user_name", "none"] });
    shown.result(transfer.post(wrong));
    for finding in Catalog::builtin().check(
        "POST",
        "v3/pay/partner/transactions/codepay",
        &json!({ "json": values.body(&values.body), "query": { "a": values.query } }),
    ) {
        shown.debug(&finding);
        shown.text += &finding.to_string();
    }
}

/// A writer that fails.
struct Full;

impl io::Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::other("the disk is full"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug, Deserialize)]
struct Wrong {
    #[allow(dead_code, reason = "only deserialized")]
    payer: u8,
}

/// Responses that are not the expected ones.
pub(super) fn responses(shown: &mut Shown, sandbox: &Sandbox, values: &Values) {
    let client = client(sandbox, values);
    let chain = client.chain("v3/things/{id}");
    sandbox.stub("GET", "v3/things/{id}", 200, values.body(&values.response));
    let get = || Options::new().var("id", values.variable.as_str()).query(&json!({ "q": values.query }));
    let response = chain.get(get()).expect("a response");
    shown.debug(&response);
    shown.result(response.json::<Wrong>());
    shown.result(response.json::<Vec<u8>>());
    shown.result(response.field::<u8>("payer"));
    shown.result(response.field::<u8>("none"));
    shown.result(response.pointer::<u64>("/payer/openid"));
    shown.result(response.pointer::<u64>("/payer/list/1"));
    shown.result(response.xml());
    shown.result(client.download(&response));
    shown.result(client.decrypt_response("GET", "v3/things/{id}", &response));
    shown.result(chain.get(get().sink(Full)));
    let refused = json!({
        "download_url": format!("{}v3/none?token={}", sandbox.base_uri(), values.header), "hash_type": values.response,
        "hash_value": values.response,
    });
    sandbox.stub("GET", "v3/bill/tradebill", 200, refused.clone());
    shown.result(client.chain("v3/bill/tradebill").get(()).and_then(|response| client.download(&response)));
    let mut announced = refused;
    announced["hash_type"] = json!("SHA1");
    sandbox.stub("GET", "v3/bill/tradebill", 200, announced);
    if let Some(download) = shown.result(client.chain("v3/bill/tradebill").get(()).and_then(|r| client.download(&r))) {
        shown.result(download.write(Full));
    }
    // A response of the caller's own, in a unit test.
    let own = http::Response::builder().status(200).header("x-personal", &values.header);
    let own = wechatpay_chain::Response::from(own.body(Bytes::from(values.response.clone())).expect("a response"));
    shown.debug(&own);
    shown.result(own.json::<Wrong>());
    shown.result(own.xml());
}

/// The calls of APIv2.
pub(super) fn apiv2(shown: &mut Shown, sandbox: &Sandbox, values: &Values) {
    let fields =
        json!({ "mch_id": MCHID, "appid": "wx8888888888888888", "out_trade_no": "none", "attach": values.body });
    let client = sandbox.client().expect("a client");
    shown.result(client.chain("v2/pay/orderquery").post(json!({ "xml": fields })));
    shown.result(client.chain("v2/pay/orderquery").post(json!({ "xml": { "a": { "b": values.body } } })));
    shown.result(client.chain("v2/pay/orderquery").post(json!({ "json": { "a": values.body } })));
    // Signed with another key. The sandbox shows the message that was to be signed.
    let other = self::client(sandbox, values);
    let plain = json!({ "mch_id": MCHID, "appid": "wx8888888888888888", "out_trade_no": "none" });
    shown.result(other.chain("v2/pay/orderquery").post(json!({ "xml": plain })));
    for body in [
        format!("<xml><a>{}</a>", values.response),
        values.response.clone(),
        format!("<xml><return_code>SUCCESS</return_code><openid>{}</openid></xml>", values.header),
    ] {
        let response = http::Response::builder().status(200).body(Bytes::from(body)).expect("a response");
        sandbox.inject(Fault::Gateway(response));
        shown.result(client.chain("v2/pay/orderquery").post(json!({ "xml": fields })));
    }
}

/// Notifications that are authentic, forged, damaged, or encrypted with another key.
pub(super) fn notifications(shown: &mut Shown, sandbox: &Sandbox, values: &Values) {
    let resource = json!({ "payer": { "openid": values.notification }, "attach": values.notification });
    let verifier =
        |key: Apiv3Key| NotificationVerifier::new([(PUBLIC_KEY_ID, sandbox.platform_key())], key).expect("keys");
    let (own, other) =
        (verifier(sandbox.apiv3_key()), verifier(Apiv3Key::try_from(values.apiv3_key.as_str()).expect("key")));
    shown.debug(&own);
    let request = sandbox.notification("TRANSACTION.SUCCESS", "transaction", &resource).expect("a notification");
    shown.result(other.verify(request.headers(), request.body()));
    let notification = own.verify(request.headers(), request.body()).expect("authentic");
    shown.debug(&notification);
    shown.result(notification.json::<Wrong>());
    let replay = own.verify(request.headers(), request.body()).expect_err("a replay");
    shown.error(&replay);
    shown.debug(&Reply::to(&replay));
    shown.debug(&Handled::<Reply>::from(Outcome::Rejected(replay)));
    shown.debug(&Outcome::Rejected(own.verify(request.headers(), values.notification.as_bytes()).expect_err("forged")));
    for name in ["wechatpay-timestamp", "wechatpay-nonce", "wechatpay-signature", "wechatpay-serial"] {
        let mut changed = request.clone();
        let value = if name == "wechatpay-signature" { values.header.as_str() } else { "1554208460" };
        changed.headers_mut().insert(name, value.parse().expect("a header"));
        shown.result(own.verify(changed.headers(), changed.body()));
        changed.headers_mut().insert("wechatpay-signature", "WECHATPAY/SIGNTEST/x".parse().expect("a header"));
        shown.result(own.verify(changed.headers(), changed.body()));
    }
    let large = values.notification.repeat(1 + (1 << 20) / values.notification.len());
    shown.result(own.verify(request.headers(), large.as_bytes()));
    let inbox = Inbox::new(MemoryStore::default());
    shown.debug(&inbox);
    shown.debug(&MemoryStore::default());
    let handler = verifier(sandbox.apiv3_key()).inbox(inbox);
    let redelivery = sandbox.redelivery(&request).expect("signed");
    shown.debug(&run(async { handler.handle(&redelivery, |_| async { Err("not now".into()) }).await }));

    let v2 = sandbox.client().expect("a client").notifications_v2().expect("a key");
    shown.debug(&v2);
    let body = sandbox
        .notification_v2(&json!({ "openid": values.notification, "attach": values.notification }))
        .expect("a body");
    shown.result(v2.verify(&body));
    shown.result(v2.verify(&[b"<xml><openid>".as_slice(), values.notification.as_bytes(), &body].concat()));
    shown.result(v2.verify(values.notification.as_bytes()));
    shown.result(client(sandbox, values).notifications_v2().expect("a key").verify(&body));
    shown.debug(&notify::v2::Reply::success());

    let event = json!({
        "notify_url": "http://127.0.0.1:9/", "event_type": "X", "original_type": "x", "resource": resource,
    });
    sandbox.control("notify", &event).expect("sent");
    let sent = sandbox.notifications();
    let last = sent.last().expect("a notification");
    shown.debug(last);
    shown.result(last.json::<Wrong>());
    // The response of the program that receives notifications may contain anything.
    let mut attempts = Vec::new();
    for _ in 0..100 {
        attempts = sandbox.notifications().into_iter().flat_map(|notification| notification.attempts).collect();
        if !attempts.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut attempt = attempts.pop().expect("an attempt");
    attempt.response = values.notification.clone();
    shown.debug(&attempt);
}

/// The other public types.
pub(super) fn others(shown: &mut Shown, sandbox: &Sandbox, values: &Values) {
    let signature = Signature::new("SERIAL", values.header.clone().into_bytes());
    shown.debug(&signature);
    let encrypted = client(sandbox, values).encrypt(&values.sensitive);
    shown.result(encrypted);
    shown.debug(&RateLimit::new(1, Duration::from_secs(1)));
    shown.debug(&tower::Layer::layer(&RateLimit::new(1, Duration::from_secs(1)), values.body.clone()));
    shown.debug(&sandbox::Sandbox::builder());
    shown.debug(sandbox);
    let headers = [("x-personal", &values.header)]
        .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")));
    shown.debug(&php::Request::new(&http::HeaderMap::from_iter(headers), values.body.as_bytes()));
    let output = php::Output::new();
    output.echo(&values.body);
    output.header(&format!("X-Personal: {}", values.header));
    shown.debug(&output);
    // A bill, and a bill that is damaged.
    let cell = values.header.as_str();
    let bill = format!("a,b\r\n`{cell},`{cell}\r\n`{cell},`{cell}\r\ntotal,count\r\n`{cell},`1\r\n");
    if let Some(bill) = shown.result(Bill::parse(&bill)) {
        let row = bill.rows().next().expect("a row");
        shown.debug(&row);
        shown.result(row.fen("a"));
        shown.result(row.fen("none"));
    }
    for damaged in [
        cell.to_owned(),
        format!("{cell},{cell}\r\n`{cell}\r\n"),
        format!("a,b\r\n`{cell},`{cell},`{cell}\r\nc\r\n`{cell}\r\n"),
    ] {
        shown.result(Bill::parse(&damaged));
    }
    let order = format!("order-{}", sandbox.orders().len());
    let expectation = sandbox.expect("POST", "v3/pay/transactions/native").at_least(0);
    let expectation = expectation.json(json!({ "attach": values.body })).query("q", &values.query);
    shown.debug(&expectation);
    let recording = Recording::new();
    let client = sandbox.client_builder().layer(recording.clone()).build().expect("a client");
    client
        .chain("v3/pay/transactions/native")
        .post(json!({ "json": {
            "appid": "wxd678efh567hg6787", "mchid": MCHID, "description": "a book", "attach": values.header,
            "out_trade_no": order, "notify_url": "https://example.com/notify", "amount": { "total": 100 },
        }}))
        .expect("an order");
    client
        .chain("v3/things/{id}")
        .get(Options::new().var("id", values.variable.as_str()).query(&json!({ "q": values.query })))
        .expect("a stub");
    shown.debug(&recording);
    sandbox.pay(&order).expect("paid");
    let refund = json!({ "json": {
        "out_trade_no": order, "out_refund_no": order, "reason": values.header,
        "amount": { "refund": 1, "total": 100, "currency": "CNY" },
    }});
    sandbox.client().expect("a client").chain("v3/refund/domestic/refunds").post(refund).expect("a refund");
    for order in sandbox.orders() {
        shown.debug(&order);
    }
    for refund in sandbox.refunds() {
        shown.debug(&refund);
    }
    for request in sandbox.requests() {
        shown.debug(&request);
        shown.result(request.json::<Wrong>());
    }
    let settings = sandbox.settings();
    shown.result(Certificate::from_pem(settings["merchant"]["cert"].as_str().expect("pem")));
}
