//! `wxpay sandbox exec`: runs a command whose calls to the service reach a sandbox.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    // Before the folder exists, so that a signal cannot leave its keys behind.
    let signals = Signals::receive().map_err(|error| Failure::usage(format!("signals cannot be received: {error}")))?;
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
    let ended = run_command(Command::new(program).args(rest).envs(variables), signals).map_err(|error| {
        let text = format!("the command {} cannot be run: {error}", Path::new(program).display());
        // As a shell reports a command that it does not find.
        Failure { code: if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }, message: text }
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
fn exit_code(ended: &ExitStatus) -> u8 {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(ended);
    #[cfg(not(unix))]
    let signal = None;
    let code = ended.code().or(signal.map(|signal: i32| 128 + signal)).unwrap_or(1);
    // A code of Windows that does not fit is a failure.
    u8::try_from(code).unwrap_or(1)
}

/// Runs a command until it ends.
fn run_command(command: &mut Command, signals: Signals) -> io::Result<ExitStatus> {
    let mut child = command.spawn()?;
    let has_ended = Arc::new(AtomicBool::new(false));
    signals.forward(&child, Arc::clone(&has_ended));
    let ended = child.wait();
    has_ended.store(true, Ordering::SeqCst);
    ended
}

/// The signals that would end this process before it has removed its folder. The command decides on
/// its own end: a terminal sends Ctrl-C to both, and SIGTERM and SIGHUP are forwarded.
#[cfg(unix)]
struct Signals {
    runtime: tokio::runtime::Runtime,
    interrupt: tokio::signal::unix::Signal,
    forwarded: [(tokio::signal::unix::Signal, rustix::process::Signal); 2],
}

#[cfg(unix)]
impl Signals {
    fn receive() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let interrupt = signal(SignalKind::interrupt())?;
        let forwarded = [
            (signal(SignalKind::terminate())?, rustix::process::Signal::TERM),
            (signal(SignalKind::hangup())?, rustix::process::Signal::HUP),
        ];
        drop(entered);
        Ok(Signals { runtime, interrupt, forwarded })
    }

    fn forward(mut self, child: &Child, has_ended: Arc<AtomicBool>) {
        let pid = rustix::process::Pid::from_child(child);
        std::thread::spawn(move || {
            self.runtime.block_on(std::future::poll_fn(|context| {
                while self.interrupt.poll_recv(context).is_ready() {}
                for (received, signal) in &mut self.forwarded {
                    while received.poll_recv(context).is_ready() {
                        // After its end, the ID may be that of another process.
                        if !has_ended.load(Ordering::SeqCst) {
                            // The only failure is that the command has just ended.
                            let _ = rustix::process::kill_process(pid, *signal);
                        }
                    }
                }
                std::task::Poll::<()>::Pending
            }));
        });
    }
}

/// Ctrl-C, which is also sent to the command.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn receive() -> io::Result<Self> {
        std::thread::spawn(|| {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
            runtime.block_on(async { while tokio::signal::ctrl_c().await.is_ok() {} });
        });
        Ok(Signals)
    }

    fn forward(self, _child: &Child, _has_ended: Arc<AtomicBool>) {}
}
