//! Programs of the kind that merchants write print the same as in PHP, and what has no counterpart
//! is listed.

use std::path::Path;

use crate::port::corpus::php;
use crate::port::rustc::{folder, port};
use crate::port::same_output::{Case, Share, assert_same};

/// Runs the programs in `tests/port/merchants` with PHP and as Rust.
#[test]
fn programs_of_merchants_print_the_same() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/port/merchants");
    let folder = folder("merchants-php");
    let mut paths: Vec<_> =
        std::fs::read_dir(source).expect("the programs").map(|entry| entry.expect("entry").path()).collect();
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        let file = path.to_str().expect("a path");
        let Some(output) = php(&folder, &["-d", "display_errors=0", "-d", "log_errors=0", file]) else { return };
        cases.push(Case {
            name: path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned(),
            php: std::fs::read_to_string(&path).expect("PHP"),
            printed: String::from_utf8(output.stdout).expect("UTF-8"),
            fails: !output.status.success(),
        });
    }
    assert!(cases.len() >= 29, "{}", cases.len());
    let share = assert_same(&cases, "merchants");
    assert_eq!(share, Share { carried: cases.len(), listed: 0 });
}

/// Asserts that a piece in the second line of a program is listed for this reason.
fn assert_listed(php: &str, why: &str) {
    let output = port(&["-"], format!("<?php\n{php}\n").as_bytes());
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{php}\n{message}");
    let lines: Vec<&str> = message.lines().filter(|line| line.starts_with("standard input:2: ")).collect();
    assert!(lines.iter().any(|line| line.contains(why)), "{php}\n{message}");
}

/// PHP continues to count at the highest key that an array had, also in a copy of the array.
#[test]
fn removing_an_element_is_listed_if_a_copy_may_be_appended_to() {
    let why = "continues to count at the highest key";
    for php in [
        "$a = ['a', 'b']; unset($a[1]); $a[] = 'c';",
        "$a = ['a', 'b']; $k = 1; unset($a[$k]); array_push($a, 'c');",
        "$a = ['a', 'b']; unset($a[1]); $b = $a; $b[] = 'c';",
        "function drop(array $list, $k) { unset($list[$k]); return $list; } $a = drop(['a'], 0); $a[] = 'b';",
        "function add(array $list) { $list[] = 'c'; return $list; } $a = ['a']; unset($a[0]); echo count(add($a));",
        "class C { private $i = []; function add($x) { $this->i[] = $x; } function drop($k) { unset($this->i[$k]); } }",
        "$a = ['l' => ['a', 'b']]; unset($a['l'][1]); $a['l'][] = 'c';",
        "$a = ['a', 'b']; unset($a[1]); $b = ['l' => $a]; $b['l'][] = 'c';",
        "$a = ['a', 'b']; unset($a[1]); $b = ['x' => 1]; $b['l'] = $a; $b['l'][] = 'c';",
        "$a = ['a', 'b']; unset($a[1]); foreach ([$a] as $b) { $b[] = 'c'; echo count($b); }",
        "$a = ['a', 'b']; unset($a[1]); $b = []; $b += $a; $b[] = 'c';",
        "$a = ['a', 'b']; unset($a[1]); [$b] = [$a]; $b[] = 'c';",
    ] {
        assert_listed(php, why);
    }
    // An array that the same function creates has no such key.
    for php in [
        "$a = ['a', 'b']; $k = 1; unset($a[$k]); $b = []; foreach ($a as $v) { $b[] = $v; } echo json_encode($b);",
        "$a = ['a', 'b']; $k = 1; unset($a[$k]); $b = ['l' => []]; $b['l'][] = 1; echo json_encode($b);",
    ] {
        let output = port(&["-"], format!("<?php\n{php}\n").as_bytes());
        assert_eq!(output.status.code(), Some(0), "{php}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn what_depends_on_objects_and_inner_output_is_listed() {
    for (php, why) in [
        ("$o = json_decode('{\"a\":1}'); var_dump($o);", "var_dump()"),
        ("$o = new stdClass(); print_r(['a' => $o]);", "print_r()"),
        ("echo print 'c';", "print is used as a value"),
        ("dump(['a' => 1]);", "dump()"),
    ] {
        assert_listed(php, why);
    }
}
