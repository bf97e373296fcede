//! Backward slicing for `--calls`: finds the parts of a function that use the SDK, and for each the
//! statements that compute its values.
//!
//! All statements of a part run together. Therefore, statements that are not carried over may be
//! between the uses of a part only if they change nothing, and a value that PHP computes after a
//! call begins a new part, which takes it as a parameter. Conditions and loops that cannot be
//! carried over completely are left to the caller, and so is each `try`: the function returns the
//! error.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::carry::{Carried, Carrier, blocks};
use super::flow::{Flows, is_function};
use super::syntax::{children, field};
use super::unit::{Unit, Variables};

/// A carried statement of a part.
pub(super) struct Kept<'t> {
    pub(super) node: Node<'t>,
    pub(super) carried: Carried<'t>,
    /// The names of the parameters that its inputs become.
    pub(super) names: Vec<String>,
    /// `$name = $parameter;` before the statement.
    pub(super) before: Vec<(String, String)>,
    pub(super) is_member: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) ty: Option<String>,
    /// The variable whose value it is.
    pub(super) of: Option<String>,
    /// The PHP of its value, and the line at which it has this value.
    pub(super) php: String,
    pub(super) line: usize,
    /// The position of its PHP, and its name without a number, if it is not a variable.
    pub(super) at: usize,
    pub(super) word: Option<String>,
}

pub(super) enum Returned<'t> {
    Nothing,
    /// The last statement is `return`, or becomes one.
    Last,
    Expression(Node<'t>, Carried<'t>, Vec<String>),
    Variables(Vec<String>),
}

/// A function of the generated file.
pub(super) struct Part<'t> {
    pub(super) kept: Vec<Kept<'t>>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) returned: Returned<'t>,
    /// `$name = $parameter;` before the returned expression.
    pub(super) before: Vec<(String, String)>,
    /// The lines and the PHP of what is left to the caller.
    pub(super) notes: Vec<(usize, String)>,
    pub(super) line: usize,
    /// The nodes of the uses that are in it.
    pub(super) ids: BTreeSet<usize>,
}

/// The statements of a block, up to the one that contains the inner block.
#[derive(Clone)]
pub(super) struct Level<'t> {
    pub(super) nodes: Vec<Node<'t>>,
    pub(super) at: usize,
}

pub(super) struct Slicer<'a, 't> {
    pub(super) flows: &'a Flows<'a>,
    /// The pieces that the translator could not convert.
    pub(super) refused: &'a BTreeSet<(usize, usize)>,
    pub(super) unit: &'a Unit<'t>,
    pub(super) vars: Variables,
    pub(super) parts: Vec<Part<'t>>,
    /// Uses that no other part needed yet, as parts of their own.
    deferred: Vec<(Node<'t>, Part<'t>)>,
    pub(super) left: Vec<(Node<'t>, &'static str)>,
}

impl<'a, 't> Slicer<'a, 't> {
    pub(super) fn new(flows: &'a Flows<'a>, refused: &'a BTreeSet<(usize, usize)>, unit: &'a Unit<'t>) -> Self {
        let vars = Variables::new(flows, unit);
        Slicer { flows, refused, unit, vars, parts: Vec::new(), deferred: Vec::new(), left: Vec::new() }
    }

    pub(super) fn run(&mut self) {
        if self.unit.body.iter().any(|node| self.flows.of(*node).hidden) {
            for node in self.unit.body.clone() {
                self.list_uses(node, "a function with variable names in variables, or a generator");
            }
            return;
        }
        self.block(&[], self.unit.body.clone());
        // Uses of the SDK that no part needs become a separate function.
        // A later use may contain an earlier one, so the later ones come first.
        for (node, part) in std::mem::take(&mut self.deferred).into_iter().rev() {
            let uses = self.use_ids(node);
            if !self.parts.iter().any(|part| uses.iter().all(|id| part.ids.contains(id))) {
                self.parts.push(part);
            }
        }
        self.parts.sort_by_key(|part| part.line);
    }

    pub(super) fn use_ids(&self, node: Node<'t>) -> Vec<usize> {
        let (mut out, mut stack) = (Vec::new(), vec![node]);
        while let Some(node) = stack.pop() {
            if self.flows.sdk_use(node).is_some() {
                out.push(node.id());
            }
            stack.extend(children(node).into_iter().filter(|child| !is_function(*child)));
        }
        out
    }

    fn list_uses(&mut self, node: Node<'t>, why: &'static str) {
        if self.flows.sdk_use(node).is_some() {
            self.left.push((node, why));
            return;
        }
        for child in children(node).into_iter().filter(|child| !is_function(*child)) {
            self.list_uses(child, why);
        }
    }

    pub(super) fn carrier(&self) -> Carrier<'_, 't> {
        Carrier::new(self.flows, self.refused, &self.vars)
    }

    /// Finds the parts of a block.
    fn block(&mut self, outer: &[Level<'t>], nodes: Vec<Node<'t>>) {
        let levels = |at: usize| {
            let mut levels = outer.to_vec();
            levels.push(Level { nodes: nodes.clone(), at });
            levels
        };
        let here = levels(nodes.len());
        let mut current: Option<(Vec<usize>, Part<'t>)> = None;
        for (at, node) in nodes.iter().enumerate() {
            let of = self.flows.of(*node);
            if !of.uses {
                continue;
            }
            let Some(solo) = self.build(&here, &[at], None) else {
                self.parts.extend(current.take().map(|(_, part)| part));
                self.inside(*node, &levels(at));
                continue;
            };
            let is_changing = of.net || of.volatile;
            if let Some((members, part)) = current.take() {
                let defined: BTreeSet<String> = members
                    .iter()
                    .filter_map(|member| nodes.get(*member))
                    .flat_map(|node| self.flows.definitions(*node))
                    .collect();
                let depends = solo.parameters.iter().any(|one| one.of.as_ref().is_some_and(|of| defined.contains(of)));
                if !is_changing && !depends {
                    current = Some((members, part));
                } else {
                    let between = members.first().and_then(|first| nodes.get(first + 1..at)).unwrap_or_default();
                    let joined: Vec<usize> = members.into_iter().chain([at]).collect();
                    let built = between.iter().all(|one| self.is_free(*one)).then(|| self.build(&here, &joined, None));
                    if let Some(built) = built.flatten() {
                        current = Some((joined, built));
                        continue;
                    }
                    self.parts.push(part);
                }
            }
            if is_changing {
                self.parts.extend(current.replace((vec![at], solo)).map(|(_, part)| part));
            } else {
                self.deferred.push((*node, solo));
            }
        }
        self.parts.extend(current.map(|(_, part)| part));
    }

    /// Whether the caller may run a statement between two calls before or after both.
    fn is_free(&self, node: Node<'t>) -> bool {
        let of = self.flows.of(node);
        let leaves = of.exits || of.breaks || of.property && !of.uses;
        !leaves && !self.flows.may_change(node, &BTreeSet::new(), &self.vars.shared)
    }

    /// Finds the parts of a statement that cannot be carried over as a whole.
    fn inside(&mut self, node: Node<'t>, levels: &[Level<'t>]) {
        let bodies = blocks(node);
        let is_inside = |one: Node<'t>| bodies.contains(&one);
        // The uses in conditions, and in statements without blocks.
        let mut stack = vec![node];
        let mut heads = Vec::new();
        while let Some(one) = stack.pop() {
            if is_inside(one) && one != node || !self.flows.of(one).uses {
                continue;
            }
            let is_expression = one.kind().ends_with("expression") || one.kind() == "encapsed_string";
            if one != node && is_expression {
                heads.push(one);
                continue;
            }
            stack.extend(children(one).into_iter().filter(|child| !is_function(*child)));
        }
        heads.sort_by_key(Node::start_byte);
        for head in heads {
            self.expression(head, levels);
        }
        for body in &bodies {
            if !self.flows.of(*body).uses {
                continue;
            }
            let nodes = match body.kind() {
                "compound_statement" | "colon_block" => children(*body),
                "case_statement" => {
                    let value = field(*body, "value");
                    children(*body).into_iter().filter(|one| Some(*one) != value).collect()
                }
                "default_statement" => children(*body),
                _ => vec![*body],
            };
            self.block(levels, nodes);
        }
    }

    /// Finds the parts of an expression that cannot be carried over with its statement.
    fn expression(&mut self, node: Node<'t>, levels: &[Level<'t>]) {
        if !self.flows.of(node).uses {
            return;
        }
        if let ("assignment_expression", Some(right)) = (node.kind(), field(node, "right")) {
            self.expression(right, levels);
            return;
        }
        if let Some(part) = self.build(levels, &[], Some(node)) {
            self.parts.push(part);
            return;
        }
        if self.flows.sdk_use(node).is_some() && !children(node).into_iter().any(|child| self.flows.of(child).uses) {
            self.left.push((node, "a use of the SDK with a value that is not certain here"));
            return;
        }
        for child in children(node).into_iter().filter(|child| !is_function(*child)) {
            self.expression(child, levels);
        }
    }
}

impl<'t> Slicer<'_, 't> {
    /// The variables that are read in the unit outside of these statements.
    pub(super) fn read_elsewhere(&self, kept: &[Kept<'t>]) -> BTreeSet<String> {
        let mut out = BTreeSet::new();
        let mut stack = self.unit.body.clone();
        while let Some(node) = stack.pop() {
            if kept.iter().any(|kept| kept.node == node) {
                continue;
            }
            let is_around = kept
                .iter()
                .any(|kept| node.start_byte() <= kept.node.start_byte() && kept.node.end_byte() <= node.end_byte());
            if is_around {
                stack.extend(children(node));
            } else {
                out.extend(self.flows.reads(node));
            }
        }
        out
    }

    /// The end of the last piece before an expression that may change its value. Two evaluations
    /// with the same end have the same value.
    pub(super) fn last_change(&self, node: Node<'t>) -> usize {
        let reads = self.flows.reads(node);
        let (mut last, mut stack) = (0, self.unit.body.clone());
        while let Some(one) = stack.pop() {
            if one.start_byte() >= node.start_byte() {
                continue;
            }
            let is_around = one.end_byte() > node.start_byte();
            // What comes later in a loop comes before its next round.
            if (!is_around || is_loop(one)) && self.flows.may_change(one, &reads, &self.vars.shared) {
                last = last.max(if is_around { one.start_byte() + 1 } else { one.end_byte() });
            }
            if is_around {
                stack.extend(children(one));
            }
        }
        last
    }
}

fn is_loop(node: Node<'_>) -> bool {
    matches!(node.kind(), "foreach_statement" | "for_statement" | "while_statement" | "do_statement")
}
