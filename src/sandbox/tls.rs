//! The sandbox over TLS: an authority of its own, the server's certificate, and the merchant's, which it asks for.

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

use super::{MCHID, SERIAL};
use crate::error::Error;

/// What is kept of it, in PEM. The authority's key is thrown away: nothing else is to be signed by it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct TlsMaterial {
    /// The authority that clients trust.
    pub(super) root: String,
    /// The merchant's `apiclient_cert.pem`.
    pub(super) merchant: String,
    server: String,
    server_key: String,
}

pub(super) struct Tls {
    pub(super) root_pem: String,
    pub(super) merchant_cert_pem: String,
    pub(super) server: Arc<ServerConfig>,
}

impl TlsMaterial {
    /// With a certificate for the merchant's key, in PKCS#8.
    pub(super) fn make(merchant_key: &[u8]) -> Result<Self, Error> {
        let failed = |source: rcgen::Error| Error::config("the sandbox cannot make a certificate").with_source(source);
        let mut params = named("The sandbox's authority").map_err(failed)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().map_err(failed)?).map_err(failed)?;

        let mut params = named("127.0.0.1").map_err(failed)?;
        let localhost = "localhost".try_into().map_err(failed)?;
        params.subject_alt_names =
            vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)), SanType::DnsName(localhost)];
        let key = KeyPair::generate().map_err(failed)?;
        let server = params.signed_by(&key, &authority).map_err(failed)?;

        let mut params = named(MCHID).map_err(failed)?;
        params.serial_number = Some(SerialNumber::from(bytes_of(SERIAL)));
        let merchant_key = PrivatePkcs8KeyDer::from(merchant_key);
        let merchant_key = KeyPair::from_pkcs8_der_and_sign_algo(&merchant_key, &PKCS_RSA_SHA256).map_err(failed)?;
        let merchant = params.signed_by(&merchant_key, &authority).map_err(failed)?;
        Ok(TlsMaterial {
            root: authority.pem(),
            merchant: merchant.pem(),
            server: server.pem(),
            server_key: key.serialize_pem(),
        })
    }
}

impl Tls {
    pub(super) fn new(material: &TlsMaterial) -> Result<Self, Error> {
        let no_tls = |source: rustls::Error| Error::config("the sandbox cannot set up TLS").with_source(source);
        let mut roots = RootCertStore::empty();
        for root in certificates(&material.root)? {
            roots.add(root).map_err(no_tls)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        // Asked for, and demanded by the endpoints that need it, as at the service.
        let asking = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .map_err(|source| Error::config("the sandbox cannot set up TLS").with_source(source))?;
        let key = PrivateKeyDer::from_pem_slice(material.server_key.as_bytes())
            .map_err(|source| Error::config("the sandbox's TLS key is damaged").with_source(source))?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(no_tls)?
            .with_client_cert_verifier(asking)
            .with_single_cert(certificates(&material.server)?, key)
            .map_err(no_tls)?;
        Ok(Tls {
            root_pem: material.root.clone(),
            merchant_cert_pem: material.merchant.clone(),
            server: Arc::new(config),
        })
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    crate::crypto::decode::certificates(pem).map_err(|said| Error::config(format!("the sandbox's certificate: {said}")))
}

fn named(name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = (SystemTime::now() - Duration::from_secs(3600)).into();
    params.not_after = (SystemTime::now() + Duration::from_secs(5 * 365 * 86_400)).into();
    Ok(params)
}

/// The bytes of a hexadecimal number.
fn bytes_of(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hexadecimal.chars().filter_map(|c| c.to_digit(16)).filter_map(|d| u8::try_from(d).ok()).collect();
    digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect()
}
