//! Converts branches, loops and jumps.

use tree_sitter::Node;

use super::Porter;
use super::catch::diverges;
use super::scope::{Kind, Var};
use super::syntax::{all, bare, children, field};
use super::text::indent;
use super::value::{Bond, Expr, Form, Type};

impl<'t> Porter<'t> {
    pub(super) fn branch(&mut self, node: Node<'t>) -> String {
        let (Some(condition), Some(body)) = (field(node, "condition"), field(node, "body")) else {
            return format!("{};", self.note_left(node, "a condition of an unknown form"));
        };
        let mut out = self.guarded("if", condition, body);
        let mut cursor = node.walk();
        let alternatives: Vec<Node<'t>> = node.children_by_field_name("alternative", &mut cursor).collect();
        let mut closing = 0;
        for alternative in alternatives {
            match (alternative.kind(), field(alternative, "condition"), field(alternative, "body")) {
                ("else_if_clause", Some(condition), Some(body)) => {
                    // Statements that the condition needs come before its own `if`.
                    let (code, nested) = self.else_if(condition, body);
                    out.push_str(&code);
                    closing += usize::from(nested);
                }
                ("else_clause", _, Some(body)) => match body.kind() {
                    "if_statement" => out.push_str(&format!(" else {}", self.branch(body))),
                    _ => {
                        let block = self.block(body);
                        if !block.is_empty() {
                            out.push_str(&format!(" else {{\n{}\n}}", indent(&block)));
                        }
                    }
                },
                _ => out.push_str(&format!(
                    " else {{\n    {};\n}}",
                    self.note_left(alternative, "a branch of an unknown form")
                )),
            }
        }
        for _ in 0..closing {
            out.push_str("\n}");
        }
        out
    }

    fn else_if(&mut self, condition: Node<'t>, body: Node<'t>) -> (String, bool) {
        (format!(" else {}", self.guarded("if", condition, body)), false)
    }

    /// `if condition { body }`. A condition that checks that an error has a response binds the
    /// response.
    fn guarded(&mut self, word: &str, condition: Node<'t>, body: Node<'t>) -> String {
        if let Some((name, answer)) = self.has_answer(condition) {
            let shown = self.fresh_word("response");
            self.frame().answers.insert(name.clone(), shown.clone());
            let block = self.block(body);
            self.frame().answers.remove(&name);
            let used = block.contains(&shown);
            if used {
                return format!("{word} let Some({shown}) = {answer} {{\n{}\n}}", indent(&block));
            }
            return format!("{word} {answer}.is_some() {{\n{}\n}}", indent(&block));
        }
        let asked = self.expression(condition);
        let asked = self.truth(&asked, Bond::Loose);
        let block = self.block(body);
        if block.is_empty() {
            return format!("{word} {asked} {{}}");
        }
        format!("{word} {asked} {{\n{}\n}}", indent(&block))
    }

    /// `$e instanceof RequestException && $e->hasResponse()`, or the latter alone: the error's
    /// variable and its response.
    fn has_answer(&mut self, condition: Node<'t>) -> Option<(String, String)> {
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

    pub(super) fn foreach(&mut self, node: Node<'t>) -> String {
        let parts = children(node);
        let body = field(node, "body");
        let (Some(body), [list, bound, ..]) = (body, parts.as_slice()) else {
            return format!("{};", self.note_left(node, "a loop of an unknown form"));
        };
        let of = self.expression(*list);
        let (key, value) = match bound.kind() {
            "pair" => match children(*bound).as_slice() {
                [key, value] => (Some(*key), *value),
                _ => (None, *bound),
            },
            _ => (None, *bound),
        };
        let names = (key.map(|key| super::syntax::variable(key, self.php)), super::syntax::variable(value, self.php));
        let (key, Some(value)) = names else {
            return format!(
                "{};",
                self.note_left(node, "a loop that takes its elements apart or changes them: do it in its body")
            );
        };
        let element = match &of.ty {
            Type::Value => Type::Value,
            Type::Answers(of) => (**of).clone(),
            _ => Type::Unit,
        };
        if element == Type::Unit || key == Some(None) {
            return format!("{};", self.note_left(node, "what is walked through is no array that is known"));
        }
        let rust = self.fresh_here(value);
        self.frame().loops += 1;
        let (loops, block) = (self.frame().loops, self.frame().blocks.len() + 1);
        let var = Var {
            rust: rust.clone(),
            ty: element.clone(),
            form: Form::Ref,
            literal: None,
            block,
            loops,
            mutable: false,
        };
        self.frame().vars.insert(value.to_owned(), var);
        let list = of.reference();
        let head = match key.flatten() {
            None => {
                let helper = "php_values";
                if element == Type::Value {
                    format!("for {rust} in {helper}({list})")
                } else {
                    format!("for (_, {rust}) in {list}")
                }
            }
            Some(key) => {
                let name = self.fresh_here(key);
                let var = Var {
                    rust: name.clone(),
                    ty: Type::Text,
                    form: Form::Place,
                    literal: None,
                    block,
                    loops,
                    mutable: false,
                };
                self.frame().vars.insert(key.to_owned(), var);
                let helper = "php_pairs";
                if element == Type::Value {
                    format!("for ({name}, {rust}) in {helper}({list})")
                } else {
                    format!("for ({name}, {rust}) in {list}")
                }
            }
        };
        let block = self.block(body);
        self.frame().loops -= 1;
        format!("{head} {{\n{}\n}}", indent(&block))
    }

    pub(super) fn repeat(&mut self, node: Node<'t>) -> String {
        let (Some(condition), Some(body)) = (field(node, "condition"), field(node, "body")) else {
            return format!("{};", self.note_left(node, "a loop of an unknown form"));
        };
        self.frame().loops += 1;
        let asked = self.expression(condition);
        let asked = self.truth(&asked, Bond::Loose);
        let block = self.block(body);
        self.frame().loops -= 1;
        let head = if asked == "true" { "loop".to_owned() } else { format!("while {asked}") };
        format!("{head} {{\n{}\n}}", indent(&block))
    }

    /// `do { ... } while (...)`
    pub(super) fn repeat_after(&mut self, node: Node<'t>) -> String {
        let (Some(condition), Some(body)) = (field(node, "condition"), field(node, "body")) else {
            return format!("{};", self.note_left(node, "a loop of an unknown form"));
        };
        if self.text(body).contains("continue") {
            return format!("{};", self.note_left(node, "continue in a do loop: write it with while (true)"));
        }
        self.frame().loops += 1;
        let block = self.block(body);
        let asked = self.expression(condition);
        let asked = self.truth(&asked, Bond::Unary);
        self.frame().loops -= 1;
        format!("loop {{\n{}\n    if !{asked} {{\n        break;\n    }}\n}}", indent(&block))
    }

    /// `for ($i = 0; $i < $n; $i++)`
    pub(super) fn counted(&mut self, node: Node<'t>) -> String {
        let why = "a for whose parts are no plain count: write it with while";
        let parts = (field(node, "initialize"), field(node, "condition"), field(node, "update"), field(node, "body"));
        let (Some(first), Some(condition), Some(update), Some(body)) = parts else {
            return format!("{};", self.note_left(node, why));
        };
        let counter = field(first, "left").and_then(|left| super::syntax::variable(left, self.php));
        let asked = field(condition, "left").and_then(|left| super::syntax::variable(left, self.php));
        let stepped = children(update).first().and_then(|left| super::syntax::variable(*left, self.php));
        let operator = field(condition, "operator").map(|operator| self.text(operator)).unwrap_or_default();
        let plain = counter.is_some()
            && counter == asked
            && counter == stepped
            && update.kind() == "update_expression"
            && self.text(update).contains("++")
            && matches!(operator, "<" | "<=");
        let (Some(name), true, Some(from), Some(to)) =
            (counter, plain, field(first, "right"), field(condition, "right"))
        else {
            return format!("{};", self.note_left(node, why));
        };
        let (from, to) = (self.expression(from), self.expression(to));
        let (from, to) = (self.int(&from), self.int(&to));
        let rust = self.fresh_here(name);
        self.frame().loops += 1;
        let (loops, block) = (self.frame().loops, self.frame().blocks.len() + 1);
        let var =
            Var { rust: rust.clone(), ty: Type::Int, form: Form::Place, literal: None, block, loops, mutable: false };
        self.frame().vars.insert(name.to_owned(), var);
        let code = self.block(body);
        self.frame().loops -= 1;
        let dots = if operator == "<" { ".." } else { "..=" };
        format!("for {rust} in {from}{dots}{to} {{\n{}\n}}", indent(&code))
    }

    /// `switch`, where each case ends with `break`, `return` or `throw`.
    pub(super) fn switch(&mut self, node: Node<'t>) -> String {
        let (Some(condition), Some(body)) = (field(node, "condition"), field(node, "body")) else {
            return format!("{};", self.note_left(node, "a switch of an unknown form"));
        };
        let subject = self.expression(condition);
        let (mut out, mut tests, mut other) = (Vec::new(), Vec::new(), None);
        let cases = children(body);
        let last = cases.len();
        for (number, case) in cases.into_iter().enumerate() {
            let value = field(case, "value");
            if let Some(value) = value {
                let test = self.expression(value);
                tests.push(match (&subject.ty, &test.ty) {
                    (Type::Value, Type::Text) => format!("{} == {}", subject.tight(), self.plain_str(&test)),
                    (a, b) if a == b || *a == Type::Value || (*a == Type::Status && *b == Type::Int) => {
                        format!("{} == {}", subject.within(Bond::Sum), test.within(Bond::Sum))
                    }
                    _ => return format!("{};", self.note_left(node, "a switch of this type: write it with if")),
                });
            }
            let mut statements: Vec<Node<'t>> =
                all(case).into_iter().filter(|child| child.is_named() && Some(*child) != value).collect();
            let code = statements.iter().filter(|one| one.kind() != "comment").count();
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
                _ => return format!("{};", self.note_left(node, "a case that runs into the next: write it with if")),
            }
            if statements.iter().any(|one| one.kind() == "break_statement") {
                return format!("{};", self.note_left(node, "a break in the middle of a case: write it with if"));
            }
            let block = self.statements(case, &statements, None);
            match value {
                Some(_) => out.push((tests.join(" || "), block)),
                None => other = Some(block),
            }
            tests.clear();
        }
        let mut code = String::new();
        for (number, (test, block)) in out.iter().enumerate() {
            let word = if number == 0 { "if" } else { " else if" };
            code.push_str(&format!("{word} {test} {{\n{}\n}}", indent(block)));
        }
        match other {
            Some(block) if code.is_empty() => block,
            Some(block) => format!("{code} else {{\n{}\n}}", indent(&block)),
            None => code,
        }
    }

    pub(super) fn leave_loop(&mut self, node: Node<'t>) -> String {
        let word = if node.kind() == "break_statement" { "break" } else { "continue" };
        if !children(node).is_empty() || self.frame().loops == 0 {
            return format!(
                "{};",
                self.note_left(node, "a loop around the innermost one is left: give the loops a function")
            );
        }
        self.leave_by(node, word)
    }

    /// `break` or `continue`, also when it leaves the closure that a `try` becomes.
    pub(super) fn leave_by(&mut self, node: Node<'t>, word: &'static str) -> String {
        let loops = self.frame().loops;
        let flow = self.flow();
        if flow.kind != Kind::Try || flow.loops != loops {
            return format!("{word};");
        }
        // The loop is outside of the closure.
        let tangled = flow.found.returning || flow.found.leaves.is_some_and(|other| other != word);
        flow.found.tangled |= tangled;
        flow.found.leaves = Some(word);
        if tangled {
            return format!("{};", self.note_left(node, "a try is left in several ways: give it a function"));
        }
        "return Ok(true);".to_owned()
    }

    pub(super) fn exit(&mut self, node: Node<'t>) -> String {
        match children(node).first() {
            None => "std::process::exit(0);".to_owned(),
            Some(status) => {
                let status = self.expression(*status);
                match status.ty {
                    Type::Int => format!("std::process::exit({} as i32);", status.within(Bond::Unary))
                        .replace("(0 as i32)", "(0)")
                        .replace("(1 as i32)", "(1)"),
                    _ => format!("{};\nstd::process::exit(0);", self.formatted("print", &[status])),
                }
            }
        }
    }
}
