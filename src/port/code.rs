//! Pieces of generated Rust.
//!
//! A [`Code`] is text with facts about it. The porter cannot read the text: it decides by the
//! facts. They are set where a piece is written, and [`code!`] joins them when
//! pieces are composed, so that no composition can lose them:
//!
//! ```text
//! let sum = code!("{PHP}::add({a}, {b}){end}");
//! sum.imports()     `php`, and all that `a` and `b` need
//! sum.fails()       true, because `end` is `?`
//! sum.uses(name)    whether `a` or `b` mentions the variable
//! ```
//!
//! The shape of a piece is its outermost operation, as far as another piece depends on it. A new
//! composition has none.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt::{self, Display, Write};
use std::rc::Rc;

pub(super) use super::code_facts::Act;
use super::code_facts::Facts;
use super::imports::{Import, Imports};
use super::shape;
use super::text;

/// Composes a piece from others, like `format!`.
macro_rules! code {
    ($($piece:tt)*) => {
        $crate::port::code::Code::composed(format_args!($($piece)*))
    };
}
pub(super) use code;

/// The outermost operation of a piece.
pub(super) type Shape = shape::Shape<Code>;

/// A piece of generated Rust. Two pieces are equal if they are the same text.
#[derive(Clone, Debug, Default)]
pub(super) struct Code {
    text: String,
    facts: Facts,
    shape: Shape,
}

thread_local! {
    /// The facts of the pieces that the current [`Code::composed`] has written.
    static WRITTEN: RefCell<Facts> = RefCell::default();
    /// Whether what is being written ends with `?`.
    static TRIED: Cell<bool> = const { Cell::new(false) };
}

/// The text of a composition. `fmt` passes only text to it, so that the facts of the pieces are
/// passed in thread-local variables.
#[derive(Default)]
struct Composition {
    text: String,
    ends_tried: bool,
}

impl Write for Composition {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        if !piece.is_empty() {
            self.ends_tried = TRIED.get();
            self.text.push_str(piece);
        }
        Ok(())
    }
}

impl Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        WRITTEN.with_borrow_mut(|written| written.join(&self.facts));
        let outer = TRIED.replace(matches!(self.shape, Shape::Tried));
        let done = f.write_str(&self.text);
        TRIED.set(outer);
        done
    }
}

impl Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        WRITTEN.with_borrow_mut(|written| written.imports.insert(*self));
        f.write_str(self.name())
    }
}

/// `?`, or nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    Try,
    Nothing,
}

impl Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == End::Nothing {
            return Ok(());
        }
        WRITTEN.with_borrow_mut(|written| written.fails = true);
        let outer = TRIED.replace(true);
        let done = f.write_str("?");
        TRIED.set(outer);
        done
    }
}

impl From<&'static str> for Code {
    fn from(text: &'static str) -> Self {
        Code { text: text.to_owned(), ..Code::default() }
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Code {
    /// The piece that [`code!`] writes.
    pub(super) fn composed(pieces: fmt::Arguments<'_>) -> Self {
        let outer = WRITTEN.take();
        let mut composition = Composition::default();
        // Writing to a string does not fail.
        let _ = composition.write_fmt(pieces);
        let facts = WRITTEN.replace(outer);
        let shape = if composition.ends_tried { Shape::Tried } else { Shape::Other };
        Code { text: composition.text, facts, shape }
    }

    fn shaped(self, shape: Shape) -> Self {
        Code { shape, ..self }
    }

    /// A variable or a constant of one word.
    pub(super) fn name(name: impl Into<String>) -> Self {
        let text = name.into();
        let name: Rc<str> = text.as_str().into();
        let facts = Facts { variables: BTreeSet::from([Rc::clone(&name)]), ..Facts::default() };
        Code { text, facts, shape: Shape::Name(name) }
    }

    /// A property of the object of a method.
    pub(super) fn field(receiver: &str, property: &str) -> Self {
        let mut code = Code::name(format!("{receiver}.{property}"));
        if let Shape::Name(name) = code.shape {
            code.shape = Shape::Field(name);
        }
        code
    }

    pub(super) fn number(number: i64) -> Self {
        Code { text: number.to_string(), shape: Shape::Number(number), ..Code::default() }
    }

    pub(super) fn truth(truth: bool) -> Self {
        Code { text: truth.to_string(), shape: Shape::Truth(truth), ..Code::default() }
    }

    /// A string literal.
    pub(super) fn quoted(text: &str) -> Self {
        Code { text: text::quoted(text), ..Code::default() }
    }

    /// `!part`
    pub(super) fn not(part: Code) -> Self {
        code!("!{part}").shaped(Shape::Not(Rc::new(part)))
    }

    /// `left == right`
    pub(super) fn equal(left: impl Display, right: impl Display) -> Self {
        let opposite = code!("{left} != {right}");
        code!("{left} == {right}").shaped(Shape::Equal(Rc::new(opposite)))
    }

    /// `part.is_some()`
    pub(super) fn is_some(part: impl Display) -> Self {
        let opposite = code!("{part}.is_none()");
        code!("{part}.is_some()").shaped(Shape::Some(Rc::new(opposite)))
    }

    /// `part as ty`
    pub(super) fn cast(part: impl Display, ty: &'static str) -> Self {
        code!("{part} as {ty}").shaped(Shape::Cast)
    }

    /// `part.to_string()`
    pub(super) fn shown(part: Code) -> Self {
        code!("{part}.to_string()").shaped(Shape::Shown(Rc::new(part)))
    }

    /// `format!("{:?}", part)`
    pub(super) fn debugged(part: Code) -> Self {
        code!("format!(\"{{:?}}\", {part})").shaped(Shape::Debugged(Rc::new(part)))
    }

    /// `part | part`
    pub(super) fn flags(&self, other: &Code, piece: Code) -> Self {
        let (Some(mut one), Some(more)) = (self.as_flags(), other.as_flags()) else { return piece };
        one.extend(more);
        piece.shaped(Shape::Flags(one.into()))
    }

    /// The error that a text becomes.
    pub(super) fn boxed(self, message: Code) -> Self {
        self.shaped(Shape::Boxed(Rc::new(message)))
    }

    /// Marks a `todo!`.
    pub(super) fn todo(mut self) -> Self {
        self.facts.is_incomplete = true;
        self.shaped(Shape::Todo)
    }

    /// Marks a piece that counts a variable up or down.
    pub(super) fn counting(mut self) -> Self {
        self.facts.counts = true;
        self
    }

    /// The statement that an expression becomes with a semicolon.
    pub(super) fn statement(self) -> Self {
        let is_jump = self.jumps();
        let mut code = code!("{self};");
        code.facts.runs = true;
        code.shaped(if is_jump { Shape::Jump } else { Shape::Expression(Rc::new(self)) })
    }

    /// The value at the end of a block.
    pub(super) fn tail(self) -> Self {
        let part = Rc::new(self.clone());
        self.shaped(Shape::Expression(part))
    }

    /// Marks code that does not reach its end.
    pub(super) fn jump(self) -> Self {
        self.shaped(Shape::Jump)
    }

    /// Marks code that contains a statement.
    pub(super) fn running(mut self) -> Self {
        self.facts.runs = true;
        self
    }

    /// Marks code that does something when it runs, after what its parts do.
    pub(super) fn acting(mut self, act: Act) -> Self {
        self.facts.acts.push(act);
        self
    }

    /// Marks the call of a method that changes the object of a piece.
    pub(super) fn changing(mut self, object: &Code) -> Self {
        self.facts.change(&object.facts.variables);
        self
    }

    /// Whether it changes an object that another piece mentions, so that the other piece cannot
    /// hold a reference meanwhile.
    pub(super) fn disturbs(&self, other: &Code) -> bool {
        let is_in = |part: &str, whole: &str| part.strip_prefix(whole).is_some_and(|rest| rest.starts_with('.'));
        let same = |one: &str, other: &str| one == other || is_in(one, other) || is_in(other, one);
        self.facts
            .changed
            .iter()
            .flat_map(|changed| changed.iter())
            .any(|one| other.facts.variables.iter().any(|other| same(one, other)))
    }

    /// The code of a statement whose acts have been checked.
    pub(super) fn settled(mut self) -> Self {
        self.facts.acts.clear();
        self
    }

    pub(super) fn acts(&self) -> &[Act] {
        &self.facts.acts
    }

    /// Sets the recursion of `json!` that an array needs.
    pub(super) fn of_depth(mut self, depth: usize) -> Self {
        self.facts.depth = depth;
        self
    }

    /// Marks an array that is written without `json!`.
    pub(super) fn array(self) -> Self {
        self.shaped(Shape::Array)
    }

    pub(super) fn depth(&self) -> usize {
        self.facts.depth
    }

    pub(super) fn imports(&self) -> Imports {
        self.facts.imports
    }

    /// Whether it mentions this variable.
    pub(super) fn uses(&self, variable: &Code) -> bool {
        variable.as_variable().is_some_and(|name| self.facts.variables.contains(name))
    }

    pub(super) fn fails(&self) -> bool {
        self.facts.fails
    }

    /// Whether it contains a `todo!`.
    pub(super) fn is_incomplete(&self) -> bool {
        self.facts.is_incomplete
    }

    pub(super) fn counts(&self) -> bool {
        self.facts.counts
    }

    pub(super) fn runs(&self) -> bool {
        self.facts.runs
    }

    /// The name of a variable, a constant or a property, if it is one.
    pub(super) fn as_variable(&self) -> Option<&str> {
        match &self.shape {
            Shape::Name(name) | Shape::Field(name) => Some(name),
            _ => None,
        }
    }

    /// Likewise, without properties.
    pub(super) fn as_word(&self) -> Option<&str> {
        match &self.shape {
            Shape::Name(name) => Some(name),
            _ => None,
        }
    }

    /// A whole number that consists of digits.
    pub(super) fn as_number(&self) -> Option<i64> {
        self.as_signed().filter(|number| *number >= 0)
    }

    /// Likewise, also with a sign.
    pub(super) fn as_signed(&self) -> Option<i64> {
        if let Shape::Number(number) = self.shape { Some(number) } else { None }
    }

    pub(super) fn as_truth(&self) -> Option<bool> {
        if let Shape::Truth(truth) = self.shape { Some(truth) } else { None }
    }

    /// The numbers that are joined by `|`, or a single one.
    pub(super) fn as_flags(&self) -> Option<Vec<Code>> {
        match &self.shape {
            Shape::Flags(flags) => Some(flags.to_vec()),
            Shape::Number(_) => Some(vec![self.clone()]),
            _ => None,
        }
    }

    /// Its outermost operation.
    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    pub(super) fn jumps(&self) -> bool {
        matches!(self.shape, Shape::Jump)
    }
}

/// The layout of pieces.
impl Code {
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(super) fn is_one_line(&self) -> bool {
        !self.text.contains('\n')
    }

    /// The number of characters.
    pub(super) fn width(&self) -> usize {
        self.text.chars().count()
    }

    /// Appends a piece. The result ends like that piece.
    pub(super) fn push(&mut self, piece: &Code) {
        self.facts.join(&piece.facts);
        self.text.push_str(&piece.text);
        self.shape = if piece.jumps() { Shape::Jump } else { Shape::Other };
    }

    /// The code with each line indented by one level.
    pub(super) fn indented(&self) -> Self {
        Code { text: text::indent(&self.text), facts: self.facts.clone(), shape: Shape::Other }
    }

    /// Likewise without the first line, which continues another.
    pub(super) fn nested(&self) -> Self {
        let code = self.indented();
        Code { text: code.text.trim_start().to_owned(), ..code }
    }

    /// The pieces with a separator between them.
    pub(super) fn joined<'a>(pieces: impl IntoIterator<Item = &'a Code>, separator: &str) -> Self {
        let mut out = Code::default();
        for (number, piece) in pieces.into_iter().enumerate() {
            if number > 0 {
                out.text.push_str(separator);
            }
            out.push(piece);
        }
        out
    }

    /// Statements, each on its own lines. A single one keeps its shape.
    pub(super) fn lines(pieces: Vec<Code>) -> Self {
        let mut pieces: Vec<Code> = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        if pieces.len() == 1 {
            return pieces.remove(0);
        }
        Code::joined(&pieces, "\n")
    }

    /// The text of a whole file.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// The code with each line indented by one level.
pub(super) fn indent(code: &Code) -> Code {
    code.indented()
}
