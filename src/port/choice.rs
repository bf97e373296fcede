//! Converts choices between values: `??`, `?:`, and `match`.

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, code};
use super::imports::{PHP, VALUE};
use super::syntax::{bare, children, field};
use super::value::{Bond, Expr, Form, Type};

impl<'t> Porter<'t> {
    /// `$a ?? $b`
    pub(super) fn coalesced(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>) -> Expr {
        if bare(right).kind() == "throw_expression" {
            return self.left(node, "an expression that throws: ask before with if");
        }
        let name = super::syntax::variable(left, self.php);
        if let Some(unset) = name.and_then(|name| self.unset_variable(name)) {
            if !unset {
                // An expression that has no value in PHP.
                return self.expression(right);
            }
        }
        let (a, b) = (self.asked(left), self.or_null(right));
        self.tested(&a);
        match (&a.ty, &b.ty) {
            (Type::Null, _) => b,
            (Type::Option(_), _) if self.is_falsy(&a) => {
                self.left(node, "false is not null: ask with if whether there is a value")
            }
            (Type::Option(_), Type::Null) => a,
            (Type::Option(of), _) if b.ty == **of || b.ty == a.ty => {
                let (Some(given), Some(other)) = (self.owned_as(&a, &a.ty), self.owned_as(&b, &b.ty)) else {
                    return self.left(node, "the two sides have types that do not go together");
                };
                let (value, ty) = if b.ty == a.ty { ("Some(value)", b.ty) } else { ("value", b.ty) };
                let code = code!("match {given} {{ Some(value) => {value}, None => {other} }}");
                Expr::new(code, ty).bond(Bond::Loose).source(b.source)
            }
            (Type::Value, ty) if !ty.is_object() => {
                let lazy =
                    b.literal.is_none() && !matches!(bare(right).kind(), "variable_name" | "integer" | "boolean");
                let other = match (&b.ty, b.form) {
                    (Type::Null, _) => return Expr::new(a.owned(), Type::Value),
                    (Type::Text, Form::Ref) | (Type::Int | Type::Bool | Type::Status, _) if !lazy => b.code.clone(),
                    (Type::Text, _) if !lazy => b.owned(),
                    _ => self.value(&b),
                };
                if lazy && (b.inside.is_none() || !b.code.acts().is_empty() || b.code.fails()) {
                    // The other side runs only if it is needed.
                    let code = code!("match {} {{ {VALUE}::Null => {other}, value => value.clone() }}", a.reference());
                    return Expr::new(code, Type::Value).bond(Bond::Loose);
                }
                Expr::new(code!("{PHP}::or({}, {other})", a.reference()), Type::Value)
            }
            (Type::MaybeResponse | Type::Option(_) | Type::Value, _) => {
                self.left(node, "an answer that may be missing: ask for it with if")
            }
            // A value with a type other than `Value` is never null.
            _ => a,
        }
    }

    pub(super) fn ternary(&mut self, node: Node<'t>) -> Expr {
        let (Some(condition), Some(alternative)) = (field(node, "condition"), field(node, "alternative")) else {
            return self.left(node, "a condition of an unknown form");
        };
        let asked = if field(node, "body").is_some() { self.asked(condition) } else { self.expression(condition) };
        let Some(body) = field(node, "body") else {
            // `$a ?: $b`
            let other = self.expression(alternative);
            self.tested(&asked);
            if asked.form == Form::Owned && asked.literal.is_none() {
                // It is evaluated once.
                let given = Expr::place(Code::name("value"), asked.ty.clone());
                let ty = Self::scalar(Self::both(&asked.ty, &other.ty));
                let condition = self.truth(&given, Bond::Loose);
                let sides = (self.owned_as(&Expr { form: Form::Owned, ..given }, &ty), self.owned_as(&other, &ty));
                return match sides {
                    (Some(value), Some(other)) if condition.as_truth() != Some(true) => {
                        let code = code!("match {} {{ value if {condition} => {value}, _ => {other} }}", asked.code);
                        Expr::new(code, ty).bond(Bond::Loose)
                    }
                    _ => self.left(node, "the two sides have types that do not go together"),
                };
            }
            let condition = self.truth(&asked, Bond::Loose);
            return self.either(node, &condition, asked, other);
        };
        let condition = self.truth(&asked, Bond::Loose);
        let (a, b) = (self.expression(body), self.expression(alternative));
        self.either(node, &condition, a, b)
    }

    fn either(&mut self, node: Node<'t>, condition: &Code, a: Expr, b: Expr) -> Expr {
        let ty = Self::scalar(Self::both(&a.ty, &b.ty));
        let borrowed = ty == Type::Text && a.form == Form::Ref && b.form == Form::Ref && a.ty == b.ty;
        let (form, sides) = if borrowed {
            (Form::Ref, (Some(a.code.clone()), Some(b.code.clone())))
        } else {
            (Form::Owned, (self.owned_as(&a, &ty), self.owned_as(&b, &ty)))
        };
        match sides {
            (Some(yes), Some(no)) => {
                self.linked(a.source.clone(), &b);
                let source = a.source.or(b.source);
                let code = code!("if {condition} {{ {yes} }} else {{ {no} }}");
                Expr::new(code, ty).form(form).bond(Bond::Loose).source(source)
            }
            _ => self.left(node, "the two sides have types that do not go together"),
        }
    }

    /// `match (...) { ... }`
    pub(super) fn matched(&mut self, node: Node<'t>) -> Expr {
        let (Some(subject), Some(body)) = (field(node, "condition"), field(node, "body")) else {
            return self.left(node, "a match of an unknown form");
        };
        if !matches!(bare(subject).kind(), "variable_name" | "subscript_expression" | "boolean") {
            return self.left(node, "a match of a calculation: give it a variable first");
        }
        let subject = self.expression(subject);
        let (mut arms, mut other) = (Vec::new(), None);
        for arm in children(body) {
            let Some(result) = field(arm, "return_expression") else {
                return self.left(node, "a match of an unknown form");
            };
            if bare(result).kind() == "throw_expression" {
                return self.left(node, "a match that throws: write it with if");
            }
            let result = self.expression(result);
            match field(arm, "conditional_expressions") {
                Some(list) => {
                    let tests: Vec<Expr> = children(list).into_iter().map(|test| self.expression(test)).collect();
                    arms.push((tests, result));
                }
                None => other = Some(result),
            }
        }
        let Some(other) = other else {
            return self.left(node, "a match without default fails at run time: add one");
        };
        let ty = arms.iter().fold(other.ty.clone(), |ty, (_, result)| Self::both(&ty, &result.ty));
        let ty = Self::scalar(ty);
        let mut code = Code::default();
        for (tests, result) in arms {
            let mut asked = Vec::new();
            for test in tests {
                let test = match subject.code.as_truth() {
                    Some(true) if test.ty == Type::Bool => Some(test),
                    _ => self.is_identical(&subject, &test),
                };
                let Some(test) = test else {
                    return self.left(node, "a match of this type: write it with if");
                };
                asked.push(test.within(Bond::And));
            }
            let Some(result) = self.owned_as(&result, &ty) else {
                return self.left(node, "the results have types that do not go together");
            };
            code.push(&code!("if {} {{\n    {result}\n}} else ", Code::joined(&asked, " || ")));
        }
        let Some(other) = self.owned_as(&other, &ty) else {
            return self.left(node, "the results have types that do not go together");
        };
        code.push(&code!("{{\n    {other}\n}}"));
        Expr::new(code, ty).bond(Bond::Loose)
    }
}
