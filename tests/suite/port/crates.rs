//! `wxpay port -o` writes a crate with a module for each file.

use std::path::Path;
use std::process::{Command, Output};

use crate::port::rustc::{Compiler, folder, port};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn written(project: &Path, name: &Path) -> Output {
    let (project, name) = (project.to_str().expect("path"), name.to_str().expect("path"));
    port(&[project, "-o", name, "--no-check"], b"")
}

/// Each file can use the classes, traits, functions and constants of all files. The expected output
/// is the output of PHP.
#[test]
fn a_project_becomes_a_crate() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/port/project");
    let folder = folder("crate");
    let made = folder.join("shop");
    let output = written(&project, &made);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let manifest = std::fs::read_to_string(made.join("Cargo.toml")).expect("a manifest");
    assert!(manifest.contains("name = \"shop\"") && manifest.contains("wechatpay-chain = \"0."), "{manifest}");
    let program = Compiler::get().compile(&made.join("src/main.rs"), &["wechatpay_chain", "serde_json"]);
    let run = |name: &str| {
        let output = Command::new(&program).arg(name).output().expect("ran");
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    assert_eq!(
        run("pay"),
        "== first\n{\"no\":\"1\",\"text\":\"gateway wechat!: 12.50 HKD 1\",\"last\":\"1\"}\n[\"wechat pay 1\",\"wechat describe\"]\n"
    );
    assert_eq!(run("refund"), "8 0.05\n");

    // A folder that contains files is not changed.
    let again = written(&project, &made);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("is not empty"), "{}", text(&again.stderr));
}

#[test]
fn the_list_of_a_crate_names_files_and_lines() {
    let folder = folder("crate-list");
    let project = folder.join("php");
    std::fs::create_dir_all(project.join("a")).expect("folder");
    let write = |name: &str, php: &str| std::fs::write(project.join(name), php).expect("written");
    write("a/one.php", "<?php\nuse Lib\\Order as O;\n\nfunction one() {\n    return O::find(1);\n}");
    write("two.php", "<?php\nuse Other\\O;\nfunction two() {\n    return O::find(1) . preg_match('/a/', 'b');\n}\n");
    let output = written(&project, &folder.join("made"));
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    for expected in ["a/one.php:5: Lib\\Order: ", "two.php:4: Other\\O: ", "two.php:4: preg_match('/a/', 'b'): "] {
        assert!(message.contains(expected), "{expected}: {message}");
    }
    let stubs = std::fs::read_to_string(folder.join("made/src/yours.rs")).expect("the stubs");
    assert!(stubs.contains("pub struct Order;") && stubs.contains("pub struct O;"), "{stubs}");
    Compiler::get().compile(&folder.join("made/src/main.rs"), &["wechatpay_chain", "serde_json"]);
}

#[test]
fn ambiguous_and_invalid_files_are_refused() {
    let folder = folder("crate-refused");
    for (name, php, expected) in [
        ("twice", "<?php\n\nfunction one() {}\n", "two.php:3: one is declared twice"),
        ("invalid", "<?php\n\n$a = ;\n", "two.php: line 3: "),
    ] {
        let project = folder.join(name);
        std::fs::create_dir_all(&project).expect("folder");
        std::fs::write(project.join("one.php"), "<?php\nfunction one() { return 1; }\n").expect("written");
        std::fs::write(project.join("two.php"), php).expect("written");
        let made = folder.join(format!("{name}-made"));
        let output = written(&project, &made);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(expected), "{message}");
        assert!(!made.exists(), "{name}: nothing is written");
    }
}
