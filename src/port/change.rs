//! Converts changes to variables and to elements of arrays.

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, End, code};
use super::imports::{JSON, PHP, VALUE};
use super::slot::Keys;
use super::syntax::{bare, children, field};
use super::value::{Expr, Form, Type};
use super::vars::Var;

/// The target of an assignment.
struct Target {
    /// The statements that have to come before it.
    before: Code,
    place: Code,
    /// Whether it is an element that `php::slot` finds.
    is_slot: bool,
    /// The list that it is a new element of.
    list: Option<Code>,
}

impl<'t> Porter<'t> {
    /// `$a['b']['c'] = value`, `$a[] = value`
    pub(super) fn element(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>) -> Code {
        if let Some(set) = self.assigned_offset(node, left, right) {
            return set;
        }
        let value = self.given_value(right);
        let value = self.as_element(right, value);
        let calls = self.calls_this(right);
        if self.calls_this(left) {
            return self.note_left(node, "a key that a method of the object makes: give it a variable").statement();
        }
        if value.ty.is_object() || value.ty == Type::Unit {
            let why = "JSON cannot hold this object: give it to Options by a method";
            return self.note_left(node, why).statement();
        }
        let value = match value.form {
            Form::Owned => self.value(&value),
            _ if value.ty == Type::Value && value.code != self.root_name(left) => {
                self.take(&value, right, node.end_byte())
            }
            _ => self.value(&value),
        };
        let acts = !value.acts().is_empty();
        let Target { before, place, is_slot, list } = match self.place(node, left, acts) {
            Ok(target) => target,
            Err(listed) => return listed,
        };
        let end = End::Try;
        match list {
            // The value would be moved before the key is read.
            _ if place.uses(&value) => Code::lines(vec![before, code!("{place} = {value}.clone()").statement()]),
            // It reads the array that is changed.
            _ if is_slot && value.uses(&self.root_name(left)) => {
                let name = self.fresh_word("value");
                Code::lines(vec![before, code!("let {name} = {value};"), code!("{place} = {name}").statement()])
            }
            Some(list) if calls => {
                let name = self.fresh_word("value");
                let push = code!("{PHP}::push({list}, {name}){end}").statement();
                Code::lines(vec![before, code!("let {name} = {value};"), push])
            }
            Some(list) => Code::lines(vec![before, code!("{PHP}::push({list}, {value}){end}").statement()]),
            None => Code::lines(vec![before, code!("{place} = {value}").statement()]),
        }
    }

    /// A variable or an element as the target of an assignment, with what has to come before it.
    /// With
    /// `are_early`, the value acts. Fails with the placeholder of a piece that was not converted.
    fn place(&mut self, node: Node<'t>, left: Node<'t>, are_early: bool) -> Result<Target, Code> {
        let mut root = left;
        while matches!(root.kind(), "subscript_expression" | "member_access_expression") {
            if root.kind() == "member_access_expression" {
                let why = "a property of an object is changed: use an array";
                return Err(self.note_left(node, why).statement());
            }
            match children(root).first() {
                Some(inner) => root = *inner,
                None => break,
            }
        }
        let Some(name) = super::syntax::variable(root, self.php) else {
            return Err(self.note_left(node, "the changed value is not known").statement());
        };
        if super::natives::is_of_server(name) {
            return Err(self.note_left(node, super::natives::CHANGED).statement());
        }
        let mut before = Code::default();
        if self.unset_variable(name) == Some(false) {
            // PHP creates an array in a variable without a value.
            before = self.assigned(node, root, Expr::new(code!("{JSON}!([])"), Type::Value), None);
        }
        match self.frame().vars.get(name).cloned() {
            Some(var) if var.ty == Type::Value && var.form == Form::Place => {}
            _ => return Err(self.note_left(node, "an element of a value that is not an array").statement()),
        }
        if root == left {
            let place = self.expression(left).code;
            return Ok(Target { before, place, is_slot: false, list: None });
        }
        // An array with a named key that nothing is taken out of stays a JSON object.
        if let ([of, key], true) =
            (children(left).as_slice(), self.frame().vars.get(name).is_some_and(|var| var.is_object))
        {
            let key = self.dry_run(|porter| porter.expression(*key));
            if *of == root && key.literal.as_deref().is_some_and(|key| key.parse::<i64>().is_err()) {
                let place = code!("{}[{}]", self.expression(root).code, key.code);
                return Ok(Target { before, place, is_slot: false, list: None });
            }
        }
        let mut keys = Keys { first: Vec::new(), are_early };
        let list = match children(left).as_slice() {
            [of] => self.slot(*of, root, &mut keys),
            _ => None,
        };
        let slot = match children(left).len() {
            1 => list.as_ref().map(|list| code!("{PHP}::next({list}){}", End::Try)),
            _ => self.slot(left, root, &mut keys),
        };
        keys.first.insert(0, before);
        let before = Code::lines(keys.first);
        self.try_any();
        match slot {
            Some(slot) => Ok(Target { before, place: code!("*{slot}"), is_slot: true, list }),
            None => Err(self.note_left(node, "a key of this type is not carried over").statement()),
        }
    }

    /// The Rust name of the variable that an element belongs to.
    pub(super) fn root_name(&mut self, left: Node<'t>) -> Code {
        let mut root = left;
        while let ("subscript_expression", Some(first)) = (root.kind(), children(root).first().copied()) {
            root = first;
        }
        let name = super::syntax::variable(root, self.php).unwrap_or_default();
        self.frame().vars.get(name).map(|var| var.rust.clone()).unwrap_or_default()
    }

    /// Whether a piece is a literal fraction that is not zero.
    fn is_fraction(&self, node: Node<'t>) -> bool {
        match node.kind() {
            "float" => self.text(node).replace('_', "").parse::<f64>().is_ok_and(|number| number != 0.0),
            "parenthesized_expression" => self.is_fraction(bare(node)),
            "unary_op_expression" => field(node, "argument").is_some_and(|inner| self.is_fraction(inner)),
            _ => false,
        }
    }

    pub(super) fn augmented(&mut self, node: Node<'t>) -> Code {
        if let Some(left) = field(node, "left").filter(|left| left.kind() == "scoped_property_access_expression") {
            return self.static_step(node, left);
        }
        let (Some(left), Some(right)) = (field(node, "left"), field(node, "right")) else {
            return self.note_left(node, "an assignment of an unknown form").statement();
        };
        if let Some(changed) = self.changed_offset(node, left, right) {
            return changed;
        }
        let operator = field(node, "operator").map(|operator| self.text(operator)).unwrap_or_default().to_owned();
        let name = super::syntax::variable(left, self.php);
        if let Some(name) = name {
            self.unset_variable(name);
        }
        let place = match (name, children(left).as_slice()) {
            (None, [_]) => return self.note_left(node, "a new element is changed at once").statement(),
            _ => self.expression(left),
        };
        let value = self.given_value(right);
        if !value.code.acts().is_empty() && !self.has_fixed_keys(left) {
            return self.note_left(node, super::acts::ORDER).statement();
        }
        let mut before = Code::default();
        let mut root = left;
        while let ("subscript_expression", Some(first)) = (root.kind(), children(root).first().copied()) {
            root = first;
        }
        let value = match super::syntax::variable(root, self.php).and_then(super::lower::property) {
            // The call may change the property, which PHP reads after it.
            Some(_) if self.calls_this(right) && operator != "??=" => self.first(value, &mut before),
            _ => value,
        };
        let changed = self.changed_by(node, left, right, (place, value, operator));
        Code::lines(vec![before, changed])
    }

    /// A value that is evaluated by a statement before.
    pub(super) fn first(&mut self, value: Expr, before: &mut Code) -> Expr {
        if value.ty.is_object() || value.code.is_empty() {
            return value;
        }
        let ty = match value.ty {
            Type::Body => Type::Text,
            Type::Null => Type::Value,
            ref ty => ty.clone(),
        };
        let name = self.fresh_word("value");
        let named = if ty == Type::Int { ": i64" } else { "" };
        let owned = if ty == Type::Value { self.value(&value) } else { value.owned() };
        *before = code!("let {name}{named} = {owned};").running();
        Expr::place(name, ty).small(value.small)
    }

    /// `$left .= $right` and the like, with the place and the value that they are.
    fn changed_by(
        &mut self,
        node: Node<'t>,
        left: Node<'t>,
        right: Node<'t>,
        (place, value, operator): (Expr, Expr, String),
    ) -> Code {
        let name = super::syntax::variable(left, self.php);
        let counter = name.is_some_and(|name| self.frame().is_counter(name));
        let divisor = self.is_fraction(right);
        if place.form == Form::Place {
            match (operator.as_str(), &place.ty) {
                (".=", Type::Text) => {
                    let value = self.str(&value);
                    let value = if value.uses(&place.code) { code!("&({value}).to_owned()") } else { value };
                    return code!("{}.push_str({value})", place.code).statement();
                }
                ("+=" | "-=", Type::Int) if counter => {
                    return code!("{} {operator} {}", place.code, self.int(&value)).statement();
                }
                ("+=" | "-=" | "*=", Type::Int) if matches!(value.ty, Type::Int | Type::Status) => {
                    let operator = operator.trim_end_matches('=').to_owned();
                    let sum = self.calculated(node, &place, &value, &operator);
                    return match name {
                        // The result may not fit into 64 bits.
                        Some(name) if sum.ty != Type::Int => self.loosened(node, name),
                        _ => code!("{} = {}", place.code, sum.code).statement(),
                    };
                }
                ("+=" | "-=" | "*=", Type::Float) if matches!(value.ty, Type::Int | Type::Status | Type::Float) => {
                    return code!("{} {operator} {}", place.code, self.float(&value)).statement();
                }
                ("/=", Type::Float) if matches!(value.ty, Type::Int | Type::Float) && divisor => {
                    return code!("{} /= {}", place.code, self.float(&value)).statement();
                }
                _ => {}
            }
        }
        if place.ty != Type::Value {
            let widens = matches!(place.ty, Type::Int | Type::Float | Type::Text | Type::Bool)
                && place.form == Form::Place
                && !value.ty.is_object();
            return match name.filter(|_| widens) {
                Some(name) => self.loosened(node, name),
                None => {
                    let why = format!("the operator {operator} has no counterpart here");
                    self.note_left(node, &why).statement()
                }
            };
        }
        if value.ty.is_object() {
            return self.note_left(node, "an object is not an operand").statement();
        }
        let result = match operator.as_str() {
            "??=" => self.value(&value),
            ".=" => {
                let joined = self.joined(vec![place.clone(), value]);
                self.value(&joined)
            }
            "+=" | "-=" | "*=" | "/=" | "%=" | "**=" => {
                let operator = operator.trim_end_matches('=').to_owned();
                let sum = self.calculated(node, &place, &value, &operator);
                self.value(&sum)
            }
            _ => {
                let why = format!("the operator {operator} has no counterpart here");
                return self.note_left(node, &why).statement();
            }
        };
        match self.place(node, left, false) {
            Ok(Target { before, place: target, .. }) if operator == "??=" => {
                let assignment = code!("if {}.is_null() {{\n    {target} = {result};\n}}", place.tight());
                Code::lines(vec![before, assignment.running()])
            }
            Ok(Target { before, place: target, .. }) => {
                Code::lines(vec![before, code!("{target} = {result}").statement()])
            }
            Err(listed) => listed,
        }
    }

    pub(super) fn update(&mut self, node: Node<'t>) -> Code {
        if let Some(left) = children(node).first().filter(|left| left.kind() == "scoped_property_access_expression") {
            return self.static_step(node, *left);
        }
        let Some(inner) = children(node).first().copied() else {
            return self.note_left(node, "a step of an unknown form").statement();
        };
        let name = super::syntax::variable(inner, self.php);
        if let Some(name) = name {
            self.unset_variable(name);
        }
        let place = self.expression(inner);
        let up = self.text(node).contains("++");
        match (&place.ty, place.form) {
            (Type::Int, Form::Place) if name.is_some_and(|name| self.frame().is_counter(name)) => {
                code!("{} {} 1", place.code, if up { "+=" } else { "-=" }).statement()
            }
            (Type::Int, Form::Place) => {
                let end = self.try_any();
                let function = if up { "add_int" } else { "sub_int" };
                code!("{0} = {PHP}::{function}({0}, 1){end}", place.code).statement()
            }
            (Type::Float, Form::Place) => code!("{} {} 1.0", place.code, if up { "+=" } else { "-=" }).statement(),
            (Type::Value, _) => {
                let (operand, end) = (self.operand(&place), self.try_any());
                let function = if up { "increment" } else { "decrement" };
                match self.place(node, inner, false) {
                    Ok(Target { before, place: target, .. }) => {
                        Code::lines(vec![before, code!("{target} = {PHP}::{function}({operand}){end}").statement()])
                    }
                    Err(listed) => listed,
                }
            }
            (Type::Text | Type::Bool, Form::Place) => match name {
                Some(name) => self.loosened(node, name),
                None => self.note_left(node, "the value of ++ or -- is not a number").statement(),
            },
            _ => self.note_left(node, "the value of ++ or -- is not a number").statement(),
        }
    }

    pub(super) fn unset(&mut self, node: Node<'t>) -> Code {
        let mut out = Vec::new();
        for one in children(node) {
            if let Some(removed) = self.unset_offset(one) {
                out.push(removed);
                continue;
            }
            match (one.kind(), children(one).as_slice()) {
                ("subscript_expression", [of, key]) => {
                    let key = self.expression(*key);
                    let named = key.literal.as_deref().is_some_and(|key| key.parse::<i64>().is_err());
                    let root = super::syntax::variable(*of, self.php);
                    if !named && (self.marks.appends_to_old || self.marks.appends_to(self.text(*of))) {
                        let why =
                            "after unset, PHP continues to count at the highest key that there was: build a new list";
                        return self.note_left(node, why).statement();
                    }
                    let (Some(mut code), Some(_)) = (self.key(&key), root) else {
                        return self.note_left(node, "an element deeper than one level is removed").statement();
                    };
                    match self.place(node, *of, false) {
                        Ok(Target { before, place, .. }) => {
                            let mut first = Code::default();
                            if code.uses(&place) && key.ty == Type::Int {
                                // The key reads the array that is changed.
                                let name = self.fresh_word("key");
                                first = code!("let {name} = {code};");
                                code = name;
                            }
                            let unset = code!("{PHP}::unset(&mut {place}, {code})").statement();
                            out.push(Code::lines(vec![before, first, unset]));
                        }
                        Err(listed) => return listed,
                    }
                }
                ("variable_name", _) if super::lower::property(self.text(one).trim_start_matches('$')).is_some() => {
                    return self.note_left(node, "a property is removed: set it to null").statement();
                }
                ("variable_name", _) => {
                    let Some(name) = super::syntax::variable(one, self.php) else { continue };
                    if super::natives::is_of_server(name) {
                        return self.note_left(node, super::natives::CHANGED).statement();
                    }
                    let var = self.frame().vars.get(name).cloned();
                    match var {
                        _ if !self.frame().used_after(name, one.end_byte()) => {}
                        Some(var) if var.ty == Type::Value && var.mutable && var.form == Form::Place => {
                            out.push(code!("{} = {VALUE}::Null", var.rust).statement());
                        }
                        _ => {
                            return self
                                .note_left(node, "a variable is used after unset: give it another name")
                                .statement();
                        }
                    }
                }
                _ => return self.note_left(node, "the value that unset removes is not known").statement(),
            }
        }
        Code::lines(out)
    }

    /// Declares a variable that has no value yet but may be read: it is null. Returns `None` for a
    /// variable that is declared, and whether this one gets a value anywhere.
    pub(super) fn unset_variable(&mut self, name: &str) -> Option<bool> {
        if self.frame().vars.contains(name) || super::natives::is_of_server(name) {
            return None;
        }
        if !self.frame().is_maybe_unset(name) || !self.frame().is_modified(name) {
            return Some(false);
        }
        let rust = self.fresh_here(name);
        self.frame().hoisted.push((1, code!("let mut {rust} = {VALUE}::Null;")));
        let (ty, form) = (Type::Value, Form::Place);
        let var = Var { form, mutable: true, ..Var::place(rust, ty) };
        self.frame().vars.insert(name.to_owned(), var);
        Some(true)
    }

    /// Whether a new variable is an array with a named key that is never removed.
    pub(super) fn is_json_object(&mut self, name: &str, right: Option<Node<'t>>) -> bool {
        let array = right.map(bare).filter(|right| right.kind() == "array_creation_expression");
        let named = array.map(children).unwrap_or_default().into_iter().any(|item| {
            let parts = children(item);
            parts.len() == 2
                && parts.first().is_some_and(|key| {
                    matches!(key.kind(), "string" | "encapsed_string")
                        && self.text(*key).trim_matches(['"', '\'']).parse::<i64>().is_err()
                        && !self.text(*key).contains('$')
                })
        });
        named && self.frame().assigned(name) == 1 && !self.marks.unsets
    }
}
