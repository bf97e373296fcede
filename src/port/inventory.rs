//! The inventory: what a file uses of the SDK, and whether it is carried over.

use tree_sitter::Node;

use super::files::Files;
use super::syntax::{arguments, bare, children, field, full_class_name, line, text, variable};
use super::text::{short, single};

/// One use of the SDK.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SdkUse {
    pub(crate) line: usize,
    pub(crate) kind: UseKind,
    /// Whether it is part of the generated program.
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

const VERBS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

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
    let is_left = |span: (usize, usize)| {
        let before = left.partition_point(|(start, _)| *start <= span.0);
        before.checked_sub(1).and_then(|last| left.get(last)).is_some_and(|(_, end)| span.1 <= *end)
    };
    let mut stack = vec![root];
    while let Some(node) = stack.pop() {
        if let Some(kind) = kind(node, php, files) {
            let span = (node.start_byte(), node.end_byte());
            let is_carried = !is_left(span);
            found.push(SdkUse { line: line(node), kind, is_carried, span });
        }
        stack.extend(children(node));
    }
    found.sort_by_key(|one| one.span);
    found
}

fn kind(node: Node<'_>, php: &str, files: &Files) -> Option<UseKind> {
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
        "member_call_expression" => call(node, php),
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

/// The full name of a class of the SDK, in lower case.
fn sdk_class(node: Node<'_>, php: &str, files: &Files) -> Option<String> {
    let written = text(node, php);
    let lower = written.trim_start_matches('\\').to_lowercase();
    let full = match files.alias(&lower, node.start_byte()) {
        Some(full) => full.to_lowercase(),
        None if written.contains('\\') => lower,
        None => full_class_name(&lower)?.to_owned(),
    };
    full.starts_with("wechatpay\\").then_some(full)
}

/// `$client->v3->pay->post([...])` and the like.
fn call(node: Node<'_>, php: &str) -> Option<UseKind> {
    let name = text(field(node, "name")?, php);
    let base = name.strip_suffix("Async").unwrap_or(name);
    let verb = VERBS.iter().find(|verb| verb.eq_ignore_ascii_case(base))?;
    let mut at = bare(field(node, "object")?);
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
    let first = steps.first()?.clone().unwrap_or_default();
    is_sdk |= matches!(first.trim_start_matches('/').split('/').next(), Some("v2" | "v3"));
    if !is_sdk {
        return None;
    }
    let parts: Option<Vec<String>> = steps.into_iter().collect();
    let path = parts.map(|parts| parts.join("/").trim_start_matches('/').to_owned());
    let options = arguments(node).unwrap_or_default();
    let options = options.first().map(|options| names(*options, php)).unwrap_or_default();
    Some(UseKind::Call { verb: verb.to_uppercase(), path, is_async: base.len() < name.len(), options })
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
fn name_of(node: Node<'_>, php: &str) -> String {
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
