//! The next key of an array. After `unset`, PHP counts on from the highest key that the array ever
//! had, also in copies of the array. A JSON array does not record that key, so elements with
//! numbers as keys are removed only where nothing is appended to an array of unknown origin.

use std::collections::{HashMap, HashSet};

use tree_sitter::Node;

use super::syntax::{bare, called, children, field, text, variable};

/// A variable, by the number of its function. Properties of `$this` have the number 0.
type Name<'a> = (usize, &'a str);

/// The variables of a file.
#[derive(Default)]
struct Origins<'a> {
    /// Arrays to which elements are appended, with their depths in the variables.
    appended: HashSet<(Name<'a>, usize)>,
    /// The depths at which variables contain values from elsewhere, such as parameters and copies
    /// of other arrays. The least depth counts.
    foreign: HashMap<Name<'a>, usize>,
    /// The properties that parameters of constructors declare.
    promoted: HashSet<&'a str>,
    /// Whether it appends to an array that is not in a variable.
    unknown: bool,
}

/// Whether elements are appended to an array that is not certainly created in the same function.
pub(super) fn appends_to_old(root: Node<'_>, php: &str) -> bool {
    let mut origins = Origins::default();
    let mut stack = vec![(root, 0)];
    let mut functions = 0;
    while let Some((node, mut number)) = stack.pop() {
        if matches!(node.kind(), "function_definition" | "method_declaration" | "anonymous_function" | "arrow_function")
        {
            functions += 1;
            number = functions;
        }
        stack.extend(children(node).into_iter().map(|child| (child, number)));
        match node.kind() {
            "subscript_expression" => {
                if let [of] = children(node).as_slice() {
                    origins.append(Some(*of), number, php);
                }
            }
            "function_call_expression" if called(node, php) == "array_push" => {
                origins.append(pushed(node), number, php);
            }
            "assignment_expression" => {
                let (Some(left), Some(right)) = (field(node, "left"), field(node, "right")) else { continue };
                match place(left, php) {
                    Some(_) if is_closed(right) => {}
                    // The array is new, but not its elements.
                    Some((name, depth)) => {
                        let depth = depth + usize::from(is_list_literal(right));
                        origins.get(named(name, number), depth);
                    }
                    None => origins.get_all(left, number, php),
                }
            }
            "augmented_assignment_expression" => {
                let operator = field(node, "operator").map(|operator| text(operator, php));
                if let (Some("+=" | "??="), Some(left)) = (operator, field(node, "left")) {
                    origins.get_all(left, number, php);
                }
            }
            "foreach_statement" => {
                let body = field(node, "body");
                for part in children(node).into_iter().skip(1).filter(|part| Some(*part) != body) {
                    origins.get_all(part, number, php);
                }
            }
            "property_promotion_parameter" => {
                origins.promoted.extend(field(node, "name").and_then(|name| variable(name, php)));
            }
            "reference_assignment_expression"
            | "formal_parameters"
            | "anonymous_function_use_clause"
            | "global_declaration"
            | "function_static_declaration" => origins.get_all(node, number, php),
            _ => {}
        }
    }
    origins.appends_to_foreign()
}

fn named(name: &str, number: usize) -> Name<'_> {
    (if super::lower::property(name).is_some() { 0 } else { number }, name)
}

impl<'a> Origins<'a> {
    fn append(&mut self, list: Option<Node<'_>>, number: usize, php: &'a str) {
        match list.and_then(|list| place(list, php)) {
            Some((name, depth)) => _ = self.appended.insert((named(name, number), depth)),
            None => self.unknown = true,
        }
    }

    /// Records a value from elsewhere.
    fn get(&mut self, name: Name<'a>, depth: usize) {
        let least = self.foreign.entry(name).or_insert(depth);
        *least = depth.min(*least);
    }

    /// Records all variables in a piece of code as values from elsewhere.
    fn get_all(&mut self, node: Node<'_>, number: usize, php: &'a str) {
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            if let Some(name) = variable(node, php) {
                self.get(named(name, number), 0);
            }
            stack.extend(children(node));
        }
    }

    fn appends_to_foreign(&self) -> bool {
        let is_foreign = |(name, depth): &(Name<'a>, usize)| {
            let promoted = super::lower::property(name.1).is_some_and(|property| self.promoted.contains(property));
            promoted || self.foreign.get(name).is_some_and(|foreign| foreign <= depth)
        };
        self.unknown || self.appended.iter().any(is_foreign)
    }
}

/// The variable of a place, and the number of keys behind it.
fn place<'a>(place: Node<'_>, php: &'a str) -> Option<(&'a str, usize)> {
    let (mut root, mut depth) = (place, 0);
    while root.kind() == "subscript_expression" {
        root = *children(root).first()?;
        depth += 1;
    }
    variable(root, php).map(|name| (name, depth))
}

/// Whether a value is an array with listed elements.
fn is_list_literal(node: Node<'_>) -> bool {
    let node = bare(node);
    let spread = |element: &Node<'_>| children(*element).first().is_some_and(|one| one.kind() == "variadic_unpacking");
    node.kind() == "array_creation_expression" && !children(node).iter().any(spread)
}

/// Whether a value contains no array or object of another place.
pub(super) fn is_closed(node: Node<'_>) -> bool {
    let mut stack = vec![bare(node)];
    while let Some(node) = stack.pop() {
        match node.kind() {
            "variable_name"
            | "subscript_expression"
            | "function_call_expression"
            | "member_call_expression"
            | "nullsafe_member_call_expression"
            | "scoped_call_expression"
            | "member_access_expression"
            | "nullsafe_member_access_expression"
            | "scoped_property_access_expression"
            | "class_constant_access_expression"
            | "object_creation_expression"
            | "cast_expression"
            | "name" => return false,
            // A text.
            "encapsed_string" | "heredoc" => {}
            _ => stack.extend(children(node)),
        }
    }
    true
}

/// The array to which `array_push` appends.
pub(super) fn pushed(call: Node<'_>) -> Option<Node<'_>> {
    children(field(call, "arguments")?).first().and_then(|argument| children(*argument).first().copied())
}
