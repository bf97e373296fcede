//! The data folder of a sandbox: the merchant's keys, and ready-made settings for this crate and
//! other SDKs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Sandbox;
use super::merchant::{MCHID, PUBLIC_KEY_ID};
use super::private_file;

/// The settings file for `wxpay --config`.
pub(crate) const CONFIG: &str = "wxpay.toml";
/// The file with the addresses of the running sandbox.
pub(crate) const RUNNING: &str = "running.json";

/// The paths of the files in the folder.
struct Files {
    folder: PathBuf,
}

impl Files {
    fn new(folder: &Path) -> Self {
        // Absolute, because the programs that use the settings run in other folders.
        Files { folder: fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned()) }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

/// The settings as a JSON object for scripts. Keys are given as paths of files.
pub(crate) fn summary(sandbox: &Sandbox, folder: &Path) -> Value {
    let files = Files::new(folder);
    let mut certs = json!({ PUBLIC_KEY_ID: files.path("pub_key.pem") });
    if let Some(issued) = &sandbox.inner.keys.certificate {
        certs[issued.serial.as_str()] = files.path("wechatpay_cert.pem").into();
    }
    json!({
        "base_uri": sandbox.base_uri(), "tls_base_uri": sandbox.tls_base_uri(), "mchid": MCHID, "serial": sandbox.inner.keys.serial,
        "private_key": files.path("apiclient_key.pem"), "certificate": files.path("apiclient_cert.pem"), "certs": certs,
        "apiv3_key": sandbox.inner.keys.apiv3_text, "secret": String::from_utf8_lossy(sandbox.secret().expose()),
        "root_certificate": files.path("root_cert.pem"), "config": files.path(CONFIG),
    })
}

/// Writes the files of the folder.
pub(super) fn write(sandbox: &Sandbox, folder: &Path) -> io::Result<()> {
    let keys = &sandbox.inner.keys;
    let path = |name: &str| folder.join(name);
    // The folder holds private keys.
    fs::write(path(".gitignore"), "*\n")?;
    private_file::write(&path("apiclient_key.pem"), &keys.merchant_pem)?;
    fs::write(path("apiclient_cert.pem"), &keys.tls.merchant_cert_pem)?;
    private_file::write(&path("apiclient_cert.p12"), keys.pkcs12().map_err(io::Error::other)?)?;
    fs::write(path("pub_key.pem"), &keys.platform_public_pem)?;
    fs::write(path("root_cert.pem"), &keys.tls.root_pem)?;
    if let Some(issued) = &keys.certificate {
        fs::write(path("wechatpay_cert.pem"), &issued.pem)?;
    }
    let all = summary(sandbox, folder);
    let text = |name: &str| all[name].as_str().unwrap_or_default().to_owned();
    let certificate_serial = keys.certificate.as_ref().map_or("", |issued| issued.serial.as_str());
    private_file::write(
        &path(CONFIG),
        format!(
            "mchid = {MCHID:?}\nserial = {:?}\nprivate_key = \"file://apiclient_key.pem\"\nbase_uri = {:?}\nproxy = \"\"\n\
             root_certificate = \"file://root_cert.pem\"\n\
             apiv3_key = {:?}\nsecret = {:?}\n\n[certs]\n{PUBLIC_KEY_ID} = \"file://pub_key.pem\"\n{}\n[merchant]\n\
             cert = \"file://apiclient_cert.pem\"\nkey = \"file://apiclient_key.pem\"\n",
            keys.serial,
            // Over TLS, so that the endpoints that require the client certificate work as well.
            text("tls_base_uri"),
            text("apiv3_key"),
            text("secret"),
            if certificate_serial.is_empty() {
                String::new()
            } else {
                format!("{certificate_serial} = \"file://wechatpay_cert.pem\"\n")
            },
        ),
    )?;
    for (name, template) in SDKS {
        let mut filled = (*template).to_owned();
        for (placeholder, value) in [
            ("@BASE_URI@", text("base_uri")),
            ("@TLS_BASE_URI@", text("tls_base_uri")),
            ("@ROOT_CERT@", text("root_certificate")),
            ("@MERCHANT_CERT@", text("certificate")),
            ("@MCHID@", MCHID.to_owned()),
            ("@SERIAL@", keys.serial.clone()),
            ("@PRIVATE_KEY@", text("private_key")),
            ("@PUBLIC_KEY_ID@", PUBLIC_KEY_ID.to_owned()),
            ("@PUBLIC_KEY@", all["certs"][PUBLIC_KEY_ID].as_str().unwrap_or_default().to_owned()),
            ("@CERT_SERIAL@", certificate_serial.to_owned()),
            ("@CERT@", all["certs"][certificate_serial].as_str().unwrap_or_default().to_owned()),
            ("@APIV3_KEY@", text("apiv3_key")),
            ("@SECRET@", text("secret")),
        ] {
            filled = filled.replace(placeholder, &value);
        }
        private_file::write(&path(name), &filled)?;
    }
    private_file::write(
        &path(RUNNING),
        json!({ "base_uri": sandbox.base_uri(), "tls_base_uri": sandbox.tls_base_uri(), "pid": std::process::id() })
            .to_string(),
    )
}

/// Settings for other SDKs: the name of each file, and its content with placeholders.
const SDKS: [(&str, &str); 4] = [
    ("settings.php", include_str!("settings.php")),
    ("settings.mjs", include_str!("settings.mjs")),
    ("settings.go.txt", include_str!("settings.go.txt")),
    ("settings.java.txt", include_str!("settings.java.txt")),
];
