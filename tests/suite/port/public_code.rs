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
    let uses = ["$order['a']['b'] = 1", "ksort($order['a'])", "change($order['a'])"];
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

/// Ports a program that is listed in these lines only, and compiles it.
fn listed(name: &str, php: &str, lines: &[usize]) -> String {
    let output = port(&["-"], php.as_bytes());
    let (rust, message) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let own = message.lines().filter(|line| !line.contains("mod yours"));
    let found = own.filter_map(|line| line.strip_prefix("standard input:")?.split(':').next()?.parse().ok());
    assert_eq!(found.collect::<Vec<usize>>(), lines, "{name}\n{message}");
    compile(name, &rust);
    rust.into_owned()
}

/// The path tells a call of WeChat Pay from one of another library.
#[test]
fn a_static_property_of_another_file_with_a_client_is_carried_over() {
    let php = "<?php\nclass A\n{\n    public function pay()\n    {\n        \
               $one = Controller::$wx->request('GET', 'v3/certificates');\n        \
               $two = Controller::$app->getDriver()->request('GET', 'certificates');\n        \
               $three = Controller::$http->request('GET', 'https://example.com');\n        \
               return [$one->getStatusCode(), $two->getStatusCode(), $three->name()];\n    }\n}\n";
    let rust = listed("static-client", php, &[]);
    let client = |name: &str| rust.contains(&format!("pub fn {name}() -> Result<Client, BoxError>"));
    assert!(client("wx") && client("app") && !client("http"), "{rust}");
}

#[test]
fn stubs_do_not_hide_what_the_program_imports_or_defines() {
    let php = "<?php\nuse Symfony\\Component\\HttpFoundation\\Response;\nuse App\\Models\\Order as Model;\nclass Order { public $a = 1; }\nclass A\n{\n    \
               private $wx;\n    public function __construct(array $c) { $this->wx = \\WeChatPay\\Builder::factory($c); }\n    \
               public function pay($no): Response\n    {\n        \
               $client = new \\App\\Client($no); $value = new \\App\\Value(1); $result = \\Lib\\Result::find(2); \\Lib\\Option::get(3);\n        \
               \\Lib\\Box::put($value); \\Lib\\Vec::put($client); \\Lib\\Err::put(new \\Lib\\None()); \\Lib\\String::put($result);\n        \
               $order = new Order(); Model::find($no)->take($order);\n        \
               return new Response((string) $this->wx->chain('v3/certificates')->get()->getBody(), 200);\n    }\n    \
               public function log() { try { $this->wx->chain('v3/certificates')->get(); } catch (\\Exception $e) { \\Lib\\Error::log($e); } }\n}\n";
    let rust = listed("stub-names", php, &[]);
    for name in
        ["Response", "Client", "Value", "Result", "Option", "Box", "Vec", "Err", "None", "String", "Error", "Order"]
    {
        assert!(rust.contains(&format!("    pub struct {name}_;")), "{name}\n{rust}");
    }
}

/// An error, a promise and a closure have no clone.
#[test]
fn objects_with_a_field_that_has_no_clone_are_not_cloned() {
    let php = "<?php\nclass Kept\n{\n    private ?\\Throwable $last = null;\n    \
               public function __construct(\\Exception $e)\n    {\n        $this->last = $e;\n    }\n}\nclass Holder\n{\n    private Kept $kept;\n    \
               public function __construct(Kept $kept)\n    {\n        $this->kept = $kept;\n    }\n}\nclass Later\n{\n    \
               private \\GuzzleHttp\\Promise\\PromiseInterface $promise;\n    private $step;\n    public function __construct($client)\n    {\n        \
               $this->promise = $client->chain('v3/certificates')->getAsync();\n        $this->step = function ($a) { return $a; };\n    }\n    \
               public function end()\n    {\n        return $this->promise->wait();\n    }\n}\n";
    let rust = listed("no-clone", php, &[7, 15, 25, 29]);
    assert!(!rust.contains("#[derive(Clone)]"), "{rust}");
}

/// What replaces the `todo!` may return, so that the code after it must not be unreachable.
#[test]
fn code_after_an_exit_that_is_listed_returns_an_error() {
    for end in ["catch (\\Exception $e) { return 1; }", "finally { $x = 2; }"] {
        let php = format!(
            "<?php\nclass A\n{{\n    public function pay($client)\n    {{\n        try {{\n            \
             $client->chain('v3/certificates')->get();\n            exit('done');\n        }} {end}\n    }}\n}}\n"
        );
        let rust = listed(&format!("exit-{}", &end[..5]), &php, &[8]);
        assert!(!rust.contains("unreachable!") && rust.contains("the code that replaces todo!()"), "{rust}");
    }
}

#[test]
fn marks_in_comments_stay_as_they_are() {
    let php =
        "<?php\n// // $old = 1;\n/// three\n/** https://pay.weixin.qq.com//doc */\nfunction one() { return 1; }\n";
    let rust = compiled("comments", php);
    assert!(rust.contains("/// // $old = 1;\n/// three\n/// https://pay.weixin.qq.com//doc\nfn one"), "{rust}");
}

/// The SDK rejects a promise with the response where the `sign` of APIv2 is invalid.
#[test]
fn an_invalid_sign_of_apiv2_is_a_rejection() {
    let function = |path: &str, arms: &str| {
        format!(
            "<?php\nuse GuzzleHttp\\Exception\\{{ClientException, RequestException}};\nuse GuzzleHttp\\Promise\\RejectionException;\nfunction pay($client)\n{{\n    \
             try {{\n        return (string) $client->chain('{path}')->post(['xml' => ['a' => 1]])->getBody();\n    }} {arms}\n}}\n"
        )
    };
    let arms = "catch (RequestException $e) { return 'request'; } catch (RejectionException $e) { return 'rejected'; }";
    let rust = compiled("rejection", &function("v2/pay/orderquery", arms));
    let flat: String = rust.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("ErrorKind::Transport if !php::is_rejection(&e) =>"), "{rust}");
    assert!(flat.contains("ErrorKind::Fail | ErrorKind::Verification => {"), "{rust}");
    let arms = "catch (RejectionException | ClientException $e) { return 'rejected'; } catch (\\Exception $e) { return $e instanceof RequestException ? 'request' : 'other'; }";
    let rust = compiled("rejection-first", &function("v2/pay/orderquery", arms));
    let flat: String = rust.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("if php::is_rejection(&e) || e.kind() != ErrorKind::Verification =>"), "{rust}");
    assert!(flat.contains("ErrorKind::Transport if !php::is_rejection(&e))"), "{rust}");
    let arms = "catch (RequestException $e) { return 'request'; }";
    assert!(
        !compiled("no-rejection", &function("v3/a", arms).replace("use GuzzleHttp\\Promise\\RejectionException;", ""))
            .contains("is_rejection")
    );
}

/// `getContents` of Guzzle's streams reads the rest, and a cast reads all.
#[test]
fn a_body_that_may_have_been_read_is_listed() {
    let call = "$r = $this->wx->chain('v3/certificates')->get();";
    let read = "$r->getBody()->getContents()";
    let method = |body: &str| {
        format!(
            "<?php\nclass A\n{{\n    private $wx; private $last;\n    \
             public function __construct(array $c) {{ $this->wx = \\WeChatPay\\Builder::factory($c); }}\n    \
             public function run($x)\n    {{\n{body}\n        return 1;\n    }}\n    \
             public function show(\\Psr\\Http\\Message\\ResponseInterface $r) {{ return $r->getBody()->getContents(); }}\n}}\n"
        )
    };
    for (number, body) in [
        format!("{call} return {read};"),
        format!("{call} if ($x) {{ return {read}; }} else {{ echo {read}; }}"),
        format!("{call} if ($x) {{ return {read}; }} echo {read};"),
        format!("{call} echo {read}; return (string) $r->getBody();"),
        format!("foreach ([1, 2] as $i) {{ {call} echo {read}; }}"),
        format!("{call} echo $r->getBody(); $r->getBody()->rewind(); return {read};"),
        format!("{call} echo $r->getBody()->getSize(); return {read};"),
        format!("{call} return $this->show($r);"),
        "return $this->wx->chain('v3/a')->getAsync()->then(function ($r) { return $r->getBody()->getContents(); })->wait();".to_owned(),
        "$this->last = $this->wx->chain('v3/a')->get(); return $this->last->getBody()->getContents();".to_owned(),
        "try { $this->wx->chain('v3/a')->get(); } catch (\\GuzzleHttp\\Exception\\RequestException $e) {\n if ($e->hasResponse()) { return $e->getResponse()->getBody()->getContents(); } }".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        listed(&format!("body-{number}"), &method(body), &[]);
    }
    for body in [
        format!("{call} echo {read};\n return {read};"),
        format!("{call} echo $r->getBody();\n return {read};"),
        format!("{call} $data = json_decode($r->getBody(), true);\n return {read};"),
        format!("{call} if ($x) {{ echo $r->getBody(); }}\n return {read};"),
        format!("{call} foreach ([1, 2] as $i) {{\n echo {read}; }}"),
        format!("{call} $s = $r; echo $s->getBody();\n return {read};"),
        format!("{call} echo $this->show($r);\n return {read};"),
        format!("{call} echo {read};\n return $this->show($r);"),
        "try { $this->wx->chain('v3/a')->get(); } catch (\\GuzzleHttp\\Exception\\RequestException $e) { $r = $e->getResponse(); echo $r->getBody();\n return $e->getResponse()->getBody()->getContents(); }".to_owned(),
        "if ($x) { $this->last = $this->wx->chain('v3/a')->get(); }\nreturn $this->last->getBody()->getContents();".to_owned(),
    ] {
        let output = port(&["-"], method(&body).as_bytes());
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains("standard input:9: ") && message.contains("cast the body with (string)"), "{body}\n{message}");
    }
}

/// In PHP, a function of `then` does not run after one that threw.
#[test]
fn a_step_does_not_run_after_a_step_that_failed() {
    let php = "<?php\nfunction name($client) {\n    return $client->chain('v3/a')->getAsync()\n        \
               ->then(function ($r) { return json_decode($r->getBody(), true, 512, JSON_THROW_ON_ERROR); })\n        \
               ->then(function () { return 'done'; })\n        ->then(function ($text) { return $text . '!'; })->wait();\n}\n";
    let rust = compiled("steps", php);
    assert!(rust.contains("result?;") && rust.contains("let text = text?;") && rust.contains(".wait()??"), "{rust}");
}

/// The functions of two uses capture other variables. A parameter for both would need `'static`.
#[test]
fn a_stub_that_gets_functions_and_other_values_is_listed() {
    let php = "<?php\nclass A\n{\n    private $user = [];\n    public function find($id)\n    {\n        \
               $one = db('a')->where(function ($query) use ($id) { $query->where('id', $id)->whereOr('id', 0); })->find();\n        \
               $two = db('a')->where(function ($query) { $query->where('id', $this->user['id'])->whereOr('id', 0); })->find();\n        \
               $three = db('a')->where($id)->find();\n        return [$one, $two, $three];\n    }\n}\n";
    listed("mixed-functions", php, &[7, 8]);
}

/// A statement that is listed because of its order still declares its variable.
#[test]
fn a_variable_of_a_statement_that_is_listed_is_declared() {
    let php = "<?php\nclass A\n{\n    public function pay($client)\n    {\n        $n = 1;\n        \
               $wx = (new Service)->instance($n++, $n++);\n        return $wx->chain('v3/a')->get()->getStatusCode();\n    }\n}\n";
    let output = port(&["-"], php.as_bytes());
    compile("declared", &String::from_utf8_lossy(&output.stdout));
    let php = "<?php\nclass A\n{\n    public function pay($data)\n    {\n        $wx = (new Service)->getInstance();\n        \
               return $wx->chain('v3/a')->post(['json' => $data])->getStatusCode();\n    }\n}\n";
    let output = port(&["-"], php.as_bytes());
    compile("created-client", &String::from_utf8_lossy(&output.stdout));
}
