//! Whole programs print the same as Rust as they do in PHP, or the command lists what it leaves.
//!
//! All programs of a test are modules of one program, so that they are compiled together.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::port::corpus::php;
use crate::port::php_programs::program;
use crate::port::rustc::{Compiler, folder, port};

/// A PHP program, and what it prints.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) php: String,
    pub(crate) printed: String,
    /// Whether PHP ends with an error, after it has printed this.
    pub(crate) fails: bool,
}

/// How many programs print the same, and how many are listed.
#[derive(Debug, PartialEq)]
pub(crate) struct Share {
    pub(crate) carried: usize,
    pub(crate) listed: usize,
}

/// Ports the programs, and runs those of which nothing is left.
pub(crate) fn assert_same(cases: &[Case], name: &str) -> Share {
    let folder = folder(name);
    let (mut modules, mut arms, mut carried) = (String::new(), String::new(), Vec::new());
    for case in cases {
        let output = port(&["-"], case.php.as_bytes());
        let (rust, message) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        match output.status.code() {
            Some(0) => assert_eq!(message, "", "{}", case.name),
            Some(1) => {
                let lines = 1..=case.php.lines().count();
                let listed = |line: usize| message.contains(&format!("standard input:{line}: "));
                assert!(lines.into_iter().any(listed), "{}: no line is listed: {message}", case.name);
                continue;
            }
            code => panic!("{}: exit code {code:?}: {message}", case.name),
        }
        let source = rust.replace("\nfn main()", "\npub fn main()");
        std::fs::write(folder.join(format!("p_{}.rs", case.name)), source).expect("written");
        let _ = writeln!(modules, "mod p_{};", case.name);
        let _ = writeln!(arms, "        {0:?} => p_{0}::main(),", case.name);
        carried.push(case);
    }
    let main = format!(
        "#![allow(warnings)]\n{modules}fn main() -> Result<(), wechatpay_chain::BoxError> {{\n    \
         match std::env::args().nth(1).unwrap_or_default().as_str() {{\n{arms}        _ => Ok(()),\n    }}\n}}\n"
    );
    let source = folder.join("programs.rs");
    std::fs::write(&source, main).expect("written");
    let program = Compiler::get().compile(&source, &["wechatpay_chain", "serde_json"]);
    for case in &carried {
        let output = Command::new(&program).arg(&case.name).output().expect("ran");
        let (printed, message) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(printed, case.printed, "{}\n{}\n{message}", case.name, case.php);
        assert_eq!(output.status.success(), !case.fails, "{}\n{}\n{message}", case.name, case.php);
    }
    Share { carried: carried.len(), listed: cases.len() - carried.len() }
}

#[test]
fn programs_with_pitfalls_print_the_same_or_are_listed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/port/cases");
    let mut cases: Vec<Case> = std::fs::read_dir(folder)
        .expect("the cases")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "php"))
        .map(|path| Case {
            name: path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned(),
            php: std::fs::read_to_string(&path).expect("PHP"),
            printed: std::fs::read_to_string(path.with_extension("out")).expect("what PHP prints"),
            fails: false,
        })
        .collect();
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    let share = assert_same(&cases, "cases");
    assert_eq!(share, Share { carried: 121, listed: 25 });
}

/// Expressions with hundreds of operands, and an `else if` with hundreds of branches. The syntax
/// tree is nested as deeply.
#[test]
fn long_chains_print_the_same() {
    let many = 600;
    let repeat = |text: &str| text.repeat(many);
    let numbers: String = (1..=many).map(|number| format!(" + {number}")).collect();
    let steps: String = (1..=many).map(|number| format!(" - $n['a'] + {number}")).collect();
    let branches: String =
        (1..many).map(|number| format!(" else if ($v == {number}) {{\n    echo \"branch {number}\\n\";\n}}")).collect();
    let sum = many * (many + 1) / 2;
    let cases = [
        ("numbers", format!("echo 0{numbers}, \"\\n\";"), format!("{sum}\n")),
        (
            "values",
            format!("$n = json_decode('{{\"a\":2}}', true);\necho 0.5{steps}, \"\\n\";"),
            format!("{}.5\n", sum - 2 * many),
        ),
        ("texts", format!("$v = 'ab';\necho strlen('a'{}), \"\\n\";", repeat(" . $v")), format!("{}\n", 2 * many + 1)),
        (
            "conditions",
            format!(
                "$v = strlen('a');\nif ($v > 0{}{}) {{\n    echo \"yes\\n\";\n}}",
                repeat(" && $v"),
                repeat(" || !$v")
            ),
            "yes\n".to_owned(),
        ),
        (
            "branches",
            format!(
                "$v = strlen('abc') * 100;\nif ($v == 0) {{\n    echo 'none';\n}}{branches} else {{\n    echo 'other';\n}}"
            ),
            "branch 300\n".to_owned(),
        ),
    ];
    let cases = cases.map(|(name, php, printed)| Case {
        name: name.to_owned(),
        php: format!("<?php\n{php}\n"),
        printed,
        fails: false,
    });
    let share = assert_same(&cases, "chains");
    assert_eq!(share, Share { carried: 5, listed: 0 });
}

/// Generates programs, runs them with PHP and as Rust, and returns how many are carried over.
fn generated(seeds: std::ops::Range<u64>) -> Option<Share> {
    let mut whole = Share { carried: 0, listed: 0 };
    // Compiled in parts, which need less memory.
    for first in seeds.clone().step_by(250) {
        let name = format!("generated-{first}");
        let folder = folder(&name);
        let mut cases = Vec::new();
        for seed in first..seeds.end.min(first + 250) {
            let source = program(seed);
            std::fs::write(folder.join("program.php"), &source).expect("written");
            let output = php(&folder, &["-d", "display_errors=0", "-d", "log_errors=0", "program.php"])?;
            let printed = String::from_utf8(output.stdout).expect("UTF-8");
            cases.push(Case { name: format!("g{seed}"), php: source, printed, fails: !output.status.success() });
        }
        let share = assert_same(&cases, &format!("{name}-rust"));
        whole.carried += share.carried;
        whole.listed += share.listed;
    }
    Some(whole)
}

#[test]
fn generated_programs_print_the_same_or_are_listed() {
    if let Some(share) = generated(1..61) {
        assert!(share.carried >= 48, "{share:?}");
    }
}

/// The larger run, which `tests/port/programs` starts. The variable `PORT_SEEDS` sets other seeds,
/// such as `501-1000`.
#[test]
#[ignore = "2,000 programs take several minutes"]
fn many_generated_programs_print_the_same_or_are_listed() {
    let given = std::env::var("PORT_SEEDS").unwrap_or_else(|_| "1-2000".to_owned());
    let (first, last) = given.split_once('-').expect("two numbers");
    let (first, last): (u64, u64) = (first.parse().expect("a number"), last.parse().expect("a number"));
    if let Some(share) = generated(first..last + 1) {
        eprintln!("{share:?}");
        assert!(share.carried * 5 >= (share.carried + share.listed) * 4, "{share:?}");
    }
}
