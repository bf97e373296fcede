//! Reads one source file as tokens, and lists the paths that it names. Comments, strings and
//! documentation are not mistaken for code. Items behind `#[cfg(test)]` are left out.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path as it is written in a file: in a `use`, or qualified within code.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Written {
    pub(super) line: usize,
    /// The inline modules around it.
    pub(super) scope: Vec<String>,
    /// `crate::a::B` as `["crate", "a", "B"]`; a glob import ends with `"*"`.
    pub(super) path: Vec<String>,
    /// The name that a `use` binds; `None` for a path within code.
    pub(super) binds: Option<String>,
    /// Whether it is a `pub use` of any visibility.
    pub(super) is_reexport: bool,
}

/// What one file contains, apart from its tests.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) written: Vec<Written>,
    /// Modules with a body in this file, as paths below the module of the file.
    pub(super) inline_modules: BTreeSet<Vec<String>>,
    /// Modules in other files that are built for tests only.
    pub(super) test_modules: BTreeSet<String>,
    /// Identifiers outside of `use` items.
    pub(super) names: BTreeSet<String>,
    /// Names of `#[macro_export]` macros.
    pub(super) exported_macros: BTreeSet<String>,
}

pub(super) fn parse(text: &str) -> Parsed {
    let tokens: TokenStream = text.parse().expect("Rust source");
    let mut parsed = Parsed::default();
    parsed.tokens(tokens, &[]);
    parsed
}

impl Parsed {
    fn tokens(&mut self, stream: TokenStream, scope: &[String]) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut at = 0;
        let mut is_exported = false;
        while at < tokens.len() {
            if is_punct(tokens.get(at), '#') && is_group(tokens.get(at + 1), Delimiter::Bracket) {
                let attribute = tokens[at + 1].to_string().replace(' ', "");
                is_exported |= attribute.starts_with("[macro_export");
                if is_test_only(&attribute) {
                    let end = end_of_item(&tokens, at);
                    self.note_test_module(&tokens[at..end]);
                    at = end;
                } else {
                    at += 2;
                }
                continue;
            }
            at = match &tokens[at] {
                TokenTree::Ident(word) if word == "use" && !is_punct(tokens.get(at + 1), '<') => {
                    let end = (at..tokens.len()).find(|&i| is_punct(tokens.get(i), ';')).unwrap_or(tokens.len());
                    let is_reexport = at > 0
                        && (is_ident(tokens.get(at - 1), "pub")
                            || (is_group(tokens.get(at - 1), Delimiter::Parenthesis)
                                && at > 1
                                && is_ident(tokens.get(at - 2), "pub")));
                    self.use_tree(&tokens[at + 1..end], &[], scope, is_reexport);
                    end
                }
                TokenTree::Ident(word) if word == "mod" => match (tokens.get(at + 1), tokens.get(at + 2)) {
                    (Some(TokenTree::Ident(name)), Some(TokenTree::Group(body)))
                        if body.delimiter() == Delimiter::Brace =>
                    {
                        let inner = [scope, &[name.to_string()]].concat();
                        self.inline_modules.insert(inner.clone());
                        self.tokens(body.stream(), &inner);
                        at + 3
                    }
                    _ => at + 2,
                },
                TokenTree::Ident(word) if word == "macro_rules" && is_punct(tokens.get(at + 1), '!') => {
                    if let (true, Some(name)) = (is_exported, tokens.get(at + 2)) {
                        self.exported_macros.insert(name.to_string());
                    }
                    is_exported = false;
                    at + 3
                }
                TokenTree::Ident(word) => {
                    self.names.insert(word.to_string());
                    let (path, end) = path_at(&tokens, at);
                    let is_part_of_another =
                        at > 0 && ['.', '$', '\''].iter().any(|&c| is_punct(tokens.get(at - 1), c));
                    if path.len() > 1 && !is_part_of_another {
                        self.names.extend(path.iter().cloned());
                        let line = word.span().start().line;
                        self.written.push(Written {
                            line,
                            scope: scope.to_vec(),
                            path,
                            binds: None,
                            is_reexport: false,
                        });
                    }
                    end
                }
                TokenTree::Group(group) => {
                    self.tokens(group.stream(), scope);
                    at + 1
                }
                _ => at + 1,
            };
        }
    }

    /// Reads what follows `use`, up to the semicolon: a path, `as`, `*`, and nested braces.
    fn use_tree(&mut self, tokens: &[TokenTree], prefix: &[String], scope: &[String], is_reexport: bool) {
        for tree in tokens.split(|token| is_punct(Some(token), ',')) {
            let mut path = prefix.to_vec();
            let (mut line, mut alias) = (0, None);
            let mut tree = tree.iter();
            while let Some(token) = tree.next() {
                match token {
                    TokenTree::Ident(word) if word == "as" => alias = tree.next().map(ToString::to_string),
                    TokenTree::Ident(word) => {
                        path.push(word.to_string());
                        line = word.span().start().line;
                    }
                    TokenTree::Punct(star) if star.as_char() == '*' => {
                        path.push("*".to_owned());
                        line = star.span().start().line;
                    }
                    TokenTree::Group(braces) => {
                        let inner: Vec<_> = braces.stream().into_iter().collect();
                        self.use_tree(&inner, &path, scope, is_reexport);
                        line = 0;
                    }
                    _ => {}
                }
            }
            if line == 0 {
                continue;
            }
            // `use a::{self, B}` binds `a`.
            if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
                path.pop();
            }
            let binds = alias.or_else(|| path.last().cloned());
            self.written.push(Written { line, scope: scope.to_vec(), path, binds, is_reexport });
        }
    }

    /// Notes the name in `#[cfg(test)] mod name;`.
    fn note_test_module(&mut self, item: &[TokenTree]) {
        let name = item.windows(3).find(|three| is_ident(three.first(), "mod") && is_punct(three.get(2), ';'));
        self.test_modules.extend(name.map(|three| three[1].to_string()));
    }
}

/// Whether an attribute, written without spaces, leaves an item out of every build but that of
/// tests.
fn is_test_only(attribute: &str) -> bool {
    attribute == "[cfg(test)]" || attribute.starts_with("[cfg(all(test,")
}

/// The index behind the item, field or statement that the attribute at `at` belongs to.
fn end_of_item(tokens: &[TokenTree], mut at: usize) -> usize {
    while is_punct(tokens.get(at), '#') && is_group(tokens.get(at + 1), Delimiter::Bracket) {
        at += 2;
    }
    const ITEMS: [&str; 15] = [
        "pub",
        "use",
        "mod",
        "fn",
        "struct",
        "enum",
        "union",
        "impl",
        "const",
        "static",
        "type",
        "trait",
        "async",
        "extern",
        "macro_rules",
    ];
    let is_item = ITEMS.iter().any(|word| is_ident(tokens.get(at), word));
    let mut is_use = false;
    while at < tokens.len() {
        is_use |= is_ident(tokens.get(at), "use");
        let ends = is_punct(tokens.get(at), ';')
            || (!is_item && is_punct(tokens.get(at), ','))
            || (!is_use && is_group(tokens.get(at), Delimiter::Brace));
        at += 1;
        if ends {
            break;
        }
    }
    at
}

/// The path that begins with the identifier at `at`, without generic arguments, and the index
/// behind it.
fn path_at(tokens: &[TokenTree], mut at: usize) -> (Vec<String>, usize) {
    let mut path = vec![tokens[at].to_string()];
    while is_punct(tokens.get(at + 1), ':') && is_punct(tokens.get(at + 2), ':') {
        let Some(TokenTree::Ident(next)) = tokens.get(at + 3) else { break };
        path.push(next.to_string());
        at += 3;
    }
    (path, at + 1)
}

fn is_punct(token: Option<&TokenTree>, character: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

fn is_ident(token: Option<&TokenTree>, word: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == word)
}

fn is_group(token: Option<&TokenTree>, delimiter: Delimiter) -> bool {
    matches!(token, Some(TokenTree::Group(group)) if group.delimiter() == delimiter)
}
