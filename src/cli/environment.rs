//! The `WXPAY_...` environment variables.

use std::env::{self, VarError};
use std::path::{Path, PathBuf};

use super::args::ConfigArgs;
use super::failure::Failure;
use crate::proto::similar::similar;

/// All variables that `wxpay` reads. `WXPAY_LANG` is read in `translate.rs`.
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

/// The value of a variable. An empty one counts as missing.
pub(super) fn variable(name: &str) -> Result<Option<String>, Failure> {
    match env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Failure::usage(format!("{name} is not valid UTF-8"))),
    }
}

/// The path of the settings file: `--config`, or else `WXPAY_CONFIG`, or else the next `wxpay.toml`
/// from the current folder upward.
pub(super) fn config_file(config: &ConfigArgs) -> Option<PathBuf> {
    named_config_file(config).or_else(|| next_config_file(&env::current_dir().ok()?))
}

/// The path that `--config` or `WXPAY_CONFIG` gives.
pub(super) fn named_config_file(config: &ConfigArgs) -> Option<PathBuf> {
    let from_variable = || env::var_os("WXPAY_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
    config.config.clone().or_else(from_variable)
}

/// The `wxpay.toml` in a folder, or in the nearest folder above it. A file of another user than the
/// owner of the folder is skipped: in a folder that all users can write to, such as `/tmp`, it
/// could send calls to another host.
fn next_config_file(folder: &Path) -> Option<PathBuf> {
    let owner = owner(folder)?;
    let mut files = folder.ancestors().map(|folder| folder.join("wxpay.toml")).filter(|file| file.is_file());
    files.find(|file| self::owner(file).is_some_and(|of_file| of_file == owner || of_file == 0))
}

/// The user ID of the owner; 0 where there are none.
fn owner(path: &Path) -> Option<u32> {
    let metadata = path.metadata().ok()?;
    #[cfg(unix)]
    return Some(std::os::unix::fs::MetadataExt::uid(&metadata));
    #[cfg(not(unix))]
    return Some(drop(metadata)).map(|()| 0);
}

/// A warning for each variable that begins with `WXPAY_` and is not a setting. The values may be
/// secrets, so they are not read.
pub(super) fn unknown_variables() -> Vec<String> {
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
