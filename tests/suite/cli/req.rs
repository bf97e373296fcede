//! `wxpay req`: calls, exit codes, and settings from files and the environment.

use std::io::Write;

use serde_json::{Value, json};
use wechatpay_chain::sandbox::{Fault, PUBLIC_KEY_ID};

use super::{Settings, run_with_input, text, wxpay};
use crate::support::{CARDS, sandbox, unused_address};

#[test]
fn a_call_prints_its_response() {
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
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
        debug.contains("/v3/x?a=***&b%5B0%5D=***&b%5B1%5D=*** HTTP/1.1")
            && debug.contains("signature=\"***\"")
            && debug.contains("> x-own: ***"),
        "{debug}"
    );
    assert_eq!(sandbox.requests().last().expect("received").target, "/v3/x?a=1&b%5B0%5D=x%20y&b%5B1%5D=z");
}

/// `script` runs a command on a terminal and copies its output.
#[cfg(target_os = "linux")]
#[test]
fn control_characters_of_a_response_do_not_reach_a_terminal() {
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    let page = b"<b>\x1b]0;title\x07\x1b[2J</b>".as_slice();
    let gateway = || {
        let response = http::Response::builder().status(200).body(page.into()).expect("response");
        sandbox.inject(Fault::Gateway(response));
    };
    gateway();
    let arguments = ["req", "v3/billdownload/file", "--query", "token=x"];
    let piped = settings.run(&arguments, "");
    assert_eq!(piped.stdout, page, "{}", text(&piped.stderr));
    gateway();
    let command =
        format!("{} --config {} {}", env!("CARGO_BIN_EXE_wxpay"), settings.path("wxpay.toml"), arguments.join(" "));
    let mut script = std::process::Command::new("script");
    let Ok(shown) = script.args(["-qec", &command, "/dev/null"]).output() else { return };
    let shown = String::from_utf8_lossy(&shown.stdout);
    assert!(shown.contains("<b>\\u{1b}]0;title\\u{7}\\u{1b}[2J</b>"), "{shown:?}");
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{7}'), "{shown:?}");
}

#[test]
fn each_error_has_its_exit_code_and_message() {
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    sandbox.stub("GET", "v3/x", 200, json!({}));
    let expect = |code: i32, expected: &str, arguments: &[&str], fault: Option<Fault>| {
        if let Some(fault) = fault {
            sandbox.inject(fault);
        }
        let output = settings.run(arguments, "");
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
        assert!(
            message.split_whitespace().collect::<Vec<_>>().join(" ").contains(expected),
            "{arguments:?}: {expected:?} not in {message:?}"
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
    expect(4, "broke before the response", &["req", "v3/x"], Some(Fault::Hangup));
    expect(
        4,
        "no response after 100ms",
        &["req", "v3/x", "--timeout", "0.1"],
        Some(Fault::Delay(std::time::Duration::from_secs(9))),
    );
    expect(6, "its signature is not valid", &["req", "v3/x"], Some(Fault::UnknownSerial));
    expect(2, "cannot be read", &["req", "v3/x", "--json", "@/no/such/file"], None);
    let output = expect(5, "404 RESOURCE_NOT_EXISTS", &["req", "v3/none"], None);
    assert!(text(&output.stdout).contains("RESOURCE_NOT_EXISTS"), "the response is printed");
    let mut unreachable = wxpay(&["--config", &settings.path("wxpay.toml"), "req", "v3/x"]);
    unreachable.env("WXPAY_BASE_URI", "http://127.0.0.1:1/");
    let output = run_with_input(unreachable, "");
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    // For an invalid file of settings the line is named, and its text is not printed.
    std::fs::write(settings.path("broken.toml"), "mchid = \"1\"\nprivate_key = \"s3cret\nx\"\n").expect("written");
    let output = run_with_input(wxpay(&["--config", &settings.path("broken.toml"), "req", "v3/x"]), "");
    let message = text(&output.stderr);
    assert!(
        output.status.code() == Some(2) && message.contains("broken.toml, line ") && !message.contains("s3cret"),
        "{message}"
    );
    let output = run_with_input(wxpay(&["req", "v3/x"]), "");
    assert!(output.status.code() == Some(2) && text(&output.stderr).contains("mchid is missing"));
    assert!(text(&run_with_input(wxpay(&["--help"]), "").stdout).contains("Exit codes:"));
}

#[test]
fn proxies_are_read_from_the_environment() {
    let sandbox = sandbox();
    sandbox.stub("GET", "v3/x", 200, json!({}));
    let settings = Settings::new(&sandbox);
    let closed = unused_address();
    let call = |variables: &[(&str, &str)]| {
        let mut command = wxpay(&["--config", &settings.path("wxpay.toml"), "req", "v3/x"]);
        command.envs(variables.iter().copied());
        let output = run_with_input(command, "");
        (output.status.code(), text(&output.stderr))
    };
    let proxy = format!("http://user:pa55@{closed}");
    let (code, message) = call(&[("HTTP_PROXY", &proxy)]);
    assert!(
        code == Some(3) && message.contains(&format!("through the proxy http://{closed}")) && !message.contains("pa55"),
        "{message}"
    );
    assert_eq!(call(&[("HTTP_PROXY", &proxy), ("NO_PROXY", "127.0.0.1")]).0, Some(0));
    assert_eq!(call(&[("HTTPS_PROXY", &proxy)]).0, Some(0), "HTTPS_PROXY is for https");
    let (code, message) = call(&[("http_proxy", ":::garbage")]);
    assert!(code == Some(2) && message.contains("the environment variable http_proxy"), "{message}");
}

#[test]
fn settings_are_read_from_the_environment() {
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
    let output = run_with_input(command, "");
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn backup_uri_and_retry_are_settings() {
    let (primary, backup) = (sandbox(), sandbox());
    let settings = Settings::new(&backup);
    let toml = std::fs::read_to_string(settings.path("wxpay.toml")).expect("settings");
    let change = |to: &str, more: &str| {
        let changed = toml
            .replace(&format!("\"{}\"", backup.base_uri()), &format!("\"{to}\""))
            .replace("[certs]", &format!("{more}\n[certs]"));
        std::fs::write(settings.path("wxpay.toml"), changed).expect("written");
    };
    let closed = unused_address();
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
    assert!(message.contains("the setting retry: a string where a number from 0 to 10 is needed"), "{message}");
}

#[test]
fn an_unknown_environment_variable_causes_a_warning() {
    let mut command = wxpay(&["wire", "--unsigned"]);
    command
        .env("WXPAY_MCH_ID", "s3cret")
        .env("WXPAY_APIV3KEY", "s3cret")
        .env("WXPAY_NOTHING_LIKE_IT", "s3cret")
        .env("WXPAY_LANG", "en");
    let output = run_with_input(command, "");
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
    let doctor = run_with_input(
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
fn numbers_with_too_many_digits_are_errors() {
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    let long = "12345678901234567890123";
    let output = settings.run(&["req", "v2/pay/orderquery", "--xml", &format!("{{\"out_trade_no\": {long}}}")], "");
    let message = text(&output.stderr);
    assert!(
        output.status.code() == Some(2) && message.contains(&format!("--xml: the number {long} has more digits")),
        "{message}"
    );
    assert!(sandbox.requests().is_empty());
    let line = |id: &str| format!("{{\"method\":\"GET\",\"template\":\"v3/x/{{id}}\",\"options\":{{\"id\":{id}}}}}\n");
    let input = [line(long), line("0.1234567890123456789"), line("18446744073709551615"), line(&format!("\"{long}\""))]
        .concat();
    let responses = text(&run_with_input(wxpay(&["wire", "--unsigned"]), &input).stdout);
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
    // --json is sent as it is written, and a response is printed as it was received.
    sandbox.stub("POST", "v3/x", 200, json!({}));
    assert!(settings.run(&["req", "v3/x", "--json", &format!("{{\"a\":{long}}}")], "").status.success());
    assert_eq!(sandbox.requests()[0].body, format!("{{\"a\":{long}}}").as_bytes());
    sandbox.stub("GET", "v3/y", 404, json!({ "code": "X" }));
    sandbox.inject(Fault::Gateway(
        http::Response::builder().status(404).body(format!("{{\"total\":{long}}}").into()).expect("response"),
    ));
    assert_eq!(text(&settings.run(&["req", "v3/y"], "").stdout), format!("{{\"total\":{long}}}"));
}

/// As in `wxpay req ... | head -1`.
#[test]
fn a_closed_standard_output_is_not_an_error() {
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    for arguments in [
        &["req", "v3/security/echo", "--json", "{\"echo_message\":\"hello\"}"][..],
        &["doctor"],
        &["wire", "--timestamp", "1700000000", "--nonce", "1"],
    ] {
        let mut command = wxpay(&[arguments, &["--config", &settings.path("wxpay.toml")]].concat());
        let mut child = command.spawn().expect("wxpay");
        drop(child.stdout.take());
        // A command that does not read its input may have ended.
        let _ = child.stdin.take().expect("stdin").write_all(b"{}\n");
        let output = child.wait_with_output().expect("ended");
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn bodies_of_other_kinds_are_sent_unchanged() {
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    sandbox.stub("POST", "v3/x", 200, json!({}));
    std::fs::write(settings.path("body"), b"\xff\x00\n").expect("written");
    let body = settings.path("body");
    for (arguments, input, content_type, expected) in [
        (&["--body", &body, "-H", "Content-Type: text/plain"][..], &b""[..], "text/plain", &b"\xff\x00\n"[..]),
        (&["--body", "-", "-H", "Content-Type: text/plain"], b"a\n", "text/plain", b"a\n"),
        (&["--form", "a=1", "--form", "b=x y"], b"", "application/x-www-form-urlencoded", b"a=1&b=x+y"),
    ] {
        let config = settings.path("wxpay.toml");
        let arguments = [&["--config", &config, "req", "v3/x"], arguments].concat();
        let output = run_with_input(wxpay(&arguments), input);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let request = sandbox.requests().pop().expect("received");
        assert_eq!(&request.body[..], expected);
        assert!(request.headers["content-type"].to_str().expect("text").starts_with(content_type));
    }
    for arguments in [&["--json", "{}", "--body", &body][..], &["--form", "a=1", "--xml", "{}"], &["--encrypt"]] {
        assert_eq!(settings.run(&[&["req", "v3/x"], arguments].concat(), "").status.code(), Some(2), "{arguments:?}");
    }
    assert_eq!(settings.run(&["req", "v3/x", "--body", "/no/file"], "").status.code(), Some(2));
}

#[test]
fn documented_fields_are_encrypted() {
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    let call = ["req", "v3/profitsharing/receivers/add", "--json"];
    let body = r#"{"appid":"wxd678efh567hg6787","type":"PERSONAL_OPENID","account":"openid","name":"a person","relation_type":"STAFF"}"#;
    let output = settings.run(&[&call[..], &[body]].concat(), "");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(sandbox.requests().is_empty(), "no personal value was sent");
    let output = settings.run(&[&call[..], &[body, "--encrypt"]].concat(), "");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let sent: Value = serde_json::from_slice(&sandbox.requests().pop().expect("received").body).expect("JSON");
    let name = sandbox.decrypt(PUBLIC_KEY_ID, sent["name"].as_str().expect("a ciphertext")).expect("decrypted");
    assert_eq!((name.as_str(), &sent["account"]), ("a person", &json!("openid")));
    // Parsing would keep only one of two values.
    let repeated = body.replacen('{', r#"{"account":"another","#, 1);
    let output = settings.run(&[&call[..], &[&repeated, "--encrypt"]].concat(), "");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--json: \"account\" appears twice"), "{}", text(&output.stderr));
    let rounded = r#"{"name":"a","account":12345678901234567890123}"#;
    let output = settings.run(&[&call[..], &[rounded, "--encrypt"]].concat(), "");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("would be changed: write it as a string"), "{}", text(&output.stderr));
}

#[test]
fn a_call_is_repeated_if_asked() {
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    sandbox.stub("GET", "v3/x", 200, json!({}));
    for (arguments, calls, code) in
        [(&[][..], 1, Some(5)), (&["--retry", "1"], 2, Some(0)), (&["--retry", "11"], 0, Some(2))]
    {
        let before = sandbox.requests().len();
        sandbox.inject(Fault::from_name("system-error").expect("fault"));
        let output = settings.run(&[&["req", "v3/x"], arguments].concat(), "");
        assert_eq!(output.status.code(), code, "{}", text(&output.stderr));
        assert_eq!(sandbox.requests().len() - before, calls, "{arguments:?}");
    }
}
