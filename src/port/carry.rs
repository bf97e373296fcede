//! Decides for `--calls` whether a statement can be carried over, and replaces the values in it
//! that only other code can compute by parameters.

use std::collections::BTreeSet;
use std::ops::Range;

use tree_sitter::Node;

use super::flow::Flows;
use super::natives;
use super::syntax::{bare, children, field, variable};
use super::unit::Variables;

/// A change of the PHP of a carried statement.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    /// A value becomes a parameter: the number of the input.
    Input(usize),
    /// A property of `$this` becomes a variable.
    Property(String),
    Text(String),
}

/// A value that other code computes.
#[derive(Clone, Debug)]
pub(super) struct Input<'t> {
    pub(super) node: Node<'t>,
    pub(super) name: String,
    pub(super) is_client: bool,
    /// Its code may change something, or gives another value each time. It is evaluated once, at
    /// its place.
    pub(super) is_once: bool,
}

/// A carried statement or expression.
#[derive(Clone, Debug, Default)]
pub(super) struct Carried<'t> {
    pub(super) edits: Vec<(Range<usize>, Edit)>,
    pub(super) inputs: Vec<Input<'t>>,
    pub(super) reads: BTreeSet<String>,
    /// The variables that it assigns.
    pub(super) defined: BTreeSet<String>,
    /// The variables that the code of its inputs may change.
    pub(super) changed: BTreeSet<String>,
    /// The variables at the beginnings of paths.
    pub(super) clients: BTreeSet<String>,
    /// The `then` and `otherwise` that are left to the caller.
    pub(super) stripped: Vec<Node<'t>>,
}

pub(super) struct Carrier<'a, 't> {
    pub(super) flows: &'a Flows<'a>,
    /// The pieces that the translator could not convert.
    refused: &'a BTreeSet<(usize, usize)>,
    pub(super) vars: &'a Variables,
    pub(super) out: Carried<'t>,
    /// The number of conditions and loops around the current code.
    pub(super) conditions: usize,
    pub(super) loops: usize,
    /// The loops around the current code.
    repeated: Vec<Node<'t>>,
    /// The key of the current array element.
    pub(super) key: Option<String>,
    /// The whole expression, if it is not a statement.
    root: Option<Node<'t>>,
}

pub(super) type Outcome = Option<()>;

impl<'a, 't> Carrier<'a, 't> {
    pub(super) fn new(flows: &'a Flows<'a>, refused: &'a BTreeSet<(usize, usize)>, vars: &'a Variables) -> Self {
        Carrier {
            flows,
            refused,
            vars,
            out: Carried::default(),
            conditions: 0,
            loops: 0,
            repeated: Vec::new(),
            key: None,
            root: None,
        }
    }

    /// A statement, with the values in it that become parameters. `None` if it cannot be carried
    /// over completely.
    pub(super) fn carried(mut self, node: Node<'t>) -> Option<Carried<'t>> {
        self.statement(node, true)?;
        self.checked()
    }

    pub(super) fn carried_expression(mut self, node: Node<'t>) -> Option<Carried<'t>> {
        self.root = Some(node);
        self.expression(node)?;
        self.checked()
    }

    /// Variables that the code of an input changes must not be read here: the caller runs it first.
    fn checked(self) -> Option<Carried<'t>> {
        self.out.changed.is_disjoint(&self.out.reads).then_some(self.out)
    }

    fn is_refused(&self, node: Node<'t>) -> bool {
        self.refused.contains(&(node.start_byte(), node.end_byte()))
    }

    fn statement(&mut self, node: Node<'t>, is_outer: bool) -> Outcome {
        if self.is_refused(node) {
            return None;
        }
        match node.kind() {
            "expression_statement" => self.expression(*children(node).first()?),
            // A `return` in a condition would end the function before the code after it.
            "return_statement" if is_outer => children(node).first().map_or(Some(()), |value| self.expression(*value)),
            "compound_statement" | "colon_block" => self.all(children(node), false),
            "if_statement" => self.branch(node),
            "switch_statement" => {
                self.expression(field(node, "condition")?)?;
                self.conditions += 1;
                for case in children(field(node, "body")?) {
                    let value = field(case, "value");
                    if let Some(value) = value {
                        self.expression(value)?;
                    }
                    let inside = children(case).into_iter().filter(|one| Some(*one) != value);
                    self.loops += 1;
                    self.all(inside.collect(), false)?;
                    self.loops -= 1;
                }
                self.conditions -= 1;
                Some(())
            }
            "foreach_statement" => {
                let body = field(node, "body")?;
                let parts: Vec<Node<'t>> = children(node).into_iter().filter(|part| *part != body).collect();
                let head = *parts.first()?;
                let name = variable(bare(head), self.flows.php);
                // The code of a generator runs between the rounds.
                if self.flows.may_be_lazy(head) || name.is_some_and(|name| self.vars.lazy.contains(name)) {
                    return None;
                }
                self.expression(head)?;
                for part in parts.into_iter().skip(1) {
                    let places = if part.kind() == "pair" { children(part) } else { vec![part] };
                    places.into_iter().try_for_each(|place| self.place(place))?;
                }
                let before = self.out.reads.clone();
                self.looped(node, &[], body)?;
                // The loop assigns its variables before its body reads them.
                let bound = self.flows.definitions_of_loop(node);
                self.out.reads.retain(|name| before.contains(name) || !bound.contains(name));
                Some(())
            }
            "while_statement" | "do_statement" => self.looped(node, &[field(node, "condition")?], field(node, "body")?),
            "for_statement" => {
                if let Some(first) = field(node, "initialize") {
                    self.expression(first)?;
                }
                let each: Vec<Node<'t>> = ["condition", "update"].iter().filter_map(|name| field(node, name)).collect();
                self.looped(node, &each, field(node, "body")?)
            }
            "unset_statement" => children(node).into_iter().try_for_each(|place| self.place(place)),
            "break_statement" | "continue_statement" if self.loops > 0 && children(node).is_empty() => Some(()),
            "empty_statement" => Some(()),
            _ => None,
        }
    }

    fn all(&mut self, nodes: Vec<Node<'t>>, is_outer: bool) -> Outcome {
        nodes.into_iter().try_for_each(|node| self.statement(node, is_outer))
    }

    fn branch(&mut self, node: Node<'t>) -> Outcome {
        let inputs = self.out.inputs.len();
        self.expression(field(node, "condition")?)?;
        // A condition around a call is carried over only if it is known completely.
        let is_known = self.out.inputs.iter().skip(inputs).all(|input| !input.is_once);
        if self.flows.of(node).net && !is_known {
            return None;
        }
        self.conditions += 1;
        self.statement(field(node, "body")?, false)?;
        for clause in children(node) {
            match clause.kind() {
                "else_if_clause" => {
                    self.expression(field(clause, "condition")?)?;
                    self.statement(field(clause, "body")?, false)?;
                }
                "else_clause" => self.statement(field(clause, "body")?, false)?,
                _ => {}
            }
        }
        self.conditions -= 1;
        Some(())
    }

    fn looped(&mut self, node: Node<'t>, each: &[Node<'t>], body: Node<'t>) -> Outcome {
        self.conditions += 1;
        self.loops += 1;
        self.repeated.push(node);
        each.iter().try_for_each(|one| self.expression(*one))?;
        self.statement(body, false)?;
        self.repeated.pop();
        self.loops -= 1;
        self.conditions -= 1;
        Some(())
    }

    /// A value that other code computes.
    pub(super) fn input(&mut self, node: Node<'t>) -> Outcome {
        self.add(node, false, false)
    }

    pub(super) fn input_client(&mut self, node: Node<'t>) -> Outcome {
        self.add(node, true, false)
    }

    /// A value that may be computed only once.
    fn input_once(&mut self, node: Node<'t>) -> Outcome {
        self.add(node, false, true)
    }

    fn add(&mut self, node: Node<'t>, is_client: bool, is_once: bool) -> Outcome {
        let of = self.flows.of(node);
        let is_once = is_once || of.effect || of.fresh;
        let reads = self.flows.reads(node);
        let changes = self.repeated.iter().any(|one| self.flows.may_change(*one, &reads, &self.vars.shared));
        if changes || is_once && self.conditions > 0 || of.uses {
            return None;
        }
        self.out.changed.extend(self.flows.definitions(node));
        let name = self.key.clone().filter(|_| is_once && !is_client).unwrap_or_else(|| self.name(node));
        self.out.edits.push((node.byte_range(), Edit::Input(self.out.inputs.len())));
        self.out.inputs.push(Input { node, name, is_client, is_once });
        Some(())
    }

    pub(super) fn read(&mut self, node: Node<'t>) -> Outcome {
        let name = variable(node, self.flows.php)?;
        if name == "this" {
            return None;
        }
        if natives::of_request(name).is_some() || name == "GLOBALS" {
            return self.input(node);
        }
        if self.is_changed(name) {
            return self.input(node);
        }
        if super::lower::property(name).is_some() {
            self.out.edits.push((node.byte_range(), Edit::Property(name.to_owned())));
        }
        self.out.reads.insert(name.to_owned());
        Some(())
    }

    /// Whether the code of an earlier input may have changed a variable.
    pub(super) fn is_changed(&self, name: &str) -> bool {
        self.vars.is_outer(name) && self.out.inputs.iter().any(|input| self.flows.of(input.node).effect)
    }

    pub(super) fn conditional(&mut self, node: Node<'t>) -> Outcome {
        self.conditions += 1;
        let outcome = self.expression(node);
        self.conditions -= 1;
        outcome
    }

    /// An expression. What cannot be carried over becomes an input, unless it uses the SDK.
    pub(super) fn expression(&mut self, node: Node<'t>) -> Outcome {
        let uses = self.flows.of(node).uses;
        if self.is_refused(node) {
            // A use of the SDK that the translator refuses here may be a function of its own.
            return if !uses {
                self.input_once(node)
            } else if self.root == Some(node) {
                self.converted(node)
            } else {
                None
            };
        }
        let is_value = node.kind().ends_with("expression") && self.flows.definitions(node).is_empty();
        let (edits, inputs, stripped) = (self.out.edits.len(), self.out.inputs.len(), self.out.stripped.len());
        let (conditions, key) = (self.conditions, self.key.clone());
        let reads = self.out.reads.clone();
        let outcome = self.converted(node);
        if outcome.is_some() || uses || !is_value {
            return outcome;
        }
        self.out.edits.truncate(edits);
        self.out.inputs.truncate(inputs);
        self.out.stripped.truncate(stripped);
        (self.conditions, self.key) = (conditions, key);
        self.out.reads = reads;
        self.input_once(node)
    }

    fn converted(&mut self, node: Node<'t>) -> Outcome {
        match node.kind() {
            "integer" | "float" | "string" | "boolean" | "null" | "nowdoc" | "string_content" | "escape_sequence"
            | "heredoc_start" | "heredoc_end" | "nowdoc_body" | "cast_type" => Some(()),
            "name" | "qualified_name" => self.constant(node),
            "variable_name" => self.read(node),
            "encapsed_string"
            | "heredoc"
            | "heredoc_body"
            | "parenthesized_expression"
            | "unary_op_expression"
            | "cast_expression"
            | "error_suppression_expression"
            | "argument"
            | "arguments"
            | "variadic_unpacking"
            | "sequence_expression" => {
                if node.kind() == "argument" && field(node, "name").is_some() {
                    return None;
                }
                children(node).into_iter().try_for_each(|child| self.expression(child))
            }
            "array_creation_expression" => children(node).into_iter().try_for_each(|child| self.element(child)),
            "binary_expression" => self.binary(node),
            "conditional_expression" => {
                self.expression(field(node, "condition")?)?;
                let sides = [field(node, "body"), field(node, "alternative")];
                sides.into_iter().flatten().try_for_each(|side| self.conditional(side))
            }
            "match_expression" => {
                self.expression(field(node, "condition")?)?;
                self.conditions += 1;
                let arms = children(field(node, "body")?);
                for part in arms.into_iter().flat_map(children) {
                    match part.kind() {
                        "match_condition_list" => {
                            children(part).into_iter().try_for_each(|one| self.expression(one))?
                        }
                        _ => self.expression(part)?,
                    }
                }
                self.conditions -= 1;
                Some(())
            }
            "subscript_expression" => self.subscript(node),
            // Inside of an expression, the order of evaluation would be another one.
            "assignment_expression" | "augmented_assignment_expression" | "update_expression"
                if node.parent().is_none_or(|parent| {
                    !matches!(parent.kind(), "expression_statement" | "for_statement" | "sequence_expression")
                }) =>
            {
                None
            }
            "assignment_expression" => {
                self.place(field(node, "left")?)?;
                self.expression(field(node, "right")?)
            }
            "augmented_assignment_expression" => {
                self.place(field(node, "left")?)?;
                self.read_root(field(node, "left")?);
                // `??=` evaluates its right side only sometimes.
                let is_lazy = field(node, "operator").is_some_and(|operator| self.flows.text(operator) == "??=");
                let right = field(node, "right")?;
                if is_lazy { self.conditional(right) } else { self.expression(right) }
            }
            "update_expression" => {
                self.place(field(node, "argument")?)?;
                self.read_root(field(node, "argument")?);
                Some(())
            }
            "function_call_expression" => self.call(node),
            "scoped_call_expression" | "object_creation_expression" => self.static_call(node),
            "member_call_expression" => self.method_call(node),
            "member_access_expression" => self.property(node),
            "scoped_property_access_expression" => self.input(node),
            "class_constant_access_expression" => self.class_constant(node),
            "nullsafe_member_call_expression" | "nullsafe_member_access_expression" => self.input(node),
            _ => None,
        }
    }
}

/// Whether an expression as a whole becomes a parameter.
pub(super) fn is_input(carried: &Carried<'_>, value: Node<'_>) -> bool {
    carried.edits.iter().any(|(range, edit)| matches!(edit, Edit::Input(_)) && *range == value.byte_range())
}

/// The blocks of a statement, and the cases of a `switch`.
pub(super) fn blocks(node: Node<'_>) -> Vec<Node<'_>> {
    let mut out = Vec::new();
    let mut stack = vec![node];
    while let Some(one) = stack.pop() {
        if let Some(body) = field(one, "body").filter(|body| body.kind() != "switch_block") {
            out.push(body);
        }
        let inner = children(one).into_iter().filter(|child| {
            matches!(
                child.kind(),
                "else_if_clause" | "else_clause" | "catch_clause" | "finally_clause" | "switch_block"
            )
        });
        if one.kind() == "switch_block" {
            out.extend(children(one));
        } else {
            stack.extend(inner);
        }
    }
    out.sort_by_key(Node::start_byte);
    out
}
