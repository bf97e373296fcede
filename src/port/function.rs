//! Converts functions, and builds the parts of the program from them.

use std::collections::HashSet;
use std::rc::Rc;

use tree_sitter::Node;

use super::code::{Code, code, indent};
use super::frame::{Flow, Frame, Kind};
use super::handler;
use super::imports::{BOX_ERROR, PHP, VALUE};
use super::modules::Part;
use super::scope::uses_in;
use super::syntax::{all, bare, children, field, is_item, named};
use super::text::snake;
use super::value::{Expr, Form, Type};
use super::{Ported, Porter};

impl<'t> Porter<'t> {
    /// The whole program.
    pub(super) fn program(&mut self, root: Node<'t>) -> Result<Ported, String> {
        let mut nodes = Vec::new();
        // A namespace in braces contains the whole file.
        for node in all(root) {
            match (node.kind(), field(node, "body")) {
                ("namespace_definition", Some(body)) => nodes.extend(named(body)),
                _ => nodes.push(node),
            }
        }
        self.collect_classes(&nodes);
        self.find_shared_classes();
        for number in 0..self.classes.len() {
            if let Some(class) = self.classes.get(number).cloned() {
                self.learn_defaults(&class);
            }
        }
        let functions: Vec<Node<'t>> =
            nodes.iter().filter(|node| node.kind() == "function_definition").copied().collect();
        let by_file = self.by_file(&nodes);
        let constants: Vec<Vec<Code>> = by_file.iter().map(|own| self.constants(own)).collect();
        self.check_names(&functions)?;
        for function in &functions {
            let name = field(*function, "name").map(|name| self.text(name)).unwrap_or_default();
            let annotated =
                field(*function, "return_type").and_then(|ty| self.annotated(self.text(ty), ty.start_byte()));
            let mut rust = match snake(name) {
                taken if taken == "main" || taken.starts_with("php_") => format!("{taken}_"),
                free => free,
            };
            // Two names in PHP may be one in Rust.
            while self.function_names.contains(&rust) {
                rust.push('_');
            }
            if let Some((signature, _)) = self.signature(*function, annotated.unwrap_or(Type::Value), &Frame::default())
            {
                self.function_names.insert(rust.clone());
                self.functions.insert(name.to_lowercase(), (rust, Rc::new(signature)));
            }
        }
        // The return type of a function without a declaration follows from its body. It is needed
        // before the calls in other functions are converted.
        for _ in 0..2 {
            for function in &functions {
                let name = field(*function, "name").map(|name| self.text(name)).unwrap_or_default().to_lowercase();
                let body = field(*function, "body").unwrap_or(*function);
                let frame = self.frame_of(*function, body);
                let seen = self.dry_run(|porter| porter.function_parts(*function, frame, body));
                if let (Some((_, signature, _)), Some(known)) = (seen, self.functions.get_mut(&name)) {
                    known.1 = Rc::new(signature);
                }
            }
        }
        let mut parts: Vec<Part> = Vec::new();
        for (own, constants) in by_file.iter().zip(constants) {
            parts.push(Part { main: self.main(root, own), constants, items: Vec::new() });
        }
        if let (Some(_), [part]) = (self.handler_of(root), parts.as_mut_slice()) {
            let [request, notifications] = handler::parameters();
            let head = code!("{}\npub fn notify({request}, {notifications})", handler::NOTE);
            let body = indent(&code!("let output = {PHP}::Output::new();\n{}\nOk(output)", part.main));
            part.items.push(code!("{head} -> Result<{PHP}::Output, {BOX_ERROR}> {{\n{body}\n}}"));
            part.main = "// PHP runs this file for each request: call `notify` in your web server.".into();
        }
        for function in functions {
            let item = self.item(function, &nodes);
            self.add_item(&mut parts, function.start_byte(), item);
        }
        for number in 0..self.classes.len() {
            let at = self.classes.get(number).map_or(0, |class| class.node.start_byte());
            let item = self.class_item(number, &nodes);
            self.add_item(&mut parts, at, item);
        }
        let yours = self.yours_items();
        if self.is_exhausted() {
            return Err("closures, promises and try blocks stand in one another so deep that it would take too long: take them apart".to_owned());
        }
        let (mut rust, mut modules) = (String::new(), Vec::new());
        if self.files.is_crate {
            modules = self.modules(parts, yours);
        } else if let Some(mut part) = parts.pop() {
            part.items.extend(yours.map(|items| super::yours::as_module(&items)));
            rust = self.assembled(part);
        }
        let mut left = std::mem::take(&mut self.state.left);
        left.sort_by_key(|one| (one.file, one.line));
        Ok(Ported { rust, modules, left, uses: Vec::new() })
    }

    /// The nodes of each file.
    fn by_file(&self, nodes: &[Node<'t>]) -> Vec<Vec<Node<'t>>> {
        let mut files = vec![Vec::new(); self.files.len()];
        for node in nodes {
            if let Some(own) = files.get_mut(self.files.number(node.start_byte())) {
                own.push(*node);
            }
        }
        files
    }

    fn add_item(&self, parts: &mut [Part], at: usize, item: Code) {
        if let Some(part) = parts.get_mut(self.files.number(at)) {
            part.items.push(item);
        }
    }

    fn main(&mut self, root: Node<'t>, nodes: &[Node<'t>]) -> Code {
        let handler = self.handler_of(root);
        let flow = match &handler {
            Some(_) => Flow { kind: Kind::Function, returns: Some(Type::Output), ..Flow::default() },
            None => Flow { kind: Kind::Main, returns: Some(Type::Unit), ..Flow::default() },
        };
        let frame =
            Frame { uses: Rc::new(uses_in(nodes, root, self.php)), flows: vec![flow], handler, ..Frame::default() };
        self.state.frames.push(frame);
        // A comment above a function belongs to it.
        let mut own = HashSet::new();
        for (number, node) in nodes.iter().enumerate().filter(|(_, node)| is_item(**node)) {
            let above =
                nodes.get(..number).unwrap_or_default().iter().rev().take_while(|above| above.kind() == "comment");
            let mut next = *node;
            for above in above {
                if above.end_position().row + 1 < next.start_position().row {
                    break;
                }
                own.insert(above.id());
                next = *above;
            }
        }
        let nodes: Vec<Node<'t>> = nodes.iter().filter(|node| !own.contains(&node.id())).copied().collect();
        let code = self.statements(root, &nodes, None);
        self.state.frames.pop();
        code
    }

    /// A function with the comments above it.
    fn item(&mut self, node: Node<'t>, nodes: &[Node<'t>]) -> Code {
        let above = self.comments_above(node, nodes, "///");
        let name = field(node, "name").map(|name| self.text(name)).unwrap_or_default().to_lowercase();
        let body = field(node, "body").unwrap_or(node);
        let frame = self.frame_of(node, body);
        let notes = std::mem::take(&mut self.state.notes);
        let parts = self.function_parts(node, frame, body);
        let own = std::mem::replace(&mut self.state.notes, notes);
        let (Some((parameters, signature, code)), Some((rust, _))) = (parts, self.functions.get(&name).cloned()) else {
            let todo = self.note_left(node, "a function with parameters of an unknown form");
            let notes =
                std::mem::take(&mut self.state.notes).into_iter().map(|note| note.text).collect::<Vec<_>>().join("\n");
            return code!("{notes}\n#[allow(dead_code)]\n{}fn {}() {{\n    {todo}\n}}", self.private(), snake(&name));
        };
        let mut out = vec![code!("{}", above.trim_end())];
        out.extend(own.iter().map(|note| code!("{}", note.text)));
        let returns = signature.returns.name();
        if self.handler_of(node).is_some() {
            out.push(code!("{}", handler::NOTE));
        }
        if let Some(doc) = self.files.doc(&name) {
            out.push(code!("{doc}"));
        }
        out.push(code!(
            "{}fn {rust}({}) -> Result<{returns}, {BOX_ERROR}> {{\n{}\n}}",
            self.private(),
            Code::joined(&parameters, ", "),
            indent(&code)
        ));
        Code::lines(out)
    }

    /// The body of a function or a closure; `result` means that it returns a `Result`.
    pub(super) fn function_body(&mut self, body: Node<'t>, returns: &Type, result: bool) -> Code {
        if body.kind() != "compound_statement" {
            // `fn($x) => $x`
            self.frame().blocks.push(body.id());
            let code = if *returns == Type::Unit && !result {
                let e = self.expression(body);
                let ty = e.ty.clone();
                self.flow().returned.push(ty.clone());
                if ty == Type::Unit { e.code.tail() } else { code!("let _ = {};", e.code) }
            } else {
                self.give_back(body, Some(body), true)
            };
            self.frame().blocks.pop();
            let notes = std::mem::take(&mut self.state.notes);
            return Code::lines(notes.into_iter().map(|note| code!("{}", note.text)).chain([code]).collect());
        }
        let nodes = named(body);
        let code = self.statements(body, &nodes, Some(result));
        let last = children(body).into_iter().rfind(|statement| statement.kind() != "empty_statement");
        if last.is_some_and(super::catch::diverges) {
            return code;
        }
        let end = match (returns, result) {
            (Type::Unit, true) => "Ok(())".into(),
            (Type::Unit, false) => return code,
            (Type::Output, _) => "Ok(output)".into(),
            (Type::Option(_), true) => "Ok(None)".into(),
            (Type::Option(_), false) => "None".into(),
            (Type::Value, result) => {
                if result {
                    code!("Ok({VALUE}::Null)")
                } else {
                    code!("{VALUE}::Null")
                }
            }
            _ => {
                // Its end is what is listed.
                let end = all(body).last().copied().unwrap_or(body);
                let todo = self.note_left(end, "the function may end without giving anything back");
                // The PHP of the whole function is not repeated above it.
                self.state.notes.pop();
                todo
            }
        };
        Code::lines(vec![code, end])
    }

    /// `return`, or the value at the end of a function.
    pub(super) fn give_back(&mut self, node: Node<'t>, value: Option<Node<'t>>, tail: bool) -> Code {
        let (before, end) = self.returned(node, value, tail);
        let end = if end.jumps() { end.statement() } else { end };
        Code::lines(vec![before, end])
    }

    /// Likewise: the statement before it, and the `return` without a semicolon, or the value.
    pub(super) fn returned(&mut self, node: Node<'t>, value: Option<Node<'t>>, tail: bool) -> (Code, Code) {
        let flow = self.flow().clone();
        self.flow().found.returning = true;
        if flow.kind == Kind::Try && (flow.found.leaves.is_some() || flow.assumed.leaves.is_some()) {
            let todo = self.note_left(node, "a try is left in several ways: give it a function");
            return (Code::default(), todo.jump());
        }
        let returns = if flow.kind == Kind::Try {
            self.frame().flows.first().and_then(|flow| flow.returns.clone())
        } else {
            flow.returns.clone()
        };
        let this = value.is_some_and(|value| super::syntax::variable(value, self.php) == Some("this"));
        if this && self.frame().fluent && flow.kind == Kind::Function {
            let value = Code::from("Ok(self)");
            return (Code::default(), if tail { value.tail() } else { code!("return {value}").jump() });
        }
        let e = match value {
            Some(value) if flow.kind == Kind::Main => {
                let e = self.expression(value);
                Some(Expr { ty: Type::Unit, ..e })
            }
            Some(value) if matches!(returns, Some(Type::Option(_)) | None) => Some(self.or_null(value)),
            Some(value) => Some(self.given_value(value)),
            None => None,
        };
        match (&e, &returns) {
            (Some(e), Some(ty @ (Type::Client | Type::Response | Type::Foreign(_) | Type::Object(_)))) => {
                self.imply(e, ty);
            }
            (Some(e), Some(Type::Option(of))) if matches!(**of, Type::Client | Type::Response | Type::Foreign(_)) => {
                self.imply(e, &Type::Option(of.clone()));
            }
            _ => {}
        }
        let source = self.frame().source.clone();
        let e = match (e, &returns, value) {
            (Some(e), Some(ty), Some(value)) if flow.declared && e.ty == Type::Option(Box::new(ty.clone())) => {
                Some(self.unwrapped(e, value))
            }
            (e, ..) => e,
        };
        let e = match (e, value) {
            (Some(e), Some(value)) if flow.kind != Kind::Step && returns == Some(Type::Value) => {
                Some(self.for_array_result(e, value))
            }
            (e, _) => e,
        };
        if let Some(e) = &e {
            self.linked(source, e);
        }
        let ty = e.as_ref().map_or(Type::Unit, |e| e.ty.clone());
        if let Some(first) = self.frame().flows.first_mut() {
            first.returned.push(ty.clone());
        }
        let mut before = Code::default();
        let given = match (&e, returns) {
            (None, Some(Type::Unit) | None) => None,
            (None, Some(Type::Option(_))) => Some("None".into()),
            (None, Some(Type::Output)) => Some("output.clone()".into()),
            (None, Some(_)) => Some(code!("{VALUE}::Null")),
            (Some(e), Some(Type::Unit)) => {
                // The expression is evaluated even if its value is unused.
                let acts = e.code.is_incomplete() || !e.is_constant && value.is_some_and(may_act);
                let acts = acts || !e.code.acts().is_empty();
                let owned = e.form == Form::Owned || !e.code.acts().is_empty();
                if owned && !e.code.is_empty() && acts && e.ty != Type::Null {
                    before = if ty == Type::Unit { e.code.clone().statement() } else { code!("let _ = {};", e.code) };
                }
                None
            }
            (Some(e), Some(ty)) if e.ty != ty && flow.declared && self.coerced(e, &ty).is_some() => {
                let coerced = self.coerced(e, &ty);
                coerced.map(|e| self.owned_as(&e, &ty).unwrap_or_else(|| e.owned()))
            }
            (Some(e), Some(ty)) if e.ty == ty => Some(match value {
                Some(value) => self.take(e, super::syntax::bare(value), node.end_byte()),
                None => e.owned(),
            }),
            (Some(e), Some(ty)) => match self.owned_as(e, &ty) {
                Some(code) => Some(code),
                None => Some(
                    self.note_left(node, &format!("the returned value is not of the type {}", ty.name().into_text())),
                ),
            },
            (Some(e), None) => Some(e.owned()),
        };
        let result = match flow.kind {
            Kind::Main | Kind::Function => true,
            Kind::Step => flow.assumed.fallible,
            Kind::Try if flow.whole => true,
            Kind::Try => {
                return (before, code!("return Ok(Some({}))", given.unwrap_or_else(|| "()".into())).jump());
            }
        };
        let given = match (given, result) {
            (None, true) => "Ok(())".into(),
            (None, false) if tail => return (before, Code::default()),
            (None, false) => return (before, Code::from("return").jump()),
            (Some(code), true) => code!("Ok({code})"),
            (Some(code), false) => code,
        };
        (before, if tail { given.tail() } else { code!("return {given}").jump() })
    }

    /// `const X = 1;` and `define('X', 1);`
    fn constants(&mut self, nodes: &[Node<'t>]) -> Vec<Code> {
        let mut items = Vec::new();
        for node in nodes {
            let mut found = Vec::new();
            match node.kind() {
                "const_declaration" => {
                    for element in children(*node) {
                        if let [name, value] = children(element).as_slice() {
                            found.push((self.text(*name).to_owned(), *value));
                        }
                    }
                }
                "expression_statement" => {
                    let call =
                        children(*node).first().copied().filter(|call| call.kind() == "function_call_expression");
                    let defines =
                        call.and_then(|call| field(call, "function")).is_some_and(|name| self.text(name) == "define");
                    if let (true, Some(arguments)) = (defines, call.and_then(super::syntax::arguments)) {
                        if let [name, value, ..] = arguments.as_slice() {
                            if let Some(name) = self.dry_run(|porter| porter.expression(*name)).literal {
                                found.push((name, *value));
                            }
                        }
                    }
                }
                _ => {}
            }
            for (name, value) in found {
                let e = self.dry_run(|porter| porter.expression(value));
                let ty = match (&e.ty, &e.literal) {
                    (Type::Text, Some(_)) => "&str",
                    (Type::Int, _) if e.is_constant => "i64",
                    (Type::Float, _) => "f64",
                    (Type::Bool, _) => "bool",
                    _ => continue,
                };
                let rust = snake(&name).to_uppercase();
                items.push(code!("{}const {rust}: {ty} = {};", self.private(), e.code));
                self.constants.insert(name, (Code::name(rust), e.ty));
            }
        }
        items
    }

    /// A name for a variable that no function and no other variable uses.
    pub(super) fn fresh(&self, frame: &Frame, php: &str) -> Code {
        let mut rust = snake(super::lower::property(php).unwrap_or(php));
        let taken = |name: &str| {
            (frame.handler.is_some() && matches!(name, "request" | "notifications" | "output"))
                || self.function_names.contains(name)
                || matches!(
                    name,
                    "formatter" | "php" | "hash" | "aes_ecb" | "transformer" | "attempt" | "unpacked" | "drop"
                )
                || frame.vars.is_taken(name, php)
        };
        while taken(&rust) {
            rust.push('_');
        }
        Code::name(rust)
    }

    /// Likewise, in the function that is being converted.
    pub(super) fn fresh_here(&self, php: &str) -> Code {
        match self.state.frames.last() {
            Some(frame) => self.fresh(frame, php),
            None => Code::name(snake(php)),
        }
    }

    /// A name for a value that has no variable in PHP.
    pub(super) fn fresh_word(&mut self, word: &str) -> Code {
        let mut name = word.to_owned();
        let frame = self.frame();
        while frame.vars.is_taken(&name, "") {
            name.push('_');
        }
        Code::name(name)
    }
}

/// Whether the evaluation of an expression may do more than give its value.
fn may_act(node: Node<'_>) -> bool {
    let plain = ["variable_name", "integer", "float", "string", "boolean", "null", "name", "qualified_name"];
    !plain.contains(&bare(node).kind())
}
