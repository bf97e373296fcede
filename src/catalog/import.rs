//! Builds the text of a catalogue from the pages of the documentation site.
//!
//! A page that is not as regular as the others is read as far as its meaning is certain, and each
//! repair and each omission is listed in [`Import::notes`].

use super::field::{Encoding, Field, FieldType, Place, ResponseKind, Section};
use super::page::{self, Entry, Page, Table};
use super::path;
use super::record::{self, Details, HEADER};

/// The text of a catalogue, and what was repaired or left out.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) text: String,
    pub(crate) calls: usize,
    pub(crate) notifications: usize,
    /// One line for each irregularity, with the name of the page.
    pub(crate) notes: Vec<String>,
}

/// A record, the key that it is sorted by, and its text.
struct Record {
    key: (String, String),
    text: String,
}

/// The deepest row. The documentation has eight levels.
const MAX_INDENT: usize = 20;

/// What follows [`HEADER`] in the text.
const EXPLANATION: &str = "\
# Built by `wxpay api import` from the pages of the documentation site; do not edit.
# METHOD PATH TITLE, or NOTIFICATION NAME TITLE; then the places of the fields, one space for each level.
# FIELD TYPE MARK = VALUES. \"!\" is required, \"-\" not documented.

";

/// Builds a catalogue. A page is its path below the folder of the site, such as
/// `openapi/v3/certificates.md`, and its text.
pub(crate) fn import<'a>(pages: impl IntoIterator<Item = (&'a str, &'a str)>) -> Import {
    let (mut calls, mut notifications, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for (name, text) in pages {
        let name = name.strip_suffix(".md").unwrap_or(name);
        let mut importer = Importer { name, notes: &mut notes };
        let page = page::read(text);
        for (line, note) in &page.notes {
            importer.note(*line, note);
        }
        if page.entries.is_empty() {
            importer.note(0, &format!("no method on the page {:?}: left out", page.title));
        }
        for entry in page.entries.iter() {
            match name.strip_prefix("webhook/") {
                Some(name) => notifications.extend(importer.notification(name, &page, entry)),
                None => calls.extend(importer.call(&page, entry)),
            }
        }
    }
    for records in [&mut calls, &mut notifications] {
        records.sort_by(|a, b| a.key.cmp(&b.key));
        for pair in records.windows(2) {
            if let [a, b] = pair {
                if a.key == b.key {
                    notes.push(format!("{} {}: documented twice", b.key.1, b.key.0));
                }
            }
        }
    }
    let mut text = format!("{HEADER}\n{EXPLANATION}");
    calls.iter().chain(&notifications).for_each(|record| text.push_str(&record.text));
    Import { text, calls: calls.len(), notifications: notifications.len(), notes }
}

struct Importer<'a> {
    name: &'a str,
    notes: &'a mut Vec<String>,
}

impl Importer<'_> {
    fn note(&mut self, line: usize, note: &str) {
        self.notes.push(match line {
            0 => format!("{}: {note}", self.name),
            line => format!("{}:{line}: {note}", self.name),
        });
    }

    /// Writes a record. One that would be read in another way is left out.
    fn record(&mut self, key: (String, String), head: [&str; 3], details: &Details) -> Option<Record> {
        let mut text = String::new();
        let is_word = head.iter().take(2).all(|word| !word.contains(char::is_whitespace));
        let head = head.join(" ");
        record::write(&head, details, &mut text);
        let has_control_characters = text.chars().any(|c| c.is_control() && c != '\n');
        let read = record::details(text.trim_end_matches('\n')).ok().filter(|read| read == details);
        if !is_word || record::check_head(&head).is_err() || has_control_characters || read.is_none() {
            self.note(0, "the record cannot be read back: left out");
            return None;
        }
        Some(Record { key, text })
    }

    fn call(&mut self, page: &Page, entry: &Entry) -> Option<Record> {
        let method = entry.method.to_ascii_uppercase();
        if entry.template.is_none() {
            self.note(0, &format!("{method} has no path: it is recorded as {:?}", record::NONE));
        }
        let template = entry.template.as_deref().unwrap_or(record::NONE);
        let mut details = Details { links: self.links(page, entry), ..Details::default() };
        let is_v2 = template.starts_with("v2/") || self.name.contains("/v2/");
        for table in &entry.tables {
            match table.name.as_str() {
                page::REQUEST => self.request(table, entry, &mut details),
                page::RESPONSE => self.response(table, is_v2, &mut details),
                _ => self.failure(table, &mut details),
            }
        }
        if let Some(template) = &entry.template {
            self.complete_variables(template, &mut details);
        }
        let path = entry.template.as_deref().unwrap_or(self.name);
        self.record((path.to_owned(), method.clone()), [&method, template, &entry.title], &details)
    }

    fn links(&self, page: &Page, entry: &Entry) -> Vec<String> {
        page.links.iter().chain(&entry.links).map(|link| record::short_link(link).to_owned()).collect()
    }

    /// Sorts the fields of a request by their places.
    fn request(&mut self, table: &Table, entry: &Entry, details: &mut Details) {
        let mut variables = Vec::new();
        for field in self.tree(table) {
            match field.name.as_str() {
                "base_uri" => {
                    if entry.base_uri.is_none() {
                        self.note(0, "the base URI is not given");
                    }
                    details.base_uri = Some(entry.base_uri.clone().unwrap_or_else(|| record::NONE.to_owned()));
                }
                "security" | "nonceless" | "sink" | "timeout" => details.options.push(field.name),
                name => {
                    let name = if name == "multipart" { "body" } else { name };
                    match Place::from_name(name).filter(|place| *place != Place::Path) {
                        Some(place) => {
                            details.request.push(Section { place, required: field.required, fields: field.fields });
                        }
                        None => variables.push(field),
                    }
                }
            }
        }
        if !variables.is_empty() {
            details.request.insert(0, Section { place: Place::Path, required: true, fields: variables });
        }
    }

    /// Makes the variables of the table those of the template.
    fn complete_variables(&mut self, template: &str, details: &mut Details) {
        let segments = path::segments(template);
        let names: Vec<&str> = segments
            .iter()
            .filter_map(|segment| match segment {
                path::Segment::Variable(name) => Some(*name),
                path::Segment::Mixed | path::Segment::Text(..) => None,
            })
            .collect();
        let is_section = |section: &Section| section.place == Place::Path;
        let mut fields = match details.request.iter().position(is_section) {
            Some(index) => details.request.remove(index).fields,
            None => Vec::new(),
        };
        for name in &names {
            if fields.iter().any(|field| field.name == *name) {
                continue;
            }
            let unused = fields.iter_mut().find(|field| !names.contains(&field.name.as_str()));
            match unused {
                Some(field) => {
                    self.note(0, &format!("the variable {name} of the path is {} in the table: renamed", field.name));
                    field.name = (*name).to_owned();
                }
                None => {
                    self.note(0, &format!("the variable {name} of the path is missing in the table: added"));
                    fields.push(Field {
                        name: (*name).to_owned(),
                        field_type: FieldType::String,
                        list: false,
                        required: true,
                        encoding: Encoding::Plain,
                        values: Vec::new(),
                        fields: Vec::new(),
                    });
                }
            }
        }
        fields.retain(|field| {
            let is_used = names.contains(&field.name.as_str());
            if !is_used {
                self.note(0, &format!("{} is neither a place nor a variable of the path: left out", field.name));
            }
            is_used
        });
        let rank = |field: &Field| names.iter().position(|name| *name == field.name);
        fields.sort_by_key(rank);
        // The name of the page in the variable's name: the path has one value.
        let last = self.name.rsplit('/').next().unwrap_or_default();
        for field in &mut fields {
            if field.values.is_empty() && field.name != last && field.name.eq_ignore_ascii_case(last) {
                self.note(0, &format!("the variable {} of the path has the value {last}: recorded", field.name));
                field.values.push(last.to_owned());
            }
        }
        if !fields.is_empty() {
            details.request.insert(0, Section { place: Place::Path, required: true, fields });
        }
    }

    fn response(&mut self, table: &Table, is_v2: bool, details: &mut Details) {
        if let [row] = &table.rows[..] {
            if row.type_name.is_empty() {
                let kind = [
                    ("空字符串", ResponseKind::Empty),
                    ("文件流", ResponseKind::File),
                    ("跳转", ResponseKind::Redirect),
                ]
                .into_iter()
                .find(|(text, _)| row.name.contains(text));
                match kind {
                    Some((_, kind)) => details.response_kind = kind,
                    None => self.note(row.line, &format!("the kind of response {:?} is unknown", row.name)),
                }
                return;
            }
        }
        details.response_kind = if is_v2 { ResponseKind::Xml } else { ResponseKind::Json };
        details.response = self.tree(table);
    }

    fn failure(&mut self, table: &Table, details: &mut Details) {
        if table.name == page::FAILURE && details.response.is_empty() {
            details.response_kind = ResponseKind::Text;
        }
        self.note(0, &format!("the table {} is left out", table.name));
    }

    fn notification(&mut self, name: &str, page: &Page, entry: &Entry) -> Option<Record> {
        let mut details = Details { links: self.links(page, entry), ..Details::default() };
        for table in &entry.tables {
            match table.name.as_str() {
                page::REQUEST => self.request(table, entry, &mut details),
                page::REPLY | page::RESPONSE => details.response = self.tree(table),
                _ => self.failure(table, &mut details),
            }
        }
        let body = details.request.iter().find(|section| section.place == Place::Body);
        let find = |fields: &[Field], name: &str| fields.iter().find(|field| field.name == name).cloned();
        let body = body.map_or(&[][..], |section| &section.fields);
        details.events = find(body, "event_type").map(|field| field.values).unwrap_or_default();
        let resource = find(body, "resource").map(|field| field.fields).unwrap_or_default();
        details.originals = find(&resource, "original_type").map(|field| field.values).unwrap_or_default();
        if details.events.is_empty() && name.starts_with("v3/") {
            self.note(0, "the event type is not given");
        }
        self.record((name.to_owned(), String::new()), [record::NOTIFICATION, name, &entry.title], &details)
    }

    /// The fields of a table as a tree.
    fn tree(&mut self, table: &Table) -> Vec<Field> {
        let mut fields: Vec<(usize, Field)> = Vec::new();
        for row in &table.rows {
            if row.indent > MAX_INDENT {
                self.note(row.line, "a row is left out: it is too deep");
                continue;
            }
            match row.field() {
                Ok(field) => {
                    if field.name != row.name {
                        self.note(row.line, &format!("the name {:?} is recorded as {:?}", row.name, field.name));
                    }
                    // A row whose indentation was forgotten: the next one is too deep for it.
                    if let Some((indent, last)) = fields.last_mut().filter(|(indent, _)| row.indent > *indent + 1) {
                        *indent = row.indent - 1;
                        let name = last.name.clone();
                        self.note(row.line, &format!("{} is too deep below {name}: {name} is moved", row.name));
                    }
                    fields.push((row.indent, field));
                }
                Err(reason) => self.note(row.line, &format!("a row is left out: {reason}")),
            }
        }
        let mut fields = fields.into_iter().peekable();
        let mut tree = Vec::new();
        while fields.peek().is_some() {
            below(0, &mut fields, &mut tree);
        }
        self.repair(&mut tree);
        tree
    }

    /// Moves the fields of a decrypted text that are in the table below its neighbour, and lists
    /// fields below a text that is not marked as JSON.
    fn repair(&mut self, fields: &mut [Field]) {
        let encrypted = fields
            .iter()
            .position(|field| matches!(field.encoding, Encoding::AesGcm | Encoding::AesEcb) && field.fields.is_empty());
        for index in 0..fields.len() {
            let Some(field) = fields.get_mut(index) else { continue };
            self.repair(&mut field.fields);
            let is_text = field.field_type != FieldType::Object && field.encoding == Encoding::Plain;
            if !is_text || field.fields.is_empty() {
                continue;
            }
            let name = field.name.clone();
            match encrypted {
                Some(target) => {
                    let moved = std::mem::take(&mut field.fields);
                    if let Some(target) = fields.get_mut(target) {
                        target.fields.extend(moved);
                        self.note(0, &format!("the fields below {name} are moved below {}", target.name));
                    }
                }
                None => self.note(0, &format!("{name} is a text with fields: taken as JSON")),
            }
        }
    }
}

/// Moves the fields that are at least this deep into a tree.
fn below(depth: usize, fields: &mut std::iter::Peekable<impl Iterator<Item = (usize, Field)>>, tree: &mut Vec<Field>) {
    while fields.peek().is_some_and(|(indent, _)| *indent >= depth) {
        let Some((indent, mut field)) = fields.next() else { return };
        below(indent + 1, fields, &mut field.fields);
        tree.push(field);
    }
}
