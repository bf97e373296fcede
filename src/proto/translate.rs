//! Chinese translations of the messages that `wxpay` prints, and that the sandbox's page shows.
//!
//! The library's own messages are in English, for logs, tests and searches. This module compares
//! the finished message with the English sentences of a catalogue, `messages.zh.txt`. The parts
//! that fill the placeholders of a sentence are translated in the same way. Text that is not in the
//! catalogue is printed unchanged.

use std::cell::Cell;
use std::sync::LazyLock;

/// Limits for one message: the depth of sentences within sentences, and the number of lookups. A
/// message may contain text from outside, which must not make the search expensive.
const MAX_DEPTH: usize = 8;
const MAX_LOOKUPS: u32 = 400;
/// The maximum number of colons and semicolons that are tried as the boundary of two sentences.
const MAX_BOUNDARIES: usize = 24;
/// An entry with fewer letters than this could match by accident.
const MIN_SPECIFIC_LETTERS: usize = 6;

/// An entry of the catalogue.
struct Entry {
    /// The English sentence, split at its placeholders.
    english: Vec<&'static str>,
    chinese: &'static str,
    letters: usize,
}

impl Entry {
    fn new(english: &'static str, chinese: &'static str) -> Self {
        let letters = english.chars().filter(|c| c.is_alphanumeric()).count();
        Entry { english: english.split("{}").collect(), chinese, letters }
    }
}

/// The entries, sorted by their number of letters in descending order, so that the most specific
/// match is used.
static CATALOGUE: LazyLock<Vec<Entry>> = LazyLock::new(|| entries(include_str!("../cli/messages.zh.txt")));

fn entries(text: &'static str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = pairs(text).map(|(english, chinese)| Entry::new(english, chinese)).collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.letters));
    entries
}

/// The English and Chinese lines of a catalogue.
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut english = "";
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).filter_map(move |line| {
        match line.strip_prefix('\t') {
            Some(chinese) => Some((english, chinese)),
            None => {
                english = line;
                None
            }
        }
    })
}

/// Translates a message to Chinese. Parts that are not in the catalogue stay in English.
pub(crate) fn chinese(message: &str) -> String {
    translate(message, &CATALOGUE)
}

/// Translates a message line by line.
fn translate(message: &str, catalogue: &[Entry]) -> String {
    let translator = Translator { catalogue, remaining_lookups: Cell::new(MAX_LOOKUPS) };
    message.split('\n').map(|line| translator.text(line, 0)).collect::<Vec<_>>().join("\n")
}

struct Translator<'a> {
    catalogue: &'a [Entry],
    remaining_lookups: Cell<u32>,
}

impl Translator<'_> {
    /// Translates one sentence, or several that are joined by colons and semicolons.
    fn text(&self, text: &str, depth: usize) -> String {
        if depth > MAX_DEPTH || text.is_empty() {
            return text.to_owned();
        }
        if let Some(translated) = self.sentence(text, depth) {
            return translated;
        }
        let trimmed = text.trim();
        if let (true, Some(translated)) = (trimmed.len() < text.len(), self.sentence(trimmed, depth)) {
            let indent = text.len() - text.trim_start().len();
            let (indent, rest) = text.split_at_checked(indent).unwrap_or(("", text));
            return format!("{indent}{translated}{}", rest.strip_prefix(trimmed).unwrap_or_default());
        }
        let boundaries =
            || text.char_indices().filter(|(at, _)| text.get(*at..).is_some_and(begins_boundary)).map(|(at, _)| at);
        let split = |at: usize| {
            let (left, rest) = text.split_at_checked(at)?;
            Some((left, if rest.starts_with(';') { "；" } else { "：" }, rest.get(2..)?))
        };
        // First "CALL: STATUS CODE: known sentence", then "known sentence: message of a library".
        for (left, boundary, right) in boundaries().take(MAX_BOUNDARIES).filter_map(split) {
            if let Some(translated) = self.sentence(right, depth) {
                return format!("{}{boundary}{translated}", self.text(left, depth + 1));
            }
        }
        for (left, boundary, right) in boundaries().take(MAX_BOUNDARIES).filter_map(split) {
            if let Some(translated) = self.sentence(left, depth) {
                return format!("{translated}{boundary}{}", self.text(right, depth + 1));
            }
        }
        text.to_owned()
    }

    /// Translates a text that is an entry of the catalogue.
    fn sentence(&self, text: &str, depth: usize) -> Option<String> {
        self.remaining_lookups.set(self.remaining_lookups.get().checked_sub(1)?);
        self.catalogue.iter().find_map(|entry| {
            let values = placeholder_values(&entry.english, text)?;
            let values: Vec<(&str, String)> =
                values.into_iter().map(|value| (value, self.text(value, depth + 1))).collect();
            // A short entry that ends with a placeholder matches only if its last value has a
            // translation.
            let is_vague =
                entry.letters < MIN_SPECIFIC_LETTERS && entry.english.last().is_some_and(|end| end.is_empty());
            if is_vague && values.last().is_some_and(|(english, chinese)| english == chinese) {
                return None;
            }
            Some(fill(entry.chinese, &values))
        })
    }
}

fn begins_boundary(rest: &str) -> bool {
    rest.starts_with(": ") || rest.starts_with("; ")
}

/// The values of the placeholders, if the text has the form of this sentence.
fn placeholder_values<'a>(sentence: &[&str], text: &'a str) -> Option<Vec<&'a str>> {
    let (first, between) = sentence.split_first()?;
    let Some((last, between)) = between.split_last() else { return (*first == text).then(Vec::new) };
    let mut rest = text.strip_prefix(first)?.strip_suffix(last)?;
    let mut values = Vec::with_capacity(between.len() + 1);
    for part in between {
        let (value, after) = rest.split_once(part)?;
        values.push(value);
        rest = after;
    }
    values.push(rest);
    Some(values)
}

/// Fills the placeholders: `{}` in order, and `{1}`, `{2}`, ... by number.
fn fill(chinese: &str, values: &[(&str, String)]) -> String {
    let (mut out, mut rest, mut next) = (String::new(), chinese, 0);
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let value = after.split_once('}').and_then(|(name, after)| {
            let number = if name.is_empty() { next } else { name.parse::<usize>().ok()?.checked_sub(1)? };
            Some((values.get(number)?, after))
        });
        match value {
            Some(((_, text), after)) => {
                next += 1;
                out.push_str(text);
                rest = after;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_sentences() {
        let catalogue = entries(
            "it is empty\n\t为空\na string\n\t字符串\nthe option {}: {}\n\t选项 {}：{}\n{}, where {}\n\t{}，{}\n\
             a number of seconds is needed, such as 2.5, or 0 for no limit\n\t应为秒数，例如 2.5，0 表示不限\n\
             {} (Request-ID {})\n\t{}（Request-ID {}）\nbehind\n\t慢于\n{}, and {}\n\t{}，并且{}\n\
             this machine's clock is {} s {} WeChat Pay's: synchronize it with NTP\n\t本机时钟{2}微信支付 {1} 秒：请用 NTP 校准\n\
             the body was left out\n\t签名时漏了请求体\nthe method is in lower case\n\t方法用了小写\n",
        );
        for (english, expected) in [
            ("it is empty", "为空"),
            (
                "the option \"timeout\": a string, where a number of seconds is needed, such as 2.5, or 0 for no limit",
                "选项 \"timeout\"：字符串，应为秒数，例如 2.5，0 表示不限",
            ),
            (
                "GET v3/x: 404 RESOURCE_NOT_EXISTS: 资源不存在 (Request-ID 1-2)",
                "GET v3/x: 404 RESOURCE_NOT_EXISTS: 资源不存在（Request-ID 1-2）",
            ),
            (
                "POST v3/x: 401 SIGN_ERROR: 签名错误; this machine's clock is 9 s behind WeChat Pay's: synchronize it with NTP",
                "POST v3/x: 401 SIGN_ERROR: 签名错误；本机时钟慢于微信支付 9 秒：请用 NTP 校准",
            ),
            ("the list: this, and that", "the list: this, and that"),
            ("the body was left out, and the method is in lower case", "签名时漏了请求体，并且方法用了小写"),
            ("", ""),
            ("{}", "{}"),
        ] {
            assert_eq!(translate(english, &catalogue), expected);
        }
    }

    #[test]
    fn hostile_text_is_translated_quickly() {
        for hostile in [
            "a: ".repeat(3000),
            "the file x cannot be read: ".repeat(300),
            "{} (Request-ID ".repeat(500),
            "中; ".repeat(3000),
        ] {
            let start = std::time::Instant::now();
            chinese(&hostile);
            assert!(start.elapsed() < std::time::Duration::from_secs(2), "{:?}", start.elapsed());
        }
    }

    #[test]
    fn every_entry_is_unique_and_uses_its_placeholders() {
        let mut seen = std::collections::BTreeSet::new();
        for (english, chinese) in pairs(include_str!("../cli/messages.zh.txt")) {
            assert!(seen.insert(english), "duplicate: {english}");
            let placeholders = english.matches("{}").count();
            let values: Vec<_> = (0..placeholders).map(|at| ("", format!("<{at}>"))).collect();
            let out = fill(chinese, &values);
            for (_, value) in &values {
                assert!(out.contains(value.as_str()), "a placeholder is missing: {english}");
            }
            assert!(chinese.chars().count() > 0 && !out.contains("{}"), "{english}: {out}");
        }
        let lines = include_str!("../cli/messages.zh.txt")
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .count();
        assert_eq!(lines, 2 * seen.len(), "a sentence without its translation");
    }
}
