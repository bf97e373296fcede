//! A translated expression: its Rust, its type, and how it turns into what the place where it stands needs.

use std::rc::Rc;

/// What is known of a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    /// `serde_json::Value`: PHP's arrays, and all of which no more is known.
    Value,
    /// `String` or `&str`, by the [`Form`].
    Text,
    Int,
    Float,
    Bool,
    Null,
    /// `u16`, the status of an answer.
    Status,
    /// `Vec<u8>`.
    Bytes,
    /// `()`.
    Unit,
    Client,
    Chain,
    Response,
    /// The body of a response; the code is the response itself, since text, JSON and XML are read from there.
    Body,
    /// `Option<&Response>`: what an error may have.
    MaybeResponse,
    /// The body of one; the code is the option.
    MaybeBody,
    Promise(Box<Type>),
    /// `Vec<(&str, Promise<_>)>`: promises in an array.
    Promises(Box<Type>),
    /// `Vec<(String, _)>`: what came of them.
    Answers(Box<Type>),
    Option(Box<Type>),
    /// `Result<_, BoxError>`: what a closure gives that may fail.
    Outcome(Box<Type>),
    PrivateKey,
    PublicKey,
    Media,
    /// The stream of a `Media`; the code is the media.
    MediaStream,
    /// Its content type, or all its headers, which the crate sets by itself.
    MediaHeaders,
    Options,
    /// The crate's error.
    Error,
    /// An error of any kind.
    BoxError,
    /// A closure in a variable.
    Closure(Rc<Signature>),
}

/// What a function or closure takes and returns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Signature {
    pub(super) parameters: Vec<Type>,
    /// The Rust of the default values, where PHP has them.
    pub(super) defaults: Vec<Option<String>>,
    pub(super) returns: Type,
}

impl Type {
    /// The name of an owned value of this type.
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
        }
    }

    /// The type of a parameter that takes it.
    pub(super) fn parameter(&self) -> String {
        match self {
            Type::Text => "&str".to_owned(),
            Type::Int | Type::Float | Type::Bool | Type::Status | Type::Media | Type::Options => self.name(),
            other => format!("&{}", other.name()),
        }
    }

    pub(super) fn is_copy(&self) -> bool {
        matches!(self, Type::Int | Type::Float | Type::Bool | Type::Status | Type::Unit | Type::MaybeResponse)
    }

    /// Whether PHP finds a value of this type true, whatever it is.
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
        )
    }
}

/// How a value is at hand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    /// A new value.
    Owned,
    /// A variable, or a part of one, that owns it.
    Place,
    /// A reference; text is `&str`.
    Ref,
}

/// How tightly an expression holds together.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) enum Bond {
    /// A name, a call, an index: a method can follow.
    Tight,
    /// `-x`, `!x`, `&x`.
    Unary,
    /// Operators that are calculated, and casts.
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
    /// The value, where it is a text written in the file.
    pub(super) literal: Option<String>,
    /// How it is written inside of `json!`, where that differs.
    pub(super) inside: Option<String>,
}

impl Expr {
    pub(super) fn new(code: impl Into<String>, ty: Type) -> Self {
        Expr { code: code.into(), ty, form: Form::Owned, bond: Bond::Tight, literal: None, inside: None }
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

    pub(super) fn literal(value: &str) -> Self {
        let text = super::text::quoted(value);
        Expr { form: Form::Ref, literal: Some(value.to_owned()), ..Expr::new(text, Type::Text) }
    }

    /// The code with parentheses, unless it holds together at least so tightly.
    pub(super) fn within(&self, bond: Bond) -> String {
        if self.bond <= bond { self.code.clone() } else { format!("({})", self.code) }
    }

    /// The code in front of a dot.
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

    /// The value itself.
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
