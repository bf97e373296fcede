//! What PHP runs, the Rust runs as often and in the same order: calls whose results are only
//! tested, functions without a result, and the operands of one statement.

use std::path::Path;

use crate::port::corpus::php;
use crate::port::rustc::{Compiler, folder, port, ported};
use crate::port::same_output::{Case, Share, assert_same};

/// The pieces of a file, each in a program of its own, with what PHP prints. `None` without PHP.
fn cases(file: &str, prefix: &str) -> Option<Vec<Case>> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/port/order");
    let read = |name: &str| std::fs::read_to_string(home.join(name)).expect("PHP");
    let (functions, pieces) = (read("functions.php"), read(file));
    let folder = folder(&format!("order-{prefix}"));
    let mut cases = Vec::new();
    for (number, piece) in pieces.split("\n// ").skip(3).enumerate() {
        let source = format!("{functions}// {piece}");
        std::fs::write(folder.join("program.php"), &source).expect("written");
        let output = php(&folder, &["-d", "display_errors=0", "-d", "log_errors=0", "program.php"])?;
        let printed = String::from_utf8(output.stdout).expect("UTF-8");
        let name = format!("{prefix}{number}");
        cases.push(Case { name, php: source, printed, fails: !output.status.success() });
    }
    Some(cases)
}

#[test]
fn calls_run_as_often_and_in_the_order_of_php() {
    let Some(cases) = cases("carried.php", "o") else { return };
    let share = assert_same(&cases, "order");
    assert_eq!(share, Share { carried: cases.len(), listed: 0 });
    assert!(cases.len() > 60, "{}", cases.len());
}

#[test]
fn another_order_is_listed() {
    let Some(cases) = cases("listed.php", "l") else { return };
    for case in &cases {
        let output = port(&["-"], case.php.as_bytes());
        assert_eq!(output.status.code(), Some(1), "{}", case.php);
    }
    assert!(cases.len() > 25, "{}", cases.len());
}

/// The conditions and values that only test the result of a request.
const TESTS: [&str; 14] = [
    "$ok = ready() && REQUEST;",
    "if (REQUEST) { echo 'a'; }",
    "if (!REQUEST) { echo 'a'; }",
    "if (empty(REQUEST)) { echo 'a'; }",
    "$ok = (bool) REQUEST;",
    "$ok = REQUEST !== null;",
    "$ok = is_null(REQUEST);",
    "$ok = REQUEST ? 'a' : 'b';",
    "$ok = match (true) { REQUEST !== null => 1, default => 2 };",
    "switch (true) { case REQUEST === null: echo 'a'; break; default: echo 'b'; }",
    "while (REQUEST) { echo 'a'; }",
    "do { echo 'a'; } while (!REQUEST);",
    "for ($i = 0; REQUEST && $i < 3; $i++) { echo 'a'; }",
    "REQUEST and ready();",
];

#[test]
fn a_request_whose_result_is_only_tested_is_sent() {
    let request = "$client->chain('v3/pay/transactions/jsapi')->post(['json' => $data])";
    let bodies: Vec<String> = TESTS.iter().map(|test| format!("    {}\n", test.replace("REQUEST", request))).collect();
    let mut source = "<?php\nfunction ready(): bool { return true; }\n".to_owned();
    for (number, body) in bodies.iter().enumerate() {
        source.push_str(&format!("function f{number}(BuilderChainable $client, array $data)\n{{\n{body}}}\n"));
    }
    let rust = ported(&source);
    assert_eq!(rust.matches(".post(").count(), TESTS.len(), "{rust}");
    assert_eq!(rust.matches(")?;").count(), TESTS.len() + 1, "{rust}");
    let folder = folder("order-requests");
    let path = folder.join("requests.rs");
    std::fs::write(&path, rust).expect("written");
    Compiler::get().compile(&path, &["wechatpay_chain", "serde_json"]);
}

/// A promise that is only tested is listed: PHP sends its request at a later time.
#[test]
fn a_promise_that_is_only_tested_is_listed() {
    for test in &TESTS {
        let test = test.replace("REQUEST", "$client->chain('v3/a')->postAsync()");
        let source = format!("<?php\nfunction f(BuilderChainable $client)\n{{\n    {test}\n}}\n");
        let output = port(&["-"], source.as_bytes());
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains("standard input:4: "), "{test}\n{message}");
    }
}

/// A step of a promise copies the properties that it reads. Such a copy does not have the name of
/// a variable that the step captures.
#[test]
fn a_copied_property_has_a_name_of_its_own() {
    let source = "<?php\nclass Pay\n{\n    private $userId;\n    \
        public function __construct(string $userId) { $this->userId = $userId; }\n    \
        public function go(BuilderChainable $client, string $userId)\n    {\n        \
        return $client->chain('v3/certificates')->getAsync()->then(function ($response) use ($userId) {\n            \
        return $userId . '-' . $this->userId;\n        })->wait();\n    }\n}\n";
    let rust = ported(source);
    assert!(rust.contains("let user_id_ = self.user_id.clone();"), "{rust}");
    assert!(rust.contains("format!(\"{user_id}-{user_id_}\")"), "{rust}");
    let folder = folder("order-promise");
    std::fs::write(folder.join("promise.rs"), rust).expect("written");
    Compiler::get().compile(&folder.join("promise.rs"), &["wechatpay_chain", "serde_json"]);
}

/// 2,000 fractions of all sizes, among them those around the limits of the notation.
#[test]
fn fractions_print_as_in_php() {
    let mut source =
        "<?php\nfunction show(float $x) { echo $x, ' ', json_encode($x), ' ', $x . '', \"\\n\"; }\n".to_owned();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut below = |most: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) % most
    };
    for number in 0..2000 {
        let digits = 1 + below(17);
        let mantissa: String = (0..digits).map(|_| if number % 5 == 0 { 9 } else { below(10) }.to_string()).collect();
        let near = number % 2 == 0;
        let exponent = if near { below(26) as i64 - 6 } else { below(620) as i64 - 315 };
        let sign = if below(4) == 0 { "-" } else { "" };
        let (first, rest) = mantissa.split_at(1);
        let text = format!("{sign}{first}.{rest}0e{exponent}");
        if text.parse::<f64>().is_ok_and(f64::is_finite) {
            source.push_str(&format!("show({text});\n"));
        }
    }
    let folder = folder("order-fractions");
    std::fs::write(folder.join("program.php"), &source).expect("written");
    let Some(output) = php(&folder, &["program.php"]) else { return };
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    let case = Case { name: "fractions".to_owned(), php: source, printed, fails: false };
    assert_eq!(assert_same(&[case], "fractions"), Share { carried: 1, listed: 0 });
}
