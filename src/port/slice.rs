//! Backward slicing for `--calls`: finds the parts of a function that use the SDK, and for each the
//! statements that compute its values.
//!
//! All statements of a part run together. Therefore, statements that are not carried over may be
//! between the uses of a part only if they change nothing, and a value that PHP computes after a
//! call begins a new part, which takes it as a parameter. Conditions and loops that cannot be
//! carried over completely are left to the caller, and so is each `try`: the function returns the
//! error.

use std::collections::{BTreeMap, BTreeSet};

use tree_sitter::Node;

use super::carry::{Carried, Carrier, blocks};
use super::flow::{Flows, is_function};
use super::inventory::UseKind;
use super::known::is_object;
use super::lower;
use super::syntax::{bare, children, field, variable};

/// A function or method that uses the SDK.
pub(super) struct Unit<'t> {
    /// The node of the function, or of the file for code outside of functions.
    pub(super) node: Node<'t>,
    pub(super) body: Vec<Node<'t>>,
    /// Its parameters, and their declared types if Rust has the same.
    pub(super) parameters: BTreeMap<String, Option<String>>,
}

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
    refused: &'a BTreeSet<(usize, usize)>,
    pub(super) unit: &'a Unit<'t>,
    /// The variables without properties, and with them.
    locals: BTreeSet<String>,
    pub(super) names: BTreeSet<String>,
    /// With their types.
    pub(super) responses: BTreeMap<String, &'static str>,
    decoded: BTreeSet<String>,
    /// The variables with objects that JSON cannot hold.
    pub(super) objects: BTreeSet<String>,
    /// The variables whose values may change anywhere.
    pub(super) shared: BTreeSet<String>,
    pub(super) parts: Vec<Part<'t>>,
    /// Uses that no other part needed yet, with their levels.
    deferred: Vec<(Vec<Level<'t>>, usize)>,
    pub(super) left: Vec<(Node<'t>, &'static str)>,
}

impl<'a, 't> Slicer<'a, 't> {
    pub(super) fn new(flows: &'a Flows<'a>, refused: &'a BTreeSet<(usize, usize)>, unit: &'a Unit<'t>) -> Self {
        let mut slicer = Slicer {
            flows,
            refused,
            unit,
            locals: BTreeSet::new(),
            names: BTreeSet::new(),
            responses: BTreeMap::new(),
            decoded: BTreeSet::new(),
            objects: BTreeSet::new(),
            shared: BTreeSet::new(),
            parts: Vec::new(),
            deferred: Vec::new(),
            left: Vec::new(),
        };
        slicer.read_variables();
        slicer
    }

    /// Finds the variables of the unit, and those with responses and decoded objects.
    fn read_variables(&mut self) {
        let mut others: BTreeSet<String> = BTreeSet::new();
        let mut stack = self.unit.body.clone();
        while let Some(node) = stack.pop() {
            if let Some(name) = variable(node, self.flows.php) {
                match lower::property(name) {
                    Some(own) => drop(self.names.insert(own.to_owned())),
                    None => drop(self.locals.insert(name.to_owned())),
                }
            }
            if let ("assignment_expression", Some(right)) = (node.kind(), field(node, "right").map(bare)) {
                let left = field(node, "left").and_then(|left| variable(left, self.flows.php)).map(str::to_owned);
                let of = self.flows.of(right);
                let decodes = right.kind() == "function_call_expression" && self.flows.called(right) == "json_decode";
                match left {
                    Some(left) if self.is_response(right) => {
                        self.responses.insert(left.clone(), self.response_type(right));
                        self.objects.insert(left);
                    }
                    Some(left) if decodes => drop(self.decoded.insert(left)),
                    Some(left) => {
                        let holds = self.flows.sdk_use(right).is_some_and(|kind| match kind {
                            UseKind::Client { .. } => true,
                            UseKind::Function(name) => is_object(&name),
                            _ => false,
                        });
                        if holds {
                            self.objects.insert(left.clone());
                        }
                        if !of.net {
                            others.insert(left);
                        }
                    }
                    None => {}
                }
            }
            stack.extend(children(node));
        }
        for node in &self.unit.body {
            self.flows.shared(*node, &mut self.shared);
        }
        self.names.extend(self.locals.iter().cloned());
        // A variable with other values does not certainly contain a response.
        self.responses.retain(|name, _| !others.contains(name) && !self.unit.parameters.contains_key(name));
        self.decoded.retain(|name| !others.contains(name) && !self.unit.parameters.contains_key(name));
    }

    /// Whether the value of an expression is a response or a promise.
    pub(super) fn is_response(&self, node: Node<'t>) -> bool {
        let node = bare(node);
        if self.flows.sdk_use(node).is_some_and(|kind| matches!(kind, UseKind::Call { .. })) {
            return true;
        }
        let name = field(node, "name").map(|name| self.flows.text(name)).unwrap_or_default();
        node.kind() == "member_call_expression"
            && matches!(name, "then" | "otherwise" | "wait")
            && field(node, "object").is_some_and(|object| self.is_response(object))
    }

    fn response_type(&self, node: Node<'t>) -> &'static str {
        let node = bare(node);
        let name = field(node, "name").map(|name| self.flows.text(name)).unwrap_or_default();
        let is_promise = name.ends_with("Async") || matches!(name, "then" | "otherwise");
        if is_promise { "PromiseInterface" } else { "ResponseInterface" }
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
        for (levels, at) in std::mem::take(&mut self.deferred).into_iter().rev() {
            let node = levels.last().and_then(|level| level.nodes.get(at)).copied();
            let uses = node.map(|node| self.use_ids(node)).unwrap_or_default();
            let is_used = self.parts.iter().any(|part| uses.iter().all(|id| part.ids.contains(id)));
            if !is_used {
                self.flush(&levels, vec![at]);
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
        Carrier::new(self.flows, self.refused, &self.responses, &self.decoded)
    }

    /// Finds the parts of a block.
    fn block(&mut self, outer: &[Level<'t>], nodes: Vec<Node<'t>>) {
        let levels = |at: usize| {
            let mut levels = outer.to_vec();
            levels.push(Level { nodes: nodes.clone(), at });
            levels
        };
        let mut current: Vec<usize> = Vec::new();
        for (at, node) in nodes.iter().enumerate() {
            let of = self.flows.of(*node);
            if !of.uses {
                continue;
            }
            let here = levels(nodes.len());
            let solo = self.build(&here, &[at], None);
            let Some(solo) = solo else {
                if !current.is_empty() {
                    self.flush(&here, std::mem::take(&mut current));
                }
                self.inside(*node, &levels(at));
                continue;
            };
            let is_changing = of.net || of.volatile;
            let depends = current.iter().any(|member| {
                let defined = nodes.get(*member).map(|node| self.flows.definitions(*node)).unwrap_or_default();
                solo.parameters.iter().any(|parameter| parameter.of.as_ref().is_some_and(|of| defined.contains(of)))
            });
            if !current.is_empty() && (is_changing || depends) {
                let first = current.first().copied().unwrap_or(at);
                let joined: Vec<usize> = current.iter().copied().chain([at]).collect();
                let is_free = nodes.get(first + 1..at).unwrap_or_default().iter().all(|between| {
                    let of = self.flows.of(*between);
                    !(of.effect || of.exits || of.breaks || of.property && !of.uses)
                });
                if is_free && self.build(&here, &joined, None).is_some() {
                    current = joined;
                    continue;
                }
                self.flush(&here, std::mem::take(&mut current));
            }
            if is_changing {
                current = vec![at];
            } else {
                self.deferred.push((here, at));
            }
        }
        if !current.is_empty() {
            self.flush(&levels(nodes.len()), current);
        }
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

    fn flush(&mut self, levels: &[Level<'t>], members: Vec<usize>) {
        if let Some(part) = self.build(levels, &members, None) {
            self.parts.push(part);
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

    /// The end of the last piece before a node that may change a value with these variables. Two
    /// reads with the same end have the same value.
    pub(super) fn last_change(&self, node: Node<'t>, reads: &BTreeSet<String>) -> usize {
        let (mut last, mut stack) = (0, self.unit.body.clone());
        while let Some(one) = stack.pop() {
            if one.start_byte() >= node.start_byte() {
                continue;
            }
            if one.end_byte() > node.start_byte() {
                stack.extend(children(one));
            } else if self.flows.of(one).effect || !self.flows.definitions(one).is_disjoint(reads) {
                last = last.max(one.end_byte());
            }
        }
        last
    }

    /// The type of a parameter that is not certainly a client or a response. The translator finds
    /// the type of a key by its uses.
    pub(super) fn other_type(&self, name: &str) -> Option<String> {
        let is_object = self.objects.contains(name) || self.flows.has_object(name);
        (!is_object).then(|| "mixed".to_owned())
    }

    /// The name in the reduced PHP of a variable, or of a property.
    pub(super) fn local(&self, name: &str) -> String {
        match lower::property(name) {
            Some(own) if self.locals.contains(own) => format!("this_{own}"),
            Some(own) => own.to_owned(),
            None => name.to_owned(),
        }
    }
}
