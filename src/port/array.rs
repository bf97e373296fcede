//! Converts PHP's arrays, which are both lists and maps, to `json!`.

use tree_sitter::Node;

use super::Porter;
use super::code::{Code, Shape, code, indent};
use super::imports::{JSON, OPTIONS, PHP, VALUE};
use super::syntax::{all, children, field, line};
use super::text::comment;
use super::value::{Bond, Expr, Form, Type};
use crate::options;

/// The maximum length of an array that PHP has on one line and that stays on one line.
const ONE_LINE: usize = 88;

/// The depth of `json!` above which an array is written without it. The compiler's limit for macros
/// is 128.
const MAX_DEPTH: usize = 100;

/// The key of an element.
#[derive(Clone, PartialEq)]
enum Key {
    Fixed(String),
    /// A key that is only known at run time.
    Dynamic(Code),
}

/// One element of an array, or a comment between two elements.
enum Item {
    Element {
        key: Option<Key>,
        value: Code,
    },
    /// A comment, and whether it follows an element on the same line.
    Comment {
        text: String,
        behind: bool,
    },
    /// `...$other`
    Spread(Code),
}

impl<'t> Porter<'t> {
    pub(super) fn array(&mut self, node: Node<'t>) -> Expr {
        self.array_of(node, false)
    }

    /// The options of a call: an array whose keys the crate knows.
    pub(super) fn options_array(&mut self, node: Node<'t>) -> Expr {
        self.array_of(node, true)
    }

    fn array_of(&mut self, node: Node<'t>, is_options: bool) -> Expr {
        let mut items = Vec::new();
        let mut media: Option<Expr> = None;
        let mut promises: Vec<Code> = Vec::new();
        let mut promised: Option<Type> = None;
        let mut headers_gone = false;
        // The next key; `None` before the first number.
        let mut next_index: Option<i64> = None;
        let mut sequential = true;
        let mut last_line = line(node);
        for child in all(node) {
            if child.kind() == "comment" {
                let behind = !items.is_empty() && line(child) == last_line;
                self.mark_emitted(child);
                items.push(Item::Comment { text: rust_comment(self.text(child)), behind });
                continue;
            }
            if !child.is_named() || child.kind() != "array_element_initializer" {
                continue;
            }
            last_line = child.end_position().row + 1;
            let parts = children(child);
            let (key, value) = match parts.as_slice() {
                [value] if value.kind() == "variadic_unpacking" => {
                    if let Some(inner) = children(*value).first() {
                        let spread = self.expression(*inner);
                        items.push(Item::Spread(self.value(&spread)));
                    }
                    continue;
                }
                [value] => (None, *value),
                [key, value] => (Some(*key), *value),
                _ => {
                    self.left(child, "an element of an unknown form");
                    continue;
                }
            };
            let key = key.map(|key| self.expression(key));
            let name = key.as_ref().and_then(|key| key.literal.clone());
            let translated = match name.as_deref() {
                Some(name) if is_options => self.option(child, name, value),
                _ => self.expression(value),
            };
            let translated = self.as_element(value, translated);
            match translated.ty {
                // The crate sets the headers of an upload itself.
                Type::MediaHeaders => {
                    headers_gone = true;
                    continue;
                }
                Type::MediaStream if name.as_deref() == Some("body") => {
                    let code = self.take(&translated, value, node.end_byte());
                    media = Some(Expr::new(code, Type::Media));
                    continue;
                }
                _ => {}
            }
            if let (Type::Promise(of), false) = (&translated.ty, is_options) {
                let number = promises.len().to_string();
                let name = name.unwrap_or(number);
                let promise = self.take(&translated, value, node.end_byte());
                promises.push(code!("({}, {promise})", Code::quoted(&name)));
                promised = Some((**of).clone());
                continue;
            }
            let value = if translated.ty == Type::Bool && translated.bond > Bond::Compare {
                // The macro takes no `||` at this place.
                code!("({})", translated.code)
            } else if translated.ty.is_object() {
                let why = "JSON cannot hold this object: give it to Options by a method";
                self.left(value, why).code
            } else if translated.ty == Type::Unit {
                self.left(value, "this expression has no value").code
            } else {
                self.json(&translated)
            };
            let key = match key {
                None => {
                    if items.iter().any(is_dynamic) {
                        self.left(child, "its key follows from one that is only known at run time: write it");
                        continue;
                    }
                    let index = next_index.unwrap_or_default();
                    let Some(next) = index.checked_add(1) else {
                        self.left(child, "there is no next key: write the key");
                        continue;
                    };
                    sequential &= index >= 0;
                    next_index = Some(next);
                    Key::Fixed(index.to_string())
                }
                Some(key) => {
                    let number = match (&key.literal, &key.ty) {
                        (Some(literal), _) => literal.parse::<i64>().ok().filter(|n| n.to_string() == *literal),
                        (None, Type::Int) => key.code.as_signed(),
                        _ => None,
                    };
                    match (number, key.literal.clone()) {
                        (Some(number), _) => {
                            sequential &= (0..=next_index.unwrap_or_default()).contains(&number);
                            next_index = next_index.max(Some(number.saturating_add(1)));
                            Key::Fixed(number.to_string())
                        }
                        (None, Some(literal)) => {
                            sequential = false;
                            Key::Fixed(literal)
                        }
                        (None, None) => {
                            let Some(key) = self.key(&key) else {
                                self.left(child, "a key of this type is not carried over");
                                continue;
                            };
                            sequential = false;
                            Key::Dynamic(key)
                        }
                    }
                }
            };
            // As in PHP, the last of two equal keys wins, at the position of the first.
            let same = |item: &&mut Item| matches!(item, Item::Element { key: Some(known), .. } if *known == key);
            match items.iter_mut().find(same) {
                Some(Item::Element { value: old, .. }) => *old = value,
                _ => items.push(Item::Element { key: Some(key), value }),
            }
        }
        if let (Some(of), true) = (promised, items.iter().all(|item| matches!(item, Item::Comment { .. }))) {
            return Expr::new(code!("vec![{}]", Code::joined(&promises, ", ")), Type::Promises(Box::new(of)));
        }
        if sequential {
            for item in &mut items {
                if let Item::Element { key, .. } = item {
                    *key = None;
                }
            }
        }
        let short = line(node) == node.end_position().row + 1;
        if items.iter().any(is_dynamic) {
            return self.built(node, &items, media.is_some());
        }
        if items.iter().any(|item| matches!(item, Item::Spread(_))) {
            let numbered = |item: &Item| matches!(item, Item::Element { key: Some(Key::Fixed(key)), .. } if key.parse::<i64>().is_ok());
            if !sequential && items.iter().any(numbered) {
                return self.left(node, "an array with numbers as keys that others are unpacked into: use array_merge");
            }
            return self.merged(items, short);
        }
        let empty = items.iter().all(|item| matches!(item, Item::Comment { .. }));
        if empty && headers_gone && media.is_none() && !is_options {
            return Expr::new("()", Type::MediaHeaders);
        }
        let (inside, array) = literal(&items, sequential && media.is_none(), short);
        let Some(media) = media else {
            return Expr { inside: Some(inside), ..Expr::new(array, Type::Value) };
        };
        if empty {
            return media;
        }
        Expr::new(code!("{OPTIONS}::from({array}).media({})", media.code), Type::Options)
    }

    /// The value of one option of a call.
    fn option(&mut self, element: Node<'t>, name: &str, value: Node<'t>) -> Expr {
        if let Some(instead) = options::replacement(name) {
            return self.left(element, &format!("the option {name:?} has no meaning here: {instead}"));
        }
        if name == "sink" {
            if let Some(path) = self.opened(value) {
                return path;
            }
        }
        if matches!(name, "query" | "headers" | "form_params" | "xml")
            && value.kind() == "array_creation_expression"
            && children(value).is_empty()
        {
            return Expr { inside: Some("{}".into()), ..Expr::new(code!("{JSON}!({{}})"), Type::Value) };
        }
        self.expression(value)
    }

    /// The path in `fopen($path, 'w')`, which the option `sink` takes.
    fn opened(&mut self, node: Node<'t>) -> Option<Expr> {
        let arguments = super::syntax::arguments(node)?;
        let opens = match node.kind() {
            "function_call_expression" => super::syntax::called(node, self.php) == "fopen",
            "object_creation_expression" => children(node)
                .first()
                .is_some_and(|class| matches!(self.class(*class).as_str(), "guzzlehttp\\psr7\\lazyopenstream")),
            "scoped_call_expression" => field(node, "name").is_some_and(|name| self.text(name) == "tryFopen"),
            _ => false,
        };
        let [path, mode] = arguments.as_slice() else { return None };
        let mode = self.dry_run(|porter| porter.expression(*mode)).literal?;
        (opens && mode.starts_with(['w', 'x'])).then(|| self.expression(*path))
    }

    /// An array with a key that is only known at run time.
    fn built(&mut self, node: Node<'t>, items: &[Item], media: bool) -> Expr {
        let mut pairs = Vec::new();
        for item in items {
            match item {
                Item::Element { key: Some(key), value, .. } => {
                    let key = match key {
                        Key::Dynamic(key) => key.clone(),
                        Key::Fixed(key) => Code::quoted(key),
                    };
                    pairs.push(code!("({JSON}!({key}), {JSON}!({value}))"));
                }
                Item::Comment { .. } => {}
                _ => return self.left(node, "an array with keys of several kinds: fill it step by step"),
            }
        }
        if media {
            return self.left(node, "an array with keys of several kinds: fill it step by step");
        }
        Expr::new(code!("{PHP}::from_pairs(vec![{}])", Code::joined(&pairs, ", ")), Type::Value)
    }

    /// An array that other arrays are unpacked into.
    fn merged(&mut self, items: Vec<Item>, short: bool) -> Expr {
        let (mut arrays, mut run) = (Vec::new(), Vec::new());
        let flush = |run: &mut Vec<Item>, arrays: &mut Vec<Code>| {
            if !run.is_empty() {
                let list = run.iter().all(|item| !matches!(item, Item::Element { key: Some(_), .. }));
                arrays.push(literal(run, list, short).1);
                run.clear();
            }
        };
        for item in items {
            match item {
                Item::Spread(code) => {
                    flush(&mut run, &mut arrays);
                    arrays.push(code);
                }
                other => run.push(other),
            }
        }
        flush(&mut run, &mut arrays);
        let arrays: Vec<Code> = arrays.into_iter().map(|array| code!("&{array}")).collect();
        let end = self.try_any();
        Expr::new(code!("{PHP}::merge(&[{}]){end}", Code::joined(&arrays, ", ")), Type::Value)
    }

    /// `$of[$key]`, read.
    pub(super) fn indexed(&mut self, node: Node<'t>, of: Expr, key: &Expr) -> Expr {
        match of.ty {
            Type::Value => {}
            Type::Null => return Expr::new(code!("{VALUE}::Null"), Type::Value),
            Type::Foreign(ref owner) if node.kind() == "subscript_expression" => {
                return self.offset(node, owner, &of, key);
            }
            _ => return self.left(node, "an index into a value that is not an array"),
        }
        let of = super::operator::undisturbed(of, key);
        if key.literal.as_deref().is_some_and(|key| key.parse::<i64>().is_err()) {
            return Expr::place(code!("{}[{}]", of.tight(), key.code), Type::Value);
        }
        let Some(key) = self.key(key) else {
            return self.left(node, "a key of this type is not carried over");
        };
        let end = self.try_any();
        Expr::new(code!("{PHP}::at({}, {key}){end}", of.reference()), Type::Value).form(Form::Ref)
    }

    /// A key, for `php::at` and the like.
    pub(super) fn key(&mut self, key: &Expr) -> Option<Code> {
        Some(match &key.ty {
            _ if key.literal.as_deref().is_some_and(|key| key.parse::<i64>().is_ok_and(|n| n.to_string() == key)) => {
                code!("{}", key.literal.as_deref().unwrap_or_default())
            }
            Type::Int => key.code.clone(),
            Type::Text => self.str(key),
            Type::Value if key.inside.is_none() => key.reference(),
            Type::Null => "\"\"".into(),
            Type::Bool => code!("i64::from({})", key.code),
            Type::Status => code!("i64::from({})", key.code),
            Type::Float => code!("{PHP}::int_of_float({})", key.code),
            _ => return None,
        })
    }
}

/// An array: what `json!` takes for it, and an expression.
fn literal(items: &[Item], list: bool, short: bool) -> (Code, Code) {
    let depth = depth(items, list);
    if depth > MAX_DEPTH {
        let elements = written(items, '[', ']', short, |key, value| {
            let value = if matches!(value.shape(), Shape::Array) { value.clone() } else { code!("{JSON}!({value})") };
            match key {
                Some(key) => code!("({key}, {value})"),
                None => value,
            }
        });
        // Each array around it is written without `json!`, too.
        let array = code!("{VALUE}::from_iter({elements})").array().of_depth(MAX_DEPTH);
        return (array.clone(), array);
    }
    let (open, close) = if list { ('[', ']') } else { ('{', '}') };
    let inside = written(items, open, close, short, |key, value| match key {
        Some(key) => code!("{key}: {value}"),
        None => value.clone(),
    });
    let inside = inside.of_depth(depth);
    (inside.clone(), code!("{JSON}!({inside})"))
}

/// The depth to which `json!` expands itself for an array. Each member of an object is three steps
/// inside the one before it. The elements of a list are inside all steps for the list.
fn depth(items: &[Item], list: bool) -> usize {
    let values = items.iter().filter_map(|item| match item {
        Item::Element { value, .. } => Some(value.depth()),
        _ => None,
    });
    if list {
        let (count, deepest) = values.fold((0, 0), |(count, deepest), depth| (count + 1, depth.max(deepest)));
        1 + 2 * count + deepest
    } else {
        1 + values.enumerate().map(|(number, depth)| 3 * (number + 1) + depth).max().unwrap_or_default()
    }
}

/// The elements between two brackets. A short array is on one line.
fn written(
    items: &[Item],
    open: char,
    close: char,
    short: bool,
    element: impl Fn(Option<Code>, &Code) -> Code,
) -> Code {
    let list = open == '[';
    let element = |key: &Option<Key>, value: &Code| {
        let key = key.as_ref().map(|key| match key {
            Key::Dynamic(key) => code!("({key})"),
            Key::Fixed(key) => Code::quoted(key),
        });
        element(key, value)
    };
    let elements: Vec<Code> = items
        .iter()
        .filter_map(|item| match item {
            Item::Element { key, value, .. } => Some(element(key, value)),
            _ => None,
        })
        .collect();
    if items.is_empty() {
        return code!("{open}{close}");
    }
    let length: usize = elements.iter().map(|one| one.width() + 2).sum();
    let breaks = elements.iter().any(|one| !one.is_one_line());
    if elements.len() == items.len() && length < ONE_LINE && !breaks && (short || (list && length < ONE_LINE / 2)) {
        let space = if list { "" } else { " " };
        return code!("{open}{space}{}{space}{close}", Code::joined(&elements, ", "));
    }
    let mut lines: Vec<Code> = Vec::new();
    for item in items {
        match item {
            Item::Element { key, value, .. } => lines.push(code!("{},", element(key, value))),
            Item::Comment { text, behind } if *behind && !text.contains('\n') && !lines.is_empty() => {
                if let Some(last) = lines.last_mut() {
                    last.push(&code!(" {text}"));
                }
            }
            Item::Comment { text, .. } => lines.push(code!("{text}")),
            Item::Spread(_) => {}
        }
    }
    code!("{open}\n{}\n{close}", indent(&Code::joined(&lines, "\n")))
}

fn is_dynamic(item: &Item) -> bool {
    matches!(item, Item::Element { key: Some(Key::Dynamic(_)), .. })
}

/// A PHP comment of any kind as a plain Rust comment.
pub(super) fn rust_comment(php: &str) -> String {
    if let Some(rest) = php.strip_prefix("//").or_else(|| php.strip_prefix('#')) {
        let rest = rest.trim_start_matches('/');
        return comment("//", rest.strip_prefix(' ').unwrap_or(rest).trim_end());
    }
    let inner = php.trim_start_matches('/').trim_start_matches('*').trim_end_matches('/').trim_end_matches('*');
    let lines: Vec<&str> = inner
        .lines()
        .map(|line| {
            line.trim_start().strip_prefix('*').map_or(line.trim(), |rest| rest.strip_prefix(' ').unwrap_or(rest))
        })
        .collect();
    let text = lines.join("\n");
    comment("//", text.trim_matches('\n').trim_end())
}
