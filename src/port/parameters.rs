//! The parameters of a part: their names, types and order, for `--calls`.

use std::collections::{BTreeMap, BTreeSet};

use super::carry::Carried;
use super::lower;
use super::part::Build;
use super::slice::{Parameter, Returned};
use super::syntax::{line, variable};
use super::text::snake;

impl<'t> Build<'_, '_, 't> {
    /// A parameter that other code gives the value of a variable takes the name of the variable if
    /// no statement before it uses the variable for another value. `None` if the variable would get
    /// a second client or key: those have no assignments.
    pub(super) fn resolve_pending(&mut self) -> Option<()> {
        for (number, (name, place)) in std::mem::take(&mut self.pending).into_iter().enumerate() {
            let mark = format!("\u{0}{number}");
            let at = self.kept.iter().position(|kept| kept.before.iter().any(|(_, of)| *of == mark));
            let before = self.kept.iter().take(at.unwrap_or(usize::MAX));
            let is_used = before
                .into_iter()
                .any(|kept| kept.carried.defined.contains(&name) || kept.carried.reads.contains(&name));
            let is_taken = self.parameters.iter().any(|parameter| parameter.php == format!("${name}"));
            if is_used && (self.clients.contains(&name) || self.slicer.vars.other_type(&name).is_none()) {
                return None;
            }
            let parameter = if is_used || is_taken {
                let word = format!("{}_2", lower::property(&name).unwrap_or(&name));
                let free = self.free(&word);
                self.parameter(&free, &name, None, place);
                if let Some(last) = self.parameters.last_mut() {
                    last.word = Some(word);
                }
                Some(free)
            } else {
                self.parameter(&name, &name, None, place);
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
        Some(())
    }

    pub(super) fn parameter(&mut self, name: &str, of: &str, ty: Option<String>, (line, at): (usize, usize)) {
        let php = format!("${}", lower::property(of).map_or_else(|| of.to_owned(), |own| format!("this->{own}")));
        let name = if name == of { self.slicer.vars.local(of) } else { name.to_owned() };
        let is_client = self.clients.contains(of).then_some("BuilderChainable");
        let known = is_client.or_else(|| self.slicer.vars.responses.get(of).copied());
        let ty = ty.or_else(|| known.map(str::to_owned)).or_else(|| self.slicer.vars.other_type(of));
        self.parameters.push(Parameter { name, word: None, ty, of: Some(of.to_owned()), php, line, at });
    }

    fn free(&mut self, word: &str) -> String {
        free_name(&mut self.taken, word)
    }

    /// Numbers the parameters of the same name in the order of the source.
    pub(super) fn number(&mut self, returned: &mut Returned<'t>) {
        let mut carried: Vec<&Carried<'t>> = self.kept.iter().map(|kept| &kept.carried).collect();
        if let Returned::Expression(_, own, _) = &*returned {
            carried.push(own);
        }
        let variables = carried.into_iter().flat_map(|one| one.reads.iter().chain(&one.defined));
        let mut taken = variables.map(|name| snake(&self.slicer.vars.local(name))).collect();
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
    pub(super) fn names_of(&mut self, carried: &Carried<'t>) -> Vec<String> {
        let flows = self.slicer.flows;
        let mut names = Vec::new();
        for input in &carried.inputs {
            let php = flows.text(input.node).split_whitespace().collect::<Vec<_>>().join(" ");
            // A value that is computed once has a parameter of its own.
            let change = if input.is_once { input.node.start_byte() } else { self.slicer.last_change(input.node) };
            let key = (php.clone(), change);
            let name = match self.inputs.get(&key) {
                Some(known) => known.clone(),
                None => {
                    let name = self.free(&input.name);
                    self.inputs.insert(key, name.clone());
                    let php = php.replace(&format!("${}", lower::PREFIX), "$this->");
                    let ty = match variable(input.node, flows.php) {
                        _ if input.is_client => Some("BuilderChainable".to_owned()),
                        Some(own) => self.slicer.vars.other_type(own),
                        None => Some("mixed".to_owned()),
                    };
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
