//! The command line `wxpay`: one file for each command, and the files that they share.

mod api;
mod api_example;
mod api_show;
mod api_types;
mod args;
mod args_signatures;
mod bill;
mod captured;
mod certs;
mod config_file;
mod doctor;
mod doctor_calls;
mod doctor_report;
mod failure;
mod help;
mod help_chinese;
mod json_precision;
mod man;
mod notify;
mod output;
mod port;
mod port_crate;
mod port_input;
mod port_output;
mod port_report;
mod req;
#[cfg(feature = "sandbox")]
mod sandbox;
#[cfg(feature = "sandbox")]
mod sandbox_control;
#[cfg(feature = "sandbox")]
mod sandbox_exec;
#[cfg(feature = "sandbox")]
mod sandbox_logs;
mod settings;
mod sign;
mod translate;
mod verify;
mod wire;

use std::process::ExitCode;

use anstream::ColorChoice;
use clap::{CommandFactory, FromArgMatches, ValueEnum};

use args::{Args, Color, Command};

/// Runs the command that the arguments name, and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    color_of_arguments().write_global();
    let chinese = || help_chinese::translate(command());
    let parsed = if translate::is_chinese() { chinese() } else { command() };
    let args = parsed.try_get_matches().and_then(|matches| Args::from_arg_matches(&matches));
    let args = match args {
        Ok(args) => args,
        Err(error) if error.use_stderr() && error.kind() != HELP && translate::is_chinese() => {
            output::stderr_text(&translate::message(&error.render().to_string()));
            return ExitCode::from(2);
        }
        Err(error) if translate::is_chinese() => {
            let help = help_chinese::finish(&error.render().ansi().to_string());
            let is_requested = !error.use_stderr();
            output::styled_text(&help, is_requested);
            return if is_requested { ExitCode::SUCCESS } else { ExitCode::from(2) };
        }
        Err(error) => error.exit(),
    };
    let outcome = match &args.command {
        Command::Req(req) => req::run(&args.config, req),
        Command::Bill(bill) => bill::run(&args.config, bill),
        Command::Certs(certs) => certs::run(&args.config, certs),
        Command::Notify(notify) => notify::run(&args.config, notify),
        Command::Sign(sign) => sign::run(&args.config, sign),
        Command::Verify(verify) => verify::run(&args.config, verify),
        Command::Doctor(doctor) => doctor::run(&args.config, doctor),
        Command::Port(port) => port::run(port),
        Command::Api(api) => api::run(&args.config, api),
        Command::Wire(wire) => wire::run(&args.config, wire),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(sandbox) => sandbox::run(&args.config, sandbox),
        Command::Completions(completions) => output::generated(|out| {
            clap_complete::generate(completions.shell, &mut api::with_names(command()), "wxpay", out);
            Ok(())
        }),
        Command::Man => output::generated(|out| man::page(command(), out)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message.is_empty() {
                output::error(&failure.message);
            }
            ExitCode::from(failure.code)
        }
    }
}

/// The kind of error with which clap prints the help if no command is given.
const HELP: clap::error::ErrorKind = clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;

/// The value of `--color`, which also applies to help and to errors in the arguments.
fn color_of_arguments() -> ColorChoice {
    let arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    let arguments: Vec<String> = arguments.take_while(|argument| argument != "--").collect();
    let value = arguments.iter().zip(arguments.iter().skip(1)).find_map(|(argument, next)| {
        argument.strip_prefix("--color=").or_else(|| (argument == "--color").then_some(next.as_str()))
    });
    let last = arguments.last().and_then(|argument| argument.strip_prefix("--color="));
    match value.or(last).and_then(|value| Color::from_str(value, false).ok()) {
        Some(Color::Always) => ColorChoice::Always,
        Some(Color::Never) => ColorChoice::Never,
        Some(Color::Auto) | None => ColorChoice::Auto,
    }
}

/// The command line with all its help, in English.
fn command() -> clap::Command {
    help::add(Args::command())
}
