//! Facts about pieces of generated Rust, which hold for a composition if they hold for a part.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::imports::Imports;

/// The end and the start of a piece of PHP that acts. PHP runs a call when its arguments are
/// complete, so that the order of these is that of PHP.
pub(super) type Act = (usize, Reverse<usize>);

/// Facts that hold for a piece if they hold for one of its parts.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) imports: Imports,
    /// The variables that it mentions, by their names in Rust.
    pub(super) variables: BTreeSet<Rc<str>>,
    /// The variables whose objects it borrows mutably, to call methods that change them.
    pub(super) changed: Option<Rc<BTreeSet<Rc<str>>>>,
    /// It contains a `?`.
    pub(super) fails: bool,
    /// It contains a `todo!`.
    pub(super) is_incomplete: bool,
    /// It counts a variable up or down.
    pub(super) counts: bool,
    /// It contains a statement, and not only comments.
    pub(super) runs: bool,
    /// What it does when it runs, in the order of the text, which is the order of its evaluation.
    pub(super) acts: Vec<Act>,
    /// The recursion of `json!` that its arrays need.
    pub(super) depth: usize,
}

impl Facts {
    /// Adds variables whose objects are changed.
    pub(super) fn change(&mut self, variables: &BTreeSet<Rc<str>>) {
        Rc::make_mut(self.changed.get_or_insert_default()).extend(variables.iter().cloned());
    }

    pub(super) fn join(&mut self, other: &Facts) {
        self.imports.join(other.imports);
        self.variables.extend(other.variables.iter().cloned());
        if let Some(changed) = &other.changed {
            self.change(changed);
        }
        self.fails |= other.fails;
        self.is_incomplete |= other.is_incomplete;
        self.counts |= other.counts;
        self.runs |= other.runs;
        self.acts.extend(&other.acts);
        self.depth = self.depth.max(other.depth);
    }
}
