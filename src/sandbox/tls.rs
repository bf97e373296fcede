//! TLS of the sandbox: its own certificate authority, the server's certificate, and the merchant's
//! client certificate.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_RSA_SHA256, SanType, SerialNumber,
};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};

use super::merchant::{MCHID, SERVICE_HOSTS};
use crate::error::Error;

/// Certificates and keys in PEM. The private key of the authority is dropped, because it signs
/// nothing else.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct TlsMaterial {
    /// The certificate of the authority.
    pub(super) root: String,
    /// The merchant's `apiclient_cert.pem`.
    pub(super) merchant: String,
    server: String,
    server_key: String,
    /// The hosts that the server's certificate names besides this machine.
    #[serde(default)]
    hosts: Vec<String>,
}

pub(super) struct Tls {
    pub(super) root_pem: String,
    pub(super) merchant_cert_pem: String,
    pub(super) server: Arc<ServerConfig>,
}

impl TlsMaterial {
    /// Issues the certificates. `merchant_key` is in PKCS#8, `serial` is the serial number of its
    /// certificate.
    pub(super) fn issue(merchant_key: &[u8], serial: &str) -> Result<Self, Error> {
        let failed = |source: rcgen::Error| Error::config("the sandbox cannot issue a certificate").with_source(source);
        let mut params = named("Sandbox CA").map_err(failed)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().map_err(failed)?).map_err(failed)?;

        let mut params = named("127.0.0.1").map_err(failed)?;
        let localhost = "localhost".try_into().map_err(failed)?;
        params.subject_alt_names =
            vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)), SanType::DnsName(localhost)];
        for host in SERVICE_HOSTS {
            params.subject_alt_names.push(SanType::DnsName(host.try_into().map_err(failed)?));
        }
        let key = KeyPair::generate().map_err(failed)?;
        let server = params.signed_by(&key, &authority).map_err(failed)?;

        let mut params = named(MCHID).map_err(failed)?;
        params.serial_number = Some(SerialNumber::from(bytes_of(serial)));
        let merchant_key = PrivatePkcs8KeyDer::from(merchant_key);
        let merchant_key = KeyPair::from_pkcs8_der_and_sign_algo(&merchant_key, &PKCS_RSA_SHA256).map_err(failed)?;
        let merchant = params.signed_by(&merchant_key, &authority).map_err(failed)?;
        Ok(TlsMaterial {
            root: authority.pem(),
            merchant: merchant.pem(),
            server: server.pem(),
            server_key: key.serialize_pem(),
            hosts: SERVICE_HOSTS.map(str::to_owned).into(),
        })
    }
}

impl TlsMaterial {
    /// Whether the server's certificate names all hosts of the service. Older ones do not.
    pub(super) fn is_current(&self) -> bool {
        SERVICE_HOSTS.iter().all(|host| self.hosts.iter().any(|known| known == host))
    }
}

impl Tls {
    pub(super) fn new(material: &TlsMaterial) -> Result<Self, Error> {
        let tls_error = |source: rustls::Error| Error::config("the sandbox cannot set up TLS").with_source(source);
        let mut roots = RootCertStore::empty();
        for root in certificates(&material.root)? {
            roots.add(root).map_err(tls_error)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        // A client certificate is requested here and required by the endpoints that need it, as the
        // service does.
        let client_verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .map_err(|source| Error::config("the sandbox cannot set up TLS").with_source(source))?;
        let key = PrivateKeyDer::from_pem_slice(material.server_key.as_bytes())
            .map_err(|source| Error::config("the sandbox's TLS key is damaged").with_source(source))?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(tls_error)?
            .with_client_cert_verifier(client_verifier)
            .with_single_cert(certificates(&material.server)?, key)
            .map_err(tls_error)?;
        Ok(Tls {
            root_pem: material.root.clone(),
            merchant_cert_pem: material.merchant.clone(),
            server: Arc::new(config),
        })
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    crate::crypto::decode::certificates(pem)
        .map_err(|reason| Error::config(format!("the sandbox's certificate cannot be read: {reason}")))
}

fn named(name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = (SystemTime::now() - Duration::from_secs(3600)).into();
    params.not_after = (SystemTime::now() + Duration::from_secs(5 * 365 * 86_400)).into();
    Ok(params)
}

/// Decodes a hexadecimal number.
pub(super) fn bytes_of(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hexadecimal.chars().filter_map(|c| c.to_digit(16)).filter_map(|d| u8::try_from(d).ok()).collect();
    digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect()
}
