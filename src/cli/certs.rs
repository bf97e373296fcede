//! `wxpay certs`: the platform's certificates as PEM files.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::SystemTime;

use time::UtcOffset;

use super::args::{Certs, SettingsFile};
use super::{Failure, output, settings};
use crate::clock::rfc3339;
use crate::crypto::Certificate;

pub(super) fn run(from: &SettingsFile, certs: &Certs) -> Result<(), Failure> {
    let mut builder = settings::builder(from)?;
    if let Some(mchid) = &certs.mchid {
        builder = builder.mchid(mchid);
    }
    if let Some(serial) = &certs.serialno {
        builder = builder.serial(serial);
    }
    if let Some(path) = &certs.privatekey {
        builder = builder.private_key(format!("file://{}", path.display()));
    }
    if let Some(uri) = &certs.baseuri {
        builder = builder.base_uri(uri);
    }
    let certificates = builder.build()?.certificates()?;
    let failed = |error: std::io::Error| Failure::local(format!("the folder {}: {error}", certs.output.display()));
    std::fs::create_dir_all(&certs.output).map_err(failed)?;
    for certificate in &certificates {
        let path = write(certificate, &certs.output).map_err(failed)?;
        let days = |time: SystemTime| match time.duration_since(SystemTime::now()) {
            Ok(ahead) => format!("in {} days", ahead.as_secs() / 86_400),
            Err(past) => format!("{} days ago", past.duration().as_secs() / 86_400),
        };
        let (from, to) = (certificate.not_before(), certificate.not_after());
        let written = writeln!(
            std::io::stdout(),
            "{}\n  serial     {}\n  subject    {}\n  valid from {} ({})\n  valid to   {} ({})",
            path.display(),
            certificate.serial(),
            certificate.subject(),
            rfc3339(from, UtcOffset::UTC),
            days(from),
            rfc3339(to, UtcOffset::UTC),
            days(to)
        );
        output::printed(written)?;
    }
    Ok(())
}

/// Writes `wechatpay_SERIAL.pem`, as PHP's downloader names it.
fn write(certificate: &Certificate, folder: &std::path::Path) -> std::io::Result<PathBuf> {
    let path = folder.join(format!("wechatpay_{}.pem", certificate.serial()));
    std::fs::write(&path, certificate.pem())?;
    Ok(path)
}
