//! Keys in arrays. JSON cannot contain a key. The array contains the text that the key is loaded
//! from, which the client and `Rsa` accept as well. It contains keys only if all its uses are
//! known, so that no text of a key is printed or sent.

use std::rc::Rc;

use tree_sitter::Node;

use super::Porter;
use super::certain::function_around;
use super::code::{Code, code};
use super::imports::{BASE64, CLIENT_BUILDER, JSON};
use super::scope::{Act, Uses};
use super::syntax::{arguments, bare, called, children, field, root_of, variable};
use super::value::{Expr, Form, Type};

impl<'t> Porter<'t> {
    /// A key as an element of an array: its text. Other values stay as they are.
    pub(super) fn as_element(&mut self, node: Node<'t>, e: Expr) -> Expr {
        if !matches!(e.ty, Type::PrivateKey | Type::PublicKey) || !self.holds_keys(node) {
            return e;
        }
        self.key_text(node, &e).unwrap_or(e)
    }

    /// The text of a key; `None` if it is not known.
    fn key_text(&mut self, node: Node<'t>, e: &Expr) -> Option<Expr> {
        let node = bare(node);
        if node.kind() == "scoped_call_expression" && self.class(field(node, "scope")?) == "wechatpay\\crypto\\rsa" {
            let method = self.text(field(node, "name")?).to_owned();
            let given = arguments(node)?;
            let first = *given.first()?;
            // A key with a passphrase is loaded from two texts.
            if bare(first).kind() == "array_creation_expression" {
                return None;
            }
            let text = self.rsa_text(&method, first, &e.ty)?;
            return matches!(text.ty, Type::Text | Type::Value).then_some(text);
        }
        if let Some(call) = self.loaded_by(node) {
            return self.key_text(call, e);
        }
        if e.ty == Type::PublicKey && variable(node, self.php).is_some() {
            let code = code!("format!(\"public.spki://{{}}\", {BASE64}(&{}.spki()))", e.tight());
            return Some(Expr::new(code, Type::Text));
        }
        None
    }

    /// The call that loads the key of a variable, if its text is the same here.
    fn loaded_by(&self, node: Node<'t>) -> Option<Node<'t>> {
        let name = variable(node, self.php).filter(|name| super::lower::property(name).is_none())?;
        let (function, uses) = self.uses_around(node);
        let [set] = uses.get(name)?.uses.iter().filter(|one| one.act != Act::Read).collect::<Vec<_>>()[..] else {
            return None;
        };
        let (mut stack, mut call) = (vec![function], None);
        while let Some(one) = stack.pop() {
            if one.kind() == "assignment_expression" && one.start_byte() == set.at && set.at < node.start_byte() {
                call = field(one, "right").map(bare);
            }
            stack.extend(children(one));
        }
        let call = call.filter(|call| call.kind() == "scoped_call_expression")?;
        let first = *arguments(call)?.first()?;
        self.is_unchanged(first, &uses).then_some(call)
    }

    /// Whether an expression has one value in the whole function: it consists of literals and of
    /// variables that the function does not assign.
    fn is_unchanged(&self, node: Node<'t>, uses: &Uses) -> bool {
        match node.kind() {
            "variable_name" => {
                let name = variable(node, self.php).filter(|name| super::lower::property(name).is_none());
                let story = name.and_then(|name| uses.get(name));
                story.is_some_and(|story| story.uses.iter().all(|one| one.act == Act::Read))
            }
            "binary_expression"
            | "subscript_expression"
            | "parenthesized_expression"
            | "encapsed_string"
            | "string" => children(node).into_iter().all(|child| self.is_unchanged(child, uses)),
            "string_content" | "escape_sequence" | "integer" => true,
            "name" => self.text(node) == "__DIR__",
            _ => false,
        }
    }

    /// The body of the function around a node, and the uses of variables in it.
    fn uses_around(&self, node: Node<'t>) -> (Node<'t>, Rc<Uses>) {
        let function = function_around(node);
        let body = field(function, "body").unwrap_or(function);
        (body, self.uses_of(body, &[]))
    }

    /// The variable in `'certs' => &$certs`, if it is not changed later. The client of PHP reads it
    /// at each call.
    pub(super) fn referenced(&self, value: Node<'t>) -> Option<Node<'t>> {
        if value.kind() != "by_ref" {
            return Some(value);
        }
        let inner = children(value).first().copied()?;
        let name = variable(inner, self.php).filter(|name| super::lower::property(name).is_none())?;
        let (_, uses) = self.uses_around(value);
        let is_later = |one: &super::scope::Use| one.at > value.start_byte() + 1 && one.act != Act::Read;
        let mut at = value;
        while let Some(parent) = at.parent() {
            if matches!(parent.kind(), "foreach_statement" | "for_statement" | "while_statement" | "do_statement") {
                return None;
            }
            at = parent;
        }
        (!uses.get(name)?.uses.iter().any(is_later)).then_some(inner)
    }

    /// Whether the array that contains this value is only used for keys.
    fn holds_keys(&self, node: Node<'t>) -> bool {
        let mut at = node;
        while let Some(parent) = at.parent() {
            match parent.kind() {
                "array_element_initializer" | "array_creation_expression" | "parenthesized_expression" => at = parent,
                "assignment_expression" if field(parent, "right") == Some(at) => {
                    let Some(left) = field(parent, "left") else { return false };
                    let Some(name) = variable(root_of(left), self.php) else { return false };
                    return self.is_used_for_keys(parent, name);
                }
                _ => return self.is_setting(at),
            }
        }
        false
    }

    /// Whether each use of an array passes it to the SDK, asks for its elements, or sets them.
    fn is_used_for_keys(&self, node: Node<'t>, name: &str) -> bool {
        let mut scope = node;
        let everywhere = super::lower::property(name).is_some();
        while let Some(parent) = scope.parent() {
            scope = parent;
            let ends = matches!(scope.kind(), "function_definition" | "method_declaration" | "anonymous_function");
            if ends && !everywhere {
                break;
            }
        }
        let mut stack = vec![scope];
        while let Some(node) = stack.pop() {
            if variable(node, self.php) == Some(name) && !self.is_use_of_keys(node) {
                return false;
            }
            stack.extend(children(node));
        }
        true
    }

    fn is_use_of_keys(&self, node: Node<'t>) -> bool {
        let mut place = node;
        while let Some(parent) = place.parent() {
            if parent.kind() != "subscript_expression" || children(parent).first() != Some(&place) {
                break;
            }
            place = parent;
        }
        let Some(parent) = place.parent() else { return false };
        if parent.kind() == "assignment_expression" && field(parent, "left") == Some(place) {
            return parent.parent().is_some_and(|statement| statement.kind() == "expression_statement");
        }
        let call = parent.parent().and_then(|given| given.parent()).filter(|_| parent.kind() == "argument");
        if let Some(call) = call {
            match call.kind() {
                "function_call_expression" => {
                    let name = called(call, self.php);
                    if matches!(name.as_str(), "count" | "empty" | "isset" | "array_key_exists") {
                        return true;
                    }
                }
                "scoped_call_expression" if place != node && self.is_class(call, "wechatpay\\crypto\\rsa") => {
                    return true;
                }
                _ => {}
            }
        }
        self.is_setting(place)
    }

    /// Whether a value is a part of the settings of a client.
    fn is_setting(&self, value: Node<'t>) -> bool {
        let mut at = value;
        while let Some(parent) = at.parent() {
            match parent.kind() {
                "array_element_initializer"
                | "array_creation_expression"
                | "parenthesized_expression"
                | "by_ref"
                | "argument"
                | "arguments" => at = parent,
                "binary_expression" if field(parent, "operator").is_some_and(|one| self.text(one) == "+") => {
                    at = parent
                }
                "function_call_expression" if called(parent, self.php) == "array_merge" => at = parent,
                "scoped_call_expression" => return self.is_class(parent, "wechatpay\\builder"),
                _ => return false,
            }
        }
        false
    }

    fn is_class(&self, call: Node<'t>, class: &str) -> bool {
        field(call, "scope").is_some_and(|scope| self.class(scope) == class)
    }

    /// The type of a parameter without a declared type that holds a key: each use passes it to
    /// `Rsa` as a key. The name of the parameter says nothing: it may hold a path or a text.
    pub(super) fn key_parameter(&self, body: Node<'t>, name: &str) -> Option<Type> {
        let (mut stack, mut found) = (vec![body], None);
        while let Some(node) = stack.pop() {
            if variable(node, self.php) == Some(name) {
                let ty = self.key_use(node)?;
                if *found.get_or_insert_with(|| ty.clone()) != ty {
                    return None;
                }
            }
            stack.extend(children(node));
        }
        found
    }

    /// The type of key that this use of a variable needs: `Rsa::sign($message, $key)`.
    fn key_use(&self, node: Node<'t>) -> Option<Type> {
        let argument = node.parent().filter(|parent| parent.kind() == "argument")?;
        let call = argument.parent()?.parent().filter(|call| call.kind() == "scoped_call_expression")?;
        let given = arguments(call)?;
        let place = given.iter().position(|one| one.id() == node.id())?;
        match (self.is_class(call, "wechatpay\\crypto\\rsa"), self.text(field(call, "name")?), place) {
            (true, "sign" | "decrypt", 1) => Some(Type::PrivateKey),
            (true, "encrypt", 1) | (true, "verify", 2) => Some(Type::PublicKey),
            _ => None,
        }
    }

    /// The text that `Rsa::from` and its variants load a key from.
    pub(super) fn rsa_text(&mut self, method: &str, first: Node<'t>, ty: &Type) -> Option<Expr> {
        let thing = self.expression(first);
        if thing.ty == *ty {
            return Some(thing);
        }
        if thing.ty.is_object() {
            return None;
        }
        let prefix = match method {
            "fromPkcs1" if *ty == Type::PublicKey => "public.pkcs1://",
            "fromPkcs1" => "private.pkcs1://",
            _ => return Some(thing),
        };
        Some(match &thing.literal {
            Some(literal) => Expr::literal(&format!("{prefix}{literal}")),
            None => {
                let shown = self.display(&thing);
                Expr::new(code!("format!(\"{prefix}{{}}\", {shown})"), Type::Text)
            }
        })
    }

    /// A builder with platform keys that are only known at run time.
    pub(super) fn builder_of_keys(&mut self, certs: Node<'t>) -> Option<Code> {
        let certs = self.expression(certs);
        if certs.ty != Type::Value || certs.form == Form::Owned && certs.inside.is_some() {
            return None;
        }
        let end = self.try_crate();
        Some(code!("{CLIENT_BUILDER}::from_settings({JSON}!({{ \"certs\": {} }})){end}", self.json(&certs)))
    }
}
