//! Combines the settings of a file, of the environment and of a command's arguments, and refuses a
//! mixture of two merchants.
//!
//! A layer may fill gaps of the layers below it. It replaces a credential, or adds a platform key
//! to others, only if it and the layer of the replaced one name the same merchant. It replaces
//! `private_key` and `serial` together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::client::environment;
use crate::client::settings::Settings;
use crate::error::Error;

/// The origin of settings.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Source {
    File(PathBuf),
    Environment,
    /// The options of a command by the name of the setting.
    #[cfg(feature = "cli")]
    Arguments(&'static [(&'static str, &'static str)]),
}

impl Source {
    /// The file, the variable or the option that contains a setting.
    fn place(&self, setting: &str) -> String {
        match self {
            Source::File(path) => format!("the settings file {}", path.display()),
            Source::Environment => environment::variable_of(setting).unwrap_or(setting).to_owned(),
            #[cfg(feature = "cli")]
            Source::Arguments(options) => {
                options.iter().find(|(name, _)| *name == setting).map_or(setting, |(_, option)| option).to_owned()
            }
        }
    }
}

/// Settings, with the origin of each.
#[derive(Default)]
pub(crate) struct Layers {
    settings: Settings,
    /// By the name of the setting.
    origins: BTreeMap<String, Origin>,
}

/// The layer of a setting.
#[derive(Clone)]
struct Origin {
    source: Source,
    /// Whether this layer contains `mchid`.
    names_merchant: bool,
}

impl Layers {
    /// The settings of a file, if there is one, and of the environment.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, Error> {
        let mut layers = Layers::default();
        if let Some(path) = file {
            layers = layers.with(Source::File(path.to_owned()), Settings::from_file(path)?)?;
        }
        layers.with(Source::Environment, Settings::from_environment()?)
    }

    /// Lays settings over these.
    pub(crate) fn with(mut self, source: Source, upper: Settings) -> Result<Self, Error> {
        self.refuse_another_merchant(&source, &upper)?;
        self.refuse_unconfirmed_credentials(&source, &upper)?;
        self.refuse_half_a_pair(&source, &upper)?;
        let origin = Origin { source, names_merchant: upper.mchid.is_some() };
        self.origins.extend(upper.names().into_iter().map(|name| (name, origin.clone())));
        self.settings = self.settings.overlay(upper);
        Ok(self)
    }

    pub(crate) fn into_settings(self) -> Settings {
        self.settings
    }

    /// The names of the settings from a file, and the places of the others.
    #[cfg(feature = "cli")]
    pub(crate) fn origins(&self) -> (Vec<&str>, Vec<String>) {
        let is_of_file = |origin: &Origin| matches!(origin.source, Source::File(_));
        let file = self.origins.iter().filter(|(_, origin)| is_of_file(origin)).map(|(name, _)| name.as_str());
        let others = self.origins.iter().filter(|(_, origin)| !is_of_file(origin));
        (file.collect(), others.map(|(name, origin)| origin.source.place(name)).collect())
    }

    fn place(&self, setting: &str) -> String {
        self.origins.get(setting).map(|origin| origin.source.place(setting)).unwrap_or_default()
    }

    fn refuse_another_merchant(&self, source: &Source, upper: &Settings) -> Result<(), Error> {
        let (Some(below), Some(above)) = (&self.settings.mchid, &upper.mchid) else { return Ok(()) };
        if below == above {
            return Ok(());
        }
        let (place, origin) = (source.place("mchid"), self.place("mchid"));
        Err(Error::config(match source {
            Source::Environment => format!(
                "{place} is {above}, and {origin} is for the merchant {below}; the settings of two merchants are not \
                 mixed: unset {place} and the other variables of that merchant, or use a settings file of {above}"
            ),
            _ => format!(
                "{place} is {above}, and {origin} is for the merchant {below}; the settings of two merchants are not \
                 mixed: take all settings from one of them"
            ),
        }))
    }

    /// Refuses to replace a credential, or to add a platform key to others, unless both layers name
    /// the merchant: the two may belong to different merchants.
    fn refuse_unconfirmed_credentials(&self, source: &Source, upper: &Settings) -> Result<(), Error> {
        let credentials = self.replaced(upper).into_iter().map(|name| (name.to_owned(), name));
        let platform_keys = self.extended_platform_keys(upper).into_iter().map(|name| (name, "certs"));
        for (name, setting) in credentials.chain(platform_keys) {
            let Some(origin) = self.origins.get(&name) else { continue };
            if origin.names_merchant && upper.mchid.is_some() {
                continue;
            }
            let (place, below) = (source.place(setting), origin.source.place(&name));
            let number = self.settings.mchid.as_deref().or(upper.mchid.as_deref()).unwrap_or("the merchant's number");
            let missing = if origin.names_merchant || upper.mchid.is_none() {
                source.place("mchid")
            } else {
                match &origin.source {
                    Source::File(_) => format!("mchid of {below}"),
                    other => other.place("mchid"),
                }
            };
            return Err(Error::config(format!(
                "{place} overrides {setting} of {below}, and one of the two does not name its merchant, so they may be \
                 of different merchants: leave {place} out, or set {missing} to {number}"
            )));
        }
        Ok(())
    }

    /// Refuses a private key with the serial number of another certificate.
    fn refuse_half_a_pair(&self, source: &Source, upper: &Settings) -> Result<(), Error> {
        let pair = self.settings.private_key.is_some() && self.settings.serial.is_some();
        let (replaced, other) = match self.replaced(upper).first() {
            Some(&"private_key") if pair && upper.serial.is_none() => ("private_key", "serial"),
            Some(&"serial") if pair && upper.private_key.is_none() => ("serial", "private_key"),
            _ => return Ok(()),
        };
        let (place, origin, missing) = (source.place(replaced), self.place(replaced), source.place(other));
        Err(Error::config(format!(
            "{place} overrides {replaced} of {origin}, but not {other}, which belongs to the same certificate: set \
             {missing}, too, or leave {place} out"
        )))
    }

    /// The credentials for which another layer has another value.
    fn replaced(&self, upper: &Settings) -> Vec<&'static str> {
        let credentials = self.settings.credentials().into_iter().zip(upper.credentials());
        let differ = |below: Option<&str>, above: Option<&str>| matches!((below, above), (Some(a), Some(b)) if a != b);
        credentials.filter(|((_, below), (_, above))| differ(*below, *above)).map(|((name, _), _)| name).collect()
    }

    /// The platform keys to which another layer adds one, or of which it replaces one.
    fn extended_platform_keys(&self, upper: &Settings) -> Vec<String> {
        let certs = &self.settings.certs;
        let is_extended = upper.certs.iter().any(|(id, key)| certs.get(id) != Some(key));
        certs.keys().filter(|_| is_extended).map(|id| format!("certs.{id}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        toml::from_str(text).expect("TOML")
    }

    fn both(file: &str, environment: &str) -> Result<Settings, String> {
        let layers = Layers::default().with(Source::File("a.toml".into()), settings(file));
        let layers = layers.and_then(|layers| layers.with(Source::Environment, settings(environment)));
        layers.map(Layers::into_settings).map_err(|error| error.message().to_owned())
    }

    const FILE: &str = "mchid = \"1\"\nserial = \"AB\"\nprivate_key = \"k\"\nsecret = \"s\"\n[certs]\nA = \"a\"\n";

    #[test]
    fn the_settings_of_two_merchants_are_refused() {
        let reason = both(FILE, "mchid = \"2\"").err().unwrap_or_default();
        for expected in ["WXPAY_MCHID is 2, ", "the settings file a.toml is for the merchant 1; ", "unset WXPAY_MCHID"]
        {
            assert!(reason.contains(expected), "{expected:?} not in {reason:?}");
        }
    }

    #[test]
    fn a_credential_is_replaced_only_for_a_merchant_that_both_name() {
        let unnamed = FILE.replace("mchid = \"1\"\n", "");
        for (variable, replacing) in [
            ("WXPAY_SECRET", "secret = \"t\""),
            ("WXPAY_PRIVATE_KEY", "private_key = \"l\"\nserial = \"CD\""),
            ("WXPAY_PLATFORM_KEY", "[certs]\nA = \"b\""),
            ("WXPAY_PLATFORM_KEY", "[certs]\nB = \"b\""),
        ] {
            let reason = both(FILE, replacing).err().unwrap_or_default();
            assert!(reason.starts_with(&format!("{variable} overrides ")), "{replacing}: {reason}");
            assert!(reason.ends_with(&format!("leave {variable} out, or set WXPAY_MCHID to 1")), "{reason}");
            let confirmed = format!("mchid = \"1\"\n{replacing}");
            assert!(both(FILE, &confirmed).is_ok(), "{replacing}");
            let reason = both(&unnamed, &confirmed).err().unwrap_or_default();
            assert!(reason.ends_with("or set mchid of the settings file a.toml to 1"), "{reason}");
            // A gap of the file can be filled, and an equal value replaces nothing.
            assert!(both("mchid = \"1\"", replacing).is_ok(), "{replacing}");
            assert!(both(&format!("mchid = \"1\"\n{replacing}"), replacing).is_ok(), "{replacing}");
        }
    }

    /// The environment names the merchant, but the file with the replaced credential does not.
    #[cfg(feature = "cli")]
    #[test]
    fn a_third_layer_replaces_no_credential_of_a_file_that_names_no_merchant() {
        const OPTIONS: Source = Source::Arguments(&[("apiv3_key", "--apiv3-key"), ("mchid", "--mchid")]);
        let all = |file: &str, environment: &str, arguments: &str| {
            let layers = Layers::default().with(Source::File("a.toml".into()), settings(file));
            let layers = layers.and_then(|layers| layers.with(Source::Environment, settings(environment)));
            let layers = layers.and_then(|layers| layers.with(OPTIONS, settings(arguments)));
            layers.map(|_| ()).map_err(|error| error.message().to_owned())
        };
        let arguments = "mchid = \"1\"\napiv3_key = \"b\"";
        let reason = all("apiv3_key = \"a\"", "mchid = \"1\"", arguments).err().unwrap_or_default();
        assert!(reason.starts_with("--apiv3-key overrides apiv3_key of the settings file a.toml, "), "{reason}");
        assert!(reason.ends_with("or set mchid of the settings file a.toml to 1"), "{reason}");
        assert_eq!(all("mchid = \"1\"\napiv3_key = \"a\"", "secret = \"s\"", arguments), Ok(()));
        assert_eq!(all("secret = \"s\"", "mchid = \"1\"\napiv3_key = \"a\"", arguments), Ok(()));
        let reason = all("mchid = \"1\"\nsecret = \"s\"", "apiv3_key = \"a\"", arguments).err().unwrap_or_default();
        assert!(reason.starts_with("--apiv3-key overrides apiv3_key of WXPAY_APIV3_KEY, "), "{reason}");
        assert!(reason.ends_with("or set WXPAY_MCHID to 1"), "{reason}");
    }

    #[test]
    fn a_key_and_its_serial_are_replaced_together() {
        for (replacing, missing) in [("private_key = \"l\"", "WXPAY_SERIAL"), ("serial = \"CD\"", "WXPAY_PRIVATE_KEY")]
        {
            let replacing = format!("mchid = \"1\"\n{replacing}");
            let reason = both(FILE, &replacing).err().unwrap_or_default();
            assert!(reason.contains(&format!("set {missing}, too, or leave ")), "{reason}");
            assert!(both("mchid = \"1\"\nsecret = \"s\"", &replacing).is_ok());
        }
        let pair = both(FILE, "mchid = \"1\"\nprivate_key = \"l\"\nserial = \"CD\"").unwrap_or_default();
        assert_eq!((pair.private_key.as_deref(), pair.serial.as_deref()), (Some("l"), Some("CD")));
        assert_eq!(pair.secret.as_deref(), Some("s"));
    }
}
