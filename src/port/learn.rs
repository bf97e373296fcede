//! Learns facts about classes and stubs while a file is translated.

use super::Porter;
use super::value::{Expr, Type};

impl Porter<'_> {
    /// Whether what is translated is kept, so that it may be learned from.
    pub(super) fn learns(&self) -> bool {
        self.dry == 0
    }

    /// Joins the type of a value to the types that a property or method is known to have.
    pub(super) fn learn_type(&mut self, key: String, ty: &Type) {
        if !self.learns() {
            return;
        }
        let ty = match ty {
            Type::Body => Type::Text,
            Type::Status => Type::Int,
            Type::MaybeResponse => Type::Option(Box::new(Type::Response)),
            other => other.clone(),
        };
        let joined = match self.found.types.get(&key) {
            Some(known) => Self::scalar(Self::both(known, &ty)),
            None => ty,
        };
        self.found.types.insert(key, joined);
    }

    /// Records that a value is used in a way that only one type allows. Returns whether its type
    /// may follow from its uses.
    pub(super) fn imply(&mut self, e: &Expr, ty: &Type) -> bool {
        let Some(origin) = e.origin.clone() else { return false };
        // PHP converts a text or a number where a declared type requires it, and the variable keeps
        // its value. Therefore such a use determines only the type of a stub's result.
        let is_stub = self.known.stubs.contains_key(&*origin) || self.found.stubs.contains_key(&*origin);
        if !ty.is_object() && !is_stub {
            return false;
        }
        self.imply_origin(&origin, ty);
        true
    }

    pub(super) fn imply_origin(&mut self, origin: &str, ty: &Type) {
        // A client or a response is more certain than an object of a class that is not known.
        let known = self.found.implied.get(origin);
        let better = match known {
            None => true,
            Some(Type::Foreign(_)) => !matches!(ty, Type::Foreign(_)),
            Some(_) => false,
        };
        if better {
            self.found.implied.insert(origin.to_owned(), ty.clone());
        }
    }
}
