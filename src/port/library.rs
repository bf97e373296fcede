//! Converts the classes of the SDK and of Guzzle: static calls, constants and new objects.

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, End, code};
use super::facts::Kind as stub;
use super::imports::{AES_ECB, APIV3_KEY, CERTIFICATE, FIELDS, FORMATTER, HASH, PHP, PRIVATE_KEY, SECRET, TRANSFORMER};
use super::syntax::{arguments, children, field};
use super::value::{Bond, Expr, Form, Type};
use super::yours::Use;

impl<'t> Porter<'t> {
    /// `Class::method(...)`
    pub(super) fn scoped_call(&mut self, node: Node<'t>) -> Expr {
        let (Some(scope), Some(name)) = (field(node, "scope"), field(node, "name")) else {
            return self.left(node, "a static call of an unknown form");
        };
        let (class, method) = (self.class(scope), self.text(name).to_owned());
        let spread = field(node, "arguments").map(children).unwrap_or_default();
        if let ("wechatpay\\formatter", "joinedByLineFeed", [one]) =
            (class.as_str(), method.as_str(), spread.as_slice())
        {
            if let Some(list) = children(*one).first().filter(|one| one.kind() == "variadic_unpacking") {
                let list = children(*list).first().map(|list| self.expression(*list));
                if let Some(list) = list.filter(|list| list.ty == Type::Value) {
                    let list = list.reference();
                    let pieces = code!("{PHP}::values({list}).into_iter().map({PHP}::text).collect::<Vec<_>>()");
                    let code = code!("{FORMATTER}::joined_by_line_feed({pieces}.iter().map(String::as_str))");
                    return Expr::new(code, Type::Text);
                }
            }
        }
        if let Some(e) = self.own_scoped(node, scope, &method) {
            return e;
        }
        let Some(given) = arguments(node) else {
            return self.left(node, "named and unpacked arguments have no counterpart here");
        };
        if name.kind() == "name" && super::creation::is_elsewhere(&class) {
            let php = format!("{}::{method}()", self.text(scope));
            let Type::Foreign(owner) = self.foreign(self.text(scope), scope.start_byte()) else {
                return self.left(node, "a class of an unknown form");
            };
            let used = Use { kind: stub::Static, owner: Some(owner), object: Code::default(), name: &method, php };
            return self.stub(node, &used, &given);
        }
        let found = match class.as_str() {
            "wechatpay\\builder" if method == "factory" => Some(self.factory(node, &given)),
            "wechatpay\\crypto\\rsa" => self.rsa(&method, &given),
            "wechatpay\\crypto\\aesgcm" => self.aes_gcm(&method, &given),
            "wechatpay\\crypto\\aesecb" => self.aes_ecb(&method, &given),
            "wechatpay\\crypto\\hash" => self.hash(&method, &given),
            "wechatpay\\formatter" => self.formatter(node, &method, &given),
            "wechatpay\\transformer" => self.transformer(&method, &given),
            "wechatpay\\util\\pemutil" => self.pem(&method, &given),
            "guzzlehttp\\promise\\utils" | "guzzlehttp\\promise\\create" => self.promises(node, &method, &given),
            _ => None,
        };
        match found {
            Some(e) => e,
            None => self.left(node, &format!("{}::{method}() has no counterpart here", self.text(scope))),
        }
    }

    fn given(&mut self, given: &[Node<'t>]) -> Vec<Expr> {
        given.iter().map(|argument| self.expression(*argument)).collect()
    }

    /// The arguments of parameters that the SDK declares as text: null is an error, as in PHP.
    fn texts(&mut self, given: &[Node<'t>]) -> Vec<Expr> {
        let given = self.given(given);
        given
            .into_iter()
            .map(|e| if e.ty == Type::Value { self.coerced(&e, &Type::Text).unwrap_or(e) } else { e })
            .collect()
    }

    /// A key given as PEM text, as a file or as an object: a `Type::PublicKey` or
    /// `Type::PrivateKey`.
    fn key_of(&mut self, e: &Expr, ty: &Type) -> Code {
        if e.ty == *ty {
            return e.tight();
        }
        let text = self.str(e);
        code!("{}::from_pem({text}){}", ty.name(), self.try_crate())
    }

    fn rsa(&mut self, method: &str, given: &[Node<'t>]) -> Option<Expr> {
        let kind = |porter: &mut Self, default: Type| -> Option<Type> {
            match given.get(1) {
                None => Some(default),
                Some(kind) => match porter.expression(*kind).literal.as_deref() {
                    Some("public") => Some(Type::PublicKey),
                    Some("private") => Some(Type::PrivateKey),
                    _ => None,
                },
            }
        };
        let padding = match (method, given.get(2)) {
            ("encrypt" | "decrypt", Some(padding)) => Some(self.text(*padding).trim_start_matches('\\')),
            _ => None,
        };
        let arguments = match (method, padding) {
            ("encrypt" | "decrypt", Some(_)) => given.get(..2).unwrap_or_default(),
            ("sign" | "verify" | "encrypt" | "decrypt", _) => given,
            _ => &[],
        };
        // The key is the last argument, text the others.
        let (key, texts) = match arguments.split_last() {
            Some((key, texts)) => (Some(*key), self.texts(texts)),
            None => (None, Vec::new()),
        };
        let arguments: Vec<Expr> = texts.into_iter().chain(key.map(|key| self.expression(key))).collect();
        let method = match (method, padding) {
            (method, None | Some("OPENSSL_PKCS1_OAEP_PADDING")) => method,
            ("encrypt", Some("OPENSSL_PKCS1_PADDING")) => "encrypt_pkcs1v15",
            _ => return None,
        };
        Some(match (method, arguments.as_slice()) {
            ("from" | "fromPkcs1" | "fromPkcs8" | "fromSpki", _) if matches!(given.len(), 1 | 2) => {
                let default = if method == "fromSpki" { Type::PublicKey } else { Type::PrivateKey };
                let ty = kind(self, default)?;
                let first = *given.first()?;
                let pair = children(first);
                if first.kind() == "array_creation_expression" && pair.len() == 2 {
                    // [$pem, $passphrase]
                    let pair: Vec<Expr> = pair
                        .into_iter()
                        .filter_map(|item| children(item).first().copied())
                        .map(|item| self.expression(item))
                        .collect();
                    let [pem, passphrase] = pair.as_slice() else { return None };
                    let (pem, passphrase) = (self.str(pem), self.plain_str(passphrase));
                    let end = self.try_crate();
                    let code = code!("{PRIVATE_KEY}::from_encrypted_pem({pem}, &{SECRET}::from({passphrase})){end}");
                    return Some(Expr::new(code, Type::PrivateKey));
                }
                let thing = self.rsa_text(method, first, &ty)?;
                if thing.ty == ty {
                    return Some(thing);
                }
                Expr::new(self.key_of(&thing, &ty), ty)
            }
            ("sign", [message, key]) => {
                let (message, key) = (self.bytes(message), self.key_of(key, &Type::PrivateKey));
                let end = self.try_crate();
                Expr::new(code!("{key}.sign_base64({message}){end}"), Type::Text)
            }
            ("verify", [message, signature, key]) => {
                let (message, signature) = (self.bytes(message), self.str(signature));
                let key = self.key_of(key, &Type::PublicKey);
                Expr::new(code!("{key}.verify_base64({message}, {signature})"), Type::Bool)
            }
            ("encrypt" | "encrypt_pkcs1v15", [text, key]) => {
                let (text, key) = (self.bytes(text), self.key_of(key, &Type::PublicKey));
                let end = self.try_crate();
                Expr::new(code!("{key}.{method}({text}){end}"), Type::Text)
            }
            ("decrypt", [cipher, key]) => {
                let (cipher, key) = (self.str(cipher), self.key_of(key, &Type::PrivateKey));
                let end = self.try_any();
                Expr::new(code!("String::from_utf8({key}.decrypt({cipher}){end}){end}"), Type::Text)
            }
            _ => return None,
        })
    }

    fn aes_gcm(&mut self, method: &str, given: &[Node<'t>]) -> Option<Expr> {
        let given = self.texts(given);
        let ([text, key, iv] | [text, key, iv, _]) = given.as_slice() else { return None };
        let aad = match given.get(3) {
            Some(aad) => self.str(aad),
            None => "\"\"".into(),
        };
        let key = if key.form == Form::Ref && key.ty == Type::Text { key.code.clone() } else { self.plain_str(key) };
        let iv = self.str(iv);
        let end = self.try_any();
        Some(match method {
            "decrypt" => {
                let text = self.str(text);
                let code =
                    code!("String::from_utf8({APIV3_KEY}::new({key}){end}.decrypt({text}, {iv}, {aad}){end}){end}");
                Expr::new(code, Type::Text)
            }
            "encrypt" => {
                let text = self.bytes(text);
                Expr::new(code!("{APIV3_KEY}::new({key}){end}.encrypt({text}, {iv}, {aad}){end}"), Type::Text)
            }
            _ => return None,
        })
    }

    fn secret(&mut self, e: &Expr) -> Code {
        let text = match (&e.ty, e.form) {
            (Type::Text, Form::Owned) => e.code.clone(),
            _ => self.plain_str(e),
        };
        code!("&{SECRET}::from({text})")
    }

    fn aes_ecb(&mut self, method: &str, given: &[Node<'t>]) -> Option<Expr> {
        let given = self.texts(given);
        let ([text, key] | [text, key, _]) = given.as_slice() else { return None };
        let key = self.secret(key);
        let end = self.try_any();
        Some(match method {
            "decrypt" => {
                let text = self.str(text);
                Expr::new(code!("String::from_utf8({AES_ECB}::decrypt({text}, {key}){end}){end}"), Type::Text)
            }
            "encrypt" => {
                let text = self.bytes(text);
                Expr::new(code!("{AES_ECB}::encrypt({text}, {key}){end}"), Type::Text)
            }
            _ => return None,
        })
    }

    fn hash(&mut self, method: &str, given: &[Node<'t>]) -> Option<Expr> {
        let given = self.given(given);
        let text = |code: Code| Expr::new(code, Type::Text);
        // The parameters are declared as strings, except for the one that selects the agency.
        let (agency, strings) = match (method, given.as_slice()) {
            ("md5", [thing, key, agency, ..]) => (Some(agency), vec![thing, key]),
            ("equals", [known, _]) => (None, vec![known]),
            (_, given) => (None, given.iter().collect()),
        };
        let strings: Option<Vec<Expr>> = strings.into_iter().map(|one| self.coerced(one, &Type::Text)).collect();
        let strings = strings?;
        let found = match (method, strings.as_slice()) {
            ("md5", [thing]) => {
                let thing = self.str(thing);
                text(code!("{HASH}::md5({thing})"))
            }
            ("md5", [thing, key]) => {
                let name = match agency {
                    None => "key",
                    Some(agency) if is_literally(agency, false) => "key",
                    Some(agency) if is_literally(agency, true) => "secret",
                    Some(_) => return None,
                };
                match key.literal.as_deref() {
                    // The SDK ignores a key that is false in PHP.
                    Some("" | "0") => {
                        let thing = self.str(thing);
                        text(code!("{HASH}::md5({thing})"))
                    }
                    Some(_) if name == "key" => {
                        let (thing, key) = (self.display(thing), self.display(key));
                        text(code!("{HASH}::md5(format!(\"{{}}&key={{}}\", {thing}, {key}))"))
                    }
                    Some(_) => {
                        let (thing, key) = (self.str(thing), self.secret(key));
                        text(code!("{HASH}::md5_agency({thing}, {key})"))
                    }
                    None => {
                        let (thing, key) = (self.str(thing), self.str(key));
                        text(code!("{HASH}::md5({PHP}::with_key({thing}, \"{name}\", {key}))"))
                    }
                }
            }
            ("hmac", [thing, key]) => {
                let (thing, key) = (self.str(thing), self.secret(key));
                text(code!("{HASH}::hmac({thing}, {key})"))
            }
            ("hmac", [thing, key, algorithm]) if algorithm.literal.as_deref() == Some("sha256") => {
                let (thing, key) = (self.str(thing), self.secret(key));
                text(code!("{HASH}::hmac({thing}, {key})"))
            }
            ("sign", [kind, data, key]) => {
                let (kind, data, key) = (self.str(kind), self.str(data), self.secret(key));
                let end = self.try_crate();
                text(code!("{HASH}::sign({kind}, {data}, {key}){end}"))
            }
            ("equals", [known]) => {
                let user = given.get(1)?;
                let never = self.constant_of(&[known, user], false);
                let (known, text) = (self.str(known), self.str(user));
                let equals = code!("{HASH}::equals({known}, {text})");
                match user.ty {
                    Type::Null => never,
                    Type::Value => {
                        Expr::new(code!("!{}.is_null() && {equals}", user.tight()), Type::Bool).bond(Bond::And)
                    }
                    _ => Expr::new(equals, Type::Bool),
                }
            }
            _ => return None,
        };
        Some(found)
    }

    fn formatter(&mut self, node: Node<'t>, method: &str, given: &[Node<'t>]) -> Option<Expr> {
        if method == "queryStringLike" {
            // `Formatter::queryStringLike(Formatter::ksort($fields))`: both take pairs of text.
            let [inner] = given else { return None };
            let sorted = inner.kind() == "scoped_call_expression"
                && field(*inner, "name").is_some_and(|name| self.text(name) == "ksort");
            let fields = if sorted { *arguments(*inner)?.first()? } else { *inner };
            let fields = self.expression(fields);
            let fields = self.value_ref(&fields);
            let pairs = code!("{FIELDS}({fields}).iter().map(|(key, value)| (key.as_str(), value.as_str()))");
            let pairs = if sorted { code!("{FORMATTER}::ksort({pairs})") } else { pairs };
            return Some(Expr::new(code!("{FORMATTER}::query_string_like({pairs})"), Type::Text));
        }
        let given = self.given(given);
        let text = |code: Code| Expr::new(code, Type::Text);
        let found = match (method, given.as_slice()) {
            ("nonce", []) => text(code!("{FORMATTER}::nonce(){}", self.try_crate())),
            ("nonce", [size]) if size.code.as_number() == Some(32) => {
                text(code!("{FORMATTER}::nonce(){}", self.try_crate()))
            }
            ("timestamp", []) => Expr::new(code!("{FORMATTER}::timestamp()"), Type::Int),
            ("authorization", [mchid, nonce, signature, timestamp, serial]) => {
                let (mchid, nonce, signature) = (self.str(mchid), self.str(nonce), self.str(signature));
                let (timestamp, serial) = (self.int(timestamp), self.str(serial));
                text(code!("{FORMATTER}::authorization({mchid}, {nonce}, {signature}, {timestamp}, {serial})"))
            }
            ("request", [method, uri, timestamp, nonce, rest @ ..]) if rest.len() < 2 => {
                let (method, uri, timestamp, nonce) =
                    (self.str(method), self.str(uri), self.int(timestamp), self.str(nonce));
                let body = rest.first().map_or_else(|| "b\"\"".into(), |body| self.bytes(body));
                Expr::new(code!("{FORMATTER}::request({method}, {uri}, {timestamp}, {nonce}, {body})"), Type::Bytes)
            }
            ("response", [timestamp, nonce, rest @ ..]) if rest.len() < 2 => {
                let (timestamp, nonce) = (self.str(timestamp), self.str(nonce));
                let body = rest.first().map_or_else(|| "b\"\"".into(), |body| self.bytes(body));
                Expr::new(code!("{FORMATTER}::response({timestamp}, {nonce}, {body})"), Type::Bytes)
            }
            ("joinedByLineFeed", pieces) => {
                let pieces: Vec<Code> = pieces.iter().map(|piece| self.plain_str(piece)).collect();
                text(code!("{FORMATTER}::joined_by_line_feed([{}])", Code::joined(&pieces, ", ")))
            }
            ("ksort", [_]) => return Some(self.left(node, "sort where the text is made: queryStringLike(ksort(...))")),
            _ => return None,
        };
        Some(found)
    }

    fn transformer(&mut self, method: &str, given: &[Node<'t>]) -> Option<Expr> {
        let first = self.expression(*given.first()?);
        // The SDK reads text that is not XML as an empty array.
        let softly = first.ty == Type::Body && self.is_step();
        let end = if softly { End::Nothing } else { self.try_crate() };
        Some(match (method, &first.ty) {
            ("toArray", Type::Body) if softly => {
                Expr::new(code!("{}.xml().unwrap_or_default()", first.tight()), Type::Value)
            }
            ("toArray", Type::Body) => Expr::new(code!("{}.xml(){end}", first.tight()), Type::Value),
            ("toArray", Type::Text | Type::Value) => {
                let text = self.bytes(&first);
                Expr::new(code!("{TRANSFORMER}::to_array({text}){end}"), Type::Value)
            }
            ("toXml", Type::Value) if given.len() == 1 => {
                let value = self.value_ref(&first);
                Expr::new(code!("{TRANSFORMER}::to_xml({value}){end}"), Type::Text)
            }
            _ => return None,
        })
    }

    fn pem(&mut self, method: &str, given: &[Node<'t>]) -> Option<Expr> {
        let given = self.given(given);
        let [thing] = given.as_slice() else { return None };
        Some(match method {
            "parseCertificateSerialNo" => {
                let text = match &thing.literal {
                    Some(path) if !path.contains("-----BEGIN") && !path.starts_with("file://") => {
                        Code::quoted(&format!("file://{path}"))
                    }
                    _ => self.str(thing),
                };
                let end = self.try_crate();
                Expr::new(code!("{CERTIFICATE}::from_pem({text}){end}.serial().to_owned()"), Type::Text)
            }
            "loadPrivateKey" | "loadPrivateKeyFromString" => {
                Expr::new(self.key_file(method, thing, &Type::PrivateKey), Type::PrivateKey)
            }
            // PHP takes a certificate; only its key is used.
            "loadCertificate" => match &thing.literal {
                Some(path) if path.starts_with("file://") => thing.clone(),
                Some(path) => Expr::literal(&format!("file://{path}")),
                None => {
                    let shown = self.display(thing);
                    Expr::new(code!("format!(\"file://{{}}\", {shown})"), Type::Text)
                }
            },
            "loadCertificateFromString" => thing.clone(),
            _ => return None,
        })
    }

    fn key_file(&mut self, method: &str, thing: &Expr, ty: &Type) -> Code {
        let thing = match (&thing.literal, method.ends_with("String")) {
            (Some(path), false) if !path.starts_with("file://") => Expr::literal(&format!("file://{path}")),
            (None, false) => {
                let shown = self.display(thing);
                Expr::new(code!("format!(\"file://{{}}\", {shown})"), Type::Text)
            }
            _ => thing.clone(),
        };
        self.key_of(&thing, ty)
    }
}

/// Whether an expression is a literal with this truth value in PHP.
fn is_literally(e: &Expr, truth: bool) -> bool {
    match (&e.literal, &e.ty) {
        (Some(text), _) => !matches!(text.as_str(), "" | "0") == truth,
        (None, Type::Int) => e.code.as_number().is_some_and(|number| (number != 0) == truth),
        (None, Type::Bool) => e.code.as_truth() == Some(truth),
        (None, Type::Null) => !truth,
        _ => false,
    }
}
