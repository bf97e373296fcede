//! The XML of APIv2: fields below a root element, written as the PHP SDK writes them.
//!
//! Reading is bounded, and it rejects document types and custom entities, the usual attacks on XML
//! parsers.

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use quick_xml::{Error, Reader, XmlVersion};
use serde_json::{Map, Value};

use super::php_scalar::scalar_text;

/// The element name of list members, and of fields whose name is not a valid element name.
const ITEM: &str = "item";
/// The maximal nesting that is read.
const MAX_DEPTH: usize = 32;
/// The maximal number of elements that are read.
const MAX_ELEMENTS: usize = 65_536;

/// Writes fields in their order, as `Transformer::toXml` of the PHP SDK does.
///
/// ```text
/// {"a": "x", "b": 1}            <xml><a>x</a><b>1</b></xml>
/// {"a": "1 < 2", "b": "\r"}     <xml><a><![CDATA[1 < 2]]></a><b>&#13;</b></xml>
/// {"a": "", "b": null}          <xml><a></a><b></b></xml>
/// {"a": [], "b": ["x", "y"]}    <xml><a/><b><item>x</item><item>y</item></b></xml>
/// {"1a": "x"}                   <xml><item>x</item></xml>
/// {"a": "]]>"}                  <xml><a><![CDATA[]]]]><![CDATA[>]]></a></xml>
/// ```
///
/// The PHP SDK does not split `]]>`, which makes its XML malformed.
pub(crate) fn write(fields: &Map<String, Value>) -> String {
    let mut out = String::with_capacity(64 + 48 * fields.len());
    out.push_str("<xml>");
    for (name, value) in fields {
        write_element(&mut out, name, value);
    }
    out.push_str("</xml>");
    out
}

fn write_element(out: &mut String, name: &str, value: &Value) {
    let name = if is_name(name) { name } else { ITEM };
    match value {
        Value::Array(items) if items.is_empty() => return out.extend(["<", name, "/>"]),
        Value::Object(members) if members.is_empty() => return out.extend(["<", name, "/>"]),
        _ => out.extend(["<", name, ">"]),
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| write_element(out, ITEM, item)),
        Value::Object(members) => members.iter().for_each(|(name, member)| write_element(out, name, member)),
        scalar => write_text(out, &scalar_text(scalar).unwrap_or_default()),
    }
    out.extend(["</", name, ">"]);
}

fn write_text(out: &mut String, text: &str) {
    if text.contains(['>', '&', '"', '<']) {
        // "]]>" in the text would end the section.
        out.extend(["<![CDATA[", &text.replace("]]>", "]]]]><![CDATA[>"), "]]>"]);
    } else {
        out.push_str(&text.replace('\r', "&#13;"));
    }
}

/// Whether a name is a valid element name: `Name` of XML 1.0.
fn is_name(name: &str) -> bool {
    let starts = |c: char| {
        matches!(c, ':' | '_' | 'A'..='Z' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
            | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
            | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
            | '\u{10000}'..='\u{effff}')
    };
    let continues = |c: char| {
        starts(c) || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
    };
    let mut chars = name.chars();
    chars.next().is_some_and(starts) && chars.all(continues)
}

/// An element whose end tag was not read yet.
#[derive(Default)]
struct OpenElement {
    name: String,
    text: String,
    members: Map<String, Value>,
}

impl OpenElement {
    /// A string, or an object if the element contains elements.
    fn into_value(self) -> Result<Value, String> {
        if self.members.is_empty() {
            return Ok(Value::String(self.text));
        }
        if !self.text.trim().is_empty() {
            return Err(format!("the element {} contains both text and elements", shown_element(&self.name)));
        }
        Ok(Value::Object(self.members))
    }

    /// Adds a member. A repeated name becomes a list.
    fn add(&mut self, name: String, value: Value) {
        match self.members.get_mut(&name) {
            None => {
                self.members.insert(name, value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(one) => *one = Value::Array(vec![one.take(), value]),
        }
    }
}

/// Reads the fields below the root element, which can have any name. An element without elements is
/// a string, `""` if it is empty. A repeated name becomes a list. Attributes, which WeChat Pay does
/// not use, are ignored.
///
/// The error is a clause, as in "the body is not the expected XML: {}".
pub(crate) fn read(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if !text.starts_with('<') {
        return Err("it does not begin with an element".to_owned());
    }
    let head = text.chars().take(15).collect::<String>().to_ascii_lowercase();
    if head.starts_with("<!doctype html") || head.starts_with("<html") {
        return Err("it is an HTML page, as gateways and proxies send".to_owned());
    }
    let mut reader = Reader::from_str(text);
    let mut open: Vec<OpenElement> = Vec::new();
    let (mut root, mut elements) = (None, 0);
    loop {
        let event = reader.read_event().map_err(|error| {
            let reason = match error {
                Error::Syntax(error) => error.to_string(),
                // The text of any other error contains names, which may be values.
                Error::IllFormed(_) => "the tags do not match".to_owned(),
                _ => "it is not well formed".to_owned(),
            };
            format!("it is malformed at byte {}: {reason}", reader.error_position())
        })?;
        match event {
            Event::Start(_) | Event::Empty(_) if root.is_some() => return Err("it has two root elements".to_owned()),
            Event::Start(tag) | Event::Empty(tag) if open.len() >= MAX_DEPTH => {
                return Err(format!(
                    "it is nested deeper than {MAX_DEPTH} elements, at {}",
                    shown_element(&String::from_utf8_lossy(tag.name().as_ref()))
                ));
            }
            Event::Start(tag) => {
                elements += 1;
                open.push(begin(tag.name().as_ref())?);
            }
            Event::Empty(tag) => {
                elements += 1;
                end(begin(tag.name().as_ref())?, &mut open, &mut root)?;
            }
            Event::End(_) => {
                let ended = open.pop().ok_or("an end tag has no start tag")?;
                end(ended, &mut open, &mut root)?;
            }
            Event::Text(piece) => {
                let piece = piece.xml_content(XmlVersion::Explicit1_0).map_err(|error| error.to_string())?;
                match open.last_mut() {
                    Some(element) => element.text.push_str(&piece),
                    None if piece.trim().is_empty() => {}
                    None => return Err("there is text outside the root element".to_owned()),
                }
            }
            Event::CData(piece) => {
                let piece = piece.xml_content(XmlVersion::Explicit1_0).map_err(|error| error.to_string())?;
                open.last_mut().ok_or("there is text outside the root element")?.text.push_str(&piece);
            }
            Event::GeneralRef(reference) => {
                let element = open.last_mut().ok_or("there is text outside the root element")?;
                let name = reference.decode().map_err(|error| error.to_string())?;
                match reference
                    .resolve_char_ref()
                    .map_err(|error| format!("the reference &{}; is not a character: {error}", shown(&name)))?
                {
                    Some(character) => element.text.push(character),
                    None => match resolve_predefined_entity(&name) {
                        Some(text) => element.text.push_str(text),
                        None => {
                            return Err(format!(
                                "it contains the entity &{};, but only the five predefined entities of XML are resolved",
                                shown(&name)
                            ));
                        }
                    },
                }
            }
            Event::DocType(_) => {
                return Err("it has a document type, which could define entities and is not accepted".to_owned());
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
        if elements > MAX_ELEMENTS {
            return Err(format!("it has more than {MAX_ELEMENTS} elements"));
        }
    }
    if let Some(element) = open.last() {
        return Err(format!("it is truncated inside the element {}", shown_element(&element.name)));
    }
    match root.ok_or("it has no element")? {
        Value::Object(fields) => Ok(fields),
        // An empty root element has no fields.
        Value::String(text) if text.trim().is_empty() => Ok(Map::new()),
        _ => Err("its root element contains text instead of elements".to_owned()),
    }
}

/// A name for a message. A text that is not like the name of an entity may be a value.
fn shown(name: &str) -> &str {
    if name.len() <= 10 && name.bytes().all(|byte| byte.is_ascii_alphabetic()) { name } else { "***" }
}

/// The name of an element in quotes, for a message. A text that is not like the names that WeChat
/// Pay uses may be a value with an unescaped `<`.
fn shown_element(name: &str) -> String {
    let is_known_form = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.len() <= 40 && name.bytes().all(is_known_form) { format!("{name:?}") } else { "***".to_owned() }
}

/// Starts an element.
fn begin(name: &[u8]) -> Result<OpenElement, String> {
    let name = String::from_utf8_lossy(name).into_owned();
    if !is_name(&name) {
        return Err(format!("{:?} is not an element name", shown(&name)));
    }
    Ok(OpenElement { name, ..OpenElement::default() })
}

/// Adds a complete element to its parent, or sets the root.
fn end(ended: OpenElement, open: &mut [OpenElement], root: &mut Option<Value>) -> Result<(), String> {
    let name = ended.name.clone();
    let value = ended.into_value()?;
    match open.last_mut() {
        Some(parent) => parent.add(name, value),
        None => *root = Some(value),
    }
    Ok(())
}

/// Reads the fields and [sanitizes](sanitize) them, as callers see them.
pub(crate) fn fields(bytes: &[u8]) -> Result<Value, String> {
    let mut fields = Value::Object(read(bytes)?);
    sanitize(&mut fields);
    Ok(fields)
}

/// Removes the characters that XML forbids, such as control characters in a nickname, as
/// `Transformer::sanitize` of the PHP SDK does.
pub(crate) fn sanitize(value: &mut Value) {
    match value {
        Value::String(text) => text.retain(is_allowed),
        Value::Array(items) => items.iter_mut().for_each(sanitize),
        Value::Object(members) => members.values_mut().for_each(sanitize),
        _ => {}
    }
}

/// Whether XML allows the character.
pub(crate) fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }

    #[test]
    fn write_follows_php() {
        for (value, xml) in [
            (json!({"b": "x", "a": 1}), "<xml><b>x</b><a>1</a></xml>"),
            (
                json!({"a": "1 < 2", "b": "\r\n", "c": "it's"}),
                "<xml><a><![CDATA[1 < 2]]></a><b>&#13;\n</b><c>it's</c></xml>",
            ),
            (json!({"a": "", "b": null, "c": false, "d": true}), "<xml><a></a><b></b><c></c><d>1</d></xml>"),
            (
                json!({"a": [], "b": {}, "c": ["x", {"y": 1}]}),
                "<xml><a/><b/><c><item>x</item><item><y>1</y></item></c></xml>",
            ),
            (
                json!({"1a": "x", "a b": 1, "": 2, "中": 3, "a:b": 4}),
                "<xml><item>x</item><item>1</item><item>2</item><中>3</中><a:b>4</a:b></xml>",
            ),
            (json!({"a": "x]]>y"}), "<xml><a><![CDATA[x]]]]><![CDATA[>y]]></a></xml>"),
            (json!({}), "<xml></xml>"),
        ] {
            assert_eq!(write(&fields(value)), xml);
        }
    }

    #[test]
    fn round_trip() {
        let value = json!({
            "a": "x]]>y", "b": "<&>\"'", "c": "中 \u{1f600}", "d": "", "e": " blank ", "f": "\r", "list": ["1", "2"],
            "deep": {"er": {"still": "x"}},
        });
        let mut expected = value.clone();
        expected["list"] = json!({"item": ["1", "2"]});
        assert_eq!(read(write(&fields(value)).as_bytes()), Ok(fields(expected)));
    }

    #[test]
    fn read_accepts_variants() {
        for (xml, value) in [
            ("<xml><a>x</a></xml>", json!({"a": "x"})),
            (
                "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- c --><root>\n <a><![CDATA[x]]></a>\n <b/>\n</root>\n",
                json!({"a": "x", "b": ""}),
            ),
            ("<xml><a>&lt;&#65;&#x4e2d;&amp;</a></xml>", json!({"a": "<A中&"})),
            ("<xml><a>x<![CDATA[<]]>y</a></xml>", json!({"a": "x<y"})),
            ("<xml><a>1</a><a>2</a><a>3</a></xml>", json!({"a": ["1", "2", "3"]})),
            ("<xml><a k=\"v\">1</a></xml>", json!({"a": "1"})),
            ("<xml><a>\u{8}x</a></xml>", json!({"a": "\u{8}x"})),
            ("<xml/>", json!({})),
            ("<xml>\n</xml>", json!({})),
        ] {
            assert_eq!(read(xml.as_bytes()), Ok(fields(value)), "{xml}");
        }
    }

    #[test]
    fn errors_of_a_document() {
        let nested = "<a>".repeat(3_500_000);
        let many = format!("<xml>{}</xml>", "<a/>".repeat(MAX_ELEMENTS + 1));
        let many_open = format!("<xml>{}</xml>", "<a></a>".repeat(MAX_ELEMENTS + 1));
        let long = format!("<xml><{0}></b></xml>", "n".repeat(600_000));
        let laughs = "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol1 \"&lol;&lol;\">]><xml>&lol1;</xml>";
        let external =
            "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><xml><a>&e;</a></xml>";
        for (xml, expected) in [
            ("", "empty"),
            ("  ", "empty"),
            ("{\"a\": 1}", "not begin with"),
            ("<!DOCTYPE html><html></html>", "HTML page"),
            ("<html><body>502</body></html>", "HTML page"),
            (&nested, "deeper than 32"),
            (&many, "more than 65536"),
            (&many_open, "more than 65536"),
            (&long, "malformed"),
            ("<xml><attach=1&out_trade_no>A</attach=1&out_trade_no></xml>", "is not an element name"),
            ("<xml><></></xml>", "is not an element name"),
            (laughs, "document type"),
            (external, "document type"),
            ("<xml><a>&e;</a></xml>", "entity &e;"),
            ("<xml><a>&#xFFFFFFFF;</a></xml>", "not a character"),
            ("<xml><a>", "truncated inside the element \"a\""),
            ("<xml><a></b></xml>", "malformed"),
            ("<xml></xml><xml></xml>", "two root elements"),
            ("<xml></xml>text", "outside"),
            ("<xml>text</xml>", "text instead of elements"),
            ("<xml>text<a/></xml>", "both text and elements"),
            ("<!-- only -->", "no element"),
            ("</xml>", "malformed"),
            ("<xml><张三>", "inside the element ***"),
            ("<xml><a>x</张三>", "malformed at byte 9: the tags do not match"),
        ] {
            let message = read(xml.as_bytes()).expect_err(expected);
            assert!(message.len() < 1000, "{expected}: {} bytes of message", message.len());
            assert!(message.contains(expected), "{expected:?} not in {message:?}");
        }
        assert!(read(b"<xml><a>\xff</a></xml>").expect_err("bytes").contains("not UTF-8"));
    }

    #[test]
    fn sanitize_removes_control_characters() {
        let mut value = json!({"a": "x\u{8}\ty\u{ffff}", "b": ["\u{1}"], "c": {"d": "\u{b}z"}});
        sanitize(&mut value);
        assert_eq!(value, json!({"a": "x\ty", "b": [""], "c": {"d": "z"}}));
    }
}
