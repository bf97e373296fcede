//! Converts branches, loops and jumps.

use tree_sitter::Node;

use super::Porter;
use super::catch::diverges;
use super::code::{Code, code, indent};
use super::frame::Kind;
use super::syntax::{all, bare, children, contains_own, field};
use super::value::{Bond, Expr, Type};

impl<'t> Porter<'t> {
    pub(super) fn branch(&mut self, node: Node<'t>) -> Code {
        let (Some(condition), Some(body)) = (field(node, "condition"), field(node, "body")) else {
            return self.note_left(node, "a condition of an unknown form").statement();
        };
        let mut out = self.guarded("if", condition, body);
        let mut next = Some(node);
        while let Some(node) = next.take() {
            let mut cursor = node.walk();
            let alternatives: Vec<Node<'t>> = node.children_by_field_name("alternative", &mut cursor).collect();
            for alternative in alternatives {
                let body = field(alternative, "body");
                // `else if` is converted like `elseif`.
                let chained = body.filter(|body| alternative.kind() == "else_clause" && body.kind() == "if_statement");
                let parts = chained.unwrap_or(alternative);
                match (alternative.kind(), field(parts, "condition"), field(parts, "body")) {
                    ("else_if_clause", Some(condition), Some(body)) | ("else_clause", Some(condition), Some(body)) => {
                        out.push(&code!(" else {}", self.guarded("if", condition, body)));
                    }
                    ("else_clause", None, Some(body)) => {
                        let block = self.block(body);
                        if !block.is_empty() {
                            out.push(&code!(" else {{\n{}\n}}", indent(&block)));
                        }
                    }
                    _ => out.push(&code!(
                        " else {{\n    {};\n}}",
                        self.note_left(alternative, "a branch of an unknown form")
                    )),
                }
                next = chained;
            }
        }
        out
    }

    /// `if condition { body }`. A condition that checks that an error has a response binds the
    /// response.
    fn guarded(&mut self, word: &str, condition: Node<'t>, body: Node<'t>) -> Code {
        if let Some((name, answer)) = self.has_answer(condition) {
            let shown = self.fresh_word("response");
            self.frame().answers.insert(name.clone(), shown.clone());
            let block = self.block(body);
            self.frame().answers.remove(&name);
            if block.uses(&shown) {
                return code!("{word} let Some({shown}) = {answer} {{\n{}\n}}", indent(&block));
            }
            return code!("{word} {answer}.is_some() {{\n{}\n}}", indent(&block));
        }
        self.statement = Some(condition);
        let detached = self.calls_changing(condition);
        let outer = std::mem::replace(&mut self.frame().detached, detached);
        let asked = self.asked(condition);
        self.frame().detached = outer;
        let asked = self.truth(&asked, Bond::Loose);
        let block = self.block(body);
        if block.is_empty() {
            return code!("{word} {asked} {{}}");
        }
        code!("{word} {asked} {{\n{}\n}}", indent(&block))
    }

    /// `$e instanceof RequestException && $e->hasResponse()`, or the latter alone: the error's
    /// variable and its response.
    fn has_answer(&mut self, condition: Node<'t>) -> Option<(String, Code)> {
        let mut parts = vec![bare(condition)];
        let mut name = None;
        let mut asks = Vec::new();
        while let Some(part) = parts.pop() {
            let part = bare(part);
            let operator = field(part, "operator").map(|operator| self.text(operator).to_ascii_lowercase());
            match (part.kind(), operator.as_deref()) {
                ("binary_expression", Some("&&" | "and")) => {
                    parts.push(field(part, "right")?);
                    parts.push(field(part, "left")?);
                }
                // Every error of these classes that has a response matches.
                ("binary_expression", Some("instanceof")) => {
                    let class = self.class(field(part, "right")?);
                    let last = class.rsplit('\\').next().unwrap_or_default().to_owned();
                    if !matches!(
                        last.as_str(),
                        "requestexception" | "badresponseexception" | "transferexception" | "guzzleexception"
                    ) {
                        return None;
                    }
                    asks.push(super::syntax::variable(field(part, "left")?, self.php)?.to_owned());
                }
                ("member_call_expression", _)
                    if field(part, "name").is_some_and(|name| self.text(name) == "hasResponse") =>
                {
                    name = Some(super::syntax::variable(field(part, "object")?, self.php)?.to_owned());
                }
                _ => return None,
            }
        }
        let name = name?;
        if asks.iter().any(|asked| *asked != name) {
            return None;
        }
        let var = self.frame().vars.get(&name).cloned()?;
        if !matches!(var.ty, Type::Error | Type::BoxError) {
            return None;
        }
        let answer = self.answer(&Expr::place(var.rust, var.ty));
        Some((name, answer))
    }

    /// `switch`, where each case ends with `break`, `return` or `throw`.
    pub(super) fn switch(&mut self, node: Node<'t>) -> Code {
        let (Some(condition), Some(body)) = (field(node, "condition"), field(node, "body")) else {
            return self.note_left(node, "a switch of an unknown form").statement();
        };
        if !matches!(bare(condition).kind(), "variable_name" | "subscript_expression" | "boolean") {
            return self.note_left(node, "a switch of a calculation: give it a variable first").statement();
        }
        if continues(body) {
            return self.note_left(node, "continue in a switch is break there: write it with if").statement();
        }
        let subject = self.expression(condition);
        let (mut out, mut tests, mut other) = (Vec::new(), Vec::new(), None);
        let cases = children(body);
        let last = cases.len();
        for (number, case) in cases.into_iter().enumerate() {
            let value = field(case, "value");
            if let Some(value) = value {
                let test = self.expression(value);
                let Some(test) = self.is_equal(&subject, &test) else {
                    return self.note_left(node, "a switch of this type: write it with if").statement();
                };
                tests.push(test.within(Bond::And));
            }
            let mut statements: Vec<Node<'t>> =
                all(case).into_iter().filter(|child| child.is_named() && Some(*child) != value).collect();
            let code = statements.iter().filter(|one| one.kind() != "comment").count();
            if value.is_none() && number + 1 < last {
                return self.note_left(node, "a default before other cases: write it last").statement();
            }
            if value.is_none() && !tests.is_empty() {
                // `case 1: default:` is the default.
                tests.clear();
            }
            if code == 0 && number + 1 < last && value.is_some() {
                // `case 1: case 2:`
                continue;
            }
            let ends = statements.iter().rposition(|one| one.kind() != "comment");
            match ends.and_then(|at| statements.get(at).copied()) {
                Some(end) if end.kind() == "break_statement" => {
                    statements.retain(|one| *one != end);
                }
                Some(end) if diverges(end) || number + 1 == last => {}
                None if number + 1 == last => {}
                _ => return self.note_left(node, "a case that runs into the next: write it with if").statement(),
            }
            if statements.iter().any(|one| breaks(*one)) {
                return self.note_left(node, "a break in the middle of a case: write it with if").statement();
            }
            let block = self.statements(case, &statements, None);
            match value {
                Some(_) => out.push((Code::joined(&tests, " || "), block)),
                None => other = Some(block),
            }
            tests.clear();
        }
        let mut code = Code::default();
        for (number, (test, block)) in out.iter().enumerate() {
            let word = if number == 0 { "if" } else { " else if" };
            code.push(&code!("{word} {test} {{\n{}\n}}", indent(block)));
        }
        match other {
            Some(block) if code.is_empty() => block,
            Some(block) => code!("{code} else {{\n{}\n}}", indent(&block)),
            None => code,
        }
    }

    /// With `tail`, it is the value of the closure that a `try` becomes.
    pub(super) fn leave_loop(&mut self, node: Node<'t>, tail: bool) -> Code {
        let word = if node.kind() == "break_statement" { "break" } else { "continue" };
        if !children(node).is_empty() || self.frame().loops == 0 {
            return self
                .note_left(node, "a loop around the innermost one is left: give the loops a function")
                .statement();
        }
        let jump = self.leave_by(node, word);
        if tail && self.leaves_try() && jump.jumps() { Code::from("Ok(true)").jump() } else { jump.statement() }
    }

    /// Whether the innermost loop is outside of a closure that a `try` becomes.
    fn leaves_try(&mut self) -> bool {
        let loops = self.frame().loops;
        let flow = self.flow();
        flow.kind == Kind::Try && flow.loops == loops
    }

    /// `break` or `continue`, also when it leaves the closure that a `try` becomes.
    pub(super) fn leave_by(&mut self, node: Node<'t>, word: &'static str) -> Code {
        if !self.leaves_try() {
            return Code::from(word).jump();
        }
        let flow = self.flow();
        let tangled = flow.found.returning || flow.found.leaves.is_some_and(|other| other != word);
        flow.found.tangled |= tangled;
        flow.found.leaves = Some(word);
        if tangled {
            return self.note_left(node, "a try is left in several ways: give it a function");
        }
        Code::from("return Ok(true)").jump()
    }

    /// Converts `exit` and `die`, and the text that they print.
    pub(super) fn exit(&mut self, node: Node<'t>, status: Option<Node<'t>>) -> Code {
        if self.frame().class.is_some() && !self.is_printing() {
            let why = "exit ends the request in PHP and the whole process here: return, or give back an error";
            return self.note_left(node, why);
        }
        let status = status.map(|status| self.expression(status));
        if self.is_printing() {
            return self.end_of_request(node, status);
        }
        match status {
            None => Code::from("std::process::exit(0)").jump(),
            Some(status) if status.ty == Type::Int => {
                let status = match status.code.as_number() {
                    Some(0 | 1) => status.code,
                    _ => Code::cast(status.within(Bond::Unary), "i32"),
                };
                code!("std::process::exit({status})").jump()
            }
            Some(status) => code!("{};\nstd::process::exit(0)", self.formatted("print", &[status])).jump(),
        }
    }

    /// Converts `exit` in a handler: the function returns the response with the text that it
    /// printed.
    fn end_of_request(&mut self, node: Node<'t>, status: Option<Expr>) -> Code {
        let printed = match status {
            // `exit` does not print an integer: it is the exit code of the process.
            None | Some(Expr { ty: Type::Int, .. }) => Code::default(),
            Some(text) if matches!(text.ty, Type::Text | Type::Body) => code!("{}\n", self.printed(node, vec![text])),
            Some(_) => {
                let why = "exit prints a text, but not a number: convert the value with (string)";
                return self.note_left(node, why);
            }
        };
        let (_, jump) = self.returned(node, None, false);
        code!("{printed}{jump}").jump()
    }
}

/// Whether a statement in a `switch` contains a `break` of it, also in a branch.
fn breaks(node: Node<'_>) -> bool {
    contains_own(node, "break_statement", 1)
}

/// Whether a `switch` contains a `continue`, which leaves it like `break`.
fn continues(node: Node<'_>) -> bool {
    contains_own(node, "continue_statement", 1)
}
