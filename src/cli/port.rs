//! `wxpay port`: converts PHP to Rust.

use std::io::{self, Write};
use std::path::Path;

use super::args::Port;
use super::failure::Failure;
use super::port_input::{Input, files, gbk_note, read};
use super::port_output::{formatted, listed};
use super::{output, port_crate, port_report};
use crate::port::{self, Ported};

pub(super) fn run(args: &Port) -> Result<(), Failure> {
    if args.report {
        return port_report::run(&args.files, args.json);
    }
    if let Some(folder) = &args.output {
        return port_crate::run(args, folder);
    }
    let files = files(&args.files)?;
    if files.len() > 1 && !args.check {
        return Err(Failure::usage("several files are only for --check, --report and --output".to_owned()));
    }
    let (mut pieces, mut names) = (0, Vec::new());
    for file in &files {
        let (name, left) = convert(file, args)?;
        if left > 0 {
            pieces += left;
            names.push(name);
        }
    }
    let name = match names.as_slice() {
        [] => return Ok(()),
        [name] => name.clone(),
        names => format!("{} files", names.len()),
    };
    let pieces = if pieces == 1 { "1 piece".to_owned() } else { format!("{pieces} pieces") };
    Err(Failure { code: 1, message: format!("{pieces} of {name} could not be converted, see above") })
}

/// Converts a file. Returns its name, and how many pieces were not converted.
fn convert(file: &Path, args: &Port) -> Result<(String, usize), Failure> {
    let Input { name, text: php, is_gbk } = read(file)?;
    let check = args.check;
    let ported = if args.calls { Ported::calls(&short_name(file), &php) } else { port::port(&php) };
    let Ported { rust, left, .. } = ported.map_err(|errors| {
        Failure::usage(errors.lines().map(|error| format!("{name}: {error}")).collect::<Vec<_>>().join("\n"))
    })?;
    if args.calls && rust.is_empty() && left.is_empty() && !check {
        return Err(Failure::usage(format!("the SDK does not occur in {name}")));
    }
    if !check {
        let written = io::stdout().lock().write_all(formatted(rust).as_bytes());
        output::check(written)?;
    }
    let gbk = is_gbk.then(|| gbk_note(&name));
    let pieces = left.iter().map(|piece| listed(&name, piece));
    let lines: Vec<String> = gbk.into_iter().chain(pieces).collect();
    for line in &lines {
        // With --check, the list is the output of the command.
        if check {
            output::check(output::stdout_line(line))?;
        } else {
            output::stderr_line(line);
        }
    }
    Ok((name, lines.len()))
}

/// The name of a file in comments.
pub(super) fn short_name(file: &Path) -> String {
    let name = file.file_name().filter(|name| *name != "-");
    name.map_or_else(|| "standard input".to_owned(), |name| name.to_string_lossy().into_owned())
}
