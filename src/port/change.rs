//! Converts changes to variables and to elements of arrays.

use tree_sitter::Node;

use super::Porter;
use super::catch::uses_word;
use super::syntax::{bare, children, field};
use super::value::{Expr, Form, Type};
use super::vars::Var;

impl<'t> Porter<'t> {
    /// `$a['b']['c'] = value`, `$a[] = value`
    pub(super) fn element(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>) -> String {
        let value = self.given_value(right);
        let value = self.as_element(right, value);
        let calls = self.calls_this(right);
        if self.calls_this(left) {
            return format!("{};", self.note_left(node, "a key that a method of the object makes: give it a variable"));
        }
        if value.ty.is_object() || value.ty == Type::Unit {
            let why = "JSON cannot hold this object: give it to Options by a method";
            return format!("{};", self.note_left(node, why));
        }
        let value = match value.form {
            Form::Owned => self.value(&value),
            _ if value.ty == Type::Value && value.code != self.root_name(left) => {
                self.take(&value, right, node.end_byte())
            }
            _ => self.value(&value),
        };
        match self.place(node, left) {
            // The value would be moved before the key is read.
            Ok((before, place)) if !value.contains('(') && uses_word(&place, &value) => {
                format!("{before}{place} = {value}.clone();")
            }
            Ok((before, place)) if place.contains("php::") && uses_word(&value, &self.root_name(left)) => {
                // It reads the array that is changed.
                format!("{before}let value = {value};\n{place} = value;")
            }
            Ok((before, place)) => match place.strip_prefix("*php::next(").and_then(|rest| rest.strip_suffix(")?")) {
                Some(list) if calls => format!("{before}let value = {value};\nphp::push({list}, value)?;"),
                Some(list) => format!("{before}php::push({list}, {value})?;"),
                None => format!("{before}{place} = {value};"),
            },
            Err(listed) => listed,
        }
    }

    /// A variable or an element as the target of an assignment, with what has to come before it.
    /// Fails with the placeholder of a piece that was not converted.
    fn place(&mut self, node: Node<'t>, left: Node<'t>) -> Result<(String, String), String> {
        let mut root = left;
        while matches!(root.kind(), "subscript_expression" | "member_access_expression") {
            if root.kind() == "member_access_expression" {
                let why = "a property of an object is changed: use an array";
                return Err(format!("{};", self.note_left(node, why)));
            }
            match children(root).first() {
                Some(inner) => root = *inner,
                None => break,
            }
        }
        let Some(name) = super::syntax::variable(root, self.php) else {
            return Err(format!("{};", self.note_left(node, "what is changed here is not known")));
        };
        if super::natives::is_of_server(name) {
            return Err(format!("{};", self.note_left(node, super::natives::CHANGED)));
        }
        let mut before = String::new();
        if self.unset_variable(name) == Some(false) {
            // PHP creates an array in a variable without a value.
            before = self.assigned(node, root, Expr::new("json!([])", Type::Value), None);
            before.push('\n');
        }
        match self.frame().vars.get(name).cloned() {
            Some(var) if var.ty == Type::Value && var.form == Form::Place => {}
            _ => return Err(format!("{};", self.note_left(node, "an element of what is no array"))),
        }
        if root == left {
            return Ok((before, self.expression(left).code));
        }
        // An array with a named key that nothing is taken out of stays a JSON object.
        if let ([of, key], true) =
            (children(left).as_slice(), self.frame().vars.get(name).is_some_and(|var| var.is_object))
        {
            let key = self.dry_run(|porter| porter.expression(*key));
            if *of == root && key.literal.as_deref().is_some_and(|key| key.parse::<i64>().is_err()) {
                return Ok((before, format!("{}[{}]", self.expression(root).code, key.code)));
            }
        }
        let slot = self.slot(left, root);
        self.try_any();
        match slot {
            Some(slot) => Ok((before, format!("*{slot}"))),
            None => Err(format!("{};", self.note_left(node, "a key of this type is not carried over"))),
        }
    }

    /// The Rust name of the variable that an element belongs to.
    fn root_name(&mut self, left: Node<'t>) -> String {
        let mut root = left;
        while let ("subscript_expression", Some(first)) = (root.kind(), children(root).first().copied()) {
            root = first;
        }
        let name = super::syntax::variable(root, self.php).unwrap_or_default();
        self.frame().vars.get(name).map(|var| var.rust.clone()).unwrap_or_default()
    }

    /// The mutable reference to an element.
    fn slot(&mut self, left: Node<'t>, root: Node<'t>) -> Option<String> {
        if left == root {
            return Some(format!("&mut {}", self.expression(root).code));
        }
        match children(left).as_slice() {
            [of] => Some(format!("php::next({})?", self.slot(*of, root)?)),
            [of, key] => {
                let key = self.expression(*key);
                let key = self.key(&key)?;
                Some(format!("php::slot({}, {key})?", self.slot(*of, root)?))
            }
            _ => None,
        }
    }

    pub(super) fn augmented(&mut self, node: Node<'t>) -> String {
        if let Some(left) = field(node, "left").filter(|left| left.kind() == "scoped_property_access_expression") {
            return self.static_step(node, left);
        }
        let (Some(left), Some(right)) = (field(node, "left"), field(node, "right")) else {
            return format!("{};", self.note_left(node, "an assignment of an unknown form"));
        };
        let operator = field(node, "operator").map(|operator| self.text(operator)).unwrap_or_default().to_owned();
        let name = super::syntax::variable(left, self.php);
        if let Some(name) = name {
            self.unset_variable(name);
        }
        let place = match (name, children(left).as_slice()) {
            (None, [_]) => return format!("{};", self.note_left(node, "a new element is changed at once")),
            _ => self.expression(left),
        };
        let value = self.given_value(right);
        let calls = self.calls_this(right) && super::lower::property(name.unwrap_or_default()).is_some();
        let counter = name.is_some_and(|name| self.frame().is_counter(name));
        let divisor = value.code.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) && value.inside.is_some();
        if place.form == Form::Place {
            match (operator.as_str(), &place.ty) {
                (".=", Type::Text) => {
                    let value = self.str(&value);
                    if calls {
                        return format!("let value = ({value}).to_owned();\n{}.push_str(&value);", place.code);
                    }
                    let value = if uses_word(&value, &place.code) { format!("&({value}).to_owned()") } else { value };
                    return format!("{}.push_str({value});", place.code);
                }
                ("+=" | "-=", Type::Int) if counter => {
                    return format!("{} {operator} {};", place.code, self.int(&value));
                }
                ("+=" | "-=" | "*=", Type::Int) if matches!(value.ty, Type::Int | Type::Status) => {
                    let operator = operator.trim_end_matches('=').to_owned();
                    let sum = self.calculated(node, &place, &value, &operator);
                    return match name {
                        // The result may not fit into 64 bits.
                        Some(name) if sum.ty != Type::Int => self.loosened(node, name),
                        _ => format!("{} = {};", place.code, sum.code),
                    };
                }
                ("+=" | "-=" | "*=", Type::Float) if matches!(value.ty, Type::Int | Type::Status | Type::Float) => {
                    return format!("{} {operator} {};", place.code, self.float(&value));
                }
                ("/=", Type::Float) if matches!(value.ty, Type::Int | Type::Float) && divisor => {
                    return format!("{} /= {};", place.code, self.float(&value));
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
                    format!("{};", self.note_left(node, &why))
                }
            };
        }
        if value.ty.is_object() {
            return format!("{};", self.note_left(node, "an object is no operand"));
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
                return format!("{};", self.note_left(node, &why));
            }
        };
        match self.place(node, left) {
            Ok((before, target)) if operator == "??=" => {
                format!("{before}if {}.is_null() {{\n    {target} = {result};\n}}", place.tight())
            }
            Ok((before, target)) => format!("{before}{target} = {result};"),
            Err(listed) => listed,
        }
    }

    pub(super) fn update(&mut self, node: Node<'t>) -> String {
        if let Some(left) = children(node).first().filter(|left| left.kind() == "scoped_property_access_expression") {
            return self.static_step(node, *left);
        }
        let Some(inner) = children(node).first().copied() else {
            return format!("{};", self.note_left(node, "a step of an unknown form"));
        };
        let name = super::syntax::variable(inner, self.php);
        if let Some(name) = name {
            self.unset_variable(name);
        }
        let place = self.expression(inner);
        let up = self.text(node).contains("++");
        match (&place.ty, place.form) {
            (Type::Int, Form::Place) if name.is_some_and(|name| self.frame().is_counter(name)) => {
                format!("{} {} 1;", place.code, if up { "+=" } else { "-=" })
            }
            (Type::Int, Form::Place) => {
                let end = self.try_any();
                let function = if up { "add_int" } else { "sub_int" };
                format!("{0} = php::{function}({0}, 1){end};", place.code)
            }
            (Type::Float, Form::Place) => format!("{} {} 1.0;", place.code, if up { "+=" } else { "-=" }),
            (Type::Value, _) => {
                let (operand, end) = (self.operand(&place), self.try_any());
                let function = if up { "increment" } else { "decrement" };
                match self.place(node, inner) {
                    Ok((before, target)) => format!("{before}{target} = php::{function}({operand}){end};"),
                    Err(listed) => listed,
                }
            }
            (Type::Text | Type::Bool, Form::Place) => match name {
                Some(name) => self.loosened(node, name),
                None => format!("{};", self.note_left(node, "what is counted is no number")),
            },
            _ => format!("{};", self.note_left(node, "what is counted is no number")),
        }
    }

    pub(super) fn unset(&mut self, node: Node<'t>) -> String {
        let mut out = Vec::new();
        for one in children(node) {
            match (one.kind(), children(one).as_slice()) {
                ("subscript_expression", [of, key]) => {
                    let key = self.expression(*key);
                    let named = key.literal.as_deref().is_some_and(|key| key.parse::<i64>().is_err());
                    let root = super::syntax::variable(*of, self.php);
                    if !named && (self.marks.appends_to_old || self.marks.appends_to(self.text(*of))) {
                        let why =
                            "after unset, PHP continues to count at the highest key that there was: build a new list";
                        return format!("{};", self.note_left(node, why));
                    }
                    let (Some(key), Some(_)) = (self.key(&key), root) else {
                        return format!("{};", self.note_left(node, "an element deeper than one level is removed"));
                    };
                    match self.place(node, *of) {
                        Ok((before, place)) => out.push(format!("{before}php::unset(&mut {place}, {key});")),
                        Err(listed) => return listed,
                    }
                }
                ("variable_name", _) if super::lower::property(self.text(one).trim_start_matches('$')).is_some() => {
                    return format!("{};", self.note_left(node, "a property is removed: set it to null"));
                }
                ("variable_name", _) => {
                    let Some(name) = super::syntax::variable(one, self.php) else { continue };
                    if super::natives::is_of_server(name) {
                        return format!("{};", self.note_left(node, super::natives::CHANGED));
                    }
                    let var = self.frame().vars.get(name).cloned();
                    match var {
                        _ if !self.frame().used_after(name, one.end_byte()) => {}
                        Some(var) if var.ty == Type::Value && var.mutable && var.form == Form::Place => {
                            out.push(format!("{} = Value::Null;", var.rust));
                        }
                        _ => {
                            return format!(
                                "{};",
                                self.note_left(node, "a variable is used after unset: give it another name")
                            );
                        }
                    }
                }
                _ => return format!("{};", self.note_left(node, "what is taken away is not known")),
            }
        }
        out.join("\n")
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
        self.frame().hoisted.push((1, format!("let mut {rust} = Value::Null;")));
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
