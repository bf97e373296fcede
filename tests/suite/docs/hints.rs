//! Every hint is a row of a table test.
//!
//! A hint is a message that gives a remedy or a probable cause. The catalogue of the Chinese
//! translations contains all messages. The rows of
//! [`each_hint_names_its_condition`](crate::support::each_hint_names_its_condition) are conditions
//! next to each other: the message of a row contains its own hint, and not that of another row.

use std::collections::BTreeSet;

use super::{read, root, sources};
use crate::cli::literals::literals;

/// The words with which a message gives a remedy or a probable cause.
const MARKERS: &[&str] = &[
    "give",
    "write",
    "add",
    "check",
    "did you mean",
    "set",
    "omit",
    "remove",
    "use",
    "compare",
    "leave",
    "query before",
    "take",
    "copy",
    "convert",
    "decode",
    "synchronize",
    "renew",
    "save",
    "extract",
    "call",
    "put",
    "correct",
    "encode",
    "define",
    "create",
    "may have",
    "probably",
    "is wrong",
    "is the environment",
    "replace",
    "repeat",
    "instead",
    "so",
    "keep",
];

/// Table tests that do not use the helper, because they test private functions.
const UNIT_TESTS: &[&str] = &["src/proto/diagnose.rs"];

/// Hints that are not in a table, and messages that contain a marker without being a hint.
const NOT_IN_A_TABLE: &[(&str, &[&str])] = &[
    (
        "states what happened, without a remedy",
        &[
            "\"set\" must be an object of paths and values",
            "--set {} has another form than PATH=VALUE",
            "TLS cannot be set up: {}",
            "several files are only for --check, --report and --output",
            "the folder {} is not empty: give a new one",
            "cargo check failed in {}",
            "a layer changed the body of an APIv2 call that contains a list or an object in {}, which cannot be distinguished from a repeated field",
            "a layer changed the body of an APIv2 call to something that cannot be signed: {}",
            "it has a document type, which could define entities and is not accepted",
            "its root element contains text instead of elements",
            "stopped; the partial file was removed, and the request may have arrived",
            "the indentation is wrong",
            "the key to encrypt with was not received within {}; the call was not sent",
            "the runtime of the call cannot be started: {}",
            "the sandbox cannot set up TLS",
            "the sandbox's key file contains {} instead of a private key",
            "undocumented call",
        ],
    ),
    (
        "what a custom layer did: tests/suite/call/attacks.rs, callers_code.rs and layers.rs",
        &[
            "a layer moved the call to a thread without a tokio runtime",
            "a layer repeated a call whose sink was used already",
            "a layer replaced the request and lost its extensions, which hold the settings of the call: keep them",
            "a layer used the sink of the call",
        ],
    ),
    (
        "not reached by code outside of this crate",
        &["a synchronous call on the client's own network thread would block itself: use the _async twin there"],
    ),
    (
        "the end of other rows' messages, which all have it",
        &[
            "{}: compare it with the merchant platform, and with openssl x509 -in apiclient_cert.pem -noout -serial -subject",
        ],
    ),
    (
        "of the compiler, or of a build without a feature",
        &[
            "\":x\" is not a variable: write {x}",
            "pkcs12 needs the feature pkcs12 of this crate; or convert the file to PEM: openssl pkcs12 -in apiclient_cert.p12 -nodes",
        ],
    ),
    (
        "checked when the client is built",
        &["a proxy of the scheme {} is not supported: use http, https, socks5 or socks5h"],
    ),
    (
        "of a sandbox in another process, or of its web page",
        &[
            "another sandbox is running with this folder (its database is {}): stop it, or use another folder and port (--dir, --port)",
            "no callback is set for member cards: PATCH v3/marketing/membercard-open/callback {\"notify_url\": \"...\"}",
        ],
    ),
];

/// The string literals of a source that have at least two words.
fn phrases(source: &str) -> Vec<String> {
    literals(source).into_iter().filter(|text| text.contains(' ')).collect()
}

/// Whether a text has one of the markers as a whole word.
fn is_hint(message: &str) -> bool {
    let words = message.split(|c: char| !c.is_ascii_alphabetic()).collect::<Vec<_>>().join(" ");
    let words = format!(" {words} ");
    MARKERS.iter().any(|marker| words.contains(&format!(" {marker} ")))
}

#[test]
fn every_hint_is_a_row_of_a_table() {
    let catalogue = read(&root().join("src/cli/messages.zh.txt"));
    let own = catalogue.split("\n# Messages that are not in the sources").next().expect("a section");
    let messages = own.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '\t']));
    let hints: Vec<&str> = messages.filter(|message| is_hint(message)).collect();
    assert!(hints.len() > 200, "{}", hints.len());
    let tables = sources("tests/suite").into_iter().filter(|(path, text)| {
        !path.starts_with("tests/suite/docs/") && text.contains("each_hint_names_its_condition(&")
    });
    let units = UNIT_TESTS.iter().map(|path| {
        let text = read(&root().join(path));
        ((*path).to_owned(), text.split_once("\nmod tests {").expect("tests").1.to_owned())
    });
    let rows: Vec<String> = tables.chain(units).flat_map(|(_, text)| phrases(&text)).collect();
    // A row names a part of the message, or more than a part between two placeholders.
    let is_row = |hint: &str| {
        let parts: Vec<&str> = hint.split("{}").map(str::trim).filter(|part| part.len() >= 12).collect();
        rows.iter().any(|row| (row.len() >= 8 && hint.contains(&**row)) || parts.iter().any(|part| row.contains(part)))
    };
    let missing: BTreeSet<&str> = hints.iter().copied().filter(|hint| !is_row(hint)).collect();
    let excepted: BTreeSet<&str> = NOT_IN_A_TABLE.iter().flat_map(|(_, messages)| messages.iter().copied()).collect();
    let untested: Vec<&str> = missing.difference(&excepted).copied().collect();
    assert!(untested.is_empty(), "hints without a row in a table:\n{}", untested.join("\n"));
    let unused: Vec<&str> = excepted.difference(&missing).copied().collect();
    assert!(unused.is_empty(), "in a table, or not a hint:\n{}", unused.join("\n"));
}
