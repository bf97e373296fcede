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
    for name in ["laravel", "think", "shop"] {
        let output = port(&["--calls", "-"], source(&format!("calls/{name}.php")).as_bytes());
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && message.is_empty(), "{message}");
        std::fs::write(folder.join(name).with_extension("rs"), output.stdout).expect("written");
        std::fs::write(folder.join(name).with_extension("php"), source(&format!("calls/{name}.php"))).expect("written");
    }
    let response = source("sdk.php").replace("return '{}';", "return '{\"prepay_id\":\"wx1\"}';");
    std::fs::write(folder.join("sdk.php"), response).expect("written");
    for name in ["run.php", "fee.php"] {
        std::fs::write(folder.join(name), source(&format!("calls/{name}"))).expect("written");
    }
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
    assert_eq!(printed.lines().count(), 29);
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

/// A value that may differ between two evaluations is a parameter for each of them. It is not taken
/// out of a loop, and not computed before a call that comes first in PHP.
#[test]
fn each_evaluation_of_a_value_that_may_differ_is_a_parameter() {
    for (method, is_same) in [
        ("private function v() { return $this->x; }", true),
        ("private function v() { return $this->w() . 'a'; } private function w() { return md5($this->x); }", true),
        ("final protected function v() { return self::X; }", true),
        // A class of another file may replace it.
        ("function v() { return $this->x; }", false),
        ("private function v() { return uniqid(); }", false),
        ("private function v() { return $this->w(); } private function w() { return date('His') . mt_rand(); }", false),
        ("private function v() { static $n = 0; return ++$n; }", false),
        ("private function v() { global $n; return $n; }", false),
        ("private function v() { return $GLOBALS['n']; }", false),
        ("private function v() { return $this->n++; }", false),
        ("private function v() { return self::$n++; }", false),
        ("private function v() { return next_no(); }", false),
        ("private function v() { return $this->numbers->next(); }", false),
        ("private function v() { return array_map('next_no', [1]); }", false),
        ("private function v() { return file_get_contents('counter'); }", false),
        ("private function v() { return array_shift($this->list); }", false),
        ("private function v() { [$this->a, $b] = [1, 2]; return $b; }", false),
        ("private function v() { foreach ($this->list as &$one) { $one++; } return 1; }", false),
        ("private function v() { include 'v.php'; return $v; }", false),
        ("private function v() { return parent::v(); }", false),
    ] {
        let functions = |body: &str| {
            let (rust, message) = extracted(&format!("{method}\nfunction f($list) {{\n{body}\n}}"));
            assert_eq!(message, "", "{method}\n{rust}");
            rust
        };
        let chain = "$this->client->chain('v3/a')";
        let rust = functions(&format!("$p = [[$this->v()], [$this->v()]]; {chain}->post(['json' => $p]);"));
        assert_eq!(
            joined(&rust).contains("pub fn f(v: &Value,client: &Client)")
                || joined(&rust).contains("pub fn f(client: &Client, v: &Value)"),
            is_same,
            "{method}\n{rust}"
        );
        assert_eq!(rust.contains("v_2: "), !is_same, "{method}\n{rust}");
        let rust = functions(&format!("foreach ($list as $one) {{ {chain}->post(['json' => [$this->v(), $one]]); }}"));
        assert_eq!(rust.contains("foreach ($list as $one)"), !is_same, "{method}\n{rust}");
        let rust = functions(&format!("{chain}->get(); {chain}->post(['json' => [$this->v()]]);"));
        assert_eq!(rust.contains("pub fn f_2("), !is_same, "{method}\n{rust}");
    }
}

/// A value from before a change is not sent after it.
/// A method that PHP calls for each read of a property, and code that runs between the rounds of a
/// loop.
#[test]
fn each_read_and_each_round_of_code_that_is_not_known_is_left_to_the_caller() {
    let pay = "public function pay($order, $wechat) { return $wechat->chain('v3/a')->post(['json' => ['a' => $order->no, 'b' => $order->no]]); }";
    let (rust, message) = extracted(pay);
    assert!(rust.contains("order_no: &Value)") && message.is_empty(), "{rust}{message}");
    let get = "private static $reads = 0; public function __get($name) { self::$reads++; return self::$reads; }";
    let (rust, message) = extracted(&format!("{get}\n{pay}"));
    assert!(joined(&rust).contains("\"a\": a, \"b\": b") && message.is_empty(), "{rust}{message}");
    let looped = |before: &str, head: &str| {
        format!(
            "private function rows() {{ foreach ([1, 2] as $i) {{ echo $i; yield $i; }} }}\n\
             public function all($wechat, array $given) {{ {before} foreach ({head} as $row) {{ $wechat->chain('v3/a')->post(['json' => ['a' => $row]]); }} }}"
        )
    };
    for (before, head) in [
        ("", "$this->rows()"),
        ("$rows = $this->rows();", "$rows"),
        ("$rows = Order::cursor();", "$rows"),
        ("$rows = $given ? Order::cursor() : [];", "$rows"),
    ] {
        let (rust, message) = extracted(&looped(before, head));
        assert!(rust.contains("row: &Value)") && !rust.contains("for row in"), "{rust}");
        assert!(rust.contains("Left to the caller:") && message.is_empty(), "{rust}{message}");
    }
    assert!(extracted(&looped("", "$given")).0.contains("for row in"));
}

#[test]
fn what_other_code_may_change_is_a_parameter_after_it() {
    for (code, parameter) in [
        ("$this->x = 1; $this->change();", "$this->x"),
        ("$this->x = 1; $y = $this->change(); $p['y'] = $y;", "$this->x"),
        ("$this->x = 1; sort_all($this->list);", "$this->x"),
        ("$x = 1; $y = &$x; $y = 2; $p['z'] = $x;", "$x"),
        ("$x = [1]; foreach ($x as &$y) { $y++; } unset($y); $p['z'] = $x;", "$x"),
        ("$x = [1]; foreach ($x as $k => &$y) { $y++; } $p['z'] = $x;", "$x"),
        ("$x = 1; $set = function () use (&$x) { $x = 2; }; $set(); $p['z'] = $x;", "$x"),
        ("$x = 1; include 'settings.php'; $p['z'] = $x;", "$x"),
        ("global $x; $x = 1; $this->change(); $p['z'] = $x;", "$x"),
        ("static $x = 1; $p['z'] = $x;", "$x"),
        ("$x = [1]; array_multisort($list, $x); $p['z'] = $x;", "$x"),
        ("$x = [1]; Arr::set($x, 'a', 1); $p['z'] = $x;", "$x"),
        ("$x = 1; preg_replace('/a/', 'b', 'a', -1, $x); $p['z'] = $x;", "$x"),
        ("$x = [1]; $this->byReference($x); $p['z'] = $x;", "$x"),
        ("$x = [1]; usort($x, 'compare'); $p['z'] = $x;", "$x"),
        ("$x = [1]; change(...$x); $p['z'] = $x;", "$x"),
    ] {
        let (rust, message) = extracted(&format!(
            "private function change() {{ $this->x = 2; }}\nprivate function byReference(&$x) {{ $x = 2; }}\n\
             function f($list) {{\n$p = [];\n{code}\n$p['x'] = $this->x;\n\
             $this->client->chain('v3/a')->post(['json' => $p]);\n}}"
        ));
        let line = rust.lines().find(|line| line.contains(&format!(": `{parameter}`, line "))).unwrap_or_default();
        assert!(!line.is_empty() && (parameter == "$x" || line.ends_with("line 9")), "{code}\n{rust}");
        assert_eq!(message, "", "{code}\n{rust}");
    }
    // A constant of another class of the file, or of a class that extends this one.
    for constant in ["self::OTHER", "static::OWN"] {
        let output = port(
            &["--calls", "-"],
            format!(
                "<?php\nclass C extends B {{\nconst OWN = 'own';\nfunction f() {{\n\
                 $this->client->chain('v3/a')->post(['json' => ['a' => self::OWN, 'b' => {constant}]]);\n}}\n}}\n\
                 class D {{ const OTHER = 'other'; }}\n"
            )
            .as_bytes(),
        );
        let rust = String::from_utf8_lossy(&output.stdout);
        assert!(rust.contains("\"a\": \"own\"") && rust.contains(&format!("`{constant}`, line 5")), "{rust}");
    }
}

/// Two evaluations of the expression of a client are one client only if nothing changes between
/// them.
#[test]
fn each_merchant_has_a_client() {
    let chain = "->chain('v3/a')->get();";
    for (between, client) in [
        ("$m = 'b';", "$this->clients[$m]"),
        ("$this->clients = $other;", "$this->clients[$m]"),
        ("use_merchant('b');", "$this->clients[$m]"),
        ("", "get_client($m)"),
        ("", "$this->make($m)"),
        ("", "self::instance()"),
        ("", "app('wechat')"),
        ("config(['wechat.mchid' => 2]);", "config('wechat.client')"),
    ] {
        let (rust, message) = extracted(&format!("function f($m) {{\n{client}{chain}\n{between}\n{client}{chain}\n}}"));
        assert_eq!(rust.matches(&format!(": `{client}`, line ")).count(), 2, "{client}\n{rust}");
        assert_eq!(message, "", "{rust}");
    }
    for client in ["$this->clients[$m]", "$this->own()", "config('wechat.client')"] {
        let own = "private function own() { return $this->client; }";
        let (rust, _) = extracted(&format!("{own}\nfunction f($m) {{\n{client}{chain}\n$n = 1;\n{client}{chain}\n}}"));
        assert_eq!(rust.matches(&format!(": `{client}`, line ")).count(), 1, "{client}\n{rust}");
        assert!(!rust.contains("pub fn f_2("), "{rust}");
    }
}

/// A client that is read from an array, or that other code replaces, is a parameter.
#[test]
fn a_client_in_a_variable_is_a_parameter() {
    for (code, functions) in [
        ("$c = $this->clients[$m]; $c->chain('v3/a')->get();", 1),
        ("foreach ($list as $one) { $c = $this->clients[$one]; $c->chain('v3/a')->get(); }", 1),
        (
            "$a = $this->client->chain('v3/a'); $this->change(); $b = $this->client->chain('v3/b'); $a->get(); $b->get();",
            2,
        ),
    ] {
        let (rust, message) = extracted(&format!("function f($m, $list) {{\n{code}\n}}"));
        assert_eq!(message, "", "{rust}");
        assert_eq!(rust.matches(": &Client").count(), functions, "{code}\n{rust}");
        assert_eq!(rust.matches("pub fn f").count(), functions, "{code}\n{rust}");
    }
}

/// Parameters are listed in the order in which PHP evaluates them.
#[test]
fn a_property_after_a_method_that_may_change_it_is_a_parameter_of_its_own() {
    let (rust, message) = extracted(
        "function f() {\n$p = [$this->seq, $this->next(), $this->seq];\n\
         $this->client->chain('v3/a')->post(['json' => $p]);\n}",
    );
    assert_eq!(message, "", "{rust}");
    let parameters = "pub fn f(seq: &Value, next: &Value, seq_2: &Value, client: &Client) ->";
    assert!(joined(&rust).contains(parameters) && joined(&rust).contains("json!([seq, next, seq_2])"), "{rust}");
}

/// The method is called again with the property that it assigned, so the caller must assign it.
#[test]
fn an_assignment_to_a_property_is_left_to_the_caller() {
    for code in [
        "$this->seq++;",
        "$this->seq = $this->seq + 1;",
        "$this->seq = 5;",
        "global $next; $next = 5; $this->seq = $next;",
    ] {
        let (rust, message) = extracted(&format!(
            "function f() {{\n{code}\n$this->client->chain('v3/a')->post(['json' => [$this->seq]]);\n}}"
        ));
        assert_eq!(message, "", "{rust}");
        assert!(
            rust.contains("/// - `seq`: `$this->seq`, line 6") && rust.contains("json!({ \"json\": [seq] })"),
            "{code}\n{rust}"
        );
    }
}

/// The error of a call does not take the place of what the method assigned before it.
#[test]
fn what_is_assigned_before_an_error_is_left_to_the_caller() {
    let call = |json: &str| format!("$this->client->chain('v3/a')->post(['json' => [{json}]]);");
    let (one, seq, row) = (call("1"), call("$this->seq"), call("$row"));
    for (code, functions) in [
        (format!("foreach ($list as $row) {{ $this->seq++; {seq} }}"), 1),
        (format!("$this->a = {one} $this->b = {one}"), 2),
        (format!("try {{ foreach ($list as $row) {{ {row} $done[] = $row; }} }} catch (E $e) {{ save($done); }}"), 1),
        (format!("try {{ $a = {one} $b = {one} }} catch (E $e) {{ undo($a); }}"), 2),
    ] {
        let (rust, message) = extracted(&format!("function f($list) {{\n{code}\n}}"));
        assert_eq!(message, "", "{code}\n{rust}");
        assert!(!rust.contains("for row in") && rust.matches("pub fn f").count() == functions, "{code}\n{rust}");
    }
    let (rust, _) = extracted(&format!("function f($list) {{\nforeach ($list as $row) {{ {row} }}\n}}"));
    assert!(rust.contains("for row in"), "{rust}");
}

/// What `catch` or `finally` sends is what the variables have there.
#[test]
fn parameters_of_a_block_have_the_values_of_its_beginning() {
    let call = "$this->client->chain('v3/a')->post(['json' => [$this->host]]);";
    let (rust, _) = extracted(&format!(
        "function f() {{\n$this->host = 'a';\ntry {{\n$this->call();\n}} catch (\\Exception $e) {{\n\
         $this->host = 'b';\n}} finally {{\n{call}\n}}\n}}"
    ));
    assert!(rust.contains("/// - `host`: `$this->host`, line 11"), "{rust}");
}

/// The names of methods have no case.
#[test]
fn the_case_of_a_verb_does_not_matter() {
    for verb in ["POST", "Post", "postASYNC"] {
        let (rust, message) =
            extracted(&format!("function f() {{\n$chain = $this->client->chain('v3/a');\n$chain->{verb}();\n}}"));
        assert!(rust.contains("chain.post"), "{verb}\n{rust}{message}");
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
