//! Clients whose settings are in a file, in the environment, or in a map.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;
use tower::util::MapRequestLayer;
use wechatpay_chain::sandbox::{PUBLIC_KEY_ID, Sandbox};
use wechatpay_chain::{Client, ClientBuilder, ErrorKind};

use crate::support::{each_hint_names_its_condition, sandbox};

/// A folder with `wxpay.toml` and the key that it names.
fn folder(sandbox: &Sandbox, more: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("folder");
    let settings = sandbox.settings();
    std::fs::write(folder.path().join("key.pem"), settings["privateKey"].as_str().expect("pem")).expect("written");
    let toml = format!(
        "mchid = {}\nserial = {}\nprivate_key = \"file://key.pem\"\nbase_uri = {}\nproxy = \"\"\n{more}\n\
         [certs]\n{PUBLIC_KEY_ID} = '''\n{}'''\n",
        settings["mchid"],
        settings["serial"],
        settings["base_uri"],
        settings["certs"][PUBLIC_KEY_ID].as_str().expect("pem"),
    );
    std::fs::write(folder.path().join("wxpay.toml"), toml).expect("written");
    folder
}

fn echo(client: &Client) {
    let message = json!({ "json": { "echo_message": "hello" } });
    let response = client.chain("v3/security/echo").post(message).expect("a response");
    assert!(response.is_verified());
}

#[test]
fn a_client_is_built_from_a_file() {
    let sandbox = sandbox();
    let folder = folder(&sandbox, "timeout = 7\nretry = { times = 2, pause = 0.1 }");
    let file = folder.path().join("wxpay.toml");
    echo(&Client::from_file(&file).expect("a client"));
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let layer = MapRequestLayer::new(move |request: http::Request<bytes::Bytes>| {
        counted.fetch_add(1, Ordering::Relaxed);
        request
    });
    // A layer cannot be in a file, so it is added to the builder.
    let builder = ClientBuilder::from_file(&file).expect("settings");
    assert!(format!("{builder:?}").contains("timeout: 7s"), "{builder:?}");
    echo(&builder.layer(layer.clone()).build().expect("a client"));
    let builder = ClientBuilder::from_settings(sandbox.settings()).expect("settings");
    echo(&builder.layer(layer).build().expect("a client"));
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    assert_eq!(sandbox.requests().len(), 3);
}

#[test]
fn a_mistake_in_a_file_names_its_line_and_no_value() {
    let sandbox = sandbox();
    let of_file = |more: &str| {
        let folder = folder(&sandbox, more);
        let error = Client::from_file(folder.path().join("wxpay.toml")).expect_err(more);
        assert_eq!((error.kind(), error.is_before_send()), (ErrorKind::Config, true), "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        error.message().to_owned()
    };
    for (more, expected) in [
        ("mch_id = \"s3cret\"", "line 6: unknown field `mch_id`, expected one of `mchid`"),
        ("timeout = \"s3cret\"", "line 6: the setting timeout: a string, where a number of seconds is needed"),
        ("apiv3_key = \"s3cret\"", "the setting apiv3_key: "),
        ("catalog = \"file://none.txt\"", "none.txt"),
        ("secret = \"s3cret", "it is not valid TOML"),
    ] {
        let message = of_file(more);
        assert!(message.contains(expected), "{expected}: {message}");
    }
    let error = Client::from_file("/none/wxpay.toml").expect_err("no file");
    assert!(error.message().contains("the settings file /none/wxpay.toml cannot be read"), "{error}");
}

/// Builds a client in a new process with these variables, and returns what it printed.
fn from_env(variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WXPAY_")) {
        command.env_remove(name);
    }
    command.args(["call::settings_sources::from_env_in_this_process", "--exact", "--ignored", "--nocapture"]);
    let output = command.envs(variables.iter().copied()).output().expect("run");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
#[ignore = "the test below runs it in new processes"]
fn from_env_in_this_process() {
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stdout).init();
    match Client::from_env() {
        Ok(client) => {
            println!("{:?}", client.chain("v3/security/echo").post(json!({ "json": { "echo_message": "x" } })))
        }
        Err(error) => println!("{error}"),
    }
}

#[test]
fn a_client_is_built_from_the_environment() {
    let sandbox = sandbox();
    let settings = sandbox.settings();
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    let (key, public) = (text(&settings["privateKey"]), text(&settings["certs"][PUBLIC_KEY_ID]));
    let (mchid, serial, base_uri) = (text(&settings["mchid"]), text(&settings["serial"]), sandbox.base_uri());
    let all = [
        ("WXPAY_MCHID", mchid.as_str()),
        ("WXPAY_SERIAL", &serial),
        ("WXPAY_PRIVATE_KEY", &key),
        ("WXPAY_PLATFORM_KEY_ID", PUBLIC_KEY_ID),
        ("WXPAY_PLATFORM_KEY", &public),
        ("WXPAY_BASE_URI", &base_uri),
        ("NO_PROXY", "*"),
    ];
    let printed = from_env(&all);
    assert!(printed.contains("status: 200") && !printed.contains("WARN"), "{printed}");
    // A misspelled variable is reported.
    let printed = from_env(&[all.as_slice(), &[("WXPAY_SECERT", "s3cret")]].concat());
    assert!(
        printed.contains("WARN wechatpay_chain: the environment variable WXPAY_SECERT is not a setting"),
        "{printed}"
    );
    assert!(printed.contains("did you mean WXPAY_SECRET?") && !printed.contains("s3cret"), "{printed}");
    // A variable takes precedence over the file.
    let folder = folder(&sandbox, "");
    let file = folder.path().join("wxpay.toml").display().to_string();
    let printed = from_env(&[("WXPAY_CONFIG", file.as_str())]);
    assert!(printed.contains("status: 200"), "{printed}");
    let printed = from_env(&[("WXPAY_CONFIG", file.as_str()), ("WXPAY_BASE_URI", "x")]);
    assert!(printed.contains("the setting base_uri"), "{printed}");
    // If no file is named, no file is read.
    assert!(from_env(&[]).contains("the setting mchid is missing"), "{}", from_env(&[]));
    let printed = from_env(&[("WXPAY_PLATFORM_KEY_ID", PUBLIC_KEY_ID)]);
    assert!(printed.contains("must be set together"), "{printed}");
    assert_eq!(sandbox.requests().len(), 3);
}

/// The file of one merchant and the variables of another are an error before anything is sent.
#[test]
fn settings_of_two_merchants_are_refused() {
    let sandbox = sandbox();
    let folder = folder(&sandbox, "");
    let file = folder.path().join("wxpay.toml").display().to_string();
    let with_file = |variables: &[(&str, &str)]| from_env(&[&[("WXPAY_CONFIG", file.as_str())], variables].concat());
    let printed = with_file(&[("WXPAY_MCHID", "1900000108")]);
    assert!(printed.contains(&format!("WXPAY_MCHID is 1900000108, and the settings file {file} is for")), "{printed}");
    assert!(printed.contains("unset WXPAY_MCHID and the other variables"), "{printed}");
    let mchid = sandbox.settings()["mchid"].as_str().expect("mchid").to_owned();
    let printed = with_file(&[("WXPAY_SERIAL", "AB"), ("WXPAY_PRIVATE_KEY", "s3cret")]);
    assert!(printed.contains(&format!("or set WXPAY_MCHID to {mchid}")) && !printed.contains("s3cret"), "{printed}");
    each_hint_names_its_condition(&[
        ("unset WXPAY_MCHID and the other variables of that merchant, or use a settings file of 1900000108", {
            with_file(&[("WXPAY_MCHID", "1900000108")])
        }),
        ("and one of the two does not name its merchant, so they may be of different merchants: leave", {
            with_file(&[("WXPAY_SERIAL", "AB"), ("WXPAY_PRIVATE_KEY", "x")])
        }),
        ("which belongs to the same certificate: set WXPAY_PRIVATE_KEY, too, or leave WXPAY_SERIAL out", {
            with_file(&[("WXPAY_SERIAL", "AB"), ("WXPAY_MCHID", &mchid)])
        }),
    ]);
    assert_eq!(sandbox.requests().len(), 0);
    // The variables may name the same merchant, and fill a gap of the file.
    let printed = with_file(&[("WXPAY_MCHID", &mchid), ("WXPAY_APIV3_KEY", &"x".repeat(32))]);
    assert!(printed.contains("status: 200"), "{printed}");
}
