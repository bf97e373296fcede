//! Converts loops.

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, code, indent};
use super::imports::PHP;
use super::syntax::{children, contains_own, field};
use super::value::{Bond, Expr, Form, Type};
use super::vars::Var;

impl<'t> Porter<'t> {
    pub(super) fn foreach(&mut self, node: Node<'t>) -> Code {
        let parts = children(node);
        let body = field(node, "body");
        let (Some(body), [list, bound, ..]) = (body, parts.as_slice()) else {
            return self.note_left(node, "a loop of an unknown form").statement();
        };
        let of = self.given_value(*list);
        let (key, value) = match bound.kind() {
            "pair" => match children(*bound).as_slice() {
                [key, value] => (Some(*key), *value),
                _ => (None, *bound),
            },
            _ => (None, *bound),
        };
        let names = (key.map(|key| super::syntax::variable(key, self.php)), super::syntax::variable(value, self.php));
        let (key, Some(value)) = names else {
            return self
                .note_left(node, "a loop that takes its elements apart or changes them: do it in its body")
                .statement();
        };
        let element = match &of.ty {
            Type::Value => Type::Value,
            Type::Answers(of) => (**of).clone(),
            _ => Type::Unit,
        };
        if element == Type::Unit || key == Some(None) {
            return self.note_left(node, "foreach over a value that may not be an array").statement();
        }
        let span = (node.start_byte(), node.end_byte());
        let key = key.flatten();
        if [Some(value), key].into_iter().flatten().any(|name| !self.frame().is_local_to(name, span)) {
            return self.note_left(node, "the variable of a loop is used outside of it").statement();
        }
        let mut root = *list;
        while let ("subscript_expression", Some(first)) = (root.kind(), children(root).first().copied()) {
            root = first;
        }
        let changes = super::syntax::variable(root, self.php).is_some_and(|list| self.frame().is_modified(list))
            || (super::syntax::variable(root, self.php).is_some_and(|name| super::lower::property(name).is_some())
                && self.changes_object(body));
        let list = match of.form {
            // The loop walks through the array as it was.
            Form::Owned => code!("&{}", of.within(Bond::Unary)),
            _ if changes => code!("&{}.clone()", of.tight()),
            _ => of.reference(),
        };
        self.frame().loops += 1;
        let mut head = Vec::new();
        let name = self.bound(value, element.clone(), Form::Ref, &mut head);
        let pattern = match (key, &element) {
            (None, Type::Value) => name,
            (None, _) => code!("(_, {name})"),
            (Some(key), _) => {
                let ty = if element == Type::Value { Type::Value } else { Type::Text };
                code!("({}, {name})", self.bound(key, ty, Form::Place, &mut head))
            }
        };
        let list = match (key, &element) {
            (None, Type::Value) => code!("{PHP}::values({list})"),
            (Some(_), Type::Value) => code!("{PHP}::pairs({list})"),
            _ => list,
        };
        let block = self.block(body);
        self.frame().loops -= 1;
        for name in [Some(value), key].into_iter().flatten() {
            self.frame().vars.remove(name);
        }
        code!("for {pattern} in {list} {{\n{}\n}}", indent(&Code::lines(head.into_iter().chain([block]).collect())))
    }

    /// A variable that a loop binds: its name in the pattern. If the body changes it, the body
    /// begins with a copy.
    fn bound(&mut self, php: &str, ty: Type, form: Form, head: &mut Vec<Code>) -> Code {
        let rust = self.fresh_here(php);
        let (loops, block) = (self.frame().loops, self.frame().blocks.len() + 1);
        let story = self.frame().uses.get(php);
        let changed = story.is_some_and(|story| {
            story.uses.iter().any(|one| !matches!(one.act, super::scope::Act::Read | super::scope::Act::Bind))
        });
        let (form, mutable) = match (changed, form) {
            (false, form) => (form, false),
            (true, Form::Ref) => {
                head.push(code!("let mut {rust} = {rust}.clone();"));
                (Form::Place, true)
            }
            (true, form) => {
                head.push(code!("let mut {rust} = {rust};"));
                (form, true)
            }
        };
        let var = Var { form, block, loops, mutable, ..Var::place(rust.clone(), ty) };
        self.frame().vars.insert(php.to_owned(), var);
        rust
    }

    pub(super) fn repeat(&mut self, node: Node<'t>) -> Code {
        let (Some(condition), Some(body)) = (field(node, "condition"), field(node, "body")) else {
            return self.note_left(node, "a loop of an unknown form").statement();
        };
        self.frame().loops += 1;
        let asked = self.asked(condition);
        let asked = self.truth(&asked, Bond::Loose);
        let block = self.block(body);
        self.frame().loops -= 1;
        let head = if asked.as_truth() == Some(true) { "loop".into() } else { code!("while {asked}") };
        code!("{head} {{\n{}\n}}", indent(&block))
    }

    /// `do { ... } while (...)`
    pub(super) fn repeat_after(&mut self, node: Node<'t>) -> Code {
        let (Some(condition), Some(body)) = (field(node, "condition"), field(node, "body")) else {
            return self.note_left(node, "a loop of an unknown form").statement();
        };
        if has_continue(body) {
            return self.note_left(node, "continue in a do loop: write it with while (true)").statement();
        }
        self.frame().loops += 1;
        let block = self.block(body);
        self.statement = Some(condition);
        let asked = self.asked(condition);
        let asked = self.truth(&asked, Bond::Unary);
        self.frame().loops -= 1;
        code!("loop {{\n{}\n    if !{asked} {{\n        break;\n    }}\n}}", indent(&block))
    }

    /// `for ($i = 0; $i < $n; $i++)`
    pub(super) fn counted(&mut self, node: Node<'t>) -> Code {
        let why = "a for loop that does more than count: write it with while";
        let parts = (field(node, "initialize"), field(node, "condition"), field(node, "update"), field(node, "body"));
        let (Some(first), Some(condition), Some(update), Some(body)) = parts else {
            return self.note_left(node, why).statement();
        };
        let counter = field(first, "left").and_then(|left| super::syntax::variable(left, self.php));
        let Some(name) = counter.filter(|_| first.kind() == "assignment_expression") else {
            return self.note_left(node, why).statement();
        };
        let asked = field(condition, "left").and_then(|left| super::syntax::variable(left, self.php));
        let stepped = children(update).first().and_then(|left| super::syntax::variable(*left, self.php));
        let operator = field(condition, "operator").map(|operator| self.text(operator)).unwrap_or_default();
        let plain = counter == asked
            && counter == stepped
            && update.kind() == "update_expression"
            && self.text(update).contains("++")
            && matches!(operator, "<" | "<=");
        let span = (node.start_byte(), node.end_byte());
        let within = (body.start_byte(), body.end_byte());
        let changed = |porter: &mut Self, name: &str| {
            let story = porter.frame().uses.get(name);
            story.is_some_and(|story| {
                let act = |act| act != super::scope::Act::Read;
                story.uses.iter().any(|one| within.0 <= one.at && one.at < within.1 && act(one.act))
            })
        };
        let range = match (plain, field(first, "right"), field(condition, "right")) {
            (true, Some(from), Some(to)) => {
                let mut stack = vec![to];
                let mut fixed = !changed(self, name) && self.frame().is_local_to(name, span);
                while let Some(one) = stack.pop() {
                    if let Some(name) = super::syntax::variable(one, self.php) {
                        fixed &= !changed(self, name);
                    }
                    fixed &= match one.kind() {
                        "function_call_expression" => field(one, "function")
                            .is_some_and(|name| matches!(self.text(name), "count" | "sizeof" | "strlen")),
                        "variable_name" => {
                            let name = super::syntax::variable(one, self.php).unwrap_or_default();
                            super::lower::property(name).is_none() || !self.changes_object(body)
                        }
                        kind => BOUND.contains(&kind),
                    };
                    stack.extend(children(one));
                }
                let ints = self.dry_run(|porter| (porter.expression(from).ty, porter.expression(to).ty));
                (fixed && ints == (Type::Int, Type::Int)).then_some((from, to))
            }
            _ => None,
        };
        let Some((from, to)) = range else {
            return self.counted_freely(node, (first, condition, update, body));
        };
        let (from, to) = (self.expression(from), self.expression(to));
        let rust = self.fresh_here(name);
        self.frame().loops += 1;
        let (loops, block) = (self.frame().loops, self.frame().blocks.len() + 1);
        let var = Var { block, loops, ..Var::place(rust.clone(), Type::Int) };
        self.frame().vars.insert(name.to_owned(), var);
        let code = self.block(body);
        self.frame().loops -= 1;
        self.frame().vars.remove(name);
        let dots = if operator == "<" { ".." } else { "..=" };
        let literal = |e: &Expr| e.code.as_number().is_some();
        let from = if literal(&from) && literal(&to) { code!("{}_i64", from.code) } else { from.within(Bond::Unary) };
        code!("for {rust} in {from}{dots}{} {{\n{}\n}}", to.within(Bond::Unary), indent(&code))
    }

    /// Any other `for`, as a `while`.
    fn counted_freely(&mut self, node: Node<'t>, parts: (Node<'t>, Node<'t>, Node<'t>, Node<'t>)) -> Code {
        let (first, condition, update, body) = parts;
        if has_continue(body) {
            return self.note_left(node, "continue in such a for loop: write it with while").statement();
        }
        let begin = self.assignment(first);
        self.frame().loops += 1;
        let asked = self.asked(condition);
        let asked = self.truth(&asked, Bond::Loose);
        let block = self.block(body);
        let step = match update.kind() {
            "update_expression" => self.update(update),
            "augmented_assignment_expression" => self.augmented(update),
            "assignment_expression" => self.assignment(update),
            _ => self.note_left(update, "a for loop that does more than count: write it with while").statement(),
        };
        self.frame().loops -= 1;
        code!("{begin}\nwhile {asked} {{\n{}\n}}", indent(&Code::lines(vec![block, step])))
    }
}

/// The parts of a bound that have the same value in each round, besides variables that the body
/// does not change.
const BOUND: [&str; 11] = [
    "name",
    "qualified_name",
    "integer",
    "string",
    "string_content",
    "arguments",
    "argument",
    "binary_expression",
    "parenthesized_expression",
    "subscript_expression",
    "class_constant_access_expression",
];

/// Whether a loop's body contains a `continue` of this loop.
fn has_continue(node: Node<'_>) -> bool {
    contains_own(node, "continue_statement", usize::MAX)
}
