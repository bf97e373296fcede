//! The parameters of functions, and their types.

use std::collections::HashMap;
use std::rc::Rc;

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, code};
use super::frame::Frame;
use super::imports::JSON;
use super::scope::{Uses, uses};
use super::syntax::{all, children, field};
use super::value::{Form, Signature, Type};

impl<'t> Porter<'t> {
    /// A frame for the body of a function.
    pub(super) fn frame_of(&self, node: Node<'t>, body: Node<'t>) -> Frame {
        let handler = self.handler_of(node);
        Frame { uses: self.uses_of(body, &self.parameter_names(node)), handler, ..Frame::default() }
    }

    /// All uses in the body of a function with these parameters and captured variables. They are
    /// the same in each translation of the file.
    pub(super) fn uses_of(&self, body: Node<'t>, parameters: &[String]) -> Rc<Uses> {
        let key = (body.id(), parameters.to_vec());
        let known = self.uses.borrow().get(&key).cloned();
        known.unwrap_or_else(|| {
            let found = Rc::new(uses(body, self.php, parameters));
            self.uses.borrow_mut().insert(key, Rc::clone(&found));
            found
        })
    }

    /// The parameters. In a handler, the framework's request is left out.
    pub(super) fn parameters_of(&self, node: Node<'t>) -> Vec<Node<'t>> {
        let request = self.handler_of(node).and_then(|handler| handler.parameter.clone());
        let parameters = field(node, "parameters").map(children).unwrap_or_default();
        let name = |one: &Node<'t>| field(*one, "name").and_then(|name| super::syntax::variable(name, self.php));
        parameters.into_iter().filter(|one| request.is_none() || name(one) != request.as_deref()).collect()
    }

    pub(super) fn parameter_names(&self, node: Node<'t>) -> Vec<String> {
        let parameters = field(node, "parameters").map(children).unwrap_or_default();
        let names = parameters.into_iter().filter_map(|one| field(one, "name"));
        names.filter_map(|one| super::syntax::variable(one, self.php)).map(str::to_owned).collect()
    }

    /// The type that PHP declares; `None` without a declaration. `at` is its position.
    pub(super) fn annotated(&self, written: &str, at: usize) -> Option<Type> {
        let nullable = written.starts_with('?')
            || written.to_lowercase().contains("|null")
            || written.to_lowercase().starts_with("null|");
        let name = written.trim_start_matches(['?', '\\']).to_lowercase().replace("|null", "").replace("null|", "");
        let last = name.rsplit('\\').next().unwrap_or_default();
        let ty = match last {
            "string" => Type::Text,
            "int" | "integer" => Type::Int,
            "float" => Type::Float,
            "bool" | "boolean" => Type::Bool,
            "array" | "mixed" | "object" | "stdclass" | "iterable" => Type::Value,
            "void" | "never" => return Some(Type::Unit),
            "builderchainable" => Type::Client,
            "responseinterface" | "response" if self.is_of_psr(written, at) => Type::Response,
            "promiseinterface" => Type::Promise(Box::new(Type::Response)),
            "mediautil" => Type::Media,
            "self" | "static" => match self.state.frames.last().and_then(|frame| frame.class) {
                Some(number) => Type::Object(Rc::clone(&self.classes.get(number)?.rust)),
                None => return None,
            },
            "throwable" | "error" => Type::BoxError,
            "callable" | "closure" | "resource" | "false" | "true" | "null" | "parent" => return None,
            "openssllasymmetrickey" | "opensslasymmetrickey" | "opensslcertificate" => return None,
            exception if exception.ends_with("exception") => Type::BoxError,
            plain if plain.chars().all(|c| c == '_' || c.is_alphanumeric()) && !plain.is_empty() => {
                let written = written.trim_start_matches('?');
                let plain: Vec<&str> = written.split('|').filter(|one| !one.eq_ignore_ascii_case("null")).collect();
                let [plain] = plain.as_slice() else { return None };
                let full = self.full_name_of(plain.trim(), at);
                match self.class_of_name(&full) {
                    Some(class) => Type::Object(Rc::clone(&class.rust)),
                    None => self.foreign(plain.trim(), at),
                }
            }
            _ => return None,
        };
        Some(match (nullable, ty) {
            (true, Type::Text | Type::Int | Type::Float | Type::Bool) => Type::Value,
            (true, Type::Value) => Type::Value,
            (true, ty) => Type::Option(Box::new(ty)),
            (false, ty) => ty,
        })
    }

    /// Whether a class named like PSR's is that class, or Guzzle's, and not the one of a framework.
    fn is_of_psr(&self, written: &str, at: usize) -> bool {
        let written = written.trim_start_matches('?').to_lowercase();
        let name = written.trim_start_matches('\\').split('|').find(|one| *one != "null").unwrap_or_default();
        let full = self.files.alias(name, at).map_or_else(|| name.to_owned(), |full| full.to_lowercase());
        let full = full.trim_start_matches('\\');
        !full.contains('\\') || full.starts_with("psr\\") || full.starts_with("guzzlehttp\\")
    }

    /// The type in `?type`, if PHP converts values to it.
    pub(super) fn nullable_of(&self, written: Node<'t>) -> Option<Type> {
        let inner = self.annotated(self.text(written).strip_prefix('?')?, written.start_byte())?;
        matches!(inner, Type::Text | Type::Int | Type::Float | Type::Bool).then_some(inner)
    }

    /// Copies of the parameters and captured variables that the function modifies: PHP passes
    /// them by value.
    pub(super) fn copied(&mut self, frame: &mut Frame) -> Vec<Code> {
        let own = |name: &&String| super::lower::property(name).is_none() && name.as_str() != "this";
        let mut names: Vec<String> =
            frame.vars.names().filter(own).filter(|name| frame.is_modified(name)).cloned().collect();
        names.sort();
        let mut head = Vec::new();
        for name in names {
            let wide = frame.vars.site(&name).is_some_and(|site| self.loose.contains(&site));
            let Some(mut var) = frame.vars.get(&name).cloned() else { continue };
            let rust = var.rust.clone();
            head.push(match (&var.ty, var.form) {
                (Type::Text | Type::Int | Type::Float | Type::Bool, _) if wide => {
                    var.ty = Type::Value;
                    code!("let mut {rust} = {JSON}!({rust});")
                }
                (Type::Text, Form::Ref) => code!("let mut {rust} = {rust}.to_owned();"),
                (ty, _) if ty.is_copy() => code!("let mut {rust} = {rust};"),
                (Type::Value | Type::Text, _) => code!("let mut {rust} = {rust}.clone();"),
                _ => continue,
            });
            (var.form, var.mutable, var.literal) = (Form::Place, true, None);
            frame.vars.insert(name, var);
        }
        head
    }

    /// The parameters of a function: their types and their Rust code. Their names are not those of
    /// the variables that `around` contains, which a closure captures.
    pub(super) fn signature(
        &mut self,
        node: Node<'t>,
        returns: Type,
        around: &Frame,
    ) -> Option<(Signature, Vec<Code>)> {
        let body = field(node, "body").unwrap_or(node);
        let inside = self.uses_of(body, &[]);
        let (mut parameters, mut defaults, mut written) = (Vec::new(), Vec::new(), Vec::new());
        let (mut nullable, mut arrays) = (Vec::new(), Vec::new());
        let (vars, handler) = (around.vars.clone(), around.handler.clone());
        let mut frame = Frame { uses: Rc::new(HashMap::new()), vars, handler, ..Frame::default() };
        if self.handler_of(node).is_some() {
            written.extend(super::handler::parameters());
        }
        for parameter in self.parameters_of(node) {
            if !matches!(parameter.kind(), "simple_parameter" | "property_promotion_parameter")
                || all(parameter).iter().any(|child| child.kind() == "reference_modifier")
            {
                return None;
            }
            let name = field(parameter, "name").and_then(|v| super::syntax::variable(v, self.php))?;
            let declared = field(parameter, "type").and_then(|ty| self.annotated(self.text(ty), ty.start_byte()));
            // The name that PHP's manual uses, even if the function only passes it on.
            let named = matches!(name, "instance" | "client" | "wxpay" | "wechatpay");
            let chained = named || inside.get(name).is_some_and(|story| story.chained);
            let default = field(parameter, "default_value");
            let is_null = default.is_some_and(|default| self.text(default).eq_ignore_ascii_case("null"));
            let scalar = |ty: &Type| matches!(ty, Type::Text | Type::Int | Type::Float | Type::Bool);
            // Without a declared type, PHP accepts any value, whatever the default is.
            let (ty, of) = match declared {
                Some(ty) if is_null && scalar(&ty) => (Type::Value, Some(ty)),
                Some(ty) if is_null && ty.is_object() && !matches!(ty, Type::Option(_)) => {
                    (Type::Option(Box::new(ty)), None)
                }
                Some(ty) => (ty, field(parameter, "type").and_then(|ty| self.nullable_of(ty))),
                None if chained => (Type::Client, None),
                None => {
                    let implied = self.known.implied.get(&parameter_origin(parameter, name)).cloned();
                    let ty = self.key_parameter(body, name).or(implied).unwrap_or(Type::Value);
                    (self.or_missing(ty, &parameter_origin(parameter, name)), None)
                }
            };
            nullable.push(of);
            let is_array = !is_null && field(parameter, "type").is_some_and(|ty| self.is_array_type(ty));
            arrays.push(is_array.then(|| parameter_origin(parameter, name).into()));
            let default = match default {
                Some(default) => {
                    let code = self.dry_run(|porter| {
                        let e = porter.expression(default);
                        porter.argument(&e, &ty).filter(|code| !code.is_incomplete() && !code.fails())
                    });
                    Some(code?)
                }
                None => None,
            };
            let rust = self.fresh(&frame, name);
            // Two names in PHP may be one in Rust.
            frame.vars.insert(name.to_owned(), super::vars::Var::place(rust.clone(), Type::Value));
            written.push(code!("{rust}: {}", ty.parameter()));
            parameters.push(ty);
            defaults.push(default);
        }
        let source = field(node, "return_type").is_none().then(|| Self::return_source(node));
        Some((Signature { parameters, defaults, nullable, arrays, returns, source }, written))
    }
}

/// The origin of the value of a parameter without a declared type.
pub(super) fn parameter_origin(parameter: Node<'_>, name: &str) -> String {
    format!("parameter {} {name}", parameter.start_byte())
}
