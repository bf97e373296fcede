//! Promises about the code's own shape, so that they stay true.

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("source");
            found.push((path, text));
        }
    }
    found
}

/// The code of a file without comments and unit tests.
fn code(text: &str) -> String {
    let code = text.split("\nmod tests {").next().expect("first part");
    let lines = code.lines().map(|line| line.split("//").next().expect("first part"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_pure_half_is_pure() {
    for folder in ["src/proto", "src/crypto"] {
        for (path, text) in sources(&root().join(folder)) {
            let code = code(&text);
            for word in ["tokio", "hyper", "tower", "async ", "SystemTime::now", "Instant", "TcpStream"] {
                assert!(!code.contains(word), "{} names {word}", path.display());
            }
            if folder == "src/proto" {
                for word in ["rand", "std::fs", "std::env"] {
                    assert!(
                        path.ends_with("template_tests.rs") || !code.contains(word),
                        "{} names {word}",
                        path.display()
                    );
                }
            }
        }
    }
}

#[test]
fn the_crate_root_only_lists() {
    let text = fs::read_to_string(root().join("src/lib.rs")).expect("lib.rs");
    assert!(!text.lines().any(|line| line.contains("fn ") || line.starts_with("impl")), "lib.rs has code");
}

#[test]
fn one_function_calls_the_stack() {
    let calls: Vec<_> = sources(&root().join("src"))
        .into_iter()
        .filter(|(_, text)| code(text).contains("stack.clone()"))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(calls, [root().join("src/client/inner.rs")]);
}

#[test]
fn one_folder_level_and_files_that_can_be_read() {
    for (path, text) in sources(&root().join("src")) {
        let depth = path.strip_prefix(root().join("src")).expect("below src").components().count();
        assert!(depth <= 2, "{} is too deep", path.display());
        let lines = code(&text).lines().count();
        assert!(lines <= 450, "{} has {lines} lines of code", path.display());
        assert!(text.starts_with("//!") || text.starts_with("#!"), "{} begins with no documentation", path.display());
    }
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
