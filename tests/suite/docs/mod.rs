//! The documentation and the layout of the sources.

use std::fs;
use std::path::{Path, PathBuf};

mod compile_errors;
mod hints;
mod import_parser;
mod imports;
mod manual;
#[rustfmt::skip] // Formatted for the page that copies it.
mod manual_options;
#[rustfmt::skip]
mod manual_porting;
mod shell;
mod structure;

/// The folder of the crate.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file.
fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The Rust files in a folder and the folders below it, each as its path from the crate's folder
/// and its text, in the order of the paths.
pub(crate) fn sources(folder: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).expect("below the crate").to_str().expect("UTF-8");
                files.push((name.replace('\\', "/"), read(&path)));
            }
        }
    }
    files.sort();
    files
}
