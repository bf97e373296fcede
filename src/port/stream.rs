//! The bodies of responses, which are streams in PHP: `getContents` reads the rest of a stream, so
//! that it returns nothing after another read. `(string)` reads all of it.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::Porter;
use super::certain::function_around;
use super::syntax::{bare, children, field, text, variable};
use super::value::{Expr, Type};

/// Why a read is listed.
pub(super) const READ: &str =
    "getContents() reads what is left of the body, and PHP may have read it before: cast the body with (string)";

/// How far a body has been read; `None` where the code is not reached.
type State = Option<bool>;

fn either(one: State, other: State) -> State {
    match (one, other) {
        (Some(one), Some(other)) => Some(one || other),
        (one, other) => one.or(other),
    }
}

impl<'t> Porter<'t> {
    /// Whether PHP may have read the body before this call of `getContents`.
    pub(super) fn may_be_read(&mut self, call: Node<'t>) -> bool {
        let body = field(call, "object").map(bare);
        let response = body.filter(|body| is_call(*body, "getBody", self.php)).and_then(|body| field(body, "object"));
        let Some(response) = response.map(bare) else { return true };
        let Some(root) = root(response, self.php) else {
            // A new response, unless a method may return one that a property holds.
            return !self.is_new_response(response);
        };
        self.state_at(call, root) != Some(false)
    }

    /// Whether a response that is passed on may have been read, and other code reads the rest.
    pub(super) fn is_read_on(&mut self, node: Node<'t>, e: &Expr) -> bool {
        let is_response = matches!(&e.ty, Type::Response | Type::MaybeResponse);
        let Some(name) = variable(bare(node), self.php).filter(|_| is_response) else { return false };
        let function = function_around(node);
        let own = text(function, self.php).matches("getContents").count();
        let others = self.php.matches("getContents").count() > own || function.kind() == "program";
        others && self.php.contains("getContents") && self.state_at(node, name) == Some(true)
    }

    fn state_at(&mut self, node: Node<'t>, root: &'t str) -> State {
        let function = function_around(node);
        let body = field(function, "body").unwrap_or(function);
        let parameters = self.parameter_names(function);
        let is_property = super::lower::property(root).is_some();
        let is_closure = matches!(function.kind(), "anonymous_function" | "arrow_function");
        // What a closure captures may have been read in an earlier call of it.
        let is_captured = is_closure && !parameters.iter().any(|one| one == root) && {
            let uses = self.uses_of(body, &[]);
            uses.get(root).is_none_or(|story| {
                story.assigned == 0 && !story.uses.iter().any(|one| one.act == super::scope::Act::Bind)
            })
        };
        let mut walk = Walk { php: self.php, root, group: group(body, root, self.php), target: node.id(), found: None };
        walk.visit(body, Some(is_property || is_captured));
        walk.found
    }

    /// Whether an expression certainly returns a response that no other code has.
    fn is_new_response(&mut self, node: Node<'t>) -> bool {
        if node.kind() == "function_call_expression" || node.kind() == "scoped_call_expression" {
            return !self.holds_responses();
        }
        let Some(name) = field(node, "name").map(|name| text(name, self.php)) else { return false };
        let is_verb = super::inventory::verb(name).is_some() || matches!(name, "wait" | "request");
        let of = field(node, "object").map(|of| text(of, self.php));
        let is_own = of == Some("$this") || of.is_some_and(|of| of.starts_with("$this__") && !is_verb);
        node.kind().ends_with("call_expression")
            && (is_verb && of != Some("$this") || !is_own || !self.holds_responses())
    }

    /// Whether a property of a class holds a response.
    fn holds_responses(&self) -> bool {
        let held = |ty: &Type| match ty {
            Type::Option(of) => **of == Type::Response,
            ty => matches!(ty, Type::Response | Type::MaybeResponse),
        };
        let is_property = |key: &str| key.starts_with("property ");
        self.known.types.iter().chain(&self.found.types).any(|(key, ty)| is_property(key) && held(ty))
            || self.php.contains("static $")
    }
}

fn is_call(node: Node<'_>, method: &str, php: &str) -> bool {
    node.kind().ends_with("member_call_expression")
        && field(node, "name").is_some_and(|name| text(name, php).eq_ignore_ascii_case(method))
}

/// The variable that holds a response, or the exception with the response.
fn root<'a>(response: Node<'_>, php: &'a str) -> Option<&'a str> {
    match response.kind() {
        "variable_name" => variable(response, php),
        // The text of `$responses['a']` stands for a variable.
        "subscript_expression" => Some(text(response, php)),
        _ if is_call(response, "getResponse", php) => root(bare(field(response, "object")?), php),
        _ => None,
    }
}

/// The variables that may hold the same response as another.
fn group(body: Node<'_>, name: &str, php: &str) -> BTreeSet<String> {
    let mut links = Vec::new();
    let mut stack = vec![body];
    while let Some(node) = stack.pop() {
        if node.kind() == "assignment_expression" {
            let left = field(node, "left").map(bare).and_then(|left| root(left, php));
            let right = field(node, "right").map(bare).and_then(|right| root(right, php));
            links.extend(left.zip(right));
        }
        stack.extend(children(node));
    }
    let mut group = BTreeSet::from([name.to_owned()]);
    for _ in 0..links.len() {
        for (one, other) in &links {
            if group.contains(*one) || group.contains(*other) {
                group.extend([(*one).to_owned(), (*other).to_owned()]);
            }
        }
    }
    group
}

/// The state of the bodies of a group of variables along the statements of a function.
struct Walk<'a> {
    php: &'a str,
    /// The variable that the target reads.
    root: &'a str,
    group: BTreeSet<String>,
    target: usize,
    found: State,
}

impl Walk<'_> {
    fn all(&mut self, nodes: Vec<Node<'_>>, state: State) -> State {
        nodes.into_iter().fold(state, |state, node| self.visit(node, state))
    }

    fn is_of_group(&self, node: Node<'_>) -> bool {
        root(bare(node), self.php).is_some_and(|name| self.group.contains(name))
    }

    fn visit(&mut self, node: Node<'_>, state: State) -> State {
        if node.id() == self.target {
            self.found = either(self.found, state);
        }
        match node.kind() {
            "function_definition" | "class_declaration" | "comment" => state,
            "anonymous_function" | "arrow_function" => {
                // It may be called at any time.
                let mut stack = vec![node];
                while let Some(inner) = stack.pop() {
                    if variable(inner, self.php).is_some_and(|name| self.group.contains(name)) {
                        return state.map(|_| true);
                    }
                    stack.extend(children(inner));
                }
                state
            }
            "if_statement" => {
                let mut state = field(node, "condition").map_or(state, |condition| self.visit(condition, state));
                let mut after = field(node, "body").map_or(state, |body| self.visit(body, state));
                let mut has_else = false;
                for clause in children(node) {
                    match clause.kind() {
                        "else_if_clause" => {
                            state = field(clause, "condition").map_or(state, |one| self.visit(one, state));
                            let branch = field(clause, "body").map_or(state, |body| self.visit(body, state));
                            after = either(after, branch);
                        }
                        "else_clause" => {
                            has_else = true;
                            let branch = field(clause, "body").map_or(state, |body| self.visit(body, state));
                            after = either(after, branch);
                        }
                        _ => {}
                    }
                }
                if has_else { after } else { either(after, state) }
            }
            "switch_statement" => {
                let state = field(node, "condition").map_or(state, |condition| self.visit(condition, state));
                let (mut after, mut fallen) = (state, None);
                for case in field(node, "body").map(children).unwrap_or_default() {
                    fallen = self.all(children(case), either(state, fallen));
                    after = either(after, fallen);
                }
                // A `break` leaves with what was read.
                either(after, self.reads(node).then_some(true))
            }
            "foreach_statement" | "for_statement" | "while_statement" | "do_statement" => {
                let bound = node.kind() == "foreach_statement" && {
                    let body = field(node, "body");
                    let parts = children(node).into_iter().skip(1).filter(|part| Some(*part) != body);
                    parts
                        .flat_map(|part| if part.kind() == "pair" { children(part) } else { vec![part] })
                        .any(|part| variable(part, self.php) == Some(self.root))
                };
                let begin = |state: State| if bound { state.map(|_| false) } else { state };
                let first = self.all(children(node), begin(state));
                let second = self.all(children(node), begin(either(state, first)));
                either(either(state, first), either(second, self.reads(node).then_some(true)))
            }
            "try_statement" => {
                let body = field(node, "body");
                let tried = body.map_or(state, |body| self.visit(body, state));
                let thrown = either(state, body.is_some_and(|body| self.reads(body)).then_some(true));
                let mut after = tried;
                for clause in children(node) {
                    match clause.kind() {
                        "catch_clause" => {
                            let is_new = field(clause, "name")
                                .and_then(|name| variable(name, self.php))
                                .is_some_and(|name| self.group.contains(name));
                            let begin = if is_new { thrown.map(|_| false) } else { thrown };
                            let caught = field(clause, "body").map_or(begin, |body| self.visit(body, begin));
                            after = either(after, caught);
                        }
                        "finally_clause" => after = self.all(children(clause), either(after, thrown)),
                        _ => {}
                    }
                }
                after
            }
            "return_statement" | "exit_statement" | "throw_expression" | "break_statement" | "continue_statement" => {
                self.all(children(node), state);
                None
            }
            "assignment_expression" => {
                let (left, right) = (field(node, "left"), field(node, "right"));
                let linked = right.is_some_and(|right| self.is_of_group(right));
                let state = match right {
                    Some(right) if !linked => self.visit(right, state),
                    _ => state,
                };
                let assigns = left.is_some_and(|left| root(bare(left), self.php) == Some(self.root));
                match left {
                    _ if assigns && !linked => state.map(|_| false),
                    Some(left) if !self.is_of_group(left) => self.visit(left, state),
                    _ => state,
                }
            }
            "argument" | "array_element_initializer"
                if children(node).last().is_some_and(|one| self.is_passed(*one)) =>
            {
                self.all(children(node), state).map(|_| true)
            }
            _ if self.is_body(node) => {
                let reader = node.parent().filter(|parent| field(*parent, "object") == Some(node));
                let method = reader.and_then(|parent| field(parent, "name")).map(|name| text(name, self.php));
                let effect = match method.unwrap_or_default() {
                    "getSize" | "getMetadata" | "isSeekable" | "isReadable" | "tell" | "eof" => None,
                    "rewind" => Some(false),
                    _ => Some(true),
                };
                state.map(|read| effect.unwrap_or(read))
            }
            _ => {
                let state = self.all(children(node), state);
                // A method of the object may read what its property holds.
                let calls = node.kind().ends_with("call_expression")
                    && field(node, "object").is_some_and(|of| text(of, self.php) == "$this");
                if calls && super::lower::property(self.root).is_some() { state.map(|_| true) } else { state }
            }
        }
    }

    /// `$response->getBody()` of the group.
    fn is_body(&self, node: Node<'_>) -> bool {
        is_call(node, "getBody", self.php) && field(node, "object").is_some_and(|of| self.is_of_group(of))
    }

    /// Whether an argument is a response of the group itself. Code that gets an exception does not
    /// read its response.
    fn is_passed(&self, node: Node<'_>) -> bool {
        let name = variable(bare(node), self.php).filter(|name| self.group.contains(*name));
        name.is_some_and(|name| !self.php.contains(&format!("${name}->getResponse(")))
    }

    /// Whether any code of a piece reads a body of the group.
    fn reads(&self, node: Node<'_>) -> bool {
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            if self.is_body(node) {
                return true;
            }
            stack.extend(children(node));
        }
        false
    }
}
