//! The settings of `Client::factory`: a JSON object with the keys of PHP's `Builder::factory`.
//!
//! [`SETTINGS`] lists the keys and the functions that read them.

use serde_json::Value;

use crate::client::Client;
use crate::client::builder::ClientBuilder;
use crate::crypto::setting_file;
use crate::error::Error;
use crate::options::{self, proxy, retry, seconds, text};
use crate::pipeline::platform_key_id::shown_id;
use crate::proto::excerpt;
use crate::proto::json_depth;
use crate::proto::json_type::kind;
use crate::proto::similar::similar;

impl Client {
    /// Builds a client from a JSON object with the keys of PHP's `Builder::factory`.
    ///
    /// The following keys are required; [`ClientBuilder`] lists the exceptions. `file://` is
    /// followed by a path.
    ///
    /// - `mchid`: the merchant ID, a string or a number
    /// - `serial`: the serial number of the merchant certificate, as hexadecimal digits
    /// - `privateKey`: the merchant's private key, as PEM text or `file://`
    /// - `certs`: the platform keys, as an object. Each member's name is `PUB_KEY_ID_...` or the
    ///   serial number of a certificate, and its value is PEM text or `file://`
    ///
    /// The other keys are optional. [`ClientBuilder`] has a method for each of them, which
    /// describes the details.
    ///
    /// - `apiv3_key`: the APIv3 key. With it, `certs` is optional, because the client downloads the
    ///   platform certificates. The PHP SDK does not have this key
    /// - `secret`: the APIv2 key
    /// - `merchant`: the merchant certificate for APIv2 calls with the option `security`: an object
    ///   with `cert` and `key` (paths, `file://` or PEM text), or with `pkcs12` (a path) and
    ///   `passphrase` (feature `pkcs12`)
    /// - `base_uri`: the base URI; the default is `https://api.mch.weixin.qq.com/`
    /// - `backup_uri`: the backup host, used if no connection to `base_uri` can be made; `""` for
    ///   none
    /// - `timeout`, `connect_timeout`: the time limits in seconds; the defaults are 30 and 10; 0
    ///   for no limit
    /// - `keep_warm`: the number of seconds for which a connection is kept ready after a call; 0
    ///   for never
    /// - `retry`: the number of retries, by default 0, or an object with `times` and `pause` in
    ///   seconds
    /// - `proxy`: a URL, or an object with `http`, `https` and `no`
    /// - `root_certificate`: an additional certificate authority, as PEM text or `file://`
    ///
    /// ```no_run
    /// use serde_json::json;
    /// use wechatpay_chain::Client;
    ///
    /// let client = Client::factory(json!({
    ///     "mchid": "1900000109",
    ///     "serial": "3775B6A45ACD588826D15E583A95F5DD40E3FF01",
    ///     "privateKey": "file:///etc/wechatpay/apiclient_key.pem",
    ///     "certs": {
    ///         "PUB_KEY_ID_0119000001092024111100326200001234":
    ///             "file:///etc/wechatpay/pub_key.pem",
    ///     },
    /// }))?;
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config) if a key is missing or unknown,
    /// or if its value is invalid. The message names the key.
    pub fn factory(settings: Value) -> Result<Client, Error> {
        ClientBuilder::from_settings(settings)?.build()
    }
}

impl ClientBuilder {
    /// A builder with these settings, which have the keys of [`Client::factory`]. Use it to add
    /// what JSON cannot contain, such as a [layer](Self::layer).
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config) if the settings are not an
    /// object, or if a key is unknown or has a value of the wrong type. If a value has the right
    /// type but is invalid, such as a malformed key, `build` returns the error.
    pub fn from_settings(settings: Value) -> Result<Self, Error> {
        let settings =
            json_depth::bounded(settings).map_err(|reason| Error::config(format!("the settings: {reason}")))?;
        let Value::Object(members) = settings else {
            return Err(Error::config(format!(
                "the settings are {} where an object is needed, such as {{\"mchid\": \"...\", ...}}",
                kind(&settings)
            )));
        };
        let mut builder = ClientBuilder::new();
        for (key, value) in members {
            let Some((_, set)) = SETTINGS.iter().find(|(name, _)| *name == key) else {
                return Err(unknown_setting(&key));
            };
            builder = set(builder, value).map_err(|reason| Error::config(format!("the setting {key}: {reason}")))?;
        }
        Ok(builder)
    }
}

/// Sets one setting. The error is the reason why the value is invalid.
type Setter = fn(ClientBuilder, Value) -> Result<ClientBuilder, String>;

/// The keys of PHP's `Builder::factory`, and additional keys of this crate.
const SETTINGS: &[(&str, Setter)] = &[
    ("mchid", |builder, value| match value {
        Value::Number(number) if number.is_u64() => Ok(builder.mchid(number.to_string())),
        other => Ok(builder.mchid(text(other)?)),
    }),
    ("serial", |builder, value| Ok(builder.serial(text(value)?))),
    ("privateKey", |builder, value| Ok(builder.private_key(text(value)?))),
    ("certs", |builder, value| {
        let members = match value {
            Value::Object(members) => members,
            other => return Err(format!("{} where an object of IDs and keys is needed", kind(&other))),
        };
        members.into_iter().try_fold(builder, |builder, (id, key)| {
            let key = text(key).map_err(|reason| {
                format!("{} is {reason}; instead of PHP's 'any' => null, give the setting apiv3_key", shown_id(&id))
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
    ("keep_warm", |builder, value| Ok(builder.keep_warm(seconds(&value)?))),
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

/// PHP's `merchant`: an object with `cert` and `key`, each a path, `file://` or PEM text. This
/// crate also accepts `pkcs12` and `passphrase`.
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
            other => {
                return Err(format!(
                    "the key {} is unknown: the keys are cert and key, or pkcs12 and passphrase",
                    excerpt::name(other)
                ));
            }
        };
        // In PHP, null means that the key is not set.
        if !value.is_null() {
            *slot = Some(text(value).map_err(|reason| format!("{name:?} is {reason}"))?);
        }
    }
    identity.apply(builder)
}

/// The merchant's TLS certificate, as two PEM files or as one PKCS#12 file.
#[derive(Clone, Default)]
#[cfg_attr(feature = "settings", derive(serde::Deserialize), serde(default, deny_unknown_fields))]
pub(crate) struct MerchantIdentity {
    pub(crate) cert: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) pkcs12: Option<String>,
    pub(crate) passphrase: Option<String>,
}

impl MerchantIdentity {
    /// Returns the builder with this identity. Fails unless exactly one of the two forms is given,
    /// and that form is complete.
    pub(crate) fn apply(self, builder: ClientBuilder) -> Result<ClientBuilder, String> {
        match (self.cert, self.key, self.pkcs12, self.passphrase) {
            (None, None, None, None) => Ok(builder),
            (Some(cert), Some(key), None, None) => {
                Ok(builder.merchant_certificate(pem_or_file(&cert), pem_or_file(&key)))
            }
            (None, None, Some(path), Some(passphrase)) => from_pkcs12(builder, &path, passphrase),
            _ => Err("give cert and key together, or pkcs12 and passphrase together".to_owned()),
        }
    }
}

/// Prefixes a path with `file://`, because Guzzle also accepts bare paths. Returns anything else
/// unchanged.
pub(crate) fn pem_or_file(text: &str) -> String {
    if setting_file::is_path(text) { format!("file://{}", text.trim()) } else { text.to_owned() }
}

#[cfg(feature = "pkcs12")]
fn from_pkcs12(builder: ClientBuilder, path: &str, passphrase: String) -> Result<ClientBuilder, String> {
    let path = setting_file::url_path(path).unwrap_or(path);
    let bytes = std::fs::read(path).map_err(|error| {
        // Without one of these extensions, the value may be the contents of the file or the
        // passphrase, so the message does not show it.
        let is_file_name =
            path.len() <= 255 && [".p12", ".pfx"].iter().any(|extension| path.to_lowercase().ends_with(extension));
        let shown = if is_file_name { format!("the file {path:?}") } else { "the file of \"pkcs12\"".to_owned() };
        format!("{shown} cannot be read ({error}): give the path of apiclient_cert.p12")
    })?;
    Ok(builder.merchant_pkcs12(&bytes, passphrase))
}

#[cfg(not(feature = "pkcs12"))]
fn from_pkcs12(_: ClientBuilder, _: &str, _: String) -> Result<ClientBuilder, String> {
    Err("pkcs12 needs the feature pkcs12 of this crate; or convert the file to PEM: openssl pkcs12 -in apiclient_cert.p12 -nodes".to_owned())
}

/// The error for a key that is not in the table. It suggests a similar key or the replacement.
fn unknown_setting(key: &str) -> Error {
    let shown = excerpt::name(key);
    if let Some(instead) = options::replacement(key) {
        return Error::config(format!("the setting {shown} is not supported: {instead}"));
    }
    if options::is_reserved(key) {
        if key == "check" {
            return Error::config(
                "the setting \"check\" is not in the map: use ClientBuilder::check, or the option of a call",
            );
        }
        return Error::config(format!("the setting {shown} is an option of a call: give it with each call"));
    }
    if key.to_lowercase().contains("v2") {
        return Error::config(format!("the setting {shown} is unknown: the APIv2 key is \"secret\", as in PHP"));
    }
    let names = || SETTINGS.iter().map(|(name, _)| *name);
    Error::config(match similar(key, names()) {
        Some(name) => format!("the setting {shown} is unknown: did you mean {name:?}?"),
        None => {
            format!("the setting {shown} is unknown: the settings are {}", names().collect::<Vec<_>>().join(", "))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_empty_backup_uri_disables_the_default_backup_host() {
        let backup =
            |settings| ClientBuilder::from_settings(settings).map(|builder| builder.backup_uri).expect("settings");
        assert_eq!(backup(json!({})), None, "the default");
        assert_eq!(backup(json!({ "backup_uri": "" })), Some(None));
        assert_eq!(backup(json!({ "backup_uri": "https://b.example/" })), Some(Some("https://b.example/".to_owned())));
    }
}
