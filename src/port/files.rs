//! The files of a translation. Several files are joined to one text, so that classes, functions and
//! types of all of them are known everywhere.

use std::collections::HashMap;
use std::collections::HashSet;

use super::syntax;

#[derive(Debug, Default)]
pub(super) struct Files {
    files: Vec<File>,
    /// Whether each file becomes a module of a crate.
    pub(super) is_crate: bool,
}

#[derive(Debug)]
struct File {
    name: String,
    module: String,
    /// Its first byte and its first line in the joined text.
    at: usize,
    line: usize,
    aliases: HashMap<String, String>,
}

impl Files {
    /// One file, which becomes a whole program.
    pub(super) fn single() -> Self {
        Files { files: vec![File::new(String::new(), "program".to_owned(), 0, 1)], is_crate: false }
    }

    /// The text of several files, given with their names. Fails with their syntax errors.
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
            files.push(File::new(name.clone(), module_name(name, &mut taken), text.len(), line));
            text.push_str(php);
            if !php.ends_with('\n') {
                text.push('\n');
            }
            let last = syntax::all(tree.root_node()).last().map(tree_sitter::Node::kind);
            if !matches!(last, Some("text_interpolation" | "php_end_tag" | "text")) {
                text.push_str("?>\n");
            }
            line = text.matches('\n').count() + 1;
        }
        if errors.is_empty() { Ok((Files { files, is_crate: true }, text)) } else { Err(errors.join("\n")) }
    }

    pub(super) fn read_aliases(&mut self, root: tree_sitter::Node<'_>, php: &str) {
        for (at, alias, class) in syntax::aliases(root, php) {
            let number = self.number(at);
            if let Some(file) = self.files.get_mut(number) {
                file.aliases.insert(alias, class);
            }
        }
    }

    /// The class that `use` gives a name, in lower case, in the file at a position.
    pub(super) fn alias(&self, name: &str, at: usize) -> Option<&String> {
        self.files.get(self.number(at))?.aliases.get(name)
    }

    /// The number of the file at a position.
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

    /// The positions at which the files begin.
    pub(super) fn starts(&self) -> impl Iterator<Item = usize> {
        self.files.iter().map(|file| file.at)
    }

    /// A line of the joined text, at a position, as a line of its file.
    pub(super) fn line(&self, line: usize, at: usize) -> usize {
        let first = self.files.get(self.number(at)).map_or(1, |file| file.line);
        (line + 1).saturating_sub(first)
    }
}

impl File {
    fn new(name: String, module: String, at: usize, line: usize) -> Self {
        File { name, module, at, line, aliases: HashMap::new() }
    }
}

/// A name for the module of a file: that of the file, with those of its folders if it is taken.
fn module_name(path: &str, taken: &mut HashSet<String>) -> String {
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
