//! `wxpay api`: the catalogue and its import.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::{run_with_input, wxpay};
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
