//! The settings of a command: a TOML file, the environment, and its arguments.

use super::args::ConfigArgs;
use super::failure::Failure;
use super::{config_file, output};
use crate::catalog::Catalog;
use crate::client::builder::ClientBuilder;
use crate::client::environment;
pub(super) use crate::client::settings::{Settings, file_path};
use crate::error::Error;

/// Reads the settings of a command: the file, the environment, and `arguments` over both.
pub(super) fn load(config: &ConfigArgs, arguments: Settings) -> Result<Settings, Failure> {
    let file = match config_file::find(config) {
        Some(path) => Settings::from_file(&path).map_err(usage)?,
        None => Settings::default(),
    };
    let environment = Settings::from_environment().map_err(usage)?;
    if config_file::named(config).is_none() {
        if let (Some(of_file), Some(mchid)) = (&file.mchid, &environment.mchid) {
            if of_file != mchid {
                return Err(Failure::usage(format!(
                    "WXPAY_MCHID is {mchid}, and the wxpay.toml that was found from this folder upward is for {of_file}: unset \
                     the variable, or name the settings file with --config or WXPAY_CONFIG"
                )));
            }
        }
    }
    Ok(file.overlay(environment).overlay(arguments))
}

/// The client builder of a command. Warnings about the settings go to standard error.
pub(super) fn client_builder(config: &ConfigArgs, arguments: Settings) -> Result<ClientBuilder, Failure> {
    for warning in environment::unknown_variables() {
        output::note(&warning);
    }
    let settings = load(config, arguments)?;
    if let Some(warning) = settings.private_key_permissions() {
        output::note(&warning);
    }
    Ok(settings.client_builder()?)
}

/// The catalogue that the settings name; `None` for the built-in one.
pub(super) fn catalog(config: &ConfigArgs) -> Result<Option<Catalog>, Failure> {
    Ok(load(config, Settings::default())?.catalog()?)
}

/// Omits the advice on where settings are, because the message names the file or the variable.
fn usage(error: Error) -> Failure {
    Failure::usage(error.message())
}
