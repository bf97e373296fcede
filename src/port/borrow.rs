//! Arguments that change an object which their call borrows: Rust evaluates them in statements
//! before the call.

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, code, indent};
use super::operator::undisturbed;
use super::scope::Act;
use super::value::{Expr, Form, Type};

impl<'t> Porter<'t> {
    /// The arguments of a call, and the statements that evaluate them. `receiver` is the object
    /// with the method, and says whether that changes it. `None` if PHP runs this in an order that
    /// these statements do not have.
    ///
    /// PHP reads the object first, but an object is a reference, so that it is the same one after
    /// the arguments, unless they assign the variable.
    pub(super) fn apart(&mut self, receiver: &Code, given: Vec<Expr>) -> Option<(Vec<Expr>, Code)> {
        let all: Vec<&Code> = std::iter::once(receiver).chain(given.iter().map(|e| &e.code)).collect();
        let disturbed =
            |(at, one): (usize, &&Code)| all.iter().enumerate().any(|(other, by)| other != at && by.disturbs(one));
        if !all.iter().enumerate().any(disturbed) {
            return Some((given, Code::default()));
        }
        if !receiver.acts().is_empty() || receiver.fails() || self.may_be_replaced(receiver) {
            return None;
        }
        let (mut before, mut passed) = (Vec::new(), Vec::new());
        for (number, e) in given.into_iter().enumerate() {
            let is_object = e.ty.is_object();
            if is_object && e.form != Form::Owned {
                // It is passed as a reference.
                if receiver.disturbs(&e.code) {
                    return None;
                }
                passed.push(e);
                continue;
            }
            if matches!(e.ty, Type::Closure(_) | Type::Unit) {
                return None;
            }
            let ty = match e.ty {
                Type::Body => Type::Text,
                Type::Null => Type::Value,
                ref ty => ty.clone(),
            };
            let name = Code::name(format!("argument_{number}"));
            let named = if ty == Type::Int { ": i64" } else { "" };
            let owned = if is_object { e.code.clone() } else { self.owned_as(&e, &ty)? };
            before.push(code!("let {name}{named} = {owned};"));
            passed.push(Expr { literal: None, inside: None, ..Expr { code: name, ty, form: Form::Place, ..e } });
        }
        Some((passed, Code::lines(before).running()))
    }

    /// A call with the statements before it, as an expression.
    pub(super) fn after(&self, before: &Code, call: Code) -> Code {
        if before.is_empty() {
            return call;
        }
        // The parentheses are needed because `json!` parses braces as an object.
        code!("({{\n{}\n    {}\n}})", indent(before), call.nested())
    }

    /// Whether a method other than the constructor assigns the property that a piece consists of.
    fn may_be_replaced(&mut self, piece: &Code) -> bool {
        let Some(class) = self.this_class() else { return false };
        let assigns = |porter: &Self, name: &str, body: Node<'t>| {
            let uses = porter.uses_of(body, &[]);
            uses.get(name).is_some_and(|story| {
                story.uses.iter().any(|one| matches!(one.act, Act::Assign | Act::Inner | Act::Bind))
            })
        };
        let properties: Vec<String> = class
            .properties
            .iter()
            .filter(|property| piece.uses(&Code::field("self", &property.rust)))
            .map(|property| format!("{}{}", super::lower::PREFIX, property.name))
            .collect();
        let methods: Vec<Node<'t>> =
            class.methods.iter().filter(|one| !one.name.ends_with("__construct")).map(|one| one.node).collect();
        methods.into_iter().any(|method| properties.iter().any(|name| assigns(self, name, method)))
    }

    /// Values of which none holds a reference to an object that a later one changes.
    pub(super) fn undisturbed_all(&self, given: Vec<Expr>) -> Vec<Expr> {
        let codes: Vec<Code> = given.iter().map(|e| e.code.clone()).collect();
        let alone = |(number, e): (usize, Expr)| {
            let next = codes.iter().skip(number + 1).find(|code| code.disturbs(&e.code));
            match next {
                Some(next) if e.ty == Type::Value || !e.ty.is_object() => {
                    undisturbed(e, &Expr::new(next.clone(), Type::Unit))
                }
                _ => e,
            }
        };
        given.into_iter().enumerate().map(alone).collect()
    }
}
