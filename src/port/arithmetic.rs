//! Converts arithmetic, with PHP's rules for whole numbers and fractions.

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, Shape, code, indent};
use super::imports::PHP;
use super::syntax::{children, field};
use super::value::{Bond, Expr, Form, Type};

/// The maximum number of operators in one expression. Longer sums are split into statements.
const MAX_OPERATORS: usize = 16;

impl<'t> Porter<'t> {
    /// A bitwise operation.
    pub(super) fn bits(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>, operator: &str) -> Expr {
        let (a, b) = (self.expression(left), self.expression(right));
        if a.ty != Type::Int || b.ty != Type::Int {
            return self.left_as(node, "bit operators for a value that is not a whole number", Type::Int);
        }
        let code = code!("{} {operator} {}", a.within(Bond::Unary), b.within(Bond::Unary));
        let code = if operator == "|" { a.code.flags(&b.code, code) } else { code };
        Expr::new(code, Type::Int).bond(Bond::Sum)
    }

    /// `$x++` as a value.
    pub(super) fn stepped(&mut self, node: Node<'t>) -> Expr {
        let Some(inner) = children(node).first().copied() else {
            return self.left(node, "a step of an unknown form");
        };
        let place = self.expression(inner);
        let name = super::syntax::variable(inner, self.php).unwrap_or_default();
        if place.ty != Type::Int || place.form != Form::Place || !self.frame().is_counter(name) {
            return self.left_as(node, "the counter is not a whole number", Type::Int);
        }
        // PHP reads the other operands at another time.
        let mut statement = node;
        while let Some(parent) = statement.parent().filter(|_| !statement.kind().ends_with("_statement")) {
            // What `echo` prints is read piece by piece.
            if matches!(parent.kind(), "echo_statement" | "sequence_expression") {
                break;
            }
            statement = parent;
        }
        let (mut stack, mut uses) = (vec![statement], 0);
        while let Some(one) = stack.pop() {
            uses += usize::from(super::syntax::variable(one, self.php) == Some(name));
            stack.extend(children(one));
        }
        if uses > 1 {
            return self.left_as(node, "a variable is counted and read in one statement: make two of it", Type::Int);
        }
        let (text, x) = (self.text(node), place.code);
        let sign = if text.contains("++") { "+" } else { "-" };
        let code = if text.starts_with(['+', '-']) {
            code!("{{\n    {x} {sign}= 1;\n    {x}\n}}")
        } else {
            code!("{{\n    {x} {sign}= 1;\n    {x} {} 1\n}}", if sign == "+" { "-" } else { "+" })
        };
        self.acting(node, Expr::new(code.counting(), Type::Int).bond(Bond::Loose))
    }

    /// Converts `$a + $b - $c` without recursion along the chain.
    pub(super) fn arithmetic(&mut self, node: Node<'t>) -> Expr {
        let (mut steps, mut first) = (Vec::new(), node);
        while first.kind() == "binary_expression" {
            let operator = field(first, "operator").map(|operator| self.text(operator)).unwrap_or_default();
            let (true, Some(left), Some(right)) =
                (matches!(operator, "+" | "-" | "*" | "/" | "%"), field(first, "left"), field(first, "right"))
            else {
                break;
            };
            steps.push((first, operator, right));
            first = left;
        }
        let mut before = Vec::new();
        let mut e = self.expression(first);
        let name = if steps.len() > MAX_OPERATORS { self.fresh_word("sum") } else { Code::default() };
        for (number, (node, operator, right)) in steps.into_iter().rev().enumerate() {
            if number > 0 && number % MAX_OPERATORS == 0 {
                // A longer sum is split into several statements.
                let ty = if e.ty == Type::Int { ": i64" } else { "" };
                before.push(code!("let {name}{ty} = {};\n", e.owned()));
                e = Expr::place(name.clone(), e.ty.clone()).small(e.small);
            }
            let right = self.expression(right);
            e = self.calculated(node, &e, &right, operator);
        }
        if before.is_empty() {
            return e;
        }
        // The parentheses are needed because `json!` parses braces as an object.
        before.push(e.code.clone());
        let code = code!("({{\n{}\n}})", indent(&Code::joined(&before, "")));
        Expr { code, ..e }.bond(Bond::Tight)
    }

    /// The basic operations. Whole numbers stay whole, except for a division with a rest. A result
    /// beyond 64 bits is an error.
    pub(super) fn calculated(&mut self, node: Node<'t>, a: &Expr, b: &Expr, operator: &str) -> Expr {
        let unknown = |ty: &Type| ty.is_object() || matches!(ty, Type::Unit | Type::Body | Type::Bytes);
        if unknown(&a.ty) || unknown(&b.ty) {
            return self.left_as(node, "these values are not numbers", Type::Int);
        }
        let a = &super::operator::undisturbed(a.clone(), b);
        let whole = |ty: &Type| matches!(ty, Type::Int | Type::Status);
        let number = |ty: &Type| whole(ty) || *ty == Type::Float;
        // Operands that are calculated themselves get parentheses.
        let wrap = |code: Code, e: &Expr| {
            let calculated = e.bond >= Bond::Sum || matches!(code.shape(), Shape::Cast);
            if calculated { code!("({code})") } else { code }
        };
        let name = match operator {
            "+" => "add",
            "-" => "sub",
            "*" => "mul",
            "/" => "div",
            "%" => "rem",
            _ => "pow",
        };
        if number(&a.ty) && number(&b.ty) && matches!(operator, "+" | "-" | "*") {
            if a.ty == Type::Float || b.ty == Type::Float {
                let (x, y) = (self.float(a), self.float(b));
                return Expr::new(code!("{} {operator} {}", wrap(x, a), wrap(y, b)), Type::Float).bond(Bond::Sum);
            }
            let (mut x, y) = (self.int(a), self.int(b));
            if a.small && b.small {
                if [&x, &y].iter().all(|code| code.as_number().is_some()) {
                    x = code!("{x}_i64");
                }
                let e = Expr::new(code!("{} {operator} {}", wrap(x, a), wrap(y, b)), Type::Int).bond(Bond::Sum);
                return Expr { is_constant: a.is_constant && b.is_constant, ..e };
            }
            if !self.marks.has_large_numbers {
                let end = self.try_any();
                return Expr::new(code!("{PHP}::{name}_int({x}, {y}){end}"), Type::Int);
            }
        }
        let literal = b.code.as_number().is_some_and(|number| number != 0);
        if operator == "%" && whole(&a.ty) && whole(&b.ty) && literal {
            let mut x = self.int(a);
            if x.as_number().is_some() {
                x = code!("{x}_i64");
            }
            return Expr::new(code!("{} % {}", wrap(x, a), b.code), Type::Int).bond(Bond::Sum).small(b.small);
        }
        let (x, y) = (self.operand(a), self.operand(b));
        let end = self.try_any();
        let ty = if operator == "%" { Type::Int } else { Type::Value };
        Expr::new(code!("{PHP}::{name}({x}, {y}){end}"), ty)
    }

    pub(super) fn unary(&mut self, node: Node<'t>) -> Expr {
        let operator = field(node, "operator").map(|operator| self.text(operator)).unwrap_or_default();
        let Some(inner) = field(node, "argument") else {
            return self.left(node, "an operator without an operand");
        };
        let e = if operator == "!" { self.asked(inner) } else { self.expression(inner) };
        match operator {
            "!" => {
                if matches!(e.ty, Type::Unit) {
                    return self.left(node, "what has no value is neither true nor false");
                }
                self.not_true(&e)
            }
            "-" if e.ty == Type::Float || (e.ty == Type::Int && e.small) => {
                let inside = e.inside.as_ref().map(|inside| code!("-{inside}"));
                let code = match e.code.as_number() {
                    Some(number) => Code::number(-number),
                    None => code!("-{}", e.within(Bond::Unary)),
                };
                let negative = Expr::new(code, e.ty.clone()).bond(Bond::Unary).small(e.small);
                Expr { inside, is_constant: e.is_constant, ..negative }
            }
            "-" if e.ty == Type::Int => {
                let end = self.try_any();
                Expr::new(code!("{PHP}::sub_int(0, {}){end}", e.code), Type::Int)
            }
            "-" if matches!(e.ty, Type::Value | Type::Text | Type::Bool | Type::Null) => {
                let (operand, end) = (self.operand(&e), self.try_any());
                Expr::new(code!("{PHP}::neg({operand}){end}"), Type::Value)
            }
            "+" if matches!(e.ty, Type::Int | Type::Float) => e,
            "+" if matches!(e.ty, Type::Value | Type::Text | Type::Bool | Type::Null) => {
                let (operand, end) = (self.operand(&e), self.try_any());
                Expr::new(code!("{PHP}::mul({operand}, 1){end}"), Type::Value)
            }
            _ => self.left(node, &format!("the operator {operator} has no counterpart here")),
        }
    }
}
