//! Definite assignment: finds the variables that may be read before they are assigned. PHP reads
//! null there, so that such a variable cannot get a type of its own.

use std::collections::HashSet;

use tree_sitter::Node;

use super::syntax::{bare, children, field, text, variable};

/// The variables of a function that may be read, or asked for with `isset`, before they are
/// assigned. The bound variable of a `foreach` or `catch` counts as unassigned after it.
pub(super) fn maybe_unset(body: Node<'_>, php: &str, parameters: &[String]) -> HashSet<String> {
    let mut walk = Walk { php, found: HashSet::new() };
    let mut state = Some(parameters.iter().cloned().collect());
    match body.kind() {
        "compound_statement" | "program" => {
            for child in children(body) {
                walk.statement(child, &mut state);
            }
        }
        _ => walk.statement(body, &mut state),
    }
    walk.found
}

/// The variables that statements assign whatever happens in them, and those that they may read
/// before.
pub(super) fn assigned_after(statements: &[Node<'_>], php: &str) -> (HashSet<String>, HashSet<String>) {
    let mut walk = Walk { php, found: HashSet::new() };
    let mut state = Some(HashSet::new());
    for statement in statements {
        walk.statement(*statement, &mut state);
    }
    (state.unwrap_or_default(), walk.found)
}

/// The assigned variables; `None` where the code is not reached.
type State = Option<HashSet<String>>;

fn both(one: State, other: State) -> State {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.intersection(&other).cloned().collect()),
        (one, other) => one.or(other),
    }
}

struct Walk<'a> {
    php: &'a str,
    found: HashSet<String>,
}

impl Walk<'_> {
    fn statement(&mut self, node: Node<'_>, state: &mut State) {
        match node.kind() {
            "comment" | "function_definition" | "class_declaration" => {}
            "if_statement" => self.branch(node, state),
            "while_statement" | "for_statement" => self.repeated(node, state),
            "do_statement" => {
                for child in children(node) {
                    self.statement(child, state);
                }
            }
            "foreach_statement" => self.foreach(node, state),
            "switch_statement" => self.switch(node, state),
            "try_statement" => self.attempt(node, state),
            "return_statement" | "exit_statement" | "break_statement" | "continue_statement" => {
                self.each(node, state);
                *state = None;
            }
            "unset_statement" => {
                for child in children(node) {
                    match (variable(child, self.php), state.as_mut()) {
                        (Some(name), Some(assigned)) => {
                            assigned.remove(name);
                        }
                        _ => self.statement(child, state),
                    }
                }
            }
            "throw_expression" => {
                self.each(node, state);
                *state = None;
            }
            "assignment_expression" => {
                if let Some(right) = field(node, "right") {
                    self.statement(right, state);
                }
                if let Some(left) = field(node, "left") {
                    self.target(left, state);
                }
            }
            "binary_expression" => {
                let operator = field(node, "operator").map(|operator| text(operator, self.php).to_lowercase());
                let short = matches!(operator.as_deref(), Some("&&" | "||" | "and" | "or" | "??"));
                if let (true, Some(left), Some(right)) = (short, field(node, "left"), field(node, "right")) {
                    self.statement(left, state);
                    let mut aside = state.clone();
                    self.statement(right, &mut aside);
                    return;
                }
                self.each(node, state);
            }
            "conditional_expression" => {
                let parts = children(node);
                for (number, part) in parts.into_iter().enumerate() {
                    let mut aside = state.clone();
                    self.statement(part, &mut aside);
                    if number == 0 {
                        *state = aside;
                    }
                }
            }
            "anonymous_function" => {
                for clause in children(node) {
                    if clause.kind() == "anonymous_function_use_clause" {
                        self.each(clause, state);
                    }
                }
            }
            "arrow_function" => {
                let mut aside = state.clone();
                if let (Some(assigned), Some(parameters)) = (aside.as_mut(), field(node, "parameters")) {
                    let own = children(parameters).into_iter().filter_map(|one| field(one, "name"));
                    assigned.extend(own.filter_map(|one| variable(one, self.php)).map(str::to_owned));
                }
                if let Some(body) = field(node, "body") {
                    self.statement(body, &mut aside);
                }
            }
            "variable_name" => self.read(node, state),
            _ => self.each(node, state),
        }
    }

    fn each(&mut self, node: Node<'_>, state: &mut State) {
        for child in children(node) {
            self.statement(child, state);
        }
    }

    fn read(&mut self, node: Node<'_>, state: &State) {
        if let (Some(name), Some(assigned)) = (variable(node, self.php), state) {
            if !assigned.contains(name) {
                self.found.insert(name.to_owned());
            }
        }
    }

    fn target(&mut self, node: Node<'_>, state: &mut State) {
        match node.kind() {
            "variable_name" => {
                if let (Some(name), Some(assigned)) = (variable(node, self.php), state.as_mut()) {
                    assigned.insert(name.to_owned());
                }
            }
            "subscript_expression" | "member_access_expression" => {
                // Creates an array if there is none.
                let mut root = node;
                while let ("subscript_expression" | "member_access_expression", Some(first)) =
                    (root.kind(), children(root).first().copied())
                {
                    for key in children(root).into_iter().skip(1) {
                        self.statement(key, state);
                    }
                    root = first;
                }
                self.read(root, state);
                self.target(root, state);
            }
            "list_literal" | "array_creation_expression" | "array_element_initializer" => {
                for child in children(node) {
                    self.target(child, state);
                }
            }
            _ => self.statement(node, state),
        }
    }

    fn branch(&mut self, node: Node<'_>, state: &mut State) {
        if let Some(condition) = field(node, "condition") {
            self.statement(condition, state);
        }
        let mut out = state.clone();
        if let Some(body) = field(node, "body") {
            self.statement(body, &mut out);
        }
        let mut rest = state.clone();
        let mut cursor = node.walk();
        let others: Vec<Node<'_>> = node.children_by_field_name("alternative", &mut cursor).collect();
        let mut is_else = false;
        for other in others {
            is_else = other.kind() == "else_clause";
            if let Some(condition) = field(other, "condition") {
                self.statement(condition, &mut rest);
            }
            let mut inner = rest.clone();
            if let Some(body) = field(other, "body") {
                self.statement(body, &mut inner);
            }
            out = both(out, inner);
        }
        *state = if is_else { out } else { both(out, rest) };
    }

    fn repeated(&mut self, node: Node<'_>, state: &mut State) {
        for name in ["initialize", "condition"] {
            if let Some(part) = field(node, name) {
                self.statement(part, state);
            }
        }
        let mut inner = state.clone();
        if let Some(body) = field(node, "body") {
            self.statement(body, &mut inner);
        }
        if let Some(update) = field(node, "update") {
            let mut inner = inner.or_else(|| state.clone());
            self.statement(update, &mut inner);
        }
    }

    fn foreach(&mut self, node: Node<'_>, state: &mut State) {
        let body = field(node, "body");
        let parts: Vec<Node<'_>> = children(node).into_iter().filter(|part| Some(*part) != body).collect();
        if let Some(list) = parts.first() {
            self.statement(*list, state);
        }
        let mut bound = Vec::new();
        let mut stack: Vec<Node<'_>> = parts.into_iter().skip(1).collect();
        while let Some(part) = stack.pop() {
            match variable(part, self.php) {
                Some(name) => bound.push(name.to_owned()),
                None => stack.extend(children(part)),
            }
        }
        let mut inner = state.clone();
        if let Some(assigned) = inner.as_mut() {
            assigned.extend(bound.iter().cloned());
        }
        if let Some(body) = body {
            self.statement(body, &mut inner);
        }
        if let Some(assigned) = state.as_mut() {
            assigned.retain(|name| !bound.contains(name));
        }
    }

    fn switch(&mut self, node: Node<'_>, state: &mut State) {
        if let Some(condition) = field(node, "condition") {
            self.statement(condition, state);
        }
        let cases = field(node, "body").map(children).unwrap_or_default();
        let mut out: Option<State> = None;
        let mut complete = false;
        for case in &cases {
            complete |= case.kind() == "default_statement";
            let mut inner = state.clone();
            let mut left = None;
            let mut statements = children(*case);
            if let Some(value) = field(*case, "value") {
                statements.retain(|one| *one != value);
                self.statement(value, &mut inner);
            }
            let empty = statements.is_empty();
            for one in statements {
                if one.kind() == "break_statement" {
                    left = Some(inner.clone());
                    inner = None;
                }
                // A break further inside leaves the switch with less.
                if one.kind() != "break_statement" && has_break(one) {
                    left = Some(state.clone());
                }
                self.statement(one, &mut inner);
            }
            if empty && Some(case) != cases.last().as_ref().copied() {
                continue;
            }
            let end = match left {
                Some(left) => both(left, inner),
                None => inner,
            };
            out = Some(match out {
                Some(out) => both(out, end),
                None => end,
            });
        }
        match (complete, out) {
            (true, Some(out)) => *state = out,
            (false, Some(out)) => *state = both(out, state.clone()),
            _ => {}
        }
    }

    fn attempt(&mut self, node: Node<'_>, state: &mut State) {
        let before = state.clone();
        let mut out = state.clone();
        if let Some(body) = field(node, "body") {
            self.statement(body, &mut out);
        }
        for clause in children(node) {
            match clause.kind() {
                "catch_clause" => {
                    let mut inner = before.clone();
                    let name = field(clause, "name").and_then(|name| variable(name, self.php));
                    if let (Some(assigned), Some(name)) = (inner.as_mut(), name) {
                        assigned.insert(name.to_owned());
                    }
                    if let Some(body) = field(clause, "body") {
                        self.statement(body, &mut inner);
                    }
                    if let (Some(assigned), Some(name)) = (inner.as_mut(), name) {
                        assigned.remove(name);
                    }
                    out = both(out, inner);
                }
                "finally_clause" => {
                    let mut inner = before.clone();
                    if let Some(body) = field(clause, "body") {
                        self.statement(body, &mut inner);
                    }
                }
                _ => {}
            }
        }
        *state = out;
    }
}

/// Whether a statement contains a `break` of the switch around it, also in a branch.
fn has_break(node: Node<'_>) -> bool {
    match node.kind() {
        "break_statement" => true,
        "while_statement" | "for_statement" | "foreach_statement" | "do_statement" | "switch_statement"
        | "anonymous_function" => false,
        _ => children(node).into_iter().any(has_break),
    }
}

/// Whether a variable is only set to small literals and counted up or down in small steps, so that
/// it cannot leave 64 bits.
pub(super) fn is_counter(body: Node<'_>, name: &str, php: &str) -> bool {
    let small = |node: Node<'_>| node.kind() == "integer" && text(node, php).len() < 10;
    let mut stack = vec![body];
    while let Some(node) = stack.pop() {
        let target = match node.kind() {
            "assignment_expression" | "augmented_assignment_expression" => field(node, "left"),
            "function_definition" => continue,
            _ => None,
        };
        if target.and_then(|target| variable(target, php)) == Some(name) {
            let operator = field(node, "operator").map(|operator| text(operator, php));
            let step = matches!(operator, None | Some("=" | "+=" | "-="));
            if !step || !field(node, "right").is_some_and(|right| small(bare(right))) {
                return false;
            }
        }
        if matches!(node.kind(), "foreach_statement" | "list_literal" | "by_ref" | "reference_assignment_expression")
            && children(node).into_iter().any(|child| variable(child, php) == Some(name))
        {
            return false;
        }
        stack.extend(children(node));
    }
    true
}
