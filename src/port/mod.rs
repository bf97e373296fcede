//! `wxpay port`: PHP that uses `wechatpay-php` into Rust that uses this crate. Text in, text out.
//!
//! ```text
//! syntax.rs       the parser's tree, and the refusal of what is no PHP
//! statement.rs    statements; assign.rs assignments; branch.rs what branches; function.rs functions and the program around them
//! expression.rs   expressions; operator.rs operators; array.rs arrays; string.rs texts with variables in them
//! chain.rs        chains, verbs, options; client.rs Builder::factory
//! promise.rs      then, otherwise, wait; catch.rs try and catch; exception.rs the classes that are caught
//! library.rs      the SDK's classes; native.rs and special.rs PHP's own functions; object.rs methods of responses and errors
//! scope.rs        variables; value.rs types; convert.rs from one to another; text.rs spelling
//! helpers.rs      the few functions that a program may need besides; imports.rs which it does
//! ```
//!
//! What cannot be carried over becomes a `todo!` that names it, below a comment with the PHP, and is listed in [`Ported::left`].

mod array;
mod assign;
mod branch;
mod catch;
mod chain;
mod client;
mod convert;
mod exception;
mod expression;
mod function;
mod helpers;
mod imports;
mod library;
mod native;
mod object;
mod operator;
mod promise;
mod scope;
mod special;
mod statement;
mod string;
mod syntax;
mod text;
mod value;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use tree_sitter::Node;

use scope::{Flow, Frame, Kind};
use value::{Bond, Expr, Signature, Type};

/// A file carried over.
pub(crate) struct Ported {
    /// A whole program, indented but not yet formatted.
    pub(crate) rust: String,
    /// What is left to do by hand, in the order of the lines.
    pub(crate) left: Vec<Left>,
}

/// A piece of PHP that was not carried over.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Left {
    pub(crate) line: usize,
    pub(crate) why: String,
    pub(crate) php: String,
    /// Where it ends, in bytes, and where it begins.
    span: (usize, usize),
}

/// Carries a PHP file over.
///
/// # Errors
/// What is wrong with the file, with its line numbers.
pub(crate) fn port(php: &str) -> Result<Ported, String> {
    // Documentation and copied pieces often lack the tag, and all would be text of a page then.
    let untagged = !php.contains("<?");
    let tagged;
    let php = if untagged {
        // On the first line, so that the numbers of lines stay.
        tagged = format!("<?php {php}");
        &tagged
    } else {
        php
    };
    let php = php.strip_prefix('\u{feff}').unwrap_or(php);
    // Nested code is walked by nested calls, for which the stack of a thread may be too small.
    std::thread::scope(|scope| {
        let walk = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || ported(php));
        let walk = walk.map_err(|error| format!("no thread to work on: {error}"))?;
        walk.join().map_err(|_| "this file cannot be carried over: please report it".to_owned())?
    })
}

/// Room for the deepest nesting that is read.
const STACK: usize = 512 << 20;

fn ported(php: &str) -> Result<Ported, String> {
    let tree = syntax::parse(php)?;
    let mut loose = HashSet::new();
    let mut passes = 0;
    loop {
        passes += 1;
        let known = loose.len();
        let mut porter = Porter {
            php,
            aliases: syntax::aliases(tree.root_node(), php),
            functions: HashMap::new(),
            constants: HashMap::new(),
            state: State::default(),
            said: Default::default(),
            work: 0,
            loose,
        };
        let ported = porter.program(tree.root_node())?;
        loose = porter.loose;
        // A type that another variable was given may have been seen too narrow. What is not settled by then is listed.
        if loose.len() == known || passes == PASSES {
            return Ok(ported);
        }
    }
}

/// How often a file is gone through. One that was written by hand takes two or three.
const PASSES: usize = 20;

struct Porter<'t> {
    php: &'t str,
    /// The classes that `use` names, by their lower-case alias.
    aliases: HashMap<String, String>,
    /// The file's functions, by their lower-case name.
    functions: HashMap<String, (String, Rc<Signature>)>,
    /// The file's constants: name in Rust and type.
    constants: HashMap<String, (String, Type)>,
    state: State,
    /// Comments that were written where they belong, and in which order.
    said: (HashSet<usize>, Vec<usize>),
    /// Where variables are declared that get values of more than one type: they hold any.
    loose: HashSet<usize>,
    /// How much was done: a file that asks for far more than its length does is refused.
    work: usize,
}

/// What grows while a file is carried over. Some code is translated twice, once to see its types; then this is set back.
#[derive(Clone, Default)]
struct State {
    left: Vec<Left>,
    /// Comments that go above the statement being written.
    notes: Vec<Note>,
    frames: Vec<Frame>,
    /// How many closures and `try` blocks are open.
    nested: usize,
}

/// A comment that goes above a statement, and the piece that it is about, where that was left.
#[derive(Clone)]
struct Note {
    text: String,
    span: Option<(usize, usize)>,
}

/// How many expressions may be looked at; a long file needs a hundredth.
const WORK: usize = 4_000_000;

/// Closures and `try` blocks in one another are translated more than once each.
const NESTED: usize = 5;

impl<'t> Porter<'t> {
    fn text(&self, node: Node<'t>) -> &'t str {
        syntax::text(node, self.php)
    }

    fn frame(&mut self) -> &mut Frame {
        if self.state.frames.is_empty() {
            self.state.frames.push(Frame::default());
        }
        let last = self.state.frames.len() - 1;
        &mut self.state.frames[last]
    }

    fn flow(&mut self) -> &mut Flow {
        let flows = &mut self.frame().flows;
        if flows.is_empty() {
            flows.push(Flow::default());
        }
        let last = flows.len() - 1;
        &mut flows[last]
    }

    /// `?`, after an error of the crate's.
    fn try_crate(&mut self) -> &'static str {
        self.flow().found.fallible = true;
        "?"
    }

    /// `?`, after any other error.
    fn try_any(&mut self) -> &'static str {
        self.flow().found.foreign = true;
        self.try_crate()
    }

    /// Whether an error can leave what is being written without changing its type.
    fn is_step(&mut self) -> bool {
        self.flow().kind == Kind::Step
    }

    /// Notes that a piece was not carried over, and shows its PHP above the statement.
    fn note_left(&mut self, node: Node<'t>, why: &str) -> String {
        let (line, php) = (syntax::line(node), self.text(node));
        let span = (node.start_byte(), node.end_byte());
        // What was left inside of it goes with it.
        let within = |inner: (usize, usize)| span.0 <= inner.0 && inner.1 <= span.1;
        while self.state.left.last().is_some_and(|one| within(one.span)) {
            self.state.left.pop();
        }
        self.state.notes.retain(|note| !note.span.is_some_and(within));
        self.state.left.push(Left { line, why: why.to_owned(), php: php.to_owned(), span });
        let text = text::comment("//", &format!("PHP, line {line}: {php}"));
        self.state.notes.push(Note { text, span: Some(span) });
        // Its comments are in the text.
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            if node.kind() == "comment" {
                self.said(node);
            }
            stack.extend(syntax::all(node));
        }
        // Code of the program that is written, for its author to fill in.
        format!("todo!(\"line {line}: {}\")", text::braced(&text::short(php, 60)))
    }

    /// An expression that was not carried over, in place of a value of some type.
    fn left_as(&mut self, node: Node<'t>, why: &str, ty: Type) -> Expr {
        let todo = self.note_left(node, why);
        if ty == Type::Unit {
            return Expr::new(todo, ty);
        }
        let named = match ty {
            Type::Null | Type::Closure(_) | Type::MediaHeaders => Type::Value,
            Type::Body | Type::MaybeBody => Type::Text,
            Type::MaybeResponse => Type::Response,
            Type::MediaStream => Type::Media,
            other => other,
        };
        Expr::new(format!("({todo} as {})", named.name()), named).bond(Bond::Tight)
    }

    fn left(&mut self, node: Node<'t>, why: &str) -> Expr {
        self.left_as(node, why, Type::Value)
    }

    /// Notes that a comment is written; whether it was not yet.
    fn said(&mut self, comment: Node<'_>) -> bool {
        let new = self.said.0.insert(comment.id());
        if new {
            self.said.1.push(comment.id());
        }
        new
    }

    fn checkpoint(&mut self) -> (State, usize) {
        let vars: usize = self.state.frames.iter().map(|frame| frame.vars.len()).sum();
        self.work += 20 + vars + self.state.left.len() + self.state.notes.len();
        (self.state.clone(), self.said.1.len())
    }

    fn restore(&mut self, (state, said): (State, usize)) {
        self.state = state;
        for comment in self.said.1.split_off(said) {
            self.said.0.remove(&comment);
        }
    }

    /// Translates something and forgets it: to see its types.
    fn look<T>(&mut self, translate: impl FnOnce(&mut Self) -> T) -> T {
        let saved = self.checkpoint();
        let out = translate(self);
        self.restore(saved);
        out
    }

    /// The whole name of a class as `use` has it, in lower case, without the leading backslash.
    fn class(&self, node: Node<'t>) -> String {
        let written = self.text(node);
        if let Some(whole) = written.strip_prefix('\\') {
            return whole.to_lowercase();
        }
        let (first, rest) = match written.split_once('\\') {
            Some((first, rest)) => (first, Some(rest)),
            None => (written, None),
        };
        let whole = match (self.aliases.get(&first.to_lowercase()), rest) {
            (Some(whole), None) => whole.clone(),
            (Some(whole), Some(rest)) => format!("{whole}\\{rest}"),
            // A piece of documentation without its `use` lines.
            (None, None) => library::whole(&written.to_lowercase()).map_or_else(|| written.to_owned(), str::to_owned),
            (None, Some(_)) => written.to_owned(),
        };
        whole.to_lowercase()
    }
}
