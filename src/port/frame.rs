//! The function that is being converted: its variables, and the ways in which control leaves it.

use std::collections::HashMap;
use std::rc::Rc;

use super::code::Code;
use super::scope::{Act, Story, Uses};
use super::value::Type;
use super::vars::Vars;

/// The ways in which control leaves a function or a block.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    pub(super) kind: Kind,
    /// The control flow that the conversion assumed, and the one that it found.
    pub(super) assumed: Facts,
    pub(super) found: Facts,
    pub(super) returned: Vec<Type>,
    /// How many loops were open at its start.
    pub(super) loops: usize,
    /// It ends only with a `return`.
    pub(super) whole: bool,
    /// Whether PHP declares the type that it returns.
    pub(super) declared: bool,
    /// The type that a returned value is converted to.
    pub(super) returns: Option<Type>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Facts {
    /// An error of this crate may leave it.
    pub(super) fallible: bool,
    /// An error of another type may leave it.
    pub(super) foreign: bool,
    /// It contains a `return`.
    pub(super) returning: bool,
    /// It contains a `break` or `continue` of an outer loop.
    pub(super) leaves: Option<&'static str>,
    /// It contains both of them, or one of them and `return`.
    pub(super) tangled: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Kind {
    /// `main`: a `return` ends the program.
    #[default]
    Main,
    /// A function, or a closure in a variable: it always returns a `Result`.
    Function,
    /// A closure of `then` or `otherwise`: it returns a `Result` only if it can fail.
    Step,
    /// The body of a `try`.
    Try,
}

/// The additional data of a function that handles notifications.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Handler {
    /// The parameter that contains the framework's request.
    pub(super) parameter: Option<String>,
    /// The position of the call of `Rsa::verify`.
    pub(super) verify: usize,
    /// Whether the response is the printed text, and not the returned value.
    pub(super) is_printing: bool,
}

/// A function that is being converted.
#[derive(Clone, Debug, Default)]
pub(super) struct Frame {
    pub(super) uses: Rc<Uses>,
    pub(super) vars: Vars,
    pub(super) blocks: Vec<usize>,
    pub(super) loops: usize,
    /// Declarations to insert before the current statement of a block.
    pub(super) hoisted: Vec<(usize, Code)>,
    pub(super) flows: Vec<Flow>,
    /// The name that the response of an error is bound to, by the error's variable.
    pub(super) answers: HashMap<String, Code>,
    /// The class of a method, as its number.
    pub(super) class: Option<usize>,
    /// The class that declares the method, in lower case.
    pub(super) declared_in: String,
    /// The object of a method: `self`, or `this` in a constructor; empty where there is none.
    pub(super) receiver: &'static str,
    /// Whether properties are cloned when they are read.
    pub(super) detached: bool,
    /// Whether the method returns its object.
    pub(super) fluent: bool,
    /// Whether the method changes its object.
    pub(super) mutates: bool,
    pub(super) handler: Option<Rc<Handler>>,
    /// The source of its results, if PHP declares no type for them.
    pub(super) source: Option<Rc<str>>,
}

impl Frame {
    pub(super) fn story(&self, name: &str) -> Option<&Story> {
        let mut story = self.uses.get(name)?;
        while let Some(inner) = self.blocks.get(story.common).and_then(|block| story.groups.get(block)) {
            story = inner;
        }
        Some(story)
    }

    pub(super) fn is_used(&self, name: &str) -> bool {
        self.story(name).is_some()
    }

    pub(super) fn is_chained(&self, name: &str) -> bool {
        self.story(name).is_some_and(|story| story.chained)
    }

    pub(super) fn assigned(&self, name: &str) -> usize {
        self.story(name).map_or(0, |story| story.assigned)
    }

    /// The innermost block that contains all uses of a variable, as its depth among the open
    /// blocks.
    pub(super) fn block_depth(&self, name: &str) -> usize {
        self.story(name).map_or(self.blocks.len(), |story| story.common).clamp(1, self.blocks.len().max(1))
    }

    /// Whether a variable is used after this position, or in the next iteration of a loop.
    pub(super) fn used_after(&self, name: &str, at: usize) -> bool {
        // A property outlives the method.
        if super::lower::property(name).is_some() || name == "this" {
            return true;
        }
        let again = self.vars.get(name).is_some_and(|var| var.loops < self.loops);
        again || self.story(name).is_some_and(|story| story.last > at)
    }

    pub(super) fn is_maybe_unset(&self, name: &str) -> bool {
        self.uses.get(name).is_some_and(|story| story.maybe_unset)
    }

    pub(super) fn is_counter(&self, name: &str) -> bool {
        self.uses.get(name).is_some_and(|story| story.counter)
    }

    /// Whether a variable is assigned or changed anywhere in the function.
    pub(super) fn is_modified(&self, name: &str) -> bool {
        self.uses.get(name).is_some_and(|story| story.uses.iter().any(|one| one.act != Act::Read))
    }

    /// Whether the variable of a loop, which is at these positions, has no use outside of the loop
    /// that could read what the loop leaves in it.
    pub(super) fn is_local_to(&self, name: &str, (start, end): (usize, usize)) -> bool {
        if super::lower::property(name).is_some() {
            return false;
        }
        let Some(story) = self.uses.get(name) else { return true };
        let after = story.uses.iter().find(|one| one.at >= end);
        let sets = |act: Act| matches!(act, Act::Assign | Act::Bind);
        let before = story.uses.iter().any(|one| one.at < start && !sets(one.act));
        after.is_none_or(|one| sets(one.act)) && !(self.loops > 0 && before) && !story.maybe_unset
    }

    pub(super) fn is_straight(&self, name: &str) -> bool {
        self.story(name).is_none_or(|story| story.straight)
    }

    pub(super) fn is_changed_after(&self, name: &str, at: usize) -> bool {
        self.story(name).is_some_and(|story| story.last_change > at)
    }
}
