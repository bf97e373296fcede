//! The commands of `wxpay`.

mod args;
mod certs;
mod doctor;
mod help;
mod man;
mod numbers;
mod output;
mod port;
mod req;
#[cfg(feature = "sandbox")]
mod sandbox;
mod settings;
mod translate;
mod wire;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::error::{Error, ErrorKind};
use args::{Args, Command};

/// Runs the command that the arguments ask for.
#[must_use]
pub fn main() -> ExitCode {
    let args = command().try_get_matches().and_then(|matches| Args::from_arg_matches(&matches));
    let args = match args {
        Ok(args) => args,
        // Help is English, wherever it goes.
        Err(error) if error.use_stderr() && error.kind() != HELP && translate::is_chinese() => {
            output::lines(&translate::message(&error.render().to_string()));
            return ExitCode::from(2);
        }
        Err(error) => error.exit(),
    };
    let outcome = match &args.command {
        Command::Req(req) => req::run(&args.settings, req),
        Command::Certs(certs) => certs::run(&args.settings, certs),
        Command::Doctor(doctor) => doctor::run(&args.settings, doctor),
        Command::Port(port) => port::run(port),
        Command::Wire(wire) => wire::run(&args.settings, wire),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(sandbox) => sandbox::run(&args.settings, sandbox),
        Command::Completions(completions) => output::script(|out| {
            clap_complete::generate(completions.shell, &mut command(), "wxpay", out);
            Ok(())
        }),
        Command::Man => output::script(|out| man::page(command(), out)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::paragraph(&failure.said);
            ExitCode::from(failure.code)
        }
    }
}

/// What is said of no command at all.
const HELP: clap::error::ErrorKind = clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;

/// The command line, with all its help.
fn command() -> clap::Command {
    help::add(Args::command())
}

/// Why a command ends with another code than 0. The codes are listed in [`help::EXIT_CODES`].
struct Failure {
    code: u8,
    said: String,
}

impl Failure {
    /// The arguments or the settings are wrong, and nothing was sent.
    fn usage(said: impl Into<String>) -> Self {
        Failure { code: 2, said: said.into() }
    }

    /// Standard input or output, or a folder of this machine, cannot be read or written.
    fn local(said: impl Into<String>) -> Self {
        Failure { code: 7, said: said.into() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            ErrorKind::Config | ErrorKind::Path | ErrorKind::Options | ErrorKind::Sign => 2,
            ErrorKind::Connect => 3,
            ErrorKind::Timeout | ErrorKind::Transport => 4,
            ErrorKind::ClientError | ErrorKind::ServerError | ErrorKind::Redirect | ErrorKind::Fail => 5,
            ErrorKind::Verification | ErrorKind::Probe | ErrorKind::Replay => 6,
            ErrorKind::Sink => 7,
            ErrorKind::TooLarge | ErrorKind::Decode | ErrorKind::Layer => 1,
        };
        let mut said = error.to_string();
        match error.kind() {
            ErrorKind::Config => {
                said.push_str(" (settings come from --config FILE or WXPAY_... variables, see wxpay --help)")
            }
            ErrorKind::Options | ErrorKind::Path if said.contains("variable") => {
                said.push_str(" (here a variable is given by --var NAME=VALUE)");
            }
            _ => {}
        }
        Failure { code, said }
    }
}
