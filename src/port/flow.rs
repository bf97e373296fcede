//! Data flow for `--calls`: the effects of a piece of PHP, and the variables it defines and reads.

use std::collections::{BTreeSet, HashMap, HashSet};

use tree_sitter::Node;

use super::files::Files;
use super::inventory::{self, UseKind};
use super::known::{Effect, is_object, is_of_response};
use super::routine::{Routine, class_of, is_replaceable};
use super::syntax::{bare, called, children, field, is_chain_name, text, variable};
use super::{lower, natives};

/// The properties of a node. Those of functions inside of it do not count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traits {
    /// Contains a use of the SDK.
    pub(super) uses: bool,
    /// Contains a call of WeChat Pay.
    pub(super) net: bool,
    /// Contains a function of the SDK whose results differ between calls.
    pub(super) volatile: bool,
    /// May change more than the local variables.
    pub(super) effect: bool,
    /// Contains other code whose results differ between two evaluations.
    pub(super) fresh: bool,
    /// May leave the function.
    pub(super) exits: bool,
    /// May leave the loop around it.
    pub(super) breaks: bool,
    /// Assigns a property of `$this`.
    pub(super) property: bool,
    /// Uses variable names in variables and the like, so that assignments cannot be seen.
    pub(super) hidden: bool,
}

impl Traits {
    fn add(&mut self, other: Traits) {
        self.uses |= other.uses;
        self.net |= other.net;
        self.volatile |= other.volatile;
        self.effect |= other.effect;
        self.fresh |= other.fresh;
        self.exits |= other.exits;
        self.breaks |= other.breaks;
        self.property |= other.property;
        self.hidden |= other.hidden;
    }
}

pub(super) struct Flows<'a> {
    pub(super) php: &'a str,
    pub(super) files: &'a Files,
    traits: HashMap<usize, Traits>,
    /// The functions and methods that only calculate with their arguments and the properties of
    /// their object, and that no other class replaces.
    pub(super) pure: HashSet<Routine>,
    /// Those without parameters by reference.
    pub(super) by_value: HashSet<Routine>,
    /// The functions that the file declares.
    pub(super) functions: HashSet<String>,
    /// The variables of the file that are properties.
    pub(super) properties: BTreeSet<String>,
    /// The variables of the script that functions can change; none if these are not known.
    globals: Option<HashSet<String>>,
    /// The variables that contain a part of a path.
    chains: HashSet<String>,
    /// The variables with clients.
    clients: HashSet<String>,
    /// The properties that contain keys and other objects of the SDK.
    pub(super) objects: HashSet<String>,
    /// Whether a class has a `__get` that does more than calculate, so that each read of a property
    /// is a call.
    reads_act: bool,
}

/// Whether a function changes variables of the code around it through references.
fn has_reference(function: Node<'_>) -> bool {
    let clauses = children(function).into_iter().filter(|one| one.kind() == "anonymous_function_use_clause");
    clauses.flat_map(children).any(|one| one.kind() == "by_ref")
}

pub(super) fn is_function(node: Node<'_>) -> bool {
    matches!(
        node.kind(),
        "anonymous_function"
            | "arrow_function"
            | "function_definition"
            | "method_declaration"
            | "class_declaration"
            | "trait_declaration"
            | "interface_declaration"
            | "enum_declaration"
            | "anonymous_class"
    )
}

impl<'a> Flows<'a> {
    pub(super) fn new(root: Node<'_>, php: &'a str, files: &'a Files) -> Self {
        let mut flows = Flows {
            php,
            files,
            traits: HashMap::new(),
            pure: HashSet::new(),
            by_value: HashSet::new(),
            functions: HashSet::new(),
            properties: BTreeSet::new(),
            globals: Some(HashSet::new()),
            chains: HashSet::new(),
            clients: HashSet::new(),
            objects: HashSet::new(),
            reads_act: false,
        };
        let mut routines = HashMap::<Routine, Vec<Node<'_>>>::new();
        let mut stack = vec![root];
        while let Some(node) = stack.pop() {
            match node.kind() {
                "method_declaration" | "function_definition" => {
                    let name = field(node, "name").map(|name| text(name, php).to_lowercase()).unwrap_or_default();
                    let class = class_of(node).filter(|_| node.kind() == "method_declaration");
                    if class.is_none() {
                        flows.functions.insert(name.clone());
                    }
                    routines.entry((class.map_or(0, |class| class.id()), name)).or_default().push(node);
                }
                "global_declaration" => {
                    let names = children(node).into_iter().map(|one| variable(one, php).map(str::to_owned));
                    names.for_each(|name| flows.note_global(name));
                }
                "subscript_expression" => {
                    if let [of, key] = children(node).as_slice() {
                        if text(*of, php) == "$GLOBALS" {
                            let key = (key.kind() == "string").then(|| text(*key, php).trim_matches(['\'', '"']));
                            flows.note_global(key.map(str::to_owned));
                        }
                    }
                }
                // The functions of another file may change them.
                _ if flows.is_include(node) => flows.globals = None,
                "variable_name" => {
                    let own = variable(node, php).filter(|name| lower::property(name).is_some());
                    flows.properties.extend(own.map(str::to_owned));
                }
                "assignment_expression" => {
                    let right = field(node, "right").map(bare);
                    let name = field(node, "left").and_then(|left| variable(left, php));
                    let kind = right.and_then(|right| inventory::direct_use(right, php, files));
                    let is_object = match &kind {
                        Some(UseKind::Client { .. }) => true,
                        Some(UseKind::Function(name)) => is_object(name),
                        _ => false,
                    };
                    if let (Some(UseKind::Client { .. }), Some(name)) = (&kind, name) {
                        flows.clients.insert(name.to_owned());
                    }
                    let property = name.filter(|name| is_object && lower::property(name).is_some());
                    flows.objects.extend(property.map(str::to_owned));
                    if right.is_some_and(|right| {
                        flows.starts_chain(right) && inventory::direct_use(right, php, files).is_none()
                    }) {
                        flows.chains.extend(name.map(str::to_owned));
                    }
                }
                "member_access_expression" | "member_call_expression" => {
                    let is_path = field(node, "name").is_some_and(|name| is_chain_name(text(name, php)));
                    let of = field(node, "object").map(bare).and_then(|of| variable(of, php));
                    flows.clients.extend(of.filter(|_| is_path).map(str::to_owned));
                }
                _ => {}
            }
            stack.extend(children(node));
        }
        let has_getters = routines.iter().any(|((_, name), found)| name == "__get" && found.len() > 1);
        // One of several functions of the same name is not certain.
        routines.retain(|_, found| found.len() == 1);
        let routines: Vec<(Routine, Node<'_>)> =
            routines.into_iter().filter_map(|(name, found)| Some((name, *found.first()?))).collect();
        let takes_reference = |node: Node<'_>| {
            let parameters = field(node, "parameters").map(children).unwrap_or_default();
            parameters.iter().any(|one| field(*one, "reference_modifier").is_some())
        };
        let by_value = routines.iter().filter(|(_, node)| !takes_reference(*node));
        flows.by_value = by_value.map(|(name, _)| name.clone()).collect();
        for _ in 0..4 {
            flows.visit(root);
            let is_pure = |node: Node<'_>| {
                field(node, "body").is_some_and(|body| {
                    let of = flows.of(body);
                    !(of.net || of.volatile || of.effect || of.fresh || of.property || of.hidden)
                })
            };
            let found = routines
                .iter()
                .filter(|(name, node)| flows.by_value.contains(name) && !is_replaceable(*node, php) && is_pure(*node));
            let found: HashSet<Routine> = found.map(|(name, _)| name.clone()).collect();
            let reads_act = routines.iter().any(|((_, name), node)| name == "__get" && !is_pure(*node)) || has_getters;
            if found == flows.pure && reads_act == flows.reads_act {
                break;
            }
            (flows.pure, flows.reads_act) = (found, reads_act);
        }
        flows
    }

    pub(super) fn of(&self, node: Node<'_>) -> Traits {
        self.traits.get(&node.id()).copied().unwrap_or_default()
    }

    pub(super) fn text(&self, node: Node<'_>) -> &'a str {
        text(node, self.php)
    }

    /// Whether an expression may be a generator, whose code runs between the rounds of a loop.
    pub(super) fn may_be_lazy(&self, node: Node<'_>) -> bool {
        let node = bare(node);
        let is_call = node.kind().ends_with("call_expression") || node.kind() == "object_creation_expression";
        match node.kind() {
            "conditional_expression" => ["condition", "body", "alternative"]
                .iter()
                .filter_map(|part| field(node, part))
                .any(|part| self.may_be_lazy(part)),
            "binary_expression" if field(node, "operator").is_some_and(|operator| self.text(operator) == "??") => {
                ["left", "right"].iter().filter_map(|part| field(node, part)).any(|part| self.may_be_lazy(part))
            }
            _ => is_call && self.of(node).effect && !self.of(node).uses,
        }
    }

    /// Whether some code of the file uses a variable of this name as a client.
    pub(super) fn is_client(&self, name: &str) -> bool {
        self.clients.contains(name)
    }

    fn note_global(&mut self, name: Option<String>) {
        match (name, &mut self.globals) {
            (Some(name), Some(known)) => drop(known.insert(name)),
            _ => self.globals = None,
        }
    }

    /// Whether functions may change a variable of the script.
    pub(super) fn is_global(&self, name: &str) -> bool {
        self.globals.as_ref().is_none_or(|names| names.contains(name))
    }

    /// Whether a piece runs another file, other than the autoloader, in the scope that it is in.
    pub(super) fn is_include(&self, node: Node<'_>) -> bool {
        let kind = node.kind().strip_suffix("_expression").unwrap_or_default();
        matches!(kind, "include" | "include_once" | "require" | "require_once")
            && !self.text(node).contains("autoload.php")
    }

    fn visit(&mut self, node: Node<'_>) -> Traits {
        let mut found = self.own(node);
        for child in children(node) {
            let inner = self.visit(child);
            if !is_function(child) {
                found.add(inner);
            } else if node.kind() == "argument" {
                // The called function may call this one.
                found.effect |= inner.effect || inner.net || inner.property || has_reference(child);
                found.fresh |= inner.fresh;
            }
        }
        match node.kind() {
            "foreach_statement" | "for_statement" | "while_statement" | "do_statement" | "switch_statement" => {
                found.breaks = false;
            }
            _ => {}
        }
        self.traits.insert(node.id(), found);
        found
    }

    fn own(&self, node: Node<'_>) -> Traits {
        let mut own = Traits::default();
        if let Some(kind) = self.sdk_use(node) {
            own.uses = true;
            match kind {
                UseKind::Call { .. } => own.net = true,
                UseKind::Function(name) => {
                    own.volatile = matches!(name.as_str(), "Formatter::nonce" | "Formatter::timestamp")
                }
                _ => {}
            }
            return own;
        }
        match node.kind() {
            "function_call_expression" => {
                let hides = ["extract", "get_defined_vars", "eval", "parse_str", "mb_parse_str", "func_get_args"];
                own.hidden = hides.contains(&called(node, self.php).as_str());
                let effect = self.function(node);
                own.effect = effect == Effect::Unknown;
                own.fresh = effect == Effect::Differs;
            }
            "scoped_call_expression" => own.effect = !(self.is_pure_call(node) || self.is_sdk_class(node)),
            "member_call_expression" => {
                let is_known = self.is_pure_call(node) || self.starts_chain(node) || self.is_awaited(node);
                own.fresh = !is_known && self.is_response_method(node);
                own.effect = !is_known && !own.fresh;
            }
            "object_creation_expression" => {
                let class = children(node).first().map(|class| self.text(*class).to_lowercase()).unwrap_or_default();
                own.effect = !class.ends_with("exception");
            }
            "member_access_expression" | "nullsafe_member_access_expression" => {
                own.effect = self.reads_act && !self.starts_chain(node);
            }
            "nullsafe_member_call_expression"
            | "echo_statement"
            | "print_intrinsic"
            | "include_expression"
            | "include_once_expression"
            | "require_expression"
            | "require_once_expression"
            | "shell_command_expression"
            | "text_interpolation" => own.effect = true,
            "return_statement" | "throw_expression" | "exit_statement" => own.exits = true,
            "break_statement" | "continue_statement" => own.breaks = true,
            "dynamic_variable_name" | "goto_statement" | "yield_expression" => own.hidden = true,
            // A variable of these keeps its value between calls, or has it from elsewhere.
            "global_declaration" | "function_static_declaration" | "reference_assignment_expression" => {
                own.fresh = true;
            }
            "variable_name" => own.fresh = self.text(node) == "$GLOBALS",
            _ => {}
        }
        for root in self.targets(node) {
            match variable(root, self.php) {
                Some(name) if lower::property(name).is_some() => own.property = true,
                Some(name) => own.effect |= name == "GLOBALS" || natives::of_request(name).is_some(),
                // A part of another object, or a property of a class.
                None => own.effect |= root.kind().ends_with("_expression"),
            }
        }
        own
    }

    /// The use of the SDK in this node itself.
    pub(super) fn sdk_use(&self, node: Node<'_>) -> Option<UseKind> {
        match inventory::direct_use(node, self.php, self.files) {
            Some(UseKind::Notification(_)) => None,
            Some(kind) => Some(kind),
            None if node.kind() == "member_call_expression" => {
                let object = field(node, "object").map(bare)?;
                let name = self.text(field(node, "name")?);
                let is_chain = variable(object, self.php).is_some_and(|object| self.chains.contains(object));
                // `$client->getDriver()->request('GET', ...)`
                let is_driver = || field(object, "name").is_some_and(|name| self.text(name) == "getDriver");
                let (verb, is_async) = match name {
                    "request" | "requestAsync" if is_driver() => ("request", name == "requestAsync"),
                    _ => inventory::verb(name).filter(|_| is_chain)?,
                };
                Some(UseKind::Call { verb: verb.to_uppercase(), path: None, is_async, options: Vec::new() })
            }
            None => None,
        }
    }

    /// Whether the value of an expression is a response or a promise of a call in it.
    pub(super) fn is_response(&self, node: Node<'_>) -> bool {
        let node = bare(node);
        matches!(self.sdk_use(node), Some(UseKind::Call { .. }))
            || self.continues(node) && field(node, "object").is_some_and(|object| self.is_response(object))
    }

    fn continues(&self, node: Node<'_>) -> bool {
        let name = field(node, "name").map(|name| self.text(name)).unwrap_or_default();
        node.kind() == "member_call_expression" && matches!(name, "then" | "otherwise" | "wait")
    }

    /// Whether a node waits for a call, or adds functions to it whose code is in the arguments.
    fn is_awaited(&self, node: Node<'_>) -> bool {
        let given = super::syntax::arguments(node).unwrap_or_default();
        self.is_response(node) && self.continues(node) && given.iter().all(|one| is_function(*one))
    }

    /// Whether a node or what it continues begins a path, as `$client->v3` and
    /// `$client->chain(...)` do.
    pub(super) fn starts_chain(&self, node: Node<'_>) -> bool {
        let node = bare(node);
        let first = |key: Node<'_>| {
            let key = self.text(key).trim_matches(['\'', '"']).trim_start_matches('/');
            matches!(key.split('/').next(), Some("v2" | "v3" | "V2" | "V3"))
        };
        match node.kind() {
            "member_access_expression" => {
                field(node, "name").is_some_and(first)
                    || field(node, "object").is_some_and(|object| self.starts_chain(object))
            }
            "subscript_expression" => match children(node).as_slice() {
                [of, key] => first(*key) || self.starts_chain(*of),
                _ => false,
            },
            "member_call_expression" => field(node, "name").is_some_and(|name| self.text(name) == "chain"),
            "variable_name" => variable(node, self.php).is_some_and(|name| self.chains.contains(name)),
            _ => false,
        }
    }

    pub(super) fn is_sdk_class(&self, node: Node<'_>) -> bool {
        field(node, "scope").is_some_and(|scope| inventory::sdk_class(scope, self.php, self.files).is_some())
    }

    pub(super) fn is_response_method(&self, node: Node<'_>) -> bool {
        field(node, "name").is_some_and(|name| is_of_response(&self.text(name).to_lowercase()))
    }
}
