//! Searches the calls by title, path and field names, in Chinese and English.
//!
//! A query is split into words, and runs of Chinese characters. Each is rated against each call. A
//! typing error costs points, but the call is still found: Chinese is compared by pairs of
//! characters, and English by edit distance.

use std::collections::HashSet;

use super::call::Call;
use super::field::{Field, Place};

/// What a call is found by.
pub(super) struct Entry {
    method: String,
    title: String,
    /// In characters, without the other words for its parts.
    title_length: f64,
    path: String,
    words: Vec<String>,
    fields: HashSet<String>,
    /// Points that do not depend on the query.
    prior: f64,
}

/// English words of queries, and the words of titles that have the same meaning.
const GLOSSARY: [(&str, &[&str]); 18] = [
    ("bill", &["账单"]),
    ("cancel", &["撤销", "取消"]),
    ("certificate", &["证书"]),
    ("close", &["关闭", "关单"]),
    ("complaint", &["投诉"]),
    ("contract", &["签约", "协议"]),
    ("coupon", &["券"]),
    ("create", &["创建", "下单"]),
    ("download", &["下载"]),
    ("invoice", &["发票"]),
    ("order", &["订单", "下单"]),
    ("payment", &["支付", "下单"]),
    ("query", &["查询", "查单"]),
    ("receipt", &["回单"]),
    ("refund", &["退款"]),
    ("transfer", &["转账"]),
    ("upload", &["上传"]),
    ("withdraw", &["提现"]),
];

/// Other words for parts of titles and paths.
const SYNONYMS: [(&str, &str); 11] = [
    ("关单", "关闭订单"),
    ("查单", "查询订单"),
    ("订单号查询", "查询订单"),
    ("账号", "账户账号"),
    ("/transactions/jsapi", "小程序支付"),
    ("付款码支付", "刷卡支付"),
    ("/mch-transfer/transfer-bills", "商家转账到零钱"),
    ("v3/transfer/batches", "商家转账到零钱"),
    ("/mch-transfer/", "商家转账"),
    ("/merchant/media/", "图片上传"),
    ("/applyment4sub/", "特约商户进件"),
];

impl Entry {
    pub(super) fn new(call: &Call) -> Entry {
        let path = call.template().unwrap_or_default().to_lowercase();
        let words = words(&path).map(str::to_owned).collect();
        let mut fields = HashSet::new();
        for section in call.request().iter().filter(|section| section.place != Place::Headers) {
            names(&section.fields, &mut fields);
        }
        let mut title = normalized(call.title());
        let title_length = title.chars().count() as f64;
        for (known, other) in SYNONYMS {
            if title.contains(known) || path.contains(known) {
                title.push(' ');
                title.push_str(other);
            }
        }
        Entry {
            method: call.method_name().to_lowercase(),
            title,
            title_length,
            words,
            fields,
            prior: prior(call, &path),
            path,
        }
    }

    /// The points of this call for a query; `None` if a word of it does not fit at all.
    pub(super) fn rate(&self, query: &Query) -> Option<f64> {
        let mut points = 0.0;
        for word in &query.words {
            points += match word {
                Word::Chinese(text) => self.rate_chinese(text),
                Word::Ascii(text) => self.rate_ascii(text),
            }?;
        }
        let bonus = query.phrase.as_ref().map_or(0.0, |phrase| {
            if self.path.rsplit('/').next() == Some(phrase) {
                40.0
            } else if self.path.split('/').any(|segment| segment == phrase) {
                30.0
            } else {
                0.0
            }
        });
        (!query.words.is_empty()).then(|| points / query.words.len() as f64 + bonus + self.prior)
    }

    fn rate_chinese(&self, text: &str) -> Option<f64> {
        let length = text.chars().count() as f64;
        let share_of_title = 20.0 * length / self.title_length.max(length);
        if self.title.contains(text) {
            return Some(100.0 + share_of_title);
        }
        // Other words may be in between, as in 查询单笔退款.
        let mut title = self.title.chars();
        if text.chars().all(|c| title.any(|other| other == c)) {
            return Some(92.0 + share_of_title);
        }
        let pairs = pairs(text);
        let found = pairs.iter().filter(|pair| self.title.contains(pair.as_str())).count() as f64;
        let share = found / (pairs.len() as f64).max(1.0);
        if share >= 0.4 {
            return Some(85.0 * share + share_of_title);
        }
        // One of few characters is another one.
        let known = text.chars().filter(|c| self.title.contains(*c)).count() as f64;
        (known >= length * 0.5).then_some(20.0 * known / length)
    }

    fn rate_ascii(&self, word: &str) -> Option<f64> {
        if word == self.method {
            return Some(110.0);
        }
        let stem = singular(word);
        let is_word = |other: &&String| singular(other) == stem;
        if self.path.split('/').any(|segment| singular(segment.trim_end_matches("-v2")) == stem) {
            return Some(110.0);
        }
        if self.words.iter().any(|other| is_word(&other)) || self.title.contains(word) {
            return Some(95.0);
        }
        let meanings = GLOSSARY.iter().find(|(english, _)| *english == stem).map_or(&[][..], |(_, chinese)| chinese);
        if meanings.iter().any(|chinese| self.title.contains(chinese)) {
            return Some(85.0);
        }
        if self.fields.contains(word) {
            return Some(80.0);
        }
        if word.len() >= 3 && (self.path.contains(word) || self.path.replace(['-', '_'], "").contains(word)) {
            return Some(70.0);
        }
        let is_as_long = |other: &&str| other.len().abs_diff(stem.len()) <= allowed_typos(stem);
        let similar = self.words.iter().map(|other| singular(other)).filter(is_as_long);
        let close = similar.map(|other| strsim::damerau_levenshtein(stem, other)).min().unwrap_or(usize::MAX);
        if close <= allowed_typos(stem) {
            return Some(60.0 - 10.0 * close as f64);
        }
        let is_field = self.fields.iter().any(|field| field.contains(word));
        (word.len() >= 3 && is_field).then_some(30.0)
    }
}

/// Points that do not depend on the query. The more products document a call, the more probably it
/// is meant. Calls of APIv2, of other regions, and without an official page are meant less often.
fn prior(call: &Call, path: &str) -> f64 {
    let links = call.links().take(30).count() as f64;
    let lessened = |condition: bool, points: f64| if condition { -points } else { 0.0 };
    let basic = if path.starts_with("v3/pay/transactions/") { 8.0 } else { 0.0 };
    links * 0.6 + basic - path.matches('{').count() as f64 * 2.0 - path.matches('/').count() as f64 * 0.5
        + lessened(links == 0.0, 20.0)
        + lessened(path.starts_with("v2/"), 20.0)
        + lessened(call.base_uri().is_some(), 15.0)
        + lessened(path.contains("/platsolution/"), 10.0)
}

/// A query, split once for all calls.
pub(super) struct Query {
    words: Vec<Word>,
    /// Several English words, as they would be written in a path.
    phrase: Option<String>,
}

enum Word {
    Chinese(String),
    Ascii(String),
}

/// The longest query, in characters. The rest is ignored.
const MAX_QUERY: usize = 100;

impl Query {
    pub(super) fn new(text: &str) -> Query {
        let text: String = normalized(&text.chars().take(MAX_QUERY).collect::<String>());
        let (mut words, mut current, mut was_ascii) = (Vec::new(), String::new(), false);
        let mut end = |current: &mut String, is_ascii: bool| {
            let word = std::mem::take(current);
            if !word.is_empty() {
                words.push(if is_ascii { Word::Ascii(word) } else { Word::Chinese(word) });
            }
        };
        for c in text.chars() {
            let is_ascii = c.is_ascii_alphanumeric() || c == '_';
            let is_letter = is_ascii || (!c.is_ascii() && c.is_alphanumeric());
            if !is_letter || is_ascii != was_ascii {
                end(&mut current, was_ascii);
            }
            was_ascii = is_ascii;
            if is_letter {
                current.push(c);
            }
        }
        end(&mut current, was_ascii);
        let is_noise = |word: &Word| match word {
            Word::Ascii(text) | Word::Chinese(text) => NOISE.contains(&text.as_str()),
        };
        if !words.iter().all(is_noise) {
            words.retain(|word| !is_noise(word));
        }
        for word in &mut words {
            if let Word::Chinese(text) = word {
                // As in 退款接口.
                if let Some(stem) = text.strip_suffix("接口").filter(|stem| !stem.is_empty()) {
                    *text = stem.to_owned();
                }
            }
        }
        let ascii = words.iter().map(|word| match word {
            Word::Ascii(text) => Some(text.as_str()),
            Word::Chinese(_) => None,
        });
        let phrase = ascii.collect::<Option<Vec<_>>>().filter(|words| words.len() > 1).map(|words| words.join("-"));
        Query { words, phrase }
    }
}

/// Words that every call could have.
const NOISE: [&str; 4] = ["api", "openapi", "v3", "接口"];

/// In lower case, and with the usual one of two characters that are confused.
fn normalized(text: &str) -> String {
    text.to_lowercase().replace('帐', "账")
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() > 1)
}

fn names(fields: &[Field], found: &mut HashSet<String>) {
    for field in fields {
        found.insert(field.name.to_lowercase());
        names(&field.fields, found);
    }
}

/// Neighbouring characters; a single character by itself.
fn pairs(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    match &chars[..] {
        [] | [_] => vec![text.to_owned()],
        chars => chars.windows(2).map(|pair| pair.iter().collect()).collect(),
    }
}

fn singular(word: &str) -> &str {
    word.strip_suffix('s').filter(|stem| stem.len() > 2).unwrap_or(word)
}

fn allowed_typos(word: &str) -> usize {
    match word.len() {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    }
}
