//! What is known of the classes and stubs of a file. Each translation of the file uses what the one
//! before found, until nothing new is found.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::value::Type;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Facts {
    /// The types of the values that a property gets or a method returns, joined.
    pub(super) types: BTreeMap<String, Type>,
    /// The types that the uses of a value require, by its origin.
    pub(super) implied: BTreeMap<String, Type>,
    /// The methods that change their object: the class in Rust, and the method.
    pub(super) mutating: BTreeSet<(Rc<str>, String)>,
    /// The classes with properties that other code assigns.
    pub(super) exposed: BTreeSet<Rc<str>>,
    /// The classes that use a parent in another file.
    pub(super) parents: BTreeSet<Rc<str>>,
    pub(super) stubs: BTreeMap<String, Stub>,
}

impl Facts {
    /// Whether a class has a method that changes its object.
    pub(super) fn is_mutable(&self, class: &Rc<str>) -> bool {
        let first = self.mutating.range((Rc::clone(class), String::new())..).next();
        first.is_some_and(|(found, _)| found == class)
    }

    /// What the next translation begins with. The types of the first ones depend on what was not
    /// known yet; later, they only become wider.
    pub(super) fn beginning(&self, passes: usize) -> Self {
        let types = if passes > 4 { self.types.clone() } else { BTreeMap::new() };
        Facts { types, stubs: BTreeMap::new(), ..self.clone() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Function,
    New,
    Static,
    Method,
    Get,
    Set,
    Constant,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stub {
    /// The type that it is a member of.
    pub(super) owner: Option<Rc<str>>,
    pub(super) kind: Kind,
    /// Its name in PHP, and how PHP writes it.
    pub(super) name: String,
    pub(super) php: String,
    pub(super) parameters: Vec<Type>,
    pub(super) returns: Type,
    /// The files and lines of its uses.
    pub(super) lines: BTreeSet<(usize, usize)>,
    pub(super) span: (usize, usize),
}
