//! Parses PHP, and reads the nodes of the syntax tree.

use std::collections::HashMap;
use std::sync::LazyLock;

use tree_sitter::{Node, Parser, Tree};

/// The limits on nesting and on the length of a file. Hand-written code is far below both. The
/// operands of a long sum or text, and the branches of an `else if` chain, are nested in the tree
/// but not in the code, so `MAX_CHAIN` limits them instead of `MAX_DEPTH`.
const MAX_DEPTH: usize = 256;
const MAX_CHAIN: usize = 4000;
const MAX_BYTES: usize = 4 << 20;

/// The syntax tree of a file. Fails with the syntax errors of the file.
pub(super) fn parse(php: &str) -> Result<Tree, String> {
    if php.len() > MAX_BYTES {
        return Err(format!("the file has {} bytes, and at most {MAX_BYTES} are read: give it in pieces", php.len()));
    }
    let mut parser = Parser::new();
    parser
        .set_language(&tree_sitter_php::LANGUAGE_PHP.into())
        .map_err(|error| format!("the PHP grammar does not fit its library: {error}"))?;
    let tree = parser.parse(php, None).ok_or("the parser gave up")?;
    check(&tree, php)?;
    Ok(tree)
}

/// Checks the depth of the tree and finds its errors. It does not recurse, so that no later step
/// can overflow the stack.
fn check(tree: &Tree, php: &str) -> Result<(), String> {
    let mut cursor = tree.walk();
    // The ancestors of the current node, and whether the current child of each continues a chain.
    let mut open: Vec<(Node<'_>, bool)> = Vec::new();
    let (mut links, mut wrong) = (0, Vec::new());
    'walk: loop {
        let node = cursor.node();
        if let Some((parent, link)) = open.last_mut() {
            *link = is_link(*parent, node);
            links += usize::from(*link);
        }
        if open.len() - links > MAX_DEPTH {
            return Err(format!("line {}: nested more than {MAX_DEPTH} deep: take the expression apart", line(node)));
        }
        if links > MAX_CHAIN {
            return Err(format!("line {}: more than {MAX_CHAIN} operands or branches: take them apart", line(node)));
        }
        if node.is_error() {
            wrong.push(format!("line {}: this is not PHP: {}", line(node), super::text::short(text(node, php), 60)));
        } else if node.is_missing() {
            wrong.push(format!("line {}: {:?} is missing", line(node), node.kind()));
        } else if cursor.goto_first_child() {
            open.push((node, false));
            continue;
        }
        loop {
            let Some((_, link)) = open.last_mut() else { break 'walk };
            links -= usize::from(std::mem::take(link));
            if cursor.goto_next_sibling() {
                break;
            }
            open.pop();
            cursor.goto_parent();
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let more = wrong.len().saturating_sub(5);
    wrong.truncate(5);
    if more > 0 {
        wrong.push(format!("and {more} more"));
    }
    Err(wrong.join("\n"))
}

/// Whether a node continues the chain of its parent: the left operand of an operator, or the next
/// branch of `else if`.
fn is_link(parent: Node<'_>, node: Node<'_>) -> bool {
    match (parent.kind(), node.kind()) {
        ("binary_expression", "binary_expression") => parent.start_byte() == node.start_byte(),
        ("if_statement", "else_clause") | ("else_clause", "if_statement") => true,
        _ => false,
    }
}

/// The line where a node begins, counted from 1.
pub(super) fn line(node: Node<'_>) -> usize {
    node.start_position().row + 1
}

pub(super) fn text<'a>(node: Node<'_>, php: &'a str) -> &'a str {
    php.get(node.byte_range()).unwrap_or_default()
}

/// The named children, without comments.
pub(super) fn children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| child.kind() != "comment").collect()
}

/// Whether a node is or contains a statement of this kind that is not in a loop or a function
/// inside of it. `switches` is the number of nested `switch` statements that are searched.
pub(super) fn contains_own(node: Node<'_>, kind: &str, switches: usize) -> bool {
    match node.kind() {
        found if found == kind => true,
        "while_statement"
        | "for_statement"
        | "foreach_statement"
        | "do_statement"
        | "anonymous_function"
        | "function_definition" => false,
        "switch_statement" if switches == 0 => false,
        "switch_statement" => children(node).into_iter().any(|child| contains_own(child, kind, switches - 1)),
        _ => children(node).into_iter().any(|child| contains_own(child, kind, switches)),
    }
}

/// The named children, with comments.
pub(super) fn named(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).collect()
}

/// Whether a statement is an item: a function, a class or a trait.
pub(super) fn is_item(node: Node<'_>) -> bool {
    matches!(node.kind(), "function_definition" | "class_declaration" | "trait_declaration")
}

/// The arguments of `echo`.
pub(super) fn sequence(node: Node<'_>) -> Vec<Node<'_>> {
    let mut out = Vec::new();
    let mut stack = vec![node];
    while let Some(node) = stack.pop() {
        match node.kind() {
            "sequence_expression" => stack.extend(children(node).into_iter().rev()),
            _ => out.push(node),
        }
    }
    out
}

/// All children, with comments and punctuation.
pub(super) fn all(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.children(&mut cursor).collect()
}

pub(super) fn field<'t>(node: Node<'t>, name: &str) -> Option<Node<'t>> {
    node.child_by_field_id(*FIELDS.get(name)?)
}

/// The fields of the grammar. tree-sitter compares a name with each of them.
static FIELDS: LazyLock<HashMap<&'static str, u16>> = LazyLock::new(|| {
    let language = tree_sitter::Language::from(tree_sitter_php::LANGUAGE_PHP);
    let fields = 1..=u16::try_from(language.field_count()).unwrap_or(u16::MAX);
    fields.filter_map(|id| Some((language.field_name_for_id(id)?, id))).collect()
});

/// The name in `$name`; `None` for `$$name` and the like.
pub(super) fn variable<'a>(node: Node<'_>, php: &'a str) -> Option<&'a str> {
    let name = text(node, php).strip_prefix('$')?;
    (node.kind() == "variable_name" && !name.starts_with(['$', '{'])).then_some(name)
}

/// The arguments of a call; `None` where one is named, unpacked or by reference.
pub(super) fn arguments(call: Node<'_>) -> Option<Vec<Node<'_>>> {
    let list = match field(call, "arguments") {
        Some(list) => list,
        None => match children(call).into_iter().find(|child| child.kind() == "arguments") {
            Some(list) => list,
            None => return Some(Vec::new()),
        },
    };
    let mut out = Vec::new();
    for argument in children(list) {
        let inner = children(argument);
        match inner.as_slice() {
            [value]
                if argument.kind() == "argument"
                    && field(argument, "name").is_none()
                    && value.kind() != "variadic_unpacking" =>
            {
                out.push(*value);
            }
            _ => return None,
        }
    }
    Some(out)
}

/// The name of the function that a call calls, in lower case; empty if it is not a name.
pub(super) fn called(call: Node<'_>, php: &str) -> String {
    let name = field(call, "function").filter(|name| matches!(name.kind(), "name" | "qualified_name"));
    name.map(|name| text(name, php).trim_start_matches('\\').to_lowercase()).unwrap_or_default()
}

/// A parenthesised expression without its parentheses.
pub(super) fn bare(mut node: Node<'_>) -> Node<'_> {
    while node.kind() == "parenthesized_expression" {
        match children(node).first() {
            Some(inner) => node = *inner,
            None => break,
        }
    }
    node
}

/// The variable that a place is a part of.
pub(super) fn root_of(mut node: Node<'_>) -> Node<'_> {
    while node.kind() == "subscript_expression" || node.kind() == "parenthesized_expression" {
        match children(node).first() {
            Some(inner) => node = *inner,
            None => break,
        }
    }
    node
}

/// The names that `use` declares for classes, in lower case, with their positions and classes.
pub(super) fn aliases(root: Node<'_>, php: &str) -> Vec<(usize, String, String)> {
    let mut out = Vec::new();
    let mut stack = children(root);
    while let Some(node) = stack.pop() {
        match node.kind() {
            "namespace_definition" | "compound_statement" | "declaration_list" => stack.extend(children(node)),
            "namespace_use_declaration" => {
                let prefix =
                    children(node).iter().find(|child| child.kind() == "namespace_name").map(|n| text(*n, php));
                let group = field(node, "body").map(children);
                for clause in group.unwrap_or_else(|| children(node)) {
                    if clause.kind() != "namespace_use_clause" {
                        continue;
                    }
                    let Some(named) =
                        children(clause).into_iter().find(|c| matches!(c.kind(), "name" | "qualified_name"))
                    else {
                        continue;
                    };
                    let whole = match prefix {
                        Some(prefix) => format!("{prefix}\\{}", text(named, php)),
                        None => text(named, php).to_owned(),
                    };
                    let whole = whole.trim_start_matches('\\').to_owned();
                    let last = whole.rsplit('\\').next().unwrap_or_default();
                    let alias = field(clause, "alias").map_or(last, |alias| text(alias, php));
                    out.push((clause.start_byte(), alias.to_lowercase(), whole.clone()));
                }
            }
            _ => {}
        }
    }
    out
}

/// The namespaces of a file, by the position that they begin at.
pub(super) fn namespaces(root: Node<'_>, php: &str) -> Vec<(usize, String)> {
    let definitions = children(root).into_iter().filter(|node| node.kind() == "namespace_definition");
    let named = definitions.map(|node| {
        let name = field(node, "name").map(|name| text(name, php).to_owned());
        (node.start_byte(), name.unwrap_or_default())
    });
    named.collect()
}

/// Whether a name after a variable shows that the variable holds a client.
pub(super) fn is_chain_name(name: &str) -> bool {
    matches!(name.to_ascii_lowercase().as_str(), "v2" | "v3" | "chain" | "getdriver")
}

/// The full name of a class that documentation names only by its last segment.
pub(super) fn full_class_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "builder" => "wechatpay\\builder",
        "builderchainable" => "wechatpay\\builderchainable",
        "rsa" => "wechatpay\\crypto\\rsa",
        "aesgcm" => "wechatpay\\crypto\\aesgcm",
        "aesecb" => "wechatpay\\crypto\\aesecb",
        "hash" => "wechatpay\\crypto\\hash",
        "formatter" => "wechatpay\\formatter",
        "transformer" => "wechatpay\\transformer",
        "mediautil" => "wechatpay\\util\\mediautil",
        "pemutil" => "wechatpay\\util\\pemutil",
        "requestexception" => "guzzlehttp\\exception\\requestexception",
        "clientexception" => "guzzlehttp\\exception\\clientexception",
        "serverexception" => "guzzlehttp\\exception\\serverexception",
        "badresponseexception" => "guzzlehttp\\exception\\badresponseexception",
        "connectexception" => "guzzlehttp\\exception\\connectexception",
        "transferexception" => "guzzlehttp\\exception\\transferexception",
        "guzzleexception" => "guzzlehttp\\exception\\guzzleexception",
        _ => return None,
    })
}
