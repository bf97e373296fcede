//! The keys of a sandbox: made once a process, worth nothing outside of it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use rcgen::{CertificateParams, DnType, PKCS_RSA_SHA256, SerialNumber};
use rustls_pki_types::PrivatePkcs8KeyDer;

use super::MCHID;
use super::tls::Tls;
use crate::crypto::load::to_pem;
use crate::crypto::{Apiv3Key, PrivateKey, random};
use crate::error::Error;
use crate::proto::v2::Credential;

pub(super) struct Keys {
    pub(super) merchant: PrivateKey,
    pub(super) merchant_pem: String,
    pub(super) platform: PrivateKey,
    pub(super) platform_public_pem: String,
    pub(super) apiv3_key: Apiv3Key,
    pub(super) apiv3_text: String,
    /// The merchant's id and APIv2 key.
    pub(super) apiv2: Credential,
    pub(super) tls: Tls,
}

/// A platform certificate and its key.
pub(crate) struct Issued {
    pub(super) key: PrivateKey,
    pub(super) serial: String,
    pub(crate) pem: String,
}

/// How long a platform certificate is valid.
const VALID: Duration = Duration::from_secs(5 * 365 * 86_400);

/// The platform certificate of that number, made at the first call of the process.
pub(super) fn certificate(number: usize) -> Result<&'static Issued, Error> {
    static ISSUED: Mutex<Vec<&'static Issued>> = Mutex::new(Vec::new());
    let mut issued = ISSUED.lock().unwrap_or_else(PoisonError::into_inner);
    while issued.len() <= number {
        let next = issue(issued.len(), SystemTime::now() + VALID)?;
        issued.push(Box::leak(Box::new(next)));
    }
    issued.get(number).copied().ok_or_else(|| Error::config("the sandbox lost a certificate"))
}

/// Issues a platform certificate.
pub(crate) fn issue(number: usize, until: SystemTime) -> Result<Issued, Error> {
    let failed = |source: rcgen::Error| Error::config("the sandbox cannot make a certificate").with_source(source);
    let no_key = |_| Error::config("the sandbox cannot make an RSA key");
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(no_key)?;
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(no_key)?;
    let signer =
        rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(der.as_ref()), &PKCS_RSA_SHA256);
    let mut serial =
        vec![0x71, 0x32, 0xd7, 0x2a, 0x03, 0xe9, 0x3c, 0xdd, 0xf8, 0xc0, 0x3b, 0xbd, 0x1f, 0x37, 0xee, 0xdf];
    serial.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
    let mut params = CertificateParams::new(Vec::new()).map_err(failed)?;
    params.distinguished_name.push(DnType::CommonName, "Tenpay.com sign");
    params.distinguished_name.push(DnType::OrganizationName, "Tenpay.com");
    params.serial_number = Some(SerialNumber::from(serial.clone()));
    params.not_before = (SystemTime::now() - Duration::from_secs(3600)).into();
    params.not_after = until.into();
    let certificate = params.self_signed(&signer.map_err(failed)?).map_err(failed)?;
    Ok(Issued {
        key: PrivateKey::new(pair)?,
        serial: crate::crypto::digest::hex(&serial).to_ascii_uppercase(),
        pem: to_pem("CERTIFICATE", certificate.der()),
    })
}

/// The keys of this process, made at the first call.
pub(super) fn get() -> Result<&'static Keys, Error> {
    static KEYS: Mutex<Option<&'static Keys>> = Mutex::new(None);
    let mut slot = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(keys) = *slot {
        return Ok(keys);
    }
    let failed = |_| Error::config("the sandbox cannot make an RSA key");
    let generate = || KeyPair::generate(KeySize::Rsa2048).map_err(failed);
    // Two threads, as this is most of what a sandbox's start takes.
    let (merchant, platform) = std::thread::scope(|scope| {
        let merchant = scope.spawn(generate);
        let platform = generate();
        let merchant = merchant.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok::<_, Error>((merchant?, platform?))
    })?;
    let merchant_der = AsDer::<Pkcs8V1Der<'_>>::as_der(&merchant).map_err(failed)?;
    let merchant_pem = to_pem("PRIVATE KEY", merchant_der.as_ref());
    let tls = Tls::new(merchant_der.as_ref())?;
    let apiv2 = Credential::new(MCHID, random::nonce()?.into());
    let public = platform.public_key();
    let public = AsDer::<PublicKeyX509Der<'_>>::as_der(public).map_err(failed)?;
    let platform_public_pem = to_pem("PUBLIC KEY", public.as_ref());
    let apiv3_text = random::nonce()?;
    let keys = Keys {
        apiv3_key: Apiv3Key::new(apiv3_text.as_str())?,
        apiv3_text,
        merchant: PrivateKey::new(merchant)?,
        merchant_pem,
        platform: PrivateKey::new(platform)?,
        platform_public_pem,
        apiv2: apiv2.map_err(Error::config)?,
        tls,
    };
    Ok(slot.insert(Box::leak(Box::new(keys))))
}
