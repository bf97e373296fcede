//! Converts PHP functions that need their arguments unconverted: `isset`, `empty`, `json_decode`,
//! formats.

use std::rc::Rc;

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, code};
use super::facts::Kind as stub;
use super::imports::{PHP, VALUE, WAIT_ALL};
use super::value::{Bond, Expr, Type};
use super::yours::Use;

impl<'t> Porter<'t> {
    pub(super) fn file_get_contents(&mut self, node: Node<'t>, given: &[Node<'t>]) -> Option<Expr> {
        let [path] = given else { return None };
        let path = self.expression(*path);
        if path.literal.as_deref() == Some("php://input") {
            let php = "php://input".to_owned();
            let used = Use { kind: stub::Function, owner: None, object: Code::default(), name: "request_body", php };
            return Some(self.stub_returning(node, &used, Vec::new(), Some(Type::Text)));
        }
        let code = match path.literal.as_deref().map(|path| path.strip_prefix("file://").unwrap_or(path)) {
            Some(url) if url.contains("://") => {
                return Some(self.left(node, "a URL is fetched: use an HTTP client, such as reqwest"));
            }
            Some(path) => code!("std::fs::read_to_string({}){}", Code::quoted(path), self.try_any()),
            None => code!("{PHP}::file_get_contents({}){}", self.str(&path), self.try_any()),
        };
        Some(Expr::new(code, Type::Text))
    }

    /// For text that is not JSON, PHP's function returns null. The body of a response can be empty,
    /// for example with the status 204.
    pub(super) fn json_decode(&mut self, node: Node<'t>, given: &[Node<'t>]) -> Option<Expr> {
        let assoc = match given.get(1).map(|flag| self.text(*flag).to_ascii_lowercase()).as_deref() {
            Some("true" | "1") => true,
            None | Some("false" | "0" | "null") => false,
            Some(_) => return Some(self.left(node, "whether json_decode makes arrays is only known at run time")),
        };
        if given.get(3).is_some_and(|flags| self.text(*flags) != "JSON_THROW_ON_ERROR") {
            return Some(self.left(node, "this flag of json_decode has no counterpart here"));
        }
        let throws = given.len() > 3;
        let text = self.expression(*given.first()?);
        let decode = if assoc { "json_decode" } else { "json_decode_object" };
        let array = |code: Code| if assoc { code!("{PHP}::array({code})") } else { code };
        let code = match &text.ty {
            Type::Body if throws => array(code!("{}.json::<{VALUE}>(){}", text.tight(), self.try_crate())),
            Type::Body => code!("{PHP}::{decode}(&{}.text())", text.tight()),
            ty if ty.is_object() => return None,
            _ => {
                let text = self.str(&text);
                if throws {
                    let end = self.try_any();
                    array(code!("serde_json::from_str::<{VALUE}>({text}){end}"))
                } else {
                    code!("{PHP}::{decode}({text})")
                }
            }
        };
        Some(Expr::new(code, Type::Value))
    }

    pub(super) fn isset(&mut self, node: Node<'t>, given: &[Node<'t>]) -> Option<Expr> {
        let mut asked = Vec::new();
        for one in given {
            let name = super::syntax::variable(*one, self.php);
            if let Some(name) = name.filter(|name| !super::natives::is_of_server(name)) {
                if self.unset_variable(name) == Some(false) {
                    return Some(Expr::new(Code::truth(false), Type::Bool));
                }
                let source = self.place_source(name);
                self.found.tested.insert(Rc::clone(&source));
                let optional = self.frame().vars.get(name).is_some_and(|var| matches!(var.ty, Type::Option(_)));
                if optional && self.found.falsy.contains(&source) {
                    let why = "false is not null: ask with if whether there is a value";
                    return Some(self.left_as(node, why, Type::Bool));
                }
                match self.frame().vars.get(name).cloned() {
                    Some(var) if matches!(var.ty, Type::Option(_) | Type::MaybeResponse) => {
                        asked.push(Code::is_some(var.rust));
                    }
                    Some(var) if var.ty == Type::Value => asked.push(Code::not(code!("{}.is_null()", var.rust))),
                    _ => asked.push(Code::truth(true)),
                }
                continue;
            }
            if let Some(exists) = self.isset_offset(*one) {
                asked.push(exists.code);
                continue;
            }
            let e = self.asked(*one);
            self.tested(&e);
            if self.is_falsy(&e) {
                let why = "false is not null: ask with if whether there is a value";
                return Some(self.left_as(node, why, Type::Bool));
            }
            match e.ty {
                Type::Option(_) => asked.push(Code::is_some(e.tight())),
                Type::Value if e.form == super::value::Form::Owned && one.kind() != "subscript_expression" => {
                    asked.push(Code::not(code!("{}.is_null()", e.tight())));
                }
                Type::Value => asked.push(Code::not(code!("{}.is_null()", e.tight()))),
                _ => {
                    return Some(self.left_as(node, "the argument of isset is not an element of an array", Type::Bool));
                }
            }
        }
        let bond = if asked.len() > 1 { Bond::And } else { Bond::Unary };
        let code = match asked.as_slice() {
            [one] => one.clone(),
            all => Code::joined(all, " && "),
        };
        Some(Expr::new(code, Type::Bool).bond(bond))
    }

    pub(super) fn empty(&mut self, given: &[Node<'t>]) -> Option<Expr> {
        let [one] = given else { return None };
        if super::syntax::variable(*one, self.php).is_some_and(|name| self.unset_variable(name) == Some(false)) {
            return Some(Expr::new(Code::truth(true), Type::Bool));
        }
        let e = self.asked(*one);
        if e.ty == Type::Unit {
            return None;
        }
        self.tested(&e);
        if e.ty.is_object() && !matches!(e.ty, Type::MaybeResponse | Type::Option(_)) {
            return Some(self.constant_of(&[&e], false));
        }
        Some(self.not_true(&e))
    }

    /// `%s`, `%d` and the like, as far as Rust has an equivalent.
    pub(super) fn sprintf(&mut self, node: Node<'t>, name: &str, given: &[Node<'t>]) -> Option<Expr> {
        let (format, rest) = given.split_first()?;
        let format = self.expression(*format).literal?;
        let line = format.strip_suffix('\n').filter(|_| name == "printf");
        let mut rest = rest.iter();
        let mut parts: Vec<Expr> = Vec::new();
        let (mut out, mut arguments) = (String::new(), Vec::new());
        let mut pieces = line.unwrap_or(&format).split('%');
        out.push_str(&super::text::braced(pieces.next().unwrap_or_default()));
        let mut escaped = false;
        for piece in pieces {
            if escaped {
                out.push_str(&super::text::braced(piece));
                escaped = false;
                continue;
            }
            if piece.is_empty() {
                out.push('%');
                escaped = true;
                continue;
            }
            let end = piece.find(|c: char| c.is_ascii_alphabetic())?;
            let (spec, after) = piece.split_at_checked(end)?;
            let (kind, after) = after.split_at_checked(1)?;
            let e = self.expression(*rest.next()?);
            let (shown, width) = match (kind, spec) {
                ("s", "") => (self.display(&e), String::new()),
                ("s", spec)
                    if self.is_ascii(&e)
                        && spec.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit())
                        && !spec.starts_with('0') =>
                {
                    let side = if spec.starts_with('-') { '<' } else { '>' };
                    (self.string(&e), format!("{side}{}", spec.trim_start_matches('-')))
                }
                ("d", spec) if spec.bytes().all(|byte| byte.is_ascii_digit()) => (self.int(&e), spec.to_owned()),
                ("f" | "F", spec)
                    if spec.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && !spec.ends_with('.') =>
                {
                    let spec =
                        if spec.is_empty() || spec.contains('.') { spec.to_owned() } else { format!("{spec}.6") };
                    (self.float(&e), spec)
                }
                // A literal in Rust may have 32 bits, which show in a negative number.
                ("x" | "X", "") => (code!("i64::from({})", self.int(&e)), kind.to_owned()),
                _ => {
                    return Some(self.left_as(
                        node,
                        &format!("the format %{spec}{kind} has no counterpart here"),
                        Type::Text,
                    ));
                }
            };
            let width = match (kind, width.as_str()) {
                ("f" | "F", "") => ".6".into(),
                _ => width,
            };
            out.push_str(&if width.is_empty() { "{}".to_owned() } else { format!("{{:{width}}}") });
            out.push_str(&super::text::braced(after));
            arguments.push(shown);
            parts.push(e);
        }
        if rest.next().is_some() {
            return None;
        }
        let mut all = vec![code!("\"{out}\"")];
        all.extend(arguments);
        let arguments = Code::joined(&all, ", ");
        Some(if name == "printf" {
            let print = if line.is_some() { "println" } else { "print" };
            Expr::new(code!("{print}!({arguments})"), Type::Unit)
        } else {
            Expr::new(code!("format!({arguments})"), Type::Text)
        })
    }

    /// Whether a text certainly has one byte a character, so that PHP and Rust count alike.
    fn is_ascii(&self, e: &Expr) -> bool {
        matches!(e.ty, Type::Int | Type::Float | Type::Bool | Type::Status)
            || e.literal.as_deref().is_some_and(str::is_ascii)
    }

    /// `Utils::unwrap($promises)`, `Utils::all($promises)->wait()`
    pub(super) fn promises(&mut self, node: Node<'t>, method: &str, given: &[Node<'t>]) -> Option<Expr> {
        let why = "wait for each promise, or await them together, futures::future::join_all: a promise of this crate is a future";
        let ([list], "unwrap") = (given, method) else { return Some(self.left(node, why)) };
        let e = self.expression(*list);
        let Type::Promises(of) = e.ty.clone() else { return Some(self.left(node, why)) };
        let promises = self.take(&e, *list, node.end_byte());
        let end = self.try_any();
        Some(Expr::new(code!("{WAIT_ALL}({promises}){end}"), Type::Answers(of)))
    }
}
