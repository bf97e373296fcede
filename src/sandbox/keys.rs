//! The keys of a sandbox, generated once per process or once per data folder. They are worthless
//! outside of it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use rcgen::{CertificateParams, DnType, PKCS_RSA_SHA256, SerialNumber};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde::{Deserialize, Serialize};

use super::merchant::{MCHID, SERIAL};
use super::private_file;
use super::tls::{Tls, TlsMaterial, bytes_of};
use crate::crypto::decode;
use crate::crypto::der::{Der, DerKind};
use crate::crypto::pem::to_pem;
use crate::crypto::{Apiv3Key, PrivateKey, hash, random};
use crate::error::Error;
use crate::proto::v2::Apiv2Credential;

/// The key file of a data folder.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Material {
    merchant: String,
    /// The serial number of the merchant's certificate.
    #[serde(default = "default_serial")]
    serial: String,
    platform: String,
    apiv3_key: String,
    secret: String,
    tls: TlsMaterial,
    /// The first platform certificate.
    certificate: Option<IssuedMaterial>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct IssuedMaterial {
    key: String,
    pem: String,
    serial: String,
}

pub(super) struct Keys {
    pub(super) merchant: PrivateKey,
    pub(super) merchant_pem: String,
    /// The serial number of the merchant's certificate.
    pub(super) serial: String,
    pub(super) platform: PrivateKey,
    pub(super) platform_public_pem: String,
    pub(super) apiv3_key: Apiv3Key,
    pub(super) apiv3_text: String,
    /// The merchant's ID and APIv2 key.
    pub(super) apiv2: Apiv2Credential,
    pub(super) tls: Tls,
    /// The platform certificate of the data folder.
    pub(super) certificate: Option<Arc<Issued>>,
}

/// A platform certificate and its key.
pub(crate) struct Issued {
    pub(super) key: PrivateKey,
    pub(super) serial: String,
    pub(crate) pem: String,
}

/// How long a platform certificate is valid.
const VALIDITY: Duration = Duration::from_secs(5 * 365 * 86_400);

/// The platform certificate with this number. It is issued at the first call in the process.
pub(super) fn certificate(number: usize) -> Result<Arc<Issued>, Error> {
    static ISSUED: Mutex<Vec<Arc<Issued>>> = Mutex::new(Vec::new());
    let mut issued = ISSUED.lock().unwrap_or_else(PoisonError::into_inner);
    while issued.len() <= number {
        let next = issue(SystemTime::now() + VALIDITY)?;
        issued.push(Arc::new(next));
    }
    issued.get(number).cloned().ok_or_else(|| Error::config("the sandbox has no certificate with this number"))
}

/// A random serial number of 20 bytes, in hexadecimal, with the prefix of its kind. A client may
/// have stored a certificate of another sandbox, and would take one with the same serial number for
/// it.
fn random_serial(prefix: &str) -> Result<String, Error> {
    let digest = hash::sha1(random::nonce()?).to_ascii_uppercase();
    Ok(format!("{prefix}{}", digest.get(prefix.len()..).unwrap_or_default()))
}

/// The serial number of the merchant's certificate in key files without one.
fn default_serial() -> String {
    SERIAL.to_owned()
}

fn key_error<E>(_: E) -> Error {
    Error::config("the sandbox cannot generate an RSA key")
}

/// Generates a private key, in PEM.
fn generate() -> Result<String, Error> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(key_error)?;
    Ok(to_pem("PRIVATE KEY", AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(key_error)?.as_ref()))
}

/// Issues a platform certificate.
pub(crate) fn issue(until: SystemTime) -> Result<Issued, Error> {
    Issued::from(&issue_material(until)?)
}

fn issue_material(until: SystemTime) -> Result<IssuedMaterial, Error> {
    let failed = |source: rcgen::Error| Error::config("the sandbox cannot issue a certificate").with_source(source);
    let key = generate()?;
    let der = der_of(&key)?;
    let signer =
        rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(der.as_slice()), &PKCS_RSA_SHA256);
    let serial = random_serial("7132D72A")?;
    let mut params = CertificateParams::new(Vec::new()).map_err(failed)?;
    params.distinguished_name.push(DnType::CommonName, "Tenpay.com sign");
    params.distinguished_name.push(DnType::OrganizationName, "Tenpay.com");
    params.serial_number = Some(SerialNumber::from(bytes_of(&serial)));
    params.not_before = (SystemTime::now() - Duration::from_secs(3600)).into();
    params.not_after = until.into();
    let certificate = params.self_signed(&signer.map_err(failed)?).map_err(failed)?;
    Ok(IssuedMaterial { key, serial, pem: to_pem("CERTIFICATE", certificate.der()) })
}

/// The DER of a key that `generate` returned.
pub(super) fn der_of(pem: &str) -> Result<Vec<u8>, Error> {
    match decode::text(pem, DerKind::PrivateKey)? {
        Der::Pkcs8(der) => Ok(der.to_vec()),
        other => {
            Err(Error::config(format!("the sandbox's key file contains {} instead of a private key", other.name())))
        }
    }
}

impl Issued {
    #[cfg(test)]
    pub(crate) fn key(&self) -> PrivateKey {
        self.key.clone()
    }

    fn from(material: &IssuedMaterial) -> Result<Self, Error> {
        Ok(Issued {
            key: PrivateKey::from_pem(&material.key)?,
            serial: material.serial.clone(),
            pem: material.pem.clone(),
        })
    }
}

impl Material {
    fn generate(serial: String) -> Result<Self, Error> {
        // In parallel, because generating keys takes most of the time of a first start.
        let (merchant, platform) = std::thread::scope(|scope| {
            let merchant = scope.spawn(generate);
            let platform = generate();
            let merchant = merchant.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok::<_, Error>((merchant?, platform?))
        })?;
        Ok(Material {
            tls: TlsMaterial::issue(&der_of(&merchant)?, &serial)?,
            merchant,
            serial,
            platform,
            apiv3_key: random::nonce()?,
            secret: random::nonce()?,
            certificate: None,
        })
    }
}

impl Keys {
    fn from(material: Material) -> Result<Self, Error> {
        let platform = PrivateKey::from_pem(&material.platform)?;
        let issued = material.certificate.as_ref().map(Issued::from).transpose()?;
        Ok(Keys {
            platform_public_pem: to_pem("PUBLIC KEY", &platform.public_key().spki()),
            platform,
            merchant: PrivateKey::from_pem(&material.merchant)?,
            merchant_pem: material.merchant,
            serial: material.serial,
            apiv3_key: Apiv3Key::new(material.apiv3_key.as_str())?,
            apiv3_text: material.apiv3_key,
            apiv2: Apiv2Credential::new(MCHID, material.secret.into()).map_err(Error::config)?,
            tls: Tls::new(&material.tls)?,
            certificate: issued.map(Arc::new),
        })
    }

    /// The merchant's certificate and key as `apiclient_cert.p12`, with the merchant ID as the
    /// passphrase.
    pub(super) fn pkcs12(&self) -> Result<Vec<u8>, Error> {
        use p12_keystore::{
            Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, LocalKeyId, MacAlgorithm, PrivateKeyChain,
        };
        let failed = |_| Error::config("the sandbox cannot issue a certificate");
        let key = p12_keystore::PrivateKey::from_der(&der_of(&self.merchant_pem)?).map_err(failed)?;
        let certificates = decode::certificates(&self.tls.merchant_cert_pem).map_err(Error::config)?;
        let chain: Vec<Certificate> =
            certificates.iter().map(|der| Certificate::from_der(der)).collect::<Result<_, _>>().map_err(failed)?;
        let mut store = KeyStore::new();
        let id = LocalKeyId::from(self.serial.as_bytes());
        store.add_entry(MCHID, KeyStoreEntry::PrivateKeyChain(PrivateKeyChain::new(id, key, chain)));
        // The algorithms that every library reads.
        let writer = store.writer(MCHID).encryption_algorithm(EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc);
        writer.mac_algorithm(MacAlgorithm::HmacSha1).write().map_err(failed)
    }

    /// Reads the key file of a data folder, and creates it if it does not exist.
    pub(super) fn of_folder(path: &Path) -> Result<Self, Error> {
        let failed = |reason: String| Error::config(format!("the sandbox's key file {}: {reason}", path.display()));
        let material = match std::fs::read(path) {
            Ok(bytes) => {
                let mut material: Material = serde_json::from_slice(&bytes).map_err(|_| {
                    failed("the file is damaged: move the folder away to start with new keys".to_owned())
                })?;
                // The authority's key is gone, so all certificates of TLS are issued anew. The
                // merchant's has the same key and serial number as before.
                if !material.tls.is_current() {
                    material.tls = TlsMaterial::issue(&der_of(&material.merchant)?, &material.serial)?;
                    write_material(path, &material).map_err(failed)?;
                }
                material
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut generated = Material::generate(random_serial("3775B6A4")?)?;
                generated.certificate = Some(issue_material(SystemTime::now() + VALIDITY)?);
                write_material(path, &generated).map_err(failed)?;
                generated
            }
            Err(error) => return Err(failed(error.to_string())),
        };
        Keys::from(material)
    }
}

fn write_material(path: &Path, material: &Material) -> Result<(), String> {
    let text = serde_json::to_string(material).map_err(|error| error.to_string())?;
    private_file::write(path, &text).map_err(|error| error.to_string())
}

/// The keys of this process, generated at the first call.
pub(super) fn of_process() -> Result<Arc<Keys>, Error> {
    static KEYS: Mutex<Option<Arc<Keys>>> = Mutex::new(None);
    let mut slot = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(keys) = &*slot {
        return Ok(Arc::clone(keys));
    }
    Ok(Arc::clone(slot.insert(Arc::new(Keys::from(Material::generate(default_serial())?)?))))
}
