//! Converts promises (`then`, `otherwise`, `wait`) and closures, including those in variables.

use std::rc::Rc;

use tree_sitter::Node;

use super::code::{Code, Shape, code, indent};
use super::frame::{Facts, Flow, Frame, Kind};
use super::imports::{BOX_ERROR, PHP};
use super::syntax::{arguments, bare, children, field};
use super::value::{Bond, Expr, Form, Signature, Type};
use super::vars::Var;
use super::{MAX_NESTING, Porter};

/// The maximum number of steps of one promise. Each is translated more than once.
const STEPS: usize = 5;

impl<'t> Porter<'t> {
    /// `->then(...)`, `->otherwise(...)`, `->wait()`. `want` is the type that the promise should
    /// resolve to, `()` if the value is not used.
    pub(super) fn promise(&mut self, node: Node<'t>, want: Option<&Type>) -> Expr {
        let (Some(object), Some(name)) = (field(node, "object").map(bare), field(node, "name")) else {
            return self.left(node, "a promise of an unknown form");
        };
        let Some(given) = arguments(node) else {
            return self.left(node, "named and unpacked arguments have no counterpart here");
        };
        match (self.text(name), given.as_slice()) {
            ("wait", [] | [_]) => {
                let of = self.promise_of(object, want);
                let Type::Promise(inner) = of.ty.clone() else {
                    return self.left(node, "wait is called on a value that is not a known promise");
                };
                let code = self.take(&of, object, node.end_byte());
                let end = self.try_crate();
                let code = Expr { code, ..of }.within(Bond::Tight);
                if let Type::Outcome(inner) = *inner {
                    // Both the call and the steps after it may fail.
                    let second = self.try_any();
                    return Expr::new(code!("{code}.wait(){end}{second}"), *inner);
                }
                Expr::new(code!("{code}.wait(){end}"), *inner)
            }
            ("then", [fulfilled]) => self.then(node, object, *fulfilled, want),
            ("otherwise", [rejected]) => self.otherwise(node, object, *rejected, want),
            ("then", [fulfilled, rejected]) => {
                // Equivalent if the first step cannot throw.
                let _ = (fulfilled, rejected);
                self.left_as(
                    node,
                    "then with two functions: write ->then(...)->otherwise(...)",
                    Type::Promise(Box::new(Type::Response)),
                )
            }
            _ => self.left(node, "a promise of an unknown form"),
        }
    }

    /// A promise converted to the wanted type, if possible.
    fn promise_of(&mut self, node: Node<'t>, want: Option<&Type>) -> Expr {
        let step = node.kind() == "member_call_expression"
            && field(node, "name").is_some_and(|name| matches!(self.text(name), "then" | "otherwise"));
        if step { self.promise(node, want) } else { self.expression(node) }
    }

    fn steps(&self, mut node: Node<'t>) -> usize {
        let mut steps = 0;
        while node.kind() == "member_call_expression" {
            steps += 1;
            match field(node, "object") {
                Some(object) => node = bare(object),
                None => break,
            }
        }
        steps
    }

    fn then(&mut self, node: Node<'t>, object: Node<'t>, fulfilled: Node<'t>, want: Option<&Type>) -> Expr {
        let of = self.promise_of(object, None);
        let Type::Promise(inner) = of.ty.clone() else {
            return self.left(node, "then is called on a value that is not a known promise");
        };
        if fulfilled.kind() == "null" {
            return of;
        }
        let Some(step) = self.step(fulfilled, &inner, want) else {
            return self.left_as(node, "the argument of then is not a closure", of.ty);
        };
        let code = self.take(&of, object, node.end_byte());
        let code = Expr { code, ..of }.within(Bond::Tight);
        Expr::new(code!("{code}\n    .then({})", step.code.nested()), Type::Promise(Box::new(step.ty)))
    }

    fn otherwise(&mut self, node: Node<'t>, object: Node<'t>, rejected: Node<'t>, want: Option<&Type>) -> Expr {
        if self.steps(node) > STEPS {
            return self.left(node, "a promise of so many steps: take it apart");
        }
        let natural = self.dry_run(|porter| porter.promise_of(object, None).ty);
        let Type::Promise(natural) = natural else {
            return self.left(node, "otherwise is called on a value that is not a known promise");
        };
        let ty = match want {
            Some(want) => want.clone(),
            None => {
                let other = self.dry_run(|porter| porter.step(rejected, &Type::Error, None).map(|step| step.ty));
                Self::both(&natural, &other.unwrap_or(Type::Unit))
            }
        };
        let of = self.promise_of(object, Some(&ty));
        if matches!(of.ty, Type::Promise(ref of) if matches!(**of, Type::Outcome(_))) {
            return self.left_as(node, "an error inside of then does not come to otherwise here: let then return it, and look at it after wait", of.ty);
        }
        let moved = self.take(&of, object, node.end_byte());
        let mut code = Expr { code: moved, ..of.clone() }.within(Bond::Tight);
        let Type::Promise(found) = of.ty else {
            return self.left(node, "otherwise is called on a value that is not a known promise");
        };
        if *found != ty {
            code.push(&match &ty {
                Type::Unit => "\n    .then(drop)".into(),
                Type::Option(inner) if **inner == *found => "\n    .then(Some)".into(),
                _ => return self.left(node, "then and otherwise give values of different types"),
            });
        }
        match self.step(rejected, &Type::Error, Some(&ty)) {
            Some(step) if step.ty == ty => {
                Expr::new(code!("{code}\n    .otherwise({})", step.code.nested()), Type::Promise(Box::new(ty)))
            }
            // The step itself may fail.
            Some(step) => Expr::new(
                code!("{code}\n    .then(Ok)\n    .otherwise({})", step.code.nested()),
                Type::Promise(Box::new(step.ty)),
            ),
            None => self.left_as(node, "the argument of otherwise is not a closure", Type::Promise(Box::new(ty))),
        }
    }

    /// A closure of `then` or `otherwise`, which takes one value. Its type is the type that it
    /// returns.
    fn step(&mut self, node: Node<'t>, takes: &Type, want: Option<&Type>) -> Option<Expr> {
        let node = bare(node);
        if self.state.nested >= MAX_NESTING {
            return None;
        }
        if let Some(Type::Closure(signature)) = self.variable_type(node) {
            // A closure in a variable always returns a `Result`.
            let _ = signature;
            return None;
        }
        if !matches!(node.kind(), "anonymous_function" | "arrow_function") {
            return None;
        }
        // A promise cannot borrow the object.
        let body = field(node, "body").unwrap_or(node);
        if self.uses_of(body, &[]).contains_key("this") || self.changes_object(body) {
            return None;
        }
        self.state.nested += 1;
        // Find the type that it returns, and whether it can fail.
        let (returned, mut facts) = self.dry_run(|porter| {
            let flow = porter.step_body(node, takes, Facts { fallible: true, ..Facts::default() }, None).1;
            (flow.returned, flow.found)
        });
        // It does not run after a step that failed.
        facts.fallible |= matches!(takes, Type::Outcome(_));
        let ty = match want {
            Some(want) => want.clone(),
            None => returned
                .iter()
                .fold(None, |ty: Option<Type>, one| Some(ty.map_or_else(|| one.clone(), |ty| Self::both(&ty, one))))
                .unwrap_or(Type::Unit),
        };
        let ty = match ty {
            Type::Body => Type::Text,
            Type::Null => Type::Unit,
            ty => ty,
        };
        facts.returning = false;
        let (code, _) = self.step_body(node, takes, facts, Some(ty.clone()));
        self.state.nested -= 1;
        let ty = if facts.fallible { Type::Outcome(Box::new(ty)) } else { ty };
        Some(Expr::new(code, ty).bond(Bond::Loose))
    }

    fn step_body(&mut self, node: Node<'t>, takes: &Type, facts: Facts, returns: Option<Type>) -> (Code, Flow) {
        let parameters = field(node, "parameters").map(children).unwrap_or_default();
        let parameter = parameters
            .first()
            .and_then(|first| field(*first, "name"))
            .and_then(|v| super::syntax::variable(v, self.php));
        let (mut frame, copies) = self.captured(node, true);
        let body = field(node, "body").unwrap_or(node);
        let (takes, is_outcome) = match takes {
            Type::Outcome(of) => (&**of, true),
            takes => (takes, false),
        };
        let mut rust = Code::from(if is_outcome { "result" } else { "_" });
        let mut opened = None;
        if let Some(name) = parameter {
            rust = self.fresh(&frame, name);
            if !frame.is_used(name) {
                let word = rust.as_word().unwrap_or_default();
                rust = Code::name(format!("_{}", word.trim_start_matches('_')));
            }
            let var = Var::place(rust.clone(), takes.clone());
            frame.vars.insert(name.to_owned(), var);
            opened = Some(code!("let {rust} = {rust}{};", super::code::End::Try));
        }
        let opened = opened.unwrap_or_else(|| code!("{rust}{};", super::code::End::Try));
        let opened = is_outcome.then(|| opened.running());
        let head: Vec<Code> = opened.into_iter().chain(self.copied(&mut frame)).collect();
        frame.flows = vec![Flow { kind: Kind::Step, assumed: facts, returns: returns.clone(), ..Flow::default() }];
        self.state.frames.push(frame);
        let ends = returns.clone().unwrap_or(Type::Unit);
        let code = self.function_body(body, &ends, facts.fallible);
        let code = Code::lines(head.into_iter().chain([code]).collect());
        let flow = self.flow().clone();
        self.state.frames.pop();
        let result = if facts.fallible { code!(" -> Result<{}, {BOX_ERROR}>", ends.name()) } else { Code::default() };
        let moves = if self.captures(node) { "move " } else { "" };
        let single = match code.shape() {
            Shape::Expression(single) if result.is_empty() && single.is_one_line() => Some(single),
            _ => None,
        };
        let mut closure = match single {
            _ if code.is_empty() => code!("{moves}|{rust}| {{}}"),
            Some(single) => code!("{moves}|{rust}| {single}"),
            None => code!("{moves}|{rust}|{result} {{\n{}\n}}", indent(&code)),
        };
        if !copies.is_empty() {
            closure = code!("{{\n{}\n    {}\n}}", indent(&Code::joined(&copies, "\n")), closure.nested());
        }
        (closure, flow)
    }

    fn captures(&self, node: Node<'t>) -> bool {
        node.kind() == "arrow_function"
            || children(node).iter().any(|child| child.kind() == "anonymous_function_use_clause")
    }

    /// A frame for a closure, with the variables that it captures and the clones that it needs of
    /// them.
    fn captured(&mut self, node: Node<'t>, keeps: bool) -> (Frame, Vec<Code>) {
        let body = field(node, "body").unwrap_or(node);
        let names: Vec<String> = if node.kind() == "arrow_function" {
            self.uses_of(body, &[]).keys().cloned().collect()
        } else {
            children(node)
                .into_iter()
                .filter(|child| child.kind() == "anonymous_function_use_clause")
                .flat_map(children)
                .filter_map(|captured| match captured.kind() {
                    "by_ref" => {
                        let todo = "a closure does not change a variable of its function: return the value";
                        self.note_left(captured, todo);
                        children(captured).first().and_then(|v| super::syntax::variable(*v, self.php))
                    }
                    _ => super::syntax::variable(captured, self.php),
                })
                .map(str::to_owned)
                .collect()
        };
        // The object and its properties are captured without being named.
        let mut names = names;
        if node.kind() != "arrow_function" {
            let own = |name: &String| super::lower::property(name).is_some() || name == "this";
            names.extend(self.uses_of(body, &[]).keys().filter(|name| own(name)).cloned());
        }
        let given: Vec<String> = self.parameter_names(node).into_iter().chain(names.iter().cloned()).collect();
        let outer = self.frame();
        let mut frame = Frame {
            class: outer.class,
            declared_in: outer.declared_in.clone(),
            receiver: outer.receiver,
            uses: self.uses_of(body, &given),
            ..Frame::default()
        };
        let mut copies = Vec::new();
        let mut sorted = names;
        sorted.sort();
        for name in sorted {
            let Some(mut var) = self.frame().vars.get(&name).cloned() else { continue };
            // The closure may assign the variable again.
            (var.loops, var.is_object) = (0, false);
            let property = super::lower::property(&name);
            if let (Some(property), true) = (property, keeps) {
                // A variable that the closure captures may have the same name.
                let mut own = super::text::snake(property);
                while self.frame().vars.is_taken(&own, "") || frame.vars.is_taken(&own, "") {
                    own.push('_');
                }
                let field = std::mem::replace(&mut var.rust, Code::name(own));
                copies.push(code!("let {} = {field}.clone();", var.rust));
                frame.vars.insert(name, var);
                continue;
            }
            if keeps && !var.ty.is_copy() {
                // A promise must own what it captures.
                let last = !self.frame().used_after(&name, node.end_byte());
                match (&var.ty, var.form, &var.literal) {
                    (Type::Text, Form::Ref, Some(_)) => {}
                    (Type::Text, Form::Ref, None) => {
                        copies.push(code!("let {0} = {0}.to_owned();", var.rust));
                        var.form = Form::Place;
                    }
                    (_, Form::Ref, _) => {
                        copies.push(code!("let {0} = {0}.clone();", var.rust));
                        var.form = Form::Place;
                    }
                    _ if !last => copies.push(code!("let {0} = {0}.clone();", var.rust)),
                    _ => {}
                }
            }
            frame.vars.insert(name, var);
        }
        (frame, copies)
    }

    /// A closure in a variable, which always returns a `Result`.
    pub(super) fn closure(&mut self, node: Node<'t>) -> Expr {
        if self.state.nested >= MAX_NESTING {
            return self.left(node, "closures nested so deep: give them names");
        }
        if self.changes_object(node) {
            return self.left(node, "a closure that changes its object: return the value");
        }
        self.state.nested += 1;
        let (frame, _) = self.captured(node, false);
        let body = field(node, "body").unwrap_or(node);
        let written = self.function_parts(node, frame, body);
        self.state.nested -= 1;
        let Some((parameters, signature, code)) = written else {
            return self.left(node, "a closure with parameters of an unknown form");
        };
        let returns = signature.returns.name();
        let code =
            code!("|{}| -> Result<{returns}, {BOX_ERROR}> {{\n{}\n}}", Code::joined(&parameters, ", "), indent(&code));
        Expr::new(code, Type::Closure(Rc::new(signature))).bond(Bond::Loose)
    }

    /// The parameters of a function, its return type, and its body.
    pub(super) fn function_parts(
        &mut self,
        node: Node<'t>,
        frame: Frame,
        body: Node<'t>,
    ) -> Option<(Vec<Code>, Signature, Code)> {
        let annotated = field(node, "return_type").map(|ty| self.annotated(self.text(ty), ty.start_byte()));
        let prints = frame.handler.as_ref().is_some_and(|handler| handler.is_printing);
        let returns = match annotated {
            _ if prints => Type::Output,
            Some(Some(ty)) => ty,
            _ => self.dry_run(|porter| {
                let (_, flow, _) = porter.function_once(node, frame.clone(), body, None)?;
                let all = flow.returned.iter().fold(None, |ty: Option<Type>, one| {
                    Some(ty.map_or_else(|| one.clone(), |ty| Self::both(&ty, one)))
                });
                Some(match all {
                    Some(Type::Null) | None => Type::Unit,
                    Some(Type::Body) => Type::Text,
                    Some(Type::Status) => Type::Int,
                    // Nullable text and numbers are `Value`s, too.
                    Some(Type::Option(of)) if matches!(*of, Type::Text | Type::Int | Type::Bool | Type::Float) => {
                        Type::Value
                    }
                    Some(ty) => ty,
                })
            })?,
        };
        let (signature, parameters) = self.signature(node, returns.clone(), &frame)?;
        let (code, ..) = self.function_once(node, frame, body, Some(returns))?;
        Some((parameters, signature, code))
    }

    pub(super) fn function_once(
        &mut self,
        node: Node<'t>,
        mut frame: Frame,
        body: Node<'t>,
        returns: Option<Type>,
    ) -> Option<(Code, Flow, bool)> {
        let outer = Frame { class: frame.class, declared_in: frame.declared_in.clone(), ..Frame::default() };
        self.state.frames.push(outer);
        let signature = self.signature(node, Type::Unit, &frame);
        self.state.frames.pop();
        let (signature, _) = signature?;
        let mut head = self.bind_parameters(node, &mut frame, &signature);
        head.extend(self.promoted_parameters(node, &mut frame));
        if frame.handler.as_ref().is_some_and(|handler| handler.is_printing) {
            head.insert(0, code!("let output = {PHP}::Output::new();"));
        }
        let declared = field(node, "return_type").is_some();
        frame.source = (!declared).then(|| Self::return_source(node));
        frame.flows = vec![Flow { kind: Kind::Function, returns: returns.clone(), declared, ..Flow::default() }];
        self.state.frames.push(frame);
        let code = self.function_body(body, &returns.unwrap_or(Type::Unit), true);
        let code = Code::lines(head.into_iter().chain([code]).collect());
        let (flow, mutates) = (self.flow().clone(), self.frame().mutates);
        self.state.frames.pop();
        Some((code, flow, mutates))
    }

    /// Adds the parameters of a function to its variables. Returns the copies of those that it
    /// modifies.
    pub(super) fn bind_parameters(&mut self, node: Node<'t>, frame: &mut Frame, signature: &Signature) -> Vec<Code> {
        let parameters = self.parameters_of(node);
        let mut checks = Vec::new();
        for (parameter, ty) in parameters.iter().zip(&signature.parameters) {
            let Some(name) = field(*parameter, "name").and_then(|v| super::syntax::variable(v, self.php)) else {
                continue;
            };
            let rust = self.fresh(frame, name);
            let form = if !ty.is_passed_owned() { Form::Ref } else { Form::Place };
            let origin = super::signature::parameter_origin(*parameter, name);
            let undeclared = field(*parameter, "type").is_none();
            if self.known.checked.contains(origin.as_str()) {
                // PHP checks the arguments when all of them are evaluated.
                checks.push(code!("{PHP}::array_argument({rust}){};", super::code::End::Try).running());
            }
            let source: Option<std::rc::Rc<str>> = undeclared.then(|| origin.into());
            let origin = source.clone().filter(|_| *ty == Type::Value);
            let var = Var { form, origin, source, ..Var::place(rust, ty.clone()) };
            frame.vars.insert(name.to_owned(), var);
            frame.vars.set_site(name, parameter.start_byte());
        }
        checks.extend(self.copied(frame));
        checks
    }
}
