//! `wxpay port -o CRATE`: converts PHP files to a crate with a module for each file.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::args::Port;
use super::failure::Failure;
use super::output;
use super::port_input::{Input, files, gbk_note, read};
use super::port_output::{formatted, listed};
use crate::port;

pub(super) fn run(args: &Port, folder: &Path) -> Result<(), Failure> {
    check_empty(folder)?;
    let (mut given, mut gbk) = (Vec::new(), Vec::new());
    for file in files(&args.files)? {
        let Input { name, text, is_gbk } = read(&file)?;
        gbk.extend(is_gbk.then(|| gbk_note(&name)));
        given.push((name, text));
    }
    if given.is_empty() {
        return Err(Failure::usage("the folders do not contain a PHP file".to_owned()));
    }
    let ported = if args.calls { port::Ported::calls_files(&given) } else { port::port_files(&given) };
    let ported = ported.map_err(Failure::usage)?;
    if ported.modules.is_empty() {
        return Err(Failure::usage("no file uses the SDK".to_owned()));
    }
    let source = folder.join("src");
    let failed = |error: io::Error| Failure::local_io(format!("{} cannot be written: {error}", folder.display()));
    std::fs::create_dir_all(&source).map_err(failed)?;
    std::fs::write(folder.join("Cargo.toml"), manifest(folder, args.library.as_deref())).map_err(failed)?;
    for module in ported.modules {
        std::fs::write(source.join(module.name).with_extension("rs"), formatted(module.rust)).map_err(failed)?;
    }
    let pieces = gbk.len() + ported.left.len();
    for line in gbk {
        output::stderr_line(&line);
    }
    for piece in &ported.left {
        let name = given.get(piece.file).map_or("", |(name, _)| name);
        output::stderr_line(&listed(name, piece));
    }
    let is_checked = args.no_check || checked(folder)?;
    match (is_checked, pieces) {
        (true, 0) => Ok(()),
        (false, _) => Err(Failure { code: 1, message: format!("cargo check failed in {}", folder.display()) }),
        (true, pieces) => {
            let pieces = if pieces == 1 { "1 piece".to_owned() } else { format!("{pieces} pieces") };
            let message = format!("{pieces} of {} could not be converted, see above", folder.display());
            Err(Failure { code: 1, message })
        }
    }
}

/// Fails if the folder is not empty, so that nothing is overwritten.
fn check_empty(folder: &Path) -> Result<(), Failure> {
    match std::fs::read_dir(folder).map(Iterator::count) {
        Ok(0) => Ok(()),
        Ok(_) => Err(Failure::usage(format!("the folder {} is not empty: give a new one", folder.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::usage(format!("{} cannot be read: {error}", folder.display()))),
    }
}

fn manifest(folder: &Path, library: Option<&Path>) -> String {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let name = folder.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let part = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
    let name: String = name.chars().map(part).collect();
    let name = if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("ported-{name}") };
    let library = match library {
        Some(path) => {
            let path: PathBuf = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            format!("{{ path = {:?} }}", path.display().to_string())
        }
        None => format!("{:?}", env!("CARGO_PKG_VERSION")),
    };
    format!(
        "[package]\nname = {name:?}\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\nserde_json = \"1\"\nwechatpay-chain = {library}\n\n[workspace]\n"
    )
}

/// Runs `cargo check` in the crate. Its messages go to standard error.
fn checked(folder: &Path) -> Result<bool, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let check =
        Command::new(cargo).arg("check").current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).status();
    let status = check.map_err(|error| Failure::usage(format!("cargo cannot be run: {error}")))?;
    Ok(status.success())
}
