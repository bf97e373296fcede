//! The `WXPAY_...` environment variables.

use std::env::{self, VarError};
use std::path::PathBuf;

use crate::error::Error;
use crate::proto::similar::similar;

/// All variables that this crate reads. The command `wxpay` reads `WXPAY_LANG`, in `translate.rs`.
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
    "WXPAY_CATALOG",
    "WXPAY_LANG",
];

/// Kubernetes sets variables with these prefixes for a service that is named `wxpay`.
const KUBERNETES_PREFIXES: &[&str] = &["WXPAY_SERVICE_", "WXPAY_PORT"];

/// What all variables begin with.
const PREFIX: &str = "WXPAY_";

/// The variable of a setting.
pub(crate) fn variable_of(setting: &str) -> Option<&'static str> {
    match setting {
        "mchid" => Some("WXPAY_MCHID"),
        "serial" => Some("WXPAY_SERIAL"),
        "private_key" => Some("WXPAY_PRIVATE_KEY"),
        "apiv3_key" => Some("WXPAY_APIV3_KEY"),
        "secret" => Some("WXPAY_SECRET"),
        "base_uri" => Some("WXPAY_BASE_URI"),
        "catalog" => Some("WXPAY_CATALOG"),
        setting if setting.starts_with("certs") => Some("WXPAY_PLATFORM_KEY"),
        _ => None,
    }
}

/// The value of a variable. An empty one counts as missing.
pub(crate) fn variable(name: &str) -> Result<Option<String>, Error> {
    match env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Error::config(format!("{name} is not valid UTF-8"))),
    }
}

/// The path that `WXPAY_CONFIG` gives.
pub(crate) fn config_file() -> Option<PathBuf> {
    env::var_os("WXPAY_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// A warning for each variable that begins with `WXPAY_` and is not a setting. The values may be
/// secrets, so they are not read.
pub(crate) fn unknown_variables() -> Vec<String> {
    let mut names: Vec<String> = env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        // Windows ignores the case of a variable's name.
        .map(|name| if cfg!(windows) { name.to_uppercase() } else { name })
        .filter(|name| name.to_uppercase().starts_with(PREFIX) && !VARIABLES.contains(&name.as_str()))
        .filter(|name| !KUBERNETES_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
        .collect();
    names.sort();
    names.iter().map(|name| unknown_variable(name)).collect()
}

fn unknown_variable(name: &str) -> String {
    // All names have the same prefix, which says nothing about their similarity.
    let suffix = |name: &'static str| name.strip_prefix(PREFIX).unwrap_or(name);
    match similar(name.get(PREFIX.len()..).unwrap_or_default(), VARIABLES.iter().copied().map(suffix)) {
        Some(known) => {
            format!("the environment variable {name} is not a setting and has no effect: did you mean {PREFIX}{known}?")
        }
        None => format!(
            "the environment variable {name} is not a setting and has no effect: the settings are {}",
            VARIABLES.join(", ")
        ),
    }
}
