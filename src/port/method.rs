//! Converts a class to a struct: its fields, constructor, methods and constants.

use std::rc::Rc;

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, code, indent};
use super::constructor::place;
use super::frame::{Flow, Frame, Kind};
use super::imports::{BOX_ERROR, VALUE};
use super::lower::PREFIX;
use super::members::{Class, Method, Property};
use super::own::{method_key, plain_constant, property_key};
use super::syntax::{field, named};
use super::value::{Expr, Form, Type};
use super::vars::Var;

impl<'t> Porter<'t> {
    /// A class as a struct and its implementation, with the comments above it.
    pub(super) fn class_item(&mut self, number: usize, siblings: &[Node<'t>]) -> Code {
        let Some(class) = self.classes.get(number).cloned() else { return Code::default() };
        let mut out = code!("{}", self.comments_above(class.node, siblings, "///"));
        let mut notes = Vec::new();
        let unsupported = class.unsupported.iter().copied().chain(self.properties_of_itself(&class));
        for (member, why) in unsupported.collect::<Vec<_>>() {
            self.note_left(member, why);
            notes.extend(std::mem::take(&mut self.state.notes).into_iter().map(|note| note.text));
        }
        for note in notes {
            out.push(&code!("{note}\n"));
        }
        let fields = if class.is_abstract { Code::default() } else { self.fields(&class) };
        let (variables, functions) = self.static_items(&class);
        let ty = Type::Object(Rc::clone(&class.rust));
        let clone = if self.is_constant(&ty) { "#[derive(Clone)]\n" } else { "" };
        out = code!("{variables}{out}");
        out.push(&code!("{clone}pub struct {}", class.rust));
        out.push(&if fields.is_empty() { ";\n".into() } else { code!(" {{\n{}\n}}\n", indent(&fields)) });
        let mut items = self.class_constants(&class);
        items.extend(functions);
        if class.is_abstract {
            items.extend(self.abstract_constructor(&class));
        } else if class.method("__construct").is_none() {
            items.push(self.default_constructor(&class));
        }
        let members = field(class.node, "body").map(named).unwrap_or_default();
        let written = |method: &&Method<'t>| method.is_static || !class.is_abstract;
        for method in class.methods.iter().filter(written) {
            let item = if method.name == "__construct" {
                self.constructor(&class, method, &members)
            } else if method.name.ends_with("::__construct") {
                self.method(&class, method, &members, "construct")
            } else {
                self.method(&class, method, &members, "")
            };
            items.push(item);
        }
        if !items.is_empty() {
            out.push(&code!("\nimpl {} {{\n{}\n}}", class.rust, indent(&Code::joined(&items, "\n\n"))));
        }
        out
    }

    /// The comments above a class or a member.
    pub(super) fn comments_above(&mut self, node: Node<'t>, siblings: &[Node<'t>], mark: &str) -> String {
        // The siblings are in the order of their positions.
        let number = siblings.partition_point(|one| one.start_byte() < node.start_byte());
        let mut above = Vec::new();
        for comment in siblings.get(..number).unwrap_or_default().iter().rev() {
            if comment.kind() != "comment" {
                break;
            }
            if self.mark_emitted(*comment) {
                let comment = super::array::rust_comment(self.text(*comment));
                let lines: Vec<String> = comment.lines().map(|line| line.replacen("//", mark, 1)).collect();
                above.insert(0, lines.join("\n"));
            }
        }
        above.into_iter().map(|comment| format!("{comment}\n")).collect()
    }

    fn fields(&mut self, class: &Rc<Class<'t>>) -> Code {
        let mut fields = Vec::new();
        for property in class.properties.iter().filter(|property| !property.is_static) {
            let comments = property.node.map(|node| {
                let siblings = node.parent().map(named).unwrap_or_default();
                self.comments_above(node, &siblings, "///")
            });
            let ty = self.property_type(class, property);
            let visible = self.visibility(property.is_public);
            let comments = comments.unwrap_or_default();
            fields.push(code!("{comments}{visible}{}: {},", property.rust, ty.name()));
        }
        if let Some(base) = class.base {
            let ty = self.foreign(self.text(base), base.start_byte());
            if self.known.parents.contains(&class.rust) {
                fields.push(code!("parent: {},", ty.name()));
            }
        }
        Code::lines(fields)
    }

    /// The declared type of a property.
    pub(super) fn declared_type(&mut self, class: &Class<'t>, property: &Property<'t>) -> Option<Type> {
        let number = self.class_number(&class.name);
        let outer = std::mem::replace(&mut self.frame().class, number);
        let declared = property.declared.and_then(|ty| self.annotated(self.text(ty), ty.start_byte()));
        self.frame().class = outer;
        declared
    }

    /// The type of a property: declared, required by its uses, or joined from its values.
    pub(super) fn property_type(&mut self, class: &Rc<Class<'t>>, property: &Property<'t>) -> Type {
        let key = property_key(class, &property.name);
        let declared = self.declared_type(class, property);
        let always = property.is_promoted || !property.is_static && class.assigned.contains(&property.name);
        let ty = match (declared, self.known.implied.get(&key)) {
            (Some(ty), _) => ty,
            (None, Some(ty)) => match self.known.types.get(&key) {
                Some(Type::Null) => Type::Option(Box::new(ty.clone())),
                Some(Type::Value) | None => ty.clone(),
                Some(known) => known.clone(),
            },
            (None, None) => self.known.types.get(&key).cloned().unwrap_or(Type::Value),
        };
        let ty = match ty {
            Type::Null | Type::Unit => Type::Value,
            Type::Body => Type::Text,
            ty => Self::scalar(ty),
        };
        // PHP takes a declared property that was never assigned for null where it is tested.
        let scalar = matches!(ty, Type::Text | Type::Int | Type::Float | Type::Bool);
        let unset = property.declared.is_some() && property.default.is_none() && !always;
        if scalar && unset && self.known.tested.contains(key.as_str()) {
            return Type::Value;
        }
        if !property.is_static && self.contains_itself(class, &ty) {
            return Type::Value;
        }
        let optional = matches!(ty, Type::Option(_));
        if ty.is_object() && !optional && !always { Type::Option(Box::new(ty)) } else { ty }
    }

    /// The types of the values that properties begin with.
    pub(super) fn learn_defaults(&mut self, class: &Rc<Class<'t>>) {
        for property in class.properties.iter().filter(|property| property.declared.is_none()) {
            let ty = match property.default {
                Some(default) => {
                    if self.text(default).eq_ignore_ascii_case("false") {
                        self.found.falsy.insert(property_key(class, &property.name).into());
                    }
                    let frame = self.method_frame(class, &class.name, &[], default, "");
                    self.dry_run(|porter| {
                        porter.state.frames.push(frame);
                        porter.expression(default).ty
                    })
                }
                None if class.assigned.contains(&property.name) || property.is_promoted => continue,
                None => Type::Null,
            };
            self.learn_type(property_key(class, &property.name), &ty);
        }
    }

    fn class_constants(&mut self, class: &Rc<Class<'t>>) -> Vec<Code> {
        let mut out = Vec::new();
        for constant in &class.constants {
            let visible = self.visibility(constant.is_public);
            let name = constant.rust.clone();
            let value = self.constant_value(class, constant);
            let siblings = constant.value.parent().and_then(|element| element.parent());
            let comments = siblings.map(|node| {
                let all = node.parent().map(named).unwrap_or_default();
                self.comments_above(node, &all, "///")
            });
            let comments = comments.unwrap_or_default();
            out.push(match plain_constant(&value) {
                Some(ty) => code!("{comments}{visible}const {}: {ty} = {};", name.to_uppercase(), value.code),
                None => {
                    let frame = self.method_frame(class, &constant.of, &[], constant.value, "");
                    self.state.frames.push(frame);
                    let value = self.expression(constant.value);
                    let value = self.owned_as(&value, &Type::Value).unwrap_or_else(|| self.todo(constant.value));
                    self.state.frames.pop();
                    let notes: String = std::mem::take(&mut self.state.notes)
                        .into_iter()
                        .map(|note| format!("{}\n", note.text))
                        .collect();
                    let name = class.function_of(constant);
                    code!(
                        "{comments}{notes}{visible}fn {name}() -> Result<{VALUE}, {BOX_ERROR}> {{\n    Ok({value})\n}}"
                    )
                }
            });
        }
        out
    }

    /// A frame for code of a class, without its properties.
    pub(super) fn method_frame(
        &mut self,
        class: &Rc<Class<'t>>,
        of: &str,
        names: &[String],
        body: Node<'t>,
        receiver: &'static str,
    ) -> Frame {
        let mut known: Vec<String> = names.to_vec();
        known.extend(class.properties.iter().map(|property| format!("{PREFIX}{}", property.name)));
        known.push("this".to_owned());
        let number = self.class_number(&class.name);
        Frame {
            uses: self.uses_of(body, &known),
            class: number,
            declared_in: of.to_owned(),
            receiver,
            flows: vec![Flow { kind: Kind::Function, returns: Some(Type::Value), ..Flow::default() }],
            ..Frame::default()
        }
    }

    /// Adds the properties of an object to the variables of a method.
    pub(super) fn add_properties(&mut self, frame: &mut Frame, class: &Rc<Class<'t>>, receiver: &str) {
        for property in class.properties.iter().filter(|property| !property.is_static) {
            let ty = self.property_type(class, property);
            let key = property_key(class, &property.name);
            let origin = (ty == Type::Value && property.declared.is_none()).then(|| key.into());
            let rust = Code::field(receiver, &property.rust);
            let var = Var { origin, ..place(rust, ty) };
            frame.vars.insert(format!("{PREFIX}{}", property.name), var);
        }
        let this = Var {
            form: Form::Ref,
            mutable: false,
            ..place(Code::name(receiver), Type::Object(Rc::clone(&class.rust)))
        };
        frame.vars.insert("this".into(), this);
    }

    pub(super) fn method(
        &mut self,
        class: &Rc<Class<'t>>,
        method: &Method<'t>,
        members: &[Node<'t>],
        word: &str,
    ) -> Code {
        let comments = self.comments_above(method.node, members, "///");
        let mut out = code!("{comments}");
        let body = field(method.node, "body").unwrap_or(method.node);
        let names = self.parameter_names(method.node);
        let receiver = if method.is_static { "" } else { "self" };
        let mut frame = self.method_frame(class, &method.of, &names, body, receiver);
        if !method.is_static {
            self.add_properties(&mut frame, class, "self");
        }
        let fluent = self.is_fluent(method.node);
        let changes = frame.uses.iter().any(|(name, story)| {
            super::lower::property(name).is_some() && story.uses.iter().any(|one| one.act != super::scope::Act::Read)
        });
        (frame.mutates, frame.fluent) = (changes, fluent);
        frame.handler = self.handler_of(method.node);
        if frame.handler.is_some() {
            out.push(&code!("{}\n", super::handler::NOTE));
        }
        let returns = self.method_returns(class, method);
        let notes = std::mem::take(&mut self.state.notes);
        let parts = self.written_method(method.node, frame, body, returns.clone());
        let own = std::mem::replace(&mut self.state.notes, notes);
        let Some((parameters, code, flow, mutates)) = parts else {
            self.note_left(method.node, "a method with parameters of an unknown form");
            let notes: Vec<String> = std::mem::take(&mut self.state.notes).into_iter().map(|note| note.text).collect();
            // Documentation without an item does not compile.
            return code!(
                "{}{}",
                comments.replace("///", "//"),
                notes.join(
                    "
"
                )
            );
        };
        for note in own {
            out.push(&code!("{}\n", note.text));
        }
        if mutates && self.learns() {
            self.found.mutating.insert((Rc::clone(&class.rust), method.name.clone()));
        }
        if field(method.node, "return_type").is_none() && word.is_empty() {
            let key = format!("return {}", method_key(class, method));
            let all = flow
                .returned
                .iter()
                .fold(None, |ty: Option<Type>, one| Some(ty.map_or_else(|| one.clone(), |ty| Self::both(&ty, one))));
            self.learn_type(key, &all.unwrap_or(Type::Null));
        }
        let mutates = self.known.mutating.contains(&(Rc::clone(&class.rust), method.name.clone())) || mutates;
        let this = match (method.is_static, mutates) {
            (true, _) => None,
            (false, true) => Some("&mut self".into()),
            (false, false) => Some("&self".into()),
        };
        let parameters: Vec<Code> = this.into_iter().chain(parameters).collect();
        let returns = match (fluent, mutates) {
            (true, true) => "&mut Self".into(),
            (true, false) => "&Self".into(),
            _ => returns.name(),
        };
        let visible = self.visibility(method.is_public);
        out.push(&code!(
            "{visible}fn {}({}) -> Result<{returns}, {BOX_ERROR}> {{\n{}\n}}",
            method.rust,
            Code::joined(&parameters, ", "),
            indent(&code)
        ));
        out
    }

    /// The parameters and the body of a method, how it ends, and whether it changes its object.
    fn written_method(
        &mut self,
        node: Node<'t>,
        frame: Frame,
        body: Node<'t>,
        returns: Type,
    ) -> Option<(Vec<Code>, Code, Flow, bool)> {
        self.state.frames.push(Frame { uses: Rc::default(), vars: Default::default(), ..frame.clone() });
        let signature = self.signature(node, returns.clone(), &frame);
        self.state.frames.pop();
        let (_, parameters) = signature?;
        let (code, flow, mutates) = self.function_once(node, frame, body, Some(returns))?;
        Some((parameters, code, flow, mutates))
    }

    /// The value of a property, converted as PHP converts it.
    pub(super) fn for_property(&mut self, name: &str, e: Expr) -> Expr {
        let (Some(class), Some(name)) = (self.this_class(), super::lower::property(name)) else { return e };
        let Some(property) = class.properties.iter().find(|property| property.name == name).cloned() else { return e };
        self.for_declared(&class, &property, e)
    }
}
