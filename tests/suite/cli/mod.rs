//! The command `wxpay`, run as a process, and what its tests share.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use wechatpay_chain::sandbox::{PUBLIC_KEY_ID, Sandbox};

mod api;
mod api_hostile;
mod bill;
mod completions;
mod doctor;
mod exec;
mod files;
mod hints;
pub(crate) mod literals;
mod logs;
mod notify;
mod req;
mod settings_file;
mod signatures;
mod translations;
mod wire;

/// The command without the machine's settings for `wxpay`, proxies and languages.
fn wxpay(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wxpay"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let is_setting = |name: &str| {
        name.starts_with("WXPAY_")
            || name.to_lowercase().ends_with("_proxy")
            || name.starts_with("LC_")
            || name.starts_with("LANG")
    };
    for (name, _) in std::env::vars().filter(|(name, _)| is_setting(name)) {
        command.env_remove(name);
    }
    command
}

/// Runs a command with this input until it ends.
fn run_with_input(mut command: Command, input: impl AsRef<[u8]>) -> Output {
    let mut child = command.spawn().expect("wxpay");
    let mut stdin = child.stdin.take().expect("stdin");
    let input = input.as_ref().to_owned();
    let writer = std::thread::spawn(move || {
        // A command that ends early closes its input.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("ended");
    writer.join().expect("writer");
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// A temporary folder with `wxpay.toml` for a sandbox.
struct Settings(tempfile::TempDir);

impl Settings {
    fn new(sandbox: &Sandbox) -> Self {
        let temporary = tempfile::tempdir().expect("folder");
        let folder = temporary.path();
        let settings = sandbox.settings();
        std::fs::write(folder.join("key.pem"), settings["privateKey"].as_str().expect("pem")).expect("written");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // A key that others can read causes a warning.
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
        Settings(temporary)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("path").to_owned()
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let config = self.path("wxpay.toml");
        run_with_input(wxpay(&[&["--config", &config], arguments].concat()), input)
    }
}
