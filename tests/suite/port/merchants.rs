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
    assert!(cases.len() >= 48, "{}", cases.len());
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

/// Ports a program, and asserts that all of it is carried over.
fn carried(name: &str, body: &str, printed: &str) -> Case {
    let classes = "use WeChatPay\\Builder;\nuse WeChatPay\\Formatter;\nuse WeChatPay\\Crypto\\AesGcm;\n\
                   use WeChatPay\\Crypto\\Hash;\nuse WeChatPay\\Crypto\\Rsa;\nuse WeChatPay\\Util\\PemUtil;\n";
    let php = format!("<?php\n{classes}{body}\n");
    let output = port(&["-"], php.as_bytes());
    assert!(output.status.success(), "{name}\n{}", String::from_utf8_lossy(&output.stderr));
    Case { name: name.to_owned(), php, printed: printed.to_owned(), fails: false }
}

/// Writes a private key, its public key and its certificate, and the public key of the platform.
const KEYS: &str = "<?php
$key = openssl_pkey_new(['private_key_bits' => 2048]);
openssl_pkey_export($key, $private);
file_put_contents('key.pem', $private);
file_put_contents('public.pem', openssl_pkey_get_details($key)['key']);
$request = openssl_csr_new(['commonName' => 'test'], $key);
openssl_x509_export(openssl_csr_sign($request, null, $key, 30, null, 77), $certificate);
file_put_contents('cert.pem', $certificate);
$platform = openssl_pkey_new(['private_key_bits' => 2048]);
file_put_contents('platform.pem', openssl_pkey_get_details($platform)['key']);
";

/// Keys in arrays, in settings and in loops, and code for the versions of the SDK since 1.0. The
/// functions that changed are those in the SDK's CHANGELOG and UPGRADING.
#[test]
fn keys_in_arrays_and_code_for_older_versions_run() {
    let folder = folder("merchants-keys");
    std::fs::write(folder.join("keys.php"), KEYS).expect("written");
    let Some(output) = php(&folder, &["keys.php"]) else { return };
    assert!(output.status.success() && folder.join("cert.pem").exists(), "{output:?}");
    let file = |name: &str| folder.join(name).to_str().expect("a path").to_owned();
    let (key, public, cert) = (file("key.pem"), file("public.pem"), file("cert.pem"));
    let base64 = |name: &str| {
        let text = std::fs::read_to_string(folder.join(name)).expect("a file");
        text.lines().filter(|line| !line.starts_with('-')).collect::<String>()
    };
    let (key_base64, public_base64) = (base64("key.pem"), base64("public.pem"));
    let id = "PUB_KEY_ID_0119000001092024111100326200001234";
    let serial = "'mchid' => '1900000109', 'serial' => '3775B6A45ACD588826D15E583A95F5DD40E3FF01'";
    let private = format!("'privateKey' => Rsa::from('file://{key}')");
    let from = format!("Rsa::from('file://{public}', Rsa::KEY_TYPE_PUBLIC)");
    let platform_file = file("platform.pem");
    let platform = format!("Rsa::from('file://{platform_file}', Rsa::KEY_TYPE_PUBLIC)");
    let factory =
        |certs: &str| format!("$c = Builder::factory([{serial}, {private}, 'certs' => {certs}]); echo 'built';");
    let cases = [
        carried(
            "k_sign",
            &format!(
                "$keys = ['private' => Rsa::from('file://{key}'), 'public' => {from}];\n\
                 $sign = Rsa::sign('abc', $keys['private']);\n\
                 echo Rsa::verify('abc', $sign, $keys['public']) ? 'ok' : 'no', \
                 Rsa::verify('abd', $sign, $keys['public']) ? 'ok' : 'no';"
            ),
            "okno",
        ),
        carried("k_literal", &format!("$certs = ['{id}' => {platform}];\n{}", factory("$certs")), "built"),
        carried(
            "k_variable",
            &format!("$id = '{id}';\n$public = {platform};\n$certs = [$id => $public];\n{}", factory("$certs")),
            "built",
        ),
        carried(
            "k_loop",
            &format!(
                "$certs = [];\nforeach (['{id}' => '{platform_file}'] as $serial => $file) {{\n    if (!isset($certs[$serial])) {{\n        \
                 $certs[$serial] = Rsa::from('file://' . $file, Rsa::KEY_TYPE_PUBLIC);\n    }}\n}}\n{}",
                factory("$certs")
            ),
            "built",
        ),
        carried(
            "k_settings",
            &format!(
                "$config = [{serial}, {private}, 'certs' => ['{id}' => {platform}]];\n\
                 $c = Builder::factory($config + ['timeout' => 5]); echo 'built';"
            ),
            "built",
        ),
        carried(
            "k_later",
            &format!(
                "function client($key_file, $id, $public) {{\n    $key = Rsa::from('file://' . $key_file, Rsa::KEY_TYPE_PRIVATE);\n    \
                 $config = [{serial}, 'privateKey' => $key, 'certs' => []];\n    \
                 $config['certs'][$id] = Rsa::from($public, Rsa::KEY_TYPE_PUBLIC);\n    return Builder::factory($config);\n}}\n\
                 $c = client('{key}', '{id}', 'file://{platform_file}'); echo 'built';"
            ),
            "built",
        ),
        carried("k_reference", &format!("$certs = ['{id}' => {platform}];\n{}", factory("&$certs")), "built"),
        carried(
            "k_property",
            &format!(
                "class Pay {{\n    private array $certs = [];\n    private $client;\n    public function __construct(array $config) {{\n        \
                 $this->certs[$config['id']] = Rsa::from($config['public'], Rsa::KEY_TYPE_PUBLIC);\n        \
                 $this->client = Builder::factory([{serial}, 'privateKey' => Rsa::from($config['key']), 'certs' => $this->certs]);\n    }}\n    \
                 public function call() {{ return $this->client->chain('v3/certificates'); }}\n}}\n\
                 $pay = new Pay(['id' => '{id}', 'public' => 'file://{platform_file}', 'key' => 'file://{key}']); echo 'built';"
            ),
            "built",
        ),
        carried(
            "k_merchants",
            &format!(
                "foreach ([['mchid' => '1900000109', 'key' => 'file://{key}'], ['mchid' => '1900000110', 'key' => 'file://{key}']] as $m) {{\n    \
                 $c = Builder::factory(['mchid' => $m['mchid'], 'serial' => '3775B6A45ACD588826D15E583A95F5DD40E3FF01', \
                 'privateKey' => Rsa::from($m['key']), 'certs' => ['{id}' => {platform}]]);\n    echo $m['mchid'], ' ';\n}}"
            ),
            "1900000109 1900000110 ",
        ),
        carried(
            "v1_0",
            &format!(
                "$key = PemUtil::loadPrivateKey('{key}');\n$cert = PemUtil::loadCertificate('{cert}');\n\
                 echo PemUtil::parseCertificateSerialNo($cert), ' ', Rsa::verify('m', Rsa::sign('m', $key), $cert) ? 'ok' : 'no';\n\
                 $text = PemUtil::loadPrivateKeyFromString(file_get_contents('{key}'));\n\
                 echo Rsa::decrypt(Rsa::encrypt('x', $cert), $text);\n\
                 echo AesGcm::decrypt(AesGcm::encrypt('text', '0123456789abcdef0123456789abcdef', '0123456789ab', 'a'), \
                 '0123456789abcdef0123456789abcdef', '0123456789ab', 'a');\n\
                 echo Hash::md5('a=1', 'k'), Hash::md5('a=1', 'k', '1') === Hash::md5('a=1', 'k') ? 'same' : 'other';"
            ),
            "4D okxtextaffdcc88244c83f871bfe4854be9c1a5other",
        ),
        carried(
            "v1_0_8",
            "$d = json_decode('{\"a\":\"a\"}', true);\necho Hash::equals('a', $d['a']) ? 'same' : 'other', \
             Hash::equals('', $d['b'] ?? null) ? 'same' : 'other', Hash::equals('', null) ? 'same' : 'other';",
            "sameotherother",
        ),
        carried(
            "v1_0_key",
            "$none = json_decode('\"\"', true);\necho Hash::md5('a=1', '') === md5('a=1') ? 'plain' : 'keyed', \
             Hash::md5('a=1', $none) === md5('a=1') ? 'plain' : 'keyed', \
             Hash::md5('a=1', $none . 'k') === md5('a=1&key=k') ? 'keyed' : 'plain', \
             Hash::md5('a=1', $none . 'k', '1') === md5('a=1&secret=k') ? 'agency' : 'plain';",
            "plainplainkeyedagency",
        ),
        carried(
            "v1_2",
            &format!(
                "$key = Rsa::fromPkcs8('{key_base64}');\n$public = Rsa::fromSpki('{public_base64}');\n\
                 echo Rsa::verify('m', Rsa::sign('m', $key), $public) ? 'ok' : 'no';\n\
                 $same = Rsa::from('private.pkcs8://{key_base64}');\n$spki = Rsa::from('public.spki://{public_base64}', Rsa::KEY_TYPE_PUBLIC);\n\
                 echo Rsa::verify('m', Rsa::sign('m', $same), $spki) ? 'ok' : 'no';"
            ),
            "okok",
        ),
        carried(
            "v1_2_1",
            &format!(
                "$key = Rsa::from('file://{key}');\n$public = {from};\n\
                 echo Rsa::decrypt(Rsa::encrypt('x', $public, OPENSSL_PKCS1_OAEP_PADDING), $key, OPENSSL_PKCS1_OAEP_PADDING);\n\
                 echo strlen(Rsa::encrypt('x', $public, OPENSSL_PKCS1_PADDING));"
            ),
            "x344",
        ),
        carried(
            "v1_2_2",
            "echo Formatter::queryStringLike(Formatter::ksort(['b' => 1, 'a' => 2, 'B' => 3, 'sign' => 'x', 'e' => '']));",
            "B=3&a=2&b=1",
        ),
    ];
    let share = assert_same(&cases, "keys");
    assert_eq!(share, Share { carried: cases.len(), listed: 0 });
}

/// An array that holds keys is not printed, sent or passed on.
#[test]
fn keys_in_arrays_of_other_uses_are_listed() {
    let keys = "$k = ['id' => WeChatPay\\Crypto\\Rsa::from('file:///k.pem')];";
    let why = "JSON cannot hold this object";
    for rest in [
        "echo json_encode($k);",
        "print_r($k);",
        "foreach ($k as $one) { echo 1; }",
        "return $k;",
        "$copy = $k;",
        "echo $k['id'];",
    ] {
        assert_listed(&format!("function f() {{ {keys} {rest} }}"), why);
    }
    assert_listed("$k = [WeChatPay\\Crypto\\Rsa::from(['file:///k.pem', 'secret'])];", why);
    // The path may be another one than that of the key.
    let key = "$k = WeChatPay\\Crypto\\Rsa::from($path); $path = 'other.pem';";
    assert_listed(
        &format!("function f($path) {{ {key} return WeChatPay\\Builder::factory(['privateKey' => $k] + []); }}"),
        why,
    );
    let later =
        "$c = []; $w = WeChatPay\\Builder::factory(['mchid' => '1', 'certs' => &$c]); $c['a'] = 'file:///k.pem';";
    assert_listed(later, "sees later changes of a variable");
    assert_listed("$k = WeChatPay\\Crypto\\Rsa::from('file:///k.pem'); $a = ['k' => $k]; echo json_encode($a);", why);
}

/// A stub that reads the request does not see what PHP has changed in it.
#[test]
fn changes_of_the_request_are_listed() {
    for change in [
        "$_SERVER['HTTP_WECHATPAY_NONCE'] = 'n';",
        "$_GET = ['a' => 1];",
        "$_POST['n'] .= 'x';",
        "$_SESSION['n']++;",
        "$_GET['a'] ??= 1;",
        "unset($_SESSION['id']);",
        "unset($_SESSION);",
        "$GLOBALS['a'] = 1;",
    ] {
        assert_listed(change, "a variable of the web server is changed");
        assert_listed(&format!("function f() {{ {change} }}"), "a variable of the web server is changed");
    }
    for read in [
        "echo $_GET['a'] ?? 'none';",
        "if (isset($_GET['a'])) echo 1;",
        "if (empty($_POST)) echo 1;",
        "if (isset($_SESSION)) echo 1;",
    ] {
        assert_listed(read, "complete it in mod yours");
    }
}

#[test]
fn what_older_versions_have_and_this_crate_does_not_is_listed() {
    for (php, why) in [
        ("echo WeChatPay\\Crypto\\Rsa::pkcs1ToSpki('MII');", "pkcs1ToSpki"),
        ("echo WeChatPay\\Crypto\\Rsa::decrypt('x', 'file:///k.pem', OPENSSL_PKCS1_PADDING);", "Rsa::decrypt()"),
        ("echo WeChatPay\\Crypto\\Hash::hmac('x', 'k', 'md5');", "Hash::hmac()"),
        ("$a = getenv('A'); echo WeChatPay\\Crypto\\Hash::md5('x', 'k', $a);", "Hash::md5()"),
        ("$m = new WeChatPay\\Util\\MediaUtil('/a.jpg'); echo $m->getMeta();", "getMeta"),
        ("$h = clone $client->getDriver()->select()->getConfig('handler'); $h->remove('verifier');", "clone"),
        ("echo WeChatPay\\Formatter::nonce(16);", "Formatter::nonce()"),
    ] {
        assert_listed(php, why);
    }
}
