//! Converts static properties: a variable of the thread, with functions that read and write it.

use std::rc::Rc;

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, code, indent};
use super::facts::Kind;
use super::imports::PHP;
use super::members::{Class, Property};
use super::own::property_key;
use super::syntax::{field, variable};
use super::value::{Expr, Form, Type};
use super::yours::Use;

impl<'t> Porter<'t> {
    /// The class that declares a static property, and the property.
    fn static_of(&mut self, node: Node<'t>) -> Option<(Rc<Class<'t>>, Property<'t>)> {
        let (scope, name) = (field(node, "scope")?, field(node, "name")?);
        let name = variable(name, self.php)?;
        let class = match self.text(scope).to_ascii_lowercase().as_str() {
            "parent" => {
                let (class, of) = (self.this_class()?, self.frame().declared_in.clone());
                let above = class.ancestors.iter().skip_while(|one| **one != of && class.name != of);
                let name = above.into_iter().find(|one| **one != of)?;
                self.class_of_name(name)?
            }
            _ => self.own_class(scope)?,
        };
        let property = class.properties.iter().find(|one| one.name == name && one.is_static)?.clone();
        // A class below shares the property of its parent.
        let declares = self.class_of_name(&property.of).unwrap_or(class);
        Some((declares, property))
    }

    /// `Class::$name`, read. An object that may be missing is unwrapped, unless `asks`.
    pub(super) fn static_property(&mut self, node: Node<'t>, asks: bool) -> Expr {
        let Some((class, property)) = self.static_of(node) else {
            return self.foreign_static(node, None);
        };
        let ty = self.property_type(&class, &property);
        let code = code!("{}::{}()", class.rust, self.static_name(&class, &property));
        let origin = (ty == Type::Value && property.declared.is_none()).then(|| property_key(&class, &property.name));
        let source = Some(property_key(&class, &property.name).into());
        match ty {
            Type::Option(of) if !asks => {
                let (end, name) = (self.try_any(), self.text(node));
                Expr::new(code!("{code}.ok_or_else(|| {PHP}::error(\"{name} has no value\")){end}"), *of).source(source)
            }
            ty => Expr::new(code, ty).origin(origin.map(Rc::from)).source(source),
        }
    }

    /// `Class::$name = value`
    pub(super) fn static_assignment(&mut self, node: Node<'t>, left: Node<'t>, value: Expr) -> Code {
        let Some((class, property)) = self.static_of(left) else {
            return self.foreign_static(left, Some(value)).code.statement();
        };
        let ty = self.property_type(&class, &property);
        let value = self.for_array(&property, value, field(node, "right"));
        let value = self.for_declared(&class, &property, value);
        let code = match &ty {
            Type::Option(of) if value.ty == **of => self.owned_as(&value, of).map(|code| code!("Some({code})")),
            _ => self.owned_as(&value, &ty),
        };
        match code {
            Some(code) => code!("{}::set_{}({code})", class.rust, self.static_name(&class, &property)).statement(),
            None => self.note_left(node, "the property has another type").statement(),
        }
    }

    /// A static property of a class in another file.
    fn foreign_static(&mut self, node: Node<'t>, value: Option<Expr>) -> Expr {
        let (Some(scope), Some(name)) = (field(node, "scope"), field(node, "name")) else {
            return self.left(node, "a static property of an unknown form");
        };
        let own = matches!(self.text(scope).to_ascii_lowercase().as_str(), "self" | "static" | "parent");
        let named = matches!(scope.kind(), "name" | "qualified_name");
        let base = self.this_class().and_then(|class| class.base);
        let scope = match (own, base) {
            (true, Some(base)) => base,
            (false, _) if named && self.own_class(scope).is_none() => scope,
            _ => return self.left(node, "this static property is not one of the class"),
        };
        let Type::Foreign(owner) = self.foreign(self.text(scope), scope.start_byte()) else {
            return self.left(node, "a class of an unknown form");
        };
        let Some(name) = variable(name, self.php) else {
            return self.left(node, "a static property whose name is only known at run time");
        };
        let php = self.text(node).to_owned();
        let written = format!("set_{name}");
        let (kind, name) = if value.is_some() { (Kind::Static, written.as_str()) } else { (Kind::Constant, name) };
        let used = Use { kind, owner: Some(owner), object: Code::default(), name, php };
        // The value is evaluated before the call that sets it.
        let node = if value.is_some() { node.parent().unwrap_or(node) } else { node };
        self.stub_of(node, &used, value.into_iter().collect())
    }

    /// A name for the functions of a static property that no method has.
    fn static_name(&self, class: &Class<'t>, property: &Property<'t>) -> String {
        let mut name = property.rust.trim_end_matches('_').to_owned();
        let taken = |name: &str| {
            class.methods.iter().any(|method| method.rust == name || method.rust == format!("set_{name}"))
                || class.constants.iter().any(|constant| constant.rust == name)
        };
        while name.is_empty() || taken(&name) || super::text::snake(&name) != name {
            name.push_str("_value");
        }
        name
    }

    /// The variables of a class, and the functions that read and write them.
    pub(super) fn static_items(&mut self, class: &Rc<Class<'t>>) -> (Code, Vec<Code>) {
        let (mut variables, mut functions) = (Code::default(), Vec::new());
        let own: Vec<Property<'t>> =
            class.properties.iter().filter(|one| one.is_static && one.of == class.name).cloned().collect();
        for property in own {
            let ty = self.property_type(class, &property);
            let frame = self.method_frame(class, &class.name, &[], property.node.unwrap_or(class.node), "");
            self.state.frames.push(frame);
            let value = self.initial(class, &property, &ty);
            self.state.frames.pop();
            let name = self.static_name(class, &property);
            let cell = format!("{}_{}", super::text::snake(&class.rust), name).to_uppercase();
            if value.fails() || !self.is_constant(&ty) {
                self.note_left(property.node.unwrap_or(class.node), "a static property with a value of this kind");
            }
            let siblings = property.node.and_then(|node| node.parent()).map(super::syntax::named).unwrap_or_default();
            let comments = match property.node {
                Some(node) => self.comments_above(node, &siblings, "//"),
                None => String::new(),
            };
            variables.push(&indent(&code!(
                "{comments}static {cell}: std::cell::RefCell<{0}> = std::cell::RefCell::new({value});\n",
                ty.name()
            )));
            let visible = self.visibility(property.is_public);
            functions.push(code!(
                "/// PHP: `${}`, one for each thread; PHP has one for each request.\n{visible}fn {name}() -> {} {{\n    {cell}.with_borrow(Clone::clone)\n}}",
                property.name,
                ty.name()
            ));
            functions.push(code!("{visible}fn set_{name}(value: {}) {{\n    {cell}.set(value);\n}}", ty.name()));
        }
        if !variables.is_empty() {
            variables = code!("thread_local! {{\n{variables}}}\n\n");
        }
        (variables, functions)
    }

    /// `Class::$name++`, `Class::$name .= value`
    pub(super) fn static_step(&mut self, node: Node<'t>, left: Node<'t>) -> Code {
        let before = self.static_property(left, false);
        let Some(right) = field(node, "right") else {
            if before.ty.is_object() {
                return self.note_left(node, "the value of ++ or -- is not a number").statement();
            }
            let function = if self.text(node).contains("++") { "increment" } else { "decrement" };
            let (operand, end) = (self.operand(&before), self.try_any());
            let after = match before.ty {
                Type::Int => self.calculated(
                    node,
                    &before,
                    &Expr::number(1).small(true),
                    if function == "increment" { "+" } else { "-" },
                ),
                _ => Expr::new(code!("{PHP}::{function}({operand}){end}"), Type::Value),
            };
            return self.static_assignment(node, left, after);
        };
        let operator = field(node, "operator").map(|operator| self.text(operator).trim_end_matches('=').to_owned());
        let (operator, value) = (operator.unwrap_or_default(), self.given_value(right));
        if before.ty.is_object() || value.ty.is_object() {
            return self.note_left(node, "an object is not an operand").statement();
        }
        let mut first = Code::default();
        let value = if value.code.acts().is_empty() { value } else { self.first(value, &mut first) };
        let after = match operator.as_str() {
            "." => self.joined(vec![before, value]),
            "+" | "-" | "*" | "/" => self.calculated(node, &before, &value, &operator),
            _ => {
                let why = format!("the operator {operator}= has no counterpart here");
                return self.note_left(node, &why).statement();
            }
        };
        let assigned = self.static_assignment(node, left, after);
        Code::lines(vec![first, assigned])
    }

    /// The value of a property, converted as PHP converts it.
    pub(super) fn for_declared(&mut self, class: &Rc<Class<'t>>, property: &Property<'t>, e: Expr) -> Expr {
        let key = property_key(class, &property.name);
        let declared = property.declared.and_then(|ty| self.annotated(self.text(ty), ty.start_byte()));
        let Some(declared) = declared else {
            if let Some(ty) = self.known.implied.get(&key).cloned() {
                self.imply(&e, &ty);
            }
            self.linked(Some(key.as_str().into()), &e);
            self.learn_type(key, &e.ty);
            return e;
        };
        let e = match property.node {
            Some(node) if e.ty == Type::Option(Box::new(declared.clone())) => self.unwrapped(e, node),
            _ => e,
        };
        if e.ty == Type::Value {
            self.imply(&e, &declared);
        }
        if let Some(of) = property.declared.and_then(|ty| self.nullable_of(ty)) {
            return self.nullable(&e, &of);
        }
        match self.coerced(&e, &declared) {
            Some(e) if e.ty == declared => e,
            Some(e) => match self.owned_as(&e, &declared) {
                Some(code) => Expr { form: Form::Owned, ..Expr::new(code, declared) },
                None => e,
            },
            None => e,
        }
    }
}
