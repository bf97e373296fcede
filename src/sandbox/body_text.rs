//! Bodies as readable text: JSON and XML are indented, long bodies are cut, and other bytes are
//! shown in hexadecimal. Values are shown exactly as they were received.

use quick_xml::events::Event;
use quick_xml::{Reader, Writer};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

/// The maximum number of bytes of a body that are shown.
pub(super) const MAX_SHOWN_BYTES: usize = 64 * 1024;
/// The maximum number of bytes that are shown in hexadecimal.
const MAX_HEX_BYTES: usize = 256;
const HEX_BYTES_IN_LINE: usize = 16;
/// A body that is nested more deeply is shown without indentation.
const MAX_DEPTH: usize = 32;

/// A body for the page. `bytes` is its beginning; `length` is its full length in bytes.
pub(super) fn view(bytes: &[u8], length: u64) -> Value {
    let shown = bytes.get(..MAX_SHOWN_BYTES).unwrap_or(bytes);
    let is_cut = shown.len() as u64 != length;
    let (text, hex) = text_and_hex(shown, is_cut);
    let indented = (!is_cut && hex.is_empty()).then(|| indented(text)).flatten();
    json!({
        "text": indented.as_deref().unwrap_or(text), "is_indented": indented.is_some(), "hex": hex, "length": length,
        "shown": if hex.is_empty() { text.len() } else { text.len() + MAX_HEX_BYTES.min(shown.len() - text.len()) },
    })
}

/// The text at the beginning of a body, and the bytes after it in hexadecimal. An upload, for
/// example, begins with text.
fn text_and_hex(bytes: &[u8], is_cut: bool) -> (&str, String) {
    let (valid, rest) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, &[][..]),
        Err(error) => {
            let (valid, rest) = bytes.split_at(error.valid_up_to());
            // The cut can be within a character of several bytes.
            let rest = if is_cut && error.error_len().is_none() { &[] } else { rest };
            (std::str::from_utf8(valid).unwrap_or_default(), rest)
        }
    };
    match valid.find(is_binary) {
        Some(at) => {
            let (text, _) = valid.split_at_checked(at).unwrap_or_default();
            (text, hex(bytes.get(at..).unwrap_or_default()))
        }
        None => (valid, hex(rest)),
    }
}

/// Whether a character does not occur in text: a control character other than a line break or a
/// tab.
pub(super) fn is_binary(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\r' | '\t')
}

fn hex(bytes: &[u8]) -> String {
    let lines = bytes.get(..MAX_HEX_BYTES).unwrap_or(bytes).chunks(HEX_BYTES_IN_LINE);
    let line = |line: &[u8]| {
        let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String =
            line.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect();
        format!("{:<47}  {text}", hex.join(" "))
    };
    lines.map(line).collect::<Vec<_>>().join("\n")
}

/// JSON or XML with line breaks and indentation; `None` if it is neither, or nested too deeply.
pub(super) fn indented(text: &str) -> Option<String> {
    match text.trim_start().chars().next()? {
        '{' | '[' => indented_json(text),
        '<' => indented_xml(text),
        _ => None,
    }
}

/// Changes only the whitespace. Numbers, escapes and repeated keys are not changed.
fn indented_json(text: &str) -> Option<String> {
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let (mut out, mut depth, mut in_string, mut is_escaped) = (String::with_capacity(2 * text.len()), 0, false, false);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if in_string {
            out.push(c);
            in_string = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
            continue;
        }
        while characters.next_if(|next| next.is_ascii_whitespace()).is_some() {}
        let is_empty = matches!((c, characters.peek()), ('{', Some('}')) | ('[', Some(']')));
        match c {
            '{' | '[' if is_empty => {
                out.push(c);
                out.extend(characters.next());
            }
            '{' | '[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return None;
                }
                out.push(c);
                new_line(&mut out, depth);
            }
            '}' | ']' => {
                depth -= 1;
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => {
                in_string = c == '"';
                out.push(c);
            }
        }
    }
    Some(out)
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

/// Puts each element on its own line, and the end tag of an element with child elements, too.
fn indented_xml(text: &str) -> Option<String> {
    let mut reader = Reader::from_str(text.trim());
    let mut writer = Writer::new(Vec::with_capacity(2 * text.len()));
    // The end tag of an element without child elements stays on the line of its start tag.
    let (mut depth, mut is_inside) = (0, true);
    // Whitespace between elements is removed. Other whitespace is kept.
    let mut space = None;
    loop {
        let event = reader.read_event().ok()?;
        if matches!(&event, Event::Text(text) if text.iter().all(u8::is_ascii_whitespace)) {
            space = Some(event);
            continue;
        }
        let is_text = matches!(event, Event::Text(_) | Event::CData(_) | Event::GeneralRef(_));
        if let Some(space) = space.take().filter(|_| is_text || (is_inside && matches!(event, Event::End(_)))) {
            writer.write_event(space).ok()?;
        }
        let begins_line = match &event {
            Event::Eof if depth == 0 => break,
            Event::Eof => return None,
            _ if is_text => false,
            Event::End(_) => {
                depth -= 1;
                !std::mem::replace(&mut is_inside, false)
            }
            event => {
                is_inside = matches!(event, Event::Start(_));
                !writer.get_ref().is_empty()
            }
        };
        if begins_line {
            writer.get_mut().push(b'\n');
            writer.get_mut().extend(std::iter::repeat_n(b"  ", depth).flatten());
        }
        depth += usize::from(matches!(event, Event::Start(_)));
        if depth > MAX_DEPTH {
            return None;
        }
        writer.write_event(event).ok()?;
    }
    String::from_utf8(writer.into_inner()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_xml_are_indented_without_changing_values() {
        for (text, expected) in [
            (
                r#"{"a":1.0,"a":1e2,"b":[],"c":{ },"d":["x, \"{","\u4e2d"]}"#,
                "{\n  \"a\": 1.0,\n  \"a\": 1e2,\n  \"b\": [],\n  \"c\": {},\n  \"d\": [\n    \"x, \\\"{\",\n    \"\\u4e2d\"\n  ]\n}",
            ),
            ("[ {\n} ]", "[\n  {}\n]"),
            (
                "<xml><a>1</a><b><![CDATA[<&>]]></b><c/><d></d></xml>",
                "<xml>\n  <a>1</a>\n  <b><![CDATA[<&>]]></b>\n  <c/>\n  <d></d>\n</xml>",
            ),
            ("<root>\n<a><b>&lt;1 x</b></a>\n</root>", "<root>\n  <a>\n    <b>&lt;1 x</b>\n  </a>\n</root>"),
            ("<a>\n <b>x &lt; y &gt; </b> <c> </c>\n</a>\n", "<a>\n  <b>x &lt; y &gt; </b>\n  <c> </c>\n</a>"),
        ] {
            assert_eq!(indented(text).as_deref(), Some(expected), "{text}");
        }
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        for text in ["", "x", "{", "{\"a\":}", "<xml>", "</a>", "<a></b>", &deep, &"<a>".repeat(100)] {
            assert_eq!(indented(text), None, "{text}");
        }
    }

    #[test]
    fn long_and_binary_bodies_are_cut() {
        let long = format!("{{\"a\":\"{}\"}}", "中".repeat(400_000));
        let cut = view(long.as_bytes(), long.len() as u64);
        let text = cut["text"].as_str().expect("text");
        assert_eq!((text.len(), &cut["length"], &cut["hex"]), (MAX_SHOWN_BYTES - 1, &json!(long.len()), &json!("")));
        assert_eq!((&cut["shown"], &cut["is_indented"]), (&json!(text.len()), &json!(false)));

        let mut upload = b"--x\r\ncontent-type: image/png\r\n\r\n".to_vec();
        upload.extend([0x89, b'P', 0, 0xff]);
        let shown = view(&upload, upload.len() as u64);
        assert_eq!(shown["text"], "--x\r\ncontent-type: image/png\r\n\r\n");
        assert_eq!(shown["hex"], "89 50 00 ff                                      .P..");
        assert_eq!(view(b"a\0b", 3)["hex"], "00 62                                            .b");
        // The body is complete, so invalid UTF-8 at its end is not a cut character.
        assert_eq!(view(b"a\xe4", 2)["hex"], "e4                                               .");
        assert_eq!(view(b"", 0)["text"], "");
        // Only the beginning of this response was kept.
        assert_eq!((&view(b"{}", 9)["shown"], &view(b"{}", 9)["text"]), (&json!(2), &json!("{}")));
    }
}
