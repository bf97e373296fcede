//! Converts the place of an element that is changed, with its keys.

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, End, code};
use super::imports::PHP;
use super::syntax::children;
use super::value::Type;

/// The keys that are evaluated before the value of an assignment.
pub(super) struct Keys {
    pub(super) first: Vec<Code>,
    /// Whether the value acts, so that it may change what the keys read.
    pub(super) are_early: bool,
}

impl<'t> Porter<'t> {
    /// The mutable reference to an element. PHP evaluates the keys before the value, and Rust the
    /// value before the place. Therefore a key that acts, reads the array, or may be changed by the
    /// value, is put into `keys`.
    pub(super) fn slot(&mut self, left: Node<'t>, root: Node<'t>, keys: &mut Keys) -> Option<Code> {
        if left == root {
            return Some(code!("&mut {}", self.expression(root).code));
        }
        match children(left).as_slice() {
            [of] => Some(code!("{PHP}::next({}){}", self.slot(*of, root, keys)?, End::Try)),
            [of, key] => {
                let of = self.slot(*of, root, keys)?;
                let e = self.expression(*key);
                let mut code = self.key(&e)?;
                let changes = keys.are_early && !self.is_fixed(*key);
                if changes || !code.acts().is_empty() || code.uses(&self.root_name(root)) {
                    let number = keys.first.len() + 1;
                    let name = self.fresh_word(&if number == 1 { "key".to_owned() } else { format!("key_{number}") });
                    let (key, read) = match e.ty {
                        Type::Text | Type::Value => (e.owned(), code!("&{name}")),
                        _ => (code, name.clone()),
                    };
                    keys.first.push(code!("let {name} = {key};"));
                    code = read;
                }
                Some(code!("{PHP}::slot({of}, {code}){}", End::Try))
            }
            _ => None,
        }
    }

    /// Whether no call changes the value of a key: a literal or a variable of the function.
    fn is_fixed(&self, key: Node<'t>) -> bool {
        match super::syntax::variable(key, self.php) {
            Some(name) => super::lower::property(name).is_none(),
            None if key.kind() == "encapsed_string" => !self.text(key).contains('$'),
            None => matches!(key.kind(), "string" | "integer" | "boolean" | "null"),
        }
    }

    /// Likewise, of all keys of an element.
    pub(super) fn has_fixed_keys(&self, left: Node<'t>) -> bool {
        let mut at = left;
        while let ("subscript_expression", [of, rest @ ..]) = (at.kind(), children(at).as_slice()) {
            if !rest.iter().all(|key| self.is_fixed(*key)) {
                return false;
            }
            at = *of;
        }
        true
    }
}
