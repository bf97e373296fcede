//! A converted expression: its Rust code, its type, and how tightly it binds.

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
    /// The body of an error's response. The code is the option.
    MaybeBody,
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
    pub(super) defaults: Vec<Option<String>>,
    /// The declared type of each parameter that may also be null.
    pub(super) nullable: Vec<Option<Type>>,
    pub(super) returns: Type,
    /// The source of the results, if PHP declares no type for them.
    pub(super) source: Option<Rc<str>>,
}

impl Type {
    /// The Rust name of this type, owned.
    pub(super) fn name(&self) -> String {
        match self {
            Type::Value | Type::Null | Type::MediaHeaders | Type::Closure(_) => "Value".to_owned(),
            Type::Text | Type::Body | Type::MaybeBody => "String".to_owned(),
            Type::Int => "i64".to_owned(),
            Type::Float => "f64".to_owned(),
            Type::Bool => "bool".to_owned(),
            Type::Status => "u16".to_owned(),
            Type::Bytes => "Vec<u8>".to_owned(),
            Type::Unit => "()".to_owned(),
            Type::Client => "Client".to_owned(),
            Type::Chain => "Chain".to_owned(),
            Type::Response | Type::MaybeResponse => "Response".to_owned(),
            Type::Promise(of) => format!("Promise<{}>", of.name()),
            Type::Promises(of) => format!("Vec<(&str, Promise<{}>)>", of.name()),
            Type::Answers(of) => format!("Vec<(String, {})>", of.name()),
            Type::Option(of) => format!("Option<{}>", of.name()),
            Type::Outcome(of) => format!("Result<{}, BoxError>", of.name()),
            Type::PrivateKey => "PrivateKey".to_owned(),
            Type::PublicKey => "PublicKey".to_owned(),
            Type::Media | Type::MediaStream => "Media".to_owned(),
            Type::Options => "Options".to_owned(),
            Type::Error => "Error".to_owned(),
            Type::BoxError => "BoxError".to_owned(),
            Type::Any => "dyn std::any::Any".to_owned(),
            Type::Output => "php::Output".to_owned(),
            Type::Object(name) => name.to_string(),
            Type::Foreign(name) => format!("yours::{name}"),
        }
    }

    /// The Rust name of the type of a parameter that takes it.
    pub(super) fn parameter(&self) -> String {
        match self {
            Type::Text => "&str".to_owned(),
            Type::Int | Type::Float | Type::Bool | Type::Status | Type::Media | Type::Options => self.name(),
            Type::Closure(signature) => {
                let parameters: Vec<String> = signature.parameters.iter().map(Type::parameter).collect();
                format!("&dyn Fn({}) -> Result<{}, BoxError>", parameters.join(", "), signature.returns.name())
            }
            other => format!("&{}", other.name()),
        }
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
    pub(super) code: String,
    pub(super) ty: Type,
    pub(super) form: Form,
    pub(super) bond: Bond,
    /// The value of a string literal.
    pub(super) literal: Option<String>,
    /// The code inside `json!`, if it differs.
    pub(super) inside: Option<String>,
    /// A whole number below 2^31, so that one operation cannot leave 64 bits.
    pub(super) small: bool,
    /// What it comes from, if that is a piece whose type only its uses tell.
    pub(super) origin: Option<Rc<str>>,
    /// The place or stub that it comes from, which decides whether an object may be null.
    pub(super) source: Option<Rc<str>>,
}

impl Expr {
    pub(super) fn new(code: impl Into<String>, ty: Type) -> Self {
        Expr {
            code: code.into(),
            ty,
            form: Form::Owned,
            bond: Bond::Tight,
            literal: None,
            inside: None,
            small: false,
            origin: None,
            source: None,
        }
    }

    pub(super) fn place(code: impl Into<String>, ty: Type) -> Self {
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
        let text = super::text::quoted(value);
        Expr { form: Form::Ref, literal: Some(value.to_owned()), ..Expr::new(text, Type::Text) }
    }

    /// The code, in parentheses if it binds less tightly than `bond`.
    pub(super) fn within(&self, bond: Bond) -> String {
        if self.bond <= bond { self.code.clone() } else { format!("({})", self.code) }
    }

    /// The code before a dot.
    pub(super) fn tight(&self) -> String {
        self.within(Bond::Tight)
    }

    /// A reference to it.
    pub(super) fn reference(&self) -> String {
        match self.form {
            Form::Ref => self.code.clone(),
            Form::Owned | Form::Place => format!("&{}", self.within(Bond::Unary)),
        }
    }

    /// An owned value.
    pub(super) fn owned(&self) -> String {
        match (&self.ty, self.form) {
            (Type::Text, Form::Ref) => format!("{}.to_owned()", self.tight()),
            (Type::Body, _) => format!("{}.text().into_owned()", self.tight()),
            (Type::MaybeBody, _) => {
                format!("{}.map(|response| response.text().into_owned()).unwrap_or_default()", self.tight())
            }
            (ty, _) if ty.is_copy() => self.code.clone(),
            (_, Form::Owned) => self.code.clone(),
            (_, Form::Place | Form::Ref) => format!("{}.clone()", self.tight()),
        }
    }
}
