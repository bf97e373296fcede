//! Converts properties and methods of clients, responses, errors, uploads and promises.

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, code};
use super::imports::ERROR;
use super::syntax::{arguments, field};
use super::value::{Bond, Expr, Form, Type};

impl<'t> Porter<'t> {
    /// `$of->name`
    pub(super) fn property(&mut self, node: Node<'t>) -> Expr {
        if let Some(chain) = self.chain(node) {
            return chain;
        }
        let (Some(object), Some(name)) = (field(node, "object"), field(node, "name")) else {
            return self.left(node, "a property of an unknown form");
        };
        if node.kind().starts_with("nullsafe") {
            let of = self.asked(object);
            self.tested(&of);
            return self.nullsafe(node, &of, |porter, of| porter.property_of(node, object, of.clone(), name));
        }
        let of = self.expression(object);
        let of = self.unwrapped(of, object);
        self.property_of(node, object, of, name)
    }

    fn property_of(&mut self, node: Node<'t>, object: Node<'t>, of: Expr, name: Node<'t>) -> Expr {
        if let Some(e) = self.object_property(node, object, &of, name, None) {
            return e;
        }
        if of.ty != Type::Value {
            return self.left(node, "what this is a property of is not known");
        }
        // An object that json_decode returned.
        let key = if name.kind() == "name" { Expr::literal(self.text(name)) } else { self.expression(name) };
        self.indexed(node, of, &key)
    }

    pub(super) fn member_call(&mut self, node: Node<'t>) -> Expr {
        if let Some(called) = self.chain(node) {
            return called;
        }
        let (Some(object), Some(name)) = (field(node, "object"), field(node, "name")) else {
            return self.left(node, "a method of an unknown form");
        };
        let method = self.text(name);
        if matches!(method, "then" | "otherwise" | "wait") {
            return self.promise(node, None);
        }
        if let Some(answer) = self.known_answer(node) {
            return answer;
        }
        if matches!(method, "request" | "requestAsync") {
            if let Some(called) = self.driver_call(node, object, method) {
                return called;
            }
        }
        if name.kind() != "name" {
            return self.left(node, "a method whose name is only known at run time");
        }
        if node.kind().starts_with("nullsafe") {
            let of = self.asked(object);
            self.tested(&of);
            return self.nullsafe(node, &of, |porter, of| porter.method_of(node, object, of.clone(), method));
        }
        let of = self.expression(object);
        let of = self.unwrapped(of, object);
        self.method_of(node, object, of, method)
    }

    fn method_of(&mut self, node: Node<'t>, object: Node<'t>, of: Expr, method: &str) -> Expr {
        let why = || format!("the method {method} is not known here");
        if let Some(e) = self.object_call(node, object, &of, method) {
            return e;
        }
        let Some(given) = arguments(node) else {
            return self.left(node, "named and unpacked arguments have no counterpart here");
        };
        let found = match of.ty {
            Type::Response => self.of_response(&of, method, &given),
            Type::Body => match method {
                "getContents" if self.may_be_read(node) => Some(self.left_as(node, super::stream::READ, Type::Text)),
                "getContents" | "__toString" => Some(of.clone()),
                "getSize" if of.ty == Type::Body => {
                    Some(Expr::new(Code::cast(code!("{}.body().len()", of.tight()), "i64"), Type::Int).bond(Bond::Sum))
                }
                "rewind" => Some(Expr::new("", Type::Unit)),
                _ => None,
            },
            Type::Error | Type::BoxError => self.of_error(node, &of, method),
            Type::Media => self.of_media(node, object, &of, method, &given),
            _ => None,
        };
        match found {
            Some(e) => e,
            None => self.left(node, &why()),
        }
    }

    /// `$client->getDriver()->request('GET', ...)`
    fn driver_call(&mut self, node: Node<'t>, object: Node<'t>, method: &str) -> Option<Expr> {
        let driver = object.kind() == "member_call_expression"
            && field(object, "name").is_some_and(|name| matches!(self.text(name), "getDriver"));
        let client = if driver { field(object, "object")? } else { object };
        if !self.is_client(client) {
            return None;
        }
        let given = arguments(node)?;
        let [verb, uri, rest @ ..] = given.as_slice() else { return None };
        let root = self.expression(client);
        if root.ty == Type::Value {
            // Another library may have a method of this name. The path tells them apart.
            let path = self.dry_run(|porter| porter.expression(*uri)).literal.unwrap_or_default();
            if !driver && !matches!(path.trim_start_matches('/').split('/').next(), Some("v2" | "v3")) {
                return None;
            }
            self.imply(&root, &Type::Client);
            let why = "a client whose type is not known yet";
            let ty = match method {
                "request" => Type::Response,
                _ => Type::Promise(Box::new(Type::Response)),
            };
            return Some(self.left_as(node, why, ty));
        }
        let (client, verb, uri) = (self.unwrapped(root, client), self.expression(*verb), self.expression(*uri));
        let options = match rest {
            [] => "()".into(),
            [options] => {
                let options = self.options_array_or(*options);
                if options.form == Form::Owned { options.code } else { options.reference() }
            }
            _ => return None,
        };
        let (verb, uri) = (self.str(&verb), self.str(&uri));
        let called = if method == "request" {
            let end = self.try_crate();
            Expr::new(code!("{}.request({verb}, {uri}, {options}){end}", client.tight()), Type::Response)
        } else {
            let code = code!("{}.request_async({verb}, {uri}, {options})", client.tight());
            Expr::new(code, Type::Promise(Box::new(Type::Response)))
        };
        Some(self.acting(node, called))
    }

    fn options_array_or(&mut self, node: Node<'t>) -> Expr {
        if node.kind() == "array_creation_expression" { self.options_array(node) } else { self.expression(node) }
    }

    fn of_response(&mut self, of: &Expr, method: &str, given: &[Node<'t>]) -> Option<Expr> {
        let response = of.tight();
        Some(match (method, given) {
            ("getBody", []) => Expr { ty: Type::Body, ..of.clone() },
            ("getStatusCode", []) => Expr::new(code!("{response}.status().as_u16()"), Type::Status),
            ("getReasonPhrase", []) => {
                let code = code!("{response}.status().canonical_reason().unwrap_or_default()");
                Expr::new(code, Type::Text).form(Form::Ref)
            }
            ("getHeaderLine", [name]) => {
                let name = self.expression(*name);
                if name.literal.as_deref().is_some_and(|name| name.eq_ignore_ascii_case("request-id")) {
                    return Some(
                        Expr::new(code!("{response}.request_id().unwrap_or_default()"), Type::Text).form(Form::Ref),
                    );
                }
                let name = self.str(&name);
                let code =
                    code!("{response}.headers().get({name}).and_then(|value| value.to_str().ok()).unwrap_or_default()");
                Expr::new(code, Type::Text).form(Form::Ref)
            }
            ("hasHeader", [name]) => {
                let name = self.expression(*name);
                let name = self.str(&name);
                Expr::new(code!("{response}.headers().contains_key({name})"), Type::Bool)
            }
            _ => return None,
        })
    }

    /// `$e->getResponse()` where an `if` has checked that there is one.
    fn known_answer(&mut self, node: Node<'t>) -> Option<Expr> {
        let object = field(node, "object")?;
        let name = super::syntax::variable(object, self.php)?;
        if field(node, "name").map(|name| self.text(name)) != Some("getResponse") {
            return None;
        }
        let known = self.frame().answers.get(name).cloned()?;
        Some(Expr::new(known, Type::Response).form(Form::Ref))
    }

    /// The response of an error: `Option<&Response>`.
    pub(super) fn answer(&mut self, error: &Expr) -> Code {
        if error.ty == Type::Error {
            return code!("{}.response()", error.tight());
        }
        code!("{}.downcast_ref::<{ERROR}>().and_then({ERROR}::response)", error.tight())
    }

    fn of_error(&mut self, node: Node<'t>, of: &Expr, method: &str) -> Option<Expr> {
        let error = of.tight();
        Some(match method {
            "getMessage" | "__toString" => Expr::new(Code::shown(error), Type::Text),
            "hasResponse" => Expr::new(Code::is_some(self.answer(of)), Type::Bool),
            "getResponse" | "getReason" => Expr::new(self.answer(of), Type::MaybeResponse),
            "getCode" => {
                // The code of Guzzle's exceptions is the status of the response, or 0 without a
                // response.
                let answer = self.answer(of);
                Expr::new(code!("{answer}.map_or(0, |response| i64::from(response.status().as_u16()))"), Type::Int)
            }
            "getTraceAsString" => {
                let text = "// getTraceAsString(): an error has no trace here; {:?} shows what it has".into();
                self.state.notes.push(super::Note { text, span: None });
                Expr::new(Code::debugged(of.code.clone()), Type::Text)
            }
            "getLine" | "getFile" | "getTrace" | "getPrevious" => {
                self.left(node, "an error has no place in the code and no trace here")
            }
            _ => return None,
        })
    }

    fn of_media(
        &mut self,
        node: Node<'t>,
        object: Node<'t>,
        of: &Expr,
        method: &str,
        given: &[Node<'t>],
    ) -> Option<Expr> {
        Some(match (method, given) {
            ("getStream", []) => Expr { ty: Type::MediaStream, ..of.clone() },
            ("getContentType" | "getHeaders", []) => Expr::new(of.code.clone(), Type::MediaHeaders),
            ("setMeta", [meta]) => {
                let Some(var) = super::syntax::variable(object, self.php) else {
                    return Some(self.left(node, "give the upload a variable first"));
                };
                // PHP passes JSON text; the value before json_encode is used instead.
                let inner = match (meta.kind(), arguments(*meta).as_deref()) {
                    ("function_call_expression", Some([array, ..]))
                        if super::syntax::called(*meta, self.php) == "json_encode" =>
                    {
                        let array = self.expression(*array);
                        self.value(&array)
                    }
                    _ => {
                        let text = self.expression(*meta);
                        let text = self.str(&text);
                        let end = self.try_any();
                        code!("serde_json::from_str({text}){end}")
                    }
                };
                let rust = self.frame().vars.get(var).map(|var| var.rust.clone())?;
                Expr::new(code!("let {rust} = {rust}.meta({inner})"), Type::Unit)
            }
            ("getMeta", []) => return None,
            _ => return None,
        })
    }
}
