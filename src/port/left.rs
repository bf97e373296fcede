//! Code that is not converted. It is listed, and the program contains a comment and a `todo!` in
//! its place.

use tree_sitter::Node;

use super::code::{Code, code};
use super::value::{Bond, Expr, Type};
use super::{Left, Note, Porter, syntax, text};

impl<'t> Porter<'t> {
    /// Records that a piece was not converted, and returns a `todo!` for it. A comment with the PHP
    /// is inserted above the statement.
    pub(super) fn note_left(&mut self, node: Node<'t>, why: &str) -> Code {
        let (line, php) = (self.line(node), self.original(node));
        let span = (node.start_byte(), node.end_byte());
        // Pieces inside of this one are not listed separately.
        let within = |inner: (usize, usize)| span.0 <= inner.0 && inner.1 <= span.1;
        while self.state.left.last().is_some_and(|one| within(one.span)) {
            self.state.left.pop();
        }
        self.state.notes.retain(|note| !note.span.is_some_and(within));
        let file = self.files.number(node.start_byte());
        self.state.left.push(Left { file, line, why: why.to_owned(), php: php.to_owned(), span, is_stub: false });
        let text = text::comment("//", &format!("PHP, line {line}: {php}"));
        self.state.notes.push(Note { text, span: Some(span) });
        // The comments of the piece are already shown as part of its PHP.
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            if node.kind() == "comment" {
                self.mark_emitted(node);
            }
            stack.extend(syntax::all(node));
        }
        self.todo(node)
    }

    /// The `todo!` of a piece that was not converted. It is code of the generated program, which
    /// the merchant replaces; this program does not run it.
    pub(super) fn todo(&self, node: Node<'t>) -> Code {
        code!("todo!(\"line {}: {}\")", self.line(node), text::braced(&text::short(self.original(node), 60))).todo()
    }

    /// The line of a node in its file.
    pub(super) fn line(&self, node: Node<'_>) -> usize {
        self.files.line(syntax::line(node), node.start_byte())
    }

    /// The text of a node in the PHP as it was given.
    pub(super) fn original(&self, node: Node<'t>) -> &'t str {
        syntax::text(node, self.source)
    }

    /// Whether the last piece that was not converted is exactly this node.
    pub(super) fn was_left(&self, node: Node<'t>) -> bool {
        self.state.left.last().is_some_and(|left| left.span == (node.start_byte(), node.end_byte()))
    }

    /// Records that an expression was not converted, and returns a `todo!` of this type.
    pub(super) fn left_as(&mut self, node: Node<'t>, why: &str, ty: Type) -> Expr {
        let todo = self.note_left(node, why);
        if ty == Type::Unit {
            return Expr::new(todo, ty);
        }
        let named = match ty {
            Type::Null | Type::Closure(_) | Type::MediaHeaders => Type::Value,
            Type::Body => Type::Text,
            Type::MaybeResponse => Type::Response,
            Type::MediaStream => Type::Media,
            other => other,
        };
        Expr::new(code!("({todo} as {})", named.name()).todo(), named).bond(Bond::Tight)
    }

    pub(super) fn left(&mut self, node: Node<'t>, why: &str) -> Expr {
        self.left_as(node, why, Type::Value)
    }

    /// Marks a comment as emitted. Returns false if it was emitted before.
    pub(super) fn mark_emitted(&mut self, comment: Node<'_>) -> bool {
        let new = self.emitted_comments.0.insert(comment.id());
        if new {
            self.emitted_comments.1.push(comment.id());
        }
        new
    }
}
