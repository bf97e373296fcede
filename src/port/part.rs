//! Builds a part from its end to its beginning: adds the statements that define what it needs, and
//! makes parameters of the values that it cannot compute.

use std::collections::{BTreeMap, BTreeSet};

use tree_sitter::Node;

use super::carry::{Carried, is_input};
use super::lower;
use super::slice::{Kept, Level, Parameter, Part, Returned, Slicer};
use super::syntax::{bare, children, field, line, variable};
use super::text::{short, snake};

impl<'t> Slicer<'_, 't> {
    /// The part of these statements of the innermost block, or of an expression in the statement
    /// at which the innermost level ends. `None` if it would not mean what the PHP means.
    pub(super) fn build(&self, levels: &[Level<'t>], members: &[usize], tail: Option<Node<'t>>) -> Option<Part<'t>> {
        Build::new(self).part(levels, members, tail)
    }
}

/// A part that is being built, from its end to its beginning.
pub(super) struct Build<'b, 'a, 't> {
    pub(super) slicer: &'b Slicer<'a, 't>,
    pub(super) kept: Vec<Kept<'t>>,
    pub(super) needed: BTreeSet<String>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) notes: BTreeMap<usize, String>,
    pub(super) taken: BTreeSet<String>,
    /// The parameters of values that are read, by their PHP and the last change before them.
    pub(super) inputs: BTreeMap<(String, usize), String>,
    /// The variables whose value is a parameter from here on, and the line and the position.
    pub(super) pending: Vec<(String, (usize, usize))>,
    /// The assignments before the returned expression.
    pub(super) before: Vec<(String, String)>,
    /// The variables with clients.
    pub(super) clients: BTreeSet<String>,
    /// Whether a `catch` or `finally` around the part can read variables after an error.
    is_in_try: bool,
}

impl<'b, 'a, 't> Build<'b, 'a, 't> {
    pub(super) fn new(slicer: &'b Slicer<'a, 't>) -> Self {
        Build {
            slicer,
            kept: Vec::new(),
            needed: BTreeSet::new(),
            parameters: Vec::new(),
            notes: BTreeMap::new(),
            taken: slicer.vars.names.iter().map(|name| snake(name)).collect(),
            inputs: BTreeMap::new(),
            pending: Vec::new(),
            before: Vec::new(),
            clients: BTreeSet::new(),
            is_in_try: false,
        }
    }

    pub(super) fn part(mut self, levels: &[Level<'t>], members: &[usize], tail: Option<Node<'t>>) -> Option<Part<'t>> {
        let flows = self.slicer.flows;
        let inner = levels.last()?;
        let around = levels.iter().filter_map(|level| level.nodes.get(level.at));
        self.is_in_try = tail.is_none() && around.into_iter().any(|node| node.kind() == "try_statement");
        let member = |at: usize| inner.nodes.get(at).copied();
        let changes = |node: Node<'t>| flows.of(node).net || flows.of(node).volatile;
        let first_call = members.iter().copied().find(|at| member(*at).is_some_and(changes));
        let end = match tail {
            Some(_) => inner.at.min(inner.nodes.len()),
            None => members.last()? + 1,
        };
        let mut returned = Returned::Nothing;
        if let Some(node) = tail {
            let carried = self.slicer.carrier().carried_expression(node)?;
            let names = self.names_of(&carried);
            self.needed.extend(carried.reads.iter().cloned());
            self.clients.extend(carried.clients.iter().cloned());
            self.note_stripped(&carried);
            let statement = inner.nodes.get(inner.at).copied().unwrap_or(node);
            self.notes.insert(line(statement), flows.text(statement).to_owned());
            // The statement may run more than once, or assign before it evaluates this.
            let target = assignment(statement).and_then(|(left, _)| variable(left, flows.php));
            for name in flows.definitions(statement).into_iter().filter(|name| target != Some(name)) {
                if self.needed.contains(&name) {
                    self.cut(&name, before(statement));
                }
            }
            if flows.of(statement).effect {
                self.cut_outer(before(statement));
            }
            self.cut_shared(before(statement), false)?;
            returned = Returned::Expression(node, carried, names);
        }
        for (depth, level) in levels.iter().enumerate().rev() {
            let is_inner = depth + 1 == levels.len();
            if let Some(inner) = levels.get(depth + 1) {
                self.cross(level, inner)?;
            }
            let end = if is_inner { end } else { level.at };
            for at in (0..end).rev() {
                let Some(node) = level.nodes.get(at).copied() else { continue };
                let is_member = is_inner && members.contains(&at);
                let is_late = is_inner && first_call.is_some_and(|first| at > first);
                self.statement(node, is_member, is_late)?;
            }
        }
        self.kept.reverse();
        for name in std::mem::take(&mut self.needed) {
            let ty = self.slicer.unit.parameters.get(&name).cloned().flatten();
            self.parameter(&name, &name, ty, before(self.slicer.unit.node));
        }
        self.resolve_pending()?;
        let last = members.last().and_then(|at| member(*at));
        if tail.is_none() {
            returned = self.returned(last?)?;
        }
        let line = tail.or(members.first().and_then(|at| member(*at))).map(line)?;
        let nodes = self.kept.iter().map(|kept| kept.node).chain(tail);
        let ids = nodes.flat_map(|node| self.slicer.use_ids(node)).collect();
        // The order in which PHP evaluates them.
        self.parameters.sort_by_key(|parameter| parameter.at);
        self.number(&mut returned);
        let shown = |php: &str| short(&php.replace(&format!("${}", lower::PREFIX), "$this->"), 80);
        let notes = self.notes.iter().map(|(line, php)| (*line, shown(php))).collect();
        Some(Part { kept: self.kept, parameters: self.parameters, returned, before: self.before, notes, line, ids })
    }

    /// Leaves a block: what its statement defines elsewhere is not known inside of it.
    fn cross(&mut self, level: &Level<'t>, inner: &Level<'t>) -> Option<()> {
        let flows = self.slicer.flows;
        let node = level.nodes.get(level.at).copied()?;
        let first = inner.nodes.first().copied();
        let is_in = |block: Node<'t>| first.is_some_and(|first| first.parent() == Some(block) || first == block);
        // The pieces that run before the block, or between two rounds of it.
        let pieces = match node.kind() {
            "if_statement" => {
                let parts = [node].into_iter().chain(children(node));
                parts.filter_map(|part| field(part, "condition")).collect()
            }
            // The statements before the part were passed one by one.
            "try_statement" if field(node, "body").is_some_and(is_in) => Vec::new(),
            _ => vec![node],
        };
        let defined: BTreeSet<String> = pieces.iter().flat_map(|piece| flows.definitions(*piece)).collect();
        let block = first.and_then(|first| first.parent()).filter(|block| *block != node).or(first);
        // The parameters have the values of the beginning of the block.
        let start = before(block.unwrap_or(node));
        for name in self.needed.intersection(&defined).cloned().collect::<Vec<_>>() {
            self.cut(&name, start);
        }
        if pieces.iter().any(|piece| flows.of(*piece).effect) {
            self.cut_outer(start);
        }
        let head = block.and_then(|block| flows.php.get(node.start_byte()..block.start_byte()));
        self.notes.insert(line(node), head.unwrap_or_default().trim_end().to_owned());
        Some(())
    }

    fn statement(&mut self, node: Node<'t>, is_member: bool, is_late: bool) -> Option<()> {
        let flows = self.slicer.flows;
        let of = flows.of(node);
        let defined = flows.definitions(node);
        let wanted: Vec<String> = defined.intersection(&self.needed).cloned().collect();
        if is_member {
            let carried = self.slicer.carrier().carried(node)?;
            return self.keep(node, carried, true, is_late);
        }
        // Code between a nonce and its use must not read it, because the caller does not have it.
        if !wanted.is_empty() {
            let is_plain = !(of.net || of.volatile || of.exits || of.breaks);
            let carried = if is_plain { self.slicer.carrier().carried(node) } else { None };
            // The SDK has no way to read a client from an array.
            let is_given = |carried: &Carried<'t>, left: Node<'t>, value: Node<'t>| {
                let is_client = variable(left, flows.php).is_some_and(|name| self.clients.contains(name));
                is_input(carried, value) || is_client && value.kind() != "variable_name" && !flows.of(value).uses
            };
            let carried =
                carried.filter(|carried| !assignment(node).is_some_and(|(left, value)| is_given(carried, left, value)));
            // The caller keeps what the method assigns for later, such as the next number.
            let is_carried = |carried: &Carried<'t>| {
                wanted.iter().any(|name| carried.defined.contains(name))
                    && !carried.defined.iter().any(|name| self.slicer.vars.is_kept(name))
            };
            match carried.filter(is_carried) {
                Some(carried) => return self.keep(node, carried, false, is_late),
                None if is_late => return None,
                None => wanted.iter().for_each(|name| self.cut(name, after(node))),
            }
        }
        if of.effect {
            self.cut_outer(after(node));
        }
        if of.exits {
            self.notes.insert(line(node), flows.text(node).to_owned());
        }
        Some(())
    }

    fn keep(&mut self, node: Node<'t>, carried: Carried<'t>, is_member: bool, is_late: bool) -> Option<()> {
        let flows = self.slicer.flows;
        if is_late && carried.inputs.iter().any(|input| input.is_once) {
            return None;
        }
        // The functions that are left to the caller may change the result, or what comes after it.
        let is_followed = is_member && self.kept.iter().any(|kept| kept.is_member);
        if !carried.stripped.is_empty()
            && (is_followed || carried.defined.iter().any(|name| self.needed.contains(name)))
        {
            return None;
        }
        if flows.of(node).effect {
            // A value from between two calls cannot be a parameter.
            if is_followed && self.needed.iter().any(|name| self.slicer.vars.is_outer(name)) {
                return None;
            }
            self.cut_outer(after(node));
        }
        for name in carried.changed.intersection(&self.needed).cloned().collect::<Vec<_>>() {
            if is_late || is_member && carried.defined.contains(&name) {
                return None;
            }
            self.cut(&name, after(node));
        }
        self.note_stripped(&carried);
        let names = self.names_of(&carried);
        if let Some(name) = assignment(node).and_then(|(left, _)| variable(left, flows.php)) {
            self.needed.remove(name);
        }
        self.needed.extend(carried.reads.iter().cloned());
        self.clients.extend(carried.clients.iter().cloned());
        self.kept.push(Kept { node, carried, names, before: Vec::new(), is_member });
        self.cut_shared(before(node), is_late)
    }

    /// Code that is not known may change the properties of its object, and global variables.
    fn cut_outer(&mut self, at: (usize, usize)) {
        let outer = self.needed.iter().filter(|name| self.slicer.vars.is_outer(name));
        for name in outer.cloned().collect::<Vec<_>>() {
            self.cut(&name, at);
        }
    }

    /// Makes parameters of the variables whose values may change between statements.
    fn cut_shared(&mut self, at: (usize, usize), is_late: bool) -> Option<()> {
        for name in self.needed.intersection(&self.slicer.vars.shared).cloned().collect::<Vec<_>>() {
            if is_late {
                return None;
            }
            self.cut(&name, at);
        }
        Some(())
    }

    fn note_stripped(&mut self, carried: &Carried<'t>) {
        for node in &carried.stripped {
            let name = field(*node, "name").unwrap_or(*node);
            self.notes.insert(line(name), format!("->{}(...)", self.slicer.flows.text(name)));
        }
    }

    /// From this statement on, the value of a variable is a parameter.
    fn cut(&mut self, name: &str, at: (usize, usize)) {
        self.needed.remove(name);
        self.pending.push((name.to_owned(), at));
        // The assignment belongs before the statement that was kept last.
        let parameter = format!("\u{0}{}", self.pending.len() - 1);
        match self.kept.last_mut() {
            Some(next) => next.before.push((name.to_owned(), parameter)),
            None => self.before.push((name.to_owned(), parameter)),
        }
    }

    /// The result of the part.
    fn returned(&self, last: Node<'t>) -> Option<Returned<'t>> {
        let slicer = self.slicer;
        let flows = slicer.flows;
        let elsewhere = slicer.read_elsewhere(&self.kept);
        let (mut tainted, mut out) = (BTreeSet::new(), Vec::<String>::new());
        let mut fallback = None;
        for (number, kept) in self.kept.iter().enumerate() {
            let defined = &kept.carried.defined;
            // The error of a later call would take the place of what is assigned before it.
            let is_plain = matches!(kept.node.kind(), "expression_statement" | "return_statement");
            let later = self.kept.iter().skip(number + usize::from(is_plain));
            let is_lost = later.into_iter().any(|kept| flows.of(kept.node).net);
            // A value from before the call must not be read from code that runs after it.
            if kept.carried.inputs.iter().any(|input| !flows.reads(input.node).is_disjoint(&tainted)) {
                return None;
            }
            if !kept.is_member && kept.carried.reads.is_disjoint(&tainted) {
                continue;
            }
            tainted.extend(defined.iter().cloned());
            for name in defined {
                let is_read = elsewhere.contains(name) || lower::property(name).is_some();
                if is_read && is_lost && (self.is_in_try || slicer.vars.is_kept(name)) {
                    return None;
                }
                if is_read && !out.contains(name) {
                    out.push(name.clone());
                }
                // The variable of a loop has no value if the loop does not run.
                if kept.node.kind() != "foreach_statement" {
                    fallback = Some(name.clone());
                }
            }
        }
        let is_return = last.kind() == "return_statement" && !children(last).is_empty();
        if is_return {
            return out.is_empty().then_some(Returned::Last);
        }
        let is_bare = last.kind() == "expression_statement"
            && children(last)
                .first()
                .is_some_and(|inner| flows.sdk_use(bare(*inner)).is_some() || flows.is_response(*inner));
        if out.is_empty() && is_bare {
            return Some(Returned::Last);
        }
        if out.is_empty() {
            out.extend(fallback);
        }
        match out.as_slice() {
            [] => Some(Returned::Nothing),
            [_, _, ..] if is_bare || out.iter().any(|name| slicer.vars.objects.contains(name)) => None,
            _ => Some(Returned::Variables(out)),
        }
    }
}

/// The line of a statement, and its start or its end.
fn before(node: Node<'_>) -> (usize, usize) {
    (line(node), node.start_byte())
}

fn after(node: Node<'_>) -> (usize, usize) {
    (line(node), node.end_byte())
}

/// `$name = value;` as a whole statement: the variable and the value.
fn assignment(node: Node<'_>) -> Option<(Node<'_>, Node<'_>)> {
    let inner = children(node).first().copied().filter(|_| node.kind() == "expression_statement")?;
    let left = field(inner, "left").filter(|left| left.kind() == "variable_name")?;
    (inner.kind() == "assignment_expression").then(|| Some((left, field(inner, "right")?)))?
}
