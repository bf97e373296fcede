//! Liveness analysis of the variables of a PHP function: where each is written and read. Rust can
//! then declare it in the right block, mutable if needed, and move it at its last use.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use tree_sitter::Node;

use super::definite::{maybe_unset, not_counters};
use super::syntax::{children, field, variable};

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
    /// It may be read before it is assigned.
    pub(super) maybe_unset: bool,
    /// It counts in small steps from a small number.
    pub(super) counter: bool,
    /// If each of several blocks assigns it first and it is not used outside of them: one variable
    /// for each block, by the block.
    pub(super) groups: HashMap<usize, Story>,
}

pub(super) type Uses = HashMap<String, Story>;

/// The uses in bodies of functions, by the body and the parameters.
pub(super) type Bodies = HashMap<(usize, Vec<String>), Rc<Uses>>;

/// All uses in the body of a function with these parameters and captured variables.
pub(super) fn uses(body: Node<'_>, php: &str, parameters: &[String]) -> Uses {
    let is_block = matches!(body.kind(), "compound_statement" | "program");
    let mut visited = children(body);
    let analysed = if is_block { visited.clone() } else { vec![body] };
    if !is_block {
        visited.push(body);
    }
    found(&visited, &analysed, body, php, parameters)
}

/// All uses in the code of a file that is outside of functions and classes.
pub(super) fn uses_in(nodes: &[Node<'_>], root: Node<'_>, php: &str) -> Uses {
    let nodes: Vec<Node<'_>> = nodes.iter().filter(|node| node.is_named() && !node.is_extra()).copied().collect();
    found(&nodes, &nodes, root, php, &[])
}

fn found(visited: &[Node<'_>], analysed: &[Node<'_>], block: Node<'_>, php: &str, parameters: &[String]) -> Uses {
    let mut out = Uses::new();
    let walk = Walk { php, blocks: Rc::from([block.id()]) };
    for child in visited {
        walk.visit(*child, &mut out);
    }
    let (unset, others) = (maybe_unset(analysed, php, parameters), not_counters(analysed, php));
    for (name, story) in &mut out {
        story.tell();
        let given = parameters.contains(name);
        story.maybe_unset = unset.contains(name) && !given;
        story.counter = !given && !others.contains(name.as_str());
        if super::lower::property(name).is_some() {
            // The fields of a new object are made of the variables of its constructor.
            story.common = 1;
            story.straight &= story.uses.iter().all(|one| one.act != Act::Assign || one.blocks.len() == 1);
            story.groups.clear();
        }
        if given || story.maybe_unset {
            // One variable for the whole function.
            story.common = 1;
            story.straight = false;
            story.groups.clear();
        }
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

/// Whether a function of PHP changes the variable that is its first argument.
pub(super) fn changes_argument(function: &str) -> bool {
    matches!(
        function,
        "sort"
            | "rsort"
            | "usort"
            | "uasort"
            | "uksort"
            | "asort"
            | "arsort"
            | "krsort"
            | "ksort"
            | "array_push"
            | "array_pop"
            | "array_shift"
            | "array_unshift"
            | "array_splice"
            | "array_walk"
            | "shuffle"
            | "settype"
            | "array_multisort"
            | "end"
            | "reset"
            | "next"
            | "prev"
            | "natsort"
            | "natcasesort"
    )
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
            "function_definition" | "class_declaration" | "trait_declaration" | "comment" => {}
            "anonymous_function" => {
                for clause in children(node).into_iter().filter(|c| c.kind() == "anonymous_function_use_clause") {
                    for captured in children(clause) {
                        match captured.kind() {
                            "by_ref" => children(captured).into_iter().for_each(|v| self.note(v, Act::Change, out)),
                            _ => self.note(captured, Act::Read, out),
                        }
                    }
                }
                // A closure uses the properties of its object without capturing them.
                if let Some(body) = field(node, "body") {
                    let mut inner = Uses::new();
                    self.visit(body, &mut inner);
                    for (name, story) in inner.into_iter().filter(|(name, _)| super::lower::property(name).is_some()) {
                        out.entry(name).or_default().uses.extend(story.uses);
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
            "function_call_expression" if changes_argument(&super::syntax::called(node, self.php)) => {
                let given = field(node, "arguments").map(children).unwrap_or_default();
                for (number, argument) in given.into_iter().enumerate() {
                    match children(argument).first() {
                        Some(target) if number == 0 => self.target(*target, Act::Change, out),
                        _ => self.visit(argument, out),
                    }
                }
            }
            "variable_name" => self.note(node, Act::Read, out),
            // `else if` does not open a block: it is converted like `elseif`.
            "else_clause" if field(node, "body").is_some_and(|body| body.kind() == "if_statement") => {
                children(node).into_iter().for_each(|child| self.visit(child, out));
            }
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
