//! The settings file that is found from the current folder upward.

use super::{Settings, run_with_input, text, wxpay};
use crate::support::sandbox;

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
    let file = std::path::Path::new(&settings.path("wxpay.toml")).canonicalize().expect("the file");
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
    assert!(printed.contains("WXPAY_MCHID is 1900000109"), "{printed}");
    assert!(printed.contains("is for 1900000108: unset the variable, or name the settings file"), "{printed}");
    // The requests of the two calls that succeeded.
    assert_eq!(sandbox.requests().len(), 2);
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
