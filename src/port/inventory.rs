//! The inventory: what a file uses of the SDK, and whether it is carried over.

use std::collections::HashMap;

use tree_sitter::Node;

use super::files::Files;
use super::syntax::{arguments, bare, children, field, full_class_name, line, text, variable};
use super::text::{short, single};

/// One use of the SDK.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SdkUse {
    pub(crate) line: usize,
    pub(crate) kind: UseKind,
    /// Whether it is part of the generated program, with all of its arguments.
    pub(crate) is_carried: bool,
    /// Its start and end, in bytes.
    span: (usize, usize),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum UseKind {
    /// `Builder::factory`, with its settings and what they are made of.
    Client { settings: Vec<(String, String)> },
    /// A call.
    Call {
        /// In upper case, or the variable that contains it.
        verb: String,
        /// The path as a template; `None` if only the running program knows it.
        path: Option<String>,
        is_async: bool,
        /// The names of the options.
        options: Vec<String>,
    },
    /// A function of the SDK, such as `Rsa::sign`.
    Function(String),
    /// A function that verifies or decrypts a notification.
    Notification(String),
}

/// The maximum number of variables that a chain is followed through.
const MAX_VARIABLES: usize = 4;

pub(super) const VERBS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

/// The verb in the name of a method, such as `postAsync`, and whether it is asynchronous. PHP
/// ignores the case of names.
pub(super) fn verb(method: &str) -> Option<(&'static str, bool)> {
    let lower = method.to_ascii_lowercase();
    let base = lower.strip_suffix("async").unwrap_or(&lower);
    let verb = VERBS.into_iter().find(|verb| *verb == base)?;
    Some((verb, base.len() < lower.len()))
}

/// The uses of the SDK in a file, in the order of their positions. `left` are the spans that were
/// not converted.
pub(super) fn uses(root: Node<'_>, php: &str, files: &Files, left: &[(usize, usize)]) -> Vec<SdkUse> {
    let mut found = Vec::new();
    let mut left = left.to_vec();
    left.sort_unstable();
    // Replaces the end of each piece with the furthest end of all pieces up to it, for the binary
    // search below.
    let mut furthest = 0;
    for one in &mut left {
        furthest = furthest.max(one.1);
        one.1 = furthest;
    }
    let furthest_before = |at: usize| {
        let before = left.partition_point(|(start, _)| *start < at);
        before.checked_sub(1).and_then(|last| left.get(last)).map_or(0, |(_, end)| *end)
    };
    // A piece that overlaps a use contains it, or is one of its arguments. A handler of
    // notifications is a whole function, which may contain pieces that are left.
    let is_left = |kind: &UseKind, (start, end): (usize, usize)| match kind {
        UseKind::Notification(_) => furthest_before(start + 1) >= end,
        _ => furthest_before(end) > start,
    };
    let code = Code { php, files, assignments: assignments(root, php) };
    let mut stack = vec![(root, root.id())];
    while let Some((node, scope)) = stack.pop() {
        if let Some(kind) = kind(node, scope, &code) {
            let span = (node.start_byte(), node.end_byte());
            let is_carried = !is_left(&kind, span);
            found.push(SdkUse { line: line(node), kind, is_carried, span });
        }
        let within = scope_within(node, scope);
        stack.extend(children(node).into_iter().map(|child| (child, within)));
    }
    found.sort_by_key(|one| one.span);
    found
}

/// The code of a file.
struct Code<'t> {
    php: &'t str,
    files: &'t Files,
    assignments: Assignments<'t>,
}

/// The assignments to variables, by the function and the variable: the end of each in bytes, and
/// its value.
type Assignments<'t> = HashMap<(usize, &'t str), Vec<(usize, Node<'t>)>>;

/// The use of the SDK that a node is, without regard to chains in variables.
pub(super) fn direct_use(node: Node<'_>, php: &str, files: &Files) -> Option<UseKind> {
    kind(node, 0, &Code { php, files, assignments: Assignments::new() })
}

fn kind(node: Node<'_>, scope: usize, code: &Code<'_>) -> Option<UseKind> {
    let Code { php, files, .. } = *code;
    match node.kind() {
        "scoped_call_expression" => {
            let class = sdk_class(field(node, "scope")?, php, files)?;
            let method = text(field(node, "name")?, php);
            if class == "wechatpay\\builder" {
                return (method == "factory").then(|| UseKind::Client { settings: settings(node, php) });
            }
            let short = class.rsplit('\\').next().unwrap_or_default();
            let name = ["Rsa", "AesGcm", "AesEcb", "Hash", "Formatter", "Transformer", "PemUtil", "MediaUtil"];
            let name = name.iter().find(|name| name.eq_ignore_ascii_case(short))?;
            Some(UseKind::Function(format!("{name}::{method}")))
        }
        "object_creation_expression" => {
            let class = sdk_class(*children(node).first()?, php, files)?;
            (class == "wechatpay\\util\\mediautil").then(|| UseKind::Function("new MediaUtil".to_owned()))
        }
        // `getDriver()` returns the SDK's own Guzzle clients.
        "member_call_expression" if field(node, "name").is_some_and(|name| text(name, php) == "getDriver") => {
            Some(UseKind::Function("getDriver".to_owned()))
        }
        "member_call_expression" => call(node, scope, code),
        "method_declaration" | "function_definition" => {
            let body = text(field(node, "body")?, php);
            let verifies = ["AesGcm::decrypt", "Rsa::verify"].iter().any(|name| body.contains(name));
            let marks = ["php://input", "HTTP_WECHATPAY", "wechatpay-signature", "ciphertext"];
            let lower = body.to_lowercase();
            let receives = marks.iter().any(|mark| lower.contains(&mark.to_lowercase()));
            let name = text(field(node, "name")?, php);
            (verifies && receives).then(|| UseKind::Notification(name.to_owned()))
        }
        _ => None,
    }
}

/// The full name of a class of the SDK, in lower case. Other packages have classes in the
/// namespace `WeChatPay`, too.
pub(super) fn sdk_class(node: Node<'_>, php: &str, files: &Files) -> Option<String> {
    let written = text(node, php);
    let lower = written.trim_start_matches('\\').to_lowercase();
    let full = match files.alias(&lower, node.start_byte()) {
        Some(full) => full.to_lowercase(),
        None if written.contains('\\') => lower,
        None => full_class_name(&lower)?.to_owned(),
    };
    let short = full.rsplit('\\').next().unwrap_or_default();
    (full_class_name(short) == Some(&full)).then_some(full)
}

/// `$client->v3->pay->post([...])` and the like.
fn call(node: Node<'_>, scope: usize, code: &Code<'_>) -> Option<UseKind> {
    let php = code.php;
    let name = field(node, "name")?;
    // The verb can be in a variable: `->$method(...)` and `->{$method}(...)`.
    let is_dynamic = name.kind() != "name";
    let name = text(name, php);
    let (verb, is_async) = match verb(name) {
        Some((verb, is_async)) => (verb.to_uppercase(), is_async),
        None if is_dynamic => (short(name, 60), false),
        None => return None,
    };
    let (path, is_sdk) = chain(field(node, "object")?, scope, code, MAX_VARIABLES)?;
    if !is_sdk {
        return None;
    }
    let options = arguments(node).unwrap_or_default();
    let options = options.first().map(|options| names(*options, php)).unwrap_or_default();
    Some(UseKind::Call { verb, path, is_async, options })
}

/// The path of a chain as a template, and whether the chain belongs to the SDK. The path is `None`
/// if only the running program knows it.
fn chain(node: Node<'_>, scope: usize, code: &Code<'_>, variables: usize) -> Option<(Option<String>, bool)> {
    let php = code.php;
    let mut at = bare(node);
    let mut steps: Vec<Option<String>> = Vec::new();
    let mut is_sdk = false;
    loop {
        let next = match at.kind() {
            "member_access_expression" => {
                let name = field(at, "name")?;
                steps.push(segment(name, php));
                field(at, "object")?
            }
            "subscript_expression" => match children(at).as_slice() {
                [of, key] => {
                    steps.push(segment(*key, php));
                    *of
                }
                _ => return None,
            },
            "member_call_expression" if field(at, "name").is_some_and(|name| text(name, php) == "chain") => {
                is_sdk = true;
                let path = arguments(at)?;
                steps.push(path.first().and_then(|path| segment(*path, php)));
                field(at, "object")?
            }
            _ => break,
        };
        at = bare(next);
    }
    steps.reverse();
    // A chain that an assignment above keeps in a variable.
    let before = code.assigned_before(at, scope).filter(|_| variables > 0);
    if let Some((path, true)) = before.and_then(|value| chain(value, scope, code, variables - 1)) {
        steps.insert(0, path);
        is_sdk = true;
    }
    let parts: Option<Vec<String>> = steps.iter().cloned().collect();
    let path = parts.map(|parts| parts.join("/").trim_start_matches('/').to_owned()).filter(|path| !path.is_empty());
    // `hk` is the only word of the documentation in front of the version.
    let first = steps.iter().flatten().flat_map(|step| step.split('/')).find(|step| !matches!(*step, "" | "hk"));
    is_sdk |= matches!(first, Some("v2" | "v3"));
    Some((path, is_sdk))
}

/// The scope of the children of a node: the node itself if it is a function.
fn scope_within(node: Node<'_>, scope: usize) -> usize {
    let is_function =
        matches!(node.kind(), "function_definition" | "method_declaration" | "anonymous_function" | "arrow_function");
    if is_function { node.id() } else { scope }
}

fn assignments<'t>(root: Node<'t>, php: &'t str) -> Assignments<'t> {
    let mut found = Assignments::new();
    let mut stack = vec![(root, root.id())];
    while let Some((node, scope)) = stack.pop() {
        if node.kind() == "assignment_expression" {
            let name = field(node, "left").and_then(|left| variable(left, php));
            if let (Some(name), Some(value)) = (name, field(node, "right")) {
                found.entry((scope, name)).or_default().push((node.end_byte(), value));
            }
        }
        let within = scope_within(node, scope);
        stack.extend(children(node).into_iter().map(|child| (child, within)));
    }
    found.values_mut().for_each(|all| all.sort_by_key(|(end, _)| *end));
    found
}

impl<'t> Code<'t> {
    /// The value of the last assignment above a variable, in the same function.
    fn assigned_before(&self, node: Node<'_>, scope: usize) -> Option<Node<'t>> {
        let all = self.assignments.get(&(scope, variable(node, self.php)?))?;
        let above = all.partition_point(|(end, _)| *end <= node.start_byte());
        above.checked_sub(1).and_then(|last| all.get(last)).map(|(_, value)| *value)
    }
}

/// A part of a path as a template: the values in a text become variables.
fn segment(node: Node<'_>, php: &str) -> Option<String> {
    let node = bare(node);
    let raw = text(node, php);
    match node.kind() {
        "name" => Some(raw.to_owned()),
        "string" => Some(single(raw.get(1..raw.len().saturating_sub(1))?)),
        "encapsed_string" => {
            let mut out = String::new();
            for piece in children(node) {
                match piece.kind() {
                    "string_content" | "escape_sequence" => out.push_str(text(piece, php)),
                    _ => out.push_str(&format!("{{{}}}", name_of(piece, php))),
                }
            }
            Some(out)
        }
        "binary_expression" if field(node, "operator").is_some_and(|operator| text(operator, php) == ".") => {
            let side = |name: &str| {
                let side = field(node, name)?;
                Some(segment(side, php).unwrap_or_else(|| format!("{{{}}}", name_of(side, php))))
            };
            Some(side("left")? + &side("right")?)
        }
        _ => None,
    }
}

/// A name for a value in a path.
pub(super) fn name_of(node: Node<'_>, php: &str) -> String {
    let raw = text(node, php);
    let word: String = raw.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let name = word.split('_').rfind(|part| !part.is_empty()).unwrap_or("value");
    super::text::snake(name)
}

/// The keys of an array.
fn names(node: Node<'_>, php: &str) -> Vec<String> {
    let elements = children(bare(node)).into_iter().filter(|child| child.kind() == "array_element_initializer");
    let key = |element: Node<'_>| match children(element).as_slice() {
        [key, _] => segment(*key, php),
        _ => None,
    };
    elements.filter_map(key).collect()
}

/// The settings of a client: the code of their values, without texts, which may be secret.
fn settings(node: Node<'_>, php: &str) -> Vec<(String, String)> {
    let given = arguments(node).unwrap_or_default();
    let Some(array) = given.first().map(|array| bare(*array)) else { return Vec::new() };
    if array.kind() != "array_creation_expression" {
        return vec![("settings".to_owned(), short(text(array, php), 60))];
    }
    let mut out = Vec::new();
    for element in children(array) {
        if let [key, value] = children(element).as_slice() {
            let mut stack = vec![*value];
            let mut has_text = false;
            while let Some(node) = stack.pop() {
                has_text |= matches!(node.kind(), "string_content" | "nowdoc_body" | "heredoc_body");
                stack.extend(children(node));
            }
            let is_place = variable(*value, php).is_some() || value.kind() == "subscript_expression";
            let shown =
                if has_text && !is_place { "a text in the code".to_owned() } else { short(text(*value, php), 60) };
            out.push((segment(*key, php).unwrap_or_default(), shown));
        }
    }
    out
}
