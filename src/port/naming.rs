//! Resolves the names of classes.

use std::rc::Rc;

use tree_sitter::Node;

use super::members::Class;
use super::{Porter, syntax};

impl<'t> Porter<'t> {
    /// The full name of a class in lower case, without the leading backslash, resolved through
    /// `use`.
    pub(super) fn class(&self, node: Node<'t>) -> String {
        self.resolved(self.text(node))
    }

    pub(super) fn resolved(&self, written: &str) -> String {
        if let Some(whole) = written.strip_prefix('\\') {
            return whole.to_lowercase();
        }
        let (first, rest) = match written.split_once('\\') {
            Some((first, rest)) => (first, Some(rest)),
            None => (written, None),
        };
        let whole = match (self.aliases.get(&first.to_lowercase()), rest) {
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

    /// The full name of a class in lower case, in the namespace that the node is in.
    pub(super) fn full_name(&self, node: Node<'t>) -> String {
        self.full_name_of(self.text(node), node.start_byte())
    }

    pub(super) fn full_name_of(&self, written: &str, at: usize) -> String {
        if written.contains('\\') || self.aliases.contains_key(&written.to_lowercase()) {
            return self.resolved(written);
        }
        self.in_namespace(written, at).to_lowercase()
    }

    pub(super) fn in_namespace(&self, written: &str, at: usize) -> String {
        let namespace = self.namespaces.iter().rev().find(|(start, _)| *start <= at).map(|(_, name)| name.as_str());
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

    /// The class of the file with this full name, in lower case.
    pub(super) fn class_of_name(&self, name: &str) -> Option<Rc<Class<'t>>> {
        self.classes.get(self.class_number(name)?).cloned()
    }

    pub(super) fn class_number(&self, name: &str) -> Option<usize> {
        self.class_numbers.get(name).copied()
    }

    pub(super) fn class_named(&self, rust: &str) -> Option<Rc<Class<'t>>> {
        self.classes.get(*self.class_rust_names.get(rust)?).cloned()
    }
}
