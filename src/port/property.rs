//! Converts properties of objects, and finds what changes an object.

use std::rc::Rc;

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, Shape, code};
use super::facts::Kind;
use super::imports::PHP;
use super::own::property_key;
use super::syntax::{bare, children, field};
use super::value::{Expr, Form, Type};
use super::yours::Use;

impl<'t> Porter<'t> {
    /// `$object->name` of a class of the file or of another file, read, or assigned a value.
    pub(super) fn object_property(
        &mut self,
        node: Node<'t>,
        object: Node<'t>,
        of: &Expr,
        name: Node<'t>,
        value: Option<Expr>,
    ) -> Option<Expr> {
        let written = self.text(name).to_owned();
        match &of.ty {
            _ if name.kind() != "name" => match of.ty {
                Type::Object(_) | Type::Foreign(_) => {
                    Some(self.left(node, "a property whose name is only known at run time"))
                }
                _ => None,
            },
            Type::Object(class) => {
                let class = self.class_named(class)?;
                let Some(property) = class.properties.iter().find(|one| one.name == written && !one.is_static).cloned()
                else {
                    return Some(
                        self.left(node, "this property is not one of the class, or of a parent in another file"),
                    );
                };
                let ty = self.property_type(&class, &property);
                let place = Expr::place(code!("{}.{}", of.tight(), property.rust), ty.clone());
                let source = Some(property_key(&class, &written).into());
                let Some(value) = value else {
                    return Some(match ty {
                        Type::Option(inner) => {
                            let end = self.try_any();
                            let code = code!(
                                "{}.as_ref().ok_or_else(|| {PHP}::error(\"->{written} has no value\")){end}",
                                place.code
                            );
                            Expr::new(code, *inner).form(Form::Ref).source(source)
                        }
                        _ => place.source(source),
                    });
                };
                if self.learns() {
                    self.found.exposed.insert(Rc::clone(&class.rust));
                }
                let place = match self.exclusive(object) {
                    Some(of) => Expr::place(code!("{}.{}", of.tight(), property.rust), ty.clone()),
                    None if self.may_change(of) => place,
                    None => {
                        let why = "an object is changed that the caller may share: return a new one";
                        return Some(self.left(node, why));
                    }
                };
                let value = self.for_array(&property, value, field(node, "right"));
                let key = property_key(&class, &written);
                let nullable = property.declared.and_then(|ty| self.nullable_of(ty));
                let declared = property.declared.and_then(|ty| self.annotated(self.text(ty), ty.start_byte()));
                let value = match (nullable, self.coerced(&value, declared.as_ref().unwrap_or(&ty))) {
                    (Some(of), _) => self.nullable(&value, &of),
                    (None, Some(value)) => value,
                    (None, None) => value,
                };
                if property.declared.is_none() {
                    self.linked(Some(key.as_str().into()), &value);
                    self.learn_type(key, &value.ty);
                }
                let code = match &ty {
                    Type::Option(inner) if value.ty == **inner => {
                        self.owned_as(&value, inner).map(|code| code!("Some({code})"))
                    }
                    _ => self.owned_as(&value, &ty),
                };
                Some(match code {
                    Some(code) => Expr::new(code!("{} = {code}", place.code), Type::Unit),
                    None => self.left(node, "the property has another type"),
                })
            }
            Type::Foreign(owner) => {
                let php = format!("{}->{written}", super::text::short(self.text(object), 40));
                let kind = if value.is_some() { Kind::Set } else { Kind::Get };
                let used = Use { kind, owner: Some(owner.clone()), object: of.tight(), name: &written, php };
                Some(self.stub_of(node, &used, value.into_iter().collect()))
            }
            _ => None,
        }
    }

    /// `$this->name` that no class of the file declares: a property of a parent in another file.
    pub(super) fn inherited_property(&mut self, node: Node<'t>, name: &str, value: Option<Expr>) -> Expr {
        let class = self.this_class();
        let base = class.as_ref().and_then(|class| class.base);
        let receiver = self.frame().receiver;
        let (Some(base), false) = (base, receiver.is_empty()) else {
            return self.left(node, "this property is not one of the class");
        };
        let Type::Foreign(owner) = self.foreign(self.text(base), base.start_byte()) else {
            return self.left(node, "a parent of an unknown form");
        };
        self.uses_parent();
        let php = format!("{}->{name}", self.text(base));
        let kind = if value.is_some() { Kind::Set } else { Kind::Get };
        let used = Use { kind, owner: Some(owner), object: Code::field(receiver, "parent"), name, php };
        self.stub_of(node, &used, value.into_iter().collect())
    }

    /// Records that objects of the class need their parent, which is in another file.
    pub(super) fn uses_parent(&mut self) {
        if let (Some(class), true) = (self.this_class(), self.learns()) {
            self.found.parents.insert(Rc::clone(&class.rust));
        }
    }

    /// Whether a piece calls a method of the object.
    pub(super) fn calls_this(&self, node: Node<'t>) -> bool {
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            let called = match node.kind() {
                "member_call_expression" => field(node, "object"),
                "scoped_call_expression" => field(node, "scope"),
                _ => None,
            };
            if called.is_some_and(|object| matches!(self.text(object), "$this" | "self" | "static" | "parent")) {
                return true;
            }
            stack.extend(children(node));
        }
        false
    }

    /// Whether a piece assigns properties of its object, or calls a method that does.
    pub(super) fn changes_object(&mut self, node: Node<'t>) -> bool {
        let uses = self.uses_of(node, &[]);
        let assigns = uses.iter().any(|(name, story)| {
            super::lower::property(name).is_some() && story.uses.iter().any(|one| one.act != super::scope::Act::Read)
        });
        assigns || self.calls_changing(node)
    }

    /// Whether a piece calls a method that changes the object of this one.
    pub(super) fn calls_changing(&mut self, node: Node<'t>) -> bool {
        let Some(class) = self.this_class() else { return false };
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            let object = match node.kind() {
                "member_call_expression" => field(node, "object"),
                "scoped_call_expression" => field(node, "scope"),
                _ => None,
            };
            if let (Some(object), Some(name)) = (object, field(node, "name")) {
                let own = matches!(self.text(object), "$this" | "self" | "static" | "parent");
                let name = self.text(name).to_lowercase();
                let changes = |(of, method): &(Rc<str>, String)| {
                    *of == class.rust && method.rsplit("::").next() == Some(name.as_str())
                };
                if own && self.known.mutating.iter().any(changes) {
                    return true;
                }
            }
            stack.extend(children(node));
        }
        false
    }

    /// A value. Properties are cloned if a method that the expression calls changes them.
    pub(super) fn given_value(&mut self, node: Node<'t>) -> Expr {
        self.detached_by(node, |porter| porter.expression(node))
    }

    /// Converts a piece. Properties are cloned if a method that it calls changes them.
    pub(super) fn detached_by<T>(&mut self, node: Node<'t>, convert: impl FnOnce(&mut Self) -> T) -> T {
        let detached = self.frame().detached || self.calls_changing(node);
        let outer = std::mem::replace(&mut self.frame().detached, detached);
        let out = convert(self);
        self.frame().detached = outer;
        out
    }

    /// The object of a variable that may have none, where it is changed.
    pub(super) fn exclusive(&mut self, object: Node<'t>) -> Option<Expr> {
        let name = super::syntax::variable(bare(object), self.php)?;
        let var = self.frame().vars.get(name).cloned()?;
        let Type::Option(of) = &var.ty else { return None };
        let is_own = super::lower::property(name).is_some();
        if !matches!(**of, Type::Object(_)) || !var.mutable || var.form != Form::Place {
            return None;
        }
        if is_own {
            self.frame().mutates = true;
        }
        let shown = super::text::short(self.original(object), 60);
        let end = self.try_any();
        let code = code!("{}.as_mut().ok_or_else(|| {PHP}::error(\"{shown} has no value\")){end}", var.rust);
        Some(Expr::new(code, (**of).clone()).form(Form::Ref))
    }

    /// Whether the place of an object can be changed: a variable of the function, or a property of
    /// an object that the method may change.
    pub(super) fn may_change(&mut self, of: &Expr) -> bool {
        if of.form != Form::Place {
            // The result of a method that returns its object.
            return matches!(of.code.shape(), Shape::Tried) && !of.code.acts().is_empty();
        }
        let property = self.frame().vars.find(&of.code);
        let property = property.map(|(name, var)| (super::lower::property(name).is_some(), var.mutable));
        match property {
            Some((true, _)) => {
                self.frame().mutates = true;
                true
            }
            Some((false, mutable)) => mutable,
            None => false,
        }
    }
}
