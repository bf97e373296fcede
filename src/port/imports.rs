//! The imports and helpers of a program, found by the identifiers in its code.

use std::collections::HashSet;

use super::helpers::HELPERS;

/// Everything that a program may import, `serde_json` first.
const IMPORTS: &[&str] = &[
    "Value",
    "json",
    "Apiv3Key",
    "BoxError",
    "Certificate",
    "Chain",
    "Client",
    "ClientBuilder",
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
    "notify::NotificationVerifier",
    "php",
    "transformer",
];

/// Whether a name would hide one that a program may import.
pub(super) fn is_imported(name: &str) -> bool {
    IMPORTS.iter().any(|import| import.rsplit("::").next() == Some(name))
        || matches!(name, "Vec" | "String" | "Result" | "Option" | "Box")
}

/// The helpers that a program needs, by the identifiers in it. The identifiers of the helpers are
/// added to them.
fn needed(named: &mut HashSet<String>) -> Vec<&'static str> {
    loop {
        let before = named.len();
        for (_, code) in HELPERS.iter().filter(|(name, _)| named.contains(*name)).collect::<Vec<_>>() {
            named.extend(identifiers(code));
        }
        if named.len() == before {
            return HELPERS.iter().filter(|(name, _)| named.contains(*name)).map(|(_, code)| *code).collect();
        }
    }
}

/// The identifiers of a program, without the words in its string literals and comments.
fn identifiers(code: &str) -> HashSet<String> {
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
            // Not a method or a path segment. A macro of the same name includes its exclamation
            // mark.
            let macro_only = matches!(word.as_str(), "chain" | "json") && c != '!';
            if !matches!(before, '.' | ':') && !macro_only {
                out.insert(word);
            }
        }
        // `a: B` is not a path.
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

/// The `use` lines of a program, and the helpers that it needs.
pub(super) fn imported(code: &str) -> (String, Vec<&'static str>) {
    let mut named = identifiers(code);
    if code.contains("BoxError") {
        named.insert("BoxError".to_owned());
    }
    let helpers = needed(&mut named);
    let last = |name: &str| name.rsplit("::").next().unwrap_or_default().to_owned();
    let used = IMPORTS.iter().copied().filter(|name| named.contains(&last(name)));
    let (json, own): (Vec<&str>, Vec<&str>) = used.partition(|name| matches!(*name, "json" | "Value"));
    let list = |names: Vec<&str>| match names.as_slice() {
        [one] => (*one).to_owned(),
        names => format!("{{{}}}", names.join(", ")),
    };
    let mut out = String::new();
    if !json.is_empty() {
        out.push_str(&format!("use serde_json::{};\n", list(json)));
    }
    if !own.is_empty() {
        out.push_str(&format!("use wechatpay_chain::{};\n", list(own)));
    }
    (out, helpers)
}

/// The code without its comment lines. Generated code has no comments at the end of a line.
pub(super) fn without_comments(code: &str) -> String {
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect()
}
