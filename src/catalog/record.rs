//! One record of the catalogue's text: parsing and writing.
//!
//! A record is a call or a notification. It ends at an empty line. Each level of nesting is one
//! space of indentation:
//!
//! ```text
//! POST v3/refund/domestic/refunds 申请退款
//!  doc v3/merchant/4012791862 v3/partner/4012739034
//!  json!
//!   out_refund_no string!
//!   amount object!
//!    refund integer!
//!   goods_detail object[]
//!  response json
//!   status string! = SUCCESS|CLOSED|PROCESSING|ABNORMAL
//! ```
//!
//! `!` means required. A word after the type is the [`Encoding`]. The values after `=` are those
//! that the documentation lists.

#[cfg(feature = "cli")]
use std::fmt::Write;

use super::field::{Encoding, Field, FieldType, Place, ResponseKind, Section};

/// The first line of a catalogue. The number changes with the format.
pub(super) const HEADER: &str = "# wechatpay-chain catalogue, format 1";
/// The first word of a notification's record.
pub(super) const NOTIFICATION: &str = "NOTIFICATION";
/// In place of a template or a base URI that the documentation does not give.
pub(super) const NONE: &str = "-";
/// The common prefix of all links. A record omits it.
const LINK_PREFIX: &str = "https://pay.weixin.qq.com/doc/";
/// The deepest nesting. The documentation has nine levels.
const MAX_DEPTH: usize = 24;

/// The lines of a record below the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Details {
    pub(super) base_uri: Option<String>,
    pub(super) links: Vec<String>,
    pub(super) options: Vec<String>,
    pub(super) events: Vec<String>,
    pub(super) originals: Vec<String>,
    pub(super) request: Vec<Section>,
    pub(super) response_kind: ResponseKind,
    pub(super) response: Vec<Field>,
}

/// The longest path and the longest name of a field, in bytes, and the most fields at one level.
/// The documentation has 126, 45 and 48. Names are compared in quadratic time.
const MAX_TEMPLATE: usize = 256;
const MAX_NAME: usize = 128;
const MAX_FIELDS: usize = 1000;

/// Checks the first line of a record: `METHOD PATH TITLE`, or `NOTIFICATION NAME TITLE`. Its words
/// become part of generated code.
pub(super) fn check_head(head: &str) -> Result<(), &'static str> {
    let form = "a record begins with METHOD PATH TITLE, or with NOTIFICATION NAME TITLE";
    let mut words = head.splitn(3, ' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if path.is_empty() || words.next().unwrap_or_default().trim().is_empty() {
        return Err(form);
    }
    if method == NOTIFICATION {
        return Ok(());
    }
    let is_method = (1..=16).contains(&method.len()) && method.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_in_path = |c: char| c.is_ascii_alphanumeric() || "-._~/{}:@%+,".contains(c);
    if !is_method || path.len() > MAX_TEMPLATE || !path.chars().all(is_in_path) { Err(form) } else { Ok(()) }
}

/// Whether a text is the name of a field.
pub(super) fn is_field_name(text: &str) -> bool {
    let is_valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$');
    !text.is_empty() && text.len() <= MAX_NAME && text.chars().all(is_valid)
}

/// A link with its prefix.
pub(super) fn full_link(link: &str) -> String {
    if link.contains("://") { link.to_owned() } else { format!("{LINK_PREFIX}{link}") }
}

/// A link without its prefix.
#[cfg(feature = "cli")]
pub(super) fn short_link(link: &str) -> &str {
    link.strip_prefix(LINK_PREFIX).unwrap_or(link)
}

/// The details of a record that was checked when the catalogue was loaded.
pub(super) fn details_or_default(record: &str) -> Details {
    details(record).unwrap_or_default()
}

/// Parses what follows the first line of a record. The error has the number of the line within the
/// record, counted from 0.
pub(super) fn details(record: &str) -> Result<Details, (usize, String)> {
    let mut lines = Lines { lines: record.lines().collect(), at: 1 };
    let mut details = Details::default();
    while let Some((depth, line)) = lines.peek() {
        let at = lines.at;
        if depth != 1 {
            return Err((at, "the indentation is wrong".to_owned()));
        }
        lines.at += 1;
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words = || rest.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let values = || rest.split('|').map(str::to_owned).collect();
        match word {
            "base" => details.base_uri = Some(rest.to_owned()),
            "doc" => details.links = words(),
            "options" => details.options = words(),
            "event" => details.events = values(),
            "original" => details.originals = values(),
            "response" => {
                if !rest.is_empty() {
                    details.response_kind = ResponseKind::from_name(rest)
                        .ok_or_else(|| (at, format!("the kind of response {rest:?} is unknown")))?;
                }
                details.response = lines.fields(2)?;
            }
            _ => {
                let (name, required) = without_mark(word);
                let place = Place::from_name(name).ok_or_else(|| (at, format!("the keyword {name:?} is unknown")))?;
                if details.request.iter().any(|section| section.place == place) {
                    return Err((at, format!("the keyword {name:?} appears twice")));
                }
                details.request.push(Section { place, required, fields: lines.fields(2)? });
            }
        }
    }
    Ok(details)
}

/// A word without the mark of a required field, and whether it had one.
fn without_mark(word: &str) -> (&str, bool) {
    word.strip_suffix('!').map_or((word, false), |word| (word, true))
}

struct Lines<'a> {
    lines: Vec<&'a str>,
    at: usize,
}

impl<'a> Lines<'a> {
    /// The depth and the text of the next line.
    fn peek(&self) -> Option<(usize, &'a str)> {
        let line = self.lines.get(self.at)?;
        let text = line.trim_start_matches(' ');
        Some((line.len() - text.len(), text))
    }

    /// The fields at this depth, with those below them.
    fn fields(&mut self, depth: usize) -> Result<Vec<Field>, (usize, String)> {
        let mut fields = Vec::new();
        while let Some((found, line)) = self.peek().filter(|(found, _)| *found >= depth) {
            if found > depth || depth > MAX_DEPTH {
                return Err((self.at, "the indentation is wrong".to_owned()));
            }
            if fields.len() == MAX_FIELDS {
                return Err((self.at, format!("more than {MAX_FIELDS} fields at one level")));
            }
            let mut field = field(line).map_err(|reason| (self.at, reason))?;
            self.at += 1;
            field.fields = self.fields(depth + 1)?;
            fields.push(field);
        }
        Ok(fields)
    }
}

/// Parses the line of one field.
fn field(line: &str) -> Result<Field, String> {
    let (head, values) = match line.split_once(" = ") {
        Some((head, values)) => (head, values.split('|').map(str::to_owned).collect()),
        None => (line, Vec::new()),
    };
    let mut words = head.split(' ');
    let (name, type_name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (type_name, required) = without_mark(type_name);
    let (type_name, list) = type_name.strip_suffix("[]").map_or((type_name, false), |name| (name, true));
    let field_type = FieldType::from_name(type_name).ok_or_else(|| format!("the type {type_name:?} is unknown"))?;
    let encoding = words.next().unwrap_or_default();
    let encoding = Encoding::from_name(encoding).ok_or_else(|| format!("the mark {encoding:?} is unknown"))?;
    if !is_field_name(name) || words.next().is_some() {
        return Err("a field has the form NAME TYPE MARK = VALUES".to_owned());
    }
    Ok(Field { name: name.to_owned(), field_type, list, required, encoding, values, fields: Vec::new() })
}

/// Writes a record, whose first line is `head`.
#[cfg(feature = "cli")]
pub(super) fn write(head: &str, details: &Details, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{head}");
    let mut line = |name: &str, text: &str| {
        if !text.is_empty() {
            let _ = writeln!(out, " {name} {text}");
        }
    };
    line("base", details.base_uri.as_deref().unwrap_or_default());
    line("doc", &details.links.join(" "));
    line("options", &details.options.join(" "));
    line("event", &details.events.join("|"));
    line("original", &details.originals.join("|"));
    for section in &details.request {
        let _ = writeln!(out, " {}{}", section.place.as_str(), mark(section.required));
        write_fields(&section.fields, 2, out);
    }
    if head.starts_with(NOTIFICATION) {
        let _ = writeln!(out, " response");
    } else {
        let _ = writeln!(out, " response {}", details.response_kind.as_str());
    }
    write_fields(&details.response, 2, out);
    out.push('\n');
}

#[cfg(feature = "cli")]
fn mark(required: bool) -> &'static str {
    if required { "!" } else { "" }
}

#[cfg(feature = "cli")]
fn write_fields(fields: &[Field], depth: usize, out: &mut String) {
    for field in fields {
        let list = if field.list { "[]" } else { "" };
        let _ = write!(out, "{:depth$}{} {}{list}{}", "", field.name, field.field_type.as_str(), mark(field.required));
        if field.encoding != Encoding::Plain {
            let _ = write!(out, " {}", field.encoding.as_str());
        }
        if !field.values.is_empty() {
            let _ = write!(out, " = {}", field.values.join("|"));
        }
        out.push('\n');
        write_fields(&field.fields, depth + 1, out);
    }
}
