//! Elements of objects whose class is in another file: PHP calls the methods of `ArrayAccess`,
//! which become stubs.

use std::rc::Rc;

use tree_sitter::Node;

use super::Porter;
use super::acts::ORDER;
use super::code::{Code, code};
use super::facts::Kind;
use super::imports::VALUE;
use super::syntax::{bare, children, field};
use super::value::{Expr, Type};
use super::yours::Use;

/// An element of an object.
pub(super) struct Element {
    owner: Rc<str>,
    object: Expr,
    key: Expr,
}

impl<'t> Porter<'t> {
    /// `$object[$key]`, read.
    pub(super) fn offset(&mut self, node: Node<'t>, owner: &Rc<str>, of: &Expr, key: &Expr) -> Expr {
        let element = Element { owner: Rc::clone(owner), object: of.clone(), key: key.clone() };
        match self.only_asks(node) {
            true => self.offset_or_null(node, &element),
            false => self.offset_get(node, &element),
        }
    }

    /// A call of a method of `ArrayAccess`. Only a node that is the element itself acts here.
    fn offset_call(
        &mut self,
        node: Node<'t>,
        element: &Element,
        call: (&str, Option<Type>),
        value: Option<Expr>,
    ) -> Expr {
        if element.key.ty.is_object() || matches!(element.key.ty, Type::Unit) {
            return self.left(node, "a key of this type is not carried over");
        }
        let (name, ty) = call;
        let shown = field(node, "left").unwrap_or(node);
        let php = format!("{}, for which PHP calls {name}()", super::text::short(self.text(shown), 40));
        let (owner, object) = (Some(Rc::clone(&element.owner)), element.object.tight());
        let used = Use { kind: Kind::Method, owner, object, name, php };
        let given = std::iter::once(element.key.clone()).chain(value).collect();
        self.stub_returning(node, &used, given, ty)
    }

    fn offset_get(&mut self, node: Node<'t>, element: &Element) -> Expr {
        self.offset_call(node, element, ("offsetGet", None), None)
    }

    /// Whether there is an element: PHP asks only `offsetExists` for `isset`.
    fn offset_exists(&mut self, node: Node<'t>, element: &Element) -> Expr {
        self.offset_call(node, element, ("offsetExists", Some(Type::Bool)), None)
    }

    /// An element of which it is only asked whether it has a value: null if there is none.
    fn offset_or_null(&mut self, node: Node<'t>, element: &Element) -> Expr {
        // The object and the key are evaluated for both methods.
        if !(element.object.code.acts().is_empty() && element.key.code.acts().is_empty()) {
            return self.left(node, ORDER);
        }
        let exists = self.offset_exists(node, element);
        let value = self.offset_get(node, element);
        self.tested(&value);
        let none = match &value.ty {
            Type::Option(_) => Code::from("None"),
            ty if ty.is_object() => {
                return self.left(node, "an object that may be missing: its type is not known yet");
            }
            _ => code!("{VALUE}::Null"),
        };
        let given = match value.ty {
            Type::Option(_) => value.owned(),
            _ => self.value(&value),
        };
        let ty = if value.ty.is_object() { value.ty } else { Type::Value };
        // The whole is one act of PHP.
        let code = code!("(if {} {{ {given} }} else {{ {none} }})", exists.code.settled());
        Expr::new(code, ty).source(value.source)
    }

    /// `isset($object[$key])`
    pub(super) fn isset_offset(&mut self, node: Node<'t>) -> Option<Expr> {
        let node = bare(node);
        let element = self.element_of(node)?;
        Some(self.offset_exists(node, &element))
    }

    /// The object and the key of an element, if its class is in another file.
    fn element_of(&mut self, node: Node<'t>) -> Option<Element> {
        let (of, key) = match (node.kind(), children(node).as_slice()) {
            ("subscript_expression", [of]) => (*of, None),
            ("subscript_expression", [of, key]) => (*of, Some(*key)),
            _ => return None,
        };
        let ty = self.dry_run(|porter| porter.expression(of).ty);
        let Type::Foreign(owner) = ty else { return None };
        let object = self.given_value(of);
        // PHP gives null to `offsetSet` for an element without a key.
        let key = key.map_or_else(|| Expr::new(code!("{VALUE}::Null"), Type::Null), |key| self.given_value(key));
        Some(Element { owner, object, key })
    }

    /// `$object[$key] = value`
    pub(super) fn assigned_offset(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>) -> Option<Code> {
        let element = self.element_of(left)?;
        let value = self.or_null(right);
        Some(self.offset_set(node, &element, value).code.statement())
    }

    fn offset_set(&mut self, node: Node<'t>, element: &Element, value: Expr) -> Expr {
        let set = self.offset_call(node, element, ("offsetSet", Some(Type::Unit)), Some(value));
        self.acting(node, set)
    }

    /// `$object[$key] .= value` and the like. PHP evaluates the value before it reads the element.
    pub(super) fn changed_offset(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>) -> Option<Code> {
        let operator = field(node, "operator").map(|operator| self.text(operator).trim_end_matches('='))?;
        let element = self.element_of(left)?;
        if !(element.object.code.acts().is_empty() && element.key.code.acts().is_empty()) {
            return Some(self.note_left(node, ORDER).statement());
        }
        if operator == "??" {
            let before = self.offset_or_null(node, &element);
            let value = self.or_null(right);
            let set = self.offset_set(node, &element, value);
            let is_none = match before.ty {
                Type::Value => code!("{}.is_null()", before.tight()),
                Type::Option(_) => code!("{}.is_none()", before.tight()),
                _ => return Some(before.code.statement()),
            };
            return Some(code!("if {is_none} {{\n    {};\n}}", set.code).running());
        }
        let value = self.given_value(right);
        let mut first = Code::default();
        let value = if value.code.acts().is_empty() { value } else { self.first(value, &mut first) };
        let before = self.offset_get(node, &element);
        if before.ty.is_object() || value.ty.is_object() {
            return Some(self.note_left(node, "an object is not an operand").statement());
        }
        let after = match operator {
            "." => self.joined(vec![before, value]),
            "+" | "-" | "*" | "/" | "%" | "**" => self.calculated(node, &before, &value, operator),
            _ => {
                let why = format!("the operator {operator}= has no counterpart here");
                return Some(self.note_left(node, &why).statement());
            }
        };
        let set = self.offset_set(node, &element, after);
        Some(Code::lines(vec![first, set.code.statement()]))
    }

    /// `unset($object[$key])`
    pub(super) fn unset_offset(&mut self, node: Node<'t>) -> Option<Code> {
        let element = self.element_of(node)?;
        Some(self.offset_call(node, &element, ("offsetUnset", Some(Type::Unit)), None).code.statement())
    }

    /// Whether it is only asked whether a place, or a part of it, has a value.
    fn only_asks(&self, node: Node<'t>) -> bool {
        let mut at = node;
        while let Some(parent) = at.parent() {
            match parent.kind() {
                "binary_expression" => {
                    let coalesces = field(parent, "operator").is_some_and(|operator| operator.kind() == "??");
                    return coalesces && field(parent, "left") == Some(at);
                }
                "augmented_assignment_expression" => {
                    let coalesces = field(parent, "operator").is_some_and(|operator| operator.kind() == "??=");
                    return coalesces && field(parent, "left") == Some(at);
                }
                "function_call_expression" => {
                    let name = field(parent, "function").map(|name| self.text(name).to_ascii_lowercase());
                    return matches!(name.as_deref(), Some("isset" | "empty"));
                }
                "argument" | "arguments" => {}
                _ if parent.kind().ends_with("call_expression") || children(parent).first() != Some(&at) => {
                    return false;
                }
                _ => {}
            }
            at = parent;
        }
        false
    }
}
