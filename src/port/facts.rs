//! What is known of the classes and stubs of a file. Each translation of the file uses what the one
//! before found, until nothing new is found.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
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
    /// The places and stubs whose values are tested for null.
    pub(super) tested: BTreeSet<Rc<str>>,
    /// The parameters that are declared as `array` and may get another value.
    pub(super) checked: BTreeSet<Rc<str>>,
    /// The properties of objects that begin with false, which is not null.
    pub(super) falsy: BTreeSet<Rc<str>>,
    /// The variables and properties that get a value which is not converted, so that their types
    /// are not certain.
    pub(super) uncertain: BTreeSet<Rc<str>>,
    /// Pairs of places and stubs of which one gets the values of the other.
    pub(super) links: BTreeSet<(Rc<str>, Rc<str>)>,
}

impl Facts {
    /// Whether a class has a method that changes its object.
    pub(super) fn is_mutable(&self, class: &Rc<str>) -> bool {
        let first = self.mutating.range((Rc::clone(class), String::new())..).next();
        first.is_some_and(|(found, _)| found == class)
    }

    /// The places and stubs whose objects may be null: a test for null and a stub or an undeclared
    /// parameter are linked to them.
    pub(super) fn nullable(&self) -> HashSet<Rc<str>> {
        let mut near: HashMap<&Rc<str>, Vec<&Rc<str>>> = HashMap::new();
        for (one, other) in &self.links {
            near.entry(one).or_default().push(other);
            near.entry(other).or_default().push(one);
        }
        let (mut seen, mut nullable) = (HashSet::new(), HashSet::new());
        for tested in &self.tested {
            let (mut linked, mut stack) = (Vec::new(), vec![tested]);
            while let Some(place) = stack.pop() {
                if seen.insert(place) {
                    linked.push(place);
                    stack.extend(near.get(place).into_iter().flatten());
                }
            }
            let open = |place: &&Rc<str>| self.stubs.contains_key(&***place) || place.starts_with("parameter ");
            if linked.iter().any(open) {
                nullable.extend(linked.into_iter().cloned());
            }
        }
        nullable
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
