//! Liveness analysis of the variables of a PHP function: where each is written and read. Rust can
//! then declare it in the right block, mutable if needed, and move it at its last use.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use tree_sitter::Node;

use super::syntax::{children, field, variable};
use super::value::{Form, Type};

/// The use of a variable at one position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Act {
    Read,
    /// `$x = ...` as a separate statement.
    Assign,
    /// Assigned inside an expression, or by `list()`.
    Inner,
    /// `$x['k'] = ...`, `$x .= ...`, `$x++`.
    Change,
    /// Assigned by `foreach` or `catch`.
    Bind,
}

#[derive(Clone, Debug)]
pub(super) struct Use {
    pub(super) at: usize,
    pub(super) act: Act,
    /// The enclosing blocks, outermost first.
    pub(super) blocks: Rc<[usize]>,
    /// Written with a named key, `$x['name'] = ...`, so it is an object.
    pub(super) keyed: bool,
    /// Used as the start of a chain.
    pub(super) chained: bool,
}

/// All uses of one variable, and the properties that follow from them.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    pub(super) uses: Vec<Use>,
    /// How many enclosing blocks contain all its uses.
    pub(super) common: usize,
    /// Every assignment is a statement of the innermost of those blocks, so each can be a `let`.
    pub(super) straight: bool,
    pub(super) assigned: usize,
    pub(super) last: usize,
    pub(super) last_change: usize,
    pub(super) keyed: bool,
    pub(super) chained: bool,
    /// If each of several blocks assigns it first and it is not used outside of them: one variable
    /// for each block, by the block.
    pub(super) groups: HashMap<usize, Story>,
}

pub(super) type Uses = HashMap<String, Story>;

/// All uses in the body of a function.
pub(super) fn uses(body: Node<'_>, php: &str) -> Uses {
    let mut out = Uses::new();
    let walk = Walk { php, blocks: Rc::from([body.id()]) };
    for child in children(body) {
        walk.visit(child, &mut out);
    }
    if body.kind() != "compound_statement" && body.kind() != "program" {
        walk.visit(body, &mut out);
    }
    for story in out.values_mut() {
        story.tell();
    }
    out
}

impl Story {
    fn tell(&mut self) {
        self.uses.sort_by_key(|one| one.at);
        self.uses.dedup_by_key(|one| one.at);
        let first: Rc<[usize]> = self.uses.first().map_or_else(|| Rc::from([]), |one| Rc::clone(&one.blocks));
        self.common = self.uses.iter().fold(first.len(), |depth, one| {
            depth.min(first.iter().zip(one.blocks.iter()).take_while(|(a, b)| a == b).count())
        });
        let common = self.common;
        self.straight = self.uses.iter().all(|one| match one.act {
            Act::Assign => one.blocks.len() == common,
            Act::Inner | Act::Bind => false,
            Act::Read | Act::Change => true,
        });
        self.assigned = self.uses.iter().filter(|one| matches!(one.act, Act::Assign | Act::Inner)).count();
        self.last = self.uses.last().map_or(0, |one| one.at);
        self.last_change = self.uses.iter().filter(|one| one.act == Act::Change).map(|one| one.at).max().unwrap_or(0);
        self.keyed = self.uses.iter().any(|one| one.keyed);
        self.chained = self.uses.iter().any(|one| one.chained);
        let mut groups: HashMap<usize, Story> = HashMap::new();
        for one in &self.uses {
            match one.blocks.get(common) {
                Some(block) => groups.entry(*block).or_default().uses.push(one.clone()),
                None => return,
            }
        }
        if groups.len() < 2 {
            return;
        }
        let begins = |story: &mut Story| {
            story.tell();
            let common = story.common;
            story
                .uses
                .first()
                .is_some_and(|one| matches!(one.act, Act::Assign | Act::Bind) && one.blocks.len() == common)
        };
        if groups.values_mut().all(begins) {
            self.groups = groups;
        }
    }
}

struct Walk<'a> {
    php: &'a str,
    blocks: Rc<[usize]>,
}

impl Walk<'_> {
    fn note(&self, node: Node<'_>, act: Act, out: &mut Uses) {
        if let Some(name) = variable(node, self.php) {
            let chained = node.parent().is_some_and(|parent| {
                let verb = |name: Node<'_>| super::syntax::is_chain_name(super::syntax::text(name, self.php));
                match parent.kind() {
                    "member_access_expression" | "member_call_expression" => {
                        field(parent, "object") == Some(node) && field(parent, "name").is_some_and(verb)
                    }
                    "subscript_expression" => children(parent).get(1).is_some_and(|key| {
                        let key = super::syntax::text(*key, self.php).trim_matches(['\'', '"']);
                        let first = key.trim_start_matches('/').split('/').next();
                        matches!(first, Some("v2" | "v3"))
                    }),
                    _ => false,
                }
            });
            let (at, blocks) = (node.start_byte(), Rc::clone(&self.blocks));
            let keyed = act == Act::Change
                && node.parent().is_some_and(|parent| {
                    parent.kind() == "subscript_expression"
                        && children(parent).get(1).is_some_and(|key| key.kind() != "integer")
                });
            out.entry(name.to_owned()).or_default().uses.push(Use { at, act, blocks, keyed, chained });
        }
    }

    fn visit(&self, node: Node<'_>, out: &mut Uses) {
        match node.kind() {
            "function_definition" | "class_declaration" | "comment" => {}
            "anonymous_function" => {
                for clause in children(node).into_iter().filter(|c| c.kind() == "anonymous_function_use_clause") {
                    for captured in children(clause) {
                        match captured.kind() {
                            "by_ref" => children(captured).into_iter().for_each(|v| self.note(v, Act::Change, out)),
                            _ => self.note(captured, Act::Read, out),
                        }
                    }
                }
            }
            "arrow_function" => {
                let mut inner = Uses::new();
                if let Some(body) = field(node, "body") {
                    self.visit(body, &mut inner);
                }
                let own: HashSet<String> = field(node, "parameters")
                    .map(children)
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|p| field(p, "name"))
                    .filter_map(|v| variable(v, self.php))
                    .map(str::to_owned)
                    .collect();
                for (name, story) in inner.into_iter().filter(|(name, _)| !own.contains(name)) {
                    out.entry(name).or_default().uses.extend(story.uses);
                }
            }
            "assignment_expression" => {
                let whole = node.parent().is_some_and(|parent| parent.kind() == "expression_statement");
                if let Some(left) = field(node, "left") {
                    self.target(left, if whole { Act::Assign } else { Act::Inner }, out);
                }
                if let Some(right) = field(node, "right") {
                    self.visit(right, out);
                }
            }
            "augmented_assignment_expression" => {
                if let Some(left) = field(node, "left") {
                    self.target(left, Act::Change, out);
                }
                if let Some(right) = field(node, "right") {
                    self.visit(right, out);
                }
            }
            "update_expression" => children(node).into_iter().for_each(|c| self.target(c, Act::Change, out)),
            "unset_statement" => children(node).into_iter().for_each(|c| self.target(c, Act::Change, out)),
            "foreach_statement" => {
                let parts = children(node);
                let body = field(node, "body");
                for (number, part) in parts.iter().enumerate().filter(|(_, part)| Some(**part) != body) {
                    if number == 0 {
                        self.visit(*part, out);
                    } else {
                        let inside = self.inside(body.unwrap_or(node));
                        let bound = if part.kind() == "variable_name" { vec![*part] } else { children(*part) };
                        bound.into_iter().for_each(|v| inside.target(v, Act::Bind, out));
                    }
                }
                if let Some(body) = body {
                    self.block(body, out);
                }
            }
            "catch_clause" => {
                if let Some(body) = field(node, "body") {
                    if let Some(name) = field(node, "name") {
                        self.inside(body).note(name, Act::Bind, out);
                    }
                    self.block(body, out);
                }
            }
            "member_call_expression" => {
                // Methods that change the object that they are called on.
                let changes = field(node, "name").is_some_and(|n| super::syntax::text(n, self.php) == "setMeta");
                for child in children(node) {
                    if changes && Some(child) == field(node, "object") {
                        self.note(child, Act::Assign, out);
                    } else {
                        self.visit(child, out);
                    }
                }
            }
            "variable_name" => self.note(node, Act::Read, out),
            "compound_statement" | "case_statement" | "default_statement" | "colon_block" => self.block(node, out),
            _ => {
                let body = field(node, "body");
                for child in children(node) {
                    if Some(child) == body {
                        self.block(child, out);
                    } else {
                        self.visit(child, out);
                    }
                }
            }
        }
    }

    fn inside(&self, block: Node<'_>) -> Self {
        let mut blocks = self.blocks.to_vec();
        blocks.push(block.id());
        Walk { php: self.php, blocks: blocks.into() }
    }

    fn block(&self, block: Node<'_>, out: &mut Uses) {
        let inside = self.inside(block);
        match block.kind() {
            "compound_statement" | "case_statement" | "default_statement" | "colon_block" => {
                children(block).into_iter().for_each(|child| inside.visit(child, out));
            }
            _ => inside.visit(block, out),
        }
    }

    /// The target of an assignment.
    fn target(&self, left: Node<'_>, act: Act, out: &mut Uses) {
        match left.kind() {
            "variable_name" => self.note(left, act, out),
            "subscript_expression" | "member_access_expression" => {
                let parts = children(left);
                for (number, part) in parts.iter().enumerate() {
                    match number {
                        0 if left.kind() == "subscript_expression" => self.target(*part, Act::Change, out),
                        _ => self.visit(*part, out),
                    }
                }
            }
            "list_literal" => children(left).into_iter().for_each(|part| self.target(part, Act::Inner, out)),
            _ => self.visit(left, out),
        }
    }
}

/// A variable that Rust has declared.
#[derive(Clone, Debug)]
pub(super) struct Var {
    pub(super) rust: String,
    pub(super) ty: Type,
    pub(super) form: Form,
    /// The text of a literal, if that is its only assignment.
    pub(super) literal: Option<String>,
    /// The block of its declaration, and the loops that enclose it.
    pub(super) block: usize,
    pub(super) loops: usize,
    /// Whether it can be assigned again in place.
    pub(super) mutable: bool,
}

/// The ways in which control leaves a function or a block.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    pub(super) kind: Kind,
    /// The control flow that the conversion assumed, and the one that it found.
    pub(super) assumed: Facts,
    pub(super) found: Facts,
    pub(super) returned: Vec<Type>,
    /// How many loops were open at its start.
    pub(super) loops: usize,
    /// It ends only with a `return`.
    pub(super) whole: bool,
    /// The type that a returned value is converted to.
    pub(super) returns: Option<Type>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Facts {
    /// An error of this crate may leave it.
    pub(super) fallible: bool,
    /// An error of another type may leave it.
    pub(super) foreign: bool,
    /// It contains a `return`.
    pub(super) returning: bool,
    /// It contains a `break` or `continue` of an outer loop.
    pub(super) leaves: Option<&'static str>,
    /// It contains both of them, or one of them and `return`.
    pub(super) tangled: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Kind {
    /// `main`: a `return` ends the program.
    #[default]
    Main,
    /// A function, or a closure in a variable: it always returns a `Result`.
    Function,
    /// A closure of `then` or `otherwise`: it returns a `Result` only if it can fail.
    Step,
    /// The body of a `try`.
    Try,
}

/// A function that is being converted.
#[derive(Clone, Debug, Default)]
pub(super) struct Frame {
    pub(super) uses: Rc<Uses>,
    pub(super) vars: HashMap<String, Var>,
    /// The declaration of each variable.
    pub(super) sites: HashMap<String, usize>,
    pub(super) blocks: Vec<usize>,
    pub(super) loops: usize,
    /// Declarations to insert before the current statement of a block.
    pub(super) hoisted: Vec<(usize, String)>,
    pub(super) flows: Vec<Flow>,
    /// The name that the response of an error is bound to, by the error's variable.
    pub(super) answers: HashMap<String, String>,
}

impl Frame {
    pub(super) fn story(&self, name: &str) -> Option<&Story> {
        let mut story = self.uses.get(name)?;
        while let Some(inner) = self.blocks.get(story.common).and_then(|block| story.groups.get(block)) {
            story = inner;
        }
        Some(story)
    }

    pub(super) fn is_used(&self, name: &str) -> bool {
        self.story(name).is_some()
    }

    pub(super) fn is_chained(&self, name: &str) -> bool {
        self.story(name).is_some_and(|story| story.chained)
    }

    pub(super) fn assigned(&self, name: &str) -> usize {
        self.story(name).map_or(0, |story| story.assigned)
    }

    /// The innermost block that contains all uses of a variable, as its depth among the open
    /// blocks.
    pub(super) fn block_depth(&self, name: &str) -> usize {
        self.story(name).map_or(self.blocks.len(), |story| story.common).clamp(1, self.blocks.len().max(1))
    }

    /// Whether a variable is used after this position, or in the next iteration of a loop.
    pub(super) fn used_after(&self, name: &str, at: usize) -> bool {
        let again = self.vars.get(name).is_some_and(|var| var.loops < self.loops);
        again || self.story(name).is_some_and(|story| story.last > at)
    }

    pub(super) fn is_straight(&self, name: &str) -> bool {
        self.story(name).is_none_or(|story| story.straight)
    }

    pub(super) fn is_changed_after(&self, name: &str, at: usize) -> bool {
        self.story(name).is_some_and(|story| story.last_change > at)
    }
}
