//! The Chinese messages: every message in the sources is translated, and no translation is unused.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;

use wechatpay_chain::sandbox::{Fault, MCHID};

use super::literals::{is_prose, literals, sentences};
use super::{Settings, run_with_input, text, wxpay};
use crate::docs;
use crate::support;

/// Texts that are not translated, with the reason.
const NOT_TRANSLATED: &[(&str, &[&str])] = &[
    (
        "the texts of --help are in src/cli/help.zh.txt, which a unit test compares",
        &["src/cli/args", "src/cli/help", "src/cli/man.rs", "src/lib.rs"],
    ),
    ("wxpay receives no notifications", &["src/notify/"]),
    ("not built for users", &["src/dev/"]),
    ("what wxpay port writes, and why it leaves what it leaves, is in the language of the program", &["src/port/"]),
    ("wxpay has no fields of its own in XML, and runs no ported program", &["src/php/"]),
    (
        "what the compiler says of chain!, of a verb and of a type",
        &[
            "src/client/chain_macro.rs",
            "src/client/static_text.rs",
            "`{Self}` is not a type that is read from JSON",
            "a type of your own needs `#[derive(serde::Deserialize)]`",
            "write the type of the value",
            "write the type, such as `field::<String>(\"code_url\")`, `pointer::<u64>(\"/amount/total\")` for fen, or `json::<serde_json::Value>()`; a field that may be missing is an `Option`",
            "`{Self}` cannot be the options of a call",
            "for a call without options, write `()`",
            "not options",
            "the fields of the body belong in `json!({{ \"json\": ... }})`; a value that implements `Serialize` in `Options::new().json(&value)`",
            "\"_x_\" is a variable only as a complete name: inside a path write {x}",
            "\"_x_\" is a variable only if x is the name of one: write {x} for each variable of a path",
            "a path segment looks like a value, or is not plain camelCase, and would lose its capitals: write a variable such as {id} instead, and give the value in the options",
            "the query of a path contains capitals, which are not preserved: give it with the option \"query\"",
        ],
    ),
    (
        "what a service answers, in its own words, or a trace",
        &[
            "missing field `",
            "src/pipeline/trace.rs",
            "GET / state list/{table} show/{table} body/{number} qr/{out_trade_no}, POST {}, all under /sandbox/",
            "src/pipeline/metrics.rs",
            "a synchronous call blocks a thread of a tokio runtime, and its other tasks wait: await the method that ends with _async, or make the call in tokio::task::spawn_blocking",
            "src/transport/verbose.rs",
            "src/sandbox/api_",
            "src/sandbox/body.rs",
            "src/sandbox/ledger.rs",
            "{} is not a control call of the sandbox: {}",
            "src/sandbox/notification.rs",
            "src/sandbox/refusal.rs",
            "src/sandbox/routes.rs",
            "src/sandbox/upload.rs",
            "src/sandbox/v2.rs",
        ],
    ),
    (
        "parts of headers, of bodies and of documentation",
        &[
            "application/json; charset=utf-8",
            "attachment; filename=\"{}\"",
            "text/html; charset=utf-8",
            "text/xml; charset=utf-8",
            "text/xml, text/plain, application/x-gzip",
            "application/json, text/plain, application/x-gzip, application/pdf, image/png, image/*;q=0.5",
            "multipart/form-data; boundary={}",
            "Content-Disposition: form-data; name=\"",
            "Tenpay.com sign",
            "<!doctype html",
            "` and blocks this thread until the verified response is received.",
            "` and returns a future of the verified response. The errors are those of [`",
            "Content-Length: {}",
            "{bytes} {wide_bar} {total_bytes} {bytes_per_sec} {eta}",
            "PublicKey({} bits)",
        ],
    ),
    (
        "words that are looked for, or names within the sources",
        &[
            "unknown field",
            "invalid type",
            "the setting {}",
            ", at column",
            "{} at line 1 column",
            "through the proxy",
            "invalid peer certificate",
            "not valid yet",
            "dns error",
            "line {} is not valid input: {}",
            "line {}: {}",
            "the line needs either \"template\" or \"chain\"",
            "the connection is closed by an injected fault",
            "the database cannot be written",
            "not a valid header value",
            "selects the key that encrypts",
        ],
    ),
    (
        "reasons beside rules, which no message shows",
        &[
            "a file; its digest was in the signed response with the download_url",
            "an image of a complaint",
            "a large file, signed by its digest; without the header, as on an error, the body is covered",
            "the same at its newer address",
        ],
    ),
    ("commands for a shell", &["src/sandbox/command_text.rs"]),
    ("statements of SQL and scripts of Redis", &["src/store/postgres_statements.rs", "src/store/redis_scripts.rs"]),
    (
        "code that wxpay api prints",
        &[
            "src/cli/api_example.rs",
            "    /// Fields with a number in their names.",
            "    pub numbered: std::collections::BTreeMap<String, String>,",
            "    pub {}: Option<{}>,",
            "    pub {}: {},",
            "JSON as text.",
            "One of `{}`.",
            "The response of `{} {}`.",
            "The {} of `{} {}`.",
            "pub struct {} {",
        ],
    ),
    (
        "the text of the catalogue",
        &[
            "{} response",
            "{} response {}",
            "# wechatpay-chain catalogue, format 1",
            "# Built by `wxpay api import` from the pages of the documentation site; do not edit.",
            "# METHOD PATH TITLE, or NOTIFICATION NAME TITLE; then the places of the fields, one space for each level.",
            "# FIELD TYPE MARK = VALUES. \"!\" is required, \"-\" not documented.",
        ],
    ),
    (
        "whole files of a table on standard output",
        &["  serial     {}", "  subject    {}", "  valid from {} ({})", "  valid to   {} ({})"],
    ),
    (
        "of the library's sandbox in a test, or as it breaks down",
        &[
            "src/sandbox/expectation.rs",
            "src/sandbox/difference.rs",
            "src/sandbox/recorded_call.rs",
            "src/sandbox/recording.rs",
            "src/sandbox/replay.rs",
            "the function of a stub called the sandbox, which waits for its response",
            "the body of the request: {}",
            "the sandbox's database was not written within {}: is the disk of its folder slow or full?",
            "the resource does not match the expected type: {}",
            "the decrypted field is not valid UTF-8",
            "the sandbox has no platform key {}",
            "the sandbox panicked; its panic message is above",
            "wxpay: the sandbox's database cannot be written ({}); the sandbox sends no more responses, restart it",
        ],
    ),
    (
        "made of what the catalogue has under its own words",
        &[
            "the {} {} {}",
            "{} {} {}",
            "{} is {}",
            "{} --dir {}",
            ", and {}",
            "wxpay: {}",
            "  wxpay --config {} req ...",
            "wrong-signature, stale-clock, unknown-serial, missing-header[:NAME], bad-gateway, frequency-limited, system-error, cut-body[:BYTES], reset, delay:MILLISECONDS, rotate-key",
        ],
    ),
];

/// The messages of the catalogue: those of this crate, and those of libraries.
fn catalogue() -> (Vec<String>, Vec<String>) {
    let text = include_str!("../../../src/cli/messages.zh.txt");
    let (own, others) =
        text.split_once("\n# Messages that are not in the sources").expect("the section of the libraries");
    let entries = |text: &str| {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '\t']));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    (entries(own), entries(others.split_once('\n').expect("entries").1))
}

#[test]
fn every_message_is_translated() {
    let (own, others) = catalogue();
    let known: BTreeSet<&str> = own.iter().chain(&others).map(String::as_str).collect();
    let exceptions: BTreeSet<&str> = NOT_TRANSLATED.iter().flat_map(|(_, what)| what.iter().copied()).collect();
    let (mut missing, mut all, mut used) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (path, text) in docs::sources("src") {
        let is_tests = Path::new(&path).file_stem().is_some_and(|name| name.to_string_lossy().ends_with("_tests"));
        let file = exceptions.iter().find(|what| what.starts_with("src/") && path.starts_with(**what));
        used.extend(file);
        for sentence in literals(&text).iter().flat_map(|literal| sentences(literal)) {
            let exception = exceptions.get(&*sentence);
            used.extend(exception);
            if is_prose(&sentence) && !is_tests && file.is_none() && exception.is_none() && !known.contains(&*sentence)
            {
                missing.insert(format!("{path}: {sentence}"));
            }
            all.insert(sentence);
        }
    }
    assert!(all.len() > 1000, "too few messages: {}", all.len());
    let missing: Vec<_> = missing.into_iter().collect();
    assert!(missing.is_empty(), "src/cli/messages.zh.txt lacks:\n{}", missing.join("\n"));
    let unused: Vec<_> = own.iter().filter(|entry| !all.contains(*entry)).map(String::as_str).collect();
    assert!(unused.is_empty(), "not in any source:\n{}", unused.join("\n"));
    let misplaced: Vec<_> = others.iter().filter(|entry| all.contains(*entry)).map(String::as_str).collect();
    assert!(misplaced.is_empty(), "in the sources, so not below the last heading:\n{}", misplaced.join("\n"));
    let unused: Vec<_> = exceptions.difference(&used).copied().collect();
    assert!(unused.is_empty(), "unused exceptions:\n{}", unused.join("\n"));
}

#[test]
fn messages_are_in_the_language_of_the_locale() {
    let sandbox = support::sandbox();
    let settings = Settings::new(&sandbox);
    let config = settings.path("wxpay.toml");
    let call = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = wxpay(&[&["--config", &config], arguments].concat());
        command.envs(variables.iter().copied());
        let output = run_with_input(command, "");
        (text(&output.stdout), text(&output.stderr), output.status.code())
    };
    let chinese = |arguments: &[&str]| call(&[("LANG", "zh_CN.UTF-8")], arguments);
    let message = |arguments: &[&str]| chinese(arguments).1;
    assert_eq!(
        message(&["req", "v3/x/{id}"]),
        "wxpay: GET v3/x/{id}：缺少路径变量 \"id\"：请加入选项，{\"id\": \"...\"}（在命令行中，用 --var NAME=VALUE 给出路径变量）\n"
    );
    assert_eq!(
        message(&["req", "v3/x", "--json", "@/no/such"]),
        "wxpay: 无法读取文件 \"/no/such\"：没有那个文件或目录（os error 2）\n"
    );
    assert_eq!(
        message(&["req", "v3/x/{id}", "--var", "idd=1"]),
        "wxpay: GET v3/x/{id}：未知的选项 \"idd\"：是不是想写 \"id\"？\n"
    );
    sandbox.stub("GET", "v3/x", 200, serde_json::json!({}));
    sandbox.inject(Fault::Hangup);
    let (_, hung_up, code) = chinese(&["req", "v3/x"]);
    assert!(
        code == Some(4) && hung_up.contains("的连接在收到应答之前断开；请求可能已经到达，请先查询再决定是否重试："),
        "{hung_up}"
    );
    sandbox.inject(Fault::UnknownSerial);
    let (_, untrusted, code) = chinese(&["req", "v3/x"]);
    assert!(code == Some(6) && untrusted.contains("应答不可信，验签不通过：它由微信支付公钥 "), "{untrusted}");
    assert!(!untrusted.contains(" the "), "{untrusted}");
    // Messages of the service are Chinese already, and printed once.
    let (body, refused, code) = chinese(&["req", "v3/none"]);
    assert!(code == Some(5) && refused.starts_with("wxpay: GET v3/none: 404 RESOURCE_NOT_EXISTS: "), "{refused}");
    assert!(body.contains("RESOURCE_NOT_EXISTS") && refused.contains("（Request-ID "), "{refused}");
    // wxpay doctor, whose JSON stays English.
    let (report, end, code) = chinese(&["doctor", "--offline"]);
    assert!(
        code == Some(0) && end.is_empty() && report.contains("正常     mchid                  1900000109\n"),
        "{report}"
    );
    assert!(report.contains("跳过     连接                   --offline\n"), "{report}");
    let (json, ..) = chinese(&["doctor", "--offline", "--json"]);
    assert!(json.contains("\"the settings are consistent\""), "{json}");
    std::fs::write(settings.path("bad.toml"), "mchid = \"1\"\n").expect("written");
    let mut bad = wxpay(&["--config", &settings.path("bad.toml"), "doctor", "--offline"]);
    bad.env("LC_ALL", "zh_CN.UTF-8");
    let bad = run_with_input(bad, "");
    let report = text(&bad.stdout);
    assert!(
        report.contains("失败     private_key            缺失：apiclient_key.pem 的路径，写作 file:///路径\n"),
        "{report}"
    );
    assert!(text(&bad.stderr).contains("项检查中有") && !report.contains(" the "), "{report}");
    // Errors in the arguments.
    assert_eq!(
        message(&["req", "v3/x", "--sinc", "a"]),
        "错误：意外的参数 '--sinc'\n\n  提示：有相近的参数：'--sink'\n\n用法：wxpay req --sink <FILE> <PATH>\n\n更多信息请用 '--help' 查看。\n"
    );
    assert!(message(&["req"]).starts_with("错误：缺少以下必需的参数：\n  <PATH>\n"), "{}", message(&["req"]));
    assert_eq!(message(&["--config"]).lines().next(), Some("错误：'--config <FILE>' 需要一个值，却没有给出"));
    // Environments that select English.
    for english in
        [&[("LANG", "zh_CN.UTF-8"), ("WXPAY_LANG", "en")][..], &[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C")], &[]]
    {
        assert!(call(english, &["req", "v3/x/{id}"]).1.contains("the variable \"id\" of the path is missing"));
    }
    assert!(call(&[("WXPAY_LANG", "zh")], &["req", "v3/x/{id}"]).1.contains("缺少路径变量"));
    // The help is translated, including the texts of clap.
    for arguments in [&["--help"][..], &["-h"], &["req", "--help"], &["help", "sandbox", "exec"]] {
        let (help, error, code) = chinese(arguments);
        assert!(code == Some(0) && error.is_empty() && help.contains("用法： wxpay"), "{help}{error}");
        assert!(help.contains("选项：") && help.contains("打印帮助"), "{help}");
        for english in ["Usage", "Options:", "Commands:", "Arguments:", "Print ", "default:", "possible values"] {
            assert!(!help.contains(english), "{arguments:?}: {english}: {help}");
        }
    }
    assert!(call(&[], &["--help"]).0.contains("Usage: wxpay"));
    assert!(
        run_with_input(
            {
                let mut bare = wxpay(&[]);
                bare.env("WXPAY_LANG", "zh");
                bare
            },
            ""
        )
        .stderr
        .starts_with("在命令行中调用微信支付的任意接口".as_bytes())
    );
}

#[test]
fn the_sandbox_explains_in_chinese() {
    let folder = tempfile::tempdir().expect("folder");
    let dir = folder.path().to_str().expect("UTF-8");
    let mut command = wxpay(&["sandbox", "--port", "0", "--dir", dir]);
    let mut process = command.env("WXPAY_LANG", "zh").spawn().expect("wxpay");
    let mut lines = BufReader::new(process.stdout.take().expect("stdout")).lines().map(|line| line.expect("a line"));
    let banner: Vec<String> = lines.by_ref().take(6).collect();
    // A call with the key of another merchant.
    let config = folder.path().join("wxpay.toml");
    let mut call = wxpay(&["--config", config.to_str().expect("UTF-8"), "req", "v3/x"]);
    let other = support::sandbox();
    // The number and the serial confirm that the key replaces the one of the file.
    let settings = std::fs::read_to_string(&config).expect("settings");
    let serial = settings.lines().find_map(|line| line.strip_prefix("serial = \"")).expect("a serial");
    call.env("WXPAY_LANG", "zh").env("WXPAY_MCHID", MCHID).env("WXPAY_SERIAL", serial.trim_end_matches('"'));
    call.env("WXPAY_PRIVATE_KEY", other.settings()["privateKey"].as_str().expect("key"));
    let refused = run_with_input(call, "");
    let mut pay = wxpay(&["sandbox", "pay", "none", "--dir", dir]);
    let unpaid = run_with_input(
        {
            pay.env("WXPAY_LANG", "zh");
            pay
        },
        "",
    );
    let explained: Vec<String> = BufReader::new(process.stderr.take().expect("stderr"))
        .lines()
        .take(3)
        .map(|line| line.expect("a line"))
        .collect();
    process.kill().expect("ended");
    process.wait().expect("ended");
    assert!(banner[0].starts_with("本地微信支付正在监听 http://127.0.0.1:"), "{banner:?}");
    assert!(banner[5] == "按 Ctrl-C 停止。" && banner[1].starts_with("商户配置保存在 "), "{banner:?}");
    assert!(
        text(&refused.stderr).contains("；微信支付预期的待签名串与所签名的完全一致，因此是私钥不对："),
        "{}",
        text(&refused.stderr)
    );
    assert_eq!(text(&unpaid.stderr), "wxpay: 订单 \"none\" 在沙箱中不存在\n");
    assert_eq!(explained[0], "已拒绝：GET /v3/x");
    assert!(explained[1].starts_with("  不是常见的签名错误："), "{explained:?}");
    assert!(explained[2].contains("预期的") && explained[2].contains("所签名的"), "{explained:?}");
}
