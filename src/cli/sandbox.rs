//! `wxpay sandbox`: the local WeChat Pay as a process of its own.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::Failure;
use super::args::Sandbox as Arguments;
use crate::sandbox::{PUBLIC_KEY_ID, Sandbox};

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let sandbox = Sandbox::start_on(arguments.port)?;
    if arguments.certificates {
        sandbox.rotate_certificate()?;
    }
    let config = write(&sandbox, &arguments.dir)
        .map_err(|error| Failure::local(format!("the folder {}: {error}", arguments.dir.display())))?;
    println!("A local WeChat Pay listens at {}", sandbox.base_uri());
    println!("Its merchant's settings are in {}:", config.display());
    println!("  wxpay --config {} req ...", config.display());
    println!("End it with Ctrl-C.");
    // Whoever reads the lines through a pipe wants them now.
    std::io::stdout().flush().map_err(|error| Failure::local(format!("standard output: {error}")))?;
    loop {
        std::thread::park();
    }
}

/// Writes the settings and the keys they name, and returns the path of the settings.
fn write(sandbox: &Sandbox, folder: &Path) -> std::io::Result<std::path::PathBuf> {
    fs::create_dir_all(folder)?;
    let settings = sandbox.settings();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    private(&folder.join("apiclient_key.pem"), &text(&settings["privateKey"]))?;
    fs::write(folder.join("pub_key.pem"), text(&settings["certs"][PUBLIC_KEY_ID]))?;
    private(&folder.join("apiclient_cert.pem"), &text(&settings["merchant"]["cert"]))?;
    let config = folder.join("wxpay.toml");
    private(
        &config,
        &format!(
            "mchid = {:?}\nserial = {:?}\nprivate_key = \"file://apiclient_key.pem\"\nbase_uri = {:?}\nproxy = \"\"\napiv3_key = {:?}\nsecret = {:?}\n\n[certs]\n{PUBLIC_KEY_ID} = \"file://pub_key.pem\"\n\n\
             [merchant]\ncert = \"file://apiclient_cert.pem\"\nkey = \"file://apiclient_key.pem\"\n",
            text(&settings["mchid"]),
            text(&settings["serial"]),
            text(&settings["base_uri"]),
            text(&settings["apiv3_key"]),
            text(&settings["secret"]),
        ),
    )?;
    Ok(config)
}

/// Writes a file that only its owner can read.
fn private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    file.write_all(text.as_bytes())
}
