//! `wxpay doctor` finds each mistake in the settings.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use serde_json::Value;
use wechatpay_chain::sandbox::{Fault, PUBLIC_KEY_ID, Sandbox};

use crate::support::{each_hint_names_its_condition, tls_server, unused_address};

/// Runs the doctor with these settings. Returns the exit code, and the name, the outcome and the
/// message of each check.
fn doctor(folder: &Path, toml: &str, arguments: &[&str]) -> (Option<i32>, Vec<(String, String, String)>) {
    let path = folder.join("doctor.toml");
    std::fs::write(&path, toml).expect("settings");
    let mut command = Command::new(env!("CARGO_BIN_EXE_wxpay"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WXPAY_")) {
        command.env_remove(name);
    }
    let output = command.args(["doctor", "--json", "--config"]).arg(&path).args(arguments).output().expect("wxpay");
    let checks: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let text = |check: &Value, name: &str| check[name].as_str().expect(name).to_owned();
    let checks = checks.as_array().expect("checks").iter();
    let checks = checks.map(|check| (text(check, "check"), text(check, "outcome"), text(check, "message")));
    (output.status.code(), checks.collect())
}

#[test]
fn each_mistake_is_found_by_its_check() {
    let folder = tempfile::tempdir().expect("folder");
    let sandbox = Sandbox::builder().dir(folder.path()).start().expect("sandbox");
    let good = std::fs::read_to_string(folder.path().join("wxpay.toml")).expect("settings");
    let (code, checks) = doctor(folder.path(), &good, &[]);
    assert!(code == Some(0) && checks.iter().all(|(_, outcome, _)| outcome == "ok"), "{code:?} {checks:?}");
    assert!(checks.iter().any(|(name, _, message)| name == "encryption" && message.contains("decrypts")), "{checks:?}");

    // The keys and certificates of another sandbox.
    let other = tempfile::tempdir().expect("folder");
    drop(Sandbox::builder().dir(other.path()).start().expect("another"));
    let other = |name: &str| format!("file://{}", other.path().join(name).display());
    let line = |name: &str| good.lines().find(|line| line.starts_with(name)).expect(name).to_owned();
    let replaced = |name: &str, with: String| good.replace(&line(name), &format!("{name} = {with:?}"));
    let closed = unused_address();
    let settings = sandbox.settings();
    let serial = settings["serial"].as_str().expect("serial");
    let platform = std::fs::read_to_string(folder.path().join("wechatpay_cert.pem")).expect("certificate");
    let platform = wechatpay_chain::Certificate::from_pem(&platform).expect("certificate").serial().to_owned();
    let mut messages = BTreeMap::<&str, Vec<(String, String)>>::new();
    for (toml, check, expected) in [
        (replaced("mchid", String::new()), "mchid", "missing"),
        (replaced("private_key", String::new()), "private_key", "missing"),
        (replaced("private_key", "file:///no/such.pem".to_owned()), "private_key", "cannot be read"),
        (replaced("private_key", "file://pub_key.pem".to_owned()), "private_key", "a public key where"),
        (replaced("private_key", other("apiclient_key.pem")), "key and certificate", "does not match the certificate"),
        (replaced("serial", String::new()), "serial", "missing"),
        (replaced("serial", "serial=3775".to_owned()), "serial", "not a hexadecimal number"),
        (replaced("serial", "1".repeat(48)), "serial", "decimal number: write the serial number in hexadecimal"),
        (
            replaced("serial", "3775B6A45ACD588826D15E583A95F5DDC0FFEE01".to_owned()),
            "serial",
            &format!("which is {serial}"),
        ),
        (replaced("serial", platform.clone()), "serial", "it is the ID of a platform key"),
        (
            replaced("mchid", "1900000108".to_owned()),
            "certificate owner",
            "the certificate belongs to the merchant \"1900000109\"",
        ),
        (replaced("apiv3_key", "short".to_owned()), "apiv3_key", "needs 32"),
        (
            replaced("apiv3_key", "0123456789abcdef0123456789abcdef".to_owned()),
            "apiv3_key decryption",
            "cannot be decrypted",
        ),
        (good.replace("file://pub_key.pem", "file://apiclient_cert.pem"), "platform key", "own key or certificate"),
        (
            good.replace("file://pub_key.pem", &other("pub_key.pem")),
            "response signature",
            "does not match the platform key",
        ),
        (replaced("base_uri", "https://127.0.0.1:1/hk".to_owned()), "base_uri", "must end with"),
        (replaced("base_uri", format!("http://{closed}/")), "connection", "cannot be reached"),
        (replaced("base_uri", "http://no-such-host.invalid/".to_owned()), "connection", "cannot be resolved"),
        (
            replaced("root_certificate", other("root_cert.pem")),
            "connection",
            "setting root_certificate is made, and is not",
        ),
        (replaced("proxy", format!("http://{closed}")), "connection", "the proxy does not respond"),
        (
            good.replace("key = \"file://apiclient_key.pem\"\n", "key = \"file://pub_key.pem\"\n"),
            "merchant (APIv2)",
            "where apiclient_key.pem is needed",
        ),
        (format!("nonsense = 1\n{good}"), "settings", "unknown field"),
    ] {
        let (code, checks) = doctor(folder.path(), &toml, &[]);
        assert_eq!(code, Some(8), "{check}: {checks:?}");
        let found = checks
            .iter()
            .find(|(name, outcome, message)| name == check && outcome == "failed" && message.contains(expected));
        let (.., message) = found.unwrap_or_else(|| panic!("{check} {expected:?} not in {checks:?}"));
        messages.entry(check).or_default().push((expected.to_owned(), message.clone()));
        // A mistake is reported once, by the most specific check.
        let failed: Vec<_> = checks.iter().filter(|(_, outcome, _)| outcome == "failed").collect();
        assert!(failed.len() == 1 || failed.iter().all(|(name, ..)| name != "client"), "{checks:?}");
        let shown = format!("{checks:?}");
        assert!(
            !shown.contains("BEGIN") && !shown.contains(line("apiv3_key").split('"').nth(1).expect("key")),
            "{shown}"
        );
    }
    for messages in messages.values() {
        let rows: Vec<_> = messages.iter().map(|(expected, message)| (&**expected, message.clone())).collect();
        each_hint_names_its_condition(&rows);
    }
    sandbox.inject(Fault::UnknownSerial);
    let (_, checks) = doctor(folder.path(), &good, &[]);
    let found = checks.iter().any(|(name, outcome, message)| {
        name == "response signature" && outcome == "failed" && message.contains("platform_key (certs), or give it")
    });
    assert!(found, "{checks:?}");
    // The Date of the response differs from the clock of this machine.
    sandbox.inject(Fault::Tamper(Box::new(|response| {
        response.headers_mut().insert("date", "Mon, 23 Nov 2020 12:00:00 GMT".parse().expect("date"));
    })));
    let (_, checks) = doctor(folder.path(), &good, &[]);
    assert!(
        checks.iter().any(|(name, outcome, message)| name == "clock" && outcome == "failed" && message.contains("NTP")),
        "{checks:?}"
    );
    let (code, checks) = doctor(folder.path(), &good, &["--offline"]);
    assert!(code == Some(0) && checks.iter().any(|(name, ..)| name == "connection"), "{checks:?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let key = folder.path().join("apiclient_key.pem");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("rights");
        let (code, checks) = doctor(folder.path(), &good, &["--offline"]);
        let found = checks.iter().any(|(_, outcome, message)| outcome == "warning" && message.contains("chmod 600"));
        assert!(code == Some(0) && found, "{checks:?}");
    }
}

#[test]
fn each_connection_failure_has_its_own_remedy() {
    let folder = tempfile::tempdir().expect("folder");
    let sandbox = Sandbox::builder().dir(folder.path()).start().expect("sandbox");
    let good = std::fs::read_to_string(folder.path().join("wxpay.toml")).expect("settings");
    let other = tempfile::tempdir().expect("folder");
    drop(Sandbox::builder().dir(other.path()).start().expect("another"));
    let with = |name: &str, line: &str| -> String {
        let lines = good.lines().map(|given| if given.starts_with(name) { line } else { given });
        lines.map(|line| format!("{line}\n")).collect()
    };
    let connection = |toml: String| {
        let (_, checks) = doctor(folder.path(), &toml, &[]);
        checks.into_iter().find(|(name, ..)| name == "connection").expect("the check").2
    };
    let port = sandbox.tls_base_uri().rsplit(':').next().expect("port").to_owned();
    let closed = unused_address();
    let other_root = format!("root_certificate = \"file://{}\"", other.path().join("root_cert.pem").display());
    let (expired, expired_root) = {
        let key = rcgen::KeyPair::generate().expect("key");
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("params");
        params.not_after = (std::time::SystemTime::now() - std::time::Duration::from_secs(3600)).into();
        let certificate = params.self_signed(&key).expect("certificate");
        let root = other.path().join("expired.pem");
        std::fs::write(&root, certificate.pem()).expect("written");
        (tls_server(certificate.der().clone(), &key), format!("root_certificate = \"file://{}\"", root.display()))
    };
    each_hint_names_its_condition(&[
        ("TLS failed: check this machine's clock", {
            let toml = with("base_uri", &format!("base_uri = \"https://localhost:{}/\"", expired.port()));
            let own = good.lines().find(|line| line.starts_with("root_certificate")).expect("root");
            connection(toml.replace(own, &expired_root))
        }),
        ("root_certificate is made, and is not the authority", connection(with("root_certificate", &other_root))),
        ("if a proxy intercepts TLS", connection(with("root_certificate", ""))),
        (
            "not one for the host of base_uri",
            connection(with("base_uri", &format!("base_uri = \"https://0.0.0.0:{port}\""))),
        ),
        ("the proxy does not respond", connection(with("proxy", &format!("proxy = \"http://{closed}\"")))),
        ("cannot be resolved", connection(with("base_uri", "base_uri = \"http://no-such-host.invalid/\""))),
        ("the host cannot be reached", connection(with("base_uri", &format!("base_uri = \"http://{closed}/\"")))),
        ("WeChat Pay is reachable", connection(good.clone())),
    ]);
}

/// Findings that do not fail, and checks that do not apply.
#[test]
fn warnings_name_their_condition() {
    let folder = tempfile::tempdir().expect("folder");
    drop(Sandbox::builder().dir(folder.path()).start().expect("sandbox"));
    let good = std::fs::read_to_string(folder.path().join("wxpay.toml")).expect("settings");
    let with = |name: &str, line: &str| -> String {
        let lines = good.lines().map(|given| if given.starts_with(name) { line } else { given });
        lines.map(|line| format!("{line}\n")).collect()
    };
    let finding = |toml: &str, check: &str| {
        let (_, checks) = doctor(folder.path(), toml, &["--offline"]);
        checks.into_iter().find(|(name, ..)| name == check).map_or("no finding".to_owned(), |(.., message)| message)
    };
    let without_keys: String = {
        let lines = good.lines().filter(|line| {
            !line.starts_with("PUB_KEY_ID_") && !line.starts_with("7132") && !line.starts_with("apiv3_key")
        });
        lines.map(|line| format!("{line}\n")).collect()
    };
    let short_id = good.replace(PUBLIC_KEY_ID, &PUBLIC_KEY_ID[..30]);
    each_hint_names_its_condition(&[
        ("does not have 8 to 10 digits", finding(&with("mchid", "mchid = \"12345\""), "mchid")),
        ("copy the whole ID from the merchant platform", finding(&short_id, "platform key id")),
        ("no finding", finding(&good, "platform key id")),
        ("and APIv2 keys have 32", finding(&with("secret", "secret = \"short\""), "secret (APIv2)")),
        ("correct length", finding(&good, "secret (APIv2)")),
        ("set pub_key.pem with its PUB_KEY_ID_..., or the apiv3_key", finding(&without_keys, "platform keys")),
        ("notifications and platform certificates need it", finding(&without_keys, "apiv3_key")),
        ("not built, because a check above failed", finding(&without_keys, "client")),
    ]);
    std::fs::remove_file(folder.path().join("apiclient_cert.pem")).expect("removed");
    let without_merchant = good.split_once("[merchant]").expect("the table").0;
    let message = finding(without_merchant, "certificate");
    assert!(message.contains("is not in the folder of the private key"), "{message}");
}

#[test]
fn a_captive_portal_is_found_and_a_merchant_without_apiv3_is_supported() {
    let folder = tempfile::tempdir().expect("folder");
    let sandbox = Sandbox::builder().dir(folder.path()).start().expect("sandbox");
    let good = std::fs::read_to_string(folder.path().join("wxpay.toml")).expect("settings");
    let page = http::Response::new(Bytes::from_static(b"<html>log in to the network</html>"));
    sandbox.inject(Fault::Gateway(page));
    let (code, checks) = doctor(folder.path(), &good, &[]);
    let found = checks.iter().any(|(name, outcome, message)| {
        name == "request signature" && outcome == "failed" && message.contains("not from WeChat Pay")
    });
    assert!(code == Some(8) && found, "{checks:?}");
    let secret = good.lines().find(|line| line.starts_with("secret")).expect("secret");
    let v2_only = format!("mchid = \"{}\"\n{secret}\n", wechatpay_chain::sandbox::MCHID);
    let (code, checks) = doctor(folder.path(), &v2_only, &[]);
    assert!(
        code == Some(0) && checks.iter().any(|(name, outcome, _)| name == "APIv3" && outcome == "skipped"),
        "{checks:?}"
    );
}

/// Each character that a URL reserves, and others that parsers treat differently, in the user name
/// and in the password of a URL in each setting and in the environment.
#[test]
fn no_part_of_a_password_is_printed() {
    const SEPARATORS: &str = ":/?#[]@!$&'()*+,;=%\\\"<>^`{|} \t\nä";
    let folder = tempfile::tempdir().expect("folder");
    drop(Sandbox::builder().dir(folder.path()).start().expect("sandbox"));
    let good = std::fs::read_to_string(folder.path().join("wxpay.toml")).expect("settings");
    let path = folder.path().join("urls.toml");
    let without = |names: &[&str]| -> String {
        good.lines().filter(|line| !names.iter().any(|name| line.starts_with(name))).map(|l| format!("{l}\n")).collect()
    };
    let run = |toml: String, variables: &[(&str, &str)]| {
        std::fs::write(&path, toml).expect("settings");
        let mut command = super::wxpay(&["doctor", "--json", "--offline", "--config", path.to_str().expect("path")]);
        command.envs(variables.iter().copied());
        let output = super::run_with_input(command, "");
        (output.status.code(), super::text(&output.stdout) + &super::text(&output.stderr))
    };
    for separator in SEPARATORS.chars() {
        let url = format!("http://QZX{separator}8778J:ZQJ{separator}7887X@127.0.0.1:9");
        let quoted = serde_json::json!(url);
        let base_uri = serde_json::json!(format!("{url}/"));
        for (toml, variables, names) in [
            (format!("proxy = {quoted}\n{}", without(&["proxy"])), vec![], "the proxy is not the URL"),
            (format!("base_uri = {base_uri}\n{}", without(&["base_uri"])), vec![], "base_uri"),
            (format!("backup_uri = {base_uri}\n{}", without(&["backup_uri"])), vec![], "backup_uri"),
            (without(&["proxy"]), vec![("HTTPS_PROXY", &*url)], "the environment variable HTTPS_PROXY"),
            (without(&["base_uri"]), vec![("WXPAY_BASE_URI", &*url)], "base_uri"),
        ] {
            let (code, printed) = run(toml, &variables);
            for part in ["QZX", "8778", "ZQJ", "7887"] {
                assert!(!printed.contains(part), "{part} of {url:?} in {printed}");
            }
            // Characters that are legal in user info are accepted for proxies.
            let is_accepted = names.contains("roxy") || names.contains("PROXY");
            if is_accepted && ":!$&'()*+,;=".contains(separator) {
                assert_eq!(code, Some(0), "{url:?}: {printed}");
            } else {
                assert!(code == Some(8) && printed.contains(names), "{url:?}: {printed}");
            }
        }
    }
}
