//! URI templates of RFC 6570, all four levels, parsed once and expanded many times.
//!
//! Two extensions: `<name>` is the same as `{name}`, so that a path inside `format!` needs no
//! doubled braces, and names may contain `-` and non-ASCII letters.
//!
//! ```text
//! v3/certificates/{serial}{?mode,tags*}
//!     serial = "a/b", mode = null, tags = ["x", "y"]
//! v3/certificates/a%2Fb?tags=x&tags=y
//! ```

use std::borrow::Cow;
use std::fmt;
use std::slice::from_ref;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::php_scalar::scalar_text;

/// The characters of a value that most expressions encode: all except `unreserved` of RFC 3986.
const NOT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// All characters except `unreserved` and `reserved`. A `%` is handled by [`push_reserved`].
#[rustfmt::skip] // one character on each line otherwise
const NOT_RESERVED: &AsciiSet = &NOT_UNRESERVED
    .remove(b':').remove(b'/').remove(b'?').remove(b'#').remove(b'[').remove(b']').remove(b'@')
    .remove(b'!').remove(b'$').remove(b'&').remove(b'\'').remove(b'(').remove(b')')
    .remove(b'*').remove(b'+').remove(b',').remove(b';').remove(b'=');

/// The capacity that an expansion has beyond the length of its template. Identifiers have up to 32
/// bytes, and the placeholders count as part of the template, so most expansions allocate once.
const EXTRA_CAPACITY: usize = 64;

/// Placeholders that stand for nothing, so that a chain can end with a slash:
/// `v3/ecommerce/applyments/{empty}`.
pub(crate) const TRAILING_SLASH: [&str; 2] = ["empty", "stub"];

/// A parsed URI template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    source: String,
    components: Vec<Component>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Component {
    /// Text that is already percent-encoded.
    Literal(String),
    /// The text as written, with its brackets, is for error messages.
    Expression(String, Operator, Vec<Variable>),
}

/// The operator of an expression: the character after `{`, which decides how values are joined and
/// encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    /// `{x}`
    Simple,
    /// `{+x}`: keeps reserved characters and percent triplets.
    Reserved,
    /// `{#x}`: like `Reserved`, after a `#`.
    Fragment,
    /// `{.x}`
    Label,
    /// `{/x}`
    Path,
    /// `{;x}`: `;x=1`, and `;x` when the value is empty.
    Parameter,
    /// `{?x}`: `?x=1`
    Query,
    /// `{&x}`: `&x=1`
    Continuation,
}

/// One name in an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    /// The name as written: percent triplets in it are not decoded (RFC 6570, 2.3).
    pub(crate) name: String,
    /// The modifier after the name.
    pub(crate) modifier: Modifier,
}

/// The modifier after the name of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Modifier {
    /// `{x}`
    None,
    /// `{x:3}`: only the first characters, 1 to 9999.
    Prefix(u16),
    /// `{x*}`: each member of a list or map separately.
    Explode,
}

/// An invalid template, or a value that is invalid for its expression.
///
/// The message contains the expression and the name of the variable, never a value: values may be
/// personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateError {
    /// The expression or literal.
    text: String,
    /// The problem, and what is allowed instead.
    problem: String,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TemplateError { text, problem } = self;
        // Escaped, so that a control character in the template cannot break a log line.
        write!(f, "URI template: {problem} (in {text:?})")
    }
}

impl std::error::Error for TemplateError {}

impl Template {
    /// Parses a template.
    pub(crate) fn parse(source: &str) -> Result<Template, TemplateError> {
        let (mut components, mut rest) = (Vec::new(), source);
        while let Some((literal, bracket, after)) = cut(rest, &['{', '}', '<', '>']) {
            components.push(parse_literal(literal)?);
            let (text, parsed, next) = match bracket {
                '{' => match cut(after, &['{', '}']) {
                    Some((body, '}', next)) => (format!("{{{body}}}"), parse_body(body), next),
                    Some((body, ..)) => (format!("{{{body}{{"), Err(NESTED_BRACE.into()), ""),
                    None => (format!("{{{after}"), Err(OPEN_BRACE.into()), ""),
                },
                '<' => match after.split_once('>') {
                    Some((name, next)) => (format!("<{name}>"), parse_angled(name), next),
                    None => (format!("<{after}"), Err(OPEN_ANGLE.into()), ""),
                },
                '}' => (format!("{literal}}}"), Err(STRAY_BRACE.into()), ""),
                _ => (format!("{literal}>"), Err(STRAY_ANGLE.into()), ""),
            };
            components.push(match parsed {
                Ok((operator, variables)) => Component::Expression(text, operator, variables),
                Err(problem) => return Err(TemplateError { text, problem }),
            });
            rest = next;
        }
        components.push(parse_literal(rest)?);
        let source = source.to_owned();
        Ok(Template { source, components })
    }

    /// The text that was parsed.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// The expressions, in order.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = (Operator, &[Variable])> {
        self.components.iter().filter_map(|component| match component {
            Component::Literal(_) => None,
            Component::Expression(_, operator, variables) => Some((*operator, variables.as_slice())),
        })
    }

    /// Whether an expression contains the variable `name`.
    pub(crate) fn uses(&self, name: &str) -> bool {
        let mut variables = self.expressions().flat_map(|(_, variables)| variables);
        variables.any(|variable| variable.name == name)
    }

    /// Expands the template. A variable is undefined when `lookup` returns `None` or null.
    /// Undefined variables, empty lists and empty maps are left out.
    pub(crate) fn expand<'v>(&self, lookup: impl Fn(&str) -> Option<&'v Value>) -> Result<String, TemplateError> {
        let mut out = String::with_capacity(self.source.len() + EXTRA_CAPACITY);
        for component in &self.components {
            match component {
                Component::Literal(text) => out.push_str(text),
                Component::Expression(text, operator, variables) => {
                    let (mut separator, _) = operator.separators();
                    for variable in variables {
                        let Some(value) = lookup(&variable.name) else {
                            continue;
                        };
                        let appended = variable.append(*operator, &mut separator, value, &mut out);
                        appended.map_err(|problem| {
                            let text = text.clone();
                            TemplateError { text, problem }
                        })?;
                    }
                }
            }
        }
        Ok(out)
    }
}

impl Operator {
    fn from_char(character: char) -> Option<Operator> {
        Some(match character {
            '+' => Self::Reserved,
            '#' => Self::Fragment,
            '.' => Self::Label,
            '/' => Self::Path,
            ';' => Self::Parameter,
            '?' => Self::Query,
            '&' => Self::Continuation,
            _ => return None,
        })
    }

    /// The text before the first variable, and the text between variables (RFC 6570, appendix A).
    fn separators(self) -> (&'static str, &'static str) {
        match self {
            Self::Simple | Self::Reserved => ("", ","),
            Self::Fragment => ("#", ","),
            Self::Label => (".", "."),
            Self::Path => ("/", "/"),
            Self::Parameter => (";", ";"),
            Self::Query => ("?", "&"),
            Self::Continuation => ("&", "&"),
        }
    }

    /// Whether values are written as `name=value`.
    fn named(self) -> bool {
        matches!(self, Self::Parameter | Self::Query | Self::Continuation)
    }

    /// The text between a name and its value: `{;x}` with an empty value has no `=`.
    fn assignment(self, value: &str) -> &'static str {
        let bare = self == Self::Parameter && value.is_empty();
        if bare { "" } else { "=" }
    }

    fn push_value(self, out: &mut String, text: &str) {
        match self {
            Self::Reserved | Self::Fragment => push_reserved(out, text),
            _ => out.extend(utf8_percent_encode(text, NOT_UNRESERVED)),
        }
    }
}

impl Variable {
    /// Appends the separator and the value, or nothing if the value is undefined. Afterwards
    /// `separator` is the one for the next variable.
    fn append(&self, op: Operator, separator: &mut &str, value: &Value, out: &mut String) -> Result<(), String> {
        let name = &self.name;
        let explode = self.modifier == Modifier::Explode;
        // `apart`: each member has its own separator and name. Otherwise commas join them to one
        // value.
        let (list, map, apart) = match value {
            Value::Array(list) => (list.as_slice(), None, explode),
            Value::Object(map) => (&[][..], Some(map), explode),
            // By the rules of the RFC a scalar is written like an exploded list of one.
            scalar => (from_ref(scalar), None, true),
        };
        let items = list.iter().map(|member| (None, member));
        let pairs = map.into_iter().flatten();
        let members = items.chain(pairs.map(|(key, member)| (Some(key), member)));
        let mut first = true;
        for (key, member) in members.filter(|(_, member)| !member.is_null()) {
            let text = match member {
                Value::String(text) => Some(Cow::Borrowed(text.as_str())),
                other => scalar_text(other),
            };
            let Some(text) = text else {
                return Err(format!("variable {name:?} is nested; use scalars in it"));
            };
            let text = match self.modifier {
                // A prefix counts code points of the value, before it is encoded.
                Modifier::Prefix(count) if apart => first_chars(&text, count.into()),
                Modifier::Prefix(_) => {
                    return Err(format!("list or map {name:?} has a prefix; use a scalar"));
                }
                Modifier::None | Modifier::Explode => &text,
            };
            out.push_str(if apart || first { separator } else { "," });
            if op.named() && (if apart { key.is_none() } else { first }) {
                push_reserved(out, name);
                out.push_str(if apart { op.assignment(text) } else { "=" });
            }
            if let Some(key) = key {
                // The RFC keeps the reserved characters of a key in `{?x*}`. They are encoded here,
                // because a key is data like the value: a `&` in it must not begin another
                // parameter.
                op.push_value(out, key);
                out.push_str(if apart { op.assignment(text) } else { "," });
            }
            op.push_value(out, text);
            (_, *separator) = op.separators();
            first = false;
        }
        Ok(())
    }
}

const OPEN_BRACE: &str = "'{' is never closed; write {name}, or %7B for the character";
const NESTED_BRACE: &str = "'{' inside an expression; close the first one with '}'";
const STRAY_BRACE: &str = "'}' has no '{' before it; write {name}, or %7D for the character";
const OPEN_ANGLE: &str = "'<' is never closed; write <name>, or %3C for the character";
const STRAY_ANGLE: &str = "'>' has no '<' before it; write <name>, or %3E for the character";
const ANGLED: &str = "'<' and '>' are illegal in a literal, and only one variable name may be \
                      between them; write {...}, or %3C and %3E for the characters";

/// Splits at the first of `delimiters`: the text before, the delimiter, the text after.
fn cut<'t>(text: &'t str, delimiters: &[char]) -> Option<(&'t str, char, &'t str)> {
    let (before, from) = text.split_at_checked(text.find(delimiters)?)?;
    let mut characters = from.chars();
    Some((before, characters.next()?, characters.as_str()))
}

/// Encodes a literal, so that expanding copies it.
fn parse_literal(text: &str) -> Result<Component, TemplateError> {
    if let Some(c) = text.chars().find(char::is_ascii_control) {
        let problem = format!("control character {c:?} in a literal; write its %XX form");
        let text = text.to_owned();
        return Err(TemplateError { text, problem });
    }
    let mut encoded = String::with_capacity(text.len());
    push_reserved(&mut encoded, text);
    Ok(Component::Literal(encoded))
}

/// Parses the text between `{` and `}`.
fn parse_body(body: &str) -> Result<(Operator, Vec<Variable>), String> {
    let mut characters = body.chars();
    let (operator, list) = match characters.next() {
        None => return Err("the expression is empty; write a variable name in it".into()),
        Some(op @ ('=' | ',' | '!' | '@' | '|')) => {
            return Err(format!("{op:?} is a reserved operator; use + # . / ; ? &"));
        }
        Some(character) => match Operator::from_char(character) {
            Some(operator) => (operator, characters.as_str()),
            None => (Operator::Simple, body),
        },
    };
    let variables: Result<_, _> = list.split(',').map(parse_variable).collect();
    Ok((operator, variables?))
}

/// Parses the text between `<` and `>`: a name without operator and modifier.
fn parse_angled(name: &str) -> Result<(Operator, Vec<Variable>), String> {
    check_name(name).map_err(|_| ANGLED)?;
    parse_body(name)
}

/// Parses one name with its modifier.
fn parse_variable(text: &str) -> Result<Variable, String> {
    let (name, modifier) = match (text.split_once(':'), text.strip_suffix('*')) {
        (None, None) => (text, Modifier::None),
        (None, Some(name)) => (name, Modifier::Explode),
        (Some((name, count)), None) if !name.ends_with('*') => (name, Modifier::Prefix(parse_prefix(count)?)),
        _ => return Err(format!("{text:?} has both modifiers; use ':' or '*'")),
    };
    check_name(name)?;
    let name = name.to_owned();
    Ok(Variable { name, modifier })
}

/// Parses the number after a `:`.
fn parse_prefix(count: &str) -> Result<u16, String> {
    if count.is_empty() {
        return Err("':' without a prefix length; use 1 to 9999".into());
    }
    // `parse` would accept a '+'.
    if !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("prefix {count:?} is not a number; use 1 to 9999"));
    }
    match count.parse() {
        Ok(length @ 1..=9999) if !count.starts_with('0') => Ok(length),
        _ => Err(format!("prefix {count} is out of range; use 1 to 9999")),
    }
}

/// Checks a variable's name.
fn check_name(name: &str) -> Result<(), String> {
    let legal = |c: char| c.is_alphabetic() || c.is_ascii_digit() || "_-.%".contains(c);
    if name.is_empty() {
        return Err("a variable name is empty; use one comma between two names".into());
    }
    if let Some(c) = name.chars().find(|c| !legal(*c)) {
        return Err(format!("{c:?} in a name; use letters, digits, _ - . %XX"));
    }
    if !name.split('%').skip(1).all(is_hex_pair) {
        return Err("'%' in a name; use %XX with two hexadecimal digits".into());
    }
    if name.split('.').any(str::is_empty) {
        return Err("'.' in a name; use one between two other characters".into());
    }
    Ok(())
}

/// Appends `text` by the rules for literals and `{+x}`: reserved characters and percent triplets
/// are copied, and a `%` that does not begin a triplet becomes `%25`.
fn push_reserved(out: &mut String, text: &str) {
    for (index, piece) in text.split('%').enumerate() {
        if index > 0 {
            out.push_str(if is_hex_pair(piece) { "%" } else { "%25" });
        }
        out.extend(utf8_percent_encode(piece, NOT_RESERVED));
    }
}

/// Whether `text` begins with two hexadecimal digits.
fn is_hex_pair(text: &str) -> bool {
    matches!(text.as_bytes(), [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
}

fn first_chars(text: &str, count: usize) -> &str {
    let end = text.char_indices().nth(count).map(|(end, _)| end);
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// A path for error messages: without its query, which may contain a token. Of a URL with a user
/// name and password, nothing is shown.
pub(crate) fn path_for_messages(path: &str) -> &str {
    if may_contain_userinfo(path) { "***" } else { path.get(..query_of(path.as_bytes())).unwrap_or(path) }
}

/// Whether a path may be a URL with a user name or password. An "@" anywhere counts, because
/// reserved characters in a password seem to end the host.
pub(crate) fn may_contain_userinfo(path: &str) -> bool {
    path.contains('@') && (path.starts_with("//") || path.contains("://"))
}

/// Whether a path has a query, also as an expression of RFC 6570.
pub(crate) fn has_query(path: &str) -> bool {
    query_of(path.as_bytes()) < path.len() || path.contains("{?") || path.contains("{&")
}

/// The index of the query of a path: the first `?` outside placeholders, or the end of the path.
pub(super) const fn query_of(name: &[u8]) -> usize {
    let (mut at, mut inside) = (0, false);
    while at < name.len() {
        match name[at] {
            b'{' | b'<' => inside = true,
            b'}' | b'>' => inside = false,
            b'?' if !inside => return at,
            _ => {}
        }
        at += 1;
    }
    at
}
