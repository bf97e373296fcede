//! The settings of a client in a TOML file and in environment variables, from the text to the
//! [`ClientBuilder`] (feature `settings`).
//!
//! The settings have three layers: the file, the environment, and the arguments of a `wxpay`
//! command. Each layer is a [`Settings`]. The module `layers` lays one over the other. `wxpay
//! doctor` examines the same type.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

#[cfg(feature = "catalog")]
use crate::catalog::Catalog;
use crate::client::builder::ClientBuilder;
use crate::client::environment::{variable, variable_of};
use crate::client::factory::MerchantIdentity;
use crate::error::Error;
use crate::options;
use crate::pipeline::call_config::Retry;
use crate::pipeline::trace;

/// The scheme of a setting that names a file instead of containing its text.
const FILE_SCHEME: &str = "file://";

/// The settings. Each is optional in each layer.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    #[serde(deserialize_with = "non_empty")]
    pub(crate) mchid: Option<String>,
    #[serde(deserialize_with = "non_empty")]
    pub(crate) serial: Option<String>,
    #[serde(deserialize_with = "non_empty")]
    pub(crate) private_key: Option<String>,
    #[serde(deserialize_with = "non_empty")]
    pub(crate) apiv3_key: Option<String>,
    #[serde(deserialize_with = "non_empty")]
    pub(crate) secret: Option<String>,
    #[serde(deserialize_with = "non_empty")]
    pub(crate) base_uri: Option<String>,
    /// Empty for no backup host.
    pub(crate) backup_uri: Option<String>,
    /// In the file: a number, or a table of `times` and `pause`.
    #[serde(deserialize_with = "retry")]
    pub(crate) retry: Option<Retry>,
    #[serde(deserialize_with = "timeout")]
    pub(crate) timeout: Option<Duration>,
    #[serde(deserialize_with = "connect_timeout")]
    pub(crate) connect_timeout: Option<Duration>,
    #[serde(deserialize_with = "keep_warm")]
    pub(crate) keep_warm: Option<Duration>,
    /// Empty for no proxy.
    pub(crate) proxy: Option<String>,
    #[serde(deserialize_with = "non_empty")]
    pub(crate) root_certificate: Option<String>,
    pub(crate) merchant: Option<MerchantIdentity>,
    /// The path of a catalogue that replaces the built-in one, with or without `file://`.
    #[serde(deserialize_with = "non_empty")]
    pub(crate) catalog: Option<String>,
    /// The platform keys by their ID.
    pub(crate) certs: BTreeMap<String, String>,
}

impl Settings {
    /// Reads the catalogue of the setting `catalog`. `None` means the built-in one.
    #[cfg(feature = "catalog")]
    pub(crate) fn catalog(&self) -> Result<Option<Catalog>, Error> {
        self.catalog.as_deref().map(|path| Catalog::from_path(file_path(path).unwrap_or(path))).transpose()
    }

    /// Reads a TOML file. Relative `file://` paths in it start at its folder.
    pub(crate) fn from_file(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::config(format!(
                "the settings file {} cannot be read: {error} (wxpay sandbox creates one when it starts)",
                path.display()
            ))
        })?;
        let mut settings: Settings = toml::from_str(&text).map_err(|error| invalid_file(path, &text, &error))?;
        settings.resolve_paths(path.parent().unwrap_or(Path::new("")));
        Ok(settings)
    }

    pub(crate) fn from_environment() -> Result<Self, Error> {
        let certs = match (variable("WXPAY_PLATFORM_KEY_ID")?, variable("WXPAY_PLATFORM_KEY")?) {
            (Some(id), Some(key)) => BTreeMap::from([(id, key)]),
            (None, None) => BTreeMap::new(),
            _ => {
                return Err(Error::config(
                    "WXPAY_PLATFORM_KEY_ID and WXPAY_PLATFORM_KEY must be set together: set both, or neither",
                ));
            }
        };
        let setting = |name| variable_of(name).map_or(Ok(None), variable);
        Ok(Settings {
            mchid: setting("mchid")?,
            serial: setting("serial")?,
            private_key: setting("private_key")?,
            apiv3_key: setting("apiv3_key")?,
            secret: setting("secret")?,
            base_uri: setting("base_uri")?,
            catalog: setting("catalog")?,
            certs,
            ..Settings::default()
        })
    }

    /// Overrides these settings with those of `upper`. The platform keys of both are kept; if both
    /// contain the same ID, the key of `upper` is used. The caller has checked that both are of the
    /// same merchant.
    pub(in crate::client) fn overlay(mut self, upper: Settings) -> Settings {
        self.certs.extend(upper.certs);
        Settings {
            mchid: upper.mchid.or(self.mchid),
            serial: upper.serial.or(self.serial),
            private_key: upper.private_key.or(self.private_key),
            apiv3_key: upper.apiv3_key.or(self.apiv3_key),
            secret: upper.secret.or(self.secret),
            base_uri: upper.base_uri.or(self.base_uri),
            backup_uri: upper.backup_uri.or(self.backup_uri),
            retry: upper.retry.or(self.retry),
            timeout: upper.timeout.or(self.timeout),
            connect_timeout: upper.connect_timeout.or(self.connect_timeout),
            keep_warm: upper.keep_warm.or(self.keep_warm),
            proxy: upper.proxy.or(self.proxy),
            root_certificate: upper.root_certificate.or(self.root_certificate),
            merchant: upper.merchant.or(self.merchant),
            catalog: upper.catalog.or(self.catalog),
            certs: self.certs,
        }
    }

    /// A client builder with these settings.
    pub(crate) fn client_builder(self) -> Result<ClientBuilder, Error> {
        let mut builder = self.with_catalog(ClientBuilder::new())?;
        if let Some(mchid) = self.mchid {
            builder = builder.mchid(mchid);
        }
        if let Some(serial) = self.serial {
            builder = builder.serial(serial);
        }
        if let Some(key) = self.private_key {
            builder = builder.private_key(key);
        }
        if let Some(key) = self.apiv3_key {
            builder = builder.apiv3_key(key);
        }
        if let Some(secret) = self.secret {
            builder = builder.secret(secret);
        }
        if let Some(pem) = self.root_certificate {
            builder = builder.root_certificate(pem);
        }
        if let Some(url) = self.proxy {
            builder = if url.is_empty() { builder.no_proxy() } else { builder.proxy(url) };
        }
        if let Some(uri) = self.base_uri {
            builder = builder.base_uri(uri);
        }
        if let Some(uri) = self.backup_uri {
            builder = if uri.is_empty() { builder.no_backup() } else { builder.backup_uri(uri) };
        }
        if let Some(timeout) = self.timeout {
            builder = builder.timeout(timeout);
        }
        if let Some(timeout) = self.connect_timeout {
            builder = builder.connect_timeout(timeout);
        }
        if let Some(duration) = self.keep_warm {
            builder = builder.keep_warm(duration);
        }
        if let Some(retry) = self.retry {
            builder.retry = retry;
        }
        for (id, key) in self.certs {
            builder = builder.platform_key(id, key);
        }
        match self.merchant {
            Some(identity) => {
                identity.apply(builder).map_err(|reason| Error::config(format!("the setting merchant: {reason}")))
            }
            None => Ok(builder),
        }
    }

    #[cfg(feature = "catalog")]
    fn with_catalog(&self, builder: ClientBuilder) -> Result<ClientBuilder, Error> {
        Ok(match self.catalog()? {
            Some(catalog) => builder.catalog(catalog),
            None => builder,
        })
    }

    #[cfg(not(feature = "catalog"))]
    fn with_catalog(&self, builder: ClientBuilder) -> Result<ClientBuilder, Error> {
        match self.catalog {
            Some(_) => Err(Error::config("the setting catalog needs the feature catalog of this crate")),
            None => Ok(builder),
        }
    }

    /// Logs a warning for each problem that is not an error.
    pub(crate) fn with_warnings(self) -> Self {
        if let Some(warning) = self.private_key_permissions() {
            trace::setting(&warning);
        }
        self
    }

    /// The settings that belong to one merchant, apart from its platform keys.
    pub(in crate::client) fn credentials(&self) -> [(&'static str, Option<&str>); 4] {
        [
            ("private_key", self.private_key.as_deref()),
            ("serial", self.serial.as_deref()),
            ("apiv3_key", self.apiv3_key.as_deref()),
            ("secret", self.secret.as_deref()),
        ]
    }

    /// The names of the settings that are given.
    pub(in crate::client) fn names(&self) -> Vec<String> {
        let credentials = self.credentials().map(|(name, value)| (name, value.is_some()));
        let others = [
            ("mchid", self.mchid.is_some()),
            ("base_uri", self.base_uri.is_some()),
            ("backup_uri", self.backup_uri.is_some()),
            ("retry", self.retry.is_some()),
            ("timeout", self.timeout.is_some()),
            ("connect_timeout", self.connect_timeout.is_some()),
            ("keep_warm", self.keep_warm.is_some()),
            ("proxy", self.proxy.is_some()),
            ("root_certificate", self.root_certificate.is_some()),
            ("merchant", self.merchant.is_some()),
            ("catalog", self.catalog.is_some()),
        ];
        let given = credentials.into_iter().chain(others).filter(|(_, is_given)| *is_given);
        let certs = self.certs.keys().map(|id| format!("certs.{id}"));
        given.map(|(name, _)| name.to_owned()).chain(certs).collect()
    }

    /// A warning if other users can read the file of the private key.
    pub(crate) fn private_key_permissions(&self) -> Option<String> {
        let path = file_path(self.private_key.as_ref()?)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(path).ok()?.permissions().mode();
            (mode & 0o077 != 0).then(|| {
                format!("other users can read the private key {path} (mode {:o}): chmod 600 {path}", mode & 0o777)
            })
        }
        #[cfg(not(unix))]
        {
            let _ = path;
            None
        }
    }

    fn resolve_paths(&mut self, folder: &Path) {
        if let Some(path) = &mut self.catalog {
            *path = folder.join(file_path(path).unwrap_or(path)).display().to_string();
        }
        let own = [&mut self.private_key, &mut self.root_certificate].into_iter().flatten();
        let merchant = self.merchant.iter_mut();
        let merchant = merchant.flat_map(|merchant| [&mut merchant.cert, &mut merchant.key, &mut merchant.pkcs12]);
        for value in own.chain(merchant.flatten()).chain(self.certs.values_mut()) {
            if let Some(relative) = file_path(value).filter(|path| Path::new(path).is_relative()) {
                *value = format!("{FILE_SCHEME}{}", folder.join(relative).display());
            }
        }
    }
}

/// The path in a `file://` setting.
pub(crate) fn file_path(setting: &str) -> Option<&str> {
    setting.trim().strip_prefix(FILE_SCHEME)
}

/// The message for a settings file that cannot be parsed. The parser's own message quotes values,
/// which may be keys, so it is shown only if it contains no values.
fn invalid_file(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let line = error.span().map_or(1, |span| 1 + text.get(..span.start).unwrap_or_default().matches('\n').count());
    let reason = match error.message() {
        message if ["unknown field", "duplicate", "the setting "].iter().any(|start| message.starts_with(start)) => {
            message
        }
        message if message.starts_with("invalid type") => {
            "the value has the wrong type: strings, merchant IDs included, must be in quotes"
        }
        _ => "it is not valid TOML",
    };
    Error::config(format!("the settings file {}, line {line}: {reason}", path.display()))
}

/// Reads a string. An empty string counts as missing.
fn non_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn retry<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Retry>, D::Error> {
    setting("retry", deserializer, options::retry)
}

fn timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    setting("timeout", deserializer, options::seconds)
}

fn connect_timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    setting("connect_timeout", deserializer, options::seconds)
}

fn keep_warm<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    setting("keep_warm", deserializer, options::seconds)
}

/// Reads a setting with the function that reads the call option of the same form, so that both have
/// the same messages.
fn setting<'de, D: Deserializer<'de>, T>(
    name: &str,
    deserializer: D,
    read: fn(&Value) -> Result<T, String>,
) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    read(&value).map(Some).map_err(|reason| D::Error::custom(format!("the setting {name}: {reason}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, String> {
        toml::from_str(text).map_err(|error| invalid_file(Path::new("wxpay.toml"), text, &error).message().to_owned())
    }

    #[test]
    fn values_are_typed() {
        let settings = parse(
            "mchid = \"1900000109\"\nserial = \"\"\nbackup_uri = \"\"\nretry = { times = 2, pause = 0.5 }\ntimeout = 3\n\
             connect_timeout = 1.5\nkeep_warm = 0\n[merchant]\ncert = \"file://cert.pem\"\nkey = \"file://key.pem\"\n[certs]\nA = \"a\"\n",
        );
        let settings = settings.unwrap_or_default();
        assert_eq!(settings.mchid.as_deref(), Some("1900000109"));
        assert_eq!(settings.serial, None, "an empty text is a missing setting");
        assert_eq!(settings.backup_uri.as_deref(), Some(""), "an empty backup_uri means no backup host");
        assert_eq!(settings.retry.map(|retry| retry.times), Some(2));
        assert_eq!(settings.timeout, Some(Duration::from_secs(3)));
        assert_eq!(settings.connect_timeout, Some(Duration::from_millis(1500)));
        assert_eq!(settings.keep_warm, Some(Duration::ZERO));
        assert_eq!(
            settings.names(),
            ["mchid", "backup_uri", "retry", "timeout", "connect_timeout", "keep_warm", "merchant", "certs.A"]
        );
    }

    #[test]
    fn errors_name_the_line_and_no_value() {
        for (text, expected) in [
            ("mchid = \"1\"\nnonsense = 1\n", "line 2: unknown field `nonsense`, expected one of `mchid`, "),
            ("\n[merchant]\ncrt = \"s3cret\"\n", "line 3: unknown field `crt`, expected one of `cert`, "),
            ("mchid = 1900000109\n", "line 1: the value has the wrong type: strings, "),
            ("secret = \"a\"\nsecret = \"b\"\n", "line 2: duplicate key"),
            ("secret = \"s3cret\nx\"\n", "it is not valid TOML"),
            (
                "mchid = \"1\"\nretry = \"s3cret\"\n",
                "line 2: the setting retry: a string where a number from 0 to 10 is needed",
            ),
            ("timeout = \"s3cret\"\n", "line 1: the setting timeout: a string, where a number of seconds is needed"),
            ("connect_timeout = -1\n", "line 1: the setting connect_timeout: -1, where a number of seconds is needed"),
        ] {
            let message = parse(text).err().unwrap_or_default();
            assert!(message.contains(expected) && !message.contains("s3cret"), "{expected:?} not in {message:?}");
        }
    }

    #[test]
    fn the_upper_layer_wins_and_platform_keys_are_merged() {
        let lower = parse("mchid = \"1\"\nserial = \"AB\"\n[certs]\nA = \"a\"\nB = \"b\"\n").unwrap_or_default();
        let upper = parse("mchid = \"2\"\n[certs]\nB = \"c\"\n").unwrap_or_default();
        let both = lower.overlay(upper);
        assert_eq!((both.mchid.as_deref(), both.serial.as_deref()), (Some("2"), Some("AB")));
        assert_eq!(both.certs, BTreeMap::from([("A", "a"), ("B", "c")].map(|(id, key)| (id.into(), key.into()))));
    }

    #[test]
    fn relative_paths_start_at_the_folder_of_the_file() {
        let mut settings = parse(
            "private_key = \"file://key.pem\"\nroot_certificate = \"file:///ca.pem\"\n[merchant]\npkcs12 = \"file://a.p12\"\n\
             passphrase = \"file://x\"\n[certs]\nA = \"-----BEGIN\"\n",
        )
        .unwrap_or_default();
        settings.resolve_paths(Path::new("folder"));
        let merchant = settings.merchant.unwrap_or_default();
        let path = Path::new("folder").join("key.pem");
        assert_eq!(settings.private_key, Some(format!("file://{}", path.display())));
        assert_eq!(settings.root_certificate.as_deref(), Some("file:///ca.pem"));
        assert_eq!(merchant.pkcs12, Some(format!("file://{}", Path::new("folder").join("a.p12").display())));
        assert_eq!(merchant.passphrase.as_deref(), Some("file://x"), "not a path");
        assert_eq!(settings.certs["A"], "-----BEGIN");
    }
}
