//! `wxpay api types`: Rust types for one call, with serde.

use std::collections::HashSet;
use std::fmt::Write;

use crate::catalog::{Call, Encoding, Field, FieldType, Place, ResponseKind};

/// The part of a call that a type is for.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Request,
    JsonResponse,
    /// In XML, every value is a text.
    XmlResponse,
}

/// The types of the parts of the request and of the response. They compile as they are.
///
/// Each field of a response is optional, whatever its mark: the documentation also marks fields
/// that some responses lack, and a response that was received must not become an error.
pub(super) fn types(call: &Call) -> String {
    let name = base_name(call);
    let mut writer = Writer { names: HashSet::new(), out: String::new() };
    for section in call.request() {
        let (suffix, what) = match section.place {
            Place::Path | Place::Headers | Place::Body => continue,
            Place::Query => ("Query", "query"),
            _ => ("Request", "body"),
        };
        let doc = format!("The {what} of `{} {}`.", call.method(), call.template().unwrap_or_default());
        writer.structure(&format!("{name}{suffix}"), &doc, &section.fields, Part::Request);
    }
    let part = match call.response_kind() {
        ResponseKind::Json => Some(Part::JsonResponse),
        ResponseKind::Xml => Some(Part::XmlResponse),
        _ => None,
    };
    if let Some(part) = part {
        let doc = format!("The response of `{} {}`.", call.method(), call.template().unwrap_or_default());
        writer.structure(&format!("{name}Response"), &doc, call.response(), part);
    }
    format!("use serde::{{Deserialize, Serialize}};\n{}", writer.out)
}

/// A name for the types: the last words of the path.
fn base_name(call: &Call) -> String {
    let template = call.template().unwrap_or_default();
    let segments = template.split('/').filter(|segment| !segment.starts_with('{') && !segment.is_empty());
    let mut last: Vec<&str> = segments.collect();
    let start = last.len().saturating_sub(2);
    let name: String = last.split_off(start).into_iter().map(pascal_case).collect();
    if name.is_empty() { "Call".to_owned() } else { name }
}

struct Writer {
    names: HashSet<String>,
    out: String,
}

impl Writer {
    /// Writes a type and those of its fields. Returns its name.
    fn structure(&mut self, name: &str, doc: &str, fields: &[Field], part: Part) -> String {
        let mut number = 2;
        let mut unique = name.to_owned();
        while !self.names.insert(unique.clone()) {
            unique = format!("{name}{number}");
            number += 1;
        }
        let mut text =
            format!("\n/// {doc}\n#[derive(Clone, Debug, Deserialize, Serialize)]\npub struct {unique} {{\n");
        let (mut names, mut identifiers) = (HashSet::new(), HashSet::from(["numbered".to_owned()]));
        let mut has_numbered = false;
        let mut below = Vec::new();
        for field in fields {
            if field.name.contains('$') {
                has_numbered = true;
            } else if names.insert(&field.name) {
                // Two names can be the same in snake_case.
                let mut name = identifier(&field.name);
                while !identifiers.insert(name.clone()) {
                    name.push('_');
                }
                self.field(&unique, field, &name, part, &mut text, &mut below);
            }
        }
        if has_numbered {
            text.push_str("    /// Fields with a number in their names.\n    #[serde(flatten)]\n");
            text.push_str("    pub numbered: std::collections::BTreeMap<String, String>,\n");
        }
        text.push_str("}\n");
        self.out.push_str(&text);
        below.iter().for_each(|text| self.out.push_str(text));
        unique
    }

    fn field(
        &mut self,
        parent: &str,
        field: &Field,
        name: &str,
        part: Part,
        text: &mut String,
        below: &mut Vec<String>,
    ) {
        let mut doc = Vec::new();
        match field.encoding {
            Encoding::Plain => {}
            Encoding::Json => doc.push("JSON as text.".to_owned()),
            Encoding::Encrypted => doc.push("Encrypted.".to_owned()),
            other => doc.push(format!("Encoding: {}.", other.as_str())),
        }
        if !field.values.is_empty() {
            doc.push(format!("One of `{}`.", field.values.join("`, `")));
        }
        let scalar = match field.field_type {
            FieldType::Object if field.fields.is_empty() => "serde_json::Value".to_owned(),
            FieldType::Object => {
                let before = std::mem::take(&mut self.out);
                let name = format!("{parent}{}", pascal_case(&field.name));
                let name = self.structure(&name, &format!("`{}`", field.name), &field.fields, part);
                below.push(std::mem::replace(&mut self.out, before));
                name
            }
            _ if part == Part::XmlResponse => "String".to_owned(),
            FieldType::Integer => "i64".to_owned(),
            FieldType::Number => "serde_json::Number".to_owned(),
            FieldType::Boolean => "bool".to_owned(),
            FieldType::String => "String".to_owned(),
        };
        let list = if field.list { format!("Vec<{scalar}>") } else { scalar };
        if !doc.is_empty() {
            let _ = writeln!(text, "    /// {}", doc.join(" "));
        }
        if name.trim_start_matches("r#") != field.name {
            let _ = writeln!(text, "    #[serde(rename = {:?})]", field.name);
        }
        if field.required && part == Part::Request {
            let _ = writeln!(text, "    pub {name}: {list},");
        } else {
            text.push_str("    #[serde(default, skip_serializing_if = \"Option::is_none\")]\n");
            let _ = writeln!(text, "    pub {name}: Option<{list}>,");
        }
    }
}

/// Words of Rust that a field cannot have as its name.
const KEYWORDS: [&str; 45] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else", "enum",
    "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod", "move",
    "mut", "override", "pub", "ref", "return", "static", "struct", "trait", "true", "try", "type", "unsafe", "use",
    "while", "priv", "typeof", "unsized",
];
/// Those that cannot be raw identifiers, and the other keywords without a meaning.
const RESERVED: [&str; 8] = ["_", "self", "super", "crate", "Self", "where", "virtual", "yield"];

/// A name as a field of a type, in snake_case.
fn identifier(name: &str) -> String {
    let mut words = String::new();
    let mut was_lower = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && was_lower {
            words.push('_');
        }
        was_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        words.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    }
    if words.starts_with(|c: char| c.is_ascii_digit()) {
        words.insert(0, '_');
    }
    if RESERVED.contains(&words.as_str()) {
        return format!("{words}_");
    }
    if KEYWORDS.contains(&words.as_str()) { format!("r#{words}") } else { words }
}

fn pascal_case(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let capital = |word: &str| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        format!("{}{rest}", first.to_ascii_uppercase())
    };
    let name: String = words.map(capital).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("N{name}") } else { name }
}
