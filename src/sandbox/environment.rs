//! The environment of a program that is tested against the sandbox: the variables and files with
//! which each ecosystem finds its proxy and its roots.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Sandbox;
use super::data_dir::CONFIG;
use super::merchant::{MCHID, PUBLIC_KEY_ID};
use crate::crypto::decode;
use crate::error::Error;

/// Where systems keep the public roots.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// The hosts that are reached without the proxy.
const NO_PROXY: &str = "localhost,127.0.0.1,::1";
/// The passphrase of the trust store for Java, which is not a secret.
const STORE_PASSWORD: &str = "changeit";

/// Before version 24, node reads no proxy from the environment. Loaded before the program, this
/// opens the connections of `https` through the proxy.
const NODE_PROXY: &str = include_str!("node_proxy.cjs");

/// The variables for a program. The files that they name are written to `folder`, which is the data
/// folder of the sandbox. Only a program that may reach other hosts trusts the system's roots: a
/// connection to the real service, without the proxy, fails.
pub(crate) fn variables(
    sandbox: &Sandbox,
    folder: &Path,
    reaches_others: bool,
) -> io::Result<Vec<(&'static str, OsString)>> {
    let folder = fs::canonicalize(folder)?;
    let path = |name: &str| folder.join(name);
    let file = |name: &str| format!("file://{}", path(name).display());
    let (root, bundle) = (path("root_cert.pem"), path("root_bundle.pem"));
    let own = sandbox.root_certificate();
    let trusted = if reaches_others { with_system_roots(own) } else { own.to_owned() };
    fs::write(&bundle, &trusted)?;
    fs::write(path("truststore.p12"), trust_store(&trusted).map_err(io::Error::other)?)?;
    fs::write(path("node_proxy.cjs"), NODE_PROXY)?;
    let php = path("php");
    fs::create_dir_all(&php)?;
    let ini = format!("openssl.cafile = \"{0}\"\ncurl.cainfo = \"{0}\"\n", bundle.display());
    fs::write(php.join("wxpay-sandbox.ini"), ini)?;

    let base_uri = sandbox.base_uri();
    let proxy = base_uri.trim_end_matches('/');
    let port = sandbox.address().port();
    // Java splits the options at spaces outside of quotes.
    let java = format!(
        "-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort={port} -Dhttp.nonProxyHosts=localhost|127.*|[::1] \
         \"-Djavax.net.ssl.trustStore={}\" -Djavax.net.ssl.trustStoreType=PKCS12 -Djavax.net.ssl.trustStorePassword={STORE_PASSWORD}",
        path("truststore.p12").display()
    );
    let mut variables: Vec<(&'static str, OsString)> = Vec::new();
    let mut set = |name, value: &dyn AsRef<std::ffi::OsStr>| variables.push((name, value.as_ref().to_owned()));
    // `HTTP_PROXY` is not set: the service has no address of plain HTTP, and the program's own
    // servers may have one.
    for name in ["HTTPS_PROXY", "https_proxy"] {
        set(name, &proxy);
    }
    for name in ["NO_PROXY", "no_proxy"] {
        set(name, &NO_PROXY);
    }
    for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"] {
        set(name, &bundle);
    }
    set("NODE_EXTRA_CA_CERTS", &root);
    // Node 24 reads the proxy by itself.
    set("NODE_USE_ENV_PROXY", &"1");
    set("NODE_OPTIONS", &appended("NODE_OPTIONS", &["--require", &format!("{:?}", path("node_proxy.cjs"))].join(" ")));
    // An empty entry is the folder that PHP was built with.
    set("PHP_INI_SCAN_DIR", &appended_path("PHP_INI_SCAN_DIR", &php));
    set("JAVA_TOOL_OPTIONS", &appended("JAVA_TOOL_OPTIONS", &java));
    // The merchant of the sandbox, for programs that read it from their environment.
    let keys = &sandbox.inner.keys;
    set("WXPAY_SANDBOX", &folder);
    set("WXPAY_SANDBOX_URL", &base_uri);
    set("WXPAY_CONFIG", &path(CONFIG));
    for (name, value) in [
        ("WXPAY_MCHID", MCHID.to_owned()),
        ("WXPAY_SERIAL", keys.serial.clone()),
        ("WXPAY_PRIVATE_KEY", file("apiclient_key.pem")),
        ("WXPAY_APIV3_KEY", keys.apiv3_text.clone()),
        ("WXPAY_SECRET", String::from_utf8_lossy(sandbox.secret().expose()).into_owned()),
        ("WXPAY_ROOT_CERTIFICATE", file("root_cert.pem")),
        ("WXPAY_PLATFORM_KEY_ID", PUBLIC_KEY_ID.to_owned()),
        ("WXPAY_PLATFORM_KEY", file("pub_key.pem")),
    ] {
        set(name, &value);
    }
    Ok(variables)
}

/// The roots of the system after the sandbox's, for the hosts that are allowed.
fn with_system_roots(root: &str) -> String {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let mut candidates = named.into_iter().chain(SYSTEM_BUNDLES.map(PathBuf::from));
    let system = candidates.find_map(|path| fs::read_to_string(path).ok());
    format!("{}\n{}", root.trim_end(), system.unwrap_or_default())
}

/// A trust store with these roots, for Java.
fn trust_store(roots: &str) -> Result<Vec<u8>, Error> {
    use p12_keystore::{Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm};
    let failed = |_| Error::config("the sandbox cannot issue a certificate");
    let mut store = KeyStore::new();
    for (index, root) in decode::certificates(roots).map_err(Error::config)?.iter().enumerate() {
        store.add_entry(
            &format!("root-{index}"),
            KeyStoreEntry::Certificate(Certificate::from_der(root).map_err(failed)?),
        );
    }
    let writer = store.writer(STORE_PASSWORD).encryption_algorithm(EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc);
    writer.mac_algorithm(MacAlgorithm::HmacSha1).write().map_err(failed)
}

/// The value of a variable, with more options.
fn appended(name: &str, more: &str) -> String {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => format!("{value} {more}"),
        _ => more.to_owned(),
    }
}

/// The value of a variable that is a list of folders, with another one.
fn appended_path(name: &str, more: &Path) -> OsString {
    let mut value = std::env::var_os(name).unwrap_or_default();
    value.push(if cfg!(windows) { ";" } else { ":" });
    value.push(more);
    value
}
