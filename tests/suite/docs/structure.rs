//! Rules for the layout of the sources, each with a list of what violates it.
//!
//! `cargo test --all-features --test suite -- import_graph --ignored --nocapture` prints which
//! folder imports from which, and through which files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use proc_macro2::{TokenStream, TokenTree};

use super::imports::{Graph, Target};
use super::{read, root, sources};

/// The folders of the library, from the top down. Each may import from those behind it.
const LAYERS: [&str; 10] =
    ["client", "php", "notify", "options", "pipeline", "store", "transport", "catalog", "proto", "crypto"];

/// Folders above the library, which may import all of it.
const GUESTS: [&str; 4] = ["sandbox", "cli", "port", "dev"];

/// Which guest may import from which other.
const GUESTS_IMPORT: [(&str, &str); 4] = [("cli", "sandbox"), ("cli", "port"), ("dev", "sandbox"), ("dev", "port")];

/// Files below all folders. The files of `proto` import nothing of the crate, and texts and values
/// everywhere are bounded with them.
const BASE: [&str; 5] = ["error.rs", "clock.rs", "proto/error_kind.rs", "proto/excerpt.rs", "proto/json_depth.rs"];

/// An error holds the response that it is about, and a response is read with errors.
fn is_error_with_its_response(from: &str, to: &str) -> bool {
    (from, to) == ("error.rs", "pipeline/response.rs")
}

fn graph() -> Graph {
    let files = sources("src");
    Graph::new(files.iter().map(|(path, text)| (path.strip_prefix("src/").expect("below src"), text.as_str())))
}

fn folder(file: &str) -> &str {
    file.split_once('/').map_or(file, |(folder, _)| folder)
}

fn may_import(from: &str, to: &str) -> bool {
    if BASE.contains(&from) {
        return BASE.contains(&to) || is_error_with_its_response(from, to);
    }
    if BASE.contains(&to) || folder(from) == folder(to) {
        return true;
    }
    let (from, to) = (folder(from), folder(to));
    let rank = |folder: &str| LAYERS.iter().position(|layer| *layer == folder);
    match (rank(from), rank(to)) {
        (Some(from), Some(to)) => from < to,
        (None, Some(_)) => GUESTS.contains(&from),
        (_, None) => GUESTS_IMPORT.contains(&(from, to)),
    }
}

/// Fails with the list of violations where there are any.
fn assert_none(rule: &str, violations: impl IntoIterator<Item = String>) {
    let violations: Vec<_> = violations.into_iter().collect();
    assert!(violations.is_empty(), "{rule}; {} lines:\n{}\n", violations.len(), violations.join("\n"));
}

#[test]
fn folders_import_only_from_those_below_them() {
    let graph = graph();
    let upward = graph.between_files().filter(|(import, to)| !may_import(&import.from, to));
    let line = |from: &str, line: usize, path: &str, to: &str| format!("src/{from}:{line}: {path} (src/{to})");
    assert_none(
        "a folder imports only from those below it",
        upward.map(|(import, to)| line(&import.from, import.line, &import.path, to)),
    );
}

#[test]
fn the_order_of_folders_is_as_documented() {
    let allowed = [
        ("client/mod.rs", "crypto/public_key.rs"),
        ("client/mod.rs", "client/chain.rs"),
        ("pipeline/sign.rs", "transport/body.rs"),
        ("client/inner.rs", "catalog/mod.rs"),
        ("catalog/check.rs", "proto/request.rs"),
        ("crypto/public_key.rs", "error.rs"),
        ("error.rs", "pipeline/response.rs"),
        ("sandbox/mod.rs", "client/mod.rs"),
        ("cli/mod.rs", "port/mod.rs"),
        ("dev/bench.rs", "sandbox/mod.rs"),
    ];
    let forbidden = [
        ("crypto/public_key.rs", "proto/verify.rs"),
        ("transport/body.rs", "pipeline/sign.rs"),
        ("pipeline/sign.rs", "client/mod.rs"),
        ("options/mod.rs", "notify/mod.rs"),
        ("catalog/check.rs", "options/mod.rs"),
        ("proto/request.rs", "catalog/mod.rs"),
        ("client/mod.rs", "sandbox/mod.rs"),
        ("sandbox/mod.rs", "cli/mod.rs"),
        ("port/mod.rs", "sandbox/mod.rs"),
        ("error.rs", "proto/verify.rs"),
        ("clock.rs", "pipeline/response.rs"),
        ("proto/verify.rs", "lib.rs"),
        ("unlisted/mod.rs", "crypto/public_key.rs"),
    ];
    assert_none("allowed", allowed.iter().filter(|(from, to)| !may_import(from, to)).map(|pair| format!("{pair:?}")));
    assert_none(
        "forbidden",
        forbidden.iter().filter(|(from, to)| may_import(from, to)).map(|pair| format!("{pair:?}")),
    );
}

/// The import cycles of the files that `is_wanted` selects, with the imports that close them.
fn cycles(is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let graph = graph();
    let mut found = Vec::new();
    for cycle in graph.cycles(is_error_with_its_response) {
        if !cycle.iter().any(|file| is_wanted(file)) {
            continue;
        }
        found.push(format!("{} files:", cycle.len()));
        let inside = graph.between_files().filter(|(import, to)| {
            cycle.contains(import.from.as_str()) && cycle.contains(to) && !is_error_with_its_response(&import.from, to)
        });
        found.extend(
            inside.map(|(import, to)| format!("  src/{}:{}: {} (src/{to})", import.from, import.line, import.path)),
        );
    }
    found
}

#[test]
fn files_of_the_library_do_not_import_each_other_in_a_circle() {
    assert_none("no import cycles", cycles(|file| !GUESTS.contains(&folder(file))));
}

#[test]
fn files_of_the_guests_do_not_import_each_other_in_a_circle() {
    assert_none("no import cycles", cycles(|file| GUESTS.contains(&folder(file)) && folder(file) != "port"));
}

#[test]
fn files_of_port_do_not_import_each_other_in_a_circle() {
    assert_none("no import cycles", cycles(|file| folder(file) == "port"));
}

#[test]
fn catalog_proto_and_crypto_do_not_reach_an_async_runtime() {
    let graph = graph();
    let is_io = |name: &str| ["tokio", "hyper", "tower"].iter().any(|io| name.starts_with(io));
    let pure = graph.files.iter().filter(|file| ["catalog", "proto", "crypto"].contains(&folder(file)));
    let chains = pure.flat_map(|file| graph.chains(file, is_io, is_error_with_its_response));
    assert_none(
        "catalog, proto and crypto reach neither tokio, hyper nor tower",
        chains.map(|chain| format!("src/{}", chain.join("\n    -> src/"))),
    );
}

#[test]
fn proto_and_crypto_are_pure() {
    let graph = graph();
    let mut violations = Vec::new();
    for file in graph.files.iter().filter(|file| ["proto", "crypto"].contains(&folder(file))) {
        let names = &graph.names[file];
        let is_proto = folder(file) == "proto";
        let words: &[&str] = if is_proto { &["rand", "random"] } else { &[] };
        let words = ["async", "Instant", "TcpStream"].iter().chain(words);
        violations.extend(words.filter(|word| names.contains(**word)).map(|word| format!("src/{file}: {word}")));
        for import in graph.imports.iter().filter(|import| import.from == *file) {
            let is_io = ["std::time::Instant", "std::net::TcpStream"].contains(&import.path.as_str())
                || ["tokio", "hyper", "tower"].iter().any(|name| import.path.starts_with(name))
                || import.path.contains("SystemTime::now");
            let is_environment = ["std::fs", "std::env", "rand"].iter().any(|name| import.path.starts_with(name))
                || import.path.contains("::random");
            if is_io || (is_proto && is_environment) {
                violations.push(format!("src/{file}:{}: {}", import.line, import.path));
            }
        }
    }
    assert_none("proto and crypto are bytes and values in, bytes and values out", violations);
}

#[test]
fn the_crate_root_only_lists() {
    fn others(stream: TokenStream, violations: &mut Vec<String>) {
        let mut tokens = stream.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let TokenTree::Ident(word) = &token else { continue };
            match word.to_string().as_str() {
                "pub" => {}
                "use" => while tokens.next().is_some_and(|token| token.to_string() != ";") {},
                "mod" => {
                    tokens.next();
                    if let Some(TokenTree::Group(body)) = tokens.next() {
                        others(body.stream(), violations);
                    }
                }
                other => {
                    violations.push(format!("src/lib.rs:{}: {other}", word.span().start().line));
                    while tokens.next().is_some_and(|token| token.to_string() != ";") {}
                }
            }
        }
    }
    let mut violations = Vec::new();
    others(read(&root().join("src/lib.rs")).parse().expect("Rust source"), &mut violations);
    assert_none("lib.rs lists modules and re-exports", violations);
}

#[test]
fn the_stack_is_called_in_one_place() {
    let calls = sources("src").into_iter().filter(|(_, text)| text.contains("stack.clone()")).map(|(path, _)| path);
    assert_eq!(calls.collect::<Vec<_>>(), ["src/pipeline/send.rs"]);
}

#[test]
fn the_source_folders_are_flat() {
    let files: Vec<_> = sources("src").into_iter().map(|(path, _)| path).collect();
    assert_none("one folder level below src", files.iter().filter(|path| path.matches('/').count() > 2).cloned());
    let root: Vec<_> = files.iter().filter(|path| path.matches('/').count() == 1).map(String::as_str).collect();
    assert_eq!(root, ["src/clock.rs", "src/error.rs", "src/lib.rs", "src/main.rs"]);
}

#[test]
fn every_source_file_begins_with_its_documentation() {
    let bare = sources("src").into_iter().filter(|(_, text)| !text.starts_with("//!") && !text.starts_with("#!"));
    assert_none("a file begins with //! or #!", bare.map(|(path, _)| path));
}

#[test]
fn no_source_file_is_longer_than_450_lines() {
    let long = sources("src").into_iter().filter(|(_, text)| text.lines().count() > 450);
    assert_none("at most 450 lines", long.map(|(path, text)| format!("{path}: {} lines", text.lines().count())));
}

/// The string literals of a file, without documentation.
fn strings(stream: TokenStream, found: &mut Vec<(usize, String)>) {
    for token in stream {
        match token {
            TokenTree::Group(group) => {
                let first = group.stream().into_iter().next().map(|token| token.to_string());
                if first.as_deref() != Some("doc") {
                    strings(group.stream(), found);
                }
            }
            TokenTree::Literal(literal) => found.push((literal.span().start().line, literal.to_string())),
            _ => {}
        }
    }
}

/// A name that a program imports is displayed by its constant, as in `{PHP}::add`, so that the
/// piece of code records the import. The text of a piece is read only where a file is complete.
#[test]
fn the_porter_records_imports_and_reads_no_generated_text() {
    let names = [
        "php::",
        "json!",
        "chain!",
        "Value::",
        "BoxError",
        "ErrorKind::",
        "Options::",
        "Client::",
        "ClientBuilder::",
        "Secret::",
        "hash::",
        "aes_ecb::",
        "formatter::",
        "transformer::",
        "php_fields",
        "php_uniqid",
        "php_base64",
        "php_unbase64",
        "php_wait_all",
    ];
    let messages = ["give Media::from_bytes", "wechatpay_chain::BoxError", "std::fs::OpenOptions::"];
    let mut violations = Vec::new();
    for (path, text) in sources("src/port") {
        let own = ["code.rs", "imports.rs", "helpers.rs"].iter().any(|name| path.ends_with(name));
        let mut found = Vec::new();
        strings(text.parse().expect("Rust source"), &mut found);
        let written = found.iter().filter(|(_, text)| {
            let is_comment = text.starts_with("\"//");
            !own && !is_comment
                && names.iter().any(|name| text.contains(name))
                && !messages.iter().any(|one| text.contains(one))
        });
        violations.extend(written.map(|(line, text)| format!("{path}:{line}: {text}")));
        let reads = text.contains("into_text()");
        if reads && !["code.rs", "function.rs", "modules.rs"].iter().any(|name| path.ends_with(name)) {
            violations.push(format!("{path}: into_text()"));
        }
    }
    assert_none("imports are displayed by their constants", violations);
}

/// Lines that begin within a string.
fn lines_in_strings(stream: TokenStream, lines: &mut BTreeSet<usize>) {
    for token in stream {
        match token {
            TokenTree::Group(group) => lines_in_strings(group.stream(), lines),
            TokenTree::Literal(literal) => {
                lines.extend(literal.span().start().line + 1..=literal.span().end().line);
            }
            _ => {}
        }
    }
}

/// The comment lines that are wider than 100 columns.
fn wide_comments(text: &str) -> Vec<usize> {
    let mut in_strings = BTreeSet::new();
    lines_in_strings(text.parse().expect("Rust source"), &mut in_strings);
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let comments = lines.filter(|(number, line)| line.trim_start().starts_with("//") && !in_strings.contains(number));
    comments.filter(|(_, line)| line.chars().count() > 100).map(|(number, _)| number).collect()
}

#[test]
fn wide_comments_are_found() {
    let wide = "x".repeat(98);
    let text = format!("//! {wide}\n// {}\nconst A: &str = \"\n// {wide}\";\n    // {wide}\n//{wide}\n", &wide[1..]);
    assert_eq!(wide_comments(&text), [1, 5]);
}

#[test]
fn no_comment_is_wider_than_100_columns() {
    let mut violations = Vec::new();
    for (path, text) in ["src", "tests", "benches", "examples"].into_iter().flat_map(sources) {
        violations.extend(wide_comments(&text).into_iter().map(|line| format!("{path}:{line}")));
    }
    assert_none("comments are at most 100 columns wide", violations);
}

#[test]
fn banned_names_are_not_used() {
    // Put together, so that this file does not contain them.
    let (word, prefix) = (["sa", "id"].concat(), ["MO", "ST_"].concat());
    let is_banned = |name: &str| name == word || name.starts_with(&prefix);
    let mut violations = Vec::new();
    let mut folders: Vec<_> =
        ["src", "tests", "benches", "examples"].iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let name = path.strip_prefix(root()).expect("below the crate").display().to_string();
            for (index, line) in text.lines().enumerate() {
                let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
                if words.any(is_banned) {
                    violations.push(format!("{name}:{}: {}", index + 1, line.trim()));
                }
            }
        }
    }
    violations.sort();
    assert_none("names that a reader cannot guess", violations);
}

#[test]
#[ignore = "prints, and checks nothing"]
fn import_graph() {
    let graph = graph();
    let mut edges: BTreeMap<(&str, &str), BTreeSet<(&str, &str)>> = BTreeMap::new();
    for (import, to) in graph.between_files().filter(|(import, to)| folder(&import.from) != folder(to)) {
        edges.entry((folder(&import.from), folder(to))).or_default().insert((&import.from, to));
    }
    for ((from, to), files) in edges {
        let names: Vec<_> = files.iter().map(|(from, to)| format!("{from} -> {to}")).collect();
        println!("{from} -> {to} ({}): {}", files.len(), names.join(", "));
    }
    let mut crates: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for import in &graph.imports {
        if let Target::Crate(name) = &import.target {
            crates.entry(folder(&import.from)).or_default().insert(name);
        }
    }
    for (folder, crates) in crates {
        println!("{folder} uses {}", crates.into_iter().collect::<Vec<_>>().join(", "));
    }
}

/// The names in SECURITY.md, such as `call::retry::` for a file and `v2::calls::a_name` for a test.
#[test]
fn the_tests_that_documents_name_exist() {
    let is_name = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:".contains(c));
    let (mut count, mut violations) = (0, Vec::new());
    for document in ["docs/SECURITY.md", "docs/SECURITY.zh-CN.md"] {
        let text = read(&root().join(document));
        let names = text.split('`').skip(1).step_by(2).map(|code| code.trim_start_matches("suite "));
        for name in names.filter(|name| name.contains("::") && is_name(name)) {
            count += 1;
            let mut parts = name.splitn(3, "::");
            let (folder, file) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let source = fs::read_to_string(root().join(format!("tests/suite/{folder}/{file}.rs"))).unwrap_or_default();
            let test = parts.next().unwrap_or_default();
            if source.is_empty() || !source.contains(&format!("fn {test}")) {
                violations.push(format!("{document}: {name}"));
            }
        }
    }
    assert!(count > 10, "{count} names");
    assert_none("documents name existing tests", violations);
}

#[test]
fn every_feature_is_in_the_readme() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let features = manifest.split("[features]").nth(1).expect("features").split("\n[").next().expect("section");
    for readme in ["README.md", "docs/README.zh-CN.md"] {
        let text = fs::read_to_string(root().join(readme)).expect(readme);
        for feature in features
            .lines()
            .filter_map(|line| line.split_once(" = "))
            .map(|(name, _)| name)
            .filter(|name| !name.starts_with(['_', '#']))
        {
            assert!(text.contains(&format!("`{feature}`")), "{readme} does not name the feature {feature}");
        }
    }
}
