//! The files of a translation. Several files are joined into one text, so that the code of each
//! file can use the classes, functions and types of all files.

use std::collections::{BTreeMap, HashMap, HashSet};

use tree_sitter::Node;

use super::syntax;

#[derive(Debug, Default)]
pub(super) struct Files {
    files: Vec<File>,
    /// Whether each file becomes a module of a crate.
    pub(super) is_crate: bool,
    /// Set if the text is reduced PHP, which becomes a module of functions.
    pub(super) extraction: Option<Extraction>,
}

/// The origin of reduced PHP.
#[derive(Debug)]
pub(super) struct Extraction {
    /// The line in the source of each line.
    pub(super) lines: Vec<usize>,
    /// The doc comments of the functions, by their names.
    pub(super) docs: BTreeMap<String, String>,
}

#[derive(Debug)]
struct File {
    name: String,
    module: String,
    /// The position of its first byte, and its first line, in the joined text.
    at: usize,
    line: usize,
    aliases: HashMap<String, String>,
}

impl Files {
    /// A single file, which becomes a complete program.
    pub(super) fn single() -> Self {
        let file = File::new(String::new(), "program".to_owned(), 0, 1);
        Files { files: vec![file], is_crate: false, extraction: None }
    }

    /// The reduced PHP of a single file.
    pub(super) fn extracted(extraction: Extraction) -> Self {
        Files { extraction: Some(extraction), ..Files::single() }
    }

    /// The doc comment of a function of reduced PHP.
    pub(super) fn doc(&self, function: &str) -> Option<&str> {
        self.extraction.as_ref()?.docs.get(function).map(String::as_str)
    }

    /// Joins several files, given with their names, and returns the joined text. Fails with the
    /// syntax errors of the files.
    pub(super) fn joined(given: &[(String, String)]) -> Result<(Self, String), String> {
        let (mut files, mut text, mut errors) = (Vec::new(), String::new(), Vec::new());
        let (mut taken, mut line) = (HashSet::from(["main".to_owned(), "yours".to_owned()]), 1);
        for (name, php) in given {
            let tree = match syntax::parse(php) {
                Ok(tree) => tree,
                Err(found) => {
                    errors.extend(found.lines().map(|error| format!("{name}: {error}")));
                    continue;
                }
            };
            let start = text.len();
            files.push(File::new(name.clone(), module_name(name, &mut taken), start, line));
            text.push_str(php);
            if !php.ends_with('\n') {
                text.push('\n');
            }
            let last = syntax::all(tree.root_node()).last().map(tree_sitter::Node::kind);
            if !matches!(last, Some("text_interpolation" | "php_end_tag" | "text")) {
                text.push_str("?>\n");
            }
            line += text.get(start..).unwrap_or_default().matches('\n').count();
        }
        if errors.is_empty() {
            Ok((Files { files, is_crate: true, extraction: None }, text))
        } else {
            Err(errors.join("\n"))
        }
    }

    pub(super) fn read_aliases(&mut self, root: tree_sitter::Node<'_>, php: &str) {
        for (at, alias, class) in syntax::aliases(root, php) {
            let number = self.number(at);
            if let Some(file) = self.files.get_mut(number) {
                file.aliases.insert(alias, class);
            }
        }
    }

    /// The class for which `use` declares a name, in the file at a position. The name is in lower
    /// case.
    pub(super) fn alias(&self, name: &str, at: usize) -> Option<&String> {
        self.files.get(self.number(at))?.aliases.get(name)
    }

    /// The number of the file that contains a position.
    pub(super) fn number(&self, at: usize) -> usize {
        self.files.partition_point(|file| file.at <= at).saturating_sub(1)
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn module(&self, number: usize) -> &str {
        self.files.get(number).map_or("", |file| &file.module)
    }

    pub(super) fn name(&self, number: usize) -> &str {
        self.files.get(number).map_or("", |file| &file.name)
    }

    /// The positions at which the files start.
    pub(super) fn starts(&self) -> impl Iterator<Item = usize> {
        self.files.iter().map(|file| file.at)
    }

    /// Converts the line of a position in the joined text to a line of its file.
    pub(super) fn line(&self, line: usize, at: usize) -> usize {
        if let Some(extraction) = &self.extraction {
            return extraction.lines.get(line.saturating_sub(1)).copied().unwrap_or(1);
        }
        let first = self.files.get(self.number(at)).map_or(1, |file| file.line);
        (line + 1).saturating_sub(first)
    }
}

impl File {
    fn new(name: String, module: String, at: usize, line: usize) -> Self {
        File { name, module, at, line, aliases: HashMap::new() }
    }
}

/// An unused name for the module of a file: the file name, with the names of its folders in front
/// if it is taken.
pub(super) fn module_name(path: &str, taken: &mut HashSet<String>) -> String {
    let path = path.strip_suffix(".php").unwrap_or(path);
    let mut parts = path.rsplit(['/', '\\']).filter(|part| !part.is_empty() && !part.starts_with('.'));
    let mut name = super::text::snake(parts.next().unwrap_or("file"));
    while !taken.insert(name.clone()) {
        name = match parts.next() {
            Some(folder) => format!("{}_{name}", super::text::snake(folder).trim_end_matches('_')),
            None => format!("{name}_"),
        };
    }
    name
}

/// The namespaces and the positions at which they begin. Each file begins without a namespace.
pub(super) fn namespaces(root: Node<'_>, php: &str, files: &Files) -> Vec<(usize, String)> {
    let mut found = syntax::namespaces(root, php);
    found.extend(files.starts().map(|at| (at, String::new())));
    found.sort_by_key(|(at, _)| *at);
    found
}

/// Prepares the code for the parser: removes a byte order mark, the interpreter line and data at
/// the end, and adds a missing tag.
pub(super) fn prepared(php: &str) -> String {
    let php = php.strip_prefix('\u{feff}').unwrap_or(php);
    let php = match php.split_once('\n') {
        // PHP skips the line that names the interpreter, as it does the line end after a tag.
        Some((first, rest)) if first.starts_with("#!") => format!("<?php ?>\n{rest}"),
        // Documentation and copied pieces often lack the tag. Without it, PHP treats everything as
        // HTML. The tag is added to the first line, so that the line numbers do not change.
        _ if !php.contains("<?") => format!("<?php {php}"),
        _ => php.to_owned(),
    };
    without_data(&php).to_owned()
}

/// The code before `__halt_compiler();`, after which a file contains data.
fn without_data(php: &str) -> &str {
    let halts = |line: &str| {
        let rest = line.trim_start().strip_prefix("__halt_compiler");
        rest.is_some_and(|rest| rest.chars().filter(|c| !c.is_whitespace()).take(3).eq("();".chars()))
    };
    let mut at = 0;
    for line in php.split_inclusive('\n') {
        if halts(line) {
            return php.get(..at).unwrap_or(php);
        }
        at += line.len();
    }
    php
}
