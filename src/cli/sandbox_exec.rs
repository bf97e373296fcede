//! `wxpay sandbox exec`: runs a command whose calls to the service reach a sandbox.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use super::failure::Failure;
use super::output;
use crate::sandbox::{SandboxBuilder, environment};

const NO_REQUEST: &str = "warning: no request reached the sandbox: if the command called WeChat Pay, its HTTP library does not read \
     HTTPS_PROXY, and it called the real service";

/// Starts a sandbox, runs the command, and returns with its exit code. Without `folder`, it uses a
/// temporary one.
pub(super) fn run(
    folder: Option<&Path>,
    builder: impl FnOnce(&Path) -> Result<SandboxBuilder, Failure>,
    allowed: &[String],
    command: &[OsString],
) -> Result<(), Failure> {
    let temporary;
    let folder: &Path = match folder {
        Some(folder) => folder,
        None => {
            temporary = tempfile::tempdir()
                .map_err(|error| Failure::usage(format!("a temporary folder cannot be created: {error}")))?;
            temporary.path()
        }
    };
    let Some((program, rest)) = command.split_first() else { return Ok(()) };
    let mut builder = builder(folder)?.port(0);
    for host in allowed {
        builder = builder.allow_host(host);
    }
    let sandbox = builder.start().map_err(|error| Failure::usage(error.message()))?;
    let variables = environment::variables(&sandbox, folder, !allowed.is_empty())
        .map_err(|error| Failure::usage(format!("the folder {} cannot be written: {error}", folder.display())))?;
    // Ctrl-C is also sent to the command, which decides on its end.
    ignore_interrupts();
    let ended = Command::new(program).args(rest).envs(variables).status().map_err(|error| {
        let text = format!("the command {} cannot be run: {error}", Path::new(program).display());
        // As a shell reports a command that it does not find.
        Failure { code: if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 }, message: text }
    })?;
    if sandbox.requests().is_empty() {
        output::note(NO_REQUEST);
    }
    drop(sandbox);
    let code = exit_code(&ended);
    if code == 0 {
        return Ok(());
    }
    Err(Failure { code, message: String::new() })
}

/// The exit code of a command; as in a shell, 128 and the signal that ended it.
fn exit_code(ended: &std::process::ExitStatus) -> u8 {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(ended);
    #[cfg(not(unix))]
    let signal = None;
    let code = ended.code().or(signal.map(|signal: i32| 128 + signal)).unwrap_or(1);
    // A code of Windows that does not fit is a failure.
    u8::try_from(code).unwrap_or(1)
}

/// Keeps this process running when Ctrl-C is pressed.
fn ignore_interrupts() {
    std::thread::spawn(|| {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async { while tokio::signal::ctrl_c().await.is_ok() {} });
    });
}
