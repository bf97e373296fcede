//! Tests for null in PHP stay tests: of objects from other files, and of clients that may be null.

use std::path::Path;
use std::process::Command;

use crate::port::corpus::php;
use crate::port::rustc::{Compiler, folder, port, ported};

/// The stubs of a program with bodies: an option is an object if the number that the stub takes is
/// not 0, every other object exists, and a value is the number of the order.
fn completed(rust: &str) -> String {
    let mut returned = "";
    let mut out = String::new();
    for line in rust.lines() {
        let line = match line.split_once(" -> Result<") {
            Some((_, rest)) => {
                returned = rest.trim_end_matches(", BoxError> {");
                line.to_owned()
            }
            None if line.trim_start().starts_with("todo!(") => {
                let object = |name: &str| name.trim_start_matches("yours::").to_owned();
                match returned.strip_prefix("Option<").and_then(|inner| inner.strip_suffix('>')) {
                    Some(inner) => format!("Ok(php::truth(&json!(a)).then_some({}))", object(inner)),
                    None if returned == "Value" => "Ok(json!(\"A1\"))".to_owned(),
                    None => format!("Ok({})", object(returned)),
                }
            }
            None => line.to_owned(),
        };
        out.push_str(&format!("{line}\n"));
    }
    out
}

#[test]
fn tests_of_objects_from_other_files_print_the_same() {
    let source = include_str!("../../port/nulls/orders.php");
    let output = port(&["-"], source.as_bytes());
    let (rust, message) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let stubs = message.lines().filter(|line| line.contains("complete it in mod yours")).count();
    // The last line of the message is the sum.
    assert_eq!(message.lines().count(), stubs + 1, "{message}");
    let folder = folder("nulls");
    let path = folder.join("orders.rs");
    std::fs::write(&path, completed(&rust)).expect("written");
    let program = Compiler::get().compile(&path, &["wechatpay_chain", "serde_json"]);
    let output = Command::new(program).output().expect("ran");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}{}\n{rust}", String::from_utf8_lossy(&output.stderr));
    std::fs::create_dir_all(folder.join("vendor")).expect("folder");
    std::fs::write(folder.join("vendor/autoload.php"), include_str!("../../port/nulls/order.php")).expect("written");
    std::fs::write(folder.join("orders.php"), source).expect("written");
    if let Some(expected) = php(&folder, &["orders.php"]) {
        assert_eq!(printed, String::from_utf8_lossy(&expected.stdout), "{rust}");
    }
}

/// Forms of tests whose object has another type on one of its ways, so that they are not carried
/// over: each one is listed, and none is a constant.
#[test]
fn other_tests_are_listed() {
    for body in [
        "$order = Order::find($id);\n    if ($order === false) {\n        return 0;\n    }\n    return $order->no();",
        "$order = Order::find($id);\n    if ($order == false) {\n        return 0;\n    }\n    return $order->no();",
        "$order = Order::find($id);\n    if ($order instanceof Order) {\n        return 0;\n    }\n    return $order->no();",
        "$order = Order::find($id);\n    $no = $order?->item()->no();\n    return $order->no();",
        "$order = Order::find($id) ?? 'none';\n    return $order->no();",
    ] {
        let source = format!("<?php\nfunction f($id)\n{{\n    {body}\n}}\n");
        let output = port(&["-"], source.as_bytes());
        let (rust, message) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let own = message.lines().filter(|line| !line.contains("mod yours") && !line.starts_with("wxpay"));
        assert!(own.count() > 0, "{source}\n{rust}\n{message}");
        assert!(!rust.contains("if true") && !rust.contains("if false"), "{rust}");
    }
}

/// `getResponse()` of an error without a response is null: `?->` reads null, and `->` fails. No
/// status 0 and no empty body stands for it.
#[test]
fn the_missing_response_of_an_error_is_null() {
    let rust = ported(
        "<?php
use GuzzleHttp\\Exception\\RequestException;
use WeChatPay\\Builder;
function query(array $config, string $id) {
    try {
        return Builder::factory($config)->chain('v3/pay/transactions/id/{id}')->get(['id' => $id])->getStatusCode();
    } catch (RequestException $e) {
        $code = $e->getResponse()?->getStatusCode() ?? 500;
        if ($code === 500) {
            return $code;
        }
        $given = $e->hasResponse() ? $e->getResponse() : null;
        if ($given === null) {
            return 'none';
        }
        $response = $e->getResponse();
        return json_decode((string) $response->getBody(), true)['code'] . $e->getResponse()->getStatusCode();
    }
}
function later(array $config) {
    return Builder::factory($config)->chain('v3/certificates')->getAsync()
        ->then(function ($response) { return $response->getStatusCode(); })
        ->otherwise(function ($e) { return $e->getResponse()->getStatusCode(); })
        ->wait();
}
",
    );
    let flat = rust.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(!flat.contains("unwrap_or_default"), "{rust}");
    assert!(flat.contains("None => Value::Null"), "{rust}");
    assert_eq!(flat.matches("$e->getResponse() is null").count(), 2, "{rust}");
    assert!(flat.contains("$response is null"), "{rust}");
    let folder = folder("null-response");
    let path = folder.join("response.rs");
    std::fs::write(&path, rust).expect("written");
    Compiler::get().compile(&path, &["wechatpay_chain", "serde_json"]);
}

/// Properties that a framework fills, and `env()`, which each framework defines differently.
#[test]
fn what_a_framework_provides_is_listed() {
    for (php, line) in [
        ("class C\n{\n    #[Inject]\n    protected Service $service;\n}", 4),
        (
            "class C\n{\n    #[Foo, Required]\n    public function set(Service $service) { $this->service = $service; }\n    private $service;\n}",
            4,
        ),
        ("class C\n{\n    /**\n     * @Inject\n     */\n    protected Service $service;\n}", 4),
        ("function f() { return env('A') ?? 'none'; }", 2),
    ] {
        let output = port(&["-"], format!("<?php\n{php}\n").as_bytes());
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains(&format!("standard input:{line}: ")), "{php}\n{message}");
    }
}

/// A property that begins with false: a test of truth has the same result with `None`, a test for
/// null has not.
#[test]
fn a_client_that_begins_with_false_is_carried_over() {
    let class = |body: &str| {
        format!(
            "<?php\nuse WeChatPay\\Builder;\nclass Pay\n{{\n    public static $client = false;\n    \
             public function order(array $config)\n    {{\n        {body}\n        \
             return self::$client->v3->certificates->get()->getStatusCode();\n    }}\n}}\n"
        )
    };
    let rust =
        ported(&class("if (!self::$client) {\n            self::$client = Builder::factory($config);\n        }"));
    let folder = folder("null-false");
    let path = folder.join("client.rs");
    std::fs::write(&path, rust).expect("written");
    Compiler::get().compile(&path, &["wechatpay_chain", "serde_json"]);
    for test in ["self::$client === null", "is_null(self::$client)", "isset(self::$client)"] {
        let body = format!("if ({test}) {{\n            self::$client = Builder::factory($config);\n        }}");
        let output = port(&["-"], class(&body).as_bytes());
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains("standard input:8: "), "{message}");
    }
}

/// Classes whose client may be null, and how it is read.
const CLIENTS: [(&str, &str); 5] = [
    (
        "private $client;\n    public function init(array $config) { $this->client = Builder::factory($config); }",
        "$this->client",
    ),
    (
        "private static $client = null;\n    public function __construct(array $config) { self::$client = Builder::factory($config); }",
        "self::$client",
    ),
    (
        "private $client;\n    private $config;\n    public function __construct(array $config) { $this->config = $config; $this->prepare(); $this->client = Builder::factory($config); }\n    private function prepare() { $this->config['mchid'] = '1900000109'; }",
        "$this->client",
    ),
    (
        "public static function init(array $config): ?BuilderChainable { return Builder::factory($config); }",
        "self::init([])",
    ),
    (
        "private $client;\n    private $mchid;\n    public function __construct($mchid) { $this->mchid = $mchid; $this->client = $this->made(); }\n    private function made() { return Builder::factory(['mchid' => $this->mchid]); }",
        "$this->client",
    ),
];

#[test]
fn requests_of_a_client_that_may_be_null_are_carried_over() {
    let folder = folder("null-clients");
    for (number, (members, read)) in CLIENTS.iter().enumerate() {
        let source = format!(
            "<?php\nuse WeChatPay\\Builder;\nuse WeChatPay\\BuilderChainable;\nclass Pay\n{{\n    {members}\n    \
             public function chain(array $data) {{ return {read}->chain('v3/pay/transactions/native')->post(['json' => $data])->getStatusCode(); }}\n    \
             public function names(array $data) {{ return {read}->v3->pay->transactions->native->postAsync(['json' => $data])->wait(); }}\n    \
             public function driver(array $data) {{ return {read}->getDriver()->request('POST', 'v3/certificates', ['json' => $data])->getStatusCode(); }}\n}}\n"
        );
        let rust = ported(&source);
        assert_eq!(rust.matches(" is null\"").count() + rust.matches(" has no value\"").count(), 3, "{rust}");
        let path: &Path = &folder.join(format!("client{number}.rs"));
        std::fs::write(path, rust).expect("written");
        Compiler::get().compile(path, &["wechatpay_chain", "serde_json"]);
    }
}

/// A variable that gets a value which is not converted may be null after it.
#[test]
fn a_test_of_a_variable_with_an_unknown_value_is_listed() {
    let assigned = "$model = strtr($model, 'a', 'b', 'c');";
    for test in
        ["if ($model) {", "if (!$model) {", "if (empty($model)) {", "while ($model !== null) {", "if ($x && $model) {"]
    {
        let php = |before: &str, inside: &str| {
            format!("<?php\nfunction f(\\DateTimeZone $model, $x) {{\n{before}\n{test}\n echo 1;\n{inside}\n}}\n}}\n")
        };
        for php in [php(assigned, ""), php("", assigned)] {
            let output = port(&["-"], php.as_bytes());
            let message = String::from_utf8_lossy(&output.stderr);
            assert!(message.contains("the variable gets a value that is not converted"), "{php}{message}");
            let rust = String::from_utf8_lossy(&output.stdout);
            assert!(!["if true", "if false", "while true"].iter().any(|test| rust.contains(test)), "{rust}");
        }
    }
}
