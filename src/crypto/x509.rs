//! The fields of an X.509 certificate that this crate uses.

use std::time::SystemTime;

use x509_cert::certificate::{CertificateInner, Rfc5280};
use x509_cert::der::{Decode, Encode};

use super::hex;
use crate::error::Error;

#[derive(PartialEq, Eq)]
pub(super) struct X509Fields {
    /// Upper-case hexadecimal.
    pub(super) serial: String,
    pub(super) subject: String,
    pub(super) common_name: Option<String>,
    pub(super) not_before: SystemTime,
    pub(super) not_after: SystemTime,
    /// The public key as SPKI, in DER.
    pub(super) spki: Vec<u8>,
}

impl X509Fields {
    pub(super) fn parse(der: &[u8]) -> Result<Self, Error> {
        let damaged = |_| Error::config("the certificate is damaged: it is not X.509");
        let certificate = CertificateInner::<Rfc5280>::from_der(der).map_err(damaged)?;
        let content = certificate.tbs_certificate();
        let subject = content.subject();
        // In DER, a number whose first bit is set is preceded by a zero byte, which is not part of
        // it.
        let serial = hex::encode(content.serial_number().as_bytes()).trim_start_matches("00").to_ascii_uppercase();
        Ok(X509Fields {
            serial,
            subject: subject.to_string(),
            common_name: subject.common_name().ok().flatten().map(|name| name.value().to_string()),
            not_before: content.validity().not_before.to_system_time(),
            not_after: content.validity().not_after.to_system_time(),
            spki: content.subject_public_key_info().to_der().map_err(damaged)?,
        })
    }
}
