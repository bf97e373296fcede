//! `wxpay man`: the manual page, one for all commands.

use std::io::{self, Write};

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::help;

/// Writes the page: the command, each of its commands, and what `--help` has below the options.
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
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        section(below, &command, out)?;
    }
    for text in help::SECTIONS {
        let (title, text) = text.split_once(":\n").unwrap_or(("Notes", text));
        let mut roff = Roff::new();
        roff.control("SH", [title.to_uppercase().as_str()]);
        as_it_stands(&mut roff, text).to_writer(out)?;
    }
    Ok(())
}

/// A command within the page, and the ones below it.
fn section(command: &Command, above: &Command, out: &mut dyn Write) -> io::Result<()> {
    // What the command above takes as well stands there, and one list is enough.
    let own = command.clone().mut_args(|arg| {
        let known = above.get_arguments().any(|other| other.get_id() == arg.get_id());
        arg.help_heading(None::<&str>).hide(known)
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
    // These are headings of a page.
    for line in text.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.starts_with(b".SH ")) {
        out.write_all(line)?;
    }
    if let Some(text) = command.get_after_help() {
        let text = text.to_string();
        let (title, text) = text.split_once(":\n").unwrap_or(("", &text));
        let mut roff = Roff::new();
        roff.control("PP", []).text([bold(title), roman(":")]);
        as_it_stands(&mut roff, text).to_writer(out)?;
    }
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        section(below, command, out)?;
    }
    Ok(())
}

/// Lines that keep their breaks and columns.
fn as_it_stands<'a>(roff: &'a mut Roff, text: &str) -> &'a mut Roff {
    roff.control("EX", []);
    for line in text.lines() {
        roff.text([roman(line)]);
    }
    roff.control("EE", [])
}
