//! What the generated code does when it runs: calls, requests, assignments and increments.
//!
//! Each piece of PHP that acts is recorded when it is converted, and marks the code that it
//! becomes. At the end of a statement, its code must contain each of these marks once, in the order
//! in which PHP runs them. A statement whose code drops, repeats or reorders one is listed, so that
//! no conversion has to prove that it does none of this.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use tree_sitter::Node;

use super::Porter;
use super::code::{Act, Code, code};
use super::imports::VALUE;
use super::syntax::field;
use super::value::{Bond, Expr, Form, Type};

pub(super) const ORDER: &str =
    "PHP runs what this statement calls in another order, or not as often: give each result a variable";

impl<'t> Porter<'t> {
    /// Records that a piece acts when it runs, and marks its code.
    pub(super) fn acting(&mut self, node: Node<'t>, e: Expr) -> Expr {
        if e.code.is_empty() {
            return e;
        }
        let act = (node.end_byte(), Reverse(node.start_byte()));
        self.state.acts.push(act);
        Expr { code: e.code.acting(act), ..e }
    }

    /// The code of a statement, if it does what was recorded since `acts` was empty. `new` is the
    /// variable that it declares.
    pub(super) fn settled(&mut self, node: Node<'t>, code: Code, new: Option<&str>) -> Code {
        let made: BTreeSet<Act> = std::mem::take(&mut self.state.acts).into_iter().collect();
        if self.is_in_order(&made, &code) {
            return code.settled();
        }
        let jumps = code.jumps();
        let listed = self.note_left(node, ORDER);
        if let Some(var) = new.and_then(|name| self.frame().vars.get(name).cloned()) {
            let ty = if var.form == Form::Ref { var.ty.parameter() } else { var.ty.name() };
            return code!("let mut {}: {ty} = {listed};", var.rust).running();
        }
        if jumps { listed.jump().statement() } else { listed.statement() }
    }

    fn is_in_order(&self, made: &BTreeSet<Act>, code: &Code) -> bool {
        let written = || code.acts().iter().filter(|act| made.contains(act));
        if made.iter().eq(written()) {
            return true;
        }
        let is_listed = |(end, Reverse(start)): &Act| {
            self.state.left.iter().any(|left| left.span.0 <= *start && *end <= left.span.1)
        };
        made.iter().filter(|act| !is_listed(act)).eq(written().filter(|act| !is_listed(act)))
    }

    /// A truth value that follows from the types of the operands. What they do when they run is
    /// kept.
    pub(super) fn constant_of(&mut self, operands: &[&Expr], value: bool) -> Expr {
        let is_uncertain = |e: &&&Expr| e.source.as_ref().is_some_and(|source| self.found.uncertain.contains(source));
        if let (Some(_), Some(node)) = (operands.iter().find(is_uncertain), self.statement) {
            let why = "the variable gets a value that is not converted: test it when that value is known";
            return self.left_as(node, why, Type::Bool);
        }
        let mut before = Code::default();
        for e in operands.iter().filter(|e| !e.code.acts().is_empty() || e.code.fails()) {
            if matches!(e.ty, Type::Promise(_) | Type::Promises(_)) {
                if let Some(node) = self.statement {
                    self.note_left(node, "a promise does nothing here until it is waited for: add ->wait()");
                }
            }
            before.push(&code!("let _ = {}; ", e.code));
        }
        let value = Code::truth(value);
        if before.is_empty() {
            return Expr::new(value, Type::Bool);
        }
        Expr::new(code!("{{ {before}{value} }}"), Type::Bool).bond(Bond::Loose)
    }

    /// The result of a function that gives nothing back: null, unless it is not used.
    pub(super) fn or_nothing(&self, node: Node<'t>, e: Expr) -> Expr {
        if e.ty != Type::Unit || e.code.is_empty() || e.code.is_incomplete() || is_unused(node) {
            return e;
        }
        // The parentheses are needed because `json!` parses braces as an object.
        Expr::new(code!("({{ {}; {VALUE}::Null }})", e.code), Type::Value)
    }
}

/// Whether the value of an expression is not used, or is the result of its function.
pub(super) fn is_unused(node: Node<'_>) -> bool {
    let mut at = node;
    while let Some(parent) = at.parent() {
        match parent.kind() {
            "parenthesized_expression" | "error_suppression_expression" => at = parent,
            "expression_statement" | "return_statement" | "arrow_function" => return true,
            "for_statement" => return field(parent, "condition") != Some(at),
            // `$a && f();`
            "binary_expression" if field(parent, "right") == Some(at) => {
                let operator = field(parent, "operator").map(|operator| operator.kind().to_ascii_lowercase());
                let is_logical = matches!(operator.as_deref(), Some("&&" | "and" | "||" | "or"));
                return is_logical && parent.parent().is_some_and(|above| above.kind() == "expression_statement");
            }
            _ => return false,
        }
    }
    true
}
