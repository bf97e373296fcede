//! `wxpay sandbox exec`: programs in other languages call the addresses of the service, and reach
//! the sandbox. A test is skipped, with a message, if its language is not installed.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use wechatpay_chain::sandbox::MCHID;
use wechatpay_chain::{Client, PrivateKey, PublicKey};

use super::wxpay;

/// Runs a command under `wxpay sandbox exec`.
fn exec(options: &[&str], command: &[&str]) -> Output {
    let mut wxpay = wxpay(&[&["sandbox", "exec"], options, &["--"], command].concat());
    // The settings of this machine for proxies and roots.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_lowercase();
        if text.ends_with("_proxy") || ["ssl_cert_file", "node_options", "java_tool_options"].contains(&text.as_str()) {
            wxpay.env_remove(name);
        }
    }
    wxpay.stdin(Stdio::null()).output().expect("wxpay")
}

fn is_installed(program: &str, arguments: &[&str]) -> bool {
    let ended = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let installed = ended.is_ok_and(|output| output.status.success());
    if !installed {
        let _ = writeln!(std::io::stderr(), "SKIPPED: {program} {arguments:?} does not run here");
    }
    installed
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Asserts that a program printed a refusal of the sandbox, under an address of the service.
fn assert_reached(output: &Output) {
    let printed = text(&output.stdout);
    assert!(output.status.success() && printed.contains("{\"code\":\""), "{printed}\n{}", text(&output.stderr));
    assert!(!text(&output.stderr).contains("no request"), "{}", text(&output.stderr));
}

const URL: &str = "https://api.mch.weixin.qq.com/v3/certificates";

#[test]
fn the_exit_code_is_that_of_the_command() {
    for code in [0, 1, 7, 200] {
        let output = exec(&[], &["sh", "-c", &format!("exit {code}")]);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        // Nothing of the command's is changed; a command that calls nothing gets a warning.
        assert_eq!(text(&output.stdout), "");
        let warning = text(&output.stderr);
        assert!(warning.starts_with("wxpay: warning: no request reached the sandbox") && warning.lines().count() == 1);
    }
    assert_eq!(exec(&[], &["sh", "-c", "kill -9 $$"]).status.code(), Some(137));
    let missing = exec(&[], &["wxpay-no-such-command"]);
    assert_eq!(missing.status.code(), Some(127));
    assert!(text(&missing.stderr).contains("wxpay-no-such-command cannot be run"), "{}", text(&missing.stderr));
    assert_eq!(exec(&[], &[]).status.code(), Some(2));
}

#[test]
fn the_folder_is_kept_only_if_it_is_named() {
    let output = exec(&[], &["sh", "-c", "test -f \"$WXPAY_SANDBOX/apiclient_key.pem\" && echo $WXPAY_SANDBOX"]);
    let folder = text(&output.stdout);
    assert!(output.status.success() && !std::path::Path::new(folder.trim()).exists(), "{folder}");
    let kept = tempfile::tempdir().expect("folder");
    let dir = kept.path().to_str().expect("path");
    let mut wxpay = wxpay(&["sandbox", "--dir", dir, "exec", "--", "sh", "-c", "echo $WXPAY_SERIAL"]);
    let serial = text(&wxpay.output().expect("wxpay").stdout);
    let config = std::fs::read_to_string(kept.path().join("wxpay.toml")).expect("settings");
    assert!(serial.trim().len() == 40 && config.contains(serial.trim()), "{serial}");
}

#[test]
fn the_public_roots_are_trusted_only_if_another_host_is_allowed() {
    let roots = tempfile::NamedTempFile::new().expect("file");
    let public = wechatpay_chain::sandbox::Sandbox::start().expect("sandbox");
    std::fs::write(roots.path(), format!("PUBLIC ROOTS\n{}", public.root_certificate())).expect("written");
    let bundle = |options: &[&str]| {
        let script = "cat \"$SSL_CERT_FILE\"; echo; cat \"$CURL_CA_BUNDLE\"";
        let mut wxpay = wxpay(&[&["sandbox", "exec"], options, &["--", "sh", "-c", script]].concat());
        text(&wxpay.env("SSL_CERT_FILE", roots.path()).output().expect("wxpay").stdout)
    };
    let own = bundle(&[]);
    assert_eq!((own.matches("BEGIN CERTIFICATE").count(), own.contains("PUBLIC ROOTS")), (2, false), "{own}");
    let all = bundle(&["--allow", "example.com"]);
    assert_eq!((all.matches("BEGIN CERTIFICATE").count(), all.matches("PUBLIC ROOTS").count()), (4, 2), "{all}");
    // The trust store of Java has the same roots.
    let size = |options: &[&str]| {
        let script = "wc -c < \"$WXPAY_SANDBOX/truststore.p12\"";
        let mut wxpay = wxpay(&[&["sandbox", "exec"], options, &["--", "sh", "-c", script]].concat());
        let printed = text(&wxpay.env("SSL_CERT_FILE", roots.path()).output().expect("wxpay").stdout);
        printed.trim().parse::<usize>().expect("a size")
    };
    assert!(size(&["--allow", "example.com"]) > size(&[]) + 300);
}

#[test]
fn the_path_of_java_s_trust_store_can_contain_a_space() {
    let parent = tempfile::tempdir().expect("folder");
    let dir = parent.path().join("a b");
    let options =
        ["sandbox", "--dir", dir.to_str().expect("path"), "exec", "--", "sh", "-c", "echo $JAVA_TOOL_OPTIONS"];
    let printed = text(&wxpay(&options).output().expect("wxpay").stdout);
    assert!(printed.contains("a b/truststore.p12\" -D") && printed.contains(" \"-Djavax"), "{printed}");
}

#[test]
#[cfg(unix)]
fn a_signal_ends_the_command_and_removes_the_folder() {
    use std::io::{BufRead, BufReader, Read};
    for (signal, code) in [("-TERM", 143), ("-HUP", 129)] {
        let script = "echo $WXPAY_SANDBOX; exec sleep 20";
        let mut wxpay = wxpay(&["sandbox", "exec", "--", "sh", "-c", script]);
        let mut started =
            wxpay.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("wxpay");
        let mut output = BufReader::new(started.stdout.take().expect("piped"));
        let mut folder = String::new();
        output.read_line(&mut folder).expect("the folder");
        assert!(std::path::Path::new(folder.trim()).join("apiclient_key.pem").exists(), "{folder}");
        let sent = Command::new("kill").args([signal, &started.id().to_string()]).status();
        assert!(sent.expect("kill").success());
        assert_eq!(started.wait().expect("ended").code(), Some(code));
        assert!(!std::path::Path::new(folder.trim()).exists(), "{folder}");
        // The output is open as long as the command runs.
        assert_eq!(output.read_to_end(&mut Vec::new()).expect("the end"), 0);
    }
}

#[test]
fn curl_needs_no_option() {
    if is_installed("curl", &["--version"]) {
        assert_reached(&exec(&[], &["curl", "--silent", "--show-error", URL]));
        let refused = exec(&[], &["curl", "--silent", "--show-error", "https://example.com/"]);
        assert_eq!(refused.status.code(), Some(56), "{}", text(&refused.stderr));
    }
}

#[test]
fn requests_and_urllib_of_python_need_no_option() {
    if is_installed("python3", &["-c", "import requests"]) {
        let script = format!("import requests; print(requests.get({URL:?}).text)");
        assert_reached(&exec(&[], &["python3", "-c", &script]));
    }
    if is_installed("python3", &["-c", "import ssl"]) {
        let script = format!(
            "import urllib.request, urllib.error\ntry: urllib.request.urlopen({URL:?})\nexcept urllib.error.HTTPError as e: print(e.read().decode())"
        );
        assert_reached(&exec(&[], &["python3", "-c", &script]));
    }
}

#[test]
fn https_of_node_needs_no_option() {
    if is_installed("node", &["--version"]) {
        let script = format!(
            "require('https').get({URL:?}, (r) => {{ let t = ''; r.on('data', (c) => t += c); r.on('end', () => console.log(t)); }})"
        );
        assert_reached(&exec(&[], &["node", "-e", &script]));
        let other = script.replace("api.mch.weixin.qq.com", "example.com");
        let refused = exec(&[], &["node", "-e", &other]);
        assert!(!refused.status.success(), "{}", text(&refused.stdout));
        assert!(text(&refused.stderr).contains("does not connect to example.com"), "{}", text(&refused.stderr));
    }
}

#[test]
fn openssl_of_php_trusts_the_root() {
    if is_installed("php", &["-r", "exit(extension_loaded('openssl') ? 0 : 1);"]) {
        // PHP's streams take their proxy from the program, its curl from the environment.
        let script = r#"
            $context = stream_context_create(['http' => ['ignore_errors' => true, 'request_fulluri' => false,
                'proxy' => str_replace('http://', 'tcp://', getenv('HTTPS_PROXY'))]]);
            echo file_get_contents('https://api.mch.weixin.qq.com/v3/certificates', false, $context);
        "#;
        assert_reached(&exec(&[], &["php", "-r", script]));
    }
}

#[test]
fn java_needs_no_option() {
    let folder = tempfile::tempdir().expect("folder");
    let program = folder.path().join("Main.java");
    let source = r#"
        import java.net.*;
        public class Main {
            public static void main(String[] a) throws Exception {
                HttpURLConnection c = (HttpURLConnection) new URL("https://api.mch.weixin.qq.com/v3/certificates").openConnection();
                c.setRequestProperty("Accept", "application/json");
                c.getResponseCode();
                System.out.println(new String(c.getErrorStream().readAllBytes(), "UTF-8"));
            }
        }
    "#;
    std::fs::write(&program, source).expect("written");
    // The compiler is needed, too.
    if is_installed("javac", &["-version"]) {
        assert_reached(&exec(&[], &["java", program.to_str().expect("path")]));
    }
}

#[test]
fn this_crate_needs_no_option() {
    let exe = std::env::current_exe().expect("this binary");
    let name = "cli::exec::a_program_with_default_settings";
    let output = exec(&[], &[exe.to_str().expect("path"), name, "--exact", "--ignored", "--nocapture"]);
    let printed = text(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}\n{}", text(&output.stderr));
}

/// The program under test: it knows its merchant, and nothing of a sandbox.
#[test]
#[ignore = "run by this_crate_needs_no_option"]
fn a_program_with_default_settings() {
    let variable = |name: &str| std::env::var(name).expect(name);
    let client = Client::builder()
        .mchid(variable("WXPAY_MCHID"))
        .serial(variable("WXPAY_SERIAL"))
        .private_key(PrivateKey::from_pem(&variable("WXPAY_PRIVATE_KEY")).expect("key"))
        .platform_key(
            variable("WXPAY_PLATFORM_KEY_ID"),
            PublicKey::from_pem(&variable("WXPAY_PLATFORM_KEY")).expect("key"),
        )
        .build()
        .expect("client");
    let order = json!({ "json": {
        "appid": "wxd678efh567hg6787", "mchid": MCHID, "description": "d", "out_trade_no": "order-1",
        "notify_url": "https://example.com/notify", "amount": { "total": 100, "currency": "CNY" },
    }});
    let placed = client.chain("v3/pay/transactions/native").post(order).expect("placed");
    assert!(placed.is_verified());
    let found = client.chain("v3/pay/transactions/out-trade-no/order-1").get(json!({ "query": { "mchid": MCHID } }));
    assert_eq!(found.expect("found").json::<Value>().expect("json")["trade_state"], "NOTPAY");
}
