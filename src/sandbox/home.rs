//! The folder of a sandbox: its merchant's keys, and settings to paste for this crate and for other SDKs.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use super::routes::Stub;
use super::{MCHID, PUBLIC_KEY_ID, SERIAL, Sandbox};

/// The settings of `wxpay`.
pub(crate) const CONFIG: &str = "wxpay.toml";
/// Where the running sandbox listens.
pub(crate) const RUNNING: &str = "running.json";

/// Writes a file that only its owner can read; whole, or not at all.
pub(crate) fn private(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A temporary file has these rights from its first byte.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// The names of the files in the folder.
pub(crate) struct Files {
    folder: PathBuf,
}

impl Files {
    pub(crate) fn new(folder: &Path) -> Self {
        // Other programs are started elsewhere.
        Files { folder: fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned()) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}

/// The settings as one JSON object, keys as names of files: for scripts.
pub(crate) fn summary(sandbox: &Sandbox, folder: &Path) -> Value {
    let files = Files::new(folder);
    let mut certs = json!({ PUBLIC_KEY_ID: files.text("pub_key.pem") });
    if let Some(issued) = &sandbox.state.keys.certificate {
        certs[issued.serial.as_str()] = files.text("wechatpay_cert.pem").into();
    }
    json!({
        "base_uri": sandbox.base_uri(), "tls_base_uri": sandbox.tls_base_uri(), "mchid": MCHID, "serial": SERIAL,
        "private_key": files.text("apiclient_key.pem"), "certificate": files.text("apiclient_cert.pem"), "certs": certs,
        "apiv3_key": sandbox.state.keys.apiv3_text, "secret": String::from_utf8_lossy(sandbox.secret().expose()),
        "root_certificate": files.text("root_cert.pem"), "config": files.text(CONFIG),
    })
}

/// Writes keys and settings.
pub(super) fn write(sandbox: &Sandbox, folder: &Path) -> io::Result<()> {
    let keys = &sandbox.state.keys;
    let path = |name: &str| folder.join(name);
    private(&path("apiclient_key.pem"), &keys.merchant_pem)?;
    fs::write(path("apiclient_cert.pem"), &keys.tls.merchant_cert_pem)?;
    fs::write(path("pub_key.pem"), &keys.platform_public_pem)?;
    fs::write(path("root_cert.pem"), &keys.tls.root_pem)?;
    if let Some(issued) = &keys.certificate {
        fs::write(path("wechatpay_cert.pem"), &issued.pem)?;
    }
    let all = summary(sandbox, folder);
    let text = |name: &str| all[name].as_str().unwrap_or_default().to_owned();
    let certificate_serial = keys.certificate.as_ref().map_or("", |issued| issued.serial.as_str());
    private(
        &path(CONFIG),
        &format!(
            "mchid = {MCHID:?}\nserial = {SERIAL:?}\nprivate_key = \"file://apiclient_key.pem\"\nbase_uri = {:?}\nproxy = \"\"\n\
             root_certificate = \"file://root_cert.pem\"\n\
             apiv3_key = {:?}\nsecret = {:?}\n\n[certs]\n{PUBLIC_KEY_ID} = \"file://pub_key.pem\"\n{}\n[merchant]\n\
             cert = \"file://apiclient_cert.pem\"\nkey = \"file://apiclient_key.pem\"\n",
            // Over TLS, so that what demands the merchant's certificate works as well.
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
        for (mark, value) in [
            ("@BASE_URI@", text("base_uri")),
            ("@MCHID@", MCHID.to_owned()),
            ("@SERIAL@", SERIAL.to_owned()),
            ("@PRIVATE_KEY@", text("private_key")),
            ("@PUBLIC_KEY_ID@", PUBLIC_KEY_ID.to_owned()),
            ("@PUBLIC_KEY@", all["certs"][PUBLIC_KEY_ID].as_str().unwrap_or_default().to_owned()),
            ("@CERT_SERIAL@", certificate_serial.to_owned()),
            ("@CERT@", all["certs"][certificate_serial].as_str().unwrap_or_default().to_owned()),
            ("@APIV3_KEY@", text("apiv3_key")),
            ("@SECRET@", text("secret")),
        ] {
            filled = filled.replace(mark, &value);
        }
        private(&path(name), &filled)?;
    }
    private(
        &path(RUNNING),
        &json!({ "base_uri": sandbox.base_uri(), "tls_base_uri": sandbox.tls_base_uri(), "pid": std::process::id() })
            .to_string(),
    )
}

/// Settings for other SDKs, in their own words.
const SDKS: [(&str, &str); 4] = [
    ("settings.php", include_str!("settings.php")),
    ("settings.mjs", include_str!("settings.mjs")),
    ("settings.go.txt", include_str!("settings.go.txt")),
    ("settings.java.txt", include_str!("settings.java.txt")),
];

/// A line of a stub file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    method: String,
    template: String,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    response: Value,
}

fn ok() -> u16 {
    200
}

/// Reads a stub file: a JSON array, or an object a line.
pub(super) fn stubs(text: &str) -> Result<Vec<Stub>, String> {
    let lines: Vec<Line> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(|error| error.to_string())?
    } else {
        serde_json::Deserializer::from_str(text)
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?
    };
    lines
        .into_iter()
        .map(|line| {
            if !(100..600).contains(&line.status) {
                return Err(format!("{} is no status of HTTP, in the stub of {}", line.status, line.template));
            }
            Ok(Stub::new(&line.method, &line.template, line.status, line.response))
        })
        .collect()
}
