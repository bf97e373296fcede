//! Resolves the names of classes.

use std::collections::HashSet;
use std::rc::Rc;

use tree_sitter::Node;

use super::members::Class;
use super::{Porter, syntax};

impl<'t> Porter<'t> {
    /// The full name of a class in lower case, without the leading backslash, resolved through
    /// `use`.
    pub(super) fn class(&self, node: Node<'t>) -> String {
        self.resolved(self.text(node), node.start_byte())
    }

    pub(super) fn resolved(&self, written: &str, at: usize) -> String {
        if let Some(whole) = written.strip_prefix('\\') {
            return whole.to_lowercase();
        }
        let (first, rest) = match written.split_once('\\') {
            Some((first, rest)) => (first, Some(rest)),
            None => (written, None),
        };
        let whole = match (self.files.alias(&first.to_lowercase(), at), rest) {
            (Some(whole), None) => whole.clone(),
            (Some(whole), Some(rest)) => format!("{whole}\\{rest}"),
            // Documentation often omits the `use` lines.
            (None, None) => {
                syntax::full_class_name(&written.to_lowercase()).map_or_else(|| written.to_owned(), str::to_owned)
            }
            (None, Some(_)) => written.to_owned(),
        };
        whole.to_lowercase()
    }

    /// Lists the name of a built-in exception class that is written in a namespace without `use`
    /// and without a backslash: PHP then means a class of the namespace, which does not exist.
    pub(super) fn list_unimported(&mut self, name: Node<'t>) {
        let written = self.text(name);
        let imported = written.contains('\\') || self.files.alias(&written.to_lowercase(), name.start_byte()).is_some();
        if !imported && self.in_namespace(written, name.start_byte()) != written {
            self.note_left(name, "PHP looks for this class in the namespace: import it with use");
        }
    }

    /// The full name of a class in lower case, in the namespace that the node is in.
    pub(super) fn full_name(&self, node: Node<'t>) -> String {
        self.full_name_of(self.text(node), node.start_byte())
    }

    pub(super) fn full_name_of(&self, written: &str, at: usize) -> String {
        if written.contains('\\') || self.files.alias(&written.to_lowercase(), at).is_some() {
            return self.resolved(written, at);
        }
        self.in_namespace(written, at).to_lowercase()
    }

    pub(super) fn in_namespace(&self, written: &str, at: usize) -> String {
        // The namespaces are in the order of their positions.
        let before = self.namespaces.partition_point(|(start, _)| *start <= at);
        let namespace = self.namespaces.get(..before).and_then(<[_]>::last).map(|(_, name)| name.as_str());
        match namespace {
            Some(namespace) if !namespace.is_empty() => format!("{namespace}\\{written}"),
            _ => written.to_owned(),
        }
    }

    pub(super) fn written_in_full(&self, name: Node<'t>) -> String {
        self.in_namespace(self.text(name), name.start_byte())
    }

    /// The class of the file that a name means, also `self`, `static` and `parent`.
    pub(super) fn own_class(&mut self, node: Node<'t>) -> Option<Rc<Class<'t>>> {
        let word = self.text(node).to_ascii_lowercase();
        if word == "self" {
            // In an inherited method, this is the class that declares it.
            let of = self.frame().declared_in.clone();
            if let Some(class) = self.class_of_name(&of) {
                return Some(class);
            }
        }
        if matches!(word.as_str(), "self" | "static") {
            return self.frame().class.and_then(|number| self.classes.get(number).cloned());
        }
        let name = self.full_name(node);
        self.class_of_name(&name)
    }

    /// The class with this full name, which is in lower case.
    pub(super) fn class_of_name(&self, name: &str) -> Option<Rc<Class<'t>>> {
        self.classes.get(self.class_number(name)?).cloned()
    }

    pub(super) fn class_number(&self, name: &str) -> Option<usize> {
        self.class_numbers.get(name).copied()
    }

    pub(super) fn class_named(&self, rust: &str) -> Option<Rc<Class<'t>>> {
        self.classes.get(*self.class_rust_names.get(rust)?).cloned()
    }

    /// The visibility of an item that is not public. In a crate, it is `pub(crate)`, because
    /// classes in other modules can inherit the item.
    pub(super) fn private(&self) -> &'static str {
        match (&self.files.extraction, self.files.is_crate) {
            (Some(_), _) => "pub ",
            (None, true) => "pub(crate) ",
            (None, false) => "",
        }
    }

    pub(super) fn visibility(&self, is_public: bool) -> &'static str {
        if is_public { "pub " } else { self.private() }
    }

    /// Fails if two functions or classes have the same name, so that a use would be ambiguous.
    pub(super) fn check_names(&self, functions: &[Node<'t>]) -> Result<(), String> {
        let functions = functions.iter().filter_map(|node| syntax::field(*node, "name")).map(|name| (name, true));
        let classes =
            self.classes.iter().filter_map(|class| syntax::field(class.node, "name")).map(|name| (name, false));
        let mut taken = HashSet::new();
        for (name, is_function) in functions.chain(classes) {
            // Functions are found by their names without a namespace.
            let full = if is_function { self.text(name).to_lowercase() } else { self.full_name(name) };
            if !taken.insert((full, is_function)) {
                let (file, line) = (self.files.number(name.start_byte()), self.line(name));
                let place = if self.files.is_crate {
                    format!("{}:{line}", self.files.name(file))
                } else {
                    format!("line {line}")
                };
                return Err(format!("{place}: {} is declared twice: convert the files separately", self.text(name)));
            }
        }
        Ok(())
    }
}
