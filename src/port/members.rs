//! The members of classes.

use std::collections::HashSet;
use std::rc::Rc;

use tree_sitter::Node;

/// A class, with everything that it inherits from classes and traits of the file.
#[derive(Debug)]
pub(super) struct Class<'t> {
    /// Its name in Rust.
    pub(super) rust: Rc<str>,
    /// Its full name, as PHP writes it and in lower case.
    pub(super) full: String,
    pub(super) name: String,
    /// It is abstract, and other classes of the files extend it: no object is of this class alone.
    pub(super) is_abstract: bool,
    pub(super) node: Node<'t>,
    /// The names of its ancestors that are in the file, the nearest first.
    pub(super) ancestors: Vec<String>,
    /// An ancestor that is not in the file, as PHP writes it.
    pub(super) base: Option<Node<'t>>,
    pub(super) properties: Vec<Property<'t>>,
    pub(super) methods: Vec<Method<'t>>,
    pub(super) constants: Vec<Constant<'t>>,
    /// The properties that the constructor assigns before it uses the object in another way.
    pub(super) assigned: HashSet<String>,
    /// Members that are not carried over, and why.
    pub(super) unsupported: Vec<(Node<'t>, &'static str)>,
}

#[derive(Clone, Debug)]
pub(super) struct Property<'t> {
    pub(super) name: String,
    pub(super) rust: String,
    pub(super) declared: Option<Node<'t>>,
    pub(super) default: Option<Node<'t>>,
    pub(super) is_public: bool,
    pub(super) is_static: bool,
    pub(super) is_private: bool,
    /// A parameter of the constructor.
    pub(super) is_promoted: bool,
    /// The class that declares it, in lower case.
    pub(super) of: String,
    /// The declaration, which comments stand above.
    pub(super) node: Option<Node<'t>>,
}

#[derive(Clone, Debug)]
pub(super) struct Method<'t> {
    /// In lower case; with the name of its class if a class below it has one of the same name.
    pub(super) name: String,
    pub(super) rust: String,
    pub(super) node: Node<'t>,
    /// The class that declares it, in lower case.
    pub(super) of: String,
    pub(super) is_public: bool,
    pub(super) is_private: bool,
    pub(super) is_static: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Constant<'t> {
    pub(super) name: String,
    /// In lower case.
    pub(super) rust: String,
    pub(super) value: Node<'t>,
    pub(super) of: String,
    pub(super) is_public: bool,
}

impl<'t> Class<'t> {
    /// Gives members different names where those of PHP differ only in their case.
    pub(super) fn name_apart(&mut self) {
        let mut taken = HashSet::new();
        for property in &mut self.properties {
            while !taken.insert(property.rust.clone()) || property.rust == "parent" {
                property.rust.push('_');
            }
        }
        let mut taken: HashSet<String> = HashSet::new();
        for method in &mut self.methods {
            while !taken.insert(method.rust.clone()) {
                method.rust.push('_');
            }
        }
        for constant in &mut self.constants {
            while !taken.insert(constant.rust.to_uppercase()) {
                constant.rust.push('_');
            }
        }
    }

    /// The name of the function that a constant with code becomes.
    pub(super) fn function_of(&self, constant: &Constant<'t>) -> String {
        let mut name = constant.rust.clone();
        while self.methods.iter().any(|method| method.rust == name) {
            name.push('_');
        }
        name
    }

    pub(super) fn method(&self, name: &str) -> Option<&Method<'t>> {
        self.methods.iter().find(|method| method.name == name)
    }
}
