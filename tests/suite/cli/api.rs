//! `wxpay api`: the catalogue and its import.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::{run_with_input, text, wxpay};
use crate::call::corpus;
use crate::docs::root;

/// The calls of `wxpay api list --json`, by method and path, or title if there is no path.
fn listed(command: Command) -> BTreeMap<(String, String), Value> {
    let output = run_with_input(command, "");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a call")).map(|call: Value| (key(&call), call)).collect()
}

fn key(call: &Value) -> (String, String) {
    let path = call.get("template").unwrap_or(&call["title"]);
    (call["method"].as_str().expect("method").to_owned(), path.as_str().expect("path").to_owned())
}

/// The folder of the pages, and a temporary file for the catalogue.
fn pages_and_file() -> Option<(PathBuf, tempfile::TempDir)> {
    let pages = corpus::folder()?.join("catalog/pages");
    Some((pages, tempfile::tempdir().expect("a folder")))
}

/// Where the import differs from the calls that another program extracted: the call, what differs,
/// and the reason.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("POST v2/mmpaymkttransfers/sendgroupredpack", "xml.risk_info", "marked as URL-encoded, and not as JSON"),
    ("POST v2/mmpaymkttransfers/sendredpack", "xml.risk_info", "marked as URL-encoded, and not as JSON"),
    ("POST v2/secapi/mch/{addinstitutionsub}", "path.addinstitutionsub", "has one value, the name of its page"),
    ("POST v2/secapi/mch/{modifyinstitutionsub}", "path.modifyinstitutionsub", "has one value, the name of its page"),
    ("POST v2/secapi/mch/{queryinstitutionsub}", "path.queryinstitutionsub", "has one value, the name of its page"),
    ("POST v2/xdc/apiv2sandbox/pay/orderquery", "path.timeout", "an option of the call, and not a variable"),
    ("GET v3/bank-transfer/batches/out-batch-no/{out_batch_no}", "path.out_batch_no", "missing in the table"),
    ("PATCH v3/global/merchants/{sub_mchid}", "path.sub_mchid", "missing in the table"),
    ("GET v3/merchant/fund/withdraw/bill-type/{bill_type}", "path.bill_type", "missing in the table"),
    (
        "POST v3/offlinefacemch/organizations/{organization_id}/users/user-id/{user_id}/terminate-contract",
        "path.user_id",
        "misspelled in the table",
    ),
    (
        "POST v3/offlinefacemch/organizations/{organization_id}/users/user-id/{user_id}/terminate-contract",
        "path.use_id",
        "the misspelled name",
    ),
    ("POST v3/payscore/users/{openid}/permissions/{service_id}/terminate", "path.openid", "missing in the table"),
    ("POST v3/payscore/users/{openid}/permissions/{service_id}/terminate", "path.service_id", "missing in the table"),
];

/// The fields of a call by place, path and position among the fields of the same path.
fn fields(call: &Value, side: &str) -> BTreeMap<(String, usize), Value> {
    let mut fields = BTreeMap::new();
    for field in call[side].as_array().expect("fields") {
        let place = field.get("in").map_or("response", |place| place.as_str().expect("place"));
        let path = format!("{place}.{}", field["path"].as_str().expect("path"));
        let number = fields.keys().filter(|(other, _)| *other == path).count();
        fields.insert((path, number), field.clone());
    }
    fields
}

#[test]
fn the_import_is_the_same_as_that_of_another_program() {
    let Some(folder) = corpus::folder() else { return };
    let calls = listed(wxpay(&["api", "list", "--json"]));
    let (mut differences, mut count) = (Vec::new(), 0);
    for line in fs::read_to_string(folder.join("catalog/calls.jsonl")).expect("calls.jsonl").lines() {
        let expected: Value = serde_json::from_str(line).expect("a call");
        let key = key(&expected);
        let name = format!("{} {}", key.0, key.1);
        let call = calls.get(&key).unwrap_or_else(|| panic!("{name} is missing"));
        count += 1;
        for member in ["title", "template", "host", "certificate", "answer"] {
            assert_eq!(call.get(member), expected.get(member), "{name}: {member}");
        }
        for side in ["request", "response"] {
            let (ours, theirs) = (fields(call, side), fields(&expected, side));
            for (path, number) in ours.keys().chain(theirs.keys()) {
                let key = (path.clone(), *number);
                if ours.get(&key) != theirs.get(&key) {
                    differences.push((name.clone(), path.clone()));
                }
            }
        }
    }
    assert_eq!(count, 792);
    differences.sort();
    differences.dedup();
    let mut expected: Vec<_> =
        DIFFERENCES.iter().map(|(call, field, _)| ((*call).to_owned(), (*field).to_owned())).collect();
    expected.sort();
    assert_eq!(differences, expected);
}

#[test]
fn the_catalogue_is_what_the_import_builds_from_the_pages() {
    let Some((pages, folder)) = pages_and_file() else { return };
    let file = folder.path().join("catalog.txt");
    let mut command = wxpay(&["api", "import", "-o"]);
    command.arg(&file).arg(&pages);
    let output = run_with_input(command, "");
    assert!(output.status.success(), "{output:?}");
    let notes = String::from_utf8(output.stderr).expect("UTF-8");
    // What the pages have that is irregular, by kind.
    for (note, count) in [
        ("Moved to", 8),
        ("has no path", 4),
        ("of the path is missing in the table: added", 5),
        ("in the table: renamed", 2),
        ("is a text with fields", 15),
        ("is recorded as \"payer_currency\"", 2),
        ("is left out", 2),
    ] {
        assert_eq!(notes.matches(note).count(), count, "{note}\n{notes}");
    }
    assert!(notes.contains("1147 calls and 112 notifications"), "{notes}");
    let (built, committed) = (fs::read_to_string(&file).expect("a catalogue"), root().join("src/catalog/catalog.txt"));
    let committed = fs::read_to_string(committed).expect("the catalogue");
    let different = built.lines().zip(committed.lines()).position(|(built, committed)| built != committed);
    assert!(
        built == committed,
        "line {different:?} differs: run wxpay api import ../shared/catalog/pages -o src/catalog/catalog.txt"
    );
}

/// The standard output of a command that succeeds.
fn printed(arguments: &[&str]) -> String {
    let output = run_with_input(wxpay(arguments), "");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    text(&output.stdout)
}

/// The message of a command that fails with a code.
fn failed(arguments: &[&str], code: i32) -> String {
    let output = run_with_input(wxpay(arguments), "");
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
    text(&output.stderr)
}

const RECEIVERS: &str = "v3/profitsharing/receivers/add";

#[test]
fn calls_are_searched_and_shown() {
    let found = printed(&["api", "search", "添加", "分账接收方", "--limit", "2"]);
    assert_eq!(found.lines().count(), 2, "{found}");
    assert!(found.starts_with("POST   v3/profitsharing/receivers/add 添加分账接收方\n"), "{found}");
    assert!(failed(&["api", "search", "qqqqqqqq"], 1).contains("no call matches"));
    let shown = printed(&["api", "show", "post", "v3.profitsharing.receivers.add"]);
    for line in [
        "POST v3/profitsharing/receivers/add 添加分账接收方",
        "request, json *",
        "  appid *          string",
        "  name             string  encrypted",
        "  type *           string             MERCHANT_ID | PERSONAL_OPENID | PERSONAL_SUB_OPENID",
        "response, json",
        "https://pay.weixin.qq.com/doc/v3/merchant/4012528995",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line:?} not in\n{shown}");
    }
    let nested = printed(&["api", "show", "GET", "v3/certificates"]);
    assert!(nested.contains("\n    encrypt_certificate *  object\n      algorithm *          string\n"), "{nested}");
    let shown = printed(&["api", "show", "POST", "v2/secapi/pay/refund"]);
    assert!(shown.contains("options: security\n"), "{shown}");
    let message = failed(&["api", "show", "POST", "v3/profitsharing/receiver/add"], 2);
    assert!(message.contains("did you mean \"POST v3/profitsharing/receivers/add\"?"), "{message}");
    let mut command = wxpay(&["api", "show", "GET", "v3/certificates"]);
    command.env("WXPAY_LANG", "zh");
    let shown = text(&run_with_input(command, "").stdout);
    assert!(shown.contains("应答， json") && shown.contains("* 表示必填"), "{shown}");
}

#[test]
fn an_example_is_printed_in_four_languages() {
    let json = printed(&["api", "example", "POST", RECEIVERS, "--all"]);
    let options: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(options["json"]["type"], "MERCHANT_ID");
    assert_eq!(options["encrypt"], true);
    let rust = printed(&["api", "example", "POST", RECEIVERS, "-l", "rust"]);
    assert!(
        rust.starts_with("let response = client.chain(\"v3/profitsharing/receivers/add\").post(json!({\n"),
        "{rust}"
    );
    let upload = printed(&["api", "example", "POST", "v3/merchant/media/upload", "-l", "rust"]);
    assert!(upload.ends_with(".post(Media::from_path(\"image.jpg\"))?;\n"), "{upload}");
    let php = printed(&["api", "example", "POST", RECEIVERS, "-l", "php", "--all"]);
    for part in [
        "$response = $instance->chain('v3/profitsharing/receivers/add')->post([\n  'json' => [\n",
        "    'name' => \\WeChatPay\\Crypto\\Rsa::encrypt('name', $platformPublicKey),\n",
        "    'Wechatpay-Serial' => $platformKeyId,\n",
    ] {
        assert!(php.contains(part), "{part:?} not in\n{php}");
    }
    let curl = printed(&["api", "example", "POST", RECEIVERS, "-l", "curl"]);
    assert!(curl.contains("wxpay wire") && curl.contains("curl -X POST"), "{curl}");
}

/// The catalogue records each field of which a call needs one as optional.
#[test]
fn an_example_states_that_optional_fields_are_missing() {
    let notes = |arguments: &[&str]| text(&run_with_input(wxpay(arguments), "").stderr);
    let refund = ["api", "example", "POST", "v3/refund/domestic/refunds"];
    let note = "wxpay: optional fields are not shown: --all shows them; where one of several fields is required, ";
    assert!(notes(&refund).starts_with(note), "{}", notes(&refund));
    assert_eq!(notes(&[&refund[..], &["--all"]].concat()), "");
    assert_eq!(notes(&["api", "example", "GET", "v3/profitsharing/merchant-configs/{sub_mchid}"]), "");
}

#[test]
fn the_example_for_curl_is_a_signed_request() {
    let sandbox = wechatpay_chain::sandbox::Sandbox::start().expect("a sandbox");
    let settings = super::Settings::new(&sandbox);
    if !["bash", "curl", "jq"].iter().all(|program| Command::new(program).arg("--version").output().is_ok()) {
        println!("SKIPPED: curl or jq is not installed");
        return;
    }
    let curl = printed(&["api", "example", "POST", "v3/security/echo", "-l", "curl"]);
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_wxpay")).parent().expect("a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("PATH"));
    let mut bash = Command::new("bash");
    bash.args(
        ["-euc", &format!("{curl} --silent --fail-with-body")].map(|part| part.replace("\n --silent", " --silent")),
    );
    bash.env("WXPAY_CONFIG", settings.path("wxpay.toml")).env("PATH", path).env_remove("http_proxy");
    let output = bash.output().expect("bash");
    assert!(output.status.success(), "{curl}\n{output:?}");
    assert_eq!(sandbox.requests().len(), 1);
}

#[test]
fn a_call_that_differs_from_its_documentation_is_not_sent() {
    let sandbox = wechatpay_chain::sandbox::Sandbox::start().expect("a sandbox");
    let settings = super::Settings::new(&sandbox);
    let native = ["req", "v3/pay/transactions/native", "--json", r#"{"mchid": 1900000109}"#];
    let output = settings.run(&native, "");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let message = text(&output.stderr);
    for part in [
        "wxpay: json.mchid: a number where a string is needed\n",
        "wxpay: json.notify_url: the field is required and missing\n",
        "was not sent; --no-check sends it",
    ] {
        assert!(message.contains(part), "{part:?} not in {message}");
    }
    assert!(sandbox.requests().is_empty());
    assert_eq!(settings.run(&[&native[..], &["--no-check"]].concat(), "").status.code(), Some(5));
    assert_eq!(sandbox.requests().len(), 1);
    // Fields that the tables mark as required are mentioned.
    let output = settings.run(&["req", "v3/pay/transactions/id/{id}", "--var", "id=1"], "");
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert!(text(&output.stderr).contains("wxpay: query.mchid: the field is required and missing\n"), "{output:?}");
    let sent = sandbox.requests().len();
    // Any other call is sent. A similar path is mentioned.
    sandbox.stub("GET", "v3/certificate", 200, serde_json::json!({}));
    assert_eq!(sent, 2);
    let output = settings.run(&["req", "v3/certificate"], "");
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stderr).contains("did you mean \"GET v3/certificates\"?"), "{output:?}");
    // Another catalogue has other calls.
    let file = settings.path("catalog.txt");
    fs::write(&file, "# wechatpay-chain catalogue, format 1\n\nGET v3/certificate One\n query!\n  id string!\n")
        .expect("written");
    let mut command = wxpay(&["--config", &settings.path("wxpay.toml"), "req", "v3/certificate"]);
    command.env("WXPAY_CATALOG", &file);
    let output = run_with_input(command, "");
    assert!(text(&output.stderr).contains("query.id: the field is required and missing"), "{output:?}");
    let toml = fs::read_to_string(settings.path("wxpay.toml")).expect("settings");
    fs::write(settings.path("wxpay.toml"), format!("catalog = \"catalog.txt\"\n{toml}")).expect("written");
    let listed = text(&settings.run(&["api", "list"], "").stdout);
    assert_eq!(listed, "GET    v3/certificate One\n");
}

/// Compiles the types of all calls as one crate, and reads the documented request bodies with them.
#[test]
#[ignore = "compiles for minutes"]
fn the_types_of_every_call_compile_and_read_the_documented_bodies() {
    let Some(rows) = corpus::rows("v3") else { return };
    let bodies: BTreeMap<(String, String), &Value> = rows
        .iter()
        .filter_map(|row| {
            let body = row.pointer("/options/json")?;
            let key = (row["method"].as_str()?.to_owned(), row["template"].as_str()?.to_owned());
            Some((key, body))
        })
        .collect();
    let folder = crate::port::rustc::folder("types");
    let (mut source, mut main, mut read) = (String::from("#![allow(dead_code)]\n"), String::new(), 0);
    let calls: Vec<_> =
        listed(wxpay(&["api", "list", "--json"])).into_keys().filter(|(_, path)| path.contains('/')).collect();
    for (number, (method, path)) in calls.iter().enumerate() {
        let types = printed(&["api", "types", method, path]);
        let name = types.lines().find_map(|line| line.strip_prefix("pub struct ")?.strip_suffix("Request {"));
        if let (Some(name), Some(body)) = (name, bodies.get(&(method.clone(), path.clone()))) {
            let file = folder.join(format!("{number}.json"));
            fs::write(&file, body.to_string()).expect("written");
            main += &format!(
                "    check::<call_{number}::{name}Request>({path:?}, include_str!({:?}));\n",
                file.display().to_string()
            );
            read += 1;
        }
        source += &format!("#[allow(unused_imports)]\nmod call_{number} {{\n{types}}}\n");
    }
    source += &format!(
        "fn check<T: serde::de::DeserializeOwned>(path: &str, json: &str) {{\n    if let Err(error) = serde_json::from_str::<T>(json) {{\n        \
         println!(\"{{path}}: {{error}}\");\n    }}\n}}\nfn main() {{\n{main}}}\n"
    );
    let file = folder.join("types.rs");
    fs::write(&file, source).expect("written");
    let program = crate::port::rustc::Compiler::get().compile(&file, &["serde", "serde_json"]);
    let output = Command::new(program).output().expect("ran");
    let failures = text(&output.stdout);
    println!("{} calls compiled, {read} bodies read", calls.len());
    assert_eq!(failures, "");
}
