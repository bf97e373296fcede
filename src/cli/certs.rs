//! `wxpay certs`: downloads the platform certificates as PEM files.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use time::UtcOffset;

use super::args::{Certs, ConfigArgs};
use super::failure::Failure;
use super::output;
use super::settings::{self, Settings};
use crate::clock::rfc3339;
use crate::crypto::Certificate;
use crate::transport::sink;

const SECONDS_PER_DAY: u64 = 86_400;

pub(super) fn run(config: &ConfigArgs, certs: &Certs) -> Result<(), Failure> {
    let arguments = Settings {
        mchid: certs.mchid.clone(),
        serial: certs.serialno.clone(),
        private_key: certs.privatekey.as_ref().map(|path| format!("file://{}", path.display())),
        base_uri: certs.baseuri.clone(),
        ..Settings::default()
    };
    let certificates = settings::client_builder(config, arguments)?.build()?.certificates()?;
    let folder = &certs.output;
    let failed = |error: io::Error| Failure::local_io(format!("the folder {}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    for certificate in &certificates {
        let path = save(certificate, folder).map_err(failed)?;
        output::check(print(certificate, &path))?;
    }
    Ok(())
}

/// Writes `wechatpay_SERIAL.pem`, the name that PHP's downloader uses.
fn save(certificate: &Certificate, folder: &Path) -> io::Result<PathBuf> {
    let path = folder.join(format!("wechatpay_{}.pem", certificate.serial()));
    sink::replace_file(&path, certificate.pem().as_bytes())?;
    Ok(path)
}

fn print(certificate: &Certificate, path: &Path) -> io::Result<()> {
    let (from, to) = (certificate.not_before(), certificate.not_after());
    writeln!(
        io::stdout(),
        "{}\n  serial     {}\n  subject    {}\n  valid from {} ({})\n  valid to   {} ({})",
        path.display(),
        certificate.serial(),
        certificate.subject(),
        rfc3339(from, UtcOffset::UTC),
        relative_days(from),
        rfc3339(to, UtcOffset::UTC),
        relative_days(to)
    )
}

fn relative_days(time: SystemTime) -> String {
    match time.duration_since(SystemTime::now()) {
        Ok(ahead) => format!("in {} days", ahead.as_secs() / SECONDS_PER_DAY),
        Err(past) => format!("{} days ago", past.duration().as_secs() / SECONDS_PER_DAY),
    }
}
