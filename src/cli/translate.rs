//! What `wxpay` says to people, in Chinese where the locale says so.
//!
//! The library's own messages stay English, for logs, tests and other people's searches. Here the finished message is looked up in a
//! catalogue, `messages.zh.txt`, and what it was filled with is looked up in turn; what is not there is printed as it is.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::{LazyLock, OnceLock};

/// How deep sentences are looked for within sentences, and how often for one message: it may hold text from outside.
const DEEPEST: usize = 8;
const MOST_LOOKUPS: u32 = 400;
/// How many colons and semicolons of a message are tried as its joints.
const MOST_JOINTS: usize = 24;

/// One entry of the catalogue.
struct Entry {
    /// The English sentence, cut where something is filled in.
    english: Vec<&'static str>,
    chinese: &'static str,
    letters: usize,
}

/// The entries, those that say most first: the most exact is taken.
static CATALOGUE: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let mut entries: Vec<Entry> =
        pairs(include_str!("messages.zh.txt")).map(|(english, chinese)| entry(english, chinese)).collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.letters));
    entries
});

fn entry(english: &'static str, chinese: &'static str) -> Entry {
    let letters = english.chars().filter(|c| c.is_alphanumeric()).count();
    Entry { english: english.split("{}").collect(), chinese, letters }
}

/// The pairs of lines of a catalogue.
fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
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

/// Whether people are spoken to in Chinese: WXPAY_LANG says so, or else the locale.
pub(super) fn is_chinese() -> bool {
    static SPOKEN: OnceLock<bool> = OnceLock::new();
    *SPOKEN.get_or_init(|| asked_for(|name| std::env::var(name).ok().filter(|value| !value.is_empty())))
}

/// POSIX's order, with GNU's list of languages, which a locale without a language (`C`) turns off.
fn asked_for(variable: impl Fn(&str) -> Option<String>) -> bool {
    let is_zh = |language: &str| language.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("zh"));
    if let Some(own) = variable("WXPAY_LANG") {
        return is_zh(&own);
    }
    let locale = |category: &str| ["LC_ALL", category, "LANG"].into_iter().find_map(&variable).unwrap_or_default();
    let (messages, characters) = (locale("LC_MESSAGES"), locale("LC_CTYPE"));
    // What is written is UTF-8: a terminal of another encoding would show something else.
    let encoding = characters.split_once('.').map_or("UTF-8", |(_, encoding)| encoding);
    if !matches!(encoding.to_lowercase().split('@').next(), Some("utf-8" | "utf8")) {
        return false;
    }
    let language = messages.split(['.', '@']).next().unwrap_or_default();
    if matches!(language, "" | "C" | "POSIX") {
        return false;
    }
    let listed = variable("LANGUAGE").unwrap_or_default();
    let known = |language: &&str| is_zh(language) || language.starts_with("en");
    is_zh(listed.split(':').find(known).unwrap_or(language))
}

/// The message in the language that is spoken.
pub(super) fn message(message: &str) -> Cow<'_, str> {
    if is_chinese() { Cow::Owned(chinese(message)) } else { Cow::Borrowed(message) }
}

/// The message in Chinese, line by line, as far as the catalogue has it.
fn chinese(message: &str) -> String {
    let lookups = Cell::new(MOST_LOOKUPS);
    let line = |line: &str| Search { lookups: &lookups }.text(line, 0);
    message.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

struct Search<'a> {
    lookups: &'a Cell<u32>,
}

impl Search<'_> {
    /// A text that is one sentence, or several that colons and semicolons join, as far as they are known.
    fn text(&self, said: &str, depth: usize) -> String {
        if depth > DEEPEST || said.is_empty() {
            return said.to_owned();
        }
        if let Some(known) = self.sentence(said, depth) {
            return known;
        }
        let core = said.trim();
        if let (true, Some(known)) = (core.len() < said.len(), self.sentence(core, depth)) {
            let begin = said.len() - said.trim_start().len();
            let (before, rest) = said.split_at_checked(begin).unwrap_or(("", said));
            return format!("{before}{known}{}", rest.strip_prefix(core).unwrap_or_default());
        }
        let joints =
            || said.char_indices().filter(|(at, _)| said.get(*at..).is_some_and(begins_joint)).map(|(at, _)| at);
        let cut = |at: usize| {
            let (left, rest) = said.split_at_checked(at)?;
            Some((left, if rest.starts_with(';') { "；" } else { "：" }, rest.get(2..)?))
        };
        // "CALL: STATUS CODE: the sentence", and then "the sentence: what a library says".
        for (left, joint, right) in joints().take(MOST_JOINTS).filter_map(cut) {
            if let Some(known) = self.sentence(right, depth) {
                return format!("{}{joint}{known}", self.text(left, depth + 1));
            }
        }
        for (left, joint, right) in joints().take(MOST_JOINTS).filter_map(cut) {
            if let Some(known) = self.sentence(left, depth) {
                return format!("{known}{joint}{}", self.text(right, depth + 1));
            }
        }
        said.to_owned()
    }

    /// A text that is an entry of the catalogue, filled in.
    fn sentence(&self, said: &str, depth: usize) -> Option<String> {
        self.lookups.set(self.lookups.get().checked_sub(1)?);
        CATALOGUE.iter().find_map(|entry| {
            let filled = matched(&entry.english, said)?;
            let filled: Vec<(&str, String)> =
                filled.into_iter().map(|hole| (hole, self.text(hole, depth + 1))).collect();
            // An entry of hardly a word is meant only where what ends it is known as well.
            let vague = entry.letters < 6 && entry.english.last().is_some_and(|end| end.is_empty());
            if vague && filled.last().is_some_and(|(english, chinese)| english == chinese) {
                return None;
            }
            Some(fill(entry.chinese, &filled))
        })
    }
}

fn begins_joint(rest: &str) -> bool {
    rest.starts_with(": ") || rest.starts_with("; ")
}

/// What a sentence was filled with, if it is this one.
fn matched<'a>(english: &[&str], said: &'a str) -> Option<Vec<&'a str>> {
    let (first, between) = english.split_first()?;
    let Some((last, between)) = between.split_last() else { return (*first == said).then(Vec::new) };
    let mut rest = said.strip_prefix(first)?.strip_suffix(last)?;
    let mut filled = Vec::with_capacity(between.len() + 1);
    for part in between {
        let (hole, after) = rest.split_once(part)?;
        filled.push(hole);
        rest = after;
    }
    filled.push(rest);
    Some(filled)
}

/// Fills `{}` in turn, and `{1}`, `{2}`, ... by number.
fn fill(chinese: &str, filled: &[(&str, String)]) -> String {
    let (mut out, mut rest, mut next) = (String::new(), chinese, 0);
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let hole = after.split_once('}').and_then(|(name, after)| {
            let number = if name.is_empty() { next } else { name.parse::<usize>().ok()?.checked_sub(1)? };
            Some((filled.get(number)?, after))
        });
        match hole {
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
    fn the_locale_decides() {
        for (variables, expected) in [
            (&[][..], false),
            (&[("LANG", "zh_CN.UTF-8")], true),
            (&[("LANG", "zh_TW")], true),
            (&[("LANG", "zh_CN.GB18030")], false),
            (&[("LANG", "de_DE.UTF-8")], false),
            (&[("LANG", "zh_CN.UTF-8"), ("LC_MESSAGES", "en_US.UTF-8")], false),
            (&[("LANG", "en_US.UTF-8"), ("LC_MESSAGES", "zh_CN.UTF-8")], true),
            (&[("LC_MESSAGES", "zh_CN.UTF-8"), ("LC_ALL", "C.UTF-8")], false),
            (&[("LC_ALL", "zh_CN.utf8"), ("LC_MESSAGES", "C")], true),
            (&[("LANG", "en_US.UTF-8"), ("LANGUAGE", "zh_CN:en")], true),
            (&[("LANG", "zh_CN.UTF-8"), ("LANGUAGE", "en:zh_CN")], false),
            (&[("LANG", "zh_CN.UTF-8"), ("LANGUAGE", "fr")], true),
            (&[("LANG", "C"), ("LANGUAGE", "zh_CN")], false),
            (&[("LC_ALL", "C"), ("WXPAY_LANG", "zh")], true),
            (&[("LC_ALL", "zh_CN.UTF-8"), ("WXPAY_LANG", "en")], false),
        ] {
            let variable =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(asked_for(variable), expected, "{variables:?}");
        }
    }

    #[test]
    fn sentences_within_sentences() {
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
                "POST v3/x: 401 SIGN_ERROR: 签名错误; this machine's clock is 9 s behind the service's: set it, by NTP",
                "POST v3/x: 401 SIGN_ERROR: 签名错误；本机时钟慢于微信支付 9 秒：请用 NTP 校准",
            ),
            ("nobody knows: this, and that", "nobody knows: this, and that"),
            ("the body was left out, and the method is in lower case", "签名时漏了请求体，并且方法用了小写"),
            ("", ""),
            ("{}", "{}"),
        ] {
            assert_eq!(chinese(english), expected);
        }
    }

    #[test]
    fn what_comes_from_outside_costs_little() {
        for evil in [
            "a: ".repeat(3000),
            "the file x cannot be read: ".repeat(300),
            "{} (Request-ID ".repeat(500),
            "中; ".repeat(3000),
        ] {
            let began = std::time::Instant::now();
            chinese(&evil);
            assert!(began.elapsed() < std::time::Duration::from_secs(2), "{:?}", began.elapsed());
        }
    }

    #[test]
    fn the_catalogue_is_in_order() {
        let mut seen = std::collections::BTreeSet::new();
        for (english, chinese) in pairs(include_str!("messages.zh.txt")) {
            assert!(seen.insert(english), "twice: {english}");
            let holes = english.matches("{}").count();
            let filled: Vec<_> = (0..holes).map(|at| ("", format!("<{at}>"))).collect();
            let out = fill(chinese, &filled);
            for (_, mark) in &filled {
                assert!(out.contains(mark.as_str()), "a hole is lost: {english}");
            }
            assert!(chinese.chars().count() > 0 && !out.contains("{}"), "{english}: {out}");
        }
        let lines =
            include_str!("messages.zh.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
        assert_eq!(lines, 2 * seen.len(), "a sentence without its translation");
    }
}
