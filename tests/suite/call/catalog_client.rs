//! The catalogue in a client: checks before a call, encryption and decryption of documented fields,
//! and hints after a rejection.

use serde_json::{Value, json};
use wechatpay_chain::catalog::{Catalog, Check, FindingKind};
use wechatpay_chain::sandbox::{MCHID, PUBLIC_KEY_ID, Sandbox};
use wechatpay_chain::{Client, ErrorKind};

use crate::support::{SharedBuffer, each_hint_names_its_condition, run_in_new_process, sandbox};

const NATIVE: &str = "v3/pay/transactions/native";
const RECEIVERS: &str = "v3/profitsharing/receivers/add";

fn order() -> Value {
    json!({
        "appid": "wxd678efh567hg6787",
        "mchid": MCHID,
        "description": "Image形象店",
        "out_trade_no": "order-1",
        "notify_url": "https://www.example.com/notify",
        "amount": { "total": 100 },
    })
}

fn denying(sandbox: &Sandbox) -> Client {
    sandbox.client_builder().check(Check::Deny).build().expect("a client")
}

#[test]
fn a_call_with_findings_is_denied_with_all_of_them() {
    let sandbox = sandbox();
    let client = denying(&sandbox);
    client.chain(NATIVE).post(json!({ "json": order() })).expect("no findings");
    let sent = sandbox.requests().len();
    let mut body = order();
    (body["amount"], body["atach"]) = (json!({ "total": "100" }), json!("personal"));
    body.as_object_mut().expect("members").remove("notify_url");
    let options = json!({ "json": body });
    let error = client.chain(NATIVE).post(options.clone()).expect_err("denied");
    assert_eq!(error.kind(), ErrorKind::Options);
    assert!(error.is_before_send());
    assert_eq!(
        error.to_string(),
        "POST v3/pay/transactions/native: the call differs from its documentation: \
         json.atach: the field is not documented: did you mean \"attach\"?; \
         json.amount.total: a string where an integer is needed; \
         json.notify_url: the field is required and missing"
    );
    // Calls that the catalogue does not have are denied too, and options come before findings.
    let error = client.chain("v3/pay/transaction/native").post(json!({ "json": order() })).expect_err("denied");
    assert!(error.message().ends_with("did you mean \"POST v3/pay/transactions/native\"?"), "{error}");
    let error = client.chain(NATIVE).post(json!({ "json": body, "timeout": "a" })).expect_err("denied");
    assert!(error.message().contains("\"timeout\""), "{error}");
    assert_eq!(sandbox.requests().len(), sent, "nothing was sent");
    // The option of a call replaces the setting of the client.
    let mut off = options.clone();
    off["check"] = json!("off");
    assert_ne!(client.chain(NATIVE).post(off).expect_err("rejected").kind(), ErrorKind::Options);
    assert_eq!(sandbox.requests().len(), sent + 1);
    let mut deny = options;
    deny["check"] = json!("deny");
    let error = sandbox.client().expect("a client").chain(NATIVE).post(deny).expect_err("denied");
    assert_eq!(error.kind(), ErrorKind::Options);
}

#[test]
fn another_catalogue_replaces_the_built_in_one() {
    let sandbox = sandbox();
    sandbox.stub("GET", "v3/things/{id}", 200, json!({}));
    let text = "# wechatpay-chain catalogue, format 1\n\nGET v3/things/{thing_id} Thing\n path!\n  thing_id integer!\n response json\n";
    let catalog = Catalog::from_text(text).expect("a catalogue");
    let client = sandbox.client_builder().check(Check::Deny).catalog(catalog).build().expect("a client");
    // The name of the variable is the caller's choice.
    client.chain("v3/things/{id}").get(json!({ "id": 7 })).expect("no findings");
    client.chain("v3/things/7").get(()).expect("no findings");
    let error = client.chain("v3/things/{id}").get(json!({ "id": "x" })).expect_err("denied");
    assert!(error.message().ends_with("id: a string where an integer is needed"), "{error}");
    let error = client.chain(NATIVE).post(json!({ "json": order() })).expect_err("denied");
    assert!(error.message().ends_with("the call is not documented"), "{error}");
}

/// In a new process, since `tracing` decides for the whole process whether a call site is enabled.
#[test]
fn findings_are_warnings_without_values() {
    run_in_new_process("call::catalog_client::warnings_in_this_process");
}

#[test]
#[ignore = "the test above runs it in a new process"]
fn warnings_in_this_process() {
    let sandbox = sandbox();
    let client = sandbox.client_builder().check(Check::Warn).build().expect("a client");
    let log = SharedBuffer::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let mut body = order();
        (body["atach"], body["amount"]["currency"]) = (json!("personal-1"), json!(7));
        let _ = client.chain(NATIVE).post(json!({ "json": body }));
        client.chain(NATIVE).post(json!({ "json": order() })).expect("no findings");
    });
    let log = String::from_utf8(log.bytes()).expect("text");
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(lines.len(), 2, "{log}");
    for expected in [
        "json.atach: the field is not documented: did you mean \"attach\"?",
        "json.amount.currency: a number where a string is needed",
        "finding.kind=\"unknown field\"",
        "http.request.method=POST",
        "url.template=/v3/pay/transactions/native",
    ] {
        assert!(log.contains(expected), "{expected:?} not in\n{log}");
    }
    assert!(!log.contains("personal"), "{log}");
}

#[test]
fn documented_fields_are_encrypted_and_decrypted() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("a client");
    // In the JSON body, at several levels; absent and empty fields stay so.
    sandbox.stub("POST", "v3/transfer/batches", 200, json!({}));
    let detail = |name: Value| json!({ "out_detail_no": "1", "transfer_amount": 1, "transfer_remark": "a", "openid": "o", "user_name": name });
    let mut without = detail(json!(""));
    without.as_object_mut().expect("members").remove("user_name");
    let batch = json!({
        "appid": "a", "out_batch_no": "1", "batch_name": "a", "batch_remark": "a", "total_amount": 1, "total_num": 3,
        "transfer_detail_list": [detail(json!("张三")), without, detail(json!(""))],
    });
    client.chain("v3/transfer/batches").post(json!({ "json": batch, "encrypt": true })).expect("a response");
    let request = sandbox.requests().pop().expect("a request");
    let body: Value = serde_json::from_slice(&request.body).expect("JSON");
    let list = &body["transfer_detail_list"];
    let decrypt = |value: &Value| sandbox.decrypt(PUBLIC_KEY_ID, value.as_str().expect("text")).expect("a ciphertext");
    assert_eq!(decrypt(&list[0]["user_name"]), "张三");
    assert_eq!((list[1].get("user_name"), &list[2]["user_name"]), (None, &json!("")));
    assert_eq!(request.headers["wechatpay-serial"], PUBLIC_KEY_ID);
    // In the query.
    let path = "v3/realname/verify";
    sandbox.stub("GET", path, 200, json!({}));
    let mut options = Catalog::builtin().find("GET", path).expect("documented").example(false);
    let fields =
        Catalog::builtin().find("GET", path).expect("documented").fields(wechatpay_chain::catalog::Place::Query);
    let name = &fields.iter().find(|field| field.encoding.as_str() == "encrypted").expect("encrypted").name;
    options["query"][name] = json!("李四");
    options["encrypt"] = json!(true);
    client.chain(path).get(options).expect("a response");
    let target = sandbox.requests().pop().expect("a request").target;
    let query = target.split_once('?').expect("a query").1;
    let cipher = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).expect("the field");
    let cipher = cipher.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
    assert_eq!(sandbox.decrypt(PUBLIC_KEY_ID, &cipher).expect("a ciphertext"), "李四");
    // In a response.
    let path = "v3/merchant-service/complaints-v2";
    let phone = sandbox.merchant_key().public_key().encrypt(b"13800000000").expect("encrypted");
    let complaints = json!({ "data": [{ "payer_phone": phone }, { "payer_phone": "" }, {}], "total_count": 3 });
    sandbox.stub("GET", path, 200, complaints);
    let query = json!({ "begin_date": "2019-01-01", "end_date": "2019-01-01" });
    let response = client.chain(path).get(json!({ "query": query })).expect("a response");
    let json = client.decrypt_response("GET", path, &response).expect("decrypted");
    assert_eq!(json["data"], json!([{ "payer_phone": "13800000000" }, { "payer_phone": "" }, {}]));
}

#[test]
fn encrypt_true_is_an_error_where_it_would_encrypt_nothing_or_wrongly() {
    let sandbox = sandbox();
    let client = sandbox.client_builder().secret(sandbox.secret()).build().expect("a client");
    let post = |path: &str, options: Value| {
        let error = client.chain(path).post(options).expect_err("an error");
        assert_eq!(error.kind(), ErrorKind::Options, "{error}");
        error.to_string()
    };
    let customs = "v3/global/customs/verify-certificate";
    let query = client.chain("v3/realname/verify").get(json!({ "query": "a=b", "encrypt": true }));
    let in_path = client.chain("v3/realname/verify?encrypted_name=a").get(json!({ "encrypt": true }));
    each_hint_names_its_condition(&[
        (
            "is true, and the catalogue does not have the call",
            post("v3/things", json!({ "json": {}, "encrypt": true })),
        ),
        (
            "has no encrypted fields: name the fields",
            post("v3/refund/domestic/refunds", json!({ "json": {}, "encrypt": true })),
        ),
        (
            "fields that are not documented would be sent as plain text",
            post(RECEIVERS, json!({ "json": { "nmae": "张三" }, "encrypt": true })),
        ),
        (
            "fields that are not documented would be sent as plain text",
            post("v3/applyment4sub/applyment/{empty}", json!({ "json": { "contact_name": "张三" }, "encrypt": true })),
        ),
        ("encrypt its fields with PublicKey::encrypt_pkcs1v15", post(customs, json!({ "json": {}, "encrypt": true }))),
        ("\"query\" is a string: give it as an object", query.expect_err("an error").to_string()),
        ("the query is part of the path: give it as the option", in_path.expect_err("an error").to_string()),
        ("APIv2 encrypts in another way", post("v2/mmpaysptrans/pay_bank", json!({ "xml": {}, "encrypt": true }))),
        ("\"warn\" or \"deny\" is needed", post(NATIVE, json!({ "check": true }))),
    ]);
    // A ciphertext is not encrypted a second time.
    let cipher = client.encrypt("张三").expect("encrypted").ciphertext;
    let receiver =
        json!({ "appid": "a", "type": "PERSONAL_OPENID", "account": "a", "relation_type": "USER", "name": cipher });
    assert!(post(RECEIVERS, json!({ "json": receiver, "encrypt": true })).contains("344 bytes"));
    assert!(sandbox.requests().is_empty());
    sandbox.stub("GET", "v3/things", 200, json!({}));
    let response = client.chain("v3/things").get(()).expect("a response");
    let error = client.decrypt_response("GET", "v3/things", &response).expect_err("undocumented");
    assert!(error.message().contains("decrypt its fields with PrivateKey::decrypt_fields"), "{error}");
}

#[test]
fn after_a_rejection_the_hint_lists_the_findings() {
    let sandbox = sandbox();
    let client = sandbox.client().expect("a client");
    let rejection = json!({ "code": "PARAM_ERROR", "message": "参数错误" });
    sandbox.stub("POST", RECEIVERS, 400, rejection.clone());
    let json = json!({ "appid": "a", "type": "PERSONAL_OPENID", "account": 7, "name": "张三" });
    let error = client.chain(RECEIVERS).post(json!({ "json": json })).expect_err("rejected");
    assert_eq!(
        error.hint(),
        Some(
            "the call differs from its documentation: json.account: a number where a string is needed; \
             json.name: the field is sent encrypted, and this is not a ciphertext: the option \"encrypt\" encrypts it; \
             json.relation_type: the field is required and missing"
        )
    );
    assert!(error.to_string().contains("参数错误; the call differs"), "{error}");
    assert!(!error.to_string().contains("张三"), "{error}");
    // Without findings, and for a call that the catalogue does not have, there is no hint.
    let good = json!({ "appid": "a", "type": "PERSONAL_OPENID", "account": "7", "relation_type": "USER" });
    assert_eq!(client.chain(RECEIVERS).post(json!({ "json": good })).expect_err("rejected").hint(), None);
    let encrypted =
        json!({ "appid": "a", "type": "PERSONAL_OPENID", "account": "7", "relation_type": "USER", "name": "张三" });
    let options = json!({ "json": encrypted, "encrypt": true });
    assert_eq!(client.chain(RECEIVERS).post(options).expect_err("rejected").hint(), None);
    sandbox.stub("POST", "v3/things", 400, rejection);
    assert_eq!(client.chain("v3/things").post(json!({ "json": {} })).expect_err("rejected").hint(), None);
}

#[test]
fn one_of_several_numbers_of_an_order_is_enough() {
    let catalog = Catalog::builtin();
    let missing = |path: &str, xml: Value| -> Vec<String> {
        let findings = catalog.check("POST", path, &json!({ "xml": xml }));
        let missing = findings.iter().filter(|finding| finding.kind() == FindingKind::MissingField);
        let numbers = missing.map(|finding| finding.path().to_owned()).filter(|path| !path.contains("appid"));
        numbers
            .filter(|path| path.contains("transaction") || path.contains("out_") || path.contains("refund_id"))
            .collect()
    };
    for number in ["transaction_id", "out_trade_no"] {
        assert_eq!(
            missing("v2/pay/orderquery", json!({ number: "1217752501201407033233368018" })),
            [""; 0],
            "{number}"
        );
    }
    assert_eq!(missing("v2/pay/orderquery", json!({})).len(), 2);
    for number in ["transaction_id", "out_trade_no", "out_refund_no", "refund_id"] {
        assert_eq!(
            missing("v2/pay/refundquery", json!({ number: "1217752501201407033233368018" })),
            [""; 0],
            "{number}"
        );
    }
    // The number of the new refund does not name the order.
    let refund = missing("v2/secapi/pay/refund", json!({ "out_refund_no": "1" }));
    assert_eq!(refund, ["xml.transaction_id", "xml.out_trade_no"]);
}

#[test]
fn a_mistake_in_the_options_comes_before_the_documentation() {
    let sandbox = sandbox();
    let client = sandbox.client_builder().check(Check::Deny).build().expect("client");
    let native = client.chain("v3/pay/transactions/native");
    let error = native.post(json!({ "mchid": "1900000109", "description": "a book" })).expect_err("no json");
    assert!(error.message().contains("belongs in \"json\""), "{error}");
    assert_eq!(sandbox.requests().len(), 0);
}
