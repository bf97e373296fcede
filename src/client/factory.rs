//! PHP's map: the array of `Builder::factory`, key by key.

use serde_json::Value;

use crate::client::builder::ClientBuilder;
use crate::error::Error;
use crate::options::{self, proxy, retry, seconds, text};
use crate::proto::json_type::kind;

impl ClientBuilder {
    /// PHP's map.
    pub(crate) fn from_settings(settings: Value) -> Result<Self, Error> {
        let Value::Object(members) = settings else {
            return Err(Error::config(format!(
                "the settings are {} where an object is needed, such as {{\"mchid\": \"...\", ...}}",
                kind(&settings)
            )));
        };
        let mut builder = ClientBuilder::new();
        for (key, value) in members {
            let Some((_, set)) = SETTINGS.iter().find(|(name, _)| *name == key) else {
                return Err(unknown(&key));
            };
            builder = set(builder, value).map_err(|said| Error::config(format!("the setting {key}: {said}")))?;
        }
        Ok(builder)
    }
}

type Set = fn(ClientBuilder, Value) -> Result<ClientBuilder, String>;

/// The keys of PHP's `Builder::factory`, and of what the builder has besides.
const SETTINGS: &[(&str, Set)] = &[
    ("mchid", |builder, value| match value {
        Value::Number(number) if number.is_u64() => Ok(builder.mchid(number.to_string())),
        other => Ok(builder.mchid(text(other)?)),
    }),
    ("serial", |builder, value| Ok(builder.serial(text(value)?))),
    ("privateKey", |builder, value| Ok(builder.private_key(text(value)?))),
    ("certs", |builder, value| {
        let members = match value {
            Value::Object(members) => members,
            other => return Err(format!("{} where an object of serial and key is needed", kind(&other))),
        };
        members.into_iter().try_fold(builder, |builder, (id, key)| {
            let key = text(key).map_err(|said| {
                format!(
                    "{id:?} is {said}; where PHP has 'any' => null to download certificates, give the apiv3_key here"
                )
            })?;
            Ok(builder.platform_key(id, key))
        })
    }),
    ("apiv3_key", |builder, value| Ok(builder.apiv3_key(text(value)?))),
    ("base_uri", |builder, value| Ok(builder.base_uri(text(value)?))),
    ("backup_uri", |builder, value| {
        let uri = text(value)?;
        Ok(if uri.is_empty() { builder.no_backup() } else { builder.backup_uri(uri) })
    }),
    ("retry", |mut builder, value| {
        builder.retry = retry(&value)?;
        Ok(builder)
    }),
    ("timeout", |builder, value| Ok(builder.timeout(seconds(&value)?))),
    ("connect_timeout", |builder, value| Ok(builder.connect_timeout(seconds(&value)?))),
    ("proxy", |mut builder, value| {
        builder.proxy = proxy(value)?;
        Ok(builder)
    }),
    ("root_certificate", |builder, value| Ok(builder.root_certificate(&text(value)?))),
    ("secret", secret),
    ("merchant", merchant),
];

fn secret(builder: ClientBuilder, value: Value) -> Result<ClientBuilder, String> {
    Ok(builder.secret(text(value)?))
}

/// PHP's `merchant`: `cert` and `key`, paths or `file://` or PEM text; here also `pkcs12` and
/// `passphrase`.
fn merchant(builder: ClientBuilder, value: Value) -> Result<ClientBuilder, String> {
    let Value::Object(members) = value else {
        return Err(format!("{} where an object with cert and key is needed", kind(&value)));
    };
    let mut identity = MerchantIdentity::default();
    for (name, value) in members {
        let slot = match name.as_str() {
            "cert" => &mut identity.cert,
            "key" => &mut identity.key,
            "pkcs12" => &mut identity.pkcs12,
            "passphrase" => &mut identity.passphrase,
            other => return Err(format!("the key {other:?} is none of cert and key, or pkcs12 and passphrase")),
        };
        // PHP has null where nothing is set.
        if !value.is_null() {
            *slot = Some(text(value).map_err(|said| format!("{name:?} is {said}"))?);
        }
    }
    identity.apply(builder)
}

/// The merchant's TLS certificate, as two PEM files or as one PKCS#12 file.
#[derive(Default)]
pub(crate) struct MerchantIdentity {
    pub(crate) cert: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) pkcs12: Option<String>,
    pub(crate) passphrase: Option<String>,
}

impl MerchantIdentity {
    /// The builder with this identity. Fails unless one of the two forms is complete and the other
    /// is absent.
    pub(crate) fn apply(self, builder: ClientBuilder) -> Result<ClientBuilder, String> {
        match (self.cert, self.key, self.pkcs12, self.passphrase) {
            (None, None, None, None) => Ok(builder),
            (Some(cert), Some(key), None, None) => {
                Ok(builder.merchant_certificate(pem_or_file(&cert), pem_or_file(&key)))
            }
            (None, None, Some(path), Some(passphrase)) => from_pkcs12(builder, &path, passphrase),
            _ => Err("it takes cert and key together, or pkcs12 and passphrase together".to_owned()),
        }
    }
}

/// PEM text as it is, and a plain path, which Guzzle takes as well, with `file://`.
pub(crate) fn pem_or_file(text: &str) -> String {
    if text.contains("-----BEGIN") || text.starts_with("file://") { text.to_owned() } else { format!("file://{text}") }
}

#[cfg(feature = "pkcs12")]
fn from_pkcs12(builder: ClientBuilder, path: &str, passphrase: String) -> Result<ClientBuilder, String> {
    let path = path.strip_prefix("file://").unwrap_or(path);
    let bytes = std::fs::read(path).map_err(|error| {
        // What has another ending may be the file's contents, or the passphrase.
        let named = path.len() <= 255 && [".p12", ".pfx"].iter().any(|ending| path.to_lowercase().ends_with(ending));
        let shown = if named { format!("the file {path:?}") } else { "what \"pkcs12\" names".to_owned() };
        format!("{shown} cannot be read ({error}): give the path of apiclient_cert.p12")
    })?;
    Ok(builder.merchant_pkcs12(&bytes, passphrase))
}

#[cfg(not(feature = "pkcs12"))]
fn from_pkcs12(_: ClientBuilder, _: &str, _: String) -> Result<ClientBuilder, String> {
    Err("pkcs12 needs the feature pkcs12 of this crate; or take the file apart: openssl pkcs12 -in apiclient_cert.p12 -nodes".to_owned())
}

fn unknown(key: &str) -> Error {
    if let Some(instead) = options::replacement(key) {
        return Error::config(format!("the setting {key:?} has no meaning here: {instead}"));
    }
    if options::is_reserved(key) {
        return Error::config(format!("the setting {key:?} is an option of a call here: give it with the call"));
    }
    if key.to_lowercase().contains("v2") {
        return Error::config(format!("the setting {key:?} is not known: the APIv2 key is \"secret\", as in PHP"));
    }
    let names = || SETTINGS.iter().map(|(name, _)| *name);
    let close = names()
        .find(|name| strsim::damerau_levenshtein(&name.to_lowercase(), &key.to_lowercase().replace('_', "")) <= 2);
    Error::config(match close {
        Some(name) => format!("the setting {key:?} is not known: did you mean {name:?}?"),
        None => {
            format!("the setting {key:?} is not known: the settings are {}", names().collect::<Vec<_>>().join(", "))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_empty_backup_is_none_even_of_the_services_own_host() {
        let backup =
            |settings| ClientBuilder::from_settings(settings).map(|builder| builder.backup_uri).expect("settings");
        assert_eq!(backup(json!({})), None, "the service's own");
        assert_eq!(backup(json!({ "backup_uri": "" })), Some(None));
        assert_eq!(backup(json!({ "backup_uri": "https://b.example/" })), Some(Some("https://b.example/".to_owned())));
    }
}
