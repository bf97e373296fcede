//! `wxpay wire` prints the requests that would be sent.

use serde_json::{Value, json};

use super::{Settings, run_with_input, text, wxpay};
use crate::call::corpus;
use crate::support::sandbox;

/// A row of the corpus as input of `wxpay wire`.
fn line(row: &Value, by: &str) -> String {
    let mut options = row.get("options").cloned().unwrap_or_else(|| json!({}));
    if let Some(parts) = row.pointer("/expect/multipart") {
        options["multipart"] = json!([
            { "name": "meta", "contents": parts["meta"], "headers": { "Content-Type": "application/json" } },
            { "name": "file", "contents": parts["file_content"], "filename": parts["filename"] },
        ]);
    }
    let path = if by == "chain" { &row["pure_chain"] } else { &row["template"] };
    json!({ "id": row["id"], "method": row["method"], by: path, "options": options }).to_string() + "\n"
}

#[test]
fn a_line_that_is_not_utf8_is_an_error_of_that_line() {
    let good = b"{\"method\":\"GET\",\"template\":\"v3/x\"}\n";
    let input = [good, &b"{\"method\":\"GET\xff\"}\n"[..], b" \xc3\n", good].concat();
    let output = run_with_input(wxpay(&["wire", "--unsigned"]), &input);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 4);
    for (line, expected) in [(1, "line 2 is not valid input: it is not UTF-8 at byte 14"), (2, "line 3")] {
        assert_eq!(lines[line]["error"]["kind"], "options");
        assert!(lines[line]["error"]["message"].as_str().is_some_and(|text| text.contains(expected)), "{lines:?}");
    }
    assert!(lines[0]["target"] == "/v3/x" && lines[3]["target"] == "/v3/x", "{lines:?}");
}

#[test]
fn v3_requests_and_their_signatures_equal_those_of_php() {
    let Some(rows) = corpus::rows("v3") else { return };
    let folder = corpus::folder().expect("present");
    let input: String = rows.iter().flat_map(|row| [line(row, "template"), line(row, "chain")]).collect();
    let mut command = wxpay(&["wire", "--nonce", "0123456789ABCDEFGHIJKLMNOPQRSTUV", "--timestamp", "1700000000"]);
    command
        .env("WXPAY_MCHID", "1900000109")
        .env("WXPAY_SERIAL", "3775B6A45ACD588826D15E583A95F5DD00000001")
        .env("WXPAY_PRIVATE_KEY", format!("file://{}", folder.join("corpus/keys/apiclient_key.pem").display()));
    let signed = run_with_input(command, &input);
    let unsigned = run_with_input(wxpay(&["wire", "--unsigned"]), &input);
    let (signed, unsigned) = (text(&signed.stdout), text(&unsigned.stdout));
    let (mut headers, mut lines) = (0, 0);
    for ((signed, unsigned), row) in signed.lines().zip(unsigned.lines()).zip(rows.iter().flat_map(|row| [row, row])) {
        let id = &row["id"];
        let mut out: Value = serde_json::from_str(signed).expect("JSON");
        lines += 1;
        assert_eq!(&out["id"], id);
        if row.get("slip").is_some() {
            assert_eq!(out["error"]["kind"], "options", "{out}");
            continue;
        }
        let expect = &row["expect"];
        assert_eq!(out["target"], expect["target"], "{id}");
        assert_eq!(
            out["uri"],
            format!("{}{}", expect["host"].as_str().expect("host"), expect["target"].as_str().expect("target"))
        );
        assert_eq!(out["headers"]["content-type"], expect["content_type"], "{id}");
        let authorization = out["headers"].as_object_mut().expect("headers").remove("authorization").expect("signed");
        // PHP escapes JSON differently, so only signatures of equal bodies are compared.
        let same_bytes = out["body"] == expect["body"];
        if expect["authorization"].is_string() && same_bytes {
            assert_eq!(authorization, expect["authorization"], "{id}");
            headers += 1;
        }
        assert!(same_bytes || expect.get("multipart").is_none(), "{id}: an upload differs");
        let bare: Value = serde_json::from_str(unsigned).expect("JSON");
        assert_eq!(bare, out, "{id}: --unsigned omits only the signature");
    }
    assert_eq!(lines, 2 * 698);
    assert!(headers > 2 * 300, "{headers} headers were compared");
}

#[test]
fn v2_requests_and_their_signs_equal_those_of_php() {
    let Some(rows) = corpus::rows("v2") else { return };
    let with_mchid = |row: &Value, form: &str| {
        let mut line: Value = serde_json::from_str(&line(row, form)).expect("line");
        let own = row.pointer("/mchid_guard/mchid").and_then(Value::as_str).unwrap_or("1900000109");
        line["mchid"] = own.into();
        format!("{line}\n")
    };
    let input: String = rows.iter().flat_map(|row| [with_mchid(row, "template"), with_mchid(row, "chain")]).collect();
    let mut command = wxpay(&["wire", "--nonce", "0123456789ABCDEFGHIJKLMNOPQRSTUV"]);
    command.env("WXPAY_MCHID", "1900000109").env("WXPAY_SECRET", "corpusApiv2Key0123456789abcdefgh");
    let signed = run_with_input(command, &input);
    let unsigned = run_with_input(wxpay(&["wire", "--unsigned"]), &input);
    let mut lines = 0;
    for ((signed, unsigned), row) in
        text(&signed.stdout).lines().zip(text(&unsigned.stdout).lines()).zip(rows.iter().flat_map(|row| [row, row]))
    {
        let (id, expect) = (&row["id"], &row["expect"]);
        let out: Value = serde_json::from_str(signed).expect("JSON");
        assert_eq!(out["target"], expect["target"], "{id}: {out}");
        assert_eq!(out["body"], expect["body"], "{id}");
        assert_eq!(out["headers"]["content-type"], expect["content_type"], "{id}");
        assert!(out["headers"].get("authorization").is_none());
        let out: Value = serde_json::from_str(unsigned).expect("JSON");
        if let Some(target) = expect.get("target_unsigned") {
            assert_eq!(&out["target"], target, "{id}");
        } else {
            assert_eq!(out["body"], expect["body_unsigned"], "{id}");
        }
        lines += 1;
    }
    assert_eq!(lines, 2 * 86);
    // The ID of another merchant is an error.
    let foreign = r#"{"method":"POST","template":"v2/pay/x","options":{"xml":{"mch_id":"1"}},"mchid":"2"}"#;
    let mut command = wxpay(&["wire"]);
    command.env("WXPAY_MCHID", "1900000109").env("WXPAY_SECRET", "k");
    let out: Value = serde_json::from_str(text(&run_with_input(command, foreign).stdout).trim()).expect("JSON");
    assert_eq!(out["error"]["kind"], "options");
}

#[test]
fn an_invalid_line_does_not_affect_the_others() {
    let input = [
        r#"{"method":"get","template":"v3/x/{id}","options":{"id":"a b","query":{"q":"中"}}}"#,
        "",
        r#"{"method":"POST","chain":["v3","payTransactions","_id_"],"options":{"id":1,"json":{"b":1,"a":2}}}"#,
        r#"{"method":"GET","template":"v3/ABC"}"#,
        r#"{"method":"GET"}"#,
        "no json",
        r#"{"method":"POST","template":"v3/x","options":{"sink":"/no/such/folder/x"}}"#,
        "null",
    ]
    .join("\n");
    let output = run_with_input(wxpay(&["wire", "--unsigned"]), &input);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 7);
    assert_eq!(lines[0]["target"], "/v3/x/a%20b?q=%E4%B8%AD");
    assert_eq!(lines[0]["method"], "GET");
    assert_eq!(
        (&lines[1]["target"], &lines[1]["body"]),
        (&json!("/v3/pay-transactions/1"), &json!("{\"b\":1,\"a\":2}"))
    );
    assert_eq!(lines[2]["error"]["kind"], "path");
    for (line, expected) in
        [(&lines[2], "looks like a value"), (&lines[3], "\"template\" or \"chain\""), (&lines[4], "is not valid input")]
    {
        assert!(line["error"]["message"].as_str().expect("message").contains(expected), "{line}");
    }
    assert_eq!(lines[5]["target"], "/v3/x");
    assert!(lines[6]["error"].is_object());
    // Without settings, signing fails before any input is read.
    let output = run_with_input(wxpay(&["wire"]), &input);
    assert!(output.status.code() == Some(2) && output.stdout.is_empty());
}

#[test]
fn a_line_can_name_another_merchant() {
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    let input = "{\"method\":\"GET\",\"template\":\"v3/x\",\"mchid\":\"1230000109\"}\n{\"method\":\"GET\",\"template\":\"v3/x\"}\n";
    let output = text(&settings.run(&["wire"], input).stdout);
    let lines: Vec<&str> = output.lines().collect();
    assert!(lines[0].contains("mchid=\\\"1230000109\\\"") && lines[1].contains("mchid=\\\"1900000109\\\""), "{output}");
    let (first, last) = ("{\"method\":\"GET\",\"template\":\"v3/x\",\"mchid\":\"", "\"}\n");
    for wrong in ["1\\n2", "1\\r\\n2", "", "1 2", "1\\\"2", "1\\u00002", "商户"] {
        let output = settings.run(&["wire"], &format!("{first}{wrong}{last}"));
        let printed = text(&output.stdout);
        assert!(printed.contains("\\\"mchid\\\" of the line contains characters"), "{wrong}: {printed}");
    }
    let output = settings.run(&["wire", "--nonce", "a\nb"], "");
    assert!(output.status.code() == Some(2) && text(&output.stderr).contains("--nonce contains"));
}

#[test]
fn a_deeply_nested_line_is_an_error() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let line =
        |json: String| format!("{{\"method\":\"POST\",\"template\":\"v3/x\",\"options\":{{\"json\":{json}}}}}\n");
    let input = [deep(200_000), line(deep(200_000)), line(deep(1000)), line(deep(100))].join("\n");
    let output = run_with_input(wxpay(&["wire", "--unsigned"]), &input);
    assert!(output.status.success(), "{:?}", output.status);
    let printed = text(&output.stdout);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[..3].iter().all(|line| line.contains("is not valid input")), "{printed}");
    assert!(lines[3].contains("\"target\":\"/v3/x\""), "{printed}");
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    for arguments in [&["req", "v3/x", "--json", "-"][..], &["req", "v3/x", "--json", "-", "--encrypt", "a"]] {
        let output = settings.run(arguments, &deep(200_000));
        assert!(output.status.code().is_some_and(|code| code != 0), "{:?}", output.status);
    }
}
