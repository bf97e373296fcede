//! What a piece of PHP may change, and the variables that it assigns and reads, for `--calls`.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::flow::{Flows, is_function};
use super::known::{self, Effect, has_static_by_value};
use super::routine::{Routine, class_of};
use super::scope::changes_argument;
use super::syntax::{arguments, called, children, field, root_of, variable};

impl<'a> Flows<'a> {
    /// Whether a piece may change the value of an expression that reads these variables. This is
    /// the only rule for values of other code: two evaluations have the same value if no such piece
    /// is between them. `shared` are the variables that others refer to.
    pub(super) fn may_change(&self, piece: Node<'_>, reads: &BTreeSet<String>, shared: &BTreeSet<String>) -> bool {
        let changes = |name: &String| reads.contains(name) || shared.contains(name);
        self.of(piece).effect || self.definitions(piece).iter().any(changes)
    }

    /// What a call of a function does.
    pub(super) fn function(&self, call: Node<'_>) -> Effect {
        let name = called(call, self.php);
        let given = given(call);
        let is_literal = |one: &Node<'_>| matches!(one.kind(), "anonymous_function" | "arrow_function");
        let is_plain = |one: &Node<'_>| matches!(one.kind(), "string" | "encapsed_string" | "binary_expression");
        match name.as_str() {
            _ if self.declares(&name) && self.is_pure_call(call) => Effect::Reads,
            _ if self.declares(&name) => Effect::Unknown,
            // The arguments after these are references.
            "str_replace" if given.len() > 3 => Effect::Unknown,
            "preg_replace" if given.len() > 4 => Effect::Unknown,
            "shuffle" | "array_multisort" => Effect::Unknown,
            "array_filter" if given.len() == 1 => Effect::Nothing,
            // A function that is given by its name is not known.
            name if known::is_calling(name) && !given.iter().any(is_literal) => Effect::Unknown,
            // With an array, or in ThinkPHP with two arguments, it changes the settings.
            "config" if given.len() != 1 || !given.iter().all(is_plain) => Effect::Unknown,
            name if changes_argument(name) => Effect::Argument,
            name if known::is_quiet(name) || known::is_calling(name) => Effect::Nothing,
            name if known::is_reading(name) => Effect::Reads,
            name if known::is_changing(name) => Effect::Differs,
            _ => Effect::Unknown,
        }
    }

    /// Whether a call calls a function or method of the file that only calculates.
    pub(super) fn is_pure_call(&self, call: Node<'_>) -> bool {
        // `static::name()` calls the method of another class if that extends this one.
        let is_static = field(call, "scope").is_some_and(|scope| self.text(scope) == "static");
        !is_static && self.routine(call).is_some_and(|routine| self.pure.contains(&routine))
    }

    /// Whether a call calls a function or method of the file that takes its arguments by value.
    pub(super) fn is_by_value_call(&self, call: Node<'_>) -> bool {
        self.routine(call).is_some_and(|routine| self.by_value.contains(&routine))
    }

    /// Whether the file declares a function of this name.
    pub(super) fn declares(&self, function: &str) -> bool {
        self.functions.contains(function.rsplit('\\').next().unwrap_or_default())
    }

    /// The function that a call calls, or the method of the same object.
    fn routine(&self, call: Node<'_>) -> Option<Routine> {
        if call.kind() == "function_call_expression" {
            return Some((0, called(call, self.php)));
        }
        let name = self.text(field(call, "name")?).to_lowercase();
        self.is_own_call(call).then(|| class_of(call).map(|class| (class.id(), name)))?
    }

    /// `$this->name()`, `self::name()` or `static::name()`.
    pub(super) fn is_own_call(&self, call: Node<'_>) -> bool {
        let of = field(call, "object").or_else(|| field(call, "scope")).map(|of| self.text(of));
        call.kind().ends_with("call_expression") && matches!(of, Some("$this" | "self" | "static"))
    }

    /// The PHP of `self::NAME`, if the class around it declares it as a scalar.
    pub(super) fn constant(&self, node: Node<'_>, name: &str) -> Option<&'a str> {
        let class = class_of(node).filter(|class| class.kind() != "trait_declaration")?;
        let members = children(field(class, "body")?).into_iter().filter(|one| one.kind() == "const_declaration");
        members.flat_map(children).find_map(|one| match children(one).as_slice() {
            [own, value] if one.kind() == "const_element" && self.text(*own) == name => {
                matches!(value.kind(), "string" | "integer" | "float" | "boolean").then(|| self.text(*value))
            }
            _ => None,
        })
    }

    /// The places that a node itself assigns or may change: variables, or other expressions.
    pub(super) fn targets<'t>(&self, node: Node<'t>) -> Vec<Node<'t>> {
        let mut targets = Vec::new();
        match node.kind() {
            "assignment_expression" | "augmented_assignment_expression" | "reference_assignment_expression" => {
                targets.extend(field(node, "left"));
            }
            "update_expression" => targets.extend(field(node, "argument")),
            "unset_statement" => targets.extend(children(node)),
            "foreach_statement" => {
                let body = field(node, "body");
                let parts: Vec<Node<'t>> = children(node).into_iter().filter(|part| Some(*part) != body).collect();
                let is_reference = |part: &Node<'_>| {
                    part.kind() == "by_ref" || part.kind() == "pair" && children(*part).iter().any(is_by_ref)
                };
                // Through a reference, the body changes the elements.
                let skipped = usize::from(!parts.iter().any(is_reference));
                targets.extend(parts.into_iter().skip(skipped));
            }
            "catch_clause" => targets.extend(field(node, "name")),
            "function_call_expression"
            | "member_call_expression"
            | "nullsafe_member_call_expression"
            | "scoped_call_expression"
            | "object_creation_expression" => targets.extend(self.changed_arguments(node)),
            _ => {}
        }
        let mut roots = Vec::new();
        while let Some(target) = targets.pop() {
            match target.kind() {
                "list_literal" | "pair" | "array_creation_expression" | "array_element_initializer" | "by_ref" => {
                    targets.extend(children(target));
                }
                _ => roots.push(root_of(target)),
            }
        }
        roots
    }

    /// The variables that a piece of PHP assigns or may change.
    pub(super) fn definitions(&self, node: Node<'_>) -> BTreeSet<String> {
        let mut out = BTreeSet::new();
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            out.extend(self.targets(node).into_iter().filter_map(|root| variable(root, self.php)).map(str::to_owned));
            if self.is_include(node) {
                out.extend(self.variables_around(node));
            }
            stack.extend(children(node).into_iter().filter(|child| !is_function(*child)));
        }
        out
    }

    /// The variables of the function around a node, or of the script.
    fn variables_around(&self, node: Node<'_>) -> BTreeSet<String> {
        let mut around = node;
        while let Some(parent) = around.parent().filter(|_| !is_function(around)) {
            around = parent;
        }
        let (mut out, mut stack) = (BTreeSet::new(), children(around));
        while let Some(node) = stack.pop() {
            out.extend(variable(node, self.php).map(str::to_owned));
            stack.extend(children(node).into_iter().filter(|child| !is_function(*child)));
        }
        out
    }

    /// The variables that `foreach` assigns.
    pub(super) fn definitions_of_loop(&self, node: Node<'_>) -> BTreeSet<String> {
        let body = field(node, "body");
        let bound = children(node).into_iter().skip(1).filter(|part| Some(*part) != body);
        bound.flat_map(|part| self.reads(part)).collect()
    }

    /// The variables that other variables or functions refer to, so that their values may change
    /// anywhere.
    pub(super) fn shared(&self, node: Node<'_>, out: &mut BTreeSet<String>) {
        let is_reference = field(node, "reference_modifier").is_some();
        match node.kind() {
            "by_ref" | "reference_assignment_expression" | "global_declaration" | "static_variable_declaration" => {
                out.extend(self.reads(node));
            }
            "simple_parameter" | "variadic_parameter" if is_reference => out.extend(self.reads(node)),
            "foreach_statement" => {
                // The last element stays a reference after the loop.
                let list = children(node).first().copied();
                let roots = self.targets(node);
                let name = list.map(root_of).filter(|root| roots.contains(root));
                out.extend(name.and_then(|root| variable(root, self.php)).map(str::to_owned));
            }
            _ => {}
        }
        for child in children(node) {
            self.shared(child, out);
        }
    }

    /// The arguments that a call may change: a function that is not known may take references.
    fn changed_arguments<'t>(&self, call: Node<'t>) -> Vec<Node<'t>> {
        if self.sdk_use(call).is_some() || self.is_by_value_call(call) {
            return Vec::new();
        }
        let class = |class: Option<Node<'_>>| class.map(|class| self.text(class).to_lowercase()).unwrap_or_default();
        let is_by_value = match call.kind() {
            "function_call_expression" => {
                let name = called(call, self.php);
                match self.function(call) {
                    Effect::Argument => return given(call).into_iter().take(1).collect(),
                    Effect::Unknown => known::is_by_value_of_framework(&name) && !self.declares(&name),
                    _ => true,
                }
            }
            "scoped_call_expression" => {
                let name = class(field(call, "scope"));
                has_static_by_value(name.rsplit('\\').next().unwrap_or_default()) || self.is_sdk_class(call)
            }
            "object_creation_expression" => class(children(call).first().copied()).ends_with("exception"),
            _ => false,
        };
        let place = |node: &Node<'_>| matches!(node.kind(), "variable_name" | "subscript_expression");
        given(call).into_iter().filter(|one| !is_by_value && place(one)).collect()
    }

    /// The variables that a piece of PHP reads, with those of functions inside of it.
    pub(super) fn reads(&self, node: Node<'_>) -> BTreeSet<String> {
        let mut out = BTreeSet::new();
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            match node.kind() {
                "variable_name" => out.extend(variable(node, self.php).map(str::to_owned)),
                "function_call_expression" if called(node, self.php) == "compact" => {
                    let names = arguments(node).unwrap_or_default();
                    out.extend(names.iter().map(|name| self.text(*name).trim_matches(['\'', '"']).to_owned()));
                }
                // A method may read all properties of its object.
                "member_call_expression" | "scoped_call_expression" if self.is_own_call(node) => {
                    out.extend(self.properties.iter().cloned());
                }
                // The target of a whole assignment is not read.
                "assignment_expression" => {
                    let left = field(node, "left").filter(|left| left.kind() == "variable_name");
                    stack.extend(children(node).into_iter().filter(|child| Some(*child) != left));
                    continue;
                }
                _ => {}
            }
            stack.extend(children(node));
        }
        out
    }
}

fn is_by_ref(node: &Node<'_>) -> bool {
    node.kind() == "by_ref"
}

/// The arguments of a call, without their names and `...`.
fn given(call: Node<'_>) -> Vec<Node<'_>> {
    let list = field(call, "arguments").or_else(|| children(call).into_iter().find(|one| one.kind() == "arguments"));
    let given = list.map(children).unwrap_or_default();
    let values = given.iter().filter_map(|one| children(*one).last().copied());
    values
        .map(|one| match one.kind() {
            "variadic_unpacking" => children(one).first().copied().unwrap_or(one),
            _ => one,
        })
        .collect()
}
