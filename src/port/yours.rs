//! Stubs for what other files define: functions, classes and their members. Each becomes one item
//! of the module `yours`, with the types that its uses have.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use tree_sitter::Node;

use super::code::{Code, code, indent};
use super::facts::{Kind, Stub};
use super::imports::BOX_ERROR;
use super::text::{pascal, snake};
use super::value::{Expr, Type};
use super::{Left, Porter};

/// The parts of a use of a stub.
pub(super) struct Use<'a> {
    pub(super) kind: Kind,
    pub(super) owner: Option<Rc<str>>,
    /// The code of the object, for members of objects.
    pub(super) object: Code,
    pub(super) name: &'a str,
    pub(super) php: String,
}

impl<'t> Porter<'t> {
    /// The stub type of a class that is not in the file.
    pub(super) fn foreign(&self, written: &str, at: usize) -> Type {
        let written = written.trim_start_matches('\\');
        let full = self.files.alias(&written.to_lowercase(), at).map_or(written, String::as_str);
        let name = self.foreign_name(full, full.rsplit('\\').next().unwrap_or(full));
        self.foreign_lines.borrow_mut().entry(name.clone()).or_insert_with(|| (full.to_owned(), at));
        Type::Foreign(name)
    }

    fn foreign_name(&self, key: &str, short: &str) -> Rc<str> {
        let key = key.to_lowercase();
        if let Some(known) = self.foreign_names.borrow().get(&key) {
            return Rc::clone(known);
        }
        let mut name = pascal(short);
        // In the module of the stubs, a type hides what the program imports or defines.
        let hides = |name: &str| super::imports::is_imported(name) || self.class_rust_names.contains_key(name);
        while hides(&name) || self.foreign_names.borrow().values().any(|known| **known == *name) {
            name.push('_');
        }
        let name: Rc<str> = name.into();
        self.foreign_names.borrow_mut().insert(key, Rc::clone(&name));
        name
    }

    /// The type of an object whose class only its uses tell.
    pub(super) fn object_of(&self, origin: &str, at: usize) -> Type {
        let stub = self.found.stubs.get(origin).or_else(|| self.known.stubs.get(origin));
        if let Some(owner) = stub.and_then(|stub| stub.owner.clone()) {
            return Type::Foreign(owner);
        }
        let short = match stub {
            Some(stub) => stub.name.clone(),
            None => origin.rsplit(' ').next().unwrap_or(origin).to_owned(),
        };
        let name = self.foreign_name(&format!("{short}()"), &short);
        let shown = stub.map_or_else(|| format!("the class of ${short}"), |stub| format!("the class of {}", stub.php));
        self.foreign_lines.borrow_mut().entry(name.clone()).or_insert_with(|| (shown, at));
        Type::Foreign(name)
    }

    /// A use of something that another file defines.
    pub(super) fn stub(&mut self, node: Node<'t>, used: &Use<'_>, given: &[Node<'t>]) -> Expr {
        let given: Vec<Expr> = given.iter().map(|one| self.or_null(*one)).collect();
        self.stub_of(node, used, given)
    }

    pub(super) fn stub_of(&mut self, node: Node<'t>, used: &Use<'_>, given: Vec<Expr>) -> Expr {
        self.stub_returning(node, used, given, None)
    }

    /// A use of a stub whose return type is known.
    pub(super) fn stub_returning(
        &mut self,
        node: Node<'t>,
        used: &Use<'_>,
        given: Vec<Expr>,
        known: Option<Type>,
    ) -> Expr {
        let owner = used.owner.as_deref().unwrap_or_default();
        let key = format!("{owner} {:?} {}/{}", used.kind, used.name.to_lowercase(), given.len());
        let open = known.is_none();
        let returns = match used.kind {
            _ if known.is_some() => known.unwrap_or(Type::Value),
            Kind::New => Type::Foreign(used.owner.clone().unwrap_or_else(|| "Object".into())),
            Kind::Set => Type::Unit,
            _ => self.or_missing(self.known.implied.get(&key).cloned().unwrap_or(Type::Value), &key),
        };
        let source = (open && !matches!(used.kind, Kind::New | Kind::Set)).then(|| Rc::from(key.as_str()));
        let (mut types, mut passed) = (Vec::new(), Vec::new());
        let (given, mut is_mixed) = (self.undisturbed_all(given), false);
        for (number, e) in given.iter().enumerate() {
            let ty = match &e.ty {
                Type::Null => Type::Value,
                Type::Body => Type::Text,
                Type::Status => Type::Int,
                Type::Option(of) if !of.is_object() => Type::Value,
                Type::Unit
                | Type::MaybeResponse
                | Type::Promise(_)
                | Type::Promises(_)
                | Type::Answers(_)
                | Type::Outcome(_)
                | Type::MediaHeaders
                | Type::MediaStream
                | Type::Bytes => {
                    return self.left_as(node, "an argument that a function of another file cannot take here", returns);
                }
                other => other.clone(),
            };
            let stub = self.known.stubs.get(&key);
            let wanted = stub.and_then(|stub| stub.parameters.get(number)).cloned().unwrap_or_else(|| ty.clone());
            is_mixed |= wanted == Type::Any && matches!(ty, Type::Closure(_));
            let code = self.argument(e, &wanted).or_else(|| self.argument(e, &ty)).unwrap_or_else(|| e.reference());
            passed.push(code);
            types.push(ty);
        }
        let name = self.stub_names.get(&key).cloned().unwrap_or_else(|| base_name(used.kind, used.name));
        if self.learns() {
            let span = (node.start_byte(), node.end_byte());
            let place = (self.files.number(node.start_byte()), self.line(node));
            let stub = self.found.stubs.entry(key.clone()).or_insert_with(|| Stub {
                owner: used.owner.clone(),
                kind: used.kind,
                name: used.name.to_owned(),
                php: used.php.clone(),
                parameters: types.clone(),
                returns: returns.clone(),
                lines: BTreeSet::new(),
                span,
            });
            stub.lines.insert(place);
            for (known, ty) in stub.parameters.iter_mut().zip(&types) {
                let optional = Type::Option(Box::new(ty.clone()));
                if *known == optional || Type::Option(Box::new(known.clone())) == *ty {
                    *known = if *known == optional { optional } else { ty.clone() };
                } else if known != ty && *known != Type::Any {
                    *known = if known.is_object() || ty.is_object() { Type::Any } else { Type::Value };
                }
            }
        }
        // Learned before, so that the next translation finds the same types.
        if is_mixed {
            return self.left_as(node, "its uses give it functions of different types", returns);
        }
        let end = self.try_any();
        let arguments = Code::joined(&passed, ", ");
        let code = match used.kind {
            Kind::Function => code!("yours::{name}({arguments}){end}"),
            Kind::New | Kind::Static | Kind::Constant => code!("yours::{owner}::{name}({arguments}){end}"),
            Kind::Method | Kind::Get | Kind::Set => {
                // A clone is the same object, and is not borrowed while the arguments change the
                // object that holds it.
                let is_borrowed = arguments.disturbs(&used.object);
                let object = if is_borrowed { code!("{}.clone()", used.object) } else { used.object.clone() };
                code!("{object}.{name}({arguments}){end}")
            }
        };
        let value = returns == Type::Value && open;
        let used = Expr::new(code, returns).origin(value.then(|| key.into())).source(source);
        // To read a property or a variable of the web server does nothing else.
        let calls = node.kind().ends_with("call_expression")
            || matches!(node.kind(), "object_creation_expression" | "subscript_expression");
        if calls { self.acting(node, used) } else { used }
    }

    /// Names for the stubs that are known: no two members of a type have the same.
    pub(super) fn named_stubs(stubs: &BTreeMap<String, Stub>) -> HashMap<String, String> {
        let mut taken: HashSet<(Option<Rc<str>>, String)> = HashSet::new();
        let mut names = HashMap::new();
        for (key, stub) in stubs {
            let mut name = base_name(stub.kind, &stub.name);
            while !taken.insert((stub.owner.clone(), name.clone())) {
                name.push('_');
            }
            names.insert(key.clone(), name);
        }
        names
    }

    /// The items of the module `yours`, which are also added to the list. `None` if the files need
    /// no stubs.
    pub(super) fn yours_items(&mut self) -> Option<Code> {
        let stubs = self.found.stubs.clone();
        let types = self.foreign_lines.borrow().clone();
        if stubs.is_empty() && types.is_empty() {
            return None;
        }
        let mut items = Vec::new();
        for (key, stub) in stubs.iter().filter(|(_, stub)| stub.owner.is_none()) {
            items.push(self.stub_item(key, stub));
        }
        let mut owners: BTreeMap<Rc<str>, (String, usize)> = types.into_iter().collect();
        let mut members: BTreeMap<Rc<str>, Vec<(&String, &Stub)>> = BTreeMap::new();
        for (key, stub) in &stubs {
            if let Some(owner) = &stub.owner {
                members.entry(owner.clone()).or_default().push((key, stub));
                owners.entry(owner.clone()).or_insert_with(|| (owner.to_string(), stub.span.0));
            }
        }
        for (owner, (php, at)) in owners {
            let own = members.remove(&owner).unwrap_or_default();
            let members: Vec<Code> = own.into_iter().map(|(key, stub)| self.stub_item(key, stub)).collect();
            let line = self.files.line(self.marks.line(at), at);
            let (file, why) = (self.files.number(at), "it is not in this file: complete it in mod yours".to_owned());
            self.state.left.push(Left { file, line, why, php: php.clone(), span: (at, at), is_stub: true });
            let members = if members.is_empty() {
                Code::default()
            } else {
                code!("\n\nimpl {owner} {{\n{}\n}}", indent(&Code::joined(&members, "\n\n")))
            };
            items.push(code!(
                "/// {php}. Its clones are the same object, as in PHP.\n#[derive(Clone)]\npub struct {owner};{members}"
            ));
        }
        Some(Code::joined(&items, "\n\n"))
    }

    fn stub_item(&mut self, key: &str, stub: &Stub) -> Code {
        let shown = |(file, line): &(usize, usize)| match self.files.is_crate {
            true => format!("{}:{line}", self.files.name(*file)),
            false => line.to_string(),
        };
        let lines: Vec<String> = stub.lines.iter().map(shown).collect();
        if stub.owner.is_none() {
            let why = "it is not in this file: complete it in mod yours".to_owned();
            let (file, line) = stub.lines.first().copied().unwrap_or((0, 1));
            self.state.left.push(Left { file, line, why, php: stub.php.clone(), span: stub.span, is_stub: true });
        }
        let name = self.stub_names.get(key).cloned().unwrap_or_else(|| base_name(stub.kind, &stub.name));
        let letters = "abcdefghijklmnopqrstuvwxyz".chars();
        let object = matches!(stub.kind, Kind::Method | Kind::Get | Kind::Set);
        let own = object.then(|| "&self".into());
        let parameters = letters.zip(&stub.parameters).map(|(letter, ty)| code!("{letter}: {}", ty.parameter()));
        let parameters: Vec<Code> = own.into_iter().chain(parameters).collect();
        let word = if lines.len() == 1 { "line" } else { "lines" };
        // A `todo!` of the generated program, which the merchant replaces. This program does not
        // run it.
        code!(
            "/// PHP: {}, {word} {}.\npub fn {name}({}) -> Result<{}, {BOX_ERROR}> {{\n    todo!({})\n}}",
            stub.php,
            lines.join(", "),
            Code::joined(&parameters, ", "),
            stub.returns.name(),
            super::text::quoted(&super::text::braced_text(&stub.php)),
        )
    }
}

/// The stubs as a module of the program.
pub(super) fn as_module(items: &Code) -> Code {
    let (items, docs) = (indent(items), "/// Items that the PHP uses and other files define. Complete each item.");
    code!(
        "{docs}\n#[allow(dead_code, unused_imports, unused_variables)]\nmod yours {{\n    use super::*;\n\n{items}\n}}"
    )
}

fn base_name(kind: Kind, name: &str) -> String {
    match kind {
        Kind::New => "new".to_owned(),
        Kind::Set => format!("set_{}", snake(name).trim_end_matches('_')),
        _ => match snake(name.rsplit('\\').next().unwrap_or(name)) {
            taken if taken == "new" => "new_".to_owned(),
            free => free,
        },
    }
}
