//! The settings of the commands: a TOML file, and the environment over it.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::args::SettingsFile;
use super::{Failure, output};
use crate::client::builder::ClientBuilder;

/// The file; every value is optional, since the environment may hold it.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    mchid: Option<String>,
    serial: Option<String>,
    private_key: Option<String>,
    apiv3_key: Option<String>,
    secret: Option<String>,
    base_uri: Option<String>,
    backup_uri: Option<String>,
    /// A number, or a table of times and pause.
    retry: Option<Value>,
    timeout: Option<f64>,
    connect_timeout: Option<f64>,
    proxy: Option<String>,
    root_certificate: Option<String>,
    merchant: Option<std::collections::BTreeMap<String, String>>,
    #[serde(default)]
    certs: std::collections::BTreeMap<String, String>,
}

/// The variables of the environment that `wxpay` reads.
const VARIABLES: &[&str] = &[
    "WXPAY_CONFIG",
    "WXPAY_MCHID",
    "WXPAY_SERIAL",
    "WXPAY_PRIVATE_KEY",
    "WXPAY_APIV3_KEY",
    "WXPAY_SECRET",
    "WXPAY_BASE_URI",
    "WXPAY_PLATFORM_KEY_ID",
    "WXPAY_PLATFORM_KEY",
    "WXPAY_LANG",
];

/// What is said of variables that look like settings and are none. Their values may be secrets, and are not looked at.
pub(super) fn mistyped() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut names: Vec<String> = names
        .map(|name| if cfg!(windows) { name.to_uppercase() } else { name })
        .filter(|name| name.to_uppercase().starts_with("WXPAY_") && !VARIABLES.contains(&name.as_str()))
        // Kubernetes sets these for a service that is named wxpay.
        .filter(|name| !["WXPAY_SERVICE_", "WXPAY_PORT"].iter().any(|of_service| name.starts_with(of_service)))
        .collect();
    names.sort();
    let said = |name: &String| {
        let closest = VARIABLES
            .iter()
            .map(|known| (strsim::damerau_levenshtein(known, &name.to_uppercase()), known))
            .min_by_key(|(distance, _)| *distance)
            .filter(|(distance, _)| *distance <= 3);
        match closest {
            Some((_, known)) => {
                format!("the variable {name} of the environment is no setting and has no effect: did you mean {known}?")
            }
            None => format!(
                "the variable {name} of the environment is no setting and has no effect: the settings are {}",
                VARIABLES.join(", ")
            ),
        }
    };
    names.iter().map(said).collect()
}

/// The builder with all settings in it.
pub(super) fn builder(from: &SettingsFile) -> Result<ClientBuilder, Failure> {
    for said in mistyped() {
        output::note(&said);
    }
    let map = map(from)?;
    if let Some(said) = map.get("privateKey").and_then(Value::as_str).and_then(readable_by_others) {
        output::note(&said);
    }
    Ok(ClientBuilder::from_settings(Value::Object(map))?)
}

/// What is wrong with the rights of a key's file.
pub(super) fn readable_by_others(setting: &str) -> Option<String> {
    let path = setting.trim().strip_prefix("file://")?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).ok()?.permissions().mode();
        (mode & 0o077 != 0).then(|| {
            format!("the private key {path} can be read by others (mode {:o}): chmod 600 {path}", mode & 0o777)
        })
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// All settings, in the form of PHP's map.
pub(super) fn map(from: &SettingsFile) -> Result<Map<String, Value>, Failure> {
    let by_variable = variable("WXPAY_CONFIG")?.map(std::path::PathBuf::from);
    let mut settings = match from.config.as_ref().or(by_variable.as_ref()) {
        Some(path) => read(path)?,
        None => Settings::default(),
    };
    for (slot, name) in [
        (&mut settings.mchid, "WXPAY_MCHID"),
        (&mut settings.serial, "WXPAY_SERIAL"),
        (&mut settings.private_key, "WXPAY_PRIVATE_KEY"),
        (&mut settings.apiv3_key, "WXPAY_APIV3_KEY"),
        (&mut settings.secret, "WXPAY_SECRET"),
        (&mut settings.base_uri, "WXPAY_BASE_URI"),
    ] {
        if let Some(value) = variable(name)? {
            *slot = Some(value);
        }
    }
    match (variable("WXPAY_PLATFORM_KEY_ID")?, variable("WXPAY_PLATFORM_KEY")?) {
        (Some(id), Some(key)) => {
            settings.certs.insert(id, key);
        }
        (None, None) => {}
        _ => {
            return Err(Failure::usage(
                "WXPAY_PLATFORM_KEY_ID and WXPAY_PLATFORM_KEY belong together: set both, or neither",
            ));
        }
    }
    let mut map = Map::new();
    for (key, value) in [
        ("mchid", settings.mchid),
        ("serial", settings.serial),
        ("privateKey", settings.private_key),
        ("apiv3_key", settings.apiv3_key),
        ("secret", settings.secret),
        ("root_certificate", settings.root_certificate),
        ("proxy", settings.proxy),
        ("base_uri", settings.base_uri),
        ("backup_uri", settings.backup_uri),
    ] {
        // An empty proxy or backup is none; any other empty value is a missing one.
        if let Some(value) = value.filter(|value| !value.is_empty() || matches!(key, "proxy" | "backup_uri")) {
            map.insert(key.to_owned(), Value::String(value));
        }
    }
    for (key, value) in [("timeout", settings.timeout), ("connect_timeout", settings.connect_timeout)] {
        if let Some(value) = value {
            map.insert(key.to_owned(), value.into());
        }
    }
    if let Some(retry) = settings.retry {
        map.insert("retry".to_owned(), retry);
    }
    if !settings.certs.is_empty() {
        let certs = settings.certs.into_iter().map(|(id, key)| (id, Value::String(key)));
        map.insert("certs".to_owned(), Value::Object(certs.collect()));
    }
    if let Some(merchant) = settings.merchant {
        let members = merchant.into_iter().map(|(name, value)| (name, Value::String(value)));
        map.insert("merchant".to_owned(), Value::Object(members.collect()));
    }
    Ok(map)
}

fn variable(name: &str) -> Result<Option<String>, Failure> {
    match std::env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(Failure::usage(format!("{name} is no UTF-8"))),
    }
}

fn read(path: &Path) -> Result<Settings, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!(
            "the settings file {shown} cannot be read: {error} (wxpay sandbox writes one as it starts)"
        ))
    })?;
    // The library's own message quotes the value, which may be a key.
    let mut settings: Settings = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| 1 + text.get(..span.start).unwrap_or_default().matches('\n').count());
        let said = match error.message() {
            said if said.starts_with("unknown field") || said.starts_with("duplicate") => said,
            said if said.starts_with("invalid type") => {
                "the value is of the wrong type: texts, numbers of merchants too, stand in quotes"
            }
            _ => "it is no TOML",
        };
        Failure::usage(format!("the settings file {shown}, line {line}: {said}"))
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let merchant = settings.merchant.iter_mut().flat_map(|merchant| merchant.values_mut());
    let own = settings.private_key.iter_mut().chain(settings.root_certificate.iter_mut());
    for value in own.chain(settings.certs.values_mut()).chain(merchant) {
        if let Some(relative) = value.trim().strip_prefix("file://").filter(|path| Path::new(path).is_relative()) {
            *value = format!("file://{}", folder.join(relative).display());
        }
    }
    Ok(settings)
}
