//! SDKs in other languages, used with the sandbox. A test is skipped, with a message, if its SDK is
//! not installed. `.ci/sdks` installs them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wechatpay_chain::sandbox::{MCHID, PUBLIC_KEY_ID, Sandbox};

/// The scripts of this repository.
fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk")
}

/// The folder in which the SDKs are installed.
fn installed() -> PathBuf {
    std::env::var_os("WECHATPAY_SDKS").map_or_else(scripts, PathBuf::from)
}

fn skipped(sdk: &str, needs: &str) {
    // The test runner hides what print macros write, so this is written to stderr directly.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED: no {sdk} in {}: it needs {needs}; .ci/sdks installs it, then set WECHATPAY_SDKS=$PWD/target/sdks",
        installed().display()
    );
}

/// A command without the machine's settings for `wxpay` and proxies.
fn program(path: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(path);
    for (name, _) in
        std::env::vars().filter(|(name, _)| name.starts_with("WXPAY_") || name.to_lowercase().ends_with("_proxy"))
    {
        command.env_remove(name);
    }
    command
}

fn succeeds(program: &mut Command) -> bool {
    let ended = program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    ended.is_ok_and(|status| status.success())
}

/// Runs a script with the settings of a new sandbox, and asserts what the sandbox received.
fn assert_script(mut script: Command, last_line: &str, prefix: &str, user_agent: &str) {
    let folder = tempfile::tempdir().expect("folder");
    let sandbox = Sandbox::builder().dir(folder.path()).certificates().start().expect("sandbox");
    let file = |name: &str| format!("file://{}", folder.path().join(name).display());
    let apiv3_key = sandbox.settings()["apiv3_key"].as_str().expect("key").to_owned();
    script
        .env("WECHATPAY_SDKS", installed())
        .env("WXPAY_SANDBOX", folder.path())
        .env("WXPAY_BASE_URI", sandbox.base_uri())
        .env("WXPAY_MCHID", MCHID)
        .env("WXPAY_SERIAL", sandbox.settings()["serial"].as_str().expect("serial"))
        .env("WXPAY_PRIVATE_KEY", file("apiclient_key.pem"))
        .env("WXPAY_APIV3_KEY", apiv3_key)
        .env("WXPAY_PLATFORM_KEY_ID", PUBLIC_KEY_ID)
        .env("WXPAY_PLATFORM_KEY", file("pub_key.pem"));
    let output = script.stdin(Stdio::null()).output().expect("the script started");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(printed.lines().last(), Some(last_line), "{printed}");
    print!("{printed}");

    // The state of the sandbox agrees with the script.
    let state = delivered_state(&sandbox);
    let order = &state["orders"][0];
    assert_eq!(state["orders"].as_array().map(Vec::len), Some(1), "{state}");
    assert_eq!(
        [&order["out_trade_no"], &order["total"], &order["refunded"]],
        [&json!(format!("{prefix}-1")), &json!(100), &json!(30)],
        "{state}"
    );
    assert_eq!(state["refunds"][0]["out_refund_no"], format!("{prefix}-r1"), "{state}");
    let by_number = format!("GET /v3/pay/transactions/out-trade-no/{prefix}-1?mchid={MCHID}");
    let transaction_id = order["transaction_id"].as_str().expect("paid");
    let calls: Vec<String> = sandbox
        .requests()
        .iter()
        .map(|request| {
            assert_eq!(request.status, 200, "{request:?}");
            let sent = request.headers["user-agent"].to_str().expect("text");
            assert!(sent.starts_with(user_agent), "{sent}");
            format!("{} {}", request.method, request.target)
        })
        .collect();
    assert_eq!(
        calls,
        [
            "GET /v3/certificates",
            "POST /v3/pay/transactions/native",
            &by_number,
            &format!("GET /v3/pay/transactions/id/{transaction_id}?mchid={MCHID}"),
            "POST /v3/refund/domestic/refunds",
            &format!("GET /v3/refund/domestic/refunds/{prefix}-r1"),
            &by_number,
            &by_number,
        ]
    );
    let verdicts = state["calls"].as_array().expect("calls");
    assert_eq!(verdicts.len(), calls.len());
    assert!(verdicts.iter().all(|call| call["valid"] == true), "{state}");
    let notifications: Vec<[&Value; 3]> = state["notifications"]
        .as_array()
        .expect("notifications")
        .iter()
        .map(|one| [&one["message"]["event_type"], &one["attempts"][0]["status"], &one["outcome"]])
        .collect();
    assert_eq!(
        json!(notifications),
        json!([
            ["REFUND.SUCCESS", 204, "delivered"],
            ["TRANSACTION.SUCCESS", 401, "refused, as it should be"],
            ["TRANSACTION.SUCCESS", 204, "delivered"],
        ])
    );
    sandbox.audit().expect("balanced");
}

/// Runs a script under `wxpay sandbox exec`, with the addresses of the service.
fn assert_unchanged(script: &Command, last_line: &str) {
    let mut wxpay = program(env!("CARGO_BIN_EXE_wxpay"));
    wxpay.args(["sandbox", "--certificates", "exec", "--"]).arg(script.get_program()).args(script.get_args());
    wxpay.env("WECHATPAY_SDKS", installed()).env("WXPAY_BASE_URI", "https://api.mch.weixin.qq.com/");
    let output = wxpay.stdin(Stdio::null()).output().expect("wxpay");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(printed.lines().last(), Some(last_line), "{printed}");
}

/// The state of the sandbox after all its notifications were delivered.
fn delivered_state(sandbox: &Sandbox) -> Value {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let state = sandbox.overview();
        let waiting = |one: &Value| one["outcome"] == "waiting";
        if Instant::now() > deadline || !state["notifications"].as_array().expect("notifications").iter().any(waiting) {
            return state;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn wechatpay_axios_plugin_works_with_the_sandbox() {
    let package = installed().join("node_modules/wechatpay-axios-plugin/package.json");
    // The script needs version 18.
    let node = succeeds(program("node").args(["-e", "process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)"]));
    let Some(text) = std::fs::read_to_string(package).ok().filter(|_| node) else {
        skipped("wechatpay-axios-plugin", "node 18 and `npm install` of tests/sdk/package.json");
        return;
    };
    let package: Value = serde_json::from_str(&text).expect("package.json");
    let version = package["version"].as_str().expect("version");
    let mut script = program("node");
    script.arg(scripts().join("axios.mjs"));
    let last_line = format!("wechatpay-axios-plugin {version}: 12 steps done");
    assert_unchanged(&script, &last_line);
    assert_script(script, &last_line, "axios", &format!("wechatpay-axios-plugin/{version}"));
}

#[test]
fn wechatpayv3_works_with_the_sandbox() {
    let candidates = [installed().join("venv/bin/python"), "python3".into()];
    let version = "from importlib.metadata import version; import wechatpayv3; print(version('wechatpayv3'))";
    let found = candidates.iter().find_map(|python| {
        let output = program(python).args(["-c", version]).stdin(Stdio::null()).output().ok()?;
        output.status.success().then(|| (python, String::from_utf8_lossy(&output.stdout).trim().to_owned()))
    });
    let Some((python, version)) = found else {
        skipped("wechatpayv3", "python3 and `pip install -r` of tests/sdk/requirements.txt");
        return;
    };
    let mut script = program(python);
    script.arg(scripts().join("wechatpayv3_test.py"));
    assert_unchanged(&script, &format!("wechatpayv3 {version}: 12 steps done"));
    let last_line = format!("wechatpayv3 {version}: 12 steps done");
    assert_script(script, &last_line, "python", &format!("wechatpay python sdk v{version}"));
}
