//! A converted expression: its Rust code, its type, and how tightly it binds.

use super::code::{Code, code};
use super::imports::{
    BOX_ERROR, CHAIN, CLIENT, ERROR, MEDIA, OPTIONS, PHP, PRIVATE_KEY, PROMISE, PUBLIC_KEY, RESPONSE, VALUE,
};
use std::rc::Rc;

/// The type of a value, as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    /// `serde_json::Value`: PHP's arrays, and values of unknown type.
    Value,
    /// `String` or `&str`, depending on the [`Form`].
    Text,
    Int,
    Float,
    Bool,
    Null,
    /// `u16`, the status of a response.
    Status,
    /// `Vec<u8>`.
    Bytes,
    /// `()`.
    Unit,
    Client,
    Chain,
    Response,
    /// The body of a response. The code is the response itself, because text, JSON and XML are read
    /// from it.
    Body,
    /// `Option<&Response>`: the response of an error.
    MaybeResponse,
    Promise(Box<Type>),
    /// `Vec<(&str, Promise<_>)>`: promises in an array.
    Promises(Box<Type>),
    /// `Vec<(String, _)>`: the results of such promises.
    Answers(Box<Type>),
    Option(Box<Type>),
    /// `Result<_, BoxError>`: the return value of a closure that may fail.
    Outcome(Box<Type>),
    PrivateKey,
    PublicKey,
    Media,
    /// The stream of a `Media`. The code is the media.
    MediaStream,
    /// The content type or the headers of a `Media`, which the crate sets itself.
    MediaHeaders,
    Options,
    /// The crate's error.
    Error,
    /// An error of any kind.
    BoxError,
    /// A closure in a variable.
    Closure(Rc<Signature>),
    /// Any value, as a parameter of a stub whose uses differ.
    Any,
    /// `php::Output`: the response that a handler of a web server writes.
    Output,
    /// An object of a class of the file, by its name in Rust.
    Object(Rc<str>),
    /// An object of a class that is not in the file, by the name of its stub.
    Foreign(Rc<str>),
}

/// The parameters and the return type of a function or closure.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Signature {
    pub(super) parameters: Vec<Type>,
    /// The Rust code of the default values.
    pub(super) defaults: Vec<Option<Code>>,
    /// The declared type of each parameter that may also be null.
    pub(super) nullable: Vec<Option<Type>>,
    /// The origin of each parameter that is declared as `array`.
    pub(super) arrays: Vec<Option<Rc<str>>>,
    pub(super) returns: Type,
    /// The source of the results, if PHP declares no type for them.
    pub(super) source: Option<Rc<str>>,
}

impl Type {
    /// The Rust name of this type, owned.
    pub(super) fn name(&self) -> Code {
        match self {
            Type::Value | Type::Null | Type::MediaHeaders | Type::Closure(_) => code!("{VALUE}"),
            Type::Text | Type::Body => "String".into(),
            Type::Int => "i64".into(),
            Type::Float => "f64".into(),
            Type::Bool => "bool".into(),
            Type::Status => "u16".into(),
            Type::Bytes => "Vec<u8>".into(),
            Type::Unit => "()".into(),
            Type::Client => code!("{CLIENT}"),
            Type::Chain => code!("{CHAIN}"),
            Type::Response | Type::MaybeResponse => code!("{RESPONSE}"),
            Type::Promise(of) => code!("{PROMISE}<{}>", of.name()),
            Type::Promises(of) => code!("Vec<(&str, {PROMISE}<{}>)>", of.name()),
            Type::Answers(of) => code!("Vec<(String, {})>", of.name()),
            Type::Option(of) => code!("Option<{}>", of.name()),
            Type::Outcome(of) => code!("Result<{}, {BOX_ERROR}>", of.name()),
            Type::PrivateKey => code!("{PRIVATE_KEY}"),
            Type::PublicKey => code!("{PUBLIC_KEY}"),
            Type::Media | Type::MediaStream => code!("{MEDIA}"),
            Type::Options => code!("{OPTIONS}"),
            Type::Error => code!("{ERROR}"),
            Type::BoxError => code!("{BOX_ERROR}"),
            Type::Any => "dyn std::any::Any".into(),
            Type::Output => code!("{PHP}::Output"),
            Type::Object(name) => code!("{name}"),
            Type::Foreign(name) => code!("yours::{name}"),
        }
    }

    /// The Rust name of the type of a parameter that takes it.
    pub(super) fn parameter(&self) -> Code {
        match self {
            Type::Text => "&str".into(),
            _ if self.is_passed_owned() => self.name(),
            Type::Closure(signature) => {
                let parameters: Vec<Code> = signature.parameters.iter().map(Type::parameter).collect();
                code!(
                    "&dyn Fn({}) -> Result<{}, {BOX_ERROR}>",
                    Code::joined(&parameters, ", "),
                    signature.returns.name()
                )
            }
            other => code!("&{}", other.name()),
        }
    }

    /// Whether a parameter takes the value itself, and not a reference.
    pub(super) fn is_passed_owned(&self) -> bool {
        matches!(self, Type::Int | Type::Float | Type::Bool | Type::Status | Type::Media | Type::Options)
    }

    pub(super) fn is_copy(&self) -> bool {
        matches!(self, Type::Int | Type::Float | Type::Bool | Type::Status | Type::Unit | Type::MaybeResponse)
    }

    /// Whether PHP considers every value of this type true.
    pub(super) fn is_object(&self) -> bool {
        if let Type::Option(of) = self {
            return of.is_object();
        }
        matches!(
            self,
            Type::Client
                | Type::Chain
                | Type::Response
                | Type::MaybeResponse
                | Type::Promise(_)
                | Type::PrivateKey
                | Type::PublicKey
                | Type::Media
                | Type::MediaStream
                | Type::Options
                | Type::Promises(_)
                | Type::Answers(_)
                | Type::Outcome(_)
                | Type::Error
                | Type::BoxError
                | Type::Closure(_)
                | Type::Output
                | Type::Object(_)
                | Type::Foreign(_)
        )
    }
}

/// How a value is available: new, in a variable, or by reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    /// A new value.
    Owned,
    /// A variable or a field that owns it.
    Place,
    /// A reference. Text is `&str`.
    Ref,
}

/// How tightly an expression binds, which decides where it needs parentheses.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) enum Bond {
    /// A name, a call, an index: a method call can follow.
    Tight,
    /// `-x`, `!x`, `&x`.
    Unary,
    /// Arithmetic operators and casts.
    Sum,
    /// `==`, `<` and the like.
    Compare,
    And,
    Or,
    /// `if`, closures.
    Loose,
}

#[derive(Clone, Debug)]
pub(super) struct Expr {
    pub(super) code: Code,
    pub(super) ty: Type,
    pub(super) form: Form,
    pub(super) bond: Bond,
    /// The value of a string literal.
    pub(super) literal: Option<String>,
    /// The code inside `json!`, if it differs.
    pub(super) inside: Option<Code>,
    /// A whole number below 2^31, so that one operation cannot leave 64 bits.
    pub(super) small: bool,
    /// Whether it consists of literals, so that it can be the value of a `const`.
    pub(super) is_constant: bool,
    /// What it comes from, if that is a piece whose type only its uses tell.
    pub(super) origin: Option<Rc<str>>,
    /// The place or stub that it comes from, which decides whether an object may be null.
    pub(super) source: Option<Rc<str>>,
}

impl Expr {
    pub(super) fn new(code: impl Into<Code>, ty: Type) -> Self {
        Expr {
            code: code.into(),
            ty,
            form: Form::Owned,
            bond: Bond::Tight,
            literal: None,
            inside: None,
            small: false,
            is_constant: false,
            origin: None,
            source: None,
        }
    }

    pub(super) fn place(code: impl Into<Code>, ty: Type) -> Self {
        Expr { form: Form::Place, ..Expr::new(code, ty) }
    }

    pub(super) fn form(self, form: Form) -> Self {
        Expr { form, ..self }
    }

    pub(super) fn bond(self, bond: Bond) -> Self {
        Expr { bond, ..self }
    }

    pub(super) fn small(self, small: bool) -> Self {
        Expr { small, ..self }
    }

    pub(super) fn origin(self, origin: Option<Rc<str>>) -> Self {
        Expr { origin, ..self }
    }

    pub(super) fn source(self, source: Option<Rc<str>>) -> Self {
        Expr { source, ..self }
    }

    pub(super) fn literal(value: &str) -> Self {
        Expr { form: Form::Ref, literal: Some(value.to_owned()), ..Expr::new(Code::quoted(value), Type::Text) }
    }

    /// A whole number.
    pub(super) fn number(number: i64) -> Self {
        Expr { is_constant: true, ..Expr::new(Code::number(number), Type::Int) }
    }

    /// The code, in parentheses if it binds less tightly than `bond`.
    pub(super) fn within(&self, bond: Bond) -> Code {
        if self.bond <= bond { self.code.clone() } else { code!("({})", self.code) }
    }

    /// The code before a dot.
    pub(super) fn tight(&self) -> Code {
        self.within(Bond::Tight)
    }

    /// A reference to it.
    pub(super) fn reference(&self) -> Code {
        match self.form {
            Form::Ref => self.code.clone(),
            Form::Owned | Form::Place => code!("&{}", self.within(Bond::Unary)),
        }
    }

    /// An owned value.
    pub(super) fn owned(&self) -> Code {
        match (&self.ty, self.form) {
            (Type::Text, Form::Ref) => code!("{}.to_owned()", self.tight()),
            (Type::Body, _) => code!("{}.text().into_owned()", self.tight()),
            (ty, _) if ty.is_copy() => self.code.clone(),
            (_, Form::Owned) => self.code.clone(),
            (_, Form::Place | Form::Ref) => code!("{}.clone()", self.tight()),
        }
    }
}
