//! `wxpay port`: a source-to-source translator from PHP that uses `wechatpay-php` to Rust that uses
//! this crate.
//!
//! ```text
//! syntax.rs       parses PHP, and reads the syntax tree
//! statement.rs    statements; assign.rs assignments; change.rs, slot.rs changes
//! branch.rs       branches; repeat.rs loops; acts.rs what runs in the order of PHP
//! files.rs        the given files; modules.rs the modules that they become
//! function.rs     functions, and the program around them; signature.rs their parameters
//! expression.rs   expressions; operator.rs, arithmetic.rs operators
//! call.rs         calls of functions; borrow.rs their arguments; choice.rs choices
//! array.rs        arrays; next_key.rs those that lose elements; string.rs strings
//! chain.rs        chains and verbs; client.rs Builder::factory
//! promise.rs      then, otherwise, wait; catch.rs try and catch; exception.rs exception classes
//! library.rs      the SDK's classes; keys.rs keys in arrays; creation.rs new objects
//! native.rs       PHP's functions; natives.rs their names; native_values.rs, special.rs more
//! object.rs       properties and methods of objects; stream.rs bodies that were read
//! scope.rs        uses of variables; definite.rs definite assignment
//! lower.rs        properties of $this as variables; class.rs, members.rs classes
//! method.rs       structs and methods; constructor.rs constructors; own.rs calls of methods
//! property.rs     properties; statics.rs static ones; naming.rs names of classes
//! yours.rs        stubs for other files; nulls.rs objects that may be null; offset.rs elements
//! facts.rs        what one translation finds for the next; learn.rs adds to it
//! frame.rs        the function that is being converted; vars.rs its variables
//! code.rs         pieces of generated Rust, shape.rs; imports.rs, helpers.rs what they need
//! marks.rs        what the text of the file contains; left.rs what is not converted
//! value.rs        types; convert.rs conversions; certain.rs certain arrays; text.rs spelling
//! handler.rs      handlers of notifications; inventory.rs what a file uses of the SDK
//! extract.rs      only the code that uses the SDK; it lists its files
//! ```
//!
//! PHP that cannot be converted becomes a `todo!` below a comment with the PHP, and is listed in
//! [`Ported::left`].

mod acts;
mod arithmetic;
mod array;
mod assign;
mod borrow;
mod branch;
mod call;
mod carry;
mod carry_values;
mod catch;
mod certain;
mod chain;
mod change;
mod changes;
mod choice;
mod class;
mod client;
mod code;
mod code_facts;
mod constructor;
mod convert;
mod creation;
mod definite;
mod exception;
mod expression;
mod extract;
mod facts;
mod files;
mod flow;
mod frame;
mod function;
mod handler;
mod helpers;
mod imports;
mod inventory;
mod keys;
mod known;
mod learn;
mod left;
mod library;
mod lower;
mod marks;
mod members;
mod method;
mod modules;
mod naming;
mod native;
mod native_values;
mod natives;
mod next_key;
mod nulls;
mod object;
mod offset;
mod operator;
mod own;
mod parameters;
mod part;
mod promise;
mod property;
mod repeat;
mod routine;
mod scope;
mod shape;
mod signature;
mod slice;
mod slot;
mod special;
mod statement;
mod statics;
mod stream;
mod string;
mod syntax;
mod text;
mod unit;
mod value;
mod vars;
mod yours;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use tree_sitter::Node;

use code::{Code, End};
use facts::Facts;
use files::Files;
use frame::{Flow, Frame, Handler, Kind};
pub(crate) use inventory::{SdkUse, UseKind};
use marks::Marks;
use members::Class;
use value::{Signature, Type};

/// A converted file.
pub(crate) struct Ported {
    /// A complete program, indented but not formatted by rustfmt. Empty for a crate.
    pub(crate) rust: String,
    /// The modules of a crate, with `main` as the last.
    pub(crate) modules: Vec<Module>,
    /// The pieces that were not converted, in the order of their lines.
    pub(crate) left: Vec<Left>,
    /// The uses of the SDK in the file.
    pub(crate) uses: Vec<SdkUse>,
}

/// A file of the folder `src` of a crate.
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) rust: String,
}

/// A piece of PHP that was not converted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Left {
    /// The number of the file.
    pub(crate) file: usize,
    pub(crate) line: usize,
    pub(crate) why: String,
    pub(crate) php: String,
    /// Its start and end, in bytes.
    span: (usize, usize),
    /// Whether it is in another file and has a stub.
    pub(crate) is_stub: bool,
}

/// Converts a PHP file.
///
/// # Errors
/// The syntax errors of the file, with their line numbers.
pub(crate) fn port(php: &str) -> Result<Ported, String> {
    let php = files::prepared(php);
    on_large_stack(|| ported(&php, Files::single()))
}

/// Converts several PHP files, given with their names, to the modules of a crate.
///
/// # Errors
/// The syntax errors of the files, with their names and line numbers.
pub(crate) fn port_files(given: &[(String, String)]) -> Result<Ported, String> {
    let given: Vec<_> = given.iter().map(|(name, php)| (name.clone(), files::prepared(php))).collect();
    on_large_stack(|| {
        let (files, php) = Files::joined(&given)?;
        ported(&php, files)
    })
}

/// Converts on a thread with a large stack, because nested code is converted recursively.
fn on_large_stack<T: Send>(convert: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let walk = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, convert);
        let walk = walk.map_err(|error| format!("no thread to work on: {error}"))?;
        walk.join().map_err(|_| "this file cannot be carried over: please report it".to_owned())?
    })
}

/// The stack size for the deepest nesting that is accepted.
const STACK: usize = 512 << 20;

fn ported(php: &str, mut files: Files) -> Result<Ported, String> {
    let source = php;
    let (tree, lowered) = lower::parsed(source)?;
    let php = &*lowered;
    files.read_aliases(tree.root_node(), php);
    let files = Rc::new(files);
    let marks = Rc::new(Marks::new(tree.root_node(), php));
    let (mut loose, mut known) = (HashSet::new(), Facts::default());
    let uses = Rc::default();
    let mut passes = 0;
    loop {
        passes += 1;
        let widened = loose.len();
        let mut porter = Porter {
            php,
            source,
            files: Rc::clone(&files),
            namespaces: files::namespaces(tree.root_node(), php, &files),
            marks: Rc::clone(&marks),
            uses: Rc::clone(&uses),
            functions: HashMap::new(),
            function_names: HashSet::new(),
            constants: HashMap::new(),
            classes: Vec::new(),
            class_numbers: HashMap::new(),
            class_rust_names: HashMap::new(),
            exceptions: HashMap::new(),
            signatures: HashMap::new(),
            stub_names: Porter::named_stubs(&known.stubs),
            // What uses require stays required.
            found: known.beginning(passes),
            nullable: known.nullable(),
            known,
            foreign_names: RefCell::default(),
            foreign_lines: RefCell::default(),
            handlers: RefCell::default(),
            shared_classes: HashSet::new(),
            detach: false,
            hoists: false,
            statement: None,
            dry: 0,
            state: State::default(),
            emitted_comments: Default::default(),
            work: 0,
            loose: loose.clone(),
        };
        let mut ported = porter.program(tree.root_node())?;
        let learned = porter.found != porter.known;
        // What was widened because a type was not known yet is not kept.
        if !learned || passes > MAX_PASSES / 2 {
            loose = porter.loose;
        }
        known = porter.found;
        // Widening a variable's type can change the types of others, so the file is translated
        // until nothing changes. Assignments that still do not fit are listed.
        if (loose.len() == widened && !learned) || passes == MAX_PASSES {
            let left: Vec<_> = ported.left.iter().filter(|left| !left.is_stub).map(|left| left.span).collect();
            ported.uses = inventory::uses(tree.root_node(), source, &files, &left);
            return Ok(ported);
        }
    }
}

/// The maximum number of translations of a file. Hand-written files take two or three passes.
const MAX_PASSES: usize = 20;

struct Porter<'t> {
    /// The text whose properties are variables, and the text as it was given.
    php: &'t str,
    source: &'t str,
    files: Rc<Files>,
    /// The file's functions, by their name in lower case.
    functions: HashMap<String, (String, Rc<Signature>)>,
    /// The Rust names of these functions.
    function_names: HashSet<String>,
    marks: Rc<Marks>,
    /// The uses of variables in bodies of functions, by the body and the parameters.
    uses: Rc<RefCell<scope::Bodies>>,
    /// The file's constants: their name in Rust and their type.
    constants: HashMap<String, (Code, Type)>,
    /// The namespaces, by the position that they begin at.
    namespaces: Vec<(usize, String)>,
    classes: Vec<Rc<Class<'t>>>,
    /// The numbers of the classes, by their full names in lower case and by their Rust names.
    class_numbers: HashMap<String, usize>,
    class_rust_names: HashMap<Rc<str>, usize>,
    /// The file's exception classes and their parents, by their full names in lower case.
    exceptions: HashMap<String, String>,
    /// The signatures of methods, by their keys.
    signatures: HashMap<String, Option<Rc<Signature>>>,
    /// What the last translation found, and what this one finds.
    known: Facts,
    found: Facts,
    /// The places and stubs whose objects may be null.
    nullable: HashSet<Rc<str>>,
    stub_names: HashMap<String, String>,
    /// The names of the stub types, by those of their classes.
    foreign_names: RefCell<HashMap<String, Rc<str>>>,
    /// The class and the first position of each stub type.
    foreign_lines: RefCell<BTreeMap<Rc<str>, (String, usize)>>,
    /// The handlers of notifications, by the ids of their functions.
    handlers: RefCell<HashMap<usize, Option<Rc<Handler>>>>,
    /// The classes whose objects are not cloned.
    shared_classes: HashSet<Rc<str>>,
    /// The statement that is being converted.
    statement: Option<Node<'t>>,
    /// Whether a variable is declared before the statement that assigns it.
    hoists: bool,
    /// Whether arguments must not borrow properties, because the call changes the object.
    detach: bool,
    /// How many translations are open whose result is discarded.
    dry: usize,
    state: State,
    /// The comments that have been emitted, and their order, so that a rollback can remove the last
    /// ones.
    emitted_comments: (HashSet<usize>, Vec<usize>),
    /// The declarations of variables that get values of more than one type. They become `Value`s.
    loose: HashSet<usize>,
    /// A measure of the work so far. A file that needs far more than its length suggests is
    /// refused.
    work: usize,
}

/// The state that grows during conversion. Some code is converted twice, first only to find its
/// types; then this state is rolled back.
#[derive(Default)]
struct State {
    left: Vec<Left>,
    /// Comments to insert above the current statement.
    notes: Vec<Note>,
    frames: Vec<Frame>,
    /// How many closures and `try` blocks are open.
    nested: usize,
    /// What the current statement does when it runs.
    acts: Vec<code::Act>,
}

/// A comment above a statement, and the span of the piece that it shows, if that was not converted.
struct Note {
    text: String,
    span: Option<(usize, usize)>,
}

/// The maximum number of converted expressions: a fixed number, and a number for each byte of PHP.
/// Hand-written files need a hundredth of this.
const MAX_WORK: usize = 4_000_000;
const MAX_WORK_PER_BYTE: usize = 8;

/// The work that is counted for a discarded translation, in addition to its expressions.
const WORK_OF_DRY_RUN: usize = 20;

/// The maximum nesting depth of closures and `try` blocks. Each level is translated more than once.
const MAX_NESTING: usize = 5;

impl<'t> Porter<'t> {
    fn text(&self, node: Node<'t>) -> &'t str {
        syntax::text(node, self.php)
    }

    /// Whether the work exceeds the limit for the length of the PHP.
    fn is_exhausted(&self) -> bool {
        self.work > MAX_WORK.saturating_add(MAX_WORK_PER_BYTE.saturating_mul(self.php.len()))
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

    /// `?` for an error of this crate.
    fn try_crate(&mut self) -> End {
        self.flow().found.fallible = true;
        End::Try
    }

    /// `?` for any other error.
    fn try_any(&mut self) -> End {
        self.flow().found.foreign = true;
        self.try_crate()
    }

    /// Whether the current code is a closure of `then` or `otherwise`, where an error is replaced
    /// by a default value instead of being returned.
    fn is_step(&mut self) -> bool {
        self.flow().kind == Kind::Step
    }

    /// Converts something and discards the result's effects, to find its types.
    fn dry_run<T>(&mut self, translate: impl FnOnce(&mut Self) -> T) -> T {
        self.work += WORK_OF_DRY_RUN;
        let frames = self.state.frames.len();
        let mut mark = 0;
        let frame = self.state.frames.last_mut().map(|last| {
            mark = last.vars.mark();
            let vars = std::mem::take(&mut last.vars);
            let frame = last.clone();
            last.vars = vars;
            frame
        });
        let (left, notes) = (std::mem::take(&mut self.state.left), std::mem::take(&mut self.state.notes));
        let acts = std::mem::take(&mut self.state.acts);
        let (nested, emitted) = (self.state.nested, self.emitted_comments.1.len());
        self.dry += 1;
        let out = translate(self);
        self.dry -= 1;
        self.state.frames.truncate(frames);
        if let (Some(last), Some(frame)) = (self.state.frames.last_mut(), frame) {
            let mut vars = std::mem::take(&mut last.vars);
            vars.roll_back(mark);
            *last = Frame { vars, ..frame };
        }
        (self.state.left, self.state.notes, self.state.nested) = (left, notes, nested);
        self.state.acts = acts;
        for comment in self.emitted_comments.1.split_off(emitted) {
            self.emitted_comments.0.remove(&comment);
        }
        out
    }
}
