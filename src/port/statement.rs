//! Converts statements, and the blocks that contain them.

use tree_sitter::Node;

use super::Porter;
use super::array::rust_comment;
use super::code::{Code, Shape, code, indent};
use super::facts::Kind as Stub;
use super::syntax::{all, bare, children, field, line, named, sequence};
use super::value::{Bond, Expr, Form, Type};
use super::yours::Use;

impl<'t> Porter<'t> {
    /// The statements of a block, each with the comments above it. With `tail`, the last one is the
    /// value of the block.
    pub(super) fn statements(&mut self, block: Node<'t>, nodes: &[Node<'t>], tail: Option<bool>) -> Code {
        self.frame().blocks.push(block.id());
        let depth = self.frame().blocks.len();
        // An empty line is an empty piece.
        let mut out: Vec<Code> = Vec::new();
        let mut last: Option<Node<'t>> = None;
        let end = nodes.iter().rposition(|node| node.kind() != "comment" && self.is_written(*node));
        for (number, node) in nodes.iter().enumerate() {
            if node.kind() == "comment" {
                if !self.mark_emitted(*node) {
                    continue;
                }
                let comment = rust_comment(self.text(*node));
                let behind = last.is_some_and(|last| last.end_position().row + 1 == line(*node));
                match out.last_mut().filter(|_| behind && !comment.contains('\n')) {
                    Some(before) => before.push(&code!(" {comment}")),
                    None => {
                        self.gap(&mut out, last, *node);
                        out.push(code!("{comment}"));
                    }
                }
                last = Some(*node);
                continue;
            }
            let notes = std::mem::take(&mut self.state.notes);
            let as_tail = tail.filter(|_| Some(number) == end);
            let acts = std::mem::take(&mut self.state.acts);
            let (new, hoisted) = (self.new_variable(*node), self.frame().hoisted.len());
            let code = self.statement(*node, as_tail);
            let new = new.filter(|_| self.frame().hoisted.len() == hoisted);
            let code = self.settled(*node, code, new);
            self.state.acts = acts;
            let own = std::mem::replace(&mut self.state.notes, notes);
            let mut declared = Vec::new();
            self.frame().hoisted.retain(|(at, code)| {
                if *at == depth {
                    declared.push(code.clone());
                }
                *at != depth
            });
            let unsaid = self.unsaid(*node);
            if code.is_empty() && own.is_empty() && unsaid.is_empty() {
                continue;
            }
            self.gap(&mut out, last, *node);
            out.extend(own.into_iter().map(|note| note.text).chain(unsaid).map(|line| code!("{line}")));
            out.extend(declared.into_iter().map(Code::running));
            if !code.is_empty() {
                out.push(code.running());
            }
            last = Some(*node);
        }
        self.frame().blocks.pop();
        // The variables of this block end with it.
        let open = self.frame().blocks.len();
        self.frame().vars.leave(open.max(1));
        match out.len() {
            1 => out.remove(0),
            _ => Code::joined(&out, "\n"),
        }
    }

    /// The name of a variable that a statement assigns first.
    fn new_variable(&mut self, node: Node<'t>) -> Option<&'t str> {
        let assigned = children(node).first().copied().filter(|_| node.kind() == "expression_statement")?;
        let left = field(assigned, "left").filter(|_| assigned.kind() == "assignment_expression")?;
        let name = super::syntax::variable(left, self.php)?;
        (!self.frame().vars.contains(name)).then_some(name)
    }

    /// Whether a statement produces code: the last one that does is the value of a function.
    fn is_written(&self, node: Node<'t>) -> bool {
        !matches!(
            node.kind(),
            "php_tag"
                | "php_end_tag"
                | "text_interpolation"
                | "empty_statement"
                | "namespace_use_declaration"
                | "declare_statement"
                | "function_definition"
                | "class_declaration"
                | "trait_declaration"
                | "interface_declaration"
        )
    }

    /// An empty line where PHP has one.
    fn gap(&self, out: &mut Vec<Code>, last: Option<Node<'t>>, node: Node<'t>) {
        if last.is_some_and(|last| line(node) > last.end_position().row + 2) && !out.is_empty() {
            out.push(Code::default());
        }
    }

    /// The comments inside a statement that are not emitted with one of its parts.
    fn unsaid(&mut self, node: Node<'t>) -> Vec<String> {
        let mut found = Vec::new();
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            if matches!(
                node.kind(),
                "function_definition" | "class_declaration" | "trait_declaration" | "interface_declaration"
            ) {
                continue;
            }
            if node.kind() == "comment" && self.mark_emitted(node) {
                found.push((node.start_byte(), rust_comment(self.text(node))));
            }
            stack.extend(all(node));
        }
        found.sort();
        found.into_iter().map(|(_, comment)| comment).collect()
    }

    /// The statements in the braces of a block, or a single statement without braces.
    pub(super) fn block(&mut self, node: Node<'t>) -> Code {
        match node.kind() {
            "compound_statement" | "colon_block" => self.statements(node, &named(node), None),
            _ => self.statements(node, &[node], None),
        }
    }

    fn statement(&mut self, node: Node<'t>, tail: Option<bool>) -> Code {
        self.statement = Some(node);
        match node.kind() {
            "expression_statement" => match children(node).first() {
                Some(inner) => self.expression_statement(*inner),
                None => Code::default(),
            },
            "echo_statement" => self.detached_by(node, |porter| porter.echo(node)),
            "return_statement" => self.give_back(node, children(node).first().copied(), tail.is_some()),
            "if_statement" => self.branch(node),
            "foreach_statement" => self.foreach(node),
            "while_statement" => self.repeat(node),
            "do_statement" => self.repeat_after(node),
            "for_statement" => self.counted(node),
            "switch_statement" => self.switch(node),
            "try_statement" => self.attempt(node),
            "break_statement" | "continue_statement" => self.leave_loop(node, tail.is_some()),
            "compound_statement" => code!("{{\n{}\n}}", indent(&self.block(node))),
            "exit_statement" => self.exit(node, children(node).first().copied()).statement(),
            "unset_statement" => self.unset(node),
            "const_declaration" | "function_definition" | "class_declaration" | "trait_declaration" => Code::default(),
            // An interface has no code: its classes have their methods.
            "interface_declaration" => Code::default(),
            // The generated program has its own equivalents.
            "php_tag"
            | "php_end_tag"
            | "empty_statement"
            | "namespace_use_declaration"
            | "namespace_definition"
            | "declare_statement" => Code::default(),
            "text_interpolation" | "text" => self.page(node),
            "global_declaration" | "function_static_declaration" => {
                self.note_left(node, "give what is needed as a parameter").statement()
            }
            kind => {
                let why = format!("{} has no counterpart here", kind.replace('_', " "));
                self.note_left(node, &why).statement()
            }
        }
    }

    /// The text around the code, which PHP prints. Of a page, only blanks are carried over.
    fn page(&mut self, node: Node<'t>) -> Code {
        match self.page_text(node) {
            "" => Code::default(),
            blank if blank.trim().is_empty() => code!("print!({})", Code::quoted(blank)).statement(),
            _ => self.note_left(node, "a page around the code has no counterpart here").statement(),
        }
    }

    pub(super) fn page_text(&self, node: Node<'t>) -> &'t str {
        let text = self.text(node);
        // PHP skips the line end after a closing tag.
        let text = match text.strip_prefix("?>") {
            Some(rest) => rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')).unwrap_or(rest),
            None => text,
        };
        let text = text.trim_end_matches("?>");
        text.strip_suffix("<?php").unwrap_or(text)
    }

    fn expression_statement(&mut self, node: Node<'t>) -> Code {
        let node = bare(node);
        match node.kind() {
            "assignment_expression" => self.assignment(node),
            "augmented_assignment_expression" => self.augmented(node),
            "update_expression" => self.update(node),
            "throw_expression" => self.throw(node),
            "binary_expression" if self.is_shortcut(node) => self.shortcut(node),
            "member_call_expression" if field(node, "name").is_some_and(|name| self.text(name) == "wait") => {
                let called = self.promise(node, Some(&Type::Unit));
                self.ended(node, called)
            }
            _ => {
                let e = self.given_value(node);
                // The value of a statement is not used, so it needs no type.
                if self.was_left(node) { self.todo(node).statement() } else { self.ended(node, e) }
            }
        }
    }

    /// `$a && $b = 1`, `$a or throw ...`
    fn is_shortcut(&self, node: Node<'t>) -> bool {
        let operator = field(node, "operator").map(|operator| self.text(operator).to_ascii_lowercase());
        matches!(operator.as_deref(), Some("&&" | "and" | "||" | "or"))
    }

    fn shortcut(&mut self, node: Node<'t>) -> Code {
        let (Some(left), Some(right), Some(operator)) =
            (field(node, "left"), field(node, "right"), field(node, "operator"))
        else {
            return self.note_left(node, "an operator without operands").statement();
        };
        let asked = self.asked(left);
        let and = matches!(self.text(operator).to_ascii_lowercase().as_str(), "&&" | "and");
        let asked = if and {
            self.truth(&asked, super::value::Bond::Loose)
        } else {
            Code::not(self.truth(&asked, super::value::Bond::Unary))
        };
        self.frame().blocks.push(right.id());
        let done = self.expression_statement(right);
        self.frame().blocks.pop();
        code!("if {asked} {{\n{}\n}}", indent(&done))
    }

    /// An expression whose value is unused, as a statement.
    fn ended(&mut self, node: Node<'t>, e: Expr) -> Code {
        match &e.ty {
            Type::Promise(_) => {
                let todo = self.note_left(node, "a promise does nothing here until it is waited for: add ->wait()");
                code!("{todo}").statement()
            }
            _ if e.code.is_empty() => Code::default(),
            Type::Unit | Type::Response => e.code.statement(),
            _ if e.form == Form::Owned && e.bond == Bond::Tight && matches!(e.code.shape(), Shape::Tried) => {
                e.code.statement()
            }
            _ => code!("let _ = {};", e.code),
        }
    }

    /// Whether this is a method of a class that answers requests of a web server.
    fn answers_request(&mut self) -> bool {
        self.frame().class.is_some() && self.marks.answers_requests
    }

    /// PHP prints each argument before it evaluates the next, which may print something or fail.
    fn echo(&mut self, node: Node<'t>) -> Code {
        let (mut groups, mut parts): (Vec<Vec<Expr>>, Vec<Expr>) = (Vec::new(), Vec::new());
        for child in children(node) {
            for one in sequence(child) {
                let mut next = Vec::new();
                self.concatenated(one, &mut next);
                let acts = next.iter().any(|part| part.literal.is_none() && part.code.fails());
                if acts && !parts.is_empty() {
                    groups.push(std::mem::take(&mut parts));
                }
                parts.extend(next);
            }
        }
        groups.push(parts);
        let printed: Vec<Code> = groups.into_iter().map(|parts| self.printed(node, parts)).collect();
        Code::lines(printed)
    }

    pub(super) fn printed(&mut self, node: Node<'t>, parts: Vec<Expr>) -> Code {
        if self.is_printing() {
            let text = self.joined(parts);
            return code!("output.echo({})", self.str(&text)).statement();
        }
        if self.answers_request() {
            // What PHP sends to the browser is no output of the program.
            let text = self.joined(parts);
            let used = Use {
                kind: Stub::Function,
                owner: None,
                object: Code::default(),
                name: "echo",
                php: "echo".to_owned(),
            };
            let sent = self.stub_returning(node, &used, vec![text], Some(Type::Unit));
            return sent.code.statement();
        }
        let mut merged: Vec<Expr> = Vec::new();
        for part in parts {
            match (merged.last_mut(), &part.literal) {
                (Some(Expr { literal: Some(before), .. }), Some(literal)) => {
                    let both = Expr::literal(&format!("{before}{literal}"));
                    merged.pop();
                    merged.push(both);
                }
                _ => merged.push(part),
            }
        }
        if merged.iter().any(|part| part.code.counts()) {
            // A piece may have side effects that the next pieces print.
            let each: Vec<Code> =
                merged.iter().map(|part| self.formatted("print", std::slice::from_ref(part)).statement()).collect();
            return Code::lines(each);
        }
        let ends = merged
            .last()
            .and_then(|last| last.literal.as_deref())
            .and_then(|text| text.strip_suffix('\n'))
            .map(str::to_owned);
        match ends {
            Some(rest) => {
                merged.pop();
                if !rest.is_empty() {
                    merged.push(Expr::literal(&rest));
                }
                if merged.is_empty() {
                    Code::from("println!()").statement()
                } else {
                    self.formatted("println", &merged).statement()
                }
            }
            None => self.formatted("print", &merged).statement(),
        }
    }
}
