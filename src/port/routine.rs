//! The functions and methods that a file declares itself, for `--calls`.

use tree_sitter::Node;

use super::syntax::{children, text};

/// A function or method: the identifier of its class, or 0, and its name in lower case.
pub(super) type Routine = (usize, String);

/// The class around a node.
pub(super) fn class_of(node: Node<'_>) -> Option<Node<'_>> {
    let mut at = node.parent();
    while let Some(one) = at.filter(|one| !is_class(*one)) {
        at = one.parent();
    }
    at
}

fn is_class(node: Node<'_>) -> bool {
    matches!(
        node.kind(),
        "class_declaration" | "trait_declaration" | "interface_declaration" | "enum_declaration" | "anonymous_class"
    )
}

/// Whether a class of another file may replace a method.
pub(super) fn is_replaceable(method: Node<'_>, php: &str) -> bool {
    let has = |node: Node<'_>, kind: &str, word: &str| {
        children(node).into_iter().any(|one| one.kind() == kind && text(one, php).eq_ignore_ascii_case(word))
    };
    let Some(class) = class_of(method).filter(|_| method.kind() == "method_declaration") else { return false };
    let is_final = has(method, "final_modifier", "final") || has(class, "final_modifier", "final");
    let is_private = has(method, "visibility_modifier", "private");
    match class.kind() {
        "trait_declaration" => true,
        "class_declaration" => !(is_final || is_private),
        _ => false,
    }
}
