//! Converts an expression from its type to the type that its context needs.

use super::Porter;
use super::value::{Bond, Expr, Form, Type};
use super::{text, value};

impl<'t> Porter<'t> {
    /// A `&str`.
    pub(super) fn str(&mut self, e: &Expr) -> String {
        match (&e.ty, e.form) {
            (Type::Text, Form::Ref) => e.code.clone(),
            (Type::Text, _) => e.reference(),
            (Type::Body, _) => format!("&{}.text()", e.tight()),
            (Type::Null, _) => "\"\"".to_owned(),
            _ => format!("&{}", self.string(e)),
        }
    }

    /// A `String`.
    pub(super) fn string(&mut self, e: &Expr) -> String {
        match &e.ty {
            Type::Object(_) | Type::Foreign(_) => self.object_text(e),
            Type::Text | Type::Body | Type::MaybeBody => e.owned(),
            Type::Null => "String::new()".to_owned(),
            Type::Bool => format!("String::from(if {} {{ \"1\" }} else {{ \"\" }})", e.code),
            Type::Float => format!("php::number_text({})", e.code),
            Type::Int | Type::Status | Type::Error | Type::BoxError => {
                format!("{}.to_string()", e.tight())
            }
            Type::Bytes => format!("String::from_utf8_lossy({}).into_owned()", e.reference()),
            _ => {
                let reference = self.value_ref(e);
                format!("php::text({reference})")
            }
        }
    }

    /// The argument of a format string for it.
    pub(super) fn display(&mut self, e: &Expr) -> String {
        match &e.ty {
            Type::Object(_) | Type::Foreign(_) => self.object_text(e),
            Type::Text | Type::Int | Type::Status | Type::Error | Type::BoxError => e.code.clone(),
            Type::Body => format!("{}.text()", e.tight()),
            Type::Bool => format!("if {} {{ \"1\" }} else {{ \"\" }}", e.code),
            _ => self.string(e),
        }
    }

    /// The form that it takes inside of `json!`, which borrows.
    pub(super) fn json(&mut self, e: &Expr) -> String {
        match (&e.inside, &e.ty) {
            (Some(inside), _) => inside.clone(),
            (None, Type::Null) => "null".to_owned(),
            (None, Type::Body) => format!("{}.text()", e.tight()),
            (None, Type::MaybeBody) => e.owned(),
            (None, Type::Float) => {
                let end = self.try_any();
                format!("php::finite({}){end}", e.code)
            }
            (None, Type::Bool) if e.bond > Bond::Compare => format!("({})", e.code),
            (None, Type::Value | Type::Text | Type::Int | Type::Bool | Type::Status) => e.code.clone(),
            (None, Type::Error | Type::BoxError | Type::Bytes) => self.string(e),
            (None, Type::Object(_) | Type::Foreign(_)) => self.object_text(e),
            // PHP has no text for these types.
            _ => format!("format!(\"{{:?}}\", {})", e.code),
        }
    }

    /// The text of an object, which its class may define.
    fn object_text(&mut self, e: &Expr) -> String {
        let Some(node) = self.statement else { return "String::new()".to_owned() };
        let todo = self.note_left(node, "an object as a text: call the method that makes it");
        let _ = e;
        format!("({todo} as String)")
    }

    /// A `Value`.
    pub(super) fn value(&mut self, e: &Expr) -> String {
        match &e.ty {
            Type::Value => e.owned(),
            Type::Null => "Value::Null".to_owned(),
            _ => {
                format!("json!({})", self.json(e))
            }
        }
    }

    /// A `&Value`.
    pub(super) fn value_ref(&mut self, e: &Expr) -> String {
        match &e.ty {
            Type::Value => e.reference(),
            _ => format!("&{}", self.value(e)),
        }
    }

    /// An operand of `php::equal`, `php::add` and the like.
    pub(super) fn operand(&mut self, e: &Expr) -> String {
        match &e.ty {
            Type::Value if e.inside.is_some() => format!("&{}", e.code),
            Type::Value => e.reference(),
            Type::Null => "&Value::Null".to_owned(),
            Type::Text => self.str(e),
            Type::Int | Type::Bool => e.code.clone(),
            Type::Status => format!("i64::from({})", e.code),
            Type::Float if e.inside.is_some() => e.code.clone(),
            _ => format!("&{}", self.value(e)),
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
            Type::Text => matches!(e.ty, Type::Body | Type::MaybeBody | Type::Int | Type::Float | Type::Bool),
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
        Some(Expr::new(format!("php::{convert}({value}){end}"), ty.clone()))
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
        Expr::new(format!("php::nullable({value}, php::{convert}){end}"), Type::Value)
    }

    /// A `bool` by PHP's rules of truth, with parentheses if it binds less tightly than `bond`.
    pub(super) fn truth(&mut self, e: &Expr, bond: Bond) -> String {
        self.tested(e);
        match &e.ty {
            Type::Bool => e.within(bond),
            Type::Null => "false".to_owned(),
            Type::Int => {
                Expr::new(format!("{} != 0", e.within(Bond::Sum)), Type::Bool).bond(Bond::Compare).within(bond)
            }
            Type::Text => format!("!matches!({}, \"\" | \"0\")", self.plain_str(e)),
            Type::MaybeResponse | Type::Option(_) => format!("{}.is_some()", e.tight()),
            ty if ty.is_object() => "true".to_owned(),
            Type::Status => "true".to_owned(),
            Type::Value => format!("php::truth({})", e.reference()),
            Type::Float => {
                Expr::new(format!("{} != 0.0", e.within(Bond::Sum)), Type::Bool).bond(Bond::Compare).within(bond)
            }
            _ => {
                let text = self.string(e);
                format!("!matches!({text}.as_str(), \"\" | \"0\")")
            }
        }
    }

    /// `!$e`
    pub(super) fn not_true(&mut self, e: &Expr) -> Expr {
        if e.ty == Type::Bool {
            return super::operator::negated(e);
        }
        let code = self.truth(e, Bond::Loose);
        let bond = match e.ty {
            Type::Int | Type::Float => Bond::Compare,
            _ if code.starts_with('!') => Bond::Unary,
            _ => Bond::Tight,
        };
        let code = if bond == Bond::Compare { code.replace(" != ", " == ") } else { code };
        let truth = Expr::new(code, Type::Bool).bond(bond);
        if bond == Bond::Compare { truth } else { super::operator::negated(&truth) }
    }

    /// A `&str` that can be matched, not a `&String`.
    pub(super) fn plain_str(&mut self, e: &Expr) -> String {
        match (&e.ty, e.form) {
            (Type::Text, Form::Ref) => e.code.clone(),
            (Type::Text, _) => format!("{}.as_str()", e.tight()),
            _ => format!("{}.as_str()", self.string(e)),
        }
    }

    /// An `i64`.
    pub(super) fn int(&mut self, e: &Expr) -> String {
        match &e.ty {
            Type::Int => e.code.clone(),
            Type::Null => "0".to_owned(),
            Type::Bool | Type::Status => format!("i64::from({})", e.code),
            Type::Float => format!("php::int_of_float({})", e.code),
            Type::Text => format!("php::int_of_text({})", self.str(e)),
            _ => {
                let reference = self.value_ref(e);
                format!("php::int({reference})")
            }
        }
    }

    /// An `f64`.
    pub(super) fn float(&mut self, e: &Expr) -> String {
        match &e.ty {
            Type::Float => e.code.clone(),
            Type::Int if e.code.bytes().all(|byte| byte.is_ascii_digit()) => format!("{}.0", e.code),
            Type::Int => format!("{} as f64", e.within(Bond::Unary)),
            Type::Text => format!("php::float_of_text({})", self.str(e)),
            _ => {
                let reference = self.value_ref(e);
                format!("php::float({reference})")
            }
        }
    }

    /// A `&[u8]`.
    pub(super) fn bytes(&mut self, e: &Expr) -> String {
        match (&e.ty, e.form) {
            (Type::Bytes, _) => e.reference(),
            (Type::Body, _) => format!("{}.body()", e.tight()),
            (Type::Text, _) if e.literal.as_deref().is_some_and(str::is_ascii) => format!("b{}", e.code),
            (Type::Text, _) => format!("{}.as_bytes()", e.tight()),
            _ => format!("{}.as_bytes()", Expr::new(self.string(e), Type::Text).tight()),
        }
    }

    /// The value converted to another type; `None` if the conversion has no meaning.
    pub(super) fn owned_as(&mut self, e: &Expr, ty: &Type) -> Option<String> {
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
            Type::Option(_) if e.ty == Type::Null || e.ty == Type::Unit => "None".to_owned(),
            Type::Option(of) => format!("Some({})", self.owned_as(e, of)?),
            Type::Unit => return None,
            Type::Client | Type::Chain => return None,
            Type::BoxError if e.ty == Type::Error => format!("{}.into()", e.tight()),
            _ => return None,
        })
    }

    /// The value as an argument for a parameter of that type.
    pub(super) fn argument(&mut self, e: &Expr, ty: &Type) -> Option<String> {
        Some(match ty {
            Type::Text => self.str(e),
            Type::Int | Type::Float | Type::Bool | Type::Status | Type::Media | Type::Options => {
                self.owned_as(e, ty)?
            }
            Type::Value if !e.ty.is_object() && e.ty != Type::Unit => self.value_ref(e),
            _ if e.ty == *ty => e.reference(),
            Type::Any => match &e.ty {
                Type::Text | Type::Body | Type::MaybeBody => format!("&{}", self.string(e)),
                Type::Null | Type::Value => self.value_ref(e),
                Type::Closure(_) => return None,
                _ => e.reference(),
            },
            Type::Option(_) if e.ty == Type::Null => "&None".to_owned(),
            Type::Option(of) if e.ty == **of => format!("&Some({})", self.owned_as(e, of)?),
            _ => return None,
        })
    }

    /// The code of `format!`, `println!` and the like for a sequence of texts and values.
    pub(super) fn formatted(&mut self, macro_name: &str, parts: &[Expr]) -> String {
        let (mut format, mut arguments) = (String::new(), Vec::new());
        for part in parts {
            match &part.literal {
                Some(literal) => format.push_str(&text::braced(literal)),
                None => {
                    let shown = self.display(part);
                    // An error implements `Display`.
                    if let Some(debugged) =
                        shown.strip_prefix("format!(\"{:?}\", ").and_then(|rest| rest.strip_suffix(')'))
                    {
                        format.push_str("{:?}");
                        arguments.push(debugged.to_owned());
                        continue;
                    }
                    let shown = shown.strip_suffix(".to_string()").map_or(shown.clone(), str::to_owned);
                    if shown.starts_with(|c: char| c == '_' || c.is_alphabetic())
                        && shown.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
                    {
                        format.push_str(&format!("{{{shown}}}"));
                    } else {
                        format.push_str("{}");
                        arguments.push(shown);
                    }
                }
            }
        }
        let mut out = format!("{macro_name}!(\"{format}\"");
        for argument in arguments {
            out.push_str(", ");
            out.push_str(&argument);
        }
        out.push(')');
        out
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
            (T::Null | T::Unit, other) | (other, T::Null | T::Unit) => T::Option(Box::new(other.clone())),
            (T::Body | T::MaybeBody | T::Text, T::Body | T::MaybeBody | T::Text) => T::Text,
            (T::Int | T::Status, T::Int | T::Status) => T::Int,
            _ => T::Value,
        }
    }
}
