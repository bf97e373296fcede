//! The settings file that is found from the current folder upward.

use super::{Settings, run_with_input, text, wxpay};
use crate::support::{each_hint_names_its_condition, sandbox};

#[test]
fn the_settings_file_is_found_from_the_current_folder_upward() {
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    let folder = std::path::PathBuf::from(settings.path("shop/src"));
    std::fs::create_dir_all(&folder).expect("folders");
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = wxpay(arguments);
        command.current_dir(&folder).envs(variables.iter().copied());
        let output = run_with_input(command, "");
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let echo = ["req", "v3/security/echo", "--json", r#"{"echo_message":"hello"}"#];
    let (code, printed) = run(&echo, &[]);
    assert_eq!(code, Some(0), "{printed}");
    let (_, printed) = run(&["doctor", "--offline"], &[]);
    let file = std::path::Path::new(&settings.path("wxpay.toml")).canonicalize().expect("a path");
    assert!(printed.contains("ok       settings file          "), "{printed}");
    assert!(printed.contains(&file.display().to_string()), "{printed}");

    // A nearer file wins, and so does a file that is named.
    std::fs::write(settings.path("shop/wxpay.toml"), "mchid = \"1900000108\"\n").expect("another file");
    let (code, printed) = run(&echo, &[]);
    assert!(code == Some(2) && printed.contains("private_key"), "{code:?} {printed}");
    let (code, printed) = run(&echo, &[("WXPAY_CONFIG", &settings.path("wxpay.toml"))]);
    assert_eq!(code, Some(0), "{printed}");

    // The file of one merchant is not mixed with the variables of another.
    let (code, printed) = run(&echo, &[("WXPAY_MCHID", "1900000109")]);
    assert_eq!(code, Some(2), "{printed}");
    assert!(printed.contains("WXPAY_MCHID is 1900000109, and the settings file "), "{printed}");
    assert!(printed.contains("shop/wxpay.toml is for the merchant 1900000108; "), "{printed}");
    // This is so for a file that is named, too, and for the options of `certs`.
    let file = settings.path("wxpay.toml");
    let certs = ["certs", "--output", &settings.path("certs"), "--mchid", "1900000108"];
    for (arguments, variable) in [
        (echo.as_slice(), ("WXPAY_CONFIG", file.as_str())),
        (&[&["--config", &file], echo.as_slice()].concat(), ("WXPAY_LANG", "en")),
    ] {
        let (code, printed) = run(arguments, &[variable, ("WXPAY_MCHID", "1900000108")]);
        assert!(code == Some(2) && printed.contains("is for the merchant 1900000109; "), "{code:?} {printed}");
    }
    let (code, printed) = run(&certs, &[("WXPAY_CONFIG", &file)]);
    assert!(code == Some(2) && printed.contains("--mchid is 1900000108, and the settings file "), "{code:?} {printed}");
    each_hint_names_its_condition(&[("are not mixed: take all settings from one of them", printed)]);
    // The requests of the two calls that succeeded.
    assert_eq!(sandbox.requests().len(), 2);
}

#[test]
fn doctor_lists_the_origin_of_each_setting() {
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    let mchid = sandbox.settings()["mchid"].as_str().expect("mchid").to_owned();
    let doctor = |language: &str| {
        let mut command = wxpay(&["--config", &settings.path("wxpay.toml"), "doctor", "--offline"]);
        command.env("WXPAY_LANG", language).env("WXPAY_MCHID", &mchid).env("WXPAY_SECRET", "x".repeat(32));
        text(&run_with_input(command, "").stdout)
    };
    let printed = doctor("en");
    let line = |start: &str| printed.lines().find(|line| line.contains(start)).unwrap_or_default().to_owned();
    assert!(line("from variables").ends_with(" WXPAY_MCHID, WXPAY_SECRET"), "{printed}");
    let of_file = format!(" base_uri, certs.{}, private_key, ", wechatpay_chain::sandbox::PUBLIC_KEY_ID);
    assert!(line("from the file").contains(&of_file) && !line("from the file").contains("mchid"), "{printed}");
    assert!(doctor("zh").contains("来自环境变量"), "{}", doctor("zh"));
}

/// In a folder that all users can write to, another user's file must not decide where calls go.
#[cfg(unix)]
#[test]
fn a_settings_file_of_another_user_is_skipped() {
    use std::os::unix::fs::{MetadataExt, chown};
    let sandbox = sandbox();
    let settings = Settings::new(&sandbox);
    let folder = std::path::PathBuf::from(settings.path("shop"));
    std::fs::create_dir(&folder).expect("folder");
    let owner = folder.metadata().expect("metadata").uid();
    if chown(settings.path("wxpay.toml"), Some(owner + 1), None).is_err() {
        eprintln!("SKIPPED: only root can give a file to another user");
        return;
    }
    let run = || {
        let mut command = wxpay(&["doctor", "--offline"]);
        command.current_dir(&folder);
        text(&run_with_input(command, "").stdout)
    };
    assert!(!run().contains("settings file"), "{}", run());
    chown(settings.path("wxpay.toml"), Some(owner), None).expect("the owner");
    assert!(run().contains("settings file"), "{}", run());
}
