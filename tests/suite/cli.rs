//! The command `wxpay`, as a process of its own.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use wechatpay_chain::sandbox::{Fault, PUBLIC_KEY_ID, Sandbox};

use crate::corpus;
use crate::support::sandbox;

/// The command without any setting of this machine's.
pub(crate) fn wxpay(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wxpay"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let of_machine = |name: &str| {
        name.starts_with("WXPAY_")
            || name.to_lowercase().ends_with("_proxy")
            || name.starts_with("LC_")
            || name.starts_with("LANG")
    };
    for (name, _) in std::env::vars().filter(|(name, _)| of_machine(name)) {
        command.env_remove(name);
    }
    command
}

pub(crate) fn finish(mut command: Command, input: &str) -> Output {
    let mut child = command.spawn().expect("wxpay");
    let mut stdin = child.stdin.take().expect("stdin");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // A command that ends early closes its input.
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = child.wait_with_output().expect("ended");
    writer.join().expect("writer");
    output
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// The sandbox's settings as a file, removed at the end.
pub(crate) struct Settings(PathBuf);

impl Settings {
    pub(crate) fn of(sandbox: &Sandbox, name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("wechatpay-chain-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("folder");
        let settings = sandbox.settings();
        std::fs::write(folder.join("key.pem"), settings["privateKey"].as_str().expect("pem")).expect("written");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // A key that others can read draws a warning.
            std::fs::set_permissions(folder.join("key.pem"), std::fs::Permissions::from_mode(0o600)).expect("rights");
        }
        let toml = format!(
            "mchid = {}\nserial = {}\nprivate_key = \"file://key.pem\"\napiv3_key = \"\"\nbase_uri = {}\n[certs]\n{PUBLIC_KEY_ID} = '''\n{}'''\n",
            settings["mchid"],
            settings["serial"],
            settings["base_uri"],
            settings["certs"][PUBLIC_KEY_ID].as_str().expect("pem"),
        );
        std::fs::write(folder.join("wxpay.toml"), toml).expect("written");
        Settings(folder)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("path").to_owned()
    }

    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> Output {
        let config = self.path("wxpay.toml");
        finish(wxpay(&[&["--config", &config], arguments].concat()), input)
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const CARDS: &str = "v3/marketing/membercard-open/cards/{card_id}/permission-tokens";

#[test]
fn a_call_from_the_shell() {
    let sandbox = sandbox();
    let settings = Settings::of(&sandbox, "req");
    std::fs::write(settings.path("body.json"), r#"{"activate_type":"AUTO_ACTIVATE"}"#).expect("written");
    let from_file = format!("@{}", settings.path("body.json"));
    let body = r#"{"activate_type":"AUTO_ACTIVATE"}"#;
    for (path, json) in [
        (CARDS, body),
        ("v3.marketing.membercardOpen.cards._card_id_.permissionTokens", &from_file),
        ("v3/marketing/membercard-open/cards/<card_id>/permission-tokens", "-"),
    ] {
        let output = settings.run(&["req", path, "--var", "card_id=pbLatjvWOibDc5", "--json", json], body);
        assert!(output.status.success(), "{path}: {}", text(&output.stderr));
        let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert!(answer["permission_token"].is_string(), "{answer}");
    }
    for request in sandbox.requests() {
        assert_eq!(request.target, "/v3/marketing/membercard-open/cards/pbLatjvWOibDc5/permission-tokens");
        assert_eq!(&request.body[..], body.as_bytes());
    }
    sandbox.stub("GET", "v3/x", 200, json!({ "a": 1 }));
    let output = settings
        .run(&["req", "v3/x", "--query", "a=1", "--query", "b=x y", "--query", "b=z", "-H", "X-Own: 1", "--debug"], "");
    assert_eq!(text(&output.stdout), "{\n  \"a\": 1\n}\n");
    let debug = text(&output.stderr);
    assert!(
        debug.contains("> GET http://") && debug.contains("signature=\"***\"") && debug.contains("> x-own: ***"),
        "{debug}"
    );
    assert_eq!(sandbox.requests().last().expect("received").target, "/v3/x?a=1&b%5B0%5D=x%20y&b%5B1%5D=z");
}

#[test]
fn an_upload_and_a_download_from_the_shell() {
    let sandbox = sandbox();
    let settings = Settings::of(&sandbox, "files");
    std::fs::write(settings.path("a.png"), b"picture").expect("written");
    let output = settings.run(&["req", "v3/merchant/media/upload", "--upload", &settings.path("a.png")], "");
    assert!(output.status.success(), "{}", text(&output.stderr));
    sandbox.file("v3/billdownload/file", 10_000);
    let saved = settings.path("bill.csv");
    let output = settings.run(&["req", "v3/billdownload/file", "--query", "token=x", "--sink", &saved], "");
    assert!(output.status.success() && output.stdout.is_empty(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), format!("wxpay: 10000 bytes in {saved}\n"));
    assert_eq!(std::fs::metadata(saved).expect("file").len(), 10_000);
}

#[test]
fn exit_codes_and_errors_that_can_be_read() {
    let sandbox = sandbox();
    let settings = Settings::of(&sandbox, "errors");
    sandbox.stub("GET", "v3/x", 200, json!({}));
    let expect = |code: i32, words: &str, arguments: &[&str], fault: Option<Fault>| {
        if let Some(fault) = fault {
            sandbox.inject(fault);
        }
        let output = settings.run(arguments, "");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(
            said.split_whitespace().collect::<Vec<_>>().join(" ").contains(words),
            "{arguments:?}: {words:?} not in {said:?}"
        );
        assert!(said.is_empty() || said.ends_with('\n'), "{said}");
        output
    };
    expect(0, "", &["req", "v3/x"], None);
    expect(2, "the variable \"id\" of the path is missing", &["req", "v3/x/{id}"], None);
    expect(2, "did you mean \"id\"?", &["req", "v3/x/{id}", "--var", "idd=1"], None);
    expect(2, "--json is no JSON", &["req", "v3/x", "--json", "{"], None);
    expect(2, "is no NAME=VALUE", &["req", "v3/x", "--query", "a"], None);
    expect(2, "unexpected argument", &["req", "v3/x", "--secret", "s"], None);
    expect(2, "name of a request option", &["req", "v3/x", "--var", "json=1"], None);
    expect(4, "broke before the answer came", &["req", "v3/x"], Some(Fault::Hangup));
    expect(
        4,
        "no answer after 100ms",
        &["req", "v3/x", "--timeout", "0.1"],
        Some(Fault::Delay(std::time::Duration::from_secs(9))),
    );
    expect(6, "its signature does not hold", &["req", "v3/x"], Some(Fault::UnknownSerial));
    expect(2, "cannot be read", &["req", "v3/x", "--json", "@/no/such/file"], None);
    let output = expect(5, "404 RESOURCE_NOT_EXISTS", &["req", "v3/none"], None);
    assert!(text(&output.stdout).contains("RESOURCE_NOT_EXISTS"), "the service's answer is printed");
    let mut elsewhere = wxpay(&["--config", &settings.path("wxpay.toml"), "req", "v3/x"]);
    elsewhere.env("WXPAY_BASE_URI", "http://127.0.0.1:1/");
    let output = finish(elsewhere, "");
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    // Settings that are wrong: the line is named, its text is not shown.
    std::fs::write(settings.path("broken.toml"), "mchid = \"1\"\nprivate_key = \"s3cret\nx\"\n").expect("written");
    let output = finish(wxpay(&["--config", &settings.path("broken.toml"), "req", "v3/x"]), "");
    let said = text(&output.stderr);
    assert!(
        output.status.code() == Some(2) && said.contains("broken.toml, line ") && !said.contains("s3cret"),
        "{said}"
    );
    let output = finish(wxpay(&["req", "v3/x"]), "");
    assert!(output.status.code() == Some(2) && text(&output.stderr).contains("mchid is missing"));
    assert!(text(&finish(wxpay(&["--help"]), "").stdout).contains("Exit codes:"));
}

#[test]
fn proxies_of_the_environment() {
    let sandbox = sandbox();
    sandbox.stub("GET", "v3/x", 200, json!({}));
    let settings = Settings::of(&sandbox, "proxy");
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address");
    let call = |variables: &[(&str, &str)]| {
        let mut command = wxpay(&["--config", &settings.path("wxpay.toml"), "req", "v3/x"]);
        command.envs(variables.iter().copied());
        let output = finish(command, "");
        (output.status.code(), text(&output.stderr))
    };
    let proxy = format!("http://user:pa55@{gone}");
    let (code, said) = call(&[("HTTP_PROXY", &proxy)]);
    assert!(
        code == Some(3) && said.contains(&format!("through the proxy http://{gone}")) && !said.contains("pa55"),
        "{said}"
    );
    assert_eq!(call(&[("HTTP_PROXY", &proxy), ("NO_PROXY", "127.0.0.1")]).0, Some(0));
    assert_eq!(call(&[("HTTPS_PROXY", &proxy)]).0, Some(0), "that one is for https");
    let (code, said) = call(&[("http_proxy", ":::garbage")]);
    assert!(code == Some(2) && said.contains("the variable http_proxy of the environment"), "{said}");
}

#[test]
fn certificates_as_files() {
    let sandbox = sandbox();
    let certificate = sandbox.rotate_certificate().expect("certificate");
    let settings = Settings::of(&sandbox, "certs");
    let output = settings.path("out");
    let mut command = wxpay(&["--config", &settings.path("wxpay.toml"), "certs", "--output", &output]);
    command.env("WXPAY_APIV3_KEY", sandbox.settings()["apiv3_key"].as_str().expect("key"));
    let done = finish(command, "");
    let said = text(&done.stdout);
    assert!(
        done.status.success()
            && said.contains(certificate.serial())
            && said.contains("valid to   20")
            && said.contains("Z (in "),
        "{said}{}",
        text(&done.stderr)
    );
    let path = format!("file://{output}/wechatpay_{}.pem", certificate.serial());
    assert_eq!(wechatpay_chain::Certificate::from_pem(&path).expect("PEM"), certificate);
    // PHP's options; the key is no argument.
    let key = settings.path("key.pem");
    let arguments = [
        "certs",
        "-m",
        wechatpay_chain::sandbox::MCHID,
        "-s",
        wechatpay_chain::sandbox::SERIAL,
        "-f",
        &key,
        "-o",
        &output,
        "-u",
        &sandbox.base_uri(),
    ];
    let mut command = wxpay(&arguments);
    command.env("WXPAY_APIV3_KEY", sandbox.settings()["apiv3_key"].as_str().expect("key"));
    assert!(finish(command, "").status.success());
    let without = finish(wxpay(&arguments), "");
    assert!(
        without.status.code() == Some(2) && text(&without.stderr).contains("apiv3_key"),
        "{}",
        text(&without.stderr)
    );
    assert_eq!(finish(wxpay(&["certs", "--key", "x"]), "").status.code(), Some(2));
}

#[test]
fn settings_from_the_environment() {
    let sandbox = sandbox();
    sandbox.stub("GET", "v3/x", 200, json!({}));
    let settings = sandbox.settings();
    let mut command = wxpay(&["req", "v3/x"]);
    for (name, value) in [
        ("WXPAY_MCHID", &settings["mchid"]),
        ("WXPAY_SERIAL", &settings["serial"]),
        ("WXPAY_PRIVATE_KEY", &settings["privateKey"]),
        ("WXPAY_PLATFORM_KEY_ID", &json!(PUBLIC_KEY_ID)),
        ("WXPAY_PLATFORM_KEY", &settings["certs"][PUBLIC_KEY_ID]),
        ("WXPAY_BASE_URI", &settings["base_uri"]),
    ] {
        command.env(name, value.as_str().expect("text"));
    }
    let output = finish(command, "");
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// A row as a line of `wxpay wire`.
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
fn wire_prints_what_php_sent_signature_included() {
    let Some(rows) = corpus::rows("v3") else { return };
    let folder = corpus::folder().expect("present");
    let input: String = rows.iter().flat_map(|row| [line(row, "template"), line(row, "chain")]).collect();
    let mut command = wxpay(&["wire", "--nonce", "0123456789ABCDEFGHIJKLMNOPQRSTUV", "--timestamp", "1700000000"]);
    command
        .env("WXPAY_MCHID", "1900000109")
        .env("WXPAY_SERIAL", "3775B6A45ACD588826D15E583A95F5DD00000001")
        .env("WXPAY_PRIVATE_KEY", format!("file://{}", folder.join("corpus/keys/apiclient_key.pem").display()));
    let signed = finish(command, &input);
    let unsigned = finish(wxpay(&["wire", "--unsigned"]), &input);
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
        // PHP escapes JSON otherwise, so that only signatures over the same bytes can be equal.
        let same_bytes = out["body"] == expect["body"];
        if expect["authorization"].is_string() && same_bytes {
            assert_eq!(authorization, expect["authorization"], "{id}");
            headers += 1;
        }
        assert!(same_bytes || expect.get("multipart").is_none(), "{id}: an upload differs");
        let bare: Value = serde_json::from_str(unsigned).expect("JSON");
        assert_eq!(bare, out, "{id}: --unsigned leaves out the signature and nothing else");
    }
    assert_eq!(lines, 2 * 698);
    assert!(headers > 2 * 300, "{headers} headers were compared");
}

/// APIv2 with the nonce and the key of the corpus: target, body and sign, byte for byte.
#[test]
fn wire_prints_what_php_sent_by_apiv2() {
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
    let signed = finish(command, &input);
    let unsigned = finish(wxpay(&["wire", "--unsigned"]), &input);
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
    // Another merchant's id is refused by name.
    let foreign = r#"{"method":"POST","template":"v2/pay/x","options":{"xml":{"mch_id":"1"}},"mchid":"2"}"#;
    let mut command = wxpay(&["wire"]);
    command.env("WXPAY_MCHID", "1900000109").env("WXPAY_SECRET", "k");
    let out: Value = serde_json::from_str(text(&finish(command, foreign).stdout).trim()).expect("JSON");
    assert_eq!(out["error"]["kind"], "options");
}

#[test]
fn wire_answers_each_line_by_itself() {
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
    let output = finish(wxpay(&["wire", "--unsigned"]), &input);
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
    for (line, words) in [
        (&lines[2], "looks like a value"),
        (&lines[3], "\"template\" or \"chain\""),
        (&lines[4], "not what wire reads"),
    ] {
        assert!(line["error"]["message"].as_str().expect("message").contains(words), "{line}");
    }
    assert_eq!(lines[5]["target"], "/v3/x");
    assert!(lines[6]["error"].is_object());
    // Signing needs settings, and says so before it reads.
    let output = finish(wxpay(&["wire"]), &input);
    assert!(output.status.code() == Some(2) && output.stdout.is_empty());
}

#[test]
fn a_line_may_carry_its_own_merchant() {
    let sandbox = sandbox();
    let settings = Settings::of(&sandbox, "mchid");
    let input = "{\"method\":\"GET\",\"template\":\"v3/x\",\"mchid\":\"1230000109\"}\n{\"method\":\"GET\",\"template\":\"v3/x\"}\n";
    let output = text(&settings.run(&["wire"], input).stdout);
    let lines: Vec<&str> = output.lines().collect();
    assert!(lines[0].contains("mchid=\\\"1230000109\\\"") && lines[1].contains("mchid=\\\"1900000109\\\""), "{output}");
}

/// Reads a gigabyte through `--sink` and watches the process.
#[test]
#[cfg(target_os = "linux")]
fn a_gigabyte_in_little_memory() {
    const SIZE: u64 = 1 << 30;
    let sandbox = sandbox();
    let settings = Settings::of(&sandbox, "gigabyte");
    sandbox.file("v3/billdownload/file", SIZE);
    let saved = settings.path("bill");
    let mut child = wxpay(&["--config", &settings.path("wxpay.toml"), "req", "v3/billdownload/file", "--sink", &saved])
        .spawn()
        .expect("wxpay");
    let mut peak = 0;
    let status = loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let high = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let high = high.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak = peak.max(high.unwrap_or(0));
        if let Some(status) = child.try_wait().expect("wait") {
            break status;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    assert!(status.success());
    assert_eq!(std::fs::metadata(&saved).expect("file").len(), SIZE);
    println!("1 GiB with a peak of {peak} kB");
    assert!(peak > 0 && peak < 32 * 1024, "{peak} kB");
}

#[test]
fn backup_and_repetition_are_settings() {
    let (primary, backup) = (sandbox(), sandbox());
    let settings = Settings::of(&backup, "backup");
    let toml = std::fs::read_to_string(settings.path("wxpay.toml")).expect("settings");
    let change = |to: &str, more: &str| {
        let changed = toml
            .replace(&format!("\"{}\"", backup.base_uri()), &format!("\"{to}\""))
            .replace("[certs]", &format!("{more}\n[certs]"));
        std::fs::write(settings.path("wxpay.toml"), changed).expect("written");
    };
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address");
    let call = || {
        settings.run(
            &["req", CARDS, "--var", "card_id=pbLatjvWOibDc5", "--json", r#"{"activate_type":"AUTO_ACTIVATE"}"#],
            "",
        )
    };
    change(&format!("http://{closed}/"), &format!("backup_uri = {:?}", backup.base_uri()));
    let output = call();
    assert!(output.status.success(), "{}", text(&output.stderr));
    change(&format!("http://{closed}/"), "backup_uri = \"\"");
    assert_eq!(call().status.code(), Some(3));
    assert_eq!(backup.requests().len(), 1);
    drop(primary);
    let broken = || Fault::Gateway(http::Response::builder().status(502).body(bytes::Bytes::new()).expect("answer"));
    for (retry, repeated) in [("retry = 1", true), ("retry = { times = 1, pause = 0.1 }", true), ("", false)] {
        change(&backup.base_uri(), retry);
        backup.inject(broken());
        assert_eq!(call().status.success(), repeated, "{retry}");
    }
    change(&backup.base_uri(), "retry = \"often\"");
    let said = text(&call().stderr);
    assert!(said.contains("the setting retry: a number from 0 to 10 is needed"), "{said}");
}

#[test]
fn a_mistyped_variable_is_noticed() {
    let mut command = wxpay(&["wire", "--unsigned"]);
    command
        .env("WXPAY_MCH_ID", "s3cret")
        .env("WXPAY_APIV3KEY", "s3cret")
        .env("WXPAY_NOTHING_LIKE_IT", "s3cret")
        .env("WXPAY_LANG", "en");
    let output = finish(command, "");
    let said = text(&output.stderr);
    assert!(output.status.success() && !said.contains("s3cret"), "{said}");
    assert_eq!(
        said.lines().take(2).collect::<Vec<_>>(),
        [
            "wxpay: the variable WXPAY_APIV3KEY of the environment is no setting and has no effect: did you mean WXPAY_APIV3_KEY?",
            "wxpay: the variable WXPAY_MCH_ID of the environment is no setting and has no effect: did you mean WXPAY_MCHID?",
        ]
    );
    assert!(
        said.lines()
            .nth(2)
            .is_some_and(|line| line.contains("NOTHING_LIKE_IT") && line.contains("the settings are WXPAY_CONFIG, ")),
        "{said}"
    );
    let mut command = wxpay(&["doctor", "--offline", "--json"]);
    let doctor = finish(
        {
            command.env("WXPAY_SEKRET", "x");
            command
        },
        "",
    );
    let checks: Value = serde_json::from_slice(&doctor.stdout).expect("JSON");
    assert!(checks[0]["check"] == "environment" && checks[0]["outcome"] == "warning", "{checks}");
}

/// Ctrl-C in the middle of a download.
#[cfg(unix)]
#[test]
fn a_download_that_is_stopped_leaves_nothing_behind() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let slow = crate::support::server(|mut stream| async move {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nthe beginning").await?;
        std::future::pending().await
    });
    let sandbox = sandbox();
    let settings = Settings::of(&sandbox, "stopped");
    let folder = tempfile::tempdir().expect("folder");
    let files = || std::fs::read_dir(folder.path()).expect("folder").count();
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let sink = folder.path().join("bill.csv");
        let config = settings.path("wxpay.toml");
        let mut command =
            wxpay(&["--config", &config, "req", "v3/billdownload/file", "--sink", sink.to_str().expect("path")]);
        let child =
            command.env("WXPAY_BASE_URI", format!("http://{slow}/")).env("WXPAY_LANG", "en").spawn().expect("wxpay");
        let began = std::time::Instant::now();
        // The part is there once the call has begun; the signal is taken over with the same step.
        while files() == 0 && began.elapsed().as_secs() < 30 {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert_eq!(files(), 1, "a part");
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill").success());
        let output = child.wait_with_output().expect("ended");
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        assert_eq!(
            text(&output.stderr),
            "wxpay: stopped; nothing is left of the file, and the request may have arrived\n"
        );
        assert_eq!(files(), 0, "no part is left");
    }
}

#[test]
fn no_number_is_rounded_without_a_word() {
    let sandbox = sandbox();
    let settings = Settings::of(&sandbox, "numbers");
    let long = "12345678901234567890123";
    let refused = settings.run(&["req", "v2/pay/orderquery", "--xml", &format!("{{\"out_trade_no\": {long}}}")], "");
    let said = text(&refused.stderr);
    assert!(
        refused.status.code() == Some(2) && said.contains(&format!("--xml: the number {long} has more digits")),
        "{said}"
    );
    assert!(sandbox.requests().is_empty());
    let line = |id: &str| format!("{{\"method\":\"GET\",\"template\":\"v3/x/{{id}}\",\"options\":{{\"id\":{id}}}}}\n");
    let input = [line(long), line("0.1234567890123456789"), line("18446744073709551615"), line(&format!("\"{long}\""))]
        .concat();
    let answers = text(&finish(wxpay(&["wire", "--unsigned"]), &input).stdout);
    let answers: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(
        answers[0]["error"]["message"]
            .as_str()
            .is_some_and(|said| said.starts_with(&format!("line 1: the number {long} "))),
        "{answers:?}"
    );
    assert_eq!(answers[1]["error"]["kind"], "options");
    assert_eq!(answers[2]["target"], "/v3/x/18446744073709551615");
    assert_eq!(answers[3]["target"], format!("/v3/x/{long}"));
    // --json goes out as it is typed, and an answer is printed as it came.
    sandbox.stub("POST", "v3/x", 200, json!({}));
    assert!(settings.run(&["req", "v3/x", "--json", &format!("{{\"a\":{long}}}")], "").status.success());
    assert_eq!(sandbox.requests()[0].body, format!("{{\"a\":{long}}}").as_bytes());
    sandbox.stub("GET", "v3/y", 404, json!({ "code": "X" }));
    sandbox.inject(Fault::Gateway(
        http::Response::builder().status(404).body(format!("{{\"total\":{long}}}").into()).expect("answer"),
    ));
    assert_eq!(text(&settings.run(&["req", "v3/y"], "").stdout), format!("{{\"total\":{long}}}"));
}
