//! Converts an expression from its type to the type that its context needs.

use super::Porter;
use super::code::{Code, Shape, code};
use super::imports::{JSON, PHP, VALUE};
use super::value::{Bond, Expr, Form, Type};
use super::{text, value};

impl<'t> Porter<'t> {
    /// A `&str`.
    pub(super) fn str(&mut self, e: &Expr) -> Code {
        match (&e.ty, e.form) {
            (Type::Text, Form::Ref) => e.code.clone(),
            (Type::Text, _) => e.reference(),
            (Type::Body, _) => code!("&{}.text()", e.tight()),
            (Type::Null, _) => "\"\"".into(),
            _ => code!("&{}", self.string(e)),
        }
    }

    /// A `String`.
    pub(super) fn string(&mut self, e: &Expr) -> Code {
        match &e.ty {
            Type::Object(_) | Type::Foreign(_) => self.object_text(),
            Type::Text | Type::Body => e.owned(),
            Type::Null => "String::new()".into(),
            Type::Bool => code!("String::from(if {} {{ \"1\" }} else {{ \"\" }})", e.code),
            Type::Float => code!("{PHP}::number_text({})", e.code),
            Type::Int | Type::Status | Type::Error | Type::BoxError => Code::shown(e.tight()),
            Type::Bytes => code!("String::from_utf8_lossy({}).into_owned()", e.reference()),
            _ => {
                let reference = self.value_ref(e);
                code!("{PHP}::text({reference})")
            }
        }
    }

    /// The argument of a format string for it.
    pub(super) fn display(&mut self, e: &Expr) -> Code {
        match &e.ty {
            Type::Object(_) | Type::Foreign(_) => self.object_text(),
            Type::Text | Type::Int | Type::Status | Type::Error | Type::BoxError => e.code.clone(),
            Type::Body => code!("{}.text()", e.tight()),
            Type::Bool => code!("if {} {{ \"1\" }} else {{ \"\" }}", e.code),
            _ => self.string(e),
        }
    }

    /// The form that it takes inside of `json!`, which borrows.
    pub(super) fn json(&mut self, e: &Expr) -> Code {
        match (&e.inside, &e.ty) {
            (Some(inside), _) => inside.clone(),
            (None, Type::Null) => "null".into(),
            (None, Type::Body) => code!("{}.text()", e.tight()),
            (None, Type::Float) => {
                let end = self.try_any();
                code!("{PHP}::finite({}){end}", e.code)
            }
            (None, Type::Bool) if e.bond > Bond::Compare => code!("({})", e.code),
            (None, Type::Value | Type::Text | Type::Int | Type::Bool | Type::Status) => e.code.clone(),
            (None, Type::Error | Type::BoxError | Type::Bytes) => self.string(e),
            // JSON has no form for the other types.
            _ => self.object_text(),
        }
    }

    /// The text of an object, which its class may define.
    fn object_text(&mut self) -> Code {
        const WHY: &str = "an object as a text: call the method that makes it";
        // Outside of statements there is no line to list, so the program does not compile.
        let Some(node) = self.statement else { return code!("compile_error!(\"{WHY}\")") };
        let todo = self.note_left(node, WHY);
        code!("({todo} as String)")
    }

    /// A `Value`.
    pub(super) fn value(&mut self, e: &Expr) -> Code {
        match &e.ty {
            Type::Value => e.owned(),
            Type::Null => code!("{VALUE}::Null"),
            _ => {
                code!("{JSON}!({})", self.json(e))
            }
        }
    }

    /// A `&Value`.
    pub(super) fn value_ref(&mut self, e: &Expr) -> Code {
        match &e.ty {
            Type::Value => e.reference(),
            _ => code!("&{}", self.value(e)),
        }
    }

    /// An operand of `php::equal`, `php::add` and the like.
    pub(super) fn operand(&mut self, e: &Expr) -> Code {
        match &e.ty {
            Type::Value if e.inside.is_some() => code!("&{}", e.code),
            Type::Value => e.reference(),
            Type::Null => code!("&{VALUE}::Null"),
            Type::Text => self.str(e),
            Type::Int | Type::Bool => e.code.clone(),
            Type::Status => code!("i64::from({})", e.code),
            Type::Float if e.inside.is_some() => e.code.clone(),
            _ => code!("&{}", self.value(e)),
        }
    }

    /// The value as PHP converts it for a parameter or a return value with a declared type; `None`
    /// if the conversion has no meaning.
    pub(super) fn coerced(&mut self, e: &Expr, ty: &Type) -> Option<Expr> {
        let convert = match ty {
            Type::Int => "int_argument",
            Type::Float => "float_argument",
            Type::Text => "text_argument",
            Type::Bool => "bool_argument",
            _ => return None,
        };
        let fits = match ty {
            _ if e.ty == *ty => true,
            Type::Int => e.ty == Type::Status,
            Type::Float => matches!(e.ty, Type::Int | Type::Status),
            Type::Text => matches!(e.ty, Type::Body | Type::Int | Type::Float | Type::Bool),
            Type::Bool => matches!(e.ty, Type::Int | Type::Float | Type::Text),
            _ => false,
        };
        if fits {
            return Some(e.clone());
        }
        if e.ty.is_object() || matches!(e.ty, Type::Unit) {
            return None;
        }
        let value = self.value_ref(e);
        let end = self.try_any();
        Some(Expr::new(code!("{PHP}::{convert}({value}){end}"), ty.clone()))
    }

    /// The argument of a parameter that is null or of a declared type.
    pub(super) fn nullable(&mut self, e: &Expr, of: &Type) -> Expr {
        let convert = match of {
            _ if e.ty == *of || e.ty == Type::Null || e.ty.is_object() => return e.clone(),
            Type::Int => "int_argument",
            Type::Float => "float_argument",
            Type::Text => "text_argument",
            Type::Bool => "bool_argument",
            _ => return e.clone(),
        };
        let value = self.value_ref(e);
        let end = self.try_any();
        Expr::new(code!("{PHP}::nullable({value}, {PHP}::{convert}){end}"), Type::Value)
    }

    /// A `bool` by PHP's rules of truth, with parentheses if it binds less tightly than `bond`.
    pub(super) fn truth(&mut self, e: &Expr, bond: Bond) -> Code {
        self.tested(e);
        match &e.ty {
            Type::Bool => e.within(bond),
            Type::Null => self.constant_of(&[e], false).within(bond),
            Type::Int => Expr::new(code!("{} != 0", e.within(Bond::Sum)), Type::Bool).bond(Bond::Compare).within(bond),
            Type::Text => Code::not(code!("matches!({}, \"\" | \"0\")", self.plain_str(e))),
            Type::MaybeResponse | Type::Option(_) => Code::is_some(e.tight()),
            ty if ty.is_object() || *ty == Type::Status => self.constant_of(&[e], true).within(bond),
            Type::Unit => self.constant_of(&[e], false).within(bond),
            Type::Value => code!("{PHP}::truth({})", e.reference()),
            Type::Float => {
                Expr::new(code!("{} != 0.0", e.within(Bond::Sum)), Type::Bool).bond(Bond::Compare).within(bond)
            }
            _ => {
                let text = self.string(e);
                Code::not(code!("matches!({text}.as_str(), \"\" | \"0\")"))
            }
        }
    }

    /// `!$e`
    pub(super) fn not_true(&mut self, e: &Expr) -> Expr {
        if e.ty == Type::Bool {
            return super::operator::negated(e);
        }
        let zero = match e.ty {
            Type::Int => "0",
            Type::Float => "0.0",
            _ => {
                let code = self.truth(e, Bond::Unary);
                let bond = if matches!(code.shape(), Shape::Not(_)) { Bond::Unary } else { Bond::Tight };
                return super::operator::negated(&Expr::new(code, Type::Bool).bond(bond));
            }
        };
        Expr::new(Code::equal(e.within(Bond::Sum), zero), Type::Bool).bond(Bond::Compare)
    }

    /// A `&str` that can be matched, not a `&String`.
    pub(super) fn plain_str(&mut self, e: &Expr) -> Code {
        match (&e.ty, e.form) {
            (Type::Text, Form::Ref) => e.code.clone(),
            (Type::Text, _) => code!("{}.as_str()", e.tight()),
            _ => code!("{}.as_str()", self.string(e)),
        }
    }

    /// An `i64`.
    pub(super) fn int(&mut self, e: &Expr) -> Code {
        match &e.ty {
            Type::Int => e.code.clone(),
            Type::Null => Code::number(0),
            Type::Bool | Type::Status => code!("i64::from({})", e.code),
            Type::Float => code!("{PHP}::int_of_float({})", e.code),
            Type::Text => code!("{PHP}::int_of_text({})", self.str(e)),
            _ => {
                let reference = self.value_ref(e);
                code!("{PHP}::int({reference})")
            }
        }
    }

    /// An `f64`.
    pub(super) fn float(&mut self, e: &Expr) -> Code {
        match &e.ty {
            Type::Float => e.code.clone(),
            Type::Int if e.code.as_number().is_some() => code!("{}.0", e.code),
            Type::Int => Code::cast(e.within(Bond::Unary), "f64"),
            Type::Text => code!("{PHP}::float_of_text({})", self.str(e)),
            _ => {
                let reference = self.value_ref(e);
                code!("{PHP}::float({reference})")
            }
        }
    }

    /// A `&[u8]`.
    pub(super) fn bytes(&mut self, e: &Expr) -> Code {
        match (&e.ty, e.form) {
            (Type::Bytes, _) => e.reference(),
            (Type::Body, _) => code!("{}.body()", e.tight()),
            (Type::Text, _) if e.literal.as_deref().is_some_and(str::is_ascii) => code!("b{}", e.code),
            (Type::Text, _) => code!("{}.as_bytes()", e.tight()),
            _ => code!("{}.as_bytes()", Expr::new(self.string(e), Type::Text).tight()),
        }
    }

    /// The value converted to another type; `None` if the conversion has no meaning.
    pub(super) fn owned_as(&mut self, e: &Expr, ty: &Type) -> Option<Code> {
        Some(match ty {
            _ if e.ty == *ty && !self.is_constant(ty) && e.form != Form::Owned => return None,
            _ if e.ty == *ty => e.owned(),
            Type::Value if e.ty.is_object() || e.ty == Type::Unit => return None,
            Type::Value => self.value(e),
            Type::Text if e.ty.is_object() && !matches!(e.ty, Type::Error | Type::BoxError) => return None,
            Type::Text => self.string(e),
            Type::Int => self.int(e),
            Type::Float => self.float(e),
            Type::Bool => self.truth(e, Bond::Loose),
            Type::Option(_) if e.ty == Type::Null || e.ty == Type::Unit => "None".into(),
            Type::Option(of) if e.ty == Type::MaybeResponse && **of == Type::Response => {
                code!("{}.cloned()", e.tight())
            }
            Type::Option(of) => code!("Some({})", self.owned_as(e, of)?),
            Type::Unit => return None,
            Type::Client | Type::Chain => return None,
            Type::BoxError if e.ty == Type::Error => code!("{}.into()", e.tight()),
            _ => return None,
        })
    }

    /// The value as an argument for a parameter of that type.
    pub(super) fn argument(&mut self, e: &Expr, ty: &Type) -> Option<Code> {
        Some(match ty {
            Type::Text => self.str(e),
            Type::Int | Type::Float | Type::Bool | Type::Status | Type::Media | Type::Options => {
                self.owned_as(e, ty)?
            }
            Type::Value if !e.ty.is_object() && e.ty != Type::Unit => self.value_ref(e),
            _ if e.ty == *ty => e.reference(),
            Type::Any => match &e.ty {
                Type::Text | Type::Body => code!("&{}", self.string(e)),
                Type::Null | Type::Value => self.value_ref(e),
                Type::Closure(_) => return None,
                _ => e.reference(),
            },
            Type::Option(_) if e.ty == Type::Null => "&None".into(),
            Type::Option(of) if e.ty == **of => code!("&Some({})", self.owned_as(e, of)?),
            _ => return None,
        })
    }

    /// The code of `format!`, `println!` and the like for a sequence of texts and values.
    pub(super) fn formatted(&mut self, macro_name: &str, parts: &[Expr]) -> Code {
        let (mut format, mut arguments) = (Code::default(), Vec::new());
        let parts = self.undisturbed_all(parts.to_vec());
        for (number, part) in parts.iter().enumerate() {
            match &part.literal {
                Some(literal) => format.push(&code!("{}", text::braced(literal))),
                None => {
                    let shown = self.display(part);
                    // The macro holds references to all arguments. A block has a copy.
                    let next = parts.iter().skip(number + 1);
                    let is_changed = part.ty.is_copy() && next.into_iter().any(|next| next.code.disturbs(&part.code));
                    let shown = if is_changed { code!("{{ {shown} }}") } else { shown };
                    let shown = match shown.shape() {
                        Shape::Debugged(part) => {
                            format.push(&"{:?}".into());
                            arguments.push((**part).clone());
                            continue;
                        }
                        Shape::Shown(part) => (**part).clone(),
                        _ => shown,
                    };
                    if shown.as_word().is_some() {
                        format.push(&code!("{{{shown}}}"));
                    } else {
                        format.push(&"{}".into());
                        arguments.push(shown);
                    }
                }
            }
        }
        let mut all = vec![code!("\"{format}\"")];
        all.extend(arguments);
        code!("{macro_name}!({})", Code::joined(&all, ", "))
    }

    /// The type of a nullable: text, numbers and booleans that may be null are `Value`s.
    pub(super) fn scalar(ty: Type) -> Type {
        match ty {
            Type::Option(of) if !of.is_object() => Type::Value,
            ty => ty,
        }
    }

    /// The type that can hold values of both types.
    pub(super) fn both(a: &Type, b: &Type) -> Type {
        use value::Type as T;
        match (a, b) {
            (a, b) if a == b => a.clone(),
            (T::Null | T::Unit, T::Null | T::Unit) => T::Unit,
            (T::Null | T::Unit, T::Option(of)) | (T::Option(of), T::Null | T::Unit) => T::Option(of.clone()),
            (T::Null | T::Unit, T::Value) | (T::Value, T::Null | T::Unit) => T::Value,
            (T::Null | T::Unit, T::MaybeResponse) | (T::MaybeResponse, T::Null | T::Unit) => {
                T::Option(Box::new(T::Response))
            }
            (T::Null | T::Unit, other) | (other, T::Null | T::Unit) => T::Option(Box::new(other.clone())),
            (T::Body | T::Text, T::Body | T::Text) => T::Text,
            (T::Int | T::Status, T::Int | T::Status) => T::Int,
            _ => T::Value,
        }
    }
}
