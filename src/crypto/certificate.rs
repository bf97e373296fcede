//! X.509 certificates: the merchant's and the platform's.

use std::fmt;
use std::time::SystemTime;

use x509_cert::certificate::{CertificateInner, Rfc5280};
use x509_cert::der::{Decode, Encode};

use super::decode::{self, Der};
use super::hex;
use super::rsa::{Origin, PublicKey};
use crate::error::Error;

/// A certificate: its serial number, validity, subject and public key. Nothing of it is secret.
///
/// The chain of authorities is not checked: WeChat Pay's certificates come through a channel that is trusted already.
///
/// ```
/// use wechatpay_chain::Certificate;
/// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
/// # let setting = sandbox.rotate_certificate()?.pem();
/// let certificate = Certificate::from_pem(&setting)?; // or "file:///etc/wechatpay/apiclient_cert.pem"
/// println!("{} until {:?}", certificate.serial(), certificate.not_after());
/// assert!(certificate.is_valid_at(std::time::SystemTime::now()));
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    serial: String,
    subject: String,
    common_name: Option<String>,
    not_before: SystemTime,
    not_after: SystemTime,
    public_key: PublicKey,
    der: Vec<u8>,
}

impl Certificate {
    /// Reads a certificate given as PEM, base64 or `file://` and a path.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config): the file cannot be read, it is no certificate, or its key is no RSA key.
    pub fn from_pem(setting: &str) -> Result<Self, Error> {
        Certificate::of(decode::text(setting)?)
    }

    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// Those of [`from_pem`](Self::from_pem).
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        Certificate::of(decode::der(der)?)
    }

    fn of(der: Der) -> Result<Self, Error> {
        match der {
            Der::Certificate(der) => Certificate::parse(der),
            other => Err(Error::config(format!("it is {} where a certificate belongs", other.name()))),
        }
    }

    pub(super) fn parse(der: Vec<u8>) -> Result<Self, Error> {
        let damaged = |_| Error::config("the certificate is damaged: it is no X.509");
        let certificate = CertificateInner::<Rfc5280>::from_der(&der).map_err(damaged)?;
        let content = certificate.tbs_certificate();
        let spki = content.subject_public_key_info().to_der().map_err(damaged)?;
        let subject = content.subject();
        let common_name = subject.common_name().ok().flatten().map(|name| name.value().to_string());
        // DER keeps numbers positive with a zero byte in front, which is no part of the number.
        let serial = hex::encode(content.serial_number().as_bytes()).trim_start_matches("00").to_ascii_uppercase();
        let not_after = content.validity().not_after.to_system_time();
        let origin = Origin { serial: serial.clone(), common_name: common_name.clone(), not_after };
        let public_key = PublicKey::from_spki(&spki)?.of_certificate(origin);
        Ok(Certificate {
            serial,
            subject: subject.to_string(),
            common_name,
            not_before: content.validity().not_before.to_system_time(),
            not_after,
            public_key,
            der,
        })
    }

    /// The serial number in upper-case hexadecimal, as the service writes it.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Whose it is, as an RFC 4514 name: `CN=Tenpay.com sign,...` for the platform.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The subject's common name; of a merchant certificate it is the merchant id.
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// The first moment at which it is valid.
    #[must_use]
    pub fn not_before(&self) -> SystemTime {
        self.not_before
    }

    /// The last moment at which it is valid.
    #[must_use]
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// Whether it is valid at a given time.
    #[must_use]
    pub fn is_valid_at(&self, time: SystemTime) -> bool {
        (self.not_before..=self.not_after).contains(&time)
    }

    /// The public key in it.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The certificate in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        decode::to_pem("CERTIFICATE", &self.der)
    }

    /// The certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

impl TryFrom<&str> for Certificate {
    type Error = Error;
    fn try_from(setting: &str) -> Result<Self, Error> {
        Certificate::from_pem(setting)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("serial", &self.serial)
            .field("subject", &self.subject)
            .field("not_before", &self.not_before)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}
