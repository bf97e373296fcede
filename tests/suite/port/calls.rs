//! `wxpay port --calls` extracts the code that uses the SDK from code of frameworks.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::port::corpus::php;
use crate::port::rustc::{Compiler, folder, port};

fn source(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/port").join(name);
    std::fs::read_to_string(path).expect("a file of tests/port")
}

/// The functions of a method, and the list.
fn extracted(code: &str) -> (String, String) {
    let code = format!("<?php\nuse WeChatPay\\Crypto\\Rsa;\nuse WeChatPay\\Formatter;\nclass C {{\n{code}\n}}\n");
    let output = port(&["--calls", "-"], code.as_bytes());
    let (rust, message) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(i32::from(!message.is_empty())), "{message}\n{rust}");
    (rust.into_owned(), message.into_owned())
}

/// The code of a module, on one line.
fn joined(rust: &str) -> String {
    rust.lines().filter(|line| !line.starts_with("///")).map(str::trim).collect()
}

#[test]
fn extracted_functions_send_what_php_sends() {
    let folder = folder("calls");
    for name in ["laravel", "think"] {
        let output = port(&["--calls", "-"], source(&format!("calls/{name}.php")).as_bytes());
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && message.is_empty(), "{message}");
        std::fs::write(folder.join(name).with_extension("rs"), output.stdout).expect("written");
        std::fs::write(folder.join(name).with_extension("php"), source(&format!("calls/{name}.php"))).expect("written");
    }
    let response = source("sdk.php").replace("return '{}';", "return '{\"prepay_id\":\"wx1\"}';");
    std::fs::write(folder.join("sdk.php"), response).expect("written");
    std::fs::write(folder.join("run.php"), source("calls/run.php")).expect("written");
    let Some(made) = php(&folder, &["-d", "display_errors=stdout", "run.php"]) else { return };
    assert!(made.status.success() && made.stdout.is_empty(), "{}", String::from_utf8_lossy(&made.stdout));
    std::fs::write(folder.join("calls.jsonl"), &made.stderr).expect("written");

    std::fs::write(folder.join("main.rs"), source("calls.rs")).expect("written");
    let program = Compiler::get().compile(&folder.join("main.rs"), &["wechatpay_chain", "serde_json"]);
    let output = Command::new(program).arg("calls.jsonl").current_dir(&*folder).output().expect("ran");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}\n{printed}", String::from_utf8_lossy(&output.stderr));
    for line in printed.lines() {
        let requests: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(requests["rust"], requests["php"]);
    }
    assert_eq!(printed.lines().count(), 6);
}

/// Nothing that PHP does between two calls may move before the first one or after the second one.
#[test]
fn code_between_calls_separates_functions() {
    let calls = |between: &str| {
        extracted(&format!(
            "function f($order) {{\n\
             $a = $this->client->chain('v3/a')->get(['query' => ['x' => $order->x]]);\n\
             $body = json_decode((string) $a->getBody(), true);\n\
             {between}\n\
             $body2 = json_decode((string) $this->client->chain('v3/b')->get(['query' => ['id' => $id]])->getBody(), true);\n\
             return $body2;\n}}"
        ))
        .0
    };
    let one = calls("$id = $body['id'];");
    assert_eq!(one.matches("pub fn").count(), 1, "{one}");
    assert!(joined(&one).contains("pub fn f(client: &Client, order_x: &Value) -> Result<Value, BoxError>"), "{one}");
    for between in [
        "$id = $this->service->next($body);",
        "$id = $body['id']; $order->save();",
        "$id = $body['id']; if ($id < 1) { return 0; }",
        "$id = $body['id']; echo $id;",
        "$id = $order->refresh()->id;",
        "$id = array_sum(array_map(fn ($one) => $one['id'], $body));",
        "$this->last = $body; $id = $body['id'];",
    ] {
        let two = calls(between);
        assert_eq!(two.matches("pub fn").count(), 2, "{between}\n{two}");
        assert!(
            joined(&two).contains("pub fn f_2(") && two.contains("pub fn f(client: &Client, order_x: &Value) ->"),
            "{two}"
        );
    }
}

/// A value that other code computes is a parameter, and its expression is in the comment.
#[test]
fn what_is_not_certain_is_a_parameter() {
    let call = "$this->client->chain('v3/a')->post(['json' => $p]);";
    for (code, parameters) in [
        // The function may change its argument.
        ("$p = ['a' => 1]; $this->service->fill($p);", "p: &Value"),
        // A model may compute its property, but reading it twice gives the same value.
        ("$p = ['a' => $o->a, 'b' => $o->a];", "o_a: &Value"),
        // Between two reads, it may change.
        ("$p = ['a' => $o->a]; $o->save(); $p['b'] = $o->a;", "o_a: &Value,o_a_2: &Value"),
        // The service must be called once, and only if the condition holds.
        ("$p = ['a' => 1]; if ($c) { $p['b'] = $this->service->next(); }", "p: &Value"),
        ("$p = ['a' => 1]; foreach ($list as $one) { $p['b'][] = $one->id; }", "p: &Value"),
        ("$p = ['a' => 1]; foreach ($list as $one) { $p['b'][] = $one['id']; }", "list: &Value"),
        ("$p = ['a' => 1]; foreach ($list as &$one) { $one = 1; } $p['b'] = $one;", "one: &Value"),
        // The number is stored elsewhere, too.
        ("$no = time(); $p = ['no' => $no];", "no: &Value"),
        ("$p = ['a' => self::A, 'b' => X::B];", "b: &Value"),
        ("$p = ['a' => $_GET['a']];", "get: &Value"),
    ] {
        let (rust, message) = extracted(&format!("const A = 1;\nfunction f($o, $c, $list) {{\n{code}\n{call}\n}}"));
        let code_of = joined(&rust);
        let found = code_of.split("pub fn f(").nth(1).and_then(|rest| rest.split(") ->").next()).unwrap_or_default();
        let own: Vec<&str> =
            found.trim_end_matches(',').split(',').map(str::trim).filter(|one| *one != "client: &Client").collect();
        assert_eq!(own.join(","), parameters, "{code}\n{rust}{message}");
        assert_eq!(message, "", "{code}\n{rust}");
    }
}

/// The caller keeps a condition, a loop, a `try` or a handler that is not carried over, and the
/// comment has its line.
#[test]
fn conditions_are_left_to_the_caller() {
    let call = "$this->client->chain('v3/a')->post(['json' => ['a' => 1]]);";
    for (before, after, note) in [
        ("if ($this->service->may()) {", "}", "standard input:6: `if ($this->service->may())`"),
        ("if ($a) { $this->log();", "}", "standard input:6: `if ($a)`"),
        ("while ($this->next()) {", "}", "standard input:6: `while ($this->next())`"),
        ("try {", "} catch (\\Exception $e) { $this->log($e); }", "standard input:6: `try`"),
        ("if (!$a) { return; }", "", "standard input:6: `if (!$a) { return; }`"),
    ] {
        let (rust, message) = extracted(&format!("function f($a) {{\n{before}\n{call}\n{after}\n}}"));
        assert!(rust.contains(&format!("/// - {note}")), "{before}\n{rust}");
        assert!(joined(&rust).contains("pub fn f(client: &Client) -> Result<Response, BoxError> {Ok(client"), "{rust}");
        assert_eq!(message, "");
    }
    let (rust, _) = extracted(&format!("function f($a) {{\nif ($a == 1) {{\n{call}\n}}\n}}"));
    assert!(joined(&rust).contains("if php::equal(a, 1) {client"), "{rust}");
}

/// A use that cannot be extracted is listed.
#[test]
fn uses_that_are_not_extracted_are_listed() {
    for (code, why) in [
        (
            "function f($n) { $$n = 1; $this->client->chain('v3/a')->get(['query' => ['a' => $a]]); }",
            "variable names in variables",
        ),
        ("function f() { $this->client->chain($p = 'v3/a')->get(); }", "a value that is not certain"),
        (
            "function f() { $this->client->chain('v3/a')->get(['handler' => $h]); }",
            "the option \"handler\" has no meaning here",
        ),
    ] {
        let (_, message) = extracted(code);
        assert!(message.contains(why) && message.contains("standard input:5: "), "{code}\n{message}");
    }
}

#[test]
fn folders_become_a_library() {
    let folder = folder("calls-crate");
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/port/calls");
    let made = folder.join("shop");
    let paths = [project.to_str().expect("path"), made.to_str().expect("path")];
    let output = port(&["--calls", paths[0], "-o", paths[1], "--no-check"], b"");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lib = std::fs::read_to_string(made.join("src/lib.rs")).expect("lib.rs");
    assert!(lib.contains("pub mod laravel;") && lib.contains("pub mod think;"), "{lib}");
    let main = folder.join("main.rs");
    std::fs::write(&main, "#[path = \"shop/src/lib.rs\"]\nmod lib;\nfn main() {}\n").expect("written");
    Compiler::get().compile(&main, &["wechatpay_chain", "serde_json"]);

    assert_eq!(port(&["--calls", "--report", paths[0]], b"").status.code(), Some(2));
    let none = port(&["--calls", "-"], b"<?php\nfunction f() { return 1; }\n");
    assert_eq!(none.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&none.stderr), "wxpay: the SDK does not occur in standard input\n");
}
