//! The TLS configuration of the connections.

use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;

use crate::error::Error;
use crate::transport::proxy::roots_of_environment;

/// A TLS configuration that trusts the roots of Mozilla, of the environment and of the caller.
pub(crate) fn client_config(
    roots: &[CertificateDer<'static>],
) -> Result<rustls::ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    store.add_parsable_certificates(roots_of_environment());
    for root in roots {
        store.add(root.clone()).map_err(|source| {
            Error::config(format!("a root certificate is not usable: {source}")).with_source(source)
        })?;
    }
    // The provider is set explicitly, because the default of the process can be a different one, or
    // ambiguous.
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|source| Error::config(format!("TLS cannot be set up: {source}")).with_source(source))?;
    Ok(config.with_root_certificates(store))
}
