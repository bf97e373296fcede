//! A ported program prints the same as its PHP. The tests are skipped, with a message, if PHP is
//! not installed.

use std::path::Path;
use std::process::Command;

use crate::port::corpus::php;
use crate::port::rustc::{Compiler, folder, ported};

/// Runs a script in tests/port with PHP and as Rust, and compares the output.
fn assert_same_output(name: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/port").join(name).with_extension("php");
    let folder = folder(&format!("values-{name}"));
    let Some(expected) = php(&folder, &["-d", "error_reporting=-1", script.to_str().expect("path")]) else { return };
    assert!(expected.status.success() && expected.stderr.is_empty(), "{expected:?}");
    let source = folder.join(name).with_extension("rs");
    std::fs::write(&source, ported(&std::fs::read_to_string(script).expect("PHP"))).expect("written");
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
fn strings_print_the_same() {
    assert_same_output("texts");
}

#[test]
fn arrays_print_the_same() {
    assert_same_output("arrays");
}

#[test]
fn functions_and_conditions_print_the_same() {
    assert_same_output("flow");
}

#[test]
fn leaving_a_try_block_prints_the_same() {
    assert_same_output("ways");
}

#[test]
fn variables_of_several_types_print_the_same() {
    assert_same_output("kinds");
}

#[test]
fn own_exceptions_print_the_same() {
    assert_same_output("exceptions");
}
