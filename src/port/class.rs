//! Reads the classes of a file: their members, with those of parents and traits of the same file.

use std::collections::HashSet;
use std::rc::Rc;

use tree_sitter::Node;

use super::Porter;
use super::definite::assigned_after;
use super::lower;
use super::members::{Class, Constant, Method, Property};
use super::syntax::{all, children, field, text, variable};
use super::text::snake;

/// The members that one class or trait declares itself.
struct Own<'t> {
    node: Node<'t>,
    name: String,
    base: Option<Node<'t>>,
    traits: Vec<Node<'t>>,
    properties: Vec<Property<'t>>,
    methods: Vec<Method<'t>>,
    constants: Vec<Constant<'t>>,
    unsupported: Vec<(Node<'t>, &'static str)>,
}

fn has(node: Node<'_>, kind: &str) -> bool {
    all(node).iter().any(|child| child.kind() == kind)
}

fn is_public(node: Node<'_>, php: &str) -> bool {
    !all(node).iter().any(|child| child.kind() == "visibility_modifier" && text(*child, php) != "public")
}

fn is_private(node: Node<'_>, php: &str) -> bool {
    all(node).iter().any(|child| child.kind() == "visibility_modifier" && text(*child, php) == "private")
}

impl<'t> Porter<'t> {
    /// Reads the classes among the statements of the file.
    pub(super) fn collect_classes(&mut self, nodes: &[Node<'t>]) {
        let mut own = Vec::new();
        for node in nodes {
            if self.is_exception(*node) {
                let base = children(*node).into_iter().find(|child| child.kind() == "base_clause");
                let base = base.and_then(|base| children(base).first().map(|name| self.full_name(*name)));
                let name = field(*node, "name").map(|name| self.full_name(name));
                self.exceptions.extend(name.zip(base));
            } else if matches!(node.kind(), "class_declaration" | "trait_declaration") {
                own.push(self.own_members(*node));
            }
        }
        let mut taken: HashSet<String> = HashSet::new();
        // An abstract class or a trait is written with the classes of the files that use it. Where
        // none does, it is written as a class, so that its code is carried over, too.
        let used: HashSet<String> =
            own.iter().flat_map(|one| one.traits.iter().chain(&one.base)).map(|name| self.full_name(*name)).collect();
        let is_written = |one: &&Own<'t>| one.node.kind() == "class_declaration" || !used.contains(&one.name);
        for one in own.iter().filter(is_written) {
            let mut rust = super::text::pascal(field(one.node, "name").map(|n| self.text(n)).unwrap_or_default());
            while !taken.insert(rust.clone()) || super::imports::is_imported(&rust) {
                rust.push('_');
            }
            let mut class = self.flattened(one, &own, rust.into());
            class.is_abstract &= used.contains(&one.name);
            let number = self.classes.len();
            self.class_numbers.entry(class.name.clone()).or_insert(number);
            self.class_rust_names.insert(Rc::clone(&class.rust), number);
            self.classes.push(Rc::new(class));
        }
    }

    /// Whether a class is an exception without members of its own, which becomes an error.
    pub(super) fn is_exception(&self, node: Node<'t>) -> bool {
        let base = children(node).into_iter().find(|child| child.kind() == "base_clause");
        let base = base.and_then(|base| children(base).first().map(|name| self.class(*name)));
        base.is_some_and(|base| base.ends_with("exception") || base == "error")
            && field(node, "body").is_some_and(|body| children(body).is_empty())
    }

    /// The attribute or the comment of a property that a framework fills or checks.
    fn filled_by(&self, property: Node<'t>) -> Option<Node<'t>> {
        let attributes = children(property).into_iter().find(|child| child.kind() == "attribute_list");
        let above = property.prev_named_sibling().filter(|above| above.kind() == "comment");
        attributes.or_else(|| above.filter(|comment| is_injected(self.text(*comment))))
    }

    fn own_members(&self, node: Node<'t>) -> Own<'t> {
        let name = field(node, "name").map(|name| self.full_name(name)).unwrap_or_default();
        let base = children(node).into_iter().find(|child| child.kind() == "base_clause");
        let mut own = Own {
            node,
            name: name.clone(),
            base: base.and_then(|base| children(base).first().copied()),
            traits: Vec::new(),
            properties: Vec::new(),
            methods: Vec::new(),
            constants: Vec::new(),
            unsupported: Vec::new(),
        };
        for member in field(node, "body").map(children).unwrap_or_default() {
            match member.kind() {
                "use_declaration" => {
                    for one in children(member) {
                        match one.kind() {
                            "use_list" => own.unsupported.push((member, "methods of traits that get other names")),
                            _ => own.traits.push(one),
                        }
                    }
                }
                "const_declaration" => {
                    for element in children(member).into_iter().filter(|child| child.kind() == "const_element") {
                        if let [name_, value] = children(element).as_slice() {
                            own.constants.push(Constant {
                                name: self.text(*name_).to_owned(),
                                rust: snake(self.text(*name_)).trim_end_matches('_').to_owned(),
                                value: *value,
                                of: name.clone(),
                                is_public: is_public(member, self.php),
                            });
                        }
                    }
                }
                "property_declaration" => {
                    for element in children(member).into_iter().filter(|child| child.kind() == "property_element") {
                        let Some(called) = field(element, "name").and_then(|name| variable(name, self.php)) else {
                            continue;
                        };
                        own.properties.push(Property {
                            name: called.to_owned(),
                            rust: snake(called),
                            declared: field(member, "type"),
                            default: field(element, "default_value"),
                            is_public: is_public(member, self.php),
                            is_static: has(member, "static_modifier"),
                            is_private: is_private(member, self.php),
                            is_promoted: false,
                            of: name.clone(),
                            node: Some(member),
                        });
                    }
                    if let Some(mark) = self.filled_by(member) {
                        own.unsupported.push((mark, "a framework fills or checks this property: assign it yourself"));
                    }
                    if has(member, "property_hook_list") {
                        own.unsupported.push((member, "properties with code"));
                    }
                }
                "method_declaration" => {
                    let called = field(member, "name").map(|name| self.text(name)).unwrap_or_default();
                    let lower = called.to_lowercase();
                    let magic = lower.starts_with("__") && !matches!(lower.as_str(), "__construct" | "__invoke");
                    let setter = children(member).into_iter().find(|child| child.kind() == "attribute_list");
                    if let Some(mark) = setter.filter(|mark| is_injected(self.text(*mark))) {
                        own.unsupported.push((mark, "a framework calls this method: call it yourself"));
                    }
                    if magic {
                        own.unsupported.push((member, "PHP calls this method by itself: call it where it is needed"));
                    }
                    if lower == "__construct" {
                        own.properties.extend(self.promoted(member, &name));
                    }
                    if field(member, "body").is_none() || magic {
                        continue;
                    }
                    let rust = match snake(called.trim_start_matches('_')) {
                        taken if matches!(taken.as_str(), "new" | "construct" | "clone") => format!("{taken}_"),
                        free => free,
                    };
                    own.methods.push(Method {
                        name: lower,
                        rust,
                        node: member,
                        of: name.clone(),
                        is_public: is_public(member, self.php),
                        is_private: is_private(member, self.php),
                        is_static: has(member, "static_modifier"),
                    });
                }
                _ => own.unsupported.push((member, "a member of a class of this kind")),
            }
        }
        own
    }

    /// The parameters of a constructor that are properties, too.
    fn promoted(&self, constructor: Node<'t>, of: &str) -> Vec<Property<'t>> {
        let parameters = field(constructor, "parameters").map(children).unwrap_or_default();
        let promoted = parameters.into_iter().filter(|one| one.kind() == "property_promotion_parameter");
        let property = |one: Node<'t>| {
            let name = variable(field(one, "name")?, self.php)?;
            Some(Property {
                name: name.to_owned(),
                rust: snake(name),
                declared: field(one, "type"),
                default: None,
                is_public: is_public(one, self.php),
                is_static: false,
                is_private: is_private(one, self.php),
                is_promoted: true,
                of: of.to_owned(),
                node: None,
            })
        };
        promoted.filter_map(property).collect()
    }

    fn flattened(&self, one: &Own<'t>, all: &[Own<'t>], rust: Rc<str>) -> Class<'t> {
        let mut class = Class {
            rust,
            full: field(one.node, "name").map(|name| self.written_in_full(name)).unwrap_or_default(),
            name: one.name.clone(),
            is_abstract: has(one.node, "abstract_modifier"),
            node: one.node,
            ancestors: Vec::new(),
            base: None,
            properties: Vec::new(),
            methods: Vec::new(),
            constants: Vec::new(),
            assigned: HashSet::new(),
            unsupported: Vec::new(),
        };
        let mut next = Some(one);
        while let Some(own) = next {
            if own.name != one.name {
                class.ancestors.push(own.name.clone());
            }
            self.inherit(&mut class, own, all, &own.name, 0);
            let parent = own.base.map(|base| self.full_name(base));
            let known = parent
                .as_ref()
                .and_then(|parent| all.iter().find(|other| other.name == *parent && !class.ancestors.contains(parent)));
            if known.is_none() && own.base.is_some() {
                class.base = own.base;
            }
            next = known;
        }
        // The parameters of a constructor that runs as a method are assigned by that method.
        let constructor = class.method("__construct").filter(|method| !returns_early(method));
        let constructor = constructor.map(|method| method.of.clone());
        for property in &mut class.properties {
            property.is_promoted &= constructor.as_ref() == Some(&property.of);
        }
        self.find_dynamic(&mut class);
        self.find_hidden(&mut class);
        class.name_apart();
        class.assigned = self.assigned_at_once(&class);
        class
    }

    /// Adds the members of a class and its traits, where a class below has none of that name. The
    /// members of a trait are members of `of`, the class that uses it.
    fn inherit(&self, class: &mut Class<'t>, own: &Own<'t>, all: &[Own<'t>], of: &str, depth: usize) {
        class.unsupported.extend(own.unsupported.iter().copied());
        for property in &own.properties {
            match class.properties.iter().find(|known| known.name == property.name) {
                None => class.properties.push(Property { of: of.to_owned(), ..property.clone() }),
                Some(known) => {
                    // PHP keeps two properties if the one of the parent is private.
                    let apart = property.is_private || known.is_private;
                    if apart && !property.is_static && known.of != of {
                        let node = property.node.or(known.node).or(property.declared).or(known.declared);
                        let why = "a private property of this name is in another class of the family, too: rename it";
                        class.unsupported.push((node.unwrap_or(own.node), why));
                    }
                }
            }
        }
        for constant in &own.constants {
            if !class.constants.iter().any(|known| known.name == constant.name) {
                class.constants.push(constant.clone());
            }
        }
        for method in &own.methods {
            let mut method = Method { of: of.to_owned(), ..method.clone() };
            let keyed = format!("{of}::{}", method.name);
            // The class that uses a trait has a method of this name itself.
            if class.methods.iter().any(|known| known.of == of && (known.name == method.name || known.name == keyed)) {
                continue;
            }
            if class.methods.iter().any(|known| known.name == method.name) {
                let short = of.rsplit('\\').next().unwrap_or_default();
                method.rust = format!("{}_of_{}", method.rust.trim_end_matches('_'), snake(short));
                method.name = keyed;
            }
            class.methods.push(method);
        }
        for used in &own.traits {
            let name = self.full_name(*used);
            match all.iter().find(|other| other.name == name && depth < 8) {
                Some(found) => self.inherit(class, found, all, of, depth + 1),
                // Its members are found like those of a parent.
                None if class.base.is_none() => class.base = Some(*used),
                None => class.unsupported.push((*used, "this trait is not in the file")),
            }
        }
    }

    /// Private properties that a method of another class of the family uses: PHP finds another one.
    fn find_hidden(&self, class: &mut Class<'t>) {
        let mut hidden = Vec::new();
        for property in class.properties.iter().filter(|one| one.is_private && !one.of.is_empty() && !one.is_static) {
            let variable = format!("${}{}", lower::PREFIX, property.name);
            let uses = |method: &&Method<'t>| {
                method.of != property.of && super::text::contains_word(self.text(method.node), &variable)
            };
            let users = class.methods.iter().filter(uses).map(|method| method.node);
            hidden.extend(users.map(|node| (node, "a private property of the parent, which PHP does not find here")));
        }
        class.unsupported.extend(hidden);
    }

    /// Properties that no class declares, which an assignment creates.
    fn find_dynamic(&self, class: &mut Class<'t>) {
        let mut stack: Vec<Node<'t>> = class.methods.iter().map(|method| method.node).collect();
        let mut found: Vec<(usize, String)> = Vec::new();
        while let Some(node) = stack.pop() {
            if matches!(node.kind(), "assignment_expression" | "augmented_assignment_expression") {
                let mut target = field(node, "left");
                while let Some(left) = target.filter(|left| left.kind() == "subscript_expression") {
                    target = children(left).first().copied();
                }
                let name = target.and_then(|target| variable(target, self.php)).and_then(lower::property);
                found.extend(name.map(|name| (node.start_byte(), name.to_owned())));
            }
            stack.extend(children(node));
        }
        found.sort();
        for (_, name) in found {
            if !class.properties.iter().any(|known| known.name == name) && class.base.is_none() {
                class.properties.push(Property {
                    rust: snake(&name),
                    name,
                    declared: None,
                    default: None,
                    is_public: true,
                    is_static: false,
                    is_private: false,
                    is_promoted: false,
                    of: String::new(),
                    node: None,
                });
            }
        }
    }

    /// The properties that the constructor assigns, whatever happens in it, before they are read.
    fn assigned_at_once(&self, class: &Class<'t>) -> HashSet<String> {
        let Some(body) = class.method("__construct").and_then(|method| field(method.node, "body")) else {
            return HashSet::new();
        };
        if class.method("__construct").is_some_and(returns_early) {
            return HashSet::new();
        }
        let until = self.first_other_use(body, &class.properties);
        let statements: Vec<Node<'t>> = children(body).into_iter().filter(|one| one.start_byte() < until).collect();
        let (assigned, unset) = assigned_after(&statements, self.php);
        let own = |name: &String| {
            let name = lower::property(name)?;
            class
                .properties
                .iter()
                .any(|property| property.name == name && !property.is_promoted)
                .then(|| name.to_owned())
        };
        assigned.iter().filter(|name| !unset.contains(*name)).filter_map(own).collect()
    }

    /// The position of the first statement of a constructor that uses the object other than by its
    /// properties, or the end.
    pub(super) fn first_other_use(&self, body: Node<'t>, properties: &[Property<'t>]) -> usize {
        let uses = |statement: &Node<'t>| {
            let mut stack = vec![(*statement, false)];
            while let Some((node, inside)) = stack.pop() {
                let name = variable(node, self.php);
                let captured = inside && name.is_some_and(|name| lower::property(name).is_some());
                let other = name.and_then(lower::property).is_some_and(|name| {
                    !properties.iter().any(|property| property.name == name && !property.is_static)
                });
                let calls = node.kind() == "scoped_call_expression" && self.is_relative(node);
                if name == Some("this") || captured || calls || other {
                    return true;
                }
                let inside = inside || matches!(node.kind(), "anonymous_function" | "arrow_function");
                stack.extend(children(node).into_iter().map(|child| (child, inside)));
            }
            false
        };
        children(body).into_iter().find(uses).map_or(body.end_byte(), |statement| statement.start_byte())
    }

    /// Whether a static call names the class or its parent by a keyword.
    fn is_relative(&self, call: Node<'t>) -> bool {
        let scope = field(call, "scope").map(|scope| self.text(scope).to_ascii_lowercase());
        scope.is_some_and(|scope| matches!(scope.as_str(), "self" | "static" | "parent"))
    }
}

/// Whether a constructor returns early. It is a method of an object that has its defaults.
pub(super) fn returns_early(constructor: &Method<'_>) -> bool {
    field(constructor.node, "body").is_some_and(contains_return)
}

/// Whether a function contains a `return` of its own.
fn contains_return(node: Node<'_>) -> bool {
    match node.kind() {
        "return_statement" => true,
        "anonymous_function" | "arrow_function" | "function_definition" => false,
        _ => children(node).into_iter().any(contains_return),
    }
}

/// Whether an attribute or a comment contains the name of an attribute of a container.
fn is_injected(text: &str) -> bool {
    let names = ["Inject", "Autowired", "Autowire", "Required", "Resource"];
    let marked = if text.starts_with("#[") { text.to_owned() } else { text.replace('@', "[@") };
    marked.split(['[', ',']).skip(1).any(|one| {
        let one = one.trim_start().trim_start_matches(['@', '\\']);
        let name: String = one.chars().take_while(|c| c.is_alphanumeric() || *c == '\\').collect();
        name.rsplit('\\').next().is_some_and(|last| names.iter().any(|known| known.eq_ignore_ascii_case(last)))
    })
}
