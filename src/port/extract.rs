//! `wxpay port --calls`: extracts the code that uses the SDK from code of a framework.
//!
//! ```text
//! flow.rs     effects of each piece of the syntax tree; changes.rs what it may change and reads
//! unit.rs     a function and its variables; routine.rs which methods are certain
//! slice.rs    the parts of a function that use the SDK; part.rs the statements that they need
//! carry.rs    the values in these statements that become parameters; parameters.rs their names
//! extract.rs  the reduced PHP: one function for each part, which is converted like other PHP
//! ```
//!
//! The data flow: each function of the file is cut into parts. The parts become functions of a
//! reduced PHP file, in which each value of other code is a parameter. The translator converts this
//! file. A piece that it cannot convert becomes a parameter, too, and the file is reduced again,
//! until nothing changes. `Files` maps the lines of the reduced PHP to those of the source.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

use tree_sitter::Node;

use super::carry::{Carried, Edit};
use super::files::{Extraction, Files, module_name, prepared};
use super::flow::{Flows, is_function};
use super::inventory;
use super::slice::{Part, Returned, Slicer};
use super::syntax::{all, children, field, line, text, variable};
use super::text::snake;
use super::unit::Unit;
use super::{Left, Module, Ported, lower, natives, on_large_stack};

/// The maximum number of times that a file is reduced. Files of merchants take two or three.
const MAX_ROUNDS: usize = 12;

impl Ported {
    /// Extracts the code of a PHP file that uses the SDK, as functions; none if it does not. `name`
    /// is the file in comments. Fails with the syntax errors of the file.
    pub(crate) fn calls(name: &str, php: &str) -> Result<Ported, String> {
        let php = prepared(php);
        on_large_stack(|| extracted(name, &php))
    }

    /// Likewise for several files, given with their names: the modules of a library crate.
    pub(crate) fn calls_files(given: &[(String, String)]) -> Result<Ported, String> {
        let given: Vec<_> = given.iter().map(|(name, php)| (name.clone(), prepared(php))).collect();
        on_large_stack(|| extracted_files(&given))
    }
}

fn extracted(name: &str, php: &str) -> Result<Ported, String> {
    let source = php;
    let (tree, lowered) = lower::parsed(source)?;
    let php = &*lowered;
    let root = tree.root_node();
    let mut files = Files::single();
    files.read_aliases(root, php);
    let flows = Flows::new(root, php, &files);
    let units = units(root, php);
    let mut refused = BTreeSet::new();
    for round in 1.. {
        let mut reduced = Reduced { flows: &flows, php: String::new(), lines: vec![1], pieces: Vec::new() };
        let mut left = Vec::new();
        let docs = reduced.write(root, (name, source), &units, &refused, &mut left);
        if docs.is_empty() {
            let uses = inventory::uses(root, source, &files, &[]);
            return Ok(Ported { rust: String::new(), modules: Vec::new(), left, uses });
        }
        let extraction = Extraction { lines: std::mem::take(&mut reduced.lines), docs };
        let mut ported = super::ported(&reduced.php, Files::extracted(extraction))?;
        let mut is_new = false;
        for one in &mut ported.left {
            let Some(span) = reduced.original(one.span) else { continue };
            if !span.is_empty() {
                one.php = source.get(span.clone()).unwrap_or_default().to_owned();
            }
            one.span = (span.start, span.end);
            is_new |= refused_node(root, span).is_some_and(|node| refused.insert((node.start_byte(), node.end_byte())));
        }
        if !is_new || round == MAX_ROUNDS {
            ported.left.extend(left);
            ported.left.sort_by_key(|one| one.line);
            let spans: Vec<_> = ported.left.iter().map(|one| one.span).collect();
            ported.uses = inventory::uses(root, source, &files, &spans);
            return Ok(ported);
        }
    }
    Err("this file cannot be carried over: please report it".to_owned())
}

/// The modules of a crate with the functions of several files, given with their names.
fn extracted_files(given: &[(String, String)]) -> Result<Ported, String> {
    let mut all = Ported { rust: String::new(), modules: Vec::new(), left: Vec::new(), uses: Vec::new() };
    let (mut errors, mut taken) = (Vec::new(), HashSet::from(["lib".to_owned()]));
    let mut lib = "//! The uses of the WeChat Pay SDK in code of PHP, as functions.\n\n".to_owned();
    for (number, (path, php)) in given.iter().enumerate() {
        let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
        match extracted(file, php) {
            Ok(mut ported) => {
                ported.left.iter_mut().for_each(|one| one.file = number);
                all.left.append(&mut ported.left);
                if !ported.rust.is_empty() {
                    let name = module_name(path, &mut taken);
                    lib.push_str(&format!("pub mod {name};\n"));
                    all.modules.push(Module { name, rust: ported.rust });
                }
            }
            Err(found) => errors.extend(found.lines().map(|error| format!("{path}: {error}"))),
        }
    }
    if !errors.is_empty() {
        return Err(errors.join("\n"));
    }
    if !all.modules.is_empty() {
        all.modules.push(Module { name: "lib".to_owned(), rust: lib });
    }
    Ok(all)
}

/// The node that the translator could not convert.
fn refused_node(root: Node<'_>, span: Range<usize>) -> Option<Node<'_>> {
    let mut node = root.descendant_for_byte_range(span.start, span.end.max(span.start + 1) - 1)?;
    let is_whole = |node: Node<'_>| node.end_byte() >= span.end;
    let is_call =
        |node: Node<'_>| node.kind().ends_with("call_expression") || node.kind() == "object_creation_expression";
    while !is_whole(node) || span.is_empty() && !is_call(node) || !node.is_named() {
        node = node.parent()?;
    }
    // The text of an expression is that of its parent if both are equally long.
    while let Some(parent) = node.parent().filter(|parent| parent.byte_range() == node.byte_range()) {
        if parent.kind() == "expression_statement" {
            break;
        }
        node = parent;
    }
    Some(node)
}

/// The functions and methods of a file, with their names.
fn units<'t>(root: Node<'t>, php: &str) -> Vec<(String, Option<String>, Unit<'t>)> {
    let mut out = Vec::new();
    let mut top = Vec::new();
    for node in children(root) {
        match (node.kind(), field(node, "body")) {
            ("namespace_definition", Some(body)) => top.extend(children(body)),
            _ => top.push(node),
        }
    }
    top.retain(|node| !is_function(*node) && !matches!(node.kind(), "php_tag" | "namespace_use_declaration"));
    out.push(("script".to_owned(), None, Unit { node: root, body: top, parameters: BTreeMap::new() }));
    let mut stack = vec![(root, "script".to_owned(), None::<String>)];
    while let Some((node, outer, class)) = stack.pop() {
        let named = || field(node, "name").map(|name| text(name, php).to_owned());
        let (mut outer, mut class) = (outer, class);
        match node.kind() {
            "class_declaration" | "trait_declaration" | "enum_declaration" => class = named(),
            "method_declaration" | "function_definition" | "anonymous_function" | "arrow_function" => {
                outer = named().unwrap_or(outer);
                if let Some(body) = field(node, "body").filter(|body| body.kind() == "compound_statement") {
                    let unit = Unit { node, body: children(body), parameters: parameters(node, php) };
                    out.push((outer.clone(), class.clone(), unit));
                }
            }
            _ => {}
        }
        stack.extend(children(node).into_iter().rev().map(|child| (child, outer.clone(), class.clone())));
    }
    out
}

/// The parameters of a function, with the declared types that Rust has, too.
fn parameters(node: Node<'_>, php: &str) -> BTreeMap<String, Option<String>> {
    let mut out = BTreeMap::new();
    for parameter in field(node, "parameters").map(children).unwrap_or_default() {
        let Some(name) = field(parameter, "name").and_then(|name| variable(name, php)) else { continue };
        let ty = field(parameter, "type").map(|ty| text(ty, php).to_owned());
        let is_null =
            field(parameter, "default_value").is_some_and(|value| text(value, php).eq_ignore_ascii_case("null"));
        let ty = ty.filter(|ty| {
            let is_scalar = matches!(ty.as_str(), "string" | "int" | "float" | "bool" | "array");
            !is_null && (is_scalar || ty.ends_with("BuilderChainable") && !ty.starts_with('?'))
        });
        let is_plain = parameter.kind() == "simple_parameter" || parameter.kind() == "property_promotion_parameter";
        out.insert(name.to_owned(), ty.filter(|_| is_plain));
    }
    out
}

/// The PHP that is converted, with the source of each of its pieces.
struct Reduced<'a> {
    flows: &'a Flows<'a>,
    php: String,
    /// The line in the source of each line.
    lines: Vec<usize>,
    /// Ranges, with the ranges in the source, and whether the text is the same.
    pieces: Vec<(Range<usize>, Range<usize>, bool)>,
}

impl Reduced<'_> {
    /// Writes the functions, and returns their doc comments.
    fn write<'t>(
        &mut self,
        root: Node<'t>,
        (file, source): (&str, &str),
        units: &[(String, Option<String>, Unit<'t>)],
        refused: &BTreeSet<(usize, usize)>,
        left: &mut Vec<Left>,
    ) -> BTreeMap<String, String> {
        self.text("<?php\n", 1);
        let mut stack = children(root);
        stack.reverse();
        while let Some(node) = stack.pop() {
            match node.kind() {
                "namespace_definition" | "compound_statement" => stack.extend(children(node).into_iter().rev()),
                "namespace_use_declaration" => {
                    self.source(node.byte_range(), line(node));
                    self.text("\n", line(node));
                }
                _ => {}
            }
        }
        let (mut docs, mut taken) = (BTreeMap::new(), HashSet::new());
        for (name, class, unit) in units {
            let mut slicer = Slicer::new(self.flows, refused, unit);
            slicer.run();
            for (node, why) in &slicer.left {
                left.push(Left {
                    file: 0,
                    line: line(*node),
                    why: (*why).to_owned(),
                    php: text(*node, source).to_owned(),
                    span: (node.start_byte(), node.end_byte()),
                    is_stub: false,
                });
            }
            for part in &slicer.parts {
                let function = function_name(name, class.as_deref(), &mut taken);
                let place = class.as_ref().map_or_else(|| name.clone(), |class| format!("{class}::{name}"));
                docs.insert(function.clone(), doc(file, &place, part));
                self.function(&function, part, &slicer);
            }
        }
        docs
    }

    fn function<'t>(&mut self, name: &str, part: &Part<'t>, slicer: &Slicer<'_, 't>) {
        let parameters: Vec<String> = part
            .parameters
            .iter()
            .map(|one| one.ty.as_ref().map_or_else(|| format!("${}", one.name), |ty| format!("{ty} ${}", one.name)))
            .collect();
        self.text(&format!("function {name}({}) {{\n", parameters.join(", ")), part.line);
        let last = part.kept.len().saturating_sub(1);
        for (number, kept) in part.kept.iter().enumerate() {
            let at = line(kept.node);
            self.assignments(&kept.before, slicer, at);
            let is_value =
                number == last && matches!(part.returned, Returned::Last) && kept.node.kind() == "expression_statement";
            if is_value {
                self.text("return ", at);
            }
            self.edited(kept.node, &kept.carried, &kept.names, slicer);
            self.text("\n", at);
        }
        match &part.returned {
            Returned::Nothing | Returned::Last => {}
            Returned::Expression(node, carried, names) => {
                self.assignments(&part.before, slicer, line(*node));
                self.text("return ", line(*node));
                self.edited(*node, carried, names, slicer);
                self.text(";\n", line(*node));
            }
            Returned::Variables(names) => {
                let names: Vec<String> = names.iter().map(|name| slicer.vars.local(name)).collect();
                let code = match names.as_slice() {
                    [name] => format!("return ${name};\n"),
                    names => {
                        let pairs: Vec<String> = names.iter().map(|name| format!("'{name}' => ${name}")).collect();
                        format!("return [{}];\n", pairs.join(", "))
                    }
                };
                self.text(&code, part.line);
            }
        }
        self.text("}\n", part.line);
    }

    fn assignments(&mut self, before: &[(String, String)], slicer: &Slicer<'_, '_>, at: usize) {
        for (name, of) in before {
            self.text(&format!("${} = ${of};\n", slicer.vars.local(name)), at);
        }
    }

    /// The PHP of a carried piece, without comments.
    fn edited<'t>(&mut self, node: Node<'t>, carried: &Carried<'t>, names: &[String], slicer: &Slicer<'_, 't>) {
        let mut edits: Vec<(Range<usize>, Option<String>)> = Vec::new();
        for (range, edit) in &carried.edits {
            let new = match edit {
                Edit::Input(number) => format!("${}", names.get(*number).map_or("value", String::as_str)),
                Edit::Property(name) => format!("${}", slicer.vars.local(name)),
                Edit::Text(text) => text.clone(),
            };
            edits.push((range.clone(), Some(new)));
        }
        let mut stack = vec![node];
        while let Some(one) = stack.pop() {
            if one.kind() == "comment" {
                edits.push((one.byte_range(), None));
            }
            stack.extend(all(one));
        }
        // An edit inside of another one has no effect.
        edits.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let php = self.flows.php;
        let line_of = |at: usize| line(node) + php.get(node.start_byte()..at).unwrap_or_default().matches('\n').count();
        let mut at = node.start_byte();
        for (range, new) in edits {
            if range.start < at {
                continue;
            }
            self.source(at..range.start, line_of(at));
            if let Some(new) = new {
                // In a text, a name would continue with the letters after it.
                let is_bare =
                    is_in_text(node, &range) && !php.get(..range.start).is_some_and(|before| before.ends_with('{'));
                let new = if is_bare && new.starts_with('$') { format!("{{{new}}}") } else { new };
                let start = self.php.len();
                self.text(&new, line_of(range.start));
                self.pieces.push((start..self.php.len(), range.clone(), false));
            }
            at = range.end;
        }
        self.source(at..node.end_byte(), line_of(at));
    }

    fn source(&mut self, range: Range<usize>, line: usize) {
        let start = self.php.len();
        let php = self.flows.php;
        let text = php.get(range.clone()).unwrap_or_default();
        for (number, piece) in text.split('\n').enumerate() {
            if number > 0 {
                self.php.push('\n');
                self.lines.push(line + number);
            }
            self.mark(line + number);
            self.php.push_str(piece);
        }
        self.pieces.push((start..self.php.len(), range, true));
    }

    fn text(&mut self, text: &str, line: usize) {
        self.mark(line);
        self.php.push_str(text);
        self.lines.extend(text.matches('\n').map(|_| line));
    }

    /// Gives the current line its line in the source if nothing is on it yet.
    fn mark(&mut self, line: usize) {
        if self.php.is_empty() || self.php.ends_with('\n') {
            if let Some(last) = self.lines.last_mut() {
                *last = line;
            }
        }
    }

    /// The range in the source of a range in the reduced PHP.
    fn original(&self, span: (usize, usize)) -> Option<Range<usize>> {
        let piece = |at: usize| self.pieces.iter().find(|(range, ..)| range.contains(&at));
        let (reduced, original, is_same) = piece(span.0)?;
        let start = if *is_same { original.start + (span.0 - reduced.start) } else { original.start };
        if span.0 == span.1 {
            return Some(start..start);
        }
        let (reduced, original, is_same) = piece(span.1.checked_sub(1)?)?;
        let end = if *is_same { original.start + (span.1 - reduced.start) } else { original.end };
        Some(start..end.max(start))
    }
}

/// Whether a range is a part of a text in double quotes.
fn is_in_text(node: Node<'_>, range: &Range<usize>) -> bool {
    let found = node.descendant_for_byte_range(range.start, range.end.saturating_sub(1).max(range.start));
    let mut at = found;
    while let Some(one) = at.filter(|one| one.byte_range() == *range || one.start_byte() == range.start) {
        if one.parent().is_some_and(|parent| matches!(parent.kind(), "encapsed_string" | "heredoc_body")) {
            return true;
        }
        at = one.parent();
    }
    false
}

/// An unused name for a function.
fn function_name(name: &str, class: Option<&str>, taken: &mut HashSet<String>) -> String {
    let plain = snake(name.trim_start_matches('_'));
    let class = class.map_or_else(|| "call".to_owned(), snake);
    let base = if natives::is_native(&plain) { format!("{class}_{plain}") } else { plain };
    let mut free = base.clone();
    let mut number = 2;
    while !taken.insert(free.clone()) {
        free = format!("{}_{number}", base.trim_end_matches('_'));
        number += 1;
    }
    free
}

/// The doc comment of a function: its origin, its parameters, and what is left to the caller.
fn doc(file: &str, place: &str, part: &Part<'_>) -> String {
    let shown = |php: &str| super::text::short(php, 100).replace('`', "'");
    let mut lines = vec![format!("PHP: `{place}`, {file}:{}.", part.line)];
    if !part.parameters.is_empty() {
        lines.push(String::new());
        for one in &part.parameters {
            let php = shown(&one.php);
            lines.push(format!("- `{}`: `{php}`, line {}", super::text::snake(&one.name), one.line));
        }
    }
    if !part.notes.is_empty() {
        lines.push(String::new());
        lines.push("Left to the caller:".to_owned());
        for (line, php) in &part.notes {
            lines.push(format!("- {file}:{line}: `{}`", shown(php)));
        }
    }
    super::text::comment("///", &lines.join("\n"))
}
