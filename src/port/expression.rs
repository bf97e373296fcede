//! Converts expressions, by their kind.

use std::rc::Rc;

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, Shape, code};
use super::facts::Kind as stub;
use super::imports::{JSON, PHP, VALUE};
use super::syntax::{bare, children, field};
use super::value::{Bond, Expr, Form, Type};
use super::yours::Use;

impl<'t> Porter<'t> {
    pub(super) fn expression(&mut self, node: Node<'t>) -> Expr {
        self.work += 1;
        if self.is_exhausted() {
            return Expr::new("()", Type::Unit);
        }
        if let Some(part) = self.request_part(node) {
            return part;
        }
        match node.kind() {
            "string" => self.single(node),
            "encapsed_string" => self.encapsed(node),
            "heredoc" | "nowdoc" => self.heredoc(node),
            "integer" => self.integer(node),
            "float" => self.float_literal(node),
            "boolean" => Expr::new(Code::truth(self.text(node).eq_ignore_ascii_case("true")), Type::Bool),
            "null" => Expr::new(code!("{VALUE}::Null"), Type::Null),
            "variable_name" => self.variable(node),
            "array_creation_expression" => self.array(node),
            "parenthesized_expression" => self.expression(bare(node)),
            "binary_expression" => self.binary(node),
            "unary_op_expression" => self.unary(node),
            "cast_expression" => self.cast(node),
            "conditional_expression" => self.ternary(node),
            "error_suppression_expression" => self.suppressed(node),
            "member_access_expression" | "nullsafe_member_access_expression" => self.property(node),
            "subscript_expression" => self.subscript(node),
            "member_call_expression" | "nullsafe_member_call_expression" => self.member_call(node),
            "function_call_expression" => self.function_call(node),
            "scoped_call_expression" => self.scoped_call(node),
            "class_constant_access_expression" => self.class_constant(node),
            "object_creation_expression" => self.creation(node),
            "name" | "qualified_name" => self.constant(node),
            "anonymous_function" | "arrow_function" => self.closure(node),
            "match_expression" => self.matched(node),
            "scoped_property_access_expression" => self.static_property(node, false),
            "update_expression" => self.stepped(node),
            "print_intrinsic" if node.parent().is_some_and(|parent| parent.kind() != "expression_statement") => {
                self.left(node, "print is used as a value: give it a statement of its own")
            }
            "print_intrinsic" => {
                let printed = children(node).first().map(|inner| self.expression(*inner));
                let code = printed.map(|printed| self.printed(node, vec![printed])).unwrap_or_default();
                let code = match code.shape() {
                    Shape::Expression(part) => (**part).clone(),
                    _ => code,
                };
                Expr::new(code, Type::Unit)
            }
            "assignment_expression" => self.inner_assignment(node),
            "include_expression" | "include_once_expression" | "require_expression" | "require_once_expression" => {
                self.included(node)
            }
            kind => {
                let why = format!("{} has no counterpart here", kind.replace('_', " "));
                self.left(node, &why)
            }
        }
    }

    fn integer(&mut self, node: Node<'t>) -> Expr {
        let digits = self.text(node).replace('_', "").to_ascii_lowercase();
        let parsed = if let Some(hex) = digits.strip_prefix("0x") {
            i64::from_str_radix(hex, 16).ok()
        } else if let Some(binary) = digits.strip_prefix("0b") {
            i64::from_str_radix(binary, 2).ok()
        } else if digits.len() > 1 && digits.starts_with('0') {
            i64::from_str_radix(digits.trim_start_matches("0o"), 8).ok()
        } else {
            digits.parse().ok()
        };
        match parsed {
            // Without a type, an integer literal in Rust has 32 bits.
            Some(number) if i32::try_from(number).is_err() => {
                Expr { is_constant: true, ..Expr::new(code!("{number}_i64"), Type::Int) }
            }
            Some(number) => Expr::number(number).small(true),
            None => self.left_as(node, "the number does not fit into 64 bits", Type::Int),
        }
    }

    fn float_literal(&mut self, node: Node<'t>) -> Expr {
        match self.text(node).replace('_', "").parse::<f64>() {
            Ok(number) if number.is_finite() => {
                let code = code!("{number:?}");
                Expr { inside: Some(code.clone()), ..Expr::new(code, Type::Float) }
            }
            _ => self.left_as(node, "the number is none that Rust has", Type::Float),
        }
    }

    /// The type of a variable, as far as it is known. A variable that is used like a client is a
    /// client.
    pub(super) fn variable_type(&mut self, node: Node<'t>) -> Option<Type> {
        let name = super::syntax::variable(node, self.php)?;
        if let Some(var) = self.frame().vars.get(name) {
            return Some(var.ty.clone());
        }
        self.frame().is_chained(name).then_some(Type::Client)
    }

    /// An expression of which it is only asked whether it has a value: a variable that may hold no
    /// object is not unwrapped.
    pub(super) fn asked(&mut self, node: Node<'t>) -> Expr {
        let name = super::syntax::variable(bare(node), self.php);
        match name.and_then(|name| self.frame().vars.get(name).cloned()) {
            Some(var) if matches!(var.ty, Type::Option(_)) => {
                let source = name.map(|name| self.place_source(name));
                Expr::place(var.rust, var.ty).form(var.form).source(source)
            }
            _ if bare(node).kind() == "scoped_property_access_expression" => self.static_property(bare(node), true),
            _ => self.given_value(node),
        }
    }

    /// Whether a property of this type is cloned where a method changes its object: texts, arrays,
    /// and objects whose clones are the same object.
    fn is_copied(&self, ty: &Type) -> bool {
        match ty {
            Type::Option(of) => self.is_copied(of),
            Type::Object(_) => self.is_constant(ty),
            Type::Value | Type::Text | Type::Client | Type::Chain | Type::Response | Type::Foreign(_) => true,
            Type::PrivateKey | Type::PublicKey => true,
            _ => false,
        }
    }

    /// A value that may be null where its variable may: for what takes null as well.
    pub(super) fn or_null(&mut self, node: Node<'t>) -> Expr {
        let place = bare(node).kind() == "scoped_property_access_expression";
        if place || super::syntax::variable(bare(node), self.php).is_some() {
            let e = self.asked(node);
            let is_own = super::syntax::variable(bare(node), self.php).and_then(super::lower::property).is_some();
            let copies = is_own && self.frame().detached && matches!(e.ty, Type::Option(_)) && self.is_copied(&e.ty);
            if copies { Expr { code: e.owned(), form: Form::Owned, ..e } } else { e }
        } else {
            self.given_value(node)
        }
    }

    fn variable(&mut self, node: Node<'t>) -> Expr {
        let Some(name) = super::syntax::variable(node, self.php) else {
            return self.left(node, "a variable whose name is only known at run time");
        };
        if let Some(var) = self.frame().vars.get(name).cloned() {
            if super::lower::property(name).is_some() && self.frame().detached && self.is_copied(&var.ty) {
                let copy = Expr::new(code!("{}.clone()", var.rust), var.ty).origin(var.origin);
                let source = self.place_source(name);
                return self.unwrapped(copy.source(Some(source)), node);
            }
            let small = var.ty == Type::Int && self.frame().is_counter(name);
            let read = Expr::place(var.rust.clone(), var.ty.clone()).form(var.form).small(small);
            let source = self.place_source(name);
            let read = read.origin(var.origin.clone()).source(Some(Rc::clone(&source)));
            return match var.ty {
                // A variable that a `try` may have left without a value.
                Type::Option(of) if !of.is_copy() => {
                    let end = self.try_any();
                    let shown = match super::lower::property(name) {
                        Some(property) => code!("$this->{property}"),
                        None => code!("${name}"),
                    };
                    let code =
                        code!("{}.as_ref().ok_or_else(|| {PHP}::error(\"{shown} has no value\")){end}", var.rust);
                    Expr::new(code, *of).form(Form::Ref).source(Some(source))
                }
                _ => read,
            };
        }
        if let Some(of) = super::natives::of_request(name) {
            let php = format!("${name}");
            let used = Use { kind: stub::Function, owner: None, object: Code::default(), name: of, php };
            return self.stub_returning(node, &used, Vec::new(), Some(Type::Value));
        }
        if let Some(property) = super::lower::property(name) {
            return self.inherited_property(node, property, None);
        }
        if self.unset_variable(name) == Some(true) {
            return self.variable(node);
        }
        let chained = self.frame().is_chained(name);
        let assigned = self.frame().assigned(name) > 0;
        let why = match name {
            "this" => "there is no object here".to_owned(),
            "GLOBALS" => {
                format!("${name} comes from the web server: take it from the request of your framework")
            }
            _ if assigned => format!("${name} may have no value here"),
            _ => format!("${name} is not assigned in this file"),
        };
        let ty = if chained && name != "this" { Type::Client } else { Type::Value };
        if assigned || name == "this" || why.ends_with("framework") {
            return self.left_as(node, &why, ty);
        }
        // Declared once for the whole function.
        if node.parent().is_some_and(|parent| parent.kind() == "argument") && ty == Type::Value {
            // The call may give it its value, so that the call is what is left. Before the call,
            // PHP reads null.
            let rust = self.fresh_here(name);
            self.frame().hoisted.push((1, code!("let mut {rust} = {VALUE}::Null;")));
            let var = super::vars::Var { mutable: true, ..super::vars::Var::place(rust, ty.clone()) };
            self.frame().vars.insert(name.to_owned(), var);
            return self.left_as(node, &why, ty);
        }
        let notes = self.state.notes.len();
        let todo = self.note_left(node, &why);
        self.state.notes.truncate(notes);
        let rust = self.fresh_here(name);
        let text = super::text::comment("//", &format!("PHP, line {}: {}", self.line(node), self.text(node)));
        self.frame().hoisted.push((1, code!("{text}\nlet {rust}: {} = {todo};", ty.name())));
        let var = super::vars::Var::place(rust.clone(), ty.clone());
        self.frame().vars.insert(name.to_owned(), var);
        Expr::place(rust, ty)
    }

    /// The owned value of an expression: moved out of a variable that is not used after the
    /// position `at`.
    pub(super) fn take(&mut self, e: &Expr, node: Node<'t>, at: usize) -> Code {
        let root = match node.kind() {
            "variable_name" => Some(node),
            "member_call_expression" => field(node, "object").filter(|object| object.kind() == "variable_name"),
            _ => None,
        };
        let name = root.and_then(|root| super::syntax::variable(root, self.php));
        let last = name.is_some_and(|name| !self.frame().used_after(name, at.max(node.end_byte()) - 1));
        let movable = matches!(e.ty, Type::Promise(_) | Type::Promises(_) | Type::Options);
        if name.and_then(super::lower::property).is_some() && !self.is_constant(&e.ty) && e.form != Form::Owned {
            return self
                .left_as(node, "a promise or an exception of a property: give it to the caller", e.ty.clone())
                .code;
        }
        if e.form == Form::Place && (last || movable) && e.ty != Type::Body && name.is_some() {
            return e.code.clone();
        }
        if let Some(listed) = self.shared(e, node) {
            return listed;
        }
        e.owned()
    }

    fn suppressed(&mut self, node: Node<'t>) -> Expr {
        match children(node).first() {
            Some(inner) => self.expression(*inner),
            None => self.left(node, "an empty expression"),
        }
    }

    /// `$of[$key]`: a path of a chain, or an element of an array.
    fn subscript(&mut self, node: Node<'t>) -> Expr {
        if let Some(chain) = self.chain(node) {
            return chain;
        }
        match children(node).as_slice() {
            [of, key] => {
                let (of, key) = (self.expression(*of), self.expression(*key));
                self.indexed(node, of, &key)
            }
            _ => self.left(node, "an element without a key cannot be read"),
        }
    }

    fn cast(&mut self, node: Node<'t>) -> Expr {
        let (Some(ty), Some(value)) = (field(node, "type"), field(node, "value")) else {
            return self.left(node, "a cast of an unknown form");
        };
        let ty = self.text(ty).trim().to_ascii_lowercase();
        let inner = bare(value);
        if ty == "object" && inner.kind() == "array_creation_expression" && children(inner).is_empty() {
            return Expr { inside: Some("{}".into()), ..Expr::new(code!("{JSON}!({{}})"), Type::Value) };
        }
        let e = if matches!(ty.as_str(), "bool" | "boolean") { self.asked(value) } else { self.expression(value) };
        if matches!(ty.as_str(), "bool" | "boolean") && e.ty.is_object() {
            return Expr::new(self.truth(&e, Bond::Tight), Type::Bool);
        }
        if e.ty.is_object() && !matches!(e.ty, Type::Error | Type::BoxError) {
            return self.left(node, "this object has no such value");
        }
        match ty.as_str() {
            "string" | "binary" if matches!(e.ty, Type::Text | Type::Body) => e,
            "string" | "binary" => Expr::new(self.string(&e), Type::Text),
            "int" | "integer" if matches!(e.ty, Type::Int) => e,
            "int" | "integer" => {
                Expr::new(self.int(&e), Type::Int).bond(if e.ty == Type::Float { Bond::Sum } else { Bond::Tight })
            }
            "float" | "double" => {
                Expr::new(self.float(&e), Type::Float).bond(if e.ty == Type::Int { Bond::Sum } else { Bond::Tight })
            }
            "bool" | "boolean" => Expr::new(self.truth(&e, Bond::Tight), Type::Bool),
            // An array of a scalar has it as its only element.
            "array" if e.inside.is_some() => e,
            "array" if matches!(e.ty, Type::Value | Type::Text | Type::Int | Type::Float | Type::Bool | Type::Null) => {
                Expr::new(code!("{PHP}::to_array({})", self.value(&e)), Type::Value)
            }
            _ => self.left(node, "a cast that has no counterpart here"),
        }
    }

    fn constant(&mut self, node: Node<'t>) -> Expr {
        let name = self.text(node).trim_start_matches('\\');
        if let Some((rust, ty)) = self.constants.get(name).cloned() {
            return Expr::new(rust, ty).form(Form::Ref);
        }
        match name {
            "PHP_EOL" => Expr::literal("\n"),
            "LOCK_EX" => Expr::number(2),
            "FILE_APPEND" => Expr::number(8),
            "JSON_UNESCAPED_SLASHES" => Expr::number(64),
            "JSON_PRETTY_PRINT" => Expr::number(128),
            "JSON_UNESCAPED_UNICODE" => Expr::number(256),
            "JSON_PRESERVE_ZERO_FRACTION" => Expr::number(1024),
            "JSON_THROW_ON_ERROR" => Expr::number(4_194_304),
            "STR_PAD_LEFT" => Expr::number(0),
            "STR_PAD_RIGHT" => Expr::number(1),
            "PHP_INT_MAX" => Expr::new("i64::MAX", Type::Int),
            "M_PI" => Expr::new("std::f64::consts::PI", Type::Float),
            "DIRECTORY_SEPARATOR" => Expr::literal("/"),
            "__DIR__" => {
                let text = "// __DIR__ of PHP: here the folder that the program is started in".into();
                if self.state.notes.iter().all(|note| note.text != text) {
                    self.state.notes.push(super::Note { text, span: None });
                }
                Expr::literal(".")
            }
            "DATE_RFC3339" | "DATE_ATOM" | "DATE_W3C" => Expr::literal("Y-m-d\\TH:i:sP"),
            "__CLASS__" if self.frame().class.is_some() => {
                Expr::literal(&self.this_class().map(|class| class.full.clone()).unwrap_or_default())
            }
            "__FUNCTION__" | "__METHOD__" if self.function_around(node).is_some() => {
                let function = self.function_around(node).unwrap_or_default();
                match self.this_class() {
                    Some(class) if name == "__METHOD__" => Expr::literal(&format!("{}::{function}", class.full)),
                    _ => Expr::literal(&function),
                }
            }
            "__LINE__" => Expr::number(i64::try_from(self.line(node)).unwrap_or(i64::MAX)),
            _ => self.left(node, &format!("the constant {name} is not defined in this file")),
        }
    }

    /// The name of the function or method around a node; `None` in a closure.
    fn function_around(&self, node: Node<'t>) -> Option<String> {
        let mut node = node;
        loop {
            node = node.parent()?;
            match node.kind() {
                "method_declaration" | "function_definition" => {
                    return field(node, "name").map(|name| self.text(name).to_owned());
                }
                "anonymous_function" | "arrow_function" => return None,
                _ => {}
            }
        }
    }

    fn included(&mut self, node: Node<'t>) -> Expr {
        // The SDK's own files come with the crate.
        let autoload = ["autoload.php", "vendor/"].iter().any(|own| self.text(node).contains(own));
        if autoload {
            return Expr::new("", Type::Unit);
        }
        self.left_as(node, "carry this file over as well, as a module", Type::Unit)
    }
}
