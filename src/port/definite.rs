//! Definite assignment: finds the variables that may be read before they are assigned. PHP reads
//! null there, so that such a variable cannot get a type of its own.

use std::collections::{HashMap, HashSet};

use tree_sitter::Node;

use super::syntax::{bare, children, field, text, variable};

/// The variables of a function that may be read, or asked for with `isset`, before they are
/// assigned. The bound variable of a `foreach` or `catch` counts as unassigned after it.
pub(super) fn maybe_unset(body: &[Node<'_>], php: &str, parameters: &[String]) -> HashSet<String> {
    let mut walk = Walk::new(php);
    let mut assigned = Names::default();
    for parameter in parameters {
        assigned.insert(walk.number(parameter));
    }
    let mut state = Some(assigned);
    for statement in body {
        walk.statement(*statement, &mut state);
    }
    walk.found_names()
}

/// The variables that statements assign whatever happens in them, and those that they may read
/// before.
pub(super) fn assigned_after(statements: &[Node<'_>], php: &str) -> (HashSet<String>, HashSet<String>) {
    let mut walk = Walk::new(php);
    let mut state = Some(Names::default());
    for statement in statements {
        walk.statement(*statement, &mut state);
    }
    (walk.named(&state.unwrap_or_default()), walk.found_names())
}

/// A set of variables, with one bit for each. The bits make copies cheap; each branch needs a copy.
#[derive(Clone, Default)]
struct Names(Vec<u64>);

impl Names {
    fn insert(&mut self, number: usize) {
        if self.0.len() <= number / 64 {
            self.0.resize(number / 64 + 1, 0);
        }
        if let Some(word) = self.0.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
    }

    fn remove(&mut self, number: usize) {
        if let Some(word) = self.0.get_mut(number / 64) {
            *word &= !(1 << (number % 64));
        }
    }

    fn contains(&self, number: usize) -> bool {
        self.0.get(number / 64).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }
}

/// The assigned variables; `None` where the code is not reached.
type State = Option<Names>;

fn both(one: State, other: State) -> State {
    match (one, other) {
        (Some(one), Some(other)) => Some(Names(one.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())),
        (one, other) => one.or(other),
    }
}

struct Walk<'a> {
    php: &'a str,
    numbers: HashMap<String, usize>,
    found: Names,
}

impl<'a> Walk<'a> {
    fn new(php: &'a str) -> Self {
        Walk { php, numbers: HashMap::new(), found: Names::default() }
    }

    fn number(&mut self, name: &str) -> usize {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.numbers.len();
        self.numbers.insert(name.to_owned(), number);
        number
    }

    fn named(&self, names: &Names) -> HashSet<String> {
        self.numbers.iter().filter(|(_, number)| names.contains(**number)).map(|(name, _)| name.clone()).collect()
    }

    fn found_names(&self) -> HashSet<String> {
        self.named(&self.found)
    }

    fn add(&mut self, name: &str, state: &mut State) {
        let number = self.number(name);
        if let Some(assigned) = state.as_mut() {
            assigned.insert(number);
        }
    }

    fn drop(&mut self, name: &str, state: &mut State) {
        let number = self.number(name);
        if let Some(assigned) = state.as_mut() {
            assigned.remove(number);
        }
    }

    fn statement(&mut self, node: Node<'_>, state: &mut State) {
        match node.kind() {
            "comment" | "function_definition" | "class_declaration" | "trait_declaration" => {}
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
                    match variable(child, self.php) {
                        Some(name) => self.drop(name, state),
                        None => self.statement(child, state),
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
                let own = field(node, "parameters").map(children).unwrap_or_default();
                for name in own.into_iter().filter_map(|one| field(one, "name")) {
                    if let Some(name) = variable(name, self.php) {
                        self.add(name, &mut aside);
                    }
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
            let number = self.number(name);
            if !assigned.contains(number) {
                self.found.insert(number);
            }
        }
    }

    fn target(&mut self, node: Node<'_>, state: &mut State) {
        match node.kind() {
            "variable_name" => {
                if let Some(name) = variable(node, self.php) {
                    self.add(name, state);
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
        for name in &bound {
            self.add(name, &mut inner);
        }
        if let Some(body) = body {
            self.statement(body, &mut inner);
        }
        for name in &bound {
            self.drop(name, state);
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
                    if let Some(name) = name {
                        self.add(name, &mut inner);
                    }
                    if let Some(body) = field(clause, "body") {
                        self.statement(body, &mut inner);
                    }
                    if let Some(name) = name {
                        self.drop(name, &mut inner);
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

/// The variables whose values may exceed 64 bits: they are set to a value other than a small
/// literal, or are changed by more than a small step.
pub(super) fn not_counters<'a>(body: &[Node<'_>], php: &'a str) -> HashSet<&'a str> {
    let small = |node: Node<'_>| node.kind() == "integer" && text(node, php).len() < 10;
    let mut found = HashSet::new();
    let mut stack = body.to_vec();
    while let Some(node) = stack.pop() {
        let target = match node.kind() {
            "assignment_expression" | "augmented_assignment_expression" => field(node, "left"),
            "function_definition" => continue,
            _ => None,
        };
        if let Some(name) = target.and_then(|target| variable(target, php)) {
            let operator = field(node, "operator").map(|operator| text(operator, php));
            let step = matches!(operator, None | Some("=" | "+=" | "-="));
            if !step || !field(node, "right").is_some_and(|right| small(bare(right))) {
                found.insert(name);
            }
        }
        if matches!(node.kind(), "foreach_statement" | "list_literal" | "by_ref" | "reference_assignment_expression") {
            found.extend(children(node).into_iter().filter_map(|child| variable(child, php)));
        }
        stack.extend(children(node));
    }
    found
}
