//! Decodes a setting into the DER of a key or a certificate. All settings use this reader, which
//! selects the required section from text or a file.

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::der::{self, Der, DerKind, is_pkcs12};
use super::pem::{self, Section};
use super::setting_file;
use crate::error::Error;

/// Decodes a setting, and returns the first section of the wanted kind, or the first section if
/// there is none of that kind. Errors never contain a part of the setting, except the path of a
/// file.
///
/// ```text
/// file:///path/to/the.pem       a file of PEM, base64 or DER
/// -----BEGIN ... KEY-----       PEM, with or without line breaks, with a BOM, with text and other
///                               sections around it
/// private.pkcs8://MIIE...       base64 of the named structure, as in the PHP SDK:
///                               private.pkcs1, private.pkcs8, public.pkcs1, public.spki
/// MIIE...                       base64 of any of these
/// ```
pub(crate) fn text(setting: &str, wanted: DerKind) -> Result<Der, Error> {
    in_file(setting, wanted, |sections| {
        let position = sections.iter().position(|section| section.kind.serves(wanted)).unwrap_or(0);
        sections.swap_remove(position).der
    })
}

/// Returns all certificates of a setting. The error is a clause, before which the caller names the
/// setting.
pub(crate) fn certificates(setting: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let wanted = DerKind::Certificate;
    let certificates = in_file(setting, wanted, |sections| {
        if let Some(other) = sections.first().filter(|_| sections.iter().all(|section| section.kind != wanted)) {
            return Err(Error::config(format!("it is {} where a certificate is needed", other.kind.name())));
        }
        let certificates = sections.drain(..).filter(|section| section.kind == wanted);
        certificates.map(|section| section.der.map(|der| CertificateDer::from(der.bytes().to_vec()))).collect()
    });
    certificates.map_err(|error: Error| error.message().to_owned())
}

/// Reads the sections of a setting, at least one, and selects among them. If they are in a file,
/// errors name it.
fn in_file<T>(
    setting: &str,
    wanted: DerKind,
    select: impl FnOnce(&mut Vec<Section>) -> Result<T, Error>,
) -> Result<T, Error> {
    if setting.trim_start_matches('\u{feff}').trim().is_empty() {
        return Err(Error::config("it is empty: is the environment variable set?"));
    }
    let Some(path) = setting_file::url_path(setting) else {
        if setting_file::is_path(setting) {
            // If the file does not exist, reading it returns the right error.
            setting_file::read(setting.trim())?;
            return Err(Error::config(format!("it is the path of a file: write file://{}", setting.trim())));
        }
        return select(&mut pem::sections(setting, wanted)?);
    };
    let bytes = setting_file::read(path)?;
    file_sections(&bytes, wanted)
        .and_then(|mut sections| select(&mut sections))
        .map_err(|error| Error::config(format!("the file {}: {}", setting_file::shown(path), error.message())))
}

/// The sections of a file of PEM, base64 or DER.
fn file_sections(bytes: &[u8], wanted: DerKind) -> Result<Vec<Section>, Error> {
    if bytes.trim_ascii().is_empty() {
        return Err(Error::config("it is empty"));
    }
    if is_pkcs12(bytes) {
        return Err(Error::config(match wanted {
            DerKind::Certificate => {
                "it is PKCS#12: give it to ClientBuilder::merchant_pkcs12 (the setting pkcs12), or extract the certificate with \
                 openssl pkcs12 -in apiclient_cert.p12 -nodes -nokeys -out apiclient_cert.pem"
            }
            DerKind::PrivateKey | DerKind::PublicKey => {
                "it is PKCS#12: extract the key with openssl pkcs12 -in apiclient_cert.p12 -nodes -nocerts -out apiclient_key.pem"
            }
        }));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => pem::sections(text, wanted),
        // DER begins with the tag of a SEQUENCE. It is never valid UTF-8, because of its second
        // byte.
        Err(_) if bytes.first() == Some(&0x30) => Ok(vec![Section::new(der::parse(bytes)?)]),
        Err(_) if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) => {
            Err(Error::config("it is UTF-16 text: save it as UTF-8"))
        }
        // The sections of PEM may be surrounded by text in another encoding.
        Err(_) => pem::sections(&Zeroizing::new(String::from_utf8_lossy(bytes).into_owned()), wanted),
    }
}
