//! Random secrets and personal values, the forms in which they can be written, and the output in
//! which no part of them may occur.

use std::any::type_name;
use std::collections::{BTreeSet, HashMap};
use std::error::Error as _;
use std::fmt::{Debug, Display};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::{Strategy, any, prop};
use wechatpay_chain::Error;

/// The lengths of the parts that are searched, in bytes: of the value itself, and of its encodings,
/// which need more bytes for the same information.
const PART: usize = 10;
const ENCODED_PART: usize = 16;

/// The maximum number of places that are reported for a value.
const MAX_PLACES: usize = 8;

/// A random value of 24 to 40 characters: letters, digits, Chinese characters, an emoji, and
/// characters that JSON, XML, URLs or Rust escape.
pub(super) fn personal() -> impl Strategy<Value = String> {
    let special =
        prop::sample::select(vec!['"', '\\', '/', '%', '&', '<', '>', '=', '+', ' ', '\n', '\t', '\'', '{', '😀']);
    let letter = prop::char::ranges(vec!['a'..='z', 'A'..='Z', '0'..='9'].into());
    let chinese = prop::char::range('\u{4e00}', '\u{9fa5}');
    let character = proptest::prop_oneof![6 => letter, 2 => chinese, 2 => special];
    prop::collection::vec(character, 24..40).prop_map(|characters| characters.into_iter().collect())
}

/// A random value of ASCII letters and digits, for headers and keys.
pub(super) fn ascii(length: usize) -> impl Strategy<Value = String> {
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    prop::collection::vec(any::<u8>(), length)
        .prop_map(|bytes| bytes.iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect())
}

/// The ways to write a value.
fn encodings(value: &str) -> Vec<String> {
    let inner = |text: String| text[1..text.len() - 1].to_owned();
    let json = inner(serde_json::to_string(value).expect("JSON"));
    let escaped_json = json.chars().map(|c| if c.is_ascii() { c.to_string() } else { unicode_escape(c) }).collect();
    let xml = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let hex = value.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut forms = vec![
        inner(format!("{value:?}")),
        inner(format!("{:?}", json)),
        value.escape_unicode().to_string(),
        value.as_bytes().escape_ascii().to_string(),
        json,
        escaped_json,
        xml.replace('"', "&quot;").replace('\'', "&apos;"),
        xml,
        utf8_percent_encode(value, NON_ALPHANUMERIC).to_string(),
        hex.to_uppercase(),
        hex,
        format!("{:?}", value.as_bytes()),
    ];
    // In base64, the form depends on the position of the value in the whole text. The characters at
    // the ends also contain bits of what is beside it.
    for before in 0..3 {
        let bytes = [&b"xxx"[..before], value.as_bytes(), b"xxx"].concat();
        for engine in [&BASE64_STANDARD, &BASE64_URL_SAFE] {
            let text = engine.encode(&bytes);
            forms.push(text[4..text.len() - 6].to_owned());
        }
    }
    forms
}

fn unicode_escape(c: char) -> String {
    c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// Everything that was shown.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) text: String,
    /// The paths of the types that were shown with `Debug`, without the name of the crate.
    pub(super) types: BTreeSet<String>,
    pub(super) kinds: BTreeSet<String>,
}

impl Shown {
    pub(super) fn debug<T: Debug>(&mut self, value: &T) {
        let name = type_name::<T>().split('<').next().unwrap_or_default();
        self.types.extend(name.strip_prefix("wechatpay_chain::").map(str::to_owned));
        self.text += &format!("{value:?}\n{value:#?}\n");
    }

    fn display(&mut self, value: &(impl Display + ?Sized)) {
        self.text += &format!("{value}\n{value:#}\n");
    }

    /// An error with its parts and all its sources.
    pub(super) fn error(&mut self, error: &Error) {
        self.display(error);
        self.debug(error);
        self.debug(&error.kind());
        self.debug(&error.outcome());
        self.display(&error.kind());
        self.kinds.insert(format!("{:?}", error.kind()));
        self.display(error.message());
        if let Some(response) = error.response() {
            self.debug(response);
        }
        let mut source = error.source();
        while let Some(error) = source {
            self.display(&error.to_string());
            self.text += &format!("{error:?}\n{error:#?}\n");
            source = error.source();
        }
    }

    pub(super) fn result<T: Debug>(&mut self, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => {
                self.debug(&value);
                Some(value)
            }
            Err(error) => {
                self.error(&error);
                None
            }
        }
    }

    /// The parts of values that occur in the text, each with the name of its value and the text
    /// around it.
    pub(super) fn leaks(&self, values: &[(&str, String)]) -> Vec<String> {
        let shown = self.text.as_bytes();
        let parts = |length: usize| {
            let windows = shown.windows(length).enumerate();
            windows.map(|(at, window)| (window, at)).collect::<HashMap<&[u8], usize>>()
        };
        let (plain, encoded) = (parts(PART), parts(ENCODED_PART));
        let mut leaks = Vec::new();
        for (name, value) in values {
            let forms = encodings(value);
            let forms: Vec<&str> = forms.iter().map(String::as_str).collect();
            let mut places = BTreeSet::new();
            for (forms, length, parts) in [(&[value.as_str()][..], PART, &plain), (&forms, ENCODED_PART, &encoded)] {
                let windows = forms.iter().flat_map(|form| form.as_bytes().windows(length));
                places.extend(windows.filter_map(|window| parts.get(window)).map(|at| at / 500 * 500));
            }
            // Each place once, with the text around it.
            leaks.extend(places.into_iter().take(MAX_PLACES).map(|at| {
                let around = &shown[at.saturating_sub(100)..(at + 600).min(shown.len())];
                format!("{name}: ...{}...", String::from_utf8_lossy(around))
            }));
        }
        leaks
    }
}

#[test]
fn a_value_is_found_in_each_form() {
    let value = "张三\"\\/ &<a> 13800001111 o=+é😀xyzxyzxyz";
    let padded = |before: usize| [&b"abc"[..before], value.as_bytes(), b"more"].concat();
    let form = form_urlencoded(value);
    for text in [
        value.to_owned(),
        format!("{value:?}"),
        serde_json::json!({ "a": value }).to_string(),
        format!("{:?}", serde_json::json!({ "a": value })),
        format!("{:?}", serde_json::json!({ "a": value }).to_string()),
        format!("{:?}", bytes::Bytes::from(value)),
        format!("{:?}", value.as_bytes()),
        BASE64_STANDARD.encode(padded(0)),
        BASE64_STANDARD.encode(padded(1)),
        BASE64_STANDARD.encode(padded(2)),
        utf8_percent_encode(value, NON_ALPHANUMERIC).to_string(),
        form,
        format!("<a>{}</a>", value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")),
        value.chars().skip(8).take(16).collect(),
    ] {
        let shown = Shown { text: format!("before {text} after"), ..Shown::default() };
        assert!(!shown.leaks(&[("value", value.to_owned())]).is_empty(), "{text}");
    }
    let shown = Shown { text: "李四 13900002222 other text".to_owned(), ..Shown::default() };
    assert!(shown.leaks(&[("value", value.to_owned())]).is_empty());
}

fn form_urlencoded(value: &str) -> String {
    utf8_percent_encode(value, NON_ALPHANUMERIC).to_string().replace("%20", "+")
}
