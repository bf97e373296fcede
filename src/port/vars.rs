//! The variables of a function that Rust has declared. Changes can be undone, because some code is
//! converted twice.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::code::Code;
use super::value::{Form, Type};

/// A variable that Rust has declared.
#[derive(Clone, Debug)]
pub(super) struct Var {
    /// Its name in Rust, or that of the property.
    pub(super) rust: Code,
    pub(super) ty: Type,
    pub(super) form: Form,
    /// The text of a literal, if that is its only assignment.
    pub(super) literal: Option<String>,
    /// The expression of its value, if the type of that expression follows only from its uses.
    pub(super) origin: Option<Rc<str>>,
    /// Its key among the places that may hold null, if it is not that of its name.
    pub(super) source: Option<Rc<str>>,
    /// The depth of the block that declares it, and the number of loops around the declaration.
    pub(super) block: usize,
    pub(super) loops: usize,
    /// Whether it can be assigned again in place.
    pub(super) mutable: bool,
    /// Whether it is certainly a JSON object.
    pub(super) is_object: bool,
}

impl Var {
    /// A variable that is declared at the beginning of a function.
    pub(super) fn place(rust: Code, ty: Type) -> Self {
        Var {
            rust,
            ty,
            form: Form::Place,
            literal: None,
            origin: None,
            source: None,
            block: 1,
            loops: 0,
            mutable: false,
            is_object: false,
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Vars {
    /// The variables by their names in PHP.
    by_name: HashMap<String, Var>,
    /// The number of variables with each name in Rust.
    rust_names: HashMap<String, usize>,
    /// The names in PHP, by the depth of the block that declares them.
    by_block: BTreeMap<usize, Vec<String>>,
    /// The position of the declaration of each variable.
    sites: HashMap<String, usize>,
    /// The previous state of each changed variable, while at least one mark is open.
    undo: Vec<(String, Option<Var>)>,
    marks: usize,
}

impl Vars {
    pub(super) fn get(&self, name: &str) -> Option<&Var> {
        self.by_name.get(name)
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.by_name.keys()
    }

    /// The variable that a piece consists of, and its name in PHP.
    pub(super) fn find(&self, piece: &Code) -> Option<(&String, &Var)> {
        self.rust_names.get(piece.as_variable()?)?;
        self.by_name.iter().find(|(_, var)| var.rust == *piece)
    }

    /// Whether a variable other than `except` has this name in Rust.
    pub(super) fn is_taken(&self, rust: &str, except: &str) -> bool {
        let own = self.get(except).is_some_and(|var| var.rust.as_variable() == Some(rust));
        self.rust_names.get(rust).copied().unwrap_or_default() > usize::from(own)
    }

    pub(super) fn site(&self, name: &str) -> Option<usize> {
        self.sites.get(name).copied()
    }

    pub(super) fn set_site(&mut self, name: &str, at: usize) {
        self.sites.insert(name.to_owned(), at);
    }

    pub(super) fn insert(&mut self, name: String, var: Var) -> Option<Var> {
        let before = self.put(&name, Some(var));
        self.log(name, before.clone());
        before
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Var> {
        let before = self.put(name, None)?;
        self.log(name.to_owned(), Some(before.clone()));
        Some(before)
    }

    /// Removes the variables of blocks deeper than this.
    pub(super) fn leave(&mut self, depth: usize) {
        while let Some(last) = self.by_block.last_entry().filter(|last| *last.key() > depth) {
            for name in last.remove() {
                if self.get(&name).is_some_and(|var| var.block > depth) {
                    self.remove(&name);
                }
            }
        }
    }

    /// Marks the current state, to which [`Vars::roll_back`] returns.
    pub(super) fn mark(&mut self) -> usize {
        self.marks += 1;
        self.undo.len()
    }

    pub(super) fn roll_back(&mut self, mark: usize) {
        self.marks = self.marks.saturating_sub(1);
        for (name, before) in self.undo.split_off(mark.min(self.undo.len())).into_iter().rev() {
            self.put(&name, before);
        }
    }

    fn log(&mut self, name: String, before: Option<Var>) {
        if self.marks > 0 {
            self.undo.push((name, before));
        }
    }

    fn put(&mut self, name: &str, var: Option<Var>) -> Option<Var> {
        let before = self.by_name.remove(name);
        let rust = before.as_ref().and_then(|before| before.rust.as_variable());
        if let Some(count) = rust.and_then(|rust| self.rust_names.get_mut(rust)) {
            *count = count.saturating_sub(1);
        }
        if let Some(var) = var {
            if let Some(rust) = var.rust.as_variable() {
                *self.rust_names.entry(rust.to_owned()).or_default() += 1;
            }
            self.by_block.entry(var.block).or_default().push(name.to_owned());
            self.by_name.insert(name.to_owned(), var);
        }
        before
    }
}
