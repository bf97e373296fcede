//! Converts new objects and constants of classes.

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, code};
use super::facts::Kind as stub;
use super::imports::{BOX_ERROR, JSON, MEDIA, PHP};
use super::syntax::{arguments, children, field};
use super::value::{Expr, Form, Type};
use super::yours::Use;

impl<'t> Porter<'t> {
    /// `Class::CONSTANT`
    pub(super) fn class_constant(&mut self, node: Node<'t>) -> Expr {
        let parts = children(node);
        let [class, name] = parts.as_slice() else {
            return self.left(node, "a constant of an unknown form");
        };
        let (class, name) = (self.class(*class), self.text(*name));
        match (class.as_str(), name) {
            ("wechatpay\\crypto\\rsa", "KEY_TYPE_PUBLIC") => Expr::literal("public"),
            ("wechatpay\\crypto\\rsa", "KEY_TYPE_PRIVATE") => Expr::literal("private"),
            ("wechatpay\\crypto\\hash", "ALGO_MD5") => Expr::literal("MD5"),
            ("wechatpay\\crypto\\hash", "ALGO_HMAC_SHA256") => Expr::literal("HMAC-SHA256"),
            _ => {
                let scope = children(node).first().copied().unwrap_or(node);
                let known = matches!(scope.kind(), "name" | "qualified_name" | "relative_scope");
                let own = if known
                    && (is_elsewhere(&class)
                        || name == "class"
                        || matches!(class.as_str(), "self" | "static" | "parent"))
                {
                    self.own_constant(node, scope, name)
                } else {
                    None
                };
                own.unwrap_or_else(|| self.left(node, "this constant is not known here"))
            }
        }
    }

    /// `new Class(...)`
    pub(super) fn creation(&mut self, node: Node<'t>) -> Expr {
        let Some(class) = children(node).first().map(|class| self.class(*class)) else {
            return self.left(node, "a class without a name");
        };
        let given = arguments(node);
        let named = children(node).first().copied().filter(|name| matches!(name.kind(), "name" | "qualified_name"));
        if let Some(own) = named.and_then(|name| self.own_class(name)) {
            return self.own_creation(node, &own);
        }
        match (class.as_str(), given.as_deref()) {
            ("stdclass", Some([])) => {
                Expr { inside: Some("{}".into()), ..Expr::new(code!("{JSON}!({{}})"), Type::Value) }
            }
            ("wechatpay\\util\\mediautil", Some([path])) => {
                let path = self.expression(*path);
                let path = match path.literal.as_deref().and_then(|path| path.strip_prefix("file://")) {
                    Some(path) => Code::quoted(path),
                    None => self.str(&path),
                };
                let end = self.try_crate();
                Expr::new(code!("{MEDIA}::from_path({path}){end}"), Type::Media)
            }
            ("wechatpay\\util\\mediautil", Some([path, stream])) => {
                let name = self.expression(*path);
                let name = match &name.literal {
                    Some(path) => Code::quoted(path.rsplit('/').next().unwrap_or(path)),
                    None => self.string(&name),
                };
                match self.contents(*stream) {
                    Some(contents) => Expr::new(code!("{MEDIA}::from_bytes({name}, {contents})"), Type::Media),
                    None => self.left_as(
                        node,
                        "the contents of the stream are not known: give Media::from_bytes its bytes",
                        Type::Media,
                    ),
                }
            }
            _ if class.ends_with("exception") || class == "error" => {
                if let Some(named) = named.filter(|_| super::exception::kinds(&class).is_some()) {
                    self.list_unimported(named);
                }
                if given.as_ref().is_some_and(|given| given.len() > 1) && self.marks.reads_codes {
                    return self.left_as(
                        node,
                        "the code of this exception is lost: put it into a type of its own",
                        Type::BoxError,
                    );
                }
                // Another file may read the code of what a method throws.
                if given.as_ref().is_some_and(|given| given.len() > 1) && self.frame().class.is_some() {
                    self.note_left(node, "the code of this exception is lost: other files may read it");
                }
                let message = given.as_deref().and_then(|given| given.first().copied());
                let message = message.map_or_else(|| Expr::literal(&class), |message| self.expression(message));
                if matches!(message.ty, Type::Error | Type::BoxError) {
                    let why = "PHP's text of an exception has its class, file and trace: use getMessage()";
                    return self.left_as(node, why, Type::BoxError);
                }
                let message =
                    if message.form == Form::Owned { self.string(&message) } else { self.plain_str(&message) };
                // `catch (\Exception $e)` does not catch an `Error`.
                let error = if class == "error" {
                    code!("{PHP}::error({message})")
                } else {
                    code!("{BOX_ERROR}::from({message})").boxed(message)
                };
                Expr::new(error, Type::BoxError)
            }
            (_, Some(given)) if is_elsewhere(&class) && named.is_some() => {
                let written = named.map(|name| self.text(name)).unwrap_or_default();
                let Type::Foreign(owner) = self.foreign(written, node.start_byte()) else {
                    return self.left(node, "a class of an unknown form");
                };
                let php = format!("new {written}()");
                let used = Use { kind: stub::New, owner: Some(owner), object: Code::default(), name: "new", php };
                self.stub(node, &used, given)
            }
            _ => self.left(node, "this class has no counterpart here"),
        }
    }

    /// The bytes in `Utils::streamFor($text)`.
    pub(super) fn contents(&mut self, node: Node<'t>) -> Option<Code> {
        let given = arguments(node)?;
        let name = field(node, "name").or_else(|| field(node, "function")).map(|name| self.text(name))?;
        let [thing] = given.as_slice() else { return None };
        if !name.ends_with("streamFor") && !name.ends_with("stream_for") {
            return None;
        }
        let thing = self.expression(*thing);
        match thing.ty {
            Type::Bytes => Some(thing.owned()),
            Type::Text | Type::Value => Some(self.string(&thing)),
            _ => None,
        }
    }
}

/// Whether a class is in another file or package of the merchant: not one of PHP, Guzzle or
/// the SDK.
pub(super) fn is_elsewhere(class: &str) -> bool {
    let native = ["stdclass", "self", "static", "parent", "closure", "generator", "simplexmlelement"];
    !class.starts_with("wechatpay\\builder")
        && !["wechatpay\\crypto\\", "wechatpay\\util\\", "guzzlehttp\\", "psr\\"]
            .iter()
            .any(|own| class.starts_with(own))
        && !matches!(class, "wechatpay\\formatter" | "wechatpay\\transformer" | "wechatpay\\clientdecorator")
        && !native.contains(&class)
        && !class.starts_with("reflection")
        && !class.is_empty()
        && !class.starts_with('$')
}
