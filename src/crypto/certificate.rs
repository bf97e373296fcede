//! X.509 certificates of the merchant and of the platform.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::decode;
use super::der::{self, Der, DerKind};
use super::pem;
use super::public_key::PublicKey;
use super::x509::X509Fields;
use crate::error::Error;

/// An X.509 certificate: its serial number, validity period, subject and public key, none of which
/// is secret.
///
/// The certificate chain is not verified, because WeChat Pay's certificates come from a source that
/// is already trusted.
///
/// ```
/// use wechatpay_chain::Certificate;
/// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
/// # let setting = sandbox.rotate_certificate()?.pem();
/// // or "file:///etc/wechatpay/apiclient_cert.pem"
/// let certificate = Certificate::from_pem(&setting)?;
/// println!("{} until {:?}", certificate.serial(), certificate.not_after());
/// assert!(certificate.is_valid_at(std::time::SystemTime::now()));
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    fields: Arc<X509Fields>,
    public_key: PublicKey,
    der: Vec<u8>,
}

impl Certificate {
    /// Parses a certificate. `setting` is PEM text (even without line breaks), bare base64, or
    /// `file://` followed by a path. If it contains several sections, the first certificate is
    /// used.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config) if the file cannot be read, if it
    /// does not contain a certificate, or if the certificate's key is not an RSA key.
    pub fn from_pem(setting: &str) -> Result<Self, Error> {
        Certificate::from_decoded(decode::text(setting, DerKind::Certificate)?)
    }

    /// Parses a certificate in DER.
    ///
    /// # Errors
    /// The same as for [`from_pem`](Self::from_pem).
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        Certificate::from_decoded(der::parse(der)?)
    }

    fn from_decoded(der: Der) -> Result<Self, Error> {
        let der = match der {
            Der::Certificate(der) => der,
            other => return Err(Error::config(format!("it is {} where a certificate is needed", other.name()))),
        };
        let fields = Arc::new(X509Fields::parse(&der)?);
        let public_key = PublicKey::from_certificate(Arc::clone(&fields))?;
        Ok(Certificate { fields, public_key, der })
    }

    /// Returns the serial number as upper-case hexadecimal digits, in WeChat Pay's format.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.fields.serial
    }

    /// Returns the subject as an RFC 4514 name, such as `CN=Tenpay.com sign,...` in a platform
    /// certificate.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.fields.subject
    }

    /// Returns the subject's common name. In a merchant certificate, it is the merchant ID.
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.fields.common_name.as_deref()
    }

    /// Returns the start of the validity period.
    #[must_use]
    pub fn not_before(&self) -> SystemTime {
        self.fields.not_before
    }

    /// Returns the end of the validity period.
    #[must_use]
    pub fn not_after(&self) -> SystemTime {
        self.fields.not_after
    }

    /// Returns whether `time` is within the validity period, including both ends.
    #[must_use]
    pub fn is_valid_at(&self, time: SystemTime) -> bool {
        (self.not_before()..=self.not_after()).contains(&time)
    }

    /// Returns the public key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Returns the certificate in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        pem::to_pem("CERTIFICATE", &self.der)
    }

    /// Returns the certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

/// Whether a serial number is decimal. In hexadecimal it has up to 40 digits (20 bytes, RFC 5280);
/// a serial number of WeChat Pay has more in decimal.
pub(crate) fn is_decimal_serial(serial: &str) -> bool {
    serial.len() > 40 && serial.bytes().all(|byte| byte.is_ascii_digit())
}

impl TryFrom<&str> for Certificate {
    type Error = Error;
    fn try_from(setting: &str) -> Result<Self, Error> {
        Certificate::from_pem(setting)
    }
}

impl From<&Certificate> for PublicKey {
    fn from(certificate: &Certificate) -> Self {
        certificate.public_key().clone()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("serial", &self.serial())
            .field("subject", &self.subject())
            .field("not_before", &self.not_before())
            .field("not_after", &self.not_after())
            .finish_non_exhaustive()
    }
}
