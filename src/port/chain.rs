//! Converts chains in all their forms, and the verbs that call them.

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, code};
use super::imports::{CHAINED, PHP};
use super::syntax::{arguments, bare, children, field, is_chain_name};
use super::text;
use super::value::{Bond, Expr, Form, Type};
use crate::proto::case;

/// One step of a chain.
enum Step<'t> {
    /// `->name`, `->{'name'}`
    Name(String),
    /// `->{$name}`
    RunTime(Node<'t>),
    /// `->chain(...)`, `[...]`
    Path(Node<'t>, bool),
}

/// The name of a verb in PHP and in this crate.
fn verb(name: &str) -> Option<(String, bool)> {
    let (verb, is_async) = super::inventory::verb(name)?;
    Some((if is_async { format!("{verb}_async") } else { verb.to_owned() }, is_async))
}

impl<'t> Porter<'t> {
    /// A chain, or a call of one; `None` where the expression is neither.
    pub(super) fn chain(&mut self, node: Node<'t>) -> Option<Expr> {
        let name = field(node, "name").map(|name| self.text(name)).unwrap_or_default();
        let called = node.kind() == "member_call_expression";
        if let Some((verb, is_async)) = called.then(|| verb(name)).flatten() {
            let object = field(node, "object")?;
            if !self.is_chain(object) {
                return None;
            }
            let chain = match self.chained(object) {
                Ok(chain) if chain.ty == Type::Client => {
                    return Some(self.left_call(node, "a call without a path: begin it with chain(...)", is_async));
                }
                Ok(chain) => chain,
                Err(why) => return Some(self.left_call(node, &why, is_async)),
            };
            return Some(self.call(node, &chain, &verb, is_async));
        }
        let by_name = field(node, "name").filter(|name| called && name.kind() == "variable_name");
        if let (Some(name), Some(object)) = (by_name, field(node, "object")) {
            if self.is_chain(object) {
                return Some(self.call_by_name(node, object, name));
            }
        }
        if !self.is_chain(node) {
            return None;
        }
        match self.chained(node) {
            Ok(chain) => Some(chain),
            Err(why) => Some(self.left_as(node, &why, Type::Chain)),
        }
    }

    /// A verb whose options are the first argument.
    fn call(&mut self, node: Node<'t>, chain: &Expr, verb: &str, is_async: bool) -> Expr {
        let options = match arguments(node).as_deref() {
            Some([]) => "()".into(),
            Some([options]) => self.options(*options),
            _ => return self.left_call(node, "a verb takes one argument, its options", is_async),
        };
        let code = code!("{}.{verb}({options})", chain.tight());
        let called = if is_async {
            Expr::new(code, Type::Promise(Box::new(Type::Response)))
        } else {
            let code = code!("{code}{}", self.try_crate());
            Expr::new(code, Type::Response)
        };
        self.acting(node, called)
    }

    /// Converts `->$method($options)`, where the method is any synchronous verb.
    fn call_by_name(&mut self, node: Node<'t>, object: Node<'t>, name: Node<'t>) -> Expr {
        let chain = match self.chained(object) {
            Ok(chain) if chain.ty == Type::Chain => chain,
            Ok(_) => return self.left_call(node, "a call without a path: begin it with chain(...)", false),
            Err(why) => return self.left_call(node, &why, false),
        };
        let verb = self.expression(name);
        if !matches!(verb.ty, Type::Text | Type::Value) {
            return self.left_call(node, "a method whose name is only known at run time", false);
        }
        let verb = self.plain_str(&verb);
        let options = match arguments(node).as_deref() {
            Some([]) => "()".into(),
            Some([options]) => self.options(*options),
            _ => return self.left_call(node, "a verb takes one argument, its options", false),
        };
        let end = self.try_any();
        let mut code = code!("match {verb}.to_ascii_lowercase().as_str() {{\n");
        for verb in super::inventory::VERBS {
            code.push(&code!("    \"{verb}\" => {}.{verb}({options}){end},\n", chain.tight()));
        }
        code.push(&code!("    verb => return Err({PHP}::error(format!(\"{{verb}} is not a verb\"))),\n}}"));
        self.acting(node, Expr::new(code, Type::Response).bond(Bond::Loose))
    }

    fn left_call(&mut self, node: Node<'t>, why: &str, is_async: bool) -> Expr {
        let ty = if is_async { Type::Promise(Box::new(Type::Response)) } else { Type::Response };
        self.left_as(node, why, ty)
    }

    /// The options of a verb, as the argument.
    fn options(&mut self, node: Node<'t>) -> Code {
        let node = bare(node);
        let options = match node.kind() {
            "array_creation_expression" if children(node).is_empty() => return "()".into(),
            "array_creation_expression" => self.options_array(node),
            _ => self.expression(node),
        };
        match (&options.ty, options.form) {
            (Type::Value, _) if self.may_be_float(node) => code!("{PHP}::options({})", options.owned()),
            (Type::Value, Form::Owned) => options.code,
            (Type::Value, _) => options.reference(),
            (Type::Options | Type::Media, _) => self.take(&options, node, node.end_byte()),
            (Type::Null, _) => "()".into(),
            _ => self.left(node, "the options of a call are an array").code,
        }
    }

    /// Whether options may contain a `float`, which PHP writes into JSON without its fraction if
    /// that is zero.
    pub(super) fn may_be_float(&mut self, node: Node<'t>) -> bool {
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            match node.kind() {
                "float" | "binary_expression"
                    if node.kind() == "float" || self.text(node).contains(['+', '-', '*', '/']) =>
                {
                    return true;
                }
                "variable_name" => {
                    if matches!(self.variable_type(node), Some(Type::Value | Type::Float) | None) {
                        return true;
                    }
                }
                "function_call_expression" => {
                    let ty = self.dry_run(|porter| porter.expression(node)).ty;
                    if matches!(ty, Type::Value | Type::Float) {
                        return true;
                    }
                }
                "anonymous_function" | "arrow_function" | "member_call_expression" | "scoped_call_expression" => {}
                _ => stack.extend(children(node)),
            }
        }
        false
    }

    /// Whether an expression is a client, or a chain that begins with one.
    fn is_chain(&mut self, node: Node<'t>) -> bool {
        let mut at = bare(node);
        let mut first: Option<String> = None;
        loop {
            let next = match at.kind() {
                "member_access_expression" => {
                    first = field(at, "name").map(|name| self.text(name).to_owned());
                    field(at, "object")
                }
                "subscript_expression" => {
                    let parts = children(at);
                    first = parts.get(1).map(|key| self.text(*key).trim_matches(['\'', '"']).to_owned());
                    parts.first().copied()
                }
                "member_call_expression" if field(at, "name").is_some_and(|name| self.text(name) == "chain") => {
                    first = Some("chain".to_owned());
                    field(at, "object")
                }
                "variable_name" => {
                    let begins = first.is_some_and(|name| is_chain_name(name.split('/').next().unwrap_or_default()));
                    let known = super::syntax::variable(at, self.php).and_then(|name| self.frame().vars.get(name));
                    let open = known.is_some_and(|var| var.ty == Type::Value && var.origin.is_some());
                    let ty = self.variable_type(at);
                    let ty = ty.map(required);
                    return matches!(ty, Some(Type::Client | Type::Chain)) || (begins && open);
                }
                _ => break,
            };
            match next {
                Some(next) => at = bare(next),
                None => break,
            }
        }
        let begins = first.is_some_and(|name| is_chain_name(name.split('/').next().unwrap_or_default()));
        begins && self.gives_client(at)
    }

    /// Whether an expression other than a variable is a client: a call of the factory, or of
    /// something that returns a client or of which only its uses tell what it returns.
    fn gives_client(&mut self, node: Node<'t>) -> bool {
        match node.kind() {
            "scoped_call_expression"
            | "function_call_expression"
            | "member_call_expression"
            | "scoped_property_access_expression" => {
                let e = self.dry_run(|porter| porter.expression(node));
                match required(e.ty) {
                    Type::Client | Type::Chain => true,
                    Type::Value => e.origin.is_some(),
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// Whether an expression is a client, which may be null.
    pub(super) fn is_client(&mut self, node: Node<'t>) -> bool {
        let ty = self.variable_type(node).map(required);
        ty == Some(Type::Client) || (ty.is_none() && self.gives_client(node))
    }

    /// The steps from a client to the end of a chain.
    fn chained(&mut self, node: Node<'t>) -> Result<Expr, String> {
        let mut steps = Vec::new();
        let mut at = bare(node);
        loop {
            let next = match at.kind() {
                "member_access_expression" => {
                    let name = field(at, "name").ok_or("a property without a name")?;
                    steps.push(match name.kind() {
                        "name" => Step::Name(self.text(name).to_owned()),
                        _ => match self.dry_run(|porter| porter.expression(name)).literal {
                            Some(literal) => Step::Name(literal),
                            None => Step::RunTime(name),
                        },
                    });
                    field(at, "object")
                }
                "subscript_expression" => {
                    let parts = children(at);
                    let key = parts.get(1).ok_or("an index without a path")?;
                    steps.push(Step::Path(*key, true));
                    parts.first().copied()
                }
                "member_call_expression" if field(at, "name").is_some_and(|name| self.text(name) == "chain") => {
                    match arguments(at).as_deref() {
                        Some([path]) => steps.push(Step::Path(*path, false)),
                        _ => return Err("chain takes one path".to_owned()),
                    }
                    field(at, "object")
                }
                _ => break,
            };
            at = bare(next.ok_or("a chain without a beginning")?);
        }
        steps.reverse();
        let root = self.expression(at);
        let root = self.unwrapped(root, at);
        if root.ty == Type::Value && self.imply(&root, &Type::Client) {
            return Err("a client whose type is not known yet".to_owned());
        }
        if !matches!(root.ty, Type::Client | Type::Chain) {
            return Err("a chain that does not begin with a client".to_owned());
        }
        self.written_chain(root, &steps)
    }

    fn written_chain(&mut self, root: Expr, steps: &[Step<'t>]) -> Result<Expr, String> {
        if steps.is_empty() {
            return Ok(root);
        }
        let leading = steps.iter().take_while(|step| matches!(step, Step::Name(_))).count();
        let mut code = root.tight();
        let mut by_macro = leading > 1;
        if by_macro {
            let simple = code.as_word().is_some();
            code = if simple { code!("{CHAINED}!({code}") } else { code!("{CHAINED}!(({code})") };
        }
        let mut indexed = false;
        for (number, step) in steps.iter().enumerate() {
            if by_macro && number == leading {
                code.push(&")".into());
                by_macro = false;
            }
            indexed = false;
            match step {
                Step::Name(name) => {
                    case::normalize(name).map_err(|error| error.message().to_owned())?;
                    if by_macro {
                        code.push(&code!("->{}", macro_name(name)));
                    } else {
                        code.push(&code!(".seg({})", Code::quoted(name)));
                    }
                }
                Step::RunTime(name) => {
                    let name = self.expression(*name);
                    let name = self.str(&name);
                    code.push(&code!(".chain(&{PHP}::segment({name}){})", self.try_crate()));
                }
                Step::Path(path, index) => {
                    let path = self.expression(*path);
                    match &path.literal {
                        Some(literal) => {
                            let named = case::normalize(literal).map_err(|error| error.message().to_owned())?;
                            let named = Code::quoted(&named);
                            indexed = *index;
                            code.push(&if *index { code!("[{named}]") } else { code!(".chain({named})") });
                        }
                        None => code.push(&code!(".chain({})", self.str(&path))),
                    }
                }
            }
        }
        if by_macro {
            code.push(&")".into());
        }
        let chain = Expr::new(code, Type::Chain).bond(Bond::Tight);
        Ok(if indexed { chain.form(Form::Place) } else { chain })
    }
}

/// The type of a value that is not null.
fn required(ty: Type) -> Type {
    match ty {
        Type::Option(of) => *of,
        ty => ty,
    }
}

/// A name in the form that `chain!` takes.
fn macro_name(name: &str) -> String {
    let word = name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
        && name != "_";
    if word {
        return name.to_owned();
    }
    if name.contains(['{', '<']) { format!("{{{}}}", text::quoted(name)) } else { text::quoted(name) }
}
