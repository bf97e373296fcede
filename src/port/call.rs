//! Converts calls of functions: those of the file, closures, PHP's own, and those of other files.

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, code};
use super::facts::Kind as stub;
use super::syntax::{arguments, field};
use super::value::{Expr, Form, Signature, Type};
use super::yours::Use;

impl<'t> Porter<'t> {
    /// A call of a function of the file, of a closure in a variable, or of a PHP function.
    pub(super) fn function_call(&mut self, node: Node<'t>) -> Expr {
        let Some(function) = field(node, "function") else {
            return self.left(node, "a call of an unknown form");
        };
        let Some(given) = arguments(node) else {
            return self.left(node, "named and unpacked arguments have no counterpart here");
        };
        if function.kind() == "variable_name" {
            let closure = self.expression(function);
            if let Type::Closure(signature) = &closure.ty {
                return self.own_call(node, &closure.code, signature, &given);
            }
            return self.left(node, "the called function is not known");
        }
        let name = self.text(function).trim_start_matches('\\').to_ascii_lowercase();
        let own = self.functions.get(name.rsplit('\\').next().unwrap_or_default()).cloned();
        if let Some((rust, signature)) = own {
            return self.own_call(node, &code!("{rust}"), &signature, &given);
        }
        match self.native(node, &name, &given) {
            Some(e) if super::known::only_returns(&name) => e,
            Some(e) => {
                let e = self.acting(node, e);
                if e.ty == Type::Unit && !e.code.is_incomplete() && !super::acts::is_unused(node) {
                    return self.left(node, "its result is not carried over: give it a statement of its own");
                }
                e
            }
            None if super::natives::of_environment(&name).is_some() => {
                let php = format!("{name}()");
                let used = Use { kind: stub::Function, owner: None, object: Code::default(), name: &name, php };
                let returns = super::natives::of_environment(&name);
                let given: Vec<Expr> = given.iter().map(|one| self.expression(*one)).collect();
                self.stub_returning(node, &used, given, returns)
            }
            None if !super::natives::is_native(&name) => {
                let written = self.text(function).rsplit('\\').next().unwrap_or_default();
                let php = format!("{written}()");
                let used = Use { kind: stub::Function, owner: None, object: Code::default(), name: written, php };
                self.stub(node, &used, &given)
            }
            None => self.left(node, &format!("{name}() has no counterpart here")),
        }
    }

    pub(super) fn own_call(&mut self, node: Node<'t>, rust: &Code, signature: &Signature, given: &[Node<'t>]) -> Expr {
        let mut arguments = Vec::new();
        let detach = std::mem::take(&mut self.detach);
        for (number, ty) in signature.parameters.iter().enumerate() {
            match given.get(number) {
                Some(argument) => {
                    let e = match ty {
                        Type::Option(_) => self.or_null(*argument),
                        _ => self.expression(*argument),
                    };
                    self.imply(&e, ty);
                    if let Some(origin) = signature.arrays.get(number).cloned().flatten() {
                        if self.learns() && !self.is_array(*argument) {
                            self.found.checked.insert(origin);
                        }
                    }
                    if self.is_read_on(*argument, &e) {
                        self.note_left(*argument, super::stream::READ);
                    }
                    if matches!(ty, Type::Option(_)) {
                        // The function may test it.
                        self.tested(&e);
                    }
                    let e = if matches!(ty, Type::Option(_)) { e } else { self.unwrapped(e, *argument) };
                    let name = super::syntax::variable(*argument, self.php).unwrap_or_default();
                    let e = if detach && super::lower::property(name).is_some() && !e.ty.is_copy() {
                        Expr { code: self.take(&e, *argument, argument.end_byte()), form: Form::Owned, ..e }
                    } else {
                        e
                    };
                    let e = if matches!(ty, Type::Media | Type::Options) {
                        Expr::new(self.take(&e, *argument, argument.end_byte()), e.ty)
                    } else {
                        e
                    };
                    let nullable = signature.nullable.get(number).cloned().flatten();
                    let e = match (nullable, self.coerced(&e, ty)) {
                        (Some(of), _) => self.nullable(&e, &of),
                        (None, Some(e)) => e,
                        (None, None) => e,
                    };
                    arguments.push(e);
                }
                None => break,
            }
        }
        let Some((arguments, before)) = self.apart(rust, arguments) else {
            return self.left_as(node, super::acts::ORDER, signature.returns.clone());
        };
        let mut passed = Vec::new();
        for (number, ty) in signature.parameters.iter().enumerate() {
            let code = match (arguments.get(number), given.get(number)) {
                (Some(e), Some(argument)) => match self.argument(e, ty) {
                    Some(code) if e.ty != Type::Unit => code,
                    _ => {
                        let left = self.left_as(*argument, "the function takes another type", ty.clone());
                        self.argument(&left, ty).unwrap_or(left.code)
                    }
                },
                _ => match signature.defaults.get(number).cloned().flatten() {
                    Some(default) => default,
                    None => return self.left(node, "an argument is missing"),
                },
            };
            passed.push(code);
        }
        if given.len() > signature.parameters.len() {
            return self.left(node, "there are more arguments than the function takes");
        }
        let end = self.try_any();
        let call = code!("{rust}({}){end}", Code::joined(&passed, ", "));
        let called = Expr::new(self.after(&before, call), signature.returns.clone());
        let called = self.acting(node, called.source(signature.source.clone()));
        // The code of a constructor has the type of its object.
        if node.kind() == "object_creation_expression" { called } else { self.or_nothing(node, called) }
    }
}
