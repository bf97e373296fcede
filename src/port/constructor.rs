//! Converts constructors.

use std::rc::Rc;

use tree_sitter::Node;

use super::Porter;
use super::class::returns_early;
use super::code::{Code, End, code, indent};
use super::frame::{Flow, Frame, Kind};
use super::imports::{BOX_ERROR, PHP, VALUE};
use super::lower::PREFIX;
use super::members::{Class, Method, Property};
use super::own::property_key;
use super::syntax::{children, field, named};
use super::text::snake;
use super::value::{Expr, Form, Type};
use super::vars::Var;
use super::yours;

impl<'t> Porter<'t> {
    /// `new` of a class without a constructor.
    pub(super) fn default_constructor(&mut self, class: &Rc<Class<'t>>) -> Code {
        let frame = self.method_frame(class, &class.name, &[], class.node, "");
        self.state.frames.push(frame);
        let mut parts = Vec::new();
        for property in class.properties.iter().filter(|property| !property.is_static) {
            let ty = self.property_type(class, property);
            parts.push(code!("{}: {}", property.rust, self.initial(class, property, &ty)));
        }
        parts.extend(self.parent_part(class));
        self.state.frames.pop();
        let notes: String =
            std::mem::take(&mut self.state.notes).into_iter().map(|note| format!("{}\n", note.text)).collect();
        code!("{notes}pub fn new() -> Result<Self, {BOX_ERROR}> {{\n    Ok({})\n}}", literal(&parts))
    }

    /// `new` of an abstract class, whose static methods create an object of the class that is
    /// called. PHP throws this error where that is the abstract class itself.
    pub(super) fn abstract_constructor(&mut self, class: &Rc<Class<'t>>) -> Option<Code> {
        let creates = |method: &&Method<'t>| method.is_static && creates_itself(method.node, self.php);
        class.methods.iter().find(creates)?;
        let signature = match class.method("__construct").cloned() {
            Some(constructor) => self.method_signature(class, &constructor)?.parameters.clone(),
            None => Vec::new(),
        };
        let parameters: Vec<Code> = signature.iter().map(|ty| code!("_: {}", ty.parameter())).collect();
        let reason = Code::quoted(&format!("Cannot instantiate abstract class {}", class.rust));
        Some(code!(
            "fn new({}) -> Result<Self, {BOX_ERROR}> {{\n    Err({PHP}::error({reason}))\n}}",
            Code::joined(&parameters, ", ")
        ))
    }

    /// The field of a parent that is in another file. Its constructor is that of the parent.
    pub(super) fn parent_part(&mut self, class: &Rc<Class<'t>>) -> Option<Code> {
        let base = class.base.filter(|_| self.known.parents.contains(&class.rust))?;
        let Type::Foreign(owner) = self.foreign(self.text(base), base.start_byte()) else { return None };
        let php = format!("new {}()", self.text(base));
        let used =
            yours::Use { kind: super::facts::Kind::New, owner: Some(owner), object: Code::default(), name: "new", php };
        let made = self.stub_of(base, &used, Vec::new());
        Some(code!("parent: {}", made.code))
    }

    /// The constructor as `new`: its properties are variables until the object is used as a whole.
    pub(super) fn constructor(&mut self, class: &Rc<Class<'t>>, method: &Method<'t>, members: &[Node<'t>]) -> Code {
        let Some(body) = field(method.node, "body") else { return Code::default() };
        if returns_early(method) {
            return self.constructor_by_method(class, method, members);
        }
        let comments = self.comments_above(method.node, members, "///");
        let names = self.parameter_names(method.node);
        let mut known = names.clone();
        let later = |property: &&Property<'t>| !property.is_static && !class.assigned.contains(&property.name);
        known.extend(class.properties.iter().filter(later).map(|property| format!("{PREFIX}{}", property.name)));
        let number = self.class_number(&class.name);
        let mut frame = Frame {
            uses: self.uses_of(body, &known),
            class: number,
            declared_in: method.of.clone(),
            ..Frame::default()
        };
        let notes = std::mem::take(&mut self.state.notes);
        self.state.frames.push(frame.clone());
        let signature = self.signature(method.node, Type::Unit, &frame);
        self.state.frames.pop();
        let Some((signature, parameters)) = signature else {
            self.note_left(method.node, "a constructor with parameters of an unknown form");
            let own = std::mem::replace(&mut self.state.notes, notes);
            let own: Vec<String> = own.into_iter().map(|note| note.text).collect();
            return code!("{comments}{}", own.join("\n"));
        };
        let head = self.bind_parameters(method.node, &mut frame, &signature);
        frame.flows = vec![Flow { kind: Kind::Function, returns: Some(Type::Unit), ..Flow::default() }];
        self.state.frames.push(frame);
        let mut lines = head;
        // Properties that are not assigned for certain begin with their defaults.
        for property in class.properties.iter().filter(|property| later(property)) {
            let php = format!("{PREFIX}{}", property.name);
            if property.is_promoted {
                if let Some(var) = self.frame().vars.get(&property.name).cloned() {
                    if self.frame().is_modified(&php) {
                        let rust = self.fresh_here(&php);
                        let read = Expr::place(var.rust, var.ty.clone()).form(var.form);
                        let value = self.owned_as(&read, &var.ty).unwrap_or_else(|| read.owned());
                        lines.push(code!("let mut {rust} = {value};"));
                        self.frame().vars.insert(php, place(rust, var.ty));
                    } else {
                        self.frame().vars.insert(php, var);
                    }
                }
                continue;
            }
            if !self.frame().is_modified(&php) && !self.frame().is_used(&php) {
                continue;
            }
            let ty = self.property_type(class, property);
            let value = self.initial(class, property, &ty);
            let rust = self.fresh_here(&php);
            let named = match &ty {
                Type::Int | Type::Option(_) => code!(": {}", ty.name()),
                _ => Code::default(),
            };
            lines.push(code!("let mut {rust}{named} = {value};"));
            self.frame().vars.insert(php, place(rust, ty));
        }
        let nodes = named(body);
        let until = self.first_other_use(body, &class.properties);
        let (first, rest): (Vec<Node<'t>>, Vec<Node<'t>>) = nodes.iter().partition(|node| node.start_byte() < until);
        lines.push(self.statements(body, &first, None));
        let parts = self.parts_of(class);
        if rest.iter().all(|node| node.kind() == "comment") {
            lines.push(self.statements(body, &rest, None));
            lines.push(code!("Ok({})", literal(&parts)));
        } else {
            lines.push(code!("let mut this = {};", literal(&parts)));
            let mut frame = std::mem::take(self.frame());
            frame.receiver = "this";
            self.add_properties(&mut frame, class, "this");
            *self.frame() = frame;
            lines.push(self.statements(body, &rest, None));
            lines.push("Ok(this)".into());
        }
        self.state.frames.pop();
        let own = std::mem::replace(&mut self.state.notes, notes);
        let own: String = own.into_iter().map(|note| format!("{}\n", note.text)).collect();
        let visible = self.visibility(method.is_public);
        code!(
            "{comments}{own}{visible}fn new({}) -> Result<Self, {BOX_ERROR}> {{\n{}\n}}",
            Code::joined(&parameters, ", "),
            indent(&Code::lines(lines))
        )
    }

    /// The fields of a new object, from the variables of the constructor.
    pub(super) fn parts_of(&mut self, class: &Rc<Class<'t>>) -> Vec<Code> {
        let mut parts = Vec::new();
        for property in class.properties.iter().filter(|property| !property.is_static) {
            let ty = self.property_type(class, property);
            let php = format!("{PREFIX}{}", property.name);
            let value = match self.frame().vars.get(&php).cloned() {
                None => self.initial(class, property, &ty),
                Some(var) => {
                    let read = Expr::place(var.rust.clone(), var.ty.clone()).form(var.form);
                    let moves = var.form == Form::Place && (!property.is_promoted || var.mutable);
                    match &ty {
                        _ if moves && var.ty == ty => var.rust,
                        // It is assigned in each branch that comes here.
                        _ if var.ty == Type::Option(Box::new(ty.clone())) => {
                            let end = self.try_any();
                            code!(
                                "{}.ok_or_else(|| {PHP}::error(\"$this->{} has no value\")){end}",
                                var.rust,
                                property.name
                            )
                        }
                        Type::Option(of) if **of == var.ty && moves => code!("Some({})", var.rust),
                        _ => match self.owned_as(&read, &ty) {
                            Some(code) => code,
                            None => {
                                let node = property.node.unwrap_or(class.node);
                                self.left_as(node, "the property has another type", ty.clone()).code
                            }
                        },
                    }
                }
            };
            let is_named = value.as_word() == Some(property.rust.as_str());
            parts.push(if is_named { value } else { code!("{}: {value}", property.rust) });
        }
        parts.extend(self.parent_part(class));
        parts
    }

    /// A constructor that returns early: a method of an object that has its defaults.
    pub(super) fn constructor_by_method(
        &mut self,
        class: &Rc<Class<'t>>,
        method: &Method<'t>,
        members: &[Node<'t>],
    ) -> Code {
        let own = Method { rust: "construct".to_owned(), is_public: false, ..method.clone() };
        let code = self.method(class, &own, members, "construct");
        let Some(signature) = self.method_signature(class, method) else { return code };
        let names = self.parameter_names(method.node);
        let rust: Vec<Code> = names.iter().map(|name| Code::name(snake(name))).collect();
        let parameters: Vec<Code> =
            rust.iter().zip(&signature.parameters).map(|(name, ty)| code!("{name}: {}", ty.parameter())).collect();
        let frame = self.method_frame(class, &class.name, &names, class.node, "");
        self.state.frames.push(frame);
        let parts = self.parts_of(class);
        self.state.frames.pop();
        let visible = self.visibility(method.is_public);
        code!(
            "{code}\n\n{visible}fn new({}) -> Result<Self, {BOX_ERROR}> {{\n    let mut this = {};\n    this.construct({}){};\n    Ok(this)\n}}",
            Code::joined(&parameters, ", "),
            literal(&parts).nested(),
            Code::joined(&rust, ", "),
            End::Try
        )
    }

    /// Assigns the properties that are parameters of a constructor, where it is a method.
    pub(super) fn promoted_parameters(&mut self, constructor: Node<'t>, frame: &mut Frame) -> Vec<Code> {
        let mut lines = Vec::new();
        for parameter in self.parameters_of(constructor) {
            let name = field(parameter, "name").and_then(|name| super::syntax::variable(name, self.php));
            let Some(name) = name.filter(|_| parameter.kind() == "property_promotion_parameter") else { continue };
            let property = frame.vars.get(&format!("{PREFIX}{name}")).cloned();
            let (Some(given), Some(property)) = (frame.vars.get(name).cloned(), property) else { continue };
            frame.mutates = true;
            let given = Expr::place(given.rust, given.ty).form(given.form);
            let value = match &property.ty {
                Type::Option(of) if **of == given.ty => Some(code!("Some({})", given.owned())),
                ty => self.owned_as(&given, ty),
            };
            lines.push(match value {
                Some(value) => code!("{} = {value};", property.rust),
                None => self.note_left(parameter, "the property has another type").statement(),
            });
        }
        lines
    }

    /// The value that a property has before it is assigned.
    pub(super) fn initial(&mut self, class: &Class<'t>, property: &Property<'t>, ty: &Type) -> Code {
        if let Some(default) = property.default {
            if self.text(default).eq_ignore_ascii_case("false") && matches!(ty, Type::Option(of) if of.is_object()) {
                return "None".into();
            }
            let e = self.expression(default);
            let code = match self.coerced(&e, ty).filter(|_| e.ty != Type::Null) {
                Some(e) => self.owned_as(&e, ty),
                None => self.owned_as(&e, ty),
            };
            return code.unwrap_or_else(|| self.left_as(default, "a default of another type", ty.clone()).code);
        }
        // An object begins with `None`, which is an error to read. Other types have no such value,
        // but PHP code that tests a property expects that it may have none.
        let tested = self.known.tested.contains(property_key(class, &property.name).as_str());
        if let (Some(_), Some(node), false) =
            (property.declared, property.node, tested || matches!(ty, Type::Option(_)))
        {
            self.note_left(node, "PHP fails if this property is read before it is assigned: give it a default");
        }
        match ty {
            Type::Text => "String::new()".into(),
            Type::Int => "0".into(),
            Type::Float => "0.0".into(),
            Type::Bool => Code::truth(false),
            Type::Value => code!("{VALUE}::Null"),
            _ => "None".into(),
        }
    }
}

/// Whether code contains `new static` or `new self`.
fn creates_itself(node: Node<'_>, php: &str) -> bool {
    let created = (node.kind() == "object_creation_expression").then(|| children(node).first().copied()).flatten();
    let name = created.map(|name| super::syntax::text(name, php).to_ascii_lowercase());
    matches!(name.as_deref(), Some("static" | "self"))
        || children(node).into_iter().any(|child| creates_itself(child, php))
}

/// A place that can be changed.
pub(super) fn place(rust: Code, ty: Type) -> Var {
    Var { mutable: true, ..Var::place(rust, ty) }
}

/// `Self { ... }`
pub(super) fn literal(parts: &[Code]) -> Code {
    if parts.is_empty() {
        return "Self {}".into();
    }
    let line = code!("Self {{ {} }}", Code::joined(parts, ", "));
    if line.width() < 80 && line.is_one_line() {
        return line;
    }
    code!("Self {{\n{}\n}}", indent(&code!("{},", Code::joined(parts, ",\n"))))
}
