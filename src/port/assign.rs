//! Converts assignments: declarations of variables, and changes to variables and their elements.

use std::rc::Rc;

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, code};
use super::imports::VALUE;
use super::syntax::{all, bare, field};
use super::value::{Expr, Form, Type};
use super::vars::Var;

impl<'t> Porter<'t> {
    pub(super) fn assignment(&mut self, node: Node<'t>) -> Code {
        let (Some(left), Some(right)) = (field(node, "left"), field(node, "right")) else {
            return self.note_left(node, "an assignment of an unknown form").statement();
        };
        let code = self.assignment_of(node, left, right);
        if let Some(name) = super::syntax::variable(left, self.php).filter(|_| code.is_incomplete()) {
            let place = self.place_source(name);
            self.found.uncertain.insert(place);
        }
        code
    }

    fn assignment_of(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>) -> Code {
        match left.kind() {
            "variable_name" => {
                // `$a = $b = 1`
                if bare(right).kind() == "assignment_expression" {
                    let inner = self.assignment(bare(right));
                    let value = field(bare(right), "left").map(|value| self.expression(value));
                    return match value {
                        Some(value) => Code::lines(vec![inner, self.assigned(node, left, value, None)]),
                        None => inner,
                    };
                }
                let value = self.or_null(right);
                self.assigned(node, left, value, Some(right))
            }
            "member_access_expression" => match self.property_assignment(node, left, right) {
                Some(code) => code,
                None => self.element(node, left, right),
            },
            "scoped_property_access_expression" => {
                let value = self.or_null(right);
                self.static_assignment(node, left, value)
            }
            "subscript_expression" => self.element(node, left, right),
            "list_literal" => self.unpacked(node, left, right),
            _ => self.note_left(node, "an assignment of an unknown form").statement(),
        }
    }

    /// `$left = value`
    pub(super) fn assigned(&mut self, node: Node<'t>, left: Node<'t>, e: Expr, right: Option<Node<'t>>) -> Code {
        let Some(name) = super::syntax::variable(left, self.php) else {
            return self.note_left(node, "a variable whose name is only known at run time").statement();
        };
        if super::natives::is_of_server(name) {
            return self.note_left(node, super::natives::CHANGED).statement();
        }
        if e.ty == Type::Unit {
            return self.note_left(node, "the assigned expression has no value").statement();
        }
        let e = if let Some(property) = super::lower::property(name) {
            if matches!(e.ty, Type::Closure(_)) {
                return self.note_left(node, "a closure in a property: give the class a method").statement();
            }
            let known = self
                .this_class()
                .is_some_and(|class| class.properties.iter().any(|known| known.name == property && !known.is_static));
            if !known {
                let e = self.inherited_property(node, property, Some(e));
                return e.code.statement();
            }
            let e = self.for_array_property(property, e, right);
            self.for_property(name, e)
        } else {
            e
        };
        if matches!(e.ty, Type::MediaStream | Type::MediaHeaders) {
            return self.note_left(node, "give the upload itself to the call, as its options").statement();
        }
        let source = self.place_source(name);
        self.linked(Some(Rc::clone(&source)), &e);
        let at = left.start_byte();
        let depth = self.frame().block_depth(name);
        let here = self.frame().blocks.len();
        let straight = self.frame().is_straight(name);
        let declared = self.frame().vars.get(name).cloned();
        let assignments = self.frame().assigned(name);
        if let (Some(var), false) = (&declared, straight && here == depth) {
            // A parameter, or a variable of an outer block.
            if var.form == Form::Ref || !var.mutable {
                let why = "the variable of a loop or of another function gets another value: give it another name";
                return self.note_left(node, why).statement();
            }
            if super::lower::property(name).is_some() && self.frame().receiver == "self" {
                self.frame().mutates = true;
            }
            let value = match var.ty.clone() {
                Type::Option(of) if e.ty == *of => Some(code!("Some({})", self.owned_value(&e, right))),
                ty if ty == e.ty => Some(self.owned_value(&e, right)),
                ty if Self::loses(&e.ty, &ty) => None,
                ty => self.owned_as(&e, &ty),
            };
            return match value {
                Some(value) => code!("{} = {value}", var.rust).statement(),
                None if super::lower::property(name).is_some() => {
                    self.note_left(node, "the property has another type").statement()
                }
                None => self.loosened(node, name),
            };
        }
        let mut right = right;
        let optional = self.or_missing(e.ty.clone(), &source);
        let e = if optional == e.ty {
            e
        } else {
            Expr::new(code!("Some({})", self.owned_value(&e, right.take())), optional)
        };
        let origin = e.origin.clone();
        let objects = matches!(&e.ty, Type::Object(of) if self.known.is_mutable(of));
        let is_object = self.is_json_object(name, right);
        self.frame().vars.set_site(name, at);
        let unset = self.frame().is_maybe_unset(name);
        let e = if (unset || self.loose.contains(&at)) && !e.ty.is_object() && e.ty != Type::Value {
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
            && !unset
            && !self.hoists
            && (straight || assignments == 1)
            && (here == depth || declared.is_some());
        let mut ty = match e.ty.clone() {
            Type::Body => Type::Text,
            Type::Null => Type::Value,
            ty => ty,
        };
        let mut literal = e.literal.clone().filter(|_| borrowed && assignments == 1);
        let mut value = if borrowed { e.code.clone() } else { self.owned_value(&e, right) };
        if matches!(ty, Type::Response | Type::Client | Type::Error) && e.form == Form::Ref {
            value = e.code.clone();
        }
        let form = if borrowed || (e.form == Form::Ref && e.ty.is_object() && value == e.code) {
            Form::Ref
        } else {
            Form::Place
        };
        if here == depth && !unset && !self.hoists && (straight || declared.is_none()) {
            let mutable = changed || (!straight && assignments > 1) || objects;
            let block = here;
            let mark = if mutable { "mut " } else { "" };
            self.frame().vars.insert(
                name.to_owned(),
                Var {
                    rust: rust.clone(),
                    ty,
                    form,
                    literal,
                    origin,
                    source: Some(source),
                    block,
                    loops,
                    mutable,
                    is_object,
                },
            );
            let named = if e.ty == Type::Int { ": i64" } else { "" };
            return code!("let {mark}{rust}{named} = {value};").running();
        }
        // Declared in an outer block, before the statement that contains all uses.
        literal = None;
        let default = match &ty {
            Type::Value => Some(code!("{VALUE}::Null")),
            Type::Text => Some("String::new()".into()),
            Type::Float => Some("0.0".into()),
            Type::Bool => Some(Code::truth(false)),
            Type::Option(_) => Some("None".into()),
            _ => None,
        };
        let code = match default {
            _ if matches!(ty, Type::Int | Type::Status) => code!("let mut {rust}: i64 = 0;"),
            Some(default) => code!("let mut {rust} = {default};"),
            None => {
                value = code!("Some({value})");
                ty = Type::Option(Box::new(ty));
                code!("let mut {rust} = None;")
            }
        };
        self.frame().hoisted.push((depth, code));
        self.frame().vars.insert(
            name.to_owned(),
            Var {
                literal,
                source: Some(source),
                block: depth,
                mutable: true,
                is_object,
                ..Var::place(rust.clone(), ty)
            },
        );
        code!("{rust} = {value}").statement()
    }

    /// `$object->name = value` for objects that are not JSON.
    fn property_assignment(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>) -> Option<Code> {
        let (object, name) = (field(left, "object")?, field(left, "name")?);
        let of = self.dry_run(|porter| porter.expression(object));
        if let (Type::Value, Some(origin)) = (&of.ty, &of.origin) {
            let ty = self.object_of(origin, object.start_byte());
            self.imply_origin(origin, &ty);
        }
        if !matches!(of.ty, Type::Object(_) | Type::Foreign(_)) {
            return None;
        }
        let of = self.expression(object);
        let value = self.given_value(right);
        let e = self.object_property(node, object, &of, name, Some(value))?;
        Some(e.code.statement())
    }

    /// An assignment as a value, in a block expression. The variable is declared before the
    /// statement.
    pub(super) fn inner_assignment(&mut self, node: Node<'t>) -> Expr {
        let why = "an assignment inside of an expression: give it a statement of its own";
        let (Some(left), Some(right)) = (field(node, "left"), field(node, "right")) else {
            return self.left(node, why);
        };
        let Some(name) = super::syntax::variable(left, self.php).filter(|name| super::lower::property(name).is_none())
        else {
            return self.left(node, why);
        };
        // Another use in the same statement could be evaluated at another time than in PHP.
        let mut statement = node;
        while let Some(parent) = statement.parent().filter(|_| !statement.kind().ends_with("_statement")) {
            statement = parent;
        }
        let head = field(statement, "condition").filter(|head| head.end_byte() >= node.end_byte()).unwrap_or(statement);
        let (mut stack, mut uses) = (vec![head], 0);
        while let Some(one) = stack.pop() {
            uses += usize::from(super::syntax::variable(one, self.php) == Some(name));
            stack.extend(super::syntax::children(one));
        }
        let in_loop = matches!(statement.kind(), "while_statement" | "do_statement" | "for_statement");
        if uses > 1 || in_loop {
            return self.left(node, why);
        }
        let value = self.expression(right);
        if value.ty.is_object() || value.ty == Type::Unit {
            return self.left(node, why);
        }
        let ty = match value.ty {
            Type::Body => Type::Text,
            Type::Null => Type::Value,
            Type::Status => Type::Int,
            ref ty => ty.clone(),
        };
        self.hoists = true;
        let code = self.assigned(node, left, value, Some(right));
        self.hoists = false;
        let Some(var) = self.frame().vars.get(name).cloned() else { return self.left(node, why) };
        if var.ty != ty && var.ty != Type::Value {
            return self.left(node, why);
        }
        let read = Expr::place(var.rust, var.ty.clone());
        let assigned = Expr::new(code!("({{\n    {code}\n    {}\n}})", read.owned()), var.ty);
        self.acting(node, assigned)
    }

    /// Whether a value would change in a variable of that type, such as 12.5 in an integer, or a
    /// string in a boolean.
    fn loses(from: &Type, to: &Type) -> bool {
        match to {
            Type::Int => *from != Type::Status,
            Type::Float | Type::Bool => true,
            Type::Text => *from != Type::Body,
            _ => false,
        }
    }

    /// The placeholder for an assignment that the variable's type cannot hold. The variable gets a
    /// wider type, and the file is translated again.
    pub(super) fn loosened(&mut self, node: Node<'t>, name: &str) -> Code {
        if let Some(site) = self.frame().vars.site(name) {
            self.loose.insert(site);
        }
        if let (Some(property), Some(class)) = (super::lower::property(name), self.this_class()) {
            self.learn_type(super::own::property_key(&class, property), &Type::Value);
        }
        self.note_left(node, "the variable changes its type: give it another name").statement()
    }

    /// The code of an owned value: moved out of a variable where possible, otherwise cloned.
    fn owned_value(&mut self, e: &Expr, right: Option<Node<'t>>) -> Code {
        match (right, &e.ty) {
            (_, Type::Null) => self.value(e),
            (Some(right), _) => self.take(e, bare(right), right.end_byte()),
            (None, _) => e.owned(),
        }
    }

    /// `[$a, $b] = $list`, `['k' => $a] = $map`
    fn unpacked(&mut self, node: Node<'t>, left: Node<'t>, right: Node<'t>) -> Code {
        let of = self.expression(right);
        if of.ty != Type::Value {
            return self.note_left(node, "the value that is unpacked is not an array").statement();
        }
        self.taken_apart(node, left, of)
    }

    fn taken_apart(&mut self, node: Node<'t>, left: Node<'t>, of: Expr) -> Code {
        let mut out = Vec::new();
        // The variables that are assigned may be read by the array.
        let mut stack = vec![left];
        let mut reads = of.form == Form::Owned || !of.code.acts().is_empty();
        while let Some(node) = stack.pop() {
            let name = super::syntax::variable(node, self.php).and_then(|name| self.frame().vars.get(name));
            reads |= name.is_some_and(|var| of.code.uses(&var.rust));
            stack.extend(super::syntax::children(node));
        }
        let of = if reads {
            out.push(code!("let unpacked = {};", of.owned()));
            Expr::place(Code::name("unpacked"), Type::Value)
        } else {
            of
        };
        let parts = all(left);
        let (mut key, mut index) = (None, 0i64);
        for (number, part) in parts.iter().enumerate() {
            let arrow = parts.get(number + 1).is_some_and(|next| next.kind() == "=>");
            match part.kind() {
                "," => index += 1,
                _ if !part.is_named() || part.kind() == "comment" => {}
                _ if arrow => key = Some(self.expression(*part)),
                "variable_name" => {
                    let key = key.take().unwrap_or_else(|| Expr::number(index));
                    let value = self.indexed(node, of.clone(), &key);
                    out.push(self.assigned(node, *part, value, None));
                }
                "list_literal" | "array_creation_expression" => {
                    let key = key.take().unwrap_or_else(|| Expr::number(index));
                    let value = self.indexed(node, of.clone(), &key);
                    out.push(self.taken_apart(node, *part, value));
                }
                _ => {
                    let todo =
                        self.note_left(*part, "an unpacked element is assigned to something other than a variable");
                    out.push(code!("{todo}").statement());
                }
            }
        }
        Code::lines(out)
    }
}
