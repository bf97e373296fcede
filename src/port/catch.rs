//! Converts `try`, `catch`, `finally` and `throw` to a closure that returns a `Result`, and a match
//! on `ErrorKind`.

use tree_sitter::Node;

use super::exception::{MIXED, Own};
use super::frame::{Facts, Flow, Kind};
use super::syntax::{children, field, named};
use super::text::indent;
use super::value::{Expr, Form, Type};
use super::vars::Var;
use super::{MAX_NESTING, Porter};

/// Whether a statement diverges, so that the code after it never runs.
pub(super) fn diverges(node: Node<'_>) -> bool {
    match node.kind() {
        "return_statement" | "exit_statement" | "break_statement" | "continue_statement" => true,
        "expression_statement" => children(node).first().is_some_and(|inner| inner.kind() == "throw_expression"),
        "compound_statement" | "colon_block" => children(node).last().is_some_and(|last| diverges(*last)),
        "if_statement" => {
            let mut cursor = node.walk();
            let others: Vec<Node<'_>> = node.children_by_field_name("alternative", &mut cursor).collect();
            let all = others.iter().all(|other| field(*other, "body").is_some_and(diverges));
            let last = others.last().is_some_and(|other| other.kind() == "else_clause");
            last && all && field(node, "body").is_some_and(diverges)
        }
        "switch_statement" => {
            let cases = field(node, "body").map(children).unwrap_or_default();
            let ends = |case: &Node<'_>| {
                let statements = children(*case);
                let own = statements.iter().filter(|one| Some(**one) != field(*case, "value")).count();
                own == 0 || statements.last().is_some_and(|last| last.kind() != "break_statement" && diverges(*last))
            };
            cases.iter().any(|case| case.kind() == "default_statement") && cases.iter().all(ends)
        }
        "try_statement" => {
            let arms = children(node).into_iter().filter(|child| child.kind() == "catch_clause");
            field(node, "body").is_some_and(diverges)
                && arms.into_iter().all(|arm| field(arm, "body").is_some_and(diverges))
        }
        _ => false,
    }
}

impl<'t> Porter<'t> {
    pub(super) fn patterns(&mut self, kinds: &[&str], boxed: bool) -> Vec<String> {
        let name = |kind: &&str| if boxed { format!("Some(ErrorKind::{kind})") } else { format!("ErrorKind::{kind}") };
        kinds.iter().map(name).collect()
    }

    pub(super) fn kind_of(&mut self, e: &Expr) -> String {
        if e.ty == Type::Error {
            return format!("{}.kind()", e.tight());
        }
        format!("{}.downcast_ref().map(Error::kind)", e.tight())
    }

    pub(super) fn throw(&mut self, node: Node<'t>) -> String {
        let Some(thrown) = children(node).first().copied() else {
            return format!("{};", self.note_left(node, "nothing is thrown"));
        };
        let e = self.expression(thrown);
        let foreign = e.ty != Type::Error;
        if foreign {
            self.try_any()
        } else {
            self.try_crate()
        };
        match e.ty {
            Type::BoxError if e.form == Form::Owned => {
                match e.code.strip_prefix("BoxError::from(").and_then(|rest| rest.strip_suffix(')')) {
                    Some(message) => {
                        // `into` names the type if the function declares it.
                        format!("return Err({message}.into());")
                    }
                    None => format!("return Err({});", e.code),
                }
            }
            Type::Error => {
                let into = if self.flow().kind == Kind::Try && !self.flow().assumed.foreign { "" } else { ".into()" };
                format!("return Err({}{into});", e.code)
            }
            Type::BoxError => format!("return Err({});", e.code),
            _ => format!("{};", self.note_left(node, "what is thrown is no error that is known")),
        }
    }

    /// A `try`. With a `finally`, it is treated as PHP's `try { try … catch … } finally …`.
    pub(super) fn attempt(&mut self, node: Node<'t>) -> String {
        let Some(body) = field(node, "body") else {
            return format!("{};", self.note_left(node, "a try of an unknown form"));
        };
        if self.state.nested >= MAX_NESTING {
            return format!("{};", self.note_left(node, "try blocks nested so deep: give them functions"));
        }
        self.state.nested += 1;
        let finally = children(node)
            .into_iter()
            .find(|child| child.kind() == "finally_clause")
            .and_then(|clause| field(clause, "body"));
        let out = match finally {
            Some(finally) => self.ended_by(node, body, finally),
            None => self.tried(node, body),
        };
        self.state.nested -= 1;
        out
    }

    /// A `try` with the code that runs at its end, however it is left.
    fn ended_by(&mut self, node: Node<'t>, body: Node<'t>, finally: Node<'t>) -> String {
        let all = Facts { foreign: true, returning: true, fallible: true, ..Facts::default() };
        let (facts, _) = self.dry_run(|porter| porter.enclosed(node, body, all));
        if facts.tangled {
            return format!(
                "{};",
                self.note_left(node, "a try with finally is left in several ways: give it a function")
            );
        }
        if !facts.fallible && !facts.returning && facts.leaves.is_none() {
            // It is left only at its end.
            let (tried, after) = (self.tried(node, body), self.block(finally));
            return format!("{tried}\n{after}").trim_end().to_owned();
        }
        let (facts, code) = self.enclosed(node, body, Facts { fallible: true, ..facts });
        let whole = diverges(node) && facts.returning && facts.leaves.is_none();
        let (given, error) = self.result_of(facts, whole);
        let after = self.block(finally);
        let end = if facts.foreign { self.try_any() } else { self.try_crate() };
        let on = match facts.leaves {
            Some(word) => format!("if attempt{end} {{\n    {}\n}}", self.leave_by(node, word)),
            None if whole => {
                let on = self.hand_on("value");
                let value = if given == "()" { "" } else { "let value = " };
                format!("{value}attempt{end};\n{on};")
            }
            None if facts.returning => {
                let on = self.hand_on("value");
                let value = if given == "Option<()>" { "()" } else { "value" };
                format!("if let Some({value}) = attempt{end} {{\n    {on};\n}}")
            }
            None if diverges(node) => format!("attempt{end};\nunreachable!()"),
            None => format!("attempt{end};"),
        };
        let after = if after.is_empty() { after } else { format!("{after}\n") };
        format!("let attempt = (|| -> Result<{given}, {}> {{\n{}\n}})();\n{after}{on}", error.name(), indent(&code))
    }

    /// A `try` and its `catch` arms without the `finally`, as the body of a closure.
    fn enclosed(&mut self, node: Node<'t>, body: Node<'t>, assumed: Facts) -> (Facts, String) {
        let whole = diverges(node) && assumed.returning && assumed.leaves.is_none();
        self.enter(assumed, whole);
        let code = self.tried(node, body);
        let found = self.frame().flows.pop().unwrap_or_default().found;
        if whole {
            return (found, code);
        }
        let end = way_out(assumed);
        (found, if code.is_empty() { end.to_owned() } else { format!("{code}\n{end}") })
    }

    /// The type that the closure of a `try` returns, and its error type.
    fn result_of(&mut self, facts: Facts, whole: bool) -> (String, Type) {
        let error = if facts.foreign { Type::BoxError } else { Type::Error };
        let given = if facts.leaves.is_some() {
            "bool".to_owned()
        } else if facts.returning {
            let outer = self.outer_returns();
            if whole { outer.name() } else { format!("Option<{}>", outer.name()) }
        } else {
            "()".to_owned()
        };
        (given, error)
    }

    fn enter(&mut self, assumed: Facts, whole: bool) {
        let returns = self.outer_returns();
        let loops = self.frame().loops;
        self.frame().flows.push(Flow {
            kind: Kind::Try,
            assumed,
            loops,
            whole,
            returns: Some(returns),
            ..Flow::default()
        });
    }

    fn tried(&mut self, node: Node<'t>, body: Node<'t>) -> String {
        let arms: Vec<Node<'t>> = children(node).into_iter().filter(|child| child.kind() == "catch_clause").collect();
        let (facts, _) = self.dry_run(|porter| {
            porter.attempted(body, Facts { foreign: true, returning: true, fallible: true, ..Facts::default() })
        });
        let (facts, code) = self.attempted(body, Facts { fallible: true, ..facts });
        let whole = diverges(body) && facts.returning && facts.leaves.is_none();
        let (given, error) = self.result_of(facts, whole);
        let mut out = format!("let attempt = (|| -> Result<{given}, {}> {{\n{}\n}})();\n", error.name(), indent(&code));
        let handled = self.arms(&arms, &error);
        let returned = |porter: &mut Self, value: &str| porter.hand_on(value);
        if let Some(word) = facts.leaves {
            let (name, handled) = handled;
            let handled =
                if handled.is_empty() { "{}".to_owned() } else { format!("{{\n{}\n    }}", indent(&indent(&handled))) };
            let word = self.leave_by(node, word);
            let word = word.trim_end_matches(';');
            out.push_str(&format!(
                "match attempt {{\n    Ok(true) => {word},\n    Ok(false) => {{}}\n    Err({name}) => {handled}\n}}"
            ));
            return out;
        }
        out.push_str(&match (facts.returning, handled) {
            (false, (name, handled)) if diverges(node) => {
                format!(
                    "match attempt {{\n    Ok(()) => unreachable!(),\n    Err({name}) => {{\n{}\n    }}\n}}",
                    indent(&indent(&handled))
                )
            }
            (false, (name, handled)) if handled.trim().is_empty() => {
                let _ = name;
                "let _ = attempt;".to_owned()
            }
            (false, (name, handled)) => format!("if let Err({name}) = attempt {{\n{}\n}}", indent(&handled)),
            (true, (name, handled)) => {
                let ok = if whole { "value" } else { "Some(value)" };
                let on = returned(self, "value");
                let none = if whole { "" } else { "    Ok(None) => {}\n" };
                let handled = if handled.is_empty() {
                    "{}".to_owned()
                } else {
                    format!("{{\n{}\n    }}", indent(&indent(&handled)))
                };
                let ok = if given == "()" { "()" } else { ok };
                format!("match attempt {{\n    Ok({ok}) => {on},\n{none}    Err({name}) => {handled}\n}}")
            }
        });
        out
    }

    /// The body of a `try` as the body of a closure, with the control flow found in it.
    fn attempted(&mut self, body: Node<'t>, assumed: Facts) -> (Facts, String) {
        let whole = diverges(body) && assumed.leaves.is_none();
        self.enter(assumed, whole);
        let nodes = named(body);
        let mut code = self.statements(body, &nodes, whole.then_some(true));
        if !whole {
            let end = way_out(assumed);
            code = match code.strip_suffix("return Ok(true);") {
                _ if code.is_empty() => end.to_owned(),
                // The last statement diverges.
                Some(before) if diverges(body) => format!("{before}Ok(true)"),
                _ => format!("{code}\n{end}"),
            };
        }
        let found = self.frame().flows.pop().unwrap_or_default().found;
        (found, code)
    }

    /// The type that the enclosing function returns.
    fn outer_returns(&mut self) -> Type {
        self.frame().flows.first().and_then(|flow| flow.returns.clone()).unwrap_or(Type::Unit)
    }

    /// Returns a value that the closure of a `try` returned.
    fn hand_on(&mut self, value: &str) -> String {
        let returns = self.outer_returns();
        let flow = self.flow().clone();
        self.flow().found.returning = true;
        self.flow().found.tangled |= flow.found.leaves.is_some();
        let value = if returns == Type::Unit { "()" } else { value };
        match flow.kind {
            Kind::Try if flow.whole => format!("return Ok({value})"),
            Kind::Try => format!("return Ok(Some({value}))"),
            Kind::Step if !flow.assumed.fallible => {
                if value == "()" {
                    "return".to_owned()
                } else {
                    format!("return {value}")
                }
            }
            _ => format!("return Ok({value})"),
        }
    }

    /// The handler of an error: the name of its variable, and the code.
    fn arms(&mut self, arms: &[Node<'t>], error: &Type) -> (String, String) {
        let mut matched: Vec<(Caught, String)> = Vec::new();
        let rust = self.fresh_word(
            &arms
                .first()
                .and_then(|arm| field(*arm, "name"))
                .and_then(|name| super::syntax::variable(name, self.php))
                .map_or_else(|| "e".to_owned(), super::text::snake),
        );
        for arm in arms {
            let types = field(*arm, "type").map(children).unwrap_or_default();
            let mut caught = Caught::Kinds(Vec::new(), false);
            for ty in types {
                let inner = children(ty).first().copied().unwrap_or(ty);
                let class = self.class(inner);
                let own = if *error == Type::BoxError { self.of_own(&class) } else { Own::None };
                match (self.kinds_of(&class), &mut caught) {
                    (Some(None), _) if class == "throwable" => caught = Caught::All,
                    // All errors of the crate are exceptions in PHP, so `catch (\Error $e)` does
                    // not catch them.
                    (Some(None), Caught::Kinds(..)) if class == "error" => {
                        if *error == Type::BoxError {
                            caught = Caught::Fatal;
                        }
                    }
                    (Some(None), _) if *error == Type::Error => caught = Caught::All,
                    (Some(None), Caught::Kinds(..)) => caught = Caught::Exceptions,
                    (Some(None), Caught::Fatal) if class == "exception" => caught = Caught::All,
                    (Some(None), Caught::Exceptions) if class == "error" => caught = Caught::All,
                    (Some(None), _) => {}
                    (Some(Some(_)), Caught::Fatal) => {
                        caught = Caught::Unknown(self.note_left(ty, MIXED));
                    }
                    (Some(Some(_)), _) if own == Own::Some => {
                        caught = Caught::Unknown(self.note_left(ty, MIXED));
                    }
                    (Some(Some(kinds)), Caught::Kinds(all, foreign)) => {
                        *foreign |= own == Own::All;
                        all.extend(kinds.iter().filter(|kind| !all.contains(kind)).copied().collect::<Vec<_>>());
                    }
                    (Some(Some(_)), _) => {}
                    (None, _) => caught = Caught::Unknown(self.caught_by_stub(inner, error, &rust)),
                }
            }
            let before = self.state.notes.len();
            let body = field(*arm, "body").unwrap_or(*arm);
            let name = field(*arm, "name")
                .and_then(|name| super::syntax::variable(name, self.php))
                .unwrap_or_default()
                .to_owned();
            let (loops, block) = (self.frame().loops, self.frame().blocks.len() + 1);
            let var = Var { block, loops, ..Var::place(rust.clone(), error.clone()) };
            let shadowed = self.frame().vars.insert(name.clone(), var);
            let code = self.block(body);
            match shadowed {
                Some(shadowed) => self.frame().vars.insert(name, shadowed),
                None => self.frame().vars.remove(&name),
            };
            let notes: Vec<String> =
                self.state.notes.drain(before.min(self.state.notes.len())..).map(|note| note.text).collect();
            let code = notes.into_iter().chain(std::iter::once(code)).collect::<Vec<_>>().join("\n");
            matched.push((caught, code.trim_end().to_owned()));
        }
        if let [(Caught::All, code)] = matched.as_slice() {
            let name = if uses_word(code, &rust) { rust } else { format!("_{rust}") };
            return (name, code.clone());
        }
        if let [(Caught::Exceptions, code)] = matched.as_slice() {
            let end = self.passed_on(&rust, error);
            return (rust.clone(), format!("if php::is_fatal(&*{rust}) {{\n    {end};\n}}\n{code}"));
        }
        let subject = self.kind_of(&Expr::place(rust.clone(), error.clone()));
        let mut out = format!("match {subject} {{\n");
        let mut total = false;
        let mut seen: Vec<&'static str> = Vec::new();
        for (caught, code) in matched {
            let pattern = match caught {
                Caught::All => {
                    total = true;
                    "_".to_owned()
                }
                Caught::Exceptions => format!("_ if !php::is_fatal(&*{rust})"),
                Caught::Fatal => format!("_ if php::is_fatal(&*{rust})"),
                Caught::Unknown(todo) => format!("_ if {todo}"),
                Caught::Kinds(kinds, foreign) => {
                    let new: Vec<&'static str> = kinds.into_iter().filter(|kind| !seen.contains(kind)).collect();
                    seen.extend(&new);
                    let mut patterns = self.patterns(&new, *error == Type::BoxError);
                    patterns.extend(foreign.then(|| "None".to_owned()));
                    if patterns.is_empty() {
                        // The arms above catch everything that this one catches.
                        continue;
                    }
                    let guard = if foreign { format!(" if !php::is_fatal(&*{rust})") } else { String::new() };
                    patterns.join(" | ") + &guard
                }
            };
            let code =
                if code.is_empty() { "{}".to_owned() } else { format!("{{\n{}\n    }}", indent(&indent(&code))) };
            out.push_str(&format!("    {pattern} => {code}\n"));
            if total {
                break;
            }
        }
        if !total {
            let end = self.passed_on(&rust, error);
            if arms.is_empty() {
                return (rust.clone(), format!("{end};"));
            }
            out.push_str(&format!("    _ => {end},\n"));
        }
        out.push('}');
        (rust, out)
    }

    /// The code that returns an error that no arm catches.
    fn passed_on(&mut self, rust: &str, error: &Type) -> String {
        if *error == Type::BoxError {
            self.try_any()
        } else {
            self.try_crate()
        };
        let into = match (error, self.flow().kind) {
            (Type::BoxError, _) => "",
            (_, Kind::Try) if !self.flow().assumed.foreign => "",
            _ => ".into()",
        };
        format!("return Err({rust}{into})")
    }
}

/// The errors that one `catch` catches.
enum Caught {
    All,
    /// All but PHP's own errors, such as a `TypeError`.
    Exceptions,
    /// PHP's own errors.
    Fatal,
    /// The crate's errors of these kinds, and whether it also catches the exceptions that the
    /// script throws itself.
    Kinds(Vec<&'static str>, bool),
    /// A piece that was not converted.
    Unknown(String),
}

/// The value that a closure returns if its end is reached.
fn way_out(assumed: Facts) -> &'static str {
    match (assumed.leaves, assumed.returning) {
        (Some(_), _) => "Ok(false)",
        (None, true) => "Ok(None)",
        (None, false) => "Ok(())",
    }
}

pub(super) fn uses_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code.get(..at).and_then(|before| before.chars().next_back());
        let after = code.get(at + word.len()..).and_then(|after| after.chars().next());
        let part = |c: Option<char>| c.is_some_and(|c| c == '_' || c.is_alphanumeric());
        !part(before) && !part(after)
    })
}
