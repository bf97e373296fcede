//! The parts of a carried expression: places, calls, paths, and the names of its inputs.

use tree_sitter::Node;

use super::carry::{Carrier, Edit, Outcome};
use super::inventory::{self, name_of};
use super::known::Effect;
use super::natives;
use super::syntax::{bare, called, children, field, root_of, variable};
use super::text::{single, snake};

impl<'t> Carrier<'_, 't> {
    pub(super) fn element(&mut self, node: Node<'t>) -> Outcome {
        let parts = children(node);
        let outer = self.key.clone();
        if let [key, value] = parts.as_slice() {
            self.expression(*key)?;
            self.key = (key.kind() == "string").then(|| {
                let word = single(self.flows.text(*key).trim_matches(['\'', '"']));
                snake(&word).trim_end_matches('_').to_owned()
            });
            self.expression(*value)?;
        } else {
            self.key = None;
            parts.into_iter().try_for_each(|part| self.expression(part))?;
        }
        self.key = outer;
        Some(())
    }

    pub(super) fn binary(&mut self, node: Node<'t>) -> Outcome {
        let operator = field(node, "operator").map(|operator| self.flows.text(operator).to_lowercase())?;
        self.expression(field(node, "left")?)?;
        let right = field(node, "right")?;
        match operator.as_str() {
            "instanceof" | "|>" => None,
            "&&" | "||" | "and" | "or" | "??" => self.conditional(right),
            _ => self.expression(right),
        }
    }

    pub(super) fn subscript(&mut self, node: Node<'t>) -> Outcome {
        let parts = children(node);
        let [of, key] = parts.as_slice() else { return None };
        // The SDK has no way to read a part of a client, so the caller gives it.
        let is_client = variable(*of, self.flows.php).is_some_and(|name| self.flows.is_client(name));
        if is_client && !self.flows.starts_chain(node) {
            return self.input(node);
        }
        self.expression(*of)?;
        // In a text, a key is written without quotes: "$a[key]".
        let is_text = node.parent().is_some_and(|parent| matches!(parent.kind(), "encapsed_string" | "heredoc_body"));
        if is_text && key.kind() == "name" {
            return Some(());
        }
        self.expression(*key)
    }

    /// The variable that an assignment changes is also read if only a part of it changes.
    pub(super) fn read_root(&mut self, place: Node<'t>) {
        if let Some(name) = variable(root_of(place), self.flows.php) {
            self.out.reads.insert(name.to_owned());
        }
    }

    pub(super) fn place(&mut self, node: Node<'t>) -> Outcome {
        match node.kind() {
            "variable_name" => {
                let name = variable(node, self.flows.php)?;
                if natives::of_request(name).is_some() {
                    return None;
                }
                self.out.defined.insert(name.to_owned());
                if super::lower::property(name).is_some() {
                    self.out.edits.push((node.byte_range(), Edit::Property(name.to_owned())));
                }
                Some(())
            }
            "subscript_expression" => {
                let parts = children(node);
                self.place(*parts.first()?)?;
                self.read_root(node);
                parts.into_iter().skip(1).try_for_each(|key| self.expression(key))
            }
            "list_literal" | "array_creation_expression" | "array_element_initializer" => {
                children(node).into_iter().try_for_each(|part| match part.kind() {
                    "string" | "integer" => Some(()),
                    _ => self.place(part),
                })
            }
            _ => None,
        }
    }

    pub(super) fn constant(&mut self, node: Node<'t>) -> Outcome {
        let name = self.flows.text(node).trim_start_matches('\\');
        let upper = name.to_uppercase();
        let is_native = ["PHP_", "JSON_", "M_", "ENT_", "DIRECTORY_", "OPENSSL_", "SORT_"];
        let is_native = is_native.iter().any(|prefix| upper.starts_with(prefix))
            || matches!(upper.as_str(), "TRUE" | "FALSE" | "NULL" | "__DIR__");
        if is_native { Some(()) } else { self.input(node) }
    }

    pub(super) fn class_constant(&mut self, node: Node<'t>) -> Outcome {
        let parts = children(node);
        let [class, name] = parts.as_slice() else { return None };
        if inventory::sdk_class(*class, self.flows.php, self.flows.files).is_some() {
            return Some(());
        }
        // `static::NAME` may be that of another class.
        if self.flows.text(*class) == "self" {
            if let Some(value) = self.flows.constant(node, self.flows.text(*name)) {
                self.out.edits.push((node.byte_range(), Edit::Text(value.to_owned())));
                return Some(());
            }
        }
        self.input(node)
    }

    pub(super) fn call(&mut self, node: Node<'t>) -> Outcome {
        match self.flows.function(node) {
            Effect::Nothing => self.expression(field(node, "arguments")?),
            Effect::Argument => {
                let given = super::syntax::arguments(node)?;
                let first = *given.first()?;
                self.place(first)?;
                self.read_root(first);
                given.into_iter().skip(1).try_for_each(|one| self.expression(one))
            }
            Effect::Reads | Effect::Differs | Effect::Unknown => self.input(node),
        }
    }

    pub(super) fn static_call(&mut self, node: Node<'t>) -> Outcome {
        if self.flows.sdk_use(node).is_some() {
            let list =
                field(node, "arguments").or_else(|| children(node).into_iter().find(|one| one.kind() == "arguments"));
            return list.map_or(Some(()), |list| self.expression(list));
        }
        self.input(node)
    }

    pub(super) fn method_call(&mut self, node: Node<'t>) -> Outcome {
        let object = field(node, "object")?;
        let name = self.flows.text(field(node, "name")?).to_lowercase();
        if self.flows.sdk_use(node).is_some() {
            self.chain(object)?;
            return self.expression(field(node, "arguments")?);
        }
        let uses = self.flows.of(object).uses;
        if uses && matches!(name.as_str(), "then" | "otherwise") {
            // The functions that PHP calls later are left to the caller, who cannot call them
            // between two rounds of a loop.
            if self.loops > 0 {
                return None;
            }
            self.out.edits.push((object.end_byte()..node.end_byte(), Edit::Text(String::new())));
            self.out.stripped.push(node);
            return self.expression(object);
        }
        if uses && name == "wait" && super::syntax::arguments(node).is_some_and(|given| given.is_empty()) {
            return self.expression(object);
        }
        if self.flows.starts_chain(node) {
            return self.chain(node);
        }
        let root = variable(bare(object), self.flows.php);
        let is_response = uses
            || root.is_some_and(|root| self.vars.responses.contains_key(root))
            || object.kind() == "member_call_expression" && self.flows.is_response_method(object);
        if self.flows.is_response_method(node) && is_response {
            self.expression(object)?;
            return self.expression(field(node, "arguments")?);
        }
        self.input(node)
    }

    /// `$client->v3->pay`, up to its client.
    pub(super) fn chain(&mut self, node: Node<'t>) -> Outcome {
        let node = bare(node);
        if !self.flows.starts_chain(node) {
            return self.client(node);
        }
        match node.kind() {
            "member_access_expression" => {
                let name = field(node, "name")?;
                self.chain(field(node, "object")?)?;
                if name.kind() == "name" { Some(()) } else { self.expression(name) }
            }
            "subscript_expression" => {
                let parts = children(node);
                let [of, key] = parts.as_slice() else { return None };
                self.chain(*of)?;
                self.expression(*key)
            }
            "member_call_expression" => {
                self.chain(field(node, "object")?)?;
                self.expression(field(node, "arguments")?)
            }
            _ => self.expression(node),
        }
    }

    fn client(&mut self, node: Node<'t>) -> Outcome {
        if let Some(name) = variable(node, self.flows.php).filter(|name| !self.is_changed(name)) {
            self.out.clients.insert(name.to_owned());
            return self.read(node);
        }
        if self.flows.of(node).uses { self.expression(node) } else { self.input_client(node) }
    }

    pub(super) fn property(&mut self, node: Node<'t>) -> Outcome {
        if self.flows.starts_chain(node) {
            return self.chain(node);
        }
        let object = field(node, "object")?;
        let root = variable(root_of(object), self.flows.php);
        if root.is_some_and(|root| self.vars.decoded.contains(root)) && field(node, "name")?.kind() == "name" {
            return self.expression(object);
        }
        self.input(node)
    }

    /// A name for the value of a piece of PHP.
    pub(super) fn name(&self, node: Node<'t>) -> String {
        let last = |node: Node<'t>| field(node, "name").map(|name| self.flows.text(name).trim_start_matches('$'));
        let given = |node: Node<'t>| {
            let list = super::syntax::arguments(node)?;
            let first = list.first().filter(|first| matches!(first.kind(), "string" | "encapsed_string"))?;
            let word = single(self.flows.text(*first).trim_matches(['\'', '"']));
            let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
            (plain && word.len() < 40).then(|| word.replace(['.', '-'], "_"))
        };
        let word = match node.kind() {
            "function_call_expression" => given(node).unwrap_or_else(|| called(node, self.flows.php)),
            "member_call_expression" | "nullsafe_member_call_expression" | "scoped_call_expression" => {
                let own = last(node).unwrap_or("value");
                let own =
                    own.strip_prefix("get").filter(|rest| rest.starts_with(|c: char| c.is_uppercase())).unwrap_or(own);
                given(node).unwrap_or_else(|| own.to_owned())
            }
            "member_access_expression" | "nullsafe_member_access_expression" => {
                let of = field(node, "object").and_then(|of| variable(of, self.flows.php));
                match (of, last(node)) {
                    (Some(of), Some(own)) => format!("{}_{own}", super::lower::property(of).unwrap_or(of)),
                    (None, Some(own)) => own.to_owned(),
                    _ => "value".to_owned(),
                }
            }
            "subscript_expression" => {
                let parts = children(node);
                let key = parts.get(1).map(|key| name_of(*key, self.flows.php)).unwrap_or_default();
                format!("{}_{key}", parts.first().map(|of| self.name(*of)).unwrap_or_default())
            }
            "variable_name" => {
                let name = variable(node, self.flows.php).unwrap_or("value");
                super::lower::property(name).unwrap_or(name).to_owned()
            }
            "scoped_property_access_expression" | "class_constant_access_expression" => children(node)
                .last()
                .map(|name| self.flows.text(*name).trim_start_matches('$').to_owned())
                .unwrap_or_default(),
            "object_creation_expression" => {
                children(node).first().map(|class| self.flows.text(*class).to_owned()).unwrap_or_default()
            }
            _ => name_of(node, self.flows.php),
        };
        let word: String = word.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let name = snake(word.trim_matches('_'));
        // The variables of PHP's requests have names of their own.
        if name.is_empty() { "value".to_owned() } else { name.trim_end_matches('_').to_owned() }
    }
}
