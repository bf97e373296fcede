//! Finds the settings file of a command.

use std::env;
use std::path::{Path, PathBuf};

use super::args::ConfigArgs;
use crate::client::environment;

/// The path of the settings file: `--config`, or else `WXPAY_CONFIG`, or else the nearest
/// `wxpay.toml` in the current folder or a folder above it.
pub(super) fn find(config: &ConfigArgs) -> Option<PathBuf> {
    let named = config.config.clone().or_else(environment::config_file);
    named.or_else(|| next_config_file(&env::current_dir().ok()?))
}

/// The `wxpay.toml` in a folder, or in the nearest folder above it. A file is skipped unless it
/// belongs to the owner of the first folder or to root: in a folder that all users can write to,
/// such as `/tmp`, a file of another user could send calls to another host.
fn next_config_file(folder: &Path) -> Option<PathBuf> {
    let owner = owner(folder)?;
    let mut files = folder.ancestors().map(|folder| folder.join("wxpay.toml")).filter(|file| file.is_file());
    files.find(|file| self::owner(file).is_some_and(|of_file| of_file == owner || of_file == 0))
}

/// The user ID of the owner, or 0 on systems without user IDs.
fn owner(path: &Path) -> Option<u32> {
    let metadata = path.metadata().ok()?;
    #[cfg(unix)]
    return Some(std::os::unix::fs::MetadataExt::uid(&metadata));
    #[cfg(not(unix))]
    return Some(drop(metadata)).map(|()| 0);
}
