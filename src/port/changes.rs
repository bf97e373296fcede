//! The variables that a piece of PHP assigns, may change and reads, for `--calls`.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::flow::{Flows, is_function};
use super::known::{has_static_by_value, is_by_value};
use super::scope::changes_argument;
use super::syntax::{arguments, children, field, root_of, variable};

impl Flows<'_> {
    /// The variables that a piece of PHP assigns or may change.
    pub(super) fn definitions(&self, node: Node<'_>) -> BTreeSet<String> {
        let mut out = BTreeSet::new();
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            let mut targets = Vec::new();
            match node.kind() {
                "assignment_expression" | "augmented_assignment_expression" => targets.extend(field(node, "left")),
                "update_expression" => targets.extend(field(node, "argument")),
                "unset_statement" => targets.extend(children(node)),
                "foreach_statement" => {
                    let body = field(node, "body");
                    targets.extend(children(node).into_iter().skip(1).filter(|part| Some(*part) != body));
                }
                "catch_clause" => targets.extend(field(node, "name")),
                "function_call_expression"
                | "member_call_expression"
                | "nullsafe_member_call_expression"
                | "scoped_call_expression"
                | "object_creation_expression" => targets.extend(self.changed_arguments(node)),
                _ => {}
            }
            while let Some(target) = targets.pop() {
                match target.kind() {
                    "list_literal" | "pair" | "array_creation_expression" | "array_element_initializer" => {
                        targets.extend(children(target));
                    }
                    _ => out.extend(variable(root_of(target), self.php).map(str::to_owned)),
                }
            }
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
        match node.kind() {
            "by_ref" | "reference_assignment_expression" | "global_declaration" | "static_variable_declaration" => {
                out.extend(self.reads(node));
            }
            _ => {}
        }
        for child in children(node) {
            self.shared(child, out);
        }
    }

    /// The arguments that a call may change: a function that is not known may take references.
    fn changed_arguments<'t>(&self, call: Node<'t>) -> Vec<Node<'t>> {
        let given = field(call, "arguments")
            .or_else(|| children(call).into_iter().find(|child| child.kind() == "arguments"))
            .map(children)
            .unwrap_or_default();
        let given: Vec<Node<'t>> = given.iter().filter_map(|one| children(*one).last().copied()).collect();
        let is_own = self.own_method(call).is_some_and(|name| self.by_value.contains(&name));
        if self.sdk_use(call).is_some() || is_own {
            return Vec::new();
        }
        match call.kind() {
            "function_call_expression" => {
                let name = self.called(call);
                if changes_argument(&name) {
                    return given.into_iter().take(1).collect();
                }
                if is_by_value(&name) {
                    return Vec::new();
                }
            }
            "scoped_call_expression" => {
                let class = field(call, "scope").map(|scope| self.text(scope).to_lowercase()).unwrap_or_default();
                let class = class.rsplit('\\').next().unwrap_or_default();
                if has_static_by_value(class) || self.is_sdk_class(call) {
                    return Vec::new();
                }
            }
            "object_creation_expression" => {
                let class = children(call).first().map(|class| self.text(*class).to_lowercase()).unwrap_or_default();
                if class.ends_with("exception") {
                    return Vec::new();
                }
            }
            _ => {}
        }
        let place = |node: &Node<'_>| matches!(node.kind(), "variable_name" | "subscript_expression");
        given.into_iter().filter(place).collect()
    }

    /// The variables that a piece of PHP reads, with those of functions inside of it.
    pub(super) fn reads(&self, node: Node<'_>) -> BTreeSet<String> {
        let mut out = BTreeSet::new();
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            match node.kind() {
                "variable_name" => out.extend(variable(node, self.php).map(str::to_owned)),
                "function_call_expression" if self.called(node) == "compact" => {
                    let names = arguments(node).unwrap_or_default();
                    out.extend(names.iter().map(|name| self.text(*name).trim_matches(['\'', '"']).to_owned()));
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
