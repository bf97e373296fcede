//! Converts operators, with PHP's rules of comparison and arithmetic.

use tree_sitter::Node;

use super::Porter;
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
            "&&" | "and" => self.logical(left, right, "&&", Bond::And),
            "||" | "or" => self.logical(left, right, "||", Bond::Or),
            "xor" => {
                let (left, right) = (self.expression(left), self.expression(right));
                let code = format!("{} != {}", self.truth(&left, Bond::Sum), self.truth(&right, Bond::Sum));
                Expr::new(code, Type::Bool).bond(Bond::Compare)
            }
            "===" => self.equal(node, left, right, "==", true),
            "==" => self.equal(node, left, right, "==", false),
            "!==" => self.equal(node, left, right, "!=", true),
            "!=" | "<>" => self.equal(node, left, right, "!=", false),
            "<=>" => self.compared(node, left, right),
            "|" | "&" | "^" => self.bits(node, left, right, &operator),
            "<" | ">" | "<=" | ">=" => self.ordered(node, left, right, &operator),
            "+" | "-" | "*" | "/" | "%" | "**" => self.arithmetic(node, left, right, &operator),
            _ => self.left(node, &format!("the operator {operator} has no counterpart here")),
        }
    }

    fn logical(&mut self, left: Node<'t>, right: Node<'t>, operator: &str, bond: Bond) -> Expr {
        let (left, right) = (self.expression(left), self.expression(right));
        let side = |porter: &mut Self, e: &Expr| {
            let code = porter.truth(e, bond);
            // `a && b && c` needs no parentheses; `a || b && c` is clearer with them.
            if e.ty == Type::Bool && e.bond < bond && e.bond > Bond::Compare { format!("({code})") } else { code }
        };
        let (left, right) = (side(self, &left), side(self, &right));
        Expr::new(format!("{left} {operator} {right}"), Type::Bool).bond(bond)
    }

    fn equal(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>, operator: &str, strict: bool) -> Expr {
        let (mut a, mut b) = (self.expression(left), self.expression(right));
        if a.ty == Type::Null || (b.ty == Type::Value && a.ty != Type::Value) {
            std::mem::swap(&mut a, &mut b);
        }
        let negated = operator == "!=";
        let not = if negated { "!" } else { "" };
        let boolean = |code: String, bond: Bond| Expr::new(code, Type::Bool).bond(bond);
        let unary = if negated { Bond::Unary } else { Bond::Tight };
        if !strict && self.is_loose(&a, &b) {
            let (a, b) = (self.value_ref(&a), self.value_ref(&b));
            return boolean(format!("{not}{}({a}, {b})", "php_equal"), unary);
        }
        match (&a.ty, &b.ty) {
            (Type::Null, Type::Null) => boolean((!negated).to_string(), Bond::Tight),
            (Type::Value, Type::Null) => boolean(format!("{not}{}.is_null()", a.tight()), unary),
            (Type::MaybeResponse | Type::Option(_), Type::Null) => {
                let asked = if negated { "is_some" } else { "is_none" };
                boolean(format!("{}.{asked}()", a.tight()), Bond::Tight)
            }
            // A value with a type other than `Value` is never null.
            (_, Type::Null) => boolean(negated.to_string(), Bond::Tight),
            (Type::Bool, Type::Bool) => match (a.code.as_str(), b.code.as_str()) {
                (_, "true") if !negated => a,
                (_, "false") if negated => a,
                (_, "true" | "false") => boolean(format!("!{}", a.within(Bond::Unary)), Bond::Unary),
                _ => boolean(format!("{} {operator} {}", a.within(Bond::Sum), b.within(Bond::Sum)), Bond::Compare),
            },
            (Type::Text | Type::Body, Type::Text | Type::Body) => {
                let (a, b) = (self.side(&a), self.side(&b));
                boolean(format!("{a} {operator} {b}"), Bond::Compare)
            }
            (Type::Value, Type::Text | Type::Int | Type::Bool | Type::Float) => {
                let plain = if b.ty == Type::Text { self.plain_str(&b) } else { b.within(Bond::Sum) };
                boolean(format!("{} {operator} {plain}", a.within(Bond::Sum)), Bond::Compare)
            }
            (Type::Value, Type::Value) => {
                boolean(format!("{} {operator} {}", a.within(Bond::Sum), b.within(Bond::Sum)), Bond::Compare)
            }
            (Type::Int | Type::Status | Type::Float, Type::Int | Type::Status | Type::Float) => {
                let (a, b) = self.numbers(&a, &b);
                boolean(format!("{a} {operator} {b}"), Bond::Compare)
            }
            _ => self.left_as(node, "values of these types are not compared here", Type::Bool),
        }
    }

    /// Whether `==` may find values of different types equal.
    fn is_loose(&self, a: &Expr, b: &Expr) -> bool {
        let scalar = |ty: &Type| matches!(ty, Type::Value | Type::Text | Type::Int | Type::Float | Type::Bool);
        let word = |e: &Expr| e.literal.as_deref().is_some_and(|text| !text.is_empty() && !numeric(text));
        let both = scalar(&a.ty) && scalar(&b.ty);
        let texts = |ty: &Type| matches!(ty, Type::Text | Type::Body);
        if texts(&a.ty) && texts(&b.ty) {
            return !is_word(a) && !is_word(b);
        }
        let number = |ty: &Type| matches!(ty, Type::Int | Type::Float);
        let same = (a.ty == b.ty && a.ty != Type::Value) || (number(&a.ty) && number(&b.ty));
        both && !same && !word(a) && !word(b)
    }

    /// `$a <=> $b`
    fn compared(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>) -> Expr {
        let (a, b) = (self.expression(left), self.expression(right));
        if a.ty.is_object() || b.ty.is_object() {
            return self.left_as(node, "objects have no order", Type::Int);
        }
        if is_number(&a.ty) && is_number(&b.ty) {
            let (a, b) = self.numbers(&a, &b);
            return Expr::new(format!("i64::from({a} > {b}) - i64::from({a} < {b})"), Type::Int).bond(Bond::Sum);
        }
        let (a, b) = (self.value_ref(&a), self.value_ref(&b));
        Expr::new(format!("i64::from({}({a}, {b}) as i8)", "php_order"), Type::Int)
    }

    /// A bitwise operation.
    fn bits(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>, operator: &str) -> Expr {
        let (a, b) = (self.expression(left), self.expression(right));
        if a.ty != Type::Int || b.ty != Type::Int {
            return self.left_as(node, "bits of what is no whole number", Type::Int);
        }
        Expr::new(format!("{} {operator} {}", a.within(Bond::Unary), b.within(Bond::Unary)), Type::Int).bond(Bond::Sum)
    }

    /// `$x++` as a value.
    pub(super) fn stepped(&mut self, node: Node<'t>) -> Expr {
        let Some(inner) = children(node).first().copied() else {
            return self.left(node, "a step of an unknown form");
        };
        let place = self.expression(inner);
        if place.ty != Type::Int || place.form != Form::Place {
            return self.left_as(node, "what is counted is no whole number", Type::Int);
        }
        let (text, x) = (self.text(node), place.code);
        let sign = if text.contains("++") { "+" } else { "-" };
        let code = if text.starts_with(['+', '-']) {
            format!("{{\n    {x} {sign}= 1;\n    {x}\n}}")
        } else {
            format!("{{\n    {x} {sign}= 1;\n    {x} {} 1\n}}", if sign == "+" { "-" } else { "+" })
        };
        Expr::new(code, Type::Int).bond(Bond::Loose)
    }

    fn side(&mut self, e: &Expr) -> String {
        match e.ty {
            Type::Body => format!("{}.text()", e.tight()),
            _ => e.within(Bond::Sum),
        }
    }

    /// Two numbers, converted to one type.
    fn numbers(&mut self, a: &Expr, b: &Expr) -> (String, String) {
        let literal = |e: &Expr| e.code.bytes().all(|byte| byte.is_ascii_digit());
        let whole = |e: &Expr| matches!(e.ty, Type::Int | Type::Status);
        if !whole(a) || !whole(b) {
            let side = |porter: &mut Self, e: &Expr| {
                let code = porter.float(e);
                if code.ends_with(" as f64") { format!("({code})") } else { code }
            };
            return (side(self, a), side(self, b));
        }
        if (a.ty == Type::Status && (b.ty == Type::Status || literal(b))) || (b.ty == Type::Status && literal(a)) {
            return (a.within(Bond::Sum), b.within(Bond::Sum));
        }
        let side = |porter: &mut Self, e: &Expr| if e.ty == Type::Int { e.within(Bond::Sum) } else { porter.int(e) };
        (side(self, a), side(self, b))
    }

    fn ordered(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>, operator: &str) -> Expr {
        let (a, b) = (self.expression(left), self.expression(right));
        if a.ty.is_object() || b.ty.is_object() {
            return self.left_as(node, "objects have no order", Type::Bool);
        }
        if is_number(&a.ty) && is_number(&b.ty) {
            let (a, b) = self.numbers(&a, &b);
            return Expr::new(format!("{a} {operator} {b}"), Type::Bool).bond(Bond::Compare);
        }
        if a.ty == Type::Text && b.ty == Type::Text && (is_word(&a) || is_word(&b)) {
            let code = format!("{} {operator} {}", self.plain_str(&a), self.plain_str(&b));
            return Expr::new(code, Type::Bool).bond(Bond::Compare);
        }
        let asked = match operator {
            "<" => "is_lt",
            ">" => "is_gt",
            "<=" => "is_le",
            _ => "is_ge",
        };
        let (a, b) = (self.value_ref(&a), self.value_ref(&b));
        Expr::new(format!("{}({a}, {b}).{asked}()", "php_order"), Type::Bool)
    }

    pub(super) fn arithmetic(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>, operator: &str) -> Expr {
        let (a, b) = (self.expression(left), self.expression(right));
        self.calculated(node, &a, &b, operator)
    }

    /// The four basic operations. Integers stay integers, except for division, which returns a
    /// float in PHP.
    pub(super) fn calculated(&mut self, node: Node<'t>, a: &Expr, b: &Expr, operator: &str) -> Expr {
        if operator == "+" && a.ty == Type::Value && b.ty == Type::Value && (a.inside.is_some() || b.inside.is_some()) {
            // One of them is an array literal.
            let code = format!("{}({}, {})", "php_add", a.reference(), b.reference());
            return Expr::new(code, Type::Value);
        }
        if a.ty.is_object() || b.ty.is_object() || a.ty == Type::Unit {
            return self.left_as(node, "these are no numbers", Type::Int);
        }
        if operator == "**" {
            return match (&a.ty, &b.ty) {
                (Type::Int, Type::Int) => {
                    Expr::new(format!("i64::pow({}, {} as u32)", a.code, b.within(Bond::Unary)), Type::Int)
                }
                _ => self.left_as(node, "the operator ** is carried over for whole numbers", Type::Int),
            };
        }
        let whole = |ty: &Type| matches!(ty, Type::Int | Type::Status);
        let number = |ty: &Type| whole(ty) || *ty == Type::Float;
        if !number(&a.ty) || !number(&b.ty) {
            let (x, y) = (self.value_ref(a), self.value_ref(b));
            return Expr::new(format!("{}({x}, '{operator}', {y})", "php_math"), Type::Value);
        }
        let fraction = a.ty == Type::Float || b.ty == Type::Float || operator == "/";
        // Operands that are calculated themselves get parentheses.
        let wrap = |code: String, e: &Expr| {
            let calculated = e.bond >= Bond::Sum || code.contains(" as ");
            if calculated { format!("({code})") } else { code }
        };
        if fraction {
            let (x, y) = (self.float(a), self.float(b));
            return Expr::new(format!("{} {operator} {}", wrap(x, a), wrap(y, b)), Type::Float).bond(Bond::Sum);
        }
        let (mut x, y) = (self.int(a), self.int(b));
        if [&x, &y].iter().all(|code| code.bytes().all(|byte| byte.is_ascii_digit())) {
            x.push_str("_i64");
        }
        Expr::new(format!("{} {operator} {}", wrap(x, a), wrap(y, b)), Type::Int).bond(Bond::Sum)
    }

    pub(super) fn unary(&mut self, node: Node<'t>) -> Expr {
        let operator = field(node, "operator").map(|operator| self.text(operator)).unwrap_or_default();
        let Some(inner) = field(node, "argument") else {
            return self.left(node, "an operator without an operand");
        };
        let e = self.expression(inner);
        match operator {
            "!" => {
                let code = self.truth(&e, Bond::Unary);
                let code = match code.strip_prefix('!') {
                    Some(positive) if e.ty != Type::Bool || e.bond == Bond::Unary => positive.to_owned(),
                    _ => format!("!{code}"),
                };
                Expr::new(code, Type::Bool).bond(Bond::Unary)
            }
            "-" if matches!(e.ty, Type::Int | Type::Float) => {
                let inside = e.inside.as_ref().map(|inside| format!("-{inside}"));
                Expr { inside, ..Expr::new(format!("-{}", e.within(Bond::Unary)), e.ty.clone()).bond(Bond::Unary) }
            }
            "-" if matches!(e.ty, Type::Value | Type::Text) => {
                Expr::new(format!("-{}", self.int(&e)), Type::Int).bond(Bond::Unary)
            }
            "+" if matches!(e.ty, Type::Int | Type::Float) => e,
            _ => self.left(node, &format!("the operator {operator} has no counterpart here")),
        }
    }

    /// `$a ?? $b`
    fn coalesced(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>) -> Expr {
        if bare(right).kind() == "throw_expression" {
            return self.left(node, "an expression that throws: ask before with if");
        }
        let known = super::syntax::variable(left, self.php).is_none_or(|name| self.frame().vars.contains_key(name));
        if !known && left.kind() == "variable_name" {
            // An expression that has no value in PHP.
            return self.expression(right);
        }
        let (a, b) = (self.expression(left), self.expression(right));
        match (&a.ty, &b.ty) {
            (Type::Null, _) => b,
            (Type::Value, ty) if !ty.is_object() => {
                let helper = "php_or";
                let other = match (&b.ty, b.form) {
                    (Type::Null, _) => return Expr::new(a.owned(), Type::Value),
                    (Type::Text, Form::Ref) | (Type::Int | Type::Float | Type::Bool | Type::Status, _) => {
                        b.code.clone()
                    }
                    (Type::Text, _) => b.owned(),
                    _ => self.value(&b),
                };
                Expr::new(format!("{helper}({}, {other})", a.reference()), Type::Value)
            }
            (Type::MaybeResponse | Type::MaybeBody, _) => {
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
        let asked = self.expression(condition);
        let Some(body) = field(node, "body") else {
            // `$a ?: $b`
            let other = self.expression(alternative);
            if asked.form == Form::Owned && asked.bond != Bond::Tight {
                return self.left(node, "?: of a calculation: give it a variable first");
            }
            let condition = self.truth(&asked, Bond::Loose);
            return self.either(node, &condition, asked, other);
        };
        let condition = self.truth(&asked, Bond::Loose);
        let (a, b) = (self.expression(body), self.expression(alternative));
        self.either(node, &condition, a, b)
    }

    fn either(&mut self, node: Node<'t>, condition: &str, a: Expr, b: Expr) -> Expr {
        let ty = Self::scalar(Self::both(&a.ty, &b.ty));
        let borrowed = ty == Type::Text && a.form == Form::Ref && b.form == Form::Ref && a.ty == b.ty;
        let (form, sides) = if borrowed {
            (Form::Ref, (Some(a.code.clone()), Some(b.code.clone())))
        } else {
            (Form::Owned, (self.owned_as(&a, &ty), self.owned_as(&b, &ty)))
        };
        match sides {
            (Some(a), Some(b)) => {
                Expr::new(format!("if {condition} {{ {a} }} else {{ {b} }}"), ty).form(form).bond(Bond::Loose)
            }
            _ => self.left(node, "the two sides have types that do not go together"),
        }
    }

    /// `match (...) { ... }`
    pub(super) fn matched(&mut self, node: Node<'t>) -> Expr {
        let (Some(subject), Some(body)) = (field(node, "condition"), field(node, "body")) else {
            return self.left(node, "a match of an unknown form");
        };
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
        let mut code = String::new();
        for (tests, result) in arms {
            let mut asked = Vec::new();
            for test in tests {
                asked.push(match (subject.code.as_str(), &subject.ty) {
                    ("true", Type::Bool) => self.truth(&test, Bond::And),
                    (_, Type::Value) if test.ty == Type::Text => {
                        format!("{} == {}", subject.tight(), self.plain_str(&test))
                    }
                    (_, Type::Value | Type::Text | Type::Int | Type::Bool | Type::Status) => {
                        format!("{} == {}", subject.within(Bond::Sum), test.within(Bond::Sum))
                    }
                    _ => return self.left(node, "a match of this type: write it with if"),
                });
            }
            let Some(result) = self.owned_as(&result, &ty) else {
                return self.left(node, "the results have types that do not go together");
            };
            code.push_str(&format!("if {} {{\n    {result}\n}} else ", asked.join(" || ")));
        }
        let Some(other) = self.owned_as(&other, &ty) else {
            return self.left(node, "the results have types that do not go together");
        };
        code.push_str(&format!("{{\n    {other}\n}}"));
        Expr::new(code, ty).bond(Bond::Loose)
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
