//! What a program imports and which helpers it has, by the words in it.

use std::collections::HashSet;

use super::helpers::HELPERS;

/// All that a program may import, `serde_json`'s first.
pub(super) const IMPORTS: &[&str] = &[
    "Value",
    "json",
    "Apiv3Key",
    "BoxError",
    "Certificate",
    "Chain",
    "Client",
    "Error",
    "ErrorKind",
    "Media",
    "Options",
    "PrivateKey",
    "Promise",
    "PublicKey",
    "Response",
    "Secret",
    "chain",
    "crypto::aes_ecb",
    "crypto::hash",
    "formatter",
    "transformer",
];

/// The helpers that a program needs, by the words in it; the words of the helpers join them.
pub(super) fn needed(named: &mut HashSet<String>) -> Vec<&'static str> {
    loop {
        let before = named.len();
        for (_, code) in HELPERS.iter().filter(|(name, _)| named.contains(*name)).collect::<Vec<_>>() {
            named.extend(words(code));
        }
        if named.len() == before {
            return HELPERS.iter().filter(|(name, _)| named.contains(*name)).map(|(_, code)| *code).collect();
        }
    }
}

/// The words of a program, without those in its texts and comments.
pub(super) fn words(code: &str) -> HashSet<String> {
    let mut out = HashSet::new();
    let mut chars = code.chars().peekable();
    let (mut word, mut before) = (String::new(), ' ');
    while let Some(c) = chars.next() {
        if c == '_' || c.is_alphanumeric() {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            let word = std::mem::take(&mut word);
            // Neither a method nor a part of something; the macro of the same name ends with its mark.
            let macro_only = matches!(word.as_str(), "chain" | "json") && c != '!';
            if !matches!(before, '.' | ':') && !macro_only {
                out.insert(word);
            }
        }
        // `a: B` is no path.
        before = if c.is_whitespace() { ' ' } else { c };
        match (c, chars.peek()) {
            ('/', Some('/')) => {
                chars.by_ref().find(|c| *c == '\n');
            }
            ('"', _) => {
                while let Some(c) = chars.next() {
                    match c {
                        '\\' => drop(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    out.insert(word);
    out
}
