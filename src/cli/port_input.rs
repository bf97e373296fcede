//! The input of `wxpay port`: files and folders, in UTF-8 or GBK.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::failure::Failure;

/// Folders that contain code of others.
const SKIPPED: [&str; 3] = ["vendor", "node_modules", "tests"];

/// The PHP files of the files and folders that were given.
pub(super) fn files(given: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in given {
        if path.is_dir() {
            collect(path, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |error| Failure::usage(format!("{} cannot be read: {error}", folder.display()));
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        entries.push(entry.map_err(failed)?);
    }
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        // A link to a folder may lead in a circle.
        match entry.file_type().map_err(failed)? {
            kind if kind.is_dir() && !name.starts_with('.') && !SKIPPED.contains(&&*name) => collect(&path, found)?,
            kind if kind.is_file() && path.extension().is_some_and(|extension| extension == "php") => found.push(path),
            _ => {}
        }
    }
    Ok(())
}

/// The text of a file, with its name in messages.
pub(super) struct Input {
    pub(super) name: String,
    pub(super) text: String,
    /// Whether it was converted from GBK.
    pub(super) is_gbk: bool,
}

/// The entry of the list for a file in GBK.
pub(super) fn gbk_note(name: &str) -> String {
    format!("{name}:1: the file is in GBK: the texts of the program are UTF-8, and longer")
}

pub(super) fn read(file: &Path) -> Result<Input, Failure> {
    let mut bytes = Vec::new();
    let (name, outcome) = if file == Path::new("-") {
        ("standard input".to_owned(), io::stdin().lock().read_to_end(&mut bytes).map(drop))
    } else {
        (file.display().to_string(), std::fs::read(file).map(|read| bytes = read))
    };
    outcome.map_err(|error| Failure::usage(format!("{name} cannot be read: {error}")))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Input { name, text, is_gbk: false }),
        Err(error) => {
            let (text, _, is_damaged) = encoding_rs::GBK.decode(error.as_bytes());
            if is_damaged {
                return Err(Failure::usage(format!("{name} is neither valid UTF-8 nor GBK")));
            }
            Ok(Input { name, text: text.into_owned(), is_gbk: true })
        }
    }
}
