//! The settings of a command: a TOML file, the environment, and its arguments.

use super::args::ConfigArgs;
use super::failure::Failure;
use super::{config_file, output};
use crate::catalog::Catalog;
use crate::client::builder::ClientBuilder;
use crate::client::environment;
use crate::client::layers::{Layers, Source};
pub(super) use crate::client::settings::{Settings, file_path};
use crate::error::Error;

/// The options of `wxpay certs` that are settings.
const OPTIONS: &[(&str, &str)] =
    &[("mchid", "--mchid"), ("serial", "--serialno"), ("private_key", "--privatekey"), ("base_uri", "--baseuri")];

/// Reads the settings of a command: the file, the environment, and `arguments` over both.
pub(super) fn load(config: &ConfigArgs, arguments: Settings) -> Result<Settings, Failure> {
    layers(config)?.with(Source::Arguments(OPTIONS), arguments).map(Layers::into_settings).map_err(usage)
}

/// The settings of the file and of the environment, with their origins.
pub(super) fn layers(config: &ConfigArgs) -> Result<Layers, Failure> {
    Layers::load(config_file::find(config).as_deref()).map_err(usage)
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
