//! Converts uses of the file's own classes, and of objects whose class is in another file.

use std::collections::HashSet;
use std::rc::Rc;

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, Shape, code};
use super::facts::Kind;
use super::members::{Class, Method};
use super::syntax::{arguments, children, field, variable};
use super::value::{Bond, Expr, Form, Signature, Type};
use super::yours::Use;

/// Why an object that changes is not copied.
const SHARED: &str = "objects that change are shared in PHP, which a copy would not be: use one variable for it";

impl<'t> Porter<'t> {
    /// Whether objects of a class never change after their construction, so that a clone is equal.
    pub(super) fn is_constant(&self, ty: &Type) -> bool {
        match ty {
            Type::Object(name) => !self.shared_classes.contains(name),
            Type::Option(of) | Type::Answers(of) => self.is_constant(of),
            Type::Promise(_) | Type::Promises(_) | Type::Outcome(_) | Type::BoxError => false,
            _ => true,
        }
    }

    /// Finds the classes whose objects change, or contain what has no clone.
    pub(super) fn find_shared_classes(&mut self) {
        let changes =
            |class: &&Rc<Class<'t>>| self.known.is_mutable(&class.rust) || self.known.exposed.contains(&class.rust);
        self.shared_classes = self.classes.iter().filter(changes).map(|class| Rc::clone(&class.rust)).collect();
        let classes = self.classes.clone();
        loop {
            let found = self.shared_classes.len();
            for class in &classes {
                let mut types = Vec::new();
                for property in class.properties.iter().filter(|property| !property.is_static) {
                    types.push(self.property_type(class, property));
                    types.extend(self.known.types.get(&property_key(class, &property.name)).cloned());
                }
                if types.iter().any(|ty| !self.is_constant(ty)) {
                    self.shared_classes.insert(Rc::clone(&class.rust));
                }
            }
            if self.shared_classes.len() == found {
                return;
            }
        }
    }

    /// The properties that make objects of a class contain others of the same class, and why they
    /// are not carried over.
    pub(super) fn properties_of_itself(&mut self, class: &Class<'t>) -> Vec<(Node<'t>, &'static str)> {
        let mut found = Vec::new();
        for property in &class.properties {
            if let (Some(ty), Some(node)) = (self.declared_type(class, property), property.node.or(property.declared)) {
                if !property.is_static && self.contains_itself(class, &ty) {
                    found.push((node, "an object that contains objects of its own class: use an array for it"));
                }
            }
        }
        found
    }

    /// Whether a property of this type makes objects of a class contain others of the same class,
    /// which a Rust struct cannot.
    pub(super) fn contains_itself(&mut self, class: &Class<'t>, ty: &Type) -> bool {
        let (mut types, mut seen) = (vec![ty.clone()], HashSet::new());
        while let Some(ty) = types.pop() {
            match ty {
                Type::Option(of) => types.push(*of),
                Type::Object(name) if name == class.rust => return true,
                Type::Object(name) if seen.insert(Rc::clone(&name)) => {
                    let Some(other) = self.class_named(&name) else { continue };
                    for property in other.properties.iter().filter(|property| !property.is_static) {
                        let declared = self.declared_type(&other, property);
                        let learned = self.known.types.get(&property_key(&other, &property.name));
                        types.extend(declared.or_else(|| learned.cloned()));
                    }
                }
                _ => {}
            }
        }
        false
    }

    /// Lists the copy of an object that changes. Returns the code of the copy otherwise.
    pub(super) fn shared(&mut self, e: &Expr, node: Node<'t>) -> Option<Code> {
        if e.form == Form::Owned || self.is_constant(&e.ty) {
            return None;
        }
        Some(self.left_as(node, SHARED, e.ty.clone()).code)
    }

    /// The class of the method that is being converted.
    pub(super) fn this_class(&mut self) -> Option<Rc<Class<'t>>> {
        self.frame().class.and_then(|number| self.classes.get(number).cloned())
    }

    /// `$object->method(...)` of a class of the file or of another file; `None` for other objects.
    pub(super) fn object_call(&mut self, node: Node<'t>, object: Node<'t>, of: &Expr, method: &str) -> Option<Expr> {
        let php = format!("{}->{method}()", super::text::short(self.text(object), 40));
        match &of.ty {
            Type::Object(name) => {
                let class = self.class_named(name)?;
                let is_this = variable(object, self.php) == Some("this");
                Some(self.own_method(node, &class, of, method, is_this))
            }
            Type::Foreign(name) => {
                let used = Use { kind: Kind::Method, owner: Some(name.clone()), object: of.tight(), name: method, php };
                let Some(given) = arguments(node) else {
                    return Some(self.left(node, "named and unpacked arguments have no counterpart here"));
                };
                Some(self.stub(node, &used, &given))
            }
            Type::Value => {
                let origin = of.origin.clone()?;
                let ty = match method {
                    "getStatusCode" | "getReasonPhrase" => Type::Response,
                    _ => self.object_of(&origin, node.start_byte()),
                };
                self.imply_origin(&origin, &ty);
                None
            }
            _ => None,
        }
    }

    fn own_method(&mut self, node: Node<'t>, class: &Rc<Class<'t>>, of: &Expr, method: &str, is_this: bool) -> Expr {
        let lower = method.to_lowercase();
        // A private method is that of the class whose code calls it.
        let own = format!("{}::{lower}", self.frame().declared_in);
        let private = class.methods.iter().find(|known| known.is_private && known.name == own);
        let found = private.or_else(|| class.methods.iter().find(|known| known.name == lower)).cloned();
        let Some(found) = found else { return self.inherited(node, class, of, method) };
        if found.is_static {
            return self.own_static(node, class, &found);
        }
        let changes = self.known.mutating.contains(&(Rc::clone(&class.rust), found.name.clone()));
        let exclusive = field(node, "object").filter(|_| changes && !is_this).and_then(|of| self.exclusive(of));
        let of = exclusive.as_ref().unwrap_or(of);
        if changes && exclusive.is_none() {
            if is_this {
                self.frame().mutates = true;
            } else if of.form != Form::Owned && !self.may_change(of) {
                return self.left(node, "a method changes an object that the caller may share: return a new one");
            }
        }
        let Some(signature) = self.method_signature(class, &found) else {
            return self.left(node, "a method with parameters of an unknown form");
        };
        // The arguments must not borrow the object that the method changes.
        self.detach = changes;
        let called = code!("{}.{}", of.tight(), found.rust);
        let called = if changes { called.changing(&of.code) } else { called };
        let e = self.call_of(node, &called, &signature);
        self.detach = false;
        // A method that returns its object returns a reference.
        if self.is_fluent(found.node) { e.form(Form::Ref) } else { e }
    }

    /// A method that the file's classes do not have: that of a parent in another file.
    fn inherited(&mut self, node: Node<'t>, class: &Rc<Class<'t>>, of: &Expr, method: &str) -> Expr {
        let Some(base) = class.base else {
            return self.left(node, &format!("the class has no method {method}, or PHP finds it at run time"));
        };
        let Type::Foreign(owner) = self.foreign(self.text(base), base.start_byte()) else {
            return self.left(node, "a parent of an unknown form");
        };
        let Some(given) = arguments(node) else {
            return self.left(node, "named and unpacked arguments have no counterpart here");
        };
        let php = format!("{}->{method}()", self.text(base));
        self.uses_parent();
        let object = if of.code.is_empty() { Code::default() } else { code!("{}.parent", of.tight()) };
        let kind = if object.is_empty() { Kind::Static } else { Kind::Method };
        let used = Use { kind, owner: Some(owner), object, name: method, php };
        self.stub(node, &used, &given)
    }

    /// `Class::method(...)`, also with `self`, `static` and `parent`; `None` for other classes.
    pub(super) fn own_scoped(&mut self, node: Node<'t>, scope: Node<'t>, method: &str) -> Option<Expr> {
        let word = self.text(scope).to_ascii_lowercase();
        let lower = method.to_lowercase();
        let (class, found) = match word.as_str() {
            "parent" => {
                let class = self.this_class()?;
                let of = self.frame().declared_in.clone();
                let above = class.ancestors.iter().skip_while(|name| **name != of && class.name != of);
                let above: Vec<&String> = above.filter(|name| **name != of).collect();
                let keyed = above.iter().find_map(|name| {
                    class.methods.iter().find(|known| known.name == format!("{name}::{lower}")).cloned()
                });
                let found = keyed.or_else(|| {
                    class
                        .methods
                        .iter()
                        .find(|known| known.name == lower && above.iter().any(|name| **name == known.of))
                        .cloned()
                });
                let Some(found) = found else {
                    let object = self.this_object();
                    return Some(self.inherited(node, &class, &object, method));
                };
                (class, found)
            }
            "self" => {
                let class = self.this_class()?;
                let of = self.frame().declared_in.clone();
                let keyed = class.methods.iter().find(|known| known.name == format!("{of}::{lower}"));
                let found = keyed.or_else(|| class.methods.iter().find(|known| known.name == lower)).cloned();
                match found {
                    Some(found) => (class, found),
                    None => {
                        let object = self.this_object();
                        return Some(self.inherited(node, &class, &object, method));
                    }
                }
            }
            _ => {
                let class = match word.as_str() {
                    "static" => self.this_class()?,
                    _ => self.own_class(scope)?,
                };
                match class.methods.iter().find(|known| known.name == lower).cloned() {
                    Some(found) => (class, found),
                    None => return Some(self.inherited(node, &class, &Expr::new("", Type::Unit), method)),
                }
            }
        };
        if found.is_static {
            return Some(self.own_static(node, &class, &found));
        }
        let object = self.this_object();
        if object.code.is_empty() {
            return Some(self.left(node, "a method is called without its object"));
        }
        let mut called = code!("{}.{}", object.code, found.rust);
        let changes = self.known.mutating.contains(&(Rc::clone(&class.rust), found.name.clone()));
        if changes {
            self.frame().mutates = true;
            called = called.changing(&object.code);
        }
        let Some(signature) = self.method_signature(&class, &found) else {
            return Some(self.left(node, "a method with parameters of an unknown form"));
        };
        self.detach = changes;
        let e = self.call_of(node, &called, &signature);
        self.detach = false;
        Some(e)
    }

    fn this_object(&mut self) -> Expr {
        let receiver = self.frame().receiver;
        let ty = self.this_class().map_or(Type::Unit, |class| Type::Object(Rc::clone(&class.rust)));
        let code = if receiver.is_empty() { Code::default() } else { Code::name(receiver) };
        Expr::place(code, ty).form(Form::Ref)
    }

    fn own_static(&mut self, node: Node<'t>, class: &Rc<Class<'t>>, method: &Method<'t>) -> Expr {
        let Some(signature) = self.method_signature(class, method) else {
            return self.left(node, "a method with parameters of an unknown form");
        };
        self.call_of(node, &code!("{}::{}", class.rust, method.rust), &signature)
    }

    /// `new Class(...)` of a class of the file.
    pub(super) fn own_creation(&mut self, node: Node<'t>, class: &Rc<Class<'t>>) -> Expr {
        let ty = Type::Object(Rc::clone(&class.rust));
        let signature = match class.method("__construct").cloned() {
            Some(constructor) => self.method_signature(class, &constructor),
            None => Some(Rc::new(Signature {
                parameters: Vec::new(),
                defaults: Vec::new(),
                nullable: Vec::new(),
                arrays: Vec::new(),
                returns: ty.clone(),
                source: None,
            })),
        };
        let Some(signature) = signature else {
            return self.left_as(node, "a constructor with parameters of an unknown form", ty);
        };
        let e = self.call_of(node, &code!("{}::new", class.rust), &signature);
        // A constructor returns its object.
        if matches!(e.code.shape(), Shape::Todo) { e } else { Expr { ty, form: Form::Owned, ..e } }
    }

    fn call_of(&mut self, node: Node<'t>, code: &Code, signature: &Signature) -> Expr {
        match arguments(node) {
            Some(given) => self.own_call(node, code, signature, &given),
            None => {
                self.left_as(node, "named and unpacked arguments have no counterpart here", signature.returns.clone())
            }
        }
    }

    /// The signature of a method. Its return type is declared, or what its translation found.
    pub(super) fn method_signature(&mut self, class: &Rc<Class<'t>>, method: &Method<'t>) -> Option<Rc<Signature>> {
        let key = method_key(class, method);
        if let Some(known) = self.signatures.get(&key) {
            return known.clone();
        }
        let returns = self.method_returns(class, method);
        let number = self.class_number(&class.name);
        let frame = super::frame::Frame { class: number, declared_in: method.of.clone(), ..Default::default() };
        self.state.frames.push(frame);
        let signature = self
            .signature(method.node, returns, &super::frame::Frame::default())
            .map(|(signature, _)| Rc::new(signature));
        self.state.frames.pop();
        self.signatures.insert(key, signature.clone());
        signature
    }

    pub(super) fn method_returns(&mut self, class: &Rc<Class<'t>>, method: &Method<'t>) -> Type {
        if method.name.ends_with("__construct") {
            return Type::Unit;
        }
        if self.is_fluent(method.node) {
            return Type::Object(Rc::clone(&class.rust));
        }
        if self.handler_of(method.node).is_some_and(|handler| handler.is_printing) {
            return Type::Output;
        }
        let declared = field(method.node, "return_type");
        let number = self.class_number(&class.name);
        let outer = std::mem::replace(&mut self.frame().class, number);
        let declared = declared.and_then(|ty| self.annotated(self.text(ty), ty.start_byte()));
        self.frame().class = outer;
        match declared {
            Some(ty) => ty,
            None => match self.known.types.get(&format!("return {}", method_key(class, method))) {
                Some(Type::Null) => Type::Unit,
                Some(ty) => Self::scalar(ty.clone()),
                None => Type::Value,
            },
        }
    }

    /// Whether every `return` of a method returns its object.
    pub(super) fn is_fluent(&self, method: Node<'t>) -> bool {
        let Some(body) = field(method, "body") else { return false };
        let ends = children(body).last().is_some_and(|last| last.kind() == "return_statement");
        let (mut stack, mut returns) = (vec![body], 0);
        while let Some(node) = stack.pop() {
            match node.kind() {
                "anonymous_function" | "arrow_function" => continue,
                "return_statement" => {
                    if children(node).first().and_then(|value| variable(*value, self.php)) != Some("this") {
                        return false;
                    }
                    returns += 1;
                }
                _ => stack.extend(children(node)),
            }
        }
        ends && returns > 0
    }

    /// `Class::CONSTANT` of a class of the file or of another file.
    pub(super) fn own_constant(&mut self, node: Node<'t>, scope: Node<'t>, name: &str) -> Option<Expr> {
        let word = self.text(scope).to_ascii_lowercase();
        if name == "class" {
            return match word.as_str() {
                "self" | "static" => self.own_class(scope).map(|class| Expr::literal(&class.full)),
                "parent" => None,
                _ => {
                    if let Some(class) = self.own_class(scope) {
                        return Some(Expr::literal(&class.full));
                    }
                    let written = self.text(scope).trim_start_matches('\\');
                    let full = self.files.alias(&written.to_lowercase(), scope.start_byte()).cloned();
                    Some(Expr::literal(&full.unwrap_or_else(|| written.to_owned())))
                }
            };
        }
        let class = match word.as_str() {
            "parent" => self.this_class(),
            _ => self.own_class(scope),
        };
        let Some(class) = class else {
            let ty = self.foreign(self.text(scope), scope.start_byte());
            let Type::Foreign(owner) = ty else { return None };
            let php = self.text(node).to_owned();
            let used = Use { kind: Kind::Constant, owner: Some(owner), object: Code::default(), name, php };
            return Some(self.stub_of(node, &used, Vec::new()));
        };
        let constant = class.constants.iter().find(|constant| constant.name == name)?.clone();
        let rust = constant.rust.clone();
        let value = self.constant_value(&class, &constant);
        Some(match plain_constant(&value) {
            Some(_) => {
                let code = code!("{}::{}", class.rust, rust.to_uppercase());
                Expr { literal: value.literal.clone(), ..Expr::new(code, value.ty).form(value.form).small(value.small) }
            }
            None => {
                let end = self.try_any();
                let name = class.function_of(&constant);
                Expr::new(code!("{}::{name}(){end}", class.rust), Type::Value).bond(Bond::Tight)
            }
        })
    }

    /// The value of a constant, in the scope of its class.
    pub(super) fn constant_value(&mut self, class: &Rc<Class<'t>>, constant: &super::members::Constant<'t>) -> Expr {
        let number = self.class_number(&class.name);
        let frame = super::frame::Frame { class: number, declared_in: constant.of.clone(), ..Default::default() };
        let value = constant.value;
        self.dry_run(|porter| {
            porter.state.frames.push(frame);
            porter.expression(value)
        })
    }
}

/// The Rust type of a constant that needs no code; `None` for arrays and calculations.
pub(super) fn plain_constant(value: &Expr) -> Option<&'static str> {
    match (&value.ty, &value.literal) {
        (Type::Text, Some(_)) => Some("&'static str"),
        (Type::Int, _) if value.is_constant => Some("i64"),
        (Type::Float, _) if value.inside.is_some() => Some("f64"),
        (Type::Bool, _) if value.code.as_truth().is_some() => Some("bool"),
        _ => None,
    }
}

/// The key of a method in the tables.
pub(super) fn method_key(class: &Class<'_>, method: &Method<'_>) -> String {
    format!("{}::{}", class.name, method.name)
}

/// The key of a property in the tables.
pub(super) fn property_key(class: &Class<'_>, name: &str) -> String {
    format!("property {} {name}", class.name)
}
