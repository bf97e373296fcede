//! Data flow for `--calls`: the effects of a piece of PHP, and the variables it defines and reads.

use std::collections::{HashMap, HashSet};

use tree_sitter::Node;

use super::files::Files;
use super::inventory::{self, UseKind};
use super::known::{is_changing, is_object, is_of_response, is_quiet, is_reading};
use super::lower;
use super::scope::changes_argument;
use super::syntax::{bare, children, field, is_chain_name, root_of, text, variable};

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
    /// The methods that only calculate with the properties of their object, in lower case.
    pure_methods: HashSet<String>,
    /// The methods of the file without parameters by reference, in lower case.
    pub(super) by_value: HashSet<String>,
    /// The scalar constants of the classes of the file, with their PHP.
    constants: HashMap<String, String>,
    /// The variables that contain a part of a path.
    chains: HashSet<String>,
    /// The variables with clients.
    clients: HashSet<String>,
    /// The properties that contain keys and other objects of the SDK.
    objects: HashSet<String>,
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
            pure_methods: HashSet::new(),
            by_value: HashSet::new(),
            constants: HashMap::new(),
            chains: HashSet::new(),
            clients: HashSet::new(),
            objects: HashSet::new(),
        };
        let (mut methods, mut names) = (Vec::new(), HashMap::<String, usize>::new());
        let mut stack = vec![root];
        while let Some(node) = stack.pop() {
            match node.kind() {
                "method_declaration" => {
                    let name = field(node, "name").map(|name| text(name, php).to_lowercase()).unwrap_or_default();
                    *names.entry(name.clone()).or_default() += 1;
                    methods.push((name, node));
                }
                "const_element" => {
                    if let [name, value] = children(node).as_slice() {
                        if matches!(value.kind(), "string" | "integer" | "float" | "boolean") {
                            let of = flows.constants.entry(text(*name, php).to_owned());
                            // A name that several classes declare is not certain.
                            of.and_modify(String::clear).or_insert_with(|| text(*value, php).to_owned());
                        }
                    }
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
        methods.retain(|(name, _)| names.get(name) == Some(&1));
        let takes_reference = |node: Node<'_>| {
            let parameters = field(node, "parameters").map(children).unwrap_or_default();
            parameters.iter().any(|one| field(*one, "reference_modifier").is_some())
        };
        flows.by_value =
            methods.iter().filter(|(_, node)| !takes_reference(*node)).map(|(name, _)| name.clone()).collect();
        for _ in 0..4 {
            flows.visit(root);
            let found: HashSet<String> = methods
                .iter()
                .filter(|(_, node)| {
                    field(*node, "body").is_some_and(|body| {
                        let of = flows.of(body);
                        !(of.uses || of.effect || of.property || of.hidden)
                    })
                })
                .map(|(name, _)| name.clone())
                .collect();
            if found == flows.pure_methods {
                break;
            }
            flows.pure_methods = found;
        }
        flows
    }

    pub(super) fn of(&self, node: Node<'_>) -> Traits {
        self.traits.get(&node.id()).copied().unwrap_or_default()
    }

    pub(super) fn text(&self, node: Node<'_>) -> &'a str {
        text(node, self.php)
    }

    /// Whether some code of the file uses a variable of this name as a client.
    pub(super) fn is_client(&self, name: &str) -> bool {
        self.clients.contains(name)
    }

    /// Whether a property contains an object of the SDK.
    pub(super) fn has_object(&self, property: &str) -> bool {
        self.objects.contains(property)
    }

    /// The PHP of a scalar constant of a class of the file.
    pub(super) fn constant(&self, name: &str) -> Option<&str> {
        self.constants.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn visit(&mut self, node: Node<'_>) -> Traits {
        let mut found = self.own(node);
        for child in children(node) {
            let inner = self.visit(child);
            if !is_function(child) {
                found.add(inner);
            } else if node.kind() == "argument" {
                // The called function may call this one.
                found.effect |= inner.effect || inner.net || inner.property;
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
                let name = self.called(node);
                own.hidden =
                    matches!(name.as_str(), "extract" | "get_defined_vars" | "eval" | "parse_str" | "func_get_args");
                own.effect = !(is_quiet(&name) || is_reading(&name) || is_changing(&name) || changes_argument(&name));
            }
            "scoped_call_expression" => own.effect = !(self.is_pure_call(node) || self.is_sdk_class(node)),
            "member_call_expression" => own.effect = !(self.is_pure_call(node) || self.is_response_method(node)),
            "object_creation_expression" => {
                let class = children(node).first().map(|class| self.text(*class).to_lowercase()).unwrap_or_default();
                own.effect = !class.ends_with("exception");
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
            "assignment_expression" | "augmented_assignment_expression" | "update_expression" | "unset_statement" => {
                let target = field(node, "left").or_else(|| field(node, "argument"));
                for target in target.map_or_else(|| children(node), |target| vec![target]) {
                    match root_of(target) {
                        root if root.kind() == "variable_name" => {
                            own.property |=
                                variable(root, self.php).is_some_and(|name| lower::property(name).is_some());
                        }
                        root => own.effect |= root.kind() != "list_literal",
                    }
                }
            }
            _ => {}
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
                let base = name.strip_suffix("Async").unwrap_or(name);
                let is_verb = ["get", "put", "post", "patch", "delete"].contains(&base);
                let is_chain = variable(object, self.php).is_some_and(|object| self.chains.contains(object));
                // `$client->getDriver()->request('GET', ...)`
                let is_driver = || field(object, "name").is_some_and(|name| self.text(name) == "getDriver");
                (is_verb && is_chain || base == "request" && is_driver()).then(|| UseKind::Call {
                    verb: base.to_uppercase(),
                    path: None,
                    is_async: base.len() < name.len(),
                    options: Vec::new(),
                })
            }
            None => None,
        }
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

    /// The name of a called function, in lower case; empty if it is not a name.
    pub(super) fn called(&self, node: Node<'_>) -> String {
        let name = field(node, "function").filter(|name| matches!(name.kind(), "name" | "qualified_name"));
        name.map(|name| self.text(name).trim_start_matches('\\').to_lowercase()).unwrap_or_default()
    }

    /// Whether a call reads a value that does not change while the method runs.
    pub(super) fn is_reading(&self, node: Node<'_>) -> bool {
        is_reading(&self.called(node))
    }

    /// `$this->name()` and `self::name()` of a method that only calculates.
    pub(super) fn is_pure_call(&self, node: Node<'_>) -> bool {
        self.own_method(node).is_some_and(|name| self.pure_methods.contains(&name))
    }

    /// The method of the same object that a call calls, in lower case.
    pub(super) fn own_method(&self, node: Node<'_>) -> Option<String> {
        let of = field(node, "object").or_else(|| field(node, "scope")).map(|of| self.text(of));
        let name = field(node, "name").filter(|_| matches!(of, Some("$this" | "self" | "static")))?;
        Some(self.text(name).to_lowercase())
    }

    pub(super) fn is_sdk_class(&self, node: Node<'_>) -> bool {
        field(node, "scope").is_some_and(|scope| inventory::sdk_class(scope, self.php, self.files).is_some())
    }

    pub(super) fn is_response_method(&self, node: Node<'_>) -> bool {
        field(node, "name").is_some_and(|name| is_of_response(&self.text(name).to_lowercase()))
    }
}
