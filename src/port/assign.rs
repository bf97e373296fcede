//! Converts assignments: declarations of variables, and changes to variables and their elements.

use tree_sitter::Node;

use super::Porter;
use super::scope::Var;
use super::syntax::{all, bare, children, field};
use super::value::{Expr, Form, Type};

impl<'t> Porter<'t> {
    pub(super) fn assignment(&mut self, node: Node<'t>) -> String {
        let (Some(left), Some(right)) = (field(node, "left"), field(node, "right")) else {
            return format!("{};", self.note_left(node, "an assignment of an unknown form"));
        };
        match left.kind() {
            "variable_name" => {
                // `$a = $b = 1`
                if bare(right).kind() == "assignment_expression" {
                    let inner = self.assignment(bare(right));
                    let value = field(bare(right), "left").map(|value| self.expression(value));
                    return match value {
                        Some(value) => format!("{inner}\n{}", self.assigned(node, left, value, None)),
                        None => inner,
                    };
                }
                let value = self.expression(right);
                self.assigned(node, left, value, Some(right))
            }
            "subscript_expression" | "member_access_expression" => self.element(node, left, right),
            "list_literal" => self.unpacked(node, left, right),
            _ => format!("{};", self.note_left(node, "an assignment of an unknown form")),
        }
    }

    /// `$left = value`
    pub(super) fn assigned(&mut self, node: Node<'t>, left: Node<'t>, e: Expr, right: Option<Node<'t>>) -> String {
        let Some(name) = super::syntax::variable(left, self.php) else {
            return format!("{};", self.note_left(node, "a variable whose name is only known at run time"));
        };
        if matches!(e.ty, Type::MediaStream | Type::MediaHeaders) {
            return format!("{};", self.note_left(node, "give the upload itself to the call, as its options"));
        }
        let at = left.start_byte();
        let depth = self.frame().block_depth(name);
        let here = self.frame().blocks.len();
        let straight = self.frame().is_straight(name);
        let declared = self.frame().vars.get(name).cloned();
        let assignments = self.frame().assigned(name);
        if let (Some(var), false) = (&declared, straight && here == depth) {
            // A parameter, or a variable of an outer block.
            if var.form == Form::Ref || (!var.mutable && var.block != here) {
                return self.shadowed(node, name, e, right);
            }
            let value = match var.ty.clone() {
                Type::Option(of) if e.ty == *of => Some(format!("Some({})", self.owned_value(&e, right))),
                ty if ty == e.ty => Some(self.owned_value(&e, right)),
                ty if Self::loses(&e.ty, &ty) => None,
                ty => self.owned_as(&e, &ty),
            };
            return match value {
                Some(value) => format!("{} = {value};", var.rust),
                None => self.loosened(node, name),
            };
        }
        self.frame().sites.insert(name.to_owned(), at);
        let e = if self.loose.contains(&at) && !e.ty.is_object() && e.ty != Type::Value {
            Expr::new(self.value(&e), Type::Value)
        } else {
            e
        };
        let rust = match &declared {
            Some(var) => var.rust.clone(),
            None => self.fresh_here(name),
        };
        let changed = self.frame().is_changed_after(name, at);
        let loops = self.frame().loops;
        let borrowed = e.ty == Type::Text
            && e.form == Form::Ref
            && !changed
            && (straight || assignments == 1)
            && (here == depth || declared.is_some());
        let mut ty = match e.ty.clone() {
            Type::Body | Type::MaybeBody => Type::Text,
            Type::Null => Type::Value,
            ty => ty,
        };
        let mut literal = e.literal.clone().filter(|_| borrowed && assignments == 1);
        let mut value = if borrowed { e.code.clone() } else { self.owned_value(&e, right) };
        // An empty array that is filled with named keys is an object.
        if e.code == "json!([])" && self.frame().story(name).is_some_and(|story| story.keyed) {
            value = "json!({})".to_owned();
        }
        if matches!(ty, Type::Response | Type::Client | Type::Error) && e.form == Form::Ref {
            value = e.code.clone();
        }
        let form = if borrowed || (e.form == Form::Ref && e.ty.is_object() && value == e.code) {
            Form::Ref
        } else {
            Form::Place
        };
        if here == depth && (straight || declared.is_none()) {
            let mutable = changed || (!straight && assignments > 1);
            let block = here;
            let mark = if mutable { "mut " } else { "" };
            self.frame()
                .vars
                .insert(name.to_owned(), Var { rust: rust.clone(), ty, form, literal, block, loops, mutable });
            let named = if e.ty == Type::Int { ": i64" } else { "" };
            return format!("let {mark}{rust}{named} = {value};");
        }
        // Declared in an outer block, before the statement that contains all uses.
        literal = None;
        let default = match &ty {
            Type::Value => Some("Value::Null"),
            Type::Text => Some("String::new()"),
            Type::Int | Type::Status => Some("0"),
            Type::Float => Some("0.0"),
            Type::Bool => Some("false"),
            _ => None,
        };
        let code = match default {
            Some("0") => format!("let mut {rust}: i64 = 0;"),
            Some(default) => format!("let mut {rust} = {default};"),
            None => {
                value = format!("Some({value})");
                ty = Type::Option(Box::new(ty));
                format!("let mut {rust} = None;")
            }
        };
        self.frame().hoisted.push((depth, code));
        self.frame().vars.insert(
            name.to_owned(),
            Var { rust: rust.clone(), ty, form: Form::Place, literal, block: depth, loops: 0, mutable: true },
        );
        format!("{rust} = {value};")
    }

    /// Whether a value would change in a variable of that type, such as 12.5 in an integer, or a
    /// string in a boolean.
    fn loses(from: &Type, to: &Type) -> bool {
        match to {
            Type::Int => *from != Type::Status,
            Type::Float | Type::Bool => true,
            Type::Text => !matches!(from, Type::Body | Type::MaybeBody),
            _ => false,
        }
    }

    /// The placeholder for an assignment that the variable's type cannot hold. The variable gets a
    /// wider type, and the file is translated again.
    fn loosened(&mut self, node: Node<'t>, name: &str) -> String {
        if let Some(site) = self.frame().sites.get(name).copied() {
            self.loose.insert(site);
        }
        format!("{};", self.note_left(node, "the variable changes its type: give it another name"))
    }

    /// The code of an owned value: moved out of a variable where possible, otherwise cloned.
    fn owned_value(&mut self, e: &Expr, right: Option<Node<'t>>) -> String {
        match (right, &e.ty) {
            (_, Type::Null) => self.value(e),
            (Some(right), _) => self.take(e, bare(right), right.end_byte()),
            (None, _) => e.owned(),
        }
    }

    /// An assignment to a parameter, which becomes a new variable of the same name.
    fn shadowed(&mut self, node: Node<'t>, name: &str, e: Expr, right: Option<Node<'t>>) -> String {
        let here = self.frame().blocks.len();
        let depth = self.frame().block_depth(name);
        if here != depth && here > 1 {
            return format!(
                "{};",
                self.note_left(node, "a parameter gets another value in a branch: give it another name before")
            );
        }
        let changed = self.frame().is_changed_after(name, node.start_byte());
        let value = self.owned_value(&e, right);
        let loops = self.frame().loops;
        let ty = if matches!(e.ty, Type::Body | Type::MaybeBody) { Type::Text } else { e.ty };
        let Some(var) = self.frame().vars.get_mut(name) else { return String::new() };
        *var =
            Var { rust: var.rust.clone(), ty, form: Form::Place, literal: None, block: here, loops, mutable: changed };
        format!("let {}{} = {value};", if changed { "mut " } else { "" }, var.rust)
    }

    /// `$a['b']['c'] = value`, `$a[] = value`
    fn element(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>) -> String {
        let mut root = left;
        while matches!(root.kind(), "subscript_expression" | "member_access_expression") {
            match children(root).first() {
                Some(inner) => root = *inner,
                None => break,
            }
        }
        let Some(name) = super::syntax::variable(root, self.php) else {
            return format!("{};", self.note_left(node, "what is changed here is not known"));
        };
        let mut before = String::new();
        match self.frame().vars.get(name).cloned() {
            None => {
                // PHP creates an array in a variable without a value.
                before = self.assigned(node, root, Expr::new("json!([])", Type::Value), None);
                before = before.replacen("let ", "let mut ", 1).replacen("mut mut ", "mut ", 1);
                before.push('\n');
            }
            Some(var) if var.ty == Type::Value && var.form == Form::Ref => {
                // PHP passes arrays by value, so the change is local to this function.
                before = format!("let mut {0} = {0}.clone();\n", var.rust);
                if let Some(var) = self.frame().vars.get_mut(name) {
                    var.form = Form::Place;
                    var.mutable = true;
                }
            }
            Some(var) if var.ty == Type::Value => {}
            Some(_) => return format!("{};", self.note_left(node, "an element of what is no array")),
        }
        let value = self.expression(right);
        if value.ty.is_object() {
            return format!(
                "{};",
                self.note_left(node, "JSON cannot hold this object: give it to Options by a method")
            );
        }
        let value = match value.form {
            Form::Owned => self.value(&value),
            _ if value.ty == Type::Value => self.take(&value, right, node.end_byte()),
            _ => self.value(&value),
        };
        match children(left).as_slice() {
            [of] if left.kind() == "subscript_expression" => {
                let of = self.expression(*of);
                let helper = "php_push";
                format!("{before}{helper}(&mut {}, {value});", of.code)
            }
            _ => {
                let place = self.expression(left);
                format!("{before}{} = {value};", place.code)
            }
        }
    }

    /// `[$a, $b] = $list`, `['k' => $a] = $map`
    fn unpacked(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>) -> String {
        let of = self.expression(right);
        if of.ty != Type::Value {
            return format!("{};", self.note_left(node, "what is taken apart is no array"));
        }
        self.taken_apart(node, left, of)
    }

    fn taken_apart(&mut self, node: Node<'t>, left: Node<'t>, of: Expr) -> String {
        let mut out = Vec::new();
        let of = if of.form == Form::Owned {
            out.push(format!("let unpacked = {};", of.code));
            Expr::place("unpacked", Type::Value)
        } else {
            of
        };
        let parts = all(left);
        let (mut key, mut index) = (None, 0usize);
        for (number, part) in parts.iter().enumerate() {
            let arrow = parts.get(number + 1).is_some_and(|next| next.kind() == "=>");
            match part.kind() {
                "," => index += 1,
                _ if !part.is_named() || part.kind() == "comment" => {}
                _ if arrow => key = Some(self.expression(*part)),
                "variable_name" => {
                    let key = key.take().unwrap_or_else(|| Expr::new(index.to_string(), Type::Int));
                    let value = self.indexed(node, of.clone(), &key);
                    out.push(self.assigned(node, *part, value, None));
                }
                "list_literal" | "array_creation_expression" => {
                    let key = key.take().unwrap_or_else(|| Expr::new(index.to_string(), Type::Int));
                    let value = self.indexed(node, of.clone(), &key);
                    out.push(self.taken_apart(node, *part, value));
                }
                _ => {
                    let todo = self.note_left(*part, "what is taken out of an array goes into a variable here");
                    out.push(format!("{todo};"));
                }
            }
        }
        out.join("\n")
    }

    pub(super) fn augmented(&mut self, node: Node<'t>) -> String {
        let (Some(left), Some(right)) = (field(node, "left"), field(node, "right")) else {
            return format!("{};", self.note_left(node, "an assignment of an unknown form"));
        };
        let operator = field(node, "operator").map(|operator| self.text(operator)).unwrap_or_default().to_owned();
        let (place, value) = (self.expression(left), self.expression(right));
        match (operator.as_str(), &place.ty, place.form) {
            (".=", Type::Text, Form::Place) => {
                let value = self.str(&value);
                format!("{}.push_str({value});", place.code)
            }
            ("??=", Type::Value, _) => {
                let value = self.value(&value);
                format!("if {}.is_null() {{\n    {} = {value};\n}}", place.code, place.code)
            }
            ("+=", Type::Value, _) if value.inside.is_some() => {
                let helper = "php_add";
                format!("{} = {helper}({}, {});", place.code, place.reference(), value.reference())
            }
            ("+=" | "-=" | "*=", Type::Int, Form::Place) if matches!(value.ty, Type::Int | Type::Status) => {
                format!("{} {operator} {};", place.code, self.int(&value))
            }
            ("+=" | "-=" | "*=" | "/=", Type::Float, Form::Place) => {
                format!("{} {operator} {};", place.code, self.float(&value))
            }
            ("+=" | "-=" | "*=" | "/=" | "%=", Type::Value, _) => {
                let operator = operator.trim_end_matches('=').to_owned();
                let sum = self.calculated(node, &place, &value, &operator);
                let sum = self.value(&sum);
                format!("{} = {sum};", place.code)
            }
            (".=", Type::Value, _) => {
                let joined = self.joined(vec![place.clone(), value]);
                let joined = self.value(&joined);
                format!("{} = {joined};", place.code)
            }
            (_, ty, form) => {
                let widens = matches!(ty, Type::Int | Type::Float | Type::Text | Type::Bool)
                    && form == Form::Place
                    && !value.ty.is_object();
                match super::syntax::variable(left, self.php).filter(|_| widens) {
                    Some(name) => self.loosened(node, name),
                    None => {
                        let why = format!("the operator {operator} has no counterpart here");
                        format!("{};", self.note_left(node, &why))
                    }
                }
            }
        }
    }

    pub(super) fn update(&mut self, node: Node<'t>) -> String {
        let Some(place) = children(node).first().map(|inner| self.expression(*inner)) else {
            return format!("{};", self.note_left(node, "a step of an unknown form"));
        };
        let operator = if self.text(node).contains("++") { "+" } else { "-" };
        match place.ty {
            Type::Int => format!("{} {operator}= 1;", place.code),
            Type::Value => {
                let one = self.calculated(node, &place, &Expr::new("1", Type::Int), operator);
                format!("{} = {};", place.code, self.value(&one))
            }
            _ => format!("{};", self.note_left(node, "what is counted is no number")),
        }
    }

    pub(super) fn unset(&mut self, node: Node<'t>) -> String {
        let mut out = Vec::new();
        for one in children(node) {
            match (one.kind(), children(one).as_slice()) {
                ("subscript_expression", [of, key]) => {
                    let (of, key) = (self.expression(*of), self.expression(*key));
                    if of.ty != Type::Value {
                        return format!("{};", self.note_left(node, "an element of what is no array"));
                    }
                    let key = self.plain_str(&key);
                    out.push(format!(
                        "if let Some(members) = {}.as_object_mut() {{\n    members.shift_remove({key});\n}}",
                        of.tight()
                    ));
                }
                ("variable_name", _) => {}
                _ => return format!("{};", self.note_left(node, "what is taken away is not known")),
            }
        }
        out.join("\n")
    }
}
