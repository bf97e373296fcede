//! The shapes of pieces of generated Rust.

use std::rc::Rc;

/// The outermost operation of a piece, which is a `C`.
#[derive(Clone, Debug, Default)]
pub(super) enum Shape<C> {
    #[default]
    Other,
    /// A variable or a constant of one word.
    Name(Rc<str>),
    /// A property of the object of the method: `self.name`.
    Field(Rc<str>),
    /// A whole number in decimal digits, with a sign if it is negative.
    Number(i64),
    /// `true` or `false`.
    Truth(bool),
    /// `!part`, and the part.
    Not(Rc<C>),
    /// `left == right`, and the same with `!=`.
    Equal(Rc<C>),
    /// `part.is_some()`, and the same with `is_none()`.
    Some(Rc<C>),
    /// `part as f64` and the like.
    Cast,
    /// `part?`
    Tried,
    /// Whole numbers that are joined by `|`.
    Flags(Rc<[C]>),
    /// `part.to_string()`, and the part.
    Shown(Rc<C>),
    /// `format!("{:?}", part)`, and the part.
    Debugged(Rc<C>),
    /// `BoxError::from(part)`, and the part.
    Boxed(Rc<C>),
    /// `Value::from_iter([...])`
    Array,
    /// The `todo!` of a piece of PHP that was not converted.
    Todo,
    /// A statement of one expression, or the value of a block, and the expression.
    Expression(Rc<C>),
    /// Control does not reach its end.
    Jump,
}
