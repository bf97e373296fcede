//! Values that are certainly arrays. Where PHP requires an array, other values are checked.

use tree_sitter::Node;

use super::Porter;
use super::code::code;
use super::imports::PHP;
use super::members::Property;
use super::scope::Act;
use super::syntax::{bare, called, children, field, variable};
use super::value::{Expr, Type};

/// Functions of PHP that return only arrays, for all arguments that they accept.
const ARRAYS: [&str; 14] = [
    "array_merge",
    "array_keys",
    "array_values",
    "array_filter",
    "array_map",
    "array_unique",
    "array_reverse",
    "array_flip",
    "array_column",
    "array_slice",
    "array_chunk",
    "array_replace",
    "compact",
    "explode",
];

/// How deep variables are followed to their values.
const MAX_DEPTH: usize = 8;

impl<'t> Porter<'t> {
    /// Whether a declaration is `array`, without null.
    pub(super) fn is_array_type(&self, ty: Node<'t>) -> bool {
        self.text(ty).trim().eq_ignore_ascii_case("array")
    }

    /// Whether the value of an expression is certainly an array.
    pub(super) fn is_array(&mut self, node: Node<'t>) -> bool {
        self.is_array_within(node, MAX_DEPTH)
    }

    fn is_array_within(&mut self, node: Node<'t>, depth: usize) -> bool {
        let node = bare(node);
        let Some(depth) = depth.checked_sub(1) else { return false };
        let both = |porter: &mut Self, one: Option<Node<'t>>, other: Option<Node<'t>>| {
            one.is_some_and(|one| porter.is_array_within(one, depth))
                && other.is_some_and(|other| porter.is_array_within(other, depth))
        };
        match node.kind() {
            "array_creation_expression" => true,
            "cast_expression" => {
                field(node, "type").is_some_and(|ty| self.text(ty).trim().eq_ignore_ascii_case("array"))
            }
            "function_call_expression" => {
                let name = called(node, self.php);
                ARRAYS.contains(&name.as_str()) || self.returns_array(&name, node)
            }
            "member_call_expression" | "scoped_call_expression" => {
                let name = field(node, "name").map(|name| self.text(name).to_lowercase()).unwrap_or_default();
                let of = field(node, "object").or_else(|| field(node, "scope")).map(|of| self.text(of));
                matches!(of, Some("$this" | "self" | "static" | "parent")) && self.method_returns_array(&name)
            }
            "conditional_expression" => both(self, field(node, "body"), field(node, "alternative")),
            "binary_expression" => {
                let operator = field(node, "operator").map(|operator| self.text(operator));
                operator == Some("+") && both(self, field(node, "left"), field(node, "right"))
            }
            "variable_name" => self.is_array_variable(node, depth),
            _ => false,
        }
    }

    fn is_array_variable(&mut self, node: Node<'t>, depth: usize) -> bool {
        let Some(name) = variable(node, self.php) else { return false };
        if let Some(property) = super::lower::property(name) {
            let class = self.this_class();
            let property = class.and_then(|class| class.properties.iter().find(|one| one.name == property).cloned());
            return property.and_then(|property| property.declared).is_some_and(|ty| self.is_array_type(ty));
        }
        let function = function_around(node);
        let parameter = field(function, "parameters")
            .map(children)
            .unwrap_or_default()
            .into_iter()
            .find(|one| field(*one, "name").and_then(|found| variable(found, self.php)) == Some(name));
        let begins = parameter.is_some_and(|one| {
            let is_null =
                field(one, "default_value").is_some_and(|value| self.text(value).eq_ignore_ascii_case("null"));
            !is_null && field(one, "type").is_some_and(|ty| self.is_array_type(ty))
        });
        if parameter.is_some() && !begins {
            return false;
        }
        let body = field(function, "body").unwrap_or(function);
        let uses = self.uses_of(body, &[]);
        let Some(story) = uses.get(name) else { return begins };
        if story.uses.iter().any(|one| matches!(one.act, Act::Inner | Act::Bind)) || story.maybe_unset && !begins {
            return false;
        }
        // Each assignment of the whole variable, and changes that keep an array an array.
        let (mut stack, mut values) = (vec![body], Vec::new());
        while let Some(one) = stack.pop() {
            let target = field(one, "left").and_then(|left| variable(left, self.php));
            match one.kind() {
                "assignment_expression" if target == Some(name) => values.extend(field(one, "right")),
                "augmented_assignment_expression" if target == Some(name) => return false,
                "by_ref" | "reference_assignment_expression" => return false,
                _ => {}
            }
            stack.extend(children(one));
        }
        (begins || !values.is_empty()) && values.into_iter().all(|value| self.is_array_within(value, depth))
    }

    fn returns_array(&self, name: &str, call: Node<'t>) -> bool {
        let mut root = call;
        while let Some(parent) = root.parent() {
            root = parent;
        }
        let declared = children(root).into_iter().find(|node| {
            node.kind() == "function_definition"
                && field(*node, "name").is_some_and(|found| self.text(found).eq_ignore_ascii_case(name))
        });
        declared.and_then(|node| field(node, "return_type")).is_some_and(|ty| self.is_array_type(ty))
    }

    fn method_returns_array(&mut self, name: &str) -> bool {
        let method = self.this_class().and_then(|class| class.method(name).cloned());
        method.and_then(|method| field(method.node, "return_type")).is_some_and(|ty| self.is_array_type(ty))
    }

    fn checked_array(&mut self, e: Expr) -> Expr {
        if e.ty.is_object() || e.ty == Type::Unit {
            return e;
        }
        let value = self.value(&e);
        let end = self.try_any();
        Expr::new(code!("{PHP}::array_value({value}){end}"), Type::Value).source(e.source)
    }

    /// The value of a property that may be declared as `array`.
    pub(super) fn for_array(&mut self, property: &Property<'t>, e: Expr, value: Option<Node<'t>>) -> Expr {
        let is_array = property.declared.is_some_and(|ty| self.is_array_type(ty));
        if !is_array || value.is_some_and(|value| self.is_array(value)) { e } else { self.checked_array(e) }
    }

    /// Likewise, of the object of the method.
    pub(super) fn for_array_property(&mut self, name: &str, e: Expr, value: Option<Node<'t>>) -> Expr {
        let class = self.this_class();
        let property = class.and_then(|class| class.properties.iter().find(|one| one.name == name).cloned());
        match property {
            Some(property) => self.for_array(&property, e, value),
            None => e,
        }
    }

    /// The result of a function that may be declared as `array`.
    pub(super) fn for_array_result(&mut self, e: Expr, value: Node<'t>) -> Expr {
        let declared = field(function_around(value), "return_type");
        let is_array = declared.is_some_and(|ty| self.is_array_type(ty));
        if !is_array || self.is_array(value) { e } else { self.checked_array(e) }
    }
}

/// The function around a node, or the file.
pub(super) fn function_around(node: Node<'_>) -> Node<'_> {
    let mut at = node;
    while let Some(parent) = at.parent() {
        at = parent;
        let kinds = ["anonymous_function", "arrow_function", "function_definition", "method_declaration"];
        if kinds.contains(&at.kind()) {
            break;
        }
    }
    at
}
