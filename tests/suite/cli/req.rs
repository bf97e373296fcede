//! The command `wxpay`, as a process of its own.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use wechatpay_chain::sandbox::{Fault, PUBLIC_KEY_ID, Sandbox};

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
        let response: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert!(response["permission_token"].is_string(), "{response}");
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
fn exit_codes_and_errors_that_can_be_read() {
    let sandbox = sandbox();
    let settings = Settings::of(&sandbox, "errors");
    sandbox.stub("GET", "v3/x", 200, json!({}));
    let expect = |code: i32, words: &str, arguments: &[&str], fault: Option<Fault>| {
        if let Some(fault) = fault {
            sandbox.inject(fault);
        }
        let output = settings.run(arguments, "");
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
        assert!(
            message.split_whitespace().collect::<Vec<_>>().join(" ").contains(words),
            "{arguments:?}: {words:?} not in {message:?}"
        );
        assert!(message.is_empty() || message.ends_with('\n'), "{message}");
        output
    };
    expect(0, "", &["req", "v3/x"], None);
    expect(2, "the variable \"id\" of the path is missing", &["req", "v3/x/{id}"], None);
    expect(2, "did you mean \"id\"?", &["req", "v3/x/{id}", "--var", "idd=1"], None);
    expect(2, "--json is not valid JSON", &["req", "v3/x", "--json", "{"], None);
    expect(2, "does not have the form NAME=VALUE", &["req", "v3/x", "--query", "a"], None);
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
    let message = text(&output.stderr);
    assert!(
        output.status.code() == Some(2) && message.contains("broken.toml, line ") && !message.contains("s3cret"),
        "{message}"
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
    let (code, message) = call(&[("HTTP_PROXY", &proxy)]);
    assert!(
        code == Some(3) && message.contains(&format!("through the proxy http://{gone}")) && !message.contains("pa55"),
        "{message}"
    );
    assert_eq!(call(&[("HTTP_PROXY", &proxy), ("NO_PROXY", "127.0.0.1")]).0, Some(0));
    assert_eq!(call(&[("HTTPS_PROXY", &proxy)]).0, Some(0), "that one is for https");
    let (code, message) = call(&[("http_proxy", ":::garbage")]);
    assert!(code == Some(2) && message.contains("the variable http_proxy of the environment"), "{message}");
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
    let broken = || Fault::Gateway(http::Response::builder().status(502).body(bytes::Bytes::new()).expect("response"));
    for (retry, repeated) in [("retry = 1", true), ("retry = { times = 1, pause = 0.1 }", true), ("", false)] {
        change(&backup.base_uri(), retry);
        backup.inject(broken());
        assert_eq!(call().status.success(), repeated, "{retry}");
    }
    change(&backup.base_uri(), "retry = \"often\"");
    let message = text(&call().stderr);
    assert!(message.contains("the setting retry: a number from 0 to 10 is needed"), "{message}");
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
    let message = text(&output.stderr);
    assert!(output.status.success() && !message.contains("s3cret"), "{message}");
    assert_eq!(
        message.lines().take(2).collect::<Vec<_>>(),
        [
            "wxpay: the environment variable WXPAY_APIV3KEY is not a setting and has no effect: did you mean WXPAY_APIV3_KEY?",
            "wxpay: the environment variable WXPAY_MCH_ID is not a setting and has no effect: did you mean WXPAY_MCHID?",
        ]
    );
    assert!(
        message
            .lines()
            .nth(2)
            .is_some_and(|line| line.contains("NOTHING_LIKE_IT") && line.contains("the settings are WXPAY_CONFIG, ")),
        "{message}"
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

#[test]
fn no_number_is_rounded_without_a_word() {
    let sandbox = sandbox();
    let settings = Settings::of(&sandbox, "numbers");
    let long = "12345678901234567890123";
    let refused = settings.run(&["req", "v2/pay/orderquery", "--xml", &format!("{{\"out_trade_no\": {long}}}")], "");
    let message = text(&refused.stderr);
    assert!(
        refused.status.code() == Some(2) && message.contains(&format!("--xml: the number {long} has more digits")),
        "{message}"
    );
    assert!(sandbox.requests().is_empty());
    let line = |id: &str| format!("{{\"method\":\"GET\",\"template\":\"v3/x/{{id}}\",\"options\":{{\"id\":{id}}}}}\n");
    let input = [line(long), line("0.1234567890123456789"), line("18446744073709551615"), line(&format!("\"{long}\""))]
        .concat();
    let responses = text(&finish(wxpay(&["wire", "--unsigned"]), &input).stdout);
    let responses: Vec<Value> = responses.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(
        responses[0]["error"]["message"]
            .as_str()
            .is_some_and(|message| message.starts_with(&format!("line 1: the number {long} "))),
        "{responses:?}"
    );
    assert_eq!(responses[1]["error"]["kind"], "options");
    assert_eq!(responses[2]["target"], "/v3/x/18446744073709551615");
    assert_eq!(responses[3]["target"], format!("/v3/x/{long}"));
    // --json goes out as it is typed, and a response is printed as it came.
    sandbox.stub("POST", "v3/x", 200, json!({}));
    assert!(settings.run(&["req", "v3/x", "--json", &format!("{{\"a\":{long}}}")], "").status.success());
    assert_eq!(sandbox.requests()[0].body, format!("{{\"a\":{long}}}").as_bytes());
    sandbox.stub("GET", "v3/y", 404, json!({ "code": "X" }));
    sandbox.inject(Fault::Gateway(
        http::Response::builder().status(404).body(format!("{{\"total\":{long}}}").into()).expect("response"),
    ));
    assert_eq!(text(&settings.run(&["req", "v3/y"], "").stdout), format!("{{\"total\":{long}}}"));
}

/// `wxpay req ... | head -1` has what it wants and is no failure.
#[test]
fn a_reader_that_has_had_enough() {
    let sandbox = sandbox();
    let settings = Settings::of(&sandbox, "enough");
    for arguments in [
        &["req", "v3/security/echo", "--json", "{\"echo_message\":\"hello\"}"][..],
        &["doctor"],
        &["wire", "--timestamp", "1700000000", "--nonce", "1"],
    ] {
        let mut command = wxpay(&[arguments, &["--config", &settings.path("wxpay.toml")]].concat());
        let mut child = command.spawn().expect("wxpay");
        drop(child.stdout.take());
        // A command that reads none may have ended.
        let _ = child.stdin.take().expect("stdin").write_all(b"{}\n");
        let output = child.wait_with_output().expect("ended");
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{arguments:?}");
    }
}
