//! Builds a part from its end to its beginning: adds the statements that define what it needs, and
//! makes parameters of the values that it cannot compute.

use std::collections::{BTreeMap, BTreeSet};

use tree_sitter::Node;

use super::carry::{Carried, Reading, is_input};
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
    slicer: &'b Slicer<'a, 't>,
    kept: Vec<Kept<'t>>,
    needed: BTreeSet<String>,
    parameters: Vec<Parameter>,
    notes: BTreeMap<usize, String>,
    taken: BTreeSet<String>,
    /// The parameters of values that are read, by their PHP and the number of statements with
    /// effects before them.
    inputs: BTreeMap<(String, usize), String>,
    /// The variables whose value is a parameter from here on, and its line.
    pending: Vec<(String, usize)>,
    /// The assignments before the returned expression.
    before: Vec<(String, String)>,
    /// The variables with clients.
    clients: BTreeSet<String>,
}

impl<'b, 'a, 't> Build<'b, 'a, 't> {
    pub(super) fn new(slicer: &'b Slicer<'a, 't>) -> Self {
        Build {
            slicer,
            kept: Vec::new(),
            needed: BTreeSet::new(),
            parameters: Vec::new(),
            notes: BTreeMap::new(),
            taken: slicer.names.iter().map(|name| snake(name)).collect(),
            inputs: BTreeMap::new(),
            pending: Vec::new(),
            before: Vec::new(),
            clients: BTreeSet::new(),
        }
    }

    pub(super) fn part(mut self, levels: &[Level<'t>], members: &[usize], tail: Option<Node<'t>>) -> Option<Part<'t>> {
        let flows = self.slicer.flows;
        let inner = levels.last()?;
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
                    self.cut(&name, line(statement));
                }
            }
            self.cut_shared(line(statement), false)?;
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
            self.parameter(&name, &name, ty, line(self.slicer.unit.node));
        }
        self.resolve_pending();
        let last = members.last().and_then(|at| member(*at));
        if tail.is_none() {
            returned = self.returned(last?)?;
        }
        let line = tail.or(members.first().and_then(|at| member(*at))).map(line)?;
        let nodes = self.kept.iter().map(|kept| kept.node).chain(tail);
        let ids = nodes.flat_map(|node| self.slicer.use_ids(node)).collect();
        self.parameters.sort_by_key(|parameter| (parameter.line, parameter.at));
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
        let defined = match node.kind() {
            "if_statement" => {
                let mut heads = Vec::new();
                for part in [node].into_iter().chain(children(node)) {
                    heads.extend(field(part, "condition"));
                }
                heads.into_iter().flat_map(|head| flows.definitions(head)).collect()
            }
            // The statements before the part were passed one by one.
            "try_statement" if field(node, "body").is_some_and(is_in) => BTreeSet::new(),
            _ => flows.definitions(node),
        };
        for name in self.needed.clone().into_iter().filter(|name| defined.contains(name)) {
            self.cut(&name, line(node));
        }
        let block = first.and_then(|first| first.parent()).filter(|block| *block != node).or(first);
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
            let carried =
                carried.filter(|carried| !assignment(node).is_some_and(|(_, value)| is_input(carried, value)));
            match carried.filter(|carried| wanted.iter().any(|name| carried.defined.contains(name))) {
                Some(carried) => self.keep(node, carried, false, is_late)?,
                None if is_late => return None,
                None => wanted.iter().for_each(|name| self.cut(name, line(node))),
            }
        } else if of.effect {
            self.cut_properties(line(node));
        }
        if of.exits {
            self.notes.insert(line(node), flows.text(node).to_owned());
        }
        Some(())
    }

    fn keep(&mut self, node: Node<'t>, carried: Carried<'t>, is_member: bool, is_late: bool) -> Option<()> {
        let flows = self.slicer.flows;
        if is_late && carried.inputs.iter().any(|input| input.reading == Reading::Call) {
            return None;
        }
        // The functions that are left to the caller may change the result.
        if !carried.stripped.is_empty() && carried.defined.iter().any(|name| self.needed.contains(name)) {
            return None;
        }
        if carried.inputs.iter().any(|input| input.reading == Reading::Call) {
            self.cut_properties(line(node));
        }
        for name in carried.changed.intersection(&self.needed).cloned().collect::<Vec<_>>() {
            if is_late || is_member && carried.defined.contains(&name) {
                return None;
            }
            self.cut(&name, line(node));
        }
        self.note_stripped(&carried);
        let names = self.names_of(&carried);
        if let Some(name) = assignment(node).and_then(|(left, _)| variable(left, flows.php)) {
            self.needed.remove(name);
        }
        self.needed.extend(carried.reads.iter().cloned());
        self.clients.extend(carried.clients.iter().cloned());
        self.kept.push(Kept { node, carried, names, before: Vec::new(), is_member });
        self.cut_shared(line(node), is_late)
    }

    /// A method that is not known may change the properties of its object.
    fn cut_properties(&mut self, line: usize) {
        let properties = self.needed.iter().filter(|name| lower::property(name).is_some());
        for name in properties.cloned().collect::<Vec<_>>() {
            self.cut(&name, line);
        }
    }

    /// Makes parameters of the variables whose values may change between statements.
    fn cut_shared(&mut self, line: usize, is_late: bool) -> Option<()> {
        for name in self.needed.intersection(&self.slicer.shared).cloned().collect::<Vec<_>>() {
            if is_late {
                return None;
            }
            self.cut(&name, line);
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
    fn cut(&mut self, name: &str, line: usize) {
        self.needed.remove(name);
        self.pending.push((name.to_owned(), line));
        // The assignment belongs before the statement that was kept last.
        let parameter = format!("\u{0}{}", self.pending.len() - 1);
        match self.kept.last_mut() {
            Some(next) => next.before.push((name.to_owned(), parameter)),
            None => self.before.push((name.to_owned(), parameter)),
        }
    }

    /// A parameter that other code gives the value of a variable takes the name of the variable if
    /// no statement before it uses the variable for another value.
    fn resolve_pending(&mut self) {
        for (number, (name, line)) in std::mem::take(&mut self.pending).into_iter().enumerate() {
            let mark = format!("\u{0}{number}");
            let at = self.kept.iter().position(|kept| kept.before.iter().any(|(_, of)| *of == mark));
            let before = self.kept.iter().take(at.unwrap_or(usize::MAX));
            let is_used = before
                .into_iter()
                .any(|kept| kept.carried.defined.contains(&name) || kept.carried.reads.contains(&name));
            let is_taken = self.parameters.iter().any(|parameter| parameter.php == format!("${name}"));
            let parameter = if is_used || is_taken {
                let word = format!("{}_2", lower::property(&name).unwrap_or(&name));
                let free = self.free(&word);
                self.parameter(&free, &name, None, line);
                if let Some(last) = self.parameters.last_mut() {
                    last.word = Some(word);
                }
                Some(free)
            } else {
                self.parameter(&name, &name, None, line);
                None
            };
            let all = self.kept.iter_mut().map(|kept| &mut kept.before).chain([&mut self.before]);
            for before in all {
                before.retain_mut(|(_, of)| match (&parameter, *of == mark) {
                    (None, true) => false,
                    (Some(free), true) => {
                        of.clone_from(free);
                        true
                    }
                    _ => true,
                });
            }
        }
    }

    fn parameter(&mut self, name: &str, of: &str, ty: Option<String>, line: usize) {
        let php = format!("${}", lower::property(of).map_or_else(|| of.to_owned(), |own| format!("this->{own}")));
        let name = if name == of { self.slicer.local(of) } else { name.to_owned() };
        let is_client = self.clients.contains(of).then_some("BuilderChainable");
        let known = is_client.or_else(|| self.slicer.responses.get(of).copied());
        let ty = ty.or_else(|| known.map(str::to_owned)).or_else(|| self.slicer.other_type(of));
        self.parameters.push(Parameter { name, word: None, ty, of: Some(of.to_owned()), php, line, at: 0 });
    }

    fn free(&mut self, word: &str) -> String {
        free_name(&mut self.taken, word)
    }

    /// Numbers the parameters of the same name in the order of the source.
    fn number(&mut self, returned: &mut Returned<'t>) {
        let mut taken = self.slicer.names.iter().map(|name| snake(name)).collect();
        let mut names = BTreeMap::new();
        for parameter in &mut self.parameters {
            if let Some(word) = &parameter.word {
                let name = free_name(&mut taken, word);
                names.insert(std::mem::replace(&mut parameter.name, name.clone()), name);
            }
        }
        let rename = |name: &mut String| {
            if let Some(new) = names.get(name) {
                name.clone_from(new);
            }
        };
        for kept in &mut self.kept {
            kept.names.iter_mut().for_each(&rename);
            kept.before.iter_mut().for_each(|(_, of)| rename(of));
        }
        self.before.iter_mut().for_each(|(_, of)| rename(of));
        if let Returned::Expression(_, _, own) = returned {
            own.iter_mut().for_each(&rename);
        }
    }

    /// The names of the parameters for the inputs of a statement.
    fn names_of(&mut self, carried: &Carried<'t>) -> Vec<String> {
        let flows = self.slicer.flows;
        let mut names = Vec::new();
        for input in &carried.inputs {
            let php = flows.text(input.node).split_whitespace().collect::<Vec<_>>().join(" ");
            let is_fixed = input.reading == Reading::Client || input.node.kind() == "function_call_expression";
            let key = match input.reading {
                Reading::Call => (format!("{php} {}", input.node.start_byte()), 0),
                _ if is_fixed => (php.clone(), 0),
                _ => (php.clone(), self.slicer.last_change(input.node, &flows.reads(input.node))),
            };
            let name = match self.inputs.get(&key) {
                Some(known) => known.clone(),
                None => {
                    let name = self.free(&input.name);
                    self.inputs.insert(key, name.clone());
                    let php = php.replace(&format!("${}", lower::PREFIX), "$this->");
                    let ty = if input.reading == Reading::Client { "BuilderChainable" } else { "mixed" };
                    let ty = Some(ty.to_owned());
                    let (at, word) = (input.node.start_byte(), Some(input.name.clone()));
                    let parameter =
                        Parameter { name: name.clone(), word, ty, of: None, php, line: line(input.node), at };
                    self.parameters.push(parameter);
                    name
                }
            };
            names.push(name);
        }
        names
    }

    /// The result of the part.
    fn returned(&self, last: Node<'t>) -> Option<Returned<'t>> {
        let slicer = self.slicer;
        let flows = slicer.flows;
        let elsewhere = slicer.read_elsewhere(&self.kept);
        let (mut tainted, mut out) = (BTreeSet::new(), Vec::<String>::new());
        let mut fallback = None;
        for kept in &self.kept {
            let defined = &kept.carried.defined;
            let is_tainted = kept.is_member || !kept.carried.reads.is_disjoint(&tainted);
            if !is_tainted {
                continue;
            }
            // A value from before the call must not be read from code that runs after it.
            if kept.carried.inputs.iter().any(|input| !flows.reads(input.node).is_disjoint(&tainted)) {
                return None;
            }
            tainted.extend(defined.iter().cloned());
            for name in defined {
                let is_read = elsewhere.contains(name) || lower::property(name).is_some();
                if is_read && !out.contains(name) {
                    out.push(name.clone());
                }
                fallback = Some(name.clone());
            }
        }
        let is_return = last.kind() == "return_statement" && !children(last).is_empty();
        if is_return {
            return out.is_empty().then_some(Returned::Last);
        }
        let is_bare = last.kind() == "expression_statement"
            && children(last)
                .first()
                .is_some_and(|inner| slicer.flows.sdk_use(bare(*inner)).is_some() || slicer.is_response(*inner));
        if out.is_empty() && is_bare {
            return Some(Returned::Last);
        }
        if out.is_empty() {
            out.extend(fallback);
        }
        match out.as_slice() {
            [] => Some(Returned::Nothing),
            [_, _, ..] if is_bare || out.iter().any(|name| slicer.objects.contains(name)) => None,
            _ => Some(Returned::Variables(out)),
        }
    }
}

/// A name that is not taken: the word, or the word with a number.
fn free_name(taken: &mut BTreeSet<String>, word: &str) -> String {
    let mut name = word.to_owned();
    let mut number = 2;
    while !taken.insert(snake(&name)) {
        name = format!("{word}_{number}");
        number += 1;
    }
    name
}

/// `$name = value;` as a whole statement: the variable and the value.
fn assignment(node: Node<'_>) -> Option<(Node<'_>, Node<'_>)> {
    let inner = children(node).first().copied().filter(|_| node.kind() == "expression_statement")?;
    let left = field(inner, "left").filter(|left| left.kind() == "variable_name")?;
    (inner.kind() == "assignment_expression").then(|| Some((left, field(inner, "right")?)))?
}
