//! Converts `Builder::factory`, the settings of a client, to calls of `ClientBuilder`.

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, code, indent};
use super::imports::CLIENT;
use super::syntax::{bare, children};
use super::value::{Expr, Form, Type};
use crate::options;

impl<'t> Porter<'t> {
    pub(super) fn factory(&mut self, node: Node<'t>, given: &[Node<'t>]) -> Expr {
        let [settings] = given else {
            return self.left_as(node, "Builder::factory takes one array", Type::Client);
        };
        let settings = bare(*settings);
        if settings.kind() != "array_creation_expression" {
            let e = self.expression(settings);
            if e.ty != Type::Value {
                return self.left_as(node, "the settings of a client are an array", Type::Client);
            }
            let settings = self.take(&e, settings, settings.end_byte());
            let end = self.try_crate();
            return Expr::new(code!("{CLIENT}::factory({settings}){end}"), Type::Client);
        }
        let v2_alone = self.is_v2_alone(settings);
        let certs = if v2_alone { None } else { self.variable_certs(settings) };
        let builder = certs.and_then(|certs| self.builder_of_keys(certs));
        let has_certs = builder.is_some();
        let mut code = builder.unwrap_or_else(|| code!("{CLIENT}::builder()"));
        let mut line = |call: Code| code.push(&code!("\n{}", indent(&call)));
        for child in super::syntax::all(settings) {
            if child.kind() == "comment" {
                self.mark_emitted(child);
                line(code!("{}", super::array::rust_comment(self.text(child))));
                continue;
            }
            if child.kind() != "array_element_initializer" {
                continue;
            }
            let parts = children(child);
            let [key, value] = parts.as_slice() else {
                self.left(child, "a setting without a name");
                continue;
            };
            let Some(key) = self.expression(*key).literal else {
                self.left(child, "the name of a setting that is only known at run time");
                continue;
            };
            if v2_alone && matches!(key.as_str(), "serial" | "privateKey" | "certs") {
                if key == "certs" {
                    line("// APIv2 alone needs neither serial number nor keys of APIv3, which PHP had filled with anything.".into());
                }
                continue;
            }
            if key == "certs" && has_certs {
                continue;
            }
            let Some(value) = self.referenced(*value) else {
                let why = "the client of PHP sees later changes of a variable that is given with &: give its value";
                let todo = self.note_left(child, why);
                line(code!(".mchid({{ {todo} }} as &str)"));
                continue;
            };
            for call in self.setting(child, &key, value) {
                line(call);
            }
        }
        line(code!(".build(){}", self.try_crate()));
        Expr::new(code, Type::Client)
    }

    /// The setting `certs`, if it is not written as an array.
    fn variable_certs(&mut self, settings: Node<'t>) -> Option<Node<'t>> {
        let values = children(settings).into_iter().filter_map(|child| match children(child).as_slice() {
            [key, value] if self.text(*key).trim_matches(['\'', '"']) == "certs" => self.referenced(*value).map(bare),
            _ => None,
        });
        values.last().filter(|value| value.kind() != "array_creation_expression")
    }

    /// Whether the settings are those that PHP's manual gives for APIv2 only: `'privateKey' =>
    /// 'any', 'certs' => ['any' => null]`.
    fn is_v2_alone(&mut self, settings: Node<'t>) -> bool {
        let (mut secret, mut no_key, mut no_certs) = (false, false, false);
        for child in children(settings) {
            let parts = children(child);
            let [key, value] = parts.as_slice() else { continue };
            let value = bare(*value);
            match self.dry_run(|porter| porter.expression(*key)).literal.as_deref() {
                Some("secret") => secret = true,
                Some("privateKey") => {
                    let literal = self.dry_run(|porter| porter.expression(value)).literal;
                    no_key = literal.is_some_and(|text| !text.contains("-----BEGIN") && !text.starts_with("file://"));
                }
                Some("certs") => {
                    let keys =
                        children(value).into_iter().filter_map(|one| children(one).get(1).map(|key| bare(*key).kind()));
                    let keys: Vec<_> = keys.collect();
                    no_certs = !keys.is_empty() && keys.iter().all(|kind| *kind == "null");
                }
                _ => {}
            }
        }
        secret && no_key && no_certs
    }

    /// One setting as calls of the builder.
    fn setting(&mut self, element: Node<'t>, key: &str, value: Node<'t>) -> Vec<Code> {
        let one = |call: Code| vec![call];
        match key {
            "mchid" | "serial" | "base_uri" | "secret" | "apiv3_key" => {
                let e = self.expression(value);
                let value = match (&e.ty, e.form) {
                    (Type::Text, Form::Owned) => e.code,
                    (Type::Text, _) => self.plain_str(&e),
                    _ => self.string(&e),
                };
                one(code!(".{key}({value})"))
            }
            "root_certificate" => {
                let e = self.expression(value);
                let value = self.str(&e);
                one(code!(".root_certificate({value})"))
            }
            // The file of a CA; `true` is the default.
            "verify" if matches!(self.dry_run(|porter| porter.expression(value)).ty, Type::Text | Type::Value) => {
                let e = self.expression(value);
                let path = match &e.literal {
                    Some(path) => Code::quoted(&format!("file://{path}")),
                    None => code!("&format!(\"file://{{}}\", {})", self.str(&e)),
                };
                one(code!(".root_certificate({path})"))
            }
            "privateKey" => {
                let value = self.key_setting(value, &Type::PrivateKey);
                one(code!(".private_key({value})"))
            }
            "certs" => self.certs(element, bare(value)),
            "merchant" => self.certificate(element, bare(value)),
            "timeout" | "connect_timeout" => {
                let e = self.expression(value);
                let seconds = match &e.ty {
                    Type::Int => code!(
                        "from_secs({})",
                        if e.code.as_number().is_some() { e.code } else { code!("{}.unsigned_abs()", e.tight()) }
                    ),
                    _ => code!("from_secs_f64({})", self.float(&e)),
                };
                one(code!(".{key}(std::time::Duration::{seconds})"))
            }
            "proxy" => {
                let e = self.expression(value);
                match &e.ty {
                    Type::Text => one(code!(".proxy({})", self.plain_str(&e))),
                    _ => {
                        self.left(element, "give one proxy, a URL; the rest is in HTTPS_PROXY and NO_PROXY");
                        Vec::new()
                    }
                }
            }
            _ => {
                let why = match options::replacement(key) {
                    Some(instead) => format!("the setting {key:?} has no meaning here: {instead}"),
                    None if options::is_reserved(key) => {
                        format!("the setting {key:?} is an option of a call here: give it with the call")
                    }
                    None => format!("the setting {key:?} is not known"),
                };
                let todo = self.note_left(element, &why);
                // PHP's builder ignores an unknown setting; the program stops at its `todo!`.
                vec![code!(".mchid({{ {todo} }} as &str)")]
            }
        }
    }

    fn key_setting(&mut self, value: Node<'t>, ty: &Type) -> Code {
        let e = self.expression(value);
        match (&e.ty, e.form) {
            (found, _) if found == ty => self.take(&e, value, value.end_byte()),
            (Type::Text, Form::Owned) => e.code,
            (Type::Text, _) => self.plain_str(&e),
            _ if e.ty.is_object() => self.left_as(value, "a key of another kind is needed here", Type::Text).code,
            _ => self.string(&e),
        }
    }

    fn certs(&mut self, element: Node<'t>, list: Node<'t>) -> Vec<Code> {
        if list.kind() != "array_creation_expression" {
            let todo =
                self.note_left(element, "the platform keys are only known at run time: give each with platform_key");
            return vec![code!(".mchid({{ {todo} }} as &str)")];
        }
        let mut calls = Vec::new();
        for child in super::syntax::all(list) {
            if child.kind() == "comment" {
                self.mark_emitted(child);
                calls.push(code!("{}", super::array::rust_comment(self.text(child))));
            }
            if child.kind() != "array_element_initializer" {
                continue;
            }
            let parts = children(child);
            let [id, key] = parts.as_slice() else {
                let todo = self.note_left(child, "a platform key without its serial number or id");
                calls.push(code!(".mchid({{ {todo} }} as &str)"));
                continue;
            };
            if bare(*key).kind() == "null" {
                let todo = self.note_left(
                    child,
                    "PHP downloads the certificates with this; here give the APIv3 key, .apiv3_key(...)",
                );
                calls.push(code!(".mchid({{ {todo} }} as &str)"));
                continue;
            }
            let id = self.expression(*id);
            let id = if id.form == Form::Owned { self.string(&id) } else { self.plain_str(&id) };
            let key = self.key_setting(*key, &Type::PublicKey);
            calls.push(code!(".platform_key({id}, {key})"));
        }
        calls
    }

    fn certificate(&mut self, element: Node<'t>, list: Node<'t>) -> Vec<Code> {
        let (mut cert, mut key) = (None, None);
        for child in children(list) {
            let parts = children(child);
            if let [name, value] = parts.as_slice() {
                let value = bare(*value);
                match self.expression(*name).literal.as_deref() {
                    Some("cert") if value.kind() != "null" => cert = Some(value),
                    Some("key") if value.kind() != "null" => key = Some(value),
                    Some("cert" | "key") => {}
                    _ => {
                        let todo = self
                            .note_left(child, "the merchant's certificate has cert and key, both files or PEM text");
                        return vec![code!(".mchid({{ {todo} }} as &str)")];
                    }
                }
            }
        }
        match (cert, key) {
            (None, None) => Vec::new(),
            (Some(cert), Some(key)) => {
                let (cert, key) = (self.located(cert), self.located(key));
                vec![code!(".merchant_certificate({cert}, {key})")]
            }
            _ => {
                let todo =
                    self.note_left(element, "the merchant's certificate has cert and key, both files or PEM text");
                vec![code!(".mchid({{ {todo} }} as &str)")]
            }
        }
    }

    /// A path in the form that Guzzle takes, as `file://`.
    fn located(&mut self, node: Node<'t>) -> Code {
        let e = self.expression(node);
        match &e.literal {
            Some(text) if text.contains("-----BEGIN") || text.starts_with("file://") => e.code,
            Some(text) => Code::quoted(&format!("file://{text}")),
            None => {
                let shown = self.display(&e);
                code!("&format!(\"file://{{}}\", {shown})")
            }
        }
    }
}
