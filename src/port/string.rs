//! Converts strings: literals, interpolation, heredocs and concatenation.

use tree_sitter::Node;

use super::Porter;
use super::syntax::{all, children, field};
use super::text;
use super::value::{Expr, Type};

impl<'t> Porter<'t> {
    /// `'...'`
    pub(super) fn single(&mut self, node: Node<'t>) -> Expr {
        let raw = self.text(node);
        let raw = raw.strip_prefix(['b', 'B']).unwrap_or(raw);
        Expr::literal(&text::single(raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default()))
    }

    /// `"..."`
    pub(super) fn encapsed(&mut self, node: Node<'t>) -> Expr {
        match self.pieces(node, node.start_byte() + 1, node.end_byte().saturating_sub(1), None) {
            Some(parts) => self.joined(parts),
            None => {
                self.left_as(node, "its bytes are not UTF-8, or it contains an unknown form of variable", Type::Text)
            }
        }
    }

    /// `<<<EOT` and `<<<'EOT'`
    pub(super) fn heredoc(&mut self, node: Node<'t>) -> Expr {
        let (Some(tag), Some(body)) = (field(node, "end_tag"), field(node, "value")) else {
            return Expr::literal("");
        };
        // From the line after the opening identifier to the line break before the closing one. The
        // indentation of the closing identifier is removed from every line.
        let opening = field(node, "identifier").map_or(node.start_byte(), |tag| tag.end_byte());
        let from = self.php.get(opening..).and_then(|rest| rest.find('\n')).map_or(opening, |at| opening + at + 1);
        let before = self.php.get(..tag.start_byte()).unwrap_or_default();
        let line = before.rfind('\n').map_or(0, |at| at + 1);
        let indent = before.get(line..).unwrap_or_default();
        let to =
            line.saturating_sub(if before.get(..line).unwrap_or_default().ends_with("\r\n") { 2 } else { 1 }).max(from);
        if node.kind() == "nowdoc" {
            return Expr::literal(&unindented(self.php.get(from..to).unwrap_or_default(), indent, true));
        }
        match self.pieces(body, from, to, Some(indent)) {
            Some(parts) => self.joined(parts),
            None => {
                self.left_as(node, "its bytes are not UTF-8, or it contains an unknown form of variable", Type::Text)
            }
        }
    }

    /// The literal parts and the variables between two positions of the file.
    fn pieces(&mut self, node: Node<'t>, from: usize, to: usize, heredoc: Option<&str>) -> Option<Vec<Expr>> {
        let mut parts = Vec::new();
        let mut at = from;
        let raw = |porter: &Self, from: usize, to: usize, parts: &mut Vec<Expr>| -> Option<()> {
            let piece = porter.php.get(from..to)?;
            let piece = match heredoc {
                Some(indent) => text::double(&unindented(piece, indent, parts.is_empty()), false)?,
                None => text::double(piece, true)?,
            };
            // The first part is kept even if it is empty, so that the next does not count as the
            // start of a line.
            parts.push(Expr::literal(&piece));
            Some(())
        };
        let pieces = all(node);
        for (number, child) in pieces.iter().enumerate() {
            if !child.is_named() || matches!(child.kind(), "string_content" | "escape_sequence") {
                continue;
            }
            if child.start_byte() < from || child.end_byte() > to {
                continue;
            }
            if child.kind() == "dynamic_variable_name" {
                return None;
            }
            let braced = number > 0 && pieces.get(number - 1).is_some_and(|before| before.kind() == "{");
            raw(self, at, child.start_byte() - usize::from(braced), &mut parts)?;
            at = child.end_byte() + usize::from(braced);
            // In `"$a[key]"`, the key has no quotes.
            parts.push(if braced { self.expression(*child) } else { self.simple(*child) });
        }
        raw(self, at, to.max(at), &mut parts)?;
        Some(parts)
    }

    fn simple(&mut self, node: Node<'t>) -> Expr {
        if node.kind() == "subscript_expression" {
            if let [of, key] = children(node).as_slice() {
                if key.kind() == "name" {
                    let (of, key) = (self.expression(*of), Expr::literal(self.text(*key)));
                    return self.indexed(node, of, &key);
                }
            }
        }
        self.expression(node)
    }

    /// A sequence of texts and values.
    pub(super) fn joined(&mut self, parts: Vec<Expr>) -> Expr {
        let mut merged: Vec<Expr> = Vec::new();
        for part in parts {
            match (merged.last_mut(), &part.literal) {
                (_, Some(literal)) if literal.is_empty() => {}
                (Some(Expr { literal: Some(before), .. }), Some(literal)) => {
                    let both = format!("{before}{literal}");
                    merged.pop();
                    merged.push(Expr::literal(&both));
                }
                _ => merged.push(part),
            }
        }
        match merged.as_slice() {
            [] => Expr::literal(""),
            [one] if one.literal.is_some() => one.clone(),
            [one] if one.ty == Type::Text => one.clone(),
            [one] => Expr::new(self.string(one), Type::Text),
            parts => Expr::new(self.formatted("format", parts), Type::Text),
        }
    }

    /// `$a . $b . 'c'`, as its parts.
    pub(super) fn concatenated(&mut self, node: Node<'t>, parts: &mut Vec<Expr>) {
        let mut operands = vec![node];
        let mut flat = Vec::new();
        while let Some(node) = operands.pop() {
            let glued = node.kind() == "binary_expression"
                && field(node, "operator").is_some_and(|operator| self.text(operator) == ".");
            match (glued, field(node, "left"), field(node, "right")) {
                (true, Some(left), Some(right)) => operands.extend([right, left]),
                _ => flat.push(node),
            }
        }
        for node in flat {
            if node.kind() == "encapsed_string" {
                let pieces = self.pieces(node, node.start_byte() + 1, node.end_byte().saturating_sub(1), None);
                if let Some(pieces) = pieces {
                    parts.extend(pieces.into_iter().filter(|one| one.literal.as_deref() != Some("")));
                    continue;
                }
            }
            let part = self.expression(node);
            let part = match part.code.as_number() {
                Some(number) => Expr::literal(&number.to_string()),
                None => part,
            };
            parts.push(part);
        }
    }
}

/// Lines without the indentation of the heredoc's closing identifier.
fn unindented(piece: &str, indent: &str, at_start: bool) -> String {
    let mut out = String::with_capacity(piece.len());
    for (number, line) in piece.split_inclusive('\n').enumerate() {
        let line = if number > 0 || at_start { line.strip_prefix(indent).unwrap_or(line) } else { line };
        out.push_str(line);
    }
    out
}
