//! `wxpay sandbox`: runs the local WeChat Pay, or controls one that is running.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use super::args::{ConfigArgs, Sandbox as Arguments};
use super::failure::Failure;
use super::sandbox_control::SandboxControl;
use super::sandbox_logs::{self, SandboxLogs};
use super::{config_file, output, sandbox_exec, translate};
use crate::catalog::Catalog;
use crate::sandbox::{Sandbox, SandboxBuilder, data_dir, trigger};

const DEFAULT_FOLDER: &str = "wxpay-sandbox";

pub(super) fn run(config: &ConfigArgs, arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.control {
        None => {
            let folder = arguments.dir.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FOLDER));
            serve(&folder, arguments)
        }
        Some(SandboxControl::Exec { allow, command }) => {
            sandbox_exec::run(arguments.dir.as_deref(), |folder| builder(folder, arguments), allow, command)
        }
        Some(SandboxControl::Trigger { list: true, .. }) => list_events(),
        Some(command) => {
            let folder = arguments.dir.clone().or_else(|| folder_of_config(config));
            control(&folder.unwrap_or_else(|| PathBuf::from(DEFAULT_FOLDER)), command)
        }
    }
}

/// The folder of the settings file, if a sandbox runs in it.
fn folder_of_config(config: &ConfigArgs) -> Option<PathBuf> {
    let folder = config_file::find(config)?.parent()?.to_owned();
    folder.join(data_dir::RUNNING).is_file().then_some(folder)
}

/// The builder of a sandbox with a folder and the settings of the command line.
fn builder(folder: &Path, arguments: &Arguments) -> Result<SandboxBuilder, Failure> {
    let mut builder = Sandbox::builder()
        .port(arguments.port)
        .dir(folder)
        .log_translated(|text| translate::message(text).into_owned())
        .notification_speed(arguments.speed);
    if arguments.certificates {
        builder = builder.certificates();
    }
    if arguments.lenient {
        builder = builder.lenient();
    }
    if arguments.notify_anywhere {
        builder = builder.notify_anywhere();
    }
    if let Some(path) = &arguments.stubs {
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("the file {} cannot be read: {error}", path.display())))?;
        builder = builder.stubs(&text);
    }
    Ok(builder)
}

/// Runs a sandbox until the process is ended.
fn serve(folder: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let builder = builder(folder, arguments)?;
    // Only the message: the hint that `Failure::from` adds is about the settings of a client.
    let sandbox = builder.start().map_err(|error| Failure::usage(error.message()))?;
    let text =
        if arguments.json { format!("{}\n", data_dir::summary(&sandbox, folder)) } else { banner(&sandbox, folder) };
    // Flushed, because a program that reads a pipe waits for these lines.
    let mut out = std::io::stdout();
    output::check(out.write_all(text.as_bytes()).and_then(|()| out.flush()))?;
    loop {
        std::thread::park();
    }
}

/// What a person needs to know of a sandbox that has started.
fn banner(sandbox: &Sandbox, folder: &Path) -> String {
    let dir_option =
        if folder == Path::new(DEFAULT_FOLDER) { String::new() } else { format!(" --dir {}", folder.display()) };
    let text = format!(
        "The local WeChat Pay is listening at {0} (open it in a browser to see its state); with TLS at {1}.\n\
         The settings of its merchant are in {2}:\n  wxpay --config {2} req ...\n\
         Settings for other SDKs are in the same folder: settings.php, settings.mjs, settings.go.txt, settings.java.txt.\n\
         Pay an order: wxpay sandbox pay OUT_TRADE_NO{dir_option}\nPress Ctrl-C to stop.\n",
        sandbox.base_uri(),
        sandbox.tls_base_uri(),
        folder.join(data_dir::CONFIG).display(),
    );
    translate::message(&text).into_owned()
}

/// Prints the documented notifications.
fn list_events() -> Result<(), Failure> {
    let events = Catalog::builtin().notifications().map(|one| (trigger::names(one).join(", "), one.title()));
    let events: Vec<_> = events.collect();
    let width = events.iter().map(|(name, _)| name.len()).max().unwrap_or_default().min(60);
    let lines = events.iter().map(|(name, title)| format!("{name:width$}  {title}\n"));
    output::check(std::io::stdout().write_all(lines.collect::<String>().as_bytes()))
}

/// Sends a command to the sandbox that runs in a folder, and prints its response.
fn control(folder: &Path, command: &SandboxControl) -> Result<(), Failure> {
    let Some((path, body)) = command.request()? else {
        return match command {
            SandboxControl::Logs(arguments) => logs(folder, arguments),
            _ => Ok(()),
        };
    };
    let (status, response) = match call(&running(folder)?, path, &body)? {
        Some(response) => response,
        None => return Err(not_running(folder, "it has stopped")),
    };
    if status.is_success() {
        return output::check(output::body(&response));
    }
    let response: Value = serde_json::from_slice(&response).unwrap_or_default();
    let message = response["error"].as_str().unwrap_or("the sandbox refused the command");
    Err(Failure { code: 5, message: message.to_owned() })
}

fn not_running(folder: &Path, reason: &str) -> Failure {
    Failure::usage(format!(
        "no sandbox is running in the folder {} ({reason}): start one with wxpay sandbox, or name its folder with --dir",
        folder.display()
    ))
}

/// The address of the sandbox that runs in a folder.
fn running(folder: &Path) -> Result<String, Failure> {
    let text =
        fs::read_to_string(folder.join(data_dir::RUNNING)).map_err(|error| not_running(folder, &error.to_string()))?;
    let running: Value = serde_json::from_str(&text).map_err(|error| not_running(folder, &error.to_string()))?;
    Ok(running["base_uri"].as_str().unwrap_or_default().to_owned())
}

/// Makes a control call; `None` if the sandbox has stopped.
fn call(base_uri: &str, path: &str, body: &Value) -> Result<Option<(StatusCode, Bytes)>, Failure> {
    match crate::sandbox::control_call(&format!("{base_uri}sandbox/{path}"), body) {
        Ok(response) => Ok(Some(response)),
        Err(error) if error.is_connect() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Prints the log of the sandbox that runs in a folder.
fn logs(folder: &Path, arguments: &SandboxLogs) -> Result<(), Failure> {
    let base_uri = running(folder)?;
    let mut is_first = true;
    sandbox_logs::run(arguments, |query| {
        let response = call(&base_uri, &format!("state{query}"), &Value::Null)?;
        if response.is_none() && std::mem::take(&mut is_first) {
            return Err(not_running(folder, "it has stopped"));
        }
        is_first = false;
        Ok(response.map(|(_, body)| serde_json::from_slice(&body).unwrap_or_default()))
    })
}
