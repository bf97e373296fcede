//! What could go wrong with the catalogue: personal values sent as plain text, false findings on
//! correct calls, the wrong call found, values in messages, and hostile catalogues.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use wechatpay_chain::catalog::{Catalog, Check, FindingKind};
use wechatpay_chain::sandbox::{MCHID, PUBLIC_KEY_ID, Sandbox};
use wechatpay_chain::{ErrorKind, IntoOptions, Options};

use crate::support::sandbox;

const RECEIVERS: &str = "v3/profitsharing/receivers/add";
const BATCHES: &str = "v3/transfer/batches";
const VERIFY: &str = "v3/realname/verify";
const NAME: &str = "张三";

fn stubbed() -> Sandbox {
    let sandbox = sandbox();
    sandbox.stub("POST", BATCHES, 200, json!({}));
    sandbox.stub("POST", RECEIVERS, 200, json!({}));
    sandbox.stub("GET", VERIFY, 200, json!({}));
    sandbox
}

/// Makes a call, and returns the reason if it was not sent. What was sent does not have the name.
fn refused(sandbox: &Sandbox, method: &str, path: &str, options: impl IntoOptions) -> Option<String> {
    let client = sandbox.client().expect("a client");
    let sent = sandbox.requests().len();
    let chain = client.chain(path);
    let result = if method == "POST" { chain.post(options) } else { chain.get(options) };
    for request in &sandbox.requests()[sent..] {
        let text = format!("{} {}", request.target, String::from_utf8_lossy(&request.body));
        let escaped = format!("{:?}", NAME.escape_unicode().to_string());
        for name in [NAME, "%E5%BC%A0%E4%B8%89", "%e5%bc%a0%e4%b8%89", escaped.trim_matches('"')] {
            assert!(!text.contains(name), "{text}");
        }
    }
    let error = result.err()?;
    assert_eq!((error.kind(), sandbox.requests().len()), (ErrorKind::Options, sent), "{error}");
    assert!(!error.to_string().contains(NAME), "{error}");
    Some(error.message().to_owned())
}

#[test]
fn encrypt_true_never_sends_a_documented_field_as_plain_text() {
    let sandbox = stubbed();
    // A body of another shape than the documented one is encrypted as well, or refused.
    let list = json!([{ "user_name": NAME }]);
    for (body, is_sent) in [
        (json!({ "transfer_detail_list": list }), true),
        (json!({ "transfer_detail_list": [list] }), true),
        (json!({ "transfer_detail_list": { "user_name": NAME } }), true),
        (json!({ "transfer_detail_list": [{ "user_name": [NAME, [NAME]] }, null] }), true),
        (json!([{ "transfer_detail_list": list }]), true),
        (json!({ "transfer_detail_list": list.to_string() }), false),
        (json!({ "transfer_detail_list": [{ "user_name": NAME }, NAME] }), false),
        (json!({ "transfer_detail_list": [[{ "usr_name": NAME }]] }), false),
        (json!({ "transfer_detail_list": { "usr_name": NAME } }), false),
        (json!({ "transfer_detail_list": [{ "user_name": { "name": NAME } }] }), false),
        (json!([{ "user_name": NAME }]), false),
        (json!(NAME), false),
        (json!([NAME]), false),
    ] {
        let reason = refused(&sandbox, "POST", BATCHES, json!({ "json": body, "encrypt": true }));
        assert_eq!(reason.is_none(), is_sent, "{body} {reason:?}");
    }
    // So is a body that the client does not look into, or a query in the path.
    let body = json!({ "name": NAME }).to_string();
    for (method, path, options, expected) in [
        ("POST", RECEIVERS, json!({ "body": body }), "the body is not \"json\""),
        ("POST", RECEIVERS, json!({ "form_params": { "name": NAME } }), "the body is not \"json\""),
        ("POST", RECEIVERS, json!({ "multipart": [{ "name": "name", "contents": NAME }] }), "the body is not \"json\""),
        ("GET", "v3/realname/verify{?encrypted_name}", json!({ "encrypted_name": NAME }), "the query is part of"),
        ("GET", "v3/realname/verify?encrypted_name=%e5%bc%a0%e4%b8%89", json!({}), "the query is part of"),
        ("GET", VERIFY, json!({ "query": { "encrypted_name": { "a": NAME } } }), "is not text"),
    ] {
        let mut options = options;
        options["encrypt"] = json!(true);
        let reason = refused(&sandbox, method, path, options).expect(path);
        assert!(reason.contains(expected), "{reason}");
    }
    // The parameter of a query is encrypted, also as a list.
    let options = json!({ "query": { "encrypted_name": [NAME, NAME] }, "encrypt": true });
    assert_eq!(refused(&sandbox, "GET", VERIFY, options), None);
}

#[test]
fn fields_that_are_named_twice_are_encrypted_once() {
    let sandbox = stubbed();
    let decrypted = |name: &str| {
        let body: Value = serde_json::from_slice(&sandbox.requests().pop().expect("a request").body).expect("JSON");
        sandbox.decrypt(PUBLIC_KEY_ID, body[name].as_str().expect("text")).expect("a ciphertext")
    };
    let options = || Options::new().json(&json!({ "name": NAME, "account": NAME }));
    for options in [
        // A list and `true` add up, in both orders, and so do two lists.
        options().with("encrypt", true).with("encrypt", json!(["account"])),
        options().with("encrypt", json!(["account"])).with("encrypt", true),
        options().with("encrypt", json!(["account"])).with("encrypt", json!(["name"])),
        options().with("encrypt", json!(["account", "name", "name[]", "account"])),
        options().with("encrypt", json!(["account", "name"])).with("encrypt", true),
    ] {
        assert_eq!(refused(&sandbox, "POST", RECEIVERS, options), None);
        assert_eq!((&*decrypted("name"), &*decrypted("account")), (NAME, NAME));
    }
}

/// The findings for a call, as text.
fn findings(method: &str, path: &str, options: Value) -> Vec<String> {
    Catalog::builtin().check(method, path, &options).iter().map(ToString::to_string).collect()
}

#[test]
fn the_query_of_a_path_counts() {
    let sandbox = sandbox();
    let client = sandbox.client_builder().check(Check::Deny).build().expect("a client");
    for (path, options) in [
        ("v3/pay/transactions/id/{id}{?mchid}", json!({ "id": "1", "mchid": MCHID })),
        ("v3/pay/transactions/id/{id}{?mchid*}", json!({ "id": "1", "mchid": MCHID })),
        ("v3/pay/transactions/id/{id}{?q*}", json!({ "id": "1", "q": { "mchid": MCHID } })),
        ("v3/pay/transactions/id/{id}?mchid=1900000001", json!({ "id": "1" })),
        ("v3/pay/transactions/id/1?mchid=1900000001", json!({})),
    ] {
        assert_eq!(findings("GET", path, options.clone()), [""; 0], "{path}");
        let error = client.chain(path).get(options).expect_err("no such order");
        assert_ne!(error.kind(), ErrorKind::Options, "{error}");
        assert_eq!(error.hint(), None, "{error}");
    }
    // Its fields are checked as well.
    let found = findings("GET", "v3/pay/transactions/id/1?mch_id=1", json!({}));
    assert_eq!(found[0], "query.mch_id: the field is not documented: did you mean \"mchid\"?");
    // A parameter that is null is not written.
    let query = json!({ "bill_date": "2020-01-01", "bill_type": null, "tar_type": [] });
    assert_eq!(findings("GET", "v3/bill/tradebill", json!({ "query": query })), [""; 0]);
    // After a rejection, the query of the path is known too.
    sandbox.stub("GET", "v3/pay/transactions/id/1", 400, json!({ "code": "PARAM_ERROR", "message": "x" }));
    let lenient = sandbox.client().expect("a client");
    let error = lenient.chain("v3/pay/transactions/id/1?mchid=1900000001").get(()).expect_err("rejected");
    assert_eq!((error.status().map(|status| status.as_u16()), error.hint()), (Some(400), None), "{error}");
    let error = lenient.chain("v3/pay/transactions/id/1?mchid=1900000001&x=1").get(()).expect_err("rejected");
    assert!(error.hint().is_some_and(|hint| hint.ends_with("query.x: the field is not documented")), "{error}");
}

#[test]
fn every_form_of_a_path_finds_its_call_and_no_other() {
    let query = json!({ "mchid": MCHID });
    let by_number = "v3/pay/transactions/out-trade-no";
    for (end, variables) in [
        ("/{a}-{b}", json!({ "a": "1", "b": "2" })),
        ("/a{x}b", json!({ "x": "1" })),
        ("/{a,b}", json!({ "a": "1", "b": "2" })),
        ("{/a}", json!({ "a": "1" })),
        ("/a%2Fb%20c", json!({})),
        ("/<a>", json!({ "a": "1" })),
    ] {
        let mut options = variables;
        options["query"] = query.clone();
        assert_eq!(findings("GET", &format!("{by_number}{end}"), options), [""; 0], "{end}");
    }
    let options = json!({ "kind": "out-trade-no", "number": "1", "query": query });
    assert_eq!(findings("GET", "v3/pay/transactions/{kind}/{number}", options.clone()), [""; 0]);
    assert_eq!(findings("GET", "v3/pay/transactions{/kind,number}", options), [""; 0]);
    // An empty segment is not a value, and a slash at the end is part of the path.
    let catalog = Catalog::builtin();
    for path in
        ["v3/pay/transactions/id/", "v3/pay/transactions/id/1/", "v3//certificates", "v3/certificates/", "/", ""]
    {
        assert!(catalog.find("GET", path).is_none(), "{path:?}");
    }
    assert!(catalog.find("GET", "v3/ecommerce/applyments/").is_none());
    assert!(catalog.find("GET", "v3/ecommerce/applyments/{empty}").is_none());
    assert!(catalog.find("POST", "v3/ecommerce/applyments/7").is_none());
    let found = catalog.find("POST", "v3/ecommerce/applyments/").expect("documented");
    assert_eq!(found.template(), Some("v3/ecommerce/applyments/{empty}"));
}

#[test]
fn a_number_with_a_fraction_is_not_an_integer_in_json() {
    let total = |total: Value| {
        let found = findings("POST", "v3/pay/transactions/native", json!({ "json": { "amount": { "total": total } } }));
        found.into_iter().filter(|finding| finding.starts_with("json.amount")).collect::<Vec<_>>()
    };
    assert_eq!(total(json!(100)), [""; 0]);
    for wrong in [json!(100.0), json!(99.5), json!(null), json!("100"), json!(true)] {
        assert_eq!(total(wrong.clone()).len(), 1, "{wrong}");
    }
    let limit =
        |limit: Value| findings("GET", "v3/merchant-service/complaints-v2", json!({ "query": { "limit": limit } }));
    assert_eq!(limit(json!(10.0)), limit(json!(10)), "PHP writes 10.0 as 10");
}

#[test]
fn names_that_are_personal_values_are_not_shown() {
    let values =
        ["13800138000", "11010119900101123X", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", NAME, "a@example.com", "4200000000202"];
    let members: Map<String, Value> = values.iter().map(|value| ((*value).to_owned(), json!(1))).collect();
    for options in [
        json!({ "json": members }),
        json!({ "json": { "amount": members } }),
        json!({ "query": members }),
        json!({ "headers": members }),
        json!(members),
    ] {
        for finding in findings("POST", "v3/pay/transactions/native", options) {
            assert!(!values.iter().any(|value| finding.contains(value)), "{finding}");
        }
    }
}

/// With quadratic time, this test would take hours.
#[test]
fn a_body_with_many_findings_is_checked_in_linear_time() {
    let list: Vec<Value> = (0..100_000).map(|_| json!({ "user_nam": 1 })).collect();
    let findings = Catalog::builtin().check("POST", BATCHES, &json!({ "json": { "transfer_detail_list": list } }));
    let of = |kind: FindingKind| findings.iter().filter(|finding| finding.kind() == kind).count();
    assert_eq!(of(FindingKind::UnknownField), 100_000);
    assert!(of(FindingKind::MissingField) >= 400_000);
    let members: Map<String, Value> = (0..100_000).map(|i| (format!("unknown_{i}"), json!(1))).collect();
    let sandbox = sandbox();
    let client = sandbox.client_builder().check(Check::Deny).build().expect("a client");
    let error = client.chain(RECEIVERS).post(json!({ "json": members })).expect_err("denied");
    assert!(error.message().len() < 10_000, "{}", error.message().len());
    assert!(error.message().ends_with("; 99954 more findings"), "{error}");
}

#[test]
fn a_hostile_catalogue_is_refused() {
    let reason = |text: &str| {
        let text = format!("# wechatpay-chain catalogue, format 1\n\n{text}");
        Catalog::from_text(text).expect_err("refused").message().to_owned()
    };
    let name = "a".repeat(129);
    let many: String = (0..1001).map(|i| format!("  f{i} string\n")).collect();
    for (text, expected) in [
        // Words that a shell would run, or a compiler would not read.
        ("`id` v3/x T\n", "line 3: a record begins with METHOD"),
        ("|id| v3/x T\n", "line 3: a record begins with METHOD"),
        ("GET v3/x';id;' T\n", "line 3: a record begins with METHOD"),
        ("GET $(id) T\n", "line 3: a record begins with METHOD"),
        ("NOTIFICATION\n", "line 3: a record begins with METHOD"),
        ("GET v3/x T\n json\n  a\"b string\n", "line 5: a field has the form"),
        (&format!("GET v3/x T\n json\n  {name} string\n"), "line 5: a field has the form"),
        (&format!("GET v3/{} T\n", "a".repeat(300)), "line 3: a record begins with METHOD"),
        // Characters that move the cursor of a terminal.
        ("GET v3/x T\u{1b}[31m\n", "line 3: the control character '\\u{1b}' is not allowed"),
        ("GET v3/x T\n json\n  a string = A|\u{9b}31m\n", "line 5: the control character"),
        // What could be read in two ways, and what would take quadratic time.
        ("GET v3/x T\n json\n json\n  a string!\n", "line 5: the keyword \"json\" appears twice"),
        (&format!("GET v3/x T\n json\n{many}"), "line 1005: more than 1000 fields at one level"),
        // A file that was cut off.
        ("", "the catalogue has no calls"),
    ] {
        let message = reason(text);
        assert!(message.contains(expected), "{text:.60?}: {message}");
    }
    #[cfg(unix)]
    assert!(Catalog::from_path("/dev/zero").expect_err("endless").message().contains("has more than 32 MiB"));
}

#[test]
fn a_search_tolerates_what_people_type() {
    for (query, expected) in [
        ("退款接口", "POST v3/refund/domestic/refunds"),
        ("申请退款 API", "POST v3/refund/domestic/refunds"),
        ("POST v3/refund/domestic/refunds", "POST v3/refund/domestic/refunds"),
        ("get v3/certificates", "GET v3/certificates"),
        ("请求分帐", "POST v3/profitsharing/orders"),
        ("查询订单", "GET v3/pay/transactions/out-trade-no/{out_trade_no}"),
        ("小程序支付", "POST v3/pay/transactions/jsapi"),
        ("刷卡支付", "POST v3/pay/transactions/codepay"),
        ("商家转账到零钱", "POST v3/fund-app/mch-transfer/transfer-bills"),
        ("退宽", "POST v3/refund/domestic/refunds"),
    ] {
        let found: BTreeSet<String> = Catalog::builtin()
            .search(query)
            .into_iter()
            .take(5)
            .map(|call| format!("{} {}", call.method(), call.template().unwrap_or_default()))
            .collect();
        assert!(found.contains(expected), "{query}: {found:#?}");
    }
}
