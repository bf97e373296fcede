//! Unsupported and invalid PHP, and the format of the output.

use std::process::{Command, Stdio};

use crate::port::rustc::{Compiler, folder, port, ported};

/// The exit code if something is not supported.
const UNSUPPORTED: i32 = 1;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// PHP with unsupported code on the lines 4, 6 and 9.
const PARTLY_SUPPORTED: &str = r"<?php
use WeChatPay\Builder;
$instance = Builder::factory(['mchid' => '1900000109']);
$stack = $instance->getDriver()->select()->getConfig('handler');
$resp = $instance->chain('v3/certificates')->get();
$window = shell_exec('xdotool getactivewindow');
echo $resp->getStatusCode(), PHP_EOL;
if ($resp->getStatusCode() === 200) {
    $GLOBALS['order'] = new \App\Models\Order($resp);
}
";

#[test]
fn unsupported_code_is_listed_and_becomes_comment_and_todo() {
    let output = port(&["-"], PARTLY_SUPPORTED.as_bytes());
    let (rust, message) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(UNSUPPORTED), "{message}{rust}");
    for (line, php) in [
        (4, "$instance->getDriver()->select()->getConfig('handler')"),
        (6, "shell_exec('xdotool getactivewindow')"),
        (9, "new \\App\\Models\\Order($resp)"),
    ] {
        assert!(
            message.lines().any(|message| message.contains(&format!(":{line}: "))),
            "line {line} is not listed: {message}"
        );
        assert!(rust.lines().any(|rust| rust.trim_start().starts_with("//") && rust.contains(php)), "{php}: {rust}");
        assert!(rust.contains(&format!("todo!(\"line {line}: ")), "{rust}");
    }
    // The rest is ported, and the output compiles.
    assert!(rust.contains("chain(\"v3/certificates\")") && rust.contains("status()"), "{rust}");
    let folder = folder("left");
    let source = folder.join("left.rs");
    std::fs::write(&source, &rust).expect("written");
    Compiler::get().compile(&source, &["wechatpay_chain", "serde_json"]);
}

#[test]
fn check_prints_only_the_list() {
    let checked = port(&["--check", "-"], PARTLY_SUPPORTED.as_bytes());
    let written = port(&["-"], PARTLY_SUPPORTED.as_bytes());
    // The same list, on standard output.
    assert_eq!(text(&checked.stdout).lines().count(), 4, "{checked:?}");
    let both = text(&checked.stdout) + &text(&checked.stderr);
    assert_eq!((both, checked.status.code()), (text(&written.stderr), Some(UNSUPPORTED)));
    assert!(!text(&checked.stdout).contains("fn main"), "{checked:?}");
    let clean = port(&["--check", "-"], b"<?php\necho 'a', PHP_EOL;\n");
    assert_eq!((text(&clean.stdout), clean.status.code()), (String::new(), Some(0)));
}

#[test]
fn the_list_names_the_file() {
    let folder = folder("named");
    let path = folder.join("notify.php");
    std::fs::write(&path, PARTLY_SUPPORTED).expect("written");
    let path = path.to_str().expect("path");
    let output = port(&[path], b"");
    assert!(text(&output.stderr).lines().any(|line| line.starts_with(&format!("{path}:4: "))), "{output:?}");
    assert_eq!(output.stdout, port(&["-"], PARTLY_SUPPORTED.as_bytes()).stdout);

    let absent = port(&["/nowhere/at/all.php"], b"");
    assert!(text(&absent.stderr).contains("/nowhere/at/all.php"), "{absent:?}");
    assert!(!absent.status.success() && absent.stdout.is_empty());
}

#[test]
fn invalid_php_is_an_error_with_its_line() {
    for (php, line) in [
        ("<?php\n$a = 1;\n$b = [1, 2;\n", 3),
        ("<?php\nfunction f( {\n}\n", 2),
        ("<?php\necho 'a'\necho 'b';\n", 3),
        ("<?php\n$a->v3->->post();\n", 2),
        ("<?php\n\nif (true) {\n  echo 1;\n", 4),
    ] {
        let output = port(&["-"], php.as_bytes());
        let message = text(&output.stderr);
        assert!(!output.status.success() && output.stdout.is_empty(), "{php}: {output:?}");
        // The line may be off by one.
        let near = (line - 1..=line + 1)
            .any(|line| message.contains(&format!(":{line}:")) || message.contains(&format!("line {line}")));
        assert!(near, "{php}: {message}");
    }
}

#[test]
fn the_name_of_a_parameter_does_not_make_it_a_key() {
    let php = br"<?php
use WeChatPay\Crypto\Rsa;
class Pay {
    private $key;
    public function __construct($mch_private_key) {
        $this->key = Rsa::from('file://' . $mch_private_key);
    }
    public function sign($text) { return Rsa::sign($text, $this->key); }
}
function file_of($publicKey) { return 'file://' . $publicKey; }
function sign($text, $privateKey) { return Rsa::sign($text, $privateKey); }
echo file_of('/etc/pub.pem'), PHP_EOL;
";
    let output = port(&["-"], php);
    let rust = text(&output.stdout);
    assert!(!rust.contains("{:?}"), "{rust}");
    assert!(rust.contains("mch_private_key: &Value") && rust.contains("public_key: &Value"), "{rust}");
    // It is a key if each use needs one.
    assert!(rust.contains("private_key: &PrivateKey"), "{rust}");
}

#[test]
fn the_text_of_a_key_is_listed() {
    let php = br"<?php
use WeChatPay\Crypto\Rsa;
$key = Rsa::from('file:///etc/key.pem');
echo 'key ' . $key, PHP_EOL;
";
    let output = port(&["-"], php);
    assert_eq!(output.status.code(), Some(UNSUPPORTED), "{output:?}");
    assert!(text(&output.stderr).contains(":4: "), "{output:?}");
    assert!(!text(&output.stdout).contains("{:?}"), "{output:?}");
}

/// Ports PHP with something unsupported, and compiles the output.
fn compiled(name: &str, php: &str) -> (String, String) {
    let output = port(&["-"], php.as_bytes());
    let (rust, message) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(UNSUPPORTED), "{message}{rust}");
    let folder = folder(name);
    let source = folder.join("left.rs");
    std::fs::write(&source, &rust).expect("written");
    Compiler::get().compile(&source, &["wechatpay_chain", "serde_json"]);
    (rust, message)
}

/// In a namespace, PHP looks for `Exception` there: the clause never matches, and `new` fails.
#[test]
fn a_class_of_exceptions_without_use_in_a_namespace_is_listed() {
    let php = |uses: &str| {
        format!(
            "<?php\nnamespace app;\n{uses}\nfunction f($id) {{\n    try {{\n        if (!$id) {{\n            \
             throw new Exception('none');\n        }}\n        return 1;\n    }} catch (Exception $e) {{\n        \
             return 2;\n    }}\n}}\n"
        )
    };
    let (_, message) = compiled("unimported", &php(""));
    assert!(message.contains(":7: Exception") && message.contains(":10: Exception"), "{message}");
    ported(&php("use Exception;"));
    ported(&php("").replace("Exception(", "\\Exception(").replace("(Exception", "(\\Exception"));
}

/// Null given to a parameter that the SDK declares as text is an error in PHP. A notification
/// without `associated_data` is not decrypted with an empty text instead.
#[test]
fn null_is_not_text_for_the_sdk() {
    let rust = ported(
        r"<?php
use WeChatPay\Crypto\AesGcm;
use WeChatPay\Crypto\Rsa;
function open(string $body, string $key) {
    $resource = json_decode($body, true)['resource'];
    return AesGcm::decrypt($resource['ciphertext'], $key, $resource['nonce'], $resource['associated_data']);
}
function check(string $body, string $key) {
    return Rsa::verify($body, json_decode($body, true)['signature'], Rsa::from($key, Rsa::KEY_TYPE_PUBLIC));
}
",
    );
    assert_eq!(rust.matches("php::text_argument(").count(), 4, "{rust}");
    assert!(!rust.contains("php::text(&"), "{rust}");
}

#[test]
fn a_log_in_a_file_is_listed() {
    let output = port(&["-"], b"<?php\nerror_log('a');\nerror_log('b', 3, '/var/log/pay.log');\n");
    let message = text(&output.stderr);
    assert!(message.contains(":3: error_log") && !message.contains(":2: "), "{message}");
}

/// Reading a typed property before it is assigned is an error in PHP. No 0 and no empty text stands
/// for its value.
#[test]
fn a_typed_property_without_a_value_is_listed() {
    let (_, message) = compiled(
        "typed-properties",
        r"<?php
class Refund {
    private int $fen;
    private array $goods;
    private ?string $reason;
    private string $no = '1';
    private string $tested;
    public function set(int $fen) { $this->fen = $fen; $this->goods = [$fen]; $this->reason = 'x'; $this->tested = 'x'; }
    public function body() { return [$this->fen, $this->goods, $this->reason, $this->no, $this->tested ?? 'none']; }
}
",
    );
    for line in [3, 4, 5] {
        assert!(message.contains(&format!(":{line}: private")), "{message}");
    }
    assert!(!message.contains(":6: ") && !message.contains(":7: "), "{message}");
}

#[test]
fn a_listed_assignment_declares_its_variable() {
    let (rust, message) = compiled(
        "declared",
        r"<?php
use WeChatPay\Builder;
class Service {
    public static function getInstance() { return Builder::factory(['mchid' => '1']); }
}
class Trade {
    public function pay() {
        $instance = (new Service)->getInstance();
        return $instance->chain('v3/certificates')->get()->getStatusCode();
    }
}
",
    );
    assert!(message.contains(":8: ") && rust.contains("instance: Client = todo!("), "{message}{rust}");
}

#[test]
fn an_output_of_a_listed_call_is_null_before_the_call() {
    let (rust, message) = compiled(
        "outputs",
        r"<?php
function fetch($list) {
    if (empty($list)) {
        exec('ls', $output, $code);
        if ($code !== 0) { echo 'bad'; }
    }
    echo 'fine';
}
",
    );
    let before = rust.split("if !php::truth(list)").next().unwrap_or_default();
    assert!(before.contains("let mut code = Value::Null;") && !before.contains("todo!(\""), "{rust}");
    assert!(message.contains(":4: ") && rust.contains("todo!(\"line 4: exec("), "{message}{rust}");
}

#[test]
fn what_an_exception_loses_is_listed() {
    let (rust, message) = compiled(
        "lost",
        r"<?php
class Shop {
    public function find($id) {
        try {
            $this->check($id);
        } catch (\Exception $e) {
            throw new \Exception($e);
        }
        throw new \Exception('no order', -1);
    }
    private function check($id) { throw new \Exception('no ' . $id); }
}
",
    );
    assert!(message.contains(":7: ") && message.contains(":9: ") && !message.contains(":11: "), "{message}");
    assert!(rust.contains("Err(\"no order\".into())"), "{rust}");
}

#[test]
fn camel_case_in_a_path_becomes_kebab_case() {
    let rust = ported(
        r"<?php
use WeChatPay\BuilderChainable;
function call(BuilderChainable $instance): void
{
    $instance->chain('v3/merchantService/complaintsV2/{complaint_id}')->get(['complaint_id' => '1']);
    $instance['v3/marketing/membercardOpen']->get();
    $instance->v3->merchantService->complaintsV2->get();
}
",
    );
    assert!(rust.contains(r#"chain("v3/merchant-service/complaints-v2/{complaint_id}")"#), "{rust}");
    assert!(rust.contains(r#"["v3/marketing/membercard-open"]"#), "{rust}");
    assert!(
        rust.contains("merchantService->complaintsV2") || rust.contains("merchantService -> complaintsV2"),
        "{rust}"
    );
}

#[test]
fn unsupported_functions_and_syntax_are_listed() {
    for php in [
        "echo crc32('a');",
        "echo date('Y-m-d');",
        "eval('echo 1;');",
        "goto end; end: echo 1;",
        "$f = 'strlen'; echo $f('a');",
        "$name = 'x'; $$name = 1;",
        "echo new class { function __toString() { return 'a'; } };",
        "$a = [1]; foreach ($a as &$one) { $one = 2; }",
        "include $_GET['page'];",
        "echo `ls`;",
        "global $x;",
        "function g() { yield 1; } foreach (g() as $x) { echo $x; }",
        "echo <<<A\n{$a->b()->c}\nA;",
        "$promises = [$p]; \\GuzzleHttp\\Promise\\Utils::settle($promises)->wait();",
        "exit(3);",
        "exec('rm -rf /', $out, $code);",
        "$a = 1; $b = &$a; $b = 2; echo $a;",
        "static $n = 0; $n++; echo $n;",
        "echo preg_replace('/a/', 'b', 'a');",
        "header('Location: /');",
        "http_response_code(500);",
        "echo $_POST['a'];",
    ] {
        let output = port(&["--check", "-"], format!("<?php\n{php}\n").as_bytes());
        let message = text(&output.stdout);
        // `exit` may be supported.
        let is_supported = output.status.success() && php.starts_with("exit");
        assert!(
            is_supported || message.lines().any(|line| line.contains(":2: ") || line.contains(":3: ")),
            "{php}: {message}"
        );
        assert!(is_supported || output.status.code() == Some(UNSUPPORTED), "{php}: {output:?}");
    }
}

/// A path that contains a value is an error in the library, and reported when it is ported.
#[test]
fn an_invalid_path_is_listed() {
    let php = "<?php\n$instance = \\WeChatPay\\Builder::factory(['mchid' => '1']);\n\
               $instance->chain('v3/pay/transactions/id/42AbC00')->get();\n";
    let output = port(&["-"], php.as_bytes());
    assert_eq!(output.status.code(), Some(UNSUPPORTED), "{output:?}");
    assert!(text(&output.stderr).contains(":3: ") && text(&output.stderr).contains("42AbC00"), "{output:?}");
}

#[test]
fn comments_are_kept() {
    let rust = ported(
        r"<?php
// comment-1 at the top
use WeChatPay\BuilderChainable; // comment-2 behind a use

/**
 * comment-3 of a function
 */
function call(BuilderChainable $instance): void
{
    # comment-4 with a hash
    $options = [ // comment-5 behind a bracket
        // comment-6 above an element
        'json' => [
            'a' => 1, // comment-7 behind an element
            /* comment-8 in front of a key */ 'b' => 2,
            // comment-9 at the end of an array
        ],
    ]; // comment-10 behind a statement

    // comment-11 above a statement
    $instance
        ->chain('v3/pay') // comment-12 within a chain
        // comment-13 on a line of a chain
        ->post($options);
    if (true) {
        // comment-14 alone in a block
    } else { // comment-15 behind else
        echo 'b'; /* comment-16 of
                     two lines */
    }
    // comment-17 at the end of a function
}

try {
    echo 'a';
} catch (\Exception $e) {
    // comment-18 in a catch
}
echo 'c', /* comment-19 within */ 'd';
// comment-20 at the end
",
    );
    let missing: Vec<_> = (1..=20).filter(|number| !rust.contains(&format!("comment-{number} "))).collect();
    assert!(missing.is_empty(), "comments {missing:?} are missing in\n{rust}");
    let twice: Vec<_> = (1..=20).filter(|number| rust.matches(&format!("comment-{number} ")).count() > 1).collect();
    assert!(twice.is_empty(), "comments {twice:?} appear twice in\n{rust}");
}

#[test]
fn the_output_is_formatted_like_rustfmt() {
    if Command::new("rustfmt").arg("--version").stdout(Stdio::null()).status().is_err() {
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "SKIPPED: no rustfmt");
        return;
    }
    let folder = folder("rustfmt");
    // Without the settings of this project.
    std::fs::write(folder.join("rustfmt.toml"), "").expect("written");
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/port")).expect("folder") {
        let path = entry.expect("entry").path();
        if path.extension().is_none_or(|extension| extension != "php") || path.ends_with("sdk.php") {
            continue;
        }
        let rust = ported(&std::fs::read_to_string(&path).expect("PHP"));
        let source = folder.join(path.file_name().expect("name")).with_extension("rs");
        std::fs::write(&source, rust).expect("written");
        let mut rustfmt = Command::new("rustfmt");
        rustfmt.args(["--check", "--edition", "2024"]).arg(&source);
        let output = rustfmt.output().expect("rustfmt");
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    }
}

/// Asserts that the command ended without a panic, and returns its exit code.
fn assert_ends(name: &str, input: &[u8]) -> Option<i32> {
    let output = port(&["-"], input);
    let code = output.status.code();
    assert!(
        code.is_some() && code != Some(101),
        "{name}: {:?} {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    if code != Some(0) {
        assert!(!output.stderr.is_empty(), "{name}: no message");
    }
    code
}

#[test]
fn hostile_input_does_not_crash() {
    let many = 20_000;
    let nested = |open: &str, inner: &str, close: &str| {
        format!("<?php\n$a = {}{inner}{};\n", open.repeat(many), close.repeat(many)).into_bytes()
    };
    for (name, input) in [
        ("arrays", nested("[", "1", "]")),
        ("parentheses", nested("(", "1", ")")),
        ("negations", nested("!", "1", "")),
        ("casts", nested("(int)", "1", "")),
        ("keys", nested("['a' => ", "1", "]")),
        ("calls", nested("f(", "1", ")")),
        ("closures", nested("function () { return ", "1", "; }")),
        ("arrows", nested("fn () => ", "1", "")),
        ("ternaries", nested("true ? ", "1", " : 2")),
        ("open alone", "<?php\n$a = ".to_owned().into_bytes().into_iter().chain("[".repeat(many).bytes()).collect()),
        ("blocks", format!("<?php\n{}{}", "if (true) {".repeat(many), "}".repeat(many)).into_bytes()),
        ("bare blocks", format!("<?php\n{}{}", "{".repeat(many), "}".repeat(many)).into_bytes()),
        ("a chain", format!("<?php\n$instance{};\n", "->a".repeat(many)).into_bytes()),
        ("indexes", format!("<?php\n$a{};\n", "['a']".repeat(many)).into_bytes()),
        ("concatenations", format!("<?php\n$a = 'a'{};\n", " . 'a'".repeat(many)).into_bytes()),
        ("sums", format!("<?php\n$a = 1{};\n", " + 1".repeat(many)).into_bytes()),
        ("assignments", format!("<?php\n{}1;\n", "$a = ".repeat(many)).into_bytes()),
        ("else if", format!("<?php\nif (1) {{}}{}\n", " else if (1) {}".repeat(many)).into_bytes()),
        ("interpolations", format!("<?php\n$a = \"{}\";\n", "{$a['b']}".repeat(many)).into_bytes()),
    ] {
        assert_ends(name, &input);
    }
    let invalid = b"<?php\necho '\xff\xfe';\n";
    assert_ne!(assert_ends("invalid UTF-8", invalid), Some(0));
    assert_ends("ten megabytes of a comment", format!("<?php\n/*{}*/\n", "x".repeat(10 << 20)).as_bytes());
    assert_ends("ten megabytes of a text", format!("<?php\n$a = '{}';\n", "x".repeat(10 << 20)).as_bytes());
    assert_ends("ten megabytes of statements", format!("<?php\n{}", "$a = 1;\n".repeat((10 << 20) / 8)).as_bytes());
    assert_ends("ten megabytes of brackets", "[".repeat(10 << 20).as_bytes());
    for (name, input) in [
        ("nothing", ""),
        ("a page", "<html></html>\n"),
        ("a page and PHP", "<html><?php echo 1; ?></html>\n"),
        ("a tag alone", "<?php"),
        ("a short tag", "<?= $a ?>"),
        ("NUL", "<?php\n\0\n"),
        ("a byte order mark", "\u{feff}<?php\necho 1;\n"),
        ("CR LF", "<?php\r\n// a\r\necho 'a';\r\n"),
        ("an unfinished comment", "<?php\n/* a"),
        ("an unfinished heredoc", "<?php\n$a = <<<EOT\n  a\n"),
        ("an unfinished text", "<?php\n$a = 'a"),
        ("a large number", "<?php\n$a = 99999999999999999999999;\n$b = 1e999;\n$c = 0x7fffffffffffffffff;\n"),
        ("a Rust keyword", "<?php\n$match = 1;\n$type = $match;\necho $type;\nfunction impl() {}\nimpl();\n"),
        ("no name of Rust", "<?php\n$变量 = 1;\necho $变量;\n$_ = 2;\necho $_;\n"),
        ("the end of a comment", "<?php\n// */ \"\nfoo(/* } */ 'x');\n"),
    ] {
        assert_ends(name, input.as_bytes());
    }
}

/// Valid PHP with a part removed or repeated, or truncated.
#[test]
fn broken_php_does_not_crash() {
    let file = include_bytes!("../../port/notification.php");
    for number in 0..60 {
        // Positions that are spread over the file and the same every time.
        let at = number * 7919 % file.len();
        let length = 1 + number * 31 % 40;
        let end = (at + length).min(file.len());
        let broken: Vec<u8> = match number % 3 {
            0 => [&file[..at], &file[end..]].concat(),
            1 => [&file[..end], &file[at..]].concat(),
            _ => file[..end].to_vec(),
        };
        assert_ends(&format!("number {number}"), &broken);
    }
}

#[test]
fn long_code_is_shortened_in_the_list() {
    let methods: String = (0..40).map(|number| format!("    function f{number}() {{ return {number}; }}\n")).collect();
    let checked = port(&["--check", "-"], format!("<?php\nenum Long {{\n{methods}}}\n").as_bytes());
    let message = text(&checked.stdout);
    assert!(
        message.contains(":2: enum Long { function f0()") && message.contains("...: enum declaration has"),
        "{message}"
    );
    assert!(message.lines().all(|line| line.len() < 300), "{message}");
}

#[test]
fn dir_is_explained_and_file_is_unsupported() {
    let rust = ported("<?php\n$path = __DIR__ . '/cert.pem';\necho $path, PHP_EOL;\n");
    assert!(rust.contains("// __DIR__ of PHP: here the folder that the program is started in"), "{rust}");
    let file = port(&["--check", "-"], b"<?php\necho __FILE__;\n");
    assert_eq!(file.status.code(), Some(UNSUPPORTED), "{file:?}");
}

#[test]
fn a_rejection_excludes_connection_errors() {
    let rust = ported(
        r"<?php
use GuzzleHttp\Promise\RejectionException;
use WeChatPay\BuilderChainable;
function call(BuilderChainable $instance): void
{
    try {
        $instance->chain('v2/pay/micropay')->post(['xml' => ['a' => '1']]);
    } catch (RejectionException $e) {
        echo 'rejected', PHP_EOL;
    }
}
",
    );
    assert!(rust.contains("ErrorKind::Fail") && rust.contains("ErrorKind::Verification"), "{rust}");
    for kind in ["Timeout", "Connect", "Transport", "ClientError", "ServerError", "Redirect"] {
        assert!(!rust.contains(&format!("ErrorKind::{kind}")), "{kind}: {rust}");
    }
}

/// Each variable has the type of the previous one, and the first is a fraction.
#[test]
fn too_long_a_chain_of_types_is_listed() {
    let mut php = "<?php\n$o = json_decode('{\"p\":12.5}', true);\n$v0 = 0;\nif ($o) { $v0 = $o['p']; }\n".to_owned();
    for number in 1..60 {
        php.push_str(&format!("$v{number} = 0;\nif ($o) {{ $v{number} = $v{}; }}\n", number - 1));
    }
    let output = port(&["--check", "-"], php.as_bytes());
    assert_eq!(output.status.code(), Some(UNSUPPORTED));
    assert!(text(&output.stdout).contains("the variable changes its type"), "{}", text(&output.stdout));
}

#[test]
fn exceptions_that_cannot_be_distinguished_are_listed() {
    let php = r#"<?php
function f($n) {
    if ($n === 1) { throw new \InvalidArgumentException('bad', 7); }
    throw new \RuntimeException('late');
}
try { f(2); } catch (\LogicException $e) { echo $e->getMessage(); } catch (\Exception $e) { echo $e->getCode(); }
try { f(1); } catch (\App\Refused $e) { echo 'refused'; }
"#;
    let output = port(&["-"], php.as_bytes());
    let (rust, message) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(UNSUPPORTED), "{message}");
    for expected in [
        ":3: new \\InvalidArgumentException('bad', 7): the code",
        ":6: \\LogicException: the script throws",
        ":7: App\\Refused:",
    ] {
        assert!(message.contains(expected), "{expected} not in {message}");
    }
    let folder = folder("exceptions");
    let source = folder.join("left.rs");
    std::fs::write(&source, &rust).expect("written");
    Compiler::get().compile(&source, &["wechatpay_chain", "serde_json"]);
}
