//! Rewrites `$this->name` to the variable `$this__name`, which has the same length, so that the
//! analysis and the conversion of variables apply to properties, and all positions stay.

use std::borrow::Cow;

use tree_sitter::{Node, Tree};

use super::syntax::{self, children, field, text};

/// The beginning of the names of variables that are properties.
pub(super) const PREFIX: &str = "this__";

/// The name of the property that a variable stands for.
pub(super) fn property(variable: &str) -> Option<&str> {
    variable.strip_prefix(PREFIX)
}

/// The syntax tree and the text, with the properties of `$this` as variables.
pub(super) fn parsed(php: &str) -> Result<(Tree, Cow<'_, str>), String> {
    let tree = syntax::parse(php)?;
    match lowered(&tree, php)? {
        None => Ok((tree, Cow::Borrowed(php))),
        Some(text) => Ok((syntax::parse(&text)?, Cow::Owned(text))),
    }
}

/// The text with the properties of `$this` as variables; `None` if it has none.
fn lowered(tree: &Tree, php: &str) -> Result<Option<String>, String> {
    if let Some((before, _)) = php.split_once("$this__") {
        let line = before.lines().count().max(1);
        return Err(format!("line {line}: variables whose names begin with $this__ are not carried over: rename them"));
    }
    let mut bytes = php.as_bytes().to_vec();
    let mut changed = false;
    let mut stack = vec![tree.root_node()];
    while let Some(node) = stack.pop() {
        if node.kind() == "member_access_expression" && is_plain(node, php) {
            if let (Some(object), Some(name)) = (field(node, "object"), field(node, "name")) {
                // Blanks before the arrow or behind it come first, so that lines stay, too.
                let between = php.get(object.end_byte()..name.start_byte()).unwrap_or_default();
                let blanks: String = between.chars().filter(|c| c.is_whitespace()).collect();
                let variable = format!("{blanks}${PREFIX}{}", text(name, php));
                if let Some(target) = bytes.get_mut(node.byte_range()) {
                    if target.len() == variable.len() {
                        target.copy_from_slice(variable.as_bytes());
                        changed = true;
                    }
                }
            }
            continue;
        }
        stack.extend(children(node));
    }
    Ok(changed.then(|| String::from_utf8(bytes).unwrap_or_else(|_| php.to_owned())))
}

/// `$this->name`, with nothing but blanks between its parts. Without braces in a string, more that
/// follows would become a part of the variable.
fn is_plain(node: Node<'_>, php: &str) -> bool {
    let (Some(object), Some(name)) = (field(node, "object"), field(node, "name")) else { return false };
    let between = php.get(object.end_byte()..name.start_byte()).unwrap_or_default();
    let arrow = between.split_whitespace().collect::<String>() == "->";
    let in_text = node.parent().is_some_and(|parent| matches!(parent.kind(), "encapsed_string" | "heredoc_body"));
    let rest = php.get(node.end_byte()..).unwrap_or_default();
    let goes_on = rest.starts_with(['[', '?']) || rest.starts_with("->");
    let braced = php.get(..node.start_byte()).is_some_and(|before| before.ends_with('{'));
    let joined = in_text && goes_on && !braced;
    text(object, php) == "$this" && name.kind() == "name" && arrow && !joined
}
