//! PHP as it is found in public files. Each program compiles, and nothing of it is missing.

use crate::port::rustc::{Compiler, folder, port};

/// Ports a program of which nothing is left, and compiles it.
fn compiled(name: &str, php: &str) -> String {
    let output = port(&["-"], php.as_bytes());
    let rust = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{name}");
    compile(name, &rust);
    rust
}

fn compile(name: &str, rust: &str) {
    let folder = folder(&format!("public-{name}"));
    let source = folder.join("program.rs");
    std::fs::write(&source, format!("#![allow(warnings)]\n{rust}")).expect("written");
    Compiler::get().compile(&source, &["wechatpay_chain", "serde_json"]);
}

const ORDER: &str = r"
    protected $app;
    public function __construct(array $c)
    {
        $this->app = Builder::factory(['mchid' => $c['mchid'], 'serial' => $c['serial'],
            'privateKey' => Rsa::from($c['key']), 'certs' => [$c['id'] => Rsa::from($c['pub'], Rsa::KEY_TYPE_PUBLIC)]]);
    }
    public function order(array $data)
    {
        return (string) $this->app->chain('v3/pay/transactions/native')->post(['json' => $data])->getBody();
    }
";

/// The classes that extend it or use it are in other files.
#[test]
fn an_abstract_class_and_a_trait_without_users_are_carried_over() {
    for kind in ["abstract class", "trait"] {
        let php = format!("<?php\nuse WeChatPay\\Builder;\nuse WeChatPay\\Crypto\\Rsa;\n{kind} Base\n{{{ORDER}}}\n");
        let rust = compiled(&kind.replace(' ', "-"), &php);
        assert!(rust.contains("Client::builder()") && rust.contains("\"v3/pay/transactions/native\""), "{rust}");
    }
    // With a class that extends it, its methods are those of the class.
    let php = format!(
        "<?php\nuse WeChatPay\\Builder;\nuse WeChatPay\\Crypto\\Rsa;\nabstract class Base\n{{{ORDER}}}\nclass Own extends Base {{}}\n"
    );
    let rust = compiled("extended", &php);
    assert_eq!(rust.matches("fn order").count(), 1, "{rust}");
}

#[test]
fn an_empty_statement_after_a_return_is_ignored() {
    let rust = compiled("empty-statement", "<?php\nfunction two() {\n    return 2;;\n}\necho two();\n");
    assert!(rust.contains("Ok(2)\n}"), "{rust}");
}

#[test]
fn the_documentation_of_a_method_that_is_left_is_a_comment() {
    let php = "<?php\nclass A\n{\n    public function ok() { return 1; }\n\n    /**\n     * Prints\n     */\n    \
               private function prompt(...$messages): void { foreach ($messages as $m) { echo $m; } }\n}\n";
    let output = port(&["-"], php.as_bytes());
    let (rust, message) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(message.contains("standard input:9: "), "{message}");
    assert!(rust.contains("// Prints") && !rust.contains("/// Prints"), "{rust}");
    compile("documentation", &rust);
}

/// The response to closing an order has no body: PHP decodes it to null.
#[test]
fn an_empty_body_is_decoded_to_null() {
    let php = "<?php\nfunction close($client) {\n    \
               $resp = $client->chain('v3/pay/transactions/out-trade-no/{no}/close')->post(['no' => '1', 'json' => ['mchid' => '1']]);\n    \
               $data = json_decode($resp->getBody(), true);\n    return $data === null ? 'closed' : 'other';\n}\n";
    let rust = compiled("empty-body", php);
    assert!(rust.contains("php::json_decode(&resp.text())"), "{rust}");
    let strict = php.replace("getBody(), true)", "getBody(), true, 512, JSON_THROW_ON_ERROR)");
    assert!(compiled("strict-body", &strict).contains(".json::<Value>()?"));
}

#[test]
fn a_url_is_not_read_as_a_file() {
    let read = |path: &str| format!("<?php\nfunction read($id, $path) {{ return file_get_contents({path}); }}\n");
    let rust = compiled("unknown-path", &read("$path"));
    assert!(rust.contains("php::file_get_contents("), "{rust}");
    let output = port(&["-"], read("'https://api.weixin.qq.com/sns'").as_bytes());
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && message.contains("standard input:2: "), "{message}");
}

#[test]
fn exceptions_are_those_of_the_sdk() {
    let php = "<?php\nuse GuzzleHttp\\Exception\\RequestException;\nfunction query($client) {\n    try {\n        \
               return (string) $client->chain('v3/certificates')->get()->getBody();\n    } catch (\\UnexpectedValueException $e) {\n        \
               return 'value';\n    } catch (RequestException $e) {\n        return 'request';\n    } catch (\\Exception $e) {\n        \
               return 'other';\n    }\n}\n";
    let rust = compiled("exceptions", php);
    let before = |result: &str| rust.split(&format!("\"{result}\"")).next().expect("text").to_owned();
    assert!(!before("value").contains("Verification"), "{rust}");
    assert!(before("request").contains("Verification") && !before("request").contains("Fail"), "{rust}");
}

/// A Rust struct cannot contain itself, also not by way of another struct.
#[test]
fn an_object_that_contains_its_own_class_is_listed() {
    let php = "<?php\nclass Tree { public ?self $left = null; public int $v = 0; }\nclass A { public ?B $b = null; }\n\
               class B { public ?A $a = null; }\n$t = new Tree(); $b = new B();\n";
    let output = port(&["-"], php.as_bytes());
    let message = String::from_utf8_lossy(&output.stderr);
    for line in ["2: public ?self $left", "3: public ?B $b", "4: public ?A $a"] {
        assert!(message.contains(&format!("standard input:{line}")), "{message}");
    }
    compile("contains-itself", &String::from_utf8_lossy(&output.stdout));
}

/// PHP calls `offsetGet` for an element of an object of another file.
#[test]
fn an_element_of_an_object_is_a_stub() {
    let php = "<?php\nfunction pay(\\App\\Order $order) {\n    return ['mchid' => $order['wx_mchid'], 'name' => \"x{$order['name']}\"];\n}\n";
    let output = port(&["-"], php.as_bytes());
    let (rust, message) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(rust.contains("order.offset_get(\"wx_mchid\")?"), "{rust}");
    assert!(rust.contains("/// PHP: $order['wx_mchid'], for which PHP calls offsetGet(), line 3."), "{rust}");
    assert!(!message.contains("standard input:3: "), "{message}");
    compile("offset-get", &rust);
    let uses = [
        "isset($order['a'])",
        "isset($order['a']['b'])",
        "empty($order['a'])",
        "$order['a'] ?? 1",
        "($order['a']['b']) ?? 1",
        "$order['a'] ??= 1",
        "$order['a'] .= 'b'",
        "$order['a']['b'] = 1",
        "ksort($order['a'])",
        "change($order['a'])",
    ];
    for used in uses {
        let php = format!(
            "<?php\nfunction change(&$list) {{ $list = 1; }}\nfunction ask(\\App\\Order $order) {{ $order->id();\n{used};\n$x = {used};\nreturn $x; }}\n"
        );
        let output = port(&["-"], php.as_bytes());
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(
            message.contains("standard input:4: ") || message.contains("standard input:5: "),
            "{used}\n{message}\n{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}
