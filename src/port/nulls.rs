//! Objects that may be null: which places and stubs are tested, and reads that need an object.

use std::rc::Rc;

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, code};
use super::imports::{PHP, VALUE};
use super::own::property_key;
use super::text::short;
use super::value::{Bond, Expr, Form, Type};

/// The source of the results of all closures.
const CLOSURES: &str = "return of closures";

impl<'t> Porter<'t> {
    /// The key of a variable or a property among the places that may hold null.
    pub(super) fn place_source(&mut self, name: &str) -> Rc<str> {
        if let Some(property) = super::lower::property(name) {
            if let Some(class) = self.this_class() {
                return property_key(&class, property).into();
            }
        }
        let known = self.frame().vars.get(name).and_then(|var| var.source.clone());
        let function = self.frame().blocks.first().copied().unwrap_or_default();
        known.unwrap_or_else(|| format!("variable {function} {name}").into())
    }

    /// The source of the results of a function, a method or a closure.
    pub(super) fn return_source(node: Node<'_>) -> Rc<str> {
        match node.kind() {
            "anonymous_function" | "arrow_function" => CLOSURES.into(),
            _ => format!("return {}", node.start_byte()).into(),
        }
    }

    /// Records that a value is tested for null, so that its source may hold null.
    pub(super) fn tested(&mut self, e: &Expr) {
        if let Some(source) = &e.source {
            self.found.tested.insert(Rc::clone(source));
        }
    }

    /// Whether a value may be the false that a property begins with. `None` stands for it, so that
    /// only tests of truth have the same result.
    pub(super) fn is_falsy(&self, e: &Expr) -> bool {
        e.source.as_ref().is_some_and(|source| self.found.falsy.contains(source))
    }

    /// Records that a place gets the value of another place or of a stub.
    pub(super) fn linked(&mut self, to: Option<Rc<str>>, from: &Expr) {
        if let (Some(to), Some(from)) = (to, &from.source) {
            if to != *from {
                self.found.links.insert((to, Rc::clone(from)));
            }
        }
    }

    /// The type of the values of a source, which is an option for an object that may be null.
    pub(super) fn or_missing(&self, ty: Type, source: &str) -> Type {
        let certain = matches!(ty, Type::Option(_)) || !ty.is_object();
        if certain || !self.nullable.contains(source) { ty } else { Type::Option(Box::new(ty)) }
    }

    /// The object of an option. Null is an error, as PHP throws one for its use.
    pub(super) fn unwrapped(&mut self, e: Expr, node: Node<'t>) -> Expr {
        let (of, borrows) = match &e.ty {
            Type::Option(of) => ((**of).clone(), e.form != Form::Owned),
            // An option of a reference.
            Type::MaybeResponse => (Type::Response, false),
            _ => return e,
        };
        let why = Code::quoted(&format!("{} is null", short(self.original(node), 60)));
        let end = self.try_any();
        let object = if borrows { code!("{}.as_ref()", e.tight()) } else { e.tight() };
        let code = code!("{object}.ok_or_else(|| {PHP}::error({why})){end}");
        let form = if borrows || e.ty == Type::MaybeResponse { Form::Ref } else { Form::Owned };
        Expr::new(code, of).form(form).source(e.source)
    }

    /// `$object?->member`: null for an object that is null. `read` converts the member of the
    /// object.
    pub(super) fn nullsafe(&mut self, node: Node<'t>, of: &Expr, read: impl FnOnce(&mut Self, &Expr) -> Expr) -> Expr {
        let chained = node.parent().and_then(|parent| super::syntax::field(parent, "object")) == Some(node);
        if chained {
            return self.left(node, "a chain after ?-> ends at null: give the object a variable, and ask with if");
        }
        let (inner, code) = match &of.ty {
            Type::Option(inner) => ((**inner).clone(), of.reference()),
            Type::MaybeResponse => (Type::Response, of.code.clone()),
            _ => return read(self, of),
        };
        let name = self.fresh_word("object");
        let e = read(self, &Expr::place(name.clone(), inner).form(Form::Ref));
        let ty = match &e.ty {
            Type::Option(_) => e.ty.clone(),
            ty if ty.is_object() => Type::Option(Box::new(ty.clone())),
            _ => Type::Value,
        };
        let Some(value) = self.owned_as(&e, &ty) else {
            return self.left(node, "what ?-> reads has no value here");
        };
        let none = if ty == Type::Value { code!("{VALUE}::Null") } else { "None".into() };
        let code = code!("match {code} {{ Some({name}) => {value}, None => {none} }}");
        Expr::new(code, ty).bond(Bond::Loose).source(e.source)
    }
}
