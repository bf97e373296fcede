//! What PHP prints, the program that `wxpay port` makes of it prints as well. Skipped aloud where
//! there is no PHP to ask.

use std::path::Path;
use std::process::Command;

use crate::port::corpus::php;
use crate::port::rustc::{Compiler, carried_over, folder};

/// Runs a script by PHP and as Rust, and compares what they print, line by line.
fn same(name: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/port").join(name).with_extension("php");
    let folder = folder(&format!("values-{name}"));
    let Some(expected) = php(&folder, &["-d", "error_reporting=-1", script.to_str().expect("path")]) else { return };
    assert!(expected.status.success() && expected.stderr.is_empty(), "{expected:?}");
    let source = folder.join(name).with_extension("rs");
    std::fs::write(&source, carried_over(&std::fs::read_to_string(script).expect("PHP"))).expect("written");
    let program = Compiler::get().compile(&source, &["wechatpay_chain", "serde_json"]);
    let printed = Command::new(program).output().expect("ran");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(printed.status.success(), "{}", text(&printed.stderr));
    let (expected, printed) = (text(&expected.stdout), text(&printed.stdout));
    for (php, rust) in expected.lines().zip(printed.lines()) {
        assert_eq!(rust, php, "{name}");
    }
    assert_eq!(printed, expected, "{name}");
}

#[test]
fn texts() {
    same("texts");
}

#[test]
fn arrays() {
    same("arrays");
}

#[test]
fn functions_and_conditions() {
    same("flow");
}

#[test]
fn ways_out_of_a_try() {
    same("ways");
}

#[test]
fn variables_of_more_than_one_type() {
    same("kinds");
}

#[test]
fn exceptions_of_the_scripts_own() {
    same("exceptions");
}
