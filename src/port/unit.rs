//! A function of a file, and what is known of its variables, for `--calls`.

use std::collections::{BTreeMap, BTreeSet};

use tree_sitter::Node;

use super::flow::Flows;
use super::inventory::UseKind;
use super::known::is_object;
use super::lower;
use super::syntax::{bare, called, children, field, variable};

/// A function or method that uses the SDK.
pub(super) struct Unit<'t> {
    /// The node of the function, or of the file for code outside of functions.
    pub(super) node: Node<'t>,
    pub(super) body: Vec<Node<'t>>,
    /// Its parameters, and their declared types if Rust has the same.
    pub(super) parameters: BTreeMap<String, Option<String>>,
}

/// What is known of the variables of a unit.
#[derive(Default)]
pub(super) struct Variables {
    /// The variables without properties, and with them.
    locals: BTreeSet<String>,
    pub(super) names: BTreeSet<String>,
    /// With their types.
    pub(super) responses: BTreeMap<String, &'static str>,
    /// The variables with decoded objects.
    pub(super) decoded: BTreeSet<String>,
    /// The variables with results of code that is not known, which may be generators.
    pub(super) lazy: BTreeSet<String>,
    /// The variables with objects that JSON cannot hold.
    pub(super) objects: BTreeSet<String>,
    /// The variables whose values may change anywhere.
    pub(super) shared: BTreeSet<String>,
    /// The variables of a script that functions can change.
    globals: BTreeSet<String>,
}

impl Variables {
    /// Finds the variables of the unit, and those with responses and decoded objects.
    pub(super) fn new(flows: &Flows<'_>, unit: &Unit<'_>) -> Self {
        let mut vars = Variables { objects: flows.objects.iter().cloned().collect(), ..Variables::default() };
        let mut others: BTreeSet<String> = BTreeSet::new();
        let mut stack = unit.body.clone();
        while let Some(node) = stack.pop() {
            if let Some(name) = variable(node, flows.php) {
                match lower::property(name) {
                    Some(own) => drop(vars.names.insert(own.to_owned())),
                    None => drop(vars.locals.insert(name.to_owned())),
                }
            }
            if let ("assignment_expression", Some(right)) = (node.kind(), field(node, "right").map(bare)) {
                let left = field(node, "left").and_then(|left| variable(left, flows.php)).map(str::to_owned);
                let of = flows.of(right);
                let decodes = right.kind() == "function_call_expression" && called(right, flows.php) == "json_decode";
                if flows.may_be_lazy(right) {
                    vars.lazy.extend(left.clone());
                }
                match left {
                    Some(left) if flows.is_response(right) => {
                        vars.responses.insert(left.clone(), response_type(flows, right));
                        vars.objects.insert(left);
                    }
                    Some(left) if decodes => drop(vars.decoded.insert(left)),
                    Some(left) => {
                        let holds = flows.sdk_use(right).is_some_and(|kind| match kind {
                            UseKind::Client { .. } => true,
                            UseKind::Function(name) => is_object(&name),
                            _ => false,
                        });
                        if holds {
                            vars.objects.insert(left.clone());
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
        let is_script = unit.node.kind() == "program";
        let head = children(unit.node).into_iter().filter(|one| !is_script && Some(*one) != field(unit.node, "body"));
        for node in unit.body.iter().copied().chain(head) {
            flows.shared(node, &mut vars.shared);
        }
        vars.names.extend(vars.locals.iter().cloned());
        // A variable with other values does not certainly contain a response.
        vars.responses.retain(|name, _| !others.contains(name) && !unit.parameters.contains_key(name));
        vars.decoded.retain(|name| !others.contains(name) && !unit.parameters.contains_key(name));
        if is_script {
            vars.globals = vars.locals.iter().filter(|name| flows.is_global(name)).cloned().collect();
        }
        vars
    }

    /// Whether other code may change a variable: a property, a global variable, or a reference.
    pub(super) fn is_outer(&self, name: &str) -> bool {
        self.is_kept(name) || self.globals.contains(name)
    }

    /// Whether a variable keeps its value after the function: a property, or a reference.
    pub(super) fn is_kept(&self, name: &str) -> bool {
        lower::property(name).is_some() || self.shared.contains(name)
    }

    /// The type of a parameter that is not certainly a client or a response. The translator finds
    /// the type of a key by its uses.
    pub(super) fn other_type(&self, name: &str) -> Option<String> {
        let is_object = self.objects.contains(name);
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

fn response_type(flows: &Flows<'_>, node: Node<'_>) -> &'static str {
    let node = bare(node);
    let name = field(node, "name").map(|name| flows.text(name)).unwrap_or_default();
    let is_promise = name.to_lowercase().ends_with("async") || matches!(name, "then" | "otherwise");
    if is_promise { "PromiseInterface" } else { "ResponseInterface" }
}
