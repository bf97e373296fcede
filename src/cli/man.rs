//! `wxpay man`: one manual page for all commands.

use std::io::{self, Write};

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::help;

/// Writes the page in roff: `wxpay` itself, each of its commands, and the sections of `--help`.
pub(super) fn page(command: Command, out: &mut dyn Write) -> io::Result<()> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let man = Man::new(command.clone()).source(format!("wxpay {}", env!("CARGO_PKG_VERSION")));
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]).to_writer(out)?;
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        section(subcommand, &command, out)?;
    }
    for text in help::SECTIONS {
        let (title, text) = text.split_once(":\n").unwrap_or(("Notes", text));
        let mut roff = Roff::new();
        roff.control("SH", [title.to_uppercase().as_str()]);
        preformatted(&mut roff, text).to_writer(out)?;
    }
    Ok(())
}

/// Writes the section of a command, and the sections of its subcommands.
fn section(command: &Command, parent: &Command, out: &mut dyn Write) -> io::Result<()> {
    // Global options are listed once, with the command that defines them.
    let own = command.clone().mut_args(|arg| {
        let is_inherited = parent.get_arguments().any(|other| other.get_id() == arg.get_id());
        arg.help_heading(None::<&str>).hide(is_inherited)
    });
    let mut roff = Roff::new();
    let name = command.get_bin_name().unwrap_or(command.get_name());
    roff.control("SS", [name]).to_writer(out)?;
    let man = Man::new(own.clone());
    let mut text = Vec::new();
    man.render_synopsis_section(&mut text)?;
    text.extend_from_slice(b".PP\n");
    man.render_description_section(&mut text)?;
    if own.get_arguments().any(|arg| !arg.is_hide_set()) {
        man.render_options_section(&mut text)?;
    }
    // The generator writes the headings of a whole page, which a section has no place for.
    for line in text.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.starts_with(b".SH ")) {
        out.write_all(line)?;
    }
    if let Some(text) = command.get_after_help() {
        let text = text.to_string();
        let (title, text) = text.split_once(":\n").unwrap_or(("", &text));
        let mut roff = Roff::new();
        roff.control("PP", []).text([bold(title), roman(":")]);
        preformatted(&mut roff, text).to_writer(out)?;
    }
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        section(subcommand, command, out)?;
    }
    Ok(())
}

/// Text whose lines and columns are preserved.
fn preformatted<'a>(roff: &'a mut Roff, text: &str) -> &'a mut Roff {
    roff.control("EX", []);
    for line in text.lines() {
        roff.text([roman(line)]);
    }
    roff.control("EE", [])
}
