//! Converts operators, with PHP's rules of comparison and arithmetic.

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, Shape, code};
use super::imports::{PHP, VALUE};
use super::syntax::{bare, children, field};
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
        let (a, b) = if a.ty == Type::Null || (b.ty == Type::Value && a.ty != Type::Value) { (b, a) } else { (a, b) };
        if b.ty == Type::Null {
            self.tested(a);
        }
        Some(match (&a.ty, &b.ty) {
            (Type::Null, Type::Null) => truth(Code::truth(true), Bond::Tight),
            (Type::Value, Type::Null) => truth(code!("{}.is_null()", a.tight()), Bond::Tight),
            (Type::Option(_), Type::Null) if self.is_falsy(a) => return None,
            (Type::MaybeResponse | Type::Option(_), Type::Null) => truth(code!("{}.is_none()", a.tight()), Bond::Tight),
            // A value with a type other than `Value` is never null.
            (_, Type::Null) => truth(Code::truth(false), Bond::Tight),
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
                truth(Code::equal(a.within(Bond::Sum), plain), Bond::Compare)
            }
            (Type::Value, Type::Value | Type::Float | Type::Status) => {
                let (a, b) = (self.operand(a), self.operand(b));
                truth(code!("{PHP}::identical({a}, {b})"), Bond::Tight)
            }
            (Type::Int | Type::Status, Type::Int | Type::Status) | (Type::Float, Type::Float) => {
                let (a, b) = self.numbers(a, b);
                truth(Code::equal(a, b), Bond::Compare)
            }
            (a, b) if a != b && scalar(a) && scalar(b) && !self.marks.may_return_false => {
                truth(Code::truth(false), Bond::Tight)
            }
            _ => return None,
        })
    }

    /// `$a == $b`; `None` for types whose comparison is not carried over.
    pub(super) fn is_equal(&mut self, a: &Expr, b: &Expr) -> Option<Expr> {
        let (a, b) = if a.ty == Type::Null || a.ty == Type::Bool { (b, a) } else { (a, b) };
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
                    let code = self.truth(a, Bond::Sum);
                    truth(Code::equal(code, b.within(Bond::Sum)), Bond::Compare)
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
            ">" => code!("{PHP}::less({b}, {a})"),
            "<=" => code!("{PHP}::at_most({a}, {b})"),
            _ => code!("{PHP}::at_most({b}, {a})"),
        };
        Expr::new(code, Type::Bool)
    }

    /// `$a ?? $b`
    fn coalesced(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>) -> Expr {
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
                if lazy && b.inside.is_none() {
                    // The other side runs only if it is needed.
                    let code = code!("match {} {{ {VALUE}::Null => {other}, value => value.clone() }}", a.reference());
                    return Expr::new(code, Type::Value).bond(Bond::Loose);
                }
                Expr::new(code!("{PHP}::or({}, {other})", a.reference()), Type::Value)
            }
            (Type::MaybeResponse | Type::MaybeBody | Type::Option(_) | Type::Value, _) => {
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

fn scalar(ty: &Type) -> bool {
    matches!(ty, Type::Text | Type::Int | Type::Float | Type::Bool | Type::Null | Type::Status)
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
