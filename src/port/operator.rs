//! Converts operators, with PHP's rules of comparison and arithmetic.

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, Shape, code};
use super::imports::PHP;
use super::syntax::{bare, field};
use super::value::{Bond, Expr, Form, Type};

impl<'t> Porter<'t> {
    pub(super) fn binary(&mut self, node: Node<'t>) -> Expr {
        let operator =
            field(node, "operator").map(|operator| self.text(operator).to_ascii_lowercase()).unwrap_or_default();
        let (Some(left), Some(right)) = (field(node, "left"), field(node, "right")) else {
            return self.left(node, "an operator without operands");
        };
        match operator.as_str() {
            "." => {
                let mut parts = Vec::new();
                self.concatenated(node, &mut parts);
                self.joined(parts)
            }
            "??" => self.coalesced(node, left, right),
            "instanceof" => self.instance_of(node, left, right),
            "&&" | "and" => self.logical(node, "&&", Bond::And),
            "||" | "or" => self.logical(node, "||", Bond::Or),
            "xor" => {
                let (left, right) = (self.expression(left), self.expression(right));
                let code = code!("{} != {}", self.truth(&left, Bond::Sum), self.truth(&right, Bond::Sum));
                Expr::new(code, Type::Bool).bond(Bond::Compare)
            }
            "===" => self.equal(node, left, right, "==", true),
            "==" => self.equal(node, left, right, "==", false),
            "!==" => self.equal(node, left, right, "!=", true),
            "!=" | "<>" => self.equal(node, left, right, "!=", false),
            "<=>" => self.compared(node, left, right),
            "|" | "&" | "^" => self.bits(node, left, right, &operator),
            "<" | ">" | "<=" | ">=" => self.ordered(node, left, right, &operator),
            // PHP applies the sign to the power, unlike the syntax tree.
            "**" if matches!(left.kind(), "unary_op_expression" | "cast_expression") => {
                self.left(node, "a sign or a cast before **: put the power in parentheses")
            }
            "+" | "-" | "*" | "/" | "%" => self.arithmetic(node),
            "**" => {
                let (a, b) = (self.expression(left), self.expression(right));
                self.calculated(node, &a, &b, "**")
            }
            _ => self.left(node, &format!("the operator {operator} has no counterpart here")),
        }
    }

    /// Converts `a && b && c` without recursion along the chain.
    fn logical(&mut self, node: Node<'t>, operator: &str, bond: Bond) -> Expr {
        let is_same = |porter: &Self, node: Node<'t>| {
            let written = field(node, "operator").map(|operator| porter.text(operator).to_ascii_lowercase());
            let same = match written.as_deref() {
                Some("&&" | "and") => "&&",
                Some("||" | "or") => "||",
                _ => "",
            };
            node.kind() == "binary_expression" && same == operator
        };
        let (mut operands, mut first) = (Vec::new(), node);
        while let (true, Some(left), Some(right)) = (is_same(self, first), field(first, "left"), field(first, "right"))
        {
            operands.push(right);
            first = left;
        }
        operands.push(first);
        let mut sides = Vec::new();
        for operand in operands.into_iter().rev() {
            let e = self.asked(operand);
            let code = self.truth(&e, bond);
            // `a && b && c` needs no parentheses. `a || (b && c)` is clearer than `a || b && c`.
            let mixed = e.ty == Type::Bool && e.bond < bond && e.bond > Bond::Compare;
            sides.push(if mixed { code!("({code})") } else { code });
        }
        Expr::new(Code::joined(&sides, &format!(" {operator} ")), Type::Bool).bond(bond)
    }

    fn equal(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>, operator: &str, strict: bool) -> Expr {
        let null = |node: Node<'t>| bare(node).kind() == "null";
        let a = if null(right) { self.asked(left) } else { self.expression(left) };
        let b = if null(left) { self.asked(right) } else { self.expression(right) };
        let a = undisturbed(a, &b);
        let asked = if strict { self.is_identical(&a, &b) } else { self.is_equal(&a, &b) };
        let Some(asked) = asked else {
            return self.left_as(node, "values of these types are not compared here", Type::Bool);
        };
        if operator == "==" {
            return asked;
        }
        negated(&asked)
    }

    /// `$a === $b`; `None` for types whose comparison is not carried over.
    pub(super) fn is_identical(&mut self, a: &Expr, b: &Expr) -> Option<Expr> {
        let swaps = a.ty == Type::Null || (b.ty == Type::Value && a.ty != Type::Value);
        let (a, b) = if swaps { (b, a) } else { (a, b) };
        let swaps = swaps && is_ordered(a, b);
        if b.ty == Type::Null {
            self.tested(a);
        }
        Some(match (&a.ty, &b.ty) {
            (Type::Null, Type::Null) => self.constant_of(&[a, b], true),
            (Type::Value, Type::Null) => truth(code!("{}.is_null()", a.tight()), Bond::Tight),
            (Type::Option(_), Type::Null) if self.is_falsy(a) => return None,
            (Type::MaybeResponse | Type::Option(_), Type::Null) => truth(code!("{}.is_none()", a.tight()), Bond::Tight),
            // A value with a type other than `Value` is never null.
            (_, Type::Null) => self.constant_of(&[a, b], false),
            (Type::Bool, Type::Bool) => match b.code.as_truth() {
                Some(true) => a.clone(),
                Some(false) => truth(Code::not(a.within(Bond::Unary)), Bond::Unary),
                None => truth(Code::equal(a.within(Bond::Sum), b.within(Bond::Sum)), Bond::Compare),
            },
            (Type::Text, Type::Text) => {
                let (a, b) = (self.side(a), self.side(b));
                truth(Code::equal(a, b), Bond::Compare)
            }
            (Type::Value, Type::Text | Type::Int | Type::Bool) => {
                let plain = if b.ty == Type::Text { self.plain_str(b) } else { b.within(Bond::Sum) };
                let value = a.within(Bond::Sum);
                truth(if swaps { Code::equal(plain, value) } else { Code::equal(value, plain) }, Bond::Compare)
            }
            (Type::Value, Type::Value | Type::Float | Type::Status) => {
                let (a, b) = if swaps { (b, a) } else { (a, b) };
                let (a, b) = (self.operand(a), self.operand(b));
                truth(code!("{PHP}::identical({a}, {b})"), Bond::Tight)
            }
            (Type::Int | Type::Status, Type::Int | Type::Status) | (Type::Float, Type::Float) => {
                let (a, b) = self.numbers(a, b);
                truth(Code::equal(a, b), Bond::Compare)
            }
            (one, other) if one != other && scalar(one) && scalar(other) && !self.marks.may_return_false => {
                self.constant_of(&[a, b], false)
            }
            _ => return None,
        })
    }

    /// `$a == $b`; `None` for types whose comparison is not carried over.
    pub(super) fn is_equal(&mut self, a: &Expr, b: &Expr) -> Option<Expr> {
        let swaps = a.ty == Type::Null || a.ty == Type::Bool;
        let (a, b) = if swaps { (b, a) } else { (a, b) };
        let swaps = swaps && is_ordered(a, b);
        if !(scalar(&a.ty) || a.ty == Type::Value) || !(scalar(&b.ty) || b.ty == Type::Value) {
            return self.is_identical(a, b).filter(|_| b.ty == Type::Null && a.ty.is_object());
        }
        Some(match (&a.ty, &b.ty) {
            (Type::Text, Type::Null) => truth(code!("{}.is_empty()", a.tight()), Bond::Tight),
            (Type::Bool, Type::Bool) | (Type::Null, Type::Null) => return self.is_identical(a, b),
            (_, Type::Null) if a.ty != Type::Value => {
                let code = self.truth(a, Bond::Unary);
                negated(&truth(code, Bond::Unary))
            }
            (_, Type::Bool) => match b.code.as_truth() {
                Some(true) => truth(self.truth(a, Bond::Tight), Bond::Tight),
                Some(false) => {
                    let code = self.truth(a, Bond::Unary);
                    negated(&truth(code, Bond::Unary))
                }
                None => {
                    let (one, other) = (self.truth(a, Bond::Sum), b.within(Bond::Sum));
                    truth(if swaps { Code::equal(other, one) } else { Code::equal(one, other) }, Bond::Compare)
                }
            },
            (Type::Text, Type::Text) if is_word(a) || is_word(b) => return self.is_identical(a, b),
            (Type::Text, Type::Text) => {
                let (a, b) = (self.str(a), self.str(b));
                truth(code!("{PHP}::equal_texts({a}, {b})"), Bond::Tight)
            }
            (Type::Int | Type::Status | Type::Float, Type::Int | Type::Status | Type::Float) => {
                let (a, b) = self.numbers(a, b);
                truth(Code::equal(a, b), Bond::Compare)
            }
            _ => {
                let (a, b) = if swaps { (b, a) } else { (a, b) };
                let (a, b) = (self.operand(a), self.operand(b));
                truth(code!("{PHP}::equal({a}, {b})"), Bond::Tight)
            }
        })
    }

    /// `$a <=> $b`
    fn compared(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>) -> Expr {
        let (a, b) = (self.expression(left), self.expression(right));
        if a.ty.is_object() || b.ty.is_object() {
            return self.left_as(node, "objects have no order", Type::Int);
        }
        let a = undisturbed(a, &b);
        let (a, b) = (self.operand(&a), self.operand(&b));
        Expr::new(code!("{PHP}::order({a}, {b})"), Type::Int)
    }

    fn side(&mut self, e: &Expr) -> Code {
        match e.ty {
            Type::Body => code!("{}.text()", e.tight()),
            _ => e.within(Bond::Sum),
        }
    }

    /// Two numbers, converted to one type.
    fn numbers(&mut self, a: &Expr, b: &Expr) -> (Code, Code) {
        let literal = |e: &Expr| e.code.as_number().is_some();
        let whole = |e: &Expr| matches!(e.ty, Type::Int | Type::Status);
        if !whole(a) || !whole(b) {
            let side = |porter: &mut Self, e: &Expr| {
                let code = porter.float(e);
                if matches!(code.shape(), Shape::Cast) {
                    code!("({code})")
                } else {
                    Expr { code, ..e.clone() }.within(Bond::Sum)
                }
            };
            return (side(self, a), side(self, b));
        }
        if (a.ty == Type::Status && (b.ty == Type::Status || literal(b))) || (b.ty == Type::Status && literal(a)) {
            return (a.within(Bond::Sum), b.within(Bond::Sum));
        }
        let side = |porter: &mut Self, e: &Expr| {
            if e.ty == Type::Int {
                // `a as i64 < b` would begin generic arguments.
                if matches!(e.code.shape(), Shape::Cast) { code!("({})", e.code) } else { e.within(Bond::Sum) }
            } else {
                porter.int(e)
            }
        };
        (side(self, a), side(self, b))
    }

    fn ordered(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>, operator: &str) -> Expr {
        let (a, b) = (self.expression(left), self.expression(right));
        if a.ty.is_object() || b.ty.is_object() || a.ty == Type::Unit || b.ty == Type::Unit {
            return self.left_as(node, "objects have no order", Type::Bool);
        }
        let a = undisturbed(a, &b);
        if is_number(&a.ty) && is_number(&b.ty) {
            let (a, b) = self.numbers(&a, &b);
            return Expr::new(code!("{a} {operator} {b}"), Type::Bool).bond(Bond::Compare);
        }
        if a.ty == Type::Text && b.ty == Type::Text && (is_word(&a) || is_word(&b)) {
            let code = code!("{} {operator} {}", self.plain_str(&a), self.plain_str(&b));
            return Expr::new(code, Type::Bool).bond(Bond::Compare);
        }
        let (a, b) = (self.operand(&a), self.operand(&b));
        let code = match operator {
            "<" => code!("{PHP}::less({a}, {b})"),
            ">" => code!("{PHP}::more({a}, {b})"),
            "<=" => code!("{PHP}::at_most({a}, {b})"),
            _ => code!("{PHP}::at_least({a}, {b})"),
        };
        Expr::new(code, Type::Bool)
    }
}

fn scalar(ty: &Type) -> bool {
    matches!(ty, Type::Text | Type::Int | Type::Float | Type::Bool | Type::Null | Type::Status)
}

/// Whether the order of two operands matters: one acts, and the other is not fixed.
fn is_ordered(a: &Expr, b: &Expr) -> bool {
    let acts = |e: &Expr| !e.code.acts().is_empty();
    let is_fixed = |e: &Expr| {
        let code = &e.code;
        e.literal.is_some() || code.as_signed().is_some() || code.as_truth().is_some() || code.as_word().is_some()
    };
    acts(a) && !is_fixed(b) || acts(b) && !is_fixed(a)
}

/// A value that the next one does not change: a copy, if that calls a method which changes the
/// object of this one.
pub(super) fn undisturbed(e: Expr, next: &Expr) -> Expr {
    if e.form == Form::Owned || e.ty.is_copy() || e.ty.is_object() || !next.code.disturbs(&e.code) {
        return e;
    }
    let ty = match e.ty {
        Type::Body => Type::Text,
        ref ty => ty.clone(),
    };
    Expr { ty, form: Form::Owned, bond: Bond::Tight, code: e.owned(), ..e }
}

fn truth(code: Code, bond: Bond) -> Expr {
    Expr::new(code, Type::Bool).bond(bond)
}

/// `!$e` of a truth value.
pub(super) fn negated(e: &Expr) -> Expr {
    match e.code.shape() {
        Shape::Not(positive) => truth((**positive).clone(), Bond::Tight),
        Shape::Equal(opposite) => truth((**opposite).clone(), Bond::Compare),
        Shape::Some(opposite) => truth((**opposite).clone(), Bond::Tight),
        Shape::Truth(value) => truth(Code::truth(!value), Bond::Tight),
        _ => truth(Code::not(e.within(Bond::Unary)), Bond::Unary),
    }
}

/// Types that PHP always compares as numbers.
fn is_number(ty: &Type) -> bool {
    matches!(ty, Type::Int | Type::Status | Type::Float)
}

/// Whether PHP may treat a text as a number. It may also return true for a text that PHP does not.
fn numeric(text: &str) -> bool {
    text.trim().parse::<f64>().is_ok()
}

/// A text that is not a number, so that PHP compares it as text.
fn is_word(e: &Expr) -> bool {
    e.literal.as_deref().is_some_and(|text| !numeric(text))
}
